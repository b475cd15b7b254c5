//! The layers of the house, held against its `use` lines: an arrow that goes up fails here.

use std::fs;
use std::path::{Path, PathBuf};

/// Each module with those it may use. What stands on the same line does not know its neighbours.
const LAYERS: &[(&str, &[&str])] = &[
    ("mistakes", &[]),
    ("error", &[]),
    ("clock", &[]),
    ("secret", &[]),
    ("units", &[]),
    ("datagram", &[]),
    ("json", &["error"]),
    ("trace", &["clock", "error", "units", "json"]),
    ("explain", &["error", "units"]),
    ("nonblock", &["mistakes"]),
    ("reactor", &["clock", "mistakes", "trace", "explain"]),
    ("sys", &["mistakes", "error", "secret", "datagram", "trace", "explain", "nonblock"]),
    ("flow", &["mistakes", "datagram", "trace", "nonblock"]),
    ("proto", &["error", "secret", "datagram"]),
    (
        "session",
        &[
            "mistakes", "error", "units", "datagram", "trace", "explain", "nonblock", "reactor",
            "flow", "proto",
        ],
    ),
    (
        "app",
        &[
            "mistakes", "error", "units", "datagram", "json", "trace", "explain", "nonblock",
            "reactor", "sys", "flow", "proto", "session",
        ],
    ),
    ("voices", &["error", "units", "trace", "explain", "sys"]),
    (
        "cli",
        &[
            "error", "secret", "datagram", "trace", "sys", "flow", "proto", "session", "app",
            "voices",
        ],
    ),
    ("main", &["error", "explain", "sys", "app", "voices", "cli"]),
];

#[test]
fn arrows_go_down_only() {
    let mut seen = 0;
    for file in sources(&source_folder()) {
        let module = module_of(&file);
        let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == module) else {
            assert!(
                ["lib", "layers", "places", "testing"].contains(&module.as_str()),
                "{module} is in no layer"
            );
            continue;
        };
        let text = fs::read_to_string(&file).expect("source file");
        let used = modules_used(&text, depth_of(&file));
        let used = used.unwrap_or_else(|line| panic!("{}: {line}", file.display()));
        for used in used.into_iter().filter(|used| *used != module && *used != "testing") {
            seen += 1;
            assert!(allowed.contains(&used), "{}: {module} must not know {used}", file.display());
        }
    }
    assert!(seen > 20, "only {seen} arrows: the sources were not read");
}

/// The modules at the root that a source file names. It says each by itself, and from the root, so that it
/// can be found: a line that does not is the error. `depth` is that of the file's own module, 1 for one at
/// the root.
fn modules_used(text: &str, depth: usize) -> Result<Vec<&str>, String> {
    let mut used = Vec::new();
    // How far the inline modules that a line is in are indented.
    let mut inline: Vec<usize> = Vec::new();
    for whole in text.lines() {
        let line = whole.trim();
        if line.starts_with("//") || line.contains("\"pollcat::") {
            continue;
        }
        let indent = whole.len() - whole.trim_start().len();
        if line == "}" && inline.last() == Some(&indent) {
            inline.pop();
        }
        for path in ["crate::", "pollcat::"].iter().flat_map(|root| line.split(root).skip(1)) {
            let end = path.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(path.len());
            if end == 0 {
                return Err(format!("several modules at once: {line}"));
            }
            used.push(&path[..end]);
        }
        if longest_way_up(line) >= depth + inline.len() {
            return Err(format!("up to the root, and down again: {line}"));
        }
        let is_module = line.starts_with("mod ") || line.contains(" mod ");
        if is_module && line.ends_with('{') {
            inline.push(indent);
        }
    }
    Ok(used)
}

/// How many `super` stand in a row, at most.
fn longest_way_up(line: &str) -> usize {
    let mut longest = 0;
    let mut rest = line;
    while let Some(at) = rest.find("super::") {
        let behind = rest[at..].trim_start_matches("super::");
        longest = longest.max((rest.len() - at - behind.len()) / "super::".len());
        rest = behind;
    }
    longest
}

#[test]
fn no_arrow_goes_unseen() {
    fn modules(text: &str, depth: usize) -> Option<Vec<&str>> {
        modules_used(text, depth).ok()
    }
    assert_eq!(
        modules("use crate::sys::net;\nlet x = crate::flow::A(crate::error::B);", 1),
        Some(vec!["sys", "flow", "error"])
    );
    assert_eq!(modules("//! [`crate::app`]\npub(crate) use pollcat::cli;", 1), Some(vec!["cli"]));
    for several in
        ["use crate::{app, sys};", "use crate::{", "use crate::*;", "use pollcat::{app};"]
    {
        assert_eq!(modules(several, 3), None, "{several}");
    }
    for (depth, inside, outside) in [
        (1, "self::x", "super::app::y"),
        (2, "super::x", "super::super::app::y"),
        (3, "super::super::x", "super::super::super::app::y"),
    ] {
        assert_eq!(modules(&format!("use {inside};"), depth), Some(vec![]));
        assert_eq!(modules(&format!("use {outside};"), depth), None);
        assert_eq!(modules(&format!("x(super::z, {outside})"), depth), None);
    }
    // An inline module is one step further down, as far as it goes.
    let tests = "#[cfg(test)]\nmod tests {\n    use super::*;\n}\n";
    assert_eq!(modules(tests, 1), Some(vec![]));
    assert_eq!(modules(&format!("{tests}use super::app;"), 1), None);
    assert_eq!(modules(&tests.replace("super::*", "super::super::app"), 1), None);
}

#[test]
fn the_table_of_layers_has_no_cycle() {
    for (at, (name, allowed)) in LAYERS.iter().enumerate() {
        for used in *allowed {
            let below = LAYERS[..at].iter().any(|(lower, _)| lower == used);
            assert!(below, "{name} uses {used}, which does not stand below it");
        }
    }
}

pub(crate) fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("source folder") {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
    files
}

/// The module at the root that a file belongs to.
fn module_of(file: &Path) -> String {
    let inside = file.strip_prefix(source_folder()).expect("in src");
    let first = inside.components().next().expect("a name").as_os_str().to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

/// How far below the root a file's module is; those at the root have 1.
fn depth_of(file: &Path) -> usize {
    let inside = file.strip_prefix(source_folder()).expect("in src");
    inside.components().count()
}

fn source_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}
