//! `-k`: one listener, many clients at the same time, none of them able to hurt another.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, Signal, prlimit};

use crate::support::{Nc, Noise, Peer, Running, Same, fill, kernel, noise, wait_until, watch};

#[track_caller]
fn listener(options: &str) -> (Running, u16) {
    Nc::new(format!("-l -k {options}")).listens()
}

/// A client the listener is known to serve.
#[track_caller]
fn served(nc: &Running, port: u16) -> Peer {
    let peer = Peer::connect(port);
    nc.says(&format!("Connection received on localhost {}", peer.port()));
    peer
}

#[test]
fn clients_are_served_at_the_same_time() {
    let (mut nc, port) = listener("");
    let mut clients: Vec<Peer> = (0..5).map(|_| served(&nc, port)).collect();
    let mut expected = Vec::new();
    // The last to come speaks first.
    for (at, client) in clients.iter_mut().enumerate().rev() {
        let line = format!("client {at}\n");
        client.sends(line.as_bytes());
        expected.extend_from_slice(line.as_bytes());
        nc.shows(&expected);
    }
    nc.types(b"to all of you\n");
    for client in &mut clients {
        client.receives(b"to all of you\n");
    }
    assert_eq!(kernel::threads(nc.pid()), 1);
    nc.still_runs();
}

#[test]
fn stdin_waits_for_the_first_client() {
    let (mut nc, port) = listener("");
    nc.types(b"for whoever comes\n");
    nc.settles();
    let mut first = served(&nc, port);
    first.receives(b"for whoever comes\n");
    let mut second = served(&nc, port);
    nc.types(b"for both\n");
    first.receives(b"for both\n");
    second.receives(b"for both\n");
}

#[test]
fn large_stdin_reaches_every_client_whole() {
    let (mut nc, port) = listener("-N");
    let clients: Vec<Peer> = (0..3).map(|_| served(&nc, port)).collect();
    let payload = noise(30, 3 << 20);
    nc.types_all(payload.clone());
    let readers = clients.into_iter().map(|mut client| {
        let expected = payload.clone();
        std::thread::spawn(move || {
            client.receives(&expected);
            client.receives_eof();
        })
    });
    for reader in readers.collect::<Vec<_>>() {
        reader.join().unwrap();
    }
    nc.still_runs();
}

#[test]
fn one_client_leaving_or_resetting_does_not_hurt_another() {
    let (mut nc, port) = listener("");
    let mut stays = served(&nc, port);
    let mut leaves = served(&nc, port);
    let mut resets = served(&nc, port);
    let half_closes = served(&nc, port);

    leaves.sends(b"bye ");
    nc.shows(b"bye ");
    leaves.finishes();
    leaves.receives_eof();
    resets.sends(b"ugh ");
    nc.shows(b"bye ugh ");
    resets.resets();
    half_closes.finishes();
    nc.settles();

    stays.sends(b"still here");
    nc.shows(b"bye ugh still here");
    nc.types(b"good");
    stays.receives(b"good");
    let mut late = served(&nc, port);
    late.sends(b", and me");
    nc.shows(b"bye ugh still here, and me");
}

#[test]
fn one_client_that_never_reads_does_not_hurt_another() {
    let (mut nc, port) = listener("");
    let stalls = served(&nc, port);
    let mut works = served(&nc, port);
    let stdin = nc.take_stdin();
    let reader = works.stream.try_clone().unwrap();
    let arrived = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&arrived);
    // What the stalled client holds back comes to this one up to there, and no further.
    let reading = std::thread::spawn(move || {
        let mut same = Same::new(31);
        let mut chunk = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = (&reader).read(&mut chunk) {
            same.write_all(&chunk[..count]).unwrap();
            counter.store(same.count(), Ordering::Relaxed);
        }
    });
    let total = fill(&stdin, &mut Noise::new(31));

    works.sends(b"I still talk");
    nc.shows(b"I still talk");
    let mut third = served(&nc, port);
    third.sends(b", I too");
    nc.shows(b"I still talk, I too");
    assert!(arrived.load(Ordering::Relaxed) < total, "the stalled client holds nothing back");

    // Once the stalled client has gone, the other gets the rest.
    stalls.resets();
    wait_until("all of stdin has come", || arrived.load(Ordering::Relaxed) == total);
    nc.signal(Signal::TERM);
    reading.join().unwrap();
}

#[test]
fn one_client_that_floods_does_not_starve_another() {
    let (nc, port) = Nc::new("-l -k").stdout(null()).listens();
    let floods = served(&nc, port);
    let mut asks = served(&nc, port);
    let flood = std::thread::spawn(move || {
        let _ = io::copy(&mut Noise::new(32), &mut &floods.stream);
    });
    // Coming, talking and being let go all need turns of their own.
    for _ in 0..20 {
        let mut quick = served(&nc, port);
        quick.sends(b"x");
        quick.finishes();
        quick.receives_eof();
        asks.sends(b"x");
        asks.is_acknowledged();
    }
    drop(nc);
    flood.join().unwrap();
}

#[test]
fn a_quiet_client_waits_for_a_share_of_a_noisy_one() {
    // Room for more than one share at once.
    let (mut nc, port) = listener("-I 212992");
    let mut floods = served(&nc, port);
    let mut asks = served(&nc, port);
    nc.settles();
    nc.stops();
    floods.sends(&vec![b'f'; 150_000]);
    floods.is_acknowledged();
    asks.sends(b"?");
    asks.is_acknowledged();
    nc.continues();
    wait_until("all has come", || nc.shown().len() == 150_001);
    let before = nc.shown().iter().position(|byte| *byte == b'?').unwrap();
    assert!(before <= 64 * 1024, "{before} bytes of a noisy client came first");
}

#[test]
fn max_conns_1_serves_one_after_another() {
    let (nc, port) = listener("--max-conns 1");
    let mut first = served(&nc, port);
    let mut second = Peer::connect(port);
    second.sends(b"second");
    second.is_acknowledged();
    first.sends(b"first ");
    nc.shows(b"first ");
    watch(Duration::from_millis(200));
    assert_eq!(nc.shown(), b"first ", "the second client was not made to wait");
    drop(first);
    nc.shows(b"first second");
    second.finishes();
    second.receives_eof();
}

#[test]
fn max_conns_2_lets_a_third_wait_for_a_place() {
    let (nc, port) = listener("--max-conns 2");
    let (first, mut second) = (served(&nc, port), served(&nc, port));
    let mut third = Peer::connect(port);
    third.sends(b"third");
    third.is_acknowledged();
    second.sends(b"second ");
    nc.shows(b"second ");
    watch(Duration::from_millis(200));
    assert_eq!(nc.shown(), b"second ", "the third client was not made to wait");
    first.resets();
    nc.shows(b"second third");
}

#[test]
fn the_listening_socket_is_never_reopened() {
    let (mut nc, port) = listener("");
    let inode = |nc: &Running| {
        let listening = kernel::listening(port);
        assert_eq!(listening.len(), 1, "sockets that listen on the port");
        let socket = format!("socket:[{}]", listening[0]);
        let open = kernel::descriptors(nc.pid());
        open.into_iter().find(|(_, target)| *target == socket).expect("it is the program's")
    };
    let before = inode(&nc);
    for _ in 0..10 {
        let mut client = served(&nc, port);
        client.sends(b"x");
        client.finishes();
        client.receives_eof();
        assert_eq!(inode(&nc), before);
        served(&nc, port).resets();
    }
    nc.settles();
    assert_eq!(inode(&nc), before);
}

#[test]
fn hundreds_of_clients_leave_nothing_behind() {
    let (mut nc, port) = listener("");
    nc.settles();
    let before = kernel::descriptors(nc.pid());
    let mut expected = Vec::new();
    for at in 0..200 {
        let line = format!("client {at}\n");
        let mut client = Peer::connect(port);
        client.sends(line.as_bytes());
        client.finishes();
        client.receives_eof();
        expected.extend_from_slice(line.as_bytes());
    }
    nc.shows(&expected);
    for _ in 0..300 {
        Peer::connect(port).resets();
    }
    nc.settles();
    wait_until("all are let go", || kernel::descriptors(nc.pid()) == before);
    let peak = kernel::peak_kib(nc.pid());
    assert!(peak < 8 * 1024, "VmHWM is {peak} KiB");

    let mut last = served(&nc, port);
    last.sends(b"last\n");
    nc.shows(&[&*expected, b"last\n"].concat());
}

#[test]
fn a_crowd_that_came_while_it_was_stopped_is_served() {
    let (mut nc, port) = listener("");
    nc.settles();
    nc.stops();
    let mut crowd: Vec<Peer> = (0..64).map(|_| Peer::connect(port)).collect();
    for _ in 0..32 {
        crowd.remove(0).resets();
    }
    for client in &mut crowd {
        client.sends(b"x");
    }
    nc.continues();
    nc.shows(&[b'x'; 32]);
    nc.types(b"welcome");
    for client in &mut crowd {
        client.receives(b"welcome");
    }
}

#[test]
fn running_out_of_descriptors_is_survived_without_spinning() {
    let (mut nc, port) = listener("");
    let mut first = served(&nc, port);
    nc.settles();
    let free = lowest_free_descriptor(&nc);
    let old = limit_descriptors(&nc, free);
    let mut waiting: Vec<Peer> = (0..3).map(|_| Peer::connect(port)).collect();
    for client in &mut waiting {
        client.sends(b"w");
    }
    first.sends(b"f");
    nc.shows(b"f");

    let before = kernel::ticks(nc.pid());
    watch(Duration::from_millis(500));
    let spent = kernel::ticks(nc.pid()) - before;
    assert!(spent <= 3, "{spent} clock ticks of processor time in 500 ms without descriptors");
    nc.still_runs();
    assert_eq!(nc.shown(), b"f", "a client was served without a descriptor for it");

    limit_descriptors(&nc, old.current);
    nc.shows(b"fwww");
    nc.types(b"all");
    for client in waiting.iter_mut().chain([&mut first]) {
        client.receives(b"all");
    }
}

#[test]
fn a_descriptor_set_free_goes_to_the_client_that_waits() {
    let (mut nc, port) = listener("");
    let first = served(&nc, port);
    nc.settles();
    let free = lowest_free_descriptor(&nc);
    limit_descriptors(&nc, free);
    let mut waits = Peer::connect(port);
    waits.sends(b"served after all");
    waits.is_acknowledged();
    drop(first);
    nc.shows(b"served after all");
}

#[test]
fn stdin_eof_sends_fin_with_shutdown_and_serving_goes_on() {
    let (mut nc, port) = listener("-N");
    let mut present = served(&nc, port);
    nc.types_all(b"last words".to_vec());
    present.receives(b"last words");
    present.receives_eof();
    present.sends(b"answer ");
    nc.shows(b"answer ");
    drop(present);
    // Whoever comes later finds stdin at its end.
    let mut late = served(&nc, port);
    late.receives_eof();
    late.sends(b"late");
    nc.shows(b"answer late");
    drop(late);
    nc.settles();
}

#[test]
fn a_reader_of_stdout_that_leaves_ends_it() {
    for clients in [0, 2] {
        let (mut nc, port) = Nc::new("-l -k").stdout_unread().listens();
        let served: Vec<Peer> = (0..clients).map(|_| served(&nc, port)).collect();
        nc.settles();
        drop(nc.take_stdout());
        let end = nc.ends_within(Duration::from_secs(2));
        end.ends_by_itself().complained_of_nothing();
        drop(served);
    }
}

#[test]
fn signals_end_it_with_clients_and_without() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let (nc, port) = listener("");
        let mut client = served(&nc, port);
        nc.signal(signal);
        nc.ends().is_killed_by(signal);
        client.is_ended();
    }
}

#[test]
fn two_hundred_connects_at_once_are_all_served() {
    let (nc, port) = listener("");
    let crowd: Vec<_> = (0..4)
        .map(|_| {
            std::thread::spawn(move || {
                for _ in 0..50 {
                    let mut client = Peer::connect(port);
                    client.sends(b"x");
                    client.finishes();
                    client.receives_eof();
                }
            })
        })
        .collect();
    for clients in crowd {
        clients.join().unwrap();
    }
    nc.shows(&[b'x'; 200]);
}

/// What the next accept(2) would return; as a limit, what keeps it from returning anything.
#[track_caller]
fn lowest_free_descriptor(nc: &Running) -> Option<u64> {
    let open = kernel::descriptors(nc.pid());
    (0..1024).find(|number| open.iter().all(|(taken, _)| taken != number))
}

/// Sets the soft limit of a live process, and returns what it was.
#[track_caller]
fn limit_descriptors(nc: &Running, current: Option<u64>) -> Rlimit {
    let limit = prlimit(Some(nc.pid()), Resource::Nofile, Rlimit { current, maximum: hard() });
    limit.expect("the process is ours")
}

fn hard() -> Option<u64> {
    rustix::process::getrlimit(Resource::Nofile).maximum
}

#[track_caller]
fn null() -> std::fs::File {
    let null = std::fs::OpenOptions::new().write(true).open("/dev/null");
    null.expect("/dev/null")
}

/// The time of `-q` is the program's: it goes on when those who saw the end of stdin have left.
#[test]
fn the_quit_timer_outlives_the_clients() {
    let (mut nc, port) = listener("-q 0.5");
    let mut client = served(&nc, port);
    nc.types(b"last words");
    nc.ends_input();
    client.receives(b"last words");
    client.receives_eof();
    drop(client);
    nc.ends().exits(0).complained_of_nothing();
}
