//! What was typed: clap structs, no I/O.

use super::terminal::Colour;
use crate::report::Format;
use std::path::PathBuf;

/// Performance tests for a PostgreSQL database, as tests.
///
/// Four questions, each with a verdict that CI can trust: N+1 queries,
/// deadlocks, regressions, slow queries.
#[derive(Debug, clap::Parser)]
#[command(
    name = "plimsoll",
    version,
    max_term_width = 100,
    after_help = "Exit codes: 0 every verdict passes, 1 a verdict fails, 2 wrong usage or project file,\n\
                  3 the environment failed, 4 interrupted, 70 a bug in Plimsoll.\n\
                  Try it: plimsoll demo"
)]
pub struct Arguments {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: super::Command,
}

/// Options that every command takes.
#[derive(Debug, Clone, clap::Args)]
pub struct Global {
    /// The project folder (with plimsoll.toml)
    #[arg(long, short = 'C', global = true, default_value = ".", value_name = "DIR")]
    pub project: PathBuf,

    /// Target database; without one a throwaway server is started
    #[arg(long, global = true, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub url: Option<String>,

    /// Folder of the server programs for the throwaway server
    #[arg(long, global = true, env = "PLIMSOLL_POSTGRES_BIN", value_name = "DIR")]
    pub postgres_bin: Option<PathBuf>,

    /// Throwaway server without fsync: faster writes, every report says so
    #[arg(long, global = true)]
    pub no_fsync: bool,

    /// Data volume, one of those in plimsoll.toml; several where the command allows: small,medium
    #[arg(long, global = true, value_delimiter = ',', value_name = "NAME")]
    pub volume: Vec<String>,

    /// Replays everything random; printed in every report
    #[arg(long, global = true, value_name = "N")]
    pub seed: Option<u64>,

    /// Format of the result on stdout
    #[arg(long, global = true, value_enum, default_value = "terminal", value_name = "FORMAT")]
    pub format: Format,

    /// Write the result to a file instead of stdout
    #[arg(long, short = 'o', global = true, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Folder of kept runs [default: reports in the project]
    #[arg(long, global = true, value_name = "DIR")]
    pub reports: Option<PathBuf>,

    /// An inconclusive verdict fails, too
    #[arg(long, global = true)]
    pub strict: bool,

    /// Colour
    #[arg(long, global = true, value_enum, default_value = "auto", value_name = "WHEN")]
    pub color: Colour,

    /// No conversation on stderr, errors only
    #[arg(long, short, global = true)]
    pub quiet: bool,
}

impl Global {
    /// Where runs are kept.
    #[must_use]
    pub fn reports_folder(&self) -> PathBuf {
        self.reports.clone().unwrap_or_else(|| self.project.join("reports"))
    }
}
