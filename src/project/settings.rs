//! `plimsoll.toml`, with defaults filled in.

mod parse;

pub use parse::{ParsedSettings, parse};
pub(super) use parse::{is_name, volume_names};

use super::budget::Budget;
use std::path::PathBuf;

/// The whole of `plimsoll.toml`.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// `[database]`.
    pub database: DatabaseSettings,
    /// `[volumes]`, smallest first; the first is the default. At least one.
    pub volumes: Vec<Volume>,
    /// `[budgets]`: for queries without one of their own.
    pub default_budgets: Vec<Budget>,
    /// `[slow-queries]`.
    pub slow_queries: SlowQueriesSettings,
    /// `[regression]`.
    pub regression: RegressionSettings,
    /// `[deadlock]`.
    pub deadlock: DeadlockSettings,
    /// `[n-plus-one]`.
    pub n_plus_one: NPlusOneSettings,
    /// `[load]`.
    pub load: LoadSettings,
}

/// `[database]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseSettings {
    /// `url`; none: a throwaway server.
    pub url: Option<String>,
    /// `postgres-bin`: the folder of the server's programs.
    pub postgres_bin: Option<PathBuf>,
    /// `migrations`, relative to the project folder.
    pub migrations: PathBuf,
    /// `migrate-command`: instead of the files.
    pub migrate_command: Option<String>,
}

/// A named data size.
#[derive(Debug, Clone, PartialEq)]
pub struct Volume {
    /// `small`.
    pub name: String,
    /// A multiple of the rows declared in `distributions.toml`.
    pub factor: f64,
}

/// `[slow-queries]`: how long to sample before giving up on a decision.
#[derive(Debug, Clone, PartialEq)]
pub struct SlowQueriesSettings {
    /// `max-samples` per query.
    pub max_samples: u64,
    /// `max-time` per query, in seconds.
    pub max_seconds: f64,
    /// `connections`: how many connections one after another at least.
    pub connections: u32,
    /// `cold`: every sample of every query meets empty caches; default false.
    pub cold: bool,
}

/// `[regression]`.
#[derive(Debug, Clone, PartialEq)]
pub struct RegressionSettings {
    /// `from`: the version before; none: the last but one.
    pub from: Option<String>,
    /// `to`: the version after; none: the last.
    pub to: Option<String>,
    /// `time-ratio`: a ratio of times above this is a regression (1.2).
    pub time_ratio: f64,
    /// `counter-ratio`: a ratio of counters above this is a regression (1.1).
    pub counter_ratio: f64,
    /// `max-time` per query, in seconds.
    pub max_seconds: f64,
}

/// `[deadlock]`.
#[derive(Debug, Clone, PartialEq)]
pub struct DeadlockSettings {
    /// `max-interleavings` explored per spec.
    pub max_interleavings: u64,
    /// `step-timeout`, in seconds.
    pub step_timeout_seconds: f64,
}

/// `[n-plus-one]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NPlusOneSettings {
    /// `threshold`: children of one parent execution that make a finding.
    pub threshold: u64,
    /// `baseline`: known findings with reasons, relative to the project folder.
    pub baseline: Option<PathBuf>,
    /// `command`: the application's own test command.
    pub command: Option<Vec<String>>,
    /// `traces`: recorded traces to judge, relative to the project folder.
    pub traces: Vec<PathBuf>,
}

/// `[load]`.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadSettings {
    /// `at-least`: requests per second that have to hold; none: nothing is required.
    pub at_least: Option<f64>,
    /// `limit`: percentiles of the latency; none: the queries' own budgets.
    pub limits: Vec<Budget>,
    /// `connections`: how many share the queue.
    pub connections: u32,
}
