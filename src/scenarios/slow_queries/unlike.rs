//! Parameters whose values the data does not hold: what finds nothing is fast. Pure.

use super::record::QueryRecord;
use super::rows::{SetRows, always_empty};
use crate::model::MeasurementWarning;
use crate::model::evidence::slow_queries::TableSize;
use crate::project::budget::BudgetRule;
use crate::project::query::{Parameter, ParameterSource};

/// More than this share of parameter sets that find nothing is no sample of the data.
const EMPTY_SHARE_MAX: f64 = 0.5;

/// Parameters whose values are made up, whatever the tables hold. None where one is meant to be absent.
pub(crate) fn made_up(parameters: &[Parameter]) -> Vec<String> {
    let is_absent = |source: &ParameterSource| matches!(innermost(source), ParameterSource::Absent(_));
    if parameters.iter().any(|parameter| is_absent(&parameter.source)) {
        return Vec::new();
    }
    let is_made_up = |source: &ParameterSource| {
        matches!(
            innermost(source),
            ParameterSource::Range(..)
                | ParameterSource::Zipf(..)
                | ParameterSource::Normal(..)
                | ParameterSource::OneOf(_)
                | ParameterSource::Dates(..)
                | ParameterSource::Expression(..)
        )
    };
    let found = parameters.iter().filter(|parameter| is_made_up(&parameter.source));
    found.map(|parameter| parameter.name.clone()).collect()
}

fn innermost(source: &ParameterSource) -> &ParameterSource {
    match source {
        ParameterSource::List(inner, _) => innermost(inner),
        other => other,
    }
}

/// A query with made-up parameters that finds nothing with most of them, although its tables hold
/// rows and nobody said that nothing is right.
pub(crate) fn unlike_data(record: &QueryRecord, tables: &[TableSize]) -> Option<MeasurementWarning> {
    let says_so = record.budgets.iter().any(|budget| budget.rule == BudgetRule::RowsAtLeast(0));
    if record.made_up.is_empty() || says_so || !reads_rows(record, tables) {
        return None;
    }
    let executed: Vec<_> = record.rows.iter().filter(|rows| rows.is_known()).collect();
    let is_empty = |rows: &&&SetRows| always_empty(std::slice::from_ref(**rows)).is_some();
    let empty = executed.iter().filter(is_empty).count();
    (empty as f64 > EMPTY_SHARE_MAX * executed.len() as f64).then(|| {
        MeasurementWarning::ParametersUnlikeData {
            subject: record.name.clone(),
            parameter: record.made_up.join(", "),
            empty_sets: empty,
            sets: executed.len(),
        }
    })
}

/// Whether a table in its plans holds rows.
fn reads_rows(record: &QueryRecord, tables: &[TableSize]) -> bool {
    let bare = |table: &str| table.rsplit('.').next().unwrap_or(table).trim_matches('"').to_owned();
    let filled: Vec<String> =
        tables.iter().filter(|table| table.rows > 0.0).map(|table| bare(&table.table)).collect();
    let plans = record.explained.iter().flat_map(|set| &set.plans);
    plans.flat_map(|plan| plan.walk()).any(|visit| {
        let is_filled = |relation: &String| filled.contains(relation);
        visit.node.rows_read() > 0.0 || visit.node.relation.as_ref().is_some_and(is_filled)
    })
}

#[cfg(test)]
mod tests {
    use super::super::record::ExplainedSet;
    use super::super::verdict_tests::{asks, record, scan};
    use super::*;
    use crate::project::query::ColumnReference;

    #[test]
    fn values_from_the_data_are_not_made_up() {
        let column = || ColumnReference { schema: None, table: "t".into(), column: "c".into() };
        let names = |sources: &[ParameterSource]| {
            let parameter = |(at, source): (usize, &ParameterSource)| Parameter {
                name: format!("p{at}"),
                source: source.clone(),
                line: 1,
            };
            made_up(&sources.iter().enumerate().map(parameter).collect::<Vec<_>>()).join(" ")
        };
        let (range, sample) = (ParameterSource::Range(1, 9), ParameterSource::Sample(column()));
        let list = ParameterSource::List(Box::new(range.clone()), 3);
        assert_eq!(names(&[sample.clone(), range.clone(), list, ParameterSource::Literal(None)]), "p1 p2");
        assert_eq!(names(&[range, ParameterSource::Absent(column())]), "");
    }

    #[test]
    fn mostly_nothing_found_in_a_table_with_rows_is_told() {
        let told = |found: &[u64], made_up: &[&str], budgets| {
            let mut looks = record(budgets);
            looks.explained = vec![ExplainedSet::new("", vec![scan("orders", 1, 0, 1.0)])];
            looks.made_up = made_up.iter().map(|name| (*name).to_owned()).collect();
            looks.rows = found
                .iter()
                .map(|count| {
                    let mut rows = SetRows::default();
                    rows.add(0, *count);
                    rows
                })
                .collect();
            let tables = [TableSize { table: "public.orders".into(), rows: 5.0, bytes: 1 }];
            unlike_data(&looks, &tables).map(|warning| warning.message())
        };
        let message = told(&[0, 0, 1], &["id"], Vec::new()).unwrap();
        assert!(message.contains("found nothing with 2 of 3 parameter sets"), "{message}");
        assert_eq!(told(&[0, 1], &["id"], Vec::new()), None);
        assert_eq!(told(&[0, 0], &[], Vec::new()), None);
        assert_eq!(told(&[0, 0], &["id"], vec![asks(BudgetRule::RowsAtLeast(0))]), None);
    }
}
