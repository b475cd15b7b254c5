//! Finding open ports: among closed ones, which answer at once, and among silent ones, which do not.

use std::collections::BTreeSet;
use std::io::{self, Read as _, Seek as _};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use crate::case::{
    Against, Better, Case, Failure, Figure, Outcome, Run, Sample, at_least, at_most,
};
use crate::measure::{Process, Streams, listening, wait_for_all};
use crate::peers::{Program, Role};
use crate::setup::{ANY, Bench};

pub(crate) static CASES: [Case; 3] = [
    Case {
        name: "scan.all",
        about: "`nc -zv -w 1 127.0.0.1 1-65535`, 9 of them open",
        figure: RATE,
        better: Better::More,
        peers: PEERS,
        targets: TARGETS,
        probe: None,
        run: Run::Each(|bench, who| {
            let open = open_any(9)?;
            let sample = closed(who, 1, bench.pick(u16::MAX, 61_000), 1);
            drop(open);
            sample
        }),
    },
    Case {
        name: "scan.1-1024",
        about: "`nc -zv -w 1 127.0.0.1 1-1024`, 3 of them open (where we may open them)",
        figure: RATE,
        better: Better::More,
        peers: PEERS,
        targets: TARGETS,
        probe: None,
        run: Run::Each(|bench, who| {
            let open = [22, 80, 443].map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)));
            let sample = closed(who, 1, 1024, bench.pick(10, 1));
            drop(open);
            sample
        }),
    },
    Case {
        name: "scan.filtered",
        about: "`nc -zv -w 1` on ports that never answer: 1000, but 3 for a program that takes one after another",
        figure: RATE,
        better: Better::More,
        peers: &[Program::Openbsd, Program::NmapFast],
        targets: &[
            // 1000 ports in 1.1 s.
            at_least(RATE, 909.0, Against::Absolute),
            at_least(RATE, 200.0, Against::Peer(Program::Openbsd)),
            at_most(CPU, 20.0, Against::Absolute),
        ],
        probe: None,
        run: Run::Each(filtered),
    },
];

const PEERS: &[Program] = &[Program::Openbsd, Program::Nmap, Program::NmapFast];

const TARGETS: &[crate::case::Target] = &[
    at_least(RATE, 1.8, Against::Peer(Program::Openbsd)),
    at_most(CPU, 0.6, Against::Peer(Program::Openbsd)),
    at_most(FALSE_OPENS, 0.0, Against::Absolute),
];

/// Scans closed ports, so many times.
fn closed(who: Program, first: u16, last: u16, times: u32) -> Outcome<Sample> {
    let expected: BTreeSet<u16> =
        listening().into_iter().filter(|port| (first..=last).contains(port)).collect();
    let mut false_opens = 0;
    let (mut seconds, mut cpu) = (0.0, 0.0);
    for _ in 0..times {
        let scan = scan(who, first, last)?;
        let missing: Vec<_> = expected.difference(&scan.open).collect();
        if !missing.is_empty() {
            return Err(Failure::Wrong(format!("did not find {missing:?}")));
        }
        false_opens += scan.open.difference(&expected).count();
        seconds += scan.seconds;
        cpu += scan.cpu;
    }
    let ports = f64::from(last - first + 1) * f64::from(times);
    #[expect(clippy::cast_precision_loss, reason = "a few")]
    let false_opens = false_opens as f64;
    Ok(vec![(RATE, ports / seconds), (CPU, cpu * 1e6 / ports), (FALSE_OPENS, false_opens)])
}

fn filtered(bench: &Bench, who: Program) -> Outcome<Sample> {
    let count = match who {
        Program::Openbsd => bench.pick(3, 1),
        _ => bench.pick(1_000, 100),
    };
    let silent = SilentPorts::new(count)?;
    let scan = scan(who, silent.first, silent.open)?;
    if scan.open != BTreeSet::from([silent.open]) {
        let found = scan.open.len();
        return Err(Failure::Wrong(format!("{found} ports called open, not just {}", silent.open)));
    }
    let count = f64::from(count);
    Ok(vec![(RATE, count / scan.seconds), (CPU, scan.cpu * 1e6 / count)])
}

struct Scan {
    open: BTreeSet<u16>,
    seconds: f64,
    cpu: f64,
}

fn scan(who: Program, first: u16, last: u16) -> Outcome<Scan> {
    let mut stdout = tempfile::tempfile()?;
    let streams = Streams { stdin: None, stdout: Some(stdout.try_clone()?.into()) };
    let begun = Instant::now();
    let mut nc = Process::program(who, Role::Scan(first, last), streams)?;
    wait_for_all(&mut [&mut nc], LIMIT)?;
    let seconds = begun.elapsed().as_secs_f64();
    let mut said = nc.stderr();
    // Something is open in every case, unless we may not open it.
    let nothing = !listening().iter().any(|port| (first..=last).contains(port));
    nc.succeeded(if nothing { &[0, 1] } else { &[0] })?;
    stdout.rewind()?;
    stdout.read_to_string(&mut said)?;
    Ok(Scan { open: open_ports(&said), seconds, cpu: nc.cpu() })
}

/// From `Connection to 127.0.0.1 80 port [tcp/*] succeeded!`, or from nmap's `80/open/tcp//http///`.
fn open_ports(said: &str) -> BTreeSet<u16> {
    let mut open = BTreeSet::new();
    for line in said.lines() {
        let words: Vec<&str> = line.split([' ', ',']).collect();
        if line.ends_with("succeeded!") {
            let port = words.iter().rposition(|&word| word == "port");
            open.extend(port.and_then(|at| words.get(at.checked_sub(1)?)?.parse::<u16>().ok()));
        }
        let found = words.iter().filter_map(|word| word.split_once("/open/tcp"));
        open.extend(found.filter_map(|(port, _)| port.parse::<u16>().ok()));
    }
    open
}

fn open_any(count: usize) -> Outcome<Vec<TcpListener>> {
    Ok((0..count).map(|_| TcpListener::bind(ANY)).collect::<Result<_, _>>()?)
}

/// Ports in a row whose queues are full: the kernel drops every further SYN without a word, as a
/// firewall does.
///
/// The port after the last of them is open, to see that somebody looked.
struct SilentPorts {
    first: u16,
    open: u16,
    _sockets: Vec<Socket>,
}

impl SilentPorts {
    fn new(count: u16) -> Outcome<Self> {
        // Somebody may have one of them, so there are several attempts, each at another place.
        for start in (10_000..60_000 - count).step_by(1_500) {
            let open = start + count;
            let silent = (start..open).map(Self::silence).collect::<Result<Vec<_>, _>>();
            if let (Ok(silent), Ok(listener)) = (silent, Self::listen(open, 16)) {
                let sockets = silent.into_iter().flatten().chain([listener]).collect();
                return Ok(Self { first: start, open, _sockets: sockets });
            }
        }
        Err(Failure::Failed(format!("no {count} free ports in a row")))
    }

    fn silence(port: u16) -> io::Result<[Socket; 2]> {
        // A queue of 0 has room for one.
        let listener = Self::listen(port, 0)?;
        let filler = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        filler.connect(&SocketAddrV4::new(Ipv4Addr::LOCALHOST, port).into())?;
        Ok([listener, filler])
    }

    fn listen(port: u16, queue: i32) -> io::Result<Socket> {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        listener.bind(&SocketAddrV4::new(Ipv4Addr::LOCALHOST, port).into())?;
        listener.listen(queue)?;
        Ok(listener)
    }
}

const RATE: Figure = "ports/s";
const CPU: Figure = "CPU us/port";
const FALSE_OPENS: Figure = "false opens";

const LIMIT: Duration = Duration::from_secs(20);
