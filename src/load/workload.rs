//! What is executed: queries with weights, as plain data.

/// The queries of a load.
#[derive(Debug, Clone, PartialEq)]
pub struct Workload {
    /// At least one.
    pub queries: Vec<WorkloadQuery>,
}

/// One query, ready to be prepared.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkloadQuery {
    /// Its name.
    pub name: String,
    /// How often it takes its turn, relative to the others.
    pub weight: f64,
    /// Statements with `$1`, `$2`, …; several make one transaction.
    pub statements: Vec<String>,
    /// Values by parameter set, then by statement. At least one set.
    pub sets: Vec<Vec<Vec<Option<String>>>>,
    /// Whether it needs a transaction that may write; that is rolled back.
    pub writes: bool,
}

impl WorkloadQuery {
    /// What opens the transaction it runs in, where it needs one.
    #[must_use]
    pub fn begin(&self) -> Option<&'static str> {
        match (self.writes, self.statements.len()) {
            (true, _) => Some("BEGIN"),
            (false, 0 | 1) => None,
            (false, _) => Some("BEGIN READ ONLY"),
        }
    }
}

impl Workload {
    /// Each query's share of the requests.
    #[must_use]
    pub fn shares(&self) -> Vec<f64> {
        let total: f64 = self.queries.iter().map(|query| query.weight).sum();
        self.queries.iter().map(|query| query.weight / total.max(f64::MIN_POSITIVE)).collect()
    }
}
