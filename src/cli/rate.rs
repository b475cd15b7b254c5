//! Rates as they are typed: `1500`, `500k`, `5M`, `1G` bytes a second.
//!
//! Owns: the notation. Must not know: what is limited. The letters stand for powers of 1024, as curl(1),
//! wget(1) and pv(1) read them for the same purpose; capital or small makes no difference.

use std::num::NonZeroU64;

use super::{Misfit, integer};
use crate::error::Error;
use crate::flow::Rate;

/// Reads a rate of at least one byte a second.
pub(super) fn parse(noun: &str, text: &str) -> Result<NonZeroU64, Error> {
    let (number, unit) = match text.as_bytes() {
        [number @ .., b'k' | b'K'] => (number.len(), 1 << 10),
        [number @ .., b'm' | b'M'] => (number.len(), 1 << 20),
        [number @ .., b'g' | b'G'] => (number.len(), 1 << 30),
        number => (number.len(), 1),
    };
    let rate = integer(&text[..number], 1..=Rate::LARGEST / unit).map(|number| number * unit);
    rate.and_then(|rate| NonZeroU64::new(rate).ok_or(Misfit::TooSmall))
        .map_err(|misfit| misfit.of(noun, text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<u64, String> {
        parse("rate limit", text).map(NonZeroU64::get).map_err(|error| error.to_string())
    }

    #[test]
    fn the_letters_are_powers_of_1024() {
        for (text, rate) in [
            ("1", 1),
            ("1500", 1500),
            ("007", 7),
            (" +3", 3),
            ("1k", 1024),
            ("500K", 512_000),
            ("5M", 5_242_880),
            ("5m", 5_242_880),
            ("1G", 1 << 30),
            ("64g", 64 << 30),
        ] {
            assert_eq!(read(text), Ok(rate), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_rate_is_refused() {
        for (text, why) in [
            ("", "invalid"),
            ("x", "invalid"),
            ("k", "invalid"),
            ("1.5M", "invalid"),
            ("5 M", "invalid"),
            ("5MB", "invalid"),
            ("5kk", "invalid"),
            ("1T", "invalid"),
            ("²", "invalid"),
            ("0", "too small"),
            ("0k", "too small"),
            ("-1", "too small"),
            ("65G", "too large"),
            ("99999999999999999999", "too large"),
            ("99999999999999999999G", "too large"),
        ] {
            assert_eq!(read(text), Err(format!("rate limit {why}: {text}")));
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC*|[-+0-9kKmMgG. ]*") {
            let _ = read(&text);
        }
    }
}
