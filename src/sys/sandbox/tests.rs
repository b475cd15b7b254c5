//! Each stage tries what it must not do. A filter cannot be taken off again, so the trying is done by a
//! child: this program once more, as the test [`a_child`], which only the others ask for.

#![expect(clippy::disallowed_methods, reason = "what is tried here explains nothing")]

use std::env;
use std::fmt::Write;
use std::fs::{self, File};
use std::io::{self, IoSlice, Write as _};
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Resource, getppid, getrlimit, prlimit, test_kill_process};
use seccompiler::sock_filter;
use socket2::{Domain, SockAddr, Socket, Type};

use super::calls::{Check, Group, NEVER, Verdict, groups};
use super::*;

const STAGES: [Stage; 7] = [
    Stage::Scanning,
    Stage::Dialing,
    Stage::Handing,
    Stage::Listening,
    Stage::Meeting,
    Stage::Answering,
    Stage::Relaying,
];

const PROMISES: [Promise; 10] = [
    Promise::Stdio,
    Promise::Accept,
    Promise::Meet,
    Promise::Answer,
    Promise::Dial,
    Promise::Names,
    Promise::Hosts,
    Promise::Unlink,
    Promise::Sendfd,
    Promise::Narrow,
];

/// What a child tries, in its order, and the promises that allow it.
const ATTEMPTS: [(&str, &[Promise]); 16] = [
    ("write to what is open", &[Promise::Stdio]),
    ("make a pipe", &[Promise::Stdio]),
    ("read /etc/passwd", &[Promise::Names]),
    ("read /etc/hosts", &[Promise::Names, Promise::Hosts]),
    ("create a file", &[]),
    ("remove the socket's file", &[Promise::Unlink]),
    ("remove another file", &[]),
    ("make a socket", &[Promise::Dial, Promise::Names]),
    ("connect to a port on the way", &[Promise::Dial]),
    ("connect to another port", &[]),
    ("connect a datagram socket", &[Promise::Dial, Promise::Names, Promise::Meet]),
    ("send a datagram to anybody", &[Promise::Names, Promise::Answer]),
    ("accept", &[Promise::Accept]),
    ("listen", &[]),
    ("send a descriptor", &[Promise::Sendfd, Promise::Names]),
    ("start a program", &[]),
];

#[test]
fn a_stage_can_do_what_it_promises_and_nothing_else() {
    for row in &TABLE {
        for asked in [&[][..], row.asked] {
            let may: Vec<Promise> = row.always.iter().chain(asked).copied().collect();
            let (output, status) = child(&format!("{:?} {asked:?}", row.stage));
            assert!(status.success(), "{:?}: {status}\n{output}", row.stage);
            for (attempt, allowed_by) in ATTEMPTS {
                let expected = if allowed_by.iter().any(|promise| may.contains(promise)) {
                    "done"
                } else {
                    "refused"
                };
                let line = format!("attempt: {attempt}: {expected}\n");
                assert!(output.contains(&line), "{:?} {asked:?}: no {line}{output}", row.stage);
            }
        }
    }
}

/// Landlock is all there is where there is no list of system calls for the processor.
#[test]
fn landlock_alone_guards_files_and_ports() {
    let (output, status) = child("Listening [Hosts] without-seccomp");
    assert!(status.success(), "{status}\n{output}");
    for (attempt, expected) in [
        ("read /etc/passwd", "refused"),
        ("read /etc/hosts", "done"),
        ("create a file", "refused"),
        ("remove the socket's file", "refused"),
        ("connect to a port on the way", "refused"),
        ("make a socket", "done"),
        ("start a program", "refused"),
    ] {
        let line = format!("attempt: {attempt}: {expected}\n");
        assert!(output.contains(&line), "no {line}{output}");
    }
}

#[test]
fn auto_leaves_alone_what_would_end_badly() {
    let is_confined = |variables: &[(&str, &str)], task: &str| {
        let (output, status) = child_where(variables, task);
        assert!(status.success(), "{status}\n{output}");
        output.contains("attempt: create a file: refused\n")
    };
    // It is loaded in any case.
    let preloaded = ("LD_PRELOAD", "libc.so.6");
    let service = ("INVOCATION_ID", "0123456789abcdef0123456789abcdef");
    assert!(is_confined(&[], "Relaying [] auto"));
    assert!(is_confined(&[("LD_PRELOAD", "")], "Relaying [] auto"));
    assert!(is_confined(&[service], "Relaying [] auto"));
    assert!(is_confined(&[], "Relaying [] auto filtered"));
    assert!(!is_confined(&[preloaded], "Relaying [] auto"));
    assert!(!is_confined(&[service], "Relaying [] auto filtered"));
    assert!(is_confined(&[preloaded, service], "Relaying [] filtered"));
}

/// Other processes of the same user have limits too.
#[test]
fn limits_are_its_own() {
    for row in &TABLE {
        let (output, _) = child(&format!("{:?} {:?} limits", row.stage, row.asked));
        assert!(output.contains("attempt: limits: done\n"), "{:?}: {output}", row.stage);
        assert!(output.contains("attempt: others: refused\n"), "{:?}: {output}", row.stage);
    }
}

#[test]
fn an_exec_is_the_end() {
    for row in &TABLE {
        let (output, status) = child(&format!("{:?} {:?} exec", row.stage, row.asked));
        assert_eq!(status.signal(), Some(libc::SIGSYS), "{:?}: {output}", row.stage);
    }
}

/// A signal to others is not among the calls, and where it was Landlock would be in the way.
#[test]
fn nobody_else_gets_a_signal() {
    for row in &TABLE {
        let (output, _) = child(&format!("{:?} {:?} signal", row.stage, row.asked));
        assert!(output.contains("attempt: signal: refused\n"), "{:?}: {output}", row.stage);
    }
}

#[test]
fn a_second_step_only_gives_up() {
    for (first, then) in [
        (Stage::Dialing, Stage::Handing),
        (Stage::Dialing, Stage::Relaying),
        (Stage::Meeting, Stage::Relaying),
    ] {
        let all = |stage| {
            let row = TABLE.iter().find(|row| row.stage == stage).expect("a row");
            row.always.iter().chain(row.asked).copied()
        };
        // A client that dials on has no file of its own.
        for promise in all(then).filter(|_| first != Stage::Dialing).chain([Promise::Stdio]) {
            assert!(all(first).any(|had| had == promise), "{then:?} has {promise:?}");
        }
    }
    let (output, status) = child("Dialing [] twice");
    assert!(status.success(), "{status}\n{output}");
    assert!(output.contains("attempt: make a socket: refused\n"), "{output}");
    assert!(output.contains("attempt: write to what is open: done\n"), "{output}");
}

#[test]
fn every_stage_has_one_row() {
    for stage in STAGES {
        assert_eq!(TABLE.iter().filter(|row| row.stage == stage).count(), 1, "{stage:?}");
    }
}

/// `UPDATE_TABLES=1` writes them.
#[test]
fn the_tables_in_the_documents_are_these() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/least-privilege.md");
    let mut page = fs::read_to_string(&path).expect("the page");
    for (name, table) in [("stages", stages()), ("promises", promised())] {
        let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->"));
        let from = page.find(&begin).expect(&begin) + begin.len();
        let to = page.find(&end).expect(&end);
        if env::var_os("UPDATE_TABLES").is_some() {
            page.replace_range(from..to, &table);
        } else {
            assert_eq!(&page[from..to], table, "run with UPDATE_TABLES=1");
        }
    }
    if env::var_os("UPDATE_TABLES").is_some() {
        fs::write(&path, page).expect("written");
    }
}

fn stages() -> String {
    let words = |promises: &[Promise]| {
        let words: Vec<_> = promises.iter().map(|promise| format!("`{promise:?}`")).collect();
        words.join(" ").to_lowercase()
    };
    let mut table = "| stage | always | where it is asked for |\n|---|---|---|\n".to_owned();
    for row in &TABLE {
        let (always, asked) = (words(row.always), words(row.asked));
        writeln!(table, "| {:?} | {always} | {asked} |", row.stage).expect("a string");
    }
    table
}

fn promised() -> String {
    let mut table = "| promise | system calls |\n|---|---|\n".to_owned();
    let mut row = |name: &str, groups: &[Group]| {
        let calls = groups.iter().flat_map(|Group(verdict, calls)| {
            calls.iter().map(move |call| {
                let name = call.name.trim_start_matches("SYS_");
                match verdict {
                    Verdict::AllowIf(check) => format!("{name} ({})", condition(*check)),
                    Verdict::Allow | Verdict::Refuse | Verdict::Kill => name.to_owned(),
                }
            })
        });
        let calls = calls.collect::<Vec<_>>().join(", ");
        writeln!(table, "| {name} | {calls} |").expect("a string");
    };
    for promise in PROMISES {
        row(&format!("`{}`", format!("{promise:?}").to_lowercase()), groups(promise));
    }
    row("ends the program", &[NEVER]);
    table
}

fn condition(check: Check) -> &'static str {
    match check {
        Check::Clear(_, bits) if bits == libc::PROT_EXEC.cast_unsigned() => "nothing executable",
        Check::Clear(..) => "to read",
        Check::Null(_) => "to its peer only",
        Check::Is(_, 0) => "its own limits",
        Check::Is(..) => "`PR_SET_NO_NEW_PRIVS`",
        Check::Neither(..) => "but `TIOCSTI` and `TIOCLINUX`",
    }
}

/// Runs [`a_child`] with a stage, what it is asked for, and something special.
fn child(task: &str) -> (String, ExitStatus) {
    child_where(&[], task)
}

/// … with nothing of what [`Wish::Auto`] heeds but these.
fn child_where(variables: &[(&str, &str)], task: &str) -> (String, ExitStatus) {
    let output = Command::new(env::current_exe().expect("this program"))
        .args(["--exact", "sys::sandbox::tests::a_child", "--ignored", "--nocapture"])
        .env_remove("LD_PRELOAD")
        .env_remove("INVOCATION_ID")
        .envs(variables.iter().copied())
        .env(TASK, task)
        .stdin(Stdio::null())
        .output()
        .expect("a child");
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (text, output.status)
}

const TASK: &str = "NC_SANDBOX_TASK";

#[test]
#[ignore = "only for the children of the other tests"]
fn a_child() {
    let Ok(task) = env::var(TASK) else { return };
    let stage = STAGES.into_iter().find(|stage| task.starts_with(&format!("{stage:?} ")));
    let stage = stage.expect("a stage");
    let bench = Bench::new();
    let parent = getppid().expect("a parent");
    let asked = bench.asked(&task);
    let wish = if task.contains(" auto") { Wish::Auto } else { Wish::Strict };
    if task.ends_with(" filtered") {
        let allow_all = sock_filter { code: 0x06, jt: 0, jf: 0, k: libc::SECCOMP_RET_ALLOW };
        seccompiler::apply_filter(&[allow_all]).expect("a filter");
    }
    let mut sandbox = Sandbox::new(wish);
    if task.ends_with(" without-seccomp") {
        let promises: Vec<_> = promises(stage, &asked).collect();
        restrict_files(&promises, &asked, Wish::Strict).expect("Landlock");
    } else {
        sandbox.enter(stage, &asked).expect("confined");
    }
    if task.ends_with(" twice") {
        sandbox.enter(Stage::Relaying, &asked).expect("confined once more");
    }
    if task.ends_with(" exec") {
        let error = Command::new("/bin/true").exec();
        panic!("not the end: {error}");
    }
    if task.ends_with(" limits") {
        let limits_of = |pid| prlimit(pid, Resource::Nofile, getrlimit(Resource::Nofile));
        report("limits", limits_of(None).map(drop).map_err(io::Error::from));
        report("others", limits_of(Some(parent)).map(drop).map_err(io::Error::from));
        return;
    }
    if task.ends_with(" signal") {
        report("signal", test_kill_process(parent).map_err(io::Error::from));
        return;
    }
    for ((name, _), attempt) in ATTEMPTS.iter().zip(bench.attempts()) {
        report(name, attempt);
    }
}

/// What is opened before the child is confined.
struct Bench {
    folder: tempfile::TempDir,
    output: File,
    listeners: [TcpListener; 2],
    streams: [Socket; 2],
    unbound: Socket,
    datagrams: [UdpSocket; 2],
    pair: (UnixStream, UnixStream),
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("folder");
        for (name, file) in [("ours", "socket"), ("others", "file")] {
            fs::create_dir(folder.path().join(name)).expect("folder");
            fs::write(folder.path().join(name).join(file), b"").expect("file");
        }
        let output = File::create(folder.path().join("output")).expect("file");
        let listener = || {
            let listener = TcpListener::bind(LOCAL).expect("listener");
            listener.set_nonblocking(true).expect("nonblocking");
            listener
        };
        let stream = || Socket::new(Domain::IPV4, Type::STREAM, None).expect("socket");
        let datagrams = || UdpSocket::bind(LOCAL).expect("socket");
        Self {
            folder,
            output,
            listeners: [listener(), listener()],
            streams: [stream(), stream()],
            unbound: stream(),
            datagrams: [datagrams(), datagrams()],
            pair: UnixStream::pair().expect("sockets"),
        }
    }

    fn asked(&self, task: &str) -> Asked {
        let promises =
            PROMISES.into_iter().filter(|promise| task.contains(&format!("{promise:?}")));
        let port = self.listeners[0].local_addr().expect("an address").port();
        Asked {
            promises: promises.collect(),
            removals: vec![Removal::FilesOf(self.folder.path().join("ours"))],
            connect: Some(vec![port]),
            bind: Vec::new(),
        }
    }

    /// In the order of [`ATTEMPTS`].
    fn attempts(&self) -> [io::Result<()>; ATTEMPTS.len()] {
        let path = |name: &str| -> PathBuf { self.folder.path().join(name) };
        let connect = |which: usize| {
            let to = self.listeners[which].local_addr().expect("an address");
            self.streams[which].connect(&SockAddr::from(to))
        };
        let to = self.datagrams[1].local_addr().expect("an address");
        [
            (&self.output).write_all(b"payload"),
            pipe_with(PipeFlags::CLOEXEC).map(drop).map_err(io::Error::from),
            File::open("/etc/passwd").map(drop),
            File::open("/etc/hosts").map(drop),
            File::create(path("ours/new")).map(drop),
            fs::remove_file(path("ours/socket")),
            fs::remove_file(path("others/file")),
            Socket::new(Domain::IPV4, Type::STREAM, None).map(drop),
            connect(0),
            connect(1),
            // The one that is not connected is for the next attempt.
            self.datagrams[1].connect(self.datagrams[0].local_addr().expect("an address")),
            self.datagrams[0].send_to(b"x", to).map(drop),
            match self.listeners[1].accept() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
                accepted => accepted.map(drop),
            },
            self.unbound.listen(1),
            send_descriptor(&self.pair.0, &self.output),
            Command::new("/bin/true").status().map(drop),
        ]
    }
}

fn send_descriptor(over: &UnixStream, what: &File) -> io::Result<()> {
    let descriptors = [what.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(&descriptors));
    sendmsg(over, &[IoSlice::new(b"\0")], &mut control, SendFlags::empty())?;
    Ok(())
}

#[expect(clippy::print_stdout, reason = "this is how a child speaks to its parent")]
fn report(name: &str, attempt: io::Result<()>) {
    let outcome = match attempt.map_err(|error| error.raw_os_error()) {
        Ok(()) => "done".to_owned(),
        Err(Some(libc::EPERM | libc::EACCES)) => "refused".to_owned(),
        Err(other) => format!("{other:?}"),
    };
    println!("attempt: {name}: {outcome}");
}

const LOCAL: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);
