//! Sessions that come from dialing: one destination after another, the proxies on the way, the descriptor
//! that is handed on.

use super::dial::{State as DialState, Winner};
use super::hub::Stdin;
use super::job::Purpose;
use super::notice::{Console, Goal, Notice};
use super::{App, Origin};
use crate::error::Error;
use crate::sys::link::Link;
use crate::sys::pass_fd;
use crate::sys::resolve::{Lookup, shown_service};

impl App<'_> {
    /// A race that is lost makes room for the next.
    pub(super) fn drop_lost_dial(&mut self) {
        if let Some(ports) = self.origin.ports()
            && let Some(dial) = &ports.dial
            && dial.state() == DialState::Lost
        {
            dial.print_last_failure(self.console);
            ports.dial = None;
            ports.pause(&mut self.reactor);
        }
    }

    /// Begins to dial the next destination, once the session of the one before is over.
    pub(super) fn dial_next_port(&mut self) -> Result<(), Error> {
        while self.hub.is_empty()
            && let Origin::Ports(ports) = &mut self.origin
            && ports.is_ready_for_next()
        {
            let Some(mut dial) = ports.next(&mut self.reactor)? else {
                self.origin = Origin::Nowhere;
                return Ok(());
            };
            let stdin = if ports.is_at_the_last() { Stdin::OfTheLast } else { Stdin::OfOneOfMany };
            self.hub.set_stdin(stdin);
            if let Some(at) = ports.temporary_address() {
                self.console.inform(&Notice::Bound(&at.to_string()));
            }
            dial.start(&mut self.reactor, self.console, ports.deadline())?;
            ports.dial = Some(dial);
            ports.note_bound_file();
            self.drop_lost_dial();
        }
        Ok(())
    }

    pub(super) fn attempt_ready(&mut self, number: usize) -> Result<(), Error> {
        let Some(ports) = self.origin.ports() else { return Ok(()) };
        let Some(dial) = &mut ports.dial else { return Ok(()) };
        let won = dial.attempt_ready(&mut self.reactor, self.console, number)?;
        let Some(Winner { socket, id, peer }) = won else { return Ok(()) };
        let link = Link::Peer(socket);
        if ports.leads_through_proxies() {
            ports.dial = None;
            let (hops, deadline) = (ports.take_hops(), ports.deadline());
            if ports.has_local_port() {
                self.hub.keep_port();
            }
            self.confine_client(&peer)?;
            self.hub.negotiate(&mut self.reactor, link, id, peer, hops, deadline);
            return Ok(());
        }
        if let Some(dial) = ports.dial.take() {
            tell_connected(dial.endpoint().goal(&peer), self.lookup, self.console);
        }
        self.confine_client(&peer)?;
        self.hub.adopt(&mut self.reactor, link, id, peer);
        self.reached()
    }

    /// The proxies have let us through.
    pub(super) fn negotiated(&mut self) -> Result<(), Error> {
        if let Some(ports) = self.origin.ports() {
            tell_connected(ports.goal(), self.lookup, self.console);
        }
        self.reached()
    }

    /// The hub has a session that leads to the destination.
    fn reached(&mut self) -> Result<(), Error> {
        if let Some(ports) = self.origin.ports()
            && ports.is_at_the_last()
        {
            ports.forget_credentials();
        }
        self.confine_reached()?;
        self.record.sessions += 1;
        match self.origin.purpose() {
            Purpose::Relay => Ok(()),
            Purpose::PassDescriptor => self.pass_descriptor(),
        }
    }

    /// The first that connects is the one that was wanted.
    fn pass_descriptor(&mut self) -> Result<(), Error> {
        self.origin = Origin::Nowhere;
        match self.hub.take_only_link(&mut self.reactor) {
            Some(Link::Peer(socket)) => pass_fd::pass(&socket.into_fd()),
            Some(Link::Crowd(_)) | None => Ok(()),
        }
    }
}

/// The line of success. Looking the service's name up is left out where nobody will read it.
fn tell_connected(goal: Goal<'_>, lookup: Lookup, console: &Console) {
    if console.is_verbose() {
        let service = shown_service(goal.port, goal.protocol, lookup);
        console.inform(&Notice::Connected(goal, service.as_deref()));
    }
}
