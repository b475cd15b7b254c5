//! Socket options: what the command line can ask of the kernel for a socket; the table of the calls is
//! `options/table.rs`.
//!
//! Owns: what can be asked for, and what an option is called when it fails; in `options/table.rs` which
//! option is which call, on which sockets it is made, and in which order. Must not know: how options are
//! typed, and the options every socket of ours has anyway (`SO_REUSEADDR`, nonblocking).
//!
//! The order is the table's, which is Debian's for Debian's options, with ours after them: it is
//! looked at with strace. What was not asked for makes no call. What means nothing for a socket is
//! left out without an error, so that `-U` takes the options it has always ignored. Linux only.
//!
//! Read next: `options/table.rs`.

mod table;

use std::fmt;
use std::io;
use std::time::Duration;

use socket2::{SockAddr, Socket};

use super::calls::tell_setting;
use crate::error::reason;
use crate::secret::Secret;
use table::TABLE;

/// What was asked for; by default nothing, which makes no call.
///
/// A socket that is accepted has what its listener has: options of a listener are set once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "switches, independent of each other")]
pub struct Options {
    /// `-b`: may send to a broadcast address. `SO_BROADCAST`, socket(7).
    pub broadcast: bool,
    /// `-S`: each segment is signed with this key, and none without its signature is taken.
    /// `TCP_MD5SIG_EXT`, RFC 2385.
    pub md5_key: Option<Md5Key>,
    /// `-D`: the kernel may record this socket's doings. `SO_DEBUG`, socket(7); needs
    /// `CAP_NET_ADMIN`.
    pub debug: bool,
    /// `-T`: the byte of the IP header that is the type of service or, in its upper six bits, the
    /// code point of RFC 2474. `IP_TOS`, ip(7), or `IPV6_TCLASS`, RFC 3542 §6.5.
    pub tos: Option<u8>,
    /// `-I`: receive buffer in bytes. `SO_RCVBUF`, socket(7): the kernel doubles it for its own
    /// accounts, within limits of its own.
    pub recv_buffer: Option<u32>,
    /// `-O`: send buffer in bytes. `SO_SNDBUF`, socket(7), as above.
    pub send_buffer: Option<u32>,
    /// `-M`: routers a packet may pass, plus 1. `IP_TTL`, ip(7), or `IPV6_UNICAST_HOPS`, ipv6(7); with
    /// a multicast address also `IP_MULTICAST_TTL` or `IPV6_MULTICAST_HOPS`, which are 1 otherwise.
    /// IPv4 refuses 0.
    pub ttl: Option<u8>,
    /// `--no-loop`: what is sent to a group does not come back to this machine. `IP_MULTICAST_LOOP`,
    /// ip(7), or `IPV6_MULTICAST_LOOP`, ipv6(7).
    pub no_loop: bool,
    /// `-m`: packets that arrive with fewer hops left are dropped, RFC 5082. `IP_MINTTL` or
    /// `IPV6_MINHOPCOUNT`; 0 is no limit.
    pub min_ttl: Option<u8>,
    /// `--keepalive[=SECS]`: asks a silent peer if it is still there. `SO_KEEPALIVE`, socket(7).
    pub keepalive: Option<Keepalive>,
    /// `--nodelay`: small writes do not wait for acknowledgements. `TCP_NODELAY`, tcp(7).
    pub nodelay: bool,
    /// `--interface`: name of the only device packets come and go through. `SO_BINDTODEVICE`,
    /// socket(7).
    pub interface: Option<String>,
    /// `--mark`: for routing and packet filters. `SO_MARK`, socket(7); needs `CAP_NET_ADMIN` or
    /// `CAP_NET_RAW`.
    pub mark: Option<u32>,
    /// `--tcp-fastopen`: data in the SYN, RFC 7413. A client gets `TCP_FASTOPEN_CONNECT`: if the
    /// kernel has a cookie of the server, connect(2) succeeds at once and *the first write* sends the
    /// SYN; until then the socket is writable and has no peer (getpeername(2): `ENOTCONN`), and a
    /// program that only reads waits for ever. A write of no bytes sends the SYN alone. A listener gets
    /// `TCP_FASTOPEN`, tcp(7), and the sysctl `net.ipv4.tcp_fastopen` has to allow it too.
    pub fast_open: bool,
    /// `--user-timeout`: how long sent data may stay unacknowledged until the connection is given up,
    /// rounded up to milliseconds; 0 leaves it to the system. `TCP_USER_TIMEOUT`, tcp(7), RFC 5482.
    pub user_timeout: Option<Duration>,
    /// `--congestion`: name of the congestion control algorithm. `TCP_CONGESTION`, tcp(7).
    pub congestion: Option<String>,
}

/// What keeps a silent connection under watch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keepalive {
    /// Seconds of silence before the first probe and between probes, 1 to 32767; `None` leaves both
    /// to the system (2 hours, 75 seconds). The peer is given up after `tcp_keepalive_probes`, 9.
    pub seconds: Option<u16>,
}

/// A password for TCP MD5 signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Md5Key(Secret);

/// What a socket is for; with the family of its address, what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A stream that will connect to the address.
    Connect,
    /// A stream that will listen on the address.
    Listen,
    /// A datagram socket: the address is the peer, or where peers send to.
    Datagram,
}

/// An option the kernel refused.
#[derive(Debug)]
pub struct OptionError {
    /// As it is typed: `-D`, `--mark`.
    pub option: &'static str,
    /// As strace shows it: `SO_DEBUG`.
    pub name: &'static str,
    /// The kernel's answer.
    pub error: io::Error,
}

impl Options {
    /// Makes the calls. To be called after bind(2) for a client, before it for a listener, as Debian's
    /// netcat does, and before connect(2) or listen(2).
    ///
    /// # Errors
    /// The first option that is refused; those before it are set.
    pub fn apply(
        &self,
        socket: &Socket,
        address: &SockAddr,
        role: Role,
    ) -> Result<(), OptionError> {
        for row in TABLE.iter().filter(|row| row.scope.covers(address, role)) {
            let Some(value) = row.value.asked(self) else { continue };
            let answer = value.set(socket, address);
            tell_setting(socket, &answer, || value.told(row));
            if let Err(error) = answer {
                return Err(OptionError { option: row.option, name: row.name, error });
            }
        }
        Ok(())
    }
}

impl Md5Key {
    /// The longest key, `TCP_MD5SIG_MAXKEYLEN`.
    pub const MAX_LEN: usize = libc::TCP_MD5SIG_MAXKEYLEN;

    /// `None` for a key that is empty, which would take a key away, or too long.
    #[must_use]
    pub fn new(key: &[u8]) -> Option<Self> {
        if !(1..=Self::MAX_LEN).contains(&key.len()) {
            return None;
        }
        Some(Self(Secret::copied(key)))
    }
}

impl fmt::Display for OptionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot set {} ({}): {}", self.option, self.name, reason(&self.error))
    }
}

impl std::error::Error for OptionError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

#[cfg(test)]
mod tests;
