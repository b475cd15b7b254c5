//! From fork to exit: what a script that calls `nc` a thousand times waits for.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use crate::case::{Against, Better, Case, Figure, Outcome, Run, Sample, at_most};
use crate::measure::{Counter, Process, Streams, wait_for_all};
use crate::peers::{Program, Role};
use crate::pingpong::accept;
use crate::setup::{ANY, Bench};
use crate::table::{median, quantile};

pub(crate) static CASES: [Case; 2] = [
    Case {
        name: "startup.z",
        about: "`nc -z` to an open port, from start to exit",
        figure: P50,
        better: Better::Less,
        peers: &[Program::Openbsd, Program::Ncat, Program::Socat],
        targets: &[
            at_most(P50, 0.85, Against::Peer(Program::Openbsd)),
            at_most(FAULTS, 80.0, Against::Absolute),
            at_most(CALLS, 90.0, Against::Absolute),
        ],
        probe: Some(|_, who| probe(who, Role::Probe)),
        run: Run::Each(|bench, who| run(bench, who, Role::Probe)),
    },
    Case {
        name: "startup.conn",
        about: "`nc < /dev/null` to a server that closes at once, from start to exit",
        figure: P50,
        better: Better::Less,
        peers: &[Program::Openbsd, Program::Ncat, Program::Socat, Program::Busybox],
        targets: &[
            at_most(P50, 0.85, Against::Peer(Program::Openbsd)),
            at_most(P50, 1.3, Against::Peer(Program::Busybox)),
            at_most(FAULTS, 80.0, Against::Absolute),
            at_most(CALLS, 90.0, Against::Absolute),
            at_most(PEAK, 2560.0, Against::Absolute),
        ],
        probe: Some(|_, who| {
            let mut sample = probe(who, Role::Connect)?;
            sample.push((PEAK, peak(who)?));
            Ok(sample)
        }),
        run: Run::Each(|bench, who| run(bench, who, Role::Connect)),
    },
];

fn run(bench: &Bench, who: Program, role: fn(u16) -> Role<'static>) -> Outcome<Sample> {
    // ncat takes a tenth of a second each time.
    let times = if who == Program::Ncat { bench.pick(10, 2) } else { bench.pick(100, 10) };
    let listener = TcpListener::bind(ANY)?;
    let role = role(listener.local_addr()?.port());
    let (mut walls, mut cpus, mut faults) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..times {
        let begun = Instant::now();
        let mut nc = Process::program(who, role, Streams::default())?;
        drop(accept(&listener, &mut nc)?);
        wait_for_all(&mut [&mut nc], PATIENCE)?;
        walls.push(begun.elapsed().as_secs_f64() * 1e3);
        nc.succeeded(&[0])?;
        cpus.push(nc.cpu() * 1e3);
        faults.push(nc.minor_faults());
    }
    let mut sample = Sample::new();
    sample.extend(median(walls.clone()).map(|p50| (P50, p50)));
    sample.extend(quantile(walls, 0.99).map(|p99| (P99, p99)));
    sample.extend(median(cpus).map(|cpu| (CPU, cpu)));
    sample.extend(median(faults).map(|faults| (FAULTS, faults)));
    Ok(sample)
}

fn probe(who: Program, role: fn(u16) -> Role<'static>) -> Outcome<Sample> {
    let Some(counter) = Counter::new()? else { return Ok(Sample::new()) };
    let listener = TcpListener::bind(ANY)?;
    let role = role(listener.local_addr()?.port());
    let mut nc = Process::counted(who, role, Streams::default(), &counter)?;
    drop(accept(&listener, &mut nc)?);
    wait_for_all(&mut [&mut nc], PATIENCE)?;
    nc.succeeded(&[0])?;
    Ok(vec![(CALLS, counter.calls()?)])
}

/// The memory of a program that is connected and has nothing to do.
fn peak(who: Program) -> Outcome<f64> {
    let listener = TcpListener::bind(ANY)?;
    let role = Role::Connect(listener.local_addr()?.port());
    let mut nc = Process::program(who, role, Streams::default())?;
    let connection = accept(&listener, &mut nc)?;
    nc.settle()?;
    let peak = nc.peak_kib();
    drop(connection);
    Ok(peak)
}

const P50: Figure = "p50 ms";
const P99: Figure = "p99 ms";
const CPU: Figure = "CPU ms";
const FAULTS: Figure = "minor faults";
const CALLS: Figure = "calls";
const PEAK: Figure = "peak RSS KiB";

const PATIENCE: Duration = Duration::from_secs(5);
