//! What it costs to lay an execution over a cursor: the less likely, the more.
//! Costs are about the logarithm of how much less likely; chosen on the known
//! scenarios, and held against sets that were not looked at.

use super::cursor::{Cursor, Move};
use super::way::{NOWHERE, Started, Step, Way};
use super::{Choice, Place, Weaver, Workers};
use crate::scenarios::n_plus_one::affinity::{Affinity, SPOKEN_AGAINST};
use crate::scenarios::n_plus_one::pace::is_pause;
use crate::trace::ValueHash;

/// An execution that no earlier row explains: more than a jump out of the order of rows and back.
pub(super) const UNEXPLAINED: f64 = 11.0;
/// A way that is so little worse leaves an execution in doubt.
pub(super) const DOUBT: f64 = 1.0;

/// Names of full fit against none, where a cursor starts and for each execution.
const NAME_AT_START: f64 = 0.6;
const NAME_PER_STEP: f64 = 0.4;
/// Names that speak against it.
const AGAINST: f64 = 4.0;
/// The parent was asked for this very value, so it only passed it on.
const ECHO: f64 = 1.5;
/// A single row of the child's own statement holds any value by chance.
const OWN_ROW: f64 = 3.0;
/// Another transaction than the parent's; a transaction where the parent had none.
const OTHER_TRANSACTION: f64 = 2.5;
const NEW_TRANSACTION: f64 = 1.0;
/// Another connection, where each worker is taken to have its own.
const OTHER_CONNECTION: f64 = 2.0;
/// A start in an old result, at most and for each e-fold of executions since.
const AGE_MAX: f64 = 1.5;
const AGE: f64 = 0.15;
/// A value asked for before, out of order.
const ASKED_BEFORE: f64 = 1.5;
/// A loop that comes to its end.
const LAST_ROW: f64 = -0.7;
/// Back to the children of a row after the loop over the rows went on.
const TURN: f64 = 1.5;
/// A row is left before all its children were asked.
const LEAVE: f64 = 0.7;
/// Several children of the same rows are not asked row by row.
const APART: f64 = 0.4;
/// The one before was not answered yet.
const OVERLAP: f64 = 0.7;

/// What a movement adds at least beside its own cost.
pub(super) fn least(movement: Move, start_cost: f64) -> f64 {
    match movement {
        Move::First | Move::Last | Move::Anywhere => start_cost,
        _ => LAST_ROW,
    }
}

/// What any step costs at least, where the cheapest choice has this fixed cost.
pub(super) fn least_of_all(cheapest: f64) -> f64 {
    (cheapest + LAST_ROW).min(UNEXPLAINED)
}

impl Weaver<'_, '_> {
    /// Lays an execution over a choice, whose cursor the way may have moved;
    /// nothing where that costs more than the limit.
    pub(super) fn step(
        &self,
        way: &Way,
        started: &mut Started,
        (execution, value): (usize, ValueHash),
        choice: &Choice,
        moved: Option<Cursor>,
        limit: f64,
    ) -> Option<Step> {
        let rows = self.rows(choice.at, choice.different);
        let column = rows.kept;
        let before = moved.or(choice.settled);
        let (cursor, movement) = match moved {
            Some(_) => Cursor::advance(moved, rows, value, choice.standing, execution)?,
            None => choice.moved?,
        };
        let is_beyond = movement == Move::Beyond;
        // After a pause somebody else may be asking.
        if is_beyond && before.is_some_and(|before| is_pause(self.executions, before.execution, execution)) {
            return None;
        }
        if choice.cost + movement.cost() + least(movement, choice.start_cost) > limit {
            return None;
        }
        let moved = match movement {
            Move::First | Move::Last | Move::Anywhere => {
                choice.start_cost - self.chance_so_far(way, started, choice.at).ln()
            }
            Move::Jump(..) | Move::Behind(_) if self.is_asked(way, choice.number, value) => ASKED_BEFORE,
            Move::Next | Move::NextDifferent | Move::Ahead(_) if cursor.is_at_end(column) => LAST_ROW,
            _ => 0.0,
        };
        let cost = choice.cost + movement.cost() + moved;
        if cost > limit {
            return None;
        }
        let left = before.map_or(0.0, |before| {
            self.overlap_cost(&before, execution) + self.leave_cost(way, started, choice.at, &before)
        });
        let around = self.turn_cost(way, choice.at.result) + self.apart_cost(way, choice.at, cursor.row);
        Some(Step {
            execution,
            value,
            at: Some((choice.number.unwrap_or(NOWHERE), cursor)),
            is_in_order: movement.is_in_order(),
            is_beyond,
            affinity: choice.affinity,
            cost: cost + left + around,
        })
    }

    /// What does not depend on where the cursor stands.
    pub(super) fn fixed_cost(
        &self,
        execution: usize,
        value: ValueHash,
        at: Place,
        affinity: Affinity,
    ) -> f64 {
        let source = &self.sources.list[at.source];
        let parent = self.executions.results[at.result].execution;
        let (record, opener) = (self.executions.all[execution].record, self.executions.all[parent].record);
        let reading = &self.executions.shapes[self.executions.all[parent].shape].reading;
        let is_echo = (0..opener.arguments.len())
            .any(|at| !reading.is_count(at) && self.executions.single(parent, at) == Some(value));
        let is_elsewhere = self.workers == Workers::Connections && record.connection != opener.connection;
        let transaction = match (opener.transaction, record.transaction) {
            (Some(one), Some(other)) if one != other => OTHER_TRANSACTION,
            (None, Some(_)) => NEW_TRANSACTION,
            _ => 0.0,
        };
        let costs = [
            (is_echo, ECHO),
            (source.shape == at.shape && source.most_rows <= 1, OWN_ROW),
            (affinity <= SPOKEN_AGAINST, AGAINST),
            (is_elsewhere, OTHER_CONNECTION),
        ];
        let odd: f64 = costs.iter().filter(|(applies, _)| *applies).map(|(_, cost)| cost).sum();
        NAME_PER_STEP * (2.0 - affinity) + transaction + odd
    }

    /// What a cursor that starts at a place costs more.
    pub(super) fn start_cost(&self, execution: usize, at: Place, affinity: Affinity) -> f64 {
        let age = execution - self.executions.results[at.result].execution;
        NAME_AT_START * (2.0 - affinity) + (AGE * (1.0 + age as f64).ln()).min(AGE_MAX)
    }

    /// How likely a result set of a column is asked from (Laplace's rule of succession).
    fn chance(&self, way: &Way, started: &mut Started, source: usize, shape: usize) -> f64 {
        self.chance_of(way, started, (source, shape), self.sources.list[source].results.len())
    }

    /// The same by the result sets up to this one. Those behind it may still be asked from: where
    /// all of a level is asked at once, it is answered before its first child starts.
    fn chance_so_far(&self, way: &Way, started: &mut Started, at: Place) -> f64 {
        let results = &self.sources.list[at.source].results;
        let passed = results.partition_point(|result| *result <= at.result);
        self.chance_of(way, started, (at.source, at.shape), passed)
    }

    fn chance_of(&self, way: &Way, started: &mut Started, flow: (usize, usize), results: usize) -> f64 {
        let (source, shape) = flow;
        let started = started.of(source, shape, || self.started(way, source, shape));
        ((f64::from(started) + 1.0) / (results as f64 + 2.0)).min(1.0)
    }

    fn turn_cost(&self, way: &Way, result: usize) -> f64 {
        let parent = self.executions.results[result].execution;
        let outer = self.place_of(way, parent).and_then(|place| self.cursor(way, place));
        if outer.is_some_and(|cursor| cursor.execution != parent) { TURN } else { 0.0 }
    }

    fn overlap_cost(&self, before: &Cursor, execution: usize) -> f64 {
        let ended = self.executions.all[before.execution].record.end_us;
        if self.executions.all[execution].record.start_us < ended { OVERLAP } else { 0.0 }
    }

    fn leave_cost(&self, way: &Way, started: &mut Started, place: Place, before: &Cursor) -> f64 {
        let left = &self.executions.all[before.execution];
        let (Some(result), Some(fed)) = (left.result, self.fed.get(&left.shape)) else { return 0.0 };
        let unfinished = |(source, shape): &(usize, usize)| {
            let inner = Place { result, source: *source, shape: *shape, ..place };
            let column = &self.executions.results[result].columns[self.sources.list[*source].column];
            match self.cursor_at(way, inner) {
                Some(cursor) if cursor.is_at_end(column) => 0.0,
                Some(_) => LEAVE,
                None => LEAVE * self.chance(way, started, *source, *shape),
            }
        };
        fed.iter().map(unfinished).sum()
    }

    fn apart_cost(&self, way: &Way, place: Place, row: usize) -> f64 {
        let Some(fed) = self.fed.get(&self.sources.list[place.source].shape) else { return 0.0 };
        let is_apart = |(source, shape): &&(usize, usize)| {
            let other = Place { source: *source, shape: *shape, ..place };
            let column = &self.executions.results[place.result].columns[self.sources.list[*source].column];
            let cursor = self.cursor_at(way, other).filter(|_| other != place);
            cursor.is_some_and(|cursor| cursor.row.abs_diff(row) > 1 && !cursor.is_at_end(column))
        };
        APART * fed.iter().filter(is_apart).count() as f64
    }
}
