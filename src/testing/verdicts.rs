//! A verdict as an assertion, and what it says where it does not hold.

use crate::model::{ScenarioReport, Severity, Verdict};
use std::fmt::Write;

/// Panics unless the verdict is a pass, with everything a person needs: the
/// findings, their evidence, and what to do next.
///
/// An inconclusive verdict panics as well: it is no pass. A test that should
/// go on in doubt looks at [`ScenarioReport::verdict`] itself.
///
/// # Panics
/// Where the verdict is not a pass.
#[track_caller]
pub fn assert_passes(report: &ScenarioReport) {
    assert!(report.verdict == Verdict::Pass, "{}", describe(report));
}

/// The verdict in words: what [`assert_passes`] panics with.
#[must_use]
pub fn describe(report: &ScenarioReport) -> String {
    let mut text = format!("{}: {} ({})", report.scenario.name(), report.verdict.word(), report.summary);
    match &report.verdict {
        // Writing to a string cannot fail.
        Verdict::Inconclusive { needs } => {
            let _ = write!(text, "\n  would be decided by {needs}");
        }
        Verdict::Skipped { reason } if *reason != report.summary => {
            let _ = write!(text, "\n  because {reason}");
        }
        _ => {}
    }
    for finding in report.findings.iter().filter(|finding| finding.severity > Severity::Note) {
        let _ = write!(text, "\n\n  {}: {}", finding.code, finding.message);
        if let Some(location) = &finding.location {
            let _ = write!(text, " ({}:{})", location.path.display(), location.line);
        }
        for line in finding.evidence.iter().flat_map(|text| text.lines()) {
            let _ = write!(text, "\n    {line}");
        }
        if !finding.next_step.is_empty() {
            let _ = write!(text, "\n    next: {}", finding.next_step);
        }
    }
    for warning in &report.warnings {
        let _ = write!(text, "\n  doubt: {}", warning.message());
    }
    text
}
