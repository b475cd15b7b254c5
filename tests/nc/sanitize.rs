//! `--sanitize`: a terminal is shown what it would obey, and whoever is no terminal gets every byte.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::event::PollFlags;

use crate::support::ends::Pty;
use crate::support::peer::ready;
use crate::support::{DEADLINE, Datagrams, Nc, Peer, Role, noise, watch};

/// The side of a terminal that a person looks at, which shows line feeds as they are.
struct Screen(File);

impl Screen {
    /// A screen, and the descriptor of its terminal.
    fn new() -> (Self, OwnedFd) {
        let Pty { master, terminal } = Pty::verbatim();
        (Self(master.into()), terminal)
    }

    #[track_caller]
    fn shows(&mut self, expected: &[u8]) {
        let mut seen = Vec::new();
        let mut piece = [0; 4096];
        while seen.len() < expected.len() {
            let readable = ready(&self.0, PollFlags::IN, DEADLINE);
            assert!(readable, "only {}", seen.escape_ascii());
            let n = self.0.read(&mut piece).unwrap();
            seen.extend(&piece[..n]);
        }
        assert_eq!(seen.escape_ascii().to_string(), expected.escape_ascii().to_string());
    }

    /// Nothing more, within a while.
    #[track_caller]
    fn shows_no_more(&self) {
        let limit = Duration::from_millis(200);
        assert!(!ready(&self.0, PollFlags::IN, limit));
    }
}

const HOSTILE: &[u8] = b"a\tb\r\nc\x1b]0;title\x07\rd\x9b1m\xc2\x9b\xe2\x80\xae\xe2\x98\x83\xff\n";
const SHOWN: &str = "a\tb\r\nc\\x1b]0;title\\x07\\x0dd\\x9b1m\\u{9b}\\u{202e}☃\\xff\n";

#[test]
fn a_terminal_gets_nothing_to_obey_in_either_role() {
    for role in Role::BOTH {
        let (mut screen, terminal) = Screen::new();
        let (nc, mut peer) = role.start("--sanitize", |nc| nc.stdout(terminal).stdin_null());
        peer.sends(HOSTILE);
        screen.shows(SHOWN.as_bytes());
        peer.finishes();
        nc.ends().exits(0).complained_of_nothing();
    }
}

#[test]
fn a_character_may_come_in_pieces_and_the_end_shows_what_is_left() {
    let (mut screen, terminal) = Screen::new();
    let (mut nc, mut peer) = Role::Client.start("--sanitize", |nc| nc.stdout(terminal));
    for byte in "☃\u{202e}".as_bytes() {
        peer.sends(&[*byte]);
        peer.is_acknowledged();
        nc.settles();
    }
    screen.shows("☃\\u{202e}".as_bytes());
    peer.sends(b"\xf0\x9f\x98");
    screen.shows_no_more();
    peer.finishes();
    nc.ends_input();
    screen.shows(b"\\xf0\\x9f\\x98");
    nc.ends().exits(0).said_nothing();
}

#[test]
fn without_it_a_terminal_gets_every_byte() {
    let (mut screen, terminal) = Screen::new();
    let (_nc, mut peer) = Role::Client.start("", |nc| nc.stdout(terminal));
    peer.sends(HOSTILE);
    screen.shows(HOSTILE);
}

#[test]
fn what_is_no_terminal_gets_every_byte() {
    let payload = noise(340, 300_000);
    for role in Role::BOTH {
        // A pipe.
        let (nc, mut peer) = role.start("--sanitize", Nc::stdin_null);
        peer.sends(&payload);
        peer.finishes();
        nc.ends().exits(0).showed(&payload);
        // A file, while stdin is a terminal.
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("got");
        let file = File::create(&path).unwrap();
        let (_screen, terminal) = Screen::new();
        let (nc, mut peer) = role.start("--sanitize", |nc| nc.stdin(terminal).stdout(file));
        peer.sends(&payload);
        peer.finishes();
        drop(peer);
        nc.ends().exits(0);
        assert!(std::fs::read(&path).unwrap() == payload);
    }
}

#[test]
fn what_is_sent_is_left_alone() {
    let (_screen, terminal) = Screen::new();
    let (mut nc, mut peer) = Role::Client.start("--sanitize -N", |nc| nc.stdout(terminal));
    nc.types(HOSTILE);
    nc.ends_input();
    peer.receives(HOSTILE);
    peer.receives_eof();
}

#[test]
fn telnet_is_taken_out_first() {
    let (mut screen, terminal) = Screen::new();
    let (_nc, mut peer) = Role::Client.start("-t --sanitize", |nc| nc.stdout(terminal));
    peer.sends(b"a\xe2\xff\xfd\x01\x98\x83\x1b\xff\xff\n");
    peer.receives(b"\xff\xfc\x01");
    screen.shows("a☃\\x1b\\xff\n".as_bytes());
}

/// Much of it, and all to be escaped: more than the program holds, against a screen that is slow.
#[test]
fn a_flood_is_shown_whole() {
    let (mut screen, terminal) = Screen::new();
    let (nc, mut peer) = Role::Client.start("--sanitize", |nc| nc.stdout(terminal).stdin_null());
    let sender = std::thread::spawn(move || {
        peer.sends(&vec![0x1b; 100_000]);
        peer.finishes();
        peer
    });
    watch(Duration::from_millis(100));
    screen.shows("\\x1b".repeat(100_000).as_bytes());
    drop(sender.join().unwrap());
    nc.ends().exits(0).said_nothing();
}

#[test]
fn datagrams_are_shown_too() {
    let (mut screen, terminal) = Screen::new();
    let (_nc, port) = Nc::new("-lu --sanitize").stdout(terminal).binds();
    let peer = Datagrams::connect(port);
    peer.sends(b"\x1b[2J");
    screen.shows(b"\\x1b[2J");
    // The largest there is grows to four times its size.
    peer.sends(&vec![7; 65_507]);
    screen.shows("\\x07".repeat(65_507).as_bytes());
}

#[test]
fn each_client_of_many_has_its_own_characters() {
    let (mut screen, terminal) = Screen::new();
    let (_nc, port) = Nc::new("-lk --sanitize").stdout(terminal).listens();
    let (mut one, mut other) = (Peer::connect(port), Peer::connect(port));
    one.sends(b"1\xe2\x98");
    screen.shows(b"1");
    other.sends(b"2\x98");
    screen.shows(b"2\\x98");
    one.sends(b"\x83");
    screen.shows("☃".as_bytes());
}
