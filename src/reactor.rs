//! The reactor: readiness and time, handed out as [`Wake`]s when asked.
//!
//! ```text
//! reactor.turn()?;                                   // wait, then remember what the kernel said
//! while let Some(wake) = reactor.next_wake() { .. }  // hand out exactly this turn's batch
//! ```
//!
//! Owns: the only poll, the time that everybody goes by, readiness bits, timers. Must not know: what a source
//! is for (that is `S`, the application's tag), what a timer is for (`T`), any protocol, any policy.
//!
//! Invariants:
//! * A source is registered once, for life. mio is edge-triggered: the kernel speaks once per change,
//!   so what it said is remembered here until somebody has *seen* `EAGAIN` and calls
//!   [`Reactor::clear`]. Whoever stops early (a full buffer, a spent budget) clears nothing and so
//!   loses nothing.
//! * A slot is in the queue at most once. What is requeued while a batch is handed out waits for
//!   the next turn, behind everybody else: no source can starve the others.
//! * An event whose generation is not the slot's is stale, and is dropped.
//!
//! Read next: `app`, which owns the one loop.

mod readiness;
mod slots;
mod timers;

use std::collections::VecDeque;
use std::fmt::Display;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::time::{Duration, Instant, SystemTime};

use mio::event::Source;
use mio::{Events, Interest, Poll, Token};

pub use readiness::Readiness;
pub use slots::{Key, Slots};
pub use timers::TimerId;
use timers::Timers;

use crate::clock;
use crate::explain::{Step, explain};
use crate::mistakes::{Mistake, made};
use crate::trace::{Event, is_heard, tell};

/// Names a registered source.
pub type SourceId = Key;

/// What the kernel can watch, by the descriptor that strace shows.
pub trait Pollable: Source {
    /// The descriptor, if that is known.
    fn raw_fd(&self) -> Option<RawFd>;
}

impl<S: Source + AsRawFd> Pollable for S {
    fn raw_fd(&self) -> Option<RawFd> {
        Some(self.as_raw_fd())
    }
}

/// Something to attend to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake<S, T> {
    /// A source became readier than it was, or was requeued.
    Io(S),
    /// A timer is due.
    Timer(T),
}

/// See the module's own page.
#[derive(Debug)]
pub struct Reactor<S, T> {
    poll: Poll,
    events: Events,
    sources: Slots<Registration<S>>,
    /// For the turn to come.
    queue: VecDeque<SourceId>,
    /// Of the current turn, not handed out yet.
    batch: VecDeque<SourceId>,
    timers: Timers<T>,
    /// Due in the current turn, not handed out yet.
    due: VecDeque<(TimerId, T)>,
    now: Instant,
    turns: u64,
    told: Told,
}

/// What the trace has heard of last. Without a listener it stays `Turn`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    /// The turn that is under way; its events and wakes are told too.
    Turn,
    /// A wait. Turns that bring no news have been passed over since, and belong to it.
    Wait { since: Instant },
}

#[derive(Debug)]
struct Registration<S> {
    tag: S,
    /// For the trace; `None`: nothing is polled.
    fd: Option<RawFd>,
    readiness: Readiness,
    queued: bool,
}

impl<S: Copy + Display, T: Display> Reactor<S, T> {
    /// Opens the kernel's poller.
    ///
    /// # Errors
    /// `epoll_create1(2)`: out of descriptors or memory.
    pub fn new() -> io::Result<Self> {
        let poll = Poll::new()?;
        if let Some(fd) = fd_of(&poll) {
            explain(|| Step::Poller { fd });
        }
        Ok(Self {
            poll,
            events: Events::with_capacity(EVENTS_PER_TURN),
            sources: Slots::new(),
            queue: VecDeque::new(),
            batch: VecDeque::new(),
            timers: Timers::new(),
            due: VecDeque::new(),
            now: clock::now(),
            turns: 0,
            told: Told::Turn,
        })
    }

    /// The instant this turn began: one reading for everybody, so that all see the same time.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.now
    }

    /// The time of day this instant, for what people read later; it can be set, so nothing waits for it.
    #[must_use]
    pub fn time_of_day(&self) -> SystemTime {
        clock::time_of_day()
    }

    /// What time it is this instant, for what has to be measured more finely than in turns.
    #[must_use]
    pub fn clock(&self) -> Instant {
        clock::now()
    }

    /// Has the kernel watch a source, for as long as it lives. The tag comes back with its wakes.
    ///
    /// # Errors
    /// `epoll_ctl(2)`; `PermissionDenied` says that this kind of descriptor cannot be polled because
    /// it never blocks (regular files, `/dev/null`): see [`Reactor::register_always_ready`].
    pub fn register(
        &mut self,
        source: &mut dyn Pollable,
        interest: Interest,
        tag: S,
    ) -> io::Result<SourceId> {
        let fd = source.raw_fd();
        let id = self.sources.insert(Registration {
            tag,
            fd,
            readiness: Readiness::NONE,
            queued: false,
        });
        match self.poll.registry().register(source, Token(id.pack()), interest) {
            Ok(()) => {
                tell(Event::Registered { source: &tag, fd, interest: Some(&interest) });
                Ok(id)
            }
            Err(error) => {
                self.sources.remove(id);
                Err(error)
            }
        }
    }

    /// Enters a source that never blocks and that the kernel therefore refuses to watch.
    pub fn register_always_ready(&mut self, tag: S) -> SourceId {
        tell(Event::Registered { source: &tag, fd: None, interest: None });
        self.register_absent(tag)
    }

    /// Enters what stands for nothing at all: always ready, and nobody is told.
    pub fn register_absent(&mut self, tag: S) -> SourceId {
        let readiness = Readiness::READABLE | Readiness::WRITABLE;
        self.sources.insert(Registration { tag, fd: None, readiness, queued: false })
    }

    /// Forgets a source. To be called *before* its descriptor is closed: closing one of several
    /// duplicates ends no registration.
    pub fn deregister(&mut self, id: SourceId, source: Option<&mut dyn Pollable>) {
        let Some(gone) = self.sources.remove(id) else { return };
        if let Some(source) = source {
            // It fails only if the poller has dropped the descriptor by itself, which is what we want.
            let _ = self.poll.registry().deregister(source);
        }
        tell(Event::Deregistered { source: &gone.tag, fd: gone.fd });
    }

    /// Gives a source a new purpose; registration and readiness stay.
    pub fn retag(&mut self, id: SourceId, tag: S) {
        if let Some(source) = self.sources.get_mut(id) {
            let from = std::mem::replace(&mut source.tag, tag);
            tell(Event::Retagged { from: &from, to: &tag, fd: source.fd });
        }
    }

    /// What is known of a source.
    #[must_use]
    pub fn readiness(&self, id: SourceId) -> Readiness {
        self.sources.get(id).map_or(Readiness::NONE, |source| source.readiness)
    }

    /// Takes a source to be ready for a first attempt, whatever the kernel has said: a FIFO whose
    /// writer left before it was opened never makes an event.
    pub fn presume(&mut self, id: SourceId, what: Readiness) {
        if let Some(source) = self.sources.get_mut(id) {
            source.readiness = source.readiness | what;
        }
    }

    /// Somebody has just seen `EAGAIN`: the bits were out of date.
    pub fn clear(&mut self, id: SourceId, which: Readiness) {
        if which == Readiness::NONE {
            return;
        }
        if let Some(source) = self.sources.get_mut(id) {
            source.readiness = source.readiness.without(which);
            let Registration { tag, fd, readiness, .. } = source;
            tell(Event::Cleared { source: tag, fd: *fd, which: &which, left: readiness });
        }
    }

    /// Hands the source out again on the next turn, whatever the kernel says.
    pub fn requeue(&mut self, id: SourceId) {
        if let Some(source) = self.sources.get_mut(id)
            && !source.queued
        {
            source.queued = true;
            self.queue.push_back(id);
            tell(Event::Requeued { source: &source.tag, fd: source.fd });
        }
    }

    /// Sets a timer.
    pub fn set_timer(&mut self, at: Instant, tag: T) -> TimerId {
        let after = at.saturating_duration_since(self.now);
        tell(Event::TimerSet { timer: &tag, after });
        self.timers.set(at, tag)
    }

    /// Takes a timer back: its wake will not come, also if it is due in this very turn.
    pub fn cancel_timer(&mut self, id: TimerId) {
        self.timers.cancel(id);
        self.due.retain(|(due, _)| *due != id);
    }

    /// Waits until something is to be done, and remembers what.
    ///
    /// # Errors
    /// `epoll_wait(2)`, but for `EINTR`: a signal (SIGCONT, a tracer) makes a turn without events.
    pub fn turn(&mut self) -> io::Result<()> {
        debug_assert!(
            self.batch.is_empty() && self.due.is_empty(),
            "the last batch was not handed out"
        );
        let timeout = self.timeout();
        if self.told == Told::Turn && is_heard() {
            tell(Event::Waiting { timeout, queued: self.queue.len() });
            self.told = Told::Wait { since: clock::now() };
        }
        if timeout != Some(Duration::ZERO)
            && let Some(fd) = fd_of(&self.poll)
        {
            explain(|| {
                let timeout = timeout.map(|time| time.as_nanos().div_ceil(1_000_000));
                let timeout = timeout.map_or(-1, |ms| i64::try_from(ms).unwrap_or(i64::MAX));
                Step::Sleep { fd, most: EVENTS_PER_TURN, timeout }
            });
        }
        match self.poll.poll(&mut self.events, timeout) {
            Ok(()) => {}
            Err(error)
                if error.kind() == io::ErrorKind::Interrupted && !made(Mistake::FailOnEintr) =>
            {
                self.events.clear();
            }
            Err(error) => return Err(error),
        }
        self.now = clock::now();
        self.turns += 1;
        while let Some(due) = self.timers.pop_due(self.now) {
            self.due.push_back(due);
        }
        if let Told::Wait { since } = self.told
            && self.brings_news()
        {
            self.told = Told::Turn;
            let waited = self.now.saturating_duration_since(since);
            let (events, timers) = (self.events.iter().count(), self.due.len());
            tell(Event::Woken { turn: self.turns, waited, events, timers });
        }
        for event in &self.events {
            let id = Key::unpack(event.token().0);
            let Some(source) = self.sources.get_mut(id) else {
                tell(Event::Stale);
                continue;
            };
            let said = Readiness::from(event);
            source.readiness = source.readiness | said;
            let Registration { tag, fd, readiness, .. } = source;
            if self.told == Told::Turn {
                tell(Event::Ready { source: tag, fd: *fd, said: &said, known: readiness });
            }
            if !source.queued {
                source.queued = true;
                self.queue.push_back(id);
            }
        }
        std::mem::swap(&mut self.batch, &mut self.queue);
        Ok(())
    }

    /// The next thing of this turn; sources first, so that a timeout never beats data that is there.
    pub fn next_wake(&mut self) -> Option<Wake<S, T>> {
        while let Some(id) = self.batch.pop_front() {
            // A source closed since it was queued has left no slot behind.
            if let Some(source) = self.sources.get_mut(id) {
                source.queued = false;
                if self.told == Told::Turn {
                    tell(Event::Wake(&source.tag));
                }
                return Some(Wake::Io(source.tag));
            }
        }
        if let Some((_, tag)) = self.due.pop_front() {
            tell(Event::Wake(&format_args!("timer for {tag}")));
            return Some(Wake::Timer(tag));
        }
        tell(Event::Done);
        None
    }

    /// Whether this turn is told of. What could be written to before can be written to: where stdout
    /// is the terminal that the trace goes to, each of its lines makes such an event, and telling of it
    /// would make the next.
    fn brings_news(&self) -> bool {
        let is_known = |event: &mio::event::Event| {
            let source = self.sources.get(Key::unpack(event.token().0));
            Readiness::from(event) == Readiness::WRITABLE
                && source.is_some_and(|it| it.readiness.intersects(Readiness::WRITABLE))
        };
        let is_idle = self.queue.is_empty() && self.due.is_empty() && !self.events.is_empty();
        !(is_idle && self.events.iter().all(is_known))
    }

    fn timeout(&self) -> Option<Duration> {
        if !self.queue.is_empty() {
            return Some(Duration::ZERO);
        }
        // From a fresh reading: work done since the turn began has used up part of the wait.
        let next = self.timers.next()?;
        Some(next.saturating_duration_since(clock::now()))
    }
}

/// The poller's descriptor, which explanations name.
#[cfg(not(mio_unsupported_force_poll_poll))]
#[expect(clippy::unnecessary_wraps, reason = "poll(2) has none")]
fn fd_of(poll: &Poll) -> Option<RawFd> {
    Some(poll.as_raw_fd())
}

/// poll(2) has none.
#[cfg(mio_unsupported_force_poll_poll)]
fn fd_of(_: &Poll) -> Option<RawFd> {
    None
}

/// How many events one turn takes from the kernel; more wait there and come with the next turn, so
/// this bounds a turn and loses nothing. 256 of 12 bytes each: nginx's default is 512.
const EVENTS_PER_TURN: usize = 256;

#[cfg(test)]
mod tests;
