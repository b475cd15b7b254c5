//! From samples to Markdown: medians, ratios of the same round, and whether a target was met.

use std::fmt::Write as _;

use crate::case::{Against, Better, Bound, Case, Failure, Figure, Outcome, Sample, Target};
use crate::peers::Program;

/// Everything that was measured in one case.
pub(crate) struct Results {
    pub(crate) case: &'static Case,
    /// Ours first.
    pub(crate) rows: Vec<Row>,
}

/// What was measured for one program.
pub(crate) struct Row {
    pub(crate) who: Program,
    /// One a round.
    pub(crate) samples: Vec<Sample>,
    /// From the probe.
    pub(crate) once: Sample,
    pub(crate) failure: Option<Failure>,
}

impl Row {
    pub(crate) fn new(who: Program) -> Self {
        Self { who, samples: Vec::new(), once: Sample::new(), failure: None }
    }

    pub(crate) fn add(&mut self, outcome: Outcome<Sample>) -> Outcome<()> {
        match outcome {
            Ok(sample) => self.samples.push(sample),
            Err(failure) => self.fail(failure)?,
        }
        Ok(())
    }

    /// Only an interruption ends it for everybody.
    pub(crate) fn fail(&mut self, failure: Failure) -> Outcome<()> {
        if matches!(failure, Failure::Interrupted) {
            return Err(failure);
        }
        self.failure = Some(failure);
        Ok(())
    }

    /// One value a round, or the only one.
    fn values(&self, figure: Figure) -> Vec<f64> {
        let of = |sample: &Sample| {
            sample.iter().find(|(name, _)| *name == figure).map(|&(_, value)| value)
        };
        let values: Vec<f64> = self.samples.iter().filter_map(of).collect();
        if values.is_empty() { of(&self.once).into_iter().collect() } else { values }
    }

    fn median(&self, figure: Figure) -> Option<f64> {
        median(self.values(figure))
    }
}

impl Results {
    pub(crate) fn ours_is_right(&self) -> bool {
        self.rows[0].failure.is_none()
    }

    fn row(&self, who: Program) -> Option<&Row> {
        self.rows.iter().find(|row| row.who == who)
    }

    /// The best peer by the figure of the case.
    fn best(&self) -> Option<&Row> {
        let peers = self.rows.iter().skip(1).filter(|row| row.who != Program::Limit);
        let right = peers.filter(|row| row.failure.is_none());
        let figures = right.filter_map(|row| Some((row.median(self.case.figure)?, row)));
        let best = match self.case.better {
            Better::More => figures.max_by(|a, b| a.0.total_cmp(&b.0)),
            Better::Less => figures.min_by(|a, b| a.0.total_cmp(&b.0)),
        };
        best.map(|(_, row)| row)
    }

    /// Every figure that somebody has, in the order of their appearance.
    fn figures(&self) -> Vec<Figure> {
        let mut all = vec![self.case.figure];
        for row in &self.rows {
            for (figure, _) in row.samples.iter().flatten().chain(&row.once) {
                if !all.contains(figure) {
                    all.push(figure);
                }
            }
        }
        all
    }

    fn ratio(figure: Figure, of: &Row, to: &Row) -> Option<f64> {
        let (of, to) = (of.values(figure), to.values(figure));
        // A value from a probe stands for all rounds.
        let pairs = of.len().max(to.len());
        let at = |values: &[f64], round: usize| {
            if values.len() == 1 { values.first().copied() } else { values.get(round).copied() }
        };
        let ratios = (0..pairs).filter_map(|round| {
            let (of, to) = (at(&of, round)?, at(&to, round)?);
            (to > 0.0).then_some(of / to)
        });
        median(ratios.collect())
    }
}

/// The section of one case: who reached what, and what was wanted.
pub(crate) fn render(results: &Results) -> String {
    let Results { case, rows } = results;
    let figures = results.figures();
    let mut text = String::new();
    let better = match case.better {
        Better::More => "more is better",
        Better::Less => "less is better",
    };
    let _ = writeln!(text, "### {}\n\n{} ({}: {better})\n", case.name, case.about, case.figure);
    let _ = write!(text, "| who | {} (min..max) | ours to it |", case.figure);
    for figure in &figures[1..] {
        let _ = write!(text, " {figure} |");
    }
    let _ = writeln!(text, "\n|---|{}", "---:|".repeat(figures.len() + 1));
    let best = results.best().map(|row| row.who);
    for row in rows {
        let name = match row.who {
            Program::Ours => "**nc (ours)**".to_owned(),
            who if Some(who) == best => format!("{} (best)", who.name()),
            who => who.name().to_owned(),
        };
        let _ = write!(text, "| {name} |");
        if let Some(failure) = &row.failure {
            let failure = failure.to_string().replace('|', "\\|");
            let _ = writeln!(text, " {failure} |{}", " |".repeat(figures.len()));
            continue;
        }
        let _ = write!(text, " {} |", spread(row.values(case.figure)));
        let ratio = (row.who != Program::Ours)
            .then(|| Results::ratio(case.figure, &rows[0], row))
            .flatten();
        let _ =
            write!(text, " {} |", ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}x")));
        for figure in &figures[1..] {
            let value = row.median(figure).map_or_else(String::new, number);
            let _ = write!(text, " {value} |");
        }
        text.push('\n');
    }
    if !case.targets.is_empty() {
        text.push_str("\n| target | measured | |\n|---|---:|---|\n");
        for target in case.targets {
            text.push_str(&verdict(results, target));
        }
    }
    text
}

fn verdict(results: &Results, target: &Target) -> String {
    let ours = &results.rows[0];
    let (bound, sign) = match target.bound {
        Bound::AtLeast(bound) => (bound, "≥"),
        Bound::AtMost(bound) => (bound, "≤"),
    };
    let (wanted, measured) = match target.against {
        // "None" is said of every round.
        Against::Absolute if bound == 0.0 => {
            (number(bound), ours.values(target.figure).into_iter().reduce(f64::max))
        }
        Against::Absolute => (number(bound), ours.median(target.figure)),
        Against::Best => {
            let best = results.best();
            let ratio = best.and_then(|best| Results::ratio(target.figure, ours, best));
            (format!("{bound}x best"), ratio)
        }
        Against::Peer(who) => {
            let peer = results.row(who).filter(|row| row.failure.is_none());
            let ratio = peer.and_then(|peer| Results::ratio(target.figure, ours, peer));
            (format!("{bound}x {}", who.name()), ratio)
        }
    };
    let wanted = format!("{} {sign} {wanted}", target.figure);
    if ours.failure.is_some() {
        return format!("| {wanted} | | missed: no figure |\n");
    }
    let Some(value) = measured else {
        return format!("| {wanted} | | nothing to compare with |\n");
    };
    let (met, gap) = match target.bound {
        Bound::AtLeast(bound) => (value >= bound, bound / value),
        Bound::AtMost(bound) => (value <= bound, value / bound),
    };
    let shown = match target.against {
        Against::Absolute => number(value),
        Against::Best | Against::Peer(_) => format!("{value:.2}x"),
    };
    let judged = match (met, gap.is_finite()) {
        (true, _) => "met".to_owned(),
        (false, true) => format!("**missed** by a factor of {gap:.2}"),
        (false, false) => "**missed**".to_owned(),
    };
    format!("| {wanted} | {shown} | {judged} |\n")
}

/// `median (min..max)`.
fn spread(values: Vec<f64>) -> String {
    let least = values.iter().copied().reduce(f64::min);
    let most = values.iter().copied().reduce(f64::max);
    let several = values.len() > 1;
    match (median(values), least, most) {
        (Some(median), Some(least), Some(most)) if several => {
            format!("{} ({}..{})", number(median), number(least), number(most))
        }
        (Some(median), ..) => number(median),
        _ => String::new(),
    }
}

/// The lower one of two in the middle.
pub(crate) fn median(values: Vec<f64>) -> Option<f64> {
    quantile(values, 0.5)
}

/// The value that this part of all values is not greater than.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an index, between 0 and the last one"
)]
pub(crate) fn quantile(mut values: Vec<f64>, part: f64) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    values.get((last as f64 * part).floor() as usize).copied()
}

/// Three digits that count, and a comma after each thousand.
fn number(value: f64) -> String {
    let size = value.abs();
    if size >= 999.5 {
        let digits = format!("{value:.0}");
        let mut grouped = String::new();
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at) % 3 == 0 && !grouped.ends_with('-') {
                grouped.push(',');
            }
            grouped.push(digit);
        }
        return grouped;
    }
    let decimals = match size {
        _ if size < 0.000_5 => 0,
        _ if size < 0.1 => 4,
        _ if size < 1.0 => 3,
        _ if size < 10.0 => 2,
        _ if size < 100.0 => 1,
        _ => 0,
    };
    let text = format!("{value:.decimals$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}
