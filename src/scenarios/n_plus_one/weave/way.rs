//! One way to lay the executions that are not settled yet.

use super::cursor::Cursor;
use super::{Place, Weaver, costs::UNEXPLAINED};
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
    pub(super) affinity: f64,
    pub(super) cost: f64,
}

impl Step {
    pub(super) fn unexplained(execution: usize, value: ValueHash) -> Self {
        Self { execution, value, at: None, is_in_order: false, affinity: 0.0, cost: UNEXPLAINED }
    }
}

/// Its steps, the oldest first, and their places apart, which are searched often.
#[derive(Debug, Clone, Default)]
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
        let mut next = Self { cost: self.cost + step.cost, state, ..self.clone() };
        next.steps.push_back(step);
        next.places.push_back(step.at.map_or(NOWHERE, |(place, _)| place));
        next
    }

    pub(super) fn forget_first(&mut self) {
        self.steps.pop_front();
        self.places.pop_front();
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
            Err(_) => self.laid.get(&execution).copied(),
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

    /// What a step changes in the hash of a way's state.
    pub(super) fn change(&self, way: &Way, step: &Step) -> u64 {
        let Some((place, cursor)) = step.at else { return 0 };
        let before = self.cursor(way, place).map_or(0, |cursor| hash(place, &cursor));
        before ^ hash(place, &cursor)
    }
}

fn hash(place: u32, cursor: &Cursor) -> u64 {
    let parts = [place as usize, cursor.row, cursor.rank, cursor.execution];
    let mut mixed = 0x9e37_79b9_7f4a_7c15_u64;
    for part in parts {
        mixed = (mixed ^ part as u64).wrapping_mul(0xff51_afd7_ed55_8ccd);
        mixed ^= mixed >> 32;
    }
    mixed
}
