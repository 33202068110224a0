//! One statement on its way: begun by a request, filled by rows, finished by
//! the server's word.

use super::columns::{Description, ResultFormats};
use super::ledger::Ledger;
use super::prepared::Portal;
use super::texts::Statement;
use crate::trace::{
    Argument, ColumnSource, ColumnValues, Outcome, Protocol, StatementRecord, StatementShape, ValueHash,
};
use crate::wire::{DataRow, Field};
use std::rc::Rc;
use std::sync::{Arc, LazyLock};

/// What a statement without a result has; one for all, as the trace file tells things apart by place.
static NO_COLUMNS: LazyLock<Arc<[ColumnSource]>> = LazyLock::new(|| Arc::from([]));

/// Kept values from which on a result gives back what it does not need.
const SHRUNK_FROM: usize = 4096;

/// A statement that has been asked for.
#[derive(Debug)]
pub(super) struct Execution {
    pub(super) sequence: u64,
    pub(super) start_us: u64,
    first_row_us: Option<u64>,
    pub(super) statement: Rc<Statement>,
    /// The shape to report: of what was prepared or declared, where that differs.
    pub(super) shape: Arc<StatementShape>,
    pub(super) arguments: Vec<Argument>,
    pub(super) kept_arguments: Option<Vec<Option<String>>>,
    pub(super) kept_text: Option<String>,
    pub(super) protocol: Protocol,
    rows: u64,
    pub(super) bytes: u64,
    description: Option<Rc<Description>>,
    formats: ResultFormats,
    is_described: bool,
    values: Vec<ColumnValues>,
    /// Values kept so far, of all columns.
    kept: usize,
    pub(super) continues: Option<u64>,
}

/// What the session knows about a statement at its end.
#[derive(Debug, Clone)]
pub(super) struct Labels {
    pub(super) connection: u64,
    pub(super) transaction: Option<u64>,
    pub(super) scope: Option<Arc<str>>,
    pub(super) application_name: Option<Arc<str>>,
}

impl Execution {
    pub(super) fn new(sequence: u64, start_us: u64, statement: Rc<Statement>, protocol: Protocol) -> Self {
        Self {
            sequence,
            start_us,
            first_row_us: None,
            shape: statement.template.shape.clone(),
            statement,
            arguments: Vec::new(),
            kept_arguments: None,
            kept_text: None,
            protocol,
            rows: 0,
            bytes: 0,
            description: None,
            formats: ResultFormats::Described,
            is_described: false,
            values: Vec::new(),
            kept: 0,
            continues: None,
        }
    }

    /// Tells what the rows will look like.
    pub(super) fn describe(&mut self, description: Option<Rc<Description>>, formats: ResultFormats) {
        self.formats = formats;
        if let Some(description) = description {
            self.values = vec![ColumnValues::default(); description.columns.len()];
            self.description = Some(description);
        }
    }

    /// Tells what the rows of a portal will look like, once.
    pub(super) fn describe_by(&mut self, portal: &Portal) {
        if self.is_described {
            return;
        }
        self.is_described = true;
        // In a pipeline only the answers tell that an earlier part was suspended.
        self.continues = self.continues.or(portal.first.get());
        let described = portal.description.borrow().clone();
        let description = described.or_else(|| portal.prepared.description.borrow().clone());
        self.describe(description, portal.formats.clone());
    }

    /// Takes a row of `row_bytes` on the wire.
    pub(super) fn row(&mut self, row: &DataRow<'_>, row_bytes: u64, at_us: u64, ledger: &mut Ledger) {
        self.rows += 1;
        self.bytes += row_bytes;
        self.first_row_us.get_or_insert(at_us);
        let fields = row.fields();
        let Some(description) = &self.description else {
            ledger.losses.values += fields.len() as u64;
            return;
        };
        let columns_max = usize::from(ledger.bounds.columns);
        let row_values = self.values.len().min(columns_max);
        let is_full = self.kept + row_values > ledger.bounds.values_per_result as usize;
        self.kept += if is_full { 0 } else { row_values };
        for (index, field) in fields.enumerate() {
            let (Some(column), Some(values)) = (description.columns.get(index), self.values.get_mut(index))
            else {
                ledger.losses.values += 1;
                continue;
            };
            if is_full || index >= columns_max {
                ledger.losses.values += 1;
                continue;
            }
            let hash = match field {
                Field::Null => ValueHash::NULL,
                Field::Value(bytes) => {
                    let format = self.formats.of_column(index, description);
                    ledger.hasher.value(column.type_oid, format, bytes)
                }
                Field::Cut => {
                    ledger.losses.values += 1;
                    ValueHash::NULL
                }
            };
            values.hashes.push(hash);
        }
    }

    /// The record of what happened.
    pub(super) fn finish(
        mut self,
        outcome: Outcome,
        end_us: u64,
        rows: Option<u64>,
        labels: Labels,
    ) -> StatementRecord {
        // A long result has grown by doubling.
        if self.kept >= SHRUNK_FROM {
            self.values.iter_mut().for_each(|column| column.hashes.shrink_to_fit());
        }
        let columns = match &self.description {
            Some(description) => description.columns.clone(),
            None => NO_COLUMNS.clone(),
        };
        StatementRecord {
            sequence: self.sequence,
            connection: labels.connection,
            transaction: labels.transaction,
            scope: labels.scope.or_else(|| self.statement.scope.clone()),
            start_us: self.start_us,
            first_row_us: self.first_row_us,
            end_us: end_us.max(self.start_us),
            shape: self.shape,
            arguments: self.arguments,
            // A portal fetched in parts and a plain SELECT agree on the rows seen;
            // what returned none says in its tag how many it changed.
            rows: if self.rows > 0 { self.rows } else { rows.unwrap_or(0) },
            bytes: self.bytes,
            columns,
            values: self.values,
            outcome,
            protocol: self.protocol,
            continues: self.continues,
            application_name: labels.application_name,
            tags: self.statement.tags.clone(),
            kept_arguments: self.kept_arguments,
            kept_text: self.kept_text,
        }
    }
}
