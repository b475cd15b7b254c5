//! The kernel's view of a process and of the TCP sockets of this machine, read from /proc.

use std::fs;
use std::net::TcpStream;
use std::path::PathBuf;

use rustix::process::Pid;

/// The number in a line of `/proc/PID/status`, as in `VmHWM:  2048 kB`.
#[track_caller]
pub(crate) fn status_number(pid: Pid, field: &str) -> u64 {
    let status = fs::read_to_string(proc_file(pid, "status")).expect("the process is gone");
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let number = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    number.unwrap_or_else(|| panic!("no {field} in\n{status}"))
}

/// The resident set now, in KiB.
#[track_caller]
pub(crate) fn resident_kib(pid: Pid) -> u64 {
    status_number(pid, "VmRSS")
}

/// The largest resident set so far, in KiB.
#[track_caller]
pub(crate) fn peak_kib(pid: Pid) -> u64 {
    status_number(pid, "VmHWM")
}

/// How often the process has gone to sleep by itself.
#[track_caller]
pub(crate) fn sleeps(pid: Pid) -> u64 {
    status_number(pid, "voluntary_ctxt_switches")
}

/// One letter of proc(5): `S` sleeping, `T` stopped, `R` running.
#[track_caller]
pub(crate) fn state(pid: Pid) -> char {
    let letter = stat_fields(pid)[0].chars().next();
    letter.expect("the state is one letter")
}

/// Processor time used so far, user and system, in clock ticks of 10 ms.
#[track_caller]
pub(crate) fn ticks(pid: Pid) -> u64 {
    let fields = stat_fields(pid);
    let number = |at: usize| fields[at].parse::<u64>().expect("clock ticks are a number");
    number(11) + number(12)
}

/// How many threads the process has.
#[track_caller]
pub(crate) fn threads(pid: Pid) -> usize {
    fs::read_dir(proc_file(pid, "task")).expect("the process is gone").count()
}

/// Descriptor numbers and what they are open on, as in `socket:[4711]`.
#[track_caller]
pub(crate) fn descriptors(pid: Pid) -> Vec<(u64, String)> {
    let entries = fs::read_dir(proc_file(pid, "fd")).expect("the process is gone");
    let mut open: Vec<_> = entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let number = path.file_name()?.to_str()?.parse().ok()?;
            Some((number, fs::read_link(&path).ok()?.to_string_lossy().into_owned()))
        })
        .collect();
    open.sort_unstable();
    open
}

/// The inodes of the sockets that listen on a TCP port, on any address of either family.
pub(crate) fn listening(port: u16) -> Vec<String> {
    let rows = tcp_rows().into_iter();
    rows.filter(|row| row.local_port == port && row.state == LISTEN).map(|row| row.inode).collect()
}

/// The TCP port the process listens on, if it does.
#[track_caller]
pub(crate) fn listening_port(pid: Pid) -> Option<u16> {
    let open = descriptors(pid);
    let rows = tcp_rows().into_iter().filter(|row| row.state == LISTEN);
    let mut ours = rows
        .filter(|row| open.iter().any(|(_, target)| *target == format!("socket:[{}]", row.inode)));
    ours.next().map(|row| row.local_port)
}

/// Bytes our end has sent that the other end's kernel has not acknowledged.
#[track_caller]
pub(crate) fn unacknowledged(stream: &TcpStream) -> u64 {
    let local = stream.local_addr().expect("a connected stream").port();
    let remote = stream.peer_addr().expect("a connected stream").port();
    let row = tcp_rows()
        .into_iter()
        .find(|row| row.local_port == local && row.remote_port == remote)
        .expect("the connection is in the kernel's table");
    row.unsent
}

/// Whether the process has a UDP socket bound to this port.
#[track_caller]
pub(crate) fn udp_is_bound(pid: Pid, port: u16) -> bool {
    let open = descriptors(pid);
    let rows = rows(["/proc/net/udp", "/proc/net/udp6"]).into_iter();
    rows.filter(|row| row.local_port == port)
        .any(|row| open.iter().any(|(_, target)| *target == format!("socket:[{}]", row.inode)))
}

/// The timer of a connection: 0 none, 1 retransmission, 2 keepalive.
#[track_caller]
pub(crate) fn tcp_timer(local_port: u16, remote_port: u16) -> u8 {
    let row = tcp_rows()
        .into_iter()
        .find(|row| row.local_port == local_port && row.remote_port == remote_port)
        .expect("the connection is in the kernel's table");
    row.timer
}

/// One line of `/proc/net/tcp`, or of its like for UDP.
struct TcpRow {
    local_port: u16,
    remote_port: u16,
    state: String,
    unsent: u64,
    timer: u8,
    inode: String,
}

fn tcp_rows() -> Vec<TcpRow> {
    rows(["/proc/net/tcp", "/proc/net/tcp6"])
}

fn rows(tables: [&str; 2]) -> Vec<TcpRow> {
    let mut rows = Vec::new();
    for table in tables {
        // The second is missing where the kernel has no IPv6.
        let text = fs::read_to_string(table).unwrap_or_default();
        rows.extend(text.lines().skip(1).filter_map(parse_row));
    }
    rows
}

fn parse_row(line: &str) -> Option<TcpRow> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let port = |field: &str| u16::from_str_radix(field.rsplit(':').next()?, 16).ok();
    Some(TcpRow {
        local_port: port(fields.get(1)?)?,
        remote_port: port(fields.get(2)?)?,
        state: (*fields.get(3)?).to_owned(),
        unsent: u64::from_str_radix(fields.get(4)?.split(':').next()?, 16).ok()?,
        timer: fields.get(5)?.split(':').next()?.parse().ok()?,
        inode: (*fields.get(9)?).to_owned(),
    })
}

/// The fields of `/proc/PID/stat` after the command's name, which may contain anything.
#[track_caller]
fn stat_fields(pid: Pid) -> Vec<String> {
    let stat = fs::read_to_string(proc_file(pid, "stat")).expect("the process is gone");
    let (_, fields) = stat.rsplit_once(") ").expect("the name stands in parentheses");
    fields.split_whitespace().map(str::to_owned).collect()
}

fn proc_file(pid: Pid, name: &str) -> PathBuf {
    PathBuf::from(format!("/proc/{}/{name}", pid.as_raw_nonzero()))
}

/// `TCP_LISTEN` as the kernel's table writes it.
const LISTEN: &str = "0A";
