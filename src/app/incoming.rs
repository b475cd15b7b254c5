//! Sessions that come from outside: from a listener, from the first datagram, from a socket that was
//! connected already.

use mio::Interest;

use super::accept::{Accepted, Acceptor};
use super::listen::{Opened, named};
use super::notice::Notice;
use super::{App, Keep, Listen, Origin, Owner};
use crate::error::{Error, reason};
use crate::explain::{Step, explain};
use crate::mistakes::{Mistake, made};
use crate::reactor::Readiness;
use crate::sys::address::{Address, UnixName};
use crate::sys::arrivals::{Met, first_sender};
use crate::sys::crowd::{Crowd, Reply};
use crate::sys::inherit::Kind;
use crate::sys::link::Link;
use crate::sys::net::{Boundaries, local_address};
use crate::sys::resolve;
use crate::sys::sandbox::Stage;
use crate::sys::socket::Socket;

impl App<'_> {
    /// Enters what was opened into the loop. From then on only clients are news.
    pub(super) fn take_in(&mut self, opened: Opened, wanted: &Listen) -> Result<(), Error> {
        let Opened { mut socket, kind, place, file } = opened;
        self.file = file;
        if local_address(&socket).is_ok_and(|at| at.as_ip().is_some_and(|at| at.is_ipv6())) {
            resolve::keep_naming_interfaces();
        }
        let cannot_poll = || Error::doing("cannot poll the socket");
        let reactor = &mut self.reactor;
        match kind {
            Kind::Listener(transport) => {
                self.transport = transport;
                let max_conns = match wanted.keep {
                    Keep::Once => None,
                    Keep::Open { max_conns } => max_conns,
                };
                let acceptor = Acceptor::new(reactor, socket, max_conns).map_err(cannot_poll())?;
                self.origin = Origin::Listener { acceptor, keep: wanted.keep, place };
                self.confine(Stage::Listening)
            }
            Kind::Datagrams(transport) => {
                self.transport = transport;
                self.hub.expect_datagrams();
                match wanted.keep {
                    Keep::Once => {
                        let id = reactor
                            .register(
                                socket.source(),
                                Interest::READABLE | Interest::WRITABLE,
                                Owner::Meeting,
                            )
                            .map_err(cannot_poll())?;
                        self.origin = Origin::Meeting { socket, id, place };
                        self.confine(Stage::Meeting)
                    }
                    Keep::Open { .. } => {
                        let crowd = Crowd::new(socket, wanted.reply, wanted.memory, reactor.now());
                        self.begin(Link::Crowd(Box::new(crowd)), Address::Unnamed);
                        self.confine(Stage::Answering)
                    }
                }
            }
            Kind::Connection(transport) => {
                self.transport = transport;
                if transport.boundaries() == Boundaries::Datagrams {
                    self.hub.expect_datagrams();
                }
                self.begin(Link::Peer(Socket::connected(socket, transport)), Address::Unnamed);
                self.confine(Stage::Relaying)
            }
        }
    }

    pub(super) fn accept(&mut self) -> Result<(), Error> {
        for _ in 0..ACCEPTS_PER_TURN {
            let Origin::Listener { acceptor, keep, place } = &mut self.origin else {
                return Ok(());
            };
            let keep = *keep;
            let accepted = acceptor
                .accept(&mut self.reactor, self.hub.len())
                .map_err(Error::doing("accept"))?;
            let (socket, peer) = match accepted {
                Accepted::Client(socket, peer) => (socket, peer),
                Accepted::Vanished => continue,
                Accepted::NoneNow => return Ok(()),
            };
            if self.console.is_verbose() {
                let name = peer.as_ip().map(|peer| named(peer, self.lookup));
                self.console.inform(&Notice::Accepted(name.as_deref().unwrap_or(place)));
            }
            // A UNIX client mostly has no name; it is known by where it came to.
            let peer = match peer {
                Address::Unnamed => Address::Unix(UnixName::typed(place.as_ref())),
                named @ (Address::Ip(_) | Address::Unix(_) | Address::Vsock { .. }) => named,
            };
            self.begin(Link::Peer(Socket::connected(socket, self.transport)), peer);
            match keep {
                Keep::Open { .. } if made(Mistake::AcceptOnce) => return Ok(()),
                Keep::Open { .. } => explain(|| Step::KeepOpen),
                // Closed now, so that the next client is refused, and not left in a queue that
                // nobody will look at.
                Keep::Once => {
                    let origin = std::mem::replace(&mut self.origin, Origin::Nowhere);
                    if let Origin::Listener { acceptor, .. } = origin {
                        explain(|| Step::ListenerClosed { fd: acceptor.raw_fd() });
                        acceptor.close(&mut self.reactor);
                    }
                }
            }
        }
        if let Origin::Listener { acceptor, .. } = &self.origin {
            acceptor.look_again(&mut self.reactor);
        }
        Ok(())
    }

    /// The first datagram: from now on its sender is the only peer.
    pub(super) fn meet(&mut self) -> Result<(), Error> {
        let Origin::Meeting { socket, id, .. } = &mut self.origin else { return Ok(()) };
        let id = *id;
        if !self.reactor.readiness(id).intersects(Readiness::READ) {
            return Ok(());
        }
        let sender = match first_sender(socket).map_err(Error::doing("cannot receive"))? {
            Met::Sender(sender) => sender,
            Met::NobodyYet => {
                self.reactor.clear(id, Readiness::READ);
                return Ok(());
            }
        };
        let origin = std::mem::replace(&mut self.origin, Origin::Nowhere);
        let Origin::Meeting { socket, id, place } = origin else { return Ok(()) };
        let peer = Address::from(sender.clone());
        // Debian names a UNIX peer by where it came to.
        let name = peer.as_ip().map_or(place, |peer| named(peer, self.lookup));
        self.console.inform(&Notice::Accepted(&name));
        // What was sent can be read, also from somebody who cannot be answered.
        let now = self.reactor.now();
        let unanswerable =
            |socket| Link::Crowd(Box::new(Crowd::new(socket, Reply::Nobody, None, now)));
        let link = match sender.filter(|_| peer != Address::Unnamed) {
            None => {
                self.console.complain(&"the peer has no name and cannot be answered");
                unanswerable(socket)
            }
            Some(sender) => match Socket::locked(socket, sender) {
                Ok(socket) => Link::Peer(socket),
                Err((socket, error)) => {
                    self.console
                        .complain(&format!("{peer} cannot be answered: {}", reason(&error)));
                    unanswerable(socket)
                }
            },
        };
        self.confine(Stage::Relaying)?;
        self.record.sessions += 1;
        self.hub.adopt(&mut self.reactor, link, id, peer);
        Ok(())
    }

    /// Begins a session over a socket that the reactor does not know yet.
    fn begin(&mut self, link: Link, peer: Address) {
        self.record.sessions += 1;
        let name = peer.to_string();
        if let Err(error) = self.hub.admit(&mut self.reactor, link, peer) {
            self.console.complain(&format!("{name}: {}", reason(&error)));
            self.record.failures += 1;
        }
    }
}

/// Connections taken in one turn before everybody else has theirs; nginx and redis have similar limits
/// (redis: `MAX_ACCEPTS_PER_CALL` 1000, which is long for a program that also relays).
const ACCEPTS_PER_TURN: usize = 64;
