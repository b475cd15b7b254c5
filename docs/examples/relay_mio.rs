//! The ladder, rung 7: mio, and descriptions of its own. `HOST PORT` connects, `-l PORT` listens.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::{env, fs::File, io, io::ErrorKind, io::Write, ops::Range, process::ExitCode};

use mio::{Events, Interest, Poll, Token, unix::pipe::Receiver};
use rustix::fs::{FileType, Mode, OFlags, fcntl_getfl, fcntl_setfl, fstat, open as reopen};
use rustix::stdio::{dup2_stdout, stdin, stdout};
use rustix::{io::read, io::write, net::Shutdown, net::shutdown};

fn main() -> ExitCode {
    let done = open().and_then(|socket| relay(socket.as_fd()));
    if let Err(error) = &done {
        let _ = writeln!(io::stderr(), "relay: {error}");
    }
    ExitCode::from(u8::from(done.is_err()))
}

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
    let mut poll = Poll::new()?;
    let mut flows = [Flow::new(&poll, 0, stdin(), socket)?, Flow::new(&poll, 2, socket, stdout())?];
    let mut events = Events::with_capacity(4);
    loop {
        while flows[0].step()? | flows[1].step()? {}
        if flows.iter().all(|flow| flow.ended) {
            return Ok(());
        }
        match poll.poll(&mut events, None) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            polled => polled?,
        }
        for event in &events {
            let Token(at) = event.token();
            if at == 3 && event.is_error() && !flows[1].ended {
                return Ok(()); // The reader of stdout has gone.
            }
            flows[at / 2].ready[at % 2] = true;
        }
    }
}

/// Pipes and terminals are opened again, for flags of our own. Sockets cannot be, files must not.
fn own(fd: BorrowedFd<'_>, access: OFlags) -> io::Result<OwnedFd> {
    let kind = FileType::from_raw_mode(fstat(fd)?.st_mode);
    if matches!(kind, FileType::Fifo | FileType::CharacterDevice) {
        let flags = access | OFlags::NONBLOCK | OFlags::NOCTTY;
        return Ok(reopen(format!("/proc/self/fd/{}", fd.as_raw_fd()), flags, Mode::empty())?);
    }
    fcntl_setfl(fd, fcntl_getfl(fd)? | OFlags::NONBLOCK)?;
    fd.try_clone_to_owned()
}

/// One direction, from `ends[0]` to `ends[1]`. A `Receiver` takes any descriptor, a pipe or not.
struct Flow {
    ends: [Receiver; 2],
    ready: [bool; 2],
    buffer: Vec<u8>,
    held: Range<usize>,
    ended: bool,
}

impl Flow {
    fn new(poll: &Poll, key: usize, from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> io::Result<Self> {
        let mut ends = [own(from, OFlags::RDONLY)?.into(), own(to, OFlags::WRONLY)?.into()];
        for (at, interest) in [(0, Interest::READABLE), (1, Interest::WRITABLE)] {
            match poll.registry().register(&mut ends[at], Token(key + at), interest) {
                Err(error) if error.kind() == ErrorKind::PermissionDenied => {} // Always ready.
                registered => registered?,
            }
        }
        Ok(Self { ends, ready: [true; 2], buffer: vec![0; 16 * 1024], held: 0..0, ended: false })
    }

    /// One read or one write, if it may succeed. `false`: there is nothing to do but wait.
    fn step(&mut self) -> io::Result<bool> {
        let side = usize::from(!self.held.is_empty());
        if self.ended || !self.ready[side] {
            return Ok(false);
        }
        let end = &self.ends[side];
        let done = match side {
            0 => end.try_io(|| Ok(read(end, &mut self.buffer[..])?)),
            _ => end.try_io(|| Ok(write(end, &self.buffer[self.held.clone()])?)),
        };
        match done {
            Ok(0) => {
                self.ended = true;
                close(&mut self.ends[1])?;
            }
            Ok(count) if side == 0 => self.held = 0..count,
            Ok(count) => self.held.start += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.ready[side] = false,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        Ok(true)
    }
}

/// A socket is half-closed. Of stdout every descriptor has to go, ours and fd 1.
fn close(sink: &mut Receiver) -> io::Result<()> {
    if FileType::from_raw_mode(fstat(&sink)?.st_mode) == FileType::Socket {
        return Ok(shutdown(&sink, Shutdown::Write)?);
    }
    *sink = OwnedFd::from(File::options().write(true).open("/dev/null")?).into();
    Ok(dup2_stdout(sink)?)
}
