//! The states of a flow and their edges; see `Flow` for what makes it go from one to the next.

/// How far a flow has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Bytes may still come. The end or failure of the source leads to `Draining`, a failing sink to
    /// `Abandoned`.
    Open,
    /// No more bytes come, some are held. Delivering the last leads to `Finished`, a failing sink to
    /// `Abandoned`.
    Draining,
    /// Everything that was read has been delivered. Nothing leaves this state.
    Finished,
    /// What was held is dropped and counted. Nothing leaves this state.
    Abandoned,
}

impl State {
    /// All states, in the order of a life.
    pub const ALL: [Self; 4] = [Self::Open, Self::Draining, Self::Finished, Self::Abandoned];

    /// The legal edges.
    #[must_use]
    pub const fn leads_to(self, next: Self) -> bool {
        match self {
            Self::Open => matches!(next, Self::Draining | Self::Abandoned),
            Self::Draining => matches!(next, Self::Finished | Self::Abandoned),
            Self::Finished | Self::Abandoned => false,
        }
    }

    /// Nothing will happen any more.
    #[must_use]
    pub const fn is_over(self) -> bool {
        match self {
            Self::Open | Self::Draining => false,
            Self::Finished | Self::Abandoned => true,
        }
    }
}
