//! Which rows a transaction has locked, and how: `pg_locks` knows only waits for
//! rows, the locks themselves are in the rows. The contrib module pgrowlocks
//! reads them with their modes; without it the rows' `xmax` tells which, and the
//! table's lock mode limits how.

use super::{Error, Session, naming};

/// Tables larger than this, in estimated rows, are not read.
const MAX_TABLE_ROWS: f32 = 1_000_000.0;
/// Rows of one table that are told apart; a transaction that locks more has locked the table.
const MAX_ROWS: i64 = 1_000;
/// Where the module is installed on a clone.
const SCHEMA: &str = "plimsoll_row_locks";

/// How a row is locked, weakest first (manual, "Row-level locks").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RowMode {
    /// FOR KEY SHARE, and what a foreign key takes on the row referred to.
    KeyShare,
    /// FOR SHARE.
    Share,
    /// FOR NO KEY UPDATE, and an UPDATE that leaves keys alone.
    NoKeyUpdate,
    /// FOR UPDATE, DELETE, and an UPDATE of a key.
    Update,
}

impl RowMode {
    /// Whether two transactions cannot hold these modes on the same row.
    #[must_use]
    pub fn conflicts(self, other: Self) -> bool {
        let (weak, strong) = (self.min(other), self.max(other));
        match strong {
            Self::Update => true,
            Self::NoKeyUpdate => weak >= Self::Share,
            Self::Share | Self::KeyShare => false,
        }
    }

    /// As in SQL.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::KeyShare => "FOR KEY SHARE",
            Self::Share => "FOR SHARE",
            Self::NoKeyUpdate => "FOR NO KEY UPDATE",
            Self::Update => "FOR UPDATE",
        }
    }

    fn of(words: &str) -> Self {
        // `For Share` where it only locks, `Share` as one of several lockers, `Update` where it changed the row.
        match words.trim_start_matches("For ") {
            "Key Share" => Self::KeyShare,
            "Share" => Self::Share,
            "No Key Update" => Self::NoKeyUpdate,
            _ => Self::Update,
        }
    }
}

/// A locked row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowLock {
    /// The table.
    pub relation: String,
    /// Its primary key, such as `id=1`; `None` where the table has none.
    pub key: Option<String>,
    /// How.
    pub mode: RowMode,
}

/// How row locks of a database are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowLockReader {
    /// With their modes.
    Extension,
    /// From `xmax`; modes are guessed from the table's lock.
    Xmax,
}

/// What was read of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TableRowLocks {
    /// These rows, and no others.
    Rows(Vec<RowLock>),
    /// Too many rows, or too large a table: nothing is known of its rows.
    Unknown,
}

impl RowLockReader {
    /// Installs the module where that can be done; the database is a clone of ours.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn install(control: &Session) -> Result<Self, Error> {
        let available = control
            .query_one(
                "SELECT EXISTS (SELECT FROM pg_catalog.pg_available_extensions WHERE name = 'pgrowlocks')",
                &[],
            )
            .await?
            .get(0);
        let statement = format!("CREATE SCHEMA {SCHEMA}; CREATE EXTENSION pgrowlocks SCHEMA {SCHEMA}");
        if available && control.batch_execute(&statement).await.is_ok() {
            return Ok(Self::Extension);
        }
        Ok(Self::Xmax)
    }

    /// The locked rows of a table, while the only transaction in progress is the one looked at.
    ///
    /// # Errors
    /// The connection broke, or the table went away.
    pub async fn read(
        self,
        control: &Session,
        relation: &str,
        xids: &[String],
    ) -> Result<TableRowLocks, Error> {
        let size = "SELECT reltuples FROM pg_catalog.pg_class WHERE oid = pg_catalog.to_regclass($1)";
        let rows: Option<f32> = control.query_opt(size, &[&relation]).await?.map(|row| row.get(0));
        if rows.is_some_and(|rows| rows > MAX_TABLE_ROWS) {
            return Ok(TableRowLocks::Unknown);
        }
        let key = key_expression(control, relation).await?;
        let rows = match self {
            Self::Extension => {
                let sql = format!(
                    "SELECT {key}, l.modes FROM {SCHEMA}.pgrowlocks($1) l JOIN {relation} t ON t.ctid = l.locked_row
                     ORDER BY 1 LIMIT {}",
                    MAX_ROWS + 1
                );
                control.query(&sql, &[&relation]).await?
            }
            Self::Xmax => {
                let sql = format!(
                    "SELECT {key}, CASE WHEN pg_catalog.bool_or(l.mode = 'RowExclusiveLock')
                                        THEN ARRAY['No Key Update'] ELSE ARRAY['Update'] END
                     FROM {relation} t, pg_catalog.pg_locks l
                     WHERE t.xmax::text = ANY($1) AND l.relation = pg_catalog.to_regclass({}) AND l.granted
                     GROUP BY 1 ORDER BY 1 LIMIT {}",
                    naming::quote_literal(relation),
                    MAX_ROWS + 1
                );
                control.query(&sql, &[&xids]).await?
            }
        };
        if i64::try_from(rows.len()).is_ok_and(|count| count > MAX_ROWS) {
            return Ok(TableRowLocks::Unknown);
        }
        let locks = rows.iter().map(|row| {
            let modes: Vec<String> = row.get(1);
            RowLock {
                relation: relation.to_owned(),
                key: row.get(0),
                mode: modes.iter().map(|mode| RowMode::of(mode)).max().unwrap_or(RowMode::Update),
            }
        });
        Ok(TableRowLocks::Rows(locks.collect()))
    }
}

/// An SQL expression over the table `t` for its primary key as `id=1, …`, or NULL.
async fn key_expression(control: &Session, relation: &str) -> Result<String, Error> {
    let columns = super::locks::primary_key(control, relation).await?;
    if columns.is_empty() {
        return Ok("NULL::text".into());
    }
    let parts = columns.iter().map(|column| {
        let label = naming::quote_literal(&format!("{column}="));
        format!("{label} || t.{}::text", naming::quote_identifier(column))
    });
    Ok(parts.collect::<Vec<_>>().join(" || ', ' || "))
}

#[cfg(test)]
mod tests {
    use super::RowMode;

    #[test]
    fn the_modules_words_are_known() {
        use RowMode::{KeyShare, NoKeyUpdate, Share, Update};
        let words = [
            "Key Share",
            "For Key Share",
            "Share",
            "For Share",
            "No Key Update",
            "For No Key Update",
            "Update",
        ];
        assert_eq!(
            words.map(RowMode::of),
            [KeyShare, KeyShare, Share, Share, NoKeyUpdate, NoKeyUpdate, Update]
        );
    }

    /// The manual's table, weakest first.
    #[test]
    fn row_modes_conflict_as_in_the_manual() {
        let modes = [RowMode::KeyShare, RowMode::Share, RowMode::NoKeyUpdate, RowMode::Update];
        let table = ["0001", "0011", "0111", "1111"];
        for (held, row) in modes.iter().zip(table) {
            let found: String =
                modes.iter().map(|wanted| if held.conflicts(*wanted) { '1' } else { '0' }).collect();
            assert_eq!(found, row, "{held:?}");
        }
    }
}
