//! The program's system calls, seen by strace(1).

use std::fs;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::NamedTempFile;

use super::{Nc, kernel, wait_until};

/// A record of the calls a program makes.
pub(crate) struct Trace {
    file: NamedTempFile,
}

impl Trace {
    /// Has a command traced from its start; `calls` as after strace's `-e trace=`.
    ///
    /// The tracer is a grandchild (`-D`), so that the process the test holds is the program itself.
    #[track_caller]
    pub(crate) fn of(nc: Nc, calls: &str) -> (Nc, Self) {
        Self::with(nc, &["-e", &format!("trace={calls}")])
    }

    /// Has one call traced, and tampered with: `inject` as after strace's `-e inject=CALL:`.
    #[track_caller]
    pub(crate) fn interfering(nc: Nc, call: &str, inject: &str) -> (Nc, Self) {
        let trace = format!("trace={call}");
        Self::with(nc, &["-e", &trace, "-e", &format!("inject={call}:{inject}")])
    }

    /// Has several calls tampered with: each as after strace's `-e inject=`.
    #[track_caller]
    pub(crate) fn tampering(nc: Nc, injects: &[&str]) -> (Nc, Self) {
        let calls: Vec<&str> =
            injects.iter().filter_map(|inject| inject.split(':').next()).collect();
        let trace = format!("trace={}", calls.join(","));
        let injects: Vec<String> =
            injects.iter().map(|inject| format!("inject={inject}")).collect();
        let expressions = injects.iter().flat_map(|inject| ["-e", inject]);
        Self::with(nc, &["-e", &trace].into_iter().chain(expressions).collect::<Vec<_>>())
    }

    #[track_caller]
    fn with(nc: Nc, expressions: &[&str]) -> (Nc, Self) {
        let file = NamedTempFile::new().expect("a temporary file");
        let path = file.path().to_str().expect("a path in UTF-8").to_owned();
        let tracer = [&["-D", "-s", "200", "-o", &path], expressions].concat();
        (nc.under("strace", &tracer), Self { file })
    }

    /// What was to be tampered with was called, and tampered with.
    #[track_caller]
    pub(crate) fn was_felt(&self) {
        assert_felt(&self.file);
    }

    /// Every call, one a line, once the program has ended.
    #[track_caller]
    pub(crate) fn calls(&self) -> Vec<String> {
        let mut text = String::new();
        wait_until("the trace is complete", || {
            text = fs::read_to_string(self.file.path()).expect("the file is ours");
            text.lines().last().is_some_and(|line| line.starts_with("+++"))
        });
        let calls = text.lines().filter(|line| !line.starts_with(['+', '-']));
        // strace lines its results up with spaces.
        calls.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    }
}

/// The first call that contains this.
#[track_caller]
pub(crate) fn find<'a>(calls: &'a [String], text: &str) -> &'a str {
    let found = calls.iter().find(|call| call.contains(text));
    found.unwrap_or_else(|| panic!("no {text:?} in {calls:#?}"))
}

/// Each of the texts is in a call after the one before it.
#[track_caller]
pub(crate) fn assert_in_order(calls: &[String], texts: &[&str]) {
    let mut rest = calls.iter();
    for text in texts {
        let found = rest.any(|call| call.contains(text));
        assert!(found, "no {text:?} in its place in {calls:#?}");
    }
}

#[track_caller]
fn assert_felt(record: &NamedTempFile) {
    // strace may be a moment behind the program that has ended.
    wait_until("the tracer has interfered", || {
        let text = fs::read_to_string(record.path()).expect("the file is ours");
        text.contains("(INJECTED)")
    });
}

/// A tracer that interferes with a process, until it is dropped.
pub(crate) struct Interference {
    tracer: Child,
    record: NamedTempFile,
}

impl Interference {
    /// `inject` as after strace's `-e inject=`.
    #[track_caller]
    pub(crate) fn attach(pid: Pid, inject: &str) -> Self {
        let record = NamedTempFile::new().expect("a temporary file");
        let calls = inject.split(':').next().expect("a call");
        let tracer = Command::new("strace")
            .args(["-qq", "-e", &format!("trace={calls}"), "-e", &format!("inject={inject}")])
            .args(["-p", &pid.as_raw_nonzero().to_string(), "-o"])
            .arg(record.path())
            .stdin(Stdio::null())
            .spawn()
            .expect("strace is installed");
        wait_until("strace is attached", || kernel::status_number(pid, "TracerPid") != 0);
        Self { tracer, record }
    }

    /// What was to be tampered with was called, and tampered with.
    #[track_caller]
    pub(crate) fn was_felt(&self) {
        assert_felt(&self.record);
    }
}

impl Drop for Interference {
    fn drop(&mut self) {
        // A polite end lets go of the program, where it still runs.
        let _ = kill_process(Pid::from_child(&self.tracer), Signal::TERM);
        let _ = self.tracer.wait();
    }
}
