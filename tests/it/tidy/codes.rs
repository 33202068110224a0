//! Every code that the program says is described once, in `src/model/codes/`.

use super::{code_of, is_test, root, rust_files, shown};
use plimsoll::model::codes::{Code, FINDINGS, WARNINGS};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;

/// Where findings and warnings are made.
const SOURCES: [&str; 9] = [
    "src/scenarios",
    "src/capacity",
    "src/load",
    "src/prepare",
    "src/seed",
    "src/cli",
    "src/report/json",
    "src/model/warning.rs",
    "src/model/evidence/n_plus_one.rs",
];

/// Words of the same form that are no codes: names of files, headers, subcommands, words of the evidence.
const OTHER_WORDS: [&str; 5] = ["content-type", "env-file", "rev-parse", "queue-only", "generator-bound"];

fn is_kebab(text: &str) -> bool {
    let words: Vec<&str> = text.split('-').collect();
    words.len() > 1 && words.iter().all(|w| !w.is_empty() && w.bytes().all(|b| b.is_ascii_lowercase()))
}

/// Every string literal of kebab-case words that could be a code, with its file.
fn literals() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for file in rust_files(&root().join("src")) {
        let name = shown(&file);
        if is_test(&file) || !SOURCES.iter().any(|source| name.starts_with(source)) {
            continue;
        }
        for line in code_of(&file).lines().filter(|line| !line.trim_start().starts_with("//")) {
            // The words of evidence in JSON, and options of commands, have tables of their own.
            if line.contains("serde(")
                || line.contains("arg(")
                || line.contains("] = \"")
                || line.contains(" = \"")
            {
                continue;
            }
            let literals = line.split('"').skip(1).step_by(2).filter(|text| is_kebab(text));
            found.extend(literals.map(|text| (text.to_owned(), name.clone())));
        }
    }
    found
}

fn known() -> BTreeSet<&'static str> {
    FINDINGS.iter().chain(WARNINGS).map(|entry| entry.code).collect()
}

#[test]
fn every_code_in_the_sources_is_described() {
    let known = known();
    let missing: Vec<_> = literals()
        .into_iter()
        .filter(|(text, _)| !known.contains(text.as_str()) && !OTHER_WORDS.contains(&text.as_str()))
        .map(|(text, file)| format!("{text} in {file}"))
        .collect();
    assert!(
        missing.is_empty(),
        "describe it in src/model/codes/, or name it in OTHER_WORDS if it is no code:\n{}",
        missing.join("\n")
    );
}

#[test]
fn every_described_code_is_said_somewhere() {
    let sources: Vec<String> = rust_files(&root().join("src"))
        .iter()
        .filter(|file| !shown(file).starts_with("src/model/codes") && !is_test(file))
        .map(|file| code_of(file))
        .collect();
    let unsaid: Vec<_> = known()
        .into_iter()
        .filter(|code| !sources.iter().any(|text| text.contains(&format!("\"{code}\""))))
        .collect();
    assert!(unsaid.is_empty(), "nothing says {unsaid:?}");
}

/// The tables of the page, as the program has them.
fn tables() -> String {
    let mut text = String::new();
    let row = |entry: &Code, text: &mut String| {
        let scenarios = if entry.scenarios.is_empty() { "any" } else { entry.scenarios };
        let (says, next) = (entry.says, entry.next_step);
        let severity =
            if entry.severity == "doubt" { String::new() } else { format!(" {} |", entry.severity) };
        writeln!(text, "| `{}` | {scenarios} |{severity} {says} | {next} |", entry.code).unwrap();
    };
    text.push_str(
        "| code | scenario | severity | what it says | what to do |\n| --- | --- | --- | --- | --- |\n",
    );
    FINDINGS.iter().for_each(|entry| row(entry, &mut text));
    text.push_str(
        "\n## Warnings\n\nReasons to trust a measurement less (\"doubt\"). They never fail a run.\n\n",
    );
    text.push_str("| code | scenario | what it says | what to do |\n| --- | --- | --- | --- |\n");
    WARNINGS.iter().for_each(|entry| row(entry, &mut text));
    text
}

#[test]
fn the_page_of_codes_is_the_one_of_this_build() {
    const FROM: &str = "<!-- made from src/model/codes/ -->\n";
    const TO: &str = "<!-- end -->\n";
    let path = root().join("docs/findings.md");
    let page = fs::read_to_string(&path).unwrap();
    let start = page.find(FROM).expect("the page has no place for its tables") + FROM.len();
    let end = page.find(TO).expect("the page's tables have no end");
    let wanted = format!("{}\n{}\n{}", &page[..start], tables(), &page[end..]);
    if std::env::var_os("PLIMSOLL_UPDATE_SCHEMA").is_some() {
        fs::write(&path, &wanted).unwrap();
        return;
    }
    assert!(
        page == wanted,
        "docs/findings.md is out of date: PLIMSOLL_UPDATE_SCHEMA=1 cargo test --test it tidy::"
    );
}
