//! What each step of the program's life is for: the call as strace(1) shows it, and one plain sentence
//! with what it means here and now. `nc --explain` prints it.
//!
//! Owns: the steps, and which of them are told once only. `explain/words.rs` has all the sentences but for
//! why a session is over (`session/outcome.rs`), `explain/call.rs` all the calls. Must not know: who takes the
//! steps, and how a line gets to stderr. The log carries a step as `CALL\nSENTENCE`, under the target
//! [`TARGET`]; whoever prints it lays it out with [`layout()`]. While nobody wants to know, a step costs one
//! load; in a build without the feature `see` it costs nothing.
//!
//! A step cannot be taken without its sentence: the calls that make, name, connect and end sockets are made
//! in `sys/calls.rs` alone, clippy sees to that, and they explain themselves.
//!
//! Read next: `explain/words.rs`, then `sys/calls.rs`.

use std::fmt;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::{AtomicU32, Ordering};

mod call;
mod layout;
mod strace;
mod words;

pub use layout::{USUAL_WIDTH, layout};
pub use strace::{Answer, Make, Place};

/// The target of our records in the log.
pub const TARGET: &str = "explain";

/// Tells what is being done, or has just been done, if somebody wants to know.
pub fn explain<'a>(step: impl FnOnce() -> Step<'a>) {
    if is_wanted() {
        tell(&step());
    }
}

/// Somebody wants to know.
#[must_use]
pub fn is_wanted() -> bool {
    cfg!(feature = "see") && log::log_enabled!(target: TARGET, log::Level::Info)
}

fn tell(step: &Step<'_>) {
    let (bit, repetition) = step.repetition();
    match (TOLD.fetch_or(bit, Ordering::Relaxed) & bit, repetition) {
        (0, _) => log::info!(target: TARGET, "{step}"),
        (_, Repetition::Short) => log::info!(target: TARGET, "{}", Shorter(step)),
        (_, Repetition::Silent) => {}
    }
}

/// The steps that have been told, a bit for each kind of which the first is told otherwise.
static TOLD: AtomicU32 = AtomicU32::new(0);

/// How a step is told when one of its kind has been.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Repetition {
    /// In fewer words, if there are fewer.
    Short,
    /// Not at all.
    Silent,
}

/// A step of a kind that the reader knows.
struct Shorter<'a>(&'a Step<'a>);

impl fmt::Display for Shorter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.call(f)?;
        f.write_str("\n")?;
        self.0.short_sentence(f)
    }
}

/// The number of a descriptor.
pub fn raw_fd(fd: impl AsFd) -> i32 {
    fd.as_fd().as_raw_fd()
}

/// What an answer of the kernel's is to strace.
///
/// # Errors
/// The errno.
pub fn answer<T>(answer: &std::io::Result<T>, value: impl FnOnce(&T) -> i32) -> Answer {
    answer.as_ref().map(value).map_err(|error| error.raw_os_error().unwrap_or(0))
}

/// What two sockets may have in common, if both say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reuse {
    /// The address, `SO_REUSEADDR`.
    Address,
    /// The port, `SO_REUSEPORT`.
    Port,
}

/// A step of the program's life.
#[derive(Debug)]
#[expect(missing_docs, reason = "each field is what the call of its step is given or answers")]
pub enum Step<'a> {
    /// The poller is there.
    Poller { fd: i32 },
    /// stdin, stdout or stderr, by its number, is taken.
    Standard { fd: i32, own: i32, kind: &'static str, taken: Taken },
    /// A name has its addresses.
    LookedUp { host: &'a str, found: Vec<String> },
    /// Several addresses are connected to.
    Race { first: Place, others: usize, in_turn: bool },
    /// The next address of a race has waited long enough.
    NextAddress,
    /// An address of a race has lost.
    Loser { fd: i32 },
    /// socket(2).
    Socket { make: Make, errand: Errand, answer: Answer },
    /// setsockopt(2).
    Option {
        fd: i32,
        level: i32,
        name: &'a str,
        value: String,
        len: usize,
        purpose: Purpose,
        answer: Answer,
    },
    /// `SO_REUSEADDR` or, of a port, `SO_REUSEPORT`.
    Reuse { fd: i32, what: Reuse, datagrams: bool, answer: Answer },
    /// `SO_REUSEPORT` is left out.
    Exclusive,
    /// bind(2) of what waits for peers.
    BindToListen { fd: i32, at: Place, answer: Answer },
    /// bind(2) of what connects.
    BindFrom { fd: i32, at: Place, answer: Answer },
    /// The kernel has chosen a port.
    Named { fd: i32, at: Place },
    /// listen(2).
    Listen { fd: i32, backlog: i32, unix: bool, answer: Answer },
    /// Another socket listens where we do.
    Neighbour { ours: Place, other: Place },
    /// A socket that the parent has opened.
    Inherited { fd: i32, at: Place },
    /// The loop waits, for so many milliseconds at most.
    Sleep { fd: i32, most: usize, timeout: i64 },
    /// accept(2).
    Accept { fd: i32, peer: Place, answer: Answer },
    /// The listener for one client has it.
    ListenerClosed { fd: i32 },
    /// The listener goes on.
    KeepOpen,
    /// connect(2).
    Connect { fd: i32, to: Place, how: Connecting, answer: Answer },
    /// `SO_ERROR` is asked for.
    Pending { fd: i32, errno: i32 },
    /// A connection stands.
    Connected { fd: i32, local: Place, peer: Place },
    /// Time is up for a connection that was begun.
    GaveUp { fd: i32, scan: bool },
    /// An open port has been found; the close may reset the connection.
    ProbeClosed { fd: i32, reset: bool },
    /// The first datagram, of a socket that does not know its peer.
    Met { fd: i32, sender: Place, len: usize },
    /// Somebody new has sent to a socket that is everybody's.
    NewPeer { fd: i32, sender: Place, len: usize },
    /// The first bytes of a peer.
    Heard {
        fd: i32,
        room: usize,
        len: usize,
        first: Option<u8>,
        datagram: bool,
        from: Option<Place>,
    },
    /// The first bytes for a peer.
    Said { fd: i32, len: usize, datagram: bool },
    /// The first datagram for one of many.
    SaidTo { fd: i32, len: usize, to: Place },
    /// TCP Fast Open is made to begin the handshake by a write of nothing.
    SynSent { fd: i32, answer: Answer },
    /// The peer's end of file, read or only looked at.
    PeerEnded { fd: i32, room: usize, peek: bool, silent: bool },
    /// What the peer's end of file means for our sending.
    EndMeans { goes_on: bool },
    /// All is received that was to be.
    ReadEnough,
    /// recv(2) has failed.
    ReadFailed { fd: i32, errno: i32 },
    /// send(2) has failed.
    WriteFailed { fd: i32, len: usize, errno: i32 },
    /// splice(2) has failed.
    SpliceFailed { from: i32, to: i32, errno: i32 },
    /// stdin has ended, and the peer is not told.
    NotTold { datagrams: bool },
    /// shutdown(2) for writing.
    Shutdown { fd: i32, what: Ended, answer: Answer },
    /// Telnet's question is answered.
    Telnet { answer: [u8; 3], word: &'static str },
    /// A proxy will be asked.
    Proxy { proxy: String, protocol: &'static str, target: String },
    /// A proxy has let us through.
    ProxyDone { hop: usize },
    /// A connection is handed on.
    PassedOn { fd: i32 },
    /// A session is over, for a reason that is a sentence; the bytes sent and received, if it was one with the
    /// peer.
    Over { fd: i32, why: &'static str, moved: Option<(u64, u64)> },
    /// A socket's file is taken away.
    Unlink { path: String, dead: bool },
    /// A signal ends the program, which has put its things in order.
    Killed { signal: &'a str },
    /// The program ends.
    Exit { status: i32, why: Verdict },
}

/// How stdin or stdout is kept from blocking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Opened anew.
    Opened {
        /// And not for reading.
        writing: bool,
    },
    /// Each call says that it must not wait.
    PerCall,
    /// It never blocks.
    Ready,
}

/// What a socket is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errand {
    /// For what the user wants.
    Relay,
    /// To see whether somebody has a socket's file open.
    IsAlive,
    /// To see whether there is an address to reach another from.
    HasRoute,
    /// To learn an interface's name.
    NameOfInterface,
    /// To tell the service manager.
    Ready,
}

/// What a socket option is set for. Its name does not tell: `SO_RCVBUF` is set for two reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// `-I`.
    ReceiveBuffer,
    /// Datagrams that nobody has read yet need room, so many bytes of it.
    Queue {
        /// In bytes.
        bytes: u32,
    },
    /// `-O`.
    SendBuffer,
    /// `-b`.
    Broadcast,
    /// `-S`.
    Signature,
    /// `-D`.
    Record,
    /// `-T`.
    TypeOfService,
    /// `-M`.
    Hops,
    /// `-M`, of what goes to a group.
    GroupHops,
    /// `-m`.
    FewestHops,
    /// `--no-loop`.
    NoLoop,
    /// `--interface`.
    Interface,
    /// `--mark`.
    Mark,
    /// `--keepalive`.
    Keepalive,
    /// `--keepalive`: when a silent peer is asked for the first time.
    FirstProbe {
        /// After so much silence.
        seconds: u32,
    },
    /// `--keepalive`: when it is asked again.
    NextProbe {
        /// After so much time without an answer.
        seconds: u32,
    },
    /// `--nodelay`.
    NoDelay,
    /// `--user-timeout`.
    UserTimeout {
        /// Milliseconds without an acknowledgement.
        ms: u32,
    },
    /// `--congestion`.
    Congestion,
    /// `--tcp-fastopen`.
    FastOpen,
    /// A slow client must not look stalled.
    LittleUnsent,
    /// Closing should leave nothing behind.
    Reset,
    /// `--join`.
    Join,
}

/// What is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connecting {
    /// A stream or a sequence of records.
    Stream,
    /// A socket for datagrams.
    Datagrams,
    /// A TCP socket that is to send data with its first packet.
    FastOpen,
    /// A socket for datagrams that has just heard of its peer.
    Sender,
    /// The same socket, asked again.
    Again,
    /// Only to see what comes of it.
    Errand,
}

/// What has ended when a socket is shut down for writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// stdin, of a connection.
    Stdin,
    /// stdin, of a socket for datagrams.
    Datagrams,
    /// The peer, and stdout is a socket.
    Peer,
}

/// What the exit status says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All is well.
    Fine,
    /// A scan has found what it was to find.
    Found,
    /// What went wrong was said when it happened.
    Said,
    /// It has just been said, as the program's last line.
    Refused,
}

impl fmt::Display for Step<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.call(f)?;
        f.write_str("\n")?;
        self.sentence(f)
    }
}

impl Step<'_> {
    /// A bit for the kind, 0 for what is told in full each time, and how it is told again.
    fn repetition(&self) -> (u32, Repetition) {
        use Repetition::{Short, Silent};
        let kinds = [
            (matches!(self, Self::Sleep { .. }), Silent),
            (matches!(self, Self::KeepOpen), Silent),
            (matches!(self, Self::Accept { answer: Err(libc::EAGAIN), .. }), Silent),
            (matches!(self, Self::EndMeans { goes_on: true }), Silent),
            (matches!(self, Self::EndMeans { goes_on: false }), Silent),
            (matches!(self, Self::NotTold { .. }), Silent),
            (matches!(self, Self::Socket { errand: Errand::Relay, answer: Ok(_), .. }), Short),
            (
                matches!(self, Self::Socket { errand: Errand::NameOfInterface, answer: Ok(_), .. }),
                Short,
            ),
            (matches!(self, Self::Option { purpose: Purpose::LittleUnsent, .. }), Short),
            (matches!(self, Self::Accept { answer: Ok(_), .. }), Short),
            (matches!(self, Self::Connect { answer: Err(libc::EINPROGRESS), .. }), Short),
            (matches!(self, Self::Pending { errno: libc::ECONNREFUSED, .. }), Short),
            (matches!(self, Self::Connected { .. }), Short),
            (matches!(self, Self::ProbeClosed { .. }), Short),
            (matches!(self, Self::Heard { first, .. } if *first != Some(IAC)), Short),
            (matches!(self, Self::Said { .. }), Short),
            (matches!(self, Self::PeerEnded { .. }), Short),
        ];
        let which = kinds.iter().position(|(is_it, _)| *is_it);
        which.map_or((0, Short), |which| (1 << which, kinds[which].1))
    }
}

/// "Interpret as command", RFC 854: by this first byte a peer that speaks telnet is known.
const IAC: u8 = 255;

#[cfg(test)]
mod tests;
