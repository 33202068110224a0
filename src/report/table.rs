//! The one look of tables on a terminal: a line below the header, no others.

use comfy_table::{CellAlignment, LineStyle, Table, TableStyle};
use std::io;

/// Where a column's text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// Lines of a table with a header; empty where there are no rows.
#[must_use]
pub fn lines(header: &[(&str, Align)], rows: &[Vec<String>]) -> Vec<String> {
    if rows.is_empty() {
        return Vec::new();
    }
    let rule = LineStyle::none().fill('─').junction('─');
    let mut table = Table::new();
    table.load_style(TableStyle::new().header_separator(rule));
    table.set_header(header.iter().map(|(name, _)| *name));
    for row in rows {
        table.add_row(row);
    }
    for (column, (_, align)) in table.column_iter_mut().zip(header) {
        if *align == Align::Right {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect()
}

/// Writes the table.
///
/// # Errors
/// Whatever `out` fails with.
pub fn write(header: &[(&str, Align)], rows: &[Vec<String>], out: &mut dyn io::Write) -> io::Result<()> {
    for line in lines(header, rows) {
        writeln!(out, "{line}")?;
    }
    Ok(())
}
