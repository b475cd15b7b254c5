//! SOCKS4, and 4a, which can be told a name (the `SOCKS4.protocol` and `SOCKS4A` notes of Ying-Da Lee).
//!
//! ```text
//!  request   4, 1, port (2), address (4), user, 0                    4a: address 0.0.0.1, .., name, 0
//!  reply     0, code, six bytes without a meaning
//! ```
//!
//! Owns: these two messages. Must not know: how a name becomes an address.

use super::handshake::{
    Fault, Handshake, Host, HostName, Limit, Progress, ProtocolError, Refusal, Status, Target, fill,
};

/// Asks a SOCKS4 proxy to connect.
#[derive(Debug)]
pub struct Socks4 {
    request: Vec<u8>,
    state: State,
    /// What has come of the reply.
    read: Vec<u8>,
}

/// What is next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// To be sent, which leads to `Reply`.
    Request,
    /// To be read. Code 90 leads to `Done`; every other one is an error.
    Reply,
    /// Nothing.
    Done,
}

impl Socks4 {
    /// Version 4: the host has to be an IPv4 address. The user may be empty.
    ///
    /// # Errors
    /// The host is something else; the user has a byte 0, or more than 255 bytes.
    pub fn new(target: &Target, user: &[u8]) -> Result<Self, ProtocolError> {
        match &target.host {
            Host::Name(_) => Err(Limit::Socks4Host("a name").into()),
            Host::V4(_) | Host::V6(_) => Self::new_4a(target, user),
        }
    }

    /// Version 4a: the host may also be a name. For an address the request is that of version 4.
    ///
    /// # Errors
    /// The host is neither; the user has a byte 0, or more than 255 bytes.
    pub fn new_4a(target: &Target, user: &[u8]) -> Result<Self, ProtocolError> {
        let (address, name) = match &target.host {
            Host::Name(name) => (FOR_NAMES, Some(name)),
            // These announce a name, and a 4a proxy would wait for one.
            Host::V4(address) if matches!(address.octets(), [0, 0, 0, 1..=255]) => {
                return Err(Limit::Socks4Host("an address in 0.0.0.0/24").into());
            }
            Host::V4(address) => (address.octets(), None),
            Host::V6(_) => return Err(Limit::Socks4Host("an IPv6 address").into()),
        };
        if user.contains(&0) {
            return Err(Limit::BadCredentials.into());
        }
        if user.len() > LONGEST_USER {
            return Err(Limit::LongCredentials.into());
        }
        let mut request = vec![VERSION, CONNECT];
        request.extend(target.port.to_be_bytes());
        request.extend(address);
        for text in
            [Some(user), name.map(HostName::as_str).map(str::as_bytes)].into_iter().flatten()
        {
            request.extend(text);
            request.push(0);
        }
        Ok(Self { request, state: State::Request, read: Vec::new() })
    }
}

impl Handshake for Socks4 {
    fn step(&mut self, input: &[u8], output: &mut Vec<u8>) -> Result<Progress, ProtocolError> {
        let mut rest = input;
        if self.state == State::Request {
            output.extend(&self.request);
            self.state = State::Reply;
        }
        if self.state == State::Reply {
            let whole = fill(&mut self.read, REPLY_LEN, &mut rest);
            if let Some(&version) = self.read.first()
                && version != REPLY_VERSION
            {
                return Err(Fault::WrongVersion(version).into());
            }
            if !whole {
                return Ok(Progress::new(input.len(), Status::Waiting));
            }
            if self.read[1] != GRANTED {
                return Err(Refusal::Socks4(self.read[1]).into());
            }
            self.state = State::Done;
        }
        Ok(Progress::new(input.len() - rest.len(), Status::Done))
    }

    fn restart(&mut self) {
        self.state = State::Request;
        self.read.clear();
    }

    fn at_eof(&self) -> ProtocolError {
        Fault::Closed { had: self.read.len(), wanted: REPLY_LEN }.into()
    }
}

/// What a code of a reply means.
pub(super) fn reason(code: u8) -> &'static str {
    match code {
        91 => "Request rejected or failed",
        92 => "SOCKS server cannot connect to identd on the client",
        93 => "Client program and identd report different user-ids",
        _ => "Unknown error",
    }
}

const VERSION: u8 = 4;
const CONNECT: u8 = 1;
/// Any address 0.0.0.x but 0.0.0.0 says that a name follows.
const FOR_NAMES: [u8; 4] = [0, 0, 0, 1];
/// The protocol has no limit. This is what a SOCKS5 user may have.
const LONGEST_USER: usize = 255;
const REPLY_LEN: usize = 8;
/// Of the reply's format, not of the protocol.
const REPLY_VERSION: u8 = 0;
const GRANTED: u8 = 90;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::proto::handshake::tests::{any_cut_is_the_same, fails, succeeds, target};

    const GRANT: [u8; 8] = [0, 90, 1, 2, 3, 4, 5, 6];

    fn asked(host: &str, user: &[u8]) -> Result<Socks4, String> {
        Socks4::new(&target(host, 80), user).map_err(|error| error.to_string())
    }

    fn asked_4a(host: &str, user: &[u8]) -> Result<Socks4, String> {
        Socks4::new_4a(&target(host, 80), user).map_err(|error| error.to_string())
    }

    #[test]
    fn an_address_is_asked_for_in_both_versions() {
        for new in [asked, asked_4a] {
            let make = |user| move || new("192.0.2.1", user).expect("valid");
            succeeds(make(b""), &GRANT, b"\x04\x01\x00\x50\xc0\x00\x02\x01\x00");
            succeeds(make(b"joe"), &GRANT, b"\x04\x01\x00\x50\xc0\x00\x02\x01joe\x00");
        }
        succeeds(
            || asked("0.0.0.0", b"").expect("valid"),
            &GRANT,
            b"\x04\x01\x00\x50\x00\x00\x00\x00\x00",
        );
    }

    #[test]
    fn a_name_is_asked_for_in_4a() {
        let make = |user| move || asked_4a("h.example", user).expect("valid");
        succeeds(make(b""), &GRANT, b"\x04\x01\x00\x50\x00\x00\x00\x01\x00h.example\x00");
        succeeds(make(b"joe"), &GRANT, b"\x04\x01\x00\x50\x00\x00\x00\x01joe\x00h.example\x00");
    }

    #[test]
    fn what_cannot_be_asked_for_is_refused_before_a_byte() {
        let refused = |text: &str| Some(text.to_owned());
        assert_eq!(asked("h.example", b"").err(), refused("SOCKSv4 cannot be asked for a name"));
        for new in [asked, asked_4a] {
            let (address, user): (_, &[u8]) = ("192.0.2.1", &[b'x'; 256]);
            assert_eq!(
                new("::1", b"").err(),
                refused("SOCKSv4 cannot be asked for an IPv6 address")
            );
            assert_eq!(
                new("0.0.0.7", b"").err(),
                refused("SOCKSv4 cannot be asked for an address in 0.0.0.0/24")
            );
            assert_eq!(new(address, b"a\0b").err(), refused("Invalid proxy username/password"));
            assert_eq!(new(address, user).err(), refused("Proxy username/password too long"));
            assert!(new(address, &user[1..]).is_ok());
        }
    }

    #[test]
    fn every_other_code_is_an_error() {
        for code in (0..=255).filter(|code| *code != GRANTED) {
            let text = match code {
                91 => "Request rejected or failed",
                92 => "SOCKS server cannot connect to identd on the client",
                93 => "Client program and identd report different user-ids",
                _ => "Unknown error",
            };
            let text = format!("connection failed, SOCKSv4 error: {text}");
            fails(
                || asked("192.0.2.1", b"").expect("valid"),
                &[0, code, 0, 0, 0, 0, 0, 0],
                &Refusal::Socks4(code).into(),
                &text,
            );
        }
    }

    #[test]
    fn a_reply_of_something_else_is_an_error_at_once() {
        fails(
            || asked("192.0.2.1", b"").expect("valid"),
            b"\x04",
            &Fault::WrongVersion(4).into(),
            "connection failed, unexpected SOCKS reply version 4",
        );
    }

    #[test]
    fn an_early_end_says_how_much_has_come() {
        let mut handshake = asked("192.0.2.1", b"").expect("valid");
        let mut output = Vec::new();
        for (had, byte) in GRANT[..7].iter().enumerate() {
            let text = format!("read failed ({had}/8): Broken pipe");
            assert_eq!(handshake.at_eof().to_string(), text);
            let progress = handshake.step(&[*byte], &mut output).expect("good so far");
            assert_eq!(progress, Progress::new(1, Status::Waiting));
        }
    }

    #[test]
    fn over_a_new_connection_all_of_it_is_said_again() {
        let target = Target { host: Host::V4([192, 0, 2, 1].into()), port: 80 };
        let mut socks = Socks4::new(&target, b"joe").expect("valid");
        for cut in 0..=REPLY_LEN {
            let (mut asked, reply) = (Vec::new(), [0, GRANTED, 0, 0, 0, 0, 0, 0]);
            let progress = socks.step(&reply[..cut], &mut asked).expect("well so far");
            let status = if cut == REPLY_LEN { Status::Done } else { Status::Waiting };
            assert_eq!((progress.status, &asked[..]), (status, &socks.request[..]), "{cut}");
            socks.restart();
        }
    }

    proptest! {
        #[test]
        fn any_reply_in_any_cut_is_the_same(
            start in prop_oneof![Just(vec![]), Just(vec![0]), Just(vec![0, 90])],
            rest in prop::collection::vec(any::<u8>(), 0..30),
            cuts in prop::collection::vec(1usize..10, 1..10),
        ) {
            let make = || asked_4a("h.example", b"joe").expect("valid");
            any_cut_is_the_same(make, &[start, rest].concat(), &cuts);
        }
    }
}
