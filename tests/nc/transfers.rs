//! The ways bytes go in bulk: read and written, or inside the kernel. Which it is depends on what stdin
//! and stdout are; that the bytes are whole does not.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::thread;

use socket2::SockRef;
use tempfile::tempdir;

use crate::support::ends::{BEFORE, Input, Kind, Output};
use crate::support::strace::Trace;
use crate::support::{Nc, Peer, Role, Same, Server, assert_same, noise};

/// One for each way out of a stdin: straight from a pipe, by a pipe of ours, read and written.
const STDINS: [Kind; 4] = [Kind::Pipe, Kind::Fifo, Kind::File, Kind::Socketpair];

/// One for each way into a stdout; into a file that is appended to, the kernel refuses in the middle.
const STDOUTS: [Kind; 5] = [Kind::Pipe, Kind::File, Kind::Append, Kind::Socketpair, Kind::Null];

#[test]
fn bulk_is_whole_whichever_way_it_goes() {
    for stdin in STDINS {
        for stdout in STDOUTS {
            for role in Role::BOTH {
                both_ways(stdin, stdout, role);
            }
        }
    }
}

/// Noise both ways at the same time.
#[track_caller]
fn both_ways(stdin: Kind, stdout: Kind, role: Role) {
    let dir = tempdir().unwrap();
    let (sent, answer) = (noise(70, SIZE), noise(71, SIZE));
    let mut input = Input::new(stdin, dir.path(), &sent);
    let mut output = Output::new(stdout, dir.path());
    let (nc, mut peer) = role.start("-N --half-close", |nc| output.give(input.give(nc)));
    let drained = output.drains();
    let fed = input.feeds(sent.clone());
    let (writing, written) = (peer.stream.try_clone().unwrap(), answer.clone());
    let answering = thread::spawn(move || {
        (&writing).write_all(&written).unwrap();
        writing.shutdown(Shutdown::Write).unwrap();
    });
    peer.receives(&sent);
    peer.receives_eof();
    answering.join().unwrap();
    nc.ends().exits(0).complained_of_nothing();
    drop(fed.join());
    let expected = if stdout == Kind::Append { [BEFORE, &answer].concat() } else { answer };
    if let Some(got) = drained.bytes() {
        assert_same(&got, &expected, &format!("{role:?}: stdin {stdin:?}, stdout {stdout:?}"));
    }
}

#[test]
fn what_arrived_before_a_reset_reaches_every_kind_of_stdout() {
    for stdout in [Kind::Pipe, Kind::File, Kind::Append] {
        let dir = tempdir().unwrap();
        let mut output = Output::new(stdout, dir.path());
        let (mut nc, mut peer) = Role::Client.start("", |nc| output.give(nc));
        let drained = output.drains();
        // More than one buffer, and no more than the kernel takes for a program that stands still.
        let answer = noise(72, 100_000);
        nc.settles();
        nc.stops();
        peer.sends(&answer);
        peer.is_acknowledged();
        peer.resets();
        nc.continues();
        nc.ends().exits(1).complained_once_of("Connection reset by peer");
        let got = drained.bytes().unwrap();
        let before = if stdout == Kind::Append { BEFORE.len() } else { 0 };
        assert_same(&got[before..], &answer, &format!("{stdout:?}"));
    }
}

#[test]
fn urgent_data_among_bulk_disturbs_nothing() {
    for stdout in [Kind::Pipe, Kind::File] {
        let dir = tempdir().unwrap();
        let mut output = Output::new(stdout, dir.path());
        let (mut nc, mut peer) = Role::Client.start("-N", |nc| output.give(nc));
        let drained = output.drains();
        let [before, behind] = [73, 74].map(|seed| noise(seed, 200_000));
        nc.settles();
        nc.stops();
        peer.sends(&before);
        SockRef::from(&peer.stream).send_out_of_band(b"!").unwrap();
        peer.sends(&behind);
        peer.finishes();
        nc.continues();
        nc.ends_input();
        peer.receives_eof();
        drop(peer);
        nc.ends().exits(0).complained_of_nothing();
        assert_same(&drained.bytes().unwrap(), &[before, behind].concat(), &format!("{stdout:?}"));
    }
}

#[test]
fn clients_who_share_a_full_stdout_all_get_their_turn() {
    let (mut nc, port) = Nc::new("-l -k").stdin_null().stdout_unread().listens();
    let writers = [75, 76, 77].map(|seed| {
        let peer = Peer::connect(port);
        thread::spawn(move || {
            (&peer.stream).write_all(&noise(seed, SIZE)).unwrap();
            peer.stream.shutdown(Shutdown::Write).unwrap();
            io::copy(&mut &peer.stream, &mut io::sink()).unwrap();
        })
    });
    nc.settles();
    let total = io::copy(&mut nc.take_stdout().take(3 * SIZE as u64), &mut io::sink()).unwrap();
    assert_eq!(total, 3 * SIZE as u64);
    for writer in writers {
        writer.join().unwrap();
    }
}

#[test]
fn without_a_descriptor_to_spare_bytes_are_read_and_written() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("target");
    let target = File::create(&path).unwrap();
    let server = Server::start();
    let nc = Nc::new(format!("-N 127.0.0.1 {}", server.port())).stdin_null().stdout(target);
    let nc = nc.under("sh", &["-c", "ulimit -n 9 && exec \"$@\"", "sh"]).start();
    let mut peer = server.accepts();
    peer.sends(&noise(78, SIZE));
    drop(peer);
    nc.ends().exits(0).said_nothing();
    let mut same = Same::new(78);
    assert_eq!(io::copy(&mut File::open(&path).unwrap(), &mut same).unwrap(), SIZE as u64);
}

#[test]
#[ignore = "needs strace"]
fn the_kernel_moves_bulk_by_itself() {
    // The first buffer is read and written, and shows that it is bulk.
    let rest = SIZE as u64 - 16 * 1024;
    for (stdin, stdout, direct) in [
        (Kind::Pipe, Kind::Pipe, true),
        (Kind::Fifo, Kind::Fifo, true),
        (Kind::File, Kind::File, false),
    ] {
        let [sending, receiving] = calls_of(stdin, stdout);
        for calls in [sending, receiving] {
            let times = if direct { 1 } else { 2 };
            // A source that becomes quiet goes back to reading for a while.
            assert!(
                moved(&calls, "splice(") > times * rest / 2,
                "{stdin:?}, {stdout:?}: {calls:#?}"
            );
            let pipes = calls.iter().filter(|call| call.starts_with("pipe2(")).count();
            assert_eq!(pipes > 0, !direct, "{stdin:?}, {stdout:?}: {calls:#?}");
        }
    }
    let [sending, _] = calls_of(Kind::File, Kind::Null);
    assert_eq!(moved(&sending, "splice("), 2 * rest, "a file is never quiet: {sending:#?}");
}

#[test]
#[ignore = "needs strace"]
fn where_the_kernel_refuses_bulk_is_read_and_written() {
    let [_, receiving] = calls_of(Kind::File, Kind::Append);
    let refused =
        receiving.iter().filter(|call| call.starts_with("splice(") && call.contains("EINVAL"));
    assert_eq!(refused.count(), 1, "asked once and not again: {receiving:#?}");
    let to_stderr = moved(&receiving, "write(2,");
    assert_eq!(moved(&receiving, "write(") - to_stderr, SIZE as u64);

    let [sending, receiving] = calls_of(Kind::Socketpair, Kind::Socketpair);
    assert_eq!(moved(&sending, "splice(") + moved(&receiving, "splice("), 0);
}

#[test]
#[ignore = "needs strace"]
fn small_pieces_are_read_and_written() {
    let server = Server::start();
    let nc = Nc::new(format!("-N 127.0.0.1 {}", server.port()));
    let (nc, trace) = Trace::of(nc, "splice,pipe2,read,write,sendto,recvfrom,epoll_wait");
    let mut nc = nc.start();
    let mut peer = server.accepts();
    for round in 1..=ROUNDS {
        nc.types(b"ping");
        peer.receives(b"ping");
        peer.sends(b"pong");
        nc.shows(&b"pong".repeat(round));
    }
    nc.ends_input();
    peer.receives_eof();
    drop(peer);
    nc.ends().exits(0);
    let calls = trace.calls();
    assert!(!calls.iter().any(|call| call.starts_with("splice(") || call.starts_with("pipe2(")));
    let count = calls.len();
    assert!(count <= 8 * ROUNDS + 40, "{count} calls for {ROUNDS} round trips");
}

#[test]
#[ignore = "needs strace"]
fn bytes_that_somebody_has_to_see_are_read_and_written() {
    let watched = if cfg!(feature = "see") { "-o /dev/null" } else { "-C" };
    for options in ["-C", "-t", "-i 0.001", watched] {
        let server = Server::start();
        let nc = Nc::new(format!("{options} -N 127.0.0.1 {}", server.port()));
        let dir = tempdir().unwrap();
        // No line feed, no telnet command: nothing is changed.
        let payload = vec![b'x'; SIZE];
        let mut input = Input::new(Kind::File, dir.path(), &payload);
        let (nc, trace) = Trace::of(input.give(nc), "splice");
        let nc = nc.start();
        let mut peer = server.accepts();
        peer.receives(&payload);
        peer.receives_eof();
        drop(peer);
        nc.ends().exits(0);
        if options != "-t" {
            assert_eq!(moved(&trace.calls(), "splice("), 0, "{options}");
        }
    }
}

/// A sender and a receiver with these ends, traced.
#[track_caller]
fn calls_of(stdin: Kind, stdout: Kind) -> [Vec<String>; 2] {
    let what = "splice,pipe2,read,write,sendto,recvfrom";
    let dir = tempdir().unwrap();
    let sent = noise(79, SIZE);
    let mut input = Input::new(stdin, dir.path(), &sent);
    let mut output = Output::new(stdout, dir.path());
    let (nc, receiving) = Trace::of(output.give(Nc::new("-l").stdin_null()), what);
    let (listener, port) = nc.listens();
    let (nc, sending) = Trace::of(input.give(Nc::new(format!("-N 127.0.0.1 {port}"))), what);
    let client = nc.start();
    let drained = output.drains();
    drop(input.feeds(sent.clone()).join());
    client.ends().exits(0);
    listener.ends().exits(0).complained_of_nothing();
    let expected = if stdout == Kind::Append { [BEFORE, &sent].concat() } else { sent };
    if let Some(got) = drained.bytes() {
        assert_same(&got, &expected, "stdout");
    }
    [sending.calls(), receiving.calls()]
}

/// Bytes that all calls of a name have moved.
fn moved(calls: &[String], name: &str) -> u64 {
    let results = calls.iter().filter(|call| call.starts_with(name));
    results.filter_map(|call| call.rsplit(" = ").next()?.parse::<u64>().ok()).sum()
}

const SIZE: usize = 4 << 20;

const ROUNDS: usize = 50;
