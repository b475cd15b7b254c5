//! Answers in the order of the questions, whatever order they come in.

use std::collections::VecDeque;

/// Answers by number, handed out from 0 without a gap.
#[derive(Debug)]
pub(super) struct Ledger<T> {
    /// The number that is handed out next.
    next: usize,
    held: VecDeque<Option<T>>,
    /// How many answers there are, handed out or held.
    entered: usize,
}

impl<T> Ledger<T> {
    pub(super) fn new() -> Self {
        Self { next: 0, held: VecDeque::new(), entered: 0 }
    }

    /// Enters the answer of this number, which has none yet.
    pub(super) fn enter(&mut self, number: usize, answer: T) {
        let Some(place) = number.checked_sub(self.next) else { return };
        if self.held.len() <= place {
            self.held.resize_with(place + 1, || None);
        }
        self.held[place] = Some(answer);
        self.entered += 1;
    }

    /// The next answer, if it has come.
    pub(super) fn take(&mut self) -> Option<T> {
        let answer = self.held.front_mut()?.take()?;
        self.held.pop_front();
        self.next += 1;
        Some(answer)
    }

    /// The numbers below `end` that have no answer.
    pub(super) fn gaps(&self, end: usize) -> Vec<usize> {
        let has_none =
            |number: &usize| self.held.get(number - self.next).is_none_or(Option::is_none);
        (self.next..end).filter(has_none).collect()
    }

    /// How many answers there are, handed out or held.
    pub(super) fn entered(&self) -> usize {
        self.entered
    }

    /// How many have been handed out.
    pub(super) fn taken(&self) -> usize {
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn whatever_order_they_come_in_they_leave_in_theirs(
            order in Just((0..50).collect::<Vec<usize>>()).prop_shuffle()
        ) {
            let mut ledger = Ledger::new();
            let mut left = Vec::new();
            for number in order {
                ledger.enter(number, number);
                left.extend(std::iter::from_fn(|| ledger.take()));
                prop_assert_eq!(ledger.taken(), left.len());
            }
            prop_assert_eq!(left, (0..50).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_gap_holds_back_what_is_behind_it() {
        let mut ledger = Ledger::new();
        ledger.enter(1, 'b');
        assert_eq!(ledger.take(), None);
        assert_eq!((ledger.gaps(4), ledger.entered()), (vec![0, 2, 3], 1));
        ledger.enter(0, 'a');
        assert_eq!((ledger.take(), ledger.take(), ledger.take()), (Some('a'), Some('b'), None));
    }
}
