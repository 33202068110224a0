//! Which rate does the database hold? The project's queries as a load, and the
//! line between the rates that keep the limits and those that do not: a ship's
//! Plimsoll line, for a database.
//!
//! What decides is pure and lies in `load` (`schedule`, `slice`, `judge`,
//! `search`) and here in `evidence` and `verdict`; `run` and `workload` do the
//! input and output.

mod error;
mod evidence;
mod run;
mod verdict;
mod workload;

pub use error::Error;
pub use run::run;

use crate::load::schedule::Pacing;
use crate::project::budget::Budget;
use std::time::Duration;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Question {
    /// Where the line is.
    Find,
    /// Whether this rate holds, per second.
    Rate(f64),
    /// A closed loop of so many clients: service time only.
    Clients(usize),
}

/// What a load is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// What is asked.
    pub question: Question,
    /// The rate that has to hold, per second.
    pub at_least: Option<f64>,
    /// Limits on percentiles; empty: the project's, else the queries' own, else [`DEFAULT_LIMIT`].
    pub limits: Vec<Budget>,
    /// The volume; none: the project's first.
    pub volume: Option<String>,
    /// Names of queries; empty: all.
    pub queries: Vec<String>,
    /// How requests are spread over time.
    pub pacing: Pacing,
    /// Connections that share the queue; none: the project's.
    pub connections: Option<usize>,
    /// The least length of a slice.
    pub slice: Duration,
    /// Slices of a rate, at most.
    pub slices_max: usize,
    /// No slice is begun after this.
    pub max_time: Duration,
    /// The highest rate that is tried, per second.
    pub rate_max: f64,
    /// Parameter sets drawn per query.
    pub parameter_sets: usize,
    /// Whether a server on another machine may be loaded.
    pub may_be_remote: bool,
}

/// What has to hold where nobody said anything.
pub const DEFAULT_LIMIT: &str = "p95 < 50ms";

/// Slices before a rate is decided.
pub const SLICES_MIN: usize = 6;

/// Confidence of the statement about one rate.
pub const CONFIDENCE: f64 = 0.95;

impl Default for Options {
    fn default() -> Self {
        Self {
            question: Question::Find,
            at_least: None,
            limits: Vec::new(),
            volume: None,
            queries: Vec::new(),
            pacing: Pacing::Poisson,
            connections: None,
            slice: Duration::from_secs(1),
            slices_max: 16,
            max_time: Duration::from_secs(120),
            rate_max: 100_000.0,
            parameter_sets: 50,
            may_be_remote: false,
        }
    }
}
