//! What changed in a query since a kept run: plan, counters, rows, results,
//! time, server.

use super::budget::show;
use crate::model::evidence::Evidence;
use crate::model::evidence::slow_queries::{
    ParameterSetEvidence, QueryEvidence, SlowQueriesEvidence, TableSize,
};
use crate::model::{Finding, RunReport, Severity, Unit};

/// A kept run to compare with.
#[derive(Debug, Clone, PartialEq)]
pub struct Baseline {
    /// Which run.
    pub run_id: String,
    /// `server_version` it ran on.
    pub server_version: Option<String>,
    /// What it observed.
    pub evidence: SlowQueriesEvidence,
}

impl Baseline {
    /// The part of a kept run that matters here. `None` where it did not run this scenario.
    #[must_use]
    pub fn of(run: &RunReport) -> Option<Self> {
        let evidence = run.scenarios.iter().find_map(|scenario| match &scenario.evidence {
            Evidence::SlowQueries(evidence) => Some(evidence.clone()),
            _ => None,
        })?;
        let server_version = run.target.as_ref().map(|target| target.server_version.clone());
        Some(Self { run_id: run.run_id.clone(), server_version, evidence })
    }

    fn query(&self, volume: &str, query: &str) -> Option<&QueryEvidence> {
        let volume = self.evidence.volumes.iter().find(|before| before.volume == volume)?;
        volume.queries.iter().find(|before| before.query == query)
    }
}

/// A counter of a parameter set.
type Figure = fn(&ParameterSetEvidence) -> u64;

/// What is compared with the baseline besides the query itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now<'a> {
    /// The volume.
    pub(crate) volume: &'a str,
    /// `server_version` of the target.
    pub(crate) server_version: &'a str,
    /// The tables that plans read.
    pub(crate) tables: &'a [TableSize],
}

/// Adds to the findings of a query what changed since the baseline, and a
/// finding where its result shrank or changed.
pub(crate) fn compare(baseline: &Baseline, now: Now<'_>, after: &QueryEvidence, findings: &mut Vec<Finding>) {
    let Some(before) = baseline.query(now.volume, &after.query) else { return };
    let mut lines = lines(baseline, before, after);
    lines.extend(growth_of_tables(baseline, now, after));
    if let Some(old) = baseline.server_version.as_deref().filter(|old| *old != now.server_version) {
        lines.push(format!(
            "since run {} the server went from {old} to {}",
            baseline.run_id, now.server_version
        ));
    }
    for finding in findings.iter_mut().filter(|finding| finding.subject == after.query) {
        finding.evidence.extend(lines.iter().cloned());
    }
    findings.extend(result_finding(baseline, before, after));
}

/// The tables of the query's plan that have another number of rows than before.
fn growth_of_tables(baseline: &Baseline, now: Now<'_>, after: &QueryEvidence) -> Vec<String> {
    let Some(volume) = baseline.evidence.volumes.iter().find(|before| before.volume == now.volume) else {
        return Vec::new();
    };
    let plan = after.worst_plan.as_deref().unwrap_or_default();
    let is_read = |table: &str| {
        let bare = table.rsplit('.').next().unwrap_or(table).trim_matches('"');
        nodes(plan).iter().any(|node| node.split([' ', '"']).any(|word| word == bare))
    };
    let mut lines = Vec::new();
    for new in now.tables.iter().filter(|table| is_read(&table.table)) {
        let Some(old) = volume.tables.iter().find(|old| old.table == new.table) else { continue };
        if (old.rows - new.rows).abs() >= 1.0 || old.bytes != new.bytes {
            lines.push(format!(
                "since run {} the table {} went from {} to {} rows, {} to {} kB",
                baseline.run_id,
                new.table,
                show(old.rows, Unit::Count),
                show(new.rows, Unit::Count),
                old.bytes / 1024,
                new.bytes / 1024
            ));
        }
    }
    lines
}

fn lines(baseline: &Baseline, before: &QueryEvidence, after: &QueryEvidence) -> Vec<String> {
    let since = format!("since run {}", baseline.run_id);
    let mut lines = Vec::new();
    if let (Some(old), Some(new)) = (&before.worst_plan, &after.worst_plan) {
        let (old, new) = (nodes(old), nodes(new));
        if old == new {
            lines.push(format!("{since} the plan has the same shape"));
        } else {
            let gone = old.iter().find(|node| !new.contains(node)).or(old.first());
            let come = new.iter().find(|node| !old.contains(node)).or(new.first());
            let name = |node: Option<&&str>| node.copied().unwrap_or("nothing").to_owned();
            lines.push(format!("{since} the plan changed: {} became {}", name(gone), name(come)));
        }
    }
    let figures: [(&str, Figure, Unit); 3] = [
        ("blocks", |set| set.buffers, Unit::Count),
        ("rows read", |set| set.rows_read, Unit::Count),
        ("rows", |set| set.rows, Unit::Count),
    ];
    for (name, figure, unit) in figures {
        let (Some(old), Some(new)) = (mean(before, figure), mean(after, figure)) else { continue };
        if (old - new).abs() > 1e-9 {
            lines.push(format!("{since} {name} went from {} to {}", show(old, unit), show(new, unit)));
        }
    }
    if let (Some(old), Some(new)) = (&before.latency, &after.latency) {
        let times = (Unit::Microseconds, old.p95_us, new.p95_us);
        lines.push(format!("{since} p95 went from {} to {}", show(times.1, times.0), show(times.2, times.0)));
    }
    lines
}

/// The nodes of a drawn plan, without figures and conditions.
fn nodes(drawn: &str) -> Vec<&str> {
    let heads = drawn.lines().filter_map(|line| line.split_once("  (cost=").map(|(head, _)| head));
    heads.map(|head| head.trim_start().trim_start_matches("->").trim_start()).collect()
}

fn mean(query: &QueryEvidence, figure: Figure) -> Option<f64> {
    let sets = query.parameter_sets.len();
    let total: u64 = query.parameter_sets.iter().map(figure).sum();
    (sets > 0).then(|| total as f64 / sets as f64)
}

/// The same parameter set must return as many rows as it did, and, where both
/// runs hashed their results, the same ones.
fn result_finding(baseline: &Baseline, before: &QueryEvidence, after: &QueryEvidence) -> Option<Finding> {
    let shrunk = after.parameter_sets.iter().find_map(|new| {
        let old = before.parameter_sets.iter().find(|old| old.label == new.label)?;
        (new.rows < old.rows).then_some((new, old.rows))
    });
    let (code, message) = match shrunk {
        Some((set, rows)) => {
            let is_bare = set.label.is_empty() || set.label == "no parameters";
            let with = if is_bare { String::new() } else { format!(" with {}", set.label) };
            let message = format!("{} returned {} rows{with}, down from {rows}", after.query, set.rows);
            ("result-shrunk", message)
        }
        None if before.result_hash.zip(after.result_hash).is_some_and(|(old, new)| old != new) => {
            ("result-changed", format!("{} returned other rows than before", after.query))
        }
        None => return None,
    };
    Some(Finding {
        code,
        severity: Severity::Failure,
        subject: after.query.clone(),
        message,
        evidence: vec![format!("compared with run {}, parameter set by parameter set", baseline.run_id)],
        next_step: "check the query and its data; where the result is right, compare with a newer run".into(),
        location: after.location.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{SourceLocation, Verdict};

    const SCAN: &str =
        "Limit  (cost=9.00 rows=1)\n->  Seq Scan on orders  (cost=8.00 rows=9)\n      Filter: (a = 1)\n";
    const INDEX: &str = "Limit  (cost=2.00 rows=1)\n->  Index Scan using i on orders  (cost=1.00 rows=9)\n";

    fn query(rows: u64, buffers: u64, hash: Option<u64>) -> QueryEvidence {
        QueryEvidence {
            query: "history".into(),
            location: Some(SourceLocation { path: "queries/history.sql".into(), line: 1 }),
            origin: None,
            verdict: Verdict::Pass,
            cold: false,
            writes: false,
            latency: None,
            budgets: Vec::new(),
            parameter_sets: vec![ParameterSetEvidence {
                label: "user_id=1".into(),
                buffers,
                rows,
                rows_read: rows,
                temp_blocks: 0,
                wal_bytes: None,
                planning_us: 1.0,
                execution_us: 1.0,
            }],
            worst_plan: Some(if buffers > 10 { SCAN.into() } else { INDEX.into() }),
            reason: None,
            result_hash: hash,
        }
    }

    fn orders(rows: f64, bytes: u64) -> TableSize {
        TableSize { table: "public.orders".into(), rows, bytes }
    }

    fn compared(before: QueryEvidence, after: &QueryEvidence) -> Vec<Finding> {
        let volume = crate::model::evidence::slow_queries::VolumeEvidence {
            volume: "small".into(),
            factor: 1.0,
            ping: None,
            client_cpu_share: 0.0,
            client_cpu_us: 0.0,
            queries: vec![before],
            tables: vec![orders(20_000.0, 900 * 1024)],
        };
        let evidence = SlowQueriesEvidence { volumes: vec![volume], ..SlowQueriesEvidence::default() };
        let baseline = Baseline { run_id: "r1".into(), server_version: Some("15.1".into()), evidence };
        let mut findings = vec![Finding {
            code: "over-budget",
            severity: Severity::Failure,
            subject: "history".into(),
            message: String::new(),
            evidence: Vec::new(),
            next_step: String::new(),
            location: None,
        }];
        let tables = [orders(25_000.0, 1100 * 1024)];
        let now = Now { volume: "small", server_version: "15.2", tables: &tables };
        compare(&baseline, now, after, &mut findings);
        findings
    }

    #[test]
    fn a_shrunk_or_changed_result_is_a_finding() {
        let codes = |before, after| {
            compared(before, &after).iter().skip(1).map(|finding| finding.code).collect::<Vec<_>>()
        };
        assert_eq!(codes(query(10, 5, None), query(9, 5, None)), ["result-shrunk"]);
        assert_eq!(codes(query(10, 5, None), query(11, 5, None)), [""; 0]);
        assert_eq!(codes(query(10, 5, Some(1)), query(10, 5, Some(2))), ["result-changed"]);
        assert_eq!(codes(query(10, 5, Some(1)), query(10, 5, None)), [""; 0]);
    }

    #[test]
    fn what_changed_is_told_with_the_broken_budget() {
        let findings = compared(query(10, 5, None), &query(10, 39, None));
        assert_eq!(
            findings[0].evidence,
            [
                "since run r1 the plan changed: Index Scan using i on orders became Seq Scan on orders",
                "since run r1 blocks went from 5 to 39",
                "since run r1 the table public.orders went from 20000 to 25000 rows, 900 to 1100 kB",
                "since run r1 the server went from 15.1 to 15.2",
            ]
        );
    }
}
