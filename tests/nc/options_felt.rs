//! Socket options by what they do, and the errors that name them.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use nix::sys::socket::SetSockOpt;
use rustix::event::PollFlags;
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use socket2::SockRef;

use crate::support::ends::Pty;
use crate::support::peer::ready;
use crate::support::strace::{Trace, find};
use crate::support::{DEADLINE, Nc, Peer, Server, kernel};

mod kernel_option {
    use nix::{setsockopt_impl, sockopt_impl};

    sockopt_impl!(MinTtl, SetOnly, libc::IPPROTO_IP, libc::IP_MINTTL, libc::c_int);
}

#[test]
fn the_time_to_live_of_packets_sent() {
    let server = Server::start();
    kernel_option::MinTtl.set(server.listener(), &200).unwrap();
    let args = format!("-w 0.5 127.0.0.1 {}", server.port());
    Nc::new(&args).start().ends().exits(1).said_one_line_with("timed out");
    let mut nc = Nc::new(format!("-M 200 {args}")).start();
    let mut peer = server.accepts();
    nc.types(b"hello");
    peer.receives(b"hello");
}

#[test]
fn the_least_time_to_live_of_packets_received() {
    let (nc, port) = Nc::new("-l -m 200").listens();
    let connect = |ttl: u32| {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
        let socket = socket.unwrap();
        socket.set_ttl_v4(ttl).unwrap();
        let to = SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into();
        socket.connect_timeout(&to, Duration::from_millis(500)).map(|()| socket)
    };
    connect(64).unwrap_err();
    let socket = connect(255).unwrap();
    (&socket).write_all(b"hello").unwrap();
    nc.shows(b"hello");
}

#[test]
fn keepalive_sets_a_timer() {
    let server = Server::start();
    for (options, expected) in [("", 0), ("--keepalive", 2), ("--keepalive=100", 2)] {
        let mut nc = Nc::new(format!("{options} 127.0.0.1 {}", server.port())).start();
        let mut peer = server.accepts();
        nc.types(b"hello");
        peer.receives(b"hello");
        nc.settles();
        let port = peer.stream.peer_addr().unwrap().port();
        let timer = kernel::tcp_timer(port, server.port());
        assert_eq!(timer, expected, "{options}");
    }
    let (mut nc, port) = Nc::new("-l --keepalive").listens();
    let mut peer = Peer::connect(port);
    nc.types(b"hello");
    peer.receives(b"hello");
    nc.settles();
    assert_eq!(kernel::tcp_timer(port, peer.port()), 2);
}

#[test]
fn a_type_of_service_that_is_none_is_refused() {
    for value in ["bogus", "256", "0x1ff", "0X10", "-1", ""] {
        let nc = Nc::new("-T").arg(value).arg("127.0.0.1").arg("9").start();
        nc.ends().exits(1).said(&format!("nc: illegal tos value {value}\n"));
    }
}

#[test]
fn numbers_that_do_not_fit_are_refused() {
    for (option, value, message) in [
        ("-M", "256", "ttl is too large"),
        ("-M", "x", "ttl is invalid"),
        ("-m", "-1", "minttl is too small"),
        ("-I", "0", "TCP receive window too small: 0"),
        ("-O", "1073741825", "TCP send window too large: 1073741825"),
        ("-i", "-1", "interval too small: -1"),
        ("-i", "x", "interval invalid: x"),
        ("-W", "0", "receive limit too small: 0"),
    ] {
        let nc = Nc::new("127.0.0.1 9").arg(option).arg(value).start();
        nc.ends().exits(1).said(&format!("nc: {message}\n"));
    }
    for (option, value) in [
        ("--mark", "x"),
        ("--mark", "4294967296"),
        ("--keepalive=0", ""),
        ("--keepalive=x", ""),
        ("--user-timeout", "x"),
        ("--udp-size", "0"),
        ("--udp-size", "65508"),
        ("--udp-reply", "some"),
    ] {
        let nc = Nc::new("127.0.0.1 9").arg(option);
        let nc = if value.is_empty() { nc } else { nc.arg(value) };
        nc.start().ends().exits(1).said_one_line_with(value);
    }
}

#[test]
fn an_option_the_kernel_refuses_is_named() {
    let server = Server::start();
    for (options, words) in [
        ("--congestion nosuch", ["--congestion", "No such file or directory"]),
        ("--interface nosuch0", ["--interface", "No such device"]),
        ("--interface a-name-that-is-too-long", ["--interface", "No such device"]),
        ("-M 0", ["-M", "Invalid argument"]),
    ] {
        for role in [format!("127.0.0.1 {}", server.port()), "-l 127.0.0.1 0".to_owned()] {
            let end = Nc::new(format!("{options} {role}")).start().ends();
            for word in words {
                end.exits(1).said_one_line_with(word);
            }
        }
    }
}

#[test]
fn what_linux_does_not_have_is_refused() {
    for (options, message) in [
        ("-V 0 127.0.0.1 9", "nc: no alternate routing table support available\n"),
        ("-U -Z path", "nc: cannot use -Z and -U\n"),
    ] {
        Nc::new(options).start().ends().exits(1).said(message);
    }
    Nc::new("-Z 127.0.0.1 9").start().ends().exits(1).said_one_line_with("not supported");
    Nc::new("-l -Z 9").start().ends().exits(1).said_one_line_with("not supported");
}

#[test]
#[ignore = "needs root"]
fn without_its_rights_an_option_is_named() {
    let server = Server::start();
    for option in ["-D", "--mark 7"] {
        let nc = Nc::new(format!("{option} 127.0.0.1 {}", server.port()));
        let nc = nc.under("setpriv", &["--bounding-set=-all", "--inh-caps=-all"]);
        let name = option.split(' ').next().unwrap();
        let end = nc.start().ends();
        end.exits(1).said_one_line_with(name);
        let told = ["Operation not permitted", "Permission denied"];
        assert!(told.iter().any(|reason| end.stderr.contains(reason)), "{}", end.stderr);
    }
}

#[test]
fn multipath_tcp_speaks_with_plain_tcp() {
    let server = Server::start();
    let mut nc = Nc::new(format!("--mptcp -N 127.0.0.1 {}", server.port())).start();
    let mut peer = server.accepts();
    nc.types(b"question");
    peer.receives(b"question");
    peer.sends(b"answer");
    nc.shows(b"answer");
    nc.ends_input();
    peer.receives_eof();
    drop(peer);
    nc.ends().exits(0).said_nothing();

    let (nc, port) = Nc::new("-l --mptcp").listens();
    let mut client = Nc::new(format!("-N --mptcp 127.0.0.1 {port}")).start();
    client.types(b"over several paths");
    client.ends_input();
    nc.ends().exits(0).showed(b"over several paths");
    client.ends().exits(0).said_nothing();
}

#[test]
fn fast_open_waits_for_no_first_word() {
    // Twice: the second time the kernel may have a cookie, and the SYN waits for data.
    let (nc, port) = Nc::new("-l -k --tcp-fastopen").listens();
    let mut nc = nc;
    for _ in 0..2 {
        let mut client = Nc::new(format!("--tcp-fastopen 127.0.0.1 {port}")).start();
        nc.types(b"the server speaks first");
        client.shows(b"the server speaks first");
        let before = nc.shown();
        client.types(b"and the client answers");
        nc.shows(&[before, b"and the client answers".to_vec()].concat());
        drop(client);
        nc.settles();
    }
    let server = Server::start();
    let mut client = Nc::new(format!("--tcp-fastopen 127.0.0.1 {}", server.port())).start();
    client.types(b"hello");
    server.accepts().receives(b"hello");
}

#[test]
fn the_password_of_md5_needs_a_terminal() {
    let server = Server::start();
    let nc = Nc::new(format!("-S 127.0.0.1 {}", server.port())).under("setsid", &[]);
    nc.start().ends().exits(1).said("nc: Unable to read TCP MD5SIG password\n");
}

#[test]
fn the_password_of_md5_is_asked_for_and_not_echoed() {
    let server = Server::start();
    let pty = Pty::open();
    let mut modes = tcgetattr(&pty.terminal).unwrap();
    modes.local_modes.insert(LocalModes::ECHO);
    tcsetattr(&pty.terminal, OptionalActions::Now, &modes).unwrap();
    let watched = pty.terminal.try_clone().unwrap();
    let args = format!("-S 127.0.0.1 {}", server.port());
    let nc = Nc::new(args).under("setsid", &["--ctty"]).stdin(pty.terminal).start();
    let mut master = std::fs::File::from(pty.master);
    let mut shown = String::new();
    while !shown.contains("TCP MD5SIG password: ") {
        assert!(ready(&master, PollFlags::IN, DEADLINE), "no prompt but {shown:?}");
        let mut bytes = [0; 256];
        let count = master.read(&mut bytes).unwrap();
        shown.push_str(&String::from_utf8_lossy(&bytes[..count]));
    }
    crate::support::wait_until("echo is off", || {
        !tcgetattr(&watched).unwrap().local_modes.contains(LocalModes::ECHO)
    });
    master.write_all(b"secret\n").unwrap();
    crate::support::wait_until("echo is on again", || {
        tcgetattr(&watched).unwrap().local_modes.contains(LocalModes::ECHO)
    });
    let mut bytes = [0; 256];
    while ready(&master, PollFlags::IN, Duration::from_millis(200)) {
        let count = master.read(&mut bytes).unwrap();
        shown.push_str(&String::from_utf8_lossy(&bytes[..count]));
    }
    assert!(!shown.contains("secret"), "{shown:?}");
    assert!(!nc.stderr_text().contains("Unable"), "{}", nc.stderr_text());
}

#[test]
#[ignore = "needs strace"]
fn md5_is_asked_of_the_kernel_first() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("password");
    std::fs::write(&path, "secret\nsecond line\n").unwrap();
    let server = Server::start();
    let nc = Nc::new("-T ef --tcp-md5-file").arg(&path).arg("127.0.0.1");
    let nc = nc.arg(server.port().to_string());
    let (nc, trace) = Trace::of(nc, "setsockopt");
    // Whether the kernel can do it or not: a server without the key would not answer.
    let end = nc.arg("-w").arg("0.3").start().ends();
    end.exits(1);
    let calls = trace.calls();
    let call = find(&calls, "SOL_TCP, TCP_MD5SIG_EXT, ");
    assert!(call.contains("secret\\0"), "{call}");
    if !call.ends_with("= 0") {
        end.said_one_line_with("TCP_MD5SIG_EXT");
    }
}

#[test]
fn a_password_file_that_cannot_be_used_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("password");
    let refused = || {
        let nc = Nc::new("--tcp-md5-file").arg(&path).arg("127.0.0.1").arg("9").start();
        nc.ends().exits(1).said_one_line_with("password");
    };
    refused();
    std::fs::write(&path, "").unwrap();
    refused();
    std::fs::write(&path, "x".repeat(81)).unwrap();
    refused();
}

#[test]
fn buffers_are_as_large_as_asked_for() {
    // The window of a connection shows the size of the receiver's buffer: a stopped reader with a small
    // one takes less.
    let taken = |options: &str| {
        let (nc, port) = Nc::new(format!("-l {options}")).listens();
        let peer = Peer::connect(port);
        nc.says("Connection received on ");
        nc.stops();
        SockRef::from(&peer.stream).set_send_buffer_size(4096).unwrap();
        let taken = crate::support::fill(&peer.stream, &mut crate::support::Noise::new(350));
        nc.continues();
        taken
    };
    let (small, usual) = (taken("-I 4096"), taken(""));
    assert!(small * 2 < usual, "{small} and {usual} bytes");
}
