//! TCP sockets on their way into the loop: bound, connecting or listening, always nonblocking.
//!
//! The order of system calls is Debian's, for it is looked at with strace: socket, options, bind, then
//! connect or listen.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr};

use mio::net::{TcpListener, TcpStream};
use socket2::{Domain, Protocol, Socket, Type};

use crate::nonblock::{Attempt, ByteSink, ByteSource, Wire};

/// Why a connection could not be begun.
#[derive(Debug)]
pub enum DialError {
    /// The local address or port is not to be had, and no other destination will change that.
    Bind(io::Error),
    /// This destination does not work; another may.
    Connect(io::Error),
}

/// Begins to connect. The stream is connected once it is writable and has no error, see
/// [`connected`].
///
/// # Errors
/// See [`DialError`].
pub fn dial(to: SocketAddr, from: Option<SocketAddr>) -> Result<TcpStream, DialError> {
    let socket = stream_socket(to).map_err(DialError::Connect)?;
    if let Some(from) = from {
        socket.bind(&from.into()).map_err(DialError::Bind)?;
    }
    match socket.connect(&to.into()) {
        Ok(()) => {}
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {}
        Err(error) => return Err(DialError::Connect(error)),
    }
    Ok(TcpStream::from_std(socket.into()))
}

/// What has become of a connection that was begun: `None` while it is still under way.
///
/// The order matters: the pending error first, which asking for it clears, then the peer's address,
/// which there is none of before the handshake is over.
///
/// # Errors
/// Why there is no connection: `ConnectionRefused`, `TimedOut` and so on.
pub fn connected(stream: &TcpStream) -> io::Result<Option<SocketAddr>> {
    if let Some(error) = stream.take_error()? {
        return Err(error);
    }
    // Through mio, which wants to know if this was a false alarm.
    let peer = stream.try_io(|| match stream.peer_addr() {
        Err(error) if error.kind() == io::ErrorKind::NotConnected => {
            Err(io::ErrorKind::WouldBlock.into())
        }
        answer => answer,
    });
    match peer {
        // TCP lets a socket connect to itself when the kernel picks the destination as source port.
        Ok(peer) if stream.local_addr().is_ok_and(|local| local == peer) => {
            Err(io::Error::from_raw_os_error(libc::ECONNREFUSED))
        }
        Ok(peer) => Ok(Some(peer)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

/// Listens. With `shared`, other sockets may listen on the same port too, `SO_REUSEPORT`.
///
/// # Errors
/// socket(2), bind(2), listen(2): the address is in use or not ours, the port is privileged.
pub fn listen(at: SocketAddr, backlog: i32, shared: bool) -> io::Result<TcpListener> {
    let socket = stream_socket(at)?;
    socket.set_reuse_address(true)?;
    if shared {
        socket.set_reuse_port(true)?;
    }
    socket.bind(&at.into())?;
    socket.listen(backlog)?;
    Ok(TcpListener::from_std(socket.into()))
}

fn stream_socket(address: SocketAddr) -> io::Result<Socket> {
    Socket::new(Domain::for_address(address), Type::STREAM.nonblocking(), Some(Protocol::TCP))
}

impl ByteSource for TcpStream {
    fn try_read(&mut self, into: &mut [u8]) -> io::Result<Attempt> {
        Attempt::to_read(|| self.read(into))
    }
}

impl ByteSink for TcpStream {
    fn try_write(&mut self, from: &[u8]) -> io::Result<Attempt> {
        Attempt::to_write(|| self.write(from))
    }
}

impl Wire for TcpStream {
    fn shutdown_write(&mut self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}
