//! SOCKS5 (RFC 1928), with user and password where they are asked for (RFC 1929).
//!
//! ```text
//!         offer           0                      request            0, address type
//!   Hello ─────▶ Method ─────────────────────────────────▶ Reply ───────────────────▶ Address ──▶ Done
//!                   │  2                  0, request  ▲      │ 0, a name                ▲
//!                   └────▶ Password ──────────────────┘      └──────────▶ NameLength ───┘
//! ```
//!
//! Owns: the states and every edge between them. Must not know: what the address in the reply is good
//! for; it is read because it is there.
//!
//! Differs from Debian, which checks neither versions nor that the chosen method was offered, and takes
//! no name in a reply.

use std::rc::Rc;

use super::handshake::{
    Credentials, Fault, Handshake, Host, Limit, Progress, ProtocolError, Refusal, Status, Target,
    fill,
};

/// Asks a SOCKS5 proxy to connect.
#[derive(Debug)]
pub struct Socks5 {
    request: Vec<u8>,
    credentials: Option<Rc<Credentials>>,
    state: State,
    /// What has come of the part of the dialogue that the state waits for.
    read: Vec<u8>,
}

/// What is next. Each state waits for a number of bytes, and all of them lead on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing is waited for: the methods are offered. Leads to `Method`.
    Hello,
    /// The method that was chosen. Leads to `Password`, or sends the request and leads to `Reply`.
    Method,
    /// What the proxy thinks of user and password. Sends the request and leads to `Reply`.
    Password,
    /// The reply up to its type of address. Leads to `Address`, or to `NameLength` for a name.
    Reply,
    /// Leads to `Address`.
    NameLength,
    /// What is left of the reply, of this length. Leads to `Done`.
    Address(usize),
    /// Nothing.
    Done,
}

impl Socks5 {
    /// User and password are offered if there are credentials, and no authentication always.
    ///
    /// # Errors
    /// The user is empty; user or password have more than 255 bytes.
    pub fn new(
        target: &Target,
        credentials: Option<Rc<Credentials>>,
    ) -> Result<Self, ProtocolError> {
        if let Some(credentials) = &credentials {
            if credentials.user().is_empty() {
                return Err(Limit::BadCredentials.into());
            }
            if credentials.user().len().max(credentials.password().len()) > LONGEST {
                return Err(Limit::LongCredentials.into());
            }
        }
        let mut request = vec![VERSION, CONNECT, 0];
        match &target.host {
            Host::V4(address) => {
                request.push(IPV4);
                request.extend(address.octets());
            }
            Host::V6(address) => {
                request.push(IPV6);
                request.extend(address.octets());
            }
            Host::Name(name) => {
                request.push(NAME);
                push_counted(name.as_str().as_bytes(), &mut request);
            }
        }
        request.extend(target.port.to_be_bytes());
        Ok(Self { request, credentials, state: State::Hello, read: Vec::new() })
    }

    /// What was waited for is there: checks it, answers, and says what is next.
    fn next(&self, output: &mut Vec<u8>) -> Result<State, ProtocolError> {
        Ok(match self.state {
            State::Hello => {
                output.extend(match self.credentials {
                    None => &[VERSION, 1, NO_AUTHENTICATION][..],
                    Some(_) => &[VERSION, 2, NO_AUTHENTICATION, PASSWORD],
                });
                State::Method
            }
            State::Method => match (self.read[1], &self.credentials) {
                (NO_AUTHENTICATION, _) => self.ask(output),
                (PASSWORD, Some(credentials)) => {
                    output.push(PASSWORD_VERSION);
                    push_counted(credentials.user(), output);
                    push_counted(credentials.password(), output);
                    State::Password
                }
                (NO_METHOD, _) => return Err(Fault::NoMethod.into()),
                (method, _) => return Err(Fault::UnofferedMethod(method).into()),
            },
            State::Password if self.read[1] == 0 => self.ask(output),
            State::Password => return Err(Fault::RefusedCredentials.into()),
            State::Reply => match (self.read[1], self.read[3]) {
                (0, IPV4) => State::Address(4 + PORT_LEN),
                (0, IPV6) => State::Address(16 + PORT_LEN),
                (0, NAME) => State::NameLength,
                (0, kind) => return Err(Fault::AddressType(kind).into()),
                (code, _) => return Err(Refusal::Socks5(code).into()),
            },
            State::NameLength => State::Address(usize::from(self.read[0]) + PORT_LEN),
            State::Address(_) | State::Done => State::Done,
        })
    }

    fn ask(&self, output: &mut Vec<u8>) -> State {
        output.extend(&self.request);
        State::Reply
    }
}

impl Handshake for Socks5 {
    fn step(&mut self, input: &[u8], output: &mut Vec<u8>) -> Result<Progress, ProtocolError> {
        let mut rest = input;
        while self.state != State::Done {
            let whole = fill(&mut self.read, self.state.wanted(), &mut rest);
            if let (Some(version), Some(&first)) = (self.state.version(), self.read.first())
                && first != version
            {
                return Err(Fault::WrongVersion(first).into());
            }
            if !whole {
                return Ok(Progress::new(input.len(), Status::Waiting));
            }
            self.state = self.next(output)?;
            self.read.clear();
        }
        Ok(Progress::new(input.len() - rest.len(), Status::Done))
    }

    fn restart(&mut self) {
        self.state = State::Hello;
        self.read.clear();
    }

    fn at_eof(&self) -> ProtocolError {
        // Debian counts three here, and scripts may know its words.
        let wanted = if self.state == State::Method { 3 } else { self.state.wanted() };
        Fault::Closed { had: self.read.len(), wanted }.into()
    }
}

impl State {
    /// How many bytes it waits for.
    fn wanted(self) -> usize {
        match self {
            Self::Hello | Self::Done => 0,
            Self::NameLength => 1,
            Self::Method | Self::Password => 2,
            Self::Reply => 4,
            Self::Address(len) => len,
        }
    }

    /// What the first of them has to be.
    fn version(self) -> Option<u8> {
        match self {
            Self::Method | Self::Reply => Some(VERSION),
            Self::Password => Some(PASSWORD_VERSION),
            Self::Hello | Self::NameLength | Self::Address(_) | Self::Done => None,
        }
    }
}

/// The constructors see to it that none is too long.
fn push_counted(text: &[u8], output: &mut Vec<u8>) {
    debug_assert!(text.len() <= LONGEST);
    output.extend(u8::try_from(text.len()));
    output.extend(text);
}

/// What a code of a reply means (RFC 1928, section 6).
pub(super) fn reason(code: u8) -> &'static str {
    match code {
        1 => "General SOCKS server failure",
        2 => "Connection not allowed by ruleset",
        3 => "Network unreachable",
        4 => "Host unreachable",
        5 => "Connection refused",
        6 => "TTL expired",
        7 => "Command not supported",
        8 => "Address type not supported",
        _ => "Unknown error",
    }
}

const VERSION: u8 = 5;
const CONNECT: u8 = 1;
const NO_AUTHENTICATION: u8 = 0;
const PASSWORD: u8 = 2;
const NO_METHOD: u8 = 0xff;
/// Of the dialogue about the password, RFC 1929.
const PASSWORD_VERSION: u8 = 1;
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;
const PORT_LEN: usize = 2;
/// Lengths are told in one byte.
const LONGEST: usize = 255;

#[cfg(test)]
mod tests;
