//! Pages of a pretended shop, put together at random: lists, loops of several
//! kinds, loops in loops, eager loading and noise, by one to three workers at
//! once. All keys are small numbers of the same range, so that they coincide.

use super::app::{App, Dice, Row, V, int};
use super::{Label, Labelled};

struct Op {
    text: String,
    bind: Row,
    columns: Vec<&'static str>,
    rows: Vec<Row>,
}

type Loop = (&'static str, &'static str, u64);

struct Worker {
    ops: Vec<Op>,
    loops: Vec<Loop>,
}

/// `count` scenarios from a seed, a connection for each worker.
pub fn set(count: u64, seed: u64) -> Vec<Labelled> {
    (0..count).map(|at| scenario(seed.wrapping_mul(1_000_003).wrapping_add(at))).collect()
}

/// The same kinds of pages, by one or two workers whose statements go out on
/// whatever connection of a pool of four is free.
pub fn pooled(count: u64, seed: u64) -> Vec<Labelled> {
    (0..count).map(|at| pooled_scenario(seed.wrapping_mul(1_000_003).wrapping_add(at))).collect()
}

fn pooled_scenario(seed: u64) -> Labelled {
    let mut dice = Dice(seed);
    let mut app = App::new();
    let connections: Vec<u64> = (0..4).map(|_| app.connect()).collect();
    let workers: Vec<Worker> = (0..=dice.roll(2)).map(|_| worker(&mut dice)).collect();
    let labels = workers.iter().flat_map(|worker| worker.loops.clone()).collect();
    let mut queues: Vec<_> = workers.into_iter().map(|worker| worker.ops.into_iter()).collect();
    while !queues.is_empty() {
        let at = dice.roll(queues.len() as u64) as usize;
        let connection = connections[dice.roll(4) as usize];
        match queues[at].next() {
            Some(op) => {
                app.ask(connection, &op.text).bind(op.bind).columns(&op.columns).rows(op.rows);
            }
            None => {
                queues.remove(at);
            }
        }
    }
    let name = Box::leak(format!("pooled {seed}").into_boxed_str());
    Labelled { name, trace: app.trace, label: Label::Loops(labels) }
}

fn scenario(seed: u64) -> Labelled {
    let mut dice = Dice(seed);
    let workers: Vec<Worker> = (0..=dice.roll(3)).map(|_| worker(&mut dice)).collect();
    let mut app = App::new();
    // A connection per worker, or all on one after the other.
    let has_scopes = dice.roll(3) == 0;
    let labels = workers.iter().flat_map(|worker| worker.loops.clone()).collect();
    let mut queues: Vec<(u64, std::vec::IntoIter<Op>)> = Vec::new();
    for (at, worker) in workers.into_iter().enumerate() {
        let connection = app.connect();
        if has_scopes {
            app.scope(connection, &format!("worker {at}"));
        }
        queues.push((connection, worker.ops.into_iter()));
    }
    while !queues.is_empty() {
        let at = dice.roll(queues.len() as u64) as usize;
        let (connection, ops) = &mut queues[at];
        match ops.next() {
            Some(op) => {
                app.ask(*connection, &op.text).bind(op.bind).columns(&op.columns).rows(op.rows);
            }
            None => {
                queues.remove(at);
            }
        }
    }
    let name = Box::leak(format!("generated {seed}").into_boxed_str());
    Labelled { name, trace: app.trace, label: Label::Loops(labels) }
}

fn worker(dice: &mut Dice) -> Worker {
    let mut worker = Worker { ops: Vec::new(), loops: Vec::new() };
    for _ in 0..=dice.roll(3) {
        match dice.roll(7) {
            0 | 1 => per_row(&mut worker, dice),
            2 => deduplicated(&mut worker, dice),
            3 => nested(&mut worker, dice),
            4 => eager(&mut worker, dice),
            5 => short(&mut worker, dice),
            _ => chain(&mut worker, dice),
        }
        noise(&mut worker, dice);
    }
    worker
}

impl Worker {
    fn ask(&mut self, text: &str, bind: Row, columns: &[&'static str], rows: Vec<Row>) {
        self.ops.push(Op { text: text.to_owned(), bind, columns: columns.to_vec(), rows });
    }

    /// A list of keys of other tables.
    fn list(&mut self, dice: &mut Dice, list: &List, rows: u64) -> Vec<Row> {
        let start = dice.roll(10) as i64;
        let rows: Vec<Row> = (1..=rows as i64)
            .map(|at| row![start + at, dice.roll(KEYS) as i64 + 1, dice.roll(KEYS) as i64 + 1])
            .collect();
        self.ask(list.text, vec![], &list.columns, rows.clone());
        rows
    }

    fn by_key(&mut self, child: &Child, key: i64, dice: &mut Dice) {
        let other = dice.roll(KEYS) as i64 + 1;
        self.ask(child.text, row![key], &child.columns, vec![row![key, other]]);
    }

    fn label(&mut self, parent: &'static str, child: &'static str, n: u64) {
        if n >= 5 {
            self.loops.push((parent, child, n));
        }
    }
}

const KEYS: u64 = 40;

struct List {
    name: &'static str,
    text: &'static str,
    columns: [&'static str; 3],
    children: [usize; 2],
}

struct Child {
    name: &'static str,
    text: &'static str,
    columns: [&'static str; 2],
}

const LISTS: [List; 3] = [
    List {
        name: "from orders",
        text: "SELECT id, user_id, address_id FROM orders ORDER BY id LIMIT 50",
        columns: ["orders.id", "orders.user_id", "orders.address_id"],
        children: [0, 1],
    },
    List {
        name: "from reviews",
        text: "SELECT id, author_id, product_id FROM reviews LIMIT 50",
        columns: ["reviews.id", "reviews.author_id", "reviews.product_id"],
        children: [0, 2],
    },
    List {
        name: "from carts",
        text: "SELECT c.id, c.owner_id, c.product_id FROM carts c WHERE c.open LIMIT 50",
        columns: ["carts.id", "carts.owner_id", "carts.product_id"],
        children: [0, 2],
    },
];

const CHILDREN: [Child; 3] = [
    Child {
        name: "from users where",
        text: "SELECT id, group_id FROM users WHERE id = $1",
        columns: ["users.id", "users.group_id"],
    },
    Child {
        name: "from addresses where",
        text: "SELECT id, country_id FROM addresses WHERE id = $1",
        columns: ["addresses.id", "addresses.country_id"],
    },
    Child {
        name: "from products where",
        text: "SELECT id, maker_id FROM products WHERE id = $1",
        columns: ["products.id", "products.maker_id"],
    },
];

fn any_list(dice: &mut Dice) -> &'static List {
    &LISTS[dice.roll(3) as usize]
}

fn per_row(worker: &mut Worker, dice: &mut Dice) {
    let list = any_list(dice);
    let count = 5 + dice.roll(25);
    let rows = worker.list(dice, list, count);
    let column = dice.roll(2) as usize;
    let child = &CHILDREN[list.children[column]];
    for row in &rows {
        worker.by_key(child, int(&row[column + 1]), dice);
        if dice.roll(4) == 0 {
            noise(worker, dice);
        }
    }
    worker.label(list.name, child.name, rows.len() as u64);
}

fn deduplicated(worker: &mut Worker, dice: &mut Dice) {
    let list = any_list(dice);
    let count = 20 + dice.roll(60);
    let rows = worker.list(dice, list, count);
    let child = &CHILDREN[list.children[0]];
    let mut seen: Vec<i64> = Vec::new();
    for row in &rows {
        let key = int(&row[1]);
        if !seen.contains(&key) {
            seen.push(key);
            worker.by_key(child, key, dice);
        }
    }
    worker.label(list.name, child.name, seen.len() as u64);
}

fn nested(worker: &mut Worker, dice: &mut Dice) {
    let list = &LISTS[0];
    let count = 5 + dice.roll(8);
    let rows = worker.list(dice, list, count);
    let mut products = 0;
    for row in &rows {
        let order = int(&row[0]);
        let items: Vec<Row> = (0..1 + dice.roll(4) as i64)
            .map(|at| row![order * 5 + at, order, dice.roll(KEYS) as i64 + 1])
            .collect();
        worker.ask(
            "SELECT id, order_id, product_id FROM order_items WHERE order_id = $1",
            row![order],
            &["order_items.id", "order_items.order_id", "order_items.product_id"],
            items.clone(),
        );
        for item in &items {
            worker.by_key(&CHILDREN[2], int(&item[2]), dice);
            products += 1;
        }
    }
    worker.label("from orders", "from order_items where", rows.len() as u64);
    worker.label("from order_items", "from products where", products);
}

fn chain(worker: &mut Worker, dice: &mut Dice) {
    let list = any_list(dice);
    let count = 5 + dice.roll(15);
    let rows = worker.list(dice, list, count);
    for row in &rows {
        for (at, child) in list.children.iter().enumerate() {
            worker.by_key(&CHILDREN[*child], int(&row[at + 1]), dice);
        }
    }
    for child in list.children {
        worker.label(list.name, CHILDREN[child].name, rows.len() as u64);
    }
}

fn eager(worker: &mut Worker, dice: &mut Dice) {
    let list = any_list(dice);
    let count = 5 + dice.roll(40);
    let rows = worker.list(dice, list, count);
    let keys = V::List(rows.iter().map(|row| row[1].clone()).collect());
    let users = rows.iter().map(|row| vec![row[1].clone(), V::I(dice.roll(KEYS) as i64)]).collect();
    worker.ask(
        "SELECT id, group_id FROM users WHERE id = ANY($1)",
        vec![keys],
        &["users.id", "users.group_id"],
        users,
    );
}

fn short(worker: &mut Worker, dice: &mut Dice) {
    let list = any_list(dice);
    let count = 1 + dice.roll(4);
    for row in worker.list(dice, list, count) {
        worker.by_key(&CHILDREN[list.children[1]], int(&row[2]), dice);
    }
}

fn noise(worker: &mut Worker, dice: &mut Dice) {
    match dice.roll(5) {
        0 => worker.ask("SELECT 1", vec![], &["?column?"], vec![row![1]]),
        1 => {
            worker.ask("SELECT count(*) FROM orders", vec![], &["count"], vec![row![dice.roll(KEYS) as i64]])
        }
        2 => worker.ask(
            "SELECT id, name FROM menus",
            vec![],
            &["menus.id", "menus.name"],
            (1..=8).map(|at| row![at, "m"]).collect(),
        ),
        3 => {
            let user = dice.roll(KEYS) as i64 + 1;
            worker.ask(
                "SELECT user_id, expires FROM sessions WHERE token = $1",
                row![format!("t{}", dice.roll(1000))],
                &["sessions.user_id", "sessions.expires"],
                vec![row![user, "2024-01-01"]],
            );
        }
        _ => {}
    }
}
