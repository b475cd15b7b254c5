//! Proxies of others: OpenSSH's `-D`, microsocks, tinyproxy, squid.
//!
//! Each is started at a port that was reserved for it, and is ready when the kernel says that somebody
//! listens there. What they lead to is a server of the test.

use std::fs::{self, Permissions};
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::PermissionsExt;

use rustix::event::PollFlags;
use tempfile::TempDir;

use crate::ssh::{Daemon, program};
use crate::support::peer::ready;
use crate::support::proxies::exchanges;
use crate::support::{ClosedPort, DEADLINE, Nc, Running, Server, kernel, noise, wait_until};

/// A proxy of somebody else, until it is dropped.
struct Proxy {
    port: u16,
    _process: Running,
    _daemon: Option<Daemon>,
    _dir: Option<TempDir>,
}

impl Proxy {
    /// What it is to run is said of its port.
    #[track_caller]
    fn start(command: impl FnOnce(u16) -> Nc) -> Self {
        // Bound, so that nobody else is given the port, and reusable for whoever wants it.
        let reserved = ClosedPort::reserve();
        let port = reserved.port();
        let mut process = command(port).start();
        wait_until("the proxy listens", || {
            process.still_runs();
            !kernel::listening(port).is_empty()
        });
        Self { port, _process: process, _daemon: None, _dir: None }
    }

    #[track_caller]
    fn microsocks(options: &str) -> Self {
        Self::start(|port| Nc::other("microsocks", format!("-i 127.0.0.1 -p {port} {options}")))
    }

    #[track_caller]
    fn ssh() -> Self {
        let mut daemon = Daemon::prepare();
        let reserved = ClosedPort::reserve();
        let port = reserved.port();
        let process = daemon.forwarder(port).stdin_null().start();
        daemon.serves();
        wait_until("ssh listens", || !kernel::listening(port).is_empty());
        Self { port, _process: process, _daemon: Some(daemon), _dir: None }
    }

    #[track_caller]
    fn tinyproxy(settings: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tinyproxy.conf");
        let proxy = Self::start(|port| {
            let config = format!(
                "Port {port}\nListen 127.0.0.1\nTimeout 60\nMaxClients 10\nLogLevel Critical\n\
                 {settings}\n"
            );
            fs::write(&path, config).unwrap();
            Nc::other("tinyproxy", "-d -c").arg(&path)
        });
        Self { _dir: Some(dir), ..proxy }
    }

    /// `scheme` as in squid's `auth_param`.
    #[track_caller]
    fn squid(scheme: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        // It gives up being root, and its log must still be its own.
        fs::set_permissions(dir.path(), Permissions::from_mode(0o777)).unwrap();
        let path = |name: &str| dir.path().join(name).display().to_string();
        // The same password, as each of its helpers wants it.
        fs::write(path("basic"), "joe:$apr1$abcdefgh$h9FWgUz3n9YxylKLlR5SQ/\n").unwrap();
        fs::write(path("digest"), "joe:secret\n").unwrap();
        let helper = match scheme {
            "basic" => format!("/usr/lib/squid/basic_ncsa_auth {}", path("basic")),
            _ => format!("/usr/lib/squid/digest_file_auth {}", path("digest")),
        };
        let proxy = Self::start(|port| {
            let config = format!(
                "http_port 127.0.0.1:{port}\nvisible_hostname test\npid_filename none\n\
                 cache_log {}\naccess_log none\ncache deny all\ncoredump_dir {}\n\
                 pinger_enable off\nnetdb_filename none\nmax_filedescriptors 1024\n\
                 cache_mem 1 MB\nshutdown_lifetime 0 seconds\n\
                 auth_param {scheme} program {helper}\nauth_param {scheme} children 1\n\
                 auth_param {scheme} realm a \"realm\"\nacl known proxy_auth REQUIRED\n\
                 http_access allow known\nhttp_access deny all\n",
                path("cache.log"),
                dir.path().display(),
            );
            fs::write(path("squid.conf"), config).unwrap();
            Nc::other("squid", "-N -f").arg(path("squid.conf"))
        });
        Self { _dir: Some(dir), ..proxy }
    }

    fn options(&self, kind: &str) -> String {
        format!("-x 127.0.0.1:{} -X {kind}", self.port)
    }
}

/// 4 MiB each way over each way to write the host.
#[track_caller]
fn leads_everywhere(options: &str, hosts: &[&str]) {
    for host in hosts {
        leads_to(options, host);
    }
}

#[track_caller]
fn leads_to(options: &str, host: &str) {
    let address: IpAddr = match host {
        // Whichever of its addresses the proxy takes.
        "localhost" => Ipv4Addr::LOCALHOST.into(),
        host => host.parse().unwrap(),
    };
    let server = Server::start_on(address);
    let args = format!("-w 10 {options} {host} {}", server.port());
    let nc = Nc::new(args).stdout_unread().start();
    assert!(
        ready(server.listener(), PollFlags::IN, DEADLINE),
        "{options} {host}: {}",
        nc.stderr_text()
    );
    let peer = server.accepts();
    exchanges(nc, peer, 4 << 20).exits(0).said_nothing();
}

/// Nothing listens at the port it is asked for.
#[track_caller]
fn is_told_of_a_refusal(options: &str, text: &str) {
    let closed = ClosedPort::reserve();
    let args = format!("-w 10 {options} 127.0.0.1 {}", closed.port());
    Nc::new(args).start().ends().exits(1).showed(b"").said_one_line_with(text);
}

const EVERY_HOST: [&str; 3] = ["127.0.0.1", "::1", "localhost"];

#[test]
#[ignore = "needs root and OpenSSH"]
fn ssh_dynamic_forwarding() {
    let proxy = Proxy::ssh();
    leads_everywhere(&proxy.options("5"), &EVERY_HOST);
    leads_everywhere(&proxy.options("4"), &["127.0.0.1"]);
    leads_everywhere(&proxy.options("4a"), &["127.0.0.1", "localhost"]);
    // It has no words for a refusal in SOCKS: it closes.
    is_told_of_a_refusal(&proxy.options("5"), "nc: ");
    is_told_of_a_refusal(&proxy.options("4"), "nc: ");
}

#[test]
#[ignore = "needs microsocks"]
fn microsocks() {
    let proxy = Proxy::microsocks("");
    leads_everywhere(&proxy.options("5"), &EVERY_HOST);
    is_told_of_a_refusal(&proxy.options("5"), "SOCKSv5 error: Connection refused");

    let proxy = Proxy::microsocks("-u joe -P secret");
    let options = proxy.options("5");
    leads_everywhere(&format!("{options} --proxy-auth joe:secret"), &EVERY_HOST);
    is_told_of_a_refusal(&options, "authentication method negotiation failed");
    is_told_of_a_refusal(
        &format!("{options} --proxy-auth joe:wrong"),
        "Proxy authentication failed",
    );
}

#[test]
#[ignore = "needs tinyproxy"]
fn tinyproxy() {
    let proxy = Proxy::tinyproxy("");
    leads_everywhere(&proxy.options("connect"), &EVERY_HOST);
    is_told_of_a_refusal(&proxy.options("connect"), "Proxy error: \"HTTP/1.");

    let proxy = Proxy::tinyproxy("BasicAuth joe secret");
    let options = proxy.options("connect");
    leads_everywhere(&format!("{options} --proxy-auth joe:secret"), &EVERY_HOST);
    is_told_of_a_refusal(&options, "Proxy error: \"HTTP/1.");
    is_told_of_a_refusal(
        &format!("{options} --proxy-auth joe:wrong"),
        "Proxy authentication failed",
    );
}

#[test]
#[ignore = "needs squid"]
fn squid_basic() {
    squid("basic");
}

#[test]
#[ignore = "needs squid"]
fn squid_digest() {
    squid("digest");
}

#[track_caller]
fn squid(scheme: &str) {
    let proxy = Proxy::squid(scheme);
    let options = proxy.options("connect");
    leads_everywhere(&format!("{options} --proxy-auth joe:secret"), &EVERY_HOST);
    is_told_of_a_refusal(&options, "Proxy error: \"HTTP/1.");
    is_told_of_a_refusal(
        &format!("{options} --proxy-auth joe:wrong"),
        "Proxy authentication failed",
    );
    is_told_of_a_refusal(
        &format!("{options} --proxy-auth joe:secret"),
        "Proxy error: \"HTTP/1.1 503 ",
    );
}

#[test]
#[ignore = "needs microsocks and tinyproxy"]
fn two_hops() {
    let (socks, http) = (Proxy::microsocks(""), Proxy::tinyproxy("BasicAuth joe secret"));
    let (socks, http) = (socks.port, http.port);
    for list in [
        format!("socks5://127.0.0.1:{socks},http://localhost:{http}"),
        format!("http://127.0.0.1:{http},socks5://localhost:{socks}"),
        format!("socks5://127.0.0.1:{socks},socks5://[::ffff:127.0.0.1]:{socks}"),
    ] {
        leads_everywhere(&format!("--proxy-auth joe:secret --proxy {list}"), &EVERY_HOST);
    }
}

#[test]
#[ignore = "needs root, OpenSSH, microsocks and tinyproxy"]
fn the_proxy_command_of_ssh() {
    let (socks, http) = (Proxy::microsocks(""), Proxy::tinyproxy("BasicAuth joe secret"));
    let nc = program().display();
    let (socks, http) = (socks.port, http.port);
    for (command, more) in [
        (format!("{nc} -X 5 -x 127.0.0.1:{socks} %h %p"), None),
        (format!("{nc} -X 5 -F -x 127.0.0.1:{socks} %h %p"), Some("ProxyUseFdpass=yes")),
        (format!("{nc} -X connect --proxy-auth joe:secret -x 127.0.0.1:{http} %h %p"), None),
    ] {
        let mut daemon = Daemon::prepare();
        let command = format!("ProxyCommand={command}");
        let options = [Some(command), more.map(str::to_owned)].into_iter().flatten();
        let mut ssh = daemon.client(&options.collect::<Vec<_>>()).start();
        let payload = noise(540, 1 << 20);
        ssh.types_all(payload.clone());
        daemon.serves();
        ssh.ends().exits(0).showed(&payload);
    }
}
