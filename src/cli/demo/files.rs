//! The shop project, embedded in the program. A test compares this list with
//! the `demo/` folder.

use std::fs;
use std::io;
use std::path::Path;

macro_rules! embedded {
    ($($name:literal),* $(,)?) => {
        /// Path in the project, and text.
        pub(super) const FILES: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../../demo/", $name)))),*];
    };
}

embedded![
    "plimsoll.toml",
    "data/distributions.toml",
    "migrations/001_baseline.sql",
    "migrations/002_add_indexes.sql",
    "queries/inventory_join_order_items.sql",
    "queries/inventory_search.sql",
    "queries/order_count_by_status.sql",
    "queries/order_history.sql",
    "queries/order_with_items.sql",
    "queries/pending_orders_low_stock.sql",
    "queries/revenue_by_country.sql",
    "queries/top_products_by_revenue.sql",
    "queries/user_first_order.sql",
    "queries/user_lookup.sql",
    "queries/user_orders_with_items.sql",
    "queries/users_with_large_orders.sql",
    "transactions/ship_orders.spec",
    "transactions/ship_orders_by_id.spec",
];

/// Writes the project into `folder`.
///
/// # Errors
/// Where the folder cannot be written to.
pub(super) fn write(folder: &Path) -> io::Result<()> {
    for (name, text) in FILES {
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, text)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::FILES;
    use std::path::Path;

    fn files_below(folder: &Path, root: &Path, out: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.ends_with("reports") || path.ends_with(".plimsoll") {
                continue;
            }
            if path.is_dir() {
                files_below(&path, root, out);
            } else {
                out.push(path.strip_prefix(root).unwrap().to_string_lossy().into_owned());
            }
        }
    }

    #[test]
    fn the_whole_demo_folder_is_embedded() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo");
        let mut present = Vec::new();
        files_below(&root, &root, &mut present);
        present.sort();
        let mut embedded: Vec<_> = FILES.iter().map(|(name, _)| (*name).to_owned()).collect();
        embedded.sort();
        assert_eq!(embedded, present);
    }
}
