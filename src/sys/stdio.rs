//! Standard input and output, whatever they are, without ever blocking and without a trace.
//!
//! `O_NONBLOCK` belongs to the open file description, which the shell and other programs share: set on
//! fd 0 it would outlive us and break them. So each kind has its own way (see [`Manners`]):
//!
//! | kind            | not blocking by                                  | polled |
//! |-----------------|--------------------------------------------------|--------|
//! | pipe, terminal  | a description of our own, opened through `/proc` | yes    |
//! | … without /proc | `RWF_NOWAIT` per call, or poll(2) before a call  | yes    |
//! | socket          | `MSG_DONTWAIT` per call                          | yes    |
//! | anything else   | it never blocks                                  | no     |
//!
//! Not used: `std::io::stdin`, which keeps bytes in a buffer that no poller knows of.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use mio::Interest;
use mio::event::Source;
use mio::net::TcpStream;
use mio::unix::pipe::Receiver;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, Mode, OFlags, fstat, major, minor, open};
use rustix::io::{Errno, ReadWriteFlags, fcntl_dupfd_cloexec, preadv2, pwritev2, read, write};
use rustix::net::{RecvFlags, SendFlags, recv, send};
use rustix::stdio::{dup2_stdout, stdin, stdout};
use rustix::termios::isatty;

use crate::nonblock::{Attempt, ByteSink, ByteSource};

/// What feeds the connection: standard input, or nothing.
#[derive(Debug)]
pub struct Input(Standard);

/// What takes the peer's bytes: standard output, or nobody.
#[derive(Debug)]
pub struct Output(Standard);

#[derive(Debug)]
struct Standard {
    kind: Kind,
    channel: Channel,
}

/// What a descriptor turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Terminal,
    Pipe,
    Socket,
    /// Regular files, directories, `/dev/null` and its like.
    Other,
}

#[derive(Debug)]
enum Channel {
    /// `Receiver` is how mio polls any descriptor that is read and written by plain calls; it does
    /// not mind which way the bytes go.
    Polled(Receiver, Manners),
    Socket(TcpStream),
    Ready(OwnedFd),
    /// An input that has ended, an output that forgets.
    Nowhere,
}

/// How a call on a polled descriptor is kept from blocking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manners {
    /// The description is ours alone and has `O_NONBLOCK`.
    Own,
    /// Shared and blocking: each call says `RWF_NOWAIT`. The kernel may not know that for this kind
    /// of descriptor; then `PollFirst`.
    NoWait,
    /// Shared and blocking: a call is made only when poll(2) says it will not block, and writes no more
    /// than the kernel promises to take at once.
    PollFirst,
}

impl Input {
    /// Standard input as it was handed to the program.
    ///
    /// # Errors
    /// Out of descriptors.
    pub fn stdin() -> io::Result<Self> {
        Standard::new(stdin(), OFlags::RDONLY).map(Self)
    }

    /// An input that has ended.
    #[must_use]
    pub fn none() -> Self {
        Self(Standard { kind: Kind::Other, channel: Channel::Nowhere })
    }

    /// Somebody may be typing.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        self.0.kind == Kind::Terminal
    }

    /// For registration; `None` where there is nothing to poll.
    pub fn event_source(&mut self) -> Option<(&mut dyn Source, Interest)> {
        self.0.event_source().map(|source| (source, Interest::READABLE))
    }

    /// The poller has refused it: it never blocks.
    pub fn settle_as_always_ready(&mut self) {
        self.0.settle_as_always_ready();
    }
}

impl ByteSource for Input {
    fn try_read(&mut self, into: &mut [u8]) -> io::Result<Attempt> {
        match self.0.read(into) {
            // A terminal that was hung up: nobody will type any more.
            Err(error) if self.is_terminal() && error.raw_os_error() == Some(libc::EIO) => {
                Ok(Attempt::Ended)
            }
            attempt => attempt,
        }
    }
}

impl Output {
    /// Standard output as it was handed to the program.
    ///
    /// # Errors
    /// Out of descriptors.
    pub fn stdout() -> io::Result<Self> {
        Standard::new(stdout(), OFlags::WRONLY).map(Self)
    }

    /// An output that takes everything and keeps nothing.
    #[must_use]
    pub fn discard() -> Self {
        Self(Standard { kind: Kind::Other, channel: Channel::Nowhere })
    }

    /// There is somebody at the other end who can leave.
    #[must_use]
    pub fn has_reader(&self) -> bool {
        match self.0.kind {
            Kind::Pipe | Kind::Socket => true,
            Kind::Terminal | Kind::Other => false,
        }
    }

    /// For registration; `None` where there is nothing to poll.
    pub fn event_source(&mut self) -> Option<(&mut dyn Source, Interest)> {
        self.0.event_source().map(|source| (source, Interest::WRITABLE))
    }

    /// The poller has refused it: it never blocks.
    pub fn settle_as_always_ready(&mut self) {
        self.0.settle_as_always_ready();
    }

    /// Has the reader see an end of file. That takes closing *every* descriptor of the pipe that we
    /// hold, fd 1 too; a socket is half-closed, for fd 0 may be the same one.
    ///
    /// # Errors
    /// There is no `/dev/null` to put on fd 1; the reader has to wait for our exit.
    pub fn close(&mut self) -> io::Result<()> {
        match std::mem::replace(&mut self.0.channel, Channel::Nowhere) {
            Channel::Socket(socket) => socket.shutdown(Shutdown::Write),
            Channel::Polled(pipe, _) if self.0.kind == Kind::Pipe => {
                drop(pipe);
                let null = open("/dev/null", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
                dup2_stdout(&null)?;
                Ok(())
            }
            Channel::Polled(..) | Channel::Ready(_) | Channel::Nowhere => Ok(()),
        }
    }
}

impl ByteSink for Output {
    fn try_write(&mut self, from: &[u8]) -> io::Result<Attempt> {
        self.0.write(from)
    }
}

impl Standard {
    fn new(fd: BorrowedFd<'static>, access: OFlags) -> io::Result<Self> {
        let stat = fstat(fd)?;
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::Socket => Kind::Socket,
            FileType::Fifo => Kind::Pipe,
            FileType::CharacterDevice if isatty(fd) => Kind::Terminal,
            _ => Kind::Other,
        };
        // Opening the other end of a pseudo-terminal again would make a new terminal.
        let is_ptmx = kind == Kind::Terminal && (major(stat.st_rdev), minor(stat.st_rdev)) == PTMX;
        let duplicate = || fcntl_dupfd_cloexec(fd, 3);
        let channel = match kind {
            Kind::Socket => Channel::Socket(TcpStream::from(duplicate()?)),
            Kind::Other => Channel::Ready(duplicate()?),
            Kind::Terminal if is_ptmx => Channel::Polled(duplicate()?.into(), Manners::NoWait),
            Kind::Pipe | Kind::Terminal => match reopen(fd, access) {
                Ok(own) => Channel::Polled(own.into(), Manners::Own),
                // No /proc, no permission (after su), or a FIFO whose reader has left already.
                Err(_) => Channel::Polled(duplicate()?.into(), Manners::NoWait),
            },
        };
        Ok(Self { kind, channel })
    }

    fn event_source(&mut self) -> Option<&mut dyn Source> {
        match &mut self.channel {
            Channel::Polled(source, _) => Some(source),
            Channel::Socket(socket) => Some(socket),
            Channel::Ready(_) | Channel::Nowhere => None,
        }
    }

    fn settle_as_always_ready(&mut self) {
        self.channel = match std::mem::replace(&mut self.channel, Channel::Nowhere) {
            Channel::Polled(source, _) => Channel::Ready(source.into()),
            other => other,
        };
    }

    fn read(&mut self, into: &mut [u8]) -> io::Result<Attempt> {
        match &mut self.channel {
            Channel::Polled(source, manners) => Attempt::to_read(|| {
                source.try_io(|| match manners {
                    Manners::Own => Ok(read(&*source, &mut *into)?),
                    Manners::NoWait => {
                        let now = preadv2(
                            &*source,
                            &mut [IoSliceMut::new(into)],
                            CURRENT_OFFSET,
                            ReadWriteFlags::NOWAIT,
                        );
                        unless_unsupported(now, manners)
                    }
                    Manners::PollFirst => {
                        wait_for_nothing(source.as_fd(), PollFlags::IN)?;
                        Ok(read(&*source, &mut *into)?)
                    }
                })
            }),
            Channel::Socket(socket) => Attempt::to_read(|| {
                socket.try_io(|| Ok(recv(&*socket, &mut *into, RecvFlags::DONTWAIT)?.0))
            }),
            Channel::Ready(file) => Attempt::to_read(|| Ok(read(&*file, &mut *into)?)),
            Channel::Nowhere => Ok(Attempt::Ended),
        }
    }

    fn write(&mut self, from: &[u8]) -> io::Result<Attempt> {
        match &mut self.channel {
            Channel::Polled(source, manners) => Attempt::to_write(|| {
                source.try_io(|| match manners {
                    Manners::Own => Ok(write(&*source, from)?),
                    Manners::NoWait => {
                        let now = pwritev2(
                            &*source,
                            &[IoSlice::new(from)],
                            CURRENT_OFFSET,
                            ReadWriteFlags::NOWAIT,
                        );
                        unless_unsupported(now, manners)
                    }
                    Manners::PollFirst => {
                        wait_for_nothing(source.as_fd(), PollFlags::OUT)?;
                        Ok(write(&*source, &from[..from.len().min(PIPE_BUF)])?)
                    }
                })
            }),
            Channel::Socket(socket) => Attempt::to_write(|| {
                socket
                    .try_io(|| Ok(send(&*socket, from, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)?))
            }),
            Channel::Ready(file) => Attempt::to_write(|| Ok(write(&*file, from)?)),
            Channel::Nowhere => Ok(Attempt::Moved(from.len())),
        }
    }
}

/// The same pipe or terminal under a description of our own, whose flags are nobody else's.
fn reopen(fd: BorrowedFd<'_>, access: OFlags) -> io::Result<OwnedFd> {
    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    // NOCTTY: a terminal we are only handed shall not become ours.
    let flags = access | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    Ok(open(path, flags, Mode::empty())?)
}

/// A kernel or a kind of descriptor without `RWF_NOWAIT` says so before any byte has moved: the call
/// is made again in the other way.
fn unless_unsupported(answer: Result<usize, Errno>, manners: &mut Manners) -> io::Result<usize> {
    match answer {
        Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => {
            *manners = Manners::PollFirst;
            Err(io::ErrorKind::Interrupted.into())
        }
        answer => Ok(answer?),
    }
}

/// `WouldBlock` unless the descriptor is ready this instant.
fn wait_for_nothing(fd: BorrowedFd<'_>, events: PollFlags) -> io::Result<()> {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    match poll(&mut [PollFd::from_borrowed_fd(fd, events)], Some(&now))? {
        0 => Err(io::ErrorKind::WouldBlock.into()),
        _ => Ok(()),
    }
}

/// The largest write that a pipe which polls writable takes without blocking, pipe(7).
const PIPE_BUF: usize = 4096;

/// preadv2(2): an offset of -1 means the file's own.
const CURRENT_OFFSET: u64 = u64::MAX;

/// Device number of `/dev/ptmx`.
const PTMX: (u32, u32) = (5, 2);
