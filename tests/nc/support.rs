//! What every subject needs: the program under test, the other ends of its descriptors, and the
//! kernel's own view of it.
//!
//! Rules of the house: nothing waits for luck. A claim that something *happens* waits for that very
//! event, with a deadline ([`wait`]); a claim that something does *not* happen first waits until
//! the program has gone to sleep ([`Running::settles`]) or watches it for a stated while. Ports are
//! the kernel's choice, children are killed by their id when their handle is dropped. Helpers are
//! named so that a test reads as a list of claims, and fail at the line that made the claim.

pub(crate) mod bytes;
pub(crate) mod datagrams;
pub(crate) mod ends;
pub(crate) mod kernel;
pub(crate) mod nc;
#[cfg(feature = "see")]
pub(crate) mod pcapng;
pub(crate) mod peer;
pub(crate) mod places;
pub(crate) mod ports;
pub(crate) mod proxies;
pub(crate) mod role;
pub(crate) mod running;
#[cfg_attr(
    not(feature = "see"),
    expect(dead_code, reason = "most of it is for what they leave out")
)]
pub(crate) mod screen;
pub(crate) mod strace;
pub(crate) mod wait;

pub(crate) use bytes::{Noise, Same, assert_same, noise};
pub(crate) use datagrams::{Datagrams, RefusingPort};
pub(crate) use nc::Nc;
pub(crate) use peer::{ClosedPort, Peer, Server, fill};
pub(crate) use ports::Ports;
pub(crate) use role::Role;
pub(crate) use running::{Finished, Running};
pub(crate) use wait::{DEADLINE, uninterrupted, wait_until, watch};
