//! Bytes that pass without being seen: what flows and their ends say to each other about splice(2).
//!
//! Owns: a pipe of our own, which is to the kernel what [`Buffer`](super::Buffer) is to us, and the words
//! for what an attempt did. Must not know: sockets, files, which end of a flow it serves.
//!
//! splice(2) moves bytes between a pipe and something else. So one side of each attempt is a [`PipeEnd`],
//! of stdin, of stdout or of our own [`Pipe`], and the other side is asked to make the call.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::event::PollFlags;
use rustix::io::{Errno, read};
use rustix::pipe::{PipeFlags, fcntl_getpipe_size, fcntl_setpipe_size, pipe_with};
use rustix::process::{Resource, getrlimit};

use super::{ByteSink, ByteSource, ready_now};

/// What the kernel can do with an end of a flow without us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Splicing {
    /// Nothing: its bytes have to be read or written.
    Never,
    /// It is a pipe: its bytes go straight to or from anything that is none.
    Pipe,
    /// Its bytes go to or come from a pipe.
    ByPipe,
}

/// What one attempt to have the kernel move bytes did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spliced {
    /// So many bytes were moved, at least one.
    Moved(usize),
    /// The end that made the attempt has nothing to give, or no room.
    Blocked,
    /// The pipe has no room, or nothing to give.
    PipeBlocked,
    /// The source has ended, whichever side it is on.
    Ended,
    /// Nothing was moved, and nothing will be: the bytes have to be read and written.
    Refused,
}

/// One end of a pipe(7).
pub trait PipeEnd {
    /// The descriptor, which does not block.
    fn fd(&self) -> BorrowedFd<'_>;

    /// It is full, or it is empty and may yet be filled. Whoever polls it for us learns of it.
    fn is_blocked(&self) -> bool;
}

/// A bounded queue of bytes in the kernel's memory.
#[derive(Debug)]
pub struct Pipe {
    way_in: Mouth,
    way_out: Mouth,
    held: usize,
    full: bool,
}

impl Pipe {
    /// A pipe that is empty; `None` where the kernel has none of a useful size to spare, or where
    /// descriptors are short: they are for connections first.
    #[must_use]
    pub fn new() -> Option<Self> {
        let flags = PipeFlags::CLOEXEC | PipeFlags::NONBLOCK;
        let (reading, writing) = pipe_with(flags).ok()?;
        // The kernel hands out the lowest number that is free, so this one tells how many are in use.
        let in_use = u64::try_from(writing.as_raw_fd()).unwrap_or(u64::MAX);
        let many = getrlimit(Resource::Nofile).current.is_some_and(|most| in_use >= most / 2);
        let size = fcntl_setpipe_size(&writing, PIPE).or_else(|_| fcntl_getpipe_size(&writing));
        if many || size.ok()? < DEFAULT {
            return None;
        }
        Some(Self {
            way_in: Mouth { fd: writing, ready: PollFlags::OUT },
            way_out: Mouth { fd: reading, ready: PollFlags::IN },
            held: 0,
            full: false,
        })
    }

    /// Bytes held.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held
    }

    /// It is worth an attempt to put more in.
    #[must_use]
    pub fn has_room(&self) -> bool {
        !self.full
    }

    /// Has the kernel take at most `most` bytes from a source.
    ///
    /// # Errors
    /// The source is broken; what is held stays valid.
    pub fn fill(&mut self, source: &mut dyn ByteSource, most: usize) -> io::Result<Spliced> {
        let spliced = source.splice_into(&self.way_in, most)?;
        match spliced {
            Spliced::Moved(n) => self.held += n,
            // An empty pipe that is full is no way for anything.
            Spliced::PipeBlocked if self.held == 0 => return Ok(Spliced::Refused),
            Spliced::PipeBlocked => self.full = true,
            Spliced::Blocked | Spliced::Ended | Spliced::Refused => {}
        }
        Ok(spliced)
    }

    /// Has the kernel bring what is held, which is not nothing, to a sink.
    ///
    /// # Errors
    /// The sink is broken; what it did not take is still held.
    pub fn drain(&mut self, sink: &mut dyn ByteSink) -> io::Result<Spliced> {
        let spliced = sink.splice_from(&self.way_out, self.held)?;
        Ok(match spliced {
            Spliced::Moved(n) => {
                self.held = self.held.saturating_sub(n);
                self.full = false;
                spliced
            }
            Spliced::Blocked => spliced,
            // We know better: it holds bytes.
            Spliced::PipeBlocked | Spliced::Ended | Spliced::Refused => Spliced::Refused,
        })
    }

    /// Takes bytes out into our own memory after all; 0 once none is held.
    ///
    /// # Errors
    /// read(2), which a pipe that holds bytes gives no reason for.
    pub fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.held == 0 {
            return Ok(0);
        }
        let n = loop {
            match read(&self.way_out.fd, &mut *into) {
                Err(Errno::INTR) => {}
                answer => break answer?,
            }
        };
        self.held = self.held.saturating_sub(n);
        self.full = false;
        Ok(n)
    }
}

/// One end of our own pipe.
#[derive(Debug)]
struct Mouth {
    fd: OwnedFd,
    ready: PollFlags,
}

impl PipeEnd for Mouth {
    fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    fn is_blocked(&self) -> bool {
        let answer = ready_now(self.fd.as_fd(), self.ready);
        answer.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }
}

/// Gives somebody else's pipe room for more in one call. It is a wish: the kernel has a limit for each
/// user, and a pipe that holds more already does not shrink. A pipe of an unusual size was made so by
/// somebody, and is left alone.
pub fn enlarge(pipe: BorrowedFd<'_>) {
    if fcntl_getpipe_size(pipe) == Ok(DEFAULT) {
        // It stays as it is: slower, and no less right.
        let _ = fcntl_setpipe_size(pipe, PIPE);
    }
}

/// What a pipe shall hold, and with it what one call can move. With 64 KiB a transfer costs twice the
/// calls; with 1 MiB it is no faster, and what a quiet client sends to a shared stdout waits behind more.
pub const PIPE: usize = 256 * 1024;

/// What a pipe holds that nobody has changed, pipe(7). The kernel makes smaller ones for a user who has
/// very many.
const DEFAULT: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Script, Step};

    #[test]
    fn bytes_come_out_as_they_went_in() {
        let mut pipe = Pipe::new().expect("a pipe");
        let mut source = Script::new([Step::UpTo(3)]).holding(*b"abcdef").spliceable();
        assert_eq!(pipe.fill(&mut source, 100).expect("fill"), Spliced::Moved(3));
        assert_eq!(pipe.fill(&mut source, 2).expect("fill"), Spliced::Moved(2));
        let mut sink = Script::new([Step::UpTo(1)]).spliceable();
        assert_eq!(pipe.drain(&mut sink).expect("drain"), Spliced::Moved(1));
        let mut rest = [0; 8];
        assert_eq!(pipe.read(&mut rest).expect("read"), 4);
        assert_eq!((&rest[..4], pipe.held()), (&b"bcde"[..], 0));
        assert_eq!(pipe.read(&mut rest).expect("read"), 0);
    }

    #[test]
    fn a_full_pipe_says_so_until_something_has_left() {
        let mut pipe = Pipe::new().expect("a pipe");
        let mut source = Script::new([]).holding(vec![7; 4 * PIPE]).spliceable();
        while pipe.has_room() {
            assert_ne!(pipe.fill(&mut source, 2 * PIPE).expect("fill"), Spliced::Refused);
        }
        assert_eq!(pipe.held(), PIPE);
        assert_eq!(
            pipe.drain(&mut Script::new([]).spliceable()).expect("drain"),
            Spliced::Moved(PIPE)
        );
        assert!(pipe.has_room());
    }

    #[test]
    fn somebody_elses_pipe_grows_from_its_default_only() {
        let (reading, writing) = pipe_with(PipeFlags::CLOEXEC).expect("a pipe");
        enlarge(reading.as_fd());
        assert_eq!(fcntl_getpipe_size(&writing), Ok(PIPE));
        fcntl_setpipe_size(&writing, 4096).expect("smaller");
        enlarge(reading.as_fd());
        assert_eq!(fcntl_getpipe_size(&writing), Ok(4096));
    }
}
