//! What a session says of itself and of a turn: its owner's registrations, timers and queues depend on it.

use super::*;
use crate::flow::Framing;
use crate::nonblock::{PipeEnd, Spliced, Splicing};

const ALL: Readiness = Readiness::READ;

/// The connection says nothing, and stdin and stdout are ready.
const SILENT_NET: Gates = Gates { net: Readiness::NONE, local_in: ALL, local_out: WRITE };

const WRITE: Readiness = Readiness::WRITABLE;

#[test]
fn a_session_knows_what_it_has_sent_and_what_it_wants() {
    let mut bench = bench(client()).types(b"abc");
    assert!(bench.session.takes_input() && bench.session.has_sent_all());
    bench.session.wire_mut().refuses = true;
    bench.goes_on();
    assert_eq!(bench.session.sent(), 0);
    assert!(!bench.session.has_sent_all() && !bench.session.waits_for_output());
    bench.session.wire_mut().refuses = false;
    bench.goes_on();
    assert_eq!(bench.session.sent(), 3);
    assert!(bench.session.has_sent_all() && bench.session.takes_input());
    let mut bench = bench.ends_stdin();
    bench.stdin.steps.clear();
    bench.goes_on();
    assert!(!bench.session.takes_input());
}

#[test]
fn only_bytes_of_the_peer_wait_for_output() {
    let mut bench = bench(client()).peer_says(Said::Bytes(b"x"));
    assert!(!bench.session.waits_for_output());
    bench.stdout.steps.push_back(Step::Block);
    bench.goes_on();
    assert!(bench.session.waits_for_output());
    bench.goes_on();
    assert!(!bench.session.waits_for_output());
}

#[test]
fn while_it_lingers_a_session_still_knows_what_it_has_sent() {
    let policy = Policy { ways: Ways::SendOnly, ..with_fin() };
    let mut bench = bench(policy).types(b"abc").ends_stdin();
    bench.goes_on();
    assert_eq!(bench.session.sent(), 3);
    let outcome = bench.session.close(End::HeldOthersBack).expect("it had not ended");
    assert!(matches!(outcome.end, End::HeldOthersBack));
    assert_eq!(outcome.sent, 3);
}

#[test]
fn ended_from_outside_it_counts_what_is_lost() {
    let mut bench = bench(client()).types(b"1234").peer_says(Said::Bytes(b"12"));
    bench.session.wire_mut().refuses = true;
    bench.stdout.steps.push_back(Step::Block);
    bench.goes_on();
    let outcome = bench.session.close(End::HeldOthersBack).expect("it had not ended");
    assert!(matches!(outcome.end, End::HeldOthersBack));
    assert_eq!((outcome.unsent, outcome.unwritten), (4, 2));
    assert!(bench.session.close(End::HeldOthersBack).is_none(), "it is told once");
}

#[test]
fn what_said_eagain_is_reported_and_nothing_else() {
    let mut bench = bench(client());
    let report = bench.goes_on();
    assert_eq!((report.net, report.local_in), (Readiness::READ, Readiness::READ));
    assert_eq!(report.local_out, Readiness::NONE, "nothing was written");
    assert!(!report.again && !report.output_done, "nothing is left to do");

    let mut bench = bench.types(b"x").peer_says(Said::Bytes(b"y"));
    bench.session.wire_mut().refuses = true;
    bench.stdout.steps.push_back(Step::Block);
    let report = bench.goes_on();
    let both = Readiness::READ | Readiness::WRITABLE | Readiness::WRITE_CLOSED;
    assert_eq!((report.net, report.local_out), (both, Readiness::WRITABLE));
}

#[test]
fn either_direction_can_use_the_budget_up() {
    let gates = Gates { net: ALL | WRITE, local_in: ALL, local_out: WRITE };
    let mut bench = bench(client()).peer_says(Said::Bytes(b"ab")).peer_says(Said::Bytes(b"cd"));
    assert!(bench.turn_with(gates, 2).again, "the peer's bytes");
    assert!(!bench.turn_with(gates, 100).again);
    let mut bench = bench.types(b"abcd");
    assert!(bench.turn_with(gates, 2).again, "those of stdin");
    assert!(!bench.turn_with(gates, 100).again);
}

/// What is answered to the peer goes before what is typed, and both wait for the wire.
#[test]
fn answers_wait_for_the_wire_and_go_first() {
    let filters = Filters { telnet: true, ..Filters::default() };
    let bench = bench(Policy { filters, ..client() }).types(b"typed");
    // IAC DO 1, refused by IAC WONT 1.
    let mut bench = bench.peer_says(Said::Bytes(b"\xff\xfd\x01"));
    bench.session.wire_mut().refuses_next = 1;
    let report = bench.goes_on();
    assert_eq!(bench.session.wire_mut().got, b"", "the wire took no answer");
    assert!(report.net.intersects(Readiness::WRITABLE), "and that is known");
    bench.goes_on();
    assert_eq!(bench.session.wire_mut().got, b"\xff\xfc\x01typed");
}

#[test]
fn questions_are_read_on_as_soon_as_enough_is_answered() {
    // IAC DO 0xff again and again: the answers to two of them are more than may wait.
    const MANY: &[u8] = &{
        let mut questions = [0xff; 3 * 1000];
        let mut at = 1;
        while at < questions.len() {
            questions[at] = 0xfd;
            at += 3;
        }
        questions
    };
    let filters = Filters { telnet: true, ..Filters::default() };
    let mut bench = bench(Policy { filters, ..client() });
    bench.session.wire_mut().refuses = true;
    for _ in 0..2 {
        bench = bench.peer_says(Said::Bytes(MANY));
        bench.goes_on();
    }
    let mut bench = bench.peer_says(Said::Bytes(MANY));
    assert!(!bench.goes_on().again, "until then nothing can be done");
    assert_eq!(bench.session.wire_mut().sends.len(), 1, "the third is left with the kernel");
    bench.session.wire_mut().refuses = false;
    assert!(bench.goes_on().again, "no event will tell that there is room for answers");
    bench.goes_on();
    assert_eq!(bench.session.wire_mut().sends.len(), 0);
}

#[test]
fn stdin_is_left_alone_until_there_is_somebody_to_send_to() {
    let mut bench = bench(client()).types(b"hello");
    bench.session.wire_mut().whereabouts = Whereabouts::Unknown;
    bench.goes_on();
    assert_eq!(bench.stdin.bytes, b"hello");
    // The first datagram says who it is. That the wire takes something is no news to the kernel.
    let mut bench = bench.peer_says(Said::Bytes(b"hi"));
    bench.turn_with(Gates { net: ALL, local_in: ALL, local_out: WRITE }, 100);
    assert_eq!(bench.session.wire_mut().got, b"hello");
}

#[test]
fn a_wire_that_no_event_speaks_of_is_tried_again_at_its_time() {
    let mut bench = bench(client()).types(b"x");
    let at = bench.now + Duration::from_millis(5);
    bench.session.wire_mut().refuses = true;
    bench.session.wire_mut().retry_at = Some(at);
    assert_eq!(bench.turn_with(SILENT_NET, 100).deadline, Some(at));
    bench.session.wire_mut().refuses = false;
    bench.turn_with(SILENT_NET, 100);
    assert_eq!(bench.session.wire_mut().got, b"", "it is not time");
    bench.now = at;
    bench.turn_with(SILENT_NET, 100);
    assert_eq!(bench.session.wire_mut().got, b"x");
}

#[test]
fn nobody_lingers_for_a_peer_that_was_told_nothing() {
    let send_only = |policy: Policy| Policy { ways: Ways::SendOnly, ..policy };
    let mut no_fin = bench(send_only(client())).types(b"x").ends_stdin();
    assert!(no_fin.ends().is_clean(), "no end of file was sent");
    let datagrams = Policy { framing: Some(Framing::Read(100)), ..with_fin() };
    let mut datagrams = bench(send_only(datagrams)).types(b"x").ends_stdin();
    assert!(datagrams.ends().is_clean(), "datagrams have no end of file");
    let mut closed = bench(send_only(with_fin())).peer_says(Said::Eof).types(b"x").ends_stdin();
    assert!(closed.ends().is_clean(), "the peer has closed already");
}

#[test]
fn a_peer_that_never_stops_does_not_keep_a_lingering_session_busy() {
    let policy = Policy { ways: Ways::SendOnly, ..with_fin() };
    let mut bench = bench(policy).ends_stdin();
    bench.goes_on();
    let mut bench = (0..6).fold(bench, |bench, _| bench.peer_says(Said::Bytes(b"1234")));
    let gates = Gates { net: ALL, local_in: ALL, local_out: WRITE };
    let report = bench.turn_with(gates, 12);
    assert!(report.again && report.ended.is_none());
    assert_eq!(bench.session.wire_mut().sends.len(), 3, "12 bytes are 3 of them");
    assert_eq!(report.deadline, Some(bench.now + LINGER));
    let report = bench.turn_with(gates, 100);
    assert!(!report.again, "there is nothing left to read");
    assert_eq!(report.net, Readiness::READ);
}

#[test]
fn a_hint_that_the_peer_is_gone_does_not_stop_what_can_still_be_moved() {
    let mut bench = bench(client()).types(b"x").peer_says(Said::Bytes(b"last words"));
    bench.session.wire_mut().has_died = true;
    bench.hints = Readiness::ERROR;
    bench.goes_on();
    assert_eq!(bench.stdout.bytes, b"last words");
    let mut bench = bench.types(b"y");
    bench.goes_on();
    assert_eq!(bench.session.wire_mut().got, b"xy", "an attempt tells the truth, not a hint");
}

#[test]
fn a_line_that_waits_for_its_time_is_a_deadline_and_one_that_waits_for_the_wire_is_none() {
    let second = Duration::from_secs(1);
    let mut bench = bench(Policy { interval: Some(second), ..client() }).types(b"a\nb\nc\n");
    let next = bench.now + second;
    assert_eq!(bench.goes_on().deadline, Some(next));
    assert_eq!(bench.session.wire_mut().got, b"a\n");
    bench.session.wire_mut().refuses = true;
    bench.now = next;
    assert_eq!(bench.goes_on().deadline, None, "now it waits for the wire");
    bench.now += second;
    assert_eq!(bench.goes_on().deadline, None, "a time that is past would make the loop spin");
    bench.session.wire_mut().refuses = false;
    assert_eq!(bench.goes_on().deadline, Some(bench.now + second));
    assert_eq!(bench.session.wire_mut().got, b"a\nb\n");
}

/// A peer that sends in bulk, straight into a pipe that is full.
#[derive(Default)]
struct Bulk {
    has_read: bool,
}

impl ByteSource for Bulk {
    fn try_read(&mut self, into: &mut [u8]) -> io::Result<Attempt> {
        self.has_read = true;
        Ok(Attempt::Moved(into.len()))
    }

    fn begin_splicing(&mut self) -> Splicing {
        Splicing::ByPipe
    }

    fn splice_into(&mut self, _pipe: &dyn PipeEnd, _most: usize) -> io::Result<Spliced> {
        Ok(Spliced::PipeBlocked)
    }

    fn waiting(&self) -> u64 {
        5
    }
}

impl ByteSink for Bulk {
    fn try_write(&mut self, _from: &[u8]) -> io::Result<Attempt> {
        Ok(Attempt::Blocked)
    }
}

impl Wire for Bulk {
    fn try_peek(&mut self, _into: &mut [u8]) -> io::Result<Attempt> {
        Ok(Attempt::Blocked)
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn take_error(&mut self) -> Option<io::Error> {
        None
    }
}

/// Takes what is written, and is a pipe.
struct Out(rustix::fd::OwnedFd);

impl ByteSink for Out {
    fn try_write(&mut self, from: &[u8]) -> io::Result<Attempt> {
        Ok(Attempt::Moved(from.len()))
    }

    fn begin_splicing(&mut self) -> Splicing {
        Splicing::Pipe
    }

    fn as_pipe(&self) -> Option<&dyn PipeEnd> {
        Some(self)
    }
}

impl PipeEnd for Out {
    fn fd(&self) -> rustix::fd::BorrowedFd<'_> {
        rustix::fd::AsFd::as_fd(&self.0)
    }

    fn is_blocked(&self) -> bool {
        true
    }
}

#[test]
fn what_the_kernel_was_to_move_is_counted_when_a_session_is_ended_from_outside() {
    let (_reading, writing) = rustix::pipe::pipe().expect("a pipe");
    let mut session = Session::new(Bulk::default(), client().into(), epoch());
    let gates = Gates { net: ALL, local_in: Readiness::NONE, local_out: WRITE };
    let turn = Turn { gates, now: epoch(), budget: 1 << 20 };
    let report = session.advance(&mut Ended, &mut Out(writing), turn, None);
    assert!(session.wire_mut().has_read && session.waits_for_output(), "{report:?}");
    let outcome = session.close(End::HeldOthersBack).expect("it had not ended");
    assert_eq!(outcome.unwritten, 5);
}
