//! Connecting to one destination after another, only to see which of them answers.
//!
//! A refused TCP socket is as good as new: the next destination is tried with the same one. And on
//! this machine the refusal is there before connect(2) has returned, which still says `EINPROGRESS`: asked
//! a second time, it tells. So a closed port of this machine costs two system calls and no event, where a
//! socket of its own would cost six.
//!
//! Owns: the sockets that are used again. Must not know: what is done with an answer.

use std::io;

use socket2::{Domain, SockAddr, Socket, Type};

use super::address::Address;
use super::calls;
use super::net::{Begun, DialError, Transport, begin, is_scarcity, prepare};
use super::options::Options;
use super::polled::Polled;
use crate::explain::{Connecting, Errand};

/// What came of one knock.
#[derive(Debug)]
pub enum Knock {
    /// There is a connection, or a datagram socket with a peer.
    Open(Polled),
    /// There will be none.
    Refused(io::Error),
    /// An event will tell, see [`super::net::connected`].
    Pending(Polled),
}

/// Whether an answer is looked for at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Haste {
    /// The event is waited for: connect, wait, `SO_ERROR`, as connect(2) has it under `EINPROGRESS`.
    Patient,
    /// connect(2) is asked a second time, and sockets are used again.
    Hasty,
}

/// Knocks at destinations.
#[derive(Debug)]
pub struct Knocker {
    transport: Transport,
    options: Options,
    haste: Haste,
    /// Sockets whose last connection was refused, at most one for each address family.
    spare: Vec<(Domain, Socket)>,
}

impl Knocker {
    /// Haste is for plain TCP alone; any other transport, and TCP Fast Open, are patient.
    #[must_use]
    pub fn new(transport: Transport, options: Options, haste: Haste) -> Self {
        let is_plain = transport == Transport::Tcp && !options.fast_open;
        let haste = if is_plain { haste } else { Haste::Patient };
        Self { transport, options, haste, spare: Vec::new() }
    }

    /// Begins to connect.
    ///
    /// # Errors
    /// As [`super::net::dial`]. [`DialError::Connect`] says that there is no socket to knock with.
    pub fn knock(&mut self, to: &Address, from: Option<&Address>) -> Result<Knock, DialError> {
        let to = match to.to_sock_addr() {
            Ok(to) => to,
            Err(error) => return Ok(Knock::Refused(error)),
        };
        let socket = match self.take_spare(&to) {
            Some(socket) => socket,
            None => prepare(self.transport, &to, from, &self.options)?,
        };
        match begin(&socket, self.transport, &to, &self.options) {
            Ok(Begun::Connected) => Ok(Knock::Open(Polled::new(socket.into()))),
            Ok(Begun::UnderWay) => match self.haste {
                Haste::Patient => Ok(Knock::Pending(Polled::new(socket.into()))),
                Haste::Hasty => Ok(self.ask_again(socket, &to)),
            },
            Err(DialError::Connect(error)) if is_want(&error, &to) => {
                Err(DialError::Connect(error))
            }
            // IP has no queue that could be full: there is no local port left, udp(7).
            Err(DialError::Busy) if to.as_socket().is_some() => {
                Err(DialError::Connect(io::Error::from_raw_os_error(libc::EAGAIN)))
            }
            Err(DialError::Connect(error)) => Ok(Knock::Refused(error)),
            Err(error @ (DialError::Bind(_) | DialError::Option(_) | DialError::Busy)) => {
                Err(error)
            }
        }
    }

    fn ask_again(&mut self, socket: Socket, to: &SockAddr) -> Knock {
        match calls::connect(&socket, to, Connecting::Again) {
            Ok(()) => Knock::Open(Polled::new(socket.into())),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                self.spare.push((to.domain(), socket));
                Knock::Refused(error)
            }
            // It takes its time, or stands already: the event will tell.
            Err(error) if is_under_way(&error) => Knock::Pending(Polled::new(socket.into())),
            // Having been told once, the error is gone from the socket. No event would tell it again.
            Err(error) => Knock::Refused(error),
        }
    }

    fn take_spare(&mut self, to: &SockAddr) -> Option<Socket> {
        let which = self.spare.iter().position(|(domain, _)| *domain == to.domain())?;
        Some(self.spare.swap_remove(which).1)
    }
}

fn is_under_way(error: &io::Error) -> bool {
    let errno = error.raw_os_error();
    matches!(errno, Some(libc::EALREADY | libc::EINPROGRESS | libc::EISCONN | libc::EINTR))
}

/// connect(2) has run out of memory or local ports, which is not the destination's doing.
fn is_want(error: &io::Error, to: &SockAddr) -> bool {
    is_scarcity(error) || error.kind() == io::ErrorKind::AddrNotAvailable && has_local_address(to)
}

/// Whether there is an address to reach this destination from. Where IPv6 is switched off there is none,
/// and the errno is the same as where no port is free. A datagram socket tells which, and sends nothing.
fn has_local_address(to: &SockAddr) -> bool {
    let asked = calls::socket(to.domain(), Type::DGRAM, None, Errand::HasRoute)
        .and_then(|socket| calls::connect(&socket, to, Connecting::Errand));
    !asked.is_err_and(|error| error.kind() == io::ErrorKind::AddrNotAvailable)
}
