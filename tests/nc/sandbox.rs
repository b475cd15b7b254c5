//! `--sandbox`: what the program gives up, and when; what happens where the kernel cannot; and that
//! descriptors are ours alone. What each stage may do is tried in the library (`sys/sandbox/tests.rs`).

use std::fs;
use std::os::unix::net::UnixDatagram;

use rustix::process::Pid;

use crate::support::proxies::{HTTP_GRANT, Kind, challenge, converses, hears_head, plays, through};
use crate::support::strace::{Trace, assert_in_order, find};
use crate::support::{Datagrams, Nc, Peer, Running, Server, kernel, wait_until};

/// What the kernel says of a process.
#[track_caller]
fn is_confined(nc: &mut Running, filters: u64) {
    nc.settles();
    let pid = nc.pid();
    wait_until("the program is confined", || {
        kernel::status_number(pid, "Seccomp_filters") == filters
    });
    let expected = u64::from(filters > 0);
    assert_eq!(kernel::status_number(pid, "NoNewPrivs"), expected);
}

#[test]
fn a_listener_is_confined_before_anybody_comes() {
    for options in ["-l", "-l -k", "-l -4 -n", "-l -6"] {
        let (mut nc, port) = Nc::new(options).arg("--sandbox=strict").listens();
        is_confined(&mut nc, 1);
        if !options.contains("-6") {
            let mut peer = Peer::connect(port);
            peer.sends(b"payload");
            nc.shows(b"payload");
            is_confined(&mut nc, 1);
        }
    }
}

#[test]
fn a_datagram_listener_is_confined_once_more_when_it_has_a_peer() {
    let (mut nc, port) = Nc::new("-u -l --sandbox=strict").binds();
    is_confined(&mut nc, 1);
    let peer = Datagrams::connect(port);
    peer.sends(b"payload");
    nc.shows(b"payload");
    is_confined(&mut nc, 2);
}

#[test]
fn a_crowd_is_answered() {
    let (mut nc, port) = Nc::new("-u -l -k --sandbox=strict").binds();
    is_confined(&mut nc, 1);
    let peer = Datagrams::connect(port);
    peer.sends(b"payload");
    nc.shows(b"payload");
    nc.types(b"answer");
    peer.receives(b"answer");
}

#[test]
fn a_client_is_confined_when_its_last_connection_stands() {
    let server = Server::start();
    let mut nc = Nc::new(format!("-n --sandbox=strict 127.0.0.1 {}", server.port())).start();
    let mut peer = server.accepts();
    is_confined(&mut nc, 1);
    peer.sends(b"payload");
    nc.shows(b"payload");
}

#[test]
fn a_client_with_more_ports_keeps_the_right_to_connect_until_the_last() {
    let servers = [Server::start(), Server::start()];
    let [first, last] = servers.each_ref().map(Server::port);
    let args = format!("-n --sandbox=strict 127.0.0.1 {first} {last}");
    let mut nc = Nc::new(args).stdin_null().start();
    let peer = servers[0].accepts();
    is_confined(&mut nc, 1);
    drop(peer);
    let mut peer = servers[1].accepts();
    peer.sends(b"payload");
    nc.shows(b"payload");
    is_confined(&mut nc, 2);
}

#[test]
fn a_client_that_may_have_to_ask_again_is_confined_in_two_steps() {
    let server = Server::start();
    let options = "--sandbox=strict --proxy-auth joe:secret";
    let mut nc = through(Kind::Http, &server, options, "h.example").start();
    let mut peer = server.accepts();
    hears_head(&mut peer);
    is_confined(&mut nc, 1);
    peer.sends(&challenge("Proxy-Authenticate: Basic realm=\"r\""));
    let mut peer = server.accepts();
    hears_head(&mut peer);
    is_confined(&mut nc, 1);
    peer.sends(HTTP_GRANT);
    peer.sends(b"payload");
    nc.shows(b"payload");
    is_confined(&mut nc, 2);
}

#[test]
fn a_proxy_that_cannot_ask_for_more_speaks_to_a_confined_client() {
    for kind in Kind::ALL {
        let server = Server::start();
        let mut nc = through(kind, &server, "--sandbox=strict", kind.host()).start();
        let mut peer = server.accepts();
        is_confined(&mut nc, 1);
        plays(&mut peer, &kind.dialogue(kind.host(), crate::support::proxies::PORT));
        is_confined(&mut nc, 1);
        converses(nc, peer).exits(0);
    }
}

#[test]
fn off_is_off_and_auto_the_default() {
    for (option, filters) in [("--sandbox=off", 0), ("--sandbox=auto", 1)] {
        let (mut nc, _) = Nc::new("-l").arg(option).listens();
        is_confined(&mut nc, filters);
    }
    if std::env::var_os("NC_TEST_SANDBOX").is_none() {
        let (mut nc, _) = Nc::new("-l").listens();
        is_confined(&mut nc, 1);
    }
}

#[test]
fn anything_else_is_refused_in_one_line() {
    for value in ["on", "", "Strict"] {
        let end = Nc::new("127.0.0.1 1").arg(format!("--sandbox={value}")).start().ends();
        end.exits(1).said(&format!("nc: sandbox must be auto, strict or off: {value}\n"));
    }
}

#[test]
fn clients_have_their_names_and_files_go_all_the_same() {
    let (nc, port) = Nc::new("-l --sandbox=strict").listens();
    drop(Peer::connect(port));
    nc.says("Connection received on localhost ");
    nc.ends().exits(0);

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let mut nc = Nc::new("-l -u -U --sandbox=strict").arg(&path).start();
    wait_until("it is bound", || path.exists());
    is_confined(&mut nc, 1);
    let client = UnixDatagram::bind(folder.path().join("client")).unwrap();
    client.connect(&path).unwrap();
    client.send(b"payload").unwrap();
    nc.shows(b"payload");
    is_confined(&mut nc, 2);
    nc.signal(rustix::process::Signal::TERM);
    nc.ends().is_killed_by(rustix::process::Signal::TERM);
    assert!(!path.exists());
}

#[test]
#[ignore = "needs strace"]
fn a_client_gives_up_between_the_connection_and_the_first_byte() {
    let server = Server::start();
    let nc = Nc::new(format!("-N -n --sandbox=strict 127.0.0.1 {}", server.port())).stdin_null();
    let (nc, trace) = Trace::of(nc, CALLS);
    let nc = nc.start();
    server.accepts().receives_eof();
    nc.ends().exits(0);
    let calls = trace.calls();
    assert_in_order(
        &calls,
        &[
            "connect(",
            "SO_ERROR, [0]",
            "landlock_create_ruleset({",
            "prctl(PR_SET_NO_NEW_PRIVS, 1",
            "landlock_restrict_self(",
            "seccomp(SECCOMP_SET_MODE_FILTER",
            "recvfrom(",
        ],
    );
    let after = calls.iter().skip_while(|call| !call.starts_with("seccomp(")).skip(1);
    let opened: Vec<_> =
        after.filter(|call| call.contains("open") || call.contains("socket(")).collect();
    assert!(opened.is_empty(), "{opened:#?}");
}

#[test]
#[ignore = "needs strace"]
fn a_listener_gives_up_between_listening_and_the_first_client() {
    let (nc, trace) = Trace::of(Nc::new("-l -n --sandbox=strict"), CALLS);
    let (nc, port) = nc.listens();
    drop(Peer::connect(port));
    nc.ends().exits(0);
    assert_in_order(
        &trace.calls(),
        &["listen(", "landlock_restrict_self(", "seccomp(", "accept4(", "recvfrom("],
    );
}

/// What an old kernel, a container's filter or another processor would say.
const REFUSALS: [(&str, &str, &str); 5] = [
    ("seccomp", "error=ENOSYS", "seccomp: Function not implemented"),
    ("seccomp", "error=EINVAL", "seccomp: Invalid argument"),
    ("landlock_create_ruleset", "error=ENOSYS", OLD),
    ("landlock_create_ruleset", "retval=3:when=1", OLD),
    ("prctl", "error=EPERM", "Landlock: Operation not permitted"),
];

const OLD: &str = "Landlock: this kernel has none, less than Linux 6.7 has, or forbids it";

#[test]
#[ignore = "needs strace"]
fn strict_is_refused_where_a_layer_is_missing() {
    for (call, inject, line) in REFUSALS {
        let server = Server::start();
        let nc = Nc::new(format!("-n --sandbox=strict 127.0.0.1 {}", server.port()));
        let (nc, _trace) = Trace::interfering(nc, call, inject);
        let nc = nc.start();
        let mut peer = server.accepts();
        nc.ends().exits(1).said(&format!("nc: --sandbox=strict: {line}\n"));
        peer.is_ended();

        let nc = Nc::new("-l -n --sandbox=strict 0");
        let (nc, _trace) = Trace::interfering(nc, call, inject);
        nc.start().ends().exits(1).said(&format!("nc: --sandbox=strict: {line}\n"));
    }
}

#[test]
#[ignore = "needs strace"]
fn auto_goes_on_with_what_is_left() {
    for (call, inject, _) in REFUSALS {
        let server = Server::start();
        let nc = Nc::new(format!("-n --sandbox=auto 127.0.0.1 {}", server.port()));
        let (nc, trace) = Trace::interfering(nc, call, inject);
        let nc = nc.start();
        converses(nc, server.accepts()).exits(0).said_nothing();
        find(&trace.calls(), call);
    }
    let server = Server::start();
    let nc = Nc::new(format!("-n -vv --sandbox=auto 127.0.0.1 {}", server.port()));
    let (nc, _trace) = Trace::interfering(nc, "seccomp", "error=ENOSYS");
    let nc = nc.start();
    drop(server.accepts());
    nc.says("sandbox: no seccomp: Function not implemented");
}

/// What is given up is told among the states, and drawn.
#[test]
fn the_trace_and_the_timeline_tell_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("timeline");
    let server = Server::start();
    let args = format!("-n -d --sandbox=auto --trace=state --trace-json {}", path.display());
    let nc = Nc::new(format!("{args} 127.0.0.1 {}", server.port())).start();
    server.accepts().finishes();
    let end = nc.ends();
    let told = end.stderr.lines().find(|line| line.contains(" state sandbox: "));
    let told = told.unwrap_or_else(|| panic!("nothing of it in\n{}", end.stderr));
    let drawn = std::fs::read_to_string(&path).unwrap();
    let what = &told[told.find("sandbox: ").unwrap()..];
    assert!(drawn.contains(&format!("\"name\":\"{what}\"")), "no {what} in\n{drawn}");
}

/// Linux 5.13 knows files, and neither ports nor signals.
#[test]
#[ignore = "needs strace"]
fn a_part_of_landlock_is_not_called_all_of_it() {
    let server = Server::start();
    let nc = Nc::new(format!("-n -vv --sandbox=auto 127.0.0.1 {}", server.port()));
    let (nc, _trace) = Trace::interfering(nc, "landlock_create_ruleset", "retval=1:when=1");
    let nc = nc.start();
    drop(server.accepts());
    nc.says("sandbox: of Landlock, what this kernel knows");
}

const CALLS: &str = "network,desc,prctl,seccomp,landlock_create_ruleset,landlock_restrict_self";

/// Every descriptor but the standard three is closed by an exec, which nothing of ours calls: one that is
/// not would be a leak the day something does.
#[test]
fn descriptors_are_ours_alone() {
    let server = Server::start();
    let client = Nc::new(format!("127.0.0.1 {}", server.port())).start();
    let mut peer = server.accepts();
    peer.sends(b"payload");
    client.shows(b"payload");
    are_ours_alone(client.pid());

    let (mut listener, port) = Nc::new("-l -k").listens();
    let mut peers = [Peer::connect(port), Peer::connect(port)];
    for (peer, shown) in peers.iter_mut().zip([&b"payload"[..], b"payloadpayload"]) {
        peer.sends(b"payload");
        listener.shows(shown);
    }
    listener.types(b"answer");
    are_ours_alone(listener.pid());

    for options in ["-u -l", "-u -l -k"] {
        let (nc, port) = Nc::new(options).binds();
        let peer = Datagrams::connect(port);
        peer.sends(b"payload");
        nc.shows(b"payload");
        are_ours_alone(nc.pid());
    }

    let folder = tempfile::tempdir().unwrap();
    for options in ["-l -U", "-l -k -U", "-l --seqpacket", "-l -u -U"] {
        let path = folder.path().join(options.replace(' ', ""));
        let mut nc = Nc::new(options).arg(&path).start();
        wait_until("it is bound", || path.exists());
        nc.settles();
        are_ours_alone(nc.pid());
    }

    let server = Server::start();
    let mut scan = Nc::new(format!("-z -n --banner 127.0.0.1 {}", server.port())).start();
    let _waits_for_a_banner = server.accepts();
    scan.settles();
    are_ours_alone(scan.pid());

    let (proxy, host) = (Server::start(), Kind::Http.host());
    let mut nc = through(Kind::Http, &proxy, "", host).start();
    let mut peer = proxy.accepts();
    hears_head(&mut peer);
    nc.settles();
    are_ours_alone(nc.pid());
}

#[track_caller]
fn are_ours_alone(pid: Pid) {
    let open = kernel::descriptors(pid);
    assert!(open.len() > 4, "{open:?}");
    // What whoever runs the tests has left open for everybody is theirs.
    let handed_down = kernel::descriptors(rustix::process::getpid());
    let is_ours = |it: &(u64, String)| it.0 > 2 && !handed_down.contains(it);
    for (number, target) in open.into_iter().filter(is_ours) {
        let info = format!("/proc/{}/fdinfo/{number}", pid.as_raw_nonzero());
        let info = fs::read_to_string(info).unwrap();
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap().trim();
        let flags = u64::from_str_radix(flags, 8).unwrap();
        assert!(flags & CLOEXEC != 0, "{number} is {target}");
    }
}

/// `O_CLOEXEC`, as fdinfo shows it: proc(5).
const CLOEXEC: u64 = 0o2_000_000;
