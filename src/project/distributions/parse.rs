//! The file's tables: rows, uniqueness, columns. All problems at once.

use super::source::column;
use super::{Distributions, RowCount, TableDistribution, UniqueColumns};
use crate::project::diagnostic::Diagnostic;
use crate::project::fields::{self, Fields, Problems};
use std::ops::Range;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Reads `data/distributions.toml`.
///
/// # Errors
/// Everything that is wrong with the file by itself, each with its place.
pub fn parse(path: &Path, text: &str) -> Result<Distributions, Vec<Diagnostic>> {
    let mut problems = Problems::new(path, text);
    let (document, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        for error in errors {
            problems.add(error.span().unwrap_or(0..0), error.message().trim_end_matches('.'), "");
        }
        return Err(problems.into_sorted());
    }
    let mut top = Fields::new(document.get_ref(), document.span());
    let seed = top.take("seed").map_or(Some(0), |value| {
        let seed = fields::integer(value).and_then(|seed| u64::try_from(seed).ok());
        if seed.is_none() {
            problems.add(value.span(), "`seed` is not a whole number of 0 or more", "write `seed = 42`");
        }
        seed
    });
    let mut tables = Vec::new();
    for (name, span, value) in top.rest() {
        let Some(table) = fields::fields(value) else {
            problems.add(
                span,
                format!("unknown key `{name}`"),
                "tables are written as `[table]`; the only key beside them is `seed`",
            );
            continue;
        };
        if is_schema(&table) {
            for (inner, inner_span, value) in table.rest() {
                if let Some(fields) = fields::fields(value) {
                    tables.extend(self::table(format!("{name}.{inner}"), inner_span, fields, &mut problems));
                }
            }
        } else {
            tables.extend(self::table(name.to_owned(), span, table, &mut problems));
        }
    }
    match seed {
        Some(seed) if problems.is_empty() => {
            Ok(Distributions { seed, tables, path: path.to_path_buf(), text: text.to_owned() })
        }
        _ => Err(problems.into_sorted()),
    }
}

/// `[app.orders]` reads as a table `app` that holds only tables which have rows.
fn is_schema(table: &Fields<'_, '_>) -> bool {
    let mut inner = table.rest().peekable();
    inner.peek().is_some()
        && inner.all(|(_, _, value)| {
            fields::fields(value).is_some_and(|fields| fields.rest().any(|(key, ..)| key == "rows"))
        })
}

fn table(
    name: String,
    span: Range<usize>,
    mut table: Fields<'_, '_>,
    problems: &mut Problems<'_>,
) -> Option<TableDistribution> {
    let (rows, rows_span) = match table.take("rows") {
        Some(value) => (row_count(value, problems), value.span()),
        None => {
            problems.add(
                span.clone(),
                format!("table `{name}` has no `rows`"),
                "say how many rows it has at volume factor 1, such as `rows = 1000`",
            );
            (None, span.clone())
        }
    };
    let fixed = table.take("fixed").is_some_and(|value| match value.get_ref() {
        DeValue::Boolean(fixed) => *fixed,
        _ => {
            problems.add(value.span(), "`fixed` is neither true nor false", "");
            false
        }
    });
    if fixed && matches!(rows, Some(RowCount::PerParent { .. })) {
        problems.add(
            rows_span.clone(),
            format!("`{name}` is fixed, but its rows depend on another table's"),
            "take `fixed` off, or give `rows` a number",
        );
    }
    let unique = table.take("unique").map(|value| unique_columns(value, problems)).unwrap_or_default();
    let mut columns = Vec::new();
    if let Some(more) = table.take("columns").and_then(fields::fields) {
        columns.extend(more.rest().filter_map(|(key, span, value)| column(key, span, value, problems)));
    }
    for (key, span, value) in table.rest() {
        if columns.iter().any(|known: &super::ColumnDistribution| known.column == key) {
            problems.add(span.clone(), format!("column `{key}` is declared twice"), "");
        }
        columns.extend(column(key, span, value, problems));
    }
    Some(TableDistribution { table: name, rows: rows?, fixed, columns, unique, span, rows_span })
}

fn row_count(value: &Spanned<DeValue<'_>>, problems: &mut Problems<'_>) -> Option<RowCount> {
    if let Some(rows) = fields::integer(value) {
        let rows = u64::try_from(rows).ok().filter(|rows| *rows > 0);
        if rows.is_none() {
            problems.add(value.span(), "a table has at least one row", "");
        }
        return rows.map(RowCount::Fixed);
    }
    let Some(mut table) = fields::fields(value) else {
        problems.add(
            value.span(),
            "`rows` is neither a number nor a count per parent",
            "write `rows = 1000` or `rows = { per = \"orders.id\", min = 1, max = 8, mean = 2.5 }`",
        );
        return None;
    };
    let parent = table.take("per").and_then(|value| {
        let reference = fields::text(value).and_then(split_reference);
        if reference.is_none() {
            problems.add(value.span(), "`per` does not name a column", "write `per = \"table.column\"`");
        }
        reference
    });
    let whole = |table: &mut Fields<'_, '_>, key| {
        table.take(key).and_then(fields::integer).and_then(|value| u32::try_from(value).ok())
    };
    let (min, max) = (whole(&mut table, "min"), whole(&mut table, "max"));
    let mean = table.take("mean").and_then(fields::number);
    table.finish("`rows`", problems);
    let (Some(min), Some(max), Some(mean)) = (min, max, mean) else {
        problems.add(
            value.span(),
            "rows per parent need `min`, `max` and `mean`",
            "write `rows = { per = \"orders.id\", min = 1, max = 8, mean = 2.5 }`",
        );
        return None;
    };
    if min > max || !(f64::from(min)..=f64::from(max)).contains(&mean) || max == 0 {
        problems.add(value.span(), format!("a mean of {mean} is not within {min} and {max}"), "");
        return None;
    }
    let (table, column) = parent?;
    Some(RowCount::PerParent { table, column, min, max, mean })
}

fn unique_columns(value: &Spanned<DeValue<'_>>, problems: &mut Problems<'_>) -> Vec<UniqueColumns> {
    let lists = fields::array(value).map(|lists| {
        lists.iter().map(|list| {
            let names = fields::array(list)?;
            let columns: Option<Vec<String>> =
                names.iter().map(|name| fields::text(name).map(str::to_owned)).collect();
            columns
                .filter(|columns| !columns.is_empty())
                .map(|columns| UniqueColumns { columns, span: list.span() })
        })
    });
    match lists.and_then(Iterator::collect) {
        Some(sets) => sets,
        None => {
            problems.add(
                value.span(),
                "`unique` of a table is not a list of lists of columns",
                "write `unique = [[\"user_id\", \"product_id\"]]`",
            );
            Vec::new()
        }
    }
}

/// `table.column` or `schema.table.column`, as table and column.
pub(super) fn split_reference(reference: &str) -> Option<(String, String)> {
    let (table, column) = reference.rsplit_once('.')?;
    let whole = !column.is_empty() && !table.is_empty() && table.split('.').count() <= 2;
    whole.then(|| (table.to_owned(), column.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::parse;
    use crate::project::distributions::{NumberDistribution, RowCount, Skew, ValueSource};
    use std::path::Path;

    /// `line:column message` of every problem.
    fn problems(text: &str) -> Vec<String> {
        let found = parse(Path::new("data/distributions.toml"), text).expect_err("it has problems");
        found
            .iter()
            .map(|problem| {
                let (line, column) = problem.line_and_column().expect("a place");
                format!("{line}:{column} {}", problem.message)
            })
            .collect()
    }

    #[test]
    fn the_demo_reads() {
        let text = include_str!("../../../demo/data/distributions.toml");
        let distributions = parse(Path::new("data/distributions.toml"), text).expect("no problems");
        assert_eq!(distributions.seed, 42);
        let names: Vec<_> = distributions.tables.iter().map(|table| table.table.as_str()).collect();
        assert_eq!(names, ["users", "inventory", "orders", "order_items"]);
        let orders = &distributions.tables[2];
        assert_eq!(&text[orders.span.clone()], "orders");
        assert_eq!(
            orders.columns[0].source,
            ValueSource::References { table: "users".into(), column: "id".into(), skew: Skew::Zipf(0.2) }
        );
        let ValueSource::Number(total) = &orders.columns[3].source else { panic!("total is a number") };
        assert_eq!(total.distribution, NumberDistribution::Lognormal { median: 60.0, sigma: 0.8 });
        assert_eq!(
            distributions.tables[3].rows,
            RowCount::PerParent { table: "orders".into(), column: "id".into(), min: 1, max: 8, mean: 2.5 }
        );
    }

    #[test]
    fn schemas_and_reserved_names() {
        let text = "[app.orders]\nrows = 3\ncolumns = { rows = { range = [1, 2] } }\n";
        let distributions = parse(Path::new("d.toml"), text).expect("no problems");
        assert_eq!(distributions.tables[0].table, "app.orders");
        assert_eq!(distributions.tables[0].columns[0].column, "rows");
    }

    #[test]
    fn every_problem_is_reported_at_its_place() {
        let text = "\
seeds = 1
[users]
rows = 10
country = { one_of = { US = 0.5, DE = 0.4 } }
age = { rnage = [1, 2] }
email = { template = \"a{\" , uniq = true }
born = { spread = [\"2024-01-01\", \"2023-01-01\"] }
size = { normal = { mean = 1 }, unique = 3 }
both = { bool = 0.5, uuid = true }
[orders]
total = { range = [5, 1] }
";
        assert_eq!(
            problems(text),
            [
                "1:1 unknown key `seeds`",
                "4:22 the weights sum to 0.9, not to 1",
                "5:1 column `age` has no known source",
                "6:22 the template cannot be read: a `{` without its `}`",
                "7:19 `spread` is not two dates or times, the earlier one first",
                "8:19 `normal` needs a number `sigma`",
                "8:42 `unique` is neither true nor false",
                "9:1 column `both` has several sources: bool, uuid",
                "10:2 table `orders` has no `rows`",
                "11:19 `range` is not two whole numbers, the lower one first",
            ]
        );
    }

    #[test]
    fn help_names_the_nearest_key() {
        let found = parse(
            Path::new("d.toml"),
            "[t]\nrows = 1\na = { rnage = [1, 2] }\nb = { bool = 0.5, nuls = 0.1 }\n",
        )
        .expect_err("problems");
        assert_eq!(found[0].help.as_deref(), Some("did you mean `range` for `rnage`?"));
        assert_eq!(found[1].help.as_deref(), Some("did you mean `nulls`?"));
    }

    #[test]
    fn broken_toml_is_reported_with_its_place() {
        assert!(problems("[users\nrows = 1")[0].starts_with("1:"));
    }
}
