//! What the kernel has said about a source and nobody has found untrue since.
//!
//! A bit is set by an event and stays set until an operation says `EAGAIN`. Whether somebody wants to
//! read or write is another question, asked of the flows and never stored here.

use std::fmt;
use std::ops::BitOr;

use crate::mistakes::{Mistake, made};

/// A set of readiness bits.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Readiness(u8);

impl Readiness {
    /// Nothing known.
    pub const NONE: Self = Self(0);
    /// A read is worth an attempt.
    pub const READABLE: Self = Self(1);
    /// A write is worth an attempt.
    pub const WRITABLE: Self = Self(1 << 1);
    /// The other side will send no more, or is gone: a hint (EPOLLRDHUP, EPOLLHUP).
    pub const READ_CLOSED: Self = Self(1 << 2);
    /// The other side takes no more, or is gone: a hint (EPOLLHUP, EPOLLERR).
    pub const WRITE_CLOSED: Self = Self(1 << 3);
    /// Something is wrong, and the next call will say what: a hint (EPOLLERR).
    pub const ERROR: Self = Self(1 << 4);

    /// Everything that makes a read worth an attempt. An empty pipe whose writer has gone says
    /// `READ_CLOSED` alone; a refused datagram says `ERROR` alone.
    pub const READ: Self = Self(Self::READABLE.0 | Self::READ_CLOSED.0 | Self::ERROR.0);
    /// Everything that makes a write worth an attempt, if only to learn the error.
    pub const WRITE: Self = Self(Self::WRITABLE.0 | Self::WRITE_CLOSED.0 | Self::ERROR.0);
    /// Signs that whoever reads what we write has gone.
    pub const READER_GONE: Self = Self(Self::WRITE_CLOSED.0 | Self::ERROR.0);

    /// At least one bit of `any` is set.
    #[must_use]
    pub const fn intersects(self, any: Self) -> bool {
        self.0 & any.0 != 0
    }

    /// The set without the bits of `which`.
    #[must_use]
    pub const fn without(self, which: Self) -> Self {
        Self(self.0 & !which.0)
    }
}

impl BitOr for Readiness {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl From<&mio::event::Event> for Readiness {
    fn from(event: &mio::event::Event) -> Self {
        let bit = |set: bool, bit: Self| if set { bit } else { Self::NONE };
        bit(event.is_readable(), Self::READABLE)
            | bit(event.is_writable(), Self::WRITABLE)
            | bit(event.is_read_closed() && !made(Mistake::IgnoreHup), Self::READ_CLOSED)
            | bit(event.is_write_closed(), Self::WRITE_CLOSED)
            | bit(event.is_error(), Self::ERROR)
    }
}

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::NONE {
            return f.write_str("-");
        }
        for (bit, letter) in [
            (Self::READABLE, "r"),
            (Self::WRITABLE, "w"),
            (Self::READ_CLOSED, "R"),
            (Self::WRITE_CLOSED, "W"),
            (Self::ERROR, "e"),
        ] {
            if self.intersects(bit) {
                f.write_str(letter)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bit_is_its_own_and_worth_what_it_says() {
        let bits = [
            // To read, to write, and a sign that the reader has gone.
            (Readiness::READABLE, [true, false, false]),
            (Readiness::WRITABLE, [false, true, false]),
            (Readiness::READ_CLOSED, [true, false, false]),
            (Readiness::WRITE_CLOSED, [false, true, true]),
            (Readiness::ERROR, [true, true, true]),
        ];
        let sets = [Readiness::READ, Readiness::WRITE, Readiness::READER_GONE];
        for (bit, worth) in bits {
            assert_eq!(sets.map(|set| bit.intersects(set)), worth, "{bit:?}");
            let same = bits.iter().filter(|(other, _)| bit.intersects(*other)).count();
            assert_eq!(same, 1, "{bit:?}");
            assert_eq!(bit.without(bit), Readiness::NONE);
            assert_eq!(bit | bit, bit, "said twice");
        }
    }

    #[test]
    fn debug_is_short() {
        assert_eq!(format!("{:?}", Readiness::NONE), "-");
        assert_eq!(format!("{:?}", Readiness::READABLE | Readiness::READ_CLOSED), "rR");
    }
}
