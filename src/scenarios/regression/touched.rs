//! What a change touched: told from the catalogue's state before and after it,
//! and from the words of its statements.

use crate::postgres::physical::{self, IndexState, TableState};
use crate::postgres::{Error, Session};
use crate::sql::lexer::{TokenKind, tokens};
use crate::sql::statement::{StatementKind, split_statements, statement_kind};
use std::collections::BTreeSet;

/// The physical state of a schema.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SchemaState {
    /// Tables by name.
    pub tables: Vec<TableState>,
    /// Indexes by name.
    pub indexes: Vec<IndexState>,
}

impl SchemaState {
    /// Rows of a table as last counted; 0 for an unknown one.
    #[must_use]
    pub fn rows_of(&self, table: &str) -> u64 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of rows")]
        self.tables.iter().find(|state| state.name == table).map_or(0, |state| state.rows as u64)
    }
}

/// What differs between two states.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Touched {
    /// Tables with a changed shape, file or index, or named by a statement: SQL names, after the change.
    pub tables: Vec<String>,
    /// Of these, the ones whose statistics no longer describe them.
    pub to_analyse: Vec<String>,
    /// Tables whose file was replaced.
    pub rewritten: Vec<String>,
    /// Indexes that are new or defined anew.
    pub indexes_added: Vec<IndexState>,
    /// Indexes that are gone or defined anew.
    pub indexes_dropped: Vec<IndexState>,
}

/// Reads the state.
///
/// # Errors
/// The server refuses.
pub async fn state(session: &Session) -> Result<SchemaState, Error> {
    Ok(SchemaState { tables: physical::tables(session).await?, indexes: physical::indexes(session).await? })
}

/// Compares two states; `sql` is the change's text.
#[must_use]
pub fn compare(old: &SchemaState, new: &SchemaState, sql: &str) -> Touched {
    let missing = |from: &[IndexState], to: &[IndexState]| -> Vec<IndexState> {
        let known = |index: &IndexState| {
            to.iter().any(|other| other.definition == index.definition && other.name == index.name)
        };
        from.iter().filter(|index| !known(index)).cloned().collect()
    };
    let indexes_added = missing(&new.indexes, &old.indexes);
    let indexes_dropped = missing(&old.indexes, &new.indexes);
    let named = words(sql);
    let writes = split_statements(sql)
        .into_iter()
        .any(|range| !matches!(statement_kind(&sql[range]), StatementKind::Ddl | StatementKind::Read));
    let mut touched = Touched { indexes_added, indexes_dropped, ..Touched::default() };
    for table in &new.tables {
        let before = old.tables.iter().find(|other| other.oid == table.oid);
        let reshaped =
            before.is_none_or(|before| before.columns != table.columns || before.file != table.file);
        let rewritten = before.is_some_and(|before| before.file != table.file);
        let is_named = named.contains(&table.bare_name);
        let on_it = |index: &&IndexState| index.table == table.name;
        let new_expressions = touched.indexes_added.iter().filter(on_it).any(|index| index.has_expressions);
        let reindexed =
            touched.indexes_added.iter().chain(&touched.indexes_dropped).any(|index| on_it(&index));
        if reshaped || is_named || reindexed {
            touched.tables.push(table.name.clone());
        }
        if reshaped || new_expressions || (is_named && writes) {
            touched.to_analyse.push(table.name.clone());
        }
        if rewritten {
            touched.rewritten.push(table.name.clone());
        }
    }
    touched
}

/// Names as a statement may hold them: words folded to lower case, quoted ones as they are.
fn words(sql: &str) -> BTreeSet<String> {
    tokens(sql)
        .filter_map(|token| match token.kind {
            TokenKind::Word => Some(token.text(sql).to_lowercase()),
            TokenKind::QuotedIdentifier => Some(token.text(sql).trim_matches('"').replace("\"\"", "\"")),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str, file: u32, columns: &str) -> TableState {
        TableState {
            oid: u32::try_from(name.len()).unwrap(),
            name: name.into(),
            bare_name: name.into(),
            parent: None,
            file,
            columns: columns.into(),
            rows: 10.0,
            bytes: 8192,
        }
    }

    fn index(name: &str, table: &str, definition: &str) -> IndexState {
        IndexState {
            name: name.into(),
            bare_name: name.into(),
            table: table.into(),
            definition: definition.into(),
            is_valid: true,
            has_expressions: definition.contains("lower("),
            bytes: 8192,
            file: 9,
        }
    }

    #[test]
    fn a_plain_index_needs_no_new_statistics_and_an_expression_does() {
        let tables = vec![table("orders", 1, "id int"), table("users", 2, "id int")];
        let old = SchemaState { tables: tables.clone(), indexes: vec![] };
        let with = |definition: &str| SchemaState {
            tables: tables.clone(),
            indexes: vec![index("i", "orders", definition)],
        };
        let plain = compare(&old, &with("(a)"), "CREATE INDEX i ON orders (a)");
        assert_eq!((plain.tables.as_slice(), plain.to_analyse.len()), (&["orders".to_owned()][..], 0));
        let expression = compare(&old, &with("(lower(a))"), "CREATE INDEX i ON orders (lower(a))");
        assert_eq!(expression.to_analyse, ["orders"]);
        let dropped = compare(&with("(a)"), &old, "DROP INDEX i");
        assert_eq!(dropped.indexes_dropped.len(), 1);
        assert_eq!(dropped.tables, ["orders"]);
    }

    #[test]
    fn a_rewrite_and_a_write_need_new_statistics() {
        let old = SchemaState { tables: vec![table("t", 1, "a int")], indexes: vec![] };
        let new = SchemaState { tables: vec![table("t", 2, "a bigint")], indexes: vec![] };
        let touched = compare(&old, &new, "ALTER TABLE t ALTER a TYPE bigint");
        assert_eq!((touched.rewritten.len(), touched.to_analyse.len()), (1, 1));
        assert_eq!(compare(&old, &old, "UPDATE t SET a = 1").to_analyse, ["t"]);
        assert_eq!(
            compare(&old, &old, "COMMENT ON TABLE t IS 'x'"),
            Touched { tables: vec!["t".into()], ..Touched::default() }
        );
    }
}
