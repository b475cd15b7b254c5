//! Which options need each other, and which exclude each other.

use super::words::Words;
use crate::cli::args;
use crate::error::Error;

/// # Errors
/// The first rule that is broken, in the order they stand here.
pub(super) fn check(words: Words<'_>) -> Result<(), Error> {
    for (needed, by) in NEEDS {
        if words.has(by) && !words.has(needed) {
            return Err(needs(needed, by));
        }
    }
    for by in [args::UDP_SIZE, args::UDP_LINE] {
        // Records are cut like datagrams.
        if words.has(by) && !words.has(args::UDP) && !words.has(args::SEQPACKET) {
            return Err(needs(args::UDP, by));
        }
    }
    let proxied = words.has(args::PROXY_ADDRESS) || words.has(args::PROXY);
    for by in [args::PROXY_USER, args::PROXY_AUTH, args::PROXY_AUTH_FILE, args::PROXY_DNS] {
        if words.has(by) && !proxied {
            return Err(needs(args::PROXY_ADDRESS, by));
        }
    }
    for (one, other) in EXCLUSIONS {
        exclude(words, one, other)?;
    }
    for (id, what) in UNPROXIED {
        if proxied && words.has(id) {
            return Err(Error::message(format!("no proxy support for {what}")));
        }
    }
    if words.has(args::UNIX) && words.has(args::SOURCE_PORT) {
        return Err(Error::message(PORT_WITH_UNIX));
    }
    if words.has(args::DCCP) {
        // Debian's netcat has nothing but the exit status to say it with.
        return Err(Error::message("socket: Socket type not supported"));
    }
    Ok(())
}

/// Not both.
pub(super) fn exclude(words: Words<'_>, one: &str, other: &str) -> Result<(), Error> {
    if words.has(one) && words.has(other) {
        let (one, other) = (args::spelled(one), args::spelled(other));
        return Err(Error::message(format!("cannot use {one} and {other}")));
    }
    Ok(())
}

fn needs(needed: &str, by: &str) -> Error {
    let (needed, by) = (args::spelled(needed), args::spelled(by));
    Error::message(format!("must use {needed} with {by}"))
}

/// The first is needed by the second.
const NEEDS: [(&str, &str); 21] = [
    (args::LISTEN, args::KEEP_OPEN),
    (args::KEEP_OPEN, args::MAX_CONNS),
    (args::LISTEN, args::EXCLUSIVE),
    (args::LISTEN, args::PORT_FILE),
    (args::LISTEN, args::READY_FD),
    (args::LISTEN, args::JOIN),
    (args::UDP, args::JOIN),
    (args::ZERO, args::MAX_PARALLELISM),
    (args::ZERO, args::RATE),
    (args::ZERO, args::PROBE),
    (args::UDP, args::PROBE),
    (args::ZERO, args::BANNER),
    (args::ZERO, args::JSON),
    (args::ZERO, args::WAIT_UNTIL_OPEN),
    (args::ZERO, args::EVERY),
    (args::WAIT_UNTIL_OPEN, args::EVERY),
    (args::ZERO, args::SCAN_EXIT),
    (args::KEEP_OPEN, args::UDP_REPLY),
    (args::UDP, args::UDP_REPLY),
    // Each for its own: -X says nothing about --proxy, nor --proxy-type about -x.
    (args::PROXY_ADDRESS, args::PROXY_PROTOCOL),
    (args::PROXY, args::PROXY_TYPE),
];

const EXCLUSIONS: [(&str, &str); 25] = [
    (args::SHUTDOWN, args::NO_SHUTDOWN),
    (args::EXIT_ON_CLOSE, args::HALF_CLOSE),
    (args::SEND_ONLY, args::RECV_ONLY),
    (args::SEND_ONLY, args::NO_STDIN),
    (args::DCCP, args::UNIX),
    (args::PASS_FD, args::UNIX),
    (args::ZERO, args::LISTEN),
    (args::PROGRESS, args::NO_PROGRESS),
    // There is no session.
    (args::ZERO, args::STATS),
    (args::PASS_FD, args::STATS),
    // One transport, that is; `-u` with `-U` is one of its own.
    (args::UDP, args::SEQPACKET),
    (args::UDP, args::VSOCK),
    (args::UDP, args::MPTCP),
    (args::UNIX, args::VSOCK),
    (args::UNIX, args::MPTCP),
    (args::VSOCK, args::MPTCP),
    (args::UNIX, args::JOIN),
    // Whether a UNIX socket is there is known without asking it.
    (args::UNIX, args::PROBE),
    // A socket that is here already is bound already.
    (args::FD, args::SOURCE),
    (args::FD, args::SOURCE_PORT),
    (args::FD, args::EXCLUSIVE),
    // Nothing is relayed.
    (args::ZERO, args::LIMIT_RATE),
    (args::PASS_FD, args::LIMIT_RATE),
    (args::PROXY_USER, args::PROXY_AUTH),
    (args::PROXY_AUTH, args::PROXY_AUTH_FILE),
];

/// Where no proxy leads, in Debian's order and words. Multipath TCP leads to the first one.
const UNPROXIED: [(&str, &str); 6] = [
    (args::UDP, "UDP mode"),
    (args::DCCP, "DCCP mode"),
    (args::LISTEN, "listen"),
    (args::UNIX, "unix sockets"),
    (args::VSOCK, "vsock"),
    (args::SOURCE, "local source address"),
];

pub(super) const PORT_WITH_UNIX: &str = "cannot use port with -U";
