//! Projects as a new user makes them, good and bad: what `Project::load` says.

use plimsoll::project::Project;
use plimsoll::project::diagnostic::render;
use plimsoll::project::settings::{RegressionSettings, Settings};
use proptest::prelude::*;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// A project folder with these files.
fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = TempDir::new().expect("a temporary folder");
    for (path, content) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().expect("inside the folder")).expect("a subfolder");
        fs::write(path, content).expect("a file");
    }
    folder
}

/// What a person sees.
fn problems(files: &[(&str, &str)]) -> String {
    let files: Vec<(&str, &[u8])> = files.iter().map(|(path, text)| (*path, text.as_bytes())).collect();
    let folder = folder(&files);
    render(&Project::load(folder.path()).expect_err("has problems"), false)
}

#[test]
fn the_demo_is_a_project() {
    let project =
        Project::load(Path::new("demo")).unwrap_or_else(|problems| panic!("{}", render(&problems, false)));
    assert_eq!(project.name, "demo");
    assert_eq!(project.queries.len(), 12);
    assert_eq!(project.settings.volumes.len(), 3);
    assert_eq!(
        project.migrations.iter().map(|migration| migration.version.as_str()).collect::<Vec<_>>(),
        ["001", "002"]
    );
    assert!(project.distributions.is_some());
    let history =
        project.queries.iter().find(|query| query.name == "order_history").expect("the demo's first query");
    assert_eq!(history.budgets.len(), 3);
    assert!(project.queries.iter().all(|query| !query.budgets.is_empty()), "the project's default applies");
}

#[test]
fn an_empty_settings_file_is_enough() {
    let folder = folder(&[("plimsoll.toml", b"")]);
    let project = Project::load(folder.path()).expect("sound");
    assert!(project.queries.is_empty() && project.migrations.is_empty() && project.transactions.is_empty());
    assert_eq!(project.settings.volumes[0].name, "small");
}

#[test]
fn files_are_ordered_and_others_left_alone() {
    let folder = folder(&[
        ("plimsoll.toml", b"\xef\xbb\xbf[regression]\r\nfrom = \"1\"\r\n"),
        ("migrations/010_c.sql", b"select 3"),
        ("migrations/9_b.up.sql", b"select 2"),
        ("migrations/9_b.down.sql", b"drop everything"),
        ("migrations/001_a.sql", b"select 1"),
        ("migrations/README.md", b"# text"),
        ("queries/b.sql", b"-- name: a\r\nselect 1;\r\n"),
        ("queries/a.sql", b"-- name: z\nselect 1;\n-- name: b\nselect 2"),
        ("queries/notes.txt", b"\xff"),
        ("transactions/pay.spec", b"session a"),
    ]);
    let project =
        Project::load(folder.path()).unwrap_or_else(|problems| panic!("{}", render(&problems, false)));
    assert_eq!(
        project.migrations.iter().map(|migration| migration.label.as_str()).collect::<Vec<_>>(),
        ["a", "b", "c"]
    );
    assert_eq!(project.queries.iter().map(|query| query.name.as_str()).collect::<Vec<_>>(), ["a", "b", "z"]);
    assert_eq!(project.settings.regression.from.as_deref(), Some("001"), "as the file writes it");
    assert_eq!(project.transactions[0].name, "pay");
}

#[test]
fn a_folder_without_a_project_names_the_next_step() {
    let folder = TempDir::new().expect("a temporary folder");
    let text = render(&Project::load(folder.path()).expect_err("no project"), false);
    let text = text.replace(&*folder.path().to_string_lossy(), "FOLDER");
    insta::assert_snapshot!(text, @r"
    error: there is no `plimsoll.toml` in `FOLDER`
    --> plimsoll.toml
     = help: run `plimsoll init` there to make a project of it
    ");
}

#[test]
fn typos_in_every_file_come_at_once() {
    insta::assert_snapshot!(problems(&[
        ("plimsoll.toml", "[volumes]\nsmall = 1\n\n[budget]\np95 = \"50ms\"\n\n[regression]\nfrm = \"001\"\n"),
        ("migrations/001_schema.sql", "create table orders (id bigint, note text default 'none);\n"),
        ("migrations/add_index.sql", "create index on orders (id);\n"),
        ("data/distributions.toml", "[orders]\nrow = 2500\n"),
        ("queries/order_history.sql", "-- name: order_history\n-- budget: p95 < 2\n-- param: user_id = sample(orders.user_id)\nSELECT * FROM orders WHERE user_id = :userid;\n"),
    ]), @r#"
    error: table `orders` has no `rows`
     --> data/distributions.toml:1:2
      |
    1 | [orders]
      |  ^^^^^^
      |
      = help: say how many rows it has at volume factor 1, such as `rows = 1000`

    error: column `row` is not a table such as { constant = "x" }
     --> data/distributions.toml:2:1
      |
    2 | row = 2500
      | ^^^^^^^^^^
      |
      = help: one of: sequence, ordinal, references, one_of, range, uniform, normal, lognormal, exponential, spread, template, constant, bool, uuid, text

    error: this text never ends
     --> migrations/001_schema.sql:1:51
      |
    1 | create table orders (id bigint, note text default 'none);
      |                                                   ^
      |
      = help: close it

    error: `add_index.sql` does not begin with a version
    --> migrations/add_index.sql
     = help: migrations run in the order of their leading digits: name it like `003_add_index.sql`

    error: unknown key `budget` in plimsoll.toml
     --> plimsoll.toml:4:2
      |
    4 | [budget]
      |  ^^^^^^
      |
      = help: did you mean `budgets`?

    error: unknown key `frm` in `[regression]`
     --> plimsoll.toml:8:1
      |
    8 | frm = "001"
      | ^^^
      |
      = help: did you mean `from`?

    error: `p95` needs a unit of time
     --> queries/order_history.sql:2:18
      |
    2 | -- budget: p95 < 2
      |                  ^
      |
      = help: units are us, ms and s; or `8 x ping`

    error: no statement uses `:user_id`
     --> queries/order_history.sql:3:11
      |
    3 | -- param: user_id = sample(orders.user_id)
      |           ^^^^^^^
      |
      = help: the statement uses `:userid`

    error: nothing supplies `:userid`
     --> queries/order_history.sql:4:38
      |
    4 | SELECT * FROM orders WHERE user_id = :userid;
      |                                      ^^^^^^^
      |
      = help: did you mean `:user_id`?
    "#);
}

#[test]
fn what_only_several_files_together_show() {
    insta::assert_snapshot!(problems(&[
        ("plimsoll.toml", "[regression]\nfrom = \"001\"\nto = \"009\"\n\n[n-plus-one]\ntraces = [\"shop.trace\"]\n"),
        ("migrations/001_a.sql", "select 1"),
        ("migrations/1_b.sql", "select 1"),
        ("queries/a.sql", "-- name: orders\n-- budget: p95 < 2ms @ huge\nselect 1"),
        ("queries/b.sql", "-- name: orders\nselect 1"),
    ]), @r#"
    error: version 1 is taken by `migrations/001_a.sql`
    --> migrations/1_b.sql
     = help: give one of them another number

    error: `to` names no migration: 009
     --> plimsoll.toml:3:6
      |
    3 | to = "009"
      |      ^^^^^
      |
      = help: versions: 001, 1

    error: there is no trace `shop.trace`
     --> plimsoll.toml:6:11
      |
    6 | traces = ["shop.trace"]
      |           ^^^^^^^^^^^^
      |
      = help: record one with `plimsoll trace -- COMMAND`, or correct the path

    error: there is no volume `huge`
     --> queries/a.sql:2:24
      |
    2 | -- budget: p95 < 2ms @ huge
      |                        ^^^^
      |
      = help: volumes: small

    error: the name `orders` is taken
     --> queries/b.sql:1:10
      |
    1 | -- name: orders
      |          ^^^^^^
      |
      = help: the first is at queries/a.sql:1
    "#);
}

#[test]
fn a_folder_that_is_named_has_to_exist() {
    insta::assert_snapshot!(problems(&[("plimsoll.toml", "[database]\nmigrations = \"db/migrate\"\n")]), @r#"
    error: there is no folder `db/migrate`
     --> plimsoll.toml:2:14
      |
    2 | migrations = "db/migrate"
      |              ^^^^^^^^^^^^
      |
      = help: make it, or correct the path
    "#);
}

#[test]
fn bytes_that_are_not_text_are_pointed_at() {
    let folder = folder(&[("plimsoll.toml", b""), ("queries/a.sql", b"-- name: a\nselect 'caf\xe9';\n")]);
    insta::assert_snapshot!(render(&Project::load(folder.path()).expect_err("not UTF-8"), false), @r"
    error: the byte 0xe9 is not UTF-8
     --> queries/a.sql:2:12
      |
    2 | select 'caf�';
      |            ^
      |
      = help: save the file as UTF-8
    ");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_it_panic(
        settings in prop::collection::vec(any::<u8>(), 0..64),
        query in prop::collection::vec(any::<u8>(), 0..64),
        words in "(-- name: a\n|-- budget: |-- param: |-- transaction|p95 < 2ms|x = |sample\\(a.b\\)|:x|;|'|\\$\\$|select |é|\r|\0|\u{1b}){0,12}",
        migration in "(create |copy t from stdin;|begin atomic|'|;|\\\\.|\n){0,8}",
    ) {
        let sound_settings: &[u8] = if settings.len() % 2 == 0 { b"" } else { &settings };
        let folder = folder(&[
            ("plimsoll.toml", sound_settings),
            ("queries/a.sql", &query),
            ("queries/b.sql", words.as_bytes()),
            ("migrations/1.sql", migration.as_bytes()),
            ("data/distributions.toml", &query),
            ("transactions/a.spec", &settings),
        ]);
        if let Err(problems) = Project::load(folder.path()) {
            prop_assert!(!problems.is_empty());
            prop_assert!(!render(&problems, true).is_empty());
        }
    }
}

/// The files of the reference page: fenced blocks with a path behind their language.
fn documented_files(page: &str) -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some((_, path)) = line.strip_prefix("```").and_then(|fence| fence.split_once(' ')) else {
            continue;
        };
        let text: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        files.push((path.to_owned(), text.join("\n") + "\n"));
    }
    files
}

#[test]
fn the_reference_page_is_a_project_and_names_everything() {
    let page = fs::read_to_string("docs/reference-project.md").expect("the reference page");
    let files = documented_files(&page);
    let files: Vec<(&str, &[u8])> =
        files.iter().map(|(path, text)| (path.as_str(), text.as_bytes())).collect();
    assert_eq!(files.len(), 6);
    let folder = folder(&files);
    let project =
        Project::load(folder.path()).unwrap_or_else(|problems| panic!("{}", render(&problems, false)));
    // What the page calls a default is one.
    let defaults = Settings::default();
    assert_eq!(project.settings.slow_queries, defaults.slow_queries);
    assert_eq!(project.settings.deadlock, defaults.deadlock);
    assert_eq!(project.settings.n_plus_one.threshold, defaults.n_plus_one.threshold);
    let regression = RegressionSettings { from: None, to: None, ..project.settings.regression };
    assert_eq!(regression, defaults.regression);
    // The words behind "known", as the loader itself lists them.
    let text = problems(&[
        (
            "plimsoll.toml",
            "[budgets]\nqqqqqqqq = 1\n[n-plus-one]\nqqqqqqqq = 1\n[slow-queries]\nqqqqqqqq = 1\n[regression]\nqqqqqqqq = 1\n[deadlock]\nqqqqqqqq = 1\n[database]\nqqqqqqqq = 1\n[qqqqqqqq]",
        ),
        ("queries/a.sql", "-- name: a\n-- param: x = qqqqqqqq(1)\nselect :x"),
    ]);
    let lists: Vec<&str> = text
        .lines()
        .filter_map(|line| line.split_once("known")?.1.split_once(": "))
        .map(|(_, list)| list)
        .collect();
    assert_eq!(lists.len(), 8, "{text}");
    for word in lists.iter().flat_map(|list| list.split(", ")) {
        assert!(page.contains(word), "docs/reference-project.md does not name `{word}`");
    }
}
