//! The published form of declared against obtained data.

use super::super::mirror::{Mirror, Real};
use crate::model::evidence::data::{Agreement, FigureKind, ObtainedColumn, ObtainedFigure};

mirror! {
    /// One column's declaration beside what the database holds.
    struct ObtainedColumnEntry of ObtainedColumn {
        /// Table, with the schema if that is not `public`.
        table: String,
        /// Column; for numbers of children: `rows per` and the parent's name.
        column: String,
        /// The declaration in words, such as `lognormal, median 60, sigma 0.8`.
        declared: String,
        /// Rows (for children: parents) that were looked at.
        rows: u64,
        /// Side by side, most telling first.
        figures: Vec<ObtainedFigureEntry>,
        /// Whether the two agree.
        agreement: AgreementEntry,
    }

    /// A number declared and obtained.
    struct ObtainedFigureEntry of ObtainedFigure {
        /// What it is about: a value, `median`, `mean`, `top 3 parents`.
        label: String,
        /// What kind of number it is.
        kind: FigureKindEntry,
        /// As the declaration has it.
        declared: Real,
        /// As the database has it.
        obtained: Real,
    }

    /// What kind of number a figure is.
    words FigureKindEntry of FigureKind {
        Share = "share",
        Value = "value",
        EpochSeconds = "epoch-seconds",
    }

    /// Whether declaration and database agree.
    tagged AgreementEntry of Agreement {
        Tested = "tested" { statistic: Real, degrees: u64, p_value: Real, agrees: bool },
        Bounded = "bounded" { outside: u64 },
        TooFewRows = "too-few-rows" {},
    }
}
