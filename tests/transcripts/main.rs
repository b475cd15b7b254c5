//! The documents do what they say. Every `console` block of every page is played in a place of its own
//! (network, mounts, processes), and what is shown is compared with what comes; `parse` has the format.
//! What needs no such place is held against the tree: code that is included, names, links.
//!
//! ```sh
//! cargo test --test transcripts                          # what needs no place of its own
//! cargo test --test transcripts -- --ignored             # plays all transcripts
//! cargo test --test transcripts -- --ignored cookbook    # those of one page
//! TRANSCRIPTS=update cargo test --test transcripts       # plays them and rewrites those that are stale
//! ```
//!
//! Places are made with unshare(1): by root, or by a user who may have a namespace of users.

#![expect(
    clippy::disallowed_methods,
    reason = "the event loop must not block, read the clock or start threads; a harness must"
)]
#![expect(clippy::print_stdout, reason = "it is a harness of its own")]

mod console;
mod harness;
mod include;
mod itself;
mod links;
#[path = "../docs/markdown.rs"]
mod markdown;
mod normalise;
mod parse;
mod play;

use std::env;
use std::fs;
use std::process::ExitCode;

use harness::Trial;
use markdown::{Block, Page, pages};
use play::Stale;

fn main() -> ExitCode {
    let updates = env::var_os("TRANSCRIPTS").is_some_and(|value| value == "update");
    let mut trials = if updates { Vec::new() } else { itself::trials() };
    for page in pages() {
        let mut add = |what: &str, run: fn(&Page) -> Vec<String>| {
            let (name, page) = (format!("{}: {what}", page.name), page.clone());
            let run = move || match run(&page) {
                complaints if complaints.is_empty() => Ok(()),
                complaints => Err(complaints.join("\n")),
            };
            trials.push(Trial { name, ignored: None, run: Box::new(run) });
        };
        if updates {
            add("update", update);
            continue;
        }
        add("reads", can_be_read);
        add("includes", include::check);
        add("links", links::check);
        if page.name.starts_with("docs/course/") {
            add("teaches", links::check_course);
        }
        if page.name == "docs/README.md" {
            add("leads everywhere", links::check_door);
        }
        // A test for each, for they wait more than they work.
        for (at, block) in page.blocks().iter().enumerate().filter(|(_, it)| it.info == CONSOLE) {
            let (name, page) = (format!("{}: plays", here(&page, block, 0)), page.clone());
            trials.push(Trial {
                name,
                ignored: Some(NEEDS),
                run: Box::new(move || plays(&page, &page.blocks()[at])),
            });
        }
    }
    harness::run(trials)
}

/// Every block is what it says, and every transcript is written as `parse` wants it.
fn can_be_read(page: &Page) -> Vec<String> {
    let mut complaints = links::check_blocks(page);
    for block in page.blocks().iter().filter(|block| block.language() == CONSOLE) {
        if ![CONSOLE, NOT_RUN].contains(&block.info) {
            complaints
                .push(format!("{}:{}: {:?} is not known", page.name, block.first, block.info));
        }
        if let Err((at, why)) = parse::parse(&block.body) {
            complaints.push(format!("{}: {why}", here(page, block, at)));
        }
    }
    complaints
}

/// Plays a transcript.
fn plays(page: &Page, block: &Block<'_>) -> Result<(), String> {
    let played =
        parse::parse(&block.body).and_then(|entries| play::check(&entries, &block.body.join("\n")));
    played.map_err(|(at, why)| format!("{}: {why}", here(page, block, at)))
}

/// Rewrites what is stale: transcripts, and code that is included.
fn update(page: &Page) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut lines: Vec<String> = page.text.lines().map(str::to_owned).collect();
    // From the end, so that what is rewritten moves nothing that comes after.
    for block in page.blocks().iter().rev() {
        let new = match include::wanted(block) {
            Some(wanted) => wanted.map_err(|why| (0, why)),
            None if block.info == CONSOLE => play_again(block),
            None => continue,
        };
        match new {
            Ok(new) => drop(lines.splice(block.first..block.first + block.body.len(), new)),
            Err((at, why)) => complaints.push(format!("{}: {why}", here(page, block, at))),
        }
    }
    let text = lines.join("\n") + "\n";
    if text != page.text {
        println!("rewritten: {}", page.name);
        complaints.extend(fs::write(&page.path, text).err().map(|error| error.to_string()));
    }
    complaints
}

/// The transcript as it is if it is true, or else as it is now.
fn play_again(block: &Block<'_>) -> Result<Vec<String>, Stale> {
    let entries = parse::parse(&block.body)?;
    let text = block.body.join("\n");
    // Twice, so that a loaded machine rewrites nothing that is true.
    if (0..2).any(|_| play::check(&entries, &text).is_ok()) {
        return Ok(block.body.iter().map(|line| (*line).to_owned()).collect());
    }
    play::record(&entries, &text)
}

/// A line of a block, as editors and compilers write it.
fn here(page: &Page, block: &Block<'_>, at: usize) -> String {
    format!("{}:{}", page.name, block.first + at + 1)
}

/// Why transcripts are not played unless they are asked for.
const NEEDS: &str = "needs network namespaces";

/// Played.
const CONSOLE: &str = "console";

/// Only read.
const NOT_RUN: &str = "console norun";
