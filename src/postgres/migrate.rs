//! Ordered SQL files applied to a database, with a ledger of what was applied.
//!
//! A file runs in one transaction together with its entry in the ledger, so
//! that it is applied whole or not at all; a file that says otherwise runs
//! statement by statement. A file that changed after it was applied is an error.

use super::migrate_error::{MigrationError, locate};
use super::{Error, Session};
use crate::model::Progress;
use crate::sql::statement::{StatementKind, split_statements, statement_kind};
use crate::stats::clock;
use sha2::{Digest as _, Sha256};
use std::ops::Range;
use std::path::PathBuf;

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationFile {
    /// `001`: orders the files and names the schema version.
    pub version: String,
    /// For the ledger, such as `baseline`.
    pub label: String,
    /// For messages.
    pub path: PathBuf,
    /// The whole file.
    pub sql: String,
    /// Whether it runs in one transaction.
    pub in_transaction: bool,
}

/// A file that this call applied.
#[derive(Debug, Clone, PartialEq)]
pub struct AppliedMigration {
    /// Its version.
    pub version: String,
    /// Its label.
    pub label: String,
    /// How long it took, in microseconds.
    pub duration_us: f64,
}

impl MigrationFile {
    /// Hexadecimal SHA-256 of the text, whatever the line ends of a checkout are.
    #[must_use]
    pub fn checksum(&self) -> String {
        let digest = Sha256::digest(self.sql.replace("\r\n", "\n").as_bytes());
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn name(&self) -> String {
        self.path.display().to_string()
    }
}

/// Applies what is not applied yet, in order, up to and including `up_to` (none: all).
///
/// # Errors
/// The first statement that fails, with file and line; an applied file that
/// changed or is gone; a file that should have come before an applied one.
pub async fn apply(
    session: &Session,
    files: &[MigrationFile],
    up_to: Option<&str>,
    progress: &dyn Progress,
) -> Result<Vec<AppliedMigration>, Error> {
    let wanted = up_to_version(files, up_to)?;
    // Two runs at once: the second waits and then finds the work done. Also the ledger is made
    // under the lock: IF NOT EXISTS alone fails when two make it at the same time.
    session.batch_execute("SELECT pg_catalog.pg_advisory_lock(7237493, 1)").await?;
    let outcome = apply_pending(session, files, wanted, progress).await;
    session.batch_execute("SELECT pg_catalog.pg_advisory_unlock(7237493, 1)").await?;
    outcome
}

/// The versions that the ledger of a database holds, in the order in which they were applied.
///
/// # Errors
/// The server cannot be asked.
pub async fn applied_versions(session: &Session) -> Result<Vec<String>, Error> {
    let exists = "SELECT pg_catalog.to_regclass('plimsoll.migrations') IS NOT NULL";
    if !session.query_one(exists, &[]).await?.get::<_, bool>(0) {
        return Ok(Vec::new());
    }
    Ok(read_ledger(session).await?.into_iter().map(|entry| entry.version).collect())
}

async fn apply_pending(
    session: &Session,
    files: &[MigrationFile],
    wanted: &[MigrationFile],
    progress: &dyn Progress,
) -> Result<Vec<AppliedMigration>, Error> {
    create_ledger(session).await?;
    let ledger = read_ledger(session).await?;
    check_ledger(files, &ledger)?;
    let pending: Vec<&MigrationFile> =
        wanted.iter().filter(|file| !ledger.iter().any(|entry| entry.version == file.version)).collect();
    let mut applied = Vec::with_capacity(pending.len());
    if !pending.is_empty() {
        progress.phase("migrating", Some(pending.len() as u64));
    }
    for (done, file) in (1u64..).zip(pending) {
        let start = clock::now();
        apply_file(session, file).await?;
        applied.push(AppliedMigration {
            version: file.version.clone(),
            label: file.label.clone(),
            duration_us: clock::elapsed_us(start),
        });
        progress.advance_to(done);
    }
    Ok(applied)
}

/// The files up to a version, which must be one of them.
fn up_to_version<'a>(files: &'a [MigrationFile], up_to: Option<&str>) -> Result<&'a [MigrationFile], Error> {
    let Some(version) = up_to else { return Ok(files) };
    let position = files.iter().position(|file| file.version == version).ok_or_else(|| {
        let known: Vec<&str> = files.iter().map(|file| file.version.as_str()).collect();
        MigrationError::whole(format!("there is no migration {version}, only: {}", known.join(", ")))
    })?;
    Ok(&files[..=position])
}

/// A line of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
struct LedgerEntry {
    version: String,
    checksum: String,
    applied_at: String,
}

async fn create_ledger(session: &Session) -> Result<(), Error> {
    session
        .batch_execute(
            "SET client_min_messages = warning; \
             CREATE SCHEMA IF NOT EXISTS plimsoll; \
             CREATE TABLE IF NOT EXISTS plimsoll.migrations ( \
                 version text PRIMARY KEY, \
                 label text NOT NULL, \
                 checksum text NOT NULL, \
                 applied_at timestamptz NOT NULL DEFAULT pg_catalog.now()); \
             RESET client_min_messages",
        )
        .await?;
    Ok(())
}

async fn read_ledger(session: &Session) -> Result<Vec<LedgerEntry>, Error> {
    let rows = session
        .query("SELECT version, checksum, applied_at::text FROM plimsoll.migrations ORDER BY applied_at", &[])
        .await?;
    let entry = |row: &tokio_postgres::Row| LedgerEntry {
        version: row.get(0),
        checksum: row.get(1),
        applied_at: row.get(2),
    };
    Ok(rows.iter().map(entry).collect())
}

/// The ledger and the files must tell the same story.
fn check_ledger(files: &[MigrationFile], ledger: &[LedgerEntry]) -> Result<(), Error> {
    for entry in ledger {
        let Some(file) = files.iter().find(|file| file.version == entry.version) else {
            return Err(MigrationError::whole(format!(
                "migration {} was applied at {}, but its file is gone: restore it, or start from a new database",
                entry.version, entry.applied_at
            ))
            .into());
        };
        if file.checksum() != entry.checksum {
            return Err(MigrationError::whole(format!(
                "{} changed after it was applied at {}: restore it and put the change into a new migration, \
                 or start from a new database",
                file.name(),
                entry.applied_at
            ))
            .into());
        }
    }
    let is_applied = |file: &MigrationFile| ledger.iter().any(|entry| entry.version == file.version);
    let Some(last) = files.iter().rposition(is_applied) else { return Ok(()) };
    match files[..last].iter().find(|file| !is_applied(file)) {
        Some(late) => Err(MigrationError::whole(format!(
            "{} comes before {}, which is applied already: give it a later version",
            late.name(),
            files[last].name()
        ))
        .into()),
        None => Ok(()),
    }
}

async fn apply_file(session: &Session, file: &MigrationFile) -> Result<(), Error> {
    let statements = split_statements(&file.sql);
    refuse_what_cannot_work(file, &statements)?;
    if file.in_transaction {
        session.batch_execute("BEGIN").await?;
    }
    let result = execute_all(session, file, &statements).await;
    if file.in_transaction {
        let end = if result.is_ok() { "COMMIT" } else { "ROLLBACK" };
        // A deferred constraint fails only here.
        let ended = session.batch_execute(end).await;
        if result.is_ok() {
            ended.map_err(|error| failure(file, 0..0, &error, NOTHING_APPLIED))?;
        }
    }
    // What a file sets is not meant for the next one.
    session.batch_execute("SET SESSION AUTHORIZATION DEFAULT; RESET ALL").await?;
    result
}

const NOTHING_APPLIED: &str = "nothing of this file was applied";

async fn execute_all(
    session: &Session,
    file: &MigrationFile,
    statements: &[Range<usize>],
) -> Result<(), Error> {
    for (index, range) in statements.iter().enumerate() {
        let kept = match (file.in_transaction, index) {
            (true, _) | (false, 0) => NOTHING_APPLIED.to_owned(),
            (false, count) => {
                format!("the file runs without a transaction, so its first {count} statements stay applied")
            }
        };
        session
            .batch_execute(&file.sql[range.clone()])
            .await
            .map_err(|error| failure(file, range.clone(), &error, &kept))?;
    }
    let entry = "INSERT INTO plimsoll.migrations (version, label, checksum) VALUES ($1, $2, $3)";
    session.execute(entry, &[&file.version, &file.label, &file.checksum()]).await?;
    Ok(())
}

fn failure(file: &MigrationFile, range: Range<usize>, error: &tokio_postgres::Error, kept: &str) -> Error {
    let Some(report) = error.as_db_error() else { return Error::Client(super::error::chain(error)) };
    let report: super::ServerError = report.into();
    let (line, column) = locate(&file.sql, range, report.position);
    let next_step = match report.sqlstate.as_str() {
        // active_sql_transaction: CREATE INDEX CONCURRENTLY, VACUUM and the like.
        "25001" => "; put `-- plimsoll: no-transaction` at the top of the file",
        "42601" if report.message.contains("\"\\\"") => "; commands of psql are not SQL",
        _ => "",
    };
    let message = format!("{report}; {kept}{next_step}");
    MigrationError { path: Some(file.path.clone()), line, column, message, server: Some(report) }.into()
}

/// Statements that would end our transaction, or wait for data that never comes.
fn refuse_what_cannot_work(file: &MigrationFile, statements: &[Range<usize>]) -> Result<(), Error> {
    for range in statements {
        let statement = &file.sql[range.clone()];
        let mut words = statement.split_whitespace().map(str::to_ascii_lowercase);
        let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let ends_transaction = statement_kind(statement) == StatementKind::TransactionControl
            && matches!(
                first.as_str(),
                "begin" | "start" | "commit" | "end" | "rollback" | "abort" | "prepare"
            )
            && second != "to";
        let message = if file.in_transaction && ends_transaction {
            format!(
                "{} would end or nest the transaction that the file runs in: remove it, or put \
                 `-- plimsoll: no-transaction` at the top of the file",
                first.to_ascii_uppercase()
            )
        } else if first == "copy" && words.any(|word| word == "stdin") {
            "COPY FROM STDIN has no input here: use INSERT, or declare the data in data/distributions.toml"
                .into()
        } else {
            continue;
        };
        let (line, column) = locate(&file.sql, range.clone(), Some(1));
        let path = Some(file.path.clone());
        return Err(MigrationError { path, line, column, message, server: None }.into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(version: &str, sql: &str) -> MigrationFile {
        MigrationFile {
            version: version.into(),
            label: "x".into(),
            path: format!("migrations/{version}_x.sql").into(),
            sql: sql.into(),
            in_transaction: true,
        }
    }

    fn entry(file: &MigrationFile) -> LedgerEntry {
        LedgerEntry { version: file.version.clone(), checksum: file.checksum(), applied_at: "noon".into() }
    }

    #[test]
    fn the_checksum_does_not_depend_on_line_ends() {
        assert_eq!(file("1", "a\nb\n").checksum(), file("1", "a\r\nb\r\n").checksum());
        assert_ne!(file("1", "a\nb\n").checksum(), file("1", "a\n\nb\n").checksum());
    }

    #[test]
    fn ledger_and_files_must_agree() {
        let files = [file("001", "a"), file("002", "b"), file("003", "c")];
        let check =
            |ledger: &[LedgerEntry]| check_ledger(&files, ledger).err().map(|error| error.to_string());
        assert_eq!(check(&[]), None);
        assert_eq!(check(&[entry(&files[0]), entry(&files[1])]), None);
        let changed = check(&[entry(&file("001", "other"))]).unwrap();
        assert!(
            changed.starts_with("migrations/001_x.sql changed after it was applied at noon"),
            "{changed}"
        );
        let gone = check(&[entry(&file("000", "a"))]).unwrap();
        assert!(gone.contains("migration 000 was applied at noon, but its file is gone"), "{gone}");
        let late = check(&[entry(&files[0]), entry(&files[2])]).unwrap();
        assert!(late.starts_with("migrations/002_x.sql comes before migrations/003_x.sql"), "{late}");
    }

    #[test]
    fn an_unknown_version_names_the_known_ones() {
        let files = [file("001", "a"), file("002", "b")];
        assert_eq!(up_to_version(&files, Some("001")).unwrap().len(), 1);
        let error = up_to_version(&files, Some("9")).unwrap_err().to_string();
        assert_eq!(error, "there is no migration 9, only: 001, 002");
    }

    #[test]
    fn statements_that_break_the_transaction_are_refused_with_their_line() {
        let refusal = |sql: &str| {
            let file = file("001", sql);
            refuse_what_cannot_work(&file, &split_statements(sql)).err().map(|error| error.to_string())
        };
        assert!(
            refusal("CREATE TABLE t ();\n\nCOMMIT;").unwrap().starts_with("migrations/001_x.sql:3:1: COMMIT")
        );
        assert!(refusal("COPY t FROM STDIN;").unwrap().contains("has no input here"));
        for sql in
            ["SAVEPOINT a; ROLLBACK TO a", "DO $$ BEGIN COMMIT; END $$", "SET CONSTRAINTS ALL DEFERRED"]
        {
            assert_eq!(refusal(sql), None, "{sql}");
        }
    }
}
