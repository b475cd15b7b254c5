//! The events as Chrome trace events, which Perfetto and `chrome://tracing` show as a timeline.
//!
//! Owns: the file and its form (*Trace Event Format*, JSON Array Format). Must not know: what an event
//! means for anybody.
//!
//! Waiting and each wake are slices; system calls are slices within them; what a flow holds is a curve;
//! everything else is an instant. The file is a whole JSON array whenever the loop sleeps, so it can
//! be read while the program runs, or after it was killed.

use std::fmt::Write as _;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use super::{Answer, Event, elapsed};
use crate::json::string;
use crate::units::micros;

/// A timeline that is being drawn.
#[derive(Debug)]
struct Timeline {
    file: File,
    /// Bytes of the file that stay; behind them stands the end of the array.
    written: u64,
    /// What is to be written next.
    text: String,
    /// A wake is being dealt with.
    is_awake: bool,
    /// Why the file has ended before the program has.
    failure: Option<io::Error>,
}

static TIMELINE: OnceLock<Mutex<Timeline>> = OnceLock::new();

/// From now on events are drawn into this file, which is empty.
///
/// # Errors
/// The file cannot be written at a place of choice: it is no regular file. That there is no room for it is
/// told at the end, as it is when the room runs out later.
pub fn start(file: File) -> io::Result<()> {
    let mut timeline =
        Timeline { file, written: 0, text: String::new(), is_awake: false, failure: None };
    timeline.text.push_str(
        "[\n{\"ph\":\"M\",\"pid\":1,\"tid\":1,\"name\":\"thread_name\",\"args\":{\"name\":\"the loop\"}}",
    );
    match timeline.flush() {
        Ok(()) => {}
        Err(error) if is_full(&error) => {
            // A part of an array would be worse than nothing.
            let _ = timeline.file.set_len(0);
            timeline.failure = Some(error);
        }
        Err(error) => return Err(error),
    }
    // It is set once: this is called once.
    let _ = TIMELINE.set(Mutex::new(timeline));
    Ok(())
}

/// Writes what has not been written yet.
///
/// # Errors
/// The file has not taken everything. It is a whole array up to there.
pub fn finish() -> io::Result<()> {
    if let Some(timeline) = TIMELINE.get()
        && let Ok(mut timeline) = timeline.lock()
    {
        timeline.end_wake(elapsed());
        timeline.write();
        return timeline.failure.take().map_or(Ok(()), Err);
    }
    Ok(())
}

pub(super) fn draw(event: &Event<'_>) {
    if let Some(timeline) = TIMELINE.get()
        && let Ok(mut timeline) = timeline.lock()
    {
        timeline.draw(event, elapsed());
    }
}

impl Timeline {
    fn draw(&mut self, event: &Event<'_>, at: Duration) {
        match event {
            Event::Waiting { timeout, queued } => {
                self.end_wake(at);
                let timeout = timeout.map(micros);
                self.begin("B", &"wait", at);
                match timeout {
                    Some(timeout) => self.args(&[("queued", queued), ("timeout_us", &timeout)]),
                    None => self.args(&[("queued", queued)]),
                }
                // Nothing happens until it returns: the time to write.
                self.write();
            }
            Event::Woken { turn, events, timers, .. } => {
                self.begin("E", &"wait", at);
                self.args(&[("turn", turn), ("events", events), ("timers", timers)]);
            }
            Event::Wake(whom) => {
                self.end_wake(at);
                self.begin("B", whom, at);
                self.args(&[]);
                self.is_awake = true;
            }
            Event::Done => self.end_wake(at),
            Event::Called(call, answer, took) => {
                self.begin("X", &call.name(), at.saturating_sub(*took));
                // Writing to a String does not fail, here and below.
                let _ = write!(self.text, ",\"dur\":{}", precisely(*took));
                self.args(&[("call", call), ("result", &Answer(*answer))]);
            }
            Event::Stepped { flow, held, .. } => {
                self.begin("C", flow, at);
                self.args(&[("holds", held)]);
            }
            Event::Registered { .. }
            | Event::Deregistered { .. }
            | Event::Retagged { .. }
            | Event::Ready { .. }
            | Event::Stale
            | Event::Cleared { .. }
            | Event::Requeued { .. }
            | Event::TimerSet { .. }
            | Event::Entered { .. }
            | Event::Noted(_) => {
                self.begin("i", event, at);
                self.text.push_str(",\"s\":\"t\"");
                self.args(&[]);
            }
        }
        if self.text.len() > MOST_WAITING {
            self.write();
        }
    }

    /// As [`Self::flush`], until that has failed once.
    fn write(&mut self) {
        let most = self.text.len() + END.len();
        if self.failure.is_some() {
            self.text.clear();
        } else if let Err(error) = self.flush() {
            // The old end once more, and blanks over what has been half written: there is room for those.
            let mut end = END.to_vec();
            end.resize(most, b' ');
            // What went wrong first is what is told.
            let _ = self.file.write_all_at(&end, self.written);
            self.failure = Some(error);
        }
    }

    fn end_wake(&mut self, at: Duration) {
        if std::mem::take(&mut self.is_awake) {
            self.begin("E", &"", at);
            self.args(&[]);
        }
    }

    /// An event up to its arguments.
    fn begin(&mut self, phase: &str, name: &dyn std::fmt::Display, at: Duration) {
        let _ = write!(
            self.text,
            ",\n{{\"ph\":\"{phase}\",\"pid\":1,\"tid\":1,\"ts\":{},\"name\":",
            precisely(at)
        );
        string(&mut self.text, &name.to_string());
    }

    /// The arguments of an event, and its end. Numbers are written as such.
    fn args(&mut self, args: &[(&str, &dyn std::fmt::Display)]) {
        if !args.is_empty() {
            self.text.push_str(",\"args\":");
            for (at, (name, value)) in args.iter().enumerate() {
                let _ = write!(self.text, "{}\"{name}\":", if at == 0 { '{' } else { ',' });
                let value = value.to_string();
                if value.bytes().all(|byte| byte.is_ascii_digit()) && !value.is_empty() {
                    self.text.push_str(&value);
                } else {
                    string(&mut self.text, &value);
                }
            }
            self.text.push('}');
        }
        self.text.push('}');
    }

    fn flush(&mut self) -> io::Result<()> {
        let kept = self.text.len();
        let mut text = std::mem::take(&mut self.text).into_bytes();
        text.extend_from_slice(END);
        self.file.write_all_at(&text, self.written)?;
        self.written += kept as u64;
        Ok(())
    }
}

fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

/// Microseconds with their decimals, which the format allows.
fn precisely(time: Duration) -> String {
    format!("{}.{:03}", micros(time), time.subsec_nanos() % 1000)
}

/// What stands behind the last event.
const END: &[u8] = b"\n]\n";

/// Bytes that wait to be written, at most, while the loop does not sleep.
const MOST_WAITING: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Call;

    #[test]
    fn the_file_is_a_whole_array_after_each_writing() {
        let file = tempfile::tempfile().expect("a file");
        let mut timeline = Timeline {
            file: file.try_clone().expect("a duplicate"),
            written: 0,
            text: "[\n{\"ph\":\"M\"}".to_owned(),
            is_awake: false,
            failure: None,
        };
        let read = || {
            let mut text =
                vec![0; usize::try_from(file.metadata().expect("size").len()).expect("small")];
            file.read_exact_at(&mut text, 0).expect("read");
            serde_json::from_slice::<serde_json::Value>(&text).expect("JSON")
        };
        let at = Duration::from_micros;
        timeline.flush().expect("written");
        assert_eq!(read().as_array().map(Vec::len), Some(1));
        let error = io::ErrorKind::WouldBlock.into();
        for (time, event) in [
            (3, Event::Waiting { timeout: Some(at(20)), queued: 0 }),
            (5, Event::Woken { turn: 1, waited: at(2), events: 1, timers: 0 }),
            (6, Event::Wake(&"a \"quoted\"\\ \u{1b}name")),
            (9, Event::Called(Call::on("read", &file), Err(&error), at(2))),
            (10, Event::Done),
            (11, Event::Waiting { timeout: None, queued: 2 }),
        ] {
            timeline.draw(&event, at(time));
        }
        let array = read();
        let drawn: Vec<_> = array.as_array().expect("an array")[1..]
            .iter()
            .map(|event| {
                let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
                (text("ph"), text("name"), event["ts"].as_f64().unwrap_or(-1.0).round())
            })
            .collect();
        let expected = [
            ("B", "wait", 3.0),
            ("E", "wait", 5.0),
            ("B", "a \"quoted\"\\ \u{1b}name", 6.0),
            ("X", "read", 7.0),
            ("E", "", 10.0),
            ("B", "wait", 11.0),
        ];
        let expected = expected.map(|(phase, name, at)| (phase.to_owned(), name.to_owned(), at));
        assert_eq!(drawn, expected);
        assert_eq!(array[4]["args"]["result"], "-1  (WouldBlock)");
        assert_eq!(array[4]["dur"], 2.0);
        assert_eq!(array[1]["args"]["timeout_us"], 20);
    }
}
