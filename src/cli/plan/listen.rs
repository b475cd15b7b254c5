//! Where to listen, and for whom: the operands with `-l`, and the options of listeners.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use super::policy::{Limits, hears_many};
use super::words::{HOST, PORT, SOURCE_ADDRESS, Words, text};
use super::{MISSING_PATH, MISSING_PORT, rules};
use crate::app::{Announce, Keep, Listen, Place};
use crate::cli::ports::{self, Services};
use crate::cli::{Misfit, args, quoted, vsock};
use crate::error::Error;
use crate::sys::address::{Address, UnixName};
use crate::sys::crowd::Reply;
use crate::sys::net::{Group, Sharing, Transport};

/// The values of a listener's options.
pub(super) struct Listening {
    max_conns: Option<NonZeroUsize>,
    inherited: Option<i32>,
    ready_fd: Option<i32>,
    reply: Reply,
    groups: Vec<Group>,
}

impl Listening {
    pub(super) fn read(words: Words<'_>) -> Result<Self, Error> {
        let max_conns = words.number(args::MAX_CONNS, MAX_CONNS, 1..=MOST_CONNS)?;
        let groups = words.values(args::JOIN, GROUP)?;
        Ok(Self {
            max_conns: max_conns.and_then(NonZeroUsize::new),
            inherited: words.number(args::FD, DESCRIPTOR, 0..=LAST_DESCRIPTOR)?,
            ready_fd: words.number(args::READY_FD, DESCRIPTOR, 0..=LAST_DESCRIPTOR)?,
            reply: reply(words)?,
            groups: groups.into_iter().map(group).collect::<Result<_, _>>()?,
        })
    }

    pub(super) fn listen(
        self,
        words: Words<'_>,
        transport: Transport,
        limits: &Limits,
        services: Services<'_>,
    ) -> Result<Listen, Error> {
        let at = match (self.inherited, transport) {
            (Some(number), _) if words.operands().is_empty() => Place::Inherited(number),
            (Some(_), _) => return Err(Error::message("cannot use HOST or PORT with --fd")),
            (None, Transport::Tcp | Transport::Mptcp | Transport::Udp) => port(words, services)?,
            (None, Transport::UnixStream | Transport::UnixDatagram | Transport::UnixRecords) => {
                unix(words)?
            }
            (None, Transport::Vsock) => machine(words)?,
        };
        let many = hears_many(words, transport);
        Ok(Listen {
            at,
            groups: self.groups,
            reply: self.reply,
            // A time of 0 would forget everybody before they could be answered.
            memory: limits.timeout.filter(|timeout| many && !timeout.is_zero()),
            announce: Announce {
                port_file: words.raw(args::PORT_FILE).map(PathBuf::from),
                ready_fd: self.ready_fd,
            },
            sharing: if words.has(args::EXCLUSIVE) { Sharing::Exclusive } else { Sharing::Shared },
            keep: if words.has(args::KEEP_OPEN) {
                Keep::Open { max_conns: self.max_conns }
            } else {
                Keep::Once
            },
        })
    }
}

/// `PORT` or `HOST PORT`.
fn port(words: Words<'_>, services: Services<'_>) -> Result<Place, Error> {
    let Some((host, port)) = operands(words)? else { return Ok(Place::Activated) };
    Ok(Place::Port { host: host.map(str::to_owned), port: ports::local(port, services)? })
}

/// `PORT` or `CID PORT`.
fn machine(words: Words<'_>) -> Result<Place, Error> {
    let Some((cid, port)) = operands(words)? else { return Ok(Place::Activated) };
    let cid = cid.map_or(Ok(vsock::ANY_MACHINE), vsock::machine)?;
    Ok(Place::Exact(Address::Vsock { cid, port: vsock::local_port(port)? }))
}

/// `PATH`, which `-s` can stand for.
fn unix(words: Words<'_>) -> Result<Place, Error> {
    match (words.operands().as_slice(), words.raw(args::SOURCE)) {
        ([], None) => Err(Error::message(MISSING_PATH)),
        (&[path], None) | (&[], Some(path)) => {
            Ok(Place::Exact(Address::Unix(UnixName::typed(path))))
        }
        ([_], Some(_)) => Err(Error::message("cannot use -s and PATH with -l")),
        ([_, _, ..], _) => Err(Error::message(rules::PORT_WITH_UNIX)),
    }
}

/// Host and port, where `-p` can stand for the port and `-s` for the host; never both, for it would be
/// unclear which counts. `None`: not a word about either, so a service manager has to have said it.
fn operands(words: Words<'_>) -> Result<Option<(Option<&str>, &str)>, Error> {
    let dash_s = words.value(args::SOURCE, SOURCE_ADDRESS)?;
    let dash_p = words.value(args::SOURCE_PORT, PORT)?;
    match (words.operands().as_slice(), dash_s, dash_p) {
        ([], None, None) => Ok(None),
        ([], Some(_), None) => Err(Error::message(MISSING_PORT)),
        ([], host, Some(port)) => Ok(Some((host, port))),
        ([_, _, _, ..], ..) => Err(Error::message("cannot use more than HOST PORT with -l")),
        (_, _, Some(_)) => Err(Error::message("cannot use -p and HOST or PORT with -l")),
        ([_, _], Some(_), None) => Err(Error::message("cannot use -s and HOST with -l")),
        ([port], host, None) => Ok(Some((host, text(PORT, port)?))),
        ([host, port], None, None) => Ok(Some((Some(text(HOST, host)?), text(PORT, port)?))),
    }
}

fn reply(words: Words<'_>) -> Result<Reply, Error> {
    match words.value(args::UDP_REPLY, "UDP reply")? {
        None | Some("last") => Ok(Reply::Last),
        Some("first") => Ok(Reply::First),
        Some("all") => Ok(Reply::All),
        Some(other) => {
            Err(Error::message(format!("UDP reply must be last, first or all: {}", quoted(other))))
        }
    }
}

/// `GROUP` or `GROUP%IFACE`.
fn group(typed: &str) -> Result<Group, Error> {
    let (address, interface) = match typed.split_once('%') {
        Some((address, interface)) => (address, Some(interface)),
        None => (typed, None),
    };
    let address = address.parse().ok().filter(IpAddr::is_multicast);
    match (address, interface) {
        (None, _) | (_, Some("")) => Err(Misfit::Invalid.of(GROUP, typed)),
        (Some(address), interface) => {
            Ok(Group { address, interface: interface.map(str::to_owned) })
        }
    }
}

const MAX_CONNS: &str = "connection limit";
const DESCRIPTOR: &str = "descriptor";
const GROUP: &str = "multicast group";

/// Enough for everybody, and for an `int`.
const MOST_CONNS: usize = i32::MAX as usize;

/// What fits into an `int`.
const LAST_DESCRIPTOR: i32 = i32::MAX;
