//! Socket options as strace(1) shows them: each by its name, with its value, on the right socket, in
//! Debian's order.

use crate::support::strace::{Trace, assert_in_order, find};
use crate::support::{Datagrams, Nc, Peer, Server};

/// The calls of a client that connects and ends.
#[track_caller]
fn client_calls(options: &str, address: &str) -> Vec<String> {
    let server = Server::start_on(address.parse().unwrap());
    let nc = Nc::new(format!("{options} -N {address} {}", server.port())).stdin_null();
    let (nc, trace) = Trace::of(nc, CALLS);
    let nc = nc.start();
    drop(server.accepts());
    nc.ends().exits(0).said_nothing();
    trace.calls()
}

/// The calls of a listener that serves one client.
#[track_caller]
fn listener_calls(options: &str, address: &str) -> Vec<String> {
    let (nc, trace) = Trace::of(Nc::new(format!("-l {options} {address}")), CALLS);
    let (nc, port) = nc.listens();
    drop(Peer::connect_to(format!("{}:{port}", bracketed(address)).parse().unwrap()));
    nc.ends().exits(0).complained_of_nothing();
    trace.calls()
}

/// The calls of a UDP client that sends one datagram.
#[track_caller]
fn udp_calls(options: &str, address: &str) -> Vec<String> {
    let peer = Datagrams::bind_on(address.parse().unwrap());
    let args = format!("-u {options} -w 0.1 {address} {}", peer.port());
    let (nc, trace) = Trace::of(Nc::new(args), CALLS);
    let mut nc = nc.start();
    nc.types(b"hello");
    peer.receives(b"hello");
    nc.ends().exits(0).said_nothing();
    trace.calls()
}

fn bracketed(address: &str) -> String {
    if address.contains(':') { format!("[{address}]") } else { address.to_owned() }
}

/// The descriptor of the socket that connects or listens.
#[track_caller]
fn socket(calls: &[String]) -> &str {
    let call = calls.iter().find(|call| {
        let network = call.contains("sa_family=AF_INET");
        network && (call.starts_with("connect(") || call.starts_with("bind("))
    });
    let call = call.unwrap_or_else(|| panic!("no socket in {calls:#?}"));
    call.split(['(', ',']).nth(1).unwrap()
}

/// Exactly these options are set beside those every socket of ours has; `level` to value as strace
/// writes them.
#[track_caller]
fn assert_sets(calls: &[String], expected: &[&str]) {
    let fd = socket(calls);
    let prefix = format!("setsockopt({fd}, ");
    let set: Vec<&str> = calls
        .iter()
        .filter_map(|call| call.strip_prefix(&prefix))
        .filter(|call| !OURS.iter().any(|name| call.contains(name)))
        .collect();
    let alike = set.len() == expected.len()
        && set
            .iter()
            .zip(expected)
            .all(|(got, wanted)| got.starts_with(wanted) && got.ends_with(" = 0"));
    assert!(alike, "expected {expected:#?}, got {set:#?} in {calls:#?}");
}

#[test]
#[ignore = "needs strace"]
fn nothing_is_set_that_was_not_asked_for() {
    assert_sets(&client_calls("", V4), &[]);
    assert_sets(&client_calls("", V6), &[]);
    assert_sets(&listener_calls("", V4), &[]);
    assert_sets(&udp_calls("", V4), &[]);
}

#[test]
#[ignore = "needs strace"]
fn each_option_on_its_own() {
    for (option, v4, v6) in [
        ("-T ef", "SOL_IP, IP_TOS, [184]", "SOL_IPV6, IPV6_TCLASS, [184]"),
        ("-T 0x10", "SOL_IP, IP_TOS, [16]", "SOL_IPV6, IPV6_TCLASS, [16]"),
        ("-I 20000", "SOL_SOCKET, SO_RCVBUF, [20000]", "SOL_SOCKET, SO_RCVBUF, [20000]"),
        ("-O 30000", "SOL_SOCKET, SO_SNDBUF, [30000]", "SOL_SOCKET, SO_SNDBUF, [30000]"),
        ("-M 77", "SOL_IP, IP_TTL, [77]", "SOL_IPV6, IPV6_UNICAST_HOPS, [77]"),
        ("-m 5", "SOL_IP, IP_MINTTL, [5]", "SOL_IPV6, IPV6_MINHOPCOUNT, [5]"),
        ("-b", "SOL_SOCKET, SO_BROADCAST, [1]", "SOL_SOCKET, SO_BROADCAST, [1]"),
        (
            "--interface lo",
            "SOL_SOCKET, SO_BINDTODEVICE, \"lo",
            "SOL_SOCKET, SO_BINDTODEVICE, \"lo",
        ),
    ] {
        assert_sets(&client_calls(option, V4), &[v4]);
        assert_sets(&client_calls(option, V6), &[v6]);
        assert_sets(&listener_calls(option, V4), &[v4]);
        assert_sets(&listener_calls(option, V6), &[v6]);
        assert_sets(&udp_calls(option, V4), &[v4]);
        assert_sets(&udp_calls(option, V6), &[v6]);
    }
}

#[test]
#[ignore = "needs strace"]
fn each_option_of_tcp_on_its_own() {
    for (option, expected) in [
        ("--keepalive", &["SOL_SOCKET, SO_KEEPALIVE, [1]"][..]),
        (
            "--keepalive=9",
            &[
                "SOL_SOCKET, SO_KEEPALIVE, [1]",
                "SOL_TCP, TCP_KEEPIDLE, [9]",
                "SOL_TCP, TCP_KEEPINTVL, [9]",
            ],
        ),
        ("--nodelay", &["SOL_TCP, TCP_NODELAY, [1]"]),
        ("--user-timeout 1.5", &["SOL_TCP, TCP_USER_TIMEOUT, [1500]"]),
        // strace takes the name for a number.
        ("--congestion reno", &["SOL_TCP, TCP_CONGESTION, ["]),
    ] {
        for address in [V4, V6] {
            assert_sets(&client_calls(option, address), expected);
            assert_sets(&listener_calls(option, address), expected);
        }
        assert_sets(&udp_calls(option, V4), &[]);
    }
    assert_sets(&client_calls("--tcp-fastopen", V4), &["SOL_TCP, TCP_FASTOPEN_CONNECT, [1]"]);
    assert_sets(&listener_calls("--tcp-fastopen", V4), &["SOL_TCP, TCP_FASTOPEN, ["]);
}

#[test]
#[ignore = "needs strace and root"]
fn the_options_of_root() {
    for address in [V4, V6] {
        for calls in [client_calls, listener_calls, udp_calls] {
            assert_sets(&calls("-D", address), &["SOL_SOCKET, SO_DEBUG, [1]"]);
            assert_sets(&calls("--mark 7", address), &["SOL_SOCKET, SO_MARK, [7]"]);
        }
    }
}

#[test]
#[ignore = "needs strace and root"]
fn together_they_come_in_debians_order() {
    // Typed in another one.
    let options = "-m 1 -M 77 -O 30000 -I 20000 -T ef -D -b";
    let (v4, v6) = (
        [
            "SOL_SOCKET, SO_BROADCAST, [1]",
            "SOL_SOCKET, SO_DEBUG, [1]",
            "SOL_IP, IP_TOS, [184]",
            "SOL_SOCKET, SO_RCVBUF, [20000]",
            "SOL_SOCKET, SO_SNDBUF, [30000]",
            "SOL_IP, IP_TTL, [77]",
            "SOL_IP, IP_MINTTL, [1]",
        ],
        [
            "SOL_SOCKET, SO_BROADCAST, [1]",
            "SOL_SOCKET, SO_DEBUG, [1]",
            "SOL_IPV6, IPV6_TCLASS, [184]",
            "SOL_SOCKET, SO_RCVBUF, [20000]",
            "SOL_SOCKET, SO_SNDBUF, [30000]",
            "SOL_IPV6, IPV6_UNICAST_HOPS, [77]",
            "SOL_IPV6, IPV6_MINHOPCOUNT, [1]",
        ],
    );
    for calls in [client_calls, listener_calls, udp_calls] {
        assert_sets(&calls(options, V4), &v4);
        assert_sets(&calls(options, V6), &v6);
    }
}

#[test]
#[ignore = "needs strace"]
fn a_client_binds_and_then_sets_and_then_connects() {
    let calls = client_calls("-s 127.0.0.1 -T ef", V4);
    let fd = socket(&calls);
    assert_in_order(
        &calls,
        &[
            "socket(AF_INET, SOCK_STREAM",
            &format!("bind({fd}, {{sa_family=AF_INET"),
            &format!("setsockopt({fd}, SOL_IP, IP_TOS"),
            &format!("connect({fd}, {{sa_family=AF_INET"),
        ],
    );
    // Debian's client shares no port.
    assert!(!calls.iter().any(|call| call.contains("SO_REUSE")), "{calls:#?}");
}

#[test]
#[ignore = "needs strace"]
fn a_listener_sets_and_then_binds() {
    for (options, v) in [("-T ef", V4), ("-T ef", V6)] {
        let calls = listener_calls(options, v);
        let fd = socket(&calls);
        assert_in_order(
            &calls,
            &[
                &format!("setsockopt({fd}, SOL_SOCKET, SO_REUSEADDR, [1]"),
                &format!("setsockopt({fd}, SOL_SOCKET, SO_REUSEPORT, [1]"),
                &format!("setsockopt({fd}, SOL_IP"),
                &format!("bind({fd}, {{sa_family=AF_INET"),
                &format!("listen({fd}, 1)"),
            ],
        );
    }
}

#[test]
#[ignore = "needs strace"]
fn every_keyword_of_a_type_of_service() {
    for (keyword, value) in TOS {
        let calls = udp_calls(&format!("-T {keyword}"), V4);
        assert_sets(&calls, &[&format!("SOL_IP, IP_TOS, [{value}]")]);
    }
}

#[test]
#[ignore = "needs strace"]
fn a_group_has_a_time_to_live_and_a_loop_of_its_own() {
    for (group, options, expected) in [
        (
            "239.255.44.7",
            "-M 3",
            &[
                "SOL_IP, IP_TTL, [3]",
                "SOL_IP, IP_MULTICAST_TTL, [3]",
                "SOL_SOCKET, SO_BINDTODEVICE",
            ][..],
        ),
        (
            "ff02::4007%lo",
            "-M 3",
            &[
                "SOL_IPV6, IPV6_UNICAST_HOPS, [3]",
                "SOL_IPV6, IPV6_MULTICAST_HOPS, [3]",
                "SOL_SOCKET, SO_BINDTODEVICE",
            ],
        ),
    ] {
        let args = format!("-u {options} --interface lo -w 0.1 {group} 9");
        let (nc, trace) = Trace::of(Nc::new(args).stdin_null(), CALLS);
        // No route may lead there; by then everything is set.
        nc.start().ends();
        assert_sets(&trace.calls(), expected);
    }
    for (group, expected) in [
        ("239.255.44.7", "SOL_IP, IP_MULTICAST_LOOP, [0]"),
        ("ff02::4007%lo", "SOL_IPV6, IPV6_MULTICAST_LOOP, [0]"),
    ] {
        let args = format!("-u --no-loop --interface lo -w 0.1 {group} 9");
        let (nc, trace) = Trace::of(Nc::new(args).stdin_null(), CALLS);
        nc.start().ends();
        let calls = trace.calls();
        assert!(calls.iter().any(|call| call.contains(expected)), "{calls:#?}");
    }
}

#[test]
#[ignore = "needs strace"]
fn a_group_is_joined() {
    for (options, expected) in [
        (
            "--join 239.255.44.8%lo",
            "SOL_IP, IP_ADD_MEMBERSHIP, {imr_multiaddr=inet_addr(\"239.255.44.8\")",
        ),
        (
            "-6 --join ff02::4008%lo",
            "SOL_IPV6, IPV6_ADD_MEMBERSHIP, {inet_pton(AF_INET6, \"ff02::4008\"",
        ),
    ] {
        let (nc, trace) = Trace::of(Nc::new(format!("-u -l {options}")), CALLS);
        let (nc, _port) = nc.binds();
        nc.signal(rustix::process::Signal::TERM);
        nc.ends();
        let calls = trace.calls();
        assert!(find(&calls, expected).ends_with("= 0"), "{calls:#?}");
    }
}

#[test]
#[ignore = "needs strace"]
fn multipath_tcp_is_another_protocol() {
    let calls = client_calls("--mptcp", V4);
    assert_in_order(&calls, &["IPPROTO_MPTCP) = ", "connect("]);
    let calls = listener_calls("--mptcp", V6);
    assert_in_order(&calls, &["IPPROTO_MPTCP) = ", "bind("]);
}

#[test]
#[ignore = "needs strace"]
fn unix_sockets_take_the_buffers_and_leave_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    let nc = Nc::new("-l -v -U -b -T ef -I 20000 -O 30000 -M 77 -m 1").arg(&path);
    let (nc, trace) = Trace::of(nc, CALLS);
    let nc = nc.start();
    nc.says("Listening on ");
    drop(std::os::unix::net::UnixStream::connect(&path).unwrap());
    nc.ends().exits(0).complained_of_nothing();
    let calls = trace.calls();
    let set: Vec<&str> = calls
        .iter()
        .filter_map(|call| call.strip_prefix("setsockopt(")?.split_once(", "))
        .map(|(_, call)| call)
        .collect();
    let alike = matches!(&*set, [receive, send]
        if receive.starts_with("SOL_SOCKET, SO_RCVBUF, [20000]")
            && send.starts_with("SOL_SOCKET, SO_SNDBUF, [30000]"));
    assert!(alike, "{set:#?}");
}

const V4: &str = "127.0.0.1";

const V6: &str = "::1";

const CALLS: &str = "socket,setsockopt,bind,connect,listen";

/// What every socket of ours may have; asked for by no option. Room for datagrams is forced or not.
const OURS: [&str; 6] = [
    "SO_REUSEADDR",
    "SO_REUSEPORT",
    "TCP_NOTSENT_LOWAT",
    "IPV6_V6ONLY",
    "SO_RCVBUFFORCE, [4194304]",
    "SO_RCVBUF, [4194304]",
];

/// behaviour of netcat-openbsd 1.219; RFC 2474, RFC 2597, RFC 3246, RFC 1349.
const TOS: [(&str, u8); 34] = [
    ("af11", 40),
    ("af12", 48),
    ("af13", 56),
    ("af21", 72),
    ("af22", 80),
    ("af23", 88),
    ("af31", 104),
    ("af32", 112),
    ("af33", 120),
    ("af41", 136),
    ("af42", 144),
    ("af43", 152),
    ("critical", 160),
    ("cs0", 0),
    ("cs1", 32),
    ("cs2", 64),
    ("cs3", 96),
    ("cs4", 128),
    ("cs5", 160),
    ("cs6", 192),
    ("cs7", 224),
    ("ef", 184),
    ("inetcontrol", 192),
    ("lowcost", 2),
    ("lowdelay", 16),
    ("netcontrol", 224),
    ("reliability", 4),
    ("throughput", 8),
    ("0", 0),
    ("255", 255),
    ("16", 16),
    ("0x1f", 31),
    ("0xff", 255),
    ("0x", 0),
];
