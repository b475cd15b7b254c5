//! `-U`: streams and records over UNIX sockets, their names, and the errors of names.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::PollFlags;
use socket2::{Domain, SockAddr, Socket, Type};
use tempfile::TempDir;

use crate::support::datagrams::next_record;
use crate::support::ends::packet_pipe;
use crate::support::peer::ready;
use crate::support::{DEADLINE, Nc, Running, assert_same, noise, uninterrupted, wait_until, watch};

/// A path that is free.
fn place() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    (dir, path)
}

/// A listener that is ready.
#[track_caller]
fn listener(options: &str, path: impl AsRef<OsStr>) -> Running {
    let nc = Nc::new(format!("-l -v {options}")).arg(path.as_ref()).start();
    nc.says("Listening on ");
    nc
}

#[track_caller]
fn accept(listener: &UnixListener) -> UnixStream {
    assert!(ready(listener, PollFlags::IN, DEADLINE), "nobody connected");
    patient(listener.accept().unwrap().0)
}

#[track_caller]
fn patient(stream: UnixStream) -> UnixStream {
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.set_write_timeout(Some(DEADLINE)).unwrap();
    stream
}

#[track_caller]
fn receives(stream: &mut UnixStream, expected: &[u8]) {
    let mut got = vec![0; expected.len()];
    stream.read_exact(&mut got).unwrap();
    assert_same(&got, expected, "received from the program");
}

#[track_caller]
fn receives_eof(mut stream: UnixStream) {
    assert_eq!(
        uninterrupted(|| stream.read(&mut [0; 64])).unwrap(),
        0,
        "bytes instead of an end of file"
    );
}

#[test]
fn a_client_relays_both_ways() {
    let (_dir, path) = place();
    let server = UnixListener::bind(&path).unwrap();
    let mut nc = Nc::new("-U -N").arg(&path).start();
    let mut peer = accept(&server);
    nc.types(b"question");
    receives(&mut peer, b"question");
    peer.write_all(b"answer").unwrap();
    nc.shows(b"answer");
    nc.ends_input();
    assert_eq!(uninterrupted(|| peer.read(&mut [0])).unwrap(), 0);
    drop(peer);
    nc.ends().exits(0).said_nothing();
}

/// Here, and not over TCP, the kernel tells a peer that has closed from one that has only ended.
#[test]
fn a_peer_that_closes_ends_a_client_whatever_stdin_does() {
    for options in ["-U", "-U -N", "-U -C", "--seqpacket"] {
        let (_dir, path) = place();
        let kind = if options.contains("seq") { Type::SEQPACKET } else { Type::STREAM };
        let server = Socket::new(Domain::UNIX, kind, None).unwrap();
        server.bind(&SockAddr::unix(&path).unwrap()).unwrap();
        server.listen(1).unwrap();
        let mut nc = Nc::new(options).arg(&path).start();
        assert!(ready(&server, PollFlags::IN, DEADLINE), "nobody connected");
        let (peer, _) = server.accept().unwrap();
        peer.send(b"all").unwrap();
        peer.shutdown(std::net::Shutdown::Write).unwrap();
        nc.shows(b"all");
        nc.settles();
        nc.still_runs();
        drop(peer);
        nc.ends().exits(0).showed(b"all").said_nothing();
    }
}

#[test]
fn a_listener_relays_both_ways() {
    let (_dir, path) = place();
    let mut nc = listener("-U", &path);
    let mut peer = patient(UnixStream::connect(&path).unwrap());
    peer.write_all(b"question").unwrap();
    nc.shows(b"question");
    nc.types(b"answer");
    receives(&mut peer, b"answer");
    peer.shutdown(std::net::Shutdown::Write).unwrap();
    receives_eof(peer);
    let shown = path.display();
    nc.ends()
        .exits(0)
        .said(&format!("Bound on {shown}\nListening on {shown}\nConnection received on {shown}\n"));
}

#[test]
fn a_mebibyte_each_way() {
    let (_dir, path) = place();
    let mut listener = listener("-U", &path);
    let mut client = Nc::new("-U -N").arg(&path).start();
    let (there, back) = (noise(310, 1 << 20), noise(311, 1 << 20));
    let typing = [(&mut client, &there), (&mut listener, &back)].map(|(nc, bytes)| {
        let (mut stdin, bytes) = (nc.take_stdin(), bytes.clone());
        std::thread::spawn(move || {
            stdin.write_all(&bytes).unwrap();
            stdin
        })
    });
    listener.shows(&there);
    client.shows(&back);
    for typing in typing {
        drop(typing.join().unwrap());
    }
    listener.ends().exits(0).showed(&there);
    client.ends().exits(0).showed(&back);
}

#[test]
fn the_path_may_stand_behind_s() {
    let (_dir, path) = place();
    let nc = Nc::new("-l -v -U -s").arg(&path).start();
    nc.says("Listening on ");
    let mut peer = UnixStream::connect(&path).unwrap();
    peer.write_all(b"hello").unwrap();
    drop(peer);
    nc.ends().exits(0).showed(b"hello");
}

#[test]
fn keep_open_serves_many() {
    let (_dir, path) = place();
    let mut nc = listener("-U -k", &path);
    let mut peers: Vec<UnixStream> =
        (0..10).map(|_| patient(UnixStream::connect(&path).unwrap())).collect();
    let mut expected = Vec::new();
    for peer in &mut peers {
        peer.write_all(b"hello\n").unwrap();
        expected.extend_from_slice(b"hello\n");
        nc.shows(&expected);
    }
    nc.types(b"to all of you");
    for peer in &mut peers {
        receives(peer, b"to all of you");
    }
    drop(peers);
    nc.settles();
    patient(UnixStream::connect(&path).unwrap()).write_all(b"late").unwrap();
    expected.extend_from_slice(b"late");
    nc.shows(&expected);
}

#[test]
fn a_busy_listener_is_waited_for() {
    let (_dir, path) = place();
    // Two places in the queue; a third connection finds none (EAGAIN), and there is no event for that.
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    socket.bind(&SockAddr::unix(&path).unwrap()).unwrap();
    socket.listen(0).unwrap();
    let server: UnixListener = socket.into();
    let queued = UnixStream::connect(&path).unwrap();
    let mut nc = Nc::new("-U").arg(&path).start();
    watch(Duration::from_millis(200));
    nc.still_runs();
    drop(accept(&server));
    let mut peer = accept(&server);
    nc.types(b"patience");
    receives(&mut peer, b"patience");
    drop(queued);
}

#[test]
fn an_abstract_name_is_no_file() {
    let name = format!("pollcat-test-{}", std::process::id());
    let mut nc = listener("-U", format!("@{name}"));
    assert!(!Path::new(&format!("@{name}")).exists());
    let sockets = fs::read_to_string("/proc/net/unix").unwrap();
    assert!(sockets.lines().any(|line| line.ends_with(&format!(" @{name}"))), "{sockets}");

    let second = Nc::new("-l -U").arg(format!("@{name}")).start();
    second.ends().exits(1).said("nc: Address already in use\n");

    let mut client = Nc::new("-U -N").arg(format!("@{name}")).start();
    client.types(b"question");
    nc.shows(b"question");
    nc.types(b"answer");
    client.shows(b"answer");
    client.ends_input();
    nc.ends().exits(0);
    client.ends().exits(0).said_nothing();
}

#[test]
fn a_peer_with_an_abstract_name_is_met() {
    let name = format!("pollcat-peer-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let server = UnixListener::bind_addr(&address).unwrap();
    let mut nc = Nc::new("-U").arg(format!("@{name}")).start();
    nc.types(b"hello");
    receives(&mut accept(&server), b"hello");
}

#[test]
fn any_byte_may_be_in_a_path() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(OsStr::from_bytes(b"x\xff\xfe\x80.s"));
    let mut nc = Nc::new("-l -U").arg(&path).start();
    wait_until("it listens", || path.exists());
    // The file is there a moment before the listener is.
    let mut peer = None;
    wait_until("it is connected to", || {
        peer = UnixStream::connect(&path).ok();
        peer.is_some()
    });
    let mut peer = patient(peer.unwrap());
    nc.types(b"hello");
    receives(&mut peer, b"hello");
    drop(peer);
    nc.ends().exits(0);

    let server = UnixListener::bind(&path).unwrap();
    let mut nc = Nc::new("-U").arg(&path).start();
    nc.types(b"hello");
    receives(&mut accept(&server), b"hello");
}

#[test]
fn nobody_there_is_told_without_v() {
    let (_dir, path) = place();
    let shown = path.display();
    let nc = Nc::new("-U").arg(&path).start();
    nc.ends().exits(1).said(&format!("nc: {shown}: No such file or directory\n"));
    drop(UnixListener::bind(&path).unwrap());
    let nc = Nc::new("-U").arg(&path).start();
    nc.ends().exits(1).said(&format!("nc: {shown}: Connection refused\n"));
    assert!(path.exists(), "a client removes nothing");
}

#[test]
fn the_longest_path_works_and_a_longer_one_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let fill = |length: usize| {
        let mut path = dir.path().join("x").into_os_string();
        while path.len() < length {
            path.push("y");
        }
        path
    };
    let longest = fill(107);
    let nc = listener("-U", &longest);
    let mut client = Nc::new("-U").arg(&longest).start();
    client.types(b"fits");
    nc.shows(b"fits");
    nc.signal(rustix::process::Signal::TERM);
    nc.ends();

    let too_long = fill(108);
    let shown = too_long.display();
    let nc = Nc::new("-U").arg(&too_long).start();
    nc.ends().exits(1).said(&format!("nc: {shown}: File name too long\n"));
    Nc::new("-l -U").arg(&too_long).start().ends().exits(1).said("nc: File name too long\n");
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 0, "a name that was cut off");
}

#[test]
fn the_longest_abstract_name_works_and_a_longer_one_is_refused() {
    let fill = |length: usize| {
        let name = format!("@pollcat-{}-", std::process::id());
        OsString::from(format!("{name:x<length$}"))
    };
    let longest = fill(108);
    let nc = listener("-U", &longest);
    let mut client = Nc::new("-U").arg(&longest).start();
    client.types(b"fits");
    nc.shows(b"fits");
    let nc = Nc::new("-U").arg(fill(109)).start();
    nc.ends().exits(1).said_one_line_with("File name too long");
    Nc::new("-l -U").arg(fill(109)).start().ends().exits(1).said("nc: File name too long\n");
}

#[test]
fn an_empty_path_is_refused() {
    Nc::new("-U").arg("").start().ends().exits(1).said("nc: : Invalid argument\n");
    Nc::new("-l -U").arg("").start().ends().exits(1).said("nc: Invalid argument\n");
}

#[test]
fn a_path_is_one_word() {
    Nc::new("-U a b").start().ends().exits(1).said("nc: cannot use port with -U\n");
    Nc::new("-l -U -p x").start().ends().exits(1).said("nc: cannot use port with -U\n");
    Nc::new("-l -U").start().ends().exits(1).said("nc: missing socket pathname\n");
}

#[test]
fn records_keep_their_boundaries() {
    let (_dir, path) = place();
    let (stdin, mut packets) = packet_pipe();
    let nc = Nc::new("--seqpacket -l -v").arg(&path).stdin(stdin).start();
    nc.says("Listening on ");
    let peer = records(&path);
    nc.says("Connection received on ");
    nc.stops();
    let sent: [&[u8]; 4] = [b"one", b"two\nlines\n", b"3", &noise(312, 4000)];
    for record in sent {
        packets.write_all(record).unwrap();
        peer.send(record).unwrap();
    }
    nc.continues();
    for record in sent {
        assert_same(&next_record(&peer), record, "a record from the program");
    }
    nc.shows(&sent.concat());
    drop(peer);
    nc.ends().exits(0).complained_of_nothing();
}

#[test]
fn a_client_of_records_ends_with_its_peer() {
    let (_dir, path) = place();
    let server = Socket::new(Domain::UNIX, Type::SEQPACKET, None).unwrap();
    server.bind(&SockAddr::unix(&path).unwrap()).unwrap();
    server.listen(1).unwrap();
    let mut nc = Nc::new("--seqpacket -N").arg(&path).start();
    assert!(ready(&server, PollFlags::IN, DEADLINE), "nobody connected");
    let (peer, _) = server.accept().unwrap();
    nc.types(b"question");
    assert_same(&next_record(&peer), b"question", "a record");
    let large = noise(313, 60_000);
    peer.send(&large).unwrap();
    peer.send(b"end").unwrap();
    nc.shows(&[large, b"end".to_vec()].concat());
    nc.ends_input();
    assert_same(&next_record(&peer), b"", "the end");
    drop(peer);
    nc.ends().exits(0).said_nothing();
}

/// Connected to a listener of records.
#[track_caller]
fn records(path: &Path) -> Socket {
    let socket = Socket::new(Domain::UNIX, Type::SEQPACKET, None).unwrap();
    socket.connect(&SockAddr::unix(path).unwrap()).unwrap();
    socket
}

/// A path may fill its place in the address to the last byte; the kernel gives it back with a zero behind.
#[test]
fn a_client_with_the_longest_path_is_served() {
    let (dir, path) = place();
    let nc = listener("-U", &path);
    let folder = dir.path().as_os_str().len() + 1;
    let name = dir.path().join("x".repeat(108 - folder));
    let client = rustix::net::socket(
        rustix::net::AddressFamily::UNIX,
        rustix::net::SocketType::STREAM,
        None,
    );
    let client = client.unwrap();
    rustix::net::bind(&client, &rustix::net::SocketAddrUnix::new(&name).unwrap()).unwrap();
    rustix::net::connect(&client, &rustix::net::SocketAddrUnix::new(&path).unwrap()).unwrap();
    let mut client = patient(UnixStream::from(client));
    client.write_all(b"hello\n").unwrap();
    drop(client);
    nc.ends().exits(0).showed(b"hello\n");
}
