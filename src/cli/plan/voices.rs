//! Who is listened to: `-v`, `--trace`, `--trace-json`, `--explain`.

use std::path::PathBuf;

use super::taps::refuse_stderr;
use super::words::Words;
use crate::cli::{args, quoted};
use crate::error::Error;
use crate::trace::Topic;
use crate::voices::Voices;

/// The voices, with `verbosity` for the log.
pub(super) fn voices(words: Words<'_>, verbosity: u8) -> Result<Voices, Error> {
    // A build that cannot look has no such words either.
    if !cfg!(feature = "see") {
        return Ok(Voices { verbosity, ..Voices::default() });
    }
    refuse_stderr(words, args::TRACE_JSON)?;
    let timeline = words.raw(args::TRACE_JSON).map(PathBuf::from);
    Ok(Voices { verbosity, trace: topics(words)?, timeline, explain: words.has(args::EXPLAIN) })
}

/// One of the topics, several with commas between them, or all.
fn topics(words: Words<'_>) -> Result<Vec<Topic>, Error> {
    if !words.has(args::TRACE) {
        return Ok(Vec::new());
    }
    let Some(typed) = words.value(args::TRACE, "trace")? else { return Ok(Topic::ALL.to_vec()) };
    let mut topics = Vec::new();
    for name in typed.split(',') {
        match Topic::ALL.into_iter().find(|topic| topic.name() == name) {
            Some(topic) if topics.contains(&topic) => {}
            Some(topic) => topics.push(topic),
            None if name == "all" => return Ok(Topic::ALL.to_vec()),
            None => {
                let what = quoted(name);
                return Err(Error::message(format!(
                    "trace must be loop, io, state or all: {what}"
                )));
            }
        }
    }
    Ok(topics)
}
