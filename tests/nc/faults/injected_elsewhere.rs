//! The same calls elsewhere: a listener's, a datagram's, a proxy's handshake. See `injected`.

use std::io::Write;

use rustix::process::Signal;

use super::injected::{Row, each};
use super::{MODEST, Vitals, in_each_case, is_calm};
use crate::support::proxies::{Kind, PORT, plays, through};
use crate::support::strace::{Interference, Trace};
use crate::support::{Datagrams, Nc, Peer, Server, kernel, wait_until};

/// What one client's accept says is no reason to stop listening, and no reason to spin. Five in a row,
/// so that looking again is not enough.
#[test]
#[ignore = "needs strace"]
fn accept_may_fail_for_a_client_or_for_want_of_room() {
    let errors = [
        "EINTR",
        "ECONNABORTED",
        "EPROTO",
        "EHOSTUNREACH",
        "ENETDOWN",
        "EMFILE",
        "ENFILE",
        "ENOBUFS",
        "ENOMEM",
        "EPERM",
    ];
    let cases = errors.iter().flat_map(|error| ["-l", "-l -k"].map(|options| (options, error)));
    in_each_case(cases, |(options, error)| {
        let (mut nc, port) = Nc::new(options).listens();
        nc.settles();
        let inject = format!("accept4:error={error}:when=1..5");
        let interference = Interference::attach(nc.pid(), &inject);
        let mut peer = Peer::connect(port);
        peer.sends(b"served");
        nc.shows(b"served");
        let spent = kernel::ticks(nc.pid());
        assert!(spent <= 10, "{spent} clock ticks of processor time");
        interference.was_felt();
    });
    for (error, text) in [("EIO", "Input/output error"), ("EINVAL", "Invalid argument")] {
        let (mut nc, port) = Nc::new("-l -k").listens();
        nc.settles();
        let interference = Interference::attach(nc.pid(), &format!("accept4:error={error}:when=1"));
        let _peer = Peer::connect(port);
        nc.ends().exits(1).complained_once_of(&format!("nc: accept: {text}"));
        interference.was_felt();
    }
}

/// What breaks one session of many is told, and harms no other.
#[test]
#[ignore = "needs strace"]
fn what_breaks_one_client_harms_no_other() {
    let rows: &[Row] = &[
        ("recvfrom", &["ECONNRESET"], Some("Connection reset by peer")),
        ("recvfrom", &["EIO"], Some("Input/output error")),
        ("epoll_ctl", &["ENOMEM"], Some("Cannot allocate memory")),
        ("epoll_ctl", &["ENOSPC"], Some("No space left on device")),
        // How it is called and what it is told is no reason to turn it away.
        ("setsockopt", &["ENOBUFS"], None),
    ];
    each(rows, |call, error, line| {
        let (mut nc, port) = Nc::new("-l -k").listens();
        let mut stays = Peer::connect(port);
        stays.sends(b"before ");
        nc.shows(b"before ");
        let vitals = Vitals::of(&mut nc);
        let inject = format!("{call}:error={error}:when=1");
        let interference = Interference::attach(nc.pid(), &inject);
        let mut hit = Peer::connect(port);
        if let Some(text) = line {
            let _ = hit.stream.write_all(b"lost?");
            nc.says(text);
            hit.is_ended();
        } else {
            hit.sends(b"hit ");
            nc.shows(b"before hit ");
            drop(hit);
        }
        vitals.are_back(&mut nc);
        interference.was_felt();
        let before = nc.shown();
        stays.sends(b"after");
        nc.shows(&[&*before, b"after"].concat());
        nc.types(b"to those who stay");
        stays.receives(b"to those who stay");
        assert!(kernel::peak_kib(nc.pid()) < MODEST);
        nc.signal(Signal::TERM);
        nc.ends().is_killed_by(Signal::TERM);
    });
}

#[test]
#[ignore = "needs strace"]
fn each_call_with_a_datagram_may_fail_once() {
    let rows: &[Row] = &[
        ("recvfrom", &["EINTR", "EAGAIN"], None),
        ("recvfrom", &["ECONNREFUSED"], Some("Connection refused")),
        ("recvfrom", &["EHOSTUNREACH"], Some("No route to host")),
        ("recvfrom", &["ENOMEM"], Some("Cannot allocate memory")),
        ("sendto", &["EINTR", "EAGAIN"], None),
        ("sendto", &["ECONNREFUSED"], Some("Connection refused, 3 bytes from stdin not sent")),
        ("sendto", &["EMSGSIZE"], Some("Message too long, 3 bytes from stdin not sent")),
        ("sendto", &["ENETUNREACH"], Some("Network is unreachable, 3 bytes from stdin not sent")),
        ("sendto", &["EPERM"], Some("Operation not permitted, 3 bytes from stdin not sent")),
        ("sendto", &["ENOBUFS"], Some("No buffer space available, 3 bytes from stdin not sent")),
    ];
    each(rows, |call, error, line| {
        let peer = Datagrams::bind();
        let mut nc = Nc::new(format!("-u -w 2 127.0.0.1 {}", peer.port())).start();
        nc.types(b"who?");
        let address = peer.receives(b"who?");
        nc.settles();
        let inject = format!("{call}:error={error}:when=1");
        let interference = Interference::attach(nc.pid(), &inject);
        nc.types(b"one");
        peer.sends_to(b"ONE", address);
        if let Some(line) = line {
            nc.ends().exits(1).said_one_line_with(line);
        } else {
            nc.settles();
            nc.types(b"two");
            peer.sends_to(b"TWO", address);
            peer.receives(b"one");
            peer.receives(b"two");
            nc.shows(b"ONETWO");
            nc.ends().exits(0).said_nothing();
        }
        interference.was_felt();
    });
}

/// What one of many peers cannot be sent is its own affair: the next one is heard and answered.
#[test]
#[ignore = "needs strace"]
fn a_peer_of_many_that_cannot_be_answered_harms_no_other() {
    let errors = ["EINTR", "ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "EPERM", "ENOBUFS"];
    in_each_case(errors, |error| {
        let (mut nc, port) = Nc::new("-u -l -k").binds();
        let (first, second) = (Datagrams::connect(port), Datagrams::connect(port));
        first.sends(b"first ");
        nc.shows(b"first ");
        nc.settles();
        let inject = format!("sendto:error={error}:when=1");
        let interference = Interference::attach(nc.pid(), &inject);
        nc.types(b"lost?");
        nc.settles();
        is_calm(&nc);
        second.sends(b"second");
        nc.shows(b"first second");
        nc.types(b"answer");
        wait_until("the second is answered", || second.receives_any().0 == b"answer");
        nc.still_runs();
        interference.was_felt();
    });
}

/// A proxy's handshake is read and written by the same calls.
#[test]
#[ignore = "needs strace"]
fn each_call_of_a_handshake_may_fail_once() {
    let rows: &[Row] = &[
        ("recvfrom", &["EINTR"], None),
        ("recvfrom", &["ECONNRESET"], Some("nc: proxy: Connection reset by peer")),
        ("recvfrom", &["EIO"], Some("nc: proxy: Input/output error")),
        ("sendto", &["EINTR"], None),
        ("sendto", &["EPIPE"], Some("nc: proxy: Broken pipe")),
        ("sendto", &["ENOBUFS"], Some("nc: proxy: No buffer space available")),
    ];
    each(rows, |call, error, line| {
        let server = Server::start();
        let kind = Kind::Socks5;
        let nc = through(kind, &server, "-N", kind.host()).stdin_null();
        let inject = format!("error={error}:when=1");
        let (nc, trace) = Trace::interfering(nc, call, &inject);
        let nc = nc.start();
        let mut peer = server.accepts();
        if let Some(line) = line {
            // It may be gone before it has heard.
            let _ = peer.stream.write_all(b"\x05\x00");
            peer.is_ended();
            nc.ends().exits(1).showed(b"").said_one_line_with(line);
        } else {
            plays(&mut peer, &kind.dialogue(kind.host(), PORT));
            peer.sends(b"let through");
            peer.receives_eof();
            drop(peer);
            nc.ends().exits(0).showed(b"let through").said_nothing();
        }
        trace.was_felt();
    });
}
