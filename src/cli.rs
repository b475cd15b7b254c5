//! The command line: from what the user typed to what it means.
//!
//! Owns: the words of the command line (`args`), the rules between them (`plan`), the values
//! (`ports`, `vsock`, `proxy`, `time`, `rate`, `tos`, `password`) and how a value that does not fit is refused.
//! Must not know: sockets, the loop, the process. Nothing here prints a message, exits, or panics,
//! whatever argv holds. What argv cannot tell comes from the outside (`Outside`): which port a service
//! name stands for, passwords that are typed, and the credentials in the environment.
//!
//! Every refusal is one line in which the user's own text is cut and escaped (`quoted`), because
//! an argument can be longer than a terminal and can hold what a terminal obeys. Of a proxy nothing is
//! repeated: there can be a password in it.
//!
//! Read next: `plan`, where the decisions are.

mod args;
mod attached;
mod help;
mod password;
mod plan;
mod ports;
mod proxy;
mod rate;
mod time;
mod tos;
mod vsock;

use std::env;
use std::ffi::{OsStr, OsString};
use std::ops::RangeInclusive;

use clap::ArgMatches;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::error::{Error, beginning};
use crate::secret::Secret;
use crate::sys::resolve;
use password::Question;

pub use plan::Plan;

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Do the job.
    Run(Box<Plan>),
    /// Print this text, which ends with a line break, and end with exit status 0.
    ShowHelp(HelpTo, &'static str),
    /// Print this text, which ends with a line break, on stdout and end with exit status 0.
    ShowVersion(&'static str),
}

/// Where the help goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HelpTo {
    /// `--help`: asked for by its modern name, so it can be piped into a pager.
    Stdout,
    /// `-h`: where Debian's netcat prints it.
    Stderr,
}

/// Reads a whole argv, program name first, as [`std::env::args_os`] gives it.
///
/// # Errors
///
/// One line, without the program's name, that says which word is wrong and how.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Request, Error> {
    let proxy_auth = env::var_os(PROXY_AUTH);
    let outside = Outside {
        services: &resolve::service_port,
        password: &password::typed,
        proxy_auth: proxy_auth.as_deref(),
    };
    parse_with(args, outside)
}

/// Every option that the help has, as clap is told of it, for what is made of it: completions for shells.
/// The program itself never asks for all of them.
#[must_use]
pub fn command() -> clap::Command {
    args::whole_command()
}

/// What only the world outside argv can answer.
#[derive(Clone, Copy)]
struct Outside<'a> {
    /// The port of a service by its name and its protocol, `tcp` or `udp`.
    services: &'a dyn Fn(&str, &str) -> Option<u16>,
    /// Asks whoever sits at the terminal.
    password: &'a dyn Fn(Question<'_>) -> Result<Secret, Error>,
    /// What the variable [`PROXY_AUTH`] holds.
    proxy_auth: Option<&'a OsStr>,
}

fn parse_with(
    args: impl IntoIterator<Item = OsString>,
    outside: Outside<'_>,
) -> Result<Request, Error> {
    let mut words: Vec<OsString> = args.into_iter().collect();
    attached::keep_equals_signs(&mut words);
    let command = args::command(&words);
    let matches = command.try_get_matches_from(words).map_err(|error| refusal(&error))?;
    if args::is_typed(&matches, args::WAIT) {
        return Err(unknown("--wait"));
    }
    if let Some(to) = help_wanted(&matches) {
        return Ok(Request::ShowHelp(to, help::TEXT));
    }
    if args::is_typed(&matches, args::VERSION) {
        return Ok(Request::ShowVersion(VERSION));
    }
    let plan = Plan::from_matches(&matches, outside)?;
    Ok(Request::Run(Box::new(plan)))
}

/// Help comes before every rule of the plan: whoever asks for it may not know what to type yet.
fn help_wanted(matches: &ArgMatches) -> Option<HelpTo> {
    if args::is_typed(matches, args::HELP) {
        Some(HelpTo::Stdout)
    } else if args::is_typed(matches, args::HELP_SHORT) {
        Some(HelpTo::Stderr)
    } else {
        None
    }
}

/// clap's reason in one line; its own texts take several, with usage and tips.
fn refusal(error: &clap::Error) -> Error {
    let word = |kind| match error.get(kind) {
        Some(ContextValue::String(word)) => quoted(word),
        _ => String::new(),
    };
    let option = word(ContextKind::InvalidArg);
    #[expect(clippy::wildcard_enum_match_arm, reason = "clap's, which may get more")]
    let what = match error.kind() {
        ErrorKind::UnknownArgument if args::is_ambiguous(&option) => {
            format!("ambiguous option '{option}'")
        }
        ErrorKind::UnknownArgument => return unknown(&option),
        ErrorKind::InvalidValue => format!("option '{option}' requires a value"),
        ErrorKind::TooManyValues => format!("option '{option}' takes no value"),
        ErrorKind::InvalidUtf8 => "an option is not valid UTF-8".to_owned(),
        // None of these can come from our definitions; should one, it is still one line.
        other => format!("wrong usage, {other}"),
    };
    Error::message(format!("{what} (see nc --help)"))
}

fn unknown(option: &str) -> Error {
    Error::message(format!("unknown option '{option}' (see nc --help)"))
}

/// Why a value does not fit, in the words of strtonum(3), which Debian's messages are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Misfit {
    Invalid,
    TooSmall,
    TooLarge,
}

impl Misfit {
    /// The whole line: `timeout too small: -1`.
    fn of(self, noun: &str, text: &str) -> Error {
        Error::message(format!("{noun} {}: {}", self.why(), quoted(text)))
    }

    fn why(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::TooSmall => "too small",
            Self::TooLarge => "too large",
        }
    }
}

/// A whole number as strtonum(3) reads it: white space, one sign and leading zeros may come first,
/// nothing may follow.
fn integer<T>(text: &str, range: RangeInclusive<T>) -> Result<T, Misfit>
where
    T: TryFrom<u64> + PartialOrd,
{
    let (negative, digits) = split_sign(text);
    let magnitude = decimal(digits).ok_or(Misfit::Invalid)?;
    if negative && magnitude > 0 {
        return Err(Misfit::TooSmall);
    }
    let (least, most) = range.into_inner();
    match T::try_from(magnitude) {
        Ok(number) if number < least => Err(Misfit::TooSmall),
        Ok(number) if number <= most => Ok(number),
        _ => Err(Misfit::TooLarge),
    }
}

/// Takes what strtol(3) skips off the front; `true`: there was a minus sign.
fn split_sign(text: &str) -> (bool, &str) {
    let text = text.trim_start_matches([' ', '\t', '\n', '\x0b', '\x0c', '\r']);
    match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

/// Digits and nothing else. Saturates: every limit here is far below, so too large stays too large.
fn decimal(digits: &str) -> Option<u64> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let append = |n: u64, digit| n.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
    Some(digits.bytes().fold(0, append))
}

/// The user's text as part of a message: short, one line, harmless to a terminal.
fn quoted(text: &str) -> String {
    beginning(text, QUOTED_CHARS)
}

/// What `--version` prints.
const VERSION: &str = concat!("pollcat ", env!("CARGO_PKG_VERSION"), "\n");

/// User and password for proxies, as ncat reads them: `user:password`.
const PROXY_AUTH: &str = "NCAT_PROXY_AUTH";

/// Enough of an argument to recognise it, and with its message still one line of a terminal.
const QUOTED_CHARS: usize = 60;

#[cfg(test)]
mod tests;
