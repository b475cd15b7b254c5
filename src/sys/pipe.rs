//! Pipes that the kernel moves bytes through: our own, and more room in those of others.
//!
//! Owns: whether there is a pipe of our own to be had, and how large pipes are. Must not know: what one holds,
//! and which ends it stands between.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::event::PollFlags;
use rustix::pipe::{PipeFlags, fcntl_getpipe_size, fcntl_setpipe_size, pipe_with};
use rustix::process::{Resource, getrlimit};

use super::moves::read;
use super::polled::{ready_now, would_block};
use crate::nonblock::{Attempt, Conduit, PIPE, PipeEnd};

/// A pipe that is empty; `None` where the kernel has none of a useful size to spare, or where descriptors are
/// short: they are for connections first.
pub(crate) fn conduit() -> Option<Box<dyn Conduit>> {
    let flags = PipeFlags::CLOEXEC | PipeFlags::NONBLOCK;
    let (reading, writing) = pipe_with(flags).ok()?;
    // The kernel hands out the lowest number that is free, so this one tells how many are in use.
    let in_use = u64::try_from(writing.as_raw_fd()).unwrap_or(u64::MAX);
    let many = getrlimit(Resource::Nofile).current.is_some_and(|most| in_use >= most / 2);
    let size = fcntl_setpipe_size(&writing, PIPE).or_else(|_| fcntl_getpipe_size(&writing));
    if many || size.ok()? < DEFAULT {
        return None;
    }
    Some(Box::new(Pipe {
        way_in: Mouth { fd: writing, ready: PollFlags::OUT },
        way_out: Mouth { fd: reading, ready: PollFlags::IN },
    }))
}

/// A pipe of our own.
#[derive(Debug)]
struct Pipe {
    way_in: Mouth,
    way_out: Mouth,
}

impl Conduit for Pipe {
    fn way_in(&self) -> &dyn PipeEnd {
        &self.way_in
    }

    fn way_out(&self) -> &dyn PipeEnd {
        &self.way_out
    }

    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match Attempt::to_read(|| read(&self.way_out.fd, into))? {
            Attempt::Moved(n) => Ok(n),
            // It holds bytes, and nobody else takes them.
            Attempt::Blocked | Attempt::Ended => Err(io::ErrorKind::UnexpectedEof.into()),
        }
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
        would_block(ready_now(self.fd.as_fd(), self.ready))
    }
}

/// Gives somebody else's pipe room for more in one call. It is a wish: the kernel has a limit for each
/// user, and a pipe that holds more already does not shrink. A pipe of an unusual size was made so by
/// somebody, and is left alone.
pub(super) fn enlarge(pipe: BorrowedFd<'_>) {
    if fcntl_getpipe_size(pipe) == Ok(DEFAULT) {
        // It stays as it is: slower, and no less right.
        let _ = fcntl_setpipe_size(pipe, PIPE);
    }
}

/// What a pipe holds that nobody has changed, pipe(7). The kernel makes smaller ones for a user who has
/// very many.
const DEFAULT: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_of_ours_is_large_and_knows_when_it_is_empty_or_full() {
        let mut pipe = conduit().expect("a pipe");
        assert!(pipe.way_out().is_blocked() && !pipe.way_in().is_blocked());
        assert_eq!(fcntl_getpipe_size(pipe.way_in().fd()), Ok(PIPE));
        assert_eq!(
            super::super::moves::write(pipe.way_in().fd(), &vec![7; 2 * PIPE]).ok(),
            Some(PIPE)
        );
        assert!(!pipe.way_out().is_blocked() && pipe.way_in().is_blocked());
        assert_eq!(pipe.read(&mut vec![0; 2 * PIPE]).ok(), Some(PIPE));
        assert!(pipe.read(&mut [0]).is_err(), "it holds nothing");
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
