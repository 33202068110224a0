//! Prints how accurate the N+1 detector is on the labelled set:
//! `cargo run --example n_plus_one_accuracy`, and with real clients, which it
//! installs into the target directory: `… -- --clients [PART OF A NAME]`, or
//! `… -- --unseen-clients [PART OF A NAME]`.
#![expect(clippy::print_stdout, reason = "printing is what this example is for")]

mod clients;
mod set;

use set::Score;

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
        ["--clients"] => real(&clients::SHOP, "").await,
        ["--clients", wanted] => real(&clients::SHOP, wanted).await,
        ["--unseen-clients"] => real(&clients::UNSEEN, "").await,
        ["--unseen-clients", wanted] => real(&clients::UNSEEN, wanted).await,
        ["--as-tokio-postgres", ..] => clients::run_tokio_postgres(&words[1..]).await,
        _ => anyhow::bail!("nothing, or --clients or --unseen-clients with a part of a client's name"),
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
        ("generated (500, seed 7)", set::generated(500, 7)),
        ("generated (500, seed 1234)", set::generated(500, 1234)),
        ("pooled (300, seed 5)", set::pooled(300, 5)),
        ("pooled (300, seed 2026)", set::pooled(300, 2026)),
    ] {
        print(name, &set::score(&scenarios));
    }
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
