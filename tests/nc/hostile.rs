//! Text from outside, wherever it gets into a message or a result: a terminal finds nothing in it to obey.
//!
//! Each row of the table is a way in. What comes out on stdout and stderr is UTF-8, whose only control
//! characters are the line feeds between lines, and has the text's harmless part, so the row is no idle one.

use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::thread;

use tempfile::tempdir;

use crate::support::places::with_hosts_alone;
use crate::support::proxies::hears_head;
use crate::support::{ClosedPort, Nc, Server, wait_until};

/// ESC, BEL, CR, DEL, C1 as UTF-8, and what turns text around. Everything is in one word, for words are what
/// most ways in take.
const EVIL: &str = "evil\x1b]0;t\x07\r\x7f\u{85}\u{9b}\u{202e}\u{2066}\u{200f}\u{61c}evil";

/// The same with bytes that are no UTF-8, C1 as one byte among them.
fn odd() -> OsString {
    OsString::from_vec([EVIL.as_bytes(), b"\x9b31m\xff\xe2\x80"].concat())
}

/// Where a row's program writes to; read when it has ended.
struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { dir: tempdir().unwrap() }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn file(&self, name: &str) -> File {
        File::create(self.path().join(name)).unwrap()
    }

    /// Both streams go to files, for a pipe's text would be repaired before it could be looked at.
    fn give(&self, nc: Nc) -> Nc {
        nc.stdin_null().stdout(self.file("stdout")).stderr(self.file("stderr"))
    }

    /// Something was said on stderr.
    fn has_a_line(&self) -> bool {
        fs::read(self.path().join("stderr")).unwrap().ends_with(b"\n")
    }

    #[track_caller]
    fn check(&self, what: &str, shows: &str) {
        let read = |name| fs::read(self.path().join(name)).unwrap();
        let bytes = [read("stdout"), read("stderr")].concat();
        let seen = bytes.escape_ascii();
        let text = str::from_utf8(&bytes).unwrap_or_else(|_| panic!("{what}: no UTF-8: {seen}"));
        let obeyed = text.chars().find(|&c| c != '\n' && is_obeyed(c));
        assert!(obeyed.is_none(), "{what}: {obeyed:?} in {seen}");
        assert!(text.contains(shows), "{what}: no {shows:?} in {text}");
    }

    #[track_caller]
    fn runs(&self, what: &str, nc: Nc, shows: &str) {
        self.give(nc).start().ends();
        self.check(what, shows);
    }
}

/// Written down again and not taken from the program.
fn is_obeyed(c: char) -> bool {
    matches!(u32::from(c), 0..=0x1f | 0x7f..=0x9f | 0x61c | 0x200e | 0x200f | 0x2028..=0x202e | 0x2066..=0x2069)
}

#[test]
fn the_command_line() {
    let (place, closed) = (Place::new(), ClosedPort::reserve());
    let port = closed.port().to_string();
    let host = ["127.0.0.1", &port];
    for (what, args, shows) in [
        ("a host", vec![EVIL, "1"], "evil\\u{1b}"),
        ("a host with -v", vec!["-v", EVIL, "1"], "evil\\u{1b}"),
        ("a host with -n", vec!["-n", EVIL, "1"], "evil\\u{1b}"),
        ("a port", vec!["h", EVIL], "evil\\u{1b}"),
        ("a local host", vec!["-s", EVIL, host[0], host[1]], "getaddrinfo"),
        ("a host to listen at", vec!["-l", EVIL, "1"], "getaddrinfo"),
        ("a port to listen at", vec!["-l", EVIL], "getaddrinfo"),
        ("a machine", vec!["--vsock", EVIL, "1"], "evil\\u{1b}"),
        ("a proxy", vec!["-x", EVIL, "h", "1"], "proxy"),
        ("a host behind a proxy", vec!["-x", "127.0.0.1:1", EVIL, "1"], "Invalid hostname"),
        ("a proxy's user", vec!["-x", "127.0.0.1:1", "-P", EVIL, "h", "1"], "nc: "),
        ("a scan's host", vec!["-zv", EVIL, "1"], "evil\\u{1b}"),
        ("a scan's host for programs", vec!["-z", "--json", EVIL, "1"], "evil\\u{1b}"),
        ("an unknown option", vec!["--evil\x1b[31m\u{9b}\u{202e}"], "evil\\u{1b}"),
        ("an unknown letter", vec!["-\u{9b}", "h", "1"], "\\u{9b}"),
        ("congestion control", vec!["--congestion", EVIL, host[0], host[1]], "cannot set"),
        ("an interface", vec!["--interface", EVIL, host[0], host[1]], "cannot set"),
        ("a zone", vec!["fe80::1%\x1b[31mevil\u{202e}", "1"], "evil"),
        (
            "a group's interface",
            vec!["-lu", "--join", "224.0.0.9%evil\x1b\u{9b}", "0"],
            "224.0.0.9",
        ),
    ] {
        for more in ["", "-vvv"] {
            let nc = args.iter().fold(Nc::new(more), |nc, &arg| nc.arg(arg));
            place.runs(&format!("{what} {more}"), nc, shows);
        }
    }
}

/// Every option there is, and those to come, with a value that no option wants, or that it may not have.
#[test]
fn every_option() {
    let (place, closed) = (Place::new(), ClosedPort::reserve());
    let port = closed.port().to_string();
    let mut tried = 0;
    for option in pollcat::cli::command().get_arguments() {
        // With a proxy -P would ask for a password; and without a name there is no `=`.
        let Some(name) = option.get_long() else { continue };
        for value in [OsString::from(EVIL), odd()] {
            let word =
                OsString::from_vec([b"--", name.as_bytes(), b"=", value.as_bytes()].concat());
            let nc = Nc::new("").arg(word).arg("127.0.0.1").arg(&port);
            let dir = place.path().to_str().unwrap();
            let nc = nc.under("env", &["-C", dir]);
            place.runs(name, nc, "nc: ");
            tried += 1;
        }
    }
    assert!(tried > 100, "only {tried}");
}

#[test]
fn names_of_unix_sockets() {
    let place = Place::new();
    let path = place.path().join(odd());
    for (what, options) in [
        ("a path", "-U"),
        ("a path with -v", "-Uv"),
        ("a path of datagrams", "-uU"),
        ("a scan's path", "-zU"),
        ("a scan's path with -v", "-zvU"),
        ("a scan's path for programs", "-zU --json"),
    ] {
        for more in ["", "-vvv"] {
            place.runs(what, Nc::new(format!("{more} {options}")).arg(&path), "evil\\u");
        }
    }
    place.runs(
        "an abstract name",
        Nc::new("-U").arg(OsString::from(format!("@{EVIL}"))),
        "evil\\u",
    );
    fs::write(&path, "no socket").unwrap();
    place.runs("a path that is taken", Nc::new("-lU").arg(&path), "nc: ");
    // A directory that is not there.
    let inside = path.join("socket");
    place.runs("a path in a file", Nc::new("-lvU").arg(inside), "nc: ");
}

#[test]
fn a_peers_name() {
    let place = Place::new();
    let [at, from] = ["listener", "peer"].map(|name| {
        let name = OsString::from_vec([name.as_bytes(), odd().as_bytes()].concat());
        place.path().join(name)
    });
    let nc = place.give(Nc::new("-luU -vvv -w 1").arg(&at)).start();
    wait_until("it is bound", || at.exists());
    let peer = UnixDatagram::bind(&from).unwrap();
    peer.send_to(b"hello", &at).unwrap();
    nc.ends();
    place.check("a peer's path", "Connection received on");
    place.check("a peer's path", "peerevil\\u");
}

#[test]
fn the_environment_and_the_programs_name() {
    let (place, closed) = (Place::new(), ClosedPort::reserve());
    let args = format!("-v 127.0.0.1 {}", closed.port());
    for value in [
        OsString::from(EVIL),
        odd(),
        format!("evil={EVIL}").into(),
        format!("trace/{EVIL}[").into(),
    ] {
        place.runs("RUST_LOG", Nc::new(&args).env("RUST_LOG", value), "refused");
    }
    place.runs(
        "NOTIFY_SOCKET",
        Nc::new("-lk -w 1 --max-conns x 0").env("NOTIFY_SOCKET", odd()),
        "nc: ",
    );
    let proxied = format!("-x 127.0.0.1:{} h 1", closed.port());
    place.runs("NCAT_PROXY_AUTH", Nc::new(proxied).env("NCAT_PROXY_AUTH", odd()), "nc: ");
    let auth = place.path().join("auth");
    fs::write(&auth, odd().as_bytes()).unwrap();
    let nc = Nc::new("-x 127.0.0.1:1 h 1").arg("--proxy-auth-file").arg(&auth);
    place.runs("--proxy-auth-file", nc, "nc: ");
    for missing in ["--proxy-auth-file", "--tcp-md5-file"] {
        let nc = Nc::new("-x 127.0.0.1:1 h 1").arg(missing).arg(place.path().join(odd()));
        place.runs(missing, nc, "nc: ");
    }
    let tmp = place.path().join(odd()).join("none");
    place.runs("TMPDIR", Nc::new("-uU -v none").env("TMPDIR", tmp), "nc: ");

    let link = place.path().join(odd());
    symlink(env!("CARGO_BIN_EXE_nc"), &link).unwrap();
    let script = "exec \"$0\" -v 127.0.0.1 $1";
    let nc = Nc::other("/bin/sh", "-c").arg(script).arg(&link).arg(closed.port().to_string());
    place.runs("the program's name", nc, "evil\\u{1b}");
}

/// What servers say first, and what proxies answer.
#[test]
fn banners_and_replies() {
    let place = Place::new();
    let banner = [odd().as_bytes(), b"\r\n"].concat();
    for (options, shows) in [
        ("-z --banner", "evil\\x1b"),
        ("-zv --banner", "evil\\x1b"),
        ("-z --banner --json", "evil\\u001b"),
        ("-z --banner -vvv", "evil\\x1b"),
    ] {
        let server = Server::start();
        let nc = Nc::new(format!("{options} 127.0.0.1 {}", server.port()));
        let nc = place.give(nc).start();
        server.accepts().sends(&banner);
        nc.ends();
        place.check(options, shows);
    }
    for reply in [
        [b"HTTP/1.1 403 ", odd().as_bytes(), b"\r\n\r\n"].concat(),
        // What the grammar of a reason allows, RFC 9112: horizontal tabs and bytes from 0x80 on.
        b"HTTP/1.1 403 evil\t\x9b31m\xc2\x9b\xe2\x80\xae\xff\r\n\r\n".to_vec(),
        [
            b"HTTP/1.1 407 evil\r\nProxy-Authenticate: Evil realm=\"",
            odd().as_bytes(),
            b"\"\r\n\r\n",
        ]
        .concat(),
        [odd().as_bytes(), b"\r\n\r\n"].concat(),
    ] {
        for more in ["", "-vvv"] {
            let server = Server::start();
            let nc = Nc::new(format!("{more} -X connect -x 127.0.0.1:{} h 1", server.port()));
            let nc = place.give(nc).start();
            let mut proxy = server.accepts();
            let answer = reply.clone();
            let plays = thread::spawn(move || {
                hears_head(&mut proxy);
                proxy.sends(&answer);
                proxy.finishes();
            });
            nc.ends();
            plays.join().unwrap();
            place.check(&format!("{} {more}", reply.escape_ascii()), "nc: ");
        }
    }
}

/// Names that the machine's own files and devices have.
#[test]
#[ignore = "needs root"]
fn hosts_services_and_interfaces() {
    let place = Place::new();
    let files = tempdir().unwrap();
    let hosts = b"127.0.0.1 evil\x1b]0;t\x07\x7f\xc2\x9b\x9b\xe2\x80\xae\xff\n::1 evil.test\n";
    let hosts = String::from_utf8_lossy(hosts).into_owned();
    let services = files.path().join("services");
    fs::write(&services, "evil\x1b[31m\u{9b}\u{202e} 7/tcp\n").unwrap();
    // An interface whose name is as bad as the kernel and ip(8) allow.
    let name = "e\x1b[1m\u{9b}\u{202e}\x07";
    let alone = format!(
        "set -e; mount --bind '{}' /etc/services; ip link set lo name '{name}'; ip link set '{name}' up
         ip -6 address add fe80::7/64 dev '{name}' nodad\n",
        services.display()
    );
    let served = alone.clone() + "timeout 10 \"$0\" -l 127.0.0.1 7 </dev/null &\n";
    for (what, args, shows) in [
        ("a host's name", "-lv -w 1 127.0.0.1 7", "Listening on evil\\u{1b}"),
        ("a service", "-zv --wait-until-open 5 127.0.0.1 7", "[tcp/evil\\u{1b}"),
        ("a service for programs", "-z --json 127.0.0.1 7", "\"service\":\"evil"),
        ("an interface", "-lv -w 1 -6 fe80::7%1 7", "Listening on fe80::7%e\\u{1b}"),
        ("an interface, refused", "-v fe80::7%1 7", "fe80::7%e\\u{1b}"),
        ("an interface, refused, in the log", "-vvv fe80::7%1 7", "fe80::7%e\\u{1b}"),
        ("an interface for programs", "-z --json fe80::7%1 7", "fe80::7%e"),
    ] {
        let script = if args.contains("until-open") { &served } else { &alone };
        let script = script.clone() + "exec \"$0\" \"$@\"";
        let nc = Nc::new(args).under("/bin/sh", &["-c", &script]);
        let nc = with_hosts_alone(files.path(), &hosts, nc.under("unshare", &["--net"]));
        let nc = place.give(nc).start();
        if args.contains("-l") {
            wait_until("it listens", || place.has_a_line());
            drop(nc);
        } else {
            nc.ends();
        }
        place.check(what, shows);
    }
}
