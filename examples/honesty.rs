//! The honesty table of `slow-queries`: how often its verdict is wrong when the
//! truth is known, on a machine that another process keeps busy.
//!
//! One statement under four budgets: its time 1.5 times below and above the
//! truth, and its block count likewise. Every run is a whole run of the
//! scenario. The truth is the statement's p95 over connections opened between
//! the runs, outside of them; the latest only, because what another process
//! does to a machine changes from minute to minute. A run that is not right is
//! shown with what it measured. `cargo run --release --example honesty -- 50`,
//! and the tables' sizes in rows behind it where others are wanted.
#![allow(clippy::print_stdout, reason = "an example prints")]

use anyhow::{Context as _, Result, anyhow};
use plimsoll::load::{Address, Client};
use plimsoll::model::evidence::Evidence;
use plimsoll::model::{Quiet, ScenarioReport, Verdict};
use plimsoll::postgres::{Target, ThrowawayOptions};
use plimsoll::prepare::{Context, Databases};
use plimsoll::project::Project;
use plimsoll::scenarios::slow_queries::{Options, run};
use plimsoll::stats::quantile::{quantile, sort};
use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Rows of the tables that the statement reads, one table of verdicts for each: about
/// 0.1 ms, where a wake-up that comes late is a third of the time, and about 1 ms.
const ROWS: [&str; 2] = ["500", "6000"];
const STATEMENT: &str = "SELECT status, count(*), sum(total) FROM orders GROUP BY status";
/// How far budgets are from the truth.
const DISTANCE: f64 = 1.5;
const SAMPLES: usize = 25;
/// Connections between two runs that show the truth.
const CONNECTIONS: usize = 10;
/// Latest connections that the truth is taken from.
const WINDOW: usize = 40;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let runs: usize = arguments.next().map_or(Ok(50), |count| count.parse())?;
    let mut rows: Vec<String> = arguments.collect();
    if rows.is_empty() {
        rows = ROWS.map(str::to_owned).to_vec();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    rows.iter().try_for_each(|rows| runtime.block_on(table(runs, rows.parse()?)))
}

async fn table(runs: usize, rows: u32) -> Result<()> {
    let folder = tempfile::tempdir()?;
    write_schema(folder.path(), rows)?;
    let target = Target::throwaway(&options(), &Quiet).await?;
    let busy = Busy::start()?;
    write_project(folder.path(), 1e6, 1e6)?;
    let first = load(folder.path())?;
    let databases = Databases::new(&first, &target, &Quiet);
    let database = databases.at_head("small").await?;
    let address = Address::of(&target.config_for(&database)).context("a throwaway server has an address")?;
    let blocks = blocks(&target, &database).await?;
    let mut truth = VecDeque::new();
    for _ in 0..WINDOW {
        truth.push_back(connection_samples(&address).await?);
    }
    let mut truths = Vec::new();
    let mut verdicts: BTreeMap<(String, &'static str), usize> = BTreeMap::new();
    for number in 1..=runs {
        let true_p95 = p95(&truth)?;
        truths.push(true_p95);
        write_project(folder.path(), true_p95, blocks)?;
        let project = load(folder.path())?;
        let report = judge(&project, &target, &databases, number as u64).await?;
        println!("run {number}: true p95 {true_p95:.0} µs; {}", report.summary);
        count(&report, &mut verdicts)?;
        for _ in 0..CONNECTIONS {
            truth.pop_front();
            truth.push_back(connection_samples(&address).await?);
        }
    }
    drop(busy);
    sort(&mut truths);
    println!(
        "{rows} rows, {runs} runs, another process busy; true p95 {:.0} µs [{:.0}-{:.0}], true blocks {blocks:.0}",
        quantile(&truths, 0.5).context("no runs")?,
        truths[0],
        truths[runs - 1]
    );
    println!("{:<46} {:>6} {:>6} {:>13}", "budget", "pass", "fail", "inconclusive");
    for (query, words) in [
        ("kept_time", "p95 < 1.5 x the true p95 (should pass)"),
        ("broken_time", "p95 < the true p95 / 1.5 (should fail)"),
        ("kept_blocks", "buffers < 1.5 x the true count (should pass)"),
        ("broken_blocks", "buffers < the true count / 1.5 (should fail)"),
    ] {
        let of = |verdict| verdicts.get(&(query.to_owned(), verdict)).copied().unwrap_or(0);
        println!("{words:<46} {:>6} {:>6} {:>13}", of("pass"), of("fail"), of("inconclusive"));
    }
    target.close().await?;
    Ok(())
}

/// A process that does nothing but keep a processor busy; ends with this value.
struct Busy(Child);

impl Busy {
    fn start() -> Result<Self> {
        let spin = Command::new("sh").args(["-c", "while :; do :; done"]).stdin(Stdio::null()).spawn()?;
        Ok(Self(spin))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        // Nothing is left to be done where it has already ended.
        let _ended = self.0.kill().and_then(|()| self.0.wait());
    }
}

#[expect(clippy::disallowed_methods, reason = "an example reads its own environment")]
fn options() -> ThrowawayOptions {
    ThrowawayOptions {
        search_path: std::env::var("PATH").ok().map(Into::into),
        cache_directory: Some(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/tmp/plimsoll-cache")),
        // Nothing is written, and the clone of every run is ready sooner.
        without_durability: true,
        ..ThrowawayOptions::default()
    }
}

fn write_schema(root: &Path, rows: u32) -> Result<()> {
    let schema = format!(
        "CREATE TABLE orders WITH (fillfactor = 10) AS
             SELECT n AS id, n % 7 AS status, n * 1.5 AS total FROM generate_series(1, {rows}) n;
         ANALYZE orders;"
    );
    std::fs::create_dir_all(root.join("queries"))?;
    std::fs::create_dir_all(root.join("migrations"))?;
    std::fs::write(root.join("plimsoll.toml"), "[volumes]\nsmall = 1\n")?;
    Ok(std::fs::write(root.join("migrations/001_baseline.sql"), schema)?)
}

fn write_project(root: &Path, p95_us: f64, blocks: f64) -> Result<()> {
    for (name, budget) in [
        ("kept_time", format!("p95 < {:.0}us", p95_us * DISTANCE)),
        ("broken_time", format!("p95 < {:.0}us", p95_us / DISTANCE)),
        ("kept_blocks", format!("buffers < {:.0}", (blocks * DISTANCE).ceil())),
        ("broken_blocks", format!("buffers < {:.0}", (blocks / DISTANCE).floor())),
    ] {
        let text = format!("-- name: {name}\n-- budget: {budget}\n{STATEMENT};\n");
        std::fs::write(root.join(format!("queries/{name}.sql")), text)?;
    }
    Ok(())
}

fn load(root: &Path) -> Result<Project> {
    Project::load(root).map_err(|problems| anyhow!("{problems:?}"))
}

async fn judge(
    project: &Project,
    target: &Target,
    databases: &Databases<'_>,
    seed: u64,
) -> Result<ScenarioReport> {
    let context = Context { project, target, databases, seed, progress: &Quiet, checkpoint: &|_| {} };
    run(&context, &Options { try_indexes: false, ..Options::default() }).await
}

fn count(report: &ScenarioReport, verdicts: &mut BTreeMap<(String, &'static str), usize>) -> Result<()> {
    let Evidence::SlowQueries(evidence) = &report.evidence else { return Err(anyhow!("foreign evidence")) };
    for query in evidence.volumes.iter().flat_map(|volume| &volume.queries) {
        *verdicts.entry((query.query.clone(), query.verdict.word())).or_default() += 1;
        let wanted = if query.query.starts_with("kept") { "pass" } else { "fail" };
        for budget in query.budgets.iter().filter(|budget| budget.verdict.word() != wanted) {
            println!("    {}: {}, {}: {}", query.query, budget.text, budget.verdict.word(), budget.because);
            if let Verdict::Inconclusive { needs } = &budget.verdict {
                println!("        decided by {needs}");
            }
        }
    }
    Ok(())
}

/// Blocks the statement touches, from the scenario's own first look.
async fn blocks(target: &Target, database: &str) -> Result<f64> {
    let session = target.connect_to(database).await?;
    let options = plimsoll::postgres::ExplainOptions::default();
    let plan = plimsoll::postgres::explain(&session, STATEMENT, &[], options).await?;
    Ok(plan.totals().buffers.context("EXPLAIN gave no buffers")?.shared() as f64)
}

async fn connection_samples(address: &Address) -> Result<Vec<f64>> {
    let address = address.clone();
    tokio::task::spawn_blocking(move || {
        let mut client = Client::connect(&address)?;
        let request = client.prepare(STATEMENT)?.bind(&[])?;
        let ping = client.prepare("SELECT 1")?.bind(&[])?;
        for _ in 0..7 {
            client.execute(&request)?;
        }
        // The scenario's own mix of four queries and the reference statement: how much
        // a backend computes decides how the scheduler treats it.
        let mut samples = Vec::with_capacity(4 * SAMPLES);
        for _ in 0..SAMPLES {
            for _ in 0..4 {
                samples.push(client.execute(&request)?.latency.as_secs_f64() * 1e6);
            }
            client.execute(&ping)?;
        }
        Ok(samples)
    })
    .await?
}

fn p95(connections: &VecDeque<Vec<f64>>) -> Result<f64> {
    let mut sorted: Vec<f64> = connections.iter().flatten().copied().collect();
    sort(&mut sorted);
    quantile(&sorted, 0.95).context("no samples")
}
