//! How the help is laid out: a table for each group of options, between two paragraphs.
//!
//! clap can do this too, but its layout knows subcommands, styles and wrapping, and weighs 30 KiB. Owns the
//! layout alone: every word comes from `args`.

use std::iter;

use clap::ArgAction;

use super::args::{GROUPS, Word};

/// The template, with the groups of options in the place of [`TABLES`].
pub(super) fn render(template: &str) -> String {
    let tables: Vec<String> = GROUPS.iter().map(|(heading, group)| table(heading, group)).collect();
    template.replacen(TABLES, &tables.join("\n"), 1)
}

fn table(heading: &str, group: &[Word]) -> String {
    let names: Vec<String> = group.iter().map(names).collect();
    let width = names.iter().map(String::len).max().unwrap_or(0);
    let lines = group.iter().zip(&names).flat_map(|(option, names)| {
        // The names stand on the first line.
        let left = iter::once(names.as_str()).chain(iter::repeat(""));
        left.zip(option.help.lines()).map(|(left, help)| format!("  {left:width$}  {help}\n"))
    });
    format!("{heading}:\n{}", lines.collect::<String>())
}

/// `-w <TIME>`, `    --fd <N>`, `-l, --listen` or `-v, --verbose...`: long names stand below each other.
fn names(option: &Word) -> String {
    let names = match (option.letter, option.name) {
        (Some(letter), Some(name)) => format!("-{letter}, --{name}"),
        (None, Some(name)) => format!("    --{name}"),
        (letter, None) => format!("-{}", letter.unwrap_or_default()),
    };
    match option.value {
        Some(value) if option.value_is_optional => format!("{names}[=<{value}>]"),
        Some(value) => format!("{names} <{value}>"),
        None if matches!(option.action, ArgAction::Count) => names + "...",
        None => names,
    }
}

/// Where the groups go in a template.
const TABLES: &str = "{groups}\n";
