//! What a shape's text says about its placeholders: which column each is
//! compared with and how, and which tables are read.
//!
//! Lexical on purpose: it runs on every shape of a trace, and what it cannot
//! tell it leaves out. The detector uses it to weigh evidence, never as proof.

mod identity;
mod placeholders;
mod tables;
mod words;

use crate::sql::statement::{StatementKind, statement_kind};
pub(super) use identity::identity;
use placeholders::placeholders;
use tables::{Table, tables};
use words::Words;

/// What a shape does, as far as detection cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Reads rows; a candidate child.
    Read,
    /// Changes rows.
    Write,
    /// FETCH or MOVE of a cursor: rows of its DECLARE.
    Fetch,
    /// Transaction control, settings, catalogue reads, sequences, COPY: never a child.
    Other,
}

/// Begins the name of a column whose value leaves rows out.
pub(super) const LEFT_OUT: &str = "<> ";

/// How a placeholder takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Looks rows up: `=`, `IN`, `= ANY`, `@>` and the like.
    Lookup,
    /// An argument of a function that nothing is compared with.
    Call,
    /// Leaves rows out: `<>`. A uniqueness validation asks so for each row that it saves.
    Unequal,
    /// A bound: `<`, `>`, BETWEEN.
    Range,
    /// LIKE and its kin.
    Pattern,
    /// How many rows: LIMIT, OFFSET, FETCH FIRST. Never a key, and no row's value.
    Count,
    /// A value written or put out: never a key.
    Carried,
}

/// A column as the text names it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct NamedColumn {
    /// The table, where the text tells.
    pub(super) table: Option<String>,
    /// The column.
    pub(super) column: String,
}

/// One placeholder of a shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Placeholder {
    pub(super) role: Role,
    /// What it is compared with; for a call: the function as `column`.
    pub(super) column: Option<NamedColumn>,
}

/// A shape, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) kind: Kind,
    pub(super) placeholders: Vec<Placeholder>,
    /// Tables in the order of the text, without schema and quotes.
    pub(super) tables: Vec<String>,
    /// The cursor that a DECLARE, FETCH, MOVE or CLOSE names.
    pub(super) cursor: Option<String>,
    /// Opens a cursor.
    pub(super) is_declare: bool,
}

impl Placeholder {
    /// Whether rows are asked for by it.
    pub(super) fn asks(&self) -> bool {
        !matches!(self.role, Role::Count | Role::Carried | Role::Unequal)
    }
}

impl Reading {
    /// Whether a placeholder only says how many rows.
    pub(super) fn is_count(&self, position: usize) -> bool {
        self.placeholders.get(position).is_some_and(|placeholder| placeholder.role == Role::Count)
    }

    /// What a placeholder is compared with, for people: `users.id`, `<> users.id`, else its number.
    pub(super) fn compared_name(&self, position: usize) -> String {
        let Some((role, column)) =
            self.placeholders.get(position).and_then(|found| Some((found.role, found.column.as_ref()?)))
        else {
            return format!("parameter {}", position + 1);
        };
        let unequal = if role == Role::Unequal { LEFT_OUT } else { "" };
        match &column.table {
            Some(table) => format!("{unequal}{table}.{}", column.column),
            None => format!("{unequal}{}", column.column),
        }
    }
}

/// Reads a shape's text.
pub(super) fn read(shape: &str) -> Reading {
    let words = Words::new(shape);
    let tables = tables(&words);
    let placeholders = placeholders(&words, &tables);
    let first = words.word(0);
    let cursor = match first.as_str() {
        "declare" | "close" => Some(words.name(1)),
        "fetch" | "move" => words.tokens.len().checked_sub(1).map(|last| words.name(last)),
        _ => None,
    };
    let kind = match first.as_str() {
        "fetch" | "move" => Kind::Fetch,
        "declare" => Kind::Read,
        _ => kind_of(shape, &words, &tables),
    };
    let is_declare = first == "declare";
    Reading {
        kind,
        placeholders,
        tables: tables.into_iter().map(|table| table.name).collect(),
        cursor,
        is_declare,
    }
}

/// The shape with `$1`, `$2`, … for its placeholders, as the server takes it.
pub(super) fn numbered(shape: &str) -> String {
    let words = Words::new(shape);
    let (mut text, mut copied, mut number) = (String::with_capacity(shape.len() + 8), 0, 0);
    for at in 0..words.tokens.len() {
        if words.is_placeholder(at) {
            number += 1;
            text.push_str(&shape[copied..words.tokens[at].start]);
            text.push_str(&format!("${number}"));
            copied = words.tokens[at].end;
        }
    }
    text.push_str(&shape[copied..]);
    text
}

fn kind_of(shape: &str, words: &Words<'_>, tables: &[Table]) -> Kind {
    let kind = match statement_kind(shape) {
        StatementKind::Read | StatementKind::LockingRead => Kind::Read,
        StatementKind::Write if words.word(0) != "copy" => Kind::Write,
        _ => return Kind::Other,
    };
    if words.word(0) == "copy" || !tables.is_empty() && tables.iter().all(Table::is_catalogue) {
        return Kind::Other;
    }
    if tables.is_empty() && kind == Kind::Read && words.calls_only_utilities() {
        return Kind::Other;
    }
    kind
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Placeholders as `role table.column`, joined by commas.
    fn roles(shape: &str) -> String {
        let shape = crate::sql::shape::shape(shape).text;
        let words: Vec<String> = read(&shape)
            .placeholders
            .iter()
            .map(|placeholder| {
                let role = format!("{:?}", placeholder.role).to_lowercase();
                match &placeholder.column {
                    Some(NamedColumn { table: Some(table), column }) => format!("{role} {table}.{column}"),
                    Some(NamedColumn { table: None, column }) => format!("{role} {column}"),
                    None => role,
                }
            })
            .collect();
        words.join(", ")
    }

    #[test]
    fn placeholders_know_their_columns() {
        for (statement, expected) in [
            ("select * from users where id = $1", "lookup users.id"),
            ("select * from users u where u.id=$1 limit $2", "lookup users.id, count"),
            ("select u.* from users u join orders o on o.user_id = u.id where o.id = $1", "lookup orders.id"),
            ("select * from \"Users\" where \"Users\".\"userId\" = 5", "lookup Users.userId"),
            ("select * from t where id in ($1, $2)", "lookup t.id"),
            ("select * from t where id = any($1)", "lookup t.id"),
            ("select * from t where (a, b) = ($1, $2)", "lookup t.a, lookup t.b"),
            ("select * from t where (a, b) in (($1, $2))", "lookup t.a, lookup t.b"),
            ("select * from t where (a, b) > ($1, $2)", "range t.a, range t.b"),
            ("select * from t where id not in ($1)", "carried t.id"),
            ("select a from t where a = $1 and id <> $2", "lookup t.a, unequal t.id"),
            ("select a from t where a = $1 and t.id != $2 limit $3", "lookup t.a, unequal t.id, count"),
            ("select * from t where a between $1 and $2 and b >= $3", "range t.a, range t.a, range t.b"),
            ("select * from t where lower(email) = lower($1)", "lookup t.email"),
            ("select * from t where id::text = $1", "lookup t.id"),
            ("select * from t where upper(code::text) = $1", "lookup t.code"),
            ("select * from t where cast(id as text) = $1", "lookup t.id"),
            ("select * from t where extract(month from at) = $1", "carried t.at"),
            (
                "select * from t where extract(year from t.at)::int = $1 and id = $2",
                "carried t.at, lookup t.id",
            ),
            ("select * from t where date_part('hour', at) = $1", "lookup, carried t.at"),
            ("select * from t where $1 = id", "lookup t.id"),
            ("select * from t where $1 = any(tags)", "lookup t.tags"),
            ("select price_of($1, 2)", "call price_of, call price_of"),
            ("select * from search($1)", "call search"),
            ("select exists(select 1 from t where t.a = $1)", "carried, lookup t.a"),
            ("update t set a = $1, b = $2 where id = $3", "carried t.a, carried t.b, lookup t.id"),
            ("insert into t (a, b) values ($1, $2)", "carried, carried"),
            ("select * from t limit 10 offset 20", "count, count"),
            ("select * from t order by id offset $1 rows fetch first $2 rows only", "count, count"),
            ("select * from t limit ($1)", "count"),
            ("select * from t where name like $1", "pattern t.name"),
            ("select * from t where a is not distinct from $1", "lookup t.a"),
            ("select * from t where data @> $1 and data ? 'k'", "lookup t.data, lookup t.data"),
            ("delete from t where id = $1", "lookup t.id"),
            ("select count(*) from t where (id = $1)", "lookup t.id"),
        ] {
            assert_eq!(roles(statement), expected, "{statement}");
        }
    }

    #[test]
    fn kinds_of_shapes() {
        for (statement, expected) in [
            ("select * from users where id = $1", Kind::Read),
            ("select 1", Kind::Other),
            ("select version()", Kind::Other),
            ("select nextval('orders_id_seq')", Kind::Other),
            ("select price_of($1)", Kind::Read),
            ("select t.oid from pg_catalog.pg_type t where t.oid = $1", Kind::Other),
            ("select * from pg_type where typname = $1", Kind::Other),
            ("select * from information_schema.columns where table_name = $1", Kind::Other),
            ("insert into t values ($1)", Kind::Write),
            ("savepoint a", Kind::Other),
            ("set search_path = a", Kind::Other),
            ("copy t from stdin", Kind::Other),
            ("fetch forward 100 from \"c1\"", Kind::Fetch),
            ("declare c1 cursor for select * from t where id = 5", Kind::Read),
            ("with a as (update t set x = 1 returning *) select * from a", Kind::Write),
        ] {
            let shape = crate::sql::shape::shape(statement).text;
            assert_eq!(read(&shape).kind, expected, "{statement}");
        }
        assert_eq!(read("fetch forward ? from \"c1\"").cursor.as_deref(), Some("c1"));
        assert_eq!(read("declare c1 cursor for select ?").cursor.as_deref(), Some("c1"));
    }
}
