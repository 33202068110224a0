//! A trace to its loops: a pure function.
//!
//! A child shape is N+1 when repeated executions take their varying value from
//! a column of earlier rows. The steps, a file each: executions in order
//! (`executions`), which results could have told a value (`sources`), which
//! placeholder varies (`positions`), the row that each execution was asked for
//! (`weave`), groups per parent (`group`), whether it is a loop (`judge`), and
//! what repeats without one (`repeats`).

use super::beyond::{adopt, beyond};
use super::executions::Executions;
use super::group::{Group, GroupKey, connections, group, most_per_parent, per_parent, roots};
use super::judge::{Judgement, Signs, judge, signs};
use super::left_over::count_in;
use super::parent::{KnownParent, known_parent};
use super::polymorphic::{Alternating, alternating};
use super::positions::deciding_positions;
use super::repeats::repeats;
use super::sources::Sources;
use super::strays::{Strays, doubtful, drop_strays};
use super::weave::{Assignments, Workers, Woven, weave};
use crate::model::evidence::n_plus_one::{Certainty, ColumnPair, LoopGroup, RepeatGroup, ShapeReference};
use crate::trace::{Outcome, StatementRecord, StatementShape, Trace};
use std::collections::{BTreeMap, BTreeSet};

/// How much less likely an execution has to be, on average, where each worker has
/// its own connection, for workers to be taken to share a pool. Measured: at
/// most 0.2 where they have one, and 0.5 to 2.8 where they share.
const SHARED_COST: f64 = 0.4;

/// What counts as a loop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetectOptions {
    /// Children of one parent execution, or of one enclosing loop, that make a loop.
    pub threshold: usize,
}

impl Default for DetectOptions {
    fn default() -> Self {
        Self { threshold: 5 }
    }
}

/// What a trace holds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Detection {
    /// Loops, the most executions first.
    pub loops: Vec<LoopGroup>,
    /// Other repetitions, the most executions first.
    pub repeats: Vec<RepeatGroup>,
    /// Every scope that something was asked in, or that the application named, in order of appearance.
    pub scopes: Vec<String>,
    /// Different shapes.
    pub shapes: u64,
    /// Arguments that children were asked with, by the loop's fingerprint, where the trace keeps values.
    pub samples: BTreeMap<String, Vec<ArgumentSet>>,
    /// Parents whose statements are known with all their values, by the loop's fingerprint.
    pub(super) parents: BTreeMap<String, KnownParent>,
}

/// The arguments of one execution as text, in the order of the shape.
pub type ArgumentSet = Vec<Option<String>>;

/// Levels of loops inside loops that executions left over are counted in on.
const LEFT_OVER_PASSES: usize = 8;

/// Different sets of arguments kept of a loop.
const SAMPLES_MAX: usize = 50;

/// Finds loops and other repetitions in a trace.
#[must_use]
pub fn detect(trace: &Trace, options: &DetectOptions) -> Detection {
    let executions = Executions::new(trace);
    let shape_bytes = trace.header.bounds.shape_bytes as usize;
    let threshold = options.threshold.max(2);
    let mut found = explained(&executions, threshold);
    let mut reported: BTreeMap<GroupKey, usize> = BTreeMap::new();
    let mut loops: Vec<(GroupKey, LoopGroup)> = Vec::new();
    let (mut explained, mut suspected) = (BTreeSet::<usize>::new(), BTreeSet::<usize>::new());
    let scope_times = scope_times(&executions);
    let uncertain = found.uncertain(&executions);
    let groups = std::mem::take(&mut found.groups);
    let Pass { assignments, sources, strays, .. } = &mut found;
    let grouped: BTreeSet<usize> = groups.iter().flat_map(|group| group.members.iter().copied()).collect();
    let judged: Vec<(Signs, Judgement)> = groups
        .iter()
        .map(|group| signs(&executions, assignments, sources, group, (&grouped, strays)))
        .map(|signs| (signs.clone(), judge(&signs)))
        .collect();
    let mut samples: BTreeMap<String, Vec<ArgumentSet>> = BTreeMap::new();
    let mut parents = BTreeMap::new();
    for (group, (signs, judgement)) in groups.iter().zip(&judged) {
        match judgement {
            Judgement::Loop(certainty) => {
                explained.extend(&group.members);
                let described = LoopGroup {
                    uncertain: uncertain.get(&(group.key.0, group.key.1)).copied().unwrap_or(0),
                    ..found.describe(
                        &executions,
                        group,
                        (signs.distinct, signs.explained),
                        *certainty,
                        &scope_times,
                    )
                };
                add_samples(&executions, group, samples.entry(described.fingerprint.clone()).or_default());
                if let Some(parent) =
                    known_parent(&executions, &found.assignments, &found.sources, group, shape_bytes)
                {
                    parents.entry(described.fingerprint.clone()).or_insert(parent);
                }
                loops.push((group.key, described));
            }
            Judgement::FixedSet => explained.extend(&group.members),
            Judgement::Chance if signs.looks_like_a_loop() => suspected.extend(&group.members),
            Judgement::Chance => {}
        }
    }
    let several = alternating(&executions, &mut found.assignments, &mut found.sources, &groups, threshold);
    for Alternating { group, certainty, distinct } in several {
        explained.extend(&group.members);
        let described = found.describe_alternating(&executions, &group, certainty, distinct, &scope_times);
        let of_child = of_child(&executions, &group);
        add_samples(&executions, &of_child, samples.entry(described.fingerprint.clone()).or_default());
        loops.push((group.key, described));
    }
    // A child of a single parent each is a chain, not a repetition of its own.
    explained.extend(found.single_children(&executions, &grouped, threshold));
    loops.sort_by(|(_, left), (_, right)| {
        right
            .executions
            .cmp(&left.executions)
            .then(left.fingerprint.cmp(&right.fingerprint))
            .then(left.scope.cmp(&right.scope))
    });
    for (at, (key, _)) in loops.iter().enumerate() {
        reported.insert(*key, at);
    }
    let inside: BTreeMap<GroupKey, GroupKey> =
        groups.iter().filter_map(|group| Some((group.key, group.inside?))).collect();
    let enclosing: Vec<Option<usize>> =
        loops.iter().map(|(key, _)| inside.get(key).and_then(|outer| reported.get(outer).copied())).collect();
    let mut loops: Vec<LoopGroup> = loops.into_iter().map(|(_, group)| group).collect();
    for (group, inside) in loops.iter_mut().zip(enclosing) {
        group.inside = inside;
    }
    let repeats = repeats(&executions, &explained, &suspected, threshold);
    samples.retain(|_, sets| !sets.is_empty());
    let shapes = executions.shapes.len() as u64;
    Detection { loops, repeats, scopes: executions.asked_scopes(), shapes, samples, parents }
}

/// The members of the child that the group's key names.
fn of_child(executions: &Executions<'_>, group: &Group) -> Group {
    let is_child = |at: &usize| executions.all[*at].shape == group.key.1;
    Group { members: group.members.iter().copied().filter(is_child).collect(), ..group.clone() }
}

/// Different arguments of a group's members, where they were kept.
fn add_samples(executions: &Executions<'_>, group: &Group, samples: &mut Vec<ArgumentSet>) {
    for arguments in group.members.iter().filter_map(|at| executions.all[*at].record.kept_arguments.as_ref())
    {
        if samples.len() >= SAMPLES_MAX {
            return;
        }
        if !samples.contains(arguments) {
            samples.push(arguments.clone());
        }
    }
}

/// Executions explained and grouped.
struct Pass {
    assignments: Assignments,
    sources: Sources,
    groups: Vec<Group>,
    strays: Strays,
}

/// Whether workers that share a pool explain the executions clearly better.
fn is_likelier(shared: &Woven, own: &Woven) -> bool {
    own.cost > shared.cost + SHARED_COST * own.executions as f64
}

fn explained(executions: &Executions<'_>, threshold: usize) -> Pass {
    let positions = deciding_positions(executions);
    let connection = |at: usize| executions.all[at].record.connection;
    let may_share = (1..executions.all.len()).any(|at| connection(at) != connection(0));
    // Neither knows of the other, and each takes most of the time.
    let (mut woven, shared) = std::thread::scope(|scope| {
        let shared = may_share.then(|| scope.spawn(|| weave(executions, &positions, Workers::Pool)));
        let own = weave(executions, &positions, Workers::Connections);
        let joined = |shared: std::thread::ScopedJoinHandle<'_, Woven>| {
            shared.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        (own, shared.map(joined))
    });
    if let Some(shared) = shared.filter(|shared| is_likelier(shared, &woven)) {
        woven = shared;
    }
    let Woven { mut assignments, mut sources, .. } = woven;
    let mut groups = group(executions, &assignments, &sources, threshold);
    let mut strays = None;
    // A row that is counted in may be the parent of others that are left over.
    for _ in 0..LEFT_OVER_PASSES {
        if !count_in(executions, &mut assignments, &mut sources, &groups) {
            if strays.is_some() {
                break;
            }
            strays = Some(drop_strays(executions, &mut assignments, &mut sources, &groups));
        }
        groups = group(executions, &assignments, &sources, threshold);
    }
    adopt(executions, &assignments, &mut sources, &mut groups);
    Pass { assignments, sources, groups, strays: strays.unwrap_or_default() }
}

impl Pass {
    /// Executions by loop that are counted to it, or to another, and were about as
    /// likely asked for the rows of the other, or for no row: by root result set and child.
    fn uncertain(&mut self, executions: &Executions<'_>) -> BTreeMap<(usize, usize), u64> {
        let roots = roots(&self.groups);
        let root =
            |result: usize| roots.get(&executions.results[result].execution).copied().unwrap_or(result);
        let mut counts =
            doubtful(executions, &self.assignments, &mut self.sources, (&self.groups, &self.strays));
        for (at, assignment) in self.assignments.iter().enumerate() {
            let Some((result, other)) = assignment.and_then(|found| Some((found.result, found.other?)))
            else {
                continue;
            };
            let (own, other) = (roots.get(&at).copied().unwrap_or_else(|| root(result)), root(other));
            if own != other {
                for root in [own, other] {
                    *counts.entry((root, executions.all[at].shape)).or_default() += 1;
                }
            }
        }
        counts
    }

    /// Candidates whose value another statement's row told, fewer times than the threshold.
    fn single_children(
        &self,
        executions: &Executions<'_>,
        grouped: &BTreeSet<usize>,
        threshold: usize,
    ) -> Vec<usize> {
        let mut children: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for at in (0..executions.all.len()).filter(|at| !grouped.contains(at)) {
            if let Some(found) = self.assignments[at].filter(|found| found.affinity >= 0.5) {
                let value = executions.key(at, found.position).map(|value| value.0);
                children.entry((found.result, executions.all[at].shape, value)).or_default().push(at);
            }
        }
        children.into_values().filter(|same| same.len() < threshold).flatten().collect()
    }

    fn describe(
        &mut self,
        executions: &Executions<'_>,
        group: &Group,
        (distinct, explained): (usize, f64),
        certainty: Certainty,
        scope_times: &[u64],
    ) -> LoopGroup {
        let (_, shape, parent, _) = group.key;
        let parents = per_parent(&self.assignments, group);
        let parent_shape = executions.shapes[parent].shape;
        let child_shape = executions.shapes[shape].shape;
        let records: Vec<&StatementRecord> =
            group.members.iter().map(|member| executions.all[*member].record).collect();
        let scope = group.members.first().map_or(0, |member| executions.all[*member].scope);
        let total_us: u64 = records.iter().map(|record| record.end_us.saturating_sub(record.start_us)).sum();
        let scope_us = scope_times.get(scope).copied().unwrap_or(0).max(1);
        let pairs = self.pairs(executions, group);
        let to = pairs.first().map_or("", |pair| pair.to.as_str());
        let flow = format!("{}>{to}", self.result_name(group.source));
        LoopGroup {
            fingerprint: fingerprint(executions.identity(parent), executions.identity(shape), &flow),
            scope: executions.scopes[scope].clone(),
            parent: reference(parent_shape),
            child: reference(child_shape),
            other_children: group
                .others
                .iter()
                .map(|shape| reference(executions.shapes[*shape].shape))
                .collect(),
            pairs,
            executions: group.members.len() as u64,
            parent_executions: parents.len() as u64,
            parent_rows: parents.keys().map(|result| executions.results[*result].rows).sum(),
            most_per_parent: most_per_parent(&self.assignments, group),
            distinct_values: distinct as u64,
            uncertain: 0,
            beyond_kept: beyond(&self.assignments, group) as u64,
            explained,
            empty: records.iter().filter(|record| record.rows == 0 && record.outcome == Outcome::Ok).count()
                as u64,
            failed: records.iter().filter(|record| record.outcome != Outcome::Ok).count() as u64,
            total_us,
            share_of_scope: (total_us as f64 / scope_us as f64).min(1.0),
            connections: connections(executions, group) as u64,
            inside: None,
            certainty,
            call_site: records.iter().find_map(|record| call_site(record)),
            accepted: None,
        }
    }

    /// A loop over several children: named after the parent's column, as another run may
    /// ask for rows of other kinds.
    fn describe_alternating(
        &mut self,
        executions: &Executions<'_>,
        group: &Group,
        certainty: Certainty,
        distinct: usize,
        scope_times: &[u64],
    ) -> LoopGroup {
        let mut described = self.describe(executions, group, (distinct, 1.0), certainty, scope_times);
        described.pairs = self.pairs(executions, &of_child(executions, group));
        described.pairs.truncate(1);
        let flow = format!("{}>*", self.result_name(group.source));
        described.pairs.iter_mut().for_each(|pair| pair.explained = group.members.len() as u64);
        LoopGroup { fingerprint: fingerprint(executions.identity(group.key.2), 0, &flow), ..described }
    }

    /// Placeholders of an execution whose values stand in columns of a result set.
    fn matches(
        &mut self,
        executions: &Executions<'_>,
        member: usize,
        (result, deciding): (usize, usize),
    ) -> Vec<(usize, usize)> {
        let placeholders = &executions.shapes[executions.all[member].shape].reading.placeholders;
        let asked = placeholders.iter().enumerate().filter(|(at, found)| found.asks() || *at == deciding);
        let values = asked.filter_map(|(at, _)| Some((at, executions.key(member, at)?)));
        values
            .flat_map(|(at, value)| {
                let holding = self.sources.holding(executions, result, value);
                holding.into_iter().map(move |source| (at, source))
            })
            .collect()
    }

    /// The deciding column pair, then others whose values come from the same rows.
    fn pairs(&mut self, executions: &Executions<'_>, group: &Group) -> Vec<ColumnPair> {
        let (shape, source) = (group.key.1, group.source);
        let mut counts: BTreeMap<(usize, usize), u64> = BTreeMap::new();
        for member in &group.members {
            let Some(assignment) = self.assignments[*member] else { continue };
            for (position, source) in
                self.matches(executions, *member, (assignment.result, assignment.position))
            {
                *counts.entry((position, source)).or_default() += 1;
            }
        }
        let deciding =
            group.members.iter().find_map(|member| self.assignments[*member]).map_or(0, |a| a.position);
        let pair = |position: usize, source: usize, explained: u64| ColumnPair {
            from: self.source_name(source),
            to: executions.shapes[shape].reading.compared_name(position),
            explained,
        };
        let own = counts.get(&(deciding, source)).copied().unwrap_or(0);
        let mut pairs = vec![pair(deciding, source, own)];
        let whole = group.members.len() as u64;
        let mut positions = BTreeSet::from([deciding]);
        // Other columns of the parent that feed the same placeholder in turn.
        let fed_by: BTreeMap<usize, u64> = group
            .members
            .iter()
            .filter_map(|member| self.assignments[*member])
            .fold(BTreeMap::new(), |mut counts, assignment| {
                *counts.entry(assignment.source).or_default() += 1;
                counts
            });
        let shares = fed_by.into_iter().filter(|(other, fed)| *other != source && fed * 4 >= whole);
        pairs.extend(shares.map(|(other, fed)| pair(deciding, other, fed)));
        for ((position, source), explained) in counts {
            if explained * 10 >= whole * 9 && positions.insert(position) {
                pairs.push(pair(position, source, explained));
            }
        }
        pairs
    }

    /// What the result calls a column. It was on the wire, so that it is the same whether or not
    /// anybody could say later which table the column is of.
    fn result_name(&self, source: usize) -> &str {
        &self.sources.list[source].name.name
    }

    fn source_name(&self, source: usize) -> String {
        let name = &self.sources.list[source].name;
        let column = name.source_name.as_ref().unwrap_or(&name.name);
        match &name.table {
            Some(table) => format!("{table}.{column}"),
            None => column.clone(),
        }
    }
}

fn reference(shape: &StatementShape) -> ShapeReference {
    ShapeReference { text: shape.text.clone(), hash: shape.hash }
}

/// Sixteen hexadecimal digits: the same loop has the same ones on every machine.
fn fingerprint(parent: u64, child: u64, flow: &str) -> String {
    let mut bytes = parent.to_le_bytes().to_vec();
    bytes.extend_from_slice(&child.to_le_bytes());
    bytes.extend_from_slice(flow.as_bytes());
    format!("{:016x}", xxhash_rust::xxh3::xxh3_64(&bytes))
}

/// Time of all statements by scope, in microseconds.
fn scope_times(executions: &Executions<'_>) -> Vec<u64> {
    let mut times = vec![0_u64; executions.scopes.len()];
    for execution in &executions.all {
        times[execution.scope] += execution.record.end_us.saturating_sub(execution.record.start_us);
    }
    times
}

/// Where in the code, from the framework's tags.
pub(super) fn call_site(record: &StatementRecord) -> Option<String> {
    let tags = record.tags.as_ref()?;
    let place = match (tags.get("file"), tags.get("line")) {
        (Some(file), Some(line)) => Some(format!("{file}:{line}")),
        (Some(file), None) => Some(file.to_owned()),
        _ => tags.get("source_location").or_else(|| tags.get("callsite")).map(str::to_owned),
    };
    place.or_else(|| match (tags.get("controller"), tags.get("action")) {
        (Some(controller), Some(action)) => Some(format!("{controller}#{action}")),
        (Some(controller), None) => Some(controller.to_owned()),
        _ => tags.get("route").map(str::to_owned),
    })
}
