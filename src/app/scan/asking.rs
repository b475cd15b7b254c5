//! From a destination's number to its answer: whose turn it is, knocking at its addresses, what its probe
//! has found.

use std::io;
use std::time::Instant;

use super::probe::{Probe, Verdict};
use super::probes::{Left, Live};
use super::report::{Answer, Finding};
use super::window::Admission;
use super::{Alarm, HEARD, Scan};
use crate::app::notice::Console;
use crate::app::{Alarm as AppAlarm, Loop};
use crate::error::Error;
use crate::reactor::{Key, Readiness};
use crate::session::Hops;
use crate::sys::knock::Knock;
use crate::sys::net::{DialError, is_scarcity, is_want_of_ports};

impl Scan {
    pub(super) fn may_begin(&mut self, reactor: &mut Loop) -> bool {
        if !self.course.goes_on() || self.way.targets.is_empty() || self.voice.is_full() {
            return false;
        }
        match self.window.admits(self.probes.len(), reactor.now()) {
            Admission::Now => true,
            Admission::Full => false,
            Admission::At(time) => {
                if self.pause.is_none() {
                    self.pause = Some(reactor.set_timer(time, AppAlarm::Scan(Alarm::Next)));
                }
                false
            }
        }
    }

    pub(super) fn next_number(&mut self) -> Option<usize> {
        // Nothing waits for its turn here, and those that are asked again and again would keep the
        // others from being asked at all.
        if self.vigil.is_some() {
            return self.fresh_number(true).or_else(|| self.again.pop_front());
        }
        if let Some(number) = self.again.pop_front() {
            return Some(number);
        }
        let is_next = self.next == self.ledger.taken();
        let is_near = self.next < self.ledger.taken() + AHEAD && self.heard < HEARD;
        self.fresh_number(is_next || is_near)
    }

    /// One that has not been asked.
    fn fresh_number(&mut self, may_be: bool) -> Option<usize> {
        (may_be && self.next < self.ports.len()).then(|| {
            self.next += 1;
            self.next - 1
        })
    }

    /// Knocks at the addresses of a destination until one does not answer at once.
    pub(super) fn begin(&mut self, reactor: &mut Loop, console: &Console, attempt: Attempt) {
        let Attempt { number, mut findings, mut hops, mut deadline } = attempt;
        // Thousands of answers may wait: each with room for what it has, and no more.
        findings.reserve_exact(self.way.targets.len() - findings.len());
        let port = self.ports[number];
        while let Some(target) = self.way.target(findings.len(), port) {
            let anew = || self.way.hops(&self.wanted.route, port);
            let hops = match hops.take().map_or_else(anew, Ok) {
                Ok(hops) => hops,
                Err(error) => return self.course.fail(error),
            };
            let began = reactor.clock();
            let deadline =
                deadline.take().or_else(|| self.orders.patience.map(|patience| began + patience));
            let (probe, known) = match self.knocker.knock(&target.to, target.from.as_ref()) {
                Ok(Knock::Open(socket)) => {
                    (Probe::connecting(socket, port, hops, deadline), Readiness::WRITABLE)
                }
                Ok(Knock::Pending(socket)) => {
                    (Probe::connecting(socket, port, hops, deadline), Readiness::NONE)
                }
                Err(DialError::Bind(error) | DialError::Connect(error))
                    if self.is_our_doing(&error) =>
                {
                    return self.put_off(number, &error);
                }
                Err(DialError::Busy) => (Probe::queueing(began, deadline), Readiness::NONE),
                Err(DialError::Bind(error)) => {
                    let failed = Error::doing("bind failed")(error);
                    return self.course.fail(failed);
                }
                Err(DialError::Option(error)) => {
                    let failed = Error::message(error.to_string());
                    return self.course.fail(failed);
                }
                Ok(Knock::Refused(error)) | Err(DialError::Connect(error)) => {
                    let verdict = Verdict::failed(&error);
                    findings.push(Finding { verdict, took: reactor.clock() - began });
                    continue;
                }
            };
            let live = Live { number, probe, began, findings };
            return match self.probes.enter(reactor, live, known) {
                // What is there already is looked at now, everything else with its event.
                Ok(key) => self.advance(reactor, console, key, reactor.clock()),
                Err(lost) if !self.is_our_doing(&lost.1) => {
                    let (live, error) = *lost;
                    let step = (Verdict::failed(&error), None);
                    self.conclude(reactor, console, live, step, reactor.clock());
                }
                Err(lost) => self.put_off(number, &lost.1),
            };
        }
        self.found(reactor, console, number, Answer { findings, heard: None });
    }

    /// There is nothing to connect with as long as so many probes are under way.
    fn is_our_doing(&self, error: &io::Error) -> bool {
        (is_scarcity(error) || is_want_of_ports(error)) && !self.probes.is_empty()
    }

    /// Has a destination wait until a probe is over, and so many be the limit.
    fn put_off(&mut self, number: usize, why: &io::Error) {
        let under_way = self.probes.len();
        if why.raw_os_error() == Some(libc::EMFILE) {
            self.window.shrink_for_good(under_way);
        } else {
            self.window.shrink_to(under_way);
        }
        self.again.push_front(number);
    }

    pub(super) fn advance(
        &mut self,
        reactor: &mut Loop,
        console: &Console,
        key: Key,
        now: Instant,
    ) {
        match self.probes.advance(reactor, key, now, &self.orders) {
            None => {}
            Some(Left::ToKnock(live, hops)) => {
                let Live { number, findings, probe, .. } = live;
                let deadline = probe.deadline();
                drop(probe);
                let attempt = Attempt { number, findings, hops: Some(hops), deadline };
                self.begin(reactor, console, attempt);
            }
            Some(Left::Over(live, verdict, heard)) => {
                self.window.grow();
                self.conclude(reactor, console, live, (verdict, heard), now);
            }
        }
    }

    /// A probe is over. Another address of the same host may fare better.
    fn conclude(
        &mut self,
        reactor: &mut Loop,
        console: &Console,
        live: Live,
        (verdict, heard): (Verdict, Option<Vec<u8>>),
        now: Instant,
    ) {
        let finding = live.finding(verdict, now);
        let Live { number, probe, mut findings, .. } = live;
        // Its socket first: the next probe may want the same local port.
        drop(probe);
        let is_last_word = match &finding.verdict {
            Verdict::Failed(_) | Verdict::TimedOut => false,
            Verdict::Open | Verdict::Silent | Verdict::Bounced(_) | Verdict::Denied(_) => true,
        };
        findings.push(finding);
        if is_last_word {
            self.found(reactor, console, number, Answer { findings, heard });
        } else {
            let attempt = Attempt { findings, ..Attempt::first(number) };
            self.begin(reactor, console, attempt);
        }
    }
}

/// A destination that is to be connected to.
#[derive(Debug)]
pub(super) struct Attempt {
    number: usize,
    /// What was found at the addresses that have had their turn.
    findings: Vec<Finding>,
    /// What is to be said to the proxies; `None`: it begins from the beginning.
    hops: Option<Hops>,
    /// When patience ends; `None`: it begins with the attempt.
    deadline: Option<Instant>,
}

impl Attempt {
    pub(super) fn first(number: usize) -> Self {
        Self { number, findings: Vec::new(), hops: None, deadline: None }
    }
}

/// Answers that wait for one before them, at most: with what each costs, 2 MiB.
const AHEAD: usize = 16_384;
