//! How fast bytes pass: one way between two of the same program, one way with a counterpart that
//! copies nothing at one end, and both ways at once.
//!
//! The time is from the start of the sender until everybody has ended. What comes out of a pipe is
//! counted in every run and compared with what went in in an untimed run before; a file is compared
//! after every run; and every program has to end with status 0.

use std::fs::{self, File};
use std::io::Read as _;
use std::time::{Duration, Instant};

use crate::case::{
    Against, Better, Case, Failure, Figure, Outcome, Run, Sample, Target, at_least, at_most,
};
use crate::measure::{Counter, Process, Streams, pipe, wait_for_all, wait_for_listener};
use crate::payload::Payload;
use crate::peers::{Program, Role};
use crate::setup::{Bench, GIB, Place, free_port};

pub(crate) static CASES: [Case; 11] = [
    Case {
        name: "bulk.tcp.file-null",
        about: "`nc < file` to `nc > /dev/null` over TCP",
        targets: &[
            at_least(RATE, 0.75, Against::Peer(Program::Limit)),
            at_least(RATE, 2.5, Against::Peer(Program::SocatB1m)),
            at_least(RATE, 3.0, Against::Peer(Program::Openbsd)),
            at_most(TX_CPU, 0.4, Against::Best),
            at_most(RX_CPU, 0.4, Against::Best),
            at_most(TX_CALLS, 12_000.0, Against::Absolute),
            at_most(RX_CALLS, 40_000.0, Against::Absolute),
        ],
        probe: Some(|bench, who| probe(bench, who, FILE_NULL)),
        run: Run::Each(|bench, who| run(bench, who, FILE_NULL)),
        ..TEMPLATE
    },
    Case {
        name: "bulk.tcp.file-file",
        about: "`nc < file` to `nc > file` over TCP, files on tmpfs",
        targets: &[
            at_least(RATE, 0.8, Against::Peer(Program::Limit)),
            at_least(RATE, 1.2, Against::Best),
            at_most(TX_CPU, 0.3, Against::Best),
            at_most(RX_CPU, 0.95, Against::Best),
        ],
        probe: Some(|bench, who| probe(bench, who, FILE_FILE)),
        run: Run::Each(|bench, who| run(bench, who, FILE_FILE)),
        ..TEMPLATE
    },
    Case {
        name: "bulk.tcp.pipe-pipe",
        about: "`producer | nc` to `nc | consumer` over TCP",
        targets: &[
            at_least(RATE, 0.8, Against::Peer(Program::Limit)),
            at_least(RATE, 1.5, Against::Best),
            at_most(TX_CPU, 0.45, Against::Best),
            at_most(RX_CPU, 0.45, Against::Best),
            at_most(TX_CALLS, 20_000.0, Against::Absolute),
            at_most(RX_CALLS, 45_000.0, Against::Absolute),
        ],
        probe: Some(|bench, who| probe(bench, who, PIPE_PIPE)),
        run: Run::Each(|bench, who| run(bench, who, PIPE_PIPE)),
        ..TEMPLATE
    },
    Case {
        name: "bulk.unix.file-null",
        about: "`nc -U < file` to `nc -lU > /dev/null`",
        peers: UNIX_PEERS,
        targets: &[
            at_least(RATE, 0.75, Against::Peer(Program::Limit)),
            at_least(RATE, 2.5, Against::Best),
            at_most(TX_CPU, 0.5, Against::Best),
            at_most(RX_CPU, 0.5, Against::Best),
        ],
        probe: Some(|bench, who| probe(bench, who, FILE_NULL.unix())),
        run: Run::Each(|bench, who| run(bench, who, FILE_NULL.unix())),
        ..TEMPLATE
    },
    Case {
        name: "bulk.unix.pipe-pipe",
        about: "`producer | nc -U` to `nc -lU | consumer`",
        peers: UNIX_PEERS,
        targets: &[
            at_least(RATE, 0.75, Against::Peer(Program::Limit)),
            at_least(RATE, 1.3, Against::Best),
            at_most(TX_CPU, 0.35, Against::Best),
            at_most(RX_CPU, 0.35, Against::Best),
        ],
        probe: Some(|bench, who| probe(bench, who, PIPE_PIPE.unix())),
        run: Run::Each(|bench, who| run(bench, who, PIPE_PIPE.unix())),
        ..TEMPLATE
    },
    Case {
        name: "bulk.tx.file",
        about: "`nc < file` to a receiver that throws away",
        targets: &[
            at_least(RATE, 0.75, Against::Peer(Program::Limit)),
            at_least(RATE, 2.0, Against::Best),
            at_most(TX_CPU, 0.45, Against::Best),
        ],
        probe: Some(|bench, who| probe(bench, who, FILE_NULL.sender())),
        run: Run::Each(|bench, who| run(bench, who, FILE_NULL.sender())),
        ..TEMPLATE
    },
    Case {
        name: "bulk.tx.pipe",
        about: "`producer | nc` to a receiver that throws away",
        targets: &[
            at_least(RATE, 0.75, Against::Peer(Program::Limit)),
            at_least(RATE, 1.2, Against::Best),
            at_most(TX_CPU, 0.5, Against::Best),
        ],
        probe: Some(|bench, who| probe(bench, who, PIPE_NULL.sender())),
        run: Run::Each(|bench, who| run(bench, who, PIPE_NULL.sender())),
        ..TEMPLATE
    },
    Case {
        name: "bulk.rx.null",
        about: "a sender that does not copy to `nc -l > /dev/null`",
        targets: &[
            at_least(RATE, 0.8, Against::Peer(Program::Limit)),
            at_least(RATE, 1.2, Against::Best),
            at_most(RX_CPU, 0.4, Against::Best),
        ],
        probe: Some(|bench, who| probe(bench, who, FILE_NULL.receiver())),
        run: Run::Each(|bench, who| run(bench, who, FILE_NULL.receiver())),
        ..TEMPLATE
    },
    Case {
        name: "bulk.rx.pipe",
        about: "a sender that does not copy to `nc -l | consumer`",
        targets: &[
            at_least(RATE, 0.8, Against::Peer(Program::Limit)),
            at_least(RATE, 1.25, Against::Best),
            at_most(RX_CPU, 0.45, Against::Best),
        ],
        probe: Some(|bench, who| probe(bench, who, FILE_PIPE.receiver())),
        run: Run::Each(|bench, who| run(bench, who, FILE_PIPE.receiver())),
        ..TEMPLATE
    },
    Case {
        name: "bulk.rx.file",
        about: "a sender that does not copy to `nc -l > file` on tmpfs",
        targets: &[
            at_least(RATE, 0.8, Against::Peer(Program::Limit)),
            at_least(RATE, 1.1, Against::Best),
            at_most(RX_CPU, 0.9, Against::Best),
        ],
        probe: Some(|bench, who| probe(bench, who, FILE_FILE.receiver())),
        run: Run::Each(|bench, who| run(bench, who, FILE_FILE.receiver())),
        ..TEMPLATE
    },
    Case {
        name: "bulk.duplex",
        about: "`producer | nc | consumer` to a server that sends everything back; counted once",
        peers: TCP_PEERS,
        targets: &[
            at_least(RATE, 1.2, Against::Peer(Program::SocatB1m)),
            at_most(CPU, 0.6, Against::Best),
        ],
        probe: Some(|bench, who| {
            duplex(bench, who, PROBED.min(who.share(bench)), "verify").map(|_| Sample::new())
        }),
        run: Run::Each(|bench, who| duplex(bench, who, who.share(bench), "consume")),
        ..TEMPLATE
    },
];

/// What most cases here have in common.
const TEMPLATE: Case = Case {
    name: "",
    about: "",
    figure: RATE,
    better: Better::More,
    peers: ALL_PEERS,
    targets: NO_TARGETS,
    probe: None,
    run: Run::Each(|_, _| Ok(Sample::new())),
};

const NO_TARGETS: &[Target] = &[];

const TCP_PEERS: &[Program] =
    &[Program::SocatB1m, Program::Openbsd, Program::Ncat, Program::Socat, Program::Busybox];

const ALL_PEERS: &[Program] = &[
    Program::SocatB1m,
    Program::Openbsd,
    Program::Ncat,
    Program::Socat,
    Program::Busybox,
    Program::Limit,
];

const UNIX_PEERS: &[Program] =
    &[Program::SocatB1m, Program::Openbsd, Program::Ncat, Program::Socat, Program::Limit];

/// Who sends what over which socket to whom.
#[derive(Clone, Copy)]
struct Path {
    unix: bool,
    input: Input,
    output: Output,
    measured: Measured,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Input {
    File,
    Pipe,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Output {
    Null,
    Pipe,
    File,
}

/// Which ends are the program; the other is the counterpart.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Measured {
    Both,
    Sender,
    Receiver,
}

impl Path {
    const fn over_tcp(input: Input, output: Output) -> Self {
        Self { unix: false, input, output, measured: Measured::Both }
    }

    const fn unix(self) -> Self {
        Self { unix: true, ..self }
    }

    const fn sender(self) -> Self {
        Self { measured: Measured::Sender, ..self }
    }

    const fn receiver(self) -> Self {
        Self { measured: Measured::Receiver, ..self }
    }
}

const FILE_NULL: Path = Path::over_tcp(Input::File, Output::Null);
const FILE_PIPE: Path = Path::over_tcp(Input::File, Output::Pipe);
const FILE_FILE: Path = Path::over_tcp(Input::File, Output::File);
const PIPE_NULL: Path = Path::over_tcp(Input::Pipe, Output::Null);
const PIPE_PIPE: Path = Path::over_tcp(Input::Pipe, Output::Pipe);

fn run(bench: &Bench, who: Program, path: Path) -> Outcome<Sample> {
    let size = who.share(bench);
    let done = transfer(bench, who, path, size, "consume", None)?;
    let gib = gib(size);
    let mut sample = vec![(RATE, rate(size, done.seconds))];
    if path.measured != Measured::Receiver {
        sample.push((TX_CPU, done.tx.cpu() / gib));
    }
    if path.measured != Measured::Sender {
        sample.push((RX_CPU, done.rx.cpu() / gib));
    }
    Ok(sample)
}

/// The bytes are right, through a pipe; and how many calls it takes.
fn probe(bench: &Bench, who: Program, path: Path) -> Outcome<Sample> {
    let output = if path.measured == Measured::Sender { path.output } else { Output::Pipe };
    let checked = Path { output, ..path };
    transfer(bench, who, checked, PROBED.min(who.share(bench)), "verify", None)?;
    let mut sample = Sample::new();
    let size = who.share(bench).min(COUNTED);
    for (end, figure) in [(Measured::Sender, TX_CALLS), (Measured::Receiver, RX_CALLS)] {
        if path.measured != Measured::Both && path.measured != end {
            continue;
        }
        if let Some(counter) = Counter::new()? {
            transfer(bench, who, path, size, "consume", Some((end, &counter)))?;
            sample.push((figure, counter.calls()? / gib(size)));
        }
    }
    Ok(sample)
}

struct Done {
    seconds: f64,
    tx: Process,
    rx: Process,
}

/// Moves so many bytes once. `consumer` is what the counterpart at the end of a pipe does with them.
fn transfer(
    bench: &Bench,
    who: Program,
    path: Path,
    size: u64,
    consumer: &str,
    counter: Option<(Measured, &Counter)>,
) -> Outcome<Done> {
    let place = if path.unix { Place::unix(bench)? } else { Place::tcp()? };
    let (sender, receiver) = match path.measured {
        Measured::Both => (who, who),
        Measured::Sender => (who, Program::Limit),
        Measured::Receiver => (Program::Limit, who),
    };
    let start = |who: Program, role: Role<'_>, streams: Streams, end: Measured| match counter {
        Some((chosen, counter)) if chosen == end => Process::counted(who, role, streams, counter),
        _ => Process::program(who, role, streams),
    };

    let saved = bench.dir.path().join("received");
    let mut others = Vec::new();
    let stdout = match path.output {
        Output::Null => None,
        Output::File => {
            // A new one each time: its pages have to be allocated, as by whoever saves what comes.
            let _ = fs::remove_file(&saved);
            Some(File::create(&saved)?.into())
        }
        Output::Pipe => {
            let (read, write) = pipe()?;
            let streams = Streams { stdin: Some(read.into()), stdout: None };
            others.push(Process::helper(&[consumer, &u64::MAX.to_string()], streams)?);
            Some(write.into())
        }
    };
    // Some programs that listen end when their own input does, so there is one that stays.
    let (silence, _held) = pipe()?;
    let streams = Streams { stdin: Some(silence.into()), stdout };
    let mut rx = start(receiver, Role::Receive(&place), streams, Measured::Receiver)?;
    wait_for_listener(&place, &mut rx)?;

    let file = bench.file(size)?;
    let begun = Instant::now();
    let stdin = match path.input {
        Input::File => File::open(file)?.into(),
        Input::Pipe => {
            let (read, write) = pipe()?;
            let streams = Streams { stdin: None, stdout: Some(write.into()) };
            others.push(Process::helper(&["produce", &size.to_string(), PRODUCED], streams)?);
            read.into()
        }
    };
    let streams = Streams { stdin: Some(stdin), stdout: None };
    let mut tx = start(sender, Role::Send(&place), streams, Measured::Sender)?;

    // The programs first: they are the cause where a counterpart has failed as well.
    let mut all: Vec<&mut Process> = [&mut rx, &mut tx].into_iter().chain(&mut others).collect();
    wait_for_all(&mut all, LIMIT)?;
    let seconds = begun.elapsed().as_secs_f64();
    for process in all {
        process.succeeded(&[0])?;
    }

    match path.output {
        Output::Pipe => same_size(&mut others[0], size)?,
        Output::File => same_file(&saved, size)?,
        Output::Null if receiver == Program::Limit => same_size(&mut rx, size)?,
        Output::Null => {}
    }
    Ok(Done { seconds, tx, rx })
}

/// Both ways at once, through one program.
fn duplex(_: &Bench, who: Program, size: u64, consumer: &str) -> Outcome<Sample> {
    let port = free_port()?;
    let mut server = Process::helper(&["echo", &port.to_string()], Streams::default())?;
    wait_for_listener(&Place::Tcp(port), &mut server)?;

    let (from_nc, stdout) = pipe()?;
    let streams = Streams { stdin: Some(from_nc.into()), stdout: None };
    let mut consumer = Process::helper(&[consumer, &u64::MAX.to_string()], streams)?;
    let begun = Instant::now();
    let (stdin, to_nc) = pipe()?;
    let streams = Streams { stdin: None, stdout: Some(to_nc.into()) };
    let mut producer = Process::helper(&["produce", &size.to_string(), PRODUCED], streams)?;
    let streams = Streams { stdin: Some(stdin.into()), stdout: Some(stdout.into()) };
    let mut nc = Process::program(who, Role::Relay(port), streams)?;

    let mut all = [&mut nc, &mut consumer, &mut producer, &mut server];
    wait_for_all(&mut all, LIMIT)?;
    let seconds = begun.elapsed().as_secs_f64();
    for process in all {
        process.succeeded(&[0])?;
    }
    same_size(&mut consumer, size)?;
    Ok(vec![(RATE, rate(size, seconds)), (CPU, nc.cpu() / gib(size))])
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn same_size(counterpart: &mut Process, size: u64) -> Outcome<()> {
    let got = counterpart.reported("bytes")?;
    if (got - size as f64).abs() < 0.5 {
        return Ok(());
    }
    Err(Failure::Wrong(format!("{got} of {size} bytes came out")))
}

fn same_file(path: &std::path::Path, size: u64) -> Outcome<()> {
    let mut file = File::open(path)?;
    let mut payload = Payload::new();
    let mut buffer = vec![0; 1 << 20];
    let mut total = 0;
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            count if payload.continues_with(&buffer[..count]) => total += count as u64,
            _ => return Err(Failure::Wrong(format!("wrong bytes after {total}"))),
        }
    }
    if total == size {
        return Ok(());
    }
    Err(Failure::Wrong(format!("{total} of {size} bytes came out")))
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn gib(size: u64) -> f64 {
    size as f64 / GIB as f64
}

fn rate(size: u64, seconds: f64) -> f64 {
    gib(size) * 1.073_741_824 / seconds
}

const RATE: Figure = "GB/s";
const CPU: Figure = "CPU s/GiB";
const TX_CPU: Figure = "tx CPU s/GiB";
const RX_CPU: Figure = "rx CPU s/GiB";
const TX_CALLS: Figure = "tx calls/GiB";
const RX_CALLS: Figure = "rx calls/GiB";

/// What is compared byte by byte before anything is timed.
const PROBED: u64 = 64 << 20;

/// What is moved while system calls are counted.
const COUNTED: u64 = 128 << 20;

/// What the producer writes at a time, as cat(1) does.
const PRODUCED: &str = "131072";

/// The slowest peer needs a tenth of it.
const LIMIT: Duration = Duration::from_secs(20);
