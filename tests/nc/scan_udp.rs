//! `-uz`: a port that says "unreachable" is closed; one that answers is open; silence may be either, and
//! counts as Debian counts it.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::places::{alone, beside};
use crate::support::{Datagrams, Nc, RefusingPort, wait_until};

/// The line of `-v` for a port that did not refuse.
fn open(port: u16) -> String {
    format!("Connection to 127.0.0.1 {port} port [udp/*] succeeded!\n")
}

#[test]
fn a_closed_port_is_not_spoken_of() {
    let closed = RefusingPort::reserve();
    for options in ["-uz", "-uzv", "-uz -w 20"] {
        let end = Nc::new(format!("{options} 127.0.0.1 {}", closed.port())).start().ends();
        end.exits(1).showed(b"").said_nothing();
    }
}

#[test]
fn silence_counts_as_open() {
    let port = Datagrams::bind();
    let begun = Instant::now();
    let end = Nc::new(format!("-uzv -w 0.4 127.0.0.1 {}", port.port())).start().ends();
    assert!(begun.elapsed() >= Duration::from_millis(400));
    end.exits(0).showed(b"").said(&open(port.port()));
    Nc::new(format!("-uz -w 0.4 127.0.0.1 {}", port.port())).start().ends().exits(0).said_nothing();
}

#[test]
fn silence_lasts_three_seconds_without_w() {
    let port = Datagrams::bind();
    let begun = Instant::now();
    let end = Nc::new(format!("-uzv 127.0.0.1 {}", port.port())).start().ends();
    let took = begun.elapsed();
    end.exits(0).said(&open(port.port()));
    let (least, most) = (Duration::from_secs(3), Duration::from_secs(6));
    assert!(took >= least && took < most, "{took:?}");
    for _ in 0..3 {
        port.receives(b"\0");
    }
}

#[test]
fn an_answer_ends_it() {
    for answer in [&b"here"[..], b""] {
        let port = Datagrams::bind();
        let nc = Nc::new(format!("-uzv -w 60 127.0.0.1 {}", port.port())).start();
        let from = port.receives(b"\0");
        port.sends_to(answer, from);
        nc.ends().exits(0).showed(b"").said(&open(port.port()));
    }
}

/// A datagram may be lost.
#[test]
fn it_asks_again_every_second() {
    let port = Datagrams::bind();
    let nc = Nc::new(format!("-uzv -w 60 127.0.0.1 {}", port.port())).start();
    let first = port.receives(b"\0");
    let begun = Instant::now();
    for _ in 0..2 {
        assert_eq!(port.receives(b"\0"), first, "it has become somebody else");
    }
    // The first may have lain there for a while.
    assert!(begun.elapsed() >= Duration::from_millis(1_500), "{:?}", begun.elapsed());
    port.sends_to(b"at last", first);
    nc.ends().exits(0).said(&open(port.port()));
}

#[test]
fn a_port_that_closes_meanwhile_is_closed() {
    let port = Datagrams::bind();
    let nc = Nc::new(format!("-uzv -w 60 127.0.0.1 {}", port.port())).start();
    port.receives(b"\0");
    port.refuses();
    nc.ends().exits(1).showed(b"").said_nothing();
}

#[test]
fn one_is_asked_what_one_likes() {
    for (probe, asked) in
        [("hex:616263", &b"abc"[..]), ("hex:00ff0A", b"\0\xff\n"), ("text", b"text")]
    {
        let port = Datagrams::bind();
        let nc = Nc::new("-uz -w 60 --probe").arg(probe).arg("127.0.0.1");
        let nc = nc.arg(port.port().to_string()).start();
        let from = port.receives(asked);
        port.sends_to(b"yes", from);
        nc.ends().exits(0).said_nothing();
    }
    for wrong in ["hex:6", "hex:zz", "hex:61 62"] {
        let end = Nc::new("-uz --probe").arg(wrong).arg("127.0.0.1").arg("9").start().ends();
        end.exits(1).showed(b"").said_one_line_with("hex:");
    }
}

#[test]
fn ports_are_asked_together_and_told_in_order() {
    let silent: Vec<Datagrams> = (0..20).map(|_| Datagrams::bind()).collect();
    let closed = RefusingPort::reserve();
    let mut ports: Vec<u16> = silent.iter().map(Datagrams::port).collect();
    let told: String = ports.iter().map(|&port| open(port)).collect();
    ports.insert(10, closed.port());
    // Debian lets the last port decide; here one that may be open is enough.
    ports.push(closed.port());
    let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
    let begun = Instant::now();
    let end = Nc::new(format!("-uzv -w 1 127.0.0.1 {}", ports.join(" "))).start().ends();
    let took = begun.elapsed();
    end.exits(0).showed(b"").said(&told);
    assert!(took < Duration::from_secs(8), "one after another would be 20 s: {took:?}");
    let all = format!("-uz --scan-exit all -w 0.4 127.0.0.1 {}", ports.join(" "));
    Nc::new(all).start().ends().exits(1).said_nothing();
}

#[test]
fn the_local_end_is_as_asked_for() {
    let port = Datagrams::bind();
    let local = Datagrams::bind().port();
    let args = format!("-uz -w 60 -s 127.0.0.2 -p {local} 127.0.0.1 {}", port.port());
    let nc = Nc::new(args).start();
    let from = port.receives(b"\0");
    assert_eq!(from.to_string(), format!("127.0.0.2:{local}"));
    port.sends_to(b"yes", from);
    nc.ends().exits(0);
}

/// Services that do not answer a NUL are asked something they understand.
#[test]
#[ignore = "needs root"]
fn well_known_services_are_asked_in_their_language() {
    for (port, name) in [(53, "domain"), (123, "ntp"), (161, "snmp")] {
        let mut listener = alone(Nc::new(format!("-luv 127.0.0.1 {port}"))).start();
        assert_eq!(listener.bound_port(), port);
        let scan = Nc::new(format!("-uzv -w 60 127.0.0.1 {port}"));
        let scan = beside(scan, &listener).start();
        wait_until("the question is shown", || !listener.shown().is_empty());
        listener.types(b"an answer");
        scan.ends()
            .exits(0)
            .said(&format!("Connection to 127.0.0.1 {port} port [udp/{name}] succeeded!\n"));
        listener.signal(Signal::TERM);
        let asked = listener.ends().stdout;
        match port {
            53 => {
                // RFC 1035, 4.1.1: a query, one question, nothing else said.
                assert!(asked.len() >= 17, "{asked:?}");
                assert_eq!(asked[2] & 0x80, 0, "not a query: {asked:?}");
                assert_eq!(asked[4..6], [0, 1], "not one question: {asked:?}");
            }
            // RFC 5905, 7.3: version 1 to 4, mode 3 is a client.
            123 => assert!(asked.len() == 48 && asked[0] & 7 == 3, "{asked:?}"),
            // BER: one SEQUENCE of just this length.
            _ => assert!(asked[0] == 0x30 && usize::from(asked[1]) + 2 == asked.len(), "{asked:?}"),
        }
    }
}
