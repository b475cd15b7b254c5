//! The other end of the connection, in the test's own hands: plain blocking sockets on loopback
//! whose every call has a deadline.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use socket2::{Domain, SockAddr, SockRef, Socket, Type};

use super::{DEADLINE, Noise, assert_same, kernel, uninterrupted, wait_until};

/// A listening socket on 127.0.0.1.
pub(crate) struct Server {
    listener: TcpListener,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::start_on(IpAddr::V4(Ipv4Addr::LOCALHOST))
    }

    #[track_caller]
    pub(crate) fn start_on(address: IpAddr) -> Self {
        let listener = TcpListener::bind((address, 0)).expect("loopback has free ports");
        Self { listener }
    }

    pub(crate) fn port(&self) -> u16 {
        self.listener.local_addr().expect("a bound socket").port()
    }

    pub(crate) fn listener(&self) -> &TcpListener {
        &self.listener
    }

    #[track_caller]
    pub(crate) fn accepts(&self) -> Peer {
        assert!(ready(&self.listener, PollFlags::IN, DEADLINE), "nobody connected");
        let (stream, _) = self.listener.accept().expect("a connection is waiting");
        Peer::new(stream)
    }
}

/// A port on 127.0.0.1 that refuses connections for as long as this lives: bound, not listening.
///
/// Programs that set `SO_REUSEADDR` and `SO_REUSEPORT`, as netcat listeners do, can listen on it.
pub(crate) struct ClosedPort {
    socket: Socket,
}

impl ClosedPort {
    #[track_caller]
    pub(crate) fn reserve() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket.set_reuse_address(true).expect("SO_REUSEADDR");
        socket.set_reuse_port(true).expect("SO_REUSEPORT");
        socket.bind(&loopback(0)).expect("loopback has free ports");
        Self { socket }
    }

    pub(crate) fn port(&self) -> u16 {
        let address = self.socket.local_addr().expect("a bound socket");
        address.as_socket().expect("an IPv4 address").port()
    }
}

/// A port that neither accepts nor refuses: its queue of connections is full, so that the kernel
/// drops every SYN, as a firewall would.
pub(crate) struct SilentPort {
    socket: Socket,
    /// What its queue is full of.
    _queued: Vec<Socket>,
}

impl SilentPort {
    #[track_caller]
    pub(crate) fn start() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket.bind(&loopback(0)).expect("loopback has free ports");
        socket.listen(0).expect("listen");
        let address = socket.local_addr().expect("a bound socket");
        let queued = (0..3).map(|_| {
            let queued = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
            queued.set_nonblocking(true).expect("O_NONBLOCK");
            let begun = queued.connect(&address).expect_err("a connect that is not waited for");
            assert_eq!(begun.raw_os_error(), Some(Errno::INPROGRESS.raw_os_error()));
            queued
        });
        Self { _queued: queued.collect(), socket }
    }

    pub(crate) fn port(&self) -> u16 {
        let address = self.socket.local_addr().expect("a bound socket");
        address.as_socket().expect("an IPv4 address").port()
    }
}

/// One connection, the test's end of it.
pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
}

impl Peer {
    /// Connects to a listener on 127.0.0.1.
    #[track_caller]
    pub(crate) fn connect(port: u16) -> Self {
        Self::connect_to((Ipv4Addr::LOCALHOST, port).into())
    }

    #[track_caller]
    pub(crate) fn connect_to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&address, DEADLINE);
        Self::new(stream.unwrap_or_else(|error| panic!("connect to {address}: {error}")))
    }

    fn new(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(DEADLINE)).expect("a timeout that is not 0");
        stream.set_write_timeout(Some(DEADLINE)).expect("a timeout that is not 0");
        Self { stream }
    }

    /// Our port.
    pub(crate) fn port(&self) -> u16 {
        self.stream.local_addr().expect("a connected socket").port()
    }

    #[track_caller]
    pub(crate) fn sends(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the peer takes what we send");
    }

    /// Sends an end of file (FIN), and can still receive.
    #[track_caller]
    pub(crate) fn finishes(&self) {
        self.stream.shutdown(Shutdown::Write).expect("the connection stands");
    }

    /// Reads exactly as much as is expected.
    #[track_caller]
    pub(crate) fn receives(&mut self, expected: &[u8]) {
        let mut got = vec![0; expected.len()];
        let mut count = 0;
        while count < got.len() {
            match uninterrupted(|| self.stream.read(&mut got[count..])) {
                Ok(0) => break,
                Ok(more) => count += more,
                Err(error) => panic!("after {count} of {} bytes: {error}", expected.len()),
            }
        }
        assert_same(&got[..count], expected, "received from the program");
    }

    /// The next thing to be read is the end of file.
    #[track_caller]
    pub(crate) fn receives_eof(&mut self) {
        let mut byte = [0];
        let count = uninterrupted(|| self.stream.read(&mut byte)).expect("an end of file");
        assert_eq!(count, 0, "a byte ({:?}) instead of an end of file", byte[0]);
    }

    /// Everything up to the end of file.
    #[track_caller]
    pub(crate) fn receives_to_eof(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.stream.read_to_end(&mut bytes).expect("bytes, then an end of file");
        bytes
    }

    /// Neither a byte nor an end of file has arrived.
    #[track_caller]
    pub(crate) fn has_received_nothing(&self) {
        self.stream.set_nonblocking(true).expect("O_NONBLOCK");
        let found = self.stream.peek(&mut [0]);
        self.stream.set_nonblocking(false).expect("O_NONBLOCK");
        match found {
            Ok(0) => panic!("an end of file has arrived"),
            Ok(_) => panic!("a byte has arrived"),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => panic!("{error}"),
        }
    }

    /// Waits until the other end's kernel has everything we sent.
    #[track_caller]
    pub(crate) fn is_acknowledged(&self) {
        wait_until("all is acknowledged", || kernel::unacknowledged(&self.stream) == 0);
    }

    /// Closes with a reset (RST) instead of an end of file.
    #[track_caller]
    pub(crate) fn resets(self) {
        SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).expect("SO_LINGER");
    }

    /// Reads until the connection is gone, by an end of file or by a reset.
    #[track_caller]
    pub(crate) fn is_ended(&mut self) {
        let ended = io::copy(&mut self.stream, &mut io::sink());
        let timed_out = matches!(&ended, Err(error) if error.kind() == ErrorKind::WouldBlock);
        assert!(!timed_out, "the connection still stands");
    }
}

/// Writes noise until nobody takes any more, and says how much went in.
///
/// `sink` must be our own description: a pipe's write end or a socket, never one shared with the
/// program.
#[track_caller]
pub(crate) fn fill(sink: &impl AsFd, noise: &mut Noise) -> u64 {
    let flags = fcntl_getfl(sink).expect("an open descriptor");
    fcntl_setfl(sink, flags | OFlags::NONBLOCK).expect("an open descriptor");
    let mut total = 0;
    while ready(sink, PollFlags::OUT, FULL_AFTER) {
        match rustix::io::write(sink, noise.next_bytes()) {
            Ok(count) => {
                noise.advance(count);
                total += count as u64;
            }
            // Somebody may have taken the room between the question and the write.
            Err(Errno::AGAIN) => {}
            Err(error) => panic!("after {total} bytes: {error}"),
        }
        assert!(total < 1 << 30, "1 GiB went in: there is no back-pressure");
    }
    fcntl_setfl(sink, flags).expect("an open descriptor");
    total
}

/// Whether one of the flags (or an error) shows in time.
pub(crate) fn ready(fd: &impl AsFd, flags: PollFlags, limit: Duration) -> bool {
    let limit = Timespec::try_from(limit).expect("a while that can be waited");
    let found = poll(&mut [PollFd::new(fd, flags)], Some(&limit));
    found.expect("poll of one open descriptor") > 0
}

fn loopback(port: u16) -> SockAddr {
    SockAddr::from(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
}

/// Nothing taken for so long means: full.
const FULL_AFTER: Duration = Duration::from_millis(150);
