//! Which account of the operating system runs a throwaway server.
//!
//! PostgreSQL refuses to run as root, so root hands it to `postgres`, else to
//! `nobody`; everybody else runs it as themselves. No sudo, no setuid program.

use super::Error;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// An account: who the server runs as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Account {
    /// User id.
    pub(super) uid: u32,
    /// Primary group id.
    pub(super) gid: u32,
    /// Whether it is another account than ours, so that we are root.
    pub(super) is_other: bool,
}

impl Account {
    /// The account for a server that this process starts.
    pub(super) fn for_server() -> Result<Self, Error> {
        let uid = rustix::process::geteuid().as_raw();
        if uid != 0 {
            return Ok(Self { uid, gid: rustix::process::getegid().as_raw(), is_other: false });
        }
        ["postgres", "nobody"].into_iter().find_map(Self::named).ok_or_else(|| {
            Error::Start(
                "PostgreSQL does not run as root, and there is neither a user postgres nor a user nobody to \
                 run it as: run plimsoll as an ordinary user"
                    .into(),
            )
        })
    }

    /// Asks `id`, which knows every source of accounts that the system is set up for.
    fn named(name: &str) -> Option<Self> {
        let ask = |flag: &str| {
            let output = Command::new("id").args([flag, name]).stderr(Stdio::null()).output().ok()?;
            String::from_utf8(output.stdout).ok()?.trim().parse::<u32>().ok()
        };
        let account = Self { uid: ask("-u")?, gid: ask("-g")?, is_other: true };
        (account.uid != 0).then_some(account)
    }

    /// A command that runs as this account with nothing of our environment but
    /// the plain path: `PG*` variables would change what the server does.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("LC_ALL", "C");
        command.current_dir("/").stdin(Stdio::null());
        if self.is_other {
            command.gid(self.gid).uid(self.uid);
        }
        command
    }

    /// Gives a file to this account.
    pub(super) fn own(&self, path: &Path) -> Result<(), Error> {
        if !self.is_other {
            return Ok(());
        }
        std::os::unix::fs::lchown(path, Some(self.uid), Some(self.gid)).map_err(|source| Error::File {
            action: "change the owner of",
            path: path.to_owned(),
            source,
        })
    }
}
