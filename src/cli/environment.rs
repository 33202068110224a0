//! Where and of what a run is made: read once, passed on as data.

use crate::model::Environment;
use crate::stats::clock;
use etcetera::BaseStrategy;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The machine, and the commit of the project's repository where there is one.
pub(super) fn read(project: &Path) -> Environment {
    Environment {
        git_commit: git(project, &["rev-parse", "HEAD"]),
        git_branch: git(project, &["rev-parse", "--abbrev-ref", "HEAD"]).filter(|branch| branch != "HEAD"),
        cpu_count: std::thread::available_parallelism().map_or(1, usize::from),
        operating_system: std::env::consts::OS.to_owned(),
    }
}

/// What git prints, or nothing: no git and no repository are no problem.
fn git(folder: &Path, arguments: &[&str]) -> Option<String> {
    let output =
        Command::new("git").arg("-C").arg(folder).args(arguments).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}

/// UTC, RFC 3339, to the second.
pub(super) fn started_at() -> String {
    timestamp().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Unique, and sorts by time.
pub(super) fn run_id() -> String {
    format!("{}-{:06x}", timestamp().strftime("%Y%m%dT%H%M%S"), rand::random::<u32>() & 0x00ff_ffff)
}

fn timestamp() -> jiff::Timestamp {
    // A clock before 1970 or past 9999 has no name for a folder; the epoch has.
    jiff::Timestamp::try_from(clock::wall_clock()).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}

/// Where initialised data directories are kept: `PLIMSOLL_CACHE`, else below
/// the user's cache folder; none where there is no home.
pub(super) fn cache_directory() -> Option<PathBuf> {
    match std::env::var_os("PLIMSOLL_CACHE") {
        Some(folder) => Some(folder.into()),
        None => Some(etcetera::choose_base_strategy().ok()?.cache_dir().join("plimsoll")),
    }
}
