//! `sslmode`, against a server with a certificate of a private authority.

use crate::support::{self, scratch::Scratch};
use plimsoll::model::Quiet;
use plimsoll::postgres::{Target, ThrowawayOptions};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Writes `authority.pem`, and a certificate for `name` with its key.
fn certificates(directory: &Path, name: &str) -> (PathBuf, PathBuf, PathBuf) {
    let mut parameters = CertificateParams::new(Vec::<String>::new()).unwrap();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    let write = |file: &str, text: String| {
        let path = directory.join(file);
        std::fs::write(&path, text).unwrap();
        path
    };
    let key = write("server.key", key.serialize_pem());
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    (write("authority.pem", authority.pem()), write("server.pem", certificate.pem()), key)
}

/// A server with a certificate for `name`; `server.pem` and `server.key` are in the scratch folder.
pub(crate) async fn server_for(scratch: &Scratch, name: &str) -> (Target, PathBuf) {
    let (authority, certificate, key) = certificates(scratch.path(), name);
    let options =
        ThrowawayOptions { scratch_directory: Some(scratch.path().to_owned()), ..support::server_options() };
    // The key must be the server's own; who that is shows on a directory of one that runs.
    let uid = std::fs::metadata(support::server().socket_directory().unwrap()).unwrap().uid();
    std::os::unix::fs::chown(&key, Some(uid), None).unwrap();
    let setting = |name: &str, path: &Path| (name.to_owned(), path.display().to_string());
    // MD5 beside SCRAM: the method of the password that is kept decides.
    let access = scratch.path().join("access.conf");
    std::fs::write(&access, "local all all trust\nhost all all 127.0.0.1/32 md5\n").unwrap();
    std::os::unix::fs::chown(&access, Some(uid), None).unwrap();
    let settings = vec![
        setting("hba_file", &access),
        ("ssl".to_owned(), "on".to_owned()),
        setting("ssl_cert_file", &certificate),
        setting("ssl_key_file", &key),
    ];
    (Target::throwaway(&ThrowawayOptions { settings, ..options }, &Quiet).await.unwrap(), authority)
}

async fn attempt(server: &Target, parameters: &str) -> Result<bool, String> {
    let url = format!("{}?{parameters}", server.url_for("postgres"));
    let target = Target::at_url(&url).await.map_err(|error| error.to_string())?;
    let session = target.connect().await.unwrap();
    let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    Ok(session.query_one(sql, &[]).await.unwrap().get(0))
}

#[tokio::test]
async fn every_sslmode_means_what_libpq_means_by_it() {
    let scratch = Scratch::new();
    let (server, authority) = server_for(&scratch, "127.0.0.1").await;
    let root = format!("sslrootcert={}", authority.display());
    assert_eq!(attempt(&server, "sslmode=disable").await, Ok(false));
    assert_eq!(attempt(&server, "sslmode=prefer").await, Ok(true));
    assert_eq!(attempt(&server, "sslmode=require").await, Ok(true));
    assert_eq!(attempt(&server, &format!("sslmode=verify-ca&{root}")).await, Ok(true));
    assert_eq!(attempt(&server, &format!("sslmode=verify-full&{root}")).await, Ok(true));
    for mode in ["verify-ca", "verify-full"] {
        let error = attempt(&server, &format!("sslmode={mode}&sslrootcert=system")).await.unwrap_err();
        assert!(error.contains("UnknownIssuer") && error.contains("sslrootcert=FILE"), "{error}");
    }
    let error = attempt(&server, "sslmode=verify-ca&sslrootcert=/absent.pem").await.unwrap_err();
    assert!(error.contains("/absent.pem"), "{error}");
    server.close().await.unwrap();
}

#[tokio::test]
async fn a_certificate_for_another_name_fails_only_verify_full() {
    let scratch = Scratch::new();
    let (server, authority) = server_for(&scratch, "db.example").await;
    let root = format!("sslrootcert={}", authority.display());
    assert_eq!(attempt(&server, &format!("sslmode=verify-ca&{root}")).await, Ok(true));
    let error = attempt(&server, &format!("sslmode=verify-full&{root}")).await.unwrap_err();
    assert!(error.contains("not valid for name"), "{error}");
    server.close().await.unwrap();
}
