//! `-z`: which ports are open. Lines, their order and the exit status are Debian's; that the ports are
//! probed at the same time shows in the time alone.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::support::places::with_hosts;
use crate::support::ports::{open, refused, silent};
use crate::support::{Nc, Peer, Ports};

#[test]
fn a_range_is_told_in_ascending_order() {
    let ports = Ports::reserve(11);
    let found = ports.opens(4);
    let [low, high] = [ports.at(0), ports.at(10)];
    let lines: String =
        ports.all().map(|port| if port == found { open(port) } else { refused(port) }).collect();
    for range in [format!("{low}-{high}"), format!("{high}-{low}")] {
        let end = Nc::new(format!("-zv 127.0.0.1 {range}")).start().ends();
        end.exits(0).showed(b"").said(&lines);
    }
}

#[test]
fn without_v_nothing_is_said() {
    let ports = Ports::reserve(5);
    let scan = format!("-z 127.0.0.1 {}", ports.range());
    Nc::new(&scan).start().ends().exits(1).showed(b"").said_nothing();
    ports.opens(4);
    Nc::new(&scan).start().ends().exits(0).showed(b"").said_nothing();
}

#[test]
fn a_list_is_told_as_it_was_given() {
    let ports = Ports::reserve(6);
    let [a, b, c, d] = [5, 1, 2, 0].map(|index| ports.at(index));
    ports.opens(2);
    let args = format!("-z -v 127.0.0.1 {a} {b}-{c} {d} {c} {a}");
    let lines = [refused(a), refused(b), open(c), refused(d), open(c), refused(a)].concat();
    Nc::new(args).start().ends().exits(0).showed(b"").said(&lines);
}

#[test]
fn one_port_is_a_scan_too() {
    let ports = Ports::reserve(2);
    let (found, closed) = (ports.opens(0), ports.at(1));
    Nc::new(format!("-zv 127.0.0.1 {found}")).start().ends().exits(0).said(&open(found));
    Nc::new(format!("-zv 127.0.0.1 {closed}")).start().ends().exits(1).said(&refused(closed));
}

#[test]
fn random_order_leaves_nothing_out() {
    let ports = Ports::reserve(60);
    let found = ports.opens(30);
    let args = format!("-r -zv 127.0.0.1 {}", ports.range());
    let ascending: Vec<String> =
        ports.all().map(|port| if port == found { open(port) } else { refused(port) }).collect();
    let end = Nc::new(args).start().ends();
    end.exits(0).showed(b"");
    let told: Vec<String> = end.stderr.lines().map(|line| format!("{line}\n")).collect();
    assert_eq!(told.len(), ascending.len(), "{}", end.stderr);
    assert_eq!(told.iter().collect::<BTreeSet<_>>(), ascending.iter().collect());
    // By chance once in 60! times.
    assert_ne!(told, ascending);
}

#[test]
fn stdin_is_left_alone() {
    let ports = Ports::reserve(1);
    let port = ports.opens(0);
    let args = format!("-z 127.0.0.1 {port}");
    // An end of file would change nothing; here is none, and here is nothing at all.
    Nc::new(&args).start().ends().exits(0).said_nothing();
    Nc::new(&args).closed(0).start().ends().exits(0).said_nothing();
    let (read, mut write) = crate::support::ends::packet_pipe();
    std::io::Write::write_all(&mut write, b"for the next command").unwrap();
    let kept = read.try_clone().unwrap();
    Nc::new(&args).stdin(read).start().ends().exits(0).said_nothing();
    let mut left = [0; 64];
    let count = rustix::io::read(kept, &mut left).unwrap();
    assert_eq!(&left[..count], b"for the next command");
}

#[test]
fn an_open_port_is_told_nothing() {
    let server = crate::support::Server::start();
    let nc = Nc::new(format!("-z 127.0.0.1 {}", server.port())).start();
    let mut peer = server.accepts();
    peer.is_ended();
    nc.ends().exits(0);
}

/// A firewall that drops what it does not like, and `-w`.
#[test]
fn filtered_ports_are_waited_for_together() {
    let ports = Ports::reserve(300);
    let [first, last] = [ports.opens(0), ports.opens(299)];
    for index in 1..299 {
        ports.filters(index);
    }
    let begun = Instant::now();
    let end = Nc::new(format!("-zv -w 1 127.0.0.1 {}", ports.range())).start().ends();
    let took = begun.elapsed();
    let lines: String = ports
        .all()
        .map(|port| if [first, last].contains(&port) { open(port) } else { silent(port) })
        .collect();
    end.exits(0).showed(b"").said(&lines);
    assert!(took >= Duration::from_secs(1), "{took:?}");
    assert!(took < Duration::from_secs(10), "one after another would be 298 s: {took:?}");
}

#[test]
fn without_w_a_probe_waits_three_seconds() {
    let ports = Ports::reserve(2);
    let [first, second] = [ports.filters(0), ports.filters(1)];
    let begun = Instant::now();
    let end = Nc::new(format!("-zv 127.0.0.1 {}", ports.range())).start().ends();
    let took = begun.elapsed();
    end.exits(1).said(&(silent(first) + &silent(second)));
    let (least, most) = (Duration::from_secs(3), Duration::from_secs(6));
    assert!(took >= least && took < most, "{took:?}");
}

/// Line by line: whoever reads along does not wait for the end.
#[test]
fn a_line_is_told_when_its_turn_has_come() {
    let ports = Ports::reserve(3);
    let lines = open(ports.opens(0)) + &refused(ports.at(1));
    let last = ports.filters(2);
    let mut nc = Nc::new(format!("-zv -w 20 127.0.0.1 {}", ports.range())).start();
    nc.says(&format!("port {} ", ports.at(1)));
    nc.settles();
    assert_eq!(nc.stderr_text(), lines);
    ports.unfilters(2);
    nc.ends().exits(0).said(&(lines + &open(last)));
}

#[test]
fn every_port_can_be_asked_for() {
    let ports = Ports::reserve(3);
    ports.opens(1);
    let scan = |goal: &str| {
        let args = format!("-z --scan-exit {goal} 127.0.0.1 {}", ports.range());
        Nc::new(args).start().ends()
    };
    scan("any").exits(0).said_nothing();
    scan("all").exits(1).said_nothing();
    ports.opens(0);
    scan("all").exits(1).said_nothing();
    ports.opens(2);
    scan("all").exits(0).said_nothing();
    scan("none").exits(1).said_one_line_with("none");
}

#[test]
fn the_time_and_a_summary_at_vv() {
    let ports = Ports::reserve(11);
    let (found, filtered) = (ports.opens(4), ports.filters(7));
    let scan = |options: &str, operands: &str| {
        let end = Nc::new(format!("-zvv -w 0.4 {options} 127.0.0.1 {operands}")).start().ends();
        let levels = ["ERROR ", "WARN ", "INFO ", "DEBUG ", "TRACE ", "[", "nc: note:"];
        let lines = end.stderr.lines().filter(|line| !levels.iter().any(|l| line.starts_with(l)));
        (lines.map(str::to_owned).collect::<Vec<_>>(), end)
    };
    let (lines, end) = scan("", &ports.range());
    end.exits(0).showed(b"");
    let (summary, lines) = lines.split_last().unwrap();
    let mut times = Vec::new();
    let mut plain = String::new();
    for line in lines {
        let (before, time) = line.rsplit_once(" (").unwrap_or_else(|| panic!("{line:?}"));
        let time = time.strip_suffix(" ms)").unwrap_or_else(|| panic!("{line:?}"));
        let (_, decimals) = time.split_once('.').unwrap_or_else(|| panic!("{line:?}"));
        assert_eq!(decimals.len(), 3, "{line:?}");
        times.push(time.parse::<f64>().unwrap());
        plain += before;
        plain.push('\n');
    }
    let expected = ports.all().map(|port| match port {
        _ if port == found => open(port),
        _ if port == filtered => silent(port),
        _ => refused(port),
    });
    assert_eq!(plain, expected.collect::<String>());
    assert!(times[7] >= 400.0, "{lines:#?}");
    let seconds = summary.strip_prefix("nc: 11 ports in ").unwrap_or_else(|| panic!("{summary}"));
    let (seconds, counts) = seconds.split_once(" s: ").unwrap_or_else(|| panic!("{summary}"));
    assert!(seconds.parse::<f64>().unwrap() >= 0.4, "{summary}");
    assert_eq!(counts, "1 open, 9 closed, 1 filtered");

    let (lines, end) = scan("", &found.to_string());
    end.exits(0);
    let summary = lines.last().unwrap();
    assert!(summary.starts_with("nc: 1 port in ") && summary.ends_with(": 1 open"), "{summary}");
}

#[test]
fn a_scanner_does_not_listen() {
    for args in ["-z -l 0", "-zl 127.0.0.1 0", "-zlu 0"] {
        let end = Nc::new(args).start().ends();
        end.exits(1).showed(b"").said("nc: cannot use -z and -l\n");
    }
}

#[test]
fn a_name_that_nobody_knows_is_told_once() {
    for options in ["", "-v", "-u"] {
        let end = Nc::new(format!("-zn {options} nosuch.invalid 4000-4010")).start().ends();
        end.exits(1).showed(b"").said(
            "nc: getaddrinfo for host \"nosuch.invalid\" port 4000: Name or service not known\n",
        );
    }
}

/// What the owner of the project has seen.
#[test]
fn a_listener_that_is_scanned_has_had_its_client() {
    let (listener, port) = Nc::new("-l").listens();
    Nc::new(format!("-zv 127.0.0.1 {port}")).start().ends().exits(0).said(&open(port));
    let end = listener.ends();
    end.exits(0).showed(b"");
    let received = "Connection received on localhost ";
    assert!(end.stderr.lines().any(|line| line.starts_with(received)), "{}", end.stderr);
}

#[test]
fn a_listener_with_k_outlives_scans() {
    let (mut listener, port) = Nc::new("-lk").listens();
    let ports = vec![port.to_string(); 20].join(" ");
    Nc::new(format!("-z --scan-exit all 127.0.0.1 {ports}")).start().ends().exits(0);
    listener.settles();
    let mut peer = Peer::connect(port);
    peer.sends(b"a client");
    listener.shows(b"a client");
}

#[test]
#[ignore = "needs root"]
fn each_address_of_a_name_has_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let ports = Ports::reserve(3);
    let found = ports.opens(1);
    let scan = |options: &str, hosts: &str| {
        let nc = Nc::new(format!("-zv {options} several.test {}", ports.range()));
        with_hosts(dir.path(), hosts, nc).start().ends()
    };
    let line = |address: &str, port: u16| match (address, port == found) {
        ("127.0.0.1", true) => {
            format!("Connection to several.test (127.0.0.1) {port} port [tcp/*] succeeded!\n")
        }
        _ => format!(
            "nc: connect to several.test ({address}) port {port} (tcp) failed: Connection refused\n"
        ),
    };
    let told = |addresses: &[&str]| -> String {
        ports.all().flat_map(|port| addresses.iter().map(move |to| line(to, port))).collect()
    };
    scan("", SEVERAL).exits(0).said(&told(&["::1", "127.0.0.1"]));
    scan("-6", SEVERAL).exits(1).said(&told(&["::1"]));
    // One address that answers is enough for a port.
    let named = "127.0.0.1 several.test\n::1 several.test\n";
    let end = scan("", named);
    end.exits(0);
    assert_eq!(end.stderr.matches("succeeded!").count(), 1, "{}", end.stderr);
}

const SEVERAL: &str = "::1 several.test\n127.0.0.1 several.test\n";
