//! What the loop wakes somebody for: the tags of sources and timers, and their names in the trace.
//!
//! Owns: the words. Must not know: what is done about a wake (`App::dispatch`).

use std::fmt;

use super::scan;
use crate::reactor::Key;

/// What a source is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    Stdin,
    Stdout,
    Listener,
    /// A datagram socket that nobody has sent to yet.
    Meeting,
    /// A connection under way, by its number in the race.
    Attempt(usize),
    Session(Key),
    Scan(scan::Part),
    Signals,
    /// A dump that has not taken everything.
    Dump,
}

/// What a timer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alarm {
    /// The next address of a race.
    DialNext,
    /// The end of a race.
    DialDeadline,
    /// The next destination.
    NextPort,
    /// Descriptors may be free again.
    Accept,
    /// A session holds the others back.
    Patience,
    /// stdin ended long enough ago.
    Quit,
    Session(Key),
    Scan(scan::Alarm),
    /// Readers of dumps have been waited for long enough.
    Dumps,
    /// How far it is has changed.
    Progress,
}

/// As the trace names it.
impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdin => f.write_str("stdin"),
            Self::Stdout => f.write_str("stdout"),
            Self::Listener => f.write_str("listener"),
            Self::Meeting => f.write_str("socket without a peer"),
            Self::Attempt(number) => write!(f, "attempt {number}"),
            Self::Session(key) => write!(f, "session {key}"),
            Self::Scan(part) => write!(f, "scan: {part}"),
            Self::Signals => f.write_str("signals"),
            Self::Dump => f.write_str("dump"),
        }
    }
}

/// As the trace names it.
impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DialNext => f.write_str("the next address"),
            Self::DialDeadline => f.write_str("the end of connecting"),
            Self::NextPort => f.write_str("the next port"),
            Self::Accept => f.write_str("accepting again"),
            Self::Patience => f.write_str("patience with slow sessions"),
            Self::Quit => f.write_str("quitting"),
            Self::Session(key) => write!(f, "session {key}"),
            Self::Scan(alarm) => write!(f, "scan: {alarm}"),
            Self::Dumps => f.write_str("patience with dumps"),
            Self::Progress => f.write_str("the progress line"),
        }
    }
}
