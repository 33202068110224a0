//! Text templates: `"user{row}@example.com"` to its parts.

use super::TemplatePart;

/// Longest `{hex:n}`.
const MAX_HEX_DIGITS: u32 = 1_000;

/// The parts of a template, or what is wrong with it.
pub(super) fn parse_template(template: &str) -> Result<Vec<TemplatePart>, String> {
    let mut parts = Vec::new();
    let mut text = String::new();
    let mut rest = template;
    while let Some(at) = rest.find(['{', '}']) {
        text.push_str(&rest[..at]);
        let brace = &rest[at..=at];
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix(brace) {
            text.push_str(brace);
            rest = after;
        } else if brace == "}" {
            return Err("a `}` without its `{`".into());
        } else {
            let Some(end) = rest.find('}') else { return Err("a `{` without its `}`".into()) };
            if !text.is_empty() {
                parts.push(TemplatePart::Text(std::mem::take(&mut text)));
            }
            parts.push(placeholder(&rest[..end])?);
            rest = &rest[end + 1..];
        }
    }
    text.push_str(rest);
    if !text.is_empty() {
        parts.push(TemplatePart::Text(text));
    }
    Ok(parts)
}

fn placeholder(inside: &str) -> Result<TemplatePart, String> {
    match inside.split_once(':') {
        None => Ok(match inside {
            "" => return Err("an empty placeholder `{}`".into()),
            "row" => TemplatePart::Row,
            "word" => TemplatePart::Word { capitalised: false },
            "Word" => TemplatePart::Word { capitalised: true },
            column => TemplatePart::Column(column.to_owned()),
        }),
        Some(("column", column)) => Ok(TemplatePart::Column(column.to_owned())),
        Some(("hex", digits)) => match digits.parse() {
            Ok(digits) if (1..=MAX_HEX_DIGITS).contains(&digits) => Ok(TemplatePart::Hex(digits)),
            _ => Err(format!("`{{hex:{digits}}}` needs a number of digits from 1 to {MAX_HEX_DIGITS}")),
        },
        Some(("int", bounds)) => {
            let (low, high) =
                bounds.split_once('-').ok_or_else(|| format!("`{{int:{bounds}}}` needs `low-high`"))?;
            match (low.parse(), high.parse()) {
                (Ok(low), Ok(high)) if low <= high => Ok(TemplatePart::Int(low, high)),
                _ => Err(format!("`{{int:{bounds}}}` needs two whole numbers, the lower one first")),
            }
        }
        Some((kind, _)) => Err(format!("unknown placeholder `{{{kind}:…}}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::TemplatePart::{Column, Hex, Int, Row, Text, Word};
    use super::parse_template;

    #[test]
    fn placeholders_and_escaped_braces() {
        assert_eq!(
            parse_template("{{u{row}-{hex:4}{Word}{int:1-9}}}{email}"),
            Ok(vec![
                Text("{u".into()),
                Row,
                Text("-".into()),
                Hex(4),
                Word { capitalised: true },
                Int(1, 9),
                Text("}".into()),
                Column("email".into())
            ])
        );
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (template, word) in [
            ("a{row", "without"),
            ("a}", "without"),
            ("{}", "empty"),
            ("{hex:0}", "digits"),
            ("{int:9-1}", "lower"),
            ("{x:1}", "unknown"),
        ] {
            let problem = parse_template(template).expect_err(template);
            assert!(problem.contains(word), "{template}: {problem}");
        }
    }
}
