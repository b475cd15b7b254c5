//! The files of UNIX sockets: what a listener may replace, and what it takes away.

use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{FileTypeExt, symlink};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::{Nc, Running, kernel, wait_until};

/// A path that is free.
fn place() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    (dir, path)
}

/// A listener that is ready.
#[track_caller]
fn listener(options: &str, path: &Path) -> Running {
    ready(Nc::new(format!("-l -U -v {options}")).arg(path))
}

#[track_caller]
fn ready(nc: Nc) -> Running {
    let nc = nc.start();
    nc.says("Bound on ");
    nc
}

#[track_caller]
fn is_served(nc: Running, path: &Path) {
    UnixStream::connect(path).unwrap().write_all(b"hello").unwrap();
    nc.ends().exits(0).showed(b"hello").complained_of_nothing();
}

#[track_caller]
fn is_refused(options: &str, path: &Path) {
    let nc = Nc::new(format!("-l -U {options}")).arg(path).start();
    nc.ends().exits(1).said("nc: Address already in use\n");
}

/// However few descriptors there are, what it makes it takes away: rights that it will need are not given up for
/// want of one.
#[test]
fn nothing_stays_behind_for_want_of_descriptors() {
    for most in 6..16 {
        let (_dir, path) = place();
        let script = format!("ulimit -n {most}; exec \"$0\" \"$@\"");
        let nc =
            Nc::new("-l -U").arg(&path).stdin_null().under("/bin/sh", &["-c", &script]).start();
        wait_until("it has a client, or has ended", || {
            UnixStream::connect(&path).is_ok() || kernel::state(nc.pid()) == 'Z'
        });
        // Where there is none for the client, it waits.
        nc.signal(Signal::TERM);
        nc.ends();
        assert!(!path.exists(), "with {most} descriptors");
    }
}

#[test]
fn a_dead_socket_is_replaced() {
    let (_dir, path) = place();
    drop(UnixListener::bind(&path).unwrap());
    is_served(listener("", &path), &path);
    drop(UnixDatagram::bind(&path).unwrap());
    is_served(listener("", &path), &path);
}

#[test]
fn a_dead_socket_of_our_own_is_replaced() {
    let (_dir, path) = place();
    for options in ["", "-u", "--seqpacket"] {
        let nc = listener(options, &path);
        nc.signal(Signal::KILL);
        nc.ends();
        assert!(path.exists(), "nothing can be done about SIGKILL");
        is_served(listener("", &path), &path);
    }
}

#[test]
fn an_empty_file_is_replaced() {
    for options in ["", "-u", "--seqpacket"] {
        let (_dir, path) = place();
        fs::write(&path, b"").unwrap();
        let nc = listener(options, &path);
        assert!(fs::symlink_metadata(&path).unwrap().file_type().is_socket());
        drop(nc);
    }
}

#[test]
fn a_file_is_refused_and_untouched() {
    for options in ["", "-u", "-k", "--seqpacket"] {
        let (_dir, path) = place();
        fs::write(&path, b"precious").unwrap();
        is_refused(options, &path);
        assert_eq!(fs::read(&path).unwrap(), b"precious");
    }
}

#[test]
fn a_directory_is_refused_and_untouched() {
    let (_dir, path) = place();
    fs::create_dir(&path).unwrap();
    is_refused("", &path);
    assert!(path.is_dir());
}

#[test]
fn a_symbolic_link_is_refused_and_untouched() {
    let (dir, path) = place();
    let target = dir.path().join("target");
    fs::write(&target, b"").unwrap();
    symlink(&target, &path).unwrap();
    is_refused("", &path);
    assert!(path.is_symlink());
    assert!(target.is_file());
}

#[test]
fn a_live_socket_is_refused_and_undisturbed() {
    let (_dir, path) = place();
    let live = UnixListener::bind(&path).unwrap();
    for options in ["", "-u", "-k", "--seqpacket"] {
        is_refused(options, &path);
    }
    live.set_nonblocking(true).unwrap();
    assert_eq!(live.accept().unwrap_err().kind(), ErrorKind::WouldBlock, "a phantom client");
    UnixStream::connect(&path).unwrap();
}

#[test]
fn a_live_datagram_socket_is_refused_and_undisturbed() {
    let (_dir, path) = place();
    let live = UnixDatagram::bind(&path).unwrap();
    is_refused("", &path);
    is_refused("-u", &path);
    live.set_nonblocking(true).unwrap();
    assert_eq!(
        live.recv(&mut [0]).unwrap_err().kind(),
        ErrorKind::WouldBlock,
        "a phantom datagram"
    );
    UnixDatagram::unbound().unwrap().connect(&path).unwrap();
}

#[test]
fn a_second_listener_does_not_steal_the_path() {
    let (_dir, path) = place();
    let first = listener("", &path);
    is_refused("", &path);
    is_served(first, &path);
}

#[test]
fn our_socket_is_removed_at_the_end() {
    let (_dir, path) = place();
    is_served(listener("", &path), &path);
    assert!(!path.exists());

    let nc = listener("-u -W 1", &path);
    UnixDatagram::unbound().unwrap().send_to(b"hello", &path).unwrap();
    nc.ends().exits(0);
    assert!(!path.exists());
}

#[test]
fn our_socket_is_removed_when_we_are_told_to_end() {
    for options in ["", "-k", "-u", "-u -k", "--seqpacket"] {
        for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
            let (_dir, path) = place();
            let nc = listener(options, &path);
            nc.signal(signal);
            nc.ends().is_killed_by(signal).complained_of_nothing();
            assert!(!path.exists(), "{options} {signal:?}");
        }
    }
}

#[test]
fn our_socket_is_removed_when_we_are_told_to_end_a_session() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let (_dir, path) = place();
        let nc = listener("-k", &path);
        let mut peer = UnixStream::connect(&path).unwrap();
        peer.write_all(b"hello").unwrap();
        nc.shows(b"hello");
        nc.signal(signal);
        nc.ends().is_killed_by(signal);
        assert!(!path.exists(), "{signal:?}");
    }
}

#[test]
fn a_signal_that_was_ignored_stays_ignored() {
    let (_dir, path) = place();
    let mut nc = ready(Nc::new("-l -U -v").arg(&path).under("nohup", &[]));
    nc.signal(Signal::HUP);
    nc.settles();
    nc.still_runs();
    is_served(nc, &path);
}

#[test]
fn the_successor_of_our_socket_stays() {
    let (_dir, path) = place();
    let nc = listener("", &path);
    let peer = UnixStream::connect(&path).unwrap();
    nc.says("Connection received on ");
    fs::remove_file(&path).unwrap();
    let _theirs = UnixListener::bind(&path).unwrap();
    drop(peer);
    nc.ends().exits(0);
    assert!(path.exists());
}

#[test]
fn an_abstract_name_touches_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let name = format!("@{}", dir.path().join("s").display());
    fs::write(dir.path().join("s"), b"").unwrap();
    let nc = ready(Nc::new("-l -U -v").arg(name));
    nc.signal(Signal::TERM);
    nc.ends();
    assert!(dir.path().join("s").exists());
}

#[test]
fn the_folder_that_is_missing_is_told() {
    let (dir, _) = place();
    let nc = Nc::new("-l -U").arg(dir.path().join("missing").join("s")).start();
    nc.ends().exits(1).said("nc: No such file or directory\n");
}
