//! Statement texts analysed once and kept: a driver sends the same few over
//! and over. Bounded by count and size; when full it starts afresh, which
//! costs time and loses nothing.

use super::command::{Command, command};
use super::hashing::Table;
use crate::sql::statement::{split_statements, with_comments};
use crate::trace::{Bounds, StatementShape, StatementTemplate, Tags, ValueHasher, comment_tags};
use std::rc::Rc;
use std::sync::Arc;

/// Texts kept at most.
const TEXTS_MAX: usize = 8192;
/// Bytes of texts kept at most.
const TEXT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// A longer text is analysed each time, in bytes.
const TEXT_BYTES_KEPT: usize = 64 * 1024;
/// Shapes shared at most.
const SHAPES_MAX: usize = 65_536;

/// One statement of a text.
#[derive(Debug)]
pub(super) struct Statement {
    pub(super) template: StatementTemplate,
    pub(super) command: Command,
    pub(super) tags: Option<Arc<Tags>>,
    /// The scope that the tags name.
    pub(super) scope: Option<Arc<str>>,
    /// What the statement prepares or declares, analysed as well.
    pub(super) inner: Option<Rc<Statement>>,
    /// Its text, kept only where values are.
    pub(super) text: Option<Box<str>>,
}

/// A text's statements, in order.
pub(super) type Statements = Rc<[Rc<Statement>]>;

/// Analysed texts.
#[derive(Debug)]
pub(super) struct Texts {
    hasher: ValueHasher,
    bounds: Bounds,
    keeps_values: bool,
    known: Table<Box<[u8]>, Statements>,
    known_bytes: usize,
    shapes: Table<u64, Arc<StatementShape>>,
}

impl Texts {
    pub(super) fn new(hasher: ValueHasher, bounds: Bounds, keeps_values: bool) -> Self {
        Self {
            hasher,
            bounds,
            keeps_values,
            known: Table::default(),
            known_bytes: 0,
            shapes: Table::default(),
        }
    }

    /// The statements of a text as it came over the wire.
    pub(super) fn statements(&mut self, text: &[u8]) -> Statements {
        if let Some(found) = self.known.get(text) {
            return found.clone();
        }
        let written = String::from_utf8_lossy(text);
        let spans = split_statements(&written);
        let statements: Statements = with_comments(&written, &spans)
            .into_iter()
            .zip(spans)
            .map(|(commented, span)| Rc::new(self.analyse(&written[span], &written[commented], true)))
            .collect();
        if text.len() <= TEXT_BYTES_KEPT {
            if self.known.len() >= TEXTS_MAX || self.known_bytes + text.len() > TEXT_BYTES_MAX {
                self.known.clear();
                self.known_bytes = 0;
            }
            self.known_bytes += text.len();
            self.known.insert(text.into(), statements.clone());
        }
        statements
    }

    /// `commented` is the text with the comments around it, where frameworks put their tags.
    fn analyse(&mut self, text: &str, commented: &str, is_outer: bool) -> Statement {
        let mut template = StatementTemplate::parse(text, &self.hasher, &self.bounds);
        self.share(&mut template.shape);
        let command = if is_outer { command(text) } else { Command::Other };
        let inner = match &command {
            Command::Prepare { inner, .. } | Command::Declare { inner, .. } => text.get(inner.clone()),
            _ => None,
        };
        let inner = inner.map(|inner| Rc::new(self.analyse(inner, inner, false)));
        let tags = if commented.contains("/*") { comment_tags(commented) } else { None };
        let scope = tags.as_ref().and_then(Tags::scope).map(Arc::from);
        let text = self.keeps_values.then(|| text.into());
        Statement { template, command, tags: tags.map(Arc::new), scope, inner, text }
    }

    /// Texts of one shape share it, so that a trace holds each shape once.
    fn share(&mut self, shape: &mut Arc<StatementShape>) {
        if let Some(known) = self.shapes.get(&shape.hash) {
            *shape = known.clone();
            return;
        }
        if self.shapes.len() >= SHAPES_MAX {
            self.shapes.clear();
        }
        self.shapes.insert(shape.hash, shape.clone());
    }
}
