//! What a session talks through: one peer, or a crowd of them. Both are a wire to it.

use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use super::address::Address;
use super::crowd::Crowd;
use super::net::local_address;
use super::polled::Polled;
use super::socket::{Socket, Whom};
use super::tcp_info::TcpInfo;
use crate::nonblock::{Attempt, ByteSink, ByteSource, Conduit, PipeEnd, Spliced, Splicing, Wire};

/// A connection, or a socket that stands for many.
#[derive(Debug)]
pub enum Link {
    /// One peer.
    Peer(Socket),
    /// Everybody who sends.
    Crowd(Box<Crowd>),
}

impl Link {
    /// What the reactor watches.
    pub fn polled(&mut self) -> &mut Polled {
        match self {
            Self::Peer(socket) => socket.polled(),
            Self::Crowd(crowd) => crowd.polled(),
        }
    }

    /// Has closing forget the connection at once: its local port is wanted again.
    pub fn forget_on_close(&self) {
        match self {
            Self::Peer(socket) => socket.forget_on_close(),
            Self::Crowd(_) => {}
        }
    }

    /// See [`Socket::talk_to`].
    pub fn talk_to(&mut self, whom: Whom) {
        match self {
            Self::Peer(socket) => socket.talk_to(whom),
            Self::Crowd(_) => {}
        }
    }

    /// Where our end of it is; `None` where the kernel does not say.
    #[must_use]
    pub fn local_address(&self) -> Option<Address> {
        local_address(self.socket()).ok()
    }

    /// What the kernel has measured; `None` where it is not TCP.
    #[must_use]
    pub fn tcp_info(&self) -> Option<TcpInfo> {
        TcpInfo::of(self.socket()).ok()
    }

    fn socket(&self) -> &Polled {
        match self {
            Self::Peer(socket) => socket.socket(),
            Self::Crowd(crowd) => crowd.socket(),
        }
    }

    /// Has the kernel hold little that is not sent yet, so that a slow peer is seen to be slow and not
    /// to be stalled. It is a wish: not every kind of socket knows it.
    pub fn keep_unsent_short(&self) {
        match self {
            Self::Peer(socket) => socket.keep_unsent_short(),
            Self::Crowd(_) => {}
        }
    }
}

impl ByteSource for Link {
    fn try_read(&mut self, into: &mut [u8]) -> io::Result<Attempt> {
        match self {
            Self::Peer(socket) => socket.try_read(into),
            Self::Crowd(crowd) => crowd.try_read(into),
        }
    }

    fn begin_splicing(&mut self) -> Splicing {
        match self {
            Self::Peer(socket) => ByteSource::begin_splicing(socket),
            Self::Crowd(_) => Splicing::Never,
        }
    }

    fn splice_into(&mut self, pipe: &dyn PipeEnd, most: usize) -> io::Result<Spliced> {
        match self {
            Self::Peer(socket) => socket.splice_into(pipe, most),
            Self::Crowd(_) => Ok(Spliced::Refused),
        }
    }

    fn conduit(&self) -> Option<Box<dyn Conduit>> {
        match self {
            Self::Peer(socket) => socket.conduit(),
            Self::Crowd(_) => None,
        }
    }

    fn waiting(&self) -> u64 {
        match self {
            Self::Peer(socket) => socket.waiting(),
            Self::Crowd(_) => 0,
        }
    }
}

impl ByteSink for Link {
    fn try_write(&mut self, from: &[u8]) -> io::Result<Attempt> {
        match self {
            Self::Peer(socket) => socket.try_write(from),
            Self::Crowd(crowd) => crowd.try_write(from),
        }
    }

    fn begin_splicing(&mut self) -> Splicing {
        match self {
            Self::Peer(socket) => ByteSink::begin_splicing(socket),
            Self::Crowd(_) => Splicing::Never,
        }
    }

    fn splice_from(&mut self, pipe: &dyn PipeEnd, most: usize) -> io::Result<Spliced> {
        match self {
            Self::Peer(socket) => socket.splice_from(pipe, most),
            Self::Crowd(_) => Ok(Spliced::Refused),
        }
    }
}

impl Wire for Link {
    fn try_peek(&mut self, into: &mut [u8]) -> io::Result<Attempt> {
        match self {
            Self::Peer(socket) => socket.try_peek(into),
            Self::Crowd(crowd) => crowd.try_peek(into),
        }
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        match self {
            Self::Peer(socket) => socket.shutdown_write(),
            Self::Crowd(crowd) => crowd.shutdown_write(),
        }
    }

    fn take_error(&mut self) -> Option<io::Error> {
        match self {
            Self::Peer(socket) => socket.take_error(),
            Self::Crowd(crowd) => crowd.take_error(),
        }
    }

    fn has_destination(&self) -> bool {
        match self {
            Self::Peer(socket) => socket.has_destination(),
            Self::Crowd(crowd) => crowd.has_destination(),
        }
    }

    fn retry_at(&self) -> Option<Instant> {
        match self {
            Self::Peer(socket) => socket.retry_at(),
            Self::Crowd(crowd) => crowd.retry_at(),
        }
    }

    fn begin_turn(&mut self, now: Instant) {
        match self {
            Self::Peer(socket) => socket.begin_turn(now),
            Self::Crowd(crowd) => crowd.begin_turn(now),
        }
    }

    fn heard_from(&self) -> Option<SocketAddr> {
        match self {
            Self::Peer(_) => None,
            Self::Crowd(crowd) => crowd.heard_from(),
        }
    }

    fn given_to(&self) -> Vec<SocketAddr> {
        match self {
            Self::Peer(_) => Vec::new(),
            Self::Crowd(crowd) => crowd.given_to(),
        }
    }
}
