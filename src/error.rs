//! The one error type that reaches `main`, and the kernel's own words for an errno.
//!
//! Owns: how a failure is worded. Must not know: any mode, any option. Every message is one line,
//! and whatever came from outside the program is escaped before it gets here (see [`escape`]).

use std::fmt;
use std::io;

/// Why the program does not succeed, worded as the line that follows `nc: `. The exit status is 1, except
/// for `Signal`: of that one the program dies.
///
/// `Silent` is for failures whose lines have been printed as they happened (each address of a name
/// that refused, say): the status is owed, another line is not.
#[derive(Debug)]
pub enum Error {
    /// A complete sentence without prefix, full stop or line break.
    Message(String),
    /// What was being done, and what the kernel answered: `bind failed: Address already in use`.
    Io(String, io::Error),
    /// Everything there is to say has been said.
    Silent,
    /// A signal that ends the program, which has put its things in order before.
    Signal(i32),
}

impl Error {
    /// An error that is a sentence of its own.
    pub fn message(text: impl Into<String>) -> Self {
        Self::Message(text.into())
    }

    /// For `map_err`: names what failed, keeps the errno.
    pub fn doing(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |error| Self::Io(what, error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message(text) => f.write_str(text),
            Self::Io(what, error) => write!(f, "{what}: {}", reason(error)),
            Self::Silent => Ok(()),
            Self::Signal(number) => write!(f, "signal {number}"),
        }
    }
}

impl std::error::Error for Error {}

/// The text of strerror(3) alone: the standard library adds ` (os error N)`, netcat does not.
#[must_use]
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.rfind(" (os error ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

/// The name of an errno, such as `ECONNREFUSED`, if it has one.
#[must_use]
pub fn errno_name(errno: i32) -> Option<String> {
    let errno = nix::errno::Errno::from_raw(errno);
    (errno != nix::errno::Errno::UnknownErrno).then(|| format!("{errno:?}"))
}

/// Text from outside (an argument, a peer, a name server) made safe for a terminal: control
/// characters, also the 8-bit ones and the bidirectional overrides, come out as `\u{..}`. So do those that
/// take no room.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if is_obeyed(c) || is_unseen(c) {
            safe.extend(c.escape_unicode());
        } else {
            safe.push(c);
        }
    }
    safe
}

/// A terminal would do something other than show it: control characters (C0, DEL and C1), line and
/// paragraph separators, and what turns the order of the text around (Unicode, annex 9).
#[must_use]
pub fn is_obeyed(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// It takes no room on a screen: joiners and their like, the byte order mark, tags. In prose they have their
/// uses, so they are no concern of `--sanitize`.
fn is_unseen(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}'
    )
}

/// A name from the command line for one line of a message: escaped, and not longer than any name that
/// means something.
#[must_use]
pub fn abridge(name: &str) -> String {
    beginning(name, LONGEST_NAME)
}

/// So many characters of a text from outside at most, escaped, and what says that there are more.
#[must_use]
pub fn beginning(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => escape(&text[..end]) + "...",
        None => escape(text),
    }
}

/// RFC 1035 allows a name 255 bytes, unix(7) a path 107.
const LONGEST_NAME: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reason_is_strerror_alone() {
        let refused = io::Error::from_raw_os_error(111);
        assert_eq!(reason(&refused), "Connection refused");
        assert_eq!(reason(&io::Error::other("odd")), "odd");
    }

    #[test]
    fn an_errno_has_a_name_or_none() {
        assert_eq!(errno_name(libc::ECONNREFUSED).as_deref(), Some("ECONNREFUSED"));
        assert_eq!(errno_name(9999), None);
    }

    #[test]
    fn escape_leaves_no_control_character() {
        assert_eq!(escape("plain é"), "plain é");
        assert_eq!(escape("a\u{1b}]0;x\u{7}\u{9b}\r\n"), "a\\u{1b}]0;x\\u{7}\\u{9b}\\u{d}\\u{a}");
        assert_eq!(escape("\u{202e}"), "\\u{202e}");
        assert_eq!(escape("goo\u{200b}gle"), "goo\\u{200b}gle");
    }

    #[test]
    fn a_name_is_shown_whole_unless_it_is_none() {
        assert_eq!(abridge(&"é".repeat(255)), "é".repeat(255));
        assert_eq!(abridge(&"é".repeat(256)), "é".repeat(255) + "...");
        assert_eq!(abridge("\r"), "\\u{d}");
    }
}
