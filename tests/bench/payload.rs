//! The bytes that are sent: random, and known by their offset, so that whoever gets them can say
//! whether they are right for the price of a comparison.

use std::io::{self, Read};

/// An endless stream: one random block over and over. Its length is a prime number, so what is lost,
/// doubled or moved by any buffer's length shows.
pub(crate) struct Payload {
    block: Vec<u8>,
    at: usize,
}

impl Payload {
    pub(crate) fn new() -> Self {
        // `SplitMix64`, from an arbitrary seed.
        let mut state = 0x706f_6c6c_6361_7421_u64;
        let mut block = Vec::with_capacity(LENGTH + 8);
        while block.len() < LENGTH {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            block.extend_from_slice(&(z ^ (z >> 31)).to_le_bytes());
        }
        block.truncate(LENGTH);
        Self { block, at: 0 }
    }

    /// Whether these are the bytes that come next.
    pub(crate) fn continues_with(&mut self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            let expected = &self.block[self.at..];
            let (now, later) = bytes.split_at(expected.len().min(bytes.len()));
            if now != &expected[..now.len()] {
                return false;
            }
            self.at = (self.at + now.len()) % LENGTH;
            bytes = later;
        }
        true
    }
}

impl Read for Payload {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let next = &self.block[self.at..];
        let count = next.len().min(buffer.len());
        buffer[..count].copy_from_slice(&next[..count]);
        self.at = (self.at + count) % LENGTH;
        Ok(count)
    }
}

/// The greatest prime number below 1 MiB.
const LENGTH: usize = 1_048_573;
