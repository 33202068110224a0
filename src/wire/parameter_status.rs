//! ParameterStatus: a setting the server reports, at start-up and on change.

use super::body::Body;

/// A reported setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParameterStatus<'a> {
    /// The setting, such as `application_name`.
    pub name: &'a [u8],
    /// Its value.
    pub value: &'a [u8],
}

impl<'a> ParameterStatus<'a> {
    pub(super) fn decode(body: &'a [u8]) -> Option<Self> {
        let mut rest = Body::new(body);
        Some(Self { name: rest.cstr()?, value: rest.cstr_or_rest() })
    }
}
