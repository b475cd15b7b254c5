//! One direction against scripted ends: whatever they do, no byte is lost, invented or reordered.

use std::num::NonZeroU64;

use proptest::prelude::*;

use super::*;
use crate::testing::{Script, Step, epoch};

const BOTH: Ends = Ends { source: true, sink: true };
const PLENTY: usize = 1 << 20;

fn allow(ready: Ends, budget: usize) -> Allowance {
    Allowance { ready, budget, now: epoch() }
}

fn flow() -> Flow {
    Flow::new("test", Queue::stream())
}

/// A flow with bytes on board whose source has ended.
fn draining() -> (Flow, Script, Script) {
    let (mut flow, mut source, mut sink) =
        (flow(), Script::new([]).holding(*b"held"), Script::new([Step::Block]));
    let progress = flow.pump(&mut source, &mut sink, None, allow(BOTH, PLENTY));
    assert!(progress.blocked.sink);
    assert_eq!(flow.state(), State::Draining);
    (flow, source, sink)
}

#[test]
fn open_source_ends_with_nothing_held_finishes() {
    let mut flow = flow();
    let progress = flow.pump(&mut Script::new([]), &mut Script::new([]), None, allow(BOTH, PLENTY));
    assert!(progress.finished);
    assert_eq!(flow.state(), State::Finished);
}

#[test]
fn draining_sink_takes_the_rest_finishes_once() {
    let (mut flow, mut source, mut sink) = draining();
    assert!(flow.pump(&mut source, &mut sink, None, allow(BOTH, PLENTY)).finished);
    assert_eq!(sink.bytes, b"held");
    assert!(!flow.pump(&mut source, &mut sink, None, allow(BOTH, PLENTY)).finished, "said once");
}

#[test]
fn draining_sink_fails_counts_what_is_lost() {
    let (mut flow, mut source, _) = draining();
    let mut broken = Script::new([Step::UpTo(1), Step::Fail(io::ErrorKind::BrokenPipe)]);
    let progress = flow.pump(&mut source, &mut broken, None, allow(BOTH, PLENTY));
    assert!(matches!(progress.failure, Some(Failure::Sink(_))));
    assert_eq!((flow.state(), flow.delivered(), flow.lost()), (State::Abandoned, 1, 3));
}

#[test]
fn open_source_fails_after_bytes_delivers_them() {
    let mut source = Script::new([Step::UpTo(2), Step::Fail(io::ErrorKind::ConnectionReset)]);
    source.bytes.extend(b"ab");
    let (mut flow, mut sink) = (flow(), Script::new([]));
    let progress = flow.pump(&mut source, &mut sink, None, allow(BOTH, PLENTY));
    assert!(matches!(progress.failure, Some(Failure::Source(_))));
    assert_eq!(sink.bytes, b"ab");
    assert_eq!((flow.state(), flow.lost()), (State::Finished, 0));
}

#[test]
fn open_stopped_delivers_what_is_held_and_reads_no_more() {
    let mut source = Script::new([Step::UpTo(4)]).holding(*b"heldmore");
    let (mut flow, mut sink) = (flow(), Script::new([Step::Block]));
    flow.pump(&mut source, &mut sink, None, allow(Ends { source: true, sink: true }, 4));
    flow.stop();
    assert_eq!(flow.state(), State::Draining);
    assert!(flow.pump(&mut source, &mut sink, None, allow(BOTH, PLENTY)).finished);
    assert_eq!((sink.bytes.len(), source.bytes.len()), (4, 4));
}

#[test]
fn open_abandoned_drops_and_counts() {
    let (mut flow, _, _) = draining();
    flow.abandon();
    flow.abandon();
    assert_eq!((flow.state(), flow.lost()), (State::Abandoned, 4));
}

#[test]
fn open_reads_used_up_drains() {
    let mut source = Script::new([Step::UpTo(3), Step::UpTo(3)]).holding(*b"abcdefgh");
    let mut flow = Flow::new("test", Queue::stream()).with_reads(NonZeroU64::new(2));
    let mut sink = Script::new([]);
    assert!(flow.pump(&mut source, &mut sink, None, allow(BOTH, PLENTY)).finished);
    assert!(flow.reads_are_used_up());
    assert_eq!(sink.bytes, b"abcdef");
}

#[test]
fn an_unused_flow_is_finished_and_touches_nothing() {
    let mut flow = Flow::unused("test");
    let mut source = Script::new([Step::Fail(io::ErrorKind::Other)]);
    let progress = flow.pump(&mut source, &mut Script::new([]), None, allow(BOTH, PLENTY));
    assert!(!progress.finished && progress.failure.is_none());
    assert_eq!(source.steps.len(), 1);
}

#[test]
fn the_budget_bounds_what_is_read_and_says_so() {
    let mut source = Script::new([]).holding(vec![7; 3 * BUFFER]);
    let (mut flow, mut sink) = (flow(), Script::new([]));
    let progress = flow.pump(&mut source, &mut sink, None, allow(BOTH, BUFFER + 1));
    assert!(progress.more);
    assert_eq!(sink.bytes.len(), 2 * BUFFER, "the read that spends it may go over");
}

#[test]
fn a_full_buffer_holds_the_source_back_without_a_word_about_it() {
    let mut source = Script::new([]).holding(vec![7; 3 * BUFFER]);
    let (mut flow, mut sink) = (flow(), Script::new([]));
    let stalled = Ends { source: true, sink: false };
    let progress = flow.pump(&mut source, &mut sink, None, allow(stalled, PLENTY));
    assert_eq!(progress.blocked, Ends::default(), "nobody said EAGAIN, so no bit may be cleared");
    assert!(!progress.more, "the sink will say when");
    assert_eq!(source.bytes.len(), 2 * BUFFER);
}

#[test]
fn the_diagram_shows_the_edges() {
    crate::testing::assert_diagram("Flow", &State::ALL, State::leads_to);
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1usize..5000).prop_map(Step::UpTo),
        2 => Just(Step::Block),
        1 => Just(Step::Interrupt),
    ]
}

proptest! {
    /// Output equals input, the buffer is bounded, progress never stops for good.
    #[test]
    fn every_byte_arrives_in_order(
        len in 0usize..200_000,
        reads in prop::collection::vec(step(), 0..80),
        writes in prop::collection::vec(step(), 0..80),
        budget in 1000usize..100_000,
    ) {
        let input: Vec<u8> = (0..=250).cycle().take(len).collect();
        let mut source = Script::new(reads).holding(input.iter().copied());
        let mut sink = Script::new(writes);
        let mut flow = flow();
        let mut turns = 0;
        while !flow.state().is_over() {
            let before = (source.bytes.len(), sink.bytes.len(), source.steps.len(), sink.steps.len());
            let progress = flow.pump(&mut source, &mut sink, None, allow(BOTH, budget));
            prop_assert!(progress.failure.is_none());
            prop_assert!(len - source.bytes.len() - sink.bytes.len() <= BUFFER);
            let after = (source.bytes.len(), sink.bytes.len(), source.steps.len(), sink.steps.len());
            prop_assert!(before != after || flow.state().is_over(), "stuck");
            turns += 1;
            prop_assert!(turns < 1000);
        }
        prop_assert_eq!(flow.state(), State::Finished);
        prop_assert_eq!(flow.delivered(), len as u64);
        prop_assert!(sink.bytes.iter().eq(input.iter()));
    }

    /// Wherever an end breaks, each byte read is delivered or counted as lost.
    #[test]
    fn every_byte_is_accounted_for(
        len in 0usize..200_000,
        reads in prop::collection::vec(step(), 0..40),
        writes in prop::collection::vec(step(), 0..40),
        source_breaks: bool,
    ) {
        let fail = Step::Fail(io::ErrorKind::ConnectionReset);
        let (mut reads, mut writes) = (reads, writes);
        if source_breaks { reads.push(fail) } else { writes.push(fail) }
        let mut source = Script::new(reads).holding(vec![1; len]);
        let mut sink = Script::new(writes);
        let mut flow = flow();
        for _ in 0..1000 {
            flow.pump(&mut source, &mut sink, None, allow(BOTH, PLENTY));
        }
        prop_assert!(flow.state().is_over());
        let read = (len - source.bytes.len()) as u64;
        prop_assert_eq!(flow.delivered() + flow.lost(), read);
        prop_assert_eq!(flow.delivered(), sink.bytes.len() as u64);
    }
}
