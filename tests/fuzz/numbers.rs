//! Numbers, times and bytes as they are typed: each is read as somebody else would read it, or refused.

use std::ops::RangeInclusive;

use pollcat::app::{Job, Keep, Listen, Mode, Place, Scan};
use pollcat::flow::Framing;

use crate::arguments::job;
use crate::seeds::{Seeds, try_all};

#[test]
fn numbers() {
    // The limits are on no engine's mind.
    for number in NUMBERS {
        let (least, most) = (number.range.start(), number.range.end());
        for limit in [least - 1, *least, *most, most + 1] {
            is_read_as_typed(number, limit.to_string().as_bytes());
        }
    }
    let seeds = Seeds::of("numbers", NUMBER_WORDS);
    try_all!(seeds, |input: &[u8]| {
        let [which, text @ ..] = input else { return };
        is_read_as_typed(&NUMBERS[usize::from(*which) % NUMBERS.len()], text);
    });
}

fn is_read_as_typed(number: &Number, text: &[u8]) {
    let Number { before, option, range, read } = number;
    let typed = [option.as_bytes(), text].concat();
    let words: Vec<_> = before.iter().map(|word| word.as_bytes()).chain([&*typed]).collect();
    let words = [&words[..], &[b"--"], if before.contains(&"-l") { &[] } else { HOST_AND_PORT }];
    let got = job(&words.concat()).ok().map(|job| read(&job).expect("it was set"));
    let expected = integer(text).filter(|number| range.contains(number));
    assert_eq!(got.map(i128::from), expected, "{option}{}", text.escape_ascii());
}

#[test]
fn times() {
    let seeds = Seeds::of("times", TIME_WORDS);
    try_all!(seeds, |text: &[u8]| {
        let typed = [b"--quit-after=", text].concat();
        let job = job(&[&typed, b"h", b"1"]);
        let got = job.ok().map(|job| job.policy.quit_after.expect("it was set"));
        let expected = nanoseconds(text);
        let is_right = match (got, expected) {
            // It may be rounded down, but never to nothing.
            (Some(got), Some(expected)) => {
                let got = got.as_nanos();
                got <= expected.max(1)
                    && got + MOST_ROUNDED >= expected
                    && (got > 0) == is_above_zero(text)
            }
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        assert!(is_right, "{}: {got:?}, {expected:?} ns", text.escape_ascii());
    });
}

#[test]
fn tos() {
    let seeds = Seeds::of("tos", TOS_WORDS);
    try_all!(seeds, |text: &[u8]| {
        let typed = [b"--tos=", text].concat();
        let got = job(&[&typed, b"h", b"1"]).ok().map(|job| job.options.tos.expect("it was set"));
        let expected = match (text.strip_prefix(b"0x"), text.first()) {
            (Some(digits), _) => hexadecimal(digits),
            // A keyword, which the tests of the module know.
            (None, Some(byte)) if byte.is_ascii_alphabetic() => return,
            (None, _) => integer(text),
        };
        let expected = expected.filter(|number| (0..=255).contains(number));
        assert_eq!(got.map(i128::from), expected, "{}", text.escape_ascii());
    });
}

#[test]
fn probe() {
    let seeds = Seeds::of("probe", PROBE_WORDS);
    try_all!(seeds, |text: &[u8]| {
        let typed = [b"--probe=", text].concat();
        let got = job(&[b"-zu", &typed, b"h", b"1"]).ok().map(|job| match job.mode {
            Mode::Scan(Scan { question, .. }) => question.expect("it was set"),
            Mode::Connect(_) | Mode::Listen(_) => panic!("no scan"),
        });
        let expected = match text.strip_prefix(b"hex:") {
            Some(digits) => digits
                .chunks(2)
                .map(|pair| hexadecimal(pair).filter(|_| pair.len() == 2))
                .map(|byte| byte.and_then(|byte| u8::try_from(byte).ok()))
                .collect(),
            None => Some(text.to_vec()),
        };
        let expected = expected.filter(|bytes| (1..=65_507).contains(&bytes.len()));
        assert_eq!(got, expected, "{}", text.escape_ascii());
    });
}

/// A whole number as strtonum(3) takes it, whatever its size.
pub(crate) fn integer(text: &[u8]) -> Option<i128> {
    let text =
        str::from_utf8(text).ok()?.trim_start_matches([' ', '\t', '\n', '\x0b', '\x0c', '\r']);
    match text.parse() {
        Ok(number) => Some(number),
        // Far out of every range, which is all that matters.
        Err(error) => match error.kind() {
            std::num::IntErrorKind::PosOverflow => Some(i128::MAX),
            std::num::IntErrorKind::NegOverflow => Some(i128::MIN),
            _ => None,
        },
    }
}

/// Of no digits it is 0, and of too many it is too large.
fn hexadecimal(digits: &[u8]) -> Option<i128> {
    let digits = str::from_utf8(digits).ok()?;
    let value = |number: i128, digit: char| {
        let digit = digit.to_digit(16)?;
        Some(number.saturating_mul(16).saturating_add(digit.into()))
    };
    digits.chars().try_fold(0, value)
}

/// As exact as it can be, rounded down; `None`: it is no time, or out of range.
fn nanoseconds(text: &[u8]) -> Option<u128> {
    let text =
        str::from_utf8(text).ok()?.trim_start_matches([' ', '\t', '\n', '\x0b', '\x0c', '\r']);
    let (is_negative, text) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let units =
        [("ms", 1_000_000), ("s", 1_000_000_000), ("m", 60_000_000_000), ("h", 3_600_000_000_000)];
    let with_unit = units.iter().find_map(|(name, unit)| Some((text.strip_suffix(name)?, *unit)));
    let (amount, unit) = with_unit.unwrap_or((text, 1_000_000_000_u128));
    let (whole, fraction) = amount.split_once('.').unwrap_or((amount, ""));
    let digits = [whole, fraction].concat();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = |digits: &str| {
        digits
            .bytes()
            .fold(0_u128, |n, d| n.saturating_mul(10).saturating_add(u128::from(d - b'0')))
    };
    // Beyond these places no unit has a nanosecond.
    let fraction = &fraction[..fraction.len().min(20)];
    let places = 10_u128.pow(u32::try_from(fraction.len()).expect("at most 20"));
    let exact = number(whole).saturating_mul(unit).saturating_add(number(fraction) * unit / places);
    let is_too_small = is_negative && digits.bytes().any(|digit| digit != b'0');
    (!is_too_small && exact <= 2_147_483 * 1_000_000_000).then_some(exact)
}

fn is_above_zero(text: &[u8]) -> bool {
    text.iter().any(|byte| (b'1'..=b'9').contains(byte))
}

/// An option that takes a number.
struct Number {
    /// What it needs.
    before: &'static [&'static str],
    /// Up to its value.
    option: &'static str,
    range: RangeInclusive<i128>,
    read: fn(&Job) -> Option<i64>,
}

const NUMBERS: &[Number] = &[
    Number {
        before: &[],
        option: "-I",
        range: 1..=1 << 30,
        read: |job| job.options.recv_buffer.map(i64::from),
    },
    Number {
        before: &[],
        option: "--send-buffer=",
        range: 1..=1 << 30,
        read: |job| job.options.send_buffer.map(i64::from),
    },
    Number {
        before: &[],
        option: "--ttl=",
        range: 0..=255,
        read: |job| job.options.ttl.map(i64::from),
    },
    Number {
        before: &[],
        option: "--min-ttl=",
        range: 0..=255,
        read: |job| job.options.min_ttl.map(i64::from),
    },
    Number {
        before: &[],
        option: "--keepalive=",
        range: 1..=32767,
        read: |job| job.options.keepalive?.seconds.map(i64::from),
    },
    Number {
        before: &[],
        option: "--recv-limit=",
        range: 1..=0x7fff_ffff,
        read: |job| job.policy.recv_limit.map(|n| n.get().cast_signed()),
    },
    Number {
        before: &["-u"],
        option: "--udp-size=",
        range: 1..=65_507,
        read: |job| match job.policy.framing? {
            Framing::Read(most) | Framing::Line(most) => i64::try_from(most).ok(),
        },
    },
    Number {
        before: &["-z"],
        option: "--max-parallelism=",
        range: 1..=65_535,
        read: |job| i64::try_from(scan(job)?.parallelism?.get()).ok(),
    },
    Number {
        before: &["-z"],
        option: "--rate=",
        range: 1..=1_000_000,
        read: |job| Some(scan(job)?.rate?.get().into()),
    },
    Number {
        before: &["-z"],
        option: "--banner=",
        range: 1..=65_536,
        read: |job| i64::try_from(scan(job)?.banner?.get()).ok(),
    },
    Number {
        before: &["-l", "-k", "-p", "0"],
        option: "--max-conns=",
        range: 1..=0x7fff_ffff,
        read: |job| match listen(job)?.keep {
            Keep::Open { max_conns } => i64::try_from(max_conns?.get()).ok(),
            Keep::Once => None,
        },
    },
    Number {
        before: &["-l"],
        option: "--fd=",
        range: 0..=0x7fff_ffff,
        read: |job| match listen(job)?.at {
            Place::Inherited(number) => Some(number.into()),
            Place::Port { .. } | Place::Exact(_) | Place::Activated => None,
        },
    },
    Number {
        before: &["-l", "-p", "0"],
        option: "--ready-fd=",
        range: 0..=0x7fff_ffff,
        read: |job| listen(job)?.announce.ready_fd.map(i64::from),
    },
];

fn scan(job: &Job) -> Option<&Scan> {
    match &job.mode {
        Mode::Scan(scan) => Some(scan),
        Mode::Connect(_) | Mode::Listen(_) => None,
    }
}

fn listen(job: &Job) -> Option<&Listen> {
    match &job.mode {
        Mode::Listen(listen) => Some(listen),
        Mode::Connect(_) | Mode::Scan(_) => None,
    }
}

const HOST_AND_PORT: &[&[u8]] = &[b"h", b"1"];

/// What is lost where a unit's tenths are no whole nanoseconds any more.
const MOST_ROUNDED: u128 = 10;

const NUMBER_WORDS: &[&[u8]] = &[
    b"0",
    b"1",
    b"9",
    b"-",
    b"+",
    b" ",
    b"\t",
    b"255",
    b"256",
    b"32767",
    b"65507",
    b"65535",
    b"65536",
    b"1000000",
    b"1073741824",
    b"2147483647",
    b"18446744073709551615",
    b"000",
    b"0x",
    b".",
    b"\xff",
];

const TIME_WORDS: &[&[u8]] = &[
    b"0", b"1", b"9", b".", b"-", b"+", b" ", b"ms", b"s", b"m", b"h", b"2147483", b"000", b"e",
    b"\xff",
];

const TOS_WORDS: &[&[u8]] = &[
    b"0x", b"0", b"1", b"f", b"F", b"g", b"255", b"256", b"-", b"+", b" ", b"ef", b"af11", b"\xff",
];

const PROBE_WORDS: &[&[u8]] =
    &[b"hex:", b"00", b"ff", b"A", b"g", b"0", b"+", b"\0", b"\xff", b"text"];
