//! SARIF 2.1.0 (OASIS), for code scanning: a rule a finding code, a result a
//! finding, with a fingerprint that stays the same while the finding does.

use crate::model::codes;
use crate::model::evidence::Evidence;
use crate::model::{Finding, RunReport, Scenario, ScenarioReport, Severity};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io;

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// Writes the report.
///
/// # Errors
/// Whatever `out` fails with.
pub fn write(report: &RunReport, out: &mut dyn io::Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, &log(report))?;
    writeln!(out)
}

fn log(report: &RunReport) -> Value {
    let rules = rules(report);
    let results: Vec<_> = report
        .scenarios
        .iter()
        .flat_map(|scenario| scenario.findings.iter().map(move |f| (scenario, f)))
        .map(|(scenario, finding)| result(scenario, finding, &rules))
        .collect();
    let descriptors: Vec<_> = rules.keys().map(|code| descriptor(code)).collect();
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "Plimsoll",
                "version": report.plimsoll_version,
                "rules": descriptors,
            }},
            "invocations": [{ "executionSuccessful": report.complete }],
            "automationDetails": { "id": format!("plimsoll/{}", report.project) },
            "results": results,
        }],
    })
}

/// A rule as code scanning shows it beside its results. A code of another version has its id only.
fn descriptor(code: &str) -> Value {
    let Some(known) = codes::of_finding(code) else { return json!({ "id": code }) };
    let level = match known.severity.split([',', ' ']).next() {
        Some("fail") => "error",
        Some("warn") => "warning",
        _ => "note",
    };
    let sentence = known.sentence();
    json!({
        "id": code,
        "name": known.name(),
        "shortDescription": { "text": sentence },
        "fullDescription": { "text": format!("{sentence} {}", known.meaning) },
        "help": {
            "text": format!("{} What to do: {}", known.meaning, known.next_step),
            "markdown": format!("{}\n\n**What to do:** {}", known.meaning, known.next_step),
        },
        "defaultConfiguration": { "level": level },
        "properties": { "tags": ["database", "performance"], "scenarios": known.scenarios },
    })
}

/// Codes in order, with their index in the rules array.
fn rules(report: &RunReport) -> BTreeMap<&str, usize> {
    let mut rules: BTreeMap<&str, usize> =
        report.scenarios.iter().flat_map(|s| &s.findings).map(|f| (f.code, 0)).collect();
    for (index, value) in rules.values_mut().enumerate() {
        *value = index;
    }
    rules
}

fn result(scenario: &ScenarioReport, finding: &Finding, rules: &BTreeMap<&str, usize>) -> Value {
    let level = match finding.severity {
        Severity::Failure => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    };
    let mut text = vec![finding.message.clone()];
    text.extend(finding.evidence.iter().cloned());
    if !finding.next_step.is_empty() {
        text.push(format!("Next: {}", finding.next_step));
    }
    let mut result = json!({
        "ruleId": finding.code,
        "ruleIndex": rules[finding.code],
        "level": level,
        "message": { "text": text.join("\n") },
        "partialFingerprints": { "plimsoll/v1": fingerprint(scenario.scenario, finding) },
        "properties": { "scenario": scenario.scenario.name(), "subject": finding.subject },
    });
    if let Some(reason) = accepted(scenario, finding) {
        result["suppressions"] =
            json!([{ "kind": "external", "status": "accepted", "justification": reason }]);
    }
    // Code scanning shows only results with a place; those without go to the project file.
    let (path, line) = finding
        .location
        .as_ref()
        .map_or(("plimsoll.toml".into(), 1), |l| (l.path.to_string_lossy().into_owned(), l.line));
    result["locations"] = json!([{ "physicalLocation": {
        "artifactLocation": { "uri": uri(&path), "uriBaseId": "%SRCROOT%" },
        "region": { "startLine": line.max(1) },
    }}]);
    result
}

/// Why a baseline lets the finding stay: a file beside the code, so its suppression is external (3.35).
fn accepted<'a>(scenario: &'a ScenarioReport, finding: &Finding) -> Option<&'a str> {
    match &scenario.evidence {
        Evidence::NPlusOne(evidence) => evidence.accepted(finding),
        _ => None,
    }
}

/// The finding's identity: not its message, which holds figures.
fn fingerprint(scenario: Scenario, finding: &Finding) -> String {
    let mut hash = Sha256::new();
    for part in [scenario.name(), finding.code, &finding.subject] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// A relative URI reference (RFC 3986) of a path.
fn uri(path: &str) -> String {
    const KEPT: percent_encoding::AsciiSet =
        percent_encoding::NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    percent_encoding::utf8_percent_encode(&path.replace('\\', "/"), &KEPT).to_string()
}
