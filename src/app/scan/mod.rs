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
//! Read next: `probe` for one destination, `window` for how many, `vigil` for `--wait-until-open`.

mod json;
mod ledger;
mod probe;
mod probes;
mod progress;
mod report;
mod vigil;
mod voice;
mod window;

use std::collections::VecDeque;
use std::io;
use std::num::NonZeroUsize;
use std::time::Instant;

use super::job::{self, Destination, Job, Lines, ScanGoal};
use super::notice::Console;
use super::targets::{self, Target};
use super::{Alarm as AppAlarm, Loop, Owner, route};
use crate::error::Error;
use crate::reactor::{Key, Readiness, SourceId, TimerId};
use crate::session::Hops;
use crate::sys::address::Address;
use crate::sys::knock::{Haste, Knock, Knocker};
use crate::sys::net::DialError;
use crate::sys::resolve::Lookup;
use ledger::Ledger;
use probe::{Orders, Probe, Verdict};
use probes::{Left, Live, Probes};
use progress::{GRACE, REDRAW, Standing};
use report::{Answer, Finding, Reporter, State, Tally};
use vigil::Watch;
use voice::{Unheard, Voice};
use window::{Admission, Window};

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
    /// Waiting for destinations to open has an end.
    VigilOver,
}

/// See the module's own page.
#[derive(Debug)]
pub(super) struct Scan {
    wanted: job::Scan,
    lookup: Lookup,
    orders: Orders,
    /// What is asked for, by number; `None`: an address without ports.
    ports: Vec<Option<u16>>,
    /// The host's addresses, or the first proxy's. Empty: not looked up yet.
    targets: Vec<Target>,
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
    watch: Option<Watch>,
    tally: Tally,
    reporter: Reporter,
    voice: Voice,
    starter: SourceId,
    /// Set while the next probe has to wait for its time.
    pause: Option<TimerId>,
    began: Instant,
    course: Course,
}

/// Whether a scan goes on.
#[derive(Debug)]
enum Course {
    /// Probes begin.
    On,
    /// All has been told that will be, up to what the readers have not taken yet.
    Told,
    /// No probe begins any more, for this reason.
    Failed(Error),
    /// Nobody reads what is told.
    Unheard,
}

impl Scan {
    /// Looks the host up. [`Scan::wake`] begins, with [`Part::Starter`].
    pub(super) fn new(
        job: &Job,
        wanted: &job::Scan,
        console: &Console,
        reactor: &mut Loop,
    ) -> Self {
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
        let watch = wanted.vigil.as_ref().map(|vigil| Watch::new(ports.len(), vigil, began));
        let starter = reactor.register_always_ready(Owner::Scan(Part::Starter));
        let mut scan = Self {
            lookup: job.lookup,
            orders: Orders {
                transport: job.transport,
                patience: wanted.patience,
                question: wanted.question.clone(),
                banner: wanted.banner,
                forget: has_local_port,
            },
            ports,
            targets: Vec::new(),
            next: 0,
            again: VecDeque::new(),
            window,
            knocker: Knocker::new(job.transport, job.options.clone(), haste),
            probes: Probes::default(),
            ledger: Ledger::new(),
            heard: 0,
            watch,
            tally: Tally::default(),
            reporter: Reporter::new(wanted, job.transport, job.lookup),
            voice: Voice::new(began, has_payload(wanted)),
            starter,
            pause: None,
            began,
            course: Course::On,
            wanted: wanted.clone(),
        };
        if let Some(watch) = &scan.watch {
            reactor.set_timer(watch.until, AppAlarm::Scan(Alarm::VigilOver));
        }
        reactor.set_timer(began + GRACE, AppAlarm::Scan(Alarm::Redraw));
        // Before probes take all the descriptors.
        match scan.voice.open(reactor) {
            Ok(()) => scan.resolve(reactor, console),
            Err(unheard) => scan.give_up(reactor, unheard),
        }
        reactor.requeue(starter);
        scan
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
            Alarm::Redraw => self.redraw(reactor),
            Alarm::VigilOver => self.end_vigil(reactor, console),
        }
        self.go_on(reactor, console);
    }

    /// Looks the host up. Who waits for it to be there waits for its name, too.
    fn resolve(&mut self, reactor: &mut Loop, console: &Console) {
        let job::Scan { to, route, .. } = &self.wanted;
        let port = self.ports.first().copied().flatten().unwrap_or(0);
        let port = route.proxies.first().map_or(port, |proxy| proxy.port);
        let found = match to {
            Destination::Host { .. } => targets::resolve(to, route, port, self.lookup),
            Destination::Exact { address, source } => {
                // A name of its own is nothing that a UNIX socket would be asked for.
                let from = source.clone().filter(|from| !matches!(from, Address::Unix(_)));
                Ok(vec![Target { to: address.clone(), from }])
            }
        };
        match (found, &mut self.watch) {
            (Ok(targets), _) => self.targets = targets,
            (Err(error), None) => self.course = Course::Failed(error),
            (Err(error), Some(watch)) => {
                let at = reactor.now() + watch.every;
                reactor.set_timer(at, AppAlarm::Scan(Alarm::Resolve));
                let line = console.complaint(&error) + "\n";
                if watch.is_other_word(&line) && self.wanted.tell.lines > Lines::None {
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
        let goes_on = matches!(self.course, Course::On);
        if goes_on && self.voice.is_unread() && self.is_decided() {
            self.give_up(reactor, Unheard::ReaderGone);
        }
        // Readers that took all of it at once make no event.
        if was_full && !self.voice.is_full() {
            reactor.requeue(self.starter);
        }
    }

    fn may_begin(&mut self, reactor: &mut Loop) -> bool {
        if !matches!(self.course, Course::On) || self.targets.is_empty() || self.voice.is_full() {
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

    /// Whatever the others turn out to be, the exit status will not change.
    fn is_decided(&self) -> bool {
        let successes = self.tally.successes();
        match (&self.watch, self.wanted.goal) {
            (Some(_), _) => false,
            (None, ScanGoal::Any) => successes > 0,
            (None, ScanGoal::All) => successes < self.tally.total(),
        }
    }

    fn next_number(&mut self) -> Option<usize> {
        // Nothing waits for its turn here, and those that are asked again and again would keep the
        // others from being asked at all.
        if self.watch.is_some() {
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
    fn begin(&mut self, reactor: &mut Loop, console: &Console, attempt: Attempt) {
        let Attempt { number, mut findings, mut hops, mut deadline } = attempt;
        // Thousands of answers may wait: each with room for what it has, and no more.
        findings.reserve_exact(self.targets.len() - findings.len());
        let port = self.ports[number];
        while let Some(target) = self.target(findings.len(), port) {
            let hops = match hops.take().map_or_else(|| self.hops(port), Ok) {
                Ok(hops) => hops,
                Err(error) => return self.course = Course::Failed(error),
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
                    return self.course = Course::Failed(Error::doing("bind failed")(error));
                }
                Err(DialError::Option(error)) => {
                    return self.course = Course::Failed(Error::message(error.to_string()));
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

    /// One of a host's addresses, or a proxy's.
    fn target(&self, which: usize, port: Option<u16>) -> Option<Target> {
        let target = self.targets.get(which)?;
        Some(match port {
            Some(port) if self.wanted.route.proxies.is_empty() => target.at_port(port),
            Some(_) | None => target.clone(),
        })
    }

    fn hops(&self, port: Option<u16>) -> Result<Hops, Error> {
        match (&self.wanted.to, port) {
            (Destination::Host { host, .. }, Some(port)) => {
                route::hops(&self.wanted.route, host, port, self.lookup)
            }
            (Destination::Host { .. } | Destination::Exact { .. }, _) => Ok(Hops::new()),
        }
    }

    /// There is nothing to connect with as long as so many probes are under way.
    fn is_our_doing(&self, error: &io::Error) -> bool {
        is_scarcity(error) && !self.probes.is_empty()
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

    fn advance(&mut self, reactor: &mut Loop, console: &Console, key: Key, now: Instant) {
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

    /// There is an answer.
    fn found(&mut self, reactor: &mut Loop, console: &Console, number: usize, answer: Answer) {
        let Some(watch) = &mut self.watch else {
            self.heard += answer.heard.as_ref().map_or(0, Vec::len);
            return self.ledger.enter(number, answer);
        };
        let state = answer.state();
        if watch.is_news(number, state) {
            let lines = self.reporter.lines(&answer, self.ports[number], &self.targets, console);
            self.say(reactor, &lines, "");
        }
        let Some(watch) = &mut self.watch else { return };
        // Silence is no sign that somebody is there.
        if state == State::Open {
            self.ledger.enter(number, answer);
        } else {
            let at = watch.next_probe(&answer, reactor.now());
            watch.keep(number, answer);
            reactor.set_timer(at, AppAlarm::Scan(Alarm::Again(number)));
        }
    }

    /// Time is up for those that were to open.
    fn end_vigil(&mut self, reactor: &mut Loop, console: &Console) {
        for mut live in self.probes.take_all(reactor) {
            // Open, and only its first words are still awaited.
            if let Some(heard) = live.probe.heard().map(<[u8]>::to_vec) {
                let finding = live.finding(Verdict::Open, reactor.now());
                live.findings.push(finding);
                let answer = Answer { findings: live.findings, heard: Some(heard) };
                self.found(reactor, console, live.number, answer);
            }
        }
        let Some(watch) = &mut self.watch else { return };
        self.again.clear();
        self.next = self.ports.len();
        let mut missing = 0;
        for number in self.ledger.gaps(self.ports.len()) {
            self.ledger.enter(number, watch.give_up(number));
            missing += 1;
        }
        if missing > 0 && self.wanted.tell.lines > Lines::None {
            let of = self.ports.len();
            let line = match of {
                1 => "the port did not open in time".to_owned(),
                _ => format!("{missing} of {of} ports did not open in time"),
            };
            let line = console.complaint(&line);
            self.say(reactor, &(line + "\n"), "");
        }
    }

    /// Tells what has been found out, in order, as far as its readers follow.
    fn tell(&mut self, reactor: &mut Loop, console: &Console) {
        if matches!(self.course, Course::Told | Course::Unheard) {
            return;
        }
        while !self.voice.is_full() {
            let number = self.ledger.taken();
            let Some(answer) = self.ledger.take() else { break };
            let (port, targets) = (self.ports[number], &self.targets);
            self.tally.add(answer.state());
            self.heard = self.heard.saturating_sub(answer.heard.as_ref().map_or(0, Vec::len));
            let lines = match self.watch {
                None => self.reporter.lines(&answer, port, targets, console),
                // Told when it was news.
                Some(_) => String::new(),
            };
            let payload = self.reporter.payload(&answer, port, targets);
            self.say(reactor, &lines, &payload);
        }
        if self.ledger.taken() == self.ports.len() && matches!(self.course, Course::On) {
            let took = reactor.clock().saturating_duration_since(self.began);
            let summary = self.reporter.summary(&self.tally, took, console);
            self.voice.erase_progress();
            self.course = Course::Told;
            self.say(reactor, &summary, "");
        }
    }

    fn redraw(&mut self, reactor: &mut Loop) {
        let Course::On = self.course else { return };
        let standing = Standing {
            done: match self.watch {
                None => self.ledger.taken(),
                Some(_) => self.ledger.entered(),
            },
            of: self.ports.len(),
            until: self.watch.as_ref().map(|watch| watch.until),
        };
        match self.voice.draw(reactor, standing) {
            Ok(true) => {
                let at = reactor.now() + REDRAW;
                reactor.set_timer(at, AppAlarm::Scan(Alarm::Redraw));
            }
            Ok(false) => {}
            Err(unheard) => self.give_up(reactor, unheard),
        }
    }

    fn say(&mut self, reactor: &mut Loop, lines: &str, payload: &str) {
        if let Err(unheard) = self.voice.say(reactor, lines, payload) {
            self.give_up(reactor, unheard);
        }
    }

    /// Nobody hears what would be found out.
    fn give_up(&mut self, reactor: &mut Loop, unheard: Unheard) {
        self.probes.take_all(reactor);
        self.voice.fall_silent(reactor);
        self.course = match unheard {
            Unheard::ReaderGone => Course::Unheard,
            Unheard::Broken(which, error) => Course::Failed(Error::doing(which)(error)),
        };
    }
}

/// A destination that is to be connected to.
#[derive(Debug)]
struct Attempt {
    number: usize,
    /// What was found at the addresses that have had their turn.
    findings: Vec<Finding>,
    /// What is to be said to the proxies; `None`: it begins from the beginning.
    hops: Option<Hops>,
    /// When patience ends; `None`: it begins with the attempt.
    deadline: Option<Instant>,
}

impl Attempt {
    fn first(number: usize) -> Self {
        Self { number, findings: Vec::new(), hops: None, deadline: None }
    }
}

/// There are no descriptors, no memory or no local ports for one more socket. The last has three names:
/// bind(2) to a local address says `EADDRINUSE`, connect(2) `EADDRNOTAVAIL`, and over UDP `EAGAIN`.
fn is_scarcity(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(
            libc::EMFILE
                | libc::ENFILE
                | libc::ENOBUFS
                | libc::ENOMEM
                | libc::EADDRINUSE
                | libc::EADDRNOTAVAIL
                | libc::EAGAIN
        )
    )
}

/// Something is told on stdout.
fn has_payload(wanted: &job::Scan) -> bool {
    wanted.tell.json || wanted.banner.is_some()
}

/// Probes that begin in one turn, before answers that have come in the meantime are looked at.
const STARTS_PER_TURN: usize = 128;

/// Answers that wait for one before them, at most: with what each costs, 2 MiB.
const AHEAD: usize = 16_384;

/// Bytes that destinations have said and that wait for their turn, and as many that probes under way may
/// hold.
const HEARD: usize = 2 * 1024 * 1024;

/// So few ports are probed as the manual of connect(2) has it, for those who watch with strace; in a
/// longer list nobody would follow, and haste pays (see [`Haste`]).
const SHORT_SCAN: usize = 64;
