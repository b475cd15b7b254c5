//! The application: the one loop, and the one place that knows what a wake is for.
//!
//! Owns: the reactor and everything registered with it; the order of things (listen, accept, serve;
//! dial one port after another). Must not know: the command line (it gets a [`Job`]), how bytes are
//! moved (that is `session` and `flow`).
//! Read next: `hub` for what happens to a session; `incoming` and `outgoing` for where they come from.

mod accept;
mod broadcast;
mod confine;
mod dial;
mod hub;
mod incoming;
mod job;
mod line;
mod listen;
mod local;
mod meter;
mod notice;
mod outgoing;
mod outlet;
mod ports;
mod route;
mod scan;
mod signals;
mod taps;
mod targets;
mod wakes;

pub use job::{
    Announce, Connect, Destination, Digest, Dump, DumpFormat, DumpTo, Job, Keep, Lines, Listen,
    Metering, Mode, NameLookup, Place, Progress, Proxy, ProxyKind, Purpose, Route, Scan, ScanGoal,
    Stamps, Stats, Taps, Tell, Vigil,
};
pub use notice::Console;

use accept::Acceptor;
use broadcast::Broadcast;
use hub::{Hub, Stdin};
use local::Local;
use meter::Meter;
use ports::Ports;
use scan::Scan as Scanner;
use taps::Taps as Watcher;
use wakes::{Alarm, Owner};

use crate::error::{Error, reason};
use crate::reactor::{Reactor, SourceId, Wake};
use crate::session::{End, Policy};
use crate::sys::inherit::Kind;
use crate::sys::net::Transport;
use crate::sys::polled::Polled;
use crate::sys::resolve::Lookup;
use crate::sys::sandbox::{Sandbox, Stage};
use crate::sys::signal::Signals;
use crate::sys::unix_path::BoundPath;

type Loop = Reactor<Owner, Alarm>;

/// Whether this build can look at what it does. Where it cannot, the compiler leaves out what is behind it.
const SEE: bool = cfg!(feature = "see");

/// One run of the program.
#[derive(Debug)]
struct App<'a> {
    reactor: Loop,
    hub: Hub,
    origin: Origin,
    transport: Transport,
    lookup: Lookup,
    console: &'a Console,
    record: Record,
    meter: Meter,
    signals: Option<Signals>,
    sandbox: Sandbox,
    /// What is left to be taken away at the end.
    file: Option<BoundPath>,
}

/// Where sessions come from.
#[derive(Debug)]
enum Origin {
    /// From dialing one destination after another.
    Ports(Box<Ports>),
    /// None: destinations are looked at, and that is all.
    Scan(Box<Scanner>),
    /// From a listener.
    Listener {
        acceptor: Acceptor,
        keep: Keep,
        /// As messages name it, for clients without a name of their own.
        place: String,
    },
    /// From the first datagram that arrives.
    Meeting {
        socket: Polled,
        id: SourceId,
        /// As messages name it, for senders without a name of their own.
        place: String,
    },
    /// From nowhere any more.
    Nowhere,
}

/// What the exit status is made of.
#[derive(Debug, Default)]
struct Record {
    sessions: usize,
    failures: usize,
}

/// Does the job. Returns when there is nothing left that could happen. The job is taken, and not lent, for its
/// credentials are to be forgotten before the end.
///
/// # Errors
/// What the program has to say last, and that the exit status is 1: no connection was made, bytes were
/// lost, a listener could not be opened.
pub fn run(mut job: Job, console: &Console) -> Result<(), Error> {
    let mut reactor = Loop::new().map_err(Error::doing("cannot open a poller"))?;
    let route = job.mode.take_route();
    let job = &job;
    // Before there is a file, so that no signal comes between.
    let signals = signals::hear(job)?;
    let taps = Watcher::open(&mut reactor, job)?;
    match &job.mode {
        Mode::Connect(connect) => {
            let now = reactor.now();
            let ports = Ports::new(
                Connect { route, ..connect.clone() },
                job.transport,
                job.lookup,
                job.options.clone(),
                now,
            );
            let origin = Origin::Ports(Box::new(ports));
            let local = match connect.purpose {
                Purpose::Relay => open_local(&mut reactor, job)?,
                Purpose::PassDescriptor => Local::none(&mut reactor),
            };
            let stdin = Stdin::OfOneOfMany;
            let mut app = App::new(job, console, reactor, signals, stdin, local);
            app.hub.set_taps(taps);
            app.origin = origin;
            app.run()
        }
        Mode::Scan(wanted) => {
            let local = Local::none(&mut reactor);
            let mut app = App::new(job, console, reactor, signals, Stdin::OfTheLast, local);
            let wanted = job::Scan { route, ..wanted.clone() };
            let scanner = Scanner::new(job, wanted, console, &mut app.reactor)?;
            if scanner.may_draw() {
                app.expect_a_line();
            }
            app.origin = Origin::Scan(Box::new(scanner));
            app.confine(Stage::Scanning)?;
            app.run()
        }
        Mode::Listen(wanted) => {
            let opened = listen::open(job, wanted, console)?;
            let stdin = match (wanted.keep, opened.kind) {
                (Keep::Open { .. }, Kind::Listener(_)) => Stdin::Shared(Broadcast::default()),
                (Keep::Once | Keep::Open { .. }, _) => Stdin::OfTheLast,
            };
            let local = open_local(&mut reactor, job)?;
            let mut app = App::new(job, console, reactor, signals, stdin, local);
            app.hub.set_taps(taps);
            app.take_in(opened, wanted)?;
            app.run()
        }
    }
}

impl<'a> App<'a> {
    fn new(
        job: &Job,
        console: &'a Console,
        reactor: Loop,
        signals: Option<Signals>,
        stdin: Stdin,
        local: Local,
    ) -> Self {
        let peer_eof = job.policy.peer_eof.settled(local.input.is_terminal());
        let filters = job.policy.filters.settled(local.output.is_terminal());
        let largest_datagram = job.transport.largest_datagram();
        let policy = Policy { peer_eof, largest_datagram, filters, ..job.policy.clone() };
        let meter = Meter::new(job.meter, &local);
        let hub = Hub::new(local, policy, stdin, meter.wants_accounts(), reactor.now());
        let mut app = Self {
            reactor,
            hub,
            origin: Origin::Nowhere,
            transport: job.transport,
            lookup: job.lookup,
            console,
            record: Record::default(),
            meter,
            signals,
            sandbox: Sandbox::new(job.sandbox),
            file: None,
        };
        if app.meter.may_draw() {
            app.expect_a_line();
        }
        app
    }

    /// Runs the loop to its end, and says how it went.
    fn run(mut self) -> Result<(), Error> {
        let ran = self.turn_until_over();
        self.console.erase();
        ran?;
        self.record.verdict()
    }

    /// The loop: waits, and does what each wake is for, until nothing is left that could happen.
    fn turn_until_over(&mut self) -> Result<(), Error> {
        self.dial_next_port()?;
        self.poll_signals()?;
        // anchor: loop
        while !self.is_over() {
            self.reactor.turn().map_err(Error::doing("cannot poll"))?;
            while let Some(wake) = self.reactor.next_wake() {
                self.step_aside();
                self.dispatch(wake)?;
                self.settle()?;
            }
        }
        // end: loop
        Ok(())
    }

    fn is_over(&mut self) -> bool {
        self.hub.is_empty()
            && matches!(self.origin, Origin::Nowhere)
            && self.hub.dumps_are_written(&mut self.reactor)
    }

    /// What every wake is for.
    fn dispatch(&mut self, wake: Wake<Owner, Alarm>) -> Result<(), Error> {
        let reactor = &mut self.reactor;
        match wake {
            Wake::Io(Owner::Session(key)) => self.hub.advance(reactor, key),
            Wake::Io(Owner::Stdin) => self.hub.stdin_ready(reactor),
            Wake::Io(Owner::Stdout) if self.hub.reader_is_gone(reactor) => {
                self.stop(|| End::ReaderGone);
            }
            Wake::Io(Owner::Stdout) => self.hub.stdout_ready(reactor),
            Wake::Io(Owner::Listener) | Wake::Timer(Alarm::Accept) => self.accept()?,
            Wake::Io(Owner::Meeting) => self.meet()?,
            Wake::Io(Owner::Attempt(number)) => self.attempt_ready(number)?,
            Wake::Io(Owner::Signals) => self.heed_signals()?,
            Wake::Timer(Alarm::Progress) => {
                self.redraw_progress();
                self.guard_the_line()?;
            }
            Wake::Timer(Alarm::DialNext) => {
                if let Some(dial) = self.origin.ports().and_then(|ports| ports.dial.as_mut()) {
                    dial.next_is_due(reactor, self.console)?;
                }
            }
            Wake::Timer(Alarm::DialDeadline) => {
                if let Some(dial) = self.origin.ports().and_then(|ports| ports.dial.as_mut()) {
                    dial.deadline_passed(reactor, self.console)?;
                }
            }
            Wake::Timer(Alarm::NextPort) => {
                if let Some(ports) = self.origin.ports() {
                    ports.end_pause();
                }
            }
            Wake::Timer(Alarm::Quit) if self.hub.is_quitting_time() => {
                self.stop(|| End::QuitTimer);
            }
            Wake::Timer(Alarm::Quit) => {}
            Wake::Timer(Alarm::Patience) => self.hub.patience_is_over(reactor),
            Wake::Timer(Alarm::Session(key)) => self.hub.timer_fired(reactor, key),
            Wake::Io(Owner::Scan(part)) => {
                if let Origin::Scan(scanner) = &mut self.origin {
                    scanner.wake(reactor, self.console, part);
                }
            }
            Wake::Io(Owner::Dump) => self.hub.write_dumps(reactor),
            Wake::Timer(Alarm::Dumps) => self.hub.give_dumps_up(reactor),
            Wake::Timer(Alarm::Scan(alarm)) => {
                if let Origin::Scan(scanner) = &mut self.origin {
                    scanner.alarm(reactor, self.console, alarm);
                }
                self.guard_the_line()?;
            }
        }
        Ok(())
    }

    /// What this wake's ends mean for the whole.
    fn settle(&mut self) -> Result<(), Error> {
        if let Some(error) = self.hub.take_stdin_error() {
            self.console.complain(&format!("stdin: {}", reason(&error)));
            self.record.failures += 1;
        }
        self.tell_news();
        if self.hub.take_negotiated() {
            self.negotiated()?;
        }
        // One end may bring about others, which come to their turn here too.
        while let Some(farewell) = self.hub.next_farewell() {
            let outcome = &farewell.outcome;
            if let Some(complaint) = outcome.complaint(&farewell.peer) {
                self.console.complain(&complaint);
            }
            self.note_end(&farewell);
            let outcome = farewell.outcome;
            let denied = matches!(outcome.end, End::Denied(_));
            if !outcome.is_clean() && !denied {
                self.record.failures += 1;
            }
            if outcome.quits {
                self.stop(|| End::QuitTimer);
            }
            match outcome.end {
                End::ProxyReconnects(hops) => {
                    if let Some(ports) = self.origin.ports() {
                        ports.dial_again(hops);
                        continue;
                    }
                }
                // Without stdout there is nothing left to do for any session.
                End::ReaderGone | End::OutputFailed(_) => self.stop(|| End::ReaderGone),
                // After a denial, as after a refused connection, another port may fare better.
                End::Complete
                | End::Denied(_)
                | End::Idle
                | End::QuitTimer
                | End::HeldOthersBack
                | End::PeerFailed(_)
                | End::InputFailed(_) => {}
            }
            match &mut self.origin {
                Origin::Listener { acceptor, .. } => acceptor.look_again(&mut self.reactor),
                Origin::Ports(ports) => ports.pause(&mut self.reactor),
                Origin::Scan(_) | Origin::Meeting { .. } | Origin::Nowhere => {}
            }
        }
        self.end_scan()?;
        self.drop_lost_dial();
        self.dial_next_port()?;
        self.follow_progress();
        Ok(())
    }

    /// What the taps have to say.
    fn tell_news(&mut self) {
        while let Some(news) = self.hub.next_news() {
            self.console.complain(&news);
        }
    }

    fn end_scan(&mut self) -> Result<(), Error> {
        if let Origin::Scan(scanner) = &self.origin
            && scanner.is_over()
            && let Origin::Scan(scanner) = std::mem::replace(&mut self.origin, Origin::Nowhere)
        {
            scanner.verdict()?;
            self.record.sessions += 1;
        }
        Ok(())
    }

    /// Ends everything, for the same reason.
    fn stop(&mut self, end: fn() -> End) {
        self.hub.close_all(&mut self.reactor, end);
        match std::mem::replace(&mut self.origin, Origin::Nowhere) {
            Origin::Listener { acceptor, .. } => acceptor.close(&mut self.reactor),
            Origin::Meeting { mut socket, id, .. } => {
                self.reactor.deregister(id, Some(socket.source()));
            }
            Origin::Ports(ports) => {
                if let Some(mut dial) = ports.dial {
                    dial.give_up(&mut self.reactor);
                }
            }
            Origin::Scan(_) | Origin::Nowhere => {}
        }
    }
}

fn open_local(reactor: &mut Loop, job: &Job) -> Result<Local, Error> {
    Local::open(reactor, job.policy.ways)
        .map_err(Error::doing("cannot use standard input and output"))
}

impl Origin {
    fn ports(&mut self) -> Option<&mut Ports> {
        match self {
            Self::Ports(ports) => Some(ports),
            Self::Scan(_) | Self::Listener { .. } | Self::Meeting { .. } | Self::Nowhere => None,
        }
    }

    /// What its connections are made for.
    fn purpose(&self) -> Purpose {
        match self {
            Self::Ports(ports) => ports.purpose(),
            Self::Scan(_) | Self::Listener { .. } | Self::Meeting { .. } | Self::Nowhere => {
                Purpose::Relay
            }
        }
    }
}

impl Record {
    /// At least one connection was made, and no byte that was read was lost. Otherwise the reason has
    /// been printed when it happened.
    fn verdict(&self) -> Result<(), Error> {
        if self.sessions > 0 && self.failures == 0 { Ok(()) } else { Err(Error::Silent) }
    }
}
