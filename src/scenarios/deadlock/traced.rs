//! The transactions of a recorded trace: grouped by what they do, one of each
//! kind chosen to be executed again. No I/O.

use super::rows::{self, KeyOrder, KeyOrders, NamedRow};
use super::spec::{Expectation, SessionSpec, Spec, SqlBlock, Step};
use super::words::first_word;
use crate::sql::lexer::{TokenKind, tokens};
use crate::sql::statement::{StatementKind, statement_kind};
use crate::trace::{Outcome, Protocol, StatementRecord, Trace};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Kinds of transactions executed again.
const MAX_KINDS: usize = 40;
/// Statements of a transaction that is executed again.
const MAX_STATEMENTS: usize = 40;
/// Statements that are executed before a transaction to make the data that it worked on.
const MAX_BEFORE: usize = 2_000;
/// Runs of one kind whose orders are looked at.
const MAX_RUNS: usize = 500;

/// One kind of transaction.
#[derive(Debug, Clone)]
pub(super) struct Recorded {
    /// As a spec of one session, its statements with their parameters written in.
    pub(super) spec: Spec,
    /// Per step how many rows it returned or changed when it was recorded.
    pub(super) rows: Vec<u64>,
    /// What was recorded and committed before it.
    pub(super) before: Vec<String>,
    shapes: Vec<u64>,
    /// Of every recorded run: shape and text of its statements.
    runs: Vec<Vec<(u64, String)>>,
}

/// What a trace holds.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) transactions: u64,
    pub(super) locking: u64,
    pub(super) kinds: u64,
    pub(super) recorded: Vec<Recorded>,
    /// Kinds that cannot be executed again, and why.
    pub(super) unusable: Vec<(String, String)>,
    pub(super) left_out: u64,
}

/// The transactions of a trace; `name` is the trace's.
pub(super) fn transactions(trace: &Trace, name: &str) -> Found {
    let mut statements: Vec<&StatementRecord> = trace.statements.iter().collect();
    statements.sort_by_key(|record| record.sequence);
    let mut blocks: BTreeMap<u64, Vec<&StatementRecord>> = BTreeMap::new();
    for record in &statements {
        if let Some(block) = record.transaction {
            blocks.entry(block).or_default().push(record);
        }
    }
    let mut found = Found { transactions: blocks.len() as u64, ..Found::default() };
    let mut kinds: BTreeMap<Vec<u64>, Vec<&Vec<&StatementRecord>>> = BTreeMap::new();
    for block in blocks.values().filter(|block| can_wait_while_it_holds(block)) {
        found.locking += 1;
        kinds.entry(kind_of(block)).or_default().push(block);
    }
    found.kinds = kinds.len() as u64;
    // In the order in which they were recorded first.
    let mut kinds: Vec<_> = kinds.into_values().collect();
    kinds.sort_by_key(|runs| runs[0][0].sequence);
    for (number, runs) in kinds.into_iter().enumerate() {
        let title = format!("{} {}", number + 1, title(runs[0]));
        match usable(&runs) {
            Err(reason) => found.unusable.push((format!("{name}/{title}"), reason)),
            Ok(_) if found.recorded.len() >= MAX_KINDS => found.left_out += 1,
            Ok(block) => {
                let before = before(&statements, block, &blocks);
                found.recorded.push(recorded(name, title, block, &runs, before));
            }
        }
    }
    found
}

fn kind(record: &StatementRecord) -> StatementKind {
    statement_kind(&record.shape.text)
}

fn is_data(record: &StatementRecord) -> bool {
    !matches!(kind(record), StatementKind::TransactionControl | StatementKind::Utility | StatementKind::Empty)
}

/// A cycle of steps needs a lock held while a later statement waits.
fn can_wait_while_it_holds(block: &[&StatementRecord]) -> bool {
    let data: Vec<_> = block.iter().filter(|record| is_data(record)).collect();
    data.len() >= 2 && data.iter().any(|record| kind(record) != StatementKind::Read)
}

/// Shapes of the statements, repetitions gone: a loop is one kind, however often it turns.
fn kind_of(block: &[&StatementRecord]) -> Vec<u64> {
    let mut shapes: Vec<u64> =
        block.iter().filter(|record| is_data(record)).map(|record| record.shape.hash).collect();
    shapes.dedup();
    shapes
}

/// The run to execute: the longest that can be.
fn usable<'a, 'b>(runs: &[&'a Vec<&'b StatementRecord>]) -> Result<&'a Vec<&'b StatementRecord>, String> {
    let able: Vec<_> = runs.iter().filter(|block| problem(block).is_none()).collect();
    let longest = able.into_iter().rev().max_by_key(|block| block.len());
    longest.copied().ok_or_else(|| problem(runs[0]).unwrap_or_default())
}

/// Why a recorded transaction cannot be executed again.
fn problem(block: &[&StatementRecord]) -> Option<String> {
    if block.len() > MAX_STATEMENTS {
        return Some(format!("it has {} statements, more than {MAX_STATEMENTS}", block.len()));
    }
    block.iter().find_map(|record| match (&record.outcome, &record.protocol) {
        (Outcome::Error(state), _) => {
            Some(format!("it failed when it was recorded ({})", String::from_utf8_lossy(state)))
        }
        (Outcome::Skipped | Outcome::Unfinished, _) => Some("it did not end when it was recorded".into()),
        (_, Protocol::Copy | Protocol::FunctionCall) => {
            Some("it holds COPY or a function call, whose data is not kept".into())
        }
        _ if record.kept_text.is_none() && record.kept_arguments.is_some() => {
            Some("it has a parameter whose binary form is not read".into())
        }
        _ if record.kept_text.is_none() => Some(
            "it was recorded without its values: record again with `plimsoll trace --keep-values -- CMD`"
                .into(),
        ),
        _ => None,
    })
}

/// What was committed before a transaction began: its statements in their order.
fn before(
    statements: &[&StatementRecord],
    block: &[&StatementRecord],
    blocks: &BTreeMap<u64, Vec<&StatementRecord>>,
) -> Vec<String> {
    let is_committed = |record: &StatementRecord| {
        let Some(block) = record.transaction.and_then(|id| blocks.get(&id)) else { return true };
        let is_end =
            |last: &&StatementRecord| ["commit", "end"].iter().any(|word| last.shape.text.starts_with(word));
        block.last().is_some_and(is_end) && block.iter().all(|record| record.outcome == Outcome::Ok)
    };
    let earlier = statements.iter().take_while(|record| record.sequence < block[0].sequence);
    let changes = earlier.filter(|record| {
        matches!(kind(record), StatementKind::Write | StatementKind::Ddl)
            && record.outcome == Outcome::Ok
            && record.protocol != Protocol::Copy
            && is_committed(record)
    });
    let texts: Option<Vec<String>> = changes.map(|record| record.kept_text.clone()).collect();
    // Half of it would make other data than there was.
    texts.filter(|texts| texts.len() <= MAX_BEFORE).unwrap_or_default()
}

fn recorded(
    name: &str,
    title: String,
    block: &[&StatementRecord],
    runs: &[&Vec<&StatementRecord>],
    before: Vec<String>,
) -> Recorded {
    let text = |record: &StatementRecord| record.kept_text.as_deref().map(printable).unwrap_or_default();
    let step = |(index, record): (usize, &&StatementRecord)| Step {
        name: format!("{}{}", first_word(&record.shape.text), index + 1),
        sql: text(record),
        line: 0,
    };
    let session = SessionSpec {
        name: title,
        setup: None,
        steps: block.iter().enumerate().map(step).collect(),
        teardown: None,
    };
    let run = |block: &&Vec<&StatementRecord>| {
        let known = block.iter().filter_map(|record| Some((record.shape.hash, record.kept_text.clone()?)));
        known.collect::<Vec<_>>()
    };
    Recorded {
        rows: block.iter().map(|record| record.rows).collect(),
        shapes: block.iter().map(|record| record.shape.hash).collect(),
        runs: runs.iter().take(MAX_RUNS).map(run).collect(),
        before,
        spec: Spec {
            name: name.to_owned(),
            path: name.into(),
            expectation: Expectation::default(),
            setups: Vec::new(),
            teardown: None,
            sessions: vec![session],
            permutations: Vec::new(),
            unused_steps: Vec::new(),
        },
    }
}

impl Recorded {
    /// The same after what was recorded before it.
    pub(super) fn after_what_came_before(&self) -> Spec {
        let mut spec = self.spec.clone();
        spec.sessions[0].setup = Some(SqlBlock { sql: self.before.join(";\n"), line: 0 });
        spec
    }

    /// What the recorded runs say of the order in which rows are taken.
    pub(super) fn orders(&self, named: &[NamedRow]) -> KeyOrders {
        let mut orders: Vec<(u64, KeyOrder)> = Vec::new();
        for row in named {
            let (Some(&shape), Some(step)) =
                (self.shapes.get(row.step), self.spec.sessions[0].steps.get(row.step))
            else {
                continue;
            };
            let literals = rows::naming_literals(&step.sql);
            let position =
                literals.iter().position(|(_, value)| Some(value.as_str()) == rows::value_of(&row.key));
            if let Some(position) = position.filter(|_| !orders.iter().any(|(known, _)| *known == shape)) {
                orders.push((shape, rows::order_of_runs(&self.keys(shape, position))));
            }
        }
        KeyOrders::Recorded { shapes: self.shapes.clone(), orders }
    }

    /// In every run, the values at one place of the statements of one shape.
    fn keys(&self, shape: u64, position: usize) -> Vec<Vec<String>> {
        let key = |(own, text): &(u64, String)| {
            (*own == shape)
                .then(|| rows::naming_literals(text).into_iter().nth(position).map(|(_, value)| value))?
        };
        self.runs.iter().map(|run| run.iter().filter_map(key).collect()).collect()
    }
}

/// A statement that can stand between the braces of a spec file, which end at the first `}`.
fn printable(sql: &str) -> String {
    if !sql.contains('}') {
        return sql.to_owned();
    }
    let mut printed = String::with_capacity(sql.len() + 8);
    for token in tokens(sql) {
        let text = token.text(sql);
        if token.kind == TokenKind::String && text.starts_with('\'') && text.contains('}') {
            let _ = write!(printed, "E{}", text.replace('\\', "\\\\").replace('}', "\\x7d"));
        } else if !(token.kind == TokenKind::BlockComment && text.contains('}')) {
            printed.push_str(text);
        }
    }
    printed
}

/// Such as `update orders ×2, insert audit`.
fn title(block: &[&StatementRecord]) -> String {
    const MAX_PARTS: usize = 4;
    let mut parts: Vec<(String, usize)> = Vec::new();
    for record in block.iter().filter(|record| is_data(record)) {
        let part = format!("{} {}", first_word(&record.shape.text), table_of(&record.shape.text));
        match parts.last_mut() {
            Some((last, count)) if *last == part => *count += 1,
            _ => parts.push((part, 1)),
        }
    }
    let shown = parts.iter().take(MAX_PARTS).map(|(part, count)| match count {
        1 => part.trim_end().to_owned(),
        count => format!("{} ×{count}", part.trim_end()),
    });
    let rest = if parts.len() > MAX_PARTS { ", …" } else { "" };
    shown.collect::<Vec<_>>().join(", ") + rest
}

/// The first table a statement names.
fn table_of(shape: &str) -> String {
    let words: Vec<&str> = tokens(shape)
        .filter(|token| matches!(token.kind, TokenKind::Word | TokenKind::QuotedIdentifier))
        .map(|token| token.text(shape))
        .collect();
    let is_before = |word: &&str| ["update", "into", "from", "table", "join"].contains(word);
    let place = words.iter().position(is_before).map_or(0, |place| place + 1);
    let place = if words.get(place) == Some(&"only") { place + 1 } else { place };
    words.get(place).map(|word| word.trim_matches('"').to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{Header, StatementShape, TraceEvent};
    use std::sync::Arc;

    fn trace(statements: &[(Option<u64>, &str)], keeps_values: bool) -> Trace {
        let header = Header {
            hash_key_id: 0,
            started_at_us: 0,
            source: String::new(),
            bounds: crate::trace::Bounds::default(),
        };
        let mut trace = Trace::new(header);
        for (sequence, (transaction, text)) in statements.iter().enumerate() {
            let shape = crate::sql::shape::shape(text);
            trace.push(TraceEvent::Statement(StatementRecord {
                sequence: sequence as u64,
                connection: 1,
                transaction: *transaction,
                scope: None,
                start_us: 0,
                first_row_us: None,
                end_us: 0,
                shape: Arc::new(StatementShape { text: shape.text, hash: shape.hash }),
                arguments: Vec::new(),
                rows: 1,
                bytes: 0,
                columns: Arc::from([]),
                values: Vec::new(),
                outcome: Outcome::Ok,
                protocol: Protocol::Simple,
                continues: None,
                application_name: None,
                tags: None,
                kept_arguments: None,
                kept_text: keeps_values.then(|| (*text).to_owned()),
            }));
        }
        trace
    }

    const TRANSFERS: [(Option<u64>, &str); 12] = [
        (None, "INSERT INTO accounts VALUES (1), (2)"),
        (Some(1), "BEGIN"),
        (Some(1), "UPDATE accounts SET x = 1 WHERE id = 1"),
        (Some(1), "UPDATE accounts SET x = 1 WHERE id = 2"),
        (Some(1), "COMMIT"),
        (Some(2), "BEGIN"),
        (Some(2), "UPDATE accounts SET x = 1 WHERE id = 3"),
        (Some(2), "UPDATE accounts SET x = 1 WHERE id = 2"),
        (Some(2), "UPDATE accounts SET x = 1 WHERE id = 9"),
        (Some(2), "COMMIT"),
        (Some(3), "BEGIN"),
        (Some(3), "SELECT 1"),
    ];

    #[test]
    fn runs_of_one_kind_are_one_and_the_longest_is_executed() {
        let found = transactions(&trace(&TRANSFERS, true), "app");
        assert_eq!((found.transactions, found.locking, found.kinds), (3, 2, 1));
        let [recorded] = &found.recorded[..] else { panic!("{found:?}") };
        assert_eq!(recorded.spec.sessions[0].name, "1 update accounts ×2");
        let names: Vec<&str> =
            recorded.spec.sessions[0].steps.iter().map(|step| step.name.as_str()).collect();
        assert_eq!(names, ["begin1", "update2", "update3", "update4", "commit5"]);
        assert_eq!(recorded.before.len(), 3, "what was committed before it: {:?}", recorded.before);
        let shape = recorded.shapes[1];
        assert_eq!(recorded.keys(shape, 0), [vec!["1", "2"], vec!["3", "2", "9"]]);
    }

    #[test]
    fn without_values_the_way_to_get_them_is_told() {
        let found = transactions(&trace(&TRANSFERS, false), "app");
        assert!(found.recorded.is_empty());
        assert!(found.unusable[0].1.contains("--keep-values"), "{:?}", found.unusable);
    }

    #[test]
    fn statements_fit_between_the_braces_of_a_spec() {
        assert_eq!(printable("SELECT '{\"a\\b\": 1}', 2 /* } */"), "SELECT E'{\"a\\\\b\": 1\\x7d', 2 ");
        assert_eq!(printable("SELECT 1"), "SELECT 1");
    }

    #[test]
    fn titles_say_what_is_done_to_which_table() {
        let table = |text: &str| table_of(&crate::sql::shape::shape(text).text);
        assert_eq!(table("UPDATE ONLY \"Order\" SET a = 1"), "Order");
        assert_eq!(table("INSERT INTO items (a) SELECT 1 FROM orders"), "items");
        assert_eq!(table("SELECT * FROM orders FOR UPDATE"), "orders");
        assert_eq!(table("LOCK TABLE orders"), "orders");
    }
}
