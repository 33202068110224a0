//! Events to bytes and back, inside one block of a trace file.
//!
//! Shapes, result columns and strings are written once per block and referred
//! to by number, so that a block can be read without the ones before it and
//! neither side's memory grows with the trace.

use super::Tags;
use super::model::{
    Argument, ColumnSource, ColumnValues, Losses, Outcome, Protocol, RefusedBy, ScopeLimit, StatementRecord,
    StatementShape, TableName, TraceEvent,
};
use super::value::ValueHash;
use std::collections::HashMap;
use std::sync::Arc;

/// Why bytes could not be read: a phrase for the end of a sentence.
pub(super) type Malformed = &'static str;

/// Bytes going out.
#[derive(Debug, Default)]
pub(super) struct Output {
    pub(super) bytes: Vec<u8>,
}

impl Output {
    /// LEB128.
    pub(super) fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.push((number as u8) | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }

    pub(super) fn fixed(&mut self, number: u64) {
        self.bytes.extend_from_slice(&number.to_le_bytes());
    }

    pub(super) fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.bytes.extend_from_slice(text.as_bytes());
    }

    fn optional(&mut self, number: Option<u64>) {
        self.number(number.map_or(0, |number| number.saturating_add(1)));
    }
}

/// Bytes coming in.
#[derive(Debug)]
pub(super) struct Input<'a> {
    pub(super) bytes: &'a [u8],
}

impl<'a> Input<'a> {
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        if count > self.bytes.len() {
            return Err("it ends in the middle of a field");
        }
        let (taken, rest) = self.bytes.split_at(count);
        self.bytes = rest;
        Ok(taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, Malformed> {
        Ok(self.take(1)?[0])
    }

    pub(super) fn number(&mut self) -> Result<u64, Malformed> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err("a number is longer than 64 bits")
    }

    /// A count of things of at least one byte each, so bounded by what is left.
    fn count(&mut self) -> Result<usize, Malformed> {
        let count = usize::try_from(self.number()?).map_err(|_| "a count is too large")?;
        if count > self.bytes.len() { Err("a count is larger than its block") } else { Ok(count) }
    }

    fn narrow<T: TryFrom<u64>>(&mut self) -> Result<T, Malformed> {
        T::try_from(self.number()?).map_err(|_| "a number is out of range")
    }

    pub(super) fn fixed(&mut self) -> Result<u64, Malformed> {
        let bytes = self.take(8)?.try_into().map_err(|_| "a number is cut")?;
        Ok(u64::from_le_bytes(bytes))
    }

    pub(super) fn text(&mut self) -> Result<String, Malformed> {
        let length = self.count()?;
        String::from_utf8(self.take(length)?.to_vec()).map_err(|_| "text is not UTF-8")
    }

    fn optional(&mut self) -> Result<Option<u64>, Malformed> {
        Ok(self.number()?.checked_sub(1))
    }

    fn hashes(&mut self) -> Result<Vec<ValueHash>, Malformed> {
        let count = self.count()?;
        (0..count).map(|_| self.fixed().map(ValueHash)).collect()
    }
}

/// What a block has written so far, by number.
#[derive(Debug, Default)]
pub(super) struct WrittenTables {
    shapes: Written<StatementShape>,
    columns: Written<[ColumnSource]>,
    strings: Written<str>,
}

/// Things by where they are in memory: whoever records shares what is equal,
/// and what is not shared is only written once more. Holding on to each keeps
/// its place from being given to another.
type Written<T> = HashMap<usize, (u64, Arc<T>)>;

/// What a block has told so far, in order.
#[derive(Debug, Default)]
pub(super) struct ReadTables {
    shapes: Vec<Arc<StatementShape>>,
    columns: Vec<Arc<[ColumnSource]>>,
    strings: Vec<Arc<str>>,
}

/// Writes a reference: a known one's number + 1, or 0 and the thing itself.
fn intern<T: ?Sized>(
    known: &mut Written<T>,
    thing: &Arc<T>,
    output: &mut Output,
    write: impl FnOnce(&mut Output),
) {
    let place = Arc::as_ptr(thing).addr();
    if let Some((number, _)) = known.get(&place) {
        output.number(number + 1);
        return;
    }
    known.insert(place, (known.len() as u64, thing.clone()));
    output.number(0);
    write(output);
}

fn resolve<T: Clone>(
    known: &mut Vec<T>,
    input: &mut Input<'_>,
    read: impl FnOnce(&mut Input<'_>) -> Result<T, Malformed>,
) -> Result<T, Malformed> {
    match input.number()?.checked_sub(1) {
        Some(number) => {
            let index = usize::try_from(number).map_err(|_| "a reference is too large")?;
            known.get(index).cloned().ok_or("it refers to something not written before")
        }
        None => {
            let thing = read(input)?;
            known.push(thing.clone());
            Ok(thing)
        }
    }
}

/// Appends one event.
pub(super) fn write_event(event: &TraceEvent, tables: &mut WrittenTables, output: &mut Output) {
    match event {
        TraceEvent::Statement(record) => {
            output.bytes.push(1);
            write_statement(record, tables, output);
        }
        TraceEvent::Table(table) => {
            output.bytes.push(2);
            output.number(u64::from(table.oid));
            output.text(&table.schema);
            output.text(&table.name);
            output.number(table.columns.len() as u64);
            for (number, name) in &table.columns {
                output.number(u64::from(number.cast_unsigned()));
                output.text(name);
            }
        }
        TraceEvent::Loss(losses) => {
            output.bytes.push(3);
            for count in [
                losses.statements,
                losses.undecoded_messages,
                losses.values,
                losses.elements,
                losses.opaque_connections,
            ] {
                output.number(count);
            }
        }
        TraceEvent::Connected { connection } => {
            output.bytes.push(4);
            output.number(*connection);
        }
        TraceEvent::End => output.bytes.push(5),
        TraceEvent::Refused { by, reason } => {
            output.bytes.push(match by {
                RefusedBy::Recorder => 7,
                RefusedBy::Server => 8,
            });
            output.text(reason);
        }
        TraceEvent::Limit(limit) => {
            output.bytes.push(6);
            output.number(limit.connection);
            output.optional(limit.statements);
            output.bytes.push(u8::from(limit.scope.is_some()));
            if let Some(scope) = &limit.scope {
                intern(&mut tables.strings, scope, output, |output| output.text(scope));
            }
        }
    }
}

/// Reads one event.
pub(super) fn read_event(input: &mut Input<'_>, tables: &mut ReadTables) -> Result<TraceEvent, Malformed> {
    match input.byte()? {
        1 => read_statement(input, tables).map(TraceEvent::Statement),
        2 => {
            let (oid, schema, name) = (input.narrow()?, input.text()?, input.text()?);
            let columns = (0..input.count()?)
                .map(|_| Ok((input.narrow::<u16>()?.cast_signed(), input.text()?)))
                .collect::<Result<_, Malformed>>()?;
            Ok(TraceEvent::Table(TableName { oid, schema, name, columns }))
        }
        3 => Ok(TraceEvent::Loss(Losses {
            statements: input.number()?,
            undecoded_messages: input.number()?,
            values: input.number()?,
            elements: input.number()?,
            opaque_connections: input.number()?,
        })),
        4 => Ok(TraceEvent::Connected { connection: input.number()? }),
        5 => Ok(TraceEvent::End),
        7 => Ok(TraceEvent::Refused { by: RefusedBy::Recorder, reason: input.text()? }),
        8 => Ok(TraceEvent::Refused { by: RefusedBy::Server, reason: input.text()? }),
        6 => {
            let (connection, statements) = (input.number()?, input.optional()?);
            let has_scope = input.byte()? != 0;
            let scope = has_scope
                .then(|| resolve(&mut tables.strings, input, |input| input.text().map(Arc::from)))
                .transpose()?;
            Ok(TraceEvent::Limit(ScopeLimit { connection, scope, statements }))
        }
        _ => Err("it holds an event of an unknown kind"),
    }
}

fn write_statement(record: &StatementRecord, tables: &mut WrittenTables, output: &mut Output) {
    output.number(record.sequence);
    output.number(record.connection);
    output.optional(record.transaction);
    output.number(record.start_us);
    output.optional(record.first_row_us.map(|first| first.saturating_sub(record.start_us)));
    output.number(record.end_us.saturating_sub(record.start_us));
    intern(&mut tables.shapes, &record.shape, output, |output| {
        output.text(&record.shape.text);
        output.fixed(record.shape.hash);
    });
    output.number(record.rows);
    output.number(record.bytes);
    intern(&mut tables.columns, &record.columns, output, |output| {
        output.number(record.columns.len() as u64);
        for column in record.columns.iter() {
            output.text(&column.name);
            output.number(u64::from(column.table_oid));
            output.number(u64::from(column.attribute_number.cast_unsigned()));
            output.number(u64::from(column.type_oid));
        }
    });
    output.number(record.values.len() as u64);
    for column in &record.values {
        write_hashes(&column.hashes, output);
    }
    write_arguments(&record.arguments, output);
    write_outcome(record, output);
    output.optional(record.continues);
    write_labels(record, tables, output);
}

fn write_hashes(hashes: &[ValueHash], output: &mut Output) {
    output.number(hashes.len() as u64);
    for hash in hashes {
        output.fixed(hash.0);
    }
}

fn write_arguments(arguments: &[Argument], output: &mut Output) {
    output.number(arguments.len() as u64);
    for argument in arguments {
        match argument {
            Argument::Null => output.bytes.push(0),
            Argument::One(hash) => {
                output.bytes.push(1);
                output.fixed(hash.0);
            }
            Argument::Many { hashes, total } => {
                output.bytes.push(2);
                output.number(u64::from(*total));
                write_hashes(hashes, output);
            }
            Argument::Unknown => output.bytes.push(3),
        }
    }
}

fn write_outcome(record: &StatementRecord, output: &mut Output) {
    match record.outcome {
        Outcome::Ok => output.bytes.push(0),
        Outcome::Error(code) => {
            output.bytes.push(1);
            output.bytes.extend_from_slice(&code);
        }
        Outcome::Skipped => output.bytes.push(2),
        Outcome::Unfinished => output.bytes.push(3),
    }
    output.bytes.push(match record.protocol {
        Protocol::Simple => 0,
        Protocol::Extended => 1,
        Protocol::SqlPrepared => 2,
        Protocol::Copy => 3,
        Protocol::FunctionCall => 4,
    });
}

/// Scope, application name, tags, kept arguments: a bit each, then those present.
fn write_labels(record: &StatementRecord, tables: &mut WrittenTables, output: &mut Output) {
    let present = u8::from(record.scope.is_some())
        | u8::from(record.application_name.is_some()) << 1
        | u8::from(record.tags.is_some()) << 2
        | u8::from(record.kept_arguments.is_some()) << 3
        | u8::from(record.kept_text.is_some()) << 4;
    output.bytes.push(present);
    for label in [&record.scope, &record.application_name].into_iter().flatten() {
        intern(&mut tables.strings, label, output, |output| output.text(label));
    }
    if let Some(tags) = &record.tags {
        output.number(tags.0.len() as u64);
        for (key, value) in &tags.0 {
            output.text(key);
            output.text(value);
        }
    }
    if let Some(kept) = &record.kept_arguments {
        output.number(kept.len() as u64);
        for value in kept {
            output.bytes.push(u8::from(value.is_some()));
            if let Some(value) = value {
                output.text(value);
            }
        }
    }
    if let Some(text) = &record.kept_text {
        output.text(text);
    }
}

fn read_statement(input: &mut Input<'_>, tables: &mut ReadTables) -> Result<StatementRecord, Malformed> {
    let (sequence, connection, transaction) = (input.number()?, input.number()?, input.optional()?);
    let start_us = input.number()?;
    let first_row_us = input.optional()?.map(|after| start_us.saturating_add(after));
    let end_us = start_us.saturating_add(input.number()?);
    let shape = resolve(&mut tables.shapes, input, |input| {
        Ok(Arc::new(StatementShape { text: input.text()?, hash: input.fixed()? }))
    })?;
    let (rows, bytes) = (input.number()?, input.number()?);
    let columns = resolve(&mut tables.columns, input, |input| {
        let count = input.count()?;
        (0..count).map(|_| read_column(input)).collect()
    })?;
    let values = (0..input.count()?)
        .map(|_| input.hashes().map(|hashes| ColumnValues { hashes }))
        .collect::<Result<_, _>>()?;
    let arguments = (0..input.count()?).map(|_| read_argument(input)).collect::<Result<_, _>>()?;
    let (outcome, protocol) = read_outcome(input)?;
    let continues = input.optional()?;
    let present = input.byte()?;
    let mut string = |bit: u8, input: &mut Input<'_>| {
        (present & bit != 0)
            .then(|| resolve(&mut tables.strings, input, |input| input.text().map(Arc::from)))
            .transpose()
    };
    let (scope, application_name) = (string(1, input)?, string(2, input)?);
    let tags = (present & 4 != 0).then(|| read_tags(input)).transpose()?.map(Arc::new);
    let kept_arguments = (present & 8 != 0).then(|| read_kept(input)).transpose()?;
    let kept_text = (present & 16 != 0).then(|| input.text()).transpose()?;
    Ok(StatementRecord {
        sequence,
        connection,
        transaction,
        scope,
        start_us,
        first_row_us,
        end_us,
        shape,
        arguments,
        rows,
        bytes,
        columns,
        values,
        outcome,
        protocol,
        continues,
        application_name,
        tags,
        kept_arguments,
        kept_text,
    })
}

fn read_column(input: &mut Input<'_>) -> Result<ColumnSource, Malformed> {
    Ok(ColumnSource {
        name: input.text()?,
        table_oid: input.narrow()?,
        attribute_number: input.narrow::<u16>()?.cast_signed(),
        type_oid: input.narrow()?,
    })
}

fn read_argument(input: &mut Input<'_>) -> Result<Argument, Malformed> {
    Ok(match input.byte()? {
        0 => Argument::Null,
        1 => Argument::One(ValueHash(input.fixed()?)),
        2 => {
            let total = input.narrow()?;
            Argument::Many { hashes: input.hashes()?.into(), total }
        }
        3 => Argument::Unknown,
        _ => return Err("it holds an argument of an unknown kind"),
    })
}

fn read_outcome(input: &mut Input<'_>) -> Result<(Outcome, Protocol), Malformed> {
    let outcome = match input.byte()? {
        0 => Outcome::Ok,
        1 => Outcome::Error(input.take(5)?.try_into().map_err(|_| "an SQLSTATE is cut")?),
        2 => Outcome::Skipped,
        3 => Outcome::Unfinished,
        _ => return Err("it holds an outcome of an unknown kind"),
    };
    let protocol = match input.byte()? {
        0 => Protocol::Simple,
        1 => Protocol::Extended,
        2 => Protocol::SqlPrepared,
        3 => Protocol::Copy,
        4 => Protocol::FunctionCall,
        _ => return Err("it holds a protocol of an unknown kind"),
    };
    Ok((outcome, protocol))
}

fn read_tags(input: &mut Input<'_>) -> Result<Tags, Malformed> {
    let count = input.count()?;
    (0..count).map(|_| Ok((input.text()?, input.text()?))).collect::<Result<_, _>>().map(Tags)
}

fn read_kept(input: &mut Input<'_>) -> Result<Vec<Option<String>>, Malformed> {
    let count = input.count()?;
    (0..count).map(|_| (input.byte()? != 0).then(|| input.text()).transpose()).collect()
}
