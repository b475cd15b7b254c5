//! The proxies between us and the destination, as handshakes that say where each is to connect to.

use std::net::IpAddr;

use rustix::rand::{GetRandomFlags, getrandom};

use super::job::{Destination, NameLookup, Proxy, ProxyKind, Route};
use crate::error::Error;
use crate::explain::{Step, explain};
use crate::proto::{Handshake, Host, HttpConnect, ProtocolError, Socks4, Socks5, Target};
use crate::session::Hops;
use crate::sys::resolve::{Family, Lookup, Purpose, addresses};

/// The handshakes that lead to a port of a host, in the order of the proxies: each asks for the next
/// proxy, the last for the host itself. No proxy leads to an address without ports.
///
/// # Errors
/// A host that a proxy cannot be told, or a name that had to be looked up here and was not found.
pub(super) fn hops(
    route: &Route,
    to: &Destination,
    port: Option<u16>,
    lookup: Lookup,
) -> Result<Hops, Error> {
    let (Destination::Host { host, .. }, Some(port)) = (to, port) else { return Ok(Hops::new()) };
    let next = route.proxies.iter().skip(1).map(|proxy| (proxy.host.as_str(), proxy.port));
    let stops = next.chain([(host.as_str(), port)]);
    route
        .proxies
        .iter()
        .zip(stops)
        .map(|(proxy, (host, port))| {
            explain(|| words(proxy, host, port));
            let host = told(proxy.kind, route.lookup, host, lookup)?;
            handshake(proxy, &Target { host, port }).map_err(|e| Error::message(e.to_string()))
        })
        .collect()
}

fn words(proxy: &Proxy, host: &str, port: u16) -> Step<'static> {
    let protocol = match proxy.kind {
        ProxyKind::Socks4 => "SOCKS4",
        ProxyKind::Socks4a => "SOCKS4a",
        ProxyKind::Socks5 => "SOCKS5",
        ProxyKind::Http => "HTTP (CONNECT)",
    };
    let place = |host: &str, port: u16| format!("{host} port {port}");
    Step::Proxy { proxy: place(&proxy.host, proxy.port), protocol, target: place(host, port) }
}

fn handshake(proxy: &Proxy, target: &Target) -> Result<Box<dyn Handshake>, ProtocolError> {
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
fn told(kind: ProxyKind, names: NameLookup, host: &str, lookup: Lookup) -> Result<Host, Error> {
    let refused = |error: ProtocolError| Error::message(error.to_string());
    let needs_ipv4 = kind == ProxyKind::Socks4;
    let parsed = Host::parse(host).map_err(refused)?;
    if !matches!(parsed, Host::Name(_)) {
        return Ok(parsed);
    }
    let family = if needs_ipv4 { Family::V4 } else { lookup.family };
    let find = || addresses(host, 0, Lookup { family, ..lookup }, Purpose::Connect);
    let found = match names {
        NameLookup::Proxy if !needs_ipv4 => return Ok(parsed),
        NameLookup::Nowhere => {
            return Err(Error::message(format!("\"{host}\" is a name, and --proxy-dns is none")));
        }
        NameLookup::Here | NameLookup::Proxy => find().map_err(|reason| {
            Error::message(format!("getaddrinfo for host \"{host}\": {reason}"))
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
