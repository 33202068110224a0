//! `plimsoll seed`: the tables of the target, filled with a volume; on a
//! throwaway server that proves that the declared data fits the schema.

use super::arguments::Global;
use super::session::{Session, load_project, volumes, with_session};
use super::{ExitCode, Failure, Terminal};
use crate::model::evidence::data::ObtainedColumn;
use crate::project::Project;
use crate::report::data;
use crate::report::table::{self, Align};
use crate::report::units;
use crate::seed::SeedOutcome;
use std::io::{self, Write};

/// The rest is in the data: a column may have dozens of categories.
const FIGURES_SHOWN: usize = 4;

/// `plimsoll seed`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {}

pub(super) async fn run(
    global: &Global,
    terminal: &Terminal,
    _options: &Options,
) -> Result<ExitCode, Failure> {
    let project = load_project(global)?;
    if project.distributions.is_none() {
        return Err(Failure::Usage(
            "the project declares no data: there is no data/distributions.toml".into(),
        ));
    }
    let volume = one_volume(global, &project)?;
    with_session(global, terminal, &project, async |session| seed(session, &volume).await).await
}

fn one_volume(global: &Global, project: &Project) -> Result<String, Failure> {
    match &volumes(global, project)[..] {
        [volume] => Ok(volume.clone()),
        [] => Err(Failure::Usage("plimsoll.toml declares no volume".into())),
        several => {
            Err(Failure::Usage(format!("one database holds one volume, not {}", several.join(" and "))))
        }
    }
}

async fn seed(session: &Session<'_>, volume: &str) -> Result<ExitCode, Failure> {
    let database = if session.target.is_ours() {
        let database = session.target.create_database("seed").await?;
        session.databases.migrate(&database, None).await?;
        database
    } else {
        session.target.require_change(session.target.database())?;
        session.target.database().to_owned()
    };
    let outcome = session.databases.seed(&database, volume).await?;
    session.terminal.finish_progress();
    let mut bytes = Vec::new();
    if let Some(outcome) = &outcome {
        write(outcome, volume, &mut bytes)?;
    }
    session.terminal.result(&bytes)?;
    for difference in outcome.iter().flat_map(|o| &o.obtained).filter_map(ObtainedColumn::difference) {
        session
            .terminal
            .note(&format!("warning: {difference}: look for triggers and defaults that change the data"));
    }
    Ok(ExitCode::Pass)
}

fn write(outcome: &SeedOutcome, volume: &str, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "volume {volume}: {} rows, {} rows/s over {} connections, indexes and statistics in {}\n",
        units::grouped(outcome.rows as f64),
        units::grouped(outcome.rows_per_second()),
        outcome.connections,
        units::duration_us(outcome.settle_seconds * 1e6)
    )?;
    let rows: Vec<Vec<String>> = outcome
        .tables
        .iter()
        .map(|t| {
            vec![
                t.table.clone(),
                units::grouped(t.rows as f64),
                units::grouped(t.rows_per_second()),
                units::format(t.bytes as f64, crate::model::Unit::Bytes),
            ]
        })
        .collect();
    let header =
        [("table", Align::Left), ("rows", Align::Right), ("rows/s", Align::Right), ("size", Align::Right)];
    table::write(&header, &rows, out)?;
    writeln!(out, "\ndeclared versus obtained:\n")?;
    write_obtained(&outcome.obtained, out)
}

/// The most telling figures of each column, and whether a test finds a difference.
fn write_obtained(columns: &[ObtainedColumn], out: &mut dyn Write) -> io::Result<()> {
    let rows: Vec<Vec<String>> = columns
        .iter()
        .map(|column| {
            let figures: Vec<String> = column.figures.iter().take(FIGURES_SHOWN).map(data::figure).collect();
            vec![
                format!("{}.{}", column.table, column.column),
                column.declared.clone(),
                figures.join(", "),
                column.agreement.word().to_owned(),
            ]
        })
        .collect();
    let header = [
        ("column", Align::Left),
        ("declared", Align::Left),
        ("declared → obtained", Align::Left),
        ("", Align::Left),
    ];
    table::write(&header, &rows, out)
}
