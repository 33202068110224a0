//! Predicted cycles, executed on a clone: confirmed with a file that replays
//! them, not reproduced, or not executable with the reason.

use super::choose;
use super::combine::{Transaction, combine};
use super::execute::Stage;
use super::footprint::Footprint;
use super::manner::{Pace, manner};
use super::outcome;
use super::predict::{self, Candidate};
use super::record::{Ending, Execution};
use super::run::{Options, Place};
use super::spec::Spec;
use crate::model::MeasurementWarning;
use crate::model::evidence::deadlock::{Confirmation, Outcome, Prediction};

/// Candidates executed in one run.
const MAX_CANDIDATES: usize = 40;

/// Predicts and executes what could close between transactions; `alone` is what each of them locks.
pub(super) async fn predictions(
    place: &Place<'_>,
    transactions: &[Transaction<'_>],
    alone: &[&Footprint],
    options: &Options,
    warnings: &mut Vec<MeasurementWarning>,
) -> anyhow::Result<Vec<Prediction>> {
    let names: Vec<String> = transactions.iter().map(Transaction::name).collect();
    let mut candidates = predict::candidates(alone);
    candidates.extend(choose::candidates(alone, &candidates));
    if candidates.len() > MAX_CANDIDATES {
        warnings.push(MeasurementWarning::BoundReached {
            bound: format!("{MAX_CANDIDATES} predicted cycles"),
            left_out: format!("executing {} further ones", candidates.len() - MAX_CANDIDATES),
        });
        candidates.truncate(MAX_CANDIDATES);
    }
    place.progress.phase("deadlock: confirming predictions", Some(candidates.len() as u64));
    let mut predictions = Vec::new();
    for (done, candidate) in candidates.iter().enumerate() {
        predictions.push(Prediction {
            transactions: candidate.members.iter().map(|member| names[member.transaction].clone()).collect(),
            cycle: predict::describe(alone, &names, candidate),
            rows: predict::describe_rows(&names, candidate),
            is_order_in_doubt: candidate.is_doubtful,
            confirmation: confirm(place, transactions, candidate, options).await?,
        });
        place.progress.advance_to(done as u64 + 1);
    }
    Ok(predictions)
}

async fn confirm(
    place: &Place<'_>,
    transactions: &[Transaction<'_>],
    candidate: &Candidate,
    options: &Options,
) -> anyhow::Result<Confirmation> {
    let spec = combine(transactions, candidate);
    let execution = execute(place, &spec, options).await?;
    Ok(match &execution.ending {
        Ending::SetupFailed(message) => Confirmation::NotExecutable { reason: message.clone() },
        // One of them already waits before it holds what the cycle needs.
        Ending::Impossible(_) => Confirmation::NotReproduced { outcome: Outcome::BlockedThenCompleted },
        Ending::Done | Ending::Hung(_) => match outcome::outcome(&spec, &execution) {
            Outcome::Deadlock => Confirmation::Confirmed { replay: spec.to_text() },
            Outcome::OtherError => {
                let failure = outcome::failures(&spec, &execution).into_iter().next();
                let reason = failure.map(|failure| format!("{} fails: {}", failure.step, failure.message));
                Confirmation::NotExecutable { reason: reason.unwrap_or_default() }
            }
            outcome => Confirmation::NotReproduced { outcome },
        },
    })
}

async fn execute(place: &Place<'_>, spec: &Spec, options: &Options) -> anyhow::Result<Execution> {
    let manner = manner(place.target, options, &Pace::Exploring(spec));
    let mut stage = Stage::open(spec, place.target, place.source, manner).await?;
    let execution = stage.execute(&spec.permutations[0]).await;
    stage.close().await?;
    execution
}
