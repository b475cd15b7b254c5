//! The phases of one connection, and the only place that changes them.
//!
//! ```text
//!   Negotiating ──▶ Relaying ──▶ Lingering ──▶ Closed
//!        │             └────────────────────────▶┤
//!        └──────────────────────────────────────▶┘
//! ```
//! Connecting is no phase of a session: several addresses race for one session, so it belongs to
//! `app::dial`, and a session begins with a wire that works.

use std::time::Instant;

use super::negotiate::Negotiation;
use super::outcome::Outcome;
use super::relay::Relay;
use crate::trace::{self, tell};

/// Where a session stands.
#[derive(Debug)]
pub(super) enum Phase {
    /// Proxies on the way are being talked to. When the last has let us through, `Relaying`; when one
    /// refuses, breaks or takes too long, or wants a new connection, `Closed`.
    Negotiating(Box<Negotiation>),
    /// Bytes go both ways. The policy's end leads to `Lingering` where we have sent all we had and
    /// the peer may still be sending, else to `Closed`.
    Relaying(Box<Relay>),
    /// Half-closed; what the peer still sends is read and thrown away, for closing now would answer
    /// it with a reset, and a reset takes away from the peer what it has not read of ours (RFC 1122,
    /// 4.2.2.13). The peer's end of file, an error or the time limit leads to `Closed`.
    Lingering {
        /// When patience ends.
        until: Instant,
        /// What is reported once the session is closed.
        outcome: Box<Outcome>,
    },
    /// The outcome has been reported; nothing leaves this phase.
    Closed,
}

/// A phase without what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// See [`Phase::Negotiating`].
    Negotiating,
    /// See [`Phase::Relaying`].
    Relaying,
    /// See [`Phase::Lingering`].
    Lingering,
    /// See [`Phase::Closed`].
    Closed,
}

impl Kind {
    /// All phases, in the order of a life.
    pub const ALL: [Self; 4] = [Self::Negotiating, Self::Relaying, Self::Lingering, Self::Closed];

    /// The legal edges.
    #[must_use]
    pub const fn leads_to(self, next: Self) -> bool {
        match self {
            Self::Negotiating => matches!(next, Self::Relaying | Self::Closed),
            Self::Relaying => matches!(next, Self::Lingering | Self::Closed),
            Self::Lingering => matches!(next, Self::Closed),
            Self::Closed => false,
        }
    }
}

impl Phase {
    /// Which phase this is.
    pub(super) const fn kind(&self) -> Kind {
        match self {
            Self::Negotiating(_) => Kind::Negotiating,
            Self::Relaying(_) => Kind::Relaying,
            Self::Lingering { .. } => Kind::Lingering,
            Self::Closed => Kind::Closed,
        }
    }

    /// Changes the phase.
    pub(super) fn enter(&mut self, next: Self) {
        let (from, to) = (self.kind(), next.kind());
        debug_assert!(from.leads_to(to), "session: {from:?} => {to:?}");
        tell(trace::Event::Entered { machine: "session", from: &from, to: &to });
        *self = next;
    }
}
