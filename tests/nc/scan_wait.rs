//! `-z --wait-until-open`: waiting for a service to come up. Status 0 the moment all ports have been seen
//! open, 1 at the deadline and not before.

use std::fs;
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tempfile::tempdir;

use crate::support::places::with_hosts_alone;
use crate::support::ports::{open, refused, silent};
use crate::support::proxies::{Kind, PORT, plays, through, was_left_alone};
use crate::support::{Finished, Nc, Ports, Server, kernel, watch};

/// Runs it to its end, and says how long that took.
#[track_caller]
fn timed(args: impl AsRef<str>) -> (Finished, Duration) {
    let begun = Instant::now();
    let end = Nc::new(args).start().ends();
    let took = end.ended - begun;
    (end, took)
}

#[test]
fn what_is_open_is_not_waited_for() {
    let ports = Ports::reserve(2);
    let told = open(ports.opens(0)) + &open(ports.opens(1));
    let args = format!("-zv --wait-until-open 15s 127.0.0.1 {}", ports.range());
    let (end, took) = timed(args);
    end.exits(0).showed(b"").said_in_any_order(&told);
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[test]
fn a_listener_that_comes_later_is_seen() {
    for options in ["--every 50ms", ""] {
        let ports = Ports::reserve(1);
        let args = format!("-zv --wait-until-open 60s {options} 127.0.0.1 {}", ports.at(0));
        let mut nc = Nc::new(args).start();
        nc.says("Connection refused");
        // Refused again and again, and told once.
        watch(Duration::from_millis(500));
        nc.still_runs();
        let told = refused(ports.at(0));
        assert_eq!(nc.stderr_text(), told);
        ports.opens(0);
        nc.ends().exits(0).showed(b"").said(&(told + &open(ports.at(0))));
    }
}

#[test]
fn without_v_the_status_is_all() {
    let ports = Ports::reserve(1);
    let args = format!("-z --wait-until-open 60 --every 0.05 127.0.0.1 {}", ports.range());
    let mut nc = Nc::new(args).start();
    nc.settles();
    ports.opens(0);
    nc.ends().exits(0).showed(b"").said_nothing();
}

#[test]
fn the_deadline_is_kept() {
    let ports = Ports::reserve(3);
    let told =
        open(ports.opens(0)) + &refused(ports.at(1)) + "nc: 1 of 2 ports did not open in time\n";
    for (options, limit) in [
        ("--wait-until-open 700ms --every 50ms", 700),
        ("--wait-until-open 1", 1_000),
        // From one probe to the next it is farther than to the deadline.
        ("--wait-until-open 0.5 --every 10s", 500),
    ] {
        let args = format!("-zv {options} 127.0.0.1 {}-{}", ports.at(0), ports.at(1));
        let (end, took) = timed(args);
        end.exits(1).showed(b"").said_in_any_order(&told);
        let limit = Duration::from_millis(limit);
        assert!(took >= limit, "{options}: {took:?}");
        assert!(took < limit + Duration::from_secs(3), "{options}: {took:?}");
    }
}

/// Neither `-w` nor a connect that nobody answers outlasts it.
#[test]
fn a_probe_that_is_under_way_does_not_hold_the_deadline_up() {
    let ports = Ports::reserve(1);
    ports.filters(0);
    for options in ["-w 20", "", "-w 0.1 --every 50ms"] {
        let args = format!("-z {options} --wait-until-open 600ms 127.0.0.1 {}", ports.range());
        let (end, took) = timed(args);
        end.exits(1).showed(b"").said_nothing();
        let limit = Duration::from_millis(600);
        assert!(took >= limit && took < limit + Duration::from_secs(2), "{options}: {took:?}");
    }
}

#[test]
fn a_port_that_was_filtered_first() {
    let ports = Ports::reserve(1);
    let port = ports.filters(0);
    let args = format!("-zv -w 0.2 --wait-until-open 60s --every 50ms 127.0.0.1 {port}");
    let mut nc = Nc::new(args).start();
    nc.says("timed out");
    watch(Duration::from_millis(600));
    nc.still_runs();
    assert_eq!(nc.stderr_text(), silent(port));
    ports.unfilters(0);
    nc.ends().exits(0).said(&(silent(port) + &open(port)));
}

#[test]
fn every_change_has_its_line() {
    let ports = Ports::reserve(2);
    let [port, other] = [ports.at(0), ports.at(1)];
    let args = format!("-zv -w 0.2 --wait-until-open 60s --every 50ms 127.0.0.1 {port} {other}");
    let nc = Nc::new(args).start();
    nc.says(refused(port).trim_end());
    nc.says(refused(other).trim_end());
    ports.filters(0);
    nc.says(silent(port).trim_end());
    ports.unfilters(0);
    nc.says(open(port).trim_end());
    ports.opens(1);
    let told = [refused(port), refused(other), silent(port), open(port), open(other)].concat();
    nc.ends().exits(0).said_in_any_order(&told);
}

/// However often others are asked again in the meantime.
#[test]
fn every_port_has_its_first_turn() {
    let ports = Ports::reserve(3);
    let closed = [refused(ports.at(0)), refused(ports.at(1))];
    let found = open(ports.opens(2));
    for options in ["--rate 10 --every 50ms", "--max-parallelism 1 --every 1ms -i 20ms"] {
        let args = format!("-zv {options} --wait-until-open 1s 127.0.0.1 {}", ports.range());
        let told = closed.concat() + &found + "nc: 2 of 3 ports did not open in time\n";
        Nc::new(args).start().ends().exits(1).said(&told);
    }
}

/// Nothing has to wait for its turn to be told.
#[test]
fn however_many_there_are_all_are_asked() {
    let ports = Ports::reserve(2);
    let (closed, found) = (ports.at(0), ports.opens(1));
    let many = format!("{closed} ").repeat(17_000);
    let args = format!("-zv --wait-until-open 1s --every 60s 127.0.0.1 {many} {found}");
    let end = Nc::new(args).start().ends();
    end.exits(1);
    assert!(end.stderr.contains(&open(found)), "never asked");
    assert!(end.stderr.ends_with("nc: 17000 of 17001 ports did not open in time\n"));
}

/// All of them, but not all at the same time.
#[test]
fn once_seen_open_is_enough() {
    let first = Ports::reserve(1);
    let second = Ports::reserve(1);
    let (gone, late) = (first.opens(0), second.at(0));
    let args = format!("-zv --wait-until-open 60s --every 50ms 127.0.0.1 {gone} {late}");
    let nc = Nc::new(args).start();
    nc.says(open(gone).trim_end());
    nc.says(refused(late).trim_end());
    drop(first);
    watch(Duration::from_millis(200));
    second.opens(0);
    let end = nc.ends();
    end.exits(0);
    assert!(end.stderr.contains(&open(gone)), "{}", end.stderr);
    assert!(end.stderr.ends_with(&open(late)), "{}", end.stderr);
}

#[test]
fn it_sleeps_between_probes() {
    let ports = Ports::reserve(1);
    let args = format!("-z --wait-until-open 60s --every 200ms 127.0.0.1 {}", ports.range());
    let nc = Nc::new(args).start();
    watch(Duration::from_millis(300));
    let (ticks, sleeps) = (kernel::ticks(nc.pid()), kernel::sleeps(nc.pid()));
    watch(Duration::from_secs(1));
    let used = kernel::ticks(nc.pid()) - ticks;
    assert!(used <= 10, "{used} ticks of 10 ms in a second");
    let woken = kernel::sleeps(nc.pid()) - sleeps;
    assert!(woken <= 40, "woken {woken} times in a second");
    nc.signal(Signal::TERM);
    nc.ends().is_killed_by(Signal::TERM);
}

#[test]
fn a_path_that_appears() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("s");
    let nc = Nc::new("-zU --wait-until-open 60s --every 50ms").arg(&path).start();
    watch(Duration::from_millis(200));
    let _listener = UnixListener::bind(&path).unwrap();
    nc.ends().exits(0).showed(b"");
    let absent = dir.path().join("absent");
    let begun = Instant::now();
    let nc = Nc::new("-zU --wait-until-open 0.5 --every 50ms").arg(&absent).start();
    let line = format!("nc: {}: No such file or directory\n", absent.display());
    nc.ends().exits(1).said(&line);
    assert!(begun.elapsed() >= Duration::from_millis(500));
}

#[test]
fn words_that_make_no_sense() {
    for args in [
        "-z --wait-until-open soon 127.0.0.1 1",
        "-z --wait-until-open 1s --every never 127.0.0.1 1",
        "-z --every 1s 127.0.0.1 1",
        "--wait-until-open 1s 127.0.0.1 1",
        "-l --wait-until-open 1s 0",
    ] {
        let end = Nc::new(args).start().ends();
        end.exits(1).showed(b"");
        assert!(end.stderr.starts_with("nc: "), "{args}: {:?}", end.stderr);
    }
}

#[test]
#[ignore = "needs root"]
fn a_name_that_is_known_later() {
    let dir = tempdir().unwrap();
    let ports = Ports::reserve(1);
    ports.opens(0);
    let args = format!("-z --wait-until-open 60s --every 50ms later.test {}", ports.range());
    let mut nc = with_hosts_alone(dir.path(), "127.0.0.1 other.test\n", Nc::new(args)).start();
    watch(Duration::from_millis(500));
    nc.still_runs();
    // In its place: what is mounted is this file, not its name.
    fs::write(dir.path().join("hosts"), "127.0.0.1 later.test\n").unwrap();
    nc.ends().exits(0).showed(b"");
}

/// Which the proxy is not told, but its address.
#[test]
#[ignore = "needs root"]
fn a_name_behind_a_proxy_that_is_known_later() {
    let (dir, server) = (tempdir().unwrap(), Server::start());
    let nc = through(Kind::Socks4, &server, "-z --wait-until-open 60s --every 50ms", "later.test");
    let mut nc = with_hosts_alone(dir.path(), "127.0.0.1 other.test\n", nc).start();
    watch(Duration::from_millis(500));
    nc.still_runs();
    was_left_alone(&server);
    fs::write(dir.path().join("hosts"), "127.0.0.1 later.test\n").unwrap();
    plays(&mut server.accepts(), &Kind::Socks4.dialogue("127.0.0.1", PORT));
    nc.ends().exits(0).showed(b"").said_nothing();
}

#[test]
fn a_name_that_may_never_be_known_is_not_waited_for() {
    let server = Server::start();
    let options = "-z --wait-until-open 60s --proxy-dns none";
    let end = through(Kind::Socks5, &server, options, "h.example").start().ends();
    end.exits(1).showed(b"").said("nc: \"h.example\" is a name, and --proxy-dns is none\n");
    was_left_alone(&server);
}

#[test]
#[ignore = "needs root"]
fn a_name_that_nobody_ever_knows() {
    let dir = tempdir().unwrap();
    let nc = Nc::new("-zv --wait-until-open 0.5 --every 50ms never.test 4004");
    let begun = Instant::now();
    let end = with_hosts_alone(dir.path(), "127.0.0.1 other.test\n", nc).start().ends();
    assert!(begun.elapsed() >= Duration::from_millis(500));
    end.exits(1).showed(b"").said(
        "nc: getaddrinfo for host \"never.test\" port 4004: Name or service not known\n\
         nc: the port did not open in time\n",
    );

    let nc = Nc::new("-z --wait-until-open 0.1 --every 50ms never.test 4004");
    let end = with_hosts_alone(dir.path(), "127.0.0.1 other.test\n", nc).start().ends();
    let line = "nc: getaddrinfo for host \"never.test\" port 4004: Name or service not known\n";
    end.exits(1).showed(b"").said(line);
}
