//! stdin and stdout, registered: the one pair that all sessions share.

use std::io;

use mio::Interest;

use super::{Loop, Owner};
use crate::reactor::{Readiness, SourceId};
use crate::session::Ways;
use crate::sys::stdio::{Input, Output, Standard};

/// stdin and stdout of the program.
#[derive(Debug)]
pub(super) struct Local {
    pub(super) input: Input,
    pub(super) input_id: SourceId,
    pub(super) output: Output,
    pub(super) output_id: SourceId,
}

impl Local {
    /// Takes what the directions need, and touches nothing else: with `-d` stdin is left alone.
    pub(super) fn open(reactor: &mut Loop, ways: Ways) -> io::Result<Self> {
        let (mut input, mut output) = match ways {
            Ways::Both => (Input::stdin()?, Output::stdout()?),
            Ways::ReceiveOnly => (Input::none(), Output::stdout()?),
            Ways::SendOnly => (Input::stdin()?, Output::discard()),
        };
        let input_id = register(reactor, input.standard(), Interest::READABLE, Owner::Stdin)?;
        let output_id = register(reactor, output.standard(), Interest::WRITABLE, Owner::Stdout)?;
        reactor.presume(input_id, Readiness::READABLE);
        Ok(Self { input, input_id, output, output_id })
    }

    /// Leaves both alone.
    pub(super) fn none(reactor: &mut Loop) -> Self {
        Self {
            input: Input::none(),
            input_id: reactor.register_absent(Owner::Stdin),
            output: Output::discard(),
            output_id: reactor.register_absent(Owner::Stdout),
        }
    }

    /// Whoever read our stdout has left: seen without writing, so also while nothing flows.
    pub(super) fn reader_is_gone(&self, reactor: &Loop) -> bool {
        self.output.has_reader()
            && reactor.readiness(self.output_id).intersects(Readiness::READER_GONE)
    }

    /// Nothing will be written any more: the reader should know now, and not when we exit.
    pub(super) fn close_output(&mut self, reactor: &mut Loop) {
        let source = self.output.standard().event_source().map(|source| source as _);
        reactor.deregister(self.output_id, source);
        // Where it fails, the reader sees the end when we exit.
        let _ = self.output.close();
    }
}

/// What the poller refuses never blocks.
pub(super) fn register(
    reactor: &mut Loop,
    end: &mut Standard,
    interest: Interest,
    owner: Owner,
) -> io::Result<SourceId> {
    if end.is_absent() {
        return Ok(reactor.register_absent(owner));
    }
    let Some(source) = end.event_source() else { return Ok(reactor.register_always_ready(owner)) };
    match reactor.register(source, interest, owner) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            end.settle_as_always_ready();
            Ok(reactor.register_always_ready(owner))
        }
        registered => registered,
    }
}
