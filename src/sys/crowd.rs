//! One datagram socket that many peers send to, and whom to answer (`-luk`).
//!
//! Owns: who has been heard, and when. Must not know: what is said. The socket is never connected, so
//! no error that one peer causes is ever charged to another; a peer that cannot be answered any more is
//! forgotten.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustix::net::{RecvFlags, SocketAddrAny};

use super::address::Address;
use super::moves::{recvfrom, sendto};
use super::polled::Polled;
use crate::explain::{Place, Step, explain, raw_fd};
use crate::nonblock::{Attempt, ByteSink, ByteSource, Wire};
use crate::trace::{Event, is_heard, tell};

/// Whom to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Whoever was heard last.
    Last,
    /// Whoever was heard first.
    First,
    /// Everybody.
    All,
    /// Nobody: there is no name to answer at.
    Nobody,
}

/// A bound socket and its peers.
#[derive(Debug)]
pub struct Crowd {
    polled: Polled,
    reply: Reply,
    /// A peer not heard for so long is forgotten.
    memory: Duration,
    /// In the order in which they were first heard.
    peers: Vec<Peer>,
    now: Instant,
    /// Datagrams heard so far: who was heard last is a matter of order and not of time.
    heard: u64,
    /// A peer's own queue is full, or the kernel's memory: there is no event for either.
    retry_at: Option<Instant>,
    /// Of the datagram under way: how many of the peers have it.
    served: usize,
}

#[derive(Debug)]
struct Peer {
    address: SocketAddrAny,
    /// When it was heard last, and as which datagram.
    heard_at: Instant,
    heard: u64,
    /// It was sent something: the first is explained.
    answered: bool,
    /// Since when it takes nothing.
    blocked_since: Option<Instant>,
}

impl Peer {
    fn ip(&self) -> Option<SocketAddr> {
        Address::from(Some(self.address.clone())).as_ip()
    }
}

impl Crowd {
    /// A socket that nobody has been heard at.
    #[must_use]
    pub fn new(polled: Polled, reply: Reply, memory: Option<Duration>, now: Instant) -> Self {
        let memory = memory.unwrap_or(MEMORY);
        Self { polled, reply, memory, peers: Vec::new(), now, heard: 0, retry_at: None, served: 0 }
    }

    /// What the reactor watches.
    pub fn polled(&mut self) -> &mut Polled {
        &mut self.polled
    }

    /// The same, to be asked about.
    pub(super) fn socket(&self) -> &Polled {
        &self.polled
    }

    fn note(&mut self, sender: Option<SocketAddrAny>, len: usize) {
        // A UNIX socket without a name cannot be answered.
        let Some(address) = sender.filter(|it| Address::from(Some(it.clone())) != Address::Unnamed)
        else {
            return;
        };
        self.heard += 1;
        let (now, heard) = (self.now, self.heard);
        if let Some(peer) = self.peers.iter_mut().find(|peer| peer.address == address) {
            (peer.heard_at, peer.heard) = (now, heard);
            return;
        }
        if is_heard() {
            let peer = Address::from(Some(address.clone()));
            tell(Event::Noted(&format_args!("new peer {peer}")));
        }
        explain(|| {
            let sender = Place::from(&address);
            Step::NewPeer { fd: raw_fd(&self.polled), sender, len }
        });
        if self.peers.len() == MOST_PEERS {
            self.forget(self.silent_longest());
        }
        self.peers.push(Peer {
            address,
            heard_at: now,
            heard,
            answered: false,
            blocked_since: None,
        });
    }

    fn silent_longest(&self) -> usize {
        let heard = self.peers.iter().enumerate().min_by_key(|(_, peer)| peer.heard);
        heard.map_or(0, |(which, _)| which)
    }

    fn forget(&mut self, which: usize) {
        self.peers.remove(which);
        if which < self.served {
            self.served -= 1;
        }
    }

    /// Who gets the datagram next, if anybody is left.
    fn next_receiver(&self) -> Option<usize> {
        match self.reply {
            Reply::Nobody => None,
            Reply::All | Reply::First | Reply::Last if self.peers.is_empty() => None,
            Reply::All => (self.served < self.peers.len()).then_some(self.served),
            Reply::First => (self.served == 0).then_some(0),
            Reply::Last if self.served > 0 => None,
            Reply::Last => self.heard_last().map(|(which, _)| which),
        }
    }

    fn heard_last(&self) -> Option<(usize, &Peer)> {
        self.peers.iter().enumerate().max_by_key(|(_, peer)| peer.heard)
    }

    /// A datagram could not be sent now. A UNIX peer whose queue is full is tried again after a while,
    /// for the kernel calls our own socket writable all the time; one that takes nothing for long is
    /// forgotten where others wait for the same datagram. Says whether there is somebody else to serve.
    fn is_passed_over(&mut self, which: usize) -> bool {
        let now = self.now;
        let is_unix = Address::from(Some(self.peers[which].address.clone())).as_ip().is_none();
        if is_unix {
            self.retry_at = Some(now + RETRY);
        }
        let since = *self.peers[which].blocked_since.get_or_insert(now);
        let gives_up = self.reply == Reply::All && self.peers.len() > 1 && now >= since + PATIENCE;
        if gives_up {
            let address = Address::from(Some(self.peers[which].address.clone()));
            tell(Event::Noted(&format_args!("{address} is forgotten: others wait")));
            self.forget(which);
        }
        gives_up
    }
}

impl ByteSource for Crowd {
    fn try_read(&mut self, into: &mut [u8]) -> io::Result<Attempt> {
        let polled = &self.polled;
        let mut sender = None;
        let attempt = Attempt::to_read(|| {
            let (n, from) = polled.call(|fd| recvfrom(fd, into, RecvFlags::DONTWAIT))?;
            sender = from;
            Ok(n)
        })?;
        let len = if let Attempt::Moved(n) = attempt { n } else { 0 };
        self.note(sender, len);
        Ok(match attempt {
            // An empty datagram is no end.
            Attempt::Ended => Attempt::Moved(0),
            Attempt::Moved(_) | Attempt::Blocked => attempt,
        })
    }
}

impl ByteSink for Crowd {
    fn try_write(&mut self, from: &[u8]) -> io::Result<Attempt> {
        if self.retry_at.is_some_and(|at| self.now < at) {
            return Ok(Attempt::Blocked);
        }
        self.retry_at = None;
        let mut taken = self.served > 0;
        while let Some(which) = self.next_receiver() {
            let address = &self.peers[which].address;
            let polled = &self.polled;
            let attempt = Attempt::to_write(|| polled.call(|fd| sendto(fd, from, address)));
            match attempt {
                Ok(Attempt::Moved(_)) => {
                    taken = true;
                    let peer = &mut self.peers[which];
                    peer.blocked_since = None;
                    if !std::mem::replace(&mut peer.answered, true) {
                        explain(|| {
                            let to = Place::from(&peer.address);
                            Step::SaidTo { fd: raw_fd(&self.polled), len: from.len(), to }
                        });
                    }
                    self.served += 1;
                }
                Ok(Attempt::Blocked | Attempt::Ended) => {
                    if !self.is_passed_over(which) {
                        return Ok(Attempt::Blocked);
                    }
                }
                // The datagram does not fit through the network: every peer would say the same.
                Err(error) if error.raw_os_error() == Some(libc::EMSGSIZE) => return Err(error),
                // Nobody's fault, and over soon: udp(7).
                Err(error)
                    if matches!(error.raw_os_error(), Some(libc::ENOBUFS | libc::ENOMEM)) =>
                {
                    self.retry_at = Some(self.now + RETRY);
                    return Ok(Attempt::Blocked);
                }
                Err(error) => {
                    let peer = Address::from(Some(address.clone()));
                    tell(Event::Noted(&format_args!("peer {peer}: {error}")));
                    self.forget(which);
                }
            }
        }
        self.served = 0;
        // Where nobody is left to take it, the datagram waits for the next peer that is heard.
        Ok(if taken { Attempt::Moved(from.len()) } else { Attempt::Blocked })
    }
}

impl Wire for Crowd {
    fn try_peek(&mut self, into: &mut [u8]) -> io::Result<Attempt> {
        let flags = RecvFlags::DONTWAIT | RecvFlags::PEEK;
        Attempt::to_read(|| self.polled.call(|fd| Ok(recvfrom(fd, into, flags)?.0)))
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        // There is no connection to half-close.
        Ok(())
    }

    fn take_error(&mut self) -> Option<io::Error> {
        // Whatever it is, it concerns one peer of many.
        None
    }

    fn has_destination(&self) -> bool {
        !self.peers.is_empty() && self.reply != Reply::Nobody
    }

    fn retry_at(&self) -> Option<Instant> {
        self.retry_at
    }

    fn begin_turn(&mut self, now: Instant) {
        self.now = now;
        // A datagram under way counts peers by position.
        if self.served == 0 {
            let memory = self.memory;
            self.peers.retain(|peer| now < peer.heard_at + memory);
        }
    }

    fn heard_from(&self) -> Option<SocketAddr> {
        self.heard_last()?.1.ip()
    }

    /// Whoever could not be served has been forgotten, so those who are left have it.
    fn given_to(&self) -> Vec<SocketAddr> {
        match self.reply {
            Reply::Nobody => Vec::new(),
            Reply::All => self.peers.iter().filter_map(Peer::ip).collect(),
            Reply::First => self.peers.first().and_then(Peer::ip).into_iter().collect(),
            Reply::Last => self.heard_last().and_then(|(_, peer)| peer.ip()).into_iter().collect(),
        }
    }
}

/// How long a silent peer is remembered: as long as a home router keeps a UDP mapping that has seen
/// traffic both ways, RFC 4787, section 4.3 recommends 5 minutes.
const MEMORY: Duration = Duration::from_secs(300);

/// How long to wait for room that nobody will announce.
const RETRY: Duration = Duration::from_millis(10);

/// How long one peer may take nothing while others wait for the same datagram.
const PATIENCE: Duration = Duration::from_secs(5);

/// Addresses can be made up by anybody who sends, so they have a bound.
const MOST_PEERS: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;

    /// A crowd's socket, so many peers that are connected to it, and a clock.
    struct Bench {
        crowd: Crowd,
        peers: Vec<UdpSocket>,
        now: Instant,
    }

    fn bench(reply: Reply, count: usize) -> Bench {
        let now = crate::testing::epoch();
        let socket = UdpSocket::bind("127.0.0.1:0").expect("bind");
        let at = socket.local_addr().expect("address");
        let peers = std::iter::repeat_with(|| {
            let peer = UdpSocket::bind("127.0.0.1:0").expect("bind");
            peer.connect(at).expect("connect");
            peer.set_nonblocking(true).expect("nonblocking");
            peer
        });
        let peers = peers.take(count).collect();
        let memory = Some(Duration::from_secs(60));
        let mut crowd = Crowd::new(Polled::new(socket.into()), reply, memory, now);
        crowd.begin_turn(now);
        Bench { crowd, peers, now }
    }

    impl Bench {
        fn hears(&mut self, peer: usize, what: &[u8]) {
            self.now += Duration::from_secs(1);
            self.crowd.begin_turn(self.now);
            self.peers[peer].send(what).expect("send");
            let mut into = [0; 64];
            let attempt = self.crowd.try_read(&mut into).expect("read");
            assert_eq!(attempt, Attempt::Moved(what.len()));
            assert_eq!(&into[..what.len()], what);
        }

        /// Sends a datagram and says who has it.
        fn answer(&mut self) -> Vec<usize> {
            let attempt = self.crowd.try_write(b"answer").expect("write");
            assert_eq!(attempt, Attempt::Moved(6));
            let got = |peer: &UdpSocket| peer.recv(&mut [0; 64]).is_ok_and(|n| n == 6);
            (0..self.peers.len()).filter(|&which| got(&self.peers[which])).collect()
        }
    }

    #[test]
    fn the_last_or_the_first_or_all_are_answered() {
        for (reply, expected) in
            [(Reply::Last, vec![0]), (Reply::First, vec![1]), (Reply::All, vec![0, 1, 2])]
        {
            let mut bench = bench(reply, 3);
            for peer in [1, 2, 0] {
                bench.hears(peer, b"hello");
            }
            assert_eq!(bench.answer(), expected, "{reply:?}");
            assert_eq!(bench.answer(), expected, "{reply:?}, again");
        }
    }

    #[test]
    fn an_empty_datagram_is_heard_and_is_no_end() {
        let mut bench = bench(Reply::Last, 1);
        bench.hears(0, b"");
        assert_eq!(bench.answer(), [0]);
    }

    #[test]
    fn before_anybody_is_heard_nothing_leaves() {
        let mut bench = bench(Reply::Last, 1);
        assert!(!bench.crowd.has_destination());
        assert_eq!(bench.crowd.try_write(b"x").expect("write"), Attempt::Blocked);
        bench.hears(0, b"hello");
        assert!(bench.crowd.has_destination());
    }

    #[test]
    fn who_is_silent_too_long_is_forgotten() {
        let mut bench = bench(Reply::All, 2);
        bench.hears(0, b"hello");
        bench.now += Duration::from_secs(50);
        bench.hears(1, b"hello");
        bench.now += Duration::from_secs(20);
        bench.crowd.begin_turn(bench.now);
        assert_eq!(bench.answer(), [1]);
    }

    #[test]
    fn a_peer_that_is_gone_is_not_charged_to_the_others() {
        let mut bench = bench(Reply::All, 2);
        bench.hears(0, b"hello");
        bench.hears(1, b"hello");
        let gone = bench.peers.remove(0);
        drop(gone);
        for _ in 0..3 {
            assert_eq!(bench.answer(), [0], "the one that is left");
        }
    }

    #[test]
    fn made_up_addresses_do_not_fill_the_memory() {
        let mut crowd = bench(Reply::Last, 0).crowd;
        for number in 0..2 * MOST_PEERS {
            let port = u16::try_from(number + 1).expect("small");
            crowd.note(Some(std::net::SocketAddr::from(([127, 0, 0, 1], port)).into()), 0);
        }
        assert_eq!(crowd.peers.len(), MOST_PEERS);
    }
}
