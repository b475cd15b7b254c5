//! Socket options: one table of everything the command line can ask of the kernel for a socket.
//!
//! Owns: which option is which call, on which sockets it is made, in which order, and what it is
//! called when it fails. Must not know: how options are typed, and the options every socket of ours
//! has anyway (`SO_REUSEADDR`, nonblocking).
//!
//! The order is the table's, which is Debian's for Debian's options, with ours after them: it is
//! looked at with strace. What was not asked for makes no call. What means nothing for a socket is
//! left out without an error, so that `-U` takes the options it has always ignored. Linux only.
//!
//! Read next: `TABLE`.

use std::fmt;
use std::hint::black_box;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use libc::c_int;
use nix::sys::socket::SetSockOpt;
use socket2::{SockAddr, Socket};

use super::calls::{Setting, tell_setting};
use crate::error::{escape, reason};

#[cfg(test)]
mod tests;

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

/// A password for TCP MD5 signatures: never shown, and wiped when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Md5Key {
    /// Boxed, so that moving it leaves no copies.
    padded: Box<[u8; Self::MAX_LEN]>,
    len: u8,
}

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
            let Some(answer) = (row.set)(self, socket, address) else { continue };
            tell_setting(socket, &answer, || self.setting(row));
            if let Err(error) = answer {
                return Err(OptionError { option: row.option, name: row.name, error });
            }
        }
        Ok(())
    }

    /// What a row's call was told.
    fn setting(&self, row: &Row) -> Setting<'static> {
        let (level, name) = (row.level(), row.name);
        let quoted = |text: &Option<String>| {
            let text = text.as_deref().unwrap_or_default();
            Setting { level, name, value: format!("\"{}\"", escape(text)), len: text.len() }
        };
        let int = |value: Option<u32>| Setting::int(level, name, value.unwrap_or(1));
        match row.option {
            "--interface" => quoted(&self.interface),
            "--congestion" => quoted(&self.congestion),
            // The key is nobody's business.
            "-S" => {
                let len = size_of::<kernel::Md5Signature>();
                Setting { level, name, value: "...".to_owned(), len }
            }
            "-T" => int(self.tos.map(u32::from)),
            "-I" => int(self.recv_buffer),
            "-O" => int(self.send_buffer),
            "-M" => int(self.ttl.map(u32::from)),
            "-m" => int(self.min_ttl.map(u32::from)),
            "--mark" => int(self.mark),
            "--no-loop" => int(Some(0)),
            "--keepalive" if name != "SO_KEEPALIVE" => {
                int(self.keepalive.and_then(|it| it.seconds).map(u32::from))
            }
            "--user-timeout" => {
                let rounded_up = self.user_timeout.map(whole_milliseconds);
                int(rounded_up.map(|time| u32::try_from(time.as_millis()).unwrap_or(u32::MAX)))
            }
            "--tcp-fastopen" if name == "TCP_FASTOPEN" => {
                Setting::int(level, name, FAST_OPEN_QUEUE)
            }
            // Switches.
            _ => int(None),
        }
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
        let mut padded = Box::new([0; Self::MAX_LEN]);
        padded[..key.len()].copy_from_slice(key);
        Some(Self { padded, len: u8::try_from(key.len()).ok()? })
    }
}

impl fmt::Debug for Md5Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Md5Key(..)")
    }
}

impl Drop for Md5Key {
    fn drop(&mut self) {
        wipe(&mut *self.padded);
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

/// One call.
struct Row {
    option: &'static str,
    name: &'static str,
    scope: Scope,
    set: Setter,
}

impl Row {
    /// `SOL_SOCKET` and its like.
    fn level(&self) -> c_int {
        match self.name.split_once('_') {
            Some(("SO", _)) => libc::SOL_SOCKET,
            Some(("IP", _)) => libc::IPPROTO_IP,
            Some(("IPV6", _)) => libc::IPPROTO_IPV6,
            _ => libc::IPPROTO_TCP,
        }
    }
}

/// Makes the call if it was asked for.
type Setter = fn(&Options, &Socket, &SockAddr) -> Option<io::Result<()>>;

/// The sockets a call is made on.
#[derive(Clone, Copy, Debug)]
enum Scope {
    /// UNIX and vsock too.
    Any,
    Ip,
    V4,
    V6,
    Datagram4,
    Datagram6,
    /// Datagrams with an IPv4 group.
    Group4,
    Group6,
    /// Also MPTCP, whose kernel may refuse it.
    Tcp,
    Client,
    Listener,
    /// Listens on `::`, so for IPv4 too, which then needs a key of its own. Debian's netcat gives it
    /// none: there an IPv4 client gets in unsigned.
    DualListener,
}

impl Scope {
    fn covers(self, address: &SockAddr, role: Role) -> bool {
        let Some(address) = address.as_socket() else {
            return matches!(self, Self::Any);
        };
        let v4 = address.is_ipv4();
        let is_datagram = role == Role::Datagram;
        let is_group = is_datagram && address.ip().is_multicast();
        match self {
            Self::Any | Self::Ip => true,
            Self::V4 => v4,
            Self::V6 => !v4,
            Self::Datagram4 => is_datagram && v4,
            Self::Datagram6 => is_datagram && !v4,
            Self::Group4 => is_group && v4,
            Self::Group6 => is_group && !v4,
            Self::Tcp => role != Role::Datagram,
            Self::Client => role == Role::Connect,
            Self::Listener => role == Role::Listen,
            Self::DualListener => role == Role::Listen && !v4 && address.ip().is_unspecified(),
        }
    }
}

const fn row(option: &'static str, name: &'static str, scope: Scope, set: Setter) -> Row {
    Row { option, name, scope, set }
}

/// Every call there is, in the order they are made.
static TABLE: &[Row] = &[
    row("-b", "SO_BROADCAST", Scope::Ip, |o, s, _| o.broadcast.then(|| s.set_broadcast(true))),
    row("-S", "TCP_MD5SIG_EXT", Scope::Tcp, |o, s, address| {
        o.md5_key.as_ref().map(|key| sign(s, address.clone(), key))
    }),
    row("-S", "TCP_MD5SIG_EXT", Scope::DualListener, |o, s, _| {
        let mapped = SocketAddr::new(Ipv4Addr::UNSPECIFIED.to_ipv6_mapped().into(), 0);
        o.md5_key.as_ref().map(|key| sign(s, mapped.into(), key))
    }),
    row("-D", "SO_DEBUG", Scope::Ip, |o, s, _| o.debug.then(|| set(s, kernel::Debug, &true))),
    row("-T", "IP_TOS", Scope::V4, |o, s, _| o.tos.map(|tos| s.set_tos_v4(tos.into()))),
    row("-T", "IPV6_TCLASS", Scope::V6, |o, s, _| o.tos.map(|tos| s.set_tclass_v6(tos.into()))),
    row("-I", "SO_RCVBUF", Scope::Any, |o, s, _| {
        o.recv_buffer.map(|size| s.set_recv_buffer_size(size as usize))
    }),
    row("-O", "SO_SNDBUF", Scope::Any, |o, s, _| {
        o.send_buffer.map(|size| s.set_send_buffer_size(size as usize))
    }),
    row("-M", "IP_TTL", Scope::V4, |o, s, _| o.ttl.map(|ttl| s.set_ttl_v4(ttl.into()))),
    row("-M", "IPV6_UNICAST_HOPS", Scope::V6, |o, s, _| {
        o.ttl.map(|ttl| s.set_unicast_hops_v6(ttl.into()))
    }),
    row("-m", "IP_MINTTL", Scope::V4, |o, s, _| {
        o.min_ttl.map(|ttl| set(s, kernel::MinTtl, &ttl.into()))
    }),
    row("-m", "IPV6_MINHOPCOUNT", Scope::V6, |o, s, _| {
        o.min_ttl.map(|ttl| set(s, kernel::MinHopCount, &ttl.into()))
    }),
    row("-M", "IP_MULTICAST_TTL", Scope::Group4, |o, s, _| {
        o.ttl.map(|ttl| s.set_multicast_ttl_v4(ttl.into()))
    }),
    row("-M", "IPV6_MULTICAST_HOPS", Scope::Group6, |o, s, _| {
        o.ttl.map(|ttl| s.set_multicast_hops_v6(ttl.into()))
    }),
    row("--no-loop", "IP_MULTICAST_LOOP", Scope::Datagram4, |o, s, _| {
        o.no_loop.then(|| s.set_multicast_loop_v4(false))
    }),
    row("--no-loop", "IPV6_MULTICAST_LOOP", Scope::Datagram6, |o, s, _| {
        o.no_loop.then(|| s.set_multicast_loop_v6(false))
    }),
    row("--interface", "SO_BINDTODEVICE", Scope::Ip, |o, s, _| {
        let name = o.interface.as_deref()?;
        Some(whole(name, libc::ENODEV).and_then(|name| s.bind_device(Some(name))))
    }),
    row("--mark", "SO_MARK", Scope::Ip, |o, s, _| o.mark.map(|mark| s.set_mark(mark))),
    row("--keepalive", "SO_KEEPALIVE", Scope::Tcp, |o, s, _| {
        o.keepalive.map(|_| s.set_keepalive(true))
    }),
    row("--keepalive", "TCP_KEEPIDLE", Scope::Tcp, |o, s, _| {
        o.keepalive?.seconds.map(|seconds| set(s, kernel::KeepIdle, &seconds.into()))
    }),
    row("--keepalive", "TCP_KEEPINTVL", Scope::Tcp, |o, s, _| {
        o.keepalive?.seconds.map(|seconds| set(s, kernel::KeepInterval, &seconds.into()))
    }),
    row("--nodelay", "TCP_NODELAY", Scope::Tcp, |o, s, _| {
        o.nodelay.then(|| s.set_tcp_nodelay(true))
    }),
    row("--user-timeout", "TCP_USER_TIMEOUT", Scope::Tcp, |o, s, _| {
        let rounded_up = whole_milliseconds(o.user_timeout?);
        Some(s.set_tcp_user_timeout(Some(rounded_up)))
    }),
    row("--congestion", "TCP_CONGESTION", Scope::Tcp, |o, s, _| {
        let name = o.congestion.as_deref()?;
        Some(whole(name, libc::ENOENT).and_then(|name| s.set_tcp_congestion(name)))
    }),
    row("--tcp-fastopen", "TCP_FASTOPEN_CONNECT", Scope::Client, |o, s, _| {
        o.fast_open.then(|| set(s, kernel::FastOpenConnect, &true))
    }),
    row("--tcp-fastopen", "TCP_FASTOPEN", Scope::Listener, |o, s, _| {
        o.fast_open.then(|| set(s, kernel::FastOpen, &FAST_OPEN_QUEUE))
    }),
];

fn whole_milliseconds(time: Duration) -> Duration {
    time.saturating_add(Duration::from_nanos(999_999))
}

/// nix's `Errno` ends here: its own `Display` would weigh 25 KiB.
fn set<O: SetSockOpt + Copy>(socket: &Socket, option: O, value: &O::Val) -> io::Result<()> {
    option.set(socket, value).map_err(io::Error::from)
}

/// The kernel would cut a longer name and take what is left of it; none at all undoes the option.
fn whole(name: &str, unknown: c_int) -> io::Result<&[u8]> {
    if (1..=LONGEST_NAME).contains(&name.len()) {
        Ok(name.as_bytes())
    } else {
        Err(io::Error::from_raw_os_error(unknown))
    }
}

/// Signs every packet to the address's whole family and wants every packet from there signed: a
/// network of 0 bits. That is what Debian's netcat asks for, of a client too.
fn sign(socket: &Socket, address: SockAddr, key: &Md5Key) -> io::Result<()> {
    let mut signature = kernel::Md5Signature {
        peers: address.as_storage(),
        flags: TCP_MD5SIG_FLAG_PREFIX,
        prefix_len: 0,
        key_len: key.len.into(),
        interface: 0,
        key: *key.padded,
    };
    let answer = set(socket, kernel::Md5, &signature);
    wipe(&mut signature.key);
    answer
}

/// Overwrites a secret. The black box makes the zeros look needed, or they would be optimised away.
fn wipe(secret: &mut [u8]) {
    secret.fill(0);
    black_box(secret);
}

/// The options that socket2 has no calls for.
mod kernel {
    use libc::{IPPROTO_IP, IPPROTO_IPV6, IPPROTO_TCP, SOL_SOCKET, c_int};
    use nix::{getsockopt_impl, setsockopt_impl, sockopt_impl};

    sockopt_impl!(Debug, Both, SOL_SOCKET, libc::SO_DEBUG, bool);
    sockopt_impl!(MinTtl, Both, IPPROTO_IP, libc::IP_MINTTL, c_int);
    sockopt_impl!(MinHopCount, Both, IPPROTO_IPV6, libc::IPV6_MINHOPCOUNT, c_int);
    sockopt_impl!(Md5, SetOnly, IPPROTO_TCP, libc::TCP_MD5SIG_EXT, Md5Signature);
    sockopt_impl!(KeepIdle, Both, IPPROTO_TCP, libc::TCP_KEEPIDLE, c_int);
    sockopt_impl!(KeepInterval, Both, IPPROTO_TCP, libc::TCP_KEEPINTVL, c_int);
    sockopt_impl!(FastOpenConnect, Both, IPPROTO_TCP, libc::TCP_FASTOPEN_CONNECT, bool);
    sockopt_impl!(FastOpen, Both, IPPROTO_TCP, libc::TCP_FASTOPEN, c_int);

    /// `struct tcp_md5sig` of the kernel's `linux/tcp.h`, which libc lacks.
    #[repr(C)]
    #[expect(unreachable_pub, reason = "the macro makes `Md5` public, and wants the same of this")]
    pub struct Md5Signature {
        pub peers: socket2::SockAddrStorage,
        pub flags: u8,
        /// How many leading bits of the address count, with [`super::TCP_MD5SIG_FLAG_PREFIX`].
        pub prefix_len: u8,
        pub key_len: u16,
        pub interface: c_int,
        pub key: [u8; super::Md5Key::MAX_LEN],
    }

    const _: () = assert!(size_of::<Md5Signature>() == 216);
}

/// `linux/tcp.h`: the key is for a whole network. libc lacks it.
const TCP_MD5SIG_FLAG_PREFIX: u8 = 1;

/// `IFNAMSIZ` of `linux/if.h` and `TCP_CA_NAME_MAX` of `net/tcp.h` are 16, with a NUL.
const LONGEST_NAME: usize = 15;

/// How many connections whose SYN brought data may wait for their handshake to be completed, RFC 7413
/// §5.1. The number is that of `SOMAXCONN` in the C library's headers for most of its life.
const FAST_OPEN_QUEUE: c_int = 128;
