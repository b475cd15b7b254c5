//! The contract of [`Layer`], held against all of them, and the ways to cut input that their own
//! tests use.

use super::*;
use proptest::prelude::*;

/// Which way bytes go.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way {
    Outbound,
    Inbound,
}

/// Everything that came out of one way of a layer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Came {
    pub(super) out: Vec<u8>,
    pub(super) reply: Vec<u8>,
}

/// Sends the pieces through, each as soon as the one before is taken, with the rooms (at least
/// [`ROOM`], or it may get stuck) in turn, and holds every call against the contract.
#[track_caller]
pub(super) fn in_pieces<'a>(
    layer: &mut dyn Layer,
    way: Way,
    pieces: impl IntoIterator<Item = &'a [u8]>,
    rooms: &[usize],
) -> Came {
    let mut came = Came::default();
    let (mut rooms, mut taken) = (rooms.iter().copied().cycle(), 0);
    for mut piece in pieces {
        while !piece.is_empty() {
            let room = rooms.next().expect("a room");
            let mut output = vec![UNTOUCHED; room];
            let replied = came.reply.len();
            let passed = match way {
                Way::Outbound => layer.outbound(piece, &mut output),
                Way::Inbound => layer.inbound(piece, &mut output, &mut came.reply),
            };
            assert!(passed.taken + passed.given > 0, "stuck at {piece:x?}");
            assert!(output[passed.given..].iter().all(|&byte| byte == UNTOUCHED), "wrote beyond");
            assert!(came.reply.len() - replied <= passed.taken + 2, "answers too much");
            came.out.extend(&output[..passed.given]);
            taken += passed.taken;
            piece = &piece[passed.taken..];
        }
        assert!(came.reply.len() <= taken, "answers more than it was told");
    }
    came
}

/// [`in_pieces`], cut after `cuts` bytes in turn.
#[track_caller]
pub(super) fn in_random_pieces(
    layer: &mut dyn Layer,
    way: Way,
    mut input: &[u8],
    cuts: &[usize],
    rooms: &[usize],
) -> Came {
    let pieces = cuts.iter().cycle().map_while(|&cut| {
        let (piece, rest) = input.split_at(cut.min(input.len()));
        input = rest;
        (!piece.is_empty()).then_some(piece)
    });
    in_pieces(layer, way, pieces, rooms)
}

/// All inputs of at most `longest` bytes of the alphabet.
pub(super) fn every_input(alphabet: &[u8], longest: usize) -> Vec<Vec<u8>> {
    let mut inputs = vec![Vec::new()];
    let mut from = 0;
    for _ in 0..longest {
        let shorter = from..inputs.len();
        from = inputs.len();
        for at in shorter {
            inputs.extend(
                alphabet
                    .iter()
                    .map(|byte| [&inputs[at][..], &[*byte]].concat())
                    .collect::<Vec<_>>(),
            );
        }
    }
    inputs
}

/// All ways to cut a short input into pieces: each bit of `cuts` is a place between two bytes.
pub(super) fn every_cut(input: &[u8]) -> impl Iterator<Item = Vec<&[u8]>> {
    let places = input.len().saturating_sub(1);
    (0..1usize << places).map(move |cuts| {
        let mut pieces = Vec::new();
        let mut rest = input;
        for place in (0..places).rev().filter(|place| cuts >> place & 1 == 1) {
            let (before, piece) = rest.split_at(place + 1);
            pieces.push(piece);
            rest = before;
        }
        pieces.push(rest);
        pieces.reverse();
        pieces
    })
}

fn full() -> Stack {
    Stack {
        crlf: Some(Crlf::default()),
        telnet: Some(Telnet::default()),
        sanitize: Some(Sanitize::default()),
    }
}

#[test]
fn every_cut_is_every_cut() {
    let cuts: Vec<_> = every_cut(b"abc").collect();
    let [a, b, c, ab, bc, abc]: [&[u8]; 6] = [b"a", b"b", b"c", b"ab", b"bc", b"abc"];
    assert_eq!(cuts, [vec![abc], vec![a, bc], vec![ab, c], vec![a, b, c]]);
    assert_eq!(every_input(b"ab", 2), [&b""[..], b"a", b"b", b"aa", b"ab", b"ba", b"bb"]);
}

#[test]
fn an_empty_stack_changes_nothing() {
    for way in [Way::Outbound, Way::Inbound] {
        let input = b"a\nb\xff\xfd\x01".as_slice();
        let came = in_pieces(&mut Stack::default(), way, [input], &[2]);
        assert_eq!(came, Came { out: input.to_vec(), reply: Vec::new() });
    }
}

#[test]
fn a_full_stack_does_all() {
    let mut stack = full();
    let out = in_pieces(&mut stack, Way::Outbound, [b"a\n\xff\x1b".as_slice()], &[2]);
    assert_eq!(out, Came { out: b"a\r\n\xff\x1b".to_vec(), reply: Vec::new() });
    // The command stands inside a character, and the byte 0xff that is data is no UTF-8.
    let input = b"a\n\xe2\xff\xfd\x01\x98\x83\x1b\xff\xff\r".as_slice();
    let back = in_pieces(&mut stack, Way::Inbound, [input], &[ROOM]);
    let shown = "a\n☃\\x1b\\xff".as_bytes().to_vec();
    assert_eq!(back, Came { out: shown, reply: b"\xff\xfc\x01".to_vec() });
    let mut rest = [0; ROOM];
    assert_eq!(stack.inbound_ended(&mut rest), 4);
    assert_eq!(&rest[..4], b"\\x0d");
    assert_eq!(Stack::default().inbound_ended(&mut rest), 0);
}

proptest! {
    /// What [`Stack`] is built on. A layer that breaks it needs a buffer between the two.
    #[test]
    fn each_layer_is_silent_the_other_way(
        input in prop::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), 240u8..=255], 0..100),
        cuts in prop::collection::vec(1usize..10, 1..5),
        rooms in prop::collection::vec(2usize..10, 1..5),
    ) {
        let same = Came { out: input.clone(), reply: Vec::new() };
        let (crlf, telnet) = (&mut Crlf::default(), &mut Telnet::default());
        let sanitize = &mut Sanitize::default();
        prop_assert_eq!(&in_random_pieces(sanitize, Way::Outbound, &input, &cuts, &rooms), &same);
        prop_assert_eq!(&in_random_pieces(crlf, Way::Inbound, &input, &cuts, &rooms), &same);
        prop_assert_eq!(&in_random_pieces(telnet, Way::Outbound, &input, &cuts, &rooms), &same);
    }

    /// One after the other with all the room in the world between them is what the stack has to be.
    #[test]
    fn telnet_then_sanitize_is_the_same_in_one_go(
        input in prop::collection::vec(prop_oneof![Just(b'a'), Just(0x1b), Just(0xe2), any::<u8>(), 240u8..=255], 0..200),
        cuts in prop::collection::vec(1usize..10, 1..5),
        rooms in prop::collection::vec(ROOM..60, 1..5),
    ) {
        let mut stack = Stack { crlf: None, ..full() };
        let came = in_random_pieces(&mut stack, Way::Inbound, &input, &cuts, &rooms);
        let plain = in_pieces(&mut Telnet::default(), Way::Inbound, [&input[..]], &[1000]);
        let shown = in_pieces(&mut Sanitize::default(), Way::Inbound, [&plain.out[..]], &[4000]);
        prop_assert_eq!(came, Came { out: shown.out, reply: plain.reply });
    }

    /// [`in_pieces`] checks the contract; here no room is too small to be offered.
    #[test]
    fn nothing_panics(
        calls in prop::collection::vec(
            (any::<bool>(), prop::collection::vec(prop_oneof![Just(b'\n'), any::<u8>(), 240u8..=255], 0..20), 0usize..20),
            0..50,
        ),
    ) {
        let (mut stack, mut reply) = (full(), Vec::new());
        for (outbound, input, room) in calls {
            let mut output = vec![0; room];
            let passed = if outbound {
                stack.outbound(&input, &mut output)
            } else {
                stack.inbound(&input, &mut output, &mut reply)
            };
            prop_assert!(passed.taken <= input.len() && passed.given <= room);
            prop_assert!(room < ROOM || input.is_empty() || passed.taken + passed.given > 0);
        }
    }
}

/// Fills the room of a call, so that a byte written beyond `given` shows.
const UNTOUCHED: u8 = 0xa5;
