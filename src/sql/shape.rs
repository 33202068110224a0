//! A statement's normalised form: literals, parameters, list lengths, formatting,
//! comments and case gone, so that equal questions get equal text and hash.
//!
//! One pass over the lexer's tokens into one buffer; nothing else is allocated.
//! Invariants: the shape of a shape is itself; formatting never matters; and a
//! literal, a bound parameter, a constant array and their casts all become `?`,
//! so that a driver that binds and one that inlines are seen alike.
//! Identifiers in quotes stay as they are: unlike case, quoting can carry meaning. Only
//! the names of savepoints and cursors, which drivers make up, are folded (`shape/names.rs`).

mod list;
mod names;
mod types;

use self::list::{LISTS_MAX, List, ListKind};
use self::types::skip_type;
use super::keyword;
use super::lexer::{Lexer, Token, TokenKind};
use std::ops::Range;
use xxhash_rust::xxh3::xxh3_64;

/// A normalised statement.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Such as `select * from users where id in (?)`.
    pub text: String,
    /// XXH3-64 of the text; stable between runs and machines.
    pub hash: u64,
}

/// What stood at one `?` of a shape: one value, or the collapsed values of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placeholder {
    /// Byte ranges of the values in the statement, signs included, in order.
    pub values: Vec<Range<usize>>,
    /// Whether equal list items were collapsed into it, or it stands for an array.
    pub is_list: bool,
    /// Where its `?` stands in the shape, in bytes.
    position: usize,
}

/// Normalises a statement, or several separated by semicolons.
#[must_use]
pub fn shape(text: &str) -> Shape {
    let mut buffer = Vec::new();
    let hash = shape_into(text, &mut buffer);
    // Only whole tokens were copied, so the bytes are still UTF-8.
    let text = String::from_utf8(buffer)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    Shape { text, hash }
}

/// Normalises a statement, and says what stood at each `?`, in the shape's order.
#[must_use]
pub fn shape_with_placeholders(text: &str) -> (Shape, Vec<Placeholder>) {
    let mut shaper = Shaper::new(Vec::new());
    shaper.placeholders = Some(Vec::new());
    let mut lexer = Lexer::new(text);
    while let Some(token) = lexer.next() {
        shaper.push(text, token, &mut lexer);
    }
    shaper.end_lists();
    let placeholders = shaper.placeholders.take().unwrap_or_default();
    let buffer = shaper.finish();
    let hash = xxh3_64(&buffer);
    let text = String::from_utf8_lossy(&buffer).into_owned();
    (Shape { text, hash }, placeholders)
}

/// Normalises into a buffer that the caller keeps, and returns the hash.
pub fn shape_into(text: &str, buffer: &mut Vec<u8>) -> u64 {
    buffer.clear();
    buffer.reserve(text.len() + 8);
    let mut shaper = Shaper::new(std::mem::take(buffer));
    let mut lexer = Lexer::new(text);
    while let Some(token) = lexer.next() {
        shaper.push(text, token, &mut lexer);
    }
    *buffer = shaper.finish();
    names::fold(buffer);
    xxh3_64(buffer)
}

/// What was written last, as far as the next token cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Previous {
    Start,
    /// An unquoted word; it begins at [`Shaper::word_start`].
    Word,
    Quoted,
    /// `?` for a value.
    Placeholder,
    CloseParenthesis,
    CloseBracket,
    OpenParenthesis,
    OpenBracket,
    /// `, ` has been written, blank included.
    Comma,
    Dot,
    Cast,
    Operator,
    /// One of a run of unary signs, which began at [`Shaper::signs`].
    Sign,
    /// `:` or `;` or a stray character.
    Other,
}

struct Shaper {
    out: Vec<u8>,
    previous: Previous,
    depth: usize,
    lists: [List; LISTS_MAX],
    lists_len: usize,
    word_start: usize,
    /// Where each of the last four words began, blank included, and what stood before:
    /// for taking back `timestamp with time zone` in front of a string.
    words: [(usize, Previous); 4],
    words_len: usize,
    /// Where a run of unary signs began, and what stood before.
    signs: (usize, Previous),
    /// The token at hand, from its first sign on, and where a run of signs began, in the statement.
    token: Range<usize>,
    signs_start: usize,
    /// Kept only where a caller asks for them.
    placeholders: Option<Vec<Placeholder>>,
}

impl Shaper {
    fn new(out: Vec<u8>) -> Self {
        Self {
            out,
            previous: Previous::Start,
            depth: 0,
            lists: [List::default(); LISTS_MAX],
            lists_len: 0,
            word_start: 0,
            words: [(0, Previous::Start); 4],
            words_len: 0,
            signs: (0, Previous::Start),
            token: 0..0,
            signs_start: 0,
            placeholders: None,
        }
    }

    #[inline]
    fn push(&mut self, text: &str, token: Token, lexer: &mut Lexer<'_>) {
        self.token = token.start..token.end;
        match token.kind {
            TokenKind::Whitespace | TokenKind::LineComment | TokenKind::BlockComment => {}
            TokenKind::Word => self.push_word(&text.as_bytes()[token.start..token.end], lexer, text),
            TokenKind::QuotedIdentifier => {
                self.end_rows();
                self.write(&text.as_bytes()[token.start..token.end], Previous::Quoted);
            }
            TokenKind::String | TokenKind::DollarString => {
                self.take_back_type();
                self.push_value(lexer, text);
            }
            TokenKind::Number | TokenKind::PositionalParameter | TokenKind::NamedParameter => {
                self.push_value(lexer, text);
            }
            TokenKind::Unterminated => {
                if !text[token.start..].starts_with("/*") {
                    self.push_value(lexer, text);
                }
            }
            TokenKind::Comma => self.push_comma(),
            TokenKind::OpenParenthesis => self.push_open_parenthesis(),
            TokenKind::CloseParenthesis => self.push_close(b")", Previous::CloseParenthesis),
            TokenKind::OpenBracket => self.push_open_bracket(),
            TokenKind::CloseBracket => self.push_close_bracket(lexer, text),
            TokenKind::Operator => self.push_operator(&text.as_bytes()[token.start..token.end], lexer, text),
            TokenKind::Cast => self.write_tight(b"::", Previous::Cast),
            TokenKind::Dot => self.write_tight(b".", Previous::Dot),
            TokenKind::Semicolon => {
                self.end_rows();
                self.write_tight(b";", Previous::Other);
            }
            TokenKind::Colon | TokenKind::Unknown => {
                self.end_rows();
                self.write(&text.as_bytes()[token.start..token.end], Previous::Other);
            }
        }
    }

    /// Writes with a blank before, unless an opening, a dot, a cast or a comma precedes.
    #[inline]
    fn write(&mut self, bytes: &[u8], now: Previous) {
        self.blank();
        self.out.extend_from_slice(bytes);
        self.previous = now;
    }

    #[inline]
    fn write_tight(&mut self, bytes: &[u8], now: Previous) {
        self.out.extend_from_slice(bytes);
        self.previous = now;
    }

    #[inline]
    fn blank(&mut self) {
        match self.previous {
            Previous::Start
            | Previous::OpenParenthesis
            | Previous::OpenBracket
            | Previous::Comma
            | Previous::Dot
            | Previous::Cast => {}
            _ => self.out.push(b' '),
        }
    }

    #[inline]
    fn push_word(&mut self, word: &[u8], lexer: &mut Lexer<'_>, text: &str) {
        self.end_rows();
        if matches!(word.len(), 4 | 5) && self.is_constant(word) {
            return self.push_value(lexer, text);
        }
        self.words[self.words_len & 3] = (self.out.len(), self.previous);
        self.words_len += 1;
        self.blank();
        self.word_start = self.out.len();
        self.out.extend(word.iter().map(u8::to_ascii_lowercase));
        self.previous = Previous::Word;
    }

    /// NULL, TRUE and FALSE as values: drivers inline them, and bind them, like any other.
    fn is_constant(&self, word: &[u8]) -> bool {
        if !matches!(word[0], b'n' | b'N' | b't' | b'T' | b'f' | b'F') {
            return false;
        }
        if !["null", "true", "false"].iter().any(|name| word.eq_ignore_ascii_case(name.as_bytes())) {
            return false;
        }
        match self.previous {
            Previous::Operator | Previous::OpenParenthesis | Previous::OpenBracket | Previous::Comma => true,
            Previous::Word => keyword::precedes_constant(self.last_word()),
            _ => false,
        }
    }

    fn last_word(&self) -> &[u8] {
        self.out.get(self.word_start..).unwrap_or_default()
    }

    /// A literal or a parameter, with the casts behind it.
    #[inline]
    fn push_value(&mut self, lexer: &mut Lexer<'_>, text: &str) {
        self.end_rows();
        if self.previous == Previous::Sign {
            self.out.truncate(self.signs.0);
            self.previous = self.signs.1;
            self.token.start = self.signs_start;
        }
        // Strings on several lines continue one another.
        let continues = self.previous == Previous::Placeholder;
        if !continues {
            self.write(b"?", Previous::Placeholder);
        }
        if self.placeholders.is_some() {
            self.note_placeholder(continues);
        }
        self.skip_casts(lexer, text);
    }

    #[cold]
    fn note_placeholder(&mut self, continues: bool) {
        let position = self.out.len() - 1;
        let Some(placeholders) = &mut self.placeholders else { return };
        match placeholders.last_mut().and_then(|last| last.values.last_mut()) {
            Some(value) if continues => value.end = self.token.end,
            _ => {
                placeholders.push(Placeholder { values: vec![self.token.clone()], is_list: false, position })
            }
        }
    }

    /// An item was dropped from `item` on: its values join those of the item kept.
    #[cold]
    fn fold_placeholders(&mut self, kept: usize, item: usize) {
        let Some(placeholders) = &mut self.placeholders else { return };
        let dropped = placeholders.partition_point(|placeholder| placeholder.position < item);
        let first = placeholders.partition_point(|placeholder| placeholder.position < kept);
        let dropped = placeholders.split_off(dropped);
        for (placeholder, other) in placeholders[first..].iter_mut().zip(dropped) {
            placeholder.values.extend(other.values);
            placeholder.is_list = true;
        }
    }

    /// An array of constants became a constant.
    #[cold]
    fn fold_array(&mut self, start: usize) {
        let position = self.out.len() - 1;
        let Some(placeholders) = &mut self.placeholders else { return };
        let first = placeholders.partition_point(|placeholder| placeholder.position < start);
        // The last one is the array itself, just noted.
        let mut inner = placeholders.split_off(first);
        inner.pop();
        let values = inner.into_iter().flat_map(|placeholder| placeholder.values).collect();
        placeholders.push(Placeholder { values, is_list: true, position });
    }

    /// Skips every `::type` that follows. The lexer stays where it is when there is none.
    #[inline]
    fn skip_casts(&mut self, lexer: &mut Lexer<'_>, text: &str) {
        loop {
            let mut ahead = *lexer;
            match ahead.next_significant() {
                Some(token) if token.kind == TokenKind::Cast => {}
                _ => return,
            }
            match skip_type(ahead, text) {
                Some(behind) => *lexer = behind,
                None => return,
            }
        }
    }

    /// Takes back the type of `date '2024-01-01'`: its bound form is a bare parameter.
    fn take_back_type(&mut self) {
        if self.previous != Previous::Word {
            return;
        }
        let words = match self.last_word() {
            b"zone"
                if self.ends_with_one_of(&["timestamp with time zone", "timestamp without time zone"]) =>
            {
                4
            }
            b"zone" if self.ends_with_one_of(&["time with time zone", "time without time zone"]) => 4,
            b"precision" if self.ends_with_one_of(&["double precision"]) => 2,
            b"varying" if self.ends_with_one_of(&["character varying"]) => 2,
            word if keyword::is_type(word) => 1,
            _ => return,
        };
        if self.words_len >= words {
            let (start, previous) = self.words[(self.words_len - words) & 3];
            self.out.truncate(start);
            self.previous = previous;
        }
    }

    fn ends_with_one_of(&self, types: &[&str]) -> bool {
        types.iter().any(|name| self.out.ends_with(name.as_bytes()))
    }

    fn is_behind_operand(&self) -> bool {
        match self.previous {
            Previous::Quoted
            | Previous::Placeholder
            | Previous::CloseParenthesis
            | Previous::CloseBracket => true,
            Previous::Word => !keyword::opens_expression(self.last_word()),
            _ => false,
        }
    }

    #[inline]
    fn push_operator(&mut self, operator: &[u8], lexer: &mut Lexer<'_>, text: &str) {
        match operator {
            // A question mark is an operator of jsonb only between operands; else it stands for a value.
            b"?" if !self.is_behind_operand() => self.push_value(lexer, text),
            b"-" | b"+" if !self.is_behind_operand() => {
                self.end_rows();
                if self.previous != Previous::Sign {
                    self.signs_start = self.token.start;
                    self.signs = (self.out.len(), self.previous);
                }
                self.write(operator, Previous::Sign);
            }
            _ => {
                self.end_rows();
                self.write(operator, Previous::Operator);
            }
        }
    }

    fn push_comma(&mut self) {
        if let Some(list) = self.current_list()
            && list.depth == self.depth
        {
            self.end_item();
        }
        self.out.extend_from_slice(b", ");
        self.previous = Previous::Comma;
        let (start, depth) = (self.out.len(), self.depth);
        if let Some(list) = self.current_list_mut()
            && list.depth == depth
        {
            list.item = start;
        }
    }

    fn push_open_parenthesis(&mut self) {
        let (mut is_in, mut is_rows) = (false, false);
        match self.previous {
            Previous::Word => {
                let word = self.last_word();
                (is_in, is_rows) = (word == b"in", word == b"values");
                if keyword::stands_apart(word) {
                    self.out.push(b' ');
                }
            }
            Previous::Quoted => {}
            _ => self.blank(),
        }
        if is_rows {
            self.open_list(ListKind::Rows, self.depth);
        }
        self.write_tight(b"(", Previous::OpenParenthesis);
        self.depth += 1;
        if is_in {
            self.open_list(ListKind::In, self.depth);
        }
    }

    fn push_open_bracket(&mut self) {
        let array = match self.previous {
            Previous::Word if self.last_word() == b"array" => {
                Some(self.words[self.words_len.wrapping_sub(1) & 3])
            }
            Previous::OpenBracket | Previous::Comma => match self.current_list() {
                Some(List { kind: ListKind::Array(..), depth, .. }) if depth == self.depth => {
                    Some((self.out.len(), self.previous))
                }
                _ => None,
            },
            _ => None,
        };
        if matches!(self.previous, Previous::Operator | Previous::Sign | Previous::Other) {
            self.out.push(b' ');
        }
        self.write_tight(b"[", Previous::OpenBracket);
        self.depth += 1;
        if let Some((start, previous)) = array {
            self.open_list(ListKind::Array(start, previous), self.depth);
        }
    }

    /// Closes an array; one of constants only is itself a constant.
    fn push_close_bracket(&mut self, lexer: &mut Lexer<'_>, text: &str) {
        let array = match self.current_list() {
            Some(list) if list.depth == self.depth => match list.kind {
                ListKind::Array(start, previous) => Some((start, previous, list.first)),
                _ => None,
            },
            _ => None,
        };
        if let Some((start, previous, first)) = array {
            self.end_item();
            if matches!(&self.out[first..], b"" | b"?") {
                self.lists_len -= 1;
                self.depth = self.depth.saturating_sub(1);
                self.out.truncate(start);
                self.previous = previous;
                self.push_value(lexer, text);
                if self.placeholders.is_some() {
                    self.fold_array(start);
                }
                return;
            }
        }
        self.push_close(b"]", Previous::CloseBracket);
    }

    fn push_close(&mut self, bytes: &[u8], now: Previous) {
        while let Some(list) = self.current_list() {
            if list.depth < self.depth {
                break;
            }
            self.end_item();
            self.lists_len -= 1;
        }
        self.depth = self.depth.saturating_sub(1);
        self.write_tight(bytes, now);
    }

    fn finish(mut self) -> Vec<u8> {
        self.end_lists();
        while let Some(b';' | b' ') = self.out.last() {
            self.out.pop();
        }
        self.out
    }
}

#[cfg(test)]
mod tests;
