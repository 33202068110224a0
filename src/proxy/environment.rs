//! What a child process is told about its database: the same one, by way of
//! the recorder. Pure: variables in, variables out.

use super::error::Error;
use super::url::ServerUrl;
use std::net::SocketAddr;
use std::path::Path;

/// The variable that most frameworks read.
const DATABASE_URL: &str = "DATABASE_URL";

/// A child's variables, as far as they differ from its parent's; none unsets.
pub type Changes = Vec<(String, Option<String>)>;

/// The changes that lead a child to the recorder at `address`: `DATABASE_URL`
/// and each of `names` rewritten with scheme, credentials and parameters kept,
/// and libpq's own variables. `parent` is what the child would inherit.
#[must_use]
pub fn changes(
    upstream: &ServerUrl,
    address: SocketAddr,
    parent: &[(String, String)],
    names: &[String],
) -> Changes {
    let (host, port) = (address.ip().to_string(), address.port());
    let inherited = |name: &str| parent.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let mut changes = Changes::new();
    for name in std::iter::once(DATABASE_URL).chain(names.iter().map(String::as_str)) {
        let written = inherited(name).and_then(|url| ServerUrl::parse(url).ok());
        let url = match written {
            // Its own credentials and parameters count, where it is the same database.
            Some(url) if url.is_same_database(upstream) => url,
            // Another database: only the driver's scheme is its own.
            Some(url) => ServerUrl { scheme: url.scheme, ..upstream.clone() },
            None => upstream.clone(),
        };
        changes.push((name.to_owned(), Some(url.with_endpoint(&host, port))));
    }
    // The address is numeric, so PGHOSTADDR says nothing more; where it is set, Go's lib/pq
    // refuses to connect, and libpq leaves the host that the application itself names.
    if inherited("PGHOSTADDR").is_some() {
        changes.push(("PGHOSTADDR".into(), None));
    }
    changes.push(("PGHOST".into(), Some(host)));
    changes.push(("PGPORT".into(), Some(port.to_string())));
    for (name, value) in [
        ("PGUSER", upstream.user()),
        ("PGPASSWORD", upstream.password()),
        ("PGDATABASE", upstream.database()),
    ] {
        if let Some(value) = value {
            changes.push((name.into(), Some(value)));
        }
    }
    // What speaks about the hop to the server, which is the recorder's now.
    for (name, value) in [
        ("PGSSLMODE", Some("disable")),
        ("PGSSLNEGOTIATION", None),
        ("PGGSSENCMODE", None),
        ("PGCHANNELBINDING", None),
        ("PGSERVICE", None),
    ] {
        if inherited(name).is_some() {
            changes.push((name.into(), value.map(str::to_owned)));
        }
    }
    changes
}

/// Reads a file of `NAME=value` lines, as `.env` files have them: `#` begins a
/// comment line, `export ` and quotes around a value are allowed.
///
/// # Errors
/// Where the file cannot be read, or a line is not of that form.
pub fn read_file(path: &Path) -> Result<Vec<(String, String)>, Error> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| Error::EnvironmentFileUnread { path: path.to_owned(), source })?;
    parse_file(&text).map_err(|line| Error::EnvironmentFile { path: path.to_owned(), line })
}

/// The variables, or the number of the first wrong line.
fn parse_file(text: &str) -> Result<Vec<(String, String)>, usize> {
    let mut variables = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line = line.strip_prefix("export ").unwrap_or(line);
        let (name, value) = line.split_once('=').ok_or(index + 1)?;
        let (name, value) = (name.trim(), value.trim());
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err(index + 1);
        }
        variables.push((name.to_owned(), written_value(value).to_owned()));
    }
    Ok(variables)
}

/// A value without its quotes, or up to the comment behind it.
fn written_value(value: &str) -> &str {
    let is_comment = |rest: &str| rest.trim_start().is_empty() || rest.trim_start().starts_with('#');
    let quoted = ['"', '\''].iter().find_map(|quote| {
        let (inside, rest) = value.strip_prefix(*quote)?.split_once(*quote)?;
        is_comment(rest).then_some(inside)
    });
    // A `#` inside a word, as in a URL, begins no comment.
    let comment = || {
        if value.starts_with('#') {
            Some(0)
        } else {
            [" #", "\t#"].iter().filter_map(|start| value.find(start)).min()
        }
    };
    quoted.unwrap_or_else(|| value[..comment().unwrap_or(value.len())].trim_end())
}

#[cfg(test)]
mod tests {
    use super::{Changes, changes, parse_file};
    use crate::proxy::url::ServerUrl;

    fn to(upstream: &str, parent: &[(&str, &str)], names: &[&str]) -> Changes {
        let parent: Vec<(String, String)> =
            parent.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let names: Vec<String> = names.iter().map(|name| (*name).into()).collect();
        changes(&ServerUrl::parse(upstream).unwrap(), "127.0.0.1:6432".parse().unwrap(), &parent, &names)
    }

    fn value<'a>(changes: &'a Changes, name: &str) -> Option<Option<&'a str>> {
        changes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_deref())
    }

    #[test]
    fn the_database_url_keeps_scheme_and_credentials() {
        let changes = to(
            "postgres://db/app",
            &[("DATABASE_URL", "postgresql+asyncpg://ann:x@db/app?ssl=1"), ("URI", "postgres://other/else")],
            &["URI", "NEW"],
        );
        let url = |name| value(&changes, name).flatten().unwrap();
        assert_eq!(url("DATABASE_URL"), "postgresql+asyncpg://ann:x@127.0.0.1:6432/app?ssl=1");
        assert_eq!(url("URI"), "postgres://127.0.0.1:6432/app");
        assert_eq!(url("NEW"), "postgres://127.0.0.1:6432/app");
    }

    #[test]
    fn libpq_is_led_by_its_own_variables() {
        let changes = to(
            "postgres://ann:p%40w@db:5433/app",
            &[
                ("PGSSLMODE", "require"),
                ("PGSERVICE", "x"),
                ("PGGSSENCMODE", "require"),
                ("PGSSLNEGOTIATION", "direct"),
                ("PGHOSTADDR", "10.0.0.1"),
            ],
            &[],
        );
        for (name, expected) in [
            ("PGHOST", Some(Some("127.0.0.1"))),
            ("PGHOSTADDR", Some(None)),
            ("PGPORT", Some(Some("6432"))),
            ("PGUSER", Some(Some("ann"))),
            ("PGPASSWORD", Some(Some("p@w"))),
            ("PGDATABASE", Some(Some("app"))),
            ("PGSSLMODE", Some(Some("disable"))),
            ("PGSERVICE", Some(None)),
            ("PGGSSENCMODE", Some(None)),
            ("PGSSLNEGOTIATION", Some(None)),
            ("PGCHANNELBINDING", None),
        ] {
            assert_eq!(value(&changes, name), expected, "{name}");
        }
    }

    #[test]
    fn environment_files_are_read() {
        let text = "# comment\n\nexport A=1\nB = \"two words\"\nC='x=y'\n";
        let expected = [("A", "1"), ("B", "two words"), ("C", "x=y")].map(|(a, b)| (a.into(), b.into()));
        assert_eq!(parse_file(text), Ok(expected.to_vec()));
        for (written, expected) in [
            ("\"postgres://a:x#y@db/app\" # the shop's", "postgres://a:x#y@db/app"),
            ("'two # words'#", "two # words"),
            ("postgres://a:x#y@db/app # note", "postgres://a:x#y@db/app"),
            ("\"a\" and \"b\"", "\"a\" and \"b\""),
            ("it's", "it's"),
            ("", ""),
            ("# nothing", ""),
        ] {
            let variables = parse_file(&format!("A={written}")).unwrap();
            assert_eq!(variables[0].1, expected, "{written}");
        }
        assert_eq!(parse_file("A=1\nnonsense\n"), Err(2));
    }
}
