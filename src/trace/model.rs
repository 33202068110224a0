//! The words of a trace: what a recorder emits and a detector reads.
//!
//! Shared parts (shapes, result columns) are behind `Arc`, so that a recorder
//! makes them once per prepared statement and a record costs little more than
//! its own values.

use super::Tags;
use super::value::ValueHash;
use std::collections::HashSet;
use std::sync::Arc;

/// What a recorder keeps at most; reaching a bound is counted in [`Losses`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// Longest text of a shape, in bytes; longer ones are cut.
    pub shape_bytes: u32,
    /// Hashed values kept of one result, all columns together, eight bytes each: whole rows
    /// from the first one on. A trace of before this bound says how many of one column.
    pub values_per_result: u32,
    /// Result columns whose values are kept.
    pub columns: u16,
    /// Hashed values kept of one list argument.
    pub elements_per_argument: u32,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { shape_bytes: 4096, values_per_result: 524_288, columns: 64, elements_per_argument: 1024 }
    }
}

/// The first event of a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Which key the values were hashed with: values of two traces compare
    /// only under the same key. Never the key itself.
    pub hash_key_id: u64,
    /// Start of recording, UTC, microseconds since 1970.
    pub started_at_us: i64,
    /// What was recorded: a command line or a listening address.
    pub source: String,
    /// What the recorder kept at most.
    pub bounds: Bounds,
}

/// What a recorder could not keep. Anything but zeros makes a clean verdict inconclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Losses {
    /// Statements seen but not recorded.
    pub statements: u64,
    /// Messages that the decoder did not understand.
    pub undecoded_messages: u64,
    /// Result values beyond [`Bounds::values_per_result`] or [`Bounds::columns`].
    pub values: u64,
    /// Argument list elements beyond [`Bounds::elements_per_argument`].
    pub elements: u64,
    /// Connections that could not be followed (encrypted through, replication).
    pub opaque_connections: u64,
}

impl Losses {
    /// Adds what another part of the recorder lost.
    pub fn add(&mut self, other: &Self) {
        self.statements = self.statements.saturating_add(other.statements);
        self.undecoded_messages = self.undecoded_messages.saturating_add(other.undecoded_messages);
        self.values = self.values.saturating_add(other.values);
        self.elements = self.elements.saturating_add(other.elements);
        self.opaque_connections = self.opaque_connections.saturating_add(other.opaque_connections);
    }

    /// True where a statement may be missing from the trace.
    #[must_use]
    pub fn statements_may_be_missing(&self) -> bool {
        self.statements > 0 || self.undecoded_messages > 0 || self.opaque_connections > 0
    }
}

/// A statement's normalised text and its hash.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StatementShape {
    /// Literals, parameters, list lengths, formatting and comments gone.
    pub text: String,
    /// Of the whole normalised text, also where `text` was cut.
    pub hash: u64,
}

/// Where a result column comes from, as RowDescription says.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ColumnSource {
    /// The column's name in the result.
    pub name: String,
    /// OID of its table; 0 for an expression.
    pub table_oid: u32,
    /// Column number in its table; 0 for an expression.
    pub attribute_number: i16,
    /// OID of its type.
    pub type_oid: u32,
}

/// The kept values of one result column, in row order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ColumnValues {
    /// One per row, of the first rows where a bound was reached; NULL is [`ValueHash::NULL`].
    pub hashes: Vec<ValueHash>,
}

/// What stood at one placeholder of the shape: a bound parameter or an inlined
/// literal, which a trace does not tell apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Argument {
    /// NULL.
    Null,
    /// A single value.
    One(ValueHash),
    /// A list: an array, or the elements of an `IN (…)`.
    Many {
        /// The kept elements.
        hashes: Box<[ValueHash]>,
        /// How many there were.
        total: u32,
    },
    /// The recorder could not tell.
    Unknown,
}

/// How a statement ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Completed.
    Ok,
    /// An error with this SQLSTATE.
    Error([u8; 5]),
    /// Skipped by the server, as an earlier one of the pipeline failed.
    Skipped,
    /// The connection or the trace ended before it did.
    Unfinished,
}

/// How a statement travelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// Text in a Query message, alone or one of several.
    Simple,
    /// Parse, Bind, Execute.
    Extended,
    /// SQL-level EXECUTE of a prepared statement.
    SqlPrepared,
    /// COPY in either direction.
    Copy,
    /// A function call message.
    FunctionCall,
}

/// One execution of one statement.
#[derive(Debug, Clone, PartialEq)]
pub struct StatementRecord {
    /// Order of the requests over the whole trace; unique.
    pub sequence: u64,
    /// Connection, unique in the trace.
    pub connection: u64,
    /// Explicit transaction block, unique in the trace; none outside of one.
    /// BEGIN and COMMIT or ROLLBACK carry the id of their block.
    pub transaction: Option<u64>,
    /// The scope that the application itself named: `plimsoll.scope`, else a
    /// trace or scope tag in a comment. Scopes that follow from transactions
    /// and connections are the detector's.
    pub scope: Option<Arc<str>>,
    /// When the request went out, in microseconds since the start of the trace.
    pub start_us: u64,
    /// When the first row came back.
    pub first_row_us: Option<u64>,
    /// When it completed.
    pub end_us: u64,
    /// Its normalised text. For EXECUTE: of the statement prepared.
    pub shape: Arc<StatementShape>,
    /// What stood at the shape's placeholders, in the shape's order.
    pub arguments: Vec<Argument>,
    /// Rows returned, or affected by a write.
    pub rows: u64,
    /// Bytes of the rows returned.
    pub bytes: u64,
    /// The result's columns.
    pub columns: Arc<[ColumnSource]>,
    /// Their kept values: as many entries as `columns`, or none.
    pub values: Vec<ColumnValues>,
    /// How it ended.
    pub outcome: Outcome,
    /// How it travelled.
    pub protocol: Protocol,
    /// For a portal executed again after a suspension, and for FETCH of a
    /// declared cursor where the recorder follows it: `sequence` of the first part.
    pub continues: Option<u64>,
    /// The session's `application_name`.
    pub application_name: Option<Arc<str>>,
    /// sqlcommenter tags of this execution's text.
    pub tags: Option<Arc<Tags>>,
    /// The arguments as text, in the shape's order, where the recorder was told to keep values.
    pub kept_arguments: Option<Vec<Option<String>>>,
    /// The whole statement with its parameters written in, where the recorder was told to keep values
    /// and knows them all.
    pub kept_text: Option<String>,
}

impl StatementRecord {
    /// What it takes in memory; what records share is not counted.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let values: usize = self.values.iter().map(|column| column.hashes.len() * 8 + 24).sum();
        let kept: usize = self.kept_arguments.iter().flatten().flatten().map(|text| text.len() + 24).sum();
        let text = self.kept_text.as_ref().map_or(0, String::len);
        size_of::<Self>() + values + kept + text + self.arguments.len() * 24
    }
}

/// A table's name, resolved from the catalogue by whoever could.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableName {
    /// OID of the table.
    pub oid: u32,
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Its columns: number and name.
    pub columns: Vec<(i16, String)>,
}

/// One event of a trace file.
#[derive(Debug, Clone, PartialEq)]
pub enum TraceEvent {
    /// One execution.
    Statement(StatementRecord),
    /// A name for a table OID.
    Table(TableName),
    /// What was lost since the last such event.
    Loss(Losses),
    /// A connection was accepted: tells "nothing connected" from "nothing asked".
    Connected {
        /// Connection, unique in the trace.
        connection: u64,
    },
    /// A scope's own bound on statements.
    Limit(ScopeLimit),
    /// A connection that came to nothing.
    Refused {
        /// Who refused it.
        by: RefusedBy,
        /// What the client was told.
        reason: String,
    },
    /// The recorder ended in order; a trace without it was cut short.
    End,
}

/// How many statements a scope may ask at most, as its session said with
/// `SET plimsoll.max_statements`. A later one for the same scope counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeLimit {
    /// Connection that said so.
    pub connection: u64,
    /// The scope; none means what the connection asks outside of any.
    pub scope: Option<Arc<str>>,
    /// The bound; none lifts it.
    pub statements: Option<u64>,
}

impl ScopeLimit {
    /// What it bounds: a scope, which may span connections, or what one connection asks outside of any.
    #[must_use]
    pub fn key(&self) -> (Option<Arc<str>>, u64) {
        (self.scope.clone(), if self.scope.is_some() { 0 } else { self.connection })
    }
}

/// Scopes whose own bounds on statements a trace in memory keeps: the last ones.
pub const LIMITS_MAX: usize = 10_000;

/// Who refused a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefusedBy {
    /// The recorder, which found no way to the server.
    Recorder,
    /// The server, at the login.
    Server,
}

/// Connections that came to nothing, for one cause.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Refusals {
    /// How many.
    pub count: u64,
    /// What the first one was told.
    pub first: String,
}

impl Refusals {
    /// Adds those of another part.
    pub fn add(&mut self, other: &Self) {
        if self.count == 0 {
            self.first.clone_from(&other.first);
        }
        self.count += other.count;
    }
}

/// A trace in memory holds statements of at most so many bytes, unless the recorder was told otherwise.
pub const MEMORY_BYTES_MAX: usize = 2 * 1024 * 1024 * 1024;

/// A whole trace in memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// The first event.
    pub header: Header,
    /// Executions, in the order of the file (by completion).
    pub statements: Vec<StatementRecord>,
    /// Names of tables.
    pub tables: Vec<TableName>,
    /// Bounds on scopes, in the order in which they were set: the last of each scope.
    pub limits: Vec<ScopeLimit>,
    /// Bounds beyond [`LIMITS_MAX`] scopes, which were left out.
    pub limits_left_out: u64,
    /// Everything lost.
    pub losses: Losses,
    /// Connections accepted.
    pub connections: u64,
    /// Connections for which the recorder found no way to the server.
    pub unreached: Refusals,
    /// Connections that the server refused at the login.
    pub denied: Refusals,
    /// False where the file ends without [`TraceEvent::End`].
    pub complete: bool,
}

impl Trace {
    /// An empty trace.
    #[must_use]
    pub fn new(header: Header) -> Self {
        Self {
            header,
            statements: Vec::new(),
            tables: Vec::new(),
            limits: Vec::new(),
            limits_left_out: 0,
            losses: Losses::default(),
            connections: 0,
            unreached: Refusals::default(),
            denied: Refusals::default(),
            complete: false,
        }
    }

    /// Takes one event in.
    pub fn push(&mut self, event: TraceEvent) {
        match event {
            TraceEvent::Statement(record) => self.statements.push(record),
            TraceEvent::Table(table) => self.tables.push(table),
            TraceEvent::Loss(losses) => self.losses.add(&losses),
            TraceEvent::Limit(limit) => self.limit(limit),
            TraceEvent::Connected { .. } => self.connections += 1,
            TraceEvent::Refused { by, reason } => {
                let refusals = match by {
                    RefusedBy::Recorder => &mut self.unreached,
                    RefusedBy::Server => &mut self.denied,
                };
                refusals.add(&Refusals { count: 1, first: reason });
            }
            TraceEvent::End => self.complete = true,
        }
    }

    /// Keeps a bound; now and then only the last one of each scope.
    fn limit(&mut self, limit: ScopeLimit) {
        self.limits.push(limit);
        if self.limits.len() < 2 * LIMITS_MAX {
            return;
        }
        let mut known = HashSet::new();
        let mut kept: Vec<ScopeLimit> = std::mem::take(&mut self.limits);
        kept.reverse();
        kept.retain(|limit| known.insert(limit.key()));
        kept.reverse();
        let left_out = kept.len().saturating_sub(LIMITS_MAX);
        kept.drain(..left_out);
        self.limits_left_out += left_out as u64;
        self.limits = kept;
    }

    /// The name of a table's column, where it was resolved.
    #[must_use]
    pub fn column_name(&self, table_oid: u32, attribute_number: i16) -> Option<(&TableName, &str)> {
        let table = self.tables.iter().find(|table| table.oid == table_oid)?;
        let (_, column) = table.columns.iter().find(|(number, _)| *number == attribute_number)?;
        Some((table, column))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_on_scopes_are_bounded_themselves() {
        let header =
            Header { hash_key_id: 0, started_at_us: 0, source: String::new(), bounds: Bounds::default() };
        let mut trace = Trace::new(header);
        let mut set = |connection, scope: Option<&str>, statements| {
            let scope = scope.map(Arc::from);
            trace.push(TraceEvent::Limit(ScopeLimit { connection, scope, statements: Some(statements) }));
        };
        // One scope that sets its bound again and again, then ever new ones.
        (0..3 * LIMITS_MAX as u64).for_each(|at| set(at, Some("again"), at));
        (0..2 * LIMITS_MAX as u64).for_each(|at| set(at, None, 5));
        assert!(trace.limits.len() < 2 * LIMITS_MAX);
        assert!(trace.limits_left_out > 0);
        assert!(trace.limits.iter().filter(|limit| limit.scope.is_some()).count() <= 1);
        assert_eq!(trace.limits.last().map(|limit| limit.connection), Some(2 * LIMITS_MAX as u64 - 1));
    }
}
