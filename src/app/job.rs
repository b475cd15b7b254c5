//! What is to be done, in the program's own terms: the application's only view of the command line.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use crate::proto::Credentials;
use crate::session::Policy;
use crate::sys::address::Address;
use crate::sys::crowd::Reply;
use crate::sys::dump_file::Existing;
use crate::sys::net::{Group, Sharing, Transport};
use crate::sys::options::Options;
use crate::sys::resolve::Lookup;
use crate::sys::sandbox::Wish;

/// One run of the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Connect, scan or listen.
    pub mode: Mode,
    /// What carries the bytes.
    pub transport: Transport,
    /// How names and numbers are looked up and printed.
    pub lookup: Lookup,
    /// What the sockets are told.
    pub options: Options,
    /// How each session ends.
    pub policy: Policy,
    /// What is given up once everything is set up (`--sandbox`).
    pub sandbox: Wish,
    /// Print what happens on stderr (`-v`).
    pub verbose: bool,
    /// Who looks on while sessions relay.
    pub taps: Taps,
    /// What is shown of the bytes that go through.
    pub meter: Metering,
}

/// What is written about the bytes of all sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taps {
    /// The dumps.
    pub dumps: Vec<Dump>,
    /// Whether a line in front of each piece of a hex dump says when it was seen, and whose it is.
    pub stamps: Stamps,
    /// What each direction's bytes are hashed with (`--digest`).
    pub digest: Option<Digest>,
}

/// A file of bytes seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dump {
    /// How they are written.
    pub format: DumpFormat,
    /// Where to.
    pub to: DumpTo,
}

/// How bytes are written that were seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DumpFormat {
    /// As nc.traditional does (`-o`).
    Traditional,
    /// As ncat does (`--hex-dump`).
    Ncat,
    /// As they are (`--output`).
    Raw,
    /// As packets, in pcapng (`--record`).
    Packets,
}

/// Where a dump goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DumpTo {
    /// Standard error.
    Stderr,
    /// A file, and what becomes of what it holds.
    File(PathBuf, Existing),
}

/// Whether a hex dump says when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stamps {
    /// It does not.
    #[default]
    None,
    /// It does (`--timestamps`).
    Each,
}

/// What bytes are hashed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Digest {
    /// SHA-256, FIPS 180-4.
    Sha256,
}

/// What is shown of the bytes that go through, on stderr.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metering {
    /// How far it is.
    pub progress: Progress,
    /// What each session was, at its end.
    pub stats: Stats,
}

/// When it is shown how far the program is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Where stderr is a terminal, and something takes longer than a moment.
    Automatic,
    /// In any case (`--progress`).
    Asked,
    /// In none (`--no-progress`).
    Never,
}

/// What is said of a session when it has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stats {
    /// Nothing.
    None,
    /// Lines for people (`--stats`, `-vv`).
    Text,
    /// An object for programs (`--stats=json`).
    Json,
}

/// What the program can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Connect to each destination in turn over the same stdin.
    Connect(Connect),
    /// Find out which destinations could be connected to (`-z`).
    Scan(Scan),
    /// Wait for peers.
    Listen(Listen),
}

impl Mode {
    /// The proxies on the way, with what they are told; none are left here.
    pub(super) fn take_route(&mut self) -> Route {
        match self {
            Self::Connect(Connect { route, .. }) | Self::Scan(Scan { route, .. }) => {
                std::mem::take(route)
            }
            Self::Listen(_) => Route::default(),
        }
    }
}

/// Where to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connect {
    /// The destination.
    pub to: Destination,
    /// What lies between.
    pub route: Route,
    /// Bounds name resolution and connecting together, for each port (`-w`).
    pub timeout: Option<Duration>,
    /// Time between one port and the next (`-i`).
    pub interval: Option<Duration>,
    /// What is done with a connection.
    pub purpose: Purpose,
}

/// A destination as it was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Ports of a host.
    Host {
        /// Name or address; not yet resolved.
        host: String,
        /// Destination ports in the order to be tried; at least one, none is 0.
        ports: Vec<u16>,
        /// Local address to bind before connecting (`-s`), as typed.
        source_host: Option<String>,
        /// Local port to bind before connecting (`-p`).
        source_port: Option<u16>,
    },
    /// An address that needs no looking up: UNIX and vsock.
    Exact {
        /// The peer.
        address: Address,
        /// The local name to bind before connecting (`-s`).
        source: Option<Address>,
    },
}

/// The proxies on the way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Route {
    /// In the order in which they are passed; empty: straight to the destination.
    pub proxies: Vec<Proxy>,
    /// Who looks the destination's name up.
    pub lookup: NameLookup,
}

/// One proxy.
#[derive(Clone, Debug)]
pub struct Proxy {
    /// What it speaks.
    pub kind: ProxyKind,
    /// Its name or address, as typed.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Who asks, where the protocol has room for a user without a password (SOCKS4).
    pub user: Option<String>,
    /// Who asks, and the proof.
    pub credentials: Option<Rc<Credentials>>,
}

/// What proxies speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyKind {
    /// SOCKS 4, which knows IPv4 addresses only.
    Socks4,
    /// SOCKS 4a, which knows names too.
    Socks4a,
    /// SOCKS 5, RFC 1928.
    Socks5,
    /// HTTP's CONNECT method, RFC 9110.
    Http,
}

/// Who looks up the names that are told to a proxy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NameLookup {
    /// The proxy.
    #[default]
    Proxy,
    /// We do.
    Here,
    /// We do, and where we find nothing the proxy.
    HereThenProxy,
    /// Nobody: addresses only.
    Nowhere,
}

/// Secrets are not compared: two proxies are the same if they are the same object's.
impl PartialEq for Proxy {
    fn eq(&self, other: &Self) -> bool {
        let same_secret = match (&self.credentials, &other.credentials) {
            (Some(one), Some(other)) => Rc::ptr_eq(one, other),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        let plain = |proxy: &Self| (proxy.kind, proxy.host.clone(), proxy.port, proxy.user.clone());
        same_secret && plain(self) == plain(other)
    }
}

impl Eq for Proxy {}

/// What a connection is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// stdin to the peer, the peer to stdout.
    Relay,
    /// The descriptor is handed on over stdout (`-F`), and that was all.
    PassDescriptor,
}

/// What is to be found out, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// The destinations.
    pub to: Destination,
    /// What lies between.
    pub route: Route,
    /// How long one probe waits for an answer (`-w`); `None`: as long as the kernel does.
    pub patience: Option<Duration>,
    /// Probes under way at a time; `None`: as many as the limit of descriptors allows, within reason.
    pub parallelism: Option<NonZeroUsize>,
    /// Least time between the beginnings of two probes (`-i`).
    pub interval: Option<Duration>,
    /// Most probes begun within a second (`--rate`).
    pub rate: Option<NonZeroU32>,
    /// What a datagram service is asked (`--probe`); `None`: what suits its port.
    pub question: Option<Vec<u8>>,
    /// Bytes shown at most of what an open port says first (`--banner`).
    pub banner: Option<NonZeroUsize>,
    /// What is told of each destination.
    pub tell: Tell,
    /// What makes the exit status 0.
    pub goal: ScanGoal,
    /// Whether to go on until that is so (`--wait-until-open`).
    pub vigil: Option<Vigil>,
}

/// What a scan tells of each destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tell {
    /// Lines on stderr.
    pub lines: Lines,
    /// One JSON object on stdout (`--json`).
    pub json: bool,
}

/// Which lines a scan prints on stderr.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lines {
    /// None but errors.
    None,
    /// Debian's (`-v`).
    Plain,
    /// With the time each probe took, and a summary (`-vv`).
    Timed,
}

/// When a scan counts as a success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanGoal {
    /// One destination is open.
    Any,
    /// All are (`--scan-exit all`).
    All,
}

/// Waiting for destinations to open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vigil {
    /// How long at most.
    pub limit: Duration,
    /// From one probe of a destination to its next.
    pub every: Duration,
}

/// Where to listen, and for whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// The place.
    pub at: Place,
    /// Whether others may listen on the same port.
    pub sharing: Sharing,
    /// One session, or many.
    pub keep: Keep,
    /// Multicast groups to join.
    pub groups: Vec<Group>,
    /// Whom to answer where one socket hears many peers.
    pub reply: Reply,
    /// How long such a peer is remembered when it is silent; `None`: the default.
    pub memory: Option<Duration>,
    /// Who is told that the listener is ready.
    pub announce: Announce,
}

/// A place to listen at, as it was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A port of this machine.
    Port {
        /// Local name or address; `None`: every address.
        host: Option<String>,
        /// Local port; 0 lets the kernel choose.
        port: u16,
    },
    /// An address that needs no looking up: UNIX and vsock.
    Exact(Address),
    /// A socket that was handed to the program, by its descriptor's number.
    Inherited(i32),
    /// The socket that the service manager has opened, if it has: `sd_listen_fds(3)`.
    Activated,
}

/// Who is told, and how, that clients may come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Announce {
    /// The port is written into this file (`--port-file`).
    pub port_file: Option<PathBuf>,
    /// The port is written to this descriptor as a line, and it is closed (`--ready-fd`).
    pub ready_fd: Option<i32>,
}

/// How many sessions a listener serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// One, then the program ends.
    Once,
    /// Any number, at most so many at a time (`-k`, `--max-conns`).
    Open {
        /// Sessions at a time; further clients wait in the kernel's backlog. `None`: no limit of ours.
        max_conns: Option<NonZeroUsize>,
    },
}
