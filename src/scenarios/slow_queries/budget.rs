//! One budget against what was observed: a pure function to a verdict with its
//! value, interval and grounds.

use super::machine::reference_delay_us;
use super::plan_rules::decide_plan;
use super::record::{Failure, Latencies, QueryRecord, ServerTime};
use super::summary::model_interval;
use crate::model::evidence::slow_queries::BudgetEvidence;
use crate::model::{Unit, Verdict, confidence_percent};
use crate::project::budget::{Budget, BudgetRule, CounterMetric, TimeLimit, TimeMetric};
use crate::stats::clustered::{clustered_mean, clustered_quantile, clustered_quantile_ratio};
use crate::stats::quantile::{quantile_interval, samples_needed, sort};
use crate::stats::{Estimate, Interval};

/// A maximum is broken when more executions than this share exceed it: a single
/// one can always be the machine's.
const MAX_QUANTILE: f64 = 0.999;

/// Whether a budget can be decided without a clock.
pub(crate) fn is_timed(budget: &Budget) -> bool {
    matches!(budget.rule, BudgetRule::Time { .. })
}

/// Whether a budget is on the server's own times, which EXPLAIN shows.
pub(crate) fn is_of_server(budget: &Budget) -> bool {
    matches!(budget.rule, BudgetRule::Time { metric: TimeMetric::Planning | TimeMetric::Execution, .. })
}

/// Decides one budget of a query. `confidence` is that of the interval at this look.
pub(crate) fn decide(
    budget: &Budget,
    record: &QueryRecord,
    ping: &Latencies,
    confidence: f64,
) -> BudgetEvidence {
    let mut decided = match &budget.rule {
        BudgetRule::Time { metric, limit } => decide_time(budget, *metric, *limit, record, ping, confidence),
        BudgetRule::Counter { metric, limit } => decide_counter(budget, *metric, *limit, record),
        BudgetRule::Plan(rule) => decide_plan(budget, rule, record),
        BudgetRule::RowsAtLeast(least) => decide_rows(budget, *least, record),
    };
    if decided.verdict == Verdict::Pass
        && let Some(unseen) = unseen(&budget.rule, record)
    {
        decided.verdict = inconclusive(unseen);
    }
    decided
}

/// Why a budget that holds in everything that was seen may not hold in all of it.
fn unseen(rule: &BudgetRule, record: &QueryRecord) -> Option<String> {
    if let Some(Failure::TimedOut { after_us, label }) = &record.failure {
        let after = show(*after_us as f64, Unit::Microseconds);
        let with = if label.is_empty() { String::new() } else { format!(" with {label}") };
        return Some(format!(
            "a longer time cap ([slow-queries] max-time): an execution{with} was cancelled after {after}"
        ));
    }
    let of_plans = match rule {
        BudgetRule::Counter { metric, .. } => *metric != CounterMetric::Rows,
        BudgetRule::Plan(_) => true,
        BudgetRule::Time { metric, .. } => matches!(metric, TimeMetric::Planning | TimeMetric::Execution),
        BudgetRule::RowsAtLeast(_) => false,
    };
    let statement = record.unplanned.as_ref().filter(|_| of_plans)?;
    let first = statement.lines().next().unwrap_or_default();
    Some(format!("statements that EXPLAIN takes: what `{first}` does inside is in no plan"))
}

pub(super) fn evidence(budget: &Budget, unit: Unit, verdict: Verdict, because: String) -> BudgetEvidence {
    BudgetEvidence {
        text: budget.text.clone(),
        verdict,
        value: None,
        unit,
        limit: None,
        interval: None,
        because,
    }
}

pub(super) fn inconclusive(needs: impl Into<String>) -> Verdict {
    Verdict::Inconclusive { needs: needs.into() }
}

fn decide_time(
    budget: &Budget,
    metric: TimeMetric,
    limit: TimeLimit,
    record: &QueryRecord,
    ping: &Latencies,
    confidence: f64,
) -> BudgetEvidence {
    if let Some(decided) = decide_timed_out(budget, metric, limit, record) {
        return decided;
    }
    // Of the connections the query took part in: what the machine did after a decision does not undo it.
    let ping = &ping.of_first(record.latencies.connections.len());
    let found = match limit {
        TimeLimit::AbsoluteUs(limit_us) => {
            estimate(metric, record, confidence).map(|found| (found, limit_us, Unit::Microseconds))
        }
        TimeLimit::TimesPing(times) => {
            ratio_to_ping(metric, record, ping, confidence).map(|found| (found, times, Unit::Ratio))
        }
    };
    let Some((found, limit, unit)) = found else {
        let verdict = inconclusive("samples from at least two connections");
        return evidence(budget, Unit::Microseconds, verdict, "there are no samples to judge".into());
    };
    let verdict = if metric == TimeMetric::Max {
        side_of_max(&found, limit)
    } else {
        side(&found, limit, metric, record)
    };
    let verdict = match verdict {
        Verdict::Fail if unit == Unit::Microseconds => blame(&found, limit, metric, record, ping, confidence),
        other => other,
    };
    let samples = if is_of_server(budget) { record.server_times.len() } else { record.latencies.count() };
    let because = format!(
        "{} lies between {} and {} with {} confidence ({} connections, {samples} samples)",
        show(found.value, unit),
        show(found.interval.low, unit),
        show(found.interval.high, unit),
        confidence_percent(confidence),
        found.units,
    );
    BudgetEvidence {
        value: Some(found.value),
        limit: Some(limit),
        interval: Some(model_interval(found.interval)),
        ..evidence(budget, unit, verdict, because)
    }
}

/// A query cancelled at the cap is over every absolute limit below the cap: its
/// maximum at once, another statistic where no execution came to its end. Where
/// some did, they decide, and can only fail it.
fn decide_timed_out(
    budget: &Budget,
    metric: TimeMetric,
    limit: TimeLimit,
    record: &QueryRecord,
) -> Option<BudgetEvidence> {
    let Some(Failure::TimedOut { after_us, .. }) = record.failure else { return None };
    let any_finished = record.latencies.count() > 0 || !record.explained.is_empty();
    if any_finished && metric != TimeMetric::Max {
        return None;
    }
    let after = after_us as f64;
    let because = format!("it was cancelled after {} without an answer", show(after, Unit::Microseconds));
    let (verdict, limit) = match limit {
        TimeLimit::AbsoluteUs(limit) if limit <= after => (Verdict::Fail, Some(limit)),
        TimeLimit::AbsoluteUs(limit) => {
            (inconclusive("a longer time cap ([slow-queries] max-time)"), Some(limit))
        }
        TimeLimit::TimesPing(_) => (inconclusive("a longer time cap ([slow-queries] max-time)"), None),
    };
    let value = Some(after);
    Some(BudgetEvidence { value, limit, ..evidence(budget, Unit::Microseconds, verdict, because) })
}

pub(super) fn percentile(metric: TimeMetric) -> Option<f64> {
    match metric {
        TimeMetric::P50 => Some(0.5),
        TimeMetric::P90 => Some(0.9),
        TimeMetric::P95 => Some(0.95),
        TimeMetric::P99 => Some(0.99),
        TimeMetric::Max => Some(MAX_QUANTILE),
        TimeMetric::Avg | TimeMetric::Planning | TimeMetric::Execution => None,
    }
}

fn estimate(metric: TimeMetric, record: &QueryRecord, confidence: f64) -> Option<Estimate> {
    match metric {
        // Every one is from a connection of its own, so these are independent.
        TimeMetric::Planning => server_median(record, confidence, |times| times.planning_us),
        TimeMetric::Execution => server_median(record, confidence, |times| times.execution_us),
        _ => client_estimate(metric, &record.latencies.connections, confidence),
    }
}

/// Of times that the client saw; `None` for a metric that it does not see.
fn client_estimate(metric: TimeMetric, connections: &[Vec<f64>], confidence: f64) -> Option<Estimate> {
    match metric {
        TimeMetric::Avg => clustered_mean(connections, confidence),
        TimeMetric::Max => {
            let bounds = clustered_quantile(connections, MAX_QUANTILE, confidence)?;
            let largest = connections.iter().flatten().copied().fold(0.0, f64::max);
            Some(Estimate { value: largest, ..bounds })
        }
        _ => clustered_quantile(connections, percentile(metric)?, confidence),
    }
}

fn server_median(
    record: &QueryRecord,
    confidence: f64,
    figure: impl Fn(&ServerTime) -> f64,
) -> Option<Estimate> {
    let mut values: Vec<f64> = record.server_times.iter().map(figure).collect();
    sort(&mut values);
    quantile_interval(&values, 0.5, confidence)
}

fn ratio_to_ping(
    metric: TimeMetric,
    record: &QueryRecord,
    ping: &Latencies,
    confidence: f64,
) -> Option<Estimate> {
    let query = &record.latencies.connections;
    if let (Some(p), true) = (percentile(metric), metric != TimeMetric::Max) {
        return clustered_quantile_ratio(query, &ping.connections, p, confidence);
    }
    let each = 0.5 * (1.0 + confidence);
    let above = estimate(metric, record, each)?;
    let below = match metric {
        TimeMetric::Avg => clustered_mean(&ping.connections, each)?,
        TimeMetric::Max => clustered_quantile(&ping.connections, MAX_QUANTILE, each)?,
        _ => clustered_quantile(&ping.connections, 0.5, each)?,
    };
    let low = (above.interval.low / below.interval.high).max(0.0);
    let high = above.interval.high / below.interval.low.max(f64::MIN_POSITIVE);
    let interval = Interval { low, high, confidence };
    Some(Estimate { value: above.value / below.value, interval, units: above.units })
}

/// On which side of a limit an interval lies. The limit itself is outside the budget.
fn side(found: &Estimate, limit: f64, metric: TimeMetric, record: &QueryRecord) -> Verdict {
    if found.interval.high < limit {
        Verdict::Pass
    } else if found.interval.low >= limit {
        Verdict::Fail
    } else {
        inconclusive(needed(found, limit, metric, record))
    }
}

/// A failure stands where it would without what the machine put on the query;
/// else the machine is too busy to know.
fn blame(
    found: &Estimate,
    limit: f64,
    metric: TimeMetric,
    record: &QueryRecord,
    ping: &Latencies,
    confidence: f64,
) -> Verdict {
    const CALMER: &str = "a calmer machine, a budget relative to ping or one on a counter";
    let unhindered = record.unhindered.as_ref();
    let free = unhindered.and_then(|free| client_estimate(metric, &free.connections, confidence));
    if let Some(free) = free {
        if free.interval.low >= limit {
            return Verdict::Fail;
        }
        let (low, high) =
            (show(free.interval.low, Unit::Microseconds), show(free.interval.high, Unit::Microseconds));
        return inconclusive(format!(
            "{CALMER}: without the time that server or client waited for a processor it lies between {low} and {high}"
        ));
    }
    let delay_us = reference_delay_us(metric, ping);
    if found.interval.low - delay_us >= limit {
        return Verdict::Fail;
    }
    inconclusive(format!(
        "{CALMER}: the machine alone delays a statement that does nothing by {}",
        show(delay_us, Unit::Microseconds)
    ))
}

/// What would move the interval to one side of the limit.
fn needed(found: &Estimate, limit: f64, metric: TimeMetric, record: &QueryRecord) -> String {
    let cap =
        record.cap.as_deref().map_or_else(String::new, |cap| format!(" (the cap of {cap} was reached)"));
    let distance = (found.value / limit).ln().abs();
    let towards = if found.value < limit { found.interval.high } else { found.interval.low };
    let reach = (towards / found.value).ln().abs();
    if matches!(metric, TimeMetric::Planning | TimeMetric::Execution) {
        return format!("a calmer machine, or more time to repeat EXPLAIN ([slow-queries] max-time){cap}");
    }
    if !reach.is_finite() || reach <= 0.0 {
        let each = record.latencies.count().div_ceil(found.units.max(1)).max(1);
        let samples = samples_needed(percentile(metric).unwrap_or(0.5), found.interval.confidence);
        let connections = samples.div_ceil(each as u64).max(found.units as u64 + 1);
        return format!("at least {connections} connections of {each} samples{cap}");
    }
    if distance < 0.02 {
        return format!("a budget that is not at the measured value itself{cap}");
    }
    // Intervals shrink with the square root of the number of connections.
    let connections = found.units as f64 * (reach / distance).powi(2);
    if connections > 100_000.0 {
        return format!("a calmer machine or a budget on a counter{cap}");
    }
    format!("about {:.0} connections{cap}", connections.ceil())
}

/// A maximum is kept when nothing exceeded it, and broken when it is exceeded too
/// often for chance; a lone execution above it decides nothing.
fn side_of_max(found: &Estimate, limit: f64) -> Verdict {
    if found.value < limit {
        Verdict::Pass
    } else if found.interval.low >= limit {
        Verdict::Fail
    } else {
        inconclusive("a budget on p99: single executions exceeded the maximum, which the machine can cause")
    }
}

fn decide_counter(
    budget: &Budget,
    metric: CounterMetric,
    limit: f64,
    record: &QueryRecord,
) -> BudgetEvidence {
    let unit = match metric {
        CounterMetric::Buffers | CounterMetric::TempBlocks => Unit::Blocks,
        CounterMetric::WalBytes => Unit::Bytes,
        CounterMetric::Rows => Unit::Rows,
        CounterMetric::RowsReadPerRow => Unit::Ratio,
    };
    let worst = counter_values(metric, record).max_by(|a, b| a.1.total_cmp(&b.1));
    let Some((with, value)) = worst else { return not_executed(budget, unit, record) };
    let verdict = if value < limit { Verdict::Pass } else { Verdict::Fail };
    let because = format!("{} at most, with {with}", show(value, unit));
    BudgetEvidence { value: Some(value), limit: Some(limit), ..evidence(budget, unit, verdict, because) }
}

/// The counter of every parameter set that was executed, and where it was counted.
fn counter_values<'a>(
    metric: CounterMetric,
    record: &'a QueryRecord,
) -> Box<dyn Iterator<Item = (String, f64)> + 'a> {
    if metric == CounterMetric::Rows {
        let executed = record.labels.iter().zip(&record.rows);
        return Box::new(executed.filter_map(|(label, rows)| {
            let (statement, most) = rows.most()?;
            Some((label.clone() + &in_statement(statement, record), most as f64))
        }));
    }
    Box::new(record.explained.iter().map(move |set| (set.label.clone(), set.counter(metric))))
}

/// Which statement of a transaction; nothing where there is but one.
pub(crate) fn in_statement(at: usize, record: &QueryRecord) -> String {
    let is_one = record.statements < 2;
    if is_one { String::new() } else { format!(" in statement {} of {}", at + 1, record.statements) }
}

fn not_executed(budget: &Budget, unit: Unit, record: &QueryRecord) -> BudgetEvidence {
    let was_executed = record.latencies.count() > 0 || !record.explained.is_empty();
    if unit == Unit::Rows && was_executed {
        let verdict = inconclusive("a statement that returns or changes rows");
        return evidence(budget, unit, verdict, "none of its statements has a number of rows".into());
    }
    evidence(budget, unit, inconclusive("an execution of the query"), "nothing was executed".into())
}

fn decide_rows(budget: &Budget, least: u64, record: &QueryRecord) -> BudgetEvidence {
    let executed = record.labels.iter().zip(&record.rows);
    let fewest =
        executed.filter_map(|(label, rows)| Some((label, rows.fewest()?))).min_by_key(|(_, (_, rows))| *rows);
    let Some((label, (statement, rows))) = fewest else { return not_executed(budget, Unit::Rows, record) };
    let verdict = if rows >= least { Verdict::Pass } else { Verdict::Fail };
    let because = format!(
        "{rows} rows at least, with {label}{}; {} of {} parameter sets were executed",
        in_statement(statement, record),
        record.rows.iter().filter(|rows| rows.is_known()).count(),
        record.rows.len()
    );
    BudgetEvidence {
        value: Some(rows as f64),
        limit: Some(least as f64),
        ..evidence(budget, Unit::Rows, verdict, because)
    }
}

/// A number with its unit, as a person reads it.
pub(crate) fn show(value: f64, unit: Unit) -> String {
    if !value.is_finite() {
        return if value > 0.0 { "no known upper bound".into() } else { "0".into() };
    }
    match unit {
        Unit::Microseconds if value >= 1e6 => format!("{:.2} s", value / 1e6),
        Unit::Microseconds if value >= 1e3 => format!("{:.2} ms", value / 1e3),
        Unit::Microseconds => format!("{value:.0} µs"),
        Unit::Ratio => format!("{value:.2} x"),
        Unit::Blocks => format!("{value:.0} blocks"),
        Unit::Rows => format!("{value:.0} rows"),
        Unit::Bytes => format!("{value:.0} bytes"),
        _ => format!("{value:.0}"),
    }
}
