//! Where what is made once for all runs is kept.

use etcetera::BaseStrategy;
use std::path::PathBuf;

/// Where initialised data directories are kept: `PLIMSOLL_CACHE`, else below
/// the user's cache folder; none where there is no home.
#[must_use]
pub fn cache_directory() -> Option<PathBuf> {
    match std::env::var_os("PLIMSOLL_CACHE") {
        Some(folder) => Some(folder.into()),
        None => Some(etcetera::choose_base_strategy().ok()?.cache_dir().join("plimsoll")),
    }
}
