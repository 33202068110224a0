//! What `pg_stat_statements` and ANALYZE know: expensive statements, values of columns, rows.

use super::{Error, Session, quote_identifier};

/// One statement of `pg_stat_statements`.
#[derive(Debug, Clone, PartialEq)]
pub struct StatementStatistics {
    /// With `$1`, `$2`, … for literals and parameters.
    pub text: String,
    /// How often it was executed.
    pub calls: u64,
    /// Mean execution time, in microseconds.
    pub mean_us: f64,
    /// Rows returned or changed by all calls.
    pub rows: u64,
}

/// What `pg_stat_statements` can be asked here.
#[derive(Debug, Clone, PartialEq)]
pub enum TopStatements {
    /// The statements of this database that took the most time in all, and how many more there
    /// would be that the user's rights don't reach.
    Known(Vec<StatementStatistics>, usize),
    /// The extension was not created in this database.
    NotCreated,
    /// It was, but the library behind it was not loaded when the server started.
    NotLoaded,
}

impl TopStatements {
    /// What there is; nothing where the view cannot be read.
    #[must_use]
    pub fn into_known(self) -> Vec<StatementStatistics> {
        match self {
            Self::Known(statements, _) => statements,
            Self::NotCreated | Self::NotLoaded => Vec::new(),
        }
    }
}

/// How ANALYZE saw a column.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnProfile {
    /// Its schema.
    pub schema: String,
    /// Its table.
    pub table: String,
    /// Its name.
    pub column: String,
    /// Share of NULLs, in `0..=1`.
    pub null_share: f64,
    /// As `pg_stats.n_distinct`: a number, or below 0 a negated share of the rows.
    pub distinct: f64,
    /// The most common values with their shares, most frequent first.
    pub most_common: Vec<(String, f64)>,
    /// Values in ascending order that split the others into equal shares.
    pub bounds: Vec<String>,
    /// Mean width, in bytes.
    pub width_bytes: u32,
}

/// One statement of several users, or asked both directly and in functions, is one here.
const STATEMENTS: &str = "
    SELECT s.query, sum(s.calls)::bigint, sum(s.total_exec_time) / greatest(sum(s.calls), 1), sum(s.rows)::bigint
    FROM SCHEMA.pg_stat_statements s
    WHERE s.dbid = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
    GROUP BY s.queryid, s.query ORDER BY sum(s.total_exec_time) DESC, s.query LIMIT $1";

const PROFILES: &str = "
    SELECT s.schemaname::text, s.tablename::text, s.attname::text, s.null_frac::float8, s.n_distinct::float8,
           coalesce(s.most_common_vals::text::text[], '{}'), coalesce(s.most_common_freqs::float8[], '{}'),
           coalesce(s.histogram_bounds::text::text[], '{}'), s.avg_width
    FROM pg_catalog.pg_stats s
    WHERE s.schemaname NOT LIKE 'pg\\_%' AND s.schemaname <> 'information_schema'";

const ROWS: &str = "
    SELECT n.nspname::text, c.relname::text,
           CASE WHEN c.relkind = 'p' THEN (SELECT sum(greatest(p.reltuples, 0)) FROM pg_catalog.pg_partition_tree(c.oid) t
                                          JOIN pg_catalog.pg_class p ON p.oid = t.relid WHERE t.isleaf)::float8
                ELSE greatest(c.reltuples, 0)::float8 END
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'";

/// The statements of this database that took the most time in all.
///
/// # Errors
/// The server fails.
pub async fn top_statements(session: &Session, limit: u32) -> Result<TopStatements, Error> {
    const OBJECT_NOT_IN_PREREQUISITE_STATE: &str = "55000";
    let schema = "SELECT n.nspname::text FROM pg_catalog.pg_extension e
                  JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pg_stat_statements'";
    let Some(schema) = session.query_opt(schema, &[]).await? else { return Ok(TopStatements::NotCreated) };
    let statement = STATEMENTS.replace("SCHEMA", &quote_identifier(schema.get(0)));
    let rows = match session.query(&statement, &[&i64::from(limit)]).await {
        Ok(rows) => rows,
        Err(error) => match Error::from(error) {
            error if error.sqlstate() == Some(OBJECT_NOT_IN_PREREQUISITE_STATE) => {
                return Ok(TopStatements::NotLoaded);
            }
            error => return Err(error),
        },
    };
    let all = rows.len();
    let known: Vec<StatementStatistics> = rows
        .iter()
        .filter(|row| row.get::<_, &str>(0) != "<insufficient privilege>")
        .map(|row| StatementStatistics {
            text: row.get(0),
            calls: row.get::<_, i64>(1).unsigned_abs(),
            mean_us: row.get::<_, f64>(2) * 1000.0,
            rows: row.get::<_, i64>(3).unsigned_abs(),
        })
        .collect();
    let hidden = all - known.len();
    Ok(TopStatements::Known(known, hidden))
}

/// How ANALYZE saw every column that this user may read.
///
/// # Errors
/// The server fails.
pub async fn column_profiles(session: &Session) -> Result<Vec<ColumnProfile>, Error> {
    let rows = session.query(PROFILES, &[]).await?;
    let profile = |row: &tokio_postgres::Row| {
        let (values, shares): (Vec<String>, Vec<f64>) = (row.get(5), row.get(6));
        ColumnProfile {
            schema: row.get(0),
            table: row.get(1),
            column: row.get(2),
            null_share: row.get(3),
            distinct: row.get(4),
            most_common: values.into_iter().zip(shares).collect(),
            bounds: row.get(7),
            width_bytes: row.get::<_, i32>(8).unsigned_abs(),
        }
    };
    Ok(rows.iter().map(profile).collect())
}

/// Schema, table and about how many rows, as ANALYZE counted.
///
/// # Errors
/// The server fails.
pub async fn row_estimates(session: &Session) -> Result<Vec<(String, String, f64)>, Error> {
    let rows = session.query(ROWS, &[]).await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1), row.get::<_, Option<f64>>(2).unwrap_or(0.0))).collect())
}
