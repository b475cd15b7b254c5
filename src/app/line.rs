//! A line on a terminal that draws itself over, again and again, and is gone at the end.

use std::time::Duration;

/// What progress is shown on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Screen {
    /// One line that is drawn over.
    Terminal,
    /// One line below the other.
    Log,
}

/// Whether it is on the screen now. What it says is whoever draws it's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Line {
    #[default]
    Gone,
    Shown,
}

impl Line {
    /// What draws the line, over the one that is there. The words are in ASCII. A terminal of so few columns
    /// gets less of them: what is broken into two lines cannot be drawn over.
    pub(super) fn draw(&mut self, mut words: String, columns: Option<usize>) -> String {
        *self = Self::Shown;
        // The cursor needs a column too.
        words.truncate(columns.map_or(usize::MAX, |columns| columns.saturating_sub(1)));
        format!("\r{words}{ERASE_TO_END}")
    }

    /// What makes room for other lines; empty where nothing is shown.
    pub(super) fn erase(&mut self) -> &'static str {
        match std::mem::take(self) {
            Self::Gone => "",
            Self::Shown => ERASE,
        }
    }
}

const ERASE: &str = "\r\x1b[K";

/// ECMA-48, `EL`.
const ERASE_TO_END: &str = "\x1b[K";

/// How long something goes on without a word.
pub(super) const GRACE: Duration = Duration::from_secs(1);

/// From one drawing to the next.
pub(super) const REDRAW: Duration = Duration::from_millis(200);

/// From one line of a log to the next, and between drawings where only the time goes on.
pub(super) const LINE_EACH: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_never_fills_a_line() {
        let drawn = |columns| Line::default().draw("0 of 1 ports, 0/s".to_owned(), columns);
        assert_eq!(drawn(Some(10)), "\r0 of 1 po\x1b[K");
        assert_eq!(drawn(Some(1)), "\r\x1b[K");
        assert_eq!(drawn(Some(80)), "\r0 of 1 ports, 0/s\x1b[K");
        assert_eq!(drawn(None), "\r0 of 1 ports, 0/s\x1b[K");
    }

    #[test]
    fn what_was_drawn_is_erased_once() {
        let mut line = Line::default();
        assert_eq!(line.erase(), "");
        line.draw("words".to_owned(), None);
        assert_eq!(line.erase(), "\r\x1b[K");
        assert_eq!(line.erase(), "");
    }
}
