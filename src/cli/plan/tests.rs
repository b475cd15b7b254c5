//! One test a rule, each on whole command lines.

mod datagrams;
#[cfg(feature = "see")]
mod meter;
mod options;
mod proxies;
mod scans;
mod sessions;
#[cfg(feature = "see")]
mod taps;
mod transports;

use std::ffi::OsString;
use std::num::{NonZeroU64, NonZeroUsize};
use std::time::Duration;

use super::*;
use crate::app::{
    Announce, Connect, Destination, Keep, Metering, Progress, Purpose, Route, Stats, Taps,
};
use crate::cli::{Request, parse_with};
use crate::secret::Secret;
use crate::session::{Filters, LocalEof, PeerEof, Policy, Ways};
use crate::sys::crowd::Reply;
use crate::sys::net::Sharing;
use crate::sys::options::{Md5Key, Options};

#[test]
#[cfg(feature = "sandbox")]
fn the_sandbox_is_applied_where_it_can_be_unless_told_otherwise() {
    for (line, wish) in [
        ("localhost 1", Wish::Auto),
        ("--sandbox auto localhost 1", Wish::Auto),
        ("--sandbox=off -l 1", Wish::Off),
        ("--sandbox off --sandbox strict -z localhost 1", Wish::Strict),
    ] {
        assert_eq!(plan(line).job.sandbox, wish, "{line}");
    }
    assert_eq!(
        refusal("--sandbox=maybe localhost 1"),
        "sandbox must be auto, strict or off: maybe"
    );
}

/// The plan of a command line without the program's name, words separated by blanks.
#[track_caller]
fn plan(line: &str) -> Plan {
    match read(line) {
        Ok(Request::Run(plan)) => *plan,
        other => panic!("{line}: {other:?}"),
    }
}

#[track_caller]
fn refusal(line: &str) -> String {
    read(line).expect_err(line).to_string()
}

fn read(line: &str) -> Result<Request, Error> {
    read_with(line, OUTSIDE)
}

fn read_with(line: &str, outside: Outside<'_>) -> Result<Request, Error> {
    let args = format!("nc {line}");
    parse_with(args.split_whitespace().map(OsString::from), outside)
}

/// A services database, somebody at the terminal, and nothing in the environment.
const OUTSIDE: Outside<'static> =
    Outside { services: &services, password: &|_| Ok(Secret::copied(b"typed")), proxy_auth: None };

/// A services database of three.
fn services(name: &str, protocol: &str) -> Option<u16> {
    match (name, protocol) {
        ("http", "tcp") => Some(80),
        ("tftp", "udp") => Some(69),
        ("socks", "tcp") => Some(1080),
        _ => None,
    }
}

fn password(bytes: &[u8]) -> Md5Key {
    Md5Key::new(bytes).expect("a password")
}

#[track_caller]
fn connect(line: &str) -> Connect {
    let mode = plan(line).job.mode;
    let Mode::Connect(connect) = mode else { panic!("{line}: {mode:?}") };
    connect
}

#[track_caller]
fn listen(line: &str) -> Listen {
    let mode = plan(line).job.mode;
    let Mode::Listen(listen) = mode else { panic!("{line}: {mode:?}") };
    listen
}

#[track_caller]
fn scan(line: &str) -> Scan {
    let mode = plan(line).job.mode;
    let Mode::Scan(scan) = mode else { panic!("{line}: {mode:?}") };
    scan
}

#[track_caller]
fn policy(line: &str) -> Policy {
    plan(line).job.policy
}

#[track_caller]
fn ports(line: &str) -> Vec<u16> {
    match connect(line).to {
        Destination::Host { ports, .. } => ports,
        exact @ Destination::Exact { .. } => panic!("{line}: {exact:?}"),
    }
}

#[track_caller]
fn source(line: &str) -> (Option<String>, Option<u16>) {
    match connect(line).to {
        Destination::Host { source_host, source_port, .. } => (source_host, source_port),
        exact @ Destination::Exact { .. } => panic!("{line}: {exact:?}"),
    }
}

fn port(host: Option<&str>, port: u16) -> Place {
    Place::Port { host: host.map(str::to_owned), port }
}

#[test]
fn client_defaults() {
    let job = Job {
        mode: Mode::Connect(Connect {
            to: Destination::Host {
                host: "localhost".to_owned(),
                ports: vec![4004],
                source_host: None,
                source_port: None,
            },
            route: Route::default(),
            timeout: None,
            interval: None,
            purpose: Purpose::Relay,
        }),
        transport: Transport::Tcp,
        lookup: Lookup { family: Family::Any, numeric: false },
        options: Options::default(),
        sandbox: Wish::Auto,
        policy: Policy { peer_eof: PeerEof::AsStdin, ..Policy::plain() },
        verbose: false,
        taps: Taps::default(),
        meter: Metering { progress: Progress::Automatic, stats: Stats::None },
    };
    assert_eq!(plan("localhost 4004"), Plan { voices: Voices::default(), job });
}

#[test]
fn listener_defaults() {
    let plan = plan("-l 4004");
    let expected = Listen {
        at: port(None, 4004),
        sharing: Sharing::Shared,
        keep: Keep::Once,
        groups: Vec::new(),
        reply: Reply::Last,
        memory: None,
        announce: Announce::default(),
    };
    assert_eq!(plan.job.mode, Mode::Listen(expected));
    assert_eq!(plan.job.policy, Policy { peer_eof: PeerEof::EndSession, ..policy("h 1") });
}

#[test]
fn client_connects_to_every_port_operand_in_order() {
    assert_eq!(ports("h 22 http 4006-4004"), [22, 80, 4004, 4005, 4006]);
    assert_eq!(refusal("h 22 0"), "port number too small: 0");
}

#[test]
fn client_with_p_and_no_port_operand_connects_to_p() {
    for line in ["localhost -p 4004", "-p 4004 localhost", "-p4004 localhost"] {
        assert_eq!((ports(line), source(line)), (vec![4004], (None, None)), "{line}");
    }
    assert_eq!(ports("h -p http"), [80]);
    assert_eq!(refusal("h -p 0"), "port number too small: 0");
    assert_eq!(refusal("h -p 99999"), "port number too large: 99999");
    assert_eq!(refusal("h -p 1-2"), "getaddrinfo: Servname not supported for ai_socktype");
}

#[test]
fn client_with_p_and_a_port_operand_connects_from_p() {
    let line = "-p 4004 -s 127.0.0.2 h 80";
    assert_eq!(ports(line), [80]);
    assert_eq!(source(line), (Some("127.0.0.2".to_owned()), Some(4004)));
    assert_eq!(refusal("-p 99999 h 80"), "port number too large: 99999");
    assert_eq!(refusal("-p 5-6 h 80"), "getaddrinfo: Servname not supported for ai_socktype");
}

#[test]
fn source_port_0_is_none() {
    assert_eq!(source("-p 0 h 80"), (None, None));
}

#[test]
fn client_needs_a_host_and_a_port() {
    assert_eq!(refusal(""), "missing host name and port number (see nc --help)");
    assert_eq!(refusal("-p 80"), "missing host name and port number (see nc --help)");
    assert_eq!(refusal("localhost"), "missing port number");
    assert_eq!(refusal("127.0.0.1:80"), "missing port number");
    assert_eq!(refusal("-s 127.0.0.1 localhost"), "missing port number");
}

#[test]
fn r_shuffles_the_whole_list() {
    let mut ports = ports("-r h 1-1000 2001-3000");
    let ascending: Vec<u16> = (1..=1000).chain(2001..=3000).collect();
    assert_ne!(ports, ascending);
    ports.sort_unstable();
    assert_eq!(ports, ascending);
}

#[test]
fn listener_takes_port_and_host_as_operands_or_as_p_and_s() {
    for (line, host) in [
        ("-l 4004", None),
        ("-l -p 4004", None),
        ("-lp4004", None),
        ("-l ::1 4004", Some("::1")),
        ("-l -s ::1 4004", Some("::1")),
        ("-l -s ::1 -p 4004", Some("::1")),
    ] {
        assert_eq!(listen(line).at, port(host, 4004), "{line}");
    }
}

#[test]
fn listener_port_is_one_port() {
    assert_eq!(listen("-l 0").at, port(None, 0));
    assert_eq!(listen("-l -p 0").at, port(None, 0));
    assert_eq!(listen("-l http").at, port(None, 80));
    assert_eq!(refusal("-l 99999"), "port number too large: 99999");
    for line in ["-l abc", "-l 4000-4001", "-l -p abc", "-l -p -1", "-l -p 5000-5010"] {
        assert_eq!(refusal(line), "getaddrinfo: Servname not supported for ai_socktype", "{line}");
    }
}

#[test]
fn listener_needs_a_port() {
    assert_eq!(refusal("-l -s ::1"), "missing port number");
    // Unless not a word is said about it: then the service manager may have.
    for line in ["-l", "-lu", "-l --vsock", "-lk"] {
        assert_eq!(listen(line).at, Place::Activated, "{line}");
    }
}

#[test]
fn listener_takes_port_and_host_once() {
    for line in ["-l 1 -p 2", "-l h -p 2", "-l -p 2 h 1", "-l -s a -p 2 h"] {
        assert_eq!(refusal(line), "cannot use -p and HOST or PORT with -l", "{line}");
    }
    assert_eq!(refusal("-l -s a h 1"), "cannot use -s and HOST with -l");
    assert_eq!(refusal("-l h 1 2"), "cannot use more than HOST PORT with -l");
}

#[test]
fn k_keeps_the_listener_open() {
    assert_eq!(listen("-lk 1").keep, Keep::Open { max_conns: None });
    assert_eq!(listen("-lk --max-conns 3 1").keep, Keep::Open { max_conns: NonZeroUsize::new(3) });
    assert_eq!(refusal("-k h 1"), "must use -l with -k");
    assert_eq!(refusal("-l --max-conns 3 1"), "must use -k with --max-conns");
    assert_eq!(refusal("--max-conns 3 h 1"), "must use -k with --max-conns");
}

#[test]
fn max_conns_is_a_number_from_1() {
    for (value, why) in
        [("0", "too small"), ("-1", "too small"), ("x", "invalid"), ("2147483648", "too large")]
    {
        let line = format!("-lk --max-conns {value} 1");
        assert_eq!(refusal(&line), format!("connection limit {why}: {value}"));
    }
}

#[test]
fn exclusive_listener_shares_no_port() {
    assert_eq!(listen("-l --exclusive 1").sharing, Sharing::Exclusive);
    assert_eq!(refusal("--exclusive h 1"), "must use -l with --exclusive");
}

#[test]
fn last_of_4_and_6_counts() {
    for (line, family) in [
        ("-4 h 1", Family::V4),
        ("-6 h 1", Family::V6),
        ("-46 h 1", Family::V6),
        ("-64 h 1", Family::V4),
        ("-464 h 1", Family::V4),
        ("--ipv4 h 1 --ipv6", Family::V6),
    ] {
        assert_eq!(plan(line).job.lookup.family, family, "{line}");
    }
}

#[test]
fn n_looks_no_name_up() {
    assert!(plan("-n h 1").job.lookup.numeric);
    assert!(plan("-nl 1").job.lookup.numeric);
}

#[test]
fn every_v_counts() {
    for (line, verbosity) in [("h 1", 0), ("-v h 1", 1), ("-vv h 1 --verbose", 3)] {
        let plan = plan(line);
        assert_eq!(
            (plan.voices.verbosity, plan.job.verbose),
            (verbosity, verbosity >= 1),
            "{line}"
        );
    }
    assert_eq!(plan(&format!("-{} h 1", "v".repeat(300))).voices.verbosity, 255);
}

#[test]
fn values_are_refused_before_contradictions_and_those_before_operands() {
    assert_eq!(refusal("-k -w x"), "timeout invalid: x");
    assert_eq!(refusal("-k"), "must use -l with -k");
}

const SECOND: Duration = Duration::from_secs(1);
