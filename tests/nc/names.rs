//! Names with several addresses: they are raced, and none fails in silence. A name is looked up once, for
//! however many ports.
//!
//! Most names live in a hosts file of the test's own, which only root can put in the program's way:
//! in a mount namespace that ends with the program.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use tempfile::tempdir;

use crate::support::peer::SilentPort;
use crate::support::places::with_hosts;
use crate::support::strace::Trace;
use crate::support::{ClosedPort, Nc, Ports, Server};

#[test]
#[ignore = "needs root"]
fn every_address_that_fails_is_reported() {
    let dir = tempdir().unwrap();
    let closed = ClosedPort::reserve();
    let port = closed.port();
    let args = format!("-v several.test {port}");
    let end = with_hosts(dir.path(), SEVERAL, Nc::new(args)).start().ends();
    end.exits(1).showed(b"");
    for address in ["::1", "127.0.0.1"] {
        let line = format!(
            "nc: connect to several.test ({address}) port {port} (tcp) failed: Connection refused\n"
        );
        assert!(end.stderr.contains(&line), "said {:?}", end.stderr);
    }
    assert_eq!(end.stderr.lines().count(), 2, "said {:?}", end.stderr);

    let quiet = Nc::new(format!("several.test {port}"));
    let end = with_hosts(dir.path(), SEVERAL, quiet).start().ends();
    end.exits(1).showed(b"").said_one_line_with("Connection refused");
}

#[test]
#[ignore = "needs root"]
fn a_second_address_is_used_when_the_first_refuses() {
    let dir = tempdir().unwrap();
    let server = Server::start();
    let port = server.port();
    let nc = Nc::new(format!("-v -N several.test {port}")).stdin_null();
    let nc = with_hosts(dir.path(), SEVERAL, nc).start();
    server.accepts().receives_eof();
    nc.ends().exits(0).said(&format!(
        "nc: connect to several.test (::1) port {port} (tcp) failed: Connection refused\n\
         Connection to several.test (127.0.0.1) {port} port [tcp/*] succeeded!\n"
    ));
}

#[test]
#[ignore = "needs root"]
fn the_first_address_is_preferred() {
    let dir = tempdir().unwrap();
    let server = Server::start_on(IpAddr::V6(Ipv6Addr::LOCALHOST));
    let port = server.port();
    let nc = Nc::new(format!("-v -N several.test {port}")).stdin_null();
    let nc = with_hosts(dir.path(), SEVERAL, nc).start();
    server.accepts().receives_eof();
    let line = format!("Connection to several.test (::1) {port} port [tcp/*] succeeded!\n");
    nc.ends().exits(0).said(&line);
}

#[test]
#[ignore = "needs root"]
fn an_address_that_does_not_answer_holds_nobody_up() {
    let dir = tempdir().unwrap();
    // One port, silent at one address and served at another; both orders are tried.
    let silent = SilentPort::start();
    let port = silent.port();
    let served = std::net::TcpListener::bind((Ipv4Addr::new(127, 0, 0, 3), port)).unwrap();
    for hosts in ["127.0.0.1 racing.test\n127.0.0.3 racing.test\n", RACING_REVERSED] {
        let begun = Instant::now();
        let nc = Nc::new(format!("-v -N racing.test {port}")).stdin_null();
        let nc = with_hosts(dir.path(), hosts, nc).start();
        let line = nc.says("succeeded!");
        assert!(line.contains("(127.0.0.3)"), "{line}");
        let took = begun.elapsed();
        assert!(took < Duration::from_secs(2), "connected only after {took:?}");
        drop(served.accept().unwrap());
        nc.ends().exits(0);
    }
}

/// getaddrinfo(3) blocks: nothing may wait for it port by port.
#[test]
#[ignore = "needs strace"]
fn a_name_is_looked_up_once_for_all_ports() {
    let (proxy, ports) = (ClosedPort::reserve(), Ports::reserve(5));
    let lookups = |options: &str, ports: &str| {
        let args = format!("{} {ports}", options.replace("PROXY", &proxy.port().to_string()));
        let (nc, trace) = Trace::of(Nc::new(args).stdin_null(), "openat");
        nc.start().ends().exits(1).showed(b"");
        trace.calls().iter().filter(|call| call.contains("\"/etc/hosts\"")).count()
    };
    for options in [
        "localhost",
        "-z localhost",
        // The proxy's name.
        "-x localhost:PROXY h.example",
        "-z -x localhost:PROXY h.example",
        // What a proxy is told.
        "-X 4 -x 127.0.0.1:PROXY localhost",
        "-z -X 4 -x 127.0.0.1:PROXY localhost",
        "-z -X 5 --proxy-dns local -x 127.0.0.1:PROXY localhost",
        "-z -X 5 --proxy-dns both -x 127.0.0.1:PROXY localhost",
        "-z -X 5 --proxy-dns local -x 127.0.0.1:PROXY -x localhost:1080 127.0.0.1",
    ] {
        let of_one = lookups(options, &ports.at(0).to_string());
        assert!(of_one > 0, "{options}: so that it is known what a look-up looks like");
        assert_eq!(lookups(options, &ports.range()), of_one, "{options}");
    }
}

const SEVERAL: &str = "::1 several.test\n127.0.0.1 several.test\n";

const RACING_REVERSED: &str = "127.0.0.3 racing.test\n127.0.0.1 racing.test\n";
