//! What judging a long trace costs: pages of the labelled set's pretended
//! shop, one after the other on the same connections, all keys out of the same
//! forty numbers. Prints time and memory of the detector alone, and a
//! digest of what was found, which a change of speed leaves alone.
//!
//! ```text
//! cargo bench --bench detection                          100 000 statements
//! cargo bench --bench detection -- --statements 2000000  the most that is judged at once
//! cargo bench --bench detection -- --pages own           one kind: own, pooled, scoped
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark prints, and ends where it cannot go on"
)]

use plimsoll::scenarios::n_plus_one::{DetectOptions, detect};
use plimsoll::stats::clock;
use plimsoll::trace::{Trace, TraceEvent};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

#[path = "../examples/n_plus_one_accuracy/set/mod.rs"]
mod set;

/// Different pages, which then come again.
const PAGES: u64 = 200;
/// What the kernel counts CPU time in.
const TICKS_PER_SECOND: f64 = 100.0;
/// Between two pages.
const PAUSE_US: u64 = 100_000;

fn main() {
    let (mut statements, mut only) = (100_000, None);
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    while let Some(word) = words.next() {
        let value = words.next().unwrap_or_else(|| panic!("{word} needs a value"));
        match word.as_str() {
            "--statements" => statements = value.parse().unwrap(),
            "--pages" => only = Some(value),
            _ => panic!("{word} is none of --statements, --pages"),
        }
    }
    println!(
        "| pages | statements | loops | seconds | CPU seconds | CPU us a statement | trace MB | peak MB | digest |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    for (name, pages, has_scopes) in [
        ("own", set::generated(PAGES, 3), false),
        ("scoped", set::generated(PAGES, 3), true),
        ("pooled", set::pooled(PAGES, 3), false),
    ] {
        if only.as_deref().is_none_or(|only| only == name) {
            measure(name, &joined(pages, statements, has_scopes));
        }
    }
}

fn measure(name: &str, trace: &Trace) {
    let before = memory_mb("VmRSS");
    let (start, start_cpu) = (clock::now(), cpu_seconds());
    let found = detect(trace, &DetectOptions::default());
    let seconds = (clock::now() - start).as_secs_f64();
    let cpu = cpu_seconds() - start_cpu;
    let each_us = cpu * 1e6 / trace.statements.len() as f64;
    let mut digest = std::hash::DefaultHasher::new();
    format!("{found:?}").hash(&mut digest);
    println!(
        "| {name} | {} | {} | {seconds:.2} | {cpu:.2} | {each_us:.2} | {before} | {} | {:08x} |",
        trace.statements.len(),
        found.loops.len(),
        memory_mb("VmHWM"),
        digest.finish() >> 32
    );
}

/// Pages one after the other, until there are so many statements.
fn joined(pages: Vec<set::Labelled>, statements: usize, has_scopes: bool) -> Trace {
    let mut all = Trace::new(pages[0].trace.header.clone());
    all.complete = true;
    let (mut sequence, mut transaction, mut clock_us) = (0, 0, 0);
    for (at, page) in pages.iter().cycle().enumerate() {
        let of_page = &page.trace.statements;
        let scope = has_scopes.then(|| Arc::from(format!("test {at}")));
        for record in of_page {
            if all.statements.len() == statements {
                return all;
            }
            let mut record = record.clone();
            record.sequence += sequence;
            record.start_us += clock_us;
            record.first_row_us = record.first_row_us.map(|first| first + clock_us);
            record.end_us += clock_us;
            record.transaction = record.transaction.map(|own| own + transaction);
            record.scope = scope.clone();
            all.push(TraceEvent::Statement(record));
        }
        sequence += of_page.iter().map(|record| record.sequence).max().unwrap_or(0) + 1;
        transaction += of_page.iter().filter_map(|record| record.transaction).max().unwrap_or(0) + 1;
        clock_us =
            all.statements.iter().rev().take(64).map(|record| record.end_us).max().unwrap_or(0) + PAUSE_US;
    }
    all
}

/// Of all threads so far: other work on the machine does not count.
fn cpu_seconds() -> f64 {
    let spent = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let behind_name = spent.rsplit(") ").next().unwrap_or_default();
    let ticks = behind_name.split(' ').skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok());
    ticks.sum::<f64>() / TICKS_PER_SECOND
}

fn memory_mb(line: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let found = status.lines().find_map(|text| text.strip_prefix(line)?.strip_prefix(':'));
    let kilobytes = found.and_then(|text| text.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kilobytes.map_or(0, |kilobytes| kilobytes / 1024)
}
