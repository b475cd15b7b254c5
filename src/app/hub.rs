//! The sessions, and the stdin and stdout they share.
//!
//! Owns: every session, its registration, its timer; who waits for stdout; how stdin is dealt out. This
//! is where a session's [`Report`] is acted upon. Must not know: how a connection came about.
//!
//! One session reads stdin itself. Several read it through a [`Broadcast`], each at its own pace; the
//! slowest holds stdin back, but not for longer than [`PATIENCE`] while another waits for more.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use log::debug;
use mio::Interest;
use mio::net::TcpStream;

use super::broadcast::{Broadcast, Share};
use super::local::Local;
use super::{Alarm, Loop, Owner};
use crate::error::reason;
use crate::nonblock::Attempt;
use crate::reactor::{Key, Readiness, Slots, SourceId, TimerId};
use crate::session::{End, Gates, Outcome, Policy, Report, Session, Turn};

/// Sessions with one stdin and one stdout.
#[derive(Debug)]
pub(super) struct Hub {
    local: Local,
    policy: Policy,
    supply: Supply,
    sessions: Slots<Live>,
    /// Sessions with bytes that stdout did not take, the one that waits longest in front.
    waiting_for_output: VecDeque<Key>,
    patience: Option<TimerId>,
    ended: Vec<Ended>,
    troubles: Vec<String>,
}

/// Where sessions get stdin from, and whether stdout is closed when one has written all of it.
#[derive(Debug)]
pub(super) enum Supply {
    /// From stdin itself; the session is the last, and ends stdout.
    Last,
    /// From stdin itself; another session follows, with the same stdout.
    OneOfMany,
    /// All at the same time.
    Shared(Broadcast),
}

/// How a session ended, and whose it was.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) peer: SocketAddr,
    pub(super) outcome: Outcome,
}

#[derive(Debug)]
struct Live {
    session: Session<TcpStream>,
    peer: SocketAddr,
    net: SourceId,
    timer: Option<TimerId>,
    /// Is in `waiting_for_output`.
    waits_for_output: bool,
    /// How much of a shared stdin it has taken, and when it last took some.
    position: u64,
    position_moved: Instant,
}

impl Hub {
    pub(super) fn new(local: Local, policy: Policy, supply: Supply) -> Self {
        Self {
            local,
            policy,
            supply,
            sessions: Slots::new(),
            waiting_for_output: VecDeque::new(),
            patience: None,
            ended: Vec::new(),
            troubles: Vec::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.sessions.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// Changes where the sessions to come get stdin from.
    pub(super) fn set_supply(&mut self, supply: Supply) {
        self.supply = supply;
    }

    /// Sessions that have ended since the last call.
    pub(super) fn take_ended(&mut self) -> Vec<Ended> {
        std::mem::take(&mut self.ended)
    }

    /// What went wrong since the last call without ending a session.
    pub(super) fn take_troubles(&mut self) -> Vec<String> {
        std::mem::take(&mut self.troubles)
    }

    /// stdout's reader has left.
    pub(super) fn reader_is_gone(&self, reactor: &Loop) -> bool {
        self.local.reader_is_gone(reactor)
    }

    /// Begins a session with a client that has just been accepted.
    ///
    /// # Errors
    /// The poller will not watch it; the connection is closed.
    pub(super) fn admit(
        &mut self,
        reactor: &mut Loop,
        mut stream: TcpStream,
        peer: SocketAddr,
    ) -> io::Result<()> {
        let interest = Interest::READABLE | Interest::WRITABLE;
        let net =
            reactor.register(&mut stream, interest, Owner::Session(self.sessions.next_key()))?;
        self.begin(reactor, stream, net, peer);
        Ok(())
    }

    /// Begins a session over a connection that is registered already.
    pub(super) fn adopt(
        &mut self,
        reactor: &mut Loop,
        stream: TcpStream,
        net: SourceId,
        peer: SocketAddr,
    ) {
        reactor.retag(net, Owner::Session(self.sessions.next_key()));
        self.begin(reactor, stream, net, peer);
    }

    /// A new session gets its first turn as if it had just become ready: data may be there already.
    fn begin(&mut self, reactor: &mut Loop, stream: TcpStream, net: SourceId, peer: SocketAddr) {
        let now = reactor.now();
        let position = match &self.supply {
            Supply::Last | Supply::OneOfMany => 0,
            Supply::Shared(stdin) => stdin.position_for_newcomer(),
        };
        self.sessions.insert(Live {
            session: Session::new(stream, self.policy.clone(), now),
            peer,
            net,
            timer: None,
            waits_for_output: false,
            position,
            position_moved: now,
        });
        reactor.requeue(net);
        self.feed(reactor);
    }

    /// Ends all sessions at once, for the same reason.
    pub(super) fn close_all(&mut self, reactor: &mut Loop, end: fn() -> End) {
        let keys: Vec<Key> = self.sessions.iter().map(|(key, _)| key).collect();
        for key in keys {
            self.close(reactor, key, end());
        }
    }

    /// stdin has something to say.
    pub(super) fn stdin_ready(&mut self, reactor: &mut Loop) {
        match self.supply {
            Supply::Last | Supply::OneOfMany => {
                if let Some((_, live)) = self.sessions.iter().next() {
                    reactor.requeue(live.net);
                }
            }
            Supply::Shared(_) => self.feed(reactor),
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
        let Some(live) = self.sessions.get_mut(key) else { return };
        let now = reactor.now();
        let net = reactor.readiness(live.net);
        let local_out = reactor.readiness(self.local.output_id);
        let output = &mut self.local.output;
        let took_before = live.position;
        let mut report = match &mut self.supply {
            Supply::Last | Supply::OneOfMany => {
                let local_in = reactor.readiness(self.local.input_id);
                let gates = Gates { net, local_in, local_out };
                let turn = Turn { gates, now, budget: BUDGET };
                let report = live.session.advance(&mut self.local.input, output, turn);
                reactor.clear(self.local.input_id, report.local_in);
                report
            }
            Supply::Shared(stdin) => {
                let readable = stdin.is_readable_at(live.position);
                let local_in = if readable { Readiness::READABLE } else { Readiness::NONE };
                let gates = Gates { net, local_in, local_out };
                let turn = Turn { gates, now, budget: SHARED_BUDGET };
                let mut share = Share { of: stdin, position: &mut live.position };
                live.session.advance(&mut share, output, turn)
            }
        };
        reactor.clear(live.net, report.net);
        reactor.clear(self.local.output_id, report.local_out);
        let took_some = live.position != took_before;
        if took_some {
            live.position_moved = now;
        }
        let ended = report.ended.take();
        let makes_room = took_some || ended.is_some();
        if let Some(outcome) = ended {
            self.remove(reactor, key, outcome);
        } else {
            self.follow_up(reactor, key, &report);
        }
        if makes_room {
            self.feed(reactor);
        }
    }

    /// A session that lives on: when and why it is to be advanced again.
    fn follow_up(&mut self, reactor: &mut Loop, key: Key, report: &Report) {
        if report.output_done {
            match self.supply {
                Supply::Last => self.local.close_output(reactor),
                Supply::OneOfMany | Supply::Shared(_) => {}
            }
        }
        let Some(live) = self.sessions.get_mut(key) else { return };
        if report.again {
            reactor.requeue(live.net);
        }
        if live.session.holds_output() && !live.waits_for_output {
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

    /// Patience with a session that holds the others back is over.
    pub(super) fn patience_is_over(&mut self, reactor: &mut Loop) {
        self.patience = None;
        let Supply::Shared(stdin) = &self.supply else { return };
        let head = stdin.head();
        let now = reactor.now();
        if !stdin.is_full() {
            return;
        }
        let stalled: Vec<Key> = self
            .takers()
            .filter(|(_, live)| live.position < head && now >= live.position_moved + PATIENCE)
            .map(|(key, _)| key)
            .collect();
        for key in stalled {
            self.close(reactor, key, End::HeldOthersBack);
        }
        self.feed(reactor);
    }

    /// Reads a shared stdin as far as the slowest session allows, and has everybody look at it.
    fn feed(&mut self, reactor: &mut Loop) {
        let slowest = self.takers().map(|(_, live)| live.position).min();
        let Supply::Shared(stdin) = &mut self.supply else { return };
        // With nobody to read it, stdin is left where it is.
        let Some(slowest) = slowest else { return };
        let input_id = self.local.input_id;
        let mut news = false;
        while !stdin.has_ended() && reactor.readiness(input_id).intersects(Readiness::READ) {
            stdin.forget_before(slowest);
            if stdin.is_full() {
                break;
            }
            match stdin.fill(&mut self.local.input) {
                Ok(Attempt::Moved(_) | Attempt::Ended) => news = true,
                Ok(Attempt::Blocked) => reactor.clear(input_id, Readiness::READ),
                Err(error) => {
                    news = true;
                    self.troubles.push(format!("stdin: {}", reason(&error)));
                }
            }
        }
        let full = stdin.is_full() && !stdin.has_ended();
        if news {
            for (_, live) in self.sessions.iter() {
                reactor.requeue(live.net);
            }
        }
        self.watch_the_slowest(reactor, full);
    }

    /// Patience is counted from the moment somebody waits in vain for more of a shared stdin.
    fn watch_the_slowest(&mut self, reactor: &mut Loop, full: bool) {
        let Supply::Shared(stdin) = &self.supply else { return };
        let head = stdin.head();
        let waits_in_vain = full && self.takers().any(|(_, live)| live.position == head);
        match self.patience {
            None if waits_in_vain => {
                debug!("shared stdin is full, and a session waits for more");
                self.patience = Some(reactor.set_timer(reactor.now() + PATIENCE, Alarm::Patience));
            }
            Some(timer) if !full => {
                reactor.cancel_timer(timer);
                self.patience = None;
            }
            None | Some(_) => {}
        }
    }

    /// Sessions that stdin is read for.
    fn takers(&self) -> impl Iterator<Item = (Key, &Live)> {
        self.sessions.iter().filter(|(_, live)| live.session.takes_input())
    }

    fn close(&mut self, reactor: &mut Loop, key: Key, end: End) {
        if let Some(live) = self.sessions.get_mut(key)
            && let Some(outcome) = live.session.close(end)
        {
            self.remove(reactor, key, outcome);
        }
    }

    fn remove(&mut self, reactor: &mut Loop, key: Key, outcome: Outcome) {
        let Some(mut live) = self.sessions.remove(key) else { return };
        reactor.deregister(live.net, Some(live.session.wire_mut()));
        if let Some(timer) = live.timer {
            reactor.cancel_timer(timer);
        }
        debug!("{}: {outcome:?}", live.peer);
        self.ended.push(Ended { peer: live.peer, outcome });
    }
}

/// Bytes one session may move each way in one turn before everybody else has theirs: four full buffers,
/// so that the cost of a turn does not show, and well under a millisecond of copying.
const BUDGET: usize = 256 * 1024;

/// The same where several sessions share stdout: one buffer, so that a byte of a quiet client waits for
/// 64 KiB of each noisy one and not for four times as much.
const SHARED_BUDGET: usize = 64 * 1024;

/// How long one session may hold back the stdin of the others by taking nothing at all. A stopped
/// process or a lost link is cut off; a slow reader is not.
const PATIENCE: Duration = Duration::from_secs(3);
