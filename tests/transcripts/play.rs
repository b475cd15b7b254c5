//! Plays a transcript: does what it says, and compares what is shown with what comes.

use std::time::{Duration, Instant};

use crate::console::{Stage, pause};
use crate::normalise::{self, ANY};
use crate::parse::{Entry, ONLY, Shown, Step};

/// Where a transcript is not true, as the line in the block from 0, and why.
pub(crate) type Stale = (usize, String);

/// Plays all of it, as far as it is true.
pub(crate) fn check(entries: &[Entry], text: &str) -> Result<(), Stale> {
    let mut player = Player::new(entries, text)?;
    for entry in entries {
        let Some(step) = &entry.step else { continue };
        if let Some(console) = step.console() {
            player.nothing_is_left(console, entry.at)?;
        }
        player.perform(step, entry.at)?;
        let (own, others) = match (step, entry.shown.split_first()) {
            (Step::Run(..), Some((own, others))) if !own.numbered => (own.lines.clone(), others),
            _ => (Vec::new(), &*entry.shown),
        };
        if let Step::Run(console, _) = step {
            player.answers(*console, *console == ONLY, &own, entry.at)?;
        }
        for Shown { console, lines, at, .. } in others {
            player.answers(*console, false, lines, *at)?;
        }
        if !matches!(step, Step::Run(ONLY, _)) {
            player.let_it_settle(Duration::from_secs(1));
        }
    }
    player.let_it_settle(Duration::from_secs(5));
    let last = entries.last().map_or(0, |entry| entry.at);
    for console in consoles(entries) {
        player.nothing_is_left(console, last)?;
    }
    Ok(())
}

/// Plays all of it, and returns it with what has come.
pub(crate) fn record(entries: &[Entry], text: &str) -> Result<Vec<String>, Stale> {
    let mut player = Player::new(entries, text)?;
    let mut lines = Vec::new();
    for entry in entries {
        lines.extend(entry.written.iter().cloned());
        let Some(step) = &entry.step else { continue };
        player.perform(step, entry.at)?;
        let Some(acting) = step.console() else { continue };
        player.waits_for_all_of(entry)?;
        let mut order: Vec<_> = entry.shown.iter().map(|shown| shown.console).collect();
        order.insert(0, acting);
        order.extend(consoles(entries));
        for console in order {
            let pending = player.stage.pending(console);
            player.stage.take(console, pending.len());
            let is_own = console == acting && matches!(step, Step::Run(..));
            let groups = entry.shown.iter().filter(|shown| shown.console == console);
            let old: Vec<_> = groups.flat_map(|shown| shown.lines.clone()).collect();
            let new = if normalise::matches(&old, &pending) { old } else { pending };
            lines.extend(new.iter().map(|line| match (is_own || console == ONLY, &**line) {
                (true, line) => line.to_owned(),
                (false, "") => format!("{console}:"),
                (false, line) => format!("{console}: {line}"),
            }));
        }
    }
    Ok(lines)
}

struct Player {
    stage: Stage,
    consoles: Vec<u8>,
    deadline: Duration,
}

impl Player {
    fn new(entries: &[Entry], text: &str) -> Result<Self, Stale> {
        let consoles = consoles(entries);
        let stage = Stage::new(&consoles, text).map_err(|why| (0, why))?;
        Ok(Self { stage, consoles, deadline: DEADLINE })
    }

    fn perform(&mut self, step: &Step, at: usize) -> Result<(), Stale> {
        let done = match step {
            Step::Deadline(time) => {
                self.deadline = *time;
                Ok(())
            }
            Step::Run(console, command) => {
                self.ends(*console, at)?;
                self.stage.run(*console, command)
            }
            Step::Type(console, text) => self.stage.type_line(*console, text),
            Step::EndInput(console) => {
                self.stage.end_input(*console);
                Ok(())
            }
            Step::Interrupt(console) => {
                self.stage.interrupt(*console);
                Ok(())
            }
        };
        done.map_err(|why| (at, why))
    }

    /// Waits until a console's command has ended.
    fn ends(&mut self, console: u8, at: usize) -> Result<(), Stale> {
        let begun = Instant::now();
        while self.stage.is_running(console) {
            if begun.elapsed() > self.deadline {
                let output = self.stage.pending(console).join("\n");
                let why =
                    format!("the command did not end in {:?}; so far:\n{output}", self.deadline);
                return Err((at, why));
            }
            pause();
        }
        Ok(())
    }

    /// Waits until a console has printed this, and all is still. A command that `must_end` prints
    /// nothing else.
    fn answers(
        &mut self,
        console: u8,
        must_end: bool,
        shown: &[String],
        at: usize,
    ) -> Result<(), Stale> {
        let begun = Instant::now();
        loop {
            let is_over = !self.stage.is_running(console);
            let is_still = is_over && must_end || self.stage.is_still(console, STILL);
            let output = self.stage.pending(console);
            if let Some(lines) = prefix(shown, &output)
                && is_still
                && (is_over || !must_end)
            {
                self.stage.take(console, lines);
                return if must_end { self.nothing_is_left(console, at) } else { Ok(()) };
            }
            let hopeless = is_over && is_still && (must_end || console_is_alone(&self.consoles));
            if hopeless || begun.elapsed() > self.deadline {
                let late =
                    if hopeless { String::new() } else { format!(" in {:?}", self.deadline) };
                let why = if prefix(shown, &output).is_some() {
                    format!("console {console} did not come to an end or to rest{late}")
                } else {
                    format!("shown (-) did not come{late}, this did (+):\n{}", diff(shown, &output))
                };
                return Err((at, why));
            }
            pause();
        }
    }

    /// What has come so far has been shown.
    fn nothing_is_left(&mut self, console: u8, at: usize) -> Result<(), Stale> {
        let output = self.stage.pending(console);
        if output.is_empty() {
            return Ok(());
        }
        let who = if console == ONLY { "this".to_owned() } else { format!("console {console}") };
        Err((at, format!("not shown of {who}, before or below:\n{}", diff(&[], &output))))
    }

    fn waits_for_all_of(&mut self, entry: &Entry) -> Result<(), Stale> {
        if let Some(Step::Run(ONLY, _)) = entry.step {
            return self.ends(ONLY, entry.at);
        }
        let begun = Instant::now();
        loop {
            let complete = self.consoles.clone().into_iter().all(|console| {
                let groups = entry.shown.iter().filter(|shown| shown.console == console);
                let shown: Vec<_> = groups.flat_map(|shown| shown.lines.clone()).collect();
                normalise::matches(&shown, &self.stage.pending(console))
            });
            let window = if complete { STILL * 4 } else { STILL * 16 };
            if self.consoles.clone().into_iter().all(|console| self.stage.is_still(console, window))
                || begun.elapsed() > self.deadline
            {
                return Ok(());
            }
            pause();
        }
    }

    fn let_it_settle(&mut self, most: Duration) {
        let begun = Instant::now();
        while begun.elapsed() < most {
            if self.consoles.clone().into_iter().all(|console| self.stage.is_still(console, STILL))
            {
                return;
            }
            pause();
        }
    }
}

/// How many lines of the output are what is shown: as few as can be, or all where it ends with `...`.
fn prefix(shown: &[String], output: &[String]) -> Option<usize> {
    if shown.last().is_some_and(|line| line == ANY) {
        return normalise::matches(shown, output).then_some(output.len());
    }
    normalise::first_lines(shown, output)
}

fn console_is_alone(consoles: &[u8]) -> bool {
    consoles.len() == 1
}

fn consoles(entries: &[Entry]) -> Vec<u8> {
    let steps = entries.iter().filter_map(|entry| entry.step.as_ref());
    let mut consoles: Vec<_> = steps.filter_map(Step::console).collect();
    consoles.sort_unstable();
    consoles.dedup();
    consoles
}

/// The longest common part without marks, what only one of the two has with `-` and `+`.
fn diff(old: &[String], new: &[String]) -> String {
    let same = |i: usize, j: usize| normalise::normal(&old[i]) == normalise::normal(&new[j]);
    let mut longest = vec![vec![0; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            longest[i][j] = if same(i, j) {
                longest[i + 1][j + 1] + 1
            } else {
                longest[i + 1][j].max(longest[i][j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut lines = Vec::new();
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && same(i, j) {
            lines.push(format!("      {}", new[j]));
            (i, j) = (i + 1, j + 1);
        } else if i < old.len() && (j == new.len() || longest[i + 1][j] >= longest[i][j + 1]) {
            lines.push(format!("    - {}", old[i]));
            i += 1;
        } else {
            lines.push(format!("    + {}", new[j]));
            j += 1;
        }
    }
    lines.join("\n")
}

/// For a step, unless the transcript says otherwise: far beyond what is needed on a loaded machine.
const DEADLINE: Duration = Duration::from_secs(20);

/// Nobody in the place was awake for so long: whatever was to come has come.
const STILL: Duration = Duration::from_millis(50);
