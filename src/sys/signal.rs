//! Signals as a source of the loop.
//!
//! SIGUSR1 asks how far the program is. Those that end the program are held back only where something has
//! to be taken away before; everywhere else their default action is all that is needed. What handlers write
//! to is polled like everything else, so that none is missed between a look and a sleep.

use std::fmt;
use std::io;

use mio::event::Source;
use mio::{Interest, Registry, Token};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::read;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook_mio::v1_0;

/// Signals that the loop hears of, instead of what they do by default.
pub struct Signals {
    source: v1_0::Signals,
    ignored: u64,
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
    ///
    /// # Errors
    /// Out of descriptors.
    pub fn new() -> io::Result<Self> {
        let source = v1_0::Signals::new([0; 0])?;
        Ok(Self { source, ignored: ignored_signals() })
    }

    /// From now on SIGUSR1 is a question.
    ///
    /// # Errors
    /// `sigaction(2)`, which has no reason to fail.
    pub fn hear_questions(&self) -> io::Result<()> {
        self.hear(&[SIGUSR1])
    }

    /// From now on SIGINT, SIGTERM and SIGHUP wait until we are ready for them.
    ///
    /// # Errors
    /// As [`Signals::hear_questions`].
    pub fn hold_endings_back(&self) -> io::Result<()> {
        self.hear(&[SIGINT, SIGTERM, SIGHUP])
    }

    /// What has arrived; what has come several times since the last look comes once.
    pub fn arrived(&mut self) -> impl Iterator<Item = Signal> + use<> {
        self.source.pending().map(|number| match number {
            SIGUSR1 => Signal::Question,
            number => Signal::Ending(number),
        })
    }

    fn hear(&self, signals: &[i32]) -> io::Result<()> {
        let is_heard = |signal: i32| self.ignored >> (signal - 1) & 1 == 0;
        signals.iter().filter(|it| is_heard(**it)).try_for_each(|it| self.source.add_signal(*it))
    }
}

impl Source for Signals {
    fn register(
        &mut self,
        registry: &Registry,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        self.source.register(registry, token, interest)
    }

    fn reregister(
        &mut self,
        registry: &Registry,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        self.source.reregister(registry, token, interest)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.source.deregister(registry)
    }
}

/// A signal as kill(1) and its manual name it.
#[must_use]
pub fn name(signal: i32) -> &'static str {
    signal_hook::low_level::signal_name(signal).unwrap_or("a signal")
}

/// Ends the program as the signal would have, so that the parent sees why.
pub fn die_of(signal: i32) {
    // It does not return for a signal whose default is to end the process.
    drop(signal_hook::low_level::emulate_default_handler(signal));
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
