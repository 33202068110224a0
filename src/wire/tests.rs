//! Properties of the codec: any split gives the same frames, no input panics.

use super::{
    Authentication, BackendMessage, CommandComplete, Field, Frame, FrameError, FrontendMessage, Splitter,
    StartupPacket, encode,
};
use proptest::prelude::*;

/// A frame by value: tag, kept body, length on the wire.
type Owned = (u8, Vec<u8>, u32);

fn split(mut splitter: Splitter, pieces: &[&[u8]]) -> Result<Vec<Owned>, FrameError> {
    let mut frames = Vec::new();
    for piece in pieces {
        let mut input = *piece;
        while let Some(frame) = splitter.next(&mut input)? {
            frames.push((frame.tag, frame.body.to_vec(), frame.body_bytes));
        }
        assert!(input.is_empty(), "the splitter left input behind");
    }
    Ok(frames)
}

/// Cuts `bytes` at the given places, taken modulo its length.
fn cut<'a>(bytes: &'a [u8], places: &[usize]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = places.iter().map(|place| place % (bytes.len() + 1)).collect();
    places.sort_unstable();
    let mut pieces = Vec::new();
    let mut start = 0;
    for place in places {
        pieces.push(&bytes[start..place]);
        start = place;
    }
    pieces.push(&bytes[start..]);
    pieces
}

/// Reads every lazy part of whatever a frame decodes to, in both directions.
fn exhaust(frame: &Frame<'_>) {
    match FrontendMessage::decode(frame) {
        FrontendMessage::Startup(StartupPacket::Startup(startup)) => {
            startup.parameters().for_each(drop);
            let _ = startup.parameter("user");
        }
        FrontendMessage::Parse(parse) => parse.parameter_types().for_each(drop),
        FrontendMessage::Bind(bind) => {
            let count = bind.parameters().count();
            let _ = (0..count).filter(|&at| bind.parameter_formats().is_binary(at)).count();
            let _ = bind.result_formats().is_binary(count);
        }
        _ => {}
    }
    let _ = super::SaslInitialResponse::decode(frame.body);
    match BackendMessage::decode(frame) {
        BackendMessage::RowDescription(description) => description.columns().for_each(drop),
        BackendMessage::DataRow(row) => row.fields().for_each(drop),
        BackendMessage::ErrorResponse(error) => {
            error.fields().for_each(drop);
            let _ = (error.sqlstate(), error.message());
        }
        BackendMessage::CommandComplete(complete) => {
            let _ = (complete.rows(), complete.command());
        }
        BackendMessage::Authentication(Authentication::Sasl(sasl)) => sasl.names().for_each(drop),
        BackendMessage::NegotiateProtocolVersion(version) => version.options().for_each(drop),
        BackendMessage::ParameterDescription(description) => description.types().for_each(drop),
        _ => {}
    }
}

fn well_formed_stream() -> impl Strategy<Value = Vec<u8>> {
    let message = (any::<u8>(), prop::collection::vec(any::<u8>(), 0..80));
    prop::collection::vec(message, 0..12).prop_map(|messages| {
        let mut stream = Vec::new();
        for (tag, body) in messages {
            encode::message(&mut stream, tag, |out| out.extend_from_slice(&body));
        }
        stream
    })
}

proptest! {
    #[test]
    fn any_split_of_messages_gives_the_same_frames(
        stream in well_formed_stream(),
        places in prop::collection::vec(any::<usize>(), 0..40),
        kept in 0usize..100,
    ) {
        let whole = split(Splitter::typed(kept), &[&stream]);
        prop_assert!(whole.is_ok());
        prop_assert_eq!(&whole, &split(Splitter::typed(kept), &cut(&stream, &places)));
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        prop_assert_eq!(&whole, &split(Splitter::typed(kept), &bytes));
    }

    #[test]
    fn any_split_of_any_bytes_gives_the_same_frames(
        stream in prop::collection::vec(any::<u8>(), 0..200),
        places in prop::collection::vec(any::<usize>(), 0..20),
    ) {
        prop_assert_eq!(
            split(Splitter::frontend(16), &[&stream]),
            split(Splitter::frontend(16), &cut(&stream, &places))
        );
        prop_assert_eq!(
            split(Splitter::typed(16), &[&stream]),
            split(Splitter::typed(16), &cut(&stream, &places))
        );
    }

    #[test]
    fn no_body_panics(tag in any::<u8>(), body in prop::collection::vec(any::<u8>(), 0..120), more in 0u32..9) {
        let body_bytes = u32::try_from(body.len()).unwrap() + more;
        exhaust(&Frame { tag, body: &body, body_bytes });
    }
}

#[test]
fn every_known_type_survives_every_prefix_of_a_body() {
    let body: Vec<u8> =
        b"name\0text\0\0\x02\0\0\0\x01\0\x02\0\0\0\x04abcd\xff\xff\xff\xff\0\x01\0\x01".to_vec();
    for tag in 0..=u8::MAX {
        for end in 0..=body.len() {
            exhaust(&Frame { tag, body: &body[..end], body_bytes: 64 });
        }
    }
}

#[test]
fn a_session_is_split_from_its_first_byte() {
    let mut stream = encode::SSL_REQUEST.to_vec();
    encode::startup(&mut stream, encode::PROTOCOL_3_0, &[("user", "ann"), ("application_name", "shop")]);
    encode::query(&mut stream, b"SELECT 1");
    let frames = split(Splitter::frontend(1024), &[&stream]).unwrap();
    let tags: Vec<u8> = frames.iter().map(|frame| frame.0).collect();
    assert_eq!(tags, [0, 0, b'Q']);
    let StartupPacket::Startup(startup) = StartupPacket::decode(&frames[1].1).unwrap() else {
        panic!("not a start-up message");
    };
    assert_eq!((startup.major, startup.minor), (3, 0));
    assert_eq!(startup.parameter("application_name"), Some(&b"shop"[..]));
}

#[test]
fn a_long_cancel_key_of_protocol_3_2_is_kept_whole() {
    let mut body = 80_877_102u32.to_be_bytes().to_vec();
    body.extend_from_slice(&4711i32.to_be_bytes());
    body.extend_from_slice(&[7; 256]);
    let Some(StartupPacket::Cancel(cancel)) = StartupPacket::decode(&body) else {
        panic!("not a cancel request")
    };
    assert_eq!((cancel.backend_pid, cancel.secret_key.len()), (4711, 256));
}

#[test]
fn a_large_body_is_skipped_without_being_kept() {
    let mut splitter = Splitter::typed(8);
    let mut header: &[u8] = &[b'd', 0x3f, 0xff, 0xff, 0xff];
    assert_eq!(splitter.next(&mut header), Ok(None));
    let chunk = [1u8; 65_536];
    let mut left = 0x3fff_ffffusize - 4;
    let mut seen = None;
    while left > 0 {
        let mut piece = &chunk[..left.min(chunk.len())];
        left -= piece.len();
        if let Some(frame) = splitter.next(&mut piece).unwrap() {
            seen = Some((frame.body.len(), frame.body_bytes, frame.is_cut()));
        }
    }
    assert_eq!(seen, Some((8, 0x3fff_fffb, true)));
    assert!(splitter.held_bytes() <= 64);
}

#[test]
fn an_impossible_length_breaks_the_splitter_for_good() {
    let mut splitter = Splitter::typed(8);
    let mut input: &[u8] = &[b'Q', 0, 0, 0, 3, b'Q', 0, 0, 0, 4];
    let error = FrameError { tag: b'Q', length: 3 };
    assert_eq!(splitter.next(&mut input), Err(error));
    assert_eq!(splitter.next(&mut &b"Q\0\0\0\x04"[..]), Err(error));
}

#[test]
fn values_behind_the_kept_part_are_cut_and_counted() {
    let body = b"\0\x03\0\0\0\x02ab\xff\xff\xff\xff\0\0\0\x09abc";
    let BackendMessage::DataRow(row) = BackendMessage::decode(&Frame { tag: b'D', body, body_bytes: 25 })
    else {
        panic!("not a row");
    };
    let fields: Vec<Field<'_>> = row.fields().collect();
    assert_eq!(fields, [Field::Value(b"ab"), Field::Null, Field::Cut]);
}

#[test]
fn command_tags_are_taken_apart() {
    for (tag, command, rows) in [
        ("SELECT 20", "SELECT", Some(20)),
        ("INSERT 0 3", "INSERT", Some(3)),
        ("CREATE TABLE", "CREATE TABLE", None),
        ("COPY 7", "COPY", Some(7)),
        ("", "", None),
    ] {
        let complete = CommandComplete { tag: tag.as_bytes() };
        assert_eq!((complete.command(), complete.rows()), (command.as_bytes(), rows));
    }
}
