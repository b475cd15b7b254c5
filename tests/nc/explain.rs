//! `--explain`: each step's sentence, held against a file of them, and each step's call, held against
//! strace. What the sentences are in `tests/nc/explain.txt` is what users read; after a change of words
//!
//! ```sh
//! EXPLAIN=update cargo test --test nc explain::
//! ```
//! rewrites it, and then it wants to be read.

use std::env;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use regex_lite::Regex;
use rustix::process::Signal;

use crate::support::places::alone;
use crate::support::proxies::{Kind, plays, through};
use crate::support::strace::Trace;
use crate::support::{
    ClosedPort, Datagrams, Finished, Nc, Peer, Ports, RefusingPort, Running, Server, noise,
};

/// The lives that are told in full.
const LIVES: [(&str, Life); 15] = [
    ("a listener", listener),
    ("a listener that goes on", keep_open),
    ("a listener that was scanned", scanned),
    ("a listener beside another", two_listeners),
    ("a listener that wants a port for itself", exclusive),
    ("a client", client),
    ("a client that tells its end", half_close),
    ("a client that is refused", refused),
    ("a client that is reset", reset),
    ("a client with options for its socket", socket_options),
    ("a scan", scan),
    ("a listener over UDP", udp_listener),
    ("a client over UDP", udp_client),
    ("both ends over UNIX sockets", unix),
    ("telnet", telnet),
];

#[test]
#[cfg_attr(mio_unsupported_force_poll_poll, ignore = "it is told of epoll")]
fn each_life_is_told_as_in_the_book() {
    let lives = LIVES.map(|(name, live)| format!("== {name}\n\n{}\n", live(Tried::Alone)));
    let told = lives.concat();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/nc/explain.txt");
    if env::var_os("EXPLAIN").is_some_and(|value| value == "update") {
        fs::write(path, told).unwrap();
        return;
    }
    let book = fs::read_to_string(path).unwrap();
    for (told, book) in told.lines().zip(book.lines()) {
        assert_eq!(told, book, "tests/nc/explain.txt is stale: EXPLAIN=update rewrites it");
    }
    assert_eq!(told.len(), book.len(), "tests/nc/explain.txt is stale: EXPLAIN=update rewrites it");
}

#[test]
#[ignore = "needs strace and root"]
fn every_step_is_explained_with_the_call_that_strace_sees() {
    let mut compared = 0;
    for (name, live) in LIVES.into_iter().chain(MORE) {
        let trace = std::cell::RefCell::new(Vec::new());
        let told = live(Tried::Traced(&trace));
        let traces = trace.take();
        let calls: Vec<String> =
            traces.iter().flat_map(Trace::calls).map(|call| bare(&call)).collect();
        let calls: Vec<_> = calls.iter().filter(|call| is_a_step(call)).collect();
        let explained: Vec<_> = told
            .lines()
            .filter(|line| !line.starts_with(' '))
            .map(bare)
            .filter(|line| is_a_step(line))
            .collect();
        assert_eq!(explained.iter().collect::<Vec<_>>(), calls, "{name}");
        assert!(calls.len() > 1, "{name} made no calls");
        compared += calls.len();
    }
    assert!(compared > 100, "only {compared} calls were compared");
}

#[test]
fn nothing_is_explained_unasked() {
    let closed = ClosedPort::reserve();
    let end = Nc::new(format!("127.0.0.1 {}", closed.port())).start().ends();
    assert_eq!(end.stderr.lines().count(), 1, "{}", end.stderr);
}

#[test]
fn words_from_outside_are_escaped_and_passwords_kept() {
    let end = Nc::new("--explain -U").arg("/nowhere/h\u{202e}").start().ends();
    let shown = end.exits(1).stderr.matches("/nowhere/h\\u{202e}").count();
    assert!(shown >= 2 && !end.stderr.contains('\u{202e}'), "{}", end.stderr);
    let server = Server::start();
    let nc = through(Kind::Socks5, &server, "--explain --proxy-auth joe:secret", "h.example");
    let nc = nc.start();
    let mut peer = server.accepts();
    peer.receives(b"\x05\x02\x00\x02");
    peer.sends(b"\x05\x02");
    peer.receives(b"\x01\x03joe\x06secret");
    drop(peer);
    let end = nc.ends();
    let told = bare(&end.exits(1).stderr);
    assert!(told.contains("SOCKS5 to connect to h.example port"), "{told}");
    assert!(!end.stderr.contains("secret"), "{}", end.stderr);
}

/// Bytes that the kernel moves by itself break off as others do, and an end that is only looked at has its flag.
#[test]
fn what_splice_meets_is_explained() {
    let server = Server::start();
    let dir = tempfile::tempdir().unwrap();
    let bulk = dir.path().join("bulk");
    fs::write(&bulk, noise(660, 32 << 20)).unwrap();
    let args = format!("--explain 127.0.0.1 {}", server.port());
    let nc = Nc::new(args).stdin(fs::File::open(bulk).unwrap()).start();
    let peer = server.accepts();
    peer.finishes();
    nc.says("The other direction has an end of its own");
    peer.resets();
    let end = nc.ends();
    let told = bare(&end.exits(1).stderr);
    let broken =
        Regex::new(r"splice\(\d+, NULL, \d+, NULL, \.\.\.\) = -1 EPIPE .* Nobody reads there")
            .unwrap();
    assert!(broken.is_match(&told), "{told}");

    let dir = tempfile::tempdir().unwrap();
    let (nc, port) = Nc::new("-ld --explain")
        .stdout(fs::File::create(dir.path().join("out")).unwrap())
        .listens();
    let mut peer = Peer::connect(port);
    nc.says("accept4(");
    // All of it is there when it is looked for, and the end right behind.
    nc.signal(Signal::STOP);
    peer.sends(&noise(661, 512 << 10));
    peer.finishes();
    nc.signal(Signal::CONT);
    let end = nc.ends();
    let told = bare(&end.exits(0).stderr);
    let ended =
        Regex::new(r#"recvfrom\(\d+, "", 1, MSG_PEEK\|MSG_DONTWAIT, NULL, NULL\) = 0"#).unwrap();
    assert!(ended.is_match(&told), "{told}");
}

/// The words to a proxy are no payload, and with it alone nothing is relayed.
#[test]
fn what_a_proxy_is_told_is_not_counted() {
    let server = Server::start();
    let nc = through(Kind::Socks5, &server, "--explain", "h.example").start();
    let mut peer = server.accepts();
    peer.receives(b"\x05\x01\x00");
    peer.sends(b"\x05\xff");
    drop(peer);
    let told = bare(&nc.ends().exits(1).stderr);
    assert!(!told.contains("The kernel has taken") && !told.contains(" received."), "{told}");

    let mut nc =
        Nc::new(format!("--explain -X 5 -x 127.0.0.1:{} 192.0.2.1 7", server.port())).start();
    let mut peer = server.accepts();
    plays(&mut peer, &Kind::Socks5.dialogue("192.0.2.1", 7));
    nc.types(b"hello\n");
    peer.receives(b"hello\n");
    nc.ends_input();
    drop(peer);
    let told = bare(&nc.ends().stderr);
    assert_eq!(told.matches("The kernel has taken").count(), 1, "{told}");
    assert!(told.contains("The kernel has taken the first 6 bytes"), "{told}");
    assert!(told.contains("6 bytes sent, 0 bytes received."), "{told}");
}

/// Only a connection that was made leaves a local port behind.
#[test]
fn a_port_that_refuses_needs_no_reset() {
    let closed = ClosedPort::reserve();
    let local = ClosedPort::reserve().port();
    let end =
        Nc::new(format!("--explain -z -p {local} 127.0.0.1 {}", closed.port())).start().ends();
    let told = bare(&end.exits(1).stderr);
    assert!(told.contains("ECONNREFUSED") && !told.contains("SO_LINGER"), "{told}");
    let server = Server::start();
    let end =
        Nc::new(format!("--explain -z -p {local} 127.0.0.1 {}", server.port())).start().ends();
    let told = bare(&end.exits(0).stderr);
    assert!(told.contains("SO_LINGER") && told.contains("finds it reset."), "{told}");
    assert!(!told.contains("returns 0: end of file"), "{told}");
}

/// Of what one socket sends to many, the first datagram to each.
#[test]
fn each_of_many_is_told_once() {
    let (mut nc, port) = Nc::new("-luk --explain").binds();
    for _ in 0..2 {
        let peer = Datagrams::connect(port);
        peer.sends(b"hello\n");
        nc.says(&format!("somebody new: 127.0.0.1 port {}.", peer.port()));
        for line in [b"one\n", b"two\n"] {
            nc.types(line);
            peer.receives(line);
        }
        nc.says(&format!("One datagram, to 127.0.0.1 port {}.", peer.port()));
    }
    nc.signal(rustix::process::Signal::TERM);
    let told = bare(&nc.ends().stderr);
    assert_eq!(told.matches("One datagram, to").count(), 2, "{told}");
}

/// Lives it, and says what was told.
type Life = fn(Tried<'_>) -> String;

/// How a life is lived.
#[derive(Clone, Copy)]
enum Tried<'a> {
    Alone,
    /// With the calls that are steps traced.
    Traced(&'a std::cell::RefCell<Vec<Trace>>),
}

impl Tried<'_> {
    /// The program with `--explain`, and its descriptors from 3 on.
    fn nc(self, args: impl AsRef<str>) -> Nc {
        let nc = Nc::new(args).arg("--explain");
        let nc = match self {
            Self::Alone => nc,
            Self::Traced(traces) => {
                let (nc, trace) = Trace::of(nc, STEPS);
                traces.borrow_mut().push(trace);
                nc
            }
        };
        nc.redirected("3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-")
    }

    /// What was told, with names for ports. For comparison with strace it stays as it is.
    fn normal(self, told: &str, ports: &[u16]) -> String {
        let mut text = told.to_owned();
        if let Self::Alone = self {
            for (number, port) in ports.iter().enumerate() {
                // As long as the number, so that lines break at the same words.
                text = text.replace(&port.to_string(), &format!("PORT{}", number + 1));
            }
            // Where the test does not know it.
            let other = Regex::new(r"\b(3[2-9]|[45]\d|60)\d{3}\b").unwrap();
            text = other.replace_all(&text, "PORTn").into_owned();
            let most = Regex::new(r"(epoll_wait\(3, \.\.\., 256), \d+\)").unwrap();
            text = most.replace_all(&text, "$1, MS)").into_owned();
        }
        text
    }
}

fn listener(tried: Tried<'_>) -> String {
    let (nc, port) = tried.nc("-l").listens();
    converses(tried, nc, Peer::connect(port), &[port])
}

fn keep_open(tried: Tried<'_>) -> String {
    let (nc, port) = tried.nc("-lkd").listens();
    let mut peer = Peer::connect(port);
    nc.says("accept4(");
    peer.sends(b"hello\n");
    nc.shows(b"hello\n");
    let other = peer.port();
    peer.finishes();
    peer.receives_eof();
    nc.says("The session is over.");
    nc.signal(Signal::TERM);
    tried.normal(&nc.ends().stderr, &[port, other])
}

fn scanned(tried: Tried<'_>) -> String {
    let (nc, port) = tried.nc("-l").listens();
    Nc::new(format!("-z 127.0.0.1 {port}")).start().ends().exits(0);
    let end = nc.ends();
    tried.normal(&end.exits(0).stderr, &[port])
}

fn two_listeners(tried: Tried<'_>) -> String {
    let (first, port) = Nc::new("-l -v -s 127.0.0.1").listens();
    let (nc, _) = started_on(tried.nc("-l -v -s 127.0.0.1"), port);
    drop(first);
    converses(tried, nc, Peer::connect(port), &[port])
}

fn exclusive(tried: Tried<'_>) -> String {
    let server = Server::start();
    let end = tried.nc("-l --exclusive 127.0.0.1").arg(server.port().to_string()).start().ends();
    tried.normal(&end.exits(1).stderr, &[server.port()])
}

fn client(tried: Tried<'_>) -> String {
    let server = Server::start();
    let mut nc = tried.nc(format!("127.0.0.1 {}", server.port())).start();
    let mut peer = server.accepts();
    nc.types(b"hello\n");
    peer.receives(b"hello\n");
    peer.sends(b"hello yourself\n");
    nc.shows(b"hello yourself\n");
    nc.ends_input();
    nc.says("stdin has ended");
    peer.finishes();
    let end = nc.ends();
    tried.normal(&end.exits(0).stderr, &[server.port(), peer.port()])
}

fn half_close(tried: Tried<'_>) -> String {
    let server = Server::start();
    let nc = tried.nc(format!("-N 127.0.0.1 {}", server.port())).stdin_null().start();
    let mut peer = server.accepts();
    peer.receives_eof();
    peer.finishes();
    let end = nc.ends();
    tried.normal(&end.exits(0).stderr, &[server.port(), peer.port()])
}

fn refused(tried: Tried<'_>) -> String {
    let closed = ClosedPort::reserve();
    let end = tried.nc(format!("127.0.0.1 {}", closed.port())).start().ends();
    tried.normal(&end.exits(1).stderr, &[closed.port()])
}

fn reset(tried: Tried<'_>) -> String {
    let server = Server::start();
    let nc = tried.nc(format!("127.0.0.1 {}", server.port())).start();
    let peer = server.accepts();
    nc.says("getsockname(");
    let port = peer.port();
    peer.resets();
    let end = nc.ends();
    tried.normal(&end.exits(1).stderr, &[server.port(), port])
}

fn socket_options(tried: Tried<'_>) -> String {
    let server = Server::start();
    // As large as what a UDP socket gets unasked, for another reason.
    let options = "-N -I 4194304 --keepalive=5";
    let nc = tried.nc(format!("{options} 127.0.0.1 {}", server.port())).stdin_null().start();
    let mut peer = server.accepts();
    peer.receives_eof();
    peer.finishes();
    let end = nc.ends();
    tried.normal(&end.exits(0).stderr, &[server.port()])
}

fn scan(tried: Tried<'_>) -> String {
    let ports = Ports::reserve(3);
    ports.opens(1);
    let end =
        tried.nc(format!("-nzv --max-parallelism 1 127.0.0.1 {}", ports.range())).start().ends();
    let all: Vec<u16> = ports.all().collect();
    tried.normal(&end.exits(0).stderr, &all)
}

fn udp_listener(tried: Tried<'_>) -> String {
    let (mut nc, port) = tried.nc("-lu -w 1").binds();
    let peer = Datagrams::connect(port);
    peer.sends(b"hello\n");
    nc.shows(b"hello\n");
    nc.types(b"hello yourself\n");
    peer.receives(b"hello yourself\n");
    let end = nc.ends();
    tried.normal(&end.exits(0).stderr, &[port, peer.port()])
}

fn udp_client(tried: Tried<'_>) -> String {
    let refusing = RefusingPort::reserve();
    let mut nc = tried.nc(format!("-u 127.0.0.1 {}", refusing.port())).start();
    nc.types(b"hello\n");
    let end = nc.ends();
    tried.normal(&end.exits(1).stderr, &[refusing.port()])
}

fn unix(tried: Tried<'_>) -> String {
    unix_of(tried, "-U")
}

fn unix_of(tried: Tried<'_>, options: &str) -> String {
    let (_dir, path) = place();
    let listener = tried.nc(format!("-lv {options}")).arg(&path).start();
    listener.says("Listening on ");
    let mut nc = tried.nc(format!("-N {options}")).arg(&path).start();
    nc.types(b"hello\n");
    nc.ends_input();
    let (nc, listener) = (nc.ends(), listener.ends());
    let told = format!("{}\n{}", listener.exits(0).stderr, nc.exits(0).stderr);
    tried.normal(&without_path(&told, &path, tried), &[])
}

fn telnet(tried: Tried<'_>) -> String {
    let (plain, refusing) = (telnet_of(tried, ""), telnet_of(tried, "-t"));
    format!("{plain}\n{refusing}")
}

fn telnet_of(tried: Tried<'_>, options: &str) -> String {
    let server = Server::start();
    let nc = tried.nc(format!("-d {options} 127.0.0.1 {}", server.port())).start();
    let mut peer = server.accepts();
    peer.sends(b"\xff\xfd\x01\xff\xfb\x03login: ");
    nc.says("recvfrom(");
    if options == "-t" {
        peer.receives(b"\xff\xfc\x01\xff\xfe\x03");
    }
    peer.finishes();
    let end = nc.ends();
    tried.normal(&end.exits(0).stderr, &[server.port(), peer.port()])
}

/// Lives whose words are not of interest, for strace.
const MORE: [(&str, Life); 12] = [
    ("records", |tried| unix_of(tried, "--seqpacket")),
    ("an abstract name", |tried| {
        let name = format!("@nc-explain-{}", std::process::id());
        let listener = tried.nc("-lUv").arg(&name).start();
        listener.says("Listening on ");
        let nc = tried.nc("-UN").arg(&name).stdin_null().start().ends();
        format!("{}{}", listener.ends().exits(0).stderr, nc.exits(0).stderr)
    }),
    ("a UNIX client without a listener", |tried| {
        let (_dir, path) = place();
        tried.nc("-U").arg(path).start().ends().exits(1).stderr.clone()
    }),
    ("a socket file that nobody has open", |tried| {
        let (_dir, path) = place();
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let nc = tried.nc("-lUv").arg(&path).start();
        nc.says("Listening on ");
        drop(std::os::unix::net::UnixStream::connect(&path).unwrap());
        nc.ends().exits(0).stderr.clone()
    }),
    ("IPv6", |tried| {
        let (nc, port) = tried.nc("-l6").listens();
        let client = tried.nc(format!("-N ::1 {port}")).stdin_null().start().ends();
        format!("{}{}", nc.ends().stderr, client.exits(0).stderr)
    }),
    ("a large scan", |tried| {
        let end = alone(tried.nc("-z 127.0.0.1 1-70")).start().ends();
        end.exits(1).stderr.clone()
    }),
    ("many over UDP", |tried| {
        let (nc, port) = tried.nc("-luk --join 239.1.2.3%lo --no-loop").binds();
        Datagrams::connect(port).sends(b"hello\n");
        nc.says("somebody new");
        nc.signal(Signal::TERM);
        nc.ends().stderr
    }),
    ("options", |tried| {
        let server = Server::start();
        let options = "-N -T ef -I 9000 -O 9000 -M 9 -m 1 --keepalive=7 --nodelay \
                       --user-timeout 1.5 --congestion cubic -s 127.0.0.1";
        let nc = tried.nc(format!("{options} 127.0.0.1 {}", server.port())).stdin_null().start();
        drop(server.accepts());
        nc.ends().exits(0).stderr.clone()
    }),
    ("options of a listener", |tried| {
        let mut key = tempfile::NamedTempFile::new().unwrap();
        key.write_all(b"secret").unwrap();
        let options = "-l6 -b -D -T ef -M 9 -m 1 --interface lo --mark 4294967295 --keepalive \
                       --tcp-fastopen :: 0 --tcp-md5-file=";
        let nc = tried.nc(options.to_owned() + key.path().to_str().unwrap()).start();
        nc.says("listen(");
        nc.signal(Signal::TERM);
        nc.ends().stderr
    }),
    ("options of a client to come", |tried| {
        let server = Server::start();
        let nc = tried.nc(format!("-N --tcp-fastopen 127.0.0.1 {}", server.port()));
        let nc = nc.stdin_null().start();
        drop(server.accepts());
        nc.ends().stderr
    }),
    ("options for groups", |tried| {
        ["239.1.2.3", "ff05::1"]
            .map(|group| {
                let options = format!("-u -w 0.1 -M 9 --no-loop --interface lo {group} 9");
                tried.nc(options).stdin_null().start().ends().stderr
            })
            .concat()
    }),
    ("a proxy", |tried| {
        let server = Server::start();
        let options = format!("-d --explain -X 5 -x 127.0.0.1:{}", server.port());
        let nc = tried.nc(format!("{options} 192.0.2.1 7")).start();
        let mut peer = server.accepts();
        plays(&mut peer, &Kind::Socks5.dialogue("192.0.2.1", 7));
        drop(peer);
        nc.ends().exits(0).stderr.clone()
    }),
];

/// Says hello both ways; the peer ends it.
fn converses(tried: Tried<'_>, mut nc: Running, mut peer: Peer, ports: &[u16]) -> String {
    nc.says("accept4(");
    peer.sends(b"hello\n");
    nc.shows(b"hello\n");
    nc.types(b"hello yourself\n");
    peer.receives(b"hello yourself\n");
    peer.finishes();
    let end: Finished = nc.ends();
    tried.normal(&end.exits(0).stderr, &[ports, &[peer.port()]].concat())
}

fn started_on(nc: Nc, port: u16) -> (Running, u16) {
    let nc = nc.arg(port.to_string()).start();
    nc.says("Listening on ");
    (nc, port)
}

fn place() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    (dir, path)
}

fn without_path(told: &str, path: &Path, tried: Tried<'_>) -> String {
    let text = path.to_str().unwrap();
    match tried {
        Tried::Alone => {
            told.replace(text, "/run/s").replace(&format!("}}, {})", text.len() + 3), "}, 9)")
        }
        Tried::Traced(_) => told.to_owned(),
    }
}

/// A call with one space where there are several. Of a key we show nothing.
fn bare(call: &str) -> String {
    let call = call.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((key, len)) = call.split_once("MD5SIG_EXT, ") {
        let (_, len) = len.rsplit_once("..., ").unwrap();
        return format!("{key}MD5SIG_EXT, {len}");
    }
    call
}

/// A step that has to be explained. `accept4` that finds nobody is none: it is told once.
fn is_a_step(call: &str) -> bool {
    let name = call.split('(').next().unwrap_or_default();
    let asks = name != "getsockopt" || call.contains("SO_ERROR");
    STEPS.split(',').any(|step| step == name) && asks && !call.contains(" EAGAIN ")
}

const STEPS: &str = "socket,setsockopt,bind,listen,accept4,connect,getsockopt,shutdown";
