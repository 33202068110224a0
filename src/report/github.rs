//! GitHub workflow commands: findings shown at their line in a pull request.

use crate::model::{Finding, RunReport, Severity, Verdict};
use std::io;

/// Evidence longer than this is cut at a line: GitHub takes 64 KiB of an annotation, and a reader less.
const EVIDENCE_BYTES: usize = 4_000;

/// How many annotations of a kind GitHub shows of a step.
const SHOWN: usize = 10;

/// Writes one command a failure or warning, one a scenario in doubt (an error where doubt fails
/// the run), and one for a run that was cut short: the worst first, since GitHub shows only the first of
/// each kind. Notes are counted.
///
/// # Errors
/// Whatever `out` fails with.
pub fn write(report: &RunReport, out: &mut dyn io::Write) -> io::Result<()> {
    write_findings(report, Severity::Failure, out)?;
    if !report.complete {
        let title = property("plimsoll: partial");
        writeln!(out, "::warning title={title}::the run was cut short: this is what it had found")?;
    }
    for scenario in &report.scenarios {
        if let Verdict::Inconclusive { needs } = &scenario.verdict {
            let title = property(&format!("plimsoll {}: inconclusive", scenario.scenario.name()));
            let kind = if report.fails_in_doubt(scenario) { "error" } else { "warning" };
            writeln!(out, "::{kind} title={title}::{}", data(&format!("would be decided by {needs}")))?;
        }
    }
    write_findings(report, Severity::Warning, out)?;
    let notes = of_severity(report, Severity::Note).count();
    if notes > 0 {
        writeln!(out, "notes left out: {notes}; the other formats have them")?;
    }
    for (severity, noun) in [(Severity::Failure, "failures"), (Severity::Warning, "warnings")] {
        let count = of_severity(report, severity).count();
        if count > SHOWN {
            writeln!(out, "GitHub shows {SHOWN} annotations of a kind for a step: not all {count} {noun}")?;
        }
    }
    Ok(())
}

fn of_severity(report: &RunReport, severity: Severity) -> impl Iterator<Item = (&'static str, &Finding)> {
    let all = report
        .scenarios
        .iter()
        .flat_map(|entry| entry.findings.iter().map(move |finding| (entry.scenario.name(), finding)));
    all.filter(move |(_, finding)| finding.severity == severity)
}

fn write_findings(report: &RunReport, severity: Severity, out: &mut dyn io::Write) -> io::Result<()> {
    of_severity(report, severity).try_for_each(|(scenario, finding)| write_finding(scenario, finding, out))
}

fn write_finding(scenario: &str, finding: &Finding, out: &mut dyn io::Write) -> io::Result<()> {
    let command = match finding.severity {
        Severity::Failure => "error",
        Severity::Warning => "warning",
        Severity::Note => "notice",
    };
    let mut properties =
        vec![format!("title={}", property(&format!("plimsoll {scenario}: {}", finding.code)))];
    if let Some(location) = &finding.location {
        properties.push(format!("file={}", property(&location.path.to_string_lossy())));
        properties.push(format!("line={}", location.line));
    }
    writeln!(out, "::{command} {}::{}", properties.join(","), data(&message(finding)))
}

/// Message, evidence and next step; of long evidence the beginning, and how much is left out.
fn message(finding: &Finding) -> String {
    let mut message = finding.message.clone();
    let lines: Vec<&str> = finding.evidence.iter().flat_map(|text| text.lines()).collect();
    let mut bytes = 0;
    let fits = |line: &&&str| {
        bytes += line.len();
        bytes <= EVIDENCE_BYTES
    };
    let shown = lines.iter().take_while(fits).count();
    for line in &lines[..shown] {
        message.push('\n');
        message.push_str(line);
    }
    if shown < lines.len() {
        message.push_str(&format!("\nand {} lines more, in the other formats", lines.len() - shown));
    }
    if !finding.next_step.is_empty() {
        message.push_str("\nnext: ");
        message.push_str(&finding.next_step);
    }
    message
}

/// Escapes as GitHub's runner reads the part after `::`.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes as GitHub's runner reads a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_breaks_and_separators_survive_the_runner() {
        assert_eq!(data("50 %\nnext"), "50 %25%0Anext");
        assert_eq!(property("a:b,c"), "a%3Ab%2Cc");
    }
}
