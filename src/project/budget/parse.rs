//! The grammar of budgets: a comma-separated list, each with a place to point at when it is wrong.

use super::{Budget, BudgetRule, CounterMetric, PlanRule, TimeLimit, TimeMetric};
use crate::project::nearest::nearest;
use std::ops::Range;

/// What is wrong with a budget, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetError {
    /// Byte range, the offset given to the parser included.
    pub span: Range<usize>,
    /// One sentence without a full stop.
    pub message: String,
    /// The next step.
    pub help: String,
}

/// A budget with the places that can turn out wrong later.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::project) struct ParsedBudget {
    /// The budget.
    pub budget: Budget,
    /// Byte range of the volume's name.
    pub volume_span: Option<Range<usize>>,
}

const TIME_METRICS: [(&str, TimeMetric); 8] = [
    ("avg", TimeMetric::Avg),
    ("p50", TimeMetric::P50),
    ("p90", TimeMetric::P90),
    ("p95", TimeMetric::P95),
    ("p99", TimeMetric::P99),
    ("max", TimeMetric::Max),
    ("planning", TimeMetric::Planning),
    ("execution", TimeMetric::Execution),
];

const COUNTER_METRICS: [(&str, CounterMetric); 5] = [
    ("buffers", CounterMetric::Buffers),
    ("rows read per row", CounterMetric::RowsReadPerRow),
    ("temp blocks", CounterMetric::TempBlocks),
    ("wal bytes", CounterMetric::WalBytes),
    ("rows", CounterMetric::Rows),
];

/// The other things a budget can say, by their first words.
const PLAN_RULES: [&str; 4] = ["no seq scan", "no sort spill", "uses index", "estimate error"];

/// Microseconds.
const TIME_UNITS: [(&str, f64); 5] = [("us", 1.0), ("µs", 1.0), ("μs", 1.0), ("ms", 1e3), ("s", 1e6)];

/// Bytes; powers of 1024 as in the server's own settings.
const BYTE_UNITS: [(&str, f64); 4] =
    [("b", 1.0), ("kb", 1024.0), ("mb", 1024.0 * 1024.0), ("gb", 1024.0 * 1024.0 * 1024.0)];

impl Budget {
    /// Reads a comma-separated list. `offset` is where `text` begins in its file.
    ///
    /// # Errors
    /// Every budget that cannot be read, with its place.
    pub fn parse(text: &str, offset: usize) -> Result<Vec<Self>, Vec<BudgetError>> {
        let (budgets, errors) = Self::parse_each(text, offset);
        if errors.is_empty() {
            Ok(budgets.into_iter().map(|parsed| parsed.budget).collect())
        } else {
            Err(errors)
        }
    }

    /// The same, with the places of the volumes; what can be read is read beside what cannot.
    pub(in crate::project) fn parse_each(text: &str, offset: usize) -> (Vec<ParsedBudget>, Vec<BudgetError>) {
        let (mut budgets, mut errors) = (Vec::new(), Vec::new());
        let mut start = 0;
        for part in text.split(',') {
            let span = trimmed(part, start + offset);
            start += part.len() + 1;
            let mut reader = Reader { pieces: pieces(part.trim(), span.start), at: 0, span };
            match reader.budget(part) {
                Ok(budget) => budgets.push(budget),
                Err(error) => errors.push(error),
            }
        }
        (budgets, errors)
    }
}

/// The range of `part` without blanks around it.
fn trimmed(part: &str, start: usize) -> Range<usize> {
    let start = start + (part.len() - part.trim_start().len());
    start..start + part.trim().len()
}

#[derive(Debug, Clone, PartialEq)]
enum PieceKind {
    Word,
    Number(f64),
    Symbol,
}

#[derive(Debug, Clone, PartialEq)]
struct Piece<'a> {
    kind: PieceKind,
    text: &'a str,
    span: Range<usize>,
}

/// Words, numbers and symbols. `2ms` is a number and a word; `p95` is one word; so is `"A b"`.
fn pieces(text: &str, offset: usize) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        let while_true =
            |accept: fn(char) -> bool| rest.find(|character| !accept(character)).unwrap_or(rest.len());
        let (kind, length) = if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        } else if first.is_ascii_digit() {
            let length = while_true(|character| character.is_ascii_digit() || matches!(character, '.' | '_'));
            let number = rest[..length].replace('_', "").parse().unwrap_or(f64::NAN);
            (PieceKind::Number(number), length)
        } else if first == '"' {
            (PieceKind::Word, quoted_name(rest))
        } else if first.is_alphabetic() || first == '_' {
            let is_word = |character: char| {
                character.is_alphanumeric() || matches!(character, '_' | '.' | '-' | '$' | '"')
            };
            (PieceKind::Word, while_true(is_word))
        } else if matches!(first, '<' | '>' | '=') {
            (PieceKind::Symbol, while_true(|character| matches!(character, '<' | '>' | '=')))
        } else {
            (PieceKind::Symbol, first.len_utf8())
        };
        pieces.push(Piece { kind, text: &rest[..length], span: offset + at..offset + at + length });
        at += length;
    }
    pieces
}

/// The length of `"A b"`, `"A b"."C"`, `"A b".c`.
fn quoted_name(text: &str) -> usize {
    let mut is_quoted = false;
    let ends = |character: char| {
        is_quoted ^= character == '"';
        let is_inside =
            is_quoted || matches!(character, '"' | '.' | '_' | '$') || character.is_alphanumeric();
        !is_inside
    };
    text.find(ends).unwrap_or(text.len())
}

/// Goes over the pieces of one budget.
struct Reader<'a> {
    pieces: Vec<Piece<'a>>,
    at: usize,
    span: Range<usize>,
}

impl<'a> Reader<'a> {
    fn budget(&mut self, part: &str) -> Result<ParsedBudget, BudgetError> {
        let rule = self.rule()?;
        let mut volume = None;
        if self.take_if(|piece| piece.text == "@").is_some() {
            let name = self.name("volume", "write `p95 < 20ms @ medium`")?;
            volume = Some((name.text.to_owned(), name.span));
        }
        if let Some(extra) = self.pieces.get(self.at) {
            let help = "separate budgets by commas";
            return Err(error(
                extra.span.start..self.span.end,
                format!("did not expect `{}`", extra.text),
                help,
            ));
        }
        let text = part.split_whitespace().collect::<Vec<_>>().join(" ");
        let (volume, volume_span) = volume.unzip();
        Ok(ParsedBudget { budget: Budget { text, rule, volume, is_default: false }, volume_span })
    }

    fn rule(&mut self) -> Result<BudgetRule, BudgetError> {
        let start = self.at;
        let words = self.words();
        let phrase = words.iter().map(|word| word.text.to_lowercase()).collect::<Vec<_>>().join(" ");
        let phrase_span = match (words.first(), words.last()) {
            (Some(first), Some(last)) => first.span.start..last.span.end,
            _ => self.span.clone(),
        };
        if words.is_empty() {
            return Err(error(
                self.span.clone(),
                "a budget begins with a metric".to_owned(),
                "write `p95 < 2ms`",
            ));
        }
        if PLAN_RULES.iter().any(|rule| phrase.starts_with(rule)) {
            self.at = start;
            return self.plan_rule(&phrase);
        }
        if let Some((_, metric)) = TIME_METRICS.iter().find(|(name, _)| *name == phrase) {
            return self.time(*metric, &phrase);
        }
        if let Some((_, metric)) =
            COUNTER_METRICS.iter().find(|(name, _)| *name == phrase.replace(['-', '_'], " "))
        {
            return self.counter(*metric, &phrase);
        }
        Err(error(phrase_span, format!("unknown metric `{phrase}`"), &metrics_help(&phrase)))
    }

    fn plan_rule(&mut self, phrase: &str) -> Result<BudgetRule, BudgetError> {
        if phrase.starts_with("no seq scan") {
            self.at += 3;
            let table = match self.take_if(|piece| piece.text.eq_ignore_ascii_case("on")) {
                Some(_) => Some(identifier(self.name("table", "write `no seq scan on orders`")?.text)),
                None => None,
            };
            return Ok(BudgetRule::Plan(PlanRule::NoSeqScan(table)));
        }
        if phrase.starts_with("no sort spill") {
            self.at += 3;
            return Ok(BudgetRule::Plan(PlanRule::NoSortSpill));
        }
        if phrase.starts_with("uses index") {
            self.at += 2;
            let index = self.name("index", "write `uses index orders_user_id`")?;
            return Ok(BudgetRule::Plan(PlanRule::UsesIndex(identifier(index.text))));
        }
        self.at += 2;
        let help = "write `estimate error < 10x`";
        let inclusive = self.less_than(help)?;
        let (limit, span) = self.number(help)?;
        self.take_if(|piece| matches!(piece.text, "x" | "X" | "×"));
        if limit < 1.0 {
            return Err(error(span, "an estimate is never less than 1x off".to_owned(), help));
        }
        Ok(BudgetRule::Plan(PlanRule::EstimateErrorBelow(bound(limit, inclusive))))
    }

    fn time(&mut self, metric: TimeMetric, name: &str) -> Result<BudgetRule, BudgetError> {
        let help = format!("write `{name} < 2ms` or `{name} < 8 x ping`");
        self.less_than(&help)?;
        let (number, span) = self.number(&help)?;
        let Some(unit) = self.take_if(|piece| piece.kind == PieceKind::Word || piece.text == "×") else {
            let message = format!("`{name}` needs a unit of time");
            return Err(error(span, message, "units are us, ms and s; or `8 x ping`"));
        };
        let unit_text = unit.text.to_lowercase();
        if matches!(unit_text.as_str(), "x" | "×") {
            self.take_if(|piece| piece.text.eq_ignore_ascii_case("ping")).ok_or_else(|| {
                error(
                    unit.span.clone(),
                    "a multiple of what?".to_owned(),
                    &format!("write `{name} < 8 x ping`"),
                )
            })?;
            return Ok(BudgetRule::Time { metric, limit: TimeLimit::TimesPing(number) });
        }
        match TIME_UNITS.iter().find(|(name, _)| *name == unit_text) {
            Some((_, factor)) => {
                Ok(BudgetRule::Time { metric, limit: TimeLimit::AbsoluteUs(number * factor) })
            }
            None => Err(error(
                unit.span,
                format!("`{}` is not a unit of time", unit.text),
                "units are us, ms and s; or `8 x ping`",
            )),
        }
    }

    fn counter(&mut self, metric: CounterMetric, name: &str) -> Result<BudgetRule, BudgetError> {
        let help = format!("write `{name} < 50`");
        if metric == CounterMetric::Rows
            && let Some(symbol) = self.take_if(|piece| matches!(piece.text, ">=" | ">"))
        {
            return self.rows_at_least(symbol.text == ">");
        }
        let inclusive = self.less_than(&help)?;
        let (mut limit, _) = self.number(&help)?;
        if let Some(unit) = self.take_if(|piece| piece.kind == PieceKind::Word) {
            let factor = BYTE_UNITS.iter().find(|(name, _)| *name == unit.text.to_lowercase());
            match (metric, factor) {
                (CounterMetric::WalBytes, Some((_, factor))) => limit *= factor,
                (CounterMetric::WalBytes, None) => {
                    let message = format!("`{}` is not a unit of bytes", unit.text);
                    return Err(error(unit.span, message, "units are B, kB, MB and GB, in powers of 1024"));
                }
                _ => {
                    let message = format!("`{name}` is a plain number and takes no unit");
                    return Err(error(unit.span, message, &help));
                }
            }
        }
        Ok(BudgetRule::Counter { metric, limit: bound(limit, inclusive) })
    }

    fn rows_at_least(&mut self, is_exclusive: bool) -> Result<BudgetRule, BudgetError> {
        let help = "write `rows >= 1`";
        let (number, span) = self.number_from_zero(help)?;
        if number.fract() != 0.0 || number > 9e15 {
            return Err(error(span, "rows are counted in whole numbers".to_owned(), help));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "whole, not negative, below 2^53"
        )]
        let rows = number as u64 + u64::from(is_exclusive);
        Ok(BudgetRule::RowsAtLeast(rows))
    }

    /// Consumes `<` or `<=`; true for `<=`.
    fn less_than(&mut self, help: &str) -> Result<bool, BudgetError> {
        match self.pieces.get(self.at) {
            Some(piece) if matches!(piece.text, "<" | "<=") => {
                self.at += 1;
                Ok(piece.text == "<=")
            }
            Some(piece) => {
                Err(error(piece.span.clone(), format!("expected `<`, found `{}`", piece.text), help))
            }
            None => Err(error(self.span.end..self.span.end, "expected `<` and a limit".to_owned(), help)),
        }
    }

    /// A limit above zero: nothing stays below zero.
    fn number(&mut self, help: &str) -> Result<(f64, Range<usize>), BudgetError> {
        let (number, span) = self.number_from_zero(help)?;
        if number <= 0.0 {
            return Err(error(span, "nothing stays below a limit of 0".to_owned(), help));
        }
        Ok((number, span))
    }

    fn number_from_zero(&mut self, help: &str) -> Result<(f64, Range<usize>), BudgetError> {
        match self.pieces.get(self.at) {
            Some(Piece { kind: PieceKind::Number(number), span, .. }) if number.is_finite() => {
                self.at += 1;
                Ok((*number, span.clone()))
            }
            Some(piece) => Err(error(piece.span.clone(), format!("`{}` is not a number", piece.text), help)),
            None => Err(error(self.span.end..self.span.end, "the limit is missing".to_owned(), help)),
        }
    }

    fn name(&mut self, what: &str, help: &str) -> Result<Piece<'a>, BudgetError> {
        let end = self.span.end..self.span.end;
        self.take_if(|piece| piece.kind == PieceKind::Word)
            .ok_or_else(|| error(end, format!("the name of the {what} is missing"), help))
    }

    fn words(&mut self) -> Vec<Piece<'a>> {
        std::iter::from_fn(|| self.take_if(|piece| piece.kind == PieceKind::Word)).collect()
    }

    fn take_if(&mut self, accept: impl Fn(&Piece<'a>) -> bool) -> Option<Piece<'a>> {
        let piece = self.pieces.get(self.at).filter(|piece| accept(piece))?.clone();
        self.at += 1;
        Some(piece)
    }
}

fn error(span: Range<usize>, message: String, help: &str) -> BudgetError {
    BudgetError { span, message, help: help.to_owned() }
}

/// `value <= limit` is `value < bound`.
fn bound(limit: f64, inclusive: bool) -> f64 {
    if inclusive { limit.next_up() } else { limit }
}

/// Folds what is not quoted to lower case, as the server does, and takes quotes off except around a dot.
fn identifier(name: &str) -> String {
    let fold = |(at, part): (usize, &str)| match (at % 2, part.contains('.')) {
        (0, _) => part.to_lowercase(),
        (_, true) => format!("\"{part}\""),
        _ => part.to_owned(),
    };
    name.split('"').enumerate().map(fold).collect()
}

/// The metrics' names, shown where none is near.
fn metrics_help(phrase: &str) -> String {
    let names = || {
        let times = TIME_METRICS.iter().map(|(name, _)| *name);
        times.chain(COUNTER_METRICS.iter().map(|(name, _)| *name)).chain(PLAN_RULES)
    };
    match nearest(phrase, names()) {
        Some(known) => format!("did you mean `{known}`?"),
        None => format!("known: {}", names().collect::<Vec<_>>().join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rules(text: &str) -> Vec<BudgetRule> {
        Budget::parse(text, 0).expect(text).into_iter().map(|budget| budget.rule).collect()
    }

    fn time(metric: TimeMetric, limit_us: f64) -> BudgetRule {
        BudgetRule::Time { metric, limit: TimeLimit::AbsoluteUs(limit_us) }
    }

    fn counter(metric: CounterMetric, limit: f64) -> BudgetRule {
        BudgetRule::Counter { metric, limit }
    }

    #[test]
    fn times() {
        assert_eq!(
            rules("p95 < 2ms, avg<500 us, MAX <= 1.5 s, execution < 3µs"),
            vec![
                time(TimeMetric::P95, 2000.0),
                time(TimeMetric::Avg, 500.0),
                time(TimeMetric::Max, 1_500_000.0),
                time(TimeMetric::Execution, 3.0),
            ]
        );
        let ping = BudgetRule::Time { metric: TimeMetric::P50, limit: TimeLimit::TimesPing(8.0) };
        assert_eq!(
            rules("p50 < 8 x ping, p50 < 8x ping, p50 < 8 × ping"),
            vec![ping.clone(), ping.clone(), ping]
        );
    }

    #[test]
    fn counters() {
        assert_eq!(
            rules("buffers < 50, rows read per row < 10, temp blocks < 1, wal bytes < 8kB, rows < 1_000"),
            vec![
                counter(CounterMetric::Buffers, 50.0),
                counter(CounterMetric::RowsReadPerRow, 10.0),
                counter(CounterMetric::TempBlocks, 1.0),
                counter(CounterMetric::WalBytes, 8192.0),
                counter(CounterMetric::Rows, 1000.0),
            ]
        );
        assert_eq!(
            rules("rows >= 1, rows > 1"),
            vec![BudgetRule::RowsAtLeast(1), BudgetRule::RowsAtLeast(2)]
        );
        let [BudgetRule::Counter { limit, .. }] = rules("buffers <= 50")[..] else { panic!("a counter") };
        assert!(50.0 < limit && limit < 50.000_001);
    }

    #[test]
    fn plan_rules_and_volumes() {
        assert_eq!(
            rules(
                "no seq scan, no seq scan on Orders, uses index \"By User\", estimate error < 10x, no sort spill"
            ),
            vec![
                BudgetRule::Plan(PlanRule::NoSeqScan(None)),
                BudgetRule::Plan(PlanRule::NoSeqScan(Some("orders".to_owned()))),
                BudgetRule::Plan(PlanRule::UsesIndex("By User".to_owned())),
                BudgetRule::Plan(PlanRule::EstimateErrorBelow(10.0)),
                BudgetRule::Plan(PlanRule::NoSortSpill),
            ]
        );
        for (written, read) in [
            ("\"App\".\"Order Items\"", "App.Order Items"),
            ("App.\"Orders\"", "app.Orders"),
            ("\"a.b\".Orders", "\"a.b\".orders"),
        ] {
            let scan = BudgetRule::Plan(PlanRule::NoSeqScan(Some(read.to_owned())));
            assert_eq!(rules(&format!("no seq scan on {written}")), [scan], "{written}");
        }
        let (parsed, _) = Budget::parse_each("no seq scan  on app.orders @ medium", 10);
        assert_eq!(parsed[0].budget.volume.as_deref(), Some("medium"));
        assert_eq!(parsed[0].volume_span, Some(39..45));
        assert_eq!(parsed[0].budget.text, "no seq scan on app.orders @ medium");
    }

    #[test]
    fn what_is_wrong_is_pointed_at() {
        let check = |text: &str, marked: &str, message: &str| {
            let errors = Budget::parse(text, 0).expect_err(text);
            assert_eq!(errors[0].message, message, "{text}");
            assert_eq!(&text[errors[0].span.clone()], marked, "{text}");
            assert!(!errors[0].help.is_empty());
        };
        check("p95 < 2ms, p96 < 3ms", "p96", "unknown metric `p96`");
        check("p95 < 2", "2", "`p95` needs a unit of time");
        check("p95 < 2mins", "mins", "`mins` is not a unit of time");
        check("p95 > 2ms", ">", "expected `<`, found `>`");
        check("p95 <", "", "the limit is missing");
        check("p95 < fast", "fast", "`fast` is not a number");
        check("p95 < 1.2.3ms", "1.2.3", "`1.2.3` is not a number");
        check("p95 < 8 x", "x", "a multiple of what?");
        check("buffers < 50 blocks", "blocks", "`buffers` is a plain number and takes no unit");
        check("buffers < 0", "0", "nothing stays below a limit of 0");
        check("wal bytes < 8 kilos", "kilos", "`kilos` is not a unit of bytes");
        check("p95 < 2ms @", "", "the name of the volume is missing");
        check("p95 < 2ms p99 < 3ms", "p99 < 3ms", "did not expect `p99`");
        check("uses index", "", "the name of the index is missing");
        check("estimate error < 0.5", "0.5", "an estimate is never less than 1x off");
        check("p95 < 2ms,", "", "a budget begins with a metric");
        check("rows >= 1.5", "1.5", "rows are counted in whole numbers");
    }

    #[test]
    fn every_problem_is_reported() {
        let errors = Budget::parse("bufers < 2, buffers < 50, p95 < 2", 100).expect_err("two are wrong");
        assert_eq!(errors.iter().map(|error| error.span.start).collect::<Vec<_>>(), vec![100, 132]);
        assert_eq!(errors[0].help, "did you mean `buffers`?");
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in r#"(p95|rows|no seq scan|on|uses index|estimate error|[a-zé0-9 <>=.,@x×"-]){0,12}"#) {
            if let Err(errors) = Budget::parse(&text, 0) {
                for error in errors {
                    prop_assert!(text.get(error.span).is_some());
                }
            }
        }
    }
}
