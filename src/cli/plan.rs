//! What the words of the command line mean together.
//!
//! Owns: every rule between options, and every default, each with its test beside it. Must not
//! know: how a word is spelled (`args`), how a job is carried out (`app`). The outcome is a `Job`
//! in the application's terms, in which nothing remembers which option it came from.
//!
//! Where the program is meant to differ from Debian's netcat, the rule says so. Order of refusals:
//! values first, then options that exclude each other, then operands.

use std::ffi::{OsStr, OsString};
use std::num::{NonZeroU64, NonZeroUsize};
use std::time::Duration;

use clap::ArgMatches;

use super::ports::Services;
use super::{args, integer, ports, time};
use crate::app::{Connect, Job, Keep, Listen, Mode, Sharing};
use crate::error::Error;
use crate::session::{LocalEof, PeerEof, Policy, Ways};
use crate::sys::resolve::{Family, Lookup};

/// A command line that has been understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// How often `-v` was given.
    pub verbosity: u8,
    /// What is to be done.
    pub job: Job,
}

impl Plan {
    pub(super) fn from_matches(
        matches: &ArgMatches,
        services: Services<'_>,
    ) -> Result<Self, Error> {
        let words = Words(matches);
        let times = Times::read(words)?;
        let recv_limit = recv_limit(words)?;
        let max_conns = max_conns(words)?;
        refuse_contradictions(words)?;

        let listens = words.has(args::LISTEN);
        let mode = if listens {
            Mode::Listen(listen(words, max_conns, services)?)
        } else {
            Mode::Connect(connect(words, &times, services)?)
        };
        let verbosity = matches.get_count(args::VERBOSE);
        let job = Job {
            mode,
            lookup: lookup(words),
            policy: policy(words, &times, recv_limit, listens),
            verbose: verbosity >= 1,
        };
        Ok(Self { verbosity, job })
    }
}

/// What was typed, with every value as text.
#[derive(Clone, Copy)]
struct Words<'a>(&'a ArgMatches);

impl<'a> Words<'a> {
    fn has(self, id: &str) -> bool {
        self.0.get_flag(id)
    }

    fn value(self, id: &str, noun: &str) -> Result<Option<&'a str>, Error> {
        self.0.get_one::<OsString>(id).map(|value| text(noun, value)).transpose()
    }

    fn operands(self) -> Vec<&'a OsStr> {
        let operands = self.0.get_many::<OsString>(args::OPERANDS);
        operands.into_iter().flatten().map(OsString::as_os_str).collect()
    }
}

fn text<'a>(noun: &str, value: &'a OsStr) -> Result<&'a str, Error> {
    value.to_str().ok_or_else(|| Error::message(format!("{noun} is not valid UTF-8")))
}

/// The options that take a time.
struct Times {
    /// `-w`
    timeout: Option<Duration>,
    /// `-q`, unless negative.
    quit: Option<Duration>,
    /// `--quit-after`
    quit_after: Option<Duration>,
}

impl Times {
    fn read(words: Words<'_>) -> Result<Self, Error> {
        let timeout = words.value(args::TIMEOUT, TIMEOUT)?;
        let quit = words.value(args::QUIT, QUIT_TIMER)?;
        let quit_after = words.value(args::QUIT_AFTER, QUIT_TIMER)?;
        Ok(Self {
            timeout: timeout.map(|value| time::parse(TIMEOUT, value)).transpose()?,
            quit: quit.map(|value| time::parse_signed(QUIT_TIMER, value)).transpose()?.flatten(),
            quit_after: quit_after.map(|value| time::parse(QUIT_TIMER, value)).transpose()?,
        })
    }
}

fn recv_limit(words: Words<'_>) -> Result<Option<NonZeroU64>, Error> {
    let Some(value) = words.value(args::RECV_LIMIT, RECV_LIMIT)? else {
        return Ok(None);
    };
    let limit = integer(value, 1..=LARGEST_COUNT.into());
    Ok(NonZeroU64::new(limit.map_err(|misfit| misfit.of(RECV_LIMIT, value))?))
}

fn max_conns(words: Words<'_>) -> Result<Option<NonZeroUsize>, Error> {
    let Some(value) = words.value(args::MAX_CONNS, MAX_CONNS)? else {
        return Ok(None);
    };
    let limit = integer(value, 1..=LARGEST_COUNT as usize);
    Ok(NonZeroUsize::new(limit.map_err(|misfit| misfit.of(MAX_CONNS, value))?))
}

fn refuse_contradictions(words: Words<'_>) -> Result<(), Error> {
    let needs = |needed, by| Err(Error::message(format!("must use {needed} with {by}")));
    let excludes = |one, other| Err(Error::message(format!("cannot use {one} and {other}")));

    if words.has(args::KEEP_OPEN) && !words.has(args::LISTEN) {
        return needs("-l", "-k");
    }
    if words.0.contains_id(args::MAX_CONNS) && !words.has(args::KEEP_OPEN) {
        return needs("-k", "--max-conns");
    }
    if words.has(args::EXCLUSIVE) && !words.has(args::LISTEN) {
        return needs("-l", "--exclusive");
    }
    if words.has(args::SHUTDOWN) && words.has(args::NO_SHUTDOWN) {
        return excludes("-N", "--no-shutdown");
    }
    if words.has(args::EXIT_ON_CLOSE) && words.has(args::HALF_CLOSE) {
        return excludes("--exit-on-close", "--half-close");
    }
    if words.has(args::SEND_ONLY) && words.has(args::RECV_ONLY) {
        return excludes("--send-only", "--recv-only");
    }
    if words.has(args::SEND_ONLY) && words.has(args::NO_STDIN) {
        return excludes("--send-only", "-d");
    }
    Ok(())
}

/// `HOST PORT...`, or `HOST` with `-p`.
fn connect(words: Words<'_>, times: &Times, services: Services<'_>) -> Result<Connect, Error> {
    let source_host = words.value(args::SOURCE, SOURCE_ADDRESS)?;
    let dash_p = words.value(args::SOURCE_PORT, PORT)?;

    let operands = words.operands();
    let Some((host, list)) = operands.split_first() else {
        return Err(Error::message("missing host name and port number (see nc --help)"));
    };
    let host = text("host name", host)?;
    let list = list.iter().map(|value| text(PORT, value)).collect::<Result<Vec<_>, _>>()?;

    let (mut ports, source_port) = if !list.is_empty() {
        let local = dash_p.map(|value| ports::local(value, services)).transpose()?;
        (ports::destinations(&list, services)?, local.filter(|&port| port != 0))
    } else if let Some(value) = dash_p {
        // `nc localhost -p 4004`: the only port there is must be the one to connect to. Debian's
        // prints its usage instead.
        (vec![ports::sole_destination(value, services)?], None)
    } else {
        return Err(Error::message(MISSING_PORT));
    };
    if words.has(args::RANDOM) {
        fastrand::shuffle(&mut ports);
    }
    Ok(Connect {
        host: host.to_owned(),
        ports,
        source_host: source_host.map(str::to_owned),
        source_port,
        // Of `-w 0` Debian's waits for the connection without bound, and ends on the first pause.
        timeout: times.timeout.filter(|timeout| !timeout.is_zero()),
    })
}

/// `PORT` or `HOST PORT`, where `-p` can stand for the port and `-s` for the host; never both, for
/// it would be unclear which counts.
fn listen(
    words: Words<'_>,
    max_conns: Option<NonZeroUsize>,
    services: Services<'_>,
) -> Result<Listen, Error> {
    let dash_s = words.value(args::SOURCE, SOURCE_ADDRESS)?;
    let dash_p = words.value(args::SOURCE_PORT, PORT)?;

    let (host, port) = match (words.operands().as_slice(), dash_s, dash_p) {
        ([], _, None) => return Err(Error::message(MISSING_PORT)),
        ([], host, Some(port)) => (host, port),
        ([_, _, _, ..], ..) => {
            return Err(Error::message("cannot use more than HOST PORT with -l"));
        }
        (_, _, Some(_)) => return Err(Error::message("cannot use -p and HOST or PORT with -l")),
        ([_, _], Some(_), None) => return Err(Error::message("cannot use -s and HOST with -l")),
        ([port], host, None) => (host, text(PORT, port)?),
        ([host, port], None, None) => (Some(text("host name", host)?), text(PORT, port)?),
    };
    Ok(Listen {
        host: host.map(str::to_owned),
        port: ports::local(port, services)?,
        sharing: if words.has(args::EXCLUSIVE) { Sharing::Exclusive } else { Sharing::Shared },
        keep: if words.has(args::KEEP_OPEN) { Keep::Open { max_conns } } else { Keep::Once },
    })
}

fn lookup(words: Words<'_>) -> Lookup {
    let family = match (words.has(args::IPV4), words.has(args::IPV6)) {
        (true, _) => Family::V4,
        (false, true) => Family::V6,
        (false, false) => Family::Any,
    };
    Lookup { family, numeric: words.has(args::NODNS) }
}

fn policy(
    words: Words<'_>,
    times: &Times,
    recv_limit: Option<NonZeroU64>,
    listens: bool,
) -> Policy {
    let ways = if words.has(args::NO_STDIN) || words.has(args::RECV_ONLY) {
        Ways::ReceiveOnly
    } else if words.has(args::SEND_ONLY) {
        Ways::SendOnly
    } else {
        Ways::Both
    };

    let asks_for_eof = words.has(args::SHUTDOWN)
        || times.quit.is_some()
        || times.quit_after.is_some()
        || ways == Ways::SendOnly;
    // What is never read never ends: `-dN` sends no end of file, as in Debian's.
    let never_eof = ways == Ways::ReceiveOnly || words.has(args::NO_SHUTDOWN);
    let local_eof =
        if asks_for_eof && !never_eof { LocalEof::HalfClose } else { LocalEof::KeepOpen };

    // Of a client `-q` bounds nothing: scripts rely on `-q 0` waiting for the whole answer. And
    // where stdin is never read there is no end of it to count from.
    let quit_after =
        times.quit_after.or(times.quit.filter(|_| listens)).filter(|_| ways != Ways::ReceiveOnly);

    let peer_eof = if words.has(args::HALF_CLOSE) {
        PeerEof::KeepSending
    } else if listens || words.has(args::EXIT_ON_CLOSE) {
        PeerEof::EndSession
    } else {
        PeerEof::AsStdin
    };

    Policy { ways, local_eof, quit_after, peer_eof, idle: times.timeout, recv_limit }
}

const MISSING_PORT: &str = "missing port number";

// The nouns of the messages, Debian's where Debian has the option.
const PORT: &str = "port number";
const SOURCE_ADDRESS: &str = "source address";
const TIMEOUT: &str = "timeout";
const QUIT_TIMER: &str = "quit timer";
const RECV_LIMIT: &str = "receive limit";
const MAX_CONNS: &str = "connection limit";

/// Debian's limit of `-W`, an `int`; enough for every count.
const LARGEST_COUNT: u32 = i32::MAX as u32;

#[cfg(test)]
mod tests;
