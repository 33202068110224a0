//! Where a server is and who we are there.

use crate::postgres::Target;
use rustls::ClientConfig;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio_postgres::config::SslMode;

/// One end of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// A Unix socket: `<directory>/.s.PGSQL.<port>`.
    Unix {
        /// The directory that holds the socket.
        directory: PathBuf,
        /// The port in its name.
        port: u16,
    },
    /// TCP.
    Tcp {
        /// Name or address.
        host: String,
        /// Port.
        port: u16,
    },
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unix { .. } => write!(formatter, "{}", self.socket_path().display()),
            Self::Tcp { host, port } => write!(formatter, "{host}:{port}"),
        }
    }
}

impl Endpoint {
    /// Whether it is a Unix socket or loopback.
    #[must_use]
    pub fn is_this_machine(&self) -> bool {
        match self {
            Self::Unix { .. } => true,
            Self::Tcp { host, .. } => {
                host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
            }
        }
    }

    /// The Unix socket's path; empty for TCP.
    pub(super) fn socket_path(&self) -> PathBuf {
        match self {
            Self::Unix { directory, port } => directory.join(format!(".s.PGSQL.{port}")),
            Self::Tcp { .. } => PathBuf::new(),
        }
    }
}

/// Whether and how the connection is encrypted. Unix sockets never are.
#[derive(Debug, Clone, Default)]
pub enum Encryption {
    /// Plain.
    #[default]
    Off,
    /// TLS where the server offers it, else plain.
    Preferred(Arc<ClientConfig>),
    /// TLS or no connection.
    Required(Arc<ClientConfig>),
}

/// Everything needed to open a connection.
#[derive(Debug, Clone)]
pub struct Address {
    /// Where.
    pub endpoint: Endpoint,
    /// Role.
    pub user: String,
    /// Password, where one is needed.
    pub password: Option<String>,
    /// Database.
    pub database: String,
    /// `options` of the start-up message, such as `-c statement_timeout=30s`.
    pub options: Option<String>,
    /// Encryption.
    pub encryption: Encryption,
    /// For connecting and logging in, and over TCP for the longest silence while
    /// a reply is awaited. Statements are limited by `statement_timeout` in `options`.
    pub timeout: Duration,
}

/// Said where a configuration gives no [`Address`].
pub(crate) const NO_ADDRESS: &str = "the target's address names no host or user";

/// How long a silent server is waited for when nothing else is asked for.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(120);

impl Address {
    /// The address a parsed configuration stands for: its first host. `None`
    /// where it names none. TLS is left off; see [`Address::encryption`].
    #[must_use]
    pub fn of(config: &tokio_postgres::Config) -> Option<Self> {
        let port = config.get_ports().first().copied().unwrap_or(5432);
        let endpoint = match config.get_hosts().first()? {
            tokio_postgres::config::Host::Tcp(host) => Endpoint::Tcp { host: host.clone(), port },
            #[cfg(unix)]
            tokio_postgres::config::Host::Unix(directory) => {
                Endpoint::Unix { directory: directory.clone(), port }
            }
        };
        let user = config.get_user()?.to_owned();
        Some(Self {
            endpoint,
            database: config.get_dbname().unwrap_or(&user).to_owned(),
            user,
            password: config.get_password().map(|bytes| String::from_utf8_lossy(bytes).into_owned()),
            options: config.get_options().map(str::to_owned),
            encryption: Encryption::Off,
            timeout: TIMEOUT_DEFAULT,
        })
    }

    /// A database of a target, encrypted as the target's URL asks, with `settings` of the session
    /// behind those of the URL, such as `-c statement_timeout=30s`. `None` as for [`Address::of`].
    #[must_use]
    pub fn of_target(target: &Target, database: &str, settings: &str) -> Option<Self> {
        let config = target.config_for(database);
        let mut address = Self::of(&config)?;
        let options = address.options.into_iter().chain([settings.to_owned()]);
        address.options = Some(options.collect::<Vec<_>>().join(" "));
        address.encryption = match config.get_ssl_mode() {
            SslMode::Disable => Encryption::Off,
            SslMode::Prefer => Encryption::Preferred(target.tls_config()),
            _ => Encryption::Required(target.tls_config()),
        };
        Some(address)
    }

    /// The same, through the Unix socket in `directory`.
    #[must_use]
    pub fn through_socket(mut self, directory: &Path) -> Self {
        let port = match self.endpoint {
            Endpoint::Unix { port, .. } | Endpoint::Tcp { port, .. } => port,
        };
        self.endpoint = Endpoint::Unix { directory: directory.to_owned(), port };
        self
    }

    /// The same, to another database.
    #[must_use]
    pub fn to_database(mut self, database: &str) -> Self {
        database.clone_into(&mut self.database);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_a_socket_or_loopback() {
        let tcp = |host: &str| Endpoint::Tcp { host: host.into(), port: 5432 }.is_this_machine();
        assert!(Endpoint::Unix { directory: "/run".into(), port: 5432 }.is_this_machine());
        assert!(tcp("localhost") && tcp("127.0.0.1") && tcp("127.8.0.1") && tcp("::1"));
        assert!(
            !tcp("10.0.0.1") && !tcp("db.example.com") && !tcp("0.0.0.0") && !tcp("localhost.example.com")
        );
    }
}
