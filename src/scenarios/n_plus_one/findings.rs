//! Detection to findings, verdict and summary. Pure.

use super::detect::Detection;
use super::limits;
use super::reading::LEFT_OUT;
use super::whole::Heard;
use crate::model::evidence::n_plus_one::{
    BatchProof, BatchRefusal, Certainty, FormCost, Growth, JoinProof, LoopGroup, RepeatGroup, RepeatKind,
    RoundTripCost,
};
use crate::model::{Finding, Measurement, Severity, Unit, Variant, Verdict};
use std::collections::{BTreeMap, HashMap};

/// Longest piece of a statement in a message, in characters.
const STATEMENT_CHARS: usize = 120;

/// Behind the figures of a form that is not recommended.
const DEARER: &str = ", which costs more";

/// What is known of loops beside the trace.
pub(super) struct Beside<'a> {
    /// Batched forms that were tried.
    pub(super) proofs: &'a [BatchProof],
    /// Batched forms that were not, and why.
    pub(super) refusals: &'a [BatchRefusal],
    /// Joins with the parent that were tried.
    pub(super) joins: &'a [JoinProof],
    /// Joins that were not, and why.
    pub(super) join_refusals: &'a [BatchRefusal],
    /// Waiting at other round-trip times.
    pub(super) round_trips: &'a [RoundTripCost],
    /// Counts at two volumes.
    pub(super) growth: &'a [Growth],
}

/// One finding per loop (its groups together), then one per other repetition.
#[must_use]
pub(super) fn findings(detection: &Detection, beside: &Beside<'_>) -> Vec<Finding> {
    let mut by_fingerprint: BTreeMap<&str, Vec<&LoopGroup>> = BTreeMap::new();
    for group in &detection.loops {
        by_fingerprint.entry(&group.fingerprint).or_default().push(group);
    }
    let mut loops: Vec<(u64, Finding)> = by_fingerprint
        .values()
        .map(|groups| {
            (groups.iter().map(|group| group.executions).sum(), loop_finding(groups, detection, beside))
        })
        .collect();
    loops.sort_by(|(left_n, left), (right_n, right)| {
        right.severity.cmp(&left.severity).then(right_n.cmp(left_n)).then(left.message.cmp(&right.message))
    });
    let mut repeats: BTreeMap<(RepeatKind, u64), Vec<&RepeatGroup>> = BTreeMap::new();
    for group in &detection.repeats {
        repeats.entry((group.kind, group.shape.hash)).or_default().push(group);
    }
    let repeats = repeats.into_values().map(|groups| repeat_finding(&groups));
    loops.into_iter().map(|(_, finding)| finding).chain(repeats).collect()
}

fn loop_finding(groups: &[&LoopGroup], detection: &Detection, beside: &Beside<'_>) -> Finding {
    let first = groups[0];
    let pair = first.pairs.first().map(|pair| format!("{} -> {}", pair.from, pair.to)).unwrap_or_default();
    let largest = groups.iter().max_by_key(|group| group.executions);
    let most = largest.map_or(0, |group| group.executions);
    let about = if largest.is_some_and(|group| group.uncertain > 0) { "about " } else { "" };
    let statement = match first.other_children.len() {
        0 => "the same statement".to_owned(),
        others => format!("one of {} statements", others + 1),
    };
    let severity = match (&first.accepted, groups.iter().map(|group| group.certainty).max()) {
        (Some(_), _) | (None, Some(Certainty::Possible) | None) => Severity::Warning,
        (None, Some(Certainty::Likely | Certainty::Strong)) => Severity::Failure,
    };
    let accepted = first.accepted.as_ref().map(|reason| format!(" (accepted: {reason})")).unwrap_or_default();
    let mut evidence = vec![
        format!("parent: {}", shortened(&first.parent.text)),
        format!("child: {}", shortened(&first.child.text)),
    ];
    evidence.extend(
        first.other_children.iter().map(|other| format!("child, for other rows: {}", shortened(&other.text))),
    );
    for pair in &first.pairs {
        evidence.push(format!(
            "values flow {} -> {} in {} of {} executions",
            pair.from, pair.to, pair.explained, first.executions
        ));
    }
    evidence.extend(groups.iter().take(10).map(|group| group_line(group, detection)));
    if groups.len() > 10 {
        evidence.push(format!("and {} more groups", groups.len() - 10));
    }
    evidence.extend(growth_line(first, beside.growth));
    let waits = beside.round_trips.iter().filter(|cost| cost.fingerprint == first.fingerprint);
    evidence.extend(waits.map(round_trip_line));
    let proof = beside.proofs.iter().find(|proof| proof.fingerprint == first.fingerprint);
    evidence.extend(proof.iter().flat_map(|proof| proof_lines(proof)));
    let refused = |refusals: &[BatchRefusal], form: &str| {
        let refusal = refusals.iter().find(|refusal| refusal.fingerprint == first.fingerprint);
        refusal.map(|refusal| format!("not {form}: {}", refusal.reason))
    };
    evidence.extend(refused(beside.refusals, "batched"));
    let join = beside.joins.iter().find(|join| join.fingerprint == first.fingerprint);
    evidence.extend(join.iter().flat_map(|join| join_lines(join)));
    evidence.extend(refused(beside.join_refusals, "joined"));
    evidence.push(format!("certainty: {}; {}", first.certainty.word(), first.signature()));
    evidence.extend(first.call_site.as_ref().map(|place| format!("call site: {place}")));
    Finding {
        code: "n-plus-one",
        severity,
        subject: subject(groups.iter().map(|group| group.scope.as_str())),
        message: format!(
            "one query per row: {about}{most} times {statement}, fed row by row ({pair}){accepted}"
        ),
        evidence,
        next_step: next_step(first, proof, join),
        location: None,
    }
}

fn group_line(group: &LoopGroup, detection: &Detection) -> String {
    let inside = group.inside.and_then(|at| detection.loops.get(at));
    let inside = inside.map(|outer| format!(", inside the loop over {}", shortened(&outer.child.text)));
    let parents = if group.parent_executions == 1 { "execution" } else { "executions" };
    let odd = match (group.empty, group.failed) {
        (0, 0) => String::new(),
        (empty, 0) => format!(", {empty} without a row"),
        (empty, failed) => format!(", {empty} without a row, {failed} failed"),
    };
    let uncertain = match group.uncertain {
        0 => String::new(),
        some => format!(" (give or take {some}, which may belong to another loop or to none)"),
    };
    let beyond = match group.beyond_kept {
        0 => String::new(),
        some => format!(" ({some} of them behind the rows whose values were kept)"),
    };
    format!(
        "{}: {} executions{uncertain}{beyond} for {} rows of {} parent {parents}, {} different values, {:.1} ms, {:.0} % of the scope's database time{odd}{}",
        group.scope,
        group.executions,
        group.parent_rows,
        group.parent_executions,
        group.distinct_values,
        group.total_us as f64 / 1000.0,
        group.share_of_scope * 100.0,
        inside.unwrap_or_default(),
    )
}

fn growth_line(group: &LoopGroup, growth: &[Growth]) -> Option<String> {
    let counted = growth.iter().find(|growth| growth.shape.hash == group.child.hash)?;
    let how = if counted.grows { "grows with the data" } else { "does not grow with the data" };
    Some(format!(
        "executed {} times at the small volume, {} times at the large one: it {how}",
        counted.small, counted.large
    ))
}

fn round_trip_line(cost: &RoundTripCost) -> String {
    let milliseconds = |time_us: u64| time_us as f64 / 1000.0;
    format!(
        "at a round trip of {} ms: {} ms of waiting, {} ms where it is asked once (reckoned)",
        milliseconds(cost.round_trip_us),
        milliseconds(cost.looped_us),
        milliseconds(cost.batched_us)
    )
}

fn proof_lines(proof: &BatchProof) -> Vec<String> {
    let same = if proof.same_rows { "the same rows" } else { "OTHER rows" };
    let dearer = if proof.batched.is_worse_than(&proof.looped) { DEARER } else { "" };
    vec![
        format!("batched: {}", proof.batched_sql),
        format!(
            "tried with {} values, {same} in both forms: {} one by one; {} batched{dearer}",
            proof.values,
            cost(&proof.looped),
            cost(&proof.batched)
        ),
    ]
}

fn join_lines(proof: &JoinProof) -> Vec<String> {
    let dearer = if proof.is_way_out() { "" } else { DEARER };
    vec![
        format!("joined: {}", proof.joined_sql),
        format!(
            "tried with {} rows of the parent, the same rows in both forms: {} one by one with the parent; {} joined{dearer}",
            proof.parent_rows,
            cost(&proof.looped),
            cost(&proof.joined)
        ),
    ]
}

fn cost(form: &FormCost) -> String {
    let trips = if form.round_trips == 1 { "round trip" } else { "round trips" };
    format!("{} {trips}, {:.2} ms, {} blocks", form.round_trips, form.time_us / 1000.0, form.buffers)
}

fn next_step(group: &LoopGroup, proof: Option<&BatchProof>, join: Option<&JoinProof>) -> String {
    let column = group.pairs.first().map_or("the key", |pair| pair.to.as_str());
    if !group.other_children.is_empty() {
        return format!(
            "Ask once for each kind of row, as with {column} = ANY($1), instead of once for each row"
        );
    }
    let is_batched = proof.is_some_and(BatchProof::is_way_out);
    let is_joined = join.is_some_and(JoinProof::is_way_out);
    let is_dearer = join.is_some() || proof.is_some_and(|proof| proof.same_rows);
    match (is_batched, is_joined) {
        (true, true) => "Ask once for all rows with the batched or the joined form, both of which were tried; the joined one leaves the order of its rows to you".into(),
        (true, false) if join.is_none() => "Ask once for all rows with the batched form of it, which was tried, or join it into the parent query".into(),
        (true, false) => "Ask once for all rows with the batched form of it, which was tried".into(),
        (false, true) => "Ask once for all rows with the joined form, which was tried; it leaves the order of its rows to you".into(),
        (false, false) if is_dearer => "Asking once, as it was tried, costs more here than asking per row: see the plan of that form, and whether it lacks an index, before you change the code".into(),
        (false, false) => ask_once(column),
    }
}

fn ask_once(column: &str) -> String {
    if column.starts_with(LEFT_OUT) {
        return "Ask once for the new values of all rows, or let a unique constraint tell: a validation asks for each row whether another one has its value".into();
    }
    format!(
        "Ask once for all rows: join it into the parent query, load it eagerly, or fetch the whole set with {column} = ANY($1)"
    )
}

fn repeat_finding(groups: &[&RepeatGroup]) -> Finding {
    let first = groups[0];
    let executions: u64 = groups.iter().map(|group| group.executions).sum();
    let (severity, message, next_step) = match first.kind {
        RepeatKind::WithoutVisibleParent => (
            Severity::Warning,
            format!("{executions} times the same query with varying keys that no earlier result holds"),
            "If code loops over these keys, ask once with = ANY($1); the trace cannot tell where they come from",
        ),
        RepeatKind::Redundant => (
            Severity::Note,
            format!("{executions} times the same query with the same values and the same answer"),
            "Keep the first answer for the length of the request",
        ),
        RepeatKind::RowByRowWrites => (
            Severity::Note,
            format!("{executions} rows written by one statement each"),
            "Write them in one statement with several rows, UNNEST or COPY where it matters",
        ),
    };
    let mut evidence = vec![format!("statement: {}", shortened(&first.shape.text))];
    evidence.extend(groups.iter().take(10).map(|group| {
        format!(
            "{}: {} executions, {} different sets of values, {:.1} ms",
            group.scope,
            group.executions,
            group.distinct_values,
            group.total_us as f64 / 1000.0
        )
    }));
    evidence.extend(first.call_site.as_ref().map(|place| format!("call site: {place}")));
    Finding {
        code: first.kind.code(),
        severity,
        subject: subject(groups.iter().map(|group| group.scope.as_str())),
        message,
        evidence,
        next_step: next_step.into(),
        location: None,
    }
}

fn subject<'a>(scopes: impl Iterator<Item = &'a str>) -> String {
    let mut names: Vec<&str> = scopes.collect();
    names.dedup();
    match names.as_slice() {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [first, rest @ ..] => format!("{first} and {} more", rest.len()),
    }
}

pub(super) fn shortened(text: &str) -> String {
    match text.char_indices().nth(STATEMENT_CHARS) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

/// The verdict and what it rests on.
#[must_use]
pub(super) fn verdict(findings: &[Finding], heard: &Heard) -> (Verdict, String) {
    let statements = heard.statements;
    let failures = findings.iter().filter(|finding| finding.severity == Severity::Failure).count();
    let above = findings.iter().filter(|finding| finding.code == limits::CODE).count();
    let mut summary = match failures - above {
        0 => format!("no new N+1 query in {statements} statements"),
        1 => format!("1 N+1 query in {statements} statements"),
        many => format!("{many} N+1 queries in {statements} statements"),
    };
    if above > 0 {
        let scopes = if above == 1 { "scope" } else { "scopes" };
        summary.push_str(&format!("; {above} {scopes} above the bound on statements"));
    }
    let needs = if failures > 0 { None } else { heard.needs() };
    let verdict = match (failures, needs) {
        (0, None) => Verdict::Pass,
        (0, Some(needs)) => Verdict::Inconclusive { needs },
        _ => Verdict::Fail,
    };
    (verdict, summary)
}

/// Numbers worth following over time. `volume` says at which one a loop was recorded, where they
/// were recorded at several.
#[must_use]
pub(super) fn measurements(
    detection: &Detection,
    statements: u64,
    volume: impl Fn(usize) -> Option<String>,
) -> Vec<Measurement> {
    let count = |subject: &str, metric, value: u64, volume| Measurement {
        subject: subject.to_owned(),
        metric,
        unit: Unit::Count,
        value: value as f64,
        samples: 1,
        interval: None,
        volume,
        variant: Variant::Only,
    };
    let mut all = vec![count("trace", "statements", statements, None)];
    let mut counted = Counted::new();
    for (at, group) in detection.loops.iter().enumerate() {
        let volume = volume(at);
        let subject = format!("{} / {}", group.scope, group.fingerprint);
        let subject = numbered(&mut counted, subject, volume.as_deref());
        all.push(count(&subject, "queries_per_parent", group.executions, volume));
    }
    all
}

/// How many measurements there are of a subject at a volume.
type Counted = HashMap<(String, Option<String>), u32>;

/// Two loops of one fingerprint in a scope (two connections at once) are two measurements: the later
/// ones have a number.
fn numbered(counted: &mut Counted, subject: String, volume: Option<&str>) -> String {
    let count = counted.entry((subject.clone(), volume.map(str::to_owned))).or_default();
    *count += 1;
    if *count == 1 { subject } else { format!("{subject} ({count})") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measurements_of_one_fingerprint_are_told_apart_within_a_volume() {
        let mut counted = Counted::new();
        let volumes = [None, None, None, Some("small"), Some("small")];
        let subjects = volumes.map(|volume| numbered(&mut counted, "scope / faf535".into(), volume));
        let (first, second) = ("scope / faf535", "scope / faf535 (2)");
        assert_eq!(subjects, [first, second, "scope / faf535 (3)", first, second]);
    }
}
