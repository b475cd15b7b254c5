//! Whether a scan goes on, and the only place that changes that.
//!
//! ```text
//!   On ──▶ Told ──▶ Unheard
//!    │       └──▶ Failed
//!    └──▶ Failed, Unheard
//! ```

use crate::error::Error;
use crate::trace::{Event, tell};

/// Whether a scan goes on.
#[derive(Debug)]
pub(super) enum Course {
    /// Probes begin.
    On,
    /// All has been told that will be, up to what the readers have not taken yet.
    Told,
    /// No probe begins any more, for this reason.
    Failed(Error),
    /// Nobody reads what is told.
    Unheard,
}

/// A course without its reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    On,
    Told,
    Failed,
    Unheard,
}

impl Kind {
    /// Whether there is such an edge.
    const fn leads_to(self, next: Self) -> bool {
        match self {
            Self::On => matches!(next, Self::Told | Self::Failed | Self::Unheard),
            Self::Told => matches!(next, Self::Failed | Self::Unheard),
            Self::Failed | Self::Unheard => false,
        }
    }
}

impl Course {
    const fn kind(&self) -> Kind {
        match self {
            Self::On => Kind::On,
            Self::Told => Kind::Told,
            Self::Failed(_) => Kind::Failed,
            Self::Unheard => Kind::Unheard,
        }
    }

    /// Probes may begin.
    pub(super) const fn goes_on(&self) -> bool {
        matches!(self, Self::On)
    }

    /// All has been told.
    pub(super) fn told(&mut self) {
        self.enter(Self::Told);
    }

    /// No probe begins any more. Of several reasons the first stands.
    pub(super) fn fail(&mut self, error: Error) {
        self.break_off(Self::Failed(error));
    }

    /// Nobody hears of anything any more.
    pub(super) fn lose_readers(&mut self) {
        self.break_off(Self::Unheard);
    }

    fn break_off(&mut self, why: Self) {
        match self {
            Self::On | Self::Told => self.enter(why),
            Self::Failed(_) | Self::Unheard => {}
        }
    }

    fn enter(&mut self, next: Self) {
        let (from, to) = (self.kind(), next.kind());
        debug_assert!(from.leads_to(to), "scan: {from:?} => {to:?}");
        tell(Event::Entered { machine: "scan", from: &from, to: &to });
        *self = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_diagram_shows_the_edges() {
        let all = [Kind::On, Kind::Told, Kind::Failed, Kind::Unheard];
        crate::testing::assert_diagram("Scan", &all, Kind::leads_to);
    }

    #[test]
    fn the_first_reason_stands() {
        let mut course = Course::On;
        course.fail(Error::message("bind failed"));
        course.lose_readers();
        assert!(matches!(course, Course::Failed(_)), "{course:?}");
    }
}
