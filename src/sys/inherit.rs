//! What the parent has left us: descriptors, by number (inetd, systemd, a test's pipe), and variables.
//!
//! A number from the command line says nothing about who owns the descriptor, so it is never adopted;
//! the kernel is asked for a duplicate, which is ours.

use std::env;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::fcntl_dupfd_cloexec;
use rustix::net::sockopt::{socket_acceptconn, socket_domain, socket_type};
use rustix::net::{AddressFamily, SocketType, getpeername};
use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};

use super::net::Transport;

/// A duplicate of descriptor `number`.
///
/// # Errors
/// `EBADF`: it is not open; others where the kernel has no `pidfd_getfd(2)` or a filter forbids it.
pub fn duplicate(number: i32) -> io::Result<OwnedFd> {
    let standard = match number {
        0 => Some(rustix::stdio::stdin()),
        1 => Some(rustix::stdio::stdout()),
        2 => Some(rustix::stdio::stderr()),
        _ => None,
    };
    if let Some(fd) = standard {
        return Ok(fcntl_dupfd_cloexec(fd, 3)?);
    }
    let ourselves = pidfd_open(getpid(), PidfdFlags::empty())?;
    Ok(pidfd_getfd(ourselves, number, PidfdGetfdFlags::empty())?)
}

/// Takes descriptor `number` over: the duplicate is all that is left of it, so that closing it closes it.
/// The standard three stay open.
///
/// # Errors
/// As [`duplicate`].
pub fn take_over(number: i32) -> io::Result<OwnedFd> {
    let fd = duplicate(number)?;
    if number > 2 {
        nix::unistd::close(number)?;
    }
    Ok(fd)
}

/// The number of the first socket that systemd has opened for us, `sd_listen_fds(3)`.
#[must_use]
pub fn activated() -> Option<i32> {
    let number = |name: &str| env::var(name).ok()?.parse::<i32>().ok();
    let meant_for_us = number("LISTEN_PID")? == getpid().as_raw_nonzero().get();
    (meant_for_us && number("LISTEN_FDS")? > 0).then_some(FIRST_ACTIVATED)
}

/// An environment variable is there and not empty.
#[must_use]
pub fn is_set(variable: &str) -> bool {
    env::var_os(variable).is_some_and(|value| !value.is_empty())
}

/// What an inherited socket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It listens.
    Listener(Transport),
    /// It has no connections.
    Datagrams(Transport),
    /// It is a connection.
    Connection(Transport),
}

/// Finds out what an inherited socket is.
///
/// # Errors
/// `ENOTSOCK`: it is none; `EPROTONOSUPPORT`: of a kind we do not know.
pub fn kind(fd: &impl AsFd) -> io::Result<Kind> {
    let transport = match (socket_domain(fd)?, socket_type(fd)?) {
        (AddressFamily::UNIX, SocketType::STREAM) => Transport::UnixStream,
        (AddressFamily::UNIX, SocketType::DGRAM) => Transport::UnixDatagram,
        (AddressFamily::UNIX, SocketType::SEQPACKET) => Transport::UnixRecords,
        (AddressFamily::INET | AddressFamily::INET6, SocketType::DGRAM) => Transport::Udp,
        (AddressFamily::INET | AddressFamily::INET6, SocketType::STREAM) => Transport::Tcp,
        (AddressFamily::VSOCK, SocketType::STREAM) => Transport::Vsock,
        _ => return Err(io::Error::from_raw_os_error(libc::EPROTONOSUPPORT)),
    };
    Ok(match transport {
        Transport::Udp | Transport::UnixDatagram if getpeername(fd).is_err() => {
            Kind::Datagrams(transport)
        }
        Transport::Udp | Transport::UnixDatagram => Kind::Connection(transport),
        Transport::Tcp
        | Transport::Mptcp
        | Transport::UnixStream
        | Transport::UnixRecords
        | Transport::Vsock => {
            if socket_acceptconn(fd)? {
                Kind::Listener(transport)
            } else {
                Kind::Connection(transport)
            }
        }
    })
}

/// `SD_LISTEN_FDS_START`.
const FIRST_ACTIVATED: i32 = 3;
