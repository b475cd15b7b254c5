//! # pollcat: netcat as one event loop
//!
//! One thread, one reactor, no callbacks. Every connection is an explicit state machine that is told
//! what is ready and what time it is, does what can be done without waiting, and reports what it found.
//!
//! ```text
//!  5  main  cli  voices    what the user typed -> what it means; who is listened to
//!  4  app                  the loop; owns everything; acts on reports
//!  3  session              one connection: phases, two flows, the rules between them, the outcome
//!  2  flow  |  proto       one direction of bytes  |  protocols without I/O
//!  1  reactor  |  sys      readiness and timers  |  descriptors
//!     nonblock  error  json      the words all of them share
//!     secret  units  datagram    what passwords, numbers and datagrams are to all of them
//!     trace  explain  mistakes   for those who study them: what happens, told; and bugs on request
//!     clock                      what time it is, for reactor and trace
//! ```
//!
//! Arrows go down only; a test reads the `use` lines and sees to it.
//!
//! To understand the loop, read in this order: [`nonblock`] (what an attempt is), [`reactor`] (how
//! readiness is remembered), [`flow`] (how one direction moves), [`session`] (how two are coupled),
//! [`app`] (how the loop turns). `docs/architecture.md` follows one byte and one connection through all
//! of it. `docs/glossary.md` says what the field calls the things that have a name of their own here.

// Here and not for all of the package: a test may say that nothing else is right.
#![warn(clippy::wildcard_enum_match_arm)]

pub mod app;
pub mod cli;
mod clock;
mod datagram;
pub mod error;
pub mod explain;
pub mod flow;
mod json;
pub mod mistakes;
pub mod nonblock;
pub mod proto;
pub mod reactor;
mod secret;
pub mod session;
pub mod sys;
pub mod trace;
mod units;
pub mod voices;

#[cfg(test)]
mod layers;
#[cfg(test)]
mod places;
#[cfg(test)]
mod testing;
