//! Signals as a source of the loop.
//!
//! SIGUSR1 asks how far the program is. Those that end the program are held back only where something has
//! to be done before; everywhere else their default action is all that is needed. A signal that is heard is
//! blocked and waits in the kernel until it is read, signalfd(2): none is missed between a look and a sleep, and
//! no handler is ever set. A program that we were to start would have to be given the mask as it was.

use std::fmt;
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

use mio::event::Source;
use mio::{Interest, Registry, Token};
use nix::sys::signal::{SigSet, Signal as Number, raise};
#[expect(deprecated, reason = "see `widen`")]
use nix::sys::signalfd::signalfd;
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::{Errno, read};

use super::polled::Polled;

/// Signals that the loop hears of, instead of what they do by default.
pub struct Signals {
    heard: SigSet,
    /// What the parent has had us ignore (nohup), once that was looked up. It costs three calls, which most
    /// runs do without.
    ignored: Option<u64>,
    /// Where they are read. The kernel closes it with the program.
    queue: Option<ManuallyDrop<Polled>>,
}

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// To say how far the program is.
    Question,
    /// To end; the signal's number.
    Ending(i32),
}

impl fmt::Debug for Signals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signals")
    }
}

impl Signals {
    /// Hears none yet.
    #[must_use]
    pub fn none() -> Self {
        Self { heard: SigSet::empty(), ignored: None, queue: None }
    }

    /// From now on SIGUSR1 is a question, unless it is ignored: that is looked up when one comes.
    ///
    /// # Errors
    /// `sigprocmask(2)`, which has no reason to fail.
    pub fn hear_questions(&mut self) -> io::Result<()> {
        self.hear(&[Number::SIGUSR1])
    }

    /// From now on SIGINT, SIGTERM and SIGHUP wait until we are ready for them. Those that are ignored stay so.
    ///
    /// # Errors
    /// As [`Signals::hear_questions`].
    pub fn hold_endings_back(&mut self) -> io::Result<()> {
        self.look_up_ignored();
        let all = [Number::SIGINT, Number::SIGTERM, Number::SIGHUP];
        let heard: Vec<_> = all.into_iter().filter(|ending| !self.is_ignored(*ending)).collect();
        self.hear(&heard)
    }

    /// Whether it is known by now which are ignored.
    #[must_use]
    pub fn knows_ignored(&self) -> bool {
        self.ignored.is_some()
    }

    /// Finds out which are ignored, while files can be opened.
    pub fn look_up_ignored(&mut self) {
        if self.ignored.is_none() {
            self.ignored = ignored_signals();
        }
    }

    /// Where nobody knows, none is.
    fn is_ignored(&self, signal: Number) -> bool {
        self.ignored.is_some_and(|ignored| ignored >> (signal as i32 - 1) & 1 == 1)
    }

    /// Without it what ends the program would not.
    #[must_use]
    pub fn holds_endings_back(&self) -> bool {
        let endings = [Number::SIGINT, Number::SIGTERM, Number::SIGHUP];
        endings.into_iter().any(|ending| self.heard.contains(ending))
    }

    /// Makes what is to be polled. What has come before waits there.
    ///
    /// # Errors
    /// Out of descriptors.
    pub fn open(&mut self) -> io::Result<()> {
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        let queue = OwnedFd::from(SignalFd::with_flags(&self.heard, flags)?);
        self.queue = Some(ManuallyDrop::new(Polled::new(queue)));
        Ok(())
    }

    /// What has arrived; `None`: nothing more. What has come several times comes once.
    pub fn arrived(&mut self) -> Option<Signal> {
        loop {
            let mut info = [0; SIGINFO];
            let read = self.queue.as_ref()?.call(|fd| Ok(read(fd, &mut info)?));
            // Its number comes first.
            let number = *info.first_chunk().filter(|_| read.is_ok_and(|n| n == SIGINFO))?;
            let number = i32::from_ne_bytes(number);
            if number != Number::SIGUSR1 as i32 {
                return Some(Signal::Ending(number));
            }
            self.look_up_ignored();
            // Blocked, it comes all the same.
            if !self.is_ignored(Number::SIGUSR1) {
                return Some(Signal::Question);
            }
        }
    }

    /// Waits until a descriptor is readable or has hung up, or a signal ends that. Questions are not answered here.
    ///
    /// # Errors
    /// poll(2).
    pub fn wait_beside(&mut self, fd: impl AsFd) -> io::Result<Option<i32>> {
        loop {
            let mut both = vec![PollFd::from_borrowed_fd(fd.as_fd(), PollFlags::IN)];
            both.extend(
                self.queue
                    .as_ref()
                    .map(|queue| PollFd::from_borrowed_fd(queue.as_fd(), PollFlags::IN)),
            );
            match poll(&mut both, None) {
                Err(Errno::INTR) => continue,
                found => found?,
            };
            if both[0].revents().is_empty() {
                if let Some(Signal::Ending(number)) = self.arrived() {
                    return Ok(Some(number));
                }
            } else {
                return Ok(None);
            }
        }
    }

    /// Hears of none any more. Those that have come and were not looked at do what they do by default.
    ///
    /// # Errors
    /// As [`Signals::hear_questions`].
    pub fn release(mut self) -> io::Result<()> {
        if let Some(queue) = self.queue.take() {
            drop(ManuallyDrop::into_inner(queue));
        }
        Ok(self.heard.thread_unblock()?)
    }

    fn hear(&mut self, signals: &[Number]) -> io::Result<()> {
        let before = self.heard;
        self.heard.extend(signals.iter().copied());
        if self.heard != before {
            self.heard.thread_block()?;
            if let Some(queue) = &self.queue {
                widen(queue, &self.heard)?;
            }
        }
        Ok(())
    }

    /// The descriptor that is polled, once it is open.
    #[must_use]
    pub fn polled_fd(&self) -> Option<RawFd> {
        self.queue.as_ref().map(|queue| queue.as_fd().as_raw_fd())
    }

    fn source(&mut self) -> io::Result<&mut dyn Source> {
        let queue = self.queue.as_mut().ok_or(io::ErrorKind::NotFound)?;
        Ok(queue.source())
    }
}

impl Source for Signals {
    fn register(
        &mut self,
        registry: &Registry,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        self.source()?.register(registry, token, interest)
    }

    fn reregister(
        &mut self,
        registry: &Registry,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        self.source()?.reregister(registry, token, interest)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.source()?.deregister(registry)
    }
}

/// Has a signalfd(2) that is there hear other signals than before.
fn widen(queue: &Polled, heard: &SigSet) -> io::Result<()> {
    #[expect(deprecated, reason = "its owner is a `SignalFd` there, and here what polls it")]
    let same = signalfd(Some(queue), heard, SfdFlags::empty())?;
    // The kernel answers with the same descriptor, which has an owner.
    std::mem::forget(same);
    Ok(())
}

/// A signal as kill(1) and its manual name it.
#[must_use]
pub fn name(signal: i32) -> &'static str {
    Number::try_from(signal).map_or("a signal", Number::as_str)
}

/// Ends the program as the signal would have, so that the parent sees why.
pub fn die_of(signal: i32) {
    // Its action is the default one still, and ends the process. If not, main's own status does.
    if let Ok(signal) = Number::try_from(signal) {
        let _ = SigSet::from(signal).thread_unblock();
        let _ = raise(signal);
    }
}

/// One bit a signal: `sigignore` of `/proc/pid/stat` in proc(5), which has no real-time signals, as we do not.
/// A signal that is blocked and not handled is there too. The calls that would tell need `unsafe`.
fn ignored_signals() -> Option<u64> {
    let mut stat = [0; STAT];
    let file = open("/proc/self/stat", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
    let length = file.and_then(|file| read(file, &mut stat)).ok()?;
    // The program's name, the second field, is in parentheses and may have any bytes, these too.
    let numbers = stat[..length].rsplit(|byte| *byte == b')').next().unwrap_or_default();
    let numbers = str::from_utf8(numbers).unwrap_or_default();
    let mask = numbers.split_ascii_whitespace().nth(SIGIGNORE - 3);
    mask?.parse().ok()
}

/// Bytes of a `signalfd_siginfo`, signalfd(2).
const SIGINFO: usize = 128;

/// More than its 52 numbers take.
const STAT: usize = 1536;

/// The number of the field.
const SIGIGNORE: usize = 33;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sigpipe_is_seen_to_be_ignored() {
        // The standard library ignores it before main.
        let ignored = ignored_signals().expect("/proc");
        assert_eq!(ignored >> (libc::SIGPIPE - 1) & 1, 1);
    }
}
