//! `fsync` off while data is loaded, and on again before anything is measured.

use super::{Error, Target};

/// More rounds than any server needs to take note of its settings.
const ROUNDS: u32 = 1000;

pub(super) async fn suspend(target: &Target) -> Result<(), Error> {
    let session = target.connect_to("postgres").await?;
    session.batch_execute("ALTER SYSTEM SET fsync = off").await?;
    session.batch_execute("ALTER SYSTEM SET full_page_writes = off").await?;
    reload(target, "off").await
}

pub(super) async fn restore(target: &Target) -> Result<(), Error> {
    let session = target.connect_to("postgres").await?;
    session.batch_execute("ALTER SYSTEM RESET fsync").await?;
    session.batch_execute("ALTER SYSTEM RESET full_page_writes").await?;
    reload(target, "on").await?;
    Ok(session.batch_execute("CHECKPOINT").await?)
}

/// Returns once new sessions have the setting: the postmaster reads its files
/// first, and then tells those that exist.
async fn reload(target: &Target, fsync: &str) -> Result<(), Error> {
    target.connect_to("postgres").await?.batch_execute("SELECT pg_catalog.pg_reload_conf()").await?;
    for _ in 0..ROUNDS {
        let session = target.connect_to("postgres").await?;
        let current: String = session.query_one("SHOW fsync", &[]).await?.get(0);
        if current == fsync {
            return Ok(());
        }
    }
    Err(Error::Unexpected(format!("the server does not take over the setting fsync = {fsync}")))
}
