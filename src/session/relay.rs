//! Two flows back to back, and the policy that couples their ends.
//!
//! Owns: every rule of the form "when this direction ends, that one …". Each rule stands once, in
//! [`Relay::settle`]. Must not know: phases before and after relaying, registration, where stdin and
//! stdout come from.
//! Invariant: the directions never wait for each other; only the rules of the policy join them.

use std::io;
use std::time::{Duration, Instant};

use super::outcome::{End, Outcome};
use super::policy::{LocalEof, PeerEof, Policy, Ways};
use super::{Report, Turn};
use crate::flow::{Ends, Failure, Flow, Progress, State};
use crate::nonblock::{ByteSink, ByteSource, Wire};
use crate::reactor::Readiness;

/// The relaying phase of a session.
#[derive(Debug)]
pub(super) struct Relay {
    policy: Policy,
    /// stdin to the wire.
    outbound: Flow,
    /// The wire to stdout.
    inbound: Flow,
    last_active: Instant,
    quit_at: Option<Instant>,
    /// The first thing that broke; the session goes on as long as one direction has work.
    trouble: Option<End>,
}

impl Relay {
    pub(super) fn new(policy: Policy, now: Instant) -> Self {
        let outbound = match policy.ways {
            Ways::Both | Ways::SendOnly => Flow::new("outbound", None),
            Ways::ReceiveOnly => Flow::unused("outbound"),
        };
        let inbound = Flow::new("inbound", policy.recv_limit);
        Self { policy, outbound, inbound, last_active: now, quit_at: None, trouble: None }
    }

    /// Bytes are held that only stdout can take.
    pub(super) fn holds_output(&self) -> bool {
        self.inbound.holds_bytes()
    }

    /// More of stdin is wanted, now or later.
    pub(super) fn takes_input(&self) -> bool {
        self.outbound.state() == State::Open
    }

    /// Sending is over and done with as the policy has it, and nothing broke.
    pub(super) fn owes_a_linger(&self) -> bool {
        self.policy.ways == Ways::SendOnly
            && self.policy.local_eof == LocalEof::HalfClose
            && self.outbound.state() == State::Finished
            && !self.inbound.state().is_over()
    }

    /// Moves what can be moved; says whether and why the relay is over.
    pub(super) fn advance(
        &mut self,
        wire: &mut impl Wire,
        local_in: &mut impl ByteSource,
        local_out: &mut impl ByteSink,
        turn: Turn,
        report: &mut Report,
    ) -> Option<End> {
        let Turn { gates, now, budget } = turn;
        // Inbound first: after a reset the kernel still holds what arrived before, and it is the read
        // behind it that shall meet the error, not a write.
        let ready = Ends {
            source: gates.net.intersects(Readiness::READ),
            sink: gates.local_out.intersects(Readiness::WRITE),
        };
        let received = self.inbound.pump(wire, local_out, ready, budget);
        let ready = Ends {
            source: gates.local_in.intersects(Readiness::READ),
            sink: gates.net.intersects(Readiness::WRITE),
        };
        let sent = self.outbound.pump(local_in, wire, ready, budget);

        report.note_blocked(received.blocked, sent.blocked);
        report.again = received.more || sent.more;
        report.output_done = received.finished;
        if received.moved + sent.moved > 0 {
            self.last_active = now;
        }
        let end = self.settle(wire, received, sent, now);
        report.deadline = self.deadline();
        end
    }

    /// What this turn's events in one direction mean for the other and for the whole.
    fn settle(
        &mut self,
        wire: &mut impl Wire,
        received: Progress,
        sent: Progress,
        now: Instant,
    ) -> Option<End> {
        match received.failure {
            // The wire is dead both ways; what came before still goes to stdout.
            Some(Failure::Source(error)) => {
                self.note_trouble(End::PeerFailed(error));
                self.outbound.abandon();
            }
            Some(Failure::Sink(error)) if reader_left(&error) => return Some(End::ReaderGone),
            Some(Failure::Sink(error)) => return Some(End::OutputFailed(error)),
            None => {}
        }
        match sent.failure {
            // As good as the end of stdin, but not forgotten.
            Some(Failure::Source(error)) => self.note_trouble(End::InputFailed(error)),
            // What the peer sent before it went may still be waiting: reading goes on to its end.
            Some(Failure::Sink(error)) => self.note_trouble(End::PeerFailed(error)),
            None => {}
        }
        if sent.finished {
            match self.policy.local_eof {
                // It fails only on a connection that is gone, and reading tells that better.
                LocalEof::HalfClose => drop(wire.shutdown_write()),
                LocalEof::KeepOpen => {}
            }
            self.quit_at = self.policy.quit_after.map(|wait| now + wait);
        }
        if self.inbound.reads_are_used_up() {
            self.outbound.stop();
        }
        if self.inbound.state().is_over() && self.policy.peer_eof == PeerEof::EndSession {
            self.outbound.stop();
        }
        self.end(now)
    }

    fn end(&mut self, now: Instant) -> Option<End> {
        let both_over = self.inbound.state().is_over() && self.outbound.state().is_over();
        let sending_was_all = self.policy.ways == Ways::SendOnly && self.outbound.state().is_over();
        if both_over || sending_was_all {
            return Some(self.trouble.take().unwrap_or(End::Complete));
        }
        if self.quit_at.is_some_and(|at| at <= now) {
            return Some(End::QuitTimer);
        }
        // Strictly later, so that `-w 0` lets the turn finish in which something moved.
        if self.idle_deadline().is_some_and(|at| at < now) {
            return Some(End::Idle);
        }
        None
    }

    /// The account of the relay, whose flows are given up.
    pub(super) fn outcome(&mut self, end: End) -> Outcome {
        self.outbound.abandon();
        self.inbound.abandon();
        Outcome {
            end,
            sent: self.outbound.delivered(),
            received: self.inbound.delivered(),
            unsent: self.outbound.lost(),
            unwritten: self.inbound.lost(),
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.quit_at.into_iter().chain(self.idle_deadline()).min()
    }

    /// Lazy: computed from the last byte moved, so that moving a byte sets no timer.
    fn idle_deadline(&self) -> Option<Instant> {
        self.policy.idle.map(|idle: Duration| self.last_active + idle)
    }

    fn note_trouble(&mut self, trouble: End) {
        self.trouble.get_or_insert(trouble);
    }
}

/// stdout's reader has left: a pipe says `EPIPE`, a socket may say that it was reset.
fn reader_left(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}
