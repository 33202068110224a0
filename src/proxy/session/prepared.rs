//! Prepared statements, portals and cursors of one session, by name.

use super::columns::{Description, ResultFormats};
use super::hashing::Table;
use super::texts::Statement;
use crate::trace::{Argument, StatementShape};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

/// Statements, portals or cursors of one session at most.
pub(super) const NAMES_MAX: usize = 100_000;

/// A prepared statement. Its description may come after its first use, so it
/// is filled in place.
#[derive(Debug)]
pub(super) struct Prepared {
    /// None for an empty text.
    pub(super) statement: Option<Rc<Statement>>,
    pub(super) parameter_types: RefCell<Vec<u32>>,
    pub(super) description: RefCell<Option<Rc<Description>>>,
}

impl Prepared {
    pub(super) fn new(statement: Option<Rc<Statement>>, parameter_types: Vec<u32>) -> Rc<Self> {
        let parameter_types = RefCell::new(parameter_types);
        Rc::new(Self { statement, parameter_types, description: RefCell::new(None) })
    }

    /// Takes over the description of the same text. Drivers without a statement
    /// cache parse twice, and describe only the first time.
    pub(super) fn described_as(&self, known: &Self) {
        let is_same = match (&self.statement, &known.statement) {
            (Some(own), Some(other)) => Rc::ptr_eq(own, other),
            _ => false,
        };
        if !is_same {
            return;
        }
        self.description.borrow_mut().clone_from(&known.description.borrow());
        let mut types = self.parameter_types.borrow_mut();
        if types.is_empty() {
            types.clone_from(&known.parameter_types.borrow());
        }
    }
}

/// A portal: a statement with its arguments.
#[derive(Debug)]
pub(super) struct Portal {
    pub(super) prepared: Rc<Prepared>,
    pub(super) arguments: Vec<Argument>,
    pub(super) kept_arguments: Option<Vec<Option<String>>>,
    pub(super) kept_text: Option<String>,
    pub(super) formats: ResultFormats,
    pub(super) description: RefCell<Option<Rc<Description>>>,
    /// The sequence of its first execution, once it was suspended.
    pub(super) first: Cell<Option<u64>>,
}

/// A cursor of DECLARE.
#[derive(Debug)]
pub(super) struct Cursor {
    pub(super) first: u64,
    pub(super) shape: Arc<StatementShape>,
    pub(super) is_held: bool,
}

/// Everything a session has named.
#[derive(Debug, Default)]
pub(super) struct SessionNames {
    pub(super) statements: Names<Prepared>,
    pub(super) portals: Names<Portal>,
    pub(super) cursors: Names<Cursor>,
}

/// Things by name. The unnamed one, which most drivers use, costs no look-up.
#[derive(Debug)]
pub(super) struct Names<T> {
    unnamed: Option<Rc<T>>,
    named: Table<Box<[u8]>, Rc<T>>,
}

impl<T> Default for Names<T> {
    fn default() -> Self {
        Self { unnamed: None, named: Table::default() }
    }
}

impl<T> Names<T> {
    pub(super) fn get(&self, name: &[u8]) -> Option<Rc<T>> {
        if name.is_empty() { self.unnamed.clone() } else { self.named.get(name).cloned() }
    }

    /// Sets or, with none, removes; returns what was there.
    pub(super) fn replace(&mut self, name: &[u8], thing: Option<Rc<T>>) -> Option<Rc<T>> {
        if name.is_empty() {
            return std::mem::replace(&mut self.unnamed, thing);
        }
        match thing {
            Some(thing) => self.named.insert(name.into(), thing),
            None => self.named.remove(name),
        }
    }

    pub(super) fn clear(&mut self) {
        self.unnamed = None;
        self.named.clear();
    }

    pub(super) fn retain(&mut self, keep: impl Fn(&T) -> bool) {
        self.named.retain(|_, thing| keep(thing));
    }

    pub(super) fn is_full(&self) -> bool {
        self.named.len() >= NAMES_MAX
    }
}
