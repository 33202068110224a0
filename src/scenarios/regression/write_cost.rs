//! What the indexes of a table cost a writer, before and after.
//!
//! A probe table with the same columns, defaults, checks and indexes is filled
//! from the real one, then updated, in a transaction that is rolled back. Its
//! pages are left half empty, as a table in use has room for updates that stay
//! on their page. WAL is counted by EXPLAIN, so nobody else's is in it.

use super::touched::Touched;
use crate::model::evidence::regression::{IndexSize, WriteCost};
use crate::postgres::physical::{self, IndexState};
use crate::postgres::{Error, ExplainOptions, Session, Target, explain, quote_identifier};

/// Rows written to the probe at most.
const MOST_ROWS: u64 = 2_000;
/// How full the probe's pages are filled, in percent.
const FILL: u32 = 50;

/// Figures of one side.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Probe {
    rows: u64,
    insert_wal_bytes: f64,
    update: Option<Update>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Update {
    wal_bytes: f64,
    hot_share: f64,
}

/// The write cost of every table with other indexes than before.
///
/// # Errors
/// A connection breaks. What the server refuses is said in the entry.
pub async fn write_costs(
    target: &Target,
    before: &str,
    after: &str,
    touched: &Touched,
) -> Result<Vec<WriteCost>, Error> {
    let (old, new) = (target.connect_to(before).await?, target.connect_to(after).await?);
    let mut tables: Vec<&str> = touched
        .indexes_added
        .iter()
        .chain(&touched.indexes_dropped)
        .map(|index| index.table.as_str())
        .collect();
    tables.sort_unstable();
    tables.dedup();
    let mut costs = Vec::new();
    for table in tables {
        costs.push(write_cost(&old, &new, table, touched).await?);
    }
    Ok(costs)
}

async fn write_cost(
    old: &Session,
    new: &Session,
    table: &str,
    touched: &Touched,
) -> Result<WriteCost, Error> {
    let rows = |tables: &[physical::TableState]| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of rows")]
        tables.iter().find(|state| state.name == table).map_or(0, |state| state.rows as u64)
    };
    let (rows_before, rows_after) =
        (rows(&physical::tables(old).await?), rows(&physical::tables(new).await?));
    let mut cost = WriteCost {
        table: table.to_owned(),
        indexes_added: sizes(&touched.indexes_added, table, rows_after),
        indexes_dropped: sizes(&touched.indexes_dropped, table, rows_before),
        insert_wal_bytes: None,
        update_wal_bytes: None,
        hot_share: None,
        rows: 0,
        update_of: String::new(),
        left_out: String::new(),
    };
    // The columns whose update the index turns from a page-local into a full one.
    let column = indexed_column(new, old, table, touched).await?.unwrap_or_default();
    cost.update_of.clone_from(&column);
    let probes = match (probe(old, table, &column).await, probe(new, table, &column).await) {
        (Ok(before), Ok(after)) => (before, after),
        (Err(Error::Server(report)), _) | (_, Err(Error::Server(report))) => {
            cost.left_out = format!("a probe of {table} could not be written: {report}");
            return Ok(cost);
        }
        (Err(error), _) | (_, Err(error)) => return Err(error),
    };
    let (before, after) = probes;
    cost.rows = before.rows.min(after.rows);
    if cost.rows == 0 {
        cost.left_out = format!("{table} has no rows to write a probe from");
        return Ok(cost);
    }
    cost.insert_wal_bytes = Some((before.insert_wal_bytes, after.insert_wal_bytes));
    if let Some((before, after)) = before.update.zip(after.update) {
        cost.update_wal_bytes = Some((before.wal_bytes, after.wal_bytes));
        cost.hot_share = Some((before.hot_share, after.hot_share));
    }
    Ok(cost)
}

fn sizes(indexes: &[IndexState], table: &str, table_rows: u64) -> Vec<IndexSize> {
    indexes.iter().filter(|index| index.table == table).map(|index| size_of(index, table_rows)).collect()
}

/// An index and its size, for evidence.
#[must_use]
pub fn size_of(index: &IndexState, table_rows: u64) -> IndexSize {
    IndexSize { name: index.name.clone(), bytes: u64::try_from(index.bytes).unwrap_or(0), table_rows }
}

/// The last column of an added or dropped index that both sides have and that
/// is in no unique index: its values can be passed from row to row.
async fn indexed_column(
    new: &Session,
    old: &Session,
    table: &str,
    touched: &Touched,
) -> Result<Option<String>, Error> {
    let sql = "SELECT a.attname::text FROM pg_index i JOIN pg_attribute a \
                   ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey::int2[]) \
               WHERE i.indexrelid::regclass::text = $1 AND a.attgenerated = '' \
                 AND NOT EXISTS (SELECT 1 FROM pg_index u WHERE u.indrelid = i.indrelid AND u.indisunique \
                                 AND a.attnum = ANY (u.indkey::int2[])) \
               ORDER BY array_position(i.indkey::int2[], a.attnum) DESC";
    for (session, indexes) in [(new, &touched.indexes_added), (old, &touched.indexes_dropped)] {
        for index in indexes.iter().filter(|index| index.table == table) {
            let rows = session.query(sql, &[&index.name]).await?;
            if let Some(row) = rows.first() {
                return Ok(Some(row.get(0)));
            }
        }
    }
    Ok(None)
}

/// Writes a probe table and rolls it back. `update_of`: a column, or empty for no update.
async fn probe(session: &Session, table: &str, update_of: &str) -> Result<Probe, Error> {
    session.batch_execute("BEGIN").await?;
    let outcome = write_probe(session, table, update_of).await;
    session.batch_execute("ROLLBACK").await?;
    outcome
}

async fn write_probe(session: &Session, table: &str, update_of: &str) -> Result<Probe, Error> {
    let options = ExplainOptions {
        wal: true,
        timing: false,
        settings: false,
        in_transaction: true,
        ..ExplainOptions::default()
    };
    session
        .batch_execute(&format!(
            "CREATE TABLE plimsoll.probe (LIKE {table} INCLUDING ALL) WITH (fillfactor = {FILL})"
        ))
        .await?;
    let columns: Option<String> = session
        .query_one(
            "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute \
             WHERE attrelid = 'plimsoll.probe'::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''",
            &[],
        )
        .await?
        .get(0);
    let columns = columns.unwrap_or_default();
    let insert = format!(
        "INSERT INTO plimsoll.probe ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns} FROM {table} LIMIT {MOST_ROWS}"
    );
    let inserted = explain(session, &insert, &[], options).await?;
    let rows: i64 = session.query_one("SELECT count(*) FROM plimsoll.probe", &[]).await?.get(0);
    let rows = u64::try_from(rows).unwrap_or(0);
    let mut probe = Probe { rows, insert_wal_bytes: per_row(&inserted, rows), update: None };
    if update_of.is_empty() || rows == 0 {
        return Ok(probe);
    }
    let column = quote_identifier(update_of);
    // Every tenth row takes the value of its neighbour; a row that has it already is not counted.
    let update = format!(
        "UPDATE plimsoll.probe p SET {column} = s.value FROM ( \
             SELECT ctid AS place, lead({column}) OVER (ORDER BY ctid) AS value, \
                    row_number() OVER (ORDER BY ctid) AS number FROM plimsoll.probe) s \
         WHERE p.ctid = s.place AND s.number % 10 = 0 AND s.value IS DISTINCT FROM p.{column} AND s.value IS NOT NULL"
    );
    let updated = explain(session, &update, &[], options).await?;
    let counts = session
        .query_one(
            "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_xact_user_tables WHERE relid = 'plimsoll.probe'::regclass",
            &[],
        )
        .await?;
    let (updates, hot): (i64, i64) = (counts.get(0), counts.get(1));
    if updates > 0 {
        #[expect(clippy::cast_precision_loss, reason = "at most a few hundred rows")]
        let hot_share = hot as f64 / updates as f64;
        let wal_bytes = per_row(&updated, u64::try_from(updates).unwrap_or(0));
        probe.update = Some(Update { wal_bytes, hot_share });
    }
    Ok(probe)
}

#[expect(clippy::cast_precision_loss, reason = "bytes of a few thousand rows")]
fn per_row(plan: &crate::plan::Plan, rows: u64) -> f64 {
    plan.root.wal.map_or(0.0, |wal| wal.bytes as f64 / rows.max(1) as f64)
}
