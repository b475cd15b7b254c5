//! One connection from its first byte to its outcome.
//!
//! Owns: the wire, the phase, the policy at work. Must not know: reactor, clock, registration; it is
//! told what is ready and what time it is, and reports what it found ([`Report`]). So a test drives it
//! with an in-memory wire and a clock of its own.
//! Read next: `phase` for the life, `relay` for the rules, `flow` for one direction.

mod negotiate;
mod outcome;
mod phase;
mod policy;
mod relay;
mod tap;

use std::rc::Rc;
use std::time::{Duration, Instant};

pub use negotiate::{Denial, Hops};
use negotiate::{Negotiation, Step};
pub use outcome::{Datagrams, End, Moved, Outcome};
pub use phase::Kind;
pub use policy::{Filters, LocalEof, PeerEof, Policy, Ways};
pub use tap::{Close, Tap, Way};

use crate::flow::Ends;
use crate::mistakes::{Mistake, made};
use crate::nonblock::{Attempt, ByteSink, ByteSource, Wire};
use crate::reactor::Readiness;
use phase::Phase;
use relay::Relay;
use tap::while_seen;

// anchor: turn
/// What a session is told when it is advanced.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    /// What is known to be ready.
    pub gates: Gates,
    /// What time it is.
    pub now: Instant,
    /// Bytes it may read from each side.
    pub budget: usize,
}
// end: turn

/// What is known to be ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gates {
    /// The connection.
    pub net: Readiness,
    /// stdin, or what stands for it.
    pub local_in: Readiness,
    /// stdout, or what stands for it.
    pub local_out: Readiness,
}

/// What a session found when it was advanced; its owner acts on it.
#[derive(Debug, Default)]
pub struct Report {
    /// Bits of the connection that `EAGAIN` has shown to be out of date.
    pub net: Readiness,
    /// The same of stdin.
    pub local_in: Readiness,
    /// The same of stdout.
    pub local_out: Readiness,
    /// The budget is spent and there is more to do: advance again on the next turn.
    pub again: bool,
    /// Advance again at this time at the latest. It may move back with every byte, so the owner sets
    /// a timer only where none is set that fires before it.
    pub deadline: Option<Instant>,
    /// The proxies have let us through: from now on the wire leads to the peer. Reported once.
    pub negotiated: bool,
    /// Everything the peer sent is on stdout, which may be closed as far as this session goes.
    pub output_done: bool,
    /// The session is over; reported once.
    pub ended: Option<Outcome>,
}

/// One connection.
#[derive(Debug)]
pub struct Session<W> {
    wire: W,
    phase: Phase,
    /// For the relay, when it begins. All sessions have the same.
    policy: Rc<Policy>,
}

impl<W: Wire> Session<W> {
    /// Starts to relay over a connected wire.
    pub fn new(wire: W, policy: Rc<Policy>, now: Instant) -> Self {
        Self { wire, phase: Phase::Relaying(Box::new(Relay::new(policy.clone(), now))), policy }
    }

    /// Starts to talk to the proxies that the wire leads through, until `deadline` at the latest.
    pub fn through(wire: W, hops: Hops, deadline: Option<Instant>, policy: Rc<Policy>) -> Self {
        let negotiation = Negotiation::new(hops, deadline);
        Self { wire, phase: Phase::Negotiating(Box::new(negotiation)), policy }
    }

    /// The connection itself.
    pub fn wire(&self) -> &W {
        &self.wire
    }

    /// The same, for whoever registered it.
    pub fn wire_mut(&mut self) -> &mut W {
        &mut self.wire
    }

    /// Bytes of the peer wait for nothing but stdout.
    pub fn waits_for_output(&self) -> bool {
        match &self.phase {
            Phase::Relaying(relay) => relay.waits_for_output(),
            Phase::Negotiating(_) | Phase::Lingering { .. } | Phase::Closed => false,
        }
    }

    /// Bytes of stdin that the wire has taken.
    pub fn sent(&self) -> u64 {
        match &self.phase {
            Phase::Relaying(relay) => relay.sent(),
            Phase::Lingering { outcome, .. } => outcome.sent,
            Phase::Negotiating(_) | Phase::Closed => 0,
        }
    }

    /// What has gone through so far.
    pub fn moved(&self) -> Moved {
        match &self.phase {
            Phase::Relaying(relay) => relay.moved(),
            Phase::Lingering { outcome, .. } => outcome.moved(),
            Phase::Negotiating(_) | Phase::Closed => Moved::default(),
        }
    }

    /// Proxies on the way have not let us through yet.
    pub fn is_negotiating(&self) -> bool {
        match &self.phase {
            Phase::Negotiating(_) => true,
            Phase::Relaying(_) | Phase::Lingering { .. } | Phase::Closed => false,
        }
    }

    /// Of what was read from stdin nothing waits for the wire.
    pub fn has_sent_all(&self) -> bool {
        match &self.phase {
            Phase::Relaying(relay) => relay.has_sent_all(),
            Phase::Negotiating(_) | Phase::Lingering { .. } | Phase::Closed => true,
        }
    }

    /// More of stdin is wanted, now or later.
    pub fn takes_input(&self) -> bool {
        match &self.phase {
            Phase::Relaying(relay) => relay.takes_input(),
            Phase::Negotiating(_) | Phase::Lingering { .. } | Phase::Closed => false,
        }
    }

    /// Does what can be done now without waiting; `tap` looks on while bytes are relayed.
    pub fn advance(
        &mut self,
        local_in: &mut dyn ByteSource,
        local_out: &mut dyn ByteSink,
        turn: Turn,
        mut tap: Option<&mut dyn Tap>,
    ) -> Report {
        let mut report = Report::default();
        if let Phase::Negotiating(negotiation) = &mut self.phase {
            let step = negotiation.advance(&mut self.wire, turn, &mut report);
            self.leave_negotiation(step, turn.now, &mut report);
            // The relay gets a turn of its own, so that its owner hears of it before it has read anything.
            return report;
        }
        if let Phase::Relaying(relay) = &mut self.phase {
            let end = while_seen(&mut self.wire, tap.as_deref_mut(), |wire| {
                relay.advance(wire, local_in, local_out, turn, &mut report)
            });
            if let Some(end) = end {
                self.leave_relay(end, turn.now, &mut report);
            }
        }
        if let Phase::Lingering { .. } = &self.phase {
            self.linger(turn, tap, &mut report);
        }
        report
    }

    /// What the session talks through, for whoever takes it over.
    pub fn into_wire(self) -> W {
        self.wire
    }

    /// Ends the session from outside. `None` if it has reported its outcome already.
    pub fn close(&mut self, end: End) -> Option<Outcome> {
        let outcome = match &mut self.phase {
            Phase::Relaying(relay) => {
                relay.leave(&self.wire);
                relay.outcome(end)
            }
            Phase::Lingering { outcome, .. } => Outcome { end, ..**outcome },
            Phase::Negotiating(_) => Outcome::of_nothing(end),
            Phase::Closed => return None,
        };
        self.phase.enter(Phase::Closed);
        Some(outcome)
    }

    fn leave_negotiation(&mut self, step: Step, now: Instant, report: &mut Report) {
        let end = match step {
            Step::Waiting => return,
            Step::Done => {
                report.negotiated = true;
                report.again = true;
                report.deadline = None;
                let relay = Relay::new(self.policy.clone(), now);
                self.phase.enter(Phase::Relaying(Box::new(relay)));
                return;
            }
            Step::Failed(denial) => End::Denied(denial),
            Step::Reconnect(hops) => End::ProxyReconnects(hops),
        };
        report.ended = Some(Outcome::of_nothing(end));
        self.phase.enter(Phase::Closed);
    }

    fn leave_relay(&mut self, end: End, now: Instant, report: &mut Report) {
        let Phase::Relaying(relay) = &mut self.phase else { return };
        let lingers = matches!(end, End::Complete) && relay.owes_a_linger();
        let outcome = relay.outcome(end);
        if lingers {
            let until = now + LINGER;
            report.deadline = Some(until);
            self.phase.enter(Phase::Lingering { until, outcome: Box::new(outcome) });
        } else {
            report.ended = Some(outcome);
            self.phase.enter(Phase::Closed);
        }
    }

    fn linger(&mut self, turn: Turn, mut tap: Option<&mut dyn Tap>, report: &mut Report) {
        let Phase::Lingering { until, outcome } = &mut self.phase else { return };
        let mut is_over = turn.now >= *until;
        report.deadline = Some(*until);
        let mut scrap = [0; SCRAP];
        let mut left = turn.budget;
        while !is_over && turn.gates.net.intersects(Readiness::READ) {
            let read =
                while_seen(&mut self.wire, tap.as_deref_mut(), |wire| wire.try_read(&mut scrap));
            match read {
                Ok(Attempt::Moved(n)) => {
                    // It has arrived where --send-only has everything arrive.
                    outcome.received += n as u64;
                    left = left.saturating_sub(n);
                    if left == 0 {
                        report.again = true;
                        break;
                    }
                }
                Ok(Attempt::Blocked) => {
                    report.net = report.net | Readiness::READ;
                    break;
                }
                // A reset after the peer got everything is its way to say that it has no more to say.
                Ok(Attempt::Ended) | Err(_) => is_over = true,
            }
        }
        if is_over {
            let end = std::mem::replace(&mut outcome.end, End::Complete);
            report.ended = Some(Outcome { end, ..**outcome });
            self.phase.enter(Phase::Closed);
        }
    }
}

impl Report {
    fn note_blocked(&mut self, inbound: Ends, outbound: Ends) {
        let said = |blocked: bool, bits: Readiness| if blocked { bits } else { Readiness::NONE };
        let unwritable = Readiness::WRITABLE | Readiness::WRITE_CLOSED;
        let unreadable = inbound.source || made(Mistake::ClearEarly);
        self.net = said(unreadable, Readiness::READ) | said(outbound.sink, unwritable);
        self.local_in = said(outbound.source, Readiness::READ);
        // Only what was tried: that the reader has gone stays known.
        self.local_out = said(inbound.sink, Readiness::WRITABLE);
    }
}

/// How long a session that only sends waits for the peer's end of file after its own. Long enough for
/// a peer across the world to read the last segment, short enough not to annoy where it never closes.
const LINGER: Duration = Duration::from_secs(2);

/// Read and thrown away at a time while lingering.
const SCRAP: usize = 4096;

#[cfg(test)]
mod lab;
#[cfg(test)]
mod tests;
