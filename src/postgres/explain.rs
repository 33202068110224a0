//! EXPLAIN of a statement with parameters, parsed.

use super::text_parameter::RawText;
use super::{Error, Session, TextParameter};
use crate::plan::Plan;

/// What EXPLAIN is asked for besides `FORMAT JSON`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExplainOptions {
    /// Executes the statement, in a transaction that is rolled back.
    pub analyze: bool,
    /// Counts blocks.
    pub buffers: bool,
    /// Times every node; costs most of EXPLAIN's overhead.
    pub timing: bool,
    /// Counts WAL; only with `analyze`.
    pub wal: bool,
    /// Lists the settings that differ from their defaults.
    pub settings: bool,
    /// Adds output columns and the query identifier.
    pub verbose: bool,
    /// The session is in a transaction of the caller's: neither begin nor roll back.
    pub in_transaction: bool,
}

impl Default for ExplainOptions {
    fn default() -> Self {
        Self {
            analyze: true,
            buffers: true,
            timing: true,
            wal: false,
            settings: true,
            verbose: false,
            in_transaction: false,
        }
    }
}

impl ExplainOptions {
    /// Plans without executing.
    #[must_use]
    pub fn estimate() -> Self {
        Self { analyze: false, buffers: false, timing: false, ..Self::default() }
    }

    /// `EXPLAIN (…) `.
    pub(super) fn prefix(self) -> String {
        let mut words = vec!["FORMAT JSON"];
        // BUFFERS without ANALYZE is known from 13 on; TIMING and WAL only with it.
        for (is_wanted, on, off) in [
            (self.analyze, "ANALYZE", ""),
            (self.buffers, "BUFFERS", "BUFFERS OFF"),
            (self.timing && self.analyze, "TIMING", if self.analyze { "TIMING OFF" } else { "" }),
            (self.wal && self.analyze, "WAL", ""),
            (self.settings, "SETTINGS", ""),
            (self.verbose, "VERBOSE", ""),
        ] {
            let word = if is_wanted { on } else { off };
            if !word.is_empty() {
                words.push(word);
            }
        }
        format!("EXPLAIN ({}) ", words.join(", "))
    }
}

/// Explains a statement with `$1` parameters, whose values are given as text.
/// With `analyze` it is executed, and whatever it wrote is rolled back.
///
/// # Errors
/// The statement fails, or the plan cannot be read.
pub async fn explain(
    session: &Session,
    sql: &str,
    values: &[Option<String>],
    options: ExplainOptions,
) -> Result<Plan, Error> {
    let text = explain_json(session, sql, values, options).await?;
    Plan::parse(&text).map_err(|error| Error::Unexpected(format!("the plan cannot be read: {error}")))
}

/// The same as the server's own JSON text.
///
/// # Errors
/// The statement fails.
pub async fn explain_json(
    session: &Session,
    sql: &str,
    values: &[Option<String>],
    options: ExplainOptions,
) -> Result<String, Error> {
    let isolate = options.analyze && !options.in_transaction;
    if isolate {
        session.batch_execute("BEGIN").await?;
    }
    let parameters = TextParameter::all(values);
    let statement = format!("{}{sql}", options.prefix());
    let answer = session.query_one(&statement, &TextParameter::references(&parameters)).await;
    if isolate {
        session.batch_execute("ROLLBACK").await?;
    }
    Ok(answer?.try_get::<_, RawText>(0)?.0)
}

#[cfg(test)]
mod tests {
    use super::ExplainOptions;

    #[test]
    fn options_that_need_analyze_go_with_it() {
        assert_eq!(
            ExplainOptions::default().prefix(),
            "EXPLAIN (FORMAT JSON, ANALYZE, BUFFERS, TIMING, SETTINGS) "
        );
        assert_eq!(
            ExplainOptions { timing: false, wal: true, ..ExplainOptions::default() }.prefix(),
            "EXPLAIN (FORMAT JSON, ANALYZE, BUFFERS, TIMING OFF, WAL, SETTINGS) "
        );
        assert_eq!(
            ExplainOptions { wal: true, ..ExplainOptions::estimate() }.prefix(),
            "EXPLAIN (FORMAT JSON, BUFFERS OFF, SETTINGS) "
        );
    }
}
