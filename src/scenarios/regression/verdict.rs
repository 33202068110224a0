//! What became of a query. Pure.
//!
//! Counters speak first. Time adds what they cannot see, and where the two
//! contradict each other the answer is that the evidence does not decide.
//! "Unchanged" is only said when the whole interval of the ratio of times lies
//! within the resolution; a slowdown hidden in a wide interval is
//! inconclusive, never unchanged.

use super::compare;
use crate::model::Verdict;
use crate::model::evidence::regression::{
    Change, ParameterComparison, QueryComparison, RatioLimits, ResultVerdict, TimeComparison,
};
use crate::project::query;
use crate::stats::Estimate;

/// Differences below this are not worth a word, however sure they are: where the
/// pages of a clone lie in memory alone makes identical clones differ by 2 to 3 %.
const LEAST_EFFECT: f64 = 1.03;
/// "Unchanged" within this factor where the scheduler places the backends.
pub const RESOLUTION: f64 = 1.10;
/// "Unchanged" within this factor where all backends share one processor.
pub const RESOLUTION_PINNED: f64 = 1.04;

/// The limits of a verdict.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    /// Times: a ratio of at least this fails.
    pub time_ratio: f64,
    /// Counters: a ratio above this is a regression.
    pub counter_ratio: f64,
    /// "Unchanged" means: the ratio of times lies within this factor.
    pub resolution: f64,
}

impl Thresholds {
    /// These, with what a query says for itself.
    #[must_use]
    pub fn with(self, own: &query::Thresholds) -> Self {
        Self {
            time_ratio: own.time_ratio.unwrap_or(self.time_ratio),
            counter_ratio: own.counter_ratio.unwrap_or(self.counter_ratio),
            ..self
        }
    }

    /// As evidence.
    #[must_use]
    pub fn ratios(&self) -> RatioLimits {
        RatioLimits { time: self.time_ratio, counter: self.counter_ratio }
    }
}

/// What a ratio of times comes to, given what identical sides came to.
#[must_use]
pub fn time_change(estimate: &Estimate, floor: Option<f64>, limits: &Thresholds) -> Change {
    let floor = floor.unwrap_or(1.0).max(LEAST_EFFECT);
    let interval = &estimate.interval;
    if interval.low > floor {
        Change::Regressed
    } else if interval.high < 1.0 / floor {
        Change::Improved
    } else if interval.high < limits.resolution && interval.low > 1.0 / limits.resolution {
        Change::Unchanged
    } else {
        Change::Inconclusive
    }
}

/// What all parameter sets' counters say: one that is worse outweighs others that are better.
#[must_use]
pub fn counters_change(sets: &[ParameterComparison]) -> Change {
    let each: Vec<Change> = sets.iter().map(|set| compare::together(&set.counters)).collect();
    let has = |change| each.contains(&change);
    match (has(Change::Regressed), has(Change::Improved), has(Change::Inconclusive)) {
        (true, false, false) => Change::Regressed,
        (true, _, _) | (false, _, true) => Change::Inconclusive,
        (false, true, false) => Change::Improved,
        (false, false, false) => Change::Unchanged,
    }
}

/// The change of a query and what it rests on.
#[must_use]
pub fn query_change(sets: &[ParameterComparison], time: Option<&TimeComparison>) -> (Change, String) {
    let counters = counters_change(sets);
    let timed = time.map(|time| time.change);
    let change = match (counters, timed) {
        (Change::Regressed, Some(Change::Improved)) | (Change::Improved, Some(Change::Regressed)) => {
            Change::Inconclusive
        }
        (Change::Unchanged, Some(timed)) => timed,
        (Change::Inconclusive, Some(timed @ (Change::Improved | Change::Regressed))) => timed,
        (counters, _) => counters,
    };
    (change, because(counters, sets, time))
}

fn because(counters: Change, sets: &[ParameterComparison], time: Option<&TimeComparison>) -> String {
    let timed = time.map(describe_time);
    let counted = match counters {
        Change::Unchanged => "the same counters".to_owned(),
        Change::Inconclusive => {
            match most_moved(sets, Change::Regressed).zip(most_moved(sets, Change::Improved)) {
                Some((worse, better)) => format!("{worse}, but {better}"),
                None => "no counters".to_owned(),
            }
        }
        moved => most_moved(sets, moved).unwrap_or_default(),
    };
    match timed {
        Some(timed) => format!("{counted}; {timed}"),
        None => format!("{counted}; no times taken"),
    }
}

fn describe_time(time: &TimeComparison) -> String {
    let judged = if time.judged_by == "wall time" { time.wall } else { time.server };
    let Some(estimate) = judged.or(time.server).or(time.wall) else { return "no times taken".into() };
    format!(
        "{} {:.2}x ({:.2} to {:.2})",
        time.judged_by, estimate.ratio, estimate.interval.low, estimate.interval.high
    )
}

/// The parameter set that stands for the query: the middle one by blocks.
#[must_use]
pub fn representative(sets: &[ParameterComparison]) -> Option<&ParameterComparison> {
    let blocks = |set: &ParameterComparison| {
        set.counters.iter().find(|c| c.metric == "buffers").map_or(0.0, |c| c.before + c.after)
    };
    let mut order: Vec<&ParameterComparison> = sets.iter().collect();
    order.sort_by(|a, b| blocks(a).total_cmp(&blocks(b)));
    order.get(order.len() / 2).copied()
}

/// The deciding counter that moved most in that direction, in words: of the
/// representative parameter set, or where it did not move there, of any.
fn most_moved(sets: &[ParameterComparison], change: Change) -> Option<String> {
    let typical = representative(sets).map(std::slice::from_ref);
    typical.and_then(|set| most_moved_of(set, change)).or_else(|| most_moved_of(sets, change))
}

fn most_moved_of(sets: &[ParameterComparison], change: Change) -> Option<String> {
    let factor = |before: f64, after: f64| (after.max(1.0) / before.max(1.0)).ln().abs();
    let counters = sets.iter().flat_map(|set| set.counters.iter());
    let top = counters
        .filter(|counter| counter.change == change && compare::decides(counter.metric))
        .max_by(|a, b| factor(a.before, a.after).total_cmp(&factor(b.before, b.after)))?;
    let name = top.metric.replace('_', " ");
    Some(format!("{name} {:.0} → {:.0}", top.before, top.after))
}

/// Whether a query's change fails the run: worse by counters, or surely
/// slower and not surely less than the ratio that fails.
#[must_use]
pub fn fails(comparison: &QueryComparison, limits: &Thresholds) -> bool {
    let by_plan = comparison.parameter_sets.iter().any(|set| !set.plan_changes.is_empty());
    if comparison.change != Change::Regressed || (comparison.is_unstable && by_plan) {
        return false;
    }
    counters_change(&comparison.parameter_sets) == Change::Regressed
        || judged_high(comparison).is_none_or(|high| high >= time_limit(comparison, limits))
}

/// The query's own limit, else the project's.
fn time_limit(comparison: &QueryComparison, limits: &Thresholds) -> f64 {
    comparison.limits.map_or(limits.time_ratio, |own| own.time)
}

/// The upper bound of the ratio of times that was judged.
fn judged_high(comparison: &QueryComparison) -> Option<f64> {
    let time = comparison.time.as_ref()?;
    let judged = if time.judged_by == "wall time" { time.wall } else { time.server };
    judged.map(|estimate| estimate.interval.high)
}

/// The verdict of one query.
#[must_use]
pub fn query_verdict(comparison: &QueryComparison, limits: &Thresholds) -> Verdict {
    let changed_rows = comparison.parameter_sets.iter().any(|set| {
        set.result.is_some_and(|result| result.verdict == ResultVerdict::Changed) || set.plan_after.is_empty()
    });
    if changed_rows || fails(comparison, limits) {
        return Verdict::Fail;
    }
    if comparison.change != Change::Inconclusive {
        return Verdict::Pass;
    }
    let counters = counters_change(&comparison.parameter_sets);
    let slower_at_most = judged_high(comparison);
    match (counters, slower_at_most) {
        (Change::Unchanged, Some(high)) if high < time_limit(comparison, limits) => Verdict::Pass,
        (Change::Unchanged, _) => Verdict::Inconclusive {
            needs: format!("more time for {} ([regression] max-time) or a quieter machine", comparison.query),
        },
        (Change::Regressed | Change::Improved, None) => {
            Verdict::Inconclusive { needs: format!("{} compared on the same data", comparison.query) }
        }
        _ => Verdict::Inconclusive {
            needs: format!(
                "{} at a larger volume, where one of its counters outweighs the other",
                comparison.query
            ),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::evidence::regression::{CounterComparison, RatioEstimate};
    use crate::model::{Interval as ModelInterval, Unit};
    use crate::stats::Interval;
    use crate::stats::ratio::noise_floor;

    const LIMITS: Thresholds = Thresholds { time_ratio: 1.2, counter_ratio: 1.1, resolution: 1.1 };

    fn estimate(low: f64, high: f64) -> Estimate {
        let interval = Interval { low, high, confidence: 0.99 };
        Estimate { value: (low * high).sqrt(), interval, units: 20 }
    }

    fn time(low: f64, high: f64) -> TimeComparison {
        let interval = ModelInterval { low, high, confidence: 0.99 };
        let server = RatioEstimate { ratio: (low * high).sqrt(), interval, connection_pairs: 20, pairs: 400 };
        TimeComparison {
            judged_by: "server time",
            wall: None,
            server: Some(server),
            median_wall_us: (1.0, 1.0),
            median_server_us: (1.0, 1.0),
            median_planning_us: (0.1, 0.1),
            change: time_change(&estimate(low, high), None, &LIMITS),
        }
    }

    fn set(before: f64, after: f64, change: Change) -> ParameterComparison {
        ParameterComparison {
            label: String::new(),
            counters: vec![CounterComparison {
                metric: "buffers",
                unit: Unit::Blocks,
                before,
                after,
                change,
            }],
            plan_changes: vec![],
            cost: (1.0, 1.0),
            plan_before: "x".into(),
            plan_after: "x".into(),
            trees: Default::default(),
            result: None,
        }
    }

    fn query(sets: Vec<ParameterComparison>, time: Option<TimeComparison>) -> QueryComparison {
        let (change, because) = query_change(&sets, time.as_ref());
        QueryComparison {
            query: "q".into(),
            change,
            because,
            parameter_sets: sets,
            time,
            attribution: None,
            plan_choices: vec![],
            is_unstable: false,
            limits: None,
        }
    }

    #[test]
    fn time_is_judged_beyond_the_floor_and_unchanged_only_within_the_resolution() {
        let check = |low, high, expected| {
            assert_eq!(time_change(&estimate(low, high), None, &LIMITS), expected, "{low} {high}");
        };
        check(1.1, 1.3, Change::Regressed);
        check(0.97, 1.05, Change::Unchanged);
        check(0.97, 1.25, Change::Inconclusive);
        check(0.4, 0.9, Change::Improved);
        check(1.005, 1.015, Change::Unchanged);
        // A floor of 15 % swallows a change of 10 %.
        let floor = noise_floor(&estimate(0.9, 1.15));
        assert_eq!(time_change(&estimate(1.08, 1.12), Some(floor), &LIMITS), Change::Inconclusive);
        assert_eq!(time_change(&estimate(1.2, 1.4), Some(floor), &LIMITS), Change::Regressed);
    }

    #[test]
    fn counters_first_and_contradiction_is_doubt() {
        let same = || set(5.0, 5.0, Change::Unchanged);
        let worse = || set(5.0, 39.0, Change::Regressed);
        let better = || set(39.0, 5.0, Change::Improved);
        let change = |sets, time| query(sets, time).change;
        assert_eq!(change(vec![same(), worse()], Some(time(0.97, 1.03))), Change::Regressed);
        assert_eq!(change(vec![better(), worse()], None), Change::Inconclusive);
        assert_eq!(change(vec![worse()], Some(time(0.3, 0.5))), Change::Inconclusive);
        assert_eq!(change(vec![better()], Some(time(0.1, 0.2))), Change::Improved);
        assert_eq!(change(vec![same()], Some(time(1.15, 1.3))), Change::Regressed);
        assert_eq!(change(vec![same()], Some(time(0.9, 1.3))), Change::Inconclusive);
        assert_eq!(query(vec![better()], None).because, "buffers 39 → 5; no times taken");
    }

    #[test]
    fn a_sure_but_small_slowdown_does_not_fail_and_doubt_below_the_limit_passes() {
        let same = || vec![set(5.0, 5.0, Change::Unchanged)];
        let verdict = |low, high| query_verdict(&query(same(), Some(time(low, high))), &LIMITS);
        assert_eq!(verdict(1.04, 1.06), Verdict::Pass);
        assert_eq!(verdict(1.15, 1.25), Verdict::Fail);
        assert_eq!(verdict(0.9, 1.15), Verdict::Pass);
        assert!(matches!(verdict(0.9, 1.3), Verdict::Inconclusive { .. }));
    }

    #[test]
    fn a_querys_own_limit_goes_before_the_projects() {
        let mut slower = query(vec![set(5.0, 5.0, Change::Unchanged)], Some(time(1.15, 1.25)));
        assert_eq!(query_verdict(&slower, &LIMITS), Verdict::Fail);
        let own = query::Thresholds { time_ratio: Some(1.5), counter_ratio: None };
        slower.limits = Some(LIMITS.with(&own).ratios());
        assert_eq!(query_verdict(&slower, &LIMITS), Verdict::Pass);
    }

    #[test]
    fn other_rows_fail_and_ties_do_not() {
        use crate::model::evidence::regression::ResultComparison;
        let with = |verdict| {
            let mut same = set(5.0, 5.0, Change::Unchanged);
            same.result = Some(ResultComparison { rows_before: 3, rows_after: 3, verdict });
            query_verdict(&query(vec![same], Some(time(0.99, 1.01))), &LIMITS)
        };
        assert_eq!(with(ResultVerdict::Changed), Verdict::Fail);
        assert_eq!(with(ResultVerdict::TiesOnly), Verdict::Pass);
    }
}
