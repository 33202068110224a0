//! Executions laid over the rows before them: which row each was asked for.
//!
//! Values coincide, and over a pool nothing on the wire names a worker. But a
//! loop asks in the order of its parent's rows. So each execution continues one
//! of the cursors that stand in earlier results, or starts one, and the cheapest
//! way to lay all executions over all cursors counts. Which cursor was meant
//! often shows only a few executions later; so several ways are followed at
//! once, and each execution is settled with the then cheapest one (a beam search
//! with a fixed lag). Time and memory are bounded by [`WAYS_MAX`], [`LAG`] and
//! [`CHOICES_MAX`] for each execution.

mod costs;
mod cursor;
mod way;

use super::affinity::SPOKEN_AGAINST;
use super::executions::Executions;
use super::positions::{events, feeding};
use super::sources::{Sources, Standing};
use crate::trace::ValueHash;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use way::{Step, Way};

/// Ways followed at once.
const WAYS_MAX: usize = 24;
/// Ways this much worse than the best are given up.
const MARGIN: f64 = 5.0;
/// Executions after which one is settled.
const LAG: usize = 48;
/// Result sets weighed of a column that is a poor source.
const POOR_RESULTS_MAX: usize = 4;
/// Cursors weighed for one execution, the cheapest by what does not depend on where they stand.
const CHOICES_MAX: usize = 32;

/// What an execution's value is put down to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Assignment {
    pub(super) position: usize,
    pub(super) source: usize,
    pub(super) result: usize,
    pub(super) in_order: bool,
    pub(super) affinity: f64,
    /// Another result set that it was about as likely asked for.
    pub(super) other: Option<usize>,
}

/// Per execution, its assignment.
pub(super) type Assignments = Vec<Option<Assignment>>;

/// What keeps workers apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Workers {
    /// Each has a connection of its own.
    Connections,
    /// Nothing: they share a pool.
    Pool,
}

/// All candidates laid over the results before them.
#[derive(Debug)]
pub(super) struct Woven {
    pub(super) assignments: Assignments,
    pub(super) sources: Sources,
    /// How unlikely all of it is.
    pub(super) cost: f64,
    /// Executions laid.
    pub(super) executions: usize,
}

/// A column of a result set, and the statement asked for its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Place {
    result: usize,
    source: usize,
    shape: usize,
    /// The connection, where each worker is taken to have its own.
    stream: u64,
}

/// A cursor that could have led to an execution.
#[derive(Debug, Clone, Copy)]
struct Choice {
    at: Place,
    /// Its number, where a cursor ever stood there.
    number: Option<u32>,
    standing: Standing,
    affinity: f64,
    /// What does not depend on the cursor.
    cost: f64,
    /// What a cursor that starts here costs more.
    start_cost: f64,
}

struct Weaver<'e, 't> {
    executions: &'e Executions<'t>,
    /// The deciding placeholder of each shape.
    positions: &'e [Option<usize>],
    workers: Workers,
    sources: Sources,
    /// The ways by the scope that the application named, and the stream.
    open: BTreeMap<(Option<Arc<str>>, u64), Vec<Way>>,
    /// Numbers of places.
    numbers: HashMap<Place, u32>,
    places: Vec<Place>,
    /// Where cursors stand that no open way has moved since.
    settled: Vec<Option<cursor::Cursor>>,
    asked: HashSet<(u32, ValueHash)>,
    /// The place of each settled execution.
    laid: HashMap<usize, u32>,
    /// Columns that fed cursors, and the children, by the parent's shape.
    fed: BTreeMap<usize, BTreeSet<(usize, usize)>>,
    /// Cursors started, by column and child.
    started: HashMap<(usize, usize), u32>,
    woven: (Assignments, f64, usize),
}

/// Assigns all candidates of a trace.
pub(super) fn weave(executions: &Executions<'_>, positions: &[Option<usize>], workers: Workers) -> Woven {
    let mut weaver = Weaver {
        executions,
        positions,
        workers,
        sources: Sources::default(),
        open: BTreeMap::new(),
        numbers: HashMap::new(),
        places: Vec::new(),
        settled: Vec::new(),
        asked: HashSet::new(),
        laid: HashMap::new(),
        fed: BTreeMap::new(),
        started: HashMap::new(),
        woven: (vec![None; executions.all.len()], 0.0, 0),
    };
    for (execution, is_result) in events(executions) {
        if is_result {
            weaver.sources.insert(executions, execution);
        } else {
            weaver.take(execution);
        }
    }
    for (_, mut ways) in std::mem::take(&mut weaver.open) {
        weaver.settle(&mut ways, 0);
    }
    let Weaver { woven: (assignments, cost, laid), sources, .. } = weaver;
    Woven { assignments, sources, cost, executions: laid }
}

impl Weaver<'_, '_> {
    fn take(&mut self, execution: usize) {
        let shape = self.executions.all[execution].shape;
        let Some(position) = self.positions[shape] else { return };
        let Some(value) = self.executions.key(execution, position) else { return };
        let choices = self.choices(execution, position, value);
        if choices.is_empty() {
            return;
        }
        let scope = (self.executions.all[execution].record.scope.clone(), self.stream(execution));
        let ways = self.open.remove(&scope).unwrap_or_else(|| vec![Way::default()]);
        let mut next = self.go_on(ways, execution, value, &choices);
        let lag = if next.len() == 1 { 0 } else { LAG };
        self.settle(&mut next, lag);
        let best = next[0].cost;
        next.iter_mut().for_each(|way| way.cost -= best);
        self.open.insert(scope, next);
    }

    /// The cheapest ways with one more execution, the cheapest first.
    fn go_on(&mut self, ways: Vec<Way>, execution: usize, value: ValueHash, choices: &[Choice]) -> Vec<Way> {
        let mut steps: Vec<(usize, Option<Choice>, Step)> = Vec::new();
        let mut limit = f64::INFINITY;
        for (at, way) in ways.iter().enumerate() {
            for choice in choices {
                if let Some(step) = self.step(way, execution, value, choice, limit - way.cost) {
                    limit = limit.min(way.cost + step.cost + MARGIN);
                    steps.push((at, Some(*choice), step));
                }
            }
            steps.push((at, None, Step::unexplained(execution, value)));
        }
        let cost = |(at, _, step): &(usize, Option<Choice>, Step)| ways[*at].cost + step.cost;
        steps.retain(|step| cost(step) <= limit);
        // The later result set of equals.
        let result = |choice: &Option<Choice>| choice.map_or(0, |choice| choice.at.result);
        steps.sort_by(|left, right| {
            cost(left).total_cmp(&cost(right)).then_with(|| result(&right.1).cmp(&result(&left.1)))
        });
        let mut states = HashSet::new();
        let mut next = Vec::new();
        for (at, choice, mut step) in steps {
            if next.len() == WAYS_MAX {
                break;
            }
            if let (Some(choice), Some((number, _))) = (choice, &mut step.at) {
                *number = self.number(choice.at);
            }
            let state = ways[at].state ^ self.change(&ways[at], &step);
            if states.insert(state) {
                next.push(ways[at].and(step, state));
            }
        }
        next
    }

    /// Settles all but the last `lag` executions as the best way has them; ways
    /// that have them otherwise end.
    fn settle(&mut self, ways: &mut Vec<Way>, lag: usize) {
        while ways.first().is_some_and(|best| best.steps.len() > lag) {
            let settled = ways[0].steps[0];
            let place = |step: &Step| step.at.map(|(place, _)| place);
            let rivals = ways.iter().take_while(|way| way.cost < ways[0].cost + costs::DOUBT);
            let mut others = rivals.filter_map(|way| place(&way.steps[0]));
            let other = others.find(|other| Some(*other) != place(&settled));
            let other = other.map(|number| self.places[number as usize].result);
            ways.retain(|way| place(&way.steps[0]) == place(&settled));
            ways.iter_mut().for_each(Way::forget_first);
            self.settle_step(&settled, other);
        }
    }

    fn settle_step(&mut self, step: &Step, other: Option<usize>) {
        self.woven.1 += step.cost;
        let Some((number, cursor)) = step.at else { return };
        let place = self.places[number as usize];
        if self.settled[number as usize].replace(cursor).is_none() {
            *self.started.entry((place.source, place.shape)).or_default() += 1;
            let parent = self.sources.list[place.source].shape;
            self.fed.entry(parent).or_default().insert((place.source, place.shape));
        }
        self.asked.insert((number, step.value));
        self.laid.insert(step.execution, number);
        self.woven.0[step.execution] = Some(Assignment {
            position: self.positions[place.shape].unwrap_or(0),
            source: place.source,
            result: place.result,
            in_order: step.is_in_order,
            affinity: step.affinity,
            other,
        });
    }

    /// What keeps workers apart: their connections, or nothing.
    fn stream(&self, execution: usize) -> u64 {
        match self.workers {
            Workers::Connections => self.executions.all[execution].record.connection,
            Workers::Pool => 0,
        }
    }

    fn choices(&mut self, execution: usize, position: usize, value: ValueHash) -> Vec<Choice> {
        let shape = self.executions.all[execution].shape;
        let stream = self.stream(execution);
        let known: Vec<&(usize, Vec<usize>)> =
            feeding(self.executions, &self.sources, shape, position, value).collect();
        let mut places: Vec<Place> = Vec::new();
        for (source, results) in known {
            // What holds any value by chance, or is called otherwise, is the parent only where it came just before.
            let is_poor = self.sources.list[*source].most_rows <= 1
                || self
                    .sources
                    .known_affinity(*source, shape, position)
                    .is_some_and(|fit| fit <= SPOKEN_AGAINST);
            let results_max = if is_poor { POOR_RESULTS_MAX } else { usize::MAX };
            let able = results.iter().rev().filter(|result| self.executions.can_feed(**result, execution));
            places.extend(able.take(results_max).map(|result| Place {
                result: *result,
                source: *source,
                shape,
                stream,
            }));
        }
        let mut choices: Vec<Choice> =
            places.into_iter().filter_map(|place| self.choice(execution, position, value, place)).collect();
        if choices.len() > CHOICES_MAX {
            choices.sort_by(|left, right| {
                left.cost.total_cmp(&right.cost).then(right.at.result.cmp(&left.at.result))
            });
            choices.truncate(CHOICES_MAX);
        }
        choices
    }

    fn choice(&mut self, execution: usize, position: usize, value: ValueHash, at: Place) -> Option<Choice> {
        let column = self.sources.list[at.source].column;
        let standing = self.sources.standing(self.executions, at.result, column, value)?;
        // A list comes out of one result set as a whole.
        let rest = self.executions.asked(execution, position).get(1..).unwrap_or_default();
        if !rest
            .iter()
            .all(|other| self.sources.standing(self.executions, at.result, column, *other).is_some())
        {
            return None;
        }
        let affinity = self.sources.affinity(self.executions, at.source, at.shape, position);
        let cost = self.fixed_cost(execution, value, at, affinity);
        let start_cost = self.start_cost(execution, at, affinity);
        let number = self.numbers.get(&at).copied();
        Some(Choice { at, number, standing, affinity, cost, start_cost })
    }

    fn number(&mut self, place: Place) -> u32 {
        *self.numbers.entry(place).or_insert_with(|| {
            self.places.push(place);
            self.settled.push(None);
            (self.places.len() - 1) as u32
        })
    }
}
