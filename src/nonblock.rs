//! The words every layer shares about nonblocking bytes: one attempt, the two ends of a flow, a
//! bounded buffer, and how bytes pass without being seen.
//!
//! Owns: what `EINTR` and `WouldBlock` mean for bytes. Above it a call has moved some, was blocked, or found
//! the end; an `io::Error` that gets through is a real failure. Of calls that move none, whoever makes them
//! knows it, in `sys` and at the poll: nobody above those two hears of either errno, and a test in
//! `places.rs` reads the sources for it.
//! Must not know: reactor, sockets, sessions. It makes no call itself.
//! Read next: `flow`, which is built from nothing but these.

mod outbox;
mod splicing;

use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use crate::mistakes::{Mistake, made};
pub use outbox::Outbox;
pub use splicing::{Conduit, PIPE, PipeEnd, Spliced, Splicing};

/// What one nonblocking call did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// So many bytes were moved. 0 only where an empty datagram was read.
    Moved(usize),
    /// Nothing can be moved now: the kernel said `EAGAIN`. Only this clears a readiness bit.
    Blocked,
    /// Reading only: end of file.
    Ended,
}

impl Attempt {
    /// Makes an attempt of a read(2)-like call. A signal that interrupts it is not an event.
    ///
    /// # Errors
    /// Whatever `read` fails with, but for `Interrupted` and `WouldBlock`.
    pub fn to_read(mut read: impl FnMut() -> io::Result<usize>) -> io::Result<Self> {
        loop {
            match read() {
                Ok(0) if !made(Mistake::ZeroIsData) => return Ok(Self::Ended),
                Ok(n) => return Ok(Self::Moved(n)),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(Self::Blocked),
                Err(e) => return Err(e),
            }
        }
    }

    /// Makes an attempt of a write(2)-like call on at least one byte; never [`Attempt::Ended`].
    ///
    /// # Errors
    /// Whatever `write` fails with, but for `Interrupted` and `WouldBlock`; `WriteZero` where
    /// nothing was taken and no reason given.
    pub fn to_write(mut write: impl FnMut() -> io::Result<usize>) -> io::Result<Self> {
        loop {
            match write() {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => return Ok(Self::Moved(n)),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(Self::Blocked),
                Err(e) => return Err(e),
            }
        }
    }
}

/// Where a flow takes bytes from.
pub trait ByteSource {
    /// Reads at most `into.len()` bytes (at least 1) without ever waiting.
    ///
    /// # Errors
    /// The source is broken; what was read before stays valid.
    fn try_read(&mut self, into: &mut [u8]) -> io::Result<Attempt>;

    /// What the kernel can do with this end. Asked once, when bytes turn out to come in bulk, and the
    /// time to get ready for it.
    fn begin_splicing(&mut self) -> Splicing {
        Splicing::Never
    }

    /// Has the kernel move at most `most` bytes into a pipe without ever waiting, splice(2).
    ///
    /// # Errors
    /// The source is broken, or it is `BrokenPipe`: nobody reads from the pipe any more.
    fn splice_into(&mut self, _pipe: &dyn PipeEnd, _most: usize) -> io::Result<Spliced> {
        Ok(Spliced::Refused)
    }

    /// A new pipe to have the kernel move the bytes through, where neither end is one. `None` where it has none
    /// to spare.
    fn conduit(&self) -> Option<Box<dyn Conduit>> {
        None
    }

    /// Bytes that a read would find now, as far as the kernel can tell, `FIONREAD`.
    fn waiting(&self) -> u64 {
        0
    }

    /// The source itself, if it is [`Splicing::Pipe`].
    fn as_pipe(&self) -> Option<&dyn PipeEnd> {
        None
    }
}

/// Where a flow brings bytes to.
pub trait ByteSink {
    /// Writes a prefix of `from` (not empty) without ever waiting.
    ///
    /// # Errors
    /// The sink is broken and takes nothing any more.
    fn try_write(&mut self, from: &[u8]) -> io::Result<Attempt>;

    /// See [`ByteSource::begin_splicing`].
    fn begin_splicing(&mut self) -> Splicing {
        Splicing::Never
    }

    /// Has the kernel move at most `most` bytes out of a pipe without ever waiting, splice(2).
    ///
    /// # Errors
    /// The sink is broken and takes nothing any more.
    fn splice_from(&mut self, _pipe: &dyn PipeEnd, _most: usize) -> io::Result<Spliced> {
        Ok(Spliced::Refused)
    }

    /// The sink itself, if it is [`Splicing::Pipe`].
    fn as_pipe(&self) -> Option<&dyn PipeEnd> {
        None
    }
}

/// A connection: both ends in one, with two directions that close apart from each other.
pub trait Wire: ByteSource + ByteSink {
    /// Reads without taking: the same bytes come again with the next read (`MSG_PEEK`).
    ///
    /// # Errors
    /// As [`ByteSource::try_read`].
    fn try_peek(&mut self, into: &mut [u8]) -> io::Result<Attempt>;

    /// Half-close: the peer reads an end of file once it has read all that was written,
    /// shutdown(2) with `SHUT_WR`.
    ///
    /// # Errors
    /// The connection is gone already; reading will tell why.
    fn shutdown_write(&mut self) -> io::Result<()>;

    /// What broke the connection, if the kernel has not said so yet: it tells once, `SO_ERROR` of
    /// socket(7).
    fn take_error(&mut self) -> Option<io::Error>;

    /// There is somebody to send to. A socket that waits for its first datagram has nobody yet.
    fn has_destination(&self) -> bool {
        true
    }

    /// When a write that was blocked is worth another attempt, where no event will tell.
    fn retry_at(&self) -> Option<Instant> {
        None
    }

    /// A session's turn begins at this time.
    fn begin_turn(&mut self, _now: Instant) {}

    /// Whom the last read has heard, where the wire stands for many; behind a read that moved something.
    fn heard_from(&self) -> Option<SocketAddr> {
        None
    }

    /// Who has what the last write took, where the wire stands for many; behind a write that moved something.
    fn given_to(&self) -> Vec<SocketAddr> {
        Vec::new()
    }
}

/// A bounded queue of bytes in one piece of memory, which is there from the first use until it is given
/// back: what holds nothing weighs next to nothing.
///
/// Reading appends at the back, writing takes from the front.
#[derive(Debug)]
pub struct Buffer {
    capacity: usize,
    memory: Option<Box<Memory>>,
}

#[derive(Debug, Default)]
struct Memory {
    /// What is allocated: nothing, then [`FIRST`], then all of the capacity.
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
    /// It was filled to its end, so more is likely to come.
    was_filled: bool,
}

impl Buffer {
    /// An empty buffer that will hold at most `capacity` bytes.
    #[must_use]
    pub const fn new(capacity: usize) -> Self {
        Self { capacity, memory: None }
    }

    /// Bytes held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.data().len()
    }

    /// No byte held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.data().is_empty()
    }

    /// The bytes held, oldest first.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        self.memory.as_deref().map_or(&[], |memory| &memory.bytes[memory.start..memory.end])
    }

    /// Room for more, all that there is in one piece. Where that is less than `wanted`, what is held
    /// moves to the front if that is cheap: no more bytes than have left since the last time. So each
    /// byte is copied at most once more, and the room may be less than wanted, or empty.
    pub fn spare(&mut self, wanted: usize) -> &mut [u8] {
        let memory = self.memory.get_or_insert_default();
        // Not while a stream's bytes wait for a slow sink: a thousand senders may wait for the same one. A
        // datagram that finds no room is worse than that.
        let is_promising = memory.was_filled && memory.start == memory.end;
        let is_short = wanted > 1 && memory.bytes.len() - memory.end < wanted;
        if memory.bytes.is_empty() || is_promising || is_short {
            memory.grow(wanted, self.capacity);
        }
        let Memory { bytes, start, end, .. } = &mut **memory;
        if bytes.len() - *end < wanted && *start > 0 && *start >= *end - *start {
            bytes.copy_within(*start..*end, 0);
            *end -= *start;
            *start = 0;
        }
        &mut bytes[*end..]
    }

    /// The first `n` bytes of [`Buffer::spare`] now hold data.
    pub fn filled(&mut self, n: usize) {
        let Some(memory) = &mut self.memory else { return };
        debug_assert!(memory.end + n <= memory.bytes.len());
        memory.end += n;
        memory.was_filled |= memory.end == memory.bytes.len();
    }

    /// The first `n` bytes of [`Buffer::data`] have been delivered.
    pub fn consume(&mut self, n: usize) {
        debug_assert!(n <= self.len());
        let Some(memory) = &mut self.memory else { return };
        memory.start += n;
        if memory.start == memory.end {
            memory.start = 0;
            memory.end = 0;
        }
    }

    /// Forgets what it holds and gives the memory back; says how many bytes that were.
    pub fn discard(&mut self) -> usize {
        let held = self.len();
        self.memory = None;
        held
    }
}

impl Memory {
    /// Memory is cleared before it is used, so whoever sends a line now and then should not pay for 64 KiB
    /// each time.
    fn grow(&mut self, wanted: usize, capacity: usize) {
        let size = if self.bytes.is_empty() { FIRST.max(wanted) } else { capacity };
        let size = size.min(capacity);
        if size > self.bytes.len() {
            let mut bytes = vec![0; size].into_boxed_slice();
            bytes[..self.end].copy_from_slice(&self.bytes[..self.end]);
            self.bytes = bytes;
        }
    }
}

/// Room of a buffer until it is filled for the first time. Debian's netcat reads as much at a time.
pub const FIRST: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    #[test]
    fn interrupted_calls_are_made_again() {
        let mut answers = vec![Ok(3), Err(io::ErrorKind::Interrupted.into())];
        assert_eq!(
            Attempt::to_read(|| answers.pop().expect("asked twice")).expect("no error"),
            Attempt::Moved(3)
        );
    }

    #[test]
    fn would_block_is_no_error_and_zero_means_two_things() {
        let blocked = || Err(io::ErrorKind::WouldBlock.into());
        assert_eq!(Attempt::to_read(blocked).expect("no error"), Attempt::Blocked);
        assert_eq!(Attempt::to_write(blocked).expect("no error"), Attempt::Blocked);
        assert_eq!(Attempt::to_read(|| Ok(0)).expect("no error"), Attempt::Ended);
        assert_eq!(
            Attempt::to_write(|| Ok(0)).expect_err("error").kind(),
            io::ErrorKind::WriteZero
        );
    }

    #[test]
    fn buffer_allocates_on_first_use_only() {
        let mut buffer = Buffer::new(8);
        assert!(buffer.memory.is_none());
        assert_eq!(buffer.spare(1).len(), 8);
    }

    #[test]
    fn buffer_grows_when_it_was_filled() {
        let mut buffer = Buffer::new(4 * FIRST);
        buffer.spare(1).fill(7);
        buffer.filled(FIRST - 1);
        assert_eq!(buffer.spare(1).len(), 1);
        buffer.filled(1);
        assert_eq!(buffer.spare(1).len(), 0, "what it holds waits for a sink");
        buffer.consume(FIRST);
        assert_eq!(buffer.spare(1).len(), 4 * FIRST);
        buffer.filled(1);
        buffer.discard();
        assert_eq!(buffer.spare(1).len(), FIRST);
        let mut datagrams = Buffer::new(4 * FIRST);
        assert_eq!(datagrams.spare(2 * FIRST).len(), 2 * FIRST);
        datagrams.filled(1);
        assert_eq!(datagrams.spare(2 * FIRST).len(), 4 * FIRST - 1);
    }

    proptest! {
        /// The buffer is a queue of bytes that never holds more than its capacity.
        #[test]
        fn buffer_is_a_bounded_queue(capacity in 1usize..40, steps in prop::collection::vec((any::<bool>(), 0usize..50), 0..200)) {
            let mut buffer = Buffer::new(capacity);
            let mut model = VecDeque::new();
            let mut next = 0u8;
            for (fill, n) in steps {
                if fill {
                    let room = buffer.spare(1);
                    let n = n.min(room.len());
                    for slot in &mut room[..n] {
                        *slot = next;
                        model.push_back(next);
                        next = next.wrapping_add(1);
                    }
                    buffer.filled(n);
                } else {
                    let n = n.min(buffer.len());
                    prop_assert!(buffer.data()[..n].iter().eq(model.drain(..n).collect::<Vec<_>>().iter()));
                    buffer.consume(n);
                }
                prop_assert_eq!(buffer.len(), model.len());
                prop_assert!(buffer.len() <= capacity);
                prop_assert!(!buffer.is_empty() || !buffer.spare(1).is_empty());
            }
            prop_assert!(buffer.data().iter().eq(model.iter()));
        }
    }
}
