//! Values of a column of the database, at a bounded cost.
//!
//! A table of at most [`Bounds::whole_table_bytes_max`] is read as a whole, in the order of a hash
//! of each row's key with the seed, so that neither physical order nor plan has a
//! say. A larger one is probed through its whole-number key; without such a key,
//! through a repeatable block sample, which depends on where rows are stored. Its
//! common and rare values are taken as ANALYZE saw them.

use super::error::Reason;
use super::random::Random;
use crate::postgres::{
    ColumnDescription, ColumnLookup, Session, column_statistics, find_column, quote_identifier, quote_literal,
};
use crate::project::nearest::nearest;
use crate::project::query::ColumnReference;

/// Blocks read of a larger table without a key of whole numbers.
const SAMPLE_BLOCKS: f64 = 1024.0;
const BLOCK_BYTES: f64 = 8192.0;

/// What drawing may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Tables up to this size are read as a whole, which takes a second or so; larger ones are
    /// probed or sampled.
    pub whole_table_bytes_max: i64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { whole_table_bytes_max: 256 * 1024 * 1024 }
    }
}

/// Reads columns within bounds.
#[derive(Clone, Copy)]
pub(super) struct Columns<'a> {
    pub(super) session: &'a Session,
    pub(super) bounds: Bounds,
}

impl Columns<'_> {
    /// A column found in the catalogue.
    pub(super) async fn resolve(self, reference: &ColumnReference) -> Result<ColumnDescription, Reason> {
        let ColumnReference { schema, table, column } = reference;
        match find_column(self.session, schema.as_deref(), table, column).await? {
            ColumnLookup::Found(description) => Ok(description),
            ColumnLookup::NoTable(tables) => Err(Reason::NoTable {
                table: table.clone(),
                help: help(table, &tables, "migrate the database first, or correct the name"),
            }),
            ColumnLookup::NoColumn(columns) => Err(Reason::NoColumn {
                table: table.clone(),
                column: column.clone(),
                help: help(column, &columns, &format!("it has {}", columns.join(", "))),
            }),
        }
    }

    fn is_small(self, column: &ColumnDescription) -> bool {
        column.size_bytes.is_none_or(|size| size <= self.bounds.whole_table_bytes_max)
    }

    /// Up to `count` rows in an order that only the seed decides, each with the text of `columns`,
    /// which are of one table. Rows with a NULL in one of them are left out.
    pub(super) async fn sample_rows(
        self,
        columns: &[ColumnDescription],
        seed: u64,
        count: usize,
    ) -> Result<Vec<Vec<String>>, Reason> {
        let Some(first) = columns.first() else { return Ok(Vec::new()) };
        let rows = if self.is_small(first) {
            let source = first.table_sql.clone();
            self.ordered_rows(&source, columns, seed, count).await?
        } else if first.has_integer_key {
            self.probed_rows(columns, seed, count).await?
        } else {
            let size = first.size_bytes.unwrap_or(0) as f64;
            let percent = (100.0 * SAMPLE_BLOCKS * BLOCK_BYTES / size).min(100.0);
            let source =
                format!("{} TABLESAMPLE SYSTEM ({percent:.6}) REPEATABLE ({})", first.table_sql, seed >> 32);
            self.ordered_rows(&source, columns, seed, count).await?
        };
        if rows.is_empty() {
            let names: Vec<_> = columns.iter().map(|column| column.column_sql.as_str()).collect();
            return Err(Reason::NoValues { table: first.table_sql.clone(), column: names.join(" and ") });
        }
        Ok(rows)
    }

    /// All rows of `source` in the order of a hash of what identifies them.
    async fn ordered_rows(
        self,
        source: &str,
        columns: &[ColumnDescription],
        seed: u64,
        count: usize,
    ) -> Result<Vec<Vec<String>>, Reason> {
        let first = &columns[0];
        let identity = if !first.key_sql.is_empty() {
            format!("ROW({})::text", first.key_sql.join(", "))
        } else if matches!(first.relation_kind, 'r' | 'm' | 'p') {
            "ctid::text".to_owned()
        } else {
            format!("ROW({})::text", texts(columns))
        };
        let statement = format!(
            "SELECT {} FROM {source} WHERE {} ORDER BY pg_catalog.hashtextextended({identity}, {}), {identity} LIMIT {count}",
            texts(columns),
            not_null(columns),
            signed(seed),
        );
        self.read(&statement, columns.len()).await
    }

    /// Rows at or behind random keys. Gaps in the keys favour the rows behind them.
    async fn probed_rows(
        self,
        columns: &[ColumnDescription],
        seed: u64,
        count: usize,
    ) -> Result<Vec<Vec<String>>, Reason> {
        let (table, key) = (&columns[0].table_sql, &columns[0].key_sql[0]);
        let bounds = self
            .session
            .query_one(&format!("SELECT min({key})::bigint, max({key})::bigint FROM {table}"), &[])
            .await?;
        let (Some(low), Some(high)) = (bounds.get::<_, Option<i64>>(0), bounds.get::<_, Option<i64>>(1))
        else {
            return Ok(Vec::new());
        };
        let mut random = Random::new(seed, table);
        let mut rows = Vec::new();
        for _ in 0..count {
            let statement = format!(
                "SELECT {} FROM {table} WHERE {key} >= {} AND {} ORDER BY {key} LIMIT 1",
                texts(columns),
                random.between(low, high),
                not_null(columns),
            );
            rows.extend(self.read(&statement, columns.len()).await?);
        }
        Ok(rows)
    }

    async fn read(self, statement: &str, columns: usize) -> Result<Vec<Vec<String>>, Reason> {
        let rows = self.session.query(statement, &[]).await?;
        Ok(rows.iter().map(|row| (0..columns).map(|index| row.get(index)).collect()).collect())
    }

    /// The first column of every row.
    async fn read_values(self, statement: &str) -> Result<Vec<String>, Reason> {
        Ok(self.read(statement, 1).await?.into_iter().flatten().collect())
    }

    /// The most frequent value; of several equally frequent ones the smallest as text.
    pub(super) async fn common(self, column: &ColumnDescription, seed: u64) -> Result<String, Reason> {
        if !self.is_small(column) {
            let statistics = column_statistics(self.session, column).await?;
            if let Some(value) = statistics.most_common.into_iter().next() {
                return Ok(value);
            }
            if statistics.is_unique {
                let rows = self.sample_rows(std::slice::from_ref(column), seed, 1).await?;
                return rows.into_iter().flatten().next().ok_or_else(|| no_values(column));
            }
        }
        let values = self.by_frequency(column, "DESC", "value", 1).await?;
        values.into_iter().next().ok_or_else(|| no_values(column))
    }

    /// Up to `count` values, the least frequent first; equally frequent ones as the seed decides.
    pub(super) async fn rare(
        self,
        column: &ColumnDescription,
        seed: u64,
        count: usize,
    ) -> Result<Vec<String>, Reason> {
        let hash = format!("pg_catalog.hashtextextended(value, {})", signed(seed));
        let values = if self.is_small(column) {
            self.by_frequency(column, "ASC", &hash, count).await?
        } else {
            let common = column_statistics(self.session, column).await?.most_common;
            let rows = self.sample_rows(std::slice::from_ref(column), seed, 1000).await?;
            let mut values: Vec<String> =
                rows.into_iter().flatten().filter(|value| !common.contains(value)).collect();
            let mut seen = std::collections::HashSet::new();
            values.retain(|value| seen.insert(value.clone()));
            values.truncate(count);
            values
        };
        if values.is_empty() { Err(no_values(column)) } else { Ok(values) }
    }

    async fn by_frequency(
        self,
        column: &ColumnDescription,
        direction: &str,
        then: &str,
        count: usize,
    ) -> Result<Vec<String>, Reason> {
        let (table, name) = (&column.table_sql, &column.column_sql);
        let statement = format!(
            "SELECT value FROM (SELECT {name}::text AS value, count(*) AS frequency FROM {table} \
             WHERE {name} IS NOT NULL GROUP BY {name}) AS counted ORDER BY frequency {direction}, {then}, value LIMIT {count}"
        );
        self.read_values(&statement).await
    }

    /// Up to `count` different values that no row holds.
    pub(super) async fn absent(
        self,
        column: &ColumnDescription,
        seed: u64,
        count: usize,
    ) -> Result<Vec<String>, Reason> {
        let (table, name) = (&column.table_sql, &column.column_sql);
        let kind = column.type_name.as_str();
        let values = match kind {
            "int2" | "int4" | "int8" | "numeric" | "float4" | "float8" => {
                self.read_values(&beyond_numbers(table, name, kind, count)).await?
            }
            "date" | "timestamp" | "timestamptz" => {
                let statement = format!(
                    "SELECT (coalesce((SELECT max({name}) FROM {table} WHERE isfinite({name})), {kind} '2000-01-01') \
                     + n * interval '1 day')::{kind}::text FROM generate_series(1, {count}) AS n ORDER BY n"
                );
                self.read_values(&statement).await?
            }
            "bool" => {
                let statement = format!(
                    "SELECT value::text FROM (VALUES (true), (false)) AS v(value) \
                     WHERE NOT EXISTS (SELECT FROM {table} WHERE {name} = value) ORDER BY 1 LIMIT {count}"
                );
                self.read_values(&statement).await?
            }
            _ if column.is_enum => {
                let statement = format!(
                    "SELECT value::text FROM unnest(enum_range((SELECT {name} FROM {table} LIMIT 0))) AS value \
                     WHERE NOT EXISTS (SELECT FROM {table} WHERE {name} = value) ORDER BY value LIMIT {count}"
                );
                self.read_values(&statement).await?
            }
            "text" | "varchar" | "bpchar" | "uuid" | "name" | "citext" => {
                self.random_texts(column, seed, count).await?
            }
            _ => Vec::new(),
        };
        if values.is_empty() {
            let type_name = column.type_name.clone();
            return Err(Reason::NoAbsentValue { table: table.clone(), type_name });
        }
        Ok(values)
    }

    /// Random texts that fit the column, checked against the table.
    async fn random_texts(
        self,
        column: &ColumnDescription,
        seed: u64,
        count: usize,
    ) -> Result<Vec<String>, Reason> {
        let mut random = Random::new(seed, &column.column_sql);
        let candidates: Vec<String> = (0..count + 8).map(|_| candidate(column, &mut random)).collect();
        let list =
            candidates.iter().map(|candidate| format!("({})", quote_literal(candidate))).collect::<Vec<_>>();
        let statement = format!(
            "SELECT value FROM (VALUES {}) AS v(value) WHERE NOT EXISTS (SELECT FROM {} WHERE {}::text = value) LIMIT {count}",
            list.join(", "),
            column.table_sql,
            column.column_sql,
        );
        let mut found = self.read_values(&statement).await?;
        // The server need not keep the order of VALUES.
        found.sort_by_key(|value| candidates.iter().position(|candidate| candidate == value));
        found.dedup();
        Ok(found)
    }
}

fn help(word: &str, known: &[String], otherwise: &str) -> String {
    match nearest(word, known.iter().map(String::as_str)) {
        Some(known) => format!("did you mean `{known}`?"),
        None => otherwise.to_owned(),
    }
}

fn texts(columns: &[ColumnDescription]) -> String {
    columns.iter().map(|column| format!("{}::text", column.column_sql)).collect::<Vec<_>>().join(", ")
}

fn not_null(columns: &[ColumnDescription]) -> String {
    columns
        .iter()
        .map(|column| format!("{} IS NOT NULL", column.column_sql))
        .collect::<Vec<_>>()
        .join(" AND ")
}

/// The seed as the server's `bigint`.
fn signed(seed: u64) -> i64 {
    i64::from_ne_bytes(seed.to_ne_bytes())
}

fn no_values(column: &ColumnDescription) -> Reason {
    Reason::NoValues { table: column.table_sql.clone(), column: column.column_sql.clone() }
}

/// Numbers above the largest, or below the smallest where the type ends.
fn beyond_numbers(table: &str, name: &str, kind: &str, count: usize) -> String {
    let (low, high) = match kind {
        "int2" => ("-32768", "32767"),
        "int4" => ("-2147483648", "2147483647"),
        "int8" => ("-9223372036854775808", "9223372036854775807"),
        _ => ("-1e30", "1e30"),
    };
    format!(
        "SELECT value::text FROM (SELECT trunc(coalesce(max({name}), 0)::numeric) AS high, trunc(coalesce(min({name}), 0)::numeric) AS low FROM {table}) AS bounds, \
         LATERAL (SELECT high + n AS value, n FROM generate_series(1, {count}) AS n WHERE high + n <= {high} \
                  UNION ALL SELECT low - n, {count} + n FROM generate_series(1, {count}) AS n WHERE low - n >= {low}) AS candidate \
         ORDER BY n LIMIT {count}"
    )
}

fn candidate(column: &ColumnDescription, random: &mut Random) -> String {
    let digits = format!("{:016x}{:016x}", random.next(), random.next());
    if column.type_name == "uuid" {
        return format!(
            "{}-{}-4{}-8{}-{}",
            &digits[..8],
            &digits[8..12],
            &digits[13..16],
            &digits[17..20],
            &digits[20..]
        );
    }
    let length = column.length_max.and_then(|length| usize::try_from(length).ok()).unwrap_or(19);
    let text = if length >= 19 { format!("absent-{}", &digits[..12]) } else { digits };
    text.chars().take(length).collect()
}

/// The table that columns share, for grouping samples by row.
pub(super) fn table_key(reference: &ColumnReference) -> String {
    let schema = reference.schema.as_deref().map(quote_identifier).unwrap_or_default();
    format!("{schema}.{}", quote_identifier(&reference.table))
}
