//! The ladder, rung 4: poll(2), and nothing blocks but poll. What a sink does not take now is held,
//! and its source is left alone meanwhile.
//! `HOST PORT` connects, `-l PORT` waits for one client.

use std::io::{self, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::{env, fs::File, ops::Range, process::ExitCode};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::{Errno, read, retry_on_intr, write};
use rustix::net::{Shutdown, shutdown};
use rustix::stdio::{dup2_stdout, stdin, stdout};

fn main() -> ExitCode {
    let done = open().and_then(|socket| relay(socket.as_fd()));
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
fn relay(socket: BorrowedFd<'_>) -> io::Result<()> {
    for fd in [stdin(), socket, stdout()] {
        // The weakness of this rung: the flag is set for everybody who shares stdin or stdout.
        fcntl_setfl(fd, fcntl_getfl(fd)? | OFlags::NONBLOCK)?;
    }
    let mut flows = [Flow::new(stdin(), socket), Flow::new(socket, stdout())];
    loop {
        let mut asked: Vec<_> = flows.iter().filter_map(Flow::awaits).collect();
        if asked.is_empty() {
            return Ok(());
        }
        retry_on_intr(|| poll(&mut asked, None))?;
        let awaiting = flows.iter_mut().filter(|flow| flow.awaits().is_some());
        for (flow, answer) in awaiting.zip(&asked) {
            // Whatever it is, a hang-up too: the attempt will tell.
            if !answer.revents().is_empty() {
                flow.pump()?;
            }
        }
    }
}
// end: relay

/// One direction.
struct Flow<'fd> {
    from: BorrowedFd<'fd>,
    to: BorrowedFd<'fd>,
    buffer: Vec<u8>,
    /// What of the buffer is not written yet.
    held: Range<usize>,
    ended: bool,
}

impl<'fd> Flow<'fd> {
    fn new(from: BorrowedFd<'fd>, to: BorrowedFd<'fd>) -> Self {
        Self { from, to, buffer: vec![0; 16 * 1024], held: 0..0, ended: false }
    }

    /// One thing at a time. What is not awaited is not in the list at all, not even with no flags:
    /// hang-ups are told unasked, every time, and the loop would spin.
    fn awaits(&self) -> Option<PollFd<'fd>> {
        match (self.held.is_empty(), self.ended) {
            (false, _) => Some(PollFd::from_borrowed_fd(self.to, PollFlags::OUT)),
            (true, false) => Some(PollFd::from_borrowed_fd(self.from, PollFlags::IN)),
            (true, true) => None,
        }
    }

    /// Reads if nothing is held, and writes at once. What was told is a hint: each call may find
    /// that it would have to wait, and does not.
    fn pump(&mut self) -> io::Result<()> {
        if self.held.is_empty() {
            match retry_on_intr(|| read(self.from, &mut self.buffer[..])) {
                Ok(0) => {
                    self.ended = true;
                    return close(self.to);
                }
                Ok(count) => self.held = 0..count,
                Err(Errno::AGAIN) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        match retry_on_intr(|| write(self.to, &self.buffer[self.held.clone()])) {
            Ok(count) => self.held.start += count,
            Err(Errno::AGAIN) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}

/// A socket is half-closed. Of stdout every descriptor has to go, so fd 1 becomes another one.
fn close(sink: BorrowedFd<'_>) -> io::Result<()> {
    if sink.as_raw_fd() == stdout().as_raw_fd() {
        return Ok(dup2_stdout(File::options().write(true).open("/dev/null")?)?);
    }
    Ok(shutdown(sink, Shutdown::Write)?)
}
