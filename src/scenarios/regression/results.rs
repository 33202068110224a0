//! Whether both sides return the same rows: counted and hashed without regard
//! to their order, as text, by the thin client.
//!
//! A LIMIT may cut through rows that sort alike. Then another plan may return
//! other rows without anything being wrong: the comparison is repeated without
//! the LIMIT. A statement that differs from itself on one side decides nothing.

use super::cases::{Case, CaseParameters, CaseStatement};
use crate::load::{Client, Error, Execution};
use crate::model::evidence::regression::{ResultComparison, ResultVerdict};
use crate::sql::lexer::{TokenKind, tokens};
use crate::sql::statement::StatementKind;

/// Compares the rows of one parameter set of every statement; `None` for a
/// statement whose rows are not compared (in a transaction of several).
///
/// # Errors
/// The server refuses a statement, or a connection broke.
pub fn compare_results(
    before: &mut Client,
    after: &mut Client,
    case: &Case,
    parameters: &CaseParameters,
) -> Result<Option<ResultComparison>, Error> {
    let [statement] = case.statements.as_slice() else { return Ok(None) };
    let old = run(before, statement, parameters, &statement.sql)?;
    let new = run(after, statement, parameters, &statement.sql)?;
    let verdict = if same(&old, &new) {
        ResultVerdict::Same
    } else {
        explain_difference(before, after, statement, parameters, (&old, &new))?
    };
    Ok(Some(ResultComparison { rows_before: old.rows, rows_after: new.rows, verdict }))
}

fn same(old: &Execution, new: &Execution) -> bool {
    old.rows == new.rows && old.result_hash == new.result_hash
}

fn explain_difference(
    before: &mut Client,
    after: &mut Client,
    statement: &CaseStatement,
    parameters: &CaseParameters,
    (old, new): (&Execution, &Execution),
) -> Result<ResultVerdict, Error> {
    let again_old = run(before, statement, parameters, &statement.sql)?;
    let again_new = run(after, statement, parameters, &statement.sql)?;
    if !same(old, &again_old) || !same(new, &again_new) {
        return Ok(ResultVerdict::Undetermined);
    }
    let Some(whole) = without_limit(&statement.sql).filter(|_| old.rows == new.rows) else {
        return Ok(ResultVerdict::Changed);
    };
    // The parameters of the cut-off part would be missing in the text.
    let (Ok(old), Ok(new)) =
        (run(before, statement, parameters, &whole), run(after, statement, parameters, &whole))
    else {
        return Ok(ResultVerdict::Changed);
    };
    Ok(if same(&old, &new) { ResultVerdict::TiesOnly } else { ResultVerdict::Changed })
}

fn run(
    client: &mut Client,
    statement: &CaseStatement,
    parameters: &CaseParameters,
    sql: &str,
) -> Result<Execution, Error> {
    let prepared = client.prepare(sql)?;
    let mut values = statement.values(parameters);
    values.truncate(prepared.parameter_count());
    let request = prepared.bind(&values)?;
    if statement.kind == StatementKind::Read {
        return client.execute_hashed(&request);
    }
    client.simple("BEGIN")?;
    let outcome = client.execute_hashed(&request);
    client.simple("ROLLBACK")?;
    outcome
}

/// The statement without its outermost LIMIT, OFFSET and FETCH; `None` where it has none.
fn without_limit(sql: &str) -> Option<String> {
    let mut depth = 0_usize;
    for token in tokens(sql) {
        match token.kind {
            TokenKind::OpenParenthesis => depth += 1,
            TokenKind::CloseParenthesis => depth = depth.saturating_sub(1),
            TokenKind::Word if depth == 0 => {
                let word = token.text(sql).to_ascii_lowercase();
                if matches!(word.as_str(), "limit" | "offset" | "fetch") {
                    return Some(sql[..token.start].trim_end().to_owned());
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::without_limit;

    #[test]
    fn only_the_outermost_limit_is_taken_off() {
        let check = |sql: &str, expected: Option<&str>| assert_eq!(without_limit(sql).as_deref(), expected);
        check("SELECT a FROM t ORDER BY a LIMIT 20", Some("SELECT a FROM t ORDER BY a"));
        check("SELECT a FROM (SELECT 1 LIMIT 1) s", None);
        check("SELECT 'limit' FROM t OFFSET 2", Some("SELECT 'limit' FROM t"));
        check("SELECT a FROM t", None);
    }
}
