//! A pretended application: it asks, a pretended recorder notes. Texts,
//! parameters and rows go through the same shapes and hashes as real ones.

use plimsoll::trace::{
    Argument, Bounds, ColumnSource, ColumnValues, Format, Header, Outcome, Protocol, StatementRecord,
    StatementTemplate, Tags, Trace, TraceEvent, ValueHash, ValueHasher,
};
use std::collections::HashMap;
use std::sync::Arc;

/// A value of the pretended database.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum V {
    I(i64),
    S(String),
    Null,
    List(Vec<V>),
}

impl From<i64> for V {
    fn from(value: i64) -> Self {
        Self::I(value)
    }
}

impl From<&str> for V {
    fn from(value: &str) -> Self {
        Self::S(value.into())
    }
}

impl From<String> for V {
    fn from(value: String) -> Self {
        Self::S(value)
    }
}

impl V {
    pub fn text(&self) -> Option<String> {
        match self {
            Self::I(number) => Some(number.to_string()),
            Self::S(text) => Some(text.clone()),
            Self::Null => None,
            Self::List(values) => {
                let inner: Vec<String> = values.iter().filter_map(Self::text).collect();
                Some(format!("{{{}}}", inner.join(",")))
            }
        }
    }
}

pub type Row = Vec<V>;

/// Rows of values, written shortly.
macro_rules! row {
    ($($value:expr),* $(,)?) => { vec![$(V::from($value)),*] };
}

/// The pretended application under its recorder.
pub struct App {
    pub trace: Trace,
    hasher: ValueHasher,
    clock_us: u64,
    sequence: u64,
    connections: u64,
    transactions: u64,
    open: HashMap<u64, u64>,
    scopes: HashMap<u64, Arc<str>>,
    names: HashMap<u64, Arc<str>>,
    tables: HashMap<String, u32>,
}

impl App {
    pub fn new() -> Self {
        let hasher = ValueHasher::new(42);
        let header = Header {
            hash_key_id: hasher.key_id(),
            started_at_us: 0,
            source: "pretended".into(),
            bounds: Bounds::default(),
        };
        let mut trace = Trace::new(header);
        trace.complete = true;
        Self {
            trace,
            hasher,
            clock_us: 1000,
            sequence: 0,
            connections: 0,
            transactions: 0,
            open: HashMap::new(),
            scopes: HashMap::new(),
            names: HashMap::new(),
            tables: HashMap::new(),
        }
    }

    pub fn connect(&mut self) -> u64 {
        self.connections += 1;
        self.trace.push(TraceEvent::Connected { connection: self.connections });
        self.connections
    }

    pub fn scope(&mut self, connection: u64, name: &str) {
        self.scopes.insert(connection, Arc::from(name));
    }

    pub fn application_name(&mut self, connection: u64, name: &str) {
        self.names.insert(connection, Arc::from(name));
    }

    /// Time passes, in milliseconds.
    pub fn pause_ms(&mut self, milliseconds: u64) {
        self.clock_us += milliseconds * 1000;
    }

    pub fn begin(&mut self, connection: u64) {
        self.transactions += 1;
        self.open.insert(connection, self.transactions);
        self.ask(connection, "BEGIN").done();
    }

    pub fn commit(&mut self, connection: u64) {
        self.ask(connection, "COMMIT").done();
        self.open.remove(&connection);
    }

    pub fn rollback(&mut self, connection: u64) {
        self.ask(connection, "ROLLBACK").done();
        self.open.remove(&connection);
    }

    /// Starts a statement.
    pub fn ask<'a>(&'a mut self, connection: u64, text: &'a str) -> Ask<'a> {
        Ask {
            app: self,
            connection,
            text,
            bound: Vec::new(),
            columns: Vec::new(),
            rows: Vec::new(),
            affected: None,
            outcome: Outcome::Ok,
            protocol: Protocol::Extended,
            continues: None,
            tags: None,
            takes_us: 120,
            streamed: false,
            first_row_us: 15,
            kept: usize::MAX,
            has_types: true,
        }
    }

    fn column(&mut self, name: &str, type_oid: u32) -> ColumnSource {
        let (table, column) = name.split_once('.').unwrap_or(("", name));
        let known = self.tables.len() as u32;
        let table_oid = match table {
            "" => 0,
            "pg" => 1247,
            _ => *self.tables.entry(table.to_owned()).or_insert(16_384 + known),
        };
        let attribute_number = if table_oid == 0 { 0 } else { 1 + (column.len() % 30) as i16 };
        ColumnSource { name: column.to_owned(), table_oid, attribute_number, type_oid }
    }
}

/// A statement being put together.
pub struct Ask<'a> {
    app: &'a mut App,
    connection: u64,
    text: &'a str,
    bound: Vec<V>,
    columns: Vec<&'a str>,
    rows: Vec<Row>,
    affected: Option<u64>,
    outcome: Outcome,
    protocol: Protocol,
    continues: Option<u64>,
    tags: Option<Arc<Tags>>,
    takes_us: u64,
    streamed: bool,
    first_row_us: u64,
    kept: usize,
    has_types: bool,
}

impl<'a> Ask<'a> {
    pub fn bind(mut self, values: Row) -> Self {
        self.bound = values;
        self
    }

    /// A driver that sends parameters without types.
    pub fn untyped(mut self) -> Self {
        self.has_types = false;
        self
    }

    /// `table.column`, or a mere name for an expression.
    pub fn columns(mut self, columns: &[&'a str]) -> Self {
        self.columns = columns.to_vec();
        self
    }

    pub fn affects(mut self, rows: u64) -> Self {
        self.affected = Some(rows);
        self
    }

    pub fn fails(mut self, code: [u8; 5]) -> Self {
        self.outcome = Outcome::Error(code);
        self
    }

    pub fn simple(mut self) -> Self {
        self.protocol = Protocol::Simple;
        self
    }

    pub fn copy(mut self) -> Self {
        self.protocol = Protocol::Copy;
        self
    }

    pub fn continues(mut self, sequence: u64) -> Self {
        self.continues = Some(sequence);
        self
    }

    pub fn tags(mut self, tags: &[(&str, &str)]) -> Self {
        let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        self.tags = Some(Arc::new(Tags(tags)));
        self
    }

    pub fn takes_us(mut self, time_us: u64) -> Self {
        self.takes_us = time_us;
        self
    }

    /// The recorder's bound is reached after so many rows.
    pub fn keeps(mut self, rows: usize) -> Self {
        self.kept = rows;
        self
    }

    /// The application goes on once the first row is there.
    pub fn streamed(mut self) -> Self {
        self.streamed = true;
        self
    }

    /// The first row comes so late.
    pub fn first_row_us(mut self, time_us: u64) -> Self {
        self.first_row_us = time_us;
        self.takes_us = self.takes_us.max(time_us);
        self
    }

    pub fn rows(mut self, rows: Vec<Row>) -> Vec<Row> {
        self.rows = rows.clone();
        self.done();
        rows
    }

    /// Records it; its sequence.
    pub fn done(self) -> u64 {
        let app = self.app;
        app.sequence += 1;
        let bounds = Bounds::default();
        let template = StatementTemplate::parse(self.text, &app.hasher, &bounds);
        let texts: Vec<Option<String>> = self.bound.iter().map(V::text).collect();
        let types: Vec<u32> = self
            .bound
            .iter()
            .map(|value| match value {
                _ if !self.has_types => 0,
                V::I(_) => 20,
                V::S(_) | V::Null => 25,
                V::List(_) => 1016,
            })
            .collect();
        let arguments: Vec<Argument> =
            template.arguments(&app.hasher, bounds.elements_per_argument, |number| {
                let text = texts.get(number)?;
                Some((types[number], Format::Text, text.as_deref().map(str::as_bytes)))
            });
        let columns: Vec<ColumnSource> = self
            .columns
            .iter()
            .enumerate()
            .map(|(at, name)| {
                let is_integer = self.rows.iter().all(|row| matches!(row[at], V::I(_) | V::Null));
                app.column(name, if is_integer { 23 } else { 25 })
            })
            .collect();
        let values = (0..columns.len())
            .map(|at| ColumnValues {
                hashes: self
                    .rows
                    .iter()
                    .take(self.kept)
                    .map(|row| match row[at].text() {
                        Some(text) => app.hasher.value(columns[at].type_oid, Format::Text, text.as_bytes()),
                        None => ValueHash::NULL,
                    })
                    .collect(),
            })
            .collect();
        let start_us = app.clock_us;
        let end_us = start_us + self.takes_us;
        app.clock_us = if self.streamed { start_us + 20 } else { end_us + 30 };
        let record = StatementRecord {
            sequence: app.sequence,
            connection: self.connection,
            transaction: app.open.get(&self.connection).copied(),
            scope: app.scopes.get(&self.connection).cloned(),
            start_us,
            first_row_us: (!self.rows.is_empty()).then_some(start_us + self.first_row_us),
            end_us,
            shape: template.shape,
            arguments,
            rows: self.affected.unwrap_or(self.rows.len() as u64),
            bytes: 20 * self.rows.len() as u64,
            columns: columns.into(),
            values,
            outcome: self.outcome,
            protocol: self.protocol,
            continues: self.continues,
            application_name: app.names.get(&self.connection).cloned(),
            tags: self.tags,
            kept_arguments: None,
            kept_text: None,
        };
        app.trace.push(TraceEvent::Statement(record));
        app.sequence
    }
}

/// A small reproducible generator (`SplitMix64`, Steele, Lea and Flood 2014).
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % below
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.roll(at as u64 + 1) as usize);
        }
    }
}

/// Orders `1..=count` of random users up to `users`: `id`, `user_id`.
pub fn orders(count: i64, users: u64, seed: u64) -> Vec<Row> {
    let mut dice = Dice(seed);
    (1..=count).map(|id| row![id, dice.roll(users) as i64 + 1]).collect()
}

pub fn int(value: &V) -> i64 {
    match value {
        V::I(number) => *number,
        _ => 0,
    }
}

pub const ORDERS: &str = "SELECT id, user_id FROM orders ORDER BY id LIMIT 20";
pub const USER: &str = "SELECT id, email FROM users WHERE id = $1";
pub const ITEMS: &str = "SELECT id, order_id, product_id FROM order_items WHERE order_id = $1";
pub const PRODUCT: &str = "SELECT id, name FROM products WHERE id = $1";

impl App {
    pub fn orders(&mut self, connection: u64, rows: Vec<Row>) -> Vec<Row> {
        self.ask(connection, ORDERS).columns(&["orders.id", "orders.user_id"]).rows(rows)
    }

    pub fn user(&mut self, connection: u64, id: &V) -> Vec<Row> {
        let email = format!("user{}@example.com", int(id));
        self.ask(connection, USER)
            .bind(vec![id.clone()])
            .columns(&["users.id", "users.email"])
            .rows(vec![vec![id.clone(), V::S(email)]])
    }

    /// Items of an order, `count` of them, with products below `products`.
    pub fn items(&mut self, connection: u64, order: &V, count: i64, products: u64) -> Vec<Row> {
        let number = int(order);
        let mut dice = Dice(number as u64 * 77);
        let rows =
            (0..count).map(|at| row![number * 10 + at, number, dice.roll(products) as i64 + 1]).collect();
        self.ask(connection, ITEMS)
            .bind(vec![order.clone()])
            .columns(&["order_items.id", "order_items.order_id", "order_items.product_id"])
            .rows(rows)
    }

    pub fn product(&mut self, connection: u64, id: &V) -> Vec<Row> {
        let name = format!("product {}", int(id));
        self.ask(connection, PRODUCT)
            .bind(vec![id.clone()])
            .columns(&["products.id", "products.name"])
            .rows(vec![vec![id.clone(), V::S(name)]])
    }
}
