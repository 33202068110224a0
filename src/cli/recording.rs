//! A wrapped command, recorded by the proxy between it and the database.

use super::arguments::Global;
use super::session::Session;
use super::{ExitCode, Failure};
use crate::proxy::{self, ChildCommand, ClientTls, Destination, FaultPlan, Judge, Recording};
use crate::report::json;
use crate::scenarios::n_plus_one::baseline::KnownLoop;
use crate::scenarios::n_plus_one::{self, DetectOptions};
use crate::trace::{Reader, Trace, TraceFileError};
use anyhow::Context as _;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// How a command or a service is recorded.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct RecordOptions {
    /// Further variables that hold the database's URL (repeatable)
    #[arg(long = "env", value_name = "NAME")]
    url_variables: Vec<String>,
    /// A file of NAME=VALUE lines for the command; URLs of the database are rewritten
    #[arg(long = "env-file", value_name = "FILE")]
    environment_files: Vec<PathBuf>,
    /// Keep parameter values as text, not only their hashes
    #[arg(long)]
    keep_values: bool,
    /// Add a round-trip time, such as 1ms
    #[arg(long, value_name = "TIME", value_parser = duration)]
    delay: Option<Duration>,
    /// Fail a statement: as SQLSTATE, which one, and text, such as `40P01:2:update stock`
    #[arg(long, value_name = "FAULT")]
    inject: Option<FaultPlan>,
    /// Answer `SHOW plimsoll.findings` with what was found so far in the session's scope
    #[arg(long)]
    findings: bool,
    /// Offer TLS to the command, with a certificate made for this run
    #[arg(long, conflicts_with = "tls_cert")]
    tls: bool,
    /// Offer TLS to the command, with this certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The certificate's private key (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// The command line's threshold of `n-plus-one`, for `--findings`.
    #[arg(skip)]
    threshold: Option<u64>,
    /// The loops that are accepted, for `--findings`.
    #[arg(skip)]
    known: Vec<KnownLoop>,
    /// The volume that the command's database has, where it runs at several.
    #[arg(skip)]
    volume: Option<String>,
}

/// `500us`, `1ms`, `0.5s`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a time such as 500us, 1ms or 0.5s");
    let unit_start = text.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
    let number: f64 = text[..unit_start].parse().map_err(|_| wrong())?;
    let seconds = match &text[unit_start..] {
        "us" | "µs" => number / 1e6,
        "ms" => number / 1e3,
        "s" => number,
        _ => return Err(wrong()),
    };
    Duration::try_from_secs_f64(seconds).map_err(|_| wrong())
}

impl RecordOptions {
    /// The proxy's options for a server and a destination.
    pub(super) fn proxy_options(
        &self,
        upstream: &str,
        source: &str,
        destination: Destination,
        threshold: u64,
    ) -> proxy::Options {
        let client_tls = match (&self.tls_cert, &self.tls_key) {
            (Some(certificate), Some(key)) => {
                ClientTls::Given { certificate: certificate.clone(), key: key.clone() }
            }
            _ if self.tls => ClientTls::OwnCertificate,
            _ => ClientTls::default(),
        };
        proxy::Options {
            client_tls,
            keeps_values: self.keep_values,
            source: source.to_owned(),
            destination,
            delay: self.delay,
            fault: self.inject.clone(),
            findings: self.findings.then(|| judge(threshold, self.known.clone())),
            names: Some(n_plus_one::table_names(upstream)),
            ..proxy::Options::new(upstream, rand::random())
        }
    }

    /// The same, with what `--findings` goes by: the command line's threshold, and accepted loops.
    pub(super) fn judging(&self, threshold: Option<u64>, known: Vec<KnownLoop>) -> Self {
        Self { threshold, known, ..self.clone() }
    }

    /// Looks at the files that the options name, before anything is started for them.
    ///
    /// # Errors
    /// The first that cannot be read.
    pub(super) fn check(&self) -> Result<(), Failure> {
        for path in [&self.tls_cert, &self.tls_key].into_iter().flatten() {
            std::fs::File::open(path)
                .map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))?;
        }
        self.variables().map(drop)
    }

    /// Looks for the command's program, before a server is started for it.
    ///
    /// # Errors
    /// It is not there, or cannot be run.
    pub(super) fn check_command(&self, words: &[String]) -> Result<(), Failure> {
        let command = self.command(words)?;
        command.check().map_err(|error| Failure::Usage(error.to_string()))
    }

    fn variables(&self) -> Result<Vec<(String, String)>, Failure> {
        let mut variables = Vec::new();
        for path in &self.environment_files {
            let read =
                proxy::environment::read_file(path).map_err(|error| Failure::Usage(error.to_string()))?;
            variables.extend(read);
        }
        variables.extend(self.volume.iter().map(|volume| ("PLIMSOLL_VOLUME".to_owned(), volume.clone())));
        Ok(variables)
    }

    fn command(&self, words: &[String]) -> Result<ChildCommand, Failure> {
        Ok(ChildCommand {
            words: program_and_arguments(words)?,
            parent_environment: std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
                .collect(),
            url_variables: self.url_variables.clone(),
            variables: self.variables()?,
        })
    }
}

/// What a session is told about its scope: the findings, as in `run.json`.
fn judge(threshold: u64, known: Vec<KnownLoop>) -> Judge {
    let options = DetectOptions { threshold: usize::try_from(threshold).unwrap_or(usize::MAX) };
    Judge::new(move |trace| {
        let report = n_plus_one::judge(&[("scope".into(), trace.clone())], &options, &known, &[]);
        json::findings(&report.findings)
    })
}

/// Where a trace goes: `--output`, else `plimsoll.trace` in this folder.
pub(super) fn trace_file(global: &Global) -> PathBuf {
    global.output.clone().unwrap_or_else(|| "plimsoll.trace".into())
}

/// A trace that cannot be read is said before a server is started for it.
///
/// # Errors
/// Every one of them that is no trace.
pub(super) fn check_traces(paths: &[PathBuf]) -> Result<(), Failure> {
    let mut problems = Vec::new();
    for path in paths {
        let opened = std::fs::File::open(path).map_err(TraceFileError::from);
        if let Err(error) = opened.and_then(Reader::new) {
            problems.push(format!("{}: {error}", path.display()));
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    problems.push("record one with `plimsoll trace --output FILE -- CMD`".into());
    Err(Failure::Usage(problems.join("\n")))
}

/// `plimsoll` as a first word is this very program, wherever it is installed:
/// so the demo project runs without an installation.
fn program_and_arguments(words: &[String]) -> Result<Vec<OsString>, Failure> {
    let mut words: Vec<OsString> = words.iter().map(OsString::from).collect();
    if let Some(program) = words.first_mut().filter(|word| *word == "plimsoll") {
        *program = std::env::current_exe()?.into();
    }
    Ok(words)
}

/// What a recorded command came to.
pub(super) struct Recorded {
    pub(super) trace: Trace,
    /// The database it ran on.
    pub(super) database: String,
    /// The command's own code where it is not zero: it wins over the verdict's.
    pub(super) child_code: Option<ExitCode>,
}

/// Runs a command under recording. On a throwaway server it gets a database of
/// its own with all migrations and the first volume.
///
/// # Errors
/// The database cannot be made ready, or the proxy or the command not be started.
pub(super) async fn record(
    session: &Session<'_>,
    options: &RecordOptions,
    words: &[String],
    destination: Destination,
) -> Result<Recorded, Failure> {
    let database = if session.target.is_ours() {
        let volume = session.project.settings.volumes.first().map_or("small", |v| v.name.as_str());
        prepared(session, volume).await?
    } else {
        session.target.database().to_owned()
    };
    record_on(session, options, words, destination, database).await
}

/// Runs a command twice, at a smaller and a larger volume, each time on a
/// database of its own. The command finds the volume's name in `PLIMSOLL_VOLUME`.
///
/// # Errors
/// As [`record`], and where the server is not a throwaway one.
pub(super) async fn record_at(
    session: &Session<'_>,
    options: &RecordOptions,
    words: &[String],
    volumes: &[String; 2],
) -> Result<[Recorded; 2], Failure> {
    if !session.target.is_ours() {
        return Err(Failure::Usage(
            "--grow prepares a database at each volume, which it does on a throwaway server only: leave the URL out"
                .into(),
        ));
    }
    let [small, large] = volumes;
    Ok([
        record_at_volume(session, options, words, small).await?,
        record_at_volume(session, options, words, large).await?,
    ])
}

async fn record_at_volume(
    session: &Session<'_>,
    options: &RecordOptions,
    words: &[String],
    volume: &str,
) -> Result<Recorded, Failure> {
    let database = prepared(session, volume).await?;
    let options = RecordOptions { volume: Some(volume.to_owned()), ..options.clone() };
    record_on(session, &options, words, Destination::default(), database).await
}

/// A database for a command: all migrations, and the data of a volume.
async fn prepared(session: &Session<'_>, volume: &str) -> Result<String, Failure> {
    let template = session.databases.at_head(volume).await?;
    Ok(session.target.clone_database(&template, "application").await?)
}

async fn record_on(
    session: &Session<'_>,
    options: &RecordOptions,
    words: &[String],
    destination: Destination,
    database: String,
) -> Result<Recorded, Failure> {
    let upstream = session.target.url_for(&database);
    let proxy_options = {
        let of_project = session.project.settings.n_plus_one.threshold;
        let threshold = options.threshold.unwrap_or(of_project);
        options.proxy_options(&upstream, &words.join(" "), destination, threshold)
    };
    let command = options.command(words)?;
    session.terminal.finish_progress();
    let place = options.volume.as_ref().map(|volume| format!(" (at volume {volume})")).unwrap_or_default();
    session.terminal.note(&format!("recording{place}: {}", words.join(" ")));
    let child = session.interrupts.leave_to_command(proxy::run_child(&proxy_options, &command)).await;
    let (outcome, recording) = child.context("recording the command")?;
    say_what_happened(session, options, &recording);
    let child_code =
        (outcome.code != 0).then(|| ExitCode::Child(u8::try_from(outcome.code).unwrap_or(u8::MAX)));
    if outcome.code != 0 {
        session.terminal.error(&format!("the command ended with {}; that code is passed on", outcome.code));
    }
    Ok(Recorded { trace: recording.trace, database, child_code })
}

fn say_what_happened(session: &Session<'_>, options: &RecordOptions, recording: &Recording) {
    if recording.refused > 0 {
        let first = &recording.trace.unreached.first;
        let reason = if first.is_empty() { String::new() } else { format!(": {first}") };
        session.terminal.note(&format!(
            "connections that could not be made to the server: {}{reason}",
            recording.refused
        ));
    }
    if let Some(reason) = &recording.without_names {
        session.terminal.note(&format!("tables may be without their names in what follows: {reason}"));
    }
    if recording.cut > 0 {
        session
            .terminal
            .note(&format!("{} connections were still open when the command ended", recording.cut));
    }
    if options.inject.is_some() {
        let text =
            format!("{} statements matched the fault, {} failed", recording.fault_matches, recording.faults);
        session.terminal.error(&text);
    }
    if let Some(failure) = &recording.failure {
        session.terminal.error(&format!("the trace file is not whole: {failure}"));
    }
}

#[cfg(test)]
mod tests {
    use super::duration;
    use std::time::Duration;

    #[test]
    fn times_have_a_unit() {
        assert_eq!(duration("500us"), Ok(Duration::from_micros(500)));
        assert_eq!(duration("1.5ms"), Ok(Duration::from_micros(1500)));
        assert_eq!(duration("2s"), Ok(Duration::from_secs(2)));
        for wrong in ["1", "ms", "-1ms", "1 hour", "1e999s"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
