//! Numbers as people read them: sizes, rates and times, in whole numbers throughout, for floating point takes
//! kilobytes.
//!
//! Must not know: what is counted, and for whom.

use std::time::Duration;

/// `1 byte`, `2 bytes`, `0 segments`.
pub(crate) fn counted(count: u64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

/// `1 byte`, `512 bytes`, `1.5 KiB`, `220 MiB`: three digits, rounded down.
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => counted(bytes, "byte"),
        _ => in_units(bytes),
    }
}

/// `0 B/s`, `1.5 KiB/s`.
pub(crate) fn rate(bytes_per_second: u64) -> String {
    match bytes_per_second {
        0..1024 => format!("{bytes_per_second} B/s"),
        _ => in_units(bytes_per_second) + "/s",
    }
}

/// At least 1024.
fn in_units(bytes: u64) -> String {
    // Each unit is 1024 of the one before, so ten bits tell which it is.
    let step = bytes.ilog2() / 10;
    let unit = char::from(b"KMGTPE"[step as usize - 1]);
    let hundredths = whole((u128::from(bytes) * 100) >> (10 * step));
    let (whole, rest) = (hundredths / 100, hundredths % 100);
    match whole {
        0..10 => format!("{whole}.{rest:02} {unit}iB"),
        10..100 => format!("{whole}.{} {unit}iB", rest / 10),
        _ => format!("{whole} {unit}iB"),
    }
}

/// How many a second, rounded down; as much as fits.
pub(crate) fn per_second(count: u64, time: Duration) -> u64 {
    whole(u128::from(count) * 1_000_000 / time.as_micros().max(1))
}

/// `0:05`, `12:34`, `1:02:03`.
pub(crate) fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}"),
        _ => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

/// `0:04 left`: no less than there is.
pub(crate) fn time_left(time: Duration) -> String {
    clock(time.saturating_add(ALMOST_A_SECOND)) + " left"
}

/// `2.310 s`
pub(crate) fn seconds(time: Duration) -> String {
    thousandths(whole(time.as_millis())) + " s"
}

/// `0.041 ms`
pub(crate) fn milliseconds(time: Duration) -> String {
    thousandths(micros(time)) + " ms"
}

fn thousandths(count: u64) -> String {
    format!("{}.{:03}", count / 1000, count % 1000)
}

/// Whole microseconds, in a number that takes less code to print than [`Duration::as_micros`] does. Enough for
/// half a million years.
pub(crate) fn micros(time: Duration) -> u64 {
    whole(time.as_micros())
}

/// As much of it as fits.
pub(crate) fn whole(count: u128) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// Rounds up to whole seconds.
const ALMOST_A_SECOND: Duration = Duration::from_nanos(999_999_999);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_not_many() {
        let words = [0, 1, 2].map(|count| counted(count, "byte"));
        assert_eq!(words, ["0 bytes", "1 byte", "2 bytes"]);
    }

    #[test]
    fn sizes_have_three_digits() {
        for (bytes, words) in [
            (0, "0 bytes"),
            (1, "1 byte"),
            (1023, "1023 bytes"),
            (1024, "1.00 KiB"),
            (1535, "1.49 KiB"),
            (10 * 1024, "10.0 KiB"),
            (102_399, "99.9 KiB"),
            (102_400, "100 KiB"),
            ((1 << 20) - 1, "1023 KiB"),
            (1 << 20, "1.00 MiB"),
            (3 << 30, "3.00 GiB"),
            (1 << 40, "1.00 TiB"),
            (1 << 50, "1.00 PiB"),
            (u64::MAX, "15.9 EiB"),
        ] {
            assert_eq!(size(bytes), words, "{bytes}");
        }
    }

    #[test]
    fn rates_survive_no_time_and_much() {
        let second = Duration::from_secs(1);
        for (bytes, time, words) in [
            (0, Duration::ZERO, "0 B/s"),
            (5, Duration::ZERO, "4.76 MiB/s"),
            (u64::MAX, Duration::ZERO, "15.9 EiB/s"),
            (1, 2 * second, "0 B/s"),
            (1023, second, "1023 B/s"),
            (3 << 20, 2 * second, "1.50 MiB/s"),
            (u64::MAX, Duration::MAX, "0 B/s"),
        ] {
            assert_eq!(rate(per_second(bytes, time)), words, "{bytes} in {time:?}");
        }
    }

    #[test]
    fn times_are_as_a_clock_shows_them() {
        for (time, words) in [(0, "0:00"), (59, "0:59"), (754, "12:34"), (3723, "1:02:03")] {
            assert_eq!(clock(Duration::from_secs(time)), words);
        }
        assert_eq!(clock(Duration::from_secs(360_000)), "100:00:00");
        for (nanos, words) in [(0, "0:00 left"), (1, "0:01 left"), (1_000_000_000, "0:01 left")] {
            assert_eq!(time_left(Duration::from_nanos(nanos)), words);
        }
        assert_eq!(seconds(Duration::from_micros(2_310_999)), "2.310 s");
        assert_eq!(milliseconds(Duration::from_micros(41)), "0.041 ms");
    }
}
