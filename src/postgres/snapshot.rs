//! The data directory of a throwaway server with its templates, kept for the next start.
//!
//! Only ever copied from a server that has been shut down cleanly, published
//! whole by a rename, and bounded: the longest unused go first. Whatever is
//! wrong with one, the next start works without it.

use super::Error;
use super::account::Account;
use super::cluster::{cached_cluster, key};
use super::copy::{copy_selected, copy_tree};
use super::directory::random_letters;
use super::programs::Programs;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// So many are kept.
const MOST_KEPT: usize = 4;
/// One that takes more than this is not kept: copying it is no gain any more.
pub(super) const LARGEST_BYTES: i64 = 4 << 30;
/// One whose templates take less is made anew as fast.
pub(super) const SMALLEST_BYTES: i64 = 48 << 20;
/// What an interrupted run left unfinished is removed after this time.
const UNFINISHED_AFTER: Duration = Duration::from_secs(3600);
const FOLDER: &str = "snapshots";
const UNFINISHED: &str = "unfinished-";

/// Where the snapshot of this content is, or would be.
pub(super) fn place(cache: &Path, content: &str, programs: &Programs, account: &Account) -> PathBuf {
    let cluster = cached_cluster(cache, programs, account);
    cache.join(FOLDER).join(key(format!("{}\n{content}", cluster.display()).as_bytes()))
}

/// Copies a snapshot to `data`; false where there is none that can be copied.
pub(super) fn restore(snapshot: &Path, data: &Path, account: &Account) -> bool {
    if !snapshot.is_dir() {
        return false;
    }
    if copy_tree(snapshot, data, account).is_err() {
        // Another run may be removing it.
        let _ = std::fs::remove_dir_all(data);
        return false;
    }
    // Used now: the others go first.
    let _ = std::fs::File::open(snapshot).and_then(|folder| folder.set_modified(SystemTime::now()));
    true
}

/// Keeps the data directory of a server that has been shut down cleanly.
pub(super) fn keep(
    data: &Path,
    snapshot: &Path,
    programs: &Programs,
    account: &Account,
) -> Result<(), Error> {
    let folder = snapshot.parent().unwrap_or(snapshot);
    let fail = |source| Error::File { action: "create", path: folder.to_owned(), source };
    let needed = first_needed_wal_file(data, programs, account)?;
    std::fs::create_dir_all(folder).map_err(fail)?;
    remove_old(folder, snapshot);
    let name =
        |suffix: &str| Ok::<_, Error>(folder.join(format!("{UNFINISHED}{}{suffix}", random_letters(10)?)));
    let unfinished = name("")?;
    let ourselves = Account { is_other: false, ..*account };
    let kept = copy_selected(data, &unfinished, &ourselves, &|directory, name| {
        !directory.ends_with("pg_wal") || !is_wal_file(name) || is_needed(name, &needed)
    })
    .and_then(|()| {
        let previous = name("-previous")?;
        // The previous one under this key lacks what this run has added.
        if std::fs::rename(snapshot, &previous).is_ok() {
            let _ = std::fs::remove_dir_all(&previous);
        }
        std::fs::rename(&unfinished, snapshot).map_err(fail)
    });
    if kept.is_err() {
        let _ = std::fs::remove_dir_all(&unfinished);
    }
    kept
}

/// Removes the longest unused, and what nobody is finishing any more.
fn remove_old(folder: &Path, but: &Path) {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut others: Vec<(SystemTime, PathBuf)> = entries
        .filter(|entry| entry.path() != but)
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    others.sort();
    let is_unfinished = |path: &Path| {
        path.file_name().and_then(OsStr::to_str).is_some_and(|name| name.starts_with(UNFINISHED))
    };
    let (unfinished, whole): (Vec<_>, Vec<_>) = others.into_iter().partition(|(_, path)| is_unfinished(path));
    let abandoned =
        unfinished.into_iter().filter(|(time, _)| time.elapsed().is_ok_and(|age| age > UNFINISHED_AFTER));
    let too_many = (whole.len() + 1).saturating_sub(MOST_KEPT);
    for (_, path) in abandoned.chain(whole.into_iter().take(too_many)) {
        let _ = std::fs::remove_dir_all(path);
    }
}

/// After a clean shutdown recovery reads nothing before the last checkpoint's
/// file; all the others may be gigabytes that are kept for recycling.
fn first_needed_wal_file(data: &Path, programs: &Programs, account: &Account) -> Result<OsString, Error> {
    let program = programs.program("pg_controldata");
    let mut command = account.command(&program);
    let output = command.arg("-D").arg(data).output().map_err(|source| Error::File {
        action: "run",
        path: program,
        source,
    })?;
    let text = String::from_utf8_lossy(&output.stdout);
    let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    match (value("Database cluster state:"), value("Latest checkpoint's REDO WAL file:")) {
        (Some("shut down"), Some(file)) => Ok(file.into()),
        (state, _) => Err(Error::Unexpected(format!("the server was not shut down cleanly: {state:?}"))),
    }
}

fn is_wal_file(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| name.len() == 24 && name.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// The file with the checkpoint, and the next one should the record reach into it.
fn is_needed(name: &OsStr, first: &OsStr) -> bool {
    let number = |name: &OsStr| name.to_str().and_then(|name| u128::from_str_radix(name, 16).ok());
    match (number(name), number(first)) {
        // Names of sixteen-megabyte files skip from …000000FF to the next log: then it is not copied, and not needed.
        (Some(number), Some(first)) => number == first || number == first + 1,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_checkpoints_wal_is_needed() {
        let first = OsStr::new("000000010000000000000012");
        for (name, expected) in [
            ("000000010000000000000011", false),
            ("000000010000000000000012", true),
            ("000000010000000000000013", true),
            ("000000010000000000000014", false),
        ] {
            assert!(is_wal_file(OsStr::new(name)));
            assert_eq!(is_needed(OsStr::new(name), first), expected, "{name}");
        }
        assert!(!is_wal_file(OsStr::new("archive_status")));
    }

    #[test]
    fn the_longest_unused_are_removed_first_and_so_is_what_nobody_finishes() {
        let folder = tempfile::tempdir().unwrap();
        let make = |name: &str, age_s: u64| {
            let path = folder.path().join(name);
            std::fs::create_dir(&path).unwrap();
            let time = SystemTime::now() - Duration::from_secs(age_s);
            std::fs::File::open(&path).unwrap().set_modified(time).unwrap();
            path
        };
        let kept: Vec<_> = (1..=3).map(|age| make(&format!("kept{age}"), age)).collect();
        let old = make("old", 50);
        let new_one = make("new", 99);
        let abandoned = make("unfinished-a", 4000);
        let in_progress = make("unfinished-b", 10);
        remove_old(folder.path(), &new_one);
        assert!(kept.iter().all(|path| path.exists()) && new_one.exists() && in_progress.exists());
        assert!(!old.exists() && !abandoned.exists());
    }
}
