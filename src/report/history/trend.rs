//! A metric of a query over the runs, and where its level changed.

use super::{branches, slow_query_measurements};
use crate::model::{Measurement, RunReport, Unit, Variant};
use crate::report::compare::Fairness;
use crate::report::units;
use crate::stats::change_points::{ChangePoint, ChangePointOptions, MAX_VALUES, change_points};

/// Metrics whose trend is shown of one query, most telling first.
pub(super) const QUERY_METRICS: [&str; 6] = ["p50", "p95", "p99", "avg", "buffers", "rows"];
/// Metrics of which the trends of all queries are followed.
pub(super) const ALL_METRICS: [&str; 2] = ["p95", "buffers"];
/// Fewest runs that make a trend.
const RUNS_MIN: usize = 2;
/// A run so close to a change may be what the change is, found a run too early or too late.
const NEAR: usize = 2;

/// A metric of a query over the runs in which it was measured, at one volume:
/// figures of different data sizes are not comparable.
#[derive(Debug)]
pub struct QueryTrend<'a> {
    /// The query.
    pub query: &'a str,
    /// The metric.
    pub metric: &'static str,
    /// The volume.
    pub volume: Option<&'a str>,
    /// Oldest first.
    pub points: Vec<TrendPoint<'a>>,
    /// Where the level changed, in order.
    pub changes: Vec<ChangePoint>,
}

/// One run's value.
#[derive(Debug)]
pub struct TrendPoint<'a> {
    /// The run.
    pub run: &'a RunReport,
    /// What it measured.
    pub measurement: &'a Measurement,
    /// What keeps it from being compared with the run before it: other surroundings.
    pub because: Option<String>,
}

/// A change of level, with the runs it lies between.
#[derive(Debug, Clone)]
pub struct LevelChange<'a> {
    /// `order_history p95 at small`.
    pub name: String,
    /// Unit of both levels.
    pub unit: Unit,
    /// The levels, and how often chance alone splits the series as clearly.
    pub change: ChangePoint,
    /// The last run at the level before.
    pub previous: &'a RunReport,
    /// The first run at the new level.
    pub run: &'a RunReport,
    /// Runs at the new level.
    pub runs: usize,
    /// The first run at the level after this one; `None` where this one lasts.
    pub until: Option<&'a RunReport>,
    /// What changed besides the query, where anything is known to have; or which branches have it.
    pub because: Option<String>,
}

impl LevelChange<'_> {
    /// One sentence: both levels, since when, and what else changed then.
    #[must_use]
    pub fn sentence(&self) -> String {
        let (before, after) =
            (units::format(self.change.before, self.unit), units::format(self.change.after, self.unit));
        let now = match self.until {
            Some(run) => format!("{after} from there until run {}", run.run_id),
            None => format!("{after} since"),
        };
        format!("{}: {before} before run {}, {now} ({})", self.name, self.run.run_id, self.grounds())
    }

    /// How sure it is, the commit, how many runs have it, and what else changed.
    pub(super) fn grounds(&self) -> String {
        let commit = self.run.environment.short_commit();
        let commit = commit.map(|commit| format!(", commit {commit}")).unwrap_or_default();
        let because = self.because.as_ref().map(|why| format!("; {why}")).unwrap_or_default();
        format!("p = {:.3}{commit}, {} runs at it{because}", self.change.p_value, self.runs)
    }
}

impl<'a> QueryTrend<'a> {
    /// `order_history p95 at small`.
    #[must_use]
    pub fn name(&self) -> String {
        let at = self.volume.map(|v| format!(" at {v}")).unwrap_or_default();
        format!("{} {}{at}", self.query, self.metric)
    }

    /// The changes of level with their runs, oldest first.
    #[must_use]
    pub fn level_changes(&self) -> Vec<LevelChange<'a>> {
        let of = |(position, change): (usize, &ChangePoint)| {
            let point = self.points.get(change.index)?;
            let next = self.changes.get(position + 1).map(|next| next.index);
            let because = [self.because(change.index), self.of_branches(position)];
            let because: Vec<String> = because.into_iter().flatten().collect();
            Some(LevelChange {
                name: self.name(),
                unit: point.measurement.unit,
                change: *change,
                previous: self.points.get(change.index.checked_sub(1)?)?.run,
                run: point.run,
                runs: next.unwrap_or(self.points.len()) - change.index,
                until: next.and_then(|next| Some(self.points.get(next)?.run)),
                because: (!because.is_empty()).then(|| because.join("; ")),
            })
        };
        self.changes.iter().enumerate().filter_map(of).collect()
    }

    /// What the branches of the runs on both sides say of a change of level.
    fn of_branches(&self, position: usize) -> Option<String> {
        let change = self.changes.get(position)?;
        // The stretches whose medians the two levels are.
        let start = match position.checked_sub(1) {
            Some(previous) => self.changes.get(previous)?.index,
            None => self.points.len().saturating_sub(MAX_VALUES),
        };
        let end = self.changes.get(position + 1).map_or(self.points.len(), |next| next.index);
        let (before, after) = (self.points.get(start..change.index)?, self.points.get(change.index..end)?);
        branches::remark(before, after, change, after.first()?.measurement.unit)
    }

    /// What changed besides the query at a change of level, or in a run beside it.
    fn because(&self, index: usize) -> Option<String> {
        if let Some(why) = &self.points.get(index)?.because {
            return Some(format!("not the query alone: {why}"));
        }
        let near = (1..=NEAR).flat_map(|distance| [index.checked_sub(distance), index.checked_add(distance)]);
        near.flatten().find_map(|beside| {
            let point = self.points.get(beside)?;
            let why = point.because.as_ref()?;
            Some(format!("perhaps not the query alone: at run {}, {why}", point.run.run_id))
        })
    }
}

/// The trends of every query that at least two runs measured.
#[must_use]
pub fn query_trends<'a>(runs: &[&'a RunReport]) -> Vec<QueryTrend<'a>> {
    let all = ALL_METRICS.into_iter().flat_map(|metric| trends_of(runs, None, metric));
    all.filter(|trend| trend.points.len() >= RUNS_MIN).collect()
}

/// The changes of level of some trends, the latest first.
#[must_use]
pub fn newest_first<'a>(trends: &[QueryTrend<'a>]) -> Vec<LevelChange<'a>> {
    let mut all: Vec<_> = trends.iter().flat_map(QueryTrend::level_changes).collect();
    all.sort_by(|a, b| b.run.started_at.cmp(&a.run.started_at));
    all
}

/// The changes of level that lie between two of the runs, the latest first; nothing where one
/// of the two is not among them.
#[must_use]
pub fn changes_between<'a>(runs: &'a [RunReport], one: &str, other: &str) -> Vec<LevelChange<'a>> {
    let place = |run_id: &str| runs.iter().position(|run| run.run_id == run_id);
    let (Some(one), Some(other)) = (place(one), place(other)) else { return Vec::new() };
    let (first, last) = (one.min(other), one.max(other));
    let is_between = |run_id: &str| place(run_id).is_some_and(|at| at > first && at <= last);
    let all: Vec<&RunReport> = runs.iter().collect();
    let changes = newest_first(&query_trends(&all));
    changes.into_iter().filter(|change| is_between(&change.run.run_id)).collect()
}

/// The trends of a metric at each volume, of one query or of all.
pub(super) fn trends_of<'a>(
    runs: &[&'a RunReport],
    query: Option<&str>,
    metric: &'static str,
) -> Vec<QueryTrend<'a>> {
    let mut trends: Vec<QueryTrend<'a>> = Vec::new();
    for (run, m) in runs.iter().flat_map(|run| slow_query_measurements(std::slice::from_ref(*run))) {
        let is_wanted = query.is_none_or(|query| m.subject == query) && m.metric == metric;
        if !is_wanted || m.variant != Variant::Only || !m.value.is_finite() {
            continue;
        }
        let volume = m.volume.as_deref();
        let point = TrendPoint { run, measurement: m, because: None };
        match trends.iter_mut().find(|t| t.query == m.subject && t.volume == volume) {
            Some(trend) => trend.points.push(point),
            None => {
                let (points, changes) = (vec![point], Vec::new());
                trends.push(QueryTrend { query: &m.subject, metric, volume, points, changes });
            }
        }
    }
    for trend in &mut trends {
        let values: Vec<f64> = trend.points.iter().map(|point| point.measurement.value).collect();
        trend.changes = change_points(&values, ChangePointOptions::default());
        for index in 1..trend.points.len() {
            trend.points[index].because = not_comparable(&trend.points[index - 1], &trend.points[index]);
        }
    }
    trends
}

/// What keeps two values from being compared, by the rules of `compare`.
fn not_comparable(before: &TrendPoint<'_>, now: &TrendPoint<'_>) -> Option<String> {
    let fairness = Fairness::of(before.run, now.run);
    if let Some(volume) = now.measurement.volume.as_ref().filter(|volume| fairness.resized.contains(volume)) {
        return Some(format!("volume {volume} changed its size"));
    }
    if now.measurement.unit == Unit::Microseconds { fairness.times } else { fairness.counters }
}
