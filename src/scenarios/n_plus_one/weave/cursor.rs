//! Where a loop stands in the rows that it goes through.

use crate::scenarios::n_plus_one::sources::Standing;
use crate::trace::ValueHash;

/// Rows looked at beyond the expected one.
const ROWS_AHEAD: usize = 8;

/// The rows of a column that a cursor goes through.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rows<'e> {
    /// The values of the first ones, as far as the recorder kept them.
    pub(super) kept: &'e [ValueHash],
    /// How many there were.
    pub(super) all: usize,
    /// Different kept values.
    pub(super) different: usize,
}

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
    /// Behind the rows whose values were kept.
    Beyond,
}

impl Move {
    /// The less likely, the more.
    pub(super) fn cost(self) -> f64 {
        match self {
            Self::Next => 0.0,
            Self::NextDifferent | Self::Beyond => 0.3,
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
    /// Goes on to a value of the column; none before: starts there. Nowhere, where
    /// the value was not kept and the cursor does not stand at the end of what was.
    pub(super) fn advance(
        before: Option<Self>,
        rows: Rows<'_>,
        value: ValueHash,
        standing: Option<Standing>,
        execution: usize,
    ) -> Option<(Self, Move)> {
        let beyond = before.and_then(|before| before.beyond(rows, execution));
        let Some(standing) = standing else { return beyond };
        let (next, movement) = Self::among_kept(before, rows.kept, value, standing, execution);
        match (movement, beyond) {
            // Values of the rows behind coincide with those before.
            (Move::Jump(..) | Move::Behind(_), Some(beyond))
                if before.is_some_and(|at| at.is_at_end(rows.kept)) =>
            {
                Some(beyond)
            }
            _ => Some((next, movement)),
        }
    }

    /// To the next row behind those that were kept, once all of these were asked for.
    fn beyond(self, rows: Rows<'_>, execution: usize) -> Option<(Self, Move)> {
        // Who jumps stands at the end by chance.
        let is_in_order = self.jumps * 4 < self.asked;
        let is_behind = is_in_order && (self.rank + 1 >= rows.different || self.is_at_end(rows.kept));
        let row = rows.kept.len().max(self.row + 1);
        let next =
            Self { row, rank: self.rank.max(rows.different), asked: self.asked + 1, execution, ..self };
        (is_behind && row < rows.all && !self.is_descending).then_some((next, Move::Beyond))
    }

    fn among_kept(
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
        if before.row >= column.len() {
            let jumped = to(standing.first_row, asked, false);
            return (Self { jumps: before.jumps + 1, ..jumped }, Move::Jump(before.jumps, before.asked));
        }
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
        moves_of(column, column.len(), asked)
    }

    /// The same, where only the first values of so many rows were kept.
    fn moves_of(column: &[u64], all: usize, asked: &[u64]) -> String {
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
            let first_row = column.iter().position(|other| *other == value);
            let rank = different.iter().position(|other| *other == value);
            let standing = first_row.zip(rank).map(|(first_row, rank)| Standing { first_row, rank, rows: 1 });
            let rows = Rows { kept: &column, all, different: different.len() };
            let Some((next, movement)) = Cursor::advance(cursor, rows, value, standing, execution) else {
                letters.push('x');
                continue;
            };
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
                Move::Beyond => 'b',
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
    fn a_cursor_goes_on_behind_the_rows_that_were_kept() {
        let kept = [7, 3, 7, 5];
        assert_eq!(moves_of(&kept, 8, &[7, 3, 7, 5, 30, 7, 31, 32]), "F...bbbb", "whatever it asks for");
        assert_eq!(moves_of(&kept, 6, &[7, 3, 7, 5, 30, 31, 32]), "F...bbx", "there are two more rows");
        assert_eq!(moves_of(&kept, 4, &[7, 3, 7, 5, 30]), "F...x", "all were kept");
        assert_eq!(moves_of(&kept, 8, &[7, 3, 30, 7, 5, 30]), "F.x..b", "not before the end");
        assert_eq!(
            moves_of(&[7, 3, 5, 7], 8, &[7, 3, 5, 30]),
            "F..b",
            "an identity map is at the end sooner"
        );
        assert_eq!(moves_of(&kept, 8, &[30, 7]), "xF", "nor before the start");
    }

    #[test]
    fn who_jumps_often_jumps_cheaply() {
        let cost = |jumps, asked| Move::Jump(jumps, asked).cost();
        assert!(cost(20, 21) < cost(1, 21) && cost(0, 1000) <= JUMP_MAX);
        assert!(Move::Next.cost() < Move::NextDifferent.cost());
        assert!(Move::Ahead(7).cost() < JUMP_MAX);
    }
}
