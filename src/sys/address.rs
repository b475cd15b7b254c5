//! Addresses of every family a socket of ours can have, in one type.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use rustix::net::{SocketAddrAny, SocketAddrUnix};
use socket2::SockAddr;

use super::resolve::in_numbers;
use crate::error::abridge;

/// Where a socket is, or is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// An address and a port of the Internet.
    Ip(SocketAddr),
    /// A name of unix(7).
    Unix(UnixName),
    /// A machine and a port of vsock(7).
    Vsock {
        /// The context identifier.
        cid: u32,
        /// The port.
        port: u32,
    },
    /// A UNIX socket that was never bound, or a family that we know nothing of.
    Unnamed,
}

/// The name of a UNIX socket as it is typed: a path, or `@` and an abstract name, which has no file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnixName(OsString);

impl UnixName {
    /// A name as it is typed. Any byte may occur in it.
    #[must_use]
    pub fn typed(name: &OsStr) -> Self {
        Self(name.to_owned())
    }

    /// The path in the file system, if it is one.
    #[must_use]
    pub fn path(&self) -> Option<&OsStr> {
        if self.0.as_bytes().starts_with(b"@") { None } else { Some(&self.0) }
    }

    /// The kernel's form.
    ///
    /// # Errors
    /// `ENAMETOOLONG` beyond 107 bytes, `EINVAL` for an empty path. The kernel would say
    /// the same, but the name has to fit into its structure first.
    pub(super) fn to_sock_addr(&self) -> io::Result<SockAddr> {
        let bytes = self.0.as_bytes();
        let os = match bytes.split_first() {
            None => return Err(io::Error::from_raw_os_error(libc::EINVAL)),
            Some((b'@', name)) => [b"\0", name].concat(),
            Some(_) => bytes.to_vec(),
        };
        let longest = if os[0] == 0 { LONGEST + 1 } else { LONGEST };
        if os.len() > longest {
            return Err(io::Error::from_raw_os_error(libc::ENAMETOOLONG));
        }
        SockAddr::unix(OsStr::from_bytes(&os))
    }
}

impl Address {
    /// The form that socket(2) and its family take.
    ///
    /// # Errors
    /// The name of a UNIX socket is empty or too long.
    pub fn to_sock_addr(&self) -> io::Result<SockAddr> {
        match self {
            Self::Ip(address) => Ok((*address).into()),
            Self::Unix(name) => name.to_sock_addr(),
            Self::Vsock { cid, port } => Ok(SockAddr::vsock(*cid, *port)),
            Self::Unnamed => Err(io::Error::from_raw_os_error(libc::EDESTADDRREQ)),
        }
    }

    /// The Internet address, if it is one.
    #[must_use]
    pub fn as_ip(&self) -> Option<SocketAddr> {
        match self {
            Self::Ip(address) => Some(*address),
            Self::Unix(_) | Self::Vsock { .. } | Self::Unnamed => None,
        }
    }
}

impl From<Option<SocketAddrAny>> for Address {
    fn from(address: Option<SocketAddrAny>) -> Self {
        let Some(address) = address else { return Self::Unnamed };
        if let Ok(ip) = SocketAddr::try_from(address.clone()) {
            return Self::Ip(ip);
        }
        // rustix gives a name to what has none, the empty one in the abstract namespace, and a path of 108
        // bytes leaves it no room for the zero behind it: unix(7), BUGS.
        let len = address.addr_len() as usize;
        if len <= size_of::<libc::sa_family_t>() || len > LONGEST_ADDRESS {
            return Self::Unnamed;
        }
        let Ok(unix) = SocketAddrUnix::try_from(address) else { return Self::Unnamed };
        let name = match (unix.abstract_name(), unix.path()) {
            (Some(name), _) => [b"@", name].concat(),
            (None, Some(path)) => path.to_bytes().to_vec(),
            (None, None) => return Self::Unnamed,
        };
        Self::Unix(UnixName(OsString::from_vec(name)))
    }
}

impl From<&SockAddr> for Address {
    fn from(address: &SockAddr) -> Self {
        if let Some(ip) = address.as_socket() {
            Self::Ip(ip)
        } else if let Some((cid, port)) = address.as_vsock_address() {
            Self::Vsock { cid, port }
        } else if let Some(name) = address.as_abstract_namespace() {
            Self::Unix(UnixName(OsString::from_vec([b"@", name].concat())))
        } else if let Some(path) = address.as_pathname() {
            Self::Unix(UnixName(path.as_os_str().to_owned()))
        } else {
            Self::Unnamed
        }
    }
}

impl fmt::Display for UnixName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&abridge(&self.0.to_string_lossy()))
    }
}

/// `127.0.0.1 port 4004`, the path, or what can be said.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => write!(f, "{} port {}", in_numbers(*address), address.port()),
            Self::Unix(name) => name.fmt(f),
            Self::Vsock { cid: libc::VMADDR_CID_ANY, port } => write!(f, "vsock any port {port}"),
            Self::Vsock { cid, port } => write!(f, "vsock {cid} port {port}"),
            Self::Unnamed => f.write_str("peer"),
        }
    }
}

/// The family, and all of `sun_path`.
const LONGEST_ADDRESS: usize = 2 + 108;

/// `sun_path` has 108 bytes, and a path ends in a zero: unix(7).
const LONGEST: usize = 107;

#[cfg(test)]
mod tests {
    use super::*;

    fn unix(name: &str) -> Address {
        Address::Unix(UnixName::typed(OsStr::new(name)))
    }

    #[test]
    fn names_go_to_the_kernel_and_back() {
        for name in ["/tmp/a socket", "relative", "@abstract", "@"] {
            let there = unix(name).to_sock_addr().expect("fits");
            assert_eq!(Address::from(&there), unix(name), "{name}");
        }
        let ip = Address::Ip("[::1]:4004".parse().expect("address"));
        assert_eq!(Address::from(&ip.to_sock_addr().expect("fits")), ip);
    }

    #[test]
    fn a_socket_without_a_name_has_none() {
        let (one, _other) = std::os::unix::net::UnixStream::pair().expect("a pair");
        let found = rustix::net::getsockname(&one).expect("getsockname");
        assert_eq!(Address::from(Some(found)), Address::Unnamed);
    }

    #[test]
    fn an_abstract_name_is_exact_in_length() {
        assert_eq!(unix("@abs1").to_sock_addr().expect("fits").len(), 2 + 5);
    }

    #[test]
    fn names_that_do_not_fit_are_refused_and_not_cut() {
        let code = |name: &str| unix(name).to_sock_addr().err().and_then(|e| e.raw_os_error());
        assert_eq!(code(&"x".repeat(107)), None);
        assert_eq!(code(&"x".repeat(108)), Some(libc::ENAMETOOLONG));
        assert_eq!(code(&format!("@{}", "x".repeat(107))), None);
        assert_eq!(code(&format!("@{}", "x".repeat(108))), Some(libc::ENAMETOOLONG));
        assert_eq!(code(""), Some(libc::EINVAL));
    }

    #[test]
    fn a_name_need_not_be_text() {
        let odd = UnixName::typed(OsStr::from_bytes(b"x\xff\x1b.s"));
        let there = Address::Unix(odd.clone()).to_sock_addr().expect("fits");
        assert_eq!(Address::from(&there), Address::Unix(odd.clone()));
        assert_eq!(odd.to_string(), "x\u{fffd}\\u{1b}.s");
    }
}
