//! `plimsoll init`: a project for this folder.

use super::arguments::Global;
use super::{ExitCode, Failure, Terminal};
use crate::report::kept_run::replace_file;
use std::path::Path;

/// `plimsoll init`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {}

/// Every file of a new project: small, whole, and passing as it is.
const FILES: [(&str, &str); 5] = [
    ("plimsoll.toml", include_str!("init/plimsoll.toml")),
    ("migrations/001_baseline.sql", include_str!("init/001_baseline.sql")),
    ("data/distributions.toml", include_str!("init/distributions.toml")),
    ("queries/account_by_email.sql", include_str!("init/account_by_email.sql")),
    ("transactions/transfer.spec", include_str!("init/transfer.spec")),
];

#[expect(clippy::unused_async, reason = "all commands are called alike")]
pub(super) async fn run(
    global: &Global,
    terminal: &Terminal,
    _options: &Options,
) -> Result<ExitCode, Failure> {
    let present: Vec<_> =
        FILES.iter().map(|(name, _)| *name).filter(|name| global.project.join(name).exists()).collect();
    if !present.is_empty() {
        return Err(Failure::Usage(format!(
            "{} already holds {}; nothing was changed",
            global.project.display(),
            present.join(", ")
        )));
    }
    for (name, text) in FILES {
        let path = global.project.join(name);
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
        replace_file(&path, text.as_bytes())?;
        terminal.note(&format!("wrote {}", path.display()));
    }
    terminal.note("next: put your schema, data and queries in their place, then `plimsoll run`");
    Ok(ExitCode::Pass)
}
