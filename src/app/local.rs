//! stdin and stdout, registered: the one pair that all sessions share.

use std::io;

use super::{Loop, Owner};
use crate::reactor::{Readiness, SourceId};
use crate::session::Ways;
use crate::sys::stdio::{Input, Output};

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
        let input_id = match input.event_source() {
            None => reactor.register_always_ready(Owner::Stdin),
            Some((source, interest)) => match reactor.register(source, interest, Owner::Stdin) {
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    input.settle_as_always_ready();
                    reactor.register_always_ready(Owner::Stdin)
                }
                registered => registered?,
            },
        };
        let output_id = match output.event_source() {
            None => reactor.register_always_ready(Owner::Stdout),
            Some((source, interest)) => match reactor.register(source, interest, Owner::Stdout) {
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    output.settle_as_always_ready();
                    reactor.register_always_ready(Owner::Stdout)
                }
                registered => registered?,
            },
        };
        Ok(Self { input, input_id, output, output_id })
    }

    /// Whoever read our stdout has left: seen without writing, so also while nothing flows.
    pub(super) fn reader_is_gone(&self, reactor: &Loop) -> bool {
        self.output.has_reader()
            && reactor.readiness(self.output_id).intersects(Readiness::READER_GONE)
    }

    /// Nothing will be written any more: the reader shall know now, not when we exit.
    pub(super) fn close_output(&mut self, reactor: &mut Loop) {
        let source = self.output.event_source().map(|(source, _)| source);
        reactor.deregister(self.output_id, source);
        // Where it fails, the reader sees the end when we exit.
        drop(self.output.close());
    }
}
