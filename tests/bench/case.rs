//! What a case is: who takes part, how one run of it is done, and what we want to reach.
//!
//! The cases themselves stand in the modules of their families, each with its targets beside it.
//! This module knows neither processes nor tables.

use std::fmt;
use std::io;

use crate::peers::Program;
use crate::setup::Bench;

/// One thing that is measured, for several programs.
pub(crate) struct Case {
    /// As it is selected on the command line: `family.what.variant`.
    pub(crate) name: &'static str,
    /// One line for the reader of the table.
    pub(crate) about: &'static str,
    /// The figure that decides who is best. A run may bring others, where less is always better.
    pub(crate) figure: Figure,
    pub(crate) better: Better,
    /// Who takes part beside ours.
    pub(crate) peers: &'static [Program],
    pub(crate) targets: &'static [Target],
    /// What is done once for each program, and not timed: proving that the bytes are right, counting
    /// system calls.
    pub(crate) probe: Option<fn(&Bench, Program) -> Outcome<Sample>>,
    pub(crate) run: Run,
}

/// How the programs are measured.
pub(crate) enum Run {
    /// One after another, once in each round.
    Each(fn(&Bench, Program) -> Outcome<Sample>),
    /// All at the same time, in one round only: for what takes long and loads nothing.
    Together(Together),
}

/// Measures all of the programs; gives a result for each, in the same order.
pub(crate) type Together = fn(&Bench, &[Program]) -> Vec<Outcome<Sample>>;

/// The name of a figure with its unit, as the table's heading shows it.
pub(crate) type Figure = &'static str;

/// The figures of one run.
pub(crate) type Sample = Vec<(Figure, f64)>;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Better {
    More,
    Less,
}

/// What a figure of ours has to be.
pub(crate) struct Target {
    pub(crate) figure: Figure,
    pub(crate) bound: Bound,
    pub(crate) against: Against,
}

#[derive(Clone, Copy)]
pub(crate) enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

/// What a bound is a multiple of.
#[derive(Clone, Copy)]
pub(crate) enum Against {
    /// The same figure of the peer that is best by the figure of the case.
    Best,
    Peer(Program),
    /// Nothing: the bound is in the figure's own unit.
    Absolute,
}

pub(crate) const fn at_least(figure: Figure, bound: f64, against: Against) -> Target {
    Target { figure, bound: Bound::AtLeast(bound), against }
}

pub(crate) const fn at_most(figure: Figure, bound: f64, against: Against) -> Target {
    Target { figure, bound: Bound::AtMost(bound), against }
}

pub(crate) type Outcome<T> = Result<T, Failure>;

/// Why there is no figure.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    /// The program is not on this machine.
    NotInstalled,
    /// It ended with an error or not in time, or the machine did not let us measure it.
    Failed(String),
    /// It ended well and did the wrong thing.
    Wrong(String),
    /// Somebody pressed control-C.
    Interrupted,
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotInstalled => out.write_str("not installed"),
            Self::Failed(why) => write!(out, "failed: {why}"),
            Self::Wrong(what) => write!(out, "wrong: {what}"),
            Self::Interrupted => out.write_str("interrupted"),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<rustix::io::Errno> for Failure {
    fn from(error: rustix::io::Errno) -> Self {
        Self::Failed(error.to_string())
    }
}

/// Every case, in the order of the report.
pub(crate) fn all() -> impl Iterator<Item = &'static Case> {
    let families: [&[Case]; 7] = [
        &crate::bulk::CASES,
        &crate::pingpong::CASES,
        &crate::startup::CASES,
        &crate::scan::CASES,
        &crate::clients::CASES,
        &crate::udp::CASES,
        &crate::idle::CASES,
    ];
    families.into_iter().flatten()
}
