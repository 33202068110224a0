//! Compares every query before and after a change, side by side on clones.

use super::attribution::{self, Step};
use super::cases::{Case, CaseParameters};
use super::comparison::{self, Bench, Found};
use super::measure::{self, Method};
use super::sides::{self, SchemaChange, Sides};
use super::touched::Touched;
use super::verdict::{self, Thresholds};
use super::{deepen, findings, kept, under_load, write_report};
use crate::model::{MeasurementWarning, ScenarioReport};
use crate::plan::Relations;
use crate::postgres::{Session, Target, physical};
use crate::prepare::Context;
use crate::project::migration::Migration;
use crate::project::query::Query;
use crate::stats::clock;
use anyhow::Context as _;

/// What a run is asked for beyond the project's settings.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Options {
    /// The version before; none: the project's setting, else the last but one.
    pub from: Option<String>,
    /// The version after; none: the project's setting, else the newest.
    pub to: Option<String>,
    /// A statement to try instead of a migration, on top of `from` (none: the newest version).
    pub try_statement: Option<String>,
    /// The volume; none: the project's first.
    pub volume: Option<String>,
    /// Only these queries; empty: all.
    pub queries: Vec<String>,
    /// Seconds per query for times; none: the project's setting.
    pub max_seconds: Option<f64>,
    /// Plans and counters only.
    pub without_times: bool,
    /// Run the migration under traffic too.
    pub under_load: Option<under_load::Options>,
    /// What to compare with instead of clones.
    pub other: Option<kept::Other>,
}

/// What is compared, resolved from options and settings.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Compared {
    from: String,
    to: String,
    volume: String,
}

/// Runs the scenario.
///
/// # Errors
/// The environment failed, or the change itself does.
pub async fn run(context: &Context<'_>, options: &Options) -> anyhow::Result<ScenarioReport> {
    if let Some(other) = &options.other {
        return kept::compare_with(context, options, other).await;
    }
    let start = clock::now();
    let Some(compared) = resolve(context, options)? else {
        let reason = "there is only one migration, so there is no version before it to compare with";
        return Ok(write_report::skipped(reason));
    };
    let change = schema_change(context, options, &compared);
    let template = context.databases.at(&compared.from, &compared.volume).await?;
    let (sides, touched) = sides::prepare(context.target, &template, &change, context.progress).await?;
    let outcome = compare_all(context, options, &compared, &sides, &touched).await;
    let dropped = sides::drop(context.target, &sides).await;
    let (found, limits) = outcome?;
    dropped?;
    Ok(write_report::report(&found, &limits, clock::elapsed_us(start)))
}

async fn compare_all(
    context: &Context<'_>,
    options: &Options,
    compared: &Compared,
    sides: &Sides,
    touched: &Touched,
) -> anyhow::Result<(Found, Thresholds)> {
    let settings = &context.project.settings.regression;
    let queries: Vec<&Query> = wanted(context, options).collect();
    let processor = measure::choose_processor(context.target).await;
    let method = Method {
        processor,
        cap_us: options.max_seconds.unwrap_or(settings.max_seconds) * 1e6,
        confidence: 0.95,
        queries: queries.len(),
    };
    let limits = Thresholds {
        time_ratio: settings.time_ratio,
        counter_ratio: settings.counter_ratio,
        resolution: if processor.is_some() { verdict::RESOLUTION_PINNED } else { verdict::RESOLUTION },
    };
    let bench = Bench {
        target: context.target,
        sides,
        limits,
        method: (!options.without_times).then_some(&method),
        relations: &relations_of(context.target, &sides.after).await?,
        seed: context.seed,
        progress: context.progress,
    };
    let mut found = Found::default();
    found.evidence.from.clone_from(&compared.from);
    found.evidence.to.clone_from(&compared.to);
    found.evidence.volume.clone_from(&compared.volume);
    found.evidence.method = describe_method(&method, options);
    let pair = comparison::sessions(&bench).await?;
    context.progress.phase("comparing queries", Some(queries.len() as u64));
    let mut cases = Vec::new();
    for (done, query) in (1u64..).zip(queries) {
        let case = Case::new(query, parameter_sets(&pair.before, query, context.seed).await?);
        comparison::compare_case(&bench, &pair, &case, Some(findings::location(query)), &mut found).await?;
        context.progress.advance_to(done);
        (context.checkpoint)(&write_report::partial(&found, &limits));
        cases.push(case);
    }
    drop(pair);
    let steps = steps(context, options, compared);
    if options.under_load.is_some() && steps.is_empty() {
        found.warnings.push(MeasurementWarning::Other {
            code: "not-under-load",
            message:
                "the project migrates by a command of its own, whose statements are not known here: it was \
                      not run under traffic"
                    .into(),
        });
    } else if let Some(load) = &options.under_load {
        let in_transaction = between(context, compared).all(|migration| migration.in_transaction);
        let migration = under_load::Migration { steps: steps.clone(), in_transaction };
        let mut templates = Vec::new();
        for volume in &load.ladder {
            templates.push(context.databases.at(&compared.from, volume).await?);
        }
        deepen::add_under_load(&bench, &migration, touched, &cases, &templates, load, &mut found).await?;
    }
    deepen::attribute(&bench, &steps, &cases, &mut found).await?;
    deepen::add_write_costs(&bench, touched, &mut found).await?;
    deepen::add_choices(&bench, &cases, &mut found).await?;
    Ok((found, limits))
}

/// A database's tables and indexes, as the names in plan checks mean them.
pub(super) async fn relations_of(target: &Target, database: &str) -> anyhow::Result<Relations> {
    let session = target.connect_to(database).await?;
    Ok(physical::relations(&session).await?)
}

/// The change's statements one by one; none where the project migrates by a command of its own.
fn steps(context: &Context<'_>, options: &Options, compared: &Compared) -> Vec<Step> {
    if let Some(statement) = &options.try_statement {
        return attribution::steps("--try", statement);
    }
    if context.project.settings.database.migrate_command.is_some() {
        return Vec::new();
    }
    let files = between(context, compared);
    files.flat_map(|migration| attribution::steps(&migration.version, &migration.sql)).collect()
}

/// The migrations after `from`, up to `to`.
fn between<'a>(context: &Context<'a>, compared: &'a Compared) -> impl Iterator<Item = &'a Migration> {
    let project: &'a crate::project::Project = context.project;
    let place = |version: &str| project.migrations.iter().position(|migration| migration.version == version);
    let from = place(&compared.from).map_or(0, |at| at + 1);
    let to = place(&compared.to).map_or(project.migrations.len(), |at| at + 1);
    project.migrations[from.min(to)..to].iter()
}

fn describe_method(method: &Method, options: &Options) -> String {
    let clones = "clones of one template on one server";
    if options.without_times {
        return format!("{clones}, plans and counters only");
    }
    let placement = match method.processor {
        Some(processor) => format!("client and backends on processor {processor}, judged by wall time"),
        None => "backends placed by the scheduler, judged by the server's own time".into(),
    };
    format!(
        "{clones}; executions in turns in random order over fresh connection pairs, the pair as the unit; {placement}"
    )
}

fn resolve(context: &Context<'_>, options: &Options) -> anyhow::Result<Option<Compared>> {
    let project = context.project;
    let settings = &project.settings.regression;
    let versions: Vec<&str> = project.migrations.iter().map(|migration| migration.version.as_str()).collect();
    let volume = volume(context, options)?;
    if let Some(statement) = &options.try_statement {
        let from = options.from.clone().or_else(|| versions.last().map(|&version| version.to_owned()));
        let from = from.context("there is no migration to try the statement on")?;
        return Ok(Some(Compared { from, to: statement.clone(), volume }));
    }
    let Some(to) = version_after(context, options) else { return Ok(None) };
    let earlier = versions.iter().position(|&version| version == to).and_then(|at| at.checked_sub(1));
    let from = options.from.clone().or_else(|| settings.from.clone());
    let from = from.or_else(|| earlier.map(|at| versions[at].to_owned()));
    Ok(from.map(|from| Compared { from, to, volume }))
}

fn schema_change<'a>(context: &Context<'a>, options: &Options, compared: &Compared) -> SchemaChange<'a> {
    if let Some(statement) = &options.try_statement {
        return SchemaChange::Statements(vec![statement.clone()]);
    }
    let migrations = between(context, compared);
    SchemaChange::of_migrations(context.databases, Some(compared.to.clone()), migrations)
}

/// The volume asked for, else the project's first.
pub(super) fn volume(context: &Context<'_>, options: &Options) -> anyhow::Result<String> {
    let first = || context.project.settings.volumes.first().map(|volume| volume.name.clone());
    let volume = options.volume.clone().or_else(first);
    volume.context("the project declares no volume; add one under [volumes] in plimsoll.toml")
}

/// The version asked for, else the project's setting, else the newest.
pub(super) fn version_after(context: &Context<'_>, options: &Options) -> Option<String> {
    let project = context.project;
    let newest = || project.migrations.last().map(|migration| migration.version.clone());
    options.to.clone().or_else(|| project.settings.regression.to.clone()).or_else(newest)
}

/// The queries asked for.
pub(super) fn wanted<'a>(context: &Context<'a>, options: &'a Options) -> impl Iterator<Item = &'a Query> {
    let project = context.project;
    project.queries.iter().filter(|query| options.queries.is_empty() || options.queries.contains(&query.name))
}

/// Sets that pull a plan in different directions, drawn from the data before the change.
pub(super) async fn parameter_sets(
    session: &Session,
    query: &Query,
    seed: u64,
) -> anyhow::Result<Vec<CaseParameters>> {
    let drawn = crate::parameters::draw_contrasting(session, query, seed).await?;
    let set = |set: crate::parameters::ParameterSet| CaseParameters { label: set.label, values: set.values };
    Ok(drawn.into_iter().map(set).collect())
}
