//! Times as they are typed: `2`, `0.5`, `500ms`, `2s`, `1m`, `1h`.
//!
//! Owns: the notation and the largest time. Must not know: what a time is for; its option's noun
//! comes in as a word for the message. Without a unit a time is in seconds, which is all Debian's
//! netcat knows; the units are ncat's. What [`f64`] would read besides (`inf`, `1e3`) is no time.

use std::time::Duration;

use super::{Misfit, decimal, split_sign};
use crate::error::Error;

/// Reads a time of 0 or more that poll(2) is to wait.
pub(super) fn parse(noun: &str, text: &str) -> Result<Duration, Error> {
    parse_within(noun, text, POLLED)
}

/// Reads a time of 0 up to so many seconds.
pub(super) fn parse_within(noun: &str, text: &str, most: u64) -> Result<Duration, Error> {
    parse_signed(noun, text, most)?.ok_or_else(|| Misfit::TooSmall.of(noun, text))
}

/// Reads a time where a negative one is legal and means none at all (`-q`).
pub(super) fn parse_signed(noun: &str, text: &str, most: u64) -> Result<Option<Duration>, Error> {
    let (negative, amount) = split_sign(text);
    match nanoseconds(amount) {
        None => Err(Misfit::Invalid.of(noun, text)),
        Some(nanos) if negative && nanos > 0 => Ok(None),
        Some(nanos) if nanos > most * SECOND => Err(Misfit::TooLarge.of(noun, text)),
        Some(nanos) => Ok(Some(Duration::from_nanos(nanos))),
    }
}

/// Saturates, far above the limit.
fn nanoseconds(text: &str) -> Option<u64> {
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (amount, unit) = text.split_at(unit_at);
    let unit = match unit {
        "ms" => SECOND / 1000,
        "" | "s" => SECOND,
        "m" => 60 * SECOND,
        "h" => 3600 * SECOND,
        _ => return None,
    };
    let (whole, fraction) = amount.split_once('.').unwrap_or((amount, ""));
    // One side of the point may be empty (`.5`, `5.`), not both.
    let digits = [whole, fraction].concat();
    decimal(&digits)?;

    let mut nanos = decimal(whole).unwrap_or(0).saturating_mul(unit);
    let mut place = unit;
    for digit in fraction.bytes() {
        place /= 10;
        nanos = nanos.saturating_add(u64::from(digit - b'0') * place);
    }
    // However small, a time above 0 stays above 0: `-w 0` has a meaning of its own.
    let above_zero = digits.bytes().any(|digit| digit != b'0');
    Some(nanos.max(u64::from(above_zero)))
}

const SECOND: u64 = 1_000_000_000;

/// Debian's limit of `-w`, in seconds: poll(2) counts milliseconds in an `int`, so no more than
/// `INT_MAX / 1000`.
const POLLED: u64 = 2_147_483;

/// Debian's limit of `-q`, in seconds: an `int`.
pub(super) const ALARM: u64 = i32::MAX as u64;

/// Debian's limit of `-i`, in seconds: an `unsigned int`.
pub(super) const SLEEP: u64 = u32::MAX as u64;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> String {
        match parse("timeout", text) {
            Ok(time) => format!("{time:?}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn seconds_are_the_unit_unless_one_is_given() {
        for (text, time) in [
            ("2", "2s"),
            ("0", "0ns"),
            ("007", "7s"),
            ("0.5", "500ms"),
            (".5", "500ms"),
            ("5.", "5s"),
            ("500ms", "500ms"),
            ("0.5ms", "500µs"),
            ("2s", "2s"),
            ("1m", "60s"),
            ("1.5m", "90s"),
            ("1h", "3600s"),
            (" +3", "3s"),
            ("-0", "0ns"),
        ] {
            assert_eq!(read(text), time, "{text:?}");
        }
    }

    #[test]
    fn what_is_no_time_is_invalid() {
        for text in [
            "", "x", ".", "s", "1e3", "inf", "nan", "0x10", "1s1", "1 s", "2S", "1d", "--1",
            "1.2.3", "²",
        ] {
            assert_eq!(read(text), format!("timeout invalid: {text}"));
        }
    }

    #[test]
    fn negative_is_too_small() {
        for text in ["-1", "-0.5", "-1ms", "-99999999999999999999"] {
            assert_eq!(read(text), format!("timeout too small: {text}"));
        }
    }

    #[test]
    fn more_than_2147483_seconds_is_too_large() {
        assert_eq!(read("2147483"), "2147483s");
        for text in ["2147483.1", "2147484", "99999999", "597h", "99999999999999999999999h"] {
            assert_eq!(read(text), format!("timeout too large: {text}"));
        }
    }

    #[test]
    fn negative_is_none_where_it_is_legal() {
        assert_eq!(parse_signed("quit timer", "-1", ALARM).expect("legal"), None);
        assert_eq!(parse_signed("quit timer", "0", ALARM).expect("legal"), Some(Duration::ZERO));
        let error = parse_signed("quit timer", "x", ALARM).expect_err("no time");
        assert_eq!(error.to_string(), "quit timer invalid: x");
    }

    #[test]
    fn a_time_above_0_stays_above_0() {
        assert_eq!(read("0.00000000000001"), "1ns");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC*|[-+0-9.smh \t]*") {
            let _ = parse("timeout", &text);
            let _ = parse_signed("quit timer", &text, ALARM);
        }

        #[test]
        fn milliseconds_are_thousandths(ms in 0_u64..=2_147_483_000) {
            let typed = format!("{}.{:03}", ms / 1000, ms % 1000);
            prop_assert_eq!(parse("timeout", &typed).expect("in range"), Duration::from_millis(ms));
            let typed = format!("{ms}ms");
            prop_assert_eq!(parse("timeout", &typed).expect("in range"), Duration::from_millis(ms));
        }
    }
}
