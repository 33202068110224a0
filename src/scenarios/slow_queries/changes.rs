//! What changed in a query since a kept run: plan, counters, rows, results,
//! time, server.

use super::budget::show;
use crate::model::evidence::Evidence;
use crate::model::evidence::slow_queries::{
    ParameterSetEvidence, QueryEvidence, ResultHash, SlowQueriesEvidence, TableSize,
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
/// finding where its result shrank or changed. How many parameter sets could be
/// compared; `None` where the baseline does not hold the query.
pub(crate) fn compare(
    baseline: &Baseline,
    now: Now<'_>,
    after: &QueryEvidence,
    findings: &mut Vec<Finding>,
) -> Option<usize> {
    let before = baseline.query(now.volume, &after.query)?;
    let pairs = pairs(before, after);
    let mut lines = lines(baseline, before, after, &pairs);
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
    let hashes = hash_pairs(before, after);
    findings.extend(result_finding(baseline, &pairs, &hashes, after));
    Some(pairs.len().max(hashes.len()))
}

/// A parameter set then and now, or what it returned.
type Pair<'a, T> = (&'a T, &'a T);

/// The parameter sets whose values are the same in both runs. Labels are cut and tell nothing.
fn pairs<'a>(before: &'a QueryEvidence, after: &'a QueryEvidence) -> Vec<Pair<'a, ParameterSetEvidence>> {
    let same = |new: &'a ParameterSetEvidence| {
        let old = before.parameter_sets.iter().find(|old| old.key.is_some() && old.key == new.key)?;
        Some((old, new))
    };
    after.parameter_sets.iter().filter_map(same).collect()
}

fn hash_pairs<'a>(before: &'a QueryEvidence, after: &'a QueryEvidence) -> Vec<Pair<'a, ResultHash>> {
    let same = |new: &'a ResultHash| Some((before.result_hashes.iter().find(|old| old.key == new.key)?, new));
    after.result_hashes.iter().filter_map(same).collect()
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

fn lines(
    baseline: &Baseline,
    before: &QueryEvidence,
    after: &QueryEvidence,
    pairs: &[Pair<'_, ParameterSetEvidence>],
) -> Vec<String> {
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
        let (Some(old), Some(new)) = (mean(pairs, |pair| figure(pair.0)), mean(pairs, |pair| figure(pair.1)))
        else {
            continue;
        };
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

fn mean<P>(pairs: &[P], figure: impl Fn(&P) -> u64) -> Option<f64> {
    let total: u64 = pairs.iter().map(figure).sum();
    (!pairs.is_empty()).then(|| total as f64 / pairs.len() as f64)
}

/// A number of rows that went down.
struct Shrunk {
    before: u64,
    now: u64,
    /// Which statement of a transaction.
    place: String,
}

/// What one statement lost does not come back in another; runs that did not tell statements apart
/// are compared by their sums.
fn shrunk(old: &ParameterSetEvidence, new: &ParameterSetEvidence) -> Option<Shrunk> {
    let count = new.statement_rows.len();
    if count < 2 || old.statement_rows.len() != count {
        let (before, now) = (old.rows, new.rows);
        return (now < before).then(|| Shrunk { before, now, place: String::new() });
    }
    let both = old.statement_rows.iter().zip(&new.statement_rows).enumerate();
    both.map(|(at, (&before, &now))| Shrunk {
        before,
        now,
        place: format!(" in explained statement {}", at + 1),
    })
    .find(|statement| statement.now < statement.before)
}

/// The same parameter set must return as many rows as it did, and, where both
/// runs hashed their results, the same ones.
fn result_finding(
    baseline: &Baseline,
    pairs: &[Pair<'_, ParameterSetEvidence>],
    hashes: &[Pair<'_, ResultHash>],
    after: &QueryEvidence,
) -> Option<Finding> {
    let shrunk = pairs.iter().find_map(|&(old, new)| Some((new, shrunk(old, new)?)));
    let changed = hashes.iter().find(|(old, new)| old.hash != new.hash);
    let (code, message, compared) = match (shrunk, changed) {
        (Some((set, shrunk)), _) => {
            let verb = if after.writes { "changed" } else { "returned" };
            let message = format!(
                "{} {verb} {} rows{}{}, down from {}",
                after.query,
                shrunk.now,
                shrunk.place,
                with(set),
                shrunk.before
            );
            ("result-shrunk", message, (pairs.len(), after.parameter_sets.len()))
        }
        (None, Some((_, new))) => {
            let set = after.parameter_sets.iter().find(|set| set.key == Some(new.key));
            let with = set.map(with).unwrap_or_default();
            let message = format!("{} returned other rows than before{with}", after.query);
            ("result-changed", message, (hashes.len(), after.result_hashes.len()))
        }
        (None, None) => return None,
    };
    Some(Finding {
        code,
        severity: Severity::Failure,
        subject: after.query.clone(),
        message,
        evidence: vec![format!(
            "compared with run {}: {} of {} parameter sets, those with the same values",
            baseline.run_id, compared.0, compared.1
        )],
        next_step: "check the query and its data; where the result is right, compare with a newer run".into(),
        location: after.location.clone(),
    })
}

fn with(set: &ParameterSetEvidence) -> String {
    let is_bare = set.label.is_empty() || set.label == "no parameters";
    if is_bare { String::new() } else { format!(" with {}", set.label) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{SourceLocation, Verdict};
    use crate::scenarios::slow_queries::coverage::Coverage;

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
                key: Some(1),
                buffers,
                rows,
                statement_rows: vec![rows],
                rows_read: rows,
                temp_blocks: 0,
                wal_bytes: None,
                planning_us: 1.0,
                execution_us: 1.0,
            }],
            worst_plan: Some(if buffers > 10 { SCAN.into() } else { INDEX.into() }),
            reason: None,
            result_hash: hash,
            result_hashes: hash.into_iter().map(|hash| ResultHash { key: 1, hash }).collect(),
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
            data: vec![],
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
        let _ = compare(&baseline, now, after, &mut findings);
        findings
    }

    #[test]
    fn only_the_same_values_are_compared_whatever_their_label() {
        let codes = |before, after: &QueryEvidence| {
            compared(before, after).iter().skip(1).map(|finding| finding.code).collect::<Vec<_>>()
        };
        let mut others = query(9, 50, Some(2));
        others.parameter_sets[0].key = Some(2);
        others.result_hashes[0].key = 2;
        assert_eq!(codes(query(10, 5, Some(1)), &others), [""; 0]);
        assert!(
            !compared(query(10, 5, None), &others)[0].evidence.iter().any(|line| line.contains("blocks"))
        );
        let both = |mut query: QueryEvidence, last: ParameterSetEvidence, hash: u64| {
            query.parameter_sets.push(ParameterSetEvidence { key: Some(7), ..last });
            query.result_hashes.push(ResultHash { key: 7, hash });
            query
        };
        let last = others.parameter_sets[0].clone();
        let (before, after) = (both(query(10, 5, Some(1)), last.clone(), 3), both(others, last, 4));
        let finding = &compared(before, &after)[1];
        assert_eq!(finding.message, "history returned other rows than before with user_id=1");
        assert_eq!(
            finding.evidence,
            ["compared with run r1: 1 of 2 parameter sets, those with the same values"]
        );
    }

    #[test]
    fn what_could_not_be_compared_is_told_and_nothing_at_all_is_no_pass() {
        let evidence = SlowQueriesEvidence::default();
        let baseline = Baseline { run_id: "r1".into(), server_version: None, evidence };
        let told = |comparable: &[Option<usize>]| {
            let mut coverage = Coverage::default();
            let mut queries = vec![query(1, 1, None); comparable.len()];
            for (query, comparable) in queries.iter().zip(comparable) {
                coverage.add(query, *comparable);
            }
            let findings = coverage.judge("small", &mut queries);
            let passes = queries.iter().all(|query| query.verdict == Verdict::Pass);
            assert_eq!(findings.is_empty(), passes);
            (coverage.warning(&baseline, "small").map(|warning| warning.message()), passes)
        };
        assert_eq!(told(&[Some(1), Some(1)]), (None, true));
        let (message, passes) = told(&[Some(1), None]);
        assert!(
            message
                .is_some_and(|m| m
                    .starts_with("run r1 holds 1 of 2 queries (it lacks history) and 1 of 2 parameter sets"))
                && passes
        );
        for nothing in [&[None, None], &[Some(0), None]] {
            let (message, passes) = told(nothing);
            assert!(message.is_some() && !passes);
        }
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
    fn what_one_statement_lost_does_not_come_back_in_another() {
        let transaction = |rows: &[u64]| {
            let mut query = query(rows.iter().sum(), 5, None);
            query.parameter_sets[0].statement_rows = rows.to_vec();
            query
        };
        let told = |before: &[u64], after: &[u64]| {
            let found = compared(transaction(before), &transaction(after));
            found.get(1).map(|finding| finding.message.clone())
        };
        assert_eq!(
            told(&[10, 1], &[0, 11]).as_deref(),
            Some("history returned 0 rows in explained statement 1 with user_id=1, down from 10")
        );
        assert_eq!(told(&[10, 1], &[10, 2]), None);
        // An older run tells only the sum.
        let mut old = transaction(&[10, 1]);
        old.parameter_sets[0].statement_rows.clear();
        assert_eq!(compared(old, &transaction(&[0, 11])).len(), 1);
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
