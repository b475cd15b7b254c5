//! What peers and users send through a layer: the promises of [`Layer`], for any bytes.

use pollcat::error::is_obeyed;
use pollcat::proto::{Crlf, Layer, Passed, ROOM, Sanitize, Telnet};

use crate::seeds::{Seeds, try_all, without_end};

#[test]
fn telnet_inbound() {
    let seeds = Seeds::of("telnet_inbound", TELNET_WORDS);
    let check = |input: &[u8]| {
        let inbound = |layer: &mut Telnet, input: &[u8], output: &mut [u8], reply: &mut Vec<u8>| {
            layer.inbound(input, output, reply)
        };
        let came = keeps_its_promises(inbound, input);
        assert!(came.out.len() + came.reply.len() <= input.len(), "more comes out than went in");
        // All that it ever says is that it will not.
        let refusals = came.reply.chunks(3);
        assert!(refusals.into_iter().all(|it| matches!(it, [IAC, WONT | DONT, _])), "{came:x?}");
    };
    try_all!(seeds, check);
}

#[test]
fn sanitize_inbound() {
    let seeds = Seeds::of("sanitize_inbound", SANITIZE_WORDS);
    let check = |input: &[u8]| {
        let inbound =
            |layer: &mut Sanitize, input: &[u8], output: &mut [u8], reply: &mut Vec<u8>| {
                layer.inbound(input, output, reply)
            };
        let came = keeps_its_promises(inbound, input);
        assert_eq!(came.reply, b"");
        let text = str::from_utf8(&came.out).expect("UTF-8, whatever went in");
        let passes = |c: char| matches!(c, '\r' | '\n' | '\t') || !is_obeyed(c);
        assert!(text.chars().all(passes), "{text:?}");
        let alone = text.split("\r\n").any(|part| part.contains('\r'));
        assert!(!alone, "a CR without its LF: {text:?}");
    };
    try_all!(seeds, check);
}

#[test]
fn crlf_outbound() {
    let seeds = Seeds::of("crlf_outbound", CRLF_WORDS);
    let check = |input: &[u8]| {
        let outbound = |layer: &mut Crlf, input: &[u8], output: &mut [u8], _: &mut Vec<u8>| {
            layer.outbound(input, output)
        };
        let came = keeps_its_promises(outbound, input);
        let bare = |bytes: &[u8]| {
            let after = |at: usize| at > 0 && bytes[at - 1] == b'\r';
            (0..bytes.len()).filter(|&at| bytes[at] == b'\n' && !after(at)).count()
        };
        assert_eq!(bare(&came.out), 0, "a line break is bare");
        assert_eq!(came.out.len(), input.len() + bare(input), "something else was put in");
        assert_eq!(came.reply, b"");
    };
    try_all!(seeds, check);
}

/// Everything that came out of one way of a layer.
#[derive(Debug, Default, PartialEq, Eq)]
struct Came {
    out: Vec<u8>,
    reply: Vec<u8>,
}

fn keeps_its_promises<L: Layer + Default>(way: impl Way<L>, input: &[u8]) -> Came {
    let whole = passes(&way, input, input.len(), MOST_MADE * input.len() + ROOM);
    for (size, room) in [(1, ROOM), (3, ROOM + 1), (input.len(), ROOM + 3)] {
        let cut = passes(&way, input, size, room);
        assert_eq!(cut, whole, "{} cut after {size} into {room}", input.escape_ascii());
    }
    if let Some(long) = without_end(input) {
        let cut = passes(&way, &long, 1000, 777);
        let whole = passes(&way, &long, long.len(), MOST_MADE * long.len() + ROOM);
        assert!(cut == whole, "{} again and again", input.escape_ascii());
    }
    whole
}

/// Sends the input through in pieces of this size, with this room in each call, and holds every call
/// against the contract.
fn passes<L: Layer + Default>(way: &impl Way<L>, input: &[u8], size: usize, room: usize) -> Came {
    let (mut layer, mut came, mut taken) = (L::default(), Came::default(), 0);
    let mut output = vec![0; room];
    for mut piece in input.chunks(size.max(1)) {
        while !piece.is_empty() {
            let replied = came.reply.len();
            let passed = way(&mut layer, piece, &mut output, &mut came.reply);
            assert!(passed.taken <= piece.len() && passed.given <= room);
            assert!(passed.taken + passed.given > 0, "stuck at {piece:x?}");
            assert!(came.reply.len() - replied <= passed.taken + 2, "replies too much at once");
            came.out.extend(&output[..passed.given]);
            (taken, piece) = (taken + passed.taken, &piece[passed.taken..]);
            assert!(came.reply.len() <= taken, "replies more than it was told");
        }
        let nothing = way(&mut layer, b"", &mut output, &mut came.reply);
        assert_eq!(nothing, Passed::default(), "gave what it kept back before the end");
    }
    let rest = layer.inbound_ended(&mut output);
    came.out.extend(&output[..rest]);
    assert_eq!(layer.inbound_ended(&mut output), 0, "kept something back");
    let kept = format!("{layer:?}").len();
    assert!(kept <= MOST_KEPT, "keeps {kept}");
    came
}

/// Which way bytes go: a call of the layer.
trait Way<L>: Fn(&mut L, &[u8], &mut [u8], &mut Vec<u8>) -> Passed {}

impl<L, F: Fn(&mut L, &[u8], &mut [u8], &mut Vec<u8>) -> Passed> Way<L> for F {}

/// Bytes that come of one at most: `\xff`.
const MOST_MADE: usize = 4;

/// Of a layer's form for debugging: a state and nothing else.
const MOST_KEPT: usize = 64;

const IAC: u8 = 255;
const DONT: u8 = 254;
const WONT: u8 = 252;

const TELNET_WORDS: &[&[u8]] = &[
    b"\xff",
    b"\xff\xff",
    b"\xff\xf0",
    b"\xff\xfa",
    b"\xff\xfb",
    b"\xff\xfc",
    b"\xff\xfd",
    b"\xff\xfe",
    b"\xff\xf1",
    b"\xf0",
    b"\xfa",
    b"\x00",
    b"\r\x00",
    b"data",
];

const SANITIZE_WORDS: &[&[u8]] = &[
    b"\x1b",
    b"\x07",
    b"\r",
    b"\n",
    b"\r\n",
    b"\t",
    b"\x7f",
    b"\x9b",
    b"\xc2",
    b"\xe2\x80",
    b"\xae",
    b"\xf0\x9f",
    b"\xed\xa0\x80",
    b"text",
];

const CRLF_WORDS: &[&[u8]] = &[b"\r", b"\n", b"\r\n", b"\n\r", b"\r\r\n", b"line"];
