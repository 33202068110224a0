//! The thin client against pgbench: the same prepared point query on one
//! connection, alternating in one run. Prints the ratio of the median
//! latencies and of the client's CPU per statement.
//!
//! Server, pgbench and this process are pinned to one CPU: on idle CPUs a
//! single connection measures wake-ups, not clients. Needs Linux and the
//! programs of a PostgreSQL installation, pgbench among them.
#![allow(clippy::print_stdout, reason = "a benchmark prints")]

use anyhow::{Context, Result, ensure};
use plimsoll::load::{Address, Client, Request, thread_cpu_time};
use plimsoll::model::Quiet;
use plimsoll::postgres::{Target, ThrowawayOptions};
use plimsoll::stats::clock;
use plimsoll::stats::histogram::LatencyHistogram;
use plimsoll::stats::quantile::median;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_setaffinity};
use std::path::{Path, PathBuf};
use std::process::Command;

const SCALE: u32 = 10;
const ROUNDS: usize = 7;
const SECONDS: u32 = 1;
const REQUESTS: usize = 20_000;
/// Executions between two looks at the clock.
const BATCH: usize = 500;
const SEED: u64 = 1;

/// What one client needs for a statement, in microseconds.
#[derive(Clone, Copy)]
struct Cost {
    median_us: f64,
    cpu_us: f64,
}

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let target = runtime.block_on(Target::throwaway(&options(), &Quiet))?;
    let database = runtime.block_on(target.create_database("point query"))?;
    let pgbench = find_pgbench()?;
    let socket = target.socket_directory().context("a throwaway server has a socket")?.to_owned();
    let address = Address::of(&target.config_for(&database)).context("a throwaway server has an address")?;
    let port = match &address.endpoint {
        plimsoll::load::Endpoint::Unix { port, .. } | plimsoll::load::Endpoint::Tcp { port, .. } => *port,
    };
    let connection = |command: &mut Command| {
        command.arg("-h").arg(&socket).args(["-p", &port.to_string(), "-U", &address.user, &database]);
    };
    let mut fill = Command::new(&pgbench);
    fill.args(["-i", "-q", "-s", &SCALE.to_string()]);
    connection(&mut fill);
    ensure!(fill.output()?.status.success(), "pgbench -i failed");

    pin(&runtime.block_on(postmaster(&target))?)?;
    let mut ratios = (Vec::new(), Vec::new());
    println!("round   pgbench median   ours   ratio    pgbench CPU   ours   ratio  (µs per statement)");
    for round in 1..=ROUNDS {
        let mut run = Command::new(&pgbench);
        let seconds = SECONDS.to_string();
        run.args(["-n", "-S", "-M", "prepared", "-c", "1", "-j", "1", "-T", &seconds]);
        connection(&mut run);
        // In turns, the first one changing: drift must favour nobody.
        let (theirs, ours) = if round % 2 == 0 {
            let theirs = pgbench_cost(&mut run)?;
            (theirs, our_cost(&address)?)
        } else {
            let ours = our_cost(&address)?;
            (pgbench_cost(&mut run)?, ours)
        };
        let (median_ratio, cpu_ratio) = (ours.median_us / theirs.median_us, ours.cpu_us / theirs.cpu_us);
        println!(
            "{round:>5}   {:>14.1}   {:>4.1}   {median_ratio:>5.2}    {:>11.2}   {:>4.2}   {cpu_ratio:>5.2}",
            theirs.median_us, ours.median_us, theirs.cpu_us, ours.cpu_us
        );
        ratios.0.push(median_ratio);
        ratios.1.push(cpu_ratio);
    }
    println!(
        "median of {ROUNDS} rounds: latency {:.2} of pgbench's, client CPU per statement {:.2} of pgbench's",
        median(&ratios.0).unwrap_or(f64::NAN),
        median(&ratios.1).unwrap_or(f64::NAN)
    );
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

fn find_pgbench() -> Result<PathBuf> {
    let options = options();
    let programs = plimsoll::postgres::Programs::find(None, options.search_path.as_deref())?;
    let pgbench = programs.program("pgbench");
    ensure!(pgbench.exists(), "there is no {}", pgbench.display());
    Ok(pgbench)
}

async fn postmaster(target: &Target) -> Result<i32> {
    let session = target.connect().await?;
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", session.backend_pid()))?;
    let after_name = stat.rsplit(") ").next().context("unreadable /proc entry")?;
    after_name.split(' ').nth(1).context("no parent in /proc entry")?.parse().context("parent's id")
}

/// Pins the server's future backends, this thread, and so its future children, to the first CPU.
fn pin(postmaster: &i32) -> Result<()> {
    let mut first = CpuSet::new();
    first.set(0);
    sched_setaffinity(Pid::from_raw(*postmaster), &first)?;
    sched_setaffinity(None, &first)?;
    Ok(())
}

/// Median from pgbench's own log; CPU from a second run without one.
fn pgbench_cost(run: &mut Command) -> Result<Cost> {
    let folder = tempfile::tempdir()?;
    let before = children_cpu_us()?;
    let output = run.current_dir(folder.path()).output()?;
    ensure!(output.status.success(), "pgbench failed: {}", String::from_utf8_lossy(&output.stderr));
    let cpu_us = children_cpu_us()? - before;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let transactions: f64 = text
        .lines()
        .find_map(|line| line.strip_prefix("number of transactions actually processed: "))
        .and_then(|count| count.split('/').next()?.trim().parse().ok())
        .context("pgbench did not say how many transactions it made")?;
    let logged =
        Command::new(run.get_program()).arg("-l").args(run.get_args()).current_dir(folder.path()).output()?;
    ensure!(logged.status.success(), "pgbench -l failed");
    Ok(Cost { median_us: logged_median_us(folder.path())?, cpu_us: cpu_us / transactions })
}

/// The third column of pgbench's log is the latency in microseconds.
fn logged_median_us(folder: &Path) -> Result<f64> {
    let mut latencies = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let text = std::fs::read_to_string(entry?.path())?;
        latencies.extend(text.lines().filter_map(|line| line.split(' ').nth(2)?.parse::<f64>().ok()));
    }
    median(&latencies).context("pgbench logged nothing")
}

/// CPU of all children waited for so far, user and system, from the kernel's clock ticks.
fn children_cpu_us() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit(") ").next().context("unreadable /proc entry")?.split(' ').collect();
    let ticks =
        |index: usize| -> Result<f64> { Ok(fields.get(index).context("short /proc entry")?.parse()?) };
    // Linux reports in hundredths of a second everywhere.
    Ok((ticks(13)? + ticks(14)?) * 1e4)
}

fn our_cost(address: &Address) -> Result<Cost> {
    let mut client = Client::connect(address)?;
    let statement = client.prepare("SELECT abalance FROM pgbench_accounts WHERE aid = $1")?;
    let mut random = Xoshiro256PlusPlus::seed_from_u64(SEED);
    let requests: Vec<Request> = (0..REQUESTS)
        .map(|_| statement.bind(&[Some(random.random_range(1..=100_000 * SCALE).to_string())]))
        .collect::<Result<_, _>>()?;
    let mut histogram = LatencyHistogram::new();
    let mut offset = 0;
    let (start, cpu) = (clock::now(), thread_cpu_time());
    while clock::elapsed_us(start) < f64::from(2 * SECONDS) * 1e6 {
        for request in &requests[offset..offset + BATCH] {
            histogram.record(client.execute(request)?.latency);
        }
        offset = (offset + BATCH) % REQUESTS;
    }
    let cpu_us = (thread_cpu_time() - cpu).as_secs_f64() * 1e6;
    Ok(Cost {
        median_us: histogram.quantile_us(0.5).context("nothing was executed")?,
        cpu_us: cpu_us / histogram.count() as f64,
    })
}
