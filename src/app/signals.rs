//! Signals: which are heard, from when and why, and what each does.
//!
//! | signal | is heard | and then |
//! |---|---|---|
//! | SIGUSR1 | in any build that can look, from the start | it is told how far the program is |
//! | SIGINT, SIGTERM, SIGHUP | where a socket will have a file, before there is one | the file is removed |
//! | | where a session's end is told of (`--stats`, `-vv`, `--digest`), from the first turn of the loop | it is told |
//! | | where a progress line is drawn, from the first one | the line is taken away |
//! | any other | never | what it does by default |
//!
//! Whatever the reason, one end does all three, and it is the program's. Where there is no reason, nothing
//! stands between a signal and its default action. One that the parent has had us ignore (nohup) stays ignored. But
//! for SIGUSR1 that is looked up when one comes, for it costs calls; where the sandbox forbids it by then, the
//! question is answered.
//!
//! Owns: those reasons and moments, and the order of an end. Must not know: how the kernel hands signals out
//! (`sys/signal.rs`), which file a socket will have (`listen` and `ports` do), what is shown (`meter`).

use std::os::fd::RawFd;

use mio::Interest;

use super::dial::Dial;
use super::job::{Job, Mode};
use super::wakes::Owner;
use super::{App, Origin, SEE, listen, ports};
use crate::error::Error;
use crate::reactor::Pollable;
use crate::sys::signal::{Signal, Signals};

impl Pollable for Signals {
    fn raw_fd(&self) -> Option<RawFd> {
        self.polled_fd()
    }
}

/// Hears from now on what has to be heard from the start. Nothing is polled yet, and what comes waits. `None`:
/// this run will hear of nothing.
///
/// # Errors
/// See [`Signals::hear_questions`].
pub(super) fn hear(job: &Job) -> Result<Option<Signals>, Error> {
    let leaves_file = match &job.mode {
        Mode::Connect(connect) => ports::leaves_file(connect, job.transport),
        Mode::Listen(wanted) => listen::leaves_file(wanted),
        Mode::Scan(_) => false,
    };
    if !leaves_file && !SEE {
        return Ok(None);
    }
    let mut signals = Signals::none();
    if SEE {
        signals.hear_questions().map_err(cannot_hold())?;
    }
    if leaves_file {
        signals.hold_endings_back().map_err(cannot_hold())?;
    }
    Ok(Some(signals))
}

fn cannot_hold() -> impl FnOnce(std::io::Error) -> Error {
    Error::doing("cannot hold signals back")
}

impl App<'_> {
    /// Those that have come since they are held back make the first event. What ends the program waits from
    /// now on where there will be words to say, and no sooner: it must be able to end a name's being looked up.
    /// To be called before rights are given up, which takes away that of opening anything.
    pub(super) fn poll_signals(&mut self) -> Result<(), Error> {
        let Some(signals) = &mut self.signals else { return Ok(()) };
        if signals.polled_fd().is_some() {
            return Ok(());
        }
        if self.meter.wants_accounts() || self.hub.has_last_words() {
            signals.hold_endings_back().map_err(cannot_hold())?;
        }
        let polled = signals
            .open()
            .and_then(|()| self.reactor.register(signals, Interest::READABLE, Owner::Signals));
        match polled {
            Ok(_) => {}
            Err(error) if signals.holds_endings_back() => {
                return Err(Error::doing("cannot poll for signals")(error));
            }
            // Where descriptors are that scarce there are better uses for them.
            Err(_) => self.signals = None,
        }
        Ok(())
    }

    /// A progress line may be drawn: finds out which signals are ignored, while files can be opened.
    pub(super) fn expect_a_line(&mut self) {
        if let Some(signals) = &mut self.signals {
            signals.look_up_ignored();
        }
    }

    /// From the first progress line on there is one to be taken away, whatever ends the program.
    pub(super) fn guard_the_line(&mut self) -> Result<(), Error> {
        let shows_progress = match &self.origin {
            Origin::Scan(scanner) => scanner.shows_progress(),
            Origin::Listener { .. }
            | Origin::Meeting { .. }
            | Origin::Ports(_)
            | Origin::Nowhere => self.console.shows_progress(),
        };
        match &mut self.signals {
            // Otherwise one that is to be ignored might end the program: rather leave the line.
            Some(signals) if shows_progress && signals.knows_ignored() => {
                signals.hold_endings_back().map_err(cannot_hold())
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Signals have arrived.
    ///
    /// # Errors
    /// [`Error::Signal`], where one ends the program: whoever gets it drops everything, and dies of it.
    pub(super) fn heed_signals(&mut self) -> Result<(), Error> {
        while let Some(signal) = self.signals.as_mut().and_then(Signals::arrived) {
            match signal {
                Signal::Ending(number) => {
                    self.hub.tell_last_words();
                    self.tell_news();
                    self.tell_cut_off(number);
                    if let Origin::Scan(scanner) = &mut self.origin {
                        scanner.leave(&mut self.reactor);
                    }
                    return Err(Error::Signal(number));
                }
                Signal::Question => self.answer(),
            }
        }
        Ok(())
    }

    /// Says how far the program is, whatever it does.
    fn answer(&mut self) {
        if !SEE {
            return;
        }
        let sessions = self.hub.len();
        match &mut self.origin {
            Origin::Scan(scanner) => scanner.answer(&mut self.reactor, self.console),
            Origin::Ports(ports) if sessions == 0 => {
                let words = ports.dial.as_ref().map(Dial::standing);
                let words = words.unwrap_or_else(|| "waiting before the next port".to_owned());
                self.console.complain(&words);
            }
            Origin::Listener { place, .. } => {
                let served = self.record.sessions;
                self.console.complain(&format!(
                    "listening on {place}, {sessions} connected, {served} so far"
                ));
            }
            Origin::Meeting { place, .. } => {
                self.console.complain(&format!("bound on {place}, nothing received yet"));
            }
            Origin::Ports(_) | Origin::Nowhere => {}
        }
        self.show_now();
    }
}
