//! Templates: their parts, and the longest text that they can make.

use super::Problems;
use super::build::Builder;
use super::resolve::DraftColumn;
use super::types::Mismatch;
use crate::postgres::ColumnType;
use crate::project::distributions::TemplatePart;
use crate::seed::column::{Generator, Kind, Part};
use crate::seed::value::Literal;
use crate::seed::words::LONGEST;

impl Builder<'_, '_> {
    /// A template's parts and the longest text they can make, in characters.
    pub(super) fn template(
        &mut self,
        column: &DraftColumn<'_>,
        parts: &[TemplatePart],
        problems: &mut Problems<'_>,
    ) -> Result<(Vec<Part>, u64), Option<Mismatch>> {
        let mut longest = 0;
        let mut made = Vec::new();
        for part in parts {
            let (part, length) = match part {
                TemplatePart::Text(text) => (Part::Text(text.as_str().into()), text.chars().count() as u64),
                TemplatePart::Row => (Part::Row, self.row_counts.total().to_string().len() as u64),
                TemplatePart::Hex(digits) => (Part::Hex(*digits), u64::from(*digits)),
                TemplatePart::Word { capitalised } => {
                    (Part::Word { capitalised: *capitalised }, LONGEST as u64)
                }
                TemplatePart::Int(low, high) => {
                    let count = high.wrapping_sub(*low).cast_unsigned().wrapping_add(1);
                    let length = low.to_string().len().max(high.to_string().len()) as u64;
                    (Part::Int { low: *low, count }, length)
                }
                TemplatePart::Column(name) => {
                    let Some(index) = self.draft.columns.iter().position(|own| own.column.name == *name)
                    else {
                        let message = format!(
                            "the template reads `{name}`, which has no distribution in [{}]",
                            self.draft.declared.table
                        );
                        return Err(Some((
                            message,
                            "placeholders: {row}, {hex:8}, {word}, {Word}, {int:1-9}, {column}".into(),
                        )));
                    };
                    let generator = self.column(index, problems).ok_or(None)?;
                    let own = &column.column.name;
                    if generator.redraws.is_some() && self.wanted.redraws_name(own) {
                        let message =
                            format!("the template reads `{name}`, which must be unique together with it");
                        return Err(Some((message, "make the template unique by `{row}`".into())));
                    }
                    let length = longest_of(&self.draft.columns[index].column.column_type, &generator);
                    (Part::Column(generator), length)
                }
            };
            longest += length;
            made.push(part);
        }
        Ok((made, longest))
    }
}

/// The most characters that a column's values take inside a template.
fn longest_of(column_type: &ColumnType, generator: &Generator) -> u64 {
    match (&generator.kind, column_type) {
        (_, ColumnType::Text(Some(length))) => (*length).into(),
        (Kind::Text { max, .. }, _) => (*max).into(),
        (Kind::Choice(_, values) | Kind::ShuffledChoice(_, values), _) => {
            let length = |literal: &Literal| {
                let mut text = String::new();
                literal.value().append_to(&mut text);
                text.chars().count() as u64
            };
            values.iter().map(length).max().unwrap_or(0)
        }
        (Kind::Uuid, _) => 36,
        (_, ColumnType::Int2) => 6,
        (_, ColumnType::Int4) => 11,
        (_, ColumnType::Bool) => 5,
        // Numbers and times; texts of unknown length are left to the server.
        _ => 20,
    }
}
