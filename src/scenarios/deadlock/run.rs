//! The scenario: every spec on a clone of its own, explored, its deadlock
//! replayed and measured, judged.

use super::combine::Transaction;
use super::confirm;
use super::decide;
use super::execute::Stage;
use super::explore::{self, Explored};
use super::footprint::{self, Footprint};
use super::foretold;
use super::from_trace::{self, Traced};
use super::kind;
use super::manner::{Pace, manner};
use super::measure;
use super::record::{Ending, Execution};
use super::solo;
use super::spec::{self, Permutation, Spec, StepIndex};
use super::sweep;
use crate::model::evidence::Evidence;
use crate::model::evidence::deadlock::{
    DeadlockCase, DeadlockCost, DeadlockEvidence, SessionText, SpecEvidence, StepText, TranscriptEvent,
    WaitEdge,
};
use crate::model::{Progress, Scenario, ScenarioReport, Severity, Verdict};
use crate::postgres::Target;
use crate::prepare::Context;
use crate::project::transaction::SpecFile;
use crate::stats::clock;

pub use super::options::Options;

/// How often a deadlock is replayed before it is reported without its waits.
const REPLAYS: u32 = 3;

/// Where specs run.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// The server.
    pub target: &'a Target,
    /// The database that every spec gets a clone of.
    pub source: &'a str,
    /// Tells a person that work goes on.
    pub progress: &'a dyn Progress,
    /// Takes a report that is not whole yet.
    pub checkpoint: &'a (dyn Fn(&ScenarioReport) + Send + Sync),
}

/// Runs the project's specs, or those of the options, on clones of the database at its newest
/// version and its default volume.
///
/// # Errors
/// The server or the set-up failed, or a spec cannot be read.
pub async fn run(context: &Context<'_>, options: &Options) -> anyhow::Result<ScenarioReport> {
    // A trace stands for itself: the project's specs are explored without it.
    let is_explicit = !options.files.is_empty() || !options.traces.is_empty();
    let files = if is_explicit { &options.files } else { &context.project.transactions };
    let settings = &context.project.settings;
    let source = match settings.volumes.first() {
        Some(volume) if is_explicit || !files.is_empty() => context.databases.at_head(&volume.name).await?,
        _ => context.target.database().to_owned(),
    };
    let place = Place {
        target: context.target,
        source: &source,
        progress: context.progress,
        checkpoint: context.checkpoint,
    };
    run_specs(&place, files, &Options { seed: context.seed, ..options.clone() }).await
}

/// Runs specs on clones of a database.
///
/// # Errors
/// The server failed, or a spec cannot be read (all problems are listed).
pub async fn run_specs(
    place: &Place<'_>,
    files: &[SpecFile],
    options: &Options,
) -> anyhow::Result<ScenarioReport> {
    let start = clock::now();
    let mut specs = parse_all(files)?;
    if let Some(expectation) = options.expect {
        specs.iter_mut().for_each(|spec| spec.expectation = expectation);
    }
    let mut report = ScenarioReport {
        scenario: Scenario::Deadlock,
        verdict: Verdict::Skipped { reason: "the project has no transactions/*.spec".into() },
        summary: "no transaction specs".into(),
        findings: Vec::new(),
        measurements: Vec::new(),
        evidence: Evidence::None,
        warnings: Vec::new(),
        duration_ms: 0,
    };
    let mut evidence = DeadlockEvidence {
        deadlock_timeout_us: server_deadlock_timeout_us(place.target).await?,
        ..DeadlockEvidence::default()
    };
    let mut footprints_of = Vec::new();
    for spec in &specs {
        let footprints =
            if needs_footprints(spec, options) { run_alone(place, spec, options).await? } else { Vec::new() };
        if options.transcript {
            evidence.specs.push(transcribe(place, spec, options).await?);
        } else {
            let (examined, order) = examine(place, spec, &footprints, options, &mut report).await?;
            evidence.specs.push(examined);
            if let Some(order) = order {
                sweep::sweep(
                    place,
                    spec,
                    &order,
                    &footprints,
                    options,
                    (&mut evidence, &mut report.warnings),
                )
                .await?;
            }
        }
        footprints_of.push(footprints);
        summarise(&mut report, &evidence);
        report.duration_ms = u64::try_from((clock::now() - start).as_millis()).unwrap_or(u64::MAX);
        (place.checkpoint)(&report);
    }
    let has_sources = !specs.is_empty() || !options.traces.is_empty();
    if options.predicts && !options.transcript && has_sources {
        foretell(place, &specs, &footprints_of, options, &mut evidence, &mut report).await?;
        summarise(&mut report, &evidence);
    }
    report.duration_ms = u64::try_from((clock::now() - start).as_millis()).unwrap_or(u64::MAX);
    Ok(report)
}

/// Derives cycles between the transactions of specs and traces, and executes them.
async fn foretell(
    place: &Place<'_>,
    specs: &[Spec],
    footprints: &[Vec<Footprint>],
    options: &Options,
    evidence: &mut DeadlockEvidence,
    report: &mut ScenarioReport,
) -> anyhow::Result<()> {
    let mut traced: Vec<Traced> = Vec::new();
    for path in &options.traces {
        let (trace, transactions) = from_trace::examine(place, path, options).await?;
        evidence.traces.push(trace);
        traced.extend(transactions);
    }
    let written = specs.iter().zip(footprints).flat_map(|(spec, footprints)| {
        footprints
            .iter()
            .enumerate()
            .map(move |(session, footprint)| (Transaction { spec, session, before: &[] }, footprint))
    });
    let recorded = traced.iter().map(|traced| {
        (Transaction { spec: &traced.spec, session: 0, before: &traced.before }, &traced.footprint)
    });
    let (transactions, alone): (Vec<_>, Vec<_>) = written.chain(recorded).unzip();
    evidence.predictions =
        confirm::predictions(place, &transactions, &alone, options, &mut report.warnings).await?;
    report.findings.extend(foretold::findings(evidence));
    report.warnings.extend(foretold::warnings(evidence));
    Ok(())
}

fn parse_all(files: &[SpecFile]) -> anyhow::Result<Vec<Spec>> {
    let (mut specs, mut problems) = (Vec::new(), Vec::new());
    for file in files {
        match spec::parse(file) {
            Ok(spec) => specs.push(spec),
            Err(errors) => problems.extend(errors.into_iter().map(|problem| {
                let place = problem.line_and_column();
                let place = place.map(|(line, column)| format!(":{line}:{column}")).unwrap_or_default();
                format!("{}{place}: {}", problem.path.display(), problem.message)
            })),
        }
    }
    anyhow::ensure!(problems.is_empty(), "{}", problems.join("\n"));
    Ok(specs)
}

async fn server_deadlock_timeout_us(target: &Target) -> anyhow::Result<f64> {
    let row = target
        .connect()
        .await?
        .query_one(
            "SELECT setting::float8 * 1000 FROM pg_catalog.pg_settings WHERE name = 'deadlock_timeout'",
            &[],
        )
        .await?;
    Ok(row.get(0))
}

fn summarise(report: &mut ScenarioReport, evidence: &DeadlockEvidence) {
    let specs = &evidence.specs;
    let executed: u64 = specs.iter().map(|spec| spec.exploration.executed).sum();
    let deadlocking: Vec<&str> =
        specs.iter().filter(|spec| spec.deadlock.is_some()).map(|spec| spec.name.as_str()).collect();
    let foretold = foretold::verdict(evidence);
    let verdicts = specs.iter().map(|spec| &spec.verdict).chain(&foretold);
    report.verdict = Verdict::of_all(verdicts).unwrap_or(Verdict::Pass);
    if report.findings.iter().any(|finding| finding.severity == Severity::Failure) {
        report.verdict = Verdict::Fail;
    }
    report.summary = if specs.is_empty() && !evidence.traces.is_empty() {
        String::new()
    } else if deadlocking.is_empty() {
        format!("nobody deadlocks in {executed} executed interleavings of {} specs", specs.len())
    } else {
        format!(
            "{} of {} specs deadlock ({}), {executed} interleavings executed",
            deadlocking.len(),
            specs.len(),
            deadlocking.join(", ")
        )
    };
    if !evidence.traces.is_empty() {
        let separator = if report.summary.is_empty() { "" } else { "; " };
        report.summary = format!("{}{separator}{}", report.summary, foretold::summary(evidence));
    }
    report.findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    report.evidence = Evidence::Deadlock(evidence.clone());
}

/// Explores a spec, then replays and measures its shortest deadlock, which is returned as well.
async fn examine(
    place: &Place<'_>,
    spec: &Spec,
    footprints: &[Footprint],
    options: &Options,
    report: &mut ScenarioReport,
) -> anyhow::Result<(SpecEvidence, Option<Permutation>)> {
    let explored = explore_spec(place, spec, footprints, options).await?;
    let mut case = None;
    let mut cost = None;
    if let Some(order) = &explored.shortest {
        let full = manner(place.target, options, &Pace::Measuring);
        let mut stage = Stage::open(spec, place.target, place.source, full).await?;
        let mut replay = None;
        for _ in 0..REPLAYS {
            replay = measure::replay(&mut stage, spec, order).await?;
            if replay.is_some() {
                break;
            }
        }
        if let Some(replay) = replay {
            place.progress.phase(&format!("deadlock: measuring {}", spec.name), None);
            cost = Some(measure_cost(place, &mut stage, spec, order, &replay, options).await?);
            case = Some(deadlock_case(spec, order, &replay));
        }
        stage.close().await?;
    }
    report.findings.extend(decide::findings(spec, &explored, case.as_ref()));
    report.measurements.extend(decide::measurements(spec, &explored, cost.as_ref()));
    report.warnings.extend(decide::warnings(spec, &explored, cost.as_ref()));
    let order = explored.shortest.clone().filter(|_| case.is_some());
    Ok((evidence_of(spec, explored, case, cost), order))
}

async fn measure_cost(
    place: &Place<'_>,
    stage: &mut Stage<'_>,
    spec: &Spec,
    order: &Permutation,
    replay: &measure::Replay,
    options: &Options,
) -> anyhow::Result<DeadlockCost> {
    // Where every order gets a clone of its own, the bystander needs one that stays.
    let own = match spec.resets_itself() {
        true => None,
        false => Some(place.target.clone_database(place.source, "deadlock_bystander").await?),
    };
    let bystander = place.target.connect_to(own.as_deref().unwrap_or(stage.database())).await?;
    let cost = measure::cost(stage, spec, order, &replay.cycle, options.repetitions, bystander).await;
    if let Some(own) = own {
        place.target.drop_database(&own).await?;
    }
    cost
}

async fn explore_spec(
    place: &Place<'_>,
    spec: &Spec,
    footprints: &[Footprint],
    options: &Options,
) -> anyhow::Result<Explored> {
    let manner = manner(place.target, options, &Pace::Exploring(spec));
    let mut stage = Stage::open(spec, place.target, place.source, manner).await?;
    let may_prune = options.prunes && footprints.len() == spec.sessions.len() && !spec.uses_snapshots();
    let conflict = |a: StepIndex, b: StepIndex| {
        !may_prune
            || footprint::steps_conflict(&footprints[a.session], a.step, &footprints[b.session], b.step)
    };
    let explored =
        explore::explore(&mut stage, spec, options.max_interleavings, conflict, place.progress).await;
    stage.close().await?;
    explored
}

fn needs_footprints(spec: &Spec, options: &Options) -> bool {
    !options.transcript && (options.predicts || options.prunes && spec.permutations.is_empty())
}

/// What every session locks when it runs alone, on clones that nothing else uses.
async fn run_alone(place: &Place<'_>, spec: &Spec, options: &Options) -> anyhow::Result<Vec<Footprint>> {
    let result = solo::footprints(spec, place.target, place.source, options).await;
    // A setup that fails is reported by the exploration, with its place.
    Ok(result?.unwrap_or_default())
}

fn evidence_of(
    spec: &Spec,
    explored: Explored,
    case: Option<DeadlockCase>,
    cost: Option<DeadlockCost>,
) -> SpecEvidence {
    SpecEvidence {
        verdict: decide::verdict(spec, &explored),
        exploration: explored.exploration,
        outcomes: explored.outcomes,
        orders: explored.orders,
        orders_left_out: explored.orders_left_out,
        deadlock: case,
        cost,
        ..empty_evidence(spec)
    }
}

fn empty_evidence(spec: &Spec) -> SpecEvidence {
    let step =
        |step: &spec::Step| StepText { name: step.name.clone(), sql: step.sql.clone(), line: step.line };
    let session = |session: &spec::SessionSpec| SessionText {
        name: session.name.clone(),
        steps: session.steps.iter().map(step).collect(),
    };
    SpecEvidence {
        name: spec.name.clone(),
        path: spec.path.clone(),
        verdict: Verdict::Pass,
        expects_deadlock: spec.expectation == spec::Expectation::Deadlock,
        sessions: spec.sessions.iter().map(session).collect(),
        exploration: explore::Explored::default().exploration,
        outcomes: Vec::new(),
        orders: Vec::new(),
        orders_left_out: 0,
        deadlock: None,
        cost: None,
        transcript: Vec::new(),
    }
}

fn deadlock_case(spec: &Spec, order: &Permutation, replay: &measure::Replay) -> DeadlockCase {
    let victim_session = spec.sessions[replay.victim.session].name.clone();
    let survivor = |edge: &&WaitEdge| edge.waiter_session != victim_session;
    let survivors = replay.cycle.iter().filter(survivor);
    let survivors = survivors.map(|edge| (edge.waiter_session.clone(), edge.waiter_step.clone())).collect();
    let kind = kind::kind(&replay.cycle);
    DeadlockCase {
        steps: order.steps.iter().map(|entry| spec.step(entry.step).name.clone()).collect(),
        replay: spec.replay_line(order),
        survivors,
        victim_step: spec.step(replay.victim).name.clone(),
        victim_session,
        kind,
        advice: kind::advice(kind, &replay.cycle),
        wait_graph: replay.cycle.clone(),
    }
}

/// Runs what the isolation tester runs and keeps what it prints.
async fn transcribe(place: &Place<'_>, spec: &Spec, options: &Options) -> anyhow::Result<SpecEvidence> {
    let mut stage =
        Stage::open(spec, place.target, place.source, manner(place.target, options, &Pace::Tester)).await?;
    let mut evidence = empty_evidence(spec);
    let mut events: Vec<TranscriptEvent> =
        spec.unused_steps.iter().cloned().map(TranscriptEvent::UnusedStep).collect();
    events.push(TranscriptEvent::Parsed(spec.sessions.len()));
    let orders: Box<dyn Iterator<Item = Permutation> + Send> = if spec.permutations.is_empty() {
        let lengths: Vec<usize> = spec.sessions.iter().map(|session| session.steps.len()).collect();
        let words = super::interleave::Interleavings::new(&lengths);
        Box::new(words.map(|word| Permutation::plain(&super::interleave::steps_of(&word))))
    } else {
        Box::new(spec.permutations.iter().cloned())
    };
    for order in orders {
        if evidence.exploration.executed >= options.max_interleavings {
            evidence.exploration.beyond_bound += 1;
            continue;
        }
        let execution: Execution = stage.execute(&order).await?;
        evidence.exploration.executed += 1;
        events.extend(execution.events);
        if matches!(execution.ending, Ending::SetupFailed(_) | Ending::Hung(_)) {
            break;
        }
    }
    stage.close().await?;
    evidence.transcript = events;
    Ok(evidence)
}
