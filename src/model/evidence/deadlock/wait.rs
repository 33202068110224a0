//! Who waits for whom, for what, and what kind of conflict it is.

/// One session that waits for another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitEdge {
    /// Who waits.
    pub waiter_session: String,
    /// In which step.
    pub waiter_step: String,
    /// The step's statement.
    pub waiter_statement: String,
    /// Who is waited for.
    pub holder_session: String,
    /// The holder's last step: the one it waits in, or the last it finished.
    pub holder_step: String,
    /// What is locked.
    pub object: LockedObject,
    /// The mode asked for, such as `ShareLock`, or `FOR UPDATE` for a row.
    pub wanted_mode: String,
    /// The mode in the way, where it is known.
    pub held_mode: Option<String>,
    /// True where the other session is only ahead in the queue.
    pub is_soft: bool,
}

/// What a lock is on.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LockedObject {
    /// A row, waited for through its transaction or its tuple lock.
    Row {
        /// The table.
        relation: String,
        /// Its place, such as `(0,1)`.
        ctid: String,
        /// Its primary key, such as `id=1`, where it could be read.
        key: Option<String>,
    },
    /// A table, index, view or sequence as a whole.
    Relation(String),
    /// A transaction's end, with no row known: an index entry or a constraint.
    Transaction,
    /// An advisory lock's key.
    Advisory(String),
    /// Other sessions' snapshots (SERIALIZABLE READ ONLY DEFERRABLE).
    SafeSnapshot,
    /// Anything else, in `pg_locks`' words.
    Other(String),
}

impl LockedObject {
    /// As a sentence names it.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Row { relation, key: Some(key), .. } => format!("row {key} of {relation}"),
            Self::Row { relation, ctid, key: None } => format!("row {ctid} of {relation}"),
            Self::Relation(name) => format!("table {name}"),
            Self::Transaction => "the other transaction's end".into(),
            Self::Advisory(key) => format!("advisory lock {key}"),
            Self::SafeSnapshot => "a safe snapshot".into(),
            Self::Other(words) => words.clone(),
        }
    }
}

/// What kind of conflict a deadlock, or a failure in its place, is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ConflictKind {
    /// Rows locked in different orders.
    RowOrder,
    /// Several sessions hold a shared row lock and ask for a stronger one.
    RowUpgrade,
    /// Rows of a referenced table, locked by foreign-key checks.
    ForeignKey,
    /// The same unique keys inserted in different orders.
    UniqueIndex,
    /// Tables locked in different orders by LOCK TABLE.
    TableOrder,
    /// A table lock held weakly by several who ask for a stronger one.
    TableUpgrade,
    /// DDL or LOCK TABLE against statements of other sessions.
    DdlAgainstDml,
    /// Advisory locks taken in different orders.
    Advisory,
    /// Different kinds of objects in one cycle.
    Mixed,
}

impl ConflictKind {
    /// A stable kebab-case word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::RowOrder => "row-order",
            Self::RowUpgrade => "row-upgrade",
            Self::ForeignKey => "foreign-key",
            Self::UniqueIndex => "unique-index",
            Self::TableOrder => "table-order",
            Self::TableUpgrade => "table-upgrade",
            Self::DdlAgainstDml => "ddl-against-dml",
            Self::Advisory => "advisory-order",
            Self::Mixed => "mixed",
        }
    }
}
