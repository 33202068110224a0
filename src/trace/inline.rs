//! A statement with its bound parameters written in as literals, for whoever
//! wants to execute it again.

use crate::sql::lexer::{TokenKind, tokens};

/// A bound parameter to write in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// The type the client declared or the server inferred; 0 where it is not known.
    pub type_oid: u32,
    /// Its text; none is NULL.
    pub text: Option<String>,
}

/// The statement's text with every `$n` replaced by a literal, typed where its type is known.
/// `None`: a parameter is missing, or its text is not known.
#[must_use]
pub fn inline_parameters(text: &str, parameter: impl Fn(usize) -> Option<Bound>) -> Option<String> {
    let mut inlined = String::with_capacity(text.len() + 16);
    let mut copied = 0;
    for token in tokens(text).filter(|token| token.kind == TokenKind::PositionalParameter) {
        let number: usize = token.text(text).get(1..)?.parse().ok()?;
        let bound = parameter(number.checked_sub(1)?)?;
        inlined.push_str(text.get(copied..token.start)?);
        inlined.push_str(&literal(&bound));
        copied = token.end;
    }
    inlined.push_str(text.get(copied..)?);
    Some(inlined)
}

fn literal(bound: &Bound) -> String {
    let value = match &bound.text {
        // A backslash is plain in '…' with standard_conforming_strings, the default since 9.1.
        Some(text) => format!("'{}'", text.replace('\'', "''")),
        None => "NULL".into(),
    };
    match type_name(bound.type_oid) {
        Some(name) => format!("{value}::{name}"),
        None => value,
    }
}

/// Built-in types whose name matters for which operator or function is meant; others are inferred
/// from the place they stand in, as for a parameter of unknown type.
fn type_name(oid: u32) -> Option<&'static str> {
    Some(match oid {
        16 => "bool",
        17 => "bytea",
        20 => "int8",
        21 => "int2",
        23 => "int4",
        25 => "text",
        700 => "float4",
        701 => "float8",
        1043 => "varchar",
        1082 => "date",
        1114 => "timestamp",
        1184 => "timestamptz",
        1700 => "numeric",
        2950 => "uuid",
        3802 => "jsonb",
        1005 => "int2[]",
        1007 => "int4[]",
        1016 => "int8[]",
        1009 => "text[]",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inlined(text: &str, parameters: &[(u32, Option<&str>)]) -> Option<String> {
        inline_parameters(text, |number| {
            let (type_oid, text) = parameters.get(number)?;
            Some(Bound { type_oid: *type_oid, text: text.map(str::to_owned) })
        })
    }

    #[test]
    fn parameters_become_literals_and_everything_else_stays() {
        for (text, parameters, expected) in [
            (
                "update t set a = $2 where id = $1 -- $1",
                vec![(23, Some("5")), (0, Some("it's"))],
                Some("update t set a = 'it''s' where id = '5'::int4 -- $1"),
            ),
            ("select '$1', $1", vec![(25, None)], Some("select '$1', NULL::text")),
            ("select $10", vec![(0, Some("1"))], None),
            ("select 1", vec![], Some("select 1")),
        ] {
            assert_eq!(inlined(text, &parameters).as_deref(), expected, "{text}");
        }
    }
}
