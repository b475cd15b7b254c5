//! `-zU`: whether somebody listens at a path. Debian's words: failures are told without `-v` too, and
//! success is never told.

use std::fs;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, Type};
use tempfile::tempdir;

use crate::support::{Finished, Nc, watch};

#[track_caller]
fn scanned(options: &str, path: impl Into<std::ffi::OsString>) -> Finished {
    Nc::new(options).arg(path).start().ends()
}

#[test]
fn somebody_listens() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("s");
    let listener = UnixListener::bind(&path).unwrap();
    for options in ["-zU", "-zvU", "-z -v -U -w 1"] {
        scanned(options, &path).exits(0).showed(b"").said_nothing();
        listener.accept().unwrap();
    }
    assert!(path.exists());
}

#[test]
fn a_path_that_is_waited_for_is_told_only_in_vain() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("late");
    let nc = Nc::new("-z -U --wait-until-open 20 --every 20ms").arg(&path).start();
    watch(Duration::from_millis(100));
    let server = UnixListener::bind(&path).unwrap();
    nc.ends().exits(0).said_nothing();
    drop(server);
    let line = format!("nc: {}: Connection refused\n", path.display());
    scanned("-zU --wait-until-open 0.1 --every 20ms", &path).exits(1).said(&line);
    let in_vain = format!("{line}nc: nobody listened there in time\n");
    scanned("-zvU --wait-until-open 0.1 --every 20ms", &path).exits(1).said(&in_vain);
}

#[test]
fn nobody_listens() {
    let dir = tempdir().unwrap();
    let [absent, dead] = ["absent", "dead"].map(|name| dir.path().join(name));
    drop(UnixListener::bind(&dead).unwrap());
    for options in ["-zU", "-zvU", "-z --seqpacket"] {
        let line = format!("nc: {}: No such file or directory\n", absent.display());
        scanned(options, &absent).exits(1).showed(b"").said(&line);
        let line = format!("nc: {}: Connection refused\n", dead.display());
        scanned(options, &dead).exits(1).showed(b"").said(&line);
    }
    assert!(dead.exists(), "a scan takes nothing away");
}

#[test]
fn an_abstract_name() {
    let name = format!("nc-scan-{}-{}", std::process::id(), line!());
    scanned("-zU", format!("@{name}")).exits(1).said(&format!("nc: @{name}: Connection refused\n"));
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let _listener = UnixListener::bind_addr(&address).unwrap();
    scanned("-zvU", format!("@{name}")).exits(0).said_nothing();
}

#[test]
fn records() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("s");
    let listener = Socket::new(Domain::UNIX, Type::SEQPACKET, None).unwrap();
    listener.bind(&SockAddr::unix(&path).unwrap()).unwrap();
    listener.listen(5).unwrap();
    scanned("-zv --seqpacket", &path).exits(0).said_nothing();
    let line = format!("nc: {}: Protocol wrong type for socket\n", path.display());
    scanned("-zU", &path).exits(1).said(&line);
}

#[test]
fn datagrams() {
    let dir = tempdir().unwrap();
    let [path, absent] = ["s", "absent"].map(|name| dir.path().join(name));
    let temporary = dir.path().join("temporary");
    fs::create_dir(&temporary).unwrap();
    let socket = UnixDatagram::bind(&path).unwrap();
    let scan =
        |path: &std::path::Path| Nc::new("-zuU").env("TMPDIR", &temporary).arg(path).start().ends();
    scan(&path).exits(0).showed(b"");
    let line = format!("nc: {}: No such file or directory\n", absent.display());
    scan(&absent).exits(1).showed(b"").said(&line);
    drop(socket);
    let line = format!("nc: {}: Connection refused\n", path.display());
    scan(&path).exits(1).showed(b"").said(&line);
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0, "a socket was left behind");
}

#[test]
fn a_path_has_no_port() {
    let end = scanned("-zU s", "4004");
    end.exits(1).said("nc: cannot use port with -U\n");
}

/// A queue that is full is not an open door, nor is it the end.
#[test]
fn a_full_queue_is_not_waited_for_for_ever() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("s");
    let listener = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    let address = SockAddr::unix(&path).unwrap();
    listener.bind(&address).unwrap();
    listener.listen(0).unwrap();
    let queued: Vec<Socket> = (0..3)
        .map(|_| {
            let queued = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
            queued.set_nonblocking(true).unwrap();
            let _ = queued.connect(&address);
            queued
        })
        .collect();
    let end = scanned("-zU -w 0.4", &path);
    end.exits(1).showed(b"").said_one_line_with(path.to_str().unwrap());
    drop(queued);
}
