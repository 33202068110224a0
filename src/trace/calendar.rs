//! Dates and timestamps in ISO form to whole numbers, as PostgreSQL's binary
//! format has them: days and microseconds since 2000-01-01.

/// Microseconds of a day.
const DAY_US: i64 = 86_400_000_000;

/// A date, or a timestamp with its offset applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Instant {
    /// Days since 2000-01-01.
    Date(i64),
    /// Microseconds since 2000-01-01 00:00.
    Timestamp(i64),
}

/// Reads `2024-01-31`, `2024-01-31 10:20:30.5`, `2024-01-31T10:20:30+02:00`
/// and the like. None for anything else: such text is compared as text.
pub(super) fn parse(text: &[u8]) -> Option<Instant> {
    let days = parse_date(text.get(..10)?)?;
    if text.len() == 10 {
        return Some(Instant::Date(days));
    }
    if !matches!(text[10], b' ' | b'T') {
        return None;
    }
    let (time_us, rest) = parse_time(&text[11..])?;
    let offset_us = parse_offset(rest)?;
    days.checked_mul(DAY_US)?.checked_add(time_us)?.checked_sub(offset_us).map(Instant::Timestamp)
}

fn parse_date(text: &[u8]) -> Option<i64> {
    if text[4] != b'-' || text[7] != b'-' {
        return None;
    }
    let (year, month, day) = (digits(&text[..4])?, digits(&text[5..7])?, digits(&text[8..10])?);
    ((1..=12).contains(&month) && (1..=31).contains(&day)).then(|| days_since_2000(year, month, day))
}

/// Days from the civil date; Howard Hinnant's `days_from_civil`, moved to 2000.
fn days_since_2000(year: i64, month: i64, day: i64) -> i64 {
    let shifted_year = if month <= 2 { year - 1 } else { year };
    let era = shifted_year.div_euclid(400);
    let year_of_era = shifted_year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 730_425
}

/// `10:20`, `10:20:30`, `10:20:30.123456`; returns what follows.
fn parse_time(text: &[u8]) -> Option<(i64, &[u8])> {
    let (hour, minute) = (digits(text.get(..2)?)?, digits(text.get(3..5)?)?);
    if text[2] != b':' {
        return None;
    }
    let mut time_us = (hour * 60 + minute) * 60_000_000;
    let mut rest = &text[5..];
    if rest.first() == Some(&b':') {
        time_us += digits(rest.get(1..3)?)? * 1_000_000;
        rest = &rest[3..];
        if rest.first() == Some(&b'.') {
            let length = rest[1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            if length == 0 || length > 6 {
                return None;
            }
            let scale = 10_i64.pow(6 - u32::try_from(length).ok()?);
            time_us += digits(&rest[1..=length])? * scale;
            rest = &rest[length + 1..];
        }
    }
    Some((time_us, rest))
}

/// Nothing, `Z`, ` UTC`, `+02`, `-05:30`, `+0200`.
fn parse_offset(text: &[u8]) -> Option<i64> {
    let sign = match text {
        b"" | b"Z" | b" UTC" => return Some(0),
        [b'+', ..] => 1,
        [b'-', ..] => -1,
        _ => return None,
    };
    let hours = digits(text.get(1..3)?)?;
    let minutes = match &text[3..] {
        b"" => 0,
        [b':', rest @ ..] | rest => digits(rest)?,
    };
    Some(sign * (hours * 60 + minutes) * 60_000_000)
}

fn digits(text: &[u8]) -> Option<i64> {
    if text.is_empty() || text.len() > 9 {
        return None;
    }
    text.iter().try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0')))
}

#[cfg(test)]
mod tests {
    use super::{Instant, parse};

    #[test]
    fn reads_the_forms_that_clients_send() {
        assert_eq!(parse(b"2000-01-01"), Some(Instant::Date(0)));
        assert_eq!(parse(b"1999-12-31"), Some(Instant::Date(-1)));
        assert_eq!(parse(b"2024-02-29"), Some(Instant::Date(8825)));
        let second = Some(Instant::Timestamp(1_500_000));
        assert_eq!(parse(b"2000-01-01 00:00:01.5"), second);
        assert_eq!(parse(b"2000-01-01T00:00:01.500Z"), second);
        assert_eq!(parse(b"2000-01-01 02:00:01.500000+02"), second);
        assert_eq!(parse(b"1999-12-31T18:30:01.5-05:30"), second);
    }

    #[test]
    fn leaves_other_text_alone() {
        for text in
            ["", "2024", "2024-13-01", "2024-01-01x", "abcd-ef-gh", "2024-01-01 aa:bb", "10.0.0.1-abc"]
        {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }
}
