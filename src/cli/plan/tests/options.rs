//! Socket options.

use std::fs;

use super::*;
use crate::sys::options::Keepalive;

#[track_caller]
fn options(words: &str) -> Options {
    plan(&format!("{words} h 1")).job.options
}

#[test]
fn letters_fill_the_options() {
    let none = Options::default;
    for (words, expected) in [
        ("-b", Options { broadcast: true, ..none() }),
        ("--broadcast", Options { broadcast: true, ..none() }),
        ("-D", Options { debug: true, ..none() }),
        ("--so-debug", Options { debug: true, ..none() }),
        ("-I 4096", Options { recv_buffer: Some(4096), ..none() }),
        ("--recv-buffer=1", Options { recv_buffer: Some(1), ..none() }),
        ("-O 1073741824", Options { send_buffer: Some(1 << 30), ..none() }),
        ("--send-buffer 1", Options { send_buffer: Some(1), ..none() }),
        ("-M 255", Options { ttl: Some(255), ..none() }),
        ("--ttl 0", Options { ttl: Some(0), ..none() }),
        ("-m 255", Options { min_ttl: Some(255), ..none() }),
        ("--min-ttl 0", Options { min_ttl: Some(0), ..none() }),
        ("-T lowdelay", Options { tos: Some(0x10), ..none() }),
        ("--tos 0xb8", Options { tos: Some(0xb8), ..none() }),
        ("--nodelay", Options { nodelay: true, ..none() }),
        ("--interface lo", Options { interface: Some("lo".to_owned()), ..none() }),
        ("--tcp-fastopen", Options { fast_open: true, ..none() }),
        ("--user-timeout 1.5", Options { user_timeout: Some(SECOND * 3 / 2), ..none() }),
        ("--congestion bbr", Options { congestion: Some("bbr".to_owned()), ..none() }),
        ("--no-loop", Options { no_loop: true, ..none() }),
    ] {
        assert_eq!(options(words), expected, "{words}");
        assert_eq!(plan(&format!("{words} -l 1")).job.options, expected, "{words}");
    }
}

#[test]
fn options_that_mean_nothing_for_the_transport_are_no_error() {
    for words in ["-b", "-D", "-T ef", "-M 5", "-m 5", "--nodelay", "--no-loop", "--mark 1"] {
        plan(&format!("{words} -U path"));
    }
}

#[test]
fn buffers_are_refused_in_debians_words() {
    for (words, expected) in [
        ("-I 0", "TCP receive window too small: 0"),
        ("-I 1073741825", "TCP receive window too large: 1073741825"),
        ("-I x", "TCP receive window invalid: x"),
        ("-O 0", "TCP send window too small: 0"),
        ("-O -1", "TCP send window too small: -1"),
        ("-O 1073741825", "TCP send window too large: 1073741825"),
    ] {
        assert_eq!(refusal(&format!("{words} h 1")), expected);
    }
}

#[test]
fn ttls_are_refused_in_debians_words() {
    for (words, expected) in [
        ("-M 256", "ttl is too large"),
        ("-M x", "ttl is invalid"),
        ("-M -1", "ttl is too small"),
        ("-m -1", "minttl is too small"),
        ("-m 256", "minttl is too large"),
        ("-m x", "minttl is invalid"),
    ] {
        assert_eq!(refusal(&format!("{words} h 1")), expected);
    }
}

#[test]
fn types_of_service_are_refused_in_debians_words() {
    for value in ["bogus", "256", "0x1ff", "0X10", "-1"] {
        assert_eq!(refusal(&format!("-T {value} h 1")), format!("illegal tos value {value}"));
    }
}

#[test]
fn routing_tables_are_always_refused() {
    for line in ["-V 0 h 1", "-V x", "-V0"] {
        assert_eq!(refusal(line), "no alternate routing table support available", "{line}");
    }
}

#[test]
fn keepalive_takes_a_time_only_with_an_equals_sign() {
    let seconds = |seconds| Some(Keepalive { seconds });
    assert_eq!(options("").keepalive, None);
    assert_eq!(options("--keepalive").keepalive, seconds(None));
    assert_eq!(options("--keepalive=30").keepalive, seconds(Some(30)));
    assert_eq!(options("--keepalive=30 --keepalive").keepalive, seconds(None));
    assert_eq!(ports("h --keepalive 30"), [30]);
    for (value, why) in
        [("0", "too small"), ("32768", "too large"), ("x", "invalid"), ("", "invalid")]
    {
        let line = format!("--keepalive={value} h 1");
        assert_eq!(refusal(&line), format!("keepalive time {why}: {value}"));
    }
}

#[test]
fn marks_are_decimal_or_hexadecimal() {
    for (value, mark) in
        [("0", 0), ("42", 42), ("4294967295", u32::MAX), ("0xff", 255), ("0xFFFFFFFF", u32::MAX)]
    {
        assert_eq!(options(&format!("--mark {value}")).mark, Some(mark));
    }
    for (value, why) in [
        ("x", "invalid"),
        ("0x", "invalid"),
        ("0xg", "invalid"),
        ("0x+1", "invalid"),
        ("-1", "too small"),
        ("4294967296", "too large"),
        ("0x100000000", "too large"),
    ] {
        assert_eq!(refusal(&format!("--mark {value} h 1")), format!("mark {why}: {value}"));
    }
}

#[test]
fn user_timeouts_that_do_not_fit_are_refused() {
    assert_eq!(refusal("--user-timeout x h 1"), "user timeout invalid: x");
    assert_eq!(refusal("--user-timeout -1 h 1"), "user timeout too small: -1");
}

#[test]
fn passwords_come_from_the_terminal_or_a_file() {
    let file = tempfile::NamedTempFile::new().expect("file");
    fs::write(file.path(), "written\n").expect("written");
    let in_file = format!("--tcp-md5-file {}", file.path().display());
    assert_eq!(options("").md5_key, None);
    assert_eq!(options("-S").md5_key, Some(password(b"typed")));
    assert_eq!(options("--tcp-md5").md5_key, Some(password(b"typed")));
    assert_eq!(options(&in_file).md5_key, Some(password(b"written")));
    // Whoever names a file does not want to be asked.
    assert_eq!(options(&format!("-S {in_file}")).md5_key, Some(password(b"written")));
    assert_eq!(
        refusal("--tcp-md5-file /no/such/file h 1"),
        "/no/such/file: No such file or directory"
    );
}

#[test]
fn passwords_are_asked_for_last() {
    let outside = Outside { password: &|_| panic!("asked in vain"), ..OUTSIDE };
    for line in ["-S h 0", "-SU", "-Sl -s a", "-Sk h 1", "-S -w x h 1"] {
        read_with(line, outside).expect_err(line);
    }
}

#[test]
fn passwords_are_asked_for_in_debians_words() {
    let outside = Outside {
        password: &|question| {
            assert_eq!(question.text, "TCP MD5SIG password");
            assert_eq!(question.wanted, "TCP MD5SIG password");
            // Of this 79 bytes count.
            Ok(Secret::copied(&[b'x'; 100]))
        },
        ..OUTSIDE
    };
    let Ok(Request::Run(plan)) = read_with("-S h 1", outside) else { panic!("refused") };
    assert_eq!(plan.job.options.md5_key, Some(password(&[b'x'; 79])));
}

#[test]
fn passwords_are_neither_empty_nor_too_long() {
    let file = tempfile::NamedTempFile::new().expect("file");
    let line = format!("--tcp-md5-file {} h 1", file.path().display());
    let refused = |content: &[u8]| {
        fs::write(file.path(), content).expect("written");
        refusal(&line)
    };
    for content in [&b""[..], b"\n", b"\nsecret\n"] {
        assert_eq!(refused(content), "TCP MD5SIG password is empty");
    }
    let too_long = "TCP MD5SIG password too long: more than 80 bytes";
    assert_eq!(refused(&[b'x'; 81]), too_long);
    assert_eq!(refused(&vec![b'x'; 100_000]), too_long);
    fs::write(file.path(), [&[b'x'; 80][..], b"\n"].concat()).expect("written");
    assert_eq!(plan(&line).job.options.md5_key, Some(password(&[b'x'; 80])));

    let outside = Outside { password: &|_| Ok(Secret::copied(b"")), ..OUTSIDE };
    let empty = read_with("-S h 1", outside).expect_err("empty");
    assert_eq!(empty.to_string(), "TCP MD5SIG password is empty");
}
