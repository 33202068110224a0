//! A recorded command as a person runs it: its exit code, its signals, and
//! what is said where nothing could be recorded.

use crate::cli::{code, plimsoll, stderr};
use crate::formats_sarif;
use crate::support::{self, processes};
use plimsoll::model::Quiet;
use plimsoll::postgres::Target;
use plimsoll::proxy::{Options as RecorderOptions, Recorder};
use plimsoll::scenarios::n_plus_one::{self, DetectOptions};
use plimsoll::wire::encode;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// `plimsoll` with a URL of the server of this test run.
fn recording(folder: &Path, arguments: &[&str]) -> Command {
    let server = support::server();
    let mut command = plimsoll(folder);
    command.args(arguments).env("DATABASE_URL", server.url_for(server.database()));
    command
}

fn run(arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    recording(folder.path(), arguments).output().unwrap()
}

#[tokio::test]
async fn the_commands_own_code_wins_and_is_said() {
    for scenario in ["n-plus-one", "trace"] {
        let output = run(&[scenario, "--", "sh", "-c", "echo from the child; exit 7"]);
        assert_eq!(code(&output), 7);
        assert!(String::from_utf8_lossy(&output.stdout).contains("from the child"));
        assert!(stderr(&output).contains("the command ended with 7"), "{}", stderr(&output));
    }
}

#[tokio::test]
async fn a_command_that_never_connects_gets_no_verdict() {
    let output = run(&["n-plus-one", "--strict", "--", "true"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(code(&output), 1, "{text}");
    for reason in ["a hard-coded address", "a container of the tests' own", "a Unix socket"] {
        assert!(text.contains(reason), "{reason} in {text}");
    }
    let output = run(&["trace", "--", "true"]);
    for reason in ["never connected", "a hard-coded address", "Testcontainers", "a Unix socket"] {
        assert!(stderr(&output).contains(reason), "{reason} in {}", stderr(&output));
    }
}

fn psql() -> String {
    let programs = plimsoll::postgres::Programs::find(None, std::env::var_os("PATH").as_deref()).unwrap();
    programs.program("psql").display().to_string()
}

/// What the verdict needs, and nothing that would lead elsewhere.
#[tokio::test]
async fn who_asks_nothing_is_told_the_reason() {
    for (arguments, reason) in [
        (vec!["-c", ""], "the command made 1 connection and asked nothing"),
        (vec!["-d", "no_such_database"], "\"no_such_database\" does not exist (SQLSTATE 3D000)"),
    ] {
        let script = "psql=$1; shift; \"$psql\" -qX \"$@\" < /dev/null 2> /dev/null; exit 0";
        let psql = psql();
        let mut words = vec!["n-plus-one", "--format", "json", "--", "sh", "-c", script, "sh", &psql];
        words.extend(&arguments);
        let output = run(&words);
        let report = String::from_utf8_lossy(&output.stdout).replace("\\\"", "\"");
        assert!(report.contains("inconclusive") && report.contains(reason), "{report}\n{}", stderr(&output));
        assert!(!report.contains("a hard-coded address"), "{report}");
    }
}

/// A later test must not fail for a loop that the run passes.
#[tokio::test]
async fn an_accepted_loop_is_accepted_in_show_findings_too() {
    let folder = tempfile::tempdir().unwrap();
    let script = "SET plimsoll.scope = 'listing';
        CREATE TEMP TABLE users AS SELECT n AS id, 'x' || n AS email FROM generate_series(1, 10) n;
        CREATE TEMP TABLE orders AS SELECT n AS id, n AS user_id FROM generate_series(1, 10) n;
        SELECT id, user_id FROM orders ORDER BY id;
        SELECT format('SELECT email FROM users WHERE id = %s', user_id) FROM orders ORDER BY id \\gexec
        \\o shown
        SHOW plimsoll.findings;\n";
    std::fs::write(folder.path().join("app.sql"), script).unwrap();
    let psql = psql();
    let command = format!("{psql} -qXAtv ON_ERROR_STOP=1 -f app.sql > all");
    let judged = |more: &[&str]| {
        let mut words = vec!["n-plus-one", "--findings", "--without-batching", "--format", "json"];
        words.extend(more);
        words.extend(["--", "sh", "-c", &command]);
        let output = recording(folder.path(), &words).output().unwrap();
        let shown = std::fs::read_to_string(folder.path().join("shown")).unwrap();
        let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
        (output, shown[0]["severity"].as_str().map(str::to_owned))
    };
    let (new, severity) = judged(&["--draft-baseline", "known.toml"]);
    assert_eq!((code(&new), severity.as_deref()), (1, Some("failure")), "{}", stderr(&new));
    let draft = std::fs::read_to_string(folder.path().join("known.toml")).unwrap();
    std::fs::write(folder.path().join("known.toml"), draft.replace("\"\" #", "\"ten at most\" #")).unwrap();
    let (output, severity) = judged(&["--baseline", "known.toml"]);
    assert_eq!((code(&output), severity.as_deref()), (0, Some("warning")), "{}", stderr(&output));
    // Code scanning is told so, too; of the run before it was told of no reason.
    let suppressions = |run: &Output| {
        std::fs::write(folder.path().join("run.json"), &run.stdout).unwrap();
        let output =
            plimsoll(folder.path()).args(["report", "run.json", "--format", "sarif"]).output().unwrap();
        let log: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(formats_sarif::faults(&log), Vec::<String>::new());
        log["runs"][0]["results"][0]["suppressions"].clone()
    };
    let accepted = serde_json::json!([
        { "kind": "external", "status": "accepted", "justification": "ten at most" }
    ]);
    assert_eq!(suppressions(&output), accepted);
    assert_eq!(suppressions(&new), serde_json::Value::Null);
}

/// Tools write `DATABASE_URL=` into env files for "none".
#[test]
fn an_empty_database_url_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let said = |arguments: &[&str]| {
        let output = plimsoll(folder.path()).args(arguments).env("DATABASE_URL", "").output().unwrap();
        (code(&output), stderr(&output))
    };
    let (code, text) = said(&["proxy"]);
    assert!(code == 2 && text.contains("the proxy needs a server"), "{text}");
    let (code, text) = said(&["trace", "--postgres-bin", "/nonexistent/bin", "--", "/bin/true"]);
    assert!(code == 3 && text.contains("/nonexistent/bin"), "a throwaway server is what it asks for: {text}");
}

#[test]
fn a_temporary_folder_too_long_for_a_socket_is_said_with_the_next_step() {
    let folder = tempfile::tempdir().unwrap();
    let long = folder.path().join("long".repeat(30));
    std::fs::create_dir(&long).unwrap();
    let output =
        recording(folder.path(), &["trace", "--", "/bin/true"]).env("TMPDIR", &long).output().unwrap();
    let text = stderr(&output);
    assert!(text.contains("is too long: set TMPDIR to a folder with a shorter path"), "{text}");
    assert_eq!(code(&output), 3, "{text}");
    assert_eq!(std::fs::read_dir(&long).unwrap().count(), 0, "a folder was left behind");
}

/// A server that goes away takes statements with it that nobody sees.
#[tokio::test]
async fn a_server_that_went_away_leaves_no_clean_verdict() {
    let server = Target::throwaway(&support::server_options(), &Quiet).await.unwrap();
    let recorder = Recorder::start(&RecorderOptions::new(&server.url_for("postgres"), 1)).unwrap();
    server.close().await.unwrap();
    let mut client = std::net::TcpStream::connect(recorder.address()).unwrap();
    let mut startup = Vec::new();
    encode::startup(&mut startup, encode::PROTOCOL_3_0, &[("user", "ann")]);
    client.write_all(&startup).unwrap();
    let mut told = Vec::new();
    client.read_to_end(&mut told).unwrap();
    assert!(String::from_utf8_lossy(&told).contains("could not connect to the server"));
    let trace = recorder.stop().unwrap().trace;
    assert_eq!(trace.unreached.count, 1);
    let report = n_plus_one::judge(&[("run".into(), trace)], &DetectOptions::default(), &[], &[]);
    let needs = format!("{:?}", report.verdict);
    assert!(needs.contains("Inconclusive") && needs.contains("1 connection could not be made"), "{needs}");
}

#[tokio::test]
async fn signals_go_to_the_command() {
    let folder = tempfile::tempdir().unwrap();
    let script = "trap 'echo told to end; exit 9' TERM; echo ready; while :; do sleep 0.05; done";
    let mut child = recording(folder.path(), &["trace", "--", "sh", "-c", script])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "ready");
    processes::signal(child.id(), "TERM");
    assert_eq!(lines.next().unwrap().unwrap(), "told to end");
    assert_eq!(child.wait().unwrap().code(), Some(9));
    assert!(plimsoll::trace::read(&folder.path().join("plimsoll.trace"), 1).unwrap().complete);
}

/// Who judges the file need not reach the server, on which the tables' numbers mean something.
#[tokio::test]
async fn a_trace_file_names_the_tables_of_its_columns() {
    let database = support::database("trace_names").await;
    database.execute("CREATE TABLE users (id int, email text)").await;
    let folder = tempfile::tempdir().unwrap();
    let psql = psql();
    let output = recording(folder.path(), &["trace", "--", &psql, "-qXAtc", "SELECT email AS e FROM users"])
        .env("DATABASE_URL", database.target.url_for(&database.name))
        .output()
        .unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let trace = plimsoll::trace::read(&folder.path().join("plimsoll.trace"), 10).unwrap();
    let source = &trace.statements[0].columns[0];
    let (table, column) = trace.column_name(source.table_oid, source.attribute_number).unwrap();
    assert_eq!((table.schema.as_str(), table.name.as_str(), column), ("public", "users", "email"));
}

/// Neither the recorded server nor PostgreSQL's programs are needed to judge a file.
#[tokio::test]
async fn a_trace_file_is_judged_without_a_server() {
    let database = support::database("trace_alone").await;
    database
        .execute(
            "CREATE TABLE users AS SELECT n AS id, 'x' || n AS email FROM generate_series(1, 10) n;
             CREATE TABLE orders AS SELECT n AS id, n AS user_id FROM generate_series(1, 10) n",
        )
        .await;
    let folder = tempfile::tempdir().unwrap();
    let script =
        "SELECT o.user_id AS buyer, u.email FROM orders o JOIN users u ON u.id = o.user_id ORDER BY 1;
        SELECT format('SELECT email FROM users WHERE id = %s', n) FROM generate_series(1, 10) n \\gexec\n";
    std::fs::write(folder.path().join("app.sql"), script).unwrap();
    let psql = psql();
    let output = recording(folder.path(), &["trace", "--", &psql, "-qXAt", "-f", "app.sql"])
        .env("DATABASE_URL", database.target.url_for(&database.name))
        .output()
        .unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let output = plimsoll(folder.path())
        .args(["n-plus-one", "--trace", "plimsoll.trace", "--format", "json"])
        .env("PLIMSOLL_POSTGRES_BIN", "/nonexistent/bin")
        .env_remove("DATABASE_URL")
        .output()
        .unwrap();
    assert_eq!(code(&output), 1, "{}", stderr(&output));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["target"], &report["complete"]), (&serde_json::Value::Null, &true.into()));
    let evidence = &report["scenarios"][0]["evidence"]["n-plus-one"];
    assert_eq!(evidence["loops"][0]["pairs"][0]["from"], "orders.user_id");
    assert!(evidence["not_batched"][0]["reason"].as_str().unwrap().contains("--url"), "{evidence}");
}

/// Folders of sockets below a directory for temporary files.
fn socket_folders(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> =
        entries.filter(|path| path.to_string_lossy().contains("/plimsoll-proxy-")).collect();
    found.sort();
    found
}

/// A recording killed in the middle leaves its folder, which the next one removes; not that of one that runs.
#[test]
fn what_a_killed_recorder_left_is_swept() {
    let folder = tempfile::tempdir().unwrap();
    let temporary = folder.path();
    let recorded = |words: &[&str]| {
        let mut command = recording(temporary, &["trace", "--"]);
        command.args(words).env("TMPDIR", temporary).stderr(Stdio::null());
        command
    };
    // Its input is the test's: it ends with the test, also when the recorder above it is killed.
    let waiting = || {
        let mut child = recorded(&["sh", "-c", "echo ready; exec cat > /dev/null"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let line = BufReader::new(child.stdout.take().unwrap()).lines().next().unwrap().unwrap();
        assert_eq!(line, "ready");
        child
    };
    let mut killed = waiting();
    let left = socket_folders(temporary);
    assert_eq!(left.len(), 1);
    processes::signal(killed.id(), "KILL");
    killed.wait().unwrap();
    assert_eq!(socket_folders(temporary), left, "a killed process removes nothing");
    let mut running = waiting();
    let own = socket_folders(temporary);
    assert!(own.len() == 1 && own != left, "{own:?} {left:?}");
    assert!(recorded(&["true"]).status().unwrap().success());
    assert_eq!(socket_folders(temporary), own, "one that runs keeps its folder");
    drop(running.stdin.take());
    assert!(running.wait().unwrap().success());
    assert_eq!(socket_folders(temporary), Vec::<std::path::PathBuf>::new());
}

#[test]
fn files_that_cannot_be_read_are_said_before_anything_starts() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("text"), "not a trace at all, but long enough").unwrap();
    for (arguments, expected) in [
        (vec!["n-plus-one", "--trace", "absent"], "absent"),
        (vec!["n-plus-one", "--trace", "text"], "text: not a Plimsoll trace file"),
        (vec!["n-plus-one", "--env-file", "absent", "--", "true"], "cannot read the environment file absent"),
        (vec!["trace", "--tls-cert", "absent", "--tls-key", "text", "--", "true"], "absent"),
        (vec!["n-plus-one", "--threshold", "1", "--", "/bin/true"], "1 is not in 2..="),
        (
            vec!["n-plus-one", "--draft-baseline", "no/such", "--", "/bin/true"],
            "no/such cannot be written: its folder does not exist",
        ),
    ] {
        // Starting a server would fail with 3 here, and be told first.
        let output = plimsoll(folder.path()).args(&arguments).env("PATH", "").output().unwrap();
        assert_eq!(code(&output), 2, "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(expected), "{arguments:?}: {}", stderr(&output));
    }
}
