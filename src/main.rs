//! `nc`: reads the command line, does the job, prints the last word, sets the exit status.

use std::env;
use std::ffi::OsStr;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use pollcat::app::{self, Console, Mode};
use pollcat::cli::{self, HelpTo, Plan, Request};
use pollcat::error::{Error, escape};
use pollcat::explain::{Step, Verdict, explain};
use pollcat::sys::signal::{die_of, name};
use pollcat::voices;

fn main() -> ExitCode {
    let program = program_name();
    match run(&program) {
        Ok(why) => {
            explain(|| Step::Exit { status: 0, why });
            ExitCode::SUCCESS
        }
        Err(Error::Silent) => {
            explain(|| Step::Exit { status: 1, why: Verdict::Said });
            ExitCode::FAILURE
        }
        Err(Error::Signal(signal)) => {
            explain(|| Step::Killed { signal: name(signal) });
            die_of(signal);
            ExitCode::FAILURE
        }
        Err(error) => {
            Console::new(program, false).complain(&error);
            explain(|| Step::Exit { status: 1, why: Verdict::Refused });
            ExitCode::FAILURE
        }
    }
}

/// Says what success means.
fn run(program: &str) -> Result<Verdict, Error> {
    let plan = match cli::parse(env::args_os())? {
        Request::Run(plan) => plan,
        Request::ShowHelp(HelpTo::Stderr, text) => {
            return show(&mut io::stderr(), text).map(|()| Verdict::Fine);
        }
        Request::ShowHelp(HelpTo::Stdout, text) | Request::ShowVersion(text) => {
            return show(&mut io::stdout(), text).map(|()| Verdict::Fine);
        }
    };
    let Plan { voices, job } = *plan;
    voices::start(&voices)?;
    let console = Console::new(program.to_owned(), job.verbose);
    let success = match &job.mode {
        Mode::Scan(_) => Verdict::Found,
        Mode::Connect(_) | Mode::Listen(_) => Verdict::Fine,
    };
    let done = app::run(job, &console);
    // What becomes of a trace is no failure of what was traced.
    if let Err(error) = voices::finish(&voices) {
        console.complain(&error);
    }
    done.map(|()| success)
}

fn show(to: &mut dyn Write, text: &str) -> Result<(), Error> {
    match to.write_all(text.as_bytes()).and_then(|()| to.flush()) {
        // `nc --help | head -1`: whoever reads has read enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        printed => printed.map_err(Error::doing("cannot print")),
    }
}

/// The name it was called by, as glibc's `program_invocation_short_name`: scripts read it in messages.
fn program_name() -> String {
    let called = env::args_os().next();
    let name = called.as_deref().and_then(|path| Path::new(path).file_name());
    escape(&name.unwrap_or(OsStr::new("nc")).to_string_lossy())
}
