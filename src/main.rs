//! `nc`: reads the command line, does the job, prints the last word, sets the exit status.

use std::env;
use std::ffi::OsStr;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use pollcat::app::{self, Console};
use pollcat::cli::{self, HelpTo, Plan, Request};
use pollcat::error::{Error, escape};
use pollcat::explain::{Step, Verdict, explain};
use pollcat::sys::signal::die_of;
use pollcat::voices;

fn main() -> ExitCode {
    let program = program_name();
    match run(&program) {
        Ok(()) => {
            explain(|| Step::Exit { status: 0, why: Verdict::Fine });
            ExitCode::SUCCESS
        }
        Err(Error::Silent) => {
            explain(|| Step::Exit { status: 1, why: Verdict::Said });
            ExitCode::FAILURE
        }
        Err(Error::Signal(signal)) => {
            explain(|| Step::Killed { signal });
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

fn run(program: &str) -> Result<(), Error> {
    let plan = match cli::parse(env::args_os())? {
        Request::Run(plan) => plan,
        Request::ShowHelp(HelpTo::Stderr, text) => return show(&mut io::stderr(), text),
        Request::ShowHelp(HelpTo::Stdout, text) | Request::ShowVersion(text) => {
            return show(&mut io::stdout(), text);
        }
    };
    let Plan { voices, job } = *plan;
    voices::start(&voices)?;
    let console = Console::new(program.to_owned(), job.verbose);
    let done = app::run(job, &console);
    voices::finish();
    done
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
