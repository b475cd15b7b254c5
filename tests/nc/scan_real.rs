//! The same scans by Debian's program, byte for byte.

use std::os::unix::net::UnixListener;

use tempfile::tempdir;

use crate::support::places::with_hosts;
use crate::support::proxies::{Kind, PORT, plays};
use crate::support::{ClosedPort, Datagrams, Nc, Ports, RefusingPort, Server};

/// Both say the same, show nothing, and end in the same way; `what` says what kind of place it is.
#[track_caller]
fn assert_same_scan(args: &str, status: i32, place: impl Fn(Nc) -> Nc) {
    let theirs = place(Nc::other("nc.openbsd", args)).start().ends();
    // Its lines begin with the name it was called by.
    let said: String = theirs
        .stderr
        .split_inclusive('\n')
        .map(|line| match line.strip_prefix("nc.openbsd: ") {
            Some(rest) => format!("nc: {rest}"),
            None => line.to_owned(),
        })
        .collect();
    theirs.exits(status).showed(b"");
    place(Nc::new(args)).start().ends().exits(status).showed(b"").said(&said);
}

#[test]
#[ignore = "needs nc.openbsd"]
fn ports_of_an_address() {
    let ports = Ports::reserve(11);
    let range = ports.range();
    let [first, last] = [ports.at(0), ports.at(10)];
    for options in ["-z", "-zv", "-nzv", "-zv -w 1", "-z -v -4"] {
        assert_same_scan(&format!("{options} 127.0.0.1 {range}"), 1, |nc| nc);
    }
    ports.opens(4);
    ports.opens(10);
    for options in ["-z", "-zv", "-nzv", "-zv -w 1", "-zv -s 127.0.0.2"] {
        assert_same_scan(&format!("{options} 127.0.0.1 {range}"), 0, |nc| nc);
    }
    for list in [
        format!("{last}-{first}"),
        format!("{last} {first} {last}"),
        format!("{first}-{first} {range} {last}"),
        format!("{last} http-alt {first}"),
    ] {
        assert_same_scan(&format!("-zv 127.0.0.1 {list}"), 0, |nc| nc);
    }
    ports.filters(6);
    assert_same_scan(&format!("-zv -w 1 127.0.0.1 {range}"), 0, |nc| nc);
}

#[test]
#[ignore = "needs nc.openbsd"]
fn ports_of_localhost() {
    let ports = Ports::reserve(5);
    ports.opens(2);
    for options in ["-z", "-zv", "-nzv", "-zv -w 1"] {
        let status = i32::from(options == "-nzv");
        assert_same_scan(&format!("{options} localhost {}", ports.range()), status, |nc| nc);
    }
}

#[test]
#[ignore = "needs nc.openbsd and root"]
fn ports_of_a_name_with_several_addresses() {
    let dir = tempdir().unwrap();
    let ports = Ports::reserve(5);
    let found = ports.opens(2);
    let both = Server::start_on(std::net::Ipv6Addr::LOCALHOST.into());
    for hosts in ["::1 it.test\n127.0.0.1 it.test\n", "127.0.0.1 it.test\n::1 it.test\n"] {
        let place = |nc| with_hosts(dir.path(), hosts, nc);
        let range = ports.range();
        for (options, status) in [("-z", 0), ("-zv", 0), ("-zv -6", 1)] {
            assert_same_scan(&format!("{options} it.test {range}"), status, place);
        }
        let six = both.port();
        assert_same_scan(&format!("-zv it.test {six} {range} {found}"), 0, place);
    }
    // Not with -4: Debian's tries the second 127.0.0.1 too that the C library makes of ::1.
    let hosts = "::1 localhost\n127.0.0.1 localhost\n";
    let place = |nc| with_hosts(dir.path(), hosts, nc);
    assert_same_scan(&format!("-zv localhost {}", ports.range()), 0, place);
}

#[test]
#[ignore = "needs nc.openbsd"]
fn what_ends_a_scan_early() {
    let ports = Ports::reserve(3);
    let taken = ports.opens(2);
    let range = ports.range();
    for args in [
        format!("-z -s 192.0.2.1 127.0.0.1 {range}"),
        format!("-zv -p {taken} 127.0.0.1 {range}"),
        format!("-zn nosuch.invalid {range}"),
        format!("-z -4 ::1 {range}"),
        "-z 127.0.0.1 0".to_owned(),
        "-z 127.0.0.1 70000-70001".to_owned(),
        "-z 127.0.0.1 1-2-3".to_owned(),
        "-z 127.0.0.1 http-https".to_owned(),
        "-z -l 4004".to_owned(),
    ] {
        assert_same_scan(&args, 1, |nc| nc);
    }
}

#[test]
#[ignore = "needs nc.openbsd"]
fn udp_ports() {
    let (silent, closed) = (Datagrams::bind(), RefusingPort::reserve());
    assert_same_scan(&format!("-uzv -w 1 127.0.0.1 {}", silent.port()), 0, |nc| nc);
    assert_same_scan(&format!("-uzv -w 1 127.0.0.1 {}", closed.port()), 1, |nc| nc);
    // The other way round the status of Debian's is that of the last one that is closed.
    let both = format!("-uzv -w 1 127.0.0.1 {} {}", silent.port(), silent.port());
    assert_same_scan(&both, 0, |nc| nc);
}

#[test]
#[ignore = "needs nc.openbsd"]
fn unix_sockets() {
    let dir = tempdir().unwrap();
    let [path, dead, absent] = ["s", "dead", "absent"].map(|name| dir.path().join(name));
    let _listener = UnixListener::bind(&path).unwrap();
    drop(UnixListener::bind(&dead).unwrap());
    let name = format!("@nc-scan-{}", std::process::id());
    for options in ["-zU", "-zvU"] {
        assert_same_scan(&format!("{options} {}", path.display()), 0, |nc| nc);
        assert_same_scan(&format!("{options} {}", dead.display()), 1, |nc| nc);
        assert_same_scan(&format!("{options} {}", absent.display()), 1, |nc| nc);
        assert_same_scan(&format!("{options} {name}"), 1, |nc| nc);
    }
}

#[test]
#[ignore = "needs nc.openbsd"]
fn through_a_proxy() {
    let closed = ClosedPort::reserve();
    for options in ["-z", "-zv"] {
        let proxy = format!("-x 127.0.0.1:{}", closed.port());
        assert_same_scan(&format!("{options} {proxy} h.example 4004-4005"), 1, |nc| nc);
    }
    let said = ["nc.openbsd", env!("CARGO_BIN_EXE_nc")].map(|program| {
        let server = Server::start();
        let args = format!("-zv -x 127.0.0.1:{} h.example {PORT}", server.port());
        let nc = Nc::other(program, args).start();
        let mut peer = server.accepts();
        plays(&mut peer, &Kind::Socks5.dialogue("h.example", PORT));
        peer.is_ended();
        let end = nc.ends();
        end.exits(0).showed(b"");
        end.stderr
    });
    assert_eq!(said[0], said[1]);
}
