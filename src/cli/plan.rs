//! What the words of the command line mean together.
//!
//! Owns: every rule between options, and every default, each with its test beside it. Must not
//! know: how a word is spelled (`args`), how a job is carried out (`app`). The outcome is a `Job`
//! in the application's terms, in which nothing remembers which option it came from.
//!
//! Where the program is meant to differ from Debian's netcat, the rule says so. Order of refusals:
//! values first, then options that exclude each other, then operands; passwords are asked for when
//! nothing else can go wrong.
//!
//! Read next: `rules` for what excludes what, `connect` and `listen` for the operands, `scan` for what
//! `-z` does with them, `route` for proxies, `policy` for how sessions end,
//! `taps` for who looks on, `options` for sockets; all of them read through `words`.

mod connect;
mod listen;
mod meter;
mod options;
mod policy;
mod route;
mod rules;
mod scan;
mod taps;
mod voices;
mod words;

use clap::ArgMatches;

use super::{Outside, args, quoted};
use crate::app::{Connect, Job, Listen, Mode, Place, Scan};
use crate::error::Error;
use crate::sys::net::Transport;
use crate::sys::resolve::{Family, Lookup};
use crate::sys::sandbox::{BUILT_IN, Wish};
use crate::voices::Voices;
use listen::Listening;
use policy::Limits;
use route::Proxies;
use scan::Scanning;
use words::Words;

/// A command line that has been understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Who is listened to beside the job. Of a scan the second `-v` does not count, for it asks for the
    /// scan's own lines in full, which a log of every socket would bury.
    pub voices: Voices,
    /// What is to be done.
    pub job: Job,
}

impl Plan {
    pub(super) fn from_matches(matches: &ArgMatches, outside: Outside<'_>) -> Result<Self, Error> {
        let words = Words::new(matches);
        let mut voices = voices::voices(words, words.count(args::VERBOSE))?;
        let limits = Limits::read(words)?;
        let listening = Listening::read(words)?;
        let scanning = Scanning::read(words)?;
        let mut options = options::read(words)?;
        let sandbox = sandbox(words)?;
        let proxies = Proxies::read(words, outside)?;
        let taps = taps::read(words)?;
        let verbose = words.count(args::VERBOSE);
        let meter = meter::metering(words, verbose)?;
        rules::check(words)?;

        let transport = transport(words);
        let services = |name: &str| (outside.services)(name, transport.name());
        let mut mode = if words.has(args::LISTEN) {
            Mode::Listen(listening.listen(words, transport, &limits, &services)?)
        } else if words.has(args::ZERO) && !words.has(args::PASS_FD) {
            Mode::Scan(scanning.scan(words, transport, &limits, &services, verbose)?)
        } else {
            // Also `-zF`, where Debian's takes no notice of the `-z`.
            Mode::Connect(connect::connect(words, transport, &limits, &services)?)
        };
        options.md5_key = options::md5_key(words, outside)?;
        if let Mode::Connect(Connect { route, .. }) | Mode::Scan(Scan { route, .. }) = &mut mode {
            *route = proxies.route(words, outside)?;
        }
        if matches!(mode, Mode::Scan(_)) && verbose >= 2 {
            voices.verbosity -= 1;
        }
        let job = Job {
            lookup: lookup(words, &mode),
            mode,
            transport,
            options,
            policy: policy::policy(words, transport, &limits),
            sandbox,
            verbose: verbose >= 1,
            taps,
            meter,
        };
        Ok(Self { voices, job })
    }
}

fn sandbox(words: Words<'_>) -> Result<Wish, Error> {
    // A build without it has no such word either.
    if !BUILT_IN {
        return Ok(Wish::Off);
    }
    match words.value(args::SANDBOX, "sandbox")? {
        None | Some("auto") => Ok(Wish::Auto),
        Some("off") => Ok(Wish::Off),
        Some("strict") => Ok(Wish::Strict),
        Some(other) => {
            let refusal = format!("sandbox must be auto, strict or off: {}", quoted(other));
            Err(Error::message(refusal))
        }
    }
}

/// By now no two of these exclude each other.
fn transport(words: Words<'_>) -> Transport {
    if words.has(args::SEQPACKET) {
        Transport::UnixRecords
    } else if words.has(args::UNIX) {
        if words.has(args::UDP) { Transport::UnixDatagram } else { Transport::UnixStream }
    } else if words.has(args::VSOCK) {
        Transport::Vsock
    } else if words.has(args::UDP) {
        Transport::Udp
    } else if words.has(args::MPTCP) {
        Transport::Mptcp
    } else {
        Transport::Tcp
    }
}

fn lookup(words: Words<'_>, mode: &Mode) -> Lookup {
    let family = match (words.has(args::IPV4), words.has(args::IPV6)) {
        (true, _) => Family::V4,
        (false, true) => Family::V6,
        // A listener is an IPv4 one unless told otherwise, and could not join the group.
        (false, false) if joins_ipv6_everywhere(mode) => Family::V6,
        (false, false) => Family::Any,
    };
    Lookup { family, numeric: words.has(args::NODNS) }
}

/// Joins an IPv6 group, and has no address that says which family it is of.
fn joins_ipv6_everywhere(mode: &Mode) -> bool {
    match mode {
        Mode::Listen(Listen { at: Place::Port { host: None, .. }, groups, .. }) => {
            groups.iter().any(|group| group.address.is_ipv6())
        }
        Mode::Listen(_) | Mode::Connect(_) | Mode::Scan(_) => false,
    }
}

const MISSING_PORT: &str = "missing port number";
const MISSING_PATH: &str = "missing socket pathname";

#[cfg(test)]
mod tests;
