//! Proxies that fail, refuse, lie or say nothing: one clear line and status 1, and not a byte of stdin
//! to somebody who is not the peer. The list of all faults is docs/reliability.md.

use std::fs::{self, File};
use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::peer::SilentPort;
use crate::support::proxies::{
    HTTP_GRANT, Kind, PORT, Round, SOCKS5_GRANT, challenge, connect_request, floods, hears_head,
    hears_the_rest, plays, plays_up_to_the_last_answer, socks5_request, through, was_left_alone,
};
use crate::support::{Finished, Nc, Noise, Peer, Running, Server};

/// Dialogues of all kinds, with the options that lead to them.
fn dialogues() -> Vec<(Kind, &'static str, Vec<Round>)> {
    let plain = Kind::ALL.map(|kind| (kind, "", kind.dialogue(kind.host(), PORT)));
    let with_password = vec![
        Round::new(b"\x05\x02\x00\x02", b"\x05\x02"),
        Round::new(b"\x01\x03joe\x06secret", b"\x01\x00"),
        Round::new(socks5_request("h.example", PORT), b"\x05\x00\x00\x03\x03a.b\x0f\xa4"),
    ];
    let with_password = (Kind::Socks5, "--proxy-auth joe:secret", with_password);
    plain.into_iter().chain([with_password]).collect()
}

#[test]
fn a_reply_that_is_cut_anywhere_is_told() {
    for (kind, options, rounds) in dialogues() {
        for (at, Round { answer, .. }) in rounds.iter().enumerate() {
            for cut in 0..answer.len() {
                let server = Server::start();
                let mut nc = through(kind, &server, options, kind.host()).start();
                nc.types(b"not for the proxy");
                let mut peer = server.accepts();
                let told = plays_up_to_the_last_answer(&mut peer, &rounds[..=at]);
                peer.sends(&told[..cut]);
                peer.finishes();
                assert_eq!(hears_the_rest(&mut peer), b"", "{kind:?}, {cut} bytes of answer {at}");
                let end = nc.ends();
                end.exits(1).showed(b"");
                match kind {
                    Kind::Http => end.said("nc: proxy read: Broken pipe\n"),
                    _ => end.said_one_line_with("nc: read failed ("),
                };
            }
        }
    }
}

#[test]
fn how_much_was_missing_is_told_in_debians_words() {
    for (told, line) in [
        (&b""[..], "nc: read failed (0/3): Broken pipe\n"),
        (b"\x05\x00\x05\x00", "nc: read failed (2/4): Broken pipe\n"),
        (b"\x05\x00\x05\x00\x00\x01\x7f", "nc: read failed (1/6): Broken pipe\n"),
    ] {
        let server = Server::start();
        let nc = through(Kind::Socks5, &server, "", "h.example").start();
        let mut peer = server.accepts();
        peer.receives(b"\x05\x01\x00");
        peer.sends(told);
        peer.finishes();
        nc.ends().exits(1).said(line);
    }
}

#[test]
fn a_reset_is_told() {
    for (kind, options, rounds) in dialogues() {
        for at in 0..rounds.len() {
            let server = Server::start();
            let nc = through(kind, &server, options, kind.host()).start();
            let mut peer = server.accepts();
            plays_up_to_the_last_answer(&mut peer, &rounds[..=at]);
            peer.resets();
            let end = nc.ends();
            end.exits(1).showed(b"").said("nc: proxy: Connection reset by peer\n");
        }
    }
}

/// The program sees the bytes and the reset at the same time.
#[test]
fn what_a_proxy_said_before_a_reset_counts() {
    for kind in Kind::ALL {
        let (refusal, line): (&[u8], _) = match kind {
            Kind::Socks4 | Kind::Socks4a => (
                b"\x00\x5b\x00\x00\x00\x00\x00\x00",
                "nc: connection failed, SOCKSv4 error: Request rejected or failed\n",
            ),
            Kind::Socks5 => (
                b"\x05\x05\x00\x01\x00\x00\x00\x00\x00\x00",
                "nc: connection failed, SOCKSv5 error: Connection refused\n",
            ),
            Kind::Http => (b"HTTP/1.1 403 No\r\n\r\n", "nc: Proxy error: \"HTTP/1.1 403 No\"\n"),
        };
        let said_last = |reply: Option<&[u8]>| {
            let server = Server::start();
            let mut nc = through(kind, &server, "", kind.host()).start();
            let mut peer = server.accepts();
            let grant = plays_up_to_the_last_answer(&mut peer, &kind.dialogue(kind.host(), PORT));
            nc.settles();
            nc.stops();
            match reply {
                Some(reply) => peer.sends(reply),
                None => peer.sends(&[&grant[..], b"last words"].concat()),
            }
            peer.is_acknowledged();
            peer.resets();
            nc.continues();
            nc.ends()
        };
        said_last(Some(refusal)).exits(1).showed(b"").said(line);
        let end = said_last(None);
        end.exits(1).showed(b"last words").said_one_line_with("Connection reset by peer");
    }
}

#[test]
fn nobody_waits_for_a_proxy_when_nobody_reads() {
    let server = Server::start();
    let (read, write) = crate::support::ends::pipe();
    let nc = through(Kind::Socks5, &server, "", "h.example").stdout(write).start();
    let mut peer = server.accepts();
    peer.receives(b"\x05\x01\x00");
    drop(read);
    nc.ends().said_nothing();
    assert_eq!(hears_the_rest(&mut peer), b"");
}

#[test]
fn a_nonce_that_is_always_stale_is_not_replaced_for_ever() {
    let server = Server::start();
    let nc = through(Kind::Http, &server, "--proxy-auth joe:secret", "h.example").start();
    for number in 0..4 {
        let mut peer = server.accepts();
        hears_head(&mut peer);
        peer.sends(&challenge(&format!(
            "Proxy-Authenticate: Digest realm=\"r\", nonce=\"{number}\", qop=\"auth\", stale=true"
        )));
        peer.is_ended();
    }
    nc.ends().exits(1).said("nc: Proxy authentication failed\n");
    was_left_alone(&server);
}

#[test]
fn a_refusal_is_told_in_debians_words() {
    let socks4 = |code| vec![0, code, 0, 0, 0, 0, 0, 0];
    let socks5 = |code| vec![5, code, 0, 1, 0, 0, 0, 0, 0, 0];
    let socks4_texts = [
        (91, "Request rejected or failed"),
        (92, "SOCKS server cannot connect to identd on the client"),
        (93, "Client program and identd report different user-ids"),
        (89, "Unknown error"),
    ];
    let socks5_texts = [
        (1, "General SOCKS server failure"),
        (2, "Connection not allowed by ruleset"),
        (3, "Network unreachable"),
        (4, "Host unreachable"),
        (5, "Connection refused"),
        (6, "TTL expired"),
        (7, "Command not supported"),
        (8, "Address type not supported"),
        (9, "Unknown error"),
        (255, "Unknown error"),
    ];
    let http = [
        "HTTP/1.1 403 Forbidden",
        "HTTP/1.0 500 Internal Server Error",
        "HTTP/1.1 302 Found",
        "HTTP/1.1 407 Proxy Authentication Required",
    ];
    let from_socks4 = [Kind::Socks4, Kind::Socks4a].into_iter().flat_map(|kind| {
        socks4_texts.map(|(code, text)| {
            (kind, socks4(code), format!("connection failed, SOCKSv4 error: {text}"))
        })
    });
    let from_socks5 = socks5_texts.map(|(code, text)| {
        (Kind::Socks5, socks5(code), format!("connection failed, SOCKSv5 error: {text}"))
    });
    let from_http = http.map(|line| {
        let reply = format!("{line}\r\nContent-Length: 4\r\n\r\nbody").into_bytes();
        (Kind::Http, reply, format!("Proxy error: \"{line}\""))
    });
    for (kind, reply, text) in from_socks4.chain(from_socks5).chain(from_http) {
        is_refused(kind, &reply, &format!("nc: {text}\n"));
    }
}

/// Gives the last reply and data that must not be shown, and sees the program out.
#[track_caller]
fn is_refused(kind: Kind, reply: &[u8], line: &str) {
    answered_with(kind, reply).exits(1).showed(b"").said(line);
}

#[track_caller]
fn answered_with(kind: Kind, reply: &[u8]) -> Finished {
    let (server, host) = (Server::start(), kind.host());
    let mut nc = through(kind, &server, "", host).start();
    nc.types(b"not for the proxy");
    let mut peer = server.accepts();
    plays_up_to_the_last_answer(&mut peer, &kind.dialogue(host, PORT));
    peer.sends(&[reply, b"not from the peer"].concat());
    assert_eq!(hears_the_rest(&mut peer), b"");
    nc.ends()
}

#[test]
fn a_method_that_does_not_fit_is_told() {
    for (options, chosen, line) in [
        ("", b"\x05\xff", "nc: authentication method negotiation failed\n"),
        ("--proxy-auth joe:secret", b"\x05\xff", "nc: authentication method negotiation failed\n"),
        ("", b"\x05\x02", "nc: proxy chose authentication method 2, which was not offered\n"),
        ("", b"\x05\x01", "nc: proxy chose authentication method 1, which was not offered\n"),
        ("", b"\x04\x00", "nc: connection failed, unexpected SOCKS reply version 4\n"),
    ] {
        let server = Server::start();
        let nc = through(Kind::Socks5, &server, options, "h.example").start();
        let mut peer = server.accepts();
        let offer = if options.is_empty() { &b"\x05\x01\x00"[..] } else { b"\x05\x02\x00\x02" };
        plays(&mut peer, &[Round::new(offer, chosen)]);
        assert_eq!(hears_the_rest(&mut peer), b"");
        nc.ends().exits(1).showed(b"").said(line);
    }
}

#[test]
fn a_challenge_that_cannot_be_answered_is_told() {
    for offer in [
        "X-Nothing: here",
        "Proxy-Authenticate: Negotiate",
        "Proxy-Authenticate: Digest realm=\"r\", nonce=\"n\", algorithm=SHA-512-256, qop=\"auth\"",
        "Proxy-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth-int\"",
        "Proxy-Authenticate: Digest realm=\"r\"",
    ] {
        let server = Server::start();
        let nc = through(Kind::Http, &server, "--proxy-auth joe:secret", "h.example").start();
        let mut peer = server.accepts();
        hears_head(&mut peer);
        peer.sends(&challenge(offer));
        assert_eq!(hears_the_rest(&mut peer), b"");
        nc.ends().exits(1).said("nc: authentication method negotiation failed\n");
        was_left_alone(&server);
    }
}

#[test]
fn what_is_no_reply_is_told() {
    for line in
        ["HTTP/1.0 200poo", "HTTP/1.0 20", "200 OK", "SSH-2.0-OpenSSH_9.2", "", "HTTP/2 200"]
    {
        let reply = format!("{line}\r\n\r\n");
        is_refused(Kind::Http, reply.as_bytes(), &format!("nc: Proxy error: \"{line}\"\n"));
    }
    // Somebody who speaks HTTP where SOCKS was expected, and the other way round.
    let http = b"HTTP/1.0 400 Bad Request\r\n\r\n";
    let line = "nc: connection failed, unexpected SOCKS reply version 72\n";
    for kind in [Kind::Socks4, Kind::Socks4a, Kind::Socks5] {
        is_refused(kind, http, line);
    }
    answered_with(Kind::Http, b"\x05\xff\n")
        .exits(1)
        .showed(b"")
        .said_one_line_with("Proxy error: ");
    let unknown = b"\x05\x00\x00\x09\x00\x00\x00\x00\x00\x00";
    is_refused(Kind::Socks5, unknown, "nc: connection failed, unsupported address type\n");
    answered_with(Kind::Http, b"HTTP/1.0 200 OK\r\nA: b\0\r\n\r\n")
        .exits(1)
        .showed(b"")
        .said("nc: Proxy error: malformed headers\n");
}

#[test]
fn noise_is_no_reply() {
    for seed in 520..532 {
        for kind in Kind::ALL {
            let mut noise = Noise::new(seed);
            let mut reply = noise.next_bytes()[..64].to_vec();
            // No luck: the first byte is never right, and the line ends.
            reply[0] |= 0x80;
            reply[63] = b'\n';
            answered_with(kind, &reply).exits(1).showed(b"").said_one_line_with("nc: ");
        }
    }
}

#[test]
fn silence_ends_with_patience() {
    let mut waiting: Vec<Waiting> = Vec::new();
    for (kind, options, rounds) in dialogues() {
        for at in 0..rounds.len() {
            for start in [0, 1] {
                let (server, begun) = (Server::start(), Instant::now());
                let options = format!("-w 1 {options}");
                let nc = through(kind, &server, &options, kind.host()).start();
                let mut peer = server.accepts();
                let told = plays_up_to_the_last_answer(&mut peer, &rounds[..=at]);
                peer.sends(&told[..start]);
                let what = format!("{kind:?} {options} at {at} after {start}");
                waiting.push(Waiting { what, begun, nc, _ends: (vec![peer], server) });
            }
        }
    }
    // The second connection has no patience of its own.
    let (server, begun) = (Server::start(), Instant::now());
    let nc = through(Kind::Http, &server, "-w 1 --proxy-auth joe:secret", "h.example").start();
    let mut first = server.accepts();
    hears_head(&mut first);
    first.sends(&challenge("Proxy-Authenticate: Basic realm=\"r\""));
    let mut second = server.accepts();
    hears_head(&mut second);
    let what = "the second connection".to_owned();
    waiting.push(Waiting { what, begun, nc, _ends: (vec![first, second], server) });
    // Nor has the second hop.
    let (server, begun) = (Server::start(), Instant::now());
    let list = format!("socks5://127.0.0.1:{},http://hop.example:8080", server.port());
    let nc = Nc::new(format!("-w 1 --proxy {list} h.example {PORT}")).start();
    let mut peer = server.accepts();
    plays(&mut peer, &Kind::Socks5.dialogue("hop.example", 8080));
    hears_head(&mut peer);
    let what = "the second hop".to_owned();
    waiting.push(Waiting { what, begun, nc, _ends: (vec![peer], server) });

    for Waiting { what, begun, nc, _ends } in waiting {
        let end = nc.ends();
        is_in_time(&what, begun, &end);
        end.exits(1).showed(b"").said("nc: proxy: timed out\n");
    }
}

/// A program that a proxy has left in silence.
struct Waiting {
    what: String,
    begun: Instant,
    nc: Running,
    /// Still open.
    _ends: (Vec<Peer>, Server),
}

/// `-w 1` is kept.
#[track_caller]
fn is_in_time(what: &str, begun: Instant, end: &Finished) {
    let took = end.ended - begun;
    let in_time = (Duration::from_millis(800)..Duration::from_secs(3)).contains(&took);
    assert!(in_time, "{what}: ended after {took:?}");
}

#[test]
fn a_trickle_is_not_taken_for_progress() {
    let long_name = [&b"\x05\x00\x00\x03\xff"[..], &[b'n'; 255], b"\x0f\xa4"].concat();
    let long_head = format!("HTTP/1.1 200 OK\r\nA: {}\r\n\r\n", "b".repeat(255)).into_bytes();
    let replies = [
        (Kind::Socks4, vec![0, 90, 0, 0, 0, 0, 0, 0], [1000, 300]),
        (Kind::Socks5, long_name, [1000, 50]),
        (Kind::Http, long_head, [1000, 50]),
    ];
    thread::scope(|scope| {
        for (kind, reply, paces) in replies {
            for pace in paces {
                let reply = reply.clone();
                scope.spawn(move || {
                    let (server, host, begun) = (Server::start(), kind.host(), Instant::now());
                    let nc = through(kind, &server, "-w 1", host).start();
                    let mut peer = server.accepts();
                    plays_up_to_the_last_answer(&mut peer, &kind.dialogue(host, PORT));
                    thread::spawn(move || {
                        for byte in reply {
                            if peer.stream.write_all(&[byte]).is_err() {
                                break;
                            }
                            // The pace is what is tested.
                            thread::sleep(Duration::from_millis(pace));
                        }
                        peer
                    });
                    let end = nc.ends();
                    is_in_time(kind.scheme(), begun, &end);
                    end.exits(1).showed(b"").said("nc: proxy: timed out\n");
                });
            }
        }
    });
}

#[test]
fn a_proxy_that_cannot_be_reached_ends_with_patience() {
    let (silent, begun) = (SilentPort::start(), Instant::now());
    let port = silent.port();
    let nc = Nc::new(format!("-w 1 -x 127.0.0.1:{port} h.example {PORT}")).start();
    let end = nc.ends();
    is_in_time("connect", begun, &end);
    let place = format!("connect to 127.0.0.1 port {port} (tcp) timed out");
    end.exits(1).said_one_line_with(&place);
}

#[test]
fn silence_about_one_port_leaves_the_next_its_turn() {
    let server = Server::start();
    let nc = through(Kind::Socks5, &server, "-v -w 0.5", "h.example").arg("4005");
    let nc = nc.stdin_null().start();
    let mut silent = server.accepts();
    plays_up_to_the_last_answer(&mut silent, &Kind::Socks5.dialogue("h.example", PORT));
    let mut peer = server.accepts();
    plays(&mut peer, &Kind::Socks5.dialogue("h.example", 4005));
    drop(peer);
    nc.ends()
        .exits(0)
        .said("nc: proxy: timed out\nConnection to h.example 4005 port [tcp/*] succeeded!\n");
}

/// With as much memory as the program may ever use.
#[test]
fn a_reply_without_an_end_is_given_up() {
    let long = vec![b'x'; 1 << 16];
    for (start, piece, line) in [
        ("", &long[..], "nc: proxy read too long\n"),
        ("HTTP/1.1 200 ", &long, "nc: proxy read too long\n"),
        ("HTTP/1.1 200 OK\r\nA: ", &long, "nc: proxy read too long\n"),
        ("HTTP/1.1 200 OK\r\n", b"A: b\r\n", "nc: Too many proxy headers received\n"),
        ("HTTP/1.1 200 OK\r\nA: b\r\n", b" folded\r\n", "nc: Too many proxy headers received\n"),
    ] {
        let server = Server::start();
        let nc = through(Kind::Http, &server, "", "h.example");
        let nc = nc.under("prlimit", &["--data=33554432"]).start();
        let mut peer = server.accepts();
        hears_head(&mut peer);
        let sent = floods(&mut peer, start.as_bytes(), piece, 64 << 20);
        assert!(sent < 64 << 20, "it goes on reading");
        nc.ends().exits(1).showed(b"").said(line);
    }
}

#[test]
fn a_host_that_no_proxy_may_be_told_is_refused_before_a_byte() {
    let long = "n".repeat(300);
    for (host, line) in [
        ("a\r\nX-Evil: 1", "nc: Invalid hostname\n"),
        ("a\nb", "nc: Invalid hostname\n"),
        ("a b", "nc: Invalid hostname\n"),
        (" a", "nc: Invalid hostname\n"),
        ("a\tb", "nc: Invalid hostname\n"),
        ("a\u{1b}[31m", "nc: Invalid hostname\n"),
        ("a@b", "nc: Invalid hostname\n"),
        ("a/b", "nc: Invalid hostname\n"),
        (&long, "nc: hostname too long\n"),
        (&"n".repeat(256), "nc: hostname too long\n"),
        (&"n".repeat(256 + 9), "nc: hostname too long\n"),
    ] {
        for kind in [Kind::Socks4a, Kind::Socks5, Kind::Http] {
            let server = Server::start();
            let nc = through(kind, &server, "", host).start();
            nc.ends().exits(1).showed(b"").said(line);
            was_left_alone(&server);
        }
        // Its look-up says why, if it comes to that.
        let server = Server::start();
        let end = through(Kind::Socks4, &server, "-w 5", host).start().ends();
        end.exits(1).showed(b"").said_one_line_with("nc: ");
        was_left_alone(&server);
    }
    let empty = Server::start();
    let end = through(Kind::Socks5, &empty, "", "").start().ends();
    end.exits(1).showed(b"").said_one_line_with("nc: ");
    was_left_alone(&empty);
}

#[test]
fn the_longest_name_is_told_whole() {
    let name = "n".repeat(255);
    for kind in [Kind::Socks4a, Kind::Socks5, Kind::Http] {
        let server = Server::start();
        let nc = through(kind, &server, "", &name).stdin_null().start();
        let mut peer = server.accepts();
        plays(&mut peer, &kind.dialogue(&name, PORT));
        drop(peer);
        nc.ends().exits(0).said_nothing();
    }
}

#[test]
fn the_host_of_a_hop_is_looked_at_as_closely() {
    let server = Server::start();
    let long = "n".repeat(300);
    for host in ["a\r\nX-Evil: 1", "a b", &long] {
        let list = format!("http://127.0.0.1:{},http://{host}:8080", server.port());
        let nc = Nc::new("--proxy").arg(list).arg("h.example").arg(PORT.to_string()).start();
        nc.ends().exits(1).showed(b"").said_one_line_with("nc: ");
        was_left_alone(&server);
    }
}

#[test]
fn credentials_that_cannot_be_told_are_refused_before_a_byte() {
    let long = format!("joe:{}", "p".repeat(256));
    for (kind, credentials) in [
        (Kind::Socks5, long.as_str()),
        (Kind::Socks5, ":secret"),
        (Kind::Http, "joe:sec\r\nX-Evil: 1"),
        (Kind::Http, "joe:sec\u{1b}ret"),
    ] {
        let server = Server::start();
        let nc = through(kind, &server, "-vvv", "h.example").env("NCAT_PROXY_AUTH", credentials);
        let end = nc.start().ends();
        end.exits(1).showed(b"");
        let (_, password) = credentials.split_once(':').unwrap();
        assert!(!end.stderr.contains(password), "{}", end.stderr);
        assert!(!end.stderr.contains("secret"), "{}", end.stderr);
        was_left_alone(&server);
    }
}

#[test]
fn no_escape_sequence_of_the_proxy_reaches_the_terminal() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("stderr");
    let long = [b"HTTP/1.1 403 ".as_slice(), &[b'y'; 5000]].concat();
    let lines: [&[u8]; 6] = [
        b"HTTP/1.1 403 \x1b]0;owned\x07\x9b31m",
        b"HTTP/1.1 403 \xc2\x9b31m\xe2\x80\xae\x7f",
        b"\x1b[2J\x1b]52;c;aGk=\x07",
        b"\x9b31m",
        b"HTTP/1.1 407 \x1b[31m",
        &long,
    ];
    for line in lines {
        for options in ["", "-vvv"] {
            let server = Server::start();
            let nc = through(Kind::Http, &server, options, "h.example");
            let nc = nc.stderr(File::create(&path).unwrap()).start();
            let mut peer = server.accepts();
            hears_head(&mut peer);
            peer.sends(&[line, b"\r\n\r\n"].concat());
            nc.ends().exits(1).showed(b"");
            let said = String::from_utf8(fs::read(&path).unwrap()).expect("UTF-8, so no 0x9b");
            let raw = said.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}');
            assert!(!raw, "{said:?}");
            if options.is_empty() {
                let one = said.lines().count() == 1 && said.starts_with("nc: Proxy error: \"");
                assert!(one && said.len() < 300, "{said:?}");
            }
        }
    }
}

#[test]
fn a_proxy_that_closes_behind_its_reply_is_an_end_of_file() {
    for kind in Kind::ALL {
        let (server, host) = (Server::start(), kind.host());
        let nc = through(kind, &server, "", host).stdin_null().start();
        let mut peer = server.accepts();
        plays(&mut peer, &kind.dialogue(host, PORT));
        drop(peer);
        nc.ends().exits(0).showed(b"").said_nothing();
    }
}

#[test]
fn a_hop_that_fails_behind_another_is_told_as_if_it_were_the_first() {
    let chain = |server: &Server, second: &str| {
        let list = format!("socks5://127.0.0.1:{},{second}://hop.example:8080", server.port());
        Nc::new(format!("--proxy {list} h.example {PORT}")).start()
    };
    // The first does not get to the second.
    let server = Server::start();
    let nc = chain(&server, "http");
    let mut peer = server.accepts();
    plays_up_to_the_last_answer(&mut peer, &Kind::Socks5.dialogue("hop.example", 8080));
    peer.sends(b"\x05\x04\x00\x01\x00\x00\x00\x00\x00\x00");
    assert_eq!(hears_the_rest(&mut peer), b"");
    nc.ends().exits(1).said("nc: connection failed, SOCKSv5 error: Host unreachable\n");
    // The second refuses.
    let server = Server::start();
    let nc = chain(&server, "http");
    let mut peer = server.accepts();
    plays(&mut peer, &Kind::Socks5.dialogue("hop.example", 8080));
    let refusal = Round::new(connect_request("h.example", PORT, ""), b"HTTP/1.1 502 No\r\n\r\n");
    plays(&mut peer, &[refusal]);
    nc.ends().exits(1).said("nc: Proxy error: \"HTTP/1.1 502 No\"\n");
    // The second is not there.
    let server = Server::start();
    let nc = chain(&server, "socks5");
    let mut peer = server.accepts();
    plays(&mut peer, &Kind::Socks5.dialogue("hop.example", 8080));
    peer.receives(b"\x05\x01\x00");
    drop(peer);
    nc.ends().exits(1).said("nc: read failed (0/3): Broken pipe\n");
}

/// What comes with the grant of a port is shown though the next port is refused, and the other way
/// round: nothing of a refusal is.
#[test]
fn grants_and_refusals_do_not_mix() {
    let server = Server::start();
    let nc = through(Kind::Http, &server, "", "h.example").arg("4005").stdin_null().start();
    for (port, reply, data) in
        [(PORT, HTTP_GRANT, "shown"), (4005, b"HTTP/1.1 403 No\r\n\r\n", "hidden")]
    {
        let mut peer = server.accepts();
        peer.receives(&connect_request("h.example", port, ""));
        peer.sends(&[reply, data.as_bytes()].concat());
    }
    nc.ends().exits(0).showed(b"shown").said("nc: Proxy error: \"HTTP/1.1 403 No\"\n");
}

#[test]
fn a_grant_cannot_come_before_it_was_asked_for() {
    // Sent with the method: the request is sent all the same, and what is left over is the peer's.
    let server = Server::start();
    let nc = through(Kind::Socks5, &server, "", "h.example").stdin_null().start();
    let mut peer = server.accepts();
    peer.receives(b"\x05\x01\x00");
    peer.sends(&[b"\x05\x00", SOCKS5_GRANT, b"early"].concat());
    peer.receives(&socks5_request("h.example", PORT));
    drop(peer);
    nc.ends().exits(0).showed(b"early").said_nothing();
}
