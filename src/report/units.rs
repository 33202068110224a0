//! Numbers as people read them: three significant digits and a unit.

use crate::model::Unit;

/// A value with its unit, short: `1.24 ms`, `39 blocks`, `0.83x`.
pub fn format(value: f64, unit: Unit) -> String {
    if !value.is_finite() {
        return "-".into();
    }
    match unit {
        Unit::Microseconds => duration_us(value),
        Unit::Bytes => bytes(value),
        Unit::Ratio => format!("{}x", significant(value)),
        Unit::PerSecond => format!("{}/s", grouped(value)),
        Unit::Blocks => counted(value, "block"),
        Unit::Rows => counted(value, "row"),
        Unit::Count | Unit::Cost => grouped(value),
    }
}

fn counted(value: f64, noun: &str) -> String {
    format!("{} {noun}{}", grouped(value), if (value - 1.0).abs() < 1e-9 { "" } else { "s" })
}

/// Microseconds in the unit that keeps the number small.
pub fn duration_us(us: f64) -> String {
    match us.abs() {
        x if !x.is_finite() => "-".into(),
        x if x < 1e3 => format!("{} µs", significant(us)),
        x if x < 1e6 => format!("{} ms", significant(us / 1e3)),
        _ => format!("{} s", significant(us / 1e6)),
    }
}

fn bytes(value: f64) -> String {
    const STEPS: [(f64, &str); 3] =
        [(1024.0 * 1024.0 * 1024.0, "GiB"), (1024.0 * 1024.0, "MiB"), (1024.0, "KiB")];
    for (step, unit) in STEPS {
        if value >= step {
            return format!("{} {unit}", significant(value / step));
        }
    }
    format!("{} B", grouped(value))
}

/// Three significant digits without an exponent.
pub fn significant(value: f64) -> String {
    match value.abs() {
        x if !x.is_finite() => "-".into(),
        x if x >= 100.0 => grouped(value.round()),
        x if x >= 10.0 => format!("{value:.1}"),
        0.0 => "0".into(),
        _ => format!("{value:.2}"),
    }
}

/// Whole numbers with a thin grouping (`12 500`); others with two decimals.
pub fn grouped(value: f64) -> String {
    if !value.is_finite() {
        return "-".into();
    }
    if (value - value.round()).abs() > 1e-9 {
        return if value.abs() >= 1000.0 { grouped(value.round()) } else { significant(value) };
    }
    let digits = format!("{:.0}", value.abs());
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    if value < 0.0 { format!("-{out}") } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_three_digits_and_their_unit() {
        let cases = [
            (123.4, Unit::Microseconds, "123 µs"),
            (1_240.0, Unit::Microseconds, "1.24 ms"),
            (12_345_678.0, Unit::Microseconds, "12.3 s"),
            (39.0, Unit::Blocks, "39 blocks"),
            (1.0, Unit::Rows, "1 row"),
            (0.834, Unit::Ratio, "0.83x"),
            (2_500_000.0, Unit::PerSecond, "2 500 000/s"),
            (8192.0, Unit::Bytes, "8.00 KiB"),
            (f64::NAN, Unit::Microseconds, "-"),
        ];
        for (value, unit, expected) in cases {
            assert_eq!(format(value, unit), expected);
        }
    }
}
