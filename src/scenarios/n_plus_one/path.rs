//! The most likely way through the explanations of successive executions.
//!
//! A neighbourhood cannot tell where one loop ends and the next begins: behind
//! the last row of one list stand the children of another. So all executions of
//! a stream are explained together (Viterbi 1967): each by a choice of its own
//! weight, and going on to the very next row of the same list weighs extra.

use super::assign::Assignment;
use super::executions::Executions;
use super::sources::Sources;
use crate::trace::ValueHash;

/// What going on to the next row of the same list is worth.
const NEXT_ROW: f64 = 2.5;

/// Names that fit no better make small numbers in a row no list: keys asked for
/// in ascending order are next to each other in any column of numbers.
pub(super) const SPOKEN_AGAINST: f64 = -0.5;

/// One way to explain an execution.
#[derive(Debug, Clone, Copy)]
pub(super) struct Choice {
    /// What it would be put down to; its score is what this weighs alone.
    pub(super) assignment: Assignment,
    /// The value asked for.
    pub(super) value: ValueHash,
    /// Its place among the different values of the column.
    pub(super) rank: usize,
}

/// Weight of the best way up to a choice, and the choice before on that way.
#[derive(Debug, Clone, Copy)]
struct Step {
    weight: f64,
    before: usize,
}

/// Chooses for every execution at once; none where it has no choice.
pub(super) fn path(
    executions: &Executions<'_>,
    sources: &mut Sources,
    choices: &[Vec<Choice>],
) -> Vec<Option<Assignment>> {
    let asked: Vec<usize> = (0..choices.len()).filter(|at| !choices[*at].is_empty()).collect();
    let mut steps: Vec<Vec<Step>> = Vec::with_capacity(asked.len());
    for (place, at) in asked.iter().enumerate() {
        let before = place.checked_sub(1).map(|before| (&choices[asked[before]], &steps[before]));
        let step = |choice: &Choice| {
            let best = before.and_then(|(known, steps)| {
                let weights = known.iter().zip(steps).map(|(other, step)| {
                    step.weight + if goes_on(executions, sources, other, choice) { NEXT_ROW } else { 0.0 }
                });
                weights.enumerate().max_by(|(_, left), (_, right)| left.total_cmp(right))
            });
            let (before, weight) = best.unwrap_or((0, 0.0));
            Step { weight: weight + choice.assignment.score, before }
        };
        let next: Vec<Step> = choices[*at].iter().map(step).collect();
        steps.push(next);
    }
    let mut chosen = vec![None; choices.len()];
    let mut follow: Option<usize> = None;
    for (place, at) in asked.iter().enumerate().rev() {
        let index = follow.unwrap_or_else(|| last_of_best(&steps[place], &choices[*at]));
        chosen[*at] = Some(choices[*at][index].assignment);
        follow = Some(steps[place][index].before);
    }
    chosen
}

/// The heaviest; the latest result set of equals.
fn last_of_best(steps: &[Step], choices: &[Choice]) -> usize {
    (0..steps.len())
        .max_by(|left, right| {
            let by_weight = steps[*left].weight.total_cmp(&steps[*right].weight);
            by_weight.then(choices[*left].assignment.result.cmp(&choices[*right].assignment.result))
        })
        .unwrap_or(0)
}

/// Whether a choice asks for the row next to that of the choice before, in
/// whichever direction, for the next different value, or starts on the next
/// result set of the same list.
fn goes_on(executions: &Executions<'_>, sources: &mut Sources, before: &Choice, choice: &Choice) -> bool {
    let (from, to) = (before.assignment, choice.assignment);
    if from.source != to.source || to.affinity <= SPOKEN_AGAINST {
        return false;
    }
    if from.result != to.result {
        return choice.rank == 0 && sources.list[to.source].follows(to.result, from.result);
    }
    let column = sources.list[to.source].column;
    before.rank.abs_diff(choice.rank) == 1
        || sources.are_neighbours(executions, to.result, column, before.value, choice.value)
}
