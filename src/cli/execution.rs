//! Runs scenarios into one kept run report, written as results arrive, and
//! turns its verdict into the exit code.

use super::arguments::Global;
use super::interrupt::Interrupts;
use super::recording::{self, RecordOptions, Recorded};
use super::session::{Session, seed, url, with_session};
use super::{ExitCode, Failure, Terminal, environment};
use crate::capacity;
use crate::model::evidence::Evidence;
use crate::model::evidence::deadlock::{Confirmation, Prediction};
use crate::model::evidence::regression::KeptPlan;
use crate::model::{MeasurementWarning, RunReport, Scenario, ScenarioReport, Verdict};
use crate::postgres::Target;
use crate::prepare::Context;
use crate::project::Project;
use crate::proxy::Destination;
use crate::report::kept_index;
use crate::report::kept_run::{KeepError, KeptRun};
use crate::scenarios::{deadlock, n_plus_one, regression, slow_queries};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// One scenario to run, with its options.
#[derive(Debug)]
pub(super) enum Job {
    SlowQueries(slow_queries::Options),
    Regression(regression::Options),
    Deadlock(deadlock::Options),
    NPlusOne(n_plus_one::Options),
    Load(capacity::Options),
    /// `n-plus-one` over what a command asks while it runs.
    RecordedCommand {
        words: Vec<String>,
        record: RecordOptions,
        options: n_plus_one::Options,
    },
    /// A scenario the project has nothing for.
    Skip(Scenario, String),
}

impl Job {
    /// On databases that are made ready for it: there its queries are checked first.
    fn executes_queries(&self) -> bool {
        match self {
            Self::SlowQueries(_) | Self::Load(_) => true,
            Self::Regression(options) => options.other.is_none(),
            _ => false,
        }
    }

    pub(super) fn scenario(&self) -> Scenario {
        match self {
            Self::SlowQueries(_) => Scenario::SlowQueries,
            Self::NPlusOne(_) | Self::RecordedCommand { .. } => Scenario::NPlusOne,
            Self::Deadlock(_) => Scenario::Deadlock,
            Self::Regression(_) => Scenario::Regression,
            Self::Load(_) => Scenario::Load,
            Self::Skip(scenario, _) => *scenario,
        }
    }

    /// What the command named: nothing else is asked about. Empty: everything there is.
    fn confined_to(&self) -> Vec<String> {
        let path = |path: &PathBuf| path.display().to_string();
        match self {
            Self::SlowQueries(options) => {
                let statements = options.from_statements.map(|_| "pg_stat_statements".to_owned());
                options
                    .queries
                    .iter()
                    .cloned()
                    .chain(statements)
                    .chain(options.trace.iter().map(path))
                    .collect()
            }
            Self::Regression(options) => options.queries.clone(),
            Self::Deadlock(options) => {
                let specs = options.files.iter().map(|file| file.name.clone());
                specs.chain(options.traces.iter().map(path)).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// The report while it grows.
struct GrowingReport<'a> {
    kept: &'a KeptRun,
    report: Mutex<RunReport>,
    /// Plans that are files already.
    plans_written: Mutex<usize>,
    /// Whether any scenario has said something.
    has_results: &'a AtomicBool,
    terminal: &'a Terminal,
}

impl GrowingReport<'_> {
    /// Replaces the scenario's entry, and the file.
    fn put(&self, entry: ScenarioReport) {
        if let Err(error) = self.write_new_files(&entry) {
            self.terminal.note(&format!("warning: {error}"));
        }
        let mut report = self.report.lock().unwrap_or_else(PoisonError::into_inner);
        match report.scenarios.iter_mut().find(|known| known.scenario == entry.scenario) {
            Some(known) => *known = entry,
            None => report.scenarios.push(entry),
        }
        self.has_results.store(true, Ordering::Relaxed);
        self.write(&report);
    }

    /// What is known so far, as files.
    fn write(&self, report: &RunReport) {
        // A full disk in the middle must not lose the run in hand: the last
        // write reports it.
        if let Err(error) = self.kept.write(report).and_then(|()| self.kept.write_page(report)) {
            self.terminal.note(&format!("warning: {error}"));
        }
    }

    /// Plans and replays as files: timestamped by the run's own folder, one file each,
    /// diffable in git. Written as they come, so that a run cut short has them too.
    fn write_new_files(&self, entry: &ScenarioReport) -> Result<(), KeepError> {
        if let Evidence::Deadlock(evidence) = &entry.evidence {
            keep_replays(self.kept, &evidence.predictions)?;
        }
        let Evidence::Regression(evidence) = &entry.evidence else { return Ok(()) };
        let mut written = self.plans_written.lock().unwrap_or_else(PoisonError::into_inner);
        for plan in evidence.plans.iter().skip(*written) {
            self.kept.write_file(&plan_file_name(plan), plan.json.as_bytes())?;
            *written += 1;
        }
        Ok(())
    }

    fn snapshot(&self) -> RunReport {
        self.report.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What an execution came to.
pub(super) struct Finished {
    pub(super) report: RunReport,
    pub(super) kept: KeptRun,
    /// A wrapped command's own code where it is not zero.
    child_code: Option<ExitCode>,
    /// Why the report could not be kept; it is printed all the same.
    not_kept: Option<KeepError>,
}

/// Runs the jobs in order; returns the finished report and where it is kept.
///
/// # Errors
/// Where a command to record is none, the project's target cannot be opened, a scenario cannot be carried
/// out, or a signal came; the kept report then holds what was found, marked partial.
pub(super) async fn execute(
    global: &Global,
    terminal: &Terminal,
    project: &Project,
    jobs: Vec<Job>,
) -> Result<Finished, Failure> {
    for job in &jobs {
        if let Job::RecordedCommand { words, record, .. } = job {
            record.check_command(words)?;
        }
    }
    let kept = KeptRun::create(&global.reports_folder(), &environment::run_id())?;
    let has_results = AtomicBool::new(false);
    let result = match files_to_judge(global, project, &jobs) {
        Some(options) => judge_files(global, terminal, project, &kept, &options).await,
        None => {
            with_session(global, terminal, project, async |session| {
                run_jobs(session, &kept, jobs, &has_results, global.strict).await
            })
            .await
        }
    };
    match result {
        Ok((report, child_code)) => {
            let not_kept = kept.write(&report).and_then(|()| kept.write_page(&report)).err();
            // It can be made again at any time; the run's own report cannot.
            if let Err(error) = kept_index::rewrite(&global.reports_folder()) {
                terminal.note(&format!("warning: the page over all runs is not up to date: {error}"));
            }
            Ok(Finished { report, kept, child_code, not_kept })
        }
        Err(failure) => {
            let is_cut_short = matches!(failure, Failure::Interrupted) && kept.has_report();
            if is_cut_short || has_results.into_inner() {
                terminal.note(&format!("partial report: {}", kept.directory().join("report.html").display()));
            } else {
                kept.discard();
            }
            Err(failure)
        }
    }
}

/// The options of a job that only reads traces: where no server is named, none is started for it.
fn files_to_judge(global: &Global, project: &Project, jobs: &[Job]) -> Option<n_plus_one::Options> {
    match jobs {
        [Job::NPlusOne(options)] if url(global, project).is_none() => Some(options.clone()),
        _ => None,
    }
}

async fn judge_files(
    global: &Global,
    terminal: &Terminal,
    project: &Project,
    kept: &KeptRun,
    options: &n_plus_one::Options,
) -> Result<(RunReport, Option<ExitCode>), Failure> {
    let judging = n_plus_one::run_without_server(project, terminal, options);
    let entry = Interrupts::default().stop(async { Ok(judging.await?) }).await?;
    terminal.finish_progress();
    let report = RunReport {
        scenarios: vec![entry],
        complete: true,
        strict: global.strict,
        ..empty_report(project, None, seed(global), kept, &[])
    };
    Ok((report, None))
}

async fn run_jobs(
    session: &Session<'_>,
    kept: &KeptRun,
    jobs: Vec<Job>,
    has_results: &AtomicBool,
    strict: bool,
) -> Result<(RunReport, Option<ExitCode>), Failure> {
    let growing = GrowingReport {
        kept,
        report: Mutex::new(RunReport {
            strict,
            ..empty_report(session.project, Some(session.target), session.seed, kept, &jobs)
        }),
        plans_written: Mutex::default(),
        has_results,
        terminal: session.terminal,
    };
    let checkpoint = |entry: &ScenarioReport| growing.put(entry.clone());
    let context = session.context(&checkpoint);
    if jobs.iter().any(Job::executes_queries) {
        context.check_queries(&session.project.queries).await?;
    }
    // A run that is killed in its first minute leaves a report, too.
    growing.write(&growing.snapshot());
    let mut child_code = None;
    for job in jobs {
        session.terminal.note(&format!("{} …", job.scenario().name()));
        let entry = match job {
            Job::RecordedCommand { words, record, options } => {
                let all = match &options.grow {
                    Some(volumes) => recording::record_at(session, &record, &words, volumes).await?.into(),
                    None => vec![recording::record(session, &record, &words, Destination::default()).await?],
                };
                child_code = child_code.or(all.iter().find_map(|recorded| recorded.child_code));
                let named = |recorded: Recorded| (words.join(" "), recorded.trace, recorded.database);
                let recorded = all.into_iter().map(named).collect();
                let options = n_plus_one::Options { recorded, ..options };
                run_job(&context, &Job::NPlusOne(options)).await?
            }
            job => run_job(&context, &job).await?,
        };
        growing.put(entry);
    }
    let mut report = growing.snapshot();
    report.complete = true;
    Ok((report, child_code))
}

async fn run_job(context: &Context<'_>, job: &Job) -> Result<ScenarioReport, Failure> {
    Ok(match job {
        Job::SlowQueries(options) => Box::pin(slow_queries::run(context, options)).await?,
        Job::Deadlock(options) => Box::pin(deadlock::run(context, options)).await?,
        Job::NPlusOne(options) => Box::pin(n_plus_one::run(context, options)).await?,
        Job::Regression(options) => Box::pin(regression::run(context, options)).await?,
        Job::Load(options) => Box::pin(capacity::run(context, options)).await?,
        Job::Skip(scenario, reason) => skipped(*scenario, reason),
        Job::RecordedCommand { .. } => skipped(Scenario::NPlusOne, "the command was not recorded"),
    })
}

/// Until a scenario has said something.
const NOT_REACHED: &str = "not reached: the run was cut short before it";

fn skipped(scenario: Scenario, reason: &str) -> ScenarioReport {
    ScenarioReport {
        scenario,
        verdict: Verdict::Skipped { reason: reason.to_owned() },
        summary: reason.to_owned(),
        findings: Vec::new(),
        measurements: Vec::new(),
        evidence: Evidence::None,
        warnings: Vec::new(),
        duration_ms: 0,
    }
}

/// `replays/1.spec` and so on, one per confirmed prediction.
fn keep_replays(kept: &KeptRun, predictions: &[Prediction]) -> Result<(), KeepError> {
    let confirmed = predictions.iter().filter_map(|prediction| match &prediction.confirmation {
        Confirmation::Confirmed { replay } => Some(replay),
        _ => None,
    });
    for (number, replay) in confirmed.enumerate() {
        kept.write_file(&format!("replays/{}.spec", number + 1), replay.as_bytes())?;
    }
    Ok(())
}

/// `plans/order_history.before.user_id=17_common.json`.
fn plan_file_name(plan: &KeptPlan) -> String {
    const LABEL_CHARACTERS: usize = 80;
    let safe = |text: &str| -> String {
        let kept = |c: char| if c.is_alphanumeric() || "=-_.".contains(c) { c } else { '_' };
        text.chars().take(LABEL_CHARACTERS).map(kept).collect::<String>().trim_matches('_').to_owned()
    };
    let label =
        if plan.parameter_label.is_empty() { "no_parameters".into() } else { safe(&plan.parameter_label) };
    format!("plans/{}.{}.{label}.json", safe(&plan.query), plan.side.word())
}

fn empty_report(
    project: &Project,
    target: Option<&Target>,
    seed: u64,
    kept: &KeptRun,
    jobs: &[Job],
) -> RunReport {
    let mut warnings = Vec::new();
    if cfg!(debug_assertions) {
        warnings.push(MeasurementWarning::DebugBuild);
    }
    let target = target.map(|target| target.description().clone());
    if target.as_ref().is_some_and(|target| !target.durability.fsync) {
        warnings.push(MeasurementWarning::DurabilityOff { setting: "fsync=off".into() });
    }
    RunReport {
        run_id: kept.run_id(),
        started_at: environment::started_at(),
        plimsoll_version: env!("CARGO_PKG_VERSION").to_owned(),
        project: project.name.clone(),
        target,
        environment: environment::read(&project.root),
        seed,
        confined_to: jobs.iter().flat_map(Job::confined_to).collect(),
        scenarios: jobs.iter().map(|job| skipped(job.scenario(), NOT_REACHED)).collect(),
        warnings,
        complete: false,
        strict: false,
    }
}

/// Writes the report where the options say, and turns its verdict into the exit code.
///
/// # Errors
/// Where the result cannot be written.
pub(super) fn conclude(
    global: &Global,
    terminal: &Terminal,
    finished: Finished,
) -> Result<ExitCode, Failure> {
    super::output::write_report(global, terminal, &finished.report)?;
    if let Some(error) = finished.not_kept {
        return Err(error.into());
    }
    terminal.note(&format!("report: {}", finished.kept.directory().join("report.html").display()));
    Ok(finished.child_code.unwrap_or_else(|| exit_code(&finished.report.verdict(), global.strict)))
}

/// The exit code of a verdict.
pub(super) fn exit_code(verdict: &Verdict, strict: bool) -> ExitCode {
    match verdict {
        Verdict::Fail => ExitCode::Fail,
        Verdict::Inconclusive { .. } if strict => ExitCode::Fail,
        Verdict::Pass | Verdict::Inconclusive { .. } | Verdict::Skipped { .. } => ExitCode::Pass,
    }
}
