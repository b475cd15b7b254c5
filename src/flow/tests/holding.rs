//! What holds a flow back, what it says of that, and what is lost when it ends meanwhile.

use std::time::Duration;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn at(seconds: u32, ready: Ends) -> Allowance {
    Allowance { now: epoch() + SECOND * seconds, ..allow(ready, PLENTY) }
}

/// Has these bytes, and then says `EAGAIN` again and again.
fn typing(bytes: &[u8]) -> Script {
    let steps = [Step::UpTo(bytes.len())].into_iter().chain(vec![Step::Block; 10]);
    Script::new(steps).holding(bytes.iter().copied())
}

#[test]
fn lines_leave_one_by_one_with_time_between_them() {
    let mut flow = flow().with_pace(Some(Pace::new(SECOND)));
    let (mut source, mut sink) = (typing(b"a\nb\nc"), Script::new([]));
    assert_eq!(flow.next_write(), None, "there is nothing to write");
    flow.pump(&mut source, &mut sink, None, at(0, BOTH));
    assert_eq!(sink.bytes, b"a\n");
    assert_eq!(flow.next_write(), Some(epoch() + SECOND));
    flow.pump(&mut source, &mut sink, None, Allowance { now: epoch() + SECOND / 2, ..at(0, BOTH) });
    assert_eq!(sink.bytes, b"a\n", "it is not time");
    flow.pump(&mut source, &mut sink, None, at(1, BOTH));
    assert_eq!(sink.bytes, b"a\nb\n");
    flow.pump(&mut source, &mut sink, None, at(2, BOTH));
    assert_eq!(sink.bytes, b"a\nb\nc");
    assert_eq!(flow.next_write(), None, "nothing is held");
}

#[test]
fn a_piece_of_a_line_does_not_make_the_rest_of_it_wait() {
    let mut flow = flow().with_pace(Some(Pace::new(SECOND)));
    let mut sink = Script::new([Step::UpTo(2)]);
    flow.pump(&mut typing(b"long\nnext\n"), &mut sink, None, at(0, BOTH));
    assert_eq!(sink.bytes, b"long\n");
}

#[test]
fn a_flow_waits_for_its_sink_only_with_something_for_it() {
    let mut flow = flow();
    assert!(!flow.waits_for_sink());
    flow.pump(&mut typing(b"x"), &mut Script::new([Step::Block]), None, at(0, BOTH));
    assert!(flow.waits_for_sink() && flow.holds_bytes());
    flow.pump(&mut typing(b""), &mut Script::new([]), None, at(0, BOTH));
    assert!(!flow.waits_for_sink() && !flow.holds_bytes());
}

/// A flow that goes straight from a pipe, in which so many bytes wait.
fn straight_from_a_pipe(bytes: &[u8]) -> (Flow, Piped, Piped) {
    let (source, writing) = Piped::pair();
    rustix::io::write(&writing.0, bytes).expect("fits");
    (Flow { transfer: Transfer::Direct, ..flow() }, source, writing)
}

#[test]
fn what_waits_in_a_pipe_for_nothing_but_the_sink_is_lost_with_the_flow() {
    let (mut flow, mut source, _writing) = straight_from_a_pipe(b"1234");
    let mut sink = Script::new([Step::Block]).spliceable();
    flow.pump(&mut source, &mut sink, None, allow(BOTH, PLENTY));
    assert!(flow.waits_for_sink() && !flow.holds_bytes());
    flow.leave(&source);
    flow.give_up(&source);
    assert_eq!((flow.state(), flow.lost()), (State::Abandoned, 4), "counted once");
}

#[test]
fn what_a_sink_was_to_get_when_it_broke_is_lost() {
    let (mut flow, mut source, _writing) = straight_from_a_pipe(b"1234");
    let mut sink = Script::new([Step::Fail(io::ErrorKind::BrokenPipe)]).spliceable();
    let progress = flow.pump(&mut source, &mut sink, None, allow(BOTH, PLENTY));
    assert!(matches!(progress.failure, Some(Failure::Sink(_))));
    assert_eq!((flow.state(), flow.lost()), (State::Abandoned, 4));
}

#[test]
fn what_nobody_has_asked_for_is_left_in_the_pipe_and_not_lost() {
    let neither = Ends { source: false, sink: false };
    for ready in [neither, Ends { source: false, sink: true }] {
        let (mut flow, mut source, _writing) = straight_from_a_pipe(b"1234");
        let mut sink = Script::new([]).spliceable();
        flow.pump(&mut source, &mut sink, None, allow(ready, PLENTY));
        assert!(!flow.waits_for_sink(), "it waits for the source: {ready:?}");
        flow.give_up(&source);
        assert_eq!(flow.lost(), 0, "{ready:?}");
    }
    let (mut flow, mut source, _writing) = straight_from_a_pipe(b"");
    flow.pump(&mut source, &mut Script::new([]).spliceable(), None, allow(BOTH, PLENTY));
    assert!(!flow.waits_for_sink(), "the pipe is empty");
}

/// Through the queue the source is read, so what is left in it was never the flow's.
#[test]
fn what_is_left_in_a_source_that_is_read_is_not_lost() {
    let (source, writing) = Piped::pair();
    rustix::io::write(&writing.0, b"1234").expect("fits");
    let mut broken = Script::new([Step::Fail(io::ErrorKind::BrokenPipe)]);
    let mut flow = flow();
    flow.pump(&mut typing(b"x"), &mut broken, None, allow(BOTH, PLENTY));
    flow.give_up(&source);
    assert_eq!(flow.lost(), 1);
}

/// What the idle timer looks at.
#[test]
fn whatever_moves_is_counted_and_nothing_else() {
    let only_source = Ends { source: true, sink: false };
    let only_sink = Ends { source: false, sink: true };
    let (mut flow, mut source, mut sink) = (flow(), typing(b"x"), Script::new([Step::Block]));
    assert_eq!(flow.pump(&mut source, &mut sink, None, allow(only_source, PLENTY)).calls, 1);
    assert_eq!(flow.pump(&mut source, &mut sink, None, allow(BOTH, PLENTY)).calls, 0);
    assert_eq!(flow.pump(&mut source, &mut sink, None, allow(only_sink, PLENTY)).calls, 1);
    let (mut flow, mut source, _writing) = straight_from_a_pipe(b"1234");
    let mut sink = Script::new([]).spliceable();
    assert_eq!(flow.pump(&mut source, &mut sink, None, allow(BOTH, PLENTY)).calls, 1);
    assert_eq!(flow.pump(&mut source, &mut sink, None, allow(BOTH, PLENTY)).calls, 0);
}

/// Thousands of clients may be connected and silent.
#[test]
fn a_quiet_flow_gives_its_memory_back() {
    let (mut flow, mut sink) = (flow(), Script::new([Step::Block]));
    let mut source = typing(b"x");
    let holds_memory = |flow: &Flow| !format!("{:?}", flow.queue).contains("memory: None");
    flow.pump(&mut source, &mut sink, None, allow(BOTH, PLENTY));
    assert!(holds_memory(&flow), "there is a byte in it");
    flow.pump(&mut source, &mut sink, None, allow(BOTH, PLENTY));
    assert!(!holds_memory(&flow) && flow.state() == State::Open);
}

#[test]
fn datagrams_that_were_not_sent_are_lost_with_the_flow() {
    let mut flow = Flow::new("test", Queue::packets(Framing::Line(100)));
    let mut sink = Script::new([Step::Block]);
    flow.pump(&mut typing(b"one\ntwo\nthr"), &mut sink, None, allow(BOTH, PLENTY));
    flow.abandon();
    assert_eq!((flow.delivered(), flow.lost()), (0, 11));
}
