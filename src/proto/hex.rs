//! Hexadecimal digits, in lower case.

/// Those of a byte.
#[must_use]
pub fn of(byte: u8) -> [u8; 2] {
    [digit(u32::from(byte >> 4)), digit(byte.into())]
}

/// Appends the last digits of a number.
pub(super) fn append(out: &mut Vec<u8>, number: u32, digits: u32) {
    out.extend((0..digits).rev().map(|at| digit(number >> (4 * at))));
}

/// The last one.
fn digit(number: u32) -> u8 {
    b"0123456789abcdef"[number as usize & 15]
}
