//! How far a scan has come, in words: for the line that is redrawn, and for the answer to a signal.

use std::time::{Duration, Instant};

use crate::units::{per_second, time_left};

/// How far the scan has come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing {
    pub(super) began: Instant,
    pub(super) done: usize,
    pub(super) of: usize,
    /// Until when it goes on at the latest, where it waits for destinations to open.
    pub(super) until: Option<Instant>,
}

impl Standing {
    pub(super) fn words(self, now: Instant) -> String {
        let Self { began, done, of, until } = self;
        let spent = now.saturating_duration_since(began);
        if let Some(until) = until {
            let left = until.saturating_duration_since(now);
            format!("{done} of {of} ports open, {}", time_left(left))
        } else {
            let rate = per_second(done as u64, spent);
            let left = ((of - done) as u64).checked_div(rate).filter(|_| done < of);
            let left = left.map(|left| format!(", {}", time_left(Duration::from_secs(left))));
            let left = left.unwrap_or_default();
            format!("{done} of {of} ports, {rate}/s{left}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::epoch;

    #[test]
    fn it_tells_how_many_how_fast_and_how_long() {
        let now = epoch() + Duration::from_secs(2);
        let words = |done| Standing { began: epoch(), done, of: 100, until: None }.words(now);
        assert_eq!(words(40), "40 of 100 ports, 20/s, 0:03 left");
        assert_eq!(words(100), "100 of 100 ports, 50/s");
        assert_eq!(words(0), "0 of 100 ports, 0/s");
    }

    #[test]
    fn somebody_who_waits_is_told_for_how_long() {
        let until = Some(epoch() + Duration::from_millis(2500));
        let standing = Standing { began: epoch(), done: 1, of: 2, until };
        assert_eq!(standing.words(epoch()), "1 of 2 ports open, 0:03 left");
    }
}
