//! Connection URLs, taken apart as far as the proxy needs and put together
//! again with another endpoint. Scheme, credentials and database are kept as
//! they were written, so that `postgresql+asyncpg://` stays what it is.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The port of a PostgreSQL server where none is given.
const PORT_DEFAULT: u16 = 5432;

/// Query parameters about the hop to the server, which is the proxy's now.
const HOP_PARAMETERS: [&str; 14] = [
    "host",
    "hostaddr",
    "port",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "sslcrl",
    "sslcrldir",
    "sslpassword",
    "sslnegotiation",
    "channel_binding",
    "gssencmode",
    "target_session_attrs",
    "load_balance_hosts",
];

/// Why a URL is not one of a PostgreSQL server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// No `scheme://`, or one of another kind of server.
    #[error("`{0}` is not a PostgreSQL URL: write postgres://user:password@host:port/database")]
    Scheme(String),
    /// A port that is no number below 65536.
    #[error("`{0}` is not a port")]
    Port(String),
}

/// A connection URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerUrl {
    /// The scheme as written, such as `postgresql+psycopg`.
    pub scheme: String,
    /// User and password as written, percent-encoded, without the `@`; empty for none.
    pub credentials: String,
    /// Hosts in order: names, addresses or socket directories, decoded; none means the default.
    pub hosts: Vec<(String, u16)>,
    /// The database as written, percent-encoded; empty for the default.
    pub database: String,
    /// Query parameters in order, names and values as written.
    pub parameters: Vec<(String, String)>,
}

impl ServerUrl {
    /// Takes a URL apart.
    ///
    /// # Errors
    /// Where it is not one of a PostgreSQL server, or a port is not a number.
    pub fn parse(url: &str) -> Result<Self, UrlError> {
        let not_ours = || UrlError::Scheme(without_password(url));
        let (scheme, rest) = url.split_once("://").ok_or_else(not_ours)?;
        let family = scheme.split('+').next().unwrap_or(scheme);
        if !["postgres", "postgresql", "postgis", "psql", "pgsql", "asyncpg"].contains(&family) {
            return Err(not_ours());
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (credentials, endpoints) = authority.rsplit_once('@').unwrap_or(("", authority));
        let parameters: Vec<(String, String)> = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let mut hosts = Vec::new();
        for endpoint in endpoints.split(',').filter(|endpoint| !endpoint.is_empty()) {
            hosts.push(parse_endpoint(endpoint)?);
        }
        let mut url = Self {
            scheme: scheme.to_owned(),
            credentials: credentials.to_owned(),
            hosts,
            database: database.to_owned(),
            parameters,
        };
        url.take_hosts_of_parameters()?;
        Ok(url)
    }

    /// `?host=…&port=…` stands for what the authority leaves out.
    fn take_hosts_of_parameters(&mut self) -> Result<(), UrlError> {
        let port = match self.parameter("port") {
            Some(port) => Some(port.parse().map_err(|_| UrlError::Port(port.clone()))?),
            None => None,
        };
        let named = self.parameter("hostaddr").or_else(|| self.parameter("host"));
        if let Some(named) = named {
            let default = port.or(self.hosts.first().map(|host| host.1)).unwrap_or(PORT_DEFAULT);
            self.hosts.clear();
            for endpoint in named.split(',') {
                // SQLAlchemy writes `?host=name:port`; a socket directory has no colon.
                match endpoint.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?))) {
                    Some((host, port)) if !host.contains(':') => self.hosts.push((host.to_owned(), port)),
                    _ => self.hosts.push((endpoint.to_owned(), default)),
                }
            }
        } else if let (Some(port), [host]) = (port, self.hosts.as_mut_slice()) {
            host.1 = port;
        } else if let (Some(port), []) = (port, self.hosts.as_slice()) {
            self.hosts.push(("localhost".to_owned(), port));
        }
        Ok(())
    }

    /// A query parameter's value, decoded.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<String> {
        self.parameters.iter().find(|(key, _)| key == name).map(|(_, value)| decode(value))
    }

    /// The user, decoded.
    #[must_use]
    pub fn user(&self) -> Option<String> {
        let user = self.credentials.split(':').next().filter(|user| !user.is_empty());
        user.map(decode).or_else(|| self.parameter("user"))
    }

    /// The password, decoded.
    #[must_use]
    pub fn password(&self) -> Option<String> {
        let written = self.credentials.split_once(':').map(|(_, password)| decode(password));
        written.or_else(|| self.parameter("password"))
    }

    /// The database, decoded.
    #[must_use]
    pub fn database(&self) -> Option<String> {
        let written = Some(self.database.as_str()).filter(|name| !name.is_empty()).map(decode);
        written.or_else(|| self.parameter("dbname"))
    }

    /// The same database at another endpoint. Parameters about the hop to the
    /// server are left out, and an `sslmode` becomes `disable`: the hop to the
    /// proxy stays on this machine, and the proxy makes the other one.
    #[must_use]
    pub fn with_endpoint(&self, host: &str, port: u16) -> String {
        let mut url = format!("{}://", self.scheme);
        if !self.credentials.is_empty() {
            url.push_str(&self.credentials);
            url.push('@');
        }
        if host.starts_with('/') {
            url.push_str(&utf8_percent_encode(host, UNRESERVED).to_string());
        } else if host.contains(':') {
            url.push_str(&format!("[{host}]"));
        } else {
            url.push_str(host);
        }
        url.push_str(&format!(":{port}/{}", self.database));
        let mut separator = '?';
        for (name, value) in &self.parameters {
            if HOP_PARAMETERS.contains(&name.as_str()) {
                continue;
            }
            let value = if name == "sslmode" { "disable" } else { value.as_str() };
            url.push(separator);
            url.push_str(&format!("{name}={value}"));
            separator = '&';
        }
        url
    }

    /// Whether both name the same first server and database.
    #[must_use]
    pub fn is_same_database(&self, other: &Self) -> bool {
        let first = |url: &Self| {
            let (host, port) = url.hosts.first().cloned().unwrap_or_else(default_host);
            // The names that this machine has for itself everywhere.
            let is_local = ["localhost", "127.0.0.1", "::1"].contains(&host.to_ascii_lowercase().as_str());
            (if is_local { default_host().0 } else { host }, port)
        };
        first(self) == first(other) && self.database() == other.database()
    }
}

/// The host and port that stand in for a URL without any.
pub(super) fn default_host() -> (String, u16) {
    ("localhost".to_owned(), PORT_DEFAULT)
}

fn parse_endpoint(endpoint: &str) -> Result<(String, u16), UrlError> {
    let (host, port) = match endpoint.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, rest)) => (host, rest.strip_prefix(':').unwrap_or("")),
        None => endpoint.rsplit_once(':').unwrap_or((endpoint, "")),
    };
    let port = match port {
        "" => PORT_DEFAULT,
        port => port.parse().map_err(|_| UrlError::Port(port.to_owned()))?,
    };
    let host = decode(host);
    Ok((if host.is_empty() { "localhost".to_owned() } else { host }, port))
}

/// A URL fit for a message.
fn without_password(url: &str) -> String {
    match (url.find("://"), url.rfind('@')) {
        (Some(scheme), Some(at)) if at > scheme => {
            let user = url[scheme + 3..at].split(':').next().unwrap_or("");
            format!("{}{user}{}", &url[..scheme + 3], &url[at..])
        }
        _ => url.to_owned(),
    }
}

fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::ServerUrl;

    fn moved(url: &str) -> String {
        ServerUrl::parse(url).unwrap().with_endpoint("127.0.0.1", 6432)
    }

    #[test]
    fn credentials_scheme_and_database_are_kept() {
        for (from, to) in [
            ("postgres://localhost/app", "postgres://127.0.0.1:6432/app"),
            ("postgresql+asyncpg://u:p%40ss@db:5433/app", "postgresql+asyncpg://u:p%40ss@127.0.0.1:6432/app"),
            ("postgres:///app?host=/var/run/postgresql&port=5433", "postgres://127.0.0.1:6432/app"),
            ("postgres://u@%2Ftmp/app", "postgres://u@127.0.0.1:6432/app"),
            (
                "postgres://u@h/app?sslmode=verify-full&sslrootcert=/ca.pem&application_name=shop",
                "postgres://u@127.0.0.1:6432/app?sslmode=disable&application_name=shop",
            ),
            ("postgres://u:a@b@h1:1,h2:2/app", "postgres://u:a@b@127.0.0.1:6432/app"),
        ] {
            assert_eq!(moved(from), to);
        }
    }

    #[test]
    fn hosts_come_from_the_authority_or_from_parameters() {
        for (url, hosts) in [
            ("postgres://h/", vec![("h", 5432)]),
            ("postgres://[::1]:1/", vec![("::1", 1)]),
            ("postgres://a:1,b:2/x", vec![("a", 1), ("b", 2)]),
            ("postgres://%2Ftmp%2Fpg:5433/x", vec![("/tmp/pg", 5433)]),
            ("postgres:///x?host=/tmp/pg&port=5433", vec![("/tmp/pg", 5433)]),
            ("postgres:///x", vec![]),
        ] {
            let parsed = ServerUrl::parse(url).unwrap();
            let found: Vec<(&str, u16)> =
                parsed.hosts.iter().map(|(host, port)| (host.as_str(), *port)).collect();
            assert_eq!(found, hosts, "{url}");
        }
    }

    #[test]
    fn this_machine_is_the_same_by_any_of_its_names() {
        let url = |url: &str| ServerUrl::parse(url).unwrap();
        for (one, other, is_same) in [
            ("postgres://localhost/app", "postgres://127.0.0.1:5432/app", true),
            ("postgres://[::1]/app", "postgres:///app", true),
            ("postgres://localhost:5433/app", "postgres://127.0.0.1/app", false),
            ("postgres://localhost/app", "postgres://127.0.0.1/other", false),
            ("postgres://localhost/app", "postgres://db/app", false),
        ] {
            assert_eq!(url(one).is_same_database(&url(other)), is_same, "{one} {other}");
        }
    }

    #[test]
    fn a_url_of_something_else_is_refused_without_its_password() {
        let error = ServerUrl::parse("mysql://ann:secret@h/app").unwrap_err().to_string();
        assert!(error.contains("ann@h") && !error.contains("secret"), "{error}");
        assert!(ServerUrl::parse("postgres://h:port/").is_err());
    }
}
