//! The documents, held against the program and the tree: every option has its place in them, they
//! name no other, and the source files that they name are there. Their links and transcripts are read by
//! the test `transcripts`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use markdown::{files, pages, root};

/// Shell completions, as they are made.
mod completions;

/// What the program is built of.
mod dependencies;

/// The gate, and what is said of it.
mod gate;

/// The documents as they are written.
mod markdown;

/// Promises and faults, and the tests that hold them.
mod reliability;

#[test]
fn the_man_page_has_every_option_and_no_other() {
    assert_same(&options_of_the_program(), &options_of_the_man_page(), "docs/nc.1");
}

#[test]
fn the_readme_has_every_option_and_no_other() {
    let readme = read("README.md");
    assert_same(&options_of_the_program(), &options_of(section(&readme, "Options")), "README.md");
}

/// Whoever has the help in one window finds the place in the other.
#[test]
fn the_man_page_and_the_readme_keep_the_order_of_the_help() {
    let order: Vec<_> = help().into_iter().map(|entry| entry[0].clone()).collect();
    let man = read("docs/nc.1");
    let (description, _) = man.split_once(".Sh PORTS").expect("a description");
    let items = description.lines().filter_map(|line| line.strip_prefix(".It Fl "));
    let of_man: Vec<_> = items.map(|item| format!("-{}", bare(item))).collect();
    let readme = table(section(&read("README.md"), "Options"));
    let of_readme: Vec<_> = readme.into_iter().map(|row| row.options[0].clone()).collect();
    for (page, listed) in [("docs/nc.1", of_man), ("README.md", of_readme)] {
        let places: Vec<_> =
            listed.iter().map(|option| order.iter().position(|it| it == option)).collect();
        for (pair, names) in places.windows(2).zip(listed.windows(2)) {
            assert!(pair[0] < pair[1], "{page}: {} before {}", names[0], names[1]);
        }
        assert!(places.len() > 50, "{page}: only {listed:?} were read");
    }
}

#[test]
fn the_compatibility_tables_have_every_option() {
    let listed = options_of(&read("docs/compatibility.md"));
    let missing: Vec<_> = options_of_the_program().difference(&listed).cloned().collect();
    assert!(missing.is_empty(), "docs/compatibility.md has no row for {missing:?}");
}

#[test]
fn the_compatibility_tables_tell_what_exists() {
    let page = read("docs/compatibility.md");
    let known = options_of_the_program();
    let mut rows = 0;
    for tool in ["Debian's nc", "ncat", "nc.traditional", "busybox", "toybox"] {
        for Row { options, last } in table(section(&page, tool)) {
            rows += 1;
            let exists = match last.split([' ', ':', ',', ';']).next() {
                Some("same" | "differs") => true,
                Some("not") => false,
                _ => panic!("{tool}: {options:?} has no verdict: {last:?}"),
            };
            for option in options {
                assert_eq!(known.contains(&option), exists, "{tool}: {option} is called {last:?}");
            }
        }
    }
    assert!(rows > 100, "only {rows} rows were read");
}

/// A path may be written from the root, from `src`, or from where the examples are.
#[test]
fn every_source_file_that_is_named_exists() {
    let mut missing = Vec::new();
    let mut seen = 0;
    for page in pages() {
        let prose: Vec<_> = page.prose().into_iter().map(|(_, line)| line).collect();
        let prose = prose.join("\n");
        let parts: Vec<_> = prose.split('`').collect();
        for pair in parts[1..].chunks(2) {
            let word = pair[0];
            let is_rust = Path::new(word).extension().is_some_and(|ending| ending == "rs");
            let names_a_file = word.starts_with("src/") || word.starts_with("tests/") || is_rust;
            // Where a link leads is looked at by those who look at links.
            let is_link = pair.get(1).is_some_and(|behind| behind.starts_with("]("));
            if !names_a_file || is_link {
                continue;
            }
            seen += 1;
            let exists =
                ["", "src", "docs/examples"].iter().any(|at| root().join(at).join(word).exists());
            missing.extend((!exists).then(|| format!("{}: there is no {word}", page.name)));
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
    assert!(seen > 20, "only {seen} paths were read");
}

/// Every module is in the map, but for tests.
#[test]
fn every_module_is_in_the_architecture() {
    let page = read("docs/architecture.md");
    let src = root().join("src");
    for file in files(&src, "rs") {
        let path = file.strip_prefix(&src).expect("in src").display().to_string();
        let is_test = path.contains("tests") || path.ends_with("lab.rs");
        assert!(
            is_test || page.contains(&format!("`{path}`")),
            "docs/architecture.md does not name {path}"
        );
    }
}

#[test]
#[ignore = "needs mandoc"]
fn the_man_page_is_well_formed() {
    let lint = Command::new("mandoc")
        .args(["-Tlint", "-Wwarning", "docs/nc.1"])
        .current_dir(root())
        .output()
        .expect("mandoc");
    assert!(lint.status.success(), "{}", String::from_utf8_lossy(&lint.stdout));
}

type Options = BTreeSet<String>;

fn assert_same(known: &Options, documented: &Options, page: &str) {
    let missing: Vec<_> = known.difference(documented).collect();
    let unknown: Vec<_> = documented.difference(known).collect();
    assert!(missing.is_empty(), "{page} lacks {missing:?}");
    assert!(unknown.is_empty(), "{page} has {unknown:?}, which the program does not know");
}

/// What the left column of `nc --help` has.
fn options_of_the_program() -> Options {
    let options: Options = help().into_iter().flatten().collect();
    assert!(options.len() > 50, "only {options:?} were read");
    options
}

/// The left column of `nc --help`: the words of each option.
fn help() -> Vec<Vec<String>> {
    let help = Command::new(env!("CARGO_BIN_EXE_nc")).arg("--help").output().expect("nc");
    let help = String::from_utf8(help.stdout).expect("text");
    let entries = help.lines().filter(|line| {
        let entry = line.trim_start();
        // What stands further to the right is explanation.
        entry.starts_with('-') && line.len() - entry.len() <= 6
    });
    let columns = entries.filter_map(|line| line.trim_start().split("  ").next());
    columns.map(|column| column.split(", ").map(bare).collect()).collect()
}

/// The words that the `Fl` macro makes options of: `Fl -udp` is `--udp`, `Fl luk` three letters.
fn options_of_the_man_page() -> Options {
    let page = read("docs/nc.1");
    let mut options = Options::new();
    for line in page.lines().filter(|line| line.starts_with('.')) {
        let words: Vec<_> = line.split_whitespace().collect();
        for pair in words.windows(2).filter(|pair| pair[0].trim_start_matches('.') == "Fl") {
            match pair[1].strip_prefix('-') {
                Some(_) => options.extend([format!("-{}", pair[1])]),
                None => options.extend(pair[1].chars().map(|letter| format!("-{letter}"))),
            }
        }
    }
    options
}

/// An option without its value: `--keepalive[=<SECS>]`, `--verbose...`, `-s ADDR`.
fn bare(option: &str) -> String {
    option.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect()
}

/// A row of a table: the options of its first cells, and its last cell.
struct Row {
    options: Vec<String>,
    last: String,
}

/// The part of a page under the heading that starts so, up to the next one of its rank.
fn section<'a>(page: &'a str, heading: &str) -> &'a str {
    let mut sections = page.split("\n## ").skip(1);
    let found = sections.find(|section| section.starts_with(heading));
    found.unwrap_or_else(|| panic!("no section {heading}"))
}

/// The options that tables have in their first cells.
fn options_of(text: &str) -> Options {
    table(text).into_iter().flat_map(|row| row.options).collect()
}

/// The rows that begin with an option.
fn table(text: &str) -> Vec<Row> {
    let rows = text.lines().filter(|line| line.starts_with("| `-"));
    rows.map(|line| {
        let cells: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let words = cells.iter().take_while(|cell| cell.starts_with("`-"));
        let words = words.flat_map(|cell| cell.split('`').skip(1).step_by(2));
        Row {
            options: words.filter(|word| word.starts_with('-')).map(bare).collect(),
            last: cells.last().copied().unwrap_or_default().to_owned(),
        }
    })
    .collect()
}

fn read(page: &str) -> String {
    fs::read_to_string(root().join(page)).expect("page")
}
