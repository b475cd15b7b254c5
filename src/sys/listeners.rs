//! Who else listens on a port: with `SO_REUSEPORT` two listeners start without a word, and the kernel
//! deals new connections out between them. This is how the second one learns of the first.
//!
//! Read from proc(5), `/proc/net/tcp` and `tcp6`; where there is none, nobody is seen.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The address of a socket that listens already and would share `at`'s connections.
#[must_use]
pub fn sharing_with(at: SocketAddr) -> Option<SocketAddr> {
    ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .find_map(|table| listening(&table).find(|other| overlap(at, *other)))
}

/// The local addresses of the rows in state LISTEN.
fn listening(table: &str) -> impl Iterator<Item = SocketAddr> + '_ {
    table.lines().skip(1).filter_map(|line| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let local = fields.next()?;
        let state = fields.nth(1)?;
        if state == LISTEN { parse_address(local) } else { None }
    })
}

/// `0100007F:0FA4`: each 32-bit word of the address as the machine holds it, the port as written.
fn parse_address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let mut bytes = Vec::with_capacity(16);
    for word in 0..address.len() / 8 {
        let word = u32::from_str_radix(address.get(word * 8..word * 8 + 8)?, 16).ok()?;
        bytes.extend(word.to_ne_bytes());
    }
    let ip: IpAddr = if let Ok(v4) = <[u8; 4]>::try_from(bytes.as_slice()) {
        Ipv4Addr::from(v4).into()
    } else {
        Ipv6Addr::from(<[u8; 16]>::try_from(bytes.as_slice()).ok()?).into()
    };
    Some(SocketAddr::new(ip, port))
}

/// A connection could reach either. (The IPv6 wildcard takes IPv4 too, but only what no IPv4 listener
/// takes.)
fn overlap(ours: SocketAddr, other: SocketAddr) -> bool {
    let same_family = ours.is_ipv4() == other.is_ipv4();
    ours.port() != 0
        && ours.port() == other.port()
        && (ours.ip() == other.ip()
            || same_family && (ours.ip().is_unspecified() || other.ip().is_unspecified()))
}

/// `TCP_LISTEN` of the kernel's `tcp_states.h`.
const LISTEN: &str = "0A";

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str =
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid
   0: 0100007F:0FA4 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1
   1: 0100007F:0FA5 0100007F:0FA6 01 00000000:00000000 00:00000000 00000000     0        0 2
   2: garbage
";

    #[test]
    #[cfg(target_endian = "little")]
    fn only_listening_rows_count() {
        let all: Vec<_> = listening(TABLE).collect();
        assert_eq!(all, ["127.0.0.1:4004".parse().expect("address")]);
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn ipv6_addresses_are_four_words() {
        let address = parse_address("00000000000000000000000001000000:0FA4");
        assert_eq!(address, "[::1]:4004".parse().ok());
        assert_eq!(parse_address("zz:0FA4"), None);
        assert_eq!(parse_address("\u{e9}\u{e9}\u{e9}\u{e9}:0FA4"), None);
    }

    #[test]
    fn wildcards_overlap_within_a_family() {
        let at = |text: &str| text.parse::<SocketAddr>().expect("address");
        assert!(overlap(at("0.0.0.0:1"), at("127.0.0.1:1")));
        assert!(overlap(at("127.0.0.1:1"), at("0.0.0.0:1")));
        assert!(!overlap(at("127.0.0.1:1"), at("127.0.0.2:1")));
        assert!(!overlap(at("0.0.0.0:1"), at("0.0.0.0:2")));
        assert!(!overlap(at("0.0.0.0:1"), at("[::]:1")));
        assert!(!overlap(at("0.0.0.0:0"), at("0.0.0.0:0")));
    }
}
