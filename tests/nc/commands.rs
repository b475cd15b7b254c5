//! The command lines people type, with the lines, streams and exit codes they get.
//!
//! The exact lines are those of Debian's netcat-openbsd 1.219. Where a port must be known before
//! the program says one, [`ClosedPort`] keeps it from everybody but netcat listeners.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::ends::Pty;
use crate::support::peer::SilentPort;
use crate::support::{ClosedPort, Nc, Peer, Server, kernel, noise, wait_until};

#[test]
fn every_form_of_listen_serves_a_client() {
    for form in
        ["-l -p PORT", "-l PORT", "-lp PORT", "-l 127.0.0.1 PORT", "-l -s 127.0.0.1 -p PORT"]
    {
        let reserved = ClosedPort::reserve();
        let port = reserved.port();
        let mut listener = Nc::new(form.replace("PORT", &port.to_string())).start();
        wait_until("it listens", || !kernel::listening(port).is_empty());

        let mut peer = Peer::connect(port);
        peer.sends(b"to the listener\n");
        listener.shows(b"to the listener\n");
        listener.types(b"to the client\n");
        peer.receives(b"to the client\n");
        peer.finishes();
        peer.receives_eof();
        listener.ends().exits(0).showed(b"to the listener\n").said_nothing();
    }
}

#[test]
fn two_consoles_talk_to_each_other() {
    let mut listener = Nc::new("-l -v 0").start();
    let port = listener.port();
    let mut client = Nc::new(format!("localhost {port}")).start();

    client.types(b"hello from the client\n");
    listener.shows(b"hello from the client\n");
    listener.types(b"hello from the listener\n");
    client.shows(b"hello from the listener\n");
    client.types(b"and again\n");
    listener.shows(b"hello from the client\nand again\n");

    client.signal(Signal::INT);
    client.ends().is_killed_by(Signal::INT).said_nothing();
    listener.ends().exits(0);
}

#[test]
fn two_consoles_that_are_terminals_talk_to_each_other() {
    let consoles = [Pty::open(), Pty::open()];
    let on = |nc: Nc, console: &Pty| {
        let [stdin, stdout, stderr] = [(); 3].map(|()| console.terminal.try_clone().unwrap());
        nc.stdin(stdin).stdout(stdout).stderr(stderr)
    };
    let reserved = ClosedPort::reserve();
    let port = reserved.port();
    let listener = on(Nc::new(format!("-l -p {port}")), &consoles[0]).start();
    wait_until("it listens", || !kernel::listening(port).is_empty());
    let client = on(Nc::new(format!("localhost {port}")), &consoles[1]).start();

    let mut masters = consoles.map(|console| File::from(console.master));
    for (line, from, to) in [("one\n", 0, 1), ("two\n", 1, 0), ("three\n", 1, 0), ("four\n", 0, 1)]
    {
        masters[from].write_all(line.as_bytes()).unwrap();
        let mut shown = vec![0; line.len() + 1];
        masters[to].read_exact(&mut shown).unwrap();
        assert_eq!(String::from_utf8(shown).unwrap(), line.replace('\n', "\r\n"));
    }
    // Whichever goes first, the other ends with it, though nobody typed an end of file.
    listener.signal(Signal::INT);
    listener.ends().is_killed_by(Signal::INT);
    client.ends().exits(0);
}

#[test]
fn host_with_p_and_no_port_connects_to_that_port() {
    let server = Server::start();
    let mut client = Nc::new(format!("localhost -p {}", server.port())).start();
    let mut peer = server.accepts();
    client.types(b"ping\n");
    peer.receives(b"ping\n");
    drop(peer);
    client.ends_input();
    client.ends().exits(0).said_nothing();
}

#[test]
fn two_listeners_share_a_port_and_the_second_is_told() {
    let mut first = Nc::new("-l -v -n 0").start();
    let port = first.port();
    let mut second = Nc::new(format!("-l -v -n -p {port}")).start();
    assert_eq!(second.port(), port);
    wait_until("both listen", || kernel::listening(port).len() == 2);
    let told = second.stderr_text().to_lowercase();
    assert!(told.contains("already listen"), "the second only said {told:?}");
    assert_eq!(first.stderr_text(), format!("Listening on 0.0.0.0 {port}\n"));

    // The kernel chooses which of them gets the first client; the other one gets the second.
    let mut one = Peer::connect(port);
    one.sends(b"one");
    wait_until("one of them serves", || kernel::listening(port).len() == 1);
    let mut two = Peer::connect(port);
    two.sends(b"two");
    wait_until("both serve", || first.shown().len() == 3 && second.shown().len() == 3);
    let mut shown = [first.shown(), second.shown()];
    shown.sort();
    assert_eq!(shown, [b"one".to_vec(), b"two".to_vec()]);
    first.still_runs();
    second.still_runs();
    drop((one, two));
    first.ends().exits(0);
    second.ends().exits(0);
}

#[test]
fn a_listener_without_company_says_nothing_of_it() {
    let listener = Nc::new("-l -v 0").start();
    let port = listener.port();
    assert_eq!(listener.stderr_text(), format!("Listening on 0.0.0.0 {port}\n"));
}

#[test]
fn exclusive_refuses_a_port_that_is_taken() {
    let first = Nc::new("-l -v 0").start();
    let second = Nc::new(format!("-l --exclusive -p {}", first.port())).start();
    second.ends().exits(1).showed(b"").said_one_line_with("Address already in use");

    let alone = Nc::new("-l -v --exclusive 0").start();
    let refused = Nc::new(format!("-l -p {}", alone.port())).start();
    refused.ends().exits(1).said_one_line_with("Address already in use");
}

#[test]
fn a_port_held_by_another_program_is_refused() {
    let server = Server::start();
    let listener = Nc::new(format!("-l 127.0.0.1 {}", server.port())).start();
    listener.ends().exits(1).showed(b"").said_one_line_with("Address already in use");
}

#[test]
fn verbose_lines_of_a_listener() {
    for (form, host, peer_name) in [
        ("-lv 0", "0.0.0.0", "localhost"),
        ("-l 0 -v", "0.0.0.0", "localhost"),
        ("-l -p 0 -v", "0.0.0.0", "localhost"),
        ("-lvnp 0", "0.0.0.0", "127.0.0.1"),
        ("-lv 127.0.0.1 0", "localhost", "localhost"),
        ("-lv -s 127.0.0.1 -p 0", "localhost", "localhost"),
        ("-lvn 127.0.0.1 0", "127.0.0.1", "127.0.0.1"),
    ] {
        let listener = Nc::new(form).start();
        let port = listener.port();
        let peer = Peer::connect(port);
        let received = format!("Connection received on {peer_name} {}", peer.port());
        listener.says(&received);
        drop(peer);
        let end = listener.ends();
        end.exits(0).showed(b"").said(&format!("Listening on {host} {port}\n{received}\n"));
    }
}

#[test]
fn verbose_line_of_a_client() {
    let server = Server::start();
    let port = server.port();
    let succeeded = [
        ("-v 127.0.0.1", format!("Connection to 127.0.0.1 {port} port [tcp/*] succeeded!\n")),
        ("-vn 127.0.0.1", format!("Connection to 127.0.0.1 {port} port [tcp/*] succeeded!\n")),
        (
            "-4v localhost",
            format!("Connection to localhost (127.0.0.1) {port} port [tcp/*] succeeded!\n"),
        ),
    ];
    for (form, line) in succeeded {
        let client = Nc::new(format!("{form} {port}")).stdin_null().start();
        drop(server.accepts());
        client.ends().exits(0).showed(b"").said(&line);
    }
}

#[test]
#[cfg(feature = "log")]
fn more_v_say_more_and_never_on_stdout() {
    let mut lengths = Vec::new();
    for options in ["-v", "-vv", "-vvv"] {
        let server = Server::start();
        let port = server.port();
        let client = Nc::new(format!("-N {options} 127.0.0.1 {port}")).stdin_null().start();
        let mut peer = server.accepts();
        peer.sends(b"payload");
        peer.receives_eof();
        drop(peer);
        let end = client.ends();
        end.exits(0).showed(b"payload");
        let line = format!("Connection to 127.0.0.1 {port} port [tcp/*] succeeded!\n");
        assert!(end.stderr.contains(&line), "{options} said {:?}", end.stderr);
        lengths.push(end.stderr.lines().count());
    }
    assert!(
        lengths.is_sorted_by(|less, more| less < more),
        "lines with -v, -vv, -vvv: {lengths:?}"
    );
}

#[test]
fn options_may_follow_the_operands() {
    let server = Server::start();
    let client = Nc::new(format!("127.0.0.1 {} -v -N", server.port())).stdin_null().start();
    server.accepts().receives_eof();
    client.ends().exits(0).said_one_line_with("succeeded!");
}

#[test]
fn a_refused_connection_is_one_line_and_status_1() {
    let closed = ClosedPort::reserve();
    let port = closed.port();
    let exact = format!("nc: connect to 127.0.0.1 port {port} (tcp) failed: Connection refused\n");
    let plain = Nc::new(format!("127.0.0.1 {port}")).start().ends();
    plain.exits(1).showed(b"").said_one_line_with("Connection refused");
    assert!(plain.stderr.starts_with("nc: ") && plain.stderr.contains(&port.to_string()));

    let verbose = Nc::new(format!("-v 127.0.0.1 {port}")).start().ends();
    verbose.exits(1).showed(b"").said(&exact);

    // Every address of the name is reported; this machine may know ::1 as localhost too.
    let name = Nc::new(format!("-v localhost {port}")).start().ends();
    let line = format!(
        "nc: connect to localhost (127.0.0.1) port {port} (tcp) failed: Connection refused\n"
    );
    name.exits(1).showed(b"");
    assert!(name.stderr.contains(&line), "said {:?}", name.stderr);
}

#[test]
fn a_connection_nobody_answers_ends_with_w() {
    let silent = SilentPort::start();
    let begun = Instant::now();
    let client = Nc::new(format!("-v -w 0.3 127.0.0.1 {}", silent.port())).start();
    let end = client.ends();
    end.exits(1).showed(b"").said_one_line_with("timed out");
    let took = end.ended - begun;
    assert!(took >= Duration::from_millis(250), "gave up after {took:?}");
    assert!(took < Duration::from_secs(3), "gave up only after {took:?}");
}

#[test]
fn several_ports_are_served_in_turn_over_one_stdin() {
    let (closed, first, second) = (ClosedPort::reserve(), Server::start(), Server::start());
    let ports = [closed.port(), first.port(), second.port()].map(|port| port.to_string());
    let mut client = Nc::new(format!("-N -v 127.0.0.1 {}", ports.join(" "))).start();
    let payload = noise(1, 300_000);
    client.types_all(payload.clone());

    // All of stdin goes to the first port that answers; the next one finds it at its end.
    let mut peer = first.accepts();
    peer.receives(&payload);
    peer.receives_eof();
    peer.sends(b"first\n");
    drop(peer);
    let mut peer = second.accepts();
    peer.receives_eof();
    peer.sends(b"second\n");
    drop(peer);

    let end = client.ends();
    end.exits(0).showed(b"first\nsecond\n").said(&format!(
        "nc: connect to 127.0.0.1 port {} (tcp) failed: Connection refused\n\
         Connection to 127.0.0.1 {} port [tcp/*] succeeded!\n\
         Connection to 127.0.0.1 {} port [tcp/*] succeeded!\n",
        ports[0], ports[1], ports[2],
    ));
}

#[test]
fn ports_served_in_turn_leave_the_rest_of_stdin_to_the_next() {
    let (first, second) = (Server::start(), Server::start());
    let ports = format!("{} {}", first.port(), second.port());
    let mut client = Nc::new(format!("--exit-on-close 127.0.0.1 {ports}")).start();
    client.types(b"for the first\n");
    let mut peer = first.accepts();
    peer.receives(b"for the first\n");
    drop(peer);
    let mut peer = second.accepts();
    client.types(b"for the second\n");
    peer.receives(b"for the second\n");
    drop(peer);
    client.ends().exits(0).said_nothing();
}

#[test]
fn status_is_1_only_if_no_port_answers() {
    let (one, two) = (ClosedPort::reserve(), ClosedPort::reserve());
    let both = Nc::new(format!("-v 127.0.0.1 {} {}", one.port(), two.port())).start().ends();
    both.exits(1).showed(b"");
    assert_eq!(both.stderr.matches("Connection refused\n").count(), 2, "{:?}", both.stderr);

    let server = Server::start();
    let range = format!("{0}-{0}", server.port());
    let some = Nc::new(format!("-r 127.0.0.1 {range} {}", two.port())).stdin_null().start();
    drop(server.accepts());
    some.ends().exits(0).showed(b"");
}

#[test]
fn source_address_and_port_are_bound() {
    let server = Server::start();
    // Free, for it is the server's port on another of the 127.0.0.0/8 addresses.
    let source: SocketAddr = ([127, 0, 0, 77], server.port()).into();
    let options = format!("-s {} -p {}", source.ip(), source.port());
    let client = Nc::new(format!("{options} 127.0.0.1 {}", server.port())).stdin_null().start();
    let peer = server.accepts();
    assert_eq!(peer.stream.peer_addr().unwrap(), source);

    let taken = Nc::new(format!("{options} 127.0.0.1 {}", server.port())).start();
    taken.ends().exits(1).showed(b"").said_one_line_with("Address already in use");
    drop(peer);
    client.ends().exits(0);
}

#[test]
fn ipv6_is_spoken_where_the_machine_has_it() {
    let loopback = IpAddr::V6(Ipv6Addr::LOCALHOST);
    if std::net::TcpListener::bind((loopback, 0)).is_err() {
        return;
    }
    let mut listener = Nc::new("-6lvn 0").start();
    let port = listener.port();
    let mut peer = Peer::connect(port);
    let received = format!("Connection received on ::ffff:127.0.0.1 {}", peer.port());
    listener.says(&received);
    listener.types(b"dual stack\n");
    peer.receives(b"dual stack\n");
    drop(peer);
    listener.ends().exits(0).said(&format!("Listening on :: {port}\n{received}\n"));

    let server = Server::start_on(loopback);
    let mut client = Nc::new(format!("-v ::1 {}", server.port())).start();
    let mut peer = server.accepts();
    client.types(b"six\n");
    peer.receives(b"six\n");
    drop(peer);
    client.ends_input();
    client
        .ends()
        .exits(0)
        .said(&format!("Connection to ::1 {} port [tcp/*] succeeded!\n", server.port()));
}

#[test]
fn a_listener_for_one_session_closes_its_socket_once_it_serves() {
    let listener = Nc::new("-l -v 0").start();
    let port = listener.port();
    let peer = Peer::connect(port);
    listener.says("Connection received on ");
    wait_until("nobody listens any more", || kernel::listening(port).is_empty());
    drop(peer);
    listener.ends().exits(0);
}
