//! The ladder, rung 1: two processes. One blocks in reading stdin, the other in reading the socket.
//! `HOST PORT` connects, `-l PORT` waits for one client.

use std::io::{self, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::{Child, Command, ExitCode, Stdio};
use std::{env, fs::File};

use rustix::io::{read, retry_on_intr, write};
use rustix::stdio::{dup2_stdout, stdout};

fn main() -> ExitCode {
    let done = open().and_then(relay);
    if let Err(error) = &done {
        let _ = writeln!(io::stderr(), "relay: {error}");
    }
    ExitCode::from(u8::from(done.is_err()))
}

/// The connection. Waiting for it may block: there is nothing else to do yet.
fn open() -> io::Result<TcpStream> {
    let args: Vec<String> = env::args().skip(1).collect();
    let [host, port] = &args[..] else {
        return Err(io::Error::other("usage: HOST PORT, or -l PORT"));
    };
    let port = port.parse().map_err(io::Error::other)?;
    if host == "-l" {
        return Ok(TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))?.accept()?.0);
    }
    TcpStream::connect((host.as_str(), port))
}

// anchor: relay
fn relay(socket: TcpStream) -> io::Result<()> {
    // cat(1) knows nothing of sockets and needs not: a descriptor is a descriptor.
    let sender = Command::new("cat")
        .stdin(Stdio::inherit())
        .stdout(OwnedFd::from(socket.try_clone()?))
        .spawn()?;
    match receive(&socket) {
        Ok(()) => finish(sender, socket),
        Err(error) => give_up(sender, error),
    }
}

fn receive(socket: &TcpStream) -> io::Result<()> {
    while forward(socket.as_fd(), stdout())? {}
    close_stdout()
}

/// The weakness of this rung: when `cat` ends, its descriptor of the socket is closed, and that
/// tells the peer nothing as long as we have another one. Somebody would have to call shutdown(2),
/// and we, who could, are blocked in read(2).
fn finish(mut sender: Child, socket: TcpStream) -> io::Result<()> {
    drop(socket);
    let status = sender.wait()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("cat: {status}"))) }
}

/// The strength of it: a process can be ended from outside, whatever it waits for.
fn give_up(mut sender: Child, error: io::Error) -> io::Result<()> {
    sender.kill()?;
    sender.wait()?;
    Err(error)
}
// end: relay

/// Reads once and writes all of that. `false`: the source has ended.
fn forward(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> io::Result<bool> {
    let mut buffer = [0; 16 * 1024];
    let count = retry_on_intr(|| read(from, &mut buffer[..]))?;
    let mut rest = &buffer[..count];
    while !rest.is_empty() {
        let written = retry_on_intr(|| write(to, rest))?;
        rest = &rest[written..];
    }
    Ok(count > 0)
}

/// The reader sees the end when every descriptor is gone, so fd 1 becomes another one.
fn close_stdout() -> io::Result<()> {
    Ok(dup2_stdout(File::options().write(true).open("/dev/null")?)?)
}
