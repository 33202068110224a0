//! Two runs beside each other, as a page.

use super::render;
use crate::report::compare::Comparison;
use crate::report::compare::text::{
    describe, finding_lines, measurement_header, measurement_rows, rest, verdict_rows,
};
use serde::Serialize;
use std::io;

/// What the template shows; findings as (what and where, message, next step).
#[derive(Serialize)]
struct Page<'a> {
    project: &'a str,
    headline: String,
    before: String,
    after: String,
    differences: &'a [String],
    verdicts: Vec<Vec<String>>,
    new: Vec<(String, String, String)>,
    gone: Vec<(String, String, String)>,
    header: Vec<&'static str>,
    measurements: Vec<Vec<String>>,
    since: &'a [String],
    rest: String,
}

/// Writes the page.
///
/// # Errors
/// Whatever `out` fails with.
pub fn write_comparison(comparison: &Comparison<'_>, out: &mut dyn io::Write) -> io::Result<()> {
    let page = Page {
        project: &comparison.after.project,
        headline: comparison.headline(),
        before: describe(comparison.before),
        after: describe(comparison.after),
        differences: &comparison.fairness.differences,
        verdicts: verdict_rows(comparison),
        new: finding_lines(&comparison.new),
        gone: finding_lines(&comparison.gone),
        header: measurement_header().iter().map(|(name, _)| *name).collect(),
        measurements: measurement_rows(comparison),
        since: &comparison.since,
        rest: rest(comparison),
    };
    render("compare.html", include_str!("compare.html"), &page, out)
}
