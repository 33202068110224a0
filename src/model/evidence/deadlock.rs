//! Evidence of `deadlock`.

/// Everything a reader may want to see behind the verdict of `deadlock`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DeadlockEvidence {}
