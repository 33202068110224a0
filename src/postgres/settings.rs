//! How a throwaway server is set up, as the text of its configuration files.
//!
//! The server's own defaults, except for what would move a measurement: nothing
//! works in the background, and nothing depends on the machine's locale or time.

use std::path::Path;

/// Who may connect: through the socket whoever can reach it (its directory is
/// private), over loopback whoever knows the password.
pub(super) const HOST_BASED_AUTHENTICATION: &str =
    "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n";

/// Its own file, which `postgresql.conf` includes at its end.
pub(super) const FILE: &str = "plimsoll.conf";
/// The line that includes it.
pub(super) const INCLUDE: &str = "include_if_exists = 'plimsoll.conf'\n";

/// The text of that file. A later line wins, so that `extra` does.
pub(super) fn configuration(socket_directory: &Path, is_durable: bool, extra: &[(String, String)]) -> String {
    let socket_directory = socket_directory.to_string_lossy();
    let mut lines: Vec<(&str, &str)> = vec![
        ("listen_addresses", "127.0.0.1"),
        ("unix_socket_directories", &socket_directory),
        ("unix_socket_permissions", "0700"),
        ("password_encryption", "scram-sha-256"),
        ("max_connections", "200"),
        // ANALYZE and VACUUM run where the set-up asks for them: in the
        // background they would change plans and buffers between two samples.
        ("autovacuum", "off"),
        // Checkpoints likewise, as far as that can be had.
        ("checkpoint_timeout", "1h"),
        ("max_wal_size", "4GB"),
        ("logging_collector", "off"),
        ("log_destination", "stderr"),
        ("log_line_prefix", "%m [%p] %d "),
        // Messages are read by us and shown in reports.
        ("lc_messages", "C"),
        ("timezone", "UTC"),
        ("log_timezone", "UTC"),
    ];
    if !is_durable {
        lines.extend([("fsync", "off"), ("synchronous_commit", "off"), ("full_page_writes", "off")]);
    }
    lines.extend(extra.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    lines.iter().fold(String::new(), |text, (name, value)| {
        text + &format!("{name} = '{}'\n", value.replace('\'', "''"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durability_is_the_servers_own_unless_it_is_given_up() {
        let durable = configuration(Path::new("/tmp/x"), true, &[]);
        assert!(!durable.contains("fsync") && !durable.contains("synchronous_commit"));
        assert!(configuration(Path::new("/tmp/x"), false, &[]).contains("fsync = 'off'"));
    }

    #[test]
    fn quotes_in_values_are_doubled_and_extra_settings_come_last() {
        let extra = [("autovacuum".to_owned(), "o'n".to_owned())];
        let text = configuration(Path::new("/tmp/it's"), true, &extra);
        assert!(text.contains("unix_socket_directories = '/tmp/it''s'"));
        assert!(text.ends_with("autovacuum = 'o''n'\n"));
    }
}
