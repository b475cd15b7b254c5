//! A scan's place in the world: how fast it probes, where from, how much room it takes, and who looks
//! on.

use std::io::{BufRead, BufReader};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::ends::{Kind, Output, pipe};
use crate::support::ports::{open, refused, silent};
use crate::support::screen::left_on_screen;
use crate::support::strace::Trace;
use crate::support::{Finished, Nc, Ports, Server, watch};

/// Runs it to its end, and says how long that took.
#[track_caller]
fn timed(nc: Nc) -> (Finished, Duration) {
    let begun = Instant::now();
    let end = nc.start().ends();
    let took = end.ended - begun;
    (end, took)
}

#[test]
fn one_at_a_time() {
    let ports = Ports::reserve(4);
    let told: String = (0..3).map(|index| silent(ports.filters(index))).collect();
    let told = told + &open(ports.opens(3));
    for (most, least) in [(1, 1_200), (2, 800), (3, 400)] {
        let args = format!("-zv -w 0.4 --max-parallelism {most} 127.0.0.1 {}", ports.range());
        let (end, took) = timed(Nc::new(args));
        end.exits(0).said(&told);
        let least = Duration::from_millis(least);
        assert!(took >= least, "{most} at a time: {took:?}");
    }
}

#[test]
#[ignore = "needs strace"]
fn one_at_a_time_on_the_wire() {
    let ports = Ports::reserve(4);
    ports.opens(1);
    let args = format!("-zr --max-parallelism 1 127.0.0.1 {}", ports.range());
    let (nc, trace) = Trace::of(Nc::new(args), "connect,close");
    nc.start().ends().exits(0);
    let calls = trace.calls();
    let mut sockets: Vec<u32> = Vec::new();
    for call in &calls {
        let fd = |name: &str| {
            Some(call.strip_prefix(name)?.split([',', ')']).next()?.parse::<u32>().unwrap())
        };
        if call.contains("sin_port") {
            assert!(sockets.is_empty(), "a second one beside the first: {calls:#?}");
            sockets.extend(fd("connect("));
        } else if let Some(closed) = fd("close(") {
            sockets.retain(|&socket| socket != closed);
        }
    }
    assert_eq!(calls.iter().filter(|call| call.contains("sin_port")).count(), 4, "{calls:#?}");
}

#[test]
fn beginnings_are_spaced() {
    let ports = Ports::reserve(5);
    ports.opens(4);
    for (options, least) in [
        ("-i 0.2", 800),
        ("-i 200ms", 800),
        ("--rate 10", 400),
        // The slower of the two counts.
        ("-i 0.01 --rate 10", 400),
        ("-i 0.2 --rate 1000", 800),
    ] {
        let (end, took) = timed(Nc::new(format!("-z {options} 127.0.0.1 {}", ports.range())));
        end.exits(0).said_nothing();
        assert!(took >= Duration::from_millis(least), "{options}: {took:?}");
    }
}

/// While one is waited for, the others go on.
#[test]
fn spacing_does_not_wait_for_answers() {
    let ports = Ports::reserve(5);
    for index in 0..5 {
        ports.filters(index);
    }
    let (end, took) = timed(Nc::new(format!("-z -w 2 -i 0.1 127.0.0.1 {}", ports.range())));
    end.exits(1).said_nothing();
    assert!(took >= Duration::from_millis(2_400), "{took:?}");
    assert!(took < Duration::from_secs(8), "one after another would be 10 s: {took:?}");
}

#[test]
fn the_local_address_is_told() {
    let ports = Ports::reserve(3);
    for index in 0..3 {
        ports.opens(index);
    }
    let args = format!("-z -s 127.0.0.2 127.0.0.1 {}", ports.range());
    Nc::new(args).start().ends().exits(0).said_nothing();
    for index in 0..3 {
        assert_eq!(ports.client(index).ip().to_string(), "127.0.0.2");
    }
}

#[test]
fn one_local_port_does_for_several() {
    let ports = Ports::reserve(4);
    for index in 0..3 {
        ports.opens(index);
    }
    let told = [0, 1, 2].map(|index| open(ports.at(index))).concat() + &refused(ports.at(3));
    for options in ["", "--max-parallelism 1"] {
        let local = free_port();
        let args = format!("-zv {options} -p {local} 127.0.0.1 {}", ports.range());
        Nc::new(args).start().ends().exits(0).said(&told);
        for index in 0..3 {
            assert_eq!(ports.client(index).port(), local);
        }
    }
}

/// Two ends of one socket: a connection that nobody has accepted.
#[test]
fn who_meets_himself_has_found_nothing() {
    for options in ["", "-w 1", "--max-parallelism 1"] {
        // Its own, for the kernel remembers such a connection for a minute.
        let port = free_port();
        let end = Nc::new(format!("-zv {options} -p {port} 127.0.0.1 {port}")).start().ends();
        end.exits(1).showed(b"").said(&refused(port));
    }
}

#[test]
fn a_local_address_that_cannot_be_had_is_the_end() {
    let ports = Ports::reserve(4);
    let taken = ports.opens(3);
    let scan = |options: &str| {
        let args = format!("-z {options} 127.0.0.1 {}-{}", ports.at(0), ports.at(2));
        Nc::new(args).start().ends()
    };
    ports.opens(1);
    for options in ["", "-v", "--max-parallelism 1"] {
        let line = "nc: bind failed: Address already in use\n";
        scan(&format!("{options} -p {taken}")).exits(1).showed(b"").said(line);
        let line = "nc: bind failed: Cannot assign requested address\n";
        scan(&format!("{options} -s 192.0.2.1")).exits(1).showed(b"").said(line);
    }
}

#[test]
#[ignore = "needs prlimit"]
fn few_descriptors_make_it_slower_and_no_more() {
    let ports = Ports::reserve(100);
    let found = [ports.opens(0), ports.opens(50), ports.opens(99)];
    let closed = ports.at(98);
    let filtered = (1..98).filter(|&index| index != 50);
    for index in filtered {
        ports.filters(index);
    }
    let told: String = ports
        .all()
        .map(|port| match port {
            _ if found.contains(&port) => open(port),
            _ if port == closed => refused(port),
            _ => silent(port),
        })
        .collect();
    let args = format!("-zv -w 0.2 127.0.0.1 {}", ports.range());
    for limit in ["--nofile=20", "--nofile=32", "--nofile=64", "--nofile=1024"] {
        let end = Nc::new(&args).under("prlimit", &[limit]).start().ends();
        end.exits(0).showed(b"").said(&told);
    }
    // Room for no more than one at a time.
    let few = format!("-zv -w 0.2 127.0.0.1 {}-{}", ports.at(0), ports.at(5));
    let lines: String = told.split_inclusive('\n').take(6).collect();
    let end = Nc::new(few).under("prlimit", &["--nofile=9"]).start().ends();
    end.exits(0).said(&lines);
    // More than there can be.
    let args = format!("--max-parallelism 1000 {args}");
    let end = Nc::new(&args).under("prlimit", &["--nofile=32"]).start().ends();
    end.exits(0).said(&told);
}

#[test]
#[ignore = "needs strace"]
fn a_system_without_descriptors_is_waited_for() {
    let ports = Ports::reserve(8);
    let found = ports.opens(5);
    let told: String =
        ports.all().map(|port| if port == found { open(port) } else { refused(port) }).collect();
    for error in ["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"] {
        let args = format!("-nzv 127.0.0.1 {}", ports.range());
        let inject = format!("error={error}:when=3+4");
        let (nc, trace) = Trace::interfering(Nc::new(args), "socket", &inject);
        let end = nc.start().ends();
        end.exits(0).showed(b"").said(&told);
        let calls = trace.calls();
        assert!(calls.iter().any(|call| call.contains(error)), "{calls:#?}");
    }
}

/// An answer that came in time is one, however late it is looked at.
#[test]
#[ignore = "needs strace"]
fn a_machine_that_is_slow_finds_the_same() {
    let ports = Ports::reserve(3);
    let told = open(ports.opens(0)) + &refused(ports.at(1)) + &silent(ports.filters(2));
    for (call, inject) in [
        ("connect", "delay_exit=500000"),
        ("connect", "delay_enter=500000"),
        ("epoll_wait", "delay_enter=700000:when=1"),
        ("epoll_wait", "delay_exit=700000:when=1"),
    ] {
        let args = format!("-nzv -w 0.4 127.0.0.1 {}", ports.range());
        let (nc, _trace) = Trace::interfering(Nc::new(args), call, inject);
        let end = nc.start().ends();
        end.exits(0);
        assert_eq!(end.stderr, told, "{call} {inject}");
    }
}

/// `nc -zv … 2>&1 | head -1`.
#[test]
fn who_has_read_enough_ends_it_quietly() {
    let ports = Ports::reserve(50);
    ports.opens(0);
    let (read, write) = pipe();
    let args = format!("-zv -i 0.02 127.0.0.1 {}", ports.range());
    let nc = Nc::new(args).stdout(write).redirected("2>&1").start();
    let mut reader = BufReader::new(std::fs::File::from(read));
    let mut first = String::new();
    reader.read_line(&mut first).unwrap();
    assert_eq!(first, open(ports.at(0)));
    drop(reader);
    nc.ends().ends_by_itself();
}

#[test]
fn a_stderr_that_is_closed_or_full_changes_nothing() {
    let ports = Ports::reserve(3);
    ports.opens(1);
    let args = format!("-zvv 127.0.0.1 {}", ports.range());
    Nc::new(&args).closed(2).start().ends().exits(0).showed(b"");
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    Nc::new(&args).stderr(full).start().ends().exits(0).showed(b"");
}

#[test]
fn a_terminal_sees_how_far_it_is() {
    let ports = Ports::reserve(4);
    let told = open(ports.opens(0)) + &refused(ports.at(1));
    let told = told + &silent(ports.filters(2)) + &open(ports.opens(3));
    for (options, lines) in [("-v", &*told), ("", "")] {
        let seen = on_a_terminal(&format!("-z {options} -w 2.5 127.0.0.1 {}", ports.range()));
        assert!(seen.contains('\r'), "no progress in {seen:?}");
        assert_eq!(left_on_screen(&seen), lines, "{seen:?}");
    }
}

#[test]
fn a_terminal_that_need_not_wait_sees_no_progress() {
    let ports = Ports::reserve(4);
    let told = open(ports.opens(0)) + &[1, 2, 3].map(|index| refused(ports.at(index))).concat();
    let seen = on_a_terminal(&format!("-zv 127.0.0.1 {}", ports.range()));
    assert_eq!(seen, told);
}

/// Both streams on one screen: no line of one stands behind the progress of the other.
#[test]
fn results_on_a_terminal_stand_clear_of_the_progress() {
    let server = Server::start();
    let ports = Ports::reserve(2);
    let (first, filtered, last) = (server.port(), ports.filters(0), ports.opens(1));
    let args = format!("-zv --banner -w 1.6 127.0.0.1 {first} {filtered} {last}");
    let dir = tempfile::tempdir().unwrap();
    let mut terminal = Output::new(Kind::Pty, dir.path());
    let nc = terminal.give(Nc::new(args)).redirected("2>&1").start();
    let seen = terminal.drains();
    let mut peer = server.accepts();
    watch(Duration::from_millis(1_300));
    peer.sends(b"late");
    nc.ends().exits(0);
    let seen = String::from_utf8(seen.bytes().unwrap()).unwrap();
    assert!(seen.contains('\r'), "no progress in {seen:?}");
    let mut lines: Vec<String> = left_on_screen(&seen).lines().map(|l| format!("{l}\n")).collect();
    let banner = format!("127.0.0.1 {first} late\n");
    let at = lines.iter().position(|line| *line == banner);
    lines.remove(at.unwrap_or_else(|| panic!("no {banner:?} in {seen:?}")));
    assert_eq!(lines.concat(), open(first) + &silent(filtered) + &open(last));
}

#[test]
fn a_signal_leaves_no_progress_behind() {
    let ports = Ports::reserve(1);
    let args = format!("-z --wait-until-open 30 127.0.0.1 {}", ports.range());
    let dir = tempfile::tempdir().unwrap();
    let mut terminal = Output::new(Kind::Pty, dir.path());
    let nc = Nc::new(args).stderr(terminal.given.take().unwrap()).start();
    let seen = terminal.drains();
    watch(Duration::from_secs(2));
    nc.signal(Signal::INT);
    nc.ends().is_killed_by(Signal::INT);
    let seen = String::from_utf8(seen.bytes().unwrap()).unwrap();
    assert!(seen.contains("0 of 1 ports open"), "no progress in {seen:?}");
    assert_eq!(left_on_screen(&seen), "", "{seen:?}");
}

/// What it writes to a stderr that is a terminal, one that leaves line ends as they are.
#[track_caller]
fn on_a_terminal(args: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let mut terminal = Output::new(Kind::Pty, dir.path());
    let nc = Nc::new(args).stderr(terminal.given.take().unwrap()).start();
    let seen = terminal.drains();
    nc.ends().ends_by_itself();
    String::from_utf8(seen.bytes().unwrap()).unwrap()
}

/// A port that was free a moment ago, and has never been connected.
fn free_port() -> u16 {
    Ports::reserve(1).at(0)
}
