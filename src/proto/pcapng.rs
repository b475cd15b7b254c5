//! Blocks of a pcapng file (draft-ietf-opsawg-pcapng), which Wireshark and tshark read.
//!
//! Owns: the layout of a block. Must not know: what is in a packet.
//!
//! Three kinds of block are all it takes: a section, its one interface, and packets. Numbers are little
//! endian; the section says so, and a reader on any machine goes by that. Sections may follow each other in
//! a file, so one can be appended to.

/// Which way a packet went, as the interface saw it: `epb_flags`, section 4.3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// It came in.
    Inbound = 1,
    /// It went out.
    Outbound = 2,
}

/// Appends the beginning of a section whose packets begin with an IP header, `LINKTYPE_RAW`.
pub fn begin(out: &mut Vec<u8>) {
    let unknown_length = [0xff; 8];
    block(out, SECTION, &[&BYTE_ORDER.to_le_bytes(), &VERSION_1_0, &unknown_length]);
    let no_limit = [0; 4];
    block(out, INTERFACE, &[&LINKTYPE_RAW.to_le_bytes(), &no_limit]);
}

/// Appends a packet, in as many pieces as there are, and when it was seen in microseconds since 1970.
pub fn packet(out: &mut Vec<u8>, epoch: u64, direction: Direction, pieces: [&[u8]; 3]) {
    let length: usize = pieces.iter().map(|piece| piece.len()).sum();
    // No packet is longer than the 16 bits of IP allow.
    let length = u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    let [low, high] = [epoch, epoch >> 32].map(|half| (half & 0xffff_ffff) as u32);
    let [first, second, third] = pieces;
    block(
        out,
        PACKET,
        &[
            &FIRST_INTERFACE,
            &high.to_le_bytes(),
            &low.to_le_bytes(),
            &length,
            &length,
            first,
            second,
            third,
            padding(pieces.iter().map(|piece| piece.len()).sum()),
            &FLAGS.to_le_bytes(),
            &4_u16.to_le_bytes(),
            &(direction as u32).to_le_bytes(),
            &END_OF_OPTIONS,
        ],
    );
}

/// Kind, length, body, length. The body is a multiple of 4 bytes long.
fn block(out: &mut Vec<u8>, kind: u32, body: &[&[u8]]) {
    let length = 12 + body.iter().map(|part| part.len()).sum::<usize>();
    let length = u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    out.extend(kind.to_le_bytes());
    out.extend(length);
    for part in body {
        out.extend_from_slice(part);
    }
    out.extend(length);
}

fn padding(length: usize) -> &'static [u8] {
    &[0; 3][..length.wrapping_neg() % 4]
}

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const PACKET: u32 = 6;
const BYTE_ORDER: u32 = 0x1a2b_3c4d;
const VERSION_1_0: [u8; 4] = [1, 0, 0, 0];
/// With two reserved bytes behind it.
const LINKTYPE_RAW: u32 = 101;
const FIRST_INTERFACE: [u8; 4] = [0; 4];
const FLAGS: u16 = 2;
const END_OF_OPTIONS: [u8; 4] = [0; 4];
