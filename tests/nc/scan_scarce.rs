//! A scan that runs short of something: local ports, addresses, descriptors, readers.

use std::io::{BufRead, BufReader};
use std::time::{Duration, Instant};

use crate::support::ends::pipe;
use crate::support::places::with_hosts;
use crate::support::ports::{open, refused, silent};
use crate::support::strace::Trace;
use crate::support::{Nc, Ports};

/// In a network of its own, with a neighbour 192.0.2.7 that never answers. `sysctl`: what else is so.
fn beside_a_silent_neighbour(nc: Nc, sysctl: &str) -> Nc {
    let script = format!(
        "ip link set lo up && ip link add v0 type veth peer name v1 && \
         ip addr add 192.0.2.1/24 dev v0 && ip link set v0 arp off up && ip link set v1 up && \
         sysctl -qw {sysctl} && exec \"$0\" \"$@\""
    );
    nc.under("unshare", &["--net", "/bin/sh", "-c", &script])
}

/// connect(2) says the same as where local ports are short, and there is no shortage.
#[test]
#[ignore = "needs root"]
fn without_ipv6_a_name_that_has_such_an_address_is_scanned_as_fast() {
    let dir = tempfile::tempdir().unwrap();
    let nc = Nc::new("-zv -w 1 it.test 2000-2019");
    let nc = with_hosts(dir.path(), "::1 it.test\n192.0.2.7 it.test\n", nc);
    let nc = beside_a_silent_neighbour(nc, "net.ipv6.conf.all.disable_ipv6=1");
    let begun = Instant::now();
    let end = nc.start().ends();
    let took = end.ended - begun;
    end.exits(1);
    let lines = |text: &str| end.stderr.lines().filter(|line| line.ends_with(text)).count();
    assert_eq!(lines("timed out: Operation now in progress"), 20, "{}", end.stderr);
    assert_eq!(lines("failed: Cannot assign requested address"), 20, "{}", end.stderr);
    assert!(took < Duration::from_secs(10), "one after another: {took:?}");
}

/// Ten at a time have a port. The others wait for one, and then have all the time of `-w`.
#[test]
#[ignore = "needs root"]
fn where_local_ports_run_out_the_others_wait() {
    for (options, end_of_line) in [
        ("", "timed out: Operation now in progress"),
        ("-s 192.0.2.1", "timed out: Operation now in progress"),
        ("-u", "succeeded!"),
        ("-u -s 192.0.2.1", "succeeded!"),
    ] {
        let nc = Nc::new(format!("-zv {options} -w 0.5 192.0.2.7 2000-2029"));
        let range = "net.ipv4.ip_local_port_range='40000 40009'";
        let end = beside_a_silent_neighbour(nc, range).start().ends();
        end.exits(i32::from(!options.contains("-u")));
        let lines = end.stderr.lines();
        assert_eq!(lines.clone().count(), 30, "{options}: {}", end.stderr);
        assert!(lines.clone().all(|line| line.ends_with(end_of_line)), "{}", end.stderr);
    }
}

#[test]
#[ignore = "needs root"]
fn a_datagram_that_waited_for_a_local_port_has_all_its_time() {
    let nc = Nc::new("-zuvv -w 0.5 192.0.2.7 2000-2029");
    let range = "net.ipv4.ip_local_port_range='40000 40009'";
    let end = beside_a_silent_neighbour(nc, range).start().ends();
    let times = end.stderr.lines().filter_map(|line| line.split_once("(no answer, "));
    let times: Vec<f64> =
        times.map(|(_, time)| time.trim_end_matches(" ms)").parse().unwrap()).collect();
    assert_eq!(times.len(), 30, "{}", end.stderr);
    assert!(times.iter().all(|&time| time >= 499.0), "{}", end.stderr);
}

/// The limit of open files says nothing of how many are open already.
#[test]
fn descriptors_that_were_inherited_are_taken_into_account() {
    let ports = Ports::reserve(40);
    let told: String = (0..39).map(|index| silent(ports.filters(index))).collect();
    let told = told + &open(ports.opens(39));
    let script = "for n in {10..49}; do eval \"exec $n</dev/null\"; done; exec \"$0\" \"$@\"";
    // Longer than a second: what is shown to those who wait needs no descriptor either.
    let nc = Nc::new(format!("-zv -w 1.2 127.0.0.1 {}", ports.range()));
    let nc = nc.under("bash", &["-c", script]).under("prlimit", &["--nofile=64"]);
    nc.start().ends().exits(0).said(&told);
}

/// In haste connect(2) is asked twice, and what it says the second time it says for the last time.
#[test]
#[ignore = "needs strace"]
fn an_error_that_is_told_at_the_second_asking_is_not_waited_for() {
    let ports = Ports::reserve(70);
    let inject = "error=EHOSTUNREACH:when=2";
    let args = format!("-zv -w 20 127.0.0.1 {}", ports.range());
    let (nc, _trace) = Trace::interfering(Nc::new(args), "connect", inject);
    let [first, others @ ..] = &*ports.all().map(refused).collect::<Vec<_>>() else {
        unreachable!("there are 70")
    };
    let first = first.replace("Connection refused", "No route to host");
    nc.start().ends().exits(1).said(&(first + &others.concat()));
}

/// Objects on stdout are read, whoever has read enough of stderr.
#[test]
fn results_go_on_without_a_reader_of_the_lines() {
    let ports = Ports::reserve(20);
    ports.opens(19);
    let (read, write) = pipe();
    let args = format!("-zv --json -i 0.02 127.0.0.1 {}", ports.range());
    let nc = Nc::new(args).stderr(write).start();
    let mut first = String::new();
    BufReader::new(std::fs::File::from(read)).read_line(&mut first).unwrap();
    assert_eq!(first, refused(ports.at(0)));
    let end = nc.ends();
    end.exits(0);
    assert_eq!(String::from_utf8(end.stdout).unwrap().lines().count(), 20);
}

/// It is known when the first open port is.
#[test]
fn the_status_does_not_depend_on_a_reader_of_the_lines() {
    let ports = Ports::reserve(20);
    ports.opens(15);
    let (read, write) = pipe();
    let args = format!("-zv -i 0.02 127.0.0.1 {}", ports.range());
    let nc = Nc::new(args).stderr(write).start();
    let mut first = String::new();
    BufReader::new(std::fs::File::from(read)).read_line(&mut first).unwrap();
    nc.ends().exits(0);
}
