//! What a proxy wants to hear before it connects us, written without any I/O.
//!
//! ```text
//!  proxy ──▶ input   step   output ──▶ proxy       until Done: the rest of the input is the peer's
//! ```
//!
//! Owns: the seam [`Handshake`] and the words all of them share: where to ([`Target`]), as whom
//! ([`Credentials`]), why not ([`ProtocolError`]). Must not know: sockets, time, which proxy it is.
//!
//! Invariant: what comes out depends on the bytes only, never on how they were cut into calls.
//!
//! Read next: `proto/socks4.rs`, the smallest; `proto/http_connect.rs`, which has to connect twice.

use std::fmt::{self, Debug, Display};
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::error::escape;
use crate::secret::Secret;

/// Spoken once, then thrown away.
///
/// Each implementation promises, and callers may build on it:
/// * The first call, which has an empty input, appends the request: a client speaks first.
/// * [`Status::Waiting`] means that *all* of the input was consumed: nothing has to be kept for the
///   next call, and a caller may read one byte at a time.
/// * [`Status::Done`] comes with the last byte of the proxy's reply. What was not consumed is the
///   peer's first data.
/// * The same bytes in, however cut, give the same bytes out, the same end, and the same number of
///   bytes consumed.
/// * What it keeps is bounded, at 32 KiB: the head of a reply, and the challenge of the one before. No
///   input makes it panic.
/// * Once it has ended, well or badly, further calls consume nothing and say the same again.
///
/// Callers must not send a byte of the session before `Done`, nor take silence for progress: how long
/// all of it may last is for them to say.
pub trait Handshake: Debug {
    /// Looks at what has come from the proxy since the last call and appends the answer to `output`.
    ///
    /// # Errors
    /// There will be no connection. What was appended need not be sent any more.
    fn step(&mut self, input: &[u8], output: &mut Vec<u8>) -> Result<Progress, ProtocolError>;

    /// Begins again, on a new connection, with what was learnt on the one before. Where proxies stand
    /// behind each other, all of them up to the one that said [`Status::Reconnect`] begin again.
    fn restart(&mut self);

    /// What it means that the proxy closes the connection now, before `Done`.
    fn at_eof(&self) -> ProtocolError;
}

/// How far one call came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes taken from the front of the input.
    pub consumed: usize,
    /// What is next.
    pub status: Status,
}

/// What is next after a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The output, if any, is to be sent, and then the proxy to be heard.
    Waiting,
    /// We are connected: everything from here on is the peer's.
    Done,
    /// The proxy has to be asked again, with credentials: close this connection, open a new one, call
    /// [`Handshake::restart`]. What is left of the input is of no use.
    Reconnect,
}

/// Where a proxy is to connect us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The host, by address if it is known.
    pub host: Host,
    /// The port.
    pub port: u16,
}

/// A host, as it can be told to a proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// The proxy will look it up.
    Name(HostName),
    /// A.
    V4(Ipv4Addr),
    /// AAAA. Proxies cannot be told a scope.
    V6(Ipv6Addr),
}

/// A name that is safe to put into a request: 1 to 255 bytes, nothing that ends a line, a word or the
/// host part of an authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostName(String);

/// A user and a password. Never shown whole, and wiped when dropped: share it, do not copy it.
pub struct Credentials {
    user: Secret,
    password: Secret,
}

/// Why a proxy did not connect us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProtocolError {
    /// Something the proxy did.
    Peer(Fault),
    /// Something we do not do, whatever the proxy.
    Limit(Limit),
}

/// What a proxy did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It understood, and will not or cannot. The next target may fare better.
    Refused(Refusal),
    /// It wants to know who we are, and there are no credentials. Its status line, fit to be shown.
    NeedsCredentials(String),
    /// It does not take the credentials. Others may fare better.
    RefusedCredentials,
    /// It knows no way of authentication that we know and have credentials for.
    NoMethod,
    /// It chose a SOCKS5 authentication method that it was not offered.
    UnofferedMethod(u8),
    /// A SOCKS reply begins with this byte.
    WrongVersion(u8),
    /// A SOCKS5 reply has an address of unknown length.
    AddressType(u8),
    /// Its first line is not HTTP's. The line, fit to be shown.
    NotHttp(String),
    /// What follows its status line is not a block of headers.
    BadHead,
    /// It closed the connection within a SOCKS reply.
    Closed {
        /// Bytes that have come of this part of the reply.
        had: usize,
        /// Bytes that it has.
        wanted: usize,
    },
    /// It closed the connection before the empty line.
    ClosedInHead,
}

/// A proxy's no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The code, which is not 90.
    Socks4(u8),
    /// The code, which is not 0.
    Socks5(u8),
    /// The status line, fit to be shown.
    Http(String),
}

/// What we do not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// A name that is empty or has characters no name has.
    BadName,
    /// A name of more than 255 bytes.
    LongName,
    /// A host SOCKS4 has no form for: what it is.
    Socks4Host(&'static str),
    /// A user or a password with bytes that the protocol has no form for.
    BadCredentials,
    /// A user or a password longer than the protocol allows.
    LongCredentials,
    /// The head of a reply goes on after 16 KiB.
    LongHead,
    /// The head of a reply has more than 64 headers.
    ManyHeaders,
}

impl Progress {
    pub(super) fn new(consumed: usize, status: Status) -> Self {
        Self { consumed, status }
    }
}

impl Host {
    /// An address as it is usually written, without brackets or scope; or else a name.
    ///
    /// # Errors
    /// It is neither.
    pub fn parse(text: &str) -> Result<Self, ProtocolError> {
        if let Ok(address) = text.parse() {
            return Ok(Self::V4(address));
        }
        if let Ok(address) = text.parse() {
            return Ok(Self::V6(address));
        }
        HostName::new(text).map(Self::Name)
    }
}

impl HostName {
    /// The longest: SOCKS5 tells the length in a byte, and DNS has no longer ones.
    pub const MAX_LEN: usize = 255;

    /// # Errors
    /// It is empty or too long; it has spaces, control characters, or characters that mean something
    /// around a host: a proxy must not be made to read another request than the one that is meant.
    pub fn new(text: &str) -> Result<Self, ProtocolError> {
        let odd = |c: char| c.is_whitespace() || "[]:/?#@\\\"".contains(c);
        if text.is_empty() || text.contains(odd) || escape(text) != text {
            return Err(Limit::BadName.into());
        }
        if text.len() > Self::MAX_LEN {
            return Err(Limit::LongName.into());
        }
        Ok(Self(text.to_owned()))
    }

    /// The name as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Credentials {
    /// Copies both; wiping the originals is the caller's business.
    #[must_use]
    pub fn new(user: &[u8], password: &[u8]) -> Self {
        Self { user: Secret::copied(user), password: Secret::copied(password) }
    }

    pub(super) fn user(&self) -> &[u8] {
        self.user.bytes()
    }

    pub(super) fn password(&self) -> &[u8] {
        self.password.bytes()
    }
}

/// Moves bytes of the input to what has been read, up to `wanted` in all. Says whether it has them.
pub(super) fn fill(read: &mut Vec<u8>, wanted: usize, input: &mut &[u8]) -> bool {
    let (taken, rest) = input.split_at(input.len().min(wanted.saturating_sub(read.len())));
    read.extend(taken);
    *input = rest;
    read.len() == wanted
}

/// As the authority of a URL.
impl Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Name(name) => write!(f, "{}:{}", name.0, self.port),
            Host::V4(address) => write!(f, "{address}:{}", self.port),
            Host::V6(address) => write!(f, "[{address}]:{}", self.port),
        }
    }
}

impl Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials {{ user: {:?}, .. }}", String::from_utf8_lossy(self.user()))
    }
}

impl From<Fault> for ProtocolError {
    fn from(fault: Fault) -> Self {
        Self::Peer(fault)
    }
}

impl From<Refusal> for ProtocolError {
    fn from(refusal: Refusal) -> Self {
        Self::Peer(Fault::Refused(refusal))
    }
}

impl From<Limit> for ProtocolError {
    fn from(limit: Limit) -> Self {
        Self::Limit(limit)
    }
}

impl std::error::Error for ProtocolError {}

impl Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Peer(fault) => Display::fmt(fault, f),
            Self::Limit(limit) => Display::fmt(limit, f),
        }
    }
}

/// In Debian's words where it has some. It calls an end of file a broken pipe.
impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => Display::fmt(refusal, f),
            Self::NeedsCredentials(line) | Self::NotHttp(line) => {
                write!(f, "Proxy error: \"{line}\"")
            }
            Self::RefusedCredentials => f.write_str("Proxy authentication failed"),
            Self::NoMethod => f.write_str("authentication method negotiation failed"),
            Self::UnofferedMethod(method) => {
                write!(f, "proxy chose authentication method {method}, which was not offered")
            }
            Self::WrongVersion(version) => {
                write!(f, "connection failed, unexpected SOCKS reply version {version}")
            }
            Self::AddressType(_) => f.write_str("connection failed, unsupported address type"),
            Self::BadHead => f.write_str("Proxy error: malformed headers"),
            Self::Closed { had, wanted } => write!(f, "read failed ({had}/{wanted}): Broken pipe"),
            Self::ClosedInHead => f.write_str("proxy read: Broken pipe"),
        }
    }
}

impl Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socks4(code) => {
                write!(f, "connection failed, SOCKSv4 error: {}", super::socks4::reason(*code))
            }
            Self::Socks5(code) => {
                write!(f, "connection failed, SOCKSv5 error: {}", super::socks5::reason(*code))
            }
            Self::Http(line) => write!(f, "Proxy error: \"{line}\""),
        }
    }
}

impl Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BadName => "Invalid hostname",
            Self::LongName => "hostname too long",
            Self::Socks4Host(what) => return write!(f, "SOCKSv4 cannot be asked for {what}"),
            Self::BadCredentials => "Invalid proxy username/password",
            Self::LongCredentials => "Proxy username/password too long",
            Self::LongHead => "proxy read too long",
            Self::ManyHeaders => "Too many proxy headers received",
        })
    }
}

#[cfg(test)]
pub(super) mod tests;
