//! The destinations that are still to be dialed, one after another over the same stdin.

use std::collections::VecDeque;
use std::time::Instant;

use super::confine::ask_for_ports;
use super::dial::Dial;
use super::job::{Connect, Destination, NameLookup, Proxy, ProxyKind};
use super::notice::Goal;
use super::targets::{Number, Target};
use super::{Alarm, Loop, route, targets};
use crate::error::Error;
use crate::reactor::TimerId;
use crate::session::Hops;
use crate::sys::address::{Address, UnixName};
use crate::sys::net::Transport;
use crate::sys::options::Options;
use crate::sys::resolve::Lookup;
use crate::sys::sandbox::{Asked, Promise};
use crate::sys::unix_path::{BoundPath, TemporaryName, make_way};

/// Destinations, and the race for the current one.
#[derive(Debug)]
pub(super) struct Ports {
    connect: Connect,
    transport: Transport,
    lookup: Lookup,
    options: Options,
    left: VecDeque<Next>,
    current: Option<Call>,
    /// What is to be said to the proxies of the destination that is dialed again.
    resumed: Option<Hops>,
    pub(super) dial: Option<Dial>,
    /// The host's addresses; empty before they are looked up.
    resolved: Vec<Target>,
    /// When patience with the first destination ends: looking its host up counts too.
    deadline: Option<Instant>,
    /// Until when the next one has to wait (`-i`).
    pause: Option<TimerId>,
    /// The name of a datagram client without one.
    temporary: Option<TemporaryName>,
    /// The name that a client was told to have, and its file once there is one.
    bound_name: Option<UnixName>,
    bound_file: Option<BoundPath>,
}

/// The destination that is being dialed, or is connected.
#[derive(Debug)]
struct Call {
    next: Next,
    /// What is to be said to the proxies, once there is a connection to the first.
    hops: Hops,
    deadline: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
enum Next {
    Port(u16),
    Exact,
}

impl Next {
    fn port(self) -> Option<u16> {
        match self {
            Self::Port(port) => Some(port),
            Self::Exact => None,
        }
    }
}

impl Ports {
    pub(super) fn new(
        connect: Connect,
        transport: Transport,
        lookup: Lookup,
        options: Options,
        now: Instant,
    ) -> Self {
        let left = match &connect.to {
            Destination::Host { ports, .. } => ports.iter().copied().map(Next::Port).collect(),
            Destination::Exact { .. } => VecDeque::from([Next::Exact]),
        };
        let deadline = connect.timeout.map(|timeout| now + timeout);
        Self {
            connect,
            transport,
            lookup,
            options,
            left,
            current: None,
            resumed: None,
            dial: None,
            resolved: Vec::new(),
            deadline,
            pause: None,
            temporary: None,
            bound_name: None,
            bound_file: None,
        }
    }

    /// There is no destination after the current one.
    pub(super) fn is_at_the_last(&self) -> bool {
        self.left.is_empty()
    }

    /// The next destination may be dialed.
    pub(super) fn is_ready_for_next(&self) -> bool {
        self.dial.is_none() && self.pause.is_none()
    }

    /// The pause is over.
    pub(super) fn end_pause(&mut self) {
        self.pause = None;
    }

    /// Lines the next destination up; `None` if there is none.
    ///
    /// # Errors
    /// Its host has no address that could be used, or a proxy cannot be told it.
    pub(super) fn next(&mut self, reactor: &mut Loop) -> Result<Option<Dial>, Error> {
        let Some(next) = self.left.pop_front() else { return Ok(None) };
        let timeout = self.connect.timeout;
        let deadline = self.deadline.take();
        let hops = match (self.resumed.take(), next) {
            (Some(hops), _) => hops,
            (None, next) => {
                let Connect { to, route, .. } = &self.connect;
                route::hops(route, to, next.port(), self.lookup)?
            }
        };
        let deadline = deadline.or_else(|| timeout.map(|timeout| reactor.now() + timeout));
        self.current = Some(Call { next, hops, deadline });
        let number = |port| Number::of(&self.connect.to, port, self.transport, self.lookup);
        let first_proxy = self.connect.route.proxies.first();
        let (number, targets) = match (next, first_proxy.map(|it| (it.host.clone(), it.port))) {
            (Next::Port(port), None) => (number(Some(port)), self.targets(port)?),
            (Next::Exact, _) => (number(None), vec![self.exact()?]),
            (Next::Port(_), Some((host, port))) => {
                (Number { host, ..number(Some(port)) }, self.targets(port)?)
            }
        };
        Ok(Some(Dial::new(number, self.options.clone(), targets)))
    }

    /// When patience with the current destination ends.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.current.as_ref().and_then(|call| call.deadline)
    }

    /// A connection is one to the first of some proxies.
    pub(super) fn leads_through_proxies(&self) -> bool {
        !self.connect.route.proxies.is_empty()
    }

    /// There may be a connection after the current one: to another port, or once more to a proxy, which
    /// says only then what it wants to know ([`crate::proto::Status::Reconnect`]).
    pub(super) fn may_dial_again(&self) -> bool {
        let asks_twice =
            |proxy: &Proxy| proxy.kind == ProxyKind::Http && proxy.credentials.is_some();
        !self.is_at_the_last() || self.connect.route.proxies.iter().any(asks_twice)
    }

    /// No proxy will be told again who we are.
    pub(super) fn forget_credentials(&mut self) {
        for proxy in &mut self.connect.route.proxies {
            proxy.credentials = None;
        }
    }

    /// What dialing on will take, and removing what was made for it.
    pub(super) fn ask(&self, asked: &mut Asked, verbose: bool) {
        let Connect { to, route, .. } = &self.connect;
        ask_for_ports(asked, to, route);
        let looks_up = verbose || !route.proxies.is_empty() && route.lookup != NameLookup::Proxy;
        if looks_up && !self.lookup.numeric {
            asked.promises.push(Promise::Names);
        }
        asked.removals.extend(self.bound_file.iter().flat_map(BoundPath::removals));
        asked.removals.extend(self.temporary.iter().flat_map(TemporaryName::removals));
    }

    /// What is to be said to the proxies, once there is a connection to the first; empty without any.
    pub(super) fn take_hops(&mut self) -> Hops {
        self.current.as_mut().map(|call| std::mem::take(&mut call.hops)).unwrap_or_default()
    }

    /// Has the current destination dialed again, and what is to be said to the proxies with it.
    pub(super) fn dial_again(&mut self, hops: Hops) {
        if let Some(call) = self.current.take() {
            self.left.push_front(call.next);
            self.deadline = call.deadline;
            self.resumed = Some(hops);
        }
    }

    /// The destination that proxies have connected us to, as messages name it.
    pub(super) fn goal(&self) -> Goal<'_> {
        let port = self.current.as_ref().and_then(|call| call.next.port());
        let host = match &self.connect.to {
            Destination::Host { host, .. } => host.as_str(),
            Destination::Exact { .. } => "",
        };
        Goal { host, address: None, port, protocol: self.transport.name() }
    }

    /// A client's socket has its name by now: takes charge of the file.
    pub(super) fn note_bound_file(&mut self) {
        if let Some(name) = self.bound_name.take() {
            self.bound_file = BoundPath::of(&name);
        }
    }

    /// The name that was made up for a datagram client, if one was.
    pub(super) fn temporary_address(&self) -> Option<Address> {
        self.temporary.as_ref().map(TemporaryName::address)
    }

    /// Waits before the next destination, if that is asked for and there is one.
    pub(super) fn pause(&mut self, reactor: &mut Loop) {
        if let Some(interval) = self.connect.interval
            && !self.left.is_empty()
        {
            self.pause = Some(reactor.set_timer(reactor.now() + interval, Alarm::NextPort));
        }
    }

    /// The host's addresses with the local address for each, looked up once for all ports.
    fn targets(&mut self, port: u16) -> Result<Vec<Target>, Error> {
        if self.resolved.is_empty() {
            let Connect { to, route, .. } = &self.connect;
            self.resolved = targets::resolve(to, route, port, self.lookup)?;
        }
        Ok(self.resolved.iter().map(|target| target.at_port(port)).collect())
    }

    /// An address that needs no looking up. A datagram client needs a name to be answered at.
    fn exact(&mut self) -> Result<Target, Error> {
        let Destination::Exact { address, source } = &self.connect.to else {
            return Err(Error::Silent);
        };
        let from = match own_name(source.as_ref(), self.transport) {
            OwnName::Given(source) => {
                if let Address::Unix(name) = source {
                    make_way(name).map_err(Error::doing(name.to_string()))?;
                    self.bound_name = Some(name.clone());
                }
                Some(source.clone())
            }
            OwnName::MadeUp => {
                let temporary =
                    TemporaryName::new().map_err(Error::doing("cannot make a temporary socket"))?;
                Some(self.temporary.insert(temporary).address())
            }
            OwnName::None => None,
        };
        Ok(Target { to: address.clone(), from })
    }
}

/// The local name of a client's socket whose peer needs no looking up.
enum OwnName<'a> {
    None,
    /// As it was told (`-s`).
    Given(&'a Address),
    /// For a datagram client, which could not be answered without.
    MadeUp,
}

fn own_name(source: Option<&Address>, transport: Transport) -> OwnName<'_> {
    match source {
        Some(source) => OwnName::Given(source),
        None if transport == Transport::UnixDatagram => OwnName::MadeUp,
        None => OwnName::None,
    }
}

/// A connection will make a file that is ours to remove.
pub(super) fn leaves_file(connect: &Connect, transport: Transport) -> bool {
    let Destination::Exact { source, .. } = &connect.to else { return false };
    match own_name(source.as_ref(), transport) {
        OwnName::Given(Address::Unix(name)) => BoundPath::is_made_by(name),
        OwnName::MadeUp => true,
        OwnName::Given(_) | OwnName::None => false,
    }
}
