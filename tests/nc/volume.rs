//! Large transfers: every byte arrives, in bounded memory, however slow the reader is.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::process::{ChildStdin, ChildStdout};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::pipe::fcntl_setpipe_size;
use tempfile::tempdir;

use crate::support::{Nc, Noise, Peer, Running, Same, Server, fill, kernel, wait_until, watch};

#[test]
fn file_to_file() {
    let dir = tempdir().unwrap();
    let (source, target) = (dir.path().join("source"), dir.path().join("target"));
    io::copy(&mut Noise::new(40).take(SIZE), &mut File::create(&source).unwrap()).unwrap();

    let stdout = File::create(&target).unwrap();
    let (mut listener, port) = Nc::new("-l -N --half-close").stdout(stdout).listens();
    let stdin = File::open(&source).unwrap();
    let client = Nc::new(format!("-N 127.0.0.1 {port}")).stdin(stdin).start();
    wait_until("the file is there", || target.metadata().unwrap().len() == SIZE);
    assert_modest(&[&listener, &client]);
    listener.ends_input();
    client.ends().exits(0).said_nothing();
    listener.ends().exits(0).complained_of_nothing();

    let mut same = Same::new(40);
    assert_eq!(io::copy(&mut File::open(&target).unwrap(), &mut same).unwrap(), SIZE);
}

#[test]
fn pipe_to_pipe() {
    let (mut listener, port) = Nc::new("-l").stdout_unread().listens();
    let mut client = Nc::new(format!("-N 127.0.0.1 {port}")).start();
    let writer = writes(client.take_stdin(), 41);
    let mut stdout = listener.take_stdout();
    let mut same = Same::new(41);
    io::copy(&mut stdout.by_ref().take(SIZE), &mut same).unwrap();
    assert_eq!(same.count(), SIZE);
    assert_modest(&[&listener, &client]);
    drop(writer.join().unwrap());
    assert_eq!(stdout.read(&mut [0]).unwrap(), 0);
    listener.ends().exits(0).complained_of_nothing();
    client.ends().exits(0).said_nothing();
}

#[test]
fn both_directions_at_once_with_readers_that_pause() {
    let (mut listener, port) = Nc::new("-l -N --half-close").stdout_unread().listens();
    let mut client = Nc::new(format!("-N 127.0.0.1 {port}")).stdout_unread().start();
    let writers = [writes(client.take_stdin(), 42), writes(listener.take_stdin(), 43)];
    let readers = [reads(listener.take_stdout(), 42), reads(client.take_stdout(), 43)];
    let halves = readers.map(|reader| reader.join().unwrap());

    // Nobody reads: both programs stand still, and stay as small as they were.
    listener.settles();
    client.settles();
    let before =
        [&listener, &client].map(|nc| (kernel::ticks(nc.pid()), kernel::resident_kib(nc.pid())));
    watch(Duration::from_millis(300));
    let after =
        [&listener, &client].map(|nc| (kernel::ticks(nc.pid()), kernel::resident_kib(nc.pid())));
    assert_eq!(before, after, "(clock ticks, KiB) of two programs that cannot write");
    assert!(writers.iter().all(|writer| !writer.is_finished()), "there is no back-pressure");

    let readers = halves.map(|(stdout, same)| goes_on(stdout, same));
    let stdins = writers.map(|writer| writer.join().unwrap());
    let stdouts = readers.map(|reader| reader.join().unwrap());
    assert_modest(&[&listener, &client]);
    drop(stdins);
    for (mut stdout, same) in stdouts {
        assert_eq!(same.count(), SIZE);
        assert_eq!(stdout.read(&mut [0]).unwrap(), 0);
    }
    listener.ends().exits(0).complained_of_nothing();
    client.ends().exits(0).said_nothing();
}

#[test]
fn a_blocked_way_out_holds_stdin_back() {
    let server = Server::start();
    let mut nc = Nc::new(format!("-N 127.0.0.1 {}", server.port())).start();
    let peer = server.accepts();
    let stdin = nc.take_stdin();
    let total = assert_held_back(&mut nc, &stdin);
    drop(stdin);
    assert_arrives(&mut &peer.stream, total);
    drop(peer);
    nc.ends().exits(0).complained_of_nothing();
}

#[test]
fn a_blocked_stdout_holds_the_peer_back() {
    let (mut nc, port) = Nc::new("-l").stdout_unread().listens();
    let peer = Peer::connect(port);
    let total = assert_held_back(&mut nc, &peer.stream);
    drop(peer);
    assert_arrives(&mut nc.take_stdout(), total);
    nc.ends().exits(0).complained_of_nothing();
}

#[test]
fn single_bytes_through_a_tiny_pipe() {
    let (mut nc, port) = Nc::new("-l").stdout_unread().listens();
    let mut stdout = nc.take_stdout();
    fcntl_setpipe_size(&stdout, 4096).unwrap();
    let peer = Peer::connect(port);
    peer.stream.set_nodelay(true).unwrap();
    let writer = thread::spawn(move || {
        let mut noise = Noise::new(45).take(20_000);
        let mut byte = [0];
        while noise.read(&mut byte).unwrap() == 1 {
            (&peer.stream).write_all(&byte).unwrap();
        }
    });
    let mut same = Same::new(45);
    let mut seven = [0; 7];
    loop {
        let count = stdout.read(&mut seven).unwrap();
        if count == 0 {
            break;
        }
        same.write_all(&seven[..count]).unwrap();
    }
    assert_eq!(same.count(), 20_000);
    writer.join().unwrap();
    nc.ends().exits(0).complained_of_nothing();
}

/// Fills a way that nobody empties; the program takes a bounded part of it and then rests.
#[track_caller]
fn assert_held_back(nc: &mut Running, sink: &impl AsFd) -> u64 {
    let total = fill(sink, &mut Noise::new(44));
    nc.settles();
    let before = at_rest(nc);
    watch(Duration::from_millis(300));
    let after = at_rest(nc);
    assert_eq!(before, after, "(clock ticks, KiB) of a program that cannot write");
    assert_modest(&[nc]);
    total
}

/// What must not grow while nothing can move: clock ticks, and KiB of memory.
#[track_caller]
fn at_rest(nc: &Running) -> (u64, u64) {
    (kernel::ticks(nc.pid()), kernel::resident_kib(nc.pid()))
}

#[track_caller]
fn assert_arrives(source: &mut impl Read, total: u64) {
    let mut same = Same::new(44);
    io::copy(source, &mut same).unwrap();
    assert_eq!(same.count(), total);
}

#[track_caller]
fn assert_modest(programs: &[&Running]) {
    for nc in programs {
        let peak = kernel::peak_kib(nc.pid());
        assert!(peak < 12 * 1024, "VmHWM is {peak} KiB");
    }
}

/// Writes all of a seed's noise to a stdin, and gives it back still open.
fn writes(mut stdin: ChildStdin, seed: u64) -> JoinHandle<ChildStdin> {
    thread::spawn(move || {
        io::copy(&mut Noise::new(seed).take(SIZE), &mut stdin).unwrap();
        stdin
    })
}

/// Reads the first half.
fn reads(mut stdout: ChildStdout, seed: u64) -> JoinHandle<(ChildStdout, Same)> {
    thread::spawn(move || {
        let mut same = Same::new(seed);
        io::copy(&mut stdout.by_ref().take(SIZE / 2), &mut same).unwrap();
        (stdout, same)
    })
}

/// Reads the second half.
fn goes_on(mut stdout: ChildStdout, mut same: Same) -> JoinHandle<(ChildStdout, Same)> {
    thread::spawn(move || {
        io::copy(&mut stdout.by_ref().take(SIZE / 2), &mut same).unwrap();
        (stdout, same)
    })
}

const SIZE: u64 = 64 << 20;
