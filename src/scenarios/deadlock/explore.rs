//! All orders of a spec that differ in their conflicts, executed one after
//! another on one database, up to a bound that is reported.

use super::execute::Stage;
use super::interleave::{self, Interleavings};
use super::outcome;
use super::record::{Ending, Execution};
use super::spec::{Permutation, Spec, StepIndex};
use crate::model::Progress;
use crate::model::evidence::deadlock::{Exploration, OrderEvidence, Outcome};
use crate::stats::clock;

/// Executed orders kept in the report.
const MAX_ORDERS: usize = 200;

/// What exploring a spec left behind.
#[derive(Debug, Default)]
pub(super) struct Explored {
    pub(super) exploration: Exploration,
    pub(super) outcomes: Vec<(Outcome, u64)>,
    pub(super) orders: Vec<OrderEvidence>,
    pub(super) orders_left_out: u64,
    /// The shortest order that deadlocks, up to the step that closes the cycle.
    pub(super) shortest: Option<Permutation>,
    /// The first setup that failed.
    pub(super) setup_error: Option<String>,
}

/// Executes the orders a spec names, or all interleavings.
pub(super) async fn explore(
    stage: &mut Stage<'_>,
    spec: &Spec,
    bound: u64,
    conflict: impl Fn(StepIndex, StepIndex) -> bool,
    progress: &dyn Progress,
) -> anyhow::Result<Explored> {
    if spec.permutations.is_empty() {
        explore_all(stage, spec, bound, conflict, progress).await
    } else {
        explore_declared(stage, spec, bound, progress).await
    }
}

async fn explore_declared(
    stage: &mut Stage<'_>,
    spec: &Spec,
    bound: u64,
    progress: &dyn Progress,
) -> anyhow::Result<Explored> {
    let mut explored = Explored::default();
    let total = spec.permutations.len() as u64;
    explored.exploration = Exploration { declared: true, total, ..Exploration::default() };
    progress.phase(&format!("deadlock: {}", spec.name), Some(total.min(bound)));
    for permutation in &spec.permutations {
        if explored.exploration.executed + explored.exploration.impossible >= bound {
            explored.exploration.beyond_bound += 1;
            continue;
        }
        let execution = run_one(stage, permutation).await?;
        if matches!(execution.ending, Ending::Impossible(_)) {
            explored.exploration.impossible += 1;
        } else if !explored.take(spec, permutation, &execution) {
            break;
        }
        progress.advance_to(explored.exploration.executed);
    }
    Ok(explored)
}

async fn explore_all(
    stage: &mut Stage<'_>,
    spec: &Spec,
    bound: u64,
    conflict: impl Fn(StepIndex, StepIndex) -> bool,
    progress: &dyn Progress,
) -> anyhow::Result<Explored> {
    let lengths: Vec<usize> = spec.sessions.iter().map(|session| session.steps.len()).collect();
    let mut explored = Explored::default();
    explored.exploration.total = interleave::count(&lengths);
    progress.phase(&format!("deadlock: {}", spec.name), Some(explored.exploration.total.min(bound)));
    let mut orders = Interleavings::new(&lengths);
    let mut attempts = 0;
    while let Some(word) = orders.next() {
        let steps = interleave::steps_of(&word);
        if let Some(length) = interleave::redundant_prefix(&steps, &conflict) {
            explored.exploration.equivalent += 1 + orders.skip_prefix(length);
            continue;
        }
        if attempts >= bound {
            let parts = explored.exploration;
            let seen = parts.executed + parts.equivalent + parts.impossible;
            explored.exploration.beyond_bound = parts.total.saturating_sub(seen);
            break;
        }
        attempts += 1;
        let permutation = Permutation::plain(&steps);
        let execution = run_one(stage, &permutation).await?;
        if let Ending::Impossible(position) = execution.ending {
            // Every order that begins alike ends alike.
            explored.exploration.impossible += 1 + orders.skip_prefix(position + 1);
        } else if !explored.take(spec, &permutation, &execution) {
            break;
        }
        progress.advance_to(attempts);
    }
    Ok(explored)
}

async fn run_one(stage: &mut Stage<'_>, permutation: &Permutation) -> anyhow::Result<Execution> {
    let execution = stage.execute(permutation).await?;
    stage.reset().await?;
    Ok(execution)
}

impl Explored {
    /// Counts an executed order. False: the setup failed, and will again.
    fn take(&mut self, spec: &Spec, permutation: &Permutation, execution: &Execution) -> bool {
        if let Ending::SetupFailed(message) = &execution.ending {
            self.setup_error = Some(message.clone());
            return false;
        }
        self.exploration.executed += 1;
        let outcome = outcome::outcome(spec, execution);
        match self.outcomes.iter_mut().find(|(known, _)| *known == outcome) {
            Some((_, count)) => *count += 1,
            None => self.outcomes.push((outcome, 1)),
        }
        if self.orders.len() < MAX_ORDERS {
            self.orders.push(order(spec, permutation, execution, outcome));
        } else {
            self.orders_left_out += 1;
        }
        if let Some(prefix) = outcome::closing_prefix(spec, execution)
            && self.shortest.as_ref().is_none_or(|known| prefix.steps.len() < known.steps.len())
        {
            self.shortest = Some(prefix);
        }
        true
    }

    /// How many executed orders came to this.
    pub(super) fn count(&self, outcome: Outcome) -> u64 {
        self.outcomes.iter().find(|(known, _)| *known == outcome).map_or(0, |(_, count)| *count)
    }
}

fn order(spec: &Spec, permutation: &Permutation, execution: &Execution, outcome: Outcome) -> OrderEvidence {
    let start = execution.steps.first().map(|step| step.sent_at);
    let end = execution.steps.iter().filter_map(|step| step.finished_at).max();
    let duration = start.zip(end).map(|(start, end)| end.saturating_duration_since(start));
    OrderEvidence {
        steps: permutation.steps.iter().map(|entry| spec.step(entry.step).name.clone()).collect(),
        outcome,
        failures: outcome::failures(spec, execution),
        duration_us: duration.map_or(0.0, clock::duration_us),
    }
}
