//! What the program says on stderr while it works, in Debian's words.
//!
//! Scripts read these lines, so each is spelled once, here, and pinned by a test. Nothing that fails
//! to be printed may harm a session: errors of stderr are ignored.
//!
//! Whatever is in a line, it is one line and a terminal finds nothing in it to obey: text from outside is
//! escaped where it comes in, and once more as part of the whole here, where nobody can forget it.

use std::cell::Cell;
use std::fmt;
use std::io;
use std::net::{Ipv6Addr, SocketAddr};

use super::line::Line;
use crate::error::{escape, reason};
use crate::sys::stderr::{say_line, stderr_columns};

/// Something worth a line when `-v` is given. Places are worded as `0.0.0.0 4004` or as a path.
#[derive(Debug)]
pub(crate) enum Notice<'a> {
    /// A socket that has no connections is ready, or a UNIX socket has its name.
    Bound(&'a str),
    /// A listener is ready.
    Listening(&'a str),
    /// Another socket listens where we do: our address, and that one's.
    Shared(SocketAddr, SocketAddr),
    /// A client was accepted, or the first datagram came.
    Accepted(&'a str),
    /// A connection was made; the service's name, if the port has one.
    Connected(Goal<'a>, Option<&'a str>),
    /// A destination did not answer as hoped.
    Refused(Goal<'a>, &'a io::Error),
    /// A destination did not answer at all.
    TimedOut(Goal<'a>),
}

/// Where a connection is to go: the host as typed, its address where that is not the same, the port.
#[derive(Clone, Debug)]
pub(crate) struct Goal<'a> {
    pub(crate) host: &'a str,
    pub(crate) address: Option<String>,
    pub(crate) port: Option<u16>,
    pub(crate) protocol: &'static str,
}

/// stderr, with the program's name for a prefix.
#[derive(Debug)]
pub struct Console {
    program: String,
    verbose: bool,
    /// How far it is; other lines take its place, and it comes back below them.
    progress: Cell<Line>,
}

impl Console {
    /// A console that names the program and, when `verbose`, also tells what goes well.
    #[must_use]
    pub fn new(program: String, verbose: bool) -> Self {
        Self { program, verbose, progress: Cell::default() }
    }

    /// Tells what happened, if the user wants to know.
    pub(crate) fn inform(&self, notice: &Notice<'_>) {
        if self.verbose {
            self.print(notice);
        }
    }

    /// Whether [`Console::inform`] prints.
    pub(crate) fn is_verbose(&self) -> bool {
        self.verbose
    }

    /// Tells what happened, wanted or not.
    pub(crate) fn print(&self, notice: &Notice<'_>) {
        if let Some(line) = self.line(notice) {
            self.say(&line);
        }
    }

    /// What is printed of a notice, without the line feed; `None` where Debian prints nothing.
    pub(crate) fn line(&self, notice: &Notice<'_>) -> Option<String> {
        match notice {
            // A UNIX socket that connects is no news to Debian.
            Notice::Connected(Goal { port: None, .. }, _) => None,
            Notice::Bound(_)
            | Notice::Listening(_)
            | Notice::Accepted(_)
            | Notice::Connected(..) => Some(escape(&notice.to_string())),
            Notice::Shared(..) | Notice::Refused(..) | Notice::TimedOut(_) => {
                Some(self.complaint(notice))
            }
        }
    }

    /// Says that something went wrong.
    pub fn complain(&self, what: &dyn fmt::Display) {
        self.say(&self.complaint(what));
    }

    /// Says something, just as it is.
    ///
    /// All of it in one write, so that lines of several processes do not mix.
    pub(crate) fn say(&self, what: &dyn fmt::Display) {
        let mut text = self.without_progress().to_owned();
        for line in what.to_string().split('\n') {
            text.extend([&*escape(line), "\n"]);
        }
        say_line(&text);
    }

    /// Draws the progress line, over the one that is there.
    pub(crate) fn draw(&self, words: String) {
        let mut line = self.progress.get();
        say_line(&line.draw(words, stderr_columns()));
        self.progress.set(line);
    }

    /// Takes the progress line away.
    pub(crate) fn erase(&self) {
        match self.without_progress() {
            "" => {}
            erase => say_line(erase),
        }
    }

    /// Leaves the progress line where it is: the screen is somebody else's.
    pub(crate) fn leave(&self) {
        self.progress.set(Line::Gone);
    }

    /// A progress line is on the screen.
    pub(crate) fn shows_progress(&self) -> bool {
        self.progress.get() == Line::Shown
    }

    fn without_progress(&self) -> &'static str {
        let mut line = self.progress.get();
        let erase = line.erase();
        self.progress.set(line);
        erase
    }

    /// How [`Console::complain`] words it.
    pub(crate) fn complaint(&self, what: &dyn fmt::Display) -> String {
        escape(&format!("{}: {what}", self.program))
    }
}

impl fmt::Display for Notice<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bound(at) => write!(f, "Bound on {at}"),
            Self::Listening(at) => write!(f, "Listening on {at}"),
            Self::Shared(ours, other) => {
                write!(f, "another socket already listens on {} {}: ", other.ip(), other.port())?;
                // The kernel prefers the more exact address.
                match (ours.ip(), other.ip()) {
                    (ours, other) if ours == other => {
                        f.write_str("new connections go to either (--exclusive refuses this)")
                    }
                    (ours, other) if other.is_unspecified() => {
                        write!(f, "new connections to {ours} come here, others go there")
                    }
                    (_, other) => {
                        write!(f, "new connections to {other} go there, others come here")
                    }
                }
            }
            // "on" though it is the peer: Debian says so, and scripts look for it.
            Self::Accepted(peer) => write!(f, "Connection received on {peer}"),
            Self::Connected(to, service) => {
                let (service, port) = (service.unwrap_or("*"), to.port.unwrap_or(0));
                let host = Host(to);
                write!(f, "Connection to {host} {port} port [{}/{service}] succeeded!", to.protocol)
            }
            Self::Refused(to, error) => {
                let reason = reason(error);
                match to.port {
                    Some(port) => {
                        write!(
                            f,
                            "connect to {} port {port} ({}) failed: {reason}",
                            Host(to),
                            to.protocol
                        )?;
                        f.write_str(hint(to, error))
                    }
                    None => write!(f, "{}: {reason}", Host(to)),
                }
            }
            // EINPROGRESS is what connect(2) last said; Debian prints its text.
            Self::TimedOut(to) => {
                let last = reason(&io::Error::from_raw_os_error(libc::EINPROGRESS));
                match to.port {
                    Some(port) => {
                        write!(
                            f,
                            "connect to {} port {port} ({}) timed out: {last}",
                            Host(to),
                            to.protocol
                        )
                    }
                    None => write!(f, "{}: timed out", Host(to)),
                }
            }
        }
    }
}

/// `localhost (127.0.0.1)`
struct Host<'a>(&'a Goal<'a>);

impl fmt::Display for Host<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&escape(self.0.host))?;
        match &self.0.address {
            Some(address) => write!(f, " ({address})"),
            None => Ok(()),
        }
    }
}

/// The kernel's "Invalid argument" about a link-local address means that it has no zone.
fn hint(to: &Goal<'_>, error: &io::Error) -> &'static str {
    let lacks_zone = error.raw_os_error() == Some(libc::EINVAL)
        && to
            .host
            .parse()
            .is_ok_and(|ip: Ipv6Addr| ip.is_unicast_link_local() || ip.is_multicast());
    if lacks_zone { " (a link-local address needs its interface: ADDRESS%eth0)" } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to<'a>(host: &'a str, address: Option<&str>) -> Goal<'a> {
        let address = address.map(str::to_owned);
        Goal { host, address, port: Some(4004), protocol: "tcp" }
    }

    #[test]
    fn the_lines_are_debians() {
        let refused = io::Error::from_raw_os_error(libc::ECONNREFUSED);
        for (notice, line) in [
            (Notice::Listening("0.0.0.0 4004"), "Listening on 0.0.0.0 4004"),
            (Notice::Bound("0.0.0.0 4004"), "Bound on 0.0.0.0 4004"),
            (Notice::Accepted("localhost 37342"), "Connection received on localhost 37342"),
            (
                Notice::Refused(Goal { port: None, ..to("/run/s", None) }, &refused),
                "/run/s: Connection refused",
            ),
            (
                Notice::Connected(to("127.0.0.1", None), None),
                "Connection to 127.0.0.1 4004 port [tcp/*] succeeded!",
            ),
            (
                Notice::Connected(to("localhost", Some("127.0.0.1")), Some("http")),
                "Connection to localhost (127.0.0.1) 4004 port [tcp/http] succeeded!",
            ),
            (
                Notice::Refused(to("localhost", Some("::1")), &refused),
                "connect to localhost (::1) port 4004 (tcp) failed: Connection refused",
            ),
            (
                Notice::TimedOut(to("127.0.0.1", None)),
                "connect to 127.0.0.1 port 4004 (tcp) timed out: Operation now in progress",
            ),
        ] {
            assert_eq!(notice.to_string(), line);
        }
    }

    #[test]
    fn who_gets_a_shared_port_is_explained() {
        let line = |ours: &str, other: &str| {
            let at = |ip: &str| format!("{ip}:4004").parse().expect("an address");
            Notice::Shared(at(ours), at(other)).to_string()
        };
        for (ours, other, end) in [
            ("0.0.0.0", "0.0.0.0", "go to either (--exclusive refuses this)"),
            ("127.0.0.1", "0.0.0.0", "new connections to 127.0.0.1 come here, others go there"),
            ("0.0.0.0", "127.0.0.1", "new connections to 127.0.0.1 go there, others come here"),
        ] {
            let line = line(ours, other);
            assert!(line.starts_with(&format!("another socket already listens on {other} 4004: ")));
            assert!(line.ends_with(end), "{line}");
        }
    }

    #[test]
    fn a_missing_zone_is_explained() {
        let invalid = io::Error::from_raw_os_error(libc::EINVAL);
        let line = Notice::Refused(to("fe80::1", None), &invalid).to_string();
        assert!(line.ends_with(
            "Invalid argument (a link-local address needs its interface: ADDRESS%eth0)"
        ));
    }

    #[test]
    fn what_was_forgotten_elsewhere_is_escaped_here_and_nothing_twice() {
        let console = Console::new("nc".to_owned(), true);
        let line = console.line(&Notice::Accepted("a\u{1b}\nb\u{202e}c \\u{1b}"));
        assert_eq!(
            line.as_deref(),
            Some("Connection received on a\\u{1b}\\u{a}b\\u{202e}c \\u{1b}")
        );
        assert_eq!(console.complaint(&"\r\u{9b}"), "nc: \\u{d}\\u{9b}");
    }

    #[test]
    fn a_hostile_host_name_is_escaped() {
        let line = Notice::TimedOut(to("\u{1b}[31m", None)).to_string();
        assert!(line.contains("\\u{1b}[31m") && !line.contains('\u{1b}'));
    }
}
