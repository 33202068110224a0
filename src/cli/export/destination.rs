//! Where `export --to` goes, read from one argument.

use std::path::PathBuf;

/// A place for results.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Destination {
    /// Tables in a PostgreSQL database; the URL.
    Tables(String),
    /// A Prometheus text file, for the textfile collector.
    PrometheusFile(PathBuf),
    /// A Prometheus Pushgateway; its address without a final slash.
    Pushgateway(String),
    /// An OTLP receiver over HTTP; its address without a final slash.
    Otlp(String),
}

const KNOWN: &str = "postgres://user@host/database (tables), FILE.prom (node_exporter's textfile collector), \
                     pushgateway+http://host:9091 or otlp+http://host:4318 (also with https)";

impl Destination {
    /// Told apart by the beginning of a URL or the end of a file's name. The
    /// message never repeats a URL, which may hold a password.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let scheme = text.split_once("://").map(|(scheme, _)| scheme);
        let Some(scheme) = scheme else {
            let path = PathBuf::from(text);
            return match path.extension() {
                Some(extension) if extension == "prom" => Ok(Self::PrometheusFile(path)),
                _ => Err(format!("--to cannot be understood; known are {KNOWN}")),
            };
        };
        match scheme.split_once('+').unwrap_or((scheme, "")) {
            ("postgres" | "postgresql", _) => Ok(Self::Tables(text.to_owned())),
            ("pushgateway", "http" | "https") => Ok(Self::Pushgateway(address(text, "pushgateway+"))),
            ("otlp", "http" | "https") => Ok(Self::Otlp(address(text, "otlp+"))),
            _ => Err(format!("--to has a scheme that is not known, `{scheme}://`; known are {KNOWN}")),
        }
    }
}

fn address(text: &str, prefix: &str) -> String {
    text.trim_start_matches(prefix).trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_is_told_by_scheme_or_ending() {
        for (text, expected) in [
            ("postgres://u@h/d", Destination::Tables("postgres://u@h/d".into())),
            ("postgresql+psycopg://u@h/d", Destination::Tables("postgresql+psycopg://u@h/d".into())),
            ("metrics/shop.prom", Destination::PrometheusFile("metrics/shop.prom".into())),
            ("pushgateway+http://h:9091/", Destination::Pushgateway("http://h:9091".into())),
            ("otlp+https://h:4318/base", Destination::Otlp("https://h:4318/base".into())),
        ] {
            assert_eq!(Destination::parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused_without_showing_a_password() {
        for text in ["mysql://u:secret@h/d", "out.txt", "", "otlp+grpc://h:4317", "http://u:secret@h"] {
            let message = Destination::parse(text).unwrap_err();
            assert!(message.contains("otlp+http://") && !message.contains("secret"), "{text}: {message}");
        }
    }
}
