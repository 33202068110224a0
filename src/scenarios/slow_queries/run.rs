//! The scenario's input and output: databases, explaining, sampling, and the
//! report as it grows.

use super::Options;
use super::assembly::{MeasuredVolume, Report};
use super::changes::{Now, compare};
use super::counters::{Caps, explain_set};
use super::coverage::Coverage;
use super::deciding::deciding_set;
use super::growth::{VolumeRecords, growth};
use super::plan::MeasuringPlan;
use super::reason::index_candidate;
use super::record::{Latencies, QueryRecord};
use super::sampling::Sampling;
use super::sources::{self, Subject};
use super::summary::{doubts, saturated, too_few};
use super::trial::{suppose_index, try_index};
use super::unlike::unlike_data;
use super::verdict::{decide_all, judge};
use super::workload::PreparedQuery;
use crate::model::evidence::data::ObtainedColumn;
use crate::model::evidence::slow_queries::{IndexTrial, TableSize};
use crate::model::{MeasurementWarning, ScenarioReport, TargetKind, Verdict};
use crate::parameters::{self, ParameterSet};
use crate::plan::Plan;
use crate::postgres::{TableExtent, create_hypopg, physical, table_extents};
use crate::prepare::Context;
use crate::project::query::Query;
use crate::project::settings::Volume;
use crate::stats::clock;
use anyhow::{Context as _, bail};
use std::sync::Arc;

/// Asks whether every query stays within its budgets.
///
/// # Errors
/// A volume or query is unknown, a database cannot be made ready, or the
/// server is lost. A query that fails or is over budget is a result.
pub async fn run(context: &Context<'_>, options: &Options) -> anyhow::Result<ScenarioReport> {
    let start = clock::now();
    let declared = if options.with_declared {
        chosen_queries(&context.project.queries, &options.queries)?
    } else {
        Vec::new()
    };
    let mut subjects: Vec<Subject> = declared.into_iter().map(Subject::declared).collect();
    subjects.extend(sources::find(context, options).await?);
    let queries: Vec<&Query> = subjects.iter().map(|subject| &subject.query).collect();
    let volumes = chosen_volumes(context, &options.volumes)?;
    let plan = MeasuringPlan::new(context, options, &queries, &volumes);
    if plan.cold {
        context.target.require_empty_caches(context.target.database()).await?;
    }
    let mut report = Report::new(&plan);
    report.warnings.extend(durability_warnings(context));
    let mut records: Vec<(f64, Vec<QueryRecord>)> = Vec::new();
    for volume in &volumes {
        let measured = measure_volume(context, options, &plan, volume, &subjects).await?;
        report.add(volume, &measured);
        records.push((volume.factor, measured.records));
        let so_far: Vec<VolumeRecords<'_>> =
            records.iter().map(|(factor, records)| VolumeRecords { factor: *factor, records }).collect();
        report.evidence.growth = growth(&so_far, 0.95);
        (context.checkpoint)(&report.finish(clock::now().duration_since(start)));
    }
    Ok(report.finish(clock::now().duration_since(start)))
}

fn chosen_queries<'a>(all: &'a [Query], names: &[String]) -> anyhow::Result<Vec<&'a Query>> {
    if let Some(unknown) = names.iter().find(|name| all.iter().all(|query| query.name != **name)) {
        let known: Vec<&str> = all.iter().map(|query| query.name.as_str()).collect();
        bail!("there is no query named {unknown}; the project has {}", known.join(", "));
    }
    Ok(all.iter().filter(|query| names.is_empty() || names.contains(&query.name)).collect())
}

fn chosen_volumes(context: &Context<'_>, names: &[String]) -> anyhow::Result<Vec<Volume>> {
    let all = &context.project.settings.volumes;
    let mut chosen: Vec<Volume> = if names.is_empty() {
        all.iter().take(1).cloned().collect()
    } else {
        let find = |name: &String| {
            all.iter().find(|volume| volume.name == *name).cloned().with_context(|| {
                let known: Vec<&str> = all.iter().map(|volume| volume.name.as_str()).collect();
                format!("there is no volume named {name}; the project has {}", known.join(", "))
            })
        };
        names.iter().map(find).collect::<anyhow::Result<_>>()?
    };
    chosen.sort_by(|a, b| a.factor.total_cmp(&b.factor));
    Ok(chosen)
}

fn durability_warnings(context: &Context<'_>) -> Vec<MeasurementWarning> {
    let durability = &context.target.description().durability;
    let mut off = Vec::new();
    if !durability.fsync {
        off.push("fsync=off".to_owned());
    }
    if durability.synchronous_commit == "off" {
        off.push("synchronous_commit=off".to_owned());
    }
    if !durability.full_page_writes {
        off.push("full_page_writes=off".to_owned());
    }
    off.into_iter().map(|setting| MeasurementWarning::DurabilityOff { setting }).collect()
}

async fn measure_volume(
    context: &Context<'_>,
    options: &Options,
    plan: &MeasuringPlan,
    volume: &Volume,
    subjects: &[Subject],
) -> anyhow::Result<MeasuredVolume> {
    let is_precious = context.target.description().kind == TargetKind::Precious;
    let template = if is_precious {
        context.target.database().to_owned()
    } else {
        context.databases.at_head(&volume.name).await?
    };
    let database = if is_precious {
        template.clone()
    } else {
        context.target.clone_database(&template, &format!("slow {}", volume.name)).await?
    };
    let outcome = measure_database(context, options, plan, volume, subjects, &template, &database).await;
    if !is_precious {
        context.target.drop_database(&database).await?;
    }
    outcome
}

async fn measure_database(
    context: &Context<'_>,
    options: &Options,
    plan: &MeasuringPlan,
    volume: &Volume,
    subjects: &[Subject],
    template: &str,
    database: &str,
) -> anyhow::Result<MeasuredVolume> {
    if plan.cold {
        context.target.require_empty_caches(database).await?;
    }
    let prepared = prepare(context, options, plan, volume, subjects, database).await?;
    let relations = physical::relations(&context.target.connect_to(database).await?).await?;
    let mut sampling = Sampling::new(context, plan, template, database, prepared, relations)?;
    sampling.explain(context, plan).await?;
    sampling.sample_all(context, plan).await?;
    if options.hash_results {
        sampling.hash_results(context, plan).await?;
    }
    sampling.drop_own_databases(context).await?;
    let mut measured = MeasuredVolume {
        records: Vec::new(),
        queries: Vec::new(),
        findings: Vec::new(),
        cpu_share: sampling.cpu.as_secs_f64() / sampling.wall.as_secs_f64().max(1e-9),
        cpu_per_execution_us: sampling.cpu.as_secs_f64() * 1e6 / sampling.executions.max(1) as f64,
        ping: Latencies::default(),
        warnings: sampling.warnings.clone(),
        tables: table_sizes(context, database, &sampling.records).await?,
        data: data(context, volume, database).await?,
    };
    measured.warnings.extend(measured.data.iter().filter_map(unlike_declared));
    let mut coverage = Coverage::default();
    for (record, query) in sampling.records.iter_mut().zip(&sampling.queries) {
        let trial = investigate(
            context,
            options,
            plan,
            template,
            database,
            record,
            query,
            &sampling.ping,
            &mut measured.warnings,
        )
        .await;
        let trial = match trial {
            Ok(trial) => trial,
            Err(error) => {
                measured.warnings.push(MeasurementWarning::Other {
                    code: "no-index-trial",
                    message: format!("no index could be tried for {}: {error:#}", query.name),
                });
                None
            }
        };
        let mut judged = judge(record, &sampling.ping, plan.schedule.confidence, trial);
        if let Some(baseline) = &options.baseline {
            let version = &context.target.description().server_version;
            let now = Now { volume: &volume.name, server_version: version, tables: &measured.tables };
            coverage.add(&judged.evidence, compare(baseline, now, &judged.evidence, &mut judged.findings));
            judged.take_findings_into_account();
        }
        judged.findings.extend(sources::note(&judged.evidence));
        measured.warnings.extend(unlike_data(record, &measured.tables));
        if matches!(judged.evidence.verdict, Verdict::Inconclusive { .. }) {
            measured.warnings.extend(too_few(record, plan.schedule.confidence));
            measured.warnings.extend(saturated(record));
        }
        measured.queries.push(judged.evidence);
        measured.findings.extend(judged.findings);
    }
    if let Some(baseline) = &options.baseline {
        measured.warnings.extend(coverage.warning(baseline, &volume.name));
        measured.findings.extend(coverage.judge(&volume.name, &mut measured.queries));
    }
    measured.warnings.extend(doubts(&sampling.ping, measured.cpu_share, cfg!(debug_assertions)));
    measured.records = sampling.records;
    measured.ping = sampling.ping;
    Ok(measured)
}

/// What was declared and what the database holds. Asked last: reading whole tables warms caches.
async fn data(context: &Context<'_>, volume: &Volume, database: &str) -> anyhow::Result<Vec<ObtainedColumn>> {
    if context.target.description().kind == TargetKind::Precious {
        return Ok(Vec::new());
    }
    Ok(context.databases.obtained(database, &volume.name).await?)
}

fn unlike_declared(column: &ObtainedColumn) -> Option<MeasurementWarning> {
    let message = column.difference()? + ": look for triggers and defaults that change the data";
    Some(MeasurementWarning::Other { code: "data-unlike-declared", message })
}

/// The tables that the plans read.
async fn table_sizes(
    context: &Context<'_>,
    database: &str,
    records: &[QueryRecord],
) -> anyhow::Result<Vec<TableSize>> {
    let plans = records.iter().flat_map(|record| &record.explained).flat_map(|set| &set.plans);
    let nodes = plans.flat_map(|plan| plan.walk()).map(|visit| visit.node);
    let mut names: Vec<(Option<String>, String)> =
        nodes.filter_map(|node| Some((node.schema.clone(), node.relation.clone()?))).collect();
    names.sort();
    names.dedup();
    let session = context.target.connect_to(database).await?;
    let extents = table_extents(&session, &names).await?;
    let size = |extent: TableExtent| TableSize { table: extent.name, rows: extent.rows, bytes: extent.bytes };
    Ok(extents.into_iter().map(size).collect())
}

async fn prepare(
    context: &Context<'_>,
    options: &Options,
    plan: &MeasuringPlan,
    volume: &Volume,
    subjects: &[Subject],
    database: &str,
) -> anyhow::Result<Vec<Arc<PreparedQuery>>> {
    let session = context.target.connect_to(database).await?;
    let mut prepared = Vec::with_capacity(subjects.len());
    for subject in subjects {
        let query = &subject.query;
        let count = if query.parameters.is_empty() { 1 } else { options.parameter_sets.max(1) };
        let (sets, unfit) = match (&subject.unfit, &subject.sets) {
            (Some(reason), _) => (Vec::new(), Some(reason.clone())),
            (None, Some(sets)) => (sets.clone(), None),
            (None, None) => match parameters::draw(&session, query, context.seed, count).await {
                Ok(sets) => (subject.in_order(sets), None),
                Err(error) if subject.origin.is_some() => (Vec::new(), Some(error.to_string())),
                Err(error) => return Err(error.into()),
            },
        };
        let mut ready = PreparedQuery::new(subject, &volume.name, plan.all_cold, sets);
        ready.unfit = unfit;
        prepared.push(Arc::new(ready));
    }
    Ok(prepared)
}

/// For a query with a broken budget: the plans of the parameter set that broke
/// it once more with the time of every node, beside those that decided, and an
/// index tried on a clone.
#[expect(clippy::too_many_arguments, reason = "everything known of one query at the end of its volume")]
async fn investigate(
    context: &Context<'_>,
    options: &Options,
    plan: &MeasuringPlan,
    template: &str,
    database: &str,
    record: &mut QueryRecord,
    query: &PreparedQuery,
    ping: &Latencies,
    warnings: &mut Vec<MeasurementWarning>,
) -> anyhow::Result<Option<IndexTrial>> {
    let decided = decide_all(record, ping, plan.schedule.confidence);
    let is_broken = decided.iter().any(|budget| budget.verdict == Verdict::Fail);
    let Some(position) = deciding_set(record, &decided).filter(|_| is_broken) else { return Ok(None) };
    // Sets are explained in their order, from the first.
    let Some(set) = query.sets.get(position) else { return Ok(None) };
    let caps = plan.caps(context);
    record.explained[position].timed =
        explain_timed(context, template, database, record, query, set, caps).await?;
    let explained = &record.explained[position];
    let found = index_candidate(explained, &record.relations);
    let read: u64 =
        explained.timed.iter().filter_map(|plan| plan.totals().buffers).map(|b| b.shared_read).sum();
    // The clone of a write is new.
    if read > 0 && !record.cold && !record.writes {
        warnings.push(MeasurementWarning::ColdCache { subject: query.name.clone() });
    }
    let session = context.target.connect_to(database).await?;
    match found {
        Some(found) if options.suppose_indexes || options.try_indexes && !caps.may_write => {
            if caps.may_write {
                create_hypopg(&session).await?;
            }
            Ok(suppose_index(&session, &found, query, set).await?)
        }
        Some(found) if options.try_indexes => {
            context.progress.say(&format!("{}: trying {} on a clone", query.name, found.create_index(None)));
            Ok(Some(try_index(context.target, template, &found, query, set, record.writes, caps).await?))
        }
        _ => Ok(None),
    }
}

/// The plans of a set with the time of every node; in a clone where it writes.
async fn explain_timed(
    context: &Context<'_>,
    template: &str,
    database: &str,
    record: &QueryRecord,
    query: &PreparedQuery,
    set: &ParameterSet,
    caps: Caps,
) -> anyhow::Result<Vec<Plan>> {
    let target = context.target;
    let clone = if record.writes { Some(target.clone_database(template, "timed").await?) } else { None };
    let session = target.connect_to(clone.as_deref().unwrap_or(database)).await?;
    let plans = explain_set(&session, query, set, record.writes, true, caps).await;
    drop(session);
    if let Some(clone) = clone {
        target.drop_database(&clone).await?;
    }
    Ok(plans?)
}
