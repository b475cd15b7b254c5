//! The help, which is also the table of options.
//!
//! Owns: the text, and how an option is read out of a line of it. Must not know: what an option means, and
//! what clap is told of it (`args`).
//!
//! What an option is called and whether it takes a value is said nowhere else. A table beside the text
//! would say it twice, and with the relocations of its strings it weighs more than the text does. Reading
//! takes some microseconds.

#[cfg(feature = "see")]
macro_rules! seeing {
    () => {
        include_str!("help/seeing.txt")
    };
}

#[cfg(not(feature = "see"))]
macro_rules! seeing {
    () => {
        ""
    };
}

#[cfg(feature = "sandbox")]
macro_rules! protection {
    () => {
        include_str!("help/protection.txt")
    };
}

#[cfg(not(feature = "sandbox"))]
macro_rules! protection {
    () => {
        ""
    };
}

/// What `-h` and `--help` print, as it is. An option that this build leaves out is not in it, and so is
/// unknown.
pub(super) const TEXT: &str = concat!(
    include_str!("help/options.txt"),
    seeing!(),
    protection!(),
    include_str!("help/messages.txt"),
);

/// An option, as its line says it is written.
pub(super) struct Word {
    /// What the program calls it: its name, or its letter where it has none.
    pub(super) id: &'static str,
    pub(super) letter: Option<char>,
    /// What follows it on its line.
    rest: &'static str,
}

/// What may stand behind an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `--listen`
    Flag,
    /// `--verbose...`: how often it is typed counts.
    Counted,
    /// `--fd <N>`
    Value(&'static str),
    /// `--banner[=<BYTES>]`: the value is written behind `=`, or left out.
    OptionalValue(&'static str),
}

/// Those whose lines are in the text, in its order.
pub(super) fn options(text: &'static str) -> impl Iterator<Item = Word> {
    text.split('\n').filter_map(Word::read)
}

impl Word {
    /// A letter stands in the third column and a name in the seventh, with their hyphens. Where there is
    /// neither, the line is not an option's, or not its first.
    fn read(line: &'static str) -> Option<Self> {
        let (letter, name) = match line.as_bytes() {
            [b' ', b' ', b'-', letter, b',', b' ', b'-', b'-', name @ ..] => (Some(letter), name),
            [b' ', b' ', b' ', b' ', b' ', b' ', b'-', b'-', name @ ..] => (None, name),
            [b' ', b' ', b'-', letter, ..] => (Some(letter), &[][..]),
            _ => return None,
        };
        let is_of_a_name = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'-';
        let id = match name.iter().take_while(is_of_a_name).count() {
            0 => 3..4,
            length => 8..8 + length,
        };
        Some(Self {
            rest: line.get(id.end..)?,
            id: line.get(id)?,
            letter: letter.map(|&letter| char::from(letter)),
        })
    }

    pub(super) fn name(&self) -> Option<&'static str> {
        Some(self.id).filter(|id| id.len() > 1)
    }

    pub(super) fn kind(&self) -> Kind {
        let value = |open| Some(self.rest.strip_prefix(open)?.split_once('>')?.0);
        if let Some(name) = value(" <") {
            Kind::Value(name)
        } else if let Some(name) = value("[=<") {
            Kind::OptionalValue(name)
        } else if self.rest.starts_with("...") {
            Kind::Counted
        } else {
            Kind::Flag
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_is_read_as_it_is_written() {
        for (line, id, letter, name, kind) in [
            ("  -l, --listen  Wait", "listen", Some('l'), Some("listen"), Kind::Flag),
            ("      --json  Print", "json", None, Some("json"), Kind::Flag),
            ("  -h  Print", "h", Some('h'), None, Kind::Flag),
            ("  -v, --verbose...  Say", "verbose", Some('v'), Some("verbose"), Kind::Counted),
            ("  -w <TIME>  Give", "w", Some('w'), None, Kind::Value("TIME")),
            (
                "  -s, --source <ADDR>  From",
                "source",
                Some('s'),
                Some("source"),
                Kind::Value("ADDR"),
            ),
            ("      --fd <N>  On <it>", "fd", None, Some("fd"), Kind::Value("N")),
            ("  -x <ADDR[:PORT]>  Go", "x", Some('x'), None, Kind::Value("ADDR[:PORT]")),
            ("      --banner[=<N>]  At", "banner", None, Some("banner"), Kind::OptionalValue("N")),
        ] {
            let word = Word::read(line).expect(line);
            assert_eq!((word.id, word.letter, word.name(), word.kind()), (id, letter, name, kind));
        }
    }

    #[test]
    fn other_lines_are_no_options() {
        for line in
            ["", "Usage: nc", "       nc -l", "Messages:", "With -z, --", "        --every  it"]
        {
            assert!(Word::read(line).is_none(), "{line:?}");
        }
    }

    #[test]
    fn the_text_fits_80_columns() {
        for line in TEXT.lines() {
            assert!(line.chars().count() < 80 && line.trim_end() == line, "{line:?}");
        }
        assert!(TEXT.ends_with("(http).\n"));
    }

    /// The explanations of a group stand below each other.
    #[test]
    fn every_option_is_in_a_group_with_up_to_two_lines_of_explanation() {
        let mut seen = 0;
        for group in TEXT.split("\n\n").filter(|group| options(group).next().is_some()) {
            let (heading, table) = group.split_once('\n').expect("a heading");
            assert!(heading.ends_with(':') && !heading.starts_with(' '), "{heading:?}");
            // Two spaces end the longest of the names.
            let widths = options(table).filter_map(|option| option.rest.split("  ").next());
            let widths = options(table).zip(widths).map(|(option, value)| match option.name() {
                Some(name) => "  -l, --".len() + name.len() + value.len(),
                None => "  -l".len() + value.len(),
            });
            let column = widths.max().unwrap_or_default() + 2;
            let mut lines_of_option = 0;
            for line in table.lines() {
                let (left, right) = line.split_at(column);
                assert!(left.ends_with("  ") && !right.starts_with(' '), "{line:?}");
                let is_first = Word::read(line).is_some();
                assert!(is_first || (left.trim().is_empty() && lines_of_option == 1), "{line:?}");
                lines_of_option = if is_first { 1 } else { 2 };
            }
            seen += options(table).count();
        }
        assert_eq!(seen, options(TEXT).count());
    }
}
