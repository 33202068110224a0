//! Properties of the follower: any split gives the same records, no bytes panic.

use super::{Ledger, Session};
use crate::trace::{Bounds, Outcome, StatementRecord, ValueHasher};
use crate::wire::encode;
use proptest::prelude::*;

/// Bytes of one direction: true for the client's.
type Piece = (bool, Vec<u8>);

fn follow(pieces: &[Piece], chunk: usize) -> (Vec<StatementRecord>, crate::trace::Losses) {
    follow_within(Bounds::default(), pieces, chunk)
}

fn follow_within(
    bounds: Bounds,
    pieces: &[Piece],
    chunk: usize,
) -> (Vec<StatementRecord>, crate::trace::Losses) {
    let mut ledger = Ledger::new(ValueHasher::new(1), bounds, true);
    let mut session = Session::new(1);
    for (is_client, bytes) in pieces {
        for part in bytes.chunks(chunk.max(1)) {
            if *is_client {
                session.client_bytes(part, 5, &mut ledger);
            } else {
                session.server_bytes(part, 6, &mut ledger);
            }
        }
    }
    session.end(7, &mut ledger);
    (ledger.records, ledger.losses)
}

fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    encode::message(&mut out, tag, |out| out.extend_from_slice(body));
    out
}

fn started() -> Vec<Piece> {
    let mut startup = Vec::new();
    encode::startup(
        &mut startup,
        encode::PROTOCOL_3_0,
        &[("user", "ann"), ("options", "-c plimsoll.scope=s")],
    );
    vec![(true, startup), (false, message(b'Z', b"I"))]
}

fn started_without_scope() -> Vec<Piece> {
    let mut startup = Vec::new();
    encode::startup(&mut startup, encode::PROTOCOL_3_0, &[("user", "ann")]);
    vec![(true, startup), (false, message(b'Z', b"I"))]
}

fn query(text: &str) -> Piece {
    let mut out = Vec::new();
    encode::query(&mut out, text.as_bytes());
    (true, out)
}

#[test]
fn a_session_is_followed_however_its_bytes_are_split() {
    let mut pieces = started();
    pieces.push(query("SELECT 1; SELECT 2"));
    let mut answer = message(b'T', b"\0\x01n\0\0\0\0\0\0\0\0\0\0\x17\0\x04\xff\xff\xff\xff\0\0");
    answer.extend(message(b'D', b"\0\x01\0\0\0\x011"));
    answer.extend(message(b'C', b"SELECT 1\0"));
    answer.extend(message(b'E', b"SERROR\0C22012\0\0"));
    answer.extend(message(b'Z', b"I"));
    pieces.push((false, answer));
    pieces.push(query("SELECT 3"));
    let whole = follow(&pieces, usize::MAX);
    let outcomes: Vec<Outcome> = whole.0.iter().map(|record| record.outcome).collect();
    assert_eq!(outcomes, [Outcome::Ok, Outcome::Error(*b"22012"), Outcome::Unfinished]);
    assert!(whole.0.iter().all(|record| record.scope.as_deref() == Some("s")));
    assert_eq!(whole.0[0].kept_arguments, Some(vec![Some("1".into())]));
    for chunk in 1..9 {
        assert_eq!(follow(&pieces, chunk), whole);
    }
}

#[test]
fn a_result_keeps_whole_rows_up_to_its_bound() {
    let mut pieces = started();
    pieces.push(query("SELECT a, b FROM t"));
    let column = b"n\0\0\0\0\0\0\0\0\0\0\x17\0\x04\xff\xff\xff\xff\0\0";
    let mut answer = message(b'T', &[b"\0\x02", &column[..], &column[..]].concat());
    (0..5).for_each(|_| answer.extend(message(b'D', b"\0\x02\0\0\0\x011\0\0\0\x012")));
    answer.extend(message(b'C', b"SELECT 5\0"));
    answer.extend(message(b'Z', b"I"));
    pieces.push((false, answer));
    for (values_per_result, kept, lost) in [(10, 5, 0), (9, 4, 2), (2, 1, 8), (1, 0, 10)] {
        let bounds = Bounds { values_per_result, ..Bounds::default() };
        let (records, losses) = follow_within(bounds, &pieces, usize::MAX);
        assert_eq!(records[0].rows, 5);
        assert!(records[0].values.iter().all(|column| column.hashes.len() == kept), "{:?}", records[0]);
        assert_eq!(losses.values, lost);
    }
    let bounds = Bounds { values_per_result: 3, columns: 1, ..Bounds::default() };
    let (records, losses) = follow_within(bounds, &pieces, usize::MAX);
    let kept: Vec<usize> = records[0].values.iter().map(|column| column.hashes.len()).collect();
    assert_eq!((kept, losses.values), (vec![3, 0], 7), "a column that is not kept takes no room");
}

/// Where sqlcommenter, Rails and others put them: behind the statement, or before it.
#[test]
fn tags_around_a_statement_are_its_own() {
    let tagged = |text: &str| {
        let mut pieces = started_without_scope();
        pieces.push(query(text));
        let found = |record: &StatementRecord| {
            assert_eq!(record.shape.text, "select ?", "{text}");
            let call_site = record.tags.as_ref().and_then(|tags| tags.get("line")).unwrap_or("-");
            format!("{} {call_site}", record.scope.as_deref().unwrap_or("-"))
        };
        follow(&pieces, usize::MAX).0.iter().map(found).collect::<Vec<_>>()
    };
    let trace = "traceparent='00-5bd66ef5095369c7b0d1f8f4bd33716a-c532cb4098ac3dd2-01'";
    let of_trace = "trace 5bd66ef5095369c7b0d1f8f4bd33716a -";
    for (text, expected) in [
        ("select 1 /*plimsoll_scope='abd',line='3'*/", &["abd 3"][..]),
        ("select 1 /*plimsoll_scope='abd',line='3'*/;", &["abd 3"]),
        ("select 1; /*plimsoll_scope='abd',line='3'*/", &["abd 3"]),
        ("/*plimsoll_scope='abd',line='3'*/ select 1", &["abd 3"]),
        ("select /*plimsoll_scope='abd',line='3'*/ 1", &["abd 3"]),
        ("select 1 /*controller:orders,line:3*/", &["- 3"]),
        (&format!("select 1 /*{trace}*/"), &[of_trace]),
        ("select 1; select 2 /*plimsoll_scope='abd',line='3'*/", &["- -", "abd 3"]),
        ("/*line='1'*/ select 1 /*plimsoll_scope='a'*/; /*line='2'*/ select 2", &["a 1", "- 2"]),
        ("select 1 -- /*line='3'*/", &["- -"]),
    ] {
        assert_eq!(tagged(text), expected, "{text}");
    }
}

#[test]
fn a_stream_of_something_else_is_given_up_and_counted() {
    let mut pieces = started();
    pieces.push((false, vec![b'D', 0, 0, 0, 0]));
    pieces.push(query("SELECT 1"));
    let (records, losses) = follow(&pieces, usize::MAX);
    assert!(records.is_empty());
    assert_eq!(losses.opaque_connections, 1);
}

/// Messages that are likely to mean something, in either direction.
fn any_piece() -> impl Strategy<Value = Piece> {
    let client = prop::sample::select(b"PBDECQSHdcfFpXz".to_vec());
    let server = prop::sample::select(b"RKSZ123tTnDCIsENAGHWdcVz".to_vec());
    let body = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..24),
        prop::sample::select(vec![
            b"\0SELECT $1\0\0\0".to_vec(),
            b"\0\0\0\0\0\0\0\0".to_vec(),
            b"p\0\0\0\0\x01".to_vec(),
            b"BEGIN; DECLARE c CURSOR FOR SELECT 1; FETCH c\0".to_vec(),
            b"I".to_vec(),
            b"SELECT 1\0".to_vec(),
        ]),
    ];
    (any::<bool>(), client, server, body).prop_map(|(is_client, client, server, body)| {
        (is_client, message(if is_client { client } else { server }, &body))
    })
}

proptest! {
    #[test]
    fn no_conversation_panics_and_no_split_matters(
        talk in prop::collection::vec(any_piece(), 0..40),
        chunk in 1usize..20,
    ) {
        let mut pieces = started();
        pieces.extend(talk);
        prop_assert_eq!(follow(&pieces, usize::MAX), follow(&pieces, chunk));
    }

    #[test]
    fn no_bytes_panic(client in prop::collection::vec(any::<u8>(), 0..200), server in prop::collection::vec(any::<u8>(), 0..200)) {
        follow(&[(true, client), (false, server)], usize::MAX);
    }
}
