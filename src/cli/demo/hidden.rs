//! What the shop hides on purpose, looked for in the report: the demo proves
//! that the scenarios find it, on this machine, now.

use crate::model::{Finding, RunReport, Scenario};
use std::fmt::Write;

/// One hidden thing.
pub(super) struct Hidden {
    what: &'static str,
    pub(super) is_found: bool,
}

/// Looks for all of them.
pub(super) fn look_for(report: &RunReport) -> Vec<Hidden> {
    vec![
        Hidden {
            what: "one listing that asks per row (n-plus-one)",
            is_found: findings(report, Scenario::NPlusOne).any(|f| f.code == "n-plus-one"),
        },
        Hidden {
            what: "one pair of transactions that deadlocks (deadlock)",
            is_found: findings(report, Scenario::Deadlock).any(|f| f.code == "deadlock"),
        },
        Hidden {
            what: "the index that order_history lacks before migration 002 (regression)",
            is_found: findings(report, Scenario::Regression)
                .any(|f| f.code == "improved" && f.subject == "order_history"),
        },
    ]
}

fn findings(report: &RunReport, scenario: Scenario) -> impl Iterator<Item = &Finding> {
    report.scenarios.iter().filter(move |s| s.scenario == scenario).flat_map(|s| &s.findings)
}

/// What was found, a line each, and the count.
pub(super) fn summary(hidden: &[Hidden]) -> String {
    let found = hidden.iter().filter(|thing| thing.is_found).count();
    let mut text = format!("\nThe shop hides {} things on purpose; found {found}:\n", hidden.len());
    for thing in hidden {
        let mark = if thing.is_found { "found  " } else { "MISSED " };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {mark} {}", thing.what);
    }
    text
}
