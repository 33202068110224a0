//! One self-contained HTML file: no network, no script needed, printable,
//! dark and light. Colour is never the only signal.

mod page;
mod pictures;

use crate::model::RunReport;
use std::io;

/// Writes the page.
///
/// # Errors
/// Whatever `out` fails with.
pub fn write(report: &RunReport, out: &mut dyn io::Write) -> io::Result<()> {
    let mut environment = minijinja::Environment::new();
    // The names end in .html, so everything inserted is escaped.
    environment.add_template("report.html", include_str!("report.html")).map_err(io::Error::other)?;
    let template = environment.get_template("report.html").map_err(io::Error::other)?;
    let page = page::Page::of(report);
    let text = template.render(minijinja::value::Serde(&page)).map_err(io::Error::other)?;
    out.write_all(text.as_bytes())
}
