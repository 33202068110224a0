//! What others read, against the rules they read it by: our JSON against its
//! published schema, JUnit and SARIF against the rules of theirs. The schemas of
//! others are not kept here; `scripts/validate-formats.sh` gets and applies them.

use crate::{export, reports};
use plimsoll::model::RunReport;
use plimsoll::report::Format;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub(crate) fn runs() -> Vec<RunReport> {
    let mut partial = RunReport { complete: false, target: None, ..reports::sample() };
    partial.scenarios.truncate(1);
    let empty = RunReport { scenarios: Vec::new(), ..partial.clone() };
    vec![reports::sample(), export::full_run(), partial, empty]
}

pub(crate) fn written(run: &RunReport, format: Format) -> String {
    let mut bytes = Vec::new();
    format.write(run, false, &mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn json_fits_its_published_schema() {
    let schema: Value = serde_json::from_str(include_str!("../../docs/run.schema.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for run in runs() {
        let document: Value = serde_json::from_str(&written(&run, Format::Json)).unwrap();
        let wrong: Vec<_> = validator
            .iter_errors(&document)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        for (pointer, value) in
            [("/verdict", json!("maybe")), ("/seed", json!("many")), ("/scenarios", json!(1))]
        {
            let mut broken = document.clone();
            *broken.pointer_mut(pointer).unwrap() = value;
            assert!(!validator.is_valid(&broken), "the schema lets a wrong {pointer} pass");
        }
    }
}

/// An element of JUnit as Jenkins reads it: attributes it has to have,
/// attributes it may have, elements it may hold.
type Rule = (&'static str, &'static [&'static str], &'static [&'static str], &'static [&'static str]);

const JUNIT: [Rule; 7] = [
    ("testsuites", &[], &["name", "time", "tests", "failures", "errors"], &["testsuite"]),
    (
        "testsuite",
        &["name", "tests", "failures", "errors"],
        &["time", "skipped", "timestamp", "hostname", "id", "package"],
        &["testsuite", "properties", "testcase", "system-out", "system-err"],
    ),
    (
        "testcase",
        &["name"],
        &["time", "classname"],
        &["skipped", "error", "failure", "system-out", "system-err"],
    ),
    ("failure", &[], &["type", "message"], &[]),
    ("error", &[], &["type", "message"], &[]),
    ("skipped", &[], &["type", "message"], &[]),
    ("system-out", &[], &[], &[]),
];

fn name_of(tag: &BytesStart<'_>) -> String {
    String::from_utf8_lossy(tag.name().as_ref()).into_owned()
}

fn attributes(tag: &BytesStart<'_>) -> BTreeMap<String, String> {
    let text = |attribute: quick_xml::events::attributes::Attribute<'_>| {
        let value = String::from_utf8_lossy(&attribute.value).into_owned();
        (String::from_utf8_lossy(attribute.key.as_ref()).into_owned(), value)
    };
    tag.attributes().map(|attribute| text(attribute.unwrap())).collect()
}

/// Seconds as Surefire writes them: digits, and three after the point at most.
fn is_time(text: &str) -> bool {
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    !whole.is_empty() && rest.len() <= 3 && whole.bytes().chain(rest.bytes()).all(|b| b.is_ascii_digit())
}

/// What is wrong with a document, and how many cases each suite says it has and has.
fn junit_faults(xml: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let mut reader = Reader::from_str(xml);
    let mut open: Vec<String> = Vec::new();
    let mut suites: Vec<(BTreeMap<String, String>, [usize; 4])> = Vec::new();
    loop {
        let (tag, is_empty) = match reader.read_event().unwrap() {
            Event::Eof => break,
            Event::End(_) => {
                open.pop();
                continue;
            }
            Event::Start(tag) => (tag, false),
            Event::Empty(tag) => (tag, true),
            _ => continue,
        };
        let name = name_of(&tag);
        let found = attributes(&tag);
        let Some((_, required, optional, _)) = JUNIT.iter().find(|(known, ..)| *known == name) else {
            faults.push(format!("<{name}> is not known"));
            continue;
        };
        faults.extend(
            required.iter().filter(|a| !found.contains_key(**a)).map(|a| format!("<{name}> lacks {a}")),
        );
        let is_allowed = |a: &&String| required.contains(&a.as_str()) || optional.contains(&a.as_str());
        faults.extend(found.keys().filter(|a| !is_allowed(a)).map(|a| format!("<{name}> may not have {a}")));
        faults.extend(found.get("time").filter(|t| !is_time(t)).map(|t| format!("<{name}> lasts `{t}`")));
        if let Some(parent) = open.last()
            && let Some((.., children)) = JUNIT.iter().find(|(known, ..)| known == parent)
            && !children.contains(&name.as_str())
        {
            faults.push(format!("<{parent}> may not hold <{name}>"));
        }
        match name.as_str() {
            "testsuite" => suites.push((found, [0; 4])),
            "testcase" => suites.last_mut().unwrap().1[0] += 1,
            "failure" => suites.last_mut().unwrap().1[1] += 1,
            "skipped" => suites.last_mut().unwrap().1[2] += 1,
            "error" => suites.last_mut().unwrap().1[3] += 1,
            _ => {}
        }
        if !is_empty {
            open.push(name);
        }
    }
    for (said, counted) in suites {
        let said = ["tests", "failures", "skipped", "errors"].map(|key| said[key].parse::<usize>().unwrap());
        if said != counted {
            faults
                .push(format!("a suite says {said:?} cases, failures, skipped, errors and has {counted:?}"));
        }
    }
    faults
}

#[test]
fn junit_keeps_to_what_jenkins_reads() {
    for run in runs() {
        let xml = written(&run, Format::Junit);
        assert_eq!(junit_faults(&xml), Vec::<String>::new(), "{xml}");
    }
    let xml = written(&reports::sample(), Format::Junit);
    for (from, to, expected) in [
        ("<testsuites ", "<testsuites skipped=\"2\" ", "may not have skipped"),
        ("failures=\"2\" time", "failures=\"3\" time", "a suite says"),
        ("<failure ", "<failed ", "not known"),
        ("time=\"1.240\"", "time=\"1.24 s\"", "lasts `1.24 s`"),
    ] {
        assert!(xml.contains(from), "{from} in {xml}");
        let broken = xml
            .replace(from, to)
            .replace("</failure>", if from == "<failure " { "</failed>" } else { "</failure>" });
        let faults = junit_faults(&broken).join("\n");
        assert!(faults.contains(expected), "{from}: {faults}");
    }
}

#[test]
fn a_run_that_was_cut_short_passes_nowhere() {
    let mut run = RunReport { complete: false, ..reports::sample() };
    run.scenarios.retain(|entry| entry.verdict == plimsoll::model::Verdict::Pass);
    assert!(written(&run, Format::Junit).contains("<error message=\"the run was cut short"));
    assert!(written(&run, Format::Github).starts_with("::warning title=plimsoll%3A partial::"));
    assert!(written(&run, Format::Markdown).contains("**Partial**"));
    assert!(written(&run, Format::Sarif).contains("\"executionSuccessful\": false"));
    assert!(written(&run, Format::Json).contains("\"verdict\": \"inconclusive\""));
}

#[test]
fn sarif_results_name_a_rule_a_place_and_a_text() {
    for run in runs() {
        let log: Value = serde_json::from_str(&written(&run, Format::Sarif)).unwrap();
        assert_eq!(log["version"], "2.1.0");
        let first = &log["runs"][0];
        assert_eq!(first["invocations"][0]["executionSuccessful"], run.complete);
        let results = first["results"].as_array().unwrap();
        assert_eq!(results.len(), run.scenarios.iter().map(|entry| entry.findings.len()).sum::<usize>());
        for result in results {
            let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
            assert_eq!(first["tool"]["driver"]["rules"][index]["id"], result["ruleId"]);
            assert!(["error", "warning", "note"].contains(&result["level"].as_str().unwrap()));
            assert!(!result["message"]["text"].as_str().unwrap().is_empty());
            let place = &result["locations"][0]["physicalLocation"];
            let uri = place["artifactLocation"]["uri"].as_str().unwrap();
            assert!(!uri.starts_with('/') && !uri.contains([' ', '\\']), "{uri}");
            assert!(place["region"]["startLine"].as_u64().unwrap() >= 1);
        }
    }
}
