//! An open loop against pgbench's own (`--rate`): the same prepared point
//! query at the same rate on as many connections, in turns in one run. Prints
//! the ratios of the percentiles of the latency, which both count from when a
//! request was due.
//!
//! Needs the programs of a PostgreSQL installation, pgbench among them.
#![allow(clippy::print_stdout, reason = "a benchmark prints")]

use anyhow::{Context, Result, ensure};
use plimsoll::load::schedule::{Pacing, arrivals};
use plimsoll::load::{Address, Connections, Workload, WorkloadQuery, run_open};
use plimsoll::model::Quiet;
use plimsoll::postgres::{Programs, Target, ThrowawayOptions};
use plimsoll::stats::quantile::{median, quantile, sort};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

const SCALE: u32 = 10;
const ROUNDS: u64 = 7;
const SECONDS: u32 = 2;
const RATE: u32 = 1000;
const CONNECTIONS: usize = 4;
const QUANTILES: [f64; 3] = [0.5, 0.95, 0.99];
const PARAMETER_SETS: u32 = 1000;

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let target = runtime.block_on(Target::throwaway(&options(), &Quiet))?;
    let database = runtime.block_on(target.create_database("load rate"))?;
    let pgbench = Programs::find(None, options().search_path.as_deref())?.program("pgbench");
    ensure!(pgbench.exists(), "there is no {}", pgbench.display());
    let url = target.url_for(&database);
    let fill = Command::new(&pgbench).args(["-i", "-q", "-s", &SCALE.to_string(), &url]).output()?;
    ensure!(fill.status.success(), "pgbench -i failed: {}", String::from_utf8_lossy(&fill.stderr));
    // By the same way: pgbench takes the URL's loopback as well.
    let address = Address::of(&url.parse()?).context("a throwaway server has an address")?;

    println!(
        "{RATE}/s on {CONNECTIONS} connections, from when a request was due, in µs: pgbench, ours, ratio"
    );
    let mut ratios = vec![Vec::new(); QUANTILES.len()];
    for round in 1..=ROUNDS {
        // In turns, the first one changing: drift must favour nobody.
        let (theirs, ours) = if round % 2 == 0 {
            let theirs = pgbench_latencies(&pgbench, &url, round)?;
            (theirs, our_latencies(&address, round)?)
        } else {
            let ours = our_latencies(&address, round)?;
            (pgbench_latencies(&pgbench, &url, round)?, ours)
        };
        let mut line = format!("{round:>5}");
        for (p, ratios) in QUANTILES.into_iter().zip(&mut ratios) {
            let (theirs, ours) =
                (quantile(&theirs, p).context("pgbench logged nothing")?, quantile(&ours, p));
            let ours = ours.context("nothing was executed")?;
            ratios.push(ours / theirs);
            line += &format!("   p{:<2.0} {theirs:>7.0} {ours:>7.0} {:>5.2}", p * 100.0, ours / theirs);
        }
        println!("{line}");
    }
    let medians: Vec<String> =
        ratios.iter().map(|ratios| format!("{:.2}", median(ratios).unwrap_or(f64::NAN))).collect();
    println!("median of {ROUNDS} rounds, p50, p95 and p99: {} of pgbench's", medians.join(", "));
    runtime.block_on(target.close())?;
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads its own environment")]
fn options() -> ThrowawayOptions {
    ThrowawayOptions {
        search_path: std::env::var("PATH").ok().map(Into::into),
        cache_directory: Some(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("plimsoll-cache")),
        without_durability: true,
        ..ThrowawayOptions::default()
    }
}

/// Sorted, from pgbench's own log: under `--rate` its third column counts from the schedule.
fn pgbench_latencies(pgbench: &Path, url: &str, seed: u64) -> Result<Vec<f64>> {
    let folder = tempfile::tempdir()?;
    let mut run = Command::new(pgbench);
    run.args(["-n", "-S", "-M", "prepared", "-l"]);
    run.args([
        "-c",
        &CONNECTIONS.to_string(),
        "-j",
        &CONNECTIONS.to_string(),
        "-R",
        &RATE.to_string(),
        "-T",
        &SECONDS.to_string(),
    ]);
    run.args([&format!("--random-seed={seed}"), url]);
    let output = run.current_dir(folder.path()).output()?;
    ensure!(output.status.success(), "pgbench failed: {}", String::from_utf8_lossy(&output.stderr));
    let mut latencies = Vec::new();
    for entry in std::fs::read_dir(folder.path())? {
        let text = std::fs::read_to_string(entry?.path())?;
        latencies.extend(text.lines().filter_map(|line| line.split(' ').nth(2)?.parse::<f64>().ok()));
    }
    sort(&mut latencies);
    Ok(latencies)
}

fn our_latencies(address: &Address, seed: u64) -> Result<Vec<f64>> {
    let step = 100_000 * SCALE / PARAMETER_SETS;
    let workload = Workload {
        queries: vec![WorkloadQuery {
            name: "point query".into(),
            weight: 1.0,
            statements: vec!["SELECT abalance FROM pgbench_accounts WHERE aid = $1".into()],
            sets: (0..PARAMETER_SETS).map(|set| vec![vec![Some((set * step + 1).to_string())]]).collect(),
            writes: false,
        }],
    };
    let length = Duration::from_secs(u64::from(SECONDS));
    let due = arrivals(&workload, Pacing::Poisson, f64::from(RATE), length, seed);
    let stop = AtomicBool::new(false);
    let connections = Connections { address, workload: &workload, count: CONNECTIONS, stop: &stop };
    let record = run_open(connections, &due, length, length)?;
    ensure!(record.dropped.is_empty(), "{} requests were never sent", record.dropped.len());
    let mut latencies: Vec<f64> = record.served.iter().map(|one| one.latency().as_secs_f64() * 1e6).collect();
    sort(&mut latencies);
    Ok(latencies)
}
