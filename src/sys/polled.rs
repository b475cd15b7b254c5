//! Any descriptor that the reactor can watch, and the one way to make calls on it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use mio::unix::pipe::Receiver;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::ioctl_fionread;

/// A nonblocking descriptor of any kind: a socket, a listener, a pipe, a terminal.
///
/// mio's `Receiver` is how it polls a bare descriptor; it does not mind which way bytes go, and its
/// `try_io` tells the poller of each `EAGAIN`, which those without epoll have to know.
#[derive(Debug)]
pub struct Polled {
    fd: Receiver,
    manners: Manners,
}

/// What keeps a call from blocking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manners {
    /// The description has `O_NONBLOCK`, or the call itself says that it must not wait.
    Nonblocking,
    /// The description is shared with others and left as it is: poll(2) is asked first.
    PollFirst,
}

impl Polled {
    /// Takes a descriptor whose calls do not block.
    #[must_use]
    pub fn new(fd: OwnedFd) -> Self {
        Self { fd: fd.into(), manners: Manners::Nonblocking }
    }

    /// Takes a descriptor that somebody else uses too, and whose flags are therefore not touched.
    #[must_use]
    pub fn shared(fd: OwnedFd) -> Self {
        Self { fd: fd.into(), manners: Manners::PollFirst }
    }

    /// Makes a call on the descriptor.
    ///
    /// # Errors
    /// Whatever the call says; `WouldBlock` is remembered where the poller needs that.
    pub fn call<T>(&self, call: impl FnOnce(BorrowedFd<'_>) -> io::Result<T>) -> io::Result<T> {
        let answer = self.fd.try_io(|| {
            match self.manners {
                Manners::Nonblocking => {}
                Manners::PollFirst => ready_now(self.fd.as_fd(), PollFlags::IN)?,
            }
            call(self.fd.as_fd())
        });
        match answer {
            // A poller that is not epoll forgets a descriptor once it has told of an error, and says so
            // when it is to remember an EAGAIN.
            Err(error)
                if error.kind() == io::ErrorKind::NotFound && error.raw_os_error().is_none() =>
            {
                Err(io::ErrorKind::WouldBlock.into())
            }
            answer => answer,
        }
    }

    /// Bytes that wait to be read, as far as the kernel can tell.
    pub(super) fn waiting(&self) -> u64 {
        ioctl_fionread(&self.fd).unwrap_or(0)
    }

    /// For the reactor.
    pub fn source(&mut self) -> &mut Receiver {
        &mut self.fd
    }

    /// Gives the descriptor back.
    #[must_use]
    pub fn into_fd(self) -> OwnedFd {
        self.fd.into()
    }
}

impl AsFd for Polled {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// `WouldBlock` unless the descriptor is ready this instant.
///
/// # Errors
/// `WouldBlock`, or what poll(2) says.
pub(super) fn ready_now(fd: BorrowedFd<'_>, events: PollFlags) -> io::Result<()> {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    match poll(&mut [PollFd::from_borrowed_fd(fd, events)], Some(&now))? {
        0 => Err(io::ErrorKind::WouldBlock.into()),
        _ => Ok(()),
    }
}

/// Whether an answer is that of a descriptor that is not ready.
pub(super) fn would_block<T>(answer: io::Result<T>) -> bool {
    answer.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}
