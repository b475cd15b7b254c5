//! Everything that stdin and stdout can be, and what must be left of it: bytes whole, flags and
//! terminal modes untouched.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::Signal;
use rustix::termios::tcgetattr;
use tempfile::tempdir;

use crate::support::ends::{BEFORE, Input, Kind, Output, Pty, pipe};
use crate::support::{
    Nc, Noise, Role, Running, Same, Server, assert_same, fill, kernel, noise, watch,
};

#[test]
fn every_stdin_with_every_stdout_transfers_both_ways() {
    let mut failed = Vec::new();
    for stdin in Kind::ALL {
        for stdout in Kind::ALL {
            for role in Role::BOTH {
                let run = AssertUnwindSafe(|| transfer(stdin, stdout, role));
                if catch_unwind(run).is_err() {
                    failed.push(format!("{role:?}: stdin {stdin:?}, stdout {stdout:?}"));
                }
            }
        }
    }
    assert!(failed.is_empty(), "failed, for the reasons above:\n{}", failed.join("\n"));
}

/// All of stdin to the peer, then all the peer has to stdout, then the end.
#[track_caller]
fn transfer(stdin: Kind, stdout: Kind, role: Role) {
    let dir = tempdir().unwrap();
    let sent = stdin.payload(10);
    let answer = noise(11, 200_000);
    let mut input = Input::new(stdin, dir.path(), &sent);
    let mut output = Output::new(stdout, dir.path());

    let (nc, mut peer) = role.start("-N", |nc| output.give(input.give(nc)));
    let drained = output.drains();
    let fed = input.feeds(sent.clone());
    peer.receives(&sent);
    peer.receives_eof();
    peer.sends(&answer);
    drop(peer);
    nc.ends().exits(0).complained_of_nothing();
    drop(fed.join());
    let expected = if stdout == Kind::Append { [BEFORE, &answer].concat() } else { answer };
    if let Some(got) = drained.bytes() {
        assert_same(&got, &expected, "stdout");
    }
}

#[test]
fn one_socket_may_be_stdin_and_stdout() {
    for role in Role::BOTH {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let both = theirs.try_clone().unwrap();
        let (nc, mut peer) = role.start("-N --half-close", |nc| nc.stdin(theirs).stdout(both));

        let request = noise(12, 300_000);
        let answer = noise(13, 300_000);
        let mut writing = ours.try_clone().unwrap();
        let (written, expected) = (request.clone(), answer.clone());
        let writer = std::thread::spawn(move || {
            writing.write_all(&written).unwrap();
            writing.shutdown(Shutdown::Write).unwrap();
        });
        peer.receives(&request);
        peer.receives_eof();
        writer.join().unwrap();
        let reader = std::thread::spawn(move || {
            let mut got = Vec::new();
            ours.read_to_end(&mut got).unwrap();
            assert_same(&got, &expected, "the socket that is stdout");
        });
        peer.sends(&answer);
        drop(peer);
        reader.join().unwrap();
        nc.ends().exits(0).complained_of_nothing();
    }
}

#[test]
fn one_terminal_may_be_all_three() {
    let pty = Pty::open();
    let (nc, mut peer) = Role::Client.start("-N", |nc| {
        let copies = [pty.terminal.try_clone(), pty.terminal.try_clone()];
        let [stdout, stderr] = copies.map(Result::unwrap);
        nc.stdin(pty.terminal).stdout(stdout).stderr(stderr)
    });
    let mut master = File::from(pty.master);
    master.write_all(b"typed\n").unwrap();
    peer.receives(b"typed\n");
    peer.sends(b"shown\n");
    let mut got = [0; 7];
    master.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"shown\r\n");
    drop(peer);
    nc.ends().exits(0);
}

#[test]
fn a_full_disk_is_told_with_what_is_missing() {
    for role in Role::BOTH {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let (nc, mut peer) = role.start("", |nc| nc.stdout(full));
        peer.sends(b"12345");
        // It ends although stdin and the connection are open.
        let end = nc.ends();
        end.exits(1).complained_once_of("No space left on device");
        end.complained_once_of("5 bytes");
    }
}

#[test]
fn a_directory_as_stdin_is_an_error_or_an_end_but_no_loop() {
    let dir = tempdir().unwrap();
    let stdin = File::open(dir.path()).unwrap();
    let (mut nc, mut peer) = Role::Client.start("", |nc| nc.stdin(stdin));
    peer.sends(b"still served");
    nc.shows(b"still served");
    nc.settles();
    assert_idle(&nc);
    drop(peer);
    let end = nc.ends();
    assert!(end.stderr.lines().count() <= 1, "said {:?}", end.stderr);
}

#[test]
fn a_file_as_stdin_is_read_from_where_it_stands() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("file");
    fs::write(&path, b"skipped,sent").unwrap();
    let mut stdin = File::open(&path).unwrap();
    stdin.read_exact(&mut [0; 8]).unwrap();
    let mut shared = stdin.try_clone().unwrap();
    let (nc, mut peer) = Role::Client.start("-N", |nc| nc.stdin(stdin));
    peer.receives(b"sent");
    peer.receives_eof();
    drop(peer);
    nc.ends().exits(0).complained_of_nothing();
    // Whoever shares the file goes on where the program stopped.
    assert_eq!(shared.read(&mut [0]).unwrap(), 0);
}

#[test]
fn a_reader_of_stdout_that_leaves_ends_an_idle_program() {
    for role in Role::BOTH {
        for kind in [Kind::Pipe, Kind::Fifo, Kind::Socketpair] {
            let dir = tempdir().unwrap();
            let mut output = Output::new(kind, dir.path());
            let (mut nc, _peer) = role.start("", |nc| output.give(nc));
            nc.settles();
            drop(output);
            let end = nc.ends_within(Duration::from_secs(2));
            end.ends_by_itself().complained_of_nothing();
        }
    }
}

#[test]
fn a_reader_of_stdout_that_leaves_ends_a_busy_program() {
    for role in Role::BOTH {
        for kind in [Kind::Pipe, Kind::Fifo, Kind::Socketpair] {
            let dir = tempdir().unwrap();
            let mut output = Output::new(kind, dir.path());
            let (nc, peer) = role.start("", |nc| output.give(nc));
            fill(&peer.stream, &mut Noise::new(14));
            drop(output);
            let end = nc.ends_within(Duration::from_secs(2));
            end.ends_by_itself().complained_of_nothing();
        }
    }
}

#[test]
fn nobody_to_hear_v_changes_nothing() {
    let (read, write) = pipe();
    drop(read);
    let server = Server::start();
    let args = format!("-N -v 127.0.0.1 {}", server.port());
    let mut nc = Nc::new(args).stderr(write).start();
    nc.types_all(b"hello".to_vec());
    let mut peer = server.accepts();
    peer.receives(b"hello");
    peer.receives_eof();
    drop(peer);
    nc.ends().exits(0).showed(b"");
}

#[test]
fn closed_descriptors_never_carry_what_was_meant_for_another() {
    for role in Role::BOTH {
        // No echo to the peer where stdout is closed.
        let (nc, mut peer) = role.start("-N", |nc| nc.stdin_null().closed(1));
        peer.sends(b"no echo, please");
        peer.receives_eof();
        drop(peer);
        nc.ends().ends_by_itself();
    }
    // No message to the peer where stderr is closed.
    let (nc, mut peer) = Role::Client.start("-N -v", |nc| nc.stdin_null().closed(2));
    peer.receives_eof();
    drop(peer);
    nc.ends().exits(0).showed(b"");
    let (nc, mut peer) = Role::Client.start("-N -v", |nc| nc.closed(0).closed(1).closed(2));
    peer.sends(b"no echo, please");
    peer.receives_eof();
    drop(peer);
    nc.ends().ends_by_itself();
}

#[test]
fn nonblock_is_never_set_on_what_is_shared() {
    for kind in [Kind::Pipe, Kind::Fifo, Kind::File, Kind::Append, Kind::Socketpair, Kind::Pty] {
        for (role, killed) in [(Role::Client, false), (Role::Listener, true)] {
            let dir = tempdir().unwrap();
            let payload = kind.payload(15);
            let mut input = Input::new(kind, dir.path(), &payload);
            let mut output = Output::new(kind, dir.path());
            let shared = [&input.given, &output.given].map(|fd| copy(fd.as_ref().unwrap()));
            let flags = |when: &str| {
                for (fd, name) in shared.iter().zip(["stdin", "stdout"]) {
                    let set = fcntl_getfl(fd).unwrap();
                    assert!(!set.contains(OFlags::NONBLOCK), "{kind:?} as {name}: {when}");
                }
            };
            flags("before the start");
            let (mut nc, mut peer) = role.start("-N", |nc| output.give(input.give(nc)));
            flags("after the start");
            let fed = input.feeds(payload.clone());
            peer.receives(&payload);
            peer.sends(b"answer");
            nc.settles();
            flags("in the middle");
            if killed {
                nc.signal(Signal::KILL);
                nc.ends().is_killed_by(Signal::KILL);
            } else {
                drop(peer);
                nc.ends().exits(0).complained_of_nothing();
            }
            flags("after the end");
            drop(fed.join());
        }
    }
}

#[test]
fn nonblock_is_not_set_while_stdout_is_full() {
    for kind in [Kind::Pipe, Kind::Socketpair, Kind::Pty] {
        let dir = tempdir().unwrap();
        let mut output = Output::new(kind, dir.path());
        let shared = copy(output.given.as_ref().unwrap());
        let (mut nc, peer) = Role::Client.start("", |nc| output.give(nc));
        fill(&peer.stream, &mut Noise::new(16));
        nc.settles();
        assert!(!fcntl_getfl(&shared).unwrap().contains(OFlags::NONBLOCK), "{kind:?}, full");
        nc.signal(Signal::KILL);
        nc.ends().is_killed_by(Signal::KILL);
        assert!(!fcntl_getfl(&shared).unwrap().contains(OFlags::NONBLOCK), "{kind:?}, killed");
    }
}

#[test]
fn terminal_modes_survive_every_end() {
    for ending in [None, Some(Signal::INT), Some(Signal::TERM), Some(Signal::KILL)] {
        let pty = Pty::open();
        let [kept, stdout, stderr] =
            [(); 3].map(|()| pty.terminal.try_clone().expect("a descriptor"));
        let state = || (format!("{:?}", tcgetattr(&kept).unwrap()), fcntl_getfl(&kept).unwrap());
        let before = state();
        let (mut nc, mut peer) =
            Role::Client.start("", |nc| nc.stdin(pty.terminal).stdout(stdout).stderr(stderr));
        rustix::io::write(&pty.master, b"typed\n").unwrap();
        peer.receives(b"typed\n");
        nc.settles();
        assert_eq!(state(), before, "while it runs");
        match ending {
            None => {
                drop(peer);
                nc.ends().exits(0);
            }
            Some(signal) => {
                nc.signal(signal);
                nc.ends().is_killed_by(signal);
            }
        }
        assert_eq!(state(), before, "after {ending:?}");
    }
}

#[test]
fn a_terminal_that_hangs_up_is_an_end_of_file() {
    let pty = Pty::open();
    let (mut nc, mut peer) = Role::Client.start("-N", |nc| nc.stdin(pty.terminal));
    nc.settles();
    drop(pty.master);
    peer.receives_eof();
    peer.sends(b"answer");
    drop(peer);
    let end = nc.ends();
    end.showed(b"answer").ends_by_itself();
}

#[test]
fn stdin_that_arrives_nonblocking_works_and_stays_so() {
    for kind in [Kind::Pipe, Kind::Socketpair, Kind::Pty] {
        let dir = tempdir().unwrap();
        let payload = kind.payload(17);
        let mut input = Input::new(kind, dir.path(), &payload);
        let shared = copy(input.given.as_ref().unwrap());
        let flags = fcntl_getfl(&shared).unwrap() | OFlags::NONBLOCK;
        fcntl_setfl(&shared, flags).unwrap();
        let (mut nc, mut peer) = Role::Client.start("-N", |nc| input.give(nc));
        nc.settles();
        assert_idle(&nc);
        let fed = input.feeds(payload.clone());
        peer.receives(&payload);
        peer.receives_eof();
        drop(peer);
        nc.ends().exits(0).complained_of_nothing();
        assert_eq!(fcntl_getfl(&shared).unwrap(), flags, "{kind:?}");
        drop(fed.join());
    }
}

#[test]
fn stdout_that_arrives_nonblocking_loses_nothing() {
    for kind in [Kind::Pipe, Kind::Socketpair] {
        let dir = tempdir().unwrap();
        let mut output = Output::new(kind, dir.path());
        let given = output.given.as_ref().unwrap();
        fcntl_setfl(given, fcntl_getfl(given).unwrap() | OFlags::NONBLOCK).unwrap();
        let (mut nc, peer) = Role::Client.start("", |nc| output.give(nc));
        let total = fill(&peer.stream, &mut Noise::new(18));
        nc.settles();
        assert_idle(&nc);
        let drained = output.drains();
        drop(peer);
        nc.ends_input();
        nc.ends().exits(0).complained_of_nothing();
        let mut same = Same::new(18);
        same.write_all(&drained.bytes().unwrap()).unwrap();
        assert_eq!(same.count(), total, "{kind:?}");
    }
}

/// A descriptor of the same open file description.
#[track_caller]
fn copy(fd: &impl AsFd) -> OwnedFd {
    fd.as_fd().try_clone_to_owned().unwrap()
}

/// It waits without turning in circles.
#[track_caller]
fn assert_idle(nc: &Running) {
    let before = (kernel::ticks(nc.pid()), kernel::sleeps(nc.pid()));
    watch(Duration::from_millis(200));
    let after = (kernel::ticks(nc.pid()), kernel::sleeps(nc.pid()));
    // A peer that finds our window shut probes it, and each probe may bring a byte.
    let idle = after.0 == before.0 && after.1 - before.1 <= 4;
    assert!(idle, "(clock ticks, sleeps) went from {before:?} to {after:?} in 200 ms");
}
