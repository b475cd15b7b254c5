//! Peers, readers and writers that stall at every stage, with a limit of time: it is kept, and what is
//! left behind is told. Proxies that stall stand in `proxy_faults`.

use std::any::Any;
use std::io::{self, Read, Write};
use std::ops::Range;
use std::thread;
use std::time::{Duration, Instant};

use super::{MODEST, is_calm};
use crate::support::peer::SilentPort;
use crate::support::{
    Datagrams, Nc, Noise, Peer, Role, Running, Same, fill, kernel, uninterrupted,
};

/// `-w` is the longest that nothing may happen. All stages wait at the same time.
#[test]
fn w_is_kept_at_every_stage() {
    let stages: &[(&str, Reach)] = &[
        ("silent from the start", silent_from_the_start),
        ("silent after our end of file", silent_after_our_end),
        ("stdin silent after the peer's end of file", silent_after_its_end),
        ("the peer takes nothing more", the_peer_takes_nothing_more),
        ("stdout takes nothing more", stdout_takes_nothing_more),
        ("nobody answers", nobody_answers),
    ];
    thread::scope(|scope| {
        for (name, stage) in stages {
            for role in Role::BOTH {
                scope.spawn(move || {
                    let Stage { begun, nc, status, says, _kept } = stage(role);
                    is_calm(&nc);
                    let end = nc.ends();
                    end.exits(status);
                    match says {
                        "" => end.complained_of_nothing(),
                        text => end.complained_once_of(text),
                    };
                    let took = end.ended - begun;
                    assert!(KEPT.contains(&took), "{role:?}, {name}: -w 1 took {took:?}");
                });
            }
        }
    });
}

/// A program that has come to a stage, and what keeps it there.
struct Stage {
    /// When the last byte moved.
    begun: Instant,
    nc: Running,
    status: i32,
    /// What it says in the end.
    says: &'static str,
    _kept: Kept,
}

type Kept = Box<dyn Any + Send>;

/// Gets to a stage.
type Reach = fn(Role) -> Stage;

fn silent_from_the_start(role: Role) -> Stage {
    let begun = Instant::now();
    let (nc, peer) = role.start("-w 1", |nc| nc);
    Stage { begun, nc, status: 0, says: "", _kept: Box::new(peer) }
}

fn silent_after_our_end(role: Role) -> Stage {
    let begun = Instant::now();
    let (nc, mut peer) = role.start("-w 1 -N", Nc::stdin_null);
    peer.receives_eof();
    Stage { begun, nc, status: 0, says: "", _kept: Box::new(peer) }
}

fn silent_after_its_end(role: Role) -> Stage {
    let begun = Instant::now();
    let (nc, peer) = role.start("-w 1 --half-close", |nc| nc);
    peer.finishes();
    Stage { begun, nc, status: 0, says: "", _kept: Box::new(peer) }
}

fn the_peer_takes_nothing_more(role: Role) -> Stage {
    let (mut nc, peer) = role.start("-w 1", |nc| nc);
    let stdin = nc.take_stdin();
    let begun = Instant::now();
    fill(&stdin, &mut Noise::new(720));
    let says = "bytes from stdin not sent";
    Stage { begun, nc, status: 1, says, _kept: Box::new((peer, stdin)) }
}

fn stdout_takes_nothing_more(role: Role) -> Stage {
    let (nc, peer) = role.start("-w 1", Nc::stdout_unread);
    let begun = Instant::now();
    fill(&peer.stream, &mut Noise::new(721));
    let says = "bytes from the peer not written";
    Stage { begun, nc, status: 1, says, _kept: Box::new(peer) }
}

/// A connection, or a datagram.
fn nobody_answers(role: Role) -> Stage {
    let begun = Instant::now();
    match role {
        Role::Client => {
            let silent = SilentPort::start();
            let nc = Nc::new(format!("-w 1 127.0.0.1 {}", silent.port())).start();
            Stage { begun, nc, status: 1, says: "timed out", _kept: Box::new(silent) }
        }
        Role::Listener => {
            let (mut nc, port) = Nc::new("-u -l -w 1").binds();
            let peer = Datagrams::connect(port);
            peer.sends(b"who?");
            nc.shows(b"who?");
            nc.types(b"me");
            peer.receives(b"me");
            Stage { begun, nc, status: 0, says: "", _kept: Box::new(peer) }
        }
    }
}

/// A little now and then is not silence; silence behind it is.
#[test]
fn a_trickle_puts_w_off_and_silence_does_not() {
    let (nc, mut peer) = Role::Client.start("-w 0.6", |nc| nc);
    let begun = Instant::now();
    for at in 1..=4_u32 {
        crate::support::watch(Duration::from_millis(250));
        peer.sends(b".");
        nc.shows(&vec![b'.'; at as usize]);
    }
    let last = Instant::now();
    let end = nc.ends();
    end.exits(0).said_nothing();
    assert!(last - begun > Duration::from_millis(900), "it was not put off");
    let took = end.ended - last;
    let kept = Duration::from_millis(550)..Duration::from_secs(3);
    assert!(kept.contains(&took), "-w 0.6 took {took:?} after the last byte");
}

/// One of two readers of the same stdin stalls. It is waited for, and then let go: the other has all of it.
#[test]
fn a_reader_that_stalls_holds_the_others_back_for_five_seconds_and_no_longer() {
    const SIZE: u64 = 24 << 20;
    let (mut nc, port) = Nc::new("-l -k -N").listens();
    let (stalls, mut reads) = (Peer::connect(port), Peer::connect(port));
    nc.says(&format!("Connection received on localhost {}", stalls.port()));
    nc.says(&format!("Connection received on localhost {}", reads.port()));
    let mut stdin = nc.take_stdin();
    let writer = thread::spawn(move || {
        io::copy(&mut Noise::new(722).take(SIZE), &mut stdin).expect("it reads its stdin");
    });
    let (mut same, mut last, mut longest) = (Same::new(722), Instant::now(), Duration::ZERO);
    let mut chunk = vec![0; 64 * 1024];
    while let count @ 1.. = uninterrupted(|| reads.stream.read(&mut chunk)).unwrap() {
        same.write_all(&chunk[..count]).unwrap();
        longest = longest.max(last.elapsed());
        last = Instant::now();
    }
    assert_eq!(same.count(), SIZE);
    // The pause that is seen begins when what the kernel held for this reader has been read, later than ours.
    let kept = Duration::from_secs(3)..Duration::from_secs(9);
    assert!(kept.contains(&longest), "it was held back for {longest:?}");
    let line = nc.says("dropped, it held the others back");
    assert!(line.contains(&format!("port {}", stalls.port())), "{line}");
    writer.join().unwrap();
    assert!(kernel::peak_kib(nc.pid()) < MODEST, "{} KiB", kernel::peak_kib(nc.pid()));
    nc.settles();
    is_calm(&nc);
}

/// Not earlier than asked for, but for the moment that the program's clock may have been behind ours. A busy
/// machine may be late.
const KEPT: Range<Duration> = Duration::from_millis(950)..Duration::from_secs(4);
