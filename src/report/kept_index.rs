//! The page over all kept runs, `index.html` in their folder.

use super::html::{IndexedRun, write_index};
use super::kept_run::{self, KeepError, replace_file};
use std::path::{Path, PathBuf};

/// Older runs are left out: a page is for looking at.
const RUNS_SHOWN: usize = 100;

/// Writes `index.html` anew from the kept runs; `None` where there are none.
/// A run that cannot be read is left out and counted.
///
/// # Errors
/// Where the folder cannot be read or the page not be written.
pub fn rewrite(reports: &Path) -> Result<Option<PathBuf>, KeepError> {
    let all = kept_run::list(reports)?;
    let shown = &all[all.len().saturating_sub(RUNS_SHOWN)..];
    let runs: Vec<IndexedRun> = shown
        .iter()
        .filter_map(|path| {
            let report = kept_run::read(path).ok()?;
            let folder = path.parent()?;
            let has_page = folder.join("report.html").is_file();
            let name = folder.file_name()?.to_string_lossy().into_owned();
            Some(IndexedRun { report, page: has_page.then(|| format!("{name}/report.html")) })
        })
        .collect();
    if runs.is_empty() {
        return Ok(None);
    }
    let path = reports.join("index.html");
    let mut bytes = Vec::new();
    write_index(&runs, all.len() - runs.len(), &mut bytes).map_err(|source| KeepError::Io {
        action: "write",
        path: path.clone(),
        source,
    })?;
    replace_file(&path, &bytes)?;
    Ok(Some(path))
}
