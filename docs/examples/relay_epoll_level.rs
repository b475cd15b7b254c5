//! The ladder, rung 5: epoll(7), level-triggered. The kernel keeps the list, and is told what changes.
//! `HOST PORT` connects, `-l PORT` waits for one client.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::{env, fs::File, io, io::Write, ops::Range, process::ExitCode};

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{CreateFlags, EventData, EventFlags, add, create, delete, wait};
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
    for fd in [stdin(), socket, stdout()] {
        fcntl_setfl(fd, fcntl_getfl(fd)? | OFlags::NONBLOCK)?;
    }
    let epoll = create(CreateFlags::CLOEXEC)?;
    // epoll has one entry for a descriptor, and both flows wait for the socket: they need two.
    let second = fcntl_dupfd_cloexec(socket, 3)?;
    let mut flows = [Flow::new([stdin(), socket]), Flow::new([second.as_fd(), stdout()])];
    let mut events = Vec::with_capacity(2);
    while flows[0].tell(&epoll, 0)? | flows[1].tell(&epoll, 1)? {
        events.clear();
        retry_on_intr(|| wait(&epoll, spare_capacity(&mut events), None))?;
        for event in &events {
            flows[usize::from(event.data.u64() == 1)].pump()?;
        }
    }
    Ok(())
}

/// One direction, from `ends[0]` to `ends[1]`. The kernel watches the end that `told` says, if any.
struct Flow<'fd> {
    ends: [BorrowedFd<'fd>; 2],
    buffer: Vec<u8>,
    held: Range<usize>,
    ended: bool,
    told: Option<(usize, EventFlags)>,
}

impl<'fd> Flow<'fd> {
    fn new(ends: [BorrowedFd<'fd>; 2]) -> Self {
        Self { ends, buffer: vec![0; 16 * 1024], held: 0..0, ended: false, told: None }
    }

    // anchor: tell
    /// Two calls when a sink is full, and two when it is not any more: the weakness of this rung.
    /// The other: of a regular file, which is always ready, epoll wants to know nothing (`EPERM`).
    fn tell(&mut self, epoll: &OwnedFd, key: u64) -> io::Result<bool> {
        let wanted = match (self.held.is_empty(), self.ended) {
            (false, _) => Some((1, EventFlags::OUT)),
            (true, false) => Some((0, EventFlags::IN)),
            (true, true) => None,
        };
        if wanted != self.told {
            if let Some((end, _)) = self.told {
                delete(epoll, self.ends[end])?;
            }
            if let Some((end, flags)) = wanted {
                add(epoll, self.ends[end], EventData::new_u64(key), flags)?;
            }
            self.told = wanted;
        }
        Ok(wanted.is_some())
    }
    // end: tell

    /// Reads if nothing is held, and writes at once. What was told is a hint: each call may find
    /// that it would have to wait, and does not.
    fn pump(&mut self) -> io::Result<()> {
        if self.held.is_empty() {
            match retry_on_intr(|| read(self.ends[0], &mut self.buffer[..])) {
                Ok(0) => {
                    self.ended = true;
                    return close(self.ends[1]);
                }
                Ok(count) => self.held = 0..count,
                Err(Errno::AGAIN) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        match retry_on_intr(|| write(self.ends[1], &self.buffer[self.held.clone()])) {
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
