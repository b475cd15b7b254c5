//! The programs that are compared, and how each of them is told to do the same thing.
//!
//! Every command line is one that its manual recommends for the purpose: `-N` where a program would
//! not tell the peer of the end of its input, `--recv-only` where it would otherwise wait for input.
//! Names are never looked up.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::setup::{Bench, Place};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    Ours,
    Openbsd,
    Ncat,
    Socat,
    /// With a buffer of 1 MiB; its default is 8 KiB.
    SocatB1m,
    Busybox,
    Nmap,
    /// With all retries off and as many probes at once as it can be told.
    NmapFast,
    /// A few blocking calls that copy nothing, in `helper.rs`: about what the kernel can do. It is
    /// no peer, and no target refers to it.
    Limit,
}

/// What a program is to do.
#[derive(Clone, Copy)]
pub(crate) enum Role<'a> {
    /// Connect, send stdin, tell the peer of its end, and quit.
    Send(&'a Place),
    /// Take one client, write what it sends to stdout, and quit at its end.
    Receive(&'a Place),
    /// Connect and relay both ways until both have ended.
    Relay(u16),
    /// Take clients for ever, and write what they send to stdout.
    Serve(u16),
    /// Connect, and quit when the peer does.
    Connect(u16),
    /// Connect and quit.
    Probe(u16),
    /// Say which ports are open.
    Scan(u16, u16),
    /// Send each read of stdin as a datagram.
    SendDatagrams(u16),
    /// Write datagrams to stdout.
    ReceiveDatagrams(u16),
}

impl Program {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ours => "nc (ours)",
            Self::Openbsd => "nc.openbsd",
            Self::Ncat => "ncat",
            Self::Socat => "socat",
            Self::SocatB1m => "socat-b1M",
            Self::Busybox => "busybox",
            Self::Nmap => "nmap",
            Self::NmapFast => "nmap-fast",
            Self::Limit => "(limit)",
        }
    }

    /// Where it is; `None` if it is not installed.
    pub(crate) fn path(self) -> Option<PathBuf> {
        let name = match self {
            Self::Ours => return Some(env!("CARGO_BIN_EXE_nc").into()),
            Self::Limit => return env::current_exe().ok(),
            Self::Openbsd => "nc.openbsd",
            Self::Ncat => "ncat",
            Self::Socat | Self::SocatB1m => "socat",
            Self::Busybox => "busybox",
            Self::Nmap | Self::NmapFast => "nmap",
        };
        find(name)
    }

    /// What it says about its version: the first line that has a digit in it.
    pub(crate) fn version(self) -> Option<String> {
        let path = self.path()?;
        let option = match self {
            Self::Openbsd => "-h",
            Self::Socat | Self::SocatB1m => "-V",
            Self::Busybox => "--help",
            Self::Ours | Self::Ncat | Self::Nmap | Self::NmapFast | Self::Limit => "--version",
        };
        let said = Command::new(path).arg(option).output().ok()?;
        let text = [said.stdout, said.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        let line = text.lines().find(|line| line.contains(|c: char| c.is_ascii_digit()))?;
        Some(line.trim().trim_end_matches('.').to_owned())
    }

    /// Its arguments for a role. A case does not list programs that cannot play its role.
    pub(crate) fn arguments(self, role: Role<'_>) -> Vec<String> {
        let line = match self {
            Self::Ours | Self::Openbsd => netcat(role),
            Self::Ncat => ncat(role),
            Self::Socat => socat(role),
            Self::SocatB1m => format!("-b 1048576 {}", socat(role)),
            Self::Busybox => busybox(role),
            Self::Nmap => nmap(role, ""),
            Self::NmapFast => nmap(role, "-T5 --max-retries 0 --min-parallelism 1000 "),
            Self::Limit => limit(role),
        };
        // No argument contains a blank: paths are our own.
        line.split_whitespace().map(str::to_owned).collect()
    }

    /// How much of a bulk case's bytes it is given. What a slow program needs for an eighth is more
    /// than a fast one needs for all.
    pub(crate) fn share(self, bench: &Bench) -> u64 {
        match self {
            Self::Busybox => bench.bulk / 16,
            Self::Socat => bench.bulk / 8,
            Self::Ncat => bench.bulk / 4,
            _ => bench.bulk,
        }
    }
}

/// Ours and Debian's are told the same.
fn netcat(role: Role<'_>) -> String {
    match role {
        Role::Send(&Place::Tcp(port)) | Role::Relay(port) => format!("-n -N {HOST} {port}"),
        Role::Send(Place::Unix(path)) => format!("-N -U {}", path.display()),
        Role::Receive(Place::Tcp(port)) => format!("-n -l {HOST} {port}"),
        Role::Receive(Place::Unix(path)) => format!("-l -U {}", path.display()),
        Role::Serve(port) => format!("-n -d -l -k {HOST} {port}"),
        Role::Connect(port) => format!("-n {HOST} {port}"),
        Role::Probe(port) => format!("-n -z {HOST} {port}"),
        Role::Scan(first, last) => format!("-n -v -z -w 1 {HOST} {first}-{last}"),
        Role::SendDatagrams(port) => format!("-n -u -q 0 {HOST} {port}"),
        Role::ReceiveDatagrams(port) => format!("-n -d -u -l {HOST} {port}"),
    }
}

fn ncat(role: Role<'_>) -> String {
    match role {
        Role::Send(Place::Tcp(port)) => format!("-n --send-only {HOST} {port}"),
        Role::Send(Place::Unix(path)) => format!("--send-only -U {}", path.display()),
        Role::Receive(Place::Tcp(port)) => format!("-n -l --recv-only {HOST} {port}"),
        Role::Receive(Place::Unix(path)) => format!("-l --recv-only -U {}", path.display()),
        // Its default is 100 clients at a time.
        Role::Serve(port) => format!("-n -l -k -m 20000 --recv-only {HOST} {port}"),
        Role::Relay(port) | Role::Connect(port) => format!("-n {HOST} {port}"),
        Role::Probe(port) => format!("-n -z {HOST} {port}"),
        Role::SendDatagrams(port) => format!("-n -u --send-only {HOST} {port}"),
        Role::ReceiveDatagrams(port) => format!("-n -u -l --recv-only {HOST} {port}"),
        Role::Scan(..) => unreachable!("ncat takes one port"),
    }
}

fn socat(role: Role<'_>) -> String {
    match role {
        Role::Send(Place::Tcp(port)) => format!("-u - TCP4:{HOST}:{port}"),
        Role::Send(Place::Unix(path)) => format!("-u - UNIX-CONNECT:{}", path.display()),
        Role::Receive(Place::Tcp(port)) => format!("-u TCP4-LISTEN:{port},bind={HOST} -"),
        Role::Receive(Place::Unix(path)) => format!("-u UNIX-LISTEN:{} -", path.display()),
        // Without -t it leaves half a second after the first of the two ends.
        Role::Relay(port) | Role::Connect(port) => format!("-t 10 - TCP4:{HOST}:{port}"),
        Role::Serve(port) => format!("-u TCP4-LISTEN:{port},bind={HOST},fork -"),
        Role::Probe(port) => format!("-u /dev/null TCP4:{HOST}:{port}"),
        Role::SendDatagrams(port) => format!("-u - UDP4:{HOST}:{port}"),
        Role::ReceiveDatagrams(port) => format!("-u UDP4-RECV:{port},bind={HOST} -"),
        Role::Scan(..) => unreachable!("socat takes one port"),
    }
}

fn busybox(role: Role<'_>) -> String {
    match role {
        Role::Send(&Place::Tcp(port)) | Role::Relay(port) | Role::Connect(port) => {
            format!("nc {HOST} {port}")
        }
        Role::Receive(Place::Tcp(port)) => format!("nc -l -p {port}"),
        _ => unreachable!("Debian's busybox has TCP, one client and one port"),
    }
}

fn nmap(role: Role<'_>, options: &str) -> String {
    let Role::Scan(first, last) = role else { unreachable!("nmap scans") };
    format!("-sT -n -Pn {options}-p {first}-{last} -oG - {HOST}")
}

fn limit(role: Role<'_>) -> String {
    match role {
        Role::Send(place) => format!("{HELPER} send {place}"),
        Role::Receive(place) => format!("{HELPER} receive {place}"),
        _ => unreachable!("the limit is known for bulk transfers only"),
    }
}

/// Looks an executable up as a shell does.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let directories = env::var_os("PATH")?;
    // Some of them are administrators' programs to a Debian user's PATH.
    let more = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    let mut paths = env::split_paths(&directories).chain(more).map(|dir| dir.join(name));
    paths.find(|path| Path::is_file(path))
}

/// Everything happens on loopback.
pub(crate) const HOST: &str = "127.0.0.1";

/// The first argument that makes this very binary a counterpart, see `helper.rs`.
pub(crate) const HELPER: &str = "__helper";
