//! A transcript as it is written: what is typed, and what is shown below it.
//!
//! ```text
//! $ command       in the only console; the next line waits for its end
//! 1$ command      in console 1; one that goes on is left running
//! > more          the next line of the command above
//! output          of the command above
//! 1: output       later output of console 1
//! 1> text         a line typed into the command of console 1
//! 1^D  1^C        the end of its stdin; SIGINT
//! # text          for the reader; `# deadline 60s` gives every later step so long
//! ...             any lines
//! ```

use std::collections::BTreeSet;
use std::time::Duration;

/// The only console of a block that numbers none.
pub(crate) const ONLY: u8 = 0;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Deadline(Duration),
    Run(u8, String),
    Type(u8, String),
    EndInput(u8),
    Interrupt(u8),
}

/// A step, and what stands below it.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// `None`: only text, or output that no step has just caused.
    pub(crate) step: Option<Step>,
    /// The line of the step in the block, from 0.
    pub(crate) at: usize,
    /// The step as it is written; an `Entry` of text: the text.
    pub(crate) written: Vec<String>,
    pub(crate) shown: Vec<Shown>,
}

/// Lines of one console that stand together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) console: u8,
    /// Written as `1: text`.
    pub(crate) numbered: bool,
    pub(crate) at: usize,
    pub(crate) lines: Vec<String>,
}

/// The entries of a block, or the line that cannot be read and why.
pub(crate) fn parse(body: &[&str]) -> Result<Vec<Entry>, (usize, String)> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut consoles = BTreeSet::new();
    let mut at = 0;
    while at < body.len() {
        let line = body[at];
        let start = at;
        at += 1;
        let mut written = vec![line.to_owned()];
        let step = match step(line, &consoles) {
            Line::Step(Step::Run(console, mut command)) => {
                while let Some(more) = body.get(at).and_then(|line| continuation(line)) {
                    command = command + "\n" + more;
                    written.push(body[at].to_owned());
                    at += 1;
                }
                consoles.insert(console);
                Some(Step::Run(console, command))
            }
            Line::Step(step) => {
                if let Some(console) = step.console().filter(|console| !consoles.contains(console))
                {
                    return Err((start, format!("console {console} has run nothing yet")));
                }
                Some(step)
            }
            Line::Text => None,
            Line::Later(console, text) => {
                let entry = entries.last_mut().ok_or((start, "output of nothing".to_owned()))?;
                push(&mut entry.shown, console, true, start, text);
                continue;
            }
            Line::Output => {
                let entry = entries.last_mut().ok_or((start, "output of nothing".to_owned()))?;
                let console = entry.step.as_ref().and_then(Step::console);
                let console = console.ok_or((start, "output below a comment".to_owned()))?;
                push(&mut entry.shown, console, false, start, line);
                continue;
            }
        };
        entries.push(Entry { step, at: start, written, shown: Vec::new() });
    }
    Ok(entries)
}

fn push(shown: &mut Vec<Shown>, console: u8, numbered: bool, at: usize, line: &str) {
    match shown.last_mut() {
        Some(last) if last.console == console && last.numbered == numbered => {
            last.lines.push(line.to_owned());
        }
        _ => shown.push(Shown { console, numbered, at, lines: vec![line.to_owned()] }),
    }
}

impl Step {
    pub(crate) fn console(&self) -> Option<u8> {
        match self {
            Self::Deadline(_) => None,
            Self::Run(console, _)
            | Self::Type(console, _)
            | Self::EndInput(console)
            | Self::Interrupt(console) => Some(*console),
        }
    }
}

enum Line<'a> {
    Step(Step),
    Text,
    Later(u8, &'a str),
    Output,
}

fn step<'a>(line: &'a str, consoles: &BTreeSet<u8>) -> Line<'a> {
    if let Some(command) = line.strip_prefix("$ ") {
        return Line::Step(Step::Run(ONLY, command.to_owned()));
    }
    if let Some(text) = line.strip_prefix("# deadline ") {
        let seconds = text.trim_end().strip_suffix('s').and_then(|number| number.parse().ok());
        return seconds.map_or(Line::Text, |seconds| {
            Line::Step(Step::Deadline(Duration::from_secs(seconds)))
        });
    }
    if line.starts_with("# ") || line == "#" {
        return Line::Text;
    }
    let digits = line.chars().next().and_then(|digit| digit.to_digit(10));
    let Some(console) = digits.and_then(|digit| u8::try_from(digit).ok()) else {
        return Line::Output;
    };
    let rest = &line[1..];
    if let Some(command) = rest.strip_prefix("$ ") {
        return Line::Step(Step::Run(console, command.to_owned()));
    }
    // Anything else is such a line only where there is such a console: `1: lo: <LOOPBACK>`.
    if !consoles.contains(&console) {
        return Line::Output;
    }
    match rest {
        "^D" => Line::Step(Step::EndInput(console)),
        "^C" => Line::Step(Step::Interrupt(console)),
        ":" => Line::Later(console, ""),
        ">" => Line::Step(Step::Type(console, String::new())),
        _ => match (rest.strip_prefix(": "), rest.strip_prefix("> ")) {
            (Some(text), _) => Line::Later(console, text),
            (_, Some(text)) => Line::Step(Step::Type(console, text.to_owned())),
            _ => Line::Output,
        },
    }
}

fn continuation(line: &str) -> Option<&str> {
    line.strip_prefix("> ").or((line == ">").then_some(""))
}
