//! The few shapes the pictures are made of. Colours are the page's own
//! (`var(--…)`), so that dark and light both work.

pub(super) use crate::report::printable::cut;
use std::fmt::Write;

/// Text that is safe between tags and in attributes.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // Characters that no version of XML allows.
            c if c.is_control() && c != '\n' && c != '\t' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// Text broken at spaces into lines of so many characters, the last one cut.
pub(super) fn wrapped(text: &str, characters: usize, lines: usize) -> Vec<String> {
    let mut broken: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match broken.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= characters => {
                line.push(' ');
                line.push_str(word);
            }
            _ => broken.push(cut(word, characters)),
        }
    }
    if broken.len() > lines {
        broken.truncate(lines);
        if let Some(last) = broken.last_mut() {
            *last = format!("{} …", cut(last, characters.saturating_sub(2)).trim_end_matches('…'));
        }
    }
    broken
}

/// A figure for a wide and one for a narrow screen: the page shows one of them.
pub(super) fn for_both(wide: &str, narrow: &str) -> String {
    format!("<div class=\"wide\">{wide}</div><div class=\"narrow\">{narrow}</div>")
}

/// A drawing under construction. All lengths are in pixels of the view box.
pub(super) struct Drawing {
    width: f64,
    height: f64,
    body: String,
}

/// How text is anchored.
#[derive(Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

impl Drawing {
    pub(super) fn new(width: f64, height: f64) -> Self {
        Self { width, height, body: String::new() }
    }

    pub(super) fn line(&mut self, from: (f64, f64), to: (f64, f64), colour: &str, dashed: bool) {
        let dash = if dashed { " stroke-dasharray=\"5 4\"" } else { "" };
        // Writing to a string cannot fail.
        let _ = writeln!(
            self.body,
            "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"var(--{colour})\" stroke-width=\"2\"{dash}/>",
            from.0, from.1, to.0, to.1
        );
    }

    /// An arrow: a line with a head at `to`.
    pub(super) fn arrow(&mut self, from: (f64, f64), to: (f64, f64), colour: &str, dashed: bool) {
        const HEAD: f64 = 9.0;
        self.line(from, to, colour, dashed);
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let length = dx.hypot(dy).max(1e-9);
        let (ux, uy) = (dx / length, dy / length);
        let back = (to.0 - ux * HEAD, to.1 - uy * HEAD);
        let half = HEAD * 0.45;
        let _ = writeln!(
            self.body,
            "<polygon points=\"{:.1},{:.1} {:.1},{:.1} {:.1},{:.1}\" fill=\"var(--{colour})\"/>",
            to.0,
            to.1,
            back.0 - uy * half,
            back.1 + ux * half,
            back.0 + uy * half,
            back.1 - ux * half
        );
    }

    pub(super) fn bar(&mut self, corner: (f64, f64), size: (f64, f64), colour: &str, filled: bool) {
        let fill = if filled { format!("var(--{colour})") } else { "var(--paper)".into() };
        let _ = writeln!(
            self.body,
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"4\" fill=\"{fill}\" stroke=\"var(--{colour})\" stroke-width=\"1.5\"/>",
            corner.0,
            corner.1,
            size.0.max(0.0),
            size.1
        );
    }

    /// A line through several points.
    pub(super) fn polyline(&mut self, points: &[(f64, f64)], colour: &str, dashed: bool) {
        let dash = if dashed { " stroke-dasharray=\"5 4\"" } else { "" };
        let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ = writeln!(
            self.body,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"var(--{colour})\" stroke-width=\"2\" stroke-linejoin=\"round\"{dash}/>",
            points.join(" ")
        );
    }

    pub(super) fn dot(&mut self, at: (f64, f64), radius: f64, colour: &str) {
        let _ = writeln!(
            self.body,
            "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"{radius:.1}\" fill=\"var(--{colour})\"/>",
            at.0, at.1
        );
    }

    pub(super) fn ring(&mut self, at: (f64, f64), radius: f64, colour: &str) {
        let _ = writeln!(
            self.body,
            "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"{radius:.1}\" fill=\"none\" stroke=\"var(--{colour})\" stroke-width=\"2\"/>",
            at.0, at.1
        );
    }

    /// A filled area without an outline, see-through: a band or a bar of a histogram.
    pub(super) fn shade(&mut self, corner: (f64, f64), size: (f64, f64), colour: &str) {
        let _ = writeln!(
            self.body,
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"var(--{colour})\" fill-opacity=\"0.35\"/>",
            corner.0,
            corner.1,
            size.0.max(0.0),
            size.1.max(0.0)
        );
    }

    pub(super) fn text(&mut self, at: (f64, f64), anchor: Anchor, colour: &str, bold: bool, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let weight = if bold { " font-weight=\"700\"" } else { "" };
        let _ = writeln!(
            self.body,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\" fill=\"var(--{colour})\"{weight}>{}</text>",
            at.0,
            at.1,
            escape(text)
        );
    }

    /// The figure: the drawing with its words, which a screen reader reads
    /// in its place.
    pub(super) fn figure(self, title: &str, words: &str) -> String {
        format!(
            "<figure><figcaption>{}</figcaption><div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{}\">{}</div></figure>",
            escape(title),
            escape(title),
            self.markup(title, words)
        )
    }

    /// A figure that fits any screen: for many beside each other.
    pub(super) fn small_figure(self, title: &str, words: &str) -> String {
        format!(
            "<figure class=\"small\"><figcaption>{}</figcaption>{}</figure>",
            escape(title),
            self.markup(title, words)
        )
    }

    fn markup(&self, title: &str, words: &str) -> String {
        format!(
            "<svg viewBox=\"0 0 {:.0} {:.0}\" width=\"{:.0}\" height=\"{:.0}\" role=\"img\" aria-label=\"{}\" \
             font-family=\"system-ui, sans-serif\" font-size=\"13\"><title>{}</title><desc>{}</desc>\n{}</svg>",
            self.width,
            self.height,
            self.width,
            self.height,
            escape(&format!("{title}. {words}")),
            escape(title),
            escape(words),
            self.body
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_and_cut_at_characters() {
        assert_eq!(escape("<a href=\"x\">'&\u{1}"), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;\u{fffd}");
        assert_eq!(cut("SELECT  é\n FROM t", 9), "SELECT é…");
        assert_eq!(cut("short", 9), "short");
    }

    #[test]
    fn text_wraps_at_words_and_says_where_it_was_cut() {
        assert_eq!(wrapped("UPDATE orders SET a = 1", 13, 3), ["UPDATE orders", "SET a = 1"]);
        assert_eq!(wrapped("one two three four", 7, 2), ["one two", "three …"]);
        assert_eq!(wrapped("", 7, 2), Vec::<String>::new());
    }
}
