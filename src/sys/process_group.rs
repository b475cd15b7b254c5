//! The process group that this process is in, which a terminal knows as a job of its shell.

use rustix::process::{Pid, getpgrp};
use rustix::stdio::stderr;
use rustix::termios::tcgetpgrp;

/// A process group; see setpgid(2).
#[derive(Clone, Copy, Debug)]
pub struct ProcessGroup(Pid);

impl ProcessGroup {
    /// Ours.
    #[must_use]
    pub fn own() -> Self {
        Self(getpgrp())
    }

    /// stderr's terminal is for another group now: whoever types there types for that one. A terminal that
    /// is not our controlling one has no groups.
    #[must_use]
    pub fn is_in_background(self) -> bool {
        tcgetpgrp(stderr()).is_ok_and(|front| front != self.0)
    }
}
