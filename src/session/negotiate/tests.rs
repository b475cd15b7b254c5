//! Talking to proxies, with a proxy in memory that says its lines however they are cut.

use std::time::Duration;

use super::*;
use crate::nonblock::{ByteSink, ByteSource};
use crate::proto::{Host, Socks5, Target};
use crate::session::Gates;
use crate::testing::epoch;

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
