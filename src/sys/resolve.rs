//! Names to addresses and back. [`addresses`] blocks as long as a name server does: it is called before
//! anything is connected, and for no port a second time but by `--wait-until-open`, until the name is known.
//! The rest reads nothing but files.
//!
//! Owns: getaddrinfo(3) and its texts, the hosts file, service names. Must not know: what the addresses
//! are for.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::OnceLock;

use dns_lookup::{AddrFamily, AddrInfoHints, LookupError, SockType};
use rustix::net::netdevice::index_to_name;
use socket2::{Domain, Socket, Type};

use super::calls;
use crate::error::{escape, reason};
use crate::explain::{Errand, Step, explain};

/// How names are looked up and printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// Which addresses count.
    pub family: Family,
    /// Numbers only: no name is looked up, none is printed (`-n`).
    pub numeric: bool,
}

/// Which addresses count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Both.
    Any,
    /// IPv4 only (`-4`).
    V4,
    /// IPv6 only (`-6`).
    V6,
}

/// What a resolved address is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To connect to.
    Connect,
    /// To bind to.
    Bind,
}

/// The addresses of a host, in the system's order of preference, without repetition.
///
/// # Errors
/// The text of `gai_strerror(3)`, such as `Name or service not known`.
pub fn addresses(
    host: &str,
    port: u16,
    lookup: Lookup,
    purpose: Purpose,
) -> Result<Vec<SocketAddr>, String> {
    // Without a hosts file the C library would ask a name server for the one name everybody knows.
    if host == "localhost" && !lookup.numeric && hosts_file().is_none() {
        return Ok(loopback(port, lookup.family));
    }
    let hints = AddrInfoHints {
        socktype: SockType::Stream.into(),
        protocol: libc::IPPROTO_TCP,
        address: match lookup.family {
            Family::Any => 0,
            Family::V4 => AddrFamily::Inet.into(),
            Family::V6 => AddrFamily::Inet6.into(),
        },
        flags: {
            let numeric = if lookup.numeric { libc::AI_NUMERICHOST } else { 0 };
            let passive = match purpose {
                Purpose::Connect => 0,
                Purpose::Bind => libc::AI_PASSIVE,
            };
            numeric | passive
        },
    };
    let service = port.to_string();
    let found = dns_lookup::getaddrinfo(Some(host), Some(&service), Some(hints)).map_err(words)?;
    let mut addresses = Vec::new();
    for info in found {
        let address = info.map_err(|error| reason(&error))?.sockaddr;
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if !lookup.numeric && !is_address(host) {
        explain(|| {
            let found = addresses.iter().map(|address| address.ip().to_string()).collect();
            Step::LookedUp { host, found }
        });
    }
    Ok(addresses)
}

/// Not a name: `fe80::1%eth0`, `::1`, or IPv4 as inet(3) takes it, `127.0.0.1` and `127.1`.
fn is_address(host: &str) -> bool {
    let mut bytes = host.bytes();
    bytes.clone().all(|byte| byte.is_ascii_digit() || byte == b'.')
        || bytes.any(|byte| byte == b':')
}

/// Every local address. Debian listens on IPv4 unless told `-6`; the IPv6 wildcard takes both.
#[must_use]
pub fn any(family: Family, port: u16) -> SocketAddr {
    match family {
        Family::Any | Family::V4 => (Ipv4Addr::UNSPECIFIED, port).into(),
        Family::V6 => (Ipv6Addr::UNSPECIFIED, port).into(),
    }
}

/// The port of a service, by its exact name in services(5); the protocol is `tcp` or `udp`.
#[must_use]
pub fn service_port(name: &str, protocol: &str) -> Option<u16> {
    // The C library takes numbers in many spellings for service names; those are our parser's.
    if name.trim_start().trim_start_matches(['+', '-']).bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (socktype, protocol) = match protocol {
        "udp" => (SockType::DGram, libc::IPPROTO_UDP),
        _ => (SockType::Stream, libc::IPPROTO_TCP),
    };
    let socktype = socktype.into();
    let hints = AddrInfoHints { socktype, protocol, ..AddrInfoHints::default() };
    let mut found = dns_lookup::getaddrinfo(None, Some(name), Some(hints)).ok()?;
    Some(found.next()?.ok()?.sockaddr.port())
}

/// The name of a service in services(5), if its port has one; the protocol is `tcp` or `udp`.
#[must_use]
pub fn service_name(port: u16, protocol: &str) -> Option<String> {
    let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    let datagram = if protocol == "udp" { libc::NI_DGRAM } else { 0 };
    let flags = libc::NI_NUMERICHOST | datagram;
    let (_, service) = dns_lookup::getnameinfo(&address, flags).ok()?;
    if service == port.to_string() { None } else { Some(escape(&service)) }
}

/// The name of a service as messages show it: `None` also where only numbers are wanted.
#[must_use]
pub fn shown_service(port: Option<u16>, protocol: &str, lookup: Lookup) -> Option<String> {
    port.filter(|_| !lookup.numeric).and_then(|port| service_name(port, protocol))
}

/// An address as messages name it: by its first name in the hosts file, else in numbers.
///
/// No name server is ever asked: the loop must not wait for one because of a message, and what a
/// stranger's name server says has no place on a terminal.
#[must_use]
pub fn label(address: SocketAddr, lookup: Lookup) -> String {
    let ip = address.ip();
    let hosts = if lookup.numeric || ip.is_unspecified() { None } else { hosts_file() };
    hosts.and_then(|hosts| name_in_hosts(&hosts, ip)).unwrap_or_else(|| in_numbers(address))
}

/// An address in numbers, a link-local one with its interface: `fe80::1%eth0`.
#[must_use]
pub fn in_numbers(address: SocketAddr) -> String {
    let zone = match address {
        SocketAddr::V6(address) if address.scope_id() != 0 => address.scope_id(),
        SocketAddr::V4(_) | SocketAddr::V6(_) => return address.ip().to_string(),
    };
    let named = match ASKED_ABOUT_INTERFACES.get() {
        Some(socket) => index_to_name(socket, zone).ok(),
        None => a_socket().ok().and_then(|socket| index_to_name(socket, zone).ok()),
    };
    let interface = named.unwrap_or_else(|| zone.to_string());
    // The kernel allows its name to hold any byte but a slash, a colon and white space.
    format!("{}%{}", address.ip(), escape(&interface))
}

/// Has [`in_numbers`] go on naming interfaces when no socket can be made any more
/// ([`sandbox`](super::sandbox)).
pub fn keep_naming_interfaces() {
    if ASKED_ABOUT_INTERFACES.get().is_none()
        && let Ok(socket) = a_socket()
    {
        // It was empty a moment ago, and nobody else is here.
        let _ = ASKED_ABOUT_INTERFACES.set(socket);
    }
}

/// Interfaces are asked about through any socket. This one cannot be used for anything else: it is not
/// connected, and stays so.
static ASKED_ABOUT_INTERFACES: OnceLock<Socket> = OnceLock::new();

fn a_socket() -> std::io::Result<Socket> {
    calls::socket(Domain::UNIX, Type::STREAM, None, Errand::NameOfInterface)
}

fn hosts_file() -> Option<String> {
    // Bytes outside UTF-8 can only stand in names or comments that nobody asks for.
    fs::read(HOSTS).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// The first name that this text of a hosts file, hosts(5), has for an address; fit to be shown.
#[must_use]
pub fn name_in_hosts(hosts: &str, address: IpAddr) -> Option<String> {
    hosts.lines().find_map(|line| {
        let mut words = line.split('#').next()?.split_ascii_whitespace();
        let listed: IpAddr = words.next()?.parse().ok()?;
        if listed == address { words.next().map(escape) } else { None }
    })
}

fn loopback(port: u16, family: Family) -> Vec<SocketAddr> {
    let v4 = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let v6 = SocketAddr::from((Ipv6Addr::LOCALHOST, port));
    match family {
        Family::Any => vec![v6, v4],
        Family::V4 => vec![v4],
        Family::V6 => vec![v6],
    }
}

/// dns-lookup words these with a prefix of its own; netcat says what `gai_strerror(3)` says.
fn words(error: LookupError) -> String {
    let text = reason(&error.into());
    let text = text.strip_prefix("failed to lookup address information: ").unwrap_or(&text);
    escape(text)
}

const HOSTS: &str = "/etc/hosts";

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: Lookup = Lookup { family: Family::Any, numeric: false };

    #[test]
    fn numbers_need_no_name_server() {
        let numeric = Lookup { numeric: true, ..ANY };
        for text in ["127.0.0.1", "::1"] {
            let ip: IpAddr = text.parse().expect("address");
            let found = addresses(text, 4004, numeric, Purpose::Connect);
            assert_eq!(found, Ok(vec![SocketAddr::new(ip, 4004)]));
        }
        assert!(addresses("localhost", 1, numeric, Purpose::Connect).is_err());
    }

    #[test]
    fn families_do_not_mix() {
        let v4 = Lookup { family: Family::V4, ..ANY };
        let refused = addresses("::1", 1, v4, Purpose::Connect);
        assert_eq!(refused, Err("Address family for hostname not supported".to_owned()));
    }

    #[test]
    fn unusable_host_names_are_errors_and_nothing_worse() {
        for host in ["", "a b", "nul\0inside", "\u{1b}[31m", &"x".repeat(100_000)] {
            assert!(addresses(host, 1, Lookup { numeric: true, ..ANY }, Purpose::Connect).is_err());
        }
    }

    #[test]
    fn numbers_are_not_service_names() {
        for name in ["", "80", "080", "+80", " 80", "0x50", "-1", "80,81", "nul\0"] {
            assert_eq!(service_port(name, "tcp"), None, "{name:?}");
        }
    }

    #[test]
    fn the_hosts_file_gives_the_first_name() {
        let hosts =
            "# comment\n127.0.0.1\tlocalhost alias # more\n::1 ip6-localhost\n10.0.0.1 \x1b[31m\n";
        let named = |ip: &str| name_in_hosts(hosts, ip.parse().expect("address"));
        assert_eq!(named("127.0.0.1").as_deref(), Some("localhost"));
        assert_eq!(named("::1").as_deref(), Some("ip6-localhost"));
        assert_eq!(named("10.0.0.1").as_deref(), Some("\\u{1b}[31m"));
        assert_eq!(named("10.0.0.2"), None);
    }

    #[test]
    fn the_wildcard_is_never_named() {
        assert_eq!(label(any(Family::V4, 1), ANY), "0.0.0.0");
        assert_eq!(label(any(Family::V6, 1), ANY), "::");
    }

    #[test]
    fn localhost_is_known_without_a_hosts_file() {
        assert_eq!(loopback(1, Family::Any).len(), 2);
        assert_eq!(loopback(1, Family::V4), ["127.0.0.1:1".parse().expect("address")]);
    }
}
