//! What is shown of the bytes that go through: `--progress`, `--stats`, `-vv`.

use super::words::Words;
use crate::app::{Metering, Progress, Stats};
use crate::cli::{args, quoted};
use crate::error::Error;

/// `verbose` is how often `-v` was typed. From the second on there is a log, and a line that draws itself over
/// has no place in it unless it is asked for.
pub(super) fn metering(words: Words<'_>, verbose: u8) -> Result<Metering, Error> {
    // A build that cannot look has no such words either.
    if !cfg!(feature = "see") {
        return Ok(Metering { progress: Progress::Never, stats: Stats::None });
    }
    let is_scan = words.has(args::ZERO) && !words.has(args::PASS_FD);
    let progress = if words.has(args::PROGRESS) {
        Progress::Asked
    } else if words.has(args::NO_PROGRESS) || (verbose >= 2 && !is_scan) {
        Progress::Never
    } else {
        Progress::Automatic
    };
    let stats = match words.value(args::STATS, FORMAT)? {
        Some("text") => Stats::Text,
        Some("json") => Stats::Json,
        Some(other) => {
            return Err(Error::message(format!(
                "{FORMAT} must be text or json: {}",
                quoted(other)
            )));
        }
        None if words.has(args::STATS) || verbose >= 2 => Stats::Text,
        None => Stats::None,
    };
    Ok(Metering { progress, stats })
}

const FORMAT: &str = "format of --stats";
