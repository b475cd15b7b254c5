//! What the kernel has measured of a TCP connection: `TCP_INFO` of tcp(7).
//!
//! `struct tcp_info` has grown with the kernels, and each gives as much as it has and is asked for. A field
//! is taken from its place in `linux/tcp.h`, where it has stood since it came; libc's own struct is not the
//! same everywhere.

use std::ffi::OsString;
use std::io;
use std::os::fd::AsFd;

use libc::{IPPROTO_TCP, TCP_INFO};
use nix::sys::socket::GetSockOpt;

/// Of one connection, as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpInfo {
    /// Smoothed round-trip time in microseconds.
    pub rtt: u32,
    /// How much it varies, in microseconds: the mean deviation.
    pub rtt_variance: u32,
    /// Segments that were sent again, since the beginning.
    pub retransmits: u32,
    /// Congestion window in segments.
    pub congestion_window: u32,
    /// Bytes a second that have lately reached the peer; since Linux 4.9.
    pub delivery_rate: Option<u64>,
}

impl TcpInfo {
    /// Asks the kernel.
    ///
    /// # Errors
    /// `getsockopt(2)`: it is no TCP socket; or whoever answers in the kernel's place knows less than this.
    pub fn of(socket: &impl AsFd) -> io::Result<Self> {
        let whole = get(socket, options::Length)?.len();
        let read = if whole >= RECENT {
            get(socket, options::Recent).map(|bytes| Self::read(&bytes))?
        } else if whole >= BASIC {
            get(socket, options::Basic).map(|bytes| Self::read(&bytes))?
        } else {
            None
        };
        read.ok_or_else(|| io::ErrorKind::Unsupported.into())
    }

    fn read(info: &[u8]) -> Option<Self> {
        let number = |at: usize| {
            let bytes = info.get(at..at + 4)?;
            Some(u32::from_ne_bytes(bytes.try_into().ok()?))
        };
        let long = |at: usize| {
            let bytes = info.get(at..at + 8)?;
            Some(u64::from_ne_bytes(bytes.try_into().ok()?))
        };
        Some(Self {
            rtt: number(RTT)?,
            rtt_variance: number(RTT_VARIANCE)?,
            retransmits: number(TOTAL_RETRANSMITS)?,
            congestion_window: number(CONGESTION_WINDOW)?,
            delivery_rate: long(DELIVERY_RATE),
        })
    }
}

/// nix's `Errno` ends here, as in `options`.
fn get<O: GetSockOpt>(socket: &impl AsFd, option: O) -> io::Result<O::Val> {
    option.get(socket).map_err(io::Error::from)
}

const RTT: usize = 68;
const RTT_VARIANCE: usize = 72;
const CONGESTION_WINDOW: usize = 80;
const TOTAL_RETRANSMITS: usize = 100;
const DELIVERY_RATE: usize = 160;

/// Up to the retransmits: every kernel that we run on.
const BASIC: usize = TOTAL_RETRANSMITS + 4;

/// Up to the delivery rate.
const RECENT: usize = DELIVERY_RATE + 8;

/// nix ends the program where the kernel gives fewer bytes than were asked for, and an emulator may give
/// four. So it is asked first how many it would give, through the one getter that takes any number.
mod options {
    use super::{BASIC, IPPROTO_TCP, OsString, RECENT, TCP_INFO};
    use nix::sys::socket::sockopt::GetOsString;
    use nix::{getsockopt_impl, sockopt_impl};

    sockopt_impl!(Length, GetOnly, IPPROTO_TCP, TCP_INFO, OsString, GetOsString<Counted>);
    sockopt_impl!(Basic, GetOnly, IPPROTO_TCP, TCP_INFO, [u8; BASIC]);
    sockopt_impl!(Recent, GetOnly, IPPROTO_TCP, TCP_INFO, [u8; RECENT]);

    /// Room for the answer. As text it ends at the first zero, so no byte is left one: then the text is as
    /// long as the answer, which is all that it is for.
    pub(super) struct Counted([u8; RECENT]);

    impl AsMut<[u8]> for Counted {
        fn as_mut(&mut self) -> &mut [u8] {
            self.0.fill(1);
            &mut self.0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::offset_of;
    use std::net::{TcpListener, TcpStream, UdpSocket};

    #[test]
    fn fields_stand_where_the_c_library_has_them() {
        assert_eq!(offset_of!(libc::tcp_info, tcpi_rtt), RTT);
        assert_eq!(offset_of!(libc::tcp_info, tcpi_rttvar), RTT_VARIANCE);
        assert_eq!(offset_of!(libc::tcp_info, tcpi_snd_cwnd), CONGESTION_WINDOW);
        assert_eq!(offset_of!(libc::tcp_info, tcpi_total_retrans), TOTAL_RETRANSMITS);
    }

    #[test]
    fn a_connection_on_loopback_has_been_measured() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let client =
            TcpStream::connect(listener.local_addr().expect("its address")).expect("a connection");
        let info = TcpInfo::of(&client).expect("a TCP socket");
        assert!((1..1_000_000).contains(&info.rtt), "{info:?}");
        assert!((1..1000).contains(&info.congestion_window), "{info:?}");
        assert_eq!(info.retransmits, 0);
        assert!(info.delivery_rate.is_some(), "Linux before 4.9?");
    }

    #[test]
    fn what_is_no_tcp_socket_has_none() {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        assert!(TcpInfo::of(&socket).is_err());
    }

    #[test]
    fn an_older_kernel_gives_what_it_has() {
        let mut info = [0; RECENT];
        for (at, byte) in (0..).zip(&mut info) {
            *byte = at;
        }
        let whole = TcpInfo::read(&info).expect("whole");
        assert_eq!(whole.rtt, u32::from_ne_bytes([68, 69, 70, 71]));
        assert_eq!(
            whole.delivery_rate,
            Some(u64::from_ne_bytes([160, 161, 162, 163, 164, 165, 166, 167]))
        );
        let old = TcpInfo::read(&info[..RECENT - 1]).expect("enough");
        assert_eq!(old, TcpInfo { delivery_rate: None, ..whole });
        assert_eq!(TcpInfo::read(&info[..BASIC - 1]), None);
    }
}
