//! Waiting, always for something that can be observed and never without an end.

use std::io::{self, ErrorKind};
use std::thread;
use std::time::{Duration, Instant};

/// Waits until the condition holds; `what` completes the sentence "waited in vain until ...".
#[track_caller]
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < DEADLINE, "waited {DEADLINE:?} in vain until {what}");
        thread::sleep(PAUSE);
    }
}

/// Lets a stated while go by, for claims about what does not happen in it: no processor time, no
/// growth, no end. Never used to let something come about.
pub(crate) fn watch(window: Duration) {
    thread::sleep(window);
}

/// Does it again for as long as a signal interrupts it: for calls that std does not repeat by itself.
///
/// A socket with a timeout of its own answers EINTR where it would otherwise go on (signal(7)), and nobody
/// need have sent a signal here: a child that ends while its parent thread starts another, with all
/// signals blocked, has its SIGCHLD delivered to any other thread, which wakes for nothing.
pub(crate) fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            answer => return answer,
        }
    }
}

/// Far beyond anything a healthy program needs on a loaded machine. Where mistakes are made on purpose,
/// most waits are in vain.
pub(crate) const DEADLINE: Duration =
    Duration::from_secs(if cfg!(feature = "mistakes") { 5 } else { 20 });

/// Between two looks at a condition.
pub(crate) const PAUSE: Duration = Duration::from_millis(2);
