//! Detection against labels.

use super::{Label, Labelled, Loop};
use plimsoll::model::evidence::n_plus_one::{Certainty, LoopGroup, RepeatGroup, RepeatKind, ShapeReference};
use plimsoll::scenarios::n_plus_one::{DetectOptions, detect};

/// Counts over a set.
#[derive(Debug, Default)]
pub struct Score {
    pub scenarios: usize,
    pub labelled_loops: usize,
    pub found: usize,
    pub exact_n: usize,
    /// Loops found whose N the report gives as uncertain.
    pub uncertain: usize,
    /// Loops found whose N is off by more than the report says it may be.
    pub unstated: usize,
    pub right_parent: usize,
    pub false_loops: usize,
    pub false_repeats: usize,
    pub repeats_labelled: usize,
    pub repeats_found: usize,
    pub wrong: Vec<String>,
}

impl Score {
    /// Counts another part in.
    pub fn add(&mut self, other: &Self) {
        self.scenarios += other.scenarios;
        self.labelled_loops += other.labelled_loops;
        self.found += other.found;
        self.exact_n += other.exact_n;
        self.uncertain += other.uncertain;
        self.unstated += other.unstated;
        self.right_parent += other.right_parent;
        self.false_loops += other.false_loops;
        self.false_repeats += other.false_repeats;
        self.repeats_labelled += other.repeats_labelled;
        self.repeats_found += other.repeats_found;
        self.wrong.extend(other.wrong.iter().cloned());
    }

    /// The rates as cells of a Markdown table, the first one open.
    pub fn cells(&self) -> String {
        let rate = |part: usize, whole: usize| match whole {
            0 => "-".to_owned(),
            _ => format!("{:.3}", part as f64 / whole as f64),
        };
        let cells = [
            self.scenarios.to_string(),
            self.labelled_loops.to_string(),
            rate(self.found, self.labelled_loops),
            rate(self.found, self.found + self.false_loops),
            rate(self.exact_n, self.found),
            rate(self.right_parent, self.found),
            format!("{}/{}", self.repeats_found, self.repeats_labelled),
            self.false_repeats.to_string(),
        ];
        cells.iter().map(|cell| format!("| {cell} ")).collect::<String>() + "|"
    }

    pub fn rows(&self) -> Vec<(&'static str, String)> {
        let rate = |part: usize, whole: usize| {
            if whole == 0 {
                "-".into()
            } else {
                format!("{:.3} ({part}/{whole})", part as f64 / whole as f64)
            }
        };
        vec![
            ("scenarios", self.scenarios.to_string()),
            ("recall of loops", rate(self.found, self.labelled_loops)),
            ("precision of loops", rate(self.found, self.found + self.false_loops)),
            ("exact N among hits", rate(self.exact_n, self.found)),
            ("N stated as uncertain", rate(self.uncertain, self.found)),
            ("N off by more than stated", self.unstated.to_string()),
            ("right parent among hits", rate(self.right_parent, self.found)),
            ("other repetitions found", rate(self.repeats_found, self.repeats_labelled)),
            ("false other repetitions", self.false_repeats.to_string()),
        ]
    }
}

/// Runs the detector over a set.
pub fn score(set: &[Labelled]) -> Score {
    let mut score = Score { scenarios: set.len(), ..Score::default() };
    for scenario in set {
        let detection = detect(&scenario.trace, &DetectOptions::default());
        score_found(scenario.name, &scenario.label, &detection.loops, &detection.repeats, &mut score);
    }
    score
}

/// Holds what was found in one scenario against its label.
pub fn score_found(
    name: &str,
    label: &Label,
    loops: &[LoopGroup],
    repeats: &[RepeatGroup],
    score: &mut Score,
) {
    let mut left: Vec<_> = loops.iter().collect();
    let mut wrong = |what: String| score.wrong.push(format!("{name}: {what}"));
    if let Label::Loops(labels) = label {
        score.labelled_loops += labels.len();
        for ((parent, child, n), found) in labels.iter().zip(matched(labels, &mut left)) {
            let Some(group) = found else {
                wrong(format!("missed {n} x {child}"));
                continue;
            };
            score.found += 1;
            score.uncertain += usize::from(group.uncertain > 0);
            score.unstated += usize::from(group.executions.abs_diff(*n) > group.uncertain);
            if group.executions == *n {
                score.exact_n += 1;
            } else {
                let stated = if group.uncertain > 0 {
                    format!(", {} uncertain", group.uncertain)
                } else {
                    String::new()
                };
                wrong(format!("N is {} instead of {n}{stated}: {child}", group.executions));
            }
            if contains(&group.parent, parent) {
                score.right_parent += 1;
            } else {
                wrong(format!("parent is {} instead of {parent}", group.parent.text));
            }
        }
    }
    let is_allowed =
        |group: &&LoopGroup| matches!(label, Label::Doubtful) && group.certainty == Certainty::Possible;
    left.retain(|group| !is_allowed(group));
    for group in left {
        score.false_loops += 1;
        wrong(format!("false loop {} x {} from {}", group.executions, group.child.text, group.parent.text));
    }
    // Beside a labelled loop the same settings may well be read again and again.
    let is_quiet = |kind: RepeatKind| match label {
        Label::Loops(_) => kind != RepeatKind::WithoutVisibleParent,
        Label::Doubtful => true,
        _ => kind == RepeatKind::RowByRowWrites,
    };
    let mut others: Vec<_> = repeats.iter().filter(|group| !is_quiet(group.kind)).collect();
    if let Label::Repeat(code, n) = label {
        let is_asked = |kind: RepeatKind| kind != RepeatKind::RowByRowWrites || kind.code() == *code;
        others = repeats.iter().filter(|group| is_asked(group.kind)).collect();
        score.repeats_labelled += 1;
        match others.iter().position(|group| group.kind.code() == *code && group.executions == *n) {
            Some(at) => {
                others.remove(at);
                score.repeats_found += 1;
            }
            None => wrong(format!("missed {n} x {code}")),
        }
    }
    for group in others {
        score.false_repeats += 1;
        wrong(format!("false {} {} x {}", group.kind.code(), group.executions, group.shape.text));
    }
}

/// One for all executions of a parent, as a finding is.
pub fn merged(loops: Vec<LoopGroup>) -> Vec<LoopGroup> {
    let mut merged: Vec<LoopGroup> = Vec::new();
    for group in loops {
        match merged.iter_mut().find(|known| known.fingerprint == group.fingerprint) {
            Some(known) => {
                known.executions += group.executions;
                known.uncertain += group.uncertain;
            }
            None => merged.push(group),
        }
    }
    merged
}

/// The group found for each label. Groups that fit in all are given away first,
/// so that one that is off does not take the place of one that is right.
fn matched<'d>(labels: &[Loop], left: &mut Vec<&'d LoopGroup>) -> Vec<Option<&'d LoopGroup>> {
    let mut found: Vec<Option<&LoopGroup>> = vec![None; labels.len()];
    for (needs_parent, needs_n) in [(true, true), (true, false), (false, true), (false, false)] {
        for ((parent, child, n), place) in labels.iter().zip(&mut found).filter(|(_, place)| place.is_none())
        {
            let fits = |group: &&LoopGroup| {
                contains(&group.child, child)
                    && (!needs_parent || contains(&group.parent, parent))
                    && (!needs_n || group.executions == *n)
            };
            *place = left.iter().position(fits).map(|at| left.remove(at));
        }
    }
    found
}

/// A piece of a statement's text, quotes and case of names aside.
fn contains(shape: &ShapeReference, piece: &str) -> bool {
    let plain = |text: &str| text.replace('"', "").to_lowercase();
    plain(&shape.text).contains(&plain(piece))
}
