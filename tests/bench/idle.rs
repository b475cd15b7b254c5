//! Connected, and nothing to do.

use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::thread;
use std::time::Duration;

use crate::case::{Against, Better, Case, Failure, Figure, Outcome, Run, Sample, at_most};
use crate::measure::{Process, Streams, check_interrupted, pipe};
use crate::peers::{Program, Role};
use crate::pingpong::accept;
use crate::setup::{ANY, Bench};

pub(crate) static CASES: [Case; 1] = [Case {
    name: "idle",
    about: "connected, with a silent peer and a silent stdin, for 10 s (1 s with --quick)",
    figure: CPU,
    better: Better::Less,
    peers: &[Program::Openbsd, Program::Ncat, Program::Socat, Program::Busybox],
    targets: &[at_most(CPU, 0.0, Against::Absolute), at_most(SWITCHES, 0.0, Against::Absolute)],
    probe: None,
    run: Run::Together(run),
}];

fn run(bench: &Bench, programs: &[Program]) -> Vec<Outcome<Sample>> {
    let mut idlers: Vec<Outcome<Idler>> = programs.iter().map(|&who| Idler::start(who)).collect();
    let before: Vec<_> = idlers.iter().map(|idler| idler.as_ref().map(Idler::look)).collect();
    let before: Vec<_> = before.into_iter().map(Result::ok).collect();
    // In short steps, to notice an interruption.
    for _ in 0..bench.pick(100, 10) {
        if check_interrupted().is_err() {
            return programs.iter().map(|_| Err(Failure::Interrupted)).collect();
        }
        thread::sleep(Duration::from_millis(100));
    }
    let results = idlers.iter_mut().zip(before).map(|(idler, before)| {
        let idler = idler.as_mut().map_err(|failure| failure.clone())?;
        if idler.nc.has_ended() {
            return Err(Failure::Wrong("it has ended".to_owned()));
        }
        let ((cpu, switches), (cpu_before, switches_before)) =
            (idler.look(), before.unwrap_or_default());
        Ok(vec![
            (CPU, (cpu - cpu_before) * 1e3),
            (SWITCHES, switches - switches_before),
            (MEMORY, idler.nc.peak_kib()),
        ])
    });
    results.collect()
}

struct Idler {
    nc: Process,
    _stdin: OwnedFd,
    _peer: TcpStream,
}

impl Idler {
    fn start(who: Program) -> Outcome<Self> {
        let listener = TcpListener::bind(ANY)?;
        let (stdin, held) = pipe()?;
        let streams = Streams { stdin: Some(stdin.into()), stdout: None };
        let mut nc = Process::program(who, Role::Relay(listener.local_addr()?.port()), streams)?;
        let peer = accept(&listener, &mut nc)?;
        nc.settle()?;
        Ok(Self { nc, _stdin: held, _peer: peer })
    }

    fn look(&self) -> (f64, f64) {
        (self.nc.cpu(), self.nc.switches().unwrap_or_default())
    }
}

const CPU: Figure = "CPU ms";
const SWITCHES: Figure = "switches";
const MEMORY: Figure = "peak RSS KiB";
