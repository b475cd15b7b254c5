//! The destinations that are still to be dialed, one after another over the same stdin.

use std::collections::VecDeque;
use std::time::Instant;

use super::confine::ask_for_ports;
use super::dial::Dial;
use super::job::{Connect, Destination, Proxy, ProxyKind, Purpose};
use super::notice::Goal;
use super::route::Way;
use super::targets::Endpoint;
use super::{Alarm, Loop};
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
    /// Their ports; `None`: an address without ports.
    left: VecDeque<Option<u16>>,
    current: Option<Call>,
    /// What is to be said to the proxies of the destination that is dialed again.
    resumed: Option<Hops>,
    pub(super) dial: Option<Dial>,
    way: Way,
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
    port: Option<u16>,
    /// What is to be said to the proxies, once there is a connection to the first.
    hops: Hops,
    deadline: Option<Instant>,
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
            Destination::Host { ports, .. } => ports.iter().copied().map(Some).collect(),
            Destination::Exact { .. } => VecDeque::from([None]),
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
            way: Way::default(),
            deadline,
            pause: None,
            temporary: None,
            bound_name: None,
            bound_file: None,
        }
    }

    /// What each connection is made for.
    pub(super) fn purpose(&self) -> Purpose {
        self.connect.purpose
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
        let Some(port) = self.left.pop_front() else { return Ok(None) };
        if self.way.targets.is_empty() {
            self.way = self.look_up()?;
        }
        let Connect { to, route, timeout, .. } = &self.connect;
        let hops = match self.resumed.take() {
            Some(hops) => hops,
            None => self.way.hops(route, port)?,
        };
        let deadline =
            self.deadline.take().or_else(|| timeout.map(|timeout| reactor.now() + timeout));
        self.current = Some(Call { port, hops, deadline });
        let endpoint = Endpoint::of(to, port, self.transport, self.lookup).through(route);
        let targets = (0..).map_while(|which| self.way.target(which, port)).collect();
        Ok(Some(Dial::new(endpoint, self.options.clone(), targets)))
    }

    /// When patience with the current destination ends.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.current.as_ref().and_then(|call| call.deadline)
    }

    /// A connection is one to the first of some proxies.
    pub(super) fn leads_through_proxies(&self) -> bool {
        !self.connect.route.proxies.is_empty()
    }

    /// Connections begin at a port that was asked for.
    pub(super) fn has_local_port(&self) -> bool {
        matches!(&self.connect.to, Destination::Host { source_port: Some(_), .. })
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
        ask_for_ports(asked, &self.connect.to, &self.connect.route);
        if verbose && !self.lookup.numeric {
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
            self.left.push_front(call.port);
            self.deadline = call.deadline;
            self.resumed = Some(hops);
        }
    }

    /// The destination that proxies have connected us to, as messages name it.
    pub(super) fn goal(&self) -> Goal<'_> {
        let port = self.current.as_ref().and_then(|call| call.port);
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

    /// The way to all destinations. A name to connect from needs room, and a datagram client a name to be
    /// answered at.
    fn look_up(&mut self) -> Result<Way, Error> {
        let mut way = Way::look_up(&self.connect.to, &self.connect.route, self.lookup)?;
        for target in &mut way.targets {
            match &target.from {
                Some(Address::Unix(name)) => {
                    make_way(name).map_err(Error::doing(name.to_string()))?;
                    self.bound_name = Some(name.clone());
                }
                None if self.transport == Transport::UnixDatagram => {
                    let temporary = TemporaryName::new()
                        .map_err(Error::doing("cannot make a temporary socket"))?;
                    target.from = Some(self.temporary.insert(temporary).address());
                }
                Some(Address::Ip(_) | Address::Vsock { .. } | Address::Unnamed) | None => {}
            }
        }
        Ok(way)
    }
}

/// A connection will make a file that is ours to remove.
pub(super) fn leaves_file(connect: &Connect, transport: Transport) -> bool {
    let Destination::Exact { source, .. } = &connect.to else { return false };
    match source {
        Some(Address::Unix(name)) => BoundPath::is_made_by(name),
        Some(Address::Ip(_) | Address::Vsock { .. } | Address::Unnamed) => false,
        // It makes a name up, see `Ports::look_up`.
        None => transport == Transport::UnixDatagram,
    }
}
