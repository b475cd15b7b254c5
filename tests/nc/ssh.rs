//! As the `ProxyCommand` of a real OpenSSH, with and without `ProxyUseFdpass`.

use std::fs;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::event::PollFlags;
use tempfile::TempDir;

use crate::support::peer::ready;
use crate::support::{DEADLINE, Nc, noise};

/// Keys of our own, and a daemon that serves one connection.
pub(crate) struct Daemon {
    dir: TempDir,
    listener: TcpListener,
    child: Option<Child>,
}

impl Daemon {
    #[track_caller]
    pub(crate) fn prepare() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for key in ["host", "user"] {
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(dir.path().join(key))
                .status();
            assert!(made.unwrap().success());
        }
        fs::copy(dir.path().join("user.pub"), dir.path().join("authorized")).unwrap();
        let config = format!(
            "HostKey {0}/host\nAuthorizedKeysFile {0}/authorized\nStrictModes no\nUsePAM no\n\
             PermitRootLogin yes\nPidFile none\n",
            dir.path().display(),
        );
        fs::write(dir.path().join("config"), config).unwrap();
        Self { dir, listener: TcpListener::bind("127.0.0.1:0").unwrap(), child: None }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Serves the next connection, which is its stdin and stdout.
    #[track_caller]
    pub(crate) fn serves(&mut self) {
        assert!(ready(&self.listener, PollFlags::IN, DEADLINE), "nobody connected");
        let connection = OwnedFd::from(self.listener.accept().unwrap().0);
        // The folder it changes its root to may be missing, and must not be left behind.
        let script =
            "mount -t tmpfs none /run && mkdir /run/sshd && exec /usr/sbin/sshd -i -f \"$0\"";
        let child = Command::new("unshare")
            .args(["-m", "sh", "-c", script])
            .arg(self.path("config"))
            .stdin(connection.try_clone().unwrap())
            .stdout(connection)
            .stderr(Stdio::null())
            .spawn();
        self.child = Some(child.unwrap());
    }

    /// A client that runs `cat` on the other side.
    pub(crate) fn client(&self, options: &[String]) -> Nc {
        self.connection(options).arg("cat")
    }

    /// A client that is a SOCKS proxy at a local port, and leaves through the other side.
    pub(crate) fn forwarder(&self, port: u16) -> Nc {
        self.connection(&[format!("DynamicForward=127.0.0.1:{port}"), "SessionType=none".into()])
    }

    fn connection(&self, options: &[String]) -> Nc {
        let port = self.listener.local_addr().unwrap().port();
        let user = Command::new("id").arg("-un").output().unwrap().stdout;
        let user = String::from_utf8(user).unwrap();
        let mut nc = Nc::other("ssh", "-F none -o StrictHostKeyChecking=no -o BatchMode=yes")
            .arg("-i")
            .arg(self.path("user"))
            .arg("-o")
            .arg(format!("UserKnownHostsFile={}", self.path("known").display()));
        for option in options {
            nc = nc.arg("-o").arg(option);
        }
        nc.arg("-p").arg(port.to_string()).arg(format!("{}@127.0.0.1", user.trim()))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // Both fail only where it has ended and been waited for already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[track_caller]
fn cat_through(options: &[String]) {
    let mut daemon = Daemon::prepare();
    let mut ssh = daemon.client(options).start();
    let payload = noise(340, 1 << 20);
    ssh.types_all(payload.clone());
    daemon.serves();
    ssh.ends().exits(0).showed(&payload);
}

pub(crate) fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_nc"))
}

#[test]
#[ignore = "needs root and OpenSSH"]
fn proxy_command() {
    cat_through(&[format!("ProxyCommand={} %h %p", program().display())]);
}

#[test]
#[ignore = "needs root and OpenSSH"]
fn proxy_use_fdpass() {
    cat_through(&[
        format!("ProxyCommand={} -F %h %p", program().display()),
        "ProxyUseFdpass=yes".to_owned(),
    ]);
}
