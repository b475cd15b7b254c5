//! Which way bytes cross a flow: through its queue, where we see them, or inside the kernel.
//!
//! ```text
//!   Watching ──▶ Direct ─────────────────▶ Buffered
//!      │  ▲                                   ▲
//!      │  └────────┐                          │
//!      ├───────▶ Through ─────▶ Emptying ─────┤
//!      └──────────────────────────────────────┘
//! ```
//!
//! Owns: the choice, which is made from what the ends say they can do, and the pipe between two ends that
//! are none (`flow/through.rs`). Must not know: the states of the flow, descriptors. Whichever way they go,
//! all that happens comes out as an [`Event`], and what an event means stands once, in `Flow`.

use std::io;

use super::step::Event;
use super::through::Through;
use crate::nonblock::{ByteSink, ByteSource, PIPE, Spliced, Splicing};
use crate::trace::{self, tell};

/// The way bytes cross.
#[derive(Debug)]
pub(super) enum Transfer {
    /// They are read into the queue and written from there, and nothing changes that: somebody has to see
    /// them, or the kernel does not move them between these ends.
    Buffered,
    /// The same, until a read that fills all the room there is shows that they come in bulk. Then the ends are
    /// asked, and `Direct`, `Through` or `Buffered` follows.
    Watching,
    /// One end is a pipe, and the kernel moves them from end to end. When it refuses, `Buffered`.
    Direct,
    /// Neither is, and they go through a pipe of ours. When the source has become quiet and the pipe is
    /// empty, `Watching`; when the kernel refuses, `Emptying`.
    Through(Box<Through>),
    /// What our pipe holds is read out of it into the queue. When it is empty, `Buffered`.
    Emptying(Box<Through>),
}

/// A way without what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Watching,
    Direct,
    Through,
    Emptying,
    Buffered,
}

impl Kind {
    #[cfg(test)]
    pub(super) const ALL: [Self; 5] =
        [Self::Watching, Self::Direct, Self::Through, Self::Emptying, Self::Buffered];

    /// The legal edges.
    pub(super) const fn leads_to(self, next: Self) -> bool {
        match self {
            Self::Watching => matches!(next, Self::Direct | Self::Through | Self::Buffered),
            Self::Through => matches!(next, Self::Watching | Self::Emptying | Self::Buffered),
            Self::Direct | Self::Emptying => matches!(next, Self::Buffered),
            Self::Buffered => false,
        }
    }
}

impl Transfer {
    const fn kind(&self) -> Kind {
        match self {
            Self::Buffered => Kind::Buffered,
            Self::Watching => Kind::Watching,
            Self::Direct => Kind::Direct,
            Self::Through(_) => Kind::Through,
            Self::Emptying(_) => Kind::Emptying,
        }
    }

    /// Bytes held by a pipe of ours.
    pub(super) fn held(&self) -> usize {
        match self {
            Self::Through(pipe) | Self::Emptying(pipe) => pipe.held(),
            Self::Buffered | Self::Watching | Self::Direct => 0,
        }
    }

    /// Forgets what a pipe of ours holds, and the pipe; says how many bytes that were.
    pub(super) fn discard(&mut self) -> usize {
        let held = self.held();
        match self {
            Self::Through(_) | Self::Emptying(_) => self.enter(self.kind(), Self::Buffered),
            Self::Buffered | Self::Watching | Self::Direct => {}
        }
        held
    }

    /// The source fills as much as a queue holds: from now on the kernel moves the bytes, if it can.
    pub(super) fn choose(&mut self, source: &mut dyn ByteSource, sink: &mut dyn ByteSink) {
        let chosen = match (source.begin_splicing(), sink.begin_splicing()) {
            (Splicing::Pipe, Splicing::ByPipe) | (Splicing::ByPipe, Splicing::Pipe) => Self::Direct,
            (Splicing::ByPipe, Splicing::ByPipe) => {
                let pipe = source.conduit().map(|pipe| Box::new(Through::over(pipe)));
                pipe.map_or(Self::Buffered, Self::Through)
            }
            (Splicing::Pipe, Splicing::Pipe) | (Splicing::Never, _) | (_, Splicing::Never) => {
                Self::Buffered
            }
        };
        self.enter(self.kind(), chosen);
    }

    /// The source has nothing now and had little before: small pieces are better read and written, and the
    /// descriptors of the pipe are given back.
    pub(super) fn source_is_quiet(&mut self) {
        match self {
            Self::Through(pipe) if pipe.held() == 0 => self.enter(Kind::Through, Self::Watching),
            Self::Through(_)
            | Self::Buffered
            | Self::Watching
            | Self::Direct
            | Self::Emptying(_) => {}
        }
    }

    /// Has the kernel move at most `most` bytes from end to end.
    pub(super) fn pass(
        &mut self,
        source: &mut dyn ByteSource,
        sink: &mut dyn ByteSink,
        most: usize,
    ) -> Event {
        let most = most.min(PIPE);
        if let Some(pipe) = source.as_pipe() {
            return match sink.splice_from(pipe, most) {
                Ok(Spliced::Moved(n)) => Event::Passed(n),
                Ok(Spliced::Blocked) => Event::SinkBlocked,
                Ok(Spliced::PipeBlocked) => Event::SourceBlocked,
                Ok(Spliced::Ended) => Event::Ended,
                Ok(Spliced::Refused) => self.refuse(),
                Err(error) => Event::SinkFailed(error),
            };
        }
        let Some(pipe) = sink.as_pipe() else { return self.refuse() };
        match source.splice_into(pipe, most) {
            Ok(Spliced::Moved(n)) => Event::Passed(n),
            Ok(Spliced::Blocked) => Event::SourceBlocked,
            Ok(Spliced::PipeBlocked) => Event::SinkBlocked,
            Ok(Spliced::Ended) => Event::Ended,
            Ok(Spliced::Refused) => self.refuse(),
            // No source says that, so it is the pipe, whose reader has left.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Event::SinkFailed(error),
            Err(error) => Event::SourceFailed(error),
        }
    }

    /// Has the kernel move at most `most` bytes from the source into our pipe.
    pub(super) fn fill(&mut self, source: &mut dyn ByteSource, most: usize) -> Event {
        let Self::Through(pipe) = self else { return Event::Rearranged };
        match pipe.fill(source, most.min(PIPE)) {
            Ok(Spliced::Moved(n)) => Event::Taken(n),
            Ok(Spliced::Blocked) => Event::SourceBlocked,
            Ok(Spliced::PipeBlocked) => Event::Rearranged,
            Ok(Spliced::Ended) => Event::Ended,
            Ok(Spliced::Refused) => self.refuse(),
            Err(error) => Event::SourceFailed(error),
        }
    }

    /// Has the kernel move what our pipe holds to the sink.
    pub(super) fn drain(&mut self, sink: &mut dyn ByteSink) -> Event {
        let Self::Through(pipe) = self else { return Event::Rearranged };
        match pipe.drain(sink) {
            Ok(Spliced::Moved(n)) => Event::Given(n),
            Ok(Spliced::Blocked) => Event::SinkBlocked,
            Ok(Spliced::PipeBlocked | Spliced::Ended | Spliced::Refused) => self.refuse(),
            Err(error) => Event::SinkFailed(error),
        }
    }

    /// Reads what our pipe holds into memory of ours; says how much that was.
    pub(super) fn empty(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let Self::Emptying(pipe) = self else { return Ok(0) };
        let n = pipe.read(into)?;
        if pipe.held() == 0 {
            self.enter(Kind::Emptying, Self::Buffered);
        }
        Ok(n)
    }

    /// The kernel will not move bytes between these ends, or not any more. None is lost by that.
    fn refuse(&mut self) -> Event {
        let from = self.kind();
        let next = match std::mem::replace(self, Self::Buffered) {
            Self::Through(pipe) if pipe.held() > 0 => Self::Emptying(pipe),
            Self::Through(_)
            | Self::Emptying(_)
            | Self::Direct
            | Self::Watching
            | Self::Buffered => Self::Buffered,
        };
        self.enter(from, next);
        Event::Rearranged
    }

    /// Changes the way. Said from where, for what it held may have been taken out to go on with.
    fn enter(&mut self, from: Kind, next: Self) {
        let to = next.kind();
        debug_assert!(from.leads_to(to), "transfer: {from:?} => {to:?}");
        tell(trace::Event::Entered { machine: "transfer", from: &from, to: &to });
        *self = next;
    }
}
