//! What is told of an answer: Debian's lines, JSON, what a service says first.
//!
//! Owns: the words and their order. Must not know: when an answer comes, or where its words go.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io;
use std::time::Duration;

use super::probe::Verdict;
use crate::app::job::{Lines, Scan, Tell};
use crate::app::notice::{Console, Goal, Notice};
use crate::app::targets::{Endpoint, Target};
use crate::error::{errno_name, escape};
use crate::json::Object;
use crate::proto::{Fault, ProtocolError, Refusal};
use crate::session::Denial;
use crate::sys::address::Address;
use crate::sys::net::Transport;
use crate::sys::resolve::{Lookup, in_numbers, service_name, shown_service};
use crate::units::{counted, micros, milliseconds, seconds};

/// What was found out about one destination.
#[derive(Debug)]
pub(super) struct Answer {
    /// At each address that was tried, in the order of the addresses; only the last can be good news.
    pub(super) findings: Vec<Finding>,
    /// What the service said first.
    pub(super) heard: Option<Vec<u8>>,
}

/// What was found out at one address.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) verdict: Verdict,
    /// From the beginning of the probe to its end.
    pub(super) took: Duration,
}

/// An answer in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Somebody is there.
    Open,
    /// Nobody is.
    Closed,
    /// Nobody answers: something on the way keeps the question or the answer.
    Filtered,
    /// There is no way to ask.
    Unreachable,
    /// Nobody answers a datagram, which nobody has to.
    OpenOrFiltered,
}

impl State {
    pub(super) const ALL: [Self; 5] =
        [Self::Open, Self::OpenOrFiltered, Self::Closed, Self::Filtered, Self::Unreachable];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Filtered => "filtered",
            Self::Unreachable => "unreachable",
            Self::OpenOrFiltered => "open|filtered",
        }
    }

    /// Debian's netcat counts it as a success.
    pub(super) const fn is_success(self) -> bool {
        match self {
            Self::Open | Self::OpenOrFiltered => true,
            Self::Closed | Self::Filtered | Self::Unreachable => false,
        }
    }
}

impl Verdict {
    fn state(&self) -> State {
        match self {
            Self::Open => State::Open,
            Self::Silent => State::OpenOrFiltered,
            Self::TimedOut => State::Filtered,
            Self::Failed(errno) | Self::Bounced(errno) => match *errno {
                libc::ECONNREFUSED | libc::ECONNRESET => State::Closed,
                libc::ETIMEDOUT => State::Filtered,
                _ => State::Unreachable,
            },
            Self::Denied(denial) => match &**denial {
                Denial::TimedOut => State::Filtered,
                // RFC 1928, section 6: connection refused, TTL expired.
                Denial::Protocol(ProtocolError::Peer(Fault::Refused(Refusal::Socks5(5)))) => {
                    State::Closed
                }
                Denial::Protocol(ProtocolError::Peer(Fault::Refused(Refusal::Socks5(6)))) => {
                    State::Filtered
                }
                Denial::Protocol(_) | Denial::Wire(_) => State::Unreachable,
            },
        }
    }

    fn errno(&self) -> Option<i32> {
        match self {
            Self::Failed(errno) | Self::Bounced(errno) => Some(*errno),
            Self::Open | Self::Silent | Self::TimedOut | Self::Denied(_) => None,
        }
    }
}

impl Answer {
    pub(super) fn state(&self) -> State {
        self.findings.last().map_or(State::Unreachable, |last| last.verdict.state())
    }

    /// Bytes that were heard.
    pub(super) fn bytes_heard(&self) -> usize {
        self.heard.as_ref().map_or(0, Vec::len)
    }
}

/// The words for a scan's answers.
#[derive(Debug)]
pub(super) struct Reporter {
    tell: Tell,
    transport: Transport,
    lookup: Lookup,
    /// The host as typed, or the address that it is.
    host: String,
    /// What is connected to: the host, or a proxy, which has a port of its own.
    dialed: Endpoint,
    /// The last denial that was told, where each is to be told once.
    denial: String,
}

impl Reporter {
    pub(super) fn new(wanted: &Scan, transport: Transport, lookup: Lookup) -> Self {
        let straight = Endpoint::of(&wanted.to, None, transport, lookup);
        let host = straight.host.clone();
        let dialed = straight.through(&wanted.route);
        Self { tell: wanted.tell, transport, lookup, host, dialed, denial: String::new() }
    }

    /// What an answer is on stderr: a line for each address.
    pub(super) fn lines(
        &mut self,
        answer: &Answer,
        port: Option<u16>,
        targets: &[Target],
        console: &Console,
    ) -> String {
        let mut out = String::new();
        for (finding, target) in answer.findings.iter().zip(targets) {
            if let Some(line) = self.line(finding, port, target, console) {
                out += &line;
                out.push('\n');
            }
        }
        out
    }

    /// What an answer is on stdout: an object, or what was heard.
    pub(super) fn payload(&self, answer: &Answer, port: Option<u16>, targets: &[Target]) -> String {
        let mut out = String::new();
        if self.tell.json {
            self.object(answer, port, targets, &mut out);
        } else if let Some(heard) = answer.heard.as_ref().filter(|heard| !heard.is_empty()) {
            let port = port.map(|port| format!(" {port}")).unwrap_or_default();
            // Writing to a String does not fail.
            let _ = writeln!(out, "{}{port} {}", escape(&self.host), heard.escape_ascii());
        }
        out
    }

    /// The line of one address, if it has one.
    fn line(
        &mut self,
        finding: &Finding,
        port: Option<u16>,
        target: &Target,
        console: &Console,
    ) -> Option<String> {
        // First, for most lines of most scans are not wanted.
        if !self.is_wanted(&finding.verdict, port) {
            return None;
        }
        let is_proxy = self.dialed.port.is_some();
        let endpoint = Endpoint { port: self.dialed.port.or(port), ..self.dialed.clone() };
        let goal = endpoint.goal(&target.to);
        let line = match &finding.verdict {
            Verdict::Open | Verdict::Silent => {
                let service = shown_service(port, goal.protocol, self.lookup);
                let goal = if is_proxy {
                    Goal { host: &self.host, address: None, port, ..goal }
                } else {
                    goal
                };
                console.line(&Notice::Connected(goal, service.as_deref()))
            }
            Verdict::Denied(denial) => {
                let line = console.complaint(denial);
                let is_news = self.tell.lines > Lines::None || self.denial != line;
                self.denial.clone_from(&line);
                is_news.then_some(line)
            }
            Verdict::TimedOut => console.line(&Notice::TimedOut(goal)),
            Verdict::Failed(errno) | Verdict::Bounced(errno) => {
                console.line(&Notice::Refused(goal, &io::Error::from_raw_os_error(*errno)))
            }
        }?;
        Some(match (self.tell.lines, &finding.verdict) {
            (Lines::Timed, Verdict::Silent) => {
                format!("{line} (no answer, {})", milliseconds(finding.took))
            }
            (
                Lines::Timed,
                Verdict::Open
                | Verdict::Failed(_)
                | Verdict::Bounced(_)
                | Verdict::TimedOut
                | Verdict::Denied(_),
            ) => format!("{line} ({})", milliseconds(finding.took)),
            (Lines::None | Lines::Plain, _) => line,
        })
    }

    /// Of a UNIX socket that fails Debian tells in any case, of datagrams that came back in none.
    fn is_wanted(&self, verdict: &Verdict, port: Option<u16>) -> bool {
        let wanted = self.tell.lines;
        match verdict {
            Verdict::Open | Verdict::Silent => wanted > Lines::None,
            Verdict::Failed(_) | Verdict::TimedOut => wanted > Lines::None || port.is_none(),
            Verdict::Bounced(_) => wanted >= Lines::Timed,
            // Each is told at least once.
            Verdict::Denied(_) => true,
        }
    }

    fn object(&self, answer: &Answer, asked: Option<u16>, targets: &[Target], out: &mut String) {
        let Some((finding, target)) = answer.findings.iter().zip(targets).next_back() else {
            return;
        };
        let protocol = self.transport.name();
        let (host, port) = match &target.to {
            Address::Vsock { cid, port } => (Cow::Owned(cid.to_string()), Some(*port)),
            Address::Ip(_) | Address::Unix(_) | Address::Unnamed => {
                (Cow::Borrowed(self.host.as_str()), asked.map(u32::from))
            }
        };
        let address = target.to.as_ip().filter(|_| self.dialed.port.is_none()).map(in_numbers);
        let service = target.to.as_ip().and(asked).and_then(|port| service_name(port, protocol));
        let errno = finding.verdict.errno().and_then(errno_name);
        let state = finding.verdict.state();
        let round_trip = match state {
            State::Open | State::Closed => Some(micros(finding.took)),
            State::Filtered | State::Unreachable | State::OpenOrFiltered => None,
        };
        let heard = answer.heard.as_deref().map(String::from_utf8_lossy);
        Object::new(out)
            .text("host", Some(&host))
            .text("address", address.as_deref())
            .number("port", port.map(Into::into))
            .text("protocol", Some(protocol))
            .text("service", service.as_deref())
            .text("state", Some(state.name()))
            .text("errno", errno.as_deref())
            .number("rtt_us", round_trip)
            .text("banner", heard.as_deref())
            .end();
        out.push('\n');
    }

    /// The last line of `-vv`; empty where it is not wanted.
    pub(super) fn summary(&self, tally: &Tally, took: Duration, console: &Console) -> String {
        if self.tell.lines < Lines::Timed {
            return String::new();
        }
        let counts: Vec<String> = State::ALL
            .into_iter()
            .filter(|&state| tally.of(state) > 0)
            .map(|state| format!("{} {}", tally.of(state), state.name()))
            .collect();
        let (ports, counts) = (counted(tally.total() as u64, "port"), counts.join(", "));
        let line = format!("{ports} in {}: {counts}", seconds(took));
        console.complaint(&line) + "\n"
    }
}

/// How many destinations are in each state.
#[derive(Debug, Default)]
pub(super) struct Tally([usize; State::ALL.len()]);

impl Tally {
    pub(super) fn add(&mut self, state: State) {
        self.0[state as usize] += 1;
    }

    pub(super) fn of(&self, state: State) -> usize {
        self.0[state as usize]
    }

    pub(super) fn total(&self) -> usize {
        self.0.iter().sum()
    }

    /// Those that count as a success.
    pub(super) fn successes(&self) -> usize {
        State::ALL.into_iter().filter(|state| state.is_success()).map(|state| self.of(state)).sum()
    }
}
