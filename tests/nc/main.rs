//! The program from outside: every test starts the real binary and talks to it over pipes, files,
//! terminals and loopback TCP. One binary, one module a subject; `support` holds the harness and
//! its rules.
//!
//! Tests that need another program (`nc.openbsd`, `ncat`, `socat`, `busybox`, `strace`) or root are
//! marked `ignore`; `cargo test -- --include-ignored` runs them too.

#![expect(
    clippy::disallowed_methods,
    reason = "the event loop must not block, read the clock or start threads; a harness must"
)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

/// Command lines that are wrong, and those that ask for help.
mod arguments;

/// The command lines people type, with the lines, streams and exit codes they get.
mod commands;

/// Both directions are independent: the 24 cells.
mod duplex;

/// Who ends what, and when: the end-of-file table.
mod eof;

/// `--explain`: what each step is for.
#[cfg(feature = "see")]
mod explain;

/// Faults, made on purpose.
mod faults;

/// Peers of other makes, in both roles.
mod interop;

/// `-k`: many clients of one listener.
mod keep_open;

/// Connections that break: nothing lost in silence.
mod loss;

/// The tests bite.
#[cfg(feature = "mistakes")]
mod mistakes;

/// Progress, statistics, and the answer to SIGUSR1.
#[cfg(feature = "see")]
mod meter;

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

/// `-u`: two ends, and what one datagram is.
mod udp;

/// `-u`: messages, refusals, and ends.
mod udp_end;

/// `-u -k`: one socket, many peers.
mod udp_many;

/// `-uU`: datagrams over UNIX sockets.
mod unix_datagram;

/// The files of UNIX sockets.
mod unix_files;

/// `-U`: streams and records over UNIX sockets.
mod unix;

/// What stands between stdin, stdout and the wire.
mod filters;

/// Sockets of others, and readiness.
mod inherit;

/// Text from outside in messages and results.
mod hostile;

/// `--limit-rate`.
mod limit_rate;

/// `--sanitize`.
mod sanitize;

/// `-F`: the connection comes out of stdout.
mod pass_fd;

/// `-x`, `--proxy`: what proxies are asked, and what comes of it.
mod proxy;

/// Proxies that fail, refuse, lie or say nothing.
mod proxy_faults;

/// Proxies of others.
mod proxy_real;

/// Dumps, recordings and digests of what goes over the wire.
#[cfg(feature = "see")]
mod taps;

/// As the proxy command of OpenSSH.
mod ssh;

/// Socket options, as strace shows them.
mod options;

/// Socket options, by what they do.
mod options_felt;

/// `-z`: which ports are open, in Debian's words.
mod scan;

/// What an open port says first.
mod scan_banner;

/// What a scan says to programs.
mod scan_json;

/// Large scans, and little room.
mod scan_large;

/// A scan's place in the world: when it probes, from where, and who looks on.
mod scan_pace;

/// Scans through proxies.
mod scan_proxy;

/// Scans beside those of `nc.openbsd`.
mod scan_real;

/// Scans that run short of something.
mod scan_scarce;

/// `-uz`.
mod scan_udp;

/// `-zU`.
mod scan_unix;

/// Waiting for a service.
mod scan_wait;

/// What Debian's acceptance suite looks for.
mod debian_checks;

/// Programs of others, over datagrams and UNIX sockets.
mod peers2;

/// `--vsock`.
mod vsock;

/// Least privilege.
#[cfg(feature = "sandbox")]
mod sandbox;

/// Passwords, once they have served.
mod secrets;

/// The ways bytes go in bulk.
mod transfers;

/// Large transfers in bounded memory.
mod volume;

/// `--trace` and `--trace-json`.
#[cfg(feature = "see")]
mod trace;
