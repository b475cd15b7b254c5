//! On real sockets: what is asked for is there when it is read back, and nothing else is touched.

#![expect(clippy::disallowed_methods, reason = "sockets of a test explain nothing")]

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;

use nix::sys::socket::GetSockOpt;
use socket2::{Domain, Protocol, Type};

use super::table::{kernel, whole};
use super::*;
use crate::explain::Step;
use crate::sys::calls::Setting;

/// One of each kind of IP socket, with an address of its family.
fn each_ip_socket() -> Vec<(Socket, SockAddr, Role)> {
    let mut sockets = Vec::new();
    for ip in LOOPBACKS {
        for role in [Role::Connect, Role::Listen] {
            sockets.push((tcp(ip), address(ip), role));
        }
        sockets.push((udp(ip), address(ip), Role::Datagram));
    }
    sockets
}

fn tcp(ip: IpAddr) -> Socket {
    Socket::new(Domain::for_address((ip, 0).into()), Type::STREAM, Some(Protocol::TCP))
        .expect("a socket")
}

fn udp(ip: IpAddr) -> Socket {
    Socket::new(Domain::for_address((ip, 0).into()), Type::DGRAM, Some(Protocol::UDP))
        .expect("a socket")
}

fn address(ip: impl Into<IpAddr>) -> SockAddr {
    SocketAddr::new(ip.into(), 0).into()
}

fn unix() -> SockAddr {
    SockAddr::unix("/tmp/none").expect("short")
}

fn read<O: GetSockOpt>(socket: &Socket, option: O) -> O::Val
where
    O::Val: Sized,
{
    option.get(socket).expect("an option that can be read")
}

fn key(text: &str) -> Md5Key {
    Md5Key::new(text.as_bytes()).expect("a key of legal length")
}

fn everything() -> Options {
    Options {
        broadcast: true,
        md5_key: Some(key("secret")),
        debug: true,
        tos: Some(16),
        recv_buffer: Some(40_000),
        send_buffer: Some(50_000),
        ttl: Some(9),
        no_loop: true,
        min_ttl: Some(7),
        keepalive: Some(Keepalive { seconds: Some(30) }),
        nodelay: true,
        interface: Some("lo".to_owned()),
        mark: Some(5),
        fast_open: true,
        user_timeout: Some(Duration::from_secs(3)),
        congestion: Some("reno".to_owned()),
    }
}

/// The calls that would be made, in order. They are made on something that is no socket, so each one
/// fails; an option that is not asked for has no call to fail.
fn calls(options: &Options, address: &SockAddr, role: Role) -> Vec<&'static str> {
    let nothing = Socket::from(OwnedFd::from(File::open("/dev/null").expect("/dev/null")));
    let mut names = Vec::new();
    for row in TABLE.iter().filter(|row| row.scope.covers(address, role)) {
        if let Some(value) = row.value.asked(options) {
            let error = value.set(&nothing, address).expect_err("no socket");
            assert_eq!(error.raw_os_error(), Some(libc::ENOTSOCK), "{}", row.name);
            names.push(row.name);
        }
    }
    names
}

#[test]
fn nothing_asked_for_makes_no_call() {
    for (_, address, role) in each_ip_socket() {
        assert_eq!(calls(&Options::default(), &address, role), [""; 0]);
    }
    assert_eq!(calls(&Options::default(), &unix(), Role::Connect), [""; 0]);
}

#[test]
fn the_order_is_debians_then_ours() {
    let client = |ip: IpAddr| calls(&everything(), &address(ip), Role::Connect).join(" ");
    assert_eq!(
        client(LOOPBACKS[0]),
        "SO_BROADCAST TCP_MD5SIG_EXT SO_DEBUG IP_TOS SO_RCVBUF SO_SNDBUF IP_TTL IP_MINTTL \
         SO_BINDTODEVICE SO_MARK SO_KEEPALIVE TCP_KEEPIDLE TCP_KEEPINTVL TCP_NODELAY \
         TCP_USER_TIMEOUT TCP_CONGESTION TCP_FASTOPEN_CONNECT"
    );
    assert_eq!(
        client(LOOPBACKS[1]),
        "SO_BROADCAST TCP_MD5SIG_EXT SO_DEBUG IPV6_TCLASS SO_RCVBUF SO_SNDBUF IPV6_UNICAST_HOPS \
         IPV6_MINHOPCOUNT SO_BINDTODEVICE SO_MARK SO_KEEPALIVE TCP_KEEPIDLE TCP_KEEPINTVL \
         TCP_NODELAY TCP_USER_TIMEOUT TCP_CONGESTION TCP_FASTOPEN_CONNECT"
    );
}

#[test]
fn a_listener_differs_from_a_client_in_fast_open_only() {
    for ip in LOOPBACKS {
        let mut client = calls(&everything(), &address(ip), Role::Connect);
        let mut listener = calls(&everything(), &address(ip), Role::Listen);
        assert_eq!(client.pop(), Some("TCP_FASTOPEN_CONNECT"));
        assert_eq!(listener.pop(), Some("TCP_FASTOPEN"));
        assert_eq!(client, listener);
    }
}

#[test]
fn a_dual_stack_listener_has_a_key_for_either_family() {
    let options = Options { md5_key: Some(key("secret")), ..Options::default() };
    let on_all = calls(&options, &address(Ipv6Addr::UNSPECIFIED), Role::Listen);
    assert_eq!(on_all, ["TCP_MD5SIG_EXT", "TCP_MD5SIG_EXT"]);
}

#[test]
fn datagrams_have_no_options_of_tcp() {
    let to = |ip: IpAddr| calls(&everything(), &address(ip), Role::Datagram).join(" ");
    assert_eq!(
        to(LOOPBACKS[0]),
        "SO_BROADCAST SO_DEBUG IP_TOS SO_RCVBUF SO_SNDBUF IP_TTL IP_MINTTL IP_MULTICAST_LOOP \
         SO_BINDTODEVICE SO_MARK"
    );
    assert_eq!(
        to(LOOPBACKS[1]),
        "SO_BROADCAST SO_DEBUG IPV6_TCLASS SO_RCVBUF SO_SNDBUF IPV6_UNICAST_HOPS IPV6_MINHOPCOUNT \
         IPV6_MULTICAST_LOOP SO_BINDTODEVICE SO_MARK"
    );
}

#[test]
fn to_a_group_the_ttl_is_the_groups_too() {
    let options = Options { ttl: Some(9), ..Options::default() };
    let v4 = Ipv4Addr::new(239, 1, 2, 3);
    let v6 = Ipv6Addr::new(0xff05, 0, 0, 0, 0, 0, 0, 1);
    assert_eq!(calls(&options, &address(v4), Role::Datagram), ["IP_TTL", "IP_MULTICAST_TTL"]);
    assert_eq!(
        calls(&options, &address(v6), Role::Datagram),
        ["IPV6_UNICAST_HOPS", "IPV6_MULTICAST_HOPS"]
    );

    let socket = udp(v4.into());
    options.apply(&socket, &address(v4), Role::Datagram).expect("no privilege needed");
    assert_eq!(socket.multicast_ttl_v4().expect("read"), 9);
    let socket = udp(v6.into());
    options.apply(&socket, &address(v6), Role::Datagram).expect("no privilege needed");
    assert_eq!(socket.multicast_hops_v6().expect("read"), 9);
}

#[test]
fn unix_and_vsock_have_buffers_only() {
    for other in [unix(), SockAddr::vsock(1, 4004)] {
        for role in [Role::Connect, Role::Listen, Role::Datagram] {
            assert_eq!(calls(&everything(), &other, role), ["SO_RCVBUF", "SO_SNDBUF"]);
        }
    }
    let socket = Socket::new(Domain::UNIX, Type::DGRAM, None).expect("a socket");
    everything().apply(&socket, &unix(), Role::Datagram).expect("no privilege needed");
    assert_eq!(socket.send_buffer_size().expect("read"), 2 * 50_000);
    assert!(!socket.broadcast().expect("read"));
}

#[test]
fn what_any_user_may_set_is_set_on_every_ip_socket() {
    let unprivileged = Options { debug: false, mark: None, ..everything() };
    for (socket, address, role) in each_ip_socket() {
        unprivileged.apply(&socket, &address, role).expect("no privilege needed");

        assert!(socket.broadcast().expect("read"));
        assert_eq!(socket.recv_buffer_size().expect("read"), 2 * 40_000);
        assert_eq!(socket.send_buffer_size().expect("read"), 2 * 50_000);
        assert_eq!(socket.device().expect("read").as_deref(), Some(&b"lo"[..]));
        if address.is_ipv4() {
            assert_eq!(socket.tos_v4().expect("read"), 16);
            assert_eq!(socket.ttl_v4().expect("read"), 9);
            assert_eq!(read(&socket, kernel::MinTtl), 7);
        } else {
            assert_eq!(socket.tclass_v6().expect("read"), 16);
            assert_eq!(socket.unicast_hops_v6().expect("read"), 9);
            assert_eq!(read(&socket, kernel::MinHopCount), 7);
        }
        if role == Role::Datagram {
            continue;
        }
        assert_streams_options(&socket);
        match role {
            Role::Connect => assert!(read(&socket, kernel::FastOpenConnect)),
            Role::Listen | Role::Datagram => assert_eq!(read(&socket, kernel::FastOpen), 128),
        }
    }
}

#[track_caller]
fn assert_streams_options(socket: &Socket) {
    assert!(socket.keepalive().expect("read"));
    assert_eq!(read(socket, kernel::KeepIdle), 30);
    assert_eq!(read(socket, kernel::KeepInterval), 30);
    assert!(socket.tcp_nodelay().expect("read"));
    assert_eq!(socket.tcp_user_timeout().expect("read"), Some(Duration::from_secs(3)));
    let congestion = socket.tcp_congestion().expect("read");
    assert_eq!(congestion.split(|byte| *byte == 0).next(), Some(&b"reno"[..]));
}

#[test]
fn each_option_leaves_the_others_alone() {
    let socket = tcp(LOOPBACKS[0]);
    let before = socket.ttl_v4().expect("read");
    let options = Options { nodelay: true, ..Options::default() };
    options.apply(&socket, &address(LOOPBACKS[0]), Role::Connect).expect("no privilege needed");
    assert!(socket.tcp_nodelay().expect("read"));
    assert!(!socket.keepalive().expect("read"));
    assert!(!socket.broadcast().expect("read"));
    assert_eq!(socket.ttl_v4().expect("read"), before);
}

#[test]
fn keepalive_without_a_time_leaves_the_times_to_the_system() {
    let options = Options { keepalive: Some(Keepalive::default()), ..Options::default() };
    let names = calls(&options, &address(LOOPBACKS[0]), Role::Connect);
    assert_eq!(names, ["SO_KEEPALIVE"]);
}

#[test]
fn a_user_timeout_is_rounded_up_to_milliseconds() {
    for (asked, set) in [(1, 1), (999_999, 1), (1_000_000, 1), (1_000_001, 2)] {
        let socket = tcp(LOOPBACKS[0]);
        let timeout = Some(Duration::from_nanos(asked));
        let options = Options { user_timeout: timeout, ..Options::default() };
        options.apply(&socket, &address(LOOPBACKS[0]), Role::Connect).expect("set");
        let read = socket.tcp_user_timeout().expect("read");
        assert_eq!(read, Some(Duration::from_millis(set)), "{asked} ns");
    }
}

#[test]
fn an_accepted_socket_has_its_listeners_options() {
    let unprivileged = Options { debug: false, mark: None, md5_key: None, ..everything() };
    for ip in LOOPBACKS {
        let listener = listen(ip, &unprivileged);
        let _client = dial(&listener, ip, &Options::default()).expect("connected");
        let (accepted, _) = listener.accept().expect("a connection is there");

        assert_streams_options(&accepted);
        assert!(accepted.broadcast().expect("read"));
        assert_eq!(accepted.device().expect("read").as_deref(), Some(&b"lo"[..]));
        if ip.is_ipv4() {
            assert_eq!(accepted.tos_v4().expect("read"), 16);
            assert_eq!(accepted.ttl_v4().expect("read"), 9);
            assert_eq!(read(&accepted, kernel::MinTtl), 7);
        } else {
            assert_eq!(accepted.tclass_v6().expect("read"), 16);
            assert_eq!(accepted.unicast_hops_v6().expect("read"), 9);
            assert_eq!(read(&accepted, kernel::MinHopCount), 7);
        }
    }
}

#[test]
fn packets_below_the_least_ttl_are_dropped() {
    for ip in LOOPBACKS {
        let listener = listen(ip, &Options { min_ttl: Some(100), ..Options::default() });
        let far = Options { ttl: Some(99), ..Options::default() };
        assert_eq!(dial(&listener, ip, &far).expect_err("dropped").kind(), TIMED_OUT);
        let near = Options { ttl: Some(100), ..Options::default() };
        dial(&listener, ip, &near).expect("connected");
    }
}

#[test]
fn a_signed_connection_takes_the_same_key_at_both_ends() {
    let any_v4 = IpAddr::from(Ipv4Addr::UNSPECIFIED);
    let any_v6 = IpAddr::from(Ipv6Addr::UNSPECIFIED);
    let [v4, v6] = LOOPBACKS;
    for (at, to) in [(v4, v4), (v6, v6), (any_v4, v4), (any_v6, v6), (any_v6, v4)] {
        let signed = Options { md5_key: Some(key("secret")), ..Options::default() };
        let listener = listen(at, &signed);
        let client = dial(&listener, to, &signed).expect("connected");
        let (accepted, _) = listener.accept().expect("a connection is there");
        assert_eq!(accepted.send(b"signed").expect("sent"), 6);
        assert_eq!(io::Read::read(&mut &client, &mut [0; 9]).expect("received"), 6);

        let other = Options { md5_key: Some(key("secreT")), ..Options::default() };
        assert_eq!(dial(&listener, to, &other).expect_err("not taken").kind(), TIMED_OUT);
        let none = Options::default();
        assert_eq!(dial(&listener, to, &none).expect_err("not taken").kind(), TIMED_OUT);
    }
}

#[test]
fn a_refused_option_is_named() {
    let refused = |options: &Options| {
        options
            .apply(&tcp(LOOPBACKS[0]), &address(LOOPBACKS[0]), Role::Connect)
            .expect_err("refused")
            .to_string()
    };
    let none = Options::default();
    assert_eq!(
        refused(&Options { ttl: Some(0), ..none.clone() }),
        "cannot set -M (IP_TTL): Invalid argument"
    );
    assert_eq!(
        refused(&Options { interface: Some("nosuch0".to_owned()), ..none.clone() }),
        "cannot set --interface (SO_BINDTODEVICE): No such device"
    );
    assert_eq!(
        refused(&Options { congestion: Some("nosuch".to_owned()), ..none.clone() }),
        "cannot set --congestion (TCP_CONGESTION): No such file or directory"
    );
    let keepalive = Some(Keepalive { seconds: Some(0) });
    assert_eq!(
        refused(&Options { keepalive, ..none }),
        "cannot set --keepalive (TCP_KEEPIDLE): Invalid argument"
    );
}

#[test]
fn a_name_the_kernel_would_cut_is_refused_by_us() {
    assert_eq!(whole("exactly15-bytes", libc::ENODEV).expect("fits").len(), 15);
    for name in ["", "sixteen-bytes-no"] {
        let error = whole(name, libc::ENODEV).expect_err("does not fit");
        assert_eq!(error.raw_os_error(), Some(libc::ENODEV));
    }
}

#[test]
#[ignore = "needs root"]
fn what_root_alone_may_set_is_set_on_every_ip_socket() {
    let options = Options { debug: true, mark: Some(5), ..Options::default() };
    for (socket, address, role) in each_ip_socket() {
        options.apply(&socket, &address, role).expect("root may");
        assert!(read(&socket, kernel::Debug));
        assert_eq!(socket.mark().expect("read"), 5);
    }
}

#[test]
fn debugging_is_for_root_and_refused_to_others_by_name() {
    let socket = tcp(LOOPBACKS[0]);
    let options = Options { debug: true, ..Options::default() };
    match options.apply(&socket, &address(LOOPBACKS[0]), Role::Connect) {
        Ok(()) => assert!(read(&socket, kernel::Debug)),
        Err(error) => {
            assert_eq!(error.to_string(), "cannot set -D (SO_DEBUG): Permission denied");
        }
    }
}

#[test]
fn a_key_is_1_to_80_bytes_and_never_shown() {
    assert_eq!(Md5Key::new(b""), None);
    assert_eq!(Md5Key::new(&[b'x'; 81]), None);
    assert!(Md5Key::new(&[b'x'; 80]).is_some());
    assert_ne!(key("a"), key("b"));
    assert_ne!(key("a"), key("a\0"));
    let shown = format!("{:?}", everything());
    assert!(shown.contains("Md5Key(Secret(..))"), "{shown}");
    assert!(!shown.contains("secret"), "{shown}");
}

/// A socket with these options that listens on a port of the kernel's choice.
fn listen(at: IpAddr, options: &Options) -> Socket {
    let listener = tcp(at);
    options.apply(&listener, &address(at), Role::Listen).expect("no privilege needed");
    listener.bind(&address(at)).expect("port 0");
    listener.listen(1).expect("bound");
    listener
}

/// Connects with these options. Loopback does it at once or never.
fn dial(listener: &Socket, to: IpAddr, options: &Options) -> io::Result<Socket> {
    let port = listener.local_addr()?.as_socket().expect("IP").port();
    let socket = tcp(to);
    let to = SocketAddr::new(to, port).into();
    options.apply(&socket, &to, Role::Connect).map_err(|error| error.error)?;
    socket.connect_timeout(&to, Duration::from_millis(100))?;
    Ok(socket)
}

const LOOPBACKS: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

const TIMED_OUT: io::ErrorKind = io::ErrorKind::TimedOut;

/// A sentence names what it is about as the user has typed it, or the value that was asked for.
#[test]
fn every_option_has_its_words_and_is_told_as_it_is_set() {
    let options = everything();
    let told = TABLE.iter().map(|row| {
        let asked = row.value.asked(&options).expect("everything is asked for");
        let (purpose, Setting { level, name, value, len }) = asked.told(row);
        let step = Step::Option { fd: 4, level, name, value, len, purpose, answer: Ok(0) };
        let step = step.to_string();
        let sentence = step.lines().last().expect("a sentence");
        let named = match name {
            "TCP_KEEPIDLE" => "for the first time after 30 s of silence",
            "TCP_KEEPINTVL" => "every 30 s",
            "TCP_USER_TIMEOUT" => "--user-timeout: 3000 ms",
            _ => row.option,
        };
        assert!(sentence.contains(named) && sentence.ends_with('.'), "{named}: {sentence}");
        let call = step.lines().next().expect("a call");
        call["setsockopt(4, ".len()..].replace(") = 0", "")
    });
    assert_eq!(
        told.collect::<Vec<_>>(),
        [
            "SOL_SOCKET, SO_BROADCAST, [1], 4",
            "SOL_TCP, TCP_MD5SIG_EXT, ..., 216",
            "SOL_TCP, TCP_MD5SIG_EXT, ..., 216",
            "SOL_SOCKET, SO_DEBUG, [1], 4",
            "SOL_IP, IP_TOS, [16], 4",
            "SOL_IPV6, IPV6_TCLASS, [16], 4",
            "SOL_SOCKET, SO_RCVBUF, [40000], 4",
            "SOL_SOCKET, SO_SNDBUF, [50000], 4",
            "SOL_IP, IP_TTL, [9], 4",
            "SOL_IPV6, IPV6_UNICAST_HOPS, [9], 4",
            "SOL_IP, IP_MINTTL, [7], 4",
            "SOL_IPV6, IPV6_MINHOPCOUNT, [7], 4",
            "SOL_IP, IP_MULTICAST_TTL, [9], 4",
            "SOL_IPV6, IPV6_MULTICAST_HOPS, [9], 4",
            "SOL_IP, IP_MULTICAST_LOOP, [0], 4",
            "SOL_IPV6, IPV6_MULTICAST_LOOP, [0], 4",
            "SOL_SOCKET, SO_BINDTODEVICE, \"lo\", 2",
            "SOL_SOCKET, SO_MARK, [5], 4",
            "SOL_SOCKET, SO_KEEPALIVE, [1], 4",
            "SOL_TCP, TCP_KEEPIDLE, [30], 4",
            "SOL_TCP, TCP_KEEPINTVL, [30], 4",
            "SOL_TCP, TCP_NODELAY, [1], 4",
            "SOL_TCP, TCP_USER_TIMEOUT, [3000], 4",
            "SOL_TCP, TCP_CONGESTION, \"reno\", 4",
            "SOL_TCP, TCP_FASTOPEN_CONNECT, [1], 4",
            "SOL_TCP, TCP_FASTOPEN, [128], 4",
        ]
    );
}
