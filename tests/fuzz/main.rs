//! What comes from outside, made up: no bytes of a proxy, a peer or a user may break a promise of the
//! parser that reads them. One binary, one test a target; `seeds` says where the inputs come from.
//!
//! Under `cargo test` bolero's random engine runs each target for less than a second;
//! `BOLERO_RANDOM_TEST_TIME_MS` makes it longer. `.ci/fuzz` lets libFuzzer drive the same tests with
//! coverage. What fails becomes a file in `corpus/TARGET/`, which from then on is tried first. What each
//! target promises stands in docs/fuzzing.md.

/// The command line.
mod arguments;

/// Files that are read.
mod files;

/// Replies of proxies.
mod handshakes;

/// Telnet and line ends.
mod layers;

/// Values of options: numbers, times, bytes.
mod numbers;

/// Values of options: who, and where.
mod places;

/// The inputs.
mod seeds;

/// Text on its way to a terminal.
mod words;
