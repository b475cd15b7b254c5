//! The sessions, and the stdin and stdout they share.
//!
//! Owns: every session, its registration, its timer; who waits for stdout; how stdin is dealt out. This
//! is where a session's [`Report`] is acted upon. Must not know: how a connection came about.
//!
//! One session reads stdin itself. Several read it through a [`Broadcast`], each at its own pace; the
//! slowest holds stdin back, but whoever takes nothing at all while another waits for more is dropped
//! after a while (`feeding`). `tapping` has what the taps see of them.

mod feeding;
mod tapping;

use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use mio::Interest;

use super::broadcast::{Broadcast, Share};
use super::local::Local;
use super::meter::{Account, was_a_session};
use super::taps::{Onlooker, Taps, Watch};
use super::{Alarm, Loop, Owner, SEE};
use crate::datagram::LARGEST_PAYLOAD;
use crate::explain::{explain, raw_fd};
use crate::flow::Framing;
use crate::mistakes::{Mistake, made};
use crate::reactor::{Key, Readiness, Slots, SourceId, TimerId};
use crate::session::{End, Gates, Hops, Moved, Outcome, Policy, Report, Session, Tap, Turn};
use crate::sys::address::Address;
use crate::sys::link::Link;
use crate::sys::net::Transport;
use crate::sys::socket::Whom;
use crate::sys::stdio::FilePlace;
use crate::trace::{Event, tell};
use crate::units::micros;

/// Sessions with one stdin and one stdout.
#[derive(Debug)]
pub(super) struct Hub {
    local: Local,
    policy: Rc<Policy>,
    stdin: Stdin,
    sessions: Slots<Live>,
    /// Sessions with bytes that stdout does not take now, the one that waits longest in front.
    waiting_for_output: VecDeque<Key>,
    patience: Option<TimerId>,
    farewells: VecDeque<Farewell>,
    stdin_error: Option<io::Error>,
    negotiated: bool,
    /// A second connection to a proxy needs the local port of the first (`-p`).
    keeps_port: bool,
    taps: Option<Box<Taps>>,
    /// Somebody will ask what a session was.
    keeps_accounts: bool,
    began: Instant,
}

/// How sessions come to stdin.
#[derive(Debug)]
pub(super) enum Stdin {
    /// The session reads it. It is the last one, so stdout is closed when it has written all of it.
    OfTheLast,
    /// The session reads it, and leaves the rest, and stdout, to the next.
    OfOneOfMany,
    /// It is read for all of them at the same time.
    Shared(Broadcast),
}

/// How a session ended, and whose it was.
#[derive(Debug)]
pub(super) struct Farewell {
    pub(super) peer: Address,
    pub(super) outcome: Outcome,
    /// Where one is kept, and there was a session.
    pub(super) account: Option<Box<Account>>,
}

/// A session that goes on.
#[derive(Debug)]
pub(super) struct Snapshot<'a> {
    pub(super) peer: &'a Address,
    pub(super) is_negotiating: bool,
    pub(super) account: Account,
}

#[derive(Debug)]
struct Live {
    session: Session<Link>,
    peer: Address,
    net: SourceId,
    /// Since when it has led to the peer, in microseconds after the hub's beginning.
    began: u64,
    timer: Option<TimerId>,
    /// Is in `waiting_for_output`.
    waits_for_output: bool,
    /// How far it has read a shared stdin.
    position: u64,
    /// How much the wire had taken when it last took something, and when that was, as `began`.
    sent: u64,
    sent_at: u64,
    /// What the taps know of it, from when it leads to the peer.
    watch: Option<Box<Watch>>,
}

impl Hub {
    pub(super) fn new(
        local: Local,
        policy: Policy,
        stdin: Stdin,
        keeps_accounts: bool,
        began: Instant,
    ) -> Self {
        Self {
            local,
            policy: Rc::new(policy),
            stdin,
            sessions: Slots::new(),
            waiting_for_output: VecDeque::new(),
            patience: None,
            farewells: VecDeque::new(),
            stdin_error: None,
            negotiated: false,
            keeps_port: false,
            taps: None,
            keeps_accounts,
            began,
        }
    }

    /// In microseconds.
    fn age(&self, now: Instant) -> u64 {
        age(self.began, now)
    }

    pub(super) fn len(&self) -> usize {
        self.sessions.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// What has gone through the sessions that are there.
    pub(super) fn moved(&self) -> Moved {
        let mut sum = Moved::default();
        for (_, live) in self.sessions.iter() {
            let moved = live.session.moved();
            sum.sent += moved.sent;
            sum.received += moved.received;
        }
        sum
    }

    /// How far stdin has been read, if it is a file.
    pub(super) fn file_place(&self) -> Option<FilePlace> {
        self.local.input.place()
    }

    /// A peer may have said something that has not been read.
    pub(super) fn hears(&self, reactor: &Loop) -> bool {
        let may_read = |live: &Live| reactor.readiness(live.net).intersects(Readiness::READ);
        self.sessions.iter().any(|(_, live)| may_read(live))
    }

    /// The sessions that are there, each looked at when it is its turn.
    pub(super) fn snapshots(&self, now: Instant) -> impl Iterator<Item = Snapshot<'_>> {
        self.sessions.iter().map(move |(_, live)| Snapshot {
            peer: &live.peer,
            is_negotiating: live.session.is_negotiating(),
            account: live.account(live.session.moved(), self.age(now)),
        })
    }

    /// Changes how the sessions to come get stdin.
    pub(super) fn set_stdin(&mut self, stdin: Stdin) {
        self.stdin = stdin;
    }

    /// The sessions to come carry datagrams, also if the command line could not know that: the socket was
    /// inherited.
    pub(super) fn expect_datagrams(&mut self) {
        let policy = Rc::make_mut(&mut self.policy);
        policy.framing.get_or_insert(Framing::Read(LARGEST_PAYLOAD));
        policy.largest_datagram = Transport::UnixDatagram.largest_datagram();
    }

    /// A session that has ended; each is handed out once.
    pub(super) fn next_farewell(&mut self) -> Option<Farewell> {
        self.farewells.pop_front()
    }

    /// Why a shared stdin could not be read to its end; handed out once.
    pub(super) fn take_stdin_error(&mut self) -> Option<io::Error> {
        self.stdin_error.take()
    }

    /// stdout's reader has left.
    pub(super) fn reader_is_gone(&self, reactor: &Loop) -> bool {
        self.local.reader_is_gone(reactor)
    }

    /// Begins a session over a socket that the reactor does not know yet.
    ///
    /// # Errors
    /// The poller will not watch it; it is closed.
    pub(super) fn admit(
        &mut self,
        reactor: &mut Loop,
        mut link: Link,
        peer: Address,
    ) -> io::Result<()> {
        let interest = Interest::READABLE | Interest::WRITABLE;
        let net = reactor.register(
            link.polled().source(),
            interest,
            Owner::Session(self.sessions.next_key()),
        )?;
        self.begin(reactor, link, net, peer);
        Ok(())
    }

    /// Begins a session over a socket that is registered already.
    pub(super) fn adopt(&mut self, reactor: &mut Loop, link: Link, net: SourceId, peer: Address) {
        reactor.retag(net, Owner::Session(self.sessions.next_key()));
        self.begin(reactor, link, net, peer);
    }

    /// The connections to come are all from the same local port.
    pub(super) fn keep_port(&mut self) {
        self.keeps_port = true;
    }

    /// Begins a session over a connection to the first of some proxies.
    pub(super) fn negotiate(
        &mut self,
        reactor: &mut Loop,
        mut link: Link,
        net: SourceId,
        peer: Address,
        hops: Hops,
        deadline: Option<Instant>,
    ) {
        reactor.retag(net, Owner::Session(self.sessions.next_key()));
        link.talk_to(Whom::Proxy);
        let session = Session::through(link, hops, deadline, self.policy.clone());
        self.enter(reactor, self.newcomer(session, net, peer, reactor.now()));
    }

    /// A session's proxies have let it through; said once.
    pub(super) fn take_negotiated(&mut self) -> bool {
        std::mem::take(&mut self.negotiated)
    }

    /// Takes the connection out of the only session, before a byte was read.
    pub(super) fn take_only_link(&mut self, reactor: &mut Loop) -> Option<Link> {
        let (key, _) = self.sessions.iter().next()?;
        let mut live = self.sessions.remove(key)?;
        reactor.deregister(live.net, Some(live.session.wire_mut().polled().source()));
        Some(live.session.into_wire())
    }

    /// A new session gets its first turn as if it had just become ready: data may be there already.
    fn begin(&mut self, reactor: &mut Loop, mut link: Link, net: SourceId, peer: Address) {
        let now = reactor.now();
        let position = match &self.stdin {
            Stdin::OfTheLast | Stdin::OfOneOfMany => 0,
            Stdin::Shared(stdin) => {
                if !stdin.has_ended() {
                    link.keep_unsent_short();
                }
                reactor.requeue(self.local.input_id);
                stdin.position_for_newcomer()
            }
        };
        let watch = self.taps().map(|taps| taps.begin(&mut link, &peer, now));
        let session = Session::new(link, self.policy.clone(), now);
        let newcomer = self.newcomer(session, net, peer, now);
        self.enter(reactor, Live { position, watch, ..newcomer });
    }

    fn newcomer(&self, session: Session<Link>, net: SourceId, peer: Address, now: Instant) -> Live {
        Live {
            session,
            peer,
            net,
            began: self.age(now),
            timer: None,
            waits_for_output: false,
            position: 0,
            sent: 0,
            sent_at: self.age(now),
            watch: None,
        }
    }

    fn enter(&mut self, reactor: &mut Loop, newcomer: Live) {
        let net = newcomer.net;
        self.sessions.insert(newcomer);
        reactor.requeue(net);
    }

    /// Ends all sessions at once, for the same reason.
    pub(super) fn close_all(&mut self, reactor: &mut Loop, end: fn() -> End) {
        let keys: Vec<Key> = self.sessions.iter().map(|(key, _)| key).collect();
        for key in keys {
            self.close(reactor, key, end());
        }
    }

    /// stdin has something to say, or there is new room for what it has to say.
    pub(super) fn stdin_ready(&mut self, reactor: &mut Loop) {
        match self.stdin {
            Stdin::OfTheLast | Stdin::OfOneOfMany => {
                let only = self.sessions.iter().map(|(key, _)| key).next();
                if let Some(key) = only {
                    self.advance(reactor, key);
                }
            }
            Stdin::Shared(_) => self.feed(reactor),
        }
    }

    /// stdout may take bytes again: first come, first served.
    pub(super) fn stdout_ready(&mut self, reactor: &mut Loop) {
        for _ in 0..self.waiting_for_output.len() {
            if !reactor.readiness(self.local.output_id).intersects(Readiness::WRITE) {
                return;
            }
            let Some(key) = self.waiting_for_output.pop_front() else { return };
            if let Some(live) = self.sessions.get_mut(key) {
                live.waits_for_output = false;
                self.advance(reactor, key);
            }
        }
    }

    /// Lets one session do what it can.
    pub(super) fn advance(&mut self, reactor: &mut Loop, key: Key) {
        let held_back = self.is_held_back();
        let Some(live) = self.sessions.get_mut(key) else { return };
        // What is ready stays known, so the turn that it gets when the wait is over finds everything.
        if held_back && live.watch.is_some() {
            return;
        }
        let now = reactor.now();
        let net = reactor.readiness(live.net);
        let local_out = reactor.readiness(self.local.output_id);
        let output = &mut self.local.output;
        let mut onlooker = Onlooker::of(self.taps.as_deref_mut(), live.watch.as_deref_mut(), now);
        let is_seen = onlooker.is_some();
        let tap = onlooker.as_mut().map(|onlooker| onlooker as &mut dyn Tap);
        let mut report = match &mut self.stdin {
            Stdin::OfTheLast | Stdin::OfOneOfMany => {
                let local_in = reactor.readiness(self.local.input_id);
                let gates = Gates { net, local_in, local_out };
                // What is seen in one turn waits in memory until it is written.
                let budget = if is_seen { SHARED_BUDGET } else { BUDGET };
                let turn = Turn { gates, now, budget };
                let report = live.session.advance(&mut self.local.input, output, turn, tap);
                reactor.clear(self.local.input_id, report.local_in);
                report
            }
            Stdin::Shared(stdin) => {
                let readable = stdin.is_readable_at(live.position);
                let local_in = if readable { Readiness::READABLE } else { Readiness::NONE };
                let gates = Gates { net, local_in, local_out };
                let budget = if made(Mistake::NoBudget) { usize::MAX } else { SHARED_BUDGET };
                let turn = Turn { gates, now, budget };
                if stdin.is_full() {
                    // Whatever this session does may make room: taking bytes, wanting no more, ending.
                    reactor.requeue(self.local.input_id);
                }
                let mut share = Share { of: stdin, position: &mut live.position };
                live.session.advance(&mut share, output, turn, tap)
            }
        };
        reactor.clear(live.net, report.net);
        reactor.clear(self.local.output_id, report.local_out);
        if report.negotiated {
            self.negotiated = true;
            live.session.wire_mut().talk_to(Whom::Peer);
            live.began = age(self.began, now);
            if SEE && let Some(taps) = &mut self.taps {
                live.watch = Some(taps.begin(live.session.wire_mut(), &live.peer, now));
            }
        }
        if live.sent != live.session.sent() {
            live.sent = live.session.sent();
            live.sent_at = age(self.began, now);
        }
        self.write_dumps(reactor);
        match report.ended.take() {
            Some(outcome) => self.remove(reactor, key, outcome),
            None => self.follow_up(reactor, key, &report),
        }
    }

    /// A session that lives on: when and why it is to be advanced again.
    fn follow_up(&mut self, reactor: &mut Loop, key: Key, report: &Report) {
        if report.output_done {
            match self.stdin {
                Stdin::OfTheLast => self.local.close_output(reactor),
                Stdin::OfOneOfMany | Stdin::Shared(_) => {}
            }
        }
        let Some(live) = self.sessions.get_mut(key) else { return };
        if report.again {
            reactor.requeue(live.net);
        }
        if live.session.waits_for_output() && !live.waits_for_output {
            live.waits_for_output = true;
            self.waiting_for_output.push_back(key);
        }
        // Lazy: a timer that fires too early finds that out and is set anew, so a session in which
        // bytes flow touches its timer once per timeout and not once per byte.
        match (report.deadline, live.timer) {
            (Some(at), Some(timer)) if timer.at() <= at => {}
            (Some(at), timer) => {
                if let Some(timer) = timer {
                    reactor.cancel_timer(timer);
                }
                live.timer = Some(reactor.set_timer(at, Alarm::Session(key)));
            }
            (None, _) => {}
        }
    }

    /// A session's timer has fired.
    pub(super) fn timer_fired(&mut self, reactor: &mut Loop, key: Key) {
        if let Some(live) = self.sessions.get_mut(key) {
            live.timer = None;
            self.advance(reactor, key);
        }
    }

    fn close(&mut self, reactor: &mut Loop, key: Key, end: End) {
        let Some(live) = self.sessions.get_mut(key) else { return };
        let never_taken = match &self.stdin {
            Stdin::Shared(stdin) if live.session.takes_input() => stdin.head() - live.position,
            Stdin::Shared(_) | Stdin::OfTheLast | Stdin::OfOneOfMany => 0,
        };
        if let Some(mut outcome) = live.session.close(end) {
            outcome.unsent += never_taken;
            self.remove(reactor, key, outcome);
        }
    }

    fn remove(&mut self, reactor: &mut Loop, key: Key, outcome: Outcome) {
        let Some(mut live) = self.sessions.remove(key) else { return };
        let account = (SEE && self.keeps_accounts && was_a_session(&outcome.end))
            .then(|| Box::new(live.account(outcome.moved(), self.age(reactor.now()))));
        if self.keeps_port && matches!(outcome.end, End::ProxyReconnects(_)) {
            live.session.wire_mut().forget_on_close();
        }
        explain(|| outcome.explained(raw_fd(live.session.wire_mut().polled())));
        reactor.deregister(live.net, Some(live.session.wire_mut().polled().source()));
        if let Some(timer) = live.timer {
            reactor.cancel_timer(timer);
        }
        if live.waits_for_output {
            self.waiting_for_output.retain(|waiting| *waiting != key);
        }
        if let (Some(taps), Some(watch)) = (self.taps(), live.watch.take()) {
            taps.end(*watch, &outcome.end, reactor.now());
            self.write_dumps(reactor);
        }
        tell(Event::Noted(&format_args!("{}: {outcome:?}", live.peer)));
        self.farewells.push_back(Farewell { peer: live.peer, outcome, account });
    }
}

impl Live {
    /// `age` is the hub's.
    fn account(&self, moved: Moved, age: u64) -> Account {
        let took = Duration::from_micros(age.saturating_sub(self.began));
        Account::of(self.session.wire(), moved, took)
    }
}

/// In microseconds.
fn age(began: Instant, now: Instant) -> u64 {
    micros(now.saturating_duration_since(began))
}

/// Bytes one session may move each way in one turn, where only its other direction, timers and signals wait
/// for it: four full pipes, so that the cost of a turn does not show, and under a millisecond of copying.
const BUDGET: usize = 1024 * 1024;

/// The same where several sessions share stdout: one buffer, so that a byte of a quiet client waits for
/// 64 KiB of each noisy one and not for four times as much.
const SHARED_BUDGET: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    /// Thousands of clients may be connected and silent.
    #[test]
    fn a_client_costs_little_here() {
        let size = size_of::<Live>();
        // There a descriptor keeps what the poller needs of it.
        let most = if cfg!(mio_unsupported_force_poll_poll) { 200 } else { 192 };
        assert!(size <= most, "{size} bytes");
    }
}
