//! Signals as a source of the loop.
//!
//! SIGUSR1 asks how far the program is. Those that end the program are held back only where something has
//! to be done before; everywhere else their default action is all that is needed. A signal that is heard is
//! blocked and waits in the kernel until it is read, signalfd(2): none is missed between a look and a sleep, and
//! no handler is ever set. A program that we were to start would have to be given the mask as it was.

use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, RawFd};

use mio::event::Source;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use nix::sys::signal::{SigSet, Signal as Number, raise};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::read;

/// Signals that the loop hears of, instead of what they do by default.
pub struct Signals {
    heard: SigSet,
    ignored: u64,
    /// Where they are read.
    queue: Option<SignalFd>,
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
    /// Hears none yet. What the parent has had us ignore (nohup) stays ignored.
    #[must_use]
    pub fn none() -> Self {
        Self { heard: SigSet::empty(), ignored: ignored_signals(), queue: None }
    }

    /// From now on SIGUSR1 is a question.
    ///
    /// # Errors
    /// `sigprocmask(2)`, which has no reason to fail.
    pub fn hear_questions(&mut self) -> io::Result<()> {
        self.hear(&[Number::SIGUSR1])
    }

    /// From now on SIGINT, SIGTERM and SIGHUP wait until we are ready for them.
    ///
    /// # Errors
    /// As [`Signals::hear_questions`].
    pub fn hold_endings_back(&mut self) -> io::Result<()> {
        self.hear(&[Number::SIGINT, Number::SIGTERM, Number::SIGHUP])
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
        self.queue = Some(SignalFd::with_flags(&self.heard, flags)?);
        Ok(())
    }

    /// What has arrived; `None`: nothing more. What has come several times comes once.
    pub fn arrived(&mut self) -> Option<Signal> {
        let info = self.queue.as_ref()?.read_signal().ok()??;
        let number = i32::try_from(info.ssi_signo).ok()?;
        Some(if number == Number::SIGUSR1 as i32 {
            Signal::Question
        } else {
            Signal::Ending(number)
        })
    }

    fn hear(&mut self, signals: &[Number]) -> io::Result<()> {
        let before = self.heard;
        for signal in signals {
            if self.ignored >> (*signal as i32 - 1) & 1 == 0 {
                self.heard.add(*signal);
            }
        }
        if self.heard != before {
            self.heard.thread_block()?;
            if let Some(queue) = &mut self.queue {
                queue.set_mask(&self.heard)?;
            }
        }
        Ok(())
    }

    /// The descriptor that is polled, once it is open.
    #[must_use]
    pub fn number(&self) -> Option<RawFd> {
        self.queue.as_ref().map(AsRawFd::as_raw_fd)
    }

    fn source(&self) -> io::Result<RawFd> {
        self.number().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Source for Signals {
    fn register(
        &mut self,
        registry: &Registry,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        SourceFd(&self.source()?).register(registry, token, interest)
    }

    fn reregister(
        &mut self,
        registry: &Registry,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        SourceFd(&self.source()?).reregister(registry, token, interest)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        SourceFd(&self.source()?).deregister(registry)
    }
}

/// A signal as kill(1) and its manual name it.
#[must_use]
pub fn name(signal: i32) -> &'static str {
    Number::try_from(signal).map_or("a signal", Number::as_str)
}

/// Ends the program as the signal would have, so that the parent sees why.
pub fn die_of(signal: i32) {
    // Its action is the default one still, and ends the process.
    if let Ok(signal) = Number::try_from(signal) {
        let _ = SigSet::from(signal).thread_unblock();
        let _ = raise(signal);
    }
}

/// One bit a signal: `sigignore` of `/proc/pid/stat` in proc(5), which has no real-time signals, as we do not.
/// Without /proc none seems ignored. The calls that would tell need `unsafe`.
fn ignored_signals() -> u64 {
    let mut stat = [0; STAT];
    let file = open("/proc/self/stat", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
    let length = file.and_then(|file| read(file, &mut stat)).unwrap_or(0);
    // The program's name, the second field, is in parentheses and may have any bytes, these too.
    let numbers = stat[..length].rsplit(|byte| *byte == b')').next().unwrap_or_default();
    let numbers = str::from_utf8(numbers).unwrap_or_default();
    let mask = numbers.split_ascii_whitespace().nth(SIGIGNORE - 3);
    mask.and_then(|mask| mask.parse().ok()).unwrap_or(0)
}

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
        assert_eq!(ignored_signals() >> (libc::SIGPIPE - 1) & 1, 1);
    }
}
