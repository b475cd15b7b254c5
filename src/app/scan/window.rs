//! How many probes are under way, and when the next may begin.
//!
//! Owns: the limit of probes, which shrinks where descriptors run out, and the time between two of them.
//! Must not know: what a probe is.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::{Duration, Instant};

use rustix::process::{Resource, getrlimit};

/// See the module's own page.
#[derive(Debug)]
pub(super) struct Window {
    limit: usize,
    /// What the limit may grow to again.
    most: usize,
    /// From the beginning of one probe to that of the next.
    gap: Duration,
    /// When the next may begin; `None`: at any time.
    next: Option<Instant>,
}

/// Whether another probe may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// Now.
    Now,
    /// Not before this time.
    At(Instant),
    /// When one of those under way is over.
    Full,
}

impl Window {
    /// `parallelism` probes at a time, or as many as there are descriptors for; with `interval` between
    /// them, and no more than `rate` in a second.
    pub(super) fn new(
        parallelism: Option<NonZeroUsize>,
        interval: Option<Duration>,
        rate: Option<NonZeroU32>,
    ) -> Self {
        let descriptors = match getrlimit(Resource::Nofile).current {
            Some(limit) => usize::try_from(limit).unwrap_or(usize::MAX),
            None => usize::MAX,
        };
        let most = descriptors.saturating_sub(RESERVED).max(1);
        let most = parallelism.map_or(MOST, NonZeroUsize::get).min(most);
        let rate = rate.map_or(Duration::ZERO, |rate| Duration::from_secs(1) / rate.get());
        Self { limit: most, most, gap: rate.max(interval.unwrap_or_default()), next: None }
    }

    /// Whether another probe may begin beside so many.
    pub(super) fn admits(&self, under_way: usize, now: Instant) -> Admission {
        match self.next {
            _ if under_way >= self.limit => Admission::Full,
            Some(next) if next > now => Admission::At(next),
            Some(_) | None => Admission::Now,
        }
    }

    /// A probe begins. One that is a little late does not put off the others: the poller's clock ticks
    /// in milliseconds, and `--rate 10000` needs ten probes in each.
    pub(super) fn began(&mut self, now: Instant) {
        if !self.gap.is_zero() {
            let due = self.next.map_or(now, |next| next.max(now.checked_sub(TICK).unwrap_or(now)));
            self.next = Some(due + self.gap);
        }
    }

    /// One more than so many was too much for now.
    pub(super) fn shrink_to(&mut self, under_way: usize) {
        self.limit = under_way.clamp(1, self.most);
    }

    /// One more than so many will always be too much: there are no more descriptors. Other things need
    /// some too.
    pub(super) fn shrink_for_good(&mut self, under_way: usize) {
        let spare = SPARE.min(under_way / 4);
        self.most = (under_way - spare).clamp(1, self.most);
        self.limit = self.most;
    }

    /// A probe is over. What was short a moment ago may be there again.
    pub(super) fn grow(&mut self) {
        self.limit = (self.limit + 1).min(self.most);
    }

    /// Only one probe at a time.
    pub(super) fn is_strict(&self) -> bool {
        self.limit == 1
    }
}

/// Probes at a time, at most. A probe that nobody answers waits for seconds, so a thousand ports take as
/// long as one; more would be a burden for routers that keep a table of connections.
const MOST: usize = 1024;

/// Descriptors for everything else: three standard ones, the poller, files that names are looked up in.
const RESERVED: usize = 16;

/// Descriptors that are left to everything else where the limit turned out to be lower, if there are many:
/// for a file that names are looked up in, and one more.
const SPARE: usize = 2;

/// See [`Window::began`]. `epoll_wait(2)` waits for whole milliseconds, rounded up.
const TICK: Duration = Duration::from_millis(2);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::epoch;

    fn window(limit: usize, interval_ms: u64, rate: u32) -> Window {
        let interval = Some(Duration::from_millis(interval_ms)).filter(|time| !time.is_zero());
        Window::new(NonZeroUsize::new(limit), interval, NonZeroU32::new(rate))
    }

    /// Begins as many probes as are admitted by this time.
    fn begin_all(window: &mut Window, now: Instant) -> usize {
        let mut begun = 0;
        while window.admits(0, now) == Admission::Now && begun < 1000 {
            window.began(now);
            begun += 1;
        }
        begun
    }

    #[test]
    fn so_many_are_admitted_and_no_more() {
        let window = window(3, 0, 0);
        assert_eq!(window.admits(2, epoch()), Admission::Now);
        assert_eq!(window.admits(3, epoch()), Admission::Full);
    }

    #[test]
    fn the_limit_of_descriptors_is_never_reached_by_default() {
        let limit = window(0, 0, 0).limit;
        assert!((1..=MOST).contains(&limit));
        let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        assert!(limit == 1 || (limit + RESERVED) as u64 <= descriptors);
    }

    #[test]
    fn want_of_descriptors_shrinks_the_window_but_not_to_nothing() {
        let mut window = window(100, 0, 0);
        window.shrink_to(7);
        assert_eq!(window.admits(7, epoch()), Admission::Full);
        window.shrink_to(0);
        assert_eq!(window.admits(0, epoch()), Admission::Now);
        assert!(window.is_strict());
    }

    #[test]
    fn a_window_that_has_shrunk_grows_again_but_not_beyond_what_there_is() {
        let mut window = window(4, 0, 0);
        window.shrink_to(1);
        for under_way in [1, 2, 3] {
            assert_eq!(window.admits(under_way, epoch()), Admission::Full);
            window.grow();
            assert_eq!(window.admits(under_way, epoch()), Admission::Now);
        }
        window.grow();
        assert_eq!(window.admits(4, epoch()), Admission::Full);
        window.shrink_for_good(4);
        window.grow();
        assert_eq!(window.admits(3, epoch()), Admission::Full);
    }

    #[test]
    fn an_interval_lies_between_two_beginnings() {
        let mut window = window(10, 50, 0);
        let start = epoch();
        window.began(start);
        let next = start + Duration::from_millis(50);
        assert_eq!(window.admits(1, start), Admission::At(next));
        assert_eq!(window.admits(1, next), Admission::Now);
    }

    #[test]
    fn the_longer_of_interval_and_rate_counts() {
        assert_eq!(window(1, 50, 100).gap, Duration::from_millis(50));
        assert_eq!(window(1, 5, 100).gap, Duration::from_millis(10));
    }

    #[test]
    fn a_high_rate_is_kept_by_several_at_a_time() {
        let mut window = window(1024, 0, 10_000);
        let begun: usize =
            (0..1000).map(|ms| begin_all(&mut window, epoch() + Duration::from_millis(ms))).sum();
        assert!((9_980..=10_001).contains(&begun), "{begun} in a second");
    }

    #[test]
    fn time_that_nobody_used_is_not_made_up_for() {
        let mut window = window(1024, 0, 1000);
        assert_eq!(begin_all(&mut window, epoch()), 1);
        let much_later = epoch() + Duration::from_secs(60);
        assert!(begin_all(&mut window, much_later) <= 4);
    }
}
