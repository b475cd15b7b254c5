//! The ladder, rung 2: two threads. As with processes, each blocks in a read of its own; but they
//! share the descriptor of the socket, so that one of them can half-close it for both.
//! `HOST PORT` connects, `-l PORT` waits for one client.

use std::io::{self, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::process::ExitCode;
use std::{env, fs::File, panic, thread};

use rustix::io::{read, retry_on_intr, write};
use rustix::stdio::{dup2_stdout, stdin, stdout};

fn main() -> ExitCode {
    let done = open().and_then(|socket| relay(&socket));
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
/// The weakness of this rung: a thread that is blocked in a read cannot be told anything. When one
/// direction has failed, the scope still waits for the other, until stdin or the peer says
/// something.
fn relay(socket: &TcpStream) -> io::Result<()> {
    thread::scope(|scope| {
        let sending = scope.spawn(|| send(socket));
        let received = receive(socket);
        let sent = sending.join().unwrap_or_else(|payload| panic::resume_unwind(payload));
        received.and(sent)
    })
}

fn send(socket: &TcpStream) -> io::Result<()> {
    while forward(stdin(), socket.as_fd())? {}
    socket.shutdown(Shutdown::Write)
}

fn receive(socket: &TcpStream) -> io::Result<()> {
    while forward(socket.as_fd(), stdout())? {}
    close_stdout()
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
