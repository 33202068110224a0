//! Detection against labels.

use super::{Label, Labelled};
use plimsoll::model::evidence::n_plus_one::RepeatKind;
use plimsoll::scenarios::n_plus_one::{DetectOptions, Detection, detect};

/// Counts over a set.
#[derive(Debug, Default)]
pub struct Score {
    pub scenarios: usize,
    pub labelled_loops: usize,
    pub found: usize,
    pub exact_n: usize,
    pub right_parent: usize,
    pub false_loops: usize,
    pub false_repeats: usize,
    pub repeats_labelled: usize,
    pub repeats_found: usize,
    pub wrong: Vec<String>,
}

impl Score {
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
        score_one(scenario, &detection, &mut score);
    }
    score
}

fn score_one(scenario: &Labelled, detection: &Detection, score: &mut Score) {
    let mut left: Vec<_> = detection.loops.iter().collect();
    let mut wrong = |what: String| score.wrong.push(format!("{}: {what}", scenario.name));
    if let Label::Loops(labels) = &scenario.label {
        for (parent, child, n) in labels {
            score.labelled_loops += 1;
            let fits =
                |group: &plimsoll::model::evidence::n_plus_one::LoopGroup| group.child.text.contains(child);
            let comes_from =
                |group: &plimsoll::model::evidence::n_plus_one::LoopGroup| group.parent.text.contains(parent);
            let exact =
                left.iter().position(|group| fits(group) && comes_from(group) && group.executions == *n);
            let close = || left.iter().position(|group| fits(group) && group.executions == *n);
            let same_parent = || left.iter().position(|group| fits(group) && comes_from(group));
            let Some(at) = exact
                .or_else(same_parent)
                .or_else(close)
                .or_else(|| left.iter().position(|group| fits(group)))
            else {
                wrong(format!("missed {n} x {child}"));
                continue;
            };
            let group = left.remove(at);
            score.found += 1;
            if group.executions == *n {
                score.exact_n += 1;
            } else {
                wrong(format!("N is {} instead of {n}: {child}", group.executions));
            }
            if comes_from(group) {
                score.right_parent += 1;
            } else {
                wrong(format!("parent is {} instead of {parent}", group.parent.text));
            }
        }
    }
    for group in left {
        score.false_loops += 1;
        wrong(format!("false loop {} x {} from {}", group.executions, group.child.text, group.parent.text));
    }
    // Beside a labelled loop the same settings may well be read again and again.
    let is_quiet = |kind: RepeatKind| match scenario.label {
        Label::Loops(_) => kind != RepeatKind::WithoutVisibleParent,
        _ => kind == RepeatKind::RowByRowWrites,
    };
    let mut repeats: Vec<_> = detection.repeats.iter().filter(|group| !is_quiet(group.kind)).collect();
    if let Label::Repeat(code, n) = &scenario.label {
        let is_asked = |kind: RepeatKind| kind != RepeatKind::RowByRowWrites || kind.code() == *code;
        repeats = detection.repeats.iter().filter(|group| is_asked(group.kind)).collect();
        score.repeats_labelled += 1;
        match repeats.iter().position(|group| group.kind.code() == *code && group.executions == *n) {
            Some(at) => {
                repeats.remove(at);
                score.repeats_found += 1;
            }
            None => wrong(format!("missed {n} x {code}")),
        }
    }
    for group in repeats {
        score.false_repeats += 1;
        wrong(format!("false {} {} x {}", group.kind.code(), group.executions, group.shape.text));
    }
}
