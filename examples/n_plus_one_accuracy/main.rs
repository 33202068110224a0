//! Prints how accurate the N+1 detector is on the labelled set:
//! `cargo run --example n_plus_one_accuracy`, and with real clients, which it
//! installs into the target directory: `… -- --clients SET [PART OF A NAME]`, where
//! the sets are `shop`, `tracker`, `library` and `freight`.
#![expect(clippy::print_stdout, reason = "printing is what this example is for")]

mod clients;
mod set;

use anyhow::Context as _;
use set::Score;

const NO_SET: &str = "the sets are shop, tracker, library and freight";

/// Wrong judgements printed of each part.
const WRONG_MAX: usize = 20;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => {
            pretended();
            Ok(())
        }
        ["--seed", seed] => {
            seeded(seed.parse()?);
            Ok(())
        }
        ["--clients", set, wanted @ ..] if wanted.len() < 2 => {
            let wanted = wanted.first().copied().unwrap_or_default();
            real(clients::group(set).context(NO_SET)?, wanted).await
        }
        ["--as-tokio-postgres", ..] => clients::run_tokio_postgres(&words[1..]).await,
        _ => anyhow::bail!(
            "nothing, --seed with a number, or --clients with a set and a part of a client's name"
        ),
    }
}

fn pretended() {
    for (name, scenarios) in [
        ("known", set::known()),
        ("held out", set::held_out()),
        ("adversarial", set::adversarial()),
        ("unseen styles", set::unseen()),
        ("from the field", set::field()),
        ("more rows than kept", set::cut()),
        ("children of several kinds", set::polymorphic()),
        ("from outside", set::outside()),
        ("reviewed", set::reviewed()),
        ("generated (500, seed 7)", set::generated(500, 7)),
        ("generated (500, seed 1234)", set::generated(500, 1234)),
        ("pooled (300, seed 5)", set::pooled(300, 5)),
        ("pooled (300, seed 2026)", set::pooled(300, 2026)),
    ] {
        print(name, &set::score(&scenarios));
    }
}

/// Scenarios that nobody has looked at.
fn seeded(seed: u64) {
    print(&format!("generated (500, seed {seed})"), &set::score(&set::generated(500, seed)));
    print(&format!("pooled (300, seed {seed})"), &set::score(&set::pooled(300, seed)));
}

async fn real(group: &clients::Group, wanted: &str) -> anyhow::Result<()> {
    let scores = clients::run(group, wanted).await?;
    let mut all = Score::default();
    println!(
        "| client | scenarios | loops | recall | precision | exact N | right parent | others found | false others |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    for client in &scores {
        println!("| {} ({}) {}", client.name, client.versions, client.score.cells());
        all.add(&client.score);
    }
    println!("| all {}", all.cells());
    for wrong in &all.wrong {
        println!("wrong: {wrong}");
    }
    Ok(())
}

fn print(name: &str, score: &Score) {
    println!("{name}");
    for (label, value) in score.rows() {
        println!("  {label:<26} {value}");
    }
    for wrong in score.wrong.iter().take(WRONG_MAX) {
        println!("  wrong: {wrong}");
    }
}
