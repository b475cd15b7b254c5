//! What unit tests share: scripted ends, every chunking, diagrams held against the code.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::io;
use std::sync::OnceLock;
use std::time::Instant;

use crate::clock;
use crate::nonblock::{Attempt, ByteSink, ByteSource, Conduit, PipeEnd, Spliced, Splicing};
/// A real pipe, which scripted ends are spliced through.
pub(crate) use crate::sys::pipe::conduit;

/// Any instant will do as the beginning of a manual clock; it is the same for all.
pub(crate) fn epoch() -> Instant {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    *EPOCH.get_or_init(clock::now)
}

/// A source that has ended.
pub(crate) struct Ended;

impl ByteSource for Ended {
    fn try_read(&mut self, _into: &mut [u8]) -> io::Result<Attempt> {
        Ok(Attempt::Ended)
    }
}

// anchor: step
/// One thing an end of a flow does when it is asked.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Moves at most so many bytes.
    UpTo(usize),
    /// Says `EAGAIN`.
    Block,
    /// Is interrupted by a signal before anything happens.
    Interrupt,
    /// Fails.
    Fail(io::ErrorKind),
    /// Will not be spliced; says nothing to a read or a write.
    Refuse,
}
// end: step

/// An end of a flow that does what its script says and, when that is over, whatever it can.
#[derive(Debug, Default)]
pub(crate) struct Script {
    pub(crate) steps: VecDeque<Step>,
    /// A source: what it still has. A sink: what it took.
    pub(crate) bytes: VecDeque<u8>,
    splicing: bool,
}

impl Script {
    pub(crate) fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        Self { steps: steps.into_iter().collect(), ..Self::default() }
    }

    /// The kernel can move its bytes to or from a pipe.
    pub(crate) fn spliceable(mut self) -> Self {
        self.splicing = true;
        self
    }

    pub(crate) fn holding(mut self, bytes: impl IntoIterator<Item = u8>) -> Self {
        self.bytes.extend(bytes);
        self
    }

    fn most(&mut self) -> io::Result<usize> {
        match self.steps.pop_front() {
            Some(Step::UpTo(most)) => Ok(most.max(1)),
            Some(Step::Block) => Err(io::ErrorKind::WouldBlock.into()),
            Some(Step::Interrupt) => Err(io::ErrorKind::Interrupted.into()),
            Some(Step::Fail(kind)) => Err(kind.into()),
            Some(Step::Refuse) => self.most(),
            None => Ok(usize::MAX),
        }
    }
}

impl Script {
    fn side(&self) -> Splicing {
        if self.splicing { Splicing::ByPipe } else { Splicing::Never }
    }

    /// What the next step allows a splice to move, or how it turns out instead.
    fn most_to_splice(&mut self) -> Result<usize, io::Result<Spliced>> {
        if let Some(Step::Refuse) = self.steps.front() {
            self.steps.pop_front();
            return Err(Ok(Spliced::Refused));
        }
        loop {
            match self.most() {
                Ok(most) => return Ok(most),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Err(Ok(Spliced::Blocked));
                }
                Err(error) => return Err(Err(error)),
            }
        }
    }
}

impl ByteSource for Script {
    fn try_read(&mut self, into: &mut [u8]) -> io::Result<Attempt> {
        Attempt::to_read(|| {
            let n = self.most()?.min(into.len()).min(self.bytes.len());
            into.iter_mut().zip(self.bytes.drain(..n)).for_each(|(slot, byte)| *slot = byte);
            Ok(n)
        })
    }

    fn begin_splicing(&mut self) -> Splicing {
        self.side()
    }

    fn conduit(&self) -> Option<Box<dyn Conduit>> {
        conduit()
    }

    fn splice_into(&mut self, pipe: &dyn PipeEnd, most: usize) -> io::Result<Spliced> {
        let most = match self.most_to_splice() {
            Ok(allowed) => most.min(allowed),
            Err(answer) => return answer,
        };
        Ok(put(&mut self.bytes, pipe, most))
    }
}

impl ByteSink for Script {
    fn try_write(&mut self, from: &[u8]) -> io::Result<Attempt> {
        Attempt::to_write(|| {
            let n = self.most()?.min(from.len());
            self.bytes.extend(&from[..n]);
            Ok(n)
        })
    }

    fn begin_splicing(&mut self) -> Splicing {
        self.side()
    }

    fn splice_from(&mut self, pipe: &dyn PipeEnd, most: usize) -> io::Result<Spliced> {
        let most = match self.most_to_splice() {
            Ok(allowed) => most.min(allowed),
            Err(answer) => return answer,
        };
        let (spliced, bytes) = take(pipe, most);
        self.bytes.extend(bytes);
        Ok(spliced)
    }
}

/// What splice(2) does between something in memory and a pipe.
pub(crate) fn put(bytes: &mut VecDeque<u8>, pipe: &dyn PipeEnd, most: usize) -> Spliced {
    let n = most.min(bytes.len());
    if n == 0 {
        return Spliced::Ended;
    }
    match rustix::io::write(pipe.fd(), &bytes.make_contiguous()[..n]) {
        Ok(n) => {
            bytes.drain(..n);
            Spliced::Moved(n)
        }
        Err(_) => Spliced::PipeBlocked,
    }
}

/// The other way round.
pub(crate) fn take(pipe: &dyn PipeEnd, most: usize) -> (Spliced, Vec<u8>) {
    let mut bytes = vec![0; most];
    match rustix::io::read(pipe.fd(), &mut bytes[..]) {
        Ok(0) => (Spliced::Ended, Vec::new()),
        Ok(n) => {
            bytes.truncate(n);
            (Spliced::Moved(n), bytes)
        }
        Err(_) => (Spliced::PipeBlocked, Vec::new()),
    }
}

/// The Mermaid diagram under the heading `## {name}` in `docs/state-machine.md` shows the states of
/// the code and their edges, no more and no fewer.
#[track_caller]
pub(crate) fn assert_diagram<S: Copy + Debug>(
    name: &str,
    states: &[S],
    leads_to: impl Fn(S, S) -> bool + Copy,
) {
    let mut drawn = format!("stateDiagram-v2\n    [*] --> {:?}\n", states[0]);
    for &from in states {
        let next = || states.iter().filter(move |&&to| leads_to(from, to));
        drawn.extend(next().map(|to| format!("    {from:?} --> {to:?}\n")));
        if next().next().is_none() {
            drawn.extend([format!("    {from:?} --> [*]\n")]);
        }
    }
    let page = include_str!("../docs/state-machine.md");
    let section = page.split("\n## ").find(|section| section.starts_with(name)).unwrap_or_default();
    let shown = section.split("```mermaid\n").nth(1).and_then(|rest| rest.split("```").next());
    assert_eq!(
        shown,
        Some(drawn.as_str()),
        "docs/state-machine.md, section {name}, should show:\n{drawn}"
    );
}
