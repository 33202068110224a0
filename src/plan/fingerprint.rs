//! The shape of a plan: what stays when costs, row counts, worker numbers,
//! literals, parameter numbers and generated name suffixes are taken away.

use super::node::PlanNode;
use super::plan_tree::Plan;
use std::fmt::Write as _;
use xxhash_rust::xxh3::xxh3_64;

/// A plan's shape.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Fingerprint {
    /// One line a node, indented by depth.
    pub text: String,
    /// Of the text; stable over runs.
    pub hash: u64,
}

impl Plan {
    /// The plan's shape.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let mut text = String::new();
        for visit in self.walk() {
            let _ = writeln!(text, "{:indent$}{}", "", visit.node.shape(), indent = visit.depth * 2);
        }
        let hash = xxh3_64(text.as_bytes());
        Fingerprint { text, hash }
    }
}

impl PlanNode {
    /// What it does, without what is below it and without what may differ by accident: one line of a fingerprint.
    #[must_use]
    pub fn shape(&self) -> String {
        let mut line = String::new();
        if let Some(name) = &self.subplan_name {
            let name = name.split(" (returns").next().unwrap_or(name);
            let _ = write!(line, "{}: ", without_numbers(name));
        }
        let mut bare = self.clone();
        bare.children = Vec::new();
        bare.alias = self.alias.as_deref().map(|alias| without_suffix(alias).to_owned());
        bare.index = self.index.as_deref().map(|index| stable_index_name(index).to_owned());
        line.push_str(&bare.label());
        for condition in &self.conditions {
            let _ = write!(line, " [{}: {}]", condition.kind.name(), normalise_expression(&condition.text));
        }
        for (name, keys) in [("Sort Key", &self.sort_key), ("Group Key", &self.group_key)] {
            if !keys.is_empty() {
                let keys: Vec<_> = keys.iter().map(|key| normalise_expression(key)).collect();
                let _ = write!(line, " [{name}: {}]", keys.join(", "));
            }
        }
        if self.scan_direction.as_deref() == Some("Backward") {
            line.push_str(" backward");
        }
        line
    }
}

/// `CREATE INDEX` without a name numbers repeated names: `t_c_idx1` counts as `t_c_idx`.
#[must_use]
pub fn stable_index_name(name: &str) -> &str {
    let stem = name.trim_end_matches(|last: char| last.is_ascii_digit());
    if ["_idx", "_key", "_pkey", "_excl"].iter().any(|end| stem.ends_with(end)) { stem } else { name }
}

fn without_numbers(name: &str) -> String {
    match name.split_once(' ') {
        Some((kind @ ("InitPlan" | "SubPlan"), _)) => kind.to_owned(),
        _ => name.to_owned(),
    }
}

/// `orders_1` to `orders`: EXPLAIN numbers repeated aliases and partitions.
pub(super) fn without_suffix(name: &str) -> &str {
    match name.rsplit_once('_') {
        Some((stem, digits))
            if !stem.is_empty() && !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            stem
        }
        _ => name,
    }
}

/// An expression as EXPLAIN deparses it, with literals and parameters as `?`
/// (casts of them dropped) and generated suffixes of aliases gone: the same
/// for a custom and a generic plan, and for every parameter set.
#[must_use]
pub fn normalise_expression(text: &str) -> String {
    let mut scanner = Scanner { text, at: 0, out: String::with_capacity(text.len()) };
    while scanner.at < text.len() {
        scanner.step();
    }
    scanner.out.replace("(InitPlan ?).col?", "?")
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
    out: String,
}

impl Scanner<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn step(&mut self) {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return };
        match first {
            '\'' => {
                self.at += quoted_length(rest, '\'');
                self.placeholder();
            }
            '$' if rest[1..].starts_with(|next: char| next.is_ascii_digit()) => {
                self.at += 1 + digits_length(&rest[1..]);
                self.placeholder();
            }
            '0'..='9' => {
                self.at += number_length(rest);
                self.placeholder();
            }
            '"' => {
                let length = quoted_length(rest, '"');
                let name = rest[..length].to_owned();
                self.at += length;
                let inner = name.trim_matches('"');
                let kept = if self.rest().starts_with('.') { without_suffix(inner) } else { inner };
                let _ = write!(self.out, "\"{kept}\"");
            }
            first if first.is_alphabetic() || first == '_' => self.identifier(),
            ')' if self.closes_lone_placeholder() => {
                self.at += 1;
                self.out.truncate(self.out.len() - 2);
                self.placeholder();
            }
            other => {
                self.out.push(other);
                self.at += other.len_utf8();
            }
        }
    }

    fn identifier(&mut self) {
        let rest = self.rest();
        let length = identifier_length(rest);
        let name = rest[..length].to_owned();
        self.at += length;
        // `InitPlan 1).col1` from PostgreSQL 17 numbers its columns.
        if self.out.ends_with("(InitPlan ?).") && name.starts_with("col") {
            self.out.push_str("col?");
        } else if self.rest().starts_with('.') {
            self.out.push_str(without_suffix(&name));
        } else {
            self.out.push_str(&name);
        }
    }

    /// `(?)` that is not a call's argument list.
    fn closes_lone_placeholder(&self) -> bool {
        let Some(before) = self.out.strip_suffix("(?") else { return false };
        !before.ends_with(|last: char| last.is_alphanumeric() || last == '_' || last == '"')
    }

    fn placeholder(&mut self) {
        self.out.push('?');
        while self.rest().starts_with("::") {
            let length = type_length(&self.rest()[2..]);
            if length == 0 {
                break;
            }
            self.at += 2 + length;
        }
    }
}

/// Length of a quoted text at the start, doubled quotes inside it.
fn quoted_length(text: &str, quote: char) -> usize {
    let mut inside = text.char_indices().skip(1).peekable();
    while let Some((at, character)) = inside.next() {
        if character == quote {
            match inside.peek() {
                Some(&(_, next)) if next == quote => {
                    inside.next();
                }
                _ => return at + 1,
            }
        }
    }
    text.len()
}

fn digits_length(text: &str) -> usize {
    text.find(|next: char| !next.is_ascii_digit()).unwrap_or(text.len())
}

fn number_length(text: &str) -> usize {
    let mut length = digits_length(text);
    if text[length..].starts_with('.') {
        length += 1 + digits_length(&text[length + 1..]);
    }
    let exponent = &text[length..];
    if exponent.starts_with(['e', 'E']) {
        let sign = usize::from(exponent[1..].starts_with(['+', '-']));
        let digits = digits_length(&exponent[1 + sign..]);
        if digits > 0 {
            length += 1 + sign + digits;
        }
    }
    length
}

fn identifier_length(text: &str) -> usize {
    text.find(|next: char| !(next.is_alphanumeric() || next == '_' || next == '$')).unwrap_or(text.len())
}

/// Length of a type's name at the start, such as `timestamp(3) with time zone` or `"char"[]`.
fn type_length(text: &str) -> usize {
    let name_length = |text: &str| match text.chars().next() {
        Some('"') => quoted_length(text, '"'),
        _ => identifier_length(text),
    };
    let mut length = name_length(text);
    if length == 0 {
        return 0;
    }
    let name = &text[..length];
    if text[length..].starts_with('.') {
        length += 1 + name_length(&text[length + 1..]);
    }
    let tails: &[&str] = match name {
        "character" | "bit" => &[" varying"],
        "double" => &[" precision"],
        _ => &[],
    };
    length += tail_length(&text[length..], tails);
    if text[length..].starts_with('(') {
        length += text[length..].find(')').map_or(0, |close| close + 1);
    }
    if matches!(name, "timestamp" | "time") {
        length += tail_length(&text[length..], &[" with time zone", " without time zone"]);
    }
    while text[length..].starts_with("[]") {
        length += 2;
    }
    length
}

fn tail_length(text: &str, tails: &[&str]) -> usize {
    tails.iter().find(|tail| text.starts_with(**tail)).map_or(0, |tail| tail.len())
}

#[cfg(test)]
mod tests {
    use super::normalise_expression;

    #[test]
    fn literals_parameters_and_generated_suffixes_go() {
        let check =
            |input: &str, expected: &str| assert_eq!(normalise_expression(input), expected, "{input}");
        check("(user_id = 17)", "(user_id = ?)");
        check("(user_id = $1)", "(user_id = ?)");
        check("(status = 'it''s'::text)", "(status = ?)");
        check(
            "(orders_1.created_at >= '2024-01-01'::timestamp(3) with time zone)",
            "(orders.created_at >= ?)",
        );
        check("(a = ANY ('{1,2}'::integer[]))", "(a = ANY ?)");
        check("((name)::text = ($2)::text)", "((name)::text = ?)");
        check("(x.col_2 > 1.5e-3)", "(x.col_2 > ?)");
        check("(id = (InitPlan 1).col1)", "(id = ?)");
        check("(id = $0)", "(id = ?)");
        check("(NOT (hashed SubPlan 2))", "(NOT (hashed SubPlan ?))");
        check("(lower(email) = lower('A'::text))", "(lower(email) = lower(?))");
        check("(\"Order_3\".id = 'ü'::character varying(20))", "(\"Order\".id = ?)");
        check("'unterminated", "?");
        check("(a2 = 3)", "(a2 = ?)");
    }
}
