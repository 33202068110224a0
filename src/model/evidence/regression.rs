//! Evidence of `regression`.

/// Everything a reader may want to see behind the verdict of `regression`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RegressionEvidence {}
