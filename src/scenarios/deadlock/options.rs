//! What `deadlock` is asked to do.

use super::spec::Expectation;
use super::sweep::Sweep;
use crate::project::settings::DeadlockSettings;
use crate::project::transaction::SpecFile;
use std::path::PathBuf;
use std::time::Duration;

/// What to do.
#[derive(Debug, Clone)]
pub struct Options {
    /// Spec files; empty: the project's own.
    pub files: Vec<SpecFile>,
    /// Traces whose transactions take part in predictions.
    pub traces: Vec<PathBuf>,
    /// Run what the isolation tester runs, as it does, and keep what it prints. Nothing is explored
    /// or measured then.
    pub transcript: bool,
    /// How often a deadlocking order is measured.
    pub repetitions: u32,
    /// The most orders executed per spec.
    pub max_interleavings: u64,
    /// How long a step may take.
    pub step_timeout: Duration,
    /// Leave out orders that differ only in steps that do not conflict.
    pub prunes: bool,
    /// Derive cycles between the transactions of all specs, and execute them.
    pub predicts: bool,
    /// Read row locks from `xmax` even where pgrowlocks could be installed.
    pub ignores_pgrowlocks: bool,
    /// Also measure deadlocking specs under several settings.
    pub sweep: Option<Sweep>,
    /// What every spec is expected to come to, whatever it says itself.
    pub expect: Option<Expectation>,
    /// Replays everything random.
    pub seed: u64,
    /// Settings of every session, as libpq's `options` takes them: `-c datestyle=iso`.
    pub session_options: String,
    /// `application_name` of the sessions is this, the spec's name and the session's.
    pub application_name: String,
}

impl Options {
    /// The project's own settings.
    #[must_use]
    pub fn of(settings: &DeadlockSettings) -> Self {
        Self {
            max_interleavings: settings.max_interleavings,
            step_timeout: Duration::try_from_secs_f64(settings.step_timeout_seconds)
                .unwrap_or(Self::default().step_timeout),
            ..Self::default()
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            files: Vec::new(),
            traces: Vec::new(),
            transcript: false,
            repetitions: 5,
            max_interleavings: 2_000,
            step_timeout: Duration::from_secs(30),
            prunes: true,
            predicts: true,
            ignores_pgrowlocks: false,
            sweep: None,
            expect: None,
            seed: 0,
            session_options: String::new(),
            application_name: "plimsoll".into(),
        }
    }
}
