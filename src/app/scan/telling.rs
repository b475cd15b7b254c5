//! From an answer to the words that are told, in order and as far as somebody reads them.

use super::probe::Verdict;
use super::progress::Standing;
use super::report::{Answer, State};
use super::voice::Unheard;
use super::{Alarm, Course, Scan};
use crate::app::job::Lines;
use crate::app::line::{LINE_EACH, REDRAW, Screen};
use crate::app::notice::Console;
use crate::app::{Alarm as AppAlarm, Loop};
use crate::error::Error;

impl Scan {
    /// There is an answer.
    pub(super) fn found(
        &mut self,
        reactor: &mut Loop,
        console: &Console,
        number: usize,
        answer: Answer,
    ) {
        let Some(vigil) = &mut self.vigil else {
            self.heard += answer.bytes_heard();
            return self.ledger.enter(number, answer);
        };
        let state = answer.state();
        let is_told = self.wanted.tell.lines > Lines::None;
        let lines = if vigil.is_news(number, state) && is_told {
            self.reporter.lines(&answer, self.ports[number], &self.way.targets, console)
        } else {
            String::new()
        };
        // Silence is no sign that somebody is there.
        if state == State::Open {
            self.ledger.enter(number, answer);
        } else {
            let at = vigil.next_probe(&answer, reactor.now());
            vigil.keep(number, answer);
            reactor.set_timer(at, AppAlarm::Scan(Alarm::Again(number)));
        }
        self.say(reactor, &lines, "");
    }

    /// Time is up for those that were to open.
    pub(super) fn end_vigil(&mut self, reactor: &mut Loop, console: &Console) {
        for mut live in self.probes.take_all(reactor) {
            // Open, and only its first words are still awaited.
            if let Some(heard) = live.probe.heard().map(<[u8]>::to_vec) {
                let finding = live.finding(Verdict::Open, reactor.now());
                live.findings.push(finding);
                let answer = Answer { findings: live.findings, heard: Some(heard) };
                self.found(reactor, console, live.number, answer);
            }
        }
        let Some(vigil) = &mut self.vigil else { return };
        self.again.clear();
        self.next = self.ports.len();
        let mut missing = 0;
        for number in self.ledger.gaps(self.ports.len()) {
            self.ledger.enter(number, vigil.give_up(number));
            missing += 1;
        }
        if missing > 0 && self.wanted.tell.lines > Lines::None {
            let of = self.ports.len();
            let line = match &self.ports[..] {
                [None] => "nobody listened there in time".to_owned(),
                [Some(_)] => "the port did not open in time".to_owned(),
                _ => format!("{missing} of {of} ports did not open in time"),
            };
            let line = console.complaint(&line);
            self.say(reactor, &(line + "\n"), "");
        } else if self.way.targets.is_empty() {
            // Nobody was asked anything, and that is told in any case.
            let word = vigil.word().to_owned();
            self.say(reactor, &word, "");
        }
    }

    /// Tells what has been found out, in order, as far as its readers follow.
    pub(super) fn tell(&mut self, reactor: &mut Loop, console: &Console) {
        if matches!(self.course, Course::Told | Course::Unheard) {
            return;
        }
        while !self.voice.is_full() {
            let number = self.ledger.taken();
            let Some(answer) = self.ledger.take() else { break };
            let (port, targets) = (self.ports[number], &self.way.targets);
            self.tally.add(answer.state());
            // In a vigil nothing was counted.
            self.heard = self.heard.saturating_sub(answer.bytes_heard());
            let lines = match self.vigil {
                // Told when it was news.
                Some(_) if self.wanted.tell.lines > Lines::None => String::new(),
                Some(_) | None => self.reporter.lines(&answer, port, targets, console),
            };
            let payload = self.reporter.payload(&answer, port, targets);
            self.say(reactor, &lines, &payload);
        }
        if self.ledger.taken() == self.ports.len() && self.course.goes_on() {
            let took = reactor.clock().saturating_duration_since(self.began);
            let summary = self.reporter.summary(&self.tally, took, console);
            self.voice.erase_progress();
            self.course.told();
            self.say(reactor, &summary, "");
        }
    }

    /// Shows how far it has come, and will again.
    pub(super) fn show_progress(&mut self, reactor: &mut Loop, console: &Console) {
        if !self.course.goes_on() {
            return;
        }
        let words = self.standing().words(reactor.now());
        let pause = match self.voice.screen() {
            None => return,
            Some(Screen::Terminal) => {
                self.voice.draw(words);
                REDRAW
            }
            Some(Screen::Log) => {
                let line = console.complaint(&words) + "\n";
                self.say(reactor, &line, "");
                LINE_EACH
            }
        };
        reactor.set_timer(reactor.now() + pause, AppAlarm::Scan(Alarm::Redraw));
    }

    /// Somebody asks how far it has come.
    pub(in crate::app) fn answer(&mut self, reactor: &mut Loop, console: &Console) {
        let words = self.standing().words(reactor.now());
        let line = console.complaint(&words) + "\n";
        self.say(reactor, &line, "");
        self.go_on(reactor, console);
    }

    fn standing(&self) -> Standing {
        Standing {
            began: self.began,
            // What one port holds back from being told has been tried all the same.
            done: self.ledger.entered(),
            of: self.ports.len(),
            until: self.vigil.as_ref().map(|vigil| vigil.until),
        }
    }

    pub(super) fn say(&mut self, reactor: &mut Loop, lines: &str, payload: &str) {
        if let Err(unheard) = self.voice.say(reactor, lines, payload) {
            self.give_up(reactor, unheard);
        }
    }

    /// Nobody hears what would be found out.
    pub(super) fn give_up(&mut self, reactor: &mut Loop, unheard: Unheard) {
        self.probes.take_all(reactor);
        self.voice.fall_silent(reactor);
        match unheard {
            Unheard::ReaderGone => self.course.lose_readers(),
            Unheard::Broken(error) => self.course.fail(Error::doing("stdout")(error)),
        }
    }
}
