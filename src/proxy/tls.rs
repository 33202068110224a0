//! TLS on both hops: what the proxy shows to clients, and how it checks the
//! server. The words of `sslmode` are libpq's.

use super::error::Error;
use super::url::ServerUrl;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The protocol name of clients that start with TLS at once.
const ALPN: &[u8] = b"postgresql";

/// What the proxy answers to a client that asks for TLS.
#[derive(Debug, Clone, Default)]
pub enum ClientTls {
    /// No, as a server without TLS does. Fitting for a loopback hop.
    #[default]
    Refused,
    /// Yes, with a certificate made for this run, which no client can verify.
    OwnCertificate,
    /// Yes, with a given certificate.
    Given {
        /// PEM file with the certificate chain.
        certificate: PathBuf,
        /// PEM file with its private key.
        key: PathBuf,
    },
}

/// What is shown to clients, made ready.
#[derive(Debug, Clone)]
pub(super) struct Offer {
    pub(super) config: Arc<ServerConfig>,
    /// The first certificate, which SCRAM channel binding is about.
    pub(super) certificate: CertificateDer<'static>,
}

impl ClientTls {
    pub(super) fn offer(&self) -> Result<Option<Offer>, Error> {
        let (chain, key) = match self {
            Self::Refused => return Ok(None),
            Self::OwnCertificate => own_certificate()?,
            Self::Given { certificate, key } => (read_certificates(certificate)?, read_key(key)?),
        };
        let what = match self {
            Self::Given { certificate, .. } => certificate.display().to_string(),
            _ => "the proxy's own certificate".into(),
        };
        let unusable = |reason: String| Error::Certificate { what: what.clone(), reason };
        let first = chain.first().cloned().ok_or_else(|| unusable("it holds no certificate".into()))?;
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
            .map_err(|error| unusable(error.to_string()))?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(Some(Offer { config: Arc::new(config), certificate: first }))
    }
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn own_certificate() -> Result<Identity, Error> {
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).map_err(|error| Error::Certificate {
        what: "the proxy's own certificate".into(),
        reason: error.to_string(),
    })?;
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    Ok((vec![made.cert.der().clone()], key.into()))
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| Error::Certificate { what: path.display().to_string(), reason: error.to_string() })
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, Error> {
    PrivateKeyDer::from_pem_file(path)
        .map_err(|error| Error::Certificate { what: path.display().to_string(), reason: error.to_string() })
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// TLS to the server, as `sslmode` and its companions ask for.
#[derive(Debug, Clone)]
pub(super) struct ServerTls {
    pub(super) config: Arc<ClientConfig>,
    pub(super) name: ServerName<'static>,
    /// Whether to give up rather than go on in plain text.
    pub(super) required: bool,
}

/// How much of the server's certificate is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Check {
    Nothing,
    Issuer,
    IssuerAndName,
}

impl ServerTls {
    /// From a URL's `sslmode`, `sslrootcert`, `sslcert` and `sslkey`. `None`
    /// for `disable` and for `allow`, which the proxy treats alike.
    pub(super) fn from_url(url: &ServerUrl, host: &str) -> Result<Option<Self>, Error> {
        let mode =
            url.parameter("sslmode").or_else(|| url.parameter("ssl")).unwrap_or_else(|| "prefer".into());
        let root = url.parameter("sslrootcert");
        let (required, check) = match mode.as_str() {
            "disable" | "allow" | "false" => return Ok(None),
            "prefer" => (false, Check::Nothing),
            // As in libpq: a root certificate at hand turns `require` into `verify-ca`.
            "require" | "true" if root.is_some() => (true, Check::Issuer),
            "require" | "true" | "no-verify" => (true, Check::Nothing),
            "verify-ca" => (true, Check::Issuer),
            "verify-full" => (true, Check::IssuerAndName),
            _ => return Err(Error::TlsMode(mode)),
        };
        let name = ServerName::try_from(host.to_owned()).map_err(|_| Error::Certificate {
            what: format!("the server's name `{host}`"),
            reason: "it is neither a host name nor an address".into(),
        })?;
        let verifier = Verifier::new(check, root.as_deref())?;
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::Certificate { what: "TLS".into(), reason: error.to_string() })?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match (url.parameter("sslcert"), url.parameter("sslkey")) {
            (Some(certificate), Some(key)) => {
                let chain = read_certificates(Path::new(&certificate))?;
                builder
                    .with_client_auth_cert(chain, read_key(Path::new(&key))?)
                    .map_err(|error| Error::Certificate { what: certificate, reason: error.to_string() })?
            }
            _ => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(Some(Self { config: Arc::new(config), name, required }))
    }
}

/// Checks as much of a certificate as `sslmode` asks for, and the handshake's
/// signature always.
#[derive(Debug)]
struct Verifier {
    check: Check,
    /// None where nothing is checked.
    trusted: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    fn new(check: Check, root: Option<&str>) -> Result<Self, Error> {
        let provider = provider();
        if check == Check::Nothing {
            return Ok(Self { check, trusted: None, provider });
        }
        let mut roots = RootCertStore::empty();
        match root {
            Some(file) if file != "system" => {
                for certificate in read_certificates(Path::new(file))? {
                    roots.add(certificate).map_err(|error| Error::Certificate {
                        what: file.to_owned(),
                        reason: error.to_string(),
                    })?;
                }
            }
            _ => {
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
        }
        let trusted = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
            .build()
            .map_err(|error| Error::Certificate {
                what: root.unwrap_or("the system's root certificates").to_owned(),
                reason: error.to_string(),
            })?;
        Ok(Self { check, trusted: Some(trusted), provider })
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(trusted) = &self.trusted else {
            return Ok(ServerCertVerified::assertion());
        };
        match trusted.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if self.check == Check::Issuer => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
