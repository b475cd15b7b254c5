//! What the program says about itself beside its messages: the log (`-vv`, `RUST_LOG`), the trace
//! (`--trace`, `--trace-json`) and the explanations (`--explain`).
//!
//! Owns: who is listened to, and how a line looks on stderr. Must not know: who speaks, and when; it all
//! comes through the `log` facade. Nothing is set up unless somebody is to be heard.

use std::path::PathBuf;

use crate::error::{Error, escape, reason};
use crate::trace::Topic;

/// Whom to listen to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Voices {
    /// How often `-v` was given: twice, states as they change; three times, every event and call.
    pub verbosity: u8,
    /// What the trace is about; empty: there is none.
    pub trace: Vec<Topic>,
    /// The file for the timeline.
    pub timeline: Option<PathBuf>,
    /// Each step is explained.
    pub explain: bool,
}

/// Listens to them from now on. `RUST_LOG` has the last word about the log.
///
/// # Errors
/// The file of the timeline cannot be written.
#[cfg(feature = "log")]
pub fn start(voices: &Voices) -> Result<(), Error> {
    speaking::start(voices)
}

/// Built without a log, `-vv` says no more than `-v`.
///
/// # Errors
/// None.
#[cfg(not(feature = "log"))]
pub fn start(_: &Voices) -> Result<(), Error> {
    Ok(())
}

/// The last of what has been said reaches its place.
///
/// # Errors
/// The timeline has ended early: there is no room for more of it.
pub fn finish(voices: &Voices) -> Result<(), Error> {
    if cfg!(feature = "see")
        && let Some(path) = &voices.timeline
        && let Err(error) = crate::trace::timeline::finish()
    {
        let path = escape(&path.to_string_lossy());
        let why = reason(&error);
        return Err(Error::message(format!("{path}: {why}; the timeline ends here")));
    }
    Ok(())
}

#[cfg(feature = "log")]
mod speaking {
    use std::env;
    use std::ffi::OsStr;
    use std::io::{self, Write};

    use env_logger::{Builder, Target};
    use log::{LevelFilter, Record};

    use super::Voices;
    use crate::error::{Error, escape};
    use crate::explain::{self, USUAL_WIDTH, layout};
    use crate::sys::dump_file::{Existing, open_to_write};
    use crate::sys::inherit::is_set;
    use crate::sys::stderr::{stderr_columns, stderr_is_terminal, write_stderr};
    use crate::trace::{Topic, elapsed, timeline};
    use crate::units::micros;

    pub(super) fn start(voices: &Voices) -> Result<(), Error> {
        let mut builder = Builder::new();
        let logged = match voices.verbosity {
            0 | 1 => LevelFilter::Off,
            2 => LevelFilter::Debug,
            _ => LevelFilter::Trace,
        };
        let mut most = logged;
        let mut listen = |target: &str, level| {
            most = most.max(level);
            builder.filter_module(target, level);
        };
        // Our own lines: mio has some too.
        listen("pollcat", logged);
        for topic in &voices.trace {
            listen(topic.target(), LevelFilter::Trace);
        }
        if voices.explain {
            listen(explain::TARGET, LevelFilter::Info);
        }
        if let Some(spec) = env::var_os("RUST_LOG") {
            // What is wrong in it is repeated on stderr, unescaped; and escaping changes nothing that is right.
            builder.parse_filters(&escape(&spec.to_string_lossy()));
            most = LevelFilter::Trace;
        }
        if cfg!(feature = "see")
            && let Some(path) = &voices.timeline
        {
            let begun = open_to_write(path, Existing::Overwritten)
                .and_then(|(file, _)| timeline::start(file.into()));
            begun.map_err(|error| {
                let path = escape(&path.to_string_lossy());
                match error.raw_os_error() {
                    // A FIFO without a reader, and one with; a terminal.
                    Some(libc::ENXIO | libc::ESPIPE) => {
                        Error::message(format!("{path}: not a regular file"))
                    }
                    _ => Error::Io(path, error),
                }
            })?;
            most = LevelFilter::Trace;
        }
        if most == LevelFilter::Off {
            return Ok(());
        }
        // Its first reading is the beginning of time.
        let _ = elapsed();
        let is_traced = !voices.trace.is_empty();
        let paint = Paint { colour: is_coloured() };
        builder
            .target(Target::Pipe(Box::<Stderr>::default()))
            .format(move |out, record| paint.line(out, record, is_traced));
        // It fails only where a log was started before.
        let logs = builder.try_init().is_ok();
        if logs && voices.timeline.is_some() {
            log::set_max_level(LevelFilter::Trace);
        }
        Ok(())
    }

    /// How a line looks.
    #[derive(Clone, Copy)]
    struct Paint {
        colour: bool,
    }

    impl Paint {
        fn line(self, out: &mut dyn Write, record: &Record<'_>, is_traced: bool) -> io::Result<()> {
            if record.target() == explain::TARGET {
                let width = stderr_columns().unwrap_or(USUAL_WIDTH).min(MOST_COLUMNS);
                let text = layout(&record.args().to_string(), width, self.colour);
                return out.write_all(text.as_bytes());
            }
            let said = escape(&record.args().to_string());
            let topic = Topic::ALL.into_iter().find(|topic| topic.target() == record.target());
            match topic {
                Some(topic) if is_traced => {
                    let (dim, plain) = if self.colour { ("\x1b[2m", "\x1b[0m") } else { ("", "") };
                    let at = micros(elapsed());
                    writeln!(out, "{dim}{at:>9} {:<5}{plain} {}", topic.name(), said)
                }
                _ => writeln!(out, "{:5} {}: {said}", record.level(), record.target()),
            }
        }
    }

    /// Colours are for terminals, and for those who have not said that they want none (no-color.org).
    fn is_coloured() -> bool {
        let is_dumb = env::var_os("TERM").is_none_or(|term| term == OsStr::new("dumb"));
        stderr_is_terminal() && !is_set("NO_COLOR") && !is_dumb
    }

    /// stderr, which is not waited for: lines that find no room are counted, and the count is told once
    /// there is room.
    #[derive(Debug, Default)]
    struct Stderr {
        lost: u64,
    }

    impl Write for Stderr {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            if self.lost > 0 {
                let told = format!("({} lines are missing here)\n", self.lost);
                if write_stderr(told.as_bytes()).is_ok() {
                    self.lost = 0;
                }
            }
            if self.lost > 0 || write_stderr(line).is_err() {
                self.lost += 1;
            }
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Longer lines are hard to read.
    const MOST_COLUMNS: usize = 100;
}
