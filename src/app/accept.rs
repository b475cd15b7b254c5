//! Taking connections off a listening socket.
//!
//! ```text
//!   Accepting ◀──▶ Full       as many sessions as --max-conns allows; the kernel keeps the rest
//!       ▲
//!       └───────▶ Starved     out of descriptors or memory; tried again later
//! ```
//! In every state the socket stays open and registered, and its readiness bit is kept: the queue of
//! connections is the kernel's, and nobody in it is lost.

use std::io;
use std::num::NonZeroUsize;
use std::time::Duration;

use mio::Interest;

use super::{Alarm, Loop, Owner};
use crate::explain::raw_fd;
use crate::mistakes::{Mistake, made};
use crate::reactor::{Readiness, SourceId, TimerId};
use crate::sys::address::Address;
use crate::sys::arrivals::{self, Arrival};
use crate::sys::polled::Polled;
use crate::trace::{Event, tell};

/// A listening socket in the loop.
#[derive(Debug)]
pub(super) struct Acceptor {
    listener: Polled,
    id: SourceId,
    max_conns: Option<NonZeroUsize>,
    state: State,
}

/// Whether connections are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// As they come. A session too many leads to `Full`, a lack of descriptors to `Starved`.
    Accepting,
    /// Not before a session ends, which leads back to `Accepting`.
    Full,
    /// Tried again after a while, when a session has ended or when the kernel speaks of another
    /// client: each leads back to `Accepting`.
    Starved(TimerId),
}

impl State {
    fn kind(self) -> Kind {
        match self {
            Self::Accepting => Kind::Accepting,
            Self::Full => Kind::Full,
            Self::Starved(_) => Kind::Starved,
        }
    }
}

/// A state without what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Accepting,
    Full,
    Starved,
}

impl Kind {
    const fn leads_to(self, next: Self) -> bool {
        match self {
            Self::Accepting => matches!(next, Self::Full | Self::Starved),
            Self::Full | Self::Starved => matches!(next, Self::Accepting),
        }
    }
}

/// What became of one attempt to take a connection.
#[derive(Debug)]
pub(super) enum Accepted {
    /// A client.
    Client(Polled, Address),
    /// One that was gone before it was taken; there may be others.
    Vanished,
    /// None now. A wake-up will come when there is one.
    NoneNow,
}

impl Acceptor {
    /// Enters the listening socket into the loop.
    pub(super) fn new(
        reactor: &mut Loop,
        mut listener: Polled,
        max_conns: Option<NonZeroUsize>,
    ) -> io::Result<Self> {
        let id = reactor.register(listener.source(), Interest::READABLE, Owner::Listener)?;
        Ok(Self { listener, id, max_conns, state: State::Accepting })
    }

    /// Takes one connection; `sessions` are being served.
    ///
    /// # Errors
    /// The listening socket itself is of no use any more.
    pub(super) fn accept(&mut self, reactor: &mut Loop, sessions: usize) -> io::Result<Accepted> {
        if self.max_conns.is_some_and(|most| sessions >= most.get()) {
            if self.state == State::Accepting {
                self.enter(State::Full);
            }
            return Ok(Accepted::NoneNow);
        }
        self.resume(reactor);
        while reactor.readiness(self.id).intersects(Readiness::READ) {
            match arrivals::accept(&self.listener)? {
                Arrival::Connection(fd, peer) => {
                    return Ok(Accepted::Client(Polled::new(fd), peer));
                }
                Arrival::NoneNow => reactor.clear(self.id, Readiness::READ),
                Arrival::Vanished(error) => {
                    tell(Event::Noted(&format_args!("accept: {error}")));
                    return Ok(Accepted::Vanished);
                }
                Arrival::NotToBeHeld(_) if made(Mistake::SpinOnEmfile) => {
                    self.look_again(reactor);
                    break;
                }
                Arrival::NotToBeHeld(error) => {
                    let pause = RETRY.subsec_millis();
                    tell(Event::Noted(&format_args!("accept: {error}, again in {pause} ms")));
                    let timer = reactor.set_timer(reactor.now() + RETRY, Alarm::Accept);
                    self.enter(State::Starved(timer));
                    break;
                }
            }
        }
        Ok(Accepted::NoneNow)
    }

    /// Has the listener looked at again on the next turn, for instance because a session has ended, if
    /// somebody may be waiting there.
    pub(super) fn look_again(&self, reactor: &mut Loop) {
        if reactor.readiness(self.id).intersects(Readiness::READ) {
            reactor.requeue(self.id);
        }
    }

    /// The listening socket's descriptor, for the words.
    pub(super) fn raw_fd(&self) -> i32 {
        raw_fd(&self.listener)
    }

    /// Stops listening: clients still in the kernel's queue are turned away.
    pub(super) fn close(mut self, reactor: &mut Loop) {
        self.resume(reactor);
        reactor.deregister(self.id, Some(self.listener.source()));
    }

    fn resume(&mut self, reactor: &mut Loop) {
        match self.state {
            State::Accepting => return,
            State::Full => {}
            State::Starved(timer) => reactor.cancel_timer(timer),
        }
        self.enter(State::Accepting);
    }

    fn enter(&mut self, next: State) {
        let (from, to) = (self.state.kind(), next.kind());
        debug_assert!(from.leads_to(to), "listener: {from:?} => {to:?}");
        tell(Event::Entered { machine: "listener", from: &from, to: &to });
        self.state = next;
    }
}

/// How long to wait for descriptors or memory that nobody will announce. Short for a waiting client,
/// and ten attempts a second cost nothing; nginx waits 500 ms.
const RETRY: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_diagram_shows_the_edges() {
        let all = [Kind::Accepting, Kind::Full, Kind::Starved];
        crate::testing::assert_diagram("Listener", &all, Kind::leads_to);
    }
}
