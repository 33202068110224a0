//! Prints how accurate the N+1 detector is on the labelled set:
//! `cargo run --example n_plus_one_accuracy`.
#![expect(clippy::print_stdout, reason = "printing is what this example is for")]

mod set;

/// Wrong judgements printed of each part.
const WRONG_MAX: usize = 20;

fn main() {
    for (name, scenarios) in [
        ("known", set::known()),
        ("held out", set::held_out()),
        ("adversarial", set::adversarial()),
        ("generated (500, seed 7)", set::generated(500, 7)),
        ("generated (500, seed 1234)", set::generated(500, 1234)),
    ] {
        let score = set::score(&scenarios);
        println!("{name}");
        for (label, value) in score.rows() {
            println!("  {label:<26} {value}");
        }
        for wrong in score.wrong.iter().take(WRONG_MAX) {
            println!("  wrong: {wrong}");
        }
    }
}
