//! Text from outside on its way to a terminal.

use pollcat::error::escape;

use crate::seeds::{Seeds, try_all};

#[test]
fn escaping() {
    let seeds = Seeds::of("escaping", WORDS);
    try_all!(seeds, |input: &[u8]| {
        let text = String::from_utf8_lossy(input);
        let safe = escape(&text);
        assert!(!safe.chars().any(is_not_shown), "{safe:?}");
        assert_eq!(escape(&safe), safe, "it is safe already");
        // Nothing else is changed, and nothing is lost.
        let mut rest = &*safe;
        for c in text.chars() {
            let shown =
                if is_not_shown(c) { c.escape_unicode().to_string() } else { c.to_string() };
            rest = rest.strip_prefix(&shown).unwrap_or_else(|| panic!("{c:?} is not at {rest:?}"));
        }
        assert_eq!(rest, "");
    });
}

/// A terminal obeys it, writes what follows in another direction, or shows nothing for it: the controls of C0
/// and C1, line and paragraph separators, those of UAX #9 with the property `Bidi_Control`, and the soft hyphen,
/// zero-width spaces and joiners, the word joiner and its invisible operators, the byte order mark, and tags.
fn is_not_shown(c: char) -> bool {
    const BIDI: &[char] = &[
        '\u{61c}', '\u{200e}', '\u{200f}', '\u{202a}', '\u{202b}', '\u{202c}', '\u{202d}',
        '\u{202e}', '\u{2066}', '\u{2067}', '\u{2068}', '\u{2069}',
    ];
    const UNSEEN: &[std::ops::RangeInclusive<char>] = &[
        '\u{ad}'..='\u{ad}',
        '\u{200b}'..='\u{200d}',
        '\u{2060}'..='\u{2064}',
        '\u{feff}'..='\u{feff}',
        '\u{e0000}'..='\u{e007f}',
    ];
    c < ' '
        || ('\u{7f}'..='\u{9f}').contains(&c)
        || c == '\u{2028}'
        || c == '\u{2029}'
        || BIDI.contains(&c)
        || UNSEEN.iter().any(|range| range.contains(&c))
}

const WORDS: &[&[u8]] = &[
    b"\x1b]0;x\x07",
    b"\x1b[31m",
    b"\r",
    b"\n",
    b"\0",
    b"\x7f",
    b"\xc2\x9b",
    b"\xe2\x80\xae",
    b"\xe2\x80\x8b",
    b"\xc2\xad",
    b"\xe2\x80\x8e",
    b"\xe2\x81\xa6",
    b"\xd8\x9c",
    b"\xe2\x80\xa8",
    b"\xff",
    b"\xf0\x9f\x98\x80",
    b"\\",
    b"\\u{1b}",
    b"text",
];
