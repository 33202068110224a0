//! Declared against obtained figures, in words.

use super::units;
use crate::model::evidence::data::{FigureKind, ObtainedFigure};

/// `paid 55.0 % → 54.6 %`.
#[must_use]
pub fn figure(figure: &ObtainedFigure) -> String {
    format!(
        "{} {} → {}",
        figure.label,
        value(figure.kind, figure.declared),
        value(figure.kind, figure.obtained)
    )
}

/// A figure as its kind is written.
#[must_use]
pub fn value(kind: FigureKind, value: f64) -> String {
    match kind {
        FigureKind::Share => format!("{:.1} %", value * 100.0),
        FigureKind::Value => units::significant(value),
        FigureKind::EpochSeconds => date(value),
    }
}

fn date(epoch_seconds: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "a date of this era")]
    let instant = jiff::Timestamp::from_second(epoch_seconds as i64);
    instant.map_or_else(|_| units::grouped(epoch_seconds), |instant| instant.strftime("%Y-%m-%d").to_string())
}
