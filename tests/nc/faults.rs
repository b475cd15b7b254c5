//! What can go wrong outside: each fault is made on purpose, and it is known what must come of it. Bytes
//! are whole or their loss is told, the exit status is right, there is one clear line, and no fault makes
//! the program spin, leak or grow.
//!
//! Most faults of a subject stand with that subject (`stdio`, `loss`, `proxy_faults`, ...). Here are those
//! that need somebody to make them: a tracer, a limit, a network that loses packets, a crowd.
//! `docs/reliability.md` has the list of all.

/// Many clients: all at once, over and over, greedy and quiet ones.
mod crowd;

/// Errors in the place of what the kernel said: every call of the loop.
mod injected;

/// The same for listeners, datagrams and handshakes.
mod injected_elsewhere;

/// Errors in the calls that come before the loop.
mod injected_early;

/// Networks that lose, repeat, reorder and delay packets, and links that go down.
mod links;

/// Limits, stops, and arguments of absurd size.
mod process;

/// Resets at every stage.
mod resets;

/// Peers and readers that stall at every stage.
mod stalls;

/// The three standard descriptors.
mod standard;

use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::support::{Running, kernel, watch};

/// What a fault must leave as it was: the descriptors.
struct Vitals {
    descriptors: Vec<(u64, String)>,
}

impl Vitals {
    /// To be taken while nothing flows.
    #[track_caller]
    fn of(nc: &mut Running) -> Self {
        nc.settles();
        Self { descriptors: kernel::descriptors(nc.pid()) }
    }

    /// As before the fault: no descriptor more, and it sleeps.
    #[track_caller]
    fn are_back(&self, nc: &mut Running) {
        nc.settles();
        assert_eq!(kernel::descriptors(nc.pid()), self.descriptors, "descriptors");
        is_calm(nc);
    }
}

/// It uses no processor time to speak of: one clock tick of 10 ms in 300 ms, where a loop that spins
/// would use thirty.
#[track_caller]
fn is_calm(nc: &Running) {
    let before = kernel::ticks(nc.pid());
    watch(Duration::from_millis(300));
    let spent = kernel::ticks(nc.pid()) - before;
    assert!(spent <= 1, "{spent} clock ticks of processor time in 300 ms");
}

/// Has each case tried, and names those that fail.
#[track_caller]
fn in_each_case<C: Debug>(cases: impl IntoIterator<Item = C>, run: impl Fn(&C)) {
    let mut failed = Vec::new();
    for case in cases {
        if catch_unwind(AssertUnwindSafe(|| run(&case))).is_err() {
            failed.push(format!("{case:?}"));
        }
    }
    assert!(failed.is_empty(), "failed, for the reasons above:\n{}", failed.join("\n"));
}

/// The peak of memory stays below this, in KiB, where no crowd has to be held: a debug build is half of it.
const MODEST: u64 = 12 * 1024;
