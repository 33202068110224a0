//! The private directory of one throwaway server, and the sweep of dead ones.
//!
//! A directory is ours only if its name, its owner, its mode and the first line
//! of its lock file say so. It is in use as long as somebody holds the lock:
//! the kernel takes it from a process that ends in whatever way, so neither
//! process ids nor start times have to be compared.

use super::Error;
use super::account::Account;
use rustix::fs::FlockOperation;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// How the directories are called, followed by random characters.
pub(super) const PREFIX: &str = "plimsoll-server-";
/// The lock file, whose first line is [`MARK`].
const LOCK: &str = "plimsoll.lock";
const MARK: &str = "plimsoll throwaway server, removed when nobody holds this lock\n";
/// What a socket's path may measure, its own name included, on the strictest system.
const LONGEST_SOCKET_PATH: usize = 100;

/// A directory that is ours alone, with its lock held.
#[derive(Debug)]
pub(super) struct PrivateDirectory {
    path: PathBuf,
    lock: File,
    /// The guard removes it from now on.
    is_guarded: bool,
}

impl Drop for PrivateDirectory {
    fn drop(&mut self) {
        if !self.is_guarded {
            // A sweep takes what cannot be removed now.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

impl PrivateDirectory {
    /// Makes one below `parent` that belongs to `account`.
    pub(super) fn create(parent: &Path, account: &Account) -> Result<Self, Error> {
        let path = parent.join(format!("{PREFIX}{}", random_letters(10)?));
        let file_error = |action| {
            let path = path.clone();
            move |source| Error::File { action, path, source }
        };
        require_writable(parent, account)?;
        let length = path.as_os_str().len() + "/.s.PGSQL.65535".len();
        if length > LONGEST_SOCKET_PATH {
            return Err(Error::Start(format!(
                "the path {} is too long for a Unix socket: use a scratch directory with a shorter path",
                path.display()
            )));
        }
        DirBuilder::new().mode(0o700).create(&path).map_err(file_error("create"))?;
        let made = Self::lock_new(&path).and_then(|lock| account.own(&path).map(|()| lock));
        match made {
            Ok(lock) => Ok(Self { path, lock, is_guarded: false }),
            Err(error) => {
                // Nothing was put into it but the lock file.
                let _ = std::fs::remove_dir_all(&path);
                Err(error)
            }
        }
    }

    fn lock_new(directory: &Path) -> Result<File, Error> {
        let path = directory.join(LOCK);
        let fail = |source: std::io::Error| Error::File { action: "lock", path: path.clone(), source };
        let mut lock =
            OpenOptions::new().append(true).create_new(true).mode(0o600).open(&path).map_err(fail)?;
        rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|e| fail(e.into()))?;
        // Written only once the lock is held: a sweep never sees a marked file without a holder.
        lock.write_all(MARK.as_bytes()).map_err(fail)?;
        Ok(lock)
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Leaves the removal to the guard.
    pub(super) fn hand_over(&mut self) {
        self.is_guarded = true;
    }

    /// Another handle of the same lock, for the guard: it is free when both are closed.
    pub(super) fn lock(&self) -> std::io::Result<File> {
        self.lock.try_clone()
    }
}

/// The guard removes the directory with the account's rights, not with ours.
fn require_writable(parent: &Path, account: &Account) -> Result<(), Error> {
    if !account.is_other {
        return Ok(());
    }
    let fail = |source| Error::File { action: "read", path: parent.to_owned(), source };
    let metadata = std::fs::metadata(parent).map_err(fail)?;
    let is_writable = metadata.mode() & 0o003 == 0o003
        || (metadata.uid() == account.uid && metadata.mode() & 0o300 == 0o300)
        || (metadata.gid() == account.gid && metadata.mode() & 0o030 == 0o030);
    if is_writable {
        return Ok(());
    }
    Err(Error::Start(format!(
        "PostgreSQL does not run as root but as user id {}, who cannot write to the scratch directory {}: \
         give one that everybody can write to, such as /var/tmp",
        account.uid,
        parent.display()
    )))
}

/// Removes what dead owners left below `parent`; returns how many.
///
/// Whatever is not clearly ours and clearly dead is left alone, and an error
/// with one directory does not keep the others from being looked at.
pub(super) fn sweep(parent: &Path, account: &Account) -> usize {
    let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX)))
        .filter(|entry| remove_if_dead(&entry.path(), account).is_some())
        .count()
}

fn remove_if_dead(directory: &Path, account: &Account) -> Option<()> {
    let metadata = std::fs::symlink_metadata(directory).ok()?;
    let is_private = metadata.is_dir() && metadata.mode() & 0o777 == 0o700 && metadata.uid() == account.uid;
    if !is_private {
        return None;
    }
    let path = directory.join(LOCK);
    if !std::fs::symlink_metadata(&path).ok()?.is_file() {
        return None;
    }
    let mut lock = OpenOptions::new().read(true).append(true).open(&path).ok()?;
    rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).ok()?;
    let mut start = vec![0; MARK.len()];
    lock.read_exact(&mut start).ok()?;
    if start != MARK.as_bytes() {
        return None;
    }
    super::orphan::stop(&directory.join("data"));
    std::fs::remove_dir_all(directory).ok()
}

/// `count` random letters and digits, from the system's own source.
pub(super) fn random_letters(count: usize) -> Result<String, Error> {
    const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let path = PathBuf::from("/dev/urandom");
    let mut bytes = vec![0u8; count];
    File::open(&path).and_then(|mut source| source.read_exact(&mut bytes)).map_err(|source| Error::File {
        action: "read",
        path,
        source,
    })?;
    Ok(bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn ourselves() -> Account {
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        Account { uid, gid, is_other: false }
    }

    fn abandoned(parent: &Path) -> PathBuf {
        let mut directory = PrivateDirectory::create(parent, &ourselves()).unwrap();
        directory.hand_over();
        directory.path().to_owned()
    }

    #[test]
    fn a_directory_is_swept_once_nobody_holds_its_lock() {
        let parent = tempfile::tempdir().unwrap();
        let mut held = PrivateDirectory::create(parent.path(), &ourselves()).unwrap();
        held.hand_over();
        let copy = held.lock().unwrap();
        let dead = abandoned(parent.path());
        assert_eq!(sweep(parent.path(), &ourselves()), 1);
        assert!(!dead.exists());
        let path = held.path().to_owned();
        drop(held);
        assert_eq!(sweep(parent.path(), &ourselves()), 0, "the guard still holds it");
        drop(copy);
        assert_eq!(sweep(parent.path(), &ourselves()), 1);
        assert!(!path.exists());
    }

    #[test]
    fn a_directory_that_is_not_ours_is_never_touched() {
        let parent = tempfile::tempdir().unwrap();
        let make = |name: &str, mode: u32| {
            let path = parent.path().join(name);
            std::fs::create_dir(&path).unwrap();
            std::fs::write(path.join("precious"), "x").unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            path
        };
        let without_mark = make("plimsoll-server-aaaa", 0o700);
        let with_other_mark = make("plimsoll-server-bbbb", 0o700);
        std::fs::write(
            with_other_mark.join(LOCK),
            "somebody else's lock, and long enough to be read: really",
        )
        .unwrap();
        let open_to_all = make("plimsoll-server-cccc", 0o755);
        std::fs::write(open_to_all.join(LOCK), MARK).unwrap();
        let other_name = make("plimsoll-data", 0o700);
        std::fs::write(other_name.join(LOCK), MARK).unwrap();
        let link = parent.path().join("plimsoll-server-dddd");
        std::os::unix::fs::symlink(&other_name, &link).unwrap();
        assert_eq!(sweep(parent.path(), &ourselves()), 0);
        for path in [without_mark, with_other_mark, open_to_all, other_name, link] {
            assert!(path.join("precious").exists(), "{}", path.display());
        }
        let somebody_else = Account { uid: 54321, gid: 54321, is_other: true };
        let ours = abandoned(parent.path());
        assert_eq!(sweep(parent.path(), &somebody_else), 0);
        assert!(ours.exists());
    }

    #[test]
    fn root_needs_a_scratch_directory_that_the_servers_account_can_write_to() {
        let parent = tempfile::tempdir().unwrap();
        let other = Account { uid: 54321, gid: 54321, is_other: true };
        let error = PrivateDirectory::create(parent.path(), &other).unwrap_err().to_string();
        assert!(error.contains("as user id 54321, who cannot write to the scratch directory"), "{error}");
    }

    #[test]
    fn a_path_too_long_for_a_socket_is_refused_before_anything_is_made() {
        let parent = tempfile::tempdir().unwrap();
        let long = parent.path().join("x".repeat(90));
        std::fs::create_dir(&long).unwrap();
        let error = PrivateDirectory::create(&long, &ourselves()).unwrap_err();
        assert!(error.to_string().contains("too long for a Unix socket"), "{error}");
        assert_eq!(std::fs::read_dir(&long).unwrap().count(), 0);
    }
}
