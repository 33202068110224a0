//! One way to lay the executions that are not settled yet.

use super::cursor::Cursor;
use super::{MARGIN, Place, WAYS_MAX, Weaver, costs::UNEXPLAINED};
use crate::trace::ValueHash;
use std::collections::VecDeque;

/// One execution laid over a cursor, or over none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    pub(super) execution: usize,
    pub(super) value: ValueHash,
    /// The place's number, and where the cursor stands afterwards.
    pub(super) at: Option<(u32, Cursor)>,
    pub(super) is_in_order: bool,
    /// It goes on behind the rows whose values were kept.
    pub(super) is_beyond: bool,
    pub(super) affinity: f64,
    pub(super) cost: f64,
}

impl Step {
    pub(super) fn unexplained(execution: usize, value: ValueHash) -> Self {
        Self {
            execution,
            value,
            at: None,
            is_in_order: false,
            is_beyond: false,
            affinity: 0.0,
            cost: UNEXPLAINED,
        }
    }
}

/// Its steps, the oldest first, and their places apart, which are searched often.
#[derive(Debug, Default)]
pub(super) struct Way {
    pub(super) cost: f64,
    /// A hash of where all cursors stand: equal ones go on equally.
    pub(super) state: u64,
    pub(super) steps: VecDeque<Step>,
    places: VecDeque<u32>,
}

/// The place of a step that has none.
pub(super) const NOWHERE: u32 = u32::MAX;

impl Way {
    /// The same way and one more step.
    pub(super) fn and(&self, step: Step, state: u64) -> Self {
        let mut next = Self {
            cost: self.cost + step.cost,
            state,
            steps: VecDeque::with_capacity(self.steps.len() + 1),
            places: VecDeque::with_capacity(self.steps.len() + 1),
        };
        next.steps.extend(&self.steps);
        next.steps.push_back(step);
        next.places.extend(&self.places);
        next.places.push_back(step.at.map_or(NOWHERE, |(place, _)| place));
        next
    }

    /// The places that it moved a cursor of, with the step, the last one last.
    pub(super) fn moves(&self) -> impl Iterator<Item = (u32, &Step)> {
        self.places.iter().copied().zip(&self.steps).filter(|(place, _)| *place != NOWHERE)
    }

    pub(super) fn forget_first(&mut self) {
        self.steps.pop_front();
        self.places.pop_front();
    }
}

/// Cursors started on one way, by column and child, as far as they were counted.
#[derive(Debug, Default)]
pub(super) struct Started {
    counts: Vec<(usize, usize, u32)>,
}

impl Started {
    /// Forgets them for the next way.
    pub(super) fn clear(&mut self) {
        self.counts.clear();
    }

    pub(super) fn of(&mut self, source: usize, shape: usize, count: impl FnOnce() -> u32) -> u32 {
        let known = self.counts.iter().find(|known| (known.0, known.1) == (source, shape));
        if let Some((_, _, count)) = known {
            return *count;
        }
        let count = count();
        self.counts.push((source, shape, count));
        count
    }
}

impl Weaver<'_, '_> {
    /// Where the cursor of a place stands on a way.
    pub(super) fn cursor(&self, way: &Way, place: u32) -> Option<Cursor> {
        match way.places.iter().rposition(|other| *other == place) {
            Some(at) => way.steps[at].at.map(|(_, cursor)| cursor),
            None => self.settled[place as usize],
        }
    }

    /// The same, of a place that may never have been asked from.
    pub(super) fn cursor_at(&self, way: &Way, place: Place) -> Option<Cursor> {
        self.numbers.get(&place).and_then(|number| self.cursor(way, *number))
    }

    /// The place over which a way lays an execution.
    pub(super) fn place_of(&self, way: &Way, execution: usize) -> Option<u32> {
        match way.steps.binary_search_by_key(&execution, |step| step.execution) {
            Ok(at) => way.steps[at].at.map(|(place, _)| place),
            Err(_) => Some(self.laid[execution]).filter(|place| *place != NOWHERE),
        }
    }

    pub(super) fn is_asked(&self, way: &Way, place: Option<u32>, value: ValueHash) -> bool {
        let Some(place) = place else { return false };
        let mut open = way.places.iter().zip(&way.steps);
        self.asked.contains(&(place, value))
            || open.any(|(other, step)| *other == place && step.value == value)
    }

    /// Cursors that a way has started in result sets of a column.
    pub(super) fn started(&self, way: &Way, source: usize, shape: usize) -> u32 {
        let is_start = |step: &&Step| {
            step.at.is_some_and(|(place, cursor)| {
                let place = self.places[place as usize];
                cursor.asked == 1 && place.source == source && place.shape == shape
            })
        };
        let open = way.steps.iter().filter(is_start).count() as u32;
        open + self.started.get(&(source, shape)).copied().unwrap_or(0)
    }
}

impl Place {
    /// What a step changes in the hash of a way's state.
    pub(super) fn change(&self, before: Option<Cursor>, after: Option<Cursor>) -> u64 {
        let hash = |cursor: Option<Cursor>| cursor.map_or(0, |cursor| self.hash(&cursor));
        hash(before) ^ hash(after)
    }

    fn hash(&self, cursor: &Cursor) -> u64 {
        let place = [self.result as u64, self.source as u64, self.shape as u64, self.stream];
        let parts = [cursor.row as u64, cursor.rank as u64, cursor.execution as u64];
        let mut mixed = 0x9e37_79b9_7f4a_7c15_u64;
        for part in place.into_iter().chain(parts) {
            mixed = (mixed ^ part).wrapping_mul(0xff51_afd7_ed55_8ccd);
            mixed ^= mixed >> 32;
        }
        mixed
    }
}

/// The cheapest of the next ways, by cost and state, as far as they are known.
#[derive(Debug, Default)]
pub(super) struct Best {
    /// The cheapest first, each state once.
    ways: Vec<(f64, u64)>,
}

impl Best {
    /// What costs more is none of them.
    pub(super) fn limit(&self) -> f64 {
        let margin = self.ways.first().map_or(f64::INFINITY, |(cost, _)| cost + MARGIN);
        let last = self.ways.get(WAYS_MAX - 1).map_or(f64::INFINITY, |(cost, _)| *cost);
        margin.min(last)
    }

    pub(super) fn add(&mut self, cost: f64, state: u64) {
        if cost > self.limit() {
            return;
        }
        match self.ways.iter().position(|(_, other)| *other == state) {
            Some(known) if self.ways[known].0 <= cost => return,
            Some(known) => drop(self.ways.remove(known)),
            None => self.ways.truncate(WAYS_MAX - 1),
        }
        let at = self.ways.partition_point(|(other, _)| *other <= cost);
        self.ways.insert(at, (cost, state));
    }
}
