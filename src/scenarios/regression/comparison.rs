//! Every case on both sides: plans and counters, rows, times, verdict. Knows
//! clones and cases, not projects.

use super::capture::{self, Capture, Pair};
use super::cases::Case;
use super::measure::{self, Measured, Method};
use super::rules;
use super::sides::Sides;
use super::verdict::{self, Thresholds};
use super::{findings, results};
use crate::load::Client;
use crate::model::evidence::regression::{Change, QueryComparison, RegressionEvidence, ResultComparison};
use crate::model::{Finding, MeasurementWarning, Progress, SourceLocation};
use crate::plan::Relations;
use crate::postgres::Target;
use crate::stats::ratio::Pair as TimePair;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// What a comparison works with.
#[derive(Clone, Copy)]
pub struct Bench<'a> {
    /// The server.
    pub target: &'a Target,
    /// The clones.
    pub sides: &'a Sides,
    /// Limits of a verdict.
    pub limits: Thresholds,
    /// How times are taken; `None`: plans and counters only.
    pub method: Option<&'a Method>,
    /// Which tables and indexes the names in plan checks mean.
    pub relations: &'a Relations,
    /// Replays everything random.
    pub seed: u64,
    /// Tells a person that work goes on.
    pub progress: &'a dyn Progress,
}

/// What has been found so far.
#[derive(Debug, Default)]
pub struct Found {
    /// Everything for the report.
    pub evidence: RegressionEvidence,
    /// Defects, in the order they were found.
    pub findings: Vec<Finding>,
    /// Doubt.
    pub warnings: Vec<MeasurementWarning>,
    /// Pairs of identical sides by connection pair: the noise floor.
    pub identical: Vec<Vec<TimePair>>,
}

/// Sessions with both sides, for plans.
///
/// # Errors
/// The server cannot be reached.
pub async fn sessions(bench: &Bench<'_>) -> anyhow::Result<Pair> {
    Ok(Pair {
        before: bench.target.connect_to(&bench.sides.before).await?,
        after: bench.target.connect_to(&bench.sides.after).await?,
    })
}

/// Compares one case and adds what came of it.
///
/// # Errors
/// A connection broke. What the server refuses becomes a finding.
pub async fn compare_case(
    bench: &Bench<'_>,
    pair: &Pair,
    case: &Case,
    location: Option<SourceLocation>,
    found: &mut Found,
) -> anyhow::Result<()> {
    if let Some(statement) = case.unexplainable() {
        found.warnings.push(MeasurementWarning::Other {
            code: "not-compared",
            message: format!(
                "{} was left out: EXPLAIN does not take `{}`",
                case.query,
                shortened(&statement.sql)
            ),
        });
        return Ok(());
    }
    let limits = bench.limits.with(&case.thresholds);
    let mut capture = capture::capture(pair, case, limits.counter_ratio).await?;
    found.evidence.plans.append(&mut capture.plans);
    if let Some(failure) = &capture.failure {
        found.findings.push(findings::of_failure(&case.query, failure, location));
        return Ok(());
    }
    found.findings.extend(rules::findings(
        &case.query,
        &case.plan_budgets,
        &capture.parsed,
        bench.relations,
        location.as_ref(),
    ));
    add_results(bench, case, &mut capture).await?;
    let mut comparison = QueryComparison {
        query: case.query.clone(),
        change: Change::Unchanged,
        because: String::new(),
        parameter_sets: capture.parameter_sets,
        time: None,
        attribution: None,
        plan_choices: vec![],
        is_unstable: false,
        limits: Some(limits.ratios()),
    };
    add_times(bench, case, &limits, &mut comparison, found).await?;
    (comparison.change, comparison.because) =
        verdict::query_change(&comparison.parameter_sets, comparison.time.as_ref());
    found.findings.extend(findings::of_comparison(&comparison, location, &limits));
    found.evidence.queries.push(comparison);
    Ok(())
}

async fn add_times(
    bench: &Bench<'_>,
    case: &Case,
    limits: &Thresholds,
    comparison: &mut QueryComparison,
    found: &mut Found,
) -> anyhow::Result<()> {
    let Some(method) = bench.method else { return Ok(()) };
    let decided = verdict::counters_change(&comparison.parameter_sets) != Change::Unchanged;
    let seed = xxh3_64_with_seed(case.query.as_bytes(), bench.seed);
    let measured = measure::measure(bench.target, bench.sides, case, method, limits, decided, seed);
    match Box::pin(measured).await? {
        Some(Measured { time, identical }) => {
            comparison.time = Some(time);
            found.identical.extend(identical);
        }
        None => found.warnings.push(MeasurementWarning::Other {
            code: "no-times",
            message: format!(
                "{} was too slow for six connection pairs within its time cap, so only its counters were \
                 compared: raise [regression] max-time",
                case.query
            ),
        }),
    }
    Ok(())
}

/// Compares the rows of every parameter set.
async fn add_results(bench: &Bench<'_>, case: &Case, capture: &mut Capture) -> anyhow::Result<()> {
    if case.statements.len() != 1 {
        return Ok(());
    }
    let address = |name: &str| measure::address(bench.target, name);
    let Some((before, after)) = address(&bench.sides.before).zip(address(&bench.sides.after)) else {
        return Ok(());
    };
    let case = case.clone();
    let compared =
        tokio::task::spawn_blocking(move || -> Result<Vec<Option<ResultComparison>>, crate::load::Error> {
            let (mut before, mut after) = (Client::connect(&before)?, Client::connect(&after)?);
            let each = |set| results::compare_results(&mut before, &mut after, &case, set);
            case.parameter_sets.iter().map(each).collect()
        });
    for (set, result) in capture.parameter_sets.iter_mut().zip(compared.await??) {
        set.result = result;
    }
    Ok(())
}

/// A statement on one line, cut to what a message can hold.
#[must_use]
pub fn shortened(sql: &str) -> String {
    let flat = sql.split_whitespace().collect::<Vec<_>>().join(" ");
    match flat.char_indices().nth(80) {
        Some((cut, _)) => format!("{}…", &flat[..cut]),
        None => flat,
    }
}
