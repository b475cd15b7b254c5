use super::*;
use crate::proto::tests::{Came, Way, every_cut, every_input, in_pieces, in_random_pieces};
use proptest::prelude::*;

/// What should come out, found by looking at the whole input.
fn expected(mut input: &[u8]) -> Came {
    let mut came = Came::default();
    loop {
        input = match input {
            [] | [IAC] | [IAC, WILL | WONT | DO | DONT] => return came,
            [IAC, IAC, rest @ ..] => {
                came.out.push(IAC);
                rest
            }
            [IAC, verb @ (WILL | WONT | DO | DONT), option, rest @ ..] => {
                let refusal = if [WILL, WONT].contains(verb) { DONT } else { WONT };
                came.reply.extend([IAC, refusal, *option]);
                rest
            }
            [IAC, SB, rest @ ..] => {
                let mut rest = rest;
                while !matches!(rest, [] | [IAC, SE, ..]) {
                    // An IAC takes the next byte with it.
                    let step = if rest[0] == IAC { 2 } else { 1 };
                    rest = rest.get(step..).unwrap_or_default();
                }
                rest.get(2..).unwrap_or_default()
            }
            [IAC, _, rest @ ..] => rest,
            [byte, rest @ ..] => {
                came.out.push(*byte);
                rest
            }
        }
    }
}

/// Input, what stdout gets, what the peer gets. Each leaves the parser in `Data`.
const SCRIPTS: &[(&[u8], &[u8], &[u8])] = &[
    (b"", b"", b""),
    (b"login: ", b"login: ", b""),
    // Observed of Debian's nc 1.219.
    (b"\xff\xfd\x01", b"", b"\xff\xfc\x01"),
    (b"\xff\xfb\x03", b"", b"\xff\xfe\x03"),
    (b"\xff\xfc\x05", b"", b"\xff\xfe\x05"),
    (b"\xff\xfe\x06", b"", b"\xff\xfc\x06"),
    (b"a\xff\xfd\x01\xff\xfb\x03b", b"ab", b"\xff\xfc\x01\xff\xfe\x03"),
    // Option 255 exists (RFC 861); its IAC is not the start of anything.
    (b"\xff\xfb\xffa", b"a", b"\xff\xfe\xff"),
    (b"a\xff\xffb", b"a\xffb", b""),
    (b"\xff\xff\xff\xff\xff\xff", b"\xff\xff\xff", b""),
    (b"\xff\xff\xfb\x01", b"\xff\xfb\x01", b""),
    // NOP, GA, an SE without SB.
    (b"a\xff\xf1b\xff\xf9c\xff\xf0d", b"abcd", b""),
    (b"a\xff\xfa\x18\x01\xff\xf0b", b"ab", b""),
    // Inside SB: a doubled IAC before a byte like SE, something like a command, an SE alone.
    (b"a\xff\xfa\x1f\xff\xff\xf0\xff\xfd\x01\xf0\xff\xf0b", b"ab", b""),
    (b"a\r\0b\r\n", b"a\r\0b\r\n", b""),
];

#[test]
fn scripts_come_out_the_same_however_they_are_cut() {
    for (input, out, reply) in SCRIPTS {
        let whole = Came { out: out.to_vec(), reply: reply.to_vec() };
        assert_eq!(expected(input), whole, "{input:x?}");
        // What follows is data again, every byte of it.
        let input = [input, b"rest".as_slice()].concat();
        let whole = Came { out: [out, b"rest".as_slice()].concat(), ..whole };
        for chunk in 1..=input.len() {
            for room in 2..=whole.out.len() {
                let pieces = input.chunks(chunk);
                let came = in_pieces(&mut Telnet::default(), Way::Inbound, pieces, &[room]);
                assert_eq!(came, whole, "{input:x?} by {chunk} into {room}");
            }
        }
    }
}

#[test]
fn every_short_input_in_every_cut_is_the_same() {
    for input in every_input(&[b'a', IAC, WILL, DONT, SB, SE], 5) {
        let whole = expected(&input);
        for pieces in every_cut(&input) {
            let pieces = pieces.iter().copied();
            let came = in_pieces(&mut Telnet::default(), Way::Inbound, pieces, &[2]);
            assert_eq!(came, whole, "{input:x?}");
        }
    }
}

#[test]
fn a_truncated_command_yields_nothing() {
    for input in [b"a\xff".as_slice(), b"a\xff\xfd", b"a\xff\xfa", b"a\xff\xfa\x18\xff"] {
        let came = in_pieces(&mut Telnet::default(), Way::Inbound, [input], &[8]);
        assert_eq!(came, Came { out: b"a".to_vec(), reply: Vec::new() }, "{input:x?}");
    }
}

#[test]
fn commands_need_no_room_and_data_waits() {
    let (mut layer, mut reply) = (Telnet::default(), Vec::new());
    let passed = layer.inbound(b"\xff\xfd\x01\xff\xff", &mut [], &mut reply);
    assert_eq!(passed, Passed { taken: 4, given: 0 });
    assert_eq!(reply, b"\xff\xfc\x01");
    let refused = Refused { answer: [IAC, WONT, 1], word: "WONT" };
    assert_eq!(refusals(&reply).collect::<Vec<_>>(), [refused]);
    assert_eq!(layer.inbound(b"\xff", &mut [], &mut reply), Passed::default());
    let mut output = [0; 1];
    let passed = layer.inbound(b"\xff", &mut output, &mut reply);
    assert_eq!((passed, output), (Passed { taken: 1, given: 1 }, [IAC]));
}

#[test]
fn a_subnegotiation_without_end_is_swallowed_and_not_kept() {
    let (mut layer, mut reply) = (Telnet::default(), Vec::new());
    layer.inbound(b"\xff\xfa", &mut [], &mut reply);
    let passed = layer.inbound(&vec![b'x'; 100_000], &mut [], &mut reply);
    assert_eq!(passed, Passed { taken: 100_000, given: 0 });
    assert_eq!(layer.state, State::Subnegotiation);
    assert!(reply.is_empty());
}

/// The loop the documentation of [`Telnet`] speaks of.
#[test]
fn two_naive_ends_go_on_but_never_louder() {
    let (mut one, mut other) = (Telnet::default(), Telnet::default());
    let mut said = b"\xff\xfb\x01\xff\xfd\x03".to_vec();
    for _ in 0..100 {
        for end in [&mut one, &mut other] {
            let mut answer = Vec::new();
            let passed = end.inbound(&said, &mut [], &mut answer);
            assert_eq!(passed.taken, said.len());
            assert_eq!(answer.len(), 6);
            said = answer;
        }
    }
}

proptest! {
    #[test]
    fn is_what_the_whole_input_says(
        input in prop::collection::vec(
            prop_oneof![4 => Just(IAC), 6 => SE..IAC, 4 => any::<u8>()],
            0..300,
        ),
        cuts in prop::collection::vec(1usize..40, 1..20),
        rooms in prop::collection::vec(2usize..40, 1..20),
    ) {
        let came = in_random_pieces(&mut Telnet::default(), Way::Inbound, &input, &cuts, &rooms);
        prop_assert!(came.reply.len() + came.out.len() <= input.len());
        prop_assert_eq!(came, expected(&input));
    }
}
