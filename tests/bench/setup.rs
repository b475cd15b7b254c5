//! What all runs share: how much is measured, the files on tmpfs, free ports, and whether we have a
//! network of our own.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read as _};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};

use rustix::fs::statvfs;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tempfile::TempDir;

use crate::payload::Payload;

pub(crate) struct Bench {
    /// Small sizes: what is proved is that it works.
    pub(crate) quick: bool,
    /// How many bytes a bulk case moves.
    pub(crate) bulk: u64,
    /// On tmpfs where there is one: the disk is not what is measured.
    pub(crate) dir: TempDir,
    files: RefCell<BTreeMap<u64, PathBuf>>,
}

impl Bench {
    pub(crate) fn new(quick: bool) -> io::Result<Self> {
        let dir = TempDir::with_prefix_in("pollcat-bench-", tmpfs())?;
        let room = statvfs(dir.path())?;
        let room = room.f_bavail * room.f_frsize;
        // The input, its shares for slow programs, and an output.
        let bulk = match (quick, room > 4 * GIB) {
            (true, _) => 32 << 20,
            (false, true) => GIB,
            (false, false) => 256 << 20,
        };
        // For cases with ten thousand clients, whose two ends are in two processes.
        let most = getrlimit(Resource::Nofile).maximum;
        setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most })?;
        Ok(Self { quick, bulk, dir, files: RefCell::default() })
    }

    /// One of two numbers: the usual one, or the one for `--quick`.
    pub(crate) fn pick<T>(&self, usual: T, quick: T) -> T {
        if self.quick { quick } else { usual }
    }

    /// A file with so many bytes of the payload. No holes in it: the kernel would not have to fetch
    /// what is not there.
    pub(crate) fn file(&self, size: u64) -> io::Result<PathBuf> {
        if let Some(path) = self.files.borrow().get(&size) {
            return Ok(path.clone());
        }
        let path = self.dir.path().join(format!("payload-{size}"));
        let mut file = BufWriter::with_capacity(1 << 20, File::create(&path)?);
        io::copy(&mut Payload::new().take(size), &mut file)?;
        self.files.borrow_mut().insert(size, path.clone());
        Ok(path)
    }
}

/// Where two programs meet.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    Tcp(u16),
    Unix(PathBuf),
}

impl Place {
    pub(crate) fn tcp() -> io::Result<Self> {
        free_port().map(Self::Tcp)
    }

    /// A path that nothing is at.
    pub(crate) fn unix(bench: &Bench) -> io::Result<Self> {
        let path = bench.dir.path().join("socket");
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(Self::Unix(path)),
        }
    }
}

/// As helpers read it.
impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(port) => write!(out, "{port}"),
            Self::Unix(path) => write!(out, "{}", path.display()),
        }
    }
}

/// A TCP port that the kernel has just called free: most programs cannot say which one they got.
pub(crate) fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind(ANY)?.local_addr()?.port())
}

/// The same for UDP.
pub(crate) fn free_udp_port() -> io::Result<u16> {
    Ok(UdpSocket::bind(ANY)?.local_addr()?.port())
}

fn tmpfs() -> PathBuf {
    let shared_memory = Path::new("/dev/shm");
    if shared_memory.is_dir() { shared_memory.into() } else { std::env::temp_dir() }
}

/// Any port of loopback.
pub(crate) const ANY: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0);

pub(crate) const GIB: u64 = 1 << 30;
