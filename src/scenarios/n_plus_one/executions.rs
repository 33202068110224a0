//! A trace made ready for detection: executions in the order of their
//! requests, shapes read, result sets put together, scopes named.

use super::affinity::ResultColumn;
use super::limits::is_about_session;
use super::pace::pauses;
use super::reading::{Kind, Reading, identity, read};
use super::undone::{is_rollback, undone};
use crate::trace::{Argument, Protocol, StatementRecord, StatementShape, Trace, ValueHash};
use std::collections::{HashMap, HashSet};

/// One execution.
#[derive(Debug)]
pub(super) struct Execution<'t> {
    pub(super) record: &'t StatementRecord,
    /// Its shape's place in [`Executions::shapes`].
    pub(super) shape: usize,
    /// Its result set's place in [`Executions::results`], where it returned kept values.
    pub(super) result: Option<usize>,
    /// Its scope's place in [`Executions::scopes`].
    pub(super) scope: usize,
    /// Its scope is one that the application named.
    pub(super) is_scoped: bool,
    /// A transaction of a transactional test holds it.
    is_in_test_transaction: bool,
    /// A read that can be a child.
    pub(super) is_candidate: bool,
    /// The place of the rollback that undid it.
    pub(super) undone_by: Option<usize>,
}

/// A shape and how it was used.
#[derive(Debug)]
pub(super) struct ShapeUse<'t> {
    pub(super) shape: &'t StatementShape,
    pub(super) reading: Reading,
    /// Its candidate executions, in order.
    pub(super) candidates: Vec<usize>,
}

/// The rows of one execution, or of all parts of one portal or cursor.
#[derive(Debug)]
pub(super) struct ResultSet {
    /// The execution that opened it.
    pub(super) execution: usize,
    /// The shape that it is attributed to: for a cursor its DECLARE's.
    pub(super) shape: usize,
    /// Kept values per column, in row order.
    pub(super) columns: Vec<Vec<ValueHash>>,
    /// Rows returned so far.
    pub(super) rows: u64,
}

impl ResultSet {
    /// Rows that a column has, kept or not.
    pub(super) fn rows_of(&self, column: usize) -> usize {
        self.columns[column].len().max(usize::try_from(self.rows).unwrap_or(usize::MAX))
    }

    /// Whether the values of some rows of a column were not kept.
    pub(super) fn is_cut(&self, column: usize) -> bool {
        self.columns[column].len() < self.rows_of(column)
    }
}

/// Everything ready.
#[derive(Debug)]
pub(super) struct Executions<'t> {
    pub(super) all: Vec<Execution<'t>>,
    pub(super) shapes: Vec<ShapeUse<'t>>,
    pub(super) results: Vec<ResultSet>,
    pub(super) scopes: Vec<String>,
    /// Pauses on the connection of each execution up to it.
    pub(super) pauses: Vec<u32>,
    /// The last execution of each transaction.
    transaction_ends: HashMap<u64, usize>,
    trace: &'t Trace,
}

/// Begins the name of a scope that is a transaction.
const ROLLED_BACK: &str = "rolled-back transaction";

/// OIDs below this are the server's own.
const FIRST_USER_OID: u32 = 16_384;

impl<'t> Executions<'t> {
    pub(super) fn new(trace: &'t Trace) -> Self {
        let mut records: Vec<&StatementRecord> = trace.statements.iter().collect();
        records.sort_by_key(|record| (record.start_us, record.sequence));
        let scope_names = ScopeNames::new(&records);
        let mut executions = Self {
            all: Vec::new(),
            shapes: Vec::new(),
            results: Vec::new(),
            scopes: Vec::new(),
            pauses: pauses(records.iter().copied()),
            transaction_ends: HashMap::new(),
            trace,
        };
        let test_transactions = test_transactions(&records, &scope_names.rolled_back);
        let mut by_hash = HashMap::new();
        let mut by_name = HashMap::new();
        let mut open = OpenResults::default();
        let undone = undone(&records);
        for (record, undone_by) in records.into_iter().zip(undone) {
            let shape = executions.shape(record, &mut by_hash);
            let scope = executions.scope(scope_names.of(record), &mut by_name);
            let at = executions.all.len();
            let is_candidate = executions.is_candidate(record, shape);
            let is_scoped = record.scope.is_some();
            let is_in_test_transaction =
                !is_scoped && record.transaction.is_some_and(|id| test_transactions.contains(&id));
            executions.all.push(Execution {
                record,
                shape,
                result: None,
                scope,
                is_scoped,
                is_in_test_transaction,
                is_candidate,
                undone_by,
            });
            if let Some(transaction) = record.transaction {
                executions.transaction_ends.insert(transaction, at);
            }
            if is_candidate {
                executions.shapes[shape].candidates.push(at);
            }
            executions.attach_result(at, &mut open);
        }
        executions
    }

    fn shape(&mut self, record: &'t StatementRecord, by_hash: &mut HashMap<u64, usize>) -> usize {
        *by_hash.entry(record.shape.hash).or_insert_with(|| {
            let reading = read(&record.shape.text);
            self.shapes.push(ShapeUse { shape: &record.shape, reading, candidates: Vec::new() });
            self.shapes.len() - 1
        })
    }

    fn scope(&mut self, name: String, by_name: &mut HashMap<String, usize>) -> usize {
        if let Some(known) = by_name.get(&name) {
            return *known;
        }
        self.scopes.push(name.clone());
        by_name.insert(name, self.scopes.len() - 1);
        self.scopes.len() - 1
    }

    fn is_candidate(&self, record: &StatementRecord, shape: usize) -> bool {
        let reads_catalogue = !record.columns.is_empty()
            && record.columns.iter().any(|column| column.table_oid > 0)
            && record.columns.iter().all(|column| column.table_oid < FIRST_USER_OID)
            && record.columns.iter().filter(|column| column.table_oid > 0).count() * 2
                >= record.columns.len();
        self.shapes[shape].reading.kind == Kind::Read
            && record.protocol != Protocol::Copy
            && record.continues.is_none()
            && !reads_catalogue
    }

    /// Puts the values of an execution into its result set: a new one, or that
    /// of the portal or cursor which it continues.
    fn attach_result(&mut self, at: usize, open: &mut OpenResults) {
        let execution = &self.all[at];
        let (record, shape) = (execution.record, execution.shape);
        let reading = &self.shapes[shape].reading;
        let cursor = reading.cursor.clone().map(|name| (record.connection, name));
        if let (true, Some(cursor)) = (reading.is_declare, &cursor) {
            open.cursors.insert(cursor.clone(), (at, None));
        }
        let is_catalogue = reading.kind == Kind::Other;
        if record.values.is_empty()
            || record.values.iter().all(|column| column.hashes.is_empty())
            || is_catalogue
        {
            open.by_sequence.insert(record.sequence, (at, None));
            return;
        }
        let opener = match (reading.kind, cursor) {
            (Kind::Fetch, Some(cursor)) => open.cursors.get_mut(&cursor),
            _ => None,
        };
        let opener = match (opener, record.continues) {
            (Some(opener), _) => Some(opener),
            (None, Some(sequence)) => open.by_sequence.get_mut(&sequence),
            (None, None) => None,
        };
        let known = opener.as_ref().and_then(|(_, result)| *result);
        let result = known.unwrap_or(self.results.len());
        if known.is_none() {
            let opened_by = opener.as_ref().map_or(at, |(opened_by, _)| *opened_by);
            self.results.push(ResultSet {
                execution: opened_by,
                shape: self.all[opened_by].shape,
                columns: vec![Vec::new(); record.values.len()],
                rows: 0,
            });
        }
        match opener {
            Some((_, opened)) => *opened = Some(result),
            None => {
                open.by_sequence.insert(record.sequence, (at, Some(result)));
            }
        }
        let set = &mut self.results[result];
        set.rows += record.rows;
        for (column, values) in set.columns.iter_mut().zip(&record.values) {
            column.extend_from_slice(&values.hashes);
        }
        self.all[at].result = Some(result);
    }

    /// The single value at a placeholder; a list of one counts as one.
    pub(super) fn single(&self, execution: usize, position: usize) -> Option<ValueHash> {
        match self.all[execution].record.arguments.get(position)? {
            Argument::One(hash) => Some(*hash),
            Argument::Many { hashes, total: 1 } => hashes.first().copied().filter(|hash| !hash.is_null()),
            _ => None,
        }
    }

    /// What is asked for at a placeholder: one value, or those of a list.
    pub(super) fn asked(&self, execution: usize, position: usize) -> &[ValueHash] {
        match self.all[execution].record.arguments.get(position) {
            Some(Argument::One(hash)) => std::slice::from_ref(hash),
            Some(Argument::Many { hashes, .. }) => hashes,
            _ => &[],
        }
    }

    /// The first value asked for, which stands for all of a list.
    pub(super) fn key(&self, execution: usize, position: usize) -> Option<ValueHash> {
        self.asked(execution, position).first().copied().filter(|hash| !hash.is_null())
    }

    /// Whether several values are asked for at once.
    pub(super) fn is_list(&self, execution: usize, position: usize) -> bool {
        self.asked(execution, position).len() > 1
    }

    /// What a shape is called in a fingerprint.
    pub(super) fn identity(&self, shape: usize) -> u64 {
        identity(self.shapes[shape].shape, self.trace.header.bounds.shape_bytes as usize)
    }

    /// What is known of the name of a result column.
    pub(super) fn result_column(&self, execution: usize, column: usize) -> ResultColumn {
        let execution = &self.all[execution];
        let Some(source) = execution.record.columns.get(column) else {
            return ResultColumn::default();
        };
        let resolved = self.trace.column_name(source.table_oid, source.attribute_number);
        let tables = &self.shapes[execution.shape].reading.tables;
        let only_table = match tables.as_slice() {
            [only] if source.table_oid > 0 || resolved.is_none() => Some(only.clone()),
            _ => None,
        };
        ResultColumn {
            table: resolved.map(|(table, _)| table.name.clone()).or(only_table),
            name: source.name.clone(),
            source_name: resolved.map(|(_, name)| name.to_owned()).filter(|name| *name != source.name),
            is_integer: matches!(source.type_oid, 20 | 21 | 23 | 26 | 0),
            is_expression: source.table_oid == 0,
        }
    }
}

/// Result sets that later executions may add to.
#[derive(Default)]
struct OpenResults {
    /// By connection and cursor: the DECLARE and its result set.
    cursors: HashMap<(u64, String), (usize, Option<usize>)>,
    /// By sequence of the first part.
    by_sequence: HashMap<u64, (usize, Option<usize>)>,
}

/// Names of scopes: the application's own, a rolled-back transaction (what a
/// transactional test leaves), the application's name, else the connection.
struct ScopeNames {
    rolled_back: HashSet<u64>,
}

/// Rolled-back transactions that changed something or set savepoints, as
/// transactional tests do. One that only read may be an ORM giving its
/// connection back: what it read lives on in the application.
fn test_transactions(records: &[&StatementRecord], rolled_back: &HashSet<u64>) -> HashSet<u64> {
    let changes = |record: &&&StatementRecord| {
        let word = record.shape.text.split([' ', '(']).next().unwrap_or_default();
        matches!(word, "insert" | "update" | "delete" | "merge" | "copy" | "savepoint" | "create")
    };
    let changed = records.iter().filter(changes).filter_map(|record| record.transaction);
    changed.filter(|transaction| rolled_back.contains(transaction)).collect()
}

impl ScopeNames {
    fn new(records: &[&StatementRecord]) -> Self {
        let rolled_back = records
            .iter()
            .filter(|record| is_rollback(&record.shape.text))
            .filter_map(|record| record.transaction)
            .collect();
        Self { rolled_back }
    }

    fn of(&self, record: &StatementRecord) -> String {
        if let Some(scope) = &record.scope {
            return scope.to_string();
        }
        if let Some(transaction) = record.transaction.filter(|id| self.rolled_back.contains(id)) {
            return format!("{ROLLED_BACK} {transaction}");
        }
        match &record.application_name {
            Some(name) if !name.is_empty() => format!("application {name}"),
            _ => format!("connection {}", record.connection),
        }
    }
}

impl Executions<'_> {
    /// Whether the rows of a result set can be behind an execution: not those of
    /// another scope, nor what a transactional test read that has ended.
    pub(super) fn can_feed(&self, result: usize, execution: usize) -> bool {
        let (parent, child) = (&self.all[self.results[result].execution], &self.all[execution]);
        let is_foreign = parent.is_scoped && child.is_scoped && parent.scope != child.scope;
        let is_undone = parent.record.transaction == child.record.transaction
            && parent.undone_by.is_some_and(|rollback| rollback < execution);
        let is_over = parent.is_in_test_transaction && parent.record.transaction != child.record.transaction;
        let has_ended = parent.record.connection == child.record.connection && (is_undone || is_over);
        !is_foreign && !has_ended
    }

    /// Whether the transaction of an execution went on behind another one.
    pub(super) fn is_open_at(&self, execution: usize, other: usize) -> bool {
        let transaction = self.all[execution].record.transaction;
        transaction.and_then(|id| self.transaction_ends.get(&id)).is_some_and(|end| *end > other)
    }

    /// Whether an execution's transaction was rolled back, and names its scope.
    pub(super) fn is_rolled_back(&self, execution: usize) -> bool {
        let of_transaction = |id| format!("{ROLLED_BACK} {id}");
        let scope = &self.scopes[self.all[execution].scope];
        self.all[execution].record.transaction.is_some_and(|id| of_transaction(id) == *scope)
    }

    /// The scopes that something was asked in, and those that the application named.
    pub(super) fn asked_scopes(&self) -> Vec<String> {
        let mut is_asked = vec![false; self.scopes.len()];
        for execution in &self.all {
            is_asked[execution.scope] |=
                execution.record.scope.is_some() || !is_about_session(&execution.record.shape.text);
        }
        self.scopes
            .iter()
            .zip(is_asked)
            .filter(|(_, is_asked)| *is_asked)
            .map(|(scope, _)| scope.clone())
            .collect()
    }

    /// The scope that keeps an execution to itself: one that the application named,
    /// or a transactional test's. The others only name the place.
    pub(super) fn own_scope(&self, execution: usize) -> Option<usize> {
        let execution = &self.all[execution];
        (execution.is_scoped || execution.is_in_test_transaction).then_some(execution.scope)
    }
}
