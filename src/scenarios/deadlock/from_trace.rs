//! Transactions of recorded traces, executed again alone on clones to see what
//! they lock.

use super::footprint::Footprint;
use super::rows;
use super::run::{Options, Place};
use super::solo;
use super::spec::Spec;
use super::traced::{self, Recorded};
use crate::model::evidence::deadlock::TraceEvidence;
use crate::trace;
use anyhow::Context as _;
use std::path::Path;

/// Statements of one trace looked at.
const STATEMENTS_MAX: usize = 500_000;

/// A recorded transaction with what it locks.
pub(super) struct Traced {
    pub(super) spec: Spec,
    /// What has to be executed before it; empty where the database is enough.
    pub(super) before: Vec<String>,
    pub(super) footprint: Footprint,
}

/// Reads a trace and executes one transaction of every kind.
pub(super) async fn examine(
    place: &Place<'_>,
    path: &Path,
    options: &Options,
) -> anyhow::Result<(TraceEvidence, Vec<Traced>)> {
    let trace = trace::read(path, STATEMENTS_MAX).with_context(|| path.display().to_string())?;
    let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let found = traced::transactions(&trace, &name);
    let mut evidence = TraceEvidence {
        path: path.to_owned(),
        transactions: found.transactions,
        locking: found.locking,
        kinds: found.kinds,
        examined: Vec::new(),
        not_executable: found.unusable,
        left_out: found.left_out,
        is_incomplete: trace.losses.statements_may_be_missing() || !trace.complete,
    };
    place
        .progress
        .phase(&format!("deadlock: executing {} again", path.display()), Some(found.recorded.len() as u64));
    let mut traced = Vec::new();
    for (done, recorded) in found.recorded.iter().enumerate() {
        let name = format!("{name}/{}", recorded.spec.sessions[0].name);
        match again(place, recorded, options).await? {
            Ok(transaction) => {
                evidence.examined.push(name);
                traced.push(transaction);
            }
            Err(reason) => evidence.not_executable.push((name, reason)),
        }
        place.progress.advance_to(done as u64 + 1);
    }
    Ok((evidence, traced))
}

/// Executes a transaction on a clone as it is, then on one where everything recorded before it was
/// done as well. `Err` inside: it does not do again what it did.
async fn again(
    place: &Place<'_>,
    recorded: &Recorded,
    options: &Options,
) -> anyhow::Result<Result<Traced, String>> {
    let mut reason = String::new();
    let later = (!recorded.before.is_empty()).then(|| recorded.after_what_came_before());
    for (spec, before) in [(Some(recorded.spec.clone()), Vec::new()), (later, recorded.before.clone())] {
        let Some(spec) = spec else { continue };
        let footprint = match solo::footprints(&spec, place.target, place.source, options).await? {
            Ok(footprints) => footprints.into_iter().next().unwrap_or_default(),
            Err(error) => {
                reason = error;
                continue;
            }
        };
        match difference(recorded, &footprint) {
            Some(difference) => reason = difference,
            None => {
                let orders = recorded.orders(&rows::named_rows(&footprint));
                let footprint = Footprint { orders, ..footprint };
                return Ok(Ok(Traced { spec: recorded.spec.clone(), before, footprint }));
            }
        }
    }
    Ok(Err(reason))
}

/// What went otherwise than when it was recorded.
fn difference(recorded: &Recorded, footprint: &Footprint) -> Option<String> {
    let steps = recorded.spec.sessions[0].steps.iter().zip(&recorded.rows).zip(&footprint.steps);
    steps.into_iter().find_map(|((step, &rows), own)| match &own.error {
        Some(error) => Some(format!("{} fails when it is executed again: {error}", step.name)),
        None if rows > 0 && own.rows == 0 => Some(format!(
            "{} finds none of the {rows} rows it found when it was recorded: its data is not in this database",
            step.name
        )),
        None => None,
    })
}
