//! The calls that come before the loop, each failing: it works all the same, or there is one line and
//! status 1. Never a panic, never silence, never a session with a part missing.

use std::io::Write;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

use super::in_each_case;
use crate::pass_fd::passed;
use crate::support::strace::Trace;
use crate::support::{Nc, Peer, Server};

/// Which of its calls, by number; what it says, if it does not work all the same.
type Row = (&'static str, &'static str, u32, Option<&'static str>);

#[test]
#[ignore = "needs strace"]
fn each_call_that_makes_a_client_may_fail() {
    let rows: &[Row] = &[
        ("epoll_create1", "EMFILE", 1, Some("nc: cannot open a poller: Too many open files")),
        ("epoll_create1", "ENFILE", 1, Some("Too many open files in system")),
        ("epoll_create1", "ENOMEM", 1, Some("nc: cannot open a poller: Cannot allocate memory")),
        // stdin, stdout, the socket.
        ("epoll_ctl", "ENOMEM", 1, Some("nc: cannot use standard input and output: Cannot alloc")),
        ("epoll_ctl", "ENOSPC", 2, Some("nc: cannot use standard input and output: No space")),
        ("epoll_ctl", "ENOSPC", 3, Some("(tcp) failed: No space left on device")),
        // What cannot be polled never blocks.
        ("epoll_ctl", "EPERM", 1, None),
        ("epoll_ctl", "EPERM", 2, None),
        // Without a description of our own there is another way.
        ("?open", "EMFILE", 1, None),
        ("?open", "EACCES", 2, None),
        ("?open", "ENXIO", 2, None),
        ("fstat", "EIO", 1, Some("nc: cannot use standard input and output: Input/output error")),
        ("fcntl", "EMFILE", 1, Some("nc: cannot use standard input and output: Too many open")),
        ("socket", "EMFILE", 1, Some("(tcp) failed: Too many open files")),
        ("socket", "ENFILE", 1, Some("(tcp) failed: Too many open files in system")),
        ("socket", "ENOBUFS", 1, Some("(tcp) failed: No buffer space available")),
        ("socket", "EACCES", 1, Some("(tcp) failed: Permission denied")),
        ("connect", "ENETUNREACH", 1, Some("(tcp) failed: Network is unreachable")),
        ("connect", "EADDRNOTAVAIL", 1, Some("(tcp) failed: Cannot assign requested address")),
        ("connect", "ENOMEM", 1, Some("(tcp) failed: Cannot allocate memory")),
        ("connect", "EPERM", 1, Some("(tcp) failed: Operation not permitted")),
        // There is one more chance for a shortage that passes.
        ("connect", "EAGAIN", 1, None),
        ("getsockopt", "ENOBUFS", 1, Some("(tcp) failed: No buffer space available")),
        ("getpeername", "ENOBUFS", 1, Some("(tcp) failed: No buffer space available")),
        ("getsockname", "ENOBUFS", 1, None),
        ("?epoll_wait,epoll_pwait", "EINVAL", 1, Some("nc: cannot poll: Invalid argument")),
        ("?epoll_wait,epoll_pwait", "EINTR", 1, None),
    ];
    in_each_case(rows, |&&(call, error, number, line)| {
        let server = Server::start();
        let nc = Nc::new(format!("-N 127.0.0.1 {}", server.port()));
        let (nc, trace) = Trace::interfering(nc, call, &format!("error={error}:when={number}"));
        let mut nc = nc.start();
        nc.types_all(b"typed".to_vec());
        if let Some(line) = line {
            nc.ends().exits(1).showed(b"").said_one_line_with(line);
        } else {
            let mut peer = server.accepts();
            peer.receives(b"typed");
            peer.receives_eof();
            peer.sends(b"shown");
            drop(peer);
            nc.ends().exits(0).showed(b"shown").said_nothing();
        }
        trace.was_felt();
    });
}

#[test]
#[ignore = "needs strace"]
fn each_call_that_makes_a_listener_may_fail() {
    let rows = [
        ("socket", "EMFILE", 1, "nc: Too many open files"),
        ("setsockopt", "ENOMEM", 1, "nc: Cannot allocate memory"),
        ("bind", "EADDRINUSE", 1, "nc: Address already in use"),
        ("bind", "EACCES", 1, "nc: Permission denied"),
        ("bind", "ENOMEM", 1, "nc: Cannot allocate memory"),
        ("listen", "EADDRINUSE", 1, "nc: Address already in use"),
        ("listen", "EOPNOTSUPP", 1, "nc: Operation not supported"),
        ("epoll_ctl", "ENOMEM", 1, "nc: cannot use standard input and output: Cannot alloc"),
        ("epoll_ctl", "ENOMEM", 3, "nc: cannot poll the socket: Cannot allocate memory"),
        ("epoll_ctl", "ENOMEM", 5, "Cannot allocate memory"),
    ];
    in_each_case(rows, |&(call, error, number, line)| {
        let inject = format!("error={error}:when={number}");
        let (nc, trace) = Trace::interfering(Nc::new("-l -v 127.0.0.1 0"), call, &inject);
        let nc = nc.start();
        let is_late = number == 5;
        if is_late {
            // The one client there is cannot be watched.
            let mut peer = Peer::connect(nc.port());
            let _ = peer.stream.write_all(b"lost");
            peer.is_ended();
        }
        let end = nc.ends();
        end.exits(1).showed(b"").complained_once_of(line);
        trace.was_felt();
    });
}

/// Without descriptions of our own each call says that it must not wait, and where the kernel does not know
/// how, it is asked before.
#[test]
#[ignore = "needs strace"]
fn each_call_on_borrowed_pipes_may_fail() {
    let cases = [
        ("preadv2:error=EINTR:when=1", None),
        ("pwritev2:error=EINTR:when=1", None),
        ("preadv2:error=EOPNOTSUPP", None),
        ("pwritev2:error=ENOSYS", None),
        ("preadv2:error=EIO:when=1", Some("nc: stdin: Input/output error")),
        (
            "pwritev2:error=EIO:when=1",
            Some("nc: stdout: Input/output error, 5 bytes from the peer"),
        ),
    ];
    in_each_case(cases, |(inject, line)| {
        let server = Server::start();
        let nc = Nc::new(format!("-N 127.0.0.1 {}", server.port()));
        let (nc, trace) = Trace::tampering(nc, &["?open:error=ENOENT", inject]);
        let mut nc = nc.start();
        nc.types_all(b"typed".to_vec());
        let mut peer = server.accepts();
        if let Some(line) = line {
            let _ = peer.stream.write_all(b"shown");
            let _ = peer.stream.shutdown(Shutdown::Write);
            nc.ends().exits(1).said_one_line_with(line);
        } else {
            peer.receives(b"typed");
            peer.receives_eof();
            peer.sends(b"shown");
            drop(peer);
            nc.ends().exits(0).showed(b"shown").said_nothing();
        }
        let calls = trace.calls();
        for tampered in ["open(", inject.split(':').next().unwrap()] {
            let is_felt =
                |call: &&String| call.starts_with(tampered) && call.contains("(INJECTED)");
            assert!(calls.iter().find(is_felt).is_some(), "{tampered} in {calls:#?}");
        }
    });
}

/// `-F` has one call, and one chance.
#[test]
#[ignore = "needs strace"]
fn the_call_that_passes_a_connection_may_fail() {
    let cases = [
        ("EINTR", None),
        ("EPIPE", Some("nc: sendmsg: Broken pipe")),
        ("EMFILE", Some("nc: sendmsg: Too many open files")),
        ("ETOOMANYREFS", Some("nc: sendmsg: Too many references: cannot splice")),
        ("ENOBUFS", Some("nc: sendmsg: No buffer space available")),
    ];
    in_each_case(cases, |(error, line)| {
        let server = Server::start();
        let (ours, theirs) = UnixStream::pair().unwrap();
        let nc = Nc::new(format!("-F 127.0.0.1 {}", server.port())).stdout(theirs);
        let (nc, trace) = Trace::interfering(nc, "sendmsg", &format!("error={error}:when=1"));
        let nc = nc.start();
        let _peer = server.accepts();
        if let Some(line) = line {
            nc.ends().exits(1).said_one_line_with(line);
        } else {
            assert_eq!(passed(&ours).1.len(), 1);
            nc.ends().exits(0).said_nothing();
        }
        trace.was_felt();
    });
}
