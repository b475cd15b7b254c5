//! The type of service as it is typed for `-T`: a keyword, a decimal number or `0x` and digits.
//!
//! Owns: the notation. Must not know: how the byte gets into a packet. The keywords are those of
//! Debian's netcat and the four of nc.traditional; no word is in both. Their case matters, as it does
//! there. Read next: `Options::tos`, for what the byte means.

use super::integer;

/// The byte, or `None` where the text stands for none.
///
/// Debian's netcat reads `0x1g` as 1 and `0x100000001` as 1 too; neither is taken here.
pub(super) fn parse(text: &str) -> Option<u8> {
    if let Some((_, value)) = KEYWORDS.iter().find(|(keyword, _)| *keyword == text) {
        return Some(*value);
    }
    match text.strip_prefix("0x") {
        Some(digits) => hexadecimal(digits),
        None => integer(text, 0..=u8::MAX).ok(),
    }
}

/// No digits at all are 0, as strtol(3) has it.
fn hexadecimal(digits: &str) -> Option<u8> {
    digits.chars().try_fold(0, |value: u8, digit| {
        let digit = u8::try_from(digit.to_digit(16)?).ok()?;
        value.checked_mul(16)?.checked_add(digit)
    })
}

/// A code point of `DiffServ` is the upper six bits: its number here is four times the one in the
/// RFC. The two bits below are ECN's, RFC 3168, which the kernel keeps for itself on TCP.
const KEYWORDS: [(&str, u8); 32] = [
    // Assured forwarding, RFC 2597: class, then drop precedence.
    ("af11", 0x28),
    ("af12", 0x30),
    ("af13", 0x38),
    ("af21", 0x48),
    ("af22", 0x50),
    ("af23", 0x58),
    ("af31", 0x68),
    ("af32", 0x70),
    ("af33", 0x78),
    ("af41", 0x88),
    ("af42", 0x90),
    ("af43", 0x98),
    // Class selectors, RFC 2474.
    ("cs0", 0x00),
    ("cs1", 0x20),
    ("cs2", 0x40),
    ("cs3", 0x60),
    ("cs4", 0x80),
    ("cs5", 0xa0),
    ("cs6", 0xc0),
    ("cs7", 0xe0),
    // Expedited forwarding, RFC 3246.
    ("ef", 0xb8),
    // Precedence, RFC 791.
    ("critical", 0xa0),
    ("inetcontrol", 0xc0),
    ("netcontrol", 0xe0),
    // Type of service, RFC 1349; the same four in the words of nc.traditional.
    ("lowdelay", 0x10),
    ("throughput", 0x08),
    ("reliability", 0x04),
    ("lowcost", 0x02),
    ("Minimize-Delay", 0x10),
    ("Maximize-Throughput", 0x08),
    ("Maximize-Reliability", 0x04),
    ("Minimize-Cost", 0x02),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_keyword_of_debian() {
        // In decimal, as strace shows them.
        for (text, tos) in [
            ("af11", 40),
            ("af12", 48),
            ("af13", 56),
            ("af21", 72),
            ("af22", 80),
            ("af23", 88),
            ("af31", 104),
            ("af32", 112),
            ("af33", 120),
            ("af41", 136),
            ("af42", 144),
            ("af43", 152),
            ("critical", 160),
            ("cs0", 0),
            ("cs1", 32),
            ("cs2", 64),
            ("cs3", 96),
            ("cs4", 128),
            ("cs5", 160),
            ("cs6", 192),
            ("cs7", 224),
            ("ef", 184),
            ("inetcontrol", 192),
            ("lowcost", 2),
            ("lowdelay", 16),
            ("netcontrol", 224),
            ("reliability", 4),
            ("throughput", 8),
        ] {
            assert_eq!(parse(text), Some(tos), "{text}");
        }
    }

    #[test]
    fn the_keywords_of_traditional() {
        assert_eq!(parse("Minimize-Delay"), parse("lowdelay"));
        assert_eq!(parse("Maximize-Throughput"), parse("throughput"));
        assert_eq!(parse("Maximize-Reliability"), parse("reliability"));
        assert_eq!(parse("Minimize-Cost"), parse("lowcost"));
    }

    #[test]
    fn numbers() {
        for (text, tos) in [
            ("0", 0),
            ("255", 255),
            ("010", 10),
            (" 5", 5),
            ("+5", 5),
            ("-0", 0),
            ("0x", 0),
            ("0x0", 0),
            ("0xb8", 184),
            ("0xB8", 184),
            ("0xff", 255),
            ("0x000000ff", 255),
        ] {
            assert_eq!(parse(text), Some(tos), "{text:?}");
        }
    }

    #[test]
    fn anything_else_is_none() {
        for text in [
            "",
            " ",
            "bogus",
            "256",
            "-1",
            "0b8",
            "b8",
            "5 ",
            "1.5",
            "0X10",
            "0x1ff",
            "0x100",
            "0x1g",
            "0x-5",
            "0x+5",
            "0x 5",
            "0x100000001",
            "AF11",
            "Ef",
            "ef ",
            "cs8",
            "minimize-delay",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn every_byte_in_either_base(tos: u8) {
            prop_assert_eq!(parse(&tos.to_string()), Some(tos));
            prop_assert_eq!(parse(&format!("{tos:#x}")), Some(tos));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC*|(0x)?[-+0-9a-fxX ]*") {
            let _ = parse(&text);
        }
    }
}
