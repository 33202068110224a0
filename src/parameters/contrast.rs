//! Parameter sets that differ where plans differ: frequent, rare and absent values.

use super::column::{Bounds, Columns};
use super::draw::{Source, open};
use super::error::{Error, Reason};
use super::{Drawn, ParameterSet, set_of};
use crate::postgres::Session;
use crate::project::query::{ColumnReference, Parameter, ParameterSource, Query};

/// Sets drawn as declared.
const DECLARED: usize = 3;
/// A query with many parameters gets no more sets than this.
const SETS_MAX: usize = 16;

/// Draws sets as declared, and for every parameter that takes its values from a column one set
/// each with a common, a rare and an absent value, the others as in the first set. All sets are
/// different; at most 16.
///
/// # Errors
/// A source names a table or column that does not exist or holds no values, or the server fails.
pub async fn draw_contrasting(
    session: &Session,
    query: &Query,
    seed: u64,
) -> Result<Vec<ParameterSet>, Error> {
    let columns = Columns { session, bounds: Bounds::default() };
    let source = Source { columns, query, seed };
    let declared = source.all(DECLARED).await?;
    let mut sets: Vec<ParameterSet> = Vec::new();
    let mut add = |drawn: Vec<Drawn>| {
        let set = set_of(query, drawn);
        if sets.len() < SETS_MAX && !sets.iter().any(|known| known.values == set.values) {
            sets.push(set);
        }
    };
    // The contrasts come first: they carry their labels, and the bound cuts the others.
    for (index, parameter) in query.parameters.iter().enumerate() {
        let contrasts = contrasts(source, parameter).await;
        for contrast in contrasts.map_err(|reason| Error::new(query, parameter, reason))? {
            let mut drawn = open(&declared, 0);
            if let Some(place) = drawn.get_mut(index) {
                *place = Some(contrast);
                add(source.complete(drawn, 0)?);
            }
        }
    }
    for index in 0..DECLARED {
        add(source.complete(open(&declared, index), index)?);
    }
    Ok(sets)
}

/// A common, a rare and an absent value of the parameter's column, as far as there are such.
async fn contrasts(source: Source<'_>, parameter: &Parameter) -> Result<Vec<Drawn>, Reason> {
    let Some(reference) = column_of(&parameter.source) else { return Ok(Vec::new()) };
    let Source { columns, seed, .. } = source;
    let column = columns.resolve(reference).await?;
    let common = columns.common(&column, seed).await?;
    let rare = columns.rare(&column, seed, 1).await?;
    let absent = match columns.absent(&column, seed, 1).await {
        // Not every type has a value to spare.
        Err(Reason::NoAbsentValue { .. }) => Vec::new(),
        other => other?,
    };
    let mut contrasts = vec![Drawn::of("common")(common)];
    contrasts.extend(rare.into_iter().map(Drawn::of("rare")));
    contrasts.extend(absent.into_iter().map(Drawn::of("absent")));
    Ok(contrasts)
}

fn column_of(source: &ParameterSource) -> Option<&ColumnReference> {
    match source {
        ParameterSource::Sample(reference)
        | ParameterSource::Common(reference)
        | ParameterSource::Rare(reference)
        | ParameterSource::Absent(reference) => Some(reference),
        _ => None,
    }
}
