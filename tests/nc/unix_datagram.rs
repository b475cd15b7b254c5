//! `-uU`: datagrams over UNIX sockets, and the name a client needs to be answered at.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::ends::packet_pipe;
use crate::support::{DEADLINE, Nc, Running, assert_same, noise, uninterrupted};

/// A datagram socket with a name, and the folder it is in, which is for temporary files too.
struct Peer {
    dir: TempDir,
    path: PathBuf,
    socket: UnixDatagram,
}

impl Peer {
    #[track_caller]
    fn bind() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("peer");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        socket.set_write_timeout(Some(DEADLINE)).unwrap();
        fs::create_dir(dir.path().join("tmp")).unwrap();
        Self { dir, path, socket }
    }

    fn client(&self, options: &str) -> Nc {
        let temporary = self.dir.path().join("tmp");
        Nc::new(format!("-u -U {options}")).arg(&self.path).env("TMPDIR", temporary)
    }

    /// Waits for exactly this; says what the sender is called.
    #[track_caller]
    fn receives(&self, expected: &[u8]) -> Option<PathBuf> {
        let mut bytes = vec![0; 1 << 18];
        let (count, sender) = uninterrupted(|| self.socket.recv_from(&mut bytes)).unwrap();
        assert_same(&bytes[..count], expected, "a datagram from the program");
        sender.as_pathname().map(Path::to_owned)
    }

    #[track_caller]
    fn sends(&self, bytes: &[u8], to: &Path) {
        assert_eq!(self.socket.send_to(bytes, to).unwrap(), bytes.len());
    }

    #[track_caller]
    fn nothing_is_left(&self) {
        let left = fs::read_dir(self.dir.path().join("tmp")).unwrap();
        let left: Vec<_> = left.map(|entry| entry.unwrap().path()).collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

/// A listener that is ready, and its path beside a peer's.
#[track_caller]
fn listener(options: &str, peer: &Peer) -> (Running, PathBuf) {
    let path = peer.dir.path().join("s");
    let nc = Nc::new(format!("-u -U -l -v {options}")).arg(&path).start();
    nc.says("Bound on ");
    (nc, path)
}

#[test]
fn a_client_asks_and_is_answered() {
    let peer = Peer::bind();
    let mut nc = peer.client("").start();
    nc.types(b"question");
    let name = peer.receives(b"question").unwrap();
    assert_eq!(name.file_name().unwrap(), "recv.sock");
    let folder = name.parent().unwrap();
    assert!(folder.file_name().unwrap().to_str().unwrap().starts_with("nc-"), "{name:?}");
    assert_eq!(folder.parent().unwrap(), peer.dir.path().join("tmp"));
    assert_eq!(fs::metadata(folder).unwrap().permissions().mode() & 0o777, 0o700);
    peer.sends(b"answer", &name);
    nc.shows(b"answer");
    nc.still_runs();
}

#[test]
fn verbose_says_what_the_client_is_called() {
    let peer = Peer::bind();
    let mut nc = peer.client("-v").start();
    nc.types(b"hello");
    let name = peer.receives(b"hello").unwrap();
    nc.signal(Signal::TERM);
    nc.ends().said(&format!("Bound on {}\n", name.display()));
}

#[test]
fn the_temporary_name_goes_at_the_end() {
    let peer = Peer::bind();
    let mut nc = peer.client("-W 1").start();
    nc.types(b"question");
    let name = peer.receives(b"question").unwrap();
    peer.sends(b"answer", &name);
    nc.ends().exits(0).showed(b"answer").said_nothing();
    peer.nothing_is_left();

    let nc = peer.client("-w 0.1").start();
    nc.ends().exits(0).said_nothing();
    peer.nothing_is_left();

    let mut nc = peer.client("-q 0").start();
    nc.types(b"statement");
    nc.ends_input();
    peer.receives(b"statement");
    nc.ends().exits(0).said_nothing();
    peer.nothing_is_left();
}

#[test]
fn the_temporary_name_goes_when_we_are_told_to_end() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let peer = Peer::bind();
        let mut nc = peer.client("").start();
        nc.types(b"hello");
        peer.receives(b"hello").unwrap();
        nc.signal(signal);
        nc.ends().is_killed_by(signal).said_nothing();
        peer.nothing_is_left();
    }
}

#[test]
fn the_temporary_name_goes_when_there_is_nobody() {
    let peer = Peer::bind();
    fs::remove_file(&peer.path).unwrap();
    let shown = peer.path.display().to_string();
    let nc = peer.client("").start();
    nc.ends().exits(1).said(&format!("nc: {shown}: No such file or directory\n"));
    peer.nothing_is_left();
}

#[test]
fn a_peer_that_goes_is_told() {
    let Peer { dir, path, socket } = Peer::bind();
    let mut nc = Nc::new("-u -U").arg(&path).env("TMPDIR", dir.path().join("tmp")).start();
    nc.types(b"hello");
    uninterrupted(|| socket.recv(&mut [0; 64])).unwrap();
    drop(socket);
    nc.settles();
    nc.types(b"still there?");
    nc.ends().exits(1).said_one_line_with("refused");
    assert_eq!(fs::read_dir(dir.path().join("tmp")).unwrap().count(), 0);
}

#[test]
fn the_source_is_the_name_asked_for() {
    let peer = Peer::bind();
    let name = peer.dir.path().join("client");
    let mut nc = Nc::new("-u -U -W 1 -s").arg(&name).arg(&peer.path).start();
    nc.types(b"question");
    assert_eq!(peer.receives(b"question").unwrap(), name);
    peer.sends(b"answer", &name);
    nc.ends().exits(0).showed(b"answer").said_nothing();
    assert!(!name.exists(), "our own socket's file is left");
    peer.nothing_is_left();
}

#[test]
fn the_source_may_be_used_again() {
    let peer = Peer::bind();
    let name = peer.dir.path().join("client");
    for _ in 0..2 {
        let mut nc = Nc::new("-u -U -s").arg(&name).arg(&peer.path).start();
        nc.types(b"hello");
        assert_eq!(peer.receives(b"hello").unwrap(), name);
        nc.signal(Signal::KILL);
        nc.ends();
    }
    std::fs::remove_file(&name).unwrap();
    std::fs::write(&name, "precious").unwrap();
    let nc = Nc::new("-u -U -s").arg(&name).arg(&peer.path).start();
    nc.ends().exits(1).said_one_line_with("Address already in use");
    assert_eq!(std::fs::read(&name).unwrap(), b"precious");
}

#[test]
fn the_source_may_be_abstract() {
    let peer = Peer::bind();
    let name = format!("@pollcat-source-{}", std::process::id());
    let mut nc = Nc::new("-u -U -W 1 -s").arg(&name).arg(&peer.path).start();
    nc.types(b"question");
    let mut bytes = [0; 64];
    let (count, sender) = uninterrupted(|| peer.socket.recv_from(&mut bytes)).unwrap();
    assert_eq!(&bytes[..count], b"question");
    peer.socket.send_to_addr(b"answer", &sender).unwrap();
    nc.ends().exits(0).showed(b"answer").said_nothing();
}

#[test]
fn a_listener_is_asked_and_answers() {
    let peer = Peer::bind();
    let (mut nc, path) = listener("", &peer);
    peer.sends(b"question", &path);
    nc.shows(b"question");
    nc.says(&format!("Connection received on {}", path.display()));
    nc.types(b"answer");
    peer.receives(b"answer");
    peer.sends(b", more", &path);
    nc.shows(b"question, more");
    nc.still_runs();
}

#[test]
fn a_listener_hears_a_peer_without_a_name() {
    for options in ["", "-k"] {
        let peer = Peer::bind();
        let (mut nc, path) = listener(options, &peer);
        let nameless = UnixDatagram::unbound().unwrap();
        nameless.send_to(b"one", &path).unwrap();
        nc.shows(b"one");
        nameless.send_to(b", two", &path).unwrap();
        nc.shows(b"one, two");
        nc.still_runs();
    }
}

#[test]
fn a_listener_ends_without_a_complaint() {
    for options in ["-W 1", "-w 0.3", "-q 0"] {
        let peer = Peer::bind();
        let (mut nc, path) = listener(options, &peer);
        peer.sends(b"hello", &path);
        nc.ends_input();
        nc.ends().exits(0).showed(b"hello").complained_of_nothing();
        assert!(!path.exists());
    }
}

#[test]
fn keep_open_hears_everybody_and_answers_the_last() {
    let (one, other) = (Peer::bind(), Peer::bind());
    let (mut nc, path) = listener("-k", &one);
    one.sends(b"1", &path);
    nc.shows(b"1");
    other.sends(b"2", &path);
    nc.shows(b"12");
    nc.types(b"to the other");
    other.receives(b"to the other");
    one.sends(b"3", &path);
    nc.shows(b"123");
    nc.types(b"to the one");
    one.receives(b"to the one");
}

#[test]
fn boundaries_are_kept_and_an_empty_datagram_is_no_end() {
    let peer = Peer::bind();
    let (stdin, mut packets) = packet_pipe();
    let nc = peer.client("").stdin(stdin).start();
    nc.stops();
    let sent: [&[u8]; 3] = [b"one", b"two\n", &noise(320, 4000)];
    for packet in sent {
        packets.write_all(packet).unwrap();
    }
    nc.continues();
    let mut name = None;
    for packet in sent {
        name = peer.receives(packet);
    }
    let name = name.unwrap();
    peer.sends(b"", &name);
    let large = noise(321, 60_000);
    peer.sends(&large, &name);
    nc.shows(&large);
}

#[test]
fn a_datagram_too_large_to_be_sent_is_told() {
    let peer = Peer::bind();
    let content = peer.dir.path().join("content");
    fs::write(&content, noise(323, 40_000)).unwrap();
    let stdin = || fs::File::open(&content).unwrap();
    // The kernel's least send buffer is 4608 bytes.
    let nc = peer.client("-O 4608").stdin(stdin()).start();
    nc.ends().exits(1).said_one_line_with("Message too long");

    let path = peer.dir.path().join("s");
    let nc = Nc::new("-u -U -l -v -k -O 4608").arg(&path).stdin(stdin()).start();
    nc.says("Bound on ");
    peer.sends(b"hello", &path);
    nc.says("Message too long");
}

#[test]
fn a_slow_reader_loses_nothing() {
    let peer = Peer::bind();
    // A pipe hands out pages: a size that divides them is never cut by a read of what is there so far.
    let payload = noise(322, 96_000);
    let mut nc = peer.client("--udp-size 64").start();
    nc.types_all(payload.clone());
    // The kernel's queue holds some ten datagrams.
    nc.settles();
    for piece in payload.chunks(64) {
        peer.receives(piece);
    }
}

#[test]
fn lines_reach_a_system_logger_one_by_one() {
    let peer = Peer::bind();
    let mut nc = peer.client("--udp-line").start();
    nc.types(b"<13>one\n<13>two\n");
    peer.receives(b"<13>one\n");
    peer.receives(b"<13>two\n");
}
