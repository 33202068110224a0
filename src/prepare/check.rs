//! The project's queries, prepared on a real schema before anything is
//! measured: a misspelt column is a project file that is wrong, shown where it is.

use super::{Context, Error};
use crate::model::TargetKind;
use crate::postgres::{self, ServerError, Session};
use crate::project::diagnostic::Diagnostic;
use crate::project::query::Query;
use crate::sql::parameters;
use std::fs;

const LOCK_NOT_AVAILABLE: &str = "55P03";

impl Context<'_> {
    /// The database in which queries stand for themselves: the target's own
    /// where it is precious, else one with all migrations.
    ///
    /// # Errors
    /// As [`super::Databases::at_head`].
    pub async fn query_database(&self, volume: &str) -> Result<String, Error> {
        match self.target.description().kind {
            TargetKind::Precious => Ok(self.target.database().to_owned()),
            TargetKind::Throwaway | TargetKind::Disposable => self.databases.at_head(volume).await,
        }
    }

    /// Prepares every statement of every query; none is executed.
    ///
    /// # Errors
    /// [`Error::Queries`] with every statement that the server refuses, or
    /// the database cannot be made ready.
    pub async fn check_queries(&self, queries: &[Query]) -> Result<(), Error> {
        let Some(volume) = self.project.settings.volumes.first() else { return Ok(()) };
        let session = self.target.connect_to(&self.query_database(&volume.name).await?).await?;
        // Preparing locks tables: what another session holds says nothing about the query.
        session.batch_execute("SET lock_timeout = '1s'").await.map_err(postgres::Error::from)?;
        let mut problems = Vec::new();
        for query in queries.iter().filter(|query| query.statements.len() == 1) {
            problems.extend(self.problem_of(&session, query).await?);
        }
        if problems.is_empty() { Ok(()) } else { Err(Error::Queries(problems)) }
    }

    async fn problem_of(&self, session: &Session, query: &Query) -> Result<Option<Diagnostic>, Error> {
        let statement = &query.statements[0];
        let sql = parameters::to_positional(statement).sql;
        let Err(error) = session.prepare(&sql).await else { return Ok(None) };
        let Some(server) = error.as_db_error().map(ServerError::from) else {
            return Err(Error::Postgres(error.into()));
        };
        if server.sqlstate == LOCK_NOT_AVAILABLE {
            return Ok(None);
        }
        let text = fs::read_to_string(self.project.root.join(&query.path)).unwrap_or_default();
        let start = text.find(statement.as_str());
        let span = start.map(|start| match server.position {
            Some(position) => {
                let at = start + parameters::original_offset(statement, position);
                at..word_end(&text, at)
            }
            None => start..start + statement.len(),
        });
        let help = server.hint.clone().or(server.detail.clone());
        let message =
            format!("the server refuses {}: {} (SQLSTATE {})", query.name, server.message, server.sqlstate);
        Ok(Some(Diagnostic { path: query.path.clone(), text, span, message, help }))
    }
}

/// The end of the word, or of the one character, at `start`.
fn word_end(text: &str, start: usize) -> usize {
    let rest = &text[start.min(text.len())..];
    let word: usize = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').map(char::len_utf8).sum();
    start + if word > 0 { word } else { rest.chars().next().map_or(0, char::len_utf8) }
}
