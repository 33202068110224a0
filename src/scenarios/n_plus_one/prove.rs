//! Both forms of a child, tried against the database in a read-only
//! transaction: the same rows, and what each costs.

use super::batch::{Batch, Child};
use super::detect::ArgumentSet;
use super::effects::only_reads;
use super::keys::{KeySource, Keys, key_source};
use super::origin::{Located, Origin};
use super::trial::Trial;
use crate::model::evidence::n_plus_one::{BatchProof, BatchRefusal, FormCost, LoopGroup};
use crate::postgres::{Session, quote_identifier};
use crate::stats::clock;
use crate::stats::quantile::median;
use std::collections::BTreeMap;
use std::time::Instant;
use tokio_postgres::types::{FromSql, Type};
use tokio_postgres::{Row, Statement};

/// Each form is timed this often at most, in turns; the median counts.
pub(super) const ROUNDS: usize = 5;
/// How long a child may be asked for different keys, in microseconds; the forms are tried with those.
const ASKING_US: f64 = 400_000.0;
/// Another round is begun only where there is time for so many: EXPLAIN comes after the last one.
pub(super) const ROUNDS_AHEAD: f64 = 3.0;

/// Tries to batch a loop's child, until `ends`. `samples` are arguments it was asked with,
/// where the trace keeps them; else keys come from the parent's own columns.
pub(super) async fn prove(
    session: &Session,
    ends: Instant,
    group: &LoopGroup,
    samples: &[ArgumentSet],
    origin: &Origin<'_>,
) -> Result<BatchProof, BatchRefusal> {
    let refuse = |reason: String| BatchRefusal { fingerprint: group.fingerprint.clone(), reason };
    let child = Child::parse(&group.child.text).map_err(refuse)?;
    let refuse = |reason: String| BatchRefusal { fingerprint: group.fingerprint.clone(), reason };
    let source = key_source(group, samples, origin).map_err(refuse)?;
    let result = try_guarded(session, ends, group, child, source, origin).await;
    result.map_err(|error| BatchRefusal {
        fingerprint: group.fingerprint.clone(),
        reason: format!("{error:#}"),
    })
}

async fn try_guarded(
    session: &Session,
    ends: Instant,
    group: &LoopGroup,
    child: Child,
    source: KeySource,
    origin: &Origin<'_>,
) -> anyhow::Result<BatchProof> {
    let located = origin.locate(session, group).await?;
    let mut statements = vec![child.sql()];
    if let KeySource::Columns(columns) = &source {
        statements.push(&columns.sql);
    }
    only_reads(session, &statements).await?;
    let mut trial = Trial::begin(session, ends).await?;
    let proof = try_child(&mut trial, session, group, child, source, &located).await;
    trial.end().await?;
    proof
}

async fn try_child(
    trial: &mut Trial<'_>,
    session: &Session,
    group: &LoopGroup,
    child: Child,
    source: KeySource,
    located: &Located,
) -> anyhow::Result<BatchProof> {
    let keys = match source {
        KeySource::Kept(keys) => keys,
        KeySource::Columns(columns) => {
            located.check_keys(session, &trial.prepare(&columns.columns_sql).await?).await?;
            columns.keys(trial).await?
        }
    };
    let child = match keys.limit {
        None => child,
        Some(limit) => child.without_limit(limit).ok_or_else(|| {
            anyhow::anyhow!("its other values are not in the trace: record with --keep-values")
        })?,
    };
    let forms = child.batch(&keys.positions).map_err(anyhow::Error::msg)?;
    let child = trial.prepare(&forms.child_sql).await?;
    located.check_child(session, &child).await?;
    try_both(trial, group, &forms, &child, keys).await
}

async fn try_both(
    trial: &mut Trial<'_>,
    group: &LoopGroup,
    forms: &Batch,
    child: &Statement,
    mut keys: Keys,
) -> anyhow::Result<BatchProof> {
    let types: Vec<&str> = child.params().iter().map(Type::name).collect();
    let batched_sql = with_types(&forms.batched_sql, &types);
    let batched = trial.prepare(&batched_sql).await?;
    let mut round = Round { child, types: &types, lists: keys.lists() };
    let asked = round.ask(trial, &keys, ASKING_US).await?.len();
    keys.sets.truncate(asked);
    round.lists = keys.lists();
    trial.expect_few_rows(&batched_sql, &round.lists).await?;
    let (mut looped_us, mut batched_us) = (Vec::new(), Vec::new());
    let (mut looped_rows, mut batched_rows) = (Rows::new(), Rows::new());
    for done in 0..ROUNDS {
        let start = clock::now();
        trial.forget();
        let answers = round.ask(trial, &keys, f64::INFINITY).await?;
        looped_us.push(clock::elapsed_us(start));
        anyhow::ensure!(
            keys.limit.is_none() || answers.iter().all(|(_, rows)| rows.len() <= 1),
            "its LIMIT is not in the trace and cuts rows off: record with --keep-values"
        );
        let batched_start = clock::now();
        let rows = trial.query(&batched, &round.lists).await?;
        batched_us.push(clock::elapsed_us(batched_start));
        looped_rows.clear();
        for (key, rows) in &answers {
            add(&mut looped_rows, key, rows, 0);
        }
        batched_rows.clear();
        let by_key = round.key_names(trial, &keys, &rows).await?;
        for (row, key) in rows.iter().zip(by_key) {
            add(&mut batched_rows, &key, std::slice::from_ref(row), keys.positions.len());
        }
        anyhow::ensure!(
            done > 0
                || has_something(&looped_rows, forms.is_lateral)
                || has_something(&batched_rows, forms.is_lateral),
            "there are no rows to compare: its {} values find nothing now, as where the rows were rolled back or removed",
            keys.sets.len()
        );
        if !trial.has_time(clock::elapsed_us(start), ROUNDS_AHEAD) {
            break;
        }
    }
    let mut looped_buffers = 0;
    for set in &keys.sets {
        looped_buffers += trial.buffers(&forms.child_sql, set).await?;
    }
    let count = |rows: &Rows| rows.values().sum::<u64>();
    Ok(BatchProof {
        fingerprint: group.fingerprint.clone(),
        same_rows: looped_rows == batched_rows,
        looped: FormCost {
            round_trips: keys.sets.len() as u64,
            time_us: median_of(&looped_us),
            buffers: looped_buffers,
            rows: count(&looped_rows),
        },
        batched: FormCost {
            round_trips: 1,
            time_us: median_of(&batched_us),
            buffers: trial.buffers(&batched_sql, &round.lists).await?,
            rows: count(&batched_rows),
        },
        batched_sql,
        values: keys.sets.len() as u64,
    })
}

/// Whether equal rows prove something. What is asked per key in any case, such as a count, has a row
/// also where there is nothing.
fn has_something(rows: &Rows, is_lateral: bool) -> bool {
    let is_blank =
        |value: &Option<Vec<u8>>| value.as_ref().is_none_or(|bytes| bytes.iter().all(|byte| *byte == 0));
    rows.keys().any(|(_, values)| !is_lateral || !values.iter().all(is_blank))
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
        let values = (skip..row.len()).map(|at| bytes(row, at).map(<[u8]>::to_vec)).collect();
        *rows.entry((key.to_vec(), values)).or_default() += 1;
    }
}

/// The bytes of a value; none is NULL.
pub(super) fn bytes(row: &Row, at: usize) -> Option<&[u8]> {
    let raw: Option<RawValue<'_>> = row.try_get(at).unwrap_or(None);
    raw.map(|raw| raw.0)
}

/// What a round of both forms takes.
struct Round<'a> {
    child: &'a Statement,
    /// Of the child's parameters.
    types: &'a [&'a str],
    lists: ArgumentSet,
}

impl Round<'_> {
    /// The child for each key, as long as that takes no longer.
    async fn ask(
        &self,
        trial: &mut Trial<'_>,
        keys: &Keys,
        longest_us: f64,
    ) -> anyhow::Result<Vec<(Vec<String>, Vec<Row>)>> {
        let start = clock::now();
        let mut answers = Vec::with_capacity(keys.sets.len());
        for set in &keys.sets {
            if answers.len() >= 2 && clock::elapsed_us(start) > longest_us {
                break;
            }
            answers.push((keys.key(set), trial.query(self.child, set).await?));
        }
        Ok(answers)
    }

    /// The keys of every batched row as text: the server prints the bytes that it sent.
    async fn key_names(
        &self,
        trial: &mut Trial<'_>,
        keys: &Keys,
        rows: &[Row],
    ) -> anyhow::Result<Vec<Vec<String>>> {
        let mut names = vec![Vec::new(); rows.len()];
        for (column, position) in keys.positions.iter().enumerate() {
            let kind = self.types.get(*position).copied().unwrap_or("text");
            let printed = format!("SELECT k, k::{} FROM unnest($1::text[]) k", quote_identifier(kind));
            let printed = trial.prepare(&printed).await?;
            let mut known: BTreeMap<Vec<u8>, String> = BTreeMap::new();
            for row in trial.query(&printed, &[keys.list(*position)]).await? {
                let raw: RawValue<'_> = row.try_get(1)?;
                known.insert(unpadded(raw.0, kind).to_vec(), row.try_get(0)?);
            }
            for (row, names) in rows.iter().zip(&mut names) {
                let raw: RawValue<'_> = row.try_get(column)?;
                let name = known.get(unpadded(raw.0, kind)).cloned();
                names.push(name.ok_or_else(|| {
                    anyhow::anyhow!("its {kind} keys are stored in another notation than they are asked for in, so that its rows cannot be told apart by them")
                })?);
            }
        }
        Ok(names)
    }
}

/// A key of char(n) without the blanks that fill it up: they mean nothing in a comparison.
fn unpadded<'k>(key: &'k [u8], kind: &str) -> &'k [u8] {
    let end = key.iter().rposition(|byte| *byte != b' ').map_or(0, |at| at + 1);
    if kind == "bpchar" { &key[..end] } else { key }
}

/// The median of rounds, of which there is at least one.
pub(super) fn median_of(times_us: &[f64]) -> f64 {
    median(times_us).unwrap_or(0.0)
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
