//! The ladder, rung 6: epoll(7), edge-triggered. What the kernel tells, once, is remembered here.
//! `HOST PORT` connects, `-l PORT` waits for one client.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::{env, fs::File, io, io::Write, ops::Range, process::ExitCode};

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{CreateFlags, Event, EventData, EventFlags, add, create, wait};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::{Errno, fcntl_dupfd_cloexec, read, retry_on_intr, write};
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

fn relay(socket: BorrowedFd<'_>) -> io::Result<()> {
    let epoll = create(CreateFlags::CLOEXEC)?;
    let second = fcntl_dupfd_cloexec(socket, 3)?;
    let mut sending = Flow::new(&epoll, 0, [stdin(), socket])?;
    let mut receiving = Flow::new(&epoll, 2, [second.as_fd(), stdout()])?;
    let mut events = Vec::with_capacity(4);
    loop {
        // `|` and not `||`: a step each in turn, so that neither keeps the other waiting.
        while sending.step()? | receiving.step()? {}
        if sending.ended && receiving.ended {
            return Ok(());
        }
        retry_on_intr(|| wait(&epoll, spare_capacity(&mut events), None))?;
        for Event { flags, data } in events.drain(..) {
            match data.u64() {
                0 => sending.ready[0] = true,
                1 => sending.ready[1] = true,
                2 => receiving.ready[0] = true,
                // The reader of stdout has gone. An attempt would tell, but there is none at rest.
                _ if flags.intersects(EventFlags::ERR) && !receiving.ended => return Ok(()),
                _ => receiving.ready[1] = true,
            }
        }
    }
}

/// One direction, from `ends[0]` to `ends[1]`. `held` is what of `buffer` is not written yet.
struct Flow<'fd> {
    ends: [BorrowedFd<'fd>; 2],
    ready: [bool; 2],
    buffer: Vec<u8>,
    held: Range<usize>,
    ended: bool,
}

impl<'fd> Flow<'fd> {
    fn new(epoll: &OwnedFd, key: u64, ends: [BorrowedFd<'fd>; 2]) -> io::Result<Self> {
        for (at, flags) in [(0, EventFlags::IN), (1, EventFlags::OUT)] {
            fcntl_setfl(ends[at], fcntl_getfl(ends[at])? | OFlags::NONBLOCK)?;
            let data = EventData::new_u64(key + at as u64);
            match add(epoll, ends[at], data, flags | EventFlags::ET) {
                Err(Errno::PERM) => {} // A regular file, say. It is always ready.
                added => added?,
            }
        }
        // For all we know everything is ready. What epoll has refused stays so: no `EAGAIN` comes.
        Ok(Self { ends, ready: [true; 2], buffer: vec![0; 16 * 1024], held: 0..0, ended: false })
    }

    // anchor: step
    /// One read or one write, if it may succeed. `false`: there is nothing to do but wait.
    fn step(&mut self) -> io::Result<bool> {
        let side = usize::from(!self.held.is_empty());
        if self.ended || !self.ready[side] {
            return Ok(false);
        }
        let done = match side {
            0 => read(self.ends[0], &mut self.buffer[..]),
            _ => write(self.ends[1], &self.buffer[self.held.clone()]),
        };
        match done {
            Ok(0) => {
                self.ended = true;
                close(self.ends[1])?;
            }
            Ok(count) if side == 0 => self.held = 0..count,
            Ok(count) => self.held.start += count,
            // Only this takes readiness back: now the kernel owes us an event, and not before.
            Err(Errno::AGAIN) => self.ready[side] = false,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(true)
    }
    // end: step
}

/// A socket is half-closed. Of stdout every descriptor has to go, so fd 1 becomes another one.
fn close(sink: BorrowedFd<'_>) -> io::Result<()> {
    if sink.as_raw_fd() == stdout().as_raw_fd() {
        return Ok(dup2_stdout(File::options().write(true).open("/dev/null")?)?);
    }
    Ok(shutdown(sink, Shutdown::Write)?)
}
