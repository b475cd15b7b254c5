//! Bytes that were made here and wait for somebody to take them: growing at the back, a front that moves.

use zeroize::Zeroize;

/// See the module's own page. How much waits is bounded by whoever makes it.
#[derive(Debug, Default)]
pub struct Outbox {
    bytes: Vec<u8>,
    /// How many of them have left.
    gone: usize,
}

impl Outbox {
    /// What waits, oldest first.
    #[must_use]
    pub fn waiting(&self) -> &[u8] {
        &self.bytes[self.gone..]
    }

    /// Bytes that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len() - self.gone
    }

    /// Nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The back, for whoever appends. What stands in front of it is nobody's business.
    pub fn back(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// The first `n` bytes that waited have been taken. Those left move up when they are no more than have gone,
    /// so a byte is moved once at most for each that leaves.
    pub fn took(&mut self, n: usize) {
        debug_assert!(n <= self.len());
        self.gone += n;
        if self.gone >= self.len() {
            self.bytes.drain(..self.gone);
            self.gone = 0;
        }
    }

    /// As [`Outbox::took`], of what may be a secret: what has gone is overwritten, and what is left does not move.
    pub fn took_secret(&mut self, n: usize) {
        debug_assert!(n <= self.len());
        self.bytes[self.gone..self.gone + n].zeroize();
        self.gone += n;
        if self.is_empty() {
            self.clear();
        }
    }

    /// Overwrites everything: there may be a secret in it.
    pub fn wipe(&mut self) {
        self.bytes.zeroize();
        self.gone = 0;
    }

    /// Drops what waits.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.gone = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_was_put_in_comes_out_in_order(
            steps in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..20), 0usize..30, any::<bool>()), 0..50),
        ) {
            let (mut outbox, mut model) = (Outbox::default(), VecDeque::new());
            for (pushed, taken, is_secret) in steps {
                outbox.back().extend(&pushed);
                model.extend(pushed);
                let taken = taken.min(model.len());
                if is_secret { outbox.took_secret(taken) } else { outbox.took(taken) }
                model.drain(..taken);
                prop_assert_eq!(outbox.waiting(), &*model.make_contiguous());
                prop_assert_eq!((outbox.len(), outbox.is_empty()), (model.len(), model.is_empty()));
            }
        }
    }

    #[test]
    fn a_reader_that_never_catches_up_costs_no_more_than_what_waits() {
        let mut outbox = Outbox::default();
        outbox.back().extend([0; 10]);
        for _ in 0..1000 {
            outbox.back().extend([0; 10]);
            outbox.took(10);
        }
        assert!(outbox.back().capacity() < 100, "{}", outbox.back().capacity());
    }

    #[test]
    fn a_secret_that_has_gone_is_gone() {
        let mut outbox = Outbox::default();
        outbox.back().extend(b"password, and more");
        outbox.took_secret(8);
        assert_eq!(outbox.waiting(), b", and more");
        assert_eq!(outbox.back()[..8], [0; 8]);
        outbox.wipe();
        assert!(outbox.is_empty() && outbox.back().spare_capacity_mut().len() >= 18);
    }
}
