//! What time has to do with a flow: time between lines (`-i`), and bytes in a time (`--limit-rate`).
//!
//! Owns: when either gate opens again. Must not know: clocks and timers; it is told what time it is, and
//! whoever pumps the flow sees to it that somebody comes back.

use std::num::NonZeroU64;
use std::time::{Duration, Instant};

/// A gate for lines on their way out: one that has left closes it for a while.
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

/// A gate for bytes on their way in: a token bucket, which is empty at first.
///
/// Whatever is taken when it is open, within any time `t` no more than `rate * (t + 100 ms)` bytes pass,
/// and since the beginning no more than `rate * t`; a datagram, which cannot be taken in part, may go over
/// that once and is paid for afterwards. Below 10 bytes a second it is one byte and not 100 ms' worth.
#[derive(Clone, Debug)]
pub struct Rate {
    per_second: u64,
    /// The time up to which has been used by what was taken. The bucket holds what comes in from then on.
    used_to: Instant,
}

impl Rate {
    /// The largest rate, in bytes a second, that can be reckoned with: 64 GiB.
    pub const LARGEST: u64 = 64 << 30;

    /// A gate that passes at most so many bytes a second, [`Rate::LARGEST`] at most.
    #[must_use]
    pub fn new(per_second: NonZeroU64, now: Instant) -> Self {
        Self { per_second: per_second.get().min(Self::LARGEST), used_to: now }
    }

    /// When the gate opens: not for each byte, which would cost a turn of the loop, but for 10 ms' worth.
    #[must_use]
    pub fn opens_at(&self) -> Instant {
        self.used_to + self.time_of((self.per_second / 100).max(1))
    }

    /// Bytes that may be taken; 0 as long as the gate is closed.
    #[must_use]
    pub fn allows(&self, now: Instant) -> usize {
        if now < self.opens_at() {
            return 0;
        }
        let time = now.saturating_duration_since(self.used_to).min(self.most_saved());
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        usize::try_from(self.per_second * nanos / SECOND).unwrap_or(usize::MAX)
    }

    /// Bytes were taken. What had been saved up beyond the bound is gone.
    pub fn took(&mut self, bytes: usize, now: Instant) {
        let oldest = now.checked_sub(self.most_saved()).unwrap_or(self.used_to);
        self.used_to = self.used_to.max(oldest) + self.time_of(bytes as u64);
    }

    fn most_saved(&self) -> Duration {
        BURST.max(self.time_of(1))
    }

    /// How long so many bytes take, rounded up.
    fn time_of(&self, bytes: u64) -> Duration {
        Duration::from_nanos(bytes.saturating_mul(SECOND).div_ceil(self.per_second))
    }
}

const SECOND: u64 = 1_000_000_000;

/// What may be saved up while nothing comes.
const BURST: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::epoch;
    use proptest::prelude::*;

    fn rate(per_second: u64) -> Rate {
        Rate::new(NonZeroU64::new(per_second).expect("not 0"), epoch())
    }

    #[test]
    fn a_line_is_what_ends_in_a_line_feed_or_all_there_is() {
        assert_eq!(Pace::line(b"a\nb\n"), b"a\n");
        assert_eq!(Pace::line(b"a"), b"a");
        assert_eq!(Pace::line(b"\n\n"), b"\n");
        assert_eq!(Pace::line(b""), b"");
    }

    #[test]
    fn a_rate_is_closed_at_first_and_opens_for_10_ms_worth() {
        let rate = rate(1_000_000);
        let opens = epoch() + Duration::from_millis(10);
        assert_eq!(rate.opens_at(), opens);
        assert_eq!(rate.allows(epoch() + Duration::from_nanos(9_999_999)), 0);
        assert_eq!(rate.allows(opens), 10_000);
    }

    #[test]
    fn silence_saves_up_100_ms_worth_and_no_more() {
        let mut rate = rate(1_000_000);
        let later = epoch() + Duration::from_secs(3600);
        assert_eq!(rate.allows(later), 100_000);
        rate.took(99_000, later);
        assert_eq!(rate.allows(later), 0, "1 ms' worth opens no gate");
        assert_eq!(rate.opens_at(), later + Duration::from_millis(9));
    }

    #[test]
    fn the_slowest_gate_lets_a_byte_through_each_second() {
        let mut rate = rate(1);
        for second in 1..10 {
            let now = epoch() + Duration::from_secs(second);
            assert_eq!(rate.allows(epoch() + Duration::from_nanos(second * SECOND - 1)), 0);
            assert_eq!(rate.allows(now), 1);
            rate.took(1, now);
        }
    }

    #[test]
    fn the_fastest_gate_reckons_without_overflow() {
        let mut rate = rate(u64::MAX);
        let now = epoch() + Duration::from_secs(1);
        assert_eq!(rate.allows(now) as u64, Rate::LARGEST / 10);
        rate.took(usize::MAX, now);
        assert_eq!(rate.allows(now), 0);
    }

    #[test]
    fn a_datagram_that_goes_over_is_paid_for() {
        let mut rate = rate(1000);
        let now = epoch() + Duration::from_millis(10);
        rate.took(2000, now);
        assert_eq!(rate.opens_at(), epoch() + Duration::from_millis(2010));
    }

    proptest! {
        /// Whoever takes all that is allowed gets what the rate promises: never more and, unless it comes
        /// so late that the bucket runs over, hardly less.
        #[test]
        fn no_more_passes_than_the_rate_allows_and_hardly_less(
            per_second in prop_oneof![1u64..100_000, 1u64..=Rate::LARGEST],
            pauses in prop::collection::vec(0u64..80_000_000, 1..200),
        ) {
            let (mut rate, mut now, mut taken) = (rate(per_second), epoch(), 0u128);
            for pause in pauses {
                now += Duration::from_nanos(pause);
                let allowed = rate.allows(now);
                rate.took(allowed, now);
                taken += allowed as u128;
                let nanos = (now - epoch()).as_nanos();
                let promised = u128::from(per_second) * nanos / u128::from(SECOND);
                prop_assert!(taken <= promised, "{taken} of {promised}");
                // Held back at the gate: 10 ms' worth or a byte. Rounding: a nanosecond for each taking.
                let open = u128::from(per_second / 100 + 1) + u128::from(per_second) * 200 / u128::from(SECOND) + 1;
                prop_assert!(per_second < 1000 || taken + open >= promised, "{taken} of {promised}");
            }
        }
    }
}
