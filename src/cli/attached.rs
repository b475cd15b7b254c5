//! A value that stands right behind its option's letter: `-w3`.
//!
//! Owns: one difference between clap and getopt(3). To getopt(3) everything behind the letter is the
//! value: `-w=3` is a time that is none, and `-P=joe` a user called `=joe`. clap takes one `=` away, so it
//! is given two. Must not know: what a word means.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use super::args;
use super::help::{Kind, Word};

/// Doubles each `=` that clap would take away.
pub(super) fn keep_equals_signs(words: &mut [OsString]) {
    if !words.iter().any(|word| word.as_bytes().contains(&b'=') && !is_long(word.as_bytes())) {
        return;
    }
    let mut words = words.iter_mut().skip(1);
    while let Some(word) = words.next() {
        if word == "--" {
            return;
        }
        match value_of(word.as_bytes()) {
            Value::IsNextWord => {
                // A value that is missing is missed by whoever reads the words.
                let _ = words.next();
            }
            Value::At(at) if word.as_bytes()[at] == b'=' => {
                let mut bytes = std::mem::take(word).into_vec();
                bytes.insert(at, b'=');
                *word = OsString::from_vec(bytes);
            }
            Value::At(_) | Value::None => {}
        }
    }
}

/// Where the value of a word's last option is.
enum Value {
    None,
    IsNextWord,
    /// In the word itself, behind a letter.
    At(usize),
}

fn value_of(word: &[u8]) -> Value {
    let takes_value = |option: &Word| matches!(option.kind(), Kind::Value(_));
    if is_long(word) {
        let begins = |name: &str| !word.contains(&b'=') && name.as_bytes().starts_with(&word[2..]);
        // Those that begin alike and are no values are of no interest: then it is refused.
        let is_meant = |option: Word| option.name().is_some_and(begins) && takes_value(&option);
        return if args::options().any(is_meant) { Value::IsNextWord } else { Value::None };
    }
    let Some(letters) = word.strip_prefix(b"-") else { return Value::None };
    for (at, letter) in letters.iter().enumerate() {
        let is_it = |option: &Word| option.letter == Some(char::from(*letter));
        match args::options().find(is_it) {
            Some(option) if takes_value(&option) && at + 1 == letters.len() => {
                return Value::IsNextWord;
            }
            // Behind the hyphen and the letter.
            Some(option) if takes_value(&option) => return Value::At(at + 2),
            Some(_) => {}
            None => return Value::None,
        }
    }
    Value::None
}

fn is_long(word: &[u8]) -> bool {
    word.starts_with(b"--")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_behind_a_letter_is_all_value() {
        for (typed, kept) in [
            ("-w=3 h 1", "-w==3 h 1"),
            ("-vlw=3 1", "-vlw==3 1"),
            ("-w3=4 h 1", "-w3=4 h 1"),
            ("-P==joe h 1", "-P===joe h 1"),
            ("-s -w=3 h 1", "-s -w=3 h 1"),
            ("-vs -w=3 h 1", "-vs -w=3 h 1"),
            ("--source -w=3 h 1", "--source -w=3 h 1"),
            ("--source=a -w=3 h 1", "--source=a -w==3 h 1"),
            ("--ttl=3 -w3 h 1", "--ttl=3 -w3 h 1"),
            ("h 1 -w=3", "h 1 -w==3"),
            ("h -- -w=3", "h -- -w=3"),
            ("-v=3 h 1", "-v=3 h 1"),
            ("-?=3 - = h", "-?=3 - = h"),
        ] {
            let words = || typed.split(' ').map(OsString::from);
            let mut words: Vec<_> = [OsString::from("nc")].into_iter().chain(words()).collect();
            keep_equals_signs(&mut words);
            assert_eq!(words[1..].join(" ".as_ref()), kept, "{typed}");
        }
    }
}
