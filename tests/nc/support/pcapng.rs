//! A reader of pcapng that is not ours: what is in a recording, and whether its headers are sound.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// A packet with its headers taken off.
#[derive(Debug)]
pub(crate) struct Packet {
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    /// Of the interface: 1 is in, 2 is out.
    pub(crate) direction: u32,
    /// Of TCP; `None`: it is a datagram.
    pub(crate) segment: Option<Segment>,
    pub(crate) payload: Vec<u8>,
    /// Microseconds since 1970.
    pub(crate) epoch: u64,
}

#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) number: u32,
    pub(crate) acknowledged: u32,
    pub(crate) flags: u8,
}

/// Every packet of a file, whose blocks, lengths and checksums are right.
#[track_caller]
pub(crate) fn packets(mut file: &[u8]) -> Vec<Packet> {
    let mut packets = Vec::new();
    let mut sections = 0;
    while !file.is_empty() {
        let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
        let length = word(4) as usize;
        assert!(length >= 12 && length.is_multiple_of(4), "a block of {length} bytes");
        assert_eq!(word(length - 4) as usize, length, "the length stands twice");
        let body = &file[8..length - 4];
        match word(0) {
            0x0a0d_0d0a => {
                sections += 1;
                assert_eq!(word(8), 0x1a2b_3c4d, "the order of bytes");
                assert_eq!(word(12), 1, "version 1.0");
            }
            1 => assert_eq!(word(8), 101, "packets begin with an IP header"),
            6 => packets.push(packet(body)),
            kind => panic!("a block of kind {kind:#x}"),
        }
        file = &file[length..];
    }
    assert!(sections > 0, "no section");
    packets
}

#[track_caller]
fn packet(block: &[u8]) -> Packet {
    let word = |at: usize| u32::from_le_bytes(block[at..at + 4].try_into().unwrap());
    assert_eq!(word(0), 0, "the first interface");
    let (captured, original) = (word(12) as usize, word(16) as usize);
    assert_eq!(captured, original, "nothing is cut off");
    let options = 20 + captured.next_multiple_of(4);
    assert_eq!(word(options), 4 << 16 | 2, "the flags");
    assert_eq!(word(options + 8), 0, "the end of the options");
    let ip = &block[20..20 + captured];
    let (from, to, protocol, inner) = match ip[0] >> 4 {
        4 => {
            assert_eq!(ip[0] & 15, 5);
            assert_eq!(sum(&[&ip[..20]]), 0xffff, "checksum of the IP header");
            assert_eq!(usize::from(short(ip, 2)), ip.len());
            let address = |at: usize| IpAddr::from(<[u8; 4]>::try_from(&ip[at..at + 4]).unwrap());
            (address(12), address(16), ip[9], &ip[20..])
        }
        6 => {
            assert_eq!(usize::from(short(ip, 4)), ip.len() - 40);
            let address = |at: usize| {
                IpAddr::from(Ipv6Addr::from(<[u8; 16]>::try_from(&ip[at..at + 16]).unwrap()))
            };
            (address(8), address(24), ip[6], &ip[40..])
        }
        version => panic!("IP version {version}"),
    };
    let length = u32::try_from(inner.len()).unwrap().to_be_bytes();
    let (source, destination) = (bytes(from), bytes(to));
    let whole = [&source[..], &destination, &length, &[0, protocol], inner];
    assert_eq!(sum(&whole), 0xffff, "checksum of the packet");
    let (segment, header) = match protocol {
        6 => {
            let word = |at: usize| u32::from_be_bytes(inner[at..at + 4].try_into().unwrap());
            (
                Some(Segment { number: word(4), acknowledged: word(8), flags: inner[13] }),
                usize::from(inner[12] >> 4) * 4,
            )
        }
        17 => {
            assert_eq!(usize::from(short(inner, 4)), inner.len());
            assert_ne!(short(inner, 6), 0, "there is a checksum");
            (None, 8)
        }
        other => panic!("protocol {other}"),
    };
    Packet {
        from: (from, short(inner, 0)).into(),
        to: (to, short(inner, 2)).into(),
        direction: word(options + 4),
        segment,
        payload: inner[header..].to_vec(),
        epoch: u64::from(word(4)) << 32 | u64::from(word(8)),
    }
}

/// RFC 1071: over a header with its checksum it is all ones.
fn sum(parts: &[&[u8]]) -> u32 {
    let mut sum = 0;
    for part in parts {
        for pair in part.chunks(2) {
            sum += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
            sum = (sum & 0xffff) + (sum >> 16);
        }
    }
    sum
}

fn short(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn bytes(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}
