//! Values of the sources that need no database: a pure function of seed, stream and source.

use super::Drawn;
use super::random::Random;
use crate::project::distributions::instant_us;
use crate::project::query::{Literal, ParameterSource};

/// Length of a date without a time of day: `2024-01-31`.
const DATE_LENGTH: usize = 10;
const DAY_US: i64 = 86_400_000_000;

/// `count` values; `None` for the sources that ask the database.
pub(super) fn generate(source: &ParameterSource, random: &mut Random, count: usize) -> Option<Vec<Drawn>> {
    let mut next: Box<dyn FnMut(&mut Random) -> Literal + '_> = match source {
        ParameterSource::Range(low, high) => Box::new(|random| Some(random.between(*low, *high).to_string())),
        ParameterSource::Zipf(low, high, exponent) => Box::new(|random| {
            let count = low.abs_diff(*high).saturating_add(1);
            let rank = random.zipf(count, *exponent);
            Some(low.saturating_add_unsigned(rank - 1).to_string())
        }),
        ParameterSource::Normal(mean, deviation) => {
            Box::new(|random| Some(normal(*mean, *deviation, random)))
        }
        ParameterSource::OneOf(values) => Box::new(|random| one_of(values, random)),
        ParameterSource::Dates(from, to) => Box::new(|random| date(from, to, random)),
        ParameterSource::Literal(value) => Box::new(|_| value.clone()),
        ParameterSource::Sample(_)
        | ParameterSource::Common(_)
        | ParameterSource::Rare(_)
        | ParameterSource::Absent(_)
        | ParameterSource::List(..)
        | ParameterSource::Expression(..) => return None,
    };
    Some((0..count).map(|_| Drawn { value: next(random), origin: None }).collect())
}

/// A whole number where both mean and deviation are whole, for `integer` columns.
fn normal(mean: f64, deviation: f64, random: &mut Random) -> String {
    let value = mean + deviation * random.normal();
    if mean.fract() == 0.0 && deviation.fract() == 0.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.6}")
    }
}

fn one_of(values: &[(Literal, f64)], random: &mut Random) -> Literal {
    let total: f64 = values.iter().map(|(_, weight)| weight).sum();
    let mut point = random.unit() * total;
    for (value, weight) in values {
        if point < *weight {
            return value.clone();
        }
        point -= weight;
    }
    values.last().and_then(|(value, _)| value.clone())
}

/// A day where both ends are days, else an instant in UTC.
fn date(from: &str, to: &str, random: &mut Random) -> Literal {
    let (from_us, to_us) = (instant_us(from)?, instant_us(to)?);
    let are_days = from.len() == DATE_LENGTH && to.len() == DATE_LENGTH;
    let instant = if are_days {
        from_us + DAY_US * random.between(0, ((to_us - from_us) / DAY_US - 1).max(0))
    } else {
        random.between(from_us, (to_us - 1).max(from_us))
    };
    let timestamp = jiff::Timestamp::from_microsecond(instant).ok()?;
    let civil = timestamp.to_zoned(jiff::tz::TimeZone::UTC).datetime();
    Some(if are_days { civil.date().to_string() } else { format!("{} {}+00", civil.date(), civil.time()) })
}

/// An array as PostgreSQL's input function reads it: `{1,"a b",NULL}`.
pub(super) fn array(values: &[Literal]) -> String {
    let items = values.iter().map(|value| match value {
        None => "NULL".to_owned(),
        Some(value) => format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"")),
    });
    format!("{{{}}}", items.collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(source: &str, count: usize) -> Vec<Literal> {
        let source = ParameterSource::parse(source).expect(source);
        let drawn = generate(&source, &mut Random::new(42, "test"), count).expect("needs no database");
        drawn.into_iter().map(|drawn| drawn.value).collect()
    }

    #[test]
    fn values_keep_to_their_source() {
        let numbers = |source| -> Vec<f64> {
            values(source, 500)
                .into_iter()
                .map(|value| value.expect("no nulls").parse().expect("a number"))
                .collect()
        };
        assert!(numbers("range(5, 7)").iter().all(|number| (5.0..=7.0).contains(number)));
        assert!(numbers("zipf(-3, 10, 1.1)").iter().all(|number| (-3.0..=10.0).contains(number)));
        assert!(numbers("normal(100, 15)").iter().all(|number| number.fract() == 0.0));
        assert!(numbers("normal(0.5, 0.1)").iter().any(|number| number.fract() != 0.0));
        assert_eq!(values("'paid'", 2), vec![Some("paid".to_owned()); 2]);
        assert_eq!(values("null", 1), vec![None]);
    }

    #[test]
    fn weights_are_followed() {
        let drawn = values("one_of(a: 0.9, b: 0.1, c: 0)", 2000);
        let count = |name: &str| drawn.iter().filter(|value| value.as_deref() == Some(name)).count();
        assert!((1700..1900).contains(&count("a")), "{}", count("a"));
        assert_eq!(count("a") + count("b"), 2000);
    }

    #[test]
    fn days_stay_days_and_the_end_is_never_reached() {
        let days = values("dates('2024-02-28', '2024-03-01')", 100);
        assert!(days.iter().all(|day| matches!(day.as_deref(), Some("2024-02-28" | "2024-02-29"))));
        let instants = values("dates('2024-02-28 10:00', '2024-02-28 10:01')", 50);
        assert!(
            instants
                .iter()
                .flatten()
                .all(|instant| instant.starts_with("2024-02-28 10:00:") && instant.ends_with("+00"))
        );
    }

    #[test]
    fn the_seed_decides() {
        assert_eq!(values("range(1, 1000000)", 5), values("range(1, 1000000)", 5));
    }

    #[test]
    fn arrays_are_quoted() {
        assert_eq!(array(&[Some("1".into()), Some("a\"\\b".into()), None]), r#"{"1","a\"\\b",NULL}"#);
    }
}
