//! What makes two statements the same one, for a fingerprint that outlives a run.

use super::words::Words;
use crate::sql::lexer::TokenKind;
use crate::trace::StatementShape;
use xxhash_rust::xxh3::xxh3_64;

/// The shape's hash, whatever the order of its select list: an ORM that keeps its columns in a
/// hashed set lists them in another order in each process. A text cut at `cut_at` bytes goes by
/// the hash of the whole.
pub(in crate::scenarios::n_plus_one) fn identity(shape: &StatementShape, cut_at: usize) -> u64 {
    if shape.text.len() >= cut_at {
        return shape.hash;
    }
    sorted_list(&shape.text).map_or(shape.hash, |text| xxh3_64(text.as_bytes()))
}

/// A plain SELECT with the items of its list in order of their texts.
fn sorted_list(text: &str) -> Option<String> {
    let words = Words::new(text);
    if !words.is(0, "select") {
        return None;
    }
    let first = 1 + usize::from(words.is(1, "distinct") && !words.is(2, "on"));
    let end = list_end(&words, first);
    let mut items = vec![String::new()];
    let mut depth = 0_usize;
    for at in first..end {
        match words.kind(at) {
            Some(TokenKind::OpenParenthesis) => depth += 1,
            Some(TokenKind::CloseParenthesis) => depth = depth.saturating_sub(1),
            Some(TokenKind::Comma) if depth == 0 => {
                items.push(String::new());
                continue;
            }
            _ => {}
        }
        let item = items.last_mut()?;
        item.push_str(words.raw(at));
        item.push(' ');
    }
    items.sort_unstable();
    let part = |range: std::ops::Range<usize>| range.map(|at| words.raw(at)).collect::<Vec<_>>().join(" ");
    Some(format!("{} {} {}", part(0..first), items.join(", "), part(end..words.tokens.len())))
}

/// Where the list's FROM stands, or the text ends.
fn list_end(words: &Words<'_>, first: usize) -> usize {
    let mut depth = 0_usize;
    for at in first..words.tokens.len() {
        match words.kind(at) {
            Some(TokenKind::OpenParenthesis) => depth += 1,
            Some(TokenKind::CloseParenthesis) => depth = depth.saturating_sub(1),
            // `a is distinct from b` goes on.
            _ if depth == 0 && words.is(at, "from") && !words.is(at - 1, "distinct") => return at,
            _ => {}
        }
    }
    words.tokens.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(statement: &str) -> u64 {
        let shape = crate::sql::shape::shape(statement);
        let hash = xxh3_64(shape.text.as_bytes());
        identity(&StatementShape { text: shape.text, hash }, 4096)
    }

    #[test]
    fn the_order_of_a_select_list_makes_no_other_statement() {
        for (one, other) in [
            ("select \"id\", \"name\" from t where id = $1", "SELECT \"name\",\"id\" FROM t WHERE id = 7"),
            ("select distinct a, coalesce(b, c) x from t", "select distinct coalesce(b, c) x, a from t"),
            ("select a is distinct from b, c from t", "select c, a is distinct from b from t"),
            (
                "select extract(year from a), (select b from u) from t",
                "select (select b from u), extract(year from a) from t",
            ),
        ] {
            assert_eq!(of(one), of(other), "{one}");
        }
        for (one, other) in [
            ("select a, b from t", "select a, b from u"),
            ("select a, b from t", "select a, c from t"),
            ("select f(a, b) from t", "select f(b, a) from t"),
            ("select a, b from t order by a, b", "select a, b from t order by b, a"),
            ("select distinct a, b from t", "select a, b from t"),
            ("insert into t (a, b) values ($1, $2)", "insert into t (b, a) values ($1, $2)"),
        ] {
            assert_ne!(of(one), of(other), "{one}");
        }
        let cut = StatementShape { text: "select b, a from t".into(), hash: 7 };
        assert_eq!(identity(&cut, 10), 7);
    }
}
