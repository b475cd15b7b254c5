//! One direction of bytes: from a source through a bounded buffer to a sink.
//!
//! ```text
//!         source ended or failed            buffer empty
//!   Open ────────────────────────▶ Draining ────────────▶ Finished
//!     │                               │
//!     └───── sink failed, or given up ┴─────────────────▶ Abandoned
//! ```
//!
//! Owns: the four states and every edge between them, the buffer, the counts. Must not know: which
//! direction it is, readiness bits, time, what the end of a flow means for anybody else.
//!
//! Invariants:
//! * Back-pressure is nothing but a full buffer: then the source is not read, so whoever fills it is
//!   held back by the kernel.
//! * A source that fails ends like one that ends: what it gave before is still delivered.
//! * A byte that was read is delivered, held, or counted in [`Flow::lost`].
//!
//! Read next: `session::relay`, which couples two of these.

use std::io;
use std::num::NonZeroU64;

use log::{debug, trace};

use crate::nonblock::{Attempt, Buffer, ByteSink, ByteSource};

/// One direction of bytes.
#[derive(Debug)]
pub struct Flow {
    name: &'static str,
    state: State,
    buffer: Buffer,
    reads_left: Option<u64>,
    delivered: u64,
    lost: u64,
}

/// How far a flow has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Bytes may still come. The end or failure of the source leads to `Draining`, a failing sink to
    /// `Abandoned`.
    Open,
    /// No more bytes come, some are held. Delivering the last leads to `Finished`, a failing sink to
    /// `Abandoned`.
    Draining,
    /// Everything that was read has been delivered. Nothing leaves this state.
    Finished,
    /// What was held is dropped and counted. Nothing leaves this state.
    Abandoned,
}

impl State {
    /// All states, in the order of a life.
    pub const ALL: [Self; 4] = [Self::Open, Self::Draining, Self::Finished, Self::Abandoned];

    /// The legal edges.
    #[must_use]
    pub const fn leads_to(self, next: Self) -> bool {
        match self {
            Self::Open => matches!(next, Self::Draining | Self::Abandoned),
            Self::Draining => matches!(next, Self::Finished | Self::Abandoned),
            Self::Finished | Self::Abandoned => false,
        }
    }

    /// Nothing will happen any more.
    #[must_use]
    pub const fn is_over(self) -> bool {
        match self {
            Self::Open | Self::Draining => false,
            Self::Finished | Self::Abandoned => true,
        }
    }
}

/// One answer for each end of a flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ends {
    /// Where bytes come from.
    pub source: bool,
    /// Where bytes go.
    pub sink: bool,
}

/// What one [`Flow::pump`] did.
#[derive(Debug, Default)]
pub struct Progress {
    /// Bytes read and bytes written, added up; 0: nothing happened.
    pub moved: usize,
    /// Which ends said `EAGAIN`.
    pub blocked: Ends,
    /// Stopped because the budget was spent: there is more to be done at once.
    pub more: bool,
    /// The flow became `Finished` in this call.
    pub finished: bool,
    /// What broke, if something did.
    pub failure: Option<Failure>,
}

/// Which end of a flow broke, and the kernel's answer.
#[derive(Debug)]
pub enum Failure {
    /// Reading failed; the flow drains.
    Source(io::Error),
    /// Writing failed; the flow is abandoned.
    Sink(io::Error),
}

impl Flow {
    /// A flow that is open. The name is for the log. With `reads`, the source counts as ended after
    /// so many successful reads.
    #[must_use]
    pub fn new(name: &'static str, reads: Option<NonZeroU64>) -> Self {
        Self::starting(name, State::Open, reads.map(NonZeroU64::get))
    }

    /// A flow that carries nothing, ever.
    #[must_use]
    pub fn unused(name: &'static str) -> Self {
        Self::starting(name, State::Finished, None)
    }

    fn starting(name: &'static str, state: State, reads_left: Option<u64>) -> Self {
        Self { name, state, buffer: Buffer::new(BUFFER), reads_left, delivered: 0, lost: 0 }
    }

    /// How far the flow has come.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// Bytes the sink has taken.
    #[must_use]
    pub fn delivered(&self) -> u64 {
        self.delivered
    }

    /// Bytes that were read and will not be delivered.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// The source was read as often as it may be.
    #[must_use]
    pub fn reads_are_used_up(&self) -> bool {
        self.reads_left == Some(0)
    }

    /// Bytes are held for the sink.
    #[must_use]
    pub fn holds_bytes(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// Moves bytes until an end blocks or ends, or `budget` bytes have been read. Only ends that are
    /// `ready` are tried.
    pub fn pump(
        &mut self,
        source: &mut impl ByteSource,
        sink: &mut impl ByteSink,
        mut ready: Ends,
        mut budget: usize,
    ) -> Progress {
        let mut progress = Progress::default();
        let over_before = self.state.is_over();
        while !self.state.is_over() {
            if ready.sink && self.holds_bytes() {
                self.write(sink, &mut ready, &mut progress);
            } else if ready.source && self.state == State::Open && !self.buffer.spare().is_empty() {
                if budget == 0 {
                    progress.more = true;
                    break;
                }
                self.read(source, &mut ready, &mut budget, &mut progress);
            } else {
                break;
            }
            if self.state == State::Draining && !self.holds_bytes() {
                self.enter(State::Finished);
            }
        }
        progress.finished = !over_before && self.state == State::Finished;
        progress
    }

    /// The source is not wanted any more; what is held is still delivered.
    pub fn stop(&mut self) {
        if self.state == State::Open {
            self.enter(State::Draining);
        }
        if self.state == State::Draining && !self.holds_bytes() {
            self.enter(State::Finished);
        }
    }

    /// Nothing is delivered any more; what is held is lost.
    pub fn abandon(&mut self) {
        if !self.state.is_over() {
            self.lost += self.buffer.discard() as u64;
            self.enter(State::Abandoned);
        }
    }

    fn read(
        &mut self,
        source: &mut impl ByteSource,
        ready: &mut Ends,
        budget: &mut usize,
        progress: &mut Progress,
    ) {
        let room = self.buffer.spare();
        let most = room.len().min(*budget);
        let attempt = source.try_read(&mut room[..most]);
        trace!("{}: read of {most} = {attempt:?}", self.name);
        match attempt {
            Ok(Attempt::Moved(n)) => {
                self.buffer.filled(n);
                *budget -= n;
                progress.moved += n;
                self.count_read();
            }
            Ok(Attempt::Blocked) => {
                ready.source = false;
                progress.blocked.source = true;
            }
            Ok(Attempt::Ended) => self.enter(State::Draining),
            Err(error) => {
                progress.failure = Some(Failure::Source(error));
                self.enter(State::Draining);
            }
        }
    }

    fn write(&mut self, sink: &mut impl ByteSink, ready: &mut Ends, progress: &mut Progress) {
        let attempt = sink.try_write(self.buffer.data());
        trace!("{}: write of {} = {attempt:?}", self.name, self.buffer.len());
        match attempt {
            Ok(Attempt::Moved(n)) => {
                self.buffer.consume(n);
                self.delivered += n as u64;
                progress.moved += n;
            }
            Ok(Attempt::Blocked | Attempt::Ended) => {
                ready.sink = false;
                progress.blocked.sink = true;
            }
            Err(error) => {
                progress.failure = Some(Failure::Sink(error));
                self.abandon();
            }
        }
    }

    fn count_read(&mut self) {
        if let Some(left) = &mut self.reads_left {
            *left -= 1;
            if *left == 0 {
                self.enter(State::Draining);
            }
        }
    }

    fn enter(&mut self, next: State) {
        debug_assert!(self.state.leads_to(next), "{}: {:?} => {next:?}", self.name, self.state);
        debug!("{}: {:?} => {next:?}", self.name, self.state);
        self.state = next;
    }
}

/// Bytes one direction holds at most, and with them what one system call can move. 64 KiB is what a
/// pipe holds; more gains nothing measurable while bytes are copied, and costs memory per connection.
pub const BUFFER: usize = 64 * 1024;

#[cfg(test)]
mod tests;
