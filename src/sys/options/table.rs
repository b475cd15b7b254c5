//! Every call of setsockopt(2) that the command line can ask for.
//!
//! Owns: which option is which call, with which value, on which sockets, in which order. What a call sets is
//! found once, so that `--explain` tells what the kernel was told. Must not know: what is done about a refusal.
//!
//! Read next: `TABLE`.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use Scope::{
    Any, Client, Datagram4, Datagram6, DualListener, Group4, Group6, Ip, Listener, Tcp, V4, V6,
};
use Value::{Key, Name, Number, Switch};
use Why::{Is, Of};
use libc::{IPPROTO_IP, IPPROTO_IPV6, IPPROTO_TCP, SOL_SOCKET, c_int};
use nix::sys::socket::SetSockOpt;
use socket2::{SockAddr, Socket};
use zeroize::Zeroize;

use super::{Md5Key, Options, Role};
use crate::error::escape;
use crate::explain::Purpose;
use crate::sys::calls::Setting;

/// One call.
pub(super) struct Row {
    /// As it is typed.
    pub(super) option: &'static str,
    /// `SOL_SOCKET` and its like.
    level: c_int,
    /// As strace shows it.
    pub(super) name: &'static str,
    pub(super) scope: Scope,
    pub(super) value: Value,
    why: Why,
}

/// What a call sets: where it is found among what was asked for, `None` where nothing was, and the call.
pub(super) enum Value {
    Switch(fn(&Options) -> bool, fn(&Socket, bool) -> io::Result<()>),
    /// An `int`.
    Number(fn(&Options) -> Option<u32>, fn(&Socket, u32) -> io::Result<()>),
    /// A name, and the errno of one that cannot be.
    Name(fn(&Options) -> Option<&str>, fn(&Socket, &[u8]) -> io::Result<()>, c_int),
    /// The key, and whose segments are signed with it: those of the address, or of another.
    Key(fn(&SockAddr) -> SockAddr),
}

/// What a call is for.
enum Why {
    Is(Purpose),
    /// Of a number, which the words have.
    Of(fn(u32) -> Purpose),
}

/// What a call sets, found.
pub(super) enum Wanted<'a> {
    Switch(fn(&Socket, bool) -> io::Result<()>),
    Number(u32, fn(&Socket, u32) -> io::Result<()>),
    Name(&'a str, fn(&Socket, &[u8]) -> io::Result<()>, c_int),
    Key(&'a Md5Key, fn(&SockAddr) -> SockAddr),
}

impl Value {
    pub(super) fn asked<'a>(&self, options: &'a Options) -> Option<Wanted<'a>> {
        match *self {
            Self::Switch(is_on, call) => is_on(options).then_some(Wanted::Switch(call)),
            Self::Number(number, call) => Some(Wanted::Number(number(options)?, call)),
            Self::Name(name, call, unknown) => Some(Wanted::Name(name(options)?, call, unknown)),
            Self::Key(whose) => Some(Wanted::Key(options.md5_key.as_ref()?, whose)),
        }
    }
}

impl Wanted<'_> {
    pub(super) fn set(&self, socket: &Socket, address: &SockAddr) -> io::Result<()> {
        match *self {
            Self::Switch(call) => call(socket, true),
            Self::Number(number, call) => call(socket, number),
            Self::Name(name, call, unknown) => call(socket, whole(name, unknown)?),
            Self::Key(key, whose) => sign(socket, &whose(address), key),
        }
    }

    /// What setsockopt(2) was told, as strace shows it, and why.
    pub(super) fn told(&self, row: &Row) -> (Purpose, Setting<'static>) {
        let purpose = match (&row.why, self) {
            (Is(purpose), _) => *purpose,
            (Of(purpose), Self::Number(number, _)) => purpose(*number),
            (Of(purpose), Self::Switch(_) | Self::Name(..) | Self::Key(..)) => purpose(0),
        };
        (purpose, self.setting(row.level, row.name))
    }

    fn setting(&self, level: c_int, name: &'static str) -> Setting<'static> {
        match *self {
            Self::Switch(_) => Setting::int(level, name, 1),
            Self::Number(number, _) => Setting::int(level, name, number.cast_signed()),
            Self::Name(text, ..) => {
                let value = format!("\"{}\"", escape(text));
                Setting { level, name, value, len: text.len() }
            }
            // The key is nobody's business.
            Self::Key(..) => {
                let len = size_of::<kernel::Md5Signature>();
                Setting { level, name, value: "...".to_owned(), len }
            }
        }
    }
}

/// The sockets a call is made on.
#[derive(Clone, Copy, Debug)]
pub(super) enum Scope {
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
    pub(super) fn covers(self, address: &SockAddr, role: Role) -> bool {
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

/// Every call there is, in the order they are made.
pub(super) static TABLE: &[Row] = &[
    row(
        "-b",
        SOL_SOCKET,
        "SO_BROADCAST",
        Ip,
        Switch(|o| o.broadcast, Socket::set_broadcast),
        Is(Purpose::Broadcast),
    ),
    row("-S", IPPROTO_TCP, "TCP_MD5SIG_EXT", Tcp, Key(SockAddr::clone), Is(Purpose::Signature)),
    row(
        "-S",
        IPPROTO_TCP,
        "TCP_MD5SIG_EXT",
        DualListener,
        Key(any_v4_mapped),
        Is(Purpose::Signature),
    ),
    row(
        "-D",
        SOL_SOCKET,
        "SO_DEBUG",
        Ip,
        Switch(|o| o.debug, |s, on| set(s, kernel::Debug, &on)),
        Is(Purpose::Record),
    ),
    row(
        "-T",
        IPPROTO_IP,
        "IP_TOS",
        V4,
        Number(tos, Socket::set_tos_v4),
        Is(Purpose::TypeOfService),
    ),
    row(
        "-T",
        IPPROTO_IPV6,
        "IPV6_TCLASS",
        V6,
        Number(tos, Socket::set_tclass_v6),
        Is(Purpose::TypeOfService),
    ),
    row(
        "-I",
        SOL_SOCKET,
        "SO_RCVBUF",
        Any,
        Number(|o| o.recv_buffer, |s, size| s.set_recv_buffer_size(size as usize)),
        Is(Purpose::ReceiveBuffer),
    ),
    row(
        "-O",
        SOL_SOCKET,
        "SO_SNDBUF",
        Any,
        Number(|o| o.send_buffer, |s, size| s.set_send_buffer_size(size as usize)),
        Is(Purpose::SendBuffer),
    ),
    row("-M", IPPROTO_IP, "IP_TTL", V4, Number(ttl, Socket::set_ttl_v4), Is(Purpose::Hops)),
    row(
        "-M",
        IPPROTO_IPV6,
        "IPV6_UNICAST_HOPS",
        V6,
        Number(ttl, Socket::set_unicast_hops_v6),
        Is(Purpose::Hops),
    ),
    row(
        "-m",
        IPPROTO_IP,
        "IP_MINTTL",
        V4,
        Number(min_ttl, |s, hops| set_int(s, kernel::MinTtl, hops)),
        Is(Purpose::FewestHops),
    ),
    row(
        "-m",
        IPPROTO_IPV6,
        "IPV6_MINHOPCOUNT",
        V6,
        Number(min_ttl, |s, hops| set_int(s, kernel::MinHopCount, hops)),
        Is(Purpose::FewestHops),
    ),
    row(
        "-M",
        IPPROTO_IP,
        "IP_MULTICAST_TTL",
        Group4,
        Number(ttl, Socket::set_multicast_ttl_v4),
        Is(Purpose::GroupHops),
    ),
    row(
        "-M",
        IPPROTO_IPV6,
        "IPV6_MULTICAST_HOPS",
        Group6,
        Number(ttl, Socket::set_multicast_hops_v6),
        Is(Purpose::GroupHops),
    ),
    row(
        "--no-loop",
        IPPROTO_IP,
        "IP_MULTICAST_LOOP",
        Datagram4,
        Number(no_loop, |s, on| s.set_multicast_loop_v4(on != 0)),
        Is(Purpose::NoLoop),
    ),
    row(
        "--no-loop",
        IPPROTO_IPV6,
        "IPV6_MULTICAST_LOOP",
        Datagram6,
        Number(no_loop, |s, on| s.set_multicast_loop_v6(on != 0)),
        Is(Purpose::NoLoop),
    ),
    row(
        "--interface",
        SOL_SOCKET,
        "SO_BINDTODEVICE",
        Ip,
        Name(|o| o.interface.as_deref(), |s, name| s.bind_device(Some(name)), libc::ENODEV),
        Is(Purpose::Interface),
    ),
    row(
        "--mark",
        SOL_SOCKET,
        "SO_MARK",
        Ip,
        Number(|o| o.mark, Socket::set_mark),
        Is(Purpose::Mark),
    ),
    row(
        "--keepalive",
        SOL_SOCKET,
        "SO_KEEPALIVE",
        Tcp,
        Switch(|o| o.keepalive.is_some(), Socket::set_keepalive),
        Is(Purpose::Keepalive),
    ),
    row(
        "--keepalive",
        IPPROTO_TCP,
        "TCP_KEEPIDLE",
        Tcp,
        Number(silence, |s, time| set_int(s, kernel::KeepIdle, time)),
        Of(|seconds| Purpose::FirstProbe { seconds }),
    ),
    row(
        "--keepalive",
        IPPROTO_TCP,
        "TCP_KEEPINTVL",
        Tcp,
        Number(silence, |s, time| set_int(s, kernel::KeepInterval, time)),
        Of(|seconds| Purpose::NextProbe { seconds }),
    ),
    row(
        "--nodelay",
        IPPROTO_TCP,
        "TCP_NODELAY",
        Tcp,
        Switch(|o| o.nodelay, Socket::set_tcp_nodelay),
        Is(Purpose::NoDelay),
    ),
    row(
        "--user-timeout",
        IPPROTO_TCP,
        "TCP_USER_TIMEOUT",
        Tcp,
        Number(user_timeout, |s, time| {
            s.set_tcp_user_timeout(Some(Duration::from_millis(time.into())))
        }),
        Of(|ms| Purpose::UserTimeout { ms }),
    ),
    row(
        "--congestion",
        IPPROTO_TCP,
        "TCP_CONGESTION",
        Tcp,
        Name(|o| o.congestion.as_deref(), Socket::set_tcp_congestion, libc::ENOENT),
        Is(Purpose::Congestion),
    ),
    row(
        "--tcp-fastopen",
        IPPROTO_TCP,
        "TCP_FASTOPEN_CONNECT",
        Client,
        Switch(|o| o.fast_open, |s, on| set(s, kernel::FastOpenConnect, &on)),
        Is(Purpose::FastOpen),
    ),
    row(
        "--tcp-fastopen",
        IPPROTO_TCP,
        "TCP_FASTOPEN",
        Listener,
        Number(fast_open_queue, |s, most| set_int(s, kernel::FastOpen, most)),
        Is(Purpose::FastOpen),
    ),
];

const fn row(
    option: &'static str,
    level: c_int,
    name: &'static str,
    scope: Scope,
    value: Value,
    why: Why,
) -> Row {
    Row { option, level, name, scope, value, why }
}

fn tos(options: &Options) -> Option<u32> {
    options.tos.map(u32::from)
}

fn ttl(options: &Options) -> Option<u32> {
    options.ttl.map(u32::from)
}

fn min_ttl(options: &Options) -> Option<u32> {
    options.min_ttl.map(u32::from)
}

fn no_loop(options: &Options) -> Option<u32> {
    options.no_loop.then_some(0)
}

fn silence(options: &Options) -> Option<u32> {
    options.keepalive?.seconds.map(u32::from)
}

/// In milliseconds, rounded up; as much as fits.
fn user_timeout(options: &Options) -> Option<u32> {
    let rounded_up = options.user_timeout?.saturating_add(Duration::from_nanos(999_999));
    Some(u32::try_from(rounded_up.as_millis()).unwrap_or(u32::MAX))
}

fn fast_open_queue(options: &Options) -> Option<u32> {
    options.fast_open.then_some(FAST_OPEN_QUEUE)
}

/// `::ffff:0.0.0.0`: those that come by IPv4 to a socket of IPv6.
fn any_v4_mapped(_: &SockAddr) -> SockAddr {
    SocketAddr::new(Ipv4Addr::UNSPECIFIED.to_ipv6_mapped().into(), 0).into()
}

/// nix's `Errno` ends here: its own `Display` would weigh 25 KiB.
fn set<O: SetSockOpt + Copy>(socket: &Socket, option: O, value: &O::Val) -> io::Result<()> {
    option.set(socket, value).map_err(io::Error::from)
}

fn set_int<O: SetSockOpt<Val = c_int> + Copy>(
    socket: &Socket,
    option: O,
    value: u32,
) -> io::Result<()> {
    set(socket, option, &value.cast_signed())
}

/// The kernel would cut a longer name and take what is left of it; none at all undoes the option.
pub(super) fn whole(name: &str, unknown: c_int) -> io::Result<&[u8]> {
    if (1..=LONGEST_NAME).contains(&name.len()) {
        Ok(name.as_bytes())
    } else {
        Err(io::Error::from_raw_os_error(unknown))
    }
}

/// Signs every packet to the address's whole family and wants every packet from there signed: a
/// network of 0 bits. That is what Debian's netcat asks for, of a client too.
fn sign(socket: &Socket, address: &SockAddr, key: &Md5Key) -> io::Result<()> {
    let bytes = key.0.bytes();
    let mut signature = kernel::Md5Signature {
        peers: address.clone().as_storage(),
        flags: TCP_MD5SIG_FLAG_PREFIX,
        prefix_len: 0,
        key_len: u16::try_from(bytes.len()).unwrap_or(u16::MAX),
        interface: 0,
        key: [0; Md5Key::MAX_LEN],
    };
    signature.key[..bytes.len()].copy_from_slice(bytes);
    let answer = set(socket, kernel::Md5, &signature);
    signature.key.zeroize();
    answer
}

/// The options that socket2 has no calls for.
pub(super) mod kernel {
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
const FAST_OPEN_QUEUE: u32 = 128;
