//! Code that is shown is code that is there: `<!-- include docs/examples/relay.rs:loop -->` above a block
//! says which file, from the root of the repository, and which part of it: the lines between
//! `// anchor: loop` and `// end: loop` (`#` and `/*` do as well), or all of them.

use std::fs;

use crate::markdown::{Block, Page, root};

/// What is wrong with the blocks of this page that show code.
pub(crate) fn check(page: &Page) -> Vec<String> {
    let mut complaints = Vec::new();
    let blocks = page.blocks();
    for block in &blocks {
        let here = format!("{}:{}", page.name, block.first);
        match wanted(block) {
            Some(Ok(lines)) if lines == block.body => {}
            Some(Ok(_)) => complaints.push(format!(
                "{here}: differs from what it includes (TRANSCRIPTS=update rewrites)"
            )),
            Some(Err(why)) => complaints.push(format!("{here}: {why}")),
            None if COMPILED.contains(&block.language()) => {
                complaints.push(format!("{here}: code without an include: <!-- include FILE -->"));
            }
            None => {}
        }
    }
    for (number, line) in page.prose() {
        let is_above_a_block = blocks.iter().any(|block| block.first == number + 1);
        if line.starts_with(OPEN) && !is_above_a_block {
            complaints.push(format!("{}:{number}: an include above no block", page.name));
        }
    }
    complaints
}

/// The lines that a block ought to have; `None`: it includes nothing.
pub(crate) fn wanted(block: &Block<'_>) -> Option<Result<Vec<String>, String>> {
    let source = block.before.strip_prefix(OPEN)?.strip_suffix(CLOSE)?.trim();
    let (file, anchor) = match source.rsplit_once(':') {
        Some((file, anchor)) => (file, Some(anchor)),
        None => (source, None),
    };
    let text = match fs::read_to_string(root().join(file)) {
        Ok(text) => text,
        Err(error) => return Some(Err(format!("{file}: {error}"))),
    };
    Some(part(&text, anchor).ok_or_else(|| format!("{file} has no part {}", anchor.unwrap_or(""))))
}

/// Without the marks of this and other parts, and without the indentation that all of it has.
fn part(text: &str, anchor: Option<&str>) -> Option<Vec<String>> {
    let is = |line: &str, what: &str, name: &str| {
        mark(line).is_some_and(|(is, of)| is == what && of == name)
    };
    let lines: Vec<_> = match anchor {
        None => text.lines().collect(),
        Some(name) => {
            let mut rest = text.lines().skip_while(|line| !is(line, "anchor", name));
            rest.next()?;
            let rest: Vec<_> = rest.collect();
            let length = rest.iter().position(|line| is(line, "end", name))?;
            rest[..length].to_vec()
        }
    };
    let lines: Vec<_> = lines.into_iter().filter(|line| mark(line).is_none()).collect();
    let indentation = lines.iter().filter(|line| !line.trim().is_empty());
    let indentation = indentation.map(|line| line.len() - line.trim_start().len()).min();
    let cut = |line: &&str| line.get(indentation.unwrap_or(0)..).unwrap_or("").to_owned();
    Some(lines.iter().map(cut).collect())
}

/// `// anchor: loop` or `// end: loop`, as the two words.
fn mark(line: &str) -> Option<(&str, &str)> {
    let line = line.trim();
    let comment = ["//", "#", "/*"].into_iter().find_map(|open| line.strip_prefix(open))?;
    let (what, name) = comment.trim_end_matches("*/").trim().split_once(": ")?;
    let is_mark = ["anchor", "end"].contains(&what) && !name.contains(' ');
    is_mark.then_some((what, name))
}

/// What stands around the source.
const OPEN: &str = "<!-- include ";
const CLOSE: &str = "-->";

/// Languages that are never shown without a file that is built or run.
const COMPILED: [&str; 4] = ["rust", "c", "python", "py"];
