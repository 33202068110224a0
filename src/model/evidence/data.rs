//! What a seeded database holds, beside what was declared.

/// One column's declaration beside what the database holds.
#[derive(Debug, Clone, PartialEq)]
pub struct ObtainedColumn {
    /// Table, with the schema if that is not `public`.
    pub table: String,
    /// Column; for numbers of children: `rows per` and the parent's name.
    pub column: String,
    /// The declaration in words, such as `lognormal, median 60, sigma 0.8`.
    pub declared: String,
    /// Rows (for children: parents) that were looked at.
    pub rows: u64,
    /// Side by side, most telling first.
    pub figures: Vec<ObtainedFigure>,
    /// Whether the two agree.
    pub agreement: Agreement,
}

impl ObtainedColumn {
    /// What differs, one sentence without a full stop; `None` where nothing does.
    #[must_use]
    pub fn difference(&self) -> Option<String> {
        let how = match &self.agreement {
            Agreement::Tested { agrees: false, p_value, .. } => {
                let seedings = (1.0 / p_value).min(1e6);
                format!("chance gives such rows in at most one of {seedings:.0} seedings")
            }
            Agreement::Bounded { outside } if *outside > 0 => {
                format!("{outside} of {} rows looked at are outside of it", self.rows)
            }
            _ => return None,
        };
        Some(format!("{}.{} is not what was declared ({}): {how}", self.table, self.column, self.declared))
    }
}

/// A number declared and obtained.
#[derive(Debug, Clone, PartialEq)]
pub struct ObtainedFigure {
    /// What it is about: a value, `median`, `mean`, `top 3 parents`.
    pub label: String,
    /// What kind of number it is.
    pub kind: FigureKind,
    /// As the declaration has it.
    pub declared: f64,
    /// As the database has it.
    pub obtained: f64,
}

/// What kind of number a figure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FigureKind {
    /// A share of the rows, 0 to 1.
    Share,
    /// A number in the column's own unit.
    Value,
    /// Seconds since 1970, UTC.
    EpochSeconds,
}

/// Whether declaration and database agree.
#[derive(Debug, Clone, PartialEq)]
pub enum Agreement {
    /// By Pearson's chi-square test.
    Tested {
        /// The statistic.
        statistic: f64,
        /// Degrees of freedom.
        degrees: u64,
        /// Adjusted for all columns of the seeding (Holm).
        p_value: f64,
        /// Whether the p-value is large enough.
        agrees: bool,
    },
    /// By bounds that every row keeps or not.
    Bounded {
        /// Rows outside.
        outside: u64,
    },
    /// Too few rows, or too few different values, for a test.
    TooFewRows,
}

impl Agreement {
    /// `agrees`, `differs` or `too few rows`.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Tested { agrees: true, .. } | Self::Bounded { outside: 0 } => "agrees",
            Self::Tested { .. } | Self::Bounded { .. } => "differs",
            Self::TooFewRows => "too few rows",
        }
    }
}
