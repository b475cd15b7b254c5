//! stdin, stdout and stderr in every state of disrepair. What is whole about them stands in `stdio`.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::time::Duration;

use rustix::process::Signal;
use tempfile::tempdir;

use super::is_calm;
use crate::support::ends::{Pty, pipe};
use crate::support::{ClosedPort, Nc, Noise, Peer, Role, Server, assert_same, fill, kernel, noise};
use crate::support::{Running, wait_until};

/// A closed descriptor counts as `/dev/null`. Nothing that was meant for it goes to somebody else.
#[test]
fn any_of_the_three_may_be_closed() {
    for closed in 1..8_usize {
        for role in Role::BOTH {
            let is_closed = |descriptor: usize| closed & (1 << descriptor) != 0;
            let (mut nc, mut peer) = start(role, &is_closed);
            let sent: &[u8] = if is_closed(0) { b"" } else { b"typed" };
            if !is_closed(0) {
                nc.types(sent);
                nc.ends_input();
            }
            peer.receives(sent);
            peer.receives_eof();
            peer.sends(b"no echo, please");
            peer.finishes();
            peer.receives_eof();
            let end = nc.ends();
            let shown: &[u8] = if is_closed(1) { b"" } else { b"no echo, please" };
            end.exits(0).showed(shown).complained_of_nothing();
        }
    }
}

/// Nor is a descriptor that is free for the taking taken for stdin.
#[test]
fn without_stdin_clients_are_heard_and_told_nothing() {
    let (mut nc, port) = Nc::new("-l -k --recv-only").closed(0).listens();
    let mut expected = Vec::new();
    for seed in [703, 704] {
        let payload = noise(seed, 200_000);
        let mut peer = Peer::connect(port);
        peer.sends(&payload);
        peer.finishes();
        peer.receives_eof();
        expected.extend(payload);
        nc.shows(&expected);
    }
    nc.settles();
    is_calm(&nc);
}

/// With `-v`, so that there is something to be said, and connected.
#[track_caller]
fn start(role: Role, is_closed: &dyn Fn(usize) -> bool) -> (Running, Peer) {
    let close = |nc: Nc| (0..3).filter(|&fd| is_closed(fd)).fold(nc, Nc::closed);
    match role {
        Role::Client => {
            let server = Server::start();
            let args = format!("-N -v --half-close 127.0.0.1 {}", server.port());
            let nc = close(Nc::new(args)).start();
            (nc, server.accepts())
        }
        Role::Listener => {
            let nc = close(Nc::new("-N -v --half-close -l 127.0.0.1 0")).start();
            let mut port = None;
            // Not even its own words can tell, where stderr is closed.
            wait_until("it listens", || {
                port = kernel::listening_port(nc.pid());
                port.is_some()
            });
            (nc, Peer::connect(port.unwrap()))
        }
    }
}

#[test]
fn stderr_without_a_reader_changes_neither_stream_nor_status() {
    let unread = || {
        let (read, write) = pipe();
        drop(read);
        write
    };
    let closed = ClosedPort::reserve();
    let refused = Nc::new(format!("-v 127.0.0.1 {}", closed.port())).stderr(unread()).start();
    refused.ends().exits(1).showed(b"");

    let nc = Nc::new("-v -N -l 127.0.0.1 0").stdin_null().stderr(unread()).start();
    wait_until("it listens", || kernel::listening_port(nc.pid()).is_some());
    let mut peer = Peer::connect(kernel::listening_port(nc.pid()).unwrap());
    peer.sends(b"heard");
    peer.receives_eof();
    drop(peer);
    nc.ends().exits(0).showed(b"heard");
}

/// Lines are dropped then; bytes and the status are not.
#[test]
fn a_full_stderr_holds_nobody_up() {
    let (read, write) = pipe();
    fill(&write, &mut Noise::new(700));
    let server = Server::start();
    let nc = Nc::new(format!("-v -N 127.0.0.1 {}", server.port())).stdin_null().stderr(write);
    let nc = nc.start();
    let mut peer = server.accepts();
    peer.receives_eof();
    peer.sends(b"heard");
    nc.shows(b"heard");
    peer.resets();
    nc.ends_within(Duration::from_secs(3)).exits(1).showed(b"heard");
    drop(read);
}

#[test]
fn a_controlling_terminal_that_hangs_up_ends_it() {
    let pty = Pty::open();
    let (nc, mut peer) = on_its_terminal(&pty, "exec \"$0\" \"$@\"");
    drop(pty);
    // The kernel tells the leader of the session by a signal, and its default is to end the program.
    let end = nc.ends_within(Duration::from_secs(3));
    end.is_killed_by(Signal::HUP).said_nothing();
    peer.is_ended();
}

#[test]
fn a_terminal_that_hangs_up_under_nohup_is_an_end_of_file() {
    let pty = Pty::open();
    let (mut nc, mut peer) = on_its_terminal(&pty, "trap '' HUP; exec \"$0\" \"$@\"");
    drop(pty);
    // What stdin had to say is over, and the network is still served.
    peer.receives_eof();
    peer.sends(b"still served");
    nc.shows(b"still served");
    nc.settles();
    is_calm(&nc);
    drop(peer);
    nc.ends().exits(0).said_nothing();
}

/// In a session of its own, whose terminal this is.
#[track_caller]
fn on_its_terminal(pty: &Pty, script: &str) -> (Running, Peer) {
    let server = Server::start();
    let stdin = pty.terminal.try_clone().unwrap();
    let nc = Nc::new(format!("-N --half-close 127.0.0.1 {}", server.port())).stdin(stdin);
    let nc = nc.under("setsid", &["--ctty", "/bin/sh", "-c", script]);
    let mut nc = nc.start();
    let peer = server.accepts();
    nc.settles();
    (nc, peer)
}

#[test]
#[ignore = "needs root"]
fn a_disk_that_fills_up_keeps_what_fitted() {
    let dir = tempdir().unwrap();
    let script = format!(
        "mount -t tmpfs -o size=256k none '{place}' && \
         {{ \"$0\" \"$@\" >'{place}/file'; status=$?; cat '{place}/file'; exit $status; }}",
        place = dir.path().display()
    );
    let server = Server::start();
    // stdin stays open: it is no reason to go on.
    let nc = Nc::new(format!("127.0.0.1 {}", server.port()));
    let nc = nc.under("unshare", &["--mount", "/bin/sh", "-c", &script]).start();
    let peer = server.accepts();
    let payload = noise(701, 4 << 20);
    let sent = payload.clone();
    let writer = std::thread::spawn(move || {
        // It ends before it has taken everything.
        let _ = (&peer.stream).write_all(&sent);
        peer
    });
    let end = nc.ends();
    end.exits(1).said_one_line_with("No space left on device");
    assert!(end.stderr.contains("bytes from the peer not written"), "{}", end.stderr);
    let kept = end.stdout.len();
    assert!((128 << 10..=256 << 10).contains(&kept), "{kept} bytes were kept of 256 KiB");
    assert_same(&end.stdout, &payload[..kept], "the file");
    drop(writer.join().unwrap());
}

/// The signal, where nobody has it ignored: its default is to end the program.
#[test]
fn a_file_that_may_not_grow_is_told() {
    for (script, killed) in
        [("exec \"$0\" \"$@\"", true), ("trap '' XFSZ; exec \"$0\" \"$@\"", false)]
    {
        let dir = tempdir().unwrap();
        let path = dir.path().join("file");
        let server = Server::start();
        let nc = Nc::new(format!("127.0.0.1 {}", server.port()));
        let nc =
            nc.under("/bin/sh", &["-c", script]).under("prlimit", &["--fsize=65536", "--core=0"]);
        let nc = nc.stdout(File::create(&path).unwrap()).start();
        let peer = server.accepts();
        let payload = noise(702, 1 << 20);
        let sent = payload.clone();
        let writer = std::thread::spawn(move || {
            let _ = (&peer.stream).write_all(&sent);
            peer
        });
        let end = nc.ends();
        if killed {
            end.is_killed_by(Signal::XFSZ);
        } else {
            end.exits(1).said_one_line_with("File too large");
        }
        assert_same(&fs::read(&path).unwrap(), &payload[..65536], "the file");
        drop(writer.join().unwrap());
    }
}

/// Reads of a stdin that was opened for writing only, writes to a stdout for reading only.
#[test]
fn descriptors_that_are_open_the_wrong_way_are_told() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("file");
    fs::write(&path, b"not to be touched").unwrap();
    let (nc, mut peer) =
        Role::Client.start("-N", |nc| nc.stdin(File::create(dir.path().join("w")).unwrap()));
    peer.receives_eof();
    drop(peer);
    nc.ends().exits(1).said_one_line_with("nc: stdin: Bad file descriptor");

    let (nc, mut peer) = Role::Client.start("", |nc| nc.stdout(File::open(&path).unwrap()));
    peer.sends(b"lost");
    let end = nc.ends();
    end.exits(1).said_one_line_with("Bad file descriptor, 4 bytes from the peer not written");
    let mut kept = String::new();
    File::open(&path).unwrap().read_to_string(&mut kept).unwrap();
    assert_eq!(kept, "not to be touched");
}
