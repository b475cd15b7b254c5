//! What is to be done, in the program's own terms: the application's only view of the command line.

use std::num::NonZeroUsize;
use std::time::Duration;

use crate::session::Policy;
use crate::sys::resolve::Lookup;

/// One run of the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Connect or listen.
    pub mode: Mode,
    /// How names and numbers are looked up and printed.
    pub lookup: Lookup,
    /// How each session ends.
    pub policy: Policy,
    /// Print what happens on stderr (`-v`).
    pub verbose: bool,
}

/// The two roles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Dial each port in turn over the same stdin.
    Connect(Connect),
    /// Wait for peers.
    Listen(Listen),
}

/// Where to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connect {
    /// Name or address as typed; never empty of meaning, but not yet resolved.
    pub host: String,
    /// Destination ports in the order to be tried; at least one, none is 0.
    pub ports: Vec<u16>,
    /// Local address to bind before connecting (`-s`), as typed.
    pub source_host: Option<String>,
    /// Local port to bind before connecting (`-p`).
    pub source_port: Option<u16>,
    /// Bounds name resolution and connecting together, for each port (`-w`).
    pub timeout: Option<Duration>,
}

/// Where to listen, and for whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// Local name or address; `None`: every address.
    pub host: Option<String>,
    /// Local port; 0 lets the kernel choose.
    pub port: u16,
    /// Whether others may listen on the same port.
    pub sharing: Sharing,
    /// One session, or many.
    pub keep: Keep,
}

/// Whether `SO_REUSEPORT` is set, see socket(7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Set, as Debian's netcat does: a second listener starts and shares the connections.
    Shared,
    /// Not set: a second listener is refused (`--exclusive`).
    Exclusive,
}

/// How many sessions a listener serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// One, then the program ends.
    Once,
    /// Any number, at most so many at a time (`-k`, `--max-conns`).
    Open {
        /// Sessions at a time; further clients wait in the kernel's backlog. `None`: no limit of ours.
        max_conns: Option<NonZeroUsize>,
    },
}
