//! Seeding against `psql \copy` of the same rows from ready files, into the same empty
//! tables of the same server, in alternating rounds. Prints the median ratio of rows/s.
//!
//! `cargo bench --bench seed [-- FACTOR [ROUNDS]]`: the demo's data at a volume factor (100).
#![expect(clippy::print_stdout, reason = "the figures are this program's output")]

use anyhow::{Context as _, Result, ensure};
use plimsoll::model::Quiet;
use plimsoll::postgres::{Target, ThrowawayOptions, read_catalog};
use plimsoll::project::distributions;
use plimsoll::seed::{self, Scale, SeedPlan};
use plimsoll::stats::clock;
use std::path::Path;
use std::process::Command;

const SCHEMA: &str = include_str!("../demo/migrations/001_baseline.sql");
const DISTRIBUTIONS: &str = include_str!("../demo/data/distributions.toml");
/// Parents before children, as a person would load them.
const TABLES: [&str; 4] = ["users", "inventory", "orders", "order_items"];

/// One way to load the tables.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Way {
    Seed { connections: usize },
    Copy { format: &'static str, checks_references: bool },
}

const WAYS: [(&str, Way); 5] = [
    ("\\copy text", Way::Copy { format: "text", checks_references: true }),
    ("\\copy text, no FK triggers", Way::Copy { format: "text", checks_references: false }),
    ("\\copy binary, no FK triggers", Way::Copy { format: "binary", checks_references: false }),
    ("seed, 1 connection", Way::Seed { connections: 1 }),
    ("seed, 2 connections", Way::Seed { connections: 2 }),
];

#[tokio::main]
async fn main() -> Result<()> {
    // Cargo passes `--bench`.
    let numbers: Vec<f64> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let factor = numbers.first().copied().unwrap_or(100.0);
    let rounds = numbers.get(1).map_or(5, |rounds| *rounds as usize);
    let options = ThrowawayOptions { search_path: std::env::var_os("PATH"), ..ThrowawayOptions::default() };
    let target = Target::throwaway(&options, &Quiet).await?;
    let files = tempfile::tempdir()?;
    let result = compare(&target, files.path(), factor, rounds).await;
    target.close().await?;
    result
}

async fn compare(target: &Target, files: &Path, factor: f64, rounds: usize) -> Result<()> {
    let database = empty_database(target).await?;
    let plan = plan(target, &database, factor).await?;
    let whole = clock::now();
    let outcome = seed::fill(target, &database, &plan, &Quiet).await?;
    println!(
        "factor {factor}: {} rows; checks, COPY {:.2} s, VACUUM and ANALYZE {:.2} s, measuring: {:.2} s in all",
        outcome.rows,
        outcome.copy_seconds,
        outcome.settle_seconds,
        clock::elapsed_us(whole) / 1e6
    );
    for table in &outcome.tables {
        println!("  {:12} {:>9} rows {:>9.0} rows/s", table.table, table.rows, table.rows_per_second());
    }
    for format in ["text", "binary"] {
        psql(target, &database, files, format, "TO", true)?;
    }
    target.drop_database(&database).await?;
    let mut rates: Vec<Vec<f64>> = vec![Vec::new(); WAYS.len()];
    for round in 0..=rounds {
        for turn in 0..WAYS.len() {
            // Forwards and backwards in turn, so that no way always follows the same one.
            let way = if round % 2 == 0 { turn } else { WAYS.len() - 1 - turn };
            let seconds = load(target, files, &plan, WAYS[way].1).await?;
            // The first round warms up.
            if round > 0 {
                rates[way].push(outcome.rows as f64 / seconds);
            }
        }
    }
    println!(
        "{:32} {:>10} {:>14} {:>16}",
        format!("{rounds} rounds"),
        "rows/s",
        "÷ \\copy text",
        "[min-max]"
    );
    for (way, (name, _)) in WAYS.iter().enumerate() {
        let mut ratios: Vec<f64> = rates[way].iter().zip(&rates[0]).map(|(own, base)| own / base).collect();
        let mut own = rates[way].clone();
        let (rate, ratio) = (median(&mut own), median(&mut ratios));
        let range = format!("[{:.2}-{:.2}]", ratios[0], ratios[ratios.len() - 1]);
        println!("{name:32} {rate:>10.0} {ratio:>14.2} {range:>16}");
    }
    Ok(())
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

async fn empty_database(target: &Target) -> Result<String> {
    let database = target.create_database("bench").await?;
    target.connect_to(&database).await?.batch_execute(SCHEMA).await?;
    Ok(database)
}

async fn plan(target: &Target, database: &str, factor: f64) -> Result<SeedPlan> {
    let catalog = read_catalog(&target.connect_to(database).await?).await?;
    let show = |problems: Vec<plimsoll::project::diagnostic::Diagnostic>| {
        anyhow::anyhow!("{}", problems.first().map_or("", |problem| &problem.message))
    };
    let distributions = distributions::parse(Path::new("distributions.toml"), DISTRIBUTIONS).map_err(show)?;
    seed::plan(&catalog, &distributions, &Scale::new(factor, [1.0])).map_err(show)
}

/// Loads a new database in one way; returns the seconds that the loading took.
async fn load(target: &Target, files: &Path, plan: &SeedPlan, way: Way) -> Result<f64> {
    let database = empty_database(target).await?;
    target.connect().await?.batch_execute("CHECKPOINT").await?;
    let seconds = match way {
        Way::Seed { connections } => {
            seed::fill_with(target, &database, plan, connections, &Quiet).await?.copy_seconds
        }
        Way::Copy { format, checks_references } => {
            let start = clock::now();
            psql(target, &database, files, format, "FROM", checks_references)?;
            clock::elapsed_us(start) / 1e6
        }
    };
    target.drop_database(&database).await?;
    Ok(seconds)
}

/// Copies every table from or to its file, all in one run of psql.
fn psql(
    target: &Target,
    database: &str,
    files: &Path,
    format: &str,
    way: &str,
    checks_references: bool,
) -> Result<()> {
    let socket = target.socket_directory().context("a throwaway server has a socket")?;
    let mut command = Command::new("psql");
    command.args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--username=postgres"]);
    command.arg("--host").arg(socket).arg("--dbname").arg(database);
    command.env("PGPORT", port(target)?);
    if !checks_references {
        command.env("PGOPTIONS", "-c session_replication_role=replica");
    }
    for table in TABLES {
        let file = files.join(format!("{table}.{format}"));
        command
            .arg("--command")
            .arg(format!("\\copy {table} {way} '{}' WITH (FORMAT {format})", file.display()));
    }
    let output = command.output().context("psql")?;
    ensure!(output.status.success(), "psql: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

fn port(target: &Target) -> Result<String> {
    let ports = target.config_for("postgres").get_ports().to_vec();
    Ok(ports.first().context("a port")?.to_string())
}
