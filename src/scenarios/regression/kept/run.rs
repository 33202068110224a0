//! Finds both sides' plans, and has them compared.

use super::capture::{Kept, capture};
use super::compare::{Question, compare};
use crate::model::{KeptPlans, MeasurementWarning, ScenarioReport, SourceLocation};
use crate::postgres::{Error as PostgresError, Target, migrate};
use crate::prepare::Context;
use crate::project::query::Query;
use crate::scenarios::regression::cases::{Case, CaseParameters};
use crate::scenarios::regression::run::{self, Options};
use crate::scenarios::regression::sides::{self, SchemaChange};
use crate::scenarios::regression::verdict::{self, Thresholds};
use crate::scenarios::regression::{findings, write_report};
use crate::stats::clock;
use anyhow::ensure;

/// Where the side before comes from, when it is no clone.
#[derive(Debug, Clone, PartialEq)]
pub enum Other {
    /// Plans kept earlier.
    Kept(KeptPlans),
    /// The database that a URL names; only read.
    Url(String),
    /// The target itself, before it is migrated.
    InPlace,
}

/// The database that is looked at, and what it is.
struct Place {
    database: String,
    described: String,
    /// Of declared data, which are the same each time.
    is_made: bool,
}

/// The plans of the target as it is now, to be kept.
///
/// # Errors
/// The environment failed.
pub async fn keep(context: &Context<'_>, options: &Options, kept_at: &str) -> anyhow::Result<Kept> {
    let place = now(context, options).await?;
    let cases = draw(context, options, context.target, &place.database).await?;
    let cases: Vec<Case> = cases.into_iter().map(|(case, _)| case).collect();
    let kept = capture(context.target, &place.database, &cases, context.progress).await;
    leave(context, &place).await?;
    let mut kept = kept?;
    kept.plans.source = format!("{} on {kept_at}", place.described);
    kept.plans.kept_at = kept_at.to_owned();
    Ok(kept)
}

/// Compares the target as it is, or as it becomes, with another side.
///
/// # Errors
/// The environment failed, or the target may not be migrated.
pub async fn compare_with(
    context: &Context<'_>,
    options: &Options,
    other: &Other,
) -> anyhow::Result<ScenarioReport> {
    let start = clock::now();
    let place = now(context, options).await?;
    let outcome = both_sides(context, options, other, &place).await;
    let relations = run::relations_of(context.target, &place.database).await;
    leave(context, &place).await?;
    let ((before, after, cases), relations) = (outcome?, &relations?);
    let settings = &context.project.settings.regression;
    let limits = Thresholds {
        time_ratio: settings.time_ratio,
        counter_ratio: settings.counter_ratio,
        resolution: verdict::RESOLUTION,
    };
    let is_same_data = match other {
        Other::Kept(_) => place.is_made,
        Other::Url(_) => false,
        Other::InPlace => true,
    };
    let question = Question { cases: &cases, limits, relations, is_same_data };
    let mut found = compare(&before.plans, &after.plans, &question);
    found.evidence.method = "plans and counters of one execution on each side, one after the other; no times, for \
                             two moments or two servers differ by more than a query does, and rows are not compared"
        .into();
    let known = |query: &str| before.left_out.iter().any(|(known, _)| known == query);
    let also = after.left_out.iter().filter(|(query, _)| !known(query));
    let left_out = before.left_out.iter().chain(also);
    found.warnings.extend(left_out.map(|(query, reason)| MeasurementWarning::Other {
        code: "not-compared",
        message: format!("{query} was not compared: {reason}"),
    }));
    found.warnings.push(MeasurementWarning::Other {
        code: "no-clones",
        message:
            "the sides are no clones of one template: a slowdown by time alone and other rows are not seen"
                .into(),
    });
    Ok(write_report::report(&found, &limits, clock::elapsed_us(start)))
}

type Cases = Vec<(Case, SourceLocation)>;

async fn both_sides(
    context: &Context<'_>,
    options: &Options,
    other: &Other,
    place: &Place,
) -> anyhow::Result<(Kept, Kept, Cases)> {
    let (target, progress) = (context.target, context.progress);
    let of = |cases: &Cases| cases.iter().map(|(case, _)| case.clone()).collect::<Vec<_>>();
    let (mut before, cases) = match other {
        Other::Kept(plans) => {
            let cases = as_kept(context, options, plans);
            (Kept { plans: plans.clone(), left_out: vec![] }, cases)
        }
        Other::Url(url) => {
            let other = Target::at_url(url).await?;
            let cases = draw(context, options, &other, other.database()).await?;
            let mut kept = capture(&other, other.database(), &of(&cases), progress).await?;
            kept.plans.source = format!("database {} of --before-url", other.database());
            other.close().await?;
            (kept, cases)
        }
        Other::InPlace => {
            let cases = draw(context, options, target, &place.database).await?;
            let kept = capture(target, &place.database, &of(&cases), progress).await?;
            migrate_target(context, options, &place.database).await?;
            (kept, cases)
        }
    };
    let mut after = capture(target, &place.database, &of(&cases), progress).await?;
    if *other == Other::InPlace {
        before.plans.source = format!("{} before its migration", place.described);
        after.plans.source = "after it".into();
    } else {
        after.plans.source = format!("{} now", place.described);
    }
    Ok((before, after, cases))
}

/// Migrates the target itself, which must be marked as one that may be changed.
async fn migrate_target(context: &Context<'_>, options: &Options, database: &str) -> anyhow::Result<()> {
    let project = context.project;
    context.target.require_change(database)?;
    let to = run::version_after(context, options);
    let session = context.target.connect_to(database).await?;
    let applied = migrate::applied_versions(&session).await?;
    drop(session);
    if let Some(to) = &to {
        ensure!(
            !applied.contains(to),
            "database {database} is at version {to} already, so there is nothing to migrate; name a later one with --to"
        );
    }
    let pending = project.migrations.iter().filter(|migration| !applied.contains(&migration.version));
    let change = SchemaChange::of_migrations(context.databases, to, pending);
    sides::apply(context.target, database, &change).await?;
    Ok(())
}

/// The target as it is; on a server of our own, what the project declares.
async fn now(context: &Context<'_>, options: &Options) -> anyhow::Result<Place> {
    let target = context.target;
    if !target.is_ours() {
        let database = target.database().to_owned();
        return Ok(Place { described: format!("database {database}"), database, is_made: false });
    }
    let volume = run::volume(context, options)?;
    let last = context.project.migrations.last().map(|migration| migration.version.clone());
    let version = options.to.clone().or(last).unwrap_or_else(|| "head".into());
    let template = match &options.to {
        Some(to) => context.databases.at(to, &volume).await?,
        None => context.databases.at_head(&volume).await?,
    };
    let database = target.clone_database(&template, "now").await?;
    let session = target.connect_to(&database).await?;
    session.batch_execute("VACUUM (ANALYZE)").await.map_err(PostgresError::from)?;
    Ok(Place { database, described: format!("version {version} at volume {volume}"), is_made: true })
}

async fn leave(context: &Context<'_>, place: &Place) -> anyhow::Result<()> {
    if place.is_made {
        context.target.drop_database(&place.database).await?;
    }
    Ok(())
}

/// Every query with parameters drawn from the data.
async fn draw(
    context: &Context<'_>,
    options: &Options,
    target: &Target,
    database: &str,
) -> anyhow::Result<Cases> {
    let session = target.connect_to(database).await?;
    let mut cases = Vec::new();
    for query in run::wanted(context, options) {
        let sets = run::parameter_sets(&session, query, context.seed).await?;
        cases.push((Case::new(query, sets), findings::location(query)));
    }
    Ok(cases)
}

/// Every query with the parameters that were kept; one that was not kept, with none.
fn as_kept(context: &Context<'_>, options: &Options, plans: &KeptPlans) -> Cases {
    let case = |query: &Query| {
        let kept = plans.queries.iter().find(|kept| kept.query == query.name);
        let sets = kept.map(|kept| {
            kept.sets
                .iter()
                .map(|set| CaseParameters { label: set.label.clone(), values: set.values.clone() })
        });
        let sets = sets.map(Iterator::collect).unwrap_or_default();
        (Case::new(query, sets), findings::location(query))
    };
    run::wanted(context, options).map(case).collect()
}
