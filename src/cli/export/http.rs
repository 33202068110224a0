//! One request to a receiver of metrics, and what its refusal means.

use crate::cli::Failure;
use std::sync::Arc;
use std::time::Duration;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

/// A receiver that does not answer must not hold a CI job.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Enough of a refusal to act on.
const REFUSAL_CHARACTERS: usize = 300;

/// A body with where and how it goes.
#[derive(Debug)]
pub(super) struct Request {
    /// `POST` or `PUT`.
    pub(super) method: ureq::http::Method,
    /// The whole URL.
    pub(super) url: String,
    /// The body's type.
    pub(super) content_type: &'static str,
    /// Headers besides, such as `Authorization`.
    pub(super) headers: Vec<(String, String)>,
    /// What is sent.
    pub(super) body: Vec<u8>,
}

/// Sends it; returns the answer's body.
///
/// # Errors
/// The receiver cannot be reached or refuses.
pub(super) async fn send(request: Request) -> Result<Vec<u8>, Failure> {
    let sent = tokio::task::spawn_blocking(move || send_blocking(request)).await;
    sent.map_err(|error| Failure::Environment(error.into()))?
}

fn send_blocking(request: Request) -> Result<Vec<u8>, Failure> {
    let place = place(&request.url);
    let mut builder = ureq::http::Request::builder()
        .method(request.method)
        .uri(&request.url)
        .header("content-type", request.content_type);
    for (name, value) in &request.headers {
        builder = builder.header(name, value);
    }
    let message = builder.body(request.body).map_err(|error| {
        Failure::Usage(format!("the request to {place} cannot be made: {error}; check --to and --header"))
    })?;
    let mut answer = agent(&request.url)
        .run(message)
        .map_err(|error| Failure::Environment(anyhow::anyhow!("cannot send to {place}: {error}")))?;
    let status = answer.status();
    let body = answer.body_mut().read_to_vec().unwrap_or_default();
    if status.is_success() {
        return Ok(body);
    }
    let said: String = String::from_utf8_lossy(&body).trim().chars().take(REFUSAL_CHARACTERS).collect();
    Err(Failure::Environment(anyhow::anyhow!("{place} refused with {status}: {said}")))
}

fn agent(url: &str) -> ureq::Agent {
    let config = ureq::Agent::config_builder().timeout_global(Some(TIMEOUT)).http_status_as_error(false);
    if !url.starts_with("https:") {
        return config.build().into();
    }
    let certificates: Vec<_> = rustls_native_certs::load_native_certs()
        .certs
        .iter()
        .map(|certificate| Certificate::from_der(certificate).to_owned())
        .collect();
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::new_with_certs(&certificates))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build();
    config.tls_config(tls).build().into()
}

/// Host and port, without user and password.
fn place(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?']).next().unwrap_or(rest);
    authority.rsplit('@').next().unwrap_or(authority)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_place_shows_no_password() {
        assert_eq!(super::place("http://u:secret@h:9091/metrics"), "h:9091");
        assert_eq!(super::place("https://h"), "h");
    }
}
