//! Resets (RST) at every stage of a session. Those in the middle stand in `loss`, those of proxies in
//! `proxy_faults`.

use std::io::{self, Read, Write};
use std::thread;

use rustix::process::Signal;

use super::{MODEST, Vitals};
use crate::support::{Nc, Noise, Peer, Role, Same, Server, kernel, noise};

/// A client that is gone when it is accepted has been one all the same, where there is to be one. What it
/// said is shown.
#[test]
fn a_client_that_is_gone_when_it_is_accepted_is_told() {
    for words in [&b""[..], b"last words"] {
        let (mut nc, port) = Nc::new("-l").listens();
        nc.settles();
        nc.stops();
        let mut peer = Peer::connect(port);
        peer.sends(words);
        peer.is_acknowledged();
        peer.resets();
        nc.continues();
        nc.ends().exits(1).showed(words).complained_once_of("Connection reset by peer");
    }
}

/// The next one is served where there are to be many.
#[test]
fn many_that_are_gone_when_they_are_accepted_harm_nobody() {
    let (mut nc, port) = Nc::new("-l -k").listens();
    let vitals = Vitals::of(&mut nc);
    nc.stops();
    for _ in 0..100 {
        Peer::connect(port).resets();
    }
    let mut last = Peer::connect(port);
    last.sends(b"served");
    nc.continues();
    nc.shows(b"served");
    last.finishes();
    last.receives_eof();
    drop(last);
    vitals.are_back(&mut nc);
}

/// Between connect(2) and our first look at it there may be no more than a reset.
#[test]
fn a_server_that_resets_at_once_is_told() {
    for _ in 0..20 {
        let server = Server::start();
        let nc = Nc::new(format!("127.0.0.1 {}", server.port())).start();
        server.accepts().resets();
        nc.ends().exits(1).showed(b"").said_one_line_with("Connection reset by peer");
    }
}

/// The peer has ended its sending and still took ours: the other half can be reset too.
#[test]
fn a_reset_after_the_peers_end_of_file_is_told() {
    for role in Role::BOTH {
        let (mut nc, mut peer) = role.start("--half-close", |nc| nc);
        peer.finishes();
        nc.types(b"still taken");
        peer.receives(b"still taken");
        nc.settles();
        peer.resets();
        // stdin is open, and silent. The kernel says it so where the peer had ended before.
        nc.ends().exits(1).complained_once_of("Broken pipe");
    }
}

#[test]
fn a_reset_against_a_full_stdout_is_told_when_there_is_room() {
    let (nc, peer) = Role::Client.start("", Nc::stdout_unread);
    let mut nc = nc;
    let mut stdout = nc.take_stdout();
    let total = crate::support::fill(&peer.stream, &mut Noise::new(710));
    nc.settles();
    peer.resets();
    let mut same = Same::new(710);
    io::copy(&mut stdout, &mut same).unwrap();
    nc.ends().exits(1).said_one_line_with("Connection reset by peer");
    // What our kernel had acknowledged and not passed on is its to throw away; nothing else is.
    assert!(same.count() > 0 && same.count() <= total, "{} of {total}", same.count());
}

/// Fifty clients break off in the middle of a stream that others read to its end.
#[test]
fn resets_among_readers_of_one_stdin_harm_no_other() {
    let (mut nc, port) = Nc::new("-l -k -N").listens();
    let mut stays: Vec<Peer> = (0..2).map(|_| Peer::connect(port)).collect();
    for peer in &mut stays {
        peer.sends(b".");
    }
    nc.shows(b"..");
    let vitals = Vitals::of(&mut nc);
    let payload = noise(711, 8 << 20);
    nc.types_all(payload.clone());
    let readers: Vec<_> = stays
        .into_iter()
        .map(|mut peer| {
            let payload = payload.clone();
            thread::spawn(move || {
                peer.receives(&payload);
                peer.receives_eof();
                peer
            })
        })
        .collect();
    for _ in 0..50 {
        let mut peer = Peer::connect(port);
        let mut some = [0; 1000];
        // It may have come too late to read any.
        let _ = peer.stream.read(&mut some);
        let _ = peer.stream.write_all(b"");
        peer.resets();
    }
    let stays: Vec<Peer> = readers.into_iter().map(|reader| reader.join().unwrap()).collect();
    assert!(kernel::peak_kib(nc.pid()) < MODEST, "VmHWM is {} KiB", kernel::peak_kib(nc.pid()));
    // stdin has ended, and is closed.
    nc.settles();
    let open = kernel::descriptors(nc.pid());
    assert!(open.len() <= vitals.descriptors.len(), "{open:?}");
    drop(stays);
    nc.signal(Signal::TERM);
    nc.ends().is_killed_by(Signal::TERM);
}
