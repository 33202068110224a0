//! A child asked per row, rewritten to be asked once for many. Pure.
//!
//! Plain selections become `key = ANY($n)`; whatever counts, limits or calls
//! per row is joined laterally to the list of keys, which keeps its meaning.

use super::reading::numbered;
use sqlparser::ast::{
    BinaryOperator, Expr, GroupByExpr, Ident, Query, Select, SelectItem, SetExpr, Statement, Value,
    ValueWithSpan, Visit, Visitor,
};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;
use std::ops::ControlFlow;

/// A child and its batched form. Both have the same parameters, but that the
/// batched one takes an array where the child takes the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Batch {
    /// The child with `$n` parameters.
    pub(super) child_sql: String,
    /// The batched form; its first column is the key. For the lateral form
    /// `{type}` stands for the key's type.
    pub(super) batched_sql: String,
}

/// Rewrites a child whose placeholder `position` (zero-based) varies. The
/// error is a phrase after "because".
pub(super) fn batch(shape: &str, position: usize) -> Result<Batch, String> {
    let child_sql = numbered(shape);
    let parsed = Parser::parse_sql(&PostgreSqlDialect {}, &child_sql)
        .map_err(|error| format!("its text cannot be parsed ({error})"))?;
    let [Statement::Query(query)] = parsed.as_slice() else {
        return Err("it is not a single query".into());
    };
    if !query.locks.is_empty() {
        return Err("it locks rows".into());
    }
    let key = format!("${}", position + 1);
    let batched_sql = match any_form(query, &key) {
        Some(sql) => sql,
        None => lateral_form(&child_sql, &key)?,
    };
    Ok(Batch { child_sql, batched_sql })
}

/// `SELECT key, … WHERE key = ANY($n)`, where that means the same.
fn any_form(query: &Query, key: &str) -> Option<String> {
    let mut query = query.clone();
    let is_plain = query.with.is_none()
        && query.limit_clause.is_none()
        && query.fetch.is_none()
        && query.for_clause.is_none()
        && count_placeholders(&query, key) == 1;
    let SetExpr::Select(select) = query.body.as_mut() else {
        return None;
    };
    if !is_plain || !is_plain_select(select) {
        return None;
    }
    let column = rewrite_condition(select.selection.as_mut()?, key)?;
    select.projection.insert(0, SelectItem::ExprWithAlias { expr: column, alias: Ident::new("batch_key") });
    query.order_by = None;
    Some(query.to_string())
}

fn is_plain_select(select: &Select) -> bool {
    let no_groups = matches!(&select.group_by, GroupByExpr::Expressions(list, _) if list.is_empty());
    let plain_columns = select.projection.iter().all(|item| match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => {
            matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::Value(_))
        }
        SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..) => true,
        _ => false,
    });
    no_groups
        && plain_columns
        && select.distinct.is_none()
        && select.having.is_none()
        && select.into.is_none()
        && select.named_window.is_empty()
}

/// Turns the one conjunct `column = $n` into `column = ANY($n)`; the column.
fn rewrite_condition(condition: &mut Expr, key: &str) -> Option<Expr> {
    match condition {
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
            rewrite_condition(left, key).or_else(|| rewrite_condition(right, key))
        }
        Expr::Nested(inner) => rewrite_condition(inner, key),
        Expr::BinaryOp { left, op: BinaryOperator::Eq, right } => {
            let (column, value) = if is_key(right, key) { (left, right) } else { (right, left) };
            if !is_key(value, key) || !is_column(column) {
                return None;
            }
            let (column, value) = (column.clone(), value.clone());
            *condition = any_of(column.clone(), value);
            Some(*column)
        }
        Expr::InList { expr, list, negated: false } => match list.as_slice() {
            [value] if is_key(value, key) && is_column(expr) => {
                let (column, value) = (expr.clone(), Box::new(value.clone()));
                *condition = any_of(column.clone(), value);
                Some(*column)
            }
            _ => None,
        },
        _ => None,
    }
}

fn any_of(left: Box<Expr>, right: Box<Expr>) -> Expr {
    Expr::AnyOp { left, compare_op: BinaryOperator::Eq, right, is_some: false }
}

fn is_key(expr: &Expr, key: &str) -> bool {
    match expr {
        Expr::Value(value) => matches!(&value.value, Value::Placeholder(name) if name == key),
        Expr::Nested(inner) => is_key(inner, key),
        _ => false,
    }
}

fn is_column(expr: &Expr) -> bool {
    matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_))
}

fn count_placeholders(query: &Query, key: &str) -> usize {
    struct Count<'k>(&'k str, usize);
    impl Visitor for Count<'_> {
        type Break = ();

        fn pre_visit_value(&mut self, value: &ValueWithSpan) -> ControlFlow<()> {
            self.1 += usize::from(matches!(&value.value, Value::Placeholder(name) if name == self.0));
            ControlFlow::Continue(())
        }
    }
    let mut count = Count(key, 0);
    let _ = query.visit(&mut count);
    count.1
}

/// The child once per key, in one statement.
fn lateral_form(child_sql: &str, key: &str) -> Result<String, String> {
    let mut child = String::with_capacity(child_sql.len() + 16);
    let mut replaced = 0;
    for token in crate::sql::lexer::tokens(child_sql) {
        let text = token.text(child_sql);
        if token.kind == crate::sql::lexer::TokenKind::PositionalParameter && text == key {
            child.push_str("batch.key");
            replaced += 1;
        } else {
            child.push_str(text);
        }
    }
    if replaced == 0 {
        return Err("its key is not a plain parameter".into());
    }
    Ok(format!(
        "SELECT batch.key AS batch_key, child.* FROM unnest({key}::{{type}}[]) AS batch(key) CROSS JOIN LATERAL ({child}) AS child"
    ))
}

#[cfg(test)]
mod tests {
    use super::batch;

    fn check(statement: &str, position: usize, expected: &str) {
        let shape = crate::sql::shape::shape(statement).text;
        assert_eq!(
            batch(&shape, position).map(|batch| batch.batched_sql).as_deref(),
            Ok(expected),
            "{statement}"
        );
    }

    #[test]
    fn plain_selections_take_a_list() {
        check(
            "SELECT id, email FROM users WHERE id = $1",
            0,
            "SELECT id AS batch_key, id, email FROM users WHERE id = ANY($1)",
        );
        check(
            "SELECT u.* FROM users u WHERE u.tenant_id = $1 AND u.id IN ($2) ORDER BY u.name",
            1,
            "SELECT u.id AS batch_key, u.* FROM users u WHERE u.tenant_id = $1 AND u.id = ANY($2)",
        );
    }

    #[test]
    fn what_counts_or_limits_per_row_is_joined_laterally() {
        check(
            "SELECT count(*) FROM order_items WHERE order_id = $1",
            0,
            "SELECT batch.key AS batch_key, child.* FROM unnest($1::{type}[]) AS batch(key) CROSS JOIN LATERAL (select count(*) from order_items where order_id = batch.key) AS child",
        );
        for statement in [
            "SELECT id FROM orders WHERE user_id = $1 ORDER BY created_at LIMIT 3",
            "SELECT EXISTS(SELECT FROM payments WHERE order_id = $1)",
            "SELECT order_total($1)",
            "SELECT id FROM t WHERE id = $1 OR parent_id = 3",
        ] {
            let shape = crate::sql::shape::shape(statement).text;
            assert!(batch(&shape, 0).unwrap().batched_sql.contains("LATERAL"), "{statement}");
        }
    }

    #[test]
    fn some_children_stay_as_they_are() {
        for (statement, reason) in [
            ("SELECT id FROM t WHERE id = $1 FOR UPDATE", "it locks rows"),
            ("UPDATE t SET a = 1 WHERE id = $1", "it is not a single query"),
            ("SELECT (", "cannot be parsed"),
        ] {
            let shape = crate::sql::shape::shape(statement).text;
            let refusal = batch(&shape, 0).unwrap_err();
            assert!(refusal.contains(reason), "{refusal}");
        }
    }
}
