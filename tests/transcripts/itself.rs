//! The checks, checked: what is true passes, and what is stale does not.

use crate::harness::Trial;
use crate::markdown::Page;
use crate::{include, links, normalise, parse, play};

/// They are functions and not tests, for this program has a harness of its own.
pub(crate) fn trials() -> Vec<Trial> {
    let trial = |what: &str, ignored, run: fn() -> Result<(), String>| Trial {
        name: format!("itself: {what}"),
        ignored,
        run: Box::new(run),
    };
    vec![
        trial("volatile fields compare equal", None, volatile_fields_compare_equal),
        trial("other fields do not", None, other_fields_do_not),
        trial("transcripts that make no sense are refused", None, nonsense_is_refused),
        trial("stale pages are noticed", None, stale_pages_are_noticed),
        trial("true transcripts play", Some(super::NEEDS), true_transcripts_play),
        trial("stale transcripts are noticed", Some(super::NEEDS), stale_transcripts_are_noticed),
    ]
}

fn volatile_fields_compare_equal() -> Result<(), String> {
    let pairs = [
        ("received on localhost 40000", "received on localhost 59999"),
        ("users:((\"nc\",pid=7,fd=4))", "users:((\"nc\",pid=4711,fd=4))"),
        ("[pid   12] close(3) = 0", "[pid 3456] close(3) = 0"),
        ("Date: Mon, 05 Jan 2026 10:00:00 GMT", "Date: Tue, 16 Jun 2026 23:59:59 GMT"),
        ("1048576 bytes copied, 0.002 s, 500 MB/s", "1048576 bytes copied, 1.5 s, 0.7 GB/s"),
        ("real 0m0.012s", "real 0m1.999s"),
        ("mmap(NULL) = 0x7f0011223344", "mmap(NULL) = 0x7ffe55667788"),
        ("/tmp/tmp.aB3dE/port", "/tmp/tmp.zzzzz/port"),
        ("      155 loop  fd 4 (stdin) event r", "  1033462 loop  fd 4 (stdin) event r"),
        ("a    b", "a b"),
    ];
    let differ =
        pairs.iter().filter(|(one, other)| normalise::normal(one) != normalise::normal(other));
    all_hold(differ.map(|(one, _)| format!("{one:?} is {:?}", normalise::normal(one))))
}

fn other_fields_do_not() -> Result<(), String> {
    let pairs = [
        ("port 4004", "port 4005"),
        ("port 4004 in use", "port 40040 in use"),
        ("fd=3", "fd=4"),
        ("received 65536", "received 65537"),
        ("listen(3, 1) = 0", "listen(3, 2) = 0"),
        ("      155 io    wait", "      155 loop  wait"),
        ("a b", "ab"),
    ];
    let same =
        pairs.iter().filter(|(one, other)| normalise::normal(one) == normalise::normal(other));
    all_hold(same.map(|(one, other)| format!("{one:?} is taken for {other:?}")))
}

fn nonsense_is_refused() -> Result<(), String> {
    let scripts: [&[&str]; 3] =
        [&["output"], &["1$ nc", "# text", "output"], &["$ true", "# x", "y"]];
    let taken = scripts.iter().filter(|script| parse::parse(script).is_ok());
    all_hold(taken.map(|script| format!("{script:?} is taken")))
}

fn stale_pages_are_noticed() -> Result<(), String> {
    let blocks = "```mermaid\nno diagram\n```\n```sh\nif\n```\n```rust\nlet a = 1;\n```\n";
    let links =
        "[a](nowhere.md) [b](#no-heading) [`no_such_item`](src/main.rs)\n[`run`](src/main.rs)\n";
    let page = page(&format!("# Title\n\n{links}\n{blocks}"));
    let found = [
        (links::check(&page).len(), 3),
        (links::check_blocks(&page).len(), 2),
        (include::check(&page).len(), 1),
        (links::check_course(&page).len(), 5),
    ];
    let wrong = found.iter().filter(|(found, expected)| found != expected);
    all_hold(wrong.map(|(found, expected)| format!("{found} complaints, not {expected}")))
}

fn true_transcripts_play() -> Result<(), String> {
    let scripts: [&[&str]; 5] = [
        &["$ (exit 3)", "$ echo $?", "3"],
        &["$ cat <<END", "> one", "> END", "one", "$ seq 9", "1", "...", "9"],
        &["1$ cat", "1> a line", "1: a line", "1^D", "1$ echo $?", "0"],
        &["1$ sleep 60", "1^C", "1$ echo $?", "130"],
        &["1$ nc -l 4004", "2$ (sleep 0.3; echo late) | nc -N 127.0.0.1 4004", "1: late"],
    ];
    all_hold(scripts.iter().filter_map(|script| complaint(script)))
}

fn stale_transcripts_are_noticed() -> Result<(), String> {
    let scripts: [&[&str]; 6] = [
        &["$ echo one", "two"],
        &["$ echo one", "one", "two"],
        &["$ seq 2", "1"],
        &["$ seq 2", "$ true"],
        &["# deadline 1s", "$ sleep 60"],
        &["1$ nc -lv 4004"],
    ];
    let passed = scripts.iter().filter(|script| complaint(script).is_none());
    all_hold(passed.map(|script| format!("{script:?} passes")))
}

fn complaint(script: &[&str]) -> Option<String> {
    let played = parse::parse(script).and_then(|entries| play::check(&entries, &script.join("\n")));
    played.err().map(|(at, why)| format!("{script:?}, line {at}: {why}"))
}

/// One that stands in the root of the repository.
fn page(text: &str) -> Page {
    let path = crate::markdown::root().join("page.md");
    Page { path, name: "page.md".to_owned(), text: text.to_owned() }
}

fn all_hold(complaints: impl Iterator<Item = String>) -> Result<(), String> {
    let complaints: Vec<_> = complaints.collect();
    if complaints.is_empty() { Ok(()) } else { Err(complaints.join("\n")) }
}
