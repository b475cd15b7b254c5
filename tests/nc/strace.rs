//! The system calls, as strace(1) shows them: what a reader of the documentation will see, and what
//! acceptance suites for netcat look for.

use std::io::{self, Read, Write};
use std::net::Shutdown;

use crate::support::strace::{Interference, Trace, assert_in_order, find};
use crate::support::{ClosedPort, Nc, Noise, Peer, Running, Same, Server};

#[test]
#[ignore = "needs strace"]
fn a_listener_is_made_as_debians() {
    let (nc, trace) = Trace::of(Nc::new("-l"), "network,desc");
    let (nc, port) = nc.listens();
    drop(Peer::connect(port));
    nc.ends().exits(0);
    let calls = trace.calls();
    let listen = find(&calls, "listen(");
    let fd = listen.trim_start_matches("listen(").split(',').next().unwrap();
    assert_in_order(
        &calls,
        &[
            "socket(AF_INET, SOCK_STREAM",
            &format!("setsockopt({fd}, SOL_SOCKET, SO_REUSEADDR, [1]"),
            &format!("setsockopt({fd}, SOL_SOCKET, SO_REUSEPORT, [1]"),
            &format!("bind({fd}, {{sa_family=AF_INET"),
            &format!("listen({fd}, 1)"),
            &format!("accept4({fd}, {{sa_family=AF_INET"),
            &format!("close({fd})"),
        ],
    );
}

#[test]
#[ignore = "needs strace"]
fn exclusive_leaves_reuseport_off() {
    let (nc, trace) = Trace::of(Nc::new("-l --exclusive"), "setsockopt");
    let (nc, port) = nc.listens();
    drop(Peer::connect(port));
    nc.ends().exits(0);
    let calls = trace.calls();
    find(&calls, "SO_REUSEADDR, [1]");
    assert!(!calls.iter().any(|call| call.contains("SO_REUSEPORT")), "{calls:#?}");
}

#[test]
#[ignore = "needs strace"]
fn keep_open_has_a_longer_queue() {
    let (nc, trace) = Trace::of(Nc::new("-l -k"), "listen,accept4");
    let (nc, port) = nc.listens();
    let mut peer = Peer::connect(port);
    nc.says("Connection received on ");
    nc.signal(rustix::process::Signal::TERM);
    nc.ends();
    peer.is_ended();
    let calls = trace.calls();
    let listen = find(&calls, "listen(");
    let backlog = listen.split([',', ')']).nth(1).unwrap().trim();
    assert!(backlog.parse::<u32>().unwrap() >= 128, "{listen}");
    assert_eq!(calls.iter().filter(|call| call.starts_with("listen(")).count(), 1);
}

#[test]
#[ignore = "needs strace"]
fn a_connect_is_waited_for_and_asked_about() {
    let server = Server::start();
    let nc = Nc::new(format!("-N 127.0.0.1 {}", server.port())).stdin_null();
    let (nc, trace) = Trace::of(nc, "socket,connect,epoll_wait,epoll_pwait,getsockopt,shutdown");
    let nc = nc.start();
    server.accepts().receives_eof();
    nc.ends().exits(0);
    let calls = trace.calls();
    let socket = find(&calls, "SOCK_NONBLOCK");
    assert!(socket.starts_with("socket(AF_INET, SOCK_STREAM|"), "{socket}");
    assert_in_order(
        &calls,
        &["SOCK_NONBLOCK", "EINPROGRESS", "epoll_", "SO_ERROR, [0]", "SHUT_WR) = 0"],
    );
}

#[test]
#[ignore = "needs strace"]
fn a_refused_connect_is_learnt_from_so_error() {
    let closed = ClosedPort::reserve();
    let nc = Nc::new(format!("127.0.0.1 {}", closed.port()));
    let (nc, trace) = Trace::of(nc, "socket,connect,epoll_wait,epoll_pwait,getsockopt");
    nc.start().ends().exits(1);
    let calls = trace.calls();
    assert_in_order(
        &calls,
        &["SOCK_NONBLOCK", "EINPROGRESS", "epoll_", "SO_ERROR, [ECONNREFUSED]"],
    );
}

#[test]
#[ignore = "needs strace"]
fn registrations_do_not_grow_with_the_transfer() {
    let server = Server::start();
    let nc = Nc::new(format!("-N --half-close 127.0.0.1 {}", server.port()));
    let (nc, trace) = Trace::of(nc.stdout_unread(), "epoll_ctl");
    let mut nc = nc.start();
    transfer(&mut nc, &server.accepts());
    nc.ends().exits(0);
    let count = trace.calls().len();
    assert!((1..=12).contains(&count), "{count} calls of epoll_ctl for one connection");
}

#[test]
#[ignore = "needs strace"]
fn registrations_grow_with_the_clients_of_k_only() {
    let count_for = |clients: usize| {
        let (nc, trace) = Trace::of(Nc::new("-l -k"), "epoll_ctl");
        let (nc, port) = nc.listens();
        for _ in 0..clients {
            let mut peer = Peer::connect(port);
            for _ in 0..50 {
                peer.sends(b"ping");
                peer.is_acknowledged();
            }
            peer.finishes();
            peer.receives_eof();
        }
        nc.signal(rustix::process::Signal::TERM);
        nc.ends();
        trace.calls().len()
    };
    let (few, many) = (count_for(1), count_for(11));
    assert!(many - few <= 10 * 2, "{few} calls of epoll_ctl for 1 client, {many} for 11");
}

#[test]
#[ignore = "needs strace"]
fn interrupted_calls_lose_nothing() {
    let server = Server::start();
    let args = format!("-N --half-close 127.0.0.1 {}", server.port());
    let mut nc = Nc::new(args).stdout_unread().start();
    let peer = server.accepts();
    nc.settles();
    let interference = Interference::attach(nc.pid(), &format!("{MOVING}:error=EINTR:when=1+2"));
    transfer(&mut nc, &peer);
    nc.ends().exits(0).complained_of_nothing();
    drop(interference);
}

#[test]
#[ignore = "needs strace"]
fn an_aborted_accept_is_not_the_end() {
    for options in ["-l", "-l -k"] {
        for error in ["ECONNABORTED", "EINTR", "EMFILE", "ENOBUFS"] {
            let (mut nc, port) = Nc::new(options).listens();
            nc.settles();
            let inject = format!("accept4:error={error}:when=1");
            let interference = Interference::attach(nc.pid(), &inject);
            let mut peer = Peer::connect(port);
            peer.sends(b"served");
            nc.shows(b"served");
            drop(interference);
        }
    }
}

#[test]
#[ignore = "needs strace"]
fn being_traced_changes_nothing() {
    let server = Server::start();
    let args = format!("-N --half-close 127.0.0.1 {}", server.port());
    let mut nc = Nc::new(args).stdout_unread().start();
    let peer = server.accepts();
    nc.settles();
    // Attaching interrupts the call the program sleeps in; so does letting go.
    drop(Interference::attach(nc.pid(), "getpid:error=ENOSYS"));
    transfer(&mut nc, &peer);
    nc.ends().exits(0).complained_of_nothing();
}

/// Noise both ways at once, then both ends of file.
#[track_caller]
pub(crate) fn transfer(nc: &mut Running, peer: &Peer) {
    let (mut stdin, mut stdout) = (nc.take_stdin(), nc.take_stdout());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            io::copy(&mut Noise::new(60).take(SIZE), &mut stdin).unwrap();
            drop(stdin);
        });
        scope.spawn(|| {
            (&peer.stream).write_all(&crate::support::noise(61, SIZE_AT_ONCE)).unwrap();
            peer.stream.shutdown(Shutdown::Write).unwrap();
        });
        let shown = scope.spawn(|| {
            let mut same = Same::new(61);
            io::copy(&mut stdout, &mut same).unwrap()
        });
        let mut same = Same::new(60);
        assert_eq!(io::copy(&mut &peer.stream, &mut same).unwrap(), SIZE);
        assert_eq!(shown.join().unwrap(), SIZE);
    });
}

/// The calls that move bytes or wait; `?` for those an architecture may not have.
const MOVING: &str = "read,write,readv,writev,recvfrom,sendto,recvmsg,sendmsg,preadv2,pwritev2,\
    splice,sendfile,?epoll_wait,epoll_pwait";

const SIZE_AT_ONCE: usize = 4 << 20;

const SIZE: u64 = SIZE_AT_ONCE as u64;
