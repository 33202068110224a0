//! The statement of a loop's parent with the values it was asked with, where the trace has them. Pure.

use super::executions::Executions;
use super::group::Group;
use super::sources::Sources;
use super::weave::Assignments;
use crate::trace::{Argument, StatementRecord};
use std::collections::BTreeMap;

/// One execution of a parent, as it can be asked again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KnownParent {
    /// Its text, with nothing left open.
    pub(super) sql: String,
    /// The name of the result column that feeds the child.
    pub(super) column: String,
    /// The placeholder of the child that it feeds, from zero.
    pub(super) position: usize,
    /// The child's other placeholders, as far as the same single value always stood there.
    pub(super) constants: BTreeMap<usize, String>,
}

/// The parent of a loop. None where its text is not known, or where the children do not all ask for
/// the one column of it. Shapes of `shape_bytes` may have been cut.
pub(super) fn known_parent(
    executions: &Executions<'_>,
    assignments: &Assignments,
    sources: &Sources,
    group: &Group,
    shape_bytes: usize,
) -> Option<KnownParent> {
    let (_, child, parent, _) = group.key;
    let fed: Vec<_> = group.members.iter().filter_map(|member| assignments[*member]).collect();
    let first = fed.first()?;
    let is_alike = fed.len() == group.members.len()
        && fed.iter().all(|found| found.source == group.source && found.position == first.position);
    if !is_alike || parent == child || sources.list[group.source].shape != parent {
        return None;
    }
    let record = executions.all[executions.results[first.result].execution].record;
    let is_complete = record.arguments.is_empty() && record.shape.text.len() < shape_bytes;
    let sql = record.kept_text.clone().or_else(|| is_complete.then(|| record.shape.text.clone()))?;
    let column = record.columns.get(sources.list[group.source].column)?.name.clone();
    let constants = constants(executions, group, first.position);
    Some(KnownParent { sql, column, position: first.position, constants })
}

fn constants(executions: &Executions<'_>, group: &Group, key: usize) -> BTreeMap<usize, String> {
    let records = || group.members.iter().map(|member| executions.all[*member].record);
    let kept = |record: &StatementRecord, at: usize| {
        let is_single = matches!(record.arguments.get(at), Some(Argument::One(_)));
        record.kept_arguments.as_ref()?.get(at)?.clone().filter(|_| is_single)
    };
    let Some(first) = records().next() else { return BTreeMap::new() };
    (0..first.arguments.len())
        .filter(|at| *at != key)
        .filter_map(|at| Some((at, kept(first, at)?)))
        .filter(|(at, value)| records().all(|record| kept(record, *at).as_ref() == Some(value)))
        .collect()
}
