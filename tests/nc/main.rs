//! The program from outside: every test starts the real binary and talks to it over pipes, files,
//! terminals and loopback TCP. One binary, one module a subject; `support` holds the harness and
//! its rules.
//!
//! Tests that need another program (`nc.openbsd`, `ncat`, `socat`, `busybox`, `strace`) or root are
//! marked `ignore`; `cargo test -- --include-ignored` runs them too.

#![allow(
    clippy::disallowed_methods,
    reason = "the event loop must not block, read the clock or start threads; a harness must"
)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

/// Command lines that are wrong, and those that ask for help.
mod arguments;

/// The command lines people type, with the lines, streams and exit codes they get.
mod commands;

/// Both directions are independent: the 24 cells.
mod duplex;

/// Who ends what, and when: the end-of-file table.
mod eof;

/// Peers of other makes, in both roles.
mod interop;

/// `-k`: many clients of one listener.
mod keep_open;

/// Connections that break: nothing lost in silence.
mod loss;

/// Names with several addresses.
mod names;

/// Signals, timeouts among signals, and the stillness of an idle program.
mod signals;

/// Everything that stdin and stdout can be.
mod stdio;

/// The system calls, as strace shows them.
mod strace;

/// The harness.
mod support;

/// Large transfers in bounded memory.
mod volume;
