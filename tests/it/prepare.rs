//! Databases made ready for scenarios: migrated, seeded, kept for the next start.

use crate::support::{self, scratch::Scratch};
use plimsoll::model::Quiet;
use plimsoll::postgres::{Target, ThrowawayOptions};
use plimsoll::prepare::{self, Databases};
use plimsoll::project::Project;
use std::path::Path;

const BASELINE: &str = "CREATE TABLE things (id bigint PRIMARY KEY, name text NOT NULL, filler text);";
const SECOND: &str =
    "ALTER TABLE things ADD colour text; CREATE TABLE extras (thing bigint REFERENCES things);";
/// Wide rows, so that few of them are worth keeping.
fn data() -> String {
    DATA.replace("FILLER", &"x".repeat(1500))
}

const DATA: &str = r#"
seed = 7
[things]
rows = 1000
id = { sequence = 1 }
name = { template = "thing {row}" }
filler = { constant = "FILLER" }
colour = { one_of = { red = 0.5, blue = 0.5 } }
[extras]
rows = 10
thing = { references = "things.id" }
"#;

fn project_in(folder: &Path, data: &str) -> Project {
    let write = |path: &str, text: &str| support::write_file(folder, path, text);
    write("plimsoll.toml", "[volumes]\nsmall = 1\nlarge = 40\n");
    write("migrations/001_baseline.sql", BASELINE);
    write("migrations/002_second.sql", SECOND);
    write("data/distributions.toml", data);
    Project::load(folder).unwrap()
}

async fn number(target: &Target, database: &str, sql: &str) -> i64 {
    target.connect_to(database).await.unwrap().query_one(sql, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn the_head_is_migrated_and_seeded_once() {
    let folder = tempfile::tempdir().unwrap();
    let project = project_in(folder.path(), &data());
    let target = support::server();
    let databases = Databases::new(&project, target, &Quiet);
    let name = databases.at_head("small").await.unwrap();
    assert_eq!(number(target, &name, "SELECT count(*) FROM things WHERE colour IS NOT NULL").await, 1000);
    assert_eq!(number(target, &name, "SELECT count(*) FROM extras").await, 10);
    assert_eq!(databases.at_head("small").await.unwrap(), name);
    assert_eq!(databases.at("002", "small").await.unwrap(), name, "002 is the head");
    let error = databases.at_head("huge").await.unwrap_err().to_string();
    assert!(error.contains("there is no volume huge, only: small, large"), "{error}");
}

#[tokio::test]
async fn an_earlier_version_holds_the_same_rows_without_what_comes_later() {
    let folder = tempfile::tempdir().unwrap();
    let project = project_in(folder.path(), &data());
    let target = support::server();
    let databases = Databases::new(&project, target, &Quiet);
    let (before, after) =
        (databases.at("001", "small").await.unwrap(), databases.at_head("small").await.unwrap());
    assert_eq!(number(target, &before, "SELECT count(*) FROM pg_tables WHERE tablename = 'extras'").await, 0);
    let sum = "SELECT sum(hashtext(id || name || filler))::bigint FROM things";
    assert_eq!(number(target, &before, sum).await, number(target, &after, sum).await);
    // A name that no migration knows is a mistake at every version.
    let wrong = project_in(folder.path(), &data().replace("colour =", "coulor ="));
    let error = Databases::new(&wrong, target, &Quiet).at("001", "small").await.unwrap_err().to_string();
    assert!(error.starts_with("data/distributions.toml:8:"), "{error}");
    assert!(error.contains("coulor"), "{error}");
}

#[tokio::test]
async fn the_projects_own_command_migrates_where_it_has_one() {
    let folder = tempfile::tempdir().unwrap();
    let project = project_in(folder.path(), &data());
    let psql = plimsoll::postgres::Programs::find(None, std::env::var_os("PATH").as_deref())
        .unwrap()
        .program("psql");
    let mut project = project;
    project.settings.database.migrate_command =
        Some(format!("{} -qv ON_ERROR_STOP=1 -f migrations/001_baseline.sql", psql.display()));
    let target = support::server();
    let name = target.create_database("own command").await.unwrap();
    let databases = Databases::new(&project, target, &Quiet);
    databases.migrate(&name, None).await.unwrap();
    assert_eq!(number(target, &name, "SELECT count(*) FROM things").await, 0);
    let error = databases.migrate(&name, None).await.unwrap_err().to_string();
    assert!(error.contains("ended with exit status: 3") && error.contains("already exists"), "{error}");
}

#[tokio::test]
async fn large_templates_are_kept_for_the_next_start_with_the_same_content() {
    let (folder, scratch) = (tempfile::tempdir().unwrap(), Scratch::new());
    let project = project_in(folder.path(), &data());
    let options = ThrowawayOptions {
        scratch_directory: Some(scratch.path().to_owned()),
        cache_directory: Some(folder.path().join("cache")),
        snapshot: prepare::snapshot_content(&project, &["large".into()]),
        without_durability: false,
        ..support::server_options()
    };
    let start = async || Target::throwaway(&options, &Quiet).await.unwrap();
    let sum = "SELECT sum(hashtext(id || name || filler))::bigint FROM things";

    let first = start().await;
    let databases = Databases::new(&project, &first, &Quiet);
    let small = databases.at_head("small").await.unwrap();
    assert!(!first.keep_templates().await.unwrap(), "a small one is made as fast as it is copied");
    let large = databases.at_head("large").await.unwrap();
    let expected = number(&first, &large, sum).await;
    let clone = first.clone_database(&small, "clone").await.unwrap();
    assert!(first.keep_templates().await.unwrap());
    first.close().await.unwrap();

    let second = start().await;
    let databases = Databases::new(&project, &second, &Quiet);
    assert_eq!(databases.at_head("large").await.unwrap(), large, "found, not made");
    assert_eq!(number(&second, &large, sum).await, expected);
    assert_eq!(databases.at_head("small").await.unwrap(), small);
    assert!(second.connect_to(&clone).await.is_err(), "clones are not kept");
    assert!(!second.keep_templates().await.unwrap(), "nothing new");
    assert!(second.description().durability.fsync);
    second.close().await.unwrap();

    // What is broken is not used, and not fatal.
    let snapshots = folder.path().join("cache/snapshots");
    let snapshot = std::fs::read_dir(&snapshots).unwrap().next().unwrap().unwrap().path();
    std::fs::write(snapshot.join("global/pg_control"), "broken").unwrap();
    let third = start().await;
    assert!(!snapshot.exists());
    assert!(third.connect_to(&large).await.is_err());
    third.close().await.unwrap();

    let changed = project_in(folder.path(), &data().replace("seed = 7", "seed = 8"));
    assert_ne!(prepare::snapshot_content(&changed, &["large".into()]), options.snapshot);
}

#[tokio::test]
async fn migrating_records_the_schema_of_each_version() {
    let folder = tempfile::tempdir().unwrap();
    let project = project_in(folder.path(), &data());
    let target = support::server();
    let databases = Databases::new(&project, target, &Quiet);
    let name = target.create_database("record").await.unwrap();
    let read = |version: &str| {
        std::fs::read_to_string(folder.path().join(".plimsoll/schema").join(version)).unwrap()
    };
    let files = databases.migrate_and_record(&name, Some("001")).await.unwrap();
    assert_eq!(files, [folder.path().join(".plimsoll/schema/001.sql")]);
    let first = read("001.sql");
    assert!(first.contains("TABLE public.things") && !first.contains("extras"), "{first}");
    assert!(!first.contains("plimsoll.migrations"), "the ledger is ours");
    assert_eq!(databases.migrate_and_record(&name, None).await.unwrap().len(), 1, "001 is not written again");
    assert_eq!(read("001.sql"), first);
    assert!(read("002.sql").contains("TABLE public.extras"));
    assert_eq!(std::fs::read_to_string(folder.path().join(".plimsoll/.gitignore")).unwrap(), "*\n");
}
