//! What carries the bytes, and the operands that go with it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use super::*;
use crate::sys::address::{Address, UnixName};

fn unix(name: &str) -> Address {
    Address::Unix(UnixName::typed(OsStr::new(name)))
}

fn vsock(cid: u32, port: u32) -> Address {
    Address::Vsock { cid, port }
}

fn exact(address: Address, source: Option<Address>) -> Destination {
    Destination::Exact { address, source }
}

const ANY: u32 = u32::MAX;

#[test]
fn letters_choose_the_transport() {
    for (line, transport) in [
        ("h 1", Transport::Tcp),
        ("-u h 1", Transport::Udp),
        ("-U path", Transport::UnixStream),
        ("-uU path", Transport::UnixDatagram),
        ("--seqpacket path", Transport::UnixRecords),
        ("--seqpacket -U path", Transport::UnixRecords),
        ("--vsock 2 1", Transport::Vsock),
        ("--mptcp h 1", Transport::Mptcp),
        ("--udp -l 1", Transport::Udp),
        ("--unixsock -l path", Transport::UnixStream),
        ("--fd 3 -u", Transport::Udp),
    ] {
        assert_eq!(plan(line).job.transport, transport, "{line}");
    }
}

#[test]
fn there_is_one_transport() {
    for (options, one, other) in [
        ("-u --seqpacket", "-u", "--seqpacket"),
        ("-u --vsock", "-u", "--vsock"),
        ("-u --mptcp", "-u", "--mptcp"),
        ("-U --vsock", "-U", "--vsock"),
        ("-U --mptcp", "-U", "--mptcp"),
        ("--seqpacket --vsock", "-U", "--vsock"),
        ("--vsock --mptcp", "--vsock", "--mptcp"),
        ("-UZ", "-Z", "-U"),
        ("--seqpacket -Z", "-Z", "-U"),
    ] {
        let expected = format!("cannot use {one} and {other}");
        assert_eq!(refusal(&format!("{options} a 1")), expected, "{options}");
    }
}

#[test]
fn dccp_has_left_linux() {
    for line in ["-Z h 1", "-lZ 1", "-uZ h 1", "--dccp h 1"] {
        assert_eq!(refusal(line), "socket: Socket type not supported", "{line}");
    }
}

#[test]
fn services_are_those_of_the_protocol() {
    assert_eq!(ports("-u h tftp"), [69]);
    assert_eq!(listen("-lu tftp").at, port(None, 69));
    assert_eq!(ports("--mptcp h http"), [80]);
    assert_eq!(refusal("h tftp"), "port number invalid: tftp");
    assert_eq!(refusal("-u h http"), "port number invalid: http");
}

#[test]
fn unix_operand_is_one_path() {
    for line in ["-U path", "-uU path", "--seqpacket path"] {
        assert_eq!(connect(line).to, exact(unix("path"), None), "{line}");
    }
    assert_eq!(connect("-U @name").to, exact(unix("@name"), None));
    assert_eq!(listen("-lU path").at, Place::Exact(unix("path")));
    assert_eq!(listen("-lukU @name").at, Place::Exact(unix("@name")));
}

#[test]
fn unix_path_need_not_be_text() {
    let odd = OsStr::from_bytes(b"a\xff\n");
    let mode = |options: &[&str]| {
        let options = options.iter().map(OsStr::new);
        let args = [OsStr::new("nc")].into_iter().chain(options).chain([odd]);
        match parse_with(args.map(OsString::from), OUTSIDE) {
            Ok(Request::Run(plan)) => plan.job.mode,
            other => panic!("{other:?}"),
        }
    };
    let name = || Address::Unix(UnixName::typed(odd));
    let Mode::Connect(connect) = mode(&["-U"]) else { panic!("no client") };
    assert_eq!(connect.to, exact(name(), None));
    let Mode::Connect(connect) = mode(&["-uU", "path", "-s"]) else { panic!("no client") };
    assert_eq!(connect.to, exact(unix("path"), Some(name())));
    for options in [&["-lU"][..], &["-lU", "-s"]] {
        let Mode::Listen(listen) = mode(options) else { panic!("no listener") };
        assert_eq!(listen.at, Place::Exact(name()));
    }
}

#[test]
fn unix_client_with_s_has_a_name_of_its_own() {
    assert_eq!(connect("-uU -s mine path").to, exact(unix("path"), Some(unix("mine"))));
    assert_eq!(connect("-U -s @mine path").to, exact(unix("path"), Some(unix("@mine"))));
}

#[test]
fn unix_listener_with_s_listens_there() {
    assert_eq!(listen("-l -s path -U").at, Place::Exact(unix("path")));
    assert_eq!(refusal("-lU -s a b"), "cannot use -s and PATH with -l");
}

#[test]
fn unix_sockets_need_a_path() {
    for line in ["-lU", "-U", "-lu --unixsock", "--seqpacket", "-U -s mine"] {
        assert_eq!(refusal(line), "missing socket pathname", "{line}");
    }
}

#[test]
fn unix_sockets_have_no_port() {
    for line in ["-U a b", "-lU a b", "-lU -p x", "-U -p 5 a", "--seqpacket a b", "-U a b c"] {
        assert_eq!(refusal(line), "cannot use port with -U", "{line}");
    }
}

#[test]
fn vsock_operands_are_a_machine_and_a_port() {
    for (line, cid, port) in [
        ("--vsock 3 4004", 3, 4004),
        ("--vsock host 70000", 2, 70000),
        ("--vsock local 4294967295", 1, u32::MAX),
        ("--vsock host -p 5", 2, 5),
    ] {
        assert_eq!(connect(line).to, exact(vsock(cid, port), None), "{line}");
    }
    assert_eq!(refusal("--vsock host"), "missing port number");
    assert_eq!(refusal("--vsock"), "missing host name and port number (see nc --help)");
    assert_eq!(refusal("--vsock host 1 2"), "cannot use more than CID PORT with --vsock");
    assert_eq!(refusal("--vsock localhost 1"), "CID invalid: localhost");
    assert_eq!(refusal("--vsock host 0"), "port number too small: 0");
    assert_eq!(refusal("--vsock host http"), "port number invalid: http");
}

#[test]
fn vsock_client_may_choose_its_own_address() {
    let from = |line: &str| match connect(line).to {
        Destination::Exact { source, .. } => source,
        Destination::Host { .. } => None,
    };
    assert_eq!(from("--vsock -s local host 1"), Some(vsock(1, ANY)));
    assert_eq!(from("--vsock -p 7 host 1"), Some(vsock(ANY, 7)));
    assert_eq!(from("--vsock -s 3 -p 7 host 1"), Some(vsock(3, 7)));
    assert_eq!(refusal("--vsock -s x host 1"), "CID invalid: x");
}

#[test]
fn vsock_listener_is_for_every_machine_unless_told() {
    for (line, cid, port) in [
        ("-l --vsock 4004", ANY, 4004),
        ("-l --vsock -p 4004", ANY, 4004),
        ("-l --vsock any 70000", ANY, 70000),
        ("-l --vsock local 1", 1, 1),
        ("-l --vsock -s 3 1", 3, 1),
        ("-l --vsock -- -1 1", ANY, 1),
    ] {
        assert_eq!(listen(line).at, Place::Exact(vsock(cid, port)), "{line}");
    }
    assert_eq!(refusal("-l --vsock host 1 2"), "cannot use more than HOST PORT with -l");
    assert_eq!(refusal("-l --vsock http"), "port number invalid: http");
}

#[test]
fn vsock_listener_port_0_is_the_kernels_choice() {
    assert_eq!(listen("-l --vsock 0").at, Place::Exact(vsock(ANY, ANY)));
}

#[test]
fn fd_is_an_inherited_socket_and_implies_l() {
    for line in ["--fd 3", "-l --fd 3", "-lk --fd=3", "--fd 3 -k", "--fd 3 -U"] {
        assert_eq!(listen(line).at, Place::Inherited(3), "{line}");
        assert_eq!(policy(line).peer_eof, PeerEof::EndSession, "{line}");
    }
    assert_eq!(listen("--fd 0").at, Place::Inherited(0));
}

#[test]
fn fd_says_where_alone() {
    assert_eq!(refusal("--fd 3 4004"), "cannot use HOST or PORT with --fd");
    assert_eq!(refusal("--fd 3 -U path"), "cannot use HOST or PORT with --fd");
    assert_eq!(refusal("--fd 3 -p 1"), "cannot use --fd and -p");
    assert_eq!(refusal("--fd 3 -s a"), "cannot use --fd and -s");
    assert_eq!(refusal("--fd 3 --exclusive"), "cannot use --fd and --exclusive");
}

#[test]
fn descriptors_are_numbers_from_0() {
    for option in ["--fd", "-l --ready-fd"] {
        for (value, why) in
            [("-1", "too small"), ("x", "invalid"), ("", "invalid"), ("2147483648", "too large")]
        {
            let line = format!("{option}={value}");
            assert_eq!(refusal(&line), format!("descriptor {why}: {value}"), "{line}");
        }
    }
}

#[test]
fn listeners_announce_themselves_where_asked() {
    let announce = listen("-l 0 --port-file /run/port --ready-fd 5").announce;
    let expected = Announce { port_file: Some("/run/port".into()), ready_fd: Some(5) };
    assert_eq!(announce, expected);
    assert_eq!(listen("--fd 3 --ready-fd 5").announce.ready_fd, Some(5));
    assert_eq!(refusal("--port-file f h 1"), "must use -l with --port-file");
    assert_eq!(refusal("--ready-fd 5 h 1"), "must use -l with --ready-fd");
}

#[test]
fn f_passes_the_descriptor_on() {
    assert_eq!(connect("-F h 1").purpose, Purpose::PassDescriptor);
    assert_eq!(connect("--pass-fd h 1 2").purpose, Purpose::PassDescriptor);
    for line in ["-FU a", "-lFU a", "-F --seqpacket a"] {
        assert_eq!(refusal(line), "cannot use -F and -U", "{line}");
    }
    assert_eq!(refusal("-FUZ a"), "cannot use -Z and -U");
}

#[test]
fn f_of_a_listener_means_nothing() {
    assert_eq!(plan("-lF 1"), plan("-l 1"));
}
