//! What docs/reliability.md promises, held against the tests it names: each is there, and is a test.

use std::fs;
use std::path::Path;

use crate::markdown::{Link, Page, root};

#[test]
fn every_test_that_is_named_is_a_test() {
    let page = page();
    let named: Vec<Link> = page.links().into_iter().filter(is_test).collect();
    assert!(named.len() > 100, "only {} names were read", named.len());
    for Link { label, target, line } in named {
        let (path, _) = page.destination(&target);
        let text = fs::read_to_string(&path).unwrap_or_default();
        let name = label.trim_matches('`');
        assert!(has_test(&text, name), "docs/reliability.md:{line}: {target} has no test {name}");
    }
}

/// A promise without a test is a hope, and a fault without one is a rumour.
#[test]
fn every_promise_and_every_fault_names_a_test() {
    let page = page();
    let tests: Vec<usize> =
        page.links().iter().filter(|link| is_test(link)).map(|link| link.line).collect();
    let lines: Vec<&str> = page.text.lines().collect();
    let is_row = |at: usize| lines[at].starts_with("| ") && !lines[at + 1].starts_with("|---");
    let is_promise = |at: usize| lines[at].starts_with(|first: char| first.is_ascii_digit());
    let (mut rows, mut promises) = (0, 0);
    for at in 0..lines.len() {
        let end = if is_row(at) {
            rows += 1;
            at + 1
        } else if is_promise(at) {
            promises += 1;
            let more = lines[at + 1..].iter().take_while(|line| line.starts_with("  "));
            at + 1 + more.count()
        } else {
            continue;
        };
        // Lines are counted from 1.
        let is_held = tests.iter().any(|line| (at + 1..=end).contains(line));
        assert!(is_held, "docs/reliability.md:{}: no test holds {:?}", at + 1, lines[at]);
    }
    assert!(rows > 90 && promises > 9, "only {rows} rows and {promises} promises were read");
}

fn page() -> Page {
    Page::read(root().join("docs/reliability.md"))
}

fn is_test(link: &Link) -> bool {
    let is_rust = Path::new(&link.target).extension().is_some_and(|ending| ending == "rs");
    is_rust && link.label.starts_with('`')
}

/// `#[test]`, perhaps more attributes, and the function.
fn has_test(text: &str, name: &str) -> bool {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let start = format!("fn {name}()");
    let at = lines.iter().position(|line| line.starts_with(&start));
    at.is_some_and(|at| {
        let attributes = lines[..at].iter().rev().take_while(|line| line.starts_with("#["));
        attributes.copied().any(|line| line == "#[test]")
    })
}
