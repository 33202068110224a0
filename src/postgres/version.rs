//! Which servers are supported.

use super::Error;
use super::programs::SUPPORTED_MAJORS;

/// Nothing for a supported `server_version_num`.
pub(super) fn check(number: u32, text: &str) -> Result<(), Error> {
    let major = number / 10_000;
    if SUPPORTED_MAJORS.contains(&major) {
        return Ok(());
    }
    let (oldest, newest) = (SUPPORTED_MAJORS.start(), SUPPORTED_MAJORS.end());
    let next = if major < *oldest {
        "use a newer server, or none: then a throwaway one is started"
    } else {
        "use a newer Plimsoll"
    };
    Err(Error::Version(format!(
        "the server is PostgreSQL {text}, supported are {oldest} to {newest}: {next}"
    )))
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn supported_versions_are_13_to_18() {
        for number in [130_000, 150_018, 180_099] {
            assert!(check(number, "x").is_ok(), "{number}");
        }
        assert!(check(120_022, "12.22").unwrap_err().to_string().contains("PostgreSQL 12.22"));
        assert!(check(190_000, "19.0").unwrap_err().to_string().contains("a newer Plimsoll"));
    }
}
