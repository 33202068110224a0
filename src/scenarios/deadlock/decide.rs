//! From what was explored and measured to findings and a verdict. No I/O.

use super::explore::Explored;
use super::spec::{Expectation, Spec};
use crate::model::evidence::deadlock::{
    ConflictKind, DeadlockCase, DeadlockCost, LockedObject, Outcome, StepFailure, WaitEdge,
};
use crate::model::{
    Finding, Interval, Measurement, MeasurementWarning, Severity, SourceLocation, Unit, Variant, Verdict,
};
use crate::stats::quantile;

/// How far a median detection time may lie from the rule before a warning says so, in microseconds.
const DETECTION_TOLERANCE_US: f64 = 5_000.0;

/// The verdict of one spec.
pub(super) fn verdict(spec: &Spec, explored: &Explored) -> Verdict {
    let deadlocks = explored.count(Outcome::Deadlock);
    if explored.setup_error.is_some() {
        return Verdict::Fail;
    }
    match spec.expectation {
        Expectation::None if deadlocks > 0 => Verdict::Fail,
        Expectation::Deadlock if deadlocks > 0 => Verdict::Pass,
        Expectation::Outcome(_) if deadlocks > 0 => Verdict::Fail,
        Expectation::Outcome(outcome) if explored.count(outcome) > 0 => Verdict::Pass,
        _ if explored.count(Outcome::Hung) > 0 => {
            Verdict::Inconclusive { needs: "a spec whose steps all end, or a longer step-timeout".into() }
        }
        _ if explored.exploration.beyond_bound > 0 => Verdict::Inconclusive {
            needs: format!(
                "exploring the other {} orders (max-interleavings)",
                explored.exploration.beyond_bound
            ),
        },
        Expectation::Deadlock | Expectation::Outcome(_) => Verdict::Fail,
        Expectation::None if explored.exploration.executed == 0 => {
            Verdict::Inconclusive { needs: "an order that can be executed".into() }
        }
        Expectation::None if explored.count(Outcome::OtherError) == explored.exploration.executed => {
            Verdict::Inconclusive { needs: "steps that do not fail by themselves".into() }
        }
        Expectation::None => Verdict::Pass,
    }
}

/// What is wrong with one spec, worst first.
pub(super) fn findings(spec: &Spec, explored: &Explored, case: Option<&DeadlockCase>) -> Vec<Finding> {
    let finding = |code, severity, message, evidence, next_step: &str, line| Finding {
        code,
        severity,
        subject: spec.name.clone(),
        message,
        evidence,
        next_step: next_step.to_owned(),
        location: Some(SourceLocation { path: spec.path.clone(), line }),
    };
    let mut findings = Vec::new();
    if let Some(error) = &explored.setup_error {
        findings.push(finding(
            "spec-setup-failed",
            Severity::Failure,
            format!("the spec cannot be run: {error}"),
            Vec::new(),
            "correct the setup: it runs before every order, so it must undo what the order before it left",
            spec.setups.first().map_or(1, |block| block.line),
        ));
    }
    let deadlocks = explored.count(Outcome::Deadlock);
    if deadlocks > 0 {
        findings.push(deadlock(spec, explored, case));
    } else if spec.expectation == Expectation::Deadlock && is_whole(explored) {
        findings.push(finding(
            "expected-deadlock-missing",
            Severity::Failure,
            format!(
                "the spec says that it deadlocks, and none of {} executed interleavings does",
                explored.exploration.executed
            ),
            Vec::new(),
            "remove `# plimsoll: expect deadlock` so that the spec guards the fix",
            1,
        ));
    }
    if let Expectation::Outcome(expected) = spec.expectation
        && explored.count(expected) == 0
        && is_whole(explored)
    {
        findings.push(finding(
            "expected-outcome-missing",
            Severity::Failure,
            format!(
                "{} is expected, and none of {} executed interleavings comes to it",
                expected.word(),
                explored.exploration.executed
            ),
            Vec::new(),
            "expect what the transactions do now: `# plimsoll: expect none` where nothing should fail",
            1,
        ));
    }
    for (outcome, code, severity, what, next_step) in OTHER_FINDINGS {
        let count = explored.count(outcome);
        if count > 0 {
            let message =
                format!("{count} of {} executed interleavings {what}", explored.exploration.executed);
            findings.push(finding(code, severity, message, example(explored, outcome), next_step, 1));
        }
    }
    findings
}

/// Whether what was not found is not there: no bound was reached, and nothing hung.
fn is_whole(explored: &Explored) -> bool {
    explored.setup_error.is_none()
        && explored.exploration.beyond_bound == 0
        && explored.count(Outcome::Hung) == 0
}

/// What is said about orders that fail otherwise: never a victim of a deadlock.
const OTHER_FINDINGS: [(Outcome, &str, Severity, &str, &str); 6] = [
    (
        Outcome::Hung,
        "step-hung",
        Severity::Warning,
        "hang: a step waits for a session that does nothing more",
        "end every transaction of the spec in a step or a teardown",
    ),
    (
        Outcome::OtherError,
        "step-error",
        Severity::Warning,
        "fail with an error that is no conflict",
        "correct the step, or expect the error in the application",
    ),
    (
        Outcome::SerializationFailure,
        "serialization-failure",
        Severity::Note,
        "fail with 40001",
        "retry the whole transaction on 40001",
    ),
    (
        Outcome::LockTimeout,
        "lock-timeout",
        Severity::Note,
        "give up waiting for a lock (55P03)",
        "retry the whole transaction on 55P03",
    ),
    (
        Outcome::UniqueViolation,
        "unique-violation",
        Severity::Note,
        "fail with a duplicate key (23505)",
        "use INSERT … ON CONFLICT, or expect 23505",
    ),
    (
        Outcome::QueueReordered,
        "queue-reordered",
        Severity::Note,
        "close a cycle that the server resolves after deadlock_timeout by reordering a lock's queue",
        "take the strongest lock first: the wait costs deadlock_timeout each time",
    ),
];

fn example(explored: &Explored, outcome: Outcome) -> Vec<String> {
    let Some(order) = explored.orders.iter().find(|order| order.outcome == outcome) else {
        return Vec::new();
    };
    let mut lines = vec![format!("order: {}", order.steps.join(" "))];
    lines.extend(order.failures.iter().map(describe_failure));
    lines
}

fn describe_failure(failure: &StepFailure) -> String {
    format!("{} of {}: {} (SQLSTATE {})", failure.step, failure.session, failure.message, failure.sqlstate)
}

fn deadlock(spec: &Spec, explored: &Explored, case: Option<&DeadlockCase>) -> Finding {
    let (deadlocks, executed) = (explored.count(Outcome::Deadlock), explored.exploration.executed);
    let severity = if spec.expectation == Expectation::Deadlock { Severity::Note } else { Severity::Failure };
    let Some(case) = case else {
        return Finding {
            code: "deadlock",
            severity,
            subject: spec.name.clone(),
            message: format!("{deadlocks} of {executed} executed interleavings deadlock"),
            evidence: example(explored, Outcome::Deadlock),
            next_step: super::kind::advice(ConflictKind::Mixed, &[]),
            location: Some(SourceLocation { path: spec.path.clone(), line: 1 }),
        };
    };
    let mut evidence = vec![format!("replay: {}", case.replay)];
    evidence.extend(case.wait_graph.iter().map(describe_wait));
    evidence.push(format!(
        "victim: {} in step {}; {}",
        case.victim_session,
        case.victim_step,
        case.survivors
            .iter()
            .map(|(session, step)| format!("survivor: {session} in step {step}"))
            .collect::<Vec<_>>()
            .join(", ")
    ));
    Finding {
        code: "deadlock",
        severity,
        subject: spec.name.clone(),
        message: format!(
            "{deadlocks} of {executed} executed interleavings deadlock ({}): {}",
            case.kind.word(),
            members(case)
        ),
        evidence,
        next_step: case.advice.clone(),
        location: Some(SourceLocation { path: spec.path.clone(), line: line_of(spec, &case.victim_step) }),
    }
}

fn members(case: &DeadlockCase) -> String {
    let mut names = vec![format!("{} in {}", case.victim_session, case.victim_step)];
    names.extend(case.survivors.iter().map(|(session, step)| format!("{session} in {step}")));
    names.join(" and ")
}

fn line_of(spec: &Spec, step: &str) -> usize {
    let steps = spec.sessions.iter().flat_map(|session| &session.steps);
    steps.filter(|known| known.name == step).map(|known| known.line).next().unwrap_or(1)
}

/// One wait as a sentence.
pub(super) fn describe_wait(edge: &WaitEdge) -> String {
    let how = if edge.is_soft { "queued behind" } else { "held by" };
    let held = edge.held_mode.as_deref().map(|mode| format!(" in {mode}")).unwrap_or_default();
    let mode = match edge.object {
        LockedObject::Transaction => String::new(),
        _ => format!(" {}", edge.wanted_mode),
    };
    format!(
        "{} ({}) waits for{mode} on {}, {how} {}{held}: {}",
        edge.waiter_session,
        edge.waiter_step,
        edge.object.describe(),
        edge.holder_session,
        one_line(&edge.waiter_statement)
    )
}

fn one_line(statement: &str) -> String {
    statement.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The numbers of one spec.
pub(super) fn measurements(
    spec: &Spec,
    explored: &Explored,
    cost: Option<&DeadlockCost>,
) -> Vec<Measurement> {
    let number = |metric, unit, value, samples, interval| Measurement {
        subject: spec.name.clone(),
        metric,
        unit,
        value,
        samples,
        interval,
        volume: None,
        variant: Variant::Only,
    };
    #[expect(clippy::cast_precision_loss, reason = "orders executed are far fewer than 2^53")]
    let count = |metric, value: u64| number(metric, Unit::Count, value as f64, 1, None);
    let mut numbers = vec![
        count("orders_executed", explored.exploration.executed),
        count("orders_deadlocking", explored.count(Outcome::Deadlock)),
    ];
    let Some(cost) = cost.filter(|cost| !cost.trials.is_empty()) else { return numbers };
    let mut time = |metric, of: &dyn Fn(&crate::model::evidence::deadlock::DeadlockTrial) -> f64| {
        let mut values: Vec<f64> = cost.trials.iter().map(of).collect();
        quantile::sort(&mut values);
        let median = quantile::median(&values).unwrap_or_default();
        // Smallest and largest hold the median with 1 - 2^(1-n) (order statistics).
        let confidence = 1.0 - 0.5_f64.powi(i32::try_from(values.len()).unwrap_or(i32::MAX) - 1);
        let interval = Interval { low: values[0], high: values[values.len() - 1], confidence };
        numbers.push(number(metric, Unit::Microseconds, median, values.len() as u64, Some(interval)));
    };
    time("detection_time", &|trial| trial.detection_us);
    time("detection_time_by_rule", &|trial| trial.predicted_us);
    time("victim_lost_work", &|trial| trial.lost_work_us);
    time("survivor_delay", &|trial| trial.survivor_delay_us);
    time("victim_retry", &|trial| trial.retry_us);
    if let Some(bystander) = &cost.bystander {
        for (metric, phase) in [
            ("bystander_p99_before", bystander.before),
            ("bystander_p99_during", bystander.during),
            ("bystander_p99_after", bystander.after),
        ] {
            numbers.push(number(metric, Unit::Microseconds, phase.p99_us, phase.samples, None));
        }
    }
    numbers
}

/// Doubt about one spec.
pub(super) fn warnings(
    spec: &Spec,
    explored: &Explored,
    cost: Option<&DeadlockCost>,
) -> Vec<MeasurementWarning> {
    let mut warnings = Vec::new();
    if explored.exploration.beyond_bound > 0 {
        warnings.push(MeasurementWarning::BoundReached {
            bound: format!("max-interleavings for {}", spec.name),
            left_out: format!(
                "{} of {} orders",
                explored.exploration.beyond_bound, explored.exploration.total
            ),
        });
    }
    if !spec.unused_steps.is_empty() {
        warnings.push(MeasurementWarning::Other {
            code: "unused-step",
            message: format!("{}: no permutation uses {}", spec.name, spec.unused_steps.join(", ")),
        });
    }
    let overheads =
        cost.iter().flat_map(|cost| &cost.trials).map(|trial| trial.detection_us - trial.predicted_us);
    let overheads: Vec<f64> = overheads.collect();
    if let Some(overhead) = quantile::median(&overheads)
        && overhead.abs() > DETECTION_TOLERANCE_US
    {
        warnings.push(MeasurementWarning::Other {
            code: "detection-off-rule",
            message: format!(
                "{}: the deadlock was reported {:.1} ms after what deadlock_timeout and the waits' starts give: the \
                 machine is busy, or a session's deadlock_timeout differs",
                spec.name,
                overhead / 1e3
            ),
        });
    }
    warnings
}
