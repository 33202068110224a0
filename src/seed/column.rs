//! One column's values: a function of the row.

use super::alias::AliasTable;
use super::children::Place;
use super::numbers::{Rounding, quantile};
use super::parents::ParentDraw;
use super::permutation::Permutation;
use super::random::{Key, Stream};
use super::value::{Literal, Value};
use super::words::WORDS;
use crate::project::distributions::NumberDistribution;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};

/// The row a value is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RowId {
    /// From 0.
    pub(super) row: u64,
    /// The parent row and the place among its children; row and 0 where rows have no parent.
    pub(super) place: Place,
}

impl RowId {
    /// A row of a table whose rows depend on no other table's.
    #[inline]
    pub(super) fn independent(row: u64) -> Self {
        Self { row, place: Place { parent: row, ordinal: 0 } }
    }
}

/// Rows whose first draw repeated a value that must be unique, with the draw that did not.
pub(super) type Redraws = HashMap<u64, u8>;

/// Generates one column.
#[derive(Debug, Clone)]
pub(super) struct Generator {
    pub(super) key: Key,
    /// Its own stream, so that a share of NULLs changes no other value; and the share in 2⁻⁶⁴.
    pub(super) nulls: Option<(Key, u64)>,
    /// Set once uniqueness has been tried; until then every row is its first draw.
    pub(super) redraws: Option<Arc<OnceLock<Redraws>>>,
    pub(super) kind: Kind,
}

/// Where values come from.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    /// The row's number from this.
    Sequence(i64),
    /// The place among the parent's children from this.
    Ordinal(i64),
    /// A column of the parent that the table's rows follow.
    ParentKey(Arc<Generator>),
    /// A column of a drawn parent row.
    Reference(Arc<ParentDraw>, Arc<Generator>),
    /// A column of the parent row with the same number: each parent once.
    SameRow(Arc<Generator>),
    Choice(AliasTable, Arc<[Literal]>),
    /// Each value once: `values[permutation(row)]`.
    ShuffledChoice(Permutation, Arc<[Literal]>),
    Range {
        low: i64,
        count: u64,
    },
    ShuffledRange {
        low: i64,
        order: Permutation,
    },
    Number {
        distribution: NumberDistribution,
        rounding: Rounding,
        low: f64,
        high: f64,
    },
    Spread {
        from: i64,
        count: u64,
    },
    Template(Vec<Part>),
    Constant(Literal),
    /// Share of true in 2⁻⁶⁴.
    Bool(u64),
    Uuid,
    Text {
        min: u32,
        max: u32,
    },
}

/// A piece of a template.
#[derive(Debug, Clone)]
pub(super) enum Part {
    Text(Box<str>),
    Row,
    Hex(u32),
    Word { capitalised: bool },
    Int { low: i64, count: u64 },
    Column(Arc<Generator>),
}

/// A share of 0 to 1 in 2⁻⁶⁴: random bits below it are a hit.
pub(super) fn threshold(share: f64) -> u64 {
    if share >= 1.0 { u64::MAX } else { (share * 18_446_744_073_709_551_616.0) as u64 }
}

impl Generator {
    /// The value at a row, with its text (if any) in `scratch`.
    #[inline]
    pub(super) fn value<'a>(&'a self, id: RowId, scratch: &'a mut String) -> Value<'a> {
        let attempt = match &self.redraws {
            Some(redraws) => redraws.get().and_then(|redraws| redraws.get(&id.row)).copied().unwrap_or(0),
            None => 0,
        };
        self.attempt(id, attempt, scratch)
    }

    /// The value at a row in its n-th draw.
    #[inline]
    pub(super) fn attempt<'a>(&'a self, id: RowId, attempt: u8, scratch: &'a mut String) -> Value<'a> {
        if let Some((key, share)) = &self.nulls
            && key.at(id.row, 0).bits() < *share
        {
            return Value::Null;
        }
        match &self.kind {
            Kind::Sequence(first) => Value::Int(first.wrapping_add_unsigned(id.row)),
            Kind::Ordinal(first) => Value::Int(first.wrapping_add_unsigned(id.place.ordinal)),
            Kind::ParentKey(column) => column.value(RowId::independent(id.place.parent), scratch),
            Kind::Reference(draw, column) => {
                column.value(RowId::independent(draw.parent_of(id.row, attempt)), scratch)
            }
            Kind::SameRow(column) => column.value(RowId::independent(id.row), scratch),
            Kind::Choice(choice, values) => values[choice.draw(&mut self.key.at(id.row, attempt))].value(),
            Kind::ShuffledChoice(order, values) => values[order.at(id.row) as usize].value(),
            Kind::Range { low, count } => {
                Value::Int(low.wrapping_add_unsigned(whole(&mut self.key.at(id.row, attempt), *count)))
            }
            Kind::ShuffledRange { low, order } => Value::Int(low.wrapping_add_unsigned(order.at(id.row))),
            Kind::Number { distribution, rounding, low, high } => {
                let number = quantile(*distribution, self.key.at(id.row, attempt).unit());
                rounded(*rounding, number, *low, *high)
            }
            Kind::Spread { from, count } => {
                Value::Instant(from.wrapping_add_unsigned(self.key.at(id.row, attempt).below(*count)))
            }
            Kind::Constant(value) => value.value(),
            Kind::Bool(share) => Value::Bool(self.key.at(id.row, attempt).bits() < *share),
            Kind::Uuid => Value::Uuid(uuid(self.key.at(id.row, attempt))),
            Kind::Template(_) | Kind::Text { .. } => {
                scratch.clear();
                self.append_text(id, attempt, scratch);
                Value::Text(scratch)
            }
        }
    }

    /// Appends a template or text.
    fn append_text(&self, id: RowId, attempt: u8, out: &mut String) {
        let mut stream = self.key.at(id.row, attempt);
        match &self.kind {
            Kind::Template(parts) => parts.iter().for_each(|part| append_part(part, id, &mut stream, out)),
            Kind::Text { min, max } => append_words(*min, *max, &mut stream, out),
            _ => {}
        }
    }
}

fn append_part(part: &Part, id: RowId, stream: &mut Stream, out: &mut String) {
    match part {
        Part::Text(text) => out.push_str(text),
        Part::Row => append_whole(id.row.wrapping_add(1), out),
        Part::Int { low, count } => {
            let value = low.wrapping_add_unsigned(whole(stream, *count));
            match u64::try_from(value) {
                Ok(value) => append_whole(value, out),
                Err(_) => Value::Int(value).append_to(out),
            }
        }
        Part::Hex(digits) => {
            let mut left = *digits as usize;
            while left > 0 {
                let block = format!("{:016x}", stream.bits());
                let taken = left.min(block.len());
                out.push_str(&block[..taken]);
                left -= taken;
            }
        }
        Part::Word { capitalised } => {
            let word = WORDS[stream.below(WORDS.len() as u64) as usize];
            if *capitalised {
                out.push(word.as_bytes()[0].to_ascii_uppercase() as char);
                out.push_str(&word[1..]);
            } else {
                out.push_str(word);
            }
        }
        Part::Column(column) => {
            let mut scratch = String::new();
            column.value(id, &mut scratch).append_to(out);
        }
    }
}

/// Words with single spaces, cut to a length that is uniform within the bounds.
fn append_words(min: u32, max: u32, stream: &mut Stream, out: &mut String) {
    let length = u64::from(min) + stream.below(u64::from(max - min) + 1);
    let end = out.len() + length as usize;
    // Sixteen bits pick a word, so that one draw makes four.
    let mut bits = 0;
    let mut left = 0;
    while out.len() < end {
        if left == 0 {
            (bits, left) = (stream.bits(), 4);
        }
        out.push_str(WORDS[(bits & 0x7f) as usize]);
        out.push(' ');
        bits >>= 16;
        left -= 1;
    }
    out.truncate(end);
    if out.ends_with(' ') {
        // A text that ends in a space reads as if it had been cut off.
        out.pop();
        out.push('s');
    }
}

/// Decimal digits, two at a time: formatting is a large part of making a text.
fn append_whole(mut value: u64, out: &mut String) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    match std::str::from_utf8(&digits[at..]) {
        Ok(digits) => out.push_str(digits),
        Err(_) => {
            let _ = write!(out, "{value}");
        }
    }
}

/// Of `count` whole numbers; 0 stands for all 2⁶⁴.
#[inline]
fn whole(stream: &mut Stream, count: u64) -> u64 {
    if count == 0 { stream.bits() } else { stream.below(count) }
}

#[inline]
fn rounded(rounding: Rounding, number: f64, low: f64, high: f64) -> Value<'static> {
    let number = number.clamp(low, high);
    match rounding {
        Rounding::None => Value::Float(number),
        Rounding::Float { factor } => Value::Float((number * factor).round() / factor),
        Rounding::Decimal { scale: 0, .. } => Value::Int(number.round() as i64),
        Rounding::Decimal { scale, factor } => {
            Value::Decimal { unscaled: (number * factor).round() as i64, scale }
        }
    }
}

/// A random (version 4) UUID of RFC 9562.
fn uuid(mut stream: Stream) -> [u8; 16] {
    let bits = (u128::from(stream.bits()) << 64) | u128::from(stream.bits());
    let mut bytes = bits.to_be_bytes();
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    bytes
}
