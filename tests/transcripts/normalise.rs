//! What differs from run to run, replaced by what it is: ports that the kernel chose, processes,
//! times, addresses. And the comparison of lines that have been normalised.

use std::sync::LazyLock;

use regex_lite::{Captures, Regex};

/// Whether the output is what is shown, where a line `...` stands for any lines.
pub(crate) fn matches(shown: &[String], output: &[String]) -> bool {
    let shown: Vec<_> = shown.iter().map(|line| normal(line)).collect();
    let output: Vec<_> = output.iter().map(|line| normal(line)).collect();
    same(&shown, &output)
}

/// How many of the first lines of the output are what is shown; the fewest. Each line is read once, for
/// this is asked again and again.
pub(crate) fn first_lines(shown: &[String], output: &[String]) -> Option<usize> {
    let shown: Vec<_> = shown.iter().map(|line| normal(line)).collect();
    let output: Vec<_> = output.iter().map(|line| normal(line)).collect();
    (0..=output.len()).find(|lines| same(&shown, &output[..*lines]))
}

fn same(shown: &[String], output: &[String]) -> bool {
    match shown.split_first() {
        None => output.is_empty(),
        Some((first, rest)) if first == ANY => {
            (0..=output.len()).any(|skipped| same(rest, &output[skipped..]))
        }
        Some((first, rest)) => output.first() == Some(first) && same(rest, &output[1..]),
    }
}

/// A line without what is volatile in it.
pub(crate) fn normal(line: &str) -> String {
    let mut line = line.trim_end().to_owned();
    for (pattern, kind) in RULES.iter() {
        line = pattern.replace_all(&line, *kind).into_owned();
    }
    let ports = |number: &Captures<'_>| match number[0].parse() {
        Ok(32768_u32..=60999) => "PORT".to_owned(),
        _ => number[0].to_owned(),
    };
    NUMBER.replace_all(&line, ports).into_owned()
}

/// Any lines.
pub(crate) const ANY: &str = "...";

static NUMBER: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\b\d{5}\b").expect("a pattern"));

/// In this order.
static RULES: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    let rules = [
        // Dates and times of day.
        (r"\b\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d([.,]\d+)?)?)?(Z| ?[+-]\d\d:?\d\d)?\b", "DATE"),
        (
            r"\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun),? +(\d\d? )?[A-Z][a-z]{2} +\d[\d: ]*(UTC|GMT)?( \d{4})?",
            "DATE",
        ),
        (
            r"\b(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) +\d\d? +(\d\d:\d\d(:\d\d)?|\d{4})\b",
            "DATE",
        ),
        (r"\b\d\d:\d\d:\d\d(\.\d+)?\b", "CLOCK"),
        // Processes.
        (r"\b(pid|PID|fd/|proc/)([= ]+)\d+", "$1${2}N"),
        (r"\[pid +\d+\]", "[pid N]"),
        (r"^\[(\d+)\] \d+$", "[$1] PID"),
        (r"^\d+ +([a-z_0-9]+\(|\+\+\+|---|<\.\.\.)", "PID $1"),
        // The first column of `nc --trace`.
        (r"^ *\d+ (loop|io|state) ", "TIME $1 "),
        // How far it is (`--progress`), but for what makes it so.
        (r"\b\d+%, \d+:\d\d left, \d+:\d\d so far; sent [\d.]+ [KMG]iB\b", "PROGRESS"),
        // Rates before durations: `1.2 MB/s`.
        (r"\b\d+([.,]\d+)? ?([kKMGT]i?)?(B|bytes|bit)/s(ec)?\b", "RATE"),
        (r"\b\d+ segments?\b", "N segments"),
        (r"\b\d+m\d+\.\d+s\b", "TIME"),
        (r"\b\d+(\.\d+)? ?(ns|us|µs|ms|s|sec|seconds)\b", "TIME"),
        (r"<\d+\.\d{6}>", "<TIME>"),
        // Names that are made up.
        (r"/tmp/[\w.-]*[tT]mp[\w.-]*", "/tmp/TMP"),
        (r"\b(socket|pipe|anon_inode|net|mnt|pid):\[\d+\]", "$1:[N]"),
        (r"\b0x[0-9a-f]{6,}\b", "ADDRESS"),
        (r"\bino:\d+", "ino:N"),
        (r" {2,}", " "),
    ];
    rules.map(|(pattern, kind)| (Regex::new(pattern).expect("a pattern"), kind)).into()
});
