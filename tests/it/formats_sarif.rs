//! The part of SARIF 2.1.0 that Plimsoll writes, as a schema of our own: every
//! object with the keys that the standard gives it there, and no others.

use crate::{export, formats, reports};
use plimsoll::report::Format;
use serde_json::{Value, json};

/// Section numbers are those of the standard (OASIS SARIF 2.1.0).
fn schema() -> Value {
    let text = json!({ "type": "string", "minLength": 1 });
    // 3.12: a multiformat message string has a text; Markdown never stands alone.
    let message = json!({
        "type": "object", "required": ["text"], "additionalProperties": false,
        "properties": { "text": text, "markdown": text },
    });
    // 3.49: id is required; a name is an identifier for people.
    let rule = json!({
        "type": "object", "required": ["id"], "additionalProperties": false,
        "properties": {
            "id": { "type": "string", "pattern": "^[a-z]+(-[a-z]+)*$" },
            "name": { "type": "string", "pattern": "^[A-Za-z]+$" },
            "shortDescription": message, "fullDescription": message, "help": message,
            "defaultConfiguration": {
                "type": "object", "additionalProperties": false,
                "properties": { "level": { "enum": ["none", "note", "warning", "error"] } },
            },
            "properties": { "type": "object", "properties": { "tags": { "type": "array", "uniqueItems": true } } },
        },
    });
    // 3.28 to 3.30: a relative reference, and lines from 1.
    let location = json!({
        "type": "object", "required": ["physicalLocation"], "additionalProperties": false,
        "properties": { "physicalLocation": {
            "type": "object", "required": ["artifactLocation"], "additionalProperties": false,
            "properties": {
                "artifactLocation": {
                    "type": "object", "required": ["uri"], "additionalProperties": false,
                    "properties": { "uri": { "type": "string", "pattern": "^[^/ \\\\][^ \\\\]*$" }, "uriBaseId": text },
                },
                "region": {
                    "type": "object", "required": ["startLine"], "additionalProperties": false,
                    "properties": { "startLine": { "type": "integer", "minimum": 1 } },
                },
            },
        } },
    });
    // 3.35: a kind is required; a justification is a plain string.
    let suppression = json!({
        "type": "object", "required": ["kind"], "additionalProperties": false,
        "properties": {
            "kind": { "enum": ["inSource", "external"] },
            "status": { "enum": ["accepted", "underReview", "rejected"] },
            "justification": text,
        },
    });
    // 3.27; 3.27.23: suppressions are given once each.
    let result = json!({
        "type": "object", "required": ["message", "ruleId", "level"], "additionalProperties": false,
        "properties": {
            "ruleId": text, "ruleIndex": { "type": "integer", "minimum": 0 },
            "level": { "enum": ["none", "note", "warning", "error"] },
            "message": message,
            "locations": { "type": "array", "minItems": 1, "items": location },
            "partialFingerprints": { "type": "object", "minProperties": 1, "additionalProperties": { "type": "string" } },
            "suppressions": { "type": "array", "uniqueItems": true, "items": suppression },
            "properties": { "type": "object" },
        },
    });
    // 3.14: a run has a tool; 3.20: an invocation says whether it succeeded.
    let run = json!({
        "type": "object", "required": ["tool", "results"], "additionalProperties": false,
        "properties": {
            "tool": {
                "type": "object", "required": ["driver"], "additionalProperties": false,
                "properties": { "driver": {
                    "type": "object", "required": ["name"], "additionalProperties": false,
                    "properties": { "name": text, "version": text, "rules": { "type": "array", "uniqueItems": true, "items": rule } },
                } },
            },
            "invocations": { "type": "array", "items": {
                "type": "object", "required": ["executionSuccessful"], "additionalProperties": false,
                "properties": { "executionSuccessful": { "type": "boolean" } },
            } },
            "automationDetails": { "type": "object", "additionalProperties": false, "properties": { "id": text } },
            "results": { "type": "array", "items": result },
        },
    });
    json!({
        "type": "object", "required": ["version", "runs"], "additionalProperties": false,
        "properties": {
            "$schema": { "type": "string", "pattern": "sarif-schema-2\\.1\\.0\\.json$" },
            "version": { "const": "2.1.0" },
            "runs": { "type": "array", "items": run },
        },
    })
}

/// Where a log is not as the standard has it.
pub(crate) fn faults(log: &Value) -> Vec<String> {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    validator.iter_errors(log).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

#[test]
fn sarif_has_the_objects_of_the_standard_and_no_others() {
    for run in formats::runs() {
        let log: Value = serde_json::from_str(&formats::written(&run, Format::Sarif)).unwrap();
        assert_eq!(faults(&log), Vec::<String>::new());
    }
    let whole: Value = serde_json::from_str(&formats::written(&reports::sample(), Format::Sarif)).unwrap();
    for (pointer, value) in [
        ("/version", json!("2.0.0")),
        ("/runs/0/results/0/level", json!("fatal")),
        ("/runs/0/results/0/message", json!({ "markdown": "alone" })),
        ("/runs/0/results/0/locations/0/physicalLocation/region", json!({ "startLine": 0 })),
        ("/runs/0/tool/driver/rules/0", json!({ "id": "a-rule", "description": "a key of no rule" })),
        ("/runs/0/invocations/0", json!({})),
        (
            "/runs/0/results/0",
            json!({ "message": { "text": "x" }, "ruleId": "x", "level": "note", "suppressions": [{}] }),
        ),
    ] {
        let mut broken = whole.clone();
        *broken.pointer_mut(pointer).unwrap_or_else(|| panic!("no {pointer}")) = value;
        assert!(!faults(&broken).is_empty(), "a wrong {pointer} passes");
    }
}

#[test]
fn every_rule_explains_itself() {
    for run in [reports::sample(), export::full_run()] {
        let log: Value = serde_json::from_str(&formats::written(&run, Format::Sarif)).unwrap();
        let rules = log["runs"][0]["tool"]["driver"]["rules"].as_array().unwrap();
        assert!(!rules.is_empty());
        for rule in rules {
            for key in
                ["/name", "/shortDescription/text", "/fullDescription/text", "/help/text", "/help/markdown"]
            {
                let text = rule.pointer(key).and_then(Value::as_str).unwrap_or_default();
                assert!(!text.is_empty(), "{} has no {key}", rule["id"]);
                assert!(!text.contains("://"), "{} leads out of the file", rule["id"]);
            }
        }
    }
}
