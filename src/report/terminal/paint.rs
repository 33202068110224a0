//! Colour, where it is wanted; the words carry the meaning without it.

use crate::model::{Severity, Verdict};
use anstyle::{AnsiColor, Style};

/// Paints text, or leaves it as it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paint {
    colour: bool,
}

impl Paint {
    pub(super) fn new(colour: bool) -> Self {
        Self { colour }
    }

    fn styled(self, style: Style, text: &str) -> String {
        if self.colour { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    /// `PASS`, `FAIL`, `DOUBT` or `SKIP`, all of one width.
    pub(super) fn verdict_mark(self, verdict: &Verdict) -> String {
        let (word, colour) = match verdict {
            Verdict::Pass => ("PASS ", AnsiColor::Green),
            Verdict::Fail => ("FAIL ", AnsiColor::Red),
            Verdict::Inconclusive { .. } => ("DOUBT", AnsiColor::Yellow),
            Verdict::Skipped { .. } => ("SKIP ", AnsiColor::BrightBlack),
        };
        self.styled(Style::new().bold().fg_color(Some(colour.into())), word)
    }

    pub(super) fn severity_mark(self, severity: Severity) -> String {
        let colour = match severity {
            Severity::Failure => AnsiColor::Red,
            Severity::Warning => AnsiColor::Yellow,
            Severity::Note => AnsiColor::Cyan,
        };
        self.styled(Style::new().bold().fg_color(Some(colour.into())), severity.mark())
    }

    pub(super) fn heading(self, text: &str) -> String {
        self.styled(Style::new().bold(), text)
    }

    pub(super) fn doubt(self, text: &str) -> String {
        self.styled(Style::new().bold().fg_color(Some(AnsiColor::Yellow.into())), text)
    }

    pub(super) fn quiet(self, text: &str) -> String {
        self.styled(Style::new().dimmed(), text)
    }
}
