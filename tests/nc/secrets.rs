//! Passwords, once they have served: nowhere in the program's memory, so in no core dump either.
//!
//! What stands on the command line or in the environment is in pages that the parent has filled and that
//! the program cannot clear; these tests give it in a file.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};

use rustix::process::Pid;
use tempfile::NamedTempFile;

use crate::support::proxies::{
    HTTP_GRANT, PORT, Round, SOCKS5_GRANT, challenge, hears_head, plays, socks5_request,
};
use crate::support::{Nc, Peer, Running, Server};

const PASSWORD: &str = "correct horse battery";

/// `joe:correct horse battery` as Basic sends it.
const BASIC: &str = "am9lOmNvcnJlY3QgaG9yc2UgYmF0dGVyeQ==";

#[test]
fn a_password_is_forgotten_when_socks_has_heard_it() {
    let server = Server::start();
    let (nc, _file) = with_password("5", &server);
    let mut peer = server.accepts();
    let hello = [Round::new(b"\x05\x02\x00\x02", b"\x05\x02")];
    plays(&mut peer, &hello);
    assert_remembers(nc.pid(), "it is known as long as it may be wanted");
    let question = [b"\x01\x03joe\x15", PASSWORD.as_bytes()].concat();
    let rest = [
        Round::new(question, b"\x01\x00"),
        Round::new(socks5_request("h.example", PORT), SOCKS5_GRANT),
    ];
    plays(&mut peer, &rest);
    is_forgotten(nc, peer);
}

#[test]
fn a_password_is_forgotten_when_http_has_heard_it() {
    for challenges in [
        "Proxy-Authenticate: Basic realm=\"r\"",
        "Proxy-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"",
        "Proxy-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\", algorithm=SHA-256",
    ] {
        let server = Server::start();
        let (nc, _file) = with_password("connect", &server);
        let mut peer = server.accepts();
        hears_head(&mut peer);
        assert_remembers(nc.pid(), "it is known as long as it may be wanted");
        peer.sends(&challenge(challenges));
        let mut peer = server.accepts();
        let head = hears_head(&mut peer);
        assert!(head.contains("Proxy-Authorization: "), "{head}");
        peer.sends(HTTP_GRANT);
        is_forgotten(nc, peer);
    }
}

/// More than one port: it will be wanted again, but no longer than that.
#[test]
fn a_password_is_kept_for_the_ports_to_come() {
    let server = Server::start();
    let file = password_file();
    let args = format!("-x 127.0.0.1:{} -P joe --proxy-auth-file", server.port());
    let nc = Nc::new(args).arg(file.path()).arg("h.example").arg(format!("{PORT}-{}", PORT + 1));
    let mut nc = nc.stdin_null().start();
    let mut peer = None;
    for port in [PORT, PORT + 1] {
        drop(peer.take());
        let mut next = server.accepts();
        let rounds = [
            Round::new(b"\x05\x02\x00\x02", b"\x05\x02"),
            Round::new([b"\x01\x03joe\x15", PASSWORD.as_bytes()].concat(), b"\x01\x00"),
            Round::new(socks5_request("h.example", port), SOCKS5_GRANT),
        ];
        plays(&mut next, &rounds);
        next.sends(b"payload");
        nc.shows(if port == PORT { b"payload" } else { b"payloadpayload" });
        nc.settles();
        assert_eq!(finds(nc.pid(), PASSWORD).is_empty(), port != PORT, "port {port}");
        peer = Some(next);
    }
}

fn password_file() -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    writeln!(file, "{PASSWORD}").unwrap();
    file
}

fn with_password(kind: &str, server: &Server) -> (Running, NamedTempFile) {
    let file = password_file();
    let args = format!("-x 127.0.0.1:{} -X {kind} -P joe --proxy-auth-file", server.port());
    let nc = Nc::new(args).arg(file.path()).arg("h.example").arg(PORT.to_string());
    (nc.start(), file)
}

/// The search finds what is there: or finding nothing would mean nothing.
#[track_caller]
fn assert_remembers(pid: Pid, why: &str) {
    assert!(!finds(pid, PASSWORD).is_empty(), "{why}");
}

#[track_caller]
fn is_forgotten(mut nc: Running, mut peer: Peer) {
    peer.sends(b"payload");
    nc.shows(b"payload");
    nc.settles();
    for secret in [PASSWORD, &BASIC[..16], &BASIC[8..32]] {
        let found = finds(nc.pid(), secret);
        assert!(found.is_empty(), "{secret:?} is in {found:?}");
    }
    drop(peer);
    drop(nc);
}

/// Where in the writable memory of a process some bytes are, as its map names the places.
#[track_caller]
fn finds(pid: Pid, bytes: &str) -> Vec<String> {
    let folder = format!("/proc/{}", pid.as_raw_nonzero());
    let maps = fs::read_to_string(format!("{folder}/maps")).expect("the process is gone");
    let mut memory = File::open(format!("{folder}/mem")).expect("a child's memory");
    let mut found = Vec::new();
    let mut searched = 0;
    for line in maps.lines() {
        let mut words = line.split_whitespace();
        let (range, rights) = (words.next().unwrap(), words.next().unwrap());
        if !rights.starts_with("rw") {
            continue;
        }
        let (from, to) = range.split_once('-').unwrap();
        let [from, to] = [from, to].map(|at| u64::from_str_radix(at, 16).unwrap());
        let mut content = vec![0; usize::try_from(to - from).unwrap()];
        memory.seek(SeekFrom::Start(from)).unwrap();
        if memory.read_exact(&mut content).is_err() {
            continue;
        }
        searched += content.len();
        let places = content.windows(bytes.len()).enumerate();
        for (at, _) in places.filter(|(_, window)| *window == bytes.as_bytes()) {
            found.push(format!("{:x} of {line}", from + at as u64));
        }
    }
    assert!(searched > 100_000, "only {searched} bytes were searched");
    found
}
