//! Protocols that change bytes on their way, written without any I/O: slices in, slices out.
//!
//! ```text
//!  stdin  ──▶ outbound ──▶ wire
//!  stdout ◀── inbound  ◀── wire      reply ──▶ wire: what the protocol itself answers
//! ```
//!
//! Owns: the one shape all of them have, [`Layer`], and their order, [`Stack`]. Must not know:
//! sockets, buffers, readiness, time, sessions.
//!
//! Invariant: what comes out depends on the bytes only, never on how they were cut into calls.
//!
//! What is spoken *before* a session, once, has a seam of its own: [`Handshake`]. What a scan says
//! is one datagram, [`question()`].
//!
//! What is written *about* the bytes of a session is made here too: [`hexdump`], [`pcapng`] with
//! [`packets`], and the moment they were seen, [`Stamp`].
//!
//! Read next: `proto/crlf.rs`, the smallest layer; `proto/telnet.rs`, one with states and answers;
//! `proto/sanitize.rs`, one that has to wait for the rest of a character; `proto/handshake.rs`.

use std::fmt::Debug;

mod crlf;
mod handshake;
pub mod hex;
pub mod hexdump;
mod http_auth;
mod http_connect;
pub mod packets;
pub mod pcapng;
mod question;
mod sanitize;
mod socks4;
mod socks5;
mod stamp;
mod telnet;

pub use crlf::Crlf;
pub use handshake::{
    Credentials, Fault, Handshake, Host, HostName, Limit, Progress, ProtocolError, Refusal, Status,
    Target,
};
pub use http_connect::HttpConnect;
pub use question::question;
pub use sanitize::Sanitize;
pub use socks4::Socks4;
pub use socks5::Socks5;
pub use stamp::Stamp;
pub use telnet::{Refused, Telnet, refusals};

/// How far one call of a layer came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// Bytes taken from the front of the input. The rest must be offered again.
    pub taken: usize,
    /// Bytes written to the front of the output.
    pub given: usize,
}

/// Stands between stdin/stdout and the wire for the whole session, both ways.
///
/// A call takes only what fits: that is the back-pressure. Each implementation promises, and callers
/// may build on it:
/// * With input to take and room for at least [`ROOM`] bytes, a call takes or gives something, so
///   calling until the input is gone comes to an end.
/// * The same bytes come out for every way to cut the input and for every room of at least [`ROOM`].
/// * Output beyond `given` and input beyond `taken` are as if the call had not seen them.
/// * No input makes it panic, and it stores no bytes but the few that a piece cut in two begins with:
///   with input whose end never comes it keeps a state and nothing else.
///
/// Callers must not assume that `taken` and `given` are equal, or that both move: a protocol's own
/// bytes are taken and give nothing. A layer that keeps bytes (TLS) will have to add to this trait
/// how it says so.
pub trait Layer: Debug {
    /// Bytes of ours on their way to the wire: takes a prefix of `input`, writes a prefix of `output`.
    fn outbound(&mut self, input: &[u8], output: &mut [u8]) -> Passed;

    /// Bytes of the peer on their way to stdout. What the protocol itself answers is appended to
    /// `reply`: at most two bytes more than this call has taken, and over a whole session never more
    /// than was taken. A caller that takes no more while answers wait for the wire bounds them.
    fn inbound(&mut self, input: &[u8], output: &mut [u8], reply: &mut Vec<u8>) -> Passed;

    /// The peer sends no more: writes what was kept for bytes that might have followed, as far as there
    /// is room, and says how much that was. 0: nothing is left, or the room is less than [`ROOM`].
    fn inbound_ended(&mut self, _output: &mut [u8]) -> usize {
        0
    }
}

/// The layers of one session, from the user to the wire: CRLF and what sanitizes, then telnet.
///
/// No bytes are kept between them. CRLF changes what goes out, the others what comes in, and each is
/// silent the other way; and what is sanitized is asked first how much it will surely take, and telnet gives
/// no more. A layer that changes both ways (TLS) is not one more field here: it stands between this
/// stack and the wire, with a buffer before it.
#[derive(Debug, Default)]
pub struct Stack {
    /// `-C`.
    pub crlf: Option<Crlf>,
    /// `-t`.
    pub telnet: Option<Telnet>,
    /// `--sanitize`, where stdout is a terminal.
    pub sanitize: Option<Sanitize>,
}

impl Stack {
    /// What comes in does not come out as it is.
    #[must_use]
    pub fn changes_inbound(&self) -> bool {
        self.telnet.is_some() || self.sanitize.is_some()
    }
}

impl Layer for Stack {
    fn outbound(&mut self, input: &[u8], output: &mut [u8]) -> Passed {
        match &mut self.crlf {
            Some(crlf) => crlf.outbound(input, output),
            None => Passed::unchanged(input, output),
        }
    }

    fn inbound(&mut self, input: &[u8], output: &mut [u8], reply: &mut Vec<u8>) -> Passed {
        match (&mut self.telnet, &mut self.sanitize) {
            (Some(telnet), Some(sanitize)) => both(telnet, sanitize, input, output, reply),
            (Some(telnet), None) => telnet.inbound(input, output, reply),
            (None, Some(sanitize)) => sanitize.inbound(input, output, reply),
            (None, None) => Passed::unchanged(input, output),
        }
    }

    fn inbound_ended(&mut self, output: &mut [u8]) -> usize {
        self.sanitize.as_mut().map_or(0, |sanitize| sanitize.inbound_ended(output))
    }
}

/// Through telnet, and what it gives is sanitized at once.
fn both(
    telnet: &mut Telnet,
    sanitize: &mut Sanitize,
    input: &[u8],
    output: &mut [u8],
    reply: &mut Vec<u8>,
) -> Passed {
    let mut passed = Passed::default();
    let mut between = [0; 256];
    loop {
        let room = &mut output[passed.given..];
        let most = sanitize::surely_fit(room.len()).min(between.len());
        let data = telnet.inbound(&input[passed.taken..], &mut between[..most], reply);
        if data == Passed::default() {
            return passed;
        }
        let shown = sanitize.inbound(&between[..data.given], room, reply);
        debug_assert_eq!(shown.taken, data.given, "it promised to take all");
        passed.taken += data.taken;
        passed.given += shown.given;
    }
}

/// What layers are written with. Each method goes on where the last one stopped.
impl Passed {
    /// Passes on as much of the input as fits.
    fn unchanged(input: &[u8], output: &mut [u8]) -> Self {
        let n = input.len().min(output.len());
        output[..n].copy_from_slice(&input[..n]);
        Self { taken: n, given: n }
    }

    /// Passes bytes on until `stop` is next, the input is gone or the output full.
    fn pass_until(&mut self, stop: u8, input: &[u8], output: &mut [u8]) {
        self.pass_while(|byte| byte != stop, input, output);
    }

    /// Passes such bytes on until another is next, the input is gone or the output full.
    fn pass_while(&mut self, passes: impl Fn(u8) -> bool, input: &[u8], output: &mut [u8]) {
        let (rest, room) = (&input[self.taken..], &mut output[self.given..]);
        // Never looks further than it can write: with little room that would make the cost quadratic.
        let reach = &rest[..rest.len().min(room.len())];
        let run = reach.iter().position(|&byte| !passes(byte)).unwrap_or(reach.len());
        room[..run].copy_from_slice(&reach[..run]);
        self.taken += run;
        self.given += run;
    }

    /// Writes all of `bytes` and says true, or has no room for all and writes none.
    fn give(&mut self, bytes: &[u8], output: &mut [u8]) -> bool {
        let Some(room) = output[self.given..].get_mut(..bytes.len()) else { return false };
        room.copy_from_slice(bytes);
        self.given += bytes.len();
        true
    }

    /// Writes a byte as `\x1b`, as [`Passed::give`].
    fn give_byte(&mut self, byte: u8, output: &mut [u8]) -> bool {
        let [high, low] = hex::of(byte);
        self.give(&[b'\\', b'x', high, low], output)
    }

    /// Writes a character as `\u{202e}`, as [`Passed::give`].
    fn give_character(&mut self, c: char, output: &mut [u8]) -> bool {
        let mut bytes = [0; LONGEST_NUMBER];
        let mut len = 0;
        for (slot, c) in bytes.iter_mut().zip(c.escape_unicode()) {
            *slot = u8::try_from(c).unwrap_or(b'?');
            len += 1;
        }
        self.give(&bytes[..len], output)
    }
}

/// `\u{10ffff}`
const LONGEST_NUMBER: usize = 10;

/// The least room in which every layer gets on, and all of them together.
pub const ROOM: usize = sanitize::LONGEST;

#[cfg(test)]
mod tests;
