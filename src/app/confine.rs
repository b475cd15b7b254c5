//! When the program gives up what it needs no more (`--sandbox`).
//!
//! Owns: the moments, and what a run asks for beyond its stage. Must not know: how the kernel is told
//! (`sys/sandbox`). Everything that has to be opened is open by then, and no byte of a peer has been read.
//!
//! | run | moment | stage |
//! |---|---|---|
//! | client | its last connection stands | `Relaying`, with `-F` `Handing` |
//! | … with proxies | the first of them is about to be talked to | the same, or `Dialing` first |
//! | … with more ports | the first connection stands | `Dialing` first |
//! | listener | before it waits for the first client | `Listening` |
//! | datagram listener | before it waits for the first datagram | `Meeting`, then `Relaying` |
//! | … with `-k` | the same | `Answering` |
//! | inherited connection | before the first read | `Relaying` |
//! | `-z` | before the first probe | `Scanning` |

use std::net::SocketAddr;

use super::job::{Destination, Purpose, Route};
use super::{App, Origin};
use crate::error::Error;
use crate::sys::address::Address;
use crate::sys::resolve;
use crate::sys::sandbox::{Asked, Promise, Stage};
use crate::sys::unix_path::BoundPath;

impl App<'_> {
    /// A client has a connection, to its destination or to the first proxy.
    pub(super) fn confine_client(&mut self, peer: &Address) -> Result<(), Error> {
        if let Some(SocketAddr::V6(peer)) = peer.as_ip()
            && peer.scope_id() != 0
        {
            resolve::keep_naming_interfaces();
        }
        let looks_up = self.console.is_verbose() && !self.lookup.numeric;
        match &self.origin {
            Origin::Ports(ports) if ports.leads_through_proxies() => {
                // The service's name is looked up when the proxies have let us through.
                if ports.may_dial_again() || looks_up {
                    self.confine(Stage::Dialing)
                } else {
                    self.confine_last()
                }
            }
            Origin::Ports(_)
            | Origin::Scan(_)
            | Origin::Listener { .. }
            | Origin::Meeting { .. }
            | Origin::Nowhere => self.confine_reached(),
        }
    }

    /// A client has its connection to the destination.
    pub(super) fn confine_reached(&mut self) -> Result<(), Error> {
        if let Origin::Ports(ports) = &self.origin
            && ports.purpose() == Purpose::Relay
            && !ports.is_at_the_last()
        {
            self.confine(Stage::Dialing)
        } else {
            self.confine_last()
        }
    }

    fn confine_last(&mut self) -> Result<(), Error> {
        self.confine(match self.origin.purpose() {
            Purpose::PassDescriptor => Stage::Handing,
            Purpose::Relay => Stage::Relaying,
        })
    }

    /// From here on the run is at this stage.
    ///
    /// # Errors
    /// With `--sandbox=strict`, what the kernel cannot do.
    pub(super) fn confine(&mut self, stage: Stage) -> Result<(), Error> {
        if !self.sandbox.is_wanted(stage) {
            return Ok(());
        }
        // Nothing can be opened later.
        self.poll_signals()?;
        let asked = self.asked();
        let entered = self.sandbox.enter(stage, &asked);
        entered.map_err(|why| Error::message(format!("--sandbox=strict: {why}")))
    }

    /// Each stage takes of it what stands in its row.
    fn asked(&self) -> Asked {
        let mut asked = Asked::default();
        let verbose = self.console.is_verbose();
        if verbose && !self.lookup.numeric {
            asked.promises.push(Promise::Hosts);
        }
        if self.origin.purpose() == Purpose::PassDescriptor {
            asked.promises.push(Promise::Sendfd);
        }
        match &self.origin {
            Origin::Ports(ports) => ports.ask(&mut asked, verbose),
            Origin::Scan(scan) => scan.ask(&mut asked),
            Origin::Listener { .. } | Origin::Meeting { .. } | Origin::Nowhere => {}
        }
        asked.removals.extend(self.file.iter().flat_map(BoundPath::removals));
        if !asked.removals.is_empty() {
            asked.promises.push(Promise::Unlink);
        }
        asked
    }
}

/// The TCP ports that lie on the way.
pub(super) fn ask_for_ports(asked: &mut Asked, to: &Destination, route: &Route) {
    let Destination::Host { ports, source_host, source_port, .. } = to else { return };
    asked.connect = match route.proxies.first() {
        Some(proxy) => Some(vec![proxy.port]),
        None => Some(ports.clone()).filter(|ports| ports.len() <= MOST_PORTS),
    };
    if source_host.is_some() || source_port.is_some() {
        asked.bind.push(source_port.unwrap_or(0));
    }
}

/// Each port is a system call of its own, and of many ports hardly one is left.
const MOST_PORTS: usize = 64;
