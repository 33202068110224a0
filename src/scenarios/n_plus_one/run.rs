//! The scenario: traces in, judged report out.

use super::baseline;
use super::detect::{DetectOptions, Detection, detect};
use super::findings::{Beside, findings, measurements, verdict};
use super::growth::{growth, growth_findings, growth_measurements};
use super::joined::prove_join;
use super::limits;
use super::origin::Origin;
use super::prove::prove;
use super::trial::{ALL_TRIALS, GUARD};
use super::whole::Heard;
use crate::model::evidence::Evidence;
use crate::model::evidence::n_plus_one::{
    BatchProof, BatchRefusal, Growth, JoinProof, NPlusOneEvidence, RoundTripCost,
};
use crate::model::{Finding, MeasurementWarning, Progress, Scenario, ScenarioReport, Verdict};
use crate::postgres::{Session, Target};
use crate::prepare::Context;
use crate::project::Project;
use crate::stats::clock;
use crate::trace::{self, LIMITS_MAX, Losses, Trace};
use anyhow::Context as _;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Statements of one trace judged in memory at once.
const STATEMENTS_MAX: usize = 2_000_000;

/// Loops whose batched form is tried.
const PROOFS_MAX: usize = 20;

/// What to judge, and how.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Trace files to judge; with none, those of the project.
    pub traces: Vec<PathBuf>,
    /// Traces already recorded: what each is called, and the database it was recorded on.
    pub recorded: Vec<(String, Trace, String)>,
    /// Children of one parent that make a loop; none: the project's setting.
    pub threshold: Option<u64>,
    /// The baseline file; none: the project's setting.
    pub baseline: Option<PathBuf>,
    /// Leaves out trying the batched form of loops against the database.
    pub without_batching: bool,
    /// The two traces are of the same command at these two volumes, the smaller first: compares their counts.
    pub grow: Option<[String; 2]>,
    /// Round-trip times to reckon loops at, in microseconds.
    pub round_trips_us: Vec<u64>,
}

/// A trace, what it is called, and the database it was recorded on.
struct Recording {
    name: String,
    trace: Trace,
    database: Option<String>,
    /// Recorded on that database just now, so that its numbers of tables mean something there.
    is_fresh: bool,
}

/// Judges traces: the given ones, else the project's.
///
/// # Errors
/// A trace or baseline file cannot be read, or the server is lost.
pub async fn run(context: &Context<'_>, options: &Options) -> anyhow::Result<ScenarioReport> {
    let place = Place { project: context.project, target: Some(context.target), progress: context.progress };
    let report = run_at(&place, options).await?;
    (context.checkpoint)(&report);
    Ok(report)
}

/// Judges trace files where there is no server: no batched form is tried.
///
/// # Errors
/// A trace or baseline file cannot be read.
pub async fn run_without_server(
    project: &Project,
    progress: &dyn Progress,
    options: &Options,
) -> anyhow::Result<ScenarioReport> {
    run_at(&Place { project, target: None, progress }, options).await
}

/// What traces are judged with.
struct Place<'a> {
    project: &'a Project,
    target: Option<&'a Target>,
    progress: &'a dyn Progress,
}

async fn run_at(context: &Place<'_>, options: &Options) -> anyhow::Result<ScenarioReport> {
    let start = clock::now();
    let settings = &context.project.settings.n_plus_one;
    let recordings = read_traces(context, options)?;
    if recordings.is_empty() {
        return Ok(skipped());
    }
    let threshold = options.threshold.unwrap_or(settings.threshold);
    let detect_options = DetectOptions { threshold: usize::try_from(threshold).unwrap_or(usize::MAX) };
    let known = read_baseline(context.project, options.baseline.as_deref())?;
    let mut judged = Judged::default();
    let mut left = ALL_TRIALS;
    for recording in &recordings {
        let found = judged.add(&recording.name, &recording.trace, &detect_options);
        if !options.without_batching {
            // Judging a long trace may take longer than all trials may.
            let start = clock::now();
            prove_loops(context, recording, &mut judged, found, start + left).await;
            left = left.saturating_sub(clock::now() - start);
        }
    }
    if let ([small, large], Some(volumes)) = (recordings.as_slice(), &options.grow) {
        judged.growth = growth(&small.trace, &large.trace);
        judged.volumes = Some(volumes.clone());
    }
    let mut report = judged.report(&known, &options.round_trips_us);
    report.duration_ms = u64::try_from((clock::now() - start).as_millis()).unwrap_or(u64::MAX);
    Ok(report)
}

/// Tries the batched form of each new loop; loops that are alike only once.
async fn prove_loops(
    context: &Place<'_>,
    recording: &Recording,
    judged: &mut Judged,
    found: std::ops::Range<usize>,
    ends: Instant,
) {
    let session = if found.is_empty() { Err(String::new()) } else { session(context, recording).await };
    for at in found {
        let group = &judged.detection.loops[at];
        let is_known = judged.proofs.iter().any(|proof| proof.fingerprint == group.fingerprint)
            || judged.refusals.iter().any(|refusal| refusal.fingerprint == group.fingerprint);
        if is_known {
            continue;
        }
        let session = match &session {
            Ok(_) if judged.proofs.len() + judged.refusals.len() >= PROOFS_MAX => {
                Err(format!("{PROOFS_MAX} loops were tried before it"))
            }
            Ok(_) if clock::now() >= ends => {
                let seconds = ALL_TRIALS.as_secs();
                Err(format!("the {seconds} s that trying may take in all were over"))
            }
            Ok(session) => Ok(session),
            Err(reason) => Err(reason.clone()),
        };
        let session = match session {
            Ok(session) => session,
            Err(reason) => {
                judged.refusals.push(BatchRefusal { fingerprint: group.fingerprint.clone(), reason });
                continue;
            }
        };
        context.progress.phase("trying the batched form", None);
        let samples = judged.detection.samples.get(&group.fingerprint).map_or(&[][..], Vec::as_slice);
        let origin = Origin::of(&recording.trace, group, recording.is_fresh);
        match Box::pin(prove(session, ends, group, samples, &origin)).await {
            Ok(proof) => judged.proofs.push(proof),
            Err(refusal) => judged.refusals.push(refusal),
        }
        if let Some(parent) = judged.detection.parents.get(&group.fingerprint) {
            match Box::pin(prove_join(session, ends, group, parent, &origin)).await {
                Some(Ok(proof)) => judged.joins.push(proof),
                Some(Err(refusal)) => judged.join_refusals.push(refusal),
                None => {}
            }
        }
    }
}

/// A session to try forms in. The error is a phrase after "because".
async fn session(context: &Place<'_>, recording: &Recording) -> Result<Session, String> {
    // A trace from a file is of a database that a server of our own has not.
    let server = context.target.filter(|target| recording.is_fresh || !target.is_ours());
    let Some((target, database)) = server.zip(recording.database.as_deref()) else {
        return Err("its trace came without the recorded database: name that by --url".into());
    };
    let session = target.connect_to(database).await.map_err(|error| error.to_string())?;
    session.batch_execute(GUARD).await.map_err(|error| error.to_string())?;
    Ok(session)
}

fn read_traces(context: &Place<'_>, options: &Options) -> anyhow::Result<Vec<Recording>> {
    let settings = &context.project.settings.n_plus_one;
    let database = context.target.map(|target| target.database().to_owned());
    let mut traces: Vec<Recording> = options
        .recorded
        .iter()
        .map(|(name, trace, database)| Recording {
            name: name.clone(),
            trace: trace.clone(),
            database: Some(database.clone()),
            is_fresh: true,
        })
        .collect();
    let explicit = !options.traces.is_empty() || !options.recorded.is_empty();
    let files: Vec<PathBuf> = if explicit {
        options.traces.clone()
    } else {
        settings.traces.iter().map(|path| context.project.root.join(path)).collect()
    };
    for path in files {
        context.progress.say(&format!("reading {}", path.display()));
        let read = trace::read(&path, STATEMENTS_MAX).with_context(|| path.display().to_string())?;
        let name = path.display().to_string();
        traces.push(Recording { name, trace: read, database: database.clone(), is_fresh: false });
    }
    Ok(traces)
}

/// The known loops of a baseline: the file given, else the project's.
///
/// # Errors
/// It cannot be read, or an entry lacks its reason.
pub fn read_baseline(project: &Project, given: Option<&Path>) -> anyhow::Result<Vec<baseline::KnownLoop>> {
    let of_project = project.settings.n_plus_one.baseline.as_ref().map(|path| project.root.join(path));
    let Some(path) = given.map(Path::to_owned).or(of_project) else {
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
    let mut judged = Judged::default();
    for (name, trace) in traces {
        judged.add(name, trace, options);
    }
    judged.report(known, round_trips_us)
}

/// What was found in all traces together.
#[derive(Default)]
struct Judged {
    names: Vec<String>,
    detection: Detection,
    heard: Heard,
    /// Scopes above the bound that they set themselves.
    exceeded: Vec<Finding>,
    limits_left_out: u64,
    proofs: Vec<BatchProof>,
    joins: Vec<JoinProof>,
    refusals: Vec<BatchRefusal>,
    join_refusals: Vec<BatchRefusal>,
    growth: Vec<Growth>,
    /// The volumes that the growth is between, one per trace.
    volumes: Option<[String; 2]>,
    /// How many loops there are with those of each trace.
    loops_with: Vec<usize>,
}

impl Judged {
    /// Adds a trace; which loops are its own.
    fn add(&mut self, name: &str, trace: &Trace, options: &DetectOptions) -> std::ops::Range<usize> {
        let found = detect(trace, options);
        let before = self.detection.loops.len();
        self.detection.loops.extend(found.loops.into_iter().map(|mut group| {
            group.inside = group.inside.map(|at| at + before);
            group
        }));
        self.detection.repeats.extend(found.repeats);
        for (fingerprint, samples) in found.samples {
            self.detection.samples.entry(fingerprint).or_insert(samples);
        }
        for (fingerprint, parent) in found.parents {
            self.detection.parents.entry(fingerprint).or_insert(parent);
        }
        self.detection.scopes.extend(found.scopes);
        self.detection.shapes += found.shapes;
        self.heard.add(trace);
        self.exceeded.extend(limits::exceeded(trace));
        self.limits_left_out += trace.limits_left_out;
        self.names.push(name.to_owned());
        self.loops_with.push(self.detection.loops.len());
        before..self.detection.loops.len()
    }

    fn report(mut self, known: &[baseline::KnownLoop], round_trips_us: &[u64]) -> ScenarioReport {
        let stale = baseline::apply(known, &mut self.detection);
        let round_trips = round_trip_costs(&self.detection, round_trips_us);
        let beside = Beside {
            proofs: &self.proofs,
            refusals: &self.refusals,
            joins: &self.joins,
            join_refusals: &self.join_refusals,
            round_trips: &round_trips,
            growth: &self.growth,
        };
        let mut findings = findings(&self.detection, &beside);
        findings.append(&mut self.exceeded);
        findings.extend(growth_findings(&self.growth, &self.detection));
        let (verdict, summary) = verdict(&findings, &self.heard);
        let volume = |at: usize| {
            let trace = self.loops_with.partition_point(|loops| *loops <= at);
            self.volumes.as_ref().and_then(|volumes| volumes.get(trace).cloned())
        };
        let mut measurements = measurements(&self.detection, self.heard.statements, volume);
        if let Some(volumes) = &self.volumes {
            measurements.extend(growth_measurements(&self.growth, volumes));
        }
        let mut warnings = warnings(&self.heard.losses, &stale);
        if self.limits_left_out > 0 {
            warnings.push(MeasurementWarning::BoundReached {
                bound: format!("{LIMITS_MAX} scopes with plimsoll.max_statements"),
                left_out: format!("{} of the first ones", self.limits_left_out),
            });
        }
        let evidence = NPlusOneEvidence {
            sources: self.names,
            statements: self.heard.statements,
            connections: self.heard.connections,
            shapes: self.detection.shapes,
            scopes: self.detection.scopes,
            loops: self.detection.loops,
            repeats: self.detection.repeats,
            batched: self.proofs,
            joined: self.joins,
            not_batched: self.refusals,
            not_joined: self.join_refusals,
            round_trips,
            growth: self.growth,
            stale_baseline: stale,
        };
        ScenarioReport {
            scenario: Scenario::NPlusOne,
            verdict,
            summary,
            findings,
            measurements,
            evidence: Evidence::NPlusOne(evidence),
            warnings,
            duration_ms: 0,
        }
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

/// N round trips against one for each child, on paper; of groups of the same loop the largest.
fn round_trip_costs(detection: &Detection, round_trips_us: &[u64]) -> Vec<RoundTripCost> {
    let mut largest: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for group in &detection.loops {
        let most = largest.entry(&group.fingerprint).or_default();
        *most = (group.executions, group.children().count() as u64).max(*most);
    }
    let cost = |fingerprint: &str, (executions, children): (u64, u64), round_trip_us: u64| RoundTripCost {
        fingerprint: fingerprint.to_owned(),
        round_trip_us,
        looped_us: executions * round_trip_us,
        batched_us: children * round_trip_us,
    };
    largest
        .into_iter()
        .flat_map(|(fingerprint, n)| round_trips_us.iter().map(move |time| cost(fingerprint, n, *time)))
        .collect()
}
