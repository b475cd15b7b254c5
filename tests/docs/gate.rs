//! What docs/contributing.md says of the gate, held against the gate.

use crate::{read, section};

/// Step by step, in the order in which they are taken. What is installed first is no step of everybody's.
#[test]
fn the_steps_of_the_gate_are_told_as_they_are() {
    let gate = read(".ci/run");
    let steps = gate.lines().filter_map(|line| line.strip_prefix("step \"")?.strip_suffix('"'));
    let steps: Vec<_> = steps.collect();
    assert!(steps.len() > 8, "only {steps:?} were read");

    let page = read("docs/contributing.md");
    let (_, table) = section(&page, "Test").split_once("| step |").expect("a table of the steps");
    let rows = table.lines().skip(2).map_while(|line| line.strip_prefix("| ")?.split(" | ").next());
    assert_eq!(rows.collect::<Vec<_>>(), steps, "docs/contributing.md, and .ci/run");
}
