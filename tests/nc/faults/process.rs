//! Limits, stops, other clocks, and arguments of absurd size.

use std::time::{Duration, Instant};

use super::is_calm;
use crate::strace::transfer;
use crate::support::places::{alone, with_hosts_alone};
use crate::support::{Datagrams, Nc, Peer, Role, Running, Server, kernel, watch};

/// A debug build with all its symbols takes a few MiB of address space, and a session next to nothing.
#[test]
fn little_address_space_is_enough() {
    let server = Server::start();
    let nc = Nc::new(format!("-N --half-close 127.0.0.1 {}", server.port()));
    let mut nc = nc.under("prlimit", &["--as=134217728"]).stdout_unread().start();
    let peer = server.accepts();
    transfer(&mut nc, &peer);
    nc.ends().exits(0).said_nothing();
}

/// Descriptors 0, 1 and 2, one to poll with, one each for stdin, stdout and the socket: that is all.
#[test]
fn seven_descriptors_are_enough_and_fewer_are_told() {
    let limited = |nc: Nc, limit: u32| nc.under("prlimit", &[&format!("--nofile={limit}")]);
    let server = Server::start();
    // Strict wants more than the session does.
    let client = || Nc::new(format!("--sandbox=auto -N --half-close 127.0.0.1 {}", server.port()));
    let mut nc = limited(client(), 7).stdout_unread().start();
    transfer(&mut nc, &server.accepts());
    nc.ends().exits(0).said_nothing();
    for limit in 4..7 {
        limited(client(), limit).start().ends().exits(1).said_one_line_with("Too many open files");
        let listener = limited(Nc::new("--sandbox=auto -l 127.0.0.1 0"), limit);
        listener.start().ends().exits(1).said_one_line_with("Too many open files");
    }
    // With three a program that is linked dynamically is not even loaded, and its loader says so.
    let end = limited(client(), 3).start().ends();
    assert_eq!(end.stderr.lines().count(), 1, "{}", end.stderr);
    assert!(end.failed(), "{}", end.stderr);

    // A client is one more. Without a descriptor for it, it waits.
    let (mut nc, port) = limited(Nc::new("--sandbox=auto -l 127.0.0.1"), 7).listens();
    let mut peer = Peer::connect(port);
    peer.sends(b"x");
    nc.settles();
    is_calm(&nc);
}

#[test]
fn stops_of_an_idle_program_change_nothing() {
    let (mut nc, mut peer) = Role::Client.start("-N", |nc| nc);
    nc.settles();
    for _ in 0..20 {
        nc.stops();
        nc.continues();
    }
    nc.settles();
    is_calm(&nc);
    nc.types(b"one");
    peer.receives(b"one");
    peer.sends(b"two");
    nc.ends_input();
    peer.receives_eof();
    drop(peer);
    nc.ends().exits(0).showed(b"two").said_nothing();
}

/// Modes that wait for more than a client: see `signals::idle_is_still` for the others.
#[test]
fn idle_is_still_where_something_is_awaited() {
    let peer = Datagrams::bind();
    let udp = Nc::new(format!("-u 127.0.0.1 {}", peer.port())).start();
    let (udp_listener, _) = Nc::new("-u -l").binds();
    let (crowd, port) = Nc::new("-u -l -k").binds();
    Datagrams::connect(port).sends(b"heard");
    crowd.shows(b"heard");
    let (timed, timed_peer) = Role::Client.start("-w 60", |nc| nc);
    let (full, port) = Nc::new("-l -k --max-conns 1").listens();
    let waiting: Vec<Peer> = (0..3).map(|_| Peer::connect(port)).collect();
    full.says("Connection received");
    let (paced, paced_peer) = Role::Client.start("-i 60", |nc| nc);
    let mut paced = paced;
    paced.types(b"one\ntwo\n");
    let mut idle = [udp, udp_listener, crowd, timed, full, paced];
    idle.iter_mut().for_each(Running::settles);
    let look = |nc: &Running| (kernel::ticks(nc.pid()), kernel::sleeps(nc.pid()));
    let before: Vec<_> = idle.iter().map(look).collect();
    watch(Duration::from_secs(1));
    let after: Vec<_> = idle.iter().map(look).collect();
    assert_eq!(before, after, "(clock ticks, sleeps) over an idle second");
    drop((timed_peer, waiting, paced_peer));
}

#[test]
fn absurd_arguments_are_told_in_one_short_line() {
    let long = "x".repeat(100_000);
    let cases: &[&[&str]] = &[
        &[&long, "4004"],
        &["-n", &long, "4004"],
        &["127.0.0.1", &long],
        &["-s", &long, "127.0.0.1", "4004"],
        &["-l", &long],
        &["-w", &long, "127.0.0.1", "4004"],
        &["-U", &long],
        &["-lU", &long],
        &["-x", &long, "127.0.0.1", "4004"],
        &["-x", "127.0.0.1:1", "-X", &long, "127.0.0.1", "4004"],
        &["--proxy", &long, "127.0.0.1", "4004"],
        &[&format!("--{long}")],
        &[&format!("-{}", "v".repeat(10) + "$")],
        &["-w", "99999999999", "-w", "-1", "127.0.0.1", "4004"],
        &["-p", "70000", "127.0.0.1", "4004"],
        &["-p", "", "127.0.0.1", "4004"],
        &["-p", "18446744073709551617", "127.0.0.1", "4004"],
        &["-I", "99999999999", "127.0.0.1", "4004"],
        &["-I", "-1", "127.0.0.1", "4004"],
        &["-W", "99999999999999999999999", "127.0.0.1", "4004"],
    ];
    for case in cases {
        let nc = case.iter().fold(Nc::new(""), |nc, arg| nc.arg(*arg));
        let end = nc.start().ends();
        end.exits(1).showed(b"").said_one_line_with("nc: ");
        assert!(end.stderr.len() < 1000, "a line of {} bytes", end.stderr.len());
    }
}

#[test]
#[ignore = "needs root"]
fn a_name_that_nobody_can_look_up_is_told_in_time() {
    for options in ["", "-n", "-z", "-u"] {
        let begun = Instant::now();
        // A network without anybody in it, so without a name server.
        let end = alone(Nc::new(format!("{options} nobody.invalid 4004"))).start().ends();
        end.exits(1).showed(b"").said_one_line_with("nobody.invalid");
        let took = end.ended - begun;
        assert!(took < Duration::from_secs(12), "{options}: {took:?}");
    }
}

/// What a hosts file calls a peer is text from outside.
#[test]
#[ignore = "needs root"]
fn no_name_of_a_peer_reaches_the_terminal_raw() {
    let dir = tempfile::tempdir().unwrap();
    let hosts = "127.0.0.1 \u{1b}]0;owned\u{7}\u{9b}31m\n";
    let nc = Nc::new("-lv 127.0.0.1 0");
    let nc = with_hosts_alone(dir.path(), hosts, nc).start();
    let mut peer = Peer::connect(nc.port());
    peer.sends(b"heard");
    nc.shows(b"heard");
    drop(peer);
    let end = nc.ends();
    let raw = end.stderr.chars().any(|c| c.is_control() && c != '\n');
    assert!(end.stderr.contains("owned") && !raw, "{:?}", end.stderr);
}

#[test]
#[ignore = "needs root"]
fn a_port_for_the_privileged_is_told() {
    let drop_it = ["--bounding-set=-net_bind_service", "--inh-caps=-all", "--"];
    let nc = Nc::new("-l 127.0.0.1 80").under("setpriv", &drop_it);
    alone(nc).start().ends().exits(1).said("nc: Permission denied\n");
}

/// Thirty years after its machine has booted.
#[test]
#[ignore = "needs root"]
fn limits_hold_whatever_the_clock_says() {
    let server = Server::start();
    let nc = Nc::new(format!("-w 1 127.0.0.1 {}", server.port()));
    let begun = Instant::now();
    let clock = ["--time", "--monotonic", "946080000", "--boottime", "946080000", "--fork", "--"];
    let nc = nc.under("unshare", &clock).start();
    let _peer = server.accepts();
    let end = nc.ends();
    end.exits(0).said_nothing();
    let took = end.ended - begun;
    let kept = Duration::from_millis(950)..Duration::from_secs(4);
    assert!(kept.contains(&took), "-w 1 took {took:?}");
}
