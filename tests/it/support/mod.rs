//! What integration tests share: one throwaway server per test run, a database per test.
//!
//! A test that needs a server fails without one. Reads `PLIMSOLL_TEST_POSTGRES_BIN`
//! (the folder of the programs of another major version).

pub(crate) mod processes;
pub(crate) mod scratch;

use plimsoll::model::{Quiet, ScenarioReport};
use plimsoll::postgres::{Session, Target, ThrowawayOptions};
use plimsoll::prepare::{Context, Databases};
use plimsoll::project::Project;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// How this test run starts servers: durability is given up for speed, unlike in measurements.
pub(crate) fn server_options() -> ThrowawayOptions {
    ThrowawayOptions {
        postgres_bin: environment("PLIMSOLL_TEST_POSTGRES_BIN").map(PathBuf::from),
        search_path: std::env::var_os("PATH"),
        cache_directory: Some(cache_directory()),
        scratch_directory: None,
        without_durability: true,
        snapshot: None,
        settings: Vec::new(),
    }
}

/// Kept between runs: only the first start ever runs `initdb`.
pub(crate) fn cache_directory() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("plimsoll-cache")
}

fn environment(name: &str) -> Option<std::ffi::OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// The server of this test run. It ends with the test process.
pub(crate) fn server() -> &'static Target {
    static SERVER: OnceLock<Target> = OnceLock::new();
    SERVER.get_or_init(|| {
        // A runtime and thread of its own: the caller's runtime ends with its test.
        std::thread::spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(Target::throwaway(&server_options(), &Quiet))
        })
        .join()
        .unwrap()
        .unwrap_or_else(|error| panic!("tests need a PostgreSQL server: {error}"))
    })
}

/// Writes a file of a project, in a folder of its own where the path says so.
pub(crate) fn write_file(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// What scenarios run in: a project on the server of this test run.
pub(crate) fn context<'a>(project: &'a Project, databases: &'a Databases<'a>) -> Context<'a> {
    let (progress, checkpoint) = (&Quiet, &|_: &ScenarioReport| {});
    Context { project, target: server(), databases, seed: 42, progress, checkpoint }
}

/// An empty database for one test. It goes with the server; tests do not share it.
pub(crate) struct TestDatabase {
    /// The server it is on.
    pub(crate) target: &'static Target,
    /// Its name.
    pub(crate) name: String,
}

/// An empty database on the server of this test run.
pub(crate) async fn database(label: &str) -> TestDatabase {
    let target = server();
    let name = target.create_database(label).await.unwrap();
    TestDatabase { target, name }
}

impl TestDatabase {
    /// A session with it.
    pub(crate) async fn session(&self) -> Session {
        self.target.connect_to(&self.name).await.unwrap()
    }

    /// Executes statements in a session of its own.
    pub(crate) async fn execute(&self, sql: &str) {
        self.session().await.batch_execute(sql).await.unwrap_or_else(|error| panic!("{error}: {sql}"));
    }
}

/// Waits for something that another process does in its own time; fails after ten seconds.
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..400 {
        if is_so() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(25));
    }
    panic!("not within ten seconds: {what}");
}
