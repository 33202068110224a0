//! Both forms of a child, tried against the database in a read-only
//! transaction: the same rows, and what each costs.

use super::batch::{Batch, Child};
use super::detect::ArgumentSet;
use super::keys::{Keys, keys};
use crate::model::evidence::n_plus_one::{BatchProof, BatchRefusal, FormCost, LoopGroup};
use crate::plan::Plan;
use crate::postgres::{ExplainOptions, Session, TextParameter, explain, quote_identifier};
use crate::stats::clock;
use std::collections::BTreeMap;
use tokio_postgres::types::{FromSql, Type};
use tokio_postgres::{Row, Statement};

/// Each form is timed this often, in turns; the median counts.
pub(super) const ROUNDS: usize = 5;
/// A statement that takes longer is given up.
pub(super) const GUARD: &str =
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = '10s'";

/// Tries to batch a loop's child. `samples` are arguments it was asked with,
/// where the trace keeps them; else keys come from the parent's own columns.
pub(super) async fn prove(
    session: &Session,
    group: &LoopGroup,
    samples: &[ArgumentSet],
) -> Result<BatchProof, BatchRefusal> {
    let refuse = |reason: String| BatchRefusal { fingerprint: group.fingerprint.clone(), reason };
    let child = Child::parse(&group.child.text).map_err(refuse)?;
    let refuse = |reason: String| BatchRefusal { fingerprint: group.fingerprint.clone(), reason };
    let result = try_guarded(session, group, child, samples).await;
    let rolled_back = session.batch_execute("ROLLBACK").await;
    let proof = result.map_err(|error| refuse(format!("{error:#}")))?;
    rolled_back.map_err(|error| refuse(error.to_string()))?;
    Ok(proof)
}

async fn try_guarded(
    session: &Session,
    group: &LoopGroup,
    child: Child,
    samples: &[ArgumentSet],
) -> anyhow::Result<BatchProof> {
    session.batch_execute(GUARD).await?;
    let keys = keys(session, group, samples).await?;
    let child = match keys.limit {
        None => child,
        Some(limit) => child.without_limit(limit).ok_or_else(|| {
            anyhow::anyhow!("its other values are not in the trace: record with --keep-values")
        })?,
    };
    let forms = child.batch(&keys.positions).map_err(anyhow::Error::msg)?;
    try_both(session, group, &forms, &keys).await
}

async fn try_both(
    session: &Session,
    group: &LoopGroup,
    forms: &Batch,
    keys: &Keys,
) -> anyhow::Result<BatchProof> {
    let child = session.prepare(&forms.child_sql).await?;
    let types: Vec<&str> = child.params().iter().map(Type::name).collect();
    let batched_sql = with_types(&forms.batched_sql, &types);
    let batched = session.prepare(&batched_sql).await?;
    let lists = keys.lists();
    let (mut looped_us, mut batched_us) = (Vec::new(), Vec::new());
    let (mut looped_rows, mut batched_rows) = (Rows::new(), Rows::new());
    for _ in 0..ROUNDS {
        looped_rows.clear();
        let start = clock::now();
        let mut answers = Vec::with_capacity(keys.sets.len());
        for set in &keys.sets {
            answers.push((keys.key(set), query(session, &child, set).await?));
        }
        looped_us.push(clock::elapsed_us(start));
        anyhow::ensure!(
            keys.limit.is_none() || answers.iter().all(|(_, rows)| rows.len() <= 1),
            "its LIMIT is not in the trace and cuts rows off: record with --keep-values"
        );
        for (key, rows) in &answers {
            add(&mut looped_rows, key, rows, 0);
        }
        let start = clock::now();
        let rows = query(session, &batched, &lists).await?;
        batched_us.push(clock::elapsed_us(start));
        batched_rows.clear();
        let by_key = key_names(session, &types, keys, &rows).await?;
        for (row, key) in rows.iter().zip(by_key) {
            add(&mut batched_rows, &key, std::slice::from_ref(row), keys.positions.len());
        }
    }
    let mut looped_buffers = 0;
    for set in &keys.sets {
        looped_buffers += buffers(session, &forms.child_sql, set).await?;
    }
    let count = |rows: &Rows| rows.values().sum::<u64>();
    Ok(BatchProof {
        fingerprint: group.fingerprint.clone(),
        same_rows: looped_rows == batched_rows,
        looped: FormCost {
            round_trips: keys.sets.len() as u64,
            time_us: median(looped_us),
            buffers: looped_buffers,
            rows: count(&looped_rows),
        },
        batched: FormCost {
            round_trips: 1,
            time_us: median(batched_us),
            buffers: buffers(session, &batched_sql, &lists).await?,
            rows: count(&batched_rows),
        },
        batched_sql,
        values: keys.sets.len() as u64,
    })
}

/// Puts in the types of the child's parameters.
fn with_types(batched_sql: &str, types: &[&str]) -> String {
    let mut sql = batched_sql.to_owned();
    for (at, kind) in types.iter().enumerate() {
        sql = sql.replace(&format!("{{type {}}}", at + 1), &quote_identifier(kind));
    }
    sql
}

/// Rows of the child by key, as bytes, each with how often it came.
type Rows = BTreeMap<(Vec<String>, Vec<Option<Vec<u8>>>), u64>;

fn add(rows: &mut Rows, key: &[String], answers: &[Row], skip: usize) {
    for row in answers {
        let values = (skip..row.len()).map(|at| bytes(row, at)).collect();
        *rows.entry((key.to_vec(), values)).or_default() += 1;
    }
}

/// The bytes of a value; none is NULL.
pub(super) fn bytes(row: &Row, at: usize) -> Option<Vec<u8>> {
    let raw: Option<RawValue<'_>> = row.try_get(at).unwrap_or(None);
    raw.map(|raw| raw.0.to_vec())
}

/// The keys of every batched row as text: the server prints the bytes that it sent.
async fn key_names(
    session: &Session,
    types: &[&str],
    keys: &Keys,
    rows: &[Row],
) -> anyhow::Result<Vec<Vec<String>>> {
    let mut names = vec![Vec::new(); rows.len()];
    for (column, position) in keys.positions.iter().enumerate() {
        let kind = types.get(*position).copied().unwrap_or("text");
        let printed = format!("SELECT k, k::{} FROM unnest($1::text[]) k", quote_identifier(kind));
        let printed = session.prepare(&printed).await?;
        let mut known: BTreeMap<Vec<u8>, String> = BTreeMap::new();
        for row in query(session, &printed, &[keys.list(*position)]).await? {
            let raw: RawValue<'_> = row.try_get(1)?;
            known.insert(raw.0.to_vec(), row.try_get(0)?);
        }
        for (row, names) in rows.iter().zip(&mut names) {
            let raw: RawValue<'_> = row.try_get(column)?;
            let name = known.get(raw.0).cloned();
            names.push(
                name.ok_or_else(|| {
                    anyhow::anyhow!("the batched form returned a key that was not asked for")
                })?,
            );
        }
    }
    Ok(names)
}

pub(super) async fn query(
    session: &Session,
    statement: &Statement,
    values: &[Option<String>],
) -> Result<Vec<Row>, tokio_postgres::Error> {
    let parameters = TextParameter::all(values);
    session.query(statement, &TextParameter::references(&parameters)).await
}

pub(super) async fn buffers(session: &Session, sql: &str, values: &[Option<String>]) -> anyhow::Result<u64> {
    let options =
        ExplainOptions { timing: false, settings: false, in_transaction: true, ..ExplainOptions::default() };
    let plan: Plan = explain(session, sql, values, options).await?;
    Ok(plan.totals().buffers.map_or(0, |buffers| buffers.shared()))
}

pub(super) fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(0.0)
}

/// The bytes of a value as they came.
struct RawValue<'a>(&'a [u8]);

impl<'a> FromSql<'a> for RawValue<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(raw))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}
