use std::net::SocketAddr;

use super::*;

fn call(step: &Step<'_>) -> String {
    let text = step.to_string();
    text.split_once('\n').expect("two parts").0.to_owned()
}

fn sentence(step: &Step<'_>) -> String {
    let text = step.to_string();
    text.split_once('\n').expect("two parts").1.to_owned()
}

fn ip(text: &str) -> Place {
    let at: SocketAddr = text.parse().expect("an address");
    Place::new(Some(at.into()), format!("{} port {}", at.ip(), at.port()))
}

fn vsock(cid: u32) -> Place {
    Place::new(Some(socket2::SockAddr::vsock(cid, 80)), format!("vsock {cid} port 80"))
}

fn unix(name: &str) -> Place {
    Place::new(Some(socket2::SockAddr::unix(name).expect("short")), "a name".to_owned())
}

#[test]
fn addresses_are_as_strace_shows_them() {
    let bind = |at| call(&Step::BindToListen { fd: 4, at, answer: Ok(0) });
    assert_eq!(
        bind(ip("[::1]:80")),
        "bind(4, {sa_family=AF_INET6, sin6_port=htons(80), sin6_flowinfo=htonl(0), \
         inet_pton(AF_INET6, \"::1\", &sin6_addr), sin6_scope_id=0}, 28) = 0"
    );
    let at = "[fe80::1%7]:80".parse::<SocketAddr>().expect("an address");
    let zoned = Place::new(Some(at.into()), "fe80::1%eth0 port 80".to_owned());
    let step = Step::BindToListen { fd: 4, at: zoned, answer: Ok(0) };
    assert!(call(&step).contains("sin6_scope_id=if_nametoindex(\"eth0\")}, 28)"), "{step}");
    assert!(sentence(&step).contains("own address: fe80::1%eth0, and no other"), "{step}");
    let bind_unix = |name: &str| bind(unix(name));
    assert_eq!(bind_unix("/s"), "bind(4, {sa_family=AF_UNIX, sun_path=\"/s\"}, 5) = 0");
    assert_eq!(bind_unix("\0s"), "bind(4, {sa_family=AF_UNIX, sun_path=@\"s\"}, 4) = 0");
}

#[test]
fn a_failure_has_its_errno_and_its_sentence() {
    let step = Step::BindToListen { fd: 4, at: ip("0.0.0.0:80"), answer: Err(libc::EADDRINUSE) };
    assert!(call(&step).ends_with(" = -1 EADDRINUSE (Address already in use)"), "{step}");
    assert!(sentence(&step).starts_with("Another socket has this address"), "{step}");
    let step = Step::Pending { fd: 6, errno: libc::ECONNREFUSED };
    assert!(call(&step).contains("SO_ERROR, [ECONNREFUSED], [4]) = 0"), "{step}");
    assert!(sentence(&step).contains("errno 111. The SYN was answered by a RST"), "{step}");
}

#[test]
fn a_name_that_is_taken_and_a_connection_that_cannot_be_have_words_of_their_own() {
    let taken = |at| sentence(&Step::BindToListen { fd: 4, at, answer: Err(libc::EADDRINUSE) });
    assert!(taken(unix("/s")).starts_with("Something has this name already: a file, or"));
    assert!(taken(vsock(1)).starts_with("Another socket has this address."));
    let connect = |errno| {
        let (to, how) = (ip("[2001:db8::1]:1"), Connecting::Stream);
        sentence(&Step::Connect { fd: 4, to, how, answer: Err(errno) })
    };
    for errno in [libc::ENETUNREACH, libc::EHOSTUNREACH, libc::EACCES, libc::EINVAL] {
        assert!(connect(errno).starts_with(|c: char| c.is_ascii_uppercase()), "{errno}");
    }
}

#[test]
fn vsock_has_no_syn_and_the_names_that_strace_has() {
    let (how, answer) = (Connecting::Stream, Err(libc::EINPROGRESS));
    let step = Step::Connect { fd: 4, to: vsock(2), how, answer };
    assert!(
        call(&step).contains("svm_cid=VMADDR_CID_HOST, svm_port=0x50, svm_flags=0}, 16)"),
        "{step}"
    );
    for told in [step.to_string(), Shorter(&step).to_string()] {
        assert!(told.contains("request is on its way") && !told.contains("SYN"), "{told}");
    }
    let step = Step::BindToListen { fd: 4, at: vsock(77), answer: Ok(0) };
    assert!(call(&step).contains("svm_cid=0x4d,"), "{step}");
}

#[test]
fn a_wildcard_of_ipv6_depends_on_a_setting() {
    let told = |at| sentence(&Step::BindToListen { fd: 4, at: ip(at), answer: Ok(0) });
    assert!(told("[::]:80").contains("IPv4 too unless net.ipv6.bindv6only is 1, and port 80"));
    assert!(
        told("0.0.0.0:80").contains("which is every IPv4 address of this machine, and port 80")
    );
}

#[test]
fn who_gets_a_shared_port_is_told() {
    let told =
        |ours: &str, other: &str| sentence(&Step::Neighbour { ours: ip(ours), other: ip(other) });
    assert!(told("0.0.0.0:4", "0.0.0.0:4").contains("dealt to one of the two"));
    let exact = told("127.0.0.1:4", "0.0.0.0:4");
    assert!(exact.ends_with("clients of 127.0.0.1 come here."), "{exact}");
    let exact = told("0.0.0.0:4", "127.0.0.1:4");
    assert!(exact.ends_with("clients of 127.0.0.1 come there."), "{exact}");
}

#[test]
fn no_step_has_a_control_character() {
    let hostile = "\u{1b}]0;x\u{7}\n";
    for step in [
        Step::LookedUp { host: hostile, found: vec!["::1".to_owned()] },
        Step::Unlink { path: hostile.to_owned(), dead: true },
        Step::BindToListen { fd: 4, at: unix(hostile), answer: Ok(0) },
        Step::Proxy { proxy: hostile.to_owned(), protocol: "SOCKS5", target: hostile.to_owned() },
    ] {
        let text = step.to_string();
        let controls = text.chars().filter(|c| c.is_control()).count();
        assert_eq!(controls, 1, "the line feed between the two: {text:?}");
    }
}

#[test]
fn a_kind_that_is_told_otherwise_again_has_a_bit_of_its_own() {
    let sleep = Step::Sleep { fd: 3, most: 256, timeout: -1 }.repetition();
    let accept = |answer| Step::Accept { fd: 4, peer: Place::default(), answer };
    let (nobody, client) = (accept(Err(libc::EAGAIN)), accept(Ok(5)));
    let bits = [sleep.0, nobody.repetition().0, client.repetition().0];
    assert!(bits.iter().all(|bit| bit.is_power_of_two()), "{bits:?}");
    assert_eq!(bits.iter().sum::<u32>().count_ones(), 3, "{bits:?}");
    assert_eq!(sleep.1, Repetition::Silent);
    assert_eq!(client.repetition().1, Repetition::Short);
    let shorter = Shorter(&client).to_string();
    assert!(shorter.starts_with(&call(&client)) && shorter.len() < client.to_string().len());
}

/// The value says nothing of the reason: `-I 4194304` is not the queue that we give to UDP.
#[test]
fn a_receive_buffer_is_told_by_whoever_wants_it() {
    let told = |purpose| {
        let (level, value) = (libc::SOL_SOCKET, "[4194304]".to_owned());
        let answer = Ok(0);
        sentence(&Step::Option { fd: 4, level, name: "SO_RCVBUF", value, len: 4, purpose, answer })
    };
    assert!(told(Purpose::ReceiveBuffer).starts_with("-I: "));
    assert!(told(Purpose::Queue { bytes: 4 << 20 }).contains("let there be 4 MiB"));
}
