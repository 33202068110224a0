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

/// One word or several, of lower-case letters, with a hyphen between two.
fn is_kebab(text: &str) -> bool {
    text.split('-').all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase()))
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
            let literals = line.split('"').skip(1).step_by(2);
            // Any word could be one of one word: `places_of_codes` looks for these.
            let literals = literals.filter(|text| text.contains('-') && is_kebab(text));
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

/// Every literal that stands where only a code can: in a field or constant of that name, before a
/// severity, in the body of a function `code`.
fn places_of_codes(text: &str) -> Vec<String> {
    let until_quote = |rest: &str| rest.split('"').next().unwrap_or_default().to_owned();
    let mut found = Vec::new();
    for before in ["code: \"", "CODE: &str = \"", "CODE: &'static str = \""] {
        found.extend(text.split(before).skip(1).map(until_quote));
    }
    let pieces: Vec<&str> = text.split("Severity::").collect();
    for piece in pieces.iter().take(pieces.len() - 1) {
        let argument = piece.trim_end().strip_suffix(',').and_then(|rest| rest.trim_end().strip_suffix('"'));
        let Some((before, literal)) = argument.and_then(|rest| rest.rsplit_once('"')) else { continue };
        // The arm of a match that says something of another severity.
        if !before.trim_end().ends_with("=>") {
            found.push(literal.to_owned());
        }
    }
    for body in text.split("fn code(").skip(1) {
        let body = body.split("\n    }\n").next().unwrap_or_default();
        found.extend(body.split("=> \"").skip(1).map(until_quote));
    }
    found
}

#[test]
fn a_code_of_one_word_is_seen_where_codes_stand() {
    for (text, expected) in [
        ("Finding { code: \"wrong\", severity }", "wrong"),
        ("finding(record, \"wrong\", Severity::Warning)", "wrong"),
        ("finding(\n    \"wrong\",\n    Severity::Note,\n)", "wrong"),
        ("fn code(self) -> &'static str {\n        match self { Self::A => \"wrong\" }\n    }\n", "wrong"),
        ("const CODE: &str = \"wrong-too\";", "wrong-too"),
    ] {
        assert_eq!(places_of_codes(text), [expected], "{text}");
    }
    assert_eq!(places_of_codes("match s { Severity::Note => \"x\",\n Severity::Warning => \"y\" }"), [""; 0]);
    assert_eq!(places_of_codes("let word = \"small\"; f(\"x\", 1); code: first.kind.code()"), [""; 0]);
}

#[test]
fn every_place_of_a_code_holds_a_described_one() {
    let known = known();
    let mut seen = BTreeSet::new();
    let mut wrong = Vec::new();
    for file in rust_files(&root().join("src")) {
        if is_test(&file) || shown(&file).starts_with("src/model/codes") {
            continue;
        }
        for code in places_of_codes(&code_of(&file)) {
            if !known.contains(code.as_str()) {
                wrong.push(format!("{code} in {}", shown(&file)));
            }
            seen.insert(code);
        }
    }
    assert!(wrong.is_empty(), "describe it in src/model/codes/:\n{}", wrong.join("\n"));
    let of_one_word: Vec<_> =
        known.iter().filter(|code| !code.contains('-') && !seen.contains(**code)).collect();
    assert!(of_one_word.is_empty(), "nothing makes a finding or warning of {of_one_word:?}");
}

#[test]
fn every_described_code_is_of_kebab_case() {
    for code in known() {
        assert!(is_kebab(code), "`{code}` is not of lower-case words with hyphens between them");
    }
    for wrong in ["", "-a", "a-", "a--b", "A", "a_b", "a b"] {
        assert!(!is_kebab(wrong), "{wrong}");
    }
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
