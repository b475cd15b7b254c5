//! A running process as a test sees it, and what is left when it has ended.

use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdin, ChildStdout, ExitStatus};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::wait::PAUSE;
use super::{DEADLINE, assert_same, kernel, wait_until};

/// A process of ours. Dropping it kills it.
pub(crate) struct Running {
    told: String,
    child: Child,
    stdin: Option<ChildStdin>,
    unread_stdout: Option<ChildStdout>,
    stdout: Gathered,
    stderr: Gathered,
}

impl Running {
    /// Takes over a child just started; `unread` leaves its stdout to the test.
    pub(crate) fn new(told: String, mut child: Child, unread: bool) -> Self {
        let stdin = child.stdin.take();
        let (unread_stdout, stdout) = match child.stdout.take() {
            Some(pipe) if unread => (Some(pipe), None),
            pipe => (None, pipe),
        };
        let (stdout, stderr) = (Gathered::new(stdout), Gathered::new(child.stderr.take()));
        Self { told, child, stdin, unread_stdout, stdout, stderr }
    }

    /// The port of its `Listening on HOST PORT` line (needs `-v`).
    #[track_caller]
    pub(crate) fn port(&self) -> u16 {
        self.port_in("Listening on ")
    }

    /// The port of its `Bound on HOST PORT` line (needs `-v`).
    #[track_caller]
    pub(crate) fn bound_port(&self) -> u16 {
        self.port_in("Bound on ")
    }

    #[track_caller]
    fn port_in(&self, start: &str) -> u16 {
        let line = self.says(start);
        let port = line.rsplit(' ').next().and_then(|port| port.parse().ok());
        port.unwrap_or_else(|| panic!("no port in {line:?}"))
    }

    /// Waits for a line on stderr that contains `text`, and returns the line.
    #[track_caller]
    pub(crate) fn says(&self, text: &str) -> String {
        let line = self.stderr.wait_for(|bytes| {
            let all = String::from_utf8_lossy(bytes).into_owned();
            let whole = all.split_inclusive('\n').filter(|line| line.ends_with('\n'));
            whole.map(str::trim_end).find(|line| line.contains(text)).map(str::to_owned)
        });
        line.unwrap_or_else(|| panic!("{} never said {text:?}:\n{}", self.told, self.stderr_text()))
    }

    /// Waits until stdout is exactly this.
    #[track_caller]
    pub(crate) fn shows(&self, expected: &[u8]) {
        let enough =
            self.stdout.wait_for(|bytes| (bytes.len() >= expected.len()).then(|| bytes.to_vec()));
        let got = enough.unwrap_or_else(|| self.stdout.bytes());
        assert_same(&got, expected, &format!("stdout of {}", self.told));
    }

    /// What has come to stdout so far.
    pub(crate) fn shown(&self) -> Vec<u8> {
        self.stdout.bytes()
    }

    /// Waits until its stdout has been closed by everybody who had it.
    #[track_caller]
    pub(crate) fn closes_stdout(&self) {
        assert!(self.stdout.wait_for_end(), "{} never closed its stdout", self.told);
    }

    pub(crate) fn stderr_text(&self) -> String {
        String::from_utf8_lossy(&self.stderr.bytes()).into_owned()
    }

    /// Writes to its stdin; blocks where the program does not read.
    #[track_caller]
    pub(crate) fn types(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().expect("stdin is an open pipe");
        stdin.write_all(bytes).expect("it reads its stdin");
    }

    /// Writes all of it to stdin and closes it, while the test goes on.
    pub(crate) fn types_all(&mut self, bytes: Vec<u8>) {
        let mut stdin = self.take_stdin();
        // A program that has gone meanwhile shows in what arrived, not here.
        thread::spawn(move || drop(stdin.write_all(&bytes)));
    }

    /// Closes its stdin: the end of file.
    pub(crate) fn ends_input(&mut self) {
        drop(self.take_stdin());
    }

    #[track_caller]
    pub(crate) fn take_stdin(&mut self) -> ChildStdin {
        self.stdin.take().expect("stdin is an open pipe")
    }

    /// Our end of a stdout that was asked to stay unread.
    #[track_caller]
    pub(crate) fn take_stdout(&mut self) -> ChildStdout {
        self.unread_stdout.take().expect("stdout is an unread pipe")
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    #[track_caller]
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("the process is ours and has not been waited for");
    }

    /// Stops it (SIGSTOP) and waits until it has stopped.
    #[track_caller]
    pub(crate) fn stops(&self) {
        self.signal(Signal::STOP);
        wait_until("it is stopped", || kernel::state(self.pid()) == 'T');
    }

    #[track_caller]
    pub(crate) fn continues(&self) {
        self.signal(Signal::CONT);
    }

    /// Waits until it has done what there is to do: it sleeps and stays asleep.
    #[track_caller]
    pub(crate) fn settles(&mut self) {
        let pid = self.pid();
        wait_until("it has settled", || {
            let before = kernel::sleeps(pid);
            thread::sleep(SETTLED);
            kernel::state(pid) == 'S' && kernel::sleeps(pid) == before
        });
        self.still_runs();
    }

    #[track_caller]
    pub(crate) fn still_runs(&mut self) {
        let status = self.child.try_wait().expect("the child is ours");
        assert!(status.is_none(), "{} has ended: {status:?}\n{}", self.told, self.stderr_text());
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn ends(self) -> Finished {
        self.ends_within(DEADLINE)
    }

    /// Waits for its end, which must come in this while.
    #[track_caller]
    pub(crate) fn ends_within(mut self, limit: Duration) -> Finished {
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("the child is ours") {
                break status;
            }
            let Self { told, .. } = &self;
            let in_time = begun.elapsed() < limit;
            assert!(
                in_time,
                "{told} runs on after {limit:?}; stderr:
{}",
                self.stderr_text()
            );
            thread::sleep(PAUSE);
        };
        let ended = Instant::now();
        self.stdout.wait_for_end();
        self.stderr.wait_for_end();
        Finished {
            told: std::mem::take(&mut self.told),
            status,
            ended,
            stdout: self.stdout.bytes(),
            stderr: self.stderr_text(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only where it has ended and been waited for already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What is left of a process.
pub(crate) struct Finished {
    told: String,
    status: ExitStatus,
    /// When its end was noticed.
    pub(crate) ended: Instant,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Finished {
    #[track_caller]
    pub(crate) fn exits(&self, code: i32) -> &Self {
        let Self { told, status, stderr, .. } = self;
        assert_eq!(status.code(), Some(code), "{told} ended with {status}; stderr:\n{stderr}");
        self
    }

    /// By whatever exit status, but not by 0.
    pub(crate) fn failed(&self) -> bool {
        self.status.code().is_some_and(|code| code != 0)
    }

    #[track_caller]
    pub(crate) fn is_killed_by(&self, signal: Signal) -> &Self {
        let Self { told, status, .. } = self;
        assert_eq!(status.signal(), Some(signal.as_raw()), "{told} ended with {status}");
        self
    }

    /// By an exit status, whichever: neither by a signal nor by a panic.
    #[track_caller]
    pub(crate) fn ends_by_itself(&self) -> &Self {
        let Self { told, status, stderr, .. } = self;
        let calm = matches!(status.code(), Some(0 | 1));
        assert!(calm, "{told} ended with {status}; stderr:\n{stderr}");
        self
    }

    #[track_caller]
    pub(crate) fn showed(&self, expected: &[u8]) -> &Self {
        assert_same(&self.stdout, expected, &format!("stdout of {}", self.told));
        self
    }

    /// Exactly this text on stderr.
    #[track_caller]
    pub(crate) fn said(&self, expected: &str) -> &Self {
        assert_eq!(self.stderr, expected, "stderr of {}", self.told);
        self
    }

    /// The same lines, whichever came first: what becomes known at the same time has no order.
    #[track_caller]
    pub(crate) fn said_in_any_order(&self, expected: &str) -> &Self {
        let sorted = |text: &str| {
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            lines.sort_unstable();
            lines
        };
        assert_eq!(sorted(&self.stderr), sorted(expected), "stderr of {}", self.told);
        self
    }

    #[track_caller]
    pub(crate) fn said_nothing(&self) -> &Self {
        self.said("")
    }

    /// One line on stderr, and this in it.
    #[track_caller]
    pub(crate) fn said_one_line_with(&self, text: &str) -> &Self {
        let Self { told, stderr, .. } = self;
        let one = stderr.ends_with('\n') && stderr.lines().count() == 1;
        assert!(one, "{told} said not one line but:\n{stderr}");
        assert!(stderr.contains(text), "{told} did not say {text:?} but {stderr:?}");
        self
    }

    /// At most the information lines of `-v` on stderr.
    #[track_caller]
    pub(crate) fn complained_of_nothing(&self) -> &Self {
        let complaints = self.complaints();
        assert!(complaints.is_empty(), "{} complained: {complaints:?}", self.told);
        self
    }

    /// One line on stderr beside the information lines of `-v`, and this in it.
    #[track_caller]
    pub(crate) fn complained_once_of(&self, text: &str) -> &Self {
        let complaints = self.complaints();
        let once = matches!(&*complaints, [line] if line.contains(text));
        assert!(once, "{} did not complain once of {text:?} but: {complaints:?}", self.told);
        self
    }

    fn complaints(&self) -> Vec<&str> {
        let information =
            ["Listening on ", "Bound on ", "Connection received on ", "Connection to "];
        let lines = self.stderr.lines();
        lines.filter(|line| !information.iter().any(|start| line.starts_with(start))).collect()
    }
}

/// A pipe that is read all the time by a thread of its own.
#[derive(Clone)]
struct Gathered(Arc<(Mutex<Content>, Condvar)>);

#[derive(Default)]
struct Content {
    bytes: Vec<u8>,
    ended: bool,
}

impl Gathered {
    /// Without a pipe: empty, and ended.
    fn new(pipe: Option<impl Read + Send + 'static>) -> Self {
        let gathered = Self(Arc::default());
        let Some(mut pipe) = pipe else {
            gathered.content().ended = true;
            return gathered;
        };
        let filled = gathered.clone();
        thread::spawn(move || {
            let mut chunk = vec![0; 64 * 1024];
            loop {
                let count = pipe.read(&mut chunk).unwrap_or(0);
                filled.content().bytes.extend_from_slice(&chunk[..count]);
                filled.content().ended = count == 0;
                filled.0.1.notify_all();
                if count == 0 {
                    break;
                }
            }
        });
        gathered
    }

    fn bytes(&self) -> Vec<u8> {
        self.content().bytes.clone()
    }

    /// Waits until the bytes are as wanted; `None` at the deadline or when no more can come.
    fn wait_for<T>(&self, mut wanted: impl FnMut(&[u8]) -> Option<T>) -> Option<T> {
        let begun = Instant::now();
        let mut content = self.content();
        loop {
            let found = wanted(&content.bytes);
            if found.is_some() || content.ended || begun.elapsed() > DEADLINE {
                return found;
            }
            content = self.wait(content);
        }
    }

    /// False at the deadline.
    fn wait_for_end(&self) -> bool {
        let begun = Instant::now();
        let mut content = self.content();
        while !content.ended && begun.elapsed() < DEADLINE {
            content = self.wait(content);
        }
        content.ended
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, content: MutexGuard<'a, Content>) -> MutexGuard<'a, Content> {
        let waited = self.0.1.wait_timeout(content, Duration::from_millis(100));
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// How long a program must sleep undisturbed to count as settled.
const SETTLED: Duration = Duration::from_millis(40);
