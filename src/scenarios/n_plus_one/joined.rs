//! A loop's child joined to its parent, tried against the database in a read-only
//! transaction: what one execution of the parent and its children return, row by row.

use super::batch::{Child, Join};
use super::parent::KnownParent;
use super::prove::{GUARD, ROUNDS, buffers, bytes, median, query};
use super::reading::read;
use crate::model::evidence::n_plus_one::{FormCost, JoinProof, LoopGroup};
use crate::postgres::{Session, volatile_functions};
use crate::sql::calls::called;
use crate::stats::clock;
use crate::trace::readable;
use std::collections::{BTreeMap, BTreeSet};
use tokio_postgres::{Row, Statement};

/// Rows of a parent that the loop is run over.
const PARENT_ROWS_MAX: usize = 1000;

/// Tries the join. None wherever it cannot be written with certainty, cannot be tried, or returns
/// other rows: the batched form is there without it.
pub(super) async fn prove_join(
    session: &Session,
    group: &LoopGroup,
    parent: &KnownParent,
) -> Option<JoinProof> {
    let (join, is_limited) = written(&group.child.text, parent)?;
    session.batch_execute(GUARD).await.ok()?;
    let proof = try_both(session, &join, &parent.column, is_limited).await;
    session.batch_execute("ROLLBACK").await.ok()?;
    let proof = proof.ok().flatten()?;
    Some(JoinProof { fingerprint: group.fingerprint.clone(), ..proof })
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
type Pairs = BTreeMap<(Values, Option<Values>), u64>;
type Values = Vec<Option<Vec<u8>>>;

/// Both forms, ready to run.
struct Forms {
    parent: Statement,
    child: Statement,
    joined: Statement,
    /// Columns of the parent, and the one that is the key.
    columns: usize,
    key: usize,
}

async fn try_both(
    session: &Session,
    join: &Join,
    column: &str,
    is_limited: bool,
) -> anyhow::Result<Option<JoinProof>> {
    if !volatile_functions(session, &called(&join.parent_sql)).await?.is_empty() {
        return Ok(None);
    }
    let parent = session.prepare(&join.parent_sql).await?;
    let named: Vec<usize> =
        (0..parent.columns().len()).filter(|at| parent.columns()[*at].name() == column).collect();
    let [key] = named.as_slice() else { return Ok(None) };
    let forms = Forms {
        columns: parent.columns().len(),
        key: *key,
        parent,
        child: session.prepare(&join.child_sql).await?,
        joined: session.prepare(&join.joined_sql).await?,
    };
    let (mut looped_us, mut joined_us) = (Vec::new(), Vec::new());
    let mut last = None;
    for _ in 0..ROUNDS {
        let start = clock::now();
        let Some(looped) = run_loop(session, &forms).await? else { return Ok(None) };
        looped_us.push(clock::elapsed_us(start));
        let start = clock::now();
        let joined = query(session, &forms.joined, &[]).await?;
        joined_us.push(clock::elapsed_us(start));
        let is_cut = is_limited && looped.children.values().any(|rows| rows.len() > 1);
        let pairs = looped.pairs(&forms);
        if is_cut || pairs != pairs_of(&joined, &forms) {
            return Ok(None);
        }
        last = Some((looped, pairs));
    }
    let Some((looped, pairs)) = last else { return Ok(None) };
    let mut looped_buffers = buffers(session, &join.parent_sql, &[]).await?;
    for key in looped.children.keys() {
        looped_buffers += buffers(session, &join.child_sql, &[Some(key.clone())]).await?;
    }
    let values = looped.children.len() as u64;
    let rows = pairs.values().sum();
    Ok(Some(JoinProof {
        fingerprint: String::new(),
        joined_sql: join.joined_sql.clone(),
        looped: FormCost {
            round_trips: 1 + values,
            time_us: median(looped_us),
            buffers: looped_buffers,
            rows,
        },
        joined: FormCost {
            round_trips: 1,
            time_us: median(joined_us),
            buffers: buffers(session, &join.joined_sql, &[]).await?,
            rows,
        },
        parent_rows: looped.parents.len() as u64,
        values,
    }))
}

/// What the parent returned, and the child for each different key.
struct Looped {
    parents: Vec<Row>,
    /// The key of each of them as text; none is NULL.
    keys: Vec<Option<String>>,
    children: BTreeMap<String, Vec<Row>>,
}

/// Asks the parent, then the child once per different key, as an application that remembers its
/// answers does. None where the parent has no key or too many rows, or its keys cannot be read.
async fn run_loop(session: &Session, forms: &Forms) -> anyhow::Result<Option<Looped>> {
    let parents = query(session, &forms.parent, &[]).await?;
    let oid = forms.parent.columns()[forms.key].type_().oid();
    let key = |row: &Row| bytes(row, forms.key).map(|bytes| readable(oid, &bytes));
    let keys: Vec<Option<Option<String>>> = parents.iter().map(key).collect();
    if parents.len() > PARENT_ROWS_MAX || keys.contains(&Some(None)) {
        return Ok(None);
    }
    let keys: Vec<Option<String>> = keys.into_iter().map(Option::flatten).collect();
    let different: BTreeSet<&String> = keys.iter().flatten().collect();
    if different.is_empty() {
        return Ok(None);
    }
    let mut children = BTreeMap::new();
    for key in different {
        children.insert(key.clone(), query(session, &forms.child, &[Some(key.clone())]).await?);
    }
    Ok(Some(Looped { parents, keys, children }))
}

impl Looped {
    fn pairs(&self, forms: &Forms) -> Pairs {
        let mut pairs = Pairs::new();
        for (parent, key) in self.parents.iter().zip(&self.keys) {
            let left = values(parent, 0..forms.columns);
            let rows = key.as_ref().and_then(|key| self.children.get(key)).map_or(&[][..], Vec::as_slice);
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
fn pairs_of(joined: &[Row], forms: &Forms) -> Pairs {
    let mut pairs = Pairs::new();
    for row in joined {
        let right = bytes(row, forms.columns).map(|_| values(row, forms.columns + 1..row.len()));
        *pairs.entry((values(row, 0..forms.columns), right)).or_default() += 1;
    }
    pairs
}

fn values(row: &Row, columns: std::ops::Range<usize>) -> Values {
    columns.map(|at| bytes(row, at)).collect()
}
