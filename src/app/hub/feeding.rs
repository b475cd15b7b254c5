//! A stdin that is dealt out to all sessions: how far it is read, and how long the slowest holds it back.
//!
//! Owns: reading a shared stdin, and patience with those who take nothing of it. Must not know: what a session
//! does with its share (`broadcast` keeps it).

use std::time::Duration;

use super::{Hub, Live, Stdin};
use crate::app::{Alarm, Loop};
use crate::nonblock::Attempt;
use crate::reactor::{Key, Readiness};
use crate::session::End;
use crate::trace::{Event, tell};
use crate::units::micros;

impl Hub {
    /// Reads a shared stdin as far as the slowest session allows, and has everybody look at it. Comes
    /// once a turn at most, for it asks every session.
    pub(super) fn feed(&mut self, reactor: &mut Loop) {
        // With nobody to read it, stdin is left where it is.
        let Some(slowest) = self.takers().map(|live| live.position).min() else { return };
        let Stdin::Shared(stdin) = &mut self.stdin else { return };
        let input_id = self.local.input_id;
        stdin.forget_before(slowest);
        let mut news = false;
        while !stdin.has_ended()
            && !stdin.is_full()
            && reactor.readiness(input_id).intersects(Readiness::READ)
        {
            match stdin.fill(&mut self.local.input) {
                Ok(Attempt::Moved(_) | Attempt::Ended) => news = true,
                Ok(Attempt::Blocked) => reactor.clear(input_id, Readiness::READ),
                Err(error) => {
                    news = true;
                    self.stdin_error = Some(error);
                }
            }
        }
        if news {
            if stdin.has_ended()
                && let Some(wait) = self.policy.quit_after
            {
                reactor.set_timer(reactor.now() + wait, Alarm::Quit);
            }
            for live in self.takers() {
                reactor.requeue(live.net);
            }
        }
        self.watch_the_slowest(reactor);
    }

    /// The time after the end of a shared stdin is over. Sessions have a timer of their own, which counts
    /// from when they have sent all; but those that saw the end may be gone, and others not come.
    pub(in crate::app) fn is_quitting_time(&self) -> bool {
        self.sessions.iter().all(|(_, live)| live.session.has_sent_all())
    }

    /// Patience is counted from the moment somebody waits in vain for more of a shared stdin.
    fn watch_the_slowest(&mut self, reactor: &mut Loop) {
        match (self.somebody_waits(), self.patience) {
            (true, None) => {
                tell(Event::Noted(&"a session waits for more of stdin, and another holds it back"));
                self.patience = Some(reactor.set_timer(reactor.now() + PATIENCE, Alarm::Patience));
            }
            (false, Some(timer)) => {
                reactor.cancel_timer(timer);
                self.patience = None;
            }
            (true, Some(_)) | (false, None) => {}
        }
    }

    fn somebody_waits(&self) -> bool {
        let Stdin::Shared(stdin) = &self.stdin else { return false };
        stdin.is_full()
            && !stdin.has_ended()
            && self
                .takers()
                .any(|live| live.position == stdin.head() && live.session.has_sent_all())
    }

    /// Patience is over with those who hold the others back and have taken nothing all the while.
    pub(in crate::app) fn patience_is_over(&mut self, reactor: &mut Loop) {
        self.patience = None;
        let Stdin::Shared(stdin) = &self.stdin else { return };
        // While a dump holds all of them back, nobody can take anything.
        if self.somebody_waits() && !self.is_held_back() {
            let (head, now) = (stdin.head(), self.age(reactor.now()));
            let patience = micros(PATIENCE);
            let holds_back = |live: &Live| live.position < head && now - live.sent_at >= patience;
            let sessions = self.sessions.iter();
            let stalled: Vec<Key> = sessions
                .filter(|(_, live)| live.session.takes_input() && holds_back(live))
                .map(|(key, _)| key)
                .collect();
            for key in stalled {
                self.close(reactor, key, End::HeldOthersBack);
            }
        }
        self.feed(reactor);
    }

    /// Sessions that stdin is read for.
    fn takers(&self) -> impl Iterator<Item = &Live> {
        self.sessions.iter().map(|(_, live)| live).filter(|live| live.session.takes_input())
    }
}

/// How long a session may take nothing at all while another waits for the same stdin. Long enough for a
/// lost segment to be sent again a few times; a stopped process or a dead link is cut off.
const PATIENCE: Duration = Duration::from_secs(5);
