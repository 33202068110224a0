//! Copying a directory tree, for a given owner.

use super::Error;
use super::account::Account;
use std::ffi::OsStr;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

/// Copies the directories, files and symbolic links below `from` to `to`, which
/// is not there yet. Directories are private; the file system shares blocks
/// where it can.
pub(super) fn copy_tree(from: &Path, to: &Path, account: &Account) -> Result<(), Error> {
    copy_selected(from, to, account, &|_, _| true)
}

/// The same without what `is_wanted` (directory, name) leaves out.
pub(super) fn copy_selected(
    from: &Path,
    to: &Path,
    account: &Account,
    is_wanted: &dyn Fn(&Path, &OsStr) -> bool,
) -> Result<(), Error> {
    let fail = |action, path: &Path| {
        let path = path.to_owned();
        move |source| Error::File { action, path, source }
    };
    DirBuilder::new().mode(0o700).create(to).map_err(fail("create", to))?;
    account.own(to)?;
    for entry in std::fs::read_dir(from).map_err(fail("read", from))? {
        let entry = entry.map_err(fail("read", from))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().map_err(fail("read", &source))?;
        if !is_wanted(from, &entry.file_name()) {
            continue;
        }
        if kind.is_dir() {
            copy_selected(&source, &target, account, is_wanted)?;
            continue;
        }
        if kind.is_symlink() {
            let link = std::fs::read_link(&source).map_err(fail("read", &source))?;
            std::os::unix::fs::symlink(link, &target).map_err(fail("create", &target))?;
        } else if kind.is_file() {
            std::fs::copy(&source, &target).map_err(fail("copy", &source))?;
        }
        account.own(&target)?;
    }
    Ok(())
}
