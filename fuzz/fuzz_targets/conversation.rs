//! A client and a server that say anything: the follower never panics, and how
//! their bytes were split makes no difference to what it records.

#![no_main]

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use plimsoll::proxy::{Ledger, Session};
use plimsoll::trace::{Bounds, ValueHasher};
use plimsoll::wire::encode;

/// One message of either side, of a type that exists, or bytes of any kind.
#[derive(Arbitrary, Debug)]
enum Piece {
    Client(u8, Vec<u8>),
    Server(u8, Vec<u8>),
    Query(String),
    Parse(String),
    ClientBytes(Vec<u8>),
    ServerBytes(Vec<u8>),
}

const CLIENT_TYPES: &[u8] = b"PBDECQSHdcfFpX";
const SERVER_TYPES: &[u8] = b"RKSZ123tTnDCIsENAGHWdcVv";

fuzz_target!(|input: (u8, Vec<Piece>)| {
    let (chunk, pieces) = input;
    let whole = follow(&pieces, usize::MAX);
    assert_eq!(whole, follow(&pieces, usize::from(chunk).max(1)));
});

fn follow(pieces: &[Piece], chunk: usize) -> String {
    let bounds = Bounds { values_per_result: 8, columns: 4, elements_per_argument: 4, ..Bounds::default() };
    let mut ledger = Ledger::new(ValueHasher::new(1), bounds, true);
    let mut session = Session::new(1);
    let mut bytes = Vec::new();
    encode::startup(&mut bytes, encode::PROTOCOL_3_0, &[("user", "ann")]);
    session.client_bytes(&bytes, 1, &mut ledger);
    for piece in pieces {
        bytes.clear();
        let typed = |bytes: &mut Vec<u8>, types: &[u8], tag: u8, body: &[u8]| {
            let tag = types[usize::from(tag) % types.len()];
            encode::message(bytes, tag, |out| out.extend_from_slice(body));
        };
        let is_client = match piece {
            Piece::Client(tag, body) => {
                typed(&mut bytes, CLIENT_TYPES, *tag, body);
                true
            }
            Piece::Server(tag, body) => {
                typed(&mut bytes, SERVER_TYPES, *tag, body);
                false
            }
            Piece::Query(text) => {
                encode::query(&mut bytes, text.as_bytes());
                true
            }
            Piece::Parse(text) => {
                encode::parse(&mut bytes, b"", text.as_bytes());
                true
            }
            Piece::ClientBytes(any) => {
                bytes.extend_from_slice(any);
                true
            }
            Piece::ServerBytes(any) => {
                bytes.extend_from_slice(any);
                false
            }
        };
        for part in bytes.chunks(chunk) {
            if is_client {
                session.client_bytes(part, 5, &mut ledger);
            } else {
                session.server_bytes(part, 6, &mut ledger);
            }
        }
    }
    session.end(7, &mut ledger);
    format!("{:?} {:?}", ledger.records, ledger.losses)
}
