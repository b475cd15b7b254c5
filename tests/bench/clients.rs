//! One listener and many clients (`-k`).
//!
//! A client counts as served when its byte has come out of the listener. nc.openbsd serves one after
//! another and takes part where that is enough.

use std::ffi::OsString;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use socket2::{Domain, Socket, Type};

use crate::case::{
    Against, Better, Case, Failure, Figure, Outcome, Run, Sample, at_least, at_most,
};
use crate::measure::{Process, Streams, pipe, ready, wait_for_all, wait_for_listener, wait_on};
use crate::peers::{Program, Role};
use crate::setup::{Bench, GIB, Place, free_port};
use crate::table::quantile;

pub(crate) static CASES: [Case; 10] = [
    Case {
        name: "clients.accept.4",
        about: "clients that send a byte and leave, four at a time",
        figure: CONNECTIONS,
        peers: &[Program::Ncat, Program::Socat],
        targets: &[at_least(CONNECTIONS, 0.9, Against::Peer(Program::Ncat))],
        run: Run::Each(accept),
        ..TEMPLATE
    },
    Case {
        name: "clients.burst.100",
        about: "100 clients at once, until the last one's byte came out",
        figure: SECONDS,
        better: Better::Less,
        peers: &[Program::Openbsd, Program::Ncat, Program::Socat],
        targets: &[at_most(SECONDS, 0.05, Against::Absolute)],
        run: Run::Each(|bench, who| burst(bench, who, 100)),
        ..TEMPLATE
    },
    Case {
        name: "clients.burst.1000",
        about: "1000 clients at once, until the last one's byte came out",
        figure: SECONDS,
        better: Better::Less,
        peers: &[Program::Openbsd, Program::Ncat, Program::Socat],
        targets: &[at_most(SECONDS, 0.3, Against::Absolute)],
        run: Run::Each(|bench, who| burst(bench, who, 1_000)),
        ..TEMPLATE
    },
    Case {
        name: "clients.sink.1",
        about: "one client sends to `nc -lk | consumer`",
        peers: &[Program::Openbsd, Program::Ncat, Program::Socat],
        targets: &[
            at_least(RATE, 2.0, Against::Peer(Program::Openbsd)),
            at_most(CPU, 0.4, Against::Best),
        ],
        run: Run::Each(|bench, who| sink(bench, who, 1)),
        ..TEMPLATE
    },
    Case {
        name: "clients.sink.10",
        about: "10 clients send to `nc -lk | consumer`",
        peers: &[Program::Ncat, Program::Socat],
        targets: &[
            at_least(RATE, 1.7, Against::Peer(Program::Ncat)),
            at_most(CPU, 0.4, Against::Peer(Program::Ncat)),
        ],
        run: Run::Each(|bench, who| sink(bench, who, 10)),
        ..TEMPLATE
    },
    Case {
        name: "clients.sink.100",
        about: "100 clients send to `nc -lk | consumer`",
        peers: &[Program::Ncat, Program::Socat],
        targets: &[
            at_least(RATE, 1.7, Against::Peer(Program::Ncat)),
            at_most(CPU, 0.4, Against::Peer(Program::Ncat)),
        ],
        run: Run::Each(|bench, who| sink(bench, who, 100)),
        ..TEMPLATE
    },
    Case {
        name: "clients.sink.1000",
        about: "1000 clients send to `nc -lk | consumer`",
        targets: &[
            at_least(RATE, 1.5, Against::Peer(Program::Ncat)),
            at_most(CPU, 0.4, Against::Peer(Program::Ncat)),
        ],
        run: Run::Each(|bench, who| sink(bench, who, 1_000)),
        ..TEMPLATE
    },
    Case {
        name: "clients.mem",
        about: "10 000 clients that have sent a byte and stay (500 with --quick)",
        figure: BYTES,
        better: Better::Less,
        targets: &[
            at_most(BYTES, 512.0, Against::Absolute),
            at_most(BASE, 3072.0, Against::Absolute),
        ],
        run: Run::Each(memory),
        ..TEMPLATE
    },
    Case {
        name: "clients.fair",
        about: "ten clients that send as much as they can: the least one's share, 1 is its due",
        figure: SHARE,
        targets: &[at_least(SHARE, 0.85, Against::Absolute)],
        run: Run::Each(fairness),
        ..TEMPLATE
    },
    Case {
        name: "clients.latency",
        about: "a byte of one client while ten others flood, until it came out",
        figure: P99,
        better: Better::Less,
        targets: &[
            at_most(P99, 2.0, Against::Peer(Program::Ncat)),
            at_most(P99, 10.0, Against::Absolute),
        ],
        run: Run::Each(latency),
        ..TEMPLATE
    },
];

const TEMPLATE: Case = Case {
    name: "",
    about: "",
    figure: RATE,
    better: Better::More,
    peers: &[Program::Ncat],
    targets: &[],
    probe: None,
    run: Run::Each(|_, _| Ok(Sample::new())),
};

/// A listener with `-k`, and what comes out of it.
struct Server {
    nc: Process,
    port: u16,
}

impl Server {
    fn start(who: Program, stdout: OwnedFd) -> Outcome<Self> {
        let port = free_port()?;
        let streams = Streams { stdin: None, stdout: Some(stdout.into()) };
        let mut nc = Process::program(who, Role::Serve(port), streams)?;
        wait_for_listener(&Place::Tcp(port), &mut nc)?;
        Ok(Self { nc, port })
    }

    /// With a pipe that the benchmark reads itself.
    fn read_here(who: Program) -> Outcome<(Self, File)> {
        let (read, write) = pipe()?;
        Ok((Self::start(who, write)?, read.into()))
    }

    fn address(&self) -> SocketAddrV4 {
        SocketAddrV4::new(Ipv4Addr::LOCALHOST, self.port)
    }

    fn connect(&self) -> Outcome<TcpStream> {
        Ok(TcpStream::connect_timeout(&self.address().into(), PATIENCE)?)
    }
}

/// So many clients that send all they can, from when they are all connected.
struct Flood {
    process: Process,
}

impl Flood {
    /// `until` is as `helper.rs` reads it.
    fn start(
        server: &mut Server,
        clients: u64,
        until: [&str; 2],
        file: &Path,
        limit: Duration,
    ) -> Outcome<Self> {
        let (begun, stdout) = pipe()?;
        let mut arguments: Vec<OsString> =
            vec!["flood".into(), server.port.to_string().into(), clients.to_string().into()];
        arguments.extend(until.map(OsString::from));
        arguments.push(file.into());
        let streams = Streams { stdin: None, stdout: Some(stdout.into()) };
        let mut process = Process::helper(&arguments, streams)?;
        if process.wait_beside(&begun, limit)? {
            return Ok(Self { process });
        }
        process.has_not_failed()?;
        server.nc.has_not_failed()?;
        Err(Failure::Wrong(format!("{clients} clients did not connect in {limit:?}")))
    }
}

fn accept(bench: &Bench, who: Program) -> Outcome<Sample> {
    let (server, mut out) = Server::read_here(who)?;
    let batches: u32 = bench.pick(250, 25);
    let begun = Instant::now();
    let cpu = server.nc.cpu();
    for _ in 0..batches {
        for _ in 0..4 {
            server.connect()?.write_all(b".")?;
        }
        read_exactly(&mut out, 4)?;
    }
    let connections = f64::from(batches) * 4.0;
    Ok(vec![
        (CONNECTIONS, connections / begun.elapsed().as_secs_f64()),
        (CPU_EACH, (server.nc.cpu() - cpu) * 1e6 / connections),
    ])
}

fn burst(bench: &Bench, who: Program, count: usize) -> Outcome<Sample> {
    let (server, mut out) = Server::read_here(who)?;
    let begun = Instant::now();
    let address = server.address().into();
    let mut waiting = Vec::new();
    for _ in 0..count {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        // It goes on in the background; whether it succeeds shows when it is writable.
        match socket.connect(&address) {
            Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => {
                return Err(error.into());
            }
            _ => waiting.push(socket),
        }
    }
    // They stay until all are served, so that it is all at once.
    let mut connected = Vec::new();
    let mut arrived = 0;
    let patience = bench.pick(PATIENCE, PATIENCE / 5);
    while arrived < count {
        if begun.elapsed() > patience {
            return Err(Failure::Wrong(format!("{arrived} of {count} served in {patience:?}")));
        }
        let mut polled: Vec<_> =
            waiting.iter().map(|socket| PollFd::new(socket, PollFlags::OUT)).collect();
        polled.push(PollFd::new(&out, PollFlags::IN));
        wait_on(&mut polled, Duration::from_millis(100))?;
        let states: Vec<bool> = polled.iter().map(|one| !one.revents().is_empty()).collect();
        if states.last() == Some(&true) {
            match out.read(&mut [0; 4096])? {
                0 => return Err(Failure::Wrong("its output has ended".to_owned())),
                count => arrived += count,
            }
        }
        let mut states = states.into_iter();
        for mut socket in std::mem::take(&mut waiting) {
            if states.next() != Some(true) {
                waiting.push(socket);
                continue;
            }
            if let Some(error) = socket.take_error()? {
                return Err(Failure::Wrong(format!("a client: {error}")));
            }
            socket.write_all(b".")?;
            // nc.openbsd and its like serve the next one when this one has ended.
            socket.shutdown(std::net::Shutdown::Write)?;
            connected.push(socket);
        }
    }
    Ok(vec![(SECONDS, begun.elapsed().as_secs_f64())])
}

fn sink(bench: &Bench, who: Program, clients: u64) -> Outcome<Sample> {
    let total = bench.bulk / 2 / clients * clients;
    let (read, write) = pipe()?;
    let mut server = Server::start(who, write)?;
    // The consumer leaves when it has all, and a listener may leave when nobody reads it any more.
    let _held = read.try_clone()?;
    let streams = Streams { stdin: Some(read.into()), stdout: None };
    let mut consumer = Process::helper(&["consume", &total.to_string()], streams)?;
    let file = bench.file(bench.bulk)?;
    let limit = limit(bench);
    let until = ["bytes", &total.to_string()];
    let mut flood = Flood::start(&mut server, clients, until, &file, limit)?.process;
    let cpu = server.nc.cpu();
    let begun = Instant::now();
    wait_for_all(&mut [&mut consumer, &mut flood], limit)?;
    let seconds = begun.elapsed().as_secs_f64();
    consumer.succeeded(&[0])?;
    flood.succeeded(&[0])?;
    let got = consumer.reported("bytes")?;
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let total = total as f64;
    if (got - total).abs() > 0.5 {
        return Err(Failure::Wrong(format!("{got} of {total} bytes came out")));
    }
    if server.nc.has_ended() {
        return Err(Failure::Wrong("the listener has ended".to_owned()));
    }
    #[expect(clippy::cast_precision_loss, reason = "a power of two")]
    let gib = total / GIB as f64;
    Ok(vec![
        (RATE, total / 1e9 / seconds),
        (CPU, (server.nc.cpu() - cpu) / gib),
        (PEAK, server.nc.peak_kib()),
    ])
}

fn memory(bench: &Bench, who: Program) -> Outcome<Sample> {
    let (mut server, mut out) = Server::read_here(who)?;
    server.nc.settle()?;
    let base = server.nc.peak_kib();
    let private = |nc: &Process| {
        let kib = nc.memory_kib("Private_Dirty").or_else(|| nc.status_number("VmRSS"));
        kib.ok_or_else(|| Failure::Failed("no smaps_rollup, no status".to_owned()))
    };
    let before = private(&server.nc)?;
    let count: u16 = bench.pick(10_000, 500);
    let mut clients = Vec::new();
    for number in 0..count {
        let outcome = server.connect().and_then(|mut client| {
            client.write_all(b".")?;
            clients.push(client);
            read_exactly(&mut out, 1)
        });
        if let Err(failure) = outcome {
            return Err(Failure::Wrong(format!("client {number}: {failure}")));
        }
    }
    let growth = private(&server.nc)? - before;
    Ok(vec![(BYTES, growth * 1024.0 / f64::from(count)), (BASE, base)])
}

fn fairness(bench: &Bench, who: Program) -> Outcome<Sample> {
    let (read, write) = pipe()?;
    let mut server = Server::start(who, write)?;
    let streams = Streams { stdin: Some(read.into()), stdout: None };
    let _consumer = Process::helper(&["consume", &u64::MAX.to_string()], streams)?;
    let file = bench.file(bench.bulk)?;
    let until = ["milliseconds", bench.pick("2000", "300")];
    let mut flood = Flood::start(&mut server, 10, until, &file, limit(bench))?.process;
    wait_for_all(&mut [&mut flood], limit(bench))?;
    flood.succeeded(&[0])?;
    Ok(vec![(SHARE, flood.reported("least")?), (MOST, flood.reported("most")?)])
}

fn latency(bench: &Bench, who: Program) -> Outcome<Sample> {
    let (mut server, mut out) = Server::read_here(who)?;
    // The flood is zeros, so the byte can be told from it.
    let zeros = bench.dir.path().join("zeros");
    std::fs::write(&zeros, vec![0; 16 << 20])?;
    let mut small = server.connect()?;
    small.set_nodelay(true)?;
    let _flood = Flood::start(&mut server, 10, ["milliseconds", "60000"], &zeros, limit(bench))?;
    let mut buffer = vec![0; 1 << 20];
    // Not before it floods with all its might.
    let mut flooded = 0;
    while flooded < bench.bulk / 16 {
        flooded += read_some(&mut out, &mut buffer)? as u64;
    }
    let mut times = Vec::new();
    for _ in 0..bench.pick(300, 30) {
        let begun = Instant::now();
        small.write_all(&[1])?;
        loop {
            let count = read_some(&mut out, &mut buffer)?;
            if buffer[..count].contains(&1) {
                break;
            }
            if begun.elapsed() > PATIENCE {
                return Err(Failure::Wrong(format!("no byte in {PATIENCE:?}")));
            }
        }
        times.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    let mut sample = Sample::new();
    sample.extend(quantile(times.clone(), 0.99).map(|p99| (P99, p99)));
    sample.extend(quantile(times, 0.5).map(|p50| (P50, p50)));
    Ok(sample)
}

/// How long anything may take, connecting or sending.
fn limit(bench: &Bench) -> Duration {
    bench.pick(PATIENCE * 4, PATIENCE)
}

fn read_exactly(out: &mut File, mut count: usize) -> Outcome<()> {
    let mut buffer = [0; 64];
    while count > 0 {
        let most = count.min(buffer.len());
        count -= read_some(out, &mut buffer[..most])?;
    }
    Ok(())
}

fn read_some(out: &mut File, buffer: &mut [u8]) -> Outcome<usize> {
    if !ready(out, PATIENCE)? {
        return Err(Failure::Failed(format!("nothing came out in {PATIENCE:?}")));
    }
    match out.read(buffer)? {
        0 => Err(Failure::Failed("its output has ended".to_owned())),
        count => Ok(count),
    }
}

const RATE: Figure = "GB/s";
const CPU: Figure = "CPU s/GiB";
const PEAK: Figure = "peak RSS KiB";
const CONNECTIONS: Figure = "connections/s";
const CPU_EACH: Figure = "CPU us/connection";
const SECONDS: Figure = "s";
const BYTES: Figure = "bytes/client";
const BASE: Figure = "RSS before KiB";
const SHARE: Figure = "least share";
const MOST: Figure = "greatest share";
const P50: Figure = "p50 ms";
const P99: Figure = "p99 ms";

/// How long a client waits, or who waits for it.
const PATIENCE: Duration = Duration::from_secs(5);
