//! Any bytes of one direction: however they are split, the same frames and the
//! same messages come out, and nothing that a message holds panics when read.

#![no_main]

use libfuzzer_sys::fuzz_target;
use plimsoll::wire::{
    Authentication, BackendMessage, Frame, FrameError, FrontendMessage, SaslInitialResponse, Splitter,
    StartupPacket,
};

// The first bytes say which splitter and which pieces; the rest is the stream.
fuzz_target!(|input: (bool, u8, Vec<u8>, &[u8])| {
    let (is_frontend, kept, cuts, stream) = input;
    let splitter = || {
        let kept = usize::from(kept);
        if is_frontend { Splitter::frontend(kept) } else { Splitter::typed(kept) }
    };
    let whole = frames(splitter(), [stream].into_iter());
    let pieces = pieces(stream, &cuts);
    assert_eq!(whole, frames(splitter(), pieces.into_iter()));
});

type Frames = (Vec<(u8, Vec<u8>, u32, String)>, Option<FrameError>);

fn frames<'a>(mut splitter: Splitter, pieces: impl Iterator<Item = &'a [u8]>) -> Frames {
    let mut frames = Vec::new();
    for mut piece in pieces {
        loop {
            match splitter.next(&mut piece) {
                Ok(Some(frame)) => {
                    frames.push((frame.tag, frame.body.to_vec(), frame.body_bytes, read(&frame)));
                }
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
        assert!(piece.is_empty(), "the splitter left input behind");
    }
    (frames, None)
}

/// Everything a frame means in either direction, with every lazy part read.
fn read(frame: &Frame<'_>) -> String {
    let frontend = FrontendMessage::decode(frame);
    let backend = BackendMessage::decode(frame);
    let mut parts = format!("{frontend:?} {backend:?}").len();
    match frontend {
        FrontendMessage::Startup(StartupPacket::Startup(startup)) => {
            parts += startup.parameters().count() + usize::from(startup.parameter("user").is_some());
        }
        FrontendMessage::Parse(parse) => parts += parse.parameter_types().count(),
        FrontendMessage::Bind(bind) => {
            let count = bind.parameters().count();
            parts += (0..count).filter(|&at| bind.parameter_formats().is_binary(at)).count();
            parts += usize::from(bind.result_formats().is_binary(count));
        }
        _ => {}
    }
    match backend {
        BackendMessage::RowDescription(description) => parts += description.columns().count(),
        BackendMessage::DataRow(row) => parts += row.fields().count(),
        BackendMessage::ErrorResponse(error) | BackendMessage::NoticeResponse(error) => {
            parts += error.fields().count() + error.sqlstate().map_or(0, |code| code.len());
        }
        BackendMessage::CommandComplete(complete) => {
            parts += complete.command().len() + usize::from(complete.rows().is_some());
        }
        BackendMessage::Authentication(Authentication::Sasl(sasl)) => parts += sasl.names().count(),
        BackendMessage::NegotiateProtocolVersion(version) => parts += version.options().count(),
        BackendMessage::ParameterDescription(description) => parts += description.types().count(),
        _ => {}
    }
    format!("{parts} {:?}", SaslInitialResponse::decode(frame.body).is_some())
}

fn pieces<'a>(stream: &'a [u8], cuts: &[u8]) -> Vec<&'a [u8]> {
    let (mut pieces, mut rest) = (Vec::new(), stream);
    for cut in cuts {
        let (piece, behind) = rest.split_at(usize::from(*cut).min(rest.len()));
        pieces.push(piece);
        rest = behind;
    }
    pieces.push(rest);
    pieces
}
