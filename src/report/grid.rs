//! The measurements of a scenario as a grid: subjects at their volumes as rows,
//! metrics as columns, both in the order in which they first come.

use super::units;
use crate::model::{Measurement, Metric, Variant};

/// One row: a subject at a volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct GridRow<'a> {
    pub(super) subject: &'a str,
    pub(super) volume: Option<&'a str>,
}

/// What is shown where; the cells are looked up.
pub(super) struct Grid<'a> {
    measurements: &'a [Measurement],
    pub(super) metrics: Vec<Metric>,
    pub(super) rows: Vec<GridRow<'a>>,
}

impl<'a> Grid<'a> {
    pub(super) fn of(measurements: &'a [Measurement]) -> Self {
        let (mut metrics, mut rows) = (Vec::new(), Vec::new());
        for m in measurements {
            if !metrics.contains(&m.metric) {
                metrics.push(m.metric);
            }
            let row = GridRow { subject: &m.subject, volume: m.volume.as_deref() };
            if !rows.contains(&row) {
                rows.push(row);
            }
        }
        Self { measurements, metrics, rows }
    }

    /// Whether any row has a volume, so that a column for it says something.
    pub(super) fn has_volumes(&self) -> bool {
        self.rows.iter().any(|row| row.volume.is_some())
    }

    /// Everything measured of a row.
    pub(super) fn of_row(&self, row: GridRow<'a>) -> impl Iterator<Item = &'a Measurement> {
        self.measurements
            .iter()
            .filter(move |m| m.subject == row.subject && m.volume.as_deref() == row.volume)
    }

    /// What was measured of a metric: before, after, or without sides.
    pub(super) fn cell(&self, row: GridRow<'a>, metric: Metric) -> Vec<&'a Measurement> {
        let side = |variant| self.of_row(row).find(|m| m.metric == metric && m.variant == variant);
        [Variant::Before, Variant::After, Variant::Only].into_iter().filter_map(side).collect()
    }
}

/// A metric as a column's title.
pub(super) fn title(metric: Metric) -> String {
    metric.replace('_', " ")
}

/// `1.20 ms`, or `before → after` where both sides were measured.
pub(super) fn text(cell: &[&Measurement]) -> String {
    cell.iter().map(|m| units::format(m.value, m.unit)).collect::<Vec<_>>().join(" → ")
}
