//! What proxies reply: the promises of [`Handshake`], for any bytes.

use std::net::Ipv4Addr;
use std::rc::Rc;

use pollcat::error::escape;
use pollcat::proto::{
    Credentials, Handshake, Host, HttpConnect, Progress, ProtocolError, Socks4, Socks5, Status,
    Target,
};

use crate::seeds::{Seeds, try_all, without_end};

#[test]
fn socks4() {
    let seeds = Seeds::of("socks4", SOCKS4_WORDS);
    let make = || Socks4::new(&by_address(), b"joe").expect("valid");
    reaches_every_end(&seeds, make, SOCKS);
    try_all!(seeds, |reply: &[u8]| _ = keeps_its_promises(make, reply, SOCKS));
}

#[test]
fn socks4a() {
    let seeds = Seeds::of("socks4a", SOCKS4_WORDS);
    let make = || Socks4::new_4a(&by_name(), b"").expect("valid");
    reaches_every_end(&seeds, make, SOCKS);
    try_all!(seeds, |reply: &[u8]| _ = keeps_its_promises(make, reply, SOCKS));
}

#[test]
fn socks5() {
    let seeds = Seeds::of("socks5", SOCKS5_WORDS);
    let make = || Socks5::new(&by_address(), None).expect("valid");
    reaches_every_end(&seeds, make, SOCKS);
    try_all!(seeds, |reply: &[u8]| _ = keeps_its_promises(make, reply, SOCKS));
}

#[test]
fn socks5_with_credentials() {
    let seeds = Seeds::of("socks5_with_credentials", SOCKS5_WORDS);
    let make = || Socks5::new(&by_name(), Some(joe())).expect("valid");
    reaches_every_end(&seeds, make, SOCKS);
    try_all!(seeds, |reply: &[u8]| _ = keeps_its_promises(make, reply, SOCKS));
}

#[test]
fn http_connect() {
    let seeds = Seeds::of("http_connect", HTTP_WORDS);
    let make = || HttpConnect::new(&by_name(), None, NONCE).expect("valid");
    reaches_every_end(&seeds, make, HTTP);
    try_all!(seeds, |reply: &[u8]| _ = keeps_its_promises(make, reply, HTTP));
}

#[test]
fn http_connect_with_credentials() {
    let seeds = Seeds::of("http_connect_with_credentials", HTTP_WORDS);
    let make = || HttpConnect::new(&by_name(), Some(joe()), NONCE).expect("valid");
    reaches_every_end(&seeds, make, HTTP);
    try_all!(seeds, |reply: &[u8]| _ = keeps_its_promises(make, reply, HTTP));
}

/// The corpus has to reach every kind of end: connected, refused, and not yet over.
fn reaches_every_end<H: Handshake>(seeds: &Seeds, make: impl Fn() -> H, bounds: Bounds) {
    let ends: Vec<_> =
        seeds.corpus().map(|reply| keeps_its_promises(&make, reply, bounds).end).collect();
    assert!(ends.contains(&Ok(Status::Done)) && ends.contains(&Ok(Status::Waiting)), "{ends:?}");
    assert!(ends.iter().any(Result::is_err), "{ends:?}");
}

/// What came of a dialogue.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    sent: Vec<u8>,
    /// How many bytes are not the peer's; 0 after an error, when it does not matter any more.
    consumed: usize,
    connections: usize,
    end: Result<Status, ProtocolError>,
    /// What it would mean that the proxy closes the connection now.
    at_eof: ProtocolError,
}

/// What a protocol may need.
#[derive(Clone, Copy)]
struct Bounds {
    /// The longest form for debugging: that of kept bytes has five characters for each at most.
    kept: usize,
    sent: usize,
    connections: usize,
    /// What is sent consists of lines of text.
    lines: bool,
}

fn keeps_its_promises<H: Handshake>(make: impl Fn() -> H, reply: &[u8], bounds: Bounds) -> Told {
    let whole = tell(&mut make(), reply, WHOLE, bounds);
    for size in [1, 3] {
        let cut = tell(&mut make(), reply, size, bounds);
        assert_eq!(cut, whole, "{} cut after {size}", reply.escape_ascii());
    }
    if let Some(long) = without_end(reply) {
        let cut = tell(&mut make(), &long, 1000, bounds);
        assert_eq!(cut, tell(&mut make(), &long, WHOLE, bounds));
    }
    whole
}

/// Lets the proxy say all of it in pieces of this size, until there is an end, and holds every call
/// against the contract. After a reconnection the rest is what the proxy says on the new one.
fn tell<H: Handshake>(handshake: &mut H, reply: &[u8], size: usize, bounds: Bounds) -> Told {
    let (mut sent, mut consumed, mut connections) = (Vec::new(), 0, 1);
    // A client speaks first.
    let mut piece = &b""[..];
    let end = loop {
        let sent_before = sent.len();
        let result = handshake.step(piece, &mut sent);
        assert!(!piece.is_empty() || sent.len() > sent_before, "nothing was asked");
        if let Ok(Progress { consumed: taken, .. }) = result {
            assert!(taken <= piece.len());
            consumed += taken;
        }
        let end = match &result {
            Ok(Progress { consumed: taken, status: Status::Waiting }) => {
                assert_eq!(*taken, piece.len(), "left something, and wants more");
                is_unmoved(handshake, b"", &result, &mut sent);
                let rest = &reply[consumed..];
                if !rest.is_empty() {
                    piece = &rest[..rest.len().min(size)];
                    continue;
                }
                Ok(Status::Waiting)
            }
            Ok(Progress { status, .. }) => Ok(*status),
            Err(error) => Err(error.clone()),
        };
        if end != Ok(Status::Waiting) {
            is_unmoved(handshake, b"more\r\n\r\n", &result, &mut sent);
        }
        let kept = format!("{handshake:?}").len();
        assert!(kept <= bounds.kept, "keeps {kept}");
        if end != Ok(Status::Reconnect) {
            break end;
        }
        handshake.restart();
        (connections, piece) = (connections + 1, b"");
    };
    if let Err(error) = &end {
        consumed = 0;
        is_fit_to_be_shown(&error.to_string());
    }
    assert!(connections <= bounds.connections, "connects {connections} times");
    assert!(sent.len() <= bounds.sent, "sends {}", sent.len());
    if bounds.lines {
        are_requests(&sent, connections);
    }
    let at_eof = handshake.at_eof();
    is_fit_to_be_shown(&at_eof.to_string());
    // After an error it may count differently, and nobody asks.
    let at_eof = end.clone().err().unwrap_or(at_eof);
    Told { sent, consumed, connections, end, at_eof }
}

/// A further call consumes nothing, sends nothing and says the same again.
fn is_unmoved<H: Handshake>(
    handshake: &mut H,
    input: &[u8],
    result: &Result<Progress, ProtocolError>,
    sent: &mut Vec<u8>,
) {
    let sent_before = sent.len();
    let again = handshake.step(input, sent);
    let expected = result.clone().map(|Progress { status, .. }| Progress { consumed: 0, status });
    assert_eq!(again, expected, "does not stay so");
    assert_eq!(sent.len(), sent_before, "goes on sending");
}

fn is_fit_to_be_shown(text: &str) {
    assert!(!text.is_empty() && escape(text) == text, "{text:?}");
    assert!(text.len() <= LONGEST_TEXT, "{} bytes: {text}", text.len());
}

/// One request a connection, with an answer to a challenge in all but the first; whatever the proxy
/// wrote into its challenge, no other line.
fn are_requests(sent: &[u8], connections: usize) {
    let text = String::from_utf8_lossy(sent);
    let mut lines = text.split("\r\n");
    for connection in 0..connections {
        assert_eq!(lines.next(), Some("CONNECT h.example:80 HTTP/1.0"));
        if connection > 0 {
            let answer = lines.next().and_then(|line| line.strip_prefix("Proxy-Authorization: "));
            let answer = answer.expect("an answer");
            assert!(answer.starts_with("Basic ") || answer.starts_with("Digest "), "{answer:?}");
            assert!(!answer.contains(|c: char| c.is_ascii_control() && c != '\t'), "{answer:?}");
        }
        assert_eq!(lines.next(), Some(""));
    }
    assert_eq!((lines.next(), lines.next()), (Some(""), None), "{text:?}");
}

fn by_address() -> Target {
    Target { host: Host::V4(Ipv4Addr::new(192, 0, 2, 1)), port: 80 }
}

fn by_name() -> Target {
    Target { host: Host::parse("h.example").expect("a name"), port: 80 }
}

fn joe() -> Rc<Credentials> {
    Rc::new(Credentials::new(b"joe", b"se\"cret"))
}

/// In one piece.
const WHOLE: usize = usize::MAX;

/// A reply is read in parts, of which the longest has 257 bytes.
const SOCKS: Bounds = Bounds { kept: 2048, sent: 64, connections: 1, lines: false };

/// A head of 16 KiB, and the challenge of the one before. The answer to that has two bytes for some of
/// its bytes.
const HTTP: Bounds = Bounds {
    kept: 2 * 5 * 16 * 1024 + 2048,
    sent: 3 * (2 * 16 * 1024 + 1024),
    connections: 4,
    lines: true,
};

/// The proxy's line is cut at 200 bytes.
const LONGEST_TEXT: usize = 256;

const NONCE: [u8; 16] = [7; 16];

const SOCKS4_WORDS: &[&[u8]] = &[b"\x00", b"\x5a", b"\x5b", b"\x04", b"\x00\x5a", b"abcdef"];

const SOCKS5_WORDS: &[&[u8]] = &[
    b"\x05\x00",
    b"\x05\x02",
    b"\x01\x00",
    b"\x05\x00\x00\x01",
    b"\x05\x00\x00\x03",
    b"\x05\x00\x00\x04",
    b"\x00",
    b"\xff",
    b"abcdef",
];

const HTTP_WORDS: &[&[u8]] = &[
    b"HTTP/1.0 200 OK\r\n",
    b"HTTP/1.1 407 No\r\n",
    b"HTTP/1.1 ",
    b"407",
    b"200",
    b" ",
    b"\r",
    b"\n",
    b"\r\n",
    b"\r\n",
    b"\r\n\r\n",
    b"Proxy-Authenticate: Basic realm=\"x\"\r\n",
    b"Proxy-Authenticate: Digest ",
    b"proxy-authenticate:",
    b"realm=\"a\", nonce=\"b\"",
    b"realm=",
    b"nonce=",
    b"opaque=",
    b"algorithm=",
    b"SHA-256",
    b"MD5-sess",
    b"qop=\"auth,auth-int\"",
    b"qop=auth",
    b"stale=true",
    b"\"",
    b"\\",
    b",",
    b"=",
    b":",
    b"\t",
    b"\x1b[31m",
    b"\xc2\x9b",
    b"\xe2\x80\xae",
    b"\x7f",
    b"\xff",
    b"abcdefghijklmnopqrstuvwxyz",
];
