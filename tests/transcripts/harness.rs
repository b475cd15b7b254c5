//! A small test harness, for tests that are found at run time. It understands what `cargo test --`
//! is given most: names to filter by, `--exact`, `--skip`, `--ignored`, `--include-ignored`, `--list`,
//! `--test-threads`. Other options it takes and does nothing with. A test that is ignored unless it is asked
//! for depends on the machine; if it fails, it is run once more when all others are done.

use std::env;
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

/// A test.
pub(crate) struct Trial {
    pub(crate) name: String,
    /// Why it is not run unless it is asked for.
    pub(crate) ignored: Option<&'static str>,
    pub(crate) run: Box<dyn Fn() -> Result<(), String> + Send + Sync>,
}

impl Trial {
    fn outcome(&self) -> Result<(), String> {
        let result = panic::catch_unwind(AssertUnwindSafe(|| (self.run)()));
        result.unwrap_or_else(|_| Err("it panicked".to_owned()))
    }
}

pub(crate) fn run(trials: Vec<Trial>) -> ExitCode {
    let wanted = Wanted::read(env::args().skip(1));
    let all = trials.len();
    let trials: Vec<_> = trials.into_iter().filter(|trial| wanted.selects(trial)).collect();
    if wanted.list {
        for trial in &trials {
            println!("{}: test", trial.name);
        }
        return ExitCode::SUCCESS;
    }
    println!("\nrunning {} tests", trials.len());
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(Vec::new());
    let ignored = AtomicUsize::new(0);
    let begun = Instant::now();
    let work = || {
        while let Some(trial) = trials.get(next.fetch_add(1, Ordering::Relaxed)) {
            let name = &trial.name;
            if let (Some(why), false) = (trial.ignored, wanted.ignored != Ignored::LeftOut) {
                ignored.fetch_add(1, Ordering::Relaxed);
                println!("test {name} ... ignored, {why}");
                continue;
            }
            match trial.outcome() {
                Ok(()) => println!("test {name} ... ok"),
                Err(why) => {
                    println!("test {name} ... FAILED");
                    failed.lock().expect("nobody panics here").push((trial, why));
                }
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..wanted.threads {
            scope.spawn(work);
        }
    });
    let (ignored, failed) = (ignored.into_inner(), failed.into_inner());
    let mut failures = failed.expect("nobody panics here");
    // Some of what pages show takes its time, and has less of it while others run.
    failures.retain_mut(|(trial, why)| {
        let again = if trial.ignored.is_some() { trial.outcome() } else { return true };
        match &again {
            Ok(()) => println!("test {} ... ok, alone; at first:\n{why}", trial.name),
            Err(still) => why.clone_from(still),
        }
        again.is_err()
    });
    for (trial, why) in &failures {
        println!("\n---- {}\n{why}\n", trial.name);
    }
    let failed = failures.len();
    println!(
        "\ntest result: {}. {} passed; {failed} failed; {ignored} ignored; 0 measured; {} filtered out; \
         finished in {:.2}s\n",
        if failed == 0 { "ok" } else { "FAILED" },
        trials.len() - failed - ignored,
        all - trials.len(),
        begun.elapsed().as_secs_f64(),
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(101) }
}

struct Wanted {
    names: Vec<String>,
    skipped: Vec<String>,
    exact: bool,
    list: bool,
    ignored: Ignored,
    threads: usize,
}

/// What becomes of tests that are not run unless they are asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ignored {
    LeftOut,
    Included,
    Alone,
}

impl Wanted {
    fn read(mut arguments: impl Iterator<Item = String>) -> Self {
        let mut wanted = Self {
            names: Vec::new(),
            skipped: Vec::new(),
            exact: false,
            list: false,
            // Whoever wants transcripts rewritten wants them played.
            ignored: match env::var_os("TRANSCRIPTS") {
                Some(_) => Ignored::Included,
                None => Ignored::LeftOut,
            },
            // They wait more than they work.
            threads: thread::available_parallelism().map_or(2, usize::from) * 3,
        };
        while let Some(argument) = arguments.next() {
            let (option, value) = match argument.split_once('=') {
                Some((option, value)) if option.starts_with("--") => {
                    (option, Some(value.to_owned()))
                }
                _ => (&*argument, None),
            };
            match option {
                "--exact" => wanted.exact = true,
                "--list" => wanted.list = true,
                "--ignored" => wanted.ignored = Ignored::Alone,
                "--include-ignored" => wanted.ignored = Ignored::Included,
                "--skip" => wanted.skipped.extend(value.or_else(|| arguments.next())),
                "--test-threads" => {
                    let number = value.or_else(|| arguments.next());
                    wanted.threads = number.and_then(|number| number.parse().ok()).unwrap_or(1);
                }
                "--color" | "--format" | "--logfile" | "-Z" => {
                    drop(value.or_else(|| arguments.next()));
                }
                option if option.starts_with('-') => {}
                name => wanted.names.push(name.to_owned()),
            }
        }
        wanted
    }

    fn selects(&self, trial: &Trial) -> bool {
        let is = |name: &String| {
            if self.exact { trial.name == *name } else { trial.name.contains(&**name) }
        };
        (self.names.is_empty() || self.names.iter().any(is))
            && !self.skipped.iter().any(is)
            && (self.ignored != Ignored::Alone || trial.ignored.is_some())
    }
}
