//! Processes: starting them, waiting for them, and what they cost.
//!
//! Every process is its own group and is killed with it when its [`Process`] is dropped. Processor
//! time is read from `/proc` while the process is a zombie, in nanoseconds where the kernel keeps
//! them; the peak of its memory while it lives, for a zombie has none.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use crate::case::{Failure, Outcome};
use crate::peers::{HELPER, Program, Role, find};
use crate::setup::Place;

/// A running program.
pub(crate) struct Process {
    child: Child,
    exit: OwnedFd,
    stderr: File,
    name: String,
    peak_kib: u64,
    cost: Option<Cost>,
}

/// What a process has cost when it ended.
#[derive(Clone, Copy)]
struct Cost {
    status: ExitStatus,
    cpu: f64,
    minor_faults: f64,
}

/// Where a process reads from and writes to. Nothing, where not said otherwise.
#[derive(Default)]
pub(crate) struct Streams {
    pub(crate) stdin: Option<Stdio>,
    pub(crate) stdout: Option<Stdio>,
}

impl Process {
    pub(crate) fn program(who: Program, role: Role<'_>, streams: Streams) -> Outcome<Self> {
        let path = who.path().ok_or(Failure::NotInstalled)?;
        let mut command = Command::new(path);
        command.args(who.arguments(role));
        Self::start(command, who.name(), streams)
    }

    /// A program under a counter of system calls.
    pub(crate) fn counted(
        who: Program,
        role: Role<'_>,
        streams: Streams,
        counter: &Counter,
    ) -> Outcome<Self> {
        let path = who.path().ok_or(Failure::NotInstalled)?;
        let mut command = counter.command();
        command.arg(path).args(who.arguments(role));
        Self::start(command, who.name(), streams)
    }

    /// This binary in one of its other roles.
    pub(crate) fn helper<A: AsRef<OsStr>>(arguments: &[A], streams: Streams) -> Outcome<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(HELPER).args(arguments);
        Self::start(command, "the counterpart", streams)
    }

    fn start(mut command: Command, name: &str, streams: Streams) -> Outcome<Self> {
        check_interrupted()?;
        let stderr = tempfile::tempfile()?;
        // Cargo sets it, and the dynamic loader would look into each of its directories first.
        command.env_remove("LD_LIBRARY_PATH");
        let child = command
            .stdin(streams.stdin.unwrap_or_else(Stdio::null))
            .stdout(streams.stdout.unwrap_or_else(Stdio::null))
            .stderr(stderr.try_clone()?)
            .process_group(0)
            .spawn()?;
        let exit = pidfd_open(Pid::from_child(&child), PidfdFlags::empty())?;
        Ok(Self { child, exit, stderr, name: name.to_owned(), peak_kib: 0, cost: None })
    }

    /// What it has used so far, with its children, in seconds.
    pub(crate) fn cpu(&self) -> f64 {
        self.cost.map_or_else(|| tree_cpu(self.pid()), |cost| cost.cpu)
    }

    /// The most memory it has had, as far as anybody looked while it lived.
    pub(crate) fn peak_kib(&mut self) -> f64 {
        self.look();
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let peak = self.peak_kib as f64;
        peak
    }

    pub(crate) fn minor_faults(&self) -> f64 {
        self.cost.map_or(0.0, |cost| cost.minor_faults)
    }

    /// A number in its `/proc/PID/status`, as in `VmRSS:  2048 kB`.
    pub(crate) fn status_number(&self, field: &str) -> Option<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).ok()?;
        number_in(&status, field)
    }

    /// A number in its `/proc/PID/smaps_rollup`, in KiB.
    pub(crate) fn memory_kib(&self, field: &str) -> Option<f64> {
        let maps = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.pid())).ok()?;
        number_in(&maps, field)
    }

    /// How often it has been taken off a processor.
    pub(crate) fn switches(&self) -> Option<f64> {
        let by_itself = self.status_number("voluntary_ctxt_switches")?;
        Some(by_itself + self.status_number("nonvoluntary_ctxt_switches")?)
    }

    /// What it has written to stderr.
    pub(crate) fn stderr(&mut self) -> String {
        let mut bytes = Vec::new();
        // The offset is shared with the process, which must not be writing any more or is lost anyway.
        let read = self.stderr.rewind().and_then(|()| self.stderr.read_to_end(&mut bytes));
        match read {
            Ok(_) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) => error.to_string(),
        }
    }

    /// What a helper says at its end, as in `bytes 4096`.
    pub(crate) fn reported(&mut self, what: &str) -> Outcome<f64> {
        let said = self.stderr();
        let mut lines = said.lines();
        let value = lines.find_map(|line| line.strip_prefix(what)?.trim().parse().ok());
        value.ok_or_else(|| Failure::Failed(format!("the counterpart said {:?}", said.trim())))
    }

    /// Waits until it sleeps and stays asleep.
    pub(crate) fn settle(&self) -> Outcome<()> {
        let begun = Instant::now();
        let mut before = self.switches();
        while begun.elapsed() < SETTLES_WITHIN {
            check_interrupted()?;
            thread::sleep(SETTLED);
            let now = self.switches();
            if now == before {
                return Ok(());
            }
            before = now;
        }
        Err(Failure::Failed(format!("{} finds no rest", self.name)))
    }

    /// Waits until there is something to read, or the process has ended; true for the former.
    pub(crate) fn wait_beside(&self, what: &impl AsFd, limit: Duration) -> Outcome<bool> {
        let mut polled = [PollFd::new(what, PollFlags::IN), PollFd::new(&self.exit, PollFlags::IN)];
        wait_on(&mut polled, limit)?;
        Ok(!polled[0].revents().is_empty())
    }

    /// An end before it was due is told with the reason.
    pub(crate) fn has_not_failed(&mut self) -> Outcome<()> {
        if self.cost.is_none() && self.has_ended() {
            self.reap()?;
        }
        if self.cost.is_some() { Err(self.failure()) } else { Ok(()) }
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.cost.is_some() || ready(&self.exit, Duration::ZERO).unwrap_or(false)
    }

    /// An end with this status, and nothing else, is good.
    pub(crate) fn succeeded(&mut self, statuses: &[i32]) -> Outcome<()> {
        let Some(cost) = self.cost else {
            return Err(Failure::Failed(format!("{} runs on", self.name)));
        };
        if cost.status.code().is_some_and(|code| statuses.contains(&code)) {
            return Ok(());
        }
        Err(self.failure())
    }

    fn failure(&mut self) -> Failure {
        let said = self.stderr();
        let line = said.lines().rfind(|line| !line.trim().is_empty());
        let status = self.cost.map(|cost| cost.status.to_string()).unwrap_or_default();
        let Self { name, .. } = self;
        Failure::Failed(line.map_or_else(
            || format!("{name} ended without a word ({status})"),
            |line| format!("{name} said \"{}\"", line.trim()),
        ))
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    fn look(&mut self) {
        if let Some(peak) = self.status_number("VmHWM") {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "it was a whole number of KiB"
            )]
            let peak = peak as u64;
            self.peak_kib = peak;
        }
    }

    /// Takes note of the end, once it has come.
    fn reap(&mut self) -> Outcome<()> {
        let pid = self.pid();
        let cpu = tree_cpu(pid);
        let minor_faults = stat_numbers(pid).get(MINOR_FAULTS).copied().unwrap_or(0.0);
        // Before the leader is waited for, its number cannot be another's.
        kill_group(pid);
        let status = self.child.wait()?;
        self.cost = Some(Cost { status, cpu, minor_faults });
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.cost.is_none() {
            kill_group(self.pid());
            let _ = self.child.wait();
        }
    }
}

/// Waits until all have ended, in any order, and with whichever status.
pub(crate) fn wait_for_all(processes: &mut [&mut Process], limit: Duration) -> Outcome<()> {
    let begun = Instant::now();
    loop {
        check_interrupted()?;
        let running: Vec<&OwnedFd> =
            processes.iter().filter(|one| one.cost.is_none()).map(|one| &one.exit).collect();
        if running.is_empty() {
            return Ok(());
        }
        let mut polled: Vec<_> =
            running.into_iter().map(|exit| PollFd::new(exit, PollFlags::IN)).collect();
        // Not longer, so as to see how large they have grown.
        wait_on(&mut polled, Duration::from_millis(20))?;
        for process in processes.iter_mut().filter(|one| one.cost.is_none()) {
            if process.has_ended() {
                process.reap()?;
            } else {
                process.look();
            }
        }
        if begun.elapsed() > limit {
            let late = processes.iter_mut().find(|one| one.cost.is_none());
            return late.map_or(Ok(()), |one| {
                Err(Failure::Failed(format!("{} ran on after {limit:?}", one.name)))
            });
        }
    }
}

/// Waits until somebody listens there; `process` is who should.
pub(crate) fn wait_for_listener(place: &Place, process: &mut Process) -> Outcome<()> {
    wait_for_table(process, || match place {
        Place::Tcp(port) => listening().contains(port),
        Place::Unix(path) => listens_on_path(path),
    })
}

/// Waits until a UDP socket is bound to this port.
pub(crate) fn wait_for_datagram_socket(port: u16, process: &mut Process) -> Outcome<()> {
    wait_for_table(process, || rows("/proc/net/udp").any(|(local, _)| local == port))
}

fn wait_for_table(process: &mut Process, there: impl Fn() -> bool) -> Outcome<()> {
    let begun = Instant::now();
    while !there() {
        check_interrupted()?;
        process.has_not_failed()?;
        if begun.elapsed() > LISTENS_WITHIN {
            return Err(Failure::Failed(format!("{} never listened", process.name)));
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// The TCP ports that somebody listens on.
pub(crate) fn listening() -> BTreeSet<u16> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let rows = tables.into_iter().flat_map(rows);
    rows.filter(|(_, state)| state == LISTEN).map(|(port, _)| port).collect()
}

fn listens_on_path(path: &Path) -> bool {
    let table = fs::read_to_string("/proc/net/unix").unwrap_or_default();
    let path = path.to_string_lossy();
    let mut fields = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    fields.any(|row| row.get(3) == Some(&ACCEPTS) && row.last() == Some(&&*path))
}

/// Local port and state of every line of such a table.
fn rows(table: &str) -> impl Iterator<Item = (u16, String)> + use<> {
    let text = fs::read_to_string(table).unwrap_or_default();
    let rows = text.lines().skip(1).filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let port = fields.get(1)?.rsplit(':').next()?;
        Some((u16::from_str_radix(port, 16).ok()?, (*fields.get(3)?).to_owned()))
    });
    rows.collect::<Vec<_>>().into_iter()
}

/// Counts the system calls of a program and its children: with perf(1), which does not slow it down, or
/// else with strace(1), which lets a relay find more to read at once, so that it needs fewer.
pub(crate) struct Counter {
    tool: Tool,
    file: tempfile::NamedTempFile,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tool {
    Perf,
    Strace,
}

impl Counter {
    /// `None` if the machine has neither tool, or does not let us use them.
    pub(crate) fn new() -> io::Result<Option<Self>> {
        let Some(tool) = counting_tool() else { return Ok(None) };
        Ok(Some(Self { tool, file: tempfile::NamedTempFile::new()? }))
    }

    fn command(&self) -> Command {
        let path = self.file.path();
        match self.tool {
            Tool::Perf => perf(path),
            Tool::Strace => {
                let mut command = Command::new("strace");
                command.args(["-f", "-c", "-U", "calls,name", "-o"]).arg(path);
                command
            }
        }
    }

    /// The calls of a program that has ended.
    pub(crate) fn calls(&self) -> Outcome<f64> {
        let text = fs::read_to_string(self.file.path())?;
        let calls = match self.tool {
            Tool::Perf => perf_count(&text),
            Tool::Strace => text
                .lines()
                .find(|line| line.ends_with("total"))
                .and_then(|line| line.split_whitespace().next()?.parse().ok()),
        };
        calls.ok_or_else(|| Failure::Failed(format!("no count in {text:?}")))
    }
}

/// Which tool works here, tried once.
pub(crate) fn counting_tool() -> Option<Tool> {
    static FOUND: OnceLock<Option<Tool>> = OnceLock::new();
    *FOUND.get_or_init(|| {
        let works = find("perf").is_some() && {
            let file = tempfile::NamedTempFile::new().ok()?;
            let ran = perf(file.path()).arg("true").output().ok()?;
            let text = fs::read_to_string(file.path()).ok()?;
            ran.status.success() && perf_count(&text).is_some()
        };
        if works { Some(Tool::Perf) } else { find("strace").map(|_| Tool::Strace) }
    })
}

fn perf(file: &Path) -> Command {
    let mut command = Command::new("perf");
    command.args(["stat", "-x", ",", "-e", "raw_syscalls:sys_enter", "-o"]).arg(file).arg("--");
    command
}

fn perf_count(text: &str) -> Option<f64> {
    let mut lines = text.lines().filter(|line| line.contains("sys_enter"));
    lines.next()?.split(',').next()?.parse().ok()
}

/// Waits until it can be read, or has ended; false when the time is over.
pub(crate) fn ready(what: &impl AsFd, limit: Duration) -> Outcome<bool> {
    let mut polled = [PollFd::new(what, PollFlags::IN)];
    wait_on(&mut polled, limit)?;
    Ok(!polled[0].revents().is_empty())
}

/// poll(2), for which a signal is the end of the time.
pub(crate) fn wait_on(polled: &mut [PollFd<'_>], limit: Duration) -> Outcome<()> {
    let limit =
        Timespec::try_from(limit).map_err(|_| Failure::Failed("a very long time".into()))?;
    match poll(polled, Some(&limit)) {
        Ok(_) => Ok(()),
        Err(rustix::io::Errno::INTR) => check_interrupted(),
        Err(error) => Err(error.into()),
    }
}

/// A pipe; both ends close on exec. First the end to read from.
pub(crate) fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(pipe_with(PipeFlags::CLOEXEC)?)
}

/// Makes the first control-C an error that the next look at anything returns, so that everything is
/// dropped and so ended; the second one ends the program at once.
pub(crate) fn heed_interrupts() -> io::Result<()> {
    let flag = INTERRUPTED.get_or_init(Arc::default);
    for signal in [libc::SIGINT, libc::SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(flag))?;
        signal_hook::flag::register(signal, Arc::clone(flag))?;
    }
    Ok(())
}

pub(crate) fn check_interrupted() -> Outcome<()> {
    let flag = INTERRUPTED.get_or_init(Arc::default);
    if flag.load(Ordering::Relaxed) { Err(Failure::Interrupted) } else { Ok(()) }
}

/// The process, those of its children that live, and those that it has waited for.
fn tree_cpu(pid: Pid) -> f64 {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let children = children.unwrap_or_default();
    let children = children.split_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?));
    let waited_for: f64 = stat_numbers(pid).iter().skip(CHILDRENS_TIME).take(2).sum();
    let living: f64 = children.map(own_cpu).sum();
    own_cpu(pid) + living + waited_for * TICK
}

fn own_cpu(pid: Pid) -> f64 {
    let exact = fs::read_to_string(format!("/proc/{pid}/schedstat")).ok();
    let exact = exact.and_then(|text| text.split_whitespace().next()?.parse::<f64>().ok());
    exact.map_or_else(
        || stat_numbers(pid).iter().skip(OWN_TIME).take(2).sum::<f64>() * TICK,
        |nanoseconds| nanoseconds / 1e9,
    )
}

/// The fields of `/proc/PID/stat` after the command's name, which may contain anything. The first of
/// them, a letter, is left out.
fn stat_numbers(pid: Pid) -> Vec<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = stat.rsplit_once(") ").map(|(_, fields)| fields).unwrap_or_default();
    fields.split_whitespace().skip(1).map(|field| field.parse().unwrap_or(0.0)).collect()
}

fn number_in(text: &str, field: &str) -> Option<f64> {
    let mut lines = text.lines();
    let rest = lines.find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    rest.split_whitespace().next()?.parse().ok()
}

fn kill_group(pid: Pid) {
    // Fails only where nobody is left.
    let _ = kill_process_group(pid, Signal::KILL);
}

static INTERRUPTED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// ncat's start alone takes a tenth of a second.
const LISTENS_WITHIN: Duration = Duration::from_secs(5);

/// How long a program must sleep undisturbed to count as settled.
const SETTLED: Duration = Duration::from_millis(40);
const SETTLES_WITHIN: Duration = Duration::from_secs(5);

/// `TCP_LISTEN` as the kernel's table writes it.
const LISTEN: &str = "0A";

/// `__SO_ACCEPTCON` as the kernel's table of UNIX sockets writes it.
const ACCEPTS: &str = "00010000";

/// Seconds in one of the clock ticks that `/proc` counts in.
const TICK: f64 = 0.01;

/// Where [`stat_numbers`] has what proc(5) calls `minflt`, `utime` and `cutime`.
const MINOR_FAULTS: usize = 6;
const OWN_TIME: usize = 10;
const CHILDRENS_TIME: usize = 12;
