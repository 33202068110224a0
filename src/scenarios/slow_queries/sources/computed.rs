//! Values for a parameter that is compared with something computed, such as
//! `lower(email) = $1` or `status LIKE $1`: the server computes them from rows.

use super::compared::Computation;
use crate::postgres::{self, Session, quote_identifier, volatile_functions};
use crate::project::query::Literal;
use crate::sql::calls::called;

/// Rows that the values are computed from, as they are stored: a bounded cost on a table of any size.
const ROWS_MAX: usize = 1000;
/// Characters of a value in front of the `%` of a pattern.
const PREFIX_LENGTH: usize = 3;

/// Values with equal weights, or the reason why there are none.
pub(super) async fn values(
    session: &Session,
    computation: &Computation,
) -> Result<Result<Vec<(Literal, f64)>, String>, postgres::Error> {
    let volatile = volatile_functions(session, &called(&computation.expression)).await?;
    if !volatile.is_empty() {
        return Ok(Err(format!("{} is volatile", volatile.join(", "))));
    }
    let rows = match session.query(&statement(computation), &[]).await.map_err(postgres::Error::from) {
        Ok(rows) => rows,
        Err(error) if error.server().is_some() => {
            return Ok(Err(format!("the server cannot compute it over the table: {error}")));
        }
        Err(error) => return Err(error),
    };
    let values = rows.iter().map(|row| row.get::<_, String>(0));
    let values: Vec<(Literal, f64)> = values
        .map(|value| (Some(if computation.is_pattern { pattern(&value) } else { value }), 1.0))
        .collect();
    Ok(if values.is_empty() { Err("no row has a value for it".into()) } else { Ok(values) })
}

fn statement(computation: &Computation) -> String {
    let Computation { expression, alias, schema, table, .. } = computation;
    let schema = schema.as_ref().map_or_else(String::new, |schema| quote_identifier(schema) + ".");
    format!(
        "SELECT value FROM (SELECT ({expression})::text AS value FROM {schema}{} AS {} LIMIT {ROWS_MAX}) AS computed \
         WHERE value <> ''",
        quote_identifier(table),
        quote_identifier(alias),
    )
}

/// What LIKE finds the value with: its beginning, taken literally.
fn pattern(value: &str) -> String {
    let mut pattern = String::new();
    for character in value.chars().take(PREFIX_LENGTH) {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern + "%"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_the_beginning_taken_literally() {
        assert_eq!(pattern("shipped"), "shi%");
        assert_eq!(pattern("a_%b"), "a\\_\\%%");
        assert_eq!(pattern("é"), "é%");
    }

    #[test]
    fn values_are_computed_from_the_table_by_its_alias() {
        let computation = Computation {
            expression: "lower(o.status)".into(),
            alias: "o".into(),
            schema: Some("App".into()),
            table: "orders".into(),
            columns: vec!["status".into()],
            is_pattern: false,
        };
        assert_eq!(
            statement(&computation),
            "SELECT value FROM (SELECT (lower(o.status))::text AS value FROM \"App\".\"orders\" AS \"o\" \
             LIMIT 1000) AS computed WHERE value <> ''"
        );
    }
}
