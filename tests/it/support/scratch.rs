//! A directory for a test's servers, which also the account they run as can write to.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Removed with its content.
pub(crate) struct Scratch(tempfile::TempDir);

impl Scratch {
    /// An empty one, with the mode of `/tmp`.
    pub(crate) fn new() -> Self {
        let directory = tempfile::Builder::new().prefix("plimsoll-test-").tempdir_in("/tmp").unwrap();
        std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o1777)).unwrap();
        Self(directory)
    }

    /// An empty one that belongs to a user; only root can make it.
    pub(crate) fn owned_by(uid: u32) -> Self {
        let scratch = Self::new();
        std::os::unix::fs::chown(scratch.path(), Some(uid), Some(uid)).unwrap();
        scratch
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}
