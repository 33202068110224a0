//! Expressions of parameters that refer to other parameters.

use super::parse::Declaration;
use super::{Expression, ParameterSource};
use crate::project::fields::Problems;
use crate::project::nearest::nearest;
use std::ops::Range;

/// The parameters that a source refers to, with their places in its text.
pub(super) fn references(source: &ParameterSource) -> impl Iterator<Item = (&str, Range<usize>)> {
    let expression = match source {
        ParameterSource::Expression(_, expression) => Some(expression),
        _ => None,
    };
    expression.into_iter().flat_map(Expression::variables)
}

/// An expression refers to what is declared, and never by way of others to itself.
pub(super) fn check_references(declarations: &[Declaration], problems: &mut Problems<'_>) {
    let find = |name: &str| declarations.iter().find(|declared| declared.parameter.name == name);
    for declaration in declarations {
        for (name, span) in references(&declaration.parameter.source) {
            let span = span.start + declaration.source_start..span.end + declaration.source_start;
            if find(name).is_none() {
                let known = declarations.iter().map(|declared| declared.parameter.name.as_str());
                let help = match nearest(name, known) {
                    Some(known) => format!("did you mean `:{known}`?"),
                    None => format!("declare it: `-- param: {name} = random(1, 1000)`"),
                };
                problems.add(span, format!("nothing supplies `:{name}`"), help);
            } else if leads_to(name, &declaration.parameter.name, declarations) {
                let message = format!("`:{}` is computed from itself", declaration.parameter.name);
                problems.add(span, message, "let one of the parameters not refer to the others");
            }
        }
    }
}

/// Whether the parameter `from` is computed from `to`, or is it.
fn leads_to(from: &str, to: &str, declarations: &[Declaration]) -> bool {
    let mut pending = vec![from];
    let mut seen: Vec<&str> = Vec::new();
    while let Some(name) = pending.pop() {
        if name == to {
            return true;
        }
        if seen.contains(&name) {
            continue;
        }
        seen.push(name);
        let declared = declarations.iter().find(|declared| declared.parameter.name == name);
        pending.extend(
            declared.iter().flat_map(|declared| references(&declared.parameter.source)).map(|(name, _)| name),
        );
    }
    false
}
