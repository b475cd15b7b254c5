//! One destination that is being found out about, at one of its addresses.
//!
//! ```text
//!   Queueing ──────────────────────────────────────────▶┐
//!   Connecting ──▶ Negotiating ──▶ Listening ──────────▶ Over
//!        │              └───────────────────────────────▶┤
//!        └──▶ Asking ───────────────────────────────────▶┘
//! ```
//! Owns: the stages, and what each makes of an event or of time that is over. Must not know: reactor,
//! registration, other probes. It is told what is ready and what time it is, and says what it waits for
//! or what it has found ([`Step`]).

use std::io;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use crate::explain::{self, explain, raw_fd};
use crate::nonblock::{Attempt, ByteSink, ByteSource};
use crate::proto;
use crate::reactor::Readiness;
use crate::session::{Denial, End, Gates, Hops, Policy, Session, Turn};
use crate::sys::link::Link;
use crate::sys::net::{BUSY, ConnectStatus, Transport, connected};
use crate::sys::polled::Polled;
use crate::sys::socket::{Socket, Whom};
use crate::sys::stdio::{Input, Output};
use crate::trace::{Event, tell};

/// What all probes of a scan are told.
#[derive(Debug)]
pub(super) struct Orders {
    pub(super) transport: Transport,
    /// How long to wait for an answer; `None`: as long as the kernel does.
    pub(super) patience: Option<Duration>,
    /// What a datagram service is asked; `None`: what suits its port.
    pub(super) question: Option<Vec<u8>>,
    /// Bytes at most of what an open destination says first; `None`: nobody wants to hear it.
    pub(super) banner: Option<NonZeroUsize>,
    /// The local port is wanted again, so a connection is to leave nothing behind.
    pub(super) forget: bool,
}

/// What a destination has turned out to be, at one address.
#[derive(Debug)]
pub(super) enum Verdict {
    /// A connection was made, or a datagram answered.
    Open,
    /// Nothing came back for a datagram: it was taken, or lost on the way.
    Silent,
    /// Nobody answered in time.
    TimedOut,
    /// There will be no connection; the errno.
    Failed(i32),
    /// What was asked came back: an ICMP message, as an errno.
    Bounced(i32),
    /// A proxy on the way did not let us through.
    Denied(Box<Denial>),
}

impl Verdict {
    /// What connect(2) or `SO_ERROR` has said.
    pub(super) fn failed(error: &io::Error) -> Self {
        Self::Failed(errno(error))
    }
}

/// What a probe says when it is advanced.
#[derive(Debug)]
pub(super) enum Step {
    /// It goes on with the next event.
    Waiting {
        /// Bits that `EAGAIN` has shown to be out of date.
        clear: Readiness,
        /// When it has to be advanced at the latest.
        until: Option<Instant>,
    },
    /// Its address has to be connected to again; what is to be said to the proxies.
    Knock(Hops),
    /// It has found out; what was heard, if somebody wanted to hear it.
    Over(Verdict, Option<Vec<u8>>),
}

/// See the module's own page.
#[derive(Debug)]
pub(super) struct Probe {
    stage: Stage,
    /// The port that is asked for, if there are ports.
    port: Option<u16>,
    /// What is to be said to proxies, once there is a connection.
    hops: Hops,
    /// When patience with the current stage ends.
    deadline: Option<Instant>,
    /// When the destination turned out to be open.
    opened: Option<Instant>,
}

/// Where a probe stands.
#[derive(Debug)]
enum Stage {
    /// A UNIX listener's queue is full, and no event tells when it is not: there will be another
    /// attempt, and a probe of its own for it. `Over`.
    Queueing(Instant),
    /// An event will tell whether there is a connection. With one: to a proxy, `Negotiating`; of
    /// datagrams, `Asking`; if what is said first is wanted, `Listening`; else `Over`. So are a failure and
    /// the end of patience.
    Connecting(Polled),
    /// Proxies are talked to. When the last has let us through, `Listening` or `Over`. A refusal and the
    /// end of patience lead to `Over`.
    Negotiating(Box<Session<Link>>),
    /// A datagram has been sent, and will be sent again. An answer, an ICMP message and the end of
    /// patience lead to `Over`.
    Asking(Socket, Instant),
    /// The destination is open, and what it says first is collected. The limit of bytes, the end of the
    /// stream, a pause and the end of patience lead to `Over`.
    Listening(Link, Vec<u8>),
    /// It has found out. The socket waits to be taken out of the loop. Nothing leaves this stage.
    Over(Option<Link>),
}

/// A stage without what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Queueing,
    Connecting,
    Negotiating,
    Asking,
    Listening,
    Over,
}

impl Kind {
    const fn leads_to(self, next: Self) -> bool {
        match self {
            Self::Connecting => {
                matches!(next, Self::Negotiating | Self::Asking | Self::Listening | Self::Over)
            }
            Self::Negotiating => matches!(next, Self::Listening | Self::Over),
            Self::Queueing | Self::Asking | Self::Listening => matches!(next, Self::Over),
            Self::Over => false,
        }
    }
}

impl Stage {
    const fn kind(&self) -> Kind {
        match self {
            Self::Queueing(_) => Kind::Queueing,
            Self::Connecting(_) => Kind::Connecting,
            Self::Negotiating(_) => Kind::Negotiating,
            Self::Asking(..) => Kind::Asking,
            Self::Listening(..) => Kind::Listening,
            Self::Over(_) => Kind::Over,
        }
    }
}

/// What a stage makes of its turn: the stage that comes next, and what is to be said. With nothing to be
/// said, the next stage has its turn at once.
type Next = (Stage, Option<Step>);

/// What is known when a probe is advanced.
#[derive(Clone, Copy)]
pub(super) struct Moment<'a> {
    pub(super) ready: Readiness,
    pub(super) now: Instant,
    pub(super) orders: &'a Orders,
}

impl Probe {
    /// Waits for a place in a listener's queue.
    pub(super) fn queueing(now: Instant, deadline: Option<Instant>) -> Self {
        let stage = Stage::Queueing(now + BUSY);
        Self { stage, port: None, hops: Hops::new(), deadline, opened: None }
    }

    /// Has an answer when a connection that was begun has one. `port` is asked for behind it.
    pub(super) fn connecting(
        socket: Polled,
        port: Option<u16>,
        hops: Hops,
        deadline: Option<Instant>,
    ) -> Self {
        Self { stage: Stage::Connecting(socket), port, hops, deadline, opened: None }
    }

    /// What the reactor watches.
    pub(super) fn polled(&mut self) -> Option<&mut Polled> {
        match &mut self.stage {
            Stage::Connecting(socket) => Some(socket),
            Stage::Negotiating(session) => Some(session.wire_mut().polled()),
            Stage::Asking(socket, _) => Some(socket.polled()),
            Stage::Listening(link, _) | Stage::Over(Some(link)) => Some(link.polled()),
            Stage::Queueing(_) | Stage::Over(None) => None,
        }
    }

    /// When patience ends. It goes on for a second connection to the same proxy.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// When the destination turned out to be open; what it says first takes a time of its own.
    pub(super) fn opened_at(&self) -> Option<Instant> {
        self.opened
    }

    /// What was heard so far of a destination that is open.
    pub(super) fn heard(&self) -> Option<&[u8]> {
        match &self.stage {
            Stage::Listening(_, heard) => Some(heard),
            Stage::Connecting(_)
            | Stage::Negotiating(_)
            | Stage::Asking(..)
            | Stage::Queueing(_)
            | Stage::Over(_) => None,
        }
    }

    /// Does what can be done now without waiting.
    pub(super) fn advance(&mut self, moment: Moment<'_>) -> Step {
        loop {
            let stage = std::mem::replace(&mut self.stage, Stage::Over(None));
            let from = stage.kind();
            let (next, step) = match stage {
                Stage::Queueing(until) => self.queue(until, moment),
                Stage::Connecting(socket) => self.connect(socket, moment),
                Stage::Negotiating(session) => self.negotiate(session, moment),
                Stage::Asking(socket, again) => self.ask(socket, again, moment),
                Stage::Listening(link, heard) => self.listen(link, heard, moment),
                Stage::Over(link) => (Stage::Over(link), Some(self.wait(Readiness::NONE, None))),
            };
            self.enter(from, next);
            if let Some(step) = step {
                return step;
            }
        }
    }

    fn enter(&mut self, from: Kind, next: Stage) {
        let to = next.kind();
        debug_assert!(from == to || from.leads_to(to), "probe: {from:?} => {to:?}");
        if from != to {
            tell(Event::Entered { machine: "probe", from: &from, to: &to });
        }
        self.stage = next;
    }

    fn is_late(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= now)
    }

    fn wait(&self, clear: Readiness, until: Option<Instant>) -> Step {
        let until = [until, self.deadline].into_iter().flatten().min();
        Step::Waiting { clear, until }
    }

    fn queue(&mut self, until: Instant, Moment { now, .. }: Moment<'_>) -> Next {
        if self.is_late(now) {
            over(None, Verdict::TimedOut)
        } else if until <= now {
            (Stage::Over(None), Some(Step::Knock(std::mem::take(&mut self.hops))))
        } else {
            (Stage::Queueing(until), Some(self.wait(Readiness::NONE, Some(until))))
        }
    }

    fn connect(&mut self, socket: Polled, moment: Moment<'_>) -> Next {
        let Moment { ready, now, orders } = moment;
        let link = |socket| Link::Peer(Socket::connected(socket, orders.transport));
        // Also when time is up: where we were the slow ones, the answer is there.
        if ready.intersects(Readiness::WRITE) || self.is_late(now) {
            match connected(&socket, orders.transport) {
                // Reset or not, it was made.
                Ok(ConnectStatus::Connected | ConnectStatus::Reset(_)) => {
                    let link = link(socket);
                    if orders.forget {
                        link.forget_on_close();
                    }
                    return self.connected(link, now, orders);
                }
                Ok(ConnectStatus::UnderWay) => {}
                Err(error) => return over(Some(link(socket)), Verdict::failed(&error)),
            }
        }
        if self.is_late(now) {
            explain(|| explain::Step::GaveUp { fd: raw_fd(&socket), scan: true });
            return over(Some(link(socket)), Verdict::TimedOut);
        }
        (Stage::Connecting(socket), Some(self.wait(Readiness::WRITE, None)))
    }

    fn connected(&mut self, mut link: Link, now: Instant, orders: &Orders) -> Next {
        if !self.hops.is_empty() {
            link.talk_to(Whom::Proxy);
            let hops = std::mem::take(&mut self.hops);
            let session = Session::through(link, hops, self.deadline, Policy::plain().into());
            return (Stage::Negotiating(Box::new(session)), None);
        }
        match link {
            // Its first question is due.
            Link::Peer(socket) if orders.transport == Transport::Udp => {
                (Stage::Asking(socket, now), None)
            }
            link @ (Link::Peer(_) | Link::Crowd(_)) => self.open(link, now, orders),
        }
    }

    /// The destination is open.
    fn open(&mut self, mut link: Link, now: Instant, orders: &Orders) -> Next {
        self.opened = Some(now);
        if orders.banner.is_none() {
            let reset = orders.forget;
            explain(|| explain::Step::ProbeClosed { fd: raw_fd(link.polled()), reset });
            return over(Some(link), Verdict::Open);
        }
        self.deadline = Some(now + orders.patience.unwrap_or(HEARING));
        (Stage::Listening(link, Vec::new()), None)
    }

    fn negotiate(&mut self, mut session: Box<Session<Link>>, moment: Moment<'_>) -> Next {
        let Moment { ready, now, orders } = moment;
        let gates = Gates { net: ready, local_in: Readiness::NONE, local_out: Readiness::NONE };
        let turn = Turn { gates, now, budget: 0 };
        let report = session.advance(&mut Input::none(), &mut Output::discard(), turn, None);
        if report.negotiated {
            let mut link = session.into_wire();
            link.talk_to(Whom::Peer);
            return self.open(link, now, orders);
        }
        match report.ended.map(|outcome| outcome.end) {
            None => {
                let wait = Step::Waiting { clear: report.net, until: report.deadline };
                (Stage::Negotiating(session), Some(wait))
            }
            Some(End::ProxyReconnects(hops)) => {
                (Stage::Over(Some(session.into_wire())), Some(Step::Knock(hops)))
            }
            Some(End::Denied(denial)) => {
                over(Some(session.into_wire()), Verdict::Denied(Box::new(denial)))
            }
            // A session that never relays has no other end.
            Some(
                End::Complete
                | End::Idle
                | End::QuitTimer
                | End::HeldOthersBack
                | End::PeerFailed(_)
                | End::InputFailed(_)
                | End::OutputFailed(_)
                | End::ReaderGone,
            ) => over(Some(session.into_wire()), Verdict::TimedOut),
        }
    }

    fn ask(&mut self, mut socket: Socket, mut again: Instant, moment: Moment<'_>) -> Next {
        let Moment { ready, now, orders } = moment;
        if ready.intersects(Readiness::READ) || self.is_late(now) {
            let most = orders.banner.map_or(1, NonZeroUsize::get);
            let mut heard = vec![0; most];
            match socket.try_read(&mut heard) {
                Ok(Attempt::Moved(n)) => {
                    heard.truncate(n);
                    let heard = orders.banner.map(|_| heard);
                    let step = Step::Over(Verdict::Open, heard);
                    return (Stage::Over(Some(Link::Peer(socket))), Some(step));
                }
                Ok(Attempt::Blocked | Attempt::Ended) => {}
                Err(error) => {
                    return over(Some(Link::Peer(socket)), Verdict::Bounced(errno(&error)));
                }
            }
        }
        if self.is_late(now) {
            return over(Some(Link::Peer(socket)), Verdict::Silent);
        }
        if again <= now {
            again = now + ASK_AGAIN;
            let question = match (&orders.question, self.port) {
                (Some(question), _) => question,
                (None, port) => proto::question(port.unwrap_or(0)),
            };
            // What does not fit into the socket or the device now is as good as lost on the way.
            if let Err(error) = socket.try_write(question)
                && error.raw_os_error() != Some(libc::ENOBUFS)
            {
                return over(Some(Link::Peer(socket)), Verdict::Bounced(errno(&error)));
            }
        }
        (Stage::Asking(socket, again), Some(self.wait(Readiness::READ, Some(again))))
    }

    fn listen(&mut self, mut link: Link, mut heard: Vec<u8>, moment: Moment<'_>) -> Next {
        let Moment { ready, now, orders } = moment;
        let most = orders.banner.map_or(0, NonZeroUsize::get);
        let had = heard.len();
        let mut has_ended = self.is_late(now);
        while (ready.intersects(Readiness::READ) || has_ended) && heard.len() < most {
            let held = heard.len();
            heard.resize(most, 0);
            let attempt = link.try_read(&mut heard[held..]);
            let moved = if let Ok(Attempt::Moved(n)) = attempt { n } else { 0 };
            heard.truncate(held + moved);
            match attempt {
                Ok(Attempt::Moved(_)) => {}
                Ok(Attempt::Blocked) => break,
                // A reset after the first words is an end like any other.
                Ok(Attempt::Ended) | Err(_) => {
                    has_ended = true;
                    break;
                }
            }
        }
        if has_ended || heard.len() == most {
            // Many may have to wait for their turn.
            heard.shrink_to_fit();
            let heard = Some(heard).filter(|heard| !heard.is_empty());
            return (Stage::Over(Some(link)), Some(Step::Over(Verdict::Open, heard)));
        }
        if heard.len() > had {
            let pause = now + PAUSE;
            self.deadline = Some(self.deadline.map_or(pause, |deadline| deadline.min(pause)));
        }
        (Stage::Listening(link, heard), Some(self.wait(Readiness::READ, None)))
    }
}

fn over(link: Option<Link>, verdict: Verdict) -> Next {
    (Stage::Over(link), Some(Step::Over(verdict, None)))
}

/// Errors of the kernel have one; others do not come from a socket.
fn errno(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(libc::EIO)
}

/// From one datagram to the next: Debian's netcat asks once a second too. Both the question and the
/// answer may be lost, and ICMP messages are sent sparingly.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// How long to wait for the first words where `-w` does not say it.
const HEARING: Duration = Duration::from_secs(3);

/// Silence that ends what is said first.
const PAUSE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_diagram_shows_the_edges() {
        crate::testing::assert_diagram(
            "Probe",
            &[
                Kind::Connecting,
                Kind::Negotiating,
                Kind::Asking,
                Kind::Listening,
                Kind::Queueing,
                Kind::Over,
            ],
            Kind::leads_to,
        );
    }
}
