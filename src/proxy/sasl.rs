//! SCRAM through a proxy that ends TLS. Channel binding ties a login to one
//! TLS session's certificate, so it can pass only where both hops show the
//! same one. Everything else about authentication passes through untouched.
//!
//! - A client in plain text must not see `SCRAM-SHA-256-PLUS` (it would call
//!   the server broken): it is taken off the offer, the only bytes of the
//!   server the recorder ever changes.
//! - A client that binds, or says that it would have (`y`), cannot succeed:
//!   it is told why.

use crate::wire::{SaslInitialResponse, encode};

const PLUS: &[u8] = b"SCRAM-SHA-256-PLUS";

/// Messages of a login are small; a larger one is passed on unread, in bytes.
const MESSAGE_BYTES_MAX: usize = 64 * 1024;

/// What the client is told when binding cannot work.
pub(super) const REFUSAL: &str =
    "SCRAM channel binding cannot pass a proxy that shows another certificate than the server";
pub(super) const REFUSAL_HINT: &str = "Use channel_binding=disable or sslmode=disable towards the proxy, or give it the server's own certificate with --tls-cert and --tls-key.";

/// Watches one login, from the start-up message to its end.
#[derive(Debug)]
pub(super) struct Login {
    is_client_tls: bool,
    server_bytes: Vec<u8>,
    client_bytes: Vec<u8>,
    /// The server offered channel binding and the client's answer is awaited.
    is_binding_offered: bool,
    is_over: bool,
}

impl Login {
    pub(super) fn new(is_client_tls: bool) -> Self {
        Self {
            is_client_tls,
            server_bytes: Vec::new(),
            client_bytes: Vec::new(),
            is_binding_offered: false,
            is_over: false,
        }
    }

    /// Nothing needs to be looked at any more.
    pub(super) fn is_over(&self) -> bool {
        self.is_over && self.server_bytes.is_empty() && self.client_bytes.is_empty()
    }

    /// Takes the server's bytes, appends those for the client.
    pub(super) fn server(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        self.server_bytes.extend_from_slice(bytes);
        while !self.is_over {
            let Some(length) = message_length(&self.server_bytes) else {
                return;
            };
            if length > MESSAGE_BYTES_MAX {
                self.is_over = true;
                break;
            }
            if self.server_bytes.len() < length {
                return;
            }
            let message: Vec<u8> = self.server_bytes.drain(..length).collect();
            self.server_message(&message, out);
        }
        out.append(&mut self.server_bytes);
    }

    fn server_message(&mut self, message: &[u8], out: &mut Vec<u8>) {
        let code = message.get(5..9).and_then(|word| word.try_into().ok()).map(u32::from_be_bytes);
        match (message[0], code) {
            (b'R', Some(10)) => {
                let names = message[9..].split(|&byte| byte == 0).filter(|name| !name.is_empty());
                let is_binding_offered = names.clone().any(|name| name == PLUS);
                self.is_binding_offered = is_binding_offered;
                if is_binding_offered && !self.is_client_tls {
                    encode::message(out, b'R', |out| {
                        out.extend_from_slice(&10_u32.to_be_bytes());
                        names.filter(|name| *name != PLUS).for_each(|name| encode::cstr(out, name));
                        out.push(0);
                    });
                    return;
                }
            }
            (b'R', Some(0)) | (b'E', _) => self.is_over = true,
            _ => {}
        }
        out.extend_from_slice(message);
    }

    /// Takes the client's bytes, appends those for the server. False where
    /// the login cannot succeed and the client is to be told so.
    pub(super) fn client(&mut self, bytes: &[u8], is_same_certificate: bool, out: &mut Vec<u8>) -> bool {
        if !self.is_binding_offered || is_same_certificate || self.is_over {
            out.append(&mut self.client_bytes);
            out.extend_from_slice(bytes);
            return true;
        }
        self.client_bytes.extend_from_slice(bytes);
        let Some(length) = message_length(&self.client_bytes) else {
            return true;
        };
        if self.client_bytes.len() < length && length <= MESSAGE_BYTES_MAX {
            return true;
        }
        self.is_binding_offered = false;
        let answer = self.client_bytes.get(5..length).and_then(SaslInitialResponse::decode);
        if answer.is_some_and(|answer| answer.mechanism == PLUS || answer.data.starts_with(b"y")) {
            return false;
        }
        out.append(&mut self.client_bytes);
        true
    }
}

/// The length of the message at the start, its type byte included.
fn message_length(bytes: &[u8]) -> Option<usize> {
    let word = bytes.get(1..5)?.try_into().ok()?;
    Some((u32::from_be_bytes(word) as usize).saturating_add(1).max(5))
}

#[cfg(test)]
mod tests {
    use super::{Login, PLUS};
    use crate::wire::encode;

    fn offer(names: &[&[u8]]) -> Vec<u8> {
        let mut out = Vec::new();
        encode::message(&mut out, b'R', |out| {
            out.extend_from_slice(&10_u32.to_be_bytes());
            names.iter().for_each(|name| encode::cstr(out, name));
            out.push(0);
        });
        out
    }

    fn answer(mechanism: &[u8], data: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        encode::message(&mut out, b'p', |out| {
            encode::cstr(out, mechanism);
            out.extend_from_slice(&i32::try_from(data.len()).unwrap().to_be_bytes());
            out.extend_from_slice(data);
        });
        out
    }

    fn login(is_client_tls: bool) -> (Login, Vec<u8>) {
        let mut login = Login::new(is_client_tls);
        let mut seen = Vec::new();
        for byte in offer(&[PLUS, b"SCRAM-SHA-256"]) {
            login.server(&[byte], &mut seen);
        }
        (login, seen)
    }

    #[test]
    fn a_client_in_plain_text_is_not_offered_channel_binding() {
        assert_eq!(login(false).1, offer(&[b"SCRAM-SHA-256"]));
        assert_eq!(login(true).1, offer(&[PLUS, b"SCRAM-SHA-256"]));
    }

    #[test]
    fn a_client_that_binds_is_refused_unless_the_certificate_is_the_servers() {
        for (mechanism, data, is_same, is_let_through) in [
            (PLUS, &b"p=tls-server-end-point,,n=,r=x"[..], false, false),
            (PLUS, b"p=tls-server-end-point,,n=,r=x", true, true),
            (b"SCRAM-SHA-256", b"y,,n=,r=x", false, false),
            (b"SCRAM-SHA-256", b"n,,n=,r=x", false, true),
        ] {
            let message = answer(mechanism, data);
            let (mut login, mut out) = (login(true).0, Vec::new());
            let verdict = message.iter().all(|byte| login.client(&[*byte], is_same, &mut out));
            assert_eq!(verdict, is_let_through);
            assert_eq!(out == message, is_let_through);
        }
    }

    #[test]
    fn what_follows_the_login_is_passed_on_as_it_is() {
        let mut login = Login::new(false);
        let mut stream = Vec::new();
        encode::message(&mut stream, b'R', |out| out.extend_from_slice(&[0; 4]));
        stream.extend_from_slice(b"anything at all");
        let mut out = Vec::new();
        login.server(&stream, &mut out);
        assert_eq!(out, stream);
        assert!(login.is_over());
    }
}
