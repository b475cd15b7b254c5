//! All ports of a machine, in a network where they are all free, with little room.

use std::fs::{self, File};
use std::io::Read;
use std::time::{Duration, Instant};

use rustix::process::Pid;

use crate::support::places::{alone, beside};
use crate::support::ports::{open, refused, silent};
use crate::support::{DEADLINE, Nc, Ports, Running, kernel};

/// The only open port, in the middle.
const OPEN: u16 = 40_004;

/// A network with one listener in it.
#[track_caller]
fn world() -> Running {
    let listener = alone(Nc::new(format!("-lkv 127.0.0.1 {OPEN}"))).start();
    assert_eq!(listener.port(), OPEN);
    listener
}

#[test]
#[ignore = "needs root"]
fn all_ports_with_64_descriptors() {
    let mut world = world();
    let nc = Nc::new("-zv 127.0.0.1 1-65535").under("prlimit", &["--nofile=64"]);
    let end = beside(nc, &world).start().ends_within(Duration::from_secs(45));
    end.exits(0).showed(b"");
    assert!(end.stderr == all_lines(), "not the lines of all ports");
    world.settles();
}

#[test]
#[ignore = "needs root"]
fn all_ports_in_bounded_memory() {
    let world = world();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lines");
    for options in ["-zv", "-z", "-z --json", "-zvv"] {
        let file = File::create(&path).unwrap();
        let null = File::options().write(true).open("/dev/null").unwrap();
        let nc = Nc::new(format!("{options} 127.0.0.1 1-65535")).stderr(file).stdout(null);
        let nc = beside(nc, &world).start();
        let peak = peak_until_the_end(nc.pid());
        nc.ends().exits(0);
        assert!(peak > 0 && peak < 8 * 1024, "{options}: VmHWM was {peak} KiB");
        if options == "-zv" {
            assert!(
                fs::read_to_string(&path).unwrap() == all_lines(),
                "not the lines of all ports"
            );
        }
    }
}

/// 40 000 results, and a reader that takes its time.
#[test]
fn a_slow_reader_loses_nothing() {
    let ports = Ports::reserve(10);
    let found = ports.opens(3);
    let ranges = vec![ports.range(); 4_000].join(" ");
    let args = format!("-z --json 127.0.0.1 {ranges}");
    let mut nc = Nc::new(args).stdout_unread().start();
    let mut stdout = nc.take_stdout();
    nc.settles();
    let peak = kernel::peak_kib(nc.pid());
    assert!(peak < 8 * 1024, "VmHWM is {peak} KiB");
    let mut text = String::new();
    stdout.read_to_string(&mut text).unwrap();
    nc.ends().exits(0).said_nothing();
    let mut expected = ports.all().cycle();
    let mut count = 0;
    for line in text.lines() {
        let object: serde_json::Value = serde_json::from_str(line).unwrap();
        let port = expected.next().unwrap();
        let state = if port == found { "open" } else { "closed" };
        assert_eq!((&object["port"], &object["state"]), (&port.into(), &state.into()), "{line}");
        count += 1;
    }
    assert_eq!(count, 40_000);
}

/// 40 000 answers wait for the first port, which has none, and then are told all at once.
#[test]
fn answers_that_wait_for_one_before_them_are_all_told() {
    let ports = Ports::reserve(11);
    let first = ports.filters(0);
    let rest: Vec<u16> = ports.all().skip(1).collect();
    let ranges = vec![format!("{}-{}", rest[0], rest[9]); 4_000].join(" ");
    let told =
        silent(first) + &rest.iter().map(|&port| refused(port)).collect::<String>().repeat(4_000);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lines");
    let nc = || Nc::new(format!("-zv -w 2 127.0.0.1 {first} {ranges}"));
    let end = nc().start().ends();
    end.exits(1);
    assert!(end.stderr == told, "to a pipe: {} bytes of {}", end.stderr.len(), told.len());

    let nc = nc().stderr(File::create(&path).unwrap()).start();
    let peak = peak_until_the_end(nc.pid());
    nc.ends().exits(1);
    let said = fs::read_to_string(&path).unwrap();
    assert!(said == told, "to a file: {} bytes of {}", said.len(), told.len());
    assert!(peak < 8 * 1024, "VmHWM was {peak} KiB");
}

fn all_lines() -> String {
    (1..=u16::MAX).map(|port| if port == OPEN { open(port) } else { refused(port) }).collect()
}

/// The largest resident set in KiB, as last seen before its end.
fn peak_until_the_end(pid: Pid) -> u64 {
    let path = format!("/proc/{}/status", pid.as_raw_nonzero());
    let mut peak = 0;
    let begun = Instant::now();
    while begun.elapsed() < DEADLINE {
        let status = fs::read_to_string(&path).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let Some(line) = line else { break };
        peak = line.trim().trim_end_matches(" kB").parse().unwrap();
        std::thread::sleep(Duration::from_millis(5));
    }
    peak
}
