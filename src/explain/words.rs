//! What each step is for: every sentence of `nc --explain`, but for why a session is over
//! (`session/outcome.rs`).
//!
//! They are read one after another, by somebody who sees these calls for the first time, and with the
//! kernel's sources beside them, by somebody who does not. Neither may find anything wrong.

use std::fmt;

use super::strace::{Answer, Make, Place};
use super::{Connecting, Ended, Errand, IAC, Purpose, Reuse, Step, Taken, Verdict};
use crate::error::escape;
use crate::units::counted;

impl Step<'_> {
    /// The same for a reader who has read the sentence before.
    #[expect(clippy::wildcard_enum_match_arm, reason = "most have one sentence")]
    pub(super) fn short_sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Option { .. } | Self::Socket { errand: Errand::NameOfInterface, .. } => {
                f.write_str("As before.")
            }
            Self::Socket { make, answer: Ok(fd), .. } => {
                write!(f, "A {} socket, called {fd}.", medium(*make))
            }
            Self::Accept { peer, answer: Ok(fd), .. } => {
                write!(f, "One more connection, {fd}. Its other end is {peer}.")
            }
            Self::Connect { to, .. } => write!(f, "The {} is on its way to {to}.", opening(to)),
            Self::Pending { fd, errno } => {
                write!(f, "SO_ERROR says how it stands with {fd}: errno {errno}. A RST has come.")
            }
            Self::Connected { local, peer, .. } => write!(f, "Connected, from {local} to {peer}."),
            Self::ProbeClosed { .. } => f.write_str("The port is open."),
            Self::Heard { len: 1, .. } => f.write_str("The first byte is fetched."),
            Self::Heard { len, .. } => write!(f, "The first {len} bytes are fetched."),
            Self::Said { len: 1, .. } => f.write_str("The first byte is on its way."),
            Self::Said { len, .. } => write!(f, "The first {len} bytes are on their way."),
            Self::PeerEnded { silent: true, .. } => {
                f.write_str("0: end of file, and nothing before it.")
            }
            Self::PeerEnded { silent: false, .. } => f.write_str("0: end of file."),
            // The others have one sentence.
            _ => self.sentence(f),
        }
    }

    /// What it is for, in one line.
    #[expect(clippy::too_many_lines, reason = "a table")]
    pub(super) fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Poller { .. } => f.write_str(
                "An epoll instance. With it the program waits for everything at once, and never in a \
                 single read or accept. epoll_ctl tells it what to watch, once for each \
                 descriptor; those calls are left out here.",
            ),
            Self::Standard { fd, kind, taken, .. } => {
                let name = match fd {
                    0 => "stdin",
                    1 => "stdout",
                    _ => "stderr",
                };
                write!(f, "{name} is a {kind}. ")?;
                match taken {
                    Taken::Opened { writing: true } => {
                        f.write_str("It is opened a second time, nonblocking, for us alone.")
                    }
                    Taken::Opened { writing: false } => f.write_str(
                        "It is opened a second time, nonblocking, for us alone: O_NONBLOCK on 0 itself \
                         would be there for the shell as well.",
                    ),
                    Taken::PerCall => f.write_str(
                        "It is shared with other programs and stays as it is; each call is made so that \
                         it cannot wait.",
                    ),
                    Taken::Ready => f.write_str("It never makes anybody wait."),
                }
            }
            Self::LookedUp { found, .. } => match found.len() {
                1 => f.write_str("The name has one address, from /etc/hosts or a name server."),
                n => write!(
                    f,
                    "The name has {n} addresses, in the order in which the C library would try them \
                     (RFC 6724: often IPv6 first)."
                ),
            },
            Self::Race { first, others, in_turn } => {
                write!(f, "{first} is tried first. ")?;
                let more = if *others == 1 { "the other address" } else { "another address" };
                let (condition, then) = if *in_turn {
                    ("fails", "from the same local port")
                } else {
                    (
                        "fails, or has not answered after 250 ms",
                        "as well; the first to connect wins (RFC 8305)",
                    )
                };
                write!(f, "If it {condition}, {more} is tried {then}.")
            }
            Self::NextAddress => {
                f.write_str("250 ms are over without an answer: the next address is tried as well.")
            }
            Self::Loser { .. } => f.write_str("Another address was faster."),
            Self::Socket { make, errand, answer } => match (errand, answer) {
                (_, Err(_)) => f.write_str("There is no such socket to be had here."),
                (Errand::Relay, Ok(fd)) => {
                    write!(f, "The kernel makes a {} socket, which ", medium(*make))?;
                    write!(
                        f,
                        "this process calls {fd}. It has no address yet. SOCK_NONBLOCK: where a call would \
                         have to wait, it fails instead."
                    )
                }
                (Errand::IsAlive, Ok(_)) => {
                    f.write_str("To find out whether the file that is in the way is still in use.")
                }
                (Errand::HasRoute, Ok(_)) => {
                    f.write_str("To find out whether local ports are wanting, or a local address.")
                }
                (Errand::NameOfInterface, Ok(_)) => {
                    f.write_str("To learn an interface's name, for a message.")
                }
                (Errand::Ready, Ok(_)) => f.write_str("To tell the service manager: ready."),
            },
            Self::Option { answer: Err(libc::EPERM), .. } => {
                f.write_str("Not allowed: it takes a privilege.")
            }
            Self::Option { answer: Err(_), .. } | Self::Reuse { answer: Err(_), .. } => {
                f.write_str("The kernel will not have it.")
            }
            Self::Reuse { what, datagrams, .. } => f.write_str(match (what, datagrams) {
                (Reuse::Address, false) => {
                    "For bind: connections on this port that are over, but that TCP remembers for a \
                     minute (TIME_WAIT), are no obstacle."
                }
                (Reuse::Port, false) => {
                    "For bind: another socket of the same user may have the same port, if it said this \
                     too. So two listeners on one port both start; --exclusive leaves this out."
                }
                (Reuse::Address, true) => {
                    "For bind: another UDP socket may have the same port, if it said this too."
                }
                (Reuse::Port, true) => {
                    "The same for sockets of one user, to whom the kernel then deals the datagrams out. \
                     --exclusive leaves out both."
                }
            }),
            Self::Option { purpose, .. } => option(f, *purpose),
            Self::Exclusive => f.write_str(
                "--exclusive: SO_REUSEPORT is left out. bind fails if another socket listens there, and \
                 none can join this one.",
            ),
            Self::BindToListen { at, answer: Ok(_), .. } => match (at.as_ip(), at.name()) {
                (Some(ip), _) => {
                    let which = match (ip.ip().is_unspecified(), ip.is_ipv4()) {
                        (false, _) => "and no other of this machine's",
                        (true, true) => "which is every IPv4 address of this machine",
                        (true, false) => {
                            "which is every address of this machine, IPv4 too unless net.ipv6.bindv6only is 1"
                        }
                    };
                    write!(f, "The socket's own address: {}, {which}, and ", at.host())?;
                    port(f, ip.port())
                }
                (None, Some((_, true))) => {
                    f.write_str("Its name, by which clients find it; no file belongs to it.")
                }
                (None, Some((_, false))) => {
                    f.write_str("This makes the file by whose name clients find the socket.")
                }
                (None, None) => f.write_str("The socket's own address."),
            },
            Self::BindFrom { at, answer: Ok(_), .. } => match (at.as_ip(), at.name()) {
                (Some(ip), _) => {
                    let any = if ip.port() == 0 { " (any free one)" } else { "" };
                    write!(
                        f,
                        "This end's address, because -s or -p asks for it: {at}{any}. Without them, connect \
                         chooses."
                    )
                }
                (None, Some(_)) => f.write_str("A name for this end, at which it can be answered."),
                (None, None) => f.write_str("This end's address."),
            },
            Self::BindToListen { at, answer: Err(errno), .. }
            | Self::BindFrom { at, answer: Err(errno), .. } => f.write_str(match *errno {
                libc::EADDRINUSE if at.as_ip().is_some() => {
                    "Another socket has this address, and the two have not both said SO_REUSEPORT."
                }
                libc::EADDRINUSE if at.is_unix() => {
                    "Something has this name already: a file, or a socket that is in use."
                }
                libc::EADDRINUSE => "Another socket has this address.",
                libc::EADDRNOTAVAIL => "No interface of this machine has this address.",
                libc::EACCES => {
                    "Not allowed: ports below net.ipv4.ip_unprivileged_port_start (1024) take a \
                     privilege, files a writable directory."
                }
                _ => "There is no socket at this address, then.",
            }),
            Self::Named { at, .. } => write!(f, "The kernel has chosen: {at}."),
            Self::Listen { answer: Err(_), .. } => f.write_str("Nobody can connect, then."),
            Self::Listen { backlog, unix, .. } => {
                f.write_str(
                    "From now on the kernel answers whoever connects, even while this program sleeps. ",
                )?;
                match (backlog, unix) {
                    (1, _) => f.write_str(
                        "The backlog, 1: so many connections may wait to be accepted (Linux lets in one \
                         more). Only one is wanted.",
                    ),
                    (n, true) => write!(
                        f,
                        "The backlog, {n}: so many connections may wait to be accepted (Linux lets in one \
                         more)."
                    ),
                    (n, false) => write!(
                        f,
                        "The backlog, {n}: so many connections may wait to be accepted, or \
                         net.core.somaxconn if that is less."
                    ),
                }
            }
            Self::Neighbour { ours, other } => {
                write!(f, "/proc/net/tcp shows another socket that listens on {other}. ")?;
                match (ours.as_ip(), other.as_ip()) {
                    (Some(ours), Some(other)) if ours.ip() != other.ip() => {
                        let exact = if ours.ip().is_unspecified() { other.ip() } else { ours.ip() };
                        let whose = if exact == ours.ip() { "here" } else { "there" };
                        write!(
                            f,
                            "The kernel prefers the more exact address: clients of {exact} come {whose}."
                        )
                    }
                    _ => f.write_str(
                        "Both said SO_REUSEPORT, so each new client is dealt to one of the two, by a hash \
                         of addresses and ports.",
                    ),
                }
            }
            Self::Inherited { fd, at } => {
                write!(f, "Descriptor {fd} is a socket that was opened by the parent process, at {at}.")
            }
            Self::Sleep { .. } => f.write_str(
                "Nothing can be done now: the process sleeps until the kernel knows something of one of \
                 the descriptors, or a timer is due. All further waiting is this call.",
            ),
            Self::Accept { fd, peer, answer: Ok(new) } => {
                write!(f, "{fd} is readable: a connection is complete. accept4 fetches it, as {new}, ")?;
                write!(f, "a socket of its own whose other end is {peer}.")
            }
            Self::Accept { answer: Err(libc::EAGAIN), .. } => f.write_str(
                "Nobody else is waiting. Were the socket not nonblocking, this call would sleep here.",
            ),
            Self::Accept { .. } => f.write_str("This one is not to be had; others may be."),
            Self::ListenerClosed { .. } => f.write_str(
                "Without -k one client is all: the listening socket goes, so that the next one is \
                 refused and does not wait in vain. A client that says nothing counts as well. That is \
                 how a port scan ends a listener.",
            ),
            Self::KeepOpen => {
                f.write_str("-k: the listening socket stays, and stdin goes to every client.")
            }
            Self::Connect { to, how, answer, .. } => connecting(f, to, *how, *answer),
            Self::Pending { fd, errno } => {
                write!(f, "SO_ERROR says how it stands with {fd}: ")?;
                match errno {
                    0 => f.write_str("0, no error."),
                    errno => write!(f, "errno {errno}. {}", unreached(*errno)),
                }
            }
            Self::Connected { local, peer, .. } => {
                write!(f, "Connected. This end is {local}, ")?;
                write!(f, "which the kernel has chosen unless -s or -p did, the other {peer}.")
            }
            Self::GaveUp { scan, .. } => {
                f.write_str("Time is up (-w")?;
                f.write_str(if *scan { ", of a scan 3 s without it" } else { "" })?;
                f.write_str(
                    "), and nothing has come back, neither yes nor no: the machine is off, a packet filter \
                     is silent, or the listener's queue (its backlog) is full.",
                )
            }
            Self::ProbeClosed { reset, .. } => {
                f.write_str(
                    "The port is open, which is all that -z wants to know. The listener over there accepts \
                     a client, and ",
                )?;
                f.write_str(if *reset {
                    "finds it reset."
                } else {
                    "the first read from it returns 0: end of file."
                })
            }
            Self::Met { sender, .. } => write!(
                f,
                "The first datagram is from {sender}. MSG_PEEK: it is looked at and stays in the queue."
            ),
            Self::NewPeer { sender, .. } => write!(f, "A datagram of somebody new: {sender}."),
            Self::Heard { len, first, datagram, .. } => {
                match (datagram, len) {
                    (true, _) => {
                        let bytes = counted(*len as u64, "byte");
                        write!(f, "The first datagram is fetched, {bytes}. It had")?;
                    }
                    (false, 1) => f.write_str("The peer's first byte is fetched. It had")?,
                    (false, n) => write!(f, "The peer's first {n} bytes are fetched. They had")?,
                }
                f.write_str(" been waiting in the socket's receive queue.")?;
                if *first == Some(IAC) && !datagram {
                    f.write_str(
                        " 255 comes first: IAC, \"interpret as command\" of telnet (RFC 854). nc passes \
                         bytes and speaks no protocol; -t refuses whatever telnet asks for.",
                    )?;
                }
                Ok(())
            }
            Self::Said { len, datagram: false, .. } => {
                write!(
                    f,
                    "The kernel has taken the first {}, and sends on its own. Whether they are read over \
                     there it does not say.",
                    counted(*len as u64, "byte")
                )
            }
            Self::Said { datagram: true, .. } => f.write_str(
                "One call, one datagram. Nobody says whether it arrives.",
            ),
            Self::SaidTo { to, .. } => {
                write!(f, "One datagram, to {to}.")
            }
            Self::PeerEnded { silent, .. } => {
                f.write_str("0 is the end of file: the peer sends nothing more")?;
                f.write_str(if *silent { ", and has sent nothing at all" } else { "" })?;
                f.write_str(" (over TCP, its FIN has come).")
            }
            Self::EndMeans { goes_on: true } => f.write_str(
                "The other direction has an end of its own: what stdin brings is sent until then.",
            ),
            Self::EndMeans { goes_on: false } => f.write_str(
                "That ends the session: so it is with a listener, also where a port scan comes and goes \
                 without a word, and with a client whose stdin is a terminal or that has --exit-on-close.",
            ),
            Self::ReadFailed { errno, .. }
            | Self::WriteFailed { errno, .. }
            | Self::SpliceFailed { errno, .. } => f.write_str(broken(*errno)),
            Self::NotTold { datagrams: false } => f.write_str(
                "stdin has ended, and all of it is sent. The peer is not told: shutdown(SHUT_WR), for \
                 which -N is there, would be its end of file. What it says is still received.",
            ),
            Self::NotTold { datagrams: true } => f.write_str(
                "stdin has ended, and all of it is sent. UDP and its like have no way to say so.",
            ),
            Self::Shutdown { answer: Err(_), .. } => {
                f.write_str("There is no connection any more.")
            }
            Self::Shutdown { what, .. } => f.write_str(match what {
                Ended::Stdin => {
                    "stdin has ended, and all of it is sent: the peer is told, as -N, -q, --quit-after and \
                     --send-only have it. It reads an end of file, over TCP by a FIN; the other way stays \
                     open."
                }
                Ended::Datagrams => {
                    "stdin has ended, and all of it is sent. No packet says so: datagrams have no end."
                }
                Ended::Peer => "The peer's end is passed on: whoever reads the socket that is stdout sees it.",
            }),
            Self::Telnet { answer: [iac, refusal, option], word } => {
                write!(
                    f,
                    "-t: the peer has sent a telnet command about option {option}. It is kept from stdout \
                     and refused: IAC {word} {option}, in bytes {iac} {refusal} {option}."
                )
            }
            Self::Proxy { proxy, protocol, target } => {
                write!(f, "The proxy {} is connected to, and asked in ", escape(proxy))?;
                write!(f, "{protocol} to connect to {}.", escape(target))
            }
            Self::ProxyDone { hop } => {
                write!(f, "Proxy {hop} has connected: what follows on this socket is not for it.")
            }
            Self::SynSent { answer: Err(libc::EINPROGRESS), .. } => f.write_str(
                "Writing nothing sends the SYN alone: the server may be the one to speak first.",
            ),
            Self::SynSent { .. } => f.write_str("SO_ERROR will tell."),
            Self::ReadEnough => f.write_str("-W: so much was wanted. That is the end."),
            Self::PassedOn { .. } => f.write_str(
                "-F: whoever holds the other end of stdout, a UNIX socket, gets a descriptor for the \
                 connection.",
            ),
            Self::Over { why, moved, .. } => {
                f.write_str(why)?;
                let Some((sent, received)) = moved else { return Ok(()) };
                write!(f, " {} sent, {} received.", counted(*sent, "byte"), counted(*received, "byte"))
            }
            Self::Unlink { dead: true, .. } => {
                f.write_str("Nobody has this socket open any more: it makes way.")
            }
            Self::Unlink { dead: false, .. } => {
                f.write_str("The socket's file would outlive it, and be in the way next time.")
            }
            Self::Killed { .. } => f.write_str(
                "The signal was held back until its turn came. Now it ends the program; one that was \
                 fetched is sent again.",
            ),
            Self::Exit { why, .. } => f.write_str(match why {
                Verdict::Fine => "0: it was done, and nothing that was read is lost.",
                Verdict::Found => {
                    "0: a port is open (or silent, over UDP), or all of them where all were asked for."
                }
                Verdict::Said => {
                    "1: there was no connection, or not all went well. Without a connection Debian's nc says \
                     1 too, and of a refused one not a word unless -v is there; of one that breaks later it \
                     says 0."
                }
                Verdict::Refused => "1: the line above says why.",
            }),
        }
    }
}

/// What begins a connection.
fn opening(to: &Place) -> &'static str {
    if to.as_ip().is_some() { "SYN" } else { "request" }
}

fn medium(make: Make) -> &'static str {
    match (make.family, make.bare_kind(), make.protocol) {
        (libc::AF_INET, _, libc::IPPROTO_MPTCP) => "Multipath TCP (IPv4)",
        (libc::AF_INET6, _, libc::IPPROTO_MPTCP) => "Multipath TCP (IPv6)",
        (libc::AF_INET, libc::SOCK_STREAM, _) => "TCP (IPv4)",
        (libc::AF_INET6, libc::SOCK_STREAM, _) => "TCP (IPv6)",
        (libc::AF_INET, ..) => "UDP (IPv4)",
        (libc::AF_INET6, ..) => "UDP (IPv6)",
        (libc::AF_VSOCK, ..) => "vsock",
        (_, libc::SOCK_STREAM, _) => "UNIX stream",
        (_, libc::SOCK_DGRAM, _) => "UNIX datagram",
        _ => "UNIX record",
    }
}

fn port(f: &mut fmt::Formatter<'_>, port: u16) -> fmt::Result {
    match port {
        0 => f.write_str("any port that is free."),
        port => write!(
            f,
            "port {port}. A socket that has it already, and did not agree to share it, would make bind say \
             EADDRINUSE."
        ),
    }
}

/// The words for an option that was set.
fn option(f: &mut fmt::Formatter<'_>, purpose: Purpose) -> fmt::Result {
    f.write_str(match purpose {
        Purpose::Queue { bytes } => {
            return write!(
                f,
                "UDP throws away what finds no room: let there be {} MiB, if the kernel allows it.",
                bytes >> 20
            );
        }
        Purpose::ReceiveBuffer => {
            "-I: the size of the receive buffer. The kernel doubles it, within limits."
        }
        Purpose::SendBuffer => {
            "-O: the size of the send buffer. The kernel doubles it, within limits."
        }
        Purpose::Broadcast => "-b: may send to a broadcast address.",
        Purpose::Signature => "-S: each segment is signed, and none without signature is taken.",
        Purpose::Record => "-D: the kernel may record what the socket does.",
        Purpose::TypeOfService => "-T: what each packet asks of the routers.",
        Purpose::Hops => "-M: so many hops, and a packet is dropped.",
        Purpose::GroupHops => "-M, for multicasts.",
        Purpose::FewestHops => "-m: packets with fewer hops left are dropped.",
        Purpose::NoLoop => "--no-loop: this machine does not hear its own multicasts.",
        Purpose::Interface => "--interface: packets come and go through this one only.",
        Purpose::Mark => "--mark: packets carry this number, for routing and filters.",
        Purpose::Keepalive => "--keepalive: a silent peer is asked whether it is still there.",
        Purpose::FirstProbe { seconds } => {
            return write!(f, "It is asked for the first time after {seconds} s of silence.");
        }
        Purpose::NextProbe { seconds } => {
            return write!(
                f,
                "Without an answer it is asked again every {seconds} s, as often as \
                 net.ipv4.tcp_keepalive_probes says (9); then the connection is given up."
            );
        }
        Purpose::NoDelay => "--nodelay: small writes are sent at once.",
        Purpose::UserTimeout { ms } => {
            return write!(f, "--user-timeout: {ms} ms without acknowledgement are the end.");
        }
        Purpose::Congestion => "--congestion: how TCP finds out how fast to send.",
        Purpose::FastOpen => "--tcp-fastopen: the first packet may bring data (RFC 7413).",
        Purpose::LittleUnsent => {
            "So much may wait unsent in the kernel: with one stdin for many, a slow client must not look \
             stalled."
        }
        Purpose::Reset => {
            "-p: the close to come sends a RST and leaves no TIME_WAIT: the local port is free at once."
        }
        Purpose::Join => "--join: what is sent to this group arrives here.",
    })
}

/// What connect(2) has answered.
fn connecting(
    f: &mut fmt::Formatter<'_>,
    to: &Place,
    how: Connecting,
    answer: Answer,
) -> fmt::Result {
    match (answer, how) {
        (Ok(_), Connecting::Datagrams) if !to.is_unix() => f.write_str(
            "Nothing is sent: UDP has no connections. The kernel notes the peer, so that send needs no \
             address, strangers are not heard and ICMP errors find their way back.",
        ),
        (Ok(_), Connecting::Datagrams) => f.write_str("The kernel notes to whom datagrams go."),
        (Ok(_), Connecting::Sender) => {
            write!(f, "From now on the socket hears and answers nobody but {to}.")
        }
        (Ok(_), Connecting::Errand) => f.write_str("It works."),
        (Ok(_), Connecting::FastOpen) => f.write_str(
            "Nothing is sent yet: the kernel has this server's cookie, so the SYN may bring data.",
        ),
        (Ok(_), Connecting::Again | Connecting::Stream) if to.is_unix() => f.write_str(
            "Connected at once: the other end is on this machine, and the listener finds the connection \
             in its queue.",
        ),
        (Ok(_), Connecting::Again | Connecting::Stream) => f.write_str("Connected at once."),
        (Err(libc::EINPROGRESS), _) => write!(
            f,
            "Errno {} is no failure: the {} is on its way to {to}, and connect does not wait for the answer. \
             When it is there, epoll reports the socket as writable.",
            libc::EINPROGRESS,
            if to.as_ip().is_some() { "first packet (SYN)" } else { opening(to) }
        ),
        (Err(libc::EALREADY | libc::EISCONN), _) => {
            f.write_str("Asked again: not refused so far. The event will tell.")
        }
        (Err(libc::ECONNREFUSED), _) if to.is_unix() => {
            f.write_str("The file is there, and nobody listens at it.")
        }
        (Err(libc::ENOENT), _) => f.write_str("There is no such file."),
        (Err(libc::EPROTOTYPE), _) => f.write_str("A socket of another kind has this name."),
        (Err(libc::EAGAIN), _) if to.is_unix() => {
            f.write_str("The listener's queue is full. Nobody will tell when it is not: once more in 10 ms.")
        }
        (Err(errno), _) => f.write_str(unreached(errno)),
    }
}

/// Why there is no connection.
fn unreached(errno: i32) -> &'static str {
    match errno {
        libc::ECONNREFUSED => {
            "The SYN was answered by a RST. A kernel sends that where no socket listens on the port (or a \
             packet filter does). It is final, and nothing is left to wait for."
        }
        libc::ETIMEDOUT => "Every SYN remained without an answer.",
        libc::ENETUNREACH => "This machine has no route to there.",
        libc::EHOSTUNREACH => "A router, or this machine, says that nobody is there (ICMP, ARP).",
        libc::EADDRNOTAVAIL => "There is no local address or port left to connect from.",
        libc::EACCES | libc::EPERM => {
            "It is forbidden: a packet filter, or a broadcast without -b."
        }
        libc::ECONNRESET => "The peer has reset it.",
        _ => "It cannot be.",
    }
}

/// What has broken.
fn broken(errno: i32) -> &'static str {
    match errno {
        libc::ECONNRESET => {
            "The peer has dropped the connection, on purpose or with bytes of ours unread; over TCP that is \
             a RST in the place of a FIN. What was on its way is lost."
        }
        libc::EPIPE => {
            "Nobody reads there any more. It is an error and not the end of the program: the signal SIGPIPE \
             is ignored, and not even sent where a call says MSG_NOSIGNAL."
        }
        libc::ECONNREFUSED => {
            "What was sent before has found nobody. Over UDP an ICMP message says that no socket has that \
             port, and the call that comes next is told."
        }
        libc::ETIMEDOUT => "The peer acknowledges nothing any more, and TCP has given up.",
        libc::EMSGSIZE => "The datagram is too large for the way it has to go.",
        _ => "The connection is of no use any more.",
    }
}
