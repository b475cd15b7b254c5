//! `-C`: lines end in CR LF on the wire.
//!
//! Owns: which LF gets a CR. Must not know: that lines mean anything else.
//! Differs from Debian, which looks for the CR in the same read only and so makes CR CR LF out of a
//! pair that two reads have cut.

use super::{Layer, Passed};

/// Puts a CR before each LF that has none. What comes in is left alone.
#[derive(Debug, Default)]
pub struct Crlf {
    /// The last byte taken was a CR: an LF that is next has its CR already.
    after_cr: bool,
}

impl Layer for Crlf {
    /// A CR that is put in is never given without its LF: with room for only one of them, the LF
    /// waits. A pair that was typed is passed on like any two bytes.
    fn outbound(&mut self, input: &[u8], output: &mut [u8]) -> Passed {
        let mut passed = Passed::default();
        loop {
            passed.pass_until(LF, input, output);
            if let Some(last) = input[..passed.taken].last() {
                self.after_cr = *last == CR;
            }
            if input.get(passed.taken) != Some(&LF) {
                return passed;
            }
            let ending: &[u8] = if self.after_cr { &[LF] } else { &[CR, LF] };
            if !passed.give(ending, output) {
                return passed;
            }
            passed.taken += 1;
        }
    }

    fn inbound(&mut self, input: &[u8], output: &mut [u8], _reply: &mut Vec<u8>) -> Passed {
        Passed::unchanged(input, output)
    }
}

const CR: u8 = b'\r';
const LF: u8 = b'\n';

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::tests::{Came, Way, every_cut, every_input, in_pieces, in_random_pieces};
    use proptest::prelude::*;

    /// What should come out, found by looking at the whole input.
    fn expected(input: &[u8]) -> Came {
        let bytes = input.iter().enumerate().flat_map(|(at, &byte)| {
            let bare = byte == LF && (at == 0 || input[at - 1] != CR);
            bare.then_some(CR).into_iter().chain([byte])
        });
        Came { out: bytes.collect(), reply: Vec::new() }
    }

    #[test]
    fn every_bare_lf_gets_a_cr_however_it_is_cut() {
        for (input, out) in [
            ("", ""),
            ("a", "a"),
            ("\n", "\r\n"),
            ("a\nbb\n", "a\r\nbb\r\n"),
            ("a\r\nb", "a\r\nb"),
            ("\n\n\n", "\r\n\r\n\r\n"),
            ("\r\n\n", "\r\n\r\n"),
            ("\r\r\n", "\r\r\n"),
            ("\n\r", "\r\n\r"),
            ("\ra\n", "\ra\r\n"),
        ] {
            assert_eq!(expected(input.as_bytes()).out, out.as_bytes(), "{input:?}");
            // What follows must neither be held nor changed.
            let input = [input, "rest"].concat();
            let out = [out, "rest"].concat();
            for chunk in 1..=input.len() {
                for room in 2..=out.len() {
                    let pieces = input.as_bytes().chunks(chunk);
                    let came = in_pieces(&mut Crlf::default(), Way::Outbound, pieces, &[room]);
                    assert_eq!(came.out, out.as_bytes(), "{input:?} by {chunk} into {room}");
                }
            }
        }
    }

    #[test]
    fn every_short_input_in_every_cut_is_the_same() {
        for input in every_input(b"a\r\n", 6) {
            for pieces in every_cut(&input) {
                for room in 2..=4 {
                    let pieces = pieces.iter().copied();
                    let came = in_pieces(&mut Crlf::default(), Way::Outbound, pieces, &[room]);
                    assert_eq!(came, expected(&input), "{input:?} into {room}");
                }
            }
        }
    }

    #[test]
    fn a_cr_in_an_earlier_call_counts() {
        let (mut layer, mut output) = (Crlf::default(), [0; 8]);
        assert_eq!(layer.outbound(b"a\r", &mut output), Passed { taken: 2, given: 2 });
        assert_eq!(layer.outbound(b"", &mut output), Passed::default());
        assert_eq!(layer.outbound(b"\nb", &mut output), Passed { taken: 2, given: 2 });
        assert_eq!(&output[..2], b"\nb");
    }

    #[test]
    fn a_cr_is_not_given_without_its_lf() {
        let (mut layer, mut output) = (Crlf::default(), [b'?'; 3]);
        assert_eq!(layer.outbound(b"ab\nc", &mut output), Passed { taken: 2, given: 2 });
        assert_eq!(&output, b"ab?");
        assert_eq!(layer.outbound(b"\nc", &mut output[..1]), Passed::default());
        assert_eq!(layer.outbound(b"\nc", &mut output), Passed { taken: 2, given: 3 });
        assert_eq!(&output, b"\r\nc");
    }

    #[test]
    fn a_typed_pair_may_be_given_one_by_one() {
        let (mut layer, mut output) = (Crlf::default(), [0; 1]);
        assert_eq!(layer.outbound(b"\r\n", &mut output), Passed { taken: 1, given: 1 });
        assert_eq!(layer.outbound(b"\n", &mut output), Passed { taken: 1, given: 1 });
        assert_eq!(&output, b"\n");
    }

    proptest! {
        #[test]
        fn is_what_the_whole_input_says(
            input in prop::collection::vec(prop_oneof![Just(CR), Just(LF), any::<u8>()], 0..300),
            cuts in prop::collection::vec(1usize..40, 1..20),
            rooms in prop::collection::vec(2usize..40, 1..20),
        ) {
            let came = in_random_pieces(&mut Crlf::default(), Way::Outbound, &input, &cuts, &rooms);
            prop_assert_eq!(came, expected(&input));
        }
    }
}
