//! How far a relay is: what is said of it, and what that is reckoned from. No clock, no descriptors.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::units::{self, clock, per_second, rate, size, whole};

/// What has been reached at some moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Reached {
    pub(super) sent: u64,
    pub(super) received: u64,
    /// How far the file that is sent has been read, and how long it is.
    pub(super) file: Option<(u64, u64)>,
}

/// The last few seconds, and the beginning.
#[derive(Debug)]
pub(super) struct Course {
    began: Instant,
    from: Reached,
    /// The oldest in front; never empty.
    lately: VecDeque<(Instant, Reached)>,
}

impl Course {
    pub(super) fn new(began: Instant, from: Reached) -> Self {
        Self { began, from, lately: VecDeque::from([(began, from)]) }
    }

    /// Something has moved since it was last noted.
    pub(super) fn note(&mut self, now: Instant, reached: Reached) -> bool {
        while self.lately.len() > 1
            && self.lately.front().is_some_and(|(at, _)| now.duration_since(*at) > RECENT)
        {
            self.lately.pop_front();
        }
        let moved = self.lately.back().is_none_or(|(_, last)| *last != reached);
        self.lately.push_back((now, reached));
        moved
    }

    /// The line, as of what was last noted. What matters most comes first, for a narrow terminal cuts the
    /// rest off.
    pub(super) fn words(&self, sessions: usize) -> String {
        let (Some((now, reached)), Some((then, before))) =
            (self.lately.back(), self.lately.front())
        else {
            return String::new();
        };
        let (spent, window) = (now.duration_since(self.began), now.duration_since(*then));
        let mut parts = Vec::new();
        if sessions > 1 {
            parts.push(format!("{sessions} sessions"));
        }
        if let (Some(file), Some(before), Some(from)) = (reached.file, before.file, self.from.file)
        {
            parts.extend(percent(file, from).map(|percent| format!("{percent}%")));
            parts.extend(time_left(file, before, window));
        }
        parts.push(format!("{} so far", clock(spent)));
        let way = |name, count: u64, lately: u64| {
            let (now, mean) = (per_second(lately, window), per_second(count, spent));
            format!("{name} {}, {} (mean {})", size(count), rate(now), rate(mean))
        };
        let since = |reached: u64, from: u64| reached.saturating_sub(from);
        let ways = [
            ("sent", since(reached.sent, self.from.sent), since(reached.sent, before.sent)),
            (
                "received",
                since(reached.received, self.from.received),
                since(reached.received, before.received),
            ),
        ];
        let mut line = parts.join(", ");
        for (name, count, lately) in ways.into_iter().filter(|(_, count, _)| *count > 0) {
            line += "; ";
            line += &way(name, count, lately);
        }
        line
    }
}

/// How much of what there was to send has been read, rounded down. A file without anything has no parts.
fn percent((position, length): (u64, u64), (start, _): (u64, u64)) -> Option<u64> {
    let (done, all) = (position.saturating_sub(start), length.saturating_sub(start));
    match all {
        0 => None,
        // It may have become shorter.
        _ => Some(whole(u128::from(done) * 100 / u128::from(all)).min(100)),
    }
}

/// How long the rest takes if it goes on as it went lately.
fn time_left(
    (position, length): (u64, u64),
    (before, _): (u64, u64),
    window: Duration,
) -> Option<String> {
    let (rest, lately) = (length.saturating_sub(position), position.saturating_sub(before));
    match (rest, lately) {
        (0, _) => None,
        (_, 0) => Some("stalled".to_owned()),
        (rest, lately) => {
            let micros = u128::from(rest) * window.as_micros() / u128::from(lately);
            let left = Duration::from_micros(whole(micros));
            // Beyond this nobody believes it.
            Some(if left > LONGEST { "days left".to_owned() } else { units::time_left(left) })
        }
    }
}

/// What "lately" is: long enough to be read, short enough to show that something has changed.
const RECENT: Duration = Duration::from_secs(3);

const LONGEST: Duration = Duration::from_secs(100 * 3600);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::epoch;

    const MIB: u64 = 1 << 20;

    fn at(tenths: u64) -> Instant {
        epoch() + Duration::from_millis(100 * tenths)
    }

    fn sent(sent: u64, file: (u64, u64)) -> Reached {
        Reached { sent, received: 0, file: Some(file) }
    }

    #[test]
    fn a_file_has_a_part_and_an_end() {
        let mut course = Course::new(at(0), sent(0, (0, 100 * MIB)));
        assert!(course.note(at(10), sent(20 * MIB, (20 * MIB, 100 * MIB))));
        assert_eq!(
            course.words(1),
            "20%, 0:04 left, 0:01 so far; sent 20.0 MiB, 20.0 MiB/s (mean 20.0 MiB/s)"
        );
    }

    #[test]
    fn what_was_skipped_of_a_file_does_not_count() {
        let mut course = Course::new(at(0), sent(0, (90, 100)));
        course.note(at(10), sent(5, (95, 100)));
        assert!(course.words(1).starts_with("50%, 0:01 left, "), "{}", course.words(1));
    }

    #[test]
    fn a_file_grows_and_shrinks() {
        let mut course = Course::new(at(0), sent(0, (0, 100)));
        course.note(at(10), sent(50, (50, 200)));
        assert!(course.words(1).starts_with("25%, 0:03 left, "), "{}", course.words(1));
        course.note(at(20), sent(150, (150, 100)));
        assert!(course.words(1).starts_with("100%, 0:02 so far; "), "{}", course.words(1));
    }

    #[test]
    fn an_empty_file_has_no_parts() {
        let mut course = Course::new(at(0), sent(0, (0, 0)));
        assert!(!course.note(at(10), sent(0, (0, 0))), "nothing has moved");
        assert_eq!(course.words(1), "0:01 so far");
    }

    #[test]
    fn what_stands_still_is_said_to() {
        let mut course = Course::new(at(0), sent(0, (0, 100)));
        course.note(at(5), sent(50, (50, 100)));
        for tenths in [10, 20, 30, 40] {
            assert_eq!(course.note(at(tenths), sent(50, (50, 100))), tenths == 0);
        }
        assert_eq!(
            course.words(1),
            "50%, stalled, 0:04 so far; sent 50 bytes, 0 B/s (mean 12 B/s)"
        );
    }

    #[test]
    fn a_rate_changes_sooner_than_its_mean() {
        let mut course = Course::new(at(0), Reached::default());
        let received = |received| Reached { received, ..Reached::default() };
        course.note(at(10), received(1000));
        course.note(at(90), received(1000));
        course.note(at(100), received(2000));
        course.note(at(101), received(2100));
        assert_eq!(course.words(1), "0:10 so far; received 2.05 KiB, 1000 B/s (mean 207 B/s)");
    }

    #[test]
    fn both_directions_and_all_sessions_count() {
        let mut course = Course::new(at(0), Reached { sent: 5, received: 7, file: None });
        course.note(at(20), Reached { sent: 5 + MIB, received: 8, file: None });
        assert_eq!(
            course.words(3),
            "3 sessions, 0:02 so far; sent 1.00 MiB, 512 KiB/s (mean 512 KiB/s); \
             received 1 byte, 0 B/s (mean 0 B/s)"
        );
    }

    #[test]
    fn the_largest_numbers_fit() {
        let mut course = Course::new(at(0), sent(0, (0, u64::MAX)));
        course.note(at(10), sent(u64::MAX, (1, u64::MAX)));
        assert_eq!(
            course.words(1),
            "0%, days left, 0:01 so far; sent 15.9 EiB, 15.9 EiB/s (mean 15.9 EiB/s)"
        );
    }
}
