//! Whole command lines: how words are taken apart, and that nothing panics.

use std::os::unix::ffi::OsStringExt;

use proptest::prelude::*;

use super::*;
use crate::app::{Connect, Destination, Mode, Scan};

fn read<I>(args: I) -> Result<Request, Error>
where
    I: IntoIterator,
    I::Item: Into<OsString>,
{
    let program = OsString::from("nc");
    let args = args.into_iter().map(Into::into);
    let outside = Outside {
        services: &|name, _| (name == "http").then_some(80),
        password: &|_| Err(Error::message("nobody is here")),
        proxy_auth: None,
    };
    parse_with(std::iter::once(program).chain(args), outside)
}

#[track_caller]
fn run(line: &str) -> Plan {
    match read(line.split_whitespace()) {
        Ok(Request::Run(plan)) => *plan,
        other => panic!("{line}: {other:?}"),
    }
}

#[track_caller]
fn refusal<I>(args: I) -> String
where
    I: IntoIterator,
    I::Item: Into<OsString>,
{
    read(args).expect_err("refused").to_string()
}

fn bytes(bytes: &[u8]) -> OsString {
    OsString::from_vec(bytes.to_vec())
}

#[test]
fn short_options_group_and_may_hold_their_value() {
    assert_eq!(run("-lvnp 4004"), run("-l -v -n -p 4004"));
    assert_eq!(run("-lvnp4004"), run("-l -v -n -p 4004"));
    assert_eq!(run("-vw5 h 1"), run("-v -w 5 h 1"));
}

#[test]
fn options_may_follow_operands() {
    assert_eq!(run("localhost 4004 -v -w 3"), run("-v -w 3 localhost 4004"));
    assert_eq!(run("localhost -v 4004"), run("-v localhost 4004"));
}

#[test]
fn last_of_a_repeated_option_counts() {
    assert_eq!(run("-w 1 -w 2 -N -N h 1"), run("-w 2 -N h 1"));
    assert_eq!(run("-l -p 1 -p 2"), run("-l -p 2"));
}

#[test]
fn double_hyphen_ends_the_options() {
    assert_eq!(run("-v -- h 1"), run("-v h 1"));
    assert_eq!(refusal(["h", "--", "-5"]), "port number too small: -5");
}

#[test]
fn long_options_take_values_both_ways_and_can_be_shortened() {
    assert_eq!(run("--source-port=5 h 1"), run("-p 5 h 1"));
    assert_eq!(run("--source-port 5 h 1"), run("-p 5 h 1"));
    assert_eq!(run("--source ::1 h 1"), run("-s ::1 h 1"));
    assert_eq!(run("--lis --keep --max 2 1"), run("-lk --max-conns 2 1"));
}

#[test]
fn shortened_option_that_may_be_several_is_ambiguous() {
    for (word, option) in [
        ("--no", "--no"),
        ("--ke", "--ke"),
        ("--proxy-a=u:p", "--proxy-a"),
        ("--max-=1", "--max-"),
        ("--wai=1", "--wai"),
    ] {
        let expected = format!("ambiguous option '{option}' (see nc --help)");
        assert_eq!(refusal([word, "h", "1"]), expected);
    }
}

#[test]
fn ncat_spellings_mean_their_letters() {
    for (long, short) in [
        ("--ipv4 --nodns --random --verbose h 1", "-4nrv h 1"),
        ("--ipv6 --shutdown --no-stdin h 1", "-6Nd h 1"),
        ("--listen --keep-open 1", "-lk 1"),
        ("--listen --keep 1", "-lk 1"),
        ("--udp --crlf --telnet h 1", "-uCt h 1"),
        ("--unixsock path", "-U path"),
        ("--recv-limit 3 h 1", "-W3 h 1"),
        ("--zero h 1", "-z h 1"),
    ] {
        assert_eq!(run(long), run(short));
    }
}

#[test]
fn unknown_option_is_named_alone_also_inside_a_group() {
    for (word, option) in [
        ("-Q", "-Q"),
        ("-lQ", "-Q"),
        ("-lQv", "-Q"),
        ("-1", "-1"),
        ("-e", "-e"),
        ("-é", "-é"),
        ("--bogus", "--bogus"),
        ("--bogus=5", "--bogus"),
        ("-\x1b[2J", "-\\u{1b}"),
        ("--a\nb", "--a\\u{a}b"),
    ] {
        let expected = format!("unknown option '{option}' (see nc --help)");
        assert_eq!(refusal([word, "h", "1"]), expected, "{word:?}");
    }
}

/// Also where one of ours begins so.
#[test]
fn ncats_options_that_are_not_there_yet_are_unknown() {
    for option in [
        "--wait=5",
        "--exec=x",
        "--sh-exec=x",
        "--delay=1",
        "--idle-timeout=1",
        "--allow=h",
        "--deny=h",
        "--broker",
        "--chat",
        "--ssl",
    ] {
        let name = option.split('=').next().unwrap_or_default();
        let expected = format!("unknown option '{name}' (see nc --help)");
        assert_eq!(refusal(["-z", option, "h", "1"]), expected);
    }
    assert_eq!(refusal(["-z", "--wait", "5", "h", "1"]), "unknown option '--wait' (see nc --help)");
}

#[test]
fn unknown_option_that_is_not_utf8_is_one_line() {
    for word in [&b"-\xff"[..], b"-l\xff", b"--\xff", b"--bo\xffgus=1"] {
        let refusal = refusal([bytes(word)]);
        assert!(refusal.starts_with("unknown option '-"), "{refusal}");
        assert!(refusal.ends_with("' (see nc --help)"), "{refusal}");
    }
}

#[test]
fn value_that_is_missing_or_too_much_is_said_so() {
    assert_eq!(
        refusal(["h", "1", "-p"]),
        "option '--source-port <PORT>' requires a value (see nc --help)"
    );
    assert_eq!(refusal(["h", "1", "-w"]), "option '-w <TIME>' requires a value (see nc --help)");
    assert_eq!(refusal(["--listen=5", "1"]), "option '--listen' takes no value (see nc --help)");
}

#[test]
fn empty_words_are_words() {
    let Ok(Request::Run(plan)) = read(["", "1"]) else { panic!("an empty host is a host") };
    let Mode::Connect(connect) = plan.job.mode else { panic!("it is no listener") };
    assert!(matches!(connect.to, Destination::Host { host, .. } if host.is_empty()));
    assert_eq!(refusal(["h", ""]), "port number invalid: ");
    assert_eq!(refusal(["-w", "", "h", "1"]), "timeout invalid: ");
    assert_eq!(refusal(["-w=3", "h", "1"]), "timeout invalid: =3");
    assert_eq!(refusal(["-vw=3", "h", "1"]), "timeout invalid: =3");
    assert_eq!(refusal(["--quit-after=", "h", "1"]), "quit timer invalid: ");
}

#[test]
fn single_hyphen_is_an_operand() {
    assert_eq!(refusal(["h", "-"]), "port number invalid: -");
}

#[test]
fn values_must_be_utf8() {
    let odd = || bytes(b"a\xff");
    assert_eq!(refusal([odd(), "1".into()]), "host name is not valid UTF-8");
    assert_eq!(refusal(["-l".into(), odd(), "1".into()]), "host name is not valid UTF-8");
    assert_eq!(refusal(["h".into(), odd()]), "port number is not valid UTF-8");
    assert_eq!(refusal(["-l".into(), odd()]), "port number is not valid UTF-8");
    for (option, noun) in [
        ("-s", "source address"),
        ("-p", "port number"),
        ("-w", "timeout"),
        ("-q", "quit timer"),
        ("--quit-after", "quit timer"),
        ("-W", "receive limit"),
        ("--max-conns", "connection limit"),
        ("-i", "interval"),
        ("--limit-rate", "rate limit"),
        ("-I", "TCP receive window"),
        ("-O", "TCP send window"),
        ("-M", "ttl"),
        ("-m", "minttl"),
        ("-T", "tos value"),
        ("--interface", "interface"),
        ("--mark", "mark"),
        ("--user-timeout", "user timeout"),
        ("--congestion", "congestion control"),
        ("--udp-reply", "UDP reply"),
        ("--udp-size", "datagram size"),
        ("--join", "multicast group"),
        ("--fd", "descriptor"),
        ("--ready-fd", "descriptor"),
        ("-x", "proxy address"),
        ("--proxy", "proxy address"),
        ("-X", "proxy protocol"),
        ("--proxy-type", "proxy protocol"),
        ("-P", "proxy user"),
        ("--proxy-dns", "proxy DNS"),
        ("--max-parallelism", "parallelism"),
        ("--rate", "rate"),
        ("--wait-until-open", "waiting time"),
        ("--every", "time between probes"),
        ("--scan-exit", "scan exit"),
        #[cfg(feature = "sandbox")]
        ("--sandbox", "sandbox"),
    ] {
        let args = [option.into(), odd(), "h".into(), "1".into()];
        assert_eq!(refusal(args), format!("{noun} is not valid UTF-8"));
    }
    assert_eq!(refusal([bytes(b"-w\xff"), "h".into(), "1".into()]), "timeout is not valid UTF-8");
}

#[test]
fn refusals_are_short_however_long_the_word() {
    let long = "x".repeat(100_000);
    for args in [
        vec![format!("--{long}")],
        vec![format!("-Q{long}")],
        vec![format!("--listen={long}")],
        vec!["h".to_owned(), long.clone()],
        vec!["-w".to_owned(), long.clone(), "h".to_owned(), "1".to_owned()],
        vec!["-l".to_owned(), "-p".to_owned(), long.clone()],
    ] {
        let refusal = refusal(args);
        assert!(refusal.len() < 120, "{refusal}");
    }
    let host = read([long.as_str(), "1"]).expect("a host of any length");
    assert!(matches!(host, Request::Run(_)));
}

#[test]
fn h_is_help_on_stderr_and_help_on_stdout() {
    // Also where the rest would be refused.
    for (line, expected) in [
        ("-h", HelpTo::Stderr),
        ("-lvh", HelpTo::Stderr),
        ("-k -w x -h", HelpTo::Stderr),
        ("--help", HelpTo::Stdout),
        ("-k -w x --help", HelpTo::Stdout),
        ("-h --help", HelpTo::Stdout),
    ] {
        let Ok(Request::ShowHelp(to, text)) = read(line.split_whitespace()) else {
            panic!("{line}: no help");
        };
        assert_eq!(to, expected, "{line}");
        assert!(text.starts_with("Usage: nc ") && text.ends_with('\n'), "{line}: {text}");
    }
}

#[test]
fn version_is_the_packages() {
    let expected = Request::ShowVersion(concat!("pollcat ", env!("CARGO_PKG_VERSION"), "\n"));
    assert_eq!(read(["--version"]).expect("no rule applies"), expected);
}

#[test]
fn program_name_is_not_looked_at() {
    for args in [vec![], vec![bytes(b"\xff")], vec!["-l".into()]] {
        let error = parse(args).expect_err("no operand");
        assert_eq!(error.to_string(), "missing host name and port number (see nc --help)");
    }
}

#[test]
fn services_are_looked_up_in_the_systems_database() {
    let args = ["nc", "-l", "no-such-service-anywhere"].map(OsString::from);
    let error = parse(args).expect_err("no such service");
    assert_eq!(error.to_string(), "getaddrinfo: Servname not supported for ai_socktype");
}

fn any_word() -> impl Strategy<Value = OsString> {
    let option = prop::sample::select(OPTIONS);
    let value = prop::sample::select(vec![
        "localhost",
        "4004",
        "http",
        "0",
        "-1",
        "99999",
        "",
        "1-3",
        "all",
        "224.0.0.1",
        "@name",
        "socks5://u:p@h:1,[::1]:2",
        "[::1",
        "hex:00ff",
        "200ms",
    ]);
    prop_oneof![
        option.prop_map(OsString::from),
        value.prop_map(OsString::from),
        "-{0,2}[-=0-9a-zA-Z.]{0,6}".prop_map(OsString::from),
        prop::collection::vec(any::<u8>(), 0..12).prop_map(OsString::from_vec),
        any::<String>().prop_map(OsString::from),
    ]
}

/// Known ones, right and cut short.
const OPTIONS: &[&str] = &[
    "-l",
    "-k",
    "-N",
    "-d",
    "-v",
    "-h",
    "-4",
    "-6",
    "-n",
    "-r",
    "-q",
    "-w",
    "-W",
    "-s",
    "-p",
    "-",
    "--",
    "--max-conns",
    "--exclusive",
    "--no",
    "--quit-after=",
    "--half-close",
    "-lvnp",
    "--send-only",
    "--recv-only",
    "--no-shutdown",
    "--exit-on-close",
    "--version",
    "--help",
    "-u",
    "-U",
    "-uU",
    "--seqpacket",
    "--vsock",
    "--mptcp",
    "-Z",
    "-F",
    "-b",
    "-C",
    "-t",
    "-i",
    "-D",
    "-I",
    "-O",
    "-M",
    "-m",
    "-T",
    "-S",
    "--tcp-md5-file",
    "-V",
    "--keepalive",
    "--keepalive=",
    "--mark",
    "--interface",
    "--user-timeout",
    "--udp-reply",
    "--udp-size",
    "--udp-line",
    "--join",
    "--fd",
    "--port-file",
    "--ready-fd",
    "-x",
    "-X",
    "-P",
    "--proxy",
    "--proxy-type",
    "--proxy-auth",
    "--proxy-auth=u:p",
    "--proxy-auth-file",
    "--proxy-dns",
    "-z",
    "-zu",
    "--zero",
    "--max-parallelism",
    "--rate",
    "--probe",
    "--probe=hex:",
    "--banner",
    "--banner=",
    "--json",
    "--wait-until-open",
    "--wait",
    "--every",
    "--scan-exit",
    "--sandbox",
];

proptest! {
    #[test]
    fn any_argv_is_read_or_refused_in_one_line(args in prop::collection::vec(any_word(), 0..8)) {
        match read(args) {
            Ok(Request::Run(plan)) => match plan.job.mode {
                Mode::Connect(Connect { to, .. }) | Mode::Scan(Scan { to, .. }) => match to {
                    Destination::Host { ports, .. } => {
                        prop_assert!(!ports.is_empty() && !ports.contains(&0));
                    }
                    Destination::Exact { .. } => {}
                },
                Mode::Listen(_) => {}
            },
            Ok(Request::ShowHelp(..) | Request::ShowVersion(_)) => {}
            Err(error) => {
                let line = error.to_string();
                prop_assert!(!line.is_empty() && !line.contains(char::is_control), "{}", line);
            }
        }
    }

    #[test]
    fn numbers_are_read_as_typed(number in any::<u32>(), zeros in 0_usize..4) {
        let typed = format!("{}{number}", "0".repeat(zeros));
        prop_assert_eq!(integer(&typed, 0..=u32::MAX), Ok(number));
        let below = u64::from(number) + 1;
        prop_assert_eq!(integer(&typed, below..=u64::MAX), Err(Misfit::TooSmall));
    }
}
