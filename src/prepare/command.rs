//! The project's own migration command, run against a database of ours.

use super::Error;
use std::path::Path;
use std::process::Stdio;
use tokio::process::Command;

/// What a command's output is cut to in a message.
const LINES_SHOWN: usize = 20;
/// Stands for the version in the command.
pub(super) const VERSION_PLACE: &str = "{version}";

/// Runs `command` in a shell in `folder`, with `DATABASE_URL` and libpq's
/// variables naming the database. `version` replaces `{version}`; none is `head`.
pub(super) async fn run(command: &str, version: Option<&str>, folder: &Path, url: &str) -> Result<(), Error> {
    if version.is_some() && !command.contains(VERSION_PLACE) {
        return Err(Error::CommandWithoutVersion { command: command.into() });
    }
    let command = command.replace(VERSION_PLACE, version.unwrap_or("head"));
    let fail = |outcome: String, output: &str| Error::Command {
        command: command.clone(),
        outcome,
        output: last_lines(output),
    };
    let output = Command::new("/bin/sh")
        .args(["-c", &command])
        .current_dir(folder)
        .env("DATABASE_URL", url)
        .envs(libpq_variables(url))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|error| fail(format!("cannot be run: {error}"), ""))?;
    if output.status.success() {
        return Ok(());
    }
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    Err(fail(format!("ended with {}", output.status), &text))
}

/// `PGHOST` and so on, for tools that do not know `DATABASE_URL`.
fn libpq_variables(url: &str) -> Vec<(&'static str, String)> {
    let Ok(config) = url.parse::<tokio_postgres::Config>() else { return Vec::new() };
    let mut variables = Vec::new();
    match config.get_hosts().first() {
        Some(tokio_postgres::config::Host::Tcp(host)) => variables.push(("PGHOST", host.clone())),
        Some(tokio_postgres::config::Host::Unix(path)) => {
            variables.push(("PGHOST", path.to_string_lossy().into_owned()));
        }
        None => {}
    }
    variables.extend(config.get_ports().first().map(|port| ("PGPORT", port.to_string())));
    variables.extend(config.get_user().map(|user| ("PGUSER", user.to_owned())));
    variables.extend(config.get_dbname().map(|name| ("PGDATABASE", name.to_owned())));
    let password = config.get_password().map(|password| String::from_utf8_lossy(password).into_owned());
    variables.extend(password.map(|password| ("PGPASSWORD", password)));
    variables
}

fn last_lines(output: &str) -> String {
    let lines: Vec<&str> = output.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    if lines.is_empty() {
        return "none".into();
    }
    lines[lines.len().saturating_sub(LINES_SHOWN)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn run_in_tmp(command: &str, version: Option<&str>) -> Result<(), String> {
        let url = "postgresql://u:p%40ss@127.0.0.1:6543/app";
        run(command, version, Path::new("/tmp"), url).await.map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn the_command_finds_the_database_in_its_environment() {
        let check = "test \"$PGHOST $PGPORT $PGUSER $PGPASSWORD $PGDATABASE\" = '127.0.0.1 6543 u p@ss app' \
                     && test -n \"$DATABASE_URL\"";
        run_in_tmp(check, None).await.unwrap();
        run_in_tmp("test {version} = head", None).await.unwrap();
        run_in_tmp("test {version} = 0003", Some("0003")).await.unwrap();
    }

    #[tokio::test]
    async fn a_failing_command_is_shown_with_its_status_and_output() {
        let error = run_in_tmp("echo one; echo two >&2; exit 3", None).await.unwrap_err();
        assert!(error.contains("ended with exit status: 3"), "{error}");
        assert!(error.contains("one\ntwo"), "{error}");
        let error = run_in_tmp("true", Some("0003")).await.unwrap_err();
        assert!(error.contains("write {version} where"), "{error}");
    }
}
