//! `-u`: messages, refusals, and how sessions without an end of file end.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::ends::Pty;
use crate::support::{Datagrams, Nc, RefusingPort, Running, kernel, watch};

#[track_caller]
fn client(options: &str, port: u16) -> Nc {
    Nc::new(format!("-u {options} 127.0.0.1 {port}"))
}

#[track_caller]
fn listener(options: &str) -> (Running, u16) {
    Nc::new(format!("-u -l {options}")).binds()
}

#[test]
fn a_listener_says_where_and_who() {
    let (nc, port) = listener("");
    let peer = Datagrams::connect(port);
    peer.sends(b"hello");
    nc.shows(b"hello");
    nc.signal(Signal::TERM);
    let from = peer.port();
    nc.ends()
        .is_killed_by(Signal::TERM)
        .said(&format!("Bound on 0.0.0.0 {port}\nConnection received on localhost {from}\n"));
}

#[test]
fn a_listener_says_it_in_numbers() {
    let (nc, port) = listener("-n 127.0.0.1");
    let peer = Datagrams::connect(port);
    peer.sends(b"hello");
    nc.shows(b"hello");
    nc.says(&format!("Bound on 127.0.0.1 {port}"));
    nc.says(&format!("Connection received on 127.0.0.1 {}", peer.port()));
}

#[test]
fn keep_open_says_where_and_not_who() {
    let (nc, port) = listener("-k");
    let peer = Datagrams::connect(port);
    peer.sends(b"hello");
    nc.shows(b"hello");
    nc.signal(Signal::TERM);
    nc.ends().said(&format!("Bound on 0.0.0.0 {port}\n"));
}

#[test]
fn verbose_puts_nothing_into_a_session() {
    let peer = Datagrams::bind();
    let mut nc = client("-v", peer.port()).start();
    nc.says(&format!("Connection to 127.0.0.1 {} port [udp/*] succeeded!", peer.port()));
    nc.settles();
    peer.has_received_nothing();
    nc.types(b"hi");
    peer.receives(b"hi");
    nc.settles();
    peer.has_received_nothing();
}

#[test]
fn verbose_puts_nothing_into_a_session_of_a_terminal() {
    let peer = Datagrams::bind();
    let pty = Pty::open();
    let mut nc = client("-v", peer.port()).stdin(pty.terminal).start();
    nc.says("succeeded!");
    nc.settles();
    peer.has_received_nothing();
    rustix::io::write(&pty.master, b"hi\n").unwrap();
    peer.receives(b"hi\n");
}

#[test]
fn a_refusal_is_told() {
    let closed = RefusingPort::reserve();
    let mut nc = client("", closed.port()).start();
    nc.settles();
    nc.types(b"anybody there?\n");
    nc.ends().exits(1).said_one_line_with("Connection refused");
}

#[test]
fn a_refusal_is_told_at_once() {
    let closed = RefusingPort::reserve();
    // The best of some, for this machine has other work too.
    let quickest = (0..5).map(|_| {
        let mut nc = client("", closed.port()).start();
        nc.settles();
        let begun = Instant::now();
        nc.types(b"anybody there?\n");
        nc.ends().exits(1).ended.duration_since(begun)
    });
    let quickest = quickest.min().unwrap();
    assert!(quickest < Duration::from_millis(100), "{quickest:?}");
}

#[test]
fn a_refusal_of_several_lines_is_told_once() {
    let closed = RefusingPort::reserve();
    let mut nc = client("--udp-line", closed.port()).start();
    nc.settles();
    nc.stops();
    nc.types(b"one\ntwo\nthree\n");
    nc.continues();
    nc.ends().exits(1).complained_once_of("Connection refused");
}

#[test]
fn a_refusal_of_a_file_is_told_once() {
    let closed = RefusingPort::reserve();
    let mut nc = client("", closed.port()).start();
    nc.types_all(vec![b'x'; 300_000]);
    nc.ends().exits(1).complained_once_of("Connection refused");
}

#[test]
fn a_refusal_behind_an_answer_takes_nothing_back() {
    // The kernel tells the refusal first, and the answer only after it. It takes some tries until both
    // are there before the program looks.
    for _ in 0..60 {
        let peer = Datagrams::bind();
        let mut nc = client("", peer.port()).start();
        nc.types(b"question");
        let from = peer.receives(b"question");
        nc.stops();
        peer.sends_to(b"answer", from);
        peer.refuses();
        nc.types(b"thanks");
        nc.continues();
        nc.ends().exits(1).showed(b"answer").said_one_line_with("Connection refused");
    }
}

#[test]
fn a_listener_is_told_that_its_peer_has_gone() {
    let (mut nc, port) = listener("");
    let peer = Datagrams::connect(port);
    peer.sends(b"hello");
    nc.shows(b"hello");
    peer.refuses();
    nc.settles();
    nc.types(b"still there?");
    nc.ends().exits(1).complained_once_of("Connection refused");
}

#[test]
fn a_name_with_two_addresses_reaches_a_peer() {
    // Over UDP nobody can know which of the two is meant; whichever it is must be said.
    let peer = Datagrams::bind();
    let mut nc = Nc::new(format!("-u -4 -v localhost {}", peer.port())).start();
    nc.types(b"hi");
    peer.receives(b"hi");
    nc.says(&format!("Connection to localhost (127.0.0.1) {} port [udp/*]", peer.port()));
}

#[test]
fn recv_limit_ends_a_query() {
    let peer = Datagrams::bind();
    let mut nc = client("-W 1", peer.port()).start();
    nc.types(b"question");
    let from = peer.receives(b"question");
    peer.sends_to(b"answer", from);
    // stdin is still open.
    nc.ends().exits(0).showed(b"answer").said_nothing();
}

#[test]
fn recv_limit_counts_datagrams() {
    let peer = Datagrams::bind();
    let mut nc = client("-W 3", peer.port()).start();
    nc.types(b"question");
    let from = peer.receives(b"question");
    nc.stops();
    for answer in [&b"one "[..], b"two ", b"three", b"FOUR"] {
        peer.sends_to(answer, from);
    }
    nc.continues();
    nc.ends().exits(0).showed(b"one two three").said_nothing();
}

#[test]
fn recv_limit_ends_a_listener() {
    let (nc, port) = listener("-W 1");
    Datagrams::connect(port).sends(b"only this");
    nc.ends().exits(0).showed(b"only this").complained_of_nothing();
}

#[test]
fn the_idle_timeout_ends_a_query() {
    let peer = Datagrams::bind();
    let begun = Instant::now();
    let mut nc = client("-w 0.5", peer.port()).start();
    nc.types(b"question");
    nc.ends_input();
    let from = peer.receives(b"question");
    peer.sends_to(b"answer", from);
    let end = nc.ends();
    end.exits(0).showed(b"answer").said_nothing();
    assert!(end.ended.duration_since(begun) >= Duration::from_millis(500));
}

#[test]
fn a_silent_peer_ends_a_query_by_the_idle_timeout() {
    let peer = Datagrams::bind();
    let mut nc = client("-w 0.3", peer.port()).start();
    nc.types(b"question");
    nc.ends().exits(0).showed(b"").said_nothing();
}

#[test]
fn a_client_outlives_its_stdin() {
    let peer = Datagrams::bind();
    let mut nc = client("", peer.port()).start();
    nc.types(b"question");
    nc.ends_input();
    let from = peer.receives(b"question");
    nc.settles();
    peer.sends_to(b"late answer", from);
    nc.shows(b"late answer");
    nc.still_runs();
}

#[test]
fn quit_goes_on_receiving_and_then_quits() {
    for option in ["-q 1", "--quit-after 1"] {
        let peer = Datagrams::bind();
        let mut nc = client(option, peer.port()).start();
        nc.types(b"question");
        let from = peer.receives(b"question");
        let begun = Instant::now();
        nc.ends_input();
        nc.settles();
        peer.sends_to(b"late answer", from);
        nc.shows(b"late answer");
        let end = nc.ends();
        end.exits(0).said_nothing();
        let lasted = end.ended.duration_since(begun);
        // Time is read once a turn, so a turn that lasts sees the end of stdin a little younger.
        assert!(lasted >= Duration::from_millis(950), "{option}: {lasted:?}");
    }
}

#[test]
fn quit_of_a_listener_goes_on_receiving_and_then_quits() {
    for options in ["-q 1", "-k -q 1"] {
        let (mut nc, port) = listener(options);
        let peer = Datagrams::connect(port);
        peer.sends(b"question");
        nc.shows(b"question");
        let begun = Instant::now();
        nc.types(b"answer");
        nc.ends_input();
        peer.receives(b"answer");
        nc.settles();
        peer.sends(b", late");
        nc.shows(b"question, late");
        let end = nc.ends();
        end.exits(0).complained_of_nothing();
        assert!(end.ended.duration_since(begun) >= Duration::from_secs(1), "{options}");
    }
}

#[test]
fn a_listener_outlives_a_stdin_that_is_empty() {
    for options in ["", "-k"] {
        let (mut nc, port) = Nc::new(format!("-u -l {options}")).stdin_null().binds();
        let peer = Datagrams::connect(port);
        peer.sends(b"one");
        nc.shows(b"one");
        nc.settles();
        peer.sends(b", two");
        nc.shows(b"one, two");
        nc.still_runs();
    }
}

#[test]
fn a_broadcast_has_to_be_allowed() {
    let nc = Nc::new("-u 127.255.255.255 9").start();
    nc.ends()
        .exits(1)
        .said("nc: connect to 127.255.255.255 port 9 (udp) failed: Permission denied\n");
}

#[test]
fn an_idle_listener_sleeps() {
    for options in ["", "-k"] {
        let (mut nc, port) = listener(options);
        let peer = Datagrams::connect(port);
        peer.sends(b"hello");
        nc.shows(b"hello");
        nc.settles();
        let (ticks, sleeps) = (kernel::ticks(nc.pid()), kernel::sleeps(nc.pid()));
        watch(Duration::from_millis(300));
        assert_eq!((kernel::ticks(nc.pid()), kernel::sleeps(nc.pid())), (ticks, sleeps));
    }
}
