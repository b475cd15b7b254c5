//! Vigil until destinations are open: what each was like last time, and when it is asked again.

use std::time::{Duration, Instant};

use super::probe::Verdict;
use super::report::{Answer, Finding, State};
use crate::app::job;

/// See the module's own page.
#[derive(Debug)]
pub(super) struct Vigil {
    pub(super) until: Instant,
    pub(super) every: Duration,
    /// What each destination was like when it was asked last.
    states: Vec<Option<State>>,
    /// The last answer of each that is not open.
    answers: Vec<Option<Answer>>,
    /// What was last said of the host's name.
    word: String,
}

impl Vigil {
    pub(super) fn new(destinations: usize, wanted: &job::Vigil, began: Instant) -> Self {
        let nothing = || std::iter::repeat_with(|| None).take(destinations).collect();
        Self {
            until: began + wanted.limit,
            every: wanted.every,
            states: vec![None; destinations],
            answers: nothing(),
            word: String::new(),
        }
    }

    /// A destination is not what it was when it was asked last.
    pub(super) fn is_news(&mut self, number: usize, state: State) -> bool {
        self.states[number].replace(state) != Some(state)
    }

    /// The host's name has not been said to be this before.
    pub(super) fn is_other_word(&mut self, word: &str) -> bool {
        let is_other = self.word != word;
        word.clone_into(&mut self.word);
        is_other
    }

    /// What was last said of the host's name.
    pub(super) fn word(&self) -> &str {
        &self.word
    }

    /// Keeps the answer of a destination that is not open, for the end.
    pub(super) fn keep(&mut self, number: usize, answer: Answer) {
        self.answers[number] = Some(answer);
    }

    /// The last answer, for good. A destination that never answered counts as filtered.
    pub(super) fn give_up(&mut self, number: usize) -> Answer {
        self.answers[number].take().unwrap_or_else(|| Answer {
            findings: vec![Finding { verdict: Verdict::TimedOut, took: Duration::ZERO }],
            heard: None,
        })
    }

    /// When a destination is asked again that has answered so: probes begin `every` apart.
    pub(super) fn next_probe(&self, answer: &Answer, now: Instant) -> Instant {
        let took: Duration = answer.findings.iter().map(|finding| finding.took).sum();
        now + self.every.saturating_sub(took)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::epoch;

    fn vigil() -> Vigil {
        let wanted =
            job::Vigil { limit: Duration::from_secs(30), every: Duration::from_millis(200) };
        Vigil::new(2, &wanted, epoch())
    }

    fn closed_after(took: Duration) -> Answer {
        let verdict = Verdict::Failed(libc::ECONNREFUSED);
        Answer { findings: vec![Finding { verdict, took }], heard: None }
    }

    #[test]
    fn only_a_change_is_news() {
        let mut vigil = vigil();
        assert!(vigil.is_news(0, State::Closed));
        assert!(!vigil.is_news(0, State::Closed));
        assert!(vigil.is_news(1, State::Closed));
        assert!(vigil.is_news(0, State::Open));
    }

    #[test]
    fn probes_begin_as_far_apart_as_was_asked_for() {
        let vigil = vigil();
        for (took, pause) in [(0, 200), (50, 150), (5000, 0)] {
            let answer = closed_after(Duration::from_millis(took));
            let next = vigil.next_probe(&answer, epoch());
            assert_eq!(next, epoch() + Duration::from_millis(pause));
        }
    }

    #[test]
    fn the_last_answer_stands_at_the_end() {
        let mut vigil = vigil();
        vigil.keep(0, closed_after(Duration::ZERO));
        assert_eq!(vigil.give_up(0).state(), State::Closed);
        assert_eq!(vigil.give_up(1).state(), State::Filtered);
    }
}
