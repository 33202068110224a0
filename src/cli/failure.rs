//! Why a command could not give a verdict, and the exit code that says so.
//! A failed budget or a found N+1 is a result, never a failure.

use super::ExitCode;
use crate::capacity;
use crate::postgres;
use crate::prepare;
use crate::project::diagnostic::{self, Diagnostic};
use crate::report::kept_run::KeepError;

/// Why a command ended without its result.
#[derive(Debug)]
pub enum Failure {
    /// The command line asks for something that cannot be.
    Usage(String),
    /// The project's files are wrong: every problem there is.
    Project(Vec<Diagnostic>),
    /// The surroundings failed: server, rights, disk.
    Environment(anyhow::Error),
    /// Ctrl-C or SIGTERM.
    Interrupted,
}

impl Failure {
    /// The process's exit code.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) | Self::Project(_) => ExitCode::Usage,
            Self::Environment(_) => ExitCode::Environment,
            Self::Interrupted => ExitCode::Interrupted,
        }
    }

    /// What the person reads.
    #[must_use]
    pub fn text(&self, colour: bool) -> String {
        match self {
            Self::Usage(message) => format!("error: {message}"),
            Self::Project(diagnostics) => diagnostic::render(diagnostics, colour),
            Self::Environment(error) => format!("error: {}", chain(error)),
            Self::Interrupted => "interrupted: what was created has been removed".into(),
        }
    }
}

/// The causes of an error, outermost first, each said once: some libraries
/// repeat their cause in their own text.
fn chain(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if text.contains(&cause) {
            continue;
        }
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&cause);
    }
    text
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        let error = match error.downcast::<prepare::Error>() {
            Ok(error) => return error.into(),
            Err(error) => error,
        };
        match error.downcast::<capacity::Error>() {
            Ok(error) => Self::Usage(error.to_string()),
            Err(error) => Self::Environment(error),
        }
    }
}

impl From<prepare::Error> for Failure {
    fn from(error: prepare::Error) -> Self {
        match error {
            prepare::Error::Distributions(diagnostics) | prepare::Error::Queries(diagnostics) => {
                Self::Project(diagnostics)
            }
            prepare::Error::Postgres(error) => error.into(),
            error @ (prepare::Error::UnknownVolume { .. } | prepare::Error::CommandWithoutVersion { .. }) => {
                Self::Usage(error.to_string())
            }
            error => Self::Environment(error.into()),
        }
    }
}

impl From<postgres::Error> for Failure {
    fn from(error: postgres::Error) -> Self {
        match error {
            // A migration that does not apply is a project file that is wrong.
            postgres::Error::Migration(error) => Self::Usage(error.to_string()),
            error => Self::Environment(error.into()),
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Environment(error.into())
    }
}

impl From<KeepError> for Failure {
    fn from(error: KeepError) -> Self {
        match error {
            KeepError::Unknown { .. } | KeepError::Ambiguous { .. } | KeepError::NoneFits { .. } => {
                Self::Usage(error.to_string())
            }
            other => Self::Environment(other.into()),
        }
    }
}

impl From<Vec<Diagnostic>> for Failure {
    fn from(diagnostics: Vec<Diagnostic>) -> Self {
        Self::Project(diagnostics)
    }
}

#[cfg(test)]
mod tests {
    use super::chain;

    #[test]
    fn a_cause_repeated_by_its_wrapper_is_said_once() {
        let error = anyhow::anyhow!("connection refused").context("cannot reach x: connection refused");
        assert_eq!(chain(&error), "cannot reach x: connection refused");
    }
}
