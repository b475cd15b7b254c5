//! The reactor against real descriptors: pipes it makes itself.

use std::io::{Read, Write};
use std::time::Duration;

use mio::unix::pipe;

use super::*;

type TestReactor = Reactor<&'static str, &'static str>;

#[track_caller]
fn wakes(reactor: &mut TestReactor) -> Vec<Wake<&'static str, &'static str>> {
    reactor.turn().expect("turn");
    std::iter::from_fn(|| reactor.next_wake()).collect()
}

fn reactor_with_pipe() -> (TestReactor, SourceId, pipe::Sender, pipe::Receiver) {
    let mut reactor = TestReactor::new().expect("reactor");
    let (sender, mut receiver) = pipe::new().expect("pipe");
    let id = reactor.register(&mut receiver, Interest::READABLE, "pipe").expect("register");
    (reactor, id, sender, receiver)
}

#[test]
fn readiness_is_remembered_until_cleared() {
    let (mut reactor, id, mut sender, mut receiver) = reactor_with_pipe();
    sender.write_all(b"x").expect("write");
    assert_eq!(wakes(&mut reactor), [Wake::Io("pipe")]);
    reactor.set_timer(reactor.now(), "tick");
    assert_eq!(wakes(&mut reactor), [Wake::Timer("tick")], "the kernel speaks once");
    assert_eq!(reactor.readiness(id), Readiness::READABLE, "and of nothing else");
    assert!(reactor.readiness(id).intersects(Readiness::READ), "and we remember");
    assert_eq!(receiver.read(&mut [0; 8]).expect("read"), 1);
    assert_eq!(receiver.read(&mut [0; 8]).expect_err("empty").kind(), io::ErrorKind::WouldBlock);
    reactor.clear(id, Readiness::READ);
    assert!(!reactor.readiness(id).intersects(Readiness::READ));
    sender.write_all(b"y").expect("write");
    assert_eq!(wakes(&mut reactor), [Wake::Io("pipe")], "a new edge");
}

#[test]
fn a_hangup_without_data_is_worth_a_read() {
    let (mut reactor, id, sender, _receiver) = reactor_with_pipe();
    drop(sender);
    assert_eq!(wakes(&mut reactor), [Wake::Io("pipe")]);
    assert!(reactor.readiness(id).intersects(Readiness::READ));
}

#[test]
fn a_reader_that_leaves_is_seen_though_nothing_can_be_written() {
    let mut reactor = TestReactor::new().expect("reactor");
    let (mut sender, receiver) = pipe::new().expect("pipe");
    while sender.write(&[0; 4096]).is_ok() {}
    let id = reactor.register(&mut sender, Interest::WRITABLE, "out").expect("register");
    drop(receiver);
    assert_eq!(wakes(&mut reactor), [Wake::Io("out")]);
    assert!(reactor.readiness(id).intersects(Readiness::READER_GONE));
}

#[test]
fn a_requeued_source_waits_for_the_next_turn_and_is_queued_once() {
    let (mut reactor, id, mut sender, _receiver) = reactor_with_pipe();
    sender.write_all(b"x").expect("write");
    reactor.turn().expect("turn");
    assert_eq!(reactor.next_wake(), Some(Wake::Io("pipe")));
    reactor.requeue(id);
    reactor.requeue(id);
    assert_eq!(reactor.next_wake(), None, "not in this turn");
    assert_eq!(wakes(&mut reactor), [Wake::Io("pipe")], "without any event");
}

#[test]
fn a_source_deregistered_in_its_own_turn_is_not_handed_out() {
    let (mut reactor, id, mut sender, mut receiver) = reactor_with_pipe();
    sender.write_all(b"x").expect("write");
    reactor.turn().expect("turn");
    reactor.deregister(id, Some(&mut receiver));
    assert_eq!(reactor.next_wake(), None);
    let (_other_sender, mut other) = pipe::new().expect("pipe");
    let new = reactor.register(&mut other, Interest::READABLE, "other").expect("register");
    assert_eq!(reactor.readiness(new), Readiness::NONE, "a new source knows nothing of the old");
    assert_eq!(reactor.readiness(id), Readiness::NONE, "the old name means nothing");
}

#[test]
fn always_ready_sources_are_never_polled_but_can_be_queued() {
    let mut reactor = TestReactor::new().expect("reactor");
    let id = reactor.register_always_ready("file");
    reactor.requeue(id);
    assert_eq!(wakes(&mut reactor), [Wake::Io("file")]);
    assert!(reactor.readiness(id).intersects(Readiness::READ));
}

#[test]
fn retagging_keeps_what_is_known() {
    let (mut reactor, id, mut sender, _receiver) = reactor_with_pipe();
    sender.write_all(b"x").expect("write");
    assert_eq!(wakes(&mut reactor), [Wake::Io("pipe")]);
    reactor.retag(id, "session");
    reactor.requeue(id);
    assert_eq!(wakes(&mut reactor), [Wake::Io("session")]);
    assert!(reactor.readiness(id).intersects(Readiness::READABLE));
}

#[test]
fn data_comes_before_a_timeout_of_the_same_turn() {
    let (mut reactor, _id, mut sender, _receiver) = reactor_with_pipe();
    reactor.set_timer(reactor.now(), "late");
    sender.write_all(b"x").expect("write");
    assert_eq!(wakes(&mut reactor), [Wake::Io("pipe"), Wake::Timer("late")]);
}

#[test]
fn a_timer_wakes_the_poller_and_a_cancelled_one_does_not() {
    let mut reactor = TestReactor::new().expect("reactor");
    let start = reactor.now();
    let cancelled = reactor.set_timer(start + Duration::from_millis(1), "cancelled");
    reactor.set_timer(start + Duration::from_millis(20), "kept");
    reactor.cancel_timer(cancelled);
    assert_eq!(wakes(&mut reactor), [Wake::Timer("kept")]);
    assert!(reactor.now() >= start + Duration::from_millis(20));
}

#[test]
fn a_timer_cancelled_in_the_turn_it_is_due_does_not_fire() {
    let mut reactor = TestReactor::new().expect("reactor");
    let start = reactor.now();
    reactor.set_timer(start, "first");
    let second = reactor.set_timer(start, "second");
    reactor.turn().expect("turn");
    assert_eq!(reactor.next_wake(), Some(Wake::Timer("first")));
    reactor.cancel_timer(second);
    assert_eq!(reactor.next_wake(), None);
}

#[test]
fn a_presumed_source_is_worth_an_attempt() {
    let (mut reactor, id, _sender, _receiver) = reactor_with_pipe();
    assert!(!reactor.readiness(id).intersects(Readiness::READ));
    reactor.presume(id, Readiness::READABLE);
    assert!(reactor.readiness(id).intersects(Readiness::READ));
}

/// The kernel may have fetched it before the source was closed, or another descriptor may keep it alive.
#[test]
fn an_event_of_a_source_that_is_forgotten_wakes_nobody() {
    let (mut reactor, id, mut sender, _receiver) = reactor_with_pipe();
    reactor.deregister(id, None);
    let other = reactor.register_always_ready("other");
    sender.write_all(b"x").expect("write");
    drop(sender);
    reactor.set_timer(reactor.now(), "tick");
    assert_eq!(wakes(&mut reactor), [Wake::Timer("tick")]);
    assert!(!reactor.readiness(other).intersects(Readiness::READ_CLOSED), "the slot is another's");
}
