//! Where to connect to: the operands without `-l`. A scan has the same ones.

use super::policy::Limits;
use super::words::{HOST, PORT, SOURCE_ADDRESS, Words, text};
use super::{MISSING_PATH, MISSING_PORT, rules};
use crate::app::{Connect, Destination, Purpose, Route};
use crate::cli::ports::{self, Services};
use crate::cli::{args, vsock};
use crate::error::Error;
use crate::sys::address::{Address, UnixName};
use crate::sys::net::Transport;

pub(super) fn connect(
    words: Words<'_>,
    transport: Transport,
    limits: &Limits,
    services: Services<'_>,
) -> Result<Connect, Error> {
    let to = destination(words, transport, services)?;
    let purpose = if words.has(args::PASS_FD) { Purpose::PassDescriptor } else { Purpose::Relay };
    Ok(Connect {
        to,
        // Its proxies may have to ask for passwords, which comes last.
        route: Route::default(),
        // Of `-w 0` Debian's waits for the connection without bound, and ends on the first pause.
        timeout: limits.timeout.filter(|timeout| !timeout.is_zero()),
        interval: limits.interval,
        purpose,
    })
}

pub(super) fn destination(
    words: Words<'_>,
    transport: Transport,
    services: Services<'_>,
) -> Result<Destination, Error> {
    match transport {
        Transport::Tcp | Transport::Mptcp | Transport::Udp => host(words, services),
        Transport::UnixStream | Transport::UnixDatagram | Transport::UnixRecords => unix(words),
        Transport::Vsock => machine(words),
    }
}

/// `HOST PORT...`, or `HOST` with `-p`.
fn host(words: Words<'_>, services: Services<'_>) -> Result<Destination, Error> {
    let Operands { host, list, source_host, source_port } = Operands::read(words)?;
    let (mut ports, source_port) = match (list.as_slice(), source_port) {
        // `nc localhost -p 4004`: the only port there is must be the one to connect to. Debian's
        // prints its usage instead.
        ([], Some(port)) => (vec![ports::sole_destination(port, services)?], None),
        ([], None) => return Err(Error::message(MISSING_PORT)),
        (list, local) => {
            let local = local.map(|value| ports::local(value, services)).transpose()?;
            (ports::destinations(list, services)?, local.filter(|&port| port != 0))
        }
    };
    if words.has(args::RANDOM) {
        fastrand::shuffle(&mut ports);
    }
    Ok(Destination::Host {
        host: host.to_owned(),
        ports,
        source_host: source_host.map(str::to_owned),
        source_port,
    })
}

/// `CID PORT`, or `CID` with `-p`.
fn machine(words: Words<'_>) -> Result<Destination, Error> {
    let Operands { host, list, source_host, source_port } = Operands::read(words)?;
    let cid = vsock::machine(host)?;
    let (port, source_port) = match (list.as_slice(), source_port) {
        ([], Some(port)) => (port, None),
        ([], None) => return Err(Error::message(MISSING_PORT)),
        ([port], local) => (*port, local),
        ([_, _, ..], _) => {
            return Err(Error::message("cannot use more than CID PORT with --vsock"));
        }
    };
    let address = Address::Vsock { cid, port: vsock::destination(port)? };
    let source = match (source_host, source_port) {
        (None, None) => None,
        (cid, port) => Some(Address::Vsock {
            cid: cid.map_or(Ok(vsock::ANY_MACHINE), vsock::machine)?,
            port: port.map_or(Ok(vsock::ANY_PORT), vsock::local_port)?,
        }),
    };
    Ok(Destination::Exact { address, source })
}

/// `PATH`
fn unix(words: Words<'_>) -> Result<Destination, Error> {
    match words.operands().as_slice() {
        [] => Err(Error::message(MISSING_PATH)),
        [path] => Ok(Destination::Exact {
            address: Address::Unix(UnixName::typed(path)),
            source: words.raw(args::SOURCE).map(|path| Address::Unix(UnixName::typed(path))),
        }),
        [_, _, ..] => Err(Error::message(rules::PORT_WITH_UNIX)),
    }
}

/// Who is connected to, and from where.
struct Operands<'a> {
    host: &'a str,
    list: Vec<&'a str>,
    source_host: Option<&'a str>,
    source_port: Option<&'a str>,
}

impl<'a> Operands<'a> {
    fn read(words: Words<'a>) -> Result<Self, Error> {
        let source_host = words.value(args::SOURCE, SOURCE_ADDRESS)?;
        let source_port = words.value(args::SOURCE_PORT, PORT)?;
        let operands = words.operands();
        let Some((host, list)) = operands.split_first() else {
            return Err(Error::message("missing host name and port number (see nc --help)"));
        };
        let host = text(HOST, host)?;
        let list = list.iter().map(|value| text(PORT, value)).collect::<Result<_, _>>()?;
        Ok(Self { host, list, source_host, source_port })
    }
}
