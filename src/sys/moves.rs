//! The system calls that move bytes of a session, as they are, each told to the trace.
//!
//! Owns: the only place where these calls are made, `clippy.toml` sees to that; their names and numbers in the
//! trace, which are strace's, so that the two can be laid side by side. Must not know: what a call is for, or
//! what its answer means.

#![expect(clippy::disallowed_methods, reason = "this is the place for them")]

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::io::ReadWriteFlags;
use rustix::net::{
    self, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrAny,
};
use rustix::pipe::SpliceFlags;

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

/// sendmsg(2) of a byte and the right to use a descriptor, `SCM_RIGHTS` of unix(7).
pub(super) fn send_with_right(
    to: BorrowedFd<'_>,
    byte: u8,
    right: BorrowedFd<'_>,
) -> io::Result<usize> {
    let this = Call::on("sendmsg", to).with("SCM_RIGHTS").at_most(1);
    let rights = [right];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(&rights));
    let pieces = [byte];
    let pieces = [IoSlice::new(&pieces)];
    call(this, || Ok(net::sendmsg(to, &pieces, &mut control, SendFlags::NOSIGNAL)?))
}

/// Neither waits nor dies of a peer that has gone.
const SENDING: SendFlags = SendFlags::NOSIGNAL.union(SendFlags::DONTWAIT);

/// preadv2(2): an offset of -1 means the file's own.
const CURRENT_OFFSET: u64 = u64::MAX;
