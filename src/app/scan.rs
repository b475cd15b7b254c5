//! Finding out which destinations could be connected to (`-z`): many probes at a time, told in the order
//! in which they were asked for.
//!
//! ```text
//!   numbers ──▶ Window ──▶ Knocker ──▶ Probe ──▶ Ledger ──▶ Reporter ──▶ Voice
//!                how many   connect(2)   events   in order      words     stderr, stdout
//! ```
//! Owns: which destination is next, the probes under way, their registration and timers. Must not know:
//! what a probe does with an event (`probe`), how an answer is worded (`report`).
//!
//! Invariants:
//! * A destination is waiting, under way, or answered; it is told once.
//! * While a reader of stderr or stdout is slow, no probe begins: the words that wait are bounded.
//!
//! Read next: `asking` and `telling`, the two halves; `probe` for one destination, `window` for how many,
//! `vigil` for `--wait-until-open`.

mod asking;
mod course;
mod ledger;
mod probe;
mod probes;
mod progress;
mod report;
mod telling;
mod vigil;
mod voice;
mod window;

use std::collections::VecDeque;
use std::fmt;
use std::num::NonZeroUsize;
use std::time::Instant;

use super::confine::ask_for_ports;
use super::job::{self, Destination, Job, Lines, ScanGoal};
use super::line::{GRACE, Screen};
use super::notice::Console;
use super::route::{NoWay, Way};
use super::{Alarm as AppAlarm, Loop, Owner};
use crate::error::Error;
use crate::reactor::{Key, SourceId, TimerId};
use crate::sys::address::Address;
use crate::sys::knock::{Haste, Knocker};
use crate::sys::net::Transport;
use crate::sys::resolve::Lookup;
use crate::sys::sandbox::{Asked, Promise};
use asking::Attempt;
use course::Course;
use ledger::Ledger;
use probe::Orders;
use probes::Probes;
use report::{Answer, Reporter, State, Tally};
use vigil::Vigil;
use voice::{Unheard, Voice};
use window::Window;

/// A source of a scan's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Always ready: more probes may begin than one turn is to begin.
    Starter,
    Probe(Key),
    Stderr,
    Stdout,
}

/// A timer of a scan's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alarm {
    /// The time between two probes is over.
    Next,
    /// A probe has waited long enough.
    Probe(Key),
    /// A destination is to be asked again.
    Again(usize),
    /// The host is to be looked up again.
    Resolve,
    /// The progress line is out of date.
    Redraw,
    /// Vigil for destinations to open has an end.
    VigilOver,
}

/// As the trace names it.
impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Starter => f.write_str("the start of probes"),
            Self::Probe(key) => write!(f, "probe {key}"),
            Self::Stderr => f.write_str("stderr"),
            Self::Stdout => f.write_str("stdout"),
        }
    }
}

/// As the trace names it.
impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Next => f.write_str("the next probe"),
            Self::Probe(key) => write!(f, "probe {key}"),
            Self::Again(number) => write!(f, "asking {number} again"),
            Self::Resolve => f.write_str("looking the host up again"),
            Self::Redraw => f.write_str("the progress line"),
            Self::VigilOver => f.write_str("the end of waiting"),
        }
    }
}

/// See the module's own page.
#[derive(Debug)]
pub(super) struct Scan {
    wanted: job::Scan,
    lookup: Lookup,
    orders: Orders,
    /// What is asked for, by number; `None`: an address without ports.
    ports: Vec<Option<u16>>,
    way: Way,
    /// The first number that has not been asked.
    next: usize,
    /// Numbers that are to be asked again.
    again: VecDeque<usize>,
    window: Window,
    knocker: Knocker,
    probes: Probes,
    ledger: Ledger<Answer>,
    /// Bytes in the ledger that destinations have said.
    heard: usize,
    vigil: Option<Vigil>,
    tally: Tally,
    reporter: Reporter,
    voice: Voice,
    starter: SourceId,
    /// Set while the next probe has to wait for its time.
    pause: Option<TimerId>,
    began: Instant,
    course: Course,
}

impl Scan {
    /// Looks the host up. [`Scan::wake`] begins, with [`Part::Starter`].
    ///
    /// # Errors
    /// There is nothing to tell anything by.
    pub(super) fn new(
        job: &Job,
        wanted: job::Scan,
        console: &Console,
        reactor: &mut Loop,
    ) -> Result<Self, Error> {
        let began = reactor.now();
        let (ports, has_local_port) = match &wanted.to {
            Destination::Host { ports, source_port, .. } => {
                (ports.iter().copied().map(Some).collect(), source_port.is_some())
            }
            Destination::Exact { .. } => (vec![None], false),
        };
        // Two sockets cannot hold the same local port.
        let parallelism = if has_local_port { Some(NonZeroUsize::MIN) } else { wanted.parallelism };
        let parallelism = match wanted.banner {
            Some(each) => parallelism.into_iter().chain(NonZeroUsize::new(HEARD / each)).min(),
            None => parallelism,
        };
        let window = Window::new(parallelism, wanted.interval, wanted.rate);
        let haste = if window.is_strict() || ports.len() <= SHORT_SCAN {
            Haste::Patient
        } else {
            Haste::Hasty
        };
        let vigil = wanted.vigil.as_ref().map(|wanted| Vigil::new(ports.len(), wanted, began));
        let starter = reactor.register_always_ready(Owner::Scan(Part::Starter));
        let mut scan = Self {
            lookup: job.lookup,
            orders: Orders {
                transport: job.transport,
                patience: wanted.patience,
                question: wanted.question.clone(),
                banner: wanted.banner,
                forget: has_local_port && job.transport != Transport::Udp,
            },
            ports,
            way: Way::default(),
            next: 0,
            again: VecDeque::new(),
            window,
            knocker: Knocker::new(job.transport, job.options.clone(), haste),
            probes: Probes::default(),
            ledger: Ledger::new(),
            heard: 0,
            vigil,
            tally: Tally::default(),
            reporter: Reporter::new(&wanted, job.transport, job.lookup),
            // Before probes take all the descriptors.
            voice: Voice::open(reactor, has_payload(&wanted), job.meter.progress)?,
            starter,
            pause: None,
            began,
            course: Course::On,
            wanted,
        };
        if let Some(vigil) = &scan.vigil {
            reactor.set_timer(vigil.until, AppAlarm::Scan(Alarm::VigilOver));
        }
        if scan.voice.screen().is_some() {
            reactor.set_timer(began + GRACE, AppAlarm::Scan(Alarm::Redraw));
        }
        scan.resolve(reactor, console);
        reactor.requeue(starter);
        Ok(scan)
    }

    /// A line may be drawn that has to be taken away again.
    pub(super) fn may_draw(&self) -> bool {
        self.voice.screen() == Some(Screen::Terminal)
    }

    /// The line is drawn.
    pub(super) fn shows_progress(&self) -> bool {
        self.voice.shows_progress()
    }

    /// A signal is about to end the program, and with it every probe.
    pub(super) fn leave(&mut self, reactor: &mut Loop) {
        self.voice.fall_silent(reactor);
    }

    /// What the probes will take, and the words about them.
    pub(super) fn ask(&self, asked: &mut Asked) {
        let job::Scan { to, route, tell, .. } = &self.wanted;
        ask_for_ports(asked, to, route);
        let looks_up = tell.lines > Lines::None || self.way.targets.is_empty();
        // An object names the service also where numbers are wanted.
        if tell.json || looks_up && !self.lookup.numeric {
            asked.promises.push(Promise::Names);
        }
    }

    /// There is nothing left that could happen.
    pub(super) fn is_over(&self) -> bool {
        match self.course {
            Course::On => false,
            Course::Told => self.voice.is_silent(),
            Course::Failed(_) => self.voice.is_silent() && self.probes.is_empty(),
            Course::Unheard => true,
        }
    }

    /// What the exit status is made of.
    ///
    /// # Errors
    /// What has gone wrong; or `Silent`: destinations are not as they were hoped to be.
    pub(super) fn verdict(self) -> Result<(), Error> {
        if let Course::Failed(error) = self.course {
            return Err(error);
        }
        let is_as_hoped = match (&self.wanted.vigil, self.wanted.goal) {
            (Some(_), _) => self.tally.of(State::Open) == self.ports.len(),
            (None, ScanGoal::All) => self.tally.successes() == self.ports.len(),
            (None, ScanGoal::Any) => self.tally.successes() > 0,
        };
        if is_as_hoped { Ok(()) } else { Err(Error::Silent) }
    }

    /// One of its sources has something to say.
    pub(super) fn wake(&mut self, reactor: &mut Loop, console: &Console, part: Part) {
        match part {
            Part::Probe(key) => self.advance(reactor, console, key, reactor.now()),
            Part::Starter | Part::Stderr | Part::Stdout => {}
        }
        self.go_on(reactor, console);
    }

    /// One of its timers is due.
    pub(super) fn alarm(&mut self, reactor: &mut Loop, console: &Console, alarm: Alarm) {
        match alarm {
            Alarm::Next => self.pause = None,
            Alarm::Probe(key) => {
                self.probes.timer_fired(key);
                self.advance(reactor, console, key, reactor.now());
            }
            Alarm::Again(number) => self.again.push_back(number),
            Alarm::Resolve => self.resolve(reactor, console),
            Alarm::Redraw => self.show_progress(reactor, console),
            Alarm::VigilOver => self.end_vigil(reactor, console),
        }
        self.go_on(reactor, console);
    }

    /// Looks the host up, and what proxies are told. Whoever waits for the host to be there waits for its
    /// name, too: then it blocks while the loop turns, and nothing is under way.
    fn resolve(&mut self, reactor: &mut Loop, console: &Console) {
        let job::Scan { to, route, .. } = &self.wanted;
        match (Way::look_up(to, route, self.lookup), &mut self.vigil) {
            (Ok(mut way), _) => {
                for target in &mut way.targets {
                    // A name of its own is nothing that a UNIX socket would be asked for.
                    target.from.take_if(|from| matches!(from, Address::Unix(_)));
                }
                self.way = way;
            }
            (Err(why @ NoWay::Never(_)), _) | (Err(why @ NoWay::NotFound(_)), None) => {
                self.course.fail(why.into());
            }
            (Err(NoWay::NotFound(error)), Some(vigil)) => {
                // It may have taken long to find out.
                let at = reactor.clock() + vigil.every;
                reactor.set_timer(at, AppAlarm::Scan(Alarm::Resolve));
                let line = console.complaint(&error) + "\n";
                if vigil.is_other_word(&line) && self.wanted.tell.lines > Lines::None {
                    self.say(reactor, &line, "");
                }
            }
        }
    }

    /// Begins as many probes as may be, and tells what has been found out.
    fn go_on(&mut self, reactor: &mut Loop, console: &Console) {
        self.tell(reactor, console);
        let mut left = STARTS_PER_TURN;
        while left > 0 && self.may_begin(reactor) {
            let Some(number) = self.next_number() else { break };
            self.window.began(reactor.now());
            self.begin(reactor, console, Attempt::first(number));
            left -= 1;
        }
        if left == 0 {
            reactor.requeue(self.starter);
        }
        self.tell(reactor, console);
        let was_full = self.voice.is_full();
        if let Err(unheard) = self.voice.flush(reactor) {
            self.give_up(reactor, unheard);
        }
        if self.course.goes_on() && self.voice.is_unread() && self.is_decided() {
            self.give_up(reactor, Unheard::ReaderGone);
        }
        // Readers that took all of it at once make no event.
        if was_full && !self.voice.is_full() {
            reactor.requeue(self.starter);
        }
    }

    /// Whatever the others turn out to be, the exit status will not change.
    fn is_decided(&self) -> bool {
        let successes = self.tally.successes();
        match (&self.vigil, self.wanted.goal) {
            (Some(_), _) => false,
            (None, ScanGoal::Any) => successes > 0,
            (None, ScanGoal::All) => successes < self.tally.total(),
        }
    }
}

/// Something is told on stdout.
fn has_payload(wanted: &job::Scan) -> bool {
    wanted.tell.json || wanted.banner.is_some()
}

/// Probes that begin in one turn, before answers that have come in the meantime are looked at.
const STARTS_PER_TURN: usize = 128;

/// Bytes that destinations have said and that wait for their turn, and as many that probes under way may
/// hold.
const HEARD: usize = 2 * 1024 * 1024;

/// So few ports are probed as the manual of connect(2) has it, for those who watch with strace; in a
/// longer list nobody would follow, and haste pays (see [`Haste`]).
const SHORT_SCAN: usize = 64;
