//! One byte there and one byte back: what a line typed into `nc` has to wait for.
//!
//! The benchmark is both ends: it writes a byte to the program's stdin, gets it from the socket, sends
//! it back and gets it from the program's stdout. So one round trip takes the program two wake-ups.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::case::{Against, Better, Case, Failure, Figure, Outcome, Run, Sample, at_most};
use crate::measure::{Counter, Process, Streams, pipe, ready};
use crate::peers::{Program, Role};
use crate::setup::{ANY, Bench};
use crate::table::quantile;

pub(crate) static CASES: [Case; 2] = [
    Case {
        name: "pingpong.pipe",
        about: "one byte from stdin to the socket and one from the socket to stdout, over pipes",
        figure: P50,
        better: Better::Less,
        peers: PEERS,
        targets: &[
            at_most(P50, 1.1, Against::Best),
            at_most(P50, 1.0, Against::Peer(Program::Openbsd)),
            at_most(CPU, 1.15, Against::Best),
            at_most(CALLS, 8.05, Against::Absolute),
            at_most(SWITCHES, 2.05, Against::Absolute),
        ],
        probe: Some(count_calls),
        run: Run::Each(run),
    },
    Case {
        name: "pingpong.one-cpu",
        about: "the same with everybody on one processor, where placement is no chance",
        figure: P50,
        better: Better::Less,
        peers: PEERS,
        targets: &[at_most(P50, 1.1, Against::Best), at_most(CPU, 1.15, Against::Best)],
        probe: None,
        run: Run::Each(run_on_one_cpu),
    },
];

const PEERS: &[Program] = &[Program::Openbsd, Program::Ncat, Program::Socat, Program::Busybox];

fn run(bench: &Bench, who: Program) -> Outcome<Sample> {
    let mut game = Game::start(who, None)?;
    let rounds = bench.pick(5_000, 300);
    game.play(rounds / 10)?;
    let (cpu, switches) = (game.nc.cpu(), game.nc.switches());
    let times = game.play(rounds)?;
    let rounds = f64::from(rounds);
    let mut sample = Sample::new();
    sample.extend(quantile(times.clone(), 0.5).map(|p50| (P50, p50)));
    sample.extend(quantile(times, 0.99).map(|p99| (P99, p99)));
    sample.push((CPU, (game.nc.cpu() - cpu) * 1e6 / rounds));
    if let (Some(before), Some(now)) = (switches, game.nc.switches()) {
        sample.push((SWITCHES, (now - before) / rounds));
    }
    Ok(sample)
}

fn run_on_one_cpu(bench: &Bench, who: Program) -> Outcome<Sample> {
    let before = sched_getaffinity(None)?;
    let mut one = CpuSet::new();
    let first = (0..CpuSet::MAX_CPU).find(|&cpu| before.is_set(cpu)).unwrap_or(0);
    one.set(first);
    // The program inherits it.
    sched_setaffinity(None, &one)?;
    let sample = run(bench, who);
    sched_setaffinity(None, &before)?;
    sample
}

/// Two games, so that what start and end take cancels out.
fn count_calls(_: &Bench, who: Program) -> Outcome<Sample> {
    let mut counts = Vec::new();
    for rounds in [100, 1_100] {
        let Some(counter) = Counter::new()? else { return Ok(Sample::new()) };
        let mut game = Game::start(who, Some(&counter))?;
        game.play(rounds)?;
        game.end()?;
        counts.push(counter.calls()?);
    }
    Ok(vec![(CALLS, (counts[1] - counts[0]) / 1_000.0)])
}

struct Game {
    nc: Process,
    stdin: File,
    stdout: File,
    socket: TcpStream,
}

impl Game {
    fn start(who: Program, counter: Option<&Counter>) -> Outcome<Self> {
        let listener = TcpListener::bind(ANY)?;
        let role = Role::Relay(listener.local_addr()?.port());
        let (stdin, to_nc) = pipe()?;
        let (from_nc, stdout) = pipe()?;
        let streams = Streams { stdin: Some(stdin.into()), stdout: Some(stdout.into()) };
        let mut nc = match counter {
            Some(counter) => Process::counted(who, role, streams, counter)?,
            None => Process::program(who, role, streams)?,
        };
        let socket = accept(&listener, &mut nc)?;
        socket.set_nodelay(true)?;
        Ok(Self { nc, stdin: to_nc.into(), stdout: from_nc.into(), socket })
    }

    /// The time of each round trip, in microseconds.
    fn play(&mut self, rounds: u32) -> Outcome<Vec<f64>> {
        let mut times = Vec::new();
        for round in 0..rounds {
            let [sent, _, _, _] = round.to_le_bytes();
            let begun = Instant::now();
            self.stdin.write_all(&[sent])?;
            let there = byte(&mut self.socket)?;
            self.socket.write_all(&[there])?;
            let back = byte(&mut self.stdout)?;
            times.push(begun.elapsed().as_secs_f64() * 1e6);
            if back != sent {
                return Err(Failure::Wrong(format!("{sent} came back as {back}")));
            }
        }
        Ok(times)
    }

    fn end(self) -> Outcome<()> {
        let Self { mut nc, stdin, socket, stdout } = self;
        drop((stdin, socket));
        crate::measure::wait_for_all(&mut [&mut nc], PATIENCE)?;
        drop(stdout);
        Ok(())
    }
}

/// The connection of a program, if one comes in time.
pub(crate) fn accept(listener: &TcpListener, nc: &mut Process) -> Outcome<TcpStream> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if nc.wait_beside(listener, PATIENCE)? {
            return Ok(listener.accept()?.0);
        }
        nc.has_not_failed()?;
    }
    Err(Failure::Failed("it never connected".to_owned()))
}

fn byte(from: &mut (impl Read + AsFd)) -> Outcome<u8> {
    let mut byte = [0];
    if !ready(from, PATIENCE)? {
        return Err(Failure::Failed(format!("no byte in {PATIENCE:?}")));
    }
    match from.read(&mut byte)? {
        1 => Ok(byte[0]),
        _ => Err(Failure::Failed("it ended too early".to_owned())),
    }
}

const P50: Figure = "p50 us";
const P99: Figure = "p99 us";
const CPU: Figure = "CPU us/round trip";
const CALLS: Figure = "calls/round trip";
const SWITCHES: Figure = "switches/round trip";

const PATIENCE: Duration = Duration::from_secs(5);
