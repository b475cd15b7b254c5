//! Deadlines in order.
//!
//! A list in the order of instant and sequence number: its first one is the poll timeout, cancelling is
//! exact, and timers of the same instant fire in the order they were set. There are a few timers per
//! connection and nobody sets one per byte (see `Report::deadline` in `session`). Most are set for later
//! than all others, and stand at the end at once; the others are searched for by halves, and make room.
//! A `BTreeMap` would do the same with nearly 7 KiB more of code.

use std::collections::VecDeque;
use std::time::Instant;

/// Names a timer until it fires or is cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimerId {
    at: Instant,
    sequence: u64,
}

impl TimerId {
    /// When it fires.
    #[must_use]
    pub fn at(self) -> Instant {
        self.at
    }
}

/// Timers that have not fired yet.
#[derive(Debug)]
pub(super) struct Timers<T> {
    /// In the order of their names.
    pending: VecDeque<(TimerId, T)>,
    sequence: u64,
}

impl<T> Timers<T> {
    /// No timer set.
    #[must_use]
    pub(super) const fn new() -> Self {
        Self { pending: VecDeque::new(), sequence: 0 }
    }

    /// Sets a timer; one in the past fires on the next turn.
    pub(super) fn set(&mut self, at: Instant, tag: T) -> TimerId {
        self.sequence += 1;
        let id = TimerId { at, sequence: self.sequence };
        let place = self.pending.partition_point(|(other, _)| *other < id);
        self.pending.insert(place, (id, tag));
        id
    }

    /// Takes a timer back; nothing happens if it has been taken out.
    pub(super) fn cancel(&mut self, id: TimerId) {
        if let Ok(place) = self.pending.binary_search_by_key(&id, |(other, _)| *other) {
            self.pending.remove(place);
        }
    }

    /// The next deadline.
    #[must_use]
    pub(super) fn next(&self) -> Option<Instant> {
        self.pending.front().map(|(id, _)| id.at)
    }

    /// Takes out the earliest timer that is due at `now`.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<(TimerId, T)> {
        if self.next()? <= now { self.pending.pop_front() } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    proptest! {
        /// Against the obvious model, a list sorted by deadline and then by age.
        #[test]
        fn timers_fire_in_order_and_only_if_due(steps in prop::collection::vec((0u8..4, 0u64..20), 0..200)) {
            let start = crate::testing::epoch();
            let mut timers = Timers::new();
            let mut model: Vec<(TimerId, usize)> = Vec::new();
            let mut now = start;
            for (tag, (step, amount)) in steps.into_iter().enumerate() {
                match step {
                    0 | 1 => {
                        let id = timers.set(now + Duration::from_millis(amount), tag);
                        model.push((id, tag));
                        model.sort_unstable();
                    }
                    2 if !model.is_empty() => {
                        let gone = usize::try_from(amount).expect("small") % model.len();
                        timers.cancel(model.remove(gone).0);
                    }
                    _ => {
                        now += Duration::from_millis(amount);
                        let due = model.iter().take_while(|(id, _)| id.at() <= now).count();
                        let expected: Vec<_> = model.drain(..due).map(|(_, tag)| tag).collect();
                        let fired: Vec<_> = std::iter::from_fn(|| timers.pop_due(now)).map(|(_, tag)| tag).collect();
                        prop_assert_eq!(fired, expected);
                    }
                }
                prop_assert_eq!(timers.next(), model.first().map(|(id, _)| id.at()));
            }
        }
    }
}
