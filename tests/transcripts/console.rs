//! The consoles of a transcript: shells in a place of their own, what is typed into them, and what
//! they print.
//!
//! A place is one process tree in its own namespaces (unshare(1)). Whatever was started in it ends with
//! it. Every wait has an end.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, Mode, OFlags, mkfifoat};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// A place with consoles in it.
pub(crate) struct Stage {
    consoles: BTreeMap<u8, Console>,
    process: Child,
    /// Its end ends the place.
    _hold: Option<ChildStdin>,
    seen: Activity,
    still_since: Instant,
    acted: Instant,
    dir: PathBuf,
    folder: TempDir,
}

struct Console {
    commands: File,
    ended: File,
    output: File,
    stdin_path: PathBuf,
    stdin: Option<File>,
    is_running: bool,
    pending: Vec<u8>,
    quiet_since: Instant,
}

impl Stage {
    /// Sets it up with these consoles; `text`, the transcript, tells which of our files it needs.
    pub(crate) fn new(consoles: &[u8], text: &str) -> Result<Self, String> {
        Self::set_up(consoles, text).map_err(|error| format!("cannot set the stage: {error}"))
    }

    fn set_up(consoles: &[u8], text: &str) -> std::io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("tmp.").tempdir()?;
        let (control, dir) = (folder.path().join("control"), folder.path().join("here"));
        for new in [&control, &control.join("bin"), &dir] {
            fs::create_dir(new)?;
        }
        let nc = Path::new(env!("CARGO_BIN_EXE_nc"));
        symlink(nc, control.join("bin/nc"))?;
        lend_files(&dir, nc, text)?;
        fs::write(control.join("hosts"), HOSTS)?;
        fs::write(control.join("nsswitch.conf"), NSSWITCH)?;
        fs::write(control.join("stage.sh"), include_str!("stage.sh"))?;
        fs::write(control.join("console.sh"), include_str!("console.sh"))?;
        let mut ends = BTreeMap::new();
        for &number in consoles {
            ends.insert(number, Console::new(&control, number)?);
        }
        let mut command = Command::new("unshare");
        command.args(NAMESPACES);
        if !rustix::process::geteuid().is_root() {
            command.arg("--map-root-user");
        }
        let path = format!("{}:{PATH}", control.join("bin").display());
        let mut process = command
            .arg("bash")
            .arg(control.join("stage.sh"))
            .args([&control, &dir])
            .args(consoles.iter().map(u8::to_string))
            .env_clear()
            .envs([("PATH", &*path), ("HOME", &dir.display().to_string())])
            .envs([("LC_ALL", "C.UTF-8"), ("TZ", "UTC"), ("TERM", "dumb"), ("USER", "root")])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()?;
        let hold = process.stdin.take();
        let now = Instant::now();
        Ok(Self {
            consoles: ends,
            process,
            _hold: hold,
            seen: Activity::default(),
            still_since: now,
            acted: now,
            dir,
            folder,
        })
    }

    /// Starts a command; the one before must have ended.
    pub(crate) fn run(&mut self, console: u8, command: &str) -> Result<(), String> {
        let console = self.console(console);
        console.stdin = None;
        let both = OpenOptions::new().read(true).write(true).open(&console.stdin_path);
        console.stdin = Some(both.map_err(|error| format!("no stdin: {error}"))?);
        console.is_running = true;
        let sent = console.commands.write_all(format!("{command}\0").as_bytes());
        self.acted();
        sent.map_err(|error| format!("the console has gone: {error}"))
    }

    pub(crate) fn type_line(&mut self, console: u8, text: &str) -> Result<(), String> {
        let stdin = self.console(console).stdin.as_mut().ok_or("its stdin has ended already")?;
        let typed = stdin.write_all(format!("{text}\n").as_bytes());
        self.acted();
        typed.map_err(|error| format!("cannot type: {error}"))
    }

    pub(crate) fn end_input(&mut self, console: u8) {
        self.console(console).stdin = None;
        self.acted();
    }

    /// As Control-C: to everything that the console runs, and not to its shell.
    pub(crate) fn interrupt(&mut self, console: u8) {
        let name = format!("console.sh\0{}\0{console}\0", self.control().display());
        let shells = descendants(self.process.id()).into_iter().filter(|pid| {
            fs::read(format!("/proc/{pid}/cmdline"))
                .is_ok_and(|line| line.ends_with(name.as_bytes()))
        });
        // A fork of the shell has its command line too; the first is the shell.
        let Some(shell) = shells.min_by_key(|pid| start_time(*pid)) else { return };
        for pid in descendants(shell).into_iter().skip(1) {
            if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
                // It may have ended this moment.
                let _ = kill_process(pid, Signal::INT);
            }
        }
        self.acted();
    }

    pub(crate) fn is_running(&mut self, console: u8) -> bool {
        self.look();
        self.console(console).is_running
    }

    /// The lines that have come and have not been taken.
    pub(crate) fn pending(&mut self, console: u8) -> Vec<String> {
        self.look();
        let dir = self.dir.display().to_string();
        let text = String::from_utf8_lossy(&self.console(console).pending).into_owned();
        let text = text.replace(&dir, "/tmp/tmp.here");
        text.lines().map(|line| by_bash(line).unwrap_or_else(|| line.to_owned())).collect()
    }

    /// Takes so many lines.
    pub(crate) fn take(&mut self, console: u8, lines: usize) {
        let pending = &mut self.console(console).pending;
        let ends = pending.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        let length = match lines.checked_sub(1) {
            None => 0,
            Some(before) => ends.map(|(at, _)| at + 1).nth(before).unwrap_or(pending.len()),
        };
        pending.drain(..length);
    }

    /// Whether everybody in the place sleeps and has slept so long, and not in a short sleep(1), after
    /// which something is to come; or, where that is never so, whether this console has been quiet for
    /// a while.
    pub(crate) fn is_still(&mut self, console: u8, window: Duration) -> bool {
        self.look();
        let now = Activity::of(self.process.id());
        let is_dozing = now.is_dozing;
        if !now.all_asleep || now != self.seen {
            self.seen = now;
            self.touch();
        }
        let quiet = self.console(console).quiet_since.max(self.acted).elapsed();
        let patience = if is_dozing { LONG_SLEEP } else { QUIET };
        self.still_since.elapsed() >= window && !is_dozing || quiet >= patience.max(window)
    }

    /// Something was done to somebody in the place.
    fn acted(&mut self) {
        self.acted = Instant::now();
        self.touch();
    }

    fn touch(&mut self) {
        self.still_since = Instant::now();
    }

    /// Takes in what has happened.
    fn look(&mut self) {
        let mut heard = false;
        for console in self.consoles.values_mut() {
            heard |= console.look();
        }
        if heard {
            self.touch();
        }
    }

    fn console(&mut self, number: u8) -> &mut Console {
        self.consoles.get_mut(&number).expect("the block was read for its consoles")
    }

    fn control(&self) -> PathBuf {
        self.folder.path().join("control")
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // unshare(1) takes the place with it.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Console {
    fn new(control: &Path, number: u8) -> std::io::Result<Self> {
        let fifo = |name: &str| {
            let path = control.join(format!("{name}.{number}"));
            mkfifoat(CWD, &path, Mode::from_raw_mode(0o600)).map(|()| path)
        };
        // With both ends open here nobody waits for the other side to open its end.
        let open = |path: &Path| {
            let mut options = OpenOptions::new();
            let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
            options.read(true).write(true).custom_flags(flags).open(path)
        };
        Ok(Self {
            commands: open(&fifo("commands")?)?,
            ended: open(&fifo("ended")?)?,
            output: open(&fifo("output")?)?,
            stdin_path: fifo("stdin")?,
            stdin: None,
            is_running: false,
            pending: Vec::new(),
            quiet_since: Instant::now(),
        })
    }

    /// Whether anything has come.
    fn look(&mut self) -> bool {
        // In this order: what a command has printed is there before its end is told.
        let ended = !drain(&mut self.ended).is_empty();
        let output = drain(&mut self.output);
        self.is_running &= !ended;
        let heard = ended || !output.is_empty();
        if heard {
            self.quiet_since = Instant::now();
        }
        self.pending.extend(output);
        heard
    }
}

fn drain(from: &mut File) -> Vec<u8> {
    let mut all = Vec::new();
    match from.read_to_end(&mut all) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}"),
    }
    all
}

/// What a group of processes has done so far, as far as the scheduler knows.
#[derive(Debug, Default, PartialEq, Eq)]
struct Activity {
    switches: BTreeMap<u32, u64>,
    all_asleep: bool,
    /// Somebody is in a sleep(1) that is not long.
    is_dozing: bool,
}

impl Activity {
    fn of(root: u32) -> Self {
        let mut now = Self { all_asleep: true, ..Self::default() };
        for pid in descendants(root) {
            let Ok(status) = fs::read_to_string(format!("/proc/{pid}/status")) else { continue };
            let field = |name: &str| {
                let line = status.lines().find_map(|line| line.strip_prefix(name));
                line.map(str::trim).unwrap_or_default()
            };
            now.is_dozing |= field("Name:") == "sleep" && dozes(pid);
            now.all_asleep &= !field("State:").starts_with(['R', 'D']);
            let count = |name| field(name).parse().unwrap_or(0_u64);
            let switches = count("voluntary_ctxt_switches:") + count("nonvoluntary_ctxt_switches:");
            now.switches.insert(pid, switches);
        }
        now
    }
}

/// A process and all below it.
fn descendants(root: u32) -> Vec<u32> {
    let mut found = vec![root];
    let mut next = 0;
    while let Some(pid) = found.get(next) {
        next += 1;
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        let children = children.unwrap_or_default();
        found.extend(children.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
    }
    found
}

/// What our shell says as a script, as it says it to a user: `bash: nd: command not found`.
fn by_bash(line: &str) -> Option<String> {
    let (_, said) = line.split_once("/control/console.sh: line ")?;
    let (_, said) = said.split_once(": ")?;
    Some(format!("bash: {said}"))
}

/// Whether a sleep(1) is soon over.
fn dozes(pid: u32) -> bool {
    let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let time = line.trim_end_matches('\0').rsplit('\0').next().unwrap_or_default();
    time.trim_end_matches('s').parse().is_ok_and(|seconds: f64| seconds < LONG_SLEEP.as_secs_f64())
}

fn start_time(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default();
    fields.split_whitespace().nth(19).and_then(|ticks| ticks.parse().ok()).unwrap_or(u64::MAX)
}

/// A transcript that names them finds the repository's folders, and the programs that Cargo has built
/// by either name.
fn lend_files(dir: &Path, nc: &Path, text: &str) -> std::io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for name in ["docs", "src", "tests"] {
        if text.contains(&format!("{name}/")) {
            symlink(root.join(name), dir.join(name))?;
        }
    }
    if let (true, Some(built)) = (text.contains("target/"), nc.parent()) {
        fs::create_dir(dir.join("target"))?;
        for profile in ["debug", "release"] {
            symlink(built, dir.join("target").join(profile))?;
        }
    }
    Ok(())
}

/// Between two looks.
pub(crate) fn pause() {
    thread::sleep(Duration::from_millis(4));
}

const NAMESPACES: [&str; 8] =
    ["--net", "--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child", "--mount-proc"];

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

const HOSTS: &str = "127.0.0.1 localhost\n127.0.1.1 board\n::1 ip6-localhost ip6-loopback\n";

const NSSWITCH: &str =
    "passwd: files\ngroup: files\nhosts: files\nservices: files\nprotocols: files\n";

/// Nobody waits for the end of a sleep(1) as long as this.
const LONG_SLEEP: Duration = Duration::from_millis(3500);

/// As long as this a place may be busy in silence.
const QUIET: Duration = Duration::from_secs(1);
