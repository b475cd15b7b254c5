//! Bytes that pass a filter on their way: what it makes of them arrives whole, in order, and in as many
//! datagrams as it takes.

use super::*;

/// A carriage return before each line feed: as `-C`, a step that needs room for two bytes or waits.
fn crlf(input: &[u8], output: &mut [u8]) -> (usize, usize) {
    let (mut taken, mut given) = (0, 0);
    for &byte in input {
        let piece: &[u8] = if byte == b'\n' { b"\r\n" } else { &[byte] };
        let Some(room) = output[given..].get_mut(..piece.len()) else { break };
        room.copy_from_slice(piece);
        (taken, given) = (taken + 1, given + piece.len());
    }
    (taken, given)
}

/// Takes each write as one datagram.
#[derive(Default)]
struct Datagrams(Vec<Vec<u8>>);

impl ByteSink for Datagrams {
    fn try_write(&mut self, from: &[u8]) -> io::Result<Attempt> {
        self.0.push(from.to_vec());
        Ok(Attempt::Moved(from.len()))
    }
}

fn datagrams_of(framing: Framing, input: &[u8]) -> Vec<String> {
    let mut flow = Flow::new("test", Queue::packets(framing));
    let mut source = Script::new([]).holding(input.iter().copied());
    let mut sink = Datagrams::default();
    let progress = flow.pump(&mut source, &mut sink, Some(&mut crlf), allow(BOTH, PLENTY));
    assert!(progress.finished && flow.lost() == 0, "{progress:?}");
    sink.0.iter().map(|datagram| datagram.escape_ascii().to_string()).collect()
}

#[test]
fn a_line_is_one_datagram_with_what_the_filter_has_added() {
    assert_eq!(
        datagrams_of(Framing::Line(100), b"a\n\nbc\nrest"),
        [r"a\r\n", r"\r\n", r"bc\r\n", "rest"]
    );
}

#[test]
fn a_line_that_comes_in_pieces_is_still_one_datagram() {
    let mut flow = Flow::new("test", Queue::packets(Framing::Line(100)));
    let mut source = Script::new([Step::UpTo(2), Step::Block]).holding(*b"abc\n");
    let mut sink = Datagrams::default();
    flow.pump(&mut source, &mut sink, Some(&mut crlf), allow(BOTH, PLENTY));
    assert!(sink.0.is_empty() && flow.holds_bytes(), "its end is still to come");
    flow.pump(&mut source, &mut sink, Some(&mut crlf), allow(BOTH, PLENTY));
    assert_eq!(sink.0, [b"abc\r\n"]);
}

#[test]
fn where_the_next_step_does_not_fit_the_piece_leaves() {
    assert_eq!(datagrams_of(Framing::Line(3), b"ab\ncde\n"), ["ab", r"\r\n", "cde", r"\r\n"]);
}

#[test]
fn what_a_filter_has_not_passed_yet_is_lost_with_the_flow() {
    let mut flow = flow();
    let mut source = Script::new([Step::UpTo(8), Step::Block]).holding(*b"12345678");
    let mut none: Filter<'_> = &mut |_, _| (0, 0);
    flow.pump(&mut source, &mut Script::new([]), Some(&mut none), allow(BOTH, PLENTY));
    assert!(flow.holds_bytes());
    flow.abandon();
    assert_eq!((flow.delivered(), flow.lost()), (0, 8));
}

#[test]
fn at_the_end_of_its_source_a_flow_still_passes_what_was_read() {
    let mut flow = flow();
    let mut source = Script::new([]).holding(*b"a\n");
    let mut sink = Script::new([Step::Block]);
    flow.pump(&mut source, &mut sink, Some(&mut crlf), allow(BOTH, PLENTY));
    assert_eq!(flow.state(), State::Draining);
    assert!(flow.pump(&mut source, &mut sink, Some(&mut crlf), allow(BOTH, PLENTY)).finished);
    assert_eq!(sink.bytes, b"a\r\n");
}

proptest! {
    /// Also where the sink lets the queue run full, so that the filter has to wait for room.
    #[test]
    fn what_a_filter_makes_arrives_in_order(
        len in 0usize..100_000,
        reads in prop::collection::vec(step(), 0..40),
        writes in prop::collection::vec(step(), 0..40),
        budget in 1000usize..100_000,
    ) {
        let input: Vec<u8> = (0..=20).cycle().take(len).collect();
        let mut expected = vec![0; 2 * len];
        let (taken, given) = crlf(&input, &mut expected);
        prop_assert_eq!(taken, len);
        let mut source = Script::new(reads).holding(input);
        let mut sink = Script::new(writes);
        let mut flow = flow();
        for _ in 0..1000 {
            flow.pump(&mut source, &mut sink, Some(&mut crlf), allow(BOTH, budget));
        }
        prop_assert_eq!((flow.state(), flow.lost()), (State::Finished, 0));
        prop_assert_eq!(flow.delivered(), given as u64);
        prop_assert!(sink.bytes.iter().eq(&expected[..given]));
    }
}

#[test]
fn a_filter_may_take_and_give_nothing() {
    // One byte a call, and no x.
    let mut sieve: Filter<'_> = &mut |input, output| match input[0] {
        b'x' => (1, 0),
        byte => {
            output[0] = byte;
            (1, 1)
        }
    };
    let mut source = Script::new([Step::UpTo(6), Step::Block]).holding(*b"xxaxbx");
    let (mut flow, mut sink) = (flow(), Script::new([]));
    flow.pump(&mut source, &mut sink, Some(&mut sieve), allow(BOTH, PLENTY));
    assert_eq!(sink.bytes, b"ab");
    assert!(!flow.holds_bytes());
}
