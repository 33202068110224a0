//! Evidence of `n-plus-one`.

/// Everything a reader may want to see behind the verdict of `n-plus-one`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NPlusOneEvidence {}
