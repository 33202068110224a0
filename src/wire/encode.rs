//! Messages written out: the few the proxy sends of its own accord, and what a
//! thin client needs to start a session.

/// Protocol 3.0 as it stands in a start-up message.
pub const PROTOCOL_3_0: u32 = 3 << 16;

/// The packet that asks for TLS.
pub const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// Appends a message: its type byte, its length and the body `write` adds.
pub fn message(out: &mut Vec<u8>, tag: u8, write: impl FnOnce(&mut Vec<u8>)) {
    out.push(tag);
    with_length(out, write);
}

/// Appends a start-up message.
pub fn startup(out: &mut Vec<u8>, version: u32, parameters: &[(&str, &str)]) {
    with_length(out, |out| {
        out.extend_from_slice(&version.to_be_bytes());
        for (name, value) in parameters {
            cstr(out, name.as_bytes());
            cstr(out, value.as_bytes());
        }
        out.push(0);
    });
}

/// Appends a Query.
pub fn query(out: &mut Vec<u8>, text: &[u8]) {
    message(out, b'Q', |out| cstr(out, text));
}

/// Appends a Parse without declared parameter types.
pub fn parse(out: &mut Vec<u8>, statement: &[u8], text: &[u8]) {
    message(out, b'P', |out| {
        cstr(out, statement);
        cstr(out, text);
        out.extend_from_slice(&0u16.to_be_bytes());
    });
}

/// Appends a Bind without parameters, results as text.
pub fn bind_without_parameters(out: &mut Vec<u8>, portal: &[u8], statement: &[u8]) {
    message(out, b'B', |out| {
        cstr(out, portal);
        cstr(out, statement);
        out.extend_from_slice(&[0; 6]);
    });
}

/// Appends an Execute; `rows_max` 0 asks for all rows.
pub fn execute(out: &mut Vec<u8>, portal: &[u8], rows_max: i32) {
    message(out, b'E', |out| {
        cstr(out, portal);
        out.extend_from_slice(&rows_max.to_be_bytes());
    });
}

/// Appends a Sync.
pub fn sync(out: &mut Vec<u8>) {
    message(out, b'S', |_| {});
}

/// Appends a Terminate.
pub fn terminate(out: &mut Vec<u8>) {
    message(out, b'X', |_| {});
}

/// Appends an ErrorResponse with severity FATAL.
pub fn fatal_error(out: &mut Vec<u8>, sqlstate: &str, text: &str, hint: &str) {
    message(out, b'E', |out| {
        let fields = [(b'S', "FATAL"), (b'V', "FATAL"), (b'C', sqlstate), (b'M', text), (b'H', hint)];
        for (letter, value) in fields {
            if !value.is_empty() {
                out.push(letter);
                cstr(out, value.as_bytes());
            }
        }
        out.push(0);
    });
}

/// Appends bytes and their terminating zero; a zero inside ends them early.
pub fn cstr(out: &mut Vec<u8>, text: &[u8]) {
    let end = text.iter().position(|&byte| byte == 0).unwrap_or(text.len());
    out.extend_from_slice(&text[..end]);
    out.push(0);
}

fn with_length(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    write(out);
    // A length past u32 would need a body of 4 GiB, which nobody here writes.
    let length = u32::try_from(out.len() - start).unwrap_or(u32::MAX);
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}
