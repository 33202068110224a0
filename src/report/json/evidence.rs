//! The published form of each scenario's evidence.

use crate::model::evidence::Evidence;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The evidence of one scenario.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum EvidenceEntry {}

/// The evidence as JSON; `None` where there is none.
pub(super) fn to_value(_evidence: &Evidence) -> Option<serde_json::Value> {
    None
}

/// The evidence read back. What an older or newer format has made unreadable
/// is left out: findings and measurements stay.
pub(super) fn from_value(_value: Option<serde_json::Value>) -> Evidence {
    Evidence::None
}
