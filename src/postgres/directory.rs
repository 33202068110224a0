//! The private directory of one throwaway server, and the sweep of dead ones.

use super::Error;
use super::account::Account;
use crate::scratch::{self, Kind, PrivateDirectory, RANDOM_CHARACTERS};
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// The directories of throwaway servers.
pub(super) const SERVERS: Kind = Kind {
    prefix: "plimsoll-server-",
    mark: "plimsoll throwaway server, removed when nobody holds this lock\n",
};
/// What a socket's path may measure, its own name included, on the strictest system.
const LONGEST_SOCKET_PATH: usize = 100;

/// Makes one below `parent` that belongs to `account`.
pub(super) fn create(parent: &Path, account: &Account) -> Result<PrivateDirectory, Error> {
    require_writable(parent, account)?;
    let name_length = "/".len() + SERVERS.prefix.len() + RANDOM_CHARACTERS;
    let length = parent.as_os_str().len() + name_length + "/.s.PGSQL.65535".len();
    if length > LONGEST_SOCKET_PATH {
        return Err(Error::Start(format!(
            "a path in {} is too long for a Unix socket: use a scratch directory with a shorter path",
            parent.display()
        )));
    }
    let file_error =
        |scratch::Error { action, path, source }: scratch::Error| Error::File { action, path, source };
    let directory = PrivateDirectory::create(parent, SERVERS).map_err(file_error)?;
    account.own(directory.path())?;
    Ok(directory)
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

/// Removes what dead owners left below `parent`, with the servers that still run in it; returns how many.
pub(super) fn sweep(parent: &Path, account: &Account) -> usize {
    scratch::sweep(parent, SERVERS, account.uid, |directory| super::orphan::stop(&directory.join("data")))
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

    #[test]
    fn root_needs_a_scratch_directory_that_the_servers_account_can_write_to() {
        let parent = tempfile::tempdir().unwrap();
        let other = Account { uid: 54321, gid: 54321, is_other: true };
        let error = create(parent.path(), &other).unwrap_err().to_string();
        assert!(error.contains("as user id 54321, who cannot write to the scratch directory"), "{error}");
    }

    #[test]
    fn a_path_too_long_for_a_socket_is_refused_before_anything_is_made() {
        let parent = tempfile::tempdir().unwrap();
        let long = parent.path().join("x".repeat(90));
        std::fs::create_dir(&long).unwrap();
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        let error = create(&long, &Account { uid, gid, is_other: false }).unwrap_err();
        assert!(error.to_string().contains("too long for a Unix socket"), "{error}");
        assert_eq!(std::fs::read_dir(&long).unwrap().count(), 0);
    }
}
