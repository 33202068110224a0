//! Deadlocks predicted from a recorded trace, from the command to the verdict:
//! two transactions that were only ever run one after another.

use crate::cli::{code, plimsoll, shop, stderr};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Output;

/// Records psql executing a script, then predicts.
fn record_and_predict(folder: &Path, script: &str, arguments: &[&str]) -> Output {
    let psql = plimsoll::postgres::Programs::find(None, std::env::var_os("PATH").as_deref()).unwrap();
    let psql = psql.program("psql");
    fs::write(folder.join("app.sql"), script).unwrap();
    let recorded = plimsoll(folder)
        .args(["trace", "--output", "app.trace"])
        .args(arguments)
        .args([
            "--",
            "sh",
            "-c",
            &format!("{} -qXv ON_ERROR_STOP=1 \"$DATABASE_URL\" -f app.sql", psql.display()),
        ])
        .output()
        .unwrap();
    assert_eq!(code(&recorded), 0, "{}", stderr(&recorded));
    plimsoll(folder).args(["deadlock", "--trace", "app.trace", "--format", "json"]).output().unwrap()
}

fn deadlock(output: &Output) -> serde_json::Value {
    let report: serde_json::Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", stderr(output)));
    report["scenarios"][0].clone()
}

fn transaction(statement: &str, keys: &[u32]) -> String {
    let updates: String = keys.iter().fold(String::new(), |mut text, key| {
        let _ = writeln!(text, "UPDATE orders SET {statement} WHERE id = {key};");
        text
    });
    format!("BEGIN;\n{updates}COMMIT;\n")
}

#[test]
fn two_transactions_that_only_ran_one_after_another_are_found_with_rows_that_meet() {
    let folder = shop();
    let script = transaction("status = 'shipped'", &[1, 2]) + &transaction("note = 'cancelled'", &[7, 3]);
    let output = record_and_predict(folder.path(), &script, &["--keep-values"]);
    let report = deadlock(&output);
    assert_eq!(code(&output), 1, "{report}");
    let predictions = report["evidence"]["deadlock"]["predictions"].as_array().unwrap();
    let pair = &predictions[0];
    assert_eq!(pair["transactions"][0], "app/1 update orders ×2");
    assert_eq!(pair["transactions"][1], "app/2 update orders ×2");
    assert_eq!(pair["confirmation"]["kind"], "confirmed", "{pair}");
    assert_eq!(pair["is_order_in_doubt"], false);
    let rows: Vec<&str> = pair["rows"].as_array().unwrap().iter().filter_map(|row| row.as_str()).collect();
    assert_eq!(rows.len(), 2, "{rows:?}");
    assert!(rows[0].contains("row id=2 of orders in place of 7"), "{rows:?}");
    // Whether each of them deadlocks with its second run depends on an order that was seen once.
    assert!(predictions[1..].iter().all(|other| other["is_order_in_doubt"] == true), "{predictions:?}");
    let first = report["findings"].as_array().unwrap()[0].clone();
    assert_eq!(
        (first["code"].as_str(), first["severity"].as_str()),
        (Some("predicted-deadlock"), Some("failure"))
    );
    // The kept file replays it by itself.
    let replays: Vec<_> = glob(folder.path(), "spec");
    let replay = replays.iter().find(|path| path.ends_with("replays/1.spec")).expect("a replay file");
    let again = plimsoll(folder.path())
        .args(["deadlock", "--repetitions", "0", "--format", "json"])
        .arg(replay)
        .output()
        .unwrap();
    assert_eq!(deadlock(&again)["findings"][0]["code"], "deadlock", "{}", stderr(&again));
}

#[test]
fn an_application_that_sorts_is_not_blamed_once_it_was_seen_often_enough() {
    let folder = shop();
    let runs = [[1, 2, 3], [2, 5, 9], [4, 6, 8], [3, 7, 11]];
    let script: String = runs.iter().map(|keys| transaction("status = 'shipped'", keys)).collect();
    let output = record_and_predict(folder.path(), &script, &["--keep-values"]);
    let report = deadlock(&output);
    assert_eq!(report["verdict"], "pass", "{report}");
    assert_eq!(code(&output), 0);
}

#[test]
fn rows_that_the_application_made_itself_are_made_again() {
    let folder = shop();
    let made = "INSERT INTO orders (id, user_id, status, total, created_at, shipping_address)
        VALUES (900001, 1, 'paid', 1, now(), 'x'), (900002, 1, 'paid', 1, now(), 'x');\n";
    let script = made.to_owned()
        + &transaction("status = 'shipped'", &[900_001, 900_002])
        + &transaction("note = 'x'", &[900_002, 900_001]);
    let output = record_and_predict(folder.path(), &script, &["--keep-values"]);
    let report = deadlock(&output);
    let pair = &report["evidence"]["deadlock"]["predictions"][0];
    assert_eq!(pair["confirmation"]["kind"], "confirmed", "{report}");
    assert!(pair["confirmation"]["replay"].as_str().unwrap().contains("900001, 1, 'paid'"), "{pair}");
}

#[test]
fn without_values_the_verdict_is_open_and_says_what_to_record() {
    let folder = shop();
    let output = record_and_predict(folder.path(), &transaction("status = 'shipped'", &[1, 2]), &[]);
    let report = deadlock(&output);
    assert_eq!(report["verdict"], "inconclusive", "{report}");
    assert_eq!(report["findings"][0]["code"], "trace-not-executable");
    assert!(report["findings"][0]["message"].as_str().unwrap().contains("--keep-values"), "{report}");
}

fn glob(folder: &Path, extension: &str) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(glob(&path, extension));
        } else if path.extension().is_some_and(|own| own == extension) {
            found.push(path);
        }
    }
    found
}
