//! Self-contained HTML files: no network, no script needed, printable, dark
//! and light. Colour is never the only signal.

mod compare;
mod index;
mod page;
mod pictures;

pub use compare::write_comparison;
pub use index::{IndexedRun, write_index};

use super::printable;
use crate::model::RunReport;
use std::io;

/// Writes the page of a run.
///
/// # Errors
/// Whatever `out` fails with.
pub fn write(report: &RunReport, out: &mut dyn io::Write) -> io::Result<()> {
    render("report.html", include_str!("report.html"), &page::Page::of(report), out)
}

/// Renders a template with the pages' style. It is called .html, so that everything inserted is escaped.
fn render(
    name: &str,
    template: &str,
    page: &impl serde::Serialize,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let template = template.replace("/* style.css */", include_str!("style.css"));
    let mut environment = minijinja::Environment::new();
    environment.add_template(name, &template).map_err(io::Error::other)?;
    let template = environment.get_template(name).map_err(io::Error::other)?;
    let text = template.render(minijinja::value::Serde(page)).map_err(io::Error::other)?;
    printable::write(out, false, |out| out.write_all(text.as_bytes()))
}
