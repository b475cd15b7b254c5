//! Handing a connection on to whoever holds the other end of stdout (`-F`).

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::{ioctl_fionbio, retry_on_intr};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use rustix::stdio::stdout;
use rustix::termios::isatty;

use crate::error::Error;
use crate::explain::{Step, explain, raw_fd};

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
    let descriptors = [connection.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(&descriptors));
    let byte = [IoSlice::new(b"\0")];
    retry_on_intr(|| sendmsg(stdout(), &byte, &mut control, SendFlags::NOSIGNAL))?;
    explain(|| Step::PassedOn { fd: raw_fd(connection) });
    Ok(())
}
