//! Datagrams: how many a second leave, each as it was read, and how many of those that come in get out.

use std::fs;
use std::fs::File;
use std::io::Read as _;
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use rustix::net::sockopt::set_socket_recv_buffer_size_force;
use rustix::net::{RecvFlags, recv};
use rustix::pipe::{PipeFlags, pipe_with};
use socket2::SockRef;

use crate::case::{
    Against, Better, Case, Failure, Figure, Outcome, Run, Sample, at_least, at_most,
};
use crate::measure::{Process, Streams, pipe, ready, wait_for_all, wait_for_datagram_socket};
use crate::peers::{Program, Role};
use crate::setup::{Bench, free_udp_port};

pub(crate) static CASES: [Case; 2] = [
    Case {
        name: "udp.tx",
        about: "`producer | nc -u`: 1400 bytes a read, over a pipe that keeps writes apart",
        figure: SENT,
        better: Better::More,
        peers: PEERS,
        targets: &[at_least(SENT, 1.0, Against::Best), at_most(CPU, 1.0, Against::Best)],
        probe: None,
        run: Run::Each(send),
    },
    Case {
        name: "udp.rx",
        about: "200 000 datagrams of 100 bytes a second to `nc -ul | consumer`",
        figure: DELIVERED,
        better: Better::More,
        peers: PEERS,
        targets: &[
            at_least(DELIVERED, 2.0, Against::Best),
            at_most(LOSS, 1.0, Against::Absolute),
            at_most(CPU, 0.6, Against::Best),
        ],
        probe: None,
        run: Run::Each(receive),
    },
];

const PEERS: &[Program] = &[Program::Openbsd, Program::Ncat, Program::Socat];

fn send(bench: &Bench, who: Program) -> Outcome<Sample> {
    let count: u32 = bench.pick(200_000, 20_000);
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.set_read_timeout(Some(SILENCE))?;
    enlarge(&socket);
    let port = socket.local_addr()?.port();
    let (first, comes) = mpsc::channel();
    // Something has to take them in, or the kernel would count them as lost rather than sent.
    let over = Arc::new(AtomicBool::new(false));
    let is_over = Arc::clone(&over);
    let sink = thread::spawn(move || {
        let mut wrong = 0;
        let mut buffer = [0; 8];
        let mut first = Some(first);
        loop {
            match recv(&socket, &mut buffer, RecvFlags::TRUNC) {
                Ok((_, length)) => {
                    if let Some(first) = first.take() {
                        let _ = first.send(Instant::now());
                    }
                    wrong += u32::from(length != SIZE);
                }
                Err(_) if is_over.load(Ordering::Relaxed) => return wrong,
                // Others may have the processor.
                Err(_) => {}
            }
        }
    });

    let (read, write) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::DIRECT)?;
    let before = datagrams_sent();
    let streams = Streams { stdin: Some(read.into()), stdout: None };
    let ran = Process::program(who, Role::SendDatagrams(port), streams).and_then(|mut nc| {
        let streams = Streams { stdin: None, stdout: Some(write.into()) };
        let bytes = u64::from(count) * SIZE as u64;
        let arguments = ["produce", &bytes.to_string(), &SIZE.to_string()];
        let mut producer = Process::helper(&arguments, streams)?;
        wait_for_all(&mut [&mut producer, &mut nc], LIMIT)?;
        let ended = Instant::now();
        // It is the cause where both have failed.
        nc.succeeded(&[0])?;
        producer.succeeded(&[0])?;
        Ok((nc, ended))
    });
    let sent = datagrams_sent() - before;
    over.store(true, Ordering::Relaxed);
    let wrong = sink.join().map_err(|_| Failure::Failed("the sink panicked".to_owned()))?;
    let (nc, ended) = ran?;
    let begun = comes.recv().map_err(|_| Failure::Wrong("no datagram came".to_owned()))?;
    let count = f64::from(count);
    if sent < count || wrong > 0 {
        let merged = count - sent;
        return Err(Failure::Wrong(format!(
            "{count} reads became {sent} datagrams: {merged} merged, {wrong} with another length"
        )));
    }
    Ok(vec![(SENT, count / (ended - begun).as_secs_f64()), (CPU, nc.cpu() * 1e6 / count)])
}

fn receive(bench: &Bench, who: Program) -> Outcome<Sample> {
    let count: u32 = bench.pick(200_000, 20_000);
    let port = free_udp_port()?;
    let (read, write) = pipe()?;
    let streams = Streams { stdin: None, stdout: Some(write.into()) };
    let mut nc = Process::program(who, Role::ReceiveDatagrams(port), streams)?;
    wait_for_datagram_socket(port, &mut nc)?;
    // Some leave when nobody reads any more.
    let _held = read.try_clone()?;
    let over = Arc::new(AtomicBool::new(false));
    let is_over = Arc::clone(&over);
    let consumer = thread::spawn(move || until_silence(read.into(), &is_over));
    let arguments =
        ["datagrams", &port.to_string(), &count.to_string(), &SMALL.to_string(), "200000"];
    let flooded = Process::helper(&arguments, Streams::default()).and_then(|mut flood| {
        wait_for_all(&mut [&mut flood], LIMIT)?;
        flood.succeeded(&[0])?;
        Ok(flood)
    });
    over.store(true, Ordering::Relaxed);
    let bytes =
        consumer.join().map_err(|_| Failure::Failed("the consumer panicked".to_owned()))??;
    let mut flood = flooded?;
    nc.has_not_failed()?;
    let refused = flood.reported("refused")?;
    if refused > 0.0 {
        return Err(Failure::Wrong(format!("{refused} datagrams were refused")));
    }
    if bytes % SMALL as u64 != 0 {
        let why = format!("{bytes} bytes came out: some datagrams were cut short");
        return Err(Failure::Wrong(why));
    }
    #[expect(clippy::cast_precision_loss, reason = "at most the count")]
    let delivered = (bytes / SMALL as u64) as f64;
    Ok(vec![
        (DELIVERED, delivered / flood.reported("seconds")?),
        (LOSS, 100.0 - delivered * 100.0 / f64::from(count)),
        (CPU, nc.cpu() * 1e6 / delivered.max(1.0)),
    ])
}

/// How many bytes come until it is over and nothing comes for a while.
fn until_silence(mut out: File, is_over: &AtomicBool) -> Outcome<u64> {
    let mut buffer = vec![0; 1 << 16];
    let mut total = 0;
    loop {
        let was_over = is_over.load(Ordering::Relaxed);
        if !ready(&out, SILENCE)? {
            if was_over {
                return Ok(total);
            }
            continue;
        }
        match out.read(&mut buffer)? {
            0 => return Ok(total),
            count => total += count as u64,
        }
    }
}

/// Of everybody in this network, which is only us where it is our own.
fn datagrams_sent() -> f64 {
    let table = fs::read_to_string("/proc/net/snmp").unwrap_or_default();
    let mut lines = table.lines().filter_map(|line| line.strip_prefix("Udp: "));
    let (Some(names), Some(values)) = (lines.next(), lines.next()) else { return 0.0 };
    let mut pairs = names.split_whitespace().zip(values.split_whitespace());
    let found = pairs.find(|(name, _)| *name == "OutDatagrams");
    found.and_then(|(_, value)| value.parse().ok()).unwrap_or(0.0)
}

/// As far as the kernel lets us.
fn enlarge(socket: &UdpSocket) {
    if set_socket_recv_buffer_size_force(socket, RECEIVE_BUFFER).is_err() {
        let _ = SockRef::from(socket).set_recv_buffer_size(RECEIVE_BUFFER);
    }
}

const SENT: Figure = "datagrams/s";
const DELIVERED: Figure = "delivered/s";
const CPU: Figure = "CPU us/datagram";
const LOSS: Figure = "loss %";

/// What fits into a frame of Ethernet.
const SIZE: usize = 1_400;

const SMALL: usize = 100;

const RECEIVE_BUFFER: usize = 8 << 20;

/// Nothing is on its way any more.
const SILENCE: Duration = Duration::from_millis(300);

const LIMIT: Duration = Duration::from_secs(20);
