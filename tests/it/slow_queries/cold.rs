//! Cold caches on a real server, and where they are refused.

use super::{evidence, query};
use crate::cli::{code, plimsoll, stderr};
use crate::support;
use plimsoll::model::Quiet;
use plimsoll::postgres::{ExplainOptions, Session, Target, explain};
use plimsoll::prepare::{Context, Databases};
use plimsoll::project::Project;
use plimsoll::scenarios::slow_queries::{Options, run};
use std::path::Path;

const SCHEMA: &str = "CREATE TABLE wide (id int PRIMARY KEY, filler text NOT NULL);
    INSERT INTO wide SELECT n, repeat('x', 900) FROM generate_series(1, 4000) n; ANALYZE wide;";

async fn blocks(session: &Session) -> (u64, u64) {
    let plan =
        explain(session, "SELECT count(filler) FROM wide", &[], ExplainOptions::default()).await.unwrap();
    let buffers = plan.totals().buffers.unwrap();
    (buffers.shared_hit, buffers.shared_read)
}

fn project(root: &Path) -> Project {
    let write = |path: &str, text: &str| support::write_file(root, path, text);
    write(
        "plimsoll.toml",
        "[volumes]\nsmall = 1\n[slow-queries]\nmax-time = \"8s\"\nconnections = 3\nmax-samples = 75\n",
    );
    write("migrations/001_schema.sql", SCHEMA);
    write(
        "queries/all.sql",
        "-- name: cold\n-- cache: cold\n-- budget: p50 < 20s\nSELECT count(filler) FROM wide;\n\
         -- name: warm\n-- budget: p50 < 20s\nSELECT count(filler) FROM wide;\n",
    );
    Project::load(root).unwrap_or_else(|problems| panic!("{problems:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_sample_of_a_cold_query_meets_empty_caches() {
    let target = Target::throwaway(&support::server_options(), &Quiet).await.unwrap();
    let database = target.create_database("cold").await.unwrap();
    target.connect_to(&database).await.unwrap().batch_execute(SCHEMA).await.unwrap();
    let warm = blocks(&target.connect_to(&database).await.unwrap()).await;
    assert!(warm.1 == 0 && warm.0 > 400, "hit and read: {warm:?}");
    match target.empty_caches(&database).await {
        Err(error) if error.to_string().contains("file system that is memory") => {
            println!("skipped: the data directory is in memory");
            return;
        }
        outcome => outcome.unwrap(),
    }
    let cold = blocks(&target.connect_to(&database).await.unwrap()).await;
    assert!(cold.1 >= warm.0, "hit and read: {cold:?}, warm {warm:?}");

    let folder = tempfile::tempdir().unwrap();
    let project = project(folder.path());
    let databases = Databases::new(&project, &target, &Quiet);
    let context = Context {
        project: &project,
        target: &target,
        databases: &databases,
        seed: 42,
        progress: &Quiet,
        checkpoint: &|_| {},
    };
    let report = run(&context, &Options::default()).await.unwrap();
    let (cold, warm) = (query(&report, "cold"), query(&report, "warm"));
    assert!(cold.cold && !warm.cold && evidence(&report).decision.cold);
    let (cold, warm) = (cold.latency.as_ref().unwrap(), warm.latency.as_ref().unwrap());
    assert_eq!(cold.samples, cold.connections as u64, "one sample a connection");
    assert!(cold.p50_us > 1.5 * warm.p50_us, "{cold:?} {warm:?}");

    let session = target.connect_to(&database).await.unwrap();
    session.batch_execute("CREATE UNLOGGED TABLE quick ()").await.unwrap();
    let error = target.require_empty_caches(&database).await.unwrap_err().to_string();
    assert!(error.contains("the unlogged table quick"), "{error}");
    drop(session);
    target.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_caches_of_a_server_of_others_are_not_touched() {
    let database = support::database("cold precious").await;
    database.execute(SCHEMA).await;
    let folder = tempfile::tempdir().unwrap();
    project(folder.path());
    let url = database.target.url_for(&database.name);
    let output = plimsoll(folder.path()).args(["slow-queries", "--url", &url]).output().unwrap();
    assert_eq!(code(&output), 3, "{}", stderr(&output));
    assert!(
        stderr(&output).contains("the caches of a server that Plimsoll did not start"),
        "{}",
        stderr(&output)
    );
}
