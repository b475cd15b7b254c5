//! Programs of others, over datagrams and UNIX sockets.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::support::{ClosedPort, Nc, Running, kernel, noise, wait_until};

/// One datagram each way, theirs first or ours.
#[track_caller]
fn speak(client: &mut Running, listener: &mut Running) {
    client.types(b"question\n");
    listener.shows(b"question\n");
    listener.types(b"answer\n");
    client.shows(b"answer\n");
}

#[track_caller]
fn udp_with(program: &str, listens: &str, connects: &str) {
    let (mut ours, port) = Nc::new("-u -l").binds();
    let mut theirs = Nc::other(program, connects.replace("PORT", &port.to_string())).start();
    speak(&mut theirs, &mut ours);

    // A port of TCP that is reserved is most likely free for UDP.
    let port = ClosedPort::reserve().port();
    let mut theirs = Nc::other(program, listens.replace("PORT", &port.to_string())).start();
    wait_until("it is bound", || kernel::udp_is_bound(theirs.pid(), port));
    let mut ours = Nc::new(format!("-u 127.0.0.1 {port}")).start();
    speak(&mut ours, &mut theirs);
}

#[test]
#[ignore = "needs nc.openbsd"]
fn udp_with_nc_openbsd() {
    udp_with("nc.openbsd", "-u -l 127.0.0.1 PORT", "-u 127.0.0.1 PORT");
}

#[test]
#[ignore = "needs ncat"]
fn udp_with_ncat() {
    udp_with("ncat", "-u -l 127.0.0.1 PORT", "-u 127.0.0.1 PORT");
}

#[test]
#[ignore = "needs socat"]
fn udp_with_socat() {
    udp_with("socat", "- UDP4-LISTEN:PORT,bind=127.0.0.1", "- UDP4:127.0.0.1:PORT");
}

#[track_caller]
fn unix_with(program: &str, letters: &str, listens: &str, connects: &str) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    let filled = |args: &str| args.replace("PATH", path.to_str().unwrap());
    let mut ours = Nc::new(format!("-l -v {letters}")).arg(&path).start();
    ours.says("Bound on ");
    // What it is killed with leaves its temporary files behind.
    let mut theirs = Nc::other(program, filled(connects)).env("TMPDIR", dir.path()).start();
    speak(&mut theirs, &mut ours);
    drop((ours, theirs));

    let _ = std::fs::remove_file(&path);
    let mut theirs = Nc::other(program, filled(listens)).start();
    wait_until("it is bound", || path.exists());
    theirs.settles();
    let mut ours = Nc::new(letters).arg(&path).env("TMPDIR", dir.path()).start();
    speak(&mut ours, &mut theirs);
}

#[test]
#[ignore = "needs nc.openbsd"]
fn unix_sockets_with_nc_openbsd() {
    unix_with("nc.openbsd", "-U", "-l -U PATH", "-U PATH");
    unix_with("nc.openbsd", "-u -U", "-l -u -U PATH", "-u -U PATH");
}

#[test]
#[ignore = "needs ncat"]
fn unix_sockets_with_ncat() {
    unix_with("ncat", "-U", "-l -U PATH", "-U PATH");
}

#[test]
#[ignore = "needs socat"]
fn unix_sockets_with_socat() {
    unix_with("socat", "-U", "- UNIX-LISTEN:PATH", "- UNIX:PATH");
    unix_with("socat", "--seqpacket", "- UNIX-LISTEN:PATH,type=5", "- UNIX:PATH,type=5");
}

#[test]
#[ignore = "needs logger"]
fn a_system_log_is_listened_to() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let nc = Nc::new("-l -u -U -k -v").arg(&path).start();
    nc.says("Bound on ");
    for word in ["first", "second"] {
        let logger = Command::new("logger").arg("-u").arg(&path).arg(word).status();
        assert!(logger.unwrap().success());
        wait_until("the line has come", || String::from_utf8_lossy(&nc.shown()).contains(word));
    }
}

#[test]
#[ignore = "needs root and PostgreSQL"]
fn a_database_answers() {
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let owner = Command::new("chown").arg("postgres").arg(dir.path()).status();
    assert!(owner.unwrap().success());
    let data = dir.path().join("data");
    let made = as_postgres("initdb").args(["-A", "trust", "-N", "-D"]).arg(&data).output();
    assert!(made.unwrap().status.success());
    let _server = Server(
        as_postgres("postgres")
            .arg("-D")
            .arg(&data)
            .args(["-c", "listen_addresses=", "-c"])
            .arg(format!("unix_socket_directories={}", dir.path().display()))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap(),
    );
    let path = dir.path().join(".s.PGSQL.5432");
    wait_until("the server is there", || path.exists());
    // "Do you speak TLS?", and the plain answer, frontend/backend protocol 3.0, "SSLRequest".
    let mut nc = Nc::new("-U -W 1").arg(&path).start();
    nc.types(&[0, 0, 0, 8, 4, 210, 22, 47]);
    nc.ends().exits(0).showed(b"N").said_nothing();
}

/// A program of the database, which refuses to be run by root.
fn as_postgres(program: &str) -> Command {
    let versions = std::fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL is installed");
    let newest = versions.map(|entry| entry.unwrap().path()).max().expect("a version");
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]);
    command.arg(newest.join("bin").join(program)).current_dir(Path::new("/"));
    // So that an end of ours is not taken for one of theirs.
    command.process_group(0);
    command
}

/// Asked to end politely, for it has children of its own.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.0);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::QUIT);
        let _ = self.0.wait();
    }
}

#[test]
#[ignore = "needs nc.openbsd"]
fn large_datagrams_from_nc_openbsd() {
    // It cuts stdin into pieces of 16384 bytes at most.
    let payload = noise(360, 100_000);
    let (nc, port) = Nc::new("-u -l").binds();
    let (stdin, write) = crate::support::ends::pipe();
    let _theirs = Nc::other("nc.openbsd", format!("-u 127.0.0.1 {port}")).stdin(stdin).start();
    let mut write = std::fs::File::from(write);
    for piece in payload.chunks(16_000) {
        write.write_all(piece).unwrap();
    }
    nc.shows(&payload);
}
