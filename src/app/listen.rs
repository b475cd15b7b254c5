//! Opening what peers come to: from the place as it was typed to a socket that is ready.

use std::net::SocketAddr;

use super::job::{self, Announce, Job, Keep, Listen};
use super::notice::{Console, Notice};
use crate::error::{Error, reason};
use crate::explain::{self, Step, explain, raw_fd};
use crate::sys::address::Address;
use crate::sys::inherit::{self, Kind};
use crate::sys::net::{self, Boundaries, ListenError, Sharing, Transport, listen, local_address};
use crate::sys::polled::Polled;
use crate::sys::resolve::{Lookup, Purpose, addresses, any, label};
use crate::sys::unix_path::{BoundPath, make_way};
use crate::sys::{announce, listeners};

/// A socket that peers can come to, or one that is here already.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) socket: Polled,
    pub(super) kind: Kind,
    /// Where it is, as messages name it.
    pub(super) place: String,
    /// The file that goes when the program ends.
    pub(super) file: Option<BoundPath>,
}

/// Opens the place, tells whoever waits for it.
///
/// # Errors
/// In Debian's words: the address is in use, not ours, privileged.
pub(super) fn open(job: &Job, wanted: &Listen, console: &Console) -> Result<Opened, Error> {
    let opened = match &wanted.at {
        job::Place::Port { host, port } => {
            let candidates = match host {
                None => vec![any(job.lookup.family, *port)],
                Some(host) => local_addresses(host, *port, job.lookup)?,
            };
            open_port(job, wanted, &candidates, console)?
        }
        job::Place::Exact(address) => open_exact(job, wanted, address)?,
        job::Place::Inherited(number) => {
            open_inherited(*number, job.lookup).map_err(Error::doing(format!("--fd {number}")))?
        }
        job::Place::Activated => {
            let number = inherit::activated().ok_or(Error::message("missing port number"))?;
            open_inherited(number, job.lookup).map_err(Error::doing("LISTEN_FDS"))?
        }
    };
    for group in &wanted.groups {
        let joined = net::join(&opened.socket, group);
        joined.map_err(Error::doing(format!("cannot join {}", group.address)))?;
    }
    tell(&opened, job.transport, console);
    announce_all(&opened, &wanted.announce, console)?;
    Ok(opened)
}

/// The addresses of a host of ours, to bind to.
///
/// # Errors
/// It has none.
pub(super) fn local_addresses(
    host: &str,
    port: u16,
    lookup: Lookup,
) -> Result<Vec<SocketAddr>, Error> {
    addresses(host, port, lookup, Purpose::Bind)
        .map_err(|reason| Error::message(format!("getaddrinfo: {reason}")))
}

/// Listens on the first of the addresses that lets itself be bound.
fn open_port(
    job: &Job,
    wanted: &Listen,
    candidates: &[SocketAddr],
    console: &Console,
) -> Result<Opened, Error> {
    let shared = wanted.sharing == Sharing::Shared;
    let mut refusal = Error::Silent;
    for &at in candidates {
        let is_stream = job.transport.boundaries() == Boundaries::None;
        let is_asked = console.is_verbose() || explain::is_wanted();
        let asks = is_asked && shared && is_stream;
        let neighbour = if asks { listeners::sharing_with(at) } else { None };
        let backlog = backlog(wanted.keep, job.transport);
        match listen(job.transport, &Address::Ip(at), backlog, wanted.sharing, &job.options) {
            Ok(socket) => {
                if let Some(neighbour) = neighbour {
                    console.inform(&Notice::Shared(at, neighbour));
                    explain(|| Step::Neighbour {
                        ours: (&Address::Ip(at)).into(),
                        other: (&Address::Ip(neighbour)).into(),
                    });
                }
                let any = at.port() == 0;
                let at = local_address(&socket).ok().and_then(|at| at.as_ip()).unwrap_or(at);
                if any {
                    explain(|| Step::Named { fd: raw_fd(&socket), at: (&Address::Ip(at)).into() });
                }
                let place = named(at, job.lookup);
                return Ok(Opened { socket, kind: kind(job.transport), place, file: None });
            }
            Err(ListenError::Option(error)) => return Err(Error::message(error.to_string())),
            // Debian's line has nothing but the reason.
            Err(ListenError::Socket(error)) if shared => refusal = Error::message(reason(&error)),
            Err(ListenError::Socket(error)) => {
                refusal = Error::Io(format!("--exclusive {} port {}", at.ip(), at.port()), error);
            }
        }
    }
    Err(refusal)
}

fn open_exact(job: &Job, wanted: &Listen, at: &Address) -> Result<Opened, Error> {
    if let Address::Unix(name) = at {
        make_way(name).map_err(Error::doing(name.to_string()))?;
    }
    let backlog = backlog(wanted.keep, job.transport);
    let socket = match listen(job.transport, at, backlog, wanted.sharing, &job.options) {
        Ok(socket) => socket,
        Err(ListenError::Option(error)) => return Err(Error::message(error.to_string())),
        Err(ListenError::Socket(error)) => return Err(Error::message(reason(&error))),
    };
    let (place, file) = match at {
        Address::Unix(name) => (name.to_string(), BoundPath::of(name)),
        Address::Ip(_) | Address::Vsock { .. } | Address::Unnamed => (at.to_string(), None),
    };
    Ok(Opened { socket, kind: kind(job.transport), place, file })
}

/// Opening it makes a file that is ours to remove.
pub(super) fn leaves_file(wanted: &Listen) -> bool {
    match &wanted.at {
        job::Place::Exact(Address::Unix(name)) => BoundPath::is_made_by(name),
        // What the parent has opened is the parent's to remove.
        job::Place::Exact(_)
        | job::Place::Port { .. }
        | job::Place::Inherited(_)
        | job::Place::Activated => false,
    }
}

fn open_inherited(number: i32, lookup: Lookup) -> std::io::Result<Opened> {
    let fd = inherit::take_over(number)?;
    let kind = inherit::kind(&fd)?;
    // Only accept(2) cannot be told not to wait.
    let socket = match kind {
        Kind::Listener(_) => Polled::shared(fd),
        Kind::Datagrams(_) | Kind::Connection(_) => Polled::new(fd),
    };
    let at = local_address(&socket)?;
    explain(|| Step::Inherited { fd: raw_fd(&socket), at: (&at).into() });
    let place = at.as_ip().map_or_else(|| at.to_string(), |at| named(at, lookup));
    Ok(Opened { socket, kind, place, file: None })
}

fn kind(transport: Transport) -> Kind {
    match transport.boundaries() {
        Boundaries::None | Boundaries::Records => Kind::Listener(transport),
        Boundaries::Datagrams => Kind::Datagrams(transport),
    }
}

fn backlog(keep: Keep, transport: Transport) -> i32 {
    match (keep, transport) {
        (Keep::Open { .. }, _) => BACKLOG,
        (Keep::Once, Transport::UnixStream | Transport::UnixRecords) => 5,
        (
            Keep::Once,
            Transport::Tcp
            | Transport::Mptcp
            | Transport::Udp
            | Transport::UnixDatagram
            | Transport::Vsock,
        ) => 1,
    }
}

/// An address and a port as messages name them.
pub(super) fn named(at: SocketAddr, lookup: Lookup) -> String {
    format!("{} {}", label(at, lookup), at.port())
}

/// Debian names a UNIX listener twice.
fn tell(opened: &Opened, transport: Transport, console: &Console) {
    let is_unix = matches!(
        transport,
        Transport::UnixStream | Transport::UnixDatagram | Transport::UnixRecords
    );
    match opened.kind {
        Kind::Datagrams(_) => console.inform(&Notice::Bound(&opened.place)),
        Kind::Listener(_) => {
            if is_unix {
                console.inform(&Notice::Bound(&opened.place));
            }
            console.inform(&Notice::Listening(&opened.place));
        }
        Kind::Connection(_) => {}
    }
}

fn announce_all(opened: &Opened, wanted: &Announce, console: &Console) -> Result<(), Error> {
    let port = local_address(&opened.socket).ok().and_then(|at| at.as_ip()).map(|at| at.port());
    let line = port.map_or_else(|| format!("{}\n", opened.place), |port| format!("{port}\n"));
    if let Some(path) = &wanted.port_file {
        announce::to_file(path, &line).map_err(Error::doing("--port-file"))?;
    }
    if let Some(number) = wanted.ready_fd {
        announce::to_descriptor(number, &line).map_err(Error::doing("--ready-fd"))?;
    }
    // Its variable may be left over from somebody else's service: no reason not to listen.
    if let Err(error) = announce::to_service_manager() {
        console.complain(&format!("NOTIFY_SOCKET: {}", reason(&error)));
    }
    Ok(())
}

/// Clients that may wait to be accepted with `-k`; the kernel cuts it to net.core.somaxconn.
const BACKLOG: i32 = 4096;
