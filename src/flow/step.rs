//! One step of a flow: what can be done next, and what came of it. Whichever way bytes go, it is said in
//! these words, and `Flow` alone knows what they mean.

use std::io;

use super::{Ends, Progress};

/// The next thing a flow can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// From the source into the queue.
    Read,
    /// From the queue to the sink.
    Write,
    /// From end to end, in the kernel.
    Pass,
    /// From the source into our pipe, in the kernel.
    Fill,
    /// From our pipe to the sink, in the kernel.
    Drain,
    /// From our pipe into the queue.
    Empty,
}

impl Step {
    /// It takes bytes from the source.
    pub(super) const fn takes(self) -> bool {
        match self {
            Self::Read | Self::Pass | Self::Fill => true,
            Self::Write | Self::Drain | Self::Empty => false,
        }
    }
}

/// What a step of a flow found out.
#[derive(Debug)]
pub(super) enum Event {
    /// So many bytes were taken from the source.
    Taken(usize),
    /// So many bytes were given to the sink.
    Given(usize),
    /// Both at once.
    Passed(usize),
    /// The source said `EAGAIN`.
    SourceBlocked,
    /// The sink said `EAGAIN`.
    SinkBlocked,
    /// Bytes have moved inside the flow, or room is known to be used up.
    Rearranged,
    /// The source has ended.
    Ended,
    /// The source is broken.
    SourceFailed(io::Error),
    /// The sink is broken.
    SinkFailed(io::Error),
}

/// What one `Flow::pump` has found out so far.
#[derive(Debug)]
pub(super) struct Pumping {
    pub(super) ready: Ends,
    pub(super) budget: usize,
    pub(super) progress: Progress,
}
