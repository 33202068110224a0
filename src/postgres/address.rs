//! Where a server is and how to log in: from a URL, and back to one.

use super::Error;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::path::Path;
use std::time::Duration;
use tokio_postgres::Config;

const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// An address of a server, with the database under test.
#[derive(Debug, Clone)]
pub(super) struct Address {
    /// For our own sessions.
    config: Config,
    /// A libpq URL without its path, in two parts around it.
    url: (String, String),
    /// The database under test.
    pub(super) database: String,
    /// Host and port for messages; never the password.
    pub(super) place: String,
}

impl Address {
    /// The throwaway server: our sessions by its socket, URLs by loopback.
    pub(super) fn of_throwaway(directory: &Path, port: u16, password: &str) -> Self {
        let mut config = base_config();
        config.host_path(directory).port(port).user("postgres");
        Self {
            config,
            url: (format!("postgresql://postgres:{password}@127.0.0.1:{port}"), String::new()),
            database: "postgres".into(),
            place: format!("the throwaway server in {}", directory.display()),
        }
    }

    /// A URL as libpq reads it.
    pub(super) fn parse(url: &str) -> Result<Self, Error> {
        let config: Config = url.parse().map_err(|error| Error::Url(super::error::chain(&error)))?;
        let database = config.get_dbname().or(config.get_user()).unwrap_or("postgres").to_owned();
        let rest =
            url.split_once("://").ok_or_else(|| Error::Url("it does not start with postgres://".into()))?.1;
        let (authority, query) =
            rest.split_once('?').map_or((rest, String::new()), |(a, q)| (a, format!("?{q}")));
        let authority = authority.split('/').next().unwrap_or_default();
        let place = authority.rsplit('@').next().unwrap_or_default().to_owned();
        let mut own = config.clone();
        if config.get_connect_timeout().is_none() {
            own.connect_timeout(CONNECT_TIMEOUT);
        }
        if config.get_application_name().is_none() {
            own.application_name("plimsoll");
        }
        Ok(Self { config: own, url: (format!("postgresql://{authority}"), query), database, place })
    }

    /// The configuration of our own sessions with a database.
    pub(super) fn config(&self, database: &str) -> Config {
        let mut config = self.config.clone();
        config.dbname(database);
        config
    }

    /// A URL for other programs.
    pub(super) fn url(&self, database: &str) -> String {
        format!("{}/{}{}", self.url.0, utf8_percent_encode(database, UNRESERVED), self.url.1)
    }
}

fn base_config() -> Config {
    let mut config = Config::new();
    config.application_name("plimsoll").connect_timeout(CONNECT_TIMEOUT);
    config
}
