//! stdout or stderr for what the program itself has to say and nobody may miss: results, not news.
//!
//! A line of news is dropped where its reader is slow ([`super::notice`]). A result waits here, and whoever
//! makes more of them asks [`Outlet::is_full`] first: that is the back-pressure.

use std::io;

use mio::Interest;

use super::{Loop, Owner};
use crate::nonblock::{Attempt, ByteSink, Outbox};
use crate::reactor::{Readiness, SourceId};
use crate::sys::stdio::Output;

/// Text on its way.
#[derive(Debug)]
pub(super) struct Outlet {
    output: Output,
    id: SourceId,
    outbox: Outbox,
}

impl Outlet {
    /// Enters an output into the loop; its wakes come with `owner`.
    ///
    /// # Errors
    /// `epoll_ctl(2)`.
    pub(super) fn open(reactor: &mut Loop, mut output: Output, owner: Owner) -> io::Result<Self> {
        let id = super::local::register(reactor, output.standard(), Interest::WRITABLE, owner)?;
        reactor.presume(id, Readiness::WRITABLE);
        Ok(Self { output, id, outbox: Outbox::default() })
    }

    /// Somebody may be looking.
    pub(super) fn is_terminal(&self) -> bool {
        self.output.is_terminal()
    }

    /// See [`Output::columns`].
    pub(super) fn columns(&self) -> Option<usize> {
        self.output.columns()
    }

    /// Appends text, full or not.
    pub(super) fn push(&mut self, text: &[u8]) {
        self.outbox.back().extend_from_slice(text);
    }

    /// Its reader is slow: no more is to be made for it now.
    pub(super) fn is_full(&self) -> bool {
        self.outbox.len() >= FULL
    }

    /// Bytes that wait.
    pub(super) fn len(&self) -> usize {
        self.outbox.len()
    }

    /// Where a format writes to: the end of what waits.
    pub(super) fn end(&mut self) -> &mut Vec<u8> {
        self.outbox.back()
    }

    /// Takes it out of the loop; what waits is lost.
    pub(super) fn close(mut self, reactor: &mut Loop) {
        let source = self.output.standard().event_source().map(|source| source as _);
        reactor.deregister(self.id, source);
    }

    /// Nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.outbox.is_empty()
    }

    /// Writes what its reader takes now.
    ///
    /// # Errors
    /// Nothing will be taken any more: `BrokenPipe` where the reader has gone. What waited is dropped.
    pub(super) fn flush(&mut self, reactor: &mut Loop) -> io::Result<()> {
        let ready = reactor.readiness(self.id);
        if self.output.has_reader() && ready.intersects(Readiness::READER_GONE) {
            self.outbox.clear();
            // As the call would have said it, which has a reason in words.
            return Err(io::Error::from_raw_os_error(libc::EPIPE));
        }
        while !self.outbox.is_empty() && reactor.readiness(self.id).intersects(Readiness::WRITE) {
            match self.output.try_write(self.outbox.waiting()) {
                Ok(Attempt::Moved(n)) => self.outbox.took(n),
                Ok(Attempt::Blocked | Attempt::Ended) => {
                    reactor.clear(self.id, Readiness::WRITABLE);
                    break;
                }
                Err(error) => {
                    self.outbox.clear();
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}

/// Bytes that wait at most before whoever makes them is asked to stop.
const FULL: usize = 64 * 1024;
