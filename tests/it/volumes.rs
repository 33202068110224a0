//! `plimsoll volumes` as a person runs it: the ladder, and what is refused.

use crate::cli::{code, plimsoll, stderr};
use serde_json::Value;
use std::fs;
use std::path::Path;

fn project(volumes: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| crate::support::write_file(folder.path(), path, text);
    write(
        "plimsoll.toml",
        &format!(
            "[volumes]\n{volumes}\n[slow-queries]\nmax-time = \"1s\"\nconnections = 3\nmax-samples = 60\n"
        ),
    );
    write("migrations/001_schema.sql", "CREATE TABLE items (id int PRIMARY KEY, kind text NOT NULL);");
    write(
        "data/distributions.toml",
        "seed = 1\n[items]\nrows = 1000\nid = { sequence = 1 }\nkind = { one_of = { a = 0.7, b = 0.3 } }\n",
    );
    write(
        "queries/all.sql",
        "-- name: scan\n-- budget: buffers < 100\nSELECT count(*) FROM items WHERE kind = 'a';\n\
         -- name: lookup\n-- budget: buffers < 10\n-- param: id = sample(items.id)\n\
         SELECT kind FROM items WHERE id = :id;\n",
    );
    folder
}

fn run(folder: &Path, words: &[&str]) -> (i32, String, String) {
    let output = plimsoll(folder).args(words).output().unwrap();
    (code(&output), String::from_utf8_lossy(&output.stdout).into_owned(), stderr(&output))
}

#[test]
fn the_ladder_names_how_each_query_grows_and_where_its_budget_breaks() {
    let folder = project("small = 1\nmedium = 4\nlarge = 16");
    let (code, stdout, stderr) = run(folder.path(), &["volumes", "--format", "json"]);
    assert_eq!(code, 0, "{stderr}");
    let report: Value = serde_json::from_str(&stdout).unwrap();
    let evidence = &report["scenarios"][0]["evidence"]["slow-queries"];
    let names: Vec<&str> =
        evidence["volumes"].as_array().unwrap().iter().map(|v| v["volume"].as_str().unwrap()).collect();
    assert_eq!(names, ["small", "medium", "large"]);
    let growth = |query: &str| {
        let all = evidence["growth"].as_array().unwrap();
        let found = all.iter().find(|g| g["query"] == query && g["metric"] == "buffers");
        found.unwrap_or_else(|| panic!("{query} in {all:?}"))["exponent"].as_f64().unwrap()
    };
    assert!(growth("scan") > 0.7, "a scan grows with the data: {}", growth("scan"));
    assert!(growth("lookup") < 0.4, "a lookup does not: {}", growth("lookup"));
    // What was declared is what the database holds, at every volume.
    for volume in evidence["volumes"].as_array().unwrap() {
        let column = &volume["data"][0];
        assert_eq!((&column["column"], &column["agreement"]["agrees"]), (&"kind".into(), &true.into()));
        assert!((column["figures"][0]["obtained"].as_f64().unwrap() - 0.7).abs() < 0.1);
    }
    let (code, stdout, _) = run(folder.path(), &["report", "latest", "--format", "terminal"]);
    assert!(code == 0 && stdout.contains("scan") && stdout.contains("growth"), "{stdout}");

    // A ladder that breaks a budget fails, one query alone is enough.
    fs::write(
        folder.path().join("queries/all.sql"),
        "-- name: scan\n-- budget: buffers < 20\nSELECT count(*) FROM items WHERE kind = 'a';\n",
    )
    .unwrap();
    let (code, stdout, stderr) = run(folder.path(), &["volumes", "scan"]);
    assert!(code == 1 && stdout.contains("over its budget"), "{stdout}{stderr}");
}

#[test]
fn a_ladder_needs_three_volumes_and_queries_that_exist() {
    let folder = project("small = 1\nlarge = 4");
    let refused = |words: &[&str], part: &str| {
        let (code, stdout, stderr) = run(folder.path(), words);
        assert!(code == 2 && stdout.is_empty() && stderr.contains(part), "{code} {stdout}{stderr}");
        assert!(!folder.path().join("reports").exists(), "nothing is left behind");
    };
    refused(&["volumes"], "a ladder needs 3 volumes, there are 2");
    refused(&["volumes", "--volume", "small,large,small"], "a ladder needs 3 volumes");
    refused(&["volumes", "nothing"], "nothing");
    fs::remove_dir_all(folder.path().join("queries")).unwrap();
    refused(&["volumes"], "the project has no queries/*.sql");
}

#[test]
fn data_that_a_trigger_changes_is_told_from_what_was_declared() {
    let folder = project("small = 1");
    fs::write(
        folder.path().join("migrations/002_trigger.sql"),
        "CREATE FUNCTION same() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN IF NEW.id % 2 = 0 THEN NEW.kind = 'b'; END IF; RETURN NEW; END $$;\n\
         CREATE TRIGGER same BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION same();",
    )
    .unwrap();
    let (code, stdout, stderr) = run(folder.path(), &["seed"]);
    assert!(code == 0 && stdout.contains("differs"), "{stdout}{stderr}");
    assert!(stderr.contains("warning: items.kind is not what was declared (one of 2 values)"), "{stderr}");
    let (_, stdout, stderr) = run(folder.path(), &["slow-queries", "lookup", "--format", "json"]);
    let report: Value = serde_json::from_str(&stdout).unwrap_or_else(|_| panic!("{stdout}{stderr}"));
    let warnings = report["scenarios"][0]["warnings"].as_array().unwrap();
    assert!(warnings.iter().any(|warning| warning["code"] == "data-unlike-declared"), "{warnings:?}");
    assert_eq!(report["confined_to"], serde_json::json!(["lookup"]));
    let (_, page, _) = run(folder.path(), &["report", "latest", "--format", "html"]);
    assert!(page.contains("declared against obtained: 1 column differs"), "{page}");
}
