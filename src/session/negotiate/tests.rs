//! Talking to proxies, with a proxy in memory that says its lines however they are cut.

use std::rc::Rc;
use std::time::Duration;

use super::*;
use crate::nonblock::{ByteSink, ByteSource};
use crate::proto::{Credentials, Host, HttpConnect, Socks5, Target};
use crate::session::{End, Gates, Policy, Session};
use crate::testing::{Script, epoch};

/// A proxy, or what stands behind it: says so many bytes at a time, as long as it has some.
#[derive(Debug, Default)]
struct Line {
    says: Vec<u8>,
    at_a_time: usize,
    closes: bool,
    heard: Vec<u8>,
}

impl ByteSource for Line {
    fn try_read(&mut self, into: &mut [u8]) -> io::Result<Attempt> {
        let attempt = self.try_peek(into)?;
        if let Attempt::Moved(n) = attempt {
            self.says.drain(..n);
        }
        Ok(attempt)
    }
}

impl ByteSink for Line {
    fn try_write(&mut self, from: &[u8]) -> io::Result<Attempt> {
        self.heard.extend(from);
        Ok(Attempt::Moved(from.len()))
    }
}

impl Wire for Line {
    fn try_peek(&mut self, into: &mut [u8]) -> io::Result<Attempt> {
        if self.says.is_empty() {
            return Ok(if self.closes { Attempt::Ended } else { Attempt::Blocked });
        }
        let n = into.len().min(self.says.len()).min(self.at_a_time.max(1));
        into[..n].copy_from_slice(&self.says[..n]);
        Ok(Attempt::Moved(n))
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn take_error(&mut self) -> Option<io::Error> {
        None
    }
}

fn hop(name: &str) -> Box<dyn Handshake> {
    let target = Target { host: Host::parse(name).expect("a host"), port: 80 };
    Box::new(Socks5::new(&target, None).expect("a request"))
}

fn http_hop(name: &str) -> Box<dyn Handshake> {
    let target = Target { host: Host::parse(name).expect("a host"), port: 80 };
    let joe = Rc::new(Credentials::new(b"joe", b"secret"));
    Box::new(HttpConnect::new(&target, Some(joe), [7; 16]).expect("a request"))
}

fn turn(now: Instant) -> Turn {
    let net = Readiness::READABLE | Readiness::WRITABLE;
    Turn { gates: Gates { net, local_in: net, local_out: net }, now, budget: 1 << 16 }
}

/// No authentication, and then: connected, from 0.0.0.0:0.
const YES: &[u8] = b"\x05\x00\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00";

#[test]
fn nothing_behind_the_reply_is_taken_however_it_is_cut() {
    for at_a_time in 1..40 {
        let says = [YES, b"the peer's first words"].concat();
        let mut wire = Line { says, at_a_time, ..Line::default() };
        let mut negotiation = Negotiation::new(vec![hop("h")], None);
        let step = negotiation.advance(&mut wire, turn(epoch()), &mut Report::default());
        assert!(matches!(step, Step::Done), "{at_a_time}: {step:?}");
        assert_eq!(wire.says, b"the peer's first words", "{at_a_time}");
        assert_eq!(wire.heard, b"\x05\x01\x00\x05\x01\x00\x03\x01h\x00\x50");
    }
}

#[test]
fn one_hop_begins_when_the_one_before_has_let_us_through() {
    let mut wire = Line { says: [YES, YES].concat(), at_a_time: 100, ..Line::default() };
    let mut negotiation = Negotiation::new(vec![hop("one"), hop("two")], None);
    let step = negotiation.advance(&mut wire, turn(epoch()), &mut Report::default());
    assert!(matches!(step, Step::Done), "{step:?}");
    let one = b"\x05\x01\x00\x05\x01\x00\x03\x03one\x00\x50";
    let two = b"\x05\x01\x00\x05\x01\x00\x03\x03two\x00\x50";
    assert_eq!(wire.heard, [&one[..], two].concat());
}

#[test]
fn a_silent_proxy_is_waited_for_until_the_deadline() {
    let mut wire = Line::default();
    let deadline = epoch() + Duration::from_secs(1);
    let mut negotiation = Negotiation::new(vec![hop("h")], Some(deadline));
    let mut report = Report::default();
    let step = negotiation.advance(&mut wire, turn(epoch()), &mut report);
    assert!(matches!(step, Step::Waiting), "{step:?}");
    assert_eq!(wire.heard, b"\x05\x01\x00", "a client speaks first");
    assert_eq!(report.deadline, Some(deadline));
    assert!(report.net.intersects(Readiness::READ), "EAGAIN was seen");
    let step = negotiation.advance(&mut wire, turn(deadline), &mut Report::default());
    assert!(matches!(step, Step::Failed(Denial::TimedOut)), "{step:?}");
}

#[test]
fn a_proxy_that_closes_in_the_middle_is_told() {
    for end in 0..YES.len() {
        let says = YES[..end].to_vec();
        let mut wire = Line { says, at_a_time: 3, closes: true, ..Line::default() };
        let mut negotiation = Negotiation::new(vec![hop("h")], None);
        let step = negotiation.advance(&mut wire, turn(epoch()), &mut Report::default());
        assert!(matches!(step, Step::Failed(Denial::Protocol(_))), "{end}: {step:?}");
    }
}

#[test]
fn over_a_new_connection_every_proxy_is_asked_again() {
    let challenge = b"HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\r\n";
    let mut wire = Line { says: [YES, challenge].concat(), at_a_time: 100, ..Line::default() };
    let mut negotiation = Negotiation::new(vec![hop("one"), http_hop("two")], None);
    let step = negotiation.advance(&mut wire, turn(epoch()), &mut Report::default());
    let Step::Reconnect(hops) = step else { panic!("{step:?}") };
    let yes = b"HTTP/1.1 200 OK\r\n\r\n";
    let mut wire = Line { says: [YES, yes].concat(), at_a_time: 100, ..Line::default() };
    let mut negotiation = Negotiation::new(hops, None);
    let step = negotiation.advance(&mut wire, turn(epoch()), &mut Report::default());
    assert!(matches!(step, Step::Done), "{step:?}");
    let asked = b"\x05\x01\x00\x05\x01\x00\x03\x03one\x00\x50CONNECT two:80 ";
    assert!(wire.heard.starts_with(asked), "{}", wire.heard.escape_ascii());
    let answered = String::from_utf8_lossy(&wire.heard).contains("\r\nProxy-Authorization: Basic ");
    assert!(answered, "{}", wire.heard.escape_ascii());
}

/// The whole life: a session through a proxy.
fn through(wire: Line, deadline: Option<Instant>) -> Session<Line> {
    Session::through(wire, vec![hop("h")], deadline, Policy::plain().into())
}

#[test]
fn a_session_relays_once_the_proxies_have_let_it_through() {
    let says = [YES, b"the peer's first words"].concat();
    let wire = Line { says, at_a_time: 100, ..Line::default() };
    let deadline = epoch() + Duration::from_secs(1);
    let mut session = through(wire, Some(deadline));
    let (mut stdin, mut stdout) = (Script::new([]).holding(*b"x"), Script::new([]));
    let report = session.advance(&mut stdin, &mut stdout, turn(epoch()), None);
    assert!(report.negotiated && report.again && report.ended.is_none());
    assert_eq!(report.deadline, None, "it was the negotiation's");
    assert!(stdout.bytes.is_empty() && stdin.bytes.len() == 1, "its owner hears of it first");
    let report = session.advance(&mut stdin, &mut stdout, turn(epoch()), None);
    assert!(!report.negotiated, "reported once");
    assert_eq!(stdout.bytes, b"the peer's first words");
    assert_eq!(session.sent(), 1);
}

#[test]
fn a_session_that_is_not_let_through_ends_without_a_byte() {
    let wire = Line { says: b"\x05\xff".to_vec(), at_a_time: 100, ..Line::default() };
    let mut session = through(wire, None);
    let (mut stdin, mut stdout) = (Script::new([]).holding(*b"x"), Script::new([]));
    let report = session.advance(&mut stdin, &mut stdout, turn(epoch()), None);
    let outcome = report.ended.expect("over");
    assert!(matches!(outcome.end, End::Denied(Denial::Protocol(_))), "{outcome:?}");
    assert!(!outcome.is_clean() && stdin.bytes.len() == 1);
    assert!(session.close(End::ReaderGone).is_none(), "it is over");
}

#[test]
fn why_there_is_no_way_through_is_told() {
    let reset = Denial::Wire(io::Error::from_raw_os_error(libc::ECONNRESET));
    assert_eq!(reset.to_string(), "proxy: Connection reset by peer");
    assert_eq!(Denial::TimedOut.to_string(), "proxy: timed out");
    let refused = Denial::Protocol(hop("h").at_eof());
    assert_eq!(refused.to_string(), hop("h").at_eof().to_string());
}
