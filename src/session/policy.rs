//! What the end of one direction means for the other: data, so that a mode is a value and not a
//! copy of the relay. The table these types spell out is in `docs/state-machine.md`.

use std::num::NonZeroU64;
use std::time::Duration;

use crate::datagram::LARGEST;
use crate::flow::Framing;

/// How one session treats its two directions and when it ends by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Which directions carry bytes at all.
    pub ways: Ways,
    /// What the peer is told once stdin has ended and everything read from it was sent.
    pub local_eof: LocalEof,
    /// How long the session goes on after that moment; `None`: until the peer ends it.
    pub quit_after: Option<Duration>,
    /// What the peer's end of file does to our sending.
    pub peer_eof: PeerEof,
    /// Ends the session after this long in which nothing moved or ended, either way (`-w`).
    pub idle: Option<Duration>,
    /// Ends the session after this many reads from the peer, an end of file among them (`-W`).
    pub recv_limit: Option<NonZeroU64>,
    /// How stdin is cut where the wire carries datagrams; `None`: it carries a stream.
    pub framing: Option<Framing>,
    /// The largest datagram that may arrive, in bytes; there has to be room for all of it.
    pub largest_datagram: usize,
    /// What changes bytes on their way.
    pub filters: Filters,
    /// Time between two lines sent (`-i`).
    pub interval: Option<Duration>,
    /// Bytes relayed a second at most, each way (`--limit-rate`).
    pub rate: Option<NonZeroU64>,
}

/// Which filters stand between stdin and stdout and the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filters {
    /// LF leaves as CR LF (`-C`).
    pub crlf: bool,
    /// Telnet negotiation is answered and kept from stdout (`-t`).
    pub telnet: bool,
    /// Control characters of the peer are shown and not obeyed (`--sanitize`).
    pub sanitize: bool,
}

impl Filters {
    /// The filters with the question about stdout answered: only a terminal obeys anything.
    #[must_use]
    pub fn settled(self, stdout_is_terminal: bool) -> Self {
        Self { sanitize: self.sanitize && stdout_is_terminal, ..self }
    }
}

impl Policy {
    /// The plainest session: bytes both ways until both ends have ended.
    #[must_use]
    pub fn plain() -> Self {
        Self {
            ways: Ways::Both,
            local_eof: LocalEof::KeepOpen,
            quit_after: None,
            peer_eof: PeerEof::KeepSending,
            idle: None,
            recv_limit: None,
            framing: None,
            largest_datagram: LARGEST,
            filters: Filters::default(),
            interval: None,
            rate: None,
        }
    }
}

/// Which directions carry bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ways {
    /// stdin to the peer, the peer to stdout.
    Both,
    /// stdin is never read (`-d`, `--recv-only`).
    ReceiveOnly,
    /// What the peer sends is read and thrown away (`--send-only`); the session ends with stdin.
    SendOnly,
}

/// What becomes of our sending direction when stdin has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocalEof {
    /// Nothing: the peer sees no end of file before the session closes (Debian's default).
    KeepOpen,
    /// shutdown(2) with `SHUT_WR`: the peer reads an end of file (`-N`, `-q`).
    HalfClose,
}

/// What the peer's end of file does, after all it sent has reached stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerEof {
    /// Ends the session, whatever stdin does (listener; `--exit-on-close`).
    EndSession,
    /// The directions are independent: sending goes on until stdin ends (`--half-close`).
    KeepSending,
    /// `EndSession` where stdin is a terminal, for nobody can type an end of file into a connection
    /// that is gone; else `KeepSending` (client). Settled once stdin's kind is known.
    AsStdin,
}

impl PeerEof {
    /// The rule with the question about stdin answered: never `AsStdin`.
    #[must_use]
    pub fn settled(self, stdin_is_terminal: bool) -> Self {
        match self {
            Self::AsStdin if stdin_is_terminal => Self::EndSession,
            Self::AsStdin => Self::KeepSending,
            Self::EndSession | Self::KeepSending => self,
        }
    }
}
