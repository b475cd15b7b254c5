//! One direction of bytes: from a source through a bounded queue to a sink.
//!
//! ```text
//!         source ended or failed             queue empty
//!   Open ────────────────────────▶ Draining ────────────▶ Finished
//!     │                               │
//!     └───── sink failed, or given up ┴─────────────────▶ Abandoned
//! ```
//!
//! Owns: the four states and every edge between them, the queue, the counts. Must not know: which
//! direction it is, readiness bits, what a filter does, what the end of a flow means for anybody else.
//!
//! Invariants:
//! * Back-pressure is nothing but a full queue: then the source is not read, so whoever fills it is
//!   held back by the kernel.
//! * A source that fails ends like one that ends: what it gave before is still delivered.
//! * A byte that was read is delivered, held, or counted in [`Flow::lost`].
//!
//! Read next: `queue` for streams and datagrams, `pace` for time between writes, `session::relay`, which
//! couples two flows.

mod pace;
mod queue;

use std::io;
use std::num::NonZeroU64;
use std::time::Instant;

use log::{debug, trace};

use crate::nonblock::{Attempt, Buffer, ByteSink, ByteSource};
pub use pace::Pace;
pub use queue::{BUFFER, Framing, LARGEST, LARGEST_PAYLOAD, Queue};

/// One direction of bytes.
#[derive(Debug)]
pub struct Flow {
    name: &'static str,
    state: State,
    /// What was read and has not passed the filter; without a filter it stays empty.
    raw: Buffer,
    queue: Queue,
    pace: Option<Pace>,
    reads_left: Option<u64>,
    delivered: u64,
    lost: u64,
}

/// What a flow's bytes pass between its source and its queue. Takes a prefix of the input, gives a
/// prefix of the output, says how much of both.
pub type Filter<'a> = &'a mut dyn FnMut(&[u8], &mut [u8]) -> (usize, usize);

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

/// What a flow is given to work with when it is pumped.
#[derive(Clone, Copy, Debug)]
pub struct Allowance {
    /// Which ends are worth an attempt; the others are not tried.
    pub ready: Ends,
    /// Bytes after which no further read is begun.
    pub budget: usize,
    /// What time it is.
    pub now: Instant,
}

/// What one [`Flow::pump`] did.
#[derive(Debug, Default)]
pub struct Progress {
    /// Calls that were neither blocked nor failed; 0: nothing happened.
    pub calls: usize,
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
    /// A flow that is open. The name is for the log.
    #[must_use]
    pub fn new(name: &'static str, queue: Queue) -> Self {
        Self {
            name,
            state: State::Open,
            raw: Buffer::new(BUFFER),
            queue,
            pace: None,
            reads_left: None,
            delivered: 0,
            lost: 0,
        }
    }

    /// A flow that carries nothing, ever.
    #[must_use]
    pub fn unused(name: &'static str) -> Self {
        Self { state: State::Finished, ..Self::new(name, Queue::stream()) }
    }

    /// The source counts as ended after so many successful reads.
    #[must_use]
    pub fn with_reads(self, reads: Option<NonZeroU64>) -> Self {
        Self { reads_left: reads.map(NonZeroU64::get), ..self }
    }

    /// Lines leave one by one, with time between them.
    #[must_use]
    pub fn with_pace(self, pace: Option<Pace>) -> Self {
        Self { pace, ..self }
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
        !(self.queue.is_empty() && self.raw.is_empty())
    }

    /// When the next line may leave, if one is held back by nothing but time.
    #[must_use]
    pub fn next_write(&self) -> Option<Instant> {
        if self.queue.front().is_empty() {
            None
        } else {
            self.pace.as_ref().and_then(Pace::opens_at)
        }
    }

    /// Moves bytes until an end blocks or ends, or the budget has been read; what was read may all be
    /// written.
    pub fn pump(
        &mut self,
        source: &mut impl ByteSource,
        sink: &mut impl ByteSink,
        mut filter: Option<Filter<'_>>,
        allowance: Allowance,
    ) -> Progress {
        let Allowance { mut ready, mut budget, now } = allowance;
        let mut progress = Progress::default();
        let over_before = self.state.is_over();
        while !self.state.is_over() {
            if ready.sink && !self.queue.front().is_empty() && self.may_write(now) {
                self.write(sink, now, &mut ready, &mut progress);
            } else if ready.source
                && self.state == State::Open
                && !self.room(filter.is_some()).is_empty()
            {
                if budget == 0 {
                    progress.more = true;
                    break;
                }
                self.read(source, filter.is_some(), &mut ready, &mut budget, &mut progress);
            } else {
                break;
            }
            if let Some(filter) = &mut filter {
                self.pass(filter);
            }
            self.finish_if_drained();
        }
        progress.finished = !over_before && self.state == State::Finished;
        if allowance.budget - budget < QUIET {
            self.queue.release_if_empty();
        }
        progress
    }

    /// The source is not wanted any more; what is held is still delivered.
    pub fn stop(&mut self) {
        if self.state == State::Open {
            self.end_of_source();
        }
        self.finish_if_drained();
    }

    /// Nothing is delivered any more; what is held is lost.
    pub fn abandon(&mut self) {
        if !self.state.is_over() {
            self.lost += (self.raw.discard() + self.queue.discard()) as u64;
            self.enter(State::Abandoned);
        }
    }

    /// Where the next read goes.
    fn room(&mut self, filtered: bool) -> &mut [u8] {
        if filtered { self.raw.spare(1) } else { self.queue.room() }
    }

    fn may_write(&self, now: Instant) -> bool {
        self.pace.as_ref().and_then(Pace::opens_at).is_none_or(|at| at <= now)
    }

    fn read(
        &mut self,
        source: &mut impl ByteSource,
        filtered: bool,
        ready: &mut Ends,
        budget: &mut usize,
        progress: &mut Progress,
    ) {
        let room = self.room(filtered);
        let most = room.len();
        let attempt = source.try_read(room);
        trace!("{}: read of {most} = {attempt:?}", self.name);
        match attempt {
            Ok(Attempt::Moved(n)) => {
                if filtered {
                    self.raw.filled(n);
                } else {
                    self.queue.filled(n);
                }
                // An empty datagram costs a call too.
                *budget = budget.saturating_sub(n.max(1));
                progress.calls += 1;
                self.count_read();
            }
            Ok(Attempt::Blocked) => {
                ready.source = false;
                progress.blocked.source = true;
            }
            Ok(Attempt::Ended) => self.end_of_source(),
            Err(error) => {
                progress.failure = Some(Failure::Source(error));
                self.end_of_source();
            }
        }
    }

    /// Has the filter turn what was read into what is to be written, as far as there is room.
    fn pass(&mut self, filter: &mut Filter<'_>) {
        while !self.raw.is_empty() {
            let (taken, given) = filter(self.raw.data(), self.queue.room());
            self.raw.consume(taken);
            if given > 0 {
                self.queue.filled(given);
            }
            if taken + given == 0 {
                // Room for a piece of a line, but not for the filter's next step: the piece leaves.
                if self.queue.front().is_empty() && !self.queue.is_empty() {
                    self.queue.ended();
                    continue;
                }
                return;
            }
        }
        if self.state == State::Draining {
            self.queue.ended();
        }
    }

    fn write(
        &mut self,
        sink: &mut impl ByteSink,
        now: Instant,
        ready: &mut Ends,
        progress: &mut Progress,
    ) {
        let front = self.queue.front();
        let piece = self.pace.as_ref().map_or(front, |_| Pace::line(front));
        let ends_line = piece.ends_with(b"\n");
        let attempt = sink.try_write(piece);
        trace!("{}: write of {} = {attempt:?}", self.name, piece.len());
        let whole = piece.len();
        match attempt {
            Ok(Attempt::Moved(n)) => {
                self.queue.consume(n);
                self.delivered += n as u64;
                progress.calls += 1;
                if n == whole
                    && ends_line
                    && let Some(pace) = &mut self.pace
                {
                    pace.line_left(now);
                }
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
                self.end_of_source();
            }
        }
    }

    fn end_of_source(&mut self) {
        self.enter(State::Draining);
        if self.raw.is_empty() {
            self.queue.ended();
        }
    }

    fn finish_if_drained(&mut self) {
        if self.state == State::Draining && !self.holds_bytes() {
            self.queue.release_if_empty();
            self.enter(State::Finished);
        }
    }

    fn enter(&mut self, next: State) {
        debug_assert!(self.state.leads_to(next), "{}: {:?} => {next:?}", self.name, self.state);
        debug!("{}: {:?} => {next:?}", self.name, self.state);
        self.state = next;
    }
}

/// Bytes read in one call below which a flow is no bulk transfer, and gives its memory back when it
/// holds nothing: thousands of quiet connections then cost next to none.
const QUIET: usize = 16 * 1024;

#[cfg(test)]
mod tests;
