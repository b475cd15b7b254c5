//! The call behind each step, as strace(1) prints it, but for what was read and written.

use std::fmt;

use super::strace::{Errno, Returns, SockAddr};
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
                let flags = "O_NOCTTY|O_NONBLOCK|O_CLOEXEC";
                write!(f, "openat(AT_FDCWD, \"/proc/self/fd/{fd}\", {mode}|{flags}) = {own}")
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
                write!(f, "setsockopt({fd}, {level}, {name}, {value}, {len}){}", Returns(*answer))
            }
            Self::Reuse { fd, what, answer, .. } => {
                let name = match what {
                    Reuse::Address => "SO_REUSEADDR",
                    Reuse::Port => "SO_REUSEPORT",
                };
                write!(f, "setsockopt({fd}, SOL_SOCKET, {name}, [1], 4){}", Returns(*answer))
            }
            Self::BindToListen { fd, at, answer } | Self::BindFrom { fd, at, answer } => {
                write!(f, "bind({fd}, {}, {}){}", SockAddr(at), at.len(), Returns(*answer))
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
                let flags = "SOCK_CLOEXEC|SOCK_NONBLOCK";
                match answer {
                    Ok(_) => {
                        write!(f, "accept4({fd}, {}, [128 => {}], ", SockAddr(peer), peer.len())?;
                    }
                    Err(_) => write!(f, "accept4({fd}, ..., [128], ")?,
                }
                write!(f, "{flags}){}", Returns(*answer))
            }
            Self::ListenerClosed { fd }
            | Self::Loser { fd }
            | Self::GaveUp { fd }
            | Self::ProbeClosed { fd }
            | Self::Over { fd, .. } => write!(f, "close({fd}) = 0"),
            Self::Connect { fd, to, answer, .. } => {
                write!(f, "connect({fd}, {}, {}){}", SockAddr(to), to.len(), Returns(*answer))
            }
            Self::Pending { fd, errno: 0 } => {
                write!(f, "getsockopt({fd}, SOL_SOCKET, SO_ERROR, [0], [4]) = 0")
            }
            Self::Pending { fd, errno } => {
                write!(f, "getsockopt({fd}, SOL_SOCKET, SO_ERROR, [{}], [4]) = 0", Errno(*errno))
            }
            Self::Met { fd, sender, len } => {
                let (at, size) = (SockAddr(sender), sender.len());
                let flags = "MSG_PEEK|MSG_DONTWAIT";
                write!(f, "recvfrom({fd}, \"...\", 1, {flags}, {at}, [128 => {size}]) = {len}")
            }
            Self::NewPeer { fd, sender, len } => {
                let (at, size) = (SockAddr(sender), sender.len());
                write!(
                    f,
                    "recvfrom({fd}, \"...\", ..., MSG_DONTWAIT, {at}, [128 => {size}]) = {len}"
                )
            }
            Self::Heard { fd, room, len, from: Some(from), .. } => {
                let (at, size) = (SockAddr(from), from.len());
                write!(
                    f,
                    "recvfrom({fd}, \"...\", {room}, MSG_DONTWAIT, {at}, [128 => {size}]) = {len}"
                )
            }
            Self::Heard { fd, room, len, from: None, .. } => {
                write!(f, "recvfrom({fd}, \"...\", {room}, MSG_DONTWAIT, NULL, NULL) = {len}")
            }
            Self::PeerEnded { fd, room, peek, .. } => {
                let flags = if *peek { "MSG_PEEK|MSG_DONTWAIT" } else { "MSG_DONTWAIT" };
                write!(f, "recvfrom({fd}, \"\", {room}, {flags}, NULL, NULL) = 0")
            }
            Self::SpliceFailed { from, to, errno } => {
                write!(f, "splice({from}, NULL, {to}, NULL, ...){}", Returns(Err(*errno)))
            }
            Self::ReadFailed { fd, errno } => {
                write!(f, "recvfrom({fd}, ...){}", Returns(Err(*errno)))
            }
            Self::Said { fd, len, .. } => {
                let flags = "MSG_DONTWAIT|MSG_NOSIGNAL";
                write!(f, "sendto({fd}, \"...\", {len}, {flags}, NULL, 0) = {len}")
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
            Self::Killed { signal } => write!(f, "kill(getpid(), {signal})"),
            Self::Exit { status, .. } => write!(f, "exit_group({status}) = ?"),
            Self::Race { .. }
            | Self::NextAddress
            | Self::Exclusive
            | Self::Neighbour { .. }
            | Self::Inherited { .. }
            | Self::KeepOpen
            | Self::EndMeans { .. }
            | Self::NotTold { .. }
            | Self::Telnet { .. }
            | Self::Proxy { .. }
            | Self::ProxyDone { .. } => Ok(()),
        }
    }
}
