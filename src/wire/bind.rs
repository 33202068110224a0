//! Bind: a portal from a statement and its parameter values.

use super::body::{Body, Fields};

/// Bind parameters to a statement.
#[derive(Debug, Clone, Copy)]
pub struct Bind<'a> {
    /// The portal's name; empty for the unnamed portal.
    pub portal: &'a [u8],
    /// The statement's name; empty for the unnamed statement.
    pub statement: &'a [u8],
    formats: Formats<'a>,
    parameters: Fields<'a>,
}

impl<'a> Bind<'a> {
    pub(super) fn decode(body: &'a [u8]) -> Option<Self> {
        let mut rest = Body::new(body);
        let portal = rest.cstr()?;
        let statement = rest.cstr()?;
        let formats = Formats::read(&mut rest)?;
        let parameters = Fields::read(&mut rest)?;
        Some(Self { portal, statement, formats, parameters })
    }

    /// The parameter values, in `$n` order.
    #[must_use]
    pub fn parameters(&self) -> Fields<'a> {
        self.parameters
    }

    /// How the parameters are encoded.
    #[must_use]
    pub fn parameter_formats(&self) -> Formats<'a> {
        self.formats
    }

    /// How the client wants the result columns encoded; all text where the
    /// kept part of the message ends before.
    #[must_use]
    pub fn result_formats(&self) -> Formats<'a> {
        Formats::read(&mut self.parameters.skip()).unwrap_or(Formats { codes: &[] })
    }
}

/// Format codes: none (all text), one for all, or one for each value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Formats<'a> {
    codes: &'a [u8],
}

impl<'a> Formats<'a> {
    pub(super) fn read(body: &mut Body<'a>) -> Option<Self> {
        let count = body.count()?;
        Some(Self { codes: body.bytes(usize::from(count) * 2)? })
    }

    /// The codes as they were sent: whether each is binary.
    pub fn iter(&self) -> impl Iterator<Item = bool> + use<'a> {
        self.codes.chunks_exact(2).map(|code| code[1] == 1)
    }

    /// Whether the value at `index` is binary.
    #[must_use]
    pub fn is_binary(&self, index: usize) -> bool {
        let at = if self.codes.len() == 2 { 0 } else { index * 2 };
        self.codes.get(at + 1).is_some_and(|&low| low == 1)
    }
}
