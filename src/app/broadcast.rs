//! One stdin for many sessions: a bounded stretch of it, and how far each session has read.
//!
//! Owns: the bytes between the slowest session and the newest byte. Must not know: sessions. Positions
//! count bytes since the start of stdin. What a session has not taken is kept for it; what *nobody* has
//! taken when the last session leaves is kept for the next one, so no client loses what was typed before
//! it came and after everybody else had gone.

use std::collections::VecDeque;
use std::io;

use crate::nonblock::{Attempt, ByteSource};

/// The shared stretch of stdin.
#[derive(Debug, Default)]
pub(super) struct Broadcast {
    held: VecDeque<u8>,
    /// Position of the first byte held.
    start: u64,
    /// The furthest any session has read.
    taken: u64,
    ended: bool,
}

impl Broadcast {
    /// Where a new session starts.
    pub(super) fn position_for_newcomer(&self) -> u64 {
        self.taken
    }

    /// Position behind the newest byte.
    pub(super) fn head(&self) -> u64 {
        self.start + self.held.len() as u64
    }

    /// stdin has no more to give.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// A session at this position would find something: bytes, or the end.
    pub(super) fn is_readable_at(&self, position: u64) -> bool {
        position < self.head() || self.has_ended()
    }

    /// No more can be held until the slowest session has read on.
    pub(super) fn is_full(&self) -> bool {
        self.held.len() >= HELD
    }

    /// Forgets what every session has read.
    pub(super) fn forget_before(&mut self, slowest: u64) {
        let forgotten = slowest.min(self.taken).saturating_sub(self.start);
        let forgotten = usize::try_from(forgotten).unwrap_or(usize::MAX).min(self.held.len());
        self.held.drain(..forgotten);
        self.start += forgotten as u64;
    }

    /// Reads from stdin once. An error ends stdin too.
    pub(super) fn fill(&mut self, input: &mut impl ByteSource) -> io::Result<Attempt> {
        let mut chunk = [0; CHUNK];
        let room = CHUNK.min(HELD - self.held.len());
        let attempt = input.try_read(&mut chunk[..room]);
        match attempt {
            Ok(Attempt::Moved(n)) => self.held.extend(&chunk[..n]),
            Ok(Attempt::Blocked) => {}
            Ok(Attempt::Ended) | Err(_) => self.ended = true,
        }
        attempt
    }

    /// Reads at a session's position and moves it on.
    fn read(&mut self, position: &mut u64, into: &mut [u8]) -> Attempt {
        debug_assert!(*position >= self.start);
        let skip = usize::try_from(*position - self.start).unwrap_or(usize::MAX);
        let (front, back) = self.held.as_slices();
        let piece = match front.get(skip..) {
            Some(rest) if !rest.is_empty() => rest,
            _ => back.get(skip - front.len()..).unwrap_or_default(),
        };
        if piece.is_empty() {
            return if self.has_ended() { Attempt::Ended } else { Attempt::Blocked };
        }
        let n = piece.len().min(into.len());
        into[..n].copy_from_slice(&piece[..n]);
        *position += n as u64;
        self.taken = self.taken.max(*position);
        Attempt::Moved(n)
    }
}

/// stdin as one of several sessions sees it.
#[derive(Debug)]
pub(super) struct Share<'a> {
    pub(super) of: &'a mut Broadcast,
    pub(super) position: &'a mut u64,
}

impl ByteSource for Share<'_> {
    fn try_read(&mut self, into: &mut [u8]) -> io::Result<Attempt> {
        Ok(self.of.read(self.position, into))
    }
}

/// Bytes held for the slowest session, as much as a pipe holds; with the session's own buffer and the
/// kernel's this is how far clients can drift apart.
const HELD: usize = 64 * 1024;

/// Bytes read from stdin at a time.
const CHUNK: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    struct Ticking(u8);

    impl ByteSource for Ticking {
        fn try_read(&mut self, into: &mut [u8]) -> io::Result<Attempt> {
            for byte in &mut *into {
                *byte = self.0;
                self.0 = self.0.wrapping_add(1);
            }
            Ok(Attempt::Moved(into.len()))
        }
    }

    #[test]
    fn bytes_that_nobody_took_are_kept_for_the_next_session() {
        let mut broadcast = Broadcast::default();
        broadcast.fill(&mut Ticking(0)).expect("fill");
        let mut first = broadcast.position_for_newcomer();
        assert_eq!(broadcast.read(&mut first, &mut [0; 5]), Attempt::Moved(5));
        broadcast.forget_before(u64::MAX);
        let mut second = broadcast.position_for_newcomer();
        let mut byte = [0];
        assert_eq!(broadcast.read(&mut second, &mut byte), Attempt::Moved(1));
        assert_eq!(byte, [5]);
    }

    #[test]
    fn the_end_comes_after_the_last_byte() {
        let mut broadcast = Broadcast::default();
        let mut position = 0;
        assert!(!broadcast.is_readable_at(position));
        assert_eq!(broadcast.read(&mut position, &mut [0; 5]), Attempt::Blocked);
        broadcast.fill(&mut crate::testing::Ended).expect("end");
        assert!(broadcast.is_readable_at(position));
        assert_eq!(broadcast.read(&mut position, &mut [0; 5]), Attempt::Ended);
    }

    proptest! {
        /// Every session reads the same stream from where it joined, and the memory is bounded.
        #[test]
        fn every_session_reads_every_byte(steps in prop::collection::vec((0usize..5, 1usize..20_000), 1..120)) {
            let mut broadcast = Broadcast::default();
            let mut source = Ticking(0);
            let mut positions = vec![broadcast.position_for_newcomer()];
            for (who, amount) in steps {
                if who == 0 {
                    broadcast.forget_before(positions.iter().copied().min().expect("not empty"));
                    if !broadcast.is_full() {
                        broadcast.fill(&mut source).expect("fill");
                    }
                } else if who == 1 && positions.len() < 5 {
                    positions.push(broadcast.position_for_newcomer());
                } else {
                    let chosen = who % positions.len();
                    let position = &mut positions[chosen];
                    let before = *position;
                    let mut into = vec![0; amount];
                    if let Attempt::Moved(n) = broadcast.read(position, &mut into) {
                        prop_assert_eq!(*position, before + n as u64);
                        let expected = (before..*position).map(|at| at.to_le_bytes()[0]);
                        prop_assert!(into[..n].iter().copied().eq(expected));
                    } else {
                        prop_assert_eq!(before, broadcast.head());
                    }
                }
                prop_assert!(broadcast.held.len() <= HELD);
            }
        }
    }
}
