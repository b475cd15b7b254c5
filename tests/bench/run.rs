//! The benchmark: ours beside the other netcats, in the same rounds on the same machine.
//!
//! ```sh
//! cargo bench --bench peers                      # everything, a table a case
//! cargo bench --bench peers -- bulk scan.all     # cases by name, or by the beginning of it
//! cargo bench --bench peers -- --quick           # one small round: does it still work?
//! cargo bench --bench peers -- --write           # docs/performance.md
//! ```
//!
//! Machines differ and so do minutes on the same machine. So in each round all programs run one after
//! another, and what is compared with a target is the median of the rounds' ratios, never a time by
//! itself. A run whose result is wrong has no figure. The exit status is 1 if one of ours was wrong
//! or failed; missing a target is no error.

#![expect(
    clippy::disallowed_methods,
    reason = "the event loop must not block, read the clock or start threads; a benchmark must"
)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a report is what it is for")]

mod bulk;
mod case;
mod clients;
mod helper;
mod idle;
mod isolate;
mod measure;
mod payload;
mod peers;
mod pingpong;
mod report;
mod scan;
mod setup;
mod startup;
mod table;
mod udp;

use std::env;
use std::process::{Command, ExitCode};
use std::time::Instant;

use case::{Case, Failure, Outcome, Run};
use peers::{HELPER, Program};
use setup::Bench;
use table::{Results, Row};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let Some((HELPER, rest)) = arguments.split_first().map(|(first, rest)| (&**first, rest)) {
        return helper::run(rest);
    }
    let options = match Options::parse(&arguments) {
        Ok(options) => options,
        Err(complaint) => {
            eprintln!("{complaint}\n{USAGE}");
            return ExitCode::FAILURE;
        }
    };
    let cases: Vec<&'static Case> = case::all().filter(|case| options.selects(case.name)).collect();
    if options.list {
        for case in cases {
            println!("{:<22} {}", case.name, case.about);
        }
        return ExitCode::SUCCESS;
    }
    if !isolate::is_isolated() && !build_release() {
        eprintln!("the release build failed");
        return ExitCode::FAILURE;
    }
    if let Some(status) = isolate::run_isolated(&arguments) {
        return status;
    }
    match measure_all(&options, &cases) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

/// Makes the binary the one that is shipped. Cargo has just built one for a benchmark, at the same
/// path: the same profile, but with the features that dev-dependencies ask of crates in common.
fn build_release() -> bool {
    let Some(cargo) = env::var_os("CARGO") else {
        eprintln!("not started by cargo: the binary is measured as it is");
        return true;
    };
    let mut build = Command::new(cargo);
    build.args(["build", "--quiet", "--release", "--locked", "--bin", "nc"]);
    let done = build.current_dir(env!("CARGO_MANIFEST_DIR")).status();
    done.is_ok_and(|status| status.success())
}

/// Measures and reports. False if one of ours was wrong or failed.
fn measure_all(options: &Options, cases: &[&'static Case]) -> Outcome<bool> {
    measure::heed_interrupts()?;
    let bench = Bench::new(options.quick)?;
    let machine = report::Machine::look(&bench, options.rounds);
    println!("{machine}");
    let mut sections = Vec::new();
    let mut good = true;
    let begun = Instant::now();
    for case in cases {
        let results = measure_case(&bench, case, options.rounds)?;
        good &= results.ours_is_right();
        let section = table::render(&results);
        println!("{section}");
        sections.push(section);
    }
    eprintln!("{:.0} s", begun.elapsed().as_secs_f64());
    if options.write {
        let path = report::write(&machine, &sections)?;
        eprintln!("written: {}", path.display());
    }
    Ok(good)
}

/// Measures one case, for everybody in turn. Whoever was wrong once is not asked again.
fn measure_case(bench: &Bench, case: &'static Case, rounds: usize) -> Outcome<Results> {
    let everybody = [Program::Ours].into_iter().chain(case.peers.iter().copied());
    let mut rows: Vec<Row> = everybody.map(Row::new).collect();
    for row in &mut rows {
        eprint!("\r\x1b[K{}: {} (untimed)", case.name, row.who.name());
        if row.who.path().is_none() {
            row.failure = Some(Failure::NotInstalled);
        } else if let Some(probe) = case.probe {
            match probe(bench, row.who) {
                Ok(sample) => row.once = sample,
                Err(failure) => row.fail(failure)?,
            }
        }
    }
    match case.run {
        Run::Together(run) => {
            eprint!("\r\x1b[K{}: all together", case.name);
            let mut able: Vec<&mut Row> =
                rows.iter_mut().filter(|row| row.failure.is_none()).collect();
            let programs: Vec<Program> = able.iter().map(|row| row.who).collect();
            for (row, outcome) in able.iter_mut().zip(run(bench, &programs)) {
                row.add(outcome)?;
            }
        }
        Run::Each(run) => {
            let count = rows.len();
            for round in 0..rounds {
                // Each time another one goes first, for the machine remembers who went before.
                for place in 0..count {
                    let row = &mut rows[(round + place) % count];
                    if row.failure.is_some() {
                        continue;
                    }
                    let name = row.who.name();
                    eprint!("\r\x1b[K{}: round {} of {rounds}, {name}", case.name, round + 1);
                    row.add(run(bench, row.who))?;
                }
            }
        }
    }
    eprint!("\r\x1b[K");
    Ok(Results { case, rows })
}

/// The command line.
struct Options {
    select: Vec<String>,
    rounds: usize,
    quick: bool,
    write: bool,
    list: bool,
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut options =
            Self { select: Vec::new(), rounds: 0, quick: false, write: false, list: false };
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            match &**argument {
                "--quick" => options.quick = true,
                "--write" => options.write = true,
                "--list" => options.list = true,
                // What cargo adds.
                "--bench" => {}
                "--rounds" => {
                    let count = rest.next().and_then(|text| text.parse().ok());
                    options.rounds =
                        count.filter(|&count| count > 0).ok_or("--rounds needs a number")?;
                }
                option if option.starts_with('-') => {
                    return Err(format!("no such option: {option}"));
                }
                name if case::all().any(|case| case.name.starts_with(name)) => {
                    options.select.push(name.to_owned());
                }
                name => return Err(format!("no case begins with {name:?}; see --list")),
            }
        }
        if options.rounds == 0 {
            options.rounds = if options.quick { 1 } else { 5 };
        }
        if options.write && (options.quick || !options.select.is_empty()) {
            return Err("--write needs all cases in full".to_owned());
        }
        Ok(options)
    }

    fn selects(&self, name: &str) -> bool {
        self.select.is_empty() || self.select.iter().any(|start| name.starts_with(&**start))
    }
}

const USAGE: &str = "\
usage: cargo bench --bench peers -- [CASE...] [--rounds N] [--quick] [--write] [--list]
  CASE        a case, or the beginning of its name
  --rounds N  how often everybody is measured (5)
  --quick     one round with small sizes: shows that it works, not how fast
  --write     write docs/performance.md
  --list      say which cases there are";
