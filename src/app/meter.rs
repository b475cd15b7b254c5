//! What the user sees of the bytes that go through: a line that tells how far it is, and what each session is
//! when somebody asks, and was when it has ended.
//!
//! Owns: when something is told, and to whom. Must not know: how it is worded (`account`, `progress`), how
//! bytes move. Counting is done anyway, by flows; there is nothing here for each byte or each turn.
//!
//! Where stdout is a terminal, what the peer says and the line would write over each other: the line is shown
//! only until the peer has said something.

mod account;
mod progress;

use std::time::Duration;

pub(super) use account::Account;
use account::Occasion;
use progress::{Course, Reached};

use super::hub::{Farewell, Hub};
use super::job::{Metering, Progress as Wanted, Stats};
use super::line::{GRACE, LINE_EACH, REDRAW, Screen};
use super::local::Local;
use super::notice::Console;
use super::{Alarm, App, Loop, SEE};
use crate::reactor::TimerId;
use crate::session::End;
use crate::sys::address::Address;
use crate::sys::process_group::ProcessGroup;
use crate::sys::stderr::stderr_is_terminal;

/// See the module's own page.
#[derive(Debug)]
pub(super) struct Meter {
    stats: Stats,
    display: Display,
    /// Bytes of the sessions that have ended.
    past: Reached,
}

/// Where it is told how far it is.
#[derive(Debug)]
enum Display {
    /// Nowhere, or nowhere any more.
    None,
    /// When there are sessions.
    Waiting(Manner),
    /// Some are there, and the timer is set.
    Running(Manner, TimerId, Box<Course>),
}

/// How it is told.
#[derive(Clone, Copy, Debug)]
struct Manner {
    screen: Screen,
    /// Without a word, to begin with.
    grace: Duration,
    /// stdout is a terminal.
    has_rival: bool,
    /// Who may draw.
    group: ProcessGroup,
}

impl Meter {
    /// Asks what stderr is only where that matters.
    pub(super) fn new(wanted: Metering, local: &Local) -> Self {
        if !SEE {
            return Self { stats: Stats::None, display: Display::None, past: Reached::default() };
        }
        let has_rival = local.output.is_terminal();
        let group = ProcessGroup::own();
        let on = |screen, grace| Display::Waiting(Manner { screen, grace, has_rival, group });
        let display = match wanted.progress {
            Wanted::Never => Display::None,
            Wanted::Automatic => {
                let relays_file = local.output.is_file() || local.input.is_file();
                if relays_file && stderr_is_terminal() {
                    on(Screen::Terminal, GRACE)
                } else {
                    Display::None
                }
            }
            Wanted::Asked if stderr_is_terminal() => on(Screen::Terminal, REDRAW),
            Wanted::Asked => on(Screen::Log, GRACE),
        };
        Self { stats: wanted.stats, display, past: Reached::default() }
    }

    /// Sessions are to be looked at before they are gone.
    pub(super) fn wants_accounts(&self) -> bool {
        SEE && self.stats != Stats::None
    }

    /// A line may be drawn that has to be taken away again.
    pub(super) fn may_draw(&self) -> bool {
        match &self.display {
            Display::None => false,
            Display::Waiting(manner) | Display::Running(manner, ..) => {
                manner.screen == Screen::Terminal
            }
        }
    }

    fn reached(&self, hub: &Hub) -> Reached {
        let moved = hub.moved();
        Reached {
            sent: self.past.sent + moved.sent,
            received: self.past.received + moved.received,
            file: hub.file_place().map(|place| (place.position, place.length)),
        }
    }

    /// Sets the timer when the first session comes, and takes it back when the last has gone.
    fn follow(&mut self, reactor: &mut Loop, hub: &Hub, console: &Console) {
        if !SEE {
            return;
        }
        match (&self.display, hub.is_empty()) {
            (Display::None, _) | (Display::Waiting(_), true) | (Display::Running(..), false) => {}
            (Display::Waiting(manner), false) => {
                let (manner, now) = (*manner, reactor.now());
                let timer = reactor.set_timer(now + manner.grace, Alarm::Progress);
                let course = Course::new(now, self.reached(hub));
                self.display = Display::Running(manner, timer, Box::new(course));
            }
            (Display::Running(manner, timer, _), true) => {
                reactor.cancel_timer(*timer);
                console.erase();
                self.display = Display::Waiting(*manner);
            }
        }
    }

    /// Tells how far it is.
    fn redraw(&mut self, reactor: &mut Loop, hub: &Hub, console: &Console) {
        if !SEE {
            return;
        }
        let reached = self.reached(hub);
        let Display::Running(manner, timer, course) = &mut self.display else { return };
        if manner.has_rival && reached.received > 0 {
            console.erase();
            self.display = Display::None;
            return;
        }
        let moves = course.note(reactor.now(), reached);
        let words = course.words(hub.len());
        let pause = match (manner.screen, moves) {
            (Screen::Terminal, true) => REDRAW,
            // Only the time goes on.
            (Screen::Terminal, false) | (Screen::Log, _) => LINE_EACH,
        };
        match manner.screen {
            // It would spoil what is typed there, and `stty tostop` would stop the transfer.
            Screen::Terminal if manner.group.is_in_background() => console.leave(),
            Screen::Terminal => console.draw(words),
            Screen::Log => console.complain(&words),
        }
        *timer = reactor.set_timer(reactor.now() + pause, Alarm::Progress);
    }

    /// What the peer has said is about to be written where the line stands.
    fn is_in_the_way(&self, console: &Console) -> bool {
        match &self.display {
            Display::Running(manner, ..) => manner.has_rival && console.shows_progress(),
            Display::None | Display::Waiting(_) => false,
        }
    }
}

impl App<'_> {
    /// Before sessions get their turn.
    pub(super) fn step_aside(&self) {
        if self.meter.is_in_the_way(self.console) && self.hub.hears(&self.reactor) {
            self.console.erase();
        }
    }

    /// Sessions may have come or gone.
    pub(super) fn follow_progress(&mut self) {
        self.meter.follow(&mut self.reactor, &self.hub, self.console);
    }

    /// It is time to tell how far it is.
    pub(super) fn redraw_progress(&mut self) {
        self.meter.redraw(&mut self.reactor, &self.hub, self.console);
    }

    /// A session has ended.
    pub(super) fn note_end(&mut self, farewell: &Farewell) {
        let Farewell { peer, outcome, account } = farewell;
        self.meter.past.sent += outcome.sent;
        self.meter.past.received += outcome.received;
        if let Some(account) = account {
            self.tell(peer, account, Occasion::End(outcome));
        }
    }

    fn tell(&self, peer: &Address, account: &Account, occasion: Occasion<'_>) {
        if !SEE {
            return;
        }
        self.console.say(&match self.meter.stats {
            Stats::None | Stats::Text => account.lines(peer, occasion),
            Stats::Json => account.object(self.transport.name(), peer, occasion),
        });
    }

    /// A signal is about to end the program, and with it every session.
    pub(super) fn tell_cut_off(&self, signal: i32) {
        if self.meter.wants_accounts() {
            let sessions = self.hub.snapshots(self.reactor.now());
            for live in sessions.filter(|live| !live.is_negotiating) {
                self.tell(live.peer, &live.account, Occasion::Signal(signal));
            }
        }
    }

    /// Tells of each session what it is so far, or of as many as anybody would read.
    pub(super) fn show_now(&self) {
        for live in self.hub.snapshots(self.reactor.now()).take(MOST_TOLD) {
            if live.is_negotiating {
                let words = format!("{}: the proxies have not let us through yet", live.peer);
                self.console.complain(&words);
            } else {
                self.tell(live.peer, &live.account, Occasion::Question);
            }
        }
        if let Some(others) = self.hub.len().checked_sub(MOST_TOLD).filter(|others| *others > 0) {
            self.console.complain(&format!("and {others} more sessions"));
        }
    }
}

/// Whether a session that ends so is one that is told of: where none came to be, there is a line already.
pub(super) const fn was_a_session(end: &End) -> bool {
    match end {
        End::Denied(_) | End::ProxyReconnects(_) => false,
        End::Complete
        | End::Idle
        | End::QuitTimer
        | End::HeldOthersBack
        | End::PeerFailed(_)
        | End::InputFailed(_)
        | End::OutputFailed(_)
        | End::ReaderGone => true,
    }
}

/// Sessions that one question is answered for: a screenful.
const MOST_TOLD: usize = 20;
