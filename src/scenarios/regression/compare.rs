//! Two executions compared by their deterministic counters. Pure.
//!
//! A counter decides only when it moves by more than a ratio and by more than
//! a few units: one more index level is no regression.

use super::kept::growth::Growth;
use crate::model::Unit;
use crate::model::evidence::regression::{Change, CounterComparison};
use crate::plan::{Plan, Totals, estimate_error};

/// The ratio used for a parallel plan at least: which worker reads what is not determined.
const PARALLEL_RATIO: f64 = 1.25;

/// A counter and how much of it is nothing.
struct Counter {
    metric: &'static str,
    unit: Unit,
    /// A difference up to this is nothing, in `unit`.
    negligible: f64,
    /// Whether it can decide a verdict. Others are shown: another plan has
    /// other loops without being better or worse for it.
    decides: bool,
    read: fn(&Plan, &Totals) -> Option<f64>,
}

const COUNTERS: [Counter; 8] = [
    Counter {
        metric: "buffers",
        unit: Unit::Blocks,
        negligible: 2.0,
        decides: true,
        read: |_, totals| Some(to_f64(totals.buffers?.touched())),
    },
    Counter {
        metric: "rows_read",
        unit: Unit::Rows,
        negligible: 10.0,
        decides: true,
        read: |_, totals| Some(totals.rows_read),
    },
    Counter {
        metric: "temp_blocks",
        unit: Unit::Blocks,
        negligible: 8.0,
        decides: true,
        read: |_, totals| Some(to_f64(totals.buffers?.temp())),
    },
    Counter {
        metric: "wal_records",
        unit: Unit::Count,
        negligible: 1.0,
        decides: true,
        read: |_, totals| Some(to_f64(totals.wal?.records)),
    },
    Counter {
        metric: "rows_read_per_row",
        unit: Unit::Ratio,
        negligible: 1.0,
        decides: false,
        read: |_, totals| Some(totals.rows_read_per_row()),
    },
    Counter {
        metric: "loops",
        unit: Unit::Count,
        negligible: 0.0,
        decides: false,
        read: |_, totals| Some(totals.loops),
    },
    Counter {
        metric: "memory",
        unit: Unit::Bytes,
        negligible: 65_536.0,
        decides: false,
        read: |_, totals| Some(totals.memory_kb * 1024.0),
    },
    Counter {
        metric: "estimate_error",
        unit: Unit::Ratio,
        negligible: 9.0,
        decides: false,
        read: |plan, _| estimate_error(plan).map(|error| error.factor),
    },
];

/// Every counter both sides have.
#[must_use]
pub fn counters(before: &Plan, after: &Plan, ratio: f64) -> Vec<CounterComparison> {
    counters_of_grown(before, after, ratio, Growth::NONE)
}

/// The same, where the tables have grown or shrunk: what they explain is no change.
#[must_use]
pub fn counters_of_grown(before: &Plan, after: &Plan, ratio: f64, growth: Growth) -> Vec<CounterComparison> {
    let ratio = if before.is_parallel() || after.is_parallel() { ratio.max(PARALLEL_RATIO) } else { ratio };
    let (old, new) = (before.totals(), after.totals());
    let compare = |counter: &Counter| {
        let (before, after) = ((counter.read)(before, &old)?, (counter.read)(after, &new)?);
        let change = moved(before, after, ratio, growth, counter.negligible);
        Some(CounterComparison { metric: counter.metric, unit: counter.unit, before, after, change })
    };
    COUNTERS.iter().filter_map(compare).collect()
}

fn moved(before: f64, after: f64, ratio: f64, growth: Growth, negligible: f64) -> Change {
    let (least, most) = (before * growth.least, before * growth.most);
    if (least - negligible..=most + negligible).contains(&after) {
        Change::Unchanged
    } else if after > most * ratio {
        Change::Regressed
    } else if after * ratio < least {
        Change::Improved
    } else {
        Change::Unchanged
    }
}

/// What the counters that can decide say together: `Inconclusive` where one
/// is better and another worse, or where there are none.
#[must_use]
pub fn together(counters: &[CounterComparison]) -> Change {
    let deciding = || counters.iter().filter(|counter| decides(counter.metric));
    let has = |change| deciding().any(|counter| counter.change == change);
    match (has(Change::Regressed), has(Change::Improved)) {
        (true, true) => Change::Inconclusive,
        (true, false) => Change::Regressed,
        (false, true) => Change::Improved,
        (false, false) if deciding().next().is_none() => Change::Inconclusive,
        (false, false) => Change::Unchanged,
    }
}

/// Whether a counter of that name can decide a verdict.
#[must_use]
pub fn decides(metric: &str) -> bool {
    COUNTERS.iter().any(|counter| counter.decides && counter.metric == metric)
}

#[expect(clippy::cast_precision_loss, reason = "counters beyond 2^53 do not occur")]
fn to_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn execution(blocks: u64, rows: u64, removed: u64) -> Plan {
        Plan::parse(&format!(
            r#"[{{"Plan": {{"Node Type": "Seq Scan", "Relation Name": "t", "Actual Rows": {rows}, "Actual Loops": 1,
                "Rows Removed by Filter": {removed}, "Shared Hit Blocks": {blocks}}}}}]"#
        ))
        .unwrap()
    }

    fn verdict(before: (u64, u64, u64), after: (u64, u64, u64)) -> Change {
        let (before, after) = (execution(before.0, before.1, before.2), execution(after.0, after.1, after.2));
        together(&counters(&before, &after, 1.1))
    }

    #[test]
    fn a_counter_decides_beyond_ratio_and_negligible_difference() {
        assert_eq!(verdict((39, 3, 2497), (5, 3, 0)), Change::Improved);
        assert_eq!(verdict((5, 3, 0), (39, 3, 2497)), Change::Regressed);
        assert_eq!(verdict((4, 3, 0), (5, 3, 0)), Change::Unchanged);
        assert_eq!(verdict((1000, 3, 0), (1040, 3, 0)), Change::Unchanged);
        assert_eq!(verdict((39, 3, 2497), (60, 3, 0)), Change::Inconclusive);
        assert_eq!(verdict((5, 3, 0), (5, 3, 0)), Change::Unchanged);
    }

    #[test]
    fn a_dropped_index_shows_on_a_table_of_one_block() {
        assert_eq!(verdict((2, 1, 0), (1, 1, 50)), Change::Regressed);
    }

    #[test]
    fn what_a_larger_table_explains_is_no_change() {
        let grown = |after: (u64, u64, u64)| {
            let (before, after) = (execution(40, 3, 2_500), execution(after.0, after.1, after.2));
            together(&counters_of_grown(&before, &after, 1.1, Growth { least: 1.0, most: 8.0 }))
        };
        assert_eq!(grown((320, 24, 20_000)), Change::Unchanged);
        assert_eq!(grown((400, 24, 25_000)), Change::Regressed);
        assert_eq!(grown((4, 3, 0)), Change::Improved);
    }

    #[test]
    fn without_counters_nothing_is_claimed() {
        let bare = Plan::parse(r#"[{"Plan": {"Node Type": "Result"}}]"#).unwrap();
        let compared = counters(&bare, &bare, 1.1);
        assert!(compared.iter().all(|counter| counter.metric != "buffers"));
    }
}
