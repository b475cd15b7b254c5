//! What the loop does, told to whoever studies it: `--trace`, `--trace-json`, `-vv`, `RUST_LOG`.
//!
//! Owns: the events that can be told, their words, and whether anybody listens. Must not know: who makes
//! them, who reads them (`voices`).
//!
//! While nobody listens an event costs the reading of one number and is not even put together. A build
//! without the feature `log` has nothing of it.
//!
//! Read next: [`timeline`], where the same events become a picture.

pub mod timeline;

use std::fmt::{self, Debug, Display};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use log::{Level, LevelFilter};

use crate::clock;
use crate::error::errno_name;

/// Something that has just happened.
#[derive(Clone, Copy)]
pub enum Event<'a> {
    /// A source is known from now on.
    Registered {
        /// What it is for.
        source: &'a dyn Display,
        /// As strace shows it; some keep theirs to themselves.
        fd: Option<RawFd>,
        /// What the kernel should tell of; `None`: it never blocks, and nobody need watch it.
        interest: Option<&'a dyn Debug>,
    },
    /// A source is forgotten.
    Deregistered {
        /// What it was for.
        source: &'a dyn Display,
        /// As strace shows it.
        fd: Option<RawFd>,
    },
    /// A source has a new purpose.
    Retagged {
        /// What it was for.
        from: &'a dyn Display,
        /// What it is for now.
        to: &'a dyn Display,
        /// As strace shows it.
        fd: Option<RawFd>,
    },
    /// `epoll_wait(2)` is about to be called.
    Waiting {
        /// After this time at the latest it returns.
        timeout: Option<Duration>,
        /// Sources that have more to do; while there are any, it does not wait.
        queued: usize,
    },
    /// It has returned, perhaps not for the first time: what brought nothing new is left out.
    Woken {
        /// Turns of the loop so far, with this one.
        turn: u64,
        /// Since it was told that it waits.
        waited: Duration,
        /// Sources that it has told of.
        events: usize,
        /// Timers that are due.
        timers: usize,
    },
    /// What the kernel has told of a source.
    Ready {
        /// What the source is for.
        source: &'a dyn Display,
        /// As strace shows it.
        fd: Option<RawFd>,
        /// The bits of the event.
        said: &'a dyn Debug,
        /// All bits that are known now.
        known: &'a dyn Debug,
    },
    /// An event for a source that has been closed since.
    Stale,
    /// Somebody is told that there is something to do.
    Wake(&'a dyn Display),
    /// The last one to be told has done what it could.
    Done,
    /// A call has said `EAGAIN`, so bits were out of date.
    Cleared {
        /// What the source is for.
        source: &'a dyn Display,
        /// As strace shows it.
        fd: Option<RawFd>,
        /// The bits that are gone.
        which: &'a dyn Debug,
        /// The bits that are left.
        left: &'a dyn Debug,
    },
    /// A source has more to do, and has its turn behind everybody else.
    Requeued {
        /// What it is for.
        source: &'a dyn Display,
        /// As strace shows it.
        fd: Option<RawFd>,
    },
    /// A timer runs.
    TimerSet {
        /// What it is for.
        timer: &'a dyn Display,
        /// Until then.
        after: Duration,
    },
    /// A system call has returned.
    Called(Call, Result<usize, &'a io::Error>, Duration),
    /// A flow has made a step.
    Stepped {
        /// The flow's name.
        flow: &'static str,
        /// What was tried.
        step: &'a dyn Debug,
        /// What came of it.
        outcome: &'a dyn Debug,
        /// Bytes that the flow holds now.
        held: usize,
    },
    /// A state machine is in another state.
    Entered {
        /// Which one.
        machine: &'a str,
        /// The state it was in.
        from: &'a dyn Debug,
        /// The state it is in.
        to: &'a dyn Debug,
    },
    /// Something else that belongs to the states.
    Noted(&'a dyn Display),
}

/// A system call, as strace names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    name: &'static str,
    fd: RawFd,
    to: Option<RawFd>,
    most: Option<usize>,
    flag: Option<&'static str>,
    found: Option<i32>,
}

/// What events are about; one can listen to one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// Waiting, events, readiness, timers.
    Loop,
    /// System calls that move bytes or connections, and what flows hold.
    Io,
    /// State machines.
    State,
}

impl Topic {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Loop, Self::Io, Self::State];

    /// As it is typed.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Loop => "loop",
            Self::Io => "io",
            Self::State => "state",
        }
    }

    /// Where its records go in the log.
    #[must_use]
    pub const fn target(self) -> &'static str {
        match self {
            Self::Loop => "pollcat::loop",
            Self::Io => "pollcat::io",
            Self::State => "pollcat::state",
        }
    }
}

impl Event<'_> {
    /// What it is about.
    #[must_use]
    pub const fn topic(&self) -> Topic {
        match self {
            Self::Called(..) | Self::Stepped { .. } => Topic::Io,
            Self::Entered { .. } | Self::Noted(_) => Topic::State,
            Self::Registered { .. }
            | Self::Deregistered { .. }
            | Self::Retagged { .. }
            | Self::Waiting { .. }
            | Self::Woken { .. }
            | Self::Ready { .. }
            | Self::Stale
            | Self::Wake(_)
            | Self::Done
            | Self::Cleared { .. }
            | Self::Requeued { .. }
            | Self::TimerSet { .. } => Topic::Loop,
        }
    }
}

/// Tells of an event, if anybody listens.
#[inline]
pub fn tell(event: Event<'_>) {
    if is_heard() {
        record(event);
    }
}

/// Makes a system call that returns a number, and tells of it.
///
/// # Errors
/// Those of the call.
pub fn call(this: Call, make: impl FnOnce() -> io::Result<usize>) -> io::Result<usize> {
    call_for(this, |n| *n, make)
}

/// Makes a system call, and tells of it with the number that its answer comes to.
///
/// # Errors
/// Those of the call.
pub fn call_for<T>(
    this: Call,
    number: impl FnOnce(&T) -> usize,
    make: impl FnOnce() -> io::Result<T>,
) -> io::Result<T> {
    let began = is_heard().then(clock::now);
    let answer = make();
    if let Some(began) = began {
        returned(this, answer.as_ref().map(number), began);
    }
    answer
}

/// Apart, for there is a copy of [`call_for`] for each call that is made.
#[cold]
#[inline(never)]
fn returned(this: Call, answer: Result<usize, &io::Error>, began: Instant) {
    // The loop has its own time, one for a whole turn; a trace wants to be finer.
    let took = clock::now().saturating_duration_since(began);
    record(Event::Called(this, answer, took));
}

/// Time since the first that was told, or now.
#[must_use]
pub fn elapsed() -> Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    let now = clock::now();
    now.saturating_duration_since(*START.get_or_init(|| now))
}

/// Whether anybody listens.
#[inline]
#[must_use]
pub fn is_heard() -> bool {
    cfg!(feature = "log") && log::max_level() >= LevelFilter::Debug
}

#[cold]
fn record(event: Event<'_>) {
    timeline::draw(&event);
    let topic = event.topic();
    let level = match topic {
        Topic::State => Level::Debug,
        Topic::Loop | Topic::Io => Level::Trace,
    };
    // Only the timeline needs to know when a wake has been dealt with.
    if !matches!(event, Event::Done) {
        log::log!(target: topic.target(), level, "{event}");
    }
}

impl Call {
    /// A call on a descriptor.
    #[must_use]
    pub fn on(name: &'static str, fd: impl AsFd) -> Self {
        Self { name, fd: fd.as_fd().as_raw_fd(), to: None, most: None, flag: None, found: None }
    }

    /// It should move so many bytes at most.
    #[must_use]
    pub const fn at_most(self, most: usize) -> Self {
        Self { most: Some(most), ..self }
    }

    /// It moves bytes to this descriptor.
    #[must_use]
    pub fn to(self, to: BorrowedFd<'_>) -> Self {
        Self { to: Some(to.as_raw_fd()), ..self }
    }

    /// What else is to be said about it, as strace does.
    #[must_use]
    pub const fn with(self, flag: &'static str) -> Self {
        Self { flag: Some(flag), ..self }
    }

    /// It has found this errno, or 0 for none.
    #[must_use]
    pub const fn finding(self, errno: i32) -> Self {
        Self { found: Some(errno), ..self }
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

impl Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({}", self.name, self.fd)?;
        if let Some(to) = self.to {
            write!(f, ", {to}")?;
        }
        if let Some(flag) = self.flag {
            write!(f, ", {flag}")?;
        }
        if let Some(most) = self.most {
            write!(f, ", {most}")?;
        }
        match self.found {
            Some(0) => f.write_str(", [0]")?,
            Some(errno) => write!(f, ", [{}]", errno_name(errno).unwrap_or_default())?,
            None => {}
        }
        f.write_str(")")
    }
}

/// What a call has returned: a number, or the reason why not.
pub(crate) struct Answer<'a>(pub(crate) Result<usize, &'a io::Error>);

impl Display for Answer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Ok(n) => write!(f, "{n}"),
            Err(error) => {
                let errno = error.raw_os_error().and_then(errno_name).unwrap_or_default();
                write!(f, "-1 {errno} ({:?})", error.kind())
            }
        }
    }
}

/// A time to the microsecond, as `strace -T` has it: one unit for all, and no letter that a serial
/// console does not know.
struct Seconds(Duration);

impl Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06} s", self.0.as_secs(), self.0.subsec_micros())
    }
}

/// A source: its descriptor first, as strace has it.
struct Named<'a>(Option<RawFd>, &'a dyn Display);

impl Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(fd) => write!(f, "fd {fd} ({})", self.1),
            None => write!(f, "{}", self.1),
        }
    }
}

impl Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registered { source, interest: None, .. } => {
                write!(f, "{source} is always ready")
            }
            Self::Registered { source, fd, interest: Some(interest) } => {
                write!(f, "register {} for {interest:?}", Named(*fd, *source))
            }
            Self::Deregistered { source, fd } => write!(f, "deregister {}", Named(*fd, *source)),
            Self::Retagged { from, to, fd } => write!(f, "{} becomes {to}", Named(*fd, *from)),
            Self::Waiting { queued: 0, timeout: None } => f.write_str("wait"),
            Self::Waiting { queued: 0, timeout: Some(timeout) } => {
                write!(f, "wait for {} at most", Seconds(*timeout))
            }
            Self::Waiting { queued, .. } => write!(f, "do not wait, {queued} queued"),
            Self::Woken { turn, waited, events, timers } => {
                let waited = Seconds(*waited);
                write!(f, "turn {turn} after {waited}: events {events}, timers due {timers}")
            }
            Self::Ready { source, fd, said, known } => {
                write!(f, "{} event {said:?}, ready {known:?}", Named(*fd, *source))
            }
            Self::Stale => f.write_str("an event for a source that is closed"),
            Self::Wake(whom) => write!(f, "wake {whom}"),
            Self::Done => f.write_str("done"),
            Self::Cleared { source, fd, which, left } => {
                write!(f, "{} clear {which:?}, ready {left:?}", Named(*fd, *source))
            }
            Self::Requeued { source, fd } => write!(f, "requeue {}", Named(*fd, *source)),
            Self::TimerSet { timer, after } => {
                write!(f, "timer for {timer} in {}", Seconds(*after))
            }
            Self::Called(call, answer, _) => write!(f, "{call} = {}", Answer(*answer)),
            Self::Stepped { flow, step, outcome, held } => {
                write!(f, "{flow}: {step:?} = {outcome:?}, holds {held}")
            }
            Self::Entered { machine, from, to } => write!(f, "{machine}: {from:?} => {to:?}"),
            Self::Noted(what) => write!(f, "{what}"),
        }
    }
}
