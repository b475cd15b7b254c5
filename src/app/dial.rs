//! Connecting to one port of a host by whichever of its addresses answers first.
//!
//! RFC 8305, section 5: the addresses are tried in the resolver's order with the families taking
//! turns, each 250 ms after the one before or as soon as that one has failed; the first to connect wins
//! and the others are dropped. So a dead IPv6 route costs a quarter of a second and not a timeout.
//!
//! ```text
//!   Racing ──▶ Won      a connection
//!      └─────▶ Lost     every address failed, or time is up
//! ```
//! Must not know: what the connection is for.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use mio::Interest;

use super::notice::{Console, Notice};
use super::targets::{Endpoint, Target};
use super::{Alarm, Loop, Owner};
use crate::error::{Error, escape};
use crate::explain::{Step, explain, raw_fd};
use crate::reactor::{Readiness, SourceId, TimerId};
use crate::sys::address::Address;
use crate::sys::net::{BUSY, ConnectStatus, DialError, connected, dial};
use crate::sys::options::Options;
use crate::sys::polled::Polled;
use crate::sys::socket::Socket;
use crate::trace::{Event, tell};

/// The race for one port.
#[derive(Debug)]
pub(super) struct Dial {
    endpoint: Endpoint,
    options: Options,
    waiting: VecDeque<Target>,
    /// Has to be tried again: its listener's queue was full.
    busy: Option<Target>,
    attempts: Vec<ConnectAttempt>,
    /// Attempts so far; numbers them.
    started: usize,
    next: Option<TimerId>,
    deadline: Option<TimerId>,
    /// What the deadline was counted from the start; each address has that long.
    patience: Option<Duration>,
    last_failure: Option<(Address, Failure)>,
    state: State,
}

#[derive(Debug)]
struct ConnectAttempt {
    number: usize,
    socket: Polled,
    id: SourceId,
    to: Address,
}

#[derive(Debug)]
enum Failure {
    Refused(io::Error),
    TimedOut,
}

/// How the race stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Addresses are being tried. A connection leads to `Won`; the last failure, or the deadline, to
    /// `Lost`.
    Racing,
    /// There is a connection. Nothing leaves this state.
    Won,
    /// There is none. Nothing leaves this state.
    Lost,
}

impl State {
    const fn leads_to(self, next: Self) -> bool {
        match self {
            Self::Racing => matches!(next, Self::Won | Self::Lost),
            Self::Won | Self::Lost => false,
        }
    }
}

/// The connection that won.
#[derive(Debug)]
pub(super) struct Winner {
    pub(super) socket: Socket,
    pub(super) id: SourceId,
    pub(super) peer: Address,
}

impl Dial {
    /// Lines the addresses up; [`Dial::start`] begins.
    pub(super) fn new(endpoint: Endpoint, options: Options, targets: Vec<Target>) -> Self {
        Self {
            endpoint,
            options,
            waiting: take_turns(targets),
            busy: None,
            attempts: Vec::new(),
            started: 0,
            next: None,
            deadline: None,
            patience: None,
            last_failure: None,
            state: State::Racing,
        }
    }

    /// What is being connected to, for whoever asks how far it is.
    pub(super) fn standing(&self) -> String {
        let Endpoint { host, port, .. } = &self.endpoint;
        let port = port.map(|port| format!(" port {port}")).unwrap_or_default();
        let tried = match (self.started, self.started + self.waiting.len()) {
            (_, 0 | 1) => String::new(),
            (started, all) => format!(", {started} of {all} addresses tried"),
        };
        format!("connecting to {}{port}{tried}", escape(host))
    }

    /// What is dialed.
    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// How the race stands.
    pub(super) fn state(&self) -> State {
        self.state
    }

    /// Tries the first address; gives those that run up at `deadline`.
    pub(super) fn start(
        &mut self,
        reactor: &mut Loop,
        console: &Console,
        deadline: Option<Instant>,
    ) -> Result<(), Error> {
        self.explain_race();
        self.patience = deadline.map(|at| at.saturating_duration_since(reactor.now()));
        self.deadline = deadline.map(|at| reactor.set_timer(at, Alarm::DialDeadline));
        self.try_next(reactor, console)
    }

    /// One of the attempts has something to say.
    pub(super) fn attempt_ready(
        &mut self,
        reactor: &mut Loop,
        console: &Console,
        number: usize,
    ) -> Result<Option<Winner>, Error> {
        let Some(which) = self.attempts.iter().position(|attempt| attempt.number == number) else {
            return Ok(None);
        };
        let attempt = &self.attempts[which];
        match connected(&attempt.socket, self.endpoint.transport) {
            Ok(ConnectStatus::UnderWay) => {
                reactor.clear(attempt.id, Readiness::WRITE);
                Ok(None)
            }
            Ok(status @ (ConnectStatus::Connected | ConnectStatus::Reset(_))) => {
                let ConnectAttempt { socket, id, to, .. } = self.attempts.remove(which);
                self.finish(reactor, State::Won);
                let transport = self.endpoint.transport;
                let socket = match status {
                    ConnectStatus::Reset(error) => Socket::reset(socket, transport, error),
                    ConnectStatus::UnderWay | ConnectStatus::Connected => {
                        Socket::connected(socket, transport)
                    }
                };
                Ok(Some(Winner { socket, id, peer: to }))
            }
            Err(error) => {
                let to = self.drop_attempt(reactor, which);
                self.failed(console, to, Failure::Refused(error));
                self.try_next(reactor, console)?;
                Ok(None)
            }
        }
    }

    /// The next address has waited long enough.
    pub(super) fn next_is_due(
        &mut self,
        reactor: &mut Loop,
        console: &Console,
    ) -> Result<(), Error> {
        self.next = None;
        if self.busy.is_none() {
            explain(|| Step::NextAddress);
        }
        self.try_next(reactor, console)
    }

    /// Nobody is interested any more.
    pub(super) fn give_up(&mut self, reactor: &mut Loop) {
        self.waiting.clear();
        self.busy = None;
        self.finish(reactor, State::Lost);
    }

    /// Time is up for those that run. Addresses that have not had their turn have it now, with a
    /// time of their own: the race may be shorter than what lies between two starts.
    pub(super) fn deadline_passed(
        &mut self,
        reactor: &mut Loop,
        console: &Console,
    ) -> Result<(), Error> {
        self.deadline = None;
        if let Some(target) = self.busy.take() {
            self.failed(console, target.to, Failure::TimedOut);
        }
        while let Some(slow) = self.attempts.first() {
            explain(|| Step::GaveUp { fd: raw_fd(&slow.socket), scan: false });
            let to = self.drop_attempt(reactor, 0);
            self.failed(console, to, Failure::TimedOut);
        }
        if let (Some(patience), false) = (self.patience, self.waiting.is_empty()) {
            self.deadline = Some(reactor.set_timer(reactor.now() + patience, Alarm::DialDeadline));
        }
        self.try_next(reactor, console)
    }

    /// The last failure, for those who did not see each as it happened.
    pub(super) fn print_last_failure(&self, console: &Console) {
        if let Some((to, failure)) = &self.last_failure
            && !console.is_verbose()
        {
            console.print(&self.notice(to, failure));
        }
    }

    fn try_next(&mut self, reactor: &mut Loop, console: &Console) -> Result<(), Error> {
        if let Some(timer) = self.next.take() {
            reactor.cancel_timer(timer);
        }
        while let Some(target) = self.busy.take().or_else(|| self.waiting.pop_front()) {
            let Target { to, from } = &target;
            match dial(self.endpoint.transport, to, from.as_ref(), &self.options) {
                Ok(socket) => match self.enroll(reactor, socket, to.clone()) {
                    Ok(()) => {
                        self.schedule_next(reactor, from.as_ref());
                        return Ok(());
                    }
                    Err(error) => self.failed(console, target.to, Failure::Refused(error)),
                },
                Err(DialError::Bind(error)) => {
                    let what = match from {
                        Some(Address::Unix(name)) => name.to_string(),
                        Some(_) | None => "bind failed".to_owned(),
                    };
                    return Err(Error::doing(what)(error));
                }
                Err(DialError::Option(error)) => return Err(Error::message(error.to_string())),
                Err(DialError::Busy) => {
                    self.busy = Some(target);
                    self.next = Some(reactor.set_timer(reactor.now() + BUSY, Alarm::DialNext));
                    return Ok(());
                }
                Err(DialError::Connect(error)) => {
                    self.failed(console, target.to, Failure::Refused(error));
                }
            }
        }
        if self.attempts.is_empty() {
            self.finish(reactor, State::Lost);
        }
        Ok(())
    }

    fn schedule_next(&mut self, reactor: &mut Loop, from: Option<&Address>) {
        // Two sockets cannot hold the same source port at the same time: then one address after
        // another, each with all the time there is.
        if !self.waiting.is_empty() && !has_port(from) {
            self.next = Some(reactor.set_timer(reactor.now() + STAGGER, Alarm::DialNext));
        }
    }

    fn enroll(&mut self, reactor: &mut Loop, mut socket: Polled, to: Address) -> io::Result<()> {
        let number = self.started;
        self.started += 1;
        let id = reactor.register(socket.source(), BOTH_WAYS, Owner::Attempt(number))?;
        tell(Event::Noted(&format_args!("attempt {number}: {to}")));
        self.attempts.push(ConnectAttempt { number, socket, id, to });
        Ok(())
    }

    fn failed(&mut self, console: &Console, to: Address, failure: Failure) {
        console.inform(&self.notice(&to, &failure));
        self.last_failure = Some((to, failure));
    }

    fn notice<'a>(&'a self, to: &Address, failure: &'a Failure) -> Notice<'a> {
        match failure {
            Failure::Refused(error) => Notice::Refused(self.endpoint.goal(to), error),
            Failure::TimedOut => Notice::TimedOut(self.endpoint.goal(to)),
        }
    }

    fn explain_race(&self) {
        if let Some((first, others)) =
            self.waiting.iter().next().zip(self.waiting.len().checked_sub(1))
            && others > 0
        {
            let in_turn = has_port(first.from.as_ref());
            explain(|| Step::Race { first: (&first.to).into(), others, in_turn });
        }
    }

    /// Closes the socket of an attempt, before another one may want its local port.
    fn drop_attempt(&mut self, reactor: &mut Loop, which: usize) -> Address {
        let mut attempt = self.attempts.remove(which);
        reactor.deregister(attempt.id, Some(attempt.socket.source()));
        attempt.to
    }

    fn finish(&mut self, reactor: &mut Loop, end: State) {
        for mut loser in self.attempts.drain(..) {
            if end == State::Won {
                explain(|| Step::Loser { fd: raw_fd(&loser.socket) });
            }
            reactor.deregister(loser.id, Some(loser.socket.source()));
        }
        for timer in self.next.take().into_iter().chain(self.deadline.take()) {
            reactor.cancel_timer(timer);
        }
        self.enter(end);
    }

    fn enter(&mut self, next: State) {
        debug_assert!(self.state.leads_to(next), "dial: {:?} => {next:?}", self.state);
        tell(Event::Entered { machine: "dial", from: &self.state, to: &next });
        self.state = next;
    }
}

fn has_port(from: Option<&Address>) -> bool {
    from.and_then(Address::as_ip).is_some_and(|from| from.port() != 0)
}

/// The families alternate, the one that the resolver prefers first; within a family the resolver's
/// order stays (RFC 8305, section 4, with a First Address Family Count of 1).
fn take_turns(targets: Vec<Target>) -> VecDeque<Target> {
    let Some(first) = targets.first() else { return VecDeque::new() };
    let is_v4 = |target: &Target| target.to.as_ip().is_some_and(|to| to.is_ipv4());
    let first_is_v4 = is_v4(first);
    let (mut preferred, mut other): (VecDeque<_>, VecDeque<_>) =
        targets.into_iter().partition(|target| is_v4(target) == first_is_v4);
    let mut mixed = VecDeque::with_capacity(preferred.len() + other.len());
    while !(preferred.is_empty() && other.is_empty()) {
        mixed.extend(preferred.pop_front());
        mixed.extend(other.pop_front());
    }
    mixed
}

const BOTH_WAYS: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// "Connection Attempt Delay": RFC 8305, section 8 recommends 250 ms.
const STAGGER: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_diagram_shows_the_edges() {
        crate::testing::assert_diagram(
            "Dial",
            &[State::Racing, State::Won, State::Lost],
            State::leads_to,
        );
    }

    #[test]
    fn families_take_turns_and_keep_their_order() {
        let target = |text: &str| Target::new(text.parse().expect("address"), None);
        let resolved =
            ["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1", "1.1.1.2:1"].map(target).to_vec();
        let order: Vec<_> = take_turns(resolved).iter().map(|t| t.to.to_string()).collect();
        assert_eq!(
            order,
            ["::1", "1.1.1.1", "::2", "1.1.1.2", "::3"].map(|ip| format!("{ip} port 1"))
        );
        assert!(take_turns(Vec::new()).is_empty());
    }
}
