//! The call behind each step, as strace(1) prints it, but for what was read and written.

use std::fmt;

use super::strace::{Answer, Errno, Place, Returns, SockAddr};
use super::{Reuse, Step, Taken};
use crate::error::escape;

impl Step<'_> {
    /// The call, in one line; nothing where there is none.
    #[expect(clippy::too_many_lines, reason = "a table")]
    pub(super) fn call(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Poller { fd } => write!(f, "epoll_create1(EPOLL_CLOEXEC) = {fd}"),
            Self::Standard { fd, own, taken: Taken::Opened { writing }, .. } => {
                let mode = if *writing { "O_WRONLY" } else { "O_RDONLY" };
                write!(
                    f,
                    "openat(AT_FDCWD, \"/proc/self/fd/{fd}\", {mode}|O_NOCTTY|O_NONBLOCK|O_CLOEXEC) = {own}"
                )
            }
            Self::Standard { fd, own, taken: Taken::PerCall | Taken::Ready, .. } => {
                write!(f, "fcntl({fd}, F_DUPFD_CLOEXEC, 3) = {own}")
            }
            Self::LookedUp { host, found } => {
                write!(f, "getaddrinfo(\"{}\") = {}", escape(host), found.join(", "))
            }
            Self::Socket { make, answer, .. } => {
                write!(f, "socket({make}){}", Returns(*answer))
            }
            Self::Option { fd, level, name, value, len, answer, .. } => {
                let level = match *level {
                    libc::SOL_SOCKET => "SOL_SOCKET",
                    libc::IPPROTO_IP => "SOL_IP",
                    libc::IPPROTO_IPV6 => "SOL_IPV6",
                    _ => "SOL_TCP",
                };
                set(f, *fd, level, (name, value, *len), *answer)
            }
            Self::Reuse { fd, what, answer, .. } => {
                let name = match what {
                    Reuse::Address => "SO_REUSEADDR",
                    Reuse::Port => "SO_REUSEPORT",
                };
                set(f, *fd, "SOL_SOCKET", (name, "[1]", 4), *answer)
            }
            Self::BindToListen { fd, at, answer } | Self::BindFrom { fd, at, answer } => {
                addressed(f, "bind", *fd, at, *answer)
            }
            Self::Named { fd, at } | Self::Connected { fd, local: at, .. } => {
                write!(f, "getsockname({fd}, {}, [128 => {}]) = 0", SockAddr(at), at.len())
            }
            Self::Listen { fd, backlog, answer, .. } => {
                write!(f, "listen({fd}, {backlog}){}", Returns(*answer))
            }
            Self::Sleep { fd, most, timeout } => {
                write!(f, "epoll_wait({fd}, ..., {most}, {timeout})")
            }
            Self::Accept { fd, peer, answer } => {
                match answer {
                    Ok(_) => {
                        write!(f, "accept4({fd}, {}, [128 => {}], ", SockAddr(peer), peer.len())?;
                    }
                    Err(_) => write!(f, "accept4({fd}, ..., [128], ")?,
                }
                write!(f, "SOCK_CLOEXEC|SOCK_NONBLOCK){}", Returns(*answer))
            }
            Self::ListenerClosed { fd }
            | Self::Loser { fd }
            | Self::GaveUp { fd, .. }
            | Self::ProbeClosed { fd, .. }
            | Self::Over { fd, .. } => write!(f, "close({fd}) = 0"),
            Self::Connect { fd, to, answer, .. } => addressed(f, "connect", *fd, to, *answer),
            Self::Pending { fd, errno } => {
                write!(f, "getsockopt({fd}, SOL_SOCKET, SO_ERROR, [{}], [4]) = 0", Errno(*errno))
            }
            Self::Met { fd, sender, len } => {
                heard(f, *fd, "1, MSG_PEEK|MSG_DONTWAIT", sender, *len)
            }
            Self::NewPeer { fd, sender, len } => heard(f, *fd, "..., MSG_DONTWAIT", sender, *len),
            Self::Heard { fd, room, len, from: Some(from), .. } => {
                heard(f, *fd, &format!("{room}, MSG_DONTWAIT"), from, *len)
            }
            Self::Heard { fd, room, len, from: None, .. } => {
                write!(f, "recvfrom({fd}, \"...\", {room}, MSG_DONTWAIT, NULL, NULL) = {len}")
            }
            Self::PeerEnded { fd, room, peek, .. } => {
                let peek = if *peek { "MSG_PEEK|" } else { "" };
                write!(f, "recvfrom({fd}, \"\", {room}, {peek}MSG_DONTWAIT, NULL, NULL) = 0")
            }
            Self::SpliceFailed { from, to, errno } => {
                write!(f, "splice({from}, NULL, {to}, NULL, ...){}", Returns(Err(*errno)))
            }
            Self::ReadFailed { fd, errno } => {
                write!(f, "recvfrom({fd}, ...){}", Returns(Err(*errno)))
            }
            Self::Said { fd, len, .. } => {
                write!(
                    f,
                    "sendto({fd}, \"...\", {len}, MSG_DONTWAIT|MSG_NOSIGNAL, NULL, 0) = {len}"
                )
            }
            Self::SaidTo { fd, len, to } => {
                let (at, size) = (SockAddr(to), to.len());
                write!(
                    f,
                    "sendto({fd}, \"...\", {len}, MSG_DONTWAIT|MSG_NOSIGNAL, {at}, {size}) = {len}"
                )
            }
            Self::SynSent { fd, answer } => {
                let answer = Returns(*answer);
                write!(f, "sendto({fd}, \"\", 0, MSG_DONTWAIT|MSG_NOSIGNAL, NULL, 0){answer}")
            }
            Self::WriteFailed { fd, len, errno } => {
                write!(f, "sendto({fd}, \"...\", {len}, ...){}", Returns(Err(*errno)))
            }
            Self::Shutdown { fd, answer, .. } => {
                write!(f, "shutdown({fd}, SHUT_WR){}", Returns(*answer))
            }
            Self::PassedOn { fd } => {
                write!(f, "sendmsg(1, {{... cmsg_type=SCM_RIGHTS, cmsg_data=[{fd}] ...}}) = 1")
            }
            Self::Unlink { path, .. } => write!(f, "unlink(\"{}\") = 0", escape(path)),
            Self::Killed { signal } => {
                let signal = signal.strip_prefix("SIG").unwrap_or(signal);
                write!(f, "rt_sigprocmask(SIG_UNBLOCK, [{signal}], NULL, 8) = 0")
            }
            Self::Exit { status, .. } => write!(f, "exit_group({status}) = ?"),
            Self::Race { .. }
            | Self::NextAddress
            | Self::Exclusive
            | Self::Neighbour { .. }
            | Self::Inherited { .. }
            | Self::KeepOpen
            | Self::EndMeans { .. }
            | Self::ReadEnough
            | Self::NotTold { .. }
            | Self::Telnet { .. }
            | Self::Proxy { .. }
            | Self::ProxyDone { .. } => Ok(()),
        }
    }
}

/// bind(2) or connect(2).
fn addressed(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    fd: i32,
    at: &Place,
    answer: Answer,
) -> fmt::Result {
    write!(f, "{name}({fd}, {}, {}){}", SockAddr(at), at.len(), Returns(answer))
}

/// setsockopt(2), with the option's name, its value and the length of that.
fn set(
    f: &mut fmt::Formatter<'_>,
    fd: i32,
    level: &str,
    (name, value, len): (&str, &str, usize),
    answer: Answer,
) -> fmt::Result {
    write!(f, "setsockopt({fd}, {level}, {name}, {value}, {len}){}", Returns(answer))
}

/// recvfrom(2) that says who has sent; `how` is the room for it, and the flags.
fn heard(
    f: &mut fmt::Formatter<'_>,
    fd: i32,
    how: &str,
    sender: &Place,
    len: usize,
) -> fmt::Result {
    let (at, size) = (SockAddr(sender), sender.len());
    write!(f, "recvfrom({fd}, \"...\", {how}, {at}, [128 => {size}]) = {len}")
}
