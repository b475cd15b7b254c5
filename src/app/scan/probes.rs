//! Probes in the loop: each with its registration and its timer.

use std::io;
use std::time::Instant;

use mio::Interest;

use super::probe::{Moment, Orders, Probe, Step, Verdict};
use super::report::Finding;
use super::{Alarm, Part};
use crate::app::{Alarm as AppAlarm, Loop, Owner};
use crate::reactor::{Key, Readiness, Slots, SourceId, TimerId};
use crate::session::Hops;

/// A probe and what it belongs to.
#[derive(Debug)]
pub(super) struct Live {
    /// The destination's number.
    pub(super) number: usize,
    pub(super) probe: Probe,
    pub(super) began: Instant,
    /// What was found at the addresses before this one.
    pub(super) findings: Vec<Finding>,
}

impl Live {
    /// The last finding, at this address.
    pub(super) fn finding(&self, verdict: Verdict, now: Instant) -> Finding {
        let end = self.probe.opened_at().unwrap_or(now);
        Finding { verdict, took: end.saturating_duration_since(self.began) }
    }
}

/// A probe that has left the loop.
#[derive(Debug)]
pub(super) enum Left {
    /// Its address has to be connected to again, with this to be said to the proxies.
    ToKnock(Live, Hops),
    /// It has found out, and heard this.
    Over(Live, Verdict, Option<Vec<u8>>),
}

/// See the module's own page.
#[derive(Debug, Default)]
pub(super) struct Probes(Slots<Entry>);

#[derive(Debug)]
struct Entry {
    live: Live,
    /// None for a probe that waits for nothing but time.
    id: Option<SourceId>,
    timer: Option<(Instant, TimerId)>,
}

impl Probes {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Enters a probe. What is known of its socket is not looked at yet: see [`Probes::advance`].
    ///
    /// # Errors
    /// `epoll_ctl(2)`, with the probe, which is not in the loop.
    pub(super) fn enter(
        &mut self,
        reactor: &mut Loop,
        mut live: Live,
        known: Readiness,
    ) -> Result<Key, Box<(Live, io::Error)>> {
        let owner = Owner::Scan(Part::Probe(self.0.next_key()));
        let interest = Interest::READABLE | Interest::WRITABLE;
        let id = match live.probe.polled() {
            Some(socket) => match reactor.register(socket.source(), interest, owner) {
                Ok(id) => Some(id),
                Err(error) => return Err(Box::new((live, error))),
            },
            None => None,
        };
        if let Some(id) = id {
            reactor.presume(id, known);
        }
        Ok(self.0.insert(Entry { live, id, timer: None }))
    }

    /// Has a probe do what it can do now. `Some`: it has left the loop.
    pub(super) fn advance(
        &mut self,
        reactor: &mut Loop,
        key: Key,
        now: Instant,
        orders: &Orders,
    ) -> Option<Left> {
        let entry = self.0.get_mut(key)?;
        let ready = entry.id.map_or(Readiness::NONE, |id| reactor.readiness(id));
        match entry.live.probe.advance(Moment { ready, now, orders }) {
            Step::Waiting { clear, until } => {
                if let Some(id) = entry.id {
                    reactor.clear(id, clear);
                }
                entry.arm(reactor, key, until);
                None
            }
            Step::Knock(hops) => self.remove(reactor, key).map(|live| Left::ToKnock(live, hops)),
            Step::Over(verdict, heard) => {
                self.remove(reactor, key).map(|live| Left::Over(live, verdict, heard))
            }
        }
    }

    /// A probe's timer has fired.
    pub(super) fn timer_fired(&mut self, key: Key) {
        if let Some(entry) = self.0.get_mut(key) {
            entry.timer = None;
        }
    }

    /// Takes every probe out of the loop.
    pub(super) fn take_all(&mut self, reactor: &mut Loop) -> Vec<Live> {
        let keys: Vec<_> = self.0.iter().map(|(key, _)| key).collect();
        keys.into_iter().filter_map(|key| self.remove(reactor, key)).collect()
    }

    fn remove(&mut self, reactor: &mut Loop, key: Key) -> Option<Live> {
        let Entry { mut live, id, timer } = self.0.remove(key)?;
        if let Some((_, timer)) = timer {
            reactor.cancel_timer(timer);
        }
        if let Some(id) = id {
            reactor.deregister(id, live.probe.polled().map(|polled| polled.source() as _));
        }
        Some(live)
    }
}

impl Entry {
    fn arm(&mut self, reactor: &mut Loop, key: Key, until: Option<Instant>) {
        if self.timer.map(|(at, _)| at) == until {
            return;
        }
        if let Some((_, timer)) = self.timer.take() {
            reactor.cancel_timer(timer);
        }
        self.timer = until.map(|at| (at, reactor.set_timer(at, AppAlarm::Scan(Alarm::Probe(key)))));
    }
}
