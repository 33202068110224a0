//! Where a server is and how to log in: from a URL, and back to one.
//!
//! Reads what libpq reads as far as it bears on a connection of ours. What only
//! libpq understands is kept for other programs; what nobody knows is an error.

use super::Error;
use super::tls::{TlsOptions, Verification};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio_postgres::Config;
use tokio_postgres::config::SslMode;

const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Where a URL without a host looks for a socket, as packages set libpq up.
const SOCKET_DIRECTORIES: [&str; 2] = ["/var/run/postgresql", "/tmp"];
/// Meant for libpq alone: kept for other programs, without a meaning for our sessions.
const LIBPQ_ONLY: [&str; 14] = [
    "client_encoding",
    "fallback_application_name",
    "gssdelegation",
    "gssencmode",
    "gsslib",
    "krbsrvname",
    "passfile",
    "require_auth",
    "requirepeer",
    "ssl_max_protocol_version",
    "ssl_min_protocol_version",
    "sslcompression",
    "sslcrl",
    "sslsni",
];

/// An address of a server, with the database under test.
#[derive(Debug, Clone)]
pub(super) struct Address {
    /// For our own sessions.
    config: Config,
    /// How they use TLS.
    pub(super) tls: TlsOptions,
    /// `postgresql://user:password@host:port`, without a path.
    authority: String,
    /// `?sslmode=require`, or empty.
    parameters: String,
    /// The database under test.
    pub(super) database: String,
    /// Host and port for messages; never the password.
    pub(super) place: String,
}

impl Address {
    /// The throwaway server: our sessions by its socket, URLs by loopback.
    pub(super) fn of_throwaway(directory: &Path, port: u16, password: &str) -> Self {
        let mut config = Config::new();
        config.host_path(directory).port(port).user("postgres").ssl_mode(SslMode::Disable);
        config.application_name("plimsoll").connect_timeout(CONNECT_TIMEOUT);
        Self {
            config,
            tls: TlsOptions::default(),
            authority: format!("postgresql://postgres:{password}@127.0.0.1:{port}"),
            parameters: String::new(),
            database: "postgres".into(),
            place: format!("the throwaway server in {}", directory.display()),
        }
    }

    /// A URL as libpq reads it; also with a driver's name as SQLAlchemy writes
    /// it, such as `postgresql+psycopg://`.
    pub(super) fn parse(url: &str) -> Result<Self, Error> {
        let (scheme, rest) = url.split_once("://").unwrap_or_default();
        if !matches!(scheme.split('+').next(), Some("postgres" | "postgresql")) {
            return Err(Error::Url("it does not start with postgres:// or postgresql://".into()));
        }
        let (location, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = location.split_once('/').unwrap_or((location, ""));
        let parameters = Parameters::read(query)?;
        let plain = format!("postgresql://{authority}/{path}{}", joined(&parameters.for_client));
        let mut config: Config = plain.parse().map_err(|error| Error::Url(super::error::chain(&error)))?;
        config.ssl_mode(parameters.ssl_mode);
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        if config.get_application_name().is_none() {
            config.application_name("plimsoll");
        }
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            choose_local_host(&mut config);
        }
        let database = config.get_dbname().or(config.get_user()).unwrap_or("postgres").to_owned();
        let host_and_port = authority.rsplit('@').next().filter(|place| !place.is_empty());
        Ok(Self {
            config,
            tls: parameters.tls,
            authority: format!("postgresql://{authority}"),
            parameters: joined(&parameters.for_others),
            database,
            place: host_and_port.unwrap_or("the local server").to_owned(),
        })
    }

    /// The configuration of our own sessions with a database.
    pub(super) fn config(&self, database: &str) -> Config {
        let mut config = self.config.clone();
        config.dbname(database);
        config
    }

    /// A URL for other programs.
    pub(super) fn url(&self, database: &str) -> String {
        format!("{}/{}{}", self.authority, utf8_percent_encode(database, UNRESERVED), self.parameters)
    }
}

/// The part of a URL after the question mark.
struct Parameters<'a> {
    for_client: Vec<&'a str>,
    for_others: Vec<&'a str>,
    ssl_mode: SslMode,
    tls: TlsOptions,
}

impl<'a> Parameters<'a> {
    fn read(query: &'a str) -> Result<Self, Error> {
        let mut read = Self {
            for_client: Vec::new(),
            for_others: Vec::new(),
            ssl_mode: SslMode::Prefer,
            tls: TlsOptions::default(),
        };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = percent_decode_str(value).decode_utf8_lossy().into_owned();
            if name != "dbname" {
                read.for_others.push(pair);
            }
            match name {
                "sslmode" => (read.ssl_mode, read.tls.verification) = ssl_mode(&value)?,
                "sslrootcert" => read.tls.root_certificate = Some(PathBuf::from(value)),
                "sslcert" => read.tls.client_certificate = Some(PathBuf::from(value)),
                "sslkey" => read.tls.client_key = Some(PathBuf::from(value)),
                _ if LIBPQ_ONLY.contains(&name) => {}
                _ => read.for_client.push(pair),
            }
        }
        Ok(read)
    }
}

fn ssl_mode(word: &str) -> Result<(SslMode, Verification), Error> {
    Ok(match word {
        "disable" => (SslMode::Disable, Verification::None),
        // `allow` tries without first; what it allows, `prefer` allows too.
        "allow" | "prefer" => (SslMode::Prefer, Verification::None),
        "require" => (SslMode::Require, Verification::None),
        "verify-ca" => (SslMode::Require, Verification::Issuer),
        "verify-full" => (SslMode::Require, Verification::IssuerAndName),
        other => {
            return Err(Error::Url(format!(
                "sslmode is `{other}`, known are disable, allow, prefer, require, verify-ca and verify-full"
            )));
        }
    })
}

fn joined(pairs: &[&str]) -> String {
    if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
}

fn choose_local_host(config: &mut Config) {
    let port = config.get_ports().first().copied().unwrap_or(5432);
    let has_socket = |directory: &&&str| Path::new(directory).join(format!(".s.PGSQL.{port}")).exists();
    match SOCKET_DIRECTORIES.iter().find(has_socket) {
        Some(directory) => config.host_path(directory),
        None => config.host("localhost"),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_read_and_written_for_another_database() {
        let address =
            Address::parse("postgres://u:p%40ss@db.example:5433/shop?sslmode=require&dbname=app").unwrap();
        assert_eq!(address.database, "app");
        assert_eq!(address.place, "db.example:5433");
        assert_eq!(address.config("x").get_password(), Some(b"p@ss".as_slice()));
        assert_eq!(address.config("x").get_ssl_mode(), SslMode::Require);
        assert_eq!(address.url("a b"), "postgresql://u:p%40ss@db.example:5433/a%20b?sslmode=require");
    }

    #[test]
    fn ssl_modes_are_those_of_libpq() {
        for (word, mode, verification) in [
            ("disable", SslMode::Disable, Verification::None),
            ("prefer", SslMode::Prefer, Verification::None),
            ("require", SslMode::Require, Verification::None),
            ("verify-ca", SslMode::Require, Verification::Issuer),
            ("verify-full", SslMode::Require, Verification::IssuerAndName),
        ] {
            let address = Address::parse(&format!("postgres://h/d?sslmode={word}")).unwrap();
            assert_eq!(
                (address.config("d").get_ssl_mode(), address.tls.verification),
                (mode, verification),
                "{word}"
            );
        }
    }

    #[test]
    fn what_cannot_be_understood_is_an_error_that_shows_no_password() {
        for (url, expected) in [
            ("localhost/db", "does not start with postgres://"),
            ("mysql://u:secret@h/d", "does not start with postgres://"),
            ("postgres://u:secret@h/d?sslmode=maybe", "sslmode is `maybe`"),
            ("postgres://u:secret@h/d?colour=red", "unknown option `colour`"),
            ("postgres://u:secret@h:port/d", "invalid"),
        ] {
            let error = Address::parse(url).unwrap_err().to_string();
            assert!(error.contains(expected) && !error.contains("secret"), "{url}: {error}");
        }
    }

    #[test]
    fn names_of_drivers_and_options_of_libpq_are_accepted() {
        let address =
            Address::parse("postgresql+psycopg://u@h/d?gssencmode=disable&connect_timeout=3").unwrap();
        assert_eq!(address.config("d").get_connect_timeout(), Some(&Duration::from_secs(3)));
        assert_eq!(address.url("d"), "postgresql://u@h/d?gssencmode=disable&connect_timeout=3");
    }
}
