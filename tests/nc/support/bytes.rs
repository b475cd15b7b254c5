//! Payloads: seeded, random, of any length, compared without being held in memory.

use std::io::{self, Read, Write};

/// An endless stream of bytes, the same for the same seed (`SplitMix64`).
pub(crate) struct Noise {
    state: u64,
    block: Vec<u8>,
    used: usize,
}

impl Noise {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed, block: vec![0; BLOCK], used: BLOCK }
    }

    /// The bytes that come next; at least one.
    pub(crate) fn next_bytes(&mut self) -> &[u8] {
        if self.used == self.block.len() {
            for word in self.block.chunks_exact_mut(8) {
                self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                let mut z = self.state;
                z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                word.copy_from_slice(&(z ^ (z >> 31)).to_le_bytes());
            }
            self.used = 0;
        }
        &self.block[self.used..]
    }

    /// Says that so many of [`next_bytes`](Self::next_bytes) have been used.
    pub(crate) fn advance(&mut self, count: usize) {
        self.used += count;
    }
}

impl Read for Noise {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let next = self.next_bytes();
        let count = next.len().min(buffer.len());
        buffer[..count].copy_from_slice(&next[..count]);
        self.advance(count);
        Ok(count)
    }
}

/// A sink that accepts the stream of one seed and nothing else.
pub(crate) struct Same {
    expected: Noise,
    count: u64,
}

impl Same {
    pub(crate) fn new(seed: u64) -> Self {
        Self { expected: Noise::new(seed), count: 0 }
    }

    /// How many bytes have come and been right.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }
}

impl Write for Same {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let expected = self.expected.next_bytes();
        let count = expected.len().min(bytes.len());
        if let Some(at) = (0..count).find(|&at| expected[at] != bytes[at]) {
            panic!("wrong byte at offset {}", self.count + at as u64);
        }
        self.expected.advance(count);
        self.count += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The first `count` bytes of a seed's stream.
pub(crate) fn noise(seed: u64, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    Noise::new(seed).read_exact(&mut bytes).expect("noise never ends");
    bytes
}

/// Equality that prints where two payloads part, not the payloads.
#[track_caller]
pub(crate) fn assert_same(got: &[u8], expected: &[u8], what: &str) {
    if got == expected {
        return;
    }
    let at = got.iter().zip(expected).take_while(|(a, b)| a == b).count();
    let excerpt = |bytes: &[u8]| bytes[at..bytes.len().min(at + 40)].escape_ascii().to_string();
    panic!(
        "{what}: {} bytes instead of {}, different from offset {at} on: \"{}\" instead of \"{}\"",
        got.len(),
        expected.len(),
        excerpt(got),
        excerpt(expected),
    );
}

/// A multiple of 8, about what one read takes.
const BLOCK: usize = 64 * 1024;
