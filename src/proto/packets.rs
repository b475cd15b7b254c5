//! A conversation as packets that could have carried it: IP, TCP, UDP headers around bytes that were seen
//! from above the socket.
//!
//! Owns: the headers, their checksums, the sequence numbers. Must not know: where packets go
//! ([`super::pcapng`] writes them), sockets.
//!
//! They are made up, and say nothing of the packets that were on the way: how large those were, which were
//! lost, when they were acknowledged. Addresses, ports, bytes and their order are real. Of TCP there is a
//! handshake, an acknowledgement behind each segment, and the end.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::pcapng::{self, Direction};

/// What carries the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// Segments of one connection.
    Tcp,
    /// Datagrams.
    Udp,
}

/// One connection, or one socket for datagrams.
#[derive(Clone, Debug)]
pub struct Conversation {
    carrier: Carrier,
    here: SocketAddr,
    there: SocketAddr,
    /// What we send, and what the peer sends.
    outbound: Half,
    inbound: Half,
    packets: u16,
}

/// One direction of a TCP connection.
#[derive(Clone, Copy, Debug)]
struct Half {
    /// The sequence number that comes next. The first is 0, so that real ones are what Wireshark shows.
    next: u32,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    Ended,
}

/// Where packets are appended, and when they were seen in microseconds since 1970.
#[derive(Debug)]
pub struct Roll<'a> {
    /// The file's next blocks.
    pub out: &'a mut Vec<u8>,
    /// The time.
    pub epoch: u64,
}

impl Conversation {
    /// A conversation of which nothing is recorded yet, between us and the peer.
    #[must_use]
    pub fn new(carrier: Carrier, here: SocketAddr, there: SocketAddr) -> Self {
        let half = Half { next: 0, state: State::Open };
        let (outbound, inbound) = (half, half);
        let (here, there) = (plain(here), plain(there));
        Self { carrier, here, there, outbound, inbound, packets: 0 }
    }

    /// The handshake, which whoever sends `from` there began.
    pub fn begin(&mut self, roll: &mut Roll<'_>, from: Direction) {
        if self.carrier == Carrier::Tcp {
            self.segment(roll, from, SYN, &[]);
            self.segment(roll, opposite(from), SYN | ACK, &[]);
            self.segment(roll, from, ACK, &[]);
        }
    }

    /// Bytes of a stream, or one datagram; of the latter `peer` may be another one each time.
    pub fn data(
        &mut self,
        roll: &mut Roll<'_>,
        way: Direction,
        bytes: &[u8],
        peer: Option<SocketAddr>,
    ) {
        match self.carrier {
            Carrier::Tcp => {
                for piece in bytes.chunks(LARGEST_SEGMENT) {
                    self.segment(roll, way, PSH | ACK, piece);
                    self.segment(roll, opposite(way), ACK, &[]);
                }
            }
            Carrier::Udp if bytes.is_empty() => self.datagram(roll, way, bytes, peer),
            Carrier::Udp => {
                for piece in bytes.chunks(LARGEST_DATAGRAM) {
                    self.datagram(roll, way, piece, peer);
                }
            }
        }
    }

    /// An end of file: told once each way.
    pub fn end(&mut self, roll: &mut Roll<'_>, way: Direction) {
        if self.carrier == Carrier::Tcp && self.half(way).state == State::Open {
            self.segment(roll, way, FIN | ACK, &[]);
            self.half(way).state = State::Ended;
            self.segment(roll, opposite(way), ACK, &[]);
        }
    }

    /// The connection broke: nothing is sent either way any more.
    pub fn reset(&mut self, roll: &mut Roll<'_>, way: Direction) {
        let (one, other) = (self.outbound.state, self.inbound.state);
        if self.carrier == Carrier::Tcp && (one == State::Open || other == State::Open) {
            self.segment(roll, way, RST | ACK, &[]);
            (self.outbound.state, self.inbound.state) = (State::Ended, State::Ended);
        }
    }

    fn half(&mut self, way: Direction) -> &mut Half {
        match way {
            Direction::Outbound => &mut self.outbound,
            Direction::Inbound => &mut self.inbound,
        }
    }

    fn segment(&mut self, roll: &mut Roll<'_>, way: Direction, flags: u8, bytes: &[u8]) {
        let acknowledged = if flags & ACK == 0 { 0 } else { self.half(opposite(way)).next };
        let number = self.half(way).next;
        let (from, to) = self.ends(way, self.there);
        let mut header = [0; 20];
        header[..2].copy_from_slice(&from.port().to_be_bytes());
        header[2..4].copy_from_slice(&to.port().to_be_bytes());
        header[4..8].copy_from_slice(&number.to_be_bytes());
        header[8..12].copy_from_slice(&acknowledged.to_be_bytes());
        header[12] = FIVE_WORDS;
        header[13] = flags;
        header[14..16].copy_from_slice(&WINDOW.to_be_bytes());
        let sum = checksum(from.ip(), to.ip(), TCP, &header, bytes);
        header[16..18].copy_from_slice(&sum.to_be_bytes());
        self.packet(roll, way, (from.ip(), to.ip()), TCP, &header, bytes);
        // SYN and FIN take a number each, as if they were a byte.
        let numbers = u32::from(short(bytes.len())) + u32::from(flags & (SYN | FIN) != 0);
        self.half(way).next = number.wrapping_add(numbers);
    }

    fn datagram(
        &mut self,
        roll: &mut Roll<'_>,
        way: Direction,
        bytes: &[u8],
        peer: Option<SocketAddr>,
    ) {
        let (from, to) = self.ends(way, peer.map_or(self.there, plain));
        let mut header = [0; 8];
        header[..2].copy_from_slice(&from.port().to_be_bytes());
        header[2..4].copy_from_slice(&to.port().to_be_bytes());
        let length = short(header.len() + bytes.len());
        header[4..6].copy_from_slice(&length.to_be_bytes());
        // A sum of 0 would mean that there is none.
        let sum = match checksum(from.ip(), to.ip(), UDP, &header, bytes) {
            0 => 0xffff,
            sum => sum,
        };
        header[6..].copy_from_slice(&sum.to_be_bytes());
        self.packet(roll, way, (from.ip(), to.ip()), UDP, &header, bytes);
    }

    /// From whom to whom. A socket that is bound to every address may be of the other family.
    fn ends(&self, way: Direction, peer: SocketAddr) -> (SocketAddr, SocketAddr) {
        let here = match (self.here.ip(), peer.ip()) {
            (IpAddr::V4(_), IpAddr::V6(_)) => (Ipv6Addr::UNSPECIFIED, self.here.port()).into(),
            (IpAddr::V6(_), IpAddr::V4(_)) => (Ipv4Addr::UNSPECIFIED, self.here.port()).into(),
            (IpAddr::V4(_), IpAddr::V4(_)) | (IpAddr::V6(_), IpAddr::V6(_)) => self.here,
        };
        match way {
            Direction::Outbound => (here, peer),
            Direction::Inbound => (peer, here),
        }
    }

    fn packet(
        &mut self,
        roll: &mut Roll<'_>,
        way: Direction,
        ends: (IpAddr, IpAddr),
        protocol: u8,
        header: &[u8],
        bytes: &[u8],
    ) {
        let length = header.len() + bytes.len();
        self.packets = self.packets.wrapping_add(1);
        let mut ip = [0; 40];
        let ip = match ends {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                let ip = &mut ip[..20];
                ip[0] = 0x45;
                ip[2..4].copy_from_slice(&short(length + 20).to_be_bytes());
                ip[4..6].copy_from_slice(&self.packets.to_be_bytes());
                ip[6] = DO_NOT_FRAGMENT;
                (ip[8], ip[9]) = (HOPS, protocol);
                ip[12..16].copy_from_slice(&from.octets());
                ip[16..].copy_from_slice(&to.octets());
                let sum = !fold(sum(ip));
                ip[10..12].copy_from_slice(&sum.to_be_bytes());
                &*ip
            }
            (from, to) => {
                ip[0] = 0x60;
                ip[4..6].copy_from_slice(&short(length).to_be_bytes());
                (ip[6], ip[7]) = (protocol, HOPS);
                ip[8..24].copy_from_slice(&octets(from));
                ip[24..].copy_from_slice(&octets(to));
                &ip[..]
            }
        };
        pcapng::packet(roll.out, roll.epoch, way, [ip, header, bytes]);
    }
}

/// The Internet checksum, RFC 1071, of a header whose own is 0, what follows it, and the addresses.
fn checksum(from: IpAddr, to: IpAddr, protocol: u8, header: &[u8], bytes: &[u8]) -> u16 {
    let addresses = match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => sum(&from.octets()) + sum(&to.octets()),
        (from, to) => sum(&octets(from)) + sum(&octets(to)),
    };
    let length = u32::from(short(header.len() + bytes.len()));
    // Every header is an even number of bytes long, so that what follows is summed up as it lies.
    !fold(addresses + u32::from(protocol) + length + sum(header) + sum(bytes))
}

/// In words of 16 bits; the last byte may lack its other half. No packet is long enough to overflow.
fn sum(bytes: &[u8]) -> u32 {
    let word = |pair: &[u8]| match *pair {
        [high, low] => u32::from(u16::from_be_bytes([high, low])),
        [high] => u32::from(high) << 8,
        _ => 0,
    };
    bytes.chunks(2).map(word).sum()
}

fn fold(sum: u32) -> u16 {
    let once = (sum & 0xffff) + (sum >> 16);
    short(((once & 0xffff) + (once >> 16)) as usize)
}

fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

/// A socket for both families gives an IPv4 address as an IPv6 one; its packets are of IPv4.
fn plain(address: SocketAddr) -> SocketAddr {
    (address.ip().to_canonical(), address.port()).into()
}

/// The length of what was cut so that it fits into 16 bits.
fn short(length: usize) -> u16 {
    u16::try_from(length).unwrap_or(u16::MAX)
}

const fn opposite(way: Direction) -> Direction {
    match way {
        Direction::Outbound => Direction::Inbound,
        Direction::Inbound => Direction::Outbound,
    }
}

/// Bytes of a segment at most: what fills a buffer of ours makes two, and with its headers each fits into
/// the 16 bits of its length and into the window.
const LARGEST_SEGMENT: usize = 32 * 1024;

/// Bytes of a datagram, as large as an IPv4 packet can carry. A UNIX socket may send larger ones.
const LARGEST_DATAGRAM: usize = 65_535 - 20 - 8;

/// What may be under way without an acknowledgement; no segment is larger.
const WINDOW: u16 = u16::MAX;

const HOPS: u8 = 64;
const DO_NOT_FRAGMENT: u8 = 0x40;
const TCP: u8 = 6;
const UDP: u8 = 17;

/// How long a TCP header is, in its upper half.
const FIVE_WORDS: u8 = 5 << 4;

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const PSH: u8 = 0x08;
const ACK: u8 = 0x10;
