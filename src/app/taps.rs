//! Dumps and digests of what sessions relay: all of them share the files, each session is watched by itself.
//!
//! ```text
//!   session ──▶ Onlooker ──▶ format (proto) ──▶ Outlet ──▶ file, FIFO, stderr
//!   what went over the wire    bytes to bytes      what waits for its reader
//! ```
//! Owns: the files, which are opened before anything is connected; what becomes of one that takes no
//! more. Must not know: how a session works, how a format looks.
//!
//! Invariant: nothing that happens to a dump changes a session or the exit status. A dump that cannot be
//! written ends with one line on stderr. A reader that is slow holds the sessions back, as a slow stdout
//! does: they get no turn while more than [`MOST_WAITING`] waits for it ([`Taps::hold_back`]). But one that takes
//! nothing for [`PATIENCE`] loses its dump, and the sessions go on.

mod watch;

use std::collections::VecDeque;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant, UNIX_EPOCH};

use super::job::{Digest, DumpFormat, DumpTo, Job, Mode, Stamps};
use super::outlet::Outlet;
use super::{Alarm, Loop, Owner, SEE};
use crate::error::{Error, escape, reason};
use crate::proto::packets::Roll;
use crate::proto::pcapng::{self, Direction};
use crate::proto::{Stamp, hexdump};
use crate::reactor::TimerId;
use crate::session::{Close, End, Tap, Way};
use crate::sys::address::Address;
use crate::sys::dump_file::{self, Identity};
use crate::sys::link::Link;
use crate::sys::stdio::Output;
use crate::units::micros;
pub(super) use watch::Watch;

/// Everything that looks on.
#[derive(Debug)]
pub(super) struct Taps {
    dumps: Vec<Dump>,
    stamps: Stamps,
    digest: Option<Digest>,
    /// Who begins the connections.
    initiative: Direction,
    /// The same moment by both clocks.
    started: Instant,
    started_epoch: u64,
    /// Sessions so far: tells those without addresses apart.
    sessions: u16,
    news: VecDeque<String>,
    /// Bytes that may wait for a reader before it is waited for.
    allowed: usize,
    patience: Option<TimerId>,
}

#[derive(Debug)]
struct Dump {
    name: String,
    format: DumpFormat,
    /// `None`: it has ended.
    outlet: Option<Outlet>,
    /// Since when it is waited for, and nothing has been taken.
    stalled: Option<Instant>,
}

/// Looks at one session during one turn.
#[derive(Debug)]
pub(super) struct Onlooker<'a> {
    taps: &'a mut Taps,
    watch: &'a mut Watch,
    stamp: Stamp,
}

impl Taps {
    /// Opens what the job wants to be written; `None` if that is nothing.
    ///
    /// # Errors
    /// A file cannot be opened, or is wanted twice.
    pub(super) fn open(reactor: &mut Loop, job: &Job) -> Result<Option<Box<Self>>, Error> {
        let wanted = &job.taps;
        if !SEE || (wanted.dumps.is_empty() && wanted.digest.is_none()) {
            return Ok(None);
        }
        let mut dumps: Vec<Dump> = Vec::new();
        let mut taken: Vec<Option<Identity>> = Vec::new();
        for dump in &wanted.dumps {
            let (name, output, identity) = open(&dump.to)?;
            if identity.is_some() && taken.contains(&identity) {
                return Err(Error::message(format!("cannot write two dumps to {name}")));
            }
            taken.push(identity);
            let outlet = Outlet::open(reactor, output, Owner::Dump);
            let mut outlet = outlet.map_err(Error::doing(name.clone()))?;
            if dump.format == DumpFormat::Packets {
                pcapng::begin(outlet.end());
            }
            dumps.push(Dump { name, format: dump.format, outlet: Some(outlet), stalled: None });
        }
        let since_1970 = reactor.time_of_day().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut taps = Box::new(Self {
            dumps,
            stamps: wanted.stamps,
            digest: wanted.digest,
            initiative: match job.mode {
                Mode::Listen(_) => Direction::Inbound,
                Mode::Connect(_) | Mode::Scan(_) => Direction::Outbound,
            },
            started: reactor.now(),
            started_epoch: micros(since_1970),
            sessions: 0,
            news: VecDeque::new(),
            allowed: MOST_WAITING,
            patience: None,
        });
        taps.flush(reactor);
        Ok(Some(taps))
    }

    /// Begins to look at a session whose wire leads to its peer.
    pub(super) fn begin(&mut self, link: &mut Link, peer: &Address, now: Instant) -> Box<Watch> {
        self.sessions = self.sessions.wrapping_add(1);
        let records = self.dumps.iter().any(|dump| dump.format == DumpFormat::Packets);
        let socket = records.then(|| link.polled());
        let mut watch = Watch::new(peer, self.digest, socket.as_deref(), self.sessions);
        let (stamp, initiative) = (self.stamp(now), self.initiative);
        if let Some(conversation) = &mut watch.conversation {
            self.record(stamp, |roll| conversation.begin(roll, initiative));
        }
        Box::new(watch)
    }

    /// A session is over.
    pub(super) fn end(&mut self, mut watch: Watch, end: &End, now: Instant) {
        let stamp = self.stamp(now);
        if let Some(conversation) = &mut watch.conversation {
            self.record(stamp, |roll| match end {
                End::PeerFailed(_) => conversation.reset(roll, Direction::Inbound),
                End::Complete
                | End::Denied(_)
                | End::ProxyReconnects(_)
                | End::Idle
                | End::QuitTimer
                | End::HeldOthersBack
                | End::InputFailed(_)
                | End::OutputFailed(_)
                | End::ReaderGone => conversation.end(roll, Direction::Outbound),
            });
        }
        self.news.extend(watch.digests());
    }

    /// A session is cut off, and nothing will come behind it.
    pub(super) fn cut_off(&mut self, watch: Watch) {
        self.news.extend(watch.digests());
    }

    /// There will be something to be said at the end of a session, whatever ends it.
    pub(super) const fn have_last_words(&self) -> bool {
        self.digest.is_some()
    }

    /// What is to be told on stderr; each is handed out once.
    pub(super) fn next_news(&mut self) -> Option<String> {
        self.news.pop_front()
    }

    /// Writes what the dumps take now.
    pub(super) fn flush(&mut self, reactor: &mut Loop) {
        let (allowed, now) = (self.allowed, reactor.now());
        for dump in &mut self.dumps {
            if let Err(error) = dump.flush(reactor, allowed, now) {
                self.news.extend(dump.give_up(reactor, &reason(&error)));
            }
        }
        self.set_patience(reactor);
    }

    /// So much waits for a reader that no more is to be seen now.
    pub(super) fn hold_back(&self) -> bool {
        self.dumps.iter().any(|dump| dump.stalled.is_some())
    }

    /// Nothing waits for a reader, and nothing will any more: from now on whatever waits is waited for.
    pub(super) fn are_written(&mut self, reactor: &mut Loop) -> bool {
        if self.allowed > 0 {
            self.allowed = 0;
            self.flush(reactor);
        }
        !self.hold_back()
    }

    /// Whoever has taken nothing for so long is not waited for any more.
    pub(super) fn patience_is_over(&mut self, reactor: &mut Loop) {
        self.patience = None;
        let now = reactor.now();
        for dump in &mut self.dumps {
            if dump.stalled.is_some_and(|since| since + PATIENCE <= now) {
                self.news.extend(dump.give_up(reactor, TOO_SLOW));
            }
        }
        self.set_patience(reactor);
    }

    /// Lazy: a timer that fires too early is set anew then, and not whenever a reader takes something.
    fn set_patience(&mut self, reactor: &mut Loop) {
        let oldest = self.dumps.iter().filter_map(|dump| dump.stalled).min();
        if let (Some(since), None) = (oldest, self.patience) {
            self.patience = Some(reactor.set_timer(since + PATIENCE, Alarm::Dumps));
        }
    }

    fn stamp(&self, now: Instant) -> Stamp {
        let elapsed = micros(now.saturating_duration_since(self.started));
        Stamp { elapsed, epoch: self.started_epoch.saturating_add(elapsed) }
    }

    /// Appends packets to what is recorded, wherever that is.
    fn record(&mut self, stamp: Stamp, mut make: impl FnMut(&mut Roll<'_>)) {
        for dump in &mut self.dumps {
            if let (DumpFormat::Packets, Some(outlet)) = (dump.format, &mut dump.outlet) {
                make(&mut Roll { out: outlet.end(), epoch: stamp.epoch });
            }
        }
    }
}

impl Dump {
    /// Writes what is taken now. Where more is left than is allowed, its reader is waited for.
    fn flush(&mut self, reactor: &mut Loop, allowed: usize, now: Instant) -> io::Result<()> {
        let Some(outlet) = &mut self.outlet else { return Ok(()) };
        let before = outlet.len();
        outlet.flush(reactor)?;
        let left = outlet.len();
        self.stalled = match self.stalled {
            _ if left <= allowed => None,
            Some(since) if left == before => Some(since),
            Some(_) | None => Some(now),
        };
        Ok(())
    }

    /// Ends it; what is to be said about that.
    fn give_up(&mut self, reactor: &mut Loop, why: &str) -> Option<String> {
        self.stalled = None;
        self.outlet.take()?.close(reactor);
        Some(format!("{}: {why}; the dump ends here", self.name))
    }
}

impl<'a> Onlooker<'a> {
    /// Somebody to look at a session, if anybody is to.
    pub(super) fn of(
        taps: Option<&'a mut Taps>,
        watch: Option<&'a mut Watch>,
        now: Instant,
    ) -> Option<Self> {
        let (true, Some(taps), Some(watch)) = (SEE, taps, watch) else { return None };
        let stamp = taps.stamp(now);
        Some(Self { taps, watch, stamp })
    }
}

impl Tap for Onlooker<'_> {
    fn saw(&mut self, way: Way, bytes: &[u8], peers: &[SocketAddr]) {
        self.watch.count(way, bytes);
        for dump in &mut self.taps.dumps {
            let Some(outlet) = &mut dump.outlet else { continue };
            let out = outlet.end();
            let is_text = matches!(dump.format, DumpFormat::Traditional | DumpFormat::Ncat);
            if is_text && self.taps.stamps == Stamps::Each {
                out.extend([mark(way), b' ']);
                self.stamp.write(out);
                let peer = self.watch.name(peers);
                // A vector takes everything.
                let _ = writeln!(out, " {peer}");
            }
            match dump.format {
                DumpFormat::Traditional => {
                    hexdump::traditional(out, mark(way), self.watch.offset(way), bytes);
                }
                DumpFormat::Ncat => hexdump::ncat(out, bytes),
                DumpFormat::Raw => out.extend_from_slice(bytes),
                DumpFormat::Packets => {
                    let roll = &mut Roll { out, epoch: self.stamp.epoch };
                    self.watch.record(roll, direction(way), bytes, peers);
                }
            }
        }
    }

    fn saw_end(&mut self, way: Way, close: Close) {
        if let Some(conversation) = &mut self.watch.conversation {
            self.taps.record(self.stamp, |roll| match close {
                Close::Orderly => conversation.end(roll, direction(way)),
                Close::Broken => conversation.reset(roll, direction(way)),
            });
        }
    }
}

fn open(to: &DumpTo) -> Result<(String, Output, Option<Identity>), Error> {
    let (name, opened) = match to {
        DumpTo::Stderr => ("stderr".to_owned(), Output::stderr().map(|output| (output, None))),
        DumpTo::File(path, existing) => {
            (escape(&path.to_string_lossy()), dump_file::create(path, *existing))
        }
    };
    match opened {
        Ok((output, identity)) => Ok((name, output, identity)),
        // "No such device or address" is what open(2) has to say about that.
        Err(error) if error.raw_os_error() == Some(libc::ENXIO) => {
            Err(Error::message(format!("{name}: nobody reads from it")))
        }
        Err(error) => Err(Error::Io(name, error)),
    }
}

fn mark(way: Way) -> u8 {
    match way {
        Way::Sent => b'>',
        Way::Received => b'<',
    }
}

fn direction(way: Way) -> Direction {
    match way {
        Way::Sent => Direction::Outbound,
        Way::Received => Direction::Inbound,
    }
}

/// Bytes of a dump that may wait while sessions go on: with all that one turn can add, about 1 MiB in memory.
const MOST_WAITING: usize = 512 * 1024;

/// How long a reader that is waited for may take nothing at all.
const PATIENCE: Duration = Duration::from_secs(2);

const TOO_SLOW: &str = "its reader is too slow";
