//! The rungs of the ladder (`docs/examples/relay_*.rs`), and nc beside them, put through the
//! full-duplex matrix of `tests/nc/duplex.rs` and a few questions more. What is found is the table in
//! `docs/course/04-the-ladder.md`, to the letter.
//!
//! ```sh
//! cargo test --test ladder                          # compares
//! TRANSCRIPTS=update cargo test --test ladder       # writes the table into the page
//! cargo test --test ladder -- --ignored             # counts system calls with strace, and compares
//! ```
//!
//! A cell is not red because a time is over, but because nothing can come any more: everything that
//! can be done to the program has been done, and all its threads sleep.

#![expect(
    clippy::disallowed_methods,
    reason = "the event loop must not block, read the clock or start threads; a harness must"
)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::print_stdout, reason = "`--nocapture` shows the tables")]

#[expect(dead_code, unused_imports, reason = "the harness of tests/nc, of which this needs a part")]
mod nc {
    pub(crate) mod support;
}

use std::env;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout, Command};
use std::sync::Once;
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use rustix::fs::{OFlags, fcntl_getfl};

use nc::support::peer::ready;
use nc::support::{
    DEADLINE, Nc, Noise, Peer, Role, Running, Same, Server, fill, kernel, wait_until,
};

#[test]
fn the_table_on_the_page_is_what_the_rungs_do() {
    let columns: Vec<Vec<Verdict>> = thread::scope(|scope| {
        let columns = PROGRAMS.map(|program| scope.spawn(move || program.column()));
        columns.into_iter().map(|column| column.join().expect("its reason is told above")).collect()
    });
    let mut table = String::from("| the other way | way | what |");
    for program in PROGRAMS {
        write!(table, " {} |", program.name).unwrap();
    }
    table += "\n|---|---|---|";
    table += &"---|".repeat(PROGRAMS.len());
    for (row, claim) in claims().enumerate() {
        write!(table, "\n| {} |", claim.told()).unwrap();
        for column in &columns {
            write!(table, " {} |", column[row].told()).unwrap();
        }
    }
    table += "\n| **cells of 24** | | |";
    for column in &columns {
        let cells = claims().zip(column).filter(|(claim, _)| matches!(claim, Claim::Cell(..)));
        let green: usize = cells.map(|(_, verdict)| verdict.count()).sum();
        write!(table, " {green} |").unwrap();
    }
    println!("{table}");
    let nc = columns.last().expect("nc is the last");
    assert!(nc.iter().all(|verdict| verdict.count() == 2), "nc itself:\n{table}");
    stands_on_the_page("matrix", &table);
}

#[test]
#[ignore = "needs strace"]
fn the_calls_on_the_page_are_those_the_rungs_make() {
    let mut table = String::from("| rung | calls | which |\n|---|---|---|");
    for program in PROGRAMS {
        // What begins and ends a session is in both, and so in the difference no more.
        let [few, many] = [20, 120].map(|trips| program.calls(trips));
        let mut told = Vec::new();
        let mut all = 0;
        for (name, count) in many {
            let before =
                few.iter().find(|(other, _)| *other == name).map_or(0, |(_, count)| *count);
            // Threads give their memory back when they come to it, which is before the end or not.
            let more = count + STRAY - before;
            assert!(
                more % 100 <= 2 * STRAY,
                "{}: {more} calls of {name} in 100 trips",
                program.name
            );
            all += more / 100;
            match more / 100 {
                0 => {}
                1 => told.push(format!("`{name}`")),
                times => told.push(format!("{times} `{name}`")),
            }
        }
        write!(table, "\n| {} | {all} | {} |", program.name, told.join(", ")).unwrap();
    }
    println!("{table}");
    stands_on_the_page("calls", &table);
}

/// Calls that may come in one run and not in another.
const STRAY: u64 = 5;

/// What is claimed of each program, in both roles.
#[derive(Clone, Copy)]
enum Claim {
    /// One direction works, whatever the state of the other.
    Cell(Other, Way, What),
    /// Both directions filled, then read out: every byte comes, and the program ends well.
    Complete,
    /// stdin is a regular file.
    File,
    /// What shares its stdin with others keeps its flags.
    Flags,
    /// The connection is reset while stdin is silent: the program ends.
    Reset,
    /// The reader of stdout leaves while nothing flows: the program ends.
    Left,
}

/// The state of the direction that is not tested.
#[derive(Clone, Copy)]
enum Other {
    Quiet,
    Filled,
    Finished,
}

#[derive(Clone, Copy)]
enum Way {
    In,
    Out,
}

#[derive(Clone, Copy)]
enum What {
    Data,
    Eof,
}

fn claims() -> impl Iterator<Item = Claim> {
    let others = [Other::Quiet, Other::Filled, Other::Finished].into_iter();
    let cells = others.flat_map(|other| {
        [Way::In, Way::Out].into_iter().flat_map(move |way| {
            [What::Data, What::Eof].into_iter().map(move |what| Claim::Cell(other, way, what))
        })
    });
    cells.chain([Claim::Complete, Claim::File, Claim::Flags, Claim::Reset, Claim::Left])
}

impl Claim {
    fn told(self) -> String {
        match self {
            Self::Cell(other, way, what) => {
                let other = match other {
                    Other::Quiet => "quiet",
                    Other::Filled => "filled",
                    Other::Finished => "finished",
                };
                let way = match way {
                    Way::In => "in",
                    Way::Out => "out",
                };
                let what = match what {
                    What::Data => "data",
                    What::Eof => "end",
                };
                format!("{other} | {way} | {what}")
            }
            Self::Complete => "both filled, then read: all of it comes | | ".into(),
            Self::File => "stdin may be a file | | ".into(),
            Self::Flags => "flags of stdin are left alone | | ".into(),
            Self::Reset => "the connection is reset: it ends | | ".into(),
            Self::Left => "the reader of stdout leaves: it ends | | ".into(),
        }
    }

    /// Whether the claim is true.
    fn holds(self, program: Program, role: Role) -> bool {
        match self {
            Self::Cell(other, way, what) => cell(program, role, other, way, what),
            Self::Complete => complete(program, role),
            Self::File => file(program, role),
            Self::Flags => flags(program, role),
            Self::Reset => reset(program, role),
            Self::Left => left(program, role),
        }
    }
}

/// Whether a claim holds for the client, and for the listener.
struct Verdict([bool; 2]);

impl Verdict {
    fn count(&self) -> usize {
        self.0.into_iter().filter(|holds| *holds).count()
    }

    const fn told(&self) -> &'static str {
        match self.0 {
            [true, true] => "yes",
            [false, false] => "**no**",
            [true, false] => "client",
            [false, true] => "listener",
        }
    }
}

/// A column of the table.
#[derive(Clone, Copy)]
struct Program {
    name: &'static str,
    example: Option<&'static str>,
}

const PROGRAMS: [Program; 8] = [
    Program { name: "processes", example: Some("relay_processes") },
    Program { name: "threads", example: Some("relay_threads") },
    Program { name: "select", example: Some("relay_select") },
    Program { name: "poll", example: Some("relay_poll") },
    Program { name: "epoll level", example: Some("relay_epoll_level") },
    Program { name: "epoll edge", example: Some("relay_epoll_edge") },
    Program { name: "mio", example: Some("relay_mio") },
    Program { name: "nc", example: None },
];

impl Program {
    fn column(self) -> Vec<Verdict> {
        let both = |claim: Claim| Verdict(Role::BOTH.map(|role| claim.holds(self, role)));
        claims().map(both).collect()
    }

    /// About to be run; nc behaves as the rungs do: each end of file is passed on, and a finished
    /// direction does not end the other.
    fn command(self, args: &str) -> Nc {
        match self.example {
            Some(example) => Nc::other(example_path(example).to_str().unwrap(), args),
            None => Nc::new(format!("-N --half-close {args}")),
        }
    }

    #[track_caller]
    fn connected(self, role: Role, set_up: impl FnOnce(Nc) -> Nc) -> (Running, Peer) {
        match role {
            Role::Client => {
                let server = Server::start();
                let args = format!("127.0.0.1 {}", server.port());
                let running = set_up(self.command(&args)).start();
                (running, server.accepts())
            }
            Role::Listener => {
                let running = set_up(self.command("-l 0")).start();
                let mut port = None;
                wait_until("it listens", || {
                    port = kernel::listening_port(running.pid());
                    port.is_some()
                });
                (running, Peer::connect(port.expect("it listens")))
            }
        }
    }

    fn pair(self, role: Role) -> Pair {
        let (mut running, peer) = self.connected(role, Nc::stdout_unread);
        let (stdin, stdout) = (Some(running.take_stdin()), running.take_stdout());
        Pair { program: self, running, stdin, stdout, peer }
    }

    /// The system calls it makes in a session in which each of so many lines is answered before the
    /// next one is typed.
    fn calls(self, trips: usize) -> Vec<(String, u64)> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let summary = folder.path().join("summary");
        let server = Server::start();
        let args = ["-f", "-c", "-U", "name,calls", "-o", summary.to_str().unwrap()];
        let command = self.command(&format!("127.0.0.1 {}", server.port()));
        let mut traced = command.stdout_unread().under("strace", &args).start();
        let (mut stdin, mut stdout) = (traced.take_stdin(), traced.take_stdout());
        let mut peer = server.accepts();
        for _ in 0..trips {
            // A program that is not asleep yet when the next line comes has one wait less.
            rests(&traced, self.name, AT_LEAST);
            stdin.write_all(LINE).unwrap();
            peer.receives(LINE);
            rests(&traced, self.name, AT_LEAST);
            peer.sends(LINE);
            assert!(ready(&stdout, PollFlags::IN, DEADLINE), "{}: no answer", self.name);
            let mut got = [0; LINE.len()];
            stdout.read_exact(&mut got).unwrap();
            assert_eq!(got, LINE);
        }
        rests(&traced, self.name, AT_LEAST);
        peer.finishes();
        // One end after the other, as each may be told alone or both in one.
        rests(&traced, self.name, AT_LEAST);
        drop(stdin);
        traced.ends().exits(0);
        let text = fs::read_to_string(summary).expect("strace writes it at the end");
        let rows = text.lines().filter_map(|line| {
            let mut fields = line.split_whitespace();
            let (name, calls) = (fields.next()?, fields.next()?.parse().ok()?);
            (name != "total").then(|| (name.to_owned(), calls))
        });
        let mut rows: Vec<_> = rows.collect();
        rows.sort();
        rows
    }
}

/// What came out at a far end.
#[derive(PartialEq)]
enum Came {
    Byte(u8),
    End,
    /// A reset is neither a byte nor an end of file.
    Failure,
    /// And nothing will.
    Nothing,
}

/// A program with all four far ends in our hands. What can fail because of the program is a `bool`.
struct Pair {
    program: Program,
    running: Running,
    stdin: Option<ChildStdin>,
    stdout: ChildStdout,
    peer: Peer,
}

impl Pair {
    fn fills(&mut self, way: Way) -> u64 {
        let mut noise = Noise::new(SEED);
        let count = match way {
            Way::In => fill(&self.peer.stream, &mut noise),
            Way::Out => fill(self.stdin.as_ref().unwrap(), &mut noise),
        };
        rests(&self.running, self.program.name, AT_REST);
        count
    }

    fn sends(&mut self, way: Way) {
        match way {
            Way::In => self.peer.sends(LINE),
            Way::Out => self.stdin.as_mut().unwrap().write_all(LINE).unwrap(),
        }
    }

    fn finishes(&mut self, way: Way) {
        match way {
            Way::In => self.peer.finishes(),
            Way::Out => drop(self.stdin.take()),
        }
    }

    fn delivers(&mut self, way: Way) -> bool {
        LINE.iter().all(|byte| self.next(way) == Came::Byte(*byte))
    }

    fn shows_eof(&mut self, way: Way) -> bool {
        self.next(way) == Came::End
    }

    fn next(&mut self, way: Way) -> Came {
        let begun = Instant::now();
        while !self.shows(way, SOON) {
            // Who slept all the while had its chance before, so that this last look is a late one.
            if sleeps_for(&self.running, ASLEEP) && !self.shows(way, SOON) {
                return Came::Nothing;
            }
            assert!(begun.elapsed() < DEADLINE, "{} neither works nor sleeps", self.program.name);
        }
        let mut byte = [0];
        let count = match way {
            Way::In => self.stdout.read(&mut byte),
            Way::Out => self.peer.stream.read(&mut byte),
        };
        match count {
            Ok(0) => Came::End,
            Ok(_) => Came::Byte(byte[0]),
            Err(_) => Came::Failure,
        }
    }

    /// So many bytes of noise come in each way, and then both ends.
    fn all_comes(&mut self, sent: [u64; 2]) -> bool {
        let mut came = [Same::new(SEED), Same::new(SEED)];
        let mut ended = [false; 2];
        let mut chunk = vec![0; 64 * 1024];
        let mut last = Instant::now();
        while ended != [true; 2] {
            let mut idle = true;
            for (at, way) in [Way::In, Way::Out].into_iter().enumerate() {
                if ended[at] || !self.shows(way, SOON) {
                    continue;
                }
                idle = false;
                last = Instant::now();
                let read = match way {
                    Way::In => self.stdout.read(&mut chunk),
                    Way::Out => self.peer.stream.read(&mut chunk),
                };
                let Ok(count) = read else { return false };
                ended[at] = count == 0;
                came[at].write_all(&chunk[..count]).expect("it takes everything");
            }
            if idle && last.elapsed() > DEADLINE {
                return false;
            }
        }
        came.map(|same| same.count()) == sent
    }

    fn shows(&self, way: Way, limit: Duration) -> bool {
        match way {
            Way::In => ready(&self.stdout, PollFlags::IN, limit),
            Way::Out => ready(&self.peer.stream, PollFlags::IN, limit),
        }
    }

    fn ends_well(self) -> bool {
        let Self { running, stdin, peer, .. } = self;
        drop(stdin);
        running.ends().exits(0).complained_of_nothing();
        drop(peer);
        true
    }
}

fn cell(program: Program, role: Role, other: Other, way: Way, what: What) -> bool {
    let mut pair = program.pair(role);
    let opposite = match way {
        Way::In => Way::Out,
        Way::Out => Way::In,
    };
    if matches!(other, Other::Finished) {
        pair.finishes(opposite);
        if !pair.shows_eof(opposite) {
            return false;
        }
    }
    // More than once: the first may have found room that the next does not. And a writer that is
    // blocked is woken by what arrives, and may find room of its own; so it is filled each time.
    let is_filled = matches!(other, Other::Filled);
    for _ in 0..if is_filled { 6 } else { 2 } {
        if is_filled {
            pair.fills(opposite);
        }
        pair.sends(way);
        if !pair.delivers(way) {
            return false;
        }
    }
    if matches!(what, What::Eof) {
        pair.finishes(way);
        if !pair.shows_eof(way) {
            return false;
        }
    }
    rests(&pair.running, program.name, AT_REST);
    true
}

fn complete(program: Program, role: Role) -> bool {
    let mut pair = program.pair(role);
    let sent = [pair.fills(Way::In), pair.fills(Way::Out)];
    pair.finishes(Way::In);
    pair.finishes(Way::Out);
    pair.all_comes(sent) && pair.ends_well()
}

fn file(program: Program, role: Role) -> bool {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    fs::write(file.path(), LINE).unwrap();
    let stdin = File::open(file.path()).unwrap();
    let (running, mut peer) = program.connected(role, |nc| nc.stdin(stdin));
    // One that refuses it ends, and then there is an end of file, or a reset.
    let mut got = [0; LINE.len()];
    let came = peer.stream.read_exact(&mut got).is_ok() && got == LINE;
    drop(running);
    came
}

fn flags(program: Program, role: Role) -> bool {
    let (ours, _writer) = io::pipe().expect("a pipe");
    let before = fcntl_getfl(&ours).unwrap();
    let shared = ours.try_clone().unwrap();
    let (mut running, peer) = program.connected(role, |nc| nc.stdin(shared));
    running.settles();
    let after = fcntl_getfl(&ours).unwrap();
    drop(peer);
    assert!((before ^ after).difference(OFlags::NONBLOCK).is_empty(), "{before:?} {after:?}");
    before == after
}

fn reset(program: Program, role: Role) -> bool {
    let pair = program.pair(role);
    let Pair { mut running, stdin, peer, stdout, program } = pair;
    running.settles();
    peer.resets();
    let ended = ends_by_itself(&mut running);
    drop((stdin, stdout, program));
    ended
}

fn left(program: Program, role: Role) -> bool {
    let Pair { mut running, stdin, peer, stdout, .. } = program.pair(role);
    running.settles();
    drop(stdout);
    let ended = ends_by_itself(&mut running);
    drop((stdin, peer));
    ended
}

/// What waits must sleep: a loop that spins is an accident, and no rung's weakness.
fn rests(running: &Running, name: &str, window: Duration) {
    let begun = Instant::now();
    while !sleeps_for(running, window) {
        assert!(begun.elapsed() < DEADLINE, "{name} never sleeps");
    }
}

/// All threads of it and of its children sleep, and have slept for so long. One that has ended sleeps
/// well.
fn sleeps_for(running: &Running, window: Duration) -> bool {
    let pid = running.pid().as_raw_nonzero().get().unsigned_abs();
    let before = threads(pid);
    thread::sleep(window);
    let after = threads(pid);
    before == after && after.iter().all(|(_, state, _)| matches!(state, 'S' | 'Z'))
}

/// Ends, or has gone to sleep over it.
fn ends_by_itself(running: &mut Running) -> bool {
    let pid = running.pid().as_raw_nonzero().get().unsigned_abs();
    let begun = Instant::now();
    loop {
        let before = threads(pid);
        thread::sleep(ASLEEP);
        let after = threads(pid);
        if after.is_empty() || after.iter().all(|(_, state, _)| *state == 'Z') {
            return true;
        }
        if before == after && after.iter().all(|(_, state, _)| *state == 'S') {
            return false;
        }
        assert!(begun.elapsed() < DEADLINE, "it neither ends nor sleeps");
    }
}

/// Of a process and its children: each thread, its state, and how often it has gone to sleep.
fn threads(pid: u32) -> Vec<(u32, char, u64)> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let mut all = Vec::new();
    for task in tasks.flatten() {
        let Some(id) = task.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // What cannot be read has ended meanwhile.
        let status = fs::read_to_string(task.path().join("status")).unwrap_or_default();
        let field = |name: &str| {
            status
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
                .map(str::trim)
        };
        let state = field("State").and_then(|text| text.chars().next()).unwrap_or('Z');
        let sleeps = field("voluntary_ctxt_switches").and_then(|text| text.parse().ok());
        all.push((id, state, sleeps.unwrap_or(0)));
        let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
        all.extend(children.split_whitespace().filter_map(|id| id.parse().ok()).flat_map(threads));
    }
    all.sort_unstable();
    all
}

/// Where Cargo puts it, beside the test that runs. A full `cargo test` has built it already; one that
/// names this test has not.
fn example_path(name: &str) -> PathBuf {
    static BUILT: Once = Once::new();
    let test = env::current_exe().expect("a running program has a path");
    let profile = test.parent().and_then(Path::parent).expect("target/PROFILE/deps/ladder-HASH");
    let examples = profile.join("examples");
    BUILT.call_once(|| {
        if PROGRAMS.iter().filter_map(|one| one.example).all(|name| is_fresh(&examples, name)) {
            return;
        }
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["build", "--quiet", "--locked", "--examples"]);
        if profile.ends_with("release") {
            cargo.arg("--release");
        }
        let built = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status();
        assert!(built.is_ok_and(|status| status.success()), "the examples cannot be built");
    });
    examples.join(name)
}

fn is_fresh(examples: &Path, name: &str) -> bool {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/examples/{name}.rs"));
    let changed = |path: &Path| path.metadata().and_then(|file| file.modified());
    let source = changed(&source).expect("the source of an example");
    changed(&examples.join(name)).is_ok_and(|built| built >= source)
}

/// Compares with what stands between two marks, or puts it there.
#[track_caller]
fn stands_on_the_page(name: &str, table: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/course/04-the-ladder.md");
    let page = fs::read_to_string(&path).expect("the page");
    let (begin, end) = (format!("<!-- ladder: {name} -->\n"), "\n<!-- end -->");
    let from = page.find(&begin).expect("the mark before the table") + begin.len();
    let to = from + page[from..].find(end).expect("the mark behind the table");
    if env::var_os("TRANSCRIPTS").is_some_and(|value| value == "update") {
        fs::write(&path, [&page[..from], table, &page[to..]].concat()).expect("the page");
        return;
    }
    let shown = page[from..to].lines();
    let stale: Vec<_> = shown.zip(table.lines()).filter(|(shown, found)| shown != found).collect();
    assert!(
        &page[from..to] == table,
        "04-the-ladder.md is stale ({UPDATE}); shown, and found: {stale:#?}"
    );
}

const UPDATE: &str = "TRANSCRIPTS=update cargo test --test ladder";

/// Long enough for a loop that spins to be seen at it.
const AT_REST: Duration = Duration::from_millis(50);

/// Long enough for two looks to be two.
const AT_LEAST: Duration = Duration::from_millis(2);

/// Asleep for so long, after all that could wake it: for ever.
const ASLEEP: Duration = Duration::from_millis(250);

/// Between two looks.
const SOON: Duration = Duration::from_millis(2);

const LINE: &[u8] = b"one line\n";

const SEED: u64 = 24;
