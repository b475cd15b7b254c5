//! A moment in writing: microseconds since the start, and the time of day in UTC as RFC 3339 has it.

use std::io::Write;

/// A moment, by two clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Microseconds since the program began, which no clock that is set can change.
    pub elapsed: u64,
    /// Microseconds since 1970 in UTC.
    pub epoch: u64,
}

impl Stamp {
    /// Appends `+1234 us 2026-02-28T23:59:59.000001Z`.
    pub fn write(self, out: &mut Vec<u8>) {
        let (seconds, micros) = (self.epoch / MILLION, self.epoch % MILLION);
        let (days, second) = (seconds / DAY, seconds % DAY);
        let (year, month, day) = date(days);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        // A vector takes everything.
        let _ = write!(
            out,
            "+{} us {year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z",
            self.elapsed
        );
    }
}

/// The day of the Gregorian calendar that is so many days behind 1970-01-01. Counted from a first of
/// March, a leap day is the last of its year.
fn date(days: u64) -> (u64, u64, u64) {
    // From 0000-03-01, in cycles of 400 years.
    let days = days + 719_468;
    let (cycle, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // Five months from March on have 153 days, and the next five again.
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (400 * cycle + year + next, month, day)
}

const MILLION: u64 = 1_000_000;
const DAY: u64 = 86_400;

#[cfg(test)]
mod tests {
    use super::*;

    /// `date -u -d @SECONDS +%FT%T`
    #[test]
    fn the_calendar_is_that_of_date() {
        for (seconds, written) in [
            (0, "1970-01-01T00:00:00"),
            (951_782_399, "2000-02-28T23:59:59"),
            (951_782_400, "2000-02-29T00:00:00"),
            (951_868_800, "2000-03-01T00:00:00"),
            (1_709_251_199, "2024-02-29T23:59:59"),
            (1_798_761_599, "2026-12-31T23:59:59"),
            (1_798_761_600, "2027-01-01T00:00:00"),
            (4_107_542_400, "2100-03-01T00:00:00"),
            (253_402_300_799, "9999-12-31T23:59:59"),
        ] {
            let mut out = Vec::new();
            Stamp { elapsed: 12, epoch: seconds * MILLION + 34 }.write(&mut out);
            assert_eq!(String::from_utf8_lossy(&out), format!("+12 us {written}.000034Z"));
        }
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let mut yesterday = date(0);
        for days in 1..200_000 {
            let today = date(days);
            let (year, month, day) = yesterday;
            let follows = [(year, month, day + 1), (year, month + 1, 1), (year + 1, 1, 1)];
            assert!(follows.contains(&today), "{yesterday:?} {today:?}");
            assert!(today.2 > 1 || day >= 28);
            yesterday = today;
        }
    }
}
