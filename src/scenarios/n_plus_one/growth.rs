//! The same command at two volumes: which counts follow the data. Pure.
//!
//! Catches what one fixture row hides, and loops whose parent is not on the wire.

use super::detect::Detection;
use super::findings::shortened;
use super::reading::{Kind, read};
use crate::model::evidence::n_plus_one::{Growth, ShapeReference};
use crate::model::{Finding, Measurement, Severity, Unit, Variant};
use crate::trace::Trace;
use std::collections::BTreeMap;

/// Fewer additional executions than this may be a pool's or a retry's.
const ADDITIONAL_MIN: u64 = 3;

/// Counts of every shape in a trace of a smaller and of a larger volume, those that grow most first.
#[must_use]
pub(super) fn growth(small: &Trace, large: &Trace) -> Vec<Growth> {
    let mut counts: BTreeMap<u64, (String, u64, u64)> = BTreeMap::new();
    for (trace, is_large) in [(small, false), (large, true)] {
        for record in trace.statements.iter().filter(|record| record.continues.is_none()) {
            let entry = counts.entry(record.shape.hash).or_insert_with(|| (record.shape.text.clone(), 0, 0));
            *if is_large { &mut entry.2 } else { &mut entry.1 } += 1;
        }
    }
    let mut growth: Vec<Growth> = counts
        .into_iter()
        .filter(|(_, (text, ..))| matches!(read(text).kind, Kind::Read | Kind::Write))
        .map(|(hash, (text, small, large))| Growth {
            shape: ShapeReference { text, hash },
            small,
            large,
            grows: large >= small + ADDITIONAL_MIN && large * 2 >= small * 3,
        })
        .collect();
    growth.sort_by(|left, right| {
        let more = |growth: &Growth| growth.large.saturating_sub(growth.small);
        more(right).cmp(&more(left)).then(left.shape.hash.cmp(&right.shape.hash))
    });
    growth
}

/// A finding for each count that grows and that no loop explains.
pub(super) fn growth_findings(growth: &[Growth], detection: &Detection) -> Vec<Finding> {
    let is_looped = |growth: &&Growth| {
        detection.loops.iter().any(|group| group.children().any(|child| child.hash == growth.shape.hash))
    };
    growth
        .iter()
        .filter(|growth| growth.grows && !is_looped(growth))
        .map(|growth| Finding {
            code: "query-count-grows",
            severity: Severity::Warning,
            subject: shortened(&growth.shape.text),
            message: format!(
                "executed {} times at the small volume and {} times at the large one",
                growth.small, growth.large
            ),
            evidence: vec![format!("statement: {}", growth.shape.text)],
            next_step: "Look for the loop that asks it: its count should not follow the number of rows"
                .into(),
            location: None,
        })
        .collect()
}

/// The counts that grow, at both volumes.
pub(super) fn growth_measurements(growth: &[Growth], volumes: &[String; 2]) -> Vec<Measurement> {
    let at = |growth: &Growth, volume: &str, count: u64| Measurement {
        subject: shortened(&growth.shape.text),
        metric: "executions",
        unit: Unit::Count,
        value: count as f64,
        samples: 1,
        interval: None,
        volume: Some(volume.to_owned()),
        variant: Variant::Only,
    };
    let growing = growth.iter().filter(|growth| growth.grows);
    growing
        .flat_map(|growth| [at(growth, &volumes[0], growth.small), at(growth, &volumes[1], growth.large)])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::growth;
    use crate::trace::*;

    fn trace(counts: &[(&str, u64)]) -> Trace {
        let header =
            Header { hash_key_id: 0, started_at_us: 0, source: String::new(), bounds: Bounds::default() };
        let mut trace = Trace::new(header);
        for (text, count) in counts {
            let template = StatementTemplate::parse(text, &ValueHasher::new(1), &Bounds::default());
            for at in 0..*count {
                trace.statements.push(StatementRecord {
                    sequence: at,
                    connection: 1,
                    transaction: None,
                    scope: None,
                    start_us: at,
                    first_row_us: None,
                    end_us: at,
                    shape: template.shape.clone(),
                    arguments: Vec::new(),
                    rows: 0,
                    bytes: 0,
                    columns: [].into(),
                    values: Vec::new(),
                    outcome: Outcome::Ok,
                    protocol: Protocol::Extended,
                    continues: None,
                    application_name: None,
                    tags: None,
                    kept_arguments: None,
                    kept_text: None,
                });
            }
        }
        trace
    }

    #[test]
    fn counts_that_follow_the_data_are_told_from_constants() {
        let small =
            trace(&[("select * from orders", 1), ("select * from users where id = 1", 1), ("begin", 2)]);
        let large =
            trace(&[("select * from orders", 2), ("select * from users where id = 1", 50), ("begin", 60)]);
        let found: Vec<_> = growth(&small, &large)
            .into_iter()
            .map(|growth| (growth.shape.text, growth.small, growth.large, growth.grows))
            .collect();
        assert_eq!(
            found,
            [
                ("select * from users where id = ?".to_owned(), 1, 50, true),
                ("select * from orders".to_owned(), 1, 2, false),
            ]
        );
    }
}
