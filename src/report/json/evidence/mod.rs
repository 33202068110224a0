//! The published form of each scenario's evidence.

mod data;
mod deadlock;
mod load;
mod n_plus_one;
mod regression;
mod series;
mod slow_queries;

use super::mirror::Mirror;
use crate::model::evidence::Evidence;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The evidence of one scenario.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum EvidenceEntry {
    SlowQueries(slow_queries::SlowQueriesEvidenceEntry),
    Deadlock(deadlock::DeadlockEvidenceEntry),
    NPlusOne(n_plus_one::NPlusOneEvidenceEntry),
    Regression(Box<regression::RegressionEvidenceEntry>),
    Load(load::LoadEvidenceEntry),
}

/// The evidence as JSON; `None` where there is none.
pub(super) fn to_value(evidence: &Evidence) -> Option<serde_json::Value> {
    let entry = match evidence {
        Evidence::None => return None,
        Evidence::SlowQueries(evidence) => EvidenceEntry::SlowQueries(Mirror::mirror(evidence)),
        Evidence::Regression(evidence) => EvidenceEntry::Regression(Mirror::mirror(evidence)),
        Evidence::Deadlock(evidence) => EvidenceEntry::Deadlock(Mirror::mirror(evidence)),
        Evidence::NPlusOne(evidence) => EvidenceEntry::NPlusOne(Mirror::mirror(evidence)),
        Evidence::Load(evidence) => EvidenceEntry::Load(Mirror::mirror(evidence)),
    };
    serde_json::to_value(entry).ok()
}

/// The evidence read back. What an older or newer format has made unreadable
/// is left out: findings and measurements stay.
pub(super) fn from_value(value: Option<serde_json::Value>) -> Evidence {
    match value.and_then(|value| serde_json::from_value(value).ok()) {
        None => Evidence::None,
        Some(EvidenceEntry::NPlusOne(entry)) => Evidence::NPlusOne(entry.restore()),
        Some(EvidenceEntry::Deadlock(entry)) => Evidence::Deadlock(entry.restore()),
        Some(EvidenceEntry::SlowQueries(entry)) => Evidence::SlowQueries(entry.restore()),
        Some(EvidenceEntry::Load(entry)) => Evidence::Load(entry.restore()),
        Some(EvidenceEntry::Regression(entry)) => Evidence::Regression(entry.restore()),
    }
}
