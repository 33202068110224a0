//! How well a result column and a looked-up column fit by their names.
//!
//! Small whole numbers are everywhere, so equal values alone prove little:
//! `orders.user_id → users.id` fits, `orders.id → users.id` does not, although
//! both may hold 1 to 20. Names only weigh between explanations and lower the
//! certainty; they never make one.

use super::reading::NamedColumn;

/// From -1 (speaks against) over 0 (says nothing) to 2 (the same thing).
pub(super) type Affinity = f64;

/// Names that fit no better make small numbers in a row no loop: keys asked for
/// in ascending order are next to each other in any column of numbers.
pub(super) const SPOKEN_AGAINST: f64 = -0.5;

/// Names of two columns that mean the same, or one after the other.
pub(super) const WELL_CALLED: f64 = 1.0;

/// A result column as far as its name is known.
#[derive(Debug, Clone, Default)]
pub(super) struct ResultColumn {
    /// Its table, where known.
    pub(super) table: Option<String>,
    /// Its name in the result.
    pub(super) name: String,
    /// Its name in its table, where known and another one.
    pub(super) source_name: Option<String>,
    /// Whole numbers, which coincide easily.
    pub(super) is_integer: bool,
    /// Not a plain column of a table.
    pub(super) is_expression: bool,
}

impl ResultColumn {
    /// Whether this is its name in the result or in its table.
    pub(super) fn is_called(&self, column: &str) -> bool {
        self.name == column || self.source_name.as_deref() == Some(column)
    }
}

/// Names that mean "the key of this table".
const OWN_KEYS: &[&str] = &["id", "uuid", "guid", "pk", "key", "_id", "oid", "nr", "no"];
/// Endings that mean "the key of another table".
const KEY_ENDINGS: &[&str] = &["_id", "_uuid", "_guid", "_pk", "_fk", "_key", "_ref", "_no", "_code"];

/// Those of them that number amounts as well.
const COUNTS: &[&str] = &["_no", "_key", "_ref", "_code"];

/// Words of columns that hold amounts or times (`valid_on`), which are no keys and coincide with some.
const MEASURES: &[&str] = &[
    "count", "total", "sum", "quantity", "amount", "price", "age", "position", "rank", "level", "version",
    "year", "month", "day", "priority", "size", "length", "score", "stock", "min", "max", "avg", "status",
    "state", "type", "rows", "weight", "width", "height", "balance", "offset", "page", "date", "time",
    "hour", "week", "on", "at", "quarter", "minute", "second", "rating", "stars", "grade", "slot", "floor",
    "step", "round", "revision", "lane",
];

/// What a column is about.
struct Concept {
    /// Singular, lower case, words joined by underscores; empty where unknown.
    subject: String,
    is_own_key: bool,
    is_foreign_key: bool,
}

/// Whether a column's name reads like a key.
pub(super) fn is_key_like(column: &str) -> bool {
    let name = snake_case(column);
    OWN_KEYS.contains(&name.as_str())
        || KEY_ENDINGS.iter().any(|ending| name.ends_with(ending))
        || [
            "email", "slug", "sku", "code", "username", "login", "token", "number", "isbn", "name", "path",
            "hash",
        ]
        .contains(&name.as_str())
}

/// How well the child's looked-up column fits the parent's result column.
/// `child_tables` are the tables that the child reads.
pub(super) fn affinity(
    parent: &ResultColumn,
    child: Option<&NamedColumn>,
    child_tables: &[String],
) -> Affinity {
    let Some(child) = child else {
        return if parent.is_expression { -0.25 } else { 0.0 };
    };
    let names = [Some(parent.name.as_str()), parent.source_name.as_deref()];
    names
        .into_iter()
        .flatten()
        .map(|name| of_name(parent, name, child, child_tables))
        .fold(f64::MIN, f64::max)
}

fn of_name(parent: &ResultColumn, name: &str, child: &NamedColumn, child_tables: &[String]) -> Affinity {
    let from = concept(name, parent.table.as_deref());
    let to = concept(&child.column, child.table.as_deref());
    if from.subject.is_empty() || to.subject.is_empty() {
        return if from.is_own_key == to.is_own_key || from.is_foreign_key { 0.25 } else { 0.0 };
    }
    if from.subject == to.subject {
        return 2.0;
    }
    let own = |column: &str, table: Option<&str>| Some((singular(&snake_case(table?)), snake_case(column)));
    let copies = [
        of_copy(own(&child.column, child.table.as_deref()), name),
        of_copy(own(name, parent.table.as_deref()), &child.column),
    ];
    if let Some(affinity) = copies.into_iter().flatten().max_by(f64::total_cmp) {
        return affinity;
    }
    // `invoices.customer → customers.key`, and the reverse: a column named after the other table.
    let is_named_after = |concept: &Concept, plain: &Concept, table: Option<&str>| {
        let is_plain = |concept: &Concept| !concept.is_own_key && !concept.is_foreign_key;
        is_plain(plain)
            && !concept.is_foreign_key
            && !is_measure(&concept.subject)
            && table.is_some_and(|table| singular(&snake_case(table)) == plain.subject)
    };
    if is_named_after(&to, &from, child.table.as_deref())
        || is_named_after(&from, &to, parent.table.as_deref())
    {
        return 1.0;
    }
    // Copies of a key under a longer name: `orders.billing_address_id → addresses.id`.
    // A table's own key is about its last word: `order_items.id` is of no order.
    let is_alike = if from.is_own_key {
        last_word(&from.subject) == last_word(&to.subject)
    } else {
        shares_a_word(&from.subject, &to.subject)
    };
    if is_alike {
        return 1.0;
    }
    if from.is_foreign_key && to.is_own_key {
        // `manager_id → users.id`: a role name says nothing about its table.
        return 0.5;
    }
    // Only where values coincide easily do other names speak against.
    if !parent.is_integer {
        return 0.0;
    }
    // `quantity → users.id` and `users.id → posts.rank`, in one table as well.
    let is_amount =
        |concept: &Concept| !concept.is_own_key && !concept.is_foreign_key && is_measure(&concept.subject);
    if is_amount(&from) || is_amount(&to) {
        return -0.75;
    }
    let reads_parent_too =
        parent.table.as_deref().is_some_and(|table| child_tables.iter().any(|other| other == table));
    if reads_parent_too {
        return 0.0;
    }
    if from.is_own_key && to.is_own_key || from.is_foreign_key && to.is_foreign_key {
        return -1.0;
    }
    // `owner → users.id` and `users.id → posts.created_by` are keys under plain names.
    -0.25
}

/// `orders.customer_email → customers.email`, `legs.from_port_code → ports.code`: a table's column under the
/// name of the table as well, or behind it.
fn of_copy(own: Option<(String, String)>, name: &str) -> Option<Affinity> {
    let (table, column) = own.filter(|(table, column)| !table.is_empty() && !is_measure(column))?;
    let name = snake_case(name);
    let stem = name.strip_suffix(column.as_str())?.strip_suffix('_')?;
    let is_longer = stem.ends_with(&format!("_{table}"));
    if stem == table { Some(2.0) } else { is_longer.then_some(1.0) }
}

/// Whether a column's name reads like an amount, a place, a state or a time.
pub(super) fn is_measure(column: &str) -> bool {
    snake_case(column).split('_').any(|word| MEASURES.contains(&word))
}

fn concept(column: &str, table: Option<&str>) -> Concept {
    // `order_ids` holds keys of orders as well.
    let name = snake_case(column);
    let name = name.strip_suffix("_ids").map_or(name.clone(), |stem| format!("{stem}_id"));
    let table = table.map(|table| singular(&snake_case(table))).unwrap_or_default();
    if OWN_KEYS.contains(&name.as_str()) {
        return Concept { subject: table, is_own_key: true, is_foreign_key: false };
    }
    for ending in KEY_ENDINGS {
        // `week_no` counts weeks.
        if let Some(stem) =
            name.strip_suffix(ending).filter(|stem| !COUNTS.contains(ending) || !is_measure(stem))
        {
            let subject = singular(stem);
            // `users.user_id` is its own key under a longer name.
            let is_own_key = subject == table;
            return Concept { subject, is_own_key, is_foreign_key: !is_own_key };
        }
    }
    Concept { subject: singular(&name), is_own_key: false, is_foreign_key: false }
}

fn shares_a_word(left: &str, right: &str) -> bool {
    left.split('_').any(|word| word.len() > 2 && right.split('_').any(|other| other == word))
}

fn last_word(subject: &str) -> Option<&str> {
    subject.rsplit('_').next()
}

/// `userId` and `UserID` to `user_id`.
fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    let mut previous_is_lower = false;
    for character in name.chars() {
        if character.is_ascii_uppercase() && previous_is_lower {
            snake.push('_');
        }
        previous_is_lower = character.is_ascii_lowercase() || character.is_ascii_digit();
        snake.push(character.to_ascii_lowercase());
    }
    snake
}

fn singular(name: &str) -> String {
    if let Some(stem) = name.strip_suffix("ies") {
        return format!("{stem}y");
    }
    for ending in ["sses", "shes", "ches", "xes"] {
        if let Some(stem) = name.strip_suffix(ending) {
            return format!("{stem}{}", &ending[..ending.len() - 2]);
        }
    }
    if name.ends_with("ss") || name.ends_with("us") {
        return name.to_owned();
    }
    name.strip_suffix('s').unwrap_or(name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(parent: (&str, &str), child: (&str, &str)) -> Affinity {
        let parent = ResultColumn {
            table: Some(parent.0.into()),
            name: parent.1.into(),
            is_integer: true,
            ..ResultColumn::default()
        };
        let named = NamedColumn { table: Some(child.0.into()), column: child.1.into() };
        affinity(&parent, Some(&named), &[child.0.to_owned()])
    }

    #[test]
    fn names_rank_explanations() {
        assert_eq!(of(("orders", "user_id"), ("users", "id")), 2.0);
        assert_eq!(of(("orders", "id"), ("order_items", "order_id")), 2.0);
        assert_eq!(of(("users", "id"), ("users", "id")), 2.0);
        assert_eq!(of(("Orders", "userId"), ("Users", "id")), 2.0);
        assert_eq!(of(("orders", "billing_address_id"), ("addresses", "id")), 1.0);
        assert_eq!(of(("orders", "manager_id"), ("users", "id")), 0.5);
        assert_eq!(of(("user_accounts", "id"), ("logins", "account_id")), 1.0);
        assert_eq!(of(("prescriptions", "drug_code"), ("drugs", "code")), 2.0);
        assert_eq!(of(("legs", "fromPortCode"), ("Ports", "code")), 1.0);
        assert_eq!(of(("drugs", "code"), ("prescriptions", "drug_code")), 2.0);
        assert_eq!(of(("order_items", "id"), ("order_items", "order_id")), 0.0);
        assert_eq!(of(("orders", "id"), ("users", "id")), -1.0);
        assert_eq!(of(("categories", "id"), ("products", "category_id")), 2.0);
        assert!(of(("orders", "quantity"), ("users", "id")) < 0.0);
        for (table, column) in
            [("orders", "priority"), ("bookings", "hour"), ("plans", "week_no"), ("rooms", "floor")]
        {
            assert!(of((table, "id"), (table, column)) <= SPOKEN_AGAINST, "{column}");
        }
        assert_eq!(of(("nodes", "id"), ("nodes", "parent_id")), 0.0);
    }
}
