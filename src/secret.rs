//! Passwords and what is made of them: bytes that are never shown, and overwritten when they have served.
//!
//! Owns: that no copy stays in memory. So the bytes never move: there is room for all of them from the
//! beginning, and what does not fit is dropped. Must not know: what they open, and where they come from.

use std::fmt::{self, Debug};

use zeroize::Zeroize;

/// Bytes that are nobody's business.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(Vec<u8>);

impl Secret {
    /// None yet, and never more than these.
    pub(crate) fn with_room_for(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    /// Wiping the original is the caller's business.
    pub(crate) fn copied(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }

    /// Without a copy. Bytes that have grown on the way here have left some behind.
    pub(crate) fn whole(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// One more has room.
    pub(crate) fn has_room(&self) -> bool {
        self.0.len() < self.0.capacity()
    }

    /// One more, if it has room.
    pub(crate) fn push(&mut self, byte: u8) {
        if self.has_room() {
            self.0.push(byte);
        }
    }

    /// One less. Its trace is wiped with the others.
    pub(crate) fn pop(&mut self) -> Option<u8> {
        self.0.pop()
    }

    /// All the room there is, also where nothing stands now, is overwritten, and empty.
    pub(crate) fn wipe(&mut self) {
        self.0.zeroize();
    }
}

impl Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.wipe();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_shown() {
        assert_eq!(format!("{:?}", Secret::copied(b"hunter2")), "Secret(..)");
    }

    #[test]
    fn a_secret_never_moves() {
        let mut secret = Secret::with_room_for(80);
        let before = secret.bytes().as_ptr();
        for _ in 0..10_000 {
            secret.push(b'x');
        }
        assert!(secret.bytes().len() >= 80 && secret.bytes().len() < 10_000);
        assert_eq!(secret.bytes().as_ptr(), before);
        secret.wipe();
        assert_eq!(secret.bytes(), b"");
        assert_eq!(secret.bytes().as_ptr(), before);
    }
}
