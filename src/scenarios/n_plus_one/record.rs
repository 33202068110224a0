//! A session that writes down what passes through it: the recorder for
//! statements that Plimsoll itself executes. Applications are recorded by the
//! wire proxy.

use crate::postgres::{NamedTable, Session, TextParameter, name_tables};
use crate::stats::clock;
use crate::trace::{
    Bounds, ColumnSource, ColumnValues, Format, Header, Outcome, Protocol, StatementRecord,
    StatementTemplate, TableName, Trace, TraceEvent, ValueHasher,
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio_postgres::types::{FromSql, Type};
use tokio_postgres::{Row, Statement};

/// What several sessions write down together.
#[derive(Debug)]
pub(super) struct Tape {
    hasher: ValueHasher,
    start: Instant,
    reel: Mutex<Reel>,
}

#[derive(Debug)]
struct Reel {
    trace: Trace,
    sequence: u64,
}

impl Tape {
    pub(super) fn new(source: &str, key: u64) -> Self {
        let hasher = ValueHasher::new(key);
        let header = Header {
            hash_key_id: hasher.key_id(),
            started_at_us: 0,
            source: source.to_owned(),
            bounds: Bounds::default(),
        };
        Self {
            hasher,
            start: clock::now(),
            reel: Mutex::new(Reel { trace: Trace::new(header), sequence: 0 }),
        }
    }

    /// Ends the recording.
    pub(super) fn into_trace(self: Arc<Self>) -> Trace {
        let mut trace = self.reel().trace.clone();
        trace.complete = true;
        trace
    }

    fn reel(&self) -> MutexGuard<'_, Reel> {
        self.reel.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_us(&self) -> u64 {
        u64::try_from((clock::now() - self.start).as_micros()).unwrap_or(u64::MAX)
    }
}

/// A session under recording.
#[derive(Debug)]
pub(super) struct RecordedSession {
    session: Session,
    tape: Arc<Tape>,
    connection: u64,
    scope: Arc<str>,
}

impl RecordedSession {
    pub(super) fn new(session: Session, tape: &Arc<Tape>, scope: &str) -> Self {
        let connection = {
            let mut reel = tape.reel();
            let connection = reel.trace.connections + 1;
            reel.trace.push(TraceEvent::Connected { connection });
            connection
        };
        Self { session, tape: tape.clone(), connection, scope: Arc::from(scope) }
    }

    /// Executes one statement and writes it down.
    pub(super) async fn query(
        &self,
        sql: &str,
        values: &[Option<String>],
    ) -> Result<Vec<Row>, tokio_postgres::Error> {
        let statement = self.session.prepare(sql).await?;
        let parameters = TextParameter::all(values);
        let sequence = {
            let mut reel = self.tape.reel();
            reel.sequence += 1;
            reel.sequence
        };
        let start_us = self.tape.now_us();
        let answer = self.session.query(&statement, &TextParameter::references(&parameters)).await;
        let end_us = self.tape.now_us();
        let rows = answer.as_deref().unwrap_or_default();
        let mut record = self.record(sql, &statement, values, rows);
        (record.sequence, record.start_us, record.end_us) = (sequence, start_us, end_us);
        record.first_row_us = (!rows.is_empty()).then_some(end_us);
        if let Err(error) = &answer {
            record.outcome = outcome(error);
        }
        self.tape.reel().trace.push(TraceEvent::Statement(record));
        answer
    }

    fn record(
        &self,
        sql: &str,
        statement: &Statement,
        values: &[Option<String>],
        rows: &[Row],
    ) -> StatementRecord {
        let (hasher, bounds) = (&self.tape.hasher, Bounds::default());
        let template = StatementTemplate::parse(sql, hasher, &bounds);
        let arguments = template.arguments(hasher, bounds.elements_per_argument, |number| {
            let oid = statement.params().get(number).map_or(0, Type::oid);
            values.get(number).map(|value| (oid, Format::Text, value.as_deref().map(str::as_bytes)))
        });
        let columns: Arc<[ColumnSource]> = statement.columns().iter().map(column_source).collect();
        let mut bytes = 0;
        let kept = rows.len().min(bounds.values_per_column as usize);
        let values = columns
            .iter()
            .enumerate()
            .map(|(at, column)| ColumnValues {
                hashes: rows[..kept]
                    .iter()
                    .map(|row| {
                        let raw: Option<RawValue<'_>> = row.try_get(at).unwrap_or(None);
                        bytes += raw.as_ref().map_or(0, |raw| raw.0.len() as u64);
                        hasher.column_value(column.type_oid, Format::Binary, raw.map(|raw| raw.0))
                    })
                    .collect(),
            })
            .collect();
        StatementRecord {
            sequence: 0,
            connection: self.connection,
            transaction: None,
            scope: Some(self.scope.clone()),
            start_us: 0,
            first_row_us: None,
            end_us: 0,
            shape: template.shape,
            arguments,
            rows: rows.len() as u64,
            bytes,
            columns,
            values,
            outcome: Outcome::Ok,
            protocol: Protocol::Extended,
            continues: None,
            application_name: None,
            tags: None,
            kept_arguments: None,
            kept_text: None,
        }
    }
}

fn column_source(column: &tokio_postgres::Column) -> ColumnSource {
    ColumnSource {
        name: column.name().to_owned(),
        table_oid: column.table_oid().unwrap_or(0),
        attribute_number: column.column_id().unwrap_or(0),
        type_oid: column.type_().oid(),
    }
}

fn outcome(error: &tokio_postgres::Error) -> Outcome {
    let code = error.code().and_then(|code| code.code().as_bytes().try_into().ok());
    code.map_or(Outcome::Unfinished, Outcome::Error)
}

/// The bytes of a value as they came.
pub(super) struct RawValue<'a>(pub(super) &'a [u8]);

impl<'a> FromSql<'a> for RawValue<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(raw))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// Names the tables that a trace's columns come from.
pub(super) async fn resolve_tables(
    session: &Session,
    trace: &mut Trace,
) -> Result<(), crate::postgres::Error> {
    let mut oids: Vec<u32> = trace
        .statements
        .iter()
        .flat_map(|record| record.columns.iter().map(|column| column.table_oid))
        .filter(|oid| *oid > 0 && trace.tables.iter().all(|table| table.oid != *oid))
        .collect();
    oids.sort_unstable();
    oids.dedup();
    if oids.is_empty() {
        return Ok(());
    }
    for NamedTable { oid, schema, name, columns } in name_tables(session, &oids).await? {
        trace.tables.push(TableName { oid, schema, name, columns });
    }
    Ok(())
}
