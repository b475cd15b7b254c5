//! Calls as strace(1) prints them, so that a line here is the line there.

use std::fmt;
use std::net::SocketAddr;

use crate::error::{errno_name, escape, reason};

/// What a call has answered: a number, or an errno.
pub type Answer = Result<i32, i32>;

/// An address: as the kernel is given it, and as our own lines have it, harmless to a terminal. By default that
/// of a UNIX socket which was never bound.
#[derive(Clone, Debug, Default)]
pub struct Place {
    kernels: Option<socket2::SockAddr>,
    words: String,
}

impl Place {
    /// What the kernel is given, if the socket has an address, and our words for it.
    #[must_use]
    pub fn new(kernels: Option<socket2::SockAddr>, words: String) -> Self {
        Self { kernels, words }
    }

    /// Its length in bytes, as the calls are told it.
    pub(super) fn len(&self) -> u32 {
        self.kernels.as_ref().map_or(JUST_A_FAMILY, socket2::SockAddr::len)
    }

    /// Of the Internet.
    pub(super) fn as_ip(&self) -> Option<SocketAddr> {
        self.kernels.as_ref()?.as_socket()
    }

    /// In our words, without a port: `fe80::1%eth0`.
    pub(super) fn host(&self) -> &str {
        self.words.split_once(" port ").map_or(&self.words, |(host, _)| host)
    }

    pub(super) fn is_unix(&self) -> bool {
        self.kernels.as_ref().is_none_or(socket2::SockAddr::is_unix)
    }

    /// A name of unix(7), as strace shows it: without the zero that it begins or ends with, and whether it is
    /// in the abstract namespace.
    pub(super) fn name(&self) -> Option<(String, bool)> {
        let address = self.kernels.as_ref()?;
        match (address.as_abstract_namespace(), address.as_pathname()) {
            (Some(name), _) => Some((escape(&String::from_utf8_lossy(name)), true)),
            (None, Some(path)) => Some((escape(&path.to_string_lossy()), false)),
            (None, None) => None,
        }
    }
}

/// In words: `127.0.0.1 port 4004`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.kernels.is_some() { &self.words } else { "a socket without a name" })
    }
}

/// As strace shows it.
pub(super) struct SockAddr<'a>(pub(super) &'a Place);

impl fmt::Display for SockAddr<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_ip() {
            Some(SocketAddr::V4(at)) => {
                let (ip, port) = (at.ip(), at.port());
                return write!(
                    f,
                    "{{sa_family=AF_INET, sin_port=htons({port}), sin_addr=inet_addr(\"{ip}\")}}"
                );
            }
            Some(SocketAddr::V6(at)) => {
                write!(
                    f,
                    "{{sa_family=AF_INET6, sin6_port=htons({}), sin6_flowinfo=htonl({}), \
                     inet_pton(AF_INET6, \"{}\", &sin6_addr), sin6_scope_id=",
                    at.port(),
                    at.flowinfo(),
                    at.ip(),
                )?;
                let zone = at.scope_id().to_string();
                return match self.0.host().split_once('%') {
                    Some((_, name)) if name != zone => write!(f, "if_nametoindex(\"{name}\")}}"),
                    Some(_) | None => write!(f, "{zone}}}"),
                };
            }
            None => {}
        }
        if let Some((name, is_abstract)) = self.0.name() {
            let at = if is_abstract { "@" } else { "" };
            return write!(f, "{{sa_family=AF_UNIX, sun_path={at}\"{name}\"}}");
        }
        match self.0.kernels.as_ref().and_then(socket2::SockAddr::as_vsock_address) {
            Some((cid, port)) => {
                f.write_str("{sa_family=AF_VSOCK, svm_cid=")?;
                match cid {
                    libc::VMADDR_CID_LOCAL => f.write_str("VMADDR_CID_LOCAL")?,
                    libc::VMADDR_CID_HOST => f.write_str("VMADDR_CID_HOST")?,
                    libc::VMADDR_CID_ANY => f.write_str("VMADDR_CID_ANY")?,
                    cid => write!(f, "{cid:#x}")?,
                }
                write!(f, ", svm_port={port:#x}, svm_flags=0}}")
            }
            None => f.write_str("{sa_family=AF_UNIX}"),
        }
    }
}

/// `sa_family_t`.
const JUST_A_FAMILY: u32 = 2;

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
