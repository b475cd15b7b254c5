//! `-z --banner`: what an open port says first.

use std::time::Duration;

use crate::support::ports::open;
use crate::support::{Finished, Nc, Peer, Ports, Server};

/// Scans one port whose server does this with the client.
#[track_caller]
fn told(options: &str, says: impl FnOnce(Peer)) -> (Finished, u16) {
    let server = Server::start();
    let port = server.port();
    let nc = Nc::new(format!("-z {options} 127.0.0.1 {port}")).start();
    says(server.accepts());
    (nc.ends(), port)
}

/// Says it and waits until the program has had enough.
fn says(bytes: &[u8]) -> impl FnOnce(Peer) {
    move |mut peer| {
        peer.sends(bytes);
        peer.is_ended();
    }
}

#[test]
fn the_first_words_are_shown() {
    let (end, port) = told("--banner -w 20", says(b"SSH-2.0-x\r\n"));
    let shown = format!("127.0.0.1 {port} SSH-2.0-x\\r\\n\n");
    end.exits(0).showed(shown.as_bytes()).said_nothing();

    let (end, port) = told("--banner -v -w 20", says(b"SSH-2.0-x\r\n"));
    let shown = format!("127.0.0.1 {port} SSH-2.0-x\\r\\n\n");
    end.exits(0).showed(shown.as_bytes()).said(&open(port));
}

#[test]
fn nothing_that_a_terminal_would_obey_is_shown() {
    for (said, shown) in [
        (&b"\x1b[31mred\x07\x00\x7f"[..], r"\x1b[31mred\x07\x00\x7f"),
        ("gr\u{fc}\u{df} \u{1f600}".as_bytes(), r"gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80"),
        (b"\xff\xfe\x80\x9b2J", r"\xff\xfe\x80\x9b2J"),
        (b"two\nlines\ttabbed", r"two\nlines\ttabbed"),
        (b"\\n \"quoted\" 'too'", r#"\\n \"quoted\" \'too\'"#),
    ] {
        let (end, port) = told("--banner -w 20", says(said));
        end.exits(0).showed(format!("127.0.0.1 {port} {shown}\n").as_bytes()).said_nothing();
    }
}

#[test]
fn as_many_bytes_as_were_asked_for() {
    for (options, shown) in [
        ("--banner=4", "SSH-"),
        ("--banner=1", "S"),
        ("--banner=9", "SSH-2.0-x"),
        ("--banner=11", "SSH-2.0-x\\r\\n"),
        ("--banner=1000", "SSH-2.0-x\\r\\n"),
    ] {
        let (end, port) = told(&format!("{options} -w 20"), says(b"SSH-2.0-x\r\n"));
        end.exits(0).showed(format!("127.0.0.1 {port} {shown}\n").as_bytes());
    }
    for wrong in ["--banner=0", "--banner=-1", "--banner=x"] {
        let end = Nc::new(format!("-z {wrong} 127.0.0.1 1")).start().ends();
        end.exits(1).showed(b"");
        assert!(end.stderr.starts_with("nc: "), "{wrong}: {:?}", end.stderr);
    }
}

/// A sentence need not be one segment.
#[test]
fn words_that_come_one_after_another_are_joined() {
    for _ in 0..5 {
        let (end, port) = told("--banner -w 20", |mut peer| {
            peer.stream.set_nodelay(true).unwrap();
            // No pause between them: on a busy machine any would be too long.
            for word in ["220 ", "mail", ".example", "\r\n"] {
                peer.sends(word.as_bytes());
            }
            peer.is_ended();
        });
        end.exits(0).showed(format!("127.0.0.1 {port} 220 mail.example\\r\\n\n").as_bytes());
    }
}

#[test]
fn who_says_nothing_has_no_line() {
    let (end, port) = told("--banner -v -w 0.4", |mut peer| peer.is_ended());
    end.exits(0).showed(b"").said(&open(port));
    // An end of file, and a reset, say no more.
    for ends in [drop, Peer::resets] {
        let server = Server::start();
        let port = server.port();
        let mut nc = Nc::new(format!("-z --banner -v -w 20 127.0.0.1 {port}")).start();
        let peer = server.accepts();
        // A reset that comes before it has looked is the end of a connect that failed.
        nc.settles();
        ends(peer);
        nc.ends().exits(0).showed(b"").said(&open(port));
    }
    // What came before does.
    let (end, port) = told("--banner -w 20", |mut peer| {
        peer.sends(b"bye");
        peer.finishes();
        peer.is_ended();
    });
    end.exits(0).showed(format!("127.0.0.1 {port} bye\n").as_bytes());
}

/// One that says much is not read to its end.
#[test]
fn a_flood_is_not_waited_for() {
    let (end, port) = told("--banner=8 -w 20", |mut peer| {
        let sent = crate::support::proxies::floods(&mut peer, b"", &vec![b'x'; 1 << 16], 64 << 20);
        assert!(sent < 64 << 20, "it goes on reading");
    });
    end.exits(0).showed(format!("127.0.0.1 {port} xxxxxxxx\n").as_bytes());
}

#[test]
fn lines_are_in_order_whoever_speaks_first() {
    let (slow, fast) = (Server::start(), Server::start());
    let silent = Ports::reserve(1);
    let [a, b, c] = [slow.port(), silent.opens(0), fast.port()];
    let nc = Nc::new(format!("-zv --banner -w 2 127.0.0.1 {a} {b} {c}")).start();
    let (mut first, mut last) = (slow.accepts(), fast.accepts());
    last.sends(b"fast");
    last.is_ended();
    first.sends(b"slow");
    first.is_ended();
    let end = nc.ends();
    end.exits(0).showed(format!("127.0.0.1 {a} slow\n127.0.0.1 {c} fast\n").as_bytes());
    end.said(&[open(a), open(b), open(c)].concat());
}

/// The round trip is that of the connection; what is said afterwards takes its own time.
#[test]
fn words_do_not_count_as_a_round_trip() {
    let (end, _) = told("--banner --json -w 1.5", |mut peer| peer.is_ended());
    end.exits(0);
    let object: serde_json::Value = serde_json::from_slice(&end.stdout).unwrap();
    assert!(object["rtt_us"].as_u64().unwrap() < 1_400_000, "{object}");
}

/// An open port is one, whether it speaks or not.
#[test]
fn silence_is_not_waited_for_where_openness_is() {
    let ports = Ports::reserve(1);
    ports.opens(0);
    for options in ["--wait-until-open 1", "--wait-until-open 1 -w 0.3"] {
        let args = format!("-zv --banner {options} 127.0.0.1 {}", ports.range());
        Nc::new(args).start().ends().exits(0).showed(b"").said(&open(ports.at(0)));
    }
}

#[test]
fn closed_ports_have_none() {
    let ports = Ports::reserve(3);
    let end = Nc::new(format!("-z --banner 127.0.0.1 {}", ports.range())).start().ends();
    end.exits(1).showed(b"").said_nothing();
}

#[test]
fn json_has_it_in_a_field() {
    let (end, _) = told("--banner --json -w 20", says(b"SSH-2.0-x"));
    end.exits(0).said_nothing();
    let object: serde_json::Value = serde_json::from_slice(&end.stdout).unwrap();
    assert_eq!(object["banner"], "SSH-2.0-x");
    // Whatever it is, it is JSON, one line, and nothing that a terminal would obey.
    let every: Vec<u8> = (0..=255).collect();
    let (end, _) = told("--banner=256 --json -w 20", says(&every));
    let text = std::str::from_utf8(&end.stdout).unwrap().strip_suffix('\n').unwrap();
    assert!(!text.contains(char::is_control), "{text:?}");
    let object: serde_json::Value = serde_json::from_str(text).unwrap();
    assert_eq!(object["banner"], String::from_utf8_lossy(&every).into_owned());
}

#[test]
fn the_wait_for_words_has_an_end() {
    let server = Server::start();
    let nc = Nc::new(format!("-z --banner -w 0.4 127.0.0.1 {}", server.port())).start();
    let mut peer = server.accepts();
    peer.is_ended();
    nc.ends_within(Duration::from_secs(10)).exits(0).showed(b"");
}
