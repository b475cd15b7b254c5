//! What `-z` finds out, and how: the options of scans.

use std::ffi::OsStr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use super::connect;
use super::policy::Limits;
use super::words::Words;
use crate::app::{Destination, Lines, Route, Scan, ScanGoal, Tell, Vigil};
use crate::cli::ports::Services;
use crate::cli::{Misfit, args, quoted, time};
use crate::datagram::LARGEST_PAYLOAD;
use crate::error::Error;
use crate::sys::net::Transport;

/// The values of a scan's options.
pub(super) struct Scanning {
    parallelism: Option<NonZeroUsize>,
    rate: Option<NonZeroU32>,
    question: Option<Vec<u8>>,
    banner: Option<NonZeroUsize>,
    vigil: Option<Vigil>,
    exit: ScanGoal,
}

impl Scanning {
    pub(super) fn read(words: Words<'_>) -> Result<Self, Error> {
        let parallelism = words.number(args::MAX_PARALLELISM, PARALLELISM, 1..=MOST_AT_A_TIME)?;
        let rate = words.number(args::RATE, RATE, 1..=MOST_A_SECOND)?;
        Ok(Self {
            parallelism: parallelism.and_then(NonZeroUsize::new),
            rate: rate.and_then(NonZeroU32::new),
            question: words.raw(args::PROBE).map(question).transpose()?,
            banner: banner(words)?,
            vigil: vigil(words)?,
            exit: exit(words)?,
        })
    }

    pub(super) fn scan(
        self,
        words: Words<'_>,
        transport: Transport,
        limits: &Limits,
        services: Services<'_>,
        verbose: u8,
    ) -> Result<Scan, Error> {
        let to = connect::destination(words, transport, services)?;
        Ok(Scan {
            patience: self.patience(&to, transport, limits.timeout),
            to,
            // Its proxies may have to ask for passwords, which comes last.
            route: Route::default(),
            parallelism: self.parallelism,
            interval: limits.interval,
            rate: self.rate,
            question: self.question,
            banner: self.banner,
            tell: Tell {
                lines: match verbose {
                    0 => Lines::None,
                    1 => Lines::Plain,
                    2.. => Lines::Timed,
                },
                json: words.has(args::JSON),
            },
            // Waiting ends when there is nothing left to wait for.
            goal: if self.vigil.is_some() { ScanGoal::All } else { self.exit },
            vigil: self.vigil,
        })
    }

    /// Without `-w` one connection waits for as long as the kernel tries, as a connection without `-z`
    /// does and as Debian's netcat does. Of many, one that nobody answers must not hold the scan up
    /// for minutes, nor one try those that follow it. And with UDP silence is an answer, which has to
    /// have an end.
    fn patience(
        &self,
        to: &Destination,
        transport: Transport,
        typed: Option<Duration>,
    ) -> Option<Duration> {
        let is_one = match to {
            Destination::Host { ports, .. } => ports.len() == 1,
            Destination::Exact { .. } => true,
        };
        match typed.map(|time| (time.is_zero(), time)) {
            Some((false, time)) => Some(time),
            // `-w 0` is no bound at all, as for a connection.
            Some((true, _)) => (transport == Transport::Udp).then_some(PATIENCE),
            None if is_one && self.vigil.is_none() && transport != Transport::Udp => None,
            None => Some(PATIENCE),
        }
    }
}

/// `hex:` and two digits a byte, or the bytes themselves, which need not be text.
fn question(typed: &OsStr) -> Result<Vec<u8>, Error> {
    let invalid = || Misfit::Invalid.of(QUESTION, &typed.to_string_lossy());
    let bytes = match typed.as_bytes().strip_prefix(b"hex:") {
        Some(digits) => unhex(digits).ok_or_else(invalid)?,
        None => typed.as_bytes().to_vec(),
    };
    match bytes.len() {
        0 => Err(Error::message(format!("{QUESTION} is empty"))),
        1..=LARGEST_PAYLOAD => Ok(bytes),
        _ => {
            let refusal = format!("{QUESTION} too long: more than {LARGEST_PAYLOAD} bytes");
            Err(Error::message(refusal))
        }
    }
}

fn unhex(digits: &[u8]) -> Option<Vec<u8>> {
    let nibble = |digit: u8| char::from(digit).to_digit(16);
    let byte = |pair: &[u8]| match *pair {
        [high, low] => u8::try_from(nibble(high)? << 4 | nibble(low)?).ok(),
        _ => None,
    };
    digits.chunks(2).map(byte).collect()
}

/// The size is optional.
fn banner(words: Words<'_>) -> Result<Option<NonZeroUsize>, Error> {
    let typed = words.number(args::BANNER, BANNER, 1..=LARGEST_BANNER)?;
    let size = typed.unwrap_or(USUAL_BANNER);
    Ok(NonZeroUsize::new(size).filter(|_| words.has(args::BANNER)))
}

/// `--every` alone is refused by the rules.
fn vigil(words: Words<'_>) -> Result<Option<Vigil>, Error> {
    let every = match words.value(args::EVERY, EVERY)? {
        None => USUAL_EVERY,
        Some(typed) => match time::parse(EVERY, typed)? {
            Duration::ZERO => return Err(Misfit::TooSmall.of(EVERY, typed)),
            every => every,
        },
    };
    let Some(limit) = words.value(args::WAIT_UNTIL_OPEN, LIMIT)? else { return Ok(None) };
    Ok(Some(Vigil { limit: time::parse(LIMIT, limit)?, every }))
}

fn exit(words: Words<'_>) -> Result<ScanGoal, Error> {
    match words.value(args::SCAN_EXIT, "scan exit")? {
        None | Some("any") => Ok(ScanGoal::Any),
        Some("all") => Ok(ScanGoal::All),
        Some(other) => {
            Err(Error::message(format!("scan exit must be any or all: {}", quoted(other))))
        }
    }
}

const PARALLELISM: &str = "parallelism";
const RATE: &str = "rate";
const QUESTION: &str = "probe";
const BANNER: &str = "banner size";
const EVERY: &str = "time between probes";
const LIMIT: &str = "waiting time";

/// How long a probe waits unless told: as long as Debian's netcat waits with UDP (`UDP_SCAN_TIMEOUT`).
/// TCP sends a SYN again after one second (RFC 6298), so a lost one does not make a port filtered.
const PATIENCE: Duration = Duration::from_secs(3);

/// As many as there are ports of one address.
const MOST_AT_A_TIME: usize = u16::MAX as usize;

/// A probe a microsecond, beyond what one thread can send.
const MOST_A_SECOND: u32 = 1_000_000;

/// A greeting is a line or a few.
const USUAL_BANNER: usize = 1024;

/// Every probe under way may hold that much.
const LARGEST_BANNER: usize = 65_536;

/// Seldom enough for a service that is starting, and no time to whoever waits for it.
const USUAL_EVERY: Duration = Duration::from_millis(200);
