//! Draws parameter sets as the sources are declared.

use super::column::{self, Bounds, Columns};
use super::error::{Error, Reason};
use super::evaluate::{Scope, Value, evaluate};
use super::generate::{array, generate};
use super::random::Random;
use super::{Drawn, ParameterSet, set_of};
use crate::postgres::{ColumnDescription, Session};
use crate::project::query::{ColumnReference, Expression, Parameter, ParameterSource, Query};
use std::collections::BTreeMap;

/// Draws `count` sets, in the order in which they should be used. A frequent value of a sampled
/// column comes up as often as in its table. One set where all would be equal.
///
/// # Errors
/// A source names a table or column that does not exist or holds no values, or the server fails.
pub async fn draw(
    session: &Session,
    query: &Query,
    seed: u64,
    count: usize,
) -> Result<Vec<ParameterSet>, Error> {
    draw_within(session, query, seed, count, Bounds::default()).await
}

/// The same at another cost.
///
/// # Errors
/// A source names a table or column that does not exist or holds no values, or the server fails.
pub async fn draw_within(
    session: &Session,
    query: &Query,
    seed: u64,
    count: usize,
    bounds: Bounds,
) -> Result<Vec<ParameterSet>, Error> {
    let source = Source { columns: Columns { session, bounds }, query, seed };
    let drawn = source.all(count).await?;
    let set = |index| Ok(set_of(query, source.complete(open(&drawn, index), index)?));
    let mut sets: Vec<ParameterSet> = (0..count).map(set).collect::<Result<_, Error>>()?;
    if sets.windows(2).all(|pair| pair[0].values == pair[1].values) {
        sets.truncate(1);
    }
    Ok(sets)
}

/// The values for the set of this index, before expressions are computed.
pub(super) fn open(drawn: &[Option<Vec<Drawn>>], index: usize) -> Vec<Option<Drawn>> {
    drawn.iter().map(|values| values.as_ref().map(|values| pick(values, index))).collect()
}

/// The value for the set of this index; fewer values than sets come round again.
fn pick(values: &[Drawn], index: usize) -> Drawn {
    let value = values.get(index % values.len().max(1));
    value.cloned().unwrap_or(Drawn { value: None, origin: None })
}

/// Draws for the parameters of one query.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) columns: Columns<'a>,
    pub(super) query: &'a Query,
    pub(super) seed: u64,
}

impl Source<'_> {
    /// Values of all parameters, those that only expressions refer to at the end; none for expressions.
    pub(super) async fn all(self, count: usize) -> Result<Vec<Option<Vec<Drawn>>>, Error> {
        let mut drawn = Vec::new();
        for parameter in self.query.parameters.iter().chain(&self.query.intermediate) {
            drawn.push(match parameter.source {
                ParameterSource::Expression(..) => None,
                _ => {
                    let values = self.values(parameter, count).await;
                    Some(values.map_err(|reason| Error::new(self.query, parameter, reason))?)
                }
            });
        }
        Ok(drawn)
    }

    /// One value of each parameter of the query's statements: the drawn ones, and expressions
    /// computed from them.
    pub(super) fn complete(self, mut open: Vec<Option<Drawn>>, index: usize) -> Result<Vec<Drawn>, Error> {
        let parameters: Vec<&Parameter> =
            self.query.parameters.iter().chain(&self.query.intermediate).collect();
        // Each round computes what refers to known values only; reading made sure that there is no circle.
        for _ in 0..parameters.len() {
            let values: BTreeMap<&str, Option<String>> = parameters
                .iter()
                .zip(&open)
                .filter_map(|(parameter, drawn)| {
                    Some((parameter.name.as_str(), drawn.as_ref()?.value.clone()))
                })
                .collect();
            let mut computed = Vec::new();
            for (at, parameter) in parameters.iter().enumerate().filter(|(at, _)| open[*at].is_none()) {
                let ParameterSource::Expression(text, expression) = &parameter.source else { continue };
                if expression.variables().iter().all(|(name, _)| values.contains_key(name)) {
                    let value = self.compute(&parameter.name, index, expression, text, &values);
                    let value = value.map_err(|reason| Error::new(self.query, parameter, reason))?;
                    computed.push((at, Drawn { value, origin: None }));
                }
            }
            computed.into_iter().for_each(|(at, drawn)| open[at] = Some(drawn));
        }
        open.truncate(self.query.parameters.len());
        Ok(open.into_iter().map(|drawn| drawn.unwrap_or(Drawn { value: None, origin: None })).collect())
    }

    /// An expression's value in the set of this index.
    fn compute(
        self,
        name: &str,
        index: usize,
        expression: &Expression,
        text: &str,
        values: &BTreeMap<&str, Option<String>>,
    ) -> Result<Option<String>, Reason> {
        let mut random = Random::new(self.seed, &format!("{}/{name}/{index}", self.query.name));
        let default_seed = i64::from_ne_bytes(self.seed.to_ne_bytes());
        let mut scope = Scope { random: &mut random, values, default_seed };
        evaluate(expression, text, &mut scope).map(Value::text).map_err(Reason::Expression)
    }

    /// At most `count` values, at least one.
    pub(super) async fn values(self, parameter: &Parameter, count: usize) -> Result<Vec<Drawn>, Reason> {
        match &parameter.source {
            ParameterSource::Sample(reference) => self.sampled(parameter, reference, count).await,
            ParameterSource::List(inner, length) => {
                self.lists(parameter, inner, *length as usize, count).await
            }
            other => self.independent(parameter, other, count).await,
        }
    }

    /// Sources whose values have nothing to do with the other parameters.
    async fn independent(
        self,
        parameter: &Parameter,
        source: &ParameterSource,
        count: usize,
    ) -> Result<Vec<Drawn>, Reason> {
        let columns = self.columns;
        let values = match source {
            ParameterSource::Common(reference) => {
                let column = columns.resolve(reference).await?;
                vec![columns.common(&column, self.seed).await?].into_iter().map(Drawn::of("common")).collect()
            }
            ParameterSource::Rare(reference) => {
                let column = columns.resolve(reference).await?;
                columns.rare(&column, self.seed, count).await?.into_iter().map(Drawn::of("rare")).collect()
            }
            ParameterSource::Absent(reference) => {
                let column = columns.resolve(reference).await?;
                columns
                    .absent(&column, self.seed, count)
                    .await?
                    .into_iter()
                    .map(Drawn::of("absent"))
                    .collect()
            }
            ParameterSource::Sample(reference) => {
                // Inside a list: rows of its own.
                let column = columns.resolve(reference).await?;
                let seed = self.stream(&parameter.name);
                let rows = columns.sample_rows(&[column], seed, count).await?;
                rows.into_iter().flatten().map(Drawn::of("sample")).collect()
            }
            ParameterSource::Expression(text, expression) => {
                let none = BTreeMap::new();
                let value = |index| {
                    let value = self.compute(&parameter.name, index, expression, text, &none)?;
                    Ok(Drawn { value, origin: None })
                };
                (0..count).map(value).collect::<Result<_, Reason>>()?
            }
            other => {
                let mut random = Random::new(self.seed, &format!("{}/{}", self.query.name, parameter.name));
                generate(other, &mut random, count).unwrap_or_default()
            }
        };
        Ok(values)
    }

    /// Values of rows that all samples of the same table in this query share. A column sampled
    /// twice, as for both ends of a range, takes its second value from another row.
    async fn sampled(
        self,
        parameter: &Parameter,
        reference: &ColumnReference,
        count: usize,
    ) -> Result<Vec<Drawn>, Reason> {
        let table = column::table_key(reference);
        let mut references: Vec<(&ColumnReference, usize)> = Vec::new();
        let mut turn = 0;
        for other in &self.query.parameters {
            let ParameterSource::Sample(sampled) = &other.source else { continue };
            if column::table_key(sampled) != table {
                continue;
            }
            let times = match references.iter_mut().find(|(known, _)| *known == sampled) {
                Some((_, times)) => {
                    *times += 1;
                    *times
                }
                None => {
                    references.push((sampled, 1));
                    1
                }
            };
            if other.name == parameter.name {
                turn = times - 1;
            }
        }
        let turns = references.iter().map(|(_, times)| *times).max().unwrap_or(1);
        let wanted = references.iter().position(|(known, _)| *known == reference).unwrap_or(0);
        let mut columns: Vec<ColumnDescription> = Vec::new();
        for (reference, _) in references {
            columns.push(self.columns.resolve(reference).await?);
        }
        let rows =
            self.columns.sample_rows(&columns, self.stream(&table), count.saturating_mul(turns)).await?;
        let value = |index: usize| rows.get((index * turns + turn) % rows.len().max(1))?.get(wanted).cloned();
        Ok((0..count).map(|index| Drawn { value: value(index), origin: Some("sample") }).collect())
    }

    /// `count` arrays of `length` values each.
    async fn lists(
        self,
        parameter: &Parameter,
        inner: &ParameterSource,
        length: usize,
        count: usize,
    ) -> Result<Vec<Drawn>, Reason> {
        let values = self.independent(parameter, inner, length.saturating_mul(count)).await?;
        let list = |index: usize| {
            let items =
                (0..length).map(|item| pick(&values, index * length + item).value).collect::<Vec<_>>();
            Drawn { value: Some(array(&items)), origin: values.first().and_then(|value| value.origin) }
        };
        Ok((0..count).map(list).collect())
    }

    fn stream(self, name: &str) -> u64 {
        Random::new(self.seed, &format!("{}/{name}", self.query.name)).next()
    }
}
