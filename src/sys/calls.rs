//! The system calls that move bytes and connections, as they are, each told to the trace.
//!
//! Owns: their names and numbers in the trace, which are strace's, so that the two can be laid side by
//! side. Must not know: what a call is for, or what its answer means.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::io::ReadWriteFlags;
use rustix::net::sockopt::socket_error as so_error;
use rustix::net::{
    self, RecvFlags, SendFlags, Shutdown, SocketAddrAny, SocketFlags, acceptfrom_with,
};
use rustix::pipe::SpliceFlags;
use socket2::SockAddr;

use crate::trace::{Call, call};

/// read(2)
pub(super) fn read(fd: impl AsFd, into: &mut [u8]) -> io::Result<usize> {
    let this = Call::on("read", &fd).at_most(into.len());
    call(this, || Ok(rustix::io::read(fd, into)?))
}

/// write(2)
pub(super) fn write(fd: impl AsFd, from: &[u8]) -> io::Result<usize> {
    let this = Call::on("write", &fd).at_most(from.len());
    call(this, || Ok(rustix::io::write(fd, from)?))
}

/// preadv2(2) that does not wait, whatever the description says.
pub(super) fn read_now(fd: BorrowedFd<'_>, into: &mut [u8]) -> io::Result<usize> {
    let this = Call::on("preadv2", fd).at_most(into.len()).with("RWF_NOWAIT");
    let mut pieces = [IoSliceMut::new(into)];
    call(this, || Ok(rustix::io::preadv2(fd, &mut pieces, CURRENT_OFFSET, ReadWriteFlags::NOWAIT)?))
}

/// pwritev2(2) that does not wait, whatever the description says.
pub(super) fn write_now(fd: BorrowedFd<'_>, from: &[u8]) -> io::Result<usize> {
    let this = Call::on("pwritev2", fd).at_most(from.len()).with("RWF_NOWAIT");
    let pieces = [IoSlice::new(from)];
    call(this, || Ok(rustix::io::pwritev2(fd, &pieces, CURRENT_OFFSET, ReadWriteFlags::NOWAIT)?))
}

/// recv(2), which strace shows as recvfrom. Of a datagram that is cut off, what is left of it.
pub(super) fn recv(fd: BorrowedFd<'_>, into: &mut [u8], flags: RecvFlags) -> io::Result<usize> {
    call(receiving(fd, into, flags), || Ok(net::recv(fd, into, flags)?.0))
}

/// recvfrom(2)
pub(super) fn recvfrom(
    fd: BorrowedFd<'_>,
    into: &mut [u8],
    flags: RecvFlags,
) -> io::Result<(usize, Option<SocketAddrAny>)> {
    let mut sender = None;
    let n = call(receiving(fd, into, flags), || {
        let (_, n, from) = net::recvfrom(fd, into, flags)?;
        sender = from;
        Ok(n)
    })?;
    Ok((n, sender))
}

fn receiving(fd: BorrowedFd<'_>, into: &[u8], flags: RecvFlags) -> Call {
    let this = Call::on("recvfrom", fd).at_most(into.len());
    if flags.contains(RecvFlags::PEEK) { this.with("MSG_PEEK") } else { this }
}

/// send(2), which strace shows as sendto.
pub(super) fn send(fd: BorrowedFd<'_>, from: &[u8]) -> io::Result<usize> {
    let this = Call::on("sendto", fd).at_most(from.len());
    call(this, || Ok(net::send(fd, from, SENDING)?))
}

/// sendto(2)
pub(super) fn sendto(fd: BorrowedFd<'_>, from: &[u8], to: &SocketAddrAny) -> io::Result<usize> {
    let this = Call::on("sendto", fd).at_most(from.len());
    call(this, || Ok(net::sendto(fd, from, SENDING, to)?))
}

/// splice(2) between a pipe and something else, at the offsets where they are.
pub(super) fn splice(from: BorrowedFd<'_>, to: BorrowedFd<'_>, most: usize) -> io::Result<usize> {
    let this = Call::on("splice", from).to(to).at_most(most);
    call(this, || Ok(rustix::pipe::splice(from, None, to, None, most, SpliceFlags::NONBLOCK)?))
}

/// accept4(2): the new socket does not block, and is closed on exec.
pub(super) fn accept(fd: BorrowedFd<'_>) -> io::Result<(OwnedFd, Option<SocketAddrAny>)> {
    let mut taken = None;
    call(Call::on("accept4", fd), || {
        let (socket, peer) = acceptfrom_with(fd, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC)?;
        let number = socket.as_raw_fd();
        taken = Some((socket, peer));
        Ok(usize::try_from(number).unwrap_or_default())
    })?;
    taken.ok_or_else(|| io::ErrorKind::WouldBlock.into())
}

/// The error that a socket has to tell of, `SO_ERROR` of socket(7). It tells once.
///
/// # Errors
/// That error, or the one of getsockopt(2) itself.
pub(super) fn pending_error(fd: impl AsFd) -> io::Result<()> {
    call(Call::on("getsockopt", &fd).with("SO_ERROR"), || {
        so_error(fd)??;
        Ok(0)
    })?;
    Ok(())
}

/// shutdown(2) of the sending half.
pub(super) fn shutdown_write(fd: impl AsFd) -> io::Result<()> {
    call(Call::on("shutdown", &fd).with("SHUT_WR"), || {
        net::shutdown(fd, Shutdown::Write)?;
        Ok(0)
    })?;
    Ok(())
}

/// connect(2) of a socket that does not block; `InProgress`: an event will tell.
pub(super) fn connect(socket: &socket2::Socket, to: &SockAddr) -> io::Result<()> {
    call(Call::on("connect", socket), || socket.connect(to).map(|()| 0))?;
    Ok(())
}

/// Neither waits nor dies of a peer that has gone.
const SENDING: SendFlags = SendFlags::NOSIGNAL.union(SendFlags::DONTWAIT);

/// preadv2(2): an offset of -1 means the file's own.
const CURRENT_OFFSET: u64 = u64::MAX;
