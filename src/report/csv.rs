//! The measurements as CSV (RFC 4180), one line each.

use crate::model::RunReport;
use std::io;

/// Writes a header and the measurements.
///
/// # Errors
/// Whatever `out` fails with.
pub fn write(report: &RunReport, out: &mut dyn io::Write) -> io::Result<()> {
    writeln!(
        out,
        "run_id,started_at,scenario,subject,volume,variant,metric,unit,value,samples,interval_low,interval_high,confidence"
    )?;
    for scenario in &report.scenarios {
        for m in &scenario.measurements {
            let interval = m.interval.map(|i| [i.low, i.high, i.confidence]);
            let bound = |index: usize| interval.map(|i| number(i[index])).unwrap_or_default();
            let fields = [
                quoted(&report.run_id),
                quoted(&report.started_at),
                quoted(scenario.scenario.name()),
                quoted(&m.subject),
                quoted(m.volume.as_deref().unwrap_or_default()),
                quoted(m.variant.word()),
                quoted(m.metric),
                quoted(m.unit.suffix()),
                number(m.value),
                m.samples.to_string(),
                bound(0),
                bound(1),
                bound(2),
            ];
            writeln!(out, "{}", fields.join(","))?;
        }
    }
    Ok(())
}

/// Empty where there is no finite number.
fn number(value: f64) -> String {
    if value.is_finite() { value.to_string() } else { String::new() }
}

fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_field_with_a_comma_or_a_quote_is_quoted() {
        assert_eq!(super::quoted("a,b"), "\"a,b\"");
        assert_eq!(super::quoted("say \"x\""), "\"say \"\"x\"\"\"");
        assert_eq!(super::quoted("plain"), "plain");
    }
}
