//! The other end of a session without connections: plain UDP sockets on loopback whose every call
//! has a deadline.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

use rustix::event::PollFlags;
use socket2::{SockRef, Socket};

use super::peer::ready;
use super::{DEADLINE, assert_same, uninterrupted};

/// A bound UDP socket.
pub(crate) struct Datagrams {
    pub(crate) socket: UdpSocket,
}

impl Datagrams {
    /// On 127.0.0.1.
    #[track_caller]
    pub(crate) fn bind() -> Self {
        Self::bind_on(Ipv4Addr::LOCALHOST.into())
    }

    #[track_caller]
    pub(crate) fn bind_on(address: IpAddr) -> Self {
        let socket = UdpSocket::bind((address, 0)).expect("loopback has free ports");
        socket.set_read_timeout(Some(DEADLINE)).expect("a timeout that is not 0");
        // Nobody waits for a receiver that is late; the kernel grants what it can.
        SockRef::from(&socket).set_recv_buffer_size(8 << 20).expect("SO_RCVBUF");
        Self { socket }
    }

    /// On 127.0.0.1, and speaking only with this port there.
    #[track_caller]
    pub(crate) fn connect(port: u16) -> Self {
        let datagrams = Self::bind();
        datagrams.socket.connect((Ipv4Addr::LOCALHOST, port)).expect("UDP connects to anybody");
        datagrams
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.socket.local_addr().expect("a bound socket")
    }

    pub(crate) fn port(&self) -> u16 {
        self.address().port()
    }

    /// One datagram to whom it is connected to.
    #[track_caller]
    pub(crate) fn sends(&self, bytes: &[u8]) {
        let sent = self.socket.send(bytes).expect("the kernel takes it");
        assert_eq!(sent, bytes.len());
    }

    #[track_caller]
    pub(crate) fn sends_to(&self, bytes: &[u8], to: SocketAddr) {
        let sent = self.socket.send_to(bytes, to).expect("the kernel takes it");
        assert_eq!(sent, bytes.len());
    }

    /// From now on every datagram that comes here is answered with "port unreachable", as if the socket
    /// were gone, but nobody else gets its port: the socket listens to one other port alone.
    #[track_caller]
    pub(crate) fn refuses(&self) {
        self.socket.connect((Ipv4Addr::LOCALHOST, DISCARD)).expect("UDP connects to anybody");
    }

    /// The next datagram, and who sent it.
    #[track_caller]
    pub(crate) fn receives_any(&self) -> (Vec<u8>, SocketAddr) {
        let mut bytes = vec![0; 1 << 16];
        let (count, sender) =
            uninterrupted(|| self.socket.recv_from(&mut bytes)).expect("a datagram");
        bytes.truncate(count);
        (bytes, sender)
    }

    /// The next datagram is exactly this.
    #[track_caller]
    pub(crate) fn receives(&self, expected: &[u8]) -> SocketAddr {
        let (bytes, sender) = self.receives_any();
        assert_same(&bytes, expected, "a datagram from the program");
        sender
    }

    #[track_caller]
    pub(crate) fn has_received_nothing(&self) {
        self.socket.set_nonblocking(true).expect("O_NONBLOCK");
        let found = self.socket.peek_from(&mut [0; 64]);
        self.socket.set_nonblocking(false).expect("O_NONBLOCK");
        match found {
            Ok((count, _)) => panic!("a datagram of {count} bytes has arrived"),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// A UDP port on 127.0.0.1 that refuses every datagram for as long as this lives.
pub(crate) struct RefusingPort {
    socket: Datagrams,
}

impl RefusingPort {
    #[track_caller]
    pub(crate) fn reserve() -> Self {
        let socket = Datagrams::bind();
        socket.refuses();
        Self { socket }
    }

    pub(crate) fn port(&self) -> u16 {
        self.socket.port()
    }
}

/// The next record or datagram of a socket the standard library has no type for.
#[track_caller]
pub(crate) fn next_record(socket: &Socket) -> Vec<u8> {
    assert!(ready(socket, PollFlags::IN, DEADLINE), "nothing came");
    let mut bytes = vec![0; 1 << 18];
    let count = rustix::io::read(socket, &mut bytes).expect("a record, or the end");
    bytes.truncate(count);
    bytes
}

/// Nobody's ephemeral port.
const DISCARD: u16 = 9;
