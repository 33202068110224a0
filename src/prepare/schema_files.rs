//! The schema of each version, kept in the project's folder.

use super::Error;
use std::path::{Path, PathBuf};

/// Below the project's folder.
const FOLDER: &str = ".plimsoll/schema";

/// Writes `.plimsoll/schema/<version>.sql`, whole or not at all. Git leaves the
/// folder alone, unless its `.gitignore` is removed.
pub(super) fn write(root: &Path, version: &str, text: &str) -> Result<PathBuf, Error> {
    let folder = root.join(FOLDER);
    let path = folder.join(format!("{version}.sql"));
    write_whole(&folder, &path, text).map_err(|source| Error::SchemaFile { path: path.clone(), source })?;
    Ok(path)
}

fn write_whole(folder: &Path, path: &Path, text: &str) -> std::io::Result<()> {
    if !folder.is_dir() {
        std::fs::create_dir_all(folder)?;
        if let Some(parent) = folder.parent() {
            std::fs::write(parent.join(".gitignore"), "*\n")?;
        }
    }
    let unfinished = path.with_extension("unfinished");
    std::fs::write(&unfinished, text)?;
    std::fs::rename(&unfinished, path)
}
