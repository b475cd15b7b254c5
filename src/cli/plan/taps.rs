//! What is written about the bytes that go over the wire: dumps, and digests.

use super::rules;
use super::words::Words;
use crate::app::{Digest, Dump, DumpFormat, DumpTo, Stamps, Taps};
use crate::cli::{args, quoted};
use crate::error::Error;
use crate::sys::dump_file::Existing;

pub(super) fn read(words: Words<'_>) -> Result<Taps, Error> {
    // A build that cannot look has no such words either.
    if !cfg!(feature = "see") {
        return Ok(Taps::default());
    }
    // Nothing is relayed there.
    for id in WATCHING {
        for other in [args::ZERO, args::PASS_FD] {
            rules::exclude(words, other, id)?;
        }
    }
    for id in [args::OUTPUT, args::RECORD] {
        refuse_stderr(words, id)?;
    }
    let existing =
        if words.has(args::APPEND_OUTPUT) { Existing::Kept } else { Existing::Overwritten };
    let dumps: Vec<Dump> = FORMATS
        .into_iter()
        .filter_map(|(id, format)| {
            let file = words.raw(id)?;
            let to = if file == "-" { DumpTo::Stderr } else { DumpTo::File(file.into(), existing) };
            Some(Dump { format, to })
        })
        .collect();
    // Under another name it is found out when it is opened, but for the timeline, which is open by then.
    if let Some(timeline) = words.raw(args::TRACE_JSON)
        && dumps.iter().any(|dump| matches!(&dump.to, DumpTo::File(path, _) if path == timeline))
    {
        let name = quoted(&timeline.to_string_lossy());
        return Err(Error::message(format!("cannot write a dump and the timeline to {name}")));
    }
    if words.has(args::APPEND_OUTPUT) && dumps.is_empty() {
        return Err(Error::message(
            "must use -o, --hex-dump, --output or --record with --append-output",
        ));
    }
    let has_text = words.has(args::DUMP) || words.has(args::HEX_DUMP);
    if words.has(args::TIMESTAMPS) && !has_text {
        return Err(Error::message("must use -o or --hex-dump with --timestamps"));
    }
    let stamps = if words.has(args::TIMESTAMPS) { Stamps::Each } else { Stamps::None };
    let digest = match words.raw(args::DIGEST) {
        None => None,
        Some(name) if name.eq_ignore_ascii_case("sha256") => Some(Digest::Sha256),
        Some(name) => {
            let name = quoted(&name.to_string_lossy());
            return Err(Error::message(format!(
                "unknown digest: {name} (sha256 is the one there is)"
            )));
        }
    };
    Ok(Taps { dumps, stamps, digest })
}

/// What is no text is not for stderr, which is what `-` means elsewhere; a file of that name is `./-`.
pub(super) fn refuse_stderr(words: Words<'_>, id: &'static str) -> Result<(), Error> {
    match words.raw(id) {
        Some(file) if file == "-" => {
            let option = args::spelled(id);
            Err(Error::message(format!("{option} needs a file, and - is none (./- is)")))
        }
        Some(_) | None => Ok(()),
    }
}

const FORMATS: [(&str, DumpFormat); 4] = [
    (args::DUMP, DumpFormat::Traditional),
    (args::HEX_DUMP, DumpFormat::Ncat),
    (args::OUTPUT, DumpFormat::Raw),
    (args::RECORD, DumpFormat::Packets),
];

const WATCHING: [&str; 5] = [args::DUMP, args::HEX_DUMP, args::OUTPUT, args::RECORD, args::DIGEST];
