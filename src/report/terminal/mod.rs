//! The run report for a person at a terminal: a verdict a scenario, what it
//! rests on, findings with evidence and the next step, then the numbers.

mod growth;
mod load;
mod paint;
mod scenario;

use crate::model::{RunReport, Scenario, TargetDescription, Verdict};
use paint::Paint;
use std::io;

/// Writes the whole report.
///
/// # Errors
/// Whatever `out` fails with.
pub fn write(report: &RunReport, colour: bool, out: &mut dyn io::Write) -> io::Result<()> {
    let paint = Paint::new(colour);
    header(report, out)?;
    for scenario in &report.scenarios {
        writeln!(out)?;
        scenario::write(scenario, paint, out)?;
    }
    if !report.warnings.is_empty() {
        writeln!(out)?;
        for warning in &report.warnings {
            writeln!(out, "{} {}", paint.doubt("doubt:"), warning.message())?;
        }
    }
    writeln!(out)?;
    verdicts(report, paint, out)
}

fn header(report: &RunReport, out: &mut dyn io::Write) -> io::Result<()> {
    write!(out, "Plimsoll {} · project {}", report.plimsoll_version, report.project)?;
    if let Some(target) = &report.target {
        write!(out, " · {}", target_line(target))?;
    }
    writeln!(out, " · seed {}", report.seed)
}

fn target_line(target: &TargetDescription) -> String {
    let durability = &target.durability;
    let mut line = format!("PostgreSQL {} ({})", target.short_version(), target.kind.word());
    if !durability.fsync {
        line.push_str(", fsync off");
    }
    if durability.synchronous_commit != "on" {
        line.push_str(", synchronous_commit ");
        line.push_str(&durability.synchronous_commit);
    }
    line
}

/// The last thing printed, so the first thing read: one line a scenario.
fn verdicts(report: &RunReport, paint: Paint, out: &mut dyn io::Write) -> io::Result<()> {
    if !report.complete {
        writeln!(out, "{} the run was cut short; what follows is what it had found", paint.doubt("PARTIAL"))?;
    }
    for scenario in Scenario::REPORTED {
        let Some(entry) = report.scenarios.iter().find(|s| s.scenario == scenario) else { continue };
        write!(out, "{} {:<13} {}", paint.verdict_mark(&entry.verdict), scenario.name(), entry.summary)?;
        match &entry.verdict {
            Verdict::Inconclusive { needs } => write!(out, " (would be decided by {needs})")?,
            Verdict::Skipped { reason } if *reason != entry.summary => write!(out, " ({reason})")?,
            _ => {}
        }
        writeln!(out)?;
    }
    if report.scenarios.iter().any(|scenario| report.fails_in_doubt(scenario)) {
        writeln!(out, "{} an inconclusive verdict fails this run", paint.doubt("strict:"))?;
    }
    Ok(())
}
