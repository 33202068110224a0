//! Repetitions without a proven loop. They never fail a run: the wire cannot
//! tell a loop over values from elsewhere from a busy service.

use super::affinity::{is_key_like, is_measure};
use super::detect::call_site;
use super::executions::Executions;
use super::reading::{Kind, Role};
use crate::model::evidence::n_plus_one::{RepeatGroup, RepeatKind, ShapeReference};
use crate::trace::{Argument, Outcome};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// Different keys that make a repetition without a parent; fewer may be a fixed list in the code.
const DISTINCT_MIN: usize = 10;
/// Other statements on the connection between two of a repetition.
const STATEMENTS_BETWEEN: usize = 12;
/// Equal waits from here on are polling.
const WAIT_US: u64 = 5_000;
/// A pause on the connection that ends a repetition: longer ones are polling, or other requests.
pub(super) const PAUSE_US: u64 = 50_000;

/// A run of executions of one shape on one connection.
#[derive(Debug, Default)]
struct Run {
    /// Each with the number of writes on the connection before it.
    members: Vec<(usize, u64)>,
    /// Statements on the connection when the last member ran.
    last_place: usize,
    last_end_us: u64,
}

/// Finds repetitions among executions that no loop explains. Those `suspected`
/// follow the rows of a result, only names speak against it.
pub(super) fn repeats(
    executions: &Executions<'_>,
    explained: &BTreeSet<usize>,
    suspected: &BTreeSet<usize>,
    threshold: usize,
) -> Vec<RepeatGroup> {
    let mut found = Vec::new();
    for run in runs(executions, explained) {
        found.extend(judge_run(executions, &run.members, suspected, threshold));
    }
    found.sort_by(|left, right| {
        right
            .executions
            .cmp(&left.executions)
            .then(left.shape.hash.cmp(&right.shape.hash))
            .then(left.scope.cmp(&right.scope))
    });
    found
}

/// Executions of the same shape in one transaction, or without a pause on one
/// connection.
fn runs(executions: &Executions<'_>, explained: &BTreeSet<usize>) -> Vec<Run> {
    let mut open: BTreeMap<(u64, usize, Option<u64>), Run> = BTreeMap::new();
    let mut places: BTreeMap<u64, usize> = BTreeMap::new();
    let mut writes: BTreeMap<u64, u64> = BTreeMap::new();
    let mut done = Vec::new();
    for (at, execution) in executions.all.iter().enumerate() {
        let record = execution.record;
        let place = places.entry(record.connection).or_default();
        *place += 1;
        let kind = executions.shapes[execution.shape].reading.kind;
        let counts = match kind {
            Kind::Read => execution.is_candidate && !explained.contains(&at),
            Kind::Write => true,
            Kind::Fetch | Kind::Other => false,
        };
        if kind == Kind::Write {
            *writes.entry(record.connection).or_default() += 1;
        }
        // A failed statement may be tried again.
        if !counts || record.outcome != Outcome::Ok {
            continue;
        }
        let run = open.entry((record.connection, execution.shape, record.transaction)).or_default();
        let is_apart = !run.members.is_empty()
            && (*place - run.last_place > STATEMENTS_BETWEEN
                || record.start_us.saturating_sub(run.last_end_us) > PAUSE_US
                || executions.all[run.members[0].0].scope != execution.scope);
        if is_apart {
            done.push(std::mem::take(run));
        }
        run.members.push((at, writes.get(&record.connection).copied().unwrap_or(0)));
        run.last_place = *place;
        run.last_end_us = record.end_us;
    }
    done.extend(open.into_values());
    done
}

fn judge_run(
    executions: &Executions<'_>,
    run: &[(usize, u64)],
    suspected: &BTreeSet<usize>,
    threshold: usize,
) -> Vec<RepeatGroup> {
    let members: Vec<usize> = run.iter().map(|(at, _)| *at).collect();
    let Some(first) = members.first() else {
        return Vec::new();
    };
    if members.len() < threshold {
        return Vec::new();
    }
    let shape = executions.all[*first].shape;
    let reading = &executions.shapes[shape].reading;
    if reading.kind == Kind::Write {
        let single: Vec<usize> =
            members.iter().copied().filter(|at| writes_one_row(executions, *at)).collect();
        let is_varying = distinct_arguments(executions, &single) > 1;
        return (is_varying && single.len() >= threshold)
            .then(|| describe(executions, &single, RepeatKind::RowByRowWrites))
            .into_iter()
            .collect();
    }
    let mut found = Vec::new();
    let values = members.iter().filter_map(|at| key_values(executions, *at, suspected.contains(at)));
    let varying = values.collect::<HashSet<_>>().len();
    if varying >= DISTINCT_MIN.max(threshold) {
        found.push(describe(executions, &members, RepeatKind::WithoutVisibleParent));
        return found;
    }
    for same in equal_questions(executions, run).into_values() {
        if same.len() >= threshold && !reading.tables.is_empty() && !is_polled(executions, &same) {
            found.push(describe(executions, &same, RepeatKind::Redundant));
        }
    }
    found
}

/// The values at look-ups; none where there is no such placeholder. A name that
/// reads like an amount is no key, unless the values follow the rows of a result.
fn key_values(executions: &Executions<'_>, at: usize, is_suspected: bool) -> Option<Vec<u64>> {
    let is_key = |column: &str| is_suspected || is_key_like(column) || !is_measure(column);
    let reading = &executions.shapes[executions.all[at].shape].reading;
    let values: Vec<u64> = reading
        .placeholders
        .iter()
        .enumerate()
        .filter(|(_, placeholder)| match placeholder.role {
            Role::Lookup | Role::Pattern => {
                placeholder.column.as_ref().is_some_and(|column| is_key(&column.column))
            }
            Role::Call => true,
            Role::Unequal | Role::Range | Role::Count | Role::Carried => false,
        })
        .filter_map(|(position, _)| executions.single(at, position).map(|hash| hash.0))
        .collect();
    (!values.is_empty()).then_some(values)
}

/// Whether somebody waits between the members, each time about as long.
fn is_polled(executions: &Executions<'_>, members: &[usize]) -> bool {
    let record = |at: usize| executions.all[at].record;
    let waits =
        members.windows(2).map(|pair| record(pair[1]).start_us.saturating_sub(record(pair[0]).end_us));
    let (least, most) = waits.fold((u64::MAX, 0), |(least, most), wait| (least.min(wait), most.max(wait)));
    least >= WAIT_US && most * 2 <= least * 3
}

/// Executions with the same values and the same answer, no write between them.
fn equal_questions(executions: &Executions<'_>, run: &[(usize, u64)]) -> BTreeMap<Vec<u64>, Vec<usize>> {
    let mut questions: BTreeMap<Vec<u64>, Vec<usize>> = BTreeMap::new();
    for (at, writes) in run {
        let mut key = argument_key(&executions.all[*at].record.arguments);
        key.push(*writes);
        questions.entry(key).or_default().push(*at);
    }
    // Different answers are polling, or progress.
    questions.retain(|_, same| {
        let answer = |at: &usize| {
            let record = executions.all[*at].record;
            (record.rows, &record.values)
        };
        same.windows(2).all(|pair| answer(&pair[0]) == answer(&pair[1]))
    });
    questions
}

fn argument_key(arguments: &[Argument]) -> Vec<u64> {
    let mut key = Vec::new();
    for argument in arguments {
        match argument {
            Argument::Null => key.push(1),
            Argument::One(hash) => key.extend([2, hash.0]),
            Argument::Many { hashes, total } => {
                key.extend([3, u64::from(*total)]);
                key.extend(hashes.iter().map(|hash| hash.0));
            }
            Argument::Unknown => key.push(4),
        }
    }
    key
}

fn writes_one_row(executions: &Executions<'_>, at: usize) -> bool {
    let record = executions.all[at].record;
    record.rows <= 1 && !record.arguments.iter().any(|argument| matches!(argument, Argument::Many { .. }))
}

/// Different sets of arguments.
pub(super) fn distinct_arguments(executions: &Executions<'_>, members: &[usize]) -> usize {
    members
        .iter()
        .map(|at| argument_key(&executions.all[*at].record.arguments))
        .collect::<BTreeSet<_>>()
        .len()
}

fn describe(executions: &Executions<'_>, members: &[usize], kind: RepeatKind) -> RepeatGroup {
    let first = &executions.all[members[0]];
    let shape = executions.shapes[first.shape].shape;
    RepeatGroup {
        kind,
        scope: executions.scopes[first.scope].clone(),
        shape: ShapeReference { text: shape.text.clone(), hash: shape.hash },
        executions: members.len() as u64,
        distinct_values: distinct_arguments(executions, members) as u64,
        total_us: members
            .iter()
            .map(|at| executions.all[*at].record)
            .map(|record| record.end_us.saturating_sub(record.start_us))
            .sum(),
        call_site: members.iter().find_map(|at| call_site(executions.all[*at].record)),
    }
}
