//! Real clients on a real server: each scenario runs by itself under the
//! recording proxy, and what is found is held against what the program says
//! it did.
//!
//! The clients come from their registries into the build's target directory.
//! All but the shop's were written, labelled and counted before the detector saw
//! any of them.

mod install;
mod packaged;
mod tokio_postgres;

pub(crate) use self::tokio_postgres::run as run_tokio_postgres;

use crate::set::{Label, Score, merged, score_found};
use anyhow::{Context as _, bail, ensure};
use install::{Language, installed};
use plimsoll::model::evidence::Evidence;
use plimsoll::model::{Quiet, ScenarioReport};
use plimsoll::postgres::{Target, ThrowawayOptions};
use plimsoll::prepare::{Context, Databases};
use plimsoll::project::Project;
use plimsoll::project::settings::Settings;
use plimsoll::proxy::{self, ChildCommand, run_child};
use plimsoll::scenarios::n_plus_one;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Clients that talk to the same database.
pub(crate) struct Group {
    schema: &'static str,
    clients: &'static [Client],
    unit: Unit,
}

/// What a label counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    /// The children of one execution of a parent.
    Execution,
    /// The children of all executions of a parent, as a finding does.
    Finding,
}

struct Client {
    name: &'static str,
    language: Language,
    program: &'static str,
}

const SHOP: Group = Group { schema: include_str!("shop/shop.sql"), clients: &SHOPS, unit: Unit::Execution };

const TRACKER: Group =
    Group { schema: include_str!("tracker/tracker.sql"), clients: &TRACKERS, unit: Unit::Execution };

const FREIGHT: Group =
    Group { schema: include_str!("freight/freight.sql"), clients: &FREIGHTS, unit: Unit::Finding };

const LIBRARY: Group =
    Group { schema: include_str!("library/library.sql"), clients: &LIBRARIES, unit: Unit::Finding };

const SHOPS: [Client; 8] = [
    Client { name: "psycopg 3", language: Language::Python, program: "shop/psycopg_shop.py" },
    Client { name: "asyncpg", language: Language::Python, program: "shop/asyncpg_shop.py" },
    Client { name: "SQLAlchemy, psycopg", language: Language::Python, program: "shop/sqlalchemy_shop.py" },
    Client {
        name: "SQLAlchemy, asyncpg",
        language: Language::Python,
        program: "shop/sqlalchemy_async_shop.py",
    },
    Client { name: "Django", language: Language::Python, program: "shop/django_shop.py" },
    Client { name: "node-postgres", language: Language::Node, program: "shop/node_postgres_shop.js" },
    Client { name: "Sequelize", language: Language::Node, program: "shop/sequelize_shop.js" },
    Client { name: "tokio-postgres", language: Language::Rust, program: "" },
];

const TRACKERS: [Client; 15] = [
    Client { name: "psycopg2", language: Language::Python, program: "tracker/psycopg2_tracker.py" },
    Client { name: "pg8000", language: Language::Python, program: "tracker/pg8000_tracker.py" },
    Client { name: "peewee", language: Language::Python, program: "tracker/peewee_tracker.py" },
    Client { name: "Tortoise ORM", language: Language::Python, program: "tracker/tortoise_tracker.py" },
    Client { name: "Pony", language: Language::Python, program: "tracker/pony_tracker.py" },
    Client { name: "postgres.js", language: Language::Node, program: "tracker/postgres_js_tracker.js" },
    Client { name: "Knex, Objection", language: Language::Node, program: "tracker/knex_tracker.js" },
    Client { name: "Drizzle", language: Language::Node, program: "tracker/drizzle_tracker.js" },
    Client { name: "TypeORM", language: Language::Node, program: "tracker/typeorm_tracker.js" },
    Client { name: "MikroORM", language: Language::Node, program: "tracker/mikro_orm_tracker.js" },
    Client { name: "Prisma", language: Language::Node, program: "tracker/prisma_tracker.js" },
    Client {
        name: "Active Record",
        language: Language::Ruby("active_record"),
        program: "tracker/active_record_tracker.rb",
    },
    Client { name: "JDBC", language: Language::Java, program: "tracker/JdbcTracker.java" },
    Client { name: "PDO and pg_*", language: Language::Php("pdo_pgsql"), program: "tracker/pdo_tracker.php" },
    Client {
        name: "lib/pq",
        language: Language::Go("github.com/lib/pq"),
        program: "tracker/lib_pq_tracker.go",
    },
];

const FREIGHTS: [Client; 14] = [
    Client { name: "psycopg2", language: Language::Python, program: "freight/psycopg2_freight.py" },
    Client { name: "psycopg 3", language: Language::Python, program: "freight/psycopg_freight.py" },
    Client { name: "asyncpg", language: Language::Python, program: "freight/asyncpg_freight.py" },
    Client {
        name: "SQLAlchemy, psycopg",
        language: Language::Python,
        program: "freight/sqlalchemy_freight.py",
    },
    Client {
        name: "SQLAlchemy, asyncpg",
        language: Language::Python,
        program: "freight/sqlalchemy_async_freight.py",
    },
    Client { name: "Django", language: Language::Python, program: "freight/django_freight.py" },
    Client { name: "peewee", language: Language::Python, program: "freight/peewee_freight.py" },
    Client { name: "SQLModel", language: Language::Python, program: "freight/sqlmodel_freight.py" },
    Client { name: "node-postgres", language: Language::Node, program: "freight/pg_freight.js" },
    Client { name: "postgres.js", language: Language::Node, program: "freight/postgresjs_freight.js" },
    Client { name: "Knex", language: Language::Node, program: "freight/knex_freight.js" },
    Client { name: "Sequelize", language: Language::Node, program: "freight/sequelize_freight.js" },
    Client { name: "TypeORM", language: Language::Node, program: "freight/typeorm_freight.js" },
    Client { name: "Kysely", language: Language::Node, program: "freight/kysely_freight.js" },
];

const LIBRARIES: [Client; 10] = [
    Client { name: "psycopg 3", language: Language::Python, program: "library/psycopg_library.py" },
    Client { name: "node-postgres", language: Language::Node, program: "library/node_postgres_library.js" },
    Client {
        name: "Active Record",
        language: Language::Ruby("active_record"),
        program: "library/active_record_library.rb",
    },
    Client { name: "Sequel", language: Language::Ruby("sequel"), program: "library/sequel_library.rb" },
    Client { name: "pg of Ruby", language: Language::Ruby("pg"), program: "library/ruby_pg_library.rb" },
    Client { name: "JDBC", language: Language::Java, program: "library/JdbcLibrary.java" },
    Client { name: "PDO", language: Language::Php("pdo_pgsql"), program: "library/pdo_library.php" },
    Client { name: "pg_*", language: Language::Php("pgsql"), program: "library/pgsql_library.php" },
    Client {
        name: "lib/pq",
        language: Language::Go("github.com/lib/pq"),
        program: "library/lib_pq_library.go",
    },
    Client {
        name: "pgx",
        language: Language::Go("github.com/jackc/pgx/v4"),
        program: "library/pgx_library.go",
    },
];

/// The set of a name.
pub(crate) fn group(name: &str) -> Option<&'static Group> {
    match name {
        "shop" => Some(&SHOP),
        "tracker" => Some(&TRACKER),
        "library" => Some(&LIBRARY),
        "freight" => Some(&FREIGHT),
        _ => None,
    }
}

/// What one client came to.
pub(crate) struct ClientScore {
    pub(crate) name: &'static str,
    pub(crate) versions: String,
    pub(crate) score: Score,
}

/// Runs the scenarios of every client of a group whose name contains `wanted`.
pub(crate) async fn run(group: &Group, wanted: &str) -> anyhow::Result<Vec<ClientScore>> {
    let folder = install::folder()?;
    let target = Target::throwaway(&server_options(&folder), &Quiet).await?;
    let scores = run_on(&target, &folder, group, wanted).await;
    target.close().await?;
    scores
}

fn server_options(folder: &Path) -> ThrowawayOptions {
    ThrowawayOptions {
        postgres_bin: None,
        search_path: std::env::var_os("PATH"),
        cache_directory: Some(folder.join("cache")),
        scratch_directory: None,
        without_durability: true,
        snapshot: None,
        settings: Vec::new(),
    }
}

async fn run_on(
    target: &Target,
    folder: &Path,
    group: &Group,
    wanted: &str,
) -> anyhow::Result<Vec<ClientScore>> {
    let shop = target.create_database("shop").await?;
    let session = target.connect_to(&shop).await?;
    session.batch_execute(group.schema).await?;
    drop(session);
    let mut scores = Vec::new();
    for client in group.clients.iter().filter(|client| client.name.contains(wanted)) {
        if let Some(needed) = packaged::missing(client.language) {
            println!("skipped: {}: {needed}", client.name);
            continue;
        }
        let program = installed(client.language, client.program, folder)?;
        let listed = listed(&program).with_context(|| format!("listing the scenarios of {}", client.name))?;
        let mut score = Score { scenarios: listed.scenarios.len(), ..Score::default() };
        for scenario in &listed.scenarios {
            let database = target.clone_database(&shop, "scenario").await?;
            let name = format!("{}: {scenario}", client.name);
            one(target, &database, &program, (&name, scenario, group.unit), folder, &mut score)
                .await
                .with_context(|| name.clone())?;
            target.drop_database(&database).await?;
        }
        scores.push(ClientScore { name: client.name, versions: listed.versions, score });
    }
    ensure!(!scores.is_empty(), "no client that runs here has `{wanted}` in its name");
    Ok(scores)
}

/// How a client's program is started.
pub(crate) struct Program {
    pub(crate) words: Vec<OsString>,
    pub(crate) variables: Vec<(String, String)>,
}

struct Listed {
    versions: String,
    scenarios: Vec<String>,
}

fn listed(program: &Program) -> anyhow::Result<Listed> {
    let mut command = Command::new(&program.words[0]);
    command.args(&program.words[1..]).arg("list").envs(program.variables.iter().cloned());
    let output = command.output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut listed = Listed { versions: String::new(), scenarios: Vec::new() };
    for line in String::from_utf8(output.stdout)?.lines() {
        match line.split_once('\t') {
            Some(("version", versions)) => versions.clone_into(&mut listed.versions),
            Some(("scenario", name)) => listed.scenarios.push(name.to_owned()),
            _ => bail!("`{line}` is neither a version nor a scenario"),
        }
    }
    Ok(listed)
}

/// Records one scenario, judges it and scores the judgement.
async fn one(
    target: &Target,
    database: &str,
    program: &Program,
    (name, scenario, unit): (&str, &str, Unit),
    folder: &Path,
    score: &mut Score,
) -> anyhow::Result<()> {
    // Two runs of this example at once keep theirs apart.
    let labels = folder.join(format!("labels-{}.tsv", std::process::id()));
    let mut words = program.words.clone();
    words.extend(["run".into(), scenario.into(), labels.clone().into()]);
    let command = ChildCommand {
        words,
        parent_environment: std::env::vars().collect(),
        variables: program.variables.clone(),
        ..ChildCommand::default()
    };
    let url = target.url_for(database);
    let mut options = proxy::Options::new(&url, 1);
    options.names = Some(n_plus_one::table_names(&url));
    let (outcome, recording) = run_child(&options, &command).await?;
    ensure!(outcome.code == 0, "the program ended with {}", outcome.code);
    let label = read_labels(&labels)?;
    std::fs::remove_file(&labels)?;
    let report = judged(
        target,
        n_plus_one::Options {
            recorded: vec![(name.to_owned(), recording.trace, database.to_owned())],
            without_batching: true,
            ..n_plus_one::Options::default()
        },
    )
    .await?;
    let Evidence::NPlusOne(evidence) = &report.evidence else { bail!("nothing was recorded") };
    let loops = evidence.loops.clone();
    let loops = if unit == Unit::Finding { merged(loops) } else { loops };
    score_found(name, &label, &loops, &evidence.repeats, score);
    Ok(())
}

async fn judged(target: &Target, options: n_plus_one::Options) -> anyhow::Result<ScenarioReport> {
    let project = Project {
        name: "shop".into(),
        root: PathBuf::new(),
        settings: Settings::default(),
        migrations: Vec::new(),
        distributions: None,
        queries: Vec::new(),
        transactions: Vec::new(),
    };
    let databases = Databases::new(&project, target, &Quiet);
    let context = Context {
        project: &project,
        target,
        databases: &databases,
        seed: 1,
        progress: &Quiet,
        checkpoint: &|_| {},
    };
    n_plus_one::run(&context, &options).await
}

/// What the program said it did.
fn read_labels(path: &Path) -> anyhow::Result<Label> {
    let text = std::fs::read_to_string(path)?;
    // Labels of the pretended application live as long as the program; these few may as well.
    let text: &'static str = Box::leak(text.into_boxed_str());
    let mut loops = Vec::new();
    for line in text.lines() {
        match line.split('\t').collect::<Vec<_>>().as_slice() {
            ["loop", parent, child, n] => loops.push((*parent, *child, n.parse()?)),
            ["repeat", kind, n] => return Ok(Label::Repeat(kind, n.parse()?)),
            _ => bail!("`{line}` is no label"),
        }
    }
    Ok(if loops.is_empty() { Label::Clean } else { Label::Loops(loops) })
}
