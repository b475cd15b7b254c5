//! Links and shape: files, headings and names that pages point at are there, diagrams are diagrams, shell
//! commands are shell, and a page of the course has its parts.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use crate::markdown::{Page, files, root};

/// What this page points at and is not there.
pub(crate) fn check(page: &Page) -> Vec<String> {
    let mut complaints = Vec::new();
    for link in page.links() {
        if link.target.contains("://") || link.target.starts_with("mailto:") {
            continue;
        }
        let here = format!("{}:{}", page.name, link.line);
        let (path, heading) = page.destination(&link.target);
        if !path.exists() {
            complaints.push(format!("{here}: there is no {}", link.target));
            continue;
        }
        let is_page = path.extension().is_some_and(|ending| ending == "md");
        if !heading.is_empty() && is_page {
            let there = Page::read(path.clone());
            if !there.anchors().iter().any(|anchor| anchor == heading) {
                complaints.push(format!("{here}: no heading for {}", link.target));
            }
        }
        if let Some(name) = item(&link.label).filter(|_| path.is_file() && !is_page) {
            let text = fs::read_to_string(&path).unwrap_or_default();
            if !has_word(&text, name) {
                complaints.push(format!("{here}: {} has no {name}", link.target));
            }
        }
    }
    complaints
}

/// `` `Flow::pump` `` names `pump`; `` `flow.rs` `` is a file and no item.
fn item(label: &str) -> Option<&str> {
    let item = label.strip_prefix('`')?.strip_suffix('`')?.trim_end_matches("()");
    let name = item.rsplit("::").next()?;
    let is_word = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    is_word.then_some(name)
}

/// Comments do not count: a name may live on in them.
fn has_word(text: &str, word: &str) -> bool {
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let mut words = code.flat_map(|line| line.split(|c: char| !(c.is_alphanumeric() || c == '_')));
    words.any(|other| other == word)
}

/// Blocks that are not what they say they are.
pub(crate) fn check_blocks(page: &Page) -> Vec<String> {
    let mut complaints = Vec::new();
    let lines = page.text.lines().count();
    for block in page.blocks() {
        let here = format!("{}:{}", page.name, block.first);
        if block.first + block.body.len() >= lines {
            complaints.push(format!("{here}: the block has no end"));
        }
        match block.language() {
            "mermaid" => {
                let mut words = block.body.iter().flat_map(|line| line.split_whitespace());
                let kind = words.next().unwrap_or_default();
                if !DIAGRAMS.contains(&kind) {
                    complaints.push(format!("{here}: {kind:?} is no kind of diagram"));
                }
            }
            "sh" | "bash" => complaints.extend(
                syntax_error(&block.body.join("\n")).map(|why| format!("{here}: no shell: {why}")),
            ),
            _ => {}
        }
    }
    complaints
}

fn syntax_error(script: &str) -> Option<String> {
    let mut bash = Command::new("bash");
    bash.arg("-n").stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut bash = bash.spawn().expect("bash");
    let mut stdin = bash.stdin.take().expect("a pipe");
    // It stops to read where it stops to understand.
    let _ = stdin.write_all(script.as_bytes());
    drop(stdin);
    let output = bash.wait_with_output().expect("bash ends");
    (!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).trim().to_owned())
}

/// What a page of the course owes its readers.
pub(crate) fn check_course(page: &Page) -> Vec<String> {
    let mut complaints = Vec::new();
    let anchors = page.anchors();
    for part in ["try-it", "break-it", "check-yourself"] {
        if !anchors.iter().any(|anchor| anchor == part) {
            complaints.push(format!("{}: no section #{part}", page.name));
        }
    }
    let prose = page.prose();
    if !prose.iter().any(|(_, line)| line.contains("<details>")) {
        complaints.push(format!("{}: no answers in <details>", page.name));
    }
    let opening = prose.iter().map(|(_, line)| line).take_while(|line| !line.starts_with("## "));
    if !opening.clone().any(|line| line.contains('?')) {
        complaints.push(format!("{}: no question before the first section", page.name));
    }
    let read = prose.iter().map(|(_, line)| line).filter(|line| !line.starts_with('|'));
    let words: usize = read.map(|line| line.split_whitespace().count()).sum();
    if words > MOST_WORDS {
        complaints.push(format!("{}: {words} words, at most {MOST_WORDS}", page.name));
    }
    complaints.extend(next_page(page).and_then(|next| {
        let leads_on = page.links().iter().any(|link| link.target == next);
        (!leads_on).then(|| format!("{}: no link to the next page, {next}", page.name))
    }));
    complaints
}

/// Whether the door leads to every page.
pub(crate) fn check_door(page: &Page) -> Vec<String> {
    let linked: Vec<_> = page.links().iter().map(|link| page.destination(&link.target).0).collect();
    let pages = files(&root().join("docs"), "md").into_iter();
    let missing = pages.filter(|path| *path != page.path && !linked.contains(path));
    missing.map(|path| format!("{}: no link to {}", page.name, path.display())).collect()
}

/// The file name of the course's page after this one.
fn next_page(page: &Page) -> Option<String> {
    let mut course = files(&root().join("docs"), "md");
    course.retain(|path| path.parent() == page.path.parent());
    let at = course.iter().position(|path| *path == page.path)?;
    Some(course.get(at + 1)?.file_name()?.to_str()?.to_owned())
}

/// A quarter of an hour. Blocks and tables are not counted.
const MOST_WORDS: usize = 2200;

/// What a Mermaid diagram can begin with.
const DIAGRAMS: [&str; 9] = [
    "flowchart",
    "graph",
    "sequenceDiagram",
    "stateDiagram-v2",
    "stateDiagram",
    "block-beta",
    "packet-beta",
    "timeline",
    "xychart-beta",
];
