//! `-u -k`: one socket, many peers; broadcasts and groups.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV6, UdpSocket};
use std::time::Duration;

use rustix::net::netdevice::name_to_index;
use socket2::SockRef;

use crate::support::{Datagrams, Nc, Running, kernel, uninterrupted, wait_until, watch};

#[track_caller]
fn listener(options: &str) -> (Running, u16) {
    Nc::new(format!("-u -l -k {options}")).binds()
}

/// Sends and waits until it is shown.
#[track_caller]
fn is_heard(nc: &Running, peer: &Datagrams, bytes: &[u8]) {
    let mut expected = nc.shown();
    expected.extend_from_slice(bytes);
    peer.sends(bytes);
    nc.shows(&expected);
}

#[test]
fn everybody_is_heard() {
    let (nc, port) = listener("");
    let peers: Vec<Datagrams> = (0..40).map(|_| Datagrams::connect(port)).collect();
    for round in 0..4 {
        for (number, peer) in peers.iter().enumerate() {
            peer.sends(format!("{number} {round}\n").as_bytes());
        }
    }
    wait_until("all 160 have come", || String::from_utf8_lossy(&nc.shown()).lines().count() == 160);
    let shown = String::from_utf8(nc.shown()).unwrap();
    for number in 0..40 {
        let mine = shown.lines().filter(|line| line.starts_with(&format!("{number} ")));
        let rounds: Vec<&str> = mine.map(|line| line.split_once(' ').unwrap().1).collect();
        assert_eq!(rounds, ["0", "1", "2", "3"], "of peer {number}");
    }
    assert_eq!(kernel::threads(nc.pid()), 1);
}

#[test]
fn no_number_of_reads_ends_it() {
    let (mut nc, port) = listener("-W 1");
    for bytes in [&b"1"[..], b"2", b"3"] {
        is_heard(&nc, &Datagrams::connect(port), bytes);
    }
    nc.still_runs();
}

#[test]
fn the_last_is_answered() {
    for options in ["", "--udp-reply last"] {
        let (mut nc, port) = listener(options);
        let (one, other) = (Datagrams::connect(port), Datagrams::connect(port));
        is_heard(&nc, &one, b"1");
        is_heard(&nc, &other, b"2");
        nc.types(b"to the other");
        other.receives(b"to the other");
        is_heard(&nc, &one, b"3");
        nc.types(b"to the one");
        one.receives(b"to the one");
        nc.settles();
        one.has_received_nothing();
        other.has_received_nothing();
    }
}

#[test]
fn the_first_is_answered() {
    let (mut nc, port) = listener("--udp-reply first");
    let (one, other) = (Datagrams::connect(port), Datagrams::connect(port));
    is_heard(&nc, &one, b"1");
    is_heard(&nc, &other, b"2");
    nc.types(b"to the one");
    one.receives(b"to the one");
    nc.types(b"again");
    one.receives(b"again");
    nc.settles();
    other.has_received_nothing();
}

#[test]
fn all_are_answered() {
    let (mut nc, port) = listener("--udp-reply all");
    let peers: Vec<Datagrams> = (0..20).map(|_| Datagrams::connect(port)).collect();
    for peer in &peers {
        is_heard(&nc, peer, b"x");
        is_heard(&nc, peer, b"y");
    }
    for answer in [&b"to all of you"[..], b"and again"] {
        nc.types(answer);
        for peer in &peers {
            peer.receives(answer);
        }
    }
    nc.settles();
    peers.iter().for_each(Datagrams::has_received_nothing);
}

#[test]
fn a_peer_that_has_gone_is_charged_to_nobody_else() {
    for reply in ["last", "all", "first"] {
        let (mut nc, port) = listener(&format!("--udp-reply {reply}"));
        let goes = Datagrams::connect(port);
        is_heard(&nc, &goes, b"1");
        goes.refuses();
        nc.settles();
        nc.types(b"to nobody");
        nc.settles();
        let stays = Datagrams::connect(port);
        is_heard(&nc, &stays, b"2");
        if reply != "first" {
            // What was meant for the one who has gone may come first.
            for answer in [&b"one"[..], b"two", b"three"] {
                nc.types(answer);
                wait_until("the answer has come", || stays.receives_any().0 == answer);
            }
        }
        is_heard(&nc, &stays, b"3");
        nc.still_runs();
        assert!(!nc.stderr_text().contains("refused"), "{}", nc.stderr_text());
    }
}

#[test]
fn one_of_many_that_has_gone_takes_no_answer_from_the_others() {
    let (mut nc, port) = listener("--udp-reply all");
    let (first, goes, last) =
        (Datagrams::connect(port), Datagrams::connect(port), Datagrams::connect(port));
    for peer in [&first, &goes, &last] {
        is_heard(&nc, peer, b"x");
    }
    goes.refuses();
    for number in 0..20 {
        let answer = format!("answer {number}");
        nc.types(answer.as_bytes());
        first.receives(answer.as_bytes());
        last.receives(answer.as_bytes());
    }
    nc.still_runs();
}

#[test]
fn the_end_of_stdin_is_not_the_end() {
    let (mut nc, port) = listener("-N");
    let peer = Datagrams::connect(port);
    is_heard(&nc, &peer, b"1");
    nc.types(b"answer");
    nc.ends_input();
    peer.receives(b"answer");
    nc.settles();
    is_heard(&nc, &peer, b"2");
    is_heard(&nc, &Datagrams::connect(port), b"3");
    nc.still_runs();
}

#[test]
fn a_broadcast_arrives() {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    socket.set_read_timeout(Some(crate::support::DEADLINE)).unwrap();
    let port = socket.local_addr().unwrap().port();
    let mut nc = Nc::new(format!("-u -b 127.255.255.255 {port}")).start();
    nc.types(b"to everybody");
    let mut got = [0; 64];
    let count = uninterrupted(|| socket.recv(&mut got)).unwrap();
    assert_eq!(&got[..count], b"to everybody");
}

#[test]
fn a_group_is_heard_once_it_is_joined() {
    for options in ["--join 239.255.44.4%lo", "-k --join 239.255.44.4%lo --join 239.255.44.5%lo"] {
        let (nc, port) = Nc::new(format!("-u -l {options}")).binds();
        let sender = Datagrams::bind();
        let loopback = SockRef::from(&sender.socket);
        loopback.set_multicast_if_v4(&Ipv4Addr::LOCALHOST).unwrap();
        sender.sends_to(b"to the group", ([239, 255, 44, 4], port).into());
        nc.shows(b"to the group");
        if options.contains("44.5") {
            sender.sends_to(b", and to the other", ([239, 255, 44, 5], port).into());
            nc.shows(b"to the group, and to the other");
        }
    }
}

#[test]
#[ignore = "needs an interface with multicast"]
fn an_ipv6_group_is_heard_once_it_is_joined() {
    let interface = multicast_interface();
    let (nc, port) = Nc::new(format!("-u -l --join ff02::4004%{interface}")).binds();
    let sender = Datagrams::bind_on(Ipv6Addr::UNSPECIFIED.into());
    let index = name_to_index(&sender.socket, &interface).unwrap();
    let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x4004);
    sender.sends_to(b"to the group", SocketAddrV6::new(group, port, 0, index).into());
    nc.shows(b"to the group");
}

#[test]
#[ignore = "needs an interface with multicast"]
fn a_group_hears_its_own_machine_unless_told_otherwise() {
    let interface = multicast_interface();
    let (nc, port) = Nc::new(format!("-u -l -k --join ff02::4005%{interface}")).binds();
    for options in ["--no-loop", ""] {
        let args = format!("-u {options} -q 0 ff02::4005%{interface} {port}");
        let mut sender = Nc::new(args).start();
        sender.types(format!("sent with {options:?}").as_bytes());
        sender.ends_input();
        sender.ends().exits(0).said_nothing();
    }
    nc.shows(b"sent with \"\"");
}

/// The name of one that is up.
#[track_caller]
fn multicast_interface() -> String {
    let mut names = std::fs::read_dir("/sys/class/net").unwrap();
    let name = names.find_map(|entry| {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(path.join("flags")).ok()?;
        let flags = u32::from_str_radix(text.trim().strip_prefix("0x")?, 16).ok()?;
        let wanted = UP | MULTICAST;
        (flags & wanted == wanted).then(|| path.file_name()?.to_str().map(str::to_owned))?
    });
    name.expect("an interface with multicast")
}

#[test]
fn a_silent_peer_is_forgotten() {
    let (mut nc, port) = listener("-w 0.5");
    let (one, other) = (Datagrams::connect(port), Datagrams::connect(port));
    is_heard(&nc, &one, b"1");
    nc.types(b"at once");
    one.receives(b"at once");
    watch(Duration::from_secs(1));
    nc.types(b"much later");
    nc.settles();
    one.has_received_nothing();
    is_heard(&nc, &other, b"2");
    other.receives(b"much later");
    nc.still_runs();
}

#[test]
fn a_group_that_cannot_be_joined_is_named() {
    for group in ["127.0.0.1", "239.255.44.4%nosuch"] {
        let nc = Nc::new(format!("-u -l --join {group} 0")).start();
        nc.ends().exits(1).said_one_line_with(group.split('%').next().unwrap());
    }
    Nc::new("-u -l --join nonsense 0").start().ends().exits(1).said_one_line_with("nonsense");
}

// Of linux/if.h.
const UP: u32 = 1;
const MULTICAST: u32 = 0x1000;
