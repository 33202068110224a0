//! Safer forms that PostgreSQL has for statements that block others. Pure.

use crate::sql::lexer::tokens;

/// A safer form of the statement, as an imperative; `None` where there is none
/// to name. `rewrote` says that the statement replaced a table's file.
#[must_use]
pub fn safer_form(statement: &str, rewrote: bool) -> Option<String> {
    let words: Vec<String> = tokens(statement)
        .filter(|token| !token.kind.is_trivia())
        .map(|token| token.text(statement).to_ascii_lowercase())
        .collect();
    let has = |phrase: &str| {
        let phrase: Vec<&str> = phrase.split(' ').collect();
        words
            .windows(phrase.len())
            .any(|window| window.iter().zip(&phrase).all(|(word, wanted)| word == wanted))
    };
    let starts = |phrase: &str| {
        phrase.split(' ').zip(&words).filter(|(wanted, word)| word == wanted).count()
            == phrase.split(' ').count()
    };
    let is_index = starts("create index") || starts("create unique index");
    let own_file = "in a migration of its own marked `-- plimsoll: no-transaction`";
    let advice = if is_index && !has("concurrently") {
        format!("CREATE INDEX CONCURRENTLY, {own_file}: it lets writers go on")
    } else if starts("drop index") && !has("concurrently") {
        format!("DROP INDEX CONCURRENTLY, {own_file}")
    } else if starts("reindex") && !has("concurrently") {
        format!("REINDEX … CONCURRENTLY, {own_file}")
    } else if starts("refresh materialized view") && !has("concurrently") {
        "REFRESH MATERIALIZED VIEW CONCURRENTLY, which needs a unique index on the view".into()
    } else if starts("update") || starts("delete") {
        "change the rows in batches by key, each in a transaction of its own".into()
    } else if starts("alter table") {
        return safer_alter(&has, rewrote);
    } else if starts("vacuum full") || starts("cluster") {
        "a plain VACUUM where that is enough: this form locks the table for its whole duration".into()
    } else {
        return None;
    };
    Some(advice)
}

fn safer_alter(has: &dyn Fn(&str) -> bool, rewrote: bool) -> Option<String> {
    let adds_key = has("primary key") || has("add unique") || (has("add constraint") && has("unique"));
    let advice = if adds_key && !has("using index") && !has("add column") {
        "CREATE UNIQUE INDEX CONCURRENTLY first, then ADD CONSTRAINT … USING INDEX: the table is locked for a moment only"
    } else if (has("foreign key") || has("references") || has("check"))
        && has("add")
        && !has("not valid")
        && !has("add column")
    {
        "ADD CONSTRAINT … NOT VALID first, then VALIDATE CONSTRAINT in a transaction of its own: reads and writes go on meanwhile"
    } else if has("set not null") {
        "ADD CONSTRAINT … CHECK (column IS NOT NULL) NOT VALID, VALIDATE CONSTRAINT, then SET NOT NULL, which needs no scan any more (PostgreSQL 12)"
    } else if rewrote && has("type") {
        "a new column of the new type, filled in batches and kept equal by a trigger, then a swap of names"
    } else if rewrote && has("default") {
        "add the column without a default, set the default, then fill old rows in batches"
    } else if rewrote {
        "a form that does not rewrite the table, or batches into a new table"
    } else {
        return None;
    };
    Some(advice.into())
}

#[cfg(test)]
mod tests {
    use super::safer_form;

    #[test]
    fn each_blocking_form_has_its_advice_and_safe_ones_none() {
        let check = |sql: &str, rewrote: bool, expected: &str| {
            let form = safer_form(sql, rewrote).unwrap_or_default();
            assert!(form.contains(expected), "{sql}: {form}");
        };
        check("CREATE INDEX i ON t (a)", false, "CREATE INDEX CONCURRENTLY");
        check("create unique index on t (a)", false, "CONCURRENTLY");
        check("DROP INDEX i", false, "DROP INDEX CONCURRENTLY");
        check("ALTER TABLE t ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES u", false, "NOT VALID");
        check("ALTER TABLE t ADD CHECK (a > 0)", false, "VALIDATE CONSTRAINT");
        check("ALTER TABLE t ALTER a SET NOT NULL", false, "needs no scan");
        check("ALTER TABLE t ALTER a TYPE bigint", true, "new column of the new type");
        check("ALTER TABLE t ADD PRIMARY KEY (a)", false, "USING INDEX");
        check("UPDATE t SET a = 1", false, "batches");
        for safe in [
            "CREATE INDEX CONCURRENTLY i ON t (a)",
            "ALTER TABLE t ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES u NOT VALID",
            "ALTER TABLE t ADD COLUMN note text",
            "CREATE TABLE t (a int)",
            "",
        ] {
            assert_eq!(safer_form(safe, false), None, "{safe}");
        }
    }
}
