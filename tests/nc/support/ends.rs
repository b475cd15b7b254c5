//! What a stdin and a stdout can be, and the test's end of each.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};

use rustix::fs::{CWD, Mode, OFlags, fcntl_setfl, mkfifoat};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, OutputModes, tcgetattr, tcsetattr};

use super::{Nc, noise};

/// The kinds of descriptor a shell, cron, inetd or a terminal hands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Pipe,
    Fifo,
    File,
    Append,
    Socketpair,
    Pty,
    Null,
    Closed,
}

impl Kind {
    pub(crate) const ALL: [Self; 8] = [
        Self::Pipe,
        Self::Fifo,
        Self::File,
        Self::Append,
        Self::Socketpair,
        Self::Pty,
        Self::Null,
        Self::Closed,
    ];

    /// What can be sent through a stdin of this kind: more than a pipe holds, but for a terminal
    /// only lines, and together less than one terminal buffer.
    pub(crate) fn payload(self, seed: u64) -> Vec<u8> {
        match self {
            Self::Null | Self::Closed => Vec::new(),
            Self::Pty => {
                let letters = noise(seed, 2_000).into_iter().map(|byte| b'a' + byte % 26);
                let mut lines: Vec<u8> = letters.collect();
                lines.iter_mut().skip(70).step_by(71).for_each(|byte| *byte = b'\n');
                lines.push(b'\n');
                lines
            }
            _ => noise(seed, 200_000),
        }
    }
}

/// A stdin ready to be given, and what fills it.
pub(crate) struct Input {
    pub(crate) given: Option<OwnedFd>,
    feed: Option<Feed>,
}

enum Feed {
    Pipe(File),
    Socket(UnixStream),
    Pty(File),
}

impl Input {
    /// `payload` is what the program should read; files have it from the start.
    #[track_caller]
    pub(crate) fn new(kind: Kind, dir: &Path, payload: &[u8]) -> Self {
        let path = dir.join("stdin");
        let (given, feed) = match kind {
            Kind::Pipe => {
                let (read, write) = pipe();
                (Some(read), Some(Feed::Pipe(write.into())))
            }
            Kind::Fifo => {
                let (read, write) = fifo(&path);
                (Some(read), Some(Feed::Pipe(write.into())))
            }
            Kind::File => {
                fs::write(&path, payload).expect("the directory is ours");
                (Some(File::open(&path).expect("the file is ours").into()), None)
            }
            Kind::Append => {
                fs::write(&path, payload).expect("the directory is ours");
                let file = OpenOptions::new().read(true).append(true).open(&path);
                (Some(file.expect("the file is ours").into()), None)
            }
            Kind::Socketpair => {
                let (theirs, ours) = UnixStream::pair().expect("a socket pair");
                (Some(theirs.into()), Some(Feed::Socket(ours)))
            }
            Kind::Pty => {
                let pty = Pty::open();
                (Some(pty.terminal), Some(Feed::Pty(pty.master.into())))
            }
            Kind::Null => (Some(File::open("/dev/null").expect("/dev/null").into()), None),
            Kind::Closed => (None, None),
        };
        Self { given, feed }
    }

    /// Makes it the stdin of a command.
    pub(crate) fn give(&mut self, nc: Nc) -> Nc {
        match self.given.take() {
            Some(fd) => nc.stdin(fd),
            None => nc.closed(0),
        }
    }

    /// Writes the payload and then the end of file, while the test goes on.
    ///
    /// What comes back is to be kept until the program has ended: closing a terminal's master side
    /// hangs up, and hanging up throws away what was not read. A write that fails shows in what the
    /// peer received.
    pub(crate) fn feeds(self, payload: Vec<u8>) -> JoinHandle<Option<File>> {
        thread::spawn(move || match self.feed {
            None => None,
            Some(Feed::Pipe(mut pipe)) => {
                let _ = pipe.write_all(&payload);
                None
            }
            Some(Feed::Socket(mut socket)) => {
                let _ = socket.write_all(&payload);
                let _ = socket.shutdown(Shutdown::Write);
                None
            }
            Some(Feed::Pty(mut master)) => {
                let _ = master.write_all(&payload);
                let _ = master.write_all(&[END_OF_TRANSMISSION]);
                Some(master)
            }
        })
    }
}

/// A stdout ready to be given, and what comes out of it.
pub(crate) struct Output {
    pub(crate) given: Option<OwnedFd>,
    drain: Drain,
}

enum Drain {
    Stream(File),
    Path(PathBuf),
    Nothing,
}

impl Output {
    #[track_caller]
    pub(crate) fn new(kind: Kind, dir: &Path) -> Self {
        let path = dir.join("stdout");
        let (given, drain) = match kind {
            Kind::Pipe => {
                let (read, write) = pipe();
                (Some(write), Drain::Stream(read.into()))
            }
            Kind::Fifo => {
                let (read, write) = fifo(&path);
                (Some(write), Drain::Stream(read.into()))
            }
            Kind::File => {
                let file = File::create(&path).expect("the directory is ours");
                (Some(file.into()), Drain::Path(path))
            }
            Kind::Append => {
                fs::write(&path, BEFORE).expect("the directory is ours");
                let file = OpenOptions::new().append(true).open(&path);
                (Some(file.expect("the file is ours").into()), Drain::Path(path))
            }
            Kind::Socketpair => {
                let (theirs, ours) = UnixStream::pair().expect("a socket pair");
                (Some(theirs.into()), Drain::Stream(OwnedFd::from(ours).into()))
            }
            Kind::Pty => {
                let pty = Pty::open();
                let mut modes = tcgetattr(&pty.terminal).expect("a terminal");
                modes.output_modes.remove(OutputModes::OPOST);
                tcsetattr(&pty.terminal, OptionalActions::Now, &modes).expect("a terminal");
                (Some(pty.terminal), Drain::Stream(pty.master.into()))
            }
            Kind::Null => {
                let null = OpenOptions::new().write(true).open("/dev/null");
                (Some(null.expect("/dev/null").into()), Drain::Nothing)
            }
            Kind::Closed => (None, Drain::Nothing),
        };
        Self { given, drain }
    }

    /// Makes it the stdout of a command.
    pub(crate) fn give(&mut self, nc: Nc) -> Nc {
        match self.given.take() {
            Some(fd) => nc.stdout(fd),
            None => nc.closed(1),
        }
    }

    /// Reads it to its end while the test goes on.
    pub(crate) fn drains(self) -> Drained {
        let mut stream = match self.drain {
            Drain::Stream(stream) => stream,
            Drain::Path(path) => return Drained::Path(path),
            Drain::Nothing => return Drained::Nothing,
        };
        Drained::Stream(thread::spawn(move || {
            let mut bytes = Vec::new();
            // A terminal whose last user has left says EIO, not end of file.
            let _ = stream.read_to_end(&mut bytes);
            bytes
        }))
    }
}

/// What a stdout has come to; to be asked when the program has ended.
pub(crate) enum Drained {
    Stream(JoinHandle<Vec<u8>>),
    Path(PathBuf),
    Nothing,
}

impl Drained {
    /// `None` where nothing can be read back.
    #[track_caller]
    pub(crate) fn bytes(self) -> Option<Vec<u8>> {
        match self {
            Self::Stream(reader) => Some(reader.join().expect("the reader cannot panic")),
            Self::Path(path) => Some(fs::read(path).expect("the file is ours")),
            Self::Nothing => None,
        }
    }
}

/// A terminal and its master side; not the controlling terminal of anybody.
pub(crate) struct Pty {
    pub(crate) master: OwnedFd,
    pub(crate) terminal: OwnedFd,
}

impl Pty {
    /// In its usual modes (lines, end of file by Control-D), without echo.
    #[track_caller]
    pub(crate) fn open() -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC);
        let master = master.expect("a pseudoterminal");
        grantpt(&master).expect("grantpt");
        unlockpt(&master).expect("unlockpt");
        let name = ptsname(&master, Vec::new()).expect("ptsname");
        let name = name.to_str().expect("a name in ASCII");
        let noctty = OFlags::NOCTTY.bits().cast_signed();
        let terminal = OpenOptions::new().read(true).write(true).custom_flags(noctty).open(name);
        let terminal = OwnedFd::from(terminal.expect("our own terminal"));
        let mut modes = tcgetattr(&terminal).expect("a terminal");
        modes.local_modes.remove(rustix::termios::LocalModes::ECHO);
        tcsetattr(&terminal, OptionalActions::Now, &modes).expect("a terminal");
        Self { master, terminal }
    }

    /// The same, and line ends are left as they are written.
    #[track_caller]
    pub(crate) fn verbatim() -> Self {
        let pty = Self::open();
        let mut modes = tcgetattr(&pty.terminal).expect("a terminal");
        modes.output_modes.remove(rustix::termios::OutputModes::OPOST);
        tcsetattr(&pty.terminal, OptionalActions::Now, &modes).expect("a terminal");
        pty
    }
}

/// Both ends of a pipe, read end first.
#[track_caller]
pub(crate) fn pipe() -> (OwnedFd, OwnedFd) {
    pipe_with(PipeFlags::CLOEXEC).expect("a pipe")
}

/// Both ends of a pipe in which each write of up to 4096 bytes stays one read, `O_DIRECT` of pipe(2).
#[track_caller]
pub(crate) fn packet_pipe() -> (OwnedFd, File) {
    let (read, write) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::DIRECT).expect("a pipe");
    (read, write.into())
}

/// Both ends of a named pipe, read end first.
#[track_caller]
pub(crate) fn fifo(path: &Path) -> (OwnedFd, OwnedFd) {
    mkfifoat(CWD, path, Mode::RUSR | Mode::WUSR).expect("the directory is ours");
    let nonblock = OFlags::NONBLOCK.bits().cast_signed();
    // Opening the read end would wait for a writer.
    let read = OpenOptions::new().read(true).custom_flags(nonblock).open(path);
    let read = OwnedFd::from(read.expect("the fifo is ours"));
    let write = OpenOptions::new().write(true).open(path).expect("the fifo is ours");
    fcntl_setfl(&read, OFlags::empty()).expect("an open descriptor");
    (read, write.into())
}

/// What an append file holds before the program starts.
pub(crate) const BEFORE: &[u8] = b"before\n";

/// Control-D.
const END_OF_TRANSMISSION: u8 = 4;
