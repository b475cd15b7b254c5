//! The rules between the two directions, each driven from a session's first turn.

use std::collections::VecDeque;
use std::io;
use std::num::NonZeroU64;

use super::*;
use crate::testing::{Ended, Script, Step, epoch};

mod turns;

const READY: Readiness = Readiness::READABLE;

/// A peer in memory: what it sends, what it got, whether it saw our end of file.
#[derive(Debug, Default)]
struct Peer {
    sends: VecDeque<Said>,
    got: Vec<u8>,
    saw_eof: bool,
    refuses: bool,
    /// So many writes, and no more.
    refuses_next: usize,
    has_died: bool,
    whereabouts: Whereabouts,
    retry_at: Option<Instant>,
}

/// They are not known of a peer that has not been heard yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Whereabouts {
    #[default]
    Known,
    Unknown,
}

#[derive(Clone, Copy, Debug)]
enum Said {
    Bytes(&'static [u8]),
    Eof,
    Reset,
}

impl ByteSource for Peer {
    fn try_read(&mut self, into: &mut [u8]) -> io::Result<Attempt> {
        match self.sends.front() {
            None => Ok(Attempt::Blocked),
            Some(Said::Eof) => Ok(Attempt::Ended),
            Some(Said::Reset) => Err(io::ErrorKind::ConnectionReset.into()),
            Some(Said::Bytes(bytes)) => {
                into[..bytes.len()].copy_from_slice(bytes);
                let n = bytes.len();
                self.sends.pop_front();
                self.whereabouts = Whereabouts::Known;
                Ok(Attempt::Moved(n))
            }
        }
    }
}

impl ByteSink for Peer {
    fn try_write(&mut self, from: &[u8]) -> io::Result<Attempt> {
        if self.refuses || self.refuses_next > 0 {
            self.refuses_next = self.refuses_next.saturating_sub(1);
            return Ok(Attempt::Blocked);
        }
        self.got.extend(from);
        Ok(Attempt::Moved(from.len()))
    }
}

impl Wire for Peer {
    fn try_peek(&mut self, _into: &mut [u8]) -> io::Result<Attempt> {
        Ok(Attempt::Blocked)
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.saw_eof = true;
        Ok(())
    }

    fn take_error(&mut self) -> Option<io::Error> {
        self.has_died.then(|| io::ErrorKind::BrokenPipe.into())
    }

    fn has_destination(&self) -> bool {
        self.whereabouts == Whereabouts::Known
    }

    fn retry_at(&self) -> Option<Instant> {
        self.retry_at
    }
}

/// A session with its peer, a stdin, a stdout and a clock.
struct Bench {
    session: Session<Peer>,
    stdin: Script,
    stdin_is_open: bool,
    stdout: Script,
    hints: Readiness,
    now: Instant,
}

fn client() -> Policy {
    Policy::plain()
}

fn listener() -> Policy {
    Policy { peer_eof: PeerEof::EndSession, ..client() }
}

fn with_fin() -> Policy {
    Policy { local_eof: LocalEof::HalfClose, ..client() }
}

fn bench(policy: Policy) -> Bench {
    let now = epoch();
    let session = Session::new(Peer::default(), policy.into(), now);
    let (stdin, stdout) = (Script::new([]), Script::new([]));
    Bench { session, stdin, stdin_is_open: true, stdout, hints: Readiness::NONE, now }
}

impl Bench {
    fn types(mut self, bytes: &[u8]) -> Self {
        self.stdin.bytes.extend(bytes);
        self
    }

    fn ends_stdin(mut self) -> Self {
        self.stdin_is_open = false;
        self
    }

    fn peer_says(mut self, what: Said) -> Self {
        self.session.wire_mut().sends.push_back(what);
        self
    }

    fn turn(&mut self) -> Report {
        let all = READY | Readiness::WRITABLE;
        let gates = Gates { net: all | self.hints, local_in: all, local_out: all };
        self.turn_with(gates, 1 << 20)
    }

    fn turn_with(&mut self, gates: Gates, budget: usize) -> Report {
        // Of what was typed, a read may have taken less than there is.
        let is_left = matches!(self.stdin.steps.make_contiguous(), [Step::Block]);
        if is_left && !self.stdin.bytes.is_empty() {
            self.stdin.steps.clear();
        }
        if self.stdin_is_open && self.stdin.steps.is_empty() {
            let typed = Step::UpTo(self.stdin.bytes.len());
            self.stdin.steps.extend((!self.stdin.bytes.is_empty()).then_some(typed));
            self.stdin.steps.push_back(Step::Block);
        }
        let turn = Turn { gates, now: self.now, budget };
        self.session.advance(&mut self.stdin, &mut self.stdout, turn, None)
    }

    #[track_caller]
    fn ends(&mut self) -> Outcome {
        self.turn().ended.expect("the session ends")
    }

    #[track_caller]
    fn goes_on(&mut self) -> Report {
        let report = self.turn();
        assert!(report.ended.is_none(), "the session ended: {:?}", report.ended);
        report
    }
}

#[test]
fn stdin_eof_sends_no_fin_and_goes_on_reading() {
    let mut bench = bench(client()).types(b"x").ends_stdin();
    bench.goes_on();
    assert!(!bench.session.wire_mut().saw_eof);
    assert_eq!(bench.session.wire_mut().got, b"x");
    let mut bench = bench.peer_says(Said::Bytes(b"late")).peer_says(Said::Eof);
    assert!(bench.ends().is_clean());
    assert_eq!(bench.stdout.bytes, b"late");
}

#[test]
fn stdin_eof_with_half_close_sends_fin_after_the_last_byte() {
    let mut bench = bench(with_fin()).types(b"x").ends_stdin();
    bench.session.wire_mut().refuses = true;
    bench.goes_on();
    assert!(!bench.session.wire_mut().saw_eof, "not before everything is sent");
    bench.session.wire_mut().refuses = false;
    bench.goes_on();
    assert!(bench.session.wire_mut().saw_eof);
}

#[test]
fn peer_eof_lets_a_client_go_on_sending() {
    let mut bench = bench(client()).peer_says(Said::Eof);
    assert!(bench.goes_on().output_done, "stdout may be closed");
    let mut bench = bench.types(b"more").ends_stdin();
    assert!(bench.ends().is_clean());
    assert_eq!(bench.session.wire_mut().got, b"more");
}

#[test]
fn peer_eof_ends_a_listeners_session_whatever_stdin_does() {
    let mut bench = bench(listener()).peer_says(Said::Bytes(b"all")).peer_says(Said::Eof);
    let outcome = bench.ends();
    assert!(outcome.is_clean());
    assert_eq!(outcome.received, 3);
}

#[test]
fn peer_eof_still_sends_what_was_read_from_stdin() {
    let mut bench = bench(listener()).types(b"read");
    bench.session.wire_mut().refuses = true;
    bench.goes_on();
    let mut bench = bench.peer_says(Said::Eof);
    bench.goes_on();
    bench.session.wire_mut().refuses = false;
    assert!(bench.ends().is_clean());
    assert_eq!(bench.session.wire_mut().got, b"read");
}

#[test]
fn a_peer_that_dies_behind_its_eof_is_noticed_while_stdin_is_silent() {
    let mut bench = bench(client()).peer_says(Said::Eof);
    bench.goes_on();
    bench.session.wire_mut().has_died = true;
    bench.hints = Readiness::ERROR;
    assert!(matches!(bench.ends().end, End::PeerFailed(_)));
}

#[test]
fn words_behind_the_peers_end_that_met_nobody_are_not_forgotten() {
    let mut bench = bench(with_fin()).peer_says(Said::Eof);
    bench.goes_on();
    let mut bench = bench.types(b"late").ends_stdin();
    bench.session.wire_mut().has_died = true;
    assert!(matches!(bench.ends().end, End::PeerFailed(_)));
}

#[test]
fn a_peer_that_hangs_up_behind_its_eof_ends_the_session() {
    let mut bench = bench(client()).peer_says(Said::Eof);
    bench.goes_on();
    bench.hints = Readiness::WRITE_CLOSED;
    assert!(bench.ends().is_clean());
}

#[test]
fn reset_delivers_what_came_before_and_is_not_clean() {
    let mut bench = bench(client()).peer_says(Said::Bytes(b"before")).peer_says(Said::Reset);
    let outcome = bench.ends();
    assert_eq!(bench.stdout.bytes, b"before");
    assert!(matches!(outcome.end, End::PeerFailed(_)) && !outcome.is_clean());
    assert_eq!(outcome.unwritten, 0);
}

#[test]
fn reset_waits_for_a_stalled_stdout() {
    let mut bench = bench(client()).peer_says(Said::Bytes(b"before")).peer_says(Said::Reset);
    bench.stdout.steps.push_back(Step::Block);
    bench.goes_on();
    assert!(bench.session.waits_for_output());
    assert!(matches!(bench.ends().end, End::PeerFailed(_)));
    assert_eq!(bench.stdout.bytes, b"before");
}

#[test]
fn reset_counts_what_was_read_from_stdin_and_cannot_be_sent() {
    let mut bench = bench(client()).types(b"1234");
    bench.session.wire_mut().refuses = true;
    bench.goes_on();
    let mut bench = bench.peer_says(Said::Reset);
    assert_eq!(bench.ends().unsent, 4);
}

#[test]
fn reader_gone_ends_at_once() {
    let mut bench = bench(client()).peer_says(Said::Bytes(b"x"));
    bench.stdout.steps.push_back(Step::Fail(io::ErrorKind::BrokenPipe));
    let outcome = bench.ends();
    assert!(matches!(outcome.end, End::ReaderGone));
    assert_eq!(outcome.unwritten, 1);
}

#[test]
fn full_stdout_ends_with_the_count() {
    let mut bench = bench(client()).peer_says(Said::Bytes(b"xyz"));
    bench.stdout.steps.push_back(Step::Fail(io::ErrorKind::StorageFull));
    let outcome = bench.ends();
    assert!(matches!(outcome.end, End::OutputFailed(_)));
    assert_eq!(outcome.unwritten, 3);
}

#[test]
fn unreadable_stdin_counts_as_its_end_and_is_told_at_the_end() {
    let mut bench = bench(with_fin());
    bench.stdin.steps.push_back(Step::Fail(io::ErrorKind::IsADirectory));
    bench.goes_on();
    assert!(bench.session.wire_mut().saw_eof);
    let mut bench = bench.peer_says(Said::Bytes(b"x")).peer_says(Said::Eof);
    let outcome = bench.ends();
    assert!(matches!(outcome.end, End::InputFailed(_)));
    assert_eq!(outcome.received, 1);
}

#[test]
fn receive_only_never_touches_stdin() {
    let policy = Policy { ways: Ways::ReceiveOnly, ..client() };
    let mut bench = bench(policy).types(b"typed");
    bench.goes_on();
    assert!(!bench.session.takes_input());
    assert_eq!(bench.stdin.bytes, b"typed");
    let mut bench = bench.peer_says(Said::Eof);
    assert!(bench.ends().is_clean());
    assert!(!bench.session.wire_mut().saw_eof);
}

#[test]
fn send_only_lingers_until_the_peer_has_closed() {
    let policy = Policy { ways: Ways::SendOnly, ..with_fin() };
    let mut bench = bench(policy).types(b"x").ends_stdin();
    let report = bench.goes_on();
    assert_eq!(report.deadline, Some(bench.now + LINGER));
    assert!(bench.session.wire_mut().saw_eof);
    let mut bench = bench.peer_says(Said::Bytes(b"ignored")).peer_says(Said::Eof);
    let outcome = bench.ends();
    assert!(outcome.is_clean());
    assert_eq!((outcome.sent, outcome.received, bench.stdout.bytes.len()), (1, 7, 0));
}

#[test]
fn send_only_lingers_no_longer_than_its_patience() {
    let policy = Policy { ways: Ways::SendOnly, ..with_fin() };
    let mut bench = bench(policy).ends_stdin();
    bench.goes_on();
    bench.now += LINGER;
    assert!(bench.ends().is_clean());
}

#[test]
fn quit_timer_counts_from_the_last_byte_sent() {
    let second = Duration::from_secs(1);
    let policy = Policy { quit_after: Some(second), ..with_fin() };
    let mut bench = bench(policy).types(b"x").ends_stdin();
    bench.session.wire_mut().refuses = true;
    assert_eq!(bench.goes_on().deadline, None);
    bench.session.wire_mut().refuses = false;
    assert_eq!(bench.goes_on().deadline, Some(bench.now + second));
    bench.now += second;
    let outcome = bench.ends();
    assert!(matches!(outcome.end, End::QuitTimer) && outcome.is_clean());
}

#[test]
fn idle_timer_starts_anew_with_every_byte() {
    let second = Duration::from_secs(1);
    let policy = Policy { idle: Some(second), ..client() };
    let mut bench = bench(policy);
    bench.now += second;
    let mut bench = bench.types(b"x");
    assert_eq!(bench.goes_on().deadline, Some(bench.now + second));
    bench.now += second + Duration::from_nanos(1);
    assert!(matches!(bench.ends().end, End::Idle));
}

/// Who has just closed its standard input waits for the answer as long as somebody who has just typed.
#[test]
fn idle_timer_starts_anew_with_an_end_of_file() {
    let second = Duration::from_secs(1);
    let policy = Policy { idle: Some(second), ..client() };
    for end in [|bench: Bench| bench.ends_stdin(), |bench: Bench| bench.peer_says(Said::Eof)] {
        let mut bench = bench(policy.clone());
        bench.now += second;
        let mut bench = end(bench);
        assert_eq!(bench.goes_on().deadline, Some(bench.now + second));
        bench.now += second + Duration::from_nanos(1);
        assert!(matches!(bench.ends().end, End::Idle));
    }
}

#[test]
fn what_the_rate_holds_back_is_no_idleness() {
    let (second, byte) = (Duration::from_secs(1), NonZeroU64::new(1));
    let policy = Policy { idle: Some(second / 4), rate: byte, ..client() };
    let mut bench = bench(policy).types(b"abc");
    for got in ["", "a", "ab"] {
        assert_eq!(bench.goes_on().deadline, Some(bench.now + second), "{got}");
        assert_eq!(bench.session.wire_mut().got, got.as_bytes());
        bench.now += second;
    }
    // While the gate is shut nobody knows that stdin is silent; when it opens it shows, and has lasted.
    assert_eq!(bench.goes_on().deadline, Some(bench.now + second));
    bench.now += second;
    assert!(matches!(bench.ends().end, End::Idle));
}

#[test]
fn what_broke_before_is_told_when_the_time_is_over() {
    let second = Duration::from_secs(1);
    for policy in
        [Policy { idle: Some(second), ..client() }, Policy { quit_after: Some(second), ..client() }]
    {
        let mut bench = bench(policy);
        bench.stdin.steps.push_back(Step::Fail(io::ErrorKind::IsADirectory));
        bench.goes_on();
        bench.now += second * 2;
        assert!(matches!(bench.ends().end, End::InputFailed(_)));
    }
}

#[test]
fn an_idle_end_that_loses_bytes_is_not_clean() {
    let policy = Policy { idle: Some(Duration::ZERO), ..client() };
    let mut bench = bench(policy).types(b"xy");
    bench.session.wire_mut().refuses = true;
    bench.goes_on();
    bench.now += Duration::from_millis(1);
    let outcome = bench.ends();
    assert_eq!(outcome.unsent, 2);
    assert!(!outcome.is_clean());
}

#[test]
fn receive_limit_ends_both_directions_and_loses_nothing() {
    let policy = Policy { recv_limit: NonZeroU64::new(1), ..client() };
    let mut bench = bench(policy).types(b"question").peer_says(Said::Bytes(b"answer"));
    let outcome = bench.ends();
    assert!(outcome.is_clean());
    assert_eq!(outcome.received, 6);
}

#[test]
fn an_end_of_file_is_a_read() {
    let policy = |reads| Policy { recv_limit: NonZeroU64::new(reads), ..client() };
    let says_all = |bench: Bench| bench.peer_says(Said::Bytes(b"all")).peer_says(Said::Eof);
    assert!(bench(policy(1)).peer_says(Said::Eof).ends().is_clean());
    assert!(says_all(bench(policy(2))).ends().is_clean());
    says_all(bench(policy(3))).goes_on();
}

#[test]
fn what_is_never_read_ends_with_the_peers_first_sign() {
    let deaf = Policy { ways: Ways::ReceiveOnly, ..with_fin() };
    let mut bench = bench(deaf).types(b"never read");
    bench.goes_on();
    assert!(!bench.session.wire_mut().saw_eof);
    let mut bench = bench.peer_says(Said::Bytes(b"banner"));
    bench.goes_on();
    assert!(bench.session.wire_mut().saw_eof && bench.session.wire_mut().got.is_empty());
    assert!(bench.peer_says(Said::Eof).ends().is_clean());
}

#[test]
fn the_outcome_is_reported_once() {
    let mut bench = bench(listener()).peer_says(Said::Eof);
    bench.ends();
    assert!(bench.turn().ended.is_none());
    assert!(bench.session.close(End::ReaderGone).is_none());
}

#[test]
fn as_stdin_is_settled_by_the_kind_of_stdin() {
    assert_eq!(PeerEof::AsStdin.settled(true), PeerEof::EndSession);
    assert_eq!(PeerEof::AsStdin.settled(false), PeerEof::KeepSending);
    assert_eq!(PeerEof::KeepSending.settled(true), PeerEof::KeepSending);
}

#[test]
fn a_session_without_stdin_ends_with_the_peer() {
    let mut session = Session::new(Peer::default(), client().into(), epoch());
    session.wire_mut().sends.push_back(Said::Eof);
    let gates = Gates { net: READY, local_in: READY, local_out: READY };
    let turn = Turn { gates, now: epoch(), budget: 1 };
    let report = session.advance(&mut Ended, &mut Script::new([]), turn, None);
    assert!(report.ended.expect("over").is_clean());
}

#[test]
fn the_diagram_shows_the_edges() {
    crate::testing::assert_diagram("Session", &Kind::ALL, Kind::leads_to);
}

/// Thousands of clients may be connected and silent.
#[test]
fn an_idle_relay_is_small() {
    let size = size_of::<Relay>();
    assert!(size <= 296, "{size} bytes, of which {} for a flow", size_of::<crate::flow::Flow>());
}
