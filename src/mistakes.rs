//! Classic mistakes of event loops, to be made on purpose: `NC_MISTAKE=no-drain nc ...`
//!
//! Owns: their names, and which of them is being made. They are there to show what each looks like from
//! outside, and that the tests notice it (`tests/nc/mistakes.rs`). Only a debug build with the feature
//! `mistakes` makes any; in every other [`made`] is `false` at compile time, and nothing of its callers is
//! left in the program.

/// One classic mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// `no-drain`: reads once per event, and waits for the next.
    NoDrain,
    /// `clear-early`: takes a source for empty whenever it stops reading.
    ClearEarly,
    /// `short-read`: takes a source for empty after a read that did not fill the buffer.
    ShortRead,
    /// `short-write`: takes a write for complete however much it wrote.
    ShortWrite,
    /// `zero-is-data`: takes a read of no bytes for something other than the end.
    ZeroIsData,
    /// `ignore-hup`: reads when bytes are announced, and not when a hang-up is.
    IgnoreHup,
    /// `fail-on-eintr`: gives up when a signal interrupts the wait.
    FailOnEintr,
    /// `no-budget`: reads from one client for as long as it sends.
    NoBudget,
    /// `block-stdout`: writes to stdout and waits until it has taken the bytes.
    BlockStdout,
    /// `nonblock-stdin`: sets `O_NONBLOCK` on what the shell has lent.
    NonblockStdin,
    /// `accept-once`: takes one connection per event off the listener.
    AcceptOnce,
    /// `spin-on-emfile`: tries again at once when there is no descriptor for a client.
    SpinOnEmfile,
    /// `writable-is-connected`: does not ask a writable socket whether it is connected.
    WritableIsConnected,
    /// `eof-both-ways`: takes the peer's end of file for the end of the connection.
    EofBothWays,
    /// `drop-on-reset`: throws away what arrived before a reset.
    DropOnReset,
    /// `close-unread`: closes a socket that still has bytes to be read.
    CloseUnread,
    /// `udp-error-first`: believes the error of a datagram socket before the datagrams that came ahead of it.
    UdpErrorFirst,
    /// `splice-wrong-side`: charges `EAGAIN` of splice(2) to the socket, also where it is the pipe.
    SpliceWrongSide,
}

/// Whether this mistake is being made.
#[cfg(not(feature = "mistakes"))]
#[inline]
#[must_use]
pub const fn made(_: Mistake) -> bool {
    false
}

// Known while compiling: the callers' branches are never generated.
#[cfg(not(feature = "mistakes"))]
const _: () = assert!(!made(Mistake::NoDrain));

#[cfg(feature = "mistakes")]
pub use making::made;

#[cfg(feature = "mistakes")]
mod making {
    use std::env;
    use std::sync::OnceLock;

    use super::Mistake;

    #[cfg(not(debug_assertions))]
    compile_error!("the feature `mistakes` is for debug builds: it makes a program that fails");

    static MADE: OnceLock<Option<Mistake>> = OnceLock::new();

    /// Whether this mistake is being made: the environment names it.
    ///
    /// # Panics
    /// No mistake has the name in `NC_MISTAKE`.
    #[must_use]
    pub fn made(mistake: Mistake) -> bool {
        *MADE.get_or_init(wanted) == Some(mistake)
    }

    fn wanted() -> Option<Mistake> {
        let name = env::var("NC_MISTAKE").ok().filter(|name| !name.is_empty())?;
        let found = ALL.iter().find(|(known, _)| *known == name);
        let Some((_, mistake)) = found else {
            let names = ALL.map(|(name, _)| name).join(", ");
            panic!("NC_MISTAKE={name} is none of {names}");
        };
        Some(*mistake)
    }

    const ALL: [(&str, Mistake); 18] = [
        ("no-drain", Mistake::NoDrain),
        ("clear-early", Mistake::ClearEarly),
        ("short-read", Mistake::ShortRead),
        ("short-write", Mistake::ShortWrite),
        ("zero-is-data", Mistake::ZeroIsData),
        ("ignore-hup", Mistake::IgnoreHup),
        ("fail-on-eintr", Mistake::FailOnEintr),
        ("no-budget", Mistake::NoBudget),
        ("block-stdout", Mistake::BlockStdout),
        ("nonblock-stdin", Mistake::NonblockStdin),
        ("accept-once", Mistake::AcceptOnce),
        ("spin-on-emfile", Mistake::SpinOnEmfile),
        ("writable-is-connected", Mistake::WritableIsConnected),
        ("eof-both-ways", Mistake::EofBothWays),
        ("drop-on-reset", Mistake::DropOnReset),
        ("close-unread", Mistake::CloseUnread),
        ("udp-error-first", Mistake::UdpErrorFirst),
        ("splice-wrong-side", Mistake::SpliceWrongSide),
    ];
}
