//! The proxies on the way to the peer, one handshake inside the connection that the one before has made.
//!
//! Owns: whose turn it is, and what is still to be said. Must not know: any proxy's protocol.
//!
//! Invariant: not a byte behind the last proxy's reply is read. What has come is looked at first
//! (`MSG_PEEK`), and only what the handshake consumes is taken off the wire; the rest is the peer's,
//! and belongs to the relay, or to whoever is handed the descriptor.

use std::fmt;
use std::io;
use std::time::Instant;

use super::{Report, Turn};
use crate::error::reason;
use crate::explain::explain;
use crate::nonblock::{Attempt, Outbox, Wire};
use crate::proto::{Handshake, ProtocolError, Status};
use crate::reactor::Readiness;
use crate::trace::{Event, tell};

/// Handshakes in the order of the proxies.
pub type Hops = Vec<Box<dyn Handshake>>;

/// The negotiating phase of a session.
#[derive(Debug)]
pub(super) struct Negotiation {
    hops: Hops,
    /// The hop that is being talked to.
    current: usize,
    greeting: Greeting,
    /// For the wire.
    output: Outbox,
    deadline: Option<Instant>,
}

/// Whether the current hop has been asked for its opening words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Greeting {
    Owed,
    Said,
}

/// How far the negotiation has come.
#[derive(Debug)]
pub(super) enum Step {
    /// It goes on with the next event.
    Waiting,
    /// The wire leads to the peer.
    Done,
    /// It does not, and will not.
    Failed(Denial),
    /// The proxy has to be asked again over a new connection, with the same handshakes.
    Reconnect(Hops),
}

/// Why there is no way through.
#[derive(Debug)]
pub enum Denial {
    /// A proxy has refused, or does not speak its protocol.
    Protocol(ProtocolError),
    /// The connection to the proxy broke.
    Wire(io::Error),
    /// Time is up.
    TimedOut,
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Protocol(error) => error.fmt(f),
            Self::Wire(error) => write!(f, "proxy: {}", reason(error)),
            Self::TimedOut => f.write_str("proxy: timed out"),
        }
    }
}

impl Drop for Negotiation {
    fn drop(&mut self) {
        self.output.wipe();
    }
}

impl Negotiation {
    pub(super) fn new(hops: Hops, deadline: Option<Instant>) -> Self {
        Self { hops, current: 0, greeting: Greeting::Owed, output: Outbox::default(), deadline }
    }

    /// Says and hears what can be said and heard now.
    pub(super) fn advance(
        &mut self,
        wire: &mut impl Wire,
        turn: Turn,
        report: &mut Report,
    ) -> Step {
        report.deadline = self.deadline;
        let mut net = turn.gates.net;
        let step = loop {
            match self.round(wire, &mut net, report) {
                Ok(Some(step)) => break step,
                Ok(None) => {}
                Err(denial) => break Step::Failed(denial),
            }
        };
        match step {
            Step::Waiting if self.deadline.is_some_and(|at| at <= turn.now) => {
                Step::Failed(Denial::TimedOut)
            }
            step @ (Step::Waiting | Step::Done | Step::Failed(_) | Step::Reconnect(_)) => step,
        }
    }

    /// One thing said or heard; `None`: there may be more.
    fn round(
        &mut self,
        wire: &mut impl Wire,
        net: &mut Readiness,
        report: &mut Report,
    ) -> Result<Option<Step>, Denial> {
        let hop = self.hops.get_mut(self.current);
        if self.greeting == Greeting::Owed
            && let Some(hop) = hop
        {
            self.greeting = Greeting::Said;
            hop.step(&[], self.output.back()).map_err(Denial::Protocol)?;
        }
        // Also behind the last hop: a proxy may have answered what it has not heard yet.
        if !self.output.is_empty() && net.intersects(Readiness::WRITE) {
            match wire.try_write(self.output.waiting()).map_err(Denial::Wire)? {
                // It may have been a password.
                Attempt::Moved(n) => self.output.took_secret(n),
                Attempt::Blocked | Attempt::Ended => {
                    report.net = report.net | Readiness::WRITABLE | Readiness::WRITE_CLOSED;
                    *net = net.without(Readiness::WRITE);
                }
            }
            return Ok(None);
        }
        let Some(hop) = self.hops.get_mut(self.current) else {
            let all_said = self.output.is_empty();
            return Ok(Some(if all_said { Step::Done } else { Step::Waiting }));
        };
        if !net.intersects(Readiness::READ) {
            return Ok(Some(Step::Waiting));
        }
        let mut seen = [0; LOOK];
        let seen = match wire.try_peek(&mut seen).map_err(Denial::Wire)? {
            Attempt::Moved(n) => &mut seen[..n],
            Attempt::Ended => return Err(Denial::Protocol(hop.at_eof())),
            Attempt::Blocked => {
                report.net = report.net | Readiness::READ;
                *net = net.without(Readiness::READ);
                return Ok(None);
            }
        };
        let progress = match hop.step(seen, self.output.back()) {
            Ok(progress) => progress,
            Err(error) => {
                // Closing with something unread would answer the proxy's no with a reset. What goes wrong now
                // is not what went wrong first.
                let _ = take(wire, seen);
                return Err(Denial::Protocol(error));
            }
        };
        take(wire, &mut seen[..progress.consumed])?;
        match progress.status {
            Status::Waiting => Ok(None),
            Status::Done => {
                let through = self.current + 1;
                tell(Event::Noted(&format_args!("proxy {through} has let us through")));
                self.current += 1;
                explain(|| crate::explain::Step::ProxyDone { hop: self.current });
                self.greeting = Greeting::Owed;
                Ok(None)
            }
            Status::Reconnect => {
                let mut hops = std::mem::take(&mut self.hops);
                hops.iter_mut().take(self.current + 1).for_each(|hop| hop.restart());
                Ok(Some(Step::Reconnect(hops)))
            }
        }
    }
}

/// Takes bytes off the wire that have been seen to be there.
fn take(wire: &mut impl Wire, mut seen: &mut [u8]) -> Result<(), Denial> {
    while !seen.is_empty() {
        match wire.try_read(seen).map_err(Denial::Wire)? {
            Attempt::Moved(n) => seen = &mut seen[n..],
            Attempt::Blocked | Attempt::Ended => {
                return Err(Denial::Wire(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }
    Ok(())
}

/// Bytes looked at at a time. Replies are short; a longer one is looked at piece by piece.
const LOOK: usize = 1024;

#[cfg(test)]
mod tests;
