//! Which table or index a name means: schemas, the search path, partitions.
//! Plain data that the caller took from the catalogue.

use std::collections::{BTreeMap, BTreeSet};

/// A table or index with its schema.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelationName {
    /// Its schema.
    pub schema: String,
    /// Its name, without quotes.
    pub name: String,
}

impl RelationName {
    /// Both parts, without quotes.
    #[must_use]
    pub fn new(schema: impl Into<String>, name: impl Into<String>) -> Self {
        Self { schema: schema.into(), name: name.into() }
    }
}

/// What a relation is to a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelationKind {
    /// A table, partitioned or not, a materialised view or a foreign table: plans name it.
    Table,
    /// An index, partitioned or not.
    Index,
    /// A view: plans name what it reads.
    View,
}

/// The relations of a database. The default knows none: then every name means what is called so,
/// in whatever schema.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Relations {
    search_path: Vec<String>,
    kinds: BTreeMap<RelationName, RelationKind>,
    children: BTreeMap<RelationName, Vec<RelationName>>,
}

impl Relations {
    /// `search_path` as `current_schemas(true)` has it; of each relation its kind; of each partition
    /// and child its direct parent, parent first.
    #[must_use]
    pub fn new(
        search_path: Vec<String>,
        kinds: impl IntoIterator<Item = (RelationName, RelationKind)>,
        inherits: impl IntoIterator<Item = (RelationName, RelationName)>,
    ) -> Self {
        let mut children: BTreeMap<RelationName, Vec<RelationName>> = BTreeMap::new();
        for (parent, child) in inherits {
            children.entry(parent).or_default().push(child);
        }
        Self { search_path, kinds: kinds.into_iter().collect(), children }
    }

    /// What a name as a budget writes it (`orders`, `audit.orders`, `"a.b".c`) means.
    #[must_use]
    pub fn meant(&self, text: &str) -> Meaning {
        let (schema, name) = split(text);
        let is_qualified = schema.is_some();
        let named: BTreeSet<RelationName> = match schema {
            Some(schema) => BTreeSet::from([RelationName { schema, name: name.clone() }]),
            None => match self.found(&name) {
                Some(found) => BTreeSet::from([found]),
                None => self.of_any_schema(&name),
            },
        };
        let kind = named.iter().find_map(|named| self.kinds.get(named).copied());
        let mut bare: BTreeSet<String> = BTreeSet::from([name.clone()]);
        let mut all = named.clone();
        let mut parents: Vec<RelationName> = named.into_iter().collect();
        while let Some(parent) = parents.pop() {
            for child in self.children.get(&parent).into_iter().flatten() {
                bare.insert(child.name.clone());
                if all.insert(child.clone()) {
                    parents.push(child.clone());
                }
            }
        }
        Meaning { name, is_qualified, kind, is_known: !self.kinds.is_empty(), all, bare }
    }

    /// Whether the name alone means this relation, as the search path says.
    #[must_use]
    pub fn is_visible(&self, schema: &str, name: &str) -> bool {
        self.found(name).is_none_or(|found| found.schema == schema)
    }

    fn found(&self, name: &str) -> Option<RelationName> {
        let in_schema = |schema: &String| RelationName::new(schema.clone(), name);
        self.search_path.iter().map(in_schema).find(|candidate| self.kinds.contains_key(candidate))
    }

    fn of_any_schema(&self, name: &str) -> BTreeSet<RelationName> {
        let relations = self.kinds.keys().chain(self.children.keys());
        relations.filter(|relation| relation.name == name).cloned().collect()
    }
}

/// The relations that a name stands for: itself and everything below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meaning {
    name: String,
    is_qualified: bool,
    kind: Option<RelationKind>,
    is_known: bool,
    all: BTreeSet<RelationName>,
    bare: BTreeSet<String>,
}

impl Meaning {
    /// The name without its schema.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is; `None` where there is no such relation, or nothing is known of the database.
    #[must_use]
    pub fn kind(&self) -> Option<RelationKind> {
        self.kind
    }

    /// Whether the database is known and has nothing of this name.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        self.is_known && self.kind.is_none()
    }

    /// Whether this relation of a plan is meant. One whose schema the plan does not tell is taken by
    /// its name alone.
    #[must_use]
    pub fn holds(&self, schema: Option<&str>, name: &str) -> bool {
        match schema {
            None => self.bare.contains(name),
            // A session's own tables stand before all others, and come and go within a transaction.
            Some(schema) if schema.starts_with("pg_temp") && !self.is_qualified => name == self.name,
            Some(_) if self.all.is_empty() => self.bare.contains(name),
            Some(schema) => self.all.contains(&RelationName::new(schema, name)),
        }
    }
}

/// Schema and name of `orders`, `audit.orders`, `"a.b"."c"`.
fn split(text: &str) -> (Option<String>, String) {
    let mut parts = vec![String::new()];
    let mut is_quoted = false;
    for character in text.chars() {
        match (character, parts.last_mut()) {
            ('"', _) => is_quoted = !is_quoted,
            ('.', _) if !is_quoted => parts.push(String::new()),
            (other, Some(part)) => part.push(other),
            (_, None) => {}
        }
    }
    let name = parts.pop().unwrap_or_default();
    (parts.pop(), name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shop() -> Relations {
        let name = |text: &str| {
            let (schema, name) = text.split_once('.').unwrap();
            RelationName::new(schema, name)
        };
        let kinds = [
            ("public.orders", RelationKind::Table),
            ("audit.orders", RelationKind::Table),
            ("audit.log", RelationKind::Table),
            ("audit.log_2024", RelationKind::Table),
            ("public.open", RelationKind::View),
        ];
        Relations::new(
            vec!["pg_catalog".into(), "public".into()],
            kinds.map(|(text, kind)| (name(text), kind)),
            [(name("audit.log"), name("audit.log_2024"))],
        )
    }

    #[test]
    fn a_name_means_what_the_search_path_finds() {
        let holds = |text: &str, schema: &str, name: &str| shop().meant(text).holds(Some(schema), name);
        assert!(holds("orders", "public", "orders") && !holds("orders", "audit", "orders"));
        assert!(holds("audit.orders", "audit", "orders") && !holds("audit.orders", "public", "orders"));
        // Not on the path: whichever there is, partitions included.
        assert!(holds("log", "audit", "log") && holds("log", "audit", "log_2024"));
        assert!(!holds("log", "public", "log_2024"));
        assert!(holds("orders", "pg_temp", "orders") && !holds("audit.orders", "pg_temp", "orders"));
        assert!(shop().meant("orders").holds(None, "orders"), "a plan without schemas");
        assert!(holds("tmp", "pg_temp", "tmp") && holds("tmp", "later", "tmp"));
    }

    #[test]
    fn what_does_not_exist_is_told() {
        assert!(shop().meant("ordrs").is_missing() && shop().meant("audit.open").is_missing());
        assert!(!shop().meant("orders").is_missing());
        assert_eq!(shop().meant("open").kind(), Some(RelationKind::View));
        assert!(!Relations::default().meant("ordrs").is_missing(), "nothing is known");
        assert!(Relations::default().meant("audit.orders").holds(Some("audit"), "orders"));
        assert!(shop().is_visible("public", "orders") && !shop().is_visible("audit", "orders"));
    }

    #[test]
    fn quotes_keep_a_dot_in_a_name() {
        assert_eq!(split("orders"), (None, "orders".into()));
        assert_eq!(split("\"a.b\".c d"), (Some("a.b".into()), "c d".into()));
    }
}
