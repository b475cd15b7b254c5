//! `--trace` and `--trace-json`: what the loop says about itself, held against what strace sees, and what
//! it costs the session, which is nothing.

use std::fs::{self, OpenOptions};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{CWD, Mode, mkfifoat};
use rustix::process::Signal;
use serde_json::Value;
use tempfile::tempdir;

use crate::pass_fd::passed;
use crate::support::ends::{Pty, pipe};
use crate::support::strace::Trace;
use crate::support::{Nc, Peer, Server, noise};

/// The lines of the trace among those of stderr: topic and text, without the time.
fn told(stderr: &str) -> Vec<(&str, &str)> {
    stderr.lines().filter_map(told_in).collect()
}

fn told_in(line: &str) -> Option<(&str, &str)> {
    let (at, rest) = line.trim_start().split_once(' ')?;
    let (topic, text) = rest.split_once(' ')?;
    at.bytes().all(|byte| byte.is_ascii_digit()).then(|| (topic, text.trim_start()))
}

/// A client that says hello, hears welcome, and ends; what it said on stderr.
fn greets(options: &str) -> String {
    let server = Server::start();
    let mut nc = Nc::new(format!("{options} -N 127.0.0.1 {}", server.port())).start();
    greet(&mut nc, server.accepts());
    let ended = nc.ends();
    ended.exits(0).showed(b"welcome\n");
    ended.stderr
}

fn greet(nc: &mut crate::support::Running, mut peer: Peer) {
    nc.settles();
    nc.types(b"hello\n");
    peer.receives(b"hello\n");
    peer.sends(b"welcome\n");
    nc.shows(b"welcome\n");
    nc.ends_input();
    peer.receives_eof();
    peer.finishes();
}

#[test]
fn a_topic_is_heard_alone() {
    for (options, topics) in [
        ("--trace=loop", &["loop"][..]),
        ("--trace=io", &["io"]),
        ("--trace=state", &["state"]),
        ("--trace=io,state", &["io", "state"]),
        ("--trace=all", &["loop", "io", "state"]),
        ("--trace", &["loop", "io", "state"]),
        ("", &[]),
    ] {
        let stderr = greets(options);
        let lines = told(&stderr);
        assert_eq!(lines.len(), stderr.lines().count(), "{stderr}");
        for topic in ["loop", "io", "state"] {
            let heard = lines.iter().any(|(of, _)| *of == topic);
            assert_eq!(heard, topics.contains(&topic), "{options}: {stderr}");
        }
    }
}

#[test]
fn a_line_of_input_can_be_followed_through_the_loop() {
    let stderr = greets("--trace");
    let mut lines = told(&stderr).into_iter();
    let mut find = |topic: &str, parts: &[&str]| {
        let line =
            lines.find(|(of, text)| *of == topic && parts.iter().all(|it| text.contains(it)));
        line.unwrap_or_else(|| panic!("no {parts:?} in its place in\n{stderr}")).1
    };
    let stdin = number_in(find("loop", &["register fd", "(stdin) for READABLE"]));
    let socket = number_in(find("loop", &["register fd", "(attempt 0)"]));
    find("io", &[&format!("getsockopt({socket}, SO_ERROR, [0]) = 0")]);
    find("state", &["dial: Racing => Won"]);
    find("loop", &[&format!("fd {socket} (attempt 0) becomes session 0")]);
    find("loop", &["wait"]);
    find("loop", &["turn ", "events 1"]);
    find("loop", &[&format!("fd {stdin} (stdin) event r")]);
    find("loop", &["wake stdin"]);
    find("io", &[&format!("read({stdin}, 16384) = 6")]);
    find("io", &["outbound: Read = Taken(6), holds 6"]);
    find("io", &[&format!("sendto({socket}, 6) = 6")]);
    find("io", &["outbound: Write = Given(6), holds 0"]);
    find("io", &[&format!("read({stdin}, 16384) = -1 EAGAIN (WouldBlock)")]);
    find("loop", &[&format!("fd {stdin} (stdin) clear r")]);
    find("io", &[&format!("recvfrom({socket}, 16384) = 8")]);
    find("state", &["outbound: Draining => Finished"]);
    find("io", &[&format!("shutdown({socket}, SHUT_WR) = 0")]);
    find("state", &["session: Relaying => Closed"]);
    find("loop", &[&format!("deregister fd {socket} (session 0)")]);
}

/// The descriptor that a line names.
fn number_in(line: &str) -> &str {
    let (_, rest) = line.split_once("fd ").expect("a descriptor");
    rest.split_once(' ').expect("more").0
}

/// A timer is set, and fires as a wake of its own.
#[test]
fn timers_are_told_of() {
    let server = Server::start();
    let nc = Nc::new(format!("--trace=loop -w 0.1 127.0.0.1 {}", server.port())).start();
    let _peer = server.accepts();
    let ended = nc.ends();
    let lines = told(&ended.stderr);
    assert!(lines.iter().any(|(_, text)| text.starts_with("timer for session 0 in ")));
    assert!(lines.iter().any(|(_, text)| *text == "wake timer for session 0"), "{}", ended.stderr);
}

#[test]
fn signals_are_registered() {
    let dir = tempdir().expect("a directory");
    let mut nc = Nc::new("--trace=loop -lU").arg(dir.path().join("socket")).start();
    nc.settles();
    nc.signal(Signal::TERM);
    let stderr = nc.ends().stderr;
    let lines = told(&stderr);
    for part in ["(signals) for READABLE", "(signals) event r, ready r"] {
        let found = lines.iter().any(|(topic, text)| *topic == "loop" && text.ends_with(part));
        assert!(found, "no {part} in\n{stderr}");
    }
}

/// Each call that moves bytes or makes connections is told, with strace's name, descriptor and result.
#[test]
#[ignore = "needs strace"]
fn calls_are_those_that_strace_sees() {
    let calls = "connect,accept4,recvfrom,sendto,sendmsg,splice,shutdown,getsockopt";
    let check = |strace: Vec<String>, stderr: &str| {
        let sockets = |line: &String| !line.contains("getsockopt") || line.contains("SO_ERROR");
        assert_same(strace.into_iter().filter(sockets), stderr, calls);
    };
    // Small pieces, then bulk that the kernel moves.
    let server = Server::start();
    let nc = Nc::new(format!("--trace=io -n -N 127.0.0.1 {}", server.port()));
    let (nc, trace) = Trace::of(nc, calls);
    let mut nc = nc.start();
    let mut peer = server.accepts();
    nc.types(b"hello\n");
    peer.receives(b"hello\n");
    let bulk = noise(7, 500_000);
    nc.types_all(bulk.clone());
    peer.receives(&bulk);
    peer.finishes();
    let ended = nc.ends();
    ended.exits(0);
    assert!(ended.stderr.contains("splice("), "nothing in bulk: {}", ended.stderr);
    check(trace.calls(), &ended.stderr);

    let (nc, trace) = Trace::of(Nc::new("--trace=io -n -l"), calls);
    let (nc, port) = nc.listens();
    let mut peer = Peer::connect(port);
    peer.sends(b"hello\n");
    nc.shows(b"hello\n");
    peer.finishes();
    let ended = nc.ends();
    check(trace.calls(), &ended.stderr);

    // A connection that is handed on.
    let (ours, theirs) = UnixStream::pair().unwrap();
    let nc = Nc::new(format!("--trace=io -n -F 127.0.0.1 {}", server.port())).stdout(theirs);
    let (nc, trace) = Trace::of(nc, calls);
    let nc = nc.start();
    let _peer = server.accepts();
    assert_eq!(passed(&ours).0, [0]);
    let ended = nc.ends();
    assert!(ended.exits(0).stderr.contains("sendmsg(1, SCM_RIGHTS, 1) = 1"), "{}", ended.stderr);
    check(trace.calls(), &ended.stderr);
}

/// A file that is appended to refuses to be spliced to when our pipe is full already: what it holds is read
/// out of it, and then everything is read and written.
#[test]
#[ignore = "needs strace"]
fn calls_of_a_splice_that_is_refused_are_those_that_strace_sees() {
    let calls = "read,write,recvfrom,splice";
    let dir = tempdir().expect("a directory");
    let path = dir.path().join("log");
    let log = OpenOptions::new().append(true).create(true).open(&path).expect("ours");
    let nc = Nc::new("--trace=io,state -n -l").stdin_null().stdout(log);
    let (nc, trace) = Trace::of(nc, calls);
    let (nc, port) = nc.listens();
    let mut peer = Peer::connect(port);
    let bulk = noise(8, 300_000);
    peer.sends(&bulk);
    peer.finishes();
    let ended = nc.ends();
    assert_eq!(fs::read(&path).expect("ours"), bulk);
    let is_refused = |line: &str| line.starts_with("splice(") && line.contains("EINVAL");
    // Before that strace has seen libraries being read, and lines of ours are written to stderr.
    let strace = trace.calls().into_iter().skip_while(|line| !is_refused(line));
    let strace = strace.filter(|line| !line.starts_with("write(2,"));
    let from =
        ended.stderr.lines().position(|line| told_in(line).is_some_and(|it| is_refused(it.1)));
    let from = from.unwrap_or_else(|| panic!("no refusal in\n{}", ended.stderr));
    let told: String = ended.stderr.lines().skip(from).flat_map(|line| [line, "\n"]).collect();
    assert!(told.contains("transfer: Emptying => Buffered"), "the pipe is not emptied in\n{told}");
    assert_same(strace, &told, calls);
}

/// What was told of these calls is what strace has seen of them, in the same order.
#[track_caller]
fn assert_same(strace: impl Iterator<Item = String>, stderr: &str, calls: &str) {
    let seen: Vec<_> = strace.filter_map(|line| name_fd_and_result(&line)).collect();
    let told: Vec<_> = told(stderr)
        .into_iter()
        .filter(|(_, text)| calls.split(',').any(|name| text.starts_with(&format!("{name}("))))
        .filter_map(|(_, text)| name_fd_and_result(text))
        .collect();
    assert!(seen.len() >= 3, "{seen:#?}");
    assert_eq!(told, seen);
}

fn name_fd_and_result(line: &str) -> Option<String> {
    let (name, rest) = line.split_once('(')?;
    let fd = rest.split([',', ')']).next()?;
    let result = line.rsplit_once(" = ")?.1;
    // strace explains an errno in other words, and shows flags of what is returned.
    let result = result.split(" (").next()?.split(" [").next()?;
    Some(format!("{name}({fd}) = {result}"))
}

#[test]
fn a_reader_who_does_not_read_the_trace_holds_nobody_up() {
    let (read, write) = pipe();
    let server = Server::start();
    let args = format!("--trace -N 127.0.0.1 {}", server.port());
    let mut nc = Nc::new(args).stderr(write).start();
    let mut peer = server.accepts();
    // Far more turns than a pipe holds lines of.
    for round in 0..500 {
        let line = format!("round {round}\n");
        nc.types(line.as_bytes());
        peer.receives(line.as_bytes());
    }
    // What waits is read; then the trace goes on, and owns up.
    let mut text = vec![0; 65536];
    let n = rustix::io::read(&read, &mut text).expect("an open pipe");
    assert!(n > 32768, "{n}");
    nc.types(b"again\n");
    peer.receives(b"again\n");
    let n = rustix::io::read(&read, &mut text).expect("an open pipe");
    let text = String::from_utf8_lossy(&text[..n]).into_owned();
    assert!(text.contains(" lines are missing here)\n"), "{text}");
    nc.ends_input();
    peer.receives_eof();
    peer.finishes();
    nc.ends().exits(0);
}

/// Each line that is read makes room in stdout too, where both are the same terminal. That is no news, or
/// the trace would have itself to tell of for ever.
#[test]
fn the_trace_does_not_feed_itself() {
    let Pty { master, terminal } = Pty::open();
    let server = Server::start();
    let nc = Nc::new(format!("--trace 127.0.0.1 {}", server.port()));
    let nc = nc.stdout(terminal.try_clone().expect("a duplicate")).stderr(terminal).start();
    let _peer = server.accepts();
    let (mut told, mut text) = (0, [0; 4096]);
    let silence = Timespec { tv_sec: 0, tv_nsec: 300_000_000 };
    while poll(&mut [PollFd::new(&master, PollFlags::IN)], Some(&silence)).expect("a poll") > 0 {
        told += rustix::io::read(&master, &mut text).expect("a terminal");
        assert!(told < 16384, "it does not stop: {}", String::from_utf8_lossy(&text));
    }
    assert!(told > 500, "{told}");
    drop(nc);
}

#[test]
fn the_timeline_is_json_whose_slices_nest() {
    let dir = tempdir().expect("a directory");
    let path = dir.path().join("trace.json");
    let stderr = greets(&format!("--trace-json {}", path.display()));
    assert_eq!(stderr, "");
    let events = timeline(&path);
    let mut open = 0;
    let mut last = 0.0;
    for event in &events {
        match event["ph"].as_str().expect("a phase") {
            "B" => open += 1,
            "E" => open -= 1,
            "X" => assert!(event["dur"].as_f64().expect("a duration") >= 0.0),
            "C" => assert!(event["args"]["holds"].is_u64(), "{event}"),
            "i" | "M" => {}
            phase => panic!("{phase}"),
        }
        assert!((0..=1).contains(&open), "{event}");
        // A call is drawn when it has returned, from when it began.
        if event["ph"] == "B" || event["ph"] == "E" {
            let at = event["ts"].as_f64().expect("a time");
            assert!(at >= last, "{event}");
            last = at;
        }
    }
    assert_eq!(open, 0);
    for (phase, name) in [
        ("B", "wait"),
        ("B", "stdin"),
        ("B", "session 0"),
        ("X", "recvfrom"),
        ("X", "sendto"),
        ("C", "outbound"),
        ("i", "session: Relaying => Closed"),
    ] {
        let found = events.iter().any(|event| event["ph"] == phase && event["name"] == name);
        assert!(found, "no {phase} {name}");
    }
}

#[test]
fn the_timeline_of_a_killed_program_is_whole() {
    let dir = tempdir().expect("a directory");
    let path = dir.path().join("trace.json");
    let (mut nc, port) = Nc::new(format!("-k -l --trace-json {}", path.display())).listens();
    let mut peer = Peer::connect(port);
    peer.sends(b"hello\n");
    nc.shows(b"hello\n");
    nc.settles();
    nc.signal(Signal::KILL);
    nc.ends().is_killed_by(Signal::KILL);
    let events = timeline(&path);
    assert!(events.iter().any(|event| event["name"] == "accept4"), "{events:#?}");
}

/// As where a disk is full: a file may have two blocks, which end in the middle of an event.
#[test]
fn a_timeline_that_finds_no_room_is_whole_and_the_session_is_as_well() {
    let dir = tempdir().expect("a directory");
    let path = dir.path().join("trace.json");
    let server = Server::start();
    let nc = format!(
        "trap '' XFSZ; ulimit -f 2; exec {} -N --trace-json {} 127.0.0.1 {}",
        env!("CARGO_BIN_EXE_nc"),
        path.display(),
        server.port()
    );
    let mut sh = Command::new("sh");
    let nc = sh.args(["-c", &nc]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let nc = nc.spawn().expect("sh");
    drop(server.accepts());
    let nc = nc.wait_with_output().expect("nc");
    assert!(nc.status.success(), "{nc:?}");
    let told = format!("nc: {}: File too large; the timeline ends here\n", path.display());
    assert_eq!(String::from_utf8_lossy(&nc.stderr), told);
    let events = timeline(&path);
    assert!(events.iter().any(|event| event["ph"] == "i"), "{events:#?}");
}

#[test]
fn a_timeline_that_cannot_be_written_is_one_line_before_anything_is_done() {
    let dir = tempdir().expect("a directory");
    let fifo = dir.path().join("fifo");
    mkfifoat(CWD, &fifo, Mode::RUSR | Mode::WUSR).expect("the directory is ours");
    for (path, why) in [
        (fifo, "not a regular file"),
        ("/dev/fd/1".into(), "not a regular file"),
        (dir.path().to_path_buf(), "Is a directory"),
        (dir.path().join("missing/trace.json"), "No such file or directory"),
    ] {
        let server = Server::start();
        let args = format!("--trace-json {} 127.0.0.1 {}", path.display(), server.port());
        let ended = Nc::new(args).start().ends();
        ended.exits(1).said(&format!("nc: {}: {why}\n", path.display()));
        server.listener().set_nonblocking(true).expect("a listener");
        assert!(server.listener().accept().is_err(), "it had connected");
    }
}

#[test]
fn a_timeline_without_any_room_costs_no_session() {
    let server = Server::start();
    let args = format!("--trace-json /dev/full -N 127.0.0.1 {}", server.port());
    let mut nc = Nc::new(args).start();
    let mut peer = server.accepts();
    nc.types(b"question");
    nc.ends_input();
    assert_eq!(peer.receives_to_eof(), b"question");
    peer.sends(b"answer");
    drop(peer);
    let line = "nc: /dev/full: No space left on device; the timeline ends here\n";
    nc.ends().exits(0).showed(b"answer").said(line);
}

#[test]
fn an_unknown_topic_is_refused() {
    for (typed, named) in [("loops", "loops"), ("io,,state", ""), ("\u{1b}", "\\u{1b}")] {
        let ended = Nc::new("127.0.0.1 1").arg(format!("--trace={typed}")).start().ends();
        let line = format!("nc: trace must be loop, io, state or all: {named}\n");
        ended.exits(1).said(&line);
    }
}

fn timeline(path: &Path) -> Vec<Value> {
    let text = fs::read(path).expect("a file");
    let events: Value = serde_json::from_slice(&text).expect("JSON");
    events.as_array().expect("an array").clone()
}
