//! What the acceptance suite of Debian's package looks for: for each flag and each kind of socket a
//! system call, as strace(1) prints it. Both ends are ours, as both ends are the package's own there.

use std::path::{Path, PathBuf};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::strace::{Trace, assert_in_order, find};
use crate::support::{ClosedPort, Nc, RefusingPort, Running};

/// The kinds of socket each check is repeated for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Tcp,
    Udp,
    Unix,
    UnixDatagram,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Tcp, Self::Udp, Self::Unix, Self::UnixDatagram];

    fn letters(self) -> &'static str {
        match self {
            Self::Tcp => "",
            Self::Udp => "-u",
            Self::Unix => "-U",
            Self::UnixDatagram => "-u -U",
        }
    }

    fn is_unix(self) -> bool {
        matches!(self, Self::Unix | Self::UnixDatagram)
    }

    fn is_stream(self) -> bool {
        matches!(self, Self::Tcp | Self::Unix)
    }

    fn family(self) -> &'static str {
        if self.is_unix() { "AF_UNIX" } else { "AF_INET" }
    }
}

/// Two programs that speak with each other; one of them may be traced.
struct Pair {
    dir: TempDir,
    listener: Running,
    /// Where a client connects to.
    operands: Vec<String>,
    kind: Kind,
}

impl Pair {
    /// Starts the listener.
    #[track_caller]
    fn listen(kind: Kind, options: &str) -> Self {
        Self::listen_as(kind, options, |nc| nc)
    }

    #[track_caller]
    fn listen_traced(kind: Kind, options: &str) -> (Self, Trace) {
        let mut trace = None;
        let pair = Self::listen_as(kind, options, |nc| {
            let (nc, of) = Trace::of(nc, "network");
            trace = Some(of);
            nc
        });
        (pair, trace.unwrap())
    }

    #[track_caller]
    fn listen_as(kind: Kind, options: &str, changed: impl FnOnce(Nc) -> Nc) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let nc = Nc::new(format!("-l -v {} {options}", kind.letters()));
        let nc =
            if kind.is_unix() { nc.arg(Self::place(&dir)) } else { nc.arg("127.0.0.1").arg("0") };
        let listener = changed(nc).start();
        let (listener, operands) = if kind.is_unix() {
            listener.says("Bound on ");
            (listener, vec![Self::place(&dir).to_str().unwrap().to_owned()])
        } else {
            let port = if kind.is_stream() { listener.port() } else { listener.bound_port() };
            (listener, vec!["127.0.0.1".to_owned(), port.to_string()])
        };
        Self { dir, listener, operands, kind }
    }

    fn place(dir: &TempDir) -> PathBuf {
        dir.path().join("s")
    }

    fn client(&self, options: &str) -> Nc {
        let nc = Nc::new(format!("{} {options}", self.kind.letters()));
        let nc = nc.env("TMPDIR", self.dir.path());
        self.operands.iter().fold(nc, Nc::arg)
    }
}

/// The descriptor that is bound.
#[track_caller]
fn bound(calls: &[String]) -> String {
    let bind = find(calls, "bind(");
    bind.trim_start_matches("bind(").split(',').next().unwrap().to_owned()
}

#[track_caller]
fn ended(nc: Running) {
    nc.signal(Signal::TERM);
    nc.ends();
}

#[test]
#[ignore = "needs strace"]
fn listen() {
    for kind in Kind::ALL {
        let (pair, trace) = Pair::listen_traced(kind, "");
        let mut client = pair.client("").start();
        client.types(b"hello\n");
        pair.listener.shows(b"hello\n");
        ended(client);
        ended(pair.listener);
        let (calls, family) = (trace.calls(), kind.family());
        let fd = bound(&calls);
        find(&calls, &format!("bind({fd}, {{sa_family={family}"));
        if kind.is_stream() {
            find(&calls, &format!("accept4({fd}, {{sa_family={family}"));
        } else {
            let heard = find(&calls, &format!("recvfrom({fd}, \"h"));
            let (_, sender) = heard.split_once(", {sa_family=").unwrap();
            let (sender, _) = sender.split_once('}').unwrap();
            let locked = format!("connect({fd}, {{sa_family={sender}");
            assert_in_order(&calls, &[heard, &locked]);
        }
    }
}

#[test]
#[ignore = "needs strace"]
fn listen_replaces_a_file_that_is_empty() {
    for kind in [Kind::Unix, Kind::UnixDatagram] {
        let dir = tempfile::tempdir().unwrap();
        let path = Pair::place(&dir);
        std::fs::File::create(&path).unwrap();
        let nc = Nc::new(format!("-l -v {}", kind.letters())).arg(&path);
        let (nc, trace) = Trace::of(nc, "network");
        let nc = nc.start();
        nc.says("Bound on ");
        ended(nc);
        let calls = trace.calls();
        assert!(find(&calls, "bind(").ends_with("= 0"), "{calls:#?}");
    }
}

#[test]
#[ignore = "needs strace"]
fn keep_open_locks_to_nobody() {
    for kind in Kind::ALL {
        let (pair, trace) = Pair::listen_traced(kind, "-k");
        let mut expected = Vec::new();
        for line in ["one\n", "two\n"] {
            let mut client = pair.client("").start();
            client.types(line.as_bytes());
            expected.extend_from_slice(line.as_bytes());
            pair.listener.shows(&expected);
            ended(client);
        }
        ended(pair.listener);
        let calls = trace.calls();
        let fd = bound(&calls);
        if kind.is_stream() {
            let accepted = calls.iter().filter(|call| {
                call.starts_with(&format!("accept4({fd}, {{sa_family={}", kind.family()))
            });
            assert_eq!(accepted.count(), 2, "{calls:#?}");
        } else {
            let connected = calls.iter().any(|call| call.starts_with(&format!("connect({fd},")));
            assert!(!connected, "{calls:#?}");
        }
    }
}

#[test]
#[ignore = "needs strace"]
fn shutdown_after_the_end_of_stdin() {
    for kind in Kind::ALL {
        for option in ["-N", "-q 0", "-q 1"] {
            let pair = Pair::listen(kind, "");
            let (nc, trace) = Trace::of(pair.client(option), "network");
            let mut client = nc.start();
            client.types(b"hello\n");
            pair.listener.shows(b"hello\n");
            client.ends_input();
            if option == "-N" && !kind.is_stream() {
                // There is nothing that would end it.
                client.settles();
                ended(client);
            } else {
                client.ends().exits(0);
            }
            let calls = trace.calls();
            assert!(find(&calls, "shutdown(").ends_with("SHUT_WR) = 0"), "{kind:?} {option}");
        }
    }
}

#[test]
#[ignore = "needs strace"]
fn no_shutdown_without_being_asked() {
    for kind in Kind::ALL {
        for option in ["", "-q -1"] {
            let pair = Pair::listen(kind, "");
            let (nc, trace) = Trace::of(pair.client(option), "network");
            let mut client = nc.start();
            client.types(b"hello\n");
            pair.listener.shows(b"hello\n");
            client.ends_input();
            client.settles();
            ended(client);
            let calls = trace.calls();
            assert!(!calls.iter().any(|call| call.starts_with("shutdown(")), "{calls:#?}");
        }
    }
}

#[test]
#[ignore = "needs strace"]
fn no_stdin() {
    for kind in Kind::ALL {
        let pair = Pair::listen(kind, "-W 1");
        let (nc, trace) = Trace::of(pair.client("-d -w 0.3"), "read,network");
        let mut client = nc.start();
        client.types(b"never sent");
        client.ends().exits(0);
        let calls = trace.calls();
        let reads = calls.iter().any(|call| call.starts_with("read(0,"));
        let sends = calls.iter().any(|call| call.contains("never sent"));
        assert!(!reads && !sends, "{calls:#?}");
    }
}

#[test]
#[ignore = "needs strace"]
fn source() {
    for kind in [Kind::Tcp, Kind::Udp] {
        let pair = Pair::listen(kind, "");
        let (nc, trace) = Trace::of(pair.client("-s 127.0.0.3"), "network");
        let mut client = nc.start();
        client.types(b"hello\n");
        pair.listener.shows(b"hello\n");
        ended(client);
        let calls = trace.calls();
        let bind = find(&calls, "bind(");
        assert!(bind.contains("inet_addr(\"127.0.0.3\")") && bind.ends_with("= 0"), "{bind}");
    }
    let pair = Pair::listen(Kind::UnixDatagram, "");
    let name: &Path = &pair.dir.path().join("client");
    let nc = Nc::new("-u -U -s").arg(name).arg(&pair.operands[0]);
    let (nc, trace) = Trace::of(nc, "network");
    let mut client = nc.start();
    client.types(b"hello\n");
    pair.listener.shows(b"hello\n");
    ended(client);
    let calls = trace.calls();
    let bind = find(&calls, "bind(");
    assert!(bind.contains(name.to_str().unwrap()) && bind.ends_with("= 0"), "{bind}");
}

#[test]
#[ignore = "needs strace and root"]
fn socket_options() {
    for kind in [Kind::Tcp, Kind::Udp] {
        for (option, expected) in [
            ("-b", "SOL_SOCKET, SO_BROADCAST, [1]"),
            ("-D", "SOL_SOCKET, SO_DEBUG, [1]"),
            ("-I 4096", "SOL_SOCKET, SO_RCVBUF, [4096]"),
            ("-O 4096", "SOL_SOCKET, SO_SNDBUF, [4096]"),
            ("-M 42", "SOL_IP, IP_TTL, [42]"),
            ("-m 42", "SOL_IP, IP_MINTTL, [42]"),
            ("-T critical", "SOL_IP, IP_TOS, [160]"),
        ] {
            let (pair, at_listener) = Pair::listen_traced(kind, option);
            let (nc, at_client) = Trace::of(pair.client(option), "network");
            let mut client = nc.start();
            client.types(b"hello\n");
            pair.listener.shows(b"hello\n");
            ended(client);
            ended(pair.listener);
            for calls in [at_listener.calls(), at_client.calls()] {
                let found = find(&calls, expected);
                assert!(found.starts_with("setsockopt(") && found.ends_with("= 0"), "{found}");
            }
        }
    }
}

#[test]
#[ignore = "needs strace"]
fn recv_limit() {
    for kind in Kind::ALL {
        let pair = Pair::listen(kind, "-W 1");
        let mut client = pair.client("").start();
        client.types(b"hello\n");
        pair.listener.ends().exits(0).showed(b"hello\n");
    }
}

#[test]
#[ignore = "needs strace"]
fn idle_timeout() {
    for kind in Kind::ALL {
        let pair = Pair::listen(kind, "");
        let mut client = pair.client("-w 1").start();
        client.types(b"hello\n");
        pair.listener.shows(b"hello\n");
        client.ends().exits(0).said_nothing();
    }
}

#[test]
#[ignore = "needs strace"]
fn crlf() {
    for kind in Kind::ALL {
        let pair = Pair::listen(kind, "");
        let mut client = pair.client("-C").start();
        client.types(b"one\ntwo\r\n");
        pair.listener.shows(b"one\r\ntwo\r\n");
    }
}

/// `-z` asks, and says nothing: no byte of stdin, none of the peer's.
#[test]
#[ignore = "needs strace"]
fn zero_io_tcp() {
    let pair = Pair::listen(Kind::Tcp, "");
    let (nc, trace) = Trace::of(pair.client("-z -v"), "read,write,network,close");
    let mut client = nc.start();
    client.types(b"never sent");
    client.ends().exits(0).showed(b"").said_one_line_with("succeeded!");
    pair.listener.ends().exits(0).showed(b"");
    let calls = trace.calls();
    assert!(!calls.iter().any(|call| call.starts_with("read(0,")), "{calls:#?}");
    // From its connecting to its closing nothing is sent; the number may be another file's later.
    let begun = calls.iter().position(|call| call.starts_with("connect(")).unwrap();
    let fd = calls[begun].trim_start_matches("connect(").split(',').next().unwrap();
    let life = calls[begun..].iter().take_while(|call| !call.starts_with(&format!("close({fd})")));
    let life: Vec<String> = life.cloned().collect();
    assert_in_order(&life, &["connect(", &format!("getsockopt({fd}, SOL_SOCKET, SO_ERROR, [0]")]);
    let sends = ["write", "send", "sendto", "sendmsg"].map(|name| format!("{name}({fd},"));
    let sent = life.iter().any(|call| sends.iter().any(|start| call.starts_with(start)));
    assert!(!sent, "{life:#?}");
}

#[test]
#[ignore = "needs strace"]
fn zero_io_tcp_refused() {
    let closed = ClosedPort::reserve();
    for options in ["-z", "-z -v"] {
        let nc = Nc::new(format!("{options} 127.0.0.1 {}", closed.port()));
        let (nc, trace) = Trace::of(nc, "network");
        nc.start().ends().exits(1).showed(b"");
        find(&trace.calls(), "SO_ERROR, [ECONNREFUSED]");
    }
}

/// There is no other way to learn of a UDP port than to send it something.
#[test]
#[ignore = "needs strace"]
fn zero_io_udp() {
    let pair = Pair::listen(Kind::Udp, "");
    let (nc, trace) = Trace::of(pair.client("-z -v -w 0.5"), "read,network");
    let mut client = nc.start();
    client.types(b"never sent");
    client.ends().exits(0).showed(b"").said_one_line_with("succeeded!");
    let calls = trace.calls();
    find(&calls, "connect(");
    let reads = calls.iter().any(|call| call.starts_with("read(0,"));
    let sends = calls.iter().any(|call| call.contains("never sent"));
    assert!(!reads && !sends, "{calls:#?}");
    ended(pair.listener);

    let closed = RefusingPort::reserve();
    let nc = Nc::new(format!("-u -z -v 127.0.0.1 {}", closed.port()));
    nc.start().ends().exits(1).showed(b"").said_nothing();
}
