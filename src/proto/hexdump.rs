//! Bytes as other netcats dump them: nc.traditional's `-o`, ncat's `--hex-dump`.
//!
//! Owns: the columns, to the byte. Must not know: which way bytes go, when, where the text goes.

use super::hex;

/// How far one direction of nc.traditional's dump has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offset(u32);

/// Appends lines of nc.traditional, `< 00000000 68 69 0a ... # hi.`: the mark of the direction, an offset
/// that goes on from piece to piece, and the bytes, twice. Like there, an offset of 4 GiB is 0 again.
pub fn traditional(out: &mut Vec<u8>, mark: u8, offset: &mut Offset, bytes: &[u8]) {
    for line in bytes.chunks(LINE) {
        out.extend([mark, b' ']);
        hex::append(out, offset.0, 8);
        out.push(b' ');
        for byte in line {
            out.extend(hex::of(*byte));
            out.push(b' ');
        }
        pad(out, 3 * (LINE - line.len()));
        out.extend(*b"# ");
        out.extend(line.iter().map(|&byte| shown(byte, |byte| matches!(byte, b' '..=b'~'))));
        out.push(b'\n');
        offset.0 = offset.0.wrapping_add(u32::try_from(line.len()).unwrap_or_default());
    }
}

/// Appends lines of ncat, `0000   68 69 0a ...  hi.`: the offset starts anew with each piece, and no piece
/// is longer than what ncat reads at a time. Which way it goes is not said.
pub fn ncat(out: &mut Vec<u8>, bytes: &[u8]) {
    for piece in bytes.chunks(NCAT_PIECE) {
        for (line, offset) in piece.chunks(LINE).zip((0..).step_by(LINE)) {
            hex::append(out, offset, 4);
            out.extend(*b"   ");
            for at in 0..LINE {
                match line.get(at) {
                    Some(byte) => {
                        out.extend(hex::of(*byte));
                        out.push(b' ');
                    }
                    None => pad(out, 3),
                }
                if at == LINE / 2 - 1 {
                    out.push(b' ');
                }
            }
            out.push(b' ');
            out.extend(line.iter().map(|&byte| shown(byte, |byte| byte.is_ascii_graphic())));
            pad(out, LINE - line.len());
            out.push(b'\n');
        }
    }
}

fn shown(byte: u8, is_shown: impl Fn(u8) -> bool) -> u8 {
    if is_shown(byte) { byte } else { b'.' }
}

fn pad(out: &mut Vec<u8>, columns: usize) {
    out.resize(out.len() + columns, b' ');
}

/// Bytes in a line, of either.
const LINE: usize = 16;

/// Bytes that ncat reads in one call, `DEFAULT_TCP_BUF_LEN`.
const NCAT_PIECE: usize = 8192;

#[cfg(test)]
mod tests {
    use super::*;

    /// What nc.traditional 1.10 and ncat 7.93 have written about these pieces.
    #[test]
    fn the_columns_are_theirs() {
        let every: Vec<u8> = (0x18..=0x3f).collect();
        let of_traditional = "\
> 00000000 18 19 1a 1b 1c 1d 1e 1f 20 21 22 23 24 25 26 27 # ........ !\"#$%&'
> 00000010 28 29 2a 2b 2c 2d 2e 2f 30 31 32 33 34 35 36 37 # ()*+,-./01234567
> 00000020 38 39 3a 3b 3c 3d 3e 3f                         # 89:;<=>?
> 00000028 72 0a                                           # r.
";
        let (mut out, mut offset) = (Vec::new(), Offset::default());
        traditional(&mut out, b'>', &mut offset, &every);
        traditional(&mut out, b'>', &mut offset, b"r\n");
        traditional(&mut out, b'>', &mut offset, b"");
        assert_eq!(String::from_utf8_lossy(&out), of_traditional);

        let of_ncat = "\
0000   18 19 1a 1b 1c 1d 1e 1f  20 21 22 23 24 25 26 27  .........!\"#$%&'
0010   28 29 2a 2b 2c 2d 2e 2f  30 31 32 33 34 35 36 37  ()*+,-./01234567
0020   38 39 3a 3b 3c 3d 3e 3f                           89:;<=>?        
0000   72 0a                                             r.              
";
        let mut out = Vec::new();
        ncat(&mut out, &every);
        ncat(&mut out, b"r\n");
        ncat(&mut out, b"");
        assert_eq!(String::from_utf8_lossy(&out), of_ncat);
    }

    #[test]
    fn what_no_terminal_shows_is_a_dot() {
        let (mut one, mut other) = (Vec::new(), Vec::new());
        traditional(&mut one, b'<', &mut Offset(0xffff_fff8), b"~\x7f\x80\xff \x1b\t");
        ncat(&mut other, b"~\x7f\x80\xff \x1b\t");
        assert!(one.starts_with(b"< fffffff8 7e 7f 80 ff 20 1b 09 "), "{one:?}");
        assert!(one.ends_with(b"# ~... ..\n"));
        assert!(other.ends_with(b"  ~......         \n"));
    }

    #[test]
    fn an_offset_goes_on_behind_every_cut_that_ends_a_line_and_comes_round() {
        let bytes: Vec<u8> = (0..=255).cycle().take(1024).collect();
        let (mut whole, mut pieces) = (Vec::new(), Vec::new());
        traditional(&mut whole, b'<', &mut Offset(0xffff_ff00), &bytes);
        let mut offset = Offset(0xffff_ff00);
        bytes.chunks(48).for_each(|piece| traditional(&mut pieces, b'<', &mut offset, piece));
        assert!(whole == pieces);
        assert_eq!(offset, Offset(0x300));
    }

    #[test]
    fn a_long_piece_is_cut_as_ncat_reads() {
        let mut out = Vec::new();
        ncat(&mut out, &vec![0; 20_000]);
        let text = String::from_utf8_lossy(&out);
        let starts: Vec<_> =
            text.lines().enumerate().filter(|(_, line)| line.starts_with("0000")).collect();
        assert_eq!(starts.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [0, 512, 1024]);
        assert_eq!(text.lines().count(), 1250);
    }
}
