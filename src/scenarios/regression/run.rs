//! Compares every query before and after a change, side by side on clones.

use super::cases::{Case, CaseParameters};
use super::comparison::{self, Bench, Found};
use super::measure::{self, Method};
use super::sides::{self, SchemaChange, Sides};
use super::verdict::{self, Thresholds};
use super::{findings, write_report};
use crate::model::ScenarioReport;
use crate::postgres::Session;
use crate::prepare::Context;
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
    let start = clock::now();
    let compared = resolve(context, options)?;
    let change = schema_change(context, options, &compared);
    let template = context.databases.at(&compared.from, &compared.volume).await?;
    let (sides, touched) = sides::prepare(context.target, &template, &change, context.progress).await?;
    let outcome = compare_all(context, options, &compared, &sides).await;
    let dropped = sides::drop(context.target, &sides).await;
    let (found, limits) = outcome?;
    dropped?;
    let _ = touched;
    Ok(write_report::report(&found, &limits, clock::elapsed_us(start)))
}

async fn compare_all(
    context: &Context<'_>,
    options: &Options,
    compared: &Compared,
    sides: &Sides,
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
    for (done, query) in (1u64..).zip(queries) {
        let case = Case::new(query, parameter_sets(&pair.before, query, context.seed).await?);
        comparison::compare_case(&bench, &pair, &case, Some(findings::location(query)), &mut found).await?;
        context.progress.advance_to(done);
        (context.checkpoint)(&write_report::partial(&found, &limits));
    }
    Ok((found, limits))
}

fn describe_method(method: &Method, options: &Options) -> String {
    let clones = "clones of one template on one server";
    if options.without_times {
        return format!("{clones}, plans and counters only");
    }
    let placement = match method.processor {
        Some(processor) => format!("all backends on processor {processor}, judged by wall time"),
        None => "backends placed by the scheduler, judged by the server's own time".into(),
    };
    format!(
        "{clones}; executions in turns in random order over fresh connection pairs, the pair as the unit; {placement}"
    )
}

fn resolve(context: &Context<'_>, options: &Options) -> anyhow::Result<Compared> {
    let project = context.project;
    let settings = &project.settings.regression;
    let versions: Vec<&str> = project.migrations.iter().map(|migration| migration.version.as_str()).collect();
    let volume = options
        .volume
        .clone()
        .or_else(|| project.settings.volumes.first().map(|volume| volume.name.clone()))
        .context("the project declares no volume; add one under [volumes] in plimsoll.toml")?;
    if let Some(statement) = &options.try_statement {
        let from = options.from.clone().or_else(|| versions.last().map(|&version| version.to_owned()));
        let from = from.context("there is no migration to try the statement on")?;
        return Ok(Compared { from, to: statement.clone(), volume });
    }
    let to =
        options.to.clone().or_else(|| settings.to.clone()).or_else(|| versions.last().map(|&v| v.to_owned()));
    let to = to.context("there is no migration to compare; give --from and --to")?;
    let earlier = versions.iter().position(|&version| version == to).and_then(|at| at.checked_sub(1));
    let from = options.from.clone().or_else(|| settings.from.clone());
    let from = from.or_else(|| earlier.map(|at| versions[at].to_owned()));
    let from =
        from.with_context(|| format!("migration {to} has none before it to compare with; give --from"))?;
    Ok(Compared { from, to, volume })
}

fn schema_change<'a>(context: &Context<'a>, options: &Options, compared: &Compared) -> SchemaChange<'a> {
    if let Some(statement) = &options.try_statement {
        return SchemaChange::Statements(vec![statement.clone()]);
    }
    let between =
        context.project.migrations.iter().skip_while(|migration| migration.version != compared.from).skip(1);
    let mut sql = String::new();
    for migration in between {
        sql.push_str(&migration.sql);
        sql.push_str("\n;\n");
        if migration.version == compared.to {
            break;
        }
    }
    SchemaChange::Migrations { databases: context.databases, version: Some(compared.to.clone()), sql }
}

fn wanted<'a>(context: &Context<'a>, options: &'a Options) -> impl Iterator<Item = &'a Query> {
    let project = context.project;
    project.queries.iter().filter(|query| options.queries.is_empty() || options.queries.contains(&query.name))
}

async fn parameter_sets(_: &Session, query: &Query, _: u64) -> anyhow::Result<Vec<CaseParameters>> {
    anyhow::ensure!(query.parameters.is_empty(), "{} has parameters, which cannot be drawn yet", query.name);
    Ok(Vec::new())
}
