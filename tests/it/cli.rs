//! The program as a person uses it, mostly wrongly: exit code, message, and
//! nothing changed or left behind.

use crate::support;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The program, with nothing of this machine's environment that it listens to.
pub(crate) fn plimsoll(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_plimsoll"));
    command.current_dir(folder).env_remove("DATABASE_URL").env("NO_COLOR", "1");
    if let Some(folder) = support::server_options().postgres_bin {
        command.env("PLIMSOLL_POSTGRES_BIN", folder);
    }
    command.env("PLIMSOLL_CACHE", support::cache_directory());
    command
}

pub(crate) fn code(output: &Output) -> i32 {
    output.status.code().expect("ended by itself")
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A copy of the demo project that a test may break.
pub(crate) fn shop() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("demo"), folder.path());
    folder
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path: PathBuf = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.ends_with("reports") || path.ends_with(".plimsoll") {
            continue;
        }
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

#[test]
fn help_names_the_four_questions_and_the_exit_codes() {
    let output = plimsoll(Path::new("/")).arg("--help").output().unwrap();
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!(code(&output), 0);
    for word in ["slow-queries", "regression", "deadlock", "n-plus-one", "demo", "Exit codes: 0"] {
        assert!(text.contains(word), "{word} in {text}");
    }
}

#[test]
fn an_unknown_flag_is_wrong_usage() {
    let output = plimsoll(Path::new("/")).args(["run", "--nonsense"]).output().unwrap();
    assert_eq!(code(&output), 2);
}

#[test]
fn a_folder_without_a_project_says_how_to_start_one() {
    let folder = tempfile::tempdir().unwrap();
    let output = plimsoll(folder.path()).arg("run").output().unwrap();
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("plimsoll init"), "{}", stderr(&output));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing was written");
}

#[test]
fn a_wrong_folder_of_server_programs_is_named() {
    let folder = shop();
    let output =
        plimsoll(folder.path()).args(["run", "--postgres-bin", "/nonexistent/bin"]).output().unwrap();
    assert_eq!(code(&output), 3);
    assert!(stderr(&output).contains("/nonexistent/bin"), "{}", stderr(&output));
    assert!(!folder.path().join("reports").exists(), "no empty report stays behind");
}

#[test]
fn an_unreachable_server_is_named_without_its_password() {
    let folder = shop();
    let url = "postgres://someone:secret@127.0.0.1:1/shop";
    let output = plimsoll(folder.path()).args(["run", "--url", url]).output().unwrap();
    assert_eq!(code(&output), 3);
    let text = stderr(&output);
    assert!(text.contains("127.0.0.1:1"), "{text}");
    assert!(!text.contains("secret"), "{text}");
}

#[test]
fn all_problems_of_a_project_come_at_once_with_their_places() {
    let folder = shop();
    let toml = folder.path().join("plimsoll.toml");
    fs::write(&toml, fs::read_to_string(&toml).unwrap().replace("[budgets]", "[budgts]")).unwrap();
    let query = folder.path().join("queries/user_lookup.sql");
    fs::write(&query, fs::read_to_string(&query).unwrap().replace(":email", ":mail")).unwrap();
    let spec = folder.path().join("transactions/ship_orders.spec");
    fs::write(&spec, format!("{}\npermutation nowhere\n", fs::read_to_string(&spec).unwrap())).unwrap();
    let output = plimsoll(folder.path()).arg("run").output().unwrap();
    let text = stderr(&output);
    assert_eq!(code(&output), 2, "{text}");
    for place in
        ["plimsoll.toml:", "queries/user_lookup.sql:", "ship_orders.spec:", "budgts", "mail", "nowhere"]
    {
        assert!(text.contains(place), "{place} in {text}");
    }
    assert!(!folder.path().join("reports").exists(), "nothing was touched");
}

#[test]
fn a_misspelt_column_is_shown_in_its_file() {
    let folder = shop();
    let query = folder.path().join("queries/order_history.sql");
    fs::write(&query, fs::read_to_string(&query).unwrap().replace("total, created_at", "totall, created_at"))
        .unwrap();
    let output = plimsoll(folder.path()).arg("slow-queries").output().unwrap();
    let text = stderr(&output);
    assert_eq!(code(&output), 2, "{text}");
    assert!(text.contains("queries/order_history.sql:4:20"), "{text}");
    assert!(text.contains("42703"), "{text}");
}

#[test]
fn a_distribution_for_a_column_that_is_not_there_is_shown_in_its_file() {
    let folder = shop();
    let data = folder.path().join("data/distributions.toml");
    let text = fs::read_to_string(&data).unwrap().replacen(
        "[orders]\n",
        "[orders]\ncolour = { constant = \"red\" }\n",
        1,
    );
    fs::write(&data, text).unwrap();
    let output = plimsoll(folder.path()).arg("seed").output().unwrap();
    let text = stderr(&output);
    assert_eq!(code(&output), 2, "{text}");
    assert!(text.contains("data/distributions.toml:") && text.contains("colour"), "{text}");
}

#[test]
fn a_migration_that_fails_names_line_and_sqlstate() {
    let folder = shop();
    fs::write(folder.path().join("migrations/003_broken.sql"), "SELECT 1;\nALTER TABLE nowhere ADD x int;\n")
        .unwrap();
    let output = plimsoll(folder.path()).arg("migrate").output().unwrap();
    let text = stderr(&output);
    assert_eq!(code(&output), 2, "{text}");
    assert!(text.contains("migrations/003_broken.sql:2") && text.contains("42P01"), "{text}");
}

#[test]
fn a_volume_that_is_not_declared_is_wrong_usage() {
    let folder = shop();
    let output = plimsoll(folder.path()).args(["seed", "--volume", "huge"]).output().unwrap();
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("small, medium, large"), "{}", stderr(&output));
}

/// All of it is said before a server is started or the command runs.
#[test]
fn a_baseline_or_growth_that_cannot_be_is_wrong_usage() {
    let folder = shop();
    fs::write(folder.path().join("known.toml"), "[[known]]\nfingerprint = \"0123456789abcdef\"\n").unwrap();
    for (arguments, said) in [
        (&["--baseline", "known.toml"][..], "entry 1 of [[known]]: `reason` is missing or empty: say why"),
        (&["--baseline", "none.toml"], "baseline none.toml"),
        (&["--draft-baseline", "known.toml"], "known.toml exists"),
        (&["--grow=medium,small"], "the first volume must be the smaller one"),
        (&["--grow=small,huge"], "there is small, medium, large"),
        (&["--rtt", "5"], "is not a time such as"),
    ] {
        let mut command = plimsoll(folder.path());
        let output = command.arg("n-plus-one").args(arguments).args(["--", "touch", "ran"]).output().unwrap();
        assert_eq!(code(&output), 2, "{arguments:?}");
        assert!(stderr(&output).contains(said), "{}", stderr(&output));
    }
    assert!(!folder.path().join("ran").exists());
}

#[test]
fn a_reports_folder_that_cannot_be_made_stops_before_anything_starts() {
    let folder = shop();
    fs::write(folder.path().join("reports"), "a file stands in the way").unwrap();
    let output = plimsoll(folder.path()).arg("run").output().unwrap();
    assert_eq!(code(&output), 3);
    assert!(stderr(&output).contains("reports"), "{}", stderr(&output));
}

#[test]
fn init_makes_a_project_that_runs_and_never_writes_over_one() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(code(&plimsoll(folder.path()).arg("init").output().unwrap()), 0);
    let output = plimsoll(folder.path()).arg("run").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(code(&output), 0, "{text}{}", stderr(&output));
    let output = plimsoll(folder.path()).arg("init").output().unwrap();
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("nothing was changed"));
}

#[test]
fn a_kept_run_that_is_not_there_is_wrong_usage() {
    let folder = shop();
    let output = plimsoll(folder.path()).args(["report", "nowhere"]).output().unwrap();
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("nowhere"));
}
