//! Two kept runs beside each other: verdicts, findings gone and new,
//! measurements with their intervals. Pure; says what makes the two runs
//! incomparable, and judges no more than that leaves.

mod asked;
mod fairness;
mod json;
mod measurements;
pub(in crate::report) mod text;

pub use fairness::Fairness;
pub use json::write as write_json;
pub use measurements::{Judgement, MeasurementPair};
pub use text::{write_markdown, write_terminal};

use crate::model::{Finding, RunReport, Scenario, ScenarioReport, Severity, Verdict};

/// Two runs, compared.
#[derive(Debug, Clone)]
pub struct Comparison<'a> {
    /// The run compared with.
    pub before: &'a RunReport,
    /// The run in question.
    pub after: &'a RunReport,
    /// What the runs differ in besides their results.
    pub fairness: Fairness,
    /// One entry per scenario that either run has.
    pub verdicts: Vec<VerdictPair<'a>>,
    /// Findings of the run compared with that the other does not have.
    pub gone: Vec<(Scenario, &'a Finding)>,
    /// Findings that only the run in question has.
    pub new: Vec<(Scenario, &'a Finding)>,
    /// How many findings both have.
    pub kept: usize,
    /// How many findings one run has about what the other was not asked about, or did not reach.
    pub not_asked: usize,
    /// Every measurement of either run; those that differ most come first.
    pub measurements: Vec<MeasurementPair<'a>>,
    /// Since when: the changes of level that the kept runs between the two show, in sentences, the latest first.
    pub since: Vec<String>,
}

/// One scenario's verdicts; `None` where a run did not ask.
#[derive(Debug, Clone, Copy)]
pub struct VerdictPair<'a> {
    /// Which.
    pub scenario: Scenario,
    /// Then.
    pub before: Option<&'a ScenarioReport>,
    /// Now.
    pub after: Option<&'a ScenarioReport>,
}

impl VerdictPair<'_> {
    /// What became of the verdict, one word or two.
    #[must_use]
    pub fn change(&self) -> &'static str {
        match (self.before.map(|s| &s.verdict), self.after.map(|s| &s.verdict)) {
            (Some(Verdict::Fail), Some(Verdict::Fail)) => "still fails",
            (_, Some(Verdict::Fail)) => "fails now",
            (Some(Verdict::Fail), Some(Verdict::Pass)) => "repaired",
            (Some(before), Some(after)) if before.word() == after.word() => "the same",
            (Some(_), Some(_)) => "changed",
            (None, Some(_)) => "new",
            (_, None) => "not asked now",
        }
    }
}

impl<'a> Comparison<'a> {
    /// Compares `after` with `before`.
    #[must_use]
    pub fn of(before: &'a RunReport, after: &'a RunReport) -> Self {
        let find = |run: &'a RunReport, scenario| run.scenarios.iter().find(|s| s.scenario == scenario);
        let verdicts: Vec<_> = Scenario::REPORTED
            .into_iter()
            .map(|scenario| VerdictPair {
                scenario,
                before: find(before, scenario),
                after: find(after, scenario),
            })
            .filter(|pair| pair.before.is_some() || pair.after.is_some())
            .collect();
        let fairness = Fairness::of(before, after);
        // A scenario that one run did not ask about has lost and gained nothing.
        let both = verdicts.iter().filter_map(|pair| Some((pair.scenario, pair.before?, pair.after?)));
        let (mut gone, mut new, mut kept) = (Vec::new(), Vec::new(), 0);
        let mut not_asked = 0;
        for (scenario, then, now) in both {
            let is_asked = |run, other, finding: &Finding| {
                asked::not_asked(run, other, scenario, &finding.subject, None).is_none()
            };
            let only_then = missing(&then.findings, &now.findings);
            let weighty = then.findings.iter().filter(|finding| finding.severity > Severity::Note);
            kept += weighty.count() - only_then.len();
            let (lost, beyond): (Vec<_>, Vec<_>) =
                only_then.into_iter().partition(|finding| is_asked(after, before, finding));
            let (found, unknown): (Vec<_>, Vec<_>) = missing(&now.findings, &then.findings)
                .into_iter()
                .partition(|finding| is_asked(before, after, finding));
            gone.extend(lost.into_iter().map(|finding| (scenario, finding)));
            new.extend(found.into_iter().map(|finding| (scenario, finding)));
            not_asked += beyond.len() + unknown.len();
        }
        let measurements = measurements::pairs((before, after), &verdicts, &fairness);
        let since = Vec::new();
        Self { before, after, fairness, verdicts, gone, new, kept, not_asked, measurements, since }
    }

    /// The measurements that became lower or higher.
    pub fn changed(&self) -> impl Iterator<Item = &MeasurementPair<'a>> {
        self.measurements.iter().filter(|pair| pair.judgement.is_change())
    }

    /// One sentence: what the comparison comes to.
    #[must_use]
    pub fn headline(&self) -> String {
        let turned: Vec<String> = self
            .verdicts
            .iter()
            .filter(|pair| !matches!(pair.change(), "the same" | "still fails" | "not asked now" | "new"))
            .map(|pair| format!("{} {}", pair.scenario.name(), pair.change()))
            .collect();
        let verdicts = if turned.is_empty() { "no verdict changed".into() } else { turned.join(", ") };
        let not_asked = match self.not_asked {
            0 => String::new(),
            count => format!(", {count} about what one run was not asked"),
        };
        format!(
            "{verdicts}; {} findings new, {} gone, {} in both{not_asked}; {} of {} measurements changed",
            self.new.len(),
            self.gone.len(),
            self.kept,
            self.changed().count(),
            self.measurements.iter().filter(|pair| pair.before.is_some() && pair.after.is_some()).count()
        )
    }
}

/// The findings of `these`, notes apart, that `others` does not have, each counted once: two
/// of the same kind against one leave one.
fn missing<'a>(these: &'a [Finding], others: &[Finding]) -> Vec<&'a Finding> {
    let mut left: Vec<_> = others.iter().map(identity).collect();
    these
        .iter()
        .filter(|finding| finding.severity > Severity::Note)
        .filter(|finding| match left.iter().position(|other| *other == identity(finding)) {
            Some(index) => {
                left.swap_remove(index);
                false
            }
            None => true,
        })
        .collect()
}

/// What makes two findings the same defect: not their figures.
fn identity(finding: &Finding) -> (&str, &str, Severity) {
    (finding.code, &finding.subject, finding.severity)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(code: &'static str, subject: &str) -> Finding {
        Finding {
            code,
            severity: Severity::Failure,
            subject: subject.into(),
            message: String::new(),
            evidence: Vec::new(),
            next_step: String::new(),
            location: None,
        }
    }

    #[test]
    fn findings_are_told_apart_by_code_and_subject_and_counted() {
        let then = [finding("a", "q"), finding("a", "q"), finding("b", "q")];
        let now = [finding("a", "q"), finding("a", "r")];
        let codes = |found: Vec<&Finding>| {
            found.iter().map(|f| format!("{} {}", f.code, f.subject)).collect::<Vec<_>>()
        };
        assert_eq!(codes(missing(&then, &now)), ["a q", "b q"]);
        assert_eq!(codes(missing(&now, &then)), ["a r"]);
    }
}
