//! Handing a connection on to whoever holds the other end of stdout (`-F`).

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::ioctl_fionbio;
use rustix::stdio::stdout;
use rustix::termios::isatty;

use super::moves::send_with_right;
use crate::error::Error;
use crate::explain::{Step, explain, raw_fd};
use crate::nonblock::Attempt;

/// Sends the descriptor with one byte over stdout, which has to be a UNIX socket: `SCM_RIGHTS`,
/// unix(7). It is blocking again, as its new owner expects (`ProxyUseFdpass` of ssh).
///
/// # Errors
/// stdout is a terminal, or no socket, or nobody is there to take it.
pub fn pass(connection: &OwnedFd) -> Result<(), Error> {
    if isatty(stdout()) {
        return Err(Error::message("Cannot pass file descriptor to tty"));
    }
    send(connection).map_err(Error::doing("sendmsg"))
}

fn send(connection: &OwnedFd) -> io::Result<()> {
    ioctl_fionbio(connection, false)?;
    match Attempt::to_write(|| send_with_right(stdout(), 0, connection.as_fd()))? {
        Attempt::Moved(_) => {}
        // Nobody else will do it later.
        Attempt::Blocked | Attempt::Ended => {
            return Err(io::Error::from_raw_os_error(libc::EAGAIN));
        }
    }
    explain(|| Step::PassedOn { fd: raw_fd(connection) });
    Ok(())
}
