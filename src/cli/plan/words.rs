//! What was typed, as the rules ask for it.

use std::ffi::{OsStr, OsString};
use std::ops::RangeInclusive;

use clap::ArgMatches;

use crate::cli::{args, integer};
use crate::error::Error;

/// The command line taken apart, with every value as text. clap knows no option that was not typed, so
/// it is asked in ways that say so.
#[derive(Clone, Copy)]
pub(super) struct Words<'a>(&'a ArgMatches);

impl<'a> Words<'a> {
    pub(super) fn new(matches: &'a ArgMatches) -> Self {
        Self(matches)
    }

    /// The option was typed, or another that implies it.
    pub(super) fn has(self, id: &str) -> bool {
        let typed = |id| args::is_typed(self.0, id);
        typed(id) || IMPLICATIONS.iter().any(|&(other, implied)| implied == id && typed(other))
    }

    /// How often a flag was typed.
    pub(super) fn count(self, id: &str) -> u8 {
        self.0.try_get_one(id).ok().flatten().copied().unwrap_or(0)
    }

    /// A value of any bytes.
    pub(super) fn raw(self, id: &str) -> Option<&'a OsStr> {
        self.0.try_get_one::<OsString>(id).ok()?.map(OsString::as_os_str)
    }

    pub(super) fn value(self, id: &str, noun: &str) -> Result<Option<&'a str>, Error> {
        self.raw(id).map(|value| text(noun, value)).transpose()
    }

    /// Every value of an option that may be repeated.
    pub(super) fn values(self, id: &str, noun: &str) -> Result<Vec<&'a str>, Error> {
        let values = self.0.try_get_many::<OsString>(id).ok().flatten();
        values.into_iter().flatten().map(|value| text(noun, value)).collect()
    }

    /// Every value of some options that may be repeated, with its option, in the order of typing.
    pub(super) fn mixed(
        self,
        ids: [&'static str; 2],
        noun: &str,
    ) -> Result<Vec<(&'static str, &'a str)>, Error> {
        let mut typed: Vec<(usize, &str, &str)> = Vec::new();
        for id in ids.into_iter().filter(|id| args::is_typed(self.0, id)) {
            let places = self.0.indices_of(id).into_iter().flatten();
            for (at, value) in places.zip(self.values(id, noun)?) {
                // There are a few. A sort would be 2 KiB of code.
                let place = typed.partition_point(|&(other, ..)| other < at);
                typed.insert(place, (at, id, value));
            }
        }
        Ok(typed.into_iter().map(|(_, id, value)| (id, value)).collect())
    }

    pub(super) fn number<T>(
        self,
        id: &str,
        noun: &str,
        range: RangeInclusive<T>,
    ) -> Result<Option<T>, Error>
    where
        T: TryFrom<u64> + PartialOrd,
    {
        let Some(value) = self.value(id, noun)? else { return Ok(None) };
        integer(value, range).map(Some).map_err(|misfit| misfit.of(noun, value))
    }

    pub(super) fn operands(self) -> Vec<&'a OsStr> {
        let operands = self.0.get_many::<OsString>(args::OPERANDS);
        operands.into_iter().flatten().map(OsString::as_os_str).collect()
    }
}

pub(super) fn text<'a>(noun: &str, value: &'a OsStr) -> Result<&'a str, Error> {
    value.to_str().ok_or_else(|| Error::message(format!("{noun} is not valid UTF-8")))
}

/// The first of two options says the second too.
const IMPLICATIONS: [(&str, &str); 2] = [(args::FD, args::LISTEN), (args::SEQPACKET, args::UNIX)];

// The nouns of messages that more than one rule has, Debian's where Debian has the option.
pub(super) const HOST: &str = "host name";
pub(super) const PORT: &str = "port number";
pub(super) const SOURCE_ADDRESS: &str = "source address";
