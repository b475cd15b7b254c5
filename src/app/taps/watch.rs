//! What is known of one session that is looked at: offsets, digests, its conversation in packets.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};

use hmac_sha256::Hash;

use crate::app::job::Digest;
use crate::proto::hex;
use crate::proto::hexdump::Offset;
use crate::proto::packets::{Carrier, Conversation, Roll};
use crate::proto::pcapng::Direction;
use crate::session::Way;
use crate::sys::address::Address;
use crate::sys::net::ends;
use crate::sys::polled::Polled;
use crate::units::counted;

/// What is watched of one session.
#[derive(Debug)]
pub(in crate::app) struct Watch {
    peer: Address,
    sent: Side,
    received: Side,
    pub(super) conversation: Option<Conversation>,
}

/// One direction of it.
#[derive(Debug)]
struct Side {
    offset: Offset,
    bytes: u64,
    hash: Option<Box<Sum>>,
}

/// A hash under way.
struct Sum(Hash);

impl Watch {
    /// A session of which nothing was seen yet. With a socket it is recorded as packets.
    pub(super) fn new(
        peer: &Address,
        digest: Option<Digest>,
        socket: Option<&Polled>,
        number: u16,
    ) -> Self {
        let side = || Side {
            offset: Offset::default(),
            bytes: 0,
            hash: digest.map(|Digest::Sha256| Box::new(Sum(Hash::new()))),
        };
        let conversation = socket.map(|socket| conversation(socket, peer, number));
        Self { peer: peer.clone(), sent: side(), received: side(), conversation }
    }

    pub(super) fn offset(&mut self, way: Way) -> &mut Offset {
        &mut self.side(way).offset
    }

    /// Takes the bytes into account.
    pub(super) fn count(&mut self, way: Way, bytes: &[u8]) {
        let side = self.side(way);
        side.bytes += bytes.len() as u64;
        if let Some(sum) = &mut side.hash {
            sum.0.update(bytes);
        }
    }

    /// Makes packets of the bytes; where they went to several peers, one for each.
    pub(super) fn record(
        &mut self,
        roll: &mut Roll<'_>,
        way: Direction,
        bytes: &[u8],
        peers: &[SocketAddr],
    ) {
        let Some(conversation) = &mut self.conversation else { return };
        if peers.is_empty() {
            conversation.data(roll, way, bytes, None);
        }
        for peer in peers {
            conversation.data(roll, way, bytes, Some(*peer));
        }
    }

    /// Whom it went to or came from.
    pub(super) fn name(&self, peers: &[SocketAddr]) -> String {
        match peers {
            [] => self.peer.to_string(),
            [peer] => Address::Ip(*peer).to_string(),
            [_, _, ..] => format!("{} peers", peers.len()),
        }
    }

    /// What is to be said of the bytes, if they were hashed.
    pub(super) fn digests(self) -> impl Iterator<Item = String> {
        let Self { peer, sent, received, .. } = self;
        [("sent", sent), ("received", received)].into_iter().filter_map(move |(what, side)| {
            let bytes = counted(side.bytes, "byte");
            let mut line = format!("{peer}: {what} {bytes}, sha256 ");
            line.extend(side.hash?.0.finalize().into_iter().flat_map(hex::of).map(char::from));
            Some(line)
        })
    }

    fn side(&mut self, way: Way) -> &mut Side {
        match way {
            Way::Sent => &mut self.sent,
            Way::Received => &mut self.received,
        }
    }
}

impl fmt::Debug for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sum")
    }
}

/// Who talks to whom, as far as packets of the Internet can say it. What has no such address gets one of
/// RFC 5737's, which nobody has: we are 192.0.2.1 and the peer is 192.0.2.2. Its port is the number of the
/// session, so that one can be told from another.
fn conversation(socket: &Polled, peer: &Address, number: u16) -> Conversation {
    let ends = ends(socket);
    let carrier = if ends.datagrams { Carrier::Udp } else { Carrier::Tcp };
    let made_up = |last, port| SocketAddr::from((Ipv4Addr::new(192, 0, 2, last), port));
    let is_internet = ends.here.as_ip().is_some();
    let there = peer.as_ip().or(ends.there.as_ip());
    let there = match there {
        Some(there) if is_internet => there,
        _ => made_up(2, number),
    };
    Conversation::new(carrier, ends.here.as_ip().unwrap_or(made_up(1, 1)), there)
}
