//! One test a rule, each on whole command lines.

use super::*;
use crate::cli::{Request, parse_with};

/// The plan of a command line without the program's name, words separated by blanks.
#[track_caller]
fn plan(line: &str) -> Plan {
    match read(line) {
        Ok(Request::Run(plan)) => plan,
        other => panic!("{line}: {other:?}"),
    }
}

#[track_caller]
fn refusal(line: &str) -> String {
    read(line).expect_err(line).to_string()
}

fn read(line: &str) -> Result<Request, Error> {
    let args = format!("nc {line}");
    parse_with(args.split_whitespace().map(OsString::from), &|name| (name == "http").then_some(80))
}

#[track_caller]
fn connect(line: &str) -> Connect {
    match plan(line).job.mode {
        Mode::Connect(connect) => connect,
        Mode::Listen(listen) => panic!("{line}: {listen:?}"),
    }
}

#[track_caller]
fn listen(line: &str) -> Listen {
    match plan(line).job.mode {
        Mode::Listen(listen) => listen,
        Mode::Connect(connect) => panic!("{line}: {connect:?}"),
    }
}

#[track_caller]
fn policy(line: &str) -> Policy {
    plan(line).job.policy
}

#[test]
fn client_defaults() {
    let job = Job {
        mode: Mode::Connect(Connect {
            host: "localhost".to_owned(),
            ports: vec![4004],
            source_host: None,
            source_port: None,
            timeout: None,
        }),
        lookup: Lookup { family: Family::Any, numeric: false },
        policy: Policy {
            ways: Ways::Both,
            local_eof: LocalEof::KeepOpen,
            quit_after: None,
            peer_eof: PeerEof::AsStdin,
            idle: None,
            recv_limit: None,
        },
        verbose: false,
    };
    assert_eq!(plan("localhost 4004"), Plan { verbosity: 0, job });
}

#[test]
fn listener_defaults() {
    let plan = plan("-l 4004");
    let expected = Listen { host: None, port: 4004, sharing: Sharing::Shared, keep: Keep::Once };
    assert_eq!(plan.job.mode, Mode::Listen(expected));
    assert_eq!(plan.job.policy, Policy { peer_eof: PeerEof::EndSession, ..policy("h 1") });
}

#[test]
fn client_connects_to_every_port_operand_in_order() {
    assert_eq!(connect("h 22 http 4006-4004").ports, [22, 80, 4004, 4005, 4006]);
    assert_eq!(refusal("h 22 0"), "port number too small: 0");
}

#[test]
fn client_with_p_and_no_port_operand_connects_to_p() {
    for line in ["localhost -p 4004", "-p 4004 localhost", "-p4004 localhost"] {
        let connect = connect(line);
        assert_eq!((connect.ports, connect.source_port), (vec![4004], None), "{line}");
    }
    assert_eq!(connect("h -p http").ports, [80]);
    assert_eq!(refusal("h -p 0"), "port number too small: 0");
    assert_eq!(refusal("h -p 99999"), "port number too large: 99999");
    assert_eq!(refusal("h -p 1-2"), "getaddrinfo: Servname not supported for ai_socktype");
}

#[test]
fn client_with_p_and_a_port_operand_connects_from_p() {
    let connect = connect("-p 4004 -s 127.0.0.2 h 80");
    assert_eq!(connect.ports, [80]);
    assert_eq!(connect.source_port, Some(4004));
    assert_eq!(connect.source_host.as_deref(), Some("127.0.0.2"));
    assert_eq!(refusal("-p 99999 h 80"), "port number too large: 99999");
    assert_eq!(refusal("-p 5-6 h 80"), "getaddrinfo: Servname not supported for ai_socktype");
}

#[test]
fn source_port_0_is_none() {
    assert_eq!(connect("-p 0 h 80").source_port, None);
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
    let mut ports = connect("-r h 1-1000 2001-3000").ports;
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
        let listen = listen(line);
        assert_eq!((listen.host.as_deref(), listen.port), (host, 4004), "{line}");
    }
}

#[test]
fn listener_port_is_one_port() {
    assert_eq!(listen("-l 0").port, 0);
    assert_eq!(listen("-l -p 0").port, 0);
    assert_eq!(listen("-l http").port, 80);
    assert_eq!(refusal("-l 99999"), "port number too large: 99999");
    for line in ["-l abc", "-l 4000-4001", "-l -p abc", "-l -p -1", "-l -p 5000-5010"] {
        assert_eq!(refusal(line), "getaddrinfo: Servname not supported for ai_socktype", "{line}");
    }
}

#[test]
fn listener_needs_a_port() {
    assert_eq!(refusal("-l"), "missing port number");
    assert_eq!(refusal("-l -s ::1"), "missing port number");
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
fn peer_eof_ends_listeners_and_terminals_by_default() {
    for (options, client, listener) in [
        ("", PeerEof::AsStdin, PeerEof::EndSession),
        ("--half-close", PeerEof::KeepSending, PeerEof::KeepSending),
        ("--exit-on-close", PeerEof::EndSession, PeerEof::EndSession),
    ] {
        assert_eq!(policy(&format!("{options} h 1")).peer_eof, client, "{options}");
        assert_eq!(policy(&format!("{options} -l 1")).peer_eof, listener, "{options}");
    }
    assert_eq!(
        refusal("--half-close --exit-on-close h 1"),
        "cannot use --exit-on-close and --half-close"
    );
}

#[test]
fn local_eof_is_told_the_peer_only_if_asked_for() {
    for (options, told) in [
        ("", false),
        ("-N", true),
        ("-q 0", true),
        ("-q 5", true),
        ("-q -1", false),
        ("-q -1 -N", true),
        ("--quit-after 5", true),
        ("--send-only", true),
        ("-d", false),
        ("-dN", false),
        ("--recv-only -q 1", false),
        ("--no-shutdown", false),
        ("--no-shutdown -q 1", false),
        ("--no-shutdown --quit-after 1", false),
        ("--no-shutdown --send-only", false),
    ] {
        let expected = if told { LocalEof::HalfClose } else { LocalEof::KeepOpen };
        assert_eq!(policy(&format!("{options} h 1")).local_eof, expected, "{options}");
        assert_eq!(policy(&format!("{options} -l 1")).local_eof, expected, "{options}");
    }
    assert_eq!(refusal("-N --no-shutdown h 1"), "cannot use -N and --no-shutdown");
}

#[test]
fn q_bounds_listeners_and_quit_after_both() {
    for (options, client, listener) in [
        ("-q 5", None, Some(SECOND * 5)),
        ("-q 0", None, Some(Duration::ZERO)),
        ("-q -1", None, None),
        ("--quit-after 7", Some(SECOND * 7), Some(SECOND * 7)),
        ("--quit-after 7 -q 5", Some(SECOND * 7), Some(SECOND * 7)),
        ("-q -1 --quit-after 7", Some(SECOND * 7), Some(SECOND * 7)),
        ("--no-shutdown --quit-after 7", Some(SECOND * 7), Some(SECOND * 7)),
        ("--no-shutdown -q 5", None, Some(SECOND * 5)),
    ] {
        assert_eq!(policy(&format!("{options} h 1")).quit_after, client, "{options}");
        assert_eq!(policy(&format!("{options} -l 1")).quit_after, listener, "{options}");
    }
}

#[test]
fn quit_times_that_do_not_fit_are_refused() {
    assert_eq!(refusal("-q x h 1"), "quit timer invalid: x");
    assert_eq!(refusal("-q 99999999999 h 1"), "quit timer too large: 99999999999");
    assert_eq!(refusal("--quit-after -1 h 1"), "quit timer too small: -1");
    assert_eq!(refusal("-q x --quit-after 1 h 1"), "quit timer invalid: x");
}

#[test]
fn stdin_that_is_not_read_never_ends() {
    for line in ["-d -q 5 -l 1", "--recv-only --quit-after 5 h 1"] {
        let policy = policy(line);
        assert_eq!((policy.ways, policy.quit_after), (Ways::ReceiveOnly, None), "{line}");
    }
}

#[test]
fn directions_can_be_left_out() {
    assert_eq!(policy("-d h 1").ways, Ways::ReceiveOnly);
    assert_eq!(policy("--no-stdin -l 1").ways, Ways::ReceiveOnly);
    assert_eq!(policy("-d --recv-only h 1").ways, Ways::ReceiveOnly);
    assert_eq!(policy("--send-only h 1").ways, Ways::SendOnly);
    assert_eq!(refusal("--send-only --recv-only h 1"), "cannot use --send-only and --recv-only");
    assert_eq!(refusal("--send-only -d h 1"), "cannot use --send-only and -d");
}

#[test]
fn w_bounds_idling_and_for_clients_connecting() {
    let plan = plan("-w 500ms h 1");
    let half = Some(Duration::from_millis(500));
    assert_eq!(plan.job.policy.idle, half);
    assert_eq!(connect("-w 500ms h 1").timeout, half);
    assert_eq!(policy("-w 3 -l 1").idle, Some(SECOND * 3));
}

#[test]
fn w_0_bounds_idling_only() {
    assert_eq!(policy("-w 0 h 1").idle, Some(Duration::ZERO));
    assert_eq!(connect("-w 0 h 1").timeout, None);
}

#[test]
fn timeouts_that_do_not_fit_are_refused() {
    assert_eq!(refusal("-w -1 h 1"), "timeout too small: -1");
    assert_eq!(refusal("-w x h 1"), "timeout invalid: x");
    assert_eq!(refusal("-w 99999999 h 1"), "timeout too large: 99999999");
    assert_eq!(refusal("-w -v h 1"), "timeout invalid: -v");
}

#[test]
fn recv_limit_is_a_number_from_1() {
    assert_eq!(policy("-W 1 h 1").recv_limit, NonZeroU64::new(1));
    assert_eq!(policy("--recv-limit=2147483647 -l 1").recv_limit, NonZeroU64::new(2_147_483_647));
    assert_eq!(refusal("-W 0 h 1"), "receive limit too small: 0");
    assert_eq!(refusal("-W x h 1"), "receive limit invalid: x");
    assert_eq!(refusal("-W 2147483648 h 1"), "receive limit too large: 2147483648");
}

#[test]
fn every_v_counts() {
    for (line, verbosity) in [("h 1", 0), ("-v h 1", 1), ("-vv h 1 --verbose", 3)] {
        let plan = plan(line);
        assert_eq!((plan.verbosity, plan.job.verbose), (verbosity, verbosity >= 1), "{line}");
    }
    assert_eq!(plan(&format!("-{} h 1", "v".repeat(300))).verbosity, 255);
}

#[test]
fn values_are_refused_before_contradictions_and_those_before_operands() {
    assert_eq!(refusal("-k -w x"), "timeout invalid: x");
    assert_eq!(refusal("-k"), "must use -l with -k");
}

const SECOND: Duration = Duration::from_secs(1);
