//! Through proxies: what they are asked, byte by byte, and that nothing is lost on the way.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv6Addr, Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use md5::Md5;
use rustix::event::PollFlags;
use rustix::process::Signal;
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use sha2::Sha256;

use crate::pass_fd::passed;
use crate::support::ends::Pty;
use crate::support::peer::ready;
use crate::support::proxies::{
    HTTP_GRANT, Kind, PORT, Round, SOCKS4_GRANT, SOCKS5_GRANT, challenge, connect_request,
    converses, drips, exchanges, hash, hears_head, hears_the_rest, optional_parameter, parameter,
    plays, plays_up_to_the_last_answer, socks4_request, socks5_request, through, was_left_alone,
};
use crate::support::strace::Trace;
use crate::support::{ClosedPort, DEADLINE, Nc, Peer, Server, noise, wait_until, watch};

#[test]
fn each_kind_is_asked_in_its_own_words() {
    let (v4, v6, name) = ("192.0.2.1", "2001:db8::1", "h.example");
    let socks4 = |user, host| vec![Round::new(socks4_request(user, host, PORT), SOCKS4_GRANT)];
    let socks5 = |host| Kind::Socks5.dialogue(host, PORT);
    let http = |host| vec![Round::new(connect_request(host, PORT, ""), HTTP_GRANT)];
    for (options, host, rounds) in [
        ("-X 4", v4, vec![Round::new(b"\x04\x01\x0f\xa4\xc0\x00\x02\x01\x00", SOCKS4_GRANT)]),
        ("-X 4 -P joe", v4, socks4("joe", v4)),
        ("-X socks4", v4, socks4("", v4)),
        ("-X 4a", v4, socks4("", v4)),
        ("-X 4a", name, socks4("", name)),
        ("-X SOCKS4a -P joe", name, socks4("joe", name)),
        ("", v4, socks5(v4)),
        ("-X 5", v4, socks5(v4)),
        ("-X 5", v6, socks5(v6)),
        ("-X 5", name, socks5(name)),
        ("-X Socks5", name, socks5(name)),
        ("-X connect", v4, http(v4)),
        ("-X CONNECT", v6, http(v6)),
        ("-X http", name, http(name)),
        (
            "-X connect",
            name,
            vec![Round::new(b"CONNECT h.example:4004 HTTP/1.0\r\n\r\n", b"HTTP/1.0 200\r\n\r\n")],
        ),
    ] {
        let server = Server::start();
        let args = format!("-v -x 127.0.0.1:{} {options} {host} {PORT}", server.port());
        let nc = Nc::new(args).start();
        let mut peer = server.accepts();
        plays(&mut peer, &rounds);
        let end = converses(nc, peer);
        let line = format!("Connection to {host} {PORT} port [tcp/*] succeeded!\n");
        end.exits(0).showed(b"from the peer").said(&line);
    }
}

#[test]
fn ncats_spelling_means_the_same() {
    for (kind, of_type) in [
        (Kind::Http, ""),
        (Kind::Http, "--proxy-type http"),
        (Kind::Socks4, "--proxy-type socks4"),
        (Kind::Socks5, "--proxy-type socks5"),
    ] {
        let server = Server::start();
        let (host, port) = (kind.host(), server.port());
        let nc = Nc::new(format!("--proxy 127.0.0.1:{port} {of_type} {host} {PORT}")).start();
        let mut peer = server.accepts();
        plays(&mut peer, &kind.dialogue(host, PORT));
        converses(nc, peer).exits(0).said_nothing();
    }
    for kind in Kind::ALL {
        let server = Server::start();
        let (host, scheme) = (kind.host(), kind.scheme());
        let args = format!("--proxy {scheme}://127.0.0.1:{} {host} {PORT}", server.port());
        let nc = Nc::new(args).start();
        let mut peer = server.accepts();
        plays(&mut peer, &kind.dialogue(host, PORT));
        converses(nc, peer).exits(0).said_nothing();
    }
}

#[test]
fn a_proxy_may_be_at_an_ipv6_address() {
    for spelling in ["-x [::1]:PORT -X 5", "--proxy socks5://[::1]:PORT"] {
        let server = Server::start_on(IpAddr::V6(Ipv6Addr::LOCALHOST));
        let options = spelling.replace("PORT", &server.port().to_string());
        let nc = Nc::new(format!("{options} h.example {PORT}")).start();
        let mut peer = server.accepts();
        plays(&mut peer, &Kind::Socks5.dialogue("h.example", PORT));
        converses(nc, peer).exits(0).said_nothing();
    }
}

/// Nobody listens at that address, whatever the port.
#[test]
fn a_proxy_without_a_port_is_at_its_kinds_usual_one() {
    for (options, port) in [
        ("-x 127.83.7.1", 1080),
        ("-x 127.83.7.1 -X 4", 1080),
        ("-x 127.83.7.1 -X connect", 3128),
        ("--proxy 127.83.7.1", 3128),
        ("--proxy 127.83.7.1 --proxy-type socks5", 1080),
        ("--proxy socks4a://127.83.7.1", 1080),
        ("--proxy http://127.83.7.1", 3128),
    ] {
        let end = Nc::new(format!("{options} 192.0.2.1 {PORT}")).start().ends();
        let line =
            format!("nc: connect to 127.83.7.1 port {port} (tcp) failed: Connection refused\n");
        end.exits(1).showed(b"").said(&line);
    }
}

#[test]
fn a_proxy_that_refuses_connections_is_named() {
    let closed = ClosedPort::reserve();
    let port = closed.port();
    for options in ["", "-v"] {
        let nc = Nc::new(format!("{options} -x 127.0.0.1:{port} h.example {PORT}")).start();
        nc.ends().exits(1).said(&format!(
            "nc: connect to 127.0.0.1 port {port} (tcp) failed: Connection refused\n"
        ));
    }
}

#[test]
fn socks5_gives_user_and_password_where_they_are_wanted() {
    let wanted = [
        Round::new(b"\x05\x02\x00\x02", b"\x05\x02"),
        Round::new(b"\x01\x03joe\x06secret", b"\x01\x00"),
        Round::new(socks5_request("h.example", PORT), SOCKS5_GRANT),
    ];
    let not_wanted = [
        Round::new(b"\x05\x02\x00\x02", b"\x05\x00"),
        Round::new(socks5_request("h.example", PORT), SOCKS5_GRANT),
    ];
    for rounds in [&wanted[..], &not_wanted] {
        let server = Server::start();
        let options = "--proxy-auth joe:secret";
        let nc = through(Kind::Socks5, &server, options, "h.example").start();
        let mut peer = server.accepts();
        plays(&mut peer, rounds);
        converses(nc, peer).exits(0).said_nothing();
    }
}

#[test]
fn basic_credentials_are_sent_when_asked_for_over_a_new_connection() {
    for closes in [false, true] {
        let server = Server::start();
        let options = "-v --proxy-auth joe:secret";
        let nc = through(Kind::Http, &server, options, "h.example").start();
        let mut peer = server.accepts();
        peer.receives(&connect_request("h.example", PORT, ""));
        peer.sends(&challenge("Proxy-Authenticate: Basic realm=\"r\""));
        if closes {
            // Unless the program was faster.
            let _ = peer.stream.shutdown(Shutdown::Write);
        }
        peer.is_ended();
        let mut peer = server.accepts();
        let header = "Proxy-Authorization: Basic am9lOnNlY3JldA==\r\n";
        let asked = connect_request("h.example", PORT, header);
        plays(&mut peer, &[Round::new(asked, HTTP_GRANT)]);
        let line = format!("Connection to h.example {PORT} port [tcp/*] succeeded!\n");
        converses(nc, peer).exits(0).showed(b"from the peer").said(&line);
        was_left_alone(&server);
    }
}

#[test]
fn credentials_come_from_an_argument_a_file_or_the_environment() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("credentials");
    fs::write(&path, "joe:secret\n").unwrap();
    for source in ["an argument", "a file", "the environment"] {
        for kind in [Kind::Socks5, Kind::Http] {
            let server = Server::start();
            let nc = through(kind, &server, "-vvv", "h.example");
            let nc = match source {
                "an argument" => nc.arg("--proxy-auth").arg("joe:secret"),
                "a file" => nc.arg("--proxy-auth-file").arg(&path),
                _ => nc.env("NCAT_PROXY_AUTH", "joe:secret"),
            };
            let nc = nc.start();
            let peer = gives_up_the_secret(kind, &server);
            let pid = nc.pid().as_raw_nonzero();
            let told = fs::read(format!("/proc/{pid}/cmdline")).unwrap();
            let visible = String::from_utf8_lossy(&told).contains("secret");
            assert_eq!(visible, source == "an argument", "{source}");
            let end = converses(nc, peer);
            end.exits(0);
            has_no_secret(&end.stderr);
        }
    }
}

#[test]
fn the_user_may_be_an_option_and_the_password_in_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("password");
    fs::write(&path, "secret\nsecond line\n").unwrap();
    for kind in [Kind::Socks5, Kind::Http] {
        let server = Server::start();
        let port = server.port();
        let args = format!("-x 127.0.0.1:{port} -X {} -P joe --proxy-auth-file", kind.option());
        let nc = Nc::new(args).arg(&path).arg("h.example").arg(PORT.to_string()).start();
        let peer = gives_up_the_secret(kind, &server);
        converses(nc, peer).exits(0).said_nothing();
    }
}

#[test]
fn the_credentials_of_a_url_are_for_that_proxy_alone() {
    let server = Server::start();
    let port = server.port();
    let list = format!(
        "socks5://joe:secret@127.0.0.1:{port},socks5://j%3ao:s%2fe%40%25@192.0.2.7:1,\
         socks4a://ann@192.0.2.8:2,socks5://192.0.2.9:3"
    );
    let nc = Nc::new(format!("-vvv --proxy {list} h.example {PORT}")).start();
    let mut peer = server.accepts();
    let rounds = [
        Round::new(b"\x05\x02\x00\x02", b"\x05\x02"),
        Round::new(b"\x01\x03joe\x06secret", b"\x01\x00"),
        Round::new(socks5_request("192.0.2.7", 1), SOCKS5_GRANT),
        Round::new(b"\x05\x02\x00\x02", b"\x05\x02"),
        Round::new(b"\x01\x03j:o\x05s/e@%", b"\x01\x00"),
        Round::new(socks5_request("192.0.2.8", 2), SOCKS5_GRANT),
        Round::new(socks4_request("ann", "192.0.2.9", 3), SOCKS4_GRANT),
        Round::new(b"\x05\x01\x00", b"\x05\x00"),
        Round::new(socks5_request("h.example", PORT), SOCKS5_GRANT),
    ];
    plays(&mut peer, &rounds);
    let end = converses(nc, peer);
    end.exits(0).showed(b"from the peer");
    has_no_secret(&end.stderr);
}

#[test]
fn what_cannot_be_meant_is_refused_without_repeating_a_password() {
    for (args, line) in [
        ("-l -x 127.0.0.1:9 4004", "nc: no proxy support for listen\n"),
        ("-u -x 127.0.0.1:9 h 1", "nc: no proxy support for UDP mode\n"),
        ("-U -x 127.0.0.1:9 h", "nc: no proxy support for unix sockets\n"),
        ("-X 6 -x 127.0.0.1:9 h 1", "nc: unsupported proxy protocol\n"),
        ("-P joe h 1", "nc: must use -x with -P\n"),
        ("-x 127.0.0.1:99999 h 1", "nc: proxy port too large\n"),
    ] {
        Nc::new(args).start().ends().exits(1).showed(b"").said(line);
    }
    for args in [
        "--proxy socks5://joe:secret@127.0.0.1:x h 1",
        "--proxy socks5://joe:secret@ h 1",
        "--proxy ftp://joe:secret@127.0.0.1:9 h 1",
        "--proxy socks5://joe:secret h 1",
        "-x joe:%secret@127.0.0.1:9 h 1",
        "-x 127.0.0.1:9 --proxy-auth secret h 1",
        "-l --proxy-auth joe:secret 0",
    ] {
        let end = Nc::new(args).start().ends();
        end.exits(1).showed(b"").said_one_line_with("nc: ");
        assert!(!end.stderr.contains("secret"), "{}", end.stderr);
    }
}

/// Plays a proxy that wants joe's password and is told it.
#[track_caller]
fn gives_up_the_secret(kind: Kind, server: &Server) -> Peer {
    let mut peer = server.accepts();
    if kind == Kind::Socks5 {
        let rounds = [
            Round::new(b"\x05\x02\x00\x02", b"\x05\x02"),
            Round::new(b"\x01\x03joe\x06secret", b"\x01\x00"),
            Round::new(socks5_request("h.example", PORT), SOCKS5_GRANT),
        ];
        plays(&mut peer, &rounds);
        return peer;
    }
    hears_head(&mut peer);
    peer.sends(&challenge("Proxy-Authenticate: Basic realm=\"r\""));
    let mut peer = server.accepts();
    let head = hears_head(&mut peer);
    assert!(head.contains("Proxy-Authorization: Basic am9lOnNlY3JldA==\r\n"), "{head}");
    peer.sends(HTTP_GRANT);
    peer
}

/// Neither as it is nor as Basic sends it, nor as bytes.
#[track_caller]
fn has_no_secret(stderr: &str) {
    for secret in
        ["secret", "c2VjcmV0", "am9lOnNlY3JldA", "NlY3JldA", "736563726574", "115, 101, 99"]
    {
        assert!(!stderr.contains(secret), "{secret} in {stderr}");
    }
    assert!(stderr.lines().count() > 3, "no log to be looked at: {stderr}");
}

#[test]
fn a_password_in_vain_is_not_shown_either() {
    let server = Server::start();
    let nc = through(Kind::Socks5, &server, "-vvv --proxy-auth joe:secret", "h.example").start();
    let mut peer = server.accepts();
    let rounds = [
        Round::new(b"\x05\x02\x00\x02", b"\x05\x02"),
        Round::new(b"\x01\x03joe\x06secret", b"\x01\x01"),
    ];
    plays(&mut peer, &rounds);
    let end = nc.ends();
    end.exits(1);
    has_no_secret(&end.stderr);
    assert!(end.stderr.contains("nc: Proxy authentication failed\n"), "{}", end.stderr);
}

#[test]
fn digest_proves_the_password_without_sending_it() {
    for (algorithm, extra) in [
        (None, ""),
        (Some("MD5"), ", opaque=\"o p,q\""),
        (Some("SHA-256"), ", opaque=\"5ccc\", stale=false"),
        (Some("MD5-sess"), ""),
        (Some("SHA-256-sess"), ""),
    ] {
        let server = Server::start();
        let options = "-vvv --proxy-auth joe:secret";
        let nc = through(Kind::Http, &server, options, "h.example").start();
        let named = algorithm.map(|name| format!(", algorithm={name}")).unwrap_or_default();
        let offer = format!(
            "Proxy-Authenticate: Basic realm=\"weak\"\r\n\
             Proxy-Authenticate: Digest realm=\"a \\\"realm\\\"\", nonce=\"n1==\", \
             qop=\"auth-int,auth\"{named}{extra}"
        );
        let mut peer = server.accepts();
        peer.receives(&connect_request("h.example", PORT, ""));
        peer.sends(&challenge(&offer));
        let mut peer = server.accepts();
        let head = hears_head(&mut peer);
        assert!(!head.contains("Basic") && !head.contains("secret"), "{head}");
        proves_the_password(&head, algorithm, "n1==");
        let opaque = extra.contains("opaque").then(|| parameter(&head, "opaque"));
        assert_eq!(opaque.is_some(), optional_parameter(&head, "opaque").is_some());
        assert!(opaque.is_none_or(|opaque| extra.contains(opaque)), "{head}");
        peer.sends(HTTP_GRANT);
        let end = converses(nc, peer);
        end.exits(0).showed(b"from the peer");
        has_no_secret(&end.stderr);
    }
}

/// Does what a proxy does to find out: RFC 7616, section 3.4.
#[track_caller]
fn proves_the_password(head: &str, algorithm: Option<&str>, nonce: &str) {
    assert_eq!(optional_parameter(head, "algorithm"), algorithm, "{head}");
    let hash = match algorithm {
        Some("SHA-256" | "SHA-256-sess") => hash::<Sha256>,
        _ => hash::<Md5>,
    };
    let uri = format!("h.example:{PORT}");
    assert_eq!(parameter(head, "username"), "joe");
    assert!(head.contains("realm=\"a \\\"realm\\\"\""), "{head}");
    assert_eq!(parameter(head, "nonce"), nonce);
    assert_eq!(parameter(head, "uri"), uri);
    assert_eq!(parameter(head, "qop"), "auth");
    assert_eq!(parameter(head, "nc"), "00000001");
    let cnonce = parameter(head, "cnonce");
    assert!(cnonce.len() >= 16 && cnonce.bytes().any(|byte| byte != b'0'), "{cnonce}");
    let mut a1 = hash(&["joe", "a \"realm\"", "secret"]);
    if algorithm.is_some_and(|name| name.ends_with("-sess")) {
        a1 = hash(&[&a1, nonce, cnonce]);
    }
    let a2 = hash(&["CONNECT", &uri]);
    let response = hash(&[&a1, nonce, "00000001", cnonce, "auth", &a2]);
    assert_eq!(parameter(head, "response"), response, "{head}");
}

#[test]
fn a_digest_client_nonce_is_never_the_same() {
    let mut seen = Vec::new();
    for _ in 0..3 {
        let server = Server::start();
        let nc = through(Kind::Http, &server, "--proxy-auth joe:secret", "h.example").start();
        let offer = "Proxy-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"";
        let mut peer = server.accepts();
        hears_head(&mut peer);
        peer.sends(&challenge(offer));
        let mut peer = server.accepts();
        let head = hears_head(&mut peer);
        let cnonce = parameter(&head, "cnonce").to_owned();
        assert!(!seen.contains(&cnonce), "{cnonce} twice");
        seen.push(cnonce);
        drop(nc);
    }
}

#[test]
fn a_stale_digest_nonce_is_replaced() {
    let server = Server::start();
    let nc = through(Kind::Http, &server, "--proxy-auth joe:secret", "h.example").start();
    let offer = |nonce: &str| {
        challenge(&format!(
            "Proxy-Authenticate: Digest realm=\"a \\\"realm\\\"\", nonce=\"{nonce}\", \
             algorithm=SHA-256, qop=\"auth\", stale=true"
        ))
    };
    let mut peer = server.accepts();
    hears_head(&mut peer);
    peer.sends(&offer("first"));
    let mut peer = server.accepts();
    proves_the_password(&hears_head(&mut peer), Some("SHA-256"), "first");
    peer.sends(&offer("second"));
    let mut peer = server.accepts();
    proves_the_password(&hears_head(&mut peer), Some("SHA-256"), "second");
    peer.sends(HTTP_GRANT);
    converses(nc, peer).exits(0).said_nothing();
}

#[test]
fn a_wrong_password_is_told_once_and_not_tried_again() {
    for offer in
        ["Basic realm=\"r\"", "Digest realm=\"r\", nonce=\"n\", qop=\"auth\", algorithm=MD5"]
    {
        let server = Server::start();
        let nc = through(Kind::Http, &server, "--proxy-auth joe:wrong", "h.example").start();
        for _ in 0..2 {
            let mut peer = server.accepts();
            hears_head(&mut peer);
            peer.sends(&challenge(&format!("Proxy-Authenticate: {offer}")));
            peer.is_ended();
        }
        let end = nc.ends();
        end.exits(1).showed(b"").said("nc: Proxy authentication failed\n");
        was_left_alone(&server);
    }
}

#[test]
fn the_password_of_a_user_is_asked_for_and_not_echoed() {
    let server = Server::start();
    let pty = Pty::open();
    let mut modes = tcgetattr(&pty.terminal).unwrap();
    modes.local_modes.insert(LocalModes::ECHO);
    tcsetattr(&pty.terminal, OptionalActions::Now, &modes).unwrap();
    let watched = pty.terminal.try_clone().unwrap();
    let nc = through(Kind::Http, &server, "-P joe", "h.example");
    let nc = nc.under("setsid", &["--ctty"]).stdin(pty.terminal).start();
    let proxy = thread::spawn(move || {
        // It may ask first and be asked then, or the other way round.
        loop {
            let mut peer = server.accepts();
            if hears_head(&mut peer).contains("Proxy-Authorization: Basic am9lOnNlY3JldA==\r\n") {
                peer.sends(HTTP_GRANT);
                peer.sends(b"from the peer");
                return peer;
            }
            peer.sends(&challenge("Proxy-Authenticate: Basic realm=\"r\""));
        }
    });
    let mut master = File::from(pty.master);
    let mut shown = String::new();
    while !shown.contains("Proxy password for joe@127.0.0.1: ") {
        assert!(ready(&master, PollFlags::IN, DEADLINE), "no prompt but {shown:?}");
        let mut bytes = [0; 256];
        let count = master.read(&mut bytes).unwrap();
        shown.push_str(&String::from_utf8_lossy(&bytes[..count]));
    }
    wait_until("echo is off", || {
        !tcgetattr(&watched).unwrap().local_modes.contains(LocalModes::ECHO)
    });
    master.write_all(b"secret\n").unwrap();
    wait_until("echo is on again", || {
        tcgetattr(&watched).unwrap().local_modes.contains(LocalModes::ECHO)
    });
    let peer = proxy.join().unwrap();
    nc.shows(b"from the peer");
    peer.finishes();
    let mut bytes = [0; 256];
    while ready(&master, PollFlags::IN, Duration::from_millis(50)) {
        let Ok(count) = master.read(&mut bytes) else { break };
        shown.push_str(&String::from_utf8_lossy(&bytes[..count]));
    }
    assert!(!shown.contains("secret"), "{shown:?}");
}

/// Whoever ends it while it asks finds the terminal as it was.
#[test]
fn a_signal_at_the_question_leaves_the_terminal_as_it_was() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let server = Server::start();
        let pty = Pty::open();
        let mut modes = tcgetattr(&pty.terminal).unwrap();
        modes.local_modes.insert(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        tcsetattr(&pty.terminal, OptionalActions::Now, &modes).unwrap();
        let watched = pty.terminal.try_clone().unwrap();
        let modes = || tcgetattr(&watched).unwrap().local_modes;
        let before = modes();
        let nc = through(Kind::Http, &server, "-P joe", "h.example");
        let mut nc = nc.under("setsid", &["--ctty"]).stdin(pty.terminal).start();
        wait_until("it asks", || !modes().contains(LocalModes::ECHO));
        // That is no end.
        nc.signal(Signal::USR1);
        nc.settles();
        assert!(!modes().contains(LocalModes::ECHO));
        nc.signal(signal);
        nc.ends().is_killed_by(signal);
        assert_eq!(modes(), before);
    }
}

#[test]
fn a_password_that_nobody_can_be_asked_for_is_told() {
    let server = Server::start();
    let nc = through(Kind::Http, &server, "-P joe", "h.example").under("setsid", &[]).start();
    // Whether before the proxy is asked or after.
    let proxy = thread::spawn(move || {
        if ready(server.listener(), PollFlags::IN, Duration::from_millis(500)) {
            let mut peer = server.accepts();
            hears_head(&mut peer);
            peer.sends(&challenge("Proxy-Authenticate: Basic realm=\"r\""));
            peer.is_ended();
        }
    });
    nc.ends().exits(1).showed(b"").said("nc: Unable to read proxy passphrase\n");
    proxy.join().unwrap();
}

#[test]
fn replies_may_come_byte_by_byte() {
    for kind in Kind::ALL {
        let (server, host) = (Server::start(), kind.host());
        let nc = through(kind, &server, "", host).start();
        let mut peer = server.accepts();
        for Round { asked, answer } in kind.dialogue(host, PORT) {
            peer.receives(&asked);
            drips(&nc, &mut peer, &answer, 1);
        }
        converses(nc, peer).exits(0).showed(b"from the peer").said_nothing();
    }
}

#[test]
fn what_follows_the_reply_in_one_segment_is_the_peers() {
    let payload = noise(510, 20_000);
    for kind in Kind::ALL {
        let (server, host) = (Server::start(), kind.host());
        let mut nc = through(kind, &server, "", host).start();
        let mut peer = server.accepts();
        let reply = plays_up_to_the_last_answer(&mut peer, &kind.dialogue(host, PORT));
        peer.sends(&[reply, payload.clone()].concat());
        nc.shows(&payload);
        nc.ends_input();
        drop(peer);
        nc.ends().exits(0).showed(&payload).said_nothing();
    }
}

/// With the payload in the same writes, so that its start is cut everywhere too.
#[test]
fn nothing_is_swallowed_however_the_bytes_are_cut() {
    let payload = noise(511, 40);
    for kind in Kind::ALL {
        let (host, rounds) = (kind.host(), kind.dialogue(kind.host(), PORT));
        let whole = [&rounds.last().unwrap().answer[..], &payload].concat();
        for size in 1..=whole.len() {
            let server = Server::start();
            let nc = through(kind, &server, "", host).stdin_null().start();
            let mut peer = server.accepts();
            plays_up_to_the_last_answer(&mut peer, &rounds);
            drips(&nc, &mut peer, &whole, size);
            drop(peer);
            nc.ends().exits(0).showed(&payload).said_nothing();
        }
    }
}

#[test]
fn replies_longer_than_one_look_are_the_proxys_to_their_end() {
    let long_name = [&b"\x05\x00\x00\x03\xff"[..], &[b'n'; 255], b"\x0f\xa4"].concat();
    let header = format!("X-Filler: {}\r\n", "x".repeat(480));
    let long_head = format!("HTTP/1.1 200 OK\r\n{}\r\n", header.repeat(30)).into_bytes();
    for (kind, reply) in [(Kind::Socks5, long_name), (Kind::Http, long_head)] {
        for size in [7, 1000, usize::MAX] {
            let (server, host) = (Server::start(), kind.host());
            let nc = through(kind, &server, "", host).stdin_null().start();
            let mut peer = server.accepts();
            plays_up_to_the_last_answer(&mut peer, &kind.dialogue(host, PORT));
            drips(&nc, &mut peer, &[&reply[..], b"payload"].concat(), size);
            drop(peer);
            nc.ends().exits(0).showed(b"payload").said_nothing();
        }
    }
}

#[test]
fn socks5_replies_may_have_any_kind_of_address() {
    for reply in [
        [&b"\x05\x00\x00\x01"[..], &[0; 4], b"\x00\x00"].concat(),
        [&b"\x05\x00\x00\x04"[..], &[0xfe; 16], b"\x0f\xa4"].concat(),
        b"\x05\x00\x00\x03\x00\x0f\xa4".to_vec(),
        b"\x05\x00\x00\x03\x09h.example\x0f\xa4".to_vec(),
        // The reserved byte has no meaning.
        b"\x05\x00\x77\x01\x00\x00\x00\x00\x00\x00".to_vec(),
    ] {
        let server = Server::start();
        let nc = through(Kind::Socks5, &server, "", "h.example").start();
        let mut peer = server.accepts();
        plays_up_to_the_last_answer(&mut peer, &Kind::Socks5.dialogue("h.example", PORT));
        peer.sends(&reply);
        converses(nc, peer).exits(0).showed(b"from the peer").said_nothing();
    }
}

#[test]
fn stdin_waits_for_the_reply() {
    for kind in Kind::ALL {
        let (server, host) = (Server::start(), kind.host());
        let mut nc = through(kind, &server, "-N", host).start();
        nc.types(b"too early");
        nc.ends_input();
        let mut peer = server.accepts();
        let reply = plays_up_to_the_last_answer(&mut peer, &kind.dialogue(host, PORT));
        nc.settles();
        peer.has_received_nothing();
        peer.sends(&reply);
        peer.receives(b"too early");
        peer.receives_eof();
        drop(peer);
        nc.ends().exits(0).said_nothing();
    }
}

#[test]
fn large_transfers_are_whole_both_ways() {
    for kind in Kind::ALL {
        let (server, host) = (Server::start(), kind.host());
        let nc = through(kind, &server, "", host).stdout_unread().start();
        let mut peer = server.accepts();
        plays(&mut peer, &kind.dialogue(host, PORT));
        exchanges(nc, peer, 4 << 20).exits(0).said_nothing();
    }
}

#[test]
fn a_passed_descriptor_has_all_that_the_peer_has_said() {
    let payload = noise(512, 20_000);
    for kind in Kind::ALL {
        let (server, host) = (Server::start(), kind.host());
        let (ours, theirs) = UnixStream::pair().unwrap();
        let nc = through(kind, &server, "-F", host).stdout(theirs).start();
        let mut peer = server.accepts();
        let reply = plays_up_to_the_last_answer(&mut peer, &kind.dialogue(host, PORT));
        peer.sends(&[reply, payload.clone()].concat());
        receives_over_the_descriptor(nc, &ours, peer, &payload);
    }
    // The descriptor of the second connection, for the first came to nothing.
    let server = Server::start();
    let (ours, theirs) = UnixStream::pair().unwrap();
    let nc = through(Kind::Http, &server, "-F --proxy-auth joe:secret", "h.example");
    let nc = nc.stdout(theirs).start();
    let mut peer = gives_up_the_secret(Kind::Http, &server);
    peer.sends(&payload);
    receives_over_the_descriptor(nc, &ours, peer, &payload);
}

#[track_caller]
fn receives_over_the_descriptor(
    nc: crate::support::Running,
    ours: &UnixStream,
    mut peer: Peer,
    payload: &[u8],
) {
    let (bytes, mut descriptors) = passed(ours);
    assert_eq!(bytes, [0]);
    nc.ends().exits(0).said_nothing();
    let mut connection = Peer { stream: TcpStream::from(descriptors.pop().unwrap()) };
    connection.receives(payload);
    connection.sends(b"answer");
    peer.receives(b"answer");
    drop(connection);
    peer.receives_eof();
}

#[test]
fn a_refusal_passes_no_descriptor() {
    let server = Server::start();
    let (ours, theirs) = UnixStream::pair().unwrap();
    let nc = through(Kind::Http, &server, "-F", "h.example").stdout(theirs).start();
    let mut peer = server.accepts();
    hears_head(&mut peer);
    peer.sends(b"HTTP/1.1 403 Forbidden\r\n\r\n");
    nc.ends().exits(1).said("nc: Proxy error: \"HTTP/1.1 403 Forbidden\"\n");
    let (bytes, descriptors) = passed(&ours);
    assert!(bytes.is_empty() && descriptors.is_empty());
}

#[test]
fn each_hop_is_asked_for_the_next() {
    for first in Kind::ALL {
        for second in Kind::ALL {
            let server = Server::start();
            let next = if first == Kind::Socks4 { "192.0.2.7" } else { "hop.example" };
            let (from, to) = (first.scheme(), second.scheme());
            let list = format!("{from}://127.0.0.1:{},{to}://{next}:8080", server.port());
            let nc = Nc::new(format!("-v --proxy {list} {} {PORT}", second.host())).start();
            let mut peer = server.accepts();
            plays(&mut peer, &first.dialogue(next, 8080));
            plays(&mut peer, &second.dialogue(second.host(), PORT));
            let line = format!("Connection to {} {PORT} port [tcp/*] succeeded!\n", second.host());
            converses(nc, peer).exits(0).showed(b"from the peer").said(&line);
        }
    }
}

#[test]
fn a_chain_may_be_given_one_by_one() {
    for kind in Kind::ALL {
        let server = Server::start();
        let hops = "-x 192.0.2.7:8080 -x 192.0.2.8:8081";
        let (port, option) = (server.port(), kind.option());
        let args = format!("-X {option} -x 127.0.0.1:{port} {hops} {} {PORT}", kind.host());
        let nc = Nc::new(args).start();
        let mut peer = server.accepts();
        plays(&mut peer, &kind.dialogue("192.0.2.7", 8080));
        plays(&mut peer, &kind.dialogue("192.0.2.8", 8081));
        plays(&mut peer, &kind.dialogue(kind.host(), PORT));
        converses(nc, peer).exits(0).showed(b"from the peer").said_nothing();
    }
}

#[test]
fn a_second_hop_that_wants_a_password_is_reached_through_the_first_again() {
    let server = Server::start();
    let list = format!("socks5://127.0.0.1:{},http://hop.example:3128", server.port());
    let args = format!("--proxy {list} --proxy-auth joe:secret h.example {PORT}");
    let nc = Nc::new(args).start();
    let first = [
        Round::new(b"\x05\x02\x00\x02", b"\x05\x00"),
        Round::new(socks5_request("hop.example", 3128), SOCKS5_GRANT),
    ];
    let mut peer = server.accepts();
    plays(&mut peer, &first);
    let challenge = challenge("Proxy-Authenticate: Basic realm=\"r\"");
    plays(&mut peer, &[Round::new(connect_request("h.example", PORT, ""), &challenge)]);
    peer.is_ended();
    let mut peer = server.accepts();
    plays(&mut peer, &first);
    let header = "Proxy-Authorization: Basic am9lOnNlY3JldA==\r\n";
    plays(&mut peer, &[Round::new(connect_request("h.example", PORT, header), HTTP_GRANT)]);
    converses(nc, peer).exits(0).showed(b"from the peer").said_nothing();
}

/// Unasked, but nobody forbids a proxy to know what comes.
#[test]
fn the_replies_of_all_hops_may_come_at_once() {
    let payload = noise(513, 5000);
    let server = Server::start();
    let list = format!("http://127.0.0.1:{},socks4a://hop.example:8080", server.port());
    let nc = Nc::new(format!("--proxy {list} h.example {PORT}")).stdin_null().start();
    let mut peer = server.accepts();
    peer.receives(&connect_request("hop.example", 8080, ""));
    peer.sends(&[HTTP_GRANT, SOCKS4_GRANT, &payload].concat());
    peer.receives(&socks4_request("", "h.example", PORT));
    drop(peer);
    nc.ends().exits(0).showed(&payload).said_nothing();
}

#[test]
fn a_refused_port_is_not_the_last() {
    let refusal = |kind: Kind| match kind {
        Kind::Socks4 | Kind::Socks4a => &b"\x00\x5b\x00\x00\x00\x00\x00\x00"[..],
        Kind::Socks5 => b"\x05\x05\x00\x01\x00\x00\x00\x00\x00\x00",
        Kind::Http => b"HTTP/1.1 503 No\r\n\r\n",
    };
    let text = |kind: Kind| match kind {
        Kind::Socks4 | Kind::Socks4a => {
            "connection failed, SOCKSv4 error: Request rejected or failed"
        }
        Kind::Socks5 => "connection failed, SOCKSv5 error: Connection refused",
        Kind::Http => "Proxy error: \"HTTP/1.1 503 No\"",
    };
    for kind in Kind::ALL {
        let (server, host) = (Server::start(), kind.host());
        let nc = through(kind, &server, "-v -N", host).arg("4005").arg("4006").stdin_null().start();
        for (port, granted) in [(4004, false), (4005, true), (4006, false)] {
            let mut peer = server.accepts();
            let grant = plays_up_to_the_last_answer(&mut peer, &kind.dialogue(host, port));
            peer.sends(if granted { &grant } else { refusal(kind) });
            if granted {
                peer.finishes();
            }
            peer.is_ended();
        }
        let text = text(kind);
        nc.ends().exits(0).said(&format!(
            "nc: {text}\nConnection to {host} 4005 port [tcp/*] succeeded!\nnc: {text}\n"
        ));
        was_left_alone(&server);
    }
}

#[test]
fn stdin_goes_to_the_port_that_was_granted() {
    let server = Server::start();
    let mut nc = through(Kind::Socks5, &server, "", "h.example").arg("4005").start();
    nc.types(b"early, ");
    let mut peer = server.accepts();
    plays_up_to_the_last_answer(&mut peer, &Kind::Socks5.dialogue("h.example", 4004));
    nc.settles();
    peer.sends(b"\x05\x05\x00\x01\x00\x00\x00\x00\x00\x00");
    assert_eq!(hears_the_rest(&mut peer), b"");
    let mut peer = server.accepts();
    plays(&mut peer, &Kind::Socks5.dialogue("h.example", 4005));
    peer.receives(b"early, ");
    let end = converses(nc, peer);
    end.exits(0).showed(b"from the peer");
    end.said("nc: connection failed, SOCKSv5 error: Connection refused\n");
}

#[test]
fn status_1_means_that_no_port_was_granted() {
    let server = Server::start();
    let nc = through(Kind::Socks5, &server, "", "h.example").arg("4005").start();
    for port in [4004, 4005] {
        let mut peer = server.accepts();
        plays_up_to_the_last_answer(&mut peer, &Kind::Socks5.dialogue("h.example", port));
        peer.sends(b"\x05\x04\x00\x01\x00\x00\x00\x00\x00\x00");
        assert_eq!(hears_the_rest(&mut peer), b"");
    }
    let line = "nc: connection failed, SOCKSv5 error: Host unreachable\n";
    nc.ends().exits(1).showed(b"").said(&line.repeat(2));
}

/// The deadline of the handshake is not one of the session.
#[test]
fn patience_with_the_proxy_ends_with_its_reply() {
    let server = Server::start();
    let nc = through(Kind::Socks5, &server, "-w 1", "h.example").start();
    let mut peer = server.accepts();
    plays(&mut peer, &Kind::Socks5.dialogue("h.example", PORT));
    for _ in 0..5 {
        watch(Duration::from_millis(300));
        peer.sends(b".");
    }
    nc.shows(b".....");
    converses_after(nc, peer, b".....");
}

#[track_caller]
fn converses_after(mut nc: crate::support::Running, mut peer: Peer, shown: &[u8]) {
    nc.types(b"from stdin");
    peer.receives(b"from stdin");
    nc.ends_input();
    drop(peer);
    nc.ends().exits(0).showed(shown).said_nothing();
}

#[test]
fn names_are_looked_up_here_if_told_so() {
    let socks4 = Kind::Socks4.dialogue("127.0.0.1", PORT);
    let socks5 = Kind::Socks5.dialogue("127.0.0.1", PORT);
    let http = Kind::Http.dialogue("127.0.0.1", PORT);
    for (options, rounds) in [
        // It has no words for a name.
        ("-X 4", socks4),
        ("-4 -X 5 --proxy-dns local", socks5.clone()),
        ("-4 -X 5 --proxy-dns both", socks5),
        ("-4 -X connect --proxy-dns local", http),
        ("-X 5 --proxy-dns remote", Kind::Socks5.dialogue("localhost", PORT)),
    ] {
        let server = Server::start();
        let args = format!("-x 127.0.0.1:{} {options} localhost {PORT}", server.port());
        let nc = Nc::new(args).start();
        let mut peer = server.accepts();
        plays(&mut peer, &rounds);
        converses(nc, peer).exits(0).said_nothing();
    }
}

#[test]
fn a_name_that_must_not_be_looked_up_is_refused() {
    let server = Server::start();
    let nc = through(Kind::Socks5, &server, "--proxy-dns none", "localhost").start();
    nc.ends().exits(1).showed(b"").said_one_line_with("localhost");
    was_left_alone(&server);
    let nc = through(Kind::Socks5, &server, "--proxy-dns none", "192.0.2.1").start();
    let mut peer = server.accepts();
    plays(&mut peer, &Kind::Socks5.dialogue("192.0.2.1", PORT));
    converses(nc, peer).exits(0).said_nothing();
}

#[test]
#[ignore = "needs strace"]
fn no_name_is_looked_up_that_the_proxy_is_told() {
    let looks_up = |options: &str| {
        let server = Server::start();
        let args = format!("-v -x 127.0.0.1:{} {options} localhost {PORT}", server.port());
        let (nc, trace) = Trace::of(Nc::new(args), "openat,socket,connect,sendto,sendmmsg");
        let nc = nc.start();
        drop(server.accepts());
        nc.ends().exits(1);
        let calls = trace.calls();
        let own = format!("sin_port=htons({})", server.port());
        let connects = calls.iter().filter(|call| call.starts_with("connect("));
        let others = connects.filter(|call| !call.contains(&own)).count();
        let files = ["/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf"];
        let opened = calls.iter().any(|call| files.iter().any(|file| call.contains(file)));
        opened || others > 0
    };
    for options in ["-X 4a", "-X 5", "-X connect"] {
        assert!(!looks_up(options), "{options}");
    }
    assert!(!looks_up("-X 5 -x hop.example:1080"), "the name of a hop");
    // So that it is known what a look-up looks like.
    assert!(looks_up("-X 5 --proxy-dns local") && looks_up("-X 4"));
}
