//! Where a scan's words go: lines to stderr, payload to stdout, and a progress line where somebody waits.
//!
//! Owns: the two outlets, and the order of words among them. Must not know: what the words mean.

use std::io;

use super::Part;
use crate::app::job::Progress;
use crate::app::line::{Line, Screen};
use crate::app::outlet::Outlet;
use crate::app::{Loop, Owner};
use crate::error::Error;
use crate::sys::stdio::Output;

/// See the module's own page.
#[derive(Debug)]
pub(super) struct Voice {
    stderr: Outlet,
    /// Where results are told on stdout.
    stdout: Option<Outlet>,
    /// Where it is shown how far the scan has come.
    screen: Option<Screen>,
    progress: Line,
    /// stderr's reader has gone.
    is_deaf: bool,
}

/// Why nothing can be told any more.
#[derive(Debug)]
pub(super) enum Unheard {
    /// stdout's reader has gone.
    ReaderGone,
    /// stdout cannot be written.
    Broken(io::Error),
}

impl Voice {
    /// Takes the descriptors that will be needed, while there are some.
    ///
    /// # Errors
    /// There are none.
    pub(super) fn open(
        reactor: &mut Loop,
        has_payload: bool,
        progress: Progress,
    ) -> Result<Self, Error> {
        let mut outlet = |name, output: io::Result<Output>, part| {
            output
                .and_then(|output| Outlet::open(reactor, output, Owner::Scan(part)))
                .map_err(Error::doing(name))
        };
        let stderr = outlet("stderr", Output::stderr(), Part::Stderr)?;
        let stdout = if has_payload {
            Some(outlet("stdout", Output::stdout(), Part::Stdout)?)
        } else {
            None
        };
        let screen = match (progress, stderr.is_terminal()) {
            (Progress::Never, _) | (Progress::Automatic, false) => None,
            (Progress::Automatic | Progress::Asked, true) => Some(Screen::Terminal),
            (Progress::Asked, false) => Some(Screen::Log),
        };
        Ok(Self { stderr, stdout, screen, progress: Line::default(), is_deaf: false })
    }

    /// Nobody reads any results, and the exit status is all that is left of a scan.
    pub(super) fn is_unread(&self) -> bool {
        self.is_deaf && self.stdout.is_none()
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
            self.erase_progress();
            self.stderr.push(lines.as_bytes());
        }
        if !payload.is_empty() {
            self.erase_progress();
            self.flush_stderr(reactor);
            if let Some(stdout) = &mut self.stdout {
                stdout.push(payload.as_bytes());
            }
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

    /// Where progress is shown.
    pub(super) fn screen(&self) -> Option<Screen> {
        self.screen
    }

    /// The progress line is there.
    pub(super) fn shows_progress(&self) -> bool {
        self.progress == Line::Shown
    }

    /// Draws the progress line.
    pub(super) fn draw(&mut self, words: String) {
        if self.stderr.is_empty() {
            let columns = self.stderr.columns();
            self.stderr.push(self.progress.draw(words, columns).as_bytes());
        }
    }

    /// Takes the progress line away.
    pub(super) fn erase_progress(&mut self) {
        self.stderr.push(self.progress.erase().as_bytes());
    }

    /// Whatever is wrong with stderr, there is nowhere to say so. What was to be said there is dropped.
    fn flush_stderr(&mut self, reactor: &mut Loop) {
        if let Err(error) = self.stderr.flush(reactor) {
            self.is_deaf |= error.kind() == io::ErrorKind::BrokenPipe;
        }
    }

    fn flush_stdout(&mut self, reactor: &mut Loop) -> Result<(), Unheard> {
        match self.stdout.as_mut().map(|stdout| stdout.flush(reactor)) {
            Some(Err(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
                Err(Unheard::ReaderGone)
            }
            Some(Err(error)) => Err(Unheard::Broken(error)),
            Some(Ok(())) | None => Ok(()),
        }
    }

    fn outlets(&self) -> impl Iterator<Item = &Outlet> {
        [&self.stderr].into_iter().chain(&self.stdout)
    }
}
