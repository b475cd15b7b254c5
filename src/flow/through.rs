//! A pipe between two ends that are none, and what it holds.
//!
//! Owns: the account of the pipe, and what an attempt on it means for that. Must not know: descriptors. The
//! pipe comes from the source ([`Conduit`]), and the ends make the calls.

use std::io;

use crate::nonblock::{ByteSink, ByteSource, Conduit, Spliced};

/// A bounded queue of bytes in the kernel's memory.
#[derive(Debug)]
pub(super) struct Through {
    pipe: Box<dyn Conduit>,
    held: usize,
    full: bool,
}

impl Through {
    /// A pipe that is empty.
    pub(super) fn over(pipe: Box<dyn Conduit>) -> Self {
        Self { pipe, held: 0, full: false }
    }

    /// Bytes held.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// It is worth an attempt to put more in.
    pub(super) fn has_room(&self) -> bool {
        !self.full
    }

    /// Has the kernel take at most `most` bytes from a source.
    ///
    /// # Errors
    /// The source is broken; what is held stays valid.
    pub(super) fn fill(&mut self, source: &mut dyn ByteSource, most: usize) -> io::Result<Spliced> {
        let spliced = source.splice_into(self.pipe.way_in(), most)?;
        match spliced {
            Spliced::Moved(n) => self.held += n,
            // An empty pipe that is full is no way for anything.
            Spliced::PipeBlocked if self.held == 0 => return Ok(Spliced::Refused),
            Spliced::PipeBlocked => self.full = true,
            Spliced::Blocked | Spliced::Ended | Spliced::Refused => {}
        }
        Ok(spliced)
    }

    /// Has the kernel bring what is held, which is not nothing, to a sink.
    ///
    /// # Errors
    /// The sink is broken; what it did not take is still held.
    pub(super) fn drain(&mut self, sink: &mut dyn ByteSink) -> io::Result<Spliced> {
        let spliced = sink.splice_from(self.pipe.way_out(), self.held)?;
        Ok(match spliced {
            Spliced::Moved(n) => {
                self.left(n);
                spliced
            }
            Spliced::Blocked => spliced,
            // We know better: it holds bytes.
            Spliced::PipeBlocked | Spliced::Ended | Spliced::Refused => Spliced::Refused,
        })
    }

    /// Takes bytes out into our own memory after all; 0 once none is held.
    ///
    /// # Errors
    /// See [`Conduit::read`].
    pub(super) fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.held == 0 {
            return Ok(0);
        }
        let n = self.pipe.read(into)?;
        self.left(n);
        Ok(n)
    }

    fn left(&mut self, n: usize) {
        self.held = self.held.saturating_sub(n);
        self.full = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nonblock::PIPE;
    use crate::testing::{Script, Step, conduit};

    fn through() -> Through {
        Through::over(conduit().expect("a pipe"))
    }

    #[test]
    fn bytes_come_out_as_they_went_in() {
        let mut pipe = through();
        let mut source = Script::new([Step::UpTo(3)]).holding(*b"abcdef").spliceable();
        assert_eq!(pipe.fill(&mut source, 100).expect("fill"), Spliced::Moved(3));
        assert_eq!(pipe.fill(&mut source, 2).expect("fill"), Spliced::Moved(2));
        let mut sink = Script::new([Step::UpTo(1)]).spliceable();
        assert_eq!(pipe.drain(&mut sink).expect("drain"), Spliced::Moved(1));
        let mut rest = [0; 8];
        assert_eq!(pipe.read(&mut rest).expect("read"), 4);
        assert_eq!((&rest[..4], pipe.held()), (&b"bcde"[..], 0));
        assert_eq!(pipe.read(&mut rest).expect("read"), 0);
    }

    #[test]
    fn a_full_pipe_says_so_until_something_has_left() {
        let mut pipe = through();
        let mut source = Script::new([]).holding(vec![7; 4 * PIPE]).spliceable();
        while pipe.has_room() {
            assert_ne!(pipe.fill(&mut source, 2 * PIPE).expect("fill"), Spliced::Refused);
        }
        assert_eq!(pipe.held(), PIPE);
        assert_eq!(
            pipe.drain(&mut Script::new([]).spliceable()).expect("drain"),
            Spliced::Moved(PIPE)
        );
        assert!(pipe.has_room());
    }
}
