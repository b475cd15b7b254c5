//! `-F`: the connection itself is what comes out of stdout.

use std::fs::File;
use std::io::{IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use rustix::event::PollFlags;
use rustix::fs::{OFlags, fcntl_getfl};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

use crate::support::ends::Pty;
use crate::support::peer::ready;
use crate::support::{ClosedPort, DEADLINE, Nc, Peer, Server};

/// What has been passed over a socket: the bytes and the descriptors with them.
#[track_caller]
pub(crate) fn passed(socket: &UnixStream) -> (Vec<u8>, Vec<OwnedFd>) {
    assert!(ready(socket, PollFlags::IN, DEADLINE), "nothing was passed");
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut bytes = [0; 64];
    let flags = RecvFlags::CMSG_CLOEXEC;
    let message = recvmsg(socket, &mut [IoSliceMut::new(&mut bytes)], &mut control, flags);
    let count = message.expect("a message").bytes;
    let rights = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
        _ => None,
    });
    let descriptors: Vec<OwnedFd> = rights.flatten().collect();
    (bytes[..count].to_vec(), descriptors)
}

#[test]
fn the_connection_is_passed_and_works() {
    let server = Server::start();
    let (ours, theirs) = UnixStream::pair().unwrap();
    let nc = Nc::new(format!("-F 127.0.0.1 {}", server.port())).stdout(theirs).start();
    let mut peer = server.accepts();
    let (bytes, mut descriptors) = passed(&ours);
    assert_eq!(bytes, [0]);
    assert_eq!(descriptors.len(), 1);
    nc.ends().exits(0).said_nothing();

    let connection = descriptors.pop().unwrap();
    let flags = fcntl_getfl(&connection).unwrap();
    assert!(!flags.contains(OFlags::NONBLOCK), "its new owner expects it to block");
    let mut connection = TcpStream::from(connection);
    assert_eq!(connection.peer_addr().unwrap().port(), server.port());
    connection.write_all(b"through it").unwrap();
    peer.receives(b"through it");
    drop(connection);
    peer.receives_eof();
}

#[test]
fn nothing_the_peer_has_said_is_swallowed_and_stdin_is_left_alone() {
    let server = Server::start();
    let (ours, theirs) = UnixStream::pair().unwrap();
    let (stdin, typed) = crate::support::ends::pipe();
    let mut typed = File::from(typed);
    typed.write_all(b"for somebody else").unwrap();
    let keeps = stdin.try_clone().unwrap();
    let args = format!("-F -v 127.0.0.1 {}", server.port());
    let nc = Nc::new(args).stdin(stdin).stdout(theirs).start();
    let mut peer = server.accepts();
    peer.sends(b"SSH-2.0-greeting\r\n");
    let (bytes, mut descriptors) = passed(&ours);
    assert_eq!(bytes, [0]);
    nc.ends().exits(0).complained_of_nothing();
    let stream = TcpStream::from(descriptors.pop().unwrap());
    let mut connection = Peer { stream };
    connection.receives(b"SSH-2.0-greeting\r\n");
    drop(typed);
    let mut left = String::new();
    std::io::Read::read_to_string(&mut File::from(keeps), &mut left).unwrap();
    assert_eq!(left, "for somebody else");
}

#[test]
fn the_first_port_that_answers_is_passed() {
    let (closed, server, other) = (ClosedPort::reserve(), Server::start(), Server::start());
    let (ours, theirs) = UnixStream::pair().unwrap();
    let ports = [closed.port(), server.port(), other.port()].map(|port| port.to_string());
    let nc = Nc::new(format!("-F 127.0.0.1 {}", ports.join(" "))).stdout(theirs).start();
    let (_, mut descriptors) = passed(&ours);
    nc.ends().exits(0);
    let stream = TcpStream::from(descriptors.pop().unwrap());
    assert_eq!(stream.peer_addr().unwrap().port(), server.port());
}

#[test]
fn a_refused_connection_passes_nothing() {
    let closed = ClosedPort::reserve();
    let (ours, theirs) = UnixStream::pair().unwrap();
    let nc = Nc::new(format!("-F 127.0.0.1 {}", closed.port())).stdout(theirs).start();
    nc.ends().exits(1).said_one_line_with("Connection refused");
    let (bytes, descriptors) = passed(&ours);
    assert!(bytes.is_empty() && descriptors.is_empty());
}

#[test]
fn a_stdout_that_cannot_pass_descriptors_is_told() {
    let server = Server::start();
    let args = format!("-F 127.0.0.1 {}", server.port());
    let not_a_socket = "nc: sendmsg: Socket operation on non-socket\n";
    Nc::new(&args).start().ends().exits(1).said(not_a_socket);

    let dir = tempfile::tempdir().unwrap();
    let file = File::create(dir.path().join("stdout")).unwrap();
    Nc::new(&args).stdout(file).start().ends().exits(1).said(not_a_socket);
    assert_eq!(std::fs::metadata(dir.path().join("stdout")).unwrap().len(), 0);

    let pty = Pty::open();
    let nc = Nc::new(&args).stdout(pty.terminal).start();
    nc.ends().exits(1).said("nc: Cannot pass file descriptor to tty\n");
}

#[test]
fn a_stdout_without_a_reader_is_told() {
    let server = Server::start();
    let (ours, theirs) = UnixStream::pair().unwrap();
    drop(ours);
    let nc = Nc::new(format!("-F 127.0.0.1 {}", server.port())).stdout(theirs).start();
    nc.ends().exits(1).said_one_line_with("sendmsg");
}

#[test]
fn a_datagram_socket_is_passed_too() {
    let peer = crate::support::Datagrams::bind();
    let (ours, theirs) = UnixStream::pair().unwrap();
    let nc = Nc::new(format!("-F -u 127.0.0.1 {}", peer.port())).stdout(theirs).start();
    let (_, mut descriptors) = passed(&ours);
    nc.ends().exits(0).said_nothing();
    let connection = std::net::UdpSocket::from(descriptors.pop().unwrap());
    connection.send(b"through it").unwrap();
    peer.receives(b"through it");
}

#[test]
fn only_a_connection_over_a_network_is_passed() {
    Nc::new("-F -U path").start().ends().exits(1).said("nc: cannot use -F and -U\n");
}
