//! Bytes that pass without being seen: what flows and their ends say to each other about splice(2).
//!
//! Owns: the words for what an end can do, for what an attempt did, and the shape of a pipe between two
//! ends. Must not know: any call. Those are made below (`sys/zerocopy.rs`, `sys/pipe.rs`).
//!
//! splice(2) moves bytes between a pipe and something else. So one side of each attempt is a [`PipeEnd`],
//! of stdin, of stdout or of a [`Conduit`], and the other side is asked to make the call.

use std::fmt::{self, Debug};
use std::io;
use std::os::fd::BorrowedFd;

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

/// A pipe of our own, for a flow between two ends that are none. It is to the kernel what
/// [`Buffer`](super::Buffer) is to us: a bounded queue of bytes, in its memory.
pub trait Conduit {
    /// Where bytes go in.
    fn way_in(&self) -> &dyn PipeEnd;

    /// Where they come out.
    fn way_out(&self) -> &dyn PipeEnd;

    /// Takes bytes out into our own memory after all, if it holds some.
    ///
    /// # Errors
    /// read(2), which a pipe that holds bytes gives no reason for.
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize>;
}

/// Not a supertrait: nobody prints one, and the code for it would be in each program.
impl Debug for dyn Conduit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Conduit")
    }
}

/// What a pipe should hold, and with it what one call can move. With 64 KiB a transfer costs twice the
/// calls; with 1 MiB it is no faster, and what a quiet client sends to a shared stdout waits behind more.
pub const PIPE: usize = 256 * 1024;
