//! Two flows back to back, and the policy that couples their ends.
//!
//! Owns: every rule of the form "when this direction ends, that one …". Each rule stands once, in
//! [`Relay::settle`], but for what only a hint tells of, that a peer is gone which had ended before
//! ([`Relay::notice_a_dead_wire`]: a UNIX peer's close ends the session). Must not know: phases before and after
//! relaying, registration, where stdin and stdout come from.
//! Invariant: the directions never wait for each other; only the rules of the policy join them.

use std::io;
use std::rc::Rc;
use std::time::Instant;

use super::outcome::{Datagrams, End, Moved, Outcome};
use super::policy::{Filters, LocalEof, PeerEof, Policy, Ways};
use super::{Report, Turn};
use crate::explain::{Step, explain};
use crate::flow::{Allowance, Ends, Failure, Flow, Pace, Progress, Queue, Rate, State};
use crate::mistakes::{Mistake, made};
use crate::nonblock::{Attempt, ByteSink, ByteSource, Outbox, Wire};
use crate::proto::{Crlf, Layer, Refused, Sanitize, Stack, Telnet, refusals};
use crate::reactor::Readiness;

/// The relaying phase of a session.
#[derive(Debug)]
pub(super) struct Relay {
    policy: Rc<Policy>,
    /// stdin to the wire.
    outbound: Flow,
    /// The wire to stdout.
    inbound: Flow,
    /// Few sessions have any.
    filtering: Option<Box<Filtering>>,
    last_active: Instant,
    local_end: LocalEnd,
    /// The first thing that broke; the session goes on as long as one direction has work.
    trouble: Option<Box<End>>,
}

/// The moment when stdin has ended and everything read from it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LocalEnd {
    Awaited,
    /// The peer has been told what it is to be told.
    Met {
        quit_at: Option<Instant>,
    },
    /// And the time after that is over.
    Outlived,
}

impl LocalEnd {
    fn quit_at(self) -> Option<Instant> {
        match self {
            Self::Awaited | Self::Outlived => None,
            Self::Met { quit_at } => quit_at,
        }
    }
}

/// The layers between stdin, stdout and the wire.
#[derive(Debug)]
struct Filtering {
    layers: Stack,
    /// What the layers have answered and the wire has not taken; goes before anything else.
    replies: Outbox,
}

impl Relay {
    pub(super) fn new(policy: Rc<Policy>, now: Instant) -> Self {
        let (to_wire, from_wire) = match policy.framing {
            None => (Queue::stream(), Queue::stream()),
            // The line feed and what -C puts before it leave together.
            Some(framing) if policy.filters.crlf => {
                (Queue::packets(framing.at_least(2)), Queue::received(policy.largest_datagram))
            }
            Some(framing) => (Queue::packets(framing), Queue::received(policy.largest_datagram)),
        };
        let rate = policy.rate.map(|rate| Rate::new(rate, now));
        let outbound = match policy.ways {
            Ways::Both | Ways::SendOnly => Flow::new("outbound", to_wire)
                .with_pace(policy.interval.map(Pace::new))
                .with_rate(rate.clone()),
            Ways::ReceiveOnly => Flow::unused("outbound"),
        };
        let inbound = Flow::new("inbound", from_wire).with_reads(policy.recv_limit).with_rate(rate);
        let filtering = (policy.filters != Filters::default()).then(|| {
            let layers = Stack {
                crlf: policy.filters.crlf.then(Crlf::default),
                telnet: policy.filters.telnet.then(Telnet::default),
                sanitize: policy.filters.sanitize.then(Sanitize::default),
            };
            Box::new(Filtering { layers, replies: Outbox::default() })
        });
        Self {
            policy,
            outbound,
            inbound,
            filtering,
            last_active: now,
            local_end: LocalEnd::Awaited,
            trouble: None,
        }
    }

    /// Bytes of the peer wait for nothing but stdout.
    pub(super) fn waits_for_output(&self) -> bool {
        self.inbound.waits_for_sink()
    }

    /// Bytes of stdin that the wire has taken.
    pub(super) fn sent(&self) -> u64 {
        self.outbound.delivered()
    }

    /// What has gone through so far.
    pub(super) fn moved(&self) -> Moved {
        let datagrams = self
            .policy
            .framing
            .map(|_| Datagrams { sent: self.outbound.pieces(), received: self.inbound.pieces() });
        Moved { sent: self.sent(), received: self.inbound.delivered(), datagrams }
    }

    /// Of what was read from stdin nothing waits for the wire.
    pub(super) fn has_sent_all(&self) -> bool {
        !self.outbound.holds_bytes()
    }

    /// More of stdin is wanted, now or later.
    pub(super) fn takes_input(&self) -> bool {
        self.outbound.state() == State::Open
    }

    /// Sending is over and done with as the policy has it, and nothing broke.
    pub(super) fn owes_a_linger(&self) -> bool {
        self.policy.ways == Ways::SendOnly
            && self.policy.local_eof == LocalEof::HalfClose
            && self.policy.framing.is_none()
            && self.outbound.state() == State::Finished
            && !self.inbound.state().is_over()
            && !made(Mistake::CloseUnread)
    }

    /// Moves what can be moved; says whether and why the relay is over.
    pub(super) fn advance(
        &mut self,
        wire: &mut impl Wire,
        local_in: &mut dyn ByteSource,
        local_out: &mut dyn ByteSink,
        turn: Turn,
        report: &mut Report,
    ) -> Option<End> {
        // Inbound first: after a reset the kernel still holds what arrived before, and it is the read
        // behind it that should meet the error, not a write.
        wire.begin_turn(turn.now);
        if made(Mistake::DropOnReset)
            && turn.gates.net.intersects(Readiness::ERROR)
            && let Some(error) = wire.take_error()
        {
            return Some(End::PeerFailed(error));
        }
        let had_destination = wire.has_destination();
        let held_back = self.must_answer_first();
        let received = self.receive(wire, local_out, turn);
        // Somebody to send to is no event of the kernel's.
        let found_destination = !had_destination && wire.has_destination();
        let retry_is_due = wire.retry_at().is_some_and(|at| at <= turn.now);
        let mut wire_takes =
            turn.gates.net.intersects(Readiness::WRITE) || found_destination || retry_is_due;
        let replies_blocked = wire_takes && self.send_replies(wire);
        wire_takes &= !replies_blocked;
        let mut sent = self.send(wire, local_in, wire_takes, turn);
        sent.blocked.sink |= replies_blocked;

        report.note_blocked(received.blocked, sent.blocked);
        // Room for more answers is no event of the kernel's either.
        let may_read_on = held_back && !self.must_answer_first();
        report.again = received.more || sent.more || may_read_on;
        report.output_done = received.finished;
        if received.calls + sent.calls > 0 {
            self.last_active = turn.now;
        }
        // What has failed in this turn tells more.
        if received.failure.is_none() && sent.failure.is_none() {
            self.notice_a_dead_wire(wire, local_in, turn.gates.net);
        }
        let end = self.settle(wire, local_in, received, sent, turn.now);
        if end.is_some() {
            self.outbound.leave(local_in);
            self.inbound.leave(wire);
        }
        report.deadline = self.deadline(turn.now).into_iter().chain(wire.retry_at()).min();
        end
    }

    fn receive(
        &mut self,
        wire: &mut impl Wire,
        local_out: &mut dyn ByteSink,
        turn: Turn,
    ) -> Progress {
        let ready = Ends {
            source: turn.gates.net.intersects(Readiness::READ) && !self.must_answer_first(),
            sink: turn.gates.local_out.intersects(Readiness::WRITE),
        };
        let allowance = Allowance { ready, budget: turn.budget, now: turn.now };
        let Some(Filtering { layers, replies }) =
            self.filtering.as_deref_mut().filter(|it| it.layers.changes_inbound())
        else {
            return self.inbound.pump(wire, local_out, None, allowance);
        };
        let mut filter = |input: &[u8], output: &mut [u8]| {
            if input.is_empty() {
                return (0, layers.inbound_ended(output));
            }
            let replies = replies.back();
            let before = replies.len();
            let passed = layers.inbound(input, output, replies);
            explain_refusals(&replies[before..]);
            (passed.taken, passed.given)
        };
        self.inbound.pump(wire, local_out, Some(&mut filter), allowance)
    }

    fn send(
        &mut self,
        wire: &mut impl Wire,
        local_in: &mut dyn ByteSource,
        wire_takes: bool,
        turn: Turn,
    ) -> Progress {
        let ready = Ends {
            // Without anybody to send to, stdin is left where it is.
            source: turn.gates.local_in.intersects(Readiness::READ) && wire.has_destination(),
            sink: wire_takes,
        };
        let allowance = Allowance { ready, budget: turn.budget, now: turn.now };
        let Some(Filtering { layers, .. }) =
            self.filtering.as_deref_mut().filter(|it| it.layers.crlf.is_some())
        else {
            return self.outbound.pump(local_in, wire, None, allowance);
        };
        let mut filter = |input: &[u8], output: &mut [u8]| {
            let passed = layers.outbound(input, output);
            (passed.taken, passed.given)
        };
        self.outbound.pump(local_in, wire, Some(&mut filter), allowance)
    }

    /// While answers wait for the wire, no more questions are read.
    fn must_answer_first(&self) -> bool {
        self.filtering.as_ref().is_some_and(|filtering| filtering.replies.len() >= MOST_REPLIES)
    }

    /// Sends what the layers have answered; says whether the wire was blocked.
    fn send_replies(&mut self, wire: &mut impl Wire) -> bool {
        let Some(Filtering { replies, .. }) = self.filtering.as_deref_mut() else { return false };
        while !replies.is_empty() {
            match wire.try_write(replies.waiting()) {
                Ok(Attempt::Moved(n)) => replies.took(n),
                Ok(Attempt::Blocked | Attempt::Ended) => return true,
                // Nobody waits for the answers any more; reading will tell why.
                Err(_) => replies.clear(),
            }
        }
        false
    }

    /// Behind the peer's end of file nobody reads any more, and while stdin is silent nobody writes: then
    /// the kernel's hint is all there is to learn from that the peer has gone for good. Of a UNIX socket it
    /// comes with the peer's close, which is no error; over TCP nobody can tell that from a half-close.
    fn notice_a_dead_wire(
        &mut self,
        wire: &mut impl Wire,
        local_in: &dyn ByteSource,
        net: Readiness,
    ) {
        let only_sending = self.inbound.state().is_over() && !self.outbound.state().is_over();
        if only_sending && net.intersects(Readiness::READER_GONE) {
            match wire.take_error() {
                Some(error) => {
                    self.note_trouble(End::PeerFailed(error));
                    self.outbound.give_up(local_in);
                }
                None => self.outbound.stop(),
            }
        }
    }

    /// What this turn's events in one direction mean for the other and for the whole.
    fn settle(
        &mut self,
        wire: &mut impl Wire,
        local_in: &dyn ByteSource,
        received: Progress,
        sent: Progress,
        now: Instant,
    ) -> Option<End> {
        self.explain_the_peers_end(&received);
        match received.failure {
            // The wire is dead both ways; what came before still goes to stdout.
            Some(Failure::Source(error)) => {
                self.note_trouble(End::PeerFailed(error));
                self.outbound.give_up(local_in);
            }
            Some(Failure::Sink(error)) if reader_left(&error) => return Some(End::ReaderGone),
            Some(Failure::Sink(error)) => return Some(End::OutputFailed(error)),
            None => {}
        }
        match sent.failure {
            // As good as the end of stdin, but not forgotten.
            Some(Failure::Source(error)) => self.note_trouble(End::InputFailed(error)),
            // What the peer sent before it went may still be waiting: reading goes on to its end,
            // which datagrams do not have.
            Some(Failure::Sink(error)) => {
                self.note_trouble(End::PeerFailed(error));
                if self.policy.framing.is_some() {
                    self.inbound.stop();
                }
            }
            None => {}
        }
        // What is never read has no end of its own: Debian's takes the first sign of the peer for it.
        let never_read = self.policy.ways == Ways::ReceiveOnly;
        let ends = sent.finished || (never_read && received.calls > 0);
        if ends && self.local_end == LocalEnd::Awaited {
            let quit_at = self.policy.quit_after.map(|wait| now + wait);
            self.local_end = LocalEnd::Met { quit_at };
            match self.policy.local_eof {
                LocalEof::HalfClose => {
                    // It fails only on a connection that is gone, and reading tells that better.
                    let _ = wire.shutdown_write();
                }
                // The peer has ended: nothing more is expected from it, so what it is not told does not matter.
                LocalEof::KeepOpen if never_read || self.inbound.state().is_over() => {}
                LocalEof::KeepOpen => {
                    explain(|| Step::NotTold { datagrams: self.policy.framing.is_some() });
                }
            }
        }
        if sent.finished && self.inbound.state().is_over() {
            self.ask_about_the_last_words(wire);
        }
        if self.inbound.reads_are_used_up() {
            explain(|| Step::ReadEnough);
            self.outbound.stop();
        }
        if self.inbound.state().is_over()
            && (self.policy.peer_eof == PeerEof::EndSession || made(Mistake::EofBothWays))
        {
            self.outbound.stop();
        }
        self.end(now)
    }

    /// What was sent behind the peer's end of file may have met nobody, and no read is left that would say so.
    /// The answer may still be under way: over a network it is known too late.
    fn ask_about_the_last_words(&mut self, wire: &mut impl Wire) {
        let is_stream = self.policy.framing.is_none();
        if is_stream
            && self.sent() > 0
            && let Some(error) = wire.take_error()
        {
            self.note_trouble(End::PeerFailed(error));
        }
    }

    fn explain_the_peers_end(&self, received: &Progress) {
        let goes_on = self.policy.peer_eof != PeerEof::EndSession;
        let is_news = !goes_on || !self.outbound.state().is_over();
        let is_end = received.finished && received.failure.is_none() && self.trouble.is_none();
        if is_end && is_news && !self.inbound.reads_are_used_up() {
            explain(|| Step::EndMeans { goes_on });
        }
    }

    fn end(&mut self, now: Instant) -> Option<End> {
        let both_over = self.inbound.state().is_over() && self.outbound.state().is_over();
        let sending_was_all = self.policy.ways == Ways::SendOnly && self.outbound.state().is_over();
        if both_over || sending_was_all {
            return Some(self.ending(End::Complete));
        }
        if self.local_end.quit_at().is_some_and(|at| at <= now) {
            self.local_end = LocalEnd::Outlived;
            return Some(self.ending(End::QuitTimer));
        }
        // Strictly later, so that `-w 0` lets the turn finish in which something moved.
        if self.idle_deadline().is_some_and(|at| at < now) {
            return Some(self.ending(End::Idle));
        }
        None
    }

    /// What broke before counts for more than that nothing came after it.
    fn ending(&mut self, end: End) -> End {
        self.trouble.take().map_or(end, |trouble| *trouble)
    }

    /// The relay is ended from outside.
    pub(super) fn leave(&mut self, wire: &dyn ByteSource) {
        self.inbound.leave(wire);
    }

    /// The account of the relay, whose flows are given up.
    pub(super) fn outcome(&mut self, end: End) -> Outcome {
        self.outbound.abandon();
        self.inbound.abandon();
        let Moved { sent, received, datagrams } = self.moved();
        let (unsent, unwritten) = (self.outbound.lost(), self.inbound.lost());
        let quits = self.local_end == LocalEnd::Outlived;
        Outcome { end, quits, sent, received, unsent, unwritten, datagrams }
    }

    fn deadline(&self, now: Instant) -> Option<Instant> {
        let next_move = self.gates().filter(|at| *at > now);
        self.local_end.quit_at().into_iter().chain(self.idle_deadline()).chain(next_move).min()
    }

    /// When what waits for nothing but time may go on.
    fn gates(&self) -> impl Iterator<Item = Instant> {
        let reads = self.outbound.next_read().into_iter().chain(self.inbound.next_read());
        reads.chain(self.outbound.next_write())
    }

    /// Lazy: computed from when something last moved or ended, so that moving a byte sets no timer. A line
    /// that is only waiting for its time is no idleness, and neither is what the rate holds back.
    fn idle_deadline(&self) -> Option<Instant> {
        let idle = self.policy.idle?;
        let from = self.gates().fold(self.last_active, Instant::max);
        Some(from + idle)
    }

    fn note_trouble(&mut self, trouble: End) {
        self.trouble.get_or_insert_with(|| Box::new(trouble));
    }
}

/// stdout's reader has left: a pipe says `EPIPE`, a socket may say that it was reset.
fn reader_left(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}

/// What telnet has just answered.
fn explain_refusals(answers: &[u8]) {
    for Refused { answer, word } in refusals(answers) {
        explain(|| Step::Telnet { answer, word });
    }
}

/// Answers that may wait for the wire before the peer's next question is read.
const MOST_REPLIES: usize = 4096;
