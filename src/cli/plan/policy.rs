//! How a session treats its two directions, and when it ends.

use std::num::NonZeroU64;
use std::time::Duration;

use super::words::Words;
use crate::cli::{args, rate, time};
use crate::datagram::{LARGEST, LARGEST_PAYLOAD};
use crate::error::Error;
use crate::flow::Framing;
use crate::session::{Filters, LocalEof, PeerEof, Policy, Ways};
use crate::sys::net::{Boundaries, Transport};

/// The values that bound a session.
pub(super) struct Limits {
    /// `-w`
    pub(super) timeout: Option<Duration>,
    /// `-i`, unless 0.
    pub(super) interval: Option<Duration>,
    /// `-q`, unless negative.
    quit: Option<Duration>,
    /// `--quit-after`
    quit_after: Option<Duration>,
    /// `-W`
    reads: Option<NonZeroU64>,
    /// `--limit-rate`
    rate: Option<NonZeroU64>,
    /// `--udp-size`
    datagram: Option<usize>,
}

impl Limits {
    pub(super) fn read(words: Words<'_>) -> Result<Self, Error> {
        let time = |id, noun| {
            let value = words.value(id, noun)?;
            value.map(|value| time::parse(noun, value)).transpose()
        };
        let interval = words
            .value(args::INTERVAL, INTERVAL)?
            .map(|value| time::parse_within(INTERVAL, value, time::SLEEP))
            .transpose()?;
        let quit = words.value(args::QUIT, QUIT_TIMER)?;
        let reads = words.number(args::RECV_LIMIT, RECV_LIMIT, 1..=MOST_READS)?;
        Ok(Self {
            timeout: time(args::TIMEOUT, "timeout")?,
            interval: interval.filter(|interval| !interval.is_zero()),
            quit: quit
                .map(|value| time::parse_signed(QUIT_TIMER, value, time::ALARM))
                .transpose()?
                .flatten(),
            quit_after: time(args::QUIT_AFTER, QUIT_TIMER)?,
            reads: reads.and_then(NonZeroU64::new),
            rate: words
                .value(args::LIMIT_RATE, RATE)?
                .map(|value| rate::parse(RATE, value))
                .transpose()?,
            datagram: words.number(args::UDP_SIZE, "datagram size", 1..=LARGEST_PAYLOAD)?,
        })
    }
}

pub(super) fn policy(words: Words<'_>, transport: Transport, limits: &Limits) -> Policy {
    let listens = words.has(args::LISTEN);
    let is_datagrams = transport.boundaries() == Boundaries::Datagrams;

    let ways = if words.has(args::NO_STDIN) || words.has(args::RECV_ONLY) {
        Ways::ReceiveOnly
    } else if words.has(args::SEND_ONLY) {
        Ways::SendOnly
    } else {
        Ways::Both
    };

    let asks_for_eof = words.has(args::SHUTDOWN)
        || limits.quit.is_some()
        || limits.quit_after.is_some()
        || ways == Ways::SendOnly;
    let local_eof = if asks_for_eof && !words.has(args::NO_SHUTDOWN) {
        LocalEof::HalfClose
    } else {
        LocalEof::KeepOpen
    };

    // Of a stream's client `-q` bounds nothing: scripts rely on `-q 0` waiting for the whole answer.
    // With datagrams nobody says that the answer is whole; there Debian's quits before it has read
    // any, which nobody can rely on. And where stdin is never read there is no end of it to count from:
    // Debian's counts from the peer's first bytes, and leaves the rest behind.
    let quit = limits.quit.filter(|_| listens || is_datagrams);
    let quit_after = limits.quit_after.or(quit).filter(|_| ways != Ways::ReceiveOnly);

    let peer_eof = if words.has(args::HALF_CLOSE) {
        PeerEof::KeepSending
    } else if listens || words.has(args::EXIT_ON_CLOSE) {
        PeerEof::EndSession
    } else if is_datagrams {
        PeerEof::KeepSending
    } else {
        PeerEof::AsStdin
    };

    Policy {
        ways,
        local_eof,
        quit_after,
        peer_eof,
        // Where many peers are heard the time is each peer's own, and the listener goes on, whatever
        // has been read.
        idle: limits.timeout.filter(|_| !hears_many(words, transport)),
        recv_limit: limits.reads.filter(|_| !hears_many(words, transport)),
        framing: framing(words, transport, limits),
        filters: Filters {
            crlf: words.has(args::CRLF),
            telnet: words.has(args::TELNET),
            sanitize: words.has(args::SANITIZE),
        },
        interval: limits.interval,
        rate: limits.rate,
        ..Policy::plain()
    }
}

/// One socket that every peer sends to: `-luk`.
pub(super) fn hears_many(words: Words<'_>, transport: Transport) -> bool {
    words.has(args::KEEP_OPEN) && transport.boundaries() == Boundaries::Datagrams
}

/// What is changed or timed by lines leaves in lines.
fn framing(words: Words<'_>, transport: Transport, limits: &Limits) -> Option<Framing> {
    let largest = match (transport, transport.boundaries()) {
        (_, Boundaries::None) => return None,
        (Transport::Udp, _) => LARGEST_PAYLOAD,
        (_, Boundaries::Datagrams | Boundaries::Records) => LARGEST,
    };
    let most = limits.datagram.unwrap_or(largest);
    let by_lines = words.has(args::UDP_LINE) || words.has(args::CRLF) || limits.interval.is_some();
    Some(if by_lines { Framing::Line(most) } else { Framing::Read(most) })
}

const INTERVAL: &str = "interval";
const QUIT_TIMER: &str = "quit timer";
const RECV_LIMIT: &str = "receive limit";
const RATE: &str = "rate limit";

/// Debian's limit of `-W`, an `int`.
const MOST_READS: u64 = i32::MAX as u64;
