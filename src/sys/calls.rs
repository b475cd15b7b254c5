//! The calls that make, name, connect and end sockets, each of which says what it is for.
//!
//! Owns: the only places where these calls are made, `clippy.toml` sees to that, so that no step is taken
//! without its sentence (`--explain`) or unseen by the trace. Must not know: what the sockets are for, beyond
//! the words.

#![expect(clippy::disallowed_methods, reason = "this is the place for them")]

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::sockopt::socket_error;
use rustix::net::{SocketAddrAny, SocketFlags, acceptfrom_with};
use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, Type};

use super::address::Address;
use crate::explain::{
    Answer, Connecting, Ended, Errand, Make, Place, Purpose, Reuse, Step, answer, explain,
    is_wanted, raw_fd,
};
use crate::trace::{Call, Event, call_for, is_heard, tell};

/// socket(2).
pub(super) fn socket(
    domain: Domain,
    kind: Type,
    protocol: Option<Protocol>,
    errand: Errand,
) -> io::Result<Socket> {
    let socket = Socket::new(domain, kind, protocol);
    explain(|| {
        let protocol = protocol.map_or(0, i32::from);
        let make = Make { family: domain.into(), kind: kind.into(), protocol };
        Step::Socket { make, errand, answer: answer(&socket, |socket| raw_fd(socket)) }
    });
    socket
}

/// bind(2) of a socket that waits for peers.
pub(super) fn bind_to_listen(socket: &Socket, at: &SockAddr) -> io::Result<()> {
    let place = place(at);
    let bound = socket.bind(at);
    explain(|| Step::BindToListen { fd: raw_fd(socket), at: place, answer: done(&bound) });
    bound
}

/// bind(2) of a socket that connects.
pub(super) fn bind_from(socket: &Socket, at: &SockAddr) -> io::Result<()> {
    let place = place(at);
    let bound = socket.bind(at);
    explain(|| Step::BindFrom { fd: raw_fd(socket), at: place, answer: done(&bound) });
    bound
}

/// listen(2).
pub(super) fn listen(socket: &Socket, backlog: i32, at: &SockAddr) -> io::Result<()> {
    let listens = socket.listen(backlog);
    explain(|| {
        let (fd, unix) = (raw_fd(socket), at.domain() == Domain::UNIX);
        Step::Listen { fd, backlog, unix, answer: done(&listens) }
    });
    listens
}

/// accept4(2), nonblocking.
pub(super) fn accept(listener: BorrowedFd<'_>) -> io::Result<(OwnedFd, Address)> {
    let taken = |(fd, _): &(OwnedFd, _)| usize::try_from(raw_fd(fd)).unwrap_or_default();
    let accepted = call_for(Call::on("accept4", listener), taken, || {
        Ok(acceptfrom_with(listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC)?)
    });
    let accepted = accepted.map(|(fd, peer)| (fd, Address::from(peer)));
    explain(|| {
        let peer = accepted.as_ref().map_or(&Address::Unnamed, |(_, peer)| peer).into();
        let fd = raw_fd(listener);
        Step::Accept { fd, peer, answer: answer(&accepted, |(fd, _)| raw_fd(fd)) }
    });
    accepted
}

/// connect(2).
pub(super) fn connect(socket: &Socket, to: &SockAddr, how: Connecting) -> io::Result<()> {
    let place = place(to);
    let connected = call_for(Call::on("connect", socket), |()| 0, || socket.connect(to));
    explain(|| Step::Connect { fd: raw_fd(socket), to: place, how, answer: done(&connected) });
    connected
}

/// connect(2) of a socket for datagrams to whoever has sent to it.
pub(super) fn connect_with_sender(socket: impl AsFd, sender: &SocketAddrAny) -> io::Result<()> {
    let connected = call_for(
        Call::on("connect", &socket),
        |()| 0,
        || Ok(rustix::net::connect(&socket, sender)?),
    );
    explain(|| {
        let to = Place::from(sender);
        let how = Connecting::Sender;
        Step::Connect { fd: raw_fd(&socket), to, how, answer: done(&connected) }
    });
    connected
}

/// `SO_ERROR`, socket(7): the error that has happened since somebody asked, and was not told yet.
///
/// # Errors
/// That error, or the one of getsockopt(2) itself.
pub(super) fn pending_error(socket: impl AsFd) -> io::Result<()> {
    let pending = socket_error(&socket)?;
    let errno = pending.err().map_or(0, Errno::raw_os_error);
    if is_heard() {
        let this = Call::on("getsockopt", &socket).with("SO_ERROR").finding(errno);
        tell(Event::Called(this, Ok(0), Duration::ZERO));
    }
    explain(|| Step::Pending { fd: raw_fd(&socket), errno });
    Ok(pending?)
}

/// shutdown(2) for writing.
pub(super) fn shutdown_write(socket: impl AsFd, what: Ended) -> io::Result<()> {
    let this = Call::on("shutdown", &socket).with("SHUT_WR");
    let down =
        call_for(this, |()| 0, || SockRef::from(&socket).shutdown(std::net::Shutdown::Write));
    explain(|| Step::Shutdown { fd: raw_fd(&socket), what, answer: done(&down) });
    down
}

/// What setsockopt(2) is told, as strace shows it.
pub(super) struct Setting<'a> {
    /// `SOL_SOCKET` and its like.
    pub(super) level: i32,
    pub(super) name: &'a str,
    /// `[1]`, `"lo"`.
    pub(super) value: String,
    /// Of the value, in bytes.
    pub(super) len: usize,
}

impl<'a> Setting<'a> {
    /// An option that is an `int`.
    pub(super) fn int(level: i32, name: &'a str, value: impl Into<i64>) -> Self {
        Self { level, name, value: format!("[{}]", value.into()), len: size_of::<i32>() }
    }
}

/// setsockopt(2), whose answer is known: what it was for, and what it was told.
pub(super) fn tell_setting<'a>(
    socket: impl AsFd,
    set: &io::Result<()>,
    setting: impl FnOnce() -> (Purpose, Setting<'a>),
) {
    explain(|| {
        let (purpose, Setting { level, name, value, len }) = setting();
        let (fd, answer) = (raw_fd(&socket), done(set));
        Step::Option { fd, level, name, value, len, purpose, answer }
    });
}

/// `SO_REUSEADDR`, socket(7).
pub(super) fn reuse_address(socket: &Socket, datagrams: bool) -> io::Result<()> {
    let set = socket.set_reuse_address(true);
    let fd = raw_fd(socket);
    explain(|| Step::Reuse { fd, what: Reuse::Address, datagrams, answer: done(&set) });
    set
}

/// `SO_REUSEPORT`, socket(7).
pub(super) fn reuse_port(socket: &Socket, datagrams: bool) -> io::Result<()> {
    let set = socket.set_reuse_port(true);
    let fd = raw_fd(socket);
    explain(|| Step::Reuse { fd, what: Reuse::Port, datagrams, answer: done(&set) });
    set
}

impl From<&Address> for Place {
    fn from(address: &Address) -> Self {
        Self::new(address.to_sock_addr().ok(), address.to_string())
    }
}

impl From<&SocketAddrAny> for Place {
    fn from(address: &SocketAddrAny) -> Self {
        Self::from(&Address::from(Some(address.clone())))
    }
}

/// For the words about a call, and before it: to name an interface (`%eth0`) takes a call of its own. Nothing
/// where nobody wants to know.
fn place(at: &SockAddr) -> Place {
    if is_wanted() { Place::from(&Address::from(at)) } else { Place::default() }
}

fn done(answer: &io::Result<()>) -> Answer {
    crate::explain::answer(answer, |()| 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_the_words_of_its_address() {
        let zoned = Address::Ip("[fe80::1%1]:80".parse().expect("an address"));
        let unix = Address::Unix(crate::sys::address::UnixName::typed("@name".as_ref()));
        for address in [zoned, unix, Address::Vsock { cid: 2, port: 80 }] {
            assert_eq!(Place::from(&address).to_string(), address.to_string());
        }
        assert_eq!(
            Place::from(&Address::Vsock { cid: 2, port: 80 }).to_string(),
            "vsock 2 port 80"
        );
        assert_eq!(Place::from(&Address::Unnamed).to_string(), "a socket without a name");
    }
}
