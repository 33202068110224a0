//! A loop's child joined to its parent, tried against the database in a read-only
//! transaction: what one execution of the parent and its children return, row by row.

use super::batch::{Child, Join};
use super::effects::only_reads;
use super::origin::{Located, Origin};
use super::parent::KnownParent;
use super::prove::{ROUNDS, ROUNDS_AHEAD, bytes, median_of};
use super::reading::read;
use super::trial::{ROWS_MAX, Trial};
use crate::model::evidence::n_plus_one::{BatchRefusal, FormCost, JoinProof, LoopGroup};
use crate::postgres::Session;
use crate::stats::clock;
use crate::trace::readable;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;
use tokio_postgres::{Row, Statement};

/// Rows of a parent that the loop is run over.
const PARENT_ROWS_MAX: usize = 1000;
/// Children asked before it is known how long all of them take.
const FIRST_CHILDREN: usize = 3;

/// Tries the join, until `ends`. None where it cannot be written with certainty: the batched form is
/// there without it.
pub(super) async fn prove_join(
    session: &Session,
    ends: Instant,
    group: &LoopGroup,
    parent: &KnownParent,
    origin: &Origin<'_>,
) -> Option<Result<JoinProof, BatchRefusal>> {
    let (join, is_limited) = written(&group.child.text, parent)?;
    let fingerprint = group.fingerprint.clone();
    Some(match try_guarded(session, ends, group, &join, (&parent.column, is_limited), origin).await {
        Ok(proof) => Ok(JoinProof { fingerprint, ..proof }),
        Err(error) => Err(BatchRefusal { fingerprint, reason: format!("{error:#}") }),
    })
}

async fn try_guarded(
    session: &Session,
    ends: Instant,
    group: &LoopGroup,
    join: &Join,
    (column, is_limited): (&str, bool),
    origin: &Origin<'_>,
) -> anyhow::Result<JoinProof> {
    let located = origin.locate(session, group).await?;
    only_reads(session, &[&join.parent_sql, &join.child_sql]).await?;
    let mut trial = Trial::begin(session, ends).await?;
    let proof = match prepare(&trial, session, join, column, &located).await {
        Ok(forms) => try_both(&mut trial, join, &forms, is_limited).await,
        Err(error) => Err(error),
    };
    trial.end().await?;
    proof
}

/// The join, and whether a LIMIT of the child was left out, which then must cut nothing off.
fn written(shape: &str, parent: &KnownParent) -> Option<(Join, bool)> {
    let join = |child: &Child| {
        child.with_values(parent.position, &parent.constants)?.join(&parent.sql, &parent.column)
    };
    let child = Child::parse(shape).ok()?;
    if let Some(join) = join(&child) {
        return Some((join, false));
    }
    let last = read(shape).placeholders.len().checked_sub(1)?;
    Some((join(&child.without_limit(last)?)?, true))
}

/// A row of the parent with one of the child, or with none; as bytes.
type Pairs<'r> = BTreeMap<(Values<'r>, Option<Values<'r>>), u64>;
type Values<'r> = Vec<Option<&'r [u8]>>;

/// Both forms, ready to run.
struct Forms {
    parent: Statement,
    child: Statement,
    joined: Statement,
    /// Columns of the parent, and the one that is the key.
    columns: usize,
    key: usize,
}

async fn prepare(
    trial: &Trial<'_>,
    session: &Session,
    join: &Join,
    column: &str,
    located: &Located,
) -> anyhow::Result<Forms> {
    let parent = trial.prepare(&join.parent_sql).await?;
    located.check_parent(session, &parent).await?;
    let child = trial.prepare(&join.child_sql).await?;
    located.check_child(session, &child).await?;
    let named: Vec<usize> =
        (0..parent.columns().len()).filter(|at| parent.columns()[*at].name() == column).collect();
    let [key] = named.as_slice() else { anyhow::bail!("its parent has not one column {column}") };
    let joined = trial.prepare(&join.joined_sql).await?;
    Ok(Forms { columns: parent.columns().len(), key: *key, parent, child, joined })
}

async fn try_both(
    trial: &mut Trial<'_>,
    join: &Join,
    forms: &Forms,
    is_limited: bool,
) -> anyhow::Result<JoinProof> {
    check_parent_rows(trial, join).await?;
    trial.expect_few_rows(&join.joined_sql, &[]).await?;
    let (mut looped_us, mut joined_us) = (Vec::new(), Vec::new());
    let looped = loop {
        let start = clock::now();
        trial.forget();
        let looped = run_loop(trial, forms).await?;
        looped_us.push(clock::elapsed_us(start));
        anyhow::ensure!(
            looped.children.values().any(|rows| !rows.is_empty()),
            "there are no rows to compare: none of its {} values finds a row now, as where the rows were rolled back or removed",
            looped.children.len()
        );
        let rows = looped.joined_rows();
        anyhow::ensure!(rows <= ROWS_MAX, "it returns {rows} rows, and {ROWS_MAX} are compared at most");
        let is_cut = is_limited && looped.children.values().any(|rows| rows.len() > 1);
        anyhow::ensure!(!is_cut, "the child's LIMIT cuts rows off");
        let joined_start = clock::now();
        trial.forget();
        let joined = trial.query(&forms.joined, &[]).await?;
        joined_us.push(clock::elapsed_us(joined_start));
        anyhow::ensure!(looped.pairs(forms) == pairs_of(&joined, forms), "it returns other rows");
        if looped_us.len() == ROUNDS || !trial.has_time(clock::elapsed_us(start), ROUNDS_AHEAD) {
            break looped;
        }
    };
    let mut looped_buffers = trial.buffers(&join.parent_sql, &[]).await?;
    for key in looped.children.keys() {
        looped_buffers += trial.buffers(&join.child_sql, &[Some(key.clone())]).await?;
    }
    let values = looped.children.len() as u64;
    let rows = looped.joined_rows() as u64;
    Ok(JoinProof {
        fingerprint: String::new(),
        joined_sql: join.joined_sql.clone(),
        looped: FormCost {
            round_trips: 1 + values,
            time_us: median_of(&looped_us),
            buffers: looped_buffers,
            rows,
        },
        joined: FormCost {
            round_trips: 1,
            time_us: median_of(&joined_us),
            buffers: trial.buffers(&join.joined_sql, &[]).await?,
            rows,
        },
        parent_rows: looped.parents.len() as u64,
        values,
    })
}

/// Counts the parent's rows up to the bound: nothing larger is fetched.
async fn check_parent_rows(trial: &mut Trial<'_>, join: &Join) -> anyhow::Result<()> {
    let sql = format!(
        "SELECT FROM (SELECT FROM ({}) AS parent LIMIT {}) AS counted OFFSET {PARENT_ROWS_MAX}",
        join.parent_sql,
        PARENT_ROWS_MAX + 1
    );
    let counted = trial.prepare(&sql).await?;
    let beyond = trial.query(&counted, &[]).await?;
    anyhow::ensure!(
        beyond.is_empty(),
        "its parent returns more than the {PARENT_ROWS_MAX} rows that it is tried with at most"
    );
    Ok(())
}

/// What the parent returned, and the child for each different key.
struct Looped {
    parents: Vec<Row>,
    /// The key of each of them as text; none is NULL.
    keys: Vec<Option<String>>,
    children: BTreeMap<String, Vec<Row>>,
}

/// Asks the parent, then the child once per different key, as an application that remembers its
/// answers does. Given up as soon as it is seen to take too long.
async fn run_loop(trial: &mut Trial<'_>, forms: &Forms) -> anyhow::Result<Looped> {
    let parents = trial.query(&forms.parent, &[]).await?;
    let oid = forms.parent.columns()[forms.key].type_().oid();
    let key = |row: &Row| bytes(row, forms.key).map(|bytes| readable(oid, bytes));
    let keys: Vec<Option<Option<String>>> = parents.iter().map(key).collect();
    anyhow::ensure!(!keys.contains(&Some(None)), "its keys are of a type that cannot be read");
    let keys: Vec<Option<String>> = keys.into_iter().map(Option::flatten).collect();
    let different: BTreeSet<&String> = keys.iter().flatten().collect();
    anyhow::ensure!(!different.is_empty(), "there are no rows to compare: its parent returns no key now");
    let (start, count) = (clock::now(), different.len());
    let mut children = BTreeMap::new();
    for key in different {
        children.insert(key.clone(), trial.query(&forms.child, &[Some(key.clone())]).await?);
        let asked = children.len();
        if asked >= FIRST_CHILDREN {
            // Every child is asked at least twice: once more to count its blocks.
            let to_come = (2 * count - asked) as f64 / asked as f64;
            anyhow::ensure!(
                trial.has_time(clock::elapsed_us(start), to_come),
                "asking for its {count} different values takes longer than it may"
            );
        }
    }
    Ok(Looped { parents, keys, children })
}

impl Looped {
    fn rows_of(&self, key: Option<&String>) -> &[Row] {
        key.and_then(|key| self.children.get(key)).map_or(&[], Vec::as_slice)
    }

    /// Rows that the join has to return.
    fn joined_rows(&self) -> usize {
        self.keys.iter().map(|key| self.rows_of(key.as_ref()).len().max(1)).sum()
    }

    fn pairs(&self, forms: &Forms) -> Pairs<'_> {
        let mut pairs = Pairs::new();
        for (parent, key) in self.parents.iter().zip(&self.keys) {
            let left = values(parent, 0..forms.columns);
            let rows = self.rows_of(key.as_ref());
            for row in rows {
                *pairs.entry((left.clone(), Some(values(row, 0..row.len())))).or_default() += 1;
            }
            if rows.is_empty() {
                *pairs.entry((left, None)).or_default() += 1;
            }
        }
        pairs
    }
}

/// The same of joined rows: behind the parent's columns comes the child's key, NULL where there is none.
fn pairs_of<'r>(joined: &'r [Row], forms: &Forms) -> Pairs<'r> {
    let mut pairs = Pairs::new();
    for row in joined {
        let right = bytes(row, forms.columns).map(|_| values(row, forms.columns + 1..row.len()));
        *pairs.entry((values(row, 0..forms.columns), right)).or_default() += 1;
    }
    pairs
}

fn values(row: &Row, columns: std::ops::Range<usize>) -> Values<'_> {
    columns.map(|at| bytes(row, at)).collect()
}
