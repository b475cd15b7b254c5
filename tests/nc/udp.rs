//! `-u`: two ends, and what one datagram is.

use std::fs::File;
use std::io::Write;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::thread;

use tempfile::TempDir;

use crate::support::ends::packet_pipe;
use crate::support::{Datagrams, Nc, Running, assert_same, noise};

#[track_caller]
fn client(options: &str, peer: &Datagrams) -> Nc {
    Nc::new(format!("-u {options} 127.0.0.1 {}", peer.port()))
}

#[track_caller]
fn listener(options: &str) -> (Running, u16) {
    Nc::new(format!("-u -l {options}")).binds()
}

/// A file of this content, from its start.
fn file(content: &[u8]) -> (TempDir, File) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("stdin");
    std::fs::write(&path, content).unwrap();
    let file = File::open(path).unwrap();
    (dir, file)
}

#[test]
fn a_client_asks_and_is_answered() {
    let peer = Datagrams::bind();
    let mut nc = client("", &peer).start();
    nc.types(b"question");
    let from = peer.receives(b"question");
    peer.sends_to(b"answer", from);
    nc.shows(b"answer");
    nc.types(b"and another");
    assert_eq!(peer.receives(b"and another"), from);
    nc.still_runs();
}

#[test]
fn a_listener_is_asked_and_answers() {
    let (mut nc, port) = listener("");
    let peer = Datagrams::connect(port);
    peer.sends(b"question");
    nc.shows(b"question");
    nc.types(b"answer");
    peer.receives(b"answer");
    peer.sends(b", and another");
    nc.shows(b"question, and another");
    nc.still_runs();
}

#[test]
fn stdin_waits_for_somebody_to_send_it_to() {
    for options in ["", "-k"] {
        let (mut nc, port) = listener(options);
        nc.types(b"for whoever comes");
        nc.settles();
        let peer = Datagrams::connect(port);
        peer.sends(b"here");
        peer.receives(b"for whoever comes");
        nc.shows(b"here");
    }
}

#[test]
fn a_listener_hears_its_first_peer_alone() {
    let (mut nc, port) = listener("");
    let (first, foreign) = (Datagrams::connect(port), Datagrams::bind());
    first.sends(b"first");
    nc.shows(b"first");
    foreign.sends_to(b"FOREIGN", (Ipv4Addr::LOCALHOST, port).into());
    nc.settles();
    first.sends(b", again");
    nc.shows(b"first, again");
    nc.types(b"answer");
    first.receives(b"answer");
    foreign.has_received_nothing();
}

#[test]
fn datagrams_of_others_that_came_before_are_not_heard_either() {
    let (nc, port) = listener("");
    nc.stops();
    let (first, foreign) = (Datagrams::connect(port), Datagrams::connect(port));
    first.sends(b"one");
    foreign.sends(b"FOREIGN");
    foreign.sends(b"");
    first.sends(b", two");
    foreign.sends(b"FOREIGN");
    nc.continues();
    first.sends(b", three");
    nc.shows(b"one, two, three");
}

#[test]
fn an_empty_datagram_is_no_end() {
    for options in ["", "-k"] {
        let (mut nc, port) = listener(options);
        let peer = Datagrams::connect(port);
        peer.sends(b"");
        nc.settles();
        peer.sends(b"data");
        nc.shows(b"data");
        peer.sends(b"");
        peer.sends(b"");
        peer.sends(b", more");
        nc.shows(b"data, more");
        nc.types(b"answer");
        peer.receives(b"answer");
        nc.still_runs();
    }
}

#[test]
fn an_empty_datagram_is_no_end_for_a_client() {
    let peer = Datagrams::bind();
    let mut nc = client("", &peer).start();
    nc.types(b"question");
    let from = peer.receives(b"question");
    peer.sends_to(b"", from);
    nc.settles();
    peer.sends_to(b"answer", from);
    nc.shows(b"answer");
    nc.types(b"thanks");
    peer.receives(b"thanks");
}

#[test]
fn large_datagrams_arrive_whole() {
    for options in ["", "-k"] {
        for size in SIZES {
            let (nc, port) = listener(options);
            let datagram = noise(300, size);
            Datagrams::connect(port).sends(&datagram);
            nc.shows(&datagram);
        }
    }
    for size in SIZES {
        let peer = Datagrams::bind();
        let mut nc = client("", &peer).start();
        nc.types(b"?");
        let from = peer.receives(b"?");
        let datagram = noise(301, size);
        peer.sends_to(&datagram, from);
        nc.shows(&datagram);
    }
}

#[test]
fn large_reads_leave_whole() {
    for size in SIZES {
        let datagram = noise(302, size);
        let peer = Datagrams::bind();
        let (_dir, stdin) = file(&datagram);
        let _nc = client("", &peer).stdin(stdin).start();
        peer.receives(&datagram);
    }
}

#[test]
fn a_file_leaves_whole_and_in_order() {
    let payload = noise(303, 300_000);
    let peer = Datagrams::bind();
    let (_dir, stdin) = file(&payload);
    let nc = client("-w 1", &peer).stdin(stdin).start();
    let mut got = Vec::new();
    while got.len() < payload.len() {
        got.extend(peer.receives_any().0);
    }
    assert_same(&got, &payload, "all datagrams together");
    nc.ends().exits(0).said_nothing();
}

#[test]
fn one_read_of_stdin_is_one_datagram() {
    let peer = Datagrams::bind();
    let (stdin, mut packets) = packet_pipe();
    let nc = client("", &peer).stdin(stdin).start();
    // Together, so that they wait side by side: each must still leave alone.
    nc.stops();
    let sent: [&[u8]; 5] = [b"one", b"two\nlines\n", b"3", &noise(304, 4000), b"last"];
    for packet in sent {
        packets.write_all(packet).unwrap();
    }
    nc.continues();
    for packet in sent {
        peer.receives(packet);
    }
}

#[test]
fn one_read_of_stdin_is_one_datagram_of_a_listener_too() {
    for options in ["", "-k"] {
        let (stdin, mut packets) = packet_pipe();
        let (nc, port) = Nc::new(format!("-u -l {options}")).stdin(stdin).binds();
        let peer = Datagrams::connect(port);
        packets.write_all(b"waits").unwrap();
        packets.write_all(b"for\nyou").unwrap();
        peer.sends(b"here");
        nc.shows(b"here");
        peer.receives(b"waits");
        peer.receives(b"for\nyou");
    }
}

#[test]
fn udp_size_cuts_reads() {
    let payload = noise(305, 2500);
    let peer = Datagrams::bind();
    let (_dir, stdin) = file(&payload);
    let _nc = client("--udp-size 1000", &peer).stdin(stdin).start();
    for piece in payload.chunks(1000) {
        peer.receives(piece);
    }
}

#[test]
fn udp_line_makes_each_line_a_datagram() {
    let peer = Datagrams::bind();
    let mut nc = client("--udp-line", &peer).start();
    nc.types(b"one\ntwo\n\nfou");
    peer.receives(b"one\n");
    peer.receives(b"two\n");
    peer.receives(b"\n");
    nc.settles();
    peer.has_received_nothing();
    nc.types(b"r\nrest");
    peer.receives(b"four\n");
    nc.settles();
    peer.has_received_nothing();
    nc.ends_input();
    peer.receives(b"rest");
}

#[test]
fn udp_line_with_udp_size_cuts_long_lines() {
    let peer = Datagrams::bind();
    let mut nc = client("--udp-line --udp-size 4", &peer).start();
    nc.types(b"a\n1234567\nz\n");
    for datagram in [&b"a\n"[..], b"1234", b"567\n", b"z\n"] {
        peer.receives(datagram);
    }
}

#[test]
fn crlf_makes_each_line_a_datagram() {
    let peer = Datagrams::bind();
    let mut nc = client("-C", &peer).start();
    nc.types(b"a\nbb\n\nc\r\n");
    for datagram in [&b"a\r\n"[..], b"bb\r\n", b"\r\n", b"c\r\n"] {
        peer.receives(datagram);
    }
}

#[test]
fn both_directions_flow_at_once() {
    let peer = Datagrams::bind();
    let mut nc = client("--udp-size 1000", &peer).start();
    let (there, back) = (noise(306, 50_000), noise(307, 50_000));
    nc.types(b"?");
    let from = peer.receives(b"?");
    let socket = peer.socket.try_clone().unwrap();
    let answers = back.clone();
    let answering = thread::spawn(move || {
        for datagram in answers.chunks(1000) {
            socket.send_to(datagram, from).unwrap();
        }
    });
    nc.types_all(there.clone());
    let mut got = Vec::new();
    while got.len() < there.len() {
        got.extend(peer.receives_any().0);
    }
    assert_same(&got, &there, "all datagrams together");
    answering.join().unwrap();
    nc.shows(&back);
}

#[test]
fn ipv6_both_ways() {
    let (mut nc, port) = Nc::new("-u -l ::1").binds();
    let peer = Datagrams::bind_on(Ipv6Addr::LOCALHOST.into());
    peer.sends_to(b"question", (Ipv6Addr::LOCALHOST, port).into());
    nc.shows(b"question");
    nc.types(b"answer");
    peer.receives(b"answer");

    let mut nc = Nc::new(format!("-u ::1 {}", peer.port())).start();
    nc.types(b"question");
    let from = peer.receives(b"question");
    assert!(from.is_ipv6());
    peer.sends_to(b"answer", from);
    nc.shows(b"answer");
}

#[test]
fn a_listener_on_every_address_hears_both_families() {
    let (mut nc, port) = Nc::new("-u -l -6").binds();
    nc.says(&format!("Bound on :: {port}"));
    let peer = Datagrams::connect(port);
    peer.sends(b"over IPv4");
    nc.shows(b"over IPv4");
    nc.types(b"answer");
    peer.receives(b"answer");
}

#[test]
fn the_source_is_as_asked() {
    let reserved = Datagrams::bind();
    let port = reserved.port();
    drop(reserved);
    let peer = Datagrams::bind();
    let mut nc = client(&format!("-s 127.0.0.2 -p {port}"), &peer).start();
    nc.types(b"hello");
    assert_eq!(peer.receives(b"hello").to_string(), format!("127.0.0.2:{port}"));
}

/// More than Debian's buffer; more than one page of a jumbo frame; the most UDP over IPv4 can carry.
const SIZES: [usize; 3] = [16_385, 40_000, 65_507];
