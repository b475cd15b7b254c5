//! The documents as they are written: which pages there are, their fenced blocks, headings and links.
//! Two test programs read them, `docs` and `transcripts`.

#![allow(dead_code, reason = "neither of the two needs all of it")]

use std::fs;
use std::path::{Path, PathBuf};

/// A page of ours.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) path: PathBuf,
    /// From the root of the repository: `docs/course/02-descriptors.md`.
    pub(crate) name: String,
    pub(crate) text: String,
}

impl Page {
    pub(crate) fn read(path: PathBuf) -> Self {
        let name = path.strip_prefix(root()).unwrap_or(&path).display().to_string();
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
        Self { path, name, text }
    }

    /// The fenced blocks, in order.
    pub(crate) fn blocks(&self) -> Vec<Block<'_>> {
        let lines: Vec<_> = self.text.lines().collect();
        let mut blocks = Vec::new();
        let mut at = 0;
        while at < lines.len() {
            let Some(fence) = Fence::opening(lines[at]) else {
                at += 1;
                continue;
            };
            let length = lines[at + 1..].iter().take_while(|line| !fence.ends(line)).count();
            let body = lines[at + 1..at + 1 + length].to_vec();
            let before = at.checked_sub(1).map_or("", |before| lines[before]);
            blocks.push(Block { info: fence.info, first: at + 1, body, before });
            at += length + 2;
        }
        blocks
    }

    /// The text without fenced blocks, with the number of each line, from 1.
    pub(crate) fn prose(&self) -> Vec<(usize, &str)> {
        let mut fence: Option<Fence<'_>> = None;
        let mut prose = Vec::new();
        for (at, line) in self.text.lines().enumerate() {
            match &fence {
                Some(open) if open.ends(line) => fence = None,
                Some(_) => {}
                None => match Fence::opening(line) {
                    Some(open) => fence = Some(open),
                    None => prose.push((at + 1, line)),
                },
            }
        }
        prose
    }

    /// What can follow a `#` in a link: headings as GitHub names them.
    pub(crate) fn anchors(&self) -> Vec<String> {
        let prose = self.prose();
        let headings = prose.iter().filter(|(_, line)| line.starts_with('#'));
        headings.map(|(_, line)| anchor(line.trim_start_matches('#').trim())).collect()
    }

    /// The links, but for those in code.
    pub(crate) fn links(&self) -> Vec<Link> {
        // A link may be broken over lines, so it is looked for in the whole.
        let mut text = String::new();
        let mut starts = Vec::new();
        for (number, line) in self.prose() {
            starts.push((text.len(), number));
            text += line;
            text.push('\n');
        }
        let mut links = Vec::new();
        for (at, _) in text.match_indices("](") {
            let (label, target) = (&text[..at], &text[at + 2..]);
            let Some((target, _)) = target.split_once(')') else { continue };
            let label = label.rsplit_once('[').map_or("", |(_, label)| label);
            let line = starts.iter().rev().find(|(start, _)| *start <= at);
            links.push(Link {
                label: label.replace('\n', " "),
                target: target.to_owned(),
                line: line.map_or(1, |(_, number)| *number),
            });
        }
        links
    }

    /// The file that a link on this page leads to, and the heading in it.
    pub(crate) fn destination<'a>(&self, target: &'a str) -> (PathBuf, &'a str) {
        let (file, heading) = target.split_once('#').unwrap_or((target, ""));
        let folder = self.path.parent().unwrap_or(root());
        let path = if file.is_empty() { self.path.clone() } else { folder.join(file) };
        (path, heading)
    }
}

/// A fenced block.
#[derive(Clone, Debug)]
pub(crate) struct Block<'a> {
    /// What stands behind the opening fence.
    pub(crate) info: &'a str,
    /// The first line inside, counted from 0.
    pub(crate) first: usize,
    pub(crate) body: Vec<&'a str>,
    /// The line above the opening fence.
    pub(crate) before: &'a str,
}

impl Block<'_> {
    /// The word that highlighters go by.
    pub(crate) fn language(&self) -> &str {
        self.info.split_whitespace().next().unwrap_or_default()
    }
}

/// `[label](target)`
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) label: String,
    pub(crate) target: String,
    pub(crate) line: usize,
}

struct Fence<'a> {
    marks: usize,
    info: &'a str,
}

impl<'a> Fence<'a> {
    fn opening(line: &'a str) -> Option<Self> {
        let marks = line.chars().take_while(|mark| *mark == '`').count();
        (marks >= 3).then(|| Self { marks, info: line[marks..].trim() })
    }

    fn ends(&self, line: &str) -> bool {
        line.trim_end().len() >= self.marks && line.trim_end().chars().all(|mark| mark == '`')
    }
}

/// Every page: the README and all that is under `docs`, in order of name.
pub(crate) fn pages() -> Vec<Page> {
    let mut paths = vec![root().join("README.md")];
    paths.extend(files(&root().join("docs"), "md"));
    paths.into_iter().map(Page::read).collect()
}

/// The files below a folder with this ending, in order of name.
pub(crate) fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("folder");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("entry").path()).collect();
    paths.sort();
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.extension().is_some_and(|has| has == ending) {
            found.push(path);
        }
    }
    found
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// As GitHub makes it.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}
