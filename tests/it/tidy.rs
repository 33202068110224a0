//! The repository's own rules, as tests: module edges, the four names,
//! sizes that only shrink, words that are not used.

mod codes;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What each module may use; `ARCHITECTURE.md` shows the same table.
const EDGES: &[(&str, &[&str])] = &[
    ("stats", &[]),
    ("sql", &[]),
    ("wire", &[]),
    ("plan", &[]),
    ("scratch", &[]),
    ("model", &["plan"]),
    ("postgres", &["scratch", "model", "plan", "sql", "stats"]),
    ("project", &["model", "sql"]),
    ("trace", &["model", "sql"]),
    ("seed", &["postgres", "project", "model", "stats", "sql"]),
    ("load", &["wire", "postgres", "stats", "sql", "model"]),
    ("proxy", &["wire", "trace", "scratch", "sql", "stats", "model"]),
    ("parameters", &["postgres", "project", "sql"]),
    ("prepare", &["seed", "postgres", "project", "model", "sql"]),
    ("capacity", &["load", "parameters", "prepare", "postgres", "project", "sql", "stats", "model"]),
    (
        "scenarios",
        &[
            "prepare",
            "parameters",
            "proxy",
            "trace",
            "load",
            "seed",
            "postgres",
            "sql",
            "stats",
            "plan",
            "model",
            "project",
        ],
    ),
    ("testing", &["scenarios", "prepare", "proxy", "postgres", "project", "model"]),
    ("report", &["model", "plan", "stats"]),
];

const SCENARIOS: [&str; 4] = ["n-plus-one", "deadlock", "regression", "slow-queries"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// A file's text without its `#[cfg(test)]` module, which by custom comes last.
fn code_of(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let end = text.find("#[cfg(test)]\nmod tests").unwrap_or(text.len());
    text[..end].to_owned()
}

/// Tests in a file of their own: `tests.rs` or `…_tests.rs`.
fn is_test(path: &Path) -> bool {
    path.file_stem().unwrap().to_string_lossy().ends_with("tests")
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().display().to_string()
}

/// The names after `crate::` in a line, with `crate::{a, b}` taken apart.
fn crate_paths(line: &str) -> Vec<String> {
    let mut names = Vec::new();
    for part in line.split("crate::").skip(1) {
        if let Some(group) = part.strip_prefix('{') {
            names.extend(group.split([',', '}']).map(first_name).filter(|n| !n.is_empty()));
        } else {
            names.push(first_name(part));
        }
    }
    names
}

fn first_name(text: &str) -> String {
    text.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

#[test]
fn modules_use_only_what_they_may() {
    let mut wrong = Vec::new();
    for (module, allowed) in EDGES {
        for file in rust_files(&root().join("src").join(module)) {
            for (number, line) in code_of(&file).lines().enumerate() {
                if line.trim_start().starts_with("//") {
                    continue;
                }
                for used in crate_paths(line) {
                    if used != *module && !allowed.contains(&used.as_str()) {
                        wrong.push(format!("{}:{}: {module} may not use {used}", shown(&file), number + 1));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_module_has_its_edges_stated() {
    let stated: BTreeSet<_> = EDGES.iter().map(|(module, _)| (*module).to_owned()).collect();
    let present: BTreeSet<_> = fs::read_dir(root().join("src"))
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.is_dir() && !p.ends_with("cli"))
        .map(|p| p.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    assert_eq!(stated, present);
}

#[test]
fn scenarios_do_not_import_one_another() {
    let mut wrong = Vec::new();
    for scenario in SCENARIOS.map(|name| name.replace('-', "_")) {
        for file in rust_files(&root().join("src/scenarios").join(&scenario)) {
            for (number, line) in code_of(&file).lines().enumerate() {
                for other in SCENARIOS.map(|name| name.replace('-', "_")) {
                    if other != scenario && line.contains(&format!("scenarios::{other}")) {
                        wrong.push(format!("{}:{}: {scenario} imports {other}", shown(&file), number + 1));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_detects_and_decides_does_no_io() {
    let pure = ["detect", "diff", "verdict", "interleave", "spec", "predict", "compare", "budget"];
    let forbidden = ["tokio", "std::fs", "std::net", "postgres::Session", "std::process"];
    let mut wrong = Vec::new();
    for file in rust_files(&root().join("src/scenarios")) {
        if !pure.contains(&file.file_stem().unwrap().to_str().unwrap()) {
            continue;
        }
        for (number, line) in code_of(&file).lines().enumerate() {
            if line.trim_start().starts_with("//") {
                continue;
            }
            for word in forbidden.iter().filter(|word| line.contains(**word)) {
                wrong.push(format!("{}:{}: pure code names {word}", shown(&file), number + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Someone who knows a scenario's name finds code, command, test and page.
#[test]
fn the_four_names_recur_everywhere() {
    let mut missing = Vec::new();
    for name in SCENARIOS {
        let snake = name.replace('-', "_");
        for place in [
            format!("src/scenarios/{snake}/run.rs"),
            format!("src/cli/{snake}.rs"),
            format!("src/model/evidence/{snake}.rs"),
            format!("tests/it/{snake}.rs"),
            format!("docs/{name}.md"),
        ] {
            if !root().join(&place).is_file() {
                missing.push(place);
            }
        }
    }
    assert!(missing.is_empty(), "missing: {missing:?}");
}

#[test]
fn the_map_lists_every_module_once() {
    let map = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    for (module, _) in EDGES {
        assert_eq!(map.matches(&format!("pub mod {module};")).count(), 1, "{module} in src/lib.rs");
    }
}

/// Ratchets: lower them when you can, never raise them.
#[test]
fn files_stay_small() {
    const LINES_MAX: usize = 500;
    const LONGER: [(&str, usize); 2] =
        [("src/model/evidence/deadlock.rs", 510), ("src/scenarios/n_plus_one/reading.rs", 560)];
    let mut long = Vec::new();
    for file in rust_files(&root().join("src")) {
        let name = shown(&file);
        let lines = code_of(&file).lines().count();
        let lines_max = LONGER.iter().find(|(known, _)| *known == name).map_or(LINES_MAX, |(_, max)| *max);
        if lines > lines_max && !is_test(&file) {
            long.push(format!("{name}: {lines} lines without tests, {lines_max} at most"));
        }
    }
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent: Vec<_> = rust_files(&root().join("src"))
        .into_iter()
        .filter(|file| !is_test(file) && !fs::read_to_string(file).unwrap().starts_with("//!"))
        .map(|file| shown(&file))
        .collect();
    assert!(silent.is_empty(), "no module header in {silent:?}");
}

/// What the compiler cannot check is in one small file, where each line of it says why it holds.
#[test]
fn one_file_hands_addresses_to_the_system() {
    let unsafe_files: Vec<_> = rust_files(&root().join("src"))
        .into_iter()
        .filter(|file| code_of(file).contains("unsafe"))
        .map(|file| shown(&file))
        .collect();
    assert_eq!(unsafe_files, ["src/proxy/burst.rs"]);
}

#[test]
fn serialisation_stays_at_the_rim() {
    let allowed = ["src/report", "src/project", "src/plan", "src/cli", "src/trace"];
    let mut wrong = Vec::new();
    for file in rust_files(&root().join("src")) {
        let name = shown(&file);
        if allowed.iter().any(|folder| name.starts_with(folder)) {
            continue;
        }
        for (number, line) in code_of(&file).lines().enumerate() {
            if line.contains("derive(") && (line.contains("Serialize") || line.contains("Deserialize")) {
                wrong.push(format!("{name}:{}: derives serialisation", number + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
