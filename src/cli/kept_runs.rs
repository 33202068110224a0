//! Kept runs as commands read them: one by its name, or all that can be read.

use super::arguments::Global;
use super::{Failure, Terminal};
use crate::model::RunReport;
use crate::report::kept_run;
use crate::stats::change_points::MAX_VALUES;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Without runs before the first of two, a change right after it has no level to come from.
const RUNS_BEFORE: usize = 20;

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

/// The kept runs that tell what changed between two of them, oldest first: the latest
/// [`MAX_VALUES`], or as many around the first of the two where that is older. None where it is not kept here.
pub(super) fn followed(global: &Global, run_ids: [&str; 2]) -> Vec<RunReport> {
    let all = kept_run::list(&global.reports_folder()).unwrap_or_default();
    let is_one = |path: &PathBuf| {
        let name = path.parent().and_then(Path::file_name);
        name.is_some_and(|name| run_ids.iter().any(|run_id| name == *run_id))
    };
    let Some(first) = all.iter().position(is_one) else { return Vec::new() };
    all[window(first, all.len())].iter().filter_map(|path| kept_run::read(path).ok()).collect()
}

/// Which of so many runs are followed from the one at `first` on.
fn window(first: usize, runs: usize) -> Range<usize> {
    let end = (first + MAX_VALUES - RUNS_BEFORE).max(MAX_VALUES).min(runs);
    end.saturating_sub(MAX_VALUES)..end
}

/// What is said where there is nothing to show.
pub(super) fn none_in(folder: &Path) -> Failure {
    Failure::Usage(format!("no runs are kept in {}; `plimsoll run` makes one", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_runs_are_followed_or_those_around_an_older_first_one() {
        for (first, runs, expected) in [
            (0, 2, 0..2),
            (4, 130, 0..130),
            (0, 500, 0..500),
            (700, 1000, 500..1000),
            (520, 1000, 500..1000),
            (519, 1000, 499..999),
            (100, 1000, 80..580),
            (0, 1000, 0..500),
        ] {
            assert_eq!(window(first, runs), expected, "{first} of {runs}");
            assert!(window(first, runs).contains(&first), "{first} of {runs}");
        }
    }
}
