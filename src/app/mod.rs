//! The application: the one loop, and the one place that knows what a wake is for.
//!
//! Owns: the reactor and everything registered with it; the order of things (listen, accept, serve;
//! dial one port after another). Must not know: the command line (it gets a [`Job`]), how bytes are
//! moved (that is `session` and `flow`).
//! Read next: `hub` for what happens to a session, `dial` and `accept` for where they come from.

mod accept;
mod broadcast;
mod dial;
mod hub;
mod job;
mod local;
mod notice;

use std::collections::VecDeque;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Instant;

use mio::net::TcpListener;

pub use job::{Connect, Job, Keep, Listen, Mode, Sharing};
pub use notice::Console;

use accept::{Accepted, Acceptor};
use broadcast::Broadcast;
use dial::{Dial, State as DialState, Target};
use hub::{Ended, Hub, Supply};
use local::Local;
use notice::Notice;

use crate::error::{Error, escape, reason};
use crate::reactor::{Key, Reactor, Wake};
use crate::session::{End, Policy};
use crate::sys::listeners;
use crate::sys::net::listen;
use crate::sys::resolve::{Family, Lookup, Purpose, addresses, label, service_name};

/// What a source is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Stdin,
    Stdout,
    Listener,
    /// A connection under way, by its number in the race.
    Attempt(usize),
    Session(Key),
}

/// What a timer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Alarm {
    /// The next address of a race.
    DialNext,
    /// The end of a race.
    DialDeadline,
    /// Descriptors may be free again.
    Accept,
    /// A session holds the others back.
    Patience,
    Session(Key),
}

type Loop = Reactor<Owner, Alarm>;

/// One run of the program.
#[derive(Debug)]
struct App<'a> {
    reactor: Loop,
    hub: Hub,
    origin: Origin,
    lookup: Lookup,
    console: &'a Console,
    record: Record,
}

/// Where sessions come from.
#[derive(Debug)]
enum Origin {
    /// From dialing one port after another.
    Ports(Box<Ports>),
    /// From a listener.
    Listener(Acceptor, Keep),
    /// From nowhere any more.
    Nowhere,
}

/// The ports still to be dialed, and the race for the current one.
#[derive(Debug)]
struct Ports {
    connect: Connect,
    left: VecDeque<u16>,
    dial: Option<Dial>,
    /// When patience with the current port ends; of the first, looking its host up counts too.
    deadline: Option<Instant>,
}

/// What the exit status is made of.
#[derive(Debug, Default)]
struct Record {
    sessions: usize,
    failures: usize,
}

/// Does the job. Returns when there is nothing left that could happen.
///
/// # Errors
/// What the program has to say last, and that the exit status is 1: no connection was made, bytes were
/// lost, a listener could not be opened.
pub fn run(job: &Job, console: &Console) -> Result<(), Error> {
    let mut reactor = Loop::new().map_err(Error::doing("cannot open a poller"))?;
    let (origin, supply) = match &job.mode {
        Mode::Connect(connect) => {
            let ports = Ports {
                connect: connect.clone(),
                left: connect.ports.iter().copied().collect(),
                dial: None,
                deadline: connect.timeout.map(|timeout| reactor.now() + timeout),
            };
            (Origin::Ports(Box::new(ports)), Supply::OneOfMany)
        }
        Mode::Listen(wanted) => {
            let listener = open_listener(wanted, job.lookup, console)?;
            let (max_conns, supply) = match wanted.keep {
                Keep::Once => (None, Supply::Last),
                Keep::Open { max_conns } => (max_conns, Supply::Shared(Broadcast::default())),
            };
            let acceptor = Acceptor::new(&mut reactor, listener, max_conns)
                .map_err(Error::doing("cannot poll the listening socket"))?;
            (Origin::Listener(acceptor, wanted.keep), supply)
        }
    };
    let local = Local::open(&mut reactor, job.policy.ways)
        .map_err(Error::doing("cannot use standard input and output"))?;
    let peer_eof = job.policy.peer_eof.settled(local.input.is_terminal());
    let policy = Policy { peer_eof, ..job.policy.clone() };
    let hub = Hub::new(local, policy, supply);
    App { reactor, hub, origin, lookup: job.lookup, console, record: Record::default() }.run()
}

impl App<'_> {
    /// The loop.
    fn run(mut self) -> Result<(), Error> {
        self.dial_next_port()?;
        while !self.is_over() {
            self.reactor.turn().map_err(Error::doing("cannot poll"))?;
            while let Some(wake) = self.reactor.next_wake() {
                self.dispatch(wake)?;
                self.settle()?;
            }
        }
        self.record.verdict()
    }

    fn is_over(&self) -> bool {
        self.hub.is_empty() && matches!(self.origin, Origin::Nowhere)
    }

    /// What every wake is for.
    fn dispatch(&mut self, wake: Wake<Owner, Alarm>) -> Result<(), Error> {
        let reactor = &mut self.reactor;
        match wake {
            Wake::Io(Owner::Session(key)) => self.hub.advance(reactor, key),
            Wake::Io(Owner::Stdin) => self.hub.stdin_ready(reactor),
            Wake::Io(Owner::Stdout) if self.hub.reader_is_gone(reactor) => {
                self.stop(|| End::ReaderGone);
            }
            Wake::Io(Owner::Stdout) => self.hub.stdout_ready(reactor),
            Wake::Io(Owner::Listener) | Wake::Timer(Alarm::Accept) => self.accept()?,
            Wake::Io(Owner::Attempt(number)) => self.attempt_ready(number)?,
            Wake::Timer(Alarm::DialNext) => {
                if let Some(dial) = self.origin.dial() {
                    dial.next_is_due(reactor, self.console)?;
                }
            }
            Wake::Timer(Alarm::DialDeadline) => {
                if let Some(dial) = self.origin.dial() {
                    dial.deadline_passed(reactor, self.console);
                }
            }
            Wake::Timer(Alarm::Patience) => self.hub.patience_is_over(reactor),
            Wake::Timer(Alarm::Session(key)) => self.hub.timer_fired(reactor, key),
        }
        Ok(())
    }

    /// What this wake's ends mean for the whole.
    fn settle(&mut self) -> Result<(), Error> {
        for trouble in self.hub.take_troubles() {
            self.console.complain(&trouble);
            self.record.failures += 1;
        }
        for Ended { peer, outcome } in self.hub.take_ended() {
            let peer = format!("{} port {}", peer.ip(), peer.port());
            if let Some(complaint) = outcome.complaint(&peer) {
                self.console.complain(&complaint);
            }
            if !outcome.is_clean() {
                self.record.failures += 1;
            }
            match outcome.end {
                // Without stdout there is nothing left to do for any session; a quit timer is
                // meant for the program.
                End::ReaderGone | End::OutputFailed(_) => self.stop(|| End::ReaderGone),
                End::QuitTimer => self.stop(|| End::QuitTimer),
                End::Complete
                | End::Idle
                | End::HeldOthersBack
                | End::PeerFailed(_)
                | End::InputFailed(_) => {}
            }
            if let Origin::Listener(acceptor, _) = &self.origin {
                acceptor.look_again(&mut self.reactor);
            }
        }
        if let Some(dial) = self.origin.dial()
            && dial.state() == DialState::Lost
        {
            if !self.console.is_verbose() {
                dial.print_last_failure(self.console);
            }
            self.origin.forget_dial();
        }
        self.dial_next_port()
    }

    /// Ends everything, for the same reason.
    fn stop(&mut self, end: fn() -> End) {
        self.hub.close_all(&mut self.reactor, end);
        match std::mem::replace(&mut self.origin, Origin::Nowhere) {
            Origin::Listener(acceptor, _) => acceptor.close(&mut self.reactor),
            Origin::Ports(ports) => {
                if let Some(mut dial) = ports.dial {
                    dial.give_up(&mut self.reactor);
                }
            }
            Origin::Nowhere => {}
        }
    }

    /// Begins to dial the next port, once the session of the one before is over.
    fn dial_next_port(&mut self) -> Result<(), Error> {
        while self.hub.is_empty()
            && let Origin::Ports(ports) = &mut self.origin
            && ports.dial.is_none()
        {
            let Some(port) = ports.left.pop_front() else {
                self.origin = Origin::Nowhere;
                return Ok(());
            };
            let reactor = &mut self.reactor;
            let supply = if ports.left.is_empty() { Supply::Last } else { Supply::OneOfMany };
            self.hub.set_supply(supply);
            let targets = targets(&ports.connect, port, self.lookup)?;
            let mut dial =
                Dial::new(ports.connect.host.clone(), port, self.lookup.numeric, targets);
            let deadline = ports.deadline.take();
            let deadline =
                deadline.or_else(|| ports.connect.timeout.map(|timeout| reactor.now() + timeout));
            dial.start(reactor, self.console, deadline)?;
            if dial.state() == DialState::Lost {
                if !self.console.is_verbose() {
                    dial.print_last_failure(self.console);
                }
            } else {
                ports.dial = Some(dial);
            }
        }
        Ok(())
    }

    fn attempt_ready(&mut self, number: usize) -> Result<(), Error> {
        let Some(dial) = self.origin.dial() else { return Ok(()) };
        let Some(winner) = dial.attempt_ready(&mut self.reactor, self.console, number)? else {
            return Ok(());
        };
        if self.console.is_verbose() {
            let service = if self.lookup.numeric { None } else { service_name(winner.peer.port()) };
            let to = dial.destination(winner.peer.ip());
            self.console.inform(&Notice::Connected(to, service.as_deref()));
        }
        self.origin.forget_dial();
        self.record.sessions += 1;
        self.hub.adopt(&mut self.reactor, winner.stream, winner.id, winner.peer);
        Ok(())
    }

    fn accept(&mut self) -> Result<(), Error> {
        for _ in 0..ACCEPTS_PER_TURN {
            let Origin::Listener(acceptor, keep) = &mut self.origin else { return Ok(()) };
            let keep = *keep;
            let accepted = acceptor
                .accept(&mut self.reactor, self.hub.len())
                .map_err(Error::doing("accept"))?;
            let Accepted::Client(stream, peer) = accepted else { return Ok(()) };
            if self.console.is_verbose() {
                self.console.inform(&Notice::Accepted(&label(peer.ip(), self.lookup), peer.port()));
            }
            self.record.sessions += 1;
            if let Err(error) = self.hub.admit(&mut self.reactor, stream, peer) {
                self.console.complain(&format!(
                    "{} port {}: {}",
                    peer.ip(),
                    peer.port(),
                    reason(&error)
                ));
                self.record.failures += 1;
            }
            match keep {
                Keep::Open { .. } => {}
                // Closed now, so that the next client is refused, and not left in a queue that
                // nobody will look at.
                Keep::Once => {
                    if let Origin::Listener(acceptor, _) =
                        std::mem::replace(&mut self.origin, Origin::Nowhere)
                    {
                        acceptor.close(&mut self.reactor);
                    }
                }
            }
        }
        if let Origin::Listener(acceptor, _) = &self.origin {
            acceptor.look_again(&mut self.reactor);
        }
        Ok(())
    }
}

impl Origin {
    fn dial(&mut self) -> Option<&mut Dial> {
        match self {
            Self::Ports(ports) => ports.dial.as_mut(),
            Self::Listener(..) | Self::Nowhere => None,
        }
    }

    fn forget_dial(&mut self) {
        match self {
            Self::Ports(ports) => ports.dial = None,
            Self::Listener(..) | Self::Nowhere => {}
        }
    }
}

impl Record {
    /// At least one connection was made, and no byte that was read was lost. Otherwise the reason has
    /// been printed when it happened.
    fn verdict(&self) -> Result<(), Error> {
        if self.sessions > 0 && self.failures == 0 { Ok(()) } else { Err(Error::Silent) }
    }
}

/// The host's addresses with the local address for each.
fn targets(connect: &Connect, port: u16, lookup: Lookup) -> Result<Vec<Target>, Error> {
    let to = addresses(&connect.host, port, lookup, Purpose::Connect).map_err(|reason| {
        Error::message(format!(
            "getaddrinfo for host \"{}\" port {port}: {reason}",
            abridge(&connect.host)
        ))
    })?;
    let source_port = connect.source_port.unwrap_or(0);
    let from = match &connect.source_host {
        None if source_port == 0 => {
            return Ok(to.into_iter().map(|to| Target { to, from: None }).collect());
        }
        None => vec![any(Family::V4, source_port), any(Family::V6, source_port)],
        Some(host) => addresses(host, source_port, lookup, Purpose::Bind)
            .map_err(|reason| Error::message(format!("getaddrinfo: {reason}")))?,
    };
    let same_family =
        |to: &SocketAddr| from.iter().copied().find(|from| from.is_ipv4() == to.is_ipv4());
    let targets: Vec<_> = to
        .into_iter()
        .filter_map(|to| same_family(&to).map(|from| Target { to, from: Some(from) }))
        .collect();
    if targets.is_empty() {
        return Err(Error::message("getaddrinfo: Address family for hostname not supported"));
    }
    Ok(targets)
}

/// Listens on the first address of the host that lets itself be bound.
fn open_listener(wanted: &Listen, lookup: Lookup, console: &Console) -> Result<TcpListener, Error> {
    let candidates = match &wanted.host {
        None => vec![any(lookup.family, wanted.port)],
        Some(host) => addresses(host, wanted.port, lookup, Purpose::Bind)
            .map_err(|reason| Error::message(format!("getaddrinfo: {reason}")))?,
    };
    let backlog = match wanted.keep {
        Keep::Once => 1,
        Keep::Open { .. } => BACKLOG,
    };
    let shared = wanted.sharing == Sharing::Shared;
    let mut refusal = Error::Silent;
    for at in candidates {
        let neighbour =
            if console.is_verbose() && shared { listeners::sharing_with(at) } else { None };
        match listen(at, backlog, shared) {
            Ok(listener) => {
                if let Some(neighbour) = neighbour {
                    console.inform(&Notice::Shared(neighbour));
                }
                if console.is_verbose() {
                    let at = listener.local_addr().unwrap_or(at);
                    console.inform(&Notice::Listening(&label(at.ip(), lookup), at.port()));
                }
                return Ok(listener);
            }
            // Debian's line has nothing but the reason.
            Err(error) if shared => refusal = Error::message(reason(&error)),
            Err(error) => {
                refusal =
                    Error::doing(format!("--exclusive {} port {}", at.ip(), at.port()))(error);
            }
        }
    }
    Err(refusal)
}

/// Every local address. Debian listens on IPv4 unless told `-6`; the IPv6 wildcard takes both.
fn any(family: Family, port: u16) -> SocketAddr {
    match family {
        Family::Any | Family::V4 => (Ipv4Addr::UNSPECIFIED, port).into(),
        Family::V6 => (Ipv6Addr::UNSPECIFIED, port).into(),
    }
}

/// A name from the command line for one line of a message.
fn abridge(name: &str) -> String {
    let mut short: String = name.chars().take(LONGEST_NAME).collect();
    if short.len() < name.len() {
        short += "...";
    }
    escape(&short)
}

/// Connections taken in one turn before everybody else has theirs; nginx and redis have similar limits
/// (redis: `MAX_ACCEPTS_PER_CALL` 1000, which is long for a program that also relays).
const ACCEPTS_PER_TURN: usize = 64;

/// Clients that may wait to be accepted with `-k`; the kernel cuts it to net.core.somaxconn.
const BACKLOG: i32 = 4096;

/// RFC 1035 allows a name 255 bytes.
const LONGEST_NAME: usize = 255;
