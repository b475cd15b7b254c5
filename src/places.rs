//! What is known in certain places only, held against the sources: who hears of `EINTR` and `EAGAIN`, and who
//! moves bytes past the trace. And what rustfmt leaves alone: how long a line of a comment is.

use std::fs;
use std::path::Path;

use crate::layers::sources;

/// Who may name the two errnos, and why.
const ERRNOS: &[(&str, &str)] = &[
    ("nonblock.rs", "what they mean for bytes"),
    ("sys/", "what they mean for any other call is known to whoever makes it"),
    ("reactor.rs", "the poll is a call too"),
    ("explain.rs", "strace shows them, and they are explained"),
    ("explain/", "strace shows them, and they are explained"),
    ("testing.rs", "scripts say them"),
];

const NAMES: &[&str] = &[
    "EINTR",
    "EAGAIN",
    "EWOULDBLOCK",
    "Interrupted",
    "WouldBlock",
    "Errno::INTR",
    "Errno::AGAIN",
    "retry_on_intr",
];

#[test]
fn nobody_above_hears_of_eintr_and_eagain() {
    let mut named = Vec::new();
    for (name, text) in code() {
        if let Some(line) = text.lines().find(|line| NAMES.iter().any(|it| line.contains(it))) {
            let is_allowed = ERRNOS.iter().any(|(place, _)| name.starts_with(place));
            assert!(is_allowed, "src/{name} is not to know this:\n{line}");
            named.push(name);
        }
    }
    for (place, why) in ERRNOS {
        assert!(named.iter().any(|name| name.starts_with(place)), "{place}: {why}? Not any more");
    }
}

/// Who may read and write without telling the trace, and why.
const UNTOLD: &[(&str, &str)] = &[
    ("sys/moves.rs", "it is what tells the trace"),
    ("sys/signal.rs", "a signal is no byte of a session"),
    ("sys/stderr.rs", "neither is a line of ours on stderr"),
    ("testing.rs", "scripts have ends in memory"),
];

/// `clippy.toml` has the other calls that move bytes; these two are what examples in `docs` show.
#[test]
fn bytes_are_read_and_written_where_the_trace_hears_of_it() {
    let mut making = Vec::new();
    for (name, text) in code() {
        if could_read_or_write(&text) {
            let is_allowed = UNTOLD.iter().any(|(place, _)| name == *place);
            assert!(is_allowed, "src/{name} is to make its calls by sys/moves.rs");
            making.push(name);
        }
    }
    for (place, why) in UNTOLD {
        assert!(making.iter().any(|name| name == place), "{place}: {why}? Not any more");
    }
}

/// Whether a text has rustix's `read` or `write`, or imports them in a way that hides it.
fn could_read_or_write(text: &str) -> bool {
    let names = |of: &str| {
        let mut words = of.split(|c: char| !c.is_alphanumeric() && c != '_');
        words.any(|word| ["read", "write"].contains(&word))
    };
    let imports = text.split("use rustix::io::").skip(1).filter_map(|it| it.split(';').next());
    let mut calls = text.split("rustix::io::").skip(1);
    imports.into_iter().any(names)
        || calls.any(|it| it.starts_with("read(") || it.starts_with("write("))
        || ["use rustix::io;", "use rustix::{", "use rustix::io as"]
            .iter()
            .any(|it| text.contains(it))
}

#[test]
fn no_read_or_write_goes_unseen() {
    for text in [
        "use rustix::io::read;",
        "#![forbid(unsafe_code)] use rustix::io::{Errno, write};",
        "mod a { use rustix::io::write; }",
        "rustix::io::read(fd, &mut [0])",
        "use rustix::io; io::write(fd, b\"x\")",
        "use rustix::{io::write, fs};",
    ] {
        assert!(could_read_or_write(text), "{text}");
    }
    for text in ["use rustix::io::{Errno, fcntl_dupfd_cloexec}; moves::read(fd)", "file.read(x)"] {
        assert!(!could_read_or_write(text), "{text}");
    }
}

/// rustfmt breaks code and leaves comments as they are. They are ours to break, in tests and examples too.
#[test]
fn no_line_of_a_comment_is_longer_than_120_characters() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut comments = 0;
    for file in ["src", "tests", "docs/examples"].iter().flat_map(|at| sources(&root.join(at))) {
        let text = fs::read_to_string(&file).expect("source file");
        for (at, line) in text.lines().enumerate() {
            if line.trim_start().starts_with("//") {
                comments += 1;
                let place = format!("{}:{}", file.display(), at + 1);
                assert!(line.chars().count() <= 120, "{place} is too long:\n{line}");
            }
        }
    }
    assert!(comments > 5000, "only {comments} lines were read");
}

/// Each source file, by its name in `src`, without tests and comments.
fn code() -> impl Iterator<Item = (String, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = sources(&src);
    assert!(files.len() > 100, "only {} sources were found", files.len());
    files.into_iter().filter_map(move |file| {
        let name = file.strip_prefix(&src).expect("in src").to_string_lossy().into_owned();
        let is_test = ["layers.rs", "places.rs", "session/lab.rs"].contains(&name.as_str())
            || name.ends_with("tests.rs")
            || name.contains("/tests/");
        let text = fs::read_to_string(&file).expect("source file");
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        (!is_test).then(|| (name, lines.collect::<Vec<_>>().join("\n")))
    })
}
