//! Deadlocks over `deadlock_timeout` and over concurrent workers, as curves.

use super::svg::{Anchor, Drawing, for_both};
use crate::model::evidence::deadlock::{ContentionPoint, DeadlockEvidence};
use crate::report::deadlock_sweep::{median_us, settings, timeout_specs};
use crate::report::units::{duration_us, significant};

const WIDTH: f64 = 560.0;
const NARROW_WIDTH: f64 = 356.0;
const HEIGHT: f64 = 260.0;
/// From one series to the next in the legend.
const LEGEND_WIDTH: f64 = 230.0;
const LEGEND_LINE: f64 = 18.0;
/// Room left of, right of, above and below the curves.
const MARGIN: [f64; 4] = [90.0, 20.0, 46.0, 44.0];

pub(super) fn figures(evidence: &DeadlockEvidence) -> Vec<String> {
    let mut figures: Vec<String> =
        timeout_specs(evidence).into_iter().map(|spec| detection(evidence, spec)).collect();
    for (spec, hot_rows) in settings(evidence) {
        let points = |ordered: bool| -> Vec<&ContentionPoint> {
            let points = evidence.contention_sweep.iter();
            points.filter(|p| p.spec == spec && p.hot_rows == hot_rows && p.ordered == ordered).collect()
        };
        let (written, ordered) = (points(false), points(true));
        let rows = if hot_rows == 0 { "the spec's own locks".into() } else { format!("{hot_rows} hot rows") };
        for (what, value, show) in METRICS {
            let series =
                [("as the spec writes its rows", "fail", &written), ("rows in one order", "pass", &ordered)];
            let series =
                series.iter().filter(|(_, _, points)| !points.is_empty()).map(|(name, colour, points)| {
                    Series { name, colour, values: points.iter().map(|point| value(point)).collect() }
                });
            figures.push(
                Chart {
                    title: format!("{spec}: {what} over concurrent workers, {rows}"),
                    labels: written.iter().map(|point| point.workers.to_string()).collect(),
                    series: series.collect(),
                    show,
                    is_logarithmic: false,
                }
                .figure(),
            );
        }
    }
    figures
}

type Metric = (&'static str, fn(&ContentionPoint) -> f64, fn(f64) -> String);

const METRICS: [Metric; 4] = [
    ("commits a second", |point| point.committed as f64 / point.duration_s.max(1e-9), significant),
    ("deadlocks a second", |point| point.deadlocks as f64 / point.duration_s.max(1e-9), significant),
    ("retries a commit", |point| point.retries as f64 / (point.committed as f64).max(1.0), significant),
    ("p99 from first attempt to commit", |point| point.latency.p99_us, duration_us),
];

fn detection(evidence: &DeadlockEvidence, spec: &str) -> String {
    let points: Vec<_> = evidence.timeout_sweep.iter().filter(|point| point.spec == spec).collect();
    let medians = |of: fn(&crate::model::evidence::deadlock::DeadlockTrial) -> f64| {
        points.iter().map(|point| median_us(&point.trials, of).unwrap_or(f64::NAN)).collect()
    };
    Chart {
        title: format!("{spec}: time to detection over deadlock_timeout (logarithmic)"),
        labels: points.iter().map(|point| duration_us(point.deadlock_timeout_us)).collect(),
        series: vec![
            Series { name: "measured", colour: "fail", values: medians(|trial| trial.detection_us) },
            Series {
                name: "by the server's rule",
                colour: "pass",
                values: medians(|trial| trial.predicted_us),
            },
        ],
        show: duration_us,
        is_logarithmic: true,
    }
    .figure()
}

struct Series<'a> {
    name: &'a str,
    colour: &'a str,
    values: Vec<f64>,
}

struct Chart<'a> {
    title: String,
    labels: Vec<String>,
    series: Vec<Series<'a>>,
    show: fn(f64) -> String,
    is_logarithmic: bool,
}

impl Chart<'_> {
    fn figure(self) -> String {
        let words = self.words();
        let (wide, narrow) = (self.drawing(WIDTH), self.drawing(NARROW_WIDTH));
        for_both(&wide.figure(&self.title, &words), &narrow.small_figure(&self.title, &words))
    }

    fn words(&self) -> String {
        let said = |series: &Series<'_>| {
            let said = self.labels.iter().zip(&series.values);
            let said = said.map(|(label, value)| format!("{label}: {}", (self.show)(*value)));
            format!("{}: {}", series.name, said.collect::<Vec<_>>().join(", "))
        };
        self.series.iter().map(said).collect::<Vec<_>>().join(". ")
    }

    fn drawing(&self, width: f64) -> Drawing {
        // Where the legend does not fit on a line, its entries stand below each other.
        let is_stacked = LEGEND_WIDTH * self.series.len() as f64 > width;
        let legend_lines = if is_stacked { self.series.len().saturating_sub(1) as f64 } else { 0.0 };
        let [left, right, mut top, bottom] = MARGIN;
        top += LEGEND_LINE * legend_lines;
        let height = HEIGHT + LEGEND_LINE * legend_lines;
        let mut drawing = Drawing::new(width, height);
        let (low, high) = self.range();
        let x = |index: usize| {
            let steps = self.labels.len().saturating_sub(1).max(1) as f64;
            left + 20.0 + (width - left - right - 60.0) * index as f64 / steps
        };
        let y = |value: f64| {
            let share = (self.scaled(value) - low) / (high - low).max(1e-9);
            height - bottom - (height - top - bottom) * share
        };
        drawing.line((left, top), (left, height - bottom), "line", false);
        drawing.line((left, height - bottom), (width - right, height - bottom), "line", false);
        for end in [low, high] {
            let value = if self.is_logarithmic { 10_f64.powf(end) } else { end };
            drawing.text((left - 8.0, y(value) + 4.0), Anchor::End, "ink", false, &(self.show)(value));
        }
        for (index, label) in self.labels.iter().enumerate() {
            drawing.text((x(index), height - bottom + 20.0), Anchor::Middle, "ink", false, label);
        }
        for (number, series) in self.series.iter().enumerate() {
            let (column, line) = if is_stacked { (0.0, number as f64) } else { (number as f64, 0.0) };
            let legend = (left + 8.0 + LEGEND_WIDTH * column, 14.0 + LEGEND_LINE * line);
            drawing.bar(legend, (12.0, 12.0), series.colour, true);
            drawing.text((legend.0 + 18.0, legend.1 + 11.0), Anchor::Start, "ink", false, series.name);
            let places: Vec<(f64, f64)> =
                series.values.iter().enumerate().map(|(index, value)| (x(index), y(*value))).collect();
            for pair in places.windows(2).filter(|pair| pair.iter().all(|place| place.1.is_finite())) {
                drawing.line(pair[0], pair[1], series.colour, number > 0);
            }
            for place in places.iter().filter(|place| place.1.is_finite()) {
                drawing.bar((place.0 - 4.0, place.1 - 4.0), (8.0, 8.0), series.colour, true);
            }
        }
        drawing
    }

    fn scaled(&self, value: f64) -> f64 {
        if self.is_logarithmic { value.max(1.0).log10() } else { value }
    }

    fn range(&self) -> (f64, f64) {
        let values = self.series.iter().flat_map(|series| &series.values).filter(|value| value.is_finite());
        let scaled = || values.clone().map(|value| self.scaled(*value));
        let high = scaled().fold(0.0, f64::max);
        let low = if self.is_logarithmic { scaled().fold(high, f64::min) } else { 0.0 };
        (low, if high > low { high } else { low + 1.0 })
    }
}
