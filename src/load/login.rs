//! From an open stream to a session: start-up message, authentication (trust,
//! password, MD5, SCRAM-SHA-256), and the wait for readiness.

use super::address::Address;
use super::error::{Error, ServerError};
use super::reply::Inbox;
use super::stream::Stream;
use crate::wire::{Authentication, BackendMessage, encode};
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use std::io::Write;

/// What is known of a session after its start.
pub(super) struct Session {
    pub(super) backend_pid: i32,
}

/// What the server says next, taken out of the receive buffer.
enum Step {
    Ready,
    Pid(i32),
    Password,
    Md5([u8; 4]),
    Sasl(bool),
    SaslContinue(Vec<u8>),
    SaslFinal(Vec<u8>),
    Unsupported(String),
    Failed(ServerError),
    Malformed(u8),
    Other,
}

/// What the client's sessions are called in `pg_stat_activity`.
pub const APPLICATION_NAME: &str = "plimsoll";

pub(super) fn start(stream: &mut Stream, inbox: &mut Inbox, address: &Address) -> Result<Session, Error> {
    let mut out = Vec::new();
    let mut parameters = vec![
        ("user", address.user.as_str()),
        ("database", address.database.as_str()),
        ("client_encoding", "UTF8"),
        ("application_name", APPLICATION_NAME),
    ];
    parameters.extend(address.options.as_deref().map(|options| ("options", options)));
    encode::startup(&mut out, encode::PROTOCOL_3_0, &parameters);
    stream.write_all(&out)?;
    let mut session = Session { backend_pid: 0 };
    let mut scram: Option<ScramSha256> = None;
    loop {
        let step = inbox.next(stream, classify)?;
        match step {
            Step::Ready => return Ok(session),
            Step::Pid(pid) => session.backend_pid = pid,
            Step::Password => send_password(stream, password(address)?.as_bytes())?,
            Step::Md5(salt) => {
                let hash = md5_hash(address.user.as_bytes(), password(address)?.as_bytes(), salt);
                send_password(stream, hash.as_bytes())?;
            }
            Step::Sasl(offers_scram) => {
                if !offers_scram {
                    return Err(Error::Unsupported("the server offers no SCRAM-SHA-256 login".into()));
                }
                let exchange = ScramSha256::new(password(address)?.as_bytes(), ChannelBinding::unsupported());
                send_sasl_start(stream, exchange.message())?;
                scram = Some(exchange);
            }
            Step::SaslContinue(data) => {
                let exchange = scram.as_mut().ok_or_else(|| out_of_order("SASL continuation"))?;
                exchange.update(&data).map_err(Error::Login)?;
                send(stream, |out| out.extend_from_slice(exchange.message()))?;
            }
            Step::SaslFinal(data) => {
                let exchange = scram.as_mut().ok_or_else(|| out_of_order("SASL conclusion"))?;
                exchange.finish(&data).map_err(Error::Login)?;
            }
            Step::Unsupported(what) => return Err(Error::Unsupported(what)),
            Step::Failed(error) => return Err(Error::Server(Box::new(error))),
            Step::Malformed(tag) => {
                return Err(Error::Protocol(format!("malformed message {:?} at login", char::from(tag))));
            }
            Step::Other => {}
        }
    }
}

fn out_of_order(what: &str) -> Error {
    Error::Protocol(format!("{what} without a beginning"))
}

fn password(address: &Address) -> Result<&str, Error> {
    address.password.as_deref().ok_or(Error::PasswordMissing)
}

fn classify(message: &BackendMessage<'_>, body: &[u8]) -> Step {
    // The codes of the SASL steps and MD5's salt follow the request's code.
    const SASL_CONTINUE: u32 = 11;
    const SASL_FINAL: u32 = 12;
    let rest = || body.get(4..).unwrap_or_default();
    match message {
        BackendMessage::ReadyForQuery(_) => Step::Ready,
        BackendMessage::BackendKeyData(key) => Step::Pid(key.backend_pid),
        BackendMessage::ErrorResponse(response) => Step::Failed(ServerError::of(response)),
        BackendMessage::Malformed(tag) => Step::Malformed(*tag),
        BackendMessage::Authentication(request) => match request {
            Authentication::Ok => Step::Other,
            Authentication::CleartextPassword => Step::Password,
            Authentication::Md5Password => rest().try_into().map_or(Step::Malformed(b'R'), Step::Md5),
            Authentication::Sasl(mechanisms) => {
                Step::Sasl(mechanisms.names().any(|name| name == SCRAM_SHA_256.as_bytes()))
            }
            Authentication::Other(SASL_CONTINUE) => Step::SaslContinue(rest().to_vec()),
            Authentication::Other(SASL_FINAL) => Step::SaslFinal(rest().to_vec()),
            Authentication::Other(code) => Step::Unsupported(format!(
                "the server asks for authentication method {code} (GSSAPI, SSPI or newer), which is not supported here"
            )),
        },
        _ => Step::Other,
    }
}

fn send(stream: &mut Stream, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), Error> {
    let mut out = Vec::new();
    encode::message(&mut out, b'p', write);
    stream.write_all(&out)?;
    Ok(stream.flush()?)
}

fn send_password(stream: &mut Stream, password: &[u8]) -> Result<(), Error> {
    send(stream, |out| encode::cstr(out, password))
}

fn send_sasl_start(stream: &mut Stream, first: &[u8]) -> Result<(), Error> {
    send(stream, |out| {
        encode::cstr(out, SCRAM_SHA_256.as_bytes());
        let length = u32::try_from(first.len()).unwrap_or(u32::MAX);
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(first);
    })
}
