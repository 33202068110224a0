//! How often `regression` is right where the truth is known:
//! `cargo run --release --example regression_truth -- [nothing|dropped|slower20|slower5] [RUNS]`.
//!
//! Each run makes fresh clones on a throwaway server. Prints a table, and ends
//! with 1 where a promise is broken: a change of nothing gives no regression and
//! no improvement, a dropped index is always caught, a slowdown by time alone is
//! found or called inconclusive, never unchanged.
#![expect(clippy::print_stdout, reason = "printing is what this example is for")]

use plimsoll::model::Quiet;
use plimsoll::model::evidence::regression::Change;
use plimsoll::plan::Relations;
use plimsoll::postgres::{Target, ThrowawayOptions};
use plimsoll::scenarios::regression::cases::{Case, CaseParameters};
use plimsoll::scenarios::regression::comparison::{Bench, Found, compare_case, sessions};
use plimsoll::scenarios::regression::measure::{Method, choose_processor};
use plimsoll::scenarios::regression::sides::{self, SchemaChange};
use plimsoll::scenarios::regression::verdict::{RESOLUTION, RESOLUTION_PINNED, Thresholds};

const SHOP: &str = "
    CREATE TABLE users (id bigint PRIMARY KEY, email text NOT NULL UNIQUE, country text NOT NULL);
    CREATE TABLE orders (id bigint PRIMARY KEY, user_id bigint NOT NULL REFERENCES users, status text NOT NULL,
        total numeric(10,2) NOT NULL, created_at timestamptz NOT NULL);
    INSERT INTO users SELECT i, 'user' || i || '@example.com', (ARRAY['US','DE','FR'])[1 + i % 3]
        FROM generate_series(1, 1000) i;
    INSERT INTO orders SELECT i, 1 + (i * 7919) % 1000, (ARRAY['paid','shipped'])[1 + i % 2], i % 500,
        timestamptz '2024-01-01 UTC' + i * interval '1 hour' FROM generate_series(1, 2500) i;
    CREATE INDEX orders_user ON orders (user_id, created_at DESC);
    CREATE INDEX users_country ON users (country, id);";

/// What is changed, and what must come of it.
struct Truth {
    name: &'static str,
    set_up: String,
    change: String,
    queries: Vec<Case>,
    with_times: bool,
    forbidden: &'static [Change],
    /// The share of comparisons that must be called regressed or inconclusive, and regressed.
    promise: &'static str,
}

/// Comparisons by outcome.
#[derive(Default)]
struct Tally {
    counts: [usize; 4],
}

const OUTCOMES: [Change; 4] = [Change::Improved, Change::Unchanged, Change::Regressed, Change::Inconclusive];

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let wanted = arguments.first().map(String::as_str);
    let runs: usize = arguments.get(1).map_or(Ok(20), |text| text.parse())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let kept = runtime.block_on(table(wanted, runs))?;
    anyhow::ensure!(kept, "a promise is broken");
    Ok(())
}

async fn table(wanted: Option<&str>, runs: usize) -> anyhow::Result<bool> {
    let options = ThrowawayOptions { search_path: std::env::var_os("PATH"), ..ThrowawayOptions::default() };
    let target = Target::throwaway(&options, &Quiet).await?;
    println!(
        "{:<10} {:>5} {:>9} {:>10} {:>10} {:>13}  promise",
        "change", "runs", "improved", "unchanged", "regressed", "inconclusive"
    );
    let mut kept = true;
    for truth in truths().into_iter().filter(|truth| wanted.is_none_or(|wanted| wanted == truth.name)) {
        let mut tally = Tally::default();
        for run in 0..runs {
            once(&target, &truth, run as u64, &mut tally).await?;
        }
        let [improved, unchanged, regressed, inconclusive] = tally.counts;
        let broken = truth.forbidden.iter().any(|change| tally.of(*change) > 0);
        kept &= !broken;
        let word = if broken { "BROKEN" } else { "kept" };
        println!(
            "{:<10} {runs:>5} {improved:>9} {unchanged:>10} {regressed:>10} {inconclusive:>13}  {word}: {}",
            truth.name, truth.promise
        );
    }
    target.close().await?;
    Ok(kept)
}

impl Tally {
    fn add(&mut self, change: Change) {
        if let Some(place) = OUTCOMES.iter().position(|outcome| *outcome == change) {
            self.counts[place] += 1;
        }
    }

    fn of(&self, change: Change) -> usize {
        OUTCOMES.iter().position(|outcome| *outcome == change).map_or(0, |place| self.counts[place])
    }
}

async fn once(target: &Target, truth: &Truth, run: u64, tally: &mut Tally) -> anyhow::Result<()> {
    let template = target.create_database("truth").await?;
    target.connect_to(&template).await?.batch_execute(&truth.set_up).await?;
    let change = SchemaChange::Statements(vec![truth.change.clone()]);
    let (sides, _) = sides::prepare(target, &template, &change, &Quiet).await?;
    let processor = choose_processor(target).await;
    let resolution = if processor.is_some() { RESOLUTION_PINNED } else { RESOLUTION };
    let limits = Thresholds { time_ratio: 1.2, counter_ratio: 1.1, resolution };
    let method = Method { processor, cap_us: 10e6, confidence: 0.95, queries: truth.queries.len() };
    let bench = Bench {
        target,
        sides: &sides,
        limits,
        method: truth.with_times.then_some(&method),
        relations: &Relations::default(),
        seed: run,
        progress: &Quiet,
    };
    let mut found = Found::default();
    let pair = sessions(&bench).await?;
    for case in &truth.queries {
        Box::pin(compare_case(&bench, &pair, case, None, &mut found)).await?;
    }
    drop(pair);
    for query in &found.evidence.queries {
        tally.add(query.change);
        if truth.forbidden.contains(&query.change) {
            println!("  {} in run {run}: {}", query.query, query.because);
        }
    }
    sides::drop(target, &sides).await?;
    target.drop_database(&template).await?;
    Ok(())
}

fn case(name: &str, sql: &str, values: &[&str]) -> Case {
    let set =
        |value: &&str| CaseParameters { label: (*value).to_owned(), values: vec![Some((*value).to_owned())] };
    Case::of_statements(name, &[sql.to_owned()], values.iter().map(set).collect())
}

fn queries() -> Vec<Case> {
    vec![
        case("lookup", "SELECT * FROM users WHERE email = :email", &["user5@example.com"]),
        case(
            "history",
            "SELECT id, total FROM orders WHERE user_id = :id ORDER BY created_at DESC LIMIT 20",
            &["17", "-1"],
        ),
        case("by_status", "SELECT status, count(*) FROM orders WHERE id > :low GROUP BY 1", &["0"]),
        case(
            "revenue",
            "SELECT country, sum(total) FROM users u JOIN orders o ON o.user_id = u.id WHERE u.id > :low GROUP BY 1",
            &["0"],
        ),
    ]
}

fn burn(rounds: u32) -> String {
    format!(
        "CREATE OR REPLACE FUNCTION burn(n int) RETURNS int LANGUAGE plpgsql AS \
         $$ BEGIN FOR i IN 1..{rounds} LOOP n := n * 1; END LOOP; RETURN n; END $$"
    )
}

fn truths() -> Vec<Truth> {
    let slower = |name, rounds| Truth {
        name,
        set_up: burn(10_000),
        change: burn(rounds),
        queries: vec![case("burn", "SELECT burn(:n)", &["1"])],
        with_times: true,
        forbidden: &[Change::Unchanged, Change::Improved],
        promise: "regressed or inconclusive, never unchanged",
    };
    let dropped = |name, index, query: usize| Truth {
        name,
        set_up: SHOP.into(),
        change: format!("DROP INDEX {index}"),
        queries: vec![queries().swap_remove(query)],
        with_times: false,
        forbidden: &[Change::Unchanged, Change::Improved, Change::Inconclusive],
        promise: "always regressed",
    };
    vec![
        Truth {
            name: "nothing",
            set_up: SHOP.into(),
            change: "COMMENT ON TABLE users IS 'the same'".into(),
            queries: queries(),
            with_times: true,
            forbidden: &[Change::Regressed, Change::Improved],
            promise: "no regression, no improvement",
        },
        dropped("dropped", "orders_user", 1),
        slower("slower20", 12_000),
        slower("slower5", 10_500),
    ]
}
