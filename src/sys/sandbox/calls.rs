//! Which system calls a promise stands for.
//!
//! The lists are longer than what one run makes: C libraries differ in which of two similar calls they
//! make, and a later one may make the other. What is on none of them says `EPERM`, so that a call nobody
//! thought of is an error that can be dealt with; only what no run of this program ever does, and an
//! intruder would, ends it.

use super::Promise;

/// A system call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    pub(super) number: libc::c_long,
    #[cfg(test)]
    pub(super) name: &'static str,
}

/// What becomes of a system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Allow,
    /// Allowed if an argument is as it should be, see [`Check`].
    AllowIf(Check),
    /// `EPERM`
    Refuse,
    /// The process ends by `SIGSYS`.
    Kill,
}

/// Looks at an argument, by its number from 0. Of bits and values the lower 32 count, as in the calls
/// themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Check {
    /// None of these bits is set.
    Clear(u8, u32),
    /// It is zero as a whole.
    Null(u8),
    /// It is this value.
    Is(u8, u32),
    /// It is neither of these values.
    Neither(u8, [u32; 2]),
}

/// Calls with the same verdict.
pub(super) struct Group(pub(super) Verdict, pub(super) &'static [Call]);

/// What becomes of each call that is named, in the order of their numbers; all others are refused.
pub(super) fn rules(promises: &[Promise]) -> Vec<(u32, Verdict)> {
    let groups = promises.iter().flat_map(|promise| groups(*promise)).chain(&[NEVER]);
    let mut rules: Vec<(u32, Verdict)> = Vec::new();
    for Group(verdict, calls) in groups {
        for call in *calls {
            let Ok(number) = u32::try_from(call.number) else { continue };
            match rules.binary_search_by_key(&number, |rule| rule.0) {
                // Allowed by one promise in any case, it does not matter what another asks for.
                Ok(at) if *verdict == Verdict::Allow => rules[at].1 = Verdict::Allow,
                Ok(_) => {}
                Err(at) => rules.insert(at, (number, *verdict)),
            }
        }
    }
    rules
}

macro_rules! calls {
    ($($name:ident)*) => {
        &[$(Call { number: libc::$name, #[cfg(test)] name: stringify!($name) }),*]
    };
}

/// What a promise stands for.
pub(super) fn groups(promise: Promise) -> &'static [Group] {
    match promise {
        Promise::Stdio => STDIO,
        Promise::Accept => &[Group(Verdict::Allow, calls![SYS_accept4])],
        Promise::Meet => &[Group(Verdict::Allow, calls![SYS_connect])],
        Promise::Answer => &[Group(Verdict::Allow, calls![SYS_sendto])],
        Promise::Dial => &[Group(Verdict::Allow, calls![SYS_socket SYS_bind SYS_connect])],
        Promise::Names => NAMES,
        Promise::Hosts => HOSTS,
        Promise::Unlink => UNLINK,
        Promise::Sendfd => &[Group(Verdict::Allow, calls![SYS_sendmsg])],
        Promise::Narrow => NARROW,
    }
}

const STDIO: &[Group] = &[
    // Bytes.
    Group(
        Verdict::Allow,
        calls![
            SYS_read SYS_write SYS_readv SYS_writev SYS_preadv2 SYS_pwritev2 SYS_pwrite64 SYS_recvfrom SYS_splice
            SYS_lseek SYS_fstat SYS_shutdown SYS_close SYS_pipe2 SYS_dup3
        ],
    ),
    // To the peer a socket is connected to, and to nobody else.
    Group(Verdict::AllowIf(Check::Null(4)), calls![SYS_sendto]),
    // Sockets that are there.
    Group(
        Verdict::Allow,
        calls![SYS_getsockopt SYS_setsockopt SYS_getsockname SYS_getpeername SYS_fcntl],
    ),
    // All but typing on the user's terminal for him: ioctl_tty(2).
    Group(Verdict::AllowIf(Check::Neither(1, [TIOCSTI, TIOCLINUX])), calls![SYS_ioctl]),
    // Waiting and time.
    Group(
        Verdict::Allow,
        calls![
            SYS_epoll_ctl SYS_epoll_pwait SYS_epoll_pwait2 SYS_ppoll SYS_clock_gettime
            SYS_clock_nanosleep SYS_nanosleep SYS_restart_syscall
        ],
    ),
    // Memory, none of it to be executed.
    Group(Verdict::AllowIf(Check::Clear(2, libc::PROT_EXEC.cast_unsigned())), calls![SYS_mmap]),
    Group(
        Verdict::Allow,
        calls![SYS_munmap SYS_mremap SYS_madvise SYS_brk SYS_futex SYS_getrandom],
    ),
    // Limits, our own.
    Group(Verdict::AllowIf(Check::Is(0, 0)), calls![SYS_prlimit64]),
    // Signals, and the end, by one or without. Whom a signal may reach is for Landlock to say.
    Group(
        Verdict::Allow,
        calls![
            SYS_rt_sigreturn SYS_rt_sigaction SYS_rt_sigprocmask SYS_signalfd4 SYS_sigaltstack
            SYS_getpid SYS_gettid
            SYS_tgkill SYS_tkill SYS_exit SYS_exit_group
        ],
    ),
    // Older forms of some of these.
    #[cfg(target_arch = "x86_64")]
    Group(Verdict::Allow, calls![SYS_epoll_wait SYS_poll SYS_dup2]),
];

const HOSTS: &[Group] = &[
    Group(Verdict::AllowIf(Check::Clear(2, WRITES)), calls![SYS_openat]),
    Group(Verdict::Allow, calls![SYS_statx SYS_newfstatat]),
    #[cfg(target_arch = "x86_64")]
    Group(Verdict::AllowIf(Check::Clear(1, WRITES)), calls![SYS_open]),
];

const UNLINK: &[Group] = &[
    Group(Verdict::Allow, calls![SYS_unlinkat SYS_statx SYS_newfstatat]),
    #[cfg(target_arch = "x86_64")]
    Group(Verdict::Allow, calls![SYS_unlink SYS_rmdir SYS_lstat]),
];

/// What getaddrinfo(3) and getnameinfo(3) do, whatever nsswitch.conf(5) says: their modules are libraries
/// that are loaded when they are needed.
const NAMES: &[Group] = &[
    Group(Verdict::AllowIf(Check::Clear(2, WRITES)), calls![SYS_openat]),
    Group(
        Verdict::Allow,
        calls![
            SYS_statx SYS_newfstatat SYS_statfs SYS_fstatfs SYS_readlinkat SYS_faccessat
            SYS_faccessat2 SYS_getdents64 SYS_pread64 SYS_mmap SYS_mprotect SYS_socket SYS_connect
            SYS_bind SYS_sendto SYS_sendmsg SYS_sendmmsg SYS_recvmsg SYS_recvmmsg SYS_uname
            SYS_getuid SYS_geteuid SYS_getgid SYS_getegid SYS_gettimeofday
        ],
    ),
    #[cfg(target_arch = "x86_64")]
    Group(Verdict::AllowIf(Check::Clear(1, WRITES)), calls![SYS_open]),
    #[cfg(target_arch = "x86_64")]
    Group(
        Verdict::Allow,
        calls![SYS_stat SYS_lstat SYS_access SYS_readlink SYS_time SYS_arch_prctl],
    ),
];

const NARROW: &[Group] = &[
    Group(
        Verdict::AllowIf(Check::Is(0, libc::PR_SET_NO_NEW_PRIVS.cast_unsigned())),
        calls![SYS_prctl],
    ),
    Group(Verdict::Allow, calls![SYS_seccomp]),
];

/// Signs of somebody else at the wheel.
pub(super) const NEVER: Group = Group(
    Verdict::Kill,
    calls![SYS_execve SYS_execveat SYS_ptrace SYS_process_vm_readv SYS_process_vm_writev],
);

/// Flags of open(2) for more than reading.
const WRITES: u32 =
    (libc::O_WRONLY | libc::O_RDWR | libc::O_CREAT | libc::O_TRUNC | libc::O_APPEND)
        .cast_unsigned();

const TIOCSTI: u32 = 0x5412;
const TIOCLINUX: u32 = 0x541c;
