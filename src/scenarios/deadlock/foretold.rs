//! From executed predictions to findings and doubt. No I/O.

use crate::model::evidence::deadlock::{Confirmation, DeadlockEvidence, Prediction, TraceEvidence};
use crate::model::{Finding, MeasurementWarning, Severity, Verdict};

/// Confirmed predictions that the exploration of no single spec has found, and what of the traces
/// could not be looked at.
pub(super) fn findings(evidence: &DeadlockEvidence) -> Vec<Finding> {
    let deadlocks = |transaction: &String| {
        evidence.specs.iter().any(|spec| {
            spec.deadlock.is_some()
                && transaction.strip_prefix(&spec.name).is_some_and(|rest| rest.starts_with('/'))
        })
    };
    let news =
        evidence.predictions.iter().filter(|prediction| !prediction.transactions.iter().any(deadlocks));
    let confirmed = news.filter_map(|prediction| match &prediction.confirmation {
        Confirmation::Confirmed { replay } => Some(confirmed(prediction, replay)),
        _ => None,
    });
    confirmed.chain(evidence.traces.iter().filter_map(not_executable)).collect()
}

fn confirmed(prediction: &Prediction, replay: &str) -> Finding {
    let names = prediction.transactions.join(" and ");
    let mut evidence = prediction.cycle.clone();
    evidence.extend(prediction.rows.iter().map(|row| format!("chosen: {row}")));
    evidence.extend(replay.lines().map(|line| format!("replay: {line}")));
    let (severity, doubt) = match prediction.is_order_in_doubt {
        true => (
            Severity::Warning,
            "; every recorded run took these rows in one order, so it cannot happen if the application sorts them",
        ),
        false => (Severity::Failure, ""),
    };
    Finding {
        code: "predicted-deadlock",
        severity,
        subject: names.clone(),
        message: format!(
            "{names} deadlock when they run at the same time: predicted from their locks, confirmed on a clone{doubt}"
        ),
        evidence,
        next_step: "let both take their locks in one order; replays/*.spec in the run's folder repeat it"
            .into(),
        location: None,
    }
}

fn not_executable(trace: &TraceEvidence) -> Option<Finding> {
    let first = trace.not_executable.first()?;
    let rest = trace.not_executable.len() - 1;
    let more = if rest > 0 { format!(" (and {rest} more)") } else { String::new() };
    Some(Finding {
        code: "trace-not-executable",
        severity: Severity::Warning,
        subject: trace.path.display().to_string(),
        message: format!(
            "{} of {} kinds of transactions could not be executed again: {}{more}",
            trace.not_executable.len(),
            trace.kinds,
            first.1
        ),
        evidence: trace.not_executable.iter().map(|(name, reason)| format!("{name}: {reason}")).collect(),
        next_step: "record with --keep-values, on a database with the data that deadlock clones".into(),
        location: None,
    })
}

/// What the predictions leave open; none where they were not asked for traces.
pub(super) fn verdict(evidence: &DeadlockEvidence) -> Option<Verdict> {
    if evidence.traces.is_empty() {
        return None;
    }
    let doubt = |needs: String| Some(Verdict::Inconclusive { needs });
    if evidence.predictions.iter().any(|prediction| prediction.is_order_in_doubt && prediction.is_confirmed())
    {
        return doubt(
            "recorded runs whose keys come in other orders, or knowing that the application sorts them"
                .into(),
        );
    }
    if evidence.traces.iter().all(|trace| trace.locking == 0) {
        return doubt("a trace with transactions of two or more statements that lock something".into());
    }
    if evidence.traces.iter().any(|trace| !trace.not_executable.is_empty()) {
        return doubt("executing every kind of transaction of the trace again".into());
    }
    if evidence.traces.iter().any(|trace| trace.left_out > 0) {
        return doubt("fewer kinds of transactions in one trace".into());
    }
    if evidence.traces.iter().any(|trace| trace.is_incomplete) {
        return doubt("a trace that holds every statement".into());
    }
    let open =
        |prediction: &&Prediction| matches!(prediction.confirmation, Confirmation::NotExecutable { .. });
    match evidence.predictions.iter().find(open) {
        Some(prediction) => {
            doubt(format!("executing the predicted cycle of {}", prediction.transactions.join(" and ")))
        }
        None => Some(Verdict::Pass),
    }
}

/// Bounds that traces reached.
pub(super) fn warnings(evidence: &DeadlockEvidence) -> Vec<MeasurementWarning> {
    let cut = evidence.traces.iter().filter(|trace| trace.left_out > 0);
    cut.map(|trace| MeasurementWarning::BoundReached {
        bound: format!("kinds of transactions of {}", trace.path.display()),
        left_out: format!("{} kinds", trace.left_out),
    })
    .collect()
}

/// What came of the traces, in one sentence.
pub(super) fn summary(evidence: &DeadlockEvidence) -> String {
    let examined: usize = evidence.traces.iter().map(|trace| trace.examined.len()).sum();
    let kinds: u64 = evidence.traces.iter().map(|trace| trace.kinds).sum();
    let recorded: u64 = evidence.traces.iter().map(|trace| trace.transactions).sum();
    let confirmed = evidence.predictions.iter().filter(|prediction| prediction.is_confirmed()).count();
    format!(
        "{confirmed} of {} predicted cycles confirmed; {examined} of {kinds} kinds of locking transactions examined, out \
         of {recorded} recorded",
        evidence.predictions.len()
    )
}
