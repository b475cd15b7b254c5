//! A network of our own, where the machine allows it.
//!
//! The benchmark starts itself once more under unshare(1): with loopback and nobody else on it, so
//! that scans find our ports only; with the congestion control `cubic`, for some machines default to
//! one that paces even loopback; and with process numbers of its own, so that nothing survives it.
//! Nothing outside changes.

use std::env;
use std::fs;
use std::process::{Command, ExitCode, Stdio};

/// Runs everything in there; `None` if we are there already or cannot get there.
pub(crate) fn run_isolated(arguments: &[String]) -> Option<ExitCode> {
    if is_isolated() {
        prepare();
        return None;
    }
    let this = env::current_exe().ok()?;
    let unshare = UNSHARE.into_iter().find(|options| {
        let mut trial = Command::new("unshare");
        trial.args(*options).args(["ip", "link", "set", "lo", "up"]);
        trial.stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    })?;
    let mut command = Command::new("unshare");
    command.args(unshare).arg(this).args(arguments).env(INSIDE, "1");
    let code = command.status().ok()?.code().and_then(|code| u8::try_from(code).ok());
    Some(ExitCode::from(code.unwrap_or(1)))
}

pub(crate) fn is_isolated() -> bool {
    env::var_os(INSIDE).is_some()
}

/// The congestion control that connections over loopback get.
pub(crate) fn congestion_control() -> String {
    if is_isolated() && routes().is_some_and(|text| text.contains("congctl cubic")) {
        return "cubic".to_owned();
    }
    let default = fs::read_to_string("/proc/sys/net/ipv4/tcp_congestion_control");
    default.map_or_else(|_| "unknown".to_owned(), |name| name.trim().to_owned())
}

/// Whatever of it fails is told in the report's head by what is in force then.
fn prepare() {
    run("link set lo up");
    // The default cannot be set in here, but a route's can.
    for destination in ["127.0.0.0/8", "127.0.0.1"] {
        run(&format!(
            "route replace local {destination} dev lo proto kernel scope host src 127.0.0.1 \
             table local congctl cubic"
        ));
    }
    // Or else a connection starts with what the last one to the same address has learnt.
    let _ = fs::write("/proc/sys/net/ipv4/tcp_no_metrics_save", "1");
}

fn run(arguments: &str) {
    let mut ip = Command::new("ip");
    let _ = ip.args(arguments.split_whitespace()).stderr(Stdio::null()).status();
}

fn routes() -> Option<String> {
    let said = Command::new("ip").args(["route", "show", "table", "local"]).output().ok()?;
    String::from_utf8(said.stdout).ok()
}

/// As root, and as a user who may have a namespace of users.
const UNSHARE: [&[&str]; 2] = [
    &["--net", "--pid", "--fork", "--kill-child", "--mount-proc"],
    &["--map-root-user", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"],
];

/// Set in there.
const INSIDE: &str = "POLLCAT_BENCH_ISOLATED";
