//! A comparison for a person at a terminal, and as Markdown for a pull request.

use super::{Comparison, MeasurementPair};
use crate::model::{Finding, Measurement, RunReport, Scenario, Variant};
use crate::report::markdown::{BYTES_MAX, bounded, cell};
use crate::report::printable::{self, cut};
use crate::report::table::{self, Align};
use crate::report::units;
use std::io;

/// More rows than this are counted, not listed; JSON has them all.
const ROWS_SHOWN: usize = 40;

/// For a person at a terminal.
///
/// # Errors
/// Whatever `out` fails with.
pub fn write_terminal(comparison: &Comparison<'_>, out: &mut dyn io::Write) -> io::Result<()> {
    printable::write(out, false, |out| terminal(comparison, out))
}

fn terminal(comparison: &Comparison<'_>, out: &mut dyn io::Write) -> io::Result<()> {
    for (word, run) in [("before", comparison.before), ("after ", comparison.after)] {
        writeln!(out, "{word}  {}", describe(run))?;
    }
    for difference in &comparison.fairness.differences {
        writeln!(out, "doubt:  {difference}")?;
    }
    writeln!(out)?;
    let header =
        [("scenario", Align::Left), ("before", Align::Left), ("after", Align::Left), ("", Align::Left)];
    table::write(&header, &verdict_rows(comparison), out)?;
    for (title, findings) in [("new", &comparison.new), ("gone", &comparison.gone)] {
        for (scenario, finding) in findings.iter().take(ROWS_SHOWN) {
            writeln!(out, "\n{title}: {} {} {}", scenario.name(), finding.severity.mark(), finding.message)?;
            if title == "new" && !finding.next_step.is_empty() {
                writeln!(out, "     next: {}", finding.next_step)?;
            }
        }
        if findings.len() > ROWS_SHOWN {
            writeln!(out, "{title}: and {} more, all in --format json", findings.len() - ROWS_SHOWN)?;
        }
    }
    writeln!(out)?;
    table::write(&measurement_header(), &measurement_rows(comparison), out)?;
    for sentence in comparison.since.iter().take(ROWS_SHOWN) {
        writeln!(out, "since when: {sentence}")?;
    }
    writeln!(out, "\n{}", rest(comparison))?;
    writeln!(out, "{}", comparison.headline())
}

/// For a job summary or a pull request comment.
///
/// # Errors
/// Whatever `out` fails with.
pub fn write_markdown(comparison: &Comparison<'_>, out: &mut dyn io::Write) -> io::Result<()> {
    printable::write(out, false, |out| markdown(comparison, out))
}

/// What a part of the comparison may come to; the parts together stay below [`BYTES_MAX`].
const PART_BYTES: usize = BYTES_MAX / 5;
/// Longest text of a part, in characters.
const TEXT_CHARS: usize = 600;

fn markdown(comparison: &Comparison<'_>, out: &mut dyn io::Write) -> io::Result<()> {
    let text = |text: &str| cell(&cut(text, TEXT_CHARS));
    let (before, after) = (describe(comparison.before), describe(comparison.after));
    writeln!(out, "## Plimsoll: {}\n", comparison.headline())?;
    writeln!(out, "- before: {}\n- after: {}", text(&before), text(&after))?;
    let differences = comparison.fairness.differences.iter();
    let write =
        |difference: &String, out: &mut dyn io::Write| writeln!(out, "- **doubt**: {}", text(difference));
    let left = differences.len() - bounded(PART_BYTES / 2, differences, write, out)?;
    left_out(left, "differences", comparison, out)?;
    writeln!(out, "\n| scenario | before | after | |\n| --- | --- | --- | --- |")?;
    for row in verdict_rows(comparison) {
        writeln!(out, "| {} |", row.iter().map(|word| cell(word)).collect::<Vec<_>>().join(" | "))?;
    }
    for (title, findings) in [("New", &comparison.new), ("Gone", &comparison.gone)] {
        if !findings.is_empty() {
            writeln!(out, "\n### {title}\n")?;
        }
        let write = |(scenario, finding): &(Scenario, &Finding), out: &mut dyn io::Write| {
            let message = text(&finding.message);
            writeln!(out, "- {} {}: {message}", scenario.name(), finding.severity.mark())
        };
        let left = findings.len() - bounded(PART_BYTES, findings.iter().take(ROWS_SHOWN), write, out)?;
        left_out(left, "findings", comparison, out)?;
    }
    let rows = measurement_rows(comparison);
    if !rows.is_empty() {
        writeln!(out, "\n### Changed\n")?;
        let header: Vec<&str> = measurement_header().iter().map(|(name, _)| *name).collect();
        writeln!(out, "| {} |\n|{}", header.join(" | "), " --- |".repeat(header.len()))?;
        let write = |row: &Vec<String>, out: &mut dyn io::Write| {
            writeln!(out, "| {} |", row.iter().map(|word| text(word)).collect::<Vec<_>>().join(" | "))
        };
        let left = rows.len() - bounded(PART_BYTES, rows.iter(), write, out)?;
        left_out(left, "measurements", comparison, out)?;
    }
    if !comparison.since.is_empty() {
        writeln!(out, "\n### Since when\n")?;
        let write = |sentence: &String, out: &mut dyn io::Write| writeln!(out, "- {}", text(sentence));
        let left = comparison.since.len()
            - bounded(PART_BYTES / 2, comparison.since.iter().take(ROWS_SHOWN), write, out)?;
        left_out(left, "changes of level", comparison, out)?;
    }
    writeln!(out, "\n{}", cell(&cut(&rest(comparison), 2 * TEXT_CHARS)))
}

/// How many of something were left out, and what shows them.
fn left_out(
    count: usize,
    what: &str,
    comparison: &Comparison<'_>,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    if count == 0 {
        return Ok(());
    }
    let [before, after] =
        [comparison.before, comparison.after].map(|run| cut(&run.run_id, 120).replace('`', ""));
    writeln!(out, "\nand {count} more {what}: `plimsoll compare {before} {after} --format json`")
}

/// A run in one line.
pub(in crate::report) fn describe(run: &RunReport) -> String {
    let server =
        run.target.as_ref().map_or("no server".into(), |t| format!("PostgreSQL {}", t.short_version()));
    let environment = &run.environment;
    let place: Vec<&str> =
        environment.git_branch.as_deref().into_iter().chain(environment.short_commit()).collect();
    let place = if place.is_empty() { String::new() } else { format!(" · {}", place.join(" ")) };
    let partial = if run.complete { "" } else { " · partial" };
    format!("{} · {} · {server} · seed {}{place}{partial}", run.run_id, run.started_at, run.seed)
}

pub(in crate::report) fn verdict_rows(comparison: &Comparison<'_>) -> Vec<Vec<String>> {
    comparison
        .verdicts
        .iter()
        .map(|pair| {
            let word = |side: Option<&crate::model::ScenarioReport>| {
                side.map_or("not asked", |scenario| scenario.verdict.word()).to_owned()
            };
            vec![pair.scenario.name().into(), word(pair.before), word(pair.after), pair.change().into()]
        })
        .collect()
}

pub(in crate::report) fn measurement_header() -> [(&'static str, Align); 6] {
    [
        ("measurement", Align::Left),
        ("volume", Align::Left),
        ("metric", Align::Left),
        ("before", Align::Right),
        ("after", Align::Right),
        ("", Align::Left),
    ]
}

/// The measurements that changed, most first.
pub(in crate::report) fn measurement_rows(comparison: &Comparison<'_>) -> Vec<Vec<String>> {
    comparison.changed().take(ROWS_SHOWN).map(row).collect()
}

fn row(pair: &MeasurementPair<'_>) -> Vec<String> {
    let m = pair.any();
    let side = if m.variant == Variant::Only { String::new() } else { format!(" ({})", m.variant.word()) };
    let ratio = pair.ratio().map(|ratio| format!(" {}", units::format(ratio, crate::model::Unit::Ratio)));
    vec![
        m.subject.clone(),
        m.volume.clone().unwrap_or_default(),
        format!("{}{side}", m.metric.replace('_', " ")),
        pair.before.map(value).unwrap_or_default(),
        pair.after.map(value).unwrap_or_default(),
        format!("{}{}", pair.judgement.word(), ratio.unwrap_or_default()),
    ]
}

fn value(m: &Measurement) -> String {
    match m.interval {
        Some(i) => format!(
            "{} ({} to {})",
            units::format(m.value, m.unit),
            units::format(i.low, m.unit),
            units::format(i.high, m.unit)
        ),
        None => units::format(m.value, m.unit),
    }
}

/// What was not shown, and how much of it there is.
pub(in crate::report) fn rest(comparison: &Comparison<'_>) -> String {
    let mut words: Vec<(String, usize)> = Vec::new();
    let mut judged = 0;
    for pair in &comparison.measurements {
        judged += usize::from(pair.before.is_some_and(|m| m.interval.is_some()) && pair.after.is_some());
        if pair.judgement.is_change() {
            continue;
        }
        let word = match &pair.judgement {
            super::Judgement::NotJudged(why) => format!("not judged ({why})"),
            other => other.word(),
        };
        match words.iter_mut().find(|(known, _)| *known == word) {
            Some((_, count)) => *count += 1,
            None => words.push((word, 1)),
        }
    }
    let left: Vec<String> = words.iter().map(|(word, count)| format!("{count} {word}")).collect();
    let left = if left.is_empty() { "none".into() } else { left.join(", ") };
    let method = if judged > 0 && comparison.fairness.times.is_none() {
        format!(
            "; a time changed where its intervals do not overlap, which chance does to about {:.2} of these {judged}. \
             The runs did not take turns on one server: `plimsoll regression` compares with more certainty",
            judged as f64 * 0.006
        )
    } else {
        String::new()
    };
    let beyond = match comparison.changed().count().saturating_sub(ROWS_SHOWN) {
        0 => String::new(),
        count => format!("{count} more changed (--format json); "),
    };
    format!("Other measurements: {beyond}{left}{method}.")
}

/// The findings of a list, with their scenario, as rows of text.
pub(in crate::report) fn finding_lines(findings: &[(Scenario, &Finding)]) -> Vec<(String, String, String)> {
    findings
        .iter()
        .map(|(scenario, f)| {
            (format!("{} {}", f.severity.mark(), scenario.name()), f.message.clone(), f.next_step.clone())
        })
        .collect()
}
