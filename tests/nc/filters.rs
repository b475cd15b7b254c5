//! What stands between stdin, stdout and the wire: `-C`, `-t`, `-i`.

use std::io::{Read, Write};
use std::os::unix::net::UnixDatagram;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::ends::packet_pipe;
use crate::support::strace::Trace;
use crate::support::{DEADLINE, Datagrams, Nc, Peer, Running, Server, noise, uninterrupted};

/// A client, and the test's end of its connection.
#[track_caller]
fn connected(options: &str) -> (Running, Peer) {
    let server = Server::start();
    let nc = Nc::new(format!("{options} 127.0.0.1 {}", server.port())).start();
    (nc, server.accepts())
}

#[test]
fn crlf_ends_each_line_once() {
    let (mut nc, mut peer) = connected("-C");
    nc.types(b"a\nb\r\n\n\r\rc\n\nlast");
    peer.receives(b"a\r\nb\r\n\r\n\r\rc\r\n\r\nlast");
}

#[test]
fn crlf_is_right_across_reads() {
    let (mut nc, mut peer) = connected("-C -N");
    nc.types(b"a\r");
    peer.receives(b"a\r");
    nc.types(b"\nb");
    peer.receives(b"\nb");
    nc.types(b"\n");
    peer.receives(b"\r\n");
    nc.types(b"\r");
    nc.types(b"\r");
    peer.receives(b"\r\r");
    nc.types(b"\n\n");
    peer.receives(b"\n\r\n");
    nc.ends_input();
    peer.receives_eof();
}

#[test]
fn crlf_holds_for_a_listener_and_leaves_what_comes_alone() {
    let (mut nc, port) = Nc::new("-l -C").listens();
    let mut peer = Peer::connect(port);
    peer.sends(b"a\nb\r\nc");
    nc.shows(b"a\nb\r\nc");
    nc.types(b"x\n");
    peer.receives(b"x\r\n");
}

#[test]
fn crlf_of_a_large_stdin_is_right_everywhere() {
    // Every fourth byte a CR or an LF: every boundary of every buffer is met.
    let letters = b"\r\nab";
    let payload: Vec<u8> =
        noise(330, 1 << 20).into_iter().map(|byte| letters[usize::from(byte % 4)]).collect();
    let mut expected = Vec::new();
    let mut before = 0;
    for &byte in &payload {
        if byte == b'\n' && before != b'\r' {
            expected.push(b'\r');
        }
        expected.push(byte);
        before = byte;
    }
    let (mut nc, mut peer) = connected("-C -N");
    nc.types_all(payload);
    peer.receives(&expected);
    peer.receives_eof();
}

#[test]
#[ignore = "needs strace"]
fn crlf_is_one_write_with_its_line() {
    let server = Server::start();
    let (stdin, mut packets) = packet_pipe();
    let nc = Nc::new(format!("-C -N 127.0.0.1 {}", server.port())).stdin(stdin);
    let (nc, trace) = Trace::of(nc, "sendto,send,write,writev,sendmsg");
    let nc = nc.start();
    let mut peer = server.accepts();
    for line in ["one\n", "two\n"] {
        packets.write_all(line.as_bytes()).unwrap();
        peer.receives(line.replace('\n', "\r\n").as_bytes());
    }
    drop(packets);
    peer.receives_eof();
    drop(peer);
    nc.ends().exits(0);
    let calls = trace.calls();
    for line in ["one", "two"] {
        let whole = format!("\"{line}\\r\\n\"");
        assert_eq!(calls.iter().filter(|call| call.contains(&whole)).count(), 1, "{calls:#?}");
    }
    assert!(!calls.iter().any(|call| call.contains("\"\\r\\n\"")), "{calls:#?}");
}

#[test]
fn telnet_is_refused_and_kept_from_stdout() {
    let (mut nc, mut peer) = connected("-t");
    peer.sends(&[b"a", &[IAC, DO, 1][..], b"b", &[IAC, WILL, 3], b"c"].concat());
    peer.receives(&[IAC, WONT, 1, IAC, DONT, 3]);
    nc.shows(b"abc");
    peer.sends(&[IAC, WONT, 5, IAC, DONT, 6, IAC, DO, 255, IAC, WILL, 0]);
    peer.receives(&[IAC, DONT, 5, IAC, WONT, 6, IAC, WONT, 255, IAC, DONT, 0]);
    nc.types(b"hello");
    peer.receives(b"hello");
    nc.shows(b"abc");
}

#[test]
fn a_telnet_listener_refuses_too() {
    let (nc, port) = Nc::new("-l -t").listens();
    let mut peer = Peer::connect(port);
    peer.sends(&[b"x", &[IAC, DO, 24][..]].concat());
    peer.receives(&[IAC, WONT, 24]);
    nc.shows(b"x");
}

#[test]
fn a_telnet_command_may_come_in_pieces() {
    let (mut nc, mut peer) = connected("-t");
    for piece in [&[b'a', IAC][..], &[DO], &[1, b'b'], &[IAC], &[WILL, 3]] {
        peer.sends(piece);
        peer.is_acknowledged();
        nc.settles();
    }
    peer.receives(&[IAC, WONT, 1, IAC, DONT, 3]);
    nc.shows(b"ab");
    nc.settles();
    peer.has_received_nothing();
}

#[test]
fn telnet_data_and_subnegotiations() {
    let (mut nc, mut peer) = connected("-t");
    for piece in [
        &[b'a', IAC, IAC, b'b'][..],
        &[IAC],
        &[IAC, b'c', IAC, NOP, b'd'],
        &[IAC, SB, 24, 1, b'X', IAC],
        &[IAC, b'X', IAC],
        &[SE, b'e'],
    ] {
        peer.sends(piece);
        peer.is_acknowledged();
        nc.settles();
    }
    nc.shows(b"a\xffb\xffcde");
    peer.has_received_nothing();
}

#[test]
fn telnet_ends_inside_a_command() {
    for end in [&[IAC][..], &[IAC, DO], &[IAC, SB, 1, 2]] {
        let (mut nc, mut peer) = connected("-t");
        nc.ends_input();
        peer.sends(&[b"text", end].concat());
        peer.finishes();
        nc.ends().exits(0).showed(b"text").said_nothing();
        peer.receives_eof();
    }
}

#[test]
fn telnet_survives_a_flood_of_commands() {
    let flood: Vec<u8> = noise(331, 200_000)
        .into_iter()
        .zip(noise(332, 200_000))
        .map(|(byte, coin)| if coin % 2 == 0 { IAC } else { byte })
        .collect();
    let (mut nc, peer) = connected("-t");
    nc.ends_input();
    let mut reader = peer.stream.try_clone().unwrap();
    let answers = thread::spawn(move || {
        let mut all = Vec::new();
        reader.read_to_end(&mut all).unwrap();
        all
    });
    let mut peer = peer;
    peer.sends(&flood);
    peer.finishes();
    nc.ends().exits(0).said_nothing();
    let answers = answers.join().unwrap();
    assert!(answers.len() <= 2 * flood.len(), "{} bytes of answers", answers.len());
    for answer in answers.chunks(3) {
        let legal = matches!(answer, [IAC, DONT | WONT, _]);
        assert!(legal, "{answer:?}");
    }
}

#[test]
fn an_interval_keeps_lines_apart_and_nothing_else() {
    let (mut nc, mut peer) = connected("-i 2");
    let begun = Instant::now();
    nc.types(b"one\ntwo\n");
    peer.receives(b"one\n");
    peer.sends(b"meanwhile");
    nc.shows(b"meanwhile");
    peer.sends(b", twice");
    nc.shows(b"meanwhile, twice");
    let quick = begun.elapsed() < Duration::from_secs(2);
    assert!(quick, "receiving waited for the line: {:?}", begun.elapsed());
    peer.receives(b"two\n");
    assert!(begun.elapsed() >= Duration::from_secs(2), "{:?}", begun.elapsed());
}

#[test]
fn an_interval_is_between_all_lines() {
    let (mut nc, mut peer) = connected("-N -i 0.3");
    let begun = Instant::now();
    nc.types(b"one\ntwo\nthree\nend");
    nc.ends_input();
    for (number, line) in (0_u32..).zip([&b"one\n"[..], b"two\n", b"three\n", b"end"]) {
        peer.receives(line);
        assert!(begun.elapsed() >= Duration::from_millis(300) * number, "{:?}", begun.elapsed());
    }
    peer.receives_eof();
    drop(peer);
    nc.ends().exits(0).said_nothing();
}

#[test]
fn an_interval_is_no_idleness() {
    let (mut nc, mut peer) = connected("-N -i 0.6 -w 0.2");
    nc.types(b"one\ntwo\nthree\n");
    nc.ends_input();
    peer.receives(b"one\ntwo\nthree\n");
    peer.receives_eof();
    drop(peer);
    nc.ends().exits(0).said_nothing();
}

#[test]
fn an_interval_of_a_listener_and_with_crlf() {
    let (mut nc, port) = Nc::new("-l -C -i 300ms").listens();
    let mut peer = Peer::connect(port);
    let begun = Instant::now();
    nc.types(b"one\ntwo\n");
    peer.receives(b"one\r\n");
    peer.receives(b"two\r\n");
    assert!(begun.elapsed() >= Duration::from_millis(300), "{:?}", begun.elapsed());
}

#[test]
fn an_interval_makes_each_line_a_datagram() {
    let peer = Datagrams::bind();
    let mut nc = Nc::new(format!("-u -i 0.3 127.0.0.1 {}", peer.port())).start();
    let begun = Instant::now();
    nc.types(b"one\ntwo\n");
    peer.receives(b"one\n");
    peer.receives(b"two\n");
    assert!(begun.elapsed() >= Duration::from_millis(300), "{:?}", begun.elapsed());
}

#[test]
fn an_interval_is_between_ports_too() {
    let (one, two) = (Server::start(), Server::start());
    let begun = Instant::now();
    let args = format!("-d -i 0.5 127.0.0.1 {} {}", one.port(), two.port());
    let nc = Nc::new(args).start();
    drop(one.accepts());
    drop(two.accepts());
    assert!(begun.elapsed() >= Duration::from_millis(500), "{:?}", begun.elapsed());
    nc.ends().exits(0).said_nothing();
}

#[test]
fn lines_of_a_datagram_socket_in_the_file_system_are_kept_apart_too() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("peer");
    let peer = UnixDatagram::bind(&path).unwrap();
    peer.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut nc = Nc::new("-u -U -i 0.3").arg(&path).env("TMPDIR", dir.path()).start();
    let begun = Instant::now();
    nc.types(b"one\ntwo\n");
    let mut bytes = [0; 64];
    for line in [&b"one\n"[..], b"two\n"] {
        let count = uninterrupted(|| peer.recv(&mut bytes)).unwrap();
        assert_eq!(&bytes[..count], line);
    }
    assert!(begun.elapsed() >= Duration::from_millis(300), "{:?}", begun.elapsed());
}

const SE: u8 = 240;
const NOP: u8 = 241;
const SB: u8 = 250;
const WILL: u8 = 251;
const WONT: u8 = 252;
const DO: u8 = 253;
const DONT: u8 = 254;
const IAC: u8 = 255;
