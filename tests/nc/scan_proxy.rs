//! `-z -x`: what lies behind a proxy. A port that the proxy refuses is not the last, and several are
//! asked for at the same time.

use std::thread;
use std::time::{Duration, Instant};

use crate::support::proxies::{
    Kind, PORT, Round, hears_the_rest, plays, plays_up_to_the_last_answer, socks5_request, through,
    was_left_alone,
};
use crate::support::{ClosedPort, Nc, Peer, Server};

fn open(host: &str, port: u16) -> String {
    format!("Connection to {host} {port} port [tcp/*] succeeded!\n")
}

fn refusal(kind: Kind) -> &'static [u8] {
    match kind {
        Kind::Socks4 | Kind::Socks4a => b"\x00\x5b\x00\x00\x00\x00\x00\x00",
        Kind::Socks5 => b"\x05\x05\x00\x01\x00\x00\x00\x00\x00\x00",
        Kind::Http => b"HTTP/1.1 503 No\r\n\r\n",
    }
}

/// The line for [`refusal`].
fn refused(kind: Kind) -> &'static str {
    match kind {
        Kind::Socks4 | Kind::Socks4a => {
            "nc: connection failed, SOCKSv4 error: Request rejected or failed\n"
        }
        Kind::Socks5 => "nc: connection failed, SOCKSv5 error: Connection refused\n",
        Kind::Http => "nc: Proxy error: \"HTTP/1.1 503 No\"\n",
    }
}

/// Serves the next client, whichever of these ports it asks for, and says which.
#[track_caller]
fn hears(kind: Kind, peer: &mut Peer, ports: &[u16]) -> u16 {
    let dialogue = |port| kind.dialogue(kind.host(), port);
    let (last, before) =
        dialogue(ports[0]).split_last().map(|(l, b)| (l.clone(), b.to_vec())).unwrap();
    plays(peer, &before);
    // All ports have four digits.
    let mut asked = vec![0; last.asked.len()];
    std::io::Read::read_exact(&mut peer.stream, &mut asked).expect("a request");
    let port = ports.iter().find(|&&port| dialogue(port).last().unwrap().asked == asked);
    *port.unwrap_or_else(|| panic!("asked {:?}", asked.escape_ascii().to_string()))
}

fn grant(kind: Kind) -> Vec<u8> {
    kind.dialogue(kind.host(), PORT).last().unwrap().answer.clone()
}

#[test]
fn a_granted_port_is_open_and_told_nothing() {
    for kind in Kind::ALL {
        for (options, line) in [("-z -v", open(kind.host(), PORT)), ("-z", String::new())] {
            let server = Server::start();
            let mut nc = through(kind, &server, options, kind.host()).start();
            nc.types(b"not for anybody");
            let mut peer = server.accepts();
            plays(&mut peer, &kind.dialogue(kind.host(), PORT));
            assert_eq!(hears_the_rest(&mut peer), b"");
            nc.ends().exits(0).showed(b"").said(&line);
            was_left_alone(&server);
        }
    }
}

#[test]
fn a_refused_port_is_not_the_last() {
    for kind in Kind::ALL {
        for options in ["-z -v --max-parallelism 1", "-z -v"] {
            let (server, host) = (Server::start(), kind.host());
            let nc = through(kind, &server, options, host).arg("4005").arg("4006").start();
            let mut asked = Vec::new();
            for _ in 0..3 {
                let mut peer = server.accepts();
                let port = hears(kind, &mut peer, &[4004, 4005, 4006]);
                peer.sends(if port == 4005 { grant(kind).leak() } else { refusal(kind) });
                peer.is_ended();
                asked.push(port);
            }
            let (line, found) = (refused(kind), open(host, 4005));
            nc.ends().exits(0).showed(b"").said(&format!("{line}{found}{line}"));
            if options.ends_with('1') {
                assert_eq!(asked, [4004, 4005, 4006]);
            }
            was_left_alone(&server);
        }
    }
}

#[test]
fn without_v_the_same_refusal_is_told_once() {
    for kind in Kind::ALL {
        for (granted, status) in [(Some(4006), 0), (None, 1)] {
            let (server, host) = (Server::start(), kind.host());
            let nc = through(kind, &server, "-z", host).arg("4005-4007").start();
            for _ in 0..4 {
                let mut peer = server.accepts();
                let port = hears(kind, &mut peer, &[4004, 4005, 4006, 4007]);
                peer.sends(if granted == Some(port) { grant(kind).leak() } else { refusal(kind) });
            }
            nc.ends().exits(status).showed(b"").said(refused(kind));
        }
    }
}

#[test]
fn silence_about_one_port_leaves_the_next_its_turn() {
    for options in ["-z -v -w 0.5 --max-parallelism 1", "-z -v -w 0.5"] {
        let server = Server::start();
        let nc = through(Kind::Socks5, &server, options, Kind::Socks5.host()).arg("4005");
        let nc = nc.stdin_null().start();
        let mut silent = None;
        for _ in 0..2 {
            let mut peer = server.accepts();
            if hears(Kind::Socks5, &mut peer, &[4004, 4005]) == 4005 {
                peer.sends(&grant(Kind::Socks5));
            } else {
                silent = Some(peer);
            }
        }
        nc.ends()
            .exits(0)
            .said("nc: proxy: timed out\nConnection to h.example 4005 port [tcp/*] succeeded!\n");
        silent.unwrap().is_ended();
    }
}

/// All wait for their answers, and those come backwards.
#[test]
fn ports_are_asked_for_together_and_told_in_order() {
    let (kind, server) = (Kind::Socks5, Server::start());
    let nc = through(kind, &server, "-z -v -w 15", kind.host()).arg("4005-4007").start();
    let ports = [4004, 4005, 4006, 4007];
    let mut waiting: Vec<(u16, Peer)> = (0..4)
        .map(|_| {
            let mut peer = server.accepts();
            (hears(kind, &mut peer, &ports), peer)
        })
        .collect();
    waiting.sort_by_key(|&(port, _)| std::cmp::Reverse(port));
    for (port, peer) in &mut waiting {
        peer.sends(if *port % 2 == 0 { grant(kind).leak() } else { refusal(kind) });
        peer.is_ended();
    }
    let told = ports.map(|port| match port % 2 {
        0 => open(kind.host(), port),
        _ => refused(kind).to_owned(),
    });
    nc.ends().exits(0).showed(b"").said(&told.concat());
}

#[test]
fn a_proxy_that_is_not_there() {
    let closed = ClosedPort::reserve();
    let port = closed.port();
    let line = format!("nc: connect to 127.0.0.1 port {port} (tcp) failed: Connection refused\n");
    let scan = |options: &str| {
        Nc::new(format!("-z -x 127.0.0.1:{port} {options} h.example 4004 4005")).start().ends()
    };
    scan("-v").exits(1).showed(b"").said(&line.repeat(2));
    scan("").exits(1).showed(b"").said_nothing();
}

#[test]
fn a_way_through_two() {
    let server = Server::start();
    let port = server.port();
    let proxies = format!("-x 127.0.0.1:{port} -x 192.0.2.7:1080 -X 5");
    let nc = Nc::new(format!("-z -v {proxies} h.example 4004")).start();
    let mut peer = server.accepts();
    plays(&mut peer, &Kind::Socks5.dialogue("192.0.2.7", 1080));
    plays(&mut peer, &Kind::Socks5.dialogue("h.example", 4004));
    peer.is_ended();
    nc.ends().exits(0).said(&open("h.example", 4004));
}

#[test]
fn who_we_are_is_told_for_each_port() {
    let server = Server::start();
    let options = "-z -v --proxy-auth joe:secret --max-parallelism 1";
    let nc = through(Kind::Socks5, &server, options, "h.example").arg("4005").start();
    for port in [4004, 4005] {
        let mut peer = server.accepts();
        let rounds = [
            Round::new(b"\x05\x02\x00\x02", b"\x05\x02"),
            Round::new(b"\x01\x03joe\x06secret", b"\x01\x00"),
            Round::new(socks5_request("h.example", port), b"\x05\x00\x00\x01\x7f\0\0\x01\x0f\xa4"),
        ];
        plays(&mut peer, &rounds);
        peer.is_ended();
    }
    nc.ends().exits(0).said(&(open("h.example", 4004) + &open("h.example", 4005)));
}

#[test]
fn what_a_destination_says_first_is_its_banner() {
    for kind in Kind::ALL {
        let server = Server::start();
        let nc = through(kind, &server, "-z --banner --json -w 20", kind.host()).start();
        let mut peer = server.accepts();
        let rounds = kind.dialogue(kind.host(), PORT);
        let grant = plays_up_to_the_last_answer(&mut peer, &rounds);
        // In one segment with the last word of the proxy.
        peer.sends(&[&grant[..], b"220 hello"].concat());
        peer.is_ended();
        let end = nc.ends();
        end.exits(0);
        let object: serde_json::Value = serde_json::from_slice(&end.stdout).unwrap();
        assert_eq!(object["banner"], "220 hello", "{kind:?}");
        assert_eq!(object["state"], "open");
        assert_eq!(object["host"], kind.host());
        assert_eq!(object["port"], PORT);
    }
}

/// The first port opens at the third look.
#[test]
fn waiting_for_a_service_behind_a_proxy() {
    let (kind, server) = (Kind::Socks5, Server::start());
    let options = "-z -v --wait-until-open 60s --every 50ms";
    let nc = through(kind, &server, options, kind.host()).start();
    for granted in [false, false, true] {
        let mut peer = server.accepts();
        hears(kind, &mut peer, &[PORT]);
        peer.sends(if granted { grant(kind).leak() } else { refusal(kind) });
        peer.is_ended();
    }
    nc.ends().exits(0).said(&(refused(kind).to_owned() + &open(kind.host(), PORT)));
    was_left_alone(&server);
}

/// 100 ports of which nobody hears anything.
#[test]
fn a_proxy_that_says_nothing_is_not_waited_for_port_by_port() {
    let server = Server::start();
    let begun = Instant::now();
    let nc = through(Kind::Socks5, &server, "-z -w 1", "h.example").arg("5001-5099").start();
    let peers = thread::spawn(move || (0..100).map(|_| server.accepts()).collect::<Vec<_>>());
    nc.ends().exits(1).showed(b"").said("nc: proxy: timed out\n");
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    peers.join().unwrap().iter_mut().for_each(|peer| drop(hears_the_rest(peer)));
}
