//! `-- threshold: time 1.5x, counters 1.3x`: what a query may get worse by
//! before `regression` fails, instead of the project's own limits.

use std::ops::Range;

/// Ratios, after to before; `None`: the project's.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Thresholds {
    /// Of times.
    pub time_ratio: Option<f64>,
    /// Of deterministic counters.
    pub counter_ratio: Option<f64>,
}

/// What is wrong with a part of a header.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ThresholdError {
    /// In the header's value.
    pub(super) span: Range<usize>,
    pub(super) message: String,
}

/// What to write instead.
pub(super) const HELP: &str = "write `-- threshold: time 1.5x, counters 1.3x`: ratios above 1";

impl Thresholds {
    /// Adds what a header's value says.
    pub(super) fn read(&mut self, value: &str) -> Result<(), ThresholdError> {
        let mut start = 0;
        for part in value.split(',') {
            let span = start + part.len() - part.trim_start().len()..start + part.trim_end().len();
            start += part.len() + 1;
            let error = |message| Err(ThresholdError { span: span.clone(), message });
            let words: Vec<&str> = part.split_whitespace().filter(|word| *word != "<").collect();
            let [metric, ratio] = words.as_slice() else {
                return error(format!("`{}` is not a metric and a ratio", part.trim()));
            };
            let number = ratio.strip_suffix('x').unwrap_or(ratio).parse::<f64>().ok();
            let Some(number) = number.filter(|number| number.is_finite() && *number > 1.0) else {
                return error(format!("`{ratio}` is not a ratio above 1"));
            };
            let place = match *metric {
                "time" => &mut self.time_ratio,
                "counters" => &mut self.counter_ratio,
                _ => return error(format!("unknown metric `{metric}`")),
            };
            if place.replace(number).is_some() {
                return error(format!("`{metric}` has a threshold already"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_read_and_everything_else_is_shown_where_it_is() {
        let read = |value: &str| {
            let mut thresholds = Thresholds::default();
            thresholds.read(value).map(|()| (thresholds.time_ratio, thresholds.counter_ratio))
        };
        assert_eq!(read("time 1.5x, counters < 1.3"), Ok((Some(1.5), Some(1.3))));
        assert_eq!(read("counters 2x"), Ok((None, Some(2.0))));
        let wrong = |value: &str| {
            let error = read(value).unwrap_err();
            format!("{}: {}", &value[error.span], error.message)
        };
        assert_eq!(wrong("time 1.5x, p95 2x"), "p95 2x: unknown metric `p95`");
        assert_eq!(wrong("time 0.9x"), "time 0.9x: `0.9x` is not a ratio above 1");
        assert_eq!(wrong("time"), "time: `time` is not a metric and a ratio");
        assert_eq!(wrong("time 2x,time 3x"), "time 3x: `time` has a threshold already");
        assert_eq!(wrong(""), ": `` is not a metric and a ratio");
    }
}
