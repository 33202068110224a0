//! Which executions may be counted to another loop than their own.

use super::affinity::{SPOKEN_AGAINST, WELL_CALLED};
use super::executions::Executions;
use super::group::{Group, connections};
use super::sources::Sources;
use super::tally::Tally;
use super::weave::{Assignment, Assignments};
use std::collections::{BTreeMap, BTreeSet};

/// Executions that may be counted to another loop.
pub(super) struct Free {
    /// Those that are in a group.
    grouped: BTreeSet<usize>,
    /// Those of them that their group has no row for.
    spare: BTreeSet<usize>,
    /// Those in groups over a part of the rows of a column that is called otherwise.
    poor: BTreeSet<usize>,
    /// Those that another column of the same rows explains, against its name.
    misfits: BTreeSet<usize>,
    /// Those in groups over a part of the rows, with the place of the group: another group may have
    /// rows for all of them.
    partial: BTreeMap<usize, usize>,
}

impl Free {
    pub(super) fn new(
        executions: &Executions<'_>,
        assignments: &Assignments,
        sources: &mut Sources,
        groups: &[Group],
        tallies: &[Tally],
    ) -> Self {
        let members = |group: &Group| group.members.clone();
        let poor = groups.iter().zip(tallies).filter(|(group, tally)| is_poor(assignments, group, tally));
        Self {
            grouped: groups.iter().flat_map(members).collect(),
            spare: tallies.iter().flat_map(|tally| tally.spare(executions, assignments, sources)).collect(),
            poor: poor.flat_map(|(group, _)| members(group)).collect(),
            misfits: groups.iter().flat_map(|group| misfits(assignments, group)).collect(),
            partial: partial(executions, assignments, groups, tallies),
        }
    }

    /// Whether no group has it.
    pub(super) fn is_outside(&self, at: usize) -> bool {
        !self.grouped.contains(&at)
    }

    /// Whether it may be counted to another group than its own, or to another row of its own.
    pub(super) fn is_movable(&self, at: usize) -> bool {
        self.is_outside(at) || [&self.spare, &self.poor, &self.misfits].iter().any(|set| set.contains(&at))
    }

    /// Whether it may be counted to another row of its own group.
    pub(super) fn is_misfit(&self, at: usize) -> bool {
        self.misfits.contains(&at)
    }

    /// The place of its group, where it may go with all members of it.
    pub(super) fn partial_group(&self, at: usize) -> Option<usize> {
        self.partial.get(&at).copied()
    }

    /// It is counted to a group for good.
    pub(super) fn take(&mut self, at: usize) {
        self.grouped.insert(at);
        for set in [&mut self.spare, &mut self.poor, &mut self.misfits] {
            set.remove(&at);
        }
        self.partial.remove(&at);
    }

    /// Whether it is better left where it was put: by its name, unless there is no row for it.
    pub(super) fn is_better_there(&self, at: usize, found: &Assignment, model: &Assignment) -> bool {
        if self.spare.contains(&at) {
            model.affinity <= SPOKEN_AGAINST
        } else if self.poor.contains(&at) {
            model.affinity < WELL_CALLED
        } else {
            found.affinity > model.affinity
        }
    }
}

/// Members of the groups that ask for a part of their rows only, unless they ask for rows of one column
/// in their order on one connection.
fn partial(
    executions: &Executions<'_>,
    assignments: &Assignments,
    groups: &[Group],
    tallies: &[Tally],
) -> BTreeMap<usize, usize> {
    let goes_on = |at: &usize, group: &Group| {
        assignments[*at].is_some_and(|found| found.in_order && found.source == group.source)
    };
    let is_in_order = |group: &Group| {
        connections(executions, group) == 1 && group.members.iter().all(|at| goes_on(at, group))
    };
    let is_partial =
        |(_, (group, tally)): &(usize, (&Group, &Tally))| !tally.is_one_pass(0) && !is_in_order(group);
    let partial = groups.iter().zip(tallies).enumerate().filter(is_partial);
    partial.flat_map(|(place, (group, _))| group.members.iter().map(move |at| (*at, place))).collect()
}

/// Whether a group asks for a part of the rows only, of a column whose name says nothing.
fn is_poor(assignments: &Assignments, group: &Group, tally: &Tally) -> bool {
    model(assignments, group).is_some_and(|model| model.affinity <= 0.0) && !tally.is_one_pass(0)
}

/// Members that another column than the group's own explains, and whose name speaks against it.
pub(super) fn misfits(assignments: &Assignments, group: &Group) -> Vec<usize> {
    let is_against = |found: &Assignment| found.affinity <= SPOKEN_AGAINST;
    if model(assignments, group).is_none_or(|model| is_against(&model)) {
        return Vec::new();
    }
    let is_misfit = |at: &usize| assignments[*at].is_some_and(|found| is_against(&found));
    group.members.iter().copied().filter(is_misfit).collect()
}

/// How a group's own members are explained.
pub(super) fn model(assignments: &Assignments, group: &Group) -> Option<Assignment> {
    group.members.iter().filter_map(|at| assignments[*at]).find(|found| found.source == group.source)
}
