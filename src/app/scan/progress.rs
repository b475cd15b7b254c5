//! The line that tells somebody who waits how far a scan has come. It redraws itself, and is gone at the end.

use std::time::{Duration, Instant};

/// What is to be shown, and whether something is.
#[derive(Debug)]
pub(super) struct Progress {
    began: Instant,
    shown: bool,
}

/// How far the scan has come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing {
    pub(super) done: usize,
    pub(super) of: usize,
    /// Until when it goes on at the latest, where it waits for destinations to open.
    pub(super) until: Option<Instant>,
}

impl Progress {
    pub(super) fn new(began: Instant) -> Self {
        Self { began, shown: false }
    }

    /// What draws the line, over the one that is there. A terminal of so few columns gets less of it: what
    /// is broken into two lines cannot be drawn over.
    pub(super) fn draw(
        &mut self,
        now: Instant,
        standing: Standing,
        columns: Option<usize>,
    ) -> String {
        self.shown = true;
        let Standing { done, of, until } = standing;
        let spent = now.saturating_duration_since(self.began);
        let mut words = if let Some(until) = until {
            let left = until.saturating_duration_since(now);
            format!("{done} of {of} ports open, {} s left", rounded_up(left))
        } else {
            let rate = per_second(done, spent);
            let left = (of - done).checked_div(rate).filter(|_| done < of);
            let left = left.map(|left| format!(", {left} s left")).unwrap_or_default();
            format!("{done} of {of} ports, {rate}/s{left}")
        };
        // In ASCII throughout. The cursor needs a column too.
        words.truncate(columns.map_or(usize::MAX, |columns| columns.saturating_sub(1)));
        format!("\r{words}{ERASE_TO_END}")
    }

    /// What makes room for other lines; empty where nothing is shown.
    pub(super) fn erase(&mut self) -> String {
        if std::mem::take(&mut self.shown) { format!("\r{ERASE_TO_END}") } else { String::new() }
    }
}

fn per_second(count: usize, time: Duration) -> usize {
    let rate = count as u128 * 1000 / time.as_millis().max(1);
    usize::try_from(rate).unwrap_or(usize::MAX)
}

fn rounded_up(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

/// ECMA-48, `EL`.
const ERASE_TO_END: &str = "\x1b[K";

/// How long a scan goes on without a word.
pub(super) const GRACE: Duration = Duration::from_secs(1);

/// From one drawing to the next.
pub(super) const REDRAW: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::epoch;

    #[test]
    fn it_tells_how_many_how_fast_and_how_long() {
        let mut progress = Progress::new(epoch());
        let now = epoch() + Duration::from_secs(2);
        let mut drawn = |done| progress.draw(now, Standing { done, of: 100, until: None }, None);
        assert_eq!(drawn(40), "\r40 of 100 ports, 20/s, 3 s left\x1b[K");
        assert_eq!(drawn(100), "\r100 of 100 ports, 50/s\x1b[K");
        assert_eq!(drawn(0), "\r0 of 100 ports, 0/s\x1b[K");
    }

    #[test]
    fn somebody_who_waits_is_told_for_how_long() {
        let until = Some(epoch() + Duration::from_millis(2500));
        let drawn = Progress::new(epoch()).draw(epoch(), Standing { done: 1, of: 2, until }, None);
        assert_eq!(drawn, "\r1 of 2 ports open, 3 s left\x1b[K");
    }

    #[test]
    fn it_never_fills_a_line() {
        let standing = Standing { done: 0, of: 1, until: None };
        let mut progress = Progress::new(epoch());
        let mut drawn = |columns| progress.draw(epoch(), standing, Some(columns));
        assert_eq!(drawn(10), "\r0 of 1 po\x1b[K");
        assert_eq!(drawn(1), "\r\x1b[K");
        assert_eq!(drawn(80), "\r0 of 1 ports, 0/s\x1b[K");
    }

    #[test]
    fn what_was_drawn_is_erased_once() {
        let mut progress = Progress::new(epoch());
        assert_eq!(progress.erase(), "");
        progress.draw(epoch(), Standing { done: 0, of: 1, until: None }, None);
        assert_eq!(progress.erase(), "\r\x1b[K");
        assert_eq!(progress.erase(), "");
    }
}
