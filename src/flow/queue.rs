//! What a flow holds between its source and its sink: a stretch of bytes, or datagrams.
//!
//! Owns: the bounds, and where one datagram ends and the next begins. Must not know: who fills it and
//! who empties it.
//!
//! A stream has no boundaries: whatever is held may leave in one write. A datagram leaves whole and
//! alone: two reads of stdin never become one datagram, and a datagram that is received always finds
//! room for all of it, for the kernel cuts off what does not fit (udp(7)).

use std::collections::VecDeque;

use crate::datagram::LARGEST;
use crate::nonblock::Buffer;

/// Bytes on their way.
#[derive(Debug)]
pub enum Queue {
    /// A stream. It is read only while so many bytes fit at least: 1, or the largest datagram.
    Stream {
        /// The bytes.
        buffer: Buffer,
        /// How much must fit.
        least_room: usize,
    },
    /// Datagrams to be.
    Packets(Box<Packets>),
}

impl Queue {
    /// For bytes without boundaries.
    #[must_use]
    pub fn stream() -> Self {
        Self::Stream { buffer: Buffer::new(BUFFER), least_room: 1 }
    }

    /// For received datagrams of at most so many bytes, which leave as a stream.
    #[must_use]
    pub fn received(largest: usize) -> Self {
        Self::Stream { buffer: Buffer::new(3 * largest), least_room: largest }
    }

    /// For a stream that leaves as datagrams.
    #[must_use]
    pub fn packets(framing: Framing) -> Self {
        Self::Packets(Box::new(Packets {
            buffer: Buffer::new(2 * LARGEST),
            framing,
            sizes: VecDeque::new(),
            open: 0,
        }))
    }

    /// Bytes and nothing else: no boundary matters.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        match self {
            Self::Stream { least_room, .. } => *least_room == 1,
            Self::Packets(_) => false,
        }
    }

    /// Each write is a datagram.
    pub(super) fn makes_datagrams(&self) -> bool {
        match self {
            Self::Stream { .. } => false,
            Self::Packets(_) => true,
        }
    }

    /// How much room one read of the source must find, if it is to lose nothing: 1, or the largest datagram.
    #[must_use]
    pub fn least_room(&self) -> usize {
        match self {
            Self::Stream { least_room, .. } => *least_room,
            Self::Packets(_) => 1,
        }
    }

    /// No byte held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.buffer().is_empty()
    }

    /// Bytes held.
    #[must_use]
    pub fn held(&self) -> usize {
        self.buffer().len()
    }

    /// Room for what is read next; empty: no more may be read now.
    pub fn room(&mut self) -> &mut [u8] {
        match self {
            Self::Stream { buffer, least_room } => {
                let room = buffer.spare(*least_room);
                if room.len() < *least_room { &mut [] } else { room }
            }
            Self::Packets(packets) => packets.room(),
        }
    }

    /// One read has put `n` bytes into the room.
    pub fn filled(&mut self, n: usize) {
        match self {
            Self::Stream { buffer, .. } => buffer.filled(n),
            Self::Packets(packets) => packets.filled(n),
        }
    }

    /// No more is read: what was kept back for a boundary leaves as it is.
    pub fn ended(&mut self) {
        match self {
            Self::Stream { .. } => {}
            Self::Packets(packets) => packets.close(),
        }
    }

    /// What may be written in one call; empty: nothing may be, now.
    #[must_use]
    pub fn front(&self) -> &[u8] {
        match self {
            Self::Stream { buffer, .. } => buffer.data(),
            Self::Packets(packets) => packets.front(),
        }
    }

    /// One write has taken the first `n` bytes of the front.
    pub fn consume(&mut self, n: usize) {
        match self {
            Self::Stream { buffer, .. } => buffer.consume(n),
            Self::Packets(packets) => packets.consume(n),
        }
    }

    /// Gives the memory back if nothing is held.
    pub fn release_if_empty(&mut self) {
        if self.is_empty() {
            self.discard();
        }
    }

    /// Forgets everything; says how many bytes that were.
    pub fn discard(&mut self) -> usize {
        match self {
            Self::Stream { buffer, .. } => buffer.discard(),
            Self::Packets(packets) => packets.discard(),
        }
    }

    fn buffer(&self) -> &Buffer {
        match self {
            Self::Stream { buffer, .. } => buffer,
            Self::Packets(packets) => &packets.buffer,
        }
    }
}

/// Where a stream is cut into datagrams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Each read is one datagram of at most so many bytes.
    Read(usize),
    /// Each line is one datagram, with its line feed, and longer ones are cut.
    Line(usize),
}

impl Framing {
    /// The same with room for so many bytes in a datagram.
    #[must_use]
    pub fn at_least(self, bytes: usize) -> Self {
        match self {
            Self::Read(most) => Self::Read(most.max(bytes)),
            Self::Line(most) => Self::Line(most.max(bytes)),
        }
    }

    fn most(self) -> usize {
        match self {
            Self::Read(most) | Self::Line(most) => most.clamp(1, LARGEST),
        }
    }
}

/// Datagrams to be: their bytes in one buffer, their sizes beside it.
#[derive(Debug)]
pub struct Packets {
    buffer: Buffer,
    framing: Framing,
    sizes: VecDeque<usize>,
    /// Bytes behind the last boundary, which may still grow.
    open: usize,
}

impl Packets {
    fn room(&mut self) -> &mut [u8] {
        let most = self.framing.most() - self.open;
        let room = self.buffer.spare(most);
        // Less than a datagram's worth: a read now would cut one in two.
        if room.len() < most { &mut [] } else { &mut room[..most] }
    }

    fn filled(&mut self, n: usize) {
        let fresh = self.buffer.len();
        self.buffer.filled(n);
        match self.framing {
            Framing::Read(_) => {
                self.open += n;
                self.close();
            }
            Framing::Line(_) => {
                let line_feeds = (fresh..fresh + n).filter(|&at| self.buffer.data()[at] == b'\n');
                let ends: Vec<usize> = line_feeds.map(|at| at + 1).collect();
                let mut start = fresh - self.open;
                self.open += n;
                for end in ends {
                    self.sizes.push_back(end - start);
                    self.open -= end - start;
                    start = end;
                }
            }
        }
        if self.open == self.framing.most() {
            self.close();
        }
    }

    fn close(&mut self) {
        if self.open > 0 {
            self.sizes.push_back(self.open);
            self.open = 0;
        }
    }

    fn front(&self) -> &[u8] {
        &self.buffer.data()[..self.sizes.front().copied().unwrap_or(0)]
    }

    /// A datagram leaves whole, whatever the kernel says it took of it.
    fn consume(&mut self, n: usize) {
        if let Some(size) = self.sizes.pop_front() {
            debug_assert!(n == size, "a datagram of {size} bytes was cut to {n}");
            self.buffer.consume(size);
        }
    }

    fn discard(&mut self) -> usize {
        self.sizes.clear();
        self.open = 0;
        self.buffer.discard()
    }
}

/// Bytes one direction holds at most, and with them what one system call can move. 64 KiB is what a
/// pipe holds; more gains nothing measurable while bytes are copied, and costs memory per connection.
pub const BUFFER: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn put(queue: &mut Queue, bytes: &[u8]) -> usize {
        let room = queue.room();
        let n = bytes.len().min(room.len());
        room[..n].copy_from_slice(&bytes[..n]);
        queue.filled(n);
        n
    }

    fn take(queue: &mut Queue) -> Vec<u8> {
        let front = queue.front().to_vec();
        queue.consume(front.len());
        front
    }

    #[test]
    fn two_reads_are_two_datagrams() {
        let mut queue = Queue::packets(Framing::Read(LARGEST));
        put(&mut queue, b"one");
        put(&mut queue, b"two");
        assert_eq!(
            [take(&mut queue), take(&mut queue), take(&mut queue)],
            [&b"one"[..], b"two", b""]
        );
    }

    #[test]
    fn a_line_is_a_datagram_however_it_was_read() {
        let mut queue = Queue::packets(Framing::Line(10));
        put(&mut queue, b"a\nb");
        put(&mut queue, b"c\n\n");
        assert_eq!(
            [take(&mut queue), take(&mut queue), take(&mut queue)],
            [&b"a\n"[..], b"bc\n", b"\n"]
        );
        put(&mut queue, b"rest");
        assert_eq!(queue.front(), b"", "it may still grow");
        queue.ended();
        assert_eq!(take(&mut queue), b"rest");
    }

    #[test]
    fn a_line_too_long_is_cut() {
        let mut queue = Queue::packets(Framing::Line(4));
        assert_eq!(put(&mut queue, b"123456"), 4);
        assert_eq!(take(&mut queue), b"1234");
    }

    #[test]
    fn a_datagram_is_only_received_where_it_fits_whole() {
        let mut queue = Queue::received(LARGEST);
        assert!(queue.room().len() >= LARGEST);
        queue.filled(LARGEST);
        assert!(queue.room().len() >= LARGEST);
        queue.filled(LARGEST);
        queue.consume(1);
        assert!(queue.room().len() >= LARGEST);
        queue.filled(LARGEST);
        assert_eq!(queue.room().len(), 0);
        queue.consume(2 * LARGEST - 1);
        assert!(queue.room().len() >= LARGEST, "the rest has moved to the front");
    }

    proptest! {
        /// Boundaries are where the framing says, and no byte is lost between them.
        #[test]
        fn datagrams_are_the_stream_in_pieces(
            reads in prop::collection::vec(prop::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 1..50), 0..60),
            most in 1usize..60,
            lines: bool,
            takes in prop::collection::vec(0usize..4, 60),
        ) {
            let framing = if lines { Framing::Line(most) } else { Framing::Read(most) };
            let mut queue = Queue::packets(framing);
            let (mut input, mut output) = (Vec::<u8>::new(), Vec::<u8>::new());
            for (read, count) in reads.iter().zip(takes) {
                let n = put(&mut queue, read);
                input.extend(&read[..n]);
                for _ in 0..count {
                    let packet = take(&mut queue);
                    prop_assert!(packet.len() <= most);
                    prop_assert!(!lines || !packet[..packet.len().saturating_sub(1)].contains(&b'\n'));
                    output.extend(packet);
                }
            }
            queue.ended();
            while !queue.front().is_empty() {
                output.extend(take(&mut queue));
            }
            prop_assert!(queue.is_empty());
            prop_assert_eq!(output, input);
        }
    }
}
