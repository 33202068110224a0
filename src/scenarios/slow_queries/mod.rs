//! Does every critical query stay within its budget?
//!
//! Counters and plans decide first: they read the same on every machine. Times
//! are decided by an interval that treats the connection as the unit, or not
//! at all. What decides is pure (`budget`, `plan_rules`, `verdict`, `schedule`, `reason`,
//! `deciding`, `index`, `growth`, `summary`, `changes`, `coverage`); `run`, `sampling`, `sample`,
//! `counters`, `writers` and `trial` do the input and output.

mod assembly;
mod budget;
mod changes;
mod counters;
mod coverage;
mod deciding;
mod doubt;
mod growth;
mod index;
mod interruption;
mod lock_waits;
mod machine;
mod plan;
#[cfg(test)]
mod plan_rule_tests;
mod plan_rules;
mod reason;
mod record;
mod rows;
mod run;
mod sample;
mod sampling;
mod schedule;
mod sources;
mod summary;
mod trial;
mod unlike;
mod verdict;
#[cfg(test)]
mod verdict_tests;
mod workload;
mod writers;

pub use changes::Baseline;
pub use run::run;

use std::path::PathBuf;

/// What a run of the scenario is asked for. Limits in time and samples come
/// from the project's `[slow-queries]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Volumes to measure; empty: the project's first.
    pub volumes: Vec<String>,
    /// Names of queries to measure; empty: all.
    pub queries: Vec<String>,
    /// Confidence of the whole run, for either kind of error.
    pub confidence: f64,
    /// Parameter sets drawn per query.
    pub parameter_sets: usize,
    /// Executes every parameter set once more and hashes its result.
    pub hash_results: bool,
    /// A kept run to compare with.
    pub baseline: Option<Baseline>,
    /// Tries an index for a broken budget, on a clone.
    pub try_indexes: bool,
    /// Supposes indexes with hypopg instead of creating them on a clone.
    pub suppose_indexes: bool,
    /// Also measures so many of the statements that took the most time, as the target's
    /// `pg_stat_statements` counted.
    pub from_statements: Option<usize>,
    /// Also measures the shapes that this trace recorded.
    pub trace: Option<PathBuf>,
    /// Measures the project's own queries as well.
    pub with_declared: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            volumes: Vec::new(),
            queries: Vec::new(),
            confidence: 0.99,
            parameter_sets: 50,
            hash_results: false,
            baseline: None,
            try_indexes: true,
            suppose_indexes: false,
            from_statements: None,
            trace: None,
            with_declared: true,
        }
    }
}
