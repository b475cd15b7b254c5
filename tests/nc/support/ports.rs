//! Neighbouring TCP ports on 127.0.0.1 for scans: each closed, open or filtered, as the test says, and
//! all of them the test's own, so that nobody else opens one.

use std::net::{Ipv4Addr, SocketAddr};

use libc::{BPF_K, BPF_RET};
use socket2::{Domain, SockAddr, SockFilter, Socket, Type};

/// A run of ports, all closed at first.
pub(crate) struct Ports {
    sockets: Vec<Socket>,
    first: u16,
}

impl Ports {
    #[track_caller]
    pub(crate) fn reserve(count: u16) -> Self {
        let found = (0..1_000).find_map(|_| {
            let first = fastrand::u16(LOWEST..HIGHEST - count);
            let sockets = (first..first + count).map(bind).collect::<Option<Vec<_>>>()?;
            Some(Self { sockets, first })
        });
        found.expect("loopback has free neighbours")
    }

    /// The number of one of them, from 0 on.
    pub(crate) fn at(&self, index: u16) -> u16 {
        self.first + index
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = u16> + Clone + use<> {
        let count = u16::try_from(self.sockets.len()).expect("ports are counted so");
        self.first..self.first + count
    }

    /// As the command line has them, `4000-4010`.
    pub(crate) fn range(&self) -> String {
        format!("{}-{}", self.first, self.all().last().expect("at least one"))
    }

    /// Listens: the kernel accepts whoever comes.
    #[track_caller]
    pub(crate) fn opens(&self, index: u16) -> u16 {
        self.sockets[usize::from(index)].listen(4096).expect("listen");
        self.at(index)
    }

    /// Takes no notice of what comes, as behind a firewall that drops it.
    #[track_caller]
    pub(crate) fn filters(&self, index: u16) -> u16 {
        let code = u16::try_from(BPF_RET | BPF_K).expect("16 bits");
        let drop_all = SockFilter::new(code, 0, 0, 0);
        self.sockets[usize::from(index)].attach_filter(&[drop_all]).expect("a filter");
        self.opens(index)
    }

    /// From now on it listens in earnest.
    #[track_caller]
    pub(crate) fn unfilters(&self, index: u16) {
        self.sockets[usize::from(index)].detach_filter().expect("it has one");
    }

    /// Where the next client came from; there must have been one.
    #[track_caller]
    pub(crate) fn client(&self, index: u16) -> SocketAddr {
        let socket = &self.sockets[usize::from(index)];
        socket.set_nonblocking(true).expect("O_NONBLOCK");
        let (_, client) = socket.accept().expect("a client has been here");
        client.as_socket().expect("an IPv4 address")
    }
}

/// Without `SO_REUSEADDR`, so that nobody shares it.
fn bind(port: u16) -> Option<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let address = SockAddr::from(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    socket.bind(&address).is_ok().then_some(socket)
}

/// Among these the kernel picks no port by itself, ip(7), so a crowd of clients leaves room for neighbours.
const LOWEST: u16 = 10_000;
const HIGHEST: u16 = 32_768;

/// The line of `-v` for an open port of 127.0.0.1.
pub(crate) fn open(port: u16) -> String {
    format!("Connection to 127.0.0.1 {port} port [tcp/*] succeeded!\n")
}

/// The line of `-v` for a closed port of 127.0.0.1.
pub(crate) fn refused(port: u16) -> String {
    format!("nc: connect to 127.0.0.1 port {port} (tcp) failed: Connection refused\n")
}

/// The line of `-v` for a port of 127.0.0.1 that has not answered.
pub(crate) fn silent(port: u16) -> String {
    format!("nc: connect to 127.0.0.1 port {port} (tcp) timed out: Operation now in progress\n")
}
