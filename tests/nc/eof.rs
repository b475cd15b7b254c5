//! Who ends what, and when: the end-of-file table row by row, for the client and the listener.
//!
//! | event | default | options |
//! |---|---|---|
//! | stdin ends | all is sent, no FIN; the peer is read on | `-N`, `-q`: FIN; `--quit-after` |
//! | peer ends, client | all is shown; stdin is sent on (terminal: end) | `--exit-on-close`: end |
//! | peer ends, listener | all is shown, then the end | `--half-close`: stdin is sent on |
//!
//! The limits of a session (`-w`, `-W`) and the one-way options stand at the end. Resets are in
//! `loss`, a stdout whose reader leaves in `stdio`.

use std::time::{Duration, Instant};

use crate::support::ends::{Kind, Pty};
use crate::support::{Datagrams, Nc, Peer, Role, Running, Server, noise, watch};

/// A client connected to us.
#[track_caller]
fn client(options: &str) -> (Running, Peer) {
    Role::Client.start(options, |nc| nc)
}

/// A listener that serves us.
#[track_caller]
fn listener(options: &str) -> (Running, Peer) {
    Role::Listener.start(options, |nc| nc)
}

#[test]
fn stdin_eof_sends_no_fin_and_goes_on_reading() {
    for (mut nc, mut peer) in [client(""), listener(""), client("--no-shutdown"), client("-q -1")] {
        nc.types(b"all of it");
        nc.ends_input();
        peer.receives(b"all of it");
        nc.settles();
        peer.has_received_nothing();
        peer.sends(b"late answer");
        nc.shows(b"late answer");
        peer.has_received_nothing();
        drop(peer);
        nc.ends().exits(0).showed(b"late answer").complained_of_nothing();
    }
}

#[test]
fn stdin_eof_with_shutdown_sends_fin_and_goes_on_reading() {
    for (mut nc, mut peer) in [client("-N"), listener("-N"), client("-q 0"), client("-q 1")] {
        let payload = noise(2, 200_000);
        nc.types_all(payload.clone());
        peer.receives(&payload);
        peer.receives_eof();
        nc.settles();
        peer.sends(b"late answer");
        nc.shows(b"late answer");
        nc.still_runs();
        drop(peer);
        nc.ends().exits(0).showed(b"late answer").complained_of_nothing();
    }
}

#[test]
fn stdin_at_its_end_from_the_start_sends_fin_once_connected() {
    let (mut nc, port) = Nc::new("-l -N").stdin_null().listens();
    nc.settles();
    let mut peer = Peer::connect(port);
    peer.receives_eof();
    peer.sends(b"still read");
    peer.finishes();
    nc.ends().exits(0).showed(b"still read").complained_of_nothing();
}

#[test]
fn a_client_with_q_reads_on_without_bound() {
    let (mut nc, mut peer) = client("-q 0.1");
    // The end comes alone: a hang-up, and nothing to be read.
    nc.settles();
    nc.ends_input();
    peer.receives_eof();
    // Three times as long as a listener would wait.
    watch(Duration::from_millis(300));
    nc.still_runs();
    peer.sends(b"patience");
    drop(peer);
    nc.ends().exits(0).showed(b"patience").complained_of_nothing();
}

#[test]
fn a_listener_with_q_reads_on_for_that_long() {
    let (mut nc, mut peer) = listener("-q 0.5");
    nc.ends_input();
    let begun = Instant::now();
    peer.receives_eof();
    peer.sends(b"in time");
    nc.shows(b"in time");
    let end = nc.ends();
    end.exits(0).showed(b"in time").complained_of_nothing();
    assert_lasted(begun, end.ended, Duration::from_millis(500));
    peer.is_ended();
}

#[test]
fn a_listener_with_q_ends_earlier_with_its_peer() {
    let (mut nc, mut peer) = listener("-q 60");
    nc.ends_input();
    peer.receives_eof();
    peer.sends(b"done");
    drop(peer);
    nc.ends().exits(0).showed(b"done").complained_of_nothing();
}

#[test]
fn quit_after_is_strict() {
    for (mut nc, mut peer) in [client("--quit-after 0.5"), listener("--quit-after 500ms")] {
        nc.types(b"request");
        nc.ends_input();
        let begun = Instant::now();
        peer.receives(b"request");
        peer.sends(b"answer");
        nc.shows(b"answer");
        let end = nc.ends();
        end.exits(0).showed(b"answer").complained_of_nothing();
        assert_lasted(begun, end.ended, Duration::from_millis(500));
        peer.is_ended();
    }
}

#[test]
fn peer_eof_leaves_a_client_sending_until_stdin_ends() {
    for options in ["", "-N", "--no-shutdown"] {
        let (mut nc, mut peer) = client(options);
        peer.sends(b"all I have");
        peer.finishes();
        nc.shows(b"all I have");
        nc.settles();
        let payload = noise(3, 300_000);
        nc.types_all(payload.clone());
        peer.receives(&payload);
        peer.receives_eof();
        nc.ends().exits(0).showed(b"all I have").complained_of_nothing();
    }
}

#[test]
fn peer_eof_ends_a_client_on_a_terminal() {
    let pty = Pty::open();
    let (nc, mut peer) = Role::Client.start("", |nc| nc.stdin(pty.terminal));
    let payload = noise(4, 300_000);
    peer.sends(&payload);
    drop(peer);
    nc.ends().exits(0).showed(&payload).complained_of_nothing();
}

#[test]
fn peer_eof_ends_a_client_with_exit_on_close() {
    let (mut nc, mut peer) = client("--exit-on-close");
    nc.types(b"sent before");
    peer.receives(b"sent before");
    let payload = noise(5, 300_000);
    peer.sends(&payload);
    peer.finishes();
    nc.ends().exits(0).showed(&payload).complained_of_nothing();
    peer.receives_eof();
}

#[test]
fn peer_eof_ends_a_client_whose_stdin_has_ended() {
    let (mut nc, mut peer) = client("");
    nc.ends_input();
    nc.settles();
    peer.sends(b"bye");
    peer.finishes();
    nc.ends().exits(0).showed(b"bye").complained_of_nothing();
    peer.receives_eof();
}

#[test]
fn peer_eof_ends_a_listener_whatever_stdin_does() {
    for (mut nc, mut peer) in [listener(""), listener("-N"), listener("--exit-on-close")] {
        nc.types(b"typed");
        peer.receives(b"typed");
        let payload = noise(6, 300_000);
        peer.sends(&payload);
        peer.finishes();
        nc.ends().exits(0).showed(&payload).complained_of_nothing();
        peer.receives_eof();
    }
}

#[test]
fn an_end_that_comes_with_the_last_bytes_is_seen() {
    for (mut nc, mut peer) in [client("--exit-on-close"), listener("")] {
        nc.settles();
        // Bytes and end of file are one event.
        nc.stops();
        peer.sends(b"that is all");
        peer.finishes();
        peer.is_acknowledged();
        nc.continues();
        nc.ends().exits(0).showed(b"that is all").complained_of_nothing();
    }
}

#[test]
fn half_close_makes_the_directions_of_a_listener_independent() {
    let (mut nc, mut peer) = listener("--half-close -N");
    peer.sends(b"request");
    peer.finishes();
    nc.shows(b"request");
    nc.closes_stdout();
    nc.settles();
    let answer = noise(7, 300_000);
    nc.types_all(answer.clone());
    peer.receives(&answer);
    peer.receives_eof();
    nc.ends().exits(0).showed(b"request").complained_of_nothing();
}

#[test]
fn half_close_overrules_a_terminal() {
    let pty = Pty::open();
    let (mut nc, mut peer) = Role::Client.start("--half-close", |nc| nc.stdin(pty.terminal));
    peer.sends(b"request");
    peer.finishes();
    nc.shows(b"request");
    nc.settles();
    rustix::io::write(&pty.master, b"typed later\n").unwrap();
    peer.receives(b"typed later\n");
    rustix::io::write(&pty.master, &[4]).unwrap();
    peer.receives_eof();
    nc.ends().exits(0).showed(b"request").complained_of_nothing();
}

#[test]
fn send_only_ends_with_stdin_and_shows_nothing() {
    for (mut nc, mut peer) in [client("--send-only"), listener("--send-only")] {
        peer.sends(b"nobody reads this");
        peer.is_acknowledged();
        nc.settles();
        let payload = noise(8, 300_000);
        nc.types_all(payload.clone());
        peer.receives(&payload);
        // An end of file, not a reset: what the peer had sent was taken off the socket.
        peer.receives_eof();
        drop(peer);
        nc.ends().exits(0).showed(b"").complained_of_nothing();
    }
}

#[test]
fn send_only_waits_for_a_peer_that_talks_before_it_reads() {
    for (mut nc, mut peer) in [client("--send-only"), listener("--send-only")] {
        // More than the peer's kernel takes for a peer that does not read.
        let payload = noise(10, 300_000);
        nc.types_all(payload.clone());
        nc.settles();
        peer.sends(b"chatter");
        peer.is_acknowledged();
        peer.receives(&payload);
        peer.receives_eof();
        drop(peer);
        nc.ends().exits(0).complained_of_nothing();
    }
}

#[test]
fn receive_only_never_reads_stdin_and_ends_with_the_peer() {
    for options in ["--recv-only", "-d", "-d --no-shutdown"] {
        for (mut nc, mut peer) in [client(options), listener(options)] {
            nc.types(b"never sent");
            peer.sends(b"received");
            nc.shows(b"received");
            nc.ends_input();
            nc.settles();
            peer.has_received_nothing();
            peer.sends(b", and more");
            nc.shows(b"received, and more");
            peer.finishes();
            nc.ends().exits(0).showed(b"received, and more").complained_of_nothing();
            peer.receives_eof();
        }
    }
}

/// A server that greets and then waits for our end of file is not waited for in vain.
#[test]
fn receive_only_with_shutdown_sends_fin_once_the_peer_has_said_something() {
    for options in ["-d -N", "--recv-only -q 5"] {
        for (mut nc, mut peer) in [client(options), listener(options)] {
            nc.types(b"never sent");
            nc.settles();
            peer.has_received_nothing();
            peer.sends(b"greeting");
            peer.receives_eof();
            peer.sends(b", and more");
            peer.finishes();
            nc.ends().exits(0).showed(b"greeting, and more").complained_of_nothing();
        }
    }
}

#[test]
fn w_ends_a_session_that_is_idle() {
    for role in [client, listener] {
        let (nc, mut peer) = role("-w 500ms");
        peer.sends(b"a sign of life");
        nc.shows(b"a sign of life");
        let begun = Instant::now();
        let end = nc.ends();
        end.exits(0).showed(b"a sign of life").complained_of_nothing();
        assert_lasted(begun, end.ended, Duration::from_millis(500));
        peer.receives_eof();
    }
}

#[test]
fn w_is_put_off_by_bytes_either_way() {
    let (mut nc, mut peer) = client("-w 1");
    let begun = Instant::now();
    // Two seconds of life, never a second without a byte.
    for _ in 0..4 {
        peer.sends(b"i");
        watch(Duration::from_millis(250));
        nc.types(b"o");
        watch(Duration::from_millis(250));
        nc.still_runs();
    }
    nc.shows(b"iiii");
    peer.receives(b"oooo");
    let end = nc.ends();
    end.exits(0).showed(b"iiii").complained_of_nothing();
    assert_lasted(begun, end.ended, Duration::from_millis(2_750));
}

#[test]
fn w_is_put_off_by_an_end_of_file_either_way() {
    for who in ["stdin", "the peer"] {
        let (mut nc, peer) = client("-w 4");
        watch(Duration::from_millis(2_500));
        if who == "stdin" {
            nc.ends_input();
        } else {
            peer.finishes();
        }
        let begun = Instant::now();
        let end = nc.ends();
        end.exits(0).complained_of_nothing();
        assert_lasted(begun, end.ended, Duration::from_secs(4));
    }
}

/// Bytes that are missing are no silence: it is told why there are none. The time is over all the same, and
/// where the program was to end, it does, whatever ports are left.
#[test]
fn w_does_not_hide_that_stdin_has_failed() {
    for options in ["-w 0.2", "--quit-after 0.2", "-u -w 0.2", "-u -q 0"] {
        let (server, datagrams) = (Server::start(), Datagrams::bind());
        let port = if options.contains("-u") { datagrams.port() } else { server.port() };
        let folder = tempfile::tempdir().unwrap();
        let stdin = std::fs::File::open(folder.path()).unwrap();
        let nc = Nc::new(format!("{options} 127.0.0.1 {port} {port}")).stdin(stdin).start();
        // Once for each connection that has ended so.
        let line = "nc: stdin: Is a directory\n";
        nc.ends().exits(1).showed(b"").said(&line.repeat(if options.contains('q') {
            1
        } else {
            2
        }));
    }
}

#[test]
fn w_does_not_limit_the_wait_for_a_client() {
    let (mut nc, port) = Nc::new("-l -w 0.2").listens();
    watch(Duration::from_millis(600));
    nc.still_runs();
    let mut peer = Peer::connect(port);
    peer.sends(b"in spite of it");
    drop(peer);
    nc.ends().exits(0).showed(b"in spite of it").complained_of_nothing();
}

#[test]
fn receive_limit_ends_after_so_many_reads() {
    for (nc, mut peer) in [client("-W 2"), listener("-W 2")] {
        peer.sends(b"one ");
        nc.shows(b"one ");
        peer.sends(b"two");
        nc.ends().exits(0).showed(b"one two").complained_of_nothing();
    }
}

#[test]
fn receive_limit_counts_the_end_of_file() {
    for (nc, peer) in [client("-W 1"), listener("-W 1")] {
        peer.finishes();
        nc.ends().exits(0).showed(b"").complained_of_nothing();
    }
}

#[test]
fn receive_limit_is_not_reached_by_fewer_reads() {
    let (mut nc, mut peer) = client("-W 3");
    peer.sends(b"one");
    nc.shows(b"one");
    nc.settles();
    peer.sends(b"two");
    nc.shows(b"onetwo");
    nc.settles();
    nc.types(b"still sending");
    peer.receives(b"still sending");
}

#[test]
fn data_typed_before_the_connection_is_sent() {
    let (mut nc, port) = Nc::new("-l -N").listens();
    let payload = Kind::Pipe.payload(9);
    nc.types_all(payload.clone());
    nc.settles();
    let mut peer = Peer::connect(port);
    peer.receives(&payload);
    peer.receives_eof();
    drop(peer);
    nc.ends().exits(0).complained_of_nothing();
}

/// At least that long, and not much longer.
#[track_caller]
fn assert_lasted(begun: Instant, ended: Instant, expected: Duration) {
    let took = ended - begun;
    // The program's clock may have started a moment before ours.
    let early = expected.saturating_sub(Duration::from_millis(100));
    assert!(took >= early, "ended after {took:?} instead of {expected:?}");
    assert!(took < expected + LATE, "ended only after {took:?} instead of {expected:?}");
}

/// A busy machine may be late by so much.
const LATE: Duration = Duration::from_secs(2);
