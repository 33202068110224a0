//! What a client's messages ask for.

use super::Session;
use super::columns::ResultFormats;
use super::execution::Execution;
use super::ledger::Ledger;
use super::parameters;
use super::pending::{Pending, SimpleQuery};
use super::prepared::{Portal, Prepared};
use super::resolve::resolve;
use super::texts::Statement;
use crate::trace::{Outcome, Protocol, StatementTemplate, inline_parameters};
use crate::wire::{Bind, Execute, Frame, FrontendMessage, Parse, Query, StartupPacket, Subject};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

impl Session {
    pub(super) fn request(
        &mut self,
        message: &FrontendMessage<'_>,
        frame: &Frame<'_>,
        at_us: u64,
        ledger: &mut Ledger,
    ) {
        if self.skipping.is_some() {
            return self.skipped_request(message, at_us, ledger);
        }
        match message {
            FrontendMessage::Startup(StartupPacket::Startup(startup)) => {
                self.labels.startup(startup);
                self.requests.push(Pending::Startup);
            }
            FrontendMessage::Parse(parse) => self.parse(parse, ledger),
            FrontendMessage::Bind(bind) => self.bind(bind, ledger),
            FrontendMessage::Describe(describe) => self.describe(describe.subject),
            FrontendMessage::Execute(execute) => self.execute(execute, at_us, ledger),
            FrontendMessage::Close(close) => self.close(close.subject),
            FrontendMessage::Query(query) => self.query(query, at_us, ledger),
            FrontendMessage::Sync if !self.is_copying_in => self.requests.push(Pending::Sync),
            FrontendMessage::CopyData => self.copy_bytes(u64::from(frame.body_bytes)),
            FrontendMessage::CopyDone | FrontendMessage::CopyFail => {
                self.is_copying_in = false;
                self.requests.push(Pending::CopyEnd);
            }
            FrontendMessage::FunctionCall => self.function_call(frame, at_us, ledger),
            FrontendMessage::Unknown(_) | FrontendMessage::Malformed(_) => {
                ledger.losses.undecoded_messages += 1;
            }
            _ => {}
        }
    }

    /// After an error the server ignores everything but Sync.
    fn skipped_request(&mut self, message: &FrontendMessage<'_>, at_us: u64, ledger: &mut Ledger) {
        match message {
            FrontendMessage::Sync => {
                self.skipping = None;
                self.requests.push(Pending::Sync);
            }
            FrontendMessage::Execute(execute) => {
                let error = self.skipping.as_mut().and_then(Option::take);
                let outcome = error.map_or(Outcome::Skipped, Outcome::Error);
                if let Some(portal) = self.names.portals.get(execute.portal)
                    && let Some(execution) = execution_of(&portal, at_us, ledger)
                {
                    self.record(*execution, outcome, at_us, None, ledger);
                }
            }
            // The portal an Execute behind it will name, for its record.
            FrontendMessage::Bind(bind) => {
                self.bind(bind, ledger);
                self.requests.take_group();
            }
            _ => {}
        }
    }

    fn parse(&mut self, parse: &Parse<'_>, ledger: &mut Ledger) {
        let statement = ledger.texts.statements(parse.text).first().cloned();
        let prepared = Prepared::new(statement, parse.parameter_types().collect());
        if let Some(known) = self.names.statements.get(parse.statement) {
            prepared.described_as(&known);
        }
        let previous = self.names.statements.replace(parse.statement, Some(prepared));
        self.requests.push(Pending::Parse { name: parse.statement.into(), previous });
    }

    fn bind(&mut self, bind: &Bind<'_>, ledger: &mut Ledger) {
        let portal = self.names.statements.get(bind.statement).map(|prepared| portal(prepared, bind, ledger));
        let previous = self.names.portals.replace(bind.portal, portal);
        self.requests.push(Pending::Bind { name: bind.portal.into(), previous });
    }

    fn describe(&mut self, subject: Subject<'_>) {
        self.requests.push(match subject {
            Subject::Statement(name) => Pending::DescribeStatement(self.names.statements.get(name)),
            Subject::Portal(name) => Pending::DescribePortal(self.names.portals.get(name)),
        });
    }

    fn close(&mut self, subject: Subject<'_>) {
        match subject {
            Subject::Statement(name) => drop(self.names.statements.replace(name, None)),
            Subject::Portal(name) => drop(self.names.portals.replace(name, None)),
        }
        self.requests.push(Pending::Close);
    }

    fn execute(&mut self, execute: &Execute<'_>, at_us: u64, ledger: &mut Ledger) {
        let portal = self.names.portals.get(execute.portal);
        let mut execution = portal.as_ref().and_then(|portal| execution_of(portal, at_us, ledger));
        if let Some(execution) = &mut execution {
            resolve(execution, &self.names, ledger);
        } else if portal.is_none() {
            // A portal nobody bound: the server refuses it, or the recorder missed something.
            ledger.losses.statements += 1;
        }
        self.requests.push(Pending::Execute(execution, portal));
    }

    fn query(&mut self, query: &Query<'_>, at_us: u64, ledger: &mut Ledger) {
        let statements = ledger.texts.statements(query.text);
        let sequence = ledger.sequence(statements.len());
        self.requests.push(Pending::Query(Box::new(SimpleQuery {
            statements,
            sequence,
            next: 0,
            start_us: at_us,
            current: None,
            is_failed: false,
        })));
    }

    fn function_call(&mut self, frame: &Frame<'_>, at_us: u64, ledger: &mut Ledger) {
        let oid = frame.body.get(..4).and_then(|word| word.try_into().ok()).map_or(0, u32::from_be_bytes);
        let text = format!("function call of {oid}");
        let statement = ledger.texts.statements(text.as_bytes()).first().cloned();
        let sequence = ledger.sequence(1);
        let execution = statement
            .map(|statement| Box::new(Execution::new(sequence, at_us, statement, Protocol::FunctionCall)));
        self.requests.push(Pending::Function(execution));
    }
}

fn portal(prepared: Rc<Prepared>, bind: &Bind<'_>, ledger: &mut Ledger) -> Rc<Portal> {
    let (arguments, kept_arguments, kept_text) = match &prepared.statement {
        Some(statement) => arguments(statement, &prepared, bind, ledger),
        None => (Vec::new(), None, None),
    };
    Rc::new(Portal {
        prepared,
        arguments,
        kept_arguments,
        kept_text,
        formats: ResultFormats::of_bind(bind.result_formats()),
        description: RefCell::new(None),
        first: Cell::new(None),
    })
}

type BoundArguments = (Vec<crate::trace::Argument>, Option<Vec<Option<String>>>, Option<String>);

fn arguments(
    statement: &Statement,
    prepared: &Prepared,
    bind: &Bind<'_>,
    ledger: &mut Ledger,
) -> BoundArguments {
    let types = prepared.parameter_types.borrow();
    let values = parameters::Values::of_bind(bind, &types);
    let elements_max = ledger.bounds.elements_per_argument;
    let arguments = statement.template.arguments(&ledger.hasher, elements_max, |number| values.get(number));
    for argument in &arguments {
        if let crate::trace::Argument::Many { hashes, total } = argument {
            ledger.losses.elements += u64::from(*total).saturating_sub(hashes.len() as u64);
        }
    }
    let kept = statement.text.as_ref().filter(|_| ledger.keeps_values);
    let inlined = kept.and_then(|text| inline_parameters(text, |number| values.bound(number)));
    let kept = kept.map(|text| StatementTemplate::kept_arguments(text, |number| values.text(number)));
    (arguments, kept, inlined)
}

/// The execution of a portal; a further part where it was suspended.
fn execution_of(portal: &Rc<Portal>, at_us: u64, ledger: &mut Ledger) -> Option<Box<Execution>> {
    let statement = portal.prepared.statement.clone()?;
    let sequence = ledger.sequence(1);
    let mut execution = Box::new(Execution::new(sequence, at_us, statement, Protocol::Extended));
    execution.arguments.clone_from(&portal.arguments);
    execution.kept_arguments.clone_from(&portal.kept_arguments);
    execution.kept_text.clone_from(&portal.kept_text);
    execution.continues = portal.first.get();
    Some(execution)
}
