//! Declared against obtained: each column's figures in pairs, shares as bars
//! beside each other.

use super::svg::escape;
use crate::model::evidence::data::{FigureKind, ObtainedColumn, ObtainedFigure};
use crate::model::evidence::slow_queries::VolumeEvidence;
use crate::report::data::value;
use crate::report::units::grouped;
use std::fmt::Write;

/// More figures of a column than this are in the JSON report only.
const FIGURES_SHOWN: usize = 6;

/// Folded where everything agrees.
pub(super) fn figure(volume: &VolumeEvidence) -> Option<String> {
    if volume.data.is_empty() {
        return None;
    }
    let differing = volume.data.iter().filter(|column| column.agreement.word() == "differs").count();
    let (open, said) = match differing {
        0 => ("", "no column differs".to_owned()),
        1 => (" open", "1 column differs".to_owned()),
        several => (" open", format!("{several} columns differ")),
    };
    let mut rows = String::new();
    for column in &volume.data {
        write_column(column, &mut rows);
    }
    let name = escape(&volume.volume);
    Some(format!(
        "<details{open}><summary>Data at {name}, declared against obtained: {said}</summary><p class=\"quiet\">Upper bar: \
         declared; lower bar: what the database holds. A column differs where chance gives such rows in less than one of \
         a thousand seedings, or where rows are outside of what was declared.</p><div class=\"scroll\" tabindex=\"0\" \
         role=\"region\" aria-label=\"Data at {name}, declared against obtained\"><table><thead><tr>\
         <th scope=\"col\">column</th><th scope=\"col\">declared</th><th scope=\"col\">declared → obtained</th>\
         <th scope=\"col\" class=\"number\">rows looked at</th><th scope=\"col\">agreement</th></tr></thead>\
         <tbody>{rows}</tbody></table></div></details>"
    ))
}

fn write_column(column: &ObtainedColumn, out: &mut String) {
    let word = column.agreement.word();
    let (class, sign) = match word {
        "agrees" => ("pass", "✓ "),
        "differs" => ("fail", "✗ "),
        _ => ("skipped", ""),
    };
    // Writing to a string cannot fail.
    let _ = write!(
        out,
        "<tr><th scope=\"row\">{}.{}</th><td>{}</td><td>",
        escape(&column.table),
        escape(&column.column),
        escape(&column.declared)
    );
    for figure in column.figures.iter().take(FIGURES_SHOWN) {
        write_figure(figure, out);
    }
    if column.figures.len() > FIGURES_SHOWN {
        let _ = write!(out, "<div class=\"quiet\">and {} more</div>", column.figures.len() - FIGURES_SHOWN);
    }
    let _ = write!(
        out,
        "</td><td class=\"number\">{}</td><td class=\"{class}\">{sign}{word}</td></tr>",
        grouped(column.rows as f64)
    );
}

fn write_figure(figure: &ObtainedFigure, out: &mut String) {
    let [declared, obtained] = [figure.declared, figure.obtained].map(|number| value(figure.kind, number));
    let _ = write!(out, "<div>{}: {declared} → {obtained}</div>", escape(&figure.label));
    if figure.kind == FigureKind::Share {
        let width = |share: f64| (share * 100.0).clamp(0.0, 100.0);
        let _ = write!(
            out,
            "<div class=\"pair\" aria-hidden=\"true\"><i style=\"width:{:.1}%\"></i><i style=\"width:{:.1}%\"></i></div>",
            width(figure.declared),
            width(figure.obtained)
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::evidence::data::Agreement;

    fn volume(agreement: Agreement) -> VolumeEvidence {
        let figure = |label: &str, declared, obtained| ObtainedFigure {
            label: label.into(),
            kind: FigureKind::Share,
            declared,
            obtained,
        };
        let column = ObtainedColumn {
            table: "orders".into(),
            column: "status".into(),
            declared: "one of 2 values".into(),
            rows: 2_500,
            figures: vec![figure("<paid>", 0.55, 0.546), figure("shipped", 0.45, 0.454)],
            agreement,
        };
        VolumeEvidence {
            volume: "small".into(),
            factor: 1.0,
            ping: None,
            client_cpu_share: 0.0,
            client_cpu_us: 0.0,
            queries: vec![],
            tables: vec![],
            data: vec![column],
        }
    }

    #[test]
    fn a_difference_is_unfolded_and_said_in_a_word() {
        let agrees = figure(&volume(Agreement::Bounded { outside: 0 })).unwrap();
        assert!(agrees.starts_with("<details><summary>Data at small") && agrees.contains("✓ agrees"));
        assert!(agrees.contains("&lt;paid&gt;: 55.0 % → 54.6 %"), "{agrees}");
        let differs = figure(&volume(Agreement::Bounded { outside: 3 })).unwrap();
        assert!(differs.starts_with("<details open>") && differs.contains("1 column differs"), "{differs}");
        assert_eq!(figure(&VolumeEvidence { data: vec![], ..volume(Agreement::TooFewRows) }), None);
    }
}
