//! `--sanitize`: shows what a terminal would obey, where stdout is one.
//!
//! ```text
//!   \x1b       one byte: a control character of ASCII, or a byte that is no UTF-8
//!   \u{202e}   one character: a control character beyond ASCII, or one that turns the text around
//! ```
//!
//! Owns: what is shown, and how. Must not know: that there is a terminal. Line feeds, tabs and a CR before
//! a line feed pass. A backslash is not doubled: the result is for eyes, not for a program to read back.

use super::{Layer, Passed};
use crate::error::is_obeyed;

/// Escapes what comes in. What goes out is left alone.
#[derive(Debug, Default)]
pub struct Sanitize {
    /// The beginning of a piece whose rest has not come: a CR, or a character that was cut in two.
    held: [u8; MOST_HELD],
    len: usize,
}

/// What the bytes held and the next one make.
enum Piece {
    /// Too little to say.
    Cut,
    /// To be passed on as it is.
    Plain,
    /// A character to be shown by its number.
    Obeyed(char),
    /// The next byte does not belong to what is held, which is to be shown byte by byte.
    Broken,
    /// The next byte, with none held, is to be shown.
    Odd,
}

impl Layer for Sanitize {
    fn outbound(&mut self, input: &[u8], output: &mut [u8]) -> Passed {
        Passed::unchanged(input, output)
    }

    fn inbound(&mut self, input: &[u8], output: &mut [u8], _reply: &mut Vec<u8>) -> Passed {
        let mut passed = Passed::default();
        loop {
            if self.len == 0 {
                passed.pass_while(is_plain, input, output);
            }
            let Some(&byte) = input.get(passed.taken) else { return passed };
            let mut bytes = [0; MOST_HELD + 1];
            bytes[..self.len].copy_from_slice(&self.held[..self.len]);
            bytes[self.len] = byte;
            let bytes = &bytes[..=self.len];
            let given = match piece(bytes) {
                Piece::Cut => {
                    self.held[self.len] = byte;
                    self.len += 1;
                    passed.taken += 1;
                    continue;
                }
                Piece::Plain => passed.give(bytes, output),
                Piece::Obeyed(c) => passed.give_character(c, output),
                Piece::Odd => passed.give_byte(byte, output),
                Piece::Broken => {
                    if !self.give_held(&mut passed, output) {
                        return passed;
                    }
                    continue;
                }
            };
            if !given {
                return passed;
            }
            passed.taken += 1;
            self.len = 0;
        }
    }

    fn inbound_ended(&mut self, output: &mut [u8]) -> usize {
        let mut passed = Passed::default();
        while self.len > 0 && self.give_held(&mut passed, output) {}
        passed.given
    }
}

impl Sanitize {
    /// Shows the first of the bytes held, if there is room.
    fn give_held(&mut self, passed: &mut Passed, output: &mut [u8]) -> bool {
        let given = passed.give_byte(self.held[0], output);
        if given {
            self.held.copy_within(1.., 0);
            self.len -= 1;
        }
        given
    }
}

fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~' | b'\n' | b'\t')
}

fn piece(bytes: &[u8]) -> Piece {
    match bytes {
        [b'\r'] => return Piece::Cut,
        [b'\r', b'\n'] => return Piece::Plain,
        _ => {}
    }
    match std::str::from_utf8(bytes) {
        // What is held is the beginning of one character, or a CR that is alone.
        Ok(text) => match (bytes, text.chars().next()) {
            ([_, _, ..], Some(c)) if c.is_ascii() => Piece::Broken,
            ([byte], _) if !is_plain(*byte) => Piece::Odd,
            (_, Some(c)) if is_obeyed(c) && !c.is_ascii() => Piece::Obeyed(c),
            _ => Piece::Plain,
        },
        Err(error) if error.valid_up_to() == 0 && error.error_len().is_none() => Piece::Cut,
        Err(_) if bytes.len() > 1 => Piece::Broken,
        Err(_) => Piece::Odd,
    }
}

/// One byte less than the longest character.
const MOST_HELD: usize = 3;

/// What one byte more can bring about: those held and itself, each as `\xff`.
pub(super) const LONGEST: usize = 4 * (MOST_HELD + 1);

/// Bytes after which no more than `room` have come out, whatever is held.
pub(super) fn surely_fit(room: usize) -> usize {
    (room / 4).saturating_sub(MOST_HELD)
}

#[cfg(test)]
mod tests;
