//! Sockets on their way into the loop: bound, connecting or listening, always nonblocking.
//!
//! Owns: what kinds of socket there are ([`Transport`]). A new kind is a variant here, and nothing above has
//! to know. Must not know: names, registration, what a connected one does (`socket`).
//! The order of system calls is Debian's, for it is looked at with strace: a client's socket is bound
//! and then gets its options, a listener's the other way round.

use std::io;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::netdevice::name_to_index;
use rustix::net::sockopt::{
    set_socket_recv_buffer_size, set_socket_recv_buffer_size_force, socket_type,
};
use rustix::net::{SocketType, getpeername, getsockname};
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, SockAddr, Type};

use super::address::Address;
use super::calls::{self, Setting, tell_setting};
use super::moves::send;
use super::options::{OptionError, Options, Role};
use super::polled::Polled;
use crate::datagram::LARGEST;
use crate::error::escape;
use crate::explain::{Connecting, Errand, Place, Purpose, Step, answer, explain, raw_fd};
use crate::mistakes::{Mistake, made};

/// What carries the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// tcp(7).
    Tcp,
    /// TCP over several paths, RFC 8684 (`--mptcp`).
    Mptcp,
    /// udp(7) (`-u`).
    Udp,
    /// unix(7), `SOCK_STREAM` (`-U`).
    UnixStream,
    /// unix(7), `SOCK_DGRAM` (`-uU`).
    UnixDatagram,
    /// unix(7), `SOCK_SEQPACKET` (`--seqpacket`).
    UnixRecords,
    /// vsock(7), `SOCK_STREAM` (`--vsock`).
    Vsock,
}

/// Where one piece of what is sent ends and the next begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Boundaries {
    /// Nowhere: a stream of bytes.
    None,
    /// Each call sends or receives one datagram, which may be empty and may come from anybody.
    Datagrams,
    /// Each call sends or receives one record of a connection; an empty one is its end.
    Records,
}

impl Transport {
    /// As messages name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp | Self::Mptcp => "tcp",
            Self::Udp => "udp",
            Self::UnixStream | Self::UnixDatagram | Self::UnixRecords => "unix",
            Self::Vsock => "vsock",
        }
    }

    /// Where one piece ends and the next begins.
    #[must_use]
    pub fn boundaries(self) -> Boundaries {
        match self {
            Self::Tcp | Self::Mptcp | Self::UnixStream | Self::Vsock => Boundaries::None,
            Self::Udp | Self::UnixDatagram => Boundaries::Datagrams,
            Self::UnixRecords => Boundaries::Records,
        }
    }

    /// The largest datagram or record that may arrive, in bytes. UDP has 16 bits for the length; of UNIX
    /// sockets it is the sender's buffer that decides, `net.core.wmem_max` in socket(7), 208 KiB.
    #[must_use]
    pub fn largest_datagram(self) -> usize {
        match self {
            Self::UnixDatagram | Self::UnixRecords => 256 * 1024,
            Self::Tcp | Self::Mptcp | Self::Udp | Self::UnixStream | Self::Vsock => LARGEST,
        }
    }

    fn socket(self, address: &SockAddr) -> io::Result<socket2::Socket> {
        let (kind, protocol) = match self {
            Self::Tcp => (Type::STREAM, Some(Protocol::TCP)),
            Self::Mptcp => (Type::STREAM, Some(Protocol::MPTCP)),
            Self::Udp => (Type::DGRAM, Some(Protocol::UDP)),
            Self::UnixStream | Self::Vsock => (Type::STREAM, None),
            Self::UnixDatagram => (Type::DGRAM, None),
            Self::UnixRecords => (Type::SEQPACKET, None),
        };
        let domain = Domain::from(i32::from(address.family()));
        calls::socket(domain, kind.nonblocking(), protocol, Errand::Relay)
    }

    fn role(self, connection: Role) -> Role {
        match self.boundaries() {
            Boundaries::Datagrams => Role::Datagram,
            Boundaries::None | Boundaries::Records => connection,
        }
    }
}

/// Why a connection could not be begun.
#[derive(Debug)]
pub enum DialError {
    /// The local address or port is not to be had, and no other destination will change that.
    Bind(io::Error),
    /// The kernel refuses a socket option.
    Option(OptionError),
    /// A UNIX listener's backlog is full. There is no event for it; it has to be tried again.
    Busy,
    /// This destination does not work; another may.
    Connect(io::Error),
}

/// How long to wait after [`DialError::Busy`].
pub const BUSY: Duration = Duration::from_millis(10);

/// There are no descriptors, or no memory, for one more socket.
#[must_use]
pub fn is_scarcity(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM))
}

/// There is no local port for one more socket. It has three names: bind(2) to a local address says
/// `EADDRINUSE`, connect(2) `EADDRNOTAVAIL`, and over UDP `EAGAIN`.
#[must_use]
pub fn is_want_of_ports(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EADDRINUSE | libc::EADDRNOTAVAIL | libc::EAGAIN))
}

/// Begins to connect. The socket is connected once it is writable and has no error, see
/// [`connected`].
///
/// # Errors
/// See [`DialError`].
pub fn dial(
    transport: Transport,
    to: &Address,
    from: Option<&Address>,
    options: &Options,
) -> Result<Polled, DialError> {
    let to = to.to_sock_addr().map_err(DialError::Connect)?;
    let socket = prepare(transport, &to, from, options)?;
    make_room(&socket, transport, options);
    begin(&socket, transport, &to, options)?;
    Ok(Polled::new(socket.into()))
}

/// A socket that is about to connect: bound and with its options.
///
/// # Errors
/// As [`dial`], but for what the destination says.
pub(super) fn prepare(
    transport: Transport,
    to: &SockAddr,
    from: Option<&Address>,
    options: &Options,
) -> Result<socket2::Socket, DialError> {
    let socket = transport.socket(to).map_err(DialError::Connect)?;
    if let Some(from) = from {
        let bound = from.to_sock_addr().and_then(|from| calls::bind_from(&socket, &from));
        bound.map_err(DialError::Bind)?;
    }
    options.apply(&socket, to, transport.role(Role::Connect)).map_err(DialError::Option)?;
    Ok(socket)
}

/// How a connection has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begun {
    /// It stands already.
    Connected,
    /// An event will tell.
    UnderWay,
}

/// Has a socket connect.
///
/// # Errors
/// As [`dial`].
pub(super) fn begin(
    socket: &socket2::Socket,
    transport: Transport,
    to: &SockAddr,
    options: &Options,
) -> Result<Begun, DialError> {
    let how = match transport.boundaries() {
        Boundaries::Datagrams => Connecting::Datagrams,
        Boundaries::None if options.fast_open && to.as_socket().is_some() => Connecting::FastOpen,
        Boundaries::None | Boundaries::Records => Connecting::Stream,
    };
    match calls::connect(socket, to, how) {
        // With a cookie of the server, TCP Fast Open waits for the first data before it says a word.
        // Writing none of it begins the handshake, for the server may be the one to speak first.
        Ok(()) if how == Connecting::FastOpen => {
            // What fails here fails again where the connection is asked about.
            let sent = send(socket.as_fd(), &[]);
            explain(|| Step::SynSent { fd: raw_fd(socket), answer: answer(&sent, |_| 0) });
            Ok(Begun::UnderWay)
        }
        Ok(()) => Ok(Begun::Connected),
        // Interrupted, it goes on by itself: connect(2).
        Err(error) if matches!(error.raw_os_error(), Some(libc::EINPROGRESS | libc::EINTR)) => {
            Ok(Begun::UnderWay)
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(DialError::Busy),
        Err(error) => Err(DialError::Connect(error)),
    }
}

/// What has become of a connection that was begun.
#[derive(Debug)]
pub enum ConnectStatus {
    /// It is still under way.
    UnderWay,
    /// It stands.
    Connected,
    /// It stood, and the peer has reset it. What the peer had sent before can be read.
    Reset(io::Error),
}

/// What has become of a connection that was begun.
///
/// The order matters: the pending error first, which asking for it clears, then the peer's address,
/// for a socket has none before the handshake is over.
///
/// # Errors
/// Why there is no connection: `ConnectionRefused`, `TimedOut` and so on.
pub fn connected(socket: &Polled, transport: Transport) -> io::Result<ConnectStatus> {
    if made(Mistake::WritableIsConnected) {
        return Ok(ConnectStatus::Connected);
    }
    match calls::pending_error(socket) {
        Ok(()) => {}
        // A handshake that failed has brought no bytes.
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset && socket.waiting() > 0 => {
            return Ok(ConnectStatus::Reset(error));
        }
        Err(error) => return Err(error),
    }
    // Through mio, which wants to know if this was a false alarm.
    let peer = socket.call(|fd| match getpeername(fd) {
        Err(Errno::NOTCONN) => Err(io::ErrorKind::WouldBlock.into()),
        answer => Ok(answer?),
    });
    let peer = match peer {
        Ok(peer) => Address::from(peer),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            return Ok(ConnectStatus::UnderWay);
        }
        Err(error) => return Err(error),
    };
    // TCP lets a socket connect to itself when the kernel picks the destination as source port.
    if matches!(transport, Transport::Tcp | Transport::Mptcp)
        && let Ok(local) = local_address(socket)
    {
        explain(|| {
            let (local, peer) = (Place::from(&local), Place::from(&peer));
            Step::Connected { fd: raw_fd(socket), local, peer }
        });
        if local == peer {
            return Err(io::Error::from_raw_os_error(libc::ECONNREFUSED));
        }
    }
    Ok(ConnectStatus::Connected)
}

/// Whether `SO_REUSEPORT` is set, see socket(7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Set, as Debian's netcat does: a second listener starts and shares the connections.
    Shared,
    /// Not set: a second listener is refused (`--exclusive`).
    Exclusive,
}

/// Binds and, where the transport has connections, listens.
///
/// # Errors
/// socket(2), bind(2), listen(2): the address is in use or not ours, the port is privileged; or a
/// socket option is refused.
pub fn listen(
    transport: Transport,
    at: &Address,
    backlog: i32,
    sharing: Sharing,
    options: &Options,
) -> Result<Polled, ListenError> {
    let address = at.to_sock_addr()?;
    let socket = transport.socket(&address)?;
    if at.as_ip().is_some() {
        let datagrams = transport.boundaries() == Boundaries::Datagrams;
        // For datagrams it would do what SO_REUSEPORT does.
        if sharing == Sharing::Shared || !datagrams {
            calls::reuse_address(&socket, datagrams)?;
        }
        match sharing {
            Sharing::Shared => calls::reuse_port(&socket, datagrams)?,
            Sharing::Exclusive => explain(|| Step::Exclusive),
        }
    }
    options.apply(&socket, &address, transport.role(Role::Listen)).map_err(ListenError::Option)?;
    make_room(&socket, transport, options);
    calls::bind_to_listen(&socket, &address)?;
    match transport.boundaries() {
        Boundaries::Datagrams => {}
        Boundaries::None | Boundaries::Records => calls::listen(&socket, backlog, &address)?,
    }
    Ok(Polled::new(socket.into()))
}

/// Where datagrams wait for us: a queue that is full loses what comes next, and nobody is told. As root
/// beyond the limit of `net.core.rmem_max`, else up to it, socket(7); what `-I` asks for is left alone.
/// It is a wish: with less, it works as well until somebody floods us.
fn make_room(socket: &socket2::Socket, transport: Transport, options: &Options) {
    if transport == Transport::Udp && options.recv_buffer.is_none() {
        let tell = |name, set: Result<(), Errno>| {
            let set = set.map_err(io::Error::from);
            tell_setting(socket, &set, || {
                let purpose = Purpose::Queue { bytes: UDP_QUEUE };
                (purpose, Setting::int(libc::SOL_SOCKET, name, UDP_QUEUE))
            });
            set
        };
        let forced = set_socket_recv_buffer_size_force(socket, UDP_QUEUE as usize);
        if tell("SO_RCVBUFFORCE", forced).is_err() {
            // Then it has the size that everybody gets.
            let _ = tell("SO_RCVBUF", set_socket_recv_buffer_size(socket, UDP_QUEUE as usize));
        }
    }
}

/// Bytes of the queue of a UDP socket; the kernel doubles it for its own accounts. At 200,000 datagrams a
/// second it holds 10 ms or more, a few times what a turn of ours can take.
const UDP_QUEUE: u32 = 4 * 1024 * 1024;

/// Why there is no listener.
#[derive(Debug)]
pub enum ListenError {
    /// The address is in use, not ours, or privileged.
    Socket(io::Error),
    /// The kernel refuses a socket option.
    Option(OptionError),
}

impl From<io::Error> for ListenError {
    fn from(error: io::Error) -> Self {
        Self::Socket(error)
    }
}

/// Where a socket is bound.
///
/// # Errors
/// getsockname(2).
pub fn local_address(socket: &Polled) -> io::Result<Address> {
    Ok(Address::from(Some(getsockname(socket)?)))
}

/// Both ends of a socket, as it knows them.
#[derive(Clone, Debug)]
pub struct Ends {
    /// Where it is bound.
    pub here: Address,
    /// Where it is connected to, if it is.
    pub there: Address,
    /// It carries datagrams.
    pub datagrams: bool,
}

/// Both ends of a socket, as far as there is anything to know.
#[must_use]
pub fn ends(socket: &Polled) -> Ends {
    Ends {
        here: Address::from(getsockname(socket).ok()),
        there: Address::from(getpeername(socket).ok().flatten()),
        datagrams: socket_type(socket).is_ok_and(|kind| kind == SocketType::DGRAM),
    }
}

/// A multicast group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The group's address.
    pub address: IpAddr,
    /// The interface to join on, by name; `None`: the one the routing table has for the group.
    pub interface: Option<String>,
}

/// Joins a group, so that what is sent to it arrives at the socket: ip(7), `IP_ADD_MEMBERSHIP`.
///
/// # Errors
/// There is no such interface, or the address is no group's.
pub fn join(socket: &Polled, group: &Group) -> io::Result<()> {
    let index = match &group.interface {
        Some(name) => name_to_index(socket, name)?,
        None => 0,
    };
    let sock = socket2::SockRef::from(socket);
    let joined = match &group.address {
        IpAddr::V4(address) => {
            sock.join_multicast_v4_n(address, &InterfaceIndexOrAddress::Index(index))
        }
        IpAddr::V6(address) => sock.join_multicast_v6(address, index),
    };
    tell_setting(socket, &joined, || (Purpose::Join, membership(group)));
    joined
}

/// `struct ip_mreqn`, which strace takes for the shorter `ip_mreq`, and `struct ipv6_mreq`.
fn membership(group: &Group) -> Setting<'static> {
    let (level, name, value, len) = match group.address {
        IpAddr::V4(address) => {
            let any = "imr_interface=inet_addr(\"0.0.0.0\")";
            let value = format!("{{imr_multiaddr=inet_addr(\"{address}\"), {any}}}");
            (libc::IPPROTO_IP, "IP_ADD_MEMBERSHIP", value, 12)
        }
        IpAddr::V6(address) => {
            let address = format!("inet_pton(AF_INET6, \"{address}\", &ipv6mr_multiaddr)");
            let interface = match &group.interface {
                Some(name) => format!("if_nametoindex(\"{}\")", escape(name)),
                None => "0".to_owned(),
            };
            let value = format!("{{{address}, ipv6mr_interface={interface}}}");
            (libc::IPPROTO_IPV6, "IPV6_ADD_MEMBERSHIP", value, 20)
        }
    };
    Setting { level, name, value, len }
}
