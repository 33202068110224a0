//! One column's declaration: `{ lognormal = { median = 60, sigma = 0.8 }, scale = 2 }`.

use super::parse::split_reference;
use super::template::parse_template;
use super::{ColumnDistribution, NumberDistribution, NumberSource, Skew, ValueSource, WeightedValue};
use crate::project::fields::{self, Fields, Problems};
use crate::project::nearest::nearest;
use std::ops::Range;
use toml::Spanned;
use toml::de::DeValue;

/// How far from 1 the weights of a column may sum.
const WEIGHT_TOLERANCE: f64 = 1e-6;

/// Most values of a `one_of`.
const MAX_VALUES: usize = 100_000;

const SOURCES: &str = "sequence, ordinal, references, one_of, range, uniform, normal, lognormal, exponential, spread, template, constant, bool, uuid, text";

/// A source's value, and the problems to report to.
type Value<'t, 'i> = &'t Spanned<DeValue<'i>>;

pub(super) fn column(
    name: &str,
    key_span: Range<usize>,
    value: Value<'_, '_>,
    problems: &mut Problems<'_>,
) -> Option<ColumnDistribution> {
    let span = key_span.start..value.span().end;
    let Some(mut fields) = fields::fields(value) else {
        problems.add(
            span,
            format!("column `{name}` is not a table such as {{ constant = \"x\" }}"),
            format!("one of: {SOURCES}"),
        );
        return None;
    };
    let null_share = share(&mut fields, "nulls", problems);
    let unique = flag(&mut fields, "unique", problems);
    let source = source(name, &mut fields, span.clone(), problems);
    if source.is_some() {
        fields.finish(&format!("column `{name}`"), problems);
    }
    Some(ColumnDistribution { column: name.to_owned(), source: source?, null_share, unique, span })
}

fn share(fields: &mut Fields<'_, '_>, key: &'static str, problems: &mut Problems<'_>) -> f64 {
    let Some(value) = fields.take(key) else { return 0.0 };
    let share = fields::number(value).filter(|share| (0.0..=1.0).contains(share));
    share.unwrap_or_else(|| {
        problems.add(value.span(), format!("`{key}` is not a share from 0 to 1"), "");
        0.0
    })
}

fn flag(fields: &mut Fields<'_, '_>, key: &'static str, problems: &mut Problems<'_>) -> bool {
    let Some(value) = fields.take(key) else { return false };
    match value.get_ref() {
        DeValue::Boolean(flag) => *flag,
        _ => {
            problems.add(value.span(), format!("`{key}` is neither true nor false"), "");
            false
        }
    }
}

/// The one source that the declaration names.
fn source(
    name: &str,
    fields: &mut Fields<'_, '_>,
    span: Range<usize>,
    problems: &mut Problems<'_>,
) -> Option<ValueSource> {
    let mut found: Vec<(&str, Range<usize>, Option<ValueSource>)> = Vec::new();
    for (key, read) in READERS {
        if let Some(value) = fields.take(key) {
            let source = read(value, fields, problems);
            found.push((key, value.span(), source));
        }
    }
    if found.len() > 1 {
        let names: Vec<_> = found.iter().map(|(key, ..)| *key).collect();
        problems.add(span, format!("column `{name}` has several sources: {}", names.join(", ")), "keep one");
        return None;
    }
    match found.pop() {
        Some((_, _, source)) => source,
        None => {
            let help = fields.rest().find_map(|(key, ..)| {
                nearest(key, READERS.iter().map(|(known, _)| *known))
                    .map(|known| format!("did you mean `{known}` for `{key}`?"))
            });
            problems.add(
                span,
                format!("column `{name}` has no known source"),
                help.unwrap_or_else(|| format!("one of: {SOURCES}")),
            );
            None
        }
    }
}

type Reader = fn(Value<'_, '_>, &mut Fields<'_, '_>, &mut Problems<'_>) -> Option<ValueSource>;

const READERS: [(&str, Reader); 15] = [
    ("sequence", |value, _, problems| whole(value, "sequence", problems).map(ValueSource::Sequence)),
    ("ordinal", |value, _, problems| whole(value, "ordinal", problems).map(ValueSource::Ordinal)),
    ("references", references),
    ("one_of", one_of),
    ("range", range),
    ("uniform", |value, fields, problems| number(uniform(value, problems), fields, problems)),
    ("normal", |value, fields, problems| {
        let [mean, sigma] = parameters(value, "normal", ["mean", "sigma"], problems)?;
        positive(sigma, value, "sigma", problems)?;
        number(Some(NumberDistribution::Normal { mean, sigma }), fields, problems)
    }),
    ("lognormal", |value, fields, problems| {
        let [median, sigma] = parameters(value, "lognormal", ["median", "sigma"], problems)?;
        positive(median, value, "median", problems)?;
        positive(sigma, value, "sigma", problems)?;
        number(Some(NumberDistribution::Lognormal { median, sigma }), fields, problems)
    }),
    ("exponential", |value, fields, problems| {
        let [mean] = parameters(value, "exponential", ["mean"], problems)?;
        positive(mean, value, "mean", problems)?;
        number(Some(NumberDistribution::Exponential { mean }), fields, problems)
    }),
    ("spread", spread),
    ("template", |value, _, problems| {
        let parsed =
            fields::text(value).ok_or_else(|| "it is not a text".to_owned()).and_then(parse_template);
        parsed
            .map_err(|wrong| problems.add(value.span(), format!("the template cannot be read: {wrong}"), "placeholders: {row}, {hex:8}, {word}, {Word}, {int:1-9}, {column}; write braces twice to keep them"))
            .ok()
            .map(ValueSource::Template)
    }),
    ("constant", |value, _, problems| {
        let constant = fields::scalar(value);
        if constant.is_none() {
            problems.add(value.span(), "`constant` is not a single value", "");
        }
        constant.map(|constant| ValueSource::Constant(Some(constant)))
    }),
    ("bool", |value, _, problems| {
        let share = fields::number(value).filter(|share| (0.0..=1.0).contains(share));
        if share.is_none() {
            problems.add(value.span(), "`bool` is not the share of true, from 0 to 1", "write `bool = 0.3`");
        }
        share.map(ValueSource::Bool)
    }),
    ("uuid", |value, _, problems| match value.get_ref() {
        DeValue::Boolean(true) => Some(ValueSource::Uuid),
        _ => {
            problems.add(value.span(), "`uuid` is not true", "write `uuid = true`");
            None
        }
    }),
    ("text", text),
];

fn whole(value: Value<'_, '_>, key: &str, problems: &mut Problems<'_>) -> Option<i64> {
    let whole = fields::integer(value);
    if whole.is_none() {
        problems.add(value.span(), format!("`{key}` is not a whole number"), format!("write `{key} = 1`"));
    }
    whole
}

fn positive(number: f64, value: Value<'_, '_>, key: &str, problems: &mut Problems<'_>) -> Option<()> {
    if number > 0.0 {
        return Some(());
    }
    problems.add(value.span(), format!("`{key}` is not above 0"), "");
    None
}

fn references(
    value: Value<'_, '_>,
    fields: &mut Fields<'_, '_>,
    problems: &mut Problems<'_>,
) -> Option<ValueSource> {
    let reference = fields::text(value).and_then(split_reference);
    if reference.is_none() {
        problems.add(
            value.span(),
            "`references` does not name a column",
            "write `references = \"users.id\"`",
        );
    }
    let skew_value = fields.take("skew");
    let exponent_value = fields.take("s");
    let exponent = exponent_value.and_then(fields::number).filter(|s| (0.0..=10.0).contains(s));
    if let (Some(value), None) = (exponent_value, exponent) {
        problems.add(value.span(), "`s` is not an exponent from 0 to 10", "write `s = 1.05`");
    }
    let skew = match skew_value.map(|value| (fields::text(value), value)) {
        Some((Some("zipf"), _)) => Skew::Zipf(exponent.unwrap_or(1.0)),
        Some((Some("uniform"), _)) | None => {
            if let Some(value) = exponent_value {
                problems.add(value.span(), "`s` belongs to a zipf skew", "add `skew = \"zipf\"`");
            }
            Skew::Uniform
        }
        Some((_, value)) => {
            problems.add(value.span(), "unknown skew", "write \"uniform\" or \"zipf\"");
            Skew::Uniform
        }
    };
    let (table, column) = reference?;
    Some(ValueSource::References { table, column, skew })
}

fn one_of(value: Value<'_, '_>, _: &mut Fields<'_, '_>, problems: &mut Problems<'_>) -> Option<ValueSource> {
    let values = if let Some(items) = fields::array(value) {
        let weight = 1.0 / items.len() as f64;
        let literals: Option<Vec<String>> = items.iter().map(fields::scalar).collect();
        literals
            .map(|all| all.into_iter().map(|value| WeightedValue { value: Some(value), weight }).collect())
    } else if let Some(table) = fields::fields(value) {
        table
            .rest()
            .map(|(key, _, weight)| {
                let weight = fields::number(weight).filter(|weight| *weight >= 0.0)?;
                Some(WeightedValue { value: Some(key.to_owned()), weight })
            })
            .collect::<Option<Vec<_>>>()
    } else {
        None
    };
    let Some(values) = values.filter(|values| (1..=MAX_VALUES).contains(&values.len())) else {
        problems.add(
            value.span(),
            format!("`one_of` is neither a list of 1 to {MAX_VALUES} values nor values with weights"),
            "write `one_of = { paid = 0.9, pending = 0.1 }` or `one_of = [\"paid\", \"pending\"]`",
        );
        return None;
    };
    let sum: f64 = values.iter().map(|value| value.weight).sum();
    if (sum - 1.0).abs() > WEIGHT_TOLERANCE {
        // Nine digits hide the rounding of the sum itself.
        let shown = (sum * 1e9).round() / 1e9;
        problems.add(
            value.span(),
            format!("the weights sum to {shown}, not to 1"),
            format!("change them by {:+}", ((1.0 - sum) * 1e9).round() / 1e9),
        );
        return None;
    }
    Some(ValueSource::OneOf(values))
}

fn range(value: Value<'_, '_>, _: &mut Fields<'_, '_>, problems: &mut Problems<'_>) -> Option<ValueSource> {
    let bounds = fields::array(value).and_then(|items| match items.as_slice_pair() {
        Some((low, high)) => Some((fields::integer(low)?, fields::integer(high)?)),
        None => None,
    });
    match bounds {
        Some((low, high)) if low <= high => Some(ValueSource::Range(low, high)),
        _ => {
            problems.add(
                value.span(),
                "`range` is not two whole numbers, the lower one first",
                "write `range = [1, 100]`",
            );
            None
        }
    }
}

fn uniform(value: Value<'_, '_>, problems: &mut Problems<'_>) -> Option<NumberDistribution> {
    let bounds = fields::array(value).and_then(|items| match items.as_slice_pair() {
        Some((low, high)) => Some((fields::number(low)?, fields::number(high)?)),
        None => None,
    });
    match bounds {
        Some((low, high)) if low < high => Some(NumberDistribution::Uniform { low, high }),
        _ => {
            problems.add(
                value.span(),
                "`uniform` is not two numbers, the lower one first",
                "write `uniform = [0.0, 1.0]`",
            );
            None
        }
    }
}

/// The numbers of `{ mean = …, sigma = … }`.
fn parameters<const N: usize>(
    value: Value<'_, '_>,
    name: &str,
    keys: [&'static str; N],
    problems: &mut Problems<'_>,
) -> Option<[f64; N]> {
    let example = || format!("write `{name} = {{ {} }}`", keys.map(|key| format!("{key} = 1.0")).join(", "));
    let Some(mut fields) = fields::fields(value) else {
        problems.add(value.span(), format!("`{name}` is not a table"), example());
        return None;
    };
    let mut numbers = [0.0; N];
    let mut whole = true;
    for (slot, key) in numbers.iter_mut().zip(keys) {
        match fields.take(key).and_then(fields::number) {
            Some(number) => *slot = number,
            None => {
                whole = false;
                problems.add(value.span(), format!("`{name}` needs a number `{key}`"), example());
            }
        }
    }
    fields.finish(&format!("`{name}`"), problems);
    whole.then_some(numbers)
}

/// `scale`, `min` and `max` beside a distribution of numbers.
fn number(
    distribution: Option<NumberDistribution>,
    fields: &mut Fields<'_, '_>,
    problems: &mut Problems<'_>,
) -> Option<ValueSource> {
    let scale = fields.take("scale").and_then(|value| {
        let scale =
            fields::integer(value).and_then(|scale| u32::try_from(scale).ok()).filter(|scale| *scale <= 15);
        if scale.is_none() {
            problems.add(value.span(), "`scale` is not a number of decimals from 0 to 15", "");
        }
        scale
    });
    let mut bound = |key| {
        let value = fields.take(key)?;
        let bound = fields::number(value);
        if bound.is_none() {
            problems.add(value.span(), format!("`{key}` is not a number"), "");
        }
        bound
    };
    let (min, max) = (bound("min"), bound("max"));
    if let (Some(low), Some(high)) = (min, max)
        && low > high
    {
        problems.add(fields.span.clone(), "`min` is above `max`", "");
    }
    Some(ValueSource::Number(NumberSource { distribution: distribution?, scale, min, max }))
}

fn spread(value: Value<'_, '_>, _: &mut Fields<'_, '_>, problems: &mut Problems<'_>) -> Option<ValueSource> {
    let instants = fields::array(value).and_then(|items| {
        let (from, to) = items.as_slice_pair()?;
        Some((instant_us(&fields::scalar(from)?)?, instant_us(&fields::scalar(to)?)?))
    });
    match instants {
        Some((from, to)) if from < to => Some(ValueSource::Spread(from, to)),
        _ => {
            problems.add(
                value.span(),
                "`spread` is not two dates or times, the earlier one first",
                "write `spread = [\"2024-01-01\", \"2026-01-01\"]`",
            );
            None
        }
    }
}

/// Microseconds since 1970 of a date, a date and time (UTC), or a time with its offset.
pub(crate) fn instant_us(text: &str) -> Option<i64> {
    if let Ok(instant) = text.parse::<jiff::Timestamp>() {
        return Some(instant.as_microsecond());
    }
    let civil = text
        .parse::<jiff::civil::DateTime>()
        .or_else(|_| text.parse::<jiff::civil::Date>().map(|date| date.at(0, 0, 0, 0)))
        .ok()?;
    Some(jiff::tz::Offset::UTC.to_timestamp(civil).ok()?.as_microsecond())
}

fn text(value: Value<'_, '_>, _: &mut Fields<'_, '_>, problems: &mut Problems<'_>) -> Option<ValueSource> {
    let bounds = fields::fields(value).and_then(|mut fields| {
        let mut whole =
            |key| fields.take(key).and_then(fields::integer).and_then(|value| u32::try_from(value).ok());
        let bounds = whole("min").zip(whole("max"));
        fields.finish("`text`", problems);
        bounds
    });
    match bounds {
        Some((min, max)) if (1..=1_000_000).contains(&max) && min <= max => {
            Some(ValueSource::Text { min, max })
        }
        _ => {
            problems.add(
                value.span(),
                "`text` is not two lengths in characters, up to a million",
                "write `text = { min = 10, max = 200 }`",
            );
            None
        }
    }
}

/// The two items of a list of two.
trait Pair<T> {
    fn as_slice_pair(&self) -> Option<(&T, &T)>;
}

impl<'i> Pair<Spanned<DeValue<'i>>> for toml::de::DeArray<'i> {
    fn as_slice_pair(&self) -> Option<(&Spanned<DeValue<'i>>, &Spanned<DeValue<'i>>)> {
        let mut items = self.iter();
        match (items.next(), items.next(), items.next()) {
            (Some(first), Some(second), None) => Some((first, second)),
            _ => None,
        }
    }
}
