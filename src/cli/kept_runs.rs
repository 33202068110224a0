//! Kept runs as commands read them: one by its name, or all that can be read.

use super::arguments::Global;
use super::{Failure, Terminal};
use crate::model::RunReport;
use crate::report::kept_run;
use std::path::Path;

/// The run that `reference` names: `latest`, the beginning of a run's id, or a path.
///
/// # Errors
/// No run, or more than one, answers to it, or it cannot be read.
pub(super) fn one(global: &Global, reference: &str) -> Result<RunReport, Failure> {
    Ok(kept_run::read(&kept_run::find(&global.reports_folder(), reference)?)?)
}

/// Every kept run, oldest first. One that cannot be read is named, and left out.
///
/// # Errors
/// The folder cannot be read, or holds no run that can.
pub(super) fn all(global: &Global, terminal: &Terminal) -> Result<Vec<RunReport>, Failure> {
    let folder = global.reports_folder();
    let mut runs = Vec::new();
    for path in kept_run::list(&folder)? {
        match kept_run::read(&path) {
            Ok(run) => runs.push(run),
            Err(error) => terminal.note(&format!("warning: left out: {error}")),
        }
    }
    if runs.is_empty() { Err(none_in(&folder)) } else { Ok(runs) }
}

/// The latest kept runs that can be read, oldest first: at most so many.
pub(super) fn latest(global: &Global, runs: usize) -> Vec<RunReport> {
    let all = kept_run::list(&global.reports_folder()).unwrap_or_default();
    all[all.len().saturating_sub(runs)..].iter().filter_map(|path| kept_run::read(path).ok()).collect()
}

/// What is said where there is nothing to show.
pub(super) fn none_in(folder: &Path) -> Failure {
    Failure::Usage(format!("no runs are kept in {}; `plimsoll run` makes one", folder.display()))
}
