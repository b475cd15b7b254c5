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
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use log::debug;
use mio::Interest;
use mio::net::TcpStream;

use super::notice::{Console, Destination, Notice};
use super::{Alarm, Loop, Owner};
use crate::error::Error;
use crate::reactor::{Readiness, SourceId, TimerId};
use crate::sys::net::{DialError, connected, dial};

/// Where to, and from where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) to: SocketAddr,
    pub(super) from: Option<SocketAddr>,
}

/// The race for one port.
#[derive(Debug)]
pub(super) struct Dial {
    host: String,
    port: u16,
    /// Names are printed with their addresses, numbers are not.
    numeric: bool,
    waiting: VecDeque<Target>,
    running: Vec<Attempt>,
    /// Attempts so far; numbers them.
    started: usize,
    next: Option<TimerId>,
    deadline: Option<TimerId>,
    last_failure: Option<(IpAddr, Failure)>,
    state: State,
}

#[derive(Debug)]
struct Attempt {
    number: usize,
    stream: TcpStream,
    id: SourceId,
    to: SocketAddr,
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
    pub(super) stream: TcpStream,
    pub(super) id: SourceId,
    pub(super) peer: SocketAddr,
}

impl Dial {
    /// Lines the addresses up; [`Dial::start`] begins.
    pub(super) fn new(host: String, port: u16, numeric: bool, targets: Vec<Target>) -> Self {
        Self {
            host,
            port,
            numeric,
            waiting: take_turns(targets),
            running: Vec::new(),
            started: 0,
            next: None,
            deadline: None,
            last_failure: None,
            state: State::Racing,
        }
    }

    /// How the race stands.
    pub(super) fn state(&self) -> State {
        self.state
    }

    /// Tries the first address; gives up at `deadline`.
    pub(super) fn start(
        &mut self,
        reactor: &mut Loop,
        console: &Console,
        deadline: Option<Instant>,
    ) -> Result<(), Error> {
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
        let Some(which) = self.running.iter().position(|attempt| attempt.number == number) else {
            return Ok(None);
        };
        let attempt = &self.running[which];
        match connected(&attempt.stream) {
            Ok(None) => {
                reactor.clear(attempt.id, Readiness::WRITE);
                Ok(None)
            }
            Ok(Some(peer)) => {
                let Attempt { stream, id, .. } = self.running.swap_remove(which);
                self.finish(reactor, State::Won);
                Ok(Some(Winner { stream, id, peer }))
            }
            Err(error) => {
                let mut attempt = self.running.swap_remove(which);
                reactor.deregister(attempt.id, Some(&mut attempt.stream));
                self.failed(console, attempt.to.ip(), Failure::Refused(error));
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
        self.try_next(reactor, console)
    }

    /// Nobody is interested any more.
    pub(super) fn give_up(&mut self, reactor: &mut Loop) {
        self.waiting.clear();
        self.finish(reactor, State::Lost);
    }

    /// Time is up for all.
    pub(super) fn deadline_passed(&mut self, reactor: &mut Loop, console: &Console) {
        self.deadline = None;
        let running = self.running.iter().map(|attempt| attempt.to.ip());
        let untried = self.waiting.iter().map(|target| target.to.ip());
        for ip in running.chain(untried).collect::<Vec<_>>() {
            self.failed(console, ip, Failure::TimedOut);
        }
        self.waiting.clear();
        self.finish(reactor, State::Lost);
    }

    /// An address of the host as messages name it: next to the name, unless it is the name.
    pub(super) fn destination(&self, ip: IpAddr) -> Destination<'_> {
        let shown = !self.numeric && self.host != ip.to_string();
        Destination { host: &self.host, address: shown.then_some(ip), port: self.port }
    }

    /// The last failure, for those who did not see each as it happened.
    pub(super) fn print_last_failure(&self, console: &Console) {
        if let Some((ip, failure)) = &self.last_failure {
            console.print(&self.notice(*ip, failure));
        }
    }

    fn try_next(&mut self, reactor: &mut Loop, console: &Console) -> Result<(), Error> {
        if let Some(timer) = self.next.take() {
            reactor.cancel_timer(timer);
        }
        while let Some(target) = self.waiting.pop_front() {
            let started = dial(target.to, target.from).and_then(|stream| {
                self.enroll(reactor, stream, target.to).map_err(DialError::Connect)
            });
            match started {
                Ok(()) => {
                    // Two sockets cannot hold the same source port at the same time: then one
                    // address after another, each with all the time there is.
                    let alone = target.from.is_some_and(|from| from.port() != 0);
                    if !self.waiting.is_empty() && !alone {
                        self.next =
                            Some(reactor.set_timer(reactor.now() + STAGGER, Alarm::DialNext));
                    }
                    return Ok(());
                }
                Err(DialError::Bind(error)) => return Err(Error::doing("bind failed")(error)),
                Err(DialError::Connect(error)) => {
                    self.failed(console, target.to.ip(), Failure::Refused(error));
                }
            }
        }
        if self.running.is_empty() {
            self.finish(reactor, State::Lost);
        }
        Ok(())
    }

    fn enroll(
        &mut self,
        reactor: &mut Loop,
        mut stream: TcpStream,
        to: SocketAddr,
    ) -> io::Result<()> {
        let number = self.started;
        self.started += 1;
        let id = reactor.register(&mut stream, BOTH_WAYS, Owner::Attempt(number))?;
        debug!("attempt {number}: {to}");
        self.running.push(Attempt { number, stream, id, to });
        Ok(())
    }

    fn failed(&mut self, console: &Console, ip: IpAddr, failure: Failure) {
        console.inform(&self.notice(ip, &failure));
        self.last_failure = Some((ip, failure));
    }

    fn notice<'a>(&'a self, ip: IpAddr, failure: &'a Failure) -> Notice<'a> {
        match failure {
            Failure::Refused(error) => Notice::Refused(self.destination(ip), error),
            Failure::TimedOut => Notice::TimedOut(self.destination(ip)),
        }
    }

    fn finish(&mut self, reactor: &mut Loop, end: State) {
        for mut loser in self.running.drain(..) {
            reactor.deregister(loser.id, Some(&mut loser.stream));
        }
        for timer in self.next.take().into_iter().chain(self.deadline.take()) {
            reactor.cancel_timer(timer);
        }
        self.enter(end);
    }

    fn enter(&mut self, next: State) {
        debug_assert!(self.state.leads_to(next), "dial: {:?} => {next:?}", self.state);
        debug!("dial: {:?} => {next:?}", self.state);
        self.state = next;
    }
}

/// The families alternate, the one that the resolver prefers first; within a family the resolver's
/// order stays (RFC 8305, section 4, with a First Address Family Count of 1).
fn take_turns(targets: Vec<Target>) -> VecDeque<Target> {
    let Some(first) = targets.first() else { return VecDeque::new() };
    let first_is_v4 = first.to.is_ipv4();
    let (mut preferred, mut other): (VecDeque<_>, VecDeque<_>) =
        targets.into_iter().partition(|target| target.to.is_ipv4() == first_is_v4);
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
        let target = |text: &str| Target { to: text.parse().expect("address"), from: None };
        let resolved =
            ["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1", "1.1.1.2:1"].map(target).to_vec();
        let order: Vec<_> = take_turns(resolved).iter().map(|t| t.to.to_string()).collect();
        assert_eq!(order, ["[::1]:1", "1.1.1.1:1", "[::2]:1", "1.1.1.2:1", "[::3]:1"]);
        assert!(take_turns(Vec::new()).is_empty());
    }
}
