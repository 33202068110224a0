//! Can this column hold what this source makes, and in what form?

use crate::postgres::ColumnType;
use crate::project::distributions::{NumberSource, instant_us, nearest};
use crate::seed::column::Kind;
use crate::seed::numbers::{Rounding, quantile};
use crate::seed::value::{Literal, Value};

/// What is wrong, and what to do about it.
pub(super) type Mismatch = (String, String);

/// Share of a distribution, at either end, that may lie outside the column's type and is
/// moved to its bounds.
const TAIL: f64 = 0.000_5;

/// Decimals of a number whose column and declaration leave them open.
const DEFAULT_SCALE: u32 = 6;

/// The whole numbers that a type holds; `None` for a type without such a limit.
fn whole_bounds(column_type: &ColumnType) -> Option<(i128, i128)> {
    Some(match column_type {
        ColumnType::Int2 => (i128::from(i16::MIN), i128::from(i16::MAX)),
        ColumnType::Int4 => (i128::from(i32::MIN), i128::from(i32::MAX)),
        ColumnType::Int8 => (i128::from(i64::MIN), i128::from(i64::MAX)),
        ColumnType::Numeric(Some((precision, scale))) => {
            let limit = 10_i128.checked_pow(precision - scale)? - 1;
            (-limit, limit)
        }
        _ => return None,
    })
}

/// Whole numbers from `low` to `high`.
pub(super) fn whole_fits(
    low: i128,
    high: i128,
    column_type: &ColumnType,
    type_name: &str,
) -> Result<(), Mismatch> {
    match column_type {
        ColumnType::Text(Some(length))
            if low.to_string().len().max(high.to_string().len()) > *length as usize =>
        {
            Err((format!("{low} to {high} does not fit into {type_name}"), String::new()))
        }
        ColumnType::Bool
        | ColumnType::Enum(_)
        | ColumnType::Uuid
        | ColumnType::Date
        | ColumnType::Timestamp => {
            Err((format!("a column of {type_name} cannot hold whole numbers"), String::new()))
        }
        _ => match whole_bounds(column_type) {
            Some((least, most)) if low < least || high > most => Err((
                format!("{low} to {high} does not fit into {type_name}"),
                format!("it holds {least} to {most}"),
            )),
            _ => Ok(()),
        },
    }
}

/// A continuous distribution.
pub(super) fn number(
    source: &NumberSource,
    column_type: &ColumnType,
    type_name: &str,
) -> Result<Kind, Mismatch> {
    let power = |scale: u32| 10_f64.powi(i32::try_from(scale).unwrap_or(i32::MAX));
    let decimal = |scale| Rounding::Decimal { scale, factor: power(scale) };
    let (rounding, least, most) = match column_type {
        ColumnType::Float4 | ColumnType::Float8 => {
            let limit = if *column_type == ColumnType::Float4 { f64::from(f32::MAX) } else { f64::MAX };
            let rounding =
                source.scale.map_or(Rounding::None, |scale| Rounding::Float { factor: power(scale) });
            (rounding, -limit, limit)
        }
        ColumnType::Int2 | ColumnType::Int4 | ColumnType::Int8 => {
            if source.scale != Some(0) {
                return Err((
                    format!("a column of {type_name} holds whole numbers only"),
                    "add `scale = 0`".into(),
                ));
            }
            let (least, most) = whole_bounds(column_type).unwrap_or_default();
            (decimal(0), least as f64, most as f64)
        }
        ColumnType::Numeric(bounds) => {
            let held = bounds.map(|(_, scale)| scale);
            let scale = source.scale.or(held).unwrap_or(DEFAULT_SCALE).min(15);
            if held.is_some_and(|held| scale > held) {
                return Err((
                    format!("a scale of {scale} is finer than {type_name} holds"),
                    "lower `scale`".into(),
                ));
            }
            let limit =
                bounds.map_or(f64::MAX, |(precision, scale)| power(precision - scale) - 1.0 / power(scale));
            // Decimals are made as 64-bit whole numbers.
            let limit = limit.min(9e18 / power(scale));
            (decimal(scale), -limit, limit)
        }
        ColumnType::Text(None) | ColumnType::Other | ColumnType::Json | ColumnType::Jsonb => {
            let scale = source.scale.unwrap_or(DEFAULT_SCALE);
            (decimal(scale), -9e18 / power(scale), 9e18 / power(scale))
        }
        _ => return Err((format!("a column of {type_name} cannot hold numbers"), String::new())),
    };
    let bound = |p| {
        let number: f64 = quantile(source.distribution, p);
        number.max(source.min.unwrap_or(f64::MIN)).min(source.max.unwrap_or(f64::MAX))
    };
    let (low, high) = (bound(TAIL), bound(1.0 - TAIL));
    if low < least || high > most {
        return Err((
            format!("most values lie between {low} and {high}, but {type_name} holds {least} to {most}"),
            "narrow the distribution, or set `min` and `max`".into(),
        ));
    }
    let (low, high) = (source.min.unwrap_or(least).max(least), source.max.unwrap_or(most).min(most));
    Ok(Kind::Number { distribution: source.distribution, rounding, low, high })
}

/// Text of up to `longest` characters.
pub(super) fn text_fits(longest: u64, column_type: &ColumnType, type_name: &str) -> Result<(), Mismatch> {
    match column_type {
        ColumnType::Text(Some(length)) if longest > u64::from(*length) => Err((
            format!("the text can be {longest} characters long, but the column is {type_name}"),
            "shorten the text".into(),
        )),
        ColumnType::Text(_)
        | ColumnType::Json
        | ColumnType::Jsonb
        | ColumnType::Bytea
        | ColumnType::Other => Ok(()),
        _ => Err((format!("a column of {type_name} cannot hold text"), String::new())),
    }
}

/// `bool`, `uuid` and `spread`: types of their own, or text of a known length.
pub(super) fn plain_fits(
    own: &[ColumnType],
    what: &str,
    text_length: u64,
    column_type: &ColumnType,
    type_name: &str,
) -> Result<(), Mismatch> {
    match column_type {
        same if own.contains(same) => Ok(()),
        ColumnType::Text(_) | ColumnType::Other => text_fits(text_length, column_type, type_name),
        _ => Err((format!("a column of {type_name} cannot hold {what}"), String::new())),
    }
}

/// Keys of a column of one type in a column of another.
pub(super) fn key_fits(parent: &ColumnType, child: &ColumnType, type_name: &str) -> Result<(), Mismatch> {
    let family = |column_type: &ColumnType| match column_type {
        ColumnType::Int2 | ColumnType::Int4 | ColumnType::Int8 | ColumnType::Numeric(_) => 1,
        ColumnType::Text(_) | ColumnType::Enum(_) => 2,
        ColumnType::Uuid => 3,
        ColumnType::Date | ColumnType::Timestamp => 4,
        ColumnType::Float4 | ColumnType::Float8 => 5,
        ColumnType::Bool => 6,
        ColumnType::Json | ColumnType::Jsonb => 7,
        ColumnType::Bytea => 8,
        ColumnType::Other => 9,
    };
    if family(parent) == family(child) || matches!(child, ColumnType::Text(None)) {
        return Ok(());
    }
    Err((format!("a column of {type_name} cannot hold the referenced column's values"), String::new()))
}

/// A value written down, in the form of its column.
pub(super) fn literal(text: &str, column_type: &ColumnType, type_name: &str) -> Result<Literal, Mismatch> {
    let wrong = || (format!("`{text}` is not a value of {type_name}"), String::new());
    let plain = match column_type {
        ColumnType::Bool => match text {
            "true" | "t" | "yes" | "on" | "1" => Value::Bool(true),
            "false" | "f" | "no" | "off" | "0" => Value::Bool(false),
            _ => return Err(wrong()),
        },
        ColumnType::Int2 | ColumnType::Int4 | ColumnType::Int8 => {
            let whole: i64 = text.parse().map_err(|_| wrong())?;
            whole_fits(whole.into(), whole.into(), column_type, type_name)?;
            Value::Int(whole)
        }
        ColumnType::Float4 | ColumnType::Float8 => Value::Float(text.parse().map_err(|_| wrong())?),
        ColumnType::Numeric(bounds) => {
            let (unscaled, scale) = decimal(text).ok_or_else(wrong)?;
            let limit = |precision: u32| 10_i128.checked_pow(precision);
            if let Some((precision, most)) = *bounds
                && (scale > most
                    || limit(precision - most + scale)
                        .is_some_and(|limit| i128::from(unscaled).abs() >= limit))
            {
                return Err((format!("{text} does not fit into {type_name}"), String::new()));
            }
            Value::Decimal { unscaled, scale }
        }
        ColumnType::Enum(labels) => {
            if !labels.iter().any(|label| label == text) {
                let help = match nearest(text, labels.iter().map(String::as_str)) {
                    Some(label) => format!("did you mean `{label}`?"),
                    None => format!("labels: {}", labels.join(", ")),
                };
                return Err((format!("`{text}` is not a label of {type_name}"), help));
            }
            return Ok(Literal::Text(text.into()));
        }
        ColumnType::Uuid => {
            let digits: String = text.chars().filter(|c| !matches!(c, '-' | '{' | '}')).collect();
            let bits = u128::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 32);
            Value::Uuid(bits.ok_or_else(wrong)?.to_be_bytes())
        }
        ColumnType::Date | ColumnType::Timestamp => Value::Instant(instant_us(text).ok_or_else(wrong)?),
        ColumnType::Text(_)
        | ColumnType::Json
        | ColumnType::Jsonb
        | ColumnType::Bytea
        | ColumnType::Other => {
            text_fits(text.chars().count() as u64, column_type, type_name)?;
            return Ok(Literal::Text(text.into()));
        }
    };
    Ok(Literal::Plain(plain))
}

/// `-12.50` as -1250 and 2.
fn decimal(text: &str) -> Option<(i64, u32)> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(decimals) || decimals.len() > 15 || !is_digits(whole.trim_start_matches(['-', '+'])) {
        return None;
    }
    Some((format!("{whole}{decimals}").parse().ok()?, decimals.len() as u32))
}

#[cfg(test)]
mod tests {
    use super::{decimal, literal, number};
    use crate::postgres::ColumnType;
    use crate::project::distributions::{NumberDistribution, NumberSource};

    #[test]
    fn literals_take_the_form_of_their_column() {
        assert_eq!(decimal("-12.50"), Some((-1250, 2)));
        assert_eq!(decimal("1e5"), None);
        let check = |text: &str, column_type: &ColumnType| literal(text, column_type, "the type").is_ok();
        assert!(check("9999.99", &ColumnType::Numeric(Some((6, 2)))));
        assert!(!check("10000", &ColumnType::Numeric(Some((6, 2)))));
        assert!(!check("0.125", &ColumnType::Numeric(Some((6, 2)))));
        assert!(check("32767", &ColumnType::Int2) && !check("32768", &ColumnType::Int2));
        assert!(check("DE", &ColumnType::Text(Some(2))) && !check("DEU", &ColumnType::Text(Some(2))));
        assert!(!check("yesterday", &ColumnType::Date) && check("2024-02-29", &ColumnType::Date));
        assert!(
            !check("1234", &ColumnType::Uuid)
                && check("12121212-1212-1212-1212-121212121212", &ColumnType::Uuid)
        );
        let labels = ColumnType::Enum(vec!["paid".into(), "pending".into()]);
        assert_eq!(literal("payd", &labels, "status").expect_err("no label").1, "did you mean `paid`?");
    }

    #[test]
    fn numbers_that_do_not_fit_are_told_apart_from_rare_ones() {
        let source = |median, scale| NumberSource {
            distribution: NumberDistribution::Lognormal { median, sigma: 0.8 },
            scale,
            min: None,
            max: None,
        };
        let numeric = ColumnType::Numeric(Some((6, 2)));
        assert!(number(&source(60.0, Some(2)), &numeric, "numeric(6,2)").is_ok());
        assert!(number(&source(6_000.0, Some(2)), &numeric, "numeric(6,2)").is_err());
        assert!(number(&source(60.0, Some(3)), &numeric, "numeric(6,2)").is_err());
        assert!(number(&source(60.0, None), &ColumnType::Int4, "integer").is_err());
        assert!(number(&source(60.0, Some(0)), &ColumnType::Int4, "integer").is_ok());
    }
}
