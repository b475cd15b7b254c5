//! What the sockets are told.

use super::words::Words;
use crate::cli::password::{self, Question};
use crate::cli::{Misfit, Outside, args, integer, quoted, time, tos};
use crate::error::Error;
use crate::sys::options::{Keepalive, Md5Key, Options};

/// Everything but the key of `-S`.
pub(super) fn read(words: Words<'_>) -> Result<Options, Error> {
    if words.has(args::RTABLE) {
        return Err(Error::message("no alternate routing table support available"));
    }
    let user_timeout = words.value(args::USER_TIMEOUT, USER_TIMEOUT)?;
    Ok(Options {
        broadcast: words.has(args::BROADCAST),
        md5_key: None,
        debug: words.has(args::DEBUG),
        tos: type_of_service(words)?,
        recv_buffer: words.number(args::RECV_BUFFER, RECV_BUFFER, 1..=LARGEST_BUFFER)?,
        send_buffer: words.number(args::SEND_BUFFER, SEND_BUFFER, 1..=LARGEST_BUFFER)?,
        ttl: ttl(words, args::TTL, "ttl")?,
        no_loop: words.has(args::NO_LOOP),
        min_ttl: ttl(words, args::MIN_TTL, "minttl")?,
        keepalive: keepalive(words)?,
        nodelay: words.has(args::NODELAY),
        interface: words.value(args::INTERFACE, "interface")?.map(str::to_owned),
        mark: mark(words)?,
        fast_open: words.has(args::FAST_OPEN),
        user_timeout: user_timeout.map(|value| time::parse(USER_TIMEOUT, value)).transpose()?,
        congestion: words.value(args::CONGESTION, "congestion control")?.map(str::to_owned),
    })
}

/// The key of `-S`: of the file, if there is one, else of whoever sits at the terminal.
pub(super) fn md5_key(words: Words<'_>, outside: Outside<'_>) -> Result<Option<Md5Key>, Error> {
    if let Some(file) = words.raw(args::MD5_FILE) {
        let line = password::in_file(file, Md5Key::MAX_LEN)?;
        key(line.bytes()).map(Some)
    } else if words.has(args::MD5) {
        let line = (outside.password)(Question { text: MD5_PASSWORD, wanted: MD5_PASSWORD })?;
        // What is longer than Debian's netcat takes is cut as there.
        let typed = line.bytes();
        key(&typed[..typed.len().min(LONGEST_TYPED)]).map(Some)
    } else {
        Ok(None)
    }
}

fn key(password: &[u8]) -> Result<Md5Key, Error> {
    if password.is_empty() {
        return Err(Error::message(format!("{MD5_PASSWORD} is empty")));
    }
    Md5Key::new(password).ok_or_else(|| {
        Error::message(format!("{MD5_PASSWORD} too long: more than {} bytes", Md5Key::MAX_LEN))
    })
}

fn type_of_service(words: Words<'_>) -> Result<Option<u8>, Error> {
    let Some(value) = words.value(args::TOS, "tos value")? else { return Ok(None) };
    let illegal = || Error::message(format!("illegal tos value {}", quoted(value)));
    tos::parse(value).map(Some).ok_or_else(illegal)
}

/// Debian's message does not say which number it was.
fn ttl(words: Words<'_>, id: &str, noun: &str) -> Result<Option<u8>, Error> {
    let Some(value) = words.value(id, noun)? else { return Ok(None) };
    let ttl = integer(value, 0..=u8::MAX).map(Some);
    ttl.map_err(|misfit| Error::message(format!("{noun} is {}", misfit.why())))
}

/// The time is optional.
fn keepalive(words: Words<'_>) -> Result<Option<Keepalive>, Error> {
    let seconds = words.number(args::KEEPALIVE, "keepalive time", 1..=LONGEST_KEEPALIVE)?;
    Ok(words.has(args::KEEPALIVE).then_some(Keepalive { seconds }))
}

/// Decimal, or `0x` and digits, as marks are written for ip-rule(8) and nft(8).
fn mark(words: Words<'_>) -> Result<Option<u32>, Error> {
    let Some(value) = words.value(args::MARK, "mark")? else { return Ok(None) };
    let mark = match value.strip_prefix("0x") {
        None => integer(value, 0..=u32::MAX),
        Some(digits) if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_hexdigit()) => {
            Err(Misfit::Invalid)
        }
        Some(digits) => u32::from_str_radix(digits, 16).map_err(|_| Misfit::TooLarge),
    };
    mark.map(Some).map_err(|misfit| misfit.of("mark", value))
}

const MD5_PASSWORD: &str = "TCP MD5SIG password";
const RECV_BUFFER: &str = "TCP receive window";
const SEND_BUFFER: &str = "TCP send window";
const USER_TIMEOUT: &str = "user timeout";

/// Debian's netcat has room for a key of 80 bytes and keeps one for the end of the string.
const LONGEST_TYPED: usize = Md5Key::MAX_LEN - 1;

/// Debian's limit: the largest window of RFC 7323.
const LARGEST_BUFFER: u32 = 1 << 30;

/// `MAX_TCP_KEEPIDLE` of the kernel's `net/tcp.h`.
const LONGEST_KEEPALIVE: u16 = 32767;
