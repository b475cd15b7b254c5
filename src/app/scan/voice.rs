//! Where a scan's words go: lines to stderr, payload to stdout, and a progress line where somebody waits.
//!
//! Owns: the two outlets, which are opened when there is something to say, and the order of words
//! among them. Must not know: what the words mean.

use std::io;
use std::time::Instant;

use super::Part;
use super::progress::{Progress, Standing};
use crate::app::outlet::Outlet;
use crate::app::{Loop, Owner};
use crate::sys::stdio::Output;

/// See the module's own page.
#[derive(Debug)]
pub(super) struct Voice {
    stderr: Option<Outlet>,
    stdout: Option<Outlet>,
    progress: Progress,
    /// Results are told on stdout.
    has_payload: bool,
    /// Who read stderr has left.
    is_deaf: bool,
}

/// Why nothing can be told any more.
#[derive(Debug)]
pub(super) enum Unheard {
    /// Who read it has left.
    ReaderGone,
    /// stderr or stdout cannot be written: its name, and why.
    Broken(&'static str, io::Error),
}

impl Voice {
    pub(super) fn new(began: Instant, has_payload: bool) -> Self {
        let progress = Progress::new(began);
        Self { stderr: None, stdout: None, progress, has_payload, is_deaf: false }
    }

    /// Takes the descriptors that will be needed, while there are some.
    pub(super) fn open(&mut self, reactor: &mut Loop) -> Result<(), Unheard> {
        opened(&mut self.stderr, reactor, Part::Stderr)?;
        if self.has_payload {
            opened(&mut self.stdout, reactor, Part::Stdout)?;
        }
        Ok(())
    }

    /// Nobody reads any results, and the exit status is all that is left of a scan.
    pub(super) fn is_unread(&self) -> bool {
        self.is_deaf && !self.has_payload
    }

    /// Leaves nothing behind on a terminal: there will be no more words.
    pub(super) fn fall_silent(&mut self, reactor: &mut Loop) {
        self.erase_progress();
        self.flush_stderr(reactor);
    }

    /// Says something on stderr, on stdout, or on both. Where both are one terminal, words come out in
    /// the order they were said in.
    pub(super) fn say(
        &mut self,
        reactor: &mut Loop,
        lines: &str,
        payload: &str,
    ) -> Result<(), Unheard> {
        if !lines.is_empty() {
            self.flush_stdout(reactor)?;
            let erase = self.progress.erase();
            let stderr = opened(&mut self.stderr, reactor, Part::Stderr)?;
            stderr.push(erase.as_bytes());
            stderr.push(lines.as_bytes());
        }
        if !payload.is_empty() {
            if lines.is_empty() {
                self.erase_progress();
            }
            self.flush_stderr(reactor);
            opened(&mut self.stdout, reactor, Part::Stdout)?.push(payload.as_bytes());
        }
        Ok(())
    }

    /// A reader is slow: nothing more is to be found out now.
    pub(super) fn is_full(&self) -> bool {
        self.outlets().any(Outlet::is_full)
    }

    /// Everything that was said has been heard.
    pub(super) fn is_silent(&self) -> bool {
        self.outlets().all(Outlet::is_empty)
    }

    /// Has the readers take what they take now.
    pub(super) fn flush(&mut self, reactor: &mut Loop) -> Result<(), Unheard> {
        self.flush_stderr(reactor);
        self.flush_stdout(reactor)
    }

    /// Draws the progress line, if somebody looks at stderr. Says whether it is worth doing again.
    pub(super) fn draw(&mut self, reactor: &mut Loop, standing: Standing) -> Result<bool, Unheard> {
        let now = reactor.now();
        let stderr = opened(&mut self.stderr, reactor, Part::Stderr)?;
        if !stderr.is_terminal() {
            return Ok(false);
        }
        if stderr.is_empty() {
            stderr.push(self.progress.draw(now, standing, stderr.columns()).as_bytes());
        }
        Ok(true)
    }

    /// Takes the progress line away.
    pub(super) fn erase_progress(&mut self) {
        let erase = self.progress.erase();
        if let Some(stderr) = &mut self.stderr {
            stderr.push(erase.as_bytes());
        }
    }

    /// Whatever is wrong with stderr, there is nowhere to say so. What was to be said there is dropped.
    fn flush_stderr(&mut self, reactor: &mut Loop) {
        if let Some(Err(error)) = self.stderr.as_mut().map(|stderr| stderr.flush(reactor)) {
            self.is_deaf |= error.kind() == io::ErrorKind::BrokenPipe;
        }
    }

    fn flush_stdout(&mut self, reactor: &mut Loop) -> Result<(), Unheard> {
        match self.stdout.as_mut().map(|stdout| stdout.flush(reactor)) {
            Some(Err(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
                Err(Unheard::ReaderGone)
            }
            Some(Err(error)) => Err(Unheard::Broken(STDOUT, error)),
            Some(Ok(())) | None => Ok(()),
        }
    }

    fn outlets(&self) -> impl Iterator<Item = &Outlet> {
        [&self.stderr, &self.stdout].into_iter().flatten()
    }
}

fn opened<'a>(
    outlet: &'a mut Option<Outlet>,
    reactor: &mut Loop,
    part: Part,
) -> Result<&'a mut Outlet, Unheard> {
    if let Some(outlet) = outlet {
        return Ok(outlet);
    }
    let (name, output) = match part {
        Part::Stdout => (STDOUT, Output::stdout()),
        Part::Stderr | Part::Starter | Part::Probe(_) => ("stderr", Output::stderr()),
    };
    let new = output.and_then(|output| Outlet::open(reactor, output, Owner::Scan(part)));
    Ok(outlet.insert(new.map_err(|error| Unheard::Broken(name, error))?))
}

const STDOUT: &str = "stdout";
