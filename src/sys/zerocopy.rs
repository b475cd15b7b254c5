//! splice(2) on our descriptors: bytes move between a pipe and something else inside the kernel.
//!
//! Owns: the call, and finding out what its `EAGAIN` means. Must not know: which end of a flow it serves.
//!
//! `SPLICE_F_NONBLOCK` is for the pipe; what stands at the other side blocks unless its description has
//! `O_NONBLOCK`. So descriptors that are shared with others, and for that reason left blocking, are not
//! for this: the inherited socket, the terminal, the pipe without `/proc`.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::event::PollFlags;
use rustix::fs::{OFlags, fcntl_getfl};
use rustix::io::Errno;

use super::moves::splice;
use super::polled::{Polled, ready_now, would_block};
use crate::mistakes::{Mistake, made};
use crate::nonblock::{PipeEnd, Spliced, Splicing};

/// What stands at the other side of a pipe.
#[derive(Clone, Copy, Debug)]
pub(super) enum Side<'a> {
    /// Something that is polled, and does not block.
    Polled(&'a Polled),
    /// Something that never blocks.
    AlwaysReady(BorrowedFd<'a>),
}

impl Side<'_> {
    /// Moves bytes from here into a pipe.
    ///
    /// # Errors
    /// This side is broken; `BrokenPipe`: the pipe is.
    pub(super) fn splice_into(self, pipe: &dyn PipeEnd, most: usize) -> io::Result<Spliced> {
        attempt(self.fd(), pipe.fd(), most, || self.is_blocked(PollFlags::IN), pipe)
    }

    /// Moves bytes from a pipe to here.
    ///
    /// # Errors
    /// This side is broken.
    pub(super) fn splice_from(self, pipe: &dyn PipeEnd, most: usize) -> io::Result<Spliced> {
        attempt(pipe.fd(), self.fd(), most, || self.is_blocked(PollFlags::OUT), pipe)
    }

    fn fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Polled(polled) => polled.as_fd(),
            Self::AlwaysReady(fd) => *fd,
        }
    }

    fn is_blocked(self, ready: PollFlags) -> bool {
        match self {
            Self::Polled(polled) => is_blocked(polled, ready),
            Self::AlwaysReady(_) => false,
        }
    }
}

/// A pipe under a description of our own, which has one direction: asking for either asks for the right one.
impl PipeEnd for Polled {
    fn fd(&self) -> BorrowedFd<'_> {
        self.as_fd()
    }

    fn is_blocked(&self) -> bool {
        is_blocked(self, PollFlags::IN | PollFlags::OUT)
    }
}

/// Whether a socket may be one side of a splice.
pub(super) fn socket(socket: &Polled) -> Splicing {
    match fcntl_getfl(socket) {
        Ok(flags) if flags.contains(OFlags::NONBLOCK) => Splicing::ByPipe,
        Ok(_) | Err(_) => Splicing::Never,
    }
}

/// A polled descriptor is not ready for this, and the poller has been told: a call that splices is not
/// made by way of it.
fn is_blocked(polled: &Polled, ready: PollFlags) -> bool {
    would_block(polled.call(|fd| ready_now(fd, ready)))
}

fn attempt(
    from: BorrowedFd<'_>,
    to: BorrowedFd<'_>,
    most: usize,
    side_is_blocked: impl Fn() -> bool,
    pipe: &dyn PipeEnd,
) -> io::Result<Spliced> {
    let mut doubts = 0;
    loop {
        let error = match splice(from, to, most) {
            Ok(0) => return Ok(Spliced::Ended),
            Ok(n) => return Ok(Spliced::Moved(n)),
            Err(error) => error,
        };
        match Errno::from_io_error(&error) {
            Some(Errno::INTR) => {}
            Some(Errno::AGAIN) if made(Mistake::SpliceWrongSide) => return Ok(Spliced::Blocked),
            // It does not say which side it is, and a bit that is cleared on the wrong side loses an edge.
            Some(Errno::AGAIN) if side_is_blocked() => return Ok(Spliced::Blocked),
            Some(Errno::AGAIN) if pipe.is_blocked() => return Ok(Spliced::PipeBlocked),
            // One of them has just become ready. Where they keep saying so and nothing moves, as in
            // front of a byte of urgent data, a read gets past it.
            Some(Errno::AGAIN) if doubts < MOST_DOUBTS => doubts += 1,
            Some(
                Errno::AGAIN
                | Errno::INVAL
                | Errno::NOSYS
                | Errno::OPNOTSUPP
                | Errno::PERM
                | Errno::ACCESS
                | Errno::SPIPE
                | Errno::NOMEM,
            ) => return Ok(Spliced::Refused),
            Some(_) | None => return Err(error),
        }
    }
}

/// Attempts that may find nothing to move although both sides are ready.
const MOST_DOUBTS: usize = 3;
