//! One direction of bytes: from a source through a bounded queue to a sink.
//!
//! ```text
//!         source ended or failed             queue empty
//!   Open ────────────────────────▶ Draining ────────────▶ Finished
//!     │                               │
//!     └───── sink failed, or given up ┴─────────────────▶ Abandoned
//! ```
//!
//! Where bytes come in bulk and nobody has to see them, the kernel moves them around the queue
//! ([`transfer`]). That changes how a step is made, and nothing of what it means.
//!
//! Owns: the four states and every edge between them, the queue, the counts. Must not know: which
//! direction it is, readiness bits, what a filter does, what the end of a flow means for anybody else.
//!
//! Invariants:
//! * Back-pressure is nothing but a full queue, or a full pipe: then the source is left alone, so whoever
//!   fills it is held back by the kernel.
//! * A source that fails ends like one that ends: what it gave before is still delivered.
//! * A byte that was taken from the source is delivered, held, or counted in [`Flow::lost`].
//!
//! Read next: `queue` for streams and datagrams, `transfer` for the ways around it, `pace` for what waits
//! for nothing but time, `session::relay`, which couples two flows.

mod pace;
mod queue;
mod state;
mod step;
mod through;
mod transfer;

use std::io;
use std::num::NonZeroU64;
use std::time::Instant;

use crate::mistakes::{Mistake, made};
use crate::nonblock::{Attempt, Buffer, ByteSink, ByteSource, FIRST};
use crate::trace::{self, tell};
pub use pace::{Pace, Rate};
pub use queue::{BUFFER, Framing, Queue};
pub use state::State;
use step::{Event, Pumping, Step};
use transfer::Transfer;

/// One direction of bytes.
#[derive(Debug)]
pub struct Flow {
    name: &'static str,
    state: State,
    /// What was read and has not passed the filter; without a filter it stays empty.
    raw: Buffer,
    queue: Queue,
    transfer: Transfer,
    /// Few flows have any.
    limits: Option<Box<Limits>>,
    /// The last pump left bytes in the source, because the sink had no room and there is no queue between.
    stalled: bool,
    pieces: u64,
    delivered: u64,
    lost: u64,
}

/// What holds a flow back besides its ends.
#[derive(Debug, Default)]
struct Limits {
    pace: Option<Pace>,
    rate: Option<Rate>,
    /// The source has, or may have, bytes for which only the rate has no room before this time.
    next_read: Option<Instant>,
    reads_left: Option<u64>,
}

/// What a flow's bytes pass between its source and its queue. Takes a prefix of the input, gives a
/// prefix of the output, says how much of both. An empty input says that no more comes: then it gives
/// what it kept back, and is asked until that is nothing.
pub type Filter<'a> = &'a mut dyn FnMut(&[u8], &mut [u8]) -> (usize, usize);

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
        let transfer = if queue.is_plain() { Transfer::Watching } else { Transfer::Buffered };
        Self {
            name,
            state: State::Open,
            raw: Buffer::new(BUFFER.max(queue.least_room())),
            queue,
            transfer,
            limits: None,
            stalled: false,
            pieces: 0,
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
    pub fn with_reads(mut self, reads: Option<NonZeroU64>) -> Self {
        if let Some(reads) = reads {
            self.limits.get_or_insert_default().reads_left = Some(reads.get());
        }
        self
    }

    /// Lines leave one by one, with time between them.
    #[must_use]
    pub fn with_pace(mut self, pace: Option<Pace>) -> Self {
        if pace.is_some() {
            self.limits.get_or_insert_default().pace = pace;
        }
        self
    }

    /// So many bytes are taken in a time, so whoever fills the source is held back as by a slow sink.
    #[must_use]
    pub fn with_rate(mut self, rate: Option<Rate>) -> Self {
        if rate.is_some() {
            self.limits.get_or_insert_default().rate = rate;
        }
        self
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

    /// Datagrams, where one end has them: those the sink has taken if it wants them, else those that came from
    /// the source.
    #[must_use]
    pub fn pieces(&self) -> u64 {
        self.pieces
    }

    /// Bytes that were taken from the source, or waited in it for nothing but the sink, and will not be
    /// delivered.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// The source was read as often as it may be.
    #[must_use]
    pub fn reads_are_used_up(&self) -> bool {
        self.limits.as_ref().is_some_and(|limits| limits.reads_left == Some(0))
    }

    /// Bytes are held for the sink.
    #[must_use]
    pub fn holds_bytes(&self) -> bool {
        !(self.queue.is_empty() && self.raw.is_empty()) || self.transfer.held() > 0
    }

    fn held(&self) -> usize {
        self.raw.len() + self.queue.held() + self.transfer.held()
    }

    /// Nothing but room at the sink is missing: bytes are held, or wait in the source without a queue
    /// between.
    #[must_use]
    pub fn waits_for_sink(&self) -> bool {
        self.holds_bytes() || self.stalled
    }

    /// When the next line may leave, if one is held back by nothing but time.
    #[must_use]
    pub fn next_write(&self) -> Option<Instant> {
        if self.queue.front().is_empty() { None } else { self.pace().and_then(Pace::opens_at) }
    }

    /// When the source is worth a read again, if it was last left alone because of nothing but the rate.
    #[must_use]
    pub fn next_read(&self) -> Option<Instant> {
        self.limits.as_ref().and_then(|limits| limits.next_read)
    }

    /// Moves bytes until an end blocks or ends, or the budget has been taken; what was taken may all be
    /// given.
    pub fn pump(
        &mut self,
        source: &mut dyn ByteSource,
        sink: &mut dyn ByteSink,
        mut filter: Option<Filter<'_>>,
        allowance: Allowance,
    ) -> Progress {
        let Allowance { ready, budget, now } = allowance;
        let mut pumping = Pumping { ready, budget, progress: Progress::default() };
        let over_before = self.state.is_over();
        if let Some(limits) = &mut self.limits {
            limits.next_read = None;
        }
        while let Some(step) = self.next_step(pumping.ready, filter.is_some(), now) {
            if step.takes() && pumping.budget == 0 {
                pumping.progress.more = true;
                break;
            }
            if step.takes() && self.must_wait_to_take(now) {
                break;
            }
            let event = match step {
                Step::Read => self.read(source, sink, filter.is_some(), now),
                Step::Write => self.write(sink, now),
                Step::Pass => self.transfer.pass(source, sink, pumping.budget),
                Step::Fill => self.transfer.fill(source, pumping.budget),
                Step::Drain => self.transfer.drain(sink),
                Step::Empty => self.empty(),
            };
            tell(trace::Event::Stepped {
                flow: self.name,
                step: &step,
                outcome: &event,
                held: self.held(),
            });
            // Where the sink breaks in this step, what it was to get is still in the source.
            self.stalled = step == Step::Pass;
            self.account(event, step, source, &mut pumping);
            if let Some(filter) = &mut filter {
                self.apply(filter);
            }
            self.finish_if_drained();
        }
        let Pumping { ready, budget, mut progress } = pumping;
        progress.finished = !over_before && self.state == State::Finished;
        self.stalled = self.is_stalled(ready);
        if allowance.budget - budget < QUIET {
            self.queue.release_if_empty();
            if progress.blocked.source {
                self.transfer.source_is_quiet();
            }
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

    /// Nothing will be taken from the source any more. Where no queue stands between the ends, what a
    /// queue would hold waits there for nothing but the sink: it is lost, and counted once.
    pub fn leave(&mut self, source: &dyn ByteSource) {
        if self.stalled && self.state == State::Open {
            self.lost += source.waiting();
        }
        self.stalled = false;
    }

    /// [`Flow::leave`], then [`Flow::abandon`].
    pub fn give_up(&mut self, source: &dyn ByteSource) {
        self.leave(source);
        self.abandon();
    }

    /// Nothing is delivered any more; what is held is lost.
    pub fn abandon(&mut self) {
        if !self.state.is_over() {
            let held = self.raw.discard() + self.queue.discard() + self.transfer.discard();
            self.lost += held as u64;
            self.enter(State::Abandoned);
        }
    }

    /// Where the next read goes. A datagram has to find room for all of it here too.
    fn room(&mut self, filtered: bool) -> &mut [u8] {
        if !filtered {
            return self.queue.room();
        }
        let least_room = self.queue.least_room();
        let room = self.raw.spare(least_room);
        if room.len() < least_room { &mut [] } else { room }
    }

    /// Only the rate forbids to take anything now; if so, it is noted for whoever sets timers.
    fn must_wait_to_take(&mut self, now: Instant) -> bool {
        let Some(Limits { rate: Some(rate), next_read, .. }) = self.limits.as_deref_mut() else {
            return false;
        };
        let must_wait = rate.allows(now) == 0;
        *next_read = must_wait.then(|| rate.opens_at());
        must_wait
    }

    /// Bytes that one read may take. Of a datagram all are taken or lost, so they are paid for afterwards.
    fn most_to_take(&self, now: Instant) -> usize {
        let rate = self.limits.as_ref().and_then(|limits| limits.rate.as_ref());
        rate.filter(|_| self.queue.is_plain()).map_or(usize::MAX, |rate| rate.allows(now))
    }

    fn is_stalled(&self, ready: Ends) -> bool {
        let open = self.state == State::Open && ready.source && !ready.sink;
        open && matches!(self.transfer, Transfer::Direct)
    }

    fn pace(&self) -> Option<&Pace> {
        self.limits.as_ref()?.pace.as_ref()
    }

    fn may_write(&self, now: Instant) -> bool {
        self.pace().and_then(Pace::opens_at).is_none_or(|at| at <= now)
    }

    /// What can be done now, the sink first: what is held makes room when it has left.
    fn next_step(&mut self, ready: Ends, filtered: bool, now: Instant) -> Option<Step> {
        if self.state.is_over() {
            return None;
        }
        if ready.sink && !self.queue.front().is_empty() && self.may_write(now) {
            return Some(Step::Write);
        }
        let may_take = ready.source && self.state == State::Open;
        // What is in the queue came first and goes first.
        let queue_is_empty = self.queue.is_empty();
        match &self.transfer {
            Transfer::Buffered | Transfer::Watching => {
                (may_take && !self.room(filtered).is_empty()).then_some(Step::Read)
            }
            Transfer::Direct => (may_take && ready.sink && queue_is_empty).then_some(Step::Pass),
            Transfer::Through(pipe) if ready.sink && queue_is_empty && pipe.held() > 0 => {
                Some(Step::Drain)
            }
            Transfer::Through(pipe) => {
                (may_take && queue_is_empty && pipe.has_room()).then_some(Step::Fill)
            }
            Transfer::Emptying(_) => (!self.queue.room().is_empty()).then_some(Step::Empty),
        }
    }

    /// What a step found, whichever way its bytes went.
    fn account(
        &mut self,
        event: Event,
        step: Step,
        source: &dyn ByteSource,
        pumping: &mut Pumping,
    ) {
        let Pumping { ready, budget, progress } = pumping;
        match event {
            Event::Taken(n) => {
                // An empty datagram costs a call too.
                *budget = budget.saturating_sub(n.max(1));
                progress.calls += 1;
                if step == Step::Read {
                    self.pieces += u64::from(!self.queue.makes_datagrams());
                    self.count_read();
                }
                let short = made(Mistake::ShortRead) && n < FIRST;
                progress.blocked.source |= short;
                ready.source &= !(short || made(Mistake::NoDrain));
            }
            Event::Given(n) => {
                self.pieces += u64::from(self.queue.makes_datagrams());
                self.delivered += n as u64;
                progress.calls += 1;
            }
            Event::Passed(n) => {
                *budget = budget.saturating_sub(n);
                self.delivered += n as u64;
                progress.calls += 1;
            }
            Event::SourceBlocked => {
                ready.source = false;
                progress.blocked.source = true;
            }
            Event::SinkBlocked => {
                ready.sink = false;
                progress.blocked.sink = true;
            }
            Event::Rearranged => {}
            Event::Ended => {
                progress.calls += 1;
                // An end of file is something read, too.
                self.count_read();
                if self.state == State::Open {
                    self.end_of_source();
                }
            }
            Event::SourceFailed(error) => {
                progress.failure = Some(Failure::Source(error));
                self.end_of_source();
            }
            Event::SinkFailed(error) => {
                progress.failure = Some(Failure::Sink(error));
                self.give_up(source);
            }
        }
    }

    fn read(
        &mut self,
        source: &mut dyn ByteSource,
        sink: &mut dyn ByteSink,
        filtered: bool,
        now: Instant,
    ) -> Event {
        let most = self.most_to_take(now);
        let room = self.room(filtered);
        let whole = room.len().min(most);
        match source.try_read(&mut room[..whole]) {
            Ok(Attempt::Moved(n)) => {
                if let Some(Limits { rate: Some(rate), .. }) = self.limits.as_deref_mut() {
                    rate.took(n, now);
                }
                if filtered {
                    self.raw.filled(n);
                } else {
                    self.queue.filled(n);
                    if n == whole {
                        self.notice_bulk(n, source, sink);
                    }
                }
                Event::Taken(n)
            }
            Ok(Attempt::Blocked) => Event::SourceBlocked,
            Ok(Attempt::Ended) => Event::Ended,
            Err(error) => Event::SourceFailed(error),
        }
    }

    /// A read that fills all the room there is, and not what is left beside bytes that wait, is the sign.
    fn notice_bulk(&mut self, read: usize, source: &mut dyn ByteSource, sink: &mut dyn ByteSink) {
        let watching = matches!(self.transfer, Transfer::Watching);
        if read >= FIRST && watching && self.limits.is_none() {
            self.transfer.choose(source, sink);
        }
    }

    fn empty(&mut self) -> Event {
        match self.transfer.empty(self.queue.room()) {
            Ok(n) => {
                self.queue.filled(n);
                Event::Rearranged
            }
            Err(error) => Event::SinkFailed(error),
        }
    }

    /// Has the filter turn what was read into what is to be written, as far as there is room.
    fn apply(&mut self, filter: &mut Filter<'_>) {
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
            // Only then is there surely room for what it kept.
            if self.queue.is_empty() {
                let (_, given) = filter(&[], self.queue.room());
                if given > 0 {
                    self.queue.filled(given);
                    self.queue.ended();
                }
            }
        }
    }

    fn write(&mut self, sink: &mut dyn ByteSink, now: Instant) -> Event {
        let front = self.queue.front();
        let piece = self.pace().map_or(front, |_| Pace::line(front));
        let (whole, ends_line) = (piece.len(), piece.ends_with(b"\n"));
        match sink.try_write(piece) {
            Ok(Attempt::Moved(n)) => {
                let n = if made(Mistake::ShortWrite) { whole } else { n };
                self.queue.consume(n);
                if n == whole
                    && ends_line
                    && let Some(Limits { pace: Some(pace), .. }) = self.limits.as_deref_mut()
                {
                    pace.line_left(now);
                }
                Event::Given(n)
            }
            Ok(Attempt::Blocked | Attempt::Ended) => Event::SinkBlocked,
            Err(error) => Event::SinkFailed(error),
        }
    }

    fn count_read(&mut self) {
        if let Some(Limits { reads_left: Some(left), .. }) = self.limits.as_deref_mut() {
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
            self.transfer.discard();
            self.enter(State::Finished);
        }
    }

    fn enter(&mut self, next: State) {
        debug_assert!(self.state.leads_to(next), "{}: {:?} => {next:?}", self.name, self.state);
        tell(trace::Event::Entered { machine: self.name, from: &self.state, to: &next });
        self.state = next;
    }
}

/// Bytes read in one call below which a flow is no bulk transfer, and gives its memory back when it
/// holds nothing: thousands of quiet connections then cost next to none.
const QUIET: usize = 16 * 1024;

#[cfg(test)]
mod tests;
