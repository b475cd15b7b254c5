//! What is shown, however it was cut, held against a look at the whole.

use super::*;
use crate::proto::ROOM;
use crate::proto::tests::{Came, Way, every_cut, every_input, in_pieces, in_random_pieces};
use proptest::prelude::*;

/// What should come out, found by looking at the whole input.
fn expected(input: &[u8]) -> Vec<u8> {
    let mut out = String::new();
    let mut at = 0;
    for chunk in input.utf8_chunks() {
        for c in chunk.valid().chars() {
            let before_lf = input.get(at + 1) == Some(&b'\n');
            match c {
                '\n' | '\t' => out.push(c),
                '\r' if before_lf => out.push(c),
                '\0'..='\x1f' | '\x7f' => out.extend(format!("\\x{:02x}", u32::from(c)).chars()),
                '\u{80}'..='\u{9f}'
                | '\u{61c}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}' => out.extend(c.escape_unicode()),
                c => out.push(c),
            }
            at += c.len_utf8();
        }
        for byte in chunk.invalid() {
            out.extend(format!("\\x{byte:02x}").chars());
            at += 1;
        }
    }
    out.into_bytes()
}

/// [`in_pieces`] to the end of the file.
fn shown<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, rooms: &[usize]) -> Vec<u8> {
    let mut layer = Sanitize::default();
    let came = in_pieces(&mut layer, Way::Inbound, pieces, rooms);
    with_the_end(&mut layer, came)
}

fn with_the_end(layer: &mut Sanitize, mut came: Came) -> Vec<u8> {
    let mut output = [0; ROOM];
    let given = layer.inbound_ended(&mut output);
    came.out.extend(&output[..given]);
    assert_eq!(layer.inbound_ended(&mut output), 0, "said once");
    assert!(came.reply.is_empty());
    came.out
}

#[test]
fn what_a_terminal_would_obey_is_shown() {
    let table: &[(&[u8], &str)] = &[
        (b"plain ~ \\ text\n\tindented\r\n", "plain ~ \\ text\n\tindented\r\n"),
        ("é ☃ 😀 ي".as_bytes(), "é ☃ 😀 ي"),
        (b"\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        (b"\0\x08\x0b\x0c\x7f", "\\x00\\x08\\x0b\\x0c\\x7f"),
        (b"100%\rdone", "100%\\x0ddone"),
        (b"\r\r\n\r", "\\x0d\r\n\\x0d"),
        (b"\x9b31m", "\\x9b31m"),
        (b"\xc2\x9b31m\xc2\x85\xc2\xa0", "\\u{9b}31m\\u{85}\u{a0}"),
        (
            "a\u{202e}b\u{2066}c\u{200f}\u{61c}\u{2028}".as_bytes(),
            "a\\u{202e}b\\u{2066}c\\u{200f}\\u{61c}\\u{2028}",
        ),
        (b"\xff\xfe\xc0\x80", "\\xff\\xfe\\xc0\\x80"),
        (b"\xe2\x80", "\\xe2\\x80"),
        (b"\xe2\x80x", "\\xe2\\x80x"),
        (b"\xf0\x9f\x98\xe2\x98\x83", "\\xf0\\x9f\\x98☃"),
        // A surrogate, and beyond the last character.
        (b"\xed\xa0\x80\xf4\x90\x80\x80", "\\xed\\xa0\\x80\\xf4\\x90\\x80\\x80"),
        (b"\r\xe2\x98\x83", "\\x0d☃"),
    ];
    for (input, out) in table {
        assert_eq!(String::from_utf8_lossy(&expected(input)), *out, "the other implementation");
        for pieces in every_cut(input).take(1 << 10) {
            for room in [LONGEST, LONGEST + 1, 100] {
                let came = shown(pieces.iter().copied(), &[room]);
                assert_eq!(String::from_utf8_lossy(&came), *out, "{pieces:x?} into {room}");
            }
        }
    }
}

#[test]
fn every_short_input_in_every_cut_is_the_same() {
    for input in every_input(b"a\r\n\xe2\x80\xae\xf0", 4) {
        let expected = expected(&input);
        for pieces in every_cut(&input) {
            assert_eq!(shown(pieces.iter().copied(), &[LONGEST]), expected, "{pieces:x?}");
        }
    }
}

#[test]
fn a_character_that_was_cut_waits_for_its_rest_only() {
    let (mut layer, mut output) = (Sanitize::default(), [0; 32]);
    let mut inbound = |input: &[u8]| {
        let passed = layer.inbound(input, &mut output, &mut Vec::new());
        (passed.taken, output[..passed.given].to_vec())
    };
    assert_eq!(inbound(b"a\xe2\x98"), (3, b"a".to_vec()));
    assert_eq!(inbound(b"\x83b"), (2, "☃b".into()));
    assert_eq!(inbound(b"c\r"), (2, b"c".to_vec()));
    assert_eq!(inbound(b"\n"), (1, b"\r\n".to_vec()));
}

#[test]
fn a_piece_is_given_whole_or_not_at_all() {
    let (mut layer, mut output) = (Sanitize::default(), [b'?'; 7]);
    let input = "\u{202e}".as_bytes();
    let passed = layer.inbound(input, &mut output, &mut Vec::new());
    assert_eq!((passed.taken, passed.given), (2, 0), "the last byte waits for room");
    assert_eq!(&output, b"???????");
}

fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"\r\n".to_vec()),
        Just(b"\x1b[31m".to_vec()),
        any::<char>().prop_map(|c| c.to_string().into_bytes()),
        prop::char::range('\u{2000}', '\u{2070}').prop_map(|c| c.to_string().into_bytes()),
        prop::char::range('\u{0}', '\u{ff}').prop_map(|c| c.to_string().into_bytes()),
        prop::collection::vec(any::<u8>(), 1..4),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn what_comes_out_depends_on_the_bytes_only(
        input in hostile(),
        cuts in prop::collection::vec(1usize..9, 1..5),
        rooms in prop::collection::vec(LONGEST..60, 1..5),
    ) {
        let mut layer = Sanitize::default();
        let came = in_random_pieces(&mut layer, Way::Inbound, &input, &cuts, &rooms);
        let out = with_the_end(&mut layer, came);
        prop_assert_eq!(&out, &expected(&input));
        let text = String::from_utf8(out).expect("UTF-8");
        let breaks = |c: char| matches!(c, '\n' | '\t' | '\r');
        prop_assert!(text.chars().all(|c| breaks(c) || !is_obeyed(c)), "{text:?}");
    }

    /// What `Stack` is built on.
    #[test]
    fn what_surely_fits_fits(held in hostile(), input in hostile(), room in 0usize..200) {
        let mut layer = Sanitize::default();
        in_pieces(&mut layer, Way::Inbound, [&held[..]], &[1000]);
        let most = surely_fit(room).min(input.len());
        let mut output = vec![0; room];
        let passed = layer.inbound(&input[..most], &mut output, &mut Vec::new());
        prop_assert_eq!(passed.taken, most);
    }
}
