//! Sockets that others have opened for us, and telling others that we are ready: inetd, systemd,
//! scripts.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

use rustix::event::PollFlags;

use crate::support::ends::{fifo, pipe};
use crate::support::peer::ready;
use crate::support::{
    DEADLINE, Datagrams, Nc, Peer, Running, Server, kernel, uninterrupted, wait_until,
};

/// The program with this as descriptor 5 and a stdin that the test can write to.
#[track_caller]
fn with_fd_5(nc: Nc, fd: impl Into<std::os::fd::OwnedFd>, dir: &Path) -> (Running, fs::File) {
    let path = dir.join("stdin");
    let (_read, write) = fifo(&path);
    let nc = nc.inherits(5, fd).redirected(format!("0<{}", path.display())).start();
    // Our own read end has to stay until the program has its own.
    wait_until("stdin is open", || {
        let open = kernel::descriptors(nc.pid());
        open.iter().any(|(fd, target)| *fd == 0 && Path::new(target) == path)
    });
    (nc, write.into())
}

#[test]
fn an_inherited_listener_is_listened_on() {
    let dir = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (nc, mut stdin) = with_fd_5(Nc::new("--fd 5"), listener, dir.path());
    let mut peer = Peer::connect(port);
    peer.sends(b"question");
    nc.shows(b"question");
    stdin.write_all(b"answer").unwrap();
    peer.receives(b"answer");
    peer.finishes();
    nc.ends().exits(0).said_nothing();
}

#[test]
fn an_inherited_listener_can_be_kept_open() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let nc = Nc::new("-k --fd 5 -v").inherits(5, listener).start();
    assert_eq!(nc.port(), port);
    let mut peers: Vec<Peer> = (0..3).map(|_| Peer::connect(port)).collect();
    let mut expected = Vec::new();
    for peer in &mut peers {
        peer.sends(b"hello\n");
        expected.extend_from_slice(b"hello\n");
        nc.shows(&expected);
    }
}

#[test]
fn an_inherited_listener_keeps_its_flags() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let ours = listener.try_clone().unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut nc = Nc::new("-k --fd 5 -v").inherits(5, listener).start();
    nc.port();
    nc.settles();
    let peer = Peer::connect(port);
    nc.says("Connection received on ");
    let flags = rustix::fs::fcntl_getfl(&ours).unwrap();
    assert!(!flags.contains(rustix::fs::OFlags::NONBLOCK), "the description is shared with others");
    drop(peer);
}

#[test]
fn an_inherited_datagram_socket_is_listened_on() {
    let dir = tempfile::tempdir().unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    let (nc, mut stdin) = with_fd_5(Nc::new("--fd 5"), socket, dir.path());
    let peer = Datagrams::connect(port);
    peer.sends(b"question");
    nc.shows(b"question");
    stdin.write_all(b"answer").unwrap();
    peer.receives(b"answer");
    peer.sends(b"");
    peer.sends(b", more");
    nc.shows(b"question, more");
}

#[test]
fn an_inherited_connection_is_relayed() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start();
    let theirs = Peer::connect(server.port());
    let mut peer = server.accepts();
    let (nc, mut stdin) = with_fd_5(Nc::new("-N --fd 5"), theirs.stream, dir.path());
    peer.sends(b"question");
    nc.shows(b"question");
    stdin.write_all(b"answer").unwrap();
    peer.receives(b"answer");
    drop(stdin);
    peer.receives_eof();
    peer.finishes();
    nc.ends().exits(0).said_nothing();
}

#[test]
fn an_inherited_unix_socket_is_served() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    let listener = UnixListener::bind(&path).unwrap();
    let nc = Nc::new("--fd 5").inherits(5, listener).start();
    UnixStream::connect(&path).unwrap().write_all(b"hello").unwrap();
    nc.ends().exits(0).showed(b"hello").said_nothing();
    assert!(path.exists(), "the file belongs to whoever made it");
}

#[test]
fn stdin_itself_can_be_the_socket() {
    // As inetd starts a service with `nowait`, `wait`.
    let (theirs, mut ours) = UnixStream::pair().unwrap();
    ours.set_read_timeout(Some(DEADLINE)).unwrap();
    let nc = Nc::new("-d --fd 0").stdin(theirs).start();
    ours.write_all(b"hello").unwrap();
    ours.shutdown(std::net::Shutdown::Write).unwrap();
    nc.ends().exits(0).showed(b"hello").said_nothing();
    assert_eq!(uninterrupted(|| ours.read(&mut [0])).unwrap(), 0);
}

#[test]
fn a_descriptor_that_is_none_is_named() {
    for fd in ["5", "77"] {
        let nc = Nc::new(format!("--fd {fd}")).start();
        nc.ends().exits(1).said_one_line_with(&format!("--fd {fd}"));
    }
    let (read, _write) = pipe();
    let nc = Nc::new("--fd 5").inherits(5, read).start();
    nc.ends().exits(1).said_one_line_with("--fd 5: Socket operation on non-socket");
    for fd in ["x", "-1", ""] {
        Nc::new("--fd").arg(fd).start().ends().exits(1).said_one_line_with("");
    }
}

#[test]
fn a_socket_of_the_service_manager_is_listened_on() {
    for options in ["-l", "-l -k"] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let nc = Nc::new(options).inherits(3, listener).activated(1).start();
        Peer::connect(port).sends(b"hello");
        nc.shows(b"hello");
    }
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let peer = Datagrams::connect(socket.local_addr().unwrap().port());
    let nc = Nc::new("-l").inherits(3, socket).activated(1).start();
    peer.sends(b"hello");
    nc.shows(b"hello");
}

#[test]
fn sockets_of_another_process_are_none_of_ours() {
    for (pid, count) in [("1", "1"), ("x", "1"), ("", "")] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let nc = Nc::new("-l").env("LISTEN_PID", pid).env("LISTEN_FDS", count);
        let nc = nc.inherits(3, listener).start();
        nc.ends().exits(1).said("nc: missing port number\n");
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let nc = Nc::new("-l").inherits(3, listener).activated(0).start();
    nc.ends().exits(1).said("nc: missing port number\n");
}

#[test]
fn a_port_that_is_asked_for_wins_over_the_service_manager() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let managed = listener.local_addr().unwrap().port();
    let nc = Nc::new("-l -v 0").inherits(3, listener).activated(1).start();
    assert_ne!(nc.port(), managed);
}

#[test]
fn the_service_manager_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(DEADLINE)).unwrap();
    let nc = Nc::new("-l -v 0").env("NOTIFY_SOCKET", &path).start();
    let mut bytes = [0; 256];
    let count = uninterrupted(|| manager.recv(&mut bytes)).unwrap();
    let told = String::from_utf8_lossy(&bytes[..count]).into_owned();
    assert!(told.lines().any(|line| line == "READY=1"), "{told:?}");
    // Ready means that nothing can go wrong any more.
    let port = kernel::listening_port(nc.pid()).unwrap();
    drop(Peer::connect(port));
    nc.ends().exits(0);
}

#[test]
fn the_service_manager_may_have_an_abstract_name() {
    let name = format!("pollcat-notify-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let manager = UnixDatagram::bind_addr(&address).unwrap();
    manager.set_read_timeout(Some(DEADLINE)).unwrap();
    for options in ["-l 0", "-l -u 0", "-l -k 0"] {
        let _nc = Nc::new(options).env("NOTIFY_SOCKET", format!("@{name}")).start();
        let mut bytes = [0; 256];
        let count = uninterrupted(|| manager.recv(&mut bytes)).unwrap();
        assert!(bytes[..count].starts_with(b"READY=1"));
    }
}

#[test]
fn a_port_file_says_the_port_in_one_piece() {
    for (options, is_udp) in [("-l 0", false), ("-l -k 0", false), ("-l -u 0", true)] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("port");
        let nc = Nc::new("--port-file").arg(&path);
        let nc = options.split(' ').fold(nc, Nc::arg).start();
        let mut text = String::new();
        wait_until("the file is there", || {
            text = fs::read_to_string(&path).unwrap_or_default();
            path.exists()
        });
        let port: u16 = text.strip_suffix('\n').expect("a whole line").parse().unwrap();
        if is_udp {
            Datagrams::connect(port).sends(b"hello");
        } else {
            Peer::connect(port).sends(b"hello");
        }
        nc.shows(b"hello");
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1, "a temporary file is left");
    }
}

#[test]
fn a_port_file_that_cannot_be_written_is_told() {
    let nc = Nc::new("-l --port-file /nonexistent/port 0").start();
    nc.ends().exits(1).said_one_line_with("--port-file");
    let nc = Nc::new("-l --ready-fd 77 0").start();
    nc.ends().exits(1).said_one_line_with("--ready-fd");
}

#[test]
fn a_ready_descriptor_says_the_port_and_is_closed() {
    let (read, write) = pipe();
    let nc = Nc::new("-l --ready-fd 5 0").inherits(5, write).start();
    let mut bytes = [0; 64];
    assert!(ready(&read, PollFlags::IN, DEADLINE), "nothing is said");
    let count = rustix::io::read(&read, &mut bytes).unwrap();
    let text = String::from_utf8_lossy(&bytes[..count]).into_owned();
    // `read port <&5` needs the line, `port=$(cat <&5)` the end behind it.
    assert!(ready(&read, PollFlags::IN, Duration::from_secs(3)), "it is still open");
    assert_eq!(rustix::io::read(&read, &mut bytes).unwrap(), 0);
    let port: u16 = text.strip_suffix('\n').expect("a whole line").parse().unwrap();
    Peer::connect(port).sends(b"hello");
    nc.ends().exits(0).showed(b"hello").said_nothing();
}

#[test]
fn a_ready_descriptor_may_be_a_fifo_or_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ready");
    let nc = Nc::new("-l -k --ready-fd 6 0").redirected(format!("6>{}", path.display())).start();
    let mut text = String::new();
    wait_until("the port is said", || {
        text = fs::read_to_string(&path).unwrap_or_default();
        text.ends_with('\n')
    });
    Peer::connect(text.trim().parse().unwrap()).sends(b"hello");
    nc.shows(b"hello");
}
