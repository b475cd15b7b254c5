//! What the program is built of, held against `docs/dependencies.md` and `deny.toml`. cargo knows it without
//! a network; what needs one is in `.ci/supply`.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use super::{markdown::root, read};

#[test]
fn the_page_has_every_crate_of_the_program_with_its_licence_and_no_other() {
    let page = read("docs/dependencies.md");
    let mut listed = BTreeMap::new();
    for line in page.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let name = cells[0].trim_matches('`').to_owned();
        assert!(cells.len() == 5 && cells.iter().all(|cell| !cell.is_empty()), "{line}");
        let again = listed.insert(name, cells[3].to_owned());
        assert!(again.is_none(), "twice: {line}");
    }
    let tree: BTreeMap<_, _> = tree().into_iter().map(|it| (it.name, it.licence)).collect();
    assert_eq!(listed, tree, "left: docs/dependencies.md, right: cargo tree");
}

#[test]
fn every_licence_is_one_that_deny_toml_allows() {
    let config = read("deny.toml");
    let list = config.split_once("\nallow = [").and_then(|(_, rest)| rest.split_once(']'));
    let list = list.expect("a list of licences").0;
    let allowed: BTreeSet<_> = list.split(',').map(|word| word.trim().trim_matches('"')).collect();
    assert!(allowed.contains("MIT"), "{allowed:?}");
    for krate in tree() {
        let words = krate.licence.replace(['(', ')'], "").replace('/', " OR ");
        // One of several may be chosen; of those that belong together all have to be right.
        let is_right = words
            .split(" AND ")
            .all(|all| all.split(" OR ").any(|one| allowed.contains(one.trim())));
        assert!(is_right, "{}: {}", krate.name, krate.licence);
    }
}

#[test]
fn every_crate_is_from_the_registry_and_the_program_has_one_version_of_it() {
    let lock = read("Cargo.lock");
    let mut seen = 0;
    for package in
        lock.split("[[package]]\n").skip(1).filter(|text| !text.contains("name = \"pollcat\""))
    {
        let is_pinned = package.contains(
            "\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\nchecksum = \"",
        );
        assert!(is_pinned, "{package}");
        seen += 1;
    }
    assert!(seen > 30, "only {seen} packages were read");
    let mut names = BTreeSet::new();
    for krate in tree() {
        let is_excepted = krate.name == "syn" && read("deny.toml").contains("crate = \"syn@2\"");
        let is_new = names.insert(krate.name.clone());
        assert!(is_new || is_excepted, "two versions of {}", krate.name);
    }
}

struct Crate {
    name: String,
    version: String,
    licence: String,
}

/// What is compiled for the program, with every feature, for this machine; but for the program itself.
fn tree() -> Vec<Crate> {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--locked",
            "--offline",
            "--all-features",
            "--prefix",
            "none",
            "--edges",
            "normal,build",
        ])
        .args(["--format", "{p}|{l}"])
        .current_dir(root())
        .output()
        .expect("cargo");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    // A crate that has been shown has a mark behind its licence.
    let lines: BTreeSet<_> = text.lines().map(|line| line.trim_end_matches(" (*)")).collect();
    let crates = lines.into_iter().filter_map(|line| {
        let (package, licence) = line.split_once('|')?;
        let (name, version) = package.split_once(' ')?;
        // `(proc-macro)`, or the path of the program.
        let version = version.split(' ').next()?;
        Some(Crate { name: name.into(), version: version.into(), licence: licence.into() })
    });
    let mut crates: Vec<_> = crates.filter(|krate| krate.name != "pollcat").collect();
    crates.dedup_by(|one, other| (&one.name, &one.version) == (&other.name, &other.version));
    assert!(crates.len() > 20, "only {} crates were read", crates.len());
    crates
}
