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
use crate::stats::clock;
use std::ffi::OsStr;
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
/// Far more than a shutdown writes.
const WAL_FILES_NEEDED: usize = 3;
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
    let _ = std::fs::File::open(snapshot).and_then(|folder| folder.set_modified(clock::wall_clock()));
    true
}

/// Keeps the data directory of a server that has been shut down cleanly;
/// `wal_file` is the one that was current just before.
pub(super) fn keep(data: &Path, snapshot: &Path, wal_file: &str) -> Result<(), Error> {
    let folder = snapshot.parent().unwrap_or(snapshot);
    let fail = |source| Error::File { action: "create", path: folder.to_owned(), source };
    let needed = needed_wal_files(wal_file);
    std::fs::create_dir_all(folder).map_err(fail)?;
    remove_old(folder, snapshot);
    let name =
        |suffix: &str| Ok::<_, Error>(folder.join(format!("{UNFINISHED}{}{suffix}", random_letters(10)?)));
    let unfinished = name("")?;
    let ourselves = Account { uid: 0, gid: 0, is_other: false };
    let kept = copy_selected(data, &unfinished, &ourselves, &|directory, name| {
        !directory.ends_with("pg_wal")
            || !is_wal_file(name)
            || needed.iter().any(|needed| name == needed.as_str())
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

fn is_wal_file(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| name.len() == 24 && name.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// The file that was current before the shutdown, and the next ones should the
/// shutdown's checkpoint reach into them. Recovery reads nothing before it, and all
/// the others may be gigabytes that are kept for recycling.
fn needed_wal_files(current: &str) -> Vec<String> {
    std::iter::successors(Some(current.to_owned()), |name| next_wal_file(name))
        .take(WAL_FILES_NEEDED)
        .collect()
}

/// Timeline, log and segment, eight digits each; segments of sixteen megabytes go from 00 to FF.
fn next_wal_file(name: &str) -> Option<String> {
    let part = |range: std::ops::Range<usize>| u32::from_str_radix(name.get(range)?, 16).ok();
    let (timeline, log, segment) = (part(0..8)?, part(8..16)?, part(16..24)?);
    let (log, segment) = if segment >= 0xFF { (log + 1, 0) } else { (log, segment + 1) };
    Some(format!("{timeline:08X}{log:08X}{segment:08X}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_current_wal_file_and_the_next_ones_are_needed() {
        let expected = ["0000000100000001000000FE", "0000000100000001000000FF", "000000010000000200000000"];
        assert_eq!(needed_wal_files(expected[0]), expected);
        assert!(is_wal_file(OsStr::new(expected[0])) && !is_wal_file(OsStr::new("archive_status")));
    }

    #[test]
    fn the_longest_unused_are_removed_first_and_so_is_what_nobody_finishes() {
        let folder = tempfile::tempdir().unwrap();
        let make = |name: &str, age_s: u64| {
            let path = folder.path().join(name);
            std::fs::create_dir(&path).unwrap();
            let time = clock::wall_clock() - Duration::from_secs(age_s);
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
