//! Time between lines (`-i`): a line that has left closes the gate for a while.
//!
//! Owns: when the gate opens again. Must not know: clocks and timers; it is told what time it is, and
//! whoever pumps the flow sees to it that somebody comes back.

use std::time::{Duration, Instant};

/// A gate for lines.
#[derive(Clone, Debug)]
pub struct Pace {
    interval: Duration,
    opens_at: Option<Instant>,
}

impl Pace {
    /// A gate that is open and closes for `interval` behind each line.
    #[must_use]
    pub fn new(interval: Duration) -> Self {
        Self { interval, opens_at: None }
    }

    /// When the gate opens, if it has ever closed; it is open from then on.
    #[must_use]
    pub fn opens_at(&self) -> Option<Instant> {
        self.opens_at
    }

    /// A line has left.
    pub fn line_left(&mut self, now: Instant) {
        self.opens_at = Some(now + self.interval);
    }

    /// The part that may leave at once: the first line, or all of a line that is not complete.
    #[must_use]
    pub fn line(bytes: &[u8]) -> &[u8] {
        bytes.split_inclusive(|&byte| byte == b'\n').next().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_what_ends_in_a_line_feed_or_all_there_is() {
        assert_eq!(Pace::line(b"a\nb\n"), b"a\n");
        assert_eq!(Pace::line(b"a"), b"a");
        assert_eq!(Pace::line(b"\n\n"), b"\n");
        assert_eq!(Pace::line(b""), b"");
    }
}
