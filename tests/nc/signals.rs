//! Signals: those that end the program do, all others change nothing, timeouts stay right. And the
//! stillness of a program that has nothing to do.

use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::ends::Pty;
use crate::support::peer::SilentPort;
use crate::support::{Nc, Noise, Peer, Running, Same, Server, fill, kernel, watch};

/// Every state a program can be in for long, with what keeps it there.
#[track_caller]
fn every_mode() -> Vec<(&'static str, Running, Vec<Peer>)> {
    let server = Server::start();
    let client = Nc::new(format!("127.0.0.1 {}", server.port())).start();
    let relaying = vec![server.accepts()];

    let (listens, _) = Nc::new("-l").listens();
    let (single, port) = Nc::new("-l").listens();
    let one = vec![Peer::connect(port)];
    let (keep_open, port) = Nc::new("-l -k").listens();
    let twenty: Vec<Peer> = (0..20).map(|_| Peer::connect(port)).collect();

    let pty = Pty::open();
    let stdout = pty.terminal.try_clone().unwrap();
    let on_terminal = Nc::new(format!("127.0.0.1 {}", server.port()));
    let on_terminal = on_terminal.stdin(pty.terminal).stdout(stdout).start();
    // The master side must outlive the program; a hang-up would end it.
    std::mem::forget(pty.master);
    let typed = vec![server.accepts()];

    vec![
        ("a client", client, relaying),
        ("a listener", listens, Vec::new()),
        ("a listener that serves", single, one),
        ("a listener that serves twenty", keep_open, twenty),
        ("a client on a terminal", on_terminal, typed),
    ]
}

#[test]
fn every_mode_has_one_thread() {
    for (mode, mut nc, _peers) in every_mode() {
        nc.settles();
        assert_eq!(kernel::threads(nc.pid()), 1, "threads of {mode}");
    }
}

#[test]
fn idle_is_still() {
    let mut modes = every_mode();
    for (_, nc, _) in &mut modes {
        nc.settles();
    }
    let look = |nc: &Running| (kernel::ticks(nc.pid()), kernel::sleeps(nc.pid()));
    let before: Vec<_> = modes.iter().map(|(mode, nc, _)| (*mode, look(nc))).collect();
    watch(Duration::from_secs(1));
    let after: Vec<_> = modes.iter().map(|(mode, nc, _)| (*mode, look(nc))).collect();
    assert_eq!(before, after, "(clock ticks, sleeps) over an idle second");
}

#[test]
fn ending_signals_end_every_mode() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        for (_, nc, mut peers) in every_mode() {
            nc.signal(signal);
            nc.ends().is_killed_by(signal).complained_of_nothing();
            peers.iter_mut().for_each(Peer::is_ended);
        }
    }
}

#[test]
fn an_ending_signal_ends_a_connect() {
    let silent = SilentPort::start();
    let mut nc = Nc::new(format!("127.0.0.1 {}", silent.port())).start();
    nc.settles();
    assert_eq!(kernel::threads(nc.pid()), 1);
    nc.signal(Signal::INT);
    nc.ends().is_killed_by(Signal::INT).said_nothing();
}

#[test]
fn stop_and_continue_lose_nothing() {
    let server = Server::start();
    let args = format!("-N --half-close 127.0.0.1 {}", server.port());
    let mut nc = Nc::new(args).stdout_unread().start();
    let peer = server.accepts();
    let (stdin, mut stdout) = (nc.take_stdin(), nc.take_stdout());
    let flowing = AtomicBool::new(true);
    thread::scope(|scope| {
        let storm = scope.spawn(|| {
            let mut count = 0;
            while flowing.load(Ordering::Relaxed) {
                nc.stops();
                nc.continues();
                count += 1;
            }
            count
        });
        let transfers = [
            scope.spawn(|| send(&stdin, 50)),
            scope.spawn(|| send(&peer.stream, 51)),
            scope.spawn(|| receive(&peer.stream, 50)),
            scope.spawn(|| receive(&mut stdout, 51)),
        ];
        let results = transfers.map(thread::ScopedJoinHandle::join);
        flowing.store(false, Ordering::Relaxed);
        for result in results {
            result.expect("a transfer failed");
        }
        let count = storm.join().unwrap();
        assert!(count >= 20, "stopped only {count} times");
    });
    drop((stdin, peer));
    assert_eq!(stdout.read(&mut [0]).unwrap(), 0);
    nc.ends().exits(0).complained_of_nothing();
}

#[test]
fn stops_in_the_middle_of_a_write_lose_nothing() {
    let (mut nc, port) = Nc::new("-l").stdout_unread().listens();
    let peer = Peer::connect(port);
    let mut stdout = nc.take_stdout();
    let total = fill(&peer.stream, &mut Noise::new(52));
    let mut same = Same::new(52);
    for _ in 0..20 {
        // A page of room in a pipe that was full, and the write that uses it is cut short.
        io::copy(&mut stdout.by_ref().take(4096), &mut same).unwrap();
        nc.stops();
        nc.continues();
    }
    drop(peer);
    io::copy(&mut stdout, &mut same).unwrap();
    assert_eq!(same.count(), total);
    nc.ends().exits(0).complained_of_nothing();
}

#[test]
fn a_stopped_program_is_not_late_for_long() {
    let (nc, _peer) = idle_client("-w 0.4");
    nc.stops();
    watch(Duration::from_millis(800));
    nc.continues();
    nc.ends_within(Duration::from_secs(1)).exits(0);
}

#[test]
fn w_is_right_among_signals() {
    let storms: [(&str, &[Signal]); 2] =
        [("window changes", &[Signal::WINCH]), ("stops", &[Signal::STOP, Signal::CONT])];
    for (storm, signals) in storms {
        let begun = Instant::now();
        let (nc, _peer) = idle_client("-w 2");
        let pid = nc.pid();
        let over = AtomicBool::new(false);
        let end = thread::scope(|scope| {
            scope.spawn(|| send_signals(pid, signals, &over));
            // By this time at the latest; a timer that starts again with every signal never ends.
            let end = nc.ends_within(Duration::from_secs(6));
            over.store(true, Ordering::Relaxed);
            end
        });
        let took = end.ended - begun;
        end.exits(0);
        let right = Duration::from_millis(1_950)..Duration::from_secs(3);
        assert!(right.contains(&took), "-w 2 took {took:?} among {storm}");
    }
}

/// A client of a peer that says nothing.
#[track_caller]
fn idle_client(options: &str) -> (Running, Peer) {
    let server = Server::start();
    let nc = Nc::new(format!("{options} 127.0.0.1 {}", server.port())).start();
    (nc, server.accepts())
}

/// One round a millisecond, until told that it is over.
fn send_signals(pid: Pid, signals: &[Signal], over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        for signal in signals {
            // It may have ended a moment ago; its id is not used again while the test holds it.
            let _ = kill_process(pid, *signal);
        }
        watch(Duration::from_millis(1));
    }
}

fn send(mut sink: impl Write, seed: u64) {
    io::copy(&mut Noise::new(seed).take(SIZE), &mut sink).unwrap();
}

fn receive(mut source: impl Read, seed: u64) {
    let copied = io::copy(&mut source.by_ref().take(SIZE), &mut Same::new(seed));
    assert_eq!(copied.unwrap(), SIZE);
}

const SIZE: u64 = 16 << 20;
