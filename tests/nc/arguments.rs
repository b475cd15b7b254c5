//! Command lines that are wrong, and those that ask for help: one line on stderr and status 1, or
//! the text where it belongs and status 0.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use crate::support::{ClosedPort, Nc};

#[test]
fn wrong_command_lines_get_one_line_and_status_1() {
    for (args, line) in [
        ("", ""),
        ("127.0.0.1", "missing port number"),
        ("localhost", "missing port number"),
        ("-l", "missing port number"),
        ("-k 127.0.0.1 4004", "must use -l with -k"),
        ("-p", ""),
        ("-w", ""),
        ("-l -p 4005 4004", ""),
        ("-l 127.0.0.1 4004 4005", ""),
        ("-w x 127.0.0.1 4004", "timeout invalid: x"),
        ("-w -1 127.0.0.1 4004", "timeout too small: -1"),
        ("-q x 127.0.0.1 4004", "quit timer invalid: x"),
        ("-W 0 127.0.0.1 4004", "receive limit too small: 0"),
        ("-W x 127.0.0.1 4004", "receive limit invalid: x"),
        ("--quit-after x 127.0.0.1 4004", ""),
        ("--max-conns 0 -l -k 0", ""),
        ("--max-conns x -l -k 0", ""),
        ("--send-only --recv-only 127.0.0.1 4004", ""),
        ("-z", ""),
        ("-z 127.0.0.1", "missing port number"),
        ("-z -l 4004", "cannot use -z and -l"),
        ("--json 127.0.0.1 4004", "must use -z with --json"),
        ("-z --probe x 127.0.0.1 4004", "must use -u with --probe"),
        ("-z --rate 0 127.0.0.1 4004", "rate too small: 0"),
        ("-z --scan-exit bogus 127.0.0.1 4004", "scan exit must be any or all: bogus"),
    ] {
        let end = Nc::new(args).start().ends();
        end.exits(1).showed(b"").said_one_line_with(line);
        assert!(end.stderr.starts_with("nc: "), "`nc {args}` said {:?}", end.stderr);
    }
}

#[test]
fn wrong_ports_are_named() {
    for (port, line) in [
        ("0", "nc: port number too small: 0\n"),
        ("65536", "nc: port number too large: 65536\n"),
        ("18446744073709551617", "nc: port number too large: 18446744073709551617\n"),
        ("70000-70001", "nc: port number too large: 70001\n"),
        ("abc", "nc: port number invalid: abc\n"),
        ("0x50", "nc: port number invalid: 0x50\n"),
        ("80,81", "nc: port number invalid: 80,81\n"),
        ("80x", "nc: port number invalid: 80x\n"),
        ("5-", "nc: port number invalid: \n"),
    ] {
        let end = Nc::new(format!("127.0.0.1 {port}")).start().ends();
        end.exits(1).showed(b"").said(line);
    }
    let empty = Nc::new("127.0.0.1").arg("").start().ends();
    empty.exits(1).showed(b"").said_one_line_with("port number invalid: ");
}

#[test]
fn ports_beyond_65535_are_refused_everywhere() {
    for args in ["-l 99999", "-l -p 99999", "-p 99999 127.0.0.1 4004", "127.0.0.1 -p 99999"] {
        let end = Nc::new(args).start().ends();
        end.exits(1).showed(b"").said("nc: port number too large: 99999\n");
    }
}

#[test]
fn a_listener_takes_one_port_only() {
    for args in ["-l 4000-4001", "-l -p 4000-4001", "-l nosuchservice", "-l -p nosuchservice"] {
        let end = Nc::new(args).start().ends();
        end.exits(1).showed(b"").said_one_line_with("nc: ");
    }
}

#[test]
fn names_that_are_no_addresses_are_refused() {
    let end = Nc::new("-n nosuch 4004").start().ends();
    let line = "nc: getaddrinfo for host \"nosuch\" port 4004: Name or service not known\n";
    end.exits(1).showed(b"").said(line);

    for args in ["-4 ::1 4004", "-6 127.0.0.1 4004"] {
        let end = Nc::new(args).start().ends();
        end.exits(1).showed(b"").said_one_line_with("Address family for hostname not supported");
    }
    let end = Nc::new("-l -n nosuch 4004").start().ends();
    end.exits(1).showed(b"").said_one_line_with("Name or service not known");
}

#[test]
fn an_address_that_is_not_ours_cannot_be_bound() {
    let closed = ClosedPort::reserve();
    // 192.0.2.0/24 is for documentation only; this one is on no machine.
    for args in ["-l 192.0.2.222 0", &format!("-s 192.0.2.222 127.0.0.1 {}", closed.port())] {
        let end = Nc::new(args).start().ends();
        end.exits(1).showed(b"").said_one_line_with("Cannot assign requested address");
    }
}

#[test]
fn letters_that_are_not_options_are_unknown() {
    for option in ["-e", "-Q", "--nosuch"] {
        let end = Nc::new(format!("{option} 127.0.0.1 4004")).start().ends();
        end.exits(1).showed(b"").said_one_line_with("unknown option");
        let letter = option.trim_start_matches('-');
        assert!(end.stderr.contains(letter), "{option} is not named in {:?}", end.stderr);
    }
    let grouped = Nc::new("-ve 127.0.0.1 4004").start().ends();
    grouped.exits(1).showed(b"").said_one_line_with("unknown option");
}

#[test]
fn arguments_need_not_be_text() {
    for position in 0..3 {
        let mut nc = Nc::new("");
        for at in 0..3 {
            let bytes =
                if at == position { b"\xff\xfe\x1b[31m\xfd".to_vec() } else { b"1".to_vec() };
            nc = nc.arg(OsString::from_vec(bytes));
        }
        let end = nc.start().ends();
        end.exits(1).showed(b"").said_one_line_with("nc: ");
        assert!(!end.stderr.contains('\x1b'), "raw escape sequence in {:?}", end.stderr);
    }
}

#[test]
fn h_helps_on_stderr_and_help_on_stdout() {
    let short = Nc::new("-h").start().ends();
    short.exits(0).showed(b"");
    let long = Nc::new("--help").start().ends();
    long.exits(0).said_nothing();
    let text = String::from_utf8(long.stdout).unwrap();
    for option in ["-l", "-p", "-N", "-w", "--half-close", "--exclusive", "--max-conns", "-z"] {
        assert!(text.contains(option), "--help says nothing of {option}:\n{text}");
        assert!(short.stderr.contains(option), "-h says nothing of {option}:\n{}", short.stderr);
    }
}

#[test]
fn version_is_the_packages() {
    let end = Nc::new("--version").start().ends();
    end.exits(0).said_nothing();
    let text = String::from_utf8(end.stdout).unwrap();
    assert_eq!(text.lines().count(), 1, "{text:?}");
    assert!(text.contains(env!("CARGO_PKG_VERSION")), "{text:?}");
}
