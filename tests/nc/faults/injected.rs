//! Every call of the loop, with an error in the place of what the kernel said (strace(1), `-e inject=`).
//!
//! A row is a call, an error, and what must come of it: the session goes on and every byte arrives, or
//! there is one line and status 1. Left out is what would be a lie that no kernel tells. An `EAGAIN` of a
//! write to a pipe that has room promises an event that never comes; a count that is not what was moved
//! (`retval=`) loses bytes in the tracer. Honest short counts come from small pipes and from stops in the
//! middle of a write (`volume`, `signals`).

use std::fs::{self, File};
use std::io::Write;
use std::net::Shutdown;

use tempfile::tempdir;

use super::{in_each_case, is_calm};
use crate::strace::transfer;
use crate::support::ends::Pty;
use crate::support::strace::{Interference, Trace};
use crate::support::{Nc, Peer, Running, Server, assert_same, noise};

/// A call, errors, and the text of the one line; none where the session goes on.
pub(super) type Row = (&'static str, &'static [&'static str], Option<&'static str>);

#[test]
#[ignore = "needs strace"]
fn each_call_of_a_conversation_may_fail_once() {
    let rows: &[Row] = &[
        ("read", &["EINTR", "EAGAIN"], None),
        ("read", &["EIO"], Some("nc: stdin: Input/output error")),
        ("read", &["ENOMEM"], Some("nc: stdin: Cannot allocate memory")),
        ("write", &["EINTR"], None),
        (
            "write",
            &["EIO"],
            Some("nc: stdout: Input/output error, 3 bytes from the peer not written"),
        ),
        ("write", &["ENOSPC"], Some("nc: stdout: No space left on device, 3 bytes")),
        ("write", &["ENOMEM"], Some("nc: stdout: Cannot allocate memory, 3 bytes")),
        ("recvfrom", &["EINTR", "EAGAIN"], None),
        ("recvfrom", &["ECONNRESET"], Some("Connection reset by peer")),
        ("recvfrom", &["ETIMEDOUT"], Some("Connection timed out")),
        ("recvfrom", &["EHOSTUNREACH"], Some("No route to host")),
        ("recvfrom", &["ENOMEM"], Some("Cannot allocate memory")),
        ("recvfrom", &["EIO"], Some("Input/output error")),
        ("sendto", &["EINTR", "EAGAIN"], None),
        ("sendto", &["EPIPE"], Some("Broken pipe, 3 bytes from stdin not sent")),
        ("sendto", &["ECONNRESET"], Some("Connection reset by peer, 3 bytes from stdin not sent")),
        ("sendto", &["ENOBUFS"], Some("No buffer space available, 3 bytes from stdin not sent")),
        ("sendto", &["ENOMEM"], Some("Cannot allocate memory, 3 bytes from stdin not sent")),
        ("?epoll_wait,epoll_pwait", &["EINTR"], None),
        ("close", &["EINTR", "EIO"], None),
    ];
    each(rows, |call, error, line| match line {
        None => conversation_goes_on(&format!("{call}:error={error}:when=1")),
        Some(line) => conversation_ends(&format!("{call}:error={error}:when=1"), line),
    });
}

/// The kernel wakes somebody for nothing, and calls are interrupted, over and over.
#[test]
#[ignore = "needs strace"]
fn storms_change_nothing() {
    for storm in [
        "?epoll_wait,epoll_pwait:retval=0:when=1+2",
        "?epoll_wait,epoll_pwait,read,write,recvfrom,sendto,splice,ppoll:error=EINTR:when=1+2",
    ] {
        conversation_goes_on(storm);
    }
}

#[test]
#[ignore = "needs strace"]
fn each_call_of_a_transfer_may_fail() {
    let rows: &[Row] = &[
        ("splice", &["EINTR", "EAGAIN"], None),
        // Answers and no failures: then bytes are read and written.
        ("splice", &["EINVAL", "ENOSYS", "EPERM", "ENOMEM"], None),
        ("splice", &["EIO"], Some("Input/output error")),
        ("splice", &["ECONNRESET"], Some("Connection reset by peer")),
        // Which end was meant by EAGAIN, and how large a pipe is: it gets on without knowing.
        ("ppoll", &["EINTR", "ENOMEM"], None),
        ("fcntl", &["EPERM", "EBUSY"], None),
    ];
    each(rows, |call, error, line| {
        for when in if call == "splice" { &["1", "4"][..] } else { &["1"] } {
            let inject = format!("{call}:error={error}:when={when}");
            match line {
                None => transfer_goes_on(&inject),
                Some(line) => transfer_ends(&inject, line),
            }
        }
    });
}

/// Between a socket and a file the kernel needs a pipe of ours, and without one it is read and written.
#[test]
#[ignore = "needs strace"]
fn each_call_of_a_transfer_between_files_may_fail() {
    let dir = tempdir().unwrap();
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    let (sent, answer) = (noise(760, 1 << 20), noise(761, 1 << 20));
    fs::write(&from, &sent).unwrap();
    let cases = [
        ("pipe2", "EMFILE", 1),
        ("pipe2", "ENFILE", 2),
        ("splice", "EINTR", 3),
        ("splice", "EAGAIN", 3),
        ("splice", "EINVAL", 2),
        ("splice", "ENOMEM", 4),
    ];
    in_each_case(cases, |(call, error, when)| {
        let server = Server::start();
        let nc = Nc::new(format!("-N 127.0.0.1 {}", server.port()));
        let nc = nc.stdin(File::open(&from).unwrap()).stdout(File::create(&to).unwrap());
        let inject = format!("error={error}:when={when}");
        let (nc, trace) = Trace::interfering(nc, call, &inject);
        let nc = nc.start();
        let mut peer = server.accepts();
        peer.sends(&answer);
        peer.receives(&sent);
        peer.receives_eof();
        drop(peer);
        nc.ends().exits(0).said_nothing();
        assert_same(&fs::read(&to).unwrap(), &answer, "the file");
        trace.was_felt();
    });
}

/// A terminal that hangs up says `EIO` to whoever reads from it, where other stdins have failed.
#[test]
#[ignore = "needs strace"]
fn an_error_of_a_terminal_is_its_end_of_file() {
    let pty = Pty::open();
    let server = Server::start();
    let nc = Nc::new(format!("-N --half-close 127.0.0.1 {}", server.port()));
    let mut nc = nc.stdin(pty.terminal).start();
    let mut peer = server.accepts();
    nc.settles();
    let interference = Interference::attach(nc.pid(), "read:error=EIO:when=1");
    rustix::io::write(&pty.master, b"never read\n").unwrap();
    peer.receives_eof();
    peer.sends(b"still served");
    drop(peer);
    nc.ends().exits(0).showed(b"still served").said_nothing();
    interference.was_felt();
}

/// Has each row tried with each of its errors.
#[track_caller]
pub(super) fn each(rows: &[Row], run: impl Fn(&str, &str, Option<&str>)) {
    let cases = rows
        .iter()
        .flat_map(|(call, errors, line)| errors.iter().map(move |error| (*call, *error, *line)));
    in_each_case(cases, |(call, error, line)| run(call, error, *line));
}

/// Two words each way; the ends of file behind them are events too, for what an `EAGAIN` has put off.
#[track_caller]
fn conversation_goes_on(inject: &str) {
    let (mut nc, mut peer) = connected("-N");
    let interference = Interference::attach(nc.pid(), inject);
    nc.types(b"one ");
    peer.sends(b"ONE ");
    nc.settles();
    is_calm(&nc);
    nc.types(b"two");
    peer.sends(b"TWO");
    nc.settles();
    nc.ends_input();
    peer.finishes();
    peer.receives(b"one two");
    peer.receives_eof();
    nc.ends().exits(0).showed(b"ONE TWO").said_nothing();
    interference.was_felt();
}

#[track_caller]
fn conversation_ends(inject: &str, line: &str) {
    let (mut nc, peer) = connected("-N");
    let interference = Interference::attach(nc.pid(), inject);
    nc.types_all(b"one".to_vec());
    // It may be gone before it has heard.
    let _ = (&peer.stream).write_all(b"ONE");
    let _ = peer.stream.shutdown(Shutdown::Write);
    nc.ends().exits(1).said_one_line_with(line);
    interference.was_felt();
}

#[track_caller]
fn transfer_goes_on(inject: &str) {
    let (mut nc, peer) = transferring();
    let interference = Interference::attach(nc.pid(), inject);
    transfer(&mut nc, &peer);
    nc.ends().exits(0).said_nothing();
    interference.was_felt();
}

/// Noise both ways; it ends for one direction at least, and whichever that was, the peer has ended too.
#[track_caller]
fn transfer_ends(inject: &str, line: &str) {
    let (mut nc, peer) = transferring();
    let interference = Interference::attach(nc.pid(), inject);
    let (stdin, mut stdout) = (nc.take_stdin(), nc.take_stdout());
    std::thread::scope(|scope| {
        scope.spawn(move || (&stdin).write_all(&vec![7; 1 << 20]));
        scope.spawn(|| {
            let _ = (&peer.stream).write_all(&vec![8; 1 << 20]);
            let _ = peer.stream.shutdown(Shutdown::Write);
        });
        scope.spawn(|| std::io::copy(&mut &peer.stream, &mut std::io::sink()));
        std::io::copy(&mut stdout, &mut std::io::sink()).unwrap();
        nc.ends().exits(1).said_one_line_with(line);
    });
    interference.was_felt();
}

#[track_caller]
fn transferring() -> (Running, Peer) {
    let server = Server::start();
    let args = format!("-N --half-close 127.0.0.1 {}", server.port());
    let mut nc = Nc::new(args).stdout_unread().start();
    let peer = server.accepts();
    nc.settles();
    (nc, peer)
}

#[track_caller]
fn connected(options: &str) -> (Running, Peer) {
    let server = Server::start();
    let mut nc = Nc::new(format!("{options} 127.0.0.1 {}", server.port())).start();
    let peer = server.accepts();
    nc.settles();
    (nc, peer)
}
