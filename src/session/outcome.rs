//! Why a session ended and what it cost: from this alone the exit status is made.

use std::fmt;
use std::io;

use super::negotiate::{Denial, Hops};
use crate::error::reason;
use crate::explain::Step;
use crate::units::counted;

/// The end of one session.
#[derive(Debug)]
pub struct Outcome {
    /// Why it ended.
    pub end: End,
    /// The time after the end of stdin is over, which is meant for the program, whatever else went wrong.
    pub quits: bool,
    /// Bytes the connection took.
    pub sent: u64,
    /// Bytes that reached stdout.
    pub received: u64,
    /// Bytes read from stdin that the connection did not take.
    pub unsent: u64,
    /// Bytes read from the peer that stdout did not take.
    pub unwritten: u64,
    /// The datagrams that carried them, where the connection carries datagrams.
    pub datagrams: Option<Datagrams>,
}

/// What has gone through a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// Bytes the connection took.
    pub sent: u64,
    /// Bytes that reached stdout.
    pub received: u64,
    /// The datagrams that carried them, where it carries datagrams.
    pub datagrams: Option<Datagrams>,
}

/// Datagrams, or records, each way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Datagrams {
    /// Those the connection took.
    pub sent: u64,
    /// Those that were read from it.
    pub received: u64,
}

/// Why a session ended.
#[derive(Debug)]
pub enum End {
    /// Both directions came to their end, as the policy has it.
    Complete,
    /// A proxy on the way did not let us through.
    Denied(Denial),
    /// A proxy on the way wants to be asked again, over a new connection.
    ProxyReconnects(Hops),
    /// Nothing moved for as long as `-w` allows.
    Idle,
    /// The time after the end of stdin is over (`-q`, `--quit-after`).
    QuitTimer,
    /// It took nothing while others waited for the same stdin.
    HeldOthersBack,
    /// The connection broke: a reset, mostly.
    PeerFailed(io::Error),
    /// stdin cannot be read.
    InputFailed(io::Error),
    /// stdout cannot be written.
    OutputFailed(io::Error),
    /// Whoever read our stdout has left.
    ReaderGone,
}

impl Outcome {
    /// The end of a session that never carried a byte.
    pub(super) fn of_nothing(end: End) -> Self {
        Self { end, quits: false, sent: 0, received: 0, unsent: 0, unwritten: 0, datagrams: None }
    }

    /// What has gone through.
    #[must_use]
    pub fn moved(&self) -> Moved {
        let Self { sent, received, datagrams, .. } = *self;
        Moved { sent, received, datagrams }
    }

    /// Every byte that was read was delivered, and nothing broke.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        let broke = match self.end {
            End::Complete
            | End::ProxyReconnects(_)
            | End::Idle
            | End::QuitTimer
            | End::ReaderGone => false,
            End::HeldOthersBack
            | End::Denied(_)
            | End::PeerFailed(_)
            | End::InputFailed(_)
            | End::OutputFailed(_) => true,
        };
        !broke && self.unsent == 0 && self.unwritten == 0
    }

    /// The words for those who want to know what happens, and the descriptor that is closed.
    #[must_use]
    pub fn explained(&self, fd: i32) -> Step<'static> {
        let (_, why) = self.end.told();
        let is_proxys = matches!(self.end, End::Denied(_) | End::ProxyReconnects(_));
        Step::Over { fd, why, moved: (!is_proxys).then_some((self.sent, self.received)) }
    }

    /// The one line that is owed to the user, if one is. A reader that has left knows, and nobody else
    /// cares: `nc host port | head -1` is silent.
    #[must_use]
    pub fn complaint(&self, peer: &dyn fmt::Display) -> Option<String> {
        if self.is_clean() || matches!(self.end, End::ReaderGone) {
            return None;
        }
        let what = match &self.end {
            End::Complete
            | End::ReaderGone
            | End::ProxyReconnects(_)
            | End::Idle
            | End::QuitTimer
            | End::HeldOthersBack
            | End::PeerFailed(_) => format!("{peer}: {}", self.end),
            // Not the peer's doing.
            End::Denied(_) | End::InputFailed(_) | End::OutputFailed(_) => self.end.to_string(),
        };
        let unsent = match self.unsent {
            0 => String::new(),
            n => format!(", {} from stdin not sent", counted(n, "byte")),
        };
        let unwritten = match self.unwritten {
            0 => String::new(),
            n => format!(", {} from the peer not written", counted(n, "byte")),
        };
        Some(what + &unsent + &unwritten)
    }
}

impl End {
    /// For programs.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.told().0
    }

    /// For programs, and for those who want to know what happens.
    fn told(&self) -> (&'static str, &'static str) {
        match self {
            Self::Complete => ("complete", "The session is over."),
            Self::Denied(_) => ("denied", "No way leads through the proxy."),
            Self::ProxyReconnects(_) => {
                ("reconnect", "The proxy wants to be asked once more, on a new connection.")
            }
            Self::Idle => ("idle", "Nothing has moved for as long as -w allows."),
            Self::QuitTimer => {
                ("quit", "The time after the end of stdin is over (-q, --quit-after).")
            }
            Self::HeldOthersBack => {
                ("dropped", "It took nothing for 5 s, and others waited for the same stdin.")
            }
            Self::PeerFailed(_) => ("peer_failed", "The connection is broken."),
            Self::InputFailed(_) => ("stdin_failed", "stdin cannot be read."),
            Self::OutputFailed(_) => ("stdout_failed", "stdout cannot be written."),
            Self::ReaderGone => ("reader_gone", "Whoever read stdout has gone."),
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Complete | Self::ProxyReconnects(_) => f.write_str("closed"),
            Self::Denied(denial) => denial.fmt(f),
            Self::Idle => f.write_str("idle timeout"),
            Self::QuitTimer => f.write_str("quit timer"),
            Self::HeldOthersBack => f.write_str("dropped, it held the others back"),
            Self::PeerFailed(error) => f.write_str(&reason(error)),
            Self::InputFailed(error) => write!(f, "stdin: {}", reason(error)),
            Self::OutputFailed(error) => write!(f, "stdout: {}", reason(error)),
            Self::ReaderGone => f.write_str("the reader of stdout has left"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(end: End) -> Outcome {
        Outcome {
            end,
            quits: false,
            sent: 1,
            received: 1,
            unsent: 0,
            unwritten: 0,
            datagrams: None,
        }
    }

    #[test]
    fn a_clean_end_says_nothing() {
        for end in [End::Complete, End::Idle, End::QuitTimer, End::ReaderGone] {
            let outcome = outcome(end);
            assert!(outcome.is_clean());
            assert_eq!(outcome.complaint(&"peer"), None);
        }
    }

    #[test]
    fn a_reset_is_told_with_what_it_cost() {
        let mut outcome = outcome(End::PeerFailed(io::Error::from_raw_os_error(104)));
        assert_eq!(
            outcome.complaint(&"::1 port 1").as_deref(),
            Some("::1 port 1: Connection reset by peer")
        );
        outcome.unsent = 1;
        assert_eq!(
            outcome.complaint(&"::1 port 1").as_deref(),
            Some("::1 port 1: Connection reset by peer, 1 byte from stdin not sent")
        );
        assert!(!outcome.is_clean());
    }

    #[test]
    fn a_full_disk_is_told_with_the_count() {
        let outcome = Outcome {
            unwritten: 4096,
            ..outcome(End::OutputFailed(io::Error::from_raw_os_error(28)))
        };
        assert_eq!(
            outcome.complaint(&"peer").as_deref(),
            Some("stdout: No space left on device, 4096 bytes from the peer not written")
        );
    }

    #[test]
    fn a_timeout_that_loses_bytes_is_not_clean() {
        let outcome = Outcome { unsent: 2, ..outcome(End::Idle) };
        assert!(!outcome.is_clean());
        assert_eq!(
            outcome.complaint(&"peer").as_deref(),
            Some("peer: idle timeout, 2 bytes from stdin not sent")
        );
    }

    #[test]
    fn a_reader_that_left_is_never_told() {
        let outcome = Outcome { unwritten: 2, ..outcome(End::ReaderGone) };
        assert!(!outcome.is_clean());
        assert_eq!(outcome.complaint(&"peer"), None);
    }
}
