//! What comes to a socket that waits for somebody: connections to a listener, the first datagram to a socket
//! without a peer.
//!
//! Owns: what accept(2) and a look at a queue can answer, and which of it is no failure of the socket's own.
//! Must not know: what is done with who has come, readiness.

use std::io;
use std::os::fd::OwnedFd;

use rustix::net::{RecvFlags, SocketAddrAny};

use super::address::Address;
use super::calls;
use super::moves::recvfrom;
use super::net::is_scarcity;
use super::polled::Polled;
use crate::explain::{Place, Step, explain, raw_fd};
use crate::nonblock::Attempt;

/// What one attempt to take a connection off a listener did.
#[derive(Debug)]
pub enum Arrival {
    /// There is one, from this address.
    Connection(OwnedFd, Address),
    /// None now. An event will tell of the next.
    NoneNow,
    /// One that was gone before it was taken; there may be others.
    Vanished(io::Error),
    /// There is one, but nothing to hold it with, or a filter forbids it. It stays in the queue, and no event
    /// will tell when things are better.
    NotToBeHeld(io::Error),
}

/// Takes a connection off a listener.
///
/// # Errors
/// accept(2): the listener is of no use any more.
pub fn accept(listener: &Polled) -> io::Result<Arrival> {
    loop {
        return match listener.call(calls::accept) {
            Ok((fd, peer)) => Ok(Arrival::Connection(fd, peer)),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Arrival::NoneNow),
            Err(error) if concerns_one_client(&error) => Ok(Arrival::Vanished(error)),
            Err(error) if cannot_be_held(&error) => Ok(Arrival::NotToBeHeld(error)),
            Err(error) => Err(error),
        };
    }
}

/// The connection was gone before it was taken; accept(2) also lists the network errors that Linux hands over
/// from the new socket.
fn concerns_one_client(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(
            libc::ECONNABORTED
                | libc::EPROTO
                | libc::ENETDOWN
                | libc::ENOPROTOOPT
                | libc::EHOSTDOWN
                | libc::ENONET
                | libc::EHOSTUNREACH
                | libc::ENETUNREACH
                | libc::EOPNOTSUPP
        )
    )
}

/// There is a connection, but nothing to hold it with, or a filter that forbids it (`EPERM`).
fn cannot_be_held(error: &io::Error) -> bool {
    is_scarcity(error) || error.raw_os_error() == Some(libc::EPERM)
}

/// What a look at the queue of a socket without a peer has found.
#[derive(Debug)]
pub enum Met {
    /// A datagram, from who sent it; some have no name.
    Sender(Option<SocketAddrAny>),
    /// Nothing yet.
    NobodyYet,
}

/// Who sent the first datagram that waits at a bound socket. It stays there.
///
/// # Errors
/// recvfrom(2).
pub fn first_sender(socket: &Polled) -> io::Result<Met> {
    let mut sender = None;
    let attempt = Attempt::to_read(|| {
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        let (len, from) = socket.call(|fd| recvfrom(fd, &mut [0; 1], flags))?;
        sender = from;
        Ok(len)
    });
    // An empty datagram is one too.
    let len = match attempt? {
        Attempt::Blocked => return Ok(Met::NobodyYet),
        Attempt::Moved(len) => len,
        Attempt::Ended => 0,
    };
    explain(|| {
        let sender = Place::from(&Address::from(sender.clone()));
        Step::Met { fd: raw_fd(socket), sender, len }
    });
    Ok(Met::Sender(sender))
}
