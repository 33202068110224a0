//! Lists whose length does not matter: `in (…)`, rows behind `values`, arrays of constants.
//!
//! An item that equals the one before it is dropped as soon as it is complete.

use super::{Previous, Shaper};

/// Lists inside lists are collapsed down to this depth; deeper ones stay as they are.
pub(super) const LISTS_MAX: usize = 8;

/// A list whose equal neighbours are collapsed.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct List {
    /// Parentheses and brackets open around its items.
    pub(super) depth: usize,
    /// Where the first item begins.
    pub(super) first: usize,
    /// Where the last complete item that was kept begins; the same as `item` while there is none.
    pub(super) kept: usize,
    /// Where the current item begins.
    pub(super) item: usize,
    pub(super) kind: ListKind,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum ListKind {
    /// `in (…)`.
    #[default]
    In,
    /// The rows behind `values`.
    Rows,
    /// `array[…]`, or a bracket nested in one: where it began, blank included, and behind what.
    Array(usize, Previous),
    /// `in (select …)`: not a list of values.
    Subquery,
}

impl Shaper {
    pub(super) fn open_list(&mut self, kind: ListKind, depth: usize) {
        if self.lists_len < LISTS_MAX {
            let start = self.out.len();
            self.lists[self.lists_len] = List { depth, first: start, kept: start, item: start, kind };
            self.lists_len += 1;
        }
    }

    #[inline]
    pub(super) fn current_list(&self) -> Option<List> {
        self.lists_len.checked_sub(1).map(|index| self.lists[index])
    }

    pub(super) fn current_list_mut(&mut self) -> Option<&mut List> {
        self.lists_len.checked_sub(1).map(|index| &mut self.lists[index])
    }

    /// Ends the rows behind `values` where something else than a comma or a row follows.
    #[inline]
    pub(super) fn end_rows(&mut self) {
        if let Some(list) = self.current_list()
            && list.kind == ListKind::Rows
            && list.depth == self.depth
        {
            self.end_item();
            self.lists_len -= 1;
        }
    }

    /// An item of the innermost list is complete: drops it where it equals the one before.
    pub(super) fn end_item(&mut self) {
        let Some(List { first, kept, item, kind, .. }) = self.current_list() else { return };
        if kind == ListKind::Subquery {
            return;
        }
        let is_first = item == first;
        let content = self.out.get(item..).unwrap_or_default();
        if is_first
            && kind == ListKind::In
            && (content.starts_with(b"select ") || content.starts_with(b"with "))
        {
            if let Some(list) = self.current_list_mut() {
                list.kind = ListKind::Subquery;
            }
            return;
        }
        // `, ` stands between the kept item and this one.
        let kept_end = item.saturating_sub(2);
        if !is_first && self.out.get(kept..kept_end) == Some(content) {
            self.out.truncate(kept_end);
            if self.placeholders.is_some() {
                self.fold_placeholders(kept, item);
            }
        } else if let Some(list) = self.current_list_mut() {
            list.kept = item;
        }
    }

    pub(super) fn end_lists(&mut self) {
        while self.lists_len > 0 {
            self.end_item();
            self.lists_len -= 1;
        }
    }
}
