//! What running the migration did to others, in words. Pure.

use crate::model::evidence::regression::{DurationGrowth, MigrationUnderLoad, StatementUnderLoad};
use crate::model::{Finding, Severity};

/// A stall beyond this is worth a warning, in milliseconds.
const STALL_MS: f64 = 500.0;

/// The findings of a migration under traffic: one per statement, and what it left behind.
#[must_use]
pub fn of_load(load: &MigrationUnderLoad) -> Vec<Finding> {
    let mut findings: Vec<Finding> =
        load.statements.iter().map(|statement| of_statement(statement, load)).collect();
    findings.extend(load.invalid_indexes.iter().map(|index| Finding {
        code: "invalid-index-left",
        severity: Severity::Warning,
        subject: index.clone(),
        message: format!(
            "the migration left index {index} behind invalid: it costs every write and serves no read"
        ),
        evidence: vec![format!("with lock_timeout {}", load.lock_timeout)],
        next_step: format!("DROP INDEX CONCURRENTLY {index}, then run the statement again"),
        location: None,
    }));
    findings.extend(load.growth.as_ref().map(of_growth));
    findings
}

fn of_statement(statement: &StatementUnderLoad, load: &MigrationUnderLoad) -> Finding {
    let (reader, writer) = (statement.worst_reader_ms, statement.worst_writer_ms);
    let stalls = format!("let a reader stall for {reader:.0} ms and a writer for {writer:.0} ms");
    let text = &statement.statement;
    let advice = || statement.safer_form.clone();
    let (code, severity, message, next_step) = if let Some(error) = &statement.error {
        (
            "migration-failed-under-load",
            Severity::Warning,
            format!("`{text}` failed under traffic and {stalls}: {error}"),
            "retry it with a pause, outside the hours of long transactions".to_owned(),
        )
    } else if reader.max(writer) > STALL_MS {
        let otherwise =
            "set a short lock_timeout before it and retry, so that nobody queues behind it for long";
        let next_step = advice().unwrap_or_else(|| otherwise.into());
        ("migration-stall", Severity::Warning, format!("`{text}` {stalls}"), next_step)
    } else {
        let next_step = advice().unwrap_or_default();
        ("migration-under-load", Severity::Note, format!("`{text}` {stalls}"), next_step)
    };
    Finding {
        code,
        severity,
        subject: format!("statement {}", statement.number),
        message,
        evidence: lines(statement, load),
        next_step,
        location: None,
    }
}

fn lines(statement: &StatementUnderLoad, load: &MigrationUnderLoad) -> Vec<String> {
    let lock = |lock: &crate::model::evidence::regression::LockTaken| {
        let (waited, held) = (lock.waited_ms, lock.held_ms);
        format!("{} on {}: waited {waited} ms, held {held} ms", lock.mode, lock.relation)
    };
    let mut lines = vec![format!(
        "{:.0} ms with lock_timeout {}, {} kB of WAL with the traffic's",
        statement.duration_ms,
        load.lock_timeout,
        statement.wal_bytes / 1024
    )];
    lines.extend(statement.locks.iter().map(lock));
    if statement.most_queued > 0 {
        let who = statement.queued.join("; ");
        lines.push(format!("{} sessions queued behind it at most: {who}", statement.most_queued));
    }
    lines.extend(statement.rewritten.iter().map(|table| format!("{table} was rewritten whole")));
    let built = |index: &crate::model::evidence::regression::IndexSize| {
        format!("made {}: {} kB for {} rows", index.name, index.bytes / 1024, index.table_rows)
    };
    lines.extend(statement.indexes_built.iter().map(built));
    lines.extend(statement.growth.as_ref().map(|growth| format!("without traffic: {}", projection(growth))));
    lines
}

fn of_growth(growth: &DurationGrowth) -> Finding {
    Finding {
        code: "migration-growth",
        severity: Severity::Note,
        subject: growth.table.clone(),
        message: format!("the migration without traffic: {}", projection(growth)),
        evidence: vec![
            format!("each size several times, fitted as {}", growth.curve),
            "the interval holds while the curve does: a larger table can outgrow memory and cache".into(),
        ],
        next_step: String::new(),
        location: None,
    }
}

/// `12 ms at 2500 rows of orders, 310 ms at 250000; at 100000000: 2.1 min (1.4 to 3.5 min)`.
fn projection(growth: &DurationGrowth) -> String {
    let mut measured: Vec<String> = Vec::new();
    let mut sizes: Vec<u64> = growth.points.iter().map(|(rows, _)| *rows).collect();
    sizes.dedup();
    for rows in sizes {
        let times: Vec<f64> = growth
            .points
            .iter()
            .filter(|(size, _)| *size == rows)
            .map(|(_, milliseconds)| *milliseconds)
            .collect();
        let median = crate::stats::quantile::median(&times).unwrap_or(0.0);
        measured.push(format!("{} at {rows} rows", duration(median)));
    }
    let interval = growth.interval.as_ref().map_or_else(
        || "no interval from so few".to_owned(),
        |interval| format!("{} to {}", duration(interval.low), duration(interval.high)),
    );
    format!(
        "{} of {}; projected to {} rows: {} ({interval})",
        measured.join(", "),
        growth.table,
        growth.target_rows,
        duration(growth.projected_ms)
    )
}

fn duration(milliseconds: f64) -> String {
    match milliseconds {
        ms if ms < 10.0 => format!("{ms:.1} ms"),
        ms if ms < 1_000.0 => format!("{ms:.0} ms"),
        ms if ms < 120_000.0 => format!("{:.1} s", ms / 1e3),
        ms if ms < 7_200_000.0 => format!("{:.0} min", ms / 60e3),
        ms => format!("{:.1} h", ms / 3.6e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Interval;

    #[test]
    fn every_statement_is_reported_and_only_what_hurts_is_a_warning() {
        let statement = |worst_reader_ms, error: Option<&str>| StatementUnderLoad {
            worst_reader_ms,
            error: error.map(str::to_owned),
            ..StatementUnderLoad::default()
        };
        let load = MigrationUnderLoad {
            statements: vec![statement(3.0, None), statement(900.0, None), statement(0.0, Some("55P03"))],
            invalid_indexes: vec!["i".into()],
            ..MigrationUnderLoad::default()
        };
        let found: Vec<_> = of_load(&load).iter().map(|finding| (finding.code, finding.severity)).collect();
        assert_eq!(
            found,
            [
                ("migration-under-load", Severity::Note),
                ("migration-stall", Severity::Warning),
                ("migration-failed-under-load", Severity::Warning),
                ("invalid-index-left", Severity::Warning),
            ]
        );
    }

    #[test]
    fn a_projection_reads_with_its_measurements_and_bounds() {
        let growth = DurationGrowth {
            table: "orders".into(),
            points: vec![(2_500, 4.0), (2_500, 6.0), (250_000, 310.0)],
            target_rows: 100_000_000,
            projected_ms: 124_000.0,
            interval: Some(Interval { low: 90_000.0, high: 8_000_000.0, confidence: 0.95 }),
            curve: "constant + rows".into(),
        };
        assert_eq!(
            projection(&growth),
            "5.0 ms at 2500 rows, 310 ms at 250000 rows of orders; projected to 100000000 rows: 2 min (90.0 s to 2.2 h)"
        );
    }
}
