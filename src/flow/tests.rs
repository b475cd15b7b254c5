//! One direction against scripted ends: whatever they do, no byte is lost, invented or reordered.

use std::num::NonZeroU64;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::datagram::LARGEST;
use crate::nonblock::{FIRST, PIPE, PipeEnd, Splicing};
use crate::testing::{Script, Step, epoch};

mod filtering;
mod holding;

const BOTH: Ends = Ends { source: true, sink: true };
const PLENTY: usize = 1 << 20;

fn allow(ready: Ends, budget: usize) -> Allowance {
    Allowance { ready, budget, now: epoch() }
}

fn flow() -> Flow {
    Flow::new("test", Queue::stream())
}

/// A flow that is known to carry bulk: the next bytes go around the queue.
fn flow_around_the_queue() -> Flow {
    let pipe = crate::testing::conduit().expect("a pipe");
    Flow { transfer: Transfer::Through(Box::new(through::Through::over(pipe))), ..flow() }
}

/// Each way of crossing from one script to the other.
fn each_transfer() -> [Flow; 2] {
    [flow(), flow_around_the_queue()]
}

/// Flows with bytes on board whose source has ended.
fn draining() -> impl Iterator<Item = (Flow, Script, Script)> {
    each_transfer().into_iter().map(|mut flow| {
        let mut source = Script::new([]).holding(*b"held").spliceable();
        let mut sink = Script::new([Step::Block]).spliceable();
        let progress = flow.pump(&mut source, &mut sink, None, allow(BOTH, PLENTY));
        assert!(progress.blocked.sink && flow.waits_for_sink());
        assert_eq!(flow.state(), State::Draining);
        (flow, source, sink)
    })
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
    for (mut flow, mut source, mut sink) in draining() {
        assert!(flow.pump(&mut source, &mut sink, None, allow(BOTH, PLENTY)).finished);
        assert_eq!(sink.bytes, b"held");
        assert!(
            !flow.pump(&mut source, &mut sink, None, allow(BOTH, PLENTY)).finished,
            "said once"
        );
    }
}

#[test]
fn draining_sink_fails_counts_what_is_lost() {
    for (mut flow, mut source, _) in draining() {
        let breaks = [Step::UpTo(1), Step::Fail(io::ErrorKind::BrokenPipe)];
        let mut broken = Script::new(breaks).spliceable();
        let progress = flow.pump(&mut source, &mut broken, None, allow(BOTH, PLENTY));
        assert!(matches!(progress.failure, Some(Failure::Sink(_))));
        assert_eq!((flow.state(), flow.delivered(), flow.lost()), (State::Abandoned, 1, 3));
    }
}

#[test]
fn open_source_fails_after_bytes_delivers_them() {
    for mut flow in each_transfer() {
        let steps = [Step::UpTo(2), Step::Fail(io::ErrorKind::ConnectionReset)];
        let mut source = Script::new(steps).holding(*b"ab").spliceable();
        let mut sink = Script::new([]).spliceable();
        let progress = flow.pump(&mut source, &mut sink, None, allow(BOTH, PLENTY));
        assert!(matches!(progress.failure, Some(Failure::Source(_))));
        assert_eq!(sink.bytes, b"ab");
        assert_eq!((flow.state(), flow.lost()), (State::Finished, 0));
    }
}

#[test]
fn open_stopped_delivers_what_is_held_and_reads_no_more() {
    for mut flow in each_transfer() {
        let mut source = Script::new([Step::UpTo(4)]).holding(*b"heldmore").spliceable();
        let mut sink = Script::new([Step::Block]).spliceable();
        flow.pump(&mut source, &mut sink, None, allow(BOTH, 4));
        flow.stop();
        assert_eq!(flow.state(), State::Draining);
        assert!(flow.pump(&mut source, &mut sink, None, allow(BOTH, PLENTY)).finished);
        assert_eq!((sink.bytes.len(), source.bytes.len()), (4, 4));
    }
}

#[test]
fn open_abandoned_drops_and_counts() {
    for (mut flow, _, _) in draining() {
        flow.abandon();
        flow.abandon();
        assert_eq!((flow.state(), flow.lost()), (State::Abandoned, 4));
    }
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

// anchor: budget
#[test]
fn the_budget_bounds_what_is_read_and_says_so() {
    let mut source = Script::new([]).holding(vec![7; 3 * BUFFER]);
    let (mut flow, mut sink) = (flow(), Script::new([]));
    let progress = flow.pump(&mut source, &mut sink, None, allow(BOTH, BUFFER + 1));
    assert!(progress.more);
    let moved = sink.bytes.len();
    assert!((BUFFER + 1..=2 * BUFFER).contains(&moved), "the read that spends it may go over");
}
// end: budget

#[test]
fn a_full_buffer_holds_the_source_back_without_a_word_about_it() {
    let mut source = Script::new([]).holding(vec![7; 3 * BUFFER]);
    let (mut flow, mut sink) = (flow(), Script::new([]));
    let stalled = Ends { source: true, sink: false };
    let progress = flow.pump(&mut source, &mut sink, None, allow(stalled, PLENTY));
    assert_eq!(progress.blocked, Ends::default(), "nobody said EAGAIN, so no bit may be cleared");
    assert!(!progress.more, "the sink will say when");
    assert_eq!(source.bytes.len(), 3 * BUFFER - FIRST, "a slow sink makes nobody grow");
}

#[test]
fn a_full_pipe_holds_the_source_back_without_a_word_about_it() {
    let mut source = Script::new([]).holding(vec![7; 2 * PIPE]).spliceable();
    let (mut flow, mut sink) = (flow_around_the_queue(), Script::new([]).spliceable());
    let stalled = Ends { source: true, sink: false };
    let progress = flow.pump(&mut source, &mut sink, None, allow(stalled, PLENTY));
    assert_eq!(progress.blocked, Ends::default(), "nobody said EAGAIN, so no bit may be cleared");
    assert!(!progress.more && flow.waits_for_sink(), "the sink will say when");
    assert_eq!(source.bytes.len(), PIPE);
}

#[test]
fn a_read_that_fills_the_queue_is_the_last_for_now() {
    let mut source = Script::new([]).holding(vec![7; 3 * BUFFER]).spliceable();
    let (mut flow, mut sink) = (flow(), Script::new([]).spliceable());
    let progress = flow.pump(&mut source, &mut sink, None, allow(BOTH, BUFFER + 1));
    assert!(progress.more);
    assert!(matches!(flow.transfer, Transfer::Through(_)), "{:?}", flow.transfer);
    source.steps.push_back(Step::UpTo(1));
    source.steps.push_back(Step::Block);
    flow.pump(&mut source, &mut sink, None, allow(BOTH, PLENTY));
    assert!(matches!(flow.transfer, Transfer::Watching), "quiet again: {:?}", flow.transfer);
}

#[test]
fn a_sink_that_refuses_gets_what_the_pipe_held_by_write() {
    let mut source = Script::new([]).holding((0..=250).cycle().take(5 * BUFFER)).spliceable();
    let expected = source.bytes.clone();
    let mut sink = Script::new([Step::UpTo(10), Step::Refuse]).spliceable();
    let mut flow = flow_around_the_queue();
    flow.pump(&mut source, &mut sink, None, allow(BOTH, 3 * BUFFER));
    assert!(matches!(flow.transfer, Transfer::Buffered), "for good: {:?}", flow.transfer);
    assert!(flow.pump(&mut source, &mut sink, None, allow(BOTH, PLENTY)).finished);
    assert!(sink.bytes == expected);
}

#[test]
fn bytes_that_somebody_has_to_see_never_go_around_the_queue() {
    let filter: Filter<'_> = &mut |input, output| {
        let n = input.len().min(output.len());
        output[..n].copy_from_slice(&input[..n]);
        (n, n)
    };
    let ways = [
        flow().with_reads(NonZeroU64::new(100)),
        flow().with_pace(Some(Pace::new(Duration::ZERO))),
        flow().with_rate(NonZeroU64::new(Rate::LARGEST).map(|most| Rate::new(most, epoch()))),
        Flow::new("test", Queue::received(BUFFER)),
    ];
    for mut flow in ways {
        let mut source = Script::new([]).holding(vec![7; 3 * BUFFER]).spliceable();
        let mut sink = Script::new([]).spliceable();
        // Late enough for a bucket to have filled.
        flow.pump(
            &mut source,
            &mut sink,
            None,
            Allowance { now: after(1000), ..allow(BOTH, 2 * BUFFER) },
        );
        assert!(
            !sink.bytes.is_empty() && !matches!(flow.transfer, Transfer::Through(_)),
            "{flow:?}"
        );
    }
    let mut source = Script::new([]).holding(vec![7; 3 * BUFFER]).spliceable();
    let (mut flow, mut sink) = (flow(), Script::new([]).spliceable());
    flow.pump(&mut source, &mut sink, Some(filter), allow(BOTH, 2 * BUFFER));
    assert!(matches!(flow.transfer, Transfer::Watching));
}

fn after(millis: u64) -> Instant {
    epoch() + Duration::from_millis(millis)
}

/// A flow of 1000 bytes a second.
fn slow(queue: Queue) -> Flow {
    let rate = NonZeroU64::new(1000).map(|rate| Rate::new(rate, epoch()));
    Flow::new("test", queue).with_rate(rate)
}

#[test]
fn a_rate_leaves_bytes_in_the_source_and_says_when_to_come_back() {
    let mut source = Script::new([]).holding(vec![7; 150]);
    let (mut flow, mut sink) = (slow(Queue::stream()), Script::new([]));
    let mut pump = |flow: &mut Flow, at| {
        let allowance = Allowance { ready: BOTH, budget: PLENTY, now: after(at) };
        let progress = flow.pump(&mut source, &mut sink, None, allowance);
        assert_eq!(progress.blocked, Ends::default(), "nobody said EAGAIN");
        assert!(!progress.more, "the timer will say when");
        (sink.bytes.len(), progress.finished, flow.next_read())
    };
    assert_eq!(pump(&mut flow, 0), (0, false, Some(after(10))));
    assert_eq!(pump(&mut flow, 9), (0, false, Some(after(10))));
    assert_eq!(pump(&mut flow, 10), (10, false, Some(after(20))));
    assert_eq!(pump(&mut flow, 60), (60, false, Some(after(70))), "late is made up for");
    assert_eq!(pump(&mut flow, 159), (150, false, Some(after(160))));
    assert_eq!(pump(&mut flow, 160), (150, true, None), "the end waits for its turn, like a byte");
}

#[test]
fn a_rate_is_no_reason_to_come_back_where_something_else_is_missing() {
    let cases = [(false, true, 200), (true, false, 3 * FIRST)];
    for (source_is_ready, sink_is_ready, held) in cases {
        let (mut flow, mut sink) = (slow(Queue::stream()), Script::new([]));
        let mut source = Script::new([]).holding(vec![7; held]);
        let ready = Ends { source: source_is_ready, sink: sink_is_ready };
        for second in 1..=200 {
            let allowance = Allowance { ready, budget: PLENTY, now: after(1000 * second) };
            flow.pump(&mut source, &mut sink, None, allowance);
        }
        assert_eq!(flow.next_read(), None, "{ready:?}");
    }
}

/// Gives what was put into it datagram by datagram; cuts off what finds no room, as the kernel does.
struct Datagrams(Vec<Vec<u8>>);

impl ByteSource for Datagrams {
    fn try_read(&mut self, into: &mut [u8]) -> io::Result<Attempt> {
        let Some(datagram) = self.0.pop() else { return Ok(Attempt::Blocked) };
        let n = datagram.len().min(into.len());
        into[..n].copy_from_slice(&datagram[..n]);
        Ok(Attempt::Moved(n))
    }
}

#[test]
fn a_datagram_passes_a_rate_whole_and_is_paid_for() {
    let mut source = Datagrams(vec![vec![2; 500], vec![1; 500]]);
    let (mut flow, mut sink) = (slow(Queue::received(LARGEST)), Script::new([]));
    let mut pump = |at| {
        let allowance = Allowance { ready: BOTH, budget: PLENTY, now: after(at) };
        flow.pump(&mut source, &mut sink, None, allowance);
        sink.bytes.len()
    };
    assert_eq!([pump(0), pump(10), pump(509), pump(510)], [0, 500, 500, 1000]);
}

#[test]
fn a_datagram_is_not_cut_by_what_a_filter_has_left() {
    let mut source = Datagrams(vec![vec![3; LARGEST], vec![2; LARGEST], vec![1; 40_000]]);
    let mut sink = Script::new([Step::UpTo(1), Step::Block]);
    let mut flow = Flow::new("test", Queue::received(LARGEST));
    let filter: Filter<'_> = &mut |input, output| {
        // Makes four bytes of one, as what is sanitized does.
        let n = input.len().min(output.len() / 4);
        output[..4 * n].fill(input.first().copied().unwrap_or_default());
        (n, 4 * n)
    };
    for _ in 0..50 {
        flow.pump(&mut source, &mut sink, Some(&mut *filter), allow(BOTH, PLENTY));
    }
    assert_eq!(sink.bytes.len(), 4 * (2 * LARGEST + 40_000));
}

#[test]
fn what_a_filter_kept_comes_at_the_end_also_behind_a_full_queue() {
    for sink_steps in [vec![], vec![Step::UpTo(1), Step::Block, Step::UpTo(1), Step::Block]] {
        let mut source = Script::new([]).holding(*b"abc");
        let (mut flow, mut sink) = (flow(), Script::new(sink_steps));
        let mut kept = false;
        let filter: Filter<'_> = &mut |input, output| match input {
            [] if kept => {
                kept = false;
                output[..2].copy_from_slice(b"!?");
                (0, 2)
            }
            input => {
                kept |= !input.is_empty();
                output[..input.len()].copy_from_slice(input);
                (input.len(), input.len())
            }
        };
        let mut finished = 0;
        for _ in 0..5 {
            let allowance = allow(BOTH, PLENTY);
            let progress = flow.pump(&mut source, &mut sink, Some(&mut *filter), allowance);
            finished += usize::from(progress.finished);
        }
        assert_eq!((finished, flow.state()), (1, State::Finished));
        assert_eq!(sink.bytes, b"abc!?");
    }
}

/// A pipe of the kernel's, by one end, as stdin or stdout may be.
struct Piped(rustix::fd::OwnedFd);

impl Piped {
    fn pair() -> (Self, Self) {
        let flags = rustix::pipe::PipeFlags::NONBLOCK;
        let (reading, writing) = rustix::pipe::pipe_with(flags).expect("a pipe");
        (Self(reading), Self(writing))
    }
}

impl PipeEnd for Piped {
    fn fd(&self) -> rustix::fd::BorrowedFd<'_> {
        rustix::fd::AsFd::as_fd(&self.0)
    }

    fn is_blocked(&self) -> bool {
        unreachable!("the scripts know")
    }
}

impl ByteSource for Piped {
    fn try_read(&mut self, into: &mut [u8]) -> io::Result<Attempt> {
        Attempt::to_read(|| Ok(rustix::io::read(&self.0, &mut *into)?))
    }

    fn begin_splicing(&mut self) -> Splicing {
        Splicing::Pipe
    }

    fn waiting(&self) -> u64 {
        rustix::io::ioctl_fionread(&self.0).expect("a pipe")
    }

    fn as_pipe(&self) -> Option<&dyn PipeEnd> {
        Some(self)
    }
}

impl ByteSink for Piped {
    fn try_write(&mut self, from: &[u8]) -> io::Result<Attempt> {
        Attempt::to_write(|| Ok(rustix::io::write(&self.0, from)?))
    }

    fn begin_splicing(&mut self) -> Splicing {
        Splicing::Pipe
    }

    fn as_pipe(&self) -> Option<&dyn PipeEnd> {
        Some(self)
    }
}

#[test]
fn from_a_pipe_bytes_go_straight_to_the_sink() {
    let (mut source, writing) = Piped::pair();
    rustix::io::write(&writing.0, &vec![7; BUFFER]).expect("fits");
    let (mut flow, mut sink) = (flow(), Script::new([]).spliceable());
    let progress = flow.pump(&mut source, &mut sink, None, allow(BOTH, PLENTY));
    assert!(matches!(flow.transfer, Transfer::Direct), "{:?}", flow.transfer);
    assert!(progress.blocked.source && !progress.blocked.sink, "the pipe is empty: {progress:?}");
    rustix::io::write(&writing.0, b"more").expect("fits");
    sink.steps.push_back(Step::Block);
    let progress = flow.pump(&mut source, &mut sink, None, allow(BOTH, PLENTY));
    assert!(progress.blocked.sink && flow.waits_for_sink(), "{progress:?}");
    assert!(!flow.holds_bytes(), "what waits is the pipe's");
    drop(writing);
    assert!(flow.pump(&mut source, &mut sink, None, allow(BOTH, PLENTY)).finished);
    assert_eq!((sink.bytes.len(), flow.delivered()), (BUFFER + 4, BUFFER as u64 + 4));
}

#[test]
fn into_a_pipe_bytes_go_straight_from_the_source() {
    let (reading, mut sink) = Piped::pair();
    let mut source = Script::new([]).holding(vec![7; 4 * BUFFER]).spliceable();
    let mut flow = flow();
    let progress = flow.pump(&mut source, &mut sink, None, allow(BOTH, PLENTY));
    assert!(matches!(flow.transfer, Transfer::Direct), "{:?}", flow.transfer);
    assert!(progress.blocked.sink && flow.waits_for_sink(), "the pipe is full: {progress:?}");
    assert!(!progress.blocked.source);
    source.steps.push_back(Step::Fail(io::ErrorKind::ConnectionReset));
    rustix::io::read(&reading.0, &mut vec![0; BUFFER]).expect("bytes");
    let progress = flow.pump(&mut source, &mut sink, None, allow(BOTH, PLENTY));
    assert!(matches!(progress.failure, Some(Failure::Source(_))), "{progress:?}");
    assert!(progress.finished, "what came before has been delivered");
    assert_eq!(flow.delivered(), BUFFER as u64);
}

#[test]
fn a_pipe_whose_reader_has_left_is_a_sink_that_failed() {
    let (_reading, mut sink) = Piped::pair();
    let mut source = Script::new([Step::Fail(io::ErrorKind::BrokenPipe)]).spliceable();
    let mut flow = Flow { transfer: Transfer::Direct, ..flow() };
    let progress = flow.pump(&mut source, &mut sink, None, allow(BOTH, PLENTY));
    assert!(matches!(progress.failure, Some(Failure::Sink(_))), "{progress:?}");
    assert_eq!(flow.state(), State::Abandoned);
}

#[test]
fn the_diagram_shows_the_edges() {
    crate::testing::assert_diagram("Flow", &State::ALL, State::leads_to);
}

#[test]
fn the_diagram_shows_the_ways_across() {
    use super::transfer::Kind;
    crate::testing::assert_diagram("Transfer", &Kind::ALL, Kind::leads_to);
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1usize..5000).prop_map(Step::UpTo),
        2 => Just(Step::Block),
        1 => Just(Step::Interrupt),
    ]
}

/// A flow, and whether it is to go around the queue.
fn crossing(around: bool) -> Flow {
    if around { flow_around_the_queue() } else { flow() }
}

proptest! {
    /// Output equals input, the buffer is bounded, progress never stops for good.
    #[test]
    fn every_byte_arrives_in_order(
        len in 0usize..200_000,
        reads in prop::collection::vec(step(), 0..80),
        writes in prop::collection::vec(step(), 0..80),
        budget in 1000usize..100_000,
        around: bool,
        refused_at in prop::option::of(0usize..80),
    ) {
        let input: Vec<u8> = (0..=250).cycle().take(len).collect();
        let (mut reads, mut writes) = (reads, writes);
        if let Some(at) = refused_at {
            let steps = if at % 2 == 0 { &mut reads } else { &mut writes };
            steps.insert(at.min(steps.len()), Step::Refuse);
        }
        let mut source = Script::new(reads).holding(input.iter().copied()).spliceable();
        let mut sink = Script::new(writes).spliceable();
        let mut flow = crossing(around);
        let mut turns = 0;
        while !flow.state().is_over() {
            let before = (source.bytes.len(), sink.bytes.len(), source.steps.len(), sink.steps.len());
            let progress = flow.pump(&mut source, &mut sink, None, allow(BOTH, budget));
            prop_assert!(progress.failure.is_none());
            prop_assert!(len - source.bytes.len() - sink.bytes.len() <= BUFFER + PIPE);
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
        around: bool,
    ) {
        let fail = Step::Fail(io::ErrorKind::ConnectionReset);
        let (mut reads, mut writes) = (reads, writes);
        if source_breaks { reads.push(fail) } else { writes.push(fail) }
        let mut source = Script::new(reads).holding(vec![1; len]).spliceable();
        let mut sink = Script::new(writes).spliceable();
        let mut flow = crossing(around);
        for _ in 0..1000 {
            flow.pump(&mut source, &mut sink, None, allow(BOTH, PLENTY));
        }
        prop_assert!(flow.state().is_over());
        let read = (len - source.bytes.len()) as u64;
        prop_assert_eq!(flow.delivered() + flow.lost(), read);
        prop_assert_eq!(flow.delivered(), sink.bytes.len() as u64);
    }
}
