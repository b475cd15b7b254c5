//! Connections that break: what arrived is delivered, what is lost is said, and status 0 means that
//! everything arrived.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use rustix::pipe::fcntl_setpipe_size;
use rustix::process::Signal;
use socket2::SockRef;

use crate::support::{Finished, Nc, Noise, Role, Server, assert_same, fill, kernel, noise, watch};

use crate::support::strace::Trace;

#[test]
fn what_arrived_before_a_reset_is_delivered() {
    for role in Role::BOTH {
        let (mut nc, mut peer) = role.start("", |nc| nc);
        let payload = noise(20, 32 * 1024);
        nc.settles();
        // The program sees the data and the reset at the same time.
        nc.stops();
        peer.sends(&payload);
        peer.is_acknowledged();
        peer.resets();
        nc.continues();
        let end = nc.ends();
        end.showed(&payload).exits(1).complained_once_of("Connection reset by peer");
    }
}

#[test]
fn what_arrived_before_a_reset_is_delivered_to_a_slow_reader() {
    for role in Role::BOTH {
        let (mut nc, mut peer) = role.start("", Nc::stdout_unread);
        let mut stdout = nc.take_stdout();
        // The first page fills the pipe; the rest waits in the program when the reset comes.
        fcntl_setpipe_size(&stdout, 4096).unwrap();
        let payload = noise(21, 56 * 1024);
        nc.settles();
        nc.stops();
        peer.sends(&payload);
        peer.is_acknowledged();
        peer.resets();
        nc.continues();
        nc.settles();
        let mut got = Vec::new();
        stdout.read_to_end(&mut got).unwrap();
        assert_same(&got, &payload, "stdout");
        nc.ends().exits(1).complained_once_of("Connection reset by peer");
    }
}

#[test]
fn a_reset_of_an_idle_connection_is_one_line_and_status_1() {
    for role in Role::BOTH {
        let (mut nc, mut peer) = role.start("", |nc| nc);
        peer.sends(b"so far so good");
        nc.shows(b"so far so good");
        nc.settles();
        peer.resets();
        let end = nc.ends();
        end.exits(1).showed(b"so far so good").complained_once_of("Connection reset by peer");
    }
}

#[test]
fn a_reset_while_sending_is_one_line_and_status_1() {
    for role in Role::BOTH {
        let (mut nc, peer) = role.start("", |nc| nc);
        let stdin = nc.take_stdin();
        fill(&stdin, &mut Noise::new(22));
        let mut first = vec![0; 100_000];
        (&peer.stream).read_exact(&mut first).unwrap();
        peer.resets();
        let end = nc.ends();
        end.exits(1);
        assert_one_complaint(&end);
    }
}

#[test]
fn a_reset_after_our_fin_is_a_failure_too() {
    for role in Role::BOTH {
        let (mut nc, mut peer) = role.start("-N", |nc| nc);
        nc.types_all(b"request".to_vec());
        peer.receives(b"request");
        peer.receives_eof();
        nc.settles();
        peer.resets();
        nc.ends().exits(1).complained_once_of("Connection reset by peer");
    }
}

#[test]
fn bytes_sent_to_a_peer_that_has_closed_are_a_failure() {
    // The peer is gone for good; the kernel answers what we send with a reset.
    let (mut nc, peer) = Role::Client.start("", |nc| nc);
    drop(peer);
    nc.settles();
    nc.types_all(noise(23, 4 << 20));
    let end = nc.ends();
    end.exits(1);
    assert_one_complaint(&end);

    // Few, and the end of stdin right behind, before there is an event.
    for options in ["", "-N", "-C", "-q 0", "-w 20"] {
        let (mut nc, peer) = Role::Client.start(options, |nc| nc);
        drop(peer);
        nc.settles();
        nc.signal(Signal::STOP);
        nc.types(b"late\n");
        nc.ends_input();
        nc.signal(Signal::CONT);
        let end = nc.ends();
        end.exits(1);
        assert_one_complaint(&end);
    }
}

#[test]
fn a_clean_end_in_both_directions_is_status_0() {
    for role in Role::BOTH {
        let (mut nc, mut peer) = role.start("-N", |nc| nc);
        let (request, answer) = (noise(24, 2 << 20), noise(25, 2 << 20));
        nc.types_all(request.clone());
        let mut writing = peer.stream.try_clone().unwrap();
        let sent = answer.clone();
        let writer = std::thread::spawn(move || writing.write_all(&sent).unwrap());
        peer.receives(&request);
        peer.receives_eof();
        writer.join().unwrap();
        peer.stream.shutdown(Shutdown::Write).unwrap();
        nc.ends().exits(0).showed(&answer).complained_of_nothing();
    }
}

#[test]
fn the_last_bytes_sent_arrive_though_the_peer_goes_on_talking() {
    // Closing a socket that holds unread bytes resets it, and a reset overtakes what was sent.
    for role in Role::BOTH {
        let (mut nc, mut peer) = role.start("--quit-after 0.2", |nc| nc);
        let payload = noise(26, 1 << 20);
        nc.types_all(payload.clone());
        peer.sends(b"chatter");
        peer.receives(&payload);
        peer.sends(b"chatter");
        assert_eq!(peer.receives_to_eof(), b"");
        nc.ends().exits(0).complained_of_nothing();
    }
}

#[test]
fn an_idle_timeout_says_what_it_leaves_behind() {
    for role in Role::BOTH {
        let (nc, peer) = role.start("-w 1", Nc::stdout_unread);
        fill(&peer.stream, &mut Noise::new(27));
        let end = nc.ends();
        end.exits(1).complained_once_of("bytes from the peer not written");

        let (mut nc, _peer) = role.start("-w 1", |nc| nc);
        fill(&nc.take_stdin(), &mut Noise::new(28));
        nc.ends().exits(1).complained_once_of("bytes from stdin not sent");
    }
}

#[test]
fn urgent_data_disturbs_nothing() {
    for role in Role::BOTH {
        let (mut nc, mut peer) = role.start("", |nc| nc);
        peer.sends(b"before ");
        SockRef::from(&peer.stream).send_out_of_band(b"!").unwrap();
        peer.sends(b"after");
        // The urgent byte is not part of the stream.
        nc.shows(b"before after");
        nc.settles();
        let before = kernel::ticks(nc.pid());
        watch(Duration::from_millis(200));
        assert_eq!(kernel::ticks(nc.pid()), before, "clock ticks after urgent data");
        peer.finishes();
        nc.ends_input();
        nc.ends().exits(0).showed(b"before after").complained_of_nothing();
    }
}

/// One line, in whichever words the kernel has for it (reset, broken pipe).
#[track_caller]
fn assert_one_complaint(end: &Finished) {
    let reset = end.stderr.contains("Connection reset by peer");
    let word = if reset { "Connection reset by peer" } else { "Broken pipe" };
    end.complained_once_of(word);
}

/// What a peer sends before it resets arrives, however early the reset comes.
#[test]
#[ignore = "needs strace"]
fn last_words_arrive_though_the_reset_comes_before_we_look() {
    let server = Server::start();
    let nc = Nc::new(format!("-d 127.0.0.1 {}", server.port()));
    let (nc, _trace) = Trace::interfering(nc, "connect", "delay_exit=1000000");
    let nc = nc.start();
    let mut peer = server.accepts();
    peer.sends(b"last words\n");
    peer.is_acknowledged();
    peer.resets();
    nc.ends().showed(b"last words\n").exits(1).complained_once_of("Connection reset by peer");
}
