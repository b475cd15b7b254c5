//! The head of a report, and `docs/performance.md`.

use std::fmt;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::Command;

use crate::isolate;
use crate::measure::{Tool, counting_tool};
use crate::peers::Program;
use crate::setup::Bench;

/// What the figures depend on.
pub(crate) struct Machine {
    facts: Vec<(&'static str, String)>,
}

impl Machine {
    pub(crate) fn look(bench: &Bench, rounds: usize) -> Self {
        let cpus = std::thread::available_parallelism().map_or(0, usize::from);
        let network = if isolate::is_isolated() {
            "a namespace of its own"
        } else {
            "the machine's own (no namespace to be had: other programs share it)"
        };
        let counted = match counting_tool() {
            Some(Tool::Perf) => "with perf",
            Some(Tool::Strace) => "with strace, which slows programs down: the counts are too low",
            None => "not at all: neither perf nor strace works here",
        };
        let place = bench.dir.path().parent().map(|dir| dir.display().to_string());
        let mut facts = vec![
            ("date", said("date", &["-u", "+%F"])),
            ("processor", format!("{cpus} x {}", processor())),
            ("kernel", kernel()),
            ("network", format!("loopback, {network}; {}", isolate::congestion_control())),
            ("files", format!("{} MiB, in {}", bench.bulk >> 20, place.unwrap_or_default())),
            ("system calls", format!("counted {counted}")),
            ("rounds", rounds.to_string()),
        ];
        if bench.quick {
            facts.push(("**note**", "`--quick`: the figures say nothing about speed".to_owned()));
        }
        for peer in VERSIONED {
            let version = peer.version().unwrap_or_else(|| "not installed".to_owned());
            facts.push((peer.name(), version));
        }
        Self { facts }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "| | |\n|---|---|")?;
        self.facts.iter().try_for_each(|(name, value)| writeln!(out, "| {name} | {value} |"))
    }
}

/// Writes the document, and says where.
pub(crate) fn write(machine: &Machine, sections: &[String]) -> io::Result<PathBuf> {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/performance.md"));
    let text = PROSE
        .replace("{machine}", machine.to_string().trim_end())
        .replace("{cases}", sections.join("\n").trim_end());
    fs::write(&path, text)?;
    Ok(path)
}

/// `Linux 6.18`: what a distribution or a machine adds to that does not matter here.
fn kernel() -> String {
    let release = said("uname", &["-sr"]);
    release.split('.').take(2).collect::<Vec<_>>().join(".")
}

fn processor() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    model.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.trim().to_owned())
}

fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map_or_else(
        |_| "unknown".to_owned(),
        |said| String::from_utf8_lossy(&said.stdout).trim().to_owned(),
    )
}

const VERSIONED: [Program; 6] = [
    Program::Ours,
    Program::Openbsd,
    Program::Ncat,
    Program::Socat,
    Program::Busybox,
    Program::Nmap,
];

/// What stands around the tables.
const PROSE: &str = include_str!("performance.md.in");
