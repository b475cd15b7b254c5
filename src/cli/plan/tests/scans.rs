//! Scans: what `-z` makes of the operands, and the options that go with it.

use std::ffi::OsStr;
use std::num::NonZeroU32;
use std::os::unix::ffi::OsStrExt;

use super::*;
use crate::app::{Lines, ScanGoal, Tell, Vigil};
use crate::sys::address::{Address, UnixName};

#[test]
fn scan_defaults() {
    let expected = Scan {
        to: connect("localhost 4004").to,
        route: Route::default(),
        patience: None,
        parallelism: None,
        interval: None,
        rate: None,
        question: None,
        banner: None,
        tell: Tell { lines: Lines::None, json: false },
        goal: ScanGoal::Any,
        vigil: None,
    };
    assert_eq!(scan("-z localhost 4004"), expected);
    assert_eq!(plan("-z localhost 4004"), plan("--zero localhost 4004"));
}

#[test]
fn scan_has_the_operands_of_a_connection() {
    for operands in [
        "h 22 http 4006-4004",
        "h -p 4004",
        "-p 5 -s ::1 h 1",
        "-u h tftp",
        "--mptcp h 1",
        "-U path",
        "-U @name",
        "-U -s mine path",
        "-uU path",
        "--seqpacket path",
        "--vsock host 1",
        "--vsock -s local -p 7 2 1",
        "-x p h 1-3",
        "--proxy socks5://p,http://q h 1",
    ] {
        let (scan, connect) = (scan(&format!("-z {operands}")), connect(operands));
        assert_eq!((scan.to, scan.route), (connect.to, connect.route), "{operands}");
        let transport = |line: &str| plan(line).job.transport;
        assert_eq!(transport(&format!("-z {operands}")), transport(operands), "{operands}");
    }
    for (line, expected) in [
        ("-z", "missing host name and port number (see nc --help)"),
        ("-z h", "missing port number"),
        ("-zU", "missing socket pathname"),
        ("-zU a b", "cannot use port with -U"),
        ("-z h 0", "port number too small: 0"),
        ("-zu h http", "port number invalid: http"),
        ("-zx p -u h 1", "no proxy support for UDP mode"),
        ("-zx p -s ::1 h 1", "no proxy support for local source address"),
    ] {
        assert_eq!(refusal(line), expected, "{line}");
    }
}

#[test]
fn scan_over_unix_datagrams_has_no_name_unless_told() {
    let unix = |name: &str| Address::Unix(UnixName::typed(OsStr::new(name)));
    let exact = |source| Destination::Exact { address: unix("path"), source };
    assert_eq!(scan("-zuU path").to, exact(None));
    assert_eq!(scan("-zuU -s mine path").to, exact(Some(unix("mine"))));
}

#[test]
fn scan_in_random_order_has_every_port() {
    let Destination::Host { mut ports, .. } = scan("-zr h 1-1000").to else { panic!("no host") };
    let ascending: Vec<u16> = (1..=1000).collect();
    assert_ne!(ports, ascending);
    ports.sort_unstable();
    assert_eq!(ports, ascending);
}

#[test]
fn scans_do_not_listen() {
    for line in ["-z -l 4004", "-lz 4004", "-zkl 4004", "-z --fd 3", "-zlU path", "-zlF 1"] {
        assert_eq!(refusal(line), "cannot use -z and -l", "{line}");
    }
    assert_eq!(refusal("-zk h 1"), "must use -l with -k");
}

#[test]
fn f_takes_no_notice_of_z() {
    assert_eq!(plan("-zF h 1 2"), plan("-F h 1 2"));
    assert_eq!(plan("-zFvv --json --banner h 1"), plan("-Fvv h 1"));
    assert_eq!(refusal("-zFU path"), "cannot use -F and -U");
}

#[test]
fn scan_options_need_z() {
    for option in [
        "--max-parallelism 5",
        "--rate 5",
        "--probe x",
        "--banner",
        "--banner=5",
        "--json",
        "--wait-until-open 1",
        "--every 1",
        "--scan-exit all",
    ] {
        let name = option.split([' ', '=']).next().unwrap_or_default();
        for operands in ["h 1", "-u h 1", "-l 1", "-U path"] {
            let line = format!("{option} {operands}");
            assert_eq!(refusal(&line), format!("must use -z with {name}"), "{line}");
        }
    }
}

#[test]
fn options_that_mean_nothing_to_a_scan_are_no_error() {
    for options in ["-q 1", "-N", "-d", "-C", "-t", "-W 1", "--half-close", "--send-only"] {
        assert_eq!(scan(&format!("-z {options} h 1-3")), scan("-z h 1-3"), "{options}");
    }
}

#[test]
fn sockets_of_a_scan_get_their_options() {
    let job = plan("-z4n -M 5 -T ef --nodelay h 1").job;
    let expected = Options { ttl: Some(5), tos: Some(0xb8), nodelay: true, ..Options::default() };
    assert_eq!(job.options, expected);
    assert_eq!(job.lookup, Lookup { family: Family::V4, numeric: true });
}

#[test]
fn w_is_how_long_a_probe_waits() {
    for operands in ["h 1", "h 1-3", "-u h 1", "-U path", "--vsock 2 1"] {
        let line = format!("-z -w 0.5 {operands}");
        assert_eq!(scan(&line).patience, Some(SECOND / 2), "{line}");
    }
}

#[test]
fn w_0_bounds_nothing_but_silence_over_udp() {
    for operands in ["h 1", "h 1-3", "-U path", "--seqpacket path", "--vsock 2 1"] {
        assert_eq!(scan(&format!("-z -w 0 {operands}")).patience, None, "{operands}");
    }
    for operands in ["-u h 1", "-u h 1-3"] {
        assert_eq!(scan(&format!("-z -w 0 {operands}")).patience, Some(SECOND * 3), "{operands}");
    }
}

#[test]
fn without_w_only_a_single_connection_is_waited_for_as_long_as_the_kernel_does() {
    for operands in ["h 1", "h 5-5", "-U path", "-uU path", "--vsock 2 1", "-x p h 1"] {
        assert_eq!(scan(&format!("-z {operands}")).patience, None, "{operands}");
        let vigil = format!("-z --wait-until-open 60 {operands}");
        assert_eq!(scan(&vigil).patience, Some(SECOND * 3), "{vigil}");
    }
    for operands in ["h 1-2", "h 1 1", "-u h 1", "-u h 1 2", "-x p h 1 2"] {
        assert_eq!(scan(&format!("-z {operands}")).patience, Some(SECOND * 3), "{operands}");
    }
}

#[test]
fn i_spaces_probes() {
    assert_eq!(scan("-z -i 0.5 h 1-3").interval, Some(SECOND / 2));
    assert_eq!(scan("-z -i 0 h 1-3").interval, None);
}

#[test]
fn parallelism_is_a_number_of_ports() {
    for n in [1, 65535] {
        let line = format!("-z --max-parallelism {n} h 1");
        assert_eq!(scan(&line).parallelism, NonZeroUsize::new(n));
    }
    for (value, why) in
        [("0", "too small"), ("-1", "too small"), ("65536", "too large"), ("x", "invalid")]
    {
        let line = format!("-z --max-parallelism {value} h 1");
        assert_eq!(refusal(&line), format!("parallelism {why}: {value}"));
    }
}

#[test]
fn rate_is_a_number_a_second() {
    for n in [1, 1_000_000] {
        assert_eq!(scan(&format!("-z --rate {n} h 1")).rate, NonZeroU32::new(n));
    }
    for (value, why) in
        [("0", "too small"), ("-1", "too small"), ("1000001", "too large"), ("0.5", "invalid")]
    {
        assert_eq!(refusal(&format!("-z --rate {value} h 1")), format!("rate {why}: {value}"));
    }
}

#[test]
fn probe_is_text_or_hex() {
    for (typed, bytes) in [
        ("x", &b"x"[..]),
        ("ping", b"ping"),
        ("0x00", b"0x00"),
        ("HEX:00", b"HEX:00"),
        ("-1", b"-1"),
        ("\\0", b"\\0"),
        ("hex:00ff", b"\x00\xff"),
        ("hex:00FFaB", b"\x00\xff\xab"),
    ] {
        let line = format!("-zu --probe {typed} h 1");
        assert_eq!(scan(&line).question.as_deref(), Some(bytes), "{line}");
    }
    assert_eq!(scan("-zu h 1").question, None);
}

#[test]
fn probe_need_not_be_text() {
    let args = ["nc", "-zu", "h", "1", "--probe"].map(OsString::from);
    let odd = OsStr::from_bytes(b"a\xff \n").to_owned();
    let Ok(Request::Run(plan)) = parse_with(args.into_iter().chain([odd]), OUTSIDE) else {
        panic!("refused");
    };
    let Mode::Scan(scan) = plan.job.mode else { panic!("no scan") };
    assert_eq!(scan.question.as_deref(), Some(&b"a\xff \n"[..]));
}

#[test]
fn probe_that_is_no_datagram_is_refused() {
    for typed in ["hex:0", "hex:000", "hex:0g", "hex:+1", "hex:0x00", "hex:é", "hex:00:ff"] {
        assert_eq!(refusal(&format!("-zu --probe {typed} h 1")), format!("probe invalid: {typed}"));
    }
    for typed in ["--probe=", "--probe=hex:"] {
        assert_eq!(refusal(&format!("-zu {typed} h 1")), "probe is empty");
    }
    let too_long = "probe too long: more than 65507 bytes";
    for (one, prefix) in [("x", ""), ("00", "hex:")] {
        let largest = format!("{prefix}{}", one.repeat(65507));
        let question = scan(&format!("-zu --probe {largest} h 1")).question;
        assert_eq!(question.map(|bytes| bytes.len()), Some(65507));
        assert_eq!(refusal(&format!("-zu --probe {largest}{one} h 1")), too_long);
    }
}

#[test]
fn probe_needs_udp() {
    for operands in ["h 1", "-U path", "--seqpacket path", "--vsock 2 1"] {
        let line = format!("-z --probe x {operands}");
        assert_eq!(refusal(&line), "must use -u with --probe", "{line}");
    }
    assert_eq!(refusal("-zuU --probe x path"), "cannot use -U and --probe");
}

#[test]
fn banner_takes_a_size_only_with_an_equals_sign() {
    let size = |line: &str| scan(line).banner.map(NonZeroUsize::get);
    assert_eq!(size("-z h 1"), None);
    assert_eq!(size("-z --banner h 1"), Some(1024));
    assert_eq!(size("-z --banner=1 h 1"), Some(1));
    assert_eq!(size("-z --banner=65536 h 1"), Some(65536));
    assert_eq!(size("-z --banner=5 --banner h 1"), Some(1024));
    let Destination::Host { ports, .. } = scan("-z h --banner 30").to else { panic!("no host") };
    assert_eq!(ports, [30]);
    for (value, why) in
        [("0", "too small"), ("65537", "too large"), ("x", "invalid"), ("", "invalid")]
    {
        let line = format!("-z --banner={value} h 1");
        assert_eq!(refusal(&line), format!("banner size {why}: {value}"));
    }
}

#[test]
fn v_and_json_say_what_is_told() {
    for (options, lines, json) in [
        ("", Lines::None, false),
        ("-v", Lines::Plain, false),
        ("-vv", Lines::Timed, false),
        ("-vvv", Lines::Timed, false),
        ("--json", Lines::None, true),
        ("-v --json", Lines::Plain, true),
    ] {
        let line = format!("-z {options} h 1");
        assert_eq!(scan(&line).tell, Tell { lines, json }, "{line}");
        assert_eq!(plan(&line).job.verbose, lines >= Lines::Plain, "{line}");
    }
}

#[test]
fn log_of_a_scan_takes_one_v_more() {
    for (options, verbosity) in [("", 0), ("-v", 1), ("-vv", 1), ("-vvv", 2), ("-vvvv", 3)] {
        assert_eq!(plan(&format!("-z {options} h 1")).voices.verbosity, verbosity, "{options}");
    }
}

#[test]
fn waiting_is_for_all_ports_and_so_long_at_most() {
    let vigil = |line: &str| scan(line).vigil;
    let every = SECOND / 5;
    assert_eq!(vigil("-z h 1"), None);
    assert_eq!(vigil("-z --wait-until-open 30s h 1"), Some(Vigil { limit: SECOND * 30, every }));
    assert_eq!(vigil("-z --wait-until-open 0 h 1"), Some(Vigil { limit: Duration::ZERO, every }));
    assert_eq!(
        vigil("-z --wait-until-open=1m --every 50ms h 1"),
        Some(Vigil { limit: SECOND * 60, every: SECOND / 20 })
    );
    for (value, why) in [("-1", "too small"), ("x", "invalid"), ("597h", "too large")] {
        let line = format!("-z --wait-until-open {value} h 1");
        assert_eq!(refusal(&line), format!("waiting time {why}: {value}"));
    }
}

#[test]
fn time_between_probes_is_above_0_and_for_waiting() {
    for (value, why) in
        [("0", "too small"), ("0.0s", "too small"), ("-1", "too small"), ("x", "invalid")]
    {
        let line = format!("-z --wait-until-open 1 --every {value} h 1");
        assert_eq!(refusal(&line), format!("time between probes {why}: {value}"));
    }
    assert_eq!(refusal("-z --every 1 h 1"), "must use --wait-until-open with --every");
}

#[test]
fn scan_exit_says_how_many_must_be_open() {
    assert_eq!(scan("-z h 1").goal, ScanGoal::Any);
    assert_eq!(scan("-z --scan-exit any h 1").goal, ScanGoal::Any);
    assert_eq!(scan("-z --scan-exit all h 1").goal, ScanGoal::All);
    assert_eq!(refusal("-z --scan-exit bogus h 1"), "scan exit must be any or all: bogus");
    // Whoever waits, waits for all.
    for options in ["", "--scan-exit any", "--scan-exit all"] {
        let line = format!("-z --wait-until-open 1 {options} h 1");
        assert_eq!(scan(&line).goal, ScanGoal::All, "{line}");
    }
}
