//! Standard input and output, whatever they are, without ever blocking and without a trace.
//!
//! `O_NONBLOCK` belongs to the open file description, which the shell and other programs share: set on
//! fd 0 it would outlive us and break them. So each kind has its own way (see [`Manners`]):
//!
//! | kind            | not blocking by                                  | polled |
//! |-----------------|--------------------------------------------------|--------|
//! | pipe, terminal  | a description of our own, opened through `/proc` | yes    |
//! | … without /proc | `RWF_NOWAIT` per call, or poll(2) before a call  | yes    |
//! | other devices   | poll(2) before a call, if they can be polled     | yes    |
//! | socket          | `MSG_DONTWAIT` per call                          | yes    |
//! | anything else   | it never blocks                                  | no     |
//!
//! Not used: `std::io::stdin`, which keeps bytes in a buffer that no poller knows of.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use mio::unix::pipe::Receiver;
use rustix::event::PollFlags;
use rustix::fs::{
    FileType, Mode, OFlags, fcntl_getfl, fcntl_setfl, fstat, major, minor, open, tell,
};
use rustix::io::{Errno, fcntl_dupfd_cloexec};
use rustix::net::RecvFlags;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::getsid;
use rustix::stdio::{dup2_stdout, stderr, stdin, stdout};
use rustix::termios::{isatty, tcgetsid};

use super::calls;
use super::moves::{read, read_now, recv, send, write, write_now};
use super::pipe::{conduit, enlarge};
use super::polled::{Polled, ready_now};
use super::stderr::columns;
use super::zerocopy::{self, Side};
use crate::explain::{Ended, Step, Taken, explain, raw_fd};
use crate::mistakes::{Mistake, made};
use crate::nonblock::{Attempt, ByteSink, ByteSource, Conduit, PipeEnd, Spliced, Splicing};

/// What feeds the connection: standard input, or nothing.
#[derive(Debug)]
pub struct Input(Standard);

/// What takes the peer's bytes: standard output, or nobody.
#[derive(Debug)]
pub struct Output(Standard);

/// One of the two, with what both have in common.
#[derive(Debug)]
pub struct Standard {
    kind: Kind,
    channel: Channel,
}

/// What a descriptor turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Terminal,
    Pipe,
    Socket,
    File,
    /// Directories, `/dev/null` and its like.
    Other,
}

#[derive(Debug)]
enum Channel {
    Polled(Polled, Manners),
    Socket(Polled),
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
    /// than so many bytes, which the kernel promises to take at once.
    PollFirst(usize),
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

    /// What it has in common with the other.
    pub fn standard(&mut self) -> &mut Standard {
        &mut self.0
    }

    /// Somebody may be typing.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        self.0.kind == Kind::Terminal
    }

    /// It is a regular file.
    #[must_use]
    pub fn is_file(&self) -> bool {
        self.0.kind == Kind::File
    }

    /// How far a regular file has been read, and how long it is, in bytes; it may grow. `None` where it is
    /// something else.
    #[must_use]
    pub fn place(&self) -> Option<FilePlace> {
        let Channel::Ready(file) = &self.0.channel else { return None };
        if !self.is_file() {
            return None;
        }
        let (position, stat) = (tell(file).ok()?, fstat(file).ok()?);
        Some(FilePlace { position, length: u64::try_from(stat.st_size).ok()? })
    }
}

/// Where the reading of a file stands, in bytes from its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FilePlace {
    /// The next byte that is read.
    pub position: u64,
    /// The end.
    pub length: u64,
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

    fn begin_splicing(&mut self) -> Splicing {
        self.0.begin_splicing()
    }

    fn splice_into(&mut self, pipe: &dyn PipeEnd, most: usize) -> io::Result<Spliced> {
        self.0.side().map_or(Ok(Spliced::Refused), |side| side.splice_into(pipe, most))
    }

    fn conduit(&self) -> Option<Box<dyn Conduit>> {
        conduit()
    }

    fn waiting(&self) -> u64 {
        match &self.0.channel {
            Channel::Polled(polled, _) | Channel::Socket(polled) => polled.waiting(),
            Channel::Ready(_) | Channel::Nowhere => 0,
        }
    }

    fn as_pipe(&self) -> Option<&dyn PipeEnd> {
        self.0.as_pipe()
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

    /// Standard error, for what must not be lost because its reader is slow.
    ///
    /// # Errors
    /// Out of descriptors.
    pub fn stderr() -> io::Result<Self> {
        Standard::new(stderr(), OFlags::WRONLY).map(Self)
    }

    /// Takes a description of our own, which has `O_NONBLOCK` and is no socket.
    ///
    /// # Errors
    /// fstat(2).
    pub fn own(fd: OwnedFd) -> io::Result<Self> {
        let file_type = FileType::from_raw_mode(fstat(&fd)?.st_mode);
        let polled = |fd| Channel::Polled(Polled::new(fd), Manners::Own);
        let (kind, channel) = match file_type {
            FileType::Fifo => (Kind::Pipe, polled(fd)),
            FileType::CharacterDevice if isatty(&fd) => (Kind::Terminal, polled(fd)),
            FileType::CharacterDevice => (Kind::Other, polled(fd)),
            FileType::RegularFile
            | FileType::Directory
            | FileType::Symlink
            | FileType::Socket
            | FileType::BlockDevice
            | FileType::Unknown => (Kind::Other, Channel::Ready(fd)),
        };
        Ok(Self(Standard { kind, channel }))
    }

    /// Somebody may be looking.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        self.0.kind == Kind::Terminal
    }

    /// How many characters a line of the terminal takes, if it is one and says so.
    #[must_use]
    pub fn columns(&self) -> Option<usize> {
        match &self.0.channel {
            Channel::Polled(source, _) | Channel::Socket(source) => columns(source),
            Channel::Ready(fd) => columns(fd),
            Channel::Nowhere => None,
        }
    }

    /// It is a regular file.
    #[must_use]
    pub fn is_file(&self) -> bool {
        self.0.kind == Kind::File
    }

    /// An output that takes everything and keeps nothing.
    #[must_use]
    pub fn discard() -> Self {
        Self(Standard { kind: Kind::Other, channel: Channel::Nowhere })
    }

    /// What it has in common with the other.
    pub fn standard(&mut self) -> &mut Standard {
        &mut self.0
    }

    /// There is a reader at the other end, which can leave.
    #[must_use]
    pub fn has_reader(&self) -> bool {
        match self.0.kind {
            Kind::Pipe | Kind::Socket => true,
            Kind::Terminal | Kind::File | Kind::Other => false,
        }
    }

    /// Has the reader see an end of file. That takes closing *every* descriptor of it that we hold, fd 1
    /// too. A socket that is stdin as well (inetd) is half-closed, for it stays open to be read; any
    /// other belongs to whoever gave it to us, and may be written to by others after us.
    ///
    /// # Errors
    /// There is nothing to put on fd 1; the reader has to wait for our exit.
    pub fn close(&mut self) -> io::Result<()> {
        match std::mem::replace(&mut self.0.channel, Channel::Nowhere) {
            Channel::Socket(socket) if same_file(stdin(), socket.as_fd()) => {
                calls::shutdown_write(&socket, Ended::Peer)?;
            }
            Channel::Socket(_) | Channel::Polled(..) if self.has_reader() => {
                // The number stays taken, by a pipe that nobody reads. That needs no file, which may not
                // be there, and no right to open one.
                let (_, nowhere) = pipe_with(PipeFlags::CLOEXEC)?;
                dup2_stdout(&nowhere)?;
            }
            Channel::Socket(_) | Channel::Polled(..) | Channel::Ready(_) | Channel::Nowhere => {}
        }
        Ok(())
    }
}

fn same_file(one: BorrowedFd<'_>, other: BorrowedFd<'_>) -> bool {
    let (Ok(one), Ok(other)) = (fstat(one), fstat(other)) else { return false };
    (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
}

impl ByteSink for Output {
    fn try_write(&mut self, from: &[u8]) -> io::Result<Attempt> {
        self.0.write(from)
    }

    fn begin_splicing(&mut self) -> Splicing {
        self.0.begin_splicing()
    }

    fn splice_from(&mut self, pipe: &dyn PipeEnd, most: usize) -> io::Result<Spliced> {
        self.0.side().map_or(Ok(Spliced::Refused), |side| side.splice_from(pipe, most))
    }

    fn as_pipe(&self) -> Option<&dyn PipeEnd> {
        self.0.as_pipe()
    }
}

impl Standard {
    fn new(fd: BorrowedFd<'static>, access: OFlags) -> io::Result<Self> {
        if made(Mistake::NonblockStdin) {
            fcntl_setfl(fd, fcntl_getfl(fd)? | OFlags::NONBLOCK)?;
        }
        let stat = fstat(fd)?;
        let file_type = FileType::from_raw_mode(stat.st_mode);
        let kind = match file_type {
            FileType::Socket => Kind::Socket,
            FileType::Fifo => Kind::Pipe,
            FileType::RegularFile => Kind::File,
            FileType::CharacterDevice if isatty(fd) => Kind::Terminal,
            FileType::CharacterDevice
            | FileType::BlockDevice
            | FileType::Directory
            | FileType::Symlink
            | FileType::Unknown => Kind::Other,
        };
        // Opened anew it would allow what it did not allow before: reading our own output, say.
        let mode = fcntl_getfl(fd)? & OFlags::RWMODE;
        let is_allowed = mode == access || mode == OFlags::RDWR;
        // Opening the other end of a pseudo-terminal again would make a new terminal.
        let is_ptmx = (major(stat.st_rdev), minor(stat.st_rdev)) == PTMX;
        let duplicate = || fcntl_dupfd_cloexec(fd, 3);
        let shared =
            |manners| Ok::<_, io::Error>(Channel::Polled(Polled::new(duplicate()?), manners));
        let blocks = access == OFlags::WRONLY && made(Mistake::BlockStdout);
        let channel = match (kind, file_type) {
            (Kind::Pipe, _) if blocks => Channel::Ready(duplicate()?),
            (Kind::Socket, _) => Channel::Socket(Polled::new(duplicate()?)),
            (Kind::Pipe, _) if is_allowed => match reopen(fd, access) {
                Ok(own) => Channel::Polled(Polled::new(own), Manners::Own),
                // No /proc, or a FIFO whose reader has left already.
                Err(_) => shared(Manners::NoWait)?,
            },
            (Kind::Terminal, _) if is_ptmx => shared(Manners::PollFirst(ONE_BYTE))?,
            (Kind::Terminal, _) if is_allowed => {
                match reopen(fd, access).or_else(|_| open_controlling_terminal(fd, access)) {
                    Ok(own) => Channel::Polled(Polled::new(own), Manners::Own),
                    Err(_) => shared(Manners::PollFirst(ONE_BYTE))?,
                }
            }
            // Whether a device can be polled is for the poller to say.
            (Kind::Other, FileType::CharacterDevice | FileType::Unknown) => {
                shared(Manners::PollFirst(PIPE_BUF))?
            }
            (Kind::Pipe | Kind::Terminal | Kind::File | Kind::Other, _) => {
                Channel::Ready(duplicate()?)
            }
        };
        explain(|| taken(fd, kind, &channel, access));
        Ok(Self { kind, channel })
    }

    /// For registration; `None` where there is nothing to poll.
    pub fn event_source(&mut self) -> Option<&mut Receiver> {
        match &mut self.channel {
            Channel::Polled(polled, _) => Some(polled.source()),
            Channel::Socket(socket) => Some(socket.source()),
            Channel::Ready(_) | Channel::Nowhere => None,
        }
    }

    /// It stands for nothing.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        matches!(self.channel, Channel::Nowhere)
    }

    /// The poller has refused it: it never blocks.
    pub fn settle_as_always_ready(&mut self) {
        self.channel = match std::mem::replace(&mut self.channel, Channel::Nowhere) {
            Channel::Polled(source, _) => Channel::Ready(source.into_fd()),
            other @ (Channel::Socket(_) | Channel::Ready(_) | Channel::Nowhere) => other,
        };
    }

    fn read(&mut self, into: &mut [u8]) -> io::Result<Attempt> {
        match &mut self.channel {
            Channel::Polled(source, manners) => Attempt::to_read(|| {
                source.call(|fd| match manners {
                    Manners::Own => read(fd, into),
                    Manners::NoWait => unless_unsupported(read_now(fd, into), manners),
                    Manners::PollFirst(_) => {
                        ready_now(fd, PollFlags::IN)?;
                        read(fd, into)
                    }
                })
            }),
            Channel::Socket(socket) => {
                Attempt::to_read(|| socket.call(|fd| recv(fd, into, RecvFlags::DONTWAIT)))
            }
            Channel::Ready(file) => Attempt::to_read(|| read(&*file, into)),
            Channel::Nowhere => Ok(Attempt::Ended),
        }
    }

    fn write(&mut self, from: &[u8]) -> io::Result<Attempt> {
        match &mut self.channel {
            Channel::Polled(source, manners) => Attempt::to_write(|| {
                source.call(|fd| match manners {
                    Manners::Own => write(fd, from),
                    Manners::NoWait => unless_unsupported(write_now(fd, from), manners),
                    Manners::PollFirst(most) => {
                        ready_now(fd, PollFlags::OUT)?;
                        write(fd, &from[..from.len().min(*most)])
                    }
                })
            }),
            Channel::Socket(socket) => Attempt::to_write(|| socket.call(|fd| send(fd, from))),
            Channel::Ready(file) => Attempt::to_write(|| write(&*file, from)),
            Channel::Nowhere => Ok(Attempt::Moved(from.len())),
        }
    }
}

/// What the kernel may do without us. Only what cannot block whatever the call: a description of our own,
/// or something that is always ready.
impl Standard {
    fn begin_splicing(&mut self) -> Splicing {
        if let Some(pipe) = self.as_pipe() {
            enlarge(pipe.fd());
            return Splicing::Pipe;
        }
        match &self.channel {
            Channel::Ready(_) => Splicing::ByPipe,
            Channel::Socket(socket) => zerocopy::socket(socket),
            Channel::Polled(..) | Channel::Nowhere => Splicing::Never,
        }
    }

    fn as_pipe(&self) -> Option<&dyn PipeEnd> {
        match (self.kind, &self.channel) {
            (Kind::Pipe, Channel::Polled(own, Manners::Own)) => Some(own),
            (Kind::Pipe | Kind::Terminal | Kind::Socket | Kind::File | Kind::Other, _) => None,
        }
    }

    fn side(&self) -> Option<Side<'_>> {
        match &self.channel {
            Channel::Ready(file) => Some(Side::AlwaysReady(file.as_fd())),
            Channel::Socket(socket) => Some(Side::Polled(socket)),
            Channel::Polled(..) | Channel::Nowhere => None,
        }
    }
}

/// The words about how one of the two is taken.
fn taken(fd: BorrowedFd<'_>, kind: Kind, channel: &Channel, access: OFlags) -> Step<'static> {
    let (own, taken) = match (kind, channel) {
        (_, Channel::Polled(own, Manners::Own)) => {
            (raw_fd(own), Taken::Opened { writing: access == OFlags::WRONLY })
        }
        (Kind::File | Kind::Other, Channel::Polled(shared, _)) => (raw_fd(shared), Taken::Ready),
        (Kind::Terminal | Kind::Pipe | Kind::Socket, Channel::Polled(shared, _))
        | (_, Channel::Socket(shared)) => (raw_fd(shared), Taken::PerCall),
        (_, Channel::Ready(file)) => (raw_fd(file), Taken::Ready),
        (_, Channel::Nowhere) => (-1, Taken::Ready),
    };
    let kind = match kind {
        Kind::Terminal => "terminal",
        Kind::Pipe => "pipe",
        Kind::Socket => "socket",
        Kind::File | Kind::Other => "file or a device",
    };
    Step::Standard { fd: raw_fd(fd), own, kind, taken }
}

/// The same pipe or terminal under a description of our own, whose flags are nobody else's.
fn reopen(fd: BorrowedFd<'_>, access: OFlags) -> io::Result<OwnedFd> {
    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    // NOCTTY: a terminal we are only handed should not become ours.
    let flags = access | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    Ok(open(path, flags, Mode::empty())?)
}

/// The terminal by the name that every process of its session may open, also after su.
fn open_controlling_terminal(fd: BorrowedFd<'_>, access: OFlags) -> io::Result<OwnedFd> {
    if tcgetsid(fd)? != getsid(None)? {
        return Err(io::ErrorKind::NotFound.into());
    }
    let flags = access | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    Ok(open("/dev/tty", flags, Mode::empty())?)
}

/// A kernel or a kind of descriptor without `RWF_NOWAIT` says so before any byte has moved: the call
/// is made again in the other way.
fn unless_unsupported(answer: io::Result<usize>, manners: &mut Manners) -> io::Result<usize> {
    match answer.as_ref().map_err(Errno::from_io_error) {
        Err(Some(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL)) => {
            *manners = Manners::PollFirst(PIPE_BUF);
            Err(io::ErrorKind::Interrupted.into())
        }
        _ => answer,
    }
}

/// The largest write that a pipe which polls writable takes without blocking, pipe(7).
const PIPE_BUF: usize = 4096;

/// A terminal that polls writable may have room for no more than this.
const ONE_BYTE: usize = 1;

/// Device number of `/dev/ptmx`.
const PTMX: (u32, u32) = (5, 2);
