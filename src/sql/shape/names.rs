//! Names that drivers make up: savepoints, cursors, prepared statements to deallocate. A
//! counter in them would make every use a shape of its own.

use std::ops::Range;

/// Replaces such a name by `?`. `shape` is otherwise normalised.
#[inline]
pub(super) fn fold(shape: &mut Vec<u8>) {
    // Few statements begin with one of these letters; most of them are SELECT, by its second letter.
    if !matches!(
        shape.as_slice(),
        [b'c' | b'f' | b'm', ..] | [b's', b'a', ..] | [b'd' | b'r', b'e' | b'o', ..]
    ) {
        return;
    }
    if let Some(range) = made_up_name(shape) {
        shape.splice(range, *b"?");
    }
}

/// Where the name stands in a single statement that has one.
fn made_up_name(shape: &[u8]) -> Option<Range<usize>> {
    let first_end = shape.iter().position(|&byte| byte == b' ')?;
    if shape.contains(&b';') {
        return None;
    }
    match &shape[..first_end] {
        b"declare" => {
            let start = first_end + 1;
            Some(start..token_end(shape, start))
        }
        b"savepoint" | b"release" | b"close" | b"deallocate" | b"fetch" | b"move" => last_token(shape),
        b"rollback" if shape.starts_with(b"rollback to ") => last_token(shape),
        _ => None,
    }
}

/// The end of the word or quoted name that begins at `start`.
fn token_end(shape: &[u8], start: usize) -> usize {
    let rest = shape.get(start..).unwrap_or_default();
    // Blanks inside quotes belong to the name; a doubled quote closes and opens again.
    let mut is_quoted = false;
    for (at, &byte) in rest.iter().enumerate() {
        match byte {
            b'"' => is_quoted = !is_quoted,
            b' ' if !is_quoted => return start + at,
            _ => {}
        }
    }
    shape.len()
}

fn last_token(shape: &[u8]) -> Option<Range<usize>> {
    let start = match shape.strip_suffix(b"\"") {
        // The only quoted name of such a statement; quotes inside it are doubled.
        Some(inner) => inner.iter().position(|&byte| byte == b'"')?,
        None => shape.iter().rposition(|&byte| byte == b' ')? + 1,
    };
    (&shape[start..] != b"all").then_some(start..shape.len())
}
