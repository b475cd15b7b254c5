//! The ladder, rung 3: select(2). One thread asks which of two descriptors can be read, and then
//! reads and writes as before.
//! `HOST PORT` connects, `-l PORT` waits for one client.

use std::io::{self, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::process::ExitCode;
use std::{env, fs::File};

use nix::errno::Errno;
use nix::sys::select::{FdSet, select};
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
fn relay(socket: &TcpStream) -> io::Result<()> {
    let (mut sending, mut receiving) = (true, true);
    while sending || receiving {
        // The call overwrites the set with its answer, so it is made anew each time. It is a bit
        // for each number up to FD_SETSIZE, 1024: a descriptor beyond that has no place in it.
        let mut readable = FdSet::new();
        if sending {
            readable.insert(stdin());
        }
        if receiving {
            readable.insert(socket.as_fd());
        }
        match select(None, &mut readable, None, None, None) {
            Ok(_) => {}
            // A signal, or a debugger. The set says nothing then.
            Err(Errno::EINTR) => continue,
            Err(error) => return Err(error.into()),
        }
        if sending && readable.contains(stdin()) {
            sending = forward(stdin(), socket.as_fd())?;
            if !sending {
                socket.shutdown(Shutdown::Write)?;
            }
        }
        if receiving && readable.contains(socket.as_fd()) {
            receiving = forward(socket.as_fd(), stdout())?;
            if !receiving {
                close_stdout()?;
            }
        }
    }
    Ok(())
}

/// Reads once and writes all of that. `false`: the source has ended.
///
/// The weakness of this rung: the read was asked about and does not wait, but the write does. While
/// one sink is full, the other direction waits with it.
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
// end: relay

/// The reader sees the end when every descriptor is gone, so fd 1 becomes another one.
fn close_stdout() -> io::Result<()> {
    Ok(dup2_stdout(File::options().write(true).open("/dev/null")?)?)
}
