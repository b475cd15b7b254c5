//! The way to the destination: whom we connect to, and the proxies behind it, as handshakes that say where
//! each is to connect to.
//!
//! Owns: what is looked up here, and by whom the rest is. Must not know: when there is a connection.
//!
//! Invariant: only [`Way::look_up`] asks for names, and so may block; any port is reached with what it found.

use std::net::IpAddr;

use rustix::rand::{GetRandomFlags, getrandom};

use super::job::{Destination, NameLookup, Proxy, ProxyKind, Route};
use super::targets::{self, Target};
use crate::error::Error;
use crate::explain::{Step, explain};
use crate::proto::{self, Handshake, Host, HttpConnect, ProtocolError, Socks4, Socks5};
use crate::session::Hops;
use crate::sys::resolve::{Family, Lookup, Purpose, addresses};

/// A way that has been looked up; by default none has.
#[derive(Debug, Default)]
pub(super) struct Way {
    /// The addresses of the destination, or of the first proxy; empty before they are looked up.
    pub(super) targets: Vec<Target>,
    /// What each proxy is told to connect to: the next one, and the last of them the destination.
    stops: Vec<Host>,
}

/// Why there is no way.
#[derive(Debug)]
pub(super) enum NoWay {
    /// A proxy cannot be told this host, whoever knows it.
    Never(Error),
    /// A name is not known, or not now.
    NotFound(Error),
}

impl Way {
    /// Looks up every name that is looked up here, for all ports at once. Blocks as long as that takes.
    ///
    /// # Errors
    /// A host that a proxy cannot be told; a name that was not found.
    pub(super) fn look_up(to: &Destination, route: &Route, lookup: Lookup) -> Result<Self, NoWay> {
        let host = match to {
            Destination::Host { host, .. } => Some(host),
            Destination::Exact { .. } => None,
        };
        let next = route.proxies.iter().skip(1).map(|proxy| &proxy.host);
        let stops = route
            .proxies
            .iter()
            .zip(next.chain(host))
            .map(|(proxy, stop)| told(proxy.kind, route.lookup, stop, lookup))
            .collect::<Result<_, _>>()?;
        let targets = targets::resolve(to, route, lookup).map_err(NoWay::NotFound)?;
        Ok(Self { targets, stops })
    }

    /// One of the addresses, as it is connected to on the way to a port; `None`: there are no more.
    pub(super) fn target(&self, which: usize, port: Option<u16>) -> Option<Target> {
        let target = self.targets.get(which)?;
        Some(match port {
            Some(port) if self.stops.is_empty() => target.at_port(port),
            Some(_) | None => target.clone(),
        })
    }

    /// The handshakes that lead to a port, in the order of the proxies; none without proxies.
    ///
    /// # Errors
    /// What a proxy cannot be told.
    pub(super) fn hops(&self, route: &Route, port: Option<u16>) -> Result<Hops, Error> {
        let ports = route.proxies.iter().skip(1).map(|proxy| proxy.port).chain(port);
        let stops = self.stops.iter().zip(ports);
        let stops = stops.map(|(host, port)| proto::Target { host: host.clone(), port });
        route
            .proxies
            .iter()
            .zip(stops)
            .map(|(proxy, stop)| {
                explain(|| words(proxy, &stop));
                handshake(proxy, &stop).map_err(|e| Error::message(e.to_string()))
            })
            .collect()
    }
}

impl From<NoWay> for Error {
    fn from(why: NoWay) -> Self {
        match why {
            NoWay::Never(error) | NoWay::NotFound(error) => error,
        }
    }
}

fn words(proxy: &Proxy, stop: &proto::Target) -> Step<'static> {
    let protocol = match proxy.kind {
        ProxyKind::Socks4 => "SOCKS4",
        ProxyKind::Socks4a => "SOCKS4a",
        ProxyKind::Socks5 => "SOCKS5",
        ProxyKind::Http => "HTTP (CONNECT)",
    };
    let host = match &stop.host {
        Host::Name(name) => name.as_str().to_owned(),
        Host::V4(address) => address.to_string(),
        Host::V6(address) => address.to_string(),
    };
    let place = |host: &str, port: u16| format!("{host} port {port}");
    Step::Proxy { proxy: place(&proxy.host, proxy.port), protocol, target: place(&host, stop.port) }
}

fn handshake(proxy: &Proxy, target: &proto::Target) -> Result<Box<dyn Handshake>, ProtocolError> {
    let credentials = proxy.credentials.clone();
    let user = proxy.user.as_deref().unwrap_or_default().as_bytes();
    Ok(match proxy.kind {
        ProxyKind::Socks4 => Box::new(Socks4::new(target, user)?),
        ProxyKind::Socks4a => Box::new(Socks4::new_4a(target, user)?),
        ProxyKind::Socks5 => Box::new(Socks5::new(target, credentials)?),
        ProxyKind::Http => Box::new(HttpConnect::new(target, credentials, nonce())?),
    })
}

/// A host as the proxy is to be told it: a name goes to the proxy, unless the user or the protocol
/// wants it looked up here.
fn told(kind: ProxyKind, names: NameLookup, host: &str, lookup: Lookup) -> Result<Host, NoWay> {
    let needs_ipv4 = kind == ProxyKind::Socks4;
    let parsed = Host::parse(host).map_err(|e| NoWay::Never(Error::message(e.to_string())))?;
    if !matches!(parsed, Host::Name(_)) {
        return Ok(parsed);
    }
    let family = if needs_ipv4 { Family::V4 } else { lookup.family };
    let find = || addresses(host, 0, Lookup { family, ..lookup }, Purpose::Connect);
    let found = match names {
        NameLookup::Proxy if !needs_ipv4 => return Ok(parsed),
        NameLookup::Nowhere => {
            let refusal = format!("\"{host}\" is a name, and --proxy-dns is none");
            return Err(NoWay::Never(Error::message(refusal)));
        }
        NameLookup::Here | NameLookup::Proxy => find().map_err(|reason| {
            NoWay::NotFound(Error::message(format!("getaddrinfo for host \"{host}\": {reason}")))
        })?,
        NameLookup::HereThenProxy => match find() {
            Ok(found) => found,
            Err(_) => return Ok(parsed),
        },
    };
    Ok(match found.first().map(std::net::SocketAddr::ip) {
        Some(IpAddr::V4(address)) => Host::V4(address),
        Some(IpAddr::V6(address)) => Host::V6(address),
        None => parsed,
    })
}

/// Unpredictable bytes for a Digest client nonce. Where the kernel has none to give yet, zeros: the
/// password stays as secret, only a replay is not excluded.
fn nonce() -> [u8; 16] {
    let mut bytes = [0; 16];
    let _ = getrandom(&mut bytes[..], GetRandomFlags::NONBLOCK);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nobody knows these names, and nobody is asked.
    #[test]
    fn ports_are_reached_by_what_has_been_found() {
        let proxy = |kind, host: &str| Proxy {
            kind,
            host: host.to_owned(),
            port: 1080,
            user: None,
            credentials: None,
        };
        let route = Route {
            proxies: vec![
                proxy(ProxyKind::Socks4, "192.0.2.1"),
                proxy(ProxyKind::Http, "hop.invalid"),
            ],
            lookup: NameLookup::Here,
        };
        let stops = vec![Host::V4([192, 0, 2, 2].into()), Host::V4([192, 0, 2, 3].into())];
        let way = Way { targets: Vec::new(), stops };
        for port in [1, 65_535] {
            let mut said = Vec::new();
            for mut hop in way.hops(&route, Some(port)).expect("addresses can be told") {
                hop.step(&[], &mut said).expect("a request");
            }
            let first = b"\x04\x01\x04\x38\xc0\x00\x02\x02\x00";
            assert_eq!(said[..first.len()], *first);
            let second = format!("CONNECT 192.0.2.3:{port} HTTP/1.0\r\n");
            assert!(said[first.len()..].starts_with(second.as_bytes()), "{}", said.escape_ascii());
        }
    }

    #[test]
    fn what_no_proxy_may_be_told_is_no_want_of_names() {
        let lookup = Lookup { family: Family::Any, numeric: true };
        let told = |names, host| told(ProxyKind::Socks5, names, host, lookup);
        assert!(matches!(told(NameLookup::Nowhere, "h.invalid"), Err(NoWay::Never(_))));
        assert!(matches!(told(NameLookup::Proxy, "a b"), Err(NoWay::Never(_))));
        assert!(matches!(told(NameLookup::Here, "h.invalid"), Err(NoWay::NotFound(_))));
        let both = told(NameLookup::HereThenProxy, "h.invalid");
        assert!(matches!(both, Ok(Host::Name(_))));
    }
}
