//! Several volumes: budgets of one of them, and how queries grow.

use super::{evidence, query_at};
use crate::support;
use plimsoll::model::{Quiet, Verdict};
use plimsoll::prepare::Databases;
use plimsoll::project::Project;
use plimsoll::scenarios::slow_queries::{Options, run};

#[tokio::test(flavor = "multi_thread")]
async fn budgets_hold_at_their_volume_and_growth_takes_three() {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| support::write_file(folder.path(), path, text);
    write(
        "plimsoll.toml",
        "[volumes]\nsmall = 1\nmedium = 4\nlarge = 16\n[slow-queries]\nmax-time = \"2s\"\nconnections = 3\nmax-samples = 100\n",
    );
    write("migrations/001_schema.sql", "CREATE TABLE items (id int PRIMARY KEY, name text NOT NULL);");
    write(
        "data/distributions.toml",
        "seed = 1\n[items]\nrows = 2000\nid = { sequence = 1 }\nname = { template = \"a name of some length {row}\" }\n",
    );
    write(
        "queries/all.sql",
        "-- name: scan\n-- budget: buffers < 20 @ small, buffers < 100 @ large, rows >= 1\nSELECT count(*) FROM items;\n\
         -- name: lookup\n-- budget: buffers < 10, p95 < 10s @ medium\n-- param: id = sample(items.id)\n\
         SELECT name FROM items WHERE id = :id;\n",
    );
    let project = Project::load(folder.path()).unwrap_or_else(|problems| panic!("{problems:?}"));
    let databases = Databases::new(&project, support::server(), &Quiet);
    let context = support::context(&project, &databases);
    let volumes = ["large", "small", "medium"].map(str::to_owned).to_vec();
    let report = run(&context, &Options { volumes, ..Options::default() }).await.unwrap();

    let names: Vec<&str> = evidence(&report).volumes.iter().map(|volume| volume.volume.as_str()).collect();
    assert_eq!(names, ["small", "medium", "large"], "smallest first");
    let budgets = |volume, name| -> Vec<(String, Verdict)> {
        let budgets = query_at(&report, volume, name).budgets.iter();
        budgets.map(|budget| (budget.text.clone(), budget.verdict.clone())).collect()
    };
    let guard = ("rows >= 1".to_owned(), Verdict::Pass);
    assert_eq!(budgets("small", "scan"), [("buffers < 20 @ small".to_owned(), Verdict::Pass), guard.clone()]);
    assert_eq!(budgets("medium", "scan"), vec![guard.clone()]);
    assert_eq!(budgets("large", "scan"), [("buffers < 100 @ large".to_owned(), Verdict::Fail), guard]);
    assert_eq!(budgets("small", "lookup").len(), 1);
    assert_eq!(budgets("medium", "lookup").len(), 2);

    let exponent = |name: &str, metric: &str| {
        let mut growth = evidence(&report).growth.iter();
        growth.find(|growth| growth.query == name && growth.metric == metric).unwrap()
    };
    let scan = exponent("scan", "buffers");
    assert!((scan.exponent - 1.0).abs() < 0.1 && scan.points.len() == 3, "{scan:?}");
    let lookup = exponent("lookup", "buffers");
    assert!(lookup.exponent.abs() < 0.2, "{lookup:?}");
    assert!(exponent("scan", "p95").points.iter().all(|(_, value)| *value > 0.0));
}
