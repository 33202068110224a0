//! `plimsoll export`: kept runs into tables of a database, or the latest one
//! into a system of metrics.

mod destination;
mod http;

use super::arguments::Global;
use super::interrupt::Interrupts;
use super::{ExitCode, Failure, Terminal, kept_runs, output};
use crate::model::RunReport;
use crate::postgres::results::{self, RunRows};
use crate::report::kept_run::replace_file;
use crate::report::{metrics, tables};
use destination::Destination;
use http::Request;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use std::path::Path;

/// `plimsoll export [RUN] --to DESTINATION`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// `latest`, the beginning of a run's id, or a path
    #[arg(default_value = "latest", value_name = "RUN")]
    run: String,

    /// postgres://… (tables), FILE.prom, pushgateway+http://… or otlp+http://…
    #[arg(long, env = "PLIMSOLL_EXPORT_TO", hide_env_values = true, value_name = "DESTINATION")]
    to: String,

    /// Every kept run (tables only)
    #[arg(long, conflicts_with = "run")]
    all: bool,

    /// A header for a Pushgateway or an OTLP receiver, such as Authorization=…
    #[arg(
        long,
        env = "OTEL_EXPORTER_OTLP_HEADERS",
        hide_env_values = true,
        value_delimiter = ',',
        value_name = "NAME=VALUE"
    )]
    header: Vec<String>,
}

/// Writes what was kept elsewhere; the exit code is not the old verdict's,
/// since nothing was decided now.
pub(super) async fn run(
    global: &Global,
    terminal: &Terminal,
    options: &Options,
) -> Result<ExitCode, Failure> {
    let destination = Destination::parse(&options.to).map_err(Failure::Usage)?;
    if options.all && !matches!(destination, Destination::Tables(_)) {
        return Err(Failure::Usage(
            "--all goes with tables (postgres://…); a system of metrics holds the latest run".into(),
        ));
    }
    let headers = headers(&options.header)?;
    let runs = if options.all {
        kept_runs::all(global, terminal)?
    } else {
        vec![kept_runs::one(global, &options.run)?]
    };
    if let (false, [run, ..]) = (matches!(destination, Destination::Tables(_)), runs.as_slice()) {
        for value in metrics::left_out(run) {
            terminal.note(&format!("warning: {value}; the tables (postgres://…) hold both"));
        }
    }
    let said = match (&destination, runs.as_slice()) {
        (Destination::Tables(url), _) => export_tables(url, &runs).await?,
        (Destination::PrometheusFile(path), [run, ..]) => export_file(path, run)?,
        (Destination::Pushgateway(address), [run, ..]) => push(address, headers, run).await?,
        (Destination::Otlp(address), [run, ..]) => export_otlp(address, headers, run).await?,
        (_, []) => return Err(Failure::Usage("there is no run to export".into())),
    };
    output::write_bytes(global, terminal, format!("{said}\n").as_bytes())?;
    Ok(ExitCode::Pass)
}

fn headers(asked: &[String]) -> Result<Vec<(String, String)>, Failure> {
    let split = |header: &String| {
        let (name, value) = header.split_once('=')?;
        Some((name.trim().to_owned(), value.trim().to_owned()))
    };
    let read: Option<Vec<_>> = asked.iter().map(split).collect();
    read.ok_or_else(|| Failure::Usage("a --header is not of the form NAME=VALUE".into()))
}

async fn export_tables(url: &str, runs: &[RunReport]) -> Result<String, Failure> {
    let rows: Vec<_> =
        runs.iter().map(|run| RunRows { run_id: run.run_id.clone(), tables: tables::rows(run) }).collect();
    let store = async { Ok(results::store(url, &rows).await?) };
    let stored = Interrupts::default().stop(store).await?;
    let made = match stored.found_version {
        0 => ", made now",
        found if found < stored.version => ", brought up to date",
        _ => "",
    };
    Ok(format!("{} to the tables in schema plimsoll of {}{made}", counted(runs), stored.place))
}

/// `1 run (114 measurements, 5 findings)`.
fn counted(runs: &[RunReport]) -> String {
    let scenarios = || runs.iter().flat_map(|run| &run.scenarios);
    let measurements: usize = scenarios().map(|entry| entry.measurements.len()).sum();
    let findings: usize = scenarios().map(|entry| entry.findings.len()).sum();
    let partial = match (runs.iter().filter(|run| !run.complete).count(), runs.len()) {
        (0, _) => String::new(),
        (_, 1) => ", cut short".into(),
        (partial, _) => format!(", {partial} of them cut short"),
    };
    let noun = if runs.len() == 1 { "run" } else { "runs" };
    format!("{} {noun} ({measurements} measurements, {findings} findings){partial}", runs.len())
}

fn prometheus_text(run: &RunReport) -> Result<Vec<u8>, Failure> {
    let mut text = Vec::new();
    metrics::prometheus::write(run, &mut text)?;
    Ok(text)
}

fn export_file(path: &Path, run: &RunReport) -> Result<String, Failure> {
    replace_file(path, &prometheus_text(run)?)?;
    Ok(format!("run {} to {}", run.run_id, path.display()))
}

/// In place of what was there of the project.
async fn push(address: &str, headers: Vec<(String, String)>, run: &RunReport) -> Result<String, Failure> {
    let project = utf8_percent_encode(&run.project, NON_ALPHANUMERIC);
    let request = Request {
        method: ureq::http::Method::PUT,
        url: format!("{address}/metrics/job/plimsoll/project/{project}"),
        content_type: "text/plain; version=0.0.4; charset=utf-8",
        headers,
        body: prometheus_text(run)?,
    };
    Interrupts::default().stop(http::send(request)).await?;
    Ok(format!("run {} to the Pushgateway, as job plimsoll of project {}", run.run_id, run.project))
}

async fn export_otlp(
    address: &str,
    headers: Vec<(String, String)>,
    run: &RunReport,
) -> Result<String, Failure> {
    let request = Request {
        method: ureq::http::Method::POST,
        url: format!("{address}/v1/metrics"),
        content_type: "application/x-protobuf",
        headers,
        body: metrics::otlp::request(run),
    };
    let answer = Interrupts::default().stop(http::send(request)).await?;
    match metrics::otlp::rejected(&answer) {
        Some((points, why)) => {
            Err(Failure::Environment(anyhow::anyhow!("the receiver rejected {points} points: {why}")))
        }
        None => Ok(format!("run {} to the OTLP receiver", run.run_id)),
    }
}
