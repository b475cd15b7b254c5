//! Printing on standard error, at once or not at all: waiting for its reader would stop every session.
//!
//! Must not know: what is printed (`app/notice.rs`). Results that nobody may miss go through an
//! [`Output`](super::stdio::Output) instead, which waits.

use std::io;
use std::os::fd::AsFd;

use rustix::event::PollFlags;
use rustix::stdio::stderr;
use rustix::termios::{isatty, tcgetwinsize};

use super::polled::ready_now;

/// Prints a line, in one write, so that lines of several processes do not mix. It is lost where nobody wants
/// it: stderr is closed, or a pipe that is full because nobody reads it.
pub fn say_line(line: &str) {
    // There is no other place to say that it is lost.
    let _ = write_stderr(line.as_bytes());
}

/// Writes to stderr at once, or not at all.
///
/// # Errors
/// There is no room, or nobody who reads it.
pub fn write_stderr(line: &[u8]) -> io::Result<()> {
    ready_now(stderr(), PollFlags::OUT)?;
    rustix::io::write(stderr(), line)?;
    Ok(())
}

/// How many characters a line of stderr's terminal takes, if it says so.
#[must_use]
pub fn stderr_columns() -> Option<usize> {
    columns(stderr())
}

/// The same of any terminal.
pub(super) fn columns(terminal: impl AsFd) -> Option<usize> {
    let size = tcgetwinsize(terminal).ok()?;
    Some(usize::from(size.ws_col)).filter(|&columns| columns > 0)
}

/// Somebody may be looking at stderr.
#[must_use]
pub fn stderr_is_terminal() -> bool {
    isatty(stderr())
}
