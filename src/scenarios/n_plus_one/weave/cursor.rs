//! Where a loop stands in the rows that it goes through.

use crate::scenarios::n_plus_one::sources::Standing;
use crate::trace::ValueHash;

/// Rows looked at beyond the expected one.
const ROWS_AHEAD: usize = 8;

/// What a jump costs at most.
const JUMP_MAX: f64 = 5.0;

/// The last row asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cursor {
    /// Its number.
    pub(super) row: usize,
    /// Its value's place among the different values of the column.
    pub(super) rank: usize,
    /// Executions so far.
    pub(super) asked: u32,
    /// Those of them that came from anywhere in the rows.
    pub(super) jumps: u32,
    /// The rows are walked from the last to the first.
    pub(super) is_descending: bool,
    /// The execution that asked.
    pub(super) execution: usize,
}

/// How a cursor came to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Move {
    /// It starts at the first row.
    First,
    /// It starts at the last row.
    Last,
    /// It starts elsewhere.
    Anywhere,
    /// The next row, or the one before where it walks backwards.
    Next,
    /// The next different value, as an identity map asks.
    NextDifferent,
    /// The same row once more.
    Again,
    /// Over so many rows.
    Ahead(usize),
    /// To one of the rows just passed, by so many: several are asked for at once.
    Behind(usize),
    /// To any other row, after so many jumps in so many executions.
    Jump(u32, u32),
}

impl Move {
    /// The less likely, the more.
    pub(super) fn cost(self) -> f64 {
        match self {
            Self::Next => 0.0,
            Self::NextDifferent => 0.3,
            Self::First => 0.5,
            Self::Again => 1.7,
            Self::Last => 2.5,
            Self::Anywhere => 3.5,
            Self::Ahead(rows) | Self::Behind(rows) => 2.0 + 0.3 * rows as f64,
            // Who jumps goes through a set in an order of its own.
            Self::Jump(jumps, asked) => {
                (2.6 - ((f64::from(jumps) + 0.5) / (f64::from(asked) + 1.0)).ln()).min(JUMP_MAX)
            }
        }
    }

    pub(super) fn is_in_order(self) -> bool {
        !matches!(self, Self::Jump(..) | Self::Behind(_))
    }
}

impl Cursor {
    /// Goes on to a value of the column; none before: starts there.
    pub(super) fn advance(
        before: Option<Self>,
        column: &[ValueHash],
        value: ValueHash,
        standing: Standing,
        execution: usize,
    ) -> (Self, Move) {
        let to = |row: usize, asked: u32, is_descending: bool| Self {
            row,
            rank: standing.rank,
            asked,
            jumps: before.map_or(0, |before| before.jumps),
            is_descending,
            execution,
        };
        let Some(before) = before else {
            let last = column.iter().rposition(|other| !other.is_null());
            let is_last = last.is_some_and(|last| column[last] == value);
            return match standing.rank {
                0 => (to(standing.first_row, 1, false), Move::First),
                _ if is_last => (to(last.unwrap_or(0), 1, true), Move::Last),
                _ => (to(standing.first_row, 1, false), Move::Anywhere),
            };
        };
        let asked = before.asked + 1;
        let ahead = |row: usize| column.get(row + 1..).unwrap_or_default();
        let next = ahead(before.row).iter().position(|other| !other.is_null());
        if let Some(next) = next.map(|offset| before.row + 1 + offset)
            && column[next] == value
        {
            return (to(next, asked, false), Move::Next);
        }
        if standing.rank == before.rank + 1 && standing.first_row > before.row {
            return (to(standing.first_row, asked, false), Move::NextDifferent);
        }
        let previous = column[..before.row].iter().rposition(|other| !other.is_null());
        if let Some(previous) = previous
            && column[previous] == value
            && (before.is_descending || before.asked == 1)
        {
            return (to(previous, asked, true), Move::Next);
        }
        if column[before.row] == value {
            return (to(before.row, asked, before.is_descending), Move::Again);
        }
        let offset = ahead(before.row).iter().take(ROWS_AHEAD).position(|other| *other == value);
        if let Some(offset) = offset {
            return (to(before.row + 1 + offset, asked, false), Move::Ahead(offset));
        }
        let passed = column[..before.row].iter().rev().take(ROWS_AHEAD).position(|other| *other == value);
        if let Some(passed) = passed {
            return (Self { asked, execution, ..before }, Move::Behind(passed));
        }
        let jumped = to(standing.first_row, asked, before.is_descending);
        (Self { jumps: before.jumps + 1, ..jumped }, Move::Jump(before.jumps, before.asked))
    }

    /// Behind it is no further row.
    pub(super) fn is_at_end(&self, column: &[ValueHash]) -> bool {
        column.get(self.row + 1..).unwrap_or_default().iter().all(|value| value.is_null())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Walks a column by values; the moves, a letter each.
    fn moves(column: &[u64], asked: &[u64]) -> String {
        let column: Vec<ValueHash> = column.iter().map(|value| ValueHash(*value)).collect();
        let mut different: Vec<ValueHash> = Vec::new();
        for value in column.iter().filter(|value| !value.is_null()) {
            if !different.contains(value) {
                different.push(*value);
            }
        }
        let mut cursor = None;
        let mut letters = String::new();
        for (execution, value) in asked.iter().map(|value| ValueHash(*value)).enumerate() {
            let first_row = column.iter().position(|other| *other == value).unwrap();
            let rank = different.iter().position(|other| *other == value).unwrap();
            let standing = Standing { first_row, rank, rows: 1 };
            let (next, movement) = Cursor::advance(cursor, &column, value, standing, execution);
            letters.push(match movement {
                Move::First => 'F',
                Move::Last => 'L',
                Move::Anywhere => '?',
                Move::Next => '.',
                Move::NextDifferent => 'd',
                Move::Again => '=',
                Move::Ahead(_) => '>',
                Move::Behind(_) => '<',
                Move::Jump(..) => '!',
            });
            cursor = Some(next);
        }
        letters
    }

    #[test]
    fn a_cursor_goes_on_as_loops_do() {
        // Zero is NULL.
        let rows = [7, 3, 0, 7, 5, 9];
        assert_eq!(moves(&rows, &[7, 3, 7, 5, 9]), "F....", "every row");
        assert_eq!(moves(&rows, &[7, 3, 5, 9]), "F.d.", "an identity map");
        assert_eq!(moves(&rows, &[9, 5, 7, 3, 7]), "L....", "backwards");
        assert_eq!(moves(&rows, &[7, 7, 3, 3]), "F=.=", "twice per row");
        assert_eq!(moves(&rows, &[3, 5, 9]), "?d.", "some rows");
        assert_eq!(moves(&rows, &[7, 5, 3, 9]), "F><.", "several at once");
        let long: Vec<u64> = (1..=40).collect();
        assert_eq!(moves(&long, &[1, 30, 5, 20]), "F!!!", "a set in its own order");
    }

    #[test]
    fn who_jumps_often_jumps_cheaply() {
        let cost = |jumps, asked| Move::Jump(jumps, asked).cost();
        assert!(cost(20, 21) < cost(1, 21) && cost(0, 1000) <= JUMP_MAX);
        assert!(Move::Next.cost() < Move::NextDifferent.cost());
        assert!(Move::Ahead(7).cost() < JUMP_MAX);
    }
}
