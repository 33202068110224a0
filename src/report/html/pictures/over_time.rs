//! A latency over time: the median and the slowest of each stretch, and what
//! happened meanwhile as shaded spans.

use super::scale::LogScale;
use super::svg::{Anchor, Drawing, for_both};
use crate::model::evidence::{LatencyBucket, LatencySeries};
use crate::report::units::{duration_us, grouped};

/// For a wide and for a narrow screen.
const WIDTHS: [f64; 2] = [680.0, 356.0];
const LEFT: f64 = 66.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 200.0;
/// Width of a label's character, about, and the room between two labels: what does not fit is left out.
const CHARACTER: f64 = 8.3;
const LABELS_APART: f64 = 8.0;
/// More spans than this are told in a number.
const SPANS_TOLD: usize = 6;

/// `during` says what a span is, and `span_end` what its end is.
pub(super) fn figure(
    series: &LatencySeries,
    title: &str,
    (during, span_end): (&str, &str),
) -> Option<String> {
    let [wide, narrow] = WIDTHS.map(|width| drawing(series, width));
    let words = words(series);
    let reading = format!(
        "<p class=\"quiet\">Each dot: the median of a stretch of time; the line up from it: the slowest, at the time it was \
         sent. Shaded: {during}, to the dashed line, where {span_end}.</p>"
    );
    Some(for_both(&wide?.figure(title, &words), &narrow?.small_figure(title, &words)) + &reading)
}

fn drawing(series: &LatencySeries, width: f64) -> Option<Drawing> {
    let right = width - 14.0;
    let last = series.buckets.last()?;
    let end_us = series.spans.iter().map(|span| span.to_us).fold(last.start_us + series.bucket_us, f64::max);
    let values = series.buckets.iter().flat_map(|bucket| [bucket.p50_us, bucket.max_us]);
    let scale = LogScale::around(values, BOTTOM, TOP)?;
    let x = |us: f64| LEFT + (us / end_us).clamp(0.0, 1.0) * (right - LEFT);
    let mut drawing = Drawing::new(width, BOTTOM + 28.0);
    for tick in scale.ticks() {
        let y = scale.at(tick);
        drawing.line((LEFT, y), (right, y), "line", false);
        drawing.text((LEFT - 6.0, y + 4.0), Anchor::End, "quiet", false, &duration_us(tick));
    }
    for share in [0.0, 0.5, 1.0] {
        let anchor = [Anchor::Start, Anchor::Middle, Anchor::End][(share * 2.0) as usize];
        drawing.text(
            (x(end_us * share), BOTTOM + 18.0),
            anchor,
            "quiet",
            false,
            &duration_us(end_us * share),
        );
    }
    let labels = labels(series, x);
    let mut labelled_to = f64::NEG_INFINITY;
    for (span, label) in series.spans.iter().zip(labels) {
        let (from, to) = (x(span.from_us), x(span.to_us));
        drawing.shade((from, TOP), ((to - from).max(2.0), BOTTOM - TOP), "doubt");
        drawing.line((to, TOP), (to, BOTTOM), "fail", true);
        let label_width = width_of(label);
        let label_from = from.min(width - label_width);
        if label_from >= labelled_to {
            drawing.text((label_from, TOP - 8.0), Anchor::Start, "ink", true, label);
            labelled_to = label_from + label_width + LABELS_APART;
        }
    }
    for bucket in &series.buckets {
        let at = x(bucket.start_us + series.bucket_us / 2.0);
        drawing.line((at, scale.at(bucket.p50_us)), (at, scale.at(bucket.max_us)), "quiet", false);
        drawing.dot((at, scale.at(bucket.p50_us)), 2.5, "mark");
    }
    Some(drawing)
}

/// The labels of the spans, or where one of them does not fit before the next only their last words: numbers.
fn labels(series: &LatencySeries, x: impl Fn(f64) -> f64) -> Vec<&str> {
    let fits = series
        .spans
        .windows(2)
        .all(|pair| x(pair[1].from_us) - x(pair[0].from_us) >= width_of(&pair[0].label) + LABELS_APART);
    let shown = |label: &'_ str| if fits { 0 } else { label.rfind(' ').map_or(0, |space| space + 1) };
    series.spans.iter().map(|span| &span.label[shown(&span.label)..]).collect()
}

fn width_of(label: &str) -> f64 {
    CHARACTER * label.chars().count() as f64
}

fn words(series: &LatencySeries) -> String {
    let samples: u64 = series.buckets.iter().map(|bucket| bucket.samples).sum();
    let mut words = format!("{}: {} executions", series.subject, grouped(samples as f64));
    if let Some(calm) = slowest(series, |at| !is_within(series, at)) {
        words.push_str(&format!("; outside of the spans the slowest took {}", duration_us(calm.max_us)));
    }
    for span in series.spans.iter().take(SPANS_TOLD) {
        let within = slowest(series, |at| at + series.bucket_us >= span.from_us && at <= span.to_us);
        let slowest =
            within.map_or("nothing was sent".into(), |b| format!("slowest {}", duration_us(b.max_us)));
        words.push_str(&format!(
            "; {} from {} to {}: {slowest}",
            span.label,
            duration_us(span.from_us),
            duration_us(span.to_us)
        ));
    }
    if series.spans.len() > SPANS_TOLD {
        words.push_str(&format!("; and {} more spans", series.spans.len() - SPANS_TOLD));
    }
    words
}

fn is_within(series: &LatencySeries, start_us: f64) -> bool {
    series.spans.iter().any(|span| start_us + series.bucket_us >= span.from_us && start_us <= span.to_us)
}

fn slowest(series: &LatencySeries, wanted: impl Fn(f64) -> bool) -> Option<LatencyBucket> {
    let buckets = series.buckets.iter().filter(|bucket| wanted(bucket.start_us)).copied();
    buckets.max_by(|a, b| a.max_us.total_cmp(&b.max_us))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::evidence::LatencySpan;

    #[test]
    fn a_series_says_in_words_what_it_draws() {
        let bucket = |start_us, max_us| LatencyBucket { start_us, samples: 5, p50_us: 100.0, max_us };
        let series = LatencySeries {
            subject: "SELECT 1".into(),
            bucket_us: 10_000.0,
            buckets: vec![bucket(0.0, 200.0), bucket(10_000.0, 300.0), bucket(30_000.0, 9_000.0)],
            spans: vec![LatencySpan { label: "deadlock 1".into(), from_us: 25_000.0, to_us: 38_000.0 }],
        };
        assert_eq!(
            words(&series),
            "SELECT 1: 15 executions; outside of the spans the slowest took 300 µs; \
             deadlock 1 from 25.0 ms to 38.0 ms: slowest 9.00 ms"
        );
        let drawn = figure(&series, "A title", ("a cycle", "the server ends a session")).unwrap();
        assert_eq!(drawn.matches("<circle").count(), 2 * 3, "once for each width of screen");
        assert!(drawn.contains(">deadlock 1</text>"), "{drawn}");
        let mut crowded = series.clone();
        let second = LatencySpan { label: "deadlock 2".into(), from_us: 27_000.0, to_us: 39_000.0 };
        crowded.spans.push(second);
        let drawn = figure(&crowded, "A title", ("a cycle", "the server ends a session")).unwrap();
        assert!(drawn.contains(">1</text>") && !drawn.contains(">deadlock 1</text>"), "{drawn}");
        assert_eq!(figure(&LatencySeries::default(), "", ("", "")), None);
    }
}
