//! Evidence of `slow-queries`.

/// Everything a reader may want to see behind the verdict of `slow-queries`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SlowQueriesEvidence {}
