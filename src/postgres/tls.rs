//! TLS for connections to servers that are not ours, with libpq's meaning of `sslmode`.

use super::Error;
use rustls::client::WebPkiServerVerifier;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};

mod verifier;

/// What of the server's certificate is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Verification {
    /// Nothing: the connection is encrypted, with whomever.
    #[default]
    None,
    /// That somebody we trust issued it.
    Issuer,
    /// Also that it is for this host.
    IssuerAndName,
}

/// How our sessions use TLS.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct TlsOptions {
    /// From `sslmode`.
    pub(super) verification: Verification,
    /// `sslrootcert`; none or `system`: those that the system trusts.
    pub(super) root_certificate: Option<PathBuf>,
    /// `sslcert`.
    pub(super) client_certificate: Option<PathBuf>,
    /// `sslkey`.
    pub(super) client_key: Option<PathBuf>,
}

/// Makes TLS connections for the client.
#[derive(Clone, Debug)]
pub(super) struct MakeTls {
    config: Arc<ClientConfig>,
}

impl MakeTls {
    /// What a handshake is made with.
    pub(super) fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.config)
    }

    /// Reads the certificates.
    pub(super) fn new(options: &TlsOptions) -> Result<Self, Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::Url(error.to_string()))?;
        let builder = if options.verification == Verification::IssuerAndName {
            let roots = Arc::new(roots(options)?);
            let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider).build();
            builder.with_webpki_verifier(verifier.map_err(|error| Error::Url(error.to_string()))?)
        } else {
            let verifies_issuer = options.verification == Verification::Issuer;
            let roots = verifies_issuer.then(|| roots(options)).transpose()?;
            let verifier = verifier::LenientVerifier::new(roots, provider);
            builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
        };
        let config = match (&options.client_certificate, &options.client_key) {
            (Some(certificate), Some(key)) => builder
                .with_client_auth_cert(certificates(certificate)?, private_key(key)?)
                .map_err(|error| Error::Url(format!("sslcert {}: {error}", certificate.display())))?,
            (None, None) => builder.with_no_client_auth(),
            _ => return Err(Error::Url("sslcert and sslkey go together, only one is given".into())),
        };
        Ok(Self { config: Arc::new(config) })
    }
}

fn roots(options: &TlsOptions) -> Result<RootCertStore, Error> {
    let mut store = RootCertStore::empty();
    match options.root_certificate.as_deref().filter(|path| *path != Path::new("system")) {
        Some(path) => {
            for certificate in certificates(path)? {
                store
                    .add(certificate)
                    .map_err(|error| Error::Url(format!("sslrootcert {}: {error}", path.display())))?;
            }
        }
        None => {
            store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if store.is_empty() {
        return Err(Error::Url("no certificate authority is trusted: give sslrootcert=FILE".into()));
    }
    Ok(store)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let fail =
        |error: rustls::pki_types::pem::Error| Error::Url(format!("certificate {}: {error}", path.display()));
    CertificateDer::pem_file_iter(path).map_err(fail)?.collect::<Result<_, _>>().map_err(fail)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, Error> {
    PrivateKeyDer::from_pem_file(path)
        .map_err(|error| Error::Url(format!("sslkey {}: {error}", path.display())))
}

impl<S> MakeTlsConnect<S> for MakeTls
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = Stream<S>;
    type TlsConnect = Connector;
    type Error = io::Error;

    fn make_tls_connect(&mut self, host: &str) -> io::Result<Connector> {
        Ok(Connector { config: Arc::clone(&self.config), host: host.to_owned() })
    }
}

/// Makes one TLS connection to a host.
pub(super) struct Connector {
    config: Arc<ClientConfig>,
    host: String,
}

impl<S> TlsConnect<S> for Connector
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = Stream<S>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Stream<S>>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        Box::pin(async move {
            let name = ServerName::try_from(self.host).map_err(io::Error::other)?;
            let connector = tokio_rustls::TlsConnector::from(self.config);
            Ok(Stream(Box::new(connector.connect(name, stream).await?)))
        })
    }
}

/// An encrypted connection.
pub(super) struct Stream<S>(Box<tokio_rustls::client::TlsStream<S>>);

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for Stream<S> {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Stream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_read(cx, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0).poll_write(cx, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_shutdown(cx)
    }
}
