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
use crate::datagram::LARGEST_PAYLOAD;

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
                // A UNIX socket may send larger ones.
                for piece in bytes.chunks(LARGEST_PAYLOAD) {
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
        let [number_high, number_low] = halves(number);
        let [acknowledged_high, acknowledged_low] = halves(acknowledged);
        let header = |sum| {
            in_bytes([
                from.port(),
                to.port(),
                number_high,
                number_low,
                acknowledged_high,
                acknowledged_low,
                u16::from_be_bytes([FIVE_WORDS, flags]),
                WINDOW,
                sum,
                0,
            ])
        };
        let sum = checksum(from.ip(), to.ip(), TCP, header(0).as_flattened(), bytes);
        self.packet(roll, way, (from.ip(), to.ip()), TCP, header(sum).as_flattened(), bytes);
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
        let header = |sum| in_bytes([from.port(), to.port(), short(8 + bytes.len()), sum]);
        // A sum of 0 would mean that there is none.
        let sum = match checksum(from.ip(), to.ip(), UDP, header(0).as_flattened(), bytes) {
            0 => 0xffff,
            sum => sum,
        };
        self.packet(roll, way, (from.ip(), to.ip()), UDP, header(sum).as_flattened(), bytes);
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
        let ip = match ends {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                let [from_high, from_low] = halves(from.to_bits());
                let [to_high, to_low] = halves(to.to_bits());
                let ip = |sum| {
                    in_bytes([
                        0x4500,
                        short(length + 20),
                        self.packets,
                        DO_NOT_FRAGMENT,
                        u16::from_be_bytes([HOPS, protocol]),
                        sum,
                        from_high,
                        from_low,
                        to_high,
                        to_low,
                    ])
                };
                ip(!fold(sum(ip(0).as_flattened()))).concat()
            }
            (from, to) => {
                let hops = u16::from_be_bytes([protocol, HOPS]);
                let start = in_bytes([0x6000, 0, short(length), hops]);
                [start.as_flattened(), &octets(from), &octets(to)].concat()
            }
        };
        pcapng::packet(roll.out, roll.epoch, way, [&ip, header, bytes]);
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

/// Headers are words of 16 bits, the higher byte first.
fn in_bytes<const N: usize>(words: [u16; N]) -> [[u8; 2]; N] {
    words.map(u16::to_be_bytes)
}

/// The higher one, and the lower one.
fn halves(long: u32) -> [u16; 2] {
    let [a, b, c, d] = long.to_be_bytes();
    [u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])]
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

/// What may be under way without an acknowledgement; no segment is larger.
const WINDOW: u16 = u16::MAX;

const HOPS: u8 = 64;
const DO_NOT_FRAGMENT: u16 = 0x4000;
const TCP: u8 = 6;
const UDP: u8 = 17;

/// How long a TCP header is, in its upper half.
const FIVE_WORDS: u8 = 5 << 4;

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const PSH: u8 = 0x08;
const ACK: u8 = 0x10;

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 1071, section 3, and a header that tcpdump has seen.
    #[test]
    fn the_checksum_is_that_of_the_rfc() {
        assert_eq!(sum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), 0x2_ddf0);
        assert_eq!(fold(0x2_ddf0), 0xddf2);
        assert_eq!(sum(&[0x12, 0x34, 0x56]), 0x1234 + 0x5600);
        let header = [
            0x45, 0, 0, 0x73, 0, 0, 0x40, 0, 0x40, 0x11, 0, 0, 0xc0, 0xa8, 0, 1, 0xc0, 0xa8, 0,
            0xc7,
        ];
        assert_eq!(!fold(sum(&header)), 0xb861);
    }

    /// The longest packet there is, of the largest words, is summed up without an overflow.
    #[test]
    fn the_largest_sum_fits() {
        let bytes = vec![0xff; LARGEST_PAYLOAD];
        let far = IpAddr::V6(Ipv6Addr::from([0xff; 16]));
        assert_ne!(checksum(far, far, UDP, &[0xff; 8], &bytes), 0xffff);
    }

    fn recorded(make: impl FnOnce(&mut Conversation, &mut Roll<'_>), carrier: Carrier) -> Vec<u8> {
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let mut out = Vec::new();
        let mut conversation = Conversation::new(carrier, at(1), at(2));
        make(&mut conversation, &mut Roll { out: &mut out, epoch: 0 });
        out
    }

    #[test]
    fn an_end_is_told_once_and_nothing_behind_a_reset() {
        use Direction::{Inbound, Outbound};
        let once = recorded(|it, roll| it.end(roll, Outbound), Carrier::Tcp);
        let twice = recorded(
            |it, roll| {
                it.end(roll, Outbound);
                it.end(roll, Outbound);
            },
            Carrier::Tcp,
        );
        assert_eq!(once, twice);
        let reset = recorded(|it, roll| it.reset(roll, Inbound), Carrier::Tcp);
        let more = recorded(
            |it, roll| {
                it.reset(roll, Inbound);
                it.end(roll, Outbound);
                it.reset(roll, Outbound);
            },
            Carrier::Tcp,
        );
        assert_eq!(reset, more);
    }

    #[test]
    fn datagrams_have_neither_handshake_nor_end() {
        let nothing = recorded(
            |it, roll| {
                it.begin(roll, Direction::Outbound);
                it.end(roll, Direction::Outbound);
                it.reset(roll, Direction::Inbound);
            },
            Carrier::Udp,
        );
        assert!(nothing.is_empty());
    }

    #[test]
    fn a_socket_of_both_families_talks_to_either() {
        let everywhere = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 7));
        let it = Conversation::new(Carrier::Udp, everywhere, everywhere);
        let mapped: SocketAddr = "[::ffff:192.0.2.7]:9".parse().expect("an address");
        let (from, to) = it.ends(Direction::Outbound, plain(mapped));
        assert_eq!((from.to_string(), to.to_string()), ("0.0.0.0:7".into(), "192.0.2.7:9".into()));
    }
}
