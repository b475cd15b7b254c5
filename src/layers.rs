//! The layers of the house, held against its `use` lines: an arrow that goes up fails here.

use std::fs;
use std::path::{Path, PathBuf};

/// Each module with those it may use. What stands on the same line does not know its neighbours.
const LAYERS: &[(&str, &[&str])] = &[
    ("mistakes", &[]),
    ("error", &[]),
    ("json", &["error"]),
    ("trace", &["error", "json"]),
    ("explain", &["error"]),
    ("nonblock", &["mistakes"]),
    ("reactor", &["mistakes", "trace", "explain"]),
    ("sys", &["mistakes", "error", "trace", "explain", "nonblock"]),
    ("flow", &["mistakes", "trace", "nonblock"]),
    ("proto", &["error", "explain"]),
    ("session", &["mistakes", "error", "trace", "explain", "nonblock", "reactor", "flow", "proto"]),
    (
        "app",
        &[
            "mistakes", "error", "json", "trace", "explain", "nonblock", "reactor", "sys", "flow",
            "proto", "session",
        ],
    ),
    ("voices", &["error", "trace", "explain", "sys"]),
    ("cli", &["error", "trace", "sys", "flow", "proto", "session", "app", "voices"]),
    ("main", &["error", "explain", "sys", "app", "voices", "cli"]),
];

#[test]
fn arrows_go_down_only() {
    let mut seen = 0;
    for file in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let module = module_of(&file);
        let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == module) else {
            assert!(
                ["lib", "layers", "testing"].contains(&module.as_str()),
                "{module} is in no layer"
            );
            continue;
        };
        let text = fs::read_to_string(&file).expect("source file");
        for line in text
            .lines()
            .map(str::trim)
            .filter(|line| !line.starts_with("//") && !line.contains("\"pollcat::"))
        {
            for used in line.split("crate::").skip(1).chain(line.split("pollcat::").skip(1)) {
                let used = used
                    .split(|c: char| !c.is_alphanumeric() && c != '_')
                    .next()
                    .unwrap_or_default();
                if used == module || used == "testing" || used.is_empty() {
                    continue;
                }
                seen += 1;
                assert!(
                    allowed.contains(&used),
                    "{}: {module} must not know {used}",
                    file.display()
                );
            }
        }
    }
    assert!(seen > 20, "only {seen} arrows: the sources were not read");
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

fn sources(folder: &Path) -> Vec<PathBuf> {
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

fn module_of(file: &Path) -> String {
    let inside =
        file.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).expect("in src");
    let first = inside.components().next().expect("a name").as_os_str().to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}
