//! What a person is told of a statement that no file declares: its text, and
//! why it was not measured where it was not.

use super::infer::cut;
use crate::model::evidence::slow_queries::QueryEvidence;
use crate::model::{Finding, Severity, Verdict};

/// A note for a statement that no file declares.
pub(in super::super) fn note(query: &QueryEvidence) -> Option<Finding> {
    let origin = query.origin.as_ref()?;
    let was_measured = query.latency.is_some();
    let calls = format!(
        "asked {} times, {:.3} ms on average ({})",
        origin.calls,
        origin.mean_us / 1e3,
        origin.source
    );
    let (code, message, next_step) = match &query.verdict {
        Verdict::Skipped { reason } if !was_measured => (
            "statement-skipped",
            format!("{} was not measured: {reason}", query.query),
            "write it as a file in queries/ with a `-- param:` for each of its values".to_owned(),
        ),
        Verdict::Skipped { .. } => (
            "statement-measured",
            format!("{} was measured but has no budget", query.query),
            "give the project a default one: `p95 = \"50ms\"` under [budgets] in plimsoll.toml".to_owned(),
        ),
        _ => ("statement-measured", format!("{} stands for a statement", query.query), String::new()),
    };
    Some(Finding {
        code,
        severity: Severity::Note,
        subject: query.query.clone(),
        message,
        evidence: vec![cut(&one_line(&origin.statement)), calls],
        next_step,
        location: None,
    })
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
