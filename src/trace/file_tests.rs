//! Tests of the trace file.

use super::*;
use crate::trace::*;
use std::sync::Arc;

fn record(sequence: u64) -> StatementRecord {
    StatementRecord {
        sequence,
        connection: sequence % 3,
        transaction: sequence.is_multiple_of(2).then_some(sequence / 2),
        scope: Some(Arc::from("test_a")),
        start_us: sequence * 100,
        first_row_us: Some(sequence * 100 + 7),
        end_us: sequence * 100 + 40,
        shape: Arc::new(StatementShape { text: "select * from users where id = ?".into(), hash: 99 }),
        arguments: vec![
            Argument::One(ValueHash(sequence + 1)),
            Argument::Null,
            Argument::Many { hashes: vec![ValueHash(1)].into(), total: 5 },
            Argument::Unknown,
        ],
        rows: 1,
        bytes: 12,
        columns: Arc::from([ColumnSource {
            name: "id".into(),
            table_oid: 1,
            attribute_number: -1,
            type_oid: 23,
        }]),
        values: vec![ColumnValues { hashes: vec![ValueHash(sequence), ValueHash::NULL] }],
        outcome: if sequence == 4 { Outcome::Error(*b"57014") } else { Outcome::Ok },
        protocol: Protocol::Extended,
        continues: (sequence == 5).then_some(4),
        application_name: (sequence > 2).then(|| Arc::from("app")),
        tags: (sequence == 1).then(|| Arc::new(Tags(vec![("a".into(), "b".into())]))),
        kept_arguments: (sequence == 1).then(|| vec![Some("x".into()), None]),
        kept_text: (sequence == 1).then(|| "select 'x', null".into()),
    }
}

fn header() -> Header {
    Header { hash_key_id: 5, started_at_us: -3, source: "pytest".into(), bounds: Bounds::default() }
}

fn trace(count: u64) -> Trace {
    let mut trace = Trace::new(header());
    trace.statements = (0..count).map(record).collect();
    trace.tables = vec![TableName {
        oid: 1,
        schema: "public".into(),
        name: "users".into(),
        columns: vec![(1, "id".into())],
    }];
    trace.limits = vec![
        ScopeLimit { connection: 1, scope: Some(Arc::from("test_a")), statements: Some(12) },
        ScopeLimit { connection: 2, scope: None, statements: None },
    ];
    trace.losses = Losses { statements: 1, values: 2, ..Losses::default() };
    trace.connections = 3;
    trace.unreached = Refusals { count: 2, first: "no way to the server".into() };
    trace.denied = Refusals { count: 1, first: "no such database".into() };
    trace.complete = true;
    trace
}

#[test]
fn a_trace_survives_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.trace");
    // Enough for several blocks.
    let written = trace(20_000);
    write(&path, &written).unwrap();
    assert_eq!(read(&path, usize::MAX).unwrap(), written);
    let size = std::fs::metadata(&path).unwrap().len();
    assert!(size < 20_000 * 60, "{size} bytes");
}

#[test]
fn a_bound_on_statements_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.trace");
    write(&path, &trace(10)).unwrap();
    let read = read(&path, 4).unwrap();
    assert_eq!((read.statements.len(), read.losses.statements), (4, 7));
}

#[test]
fn every_cut_is_read_as_far_as_it_goes_or_refused() {
    let mut writer = Writer::new(Vec::new(), &header()).unwrap();
    for sequence in 0..6 {
        writer.write(&TraceEvent::Statement(record(sequence))).unwrap();
        writer.flush().unwrap();
    }
    let bytes = writer.finish().unwrap();
    for end in 0..bytes.len() {
        let Ok(mut reader) = Reader::new(&bytes[..end]) else { continue };
        let mut last = None;
        while let Some(event) = reader.next_event().unwrap() {
            last = Some(event);
        }
        assert_ne!(last, Some(TraceEvent::End), "cut at {end}");
    }
}

#[test]
fn damage_is_an_error_and_never_a_panic() {
    let mut writer = Writer::new(Vec::new(), &header()).unwrap();
    for sequence in 0..20 {
        writer.write(&TraceEvent::Statement(record(sequence))).unwrap();
    }
    let bytes = writer.finish().unwrap();
    for position in 0..bytes.len() {
        for bit in 0..8 {
            let mut damaged = bytes.clone();
            damaged[position] ^= 1 << bit;
            let Ok(mut reader) = Reader::new(&damaged[..]) else { continue };
            while let Ok(Some(_)) = reader.next_event() {}
        }
    }
    assert!(matches!(Reader::new(&b"hello, world, this is text"[..]), Err(TraceFileError::NotATrace)));
    let mut other = bytes;
    other[8] = 9;
    assert!(matches!(Reader::new(&other[..]), Err(TraceFileError::Version(9))));
}
