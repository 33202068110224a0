//! Both forms of a child, tried against the database in a read-only
//! transaction: the same rows, and what each costs.

use super::batch::{Batch, batch};
use crate::model::evidence::n_plus_one::{BatchProof, BatchRefusal, FormCost, LoopGroup};
use crate::plan::Plan;
use crate::postgres::{ExplainOptions, Session, TextParameter, explain, quote_identifier};
use crate::stats::clock;
use std::collections::BTreeMap;
use tokio_postgres::types::{FromSql, Type};
use tokio_postgres::{Row, Statement};

/// Most keys tried; more would only cost time.
const KEYS_MAX: u64 = 50;
/// Each form is timed this often, in turns; the median counts.
const ROUNDS: usize = 5;
/// A statement that takes longer is given up.
const GUARD: &str = "BEGIN READ ONLY; SET LOCAL statement_timeout = '10s'";

/// Tries to batch a loop's child.
pub(super) async fn prove(session: &Session, group: &LoopGroup) -> Result<BatchProof, BatchRefusal> {
    let refuse = |reason: String| BatchRefusal { fingerprint: group.fingerprint.clone(), reason };
    let placeholders = super::reading::read(&group.child.text).placeholders.len();
    if placeholders != 1 {
        return Err(refuse(
            "its other values are not in the trace: record with --keep-values and try by hand".into(),
        ));
    }
    let forms = batch(&group.child.text, 0).map_err(refuse)?;
    let refuse = |reason: String| BatchRefusal { fingerprint: group.fingerprint.clone(), reason };
    let result = try_both(session, group, &forms).await;
    let rolled_back = session.batch_execute("ROLLBACK").await;
    let proof = result.map_err(|error| refuse(format!("{error:#}")))?;
    rolled_back.map_err(|error| refuse(error.to_string()))?;
    Ok(proof)
}

async fn try_both(session: &Session, group: &LoopGroup, forms: &Batch) -> anyhow::Result<BatchProof> {
    session.batch_execute(GUARD).await?;
    let keys = keys(session, group).await?;
    let child = session.prepare(&forms.child_sql).await?;
    let key_type = child.params().first().map_or("text", |kind| kind.name());
    let batched_sql = forms.batched_sql.replace("{type}", &quote_identifier(key_type));
    let batched = session.prepare(&batched_sql).await?;
    let list = [Some(array_text(&keys))];
    let (mut looped_us, mut batched_us) = (Vec::new(), Vec::new());
    let (mut looped_rows, mut batched_rows) = (Rows::new(), Rows::new());
    for _ in 0..ROUNDS {
        looped_rows.clear();
        let start = clock::now();
        let mut answers = Vec::with_capacity(keys.len());
        for key in &keys {
            answers.push((key, query(session, &child, &[Some(key.clone())]).await?));
        }
        looped_us.push(clock::elapsed_us(start));
        for (key, rows) in &answers {
            add(&mut looped_rows, key, rows, 0);
        }
        let start = clock::now();
        let rows = query(session, &batched, &list).await?;
        batched_us.push(clock::elapsed_us(start));
        batched_rows.clear();
        let by_key = key_names(session, key_type, &keys, &rows).await?;
        for (row, key) in rows.iter().zip(by_key) {
            add(&mut batched_rows, &key, std::slice::from_ref(row), 1);
        }
    }
    let mut looped_buffers = 0;
    for key in &keys {
        looped_buffers += buffers(session, &forms.child_sql, &[Some(key.clone())]).await?;
    }
    let count = |rows: &Rows| rows.values().sum::<u64>();
    Ok(BatchProof {
        fingerprint: group.fingerprint.clone(),
        same_rows: looped_rows == batched_rows,
        looped: FormCost {
            round_trips: keys.len() as u64,
            time_us: median(looped_us),
            buffers: looped_buffers,
            rows: count(&looped_rows),
        },
        batched: FormCost {
            round_trips: 1,
            time_us: median(batched_us),
            buffers: buffers(session, &batched_sql, &list).await?,
            rows: count(&batched_rows),
        },
        batched_sql,
        values: keys.len() as u64,
    })
}

/// Rows of the child by key, as bytes, each with how often it came.
type Rows = BTreeMap<(String, Vec<Option<Vec<u8>>>), u64>;

fn add(rows: &mut Rows, key: &str, answers: &[Row], skip: usize) {
    for row in answers {
        let values = (skip..row.len())
            .map(|at| {
                let raw: Option<RawValue<'_>> = row.try_get(at).unwrap_or(None);
                raw.map(|raw| raw.0.to_vec())
            })
            .collect();
        *rows.entry((key.to_owned(), values)).or_default() += 1;
    }
}

/// The key of every batched row as its text: the server prints the bytes that it sent.
async fn key_names(
    session: &Session,
    key_type: &str,
    keys: &[String],
    rows: &[Row],
) -> anyhow::Result<Vec<String>> {
    let printed = format!("SELECT k, k::{} FROM unnest($1::text[]) k", quote_identifier(key_type));
    let printed = session.prepare(&printed).await?;
    let mut names: BTreeMap<Vec<u8>, String> = BTreeMap::new();
    for row in query(session, &printed, &[Some(array_text(keys))]).await? {
        let raw: RawValue<'_> = row.try_get(1)?;
        names.insert(raw.0.to_vec(), row.try_get(0)?);
    }
    rows.iter()
        .map(|row| {
            let raw: RawValue<'_> = row.try_get(0)?;
            names
                .get(raw.0)
                .cloned()
                .ok_or_else(|| anyhow::anyhow!("the batched form returned a key that was not asked for"))
        })
        .collect()
}

/// Keys out of the parent's own column.
async fn keys(session: &Session, group: &LoopGroup) -> anyhow::Result<Vec<String>> {
    let from = group.pairs.first().and_then(|pair| pair.from.split_once('.'));
    let Some((table, column)) = from else {
        anyhow::bail!("the parent's column is not one of a table");
    };
    let (table, column) = (quote_identifier(table), quote_identifier(column));
    let limit = group.distinct_values.clamp(1, KEYS_MAX);
    let sql = format!(
        "SELECT DISTINCT {column}::text AS key FROM {table} WHERE {column} IS NOT NULL ORDER BY key LIMIT {limit}"
    );
    let rows = session.query(&sql, &[]).await?;
    anyhow::ensure!(!rows.is_empty(), "the parent's table holds no key to try with");
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

async fn query(
    session: &Session,
    statement: &Statement,
    values: &[Option<String>],
) -> Result<Vec<Row>, tokio_postgres::Error> {
    let parameters = TextParameter::all(values);
    session.query(statement, &TextParameter::references(&parameters)).await
}

async fn buffers(session: &Session, sql: &str, values: &[Option<String>]) -> anyhow::Result<u64> {
    let options =
        ExplainOptions { timing: false, settings: false, in_transaction: true, ..ExplainOptions::default() };
    let plan: Plan = explain(session, sql, values, options).await?;
    Ok(plan.totals().buffers.map_or(0, |buffers| buffers.shared()))
}

fn array_text(keys: &[String]) -> String {
    let quoted: Vec<String> =
        keys.iter().map(|key| format!("\"{}\"", key.replace('\\', "\\\\").replace('"', "\\\""))).collect();
    format!("{{{}}}", quoted.join(","))
}

fn median(mut times: Vec<f64>) -> f64 {
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
