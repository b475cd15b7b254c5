//! A step on a terminal or in a file: the call as it is, its sentence below it, indented and wrapped.

/// The lines of a step, of `CALL\nSENTENCE` as [`super::Step`] words it, either of which may be empty.
/// Calls are not wrapped, as strace does not wrap them. `width` is in columns.
#[must_use]
pub fn layout(step: &str, width: usize, colour: bool) -> String {
    let (call, sentence) = step.split_once('\n').unwrap_or(("", step));
    let mut lines = String::with_capacity(step.len() + 64);
    if !call.is_empty() {
        let (on, off) = if colour { (BOLD, PLAIN) } else { ("", "") };
        lines.extend([on, call, off, "\n"]);
    }
    let room = width.saturating_sub(INDENT.len()).max(NARROWEST);
    let mut used = 0;
    for word in sentence.split_ascii_whitespace() {
        let columns = word.chars().count();
        if used > 0 && used + 1 + columns <= room {
            lines.push(' ');
            used += 1;
        } else {
            lines.push_str(if used > 0 { "\n" } else { "" });
            lines.push_str(INDENT);
            used = 0;
        }
        lines.push_str(word);
        used += columns;
    }
    if used > 0 {
        lines.push('\n');
    }
    lines
}

/// Where a terminal does not say how wide it is, and where there is none.
pub const USUAL_WIDTH: usize = 80;

const INDENT: &str = "    ";

/// Columns that a sentence has even where the terminal says otherwise.
const NARROWEST: usize = 20;

const BOLD: &str = "\u{1b}[1m";
const PLAIN: &str = "\u{1b}[0m";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_is_wrapped_below_its_call() {
        assert_eq!(
            layout("listen(4, 1) = 0\none two three four five", 24, false),
            "listen(4, 1) = 0\n    one two three four\n    five\n"
        );
    }

    #[test]
    fn either_may_be_missing() {
        assert_eq!(layout("\nno call", 80, true), "    no call\n");
        assert_eq!(layout("close(4) = 0\n", 80, false), "close(4) = 0\n");
    }

    #[test]
    fn only_the_call_has_a_colour() {
        assert_eq!(layout("a\nb", 80, true), "\u{1b}[1ma\u{1b}[0m\n    b\n");
    }

    #[test]
    fn a_word_that_is_too_long_has_a_line_of_its_own() {
        let long = "x".repeat(30);
        assert_eq!(
            layout(&format!("\na {long} b"), 24, false),
            format!("    a\n    {long}\n    b\n")
        );
    }
}
