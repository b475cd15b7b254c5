//! What time it is.
//!
//! Owns: every reading of a clock, `clippy.toml` sees to that. Must not know: who asks. That is `reactor`,
//! which gives everybody one reading for a whole turn, and `trace`, which wants to be finer and decides
//! nothing by it; a test reads the `use` lines for any third.

#![expect(clippy::disallowed_methods, reason = "this is the place for them")]

use std::time::{Instant, SystemTime};

/// Now, by the clock that nobody sets: `CLOCK_MONOTONIC`.
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The time of day, for what people read later; it can be set, so nothing waits for it.
pub(crate) fn time_of_day() -> SystemTime {
    SystemTime::now()
}
