//! Places of a process's own, which only root can make: another `/etc/hosts`, another network. They end
//! with the last process in them.

use std::fs;
use std::path::Path;

use super::{Nc, Running};

/// Runs the command where `/etc/hosts` is this text.
#[track_caller]
pub(crate) fn with_hosts(dir: &Path, hosts: &str, nc: Nc) -> Nc {
    let path = dir.join("hosts");
    fs::write(&path, hosts).unwrap();
    let script = format!("mount --bind '{}' /etc/hosts && exec \"$0\" \"$@\"", path.display());
    nc.under("unshare", &["--mount", "/bin/sh", "-c", &script])
}

/// As [`with_hosts`], and nobody else is asked for names.
#[track_caller]
pub(crate) fn with_hosts_alone(dir: &Path, hosts: &str, nc: Nc) -> Nc {
    let switch = dir.join("nsswitch.conf");
    fs::write(&switch, "hosts: files\nservices: files\nprotocols: files\n").unwrap();
    let script =
        format!("mount --bind '{}' /etc/nsswitch.conf && exec \"$0\" \"$@\"", switch.display());
    with_hosts(dir, hosts, nc.under("/bin/sh", &["-c", &script]))
}

/// Runs the command in a network of its own that has a loopback device and nobody else on it, so that
/// every port is free.
pub(crate) fn alone(nc: Nc) -> Nc {
    let script = "ip link set lo up && exec \"$0\" \"$@\"";
    nc.under("unshare", &["--net", "/bin/sh", "-c", script])
}

/// Runs the command in the network of a process that is there [`alone`].
pub(crate) fn beside(nc: Nc, running: &Running) -> Nc {
    let network = format!("--net=/proc/{}/ns/net", running.pid().as_raw_nonzero());
    nc.under("nsenter", &[&network, "--"])
}
