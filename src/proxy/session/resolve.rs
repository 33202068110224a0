//! From a text's statement to its execution: literals filled in, and EXECUTE
//! and FETCH standing for the statement they name.

use super::command::Command;
use super::execution::Execution;
use super::ledger::Ledger;
use super::pending::SimpleQuery;
use super::prepared::SessionNames;
use crate::trace::{Bound, Format, Protocol, StatementTemplate, inline_parameters};

impl SimpleQuery {
    /// The next statement of the text: what is known of it already, or anew.
    pub(super) fn take_statement(&mut self, names: &SessionNames, ledger: &Ledger) -> Option<Box<Execution>> {
        self.begin_statement(names, ledger);
        let current = self.current.take()?;
        self.next += 1;
        Some(current)
    }

    /// Begins the next statement unless it has begun.
    pub(super) fn begin_statement(
        &mut self,
        names: &SessionNames,
        ledger: &Ledger,
    ) -> Option<&mut Execution> {
        if self.current.is_none() {
            let statement = self.statements.get(self.next)?.clone();
            let sequence = self.sequence + self.next as u64;
            let mut execution =
                Box::new(Execution::new(sequence, self.start_us, statement, Protocol::Simple));
            fill_literals(&mut execution, ledger);
            resolve(&mut execution, names, ledger);
            self.current = Some(execution);
        }
        self.current.as_deref_mut()
    }
}

/// EXECUTE and FETCH stand for the statement they name.
pub(super) fn resolve(execution: &mut Execution, names: &SessionNames, ledger: &Ledger) {
    let statement = execution.statement.clone();
    match &statement.command {
        Command::Execute { name, arguments } => {
            execution.protocol = Protocol::SqlPrepared;
            let Some(inner) = names.statements.get(name).and_then(|prepared| prepared.statement.clone())
            else {
                return;
            };
            execution.shape = inner.template.shape.clone();
            let argument = |number: usize| {
                let value = arguments.get(number)?.as_ref().map(String::as_bytes);
                Some((0, Format::Text, value))
            };
            execution.arguments =
                inner.template.arguments(&ledger.hasher, ledger.bounds.elements_per_argument, argument);
            execution.kept_arguments = inner.text.as_ref().map(|text| {
                StatementTemplate::kept_arguments(text, |number| arguments.get(number).cloned().flatten())
            });
            execution.kept_text = inner.text.as_ref().and_then(|text| {
                inline_parameters(text, |number| {
                    Some(Bound { type_oid: 0, text: arguments.get(number)?.clone() })
                })
            });
        }
        Command::Fetch { name } => {
            if let Some(cursor) = names.cursors.get(name) {
                execution.shape = cursor.shape.clone();
                execution.continues = Some(cursor.first);
                execution.arguments.clear();
            }
        }
        _ => {}
    }
}

fn fill_literals(execution: &mut Execution, ledger: &Ledger) {
    let template = &execution.statement.template;
    execution.arguments = template.arguments(&ledger.hasher, ledger.bounds.elements_per_argument, |_| None);
    execution.kept_arguments =
        execution.statement.text.as_ref().map(|text| StatementTemplate::kept_arguments(text, |_| None));
    execution.kept_text = execution.statement.text.as_ref().map(|text| text.to_string());
}
