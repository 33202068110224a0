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

use super::affinity::{SPOKEN_AGAINST, WELL_CALLED};
use super::executions::Executions;
use super::hashing::{Set, Table};
use super::positions::{Deciding, Positions, events, feeding};
use super::sources::{Sources, Standing};
use crate::trace::ValueHash;
use cursor::{Cursor, Move, Rows};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use way::{Best, NOWHERE, Started, Step, Way};

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

/// Places of columns that were not kept whole, for each child.
const CUT_MAX: usize = 16;

/// Scopes and streams whose last executions are not settled.
const OPEN_MAX: usize = 256;

/// What an execution's value is put down to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Assignment {
    pub(super) position: usize,
    pub(super) source: usize,
    pub(super) result: usize,
    pub(super) in_order: bool,
    /// It goes on behind the rows whose values were kept.
    pub(super) is_beyond: bool,
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

/// The scope that the application named, and what keeps workers apart.
type Stream = (Option<Arc<str>>, u64);

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
    /// None where the value was not kept.
    standing: Option<Standing>,
    /// Different values that were kept.
    different: usize,
    affinity: f64,
    /// What does not depend on the cursor.
    cost: f64,
    /// What a cursor that starts here costs more.
    start_cost: f64,
    /// Where the settled cursor stands, and how it gets to the value: what holds on
    /// all ways that have not moved it since.
    settled: Option<Cursor>,
    moved: Option<(Cursor, Move)>,
    /// It costs no less there.
    least: f64,
}

/// One more execution on a way.
struct Continued {
    /// The way's place in the list.
    way: usize,
    /// The choice's place in the list; behind the last one: none led to it.
    choice: usize,
    step: Step,
    /// Of the way with it.
    cost: f64,
    /// Likewise.
    state: u64,
}

struct Weaver<'e, 't> {
    executions: &'e Executions<'t>,
    /// The deciding placeholder of each shape, and what cannot be behind it.
    positions: &'e Positions,
    workers: Workers,
    sources: Sources,
    /// The ways by the scope that the application named, and the stream.
    open: BTreeMap<Stream, (usize, Vec<Way>)>,
    /// The same by the last execution.
    used: BTreeMap<usize, Stream>,
    /// Numbers of places.
    numbers: Table<Place, u32>,
    places: Vec<Place>,
    /// By number, the choice that is at the place, while one execution is laid.
    chosen: Vec<usize>,
    /// The last places by the child's shape whose columns were not kept whole.
    cut: Table<usize, Vec<u32>>,
    /// Where cursors stand that no open way has moved since.
    settled: Vec<Option<Cursor>>,
    asked: Set<(u32, ValueHash)>,
    /// The number of the place of each settled execution.
    laid: Vec<u32>,
    /// Columns that fed cursors, and the children, by the parent's shape.
    fed: BTreeMap<usize, BTreeSet<(usize, usize)>>,
    /// Cursors started, by column and child.
    started: Table<(usize, usize), u32>,
    woven: (Assignments, f64, usize),
}

/// Assigns all candidates of a trace.
pub(super) fn weave(executions: &Executions<'_>, positions: &Positions, workers: Workers) -> Woven {
    let mut weaver = Weaver {
        executions,
        positions,
        workers,
        sources: Sources::default(),
        open: BTreeMap::new(),
        used: BTreeMap::new(),
        numbers: Table::default(),
        places: Vec::new(),
        chosen: Vec::new(),
        cut: Table::default(),
        settled: Vec::new(),
        asked: Set::default(),
        laid: vec![NOWHERE; executions.all.len()],
        fed: BTreeMap::new(),
        started: Table::default(),
        woven: (vec![None; executions.all.len()], 0.0, 0),
    };
    for (execution, is_result) in events(executions) {
        if is_result {
            weaver.sources.insert(executions, execution);
        } else {
            weaver.take(execution);
        }
    }
    for (_, (_, mut ways)) in std::mem::take(&mut weaver.open) {
        weaver.settle(&mut ways, 0);
    }
    let Weaver { woven: (assignments, cost, laid), sources, .. } = weaver;
    Woven { assignments, sources, cost, executions: laid }
}

impl Weaver<'_, '_> {
    fn take(&mut self, execution: usize) {
        let shape = self.executions.all[execution].shape;
        let Some(deciding) = self.positions.deciding[shape] else { return };
        let Some(value) = self.executions.key(execution, deciding.position) else { return };
        let choices = self.choices(execution, deciding, value);
        if choices.is_empty() {
            return;
        }
        let scope = (self.executions.all[execution].record.scope.clone(), self.stream(execution));
        let ways = match self.open.remove(&scope) {
            Some((last, ways)) => {
                self.used.remove(&last);
                ways
            }
            None => vec![Way::default()],
        };
        let mut next = self.go_on(ways, execution, value, &choices);
        let lag = if next.len() == 1 { 0 } else { LAG };
        self.settle(&mut next, lag);
        let best = next[0].cost;
        next.iter_mut().for_each(|way| way.cost -= best);
        self.used.insert(execution, scope.clone());
        self.open.insert(scope, (execution, next));
        self.settle_idle();
    }

    /// Settles what has gone on least lately, where too many are open.
    fn settle_idle(&mut self) {
        while self.open.len() > OPEN_MAX
            && let Some((_, stream)) = self.used.pop_first()
        {
            if let Some((_, mut ways)) = self.open.remove(&stream) {
                self.settle(&mut ways, 0);
            }
        }
    }

    /// The cheapest ways with one more execution, the cheapest first.
    fn go_on(&mut self, ways: Vec<Way>, execution: usize, value: ValueHash, choices: &[Choice]) -> Vec<Way> {
        let mut steps = self.steps(&ways, execution, value, choices);
        // The later result set of equals, then the better way and the earlier choice.
        let result = |step: &Continued| choices.get(step.choice).map_or(0, |choice| choice.at.result);
        steps.sort_unstable_by(|left, right| {
            let by_place = || (left.way, left.choice).cmp(&(right.way, right.choice));
            left.cost
                .total_cmp(&right.cost)
                .then_with(|| result(right).cmp(&result(left)))
                .then_with(by_place)
        });
        let mut states = Set::default();
        let mut next = Vec::new();
        for Continued { way, choice, mut step, state, .. } in steps {
            if next.len() == WAYS_MAX {
                break;
            }
            if !states.insert(state) {
                continue;
            }
            if let (Some(choice), Some((number, _))) = (choices.get(choice), &mut step.at) {
                *number = self.number(choice.at);
            }
            next.push(ways[way].and(step, state));
        }
        next
    }

    /// All ways with one more execution that can be among the next ones.
    fn steps(
        &mut self,
        ways: &[Way],
        execution: usize,
        value: ValueHash,
        choices: &[Choice],
    ) -> Vec<Continued> {
        let mut chosen = std::mem::take(&mut self.chosen);
        let numbers = || choices.iter().enumerate().filter_map(|(at, choice)| Some((choice.number?, at)));
        numbers().for_each(|(number, at)| chosen[number as usize] = at);
        let mut by_least: Vec<usize> = (0..choices.len()).collect();
        by_least.sort_by(|left, right| choices[*left].least.total_cmp(&choices[*right].least));
        let mut moved: Vec<Option<Cursor>> = vec![None; choices.len()];
        let mut started = Started::default();
        let mut steps: Vec<Continued> = Vec::new();
        let mut best = Best::default();
        let cheapest = choices.iter().map(|choice| choice.cost).fold(f64::INFINITY, f64::min);
        for (at, way) in ways.iter().enumerate() {
            if way.cost + costs::least_of_all(cheapest) > best.limit() {
                break;
            }
            moved.fill(None);
            for (place, step) in way.moves() {
                if let Some(moved) = moved.get_mut(chosen[place as usize]) {
                    *moved = step.at.map(|(_, cursor)| cursor);
                }
            }
            started.clear();
            for index in &by_least {
                let choice = &choices[*index];
                if moved[*index].is_none() && choice.least > best.limit() - way.cost {
                    continue;
                }
                let limit = best.limit() - way.cost;
                let step = self.step(way, &mut started, (execution, value), choice, moved[*index], limit);
                if let Some(step) = step {
                    let before = moved[*index].or(choice.settled);
                    let state = way.state ^ choice.at.change(before, step.at.map(|(_, cursor)| cursor));
                    let cost = way.cost + step.cost;
                    best.add(cost, state);
                    steps.push(Continued { way: at, choice: *index, step, cost, state });
                }
            }
            let step = Step::unexplained(execution, value);
            let (cost, state) = (way.cost + step.cost, way.state);
            best.add(cost, state);
            steps.push(Continued { way: at, choice: choices.len(), step, cost, state });
        }
        numbers().for_each(|(number, _)| chosen[number as usize] = usize::MAX);
        self.chosen = chosen;
        steps.retain(|step| step.cost <= best.limit());
        steps
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
        self.laid[step.execution] = number;
        self.woven.0[step.execution] = Some(Assignment {
            position: self.positions.deciding[place.shape].map_or(0, |deciding| deciding.position),
            source: place.source,
            result: place.result,
            in_order: step.is_in_order,
            is_beyond: step.is_beyond,
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

    fn choices(&mut self, execution: usize, deciding: Deciding, value: ValueHash) -> Vec<Choice> {
        let Deciding { position, fit } = deciding;
        let shape = self.executions.all[execution].shape;
        let stream = self.stream(execution);
        let known: Vec<&(usize, Vec<usize>)> =
            feeding(self.executions, &self.sources, shape, position, value).collect();
        let is_list = self.executions.is_list(execution, position);
        let mut places: Vec<(Place, f64)> = Vec::new();
        for (source, results) in known {
            // What holds any value by chance, or is called otherwise, is the parent only where it came just before.
            let is_poor = self.sources.list[*source].most_rows <= 1
                || self
                    .sources
                    .known_affinity(*source, shape, position)
                    .is_some_and(|fit| fit <= SPOKEN_AGAINST);
            let results_max = if is_poor { POOR_RESULTS_MAX } else { usize::MAX };
            let able = results.iter().rev().filter(|result| self.executions.can_feed(**result, execution));
            let first = places.len();
            for result in able.take(results_max) {
                // A cursor fetched in turns with others comes more than once.
                if places[first..].iter().all(|(place, _)| place.result != *result) {
                    places.push((Place { result: *result, source: *source, shape, stream }, 0.0));
                }
            }
        }
        // A list comes out of one result set as a whole.
        if is_list {
            places.retain(|(place, _)| self.holds_all(execution, position, *place));
        }
        // Own rows lead on in a tree only, where nothing else is called better.
        places.retain(|(place, _)| {
            let own = &mut self.sources;
            if own.list[place.source].shape != shape {
                return true;
            }
            let affinity = own.affinity(self.executions, place.source, shape, position);
            let is_cyclic = self.positions.cyclic.contains(&(shape, own.list[place.source].column));
            affinity >= fit && (!is_cyclic || affinity >= WELL_CALLED)
        });
        for (place, cost) in &mut places {
            let affinity = self.sources.affinity(self.executions, place.source, shape, position);
            *cost = self.fixed_cost(execution, value, *place, affinity);
        }
        if places.len() > CHOICES_MAX {
            places.sort_by(|(left, left_cost), (right, right_cost)| {
                left_cost.total_cmp(right_cost).then(right.result.cmp(&left.result))
            });
            places.truncate(CHOICES_MAX);
        }
        let mut choices: Vec<Choice> = places
            .into_iter()
            .map(|(place, cost)| self.choice(execution, position, value, place, cost))
            .collect();
        if !is_list {
            self.add_cut(execution, position, value, &mut choices);
        }
        choices
    }

    fn holds_all(&mut self, execution: usize, position: usize, at: Place) -> bool {
        let column = self.sources.list[at.source].column;
        let asked = self.executions.asked(execution, position);
        asked.iter().all(|value| self.sources.standing(self.executions, at.result, column, *value).is_some())
    }

    fn choice(
        &mut self,
        execution: usize,
        position: usize,
        value: ValueHash,
        at: Place,
        cost: f64,
    ) -> Choice {
        let column = self.sources.list[at.source].column;
        let standing = self.sources.standing(self.executions, at.result, column, value);
        let affinity = self.sources.affinity(self.executions, at.source, at.shape, position);
        let start_cost = self.start_cost(execution, at, affinity);
        let number = self.numbers.get(&at).copied();
        let settled = number.and_then(|number| self.settled[number as usize]);
        let different = self.sources.distinct(self.executions, at.result, column);
        let rows = self.rows(at, different);
        let moved = Cursor::advance(settled, rows, value, standing, execution);
        let least =
            |(_, movement): (Cursor, Move)| cost + movement.cost() + costs::least(movement, start_cost);
        let least = moved.map_or(f64::INFINITY, least);
        Choice { at, number, standing, different, affinity, cost, start_cost, settled, moved, least }
    }

    /// The rows of a place's column.
    fn rows(&self, at: Place, different: usize) -> Rows<'_> {
        let (result, column) = (&self.executions.results[at.result], self.sources.list[at.source].column);
        let kept = result.columns[column].as_slice();
        Rows { kept, all: result.rows_of(column), different }
    }

    /// Adds the cursors that may go on behind the rows that were kept, whatever is asked for.
    fn add_cut(&mut self, execution: usize, position: usize, value: ValueHash, choices: &mut Vec<Choice>) {
        let shape = self.executions.all[execution].shape;
        for number in self.cut.get(&shape).cloned().unwrap_or_default() {
            let at = self.places[number as usize];
            let is_known = choices.iter().any(|choice| choice.at == at);
            if is_known
                || at.stream != self.stream(execution)
                || !self.executions.can_feed(at.result, execution)
            {
                continue;
            }
            let affinity = self.sources.affinity(self.executions, at.source, shape, position);
            let cost = self.fixed_cost(execution, value, at, affinity);
            choices.push(self.choice(execution, position, value, at, cost));
        }
    }

    fn number(&mut self, place: Place) -> u32 {
        if let Some(known) = self.numbers.get(&place) {
            return *known;
        }
        let number = self.places.len() as u32;
        self.numbers.insert(place, number);
        self.places.push(place);
        self.chosen.push(usize::MAX);
        self.settled.push(None);
        if self.executions.results[place.result].is_cut(self.sources.list[place.source].column) {
            let cut = self.cut.entry(place.shape).or_default();
            if cut.len() == CUT_MAX {
                cut.remove(0);
            }
            cut.push(number);
        }
        number
    }
}
