//! An index that would serve the scan that throws most rows away, read off its
//! filter and the sort above it. A candidate is only a guess: `trial` creates
//! it in a clone and measures.

use crate::plan::{ConditionKind, Plan, PlanNode, Relations, Visit};
use crate::sql::lexer::{Token, TokenKind, tokens};

/// An index worth trying.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IndexCandidate {
    /// The table, as the plan names it.
    pub(crate) table: String,
    /// Its schema, where the name alone means another table or none.
    pub(crate) schema: Option<String>,
    /// Columns, each as `CREATE INDEX` takes it: equalities first, then either
    /// the sort's columns or one range.
    pub(crate) columns: Vec<String>,
}

impl IndexCandidate {
    /// The table as a statement names it.
    pub(crate) fn quoted_table(&self) -> String {
        self.qualified(&self.table)
    }

    /// A name in the table's schema.
    pub(crate) fn qualified(&self, name: &str) -> String {
        let table = identifier(name);
        self.schema.as_ref().map_or_else(|| table.clone(), |schema| format!("{}.{table}", identifier(schema)))
    }

    /// The statement that creates it, with a name where one is given.
    pub(crate) fn create_index(&self, name: Option<&str>) -> String {
        let name = name.map_or_else(String::new, |name| format!(" {name}"));
        format!("CREATE INDEX{name} ON {} ({})", self.quoted_table(), self.columns.join(", "))
    }
}

/// How a conjunct restricts its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Restriction {
    Equality,
    Range,
}

/// The candidate for the scan that throws most rows away. `None` where no
/// filter can be read as columns compared with values.
pub(crate) fn candidate(plan: &Plan, relations: &Relations) -> Option<IndexCandidate> {
    let worst = plan
        .walk()
        .filter(|visit| visit.node.reads_relation() && visit.node.relation.is_some())
        .max_by(|a, b| wasted(a.node).total_cmp(&wasted(b.node)))?;
    if wasted(worst.node) <= 0.0 {
        return None;
    }
    let mut restrictions = index_condition(worst.node);
    restrictions.extend(conjuncts(worst.node.condition(ConditionKind::Filter)?)?);
    let columns = arrange(&restrictions, &sort_columns(&worst));
    let table = worst.node.relation.clone()?;
    let schema = worst.node.schema.clone().filter(|schema| !relations.is_visible(schema, &table));
    (!columns.is_empty()).then_some(IndexCandidate { table, schema, columns })
}

fn wasted(node: &PlanNode) -> f64 {
    node.actual.map_or(0.0, |actual| node.rows_removed.by_filter * actual.loops)
}

/// What an index already searches for stays in front.
fn index_condition(node: &PlanNode) -> Vec<(String, Restriction)> {
    let conditions = [ConditionKind::IndexCond, ConditionKind::RecheckCond];
    conditions.into_iter().find_map(|kind| conjuncts(node.condition(kind)?)).unwrap_or_default()
}

fn arrange(restrictions: &[(String, Restriction)], sort: &[String]) -> Vec<String> {
    let mut columns: Vec<String> = Vec::new();
    let of = |wanted: Restriction| {
        restrictions.iter().filter(move |(_, restriction)| *restriction == wanted).map(|(column, _)| column)
    };
    for column in of(Restriction::Equality) {
        if !columns.contains(column) {
            columns.push(column.clone());
        }
    }
    let bare = |sorted: &str| sorted.split(' ').next().unwrap_or_default().to_owned();
    let range = of(Restriction::Range).find(|column| !columns.contains(column));
    // An index is in the sort's order only where no range comes before it.
    if sort.is_empty() || columns.is_empty() && range.is_some() {
        columns.extend(range.cloned());
    } else {
        let free: Vec<String> =
            sort.iter().filter(|sorted| !columns.contains(&bare(sorted))).cloned().collect();
        columns.extend(free);
    }
    columns
}

/// Columns of a sort right above the scan, such as `created_at DESC`.
fn sort_columns(scan: &Visit<'_>) -> Vec<String> {
    let Some(sort) = scan.parent.filter(|parent| parent.is_sort()) else { return Vec::new() };
    let keys: Option<Vec<String>> = sort.sort_key.iter().map(|key| sort_column(key)).collect();
    keys.unwrap_or_default()
}

fn sort_column(key: &str) -> Option<String> {
    let mut words = key.split(' ');
    let column = column_name(words.next()?)?;
    let rest: Vec<&str> = words.collect();
    let is_known = rest.iter().all(|word| matches!(*word, "DESC" | "NULLS" | "FIRST" | "LAST"));
    is_known.then(|| [&[column.as_str()], rest.as_slice()].concat().join(" "))
}

/// `created_at` of `o.created_at`; `None` for anything but a column.
fn column_name(text: &str) -> Option<String> {
    let significant: Vec<Token> = tokens(text).filter(|token| !token.kind.is_trivia()).collect();
    let (column, qualifiers) = significant.split_last()?;
    let is_plain = qualifiers.iter().all(|t| is_name(t) || t.kind == TokenKind::Dot);
    (is_name(column) && is_plain).then(|| column.text(text).to_owned())
}

fn is_name(token: &Token) -> bool {
    matches!(token.kind, TokenKind::Word | TokenKind::QuotedIdentifier)
}

/// The columns a condition compares with values, when it is nothing but
/// comparisons joined by AND. Comparisons of expressions are passed over.
fn conjuncts(condition: &str) -> Option<Vec<(String, Restriction)>> {
    let significant: Vec<Token> = tokens(condition).filter(|token| !token.kind.is_trivia()).collect();
    let is_word = |token: &Token, word| token.is_word(condition, word);
    let undecided = ["or", "not", "case", "subplan"];
    if significant.iter().any(|token| undecided.iter().any(|word| is_word(token, word))) {
        return None;
    }
    let parts = significant.split(|token| is_word(token, "and"));
    Some(parts.filter_map(|part| comparison(condition, part)).collect())
}

fn comparison(condition: &str, part: &[Token]) -> Option<(String, Restriction)> {
    let open = part.iter().take_while(|token| token.kind == TokenKind::OpenParenthesis).count();
    let operator = part.iter().position(|token| token.kind == TokenKind::Operator)?;
    let restriction = match part[operator].text(condition) {
        "=" => Restriction::Equality,
        "<" | ">" | "<=" | ">=" => Restriction::Range,
        _ => return None,
    };
    let left = part.get(open..operator)?;
    let names = left.iter().take_while(|token| is_name(token) || token.kind == TokenKind::Dot).count();
    let column = left.get(names.checked_sub(1)?)?;
    // What follows a column may close parentheses and cast, but not call or compute.
    let tail = &left[names..];
    let is_column = tail
        .iter()
        .all(|token| matches!(token.kind, TokenKind::CloseParenthesis | TokenKind::Cast | TokenKind::Word));
    is_column.then(|| (column.text(condition).to_owned(), restriction))
}

fn identifier(name: &str) -> String {
    let plain = name
        .chars()
        .enumerate()
        .all(|(at, c)| c.is_ascii_lowercase() || c == '_' || at > 0 && c.is_ascii_digit());
    if plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(filter: &str, sort: &[&str], expected: Option<&str>) {
        let scan = format!(
            r#"{{"Node Type": "Seq Scan", "Relation Name": "orders", "Alias": "o", "Filter": {filter:?},
                "Rows Removed by Filter": 2490, "Actual Rows": 10, "Actual Loops": 1}}"#
        );
        let text = if sort.is_empty() {
            format!(r#"[{{"Plan": {scan}}}]"#)
        } else {
            format!(
                r#"[{{"Plan": {{"Node Type": "Sort", "Sort Key": {sort:?}, "Actual Rows": 10, "Actual Loops": 1,
                    "Plans": [{scan}]}}}}]"#
            )
        };
        let found = candidate(&Plan::parse(&text).unwrap(), &Relations::default())
            .map(|candidate| candidate.create_index(None));
        assert_eq!(found.as_deref(), expected, "{filter}");
    }

    #[test]
    fn equalities_come_first_then_the_sort() {
        check("(user_id = 17)", &[], Some("CREATE INDEX ON orders (user_id)"));
        check(
            "(user_id = $1)",
            &["created_at DESC"],
            Some("CREATE INDEX ON orders (user_id, created_at DESC)"),
        );
        check(
            "((total > 5) AND ((status)::text = 'paid'::text))",
            &[],
            Some("CREATE INDEX ON orders (status, total)"),
        );
        check("(o.id = ANY ('{1,2}'::integer[]))", &["o.total"], Some("CREATE INDEX ON orders (id, total)"));
    }

    #[test]
    fn a_range_alone_is_not_followed_by_the_sort() {
        check("(total >= 5)", &["created_at"], Some("CREATE INDEX ON orders (total)"));
    }

    #[test]
    fn what_is_not_a_column_and_a_value_makes_no_candidate() {
        check("((user_id = 17) OR (total > 3))", &[], None);
        check("(lower(status) = 'paid'::text)", &[], None);
        check("(status ~~ '%a%'::text)", &[], None);
        check("(NOT paid)", &[], None);
    }

    #[test]
    fn names_that_need_quotes_get_them() {
        let columns = vec!["\"User\"".to_owned()];
        let mut candidate = IndexCandidate { table: "Orders".into(), schema: None, columns };
        assert_eq!(candidate.create_index(Some("x")), "CREATE INDEX x ON \"Orders\" (\"User\")");
        candidate.schema = Some("audit".into());
        assert_eq!(candidate.create_index(None), "CREATE INDEX ON audit.\"Orders\" (\"User\")");
    }
}
