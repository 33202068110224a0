//! A child asked per row, rewritten to be asked once for many. Pure.
//!
//! Plain selections become `key = ANY($n)`, or with several keys
//! `(a, b) IN (SELECT * FROM unnest($1, $2))`; whatever counts, limits or calls
//! per row is joined laterally to the list of keys, which keeps its meaning.

use super::reading::numbered;
use crate::postgres::quote_literal;
use crate::sql::lexer::{TokenKind, tokens};
use sqlparser::ast::{
    BinaryOperator, Expr, GroupByExpr, Ident, LimitClause, Query, Select, SelectItem, SetExpr, Statement,
    Value, ValueWithSpan, Visit, Visitor,
};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

/// A child and its batched form. Both have the same parameters, but that the
/// batched one takes arrays where the child takes keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Batch {
    /// The child with `$n` parameters.
    pub(super) child_sql: String,
    /// The batched form; its first columns are the keys, in the order of their
    /// places. `{type n}` stands for the type of parameter `$n`.
    pub(super) batched_sql: String,
    /// Whether it is the child once per key, which may return a row, such as a count, where there is nothing.
    pub(super) is_lateral: bool,
}

/// A parent and its child in one statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Join {
    /// The parent alone.
    pub(super) parent_sql: String,
    /// The child alone, with `$1` for its key.
    pub(super) child_sql: String,
    /// Both: the parent's columns, the child's key as `batch_key`, the child's columns.
    pub(super) joined_sql: String,
}

/// A child, parsed.
pub(super) struct Child {
    query: Box<Query>,
    sql: String,
}

impl Child {
    /// Reads a shape. The error is a phrase after "because".
    pub(super) fn parse(shape: &str) -> Result<Self, String> {
        Self::read(numbered(shape))
    }

    fn read(sql: String) -> Result<Self, String> {
        let parsed = Parser::parse_sql(&PostgreSqlDialect {}, &sql)
            .map_err(|error| format!("its text cannot be parsed ({error})"))?;
        let Ok([Statement::Query(query)]) = <[Statement; 1]>::try_from(parsed) else {
            return Err("it is not a single query".into());
        };
        if !query.locks.is_empty() {
            return Err("it locks rows".into());
        }
        Ok(Self { query, sql })
    }

    /// With `$n` parameters.
    pub(super) fn sql(&self) -> &str {
        &self.sql
    }

    /// Leaves out the LIMIT at the end where it is this parameter (zero-based)
    /// and nothing stands behind it: what remains has the others at their places.
    pub(super) fn without_limit(mut self, position: usize) -> Option<Self> {
        let limit = format!("${}", position + 1);
        let is_it = matches!(&self.query.limit_clause, Some(LimitClause::LimitOffset { limit: Some(given), offset: None, limit_by })
            if is_key(given, &limit) && limit_by.is_empty());
        if !is_it || self.query.fetch.is_some() {
            return None;
        }
        self.query.limit_clause = None;
        self.sql = self.query.to_string();
        Some(self)
    }

    /// The child with `$1` for its key and a value for each of its other parameters (places from
    /// zero). None where a value is missing.
    pub(super) fn with_values(&self, key: usize, values: &BTreeMap<usize, String>) -> Option<Self> {
        let mut sql = String::with_capacity(self.sql.len() + 16);
        for token in tokens(&self.sql) {
            let text = token.text(&self.sql);
            if token.kind != TokenKind::PositionalParameter {
                sql.push_str(text);
                continue;
            }
            let at = text.get(1..)?.parse::<usize>().ok()?.checked_sub(1)?;
            match at == key {
                true => sql.push_str("$1"),
                false => sql.push_str(&quote_literal(values.get(&at)?)),
            }
        }
        Self::read(sql).ok()
    }

    /// Joins the child to its parent, a statement without parameters: every row of the parent, with
    /// what the child returns for it. None where the child is no look-up by the one placeholder that
    /// it has, or the parent no plain selection.
    pub(super) fn join(&self, parent_sql: &str, column: &str) -> Option<Join> {
        let mut child = plain_query(&self.query, &["$1".into()])?;
        if count_placeholders(&child, None) != 1 {
            return None;
        }
        let select = select_of(&mut child)?;
        let mut conjuncts = Vec::new();
        flatten(select.selection.take()?, &mut conjuncts);
        let at = conjuncts.iter().position(|conjunct| equated(conjunct, "$1").is_some())?;
        let expr = equated(&conjuncts.remove(at), "$1")?;
        let alias = Ident::new("batch_key");
        select.projection.insert(0, SelectItem::ExprWithAlias { expr, alias });
        let rest: Vec<String> = conjuncts.iter().map(Expr::to_string).collect();
        let condition =
            if rest.is_empty() { String::new() } else { format!(" WHERE {}", rest.join(" AND ")) };
        let parent = parent(parent_sql)?;
        let column = Ident { quote_style: is_to_be_quoted(column).then_some('"'), ..Ident::new(column) };
        Some(Join {
            joined_sql: format!(
                "SELECT parent.*, child.* FROM ({parent}) AS parent LEFT JOIN ({child}{condition}) AS child ON child.batch_key = parent.{column}"
            ),
            parent_sql: parent.to_string(),
            child_sql: self.sql.clone(),
        })
    }

    /// Rewrites the child, whose placeholders at `positions` (zero-based, ascending) vary.
    pub(super) fn batch(&self, positions: &[usize]) -> Result<Batch, String> {
        let keys: Vec<String> = positions.iter().map(|position| format!("${}", position + 1)).collect();
        let plain = match keys.as_slice() {
            [key] => any_form(&self.query, key),
            keys => tuple_form(&self.query, keys),
        };
        let is_lateral = plain.is_none();
        let batched_sql = match plain {
            Some(sql) => sql,
            None => lateral_form(&self.sql, &keys)?,
        };
        Ok(Batch { child_sql: self.sql.clone(), batched_sql, is_lateral })
    }
}

/// `SELECT key, … WHERE key = ANY($n)`, where that means the same.
fn any_form(query: &Query, key: &str) -> Option<String> {
    let mut query = plain_query(query, &[key.to_owned()])?;
    let select = select_of(&mut query)?;
    let column = rewrite_condition(select.selection.as_mut()?, key)?;
    select.projection.insert(0, SelectItem::ExprWithAlias { expr: column, alias: Ident::new("batch_key") });
    Some(query.to_string())
}

/// `SELECT keys, … WHERE (a, b) IN (SELECT * FROM unnest($1, $2))`, where that means the same.
fn tuple_form(query: &Query, keys: &[String]) -> Option<String> {
    let mut query = plain_query(query, keys)?;
    let select = select_of(&mut query)?;
    let mut conjuncts = Vec::new();
    flatten(select.selection.take()?, &mut conjuncts);
    let mut columns = Vec::new();
    for key in keys {
        let at = conjuncts.iter().position(|conjunct| equated(conjunct, key).is_some())?;
        columns.push(equated(&conjuncts.remove(at), key)?);
    }
    let lists: Vec<String> = keys.iter().map(|key| format!("{key}::{{type {}}}[]", &key[1..])).collect();
    let names: Vec<String> = columns.iter().map(Expr::to_string).collect();
    let is_among = format!("({}) IN (SELECT * FROM unnest({}))", names.join(", "), lists.join(", "));
    let conditions: Vec<String> = conjuncts.iter().map(Expr::to_string).chain([is_among]).collect();
    for (at, expr) in columns.into_iter().enumerate() {
        let alias = Ident::new(format!("batch_key_{}", at + 1));
        select.projection.insert(at, SelectItem::ExprWithAlias { expr, alias });
    }
    Some(format!("{query} WHERE {}", conditions.join(" AND ")))
}

/// A plain selection without parameters or locks, as the left side of a join.
fn parent(sql: &str) -> Option<Box<Query>> {
    let parsed = Parser::parse_sql(&PostgreSqlDialect {}, sql).ok()?;
    let Ok([Statement::Query(mut query)]) = <[Statement; 1]>::try_from(parsed) else { return None };
    let is_plain = query.with.is_none()
        && query.locks.is_empty()
        && count_placeholders(&query, None) == 0
        && select_of(&mut query)?.into.is_none();
    is_plain.then_some(query)
}

/// Whether a name means another one without quotes.
fn is_to_be_quoted(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    !name.chars().all(is_plain) || name.starts_with(|c: char| c.is_ascii_digit())
}

/// The query without its order, where nothing in it depends on how many keys it is asked for.
fn plain_query(query: &Query, keys: &[String]) -> Option<Query> {
    let is_plain = query.with.is_none()
        && query.limit_clause.is_none()
        && query.fetch.is_none()
        && query.for_clause.is_none()
        && keys.iter().all(|key| count_placeholders(query, Some(key)) == 1);
    let mut query = query.clone();
    query.order_by = None;
    (is_plain && is_plain_select(select_of(&mut query)?)).then_some(query)
}

fn select_of(query: &mut Query) -> Option<&mut Select> {
    match query.body.as_mut() {
        SetExpr::Select(select) => Some(select),
        _ => None,
    }
}

/// The parts of a conjunction; of an equation of rows, one for each column.
fn flatten(condition: Expr, conjuncts: &mut Vec<Expr>) {
    match condition {
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
            flatten(*left, conjuncts);
            flatten(*right, conjuncts);
        }
        Expr::Nested(inner)
            if matches!(*inner, Expr::BinaryOp { op: BinaryOperator::And | BinaryOperator::Eq, .. }) =>
        {
            flatten(*inner, conjuncts);
        }
        Expr::BinaryOp { left, op: BinaryOperator::Eq, right } => match (*left, *right) {
            (Expr::Tuple(left), Expr::Tuple(right)) if left.len() == right.len() => {
                conjuncts.extend(left.into_iter().zip(right).map(|(left, right)| Expr::BinaryOp {
                    left: Box::new(left),
                    op: BinaryOperator::Eq,
                    right: Box::new(right),
                }));
            }
            (left, right) => conjuncts.push(Expr::BinaryOp {
                left: Box::new(left),
                op: BinaryOperator::Eq,
                right: Box::new(right),
            }),
        },
        other => conjuncts.push(other),
    }
}

/// The column of `column = $n`.
fn equated(conjunct: &Expr, key: &str) -> Option<Expr> {
    let Expr::BinaryOp { left, op: BinaryOperator::Eq, right } = conjunct else {
        return None;
    };
    let (column, value) = if is_key(right, key) { (left, right) } else { (right, left) };
    (is_key(value, key) && is_column(column)).then(|| (**column).clone())
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

/// How often a placeholder stands in a query; without a name, how many there are.
fn count_placeholders(query: &Query, key: Option<&str>) -> usize {
    struct Count<'k>(Option<&'k str>, usize);
    impl Visitor for Count<'_> {
        type Break = ();

        fn pre_visit_value(&mut self, value: &ValueWithSpan) -> ControlFlow<()> {
            self.1 += usize::from(
                matches!(&value.value, Value::Placeholder(name) if self.0.is_none_or(|key| name == key)),
            );
            ControlFlow::Continue(())
        }
    }
    let mut count = Count(key, 0);
    let _ = query.visit(&mut count);
    count.1
}

/// The child once per key, in one statement.
fn lateral_form(child_sql: &str, keys: &[String]) -> Result<String, String> {
    let name = |at: usize| if keys.len() == 1 { "key".to_owned() } else { format!("key_{}", at + 1) };
    let mut child = String::with_capacity(child_sql.len() + 16);
    let mut replaced = BTreeSet::new();
    for token in tokens(child_sql) {
        let text = token.text(child_sql);
        let key = keys.iter().position(|key| key == text);
        match key.filter(|_| token.kind == TokenKind::PositionalParameter) {
            Some(at) => {
                child.push_str(&format!("batch.{}", name(at)));
                replaced.insert(at);
            }
            None => child.push_str(text),
        }
    }
    if replaced.len() < keys.len() {
        return Err("its key is not a plain parameter".into());
    }
    let places = 0..keys.len();
    let listed = |part: &dyn Fn(usize) -> String| places.clone().map(part).collect::<Vec<_>>().join(", ");
    Ok(format!(
        "SELECT {}, child.* FROM unnest({}) AS batch({}) CROSS JOIN LATERAL ({child}) AS child",
        listed(&|at| format!("batch.{0} AS batch_{0}", name(at))),
        listed(&|at| format!("{}::{{type {}}}[]", keys[at], &keys[at][1..])),
        listed(&name),
    ))
}

#[cfg(test)]
mod tests {
    use super::{Batch, Child};

    fn batch(shape: &str, positions: &[usize]) -> Result<Batch, String> {
        Child::parse(shape)?.batch(positions)
    }

    fn check(statement: &str, positions: &[usize], expected: &str) {
        let shape = crate::sql::shape::shape(statement).text;
        assert_eq!(
            batch(&shape, positions).map(|batch| batch.batched_sql).as_deref(),
            Ok(expected),
            "{statement}"
        );
    }

    #[test]
    fn plain_selections_take_a_list() {
        check(
            "SELECT id, email FROM users WHERE id = $1",
            &[0],
            "SELECT id AS batch_key, id, email FROM users WHERE id = ANY($1)",
        );
        check(
            "SELECT u.* FROM users u WHERE u.tenant_id = $1 AND u.id IN ($2) ORDER BY u.name",
            &[1],
            "SELECT u.id AS batch_key, u.* FROM users u WHERE u.tenant_id = $1 AND u.id = ANY($2)",
        );
    }

    #[test]
    fn what_counts_or_limits_per_row_is_joined_laterally() {
        check(
            "SELECT count(*) FROM order_items WHERE order_id = $1",
            &[0],
            "SELECT batch.key AS batch_key, child.* FROM unnest($1::{type 1}[]) AS batch(key) CROSS JOIN LATERAL (select count(*) from order_items where order_id = batch.key) AS child",
        );
        for statement in [
            "SELECT id FROM orders WHERE user_id = $1 ORDER BY created_at LIMIT 3",
            "SELECT EXISTS(SELECT FROM payments WHERE order_id = $1)",
            "SELECT order_total($1)",
            "SELECT id FROM t WHERE id = $1 OR parent_id = 3",
        ] {
            let shape = crate::sql::shape::shape(statement).text;
            assert!(batch(&shape, &[0]).unwrap().batched_sql.contains("LATERAL"), "{statement}");
        }
    }

    #[test]
    fn several_keys_are_looked_up_as_rows() {
        let expected = "SELECT product_id AS batch_key_1, warehouse_id AS batch_key_2, amount FROM stock WHERE (product_id, warehouse_id) IN (SELECT * FROM unnest($1::{type 1}[], $2::{type 2}[]))";
        check("SELECT amount FROM stock WHERE product_id = $1 AND warehouse_id = $2", &[0, 1], expected);
        check("SELECT amount FROM stock WHERE (product_id, warehouse_id) = ($1, $2)", &[0, 1], expected);
        check(
            "SELECT amount FROM stock WHERE tenant = $1 AND product_id = $2 AND (warehouse_id = $3)",
            &[1, 2],
            "SELECT product_id AS batch_key_1, warehouse_id AS batch_key_2, amount FROM stock WHERE tenant = $1 AND (product_id, warehouse_id) IN (SELECT * FROM unnest($2::{type 2}[], $3::{type 3}[]))",
        );
        check(
            "SELECT sum(amount) FROM stock WHERE product_id = $1 AND warehouse_id = $2",
            &[0, 1],
            "SELECT batch.key_1 AS batch_key_1, batch.key_2 AS batch_key_2, child.* FROM unnest($1::{type 1}[], $2::{type 2}[]) AS batch(key_1, key_2) CROSS JOIN LATERAL (select sum(amount) from stock where product_id = batch.key_1 and warehouse_id = batch.key_2) AS child",
        );
    }

    #[test]
    fn a_limit_at_the_end_can_be_left_out() {
        let child = |text: &str| Child::parse(&crate::sql::shape::shape(text).text).unwrap();
        let bare = child("SELECT id FROM users WHERE id = $1 LIMIT 21").without_limit(1).unwrap();
        assert_eq!(
            bare.batch(&[0]).unwrap().batched_sql,
            "SELECT id AS batch_key, id FROM users WHERE id = ANY($1)"
        );
        assert!(child("SELECT id FROM users WHERE id = $1 LIMIT 2 OFFSET 3").without_limit(1).is_none());
        assert!(child("SELECT id FROM users WHERE id = $1").without_limit(0).is_none());
    }

    #[test]
    fn a_look_up_is_joined_to_its_parent() {
        let join = |child: &str, parent: &str| {
            let child = Child::parse(&crate::sql::shape::shape(child).text).unwrap();
            child.join(parent, "user_id").map(|join| join.joined_sql)
        };
        let orders = "SELECT id, user_id FROM orders WHERE total > 5 ORDER BY id LIMIT 20";
        assert_eq!(
            join("SELECT id, email FROM users WHERE deleted_at IS NULL AND id = $1 ORDER BY id", orders)
                .as_deref(),
            Some(
                "SELECT parent.*, child.* FROM (SELECT id, user_id FROM orders WHERE total > 5 ORDER BY id LIMIT 20) AS parent LEFT JOIN (SELECT id AS batch_key, id, email FROM users WHERE deleted_at IS NULL) AS child ON child.batch_key = parent.user_id"
            )
        );
        let look_up = "SELECT id FROM users WHERE id = $1";
        for (child, parent) in [
            ("SELECT count(*) FROM users WHERE id = $1", orders),
            ("SELECT id FROM users WHERE id = $1 LIMIT 3", orders),
            ("SELECT id FROM users WHERE id = $1 AND tenant_id = $2", orders),
            ("SELECT id FROM users WHERE id > $1", orders),
            (look_up, "SELECT user_id FROM orders FOR UPDATE"),
            (look_up, "SELECT user_id FROM orders WHERE id = $1"),
            (look_up, "SELECT user_id FROM orders; SELECT 1"),
            (look_up, "WITH o AS (SELECT user_id FROM orders) SELECT user_id FROM o"),
            (look_up, "UPDATE orders SET total = 0 RETURNING user_id"),
            (look_up, "DECLARE c CURSOR FOR SELECT user_id FROM orders"),
        ] {
            assert_eq!(join(child, parent), None, "{child} / {parent}");
        }
    }

    #[test]
    fn what_is_always_the_same_is_written_into_the_join() {
        let child = "SELECT id FROM users WHERE name = $1 AND tenant = $2 AND id = $3";
        let child = Child::parse(&crate::sql::shape::shape(child).text).unwrap();
        let values =
            |known: &[(usize, &str)]| known.iter().map(|(at, value)| (*at, (*value).into())).collect();
        let written = child.with_values(2, &values(&[(0, "O'Neil?"), (1, "7")])).unwrap();
        let joined = written.join("SELECT user_id FROM orders", "user_id").unwrap();
        assert!(joined.joined_sql.contains("WHERE name = 'O''Neil?' AND tenant = '7')"), "{joined:?}");
        assert!(joined.child_sql.ends_with("id = $1"), "{joined:?}");
        assert!(child.with_values(2, &values(&[(0, "a")])).is_none());
    }

    #[test]
    fn some_children_stay_as_they_are() {
        for (statement, reason) in [
            ("SELECT id FROM t WHERE id = $1 FOR UPDATE", "it locks rows"),
            ("UPDATE t SET a = 1 WHERE id = $1", "it is not a single query"),
            ("SELECT (", "cannot be parsed"),
        ] {
            let shape = crate::sql::shape::shape(statement).text;
            let refusal = batch(&shape, &[0]).unwrap_err();
            assert!(refusal.contains(reason), "{refusal}");
        }
    }
}
