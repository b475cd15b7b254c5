//! Signals that end the program, as a source of the loop: only where something has to be taken away
//! before. Everywhere else their default action is all that is needed.

use std::fmt;
use std::fs;
use std::io;

use mio::event::Source;
use mio::{Interest, Registry, Token};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook_mio::v1_0::Signals;

/// SIGINT, SIGTERM and SIGHUP, held back until we are ready for them.
pub struct Endings(Signals);

impl fmt::Debug for Endings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Endings")
    }
}

impl Endings {
    /// Holds them back from now on. What the parent has had us ignore (nohup) stays ignored.
    ///
    /// # Errors
    /// Out of descriptors.
    pub fn hold_back() -> io::Result<Self> {
        let ignored = ignored_signals();
        let ours = [SIGINT, SIGTERM, SIGHUP].into_iter();
        Signals::new(ours.filter(|signal| ignored >> (signal - 1) & 1 == 0)).map(Self)
    }

    /// A signal that has arrived.
    pub fn arrived(&mut self) -> Option<i32> {
        self.0.pending().next()
    }
}

impl Source for Endings {
    fn register(
        &mut self,
        registry: &Registry,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        self.0.register(registry, token, interest)
    }

    fn reregister(
        &mut self,
        registry: &Registry,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        self.0.reregister(registry, token, interest)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.0.deregister(registry)
    }
}

/// Ends the program as the signal would have, so that the parent sees why.
pub fn die_of(signal: i32) {
    // It does not return for a signal whose default is to end the process.
    drop(signal_hook::low_level::emulate_default_handler(signal));
}

/// One bit a signal, proc(5): `SigIgn`. Without /proc none seems ignored.
fn ignored_signals() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sigpipe_is_seen_to_be_ignored() {
        // The standard library ignores it before main.
        assert_eq!(ignored_signals() >> (libc::SIGPIPE - 1) & 1, 1);
    }
}
