//! Calls as strace(1) prints them, so that a line here is the line there.

use std::fmt;
use std::net::SocketAddr;

use crate::error::{errno_name, escape, reason};

/// What a call has answered: a number, or an errno.
pub type Answer = Result<i32, i32>;

/// An address as the kernel is given it.
#[derive(Clone, Debug)]
pub enum Place {
    /// Of the Internet.
    Ip(SocketAddr),
    /// Of unix(7): a path, or `@` and an abstract name.
    Unix(String),
    /// Of vsock(7).
    Vsock {
        /// The context identifier.
        cid: u32,
        /// The port.
        port: u32,
    },
    /// A UNIX socket that was never bound.
    Unnamed,
}

impl Place {
    /// Its length in bytes, as the calls are told it.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Ip(SocketAddr::V4(_)) | Self::Vsock { .. } => 16,
            Self::Ip(SocketAddr::V6(_)) => 28,
            // A path ends in a zero; an abstract name begins with one, where `@` is written.
            Self::Unix(name) if name.starts_with('@') => 2 + name.len(),
            Self::Unix(name) => 2 + name.len() + 1,
            Self::Unnamed => 2,
        }
    }

    pub(super) fn is_unix(&self) -> bool {
        matches!(self, Self::Unix(_) | Self::Unnamed)
    }
}

/// In words: `127.0.0.1 port 4004`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(at) => write!(f, "{} port {}", at.ip(), at.port()),
            Self::Unix(name) => f.write_str(&escape(name)),
            Self::Vsock { cid, port } => write!(f, "machine {cid} port {port}"),
            Self::Unnamed => f.write_str("a socket without a name"),
        }
    }
}

/// As strace shows it.
pub(super) struct SockAddr<'a>(pub(super) &'a Place);

impl fmt::Display for SockAddr<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Place::Ip(SocketAddr::V4(at)) => {
                let (ip, port) = (at.ip(), at.port());
                write!(
                    f,
                    "{{sa_family=AF_INET, sin_port=htons({port}), sin_addr=inet_addr(\"{ip}\")}}"
                )
            }
            Place::Ip(SocketAddr::V6(at)) => write!(
                f,
                "{{sa_family=AF_INET6, sin6_port=htons({}), sin6_flowinfo=htonl({}), \
                 inet_pton(AF_INET6, \"{}\", &sin6_addr), sin6_scope_id={}}}",
                at.port(),
                at.flowinfo(),
                at.ip(),
                at.scope_id()
            ),
            Place::Unix(name) => {
                let (at, name) = name.strip_prefix('@').map_or(("", &**name), |name| ("@", name));
                write!(f, "{{sa_family=AF_UNIX, sun_path={at}\"{}\"}}", escape(name))
            }
            Place::Vsock { cid, port } => {
                write!(f, "{{sa_family=AF_VSOCK, svm_cid={cid:#x}, svm_port={port:#x}}}")
            }
            Place::Unnamed => f.write_str("{sa_family=AF_UNIX}"),
        }
    }
}

/// ` = 4`, ` = -1 ECONNREFUSED (Connection refused)`.
pub(super) struct Returns(pub(super) Answer);

impl fmt::Display for Returns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Ok(value) => write!(f, " = {value}"),
            Err(errno) => write!(f, " = -1 {} ({})", Errno(errno), strerror(errno)),
        }
    }
}

/// `ECONNREFUSED`, or the number of one that has no name.
pub(super) struct Errno(pub(super) i32);

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match errno_name(self.0) {
            Some(name) => f.write_str(&name),
            None => self.0.fmt(f),
        }
    }
}

fn strerror(errno: i32) -> String {
    reason(&std::io::Error::from_raw_os_error(errno))
}

/// What a socket is, as socket(2) is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Make {
    /// `AF_INET` and its like.
    pub family: i32,
    /// `SOCK_STREAM` and its like, with flags.
    pub kind: i32,
    /// `IPPROTO_TCP` and its like; 0: the usual one.
    pub protocol: i32,
}

impl Make {
    /// Without flags.
    pub(super) fn bare_kind(self) -> i32 {
        self.kind & !(libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK)
    }
}

impl fmt::Display for Make {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let family = match self.family {
            libc::AF_INET => "AF_INET",
            libc::AF_INET6 => "AF_INET6",
            libc::AF_VSOCK => "AF_VSOCK",
            _ => "AF_UNIX",
        };
        let kind = match self.bare_kind() {
            libc::SOCK_STREAM => "SOCK_STREAM",
            libc::SOCK_DGRAM => "SOCK_DGRAM",
            _ => "SOCK_SEQPACKET",
        };
        let nonblock = if self.kind & libc::SOCK_NONBLOCK == 0 { "" } else { "|SOCK_NONBLOCK" };
        let is_ip = matches!(self.family, libc::AF_INET | libc::AF_INET6);
        let protocol = match self.protocol {
            libc::IPPROTO_TCP => "IPPROTO_TCP",
            libc::IPPROTO_MPTCP => "IPPROTO_MPTCP",
            libc::IPPROTO_UDP => "IPPROTO_UDP",
            _ if is_ip => "IPPROTO_IP",
            _ => "0",
        };
        write!(f, "{family}, {kind}|SOCK_CLOEXEC{nonblock}, {protocol}")
    }
}
