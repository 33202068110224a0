//! Private directories for the time of a process, and the sweep of those that
//! killed processes left.
//!
//! A directory is ours only if its name, its owner, its mode and the first line
//! of its lock file say so. It is in use as long as somebody holds the lock:
//! the kernel takes it from a process that ends in whatever way, so neither
//! process ids nor start times have to be compared.

use rustix::fs::FlockOperation;
use std::fs::{File, OpenOptions, Permissions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// The lock file, whose first line is its kind's mark.
const LOCK: &str = "plimsoll.lock";
/// Random characters behind a prefix.
pub const RANDOM_CHARACTERS: usize = 10;

/// What directories of one kind are recognised by.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// How they are called, followed by [`RANDOM_CHARACTERS`].
    pub prefix: &'static str,
    /// The first line of their lock file, its end included.
    pub mark: &'static str,
}

/// Why a directory could not be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {path}")]
pub struct Error {
    /// What was tried.
    pub action: &'static str,
    /// On which file.
    pub path: PathBuf,
    /// What the system said.
    pub source: std::io::Error,
}

/// A directory that is ours alone, with its lock held; removed when dropped.
#[derive(Debug)]
pub struct PrivateDirectory {
    path: PathBuf,
    lock: File,
    is_handed_over: bool,
}

impl Drop for PrivateDirectory {
    fn drop(&mut self) {
        if !self.is_handed_over {
            // A sweep takes what cannot be removed now.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

impl PrivateDirectory {
    /// Makes one below `parent`.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn create(parent: &Path, kind: Kind) -> Result<Self, Error> {
        let made = tempfile::Builder::new()
            .prefix(kind.prefix)
            .rand_bytes(RANDOM_CHARACTERS)
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(parent)
            .map_err(|source| Error { action: "create a directory in", path: parent.to_owned(), source })?;
        let lock = lock_new(&made.path().join(LOCK), kind)?;
        Ok(Self { path: made.keep(), lock, is_handed_over: false })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Leaves the removal to whoever holds another handle of the lock.
    pub fn hand_over(&mut self) {
        self.is_handed_over = true;
    }

    /// Another handle of the same lock: it is free when both are closed.
    ///
    /// # Errors
    /// The system has no handle left.
    pub fn lock(&self) -> std::io::Result<File> {
        self.lock.try_clone()
    }
}

fn lock_new(path: &Path, kind: Kind) -> Result<File, Error> {
    let fail = |source: std::io::Error| Error { action: "lock", path: path.to_owned(), source };
    let mut lock = OpenOptions::new().append(true).create_new(true).mode(0o600).open(path).map_err(fail)?;
    // A sweep that came just now holds it for as long as it takes to find no mark in it.
    rustix::fs::flock(&lock, FlockOperation::LockExclusive).map_err(|e| fail(e.into()))?;
    // Written only once the lock is held: a sweep never sees a marked file without a holder.
    lock.write_all(kind.mark.as_bytes()).map_err(fail)?;
    Ok(lock)
}

/// Removes what dead owners left below `parent`; returns how many. `before_removal` is told of each
/// directory before it goes. `uid` is whose they have to be.
///
/// Whatever is not clearly ours and clearly dead is left alone, and an error
/// with one directory does not keep the others from being looked at.
pub fn sweep(parent: &Path, kind: Kind, uid: u32, before_removal: impl Fn(&Path)) -> usize {
    let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_name().to_str().is_some_and(|name| name.starts_with(kind.prefix)))
        .filter(|entry| remove_if_dead(&entry.path(), kind, uid, &before_removal).is_some())
        .count()
}

fn remove_if_dead(directory: &Path, kind: Kind, uid: u32, before_removal: impl Fn(&Path)) -> Option<()> {
    let metadata = std::fs::symlink_metadata(directory).ok()?;
    let is_private = metadata.is_dir() && metadata.mode() & 0o777 == 0o700 && metadata.uid() == uid;
    if !is_private {
        return None;
    }
    let path = directory.join(LOCK);
    if !std::fs::symlink_metadata(&path).ok()?.is_file() {
        return None;
    }
    let mut lock = OpenOptions::new().read(true).append(true).open(&path).ok()?;
    rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).ok()?;
    let mut start = vec![0; kind.mark.len()];
    lock.read_exact(&mut start).ok()?;
    if start != kind.mark.as_bytes() {
        return None;
    }
    before_removal(directory);
    std::fs::remove_dir_all(directory).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: Kind = Kind { prefix: "plimsoll-test-", mark: "a directory of this test\n" };

    fn ourselves() -> u32 {
        rustix::process::geteuid().as_raw()
    }

    fn abandoned(parent: &Path) -> PathBuf {
        let mut directory = PrivateDirectory::create(parent, KIND).unwrap();
        directory.hand_over();
        directory.path().to_owned()
    }

    fn swept(parent: &Path, uid: u32) -> usize {
        sweep(parent, KIND, uid, |_| ())
    }

    #[test]
    fn a_directory_is_swept_once_nobody_holds_its_lock() {
        let parent = tempfile::tempdir().unwrap();
        let mut held = PrivateDirectory::create(parent.path(), KIND).unwrap();
        held.hand_over();
        let copy = held.lock().unwrap();
        let dead = abandoned(parent.path());
        assert_eq!(swept(parent.path(), ourselves()), 1);
        assert!(!dead.exists());
        let path = held.path().to_owned();
        drop(held);
        assert_eq!(swept(parent.path(), ourselves()), 0, "the other handle still holds it");
        drop(copy);
        assert_eq!(swept(parent.path(), ourselves()), 1);
        assert!(!path.exists());
    }

    #[test]
    fn a_directory_that_is_not_ours_is_never_touched() {
        let parent = tempfile::tempdir().unwrap();
        let make = |name: &str, mode: u32, mark: &str| {
            let path = parent.path().join(name);
            std::fs::create_dir(&path).unwrap();
            std::fs::write(path.join("precious"), "x").unwrap();
            std::fs::write(path.join(LOCK), mark).unwrap();
            std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            path
        };
        let without_mark = make("plimsoll-test-aaaa", 0o700, "");
        let with_other_mark = make("plimsoll-test-bbbb", 0o700, "somebody else's lock, and long enough");
        let open_to_all = make("plimsoll-test-cccc", 0o755, KIND.mark);
        let other_name = make("plimsoll-data", 0o700, KIND.mark);
        let link = parent.path().join("plimsoll-test-dddd");
        std::os::unix::fs::symlink(&other_name, &link).unwrap();
        assert_eq!(swept(parent.path(), ourselves()), 0);
        for path in [without_mark, with_other_mark, open_to_all, other_name, link] {
            assert!(path.join("precious").exists(), "{}", path.display());
        }
        let ours = abandoned(parent.path());
        assert_eq!(swept(parent.path(), 54321), 0);
        assert!(ours.exists());
    }
}
