//! Ports, addresses, paths and proxies as they are typed: read as somebody else would read them, or
//! refused.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use pollcat::app::{Connect, Destination, Job, Listen, Mode, Place, ProxyKind, Scan};
use pollcat::error::escape;
use pollcat::proto::HostName;
use pollcat::sys::address::Address;

use crate::arguments::{job, leave_the_terminal};
use crate::numbers::integer;
use crate::seeds::{Seeds, try_all};

#[test]
fn ports() {
    let seeds = Seeds::of("ports", PORT_WORDS);
    try_all!(seeds, |input: &[u8]| {
        // A list has no limit, but there is one to what can be tried in a second.
        let operands: Vec<_> = input.split(|byte| *byte == 0).take(8).collect();
        let options: &[&[u8]] = &[b"-z", b"--", b"h"];
        let got = job(&[options, &operands].concat());
        // Names are looked up in the services of this machine.
        if operands.iter().any(|operand| operand.iter().any(u8::is_ascii_alphabetic)) {
            return;
        }
        let expected: Option<Vec<_>> = operands.iter().map(|operand| range(operand)).collect();
        match (got.map(destination), expected) {
            (Ok(Destination::Host { ports, .. }), Some(ranges)) => {
                assert!(ports.into_iter().eq(ranges.into_iter().flatten()), "{operands:?}");
            }
            (Err(_), None) => {}
            (got, expected) => panic!("{operands:?}: {got:?}, {expected:?}"),
        }
    });
}

#[test]
fn vsock() {
    let seeds = Seeds::of("vsock", VSOCK_WORDS);
    try_all!(seeds, |input: &[u8]| {
        let mut words = input.splitn(2, |byte| *byte == 0);
        let (cid, port) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let within =
            |text: &[u8], least: i128| integer(text).filter(|n| (least..1 << 32).contains(n));
        let machine = match cid {
            b"host" => Some(2),
            b"local" => Some(1),
            b"any" | b"-1" => Some(0xffff_ffff),
            number => within(number, 0),
        };
        let expected = machine.zip(within(port, 1));
        let got = match job(&[b"--vsock", b"--", cid, port]).map(destination) {
            Ok(Destination::Exact { address: Address::Vsock { cid, port }, .. }) => {
                Some((cid.into(), port.into()))
            }
            Ok(other) => panic!("{other:?}"),
            Err(_) => None,
        };
        assert_eq!(got, expected, "{}", input.escape_ascii());
    });
}

#[test]
fn unix_path() {
    let seeds = Seeds::of("unix_path", UNIX_WORDS);
    try_all!(seeds, |input: &[u8]| {
        // It ends an argument, so no argument has one.
        if input.contains(&0) {
            return;
        }
        let Ok(Destination::Exact { address, .. }) = job(&[b"-U", b"--", input]).map(destination)
        else {
            panic!("refused: {}", input.escape_ascii());
        };
        let shown = address.to_string();
        assert_eq!(shown, escape(&shown));
        let longest = if input.starts_with(b"@") { 108 } else { 107 };
        match address.to_sock_addr() {
            Ok(kernels) => {
                assert!((1..=longest).contains(&input.len()));
                assert_eq!(Address::from(&kernels), address, "comes back as another");
            }
            Err(_) => assert!(input.is_empty() || input.len() > longest, "{address:?}"),
        }
    });
}

#[test]
fn groups() {
    let seeds = Seeds::of("groups", GROUP_WORDS);
    try_all!(seeds, |text: &[u8]| {
        let typed = [b"--join=", text].concat();
        let got = job(&[b"-lu", &typed, b"0"]).ok().map(|job| match job.mode {
            Mode::Listen(Listen { at: Place::Port { .. }, groups, .. }) => groups,
            other => panic!("{other:?}"),
        });
        let expected = str::from_utf8(text).ok().and_then(|text| {
            let mut parts = text.splitn(2, '%');
            let address: IpAddr = parts.next()?.parse().ok()?;
            let interface = parts.next();
            (address.is_multicast() && interface != Some("")).then_some((address, interface))
        });
        let got = got.as_deref().map(|groups| match groups {
            [group] => (group.address, group.interface.as_deref()),
            groups => panic!("{groups:?}"),
        });
        assert_eq!(got, expected, "{}", text.escape_ascii());
    });
}

#[test]
fn proxies() {
    leave_the_terminal();
    let seeds = Seeds::of("proxies", PROXY_WORDS);
    try_all!(seeds, |list: &[u8]| {
        let typed = [b"--proxy=", list].concat();
        let read = |typed: &[u8]| {
            job(&[typed, b"h", b"1"]).map(|job| match job.mode {
                Mode::Connect(Connect { route, .. }) => route.proxies,
                Mode::Scan(_) | Mode::Listen(_) => panic!("no connection"),
            })
        };
        let proxies = match read(&typed) {
            Ok(proxies) => proxies,
            // Any part of it may be a part of a password, so none of it is repeated.
            Err(line) => return assert!(PROXY_REFUSALS.contains(&&*line), "says {line}"),
        };
        let entries = list.split(|byte| *byte == b',').count();
        assert_eq!(proxies.len(), entries, "{}", list.escape_ascii());
        for proxy in proxies {
            let host = &proxy.host;
            let is_ipv6 = host.contains(':');
            assert!(is_ipv6 || HostName::new(host).is_ok(), "{host:?}");
            assert!(host.len() < 512 && escape(host) == *host, "{host:?}");
            assert_ne!(proxy.port, 0);
            // What was understood can be written so that it is understood again.
            let host = if is_ipv6 { format!("[{host}]") } else { host.clone() };
            let again = format!("--proxy={}://{host}:{}", scheme(proxy.kind), proxy.port);
            let again = read(again.as_bytes()).expect("understood");
            let [again] = &again[..] else { panic!("{again:?}") };
            assert_eq!(
                (again.kind, &again.host, again.port),
                (proxy.kind, &proxy.host, proxy.port)
            );
        }
    });
}

/// The ports of an operand.
fn range(operand: &[u8]) -> Option<RangeInclusive<u16>> {
    let port = |text| integer(text).and_then(|n| u16::try_from(n).ok()).filter(|n| *n > 0);
    let hyphen = operand.iter().position(|byte| *byte == b'-');
    match hyphen.filter(|_| operand[0].is_ascii_digit()) {
        Some(at) => {
            let (one, other) = (port(&operand[..at])?, port(&operand[at + 1..])?);
            Some(one.min(other)..=one.max(other))
        }
        None => port(operand).map(|port| port..=port),
    }
}

fn destination(job: Job) -> Destination {
    match job.mode {
        Mode::Connect(Connect { to, .. }) | Mode::Scan(Scan { to, .. }) => to,
        Mode::Listen(_) => panic!("listens"),
    }
}

fn scheme(kind: ProxyKind) -> &'static str {
    match kind {
        ProxyKind::Socks4 => "socks4",
        ProxyKind::Socks4a => "socks4a",
        ProxyKind::Socks5 => "socks5",
        ProxyKind::Http => "http",
    }
}

/// Everything that is ever said about a proxy that was typed wrongly.
const PROXY_REFUSALS: &[&str] = &[
    "proxy address is not valid UTF-8",
    "unsupported proxy protocol",
    "missing proxy host",
    "missing closing bracket in proxy",
    "garbage proxy port delimiter",
    "proxy host invalid",
    "proxy port invalid",
    "proxy port too small",
    "proxy port too large",
    "proxy user is not valid UTF-8",
    "proxy user or password has a % that is not %25",
    "Unable to read proxy passphrase",
];

const PORT_WORDS: &[&[u8]] = &[
    b"\0", b"1", b"80", b"65535", b"65536", b"0", b"-", b"1-3", b"3-1", b"+", b" ", b"http",
    b"\xff",
];

const VSOCK_WORDS: &[&[u8]] = &[
    b"\0",
    b"host",
    b"local",
    b"any",
    b"-1",
    b"0",
    b"1",
    b"4294967295",
    b"4294967296",
    b"+",
    b"-",
    b" ",
    b"\xff",
];

const UNIX_WORDS: &[&[u8]] = &[
    b"@",
    b"/",
    b".",
    b"/tmp/",
    b"name",
    b"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    b"\x1b",
    b"\xff",
    b"\xe2\x80\xae",
];

const GROUP_WORDS: &[&[u8]] = &[
    b"224.0.0.1",
    b"ff02::1",
    b"127.0.0.1",
    b"::ffff:224.0.0.1",
    b"%",
    b"lo",
    b".",
    b":",
    b"ff02::",
    b"1",
    b"\xff",
];

const PROXY_WORDS: &[&[u8]] = &[
    b"socks4://",
    b"socks4a://",
    b"socks5://",
    b"socks5h://",
    b"http://",
    b"://",
    b"joe",
    b"joe:secret@",
    b"@",
    b":",
    b",",
    b"/",
    b"[",
    b"]",
    b"[::1]",
    b"::1",
    b"fe80::1%lo",
    b"%41",
    b"%ff",
    b"%",
    b"h.example",
    b"h",
    b"1",
    b"80",
    b"65535",
    b"65536",
    b"0",
    b"http",
    b"\xff",
    b"\xe2\x80\xae",
    b" ",
];
