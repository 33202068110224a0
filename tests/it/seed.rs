//! Seeding on a real server: prefixes, keys, rules, and what was obtained.

use crate::support::{self, TestDatabase};
use plimsoll::model::{Progress, Quiet};
use plimsoll::postgres::{Target, read_catalog};
use plimsoll::prepare::Databases;
use plimsoll::project::{Project, distributions};
use plimsoll::seed::{self, Scale, SeedOutcome};
use std::path::Path;

const SCHEMA: &str = include_str!("../../demo/migrations/001_baseline.sql");
const INDEXES: &str = include_str!("../../demo/migrations/002_add_indexes.sql");
const DISTRIBUTIONS: &str = include_str!("../../demo/data/distributions.toml");

/// Plans the file's tables on a database, as `line: message` where there are problems.
async fn plan(database: &TestDatabase, toml: &str, scale: &Scale) -> Result<seed::SeedPlan, Vec<String>> {
    let show = |problems: Vec<plimsoll::project::diagnostic::Diagnostic>| {
        problems
            .iter()
            .map(|problem| format!("{}: {}", problem.line_and_column().expect("a place").0, problem.message))
            .collect()
    };
    let distributions = distributions::parse(Path::new("data/distributions.toml"), toml).map_err(show)?;
    let catalog = read_catalog(&database.session().await).await.expect("the catalogue");
    seed::plan(&catalog, &distributions, scale).map_err(show)
}

/// A new database with a schema, filled.
async fn seeded(label: &str, schema: &str, toml: &str, scale: &Scale) -> (TestDatabase, SeedOutcome) {
    let database = support::database(label).await;
    database.execute(schema).await;
    let plan = plan(&database, toml, scale).await.expect("no problems");
    let outcome = seed::fill(database.target, &database.name, &plan, &Quiet).await;
    let outcome = outcome.unwrap_or_else(|error| panic!("{error}"));
    (database, outcome)
}

/// The problems of a plan, or of the rows that the server refused.
async fn problems(label: &str, schema: &str, toml: &str) -> Vec<String> {
    let database = support::database(label).await;
    database.execute(schema).await;
    match plan(&database, toml, &Scale::new(1.0, [])).await {
        Err(problems) => problems,
        Ok(plan) => {
            let error =
                seed::fill(database.target, &database.name, &plan, &Quiet).await.expect_err("refused");
            assert!(!error.diagnostics().is_empty(), "{error}");
            error
                .diagnostics()
                .iter()
                .map(|problem| {
                    format!("{}: {}", problem.line_and_column().expect("a place").0, problem.message)
                })
                .collect()
        }
    }
}

async fn number(database: &TestDatabase, query: &str) -> i64 {
    database
        .session()
        .await
        .query_one(query, &[])
        .await
        .unwrap_or_else(|error| panic!("{error}: {query}"))
        .get(0)
}

#[tokio::test]
async fn the_demo_is_filled_as_declared() {
    let (database, outcome) =
        seeded("seed_demo", SCHEMA, DISTRIBUTIONS, &Scale::new(1.0, [1.0, 100.0])).await;
    for (table, rows) in [("users", 1000), ("inventory", 500), ("orders", 2500)] {
        assert_eq!(number(&database, &format!("SELECT count(*) FROM {table}")).await, rows, "{table}");
    }
    let items = number(&database, "SELECT count(*) FROM order_items").await;
    assert_eq!(
        items as u64,
        outcome.tables.iter().find(|table| table.table == "order_items").expect("items").rows
    );
    assert!((6000..6500).contains(&items), "{items} items");
    assert_agreement(&outcome, 15);
    // The figures that the demo's story rests on.
    let blocks = "SELECT pg_relation_size('orders') / 8192";
    assert_eq!(number(&database, blocks).await, 124, "blocks of orders");
    let next = "INSERT INTO orders (user_id, created_at, status, total, shipping_address) \
                VALUES (1, now(), 'paid', 1, 'x') RETURNING id";
    assert_eq!(number(&database, next).await, 2501);
}

/// Declared against obtained, as a person would read it.
fn obtained(outcome: &SeedOutcome) -> Vec<String> {
    let figure = |figure: &plimsoll::model::evidence::data::ObtainedFigure| {
        format!("{} {:.4} ({:.4})", figure.label, figure.obtained, figure.declared)
    };
    outcome
        .obtained
        .iter()
        .map(|column| {
            let figures: Vec<String> = column.figures.iter().map(figure).collect();
            format!(
                "{}.{}: {} over {} rows: {} {:?}: {}",
                column.table,
                column.column,
                column.declared,
                column.rows,
                column.agreement.word(),
                column.agreement,
                figures.join(", ")
            )
        })
        .collect()
}

/// Every column of so many agrees with its declaration.
fn assert_agreement(outcome: &SeedOutcome, columns: usize) {
    let lines = obtained(outcome);
    assert_eq!(lines.len(), columns, "{lines:#?}");
    assert!(lines.iter().all(|line| line.contains("agrees: true")), "{lines:#?}");
}

#[tokio::test]
async fn databases_at_a_version_hold_the_same_rows_as_the_newest() {
    let project = Project::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("demo")).expect("the demo");
    let target = support::server();
    let databases = Databases::new(&project, target, &Quiet);
    let mut sums = Vec::new();
    for name in
        [databases.at("001", "small").await.expect("001"), databases.at_head("small").await.expect("head")]
    {
        let database = TestDatabase { target, name };
        sums.push(checksums(&database, "").await);
    }
    assert_eq!(sums[0], sums[1]);
}

/// A checksum of each table's rows in the order of their ids, and how many there are.
async fn checksums(database: &TestDatabase, condition: &str) -> Vec<(String, i64, String)> {
    let session = database.session().await;
    let mut sums = Vec::new();
    for table in ["users", "inventory", "orders", "order_items"] {
        let query = format!(
            "SELECT count(*), coalesce(md5(string_agg(t::text, chr(10) ORDER BY id)), '') FROM {table} t {}",
            condition.replace("TABLE", table)
        );
        let row = session.query_one(&query, &[]).await.unwrap_or_else(|error| panic!("{error}: {query}"));
        sums.push((table.to_owned(), row.get(0), row.get(1)));
    }
    sums
}

#[tokio::test]
async fn a_small_volume_is_a_prefix_of_a_larger_one() {
    let volumes = [1.0, 4.0, 12.0];
    let (small, _) = seeded("seed_small", SCHEMA, DISTRIBUTIONS, &Scale::new(1.0, volumes)).await;
    let (middle, _) = seeded("seed_middle", SCHEMA, DISTRIBUTIONS, &Scale::new(4.0, volumes)).await;
    let (large, outcome) = seeded("seed_large", SCHEMA, DISTRIBUTIONS, &Scale::new(12.0, volumes)).await;
    assert_agreement(&outcome, 15);
    for smaller in [&small, &middle] {
        let expected = checksums(smaller, "").await;
        for (table, rows, sum) in expected {
            let query = format!(
                "SELECT md5(string_agg(t::text, chr(10) ORDER BY id)) FROM {table} t WHERE id <= {rows}"
            );
            let obtained: String = large.session().await.query_one(&query, &[]).await.expect(&query).get(0);
            assert_eq!(obtained, sum, "{table}: the first {rows} rows");
        }
    }
    for query in [
        "SELECT count(*) FROM orders o WHERE NOT EXISTS (SELECT FROM users u WHERE u.id = o.user_id)",
        "SELECT count(*) FROM order_items i WHERE NOT EXISTS (SELECT FROM orders o WHERE o.id = i.order_id)",
        "SELECT count(*) FROM order_items i WHERE NOT EXISTS (SELECT FROM inventory p WHERE p.id = i.product_id)",
    ] {
        assert_eq!(number(&large, query).await, 0, "{query}");
    }
    // Settled: every page is known to be visible to all, and statistics are there.
    let unsettled = "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace \
                     AND (relallvisible <> relpages OR reltuples <= 0)";
    assert_eq!(number(&large, unsettled).await, 0, "pages that are not all-visible");
}

#[tokio::test]
async fn existing_indexes_are_made_again_as_they_were() {
    let schema = format!("{SCHEMA}{INDEXES}");
    let database = support::database("seed_indexes").await;
    database.execute(&schema).await;
    let definitions =
        "SELECT string_agg(indexdef, chr(10) ORDER BY indexname) FROM pg_indexes WHERE schemaname = 'public'";
    let before: String = database.session().await.query_one(definitions, &[]).await.expect("indexes").get(0);
    let plan = plan(&database, DISTRIBUTIONS, &Scale::new(1.0, [])).await.expect("no problems");
    seed::fill(database.target, &database.name, &plan, &Quiet)
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    let after: String = database.session().await.query_one(definitions, &[]).await.expect("indexes").get(0);
    assert_eq!(before, after);
    let again = seed::fill(database.target, &database.name, &plan, &Quiet).await.expect_err("rows are there");
    assert!(again.to_string().contains("users already holds rows"), "{again}");
}

/// Every type with a binary form of ours, each key, and what the database adds by itself.
const MANY_TYPES: &str = "
CREATE TYPE mood AS ENUM ('calm', 'bright');
CREATE DOMAIN percent AS smallint CHECK (VALUE BETWEEN 0 AND 100);
CREATE SCHEMA app;
CREATE TABLE app.teams (region char(2), number int, label text NOT NULL, PRIMARY KEY (region, number));
CREATE TABLE app.people (
    id serial PRIMARY KEY, code varchar(12) NOT NULL UNIQUE, token uuid UNIQUE, mood mood, score percent,
    small smallint, big bigint, ratio real, weight double precision, money numeric(12,4), born date,
    seen timestamp, noted timestamptz, is_active boolean NOT NULL, settings jsonb, raw json, secret bytea,
    boss int REFERENCES app.people, team_region char(2), team_number int, badge int UNIQUE,
    made_at timestamptz NOT NULL DEFAULT now(), loud text GENERATED ALWAYS AS (upper(code)) STORED,
    FOREIGN KEY (team_region, team_number) REFERENCES app.teams);
CREATE TABLE app.visits (person int REFERENCES app.people, number int, place int NOT NULL, PRIMARY KEY (person, number), UNIQUE (person, place));
CREATE TABLE app.profiles (person int PRIMARY KEY REFERENCES app.people, code text NOT NULL);
CREATE TABLE app.links (a int REFERENCES app.people, b int REFERENCES app.people, PRIMARY KEY (a, b));
CREATE TABLE app.hosts (address inet NOT NULL, pause interval, tags text[]);
";

const MANY_TYPES_DISTRIBUTIONS: &str = r#"
seed = 7
[app.teams]
rows = 40
region = { one_of = ["DE", "FR", "GB", "US"] }
number = { range = [1, 30] }
label = { template = "{region}/{number}" }
[app.people]
rows = 600
code = { template = "p{row}-{hex:4}" }
token = { uuid = true, nulls = 0.2 }
mood = { one_of = { calm = 0.7, bright = 0.3 } }
score = { range = [0, 100] }
small = { normal = { mean = 0, sigma = 50 }, scale = 0 }
big = { range = [-9000000000, 9000000000] }
ratio = { uniform = [0.0, 1.0] }
weight = { normal = { mean = 70, sigma = 9 }, min = 40 }
money = { lognormal = { median = 900, sigma = 1.2 }, max = 90000000 }
born = { spread = ["1950-01-01", "2005-01-01"] }
seen = { spread = ["2025-01-01T12:00:00Z", "2025-06-01"] }
noted = { spread = ["2025-01-01", "2025-06-01"] }
is_active = { bool = 0.8 }
settings = { template = '{{"level": {int:1-9}, "word": "{word}"}}' }
raw = { constant = "[1]" }
secret = { text = { min = 3, max = 9 } }
boss = { references = "app.people.id", nulls = 0.1 }
team_region = { references = "app.teams.region" }
team_number = { references = "app.teams.number" }
badge = { range = [1000, 2300] }
[app.visits]
rows = { per = "app.people.id", min = 0, max = 5, mean = 2 }
person = { references = "app.people.id" }
number = { ordinal = 1 }
place = { range = [1, 6] }
[app.profiles]
rows = 300
person = { references = "app.people.id" }
code = { references = "app.people.code", skew = "zipf" }
[app.links]
rows = 900
a = { references = "app.people.id", skew = "zipf", s = 0.9 }
b = { references = "app.people.id" }
[app.hosts]
rows = 50
address = { template = "10.0.{int:0-255}.{int:0-255}" }
pause = { one_of = ["1 hour", "2 days"] }
tags = { constant = "{a,b}" }
"#;

#[tokio::test]
async fn many_types_keys_and_defaults() {
    let (database, outcome) =
        seeded("seed_types", MANY_TYPES, MANY_TYPES_DISTRIBUTIONS, &Scale::new(2.0, [1.0, 2.0])).await;
    let differing: Vec<String> =
        obtained(&outcome).into_iter().filter(|line| line.contains("differs")).collect();
    assert!(differing.is_empty(), "{differing:#?}");
    for (query, expected) in [
        ("SELECT count(*) FROM app.people WHERE loud = upper(code) AND made_at IS NOT NULL", 1200),
        (
            "SELECT count(*) FROM app.people p JOIN app.teams t ON (region, number) = (team_region, team_number) WHERE label = region || '/' || number",
            1200,
        ),
        (
            "SELECT count(*) FROM app.people WHERE weight >= 40 AND money > 0 AND born < '2005-01-01' AND seen >= '2025-01-01 12:00'",
            1200,
        ),
        (
            "SELECT count(*) FROM app.people WHERE settings->>'level' BETWEEN '1' AND '9' AND raw::text = '[1]' AND length(secret) BETWEEN 3 AND 9",
            1200,
        ),
        ("SELECT count(*) FROM app.profiles", 600),
        ("SELECT count(DISTINCT (a, b)) FROM app.links", 1800),
        (
            "SELECT count(*) FROM app.visits v WHERE NOT EXISTS (SELECT FROM app.people WHERE id = v.person)",
            0,
        ),
        (
            "SELECT count(*) FROM app.profiles v WHERE NOT EXISTS (SELECT FROM app.people WHERE id = v.person)",
            0,
        ),
        (
            "SELECT count(*) FROM app.people v WHERE boss IS NOT NULL AND NOT EXISTS (SELECT FROM app.people WHERE id = v.boss)",
            0,
        ),
        ("SELECT count(*) FROM app.hosts WHERE address << '10.0.0.0/16' AND tags[2] = 'b'", 100),
        ("INSERT INTO app.people (code, is_active) VALUES ('x', true) RETURNING id::bigint", 1201),
    ] {
        assert_eq!(number(&database, query).await, expected, "{query}");
    }
}

#[tokio::test]
async fn what_the_catalogue_contradicts_is_found_at_once() {
    let schema = "
        CREATE TYPE mood AS ENUM ('calm', 'bright');
        CREATE TABLE parents (id int PRIMARY KEY, label varchar(5) NOT NULL, made int GENERATED ALWAYS AS (id + 1) STORED);
        CREATE TABLE children (parent_id int NOT NULL REFERENCES parents, code text UNIQUE, mood mood,
                               amount numeric(6,2) NOT NULL, size smallint, day date);
        CREATE VIEW shown AS SELECT 1 AS one;";
    let toml = r#"[parent]
rows = 1
[shown]
rows = 1
[parents]
rows = 100
id = { sequence = 1 }
labels = { constant = "x" }
made = { range = [1, 2] }
[children]
rows = 1000
parent_id = { range = [1, 100], nulls = 0.1 }
code = { one_of = ["a", "b", "c", "d"] }
mood = { one_of = { calm = 0.5, brihgt = 0.5 } }
size = { range = [1, 40000] }
day = { bool = 0.5 }
"#;
    assert_eq!(
        problems("seed_problems", schema, toml).await,
        [
            "1: there is no table `parent`",
            "3: `shown` is not a table, so it cannot be filled",
            "5: column `parents.label` (character varying(5)) is NOT NULL without a default, but has no distribution",
            "8: table `parents` has no column `labels`",
            "9: column `made` is generated by the database",
            "10: column `children.amount` (numeric(6,2)) is NOT NULL without a default, but has no distribution",
            "12: column `parent_id` is NOT NULL",
            "12: column `parent_id` has a foreign key to parents.id, but takes its values from elsewhere",
            "13: 1000 rows cannot be unique in (code): there are 4 different values",
            "14: column `mood`: `brihgt` is not a label of mood",
            "15: column `size`: 1 to 40000 does not fit into smallint",
            "16: column `day`: a column of date cannot hold true and false",
        ]
    );
}

#[tokio::test]
async fn circles_and_unknown_parents_are_found() {
    let schema = "
        CREATE TABLE a (id int PRIMARY KEY, b_id int);
        CREATE TABLE b (id int PRIMARY KEY, a_id int, c_id int, label text);
        CREATE TABLE c (id int PRIMARY KEY);";
    let toml = r#"[a]
rows = 10
id = { sequence = 1 }
b_id = { references = "b.id" }
[b]
rows = 10
id = { sequence = 1 }
a_id = { references = "a.id" }
"#;
    assert_eq!(
        problems("seed_circle", schema, toml).await,
        ["4: the tables refer to each other in a circle: a → b → a"]
    );
    let toml = r#"[b]
rows = 10
id = { sequence = 1 }
c_id = { references = "c.id" }
label = { template = "{label}{nobody}" }
"#;
    assert_eq!(
        problems("seed_unknown_parent", schema, toml).await,
        ["4: the referenced table `c` has no rows", "5: the template of `label` depends on itself",]
    );
}

#[tokio::test]
async fn what_only_the_server_knows_is_found_before_the_first_row() {
    let schema = "
        CREATE DOMAIN even AS int CHECK (VALUE % 2 = 0);
        CREATE TABLE t (id int PRIMARY KEY, price numeric(8,2) CHECK (price > 0), low int, high int,
                        CONSTRAINT ordered CHECK (low <= high));
        CREATE TABLE d (number even, address inet);
        CREATE TABLE e (address inet);";
    let toml = r#"[t]
rows = 500
id = { sequence = 1 }
price = { normal = { mean = 10, sigma = 10 } }
low = { range = [1, 10] }
high = { range = [5, 20] }
[d]
rows = 50
number = { range = [1, 10] }
address = { constant = "10.0.0.1" }
[e]
rows = 50
address = { template = "nowhere {row}" }
"#;
    let found = problems("seed_checks", schema, toml).await;
    assert_eq!(found.len(), 4, "{found:#?}");
    assert!(
        found[0].starts_with("4: CHECK t_price_check of t (price > ")
            && found[0].contains("of 500 sampled rows"),
        "{found:#?}"
    );
    assert!(found[1].starts_with("5: CHECK ordered of t (low <= high) is violated by "), "{found:#?}");
    assert!(found[2].starts_with("9: the server does not take the values of d.number (even)"), "{found:#?}");
    assert!(
        found[3].starts_with("13: the server does not take the values of e.address (inet)"),
        "{found:#?}"
    );
}

#[tokio::test]
async fn uniqueness_that_draws_cannot_meet_is_found_before_the_first_row() {
    let schema = "CREATE TABLE t (a int, b int, UNIQUE (a, b)); CREATE TABLE s (c numeric(3,0) UNIQUE);";
    let toml = r#"[t]
rows = 30
a = { one_of = { 1 = 0.999999, 2 = 0.000001 } }
b = { range = [1, 20] }
[s]
rows = 500
c = { normal = { mean = 100, sigma = 5 }, scale = 0 }
"#;
    let found = problems("seed_unique", schema, toml).await;
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found[0].starts_with("3: (a, b) runs out of unused values at row 21 of 30"), "{found:#?}");
    assert!(found[1].starts_with("7: (c) runs out of unused values at row"), "{found:#?}");
}

#[tokio::test]
async fn triggers_fire_and_their_tables_wait_for_their_parents() {
    let schema = "
        CREATE TABLE parents (id int PRIMARY KEY);
        CREATE TABLE children (id int PRIMARY KEY, parent_id int REFERENCES parents, doubled int);
        CREATE FUNCTION double() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.doubled = NEW.id * 2; RETURN NEW; END';
        CREATE TRIGGER double BEFORE INSERT ON children FOR EACH ROW EXECUTE FUNCTION double();";
    let toml = r#"[children]
rows = 300
id = { sequence = 1 }
parent_id = { references = "parents.id" }
[parents]
rows = 100
id = { sequence = 1 }
"#;
    let (database, outcome) = seeded("seed_triggers", schema, toml, &Scale::new(1.0, [])).await;
    assert_eq!(number(&database, "SELECT count(*) FROM children WHERE doubled = id * 2").await, 300);
    let order: Vec<&str> = outcome.tables.iter().map(|table| table.table.as_str()).collect();
    assert_eq!(order, ["parents", "children"]);
}

/// Tells when the first rows were sent.
#[derive(Default)]
struct FirstRows(tokio::sync::Notify);

impl Progress for FirstRows {
    fn phase(&self, _name: &str, _total: Option<u64>) {}
    fn advance_to(&self, _done: u64) {
        self.0.notify_one();
    }
    fn say(&self, _line: &str) {}
}

#[tokio::test]
async fn an_interrupted_seeding_leaves_nothing_behind() {
    let database = support::database("seed_interrupted").await;
    database.execute(SCHEMA).await;
    let plan = plan(&database, DISTRIBUTIONS, &Scale::new(100.0, [])).await.expect("no problems");
    let progress = FirstRows::default();
    tokio::select! {
        outcome = seed::fill(database.target, &database.name, &plan, &progress) => panic!("it was too fast: {outcome:?}"),
        () = progress.0.notified() => {}
    }
    let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() \
                  AND backend_type = 'client backend'";
    while number(&database, others).await > 0 {
        tokio::task::yield_now().await;
    }
    for table in ["users", "inventory", "orders", "order_items"] {
        assert_eq!(number(&database, &format!("SELECT count(*) FROM {table}")).await, 0, "{table}");
    }
}

#[tokio::test]
async fn partitions_fixed_tables_and_a_role_without_privileges() {
    let schema = "
        CREATE TABLE countries (code char(2) PRIMARY KEY);
        CREATE TABLE events (id bigint, country char(2) NOT NULL REFERENCES countries, day date, PRIMARY KEY (id, day))
            PARTITION BY RANGE (day);
        CREATE TABLE events_early PARTITION OF events FOR VALUES FROM (MINVALUE) TO ('2025-01-01');
        CREATE TABLE events_late PARTITION OF events FOR VALUES FROM ('2025-01-01') TO (MAXVALUE);
        CREATE INDEX ON events (country);";
    let toml = r#"[events]
rows = 400
id = { sequence = 1 }
country = { references = "countries.code" }
day = { spread = ["2024-01-01", "2026-01-01"] }
[countries]
rows = 3
fixed = true
code = { one_of = ["DE", "FR", "GB"], unique = true }
"#;
    let database = support::database("seed_plain_role").await;
    let role = format!("{}_role", database.name);
    database.execute(schema).await;
    database
        .execute(&format!(
            "CREATE ROLE {role} LOGIN PASSWORD 'x'; ALTER TABLE countries OWNER TO {role}; ALTER TABLE events OWNER TO {role}; \
             ALTER TABLE events_early OWNER TO {role}; ALTER TABLE events_late OWNER TO {role}; \
             COMMENT ON DATABASE {} IS 'plimsoll: disposable'",
            database.name
        ))
        .await;
    let plan = plan(&database, toml, &Scale::new(5.0, [1.0])).await.expect("no problems");
    let address = database.target.url_for(&database.name);
    let (_, place) = address.rsplit_once('@').expect("a URL with a password");
    let target = Target::at_url(&format!("postgres://{role}:x@{place}"))
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    let outcome =
        seed::fill(&target, &database.name, &plan, &Quiet).await.unwrap_or_else(|error| panic!("{error}"));
    assert!(!outcome.skipped_triggers);
    let order: Vec<(&str, u64)> =
        outcome.tables.iter().map(|table| (table.table.as_str(), table.rows)).collect();
    assert_eq!(order, [("countries", 3), ("events", 2000)]);
    assert_eq!(
        number(&database, "SELECT count(*) FROM events_late WHERE day >= '2025-01-01'").await,
        number(&database, "SELECT count(*) FROM events WHERE day >= '2025-01-01'").await
    );
    assert_eq!(number(&database, "SELECT count(DISTINCT country) FROM events").await, 3);
}
