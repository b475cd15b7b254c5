//! Onlookers: whoever wants to see what goes over the wire, and a wire that shows it to them.
//!
//! Owns: what an onlooker is told, and when: what was really read, and what the wire has really taken.
//! Must not know: formats, files, what anybody does with what they see.
//!
//! A wire that is looked at does not let the kernel move its bytes by itself, for then nobody would see
//! them. Without an onlooker it is the wire underneath, call by call.

#[cfg(feature = "see")]
use std::io;
use std::net::SocketAddr;
#[cfg(feature = "see")]
use std::time::Instant;

use crate::nonblock::Wire;
#[cfg(feature = "see")]
use crate::nonblock::{Attempt, ByteSink, ByteSource, Conduit, PipeEnd, Spliced, Splicing};

/// Which way bytes went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// To the peer.
    Sent,
    /// From the peer.
    Received,
}

/// How one direction of the wire came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Close {
    /// An end of file was sent or read.
    Orderly,
    /// The connection broke.
    Broken,
}

/// Sees what goes over a wire, and changes nothing.
pub trait Tap {
    /// So many bytes went this way at once; of datagrams each one is told, also an empty one. `peers` are
    /// those they came from or went to where the wire stands for many, and empty where it has one peer.
    fn saw(&mut self, way: Way, bytes: &[u8], peers: &[SocketAddr]);

    /// Nothing more goes this way.
    fn saw_end(&mut self, way: Way, close: Close);
}

/// Does something with a wire while somebody looks at it, or nobody.
#[cfg(feature = "see")]
pub(super) fn while_seen<'t, W: Wire, R>(
    wire: &mut W,
    tap: Option<&mut (dyn Tap + 't)>,
    act: impl FnOnce(&mut Tapped<'_, 't, W>) -> R,
) -> R {
    act(&mut Tapped { wire, tap })
}

/// In a build that cannot look there is the wire and nothing around it.
#[cfg(not(feature = "see"))]
pub(super) fn while_seen<W: Wire, R>(
    wire: &mut W,
    _: Option<&mut (dyn Tap + '_)>,
    act: impl FnOnce(&mut W) -> R,
) -> R {
    act(wire)
}

/// A wire with somebody who looks at it, or with nobody: one type for both, so that the relay is compiled
/// once.
#[cfg(feature = "see")]
pub(super) struct Tapped<'w, 't, W> {
    wire: &'w mut W,
    tap: Option<&'w mut (dyn Tap + 't)>,
}

#[cfg(feature = "see")]
impl<W: Wire> ByteSource for Tapped<'_, '_, W> {
    fn try_read(&mut self, into: &mut [u8]) -> io::Result<Attempt> {
        let attempt = self.wire.try_read(into);
        if let Some(tap) = self.tap.as_deref_mut() {
            match &attempt {
                Ok(Attempt::Moved(n)) => {
                    tap.saw(Way::Received, &into[..*n], self.wire.heard_from().as_slice());
                }
                Ok(Attempt::Ended) => tap.saw_end(Way::Received, Close::Orderly),
                Ok(Attempt::Blocked) => {}
                Err(_) => tap.saw_end(Way::Received, Close::Broken),
            }
        }
        attempt
    }

    fn begin_splicing(&mut self) -> Splicing {
        if self.tap.is_some() { Splicing::Never } else { ByteSource::begin_splicing(self.wire) }
    }

    fn splice_into(&mut self, pipe: &dyn PipeEnd, most: usize) -> io::Result<Spliced> {
        self.wire.splice_into(pipe, most)
    }

    fn conduit(&self) -> Option<Box<dyn Conduit>> {
        self.wire.conduit()
    }

    fn waiting(&self) -> u64 {
        self.wire.waiting()
    }

    fn as_pipe(&self) -> Option<&dyn PipeEnd> {
        if self.tap.is_some() { None } else { ByteSource::as_pipe(self.wire) }
    }
}

#[cfg(feature = "see")]
impl<W: Wire> ByteSink for Tapped<'_, '_, W> {
    fn try_write(&mut self, from: &[u8]) -> io::Result<Attempt> {
        let attempt = self.wire.try_write(from);
        if let Some(tap) = self.tap.as_deref_mut()
            && let Ok(Attempt::Moved(n)) = &attempt
        {
            tap.saw(Way::Sent, &from[..*n], &self.wire.given_to());
        }
        attempt
    }

    fn begin_splicing(&mut self) -> Splicing {
        if self.tap.is_some() { Splicing::Never } else { ByteSink::begin_splicing(self.wire) }
    }

    fn splice_from(&mut self, pipe: &dyn PipeEnd, most: usize) -> io::Result<Spliced> {
        self.wire.splice_from(pipe, most)
    }

    fn as_pipe(&self) -> Option<&dyn PipeEnd> {
        if self.tap.is_some() { None } else { ByteSink::as_pipe(self.wire) }
    }
}

#[cfg(feature = "see")]
impl<W: Wire> Wire for Tapped<'_, '_, W> {
    fn try_peek(&mut self, into: &mut [u8]) -> io::Result<Attempt> {
        self.wire.try_peek(into)
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        let answer = self.wire.shutdown_write();
        if let Some(tap) = self.tap.as_deref_mut()
            && answer.is_ok()
        {
            tap.saw_end(Way::Sent, Close::Orderly);
        }
        answer
    }

    fn take_error(&mut self) -> Option<io::Error> {
        self.wire.take_error()
    }

    fn has_destination(&self) -> bool {
        self.wire.has_destination()
    }

    fn retry_at(&self) -> Option<Instant> {
        self.wire.retry_at()
    }

    fn begin_turn(&mut self, now: Instant) {
        self.wire.begin_turn(now);
    }

    fn heard_from(&self) -> Option<SocketAddr> {
        self.wire.heard_from()
    }

    fn given_to(&self) -> Vec<SocketAddr> {
        self.wire.given_to()
    }
}

#[cfg(all(test, feature = "see"))]
mod tests {
    use super::*;
    use crate::testing::{Script, Step};

    /// A wire that is a script each way, and stands for as many peers as it is told.
    #[derive(Default)]
    struct Scripted {
        incoming: Script,
        outgoing: Script,
        peers: Vec<SocketAddr>,
    }

    impl ByteSource for Scripted {
        fn try_read(&mut self, into: &mut [u8]) -> io::Result<Attempt> {
            self.incoming.try_read(into)
        }

        fn begin_splicing(&mut self) -> Splicing {
            ByteSource::begin_splicing(&mut self.incoming)
        }
    }

    impl ByteSink for Scripted {
        fn try_write(&mut self, from: &[u8]) -> io::Result<Attempt> {
            self.outgoing.try_write(from)
        }

        fn begin_splicing(&mut self) -> Splicing {
            ByteSink::begin_splicing(&mut self.outgoing)
        }
    }

    impl Wire for Scripted {
        fn try_peek(&mut self, _into: &mut [u8]) -> io::Result<Attempt> {
            Ok(Attempt::Blocked)
        }

        fn shutdown_write(&mut self) -> io::Result<()> {
            Ok(())
        }

        fn take_error(&mut self) -> Option<io::Error> {
            None
        }

        fn heard_from(&self) -> Option<SocketAddr> {
            self.peers.first().copied()
        }

        fn given_to(&self) -> Vec<SocketAddr> {
            self.peers.clone()
        }
    }

    /// Writes down what it is told.
    #[derive(Default)]
    struct Notebook(Vec<String>);

    impl Tap for Notebook {
        fn saw(&mut self, way: Way, bytes: &[u8], peers: &[SocketAddr]) {
            let text = String::from_utf8_lossy(bytes);
            self.0.push(format!("{way:?} {text} {}", peers.len()));
        }

        fn saw_end(&mut self, way: Way, close: Close) {
            self.0.push(format!("{way:?} {close:?}"));
        }
    }

    #[test]
    fn what_was_moved_is_told_and_what_was_not_is_not() {
        let mut wire = Scripted {
            incoming: Script::new([Step::UpTo(2), Step::Block, Step::UpTo(9)]).holding(*b"abc"),
            outgoing: Script::new([Step::Block, Step::UpTo(3), Step::Fail(io::ErrorKind::Other)]),
            peers: Vec::new(),
        };
        let mut notes = Notebook::default();
        while_seen(&mut wire, Some(&mut notes), |wire| {
            let mut room = [0; 8];
            for _ in 0..4 {
                let _ = wire.try_read(&mut room);
                let _ = wire.try_write(b"12345");
            }
            let _ = wire.shutdown_write();
        });
        let seen = ["Received ab 0", "Sent 123 0", "Received c 0", "Received Orderly"];
        assert_eq!(notes.0[..4], seen);
        assert_eq!(notes.0[4..], ["Sent 12345 0", "Sent Orderly"]);
    }

    #[test]
    fn a_broken_wire_is_told_as_such_and_peers_are_named() {
        let mut wire = Scripted {
            incoming: Script::new([Step::UpTo(1), Step::Fail(io::ErrorKind::ConnectionReset)])
                .holding(*b"a"),
            outgoing: Script::default(),
            peers: vec![([127, 0, 0, 1], 1).into(), ([127, 0, 0, 1], 2).into()],
        };
        let mut notes = Notebook::default();
        while_seen(&mut wire, Some(&mut notes), |wire| {
            let _ = wire.try_write(b"z");
            let _ = wire.try_read(&mut [0; 8]);
            let _ = wire.try_read(&mut [0; 8]);
        });
        assert_eq!(notes.0, ["Sent z 2", "Received a 1", "Received Broken"]);
    }

    #[test]
    fn only_a_wire_that_nobody_looks_at_is_spliced() {
        let spliceable = || Script::default().spliceable();
        let mut wire = Scripted { incoming: spliceable(), outgoing: spliceable(), peers: vec![] };
        let ends = |wire: &mut Tapped<'_, '_, Scripted>| {
            [ByteSource::begin_splicing(wire), ByteSink::begin_splicing(wire)]
        };
        assert_eq!(while_seen(&mut wire, None, ends), [Splicing::ByPipe; 2]);
        let mut notes = Notebook::default();
        assert_eq!(while_seen(&mut wire, Some(&mut notes), ends), [Splicing::Never; 2]);
    }
}
