//! `n-plus-one`: a test case a scope, so that it stands beside the test that asked.

use crate::model::evidence::n_plus_one::{Certainty, LoopGroup, NPlusOneEvidence, RepeatGroup};
use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus};
use std::collections::BTreeSet;

/// Findings that the cases of the scopes tell of.
pub(super) const CODES: [&str; 4] =
    ["n-plus-one", "repeated-query-without-visible-parent", "redundant-query", "row-by-row-writes"];

/// Longest piece of a statement, in characters.
const STATEMENT_CHARS: usize = 400;

/// A case for every scope that was seen, in order of appearance.
pub(super) fn cases(evidence: &NPlusOneEvidence) -> Vec<TestCase> {
    let mut seen = BTreeSet::new();
    let names = evidence.scopes.iter().filter(|scope| seen.insert(scope.as_str()));
    names.map(|scope| case(evidence, scope)).collect()
}

fn case(evidence: &NPlusOneEvidence, scope: &str) -> TestCase {
    let loops = evidence.loops.iter().filter(|group| group.scope == scope);
    let (failing, others): (Vec<_>, Vec<_>) = loops.partition(|group| fails(evidence, group));
    let mut status = TestCaseStatus::success();
    if let Some(worst) = failing.first() {
        status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        status.set_message(message(worst)).set_type("n-plus-one");
        status.set_description(failing.iter().map(|g| description(g)).collect::<Vec<_>>().join("\n\n"));
    }
    let mut case = TestCase::new(scope, status);
    case.set_classname("plimsoll.n-plus-one");
    let repeats = evidence.repeats.iter().filter(|group| group.scope == scope).map(repeat);
    let notes: Vec<_> = others.into_iter().map(description).chain(repeats).collect();
    if !notes.is_empty() {
        case.set_system_out(notes.join("\n\n"));
    }
    case
}

/// As the finding does, which takes all groups of a loop together.
fn fails(evidence: &NPlusOneEvidence, group: &LoopGroup) -> bool {
    let is_sure =
        |other: &LoopGroup| other.fingerprint == group.fingerprint && other.certainty >= Certainty::Likely;
    group.accepted.is_none() && evidence.loops.iter().any(is_sure)
}

fn message(group: &LoopGroup) -> String {
    let pair = group.pairs.first().map(|pair| format!(" ({} -> {})", pair.from, pair.to)).unwrap_or_default();
    format!("one query per row: {} times the same statement, fed row by row{pair}", group.executions)
}

fn description(group: &LoopGroup) -> String {
    let mut lines = vec![
        format!("n-plus-one: {}", message(group)),
        format!("parent: {}", shortened(&group.parent.text)),
        format!("child: {}", shortened(&group.child.text)),
        format!("certainty: {}; fingerprint: {}", group.certainty.word(), group.fingerprint),
    ];
    lines.extend(group.call_site.as_ref().map(|place| format!("call site: {place}")));
    lines.extend(group.accepted.as_ref().map(|reason| format!("accepted: {reason}")));
    lines.join("\n")
}

fn repeat(group: &RepeatGroup) -> String {
    format!("{}: {} times\nstatement: {}", group.kind.code(), group.executions, shortened(&group.shape.text))
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(STATEMENT_CHARS) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
