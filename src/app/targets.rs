//! What is connected to: addresses, and the words for them.

use std::net::SocketAddr;

use super::job::{Destination, Route};
use super::listen::local_addresses;
use super::notice::Goal;
use crate::error::{Error, abridge};
use crate::sys::address::Address;
use crate::sys::net::Transport;
use crate::sys::resolve::{Family, Lookup, Purpose, addresses, any, in_numbers};

/// Where to, and from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) to: Address,
    pub(super) from: Option<Address>,
}

impl Target {
    pub(super) fn new(to: SocketAddr, from: Option<SocketAddr>) -> Self {
        Self { to: Address::Ip(to), from: from.map(Address::Ip) }
    }

    /// The same addresses with another destination port.
    pub(super) fn at_port(&self, port: u16) -> Self {
        let mut target = self.clone();
        if let Address::Ip(to) = &mut target.to {
            to.set_port(port);
        }
        target
    }
}

/// What is dialed.
#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    /// The host as typed, or the name of a UNIX socket.
    pub(super) host: String,
    /// The port, where there is one.
    pub(super) port: Option<u16>,
    pub(super) transport: Transport,
    /// Names are printed with their addresses, numbers are not.
    pub(super) numeric: bool,
}

impl Endpoint {
    /// A port of a destination, or the one address that it is.
    pub(super) fn of(
        to: &Destination,
        port: Option<u16>,
        transport: Transport,
        lookup: Lookup,
    ) -> Self {
        let host = match to {
            Destination::Host { host, .. } => host.clone(),
            Destination::Exact { address, .. } => address.to_string(),
        };
        Self { host, port, transport, numeric: lookup.numeric }
    }

    /// The first of some proxies is dialed in its place.
    pub(super) fn through(self, route: &Route) -> Self {
        match route.proxies.first() {
            Some(proxy) => Self { host: proxy.host.clone(), port: Some(proxy.port), ..self },
            None => self,
        }
    }

    /// An address of the host as messages name it: next to the name, unless it is the name.
    pub(super) fn goal(&self, address: &Address) -> Goal<'_> {
        let Self { host, port, transport, numeric } = self;
        let shown = address.as_ip().map(in_numbers).filter(|shown| !numeric && host != shown);
        Goal { host, address: shown, port: *port, protocol: transport.name() }
    }
}

/// The addresses of a destination, or of the first proxy that leads to it, each with the local address to
/// connect from. Blocks while names are looked up.
///
/// # Errors
/// There are none, or none that a local address was asked for suits.
pub(super) fn resolve(
    to: &Destination,
    route: &Route,
    lookup: Lookup,
) -> Result<Vec<Target>, Error> {
    let (host, ports, source_host, source_port) = match to {
        Destination::Exact { address, source } => {
            return Ok(vec![Target { to: address.clone(), from: source.clone() }]);
        }
        Destination::Host { host, ports, source_host, source_port } => {
            (host, ports, source_host, source_port)
        }
    };
    let (host, port) = match route.proxies.first() {
        Some(proxy) => (&proxy.host, proxy.port),
        // The others have the same addresses.
        None => (host, ports.first().copied().unwrap_or_default()),
    };
    let to = addresses(host, port, lookup, Purpose::Connect).map_err(|reason| {
        let host = abridge(host);
        Error::message(format!("getaddrinfo for host \"{host}\" port {port}: {reason}"))
    })?;
    let source_port = source_port.unwrap_or(0);
    let from = match source_host {
        None if source_port == 0 => {
            return Ok(to.into_iter().map(|to| Target::new(to, None)).collect());
        }
        None => vec![any(Family::V4, source_port), any(Family::V6, source_port)],
        Some(host) => local_addresses(host, source_port, lookup)?,
    };
    let same_family =
        |to: SocketAddr| from.iter().copied().find(|from| from.is_ipv4() == to.is_ipv4());
    let targets: Vec<_> = to
        .into_iter()
        .filter_map(|to| same_family(to).map(|from| Target::new(to, Some(from))))
        .collect();
    if targets.is_empty() {
        return Err(Error::message("getaddrinfo: Address family for hostname not supported"));
    }
    Ok(targets)
}
