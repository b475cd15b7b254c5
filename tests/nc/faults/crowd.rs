//! Many clients: a thousand at once and ten thousand, the same few over and over, a greedy one among
//! quiet ones.

use std::fs::File;
use std::io::{self, Read};
use std::net::Shutdown;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};

use super::{MODEST, Vitals, is_calm};
use crate::support::{Nc, Noise, Peer, Running, kernel, wait_until, watch};

#[test]
fn a_thousand_at_once() {
    all_at_once(1_000);
}

#[test]
#[ignore = "needs a limit of 11200 descriptors, or root"]
fn ten_thousand_at_once() {
    all_at_once(10_000);
}

/// Each of them says a word, hears one, and goes. No descriptor more stays, and little memory was used.
#[track_caller]
fn all_at_once(count: usize) {
    let limit = may_open(count + 200);
    let nc = Nc::new("-l -k -n").under("prlimit", &[&format!("--nofile={limit}")]);
    let (mut nc, port) = nc.listens();
    let vitals = Vitals::of(&mut nc);
    let mut clients: Vec<Peer> = (0..count).map(|_| Peer::connect(port)).collect();
    for (at, client) in clients.iter_mut().enumerate() {
        client.sends(format!("{at:05}\n").as_bytes());
    }
    wait_until("all are heard", || nc.shown().len() == 6 * count);
    let mut heard: Vec<usize> = String::from_utf8(nc.shown())
        .unwrap()
        .lines()
        .map(|line| line.parse().expect("a whole word"))
        .collect();
    heard.sort_unstable();
    assert!(heard.iter().copied().eq(0..count), "not each of {count} once");

    nc.types(b"to all of you");
    for client in &mut clients {
        client.receives(b"to all of you");
    }
    nc.settles();
    is_calm(&nc);
    assert_eq!(kernel::threads(nc.pid()), 1);
    // Half a KiB each is promised, beside what a program needs anyway.
    let (peak, most) = (kernel::peak_kib(nc.pid()), MODEST + count as u64);
    assert!(peak < most, "VmHWM is {peak} KiB with {count} clients");

    for (at, client) in clients.into_iter().enumerate() {
        if at % 2 == 0 { drop(client) } else { client.resets() }
    }
    wait_until("all are let go", || {
        kernel::descriptors(nc.pid()).len() == vitals.descriptors.len()
    });
    vitals.are_back(&mut nc);
    nc.signal(Signal::TERM);
    nc.ends().is_killed_by(Signal::TERM);
}

/// Raises our own limit as well, for the other ends are ours; and there are other tests beside this one.
#[track_caller]
fn may_open(count: usize) -> u64 {
    let count = count as u64;
    let wanted = count + 1_000;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_some_and(|now| now < wanted) {
        // The hard limit only root may raise.
        let maximum = maximum.map(|most| most.max(wanted));
        let limit = Rlimit { current: Some(wanted), maximum };
        setrlimit(Resource::Nofile, limit).expect("as many descriptors");
    }
    count
}

/// A greedy client never stops. Two hundred quiet ones say a word each, and nobody waits for long.
#[test]
fn a_greedy_client_makes_nobody_wait() {
    let (read, write) = crate::support::ends::pipe();
    let (mut nc, port) = Nc::new("-l -k -n").stdout(write).listens();
    let mut quiet: Vec<Peer> = (0..200).map(|_| Peer::connect(port)).collect();
    nc.settles();
    let greedy = Peer::connect(port);
    let flood = thread::spawn(move || {
        // It ends with the program.
        let _ = io::copy(&mut LowNoise(Noise::new(740)), &mut &greedy.stream);
    });
    let begun = Instant::now();
    let reader = thread::spawn(move || {
        let mut stdout = File::from(read);
        let mut chunk = vec![0; 64 * 1024];
        let mut times = Vec::new();
        while times.len() < 200 {
            let count = stdout.read(&mut chunk).expect("stdout");
            assert_ne!(count, 0, "it has ended after {} words", times.len());
            let words = chunk[..count].iter().filter(|byte| **byte == b'?');
            times.extend(words.map(|_| begun.elapsed()));
        }
        // Or the flood would fill the pipe.
        times
    });
    for client in &mut quiet {
        client.sends(b"?");
    }
    let times = reader.join().expect("each word is shown");
    let longest = times.last().expect("200 words");
    assert!(*longest < Duration::from_secs(5), "the last of 200 words came after {longest:?}");
    drop(nc);
    flood.join().unwrap();
}

/// Noise without question marks.
struct LowNoise(Noise);

impl Read for LowNoise {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.0.read(buffer)?;
        buffer[..count].iter_mut().filter(|byte| **byte == b'?').for_each(|byte| *byte = b'!');
        Ok(count)
    }
}

/// Nothing to say and nobody to say it to, while clients come and go.
#[test]
fn without_stdin_clients_come_and_go() {
    let (mut nc, port) = Nc::new("-l -k").stdin_null().listens();
    let vitals = Vitals::of(&mut nc);
    for round in 0..100 {
        let mut client = Peer::connect(port);
        match round % 4 {
            0 => drop(client),
            1 => client.resets(),
            2 => {
                client.finishes();
                client.receives_eof();
            }
            _ => {
                client.sends(b"x");
                client.stream.shutdown(Shutdown::Both).unwrap();
            }
        }
    }
    nc.shows(&[b'x'; 25]);
    wait_until("all are let go", || {
        kernel::descriptors(nc.pid()).len() == vitals.descriptors.len()
    });
    vitals.are_back(&mut nc);
}

/// Three at a time, ten too many each time. Whoever is too many is not read before there is a place.
#[test]
fn over_max_conns_again_and_again() {
    let (mut nc, port) = Nc::new("-l -k --max-conns 3").listens();
    let vitals = Vitals::of(&mut nc);
    let mut shown = Vec::new();
    for _ in 0..5 {
        let mut places: Vec<Peer> = (0..3).map(|_| Peer::connect(port)).collect();
        for client in &mut places {
            client.sends(b"p");
        }
        shown.extend_from_slice(b"ppp");
        nc.shows(&shown);
        let mut too_many: Vec<Peer> = (0..10).map(|_| Peer::connect(port)).collect();
        for client in &mut too_many {
            client.sends(b"w");
        }
        nc.settles();
        is_calm(&nc);
        assert_eq!(nc.shown(), shown, "somebody had no place and was read");
        assert_eq!(sessions(&nc, &vitals), 3);
        drop(places);
        // Then they have theirs, three at a time.
        while let Some(client) = too_many.pop() {
            client.finishes();
            shown.push(b'w');
        }
        nc.shows(&shown);
    }
    wait_until("all are let go", || sessions(&nc, &vitals) == 0);
    vitals.are_back(&mut nc);
}

fn sessions(nc: &Running, before: &Vitals) -> usize {
    kernel::descriptors(nc.pid()).len() - before.descriptors.len()
}

/// A client that comes when there is no descriptor for it is neither lost nor waited for in circles.
#[test]
fn a_crowd_with_few_descriptors_is_served_in_turns() {
    let nc = Nc::new("-l -k -n").under("prlimit", &["--nofile=16"]);
    let (mut nc, port) = nc.listens();
    let mut clients: Vec<Peer> = (0..100).map(|_| Peer::connect(port)).collect();
    for client in &mut clients {
        client.sends(b"x");
    }
    let before = kernel::ticks(nc.pid());
    watch(Duration::from_millis(500));
    let spent = kernel::ticks(nc.pid()) - before;
    assert!(spent <= 3, "{spent} clock ticks of processor time in 500 ms without descriptors");
    assert!(nc.shown().len() < 16, "more are served than there are descriptors");
    for client in clients {
        client.finishes();
    }
    nc.shows(&[b'x'; 100]);
    nc.settles();
    nc.still_runs();
}
