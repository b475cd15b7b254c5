//! What the taps see of the sessions, and how they hold them back.
//!
//! Owns: when taps are asked, and who goes on when a slow reader of a dump has caught up. Must not know: what a
//! tap makes of the bytes (`taps`). A build that cannot look has none of this left in it.

use super::Hub;
use crate::app::taps::Taps;
use crate::app::{Loop, SEE};
use crate::reactor::Key;
use crate::trace::{Event, tell};

impl Hub {
    /// Has the sessions to come looked at.
    pub(in crate::app) fn set_taps(&mut self, taps: Option<Box<Taps>>) {
        self.taps = taps;
    }

    /// What the taps have to say: a digest, a dump that has ended. Each is handed out once.
    pub(in crate::app) fn next_news(&mut self) -> Option<String> {
        self.taps()?.next_news()
    }

    /// A dump takes more.
    pub(in crate::app) fn write_dumps(&mut self, reactor: &mut Loop) {
        self.with_taps(reactor, Taps::flush);
    }

    /// Nothing waits for the reader of a dump, and there will be no more.
    pub(in crate::app) fn dumps_are_written(&mut self, reactor: &mut Loop) -> bool {
        self.taps().is_none_or(|taps| taps.are_written(reactor))
    }

    /// Readers of dumps have been waited for long enough.
    pub(in crate::app) fn give_dumps_up(&mut self, reactor: &mut Loop) {
        self.with_taps(reactor, Taps::patience_is_over);
    }

    /// What is done here may end the wait for a slow reader: then all sessions look at what there is.
    fn with_taps(&mut self, reactor: &mut Loop, act: fn(&mut Taps, &mut Loop)) {
        let Some(taps) = self.taps() else { return };
        let held_back = taps.hold_back();
        act(taps, reactor);
        if held_back && !taps.hold_back() {
            tell(Event::Noted(&"dumps have been taken: sessions go on"));
            for (_, live) in self.sessions.iter() {
                reactor.requeue(live.net);
            }
        }
    }

    /// A dump's reader is slow: sessions have to wait. Without taps, a branch.
    pub(super) fn is_held_back(&self) -> bool {
        SEE && self.taps.as_ref().is_some_and(|taps| taps.hold_back())
    }

    /// The end of a session is to be told, also if it is a signal's doing.
    pub(in crate::app) fn has_last_words(&self) -> bool {
        SEE && self.taps.as_ref().is_some_and(|taps| taps.have_last_words())
    }

    /// Makes news of the sessions that a signal is about to end.
    pub(in crate::app) fn tell_last_words(&mut self) {
        if !SEE {
            return;
        }
        let Some(taps) = &mut self.taps else { return };
        let keys: Vec<Key> = self.sessions.iter().map(|(key, _)| key).collect();
        for key in keys {
            if let Some(watch) = self.sessions.get_mut(key).and_then(|live| live.watch.take()) {
                taps.cut_off(*watch);
            }
        }
    }

    /// A build without the feature knows at once that there are none.
    pub(super) fn taps(&mut self) -> Option<&mut Taps> {
        if SEE { self.taps.as_deref_mut() } else { None }
    }
}
