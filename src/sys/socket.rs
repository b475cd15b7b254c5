//! A socket with a peer: what is read from it and written to it, and what the kernel says on the way.
//!
//! Owns: one connection's calls and their answers, for streams, records and datagrams alike. Must not know:
//! how the connection came about (`net`), who relays over it.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::net::{RecvFlags, SocketAddrAny};

use super::calls::{self, Setting, tell_setting};
use super::moves::{recv, recvfrom, send};
use super::net::{Boundaries, Transport};
use super::pipe::conduit;
use super::polled::Polled;
use super::zerocopy::{self, Side};
use crate::explain::{Ended, Place, Purpose, Step, explain, raw_fd};
use crate::mistakes::{Mistake, made};
use crate::nonblock::{Attempt, ByteSink, ByteSource, Conduit, PipeEnd, Spliced, Splicing, Wire};

/// A socket with a peer.
#[derive(Debug)]
pub struct Socket {
    polled: Polled,
    boundaries: Boundaries,
    /// Datagrams of others, which came before the socket was connected, are thrown away.
    only_from: Option<Box<SocketAddrAny>>,
    /// An error that the kernel has told of while something was still to be read.
    refusal: Option<io::Error>,
    /// Whether the peer has said something, and whether we have: the first of each is explained.
    heard: Yet,
    said: Yet,
}

/// Whether something has happened yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Yet {
    No,
    Yes,
}

/// With whom a connection leads us to talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whom {
    /// One that is asked to connect to another, or to the peer.
    Proxy,
    /// Whoever the payload is for.
    Peer,
}

impl Socket {
    /// A socket that is connected.
    #[must_use]
    pub fn connected(polled: Polled, transport: Transport) -> Self {
        Self::connected_with(polled, transport.boundaries())
    }

    fn connected_with(polled: Polled, boundaries: Boundaries) -> Self {
        let (heard, said) = (Yet::No, Yet::No);
        Self { polled, boundaries, only_from: None, refusal: None, heard, said }
    }

    /// A socket whose peer has reset the connection, with something left to be read.
    #[must_use]
    pub fn reset(polled: Polled, transport: Transport, error: io::Error) -> Self {
        Self { refusal: Some(error), ..Self::connected(polled, transport) }
    }

    /// A bound datagram socket that is to hear and answer this sender alone.
    ///
    /// # Errors
    /// connect(2): the sender has gone already. The socket comes back, with what was sent still in it.
    pub fn locked(polled: Polled, sender: SocketAddrAny) -> Result<Self, (Polled, io::Error)> {
        if let Err(error) = calls::connect_with_sender(&polled, &sender) {
            return Err((polled, error));
        }
        Ok(Self {
            only_from: Some(Box::new(sender)),
            ..Self::connected_with(polled, Boundaries::Datagrams)
        })
    }

    /// See [`super::link::Link::keep_unsent_short`]: `TCP_NOTSENT_LOWAT`, tcp(7).
    pub(super) fn keep_unsent_short(&self) {
        let set = socket2::SockRef::from(&self.polled).set_tcp_notsent_lowat(UNSENT);
        tell_setting(&self.polled, &set, || {
            let setting = Setting::int(libc::IPPROTO_TCP, "TCP_NOTSENT_LOWAT", UNSENT);
            (Purpose::LittleUnsent, setting)
        });
    }

    /// Has closing forget the connection at once, `SO_LINGER` of socket(7): its local port is wanted again.
    pub(super) fn forget_on_close(&self) {
        let set = socket2::SockRef::from(&self.polled).set_linger(Some(Duration::ZERO));
        tell_setting(&self.polled, &set, || {
            let (level, name) = (libc::SOL_SOCKET, "SO_LINGER");
            let value = "{l_onoff=1, l_linger=0}".to_owned();
            (Purpose::Reset, Setting { level, name, value, len: 8 })
        });
    }

    /// What comes next is a handshake, which is explained by whoever has it made, or payload, whose first bytes
    /// are explained.
    #[inline(never)]
    pub fn talk_to(&mut self, whom: Whom) {
        let told = match whom {
            Whom::Proxy => Yet::Yes,
            Whom::Peer => Yet::No,
        };
        (self.heard, self.said) = (told, told);
    }

    /// What the reactor watches.
    pub fn polled(&mut self) -> &mut Polled {
        &mut self.polled
    }

    /// The same, to be asked about.
    pub(super) fn socket(&self) -> &Polled {
        &self.polled
    }

    /// The descriptor, for whoever takes the connection over.
    #[must_use]
    pub fn into_fd(self) -> OwnedFd {
        self.polled.into_fd()
    }

    fn receive(&mut self, into: &mut [u8]) -> io::Result<Attempt> {
        if self.boundaries != Boundaries::Datagrams {
            return match self.read(into)? {
                Attempt::Ended => self.refusal.take().map_or(Ok(Attempt::Ended), Err),
                attempt @ (Attempt::Moved(_) | Attempt::Blocked) => Ok(attempt),
            };
        }
        // The kernel tells of a refusal before it hands out what came before it; we tell behind it.
        let mut attempt = self.read(into);
        if let Err(error) = attempt {
            if made(Mistake::UdpErrorFirst) {
                return Err(error);
            }
            self.refusal.get_or_insert(error);
            attempt = self.read(into);
        }
        match attempt {
            // An empty datagram is no end.
            Ok(Attempt::Ended) => Ok(Attempt::Moved(0)),
            Ok(Attempt::Blocked) => self.refusal.take().map_or(Ok(Attempt::Blocked), Err),
            attempt => attempt,
        }
    }

    /// Reads once; datagrams of others are passed over.
    fn read(&self, into: &mut [u8]) -> io::Result<Attempt> {
        let flags = RecvFlags::DONTWAIT;
        Attempt::to_read(|| {
            loop {
                let Some(peer) = &self.only_from else {
                    return self.polled.call(|fd| recv(fd, into, flags));
                };
                let (n, sender) = self.polled.call(|fd| recvfrom(fd, into, flags))?;
                if sender.as_ref() == Some(&**peer) {
                    return Ok(n);
                }
            }
        })
    }

    fn splicing(&self) -> Splicing {
        match self.boundaries {
            Boundaries::None => zerocopy::socket(&self.polled),
            Boundaries::Datagrams | Boundaries::Records => Splicing::Never,
        }
    }

    /// The first bytes, the end, an error.
    fn explain_read(&mut self, attempt: &io::Result<Attempt>, into: &[u8], flags: RecvFlags) {
        let (fd, room) = (raw_fd(&self.polled), into.len());
        match attempt {
            Ok(Attempt::Moved(len)) if self.heard == Yet::No => {
                self.heard = Yet::Yes;
                let (len, first) = (*len, into.first().copied());
                let datagram = self.boundaries == Boundaries::Datagrams;
                explain(|| {
                    let from = self.only_from.as_deref().map(Place::from);
                    Step::Heard { fd, room, len, first, datagram, from }
                });
            }
            Ok(Attempt::Ended) => {
                let (peek, silent) = (flags.contains(RecvFlags::PEEK), self.heard == Yet::No);
                explain(|| Step::PeerEnded { fd, room, peek, silent });
            }
            Ok(Attempt::Moved(_) | Attempt::Blocked) => {}
            Err(error) => {
                let errno = error.raw_os_error().unwrap_or(0);
                explain(|| Step::ReadFailed { fd, errno });
            }
        }
    }

    /// The first bytes, an error.
    fn explain_write(&mut self, attempt: &io::Result<Attempt>, most: usize) {
        let fd = raw_fd(&self.polled);
        match attempt {
            Ok(Attempt::Moved(len)) if self.said == Yet::No => {
                self.said = Yet::Yes;
                let (len, datagram) = (*len, self.boundaries == Boundaries::Datagrams);
                explain(|| Step::Said { fd, len, datagram });
            }
            Ok(Attempt::Moved(_) | Attempt::Blocked | Attempt::Ended) => {}
            Err(error) => {
                let errno = error.raw_os_error().unwrap_or(0);
                explain(|| Step::WriteFailed { fd, len: most, errno });
            }
        }
    }
}

impl ByteSource for Socket {
    fn try_read(&mut self, into: &mut [u8]) -> io::Result<Attempt> {
        let attempt = self.receive(into);
        self.explain_read(&attempt, into, RecvFlags::DONTWAIT);
        attempt
    }

    fn begin_splicing(&mut self) -> Splicing {
        self.splicing()
    }

    fn splice_into(&mut self, pipe: &dyn PipeEnd, most: usize) -> io::Result<Spliced> {
        let spliced = Side::Polled(&self.polled).splice_into(pipe, most);
        explain_splice(&spliced, &self.polled, &pipe.fd());
        match spliced? {
            // In front of urgent data with an end of file behind it, the kernel says that this is the end.
            Spliced::Ended => {
                let mut scrap = [0];
                let attempt = self.try_peek(&mut scrap);
                self.explain_read(&attempt, &scrap, LOOKING);
                Ok(match attempt? {
                    Attempt::Ended => self.refusal.take().map_or(Ok(Spliced::Ended), Err)?,
                    Attempt::Blocked => Spliced::Blocked,
                    Attempt::Moved(_) => Spliced::Refused,
                })
            }
            spliced @ (Spliced::Moved(_)
            | Spliced::Blocked
            | Spliced::PipeBlocked
            | Spliced::Refused) => Ok(spliced),
        }
    }

    fn conduit(&self) -> Option<Box<dyn Conduit>> {
        conduit()
    }

    fn waiting(&self) -> u64 {
        self.polled.waiting()
    }
}

impl ByteSink for Socket {
    fn try_write(&mut self, from: &[u8]) -> io::Result<Attempt> {
        let attempt = Attempt::to_write(|| self.polled.call(|fd| send(fd, from)));
        self.explain_write(&attempt, from.len());
        attempt
    }

    fn begin_splicing(&mut self) -> Splicing {
        self.splicing()
    }

    fn splice_from(&mut self, pipe: &dyn PipeEnd, most: usize) -> io::Result<Spliced> {
        let spliced = Side::Polled(&self.polled).splice_from(pipe, most);
        explain_splice(&spliced, &pipe.fd(), &self.polled);
        spliced
    }
}

impl Wire for Socket {
    fn try_peek(&mut self, into: &mut [u8]) -> io::Result<Attempt> {
        Attempt::to_read(|| self.polled.call(|fd| recv(fd, into, LOOKING)))
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        let what = match self.boundaries {
            Boundaries::Datagrams => Ended::Datagrams,
            Boundaries::None | Boundaries::Records => Ended::Stdin,
        };
        calls::shutdown_write(&self.polled, what)
    }

    fn take_error(&mut self) -> Option<io::Error> {
        calls::pending_error(&self.polled).err()
    }
}

fn explain_splice(spliced: &io::Result<Spliced>, from: &impl AsFd, to: &impl AsFd) {
    if let Err(error) = spliced {
        let errno = error.raw_os_error().unwrap_or(0);
        explain(|| Step::SpliceFailed { from: raw_fd(from), to: raw_fd(to), errno });
    }
}

/// Bytes that may wait in the kernel before they are sent, where several clients share one stdin.
const UNSENT: u32 = 128 * 1024;

/// What is only looked at stays where it is.
const LOOKING: RecvFlags = RecvFlags::DONTWAIT.union(RecvFlags::PEEK);
