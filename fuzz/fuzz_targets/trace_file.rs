//! A trace file of any bytes, and one whose blocks are any bytes: an error or
//! a trace, never a panic; and what was read is written and read the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use plimsoll::trace::{Bounds, Header, Reader, TraceEvent, Writer};

fuzz_target!(|input: &[u8]| {
    let _ = events(input);
    // Behind the compression, where random bytes hardly ever get by themselves.
    let compressed = lz4_flex::block::compress(input);
    let mut bytes = empty_file();
    bytes.extend_from_slice(&u32::try_from(compressed.len()).unwrap_or(0).to_le_bytes());
    bytes.extend_from_slice(&u32::try_from(input.len()).unwrap_or(0).to_le_bytes());
    bytes.extend_from_slice(&compressed);
    let read = events(&bytes);
    let mut again = Writer::new(Vec::new(), &header()).expect("memory takes everything");
    for event in &read {
        again.write(event).expect("memory takes everything");
    }
    let again = again.finish().expect("memory takes everything");
    let mut second = events(&again);
    assert_eq!(second.pop(), Some(TraceEvent::End));
    assert_eq!(read, second);
});

fn header() -> Header {
    Header { hash_key_id: 1, started_at_us: 2, source: String::new(), bounds: Bounds::default() }
}

/// A file up to its first block.
fn empty_file() -> Vec<u8> {
    let whole = Writer::new(Vec::new(), &header()).and_then(Writer::finish).expect("memory takes everything");
    let end_block = 8 + lz4_flex::block::compress(&[1, 5]).len();
    whole[..whole.len() - end_block].to_vec()
}

/// As many events as can be read.
fn events(bytes: &[u8]) -> Vec<TraceEvent> {
    let mut events = Vec::new();
    if let Ok(mut reader) = Reader::new(bytes) {
        while let Ok(Some(event)) = reader.next_event() {
            events.push(event);
        }
    }
    events
}
