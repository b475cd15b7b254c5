//! `--limit-rate`: no more than so much a second, each way, and hardly less.

use std::time::{Duration, Instant};

use rustix::fd::AsFd;

use crate::support::{Datagrams, Nc, Peer, Role, Server, kernel, noise};

const MIB: usize = 1 << 20;

/// Never less than the rate wants. The machine may be busy, so the upper bound only tells a limit from
/// one that is several times too strict.
#[track_caller]
fn took(begun: Instant, wanted: Duration) {
    let elapsed = begun.elapsed();
    assert!(elapsed >= wanted, "too fast: {elapsed:?} and not {wanted:?}");
    assert!(elapsed < wanted * 4 + Duration::from_secs(1), "too slow: {elapsed:?}");
}

#[test]
fn what_is_sent_takes_its_time() {
    let payload = noise(350, MIB);
    for role in Role::BOTH {
        let begun = Instant::now();
        let (mut nc, mut peer) = role.start("-N --limit-rate 4M", |nc| nc);
        nc.types_all(payload.clone());
        peer.receives(&payload);
        peer.receives_eof();
        took(begun, Duration::from_millis(250));
        drop(peer);
        nc.ends().exits(0);
    }
}

#[test]
fn what_is_received_takes_its_time_and_the_peer_is_held_back() {
    let payload = noise(351, 4 * MIB);
    let begun = Instant::now();
    let (nc, mut peer) = Role::Client.start("--limit-rate 8m", Nc::stdin_null);
    // More than the kernel holds for both ends, so that sending it cannot be over at once.
    let small = rustix::net::sockopt::set_socket_send_buffer_size(peer.stream.as_fd(), 64 * 1024);
    small.unwrap();
    peer.sends(&payload);
    peer.finishes();
    let end = nc.ends();
    took(begun, Duration::from_millis(500));
    end.exits(0).showed(&payload).said_nothing();
}

#[test]
fn each_way_has_the_whole_rate() {
    let payload = noise(352, MIB);
    let begun = Instant::now();
    let (mut nc, mut peer) = Role::Client.start("-N --limit-rate 2M", |nc| nc);
    nc.types_all(payload.clone());
    let mut reader = Peer { stream: peer.stream.try_clone().unwrap() };
    let expected = payload.clone();
    let reads = std::thread::spawn(move || {
        reader.receives(&expected);
        reader.receives_eof();
    });
    peer.sends(&payload);
    reads.join().unwrap();
    peer.finishes();
    let end = nc.ends();
    took(begun, Duration::from_millis(500));
    end.exits(0).showed(&payload);
}

#[test]
fn each_client_has_the_whole_rate() {
    let begun = Instant::now();
    let (nc, port) = Nc::new("-lk --limit-rate 1M").listens();
    let mut peers = [Peer::connect(port), Peer::connect(port), Peer::connect(port)];
    for peer in &mut peers {
        peer.sends(&vec![b'x'; MIB / 2]);
    }
    nc.shows(&vec![b'x'; 3 * (MIB / 2)]);
    took(begun, Duration::from_millis(500));
}

#[test]
fn a_file_is_slowed_down_although_the_kernel_could_move_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    let payload = noise(353, MIB);
    std::fs::write(&path, &payload).unwrap();
    let begun = Instant::now();
    let file = std::fs::File::open(&path).unwrap();
    let (nc, mut peer) = Role::Client.start("-N --limit-rate 4M", |nc| nc.stdin(file));
    peer.receives(&payload);
    peer.receives_eof();
    took(begun, Duration::from_millis(250));
    drop(peer);
    nc.ends().exits(0).said_nothing();
}

#[test]
fn waiting_for_the_rate_is_no_idleness() {
    let (mut nc, mut peer) = Role::Client.start("-N --limit-rate 3 -w 0.2", |nc| nc);
    let begun = Instant::now();
    nc.types(b"abcd");
    nc.ends_input();
    peer.receives(b"abcd");
    peer.receives_eof();
    took(begun, Duration::from_secs(1));
    drop(peer);
    nc.ends().exits(0).said_nothing();
}

#[test]
fn idleness_is_still_noticed() {
    let (nc, mut peer) = Role::Client.start("--limit-rate 1M -w 0.2", |nc| nc);
    peer.sends(b"hello");
    nc.ends().exits(0).showed(b"hello").said_nothing();
}

#[test]
fn datagrams_leave_whole() {
    let peer = Datagrams::bind();
    let mut nc =
        Nc::new(format!("-u --udp-line --limit-rate 2000 127.0.0.1 {}", peer.port())).start();
    let begun = Instant::now();
    let line = [&[b'x'; 499][..], b"\n"].concat();
    nc.types(&line.repeat(3));
    for _ in 0..3 {
        peer.receives(&line);
    }
    // The first read finds the bucket's first drop and takes all three, on credit; then it is paid for.
    nc.types(&line);
    peer.receives(&line);
    took(begun, Duration::from_millis(750));
}

#[test]
fn a_word_does_not_wait_when_nothing_came_before() {
    let server = Server::start();
    let mut nc = Nc::new(format!("--limit-rate 1k 127.0.0.1 {}", server.port())).start();
    let mut peer = server.accepts();
    nc.settles();
    let begun = Instant::now();
    nc.types(b"hello\n");
    peer.receives(b"hello\n");
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
}

/// A quiet connection with a limit sleeps, and one that waits for its rate wakes up once for 10 ms' worth.
#[test]
fn waiting_costs_next_to_nothing() {
    let (nc, mut peer) = Role::Client.start("--limit-rate 100k", Nc::stdin_null);
    peer.sends(&vec![b'x'; 50 * 1024]);
    nc.shows(&vec![b'x'; 50 * 1024]);
    let spent = kernel::ticks(nc.pid());
    assert!(spent < 20, "{spent} ticks of 10 ms in half a second");
}
