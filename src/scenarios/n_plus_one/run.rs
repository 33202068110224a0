//! The scenario: traces in, judged report out.

use super::baseline;
use super::detect::{DetectOptions, Detection, detect};
use super::findings::{findings, measurements, verdict};
use super::listing::list_orders;
use super::record::{Tape, resolve_tables};
use crate::model::evidence::Evidence;
use crate::model::evidence::n_plus_one::{NPlusOneEvidence, RoundTripCost};
use crate::model::{MeasurementWarning, Scenario, ScenarioReport, Verdict};
use crate::prepare::Context;
use crate::stats::clock;
use crate::trace::{self, Losses, Trace};
use anyhow::Context as _;
use std::path::PathBuf;
use std::sync::Arc;

/// Statements of one trace judged in memory at once.
const STATEMENTS_MAX: usize = 2_000_000;

/// What to judge, and how.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Trace files to judge; with none, those of the project.
    pub traces: Vec<PathBuf>,
    /// Traces already recorded, each with what it is called: of the wrapped command.
    pub recorded: Vec<(String, Trace)>,
    /// Also executes the demo's listings against the database, under recording.
    pub list_orders: bool,
    /// Children of one parent that make a loop; none: the project's setting.
    pub threshold: Option<u64>,
    /// The baseline file; none: the project's setting.
    pub baseline: Option<PathBuf>,
    /// Round-trip times to reckon loops at, in microseconds.
    pub round_trips_us: Vec<u64>,
}

/// Judges traces: the given ones, the project's, or a recording made on the spot.
///
/// # Errors
/// A trace or baseline file cannot be read, or the server is lost.
pub async fn run(context: &Context<'_>, options: &Options) -> anyhow::Result<ScenarioReport> {
    let start = clock::now();
    let settings = &context.project.settings.n_plus_one;
    let mut traces = read_traces(context, options)?;
    if options.list_orders {
        traces.push(("built-in listings".into(), record_listings(context).await?));
    }
    if traces.is_empty() {
        return Ok(skipped());
    }
    for (_, trace) in &mut traces {
        name_tables(context, trace).await;
    }
    let threshold = options.threshold.unwrap_or(settings.threshold);
    let detect_options = DetectOptions { threshold: usize::try_from(threshold).unwrap_or(usize::MAX) };
    let known = read_baseline(context, options)?;
    let mut report = judge(&traces, &detect_options, &known, &options.round_trips_us);
    report.duration_ms = u64::try_from((clock::now() - start).as_millis()).unwrap_or(u64::MAX);
    (context.checkpoint)(&report);
    Ok(report)
}

fn read_traces(context: &Context<'_>, options: &Options) -> anyhow::Result<Vec<(String, Trace)>> {
    let settings = &context.project.settings.n_plus_one;
    let mut traces = options.recorded.clone();
    let explicit = !options.traces.is_empty() || !options.recorded.is_empty();
    let files: Vec<PathBuf> = if explicit {
        options.traces.clone()
    } else {
        settings.traces.iter().map(|path| context.project.root.join(path)).collect()
    };
    for path in files {
        context.progress.say(&format!("reading {}", path.display()));
        let read = trace::read(&path, STATEMENTS_MAX).with_context(|| path.display().to_string())?;
        traces.push((path.display().to_string(), read));
    }
    Ok(traces)
}

async fn record_listings(context: &Context<'_>) -> anyhow::Result<Trace> {
    let Some(volume) = context.project.settings.volumes.first() else {
        anyhow::bail!("the project has no volume: add one under [volumes]");
    };
    context.progress.phase("listing orders", None);
    let database = context.databases.at_head(&volume.name).await?;
    let tape = Arc::new(Tape::new("built-in listings", context.seed));
    list_orders(context.target, &database, &tape).await.context("listing orders")?;
    let mut trace = tape.into_trace();
    let session = context.target.connect_to(&database).await?;
    resolve_tables(&session, &mut trace).await?;
    Ok(trace)
}

/// Best effort: without names the report shows what the statements say.
async fn name_tables(context: &Context<'_>, trace: &mut Trace) {
    if !trace.tables.is_empty() || trace.statements.is_empty() {
        return;
    }
    if let Ok(session) = context.target.connect().await
        && let Err(error) = resolve_tables(&session, trace).await
    {
        context.progress.say(&format!("tables stay without names: {error}"));
    }
}

fn read_baseline(context: &Context<'_>, options: &Options) -> anyhow::Result<Vec<baseline::KnownLoop>> {
    let settings = &context.project.settings.n_plus_one;
    let of_project = settings.baseline.as_ref().map(|path| context.project.root.join(path));
    let Some(path) = options.baseline.clone().or(of_project) else {
        return Ok(Vec::new());
    };
    let text = std::fs::read_to_string(&path).with_context(|| format!("baseline {}", path.display()))?;
    baseline::parse(&text).with_context(|| format!("baseline {}", path.display()))
}

fn skipped() -> ScenarioReport {
    ScenarioReport {
        scenario: Scenario::NPlusOne,
        verdict: Verdict::Skipped {
            reason: "nothing was recorded: run `plimsoll n-plus-one -- <test command>`, or name traces under [n-plus-one] in plimsoll.toml".into(),
        },
        summary: "no trace to judge".into(),
        findings: Vec::new(),
        measurements: Vec::new(),
        evidence: Evidence::None,
        warnings: Vec::new(),
        duration_ms: 0,
    }
}

/// Judges traces without touching a server.
#[must_use]
pub fn judge(
    traces: &[(String, Trace)],
    options: &DetectOptions,
    known: &[baseline::KnownLoop],
    round_trips_us: &[u64],
) -> ScenarioReport {
    let (mut all, mut losses, mut statements, mut connections) =
        (Detection::default(), Losses::default(), 0, 0);
    for (_, trace) in traces {
        let found = detect(trace, options);
        let before = all.loops.len();
        all.loops.extend(found.loops.into_iter().map(|mut group| {
            group.inside = group.inside.map(|at| at + before);
            group
        }));
        all.repeats.extend(found.repeats);
        all.scopes.extend(found.scopes);
        all.shapes += found.shapes;
        losses.add(&trace.losses);
        statements += trace.statements.len() as u64;
        connections += trace.connections;
    }
    let stale = baseline::apply(known, &mut all);
    let findings = findings(&all);
    let complete = traces.iter().all(|(_, trace)| trace.complete);
    let (verdict, summary) = verdict(&findings, &losses, statements, complete);
    let measurements = measurements(&all, statements);
    let round_trips = round_trip_costs(&all, round_trips_us);
    let evidence = NPlusOneEvidence {
        sources: traces.iter().map(|(name, _)| name.clone()).collect(),
        statements,
        connections,
        shapes: all.shapes,
        scopes: all.scopes,
        loops: all.loops,
        repeats: all.repeats,
        round_trips,
        stale_baseline: stale.clone(),
        ..NPlusOneEvidence::default()
    };
    ScenarioReport {
        scenario: Scenario::NPlusOne,
        verdict,
        summary,
        findings,
        measurements,
        evidence: Evidence::NPlusOne(evidence),
        warnings: warnings(&losses, &stale),
        duration_ms: 0,
    }
}

fn warnings(losses: &Losses, stale: &[String]) -> Vec<MeasurementWarning> {
    let mut warnings = Vec::new();
    if losses.values > 0 || losses.elements > 0 {
        warnings.push(MeasurementWarning::BoundReached {
            bound: "kept values".into(),
            left_out: format!("{} result values, {} list elements", losses.values, losses.elements),
        });
    }
    if losses.statements > 0 {
        warnings.push(MeasurementWarning::BoundReached {
            bound: "recorded statements".into(),
            left_out: format!("{} statements", losses.statements),
        });
    }
    warnings.extend(stale.iter().map(|fingerprint| MeasurementWarning::Other {
        code: "stale-baseline-entry",
        message: format!("the baseline's {fingerprint} matches no loop any more: take it out"),
    }));
    warnings
}

/// N round trips against one, on paper.
fn round_trip_costs(detection: &Detection, round_trips_us: &[u64]) -> Vec<RoundTripCost> {
    let cost = |group: &crate::model::evidence::n_plus_one::LoopGroup, round_trip_us: u64| RoundTripCost {
        fingerprint: group.fingerprint.clone(),
        round_trip_us,
        looped_us: group.executions * round_trip_us,
        batched_us: round_trip_us,
    };
    detection
        .loops
        .iter()
        .flat_map(|group| round_trips_us.iter().map(move |time| cost(group, *time)))
        .collect()
}
