//! HTTP CONNECT (RFC 9110, section 9.3.6), as Debian's netcat and ncat speak it.
//!
//! ```text
//!            request           2xx, empty line
//!   Request ─────────▶ Reply ──────────────────▶ Done
//!      ▲                 │ 407, empty line, a challenge that can be answered
//!      └── restart ── Again
//! ```
//!
//! Owns: what is asked, which replies are good, when to ask again with credentials. Must not know: how
//! credentials are written (`proto/http_auth.rs`).
//!
//! The first request has no credentials: only a challenge says whether a password has to be sent at
//! all. After a challenge the connection is always given up, as Debian and ncat do. Going on with it
//! would mean to trust what the proxy says about the length of a body nobody wants.

use std::rc::Rc;

use httparse::{EMPTY_HEADER, ParserConfig, Response};

use super::handshake::{
    Credentials, Fault, Handshake, Limit, Progress, ProtocolError, Refusal, Status, Target,
};
use super::http_auth::{Challenge, Request};
use crate::error::escape;

/// Asks an HTTP proxy to connect.
#[derive(Debug)]
pub struct HttpConnect {
    authority: String,
    credentials: Option<Rc<Credentials>>,
    client_nonce: String,
    /// The last one that came, with how often it has been answered.
    challenge: Option<(Challenge, u32)>,
    /// How many came since the proxy last connected us.
    challenges: usize,
    state: State,
    /// What has come of the reply, and how many line breaks it has.
    head: Vec<u8>,
    lines: usize,
}

/// What is next.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// To be sent, with the answer to the challenge if there is one. Leads to `Reply`.
    Request,
    /// To be read, up to the empty line. Leads to `Done`, `Again` or `Failed`.
    Reply,
    /// A new connection, which leads to `Request`.
    Again,
    /// Nothing.
    Done,
    /// Nothing.
    Failed(ProtocolError),
}

impl HttpConnect {
    /// `client_nonce` has to be random and of this one use only: Digest mixes it into what it proves the
    /// password with, so that a proxy cannot look the proof up in a table.
    ///
    /// # Errors
    /// User and password have control characters or are too long; the user has a colon, which Basic
    /// would take for its end.
    pub fn new(
        target: &Target,
        credentials: Option<Rc<Credentials>>,
        client_nonce: [u8; 16],
    ) -> Result<Self, ProtocolError> {
        if let Some(credentials) = &credentials {
            let (user, password) = (credentials.user(), credentials.password());
            if user.contains(&b':') || user.iter().chain(password).any(u8::is_ascii_control) {
                return Err(Limit::BadCredentials.into());
            }
            if user.len() + password.len() > LONGEST_CREDENTIALS {
                return Err(Limit::LongCredentials.into());
            }
        }
        Ok(Self {
            authority: target.to_string(),
            credentials,
            client_nonce: format!("{:032x}", u128::from_be_bytes(client_nonce)),
            challenge: None,
            challenges: 0,
            state: State::Request,
            head: Vec::new(),
            lines: 0,
        })
    }

    fn ask(&mut self, output: &mut Vec<u8>) {
        output.extend(format!("CONNECT {} HTTP/1.0\r\n", self.authority).as_bytes());
        if let (Some((challenge, answered)), Some(credentials)) =
            (&mut self.challenge, &self.credentials)
        {
            *answered += 1;
            let request = Request { method: "CONNECT", uri: &self.authority };
            output.extend(b"Proxy-Authorization: ");
            challenge.answer(credentials, request, &self.client_nonce, *answered, output);
            output.extend(b"\r\n");
        }
        output.extend(b"\r\n");
    }

    /// The first line, as soon as it is there: what is not HTTP may never send an empty one.
    fn judge_status_line(&self) -> Result<State, ProtocolError> {
        let line = || shown(self.head.trim_ascii_end());
        let mut headers = [EMPTY_HEADER; MOST_HEADERS];
        let mut response = Response::new(&mut headers);
        let parsed = response.parse(&self.head);
        match parsed.ok().and(response.code) {
            None => Err(Fault::NotHttp(line()).into()),
            Some(200..=299) => Ok(State::Reply),
            Some(CHALLENGED) if self.credentials.is_some() => Ok(State::Reply),
            Some(CHALLENGED) => Err(Fault::NeedsCredentials(line()).into()),
            // Not what it is for, but what tinyproxy says of a wrong password.
            Some(401) if self.challenges > 0 => Err(Fault::RefusedCredentials.into()),
            Some(_) => Err(Refusal::Http(line()).into()),
        }
    }

    /// All of it, at the empty line.
    fn judge_head(&mut self) -> Result<State, ProtocolError> {
        let mut headers = [EMPTY_HEADER; MOST_HEADERS];
        let mut response = Response::new(&mut headers);
        // A header nobody needs is no reason to fail. One that is cut or folded is left out too.
        let parsed = ParserConfig::default()
            .ignore_invalid_headers_in_responses(true)
            .parse_response(&mut response, &self.head);
        match parsed {
            Ok(httparse::Status::Complete(length)) if length == self.head.len() => {}
            Err(httparse::Error::TooManyHeaders) => return Err(Limit::ManyHeaders.into()),
            // Two readings of where a head ends are one too many.
            _ => return Err(Fault::BadHead.into()),
        }
        if response.code != Some(CHALLENGED) {
            return Ok(State::Done);
        }
        let offers = response
            .headers
            .iter()
            .filter(|header| header.name.eq_ignore_ascii_case("Proxy-Authenticate"))
            .map(|header| header.value);
        let challenge = Challenge::strongest(offers).ok_or(Fault::NoMethod)?;
        // There was an answer, and it was wrong; unless it only came too late.
        let wrong = self.challenges > 0 && !challenge.is_stale();
        if wrong || self.challenges == MOST_CHALLENGES {
            return Err(Fault::RefusedCredentials.into());
        }
        self.challenges += 1;
        self.challenge = Some((challenge, 0));
        Ok(State::Again)
    }

    /// Reads up to the end of a line, and looks at the line if it is there. Gives what was taken.
    fn read_line(&mut self, input: &[u8]) -> Result<usize, ProtocolError> {
        let end = input.iter().position(|&byte| byte == b'\n');
        let taken = end.map_or(input.len(), |at| at + 1);
        if self.head.len() + taken > LONGEST_HEAD {
            return Err(Limit::LongHead.into());
        }
        self.head.extend(&input[..taken]);
        if end.is_none() {
            return Ok(taken);
        }
        self.lines += 1;
        let empty = self.head.ends_with(b"\n\r\n") || self.head.ends_with(b"\n\n");
        self.state = match self.lines {
            1 => self.judge_status_line()?,
            _ if empty => self.judge_head()?,
            lines if lines > 1 + MOST_HEADERS => return Err(Limit::ManyHeaders.into()),
            _ => State::Reply,
        };
        Ok(taken)
    }
}

impl Handshake for HttpConnect {
    fn step(&mut self, input: &[u8], output: &mut Vec<u8>) -> Result<Progress, ProtocolError> {
        if self.state == State::Request {
            self.ask(output);
            self.state = State::Reply;
        }
        let mut consumed = 0;
        while self.state == State::Reply && consumed < input.len() {
            match self.read_line(&input[consumed..]) {
                Ok(taken) => consumed += taken,
                Err(error) => self.state = State::Failed(error),
            }
        }
        let status = match &self.state {
            State::Request | State::Reply => Status::Waiting,
            State::Again => Status::Reconnect,
            State::Done => Status::Done,
            State::Failed(error) => return Err(error.clone()),
        };
        Ok(Progress { consumed, status })
    }

    fn restart(&mut self) {
        if self.state == State::Done {
            self.challenges = 0;
        }
        self.state = State::Request;
        self.head.clear();
        self.lines = 0;
    }

    fn at_eof(&self) -> ProtocolError {
        Fault::ClosedInHead.into()
    }
}

/// A proxy's text made fit to be shown: safe for a terminal, and no longer than is of use.
fn shown(text: &[u8]) -> String {
    let mut shown = String::new();
    for c in String::from_utf8_lossy(text).chars() {
        let safe = escape(c.encode_utf8(&mut [0; 4]));
        if shown.len() + safe.len() > LONGEST_SHOWN {
            return shown + "...";
        }
        shown.push_str(&safe);
    }
    shown
}

const CHALLENGED: u16 = 407;

/// About what Debian's netcat takes, which stops at 63.
const MOST_HEADERS: usize = 64;

/// Twice the usual limit of servers (nginx and Apache 8 KiB a line): a list of challenges can be long.
const LONGEST_HEAD: usize = 16 * 1024;

/// In bytes: what is made of them has to fit into the lines that proxies take.
const LONGEST_CREDENTIALS: usize = 4096;

/// The first, and two which say that the answer was good but its nonce too old.
const MOST_CHALLENGES: usize = 3;

/// In bytes, about two lines of a terminal.
const LONGEST_SHOWN: usize = 200;

#[cfg(test)]
mod tests;
