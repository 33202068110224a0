//! `plimsoll init`: a project for this folder, or from an existing database.

use super::arguments::Global;
use super::{ExitCode, Failure, Terminal};
use crate::postgres::{Programs, Target};
use crate::prepare::read_existing;
use crate::project::init::{ProposedFile, propose};
use crate::report::kept_run::replace_file;
use std::path::{Path, PathBuf};

/// `plimsoll init`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Propose the project from this database: its schema, statistics and expensive statements; reads only
    #[arg(long, value_name = "URL")]
    from: Option<String>,
}

/// Every file of a new project: small, whole, and passing as it is.
const FILES: [(&str, &str); 5] = [
    ("plimsoll.toml", include_str!("init/plimsoll.toml")),
    ("migrations/001_baseline.sql", include_str!("init/001_baseline.sql")),
    ("data/distributions.toml", include_str!("init/distributions.toml")),
    ("queries/account_by_email.sql", include_str!("init/account_by_email.sql")),
    ("transactions/transfer.spec", include_str!("init/transfer.spec")),
];

pub(super) async fn run(
    global: &Global,
    terminal: &Terminal,
    options: &Options,
) -> Result<ExitCode, Failure> {
    // Before the database is asked anything.
    refuse_to_replace(global, &[PathBuf::from(FILES[0].0)])?;
    let files = match &options.from {
        Some(url) => existing(global, terminal, url).await?,
        None => FILES
            .iter()
            .map(|(path, text)| ProposedFile { path: PathBuf::from(path), text: (*text).to_owned() })
            .collect(),
    };
    let paths: Vec<PathBuf> = files.iter().map(|file| file.path.clone()).collect();
    refuse_to_replace(global, &paths)?;
    for file in files {
        let path = global.project.join(file.path);
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
        replace_file(&path, file.text.as_bytes())?;
        terminal.note(&format!("wrote {}", path.display()));
    }
    terminal.note(match options.from {
        Some(_) => "next: look through the files, then `plimsoll run`",
        None => "next: put your schema, data and queries in their place, then `plimsoll run`",
    });
    Ok(ExitCode::Pass)
}

fn refuse_to_replace(global: &Global, paths: &[PathBuf]) -> Result<(), Failure> {
    let present: Vec<_> = paths
        .iter()
        .filter(|path| global.project.join(path).exists())
        .map(|path| path.display().to_string())
        .collect();
    if present.is_empty() {
        return Ok(());
    }
    Err(Failure::Usage(format!(
        "{} already holds {}; nothing was changed",
        global.project.display(),
        present.join(", ")
    )))
}

/// The files proposed for a database.
async fn existing(global: &Global, terminal: &Terminal, url: &str) -> Result<Vec<ProposedFile>, Failure> {
    let target = Target::at_url(url).await?;
    let session = target.connect().await?;
    let mut database = read_existing(&session, target.database()).await?;
    drop(session);
    match dump(global, url).await {
        Ok(sql) => database.schema_sql = Some(sql),
        Err(reason) => terminal.note(&format!(
            "the schema could not be dumped ({reason}); put it into migrations/001_baseline.sql, \
             or set migrate-command in plimsoll.toml"
        )),
    }
    let (tables, statements) = (database.tables.len(), database.statements.len());
    let proposal = propose(&database);
    terminal.note(&format!("{tables} tables in {}", target.database()));
    match (statements, proposal.statements_left_out) {
        (0, _) => terminal.note("no statements: pg_stat_statements is not there, not loaded, or empty"),
        (all, left_out) => terminal.note(&format!(
            "{} of {all} expensive statements became queries; the others write, or have parameters that \
             nothing explains",
            all - left_out
        )),
    }
    Ok(proposal.files)
}

/// The schema as `pg_dump` writes it, or why not.
async fn dump(global: &Global, url: &str) -> Result<String, String> {
    let search_path = std::env::var_os("PATH");
    let programs = Programs::find(global.postgres_bin.as_deref(), search_path.as_deref())
        .map_err(|_| "no pg_dump on this machine".to_owned())?;
    let output = tokio::process::Command::new(programs.program("pg_dump"))
        .args(["--schema-only", "--no-owner", "--no-privileges", "--dbname", url])
        .stdin(std::process::Stdio::null())
        .output()
        .await
        .map_err(|error| format!("pg_dump: {error}"))?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr);
        return Err(message.lines().next().unwrap_or("pg_dump failed").to_owned());
    }
    String::from_utf8(output.stdout).map_err(|_| "pg_dump did not write UTF-8".to_owned())
}
