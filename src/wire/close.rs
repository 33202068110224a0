//! Close: forget a statement or a portal.

use super::describe::Subject;

/// Close a statement or a portal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Close<'a> {
    /// Which one.
    pub subject: Subject<'a>,
}
