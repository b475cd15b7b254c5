//! Proxies in the test's own hands: what each kind is asked, byte by byte, and what it answers.
//!
//! A scripted proxy is a [`Server`] whose connection [`plays`] a dialogue; when that is over, the same
//! connection is the destination. So a chain of proxies is one dialogue after another.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::thread;
use std::time::Instant;

use sha2::Digest;

use super::{DEADLINE, Nc, Noise, Peer, Running, Same, Server, kernel, uninterrupted};

/// What proxies speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Socks4,
    Socks4a,
    Socks5,
    Http,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Socks4, Self::Socks4a, Self::Socks5, Self::Http];

    /// As `-X` calls it.
    pub(crate) fn option(self) -> &'static str {
        match self {
            Self::Socks4 => "4",
            Self::Socks4a => "4a",
            Self::Socks5 => "5",
            Self::Http => "connect",
        }
    }

    /// As URLs call it.
    pub(crate) fn scheme(self) -> &'static str {
        match self {
            Self::Socks4 => "socks4",
            Self::Socks4a => "socks4a",
            Self::Socks5 => "socks5",
            Self::Http => "http",
        }
    }

    /// A host that it can be asked for without anybody looking a name up: a name if it takes names.
    pub(crate) fn host(self) -> &'static str {
        match self {
            Self::Socks4 => "192.0.2.1",
            _ => "h.example",
        }
    }

    /// Without users and passwords.
    #[track_caller]
    pub(crate) fn dialogue(self, host: &str, port: u16) -> Vec<Round> {
        match self {
            Self::Socks4 | Self::Socks4a => {
                vec![Round::new(socks4_request("", host, port), SOCKS4_GRANT)]
            }
            Self::Socks5 => vec![
                Round::new(b"\x05\x01\x00", b"\x05\x00"),
                Round::new(socks5_request(host, port), SOCKS5_GRANT),
            ],
            Self::Http => vec![Round::new(connect_request(host, port, ""), HTTP_GRANT)],
        }
    }
}

/// One question and its answer.
#[derive(Clone, Debug)]
pub(crate) struct Round {
    pub(crate) asked: Vec<u8>,
    pub(crate) answer: Vec<u8>,
}

impl Round {
    pub(crate) fn new(asked: impl Into<Vec<u8>>, answer: &[u8]) -> Self {
        Self { asked: asked.into(), answer: answer.to_vec() }
    }
}

/// An address, or a name for version 4a.
#[track_caller]
pub(crate) fn socks4_request(user: &str, host: &str, port: u16) -> Vec<u8> {
    let (address, name) = match host.parse::<Ipv4Addr>() {
        Ok(address) => (address.octets(), Vec::new()),
        Err(_) => ([0, 0, 0, 1], [host.as_bytes(), b"\0"].concat()),
    };
    [b"\x04\x01", &port.to_be_bytes()[..], &address, user.as_bytes(), b"\0", &name].concat()
}

#[track_caller]
pub(crate) fn socks5_request(host: &str, port: u16) -> Vec<u8> {
    let to = if let Ok(address) = host.parse::<Ipv4Addr>() {
        [&[1][..], &address.octets()].concat()
    } else if let Ok(address) = host.parse::<Ipv6Addr>() {
        [&[4][..], &address.octets()].concat()
    } else {
        let length = u8::try_from(host.len()).expect("a name of at most 255 bytes");
        [&[3, length], host.as_bytes()].concat()
    };
    [b"\x05\x01\x00", &to[..], &port.to_be_bytes()].concat()
}

/// `headers` are lines with their CR LF.
pub(crate) fn connect_request(host: &str, port: u16, headers: &str) -> Vec<u8> {
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    format!("CONNECT {host}:{port} HTTP/1.0\r\n{headers}\r\n").into_bytes()
}

/// The program on its way through one proxy of a kind, to [`PORT`] of a host.
#[track_caller]
pub(crate) fn through(kind: Kind, proxy: &Server, options: &str, host: &str) -> Nc {
    let (port, kind) = (proxy.port(), kind.option());
    Nc::new(format!("-x 127.0.0.1:{port} -X {kind} {options}")).arg(host).arg(PORT.to_string())
}

/// Asks for nothing but what the rounds say, and answers.
#[track_caller]
pub(crate) fn plays(peer: &mut Peer, rounds: &[Round]) {
    for Round { asked, answer } in rounds {
        peer.receives(asked);
        peer.sends(answer);
    }
}

/// All questions but the last answered; the last answer is for the test to give.
#[track_caller]
pub(crate) fn plays_up_to_the_last_answer(peer: &mut Peer, rounds: &[Round]) -> Vec<u8> {
    let (last, before) = rounds.split_last().expect("a dialogue");
    plays(peer, before);
    peer.receives(&last.asked);
    last.answer.clone()
}

/// Sends pieces of this size, each when the program has done with the one before and sleeps again.
#[track_caller]
pub(crate) fn drips(nc: &Running, peer: &mut Peer, bytes: &[u8], size: usize) {
    peer.stream.set_nodelay(true).expect("TCP_NODELAY");
    for piece in bytes.chunks(size) {
        let (before, begun) = (kernel::sleeps(nc.pid()), Instant::now());
        peer.sends(piece);
        while kernel::sleeps(nc.pid()) == before {
            assert!(begun.elapsed() < DEADLINE, "nothing was read");
            // There are thousands of pieces: the usual pause would be too long.
            thread::yield_now();
        }
    }
}

/// A request up to its empty line.
#[track_caller]
pub(crate) fn hears_head(peer: &mut Peer) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        let count = uninterrupted(|| peer.stream.read(&mut byte)).expect("a request");
        assert_eq!(count, 1, "an end of file after {:?}", head.escape_ascii().to_string());
        head.push(byte[0]);
    }
    String::from_utf8(head).expect("a request in ASCII")
}

/// What else comes before the connection is gone, by an end of file or by a reset.
#[track_caller]
pub(crate) fn hears_the_rest(peer: &mut Peer) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Err(error) = peer.stream.read_to_end(&mut bytes) {
        assert_eq!(error.kind(), ErrorKind::ConnectionReset, "the connection still stands");
    }
    bytes
}

/// Nobody has connected, or tried to.
#[track_caller]
pub(crate) fn was_left_alone(server: &Server) {
    server.listener().set_nonblocking(true).expect("O_NONBLOCK");
    let waiting = server.listener().accept();
    server.listener().set_nonblocking(false).expect("O_NONBLOCK");
    assert_eq!(waiting.expect_err("a connection").kind(), ErrorKind::WouldBlock);
}

/// A reply that asks for credentials, with a page for people behind it.
pub(crate) fn challenge(headers: &str) -> Vec<u8> {
    let page = "<p>Who are you?</p>".repeat(100);
    let length = page.len();
    format!("HTTP/1.1 407 Who?\r\n{headers}\r\nContent-Length: {length}\r\n\r\n{page}").into_bytes()
}

/// A parameter of the `Digest` credentials of a request, without its quotes.
#[track_caller]
pub(crate) fn parameter<'a>(head: &'a str, name: &str) -> &'a str {
    optional_parameter(head, name).unwrap_or_else(|| panic!("no {name} in {head}"))
}

pub(crate) fn optional_parameter<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let line = head.lines().find_map(|line| line.strip_prefix("Proxy-Authorization: Digest "))?;
    let mut parameters = line.split(", ").filter_map(|parameter| parameter.split_once('='));
    parameters.find(|(its, _)| *its == name).map(|(_, value)| value.trim_matches('"'))
}

/// In hexadecimal, of the parts with a colon between each two: RFC 7616 is made of it.
pub(crate) fn hash<H: Digest>(parts: &[&str]) -> String {
    let digest = H::digest(parts.join(":"));
    digest.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

/// Noise both ways at once, and the end only when all of it has arrived: many proxies take the end of
/// one direction for the end of both. The program runs with a stdout that nobody reads.
#[track_caller]
pub(crate) fn exchanges(mut nc: Running, peer: Peer, size: u64) -> super::Finished {
    let (mut stdin, mut stdout) = (nc.take_stdin(), nc.take_stdout());
    thread::scope(|scope| {
        let (stdin, stdout, stream) = (&mut stdin, &mut stdout, &peer.stream);
        let copies = [
            scope.spawn(move || io::copy(&mut Noise::new(500).take(size), stdin)),
            scope.spawn(move || io::copy(&mut Noise::new(501).take(size), &mut &*stream)),
            scope.spawn(move || io::copy(&mut stdout.take(size), &mut Same::new(501))),
        ];
        let received = io::copy(&mut stream.take(size), &mut Same::new(500));
        assert_eq!(received.expect("the peer's end"), size);
        for copy in copies {
            assert_eq!(copy.join().expect("the same bytes").expect("all is taken"), size);
        }
    });
    drop((stdin, peer));
    assert_eq!(stdout.read(&mut [0]).expect("our end of a pipe"), 0, "more than was sent");
    nc.ends()
}

/// A word each way over a connection that stands, then the end from both sides.
#[track_caller]
pub(crate) fn converses(mut nc: Running, mut peer: Peer) -> super::Finished {
    peer.sends(b"from the peer");
    nc.shows(b"from the peer");
    nc.types(b"from stdin");
    peer.receives(b"from stdin");
    nc.ends_input();
    drop(peer);
    nc.ends()
}

/// Keeps writing until the program has had enough of it; gives how much went in.
pub(crate) fn floods(peer: &mut Peer, start: &[u8], piece: &[u8], most: usize) -> usize {
    let mut sent = 0;
    if peer.stream.write_all(start).is_err() {
        return sent;
    }
    while sent < most && peer.stream.write_all(piece).is_ok() {
        sent += piece.len();
    }
    sent
}

/// The destination's port. Nobody connects to it: proxies of our own are only asked to.
pub(crate) const PORT: u16 = 4004;

pub(crate) const SOCKS4_GRANT: &[u8] = b"\x00\x5a\x01\x02\x03\x04\x05\x06";

pub(crate) const SOCKS5_GRANT: &[u8] = b"\x05\x00\x00\x01\x7f\x00\x00\x01\x0f\xa4";

pub(crate) const HTTP_GRANT: &[u8] = b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n";
