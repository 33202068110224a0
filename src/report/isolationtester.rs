//! What PostgreSQL's isolation tester prints for a spec, byte for byte, so that
//! expected outputs written for it can be compared. The format is described by
//! the tester's README and its expected files; result sets are laid out as
//! libpq's `PQprint` lays them out with headers and aligned columns.

use crate::model::RunReport;
use crate::model::evidence::Evidence;
use crate::model::evidence::deadlock::{ResultSet, TranscriptEvent};
use std::io;

/// What libpq says when the server has ended a connection.
const CONNECTION_LOST: &str = "server closed the connection unexpectedly\n\tThis probably means the server terminated \
                               abnormally\n\tbefore or while processing the request.\n";

/// Writes the transcripts of all specs of a run, one after another.
///
/// # Errors
/// Whatever `out` fails with.
pub fn write(report: &RunReport, out: &mut dyn io::Write) -> io::Result<()> {
    for scenario in &report.scenarios {
        let Evidence::Deadlock(evidence) = &scenario.evidence else { continue };
        for spec in &evidence.specs {
            write_transcript(&spec.transcript, out)?;
        }
    }
    Ok(())
}

/// Writes one spec's transcript.
///
/// # Errors
/// Whatever `out` fails with.
pub fn write_transcript(events: &[TranscriptEvent], out: &mut dyn io::Write) -> io::Result<()> {
    events.iter().try_for_each(|event| write_event(event, out))
}

fn write_event(event: &TranscriptEvent, out: &mut dyn io::Write) -> io::Result<()> {
    match event {
        TranscriptEvent::UnusedStep(step) => writeln!(out, "unused step name: {step}"),
        TranscriptEvent::Parsed(sessions) => writeln!(out, "Parsed test spec with {sessions} sessions"),
        TranscriptEvent::PermutationStarted(steps) => {
            writeln!(out, "\nstarting permutation: {}", steps.join(" "))
        }
        TranscriptEvent::StepWaiting { step, sql } => writeln!(out, "step {step}: {sql} <waiting ...>"),
        TranscriptEvent::StepDone { step, sql } => writeln!(out, "step {step}: {sql}"),
        TranscriptEvent::StepCompleted(step) => writeln!(out, "step {step}: <... completed>"),
        TranscriptEvent::Result(result) => write_result(result, out),
        TranscriptEvent::Error { severity, message } => writeln!(out, "{severity}:  {message}"),
        // The message ends its own line, and the tester adds another one.
        TranscriptEvent::ConnectionLost => writeln!(out, "{CONNECTION_LOST}"),
        TranscriptEvent::Notice { session, severity, message, detail, hint } => {
            writeln!(out, "{session}: {severity}:  {message}")?;
            for (label, text) in [("DETAIL", detail), ("HINT", hint)] {
                if let Some(text) = text {
                    writeln!(out, "{label}:  {text}")?;
                }
            }
            Ok(())
        }
        TranscriptEvent::Notification { session, channel, payload, sender } => {
            writeln!(out, "{session}: NOTIFY \"{channel}\" with payload \"{payload}\" from {sender}")
        }
        TranscriptEvent::Canceling { step, seconds } => {
            writeln!(out, "isolationtester: canceling step {step} after {seconds} seconds")
        }
        TranscriptEvent::Message(message) => writeln!(out, "{message}"),
    }
}

/// Widths are in bytes, as in libpq.
fn write_result(result: &ResultSet, out: &mut dyn io::Write) -> io::Result<()> {
    if result.columns.is_empty() {
        return Ok(());
    }
    let values = |column: usize| {
        result.rows.iter().map(move |row| row.get(column).and_then(Option::as_deref).unwrap_or_default())
    };
    let columns: Vec<Column> = (0..result.columns.len())
        .map(|column| Column {
            width: values(column).map(str::len).chain([result.columns[column].len()]).max().unwrap_or(0),
            is_number: values(column).filter(|value| !value.is_empty()).all(looks_like_a_number),
        })
        .collect();
    let names: Vec<&str> = result.columns.iter().map(String::as_str).collect();
    write_row(&columns, &names, out)?;
    let rules: Vec<String> = columns.iter().map(|column| "-".repeat(column.width)).collect();
    writeln!(out, "{}", rules.join("+"))?;
    for row in &result.rows {
        let values: Vec<&str> = row.iter().map(|value| value.as_deref().unwrap_or_default()).collect();
        write_row(&columns, &values, out)?;
    }
    let count = result.rows.len() as u64 + result.rows_left_out;
    writeln!(out, "({count} row{})\n", if count == 1 { "" } else { "s" })
}

struct Column {
    width: usize,
    is_number: bool,
}

/// What libpq aligns to the right: only the value's characters count, not its type.
fn looks_like_a_number(value: &str) -> bool {
    let is_digit_like = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'E' | b'e' | b' ' | b'-');
    value.bytes().all(is_digit_like)
        && !value.starts_with(['E', 'e'])
        && value.ends_with(|last: char| last.is_ascii_digit())
}

fn write_row(columns: &[Column], values: &[&str], out: &mut dyn io::Write) -> io::Result<()> {
    for (index, (column, value)) in columns.iter().zip(values).enumerate() {
        let blanks = " ".repeat(column.width.saturating_sub(value.len()));
        let separator = if index + 1 < columns.len() { "|" } else { "" };
        if column.is_number {
            write!(out, "{blanks}{value}{separator}")?;
        } else {
            write!(out, "{value}{blanks}{separator}")?;
        }
    }
    writeln!(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(events: &[TranscriptEvent]) -> String {
        let mut out = Vec::new();
        write_transcript(events, &mut out).expect("memory");
        String::from_utf8(out).expect("text").replace(' ', "·")
    }

    fn result(columns: &[&str], rows: &[&[Option<&str>]]) -> TranscriptEvent {
        let owned = |value: &Option<&str>| value.map(str::to_owned);
        TranscriptEvent::Result(ResultSet {
            columns: columns.iter().map(ToString::to_string).collect(),
            rows: rows.iter().map(|row| row.iter().map(owned).collect()).collect(),
            rows_left_out: 0,
        })
    }

    #[test]
    fn results_are_aligned_by_what_the_values_look_like() {
        insta::assert_snapshot!(
            written(&[
                result(&["id", "balance", "name"], &[
                    &[Some("1"), Some("-10.5"), Some("é")],
                    &[Some("22"), None, Some("long name")],
                ]),
                result(&["f"], &[&[Some("")]]),
                result(&["a", "b", "c"], &[&[Some("1e"), Some("e1"), Some("2 3")]]),
                result(&[], &[&[]]),
                result(&["none"], &[]),
            ]),
            @r"
        id|balance|name·····
        --+-------+---------
        ·1|··-10.5|é·······
        22|·······|long·name
        (2·rows)

        f
        -
        ·
        (1·row)

        a·|b·|··c
        --+--+---
        1e|e1|2·3
        (1·row)

        none
        ----
        (0·rows)

        "
        );
    }

    #[test]
    fn lines_are_the_testers() {
        let step = || "a".to_owned();
        insta::assert_snapshot!(
            written(&[
                TranscriptEvent::UnusedStep(step()),
                TranscriptEvent::Parsed(2),
                TranscriptEvent::PermutationStarted(vec!["a".into(), "b".into()]),
                TranscriptEvent::StepWaiting { step: step(), sql: "SELECT 1;".into() },
                TranscriptEvent::Notice {
                    session: "s1".into(),
                    severity: "NOTICE".into(),
                    message: "hello".into(),
                    detail: Some("more".into()),
                    hint: None,
                },
                TranscriptEvent::StepCompleted(step()),
                TranscriptEvent::Error { severity: "ERROR".into(), message: "deadlock detected".into() },
                TranscriptEvent::Notification {
                    session: "s2".into(),
                    channel: "c".into(),
                    payload: String::new(),
                    sender: "s1".into(),
                },
                TranscriptEvent::Canceling { step: step(), seconds: 300 },
            ]),
            @r#"
        unused·step·name:·a
        Parsed·test·spec·with·2·sessions

        starting·permutation:·a·b
        step·a:·SELECT·1;·<waiting·...>
        s1:·NOTICE:··hello
        DETAIL:··more
        step·a:·<...·completed>
        ERROR:··deadlock·detected
        s2:·NOTIFY·"c"·with·payload·""·from·s1
        isolationtester:·canceling·step·a·after·300·seconds
        "#
        );
    }
}
