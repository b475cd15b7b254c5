//! What comes from outside, made up: no bytes of a proxy, a peer or a user may break a promise of the
//! parser that reads them. One binary, one test a target; `seeds` says where the inputs come from.
//!
//! Under `cargo test` bolero's random engine runs each target for less than a second;
//! `BOLERO_RANDOM_TEST_TIME_MS` makes it longer. libFuzzer drives the same tests with coverage. What it
//! finds becomes a file in `corpus/TARGET/`, which from then on is tried first.

/// The command line.
mod arguments;

/// Replies of proxies.
mod handshakes;

/// Telnet and line ends.
mod layers;

/// The inputs.
mod seeds;
