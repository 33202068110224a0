//! Queries that no file declares: what the server counted as its most expensive
//! statements, and what a trace recorded. Each becomes a query with parameters
//! and the project's default budgets, or is named with the reason why not.

mod compared;
mod computed;
mod infer;
mod notes;
mod recorded;

pub(super) use notes::note;

use super::Options;
use crate::model::TargetKind;
use crate::model::evidence::slow_queries::StatementOrigin;
use crate::parameters::ParameterSet;
use crate::plan::Plan;
use crate::postgres::{
    self, ExplainOptions, GenericPlan, Session, TopStatements, generic_plan, top_statements,
    volatile_functions,
};
use crate::prepare::Context;
use crate::project::query::{Parameter, ParameterSource, Query};
use crate::sql::calls::called;
use crate::sql::lexer::{TokenKind, tokens};
use crate::sql::shape::shape;
use crate::sql::statement::{StatementKind, split_statements, statement_kind};
use crate::trace;
use anyhow::{Context as _, bail};
use infer::{Known, cut, infer, parameter_name};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use std::path::Path;

/// Shapes of a trace measured, at most; those that took most time.
const SHAPES_MAX: usize = 50;
/// Statements looked at to find those asked for among the others, such as SET and COMMIT.
const STATEMENTS_MAX: u32 = 5000;
/// Executions read of a trace.
const RECORDS_MAX: usize = 1_000_000;

/// A query to measure.
#[derive(Debug, Clone)]
pub(super) struct Subject {
    /// Its statements and budgets.
    pub(super) query: Query,
    /// Parameter sets that are known already; else they are drawn.
    pub(super) sets: Option<Vec<ParameterSet>>,
    /// Positions of parameters that are the lower and the upper end of one range.
    pub(super) ranges: Vec<(usize, usize)>,
    /// Where it comes from, where no file declares it.
    pub(super) origin: Option<StatementOrigin>,
    /// Why it cannot be executed.
    pub(super) unfit: Option<String>,
}

impl Subject {
    /// One declared in a file.
    pub(super) fn declared(query: &Query) -> Self {
        Self { query: query.clone(), sets: None, ranges: Vec::new(), origin: None, unfit: None }
    }

    /// Drawn sets with the ends of ranges in their order: a range the wrong way round holds no row.
    pub(super) fn in_order(&self, sets: Vec<ParameterSet>) -> Vec<ParameterSet> {
        if self.ranges.is_empty() {
            return sets;
        }
        let ordered = |mut set: ParameterSet| {
            for &(low, high) in &self.ranges {
                if is_above(set.values[low].as_deref(), set.values[high].as_deref()) {
                    set.values.swap(low, high);
                }
            }
            ParameterSet::of(&self.query, set.values, "sample")
        };
        sets.into_iter().map(ordered).collect()
    }
}

/// Numbers by value; dates and texts as they are written.
fn is_above(low: Option<&str>, high: Option<&str>) -> bool {
    let (Some(low), Some(high)) = (low, high) else { return false };
    match (low.parse::<f64>(), high.parse::<f64>()) {
        (Ok(low), Ok(high)) => low > high,
        _ => low > high,
    }
}

/// A statement that somebody asked, before it can be asked again.
struct Found {
    /// With `$n`.
    sql: String,
    origin: StatementOrigin,
    rows: u64,
    /// The values of its executions, where they are known.
    values: Vec<Vec<Option<String>>>,
    unfit: Option<String>,
}

/// The statements that the options ask for.
///
/// # Errors
/// The view or the trace cannot be read; the message says what to do.
pub(super) async fn find(context: &Context<'_>, options: &Options) -> anyhow::Result<Vec<Subject>> {
    if options.from_statements.is_none() && options.trace.is_none() {
        return Ok(Vec::new());
    }
    let volume = context.project.settings.volumes.first().map_or("small", |volume| volume.name.as_str());
    let database = context.query_database(volume).await?;
    let session = context.target.connect_to(&database).await?;
    let mut subjects = Vec::new();
    if let Some(count) = options.from_statements {
        let found = most_expensive(context).await?;
        subjects.extend(subjects_of(context, options, &session, found, count).await?);
    }
    if let Some(path) = &options.trace {
        let found = recorded_in(path)?;
        let known: Vec<String> = subjects.iter().map(|subject| subject.query.name.clone()).collect();
        let more = subjects_of(context, options, &session, found, SHAPES_MAX).await?;
        subjects.extend(more.into_iter().filter(|subject| !known.contains(&subject.query.name)));
    }
    Ok(subjects)
}

async fn most_expensive(context: &Context<'_>) -> anyhow::Result<Vec<Found>> {
    let session = context.target.connect().await?;
    let (statements, hidden) = match top_statements(&session, STATEMENTS_MAX).await? {
        TopStatements::Known(statements, hidden) => (statements, hidden),
        TopStatements::NotCreated => bail!(
            "the database {} has no pg_stat_statements: run CREATE EXTENSION pg_stat_statements in it \
             (the server needs shared_preload_libraries = 'pg_stat_statements' and a restart for it to count)",
            context.target.database()
        ),
        TopStatements::NotLoaded => bail!(
            "pg_stat_statements counts nothing on this server: set shared_preload_libraries = 'pg_stat_statements' \
             in postgresql.conf, restart the server, and ask again after some traffic"
        ),
    };
    if hidden > 0 {
        context.progress.say(&format!(
            "{hidden} statements of other users are hidden: GRANT pg_read_all_stats to see them"
        ));
    }
    Ok(statements
        .into_iter()
        .map(|statement| Found {
            origin: StatementOrigin {
                source: "pg_stat_statements".into(),
                statement: statement.text.clone(),
                calls: statement.calls,
                mean_us: statement.mean_us,
            },
            sql: statement.text,
            rows: statement.rows,
            values: Vec::new(),
            unfit: None,
        })
        .collect())
}

fn recorded_in(path: &Path) -> anyhow::Result<Vec<Found>> {
    let trace = trace::read(path, RECORDS_MAX).with_context(|| path.display().to_string())?;
    let shapes = recorded::shapes(&trace);
    Ok(shapes
        .into_iter()
        .map(|shape| Found {
            origin: StatementOrigin {
                source: path.display().to_string(),
                statement: shape.sql.clone(),
                calls: shape.calls,
                mean_us: shape.total_us / shape.calls.max(1) as f64,
            },
            sql: shape.sql,
            rows: shape.rows,
            values: shape.values,
            unfit: shape.is_cut.then(|| "the trace holds only the beginning of its text".into()),
        })
        .collect())
}

/// The first `count` statements that ask for rows of tables.
async fn subjects_of(
    context: &Context<'_>,
    options: &Options,
    session: &Session,
    found: Vec<Found>,
    count: usize,
) -> anyhow::Result<Vec<Subject>> {
    let mut subjects: Vec<Subject> = Vec::new();
    for statement in found {
        if subjects.len() == count {
            break;
        }
        let kind = statement_kind(&statement.sql);
        // Nearly always asked by a tool, as by this one.
        let names_catalogue = statement.sql.contains("pg_catalog.");
        if names_catalogue
            || !matches!(kind, StatementKind::Read | StatementKind::LockingRead | StatementKind::Write)
            || split_statements(&statement.sql).len() != 1
        {
            continue;
        }
        let subject = subject(context, options, session, statement, kind).await?;
        let is_new = |subject: &Subject| subjects.iter().all(|known| known.query.name != subject.query.name);
        subjects.extend(subject.filter(is_new));
    }
    Ok(subjects)
}

/// `None` for what reads no table, or only the catalogue's.
async fn subject(
    context: &Context<'_>,
    options: &Options,
    session: &Session,
    statement: Found,
    kind: StatementKind,
) -> anyhow::Result<Option<Subject>> {
    let is_precious = context.target.description().kind == TargetKind::Precious;
    let hash = shape(&statement.sql).hash;
    let verb = tokens(&statement.sql).find(|token| token.kind == TokenKind::Word);
    let verb = verb.map_or("statement", |token| token.text(&statement.sql)).to_lowercase();
    let unfit = |reason: String, table: &str, origin: StatementOrigin| Subject {
        query: query(&verb, table, hash, Vec::new(), Vec::new()),
        sets: None,
        ranges: Vec::new(),
        origin: Some(origin),
        unfit: Some(reason),
    };
    if let Some(reason) = statement.unfit {
        return Ok(Some(unfit(reason, "", statement.origin)));
    }
    let generic = match generic_plan(
        session,
        &statement.sql,
        ExplainOptions { verbose: true, ..ExplainOptions::estimate() },
    )
    .await
    {
        Ok(generic) => generic,
        Err(error) if error.server().is_some() => {
            let reason = format!("the server cannot prepare it without its values: {error}");
            return Ok(Some(unfit(reason, "", statement.origin)));
        }
        Err(error) => return Err(error.into()),
    };
    let Some(table) = table(&generic.plan) else { return Ok(None) };
    if is_precious && let Some(reason) = danger(session, &statement.sql, kind, &generic.plan).await? {
        return Ok(Some(unfit(reason, &table, statement.origin)));
    }
    let known = Known {
        sql: &statement.sql,
        rows_per_call: statement.rows as f64 / statement.origin.calls.max(1) as f64,
        writes: kind == StatementKind::Write,
    };
    let mut inferred = match (infer(known, &generic), statement.values.is_empty()) {
        (Ok(inferred), _) => inferred,
        (Err(_), false) => by_number(&statement.sql, &generic),
        (Err(reason), true) => return Ok(Some(unfit(reason, &table, statement.origin))),
    };
    if statement.values.is_empty() {
        for (at, computation) in std::mem::take(&mut inferred.computed) {
            match computed::values(session, &computation).await? {
                Ok(values) => inferred.parameters[at].source = ParameterSource::OneOf(values),
                Err(reason) => {
                    let reason =
                        format!("${} is compared with {}: {reason}", at + 1, cut(&computation.expression));
                    return Ok(Some(unfit(reason, &table, statement.origin)));
                }
            }
        }
    }
    let budgets = context.project.settings.default_budgets.clone();
    let mut query = query(&verb, &table, hash, vec![inferred.sql], inferred.parameters);
    query.budgets = budgets;
    let sets = (!statement.values.is_empty()).then(|| {
        let seed = context.seed ^ hash;
        chosen(statement.values, options.parameter_sets, seed)
            .into_iter()
            .map(|values| ParameterSet::of(&query, values, "recorded"))
            .collect()
    });
    Ok(Some(Subject { query, sets, ranges: inferred.ranges, origin: Some(statement.origin), unfit: None }))
}

/// Names for parameters whose values are known, so that nothing need be inferred.
fn by_number(sql: &str, generic: &GenericPlan) -> infer::Inferred {
    let parameter = |at: usize| Parameter {
        name: format!("p{}", at + 1),
        source: ParameterSource::Literal(None),
        line: 0,
    };
    let parameters: Vec<Parameter> = (0..generic.parameter_types.len()).map(parameter).collect();
    let sql = infer::with_names(sql, &parameters).unwrap_or_else(|| sql.to_owned());
    infer::Inferred { sql, parameters, ranges: Vec::new(), computed: Vec::new() }
}

/// Some of the recorded executions; a frequent one comes up as often as it was recorded.
fn chosen(mut values: Vec<Vec<Option<String>>>, count: usize, seed: u64) -> Vec<Vec<Option<String>>> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let count = count.clamp(1, values.len().max(1));
    for at in 0..count.min(values.len()) {
        let other = random.random_range(at..values.len());
        values.swap(at, other);
    }
    values.truncate(count);
    if values.windows(2).all(|pair| pair[0] == pair[1]) {
        values.truncate(1);
    }
    values
}

/// `select_orders_3f9a1c02`: the same for the same statement on every machine.
fn query(verb: &str, table: &str, hash: u64, statements: Vec<String>, parameters: Vec<Parameter>) -> Query {
    const DIGITS: usize = 8;
    let hash = format!("{hash:016x}");
    let mut name = parameter_name(verb);
    if !table.is_empty() {
        name = format!("{name}_{}", parameter_name(table));
    }
    Query {
        name: format!("{name}_{}", &hash[..DIGITS]),
        path: "pg_stat_statements".into(),
        line: 0,
        statements,
        parameters,
        is_cold: false,
        weight: 1.0,
        intermediate: Vec::new(),
        budgets: Vec::new(),
        thresholds: crate::project::query::Thresholds::default(),
    }
}

/// The first table of the user's that a plan reads or changes.
fn table(plan: &Plan) -> Option<String> {
    const SYSTEM: [&str; 3] = ["pg_catalog", "information_schema", "pg_toast"];
    let nodes = plan.walk().map(|visit| visit.node);
    nodes
        .filter(|node| !node.schema.as_deref().is_some_and(|schema| SYSTEM.contains(&schema)))
        .find_map(|node| node.relation.clone())
}

/// Why a statement is not asked again of a database that may only be read.
async fn danger(
    session: &Session,
    sql: &str,
    kind: StatementKind,
    plan: &Plan,
) -> Result<Option<String>, postgres::Error> {
    if kind != StatementKind::Read {
        return Ok(Some("it writes or locks rows and the target may only be read".into()));
    }
    let texts = plan.walk().flat_map(|visit| {
        let node = visit.node;
        let conditions = node.conditions.iter().map(|condition| condition.text.as_str());
        let keys = node.output.iter().chain(&node.sort_key).chain(&node.group_key).map(String::as_str);
        conditions.chain(keys).chain(node.source.as_deref())
    });
    let mut names: Vec<String> = std::iter::once(sql).chain(texts).flat_map(called).collect();
    names.extend(plan.walk().filter_map(|visit| visit.node.source.clone()));
    names.sort();
    names.dedup();
    let volatile = volatile_functions(session, &names).await?;
    Ok((!volatile.is_empty()).then(|| {
        format!("it calls {}, which is volatile: it could do more than read", cut(&volatile.join(", ")))
    }))
}
