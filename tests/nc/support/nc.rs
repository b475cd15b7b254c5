//! The program under test, about to be run: its arguments and its three descriptors.

use std::env;
use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

use super::running::Running;

/// A command line about to be run, with what its three descriptors should be.
pub(crate) struct Nc {
    program: OsString,
    args: Vec<OsString>,
    descriptors: [Given; 3],
    variables: Vec<(OsString, OsString)>,
    /// What a shell does to its descriptors before it becomes the program.
    redirections: Vec<String>,
    /// How many sockets a service manager says it has opened.
    activated: Option<u32>,
}

impl Nc {
    /// The program under test. Arguments are separated by white space.
    ///
    /// Unless told otherwise stdin is an open pipe that [`Running::types`] writes to, and stdout
    /// and stderr are pipes that are read all the time.
    ///
    /// `NC_TEST_SANDBOX=strict` in the environment of the tests has every run confined, or not run at all.
    pub(crate) fn new(args: impl AsRef<str>) -> Self {
        let mut nc = Self::other(env!("CARGO_BIN_EXE_nc"), args);
        if let Some(wish) = env::var_os("NC_TEST_SANDBOX") {
            let mut option = OsString::from("--sandbox=");
            option.push(wish);
            nc.args.insert(0, option);
        }
        nc
    }

    /// Another program, found by name, under the same care.
    pub(crate) fn other(program: &str, args: impl AsRef<str>) -> Self {
        Self {
            program: program.into(),
            args: args.as_ref().split_whitespace().map(OsString::from).collect(),
            descriptors: [Given::Pipe, Given::Pipe, Given::Pipe],
            variables: Vec::new(),
            redirections: Vec::new(),
            activated: None,
        }
    }

    /// One more argument, taken as it is.
    pub(crate) fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Runs it under another program, `strace` say, that ends up as the parent or a bystander.
    pub(crate) fn under(mut self, program: &str, args: &[&str]) -> Self {
        let inner = std::mem::replace(&mut self.program, program.into());
        let outer = args.iter().map(OsString::from).chain([inner]);
        self.args.splice(0..0, outer);
        self
    }

    /// stdin is this descriptor. The child's copy is the only one kept.
    pub(crate) fn stdin(mut self, fd: impl Into<OwnedFd>) -> Self {
        self.descriptors[0] = Given::Descriptor(fd.into());
        self
    }

    pub(crate) fn stdout(mut self, fd: impl Into<OwnedFd>) -> Self {
        self.descriptors[1] = Given::Descriptor(fd.into());
        self
    }

    pub(crate) fn stderr(mut self, fd: impl Into<OwnedFd>) -> Self {
        self.descriptors[2] = Given::Descriptor(fd.into());
        self
    }

    /// stdin is at its end from the start.
    pub(crate) fn stdin_null(mut self) -> Self {
        self.descriptors[0] = Given::Null;
        self
    }

    /// stdout is a pipe that nobody reads until the test does.
    pub(crate) fn stdout_unread(mut self) -> Self {
        self.descriptors[1] = Given::Unread;
        self
    }

    /// Starts with descriptor 0, 1 or 2 closed.
    pub(crate) fn closed(mut self, descriptor: usize) -> Self {
        self.descriptors[descriptor] = Given::Closed;
        self
    }

    /// Has this in its environment.
    pub(crate) fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    /// Starts with descriptor `number`, 3 to 9, open on this. stdin is then at its end, unless it is
    /// [`redirected`](Self::redirected) later.
    pub(crate) fn inherits(self, number: u32, fd: impl Into<OwnedFd>) -> Self {
        self.stdin(fd).redirected(format!("{number}<&0 0</dev/null"))
    }

    /// Starts with descriptors moved as a shell does it, `6>/some/file` say; after all else.
    pub(crate) fn redirected(mut self, how: impl Into<String>) -> Self {
        self.redirections.push(how.into());
        self
    }

    /// Is told that a service manager has opened so many sockets, from descriptor 3 on, for it.
    pub(crate) fn activated(mut self, count: u32) -> Self {
        self.activated = Some(count);
        self
    }

    /// Starts a UDP listener on a port of the kernel's choice, and learns the port from its output.
    #[track_caller]
    pub(crate) fn binds(self) -> (Running, u16) {
        let running = self.arg("-v").arg("0").start();
        let port = running.bound_port();
        (running, port)
    }

    /// Starts a listener on a port of the kernel's choice, and learns the port from its output.
    #[track_caller]
    pub(crate) fn listens(self) -> (Running, u16) {
        let running = self.arg("-v").arg("0").start();
        let port = running.port();
        (running, port)
    }

    #[track_caller]
    pub(crate) fn start(self) -> Running {
        let told = format!("{} {:?}", self.program.display(), self.args);
        let closed = (0..3).filter(|&fd| matches!(self.descriptors[fd], Given::Closed));
        let closing = closed.map(|fd| format!("{fd}>&-"));
        let redirections: Vec<String> = closing.chain(self.redirections).collect();
        let mut command = if redirections.is_empty() && self.activated.is_none() {
            Command::new(self.program)
        } else {
            // Only a shell can start a program with a descriptor closed, or with a fourth one, or
            // tell it its own id; `exec` keeps the id.
            let mut shell = Command::new("/bin/sh");
            let activated =
                self.activated.map(|count| format!("export LISTEN_PID=$$ LISTEN_FDS={count}; "));
            let script = format!(
                "{}exec \"$0\" \"$@\" {}",
                activated.unwrap_or_default(),
                redirections.join(" ")
            );
            shell.arg("-c").arg(script).arg(self.program);
            shell
        };
        let unread = matches!(self.descriptors[1], Given::Unread);
        let [stdin, stdout, stderr] = self.descriptors.map(Given::into_stdio);
        command.args(self.args);
        for variable in ["RUST_LOG", "RUST_BACKTRACE", "NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID"]
        {
            command.env_remove(variable);
        }
        command.envs(self.variables);
        command.stdin(stdin).stdout(stdout).stderr(stderr);
        let child = command.spawn().unwrap_or_else(|error| panic!("{told}: {error}"));
        Running::new(told, child, unread)
    }
}

/// What one of the three descriptors should be.
enum Given {
    Pipe,
    Unread,
    Null,
    Closed,
    Descriptor(OwnedFd),
}

impl Given {
    fn into_stdio(self) -> Stdio {
        match self {
            Self::Pipe | Self::Unread => Stdio::piped(),
            Self::Null | Self::Closed => Stdio::null(),
            Self::Descriptor(fd) => Stdio::from(fd),
        }
    }
}
