//! Deadlines in order.
//!
//! A `BTreeMap` keyed by instant and sequence number: its first key is the poll timeout, cancelling is
//! exact, and timers of the same instant fire in the order they were set. There are a few timers per
//! connection and nobody sets one per byte (see `Report::deadline` in `session`), so O(log n) is
//! cheaper than the bookkeeping of a timer wheel.

use std::collections::BTreeMap;
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
    pending: BTreeMap<TimerId, T>,
    sequence: u64,
}

impl<T> Timers<T> {
    /// No timer set.
    #[must_use]
    pub(super) const fn new() -> Self {
        Self { pending: BTreeMap::new(), sequence: 0 }
    }

    /// Sets a timer; one in the past fires on the next turn.
    pub(super) fn set(&mut self, at: Instant, tag: T) -> TimerId {
        self.sequence += 1;
        let id = TimerId { at, sequence: self.sequence };
        self.pending.insert(id, tag);
        id
    }

    /// Takes a timer back; nothing happens if it has been taken out.
    pub(super) fn cancel(&mut self, id: TimerId) {
        self.pending.remove(&id);
    }

    /// The next deadline.
    #[must_use]
    pub(super) fn next(&self) -> Option<Instant> {
        self.pending.keys().next().map(|id| id.at)
    }

    /// Takes out the earliest timer that is due at `now`.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<(TimerId, T)> {
        let first = self.pending.first_entry()?;
        if first.key().at <= now { Some(first.remove_entry()) } else { None }
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
