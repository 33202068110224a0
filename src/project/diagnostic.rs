//! A problem in a project file, with the place that a person can go to.

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use std::ops::Range;
use std::path::PathBuf;

/// One problem in one file. Rendered with a caret by the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Relative to the project folder.
    pub path: PathBuf,
    /// The file's text, for showing the line; empty where the file is missing.
    pub text: String,
    /// Byte range in `text` that is wrong; `None` for the file as a whole.
    pub span: Option<Range<usize>>,
    /// What is wrong, one sentence without a full stop.
    pub message: String,
    /// The next step, where one is known (for example the nearest known key).
    pub help: Option<String>,
}

impl Diagnostic {
    /// One-based line and column (in characters) of the span's start.
    #[must_use]
    pub fn line_and_column(&self) -> Option<(usize, usize)> {
        let start = self.span.as_ref()?.start.min(self.text.len());
        let before = self.text.get(..start)?;
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Some((before.matches('\n').count() + 1, before[line_start..].chars().count() + 1))
    }
}

/// More diagnostics than this are counted, not shown.
const SHOWN_MAX: usize = 50;

/// All diagnostics as a person reads them: message, file, line, column, the line with a caret,
/// and the next step. Ends with a line break, unless there is nothing to say.
#[must_use]
pub fn render(diagnostics: &[Diagnostic], colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let mut rendered = String::new();
    for diagnostic in diagnostics.iter().take(SHOWN_MAX) {
        rendered.push_str(&renderer.render(&[group(diagnostic)]));
        rendered.push_str("\n\n");
    }
    if diagnostics.len() > SHOWN_MAX {
        rendered.push_str(&format!("… and {} more problems\n", diagnostics.len() - SHOWN_MAX));
    } else if rendered.ends_with("\n\n") {
        rendered.pop();
    }
    rendered
}

fn group(diagnostic: &Diagnostic) -> Group<'_> {
    let path = diagnostic.path.to_string_lossy();
    let group = Level::ERROR.primary_title(diagnostic.message.as_str());
    let group = match &diagnostic.span {
        Some(span) => {
            let span = visible(&diagnostic.text, span);
            let annotation = AnnotationKind::Primary.span(span);
            group.element(Snippet::source(diagnostic.text.as_str()).path(path).annotation(annotation))
        }
        None => group.element(Origin::path(path)),
    };
    match &diagnostic.help {
        Some(help) => group.element(Level::HELP.message(help.as_str())),
        None => group,
    }
}

/// The span within the text, on character boundaries, and ending on its first line.
fn visible(text: &str, span: &Range<usize>) -> Range<usize> {
    let floor = |mut at: usize| {
        at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let start = floor(span.start);
    let end = floor(span.end).max(start);
    let line_end = text[start..end].find(['\n', '\r']).map_or(end, |length| start + length);
    start..line_end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diagnostic(text: &str, span: Option<Range<usize>>) -> Diagnostic {
        Diagnostic {
            path: PathBuf::from("queries/a.sql"),
            text: text.to_owned(),
            span,
            message: "unknown metric `p96`".to_owned(),
            help: Some("did you mean `p95`?".to_owned()),
        }
    }

    #[test]
    fn the_place_is_shown_with_a_caret() {
        let rendered = render(&[diagnostic("-- name: a\n-- budget: p96 < 2ms\n", Some(22..25))], false);
        insta::assert_snapshot!(rendered, @r"
        error: unknown metric `p96`
         --> queries/a.sql:2:12
          |
        2 | -- budget: p96 < 2ms
          |            ^^^
          |
          = help: did you mean `p95`?
        ");
    }

    #[test]
    fn a_whole_file_has_no_caret() {
        insta::assert_snapshot!(render(&[diagnostic("", None)], false), @r"
        error: unknown metric `p96`
        --> queries/a.sql
         = help: did you mean `p95`?
        ");
    }

    #[test]
    fn odd_spans_are_survived() {
        for (text, span) in
            [("é", 1..1), ("", 0..0), ("a\n", 5..7), ("a\nb\n", 0..4), ("é\n", 0..9), ("a\n", 2..2)]
        {
            assert!(render(&[diagnostic(text, Some(span))], true).contains("p96"), "{text}");
        }
    }

    #[test]
    fn many_are_counted() {
        let many = vec![diagnostic("", None); SHOWN_MAX + 3];
        assert!(render(&many, false).ends_with("… and 3 more problems\n"));
        assert_eq!(render(&[], false), "");
    }
}
