//! What the user sees of the bytes that go through: the line that tells how far it is, what each session was,
//! and the answer to SIGUSR1.

use std::fs::File;
use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::{Signal, kill_process};
use serde_json::Value;

use crate::support::peer::SilentPort;
use crate::support::screen::{Screen, left_on_screen};
use crate::support::{
    ClosedPort, Datagrams, Finished, Nc, Noise, Peer, Running, Same, Server, assert_same, kernel,
    noise, uninterrupted, watch,
};

/// More than sockets and pipes hold between two ends.
const BULK: usize = 32 << 20;

/// A file of noise, read from its beginning, that has no name any more.
fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    io::Seek::rewind(&mut file).unwrap();
    file
}

/// A client that has a file to send to somebody who does not read yet, with its terminal for stderr.
#[track_caller]
fn sender(options: &str, columns: u16, bytes: &[u8]) -> (Running, Peer, Screen) {
    let server = Server::start();
    let (screen, terminal) = Screen::open(columns);
    let nc = Nc::new(format!("{options} -N 127.0.0.1 {}", server.port()));
    let nc = nc.stdin(file(bytes)).stderr(terminal).start();
    (nc, server.accepts(), screen)
}

#[test]
fn a_file_that_takes_long_is_followed_on_a_terminal_and_leaves_nothing_there() {
    let bytes = noise(70, BULK);
    let (nc, mut peer, screen) = sender("", 100, &bytes);
    screen.shows("%, ");
    screen.shows("stalled");
    screen.shows("so far; sent ");
    assert_same(&peer.receives_to_eof(), &bytes, "what the peer got");
    drop(peer);
    nc.ends().exits(0);
    let seen = screen.at_the_end();
    assert_eq!(left_on_screen(&seen), "", "{seen:?}");
    assert!(seen.ends_with("\r\x1b[K"), "{seen:?}");
}

#[test]
fn the_line_is_no_wider_than_the_terminal() {
    let (nc, peer, screen) = sender("", 30, &noise(71, BULK));
    screen.shows("so far");
    drop((nc, peer));
    let seen = screen.at_the_end();
    let lines = seen.split('\r').map(|line| line.trim_end_matches("\x1b[K"));
    let longest = lines.map(str::len).max();
    assert_eq!(longest, Some(29), "{seen:?}");
}

#[test]
fn what_comes_into_a_file_is_followed_too() {
    let out = tempfile::NamedTempFile::new().unwrap();
    let (screen, terminal) = Screen::open(100);
    let nc = Nc::new("-lv 0").stdin_null().stdout(out.reopen().unwrap()).stderr(terminal).start();
    screen.shows("Listening on ");
    let mut peer = Peer::connect(kernel_port(&nc));
    let bytes = noise(72, 1 << 20);
    peer.sends(&bytes);
    screen.shows("received 1.00 MiB");
    peer.finishes();
    nc.ends().exits(0);
    assert_same(&std::fs::read(out.path()).unwrap(), &bytes, "the file");
    let left = left_on_screen(&screen.at_the_end());
    assert_eq!(left.lines().count(), 2, "{left}");
    assert!(left.contains("Connection received on "), "{left}");
}

#[track_caller]
fn kernel_port(nc: &Running) -> u16 {
    kernel::listening_port(nc.pid()).expect("it listens")
}

#[test]
fn other_lines_take_its_place() {
    let out = tempfile::tempfile().unwrap();
    let (screen, terminal) = Screen::open(100);
    let nc = Nc::new("-lkv 0").stdin_null().stdout(out).stderr(terminal).start();
    screen.shows("Listening on ");
    let port = kernel_port(&nc);
    let mut first = Peer::connect(port);
    first.sends(b"one");
    screen.shows("so far; received 3 bytes");
    let mut second = Peer::connect(port);
    second.sends(b"two");
    screen.shows("2 sessions, ");
    screen.shows("received 6 bytes");
    // It is taken away also when a signal ends the program.
    nc.signal(Signal::TERM);
    nc.ends().is_killed_by(Signal::TERM);
    let left = left_on_screen(&screen.at_the_end());
    let begins = |line: &str| line.starts_with("Listening ") || line.starts_with("Connection ");
    assert!(left.lines().count() == 3 && left.lines().all(begins), "{left}");
}

/// Payload and the line on one terminal: as soon as the peer says something it is the payload's.
#[test]
fn what_the_peer_says_is_not_written_over() {
    for options in ["", "--progress"] {
        let server = Server::start();
        let (screen, terminal) = Screen::open(100);
        let bytes = noise(73, BULK);
        let nc = Nc::new(format!("{options} -N 127.0.0.1 {}", server.port()));
        let nc = nc.stdin(file(&bytes)).stdout(terminal).redirected("2>&1").start();
        let mut peer = server.accepts();
        screen.shows("so far; sent ");
        peer.sends(b"hello\n");
        screen.shows("hello\n");
        watch(Duration::from_millis(400));
        assert_same(&peer.receives_to_eof(), &bytes, "what the peer got");
        peer.finishes();
        nc.ends().exits(0);
        let seen = screen.at_the_end();
        assert_eq!(left_on_screen(&seen), "hello\n", "{options}: {seen:?}");
        assert!(seen.ends_with("hello\n"), "{options}: drawn again: {seen:?}");
    }
}

#[test]
fn nobody_is_followed_who_does_not_look_or_does_not_want_to() {
    let (nc, mut peer, screen) = sender("--no-progress", 100, &noise(74, BULK));
    let server = Server::start();
    let piped = Nc::new(format!("-N 127.0.0.1 {}", server.port()));
    let piped = piped.stdin(file(&noise(74, BULK))).start();
    let mut other = server.accepts();
    watch(Duration::from_millis(1_300));
    peer.receives_to_eof();
    other.receives_to_eof();
    drop((peer, other));
    nc.ends().exits(0);
    piped.ends().exits(0).said_nothing();
    assert_eq!(screen.at_the_end(), "");
}

/// A job in the background would write over what is typed; with `stty tostop` it would even be stopped.
#[test]
fn who_is_in_the_background_draws_nothing() {
    let bytes = noise(78, BULK);
    let mut named = tempfile::NamedTempFile::new().unwrap();
    named.write_all(&bytes).unwrap();
    let script = format!("set -m; stty tostop; \"$0\" \"$@\" <{} & wait", named.path().display());
    let server = Server::start();
    let (screen, terminal) = Screen::open(100);
    let nc = Nc::new(format!("-N 127.0.0.1 {}", server.port()));
    let nc = nc.stdin(terminal.try_clone().unwrap()).stderr(terminal);
    let nc = nc.under("setsid", &["--ctty", "/bin/sh", "-c", &script]).start();
    let mut peer = server.accepts();
    watch(Duration::from_millis(1_300));
    assert_same(&peer.receives_to_eof(), &bytes, "what the peer got");
    drop(peer);
    nc.ends().exits(0);
    assert_eq!(screen.at_the_end(), "");
}

#[test]
fn a_terminal_without_a_file_is_left_alone() {
    let server = Server::start();
    let (screen, terminal) = Screen::open(100);
    let mut nc = Nc::new(format!("127.0.0.1 {}", server.port())).stderr(terminal).start();
    let peer = server.accepts();
    nc.settles();
    let before = kernel::sleeps(nc.pid());
    watch(Duration::from_millis(1_300));
    assert_eq!(kernel::sleeps(nc.pid()), before, "woke up");
    drop(nc);
    drop(peer);
    assert_eq!(screen.at_the_end(), "");
}

#[test]
fn in_a_log_progress_is_lines() {
    let server = Server::start();
    let nc = Nc::new(format!("--progress 127.0.0.1 {}", server.port())).start();
    let mut peer = server.accepts();
    peer.sends(b"hello");
    let line = nc.says(" so far; received 5 bytes");
    assert!(line.starts_with("nc: 0:0") && !nc.stderr_text().contains('\x1b'), "{line:?}");
}

/// Whatever it does it answers, and goes on.
#[test]
fn every_mode_answers_sigusr1() {
    let silent = SilentPort::start();
    let mut connecting = Nc::new(format!("127.0.0.1 {}", silent.port())).start();
    let mut scanning = Nc::new(format!("-z -w 20 127.0.0.1 {}", silent.port())).start();
    let (mut listening, port) = Nc::new("-lk").listens();
    let (mut bound, _) = Nc::new("-lu").binds();
    for (nc, words) in [
        (&mut connecting, format!("connecting to 127.0.0.1 port {}", silent.port())),
        (&mut scanning, "0 of 1 ports, 0/s".to_owned()),
        (&mut listening, format!("listening on 0.0.0.0 {port}, 0 connected, 0 so far")),
        (&mut bound, "nothing received yet".to_owned()),
    ] {
        nc.settles();
        nc.signal(Signal::USR1);
        nc.says(&words);
        nc.still_runs();
    }
    let mut peer = Peer::connect(port);
    peer.sends(b"hello");
    listening.shows(b"hello");
    listening.signal(Signal::USR1);
    listening.says("1 connected, 1 so far");
    let line = listening.says(&format!("127.0.0.1 port {}: sent", peer.port()));
    assert!(line.contains("sent 0 bytes, received 5 bytes ("), "{line}");
    listening.says("round trip ");
    listening.still_runs();
}

/// What waits to be told behind a port that does not answer has been tried.
#[test]
fn a_scan_counts_what_it_has_tried() {
    let silent = SilentPort::start();
    let closed = [ClosedPort::reserve(), ClosedPort::reserve()];
    let [one, other] = closed.each_ref().map(ClosedPort::port);
    let ports = format!("127.0.0.1 {} {one} {other}", silent.port());
    let mut nc = Nc::new(format!("-z -w 20 {ports}")).start();
    nc.settles();
    nc.signal(Signal::USR1);
    nc.says("2 of 3 ports, ");
    nc.still_runs();

    // Nobody draws over a log, and nothing is said there unasked.
    let logged = Nc::new(format!("-z -w 1.5 --progress {ports}")).start();
    let line = logged.says("2 of 3 ports, ");
    assert!(line.starts_with("nc: ") && !logged.stderr_text().contains('\x1b'), "{line:?}");
    logged.ends().exits(1);
    Nc::new(format!("-z -w 1.5 {ports}")).start().ends().exits(1).said_nothing();
}

/// Whether it is stands in a file, which is opened when one comes. In a sandbox it cannot be: then the
/// question is answered, and ends nothing.
#[test]
fn an_ignored_sigusr1_stays_ignored() {
    let server = Server::start();
    let nc = Nc::new(format!("--sandbox=off 127.0.0.1 {}", server.port()));
    let nc = nc.under("/bin/sh", &["-c", "trap '' USR1; exec \"$0\" \"$@\""]);
    let mut nc = nc.start();
    let mut peer = server.accepts();
    nc.settles();
    nc.signal(Signal::USR1);
    peer.sends(b"hello");
    nc.shows(b"hello");
    peer.finishes();
    nc.ends_input();
    nc.ends().exits(0).said_nothing();
}

#[test]
fn a_storm_of_questions_loses_no_byte() {
    const SIZE: u64 = 16 << 20;
    let server = Server::start();
    let args = format!("-N --half-close 127.0.0.1 {}", server.port());
    let mut nc = Nc::new(args).stdout_unread().start();
    let peer = server.accepts();
    nc.settles();
    let (stdin, mut stdout, pid) = (nc.take_stdin(), nc.take_stdout(), nc.pid());
    let flowing = AtomicBool::new(true);
    let send = |mut sink: &mut dyn Write, seed| {
        io::copy(&mut Noise::new(seed).take(SIZE), &mut sink).unwrap();
    };
    let receive = |source: &mut dyn Read, seed| {
        assert_eq!(io::copy(&mut source.take(SIZE), &mut Same::new(seed)).unwrap(), SIZE);
    };
    thread::scope(|scope| {
        let storm = scope.spawn(|| {
            let mut count = 0;
            while flowing.load(Ordering::Relaxed) || count < 1_000 {
                kill_process(pid, Signal::USR1).unwrap();
                count += 1;
                thread::yield_now();
            }
        });
        let transfers = [
            scope.spawn(|| send(&mut &stdin, 75)),
            scope.spawn(|| send(&mut &peer.stream, 76)),
            scope.spawn(|| receive(&mut &peer.stream, 75)),
            scope.spawn(|| receive(&mut stdout, 76)),
        ];
        let results = transfers.map(thread::ScopedJoinHandle::join);
        flowing.store(false, Ordering::Relaxed);
        for result in results {
            result.expect("a transfer failed");
        }
        storm.join().unwrap();
    });
    nc.says("round trip ");
    drop((stdin, peer));
    assert_eq!(stdout.read(&mut [0]).unwrap(), 0);
    nc.ends().exits(0);
}

/// What is on stderr: one object a line, nothing else.
#[track_caller]
fn object(end: &Finished) -> Value {
    let object = serde_json::from_str(end.stderr.trim_end());
    object.unwrap_or_else(|error| panic!("{error} in {:?}", end.stderr))
}

#[test]
fn both_ends_tell_what_went_through() {
    let dir = tempfile::tempdir().unwrap();
    let port_file = dir.path().join("port");
    let listener = format!("-l --stats=json --port-file {} 0", port_file.display());
    let listener = Nc::new(listener).stdin(file(b"an answer")).start();
    crate::support::wait_until("the port", || port_file.exists());
    let port = std::fs::read_to_string(&port_file).unwrap();
    let client = Nc::new(format!("-N --stats=json 127.0.0.1 {port}"));
    let client = client.stdin(file(&noise(77, 1 << 20))).start().ends();
    let listener = listener.ends();
    let (there, here) = (object(&listener), object(&client));
    for (object, sent, received) in [(&here, 1 << 20, 9), (&there, 9, 1 << 20)] {
        assert_eq!(object["event"], "end");
        assert_eq!(object["protocol"], "tcp");
        assert_eq!(object["sent"], sent, "{object}");
        assert_eq!(object["received"], received, "{object}");
        assert_eq!(object["unsent"], 0);
        assert_eq!(object["unwritten"], 0);
        assert_eq!(object["end"], "complete");
        assert_eq!(object["reason"], "closed");
        assert!(object["duration_us"].is_u64(), "{object}");
        assert!(object["sent_per_second"].as_u64() > Some(0), "{object}");
        assert!((1..1_000_000).contains(&object["rtt_us"].as_u64().unwrap()), "{object}");
        assert!(object["rtt_variance_us"].is_u64() && object["retransmits"].is_u64(), "{object}");
        assert!(object["congestion_window"].as_u64() > Some(0), "{object}");
        assert!(object["delivery_rate"].is_u64(), "{object}");
        assert!(object["datagrams_sent"].is_null(), "{object}");
    }
    assert_eq!(here["peer_port"].to_string(), port.trim());
    assert_eq!(
        (&here["local_port"], &here["peer_port"]),
        (&there["peer_port"], &there["local_port"])
    );
    assert_eq!(
        (&here["peer_address"], &there["peer_address"]),
        (&"127.0.0.1".into(), &"127.0.0.1".into())
    );
}

#[test]
fn people_are_told_in_two_lines() {
    for options in ["--stats", "--stats=text", "-vv"] {
        let server = Server::start();
        let nc = Nc::new(format!("{options} -N 127.0.0.1 {}", server.port()));
        let nc = nc.stdin(file(b"hello")).start();
        server.accepts().receives_to_eof();
        let end = nc.ends();
        let peer = format!("127.0.0.1 port {}: ", server.port());
        let lines: Vec<&str> = end.stderr.lines().filter_map(|l| l.strip_prefix(&peer)).collect();
        let [what, tcp] = lines[..] else { panic!("{options}: {}", end.stderr) };
        assert!(what.starts_with("sent 5 bytes (") && what.ends_with(" s: closed"), "{what}");
        assert!(
            tcp.starts_with("round trip 0.") && tcp.contains(" segments sent again, "),
            "{tcp}"
        );
    }
}

#[test]
fn a_unix_client_without_a_name_has_none() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    let nc = Nc::new("-l -v --stats=json -U").arg(&path).start();
    nc.says("Listening on ");
    Nc::new("-N -U").arg(&path).stdin_null().start().ends().exits(0);
    let end = nc.ends();
    let object: Value = serde_json::from_str(end.stderr.lines().last().unwrap()).unwrap();
    assert_eq!(object["local_address"], path.to_str().unwrap());
    assert!(object["peer_address"].is_null(), "{object}");
}

#[test]
fn datagrams_are_counted_and_have_no_round_trip() {
    let peer = Datagrams::bind();
    let nc = Nc::new(format!("-u --stats=json -W 2 127.0.0.1 {}", peer.port()));
    let mut nc = nc.start();
    let mut first = [0; 16];
    nc.types(b"one");
    let (n, from) = uninterrupted(|| peer.socket.recv_from(&mut first)).unwrap();
    assert_eq!(&first[..n], b"one");
    for answer in [&b"two"[..], b"three"] {
        peer.socket.send_to(answer, from).unwrap();
    }
    let object = object(&nc.ends());
    assert_eq!((&object["datagrams_sent"], &object["datagrams_received"]), (&1.into(), &2.into()));
    assert_eq!((&object["sent"], &object["received"]), (&3.into(), &8.into()));
    assert!(object["rtt_us"].is_null() && object["protocol"] == "udp", "{object}");
}

#[test]
fn how_a_session_broke_is_told() {
    let server = Server::start();
    let nc = Nc::new(format!("--stats=json 127.0.0.1 {}", server.port())).start();
    let mut peer = server.accepts();
    peer.sends(b"hello");
    nc.shows(b"hello");
    peer.resets();
    let end = nc.ends();
    end.exits(1);
    let line = end.stderr.lines().find(|line| line.starts_with('{')).unwrap();
    let object: Value = serde_json::from_str(line).unwrap();
    assert_eq!(object["end"], "peer_failed");
    assert_eq!(object["reason"], "Connection reset by peer");
    assert!(object["rtt_us"].is_u64(), "{object}");
}

#[test]
fn a_signal_that_ends_the_program_ends_its_sessions_too() {
    let server = Server::start();
    let nc = Nc::new(format!("--stats=json 127.0.0.1 {}", server.port())).start();
    let mut peer = server.accepts();
    peer.sends(b"hello");
    nc.shows(b"hello");
    nc.signal(Signal::INT);
    let end = nc.ends();
    end.is_killed_by(Signal::INT);
    let object = object(&end);
    assert_eq!((&object["event"], &object["received"]), (&"end".into(), &5.into()));
    assert_eq!((&object["end"], &object["reason"]), (&"signal".into(), &"SIGINT".into()));
}

#[test]
fn where_there_was_no_session_nothing_is_told_of_one() {
    let closed = ClosedPort::reserve();
    for format in ["text", "json"] {
        let nc = Nc::new(format!("-v --stats={format} 127.0.0.1 {}", closed.port()));
        nc.start().ends().exits(1).said_one_line_with("failed: Connection refused");
    }
}
