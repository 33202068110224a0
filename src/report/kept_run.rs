//! Kept runs: `reports/<time>-<id>/`, one directory per run. `run.json` and
//! `report.html` are replaced atomically as results arrive, so a run that was
//! cut short still leaves a readable report.

use super::{html, json};
use crate::model::RunReport;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Why a run's directory could not be used.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// The file system refused.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The file is not a run report.
    #[error("{path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: json::ReadError,
    },
    /// No run answers to the name.
    #[error("no kept run is called `{reference}` in {folder}; `plimsoll history` lists them")]
    Unknown {
        /// What was asked for.
        reference: String,
        /// Where it was looked for.
        folder: PathBuf,
    },
    /// More than one run answers to the name.
    #[error("`{reference}` begins the names of {}: write more of the one meant", matching.join(", "))]
    Ambiguous {
        /// What was asked for.
        reference: String,
        /// The runs.
        matching: Vec<String>,
    },
    /// No run is as it has to be.
    #[error("no kept run in {folder} {wanted}; `plimsoll history` lists them, name one by its id")]
    NoneFits {
        /// Where it was looked for.
        folder: PathBuf,
        /// How it would have to be: `is complete and …`.
        wanted: &'static str,
    },
}

/// The directory of one run.
#[derive(Debug, Clone)]
pub struct KeptRun {
    directory: PathBuf,
    /// Whether the folder around it was made for it.
    made_reports: bool,
}

impl KeptRun {
    /// Makes the directory, and finds out that it can be written to before
    /// anything else happens.
    ///
    /// # Errors
    /// Where it cannot be made or written to.
    pub fn create(reports: &Path, run_id: &str) -> Result<Self, KeepError> {
        let directory = reports.join(run_id);
        let made_reports = !reports.is_dir();
        fs::create_dir_all(&directory).map_err(io_error("create", &directory))?;
        let probe = directory.join(".probe");
        fs::write(&probe, b"").map_err(io_error("write to", &directory))?;
        fs::remove_file(&probe).map_err(io_error("write to", &directory))?;
        Ok(Self { directory, made_reports })
    }

    /// Where it is.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The run's id: the directory's name.
    #[must_use]
    pub fn run_id(&self) -> String {
        self.directory.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// Whether anything was reported yet.
    #[must_use]
    pub fn has_report(&self) -> bool {
        self.directory.join("run.json").is_file()
    }

    /// Removes a directory of which nothing is worth keeping, and the reports
    /// folder where it was made for this run and that leaves it empty.
    pub fn discard(self) {
        for name in ["run.json", "report.html"] {
            let _ = fs::remove_file(self.directory.join(name));
        }
        // Both refuse to remove what is not empty, which is what is wanted.
        if fs::remove_dir(&self.directory).is_ok()
            && self.made_reports
            && let Some(reports) = self.directory.parent()
        {
            let _ = fs::remove_dir(reports);
        }
    }

    /// Replaces `run.json`.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn write(&self, report: &RunReport) -> Result<(), KeepError> {
        let mut bytes = Vec::new();
        let path = self.directory.join("run.json");
        json::write(report, &mut bytes).map_err(io_error("write", &path))?;
        replace_file(&path, &bytes)
    }

    /// Replaces `report.html`, the page a person opens.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn write_page(&self, report: &RunReport) -> Result<(), KeepError> {
        let mut bytes = Vec::new();
        html::write(report, &mut bytes).map_err(io_error("write", &self.directory.join("report.html")))?;
        self.write_file("report.html", &bytes).map(drop)
    }

    /// Adds or replaces another file of the run, such as a kept plan.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn write_file(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, KeepError> {
        let path = self.directory.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(io_error("create", parent))?;
        }
        replace_file(&path, bytes)?;
        Ok(path)
    }
}

/// Writes beside the file, then renames over it: a reader sees the old or the
/// new text, never a part.
///
/// # Errors
/// Where the folder cannot be written to or the disk is full.
pub fn replace_file(path: &Path, bytes: &[u8]) -> Result<(), KeepError> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new()
        .prefix(".plimsoll-")
        .permissions_mode()
        .tempfile_in(folder)
        .map_err(io_error("write to", folder))?;
    file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(io_error("write", path))?;
    file.persist(path).map_err(|e| io_error("replace", path)(e.error))?;
    Ok(())
}

trait OrdinaryPermissions {
    fn permissions_mode(&mut self) -> &mut Self;
}

impl OrdinaryPermissions for tempfile::Builder<'_, '_> {
    /// Temporary files are private by default; a report is meant to be read.
    #[cfg(unix)]
    fn permissions_mode(&mut self) -> &mut Self {
        use std::os::unix::fs::PermissionsExt;
        self.permissions(fs::Permissions::from_mode(0o644))
    }
    #[cfg(not(unix))]
    fn permissions_mode(&mut self) -> &mut Self {
        self
    }
}

/// The kept runs of a reports folder, oldest first. Folders without a
/// `run.json` are not runs.
///
/// # Errors
/// Where the folder exists but cannot be read.
pub fn list(reports: &Path) -> Result<Vec<PathBuf>, KeepError> {
    let entries = match fs::read_dir(reports) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(io_error("read", reports)(e)),
    };
    let mut runs: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path().join("run.json")))
        .filter(|p| p.is_file())
        .collect();
    runs.sort();
    Ok(runs)
}

/// The file of the run that `reference` names: a path, `latest`, or the
/// unique beginning of a run id.
///
/// # Errors
/// Where no run, or more than one, answers to it.
pub fn find(reports: &Path, reference: &str) -> Result<PathBuf, KeepError> {
    let path = Path::new(reference);
    if path.is_file() {
        return Ok(path.to_owned());
    }
    if path.join("run.json").is_file() {
        return Ok(path.join("run.json"));
    }
    let runs = list(reports)?;
    let matching: Vec<_> = if reference == "latest" {
        runs.last().into_iter().collect()
    } else {
        runs.iter().filter(|run| run_id_of(run).starts_with(reference)).collect()
    };
    match matching[..] {
        [one] => Ok(one.clone()),
        [_, _, ..] => Err(KeepError::Ambiguous {
            reference: reference.to_owned(),
            matching: matching.iter().map(|run| run_id_of(run)).collect(),
        }),
        [] => Err(KeepError::Unknown { reference: reference.to_owned(), folder: reports.to_owned() }),
    }
}

/// The run that `reference` names, where `latest` is the last one that `fits`; `wanted` says
/// how such a run is, for the error.
///
/// # Errors
/// Where no run, or more than one, answers to it, or it cannot be read.
pub fn read_fitting(
    reports: &Path,
    reference: &str,
    fits: impl Fn(&RunReport) -> bool,
    wanted: &'static str,
) -> Result<RunReport, KeepError> {
    if reference != "latest" || Path::new(reference).exists() {
        return read(&find(reports, reference)?);
    }
    // What cannot be read any more is no run to compare with.
    let fitting = list(reports)?.into_iter().rev().filter_map(|path| read(&path).ok()).find(fits);
    fitting.ok_or_else(|| KeepError::NoneFits { folder: reports.to_owned(), wanted })
}

fn run_id_of(run_json: &Path) -> String {
    run_json.parent().and_then(Path::file_name).map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Reads one kept run.
///
/// # Errors
/// Where the file cannot be read or is not a run report.
pub fn read(path: &Path) -> Result<RunReport, KeepError> {
    let text = fs::read_to_string(path).map_err(io_error("read", path))?;
    json::read(&text).map_err(|source| KeepError::Unreadable { path: path.to_owned(), source })
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> KeepError {
    let path = path.to_owned();
    move |source| KeepError::Io { action, path, source }
}
