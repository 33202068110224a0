//! Empties the caches of a server that is ours: its own buffers by the restart
//! that follows a killed backend, the operating system's by giving the pages of
//! the data files back. What is left afterwards is looked at, not assumed.

use super::{Error, Target};
use crate::stats::clock;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A server that takes longer to come back is lost.
const RESTART_MAX: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(5);

impl Target {
    /// Whether caches can be emptied for this database.
    ///
    /// # Errors
    /// They cannot; the message says why and what to do.
    pub async fn require_empty_caches(&self, database: &str) -> Result<(), Error> {
        if !self.is_ours() {
            return Err(Error::Caches(
                "a cold cache was asked for, and the caches of a server that Plimsoll did not start are not \
                 touched: leave the URL out, or take `cold = true` and `-- cache: cold` away"
                    .into(),
            ));
        }
        if cfg!(not(target_os = "linux")) {
            return Err(Error::Caches(
                "a cold cache was asked for, and only on Linux the operating system's cache can be emptied"
                    .into(),
            ));
        }
        let unlogged = "SELECT c.oid::regclass::text FROM pg_catalog.pg_class c WHERE c.relpersistence = 'u' AND c.relkind = 'r' LIMIT 1";
        if let Some(row) = self.connect_to(database).await?.query_opt(unlogged, &[]).await? {
            return Err(Error::Caches(format!(
                "a cold cache was asked for, and emptying the caches would empty the unlogged table {}: make it \
                 LOGGED, or take `cold = true` and `-- cache: cold` away",
                row.get::<_, &str>(0)
            )));
        }
        Ok(())
    }

    /// Empties the server's buffers and the operating system's cache of a database's files. Every
    /// session with the server ends.
    ///
    /// # Errors
    /// As [`Self::require_empty_caches`]; the server does not come back; pages stay in memory, as on
    /// a file system that is memory.
    pub async fn empty_caches(&self, database: &str) -> Result<(), Error> {
        let Some(server) = self.server().cloned() else {
            return self.require_empty_caches(database).await;
        };
        let session = self.connect_to("postgres").await?;
        let oid: u32 = session
            .query_one("SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = $1", &[&database])
            .await?
            .get(0);
        session.batch_execute("CHECKPOINT").await?;
        // A backend that dies takes the shared memory with it: the server starts anew with none.
        let witness = self.connect_to("postgres").await?;
        kill(session.backend_pid())?;
        // Ends with the others; until then the server has not noticed.
        let _ = witness.batch_execute("SELECT pg_catalog.pg_sleep(60)").await;
        let start = clock::now();
        while let Err(error) = self.connect_to("postgres").await {
            if clock::now().duration_since(start) > RESTART_MAX {
                return Err(error);
            }
            tokio::time::sleep(PAUSE).await;
        }
        let data = server.directory.join("data");
        let folders = [data.join("base").join(oid.to_string()), data.join("global")];
        let emptied = tokio::task::spawn_blocking(move || {
            server.sync_to_disk();
            folders.iter().try_for_each(|folder| forget(folder))
        });
        emptied.await.map_err(|error| Error::Unexpected(error.to_string()))?
    }
}

fn kill(backend: i32) -> Result<(), Error> {
    use rustix::process::{Pid, Signal, kill_process};
    let refused = |problem: String| Error::Caches(format!("the caches cannot be emptied: {problem}"));
    let pid = Pid::from_raw(backend).ok_or_else(|| refused("the backend has no process id".into()))?;
    kill_process(pid, Signal::KILL).map_err(|error| refused(error.to_string()))
}

/// Gives every page of a folder's files back.
fn forget(folder: &Path) -> Result<(), Error> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source: std::io::Error| Error::File { action: "empty the cache of", path, source }
    };
    let mut largest: Option<(u64, PathBuf)> = None;
    for entry in std::fs::read_dir(folder).map_err(failed(folder))? {
        let path = entry.map_err(failed(folder))?.path();
        // A file that was dropped meanwhile has no pages.
        let Ok(file) = std::fs::File::open(&path) else { continue };
        let length = file.metadata().map_err(failed(&path))?.len();
        advise(&file).map_err(failed(&path))?;
        if largest.as_ref().is_none_or(|(known, _)| length > *known) {
            largest = Some((length, path));
        }
    }
    match largest.filter(|(length, path)| *length > 0 && is_in_memory(path)) {
        Some((_, path)) => Err(Error::Caches(format!(
            "the caches cannot be emptied: {} stays in memory, as on a file system that is memory; take \
             `cold = true` and `-- cache: cold` away",
            path.display()
        ))),
        None => Ok(()),
    }
}

#[cfg(target_os = "linux")]
fn advise(file: &std::fs::File) -> std::io::Result<()> {
    Ok(rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed)?)
}

#[cfg(not(target_os = "linux"))]
fn advise(_file: &std::fs::File) -> std::io::Result<()> {
    Ok(())
}

/// Whether the last block of a file can be read without waiting for the disk.
#[cfg(target_os = "linux")]
fn is_in_memory(path: &Path) -> bool {
    use rustix::io::{ReadWriteFlags, preadv2};
    const BLOCK: u64 = 8192;
    let Ok(file) = std::fs::File::open(path) else { return false };
    let length = file.metadata().map_or(0, |metadata| metadata.len());
    let mut block = [0_u8; 512];
    let mut buffers = [std::io::IoSliceMut::new(&mut block)];
    preadv2(&file, &mut buffers, length.saturating_sub(BLOCK), ReadWriteFlags::NOWAIT).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn is_in_memory(_path: &Path) -> bool {
    true
}
