//! `-t`: takes telnet's commands out of what comes in and refuses everything (RFC 854).
//!
//! ```text
//!         IAC             WILL, WONT, DO, DONT               any, with an answer
//!   Data ─────▶ Command ──────────────────────▶ Negotiation ────────────────────▶ Data
//!                │   │ SB                    IAC                     SE
//!                │   └────▶ Subnegotiation ─────▶ SubnegotiationEnd ───▶ Data
//!                │                ▲      any other      │
//!                │                └─────────────────────┘
//!                └───────▶ Data
//!                any other
//! ```
//!
//! Owns: the states and every edge between them. Must not know: what an option means; none is ever on.
//!
//! The answers are Debian's. Differs from Debian, which looks at one read at a time and leaves the
//! commands in stdout: here a command may be cut anywhere, and stdout gets data only.

use super::{Layer, Passed};

/// Refuses every option and strips every command.
///
/// What goes out is left alone, as in Debian's netcat: a byte 0xff from stdin is *not* doubled, so a
/// script can speak telnet itself.
///
/// WONT and DONT are answered too, as Debian does; RFC 854 asks not to answer what changes nothing.
/// Two ends that both do so (`nc -t` against `nc -t`, once one of them is fed a command through stdin)
/// refuse each other without end. What bounds that: an answer is as long as the command it answers, so
/// a loop never grows, and it goes around once per round trip.
#[derive(Debug, Default)]
pub struct Telnet {
    state: State,
}

/// What the next byte is taken for. An end of file in any state yields nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// For stdout. IAC leads to `Command`.
    #[default]
    Data,
    /// The command, after IAC. WILL, WONT, DO, DONT lead to `Negotiation`, SB to `Subnegotiation`. IAC is
    /// a byte 0xff of data and leads to `Data`, and so does every other byte: a command of two bytes
    /// (NOP, GA, an SE without SB), or no command at all, in which case nobody can say what was meant.
    Command,
    /// The option that WILL, WONT, DO or DONT is about, any of 256. It is refused; leads to `Data`.
    Negotiation {
        /// DONT or WONT.
        refusal: u8,
    },
    /// Inside SB: dropped, not stored. Only IAC leads on, to `SubnegotiationEnd`. A peer that never
    /// sends it is never heard again: guessing where its data goes on would be worse.
    Subnegotiation,
    /// After IAC inside SB. SE leads to `Data`. Every other byte, also a doubled IAC, is part of the
    /// subnegotiation and leads back to `Subnegotiation`.
    SubnegotiationEnd,
}

impl Layer for Telnet {
    fn outbound(&mut self, input: &[u8], output: &mut [u8]) -> Passed {
        Passed::unchanged(input, output)
    }

    /// Commands are taken also when there is no room at all: they need none.
    fn inbound(&mut self, input: &[u8], output: &mut [u8], reply: &mut Vec<u8>) -> Passed {
        let mut passed = Passed::default();
        loop {
            if self.state == State::Data {
                passed.pass_until(IAC, input, output);
            }
            let Some(&byte) = input.get(passed.taken) else { return passed };
            self.state = match (self.state, byte) {
                (State::Data, IAC) => State::Command,
                (State::Command, IAC) if passed.give(&[IAC], output) => State::Data,
                (State::Data, _) | (State::Command, IAC) => return passed, // no room
                (State::Command, WILL | WONT) => State::Negotiation { refusal: DONT },
                (State::Command, DO | DONT) => State::Negotiation { refusal: WONT },
                (State::Command, SB) => State::Subnegotiation,
                (State::Command, _) | (State::SubnegotiationEnd, SE) => State::Data,
                (State::Negotiation { refusal }, option) => {
                    reply.extend([IAC, refusal, option]);
                    State::Data
                }
                (State::Subnegotiation, IAC) => State::SubnegotiationEnd,
                (State::Subnegotiation | State::SubnegotiationEnd, _) => State::Subnegotiation,
            };
            passed.taken += 1;
        }
    }
}

/// What an answer says: no to one option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// IAC, DONT or WONT, the option.
    pub answer: [u8; 3],
    /// The second of them by its name.
    pub word: &'static str,
}

/// Reads answers of a [`Telnet`], which are nothing but refusals. It gives whole ones, so there is no rest.
pub fn refusals(answers: &[u8]) -> impl Iterator<Item = Refused> {
    let (answers, _) = answers.as_chunks();
    answers.iter().map(|&answer: &[u8; 3]| {
        let word = if answer[1] == DONT { "DONT" } else { "WONT" };
        Refused { answer, word }
    })
}

// RFC 854, "TELNET COMMAND STRUCTURE".
const IAC: u8 = 255;
const SE: u8 = 240;
const SB: u8 = 250;
const WILL: u8 = 251;
const WONT: u8 = 252;
const DO: u8 = 253;
const DONT: u8 = 254;

#[cfg(test)]
mod tests;
