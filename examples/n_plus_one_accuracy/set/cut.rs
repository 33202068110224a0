//! Loops over more rows than the recorder kept the values of.

use super::app::{App, Dice, Row, V, int};
use super::{Label, Labelled, labelled, looped};

const ROWS: i64 = 300;
const KEPT: usize = 200;

pub fn set() -> Vec<Labelled> {
    let mut set = orders_of_rows();
    set.extend(around());
    set.extend(none());
    set
}

/// Orders with random users, of whose rows only the first ones are kept.
fn cut_orders(app: &mut App, connection: u64, users: u64) -> Vec<Row> {
    let mut dice = Dice(users);
    let rows = (1..=ROWS).map(|id| row![id + 5000, dice.roll(users) as i64 + 1]).collect();
    app.ask(connection, "SELECT id, user_id FROM orders ORDER BY id")
        .columns(&["orders.id", "orders.user_id"])
        .keeps(KEPT)
        .rows(rows)
}

fn different(rows: &[Row]) -> Vec<V> {
    let mut seen: Vec<V> = Vec::new();
    for row in rows {
        if !seen.contains(&row[1]) {
            seen.push(row[1].clone());
        }
    }
    seen
}

fn orders_of_rows() -> Vec<Labelled> {
    let mut set = Vec::new();
    for (name, users) in [
        ("cut: a user for each order", 100_000),
        ("cut: few users, who come again", 60),
        ("cut: some users come again", 400),
    ] {
        let mut app = App::new();
        let c = app.connect();
        let rows = cut_orders(&mut app, c, users);
        rows.iter().for_each(|row| drop(app.user(c, &row[1])));
        set.push(looped(name, app, &[("from orders", "from users", ROWS as u64)]));
    }
    for (name, users) in [("cut: an identity map", 100_000), ("cut: an identity map of some users", 250)] {
        let mut app = App::new();
        let c = app.connect();
        let ids = different(&cut_orders(&mut app, c, users));
        ids.iter().for_each(|id| drop(app.user(c, id)));
        set.push(looped(name, app, &[("from orders", "from users", ids.len() as u64)]));
    }
    for (name, is_shuffled) in [("cut: a set in its own order", true), ("cut: from the last row on", false)] {
        let mut app = App::new();
        let c = app.connect();
        let mut ids = different(&cut_orders(&mut app, c, 100_000));
        if is_shuffled {
            Dice(3).shuffle(&mut ids)
        } else {
            ids.reverse()
        }
        ids.iter().for_each(|id| drop(app.user(c, id)));
        set.push(looped(name, app, &[("from orders", "from users", ids.len() as u64)]));
    }
    set
}

fn around() -> Vec<Labelled> {
    let mut set = Vec::new();

    let mut app = App::new();
    let c = app.connect();
    for row in cut_orders(&mut app, c, 100_000) {
        app.user(c, &row[1]);
        app.items(c, &row[0], 2, 50_000);
    }
    set.push(looped(
        "cut: two children of each row",
        app,
        &[("from orders", "from users", ROWS as u64), ("from orders", "from order_items", ROWS as u64)],
    ));

    let mut app = App::new();
    let c = app.connect();
    for row in cut_orders(&mut app, c, 100_000) {
        for item in app.items(c, &row[0], 2, 50_000) {
            app.product(c, &item[2]);
        }
    }
    set.push(looped(
        "cut: a loop in the loop",
        app,
        &[("from orders", "from order_items", ROWS as u64), ("from order_items", "from products", 600)],
    ));

    let mut app = App::new();
    let c = app.connect();
    let rows = cut_orders(&mut app, c, 100_000);
    rows.iter().for_each(|row| drop(app.user(c, &row[1])));
    app.pause_ms(2000);
    // Somebody else, who is no row of the list.
    (0..8).for_each(|at| drop(app.user(c, &V::I(900_000 + at))));
    set.push(looped("cut: others after a pause", app, &[("from orders", "from users", ROWS as u64)]));

    let mut app = App::new();
    let connections: Vec<u64> = (0..3).map(|_| app.connect()).collect();
    let rows = cut_orders(&mut app, connections[0], 100_000);
    for (at, row) in rows.iter().enumerate() {
        app.user(connections[at % 3], &row[1]);
    }
    set.push(looped("cut: over a pool", app, &[("from orders", "from users", ROWS as u64)]));
    set
}

fn none() -> Vec<Labelled> {
    let mut set = Vec::new();

    // The rows are not asked for; the keys are from elsewhere.
    let mut app = App::new();
    let c = app.connect();
    cut_orders(&mut app, c, 100_000);
    (0..40).for_each(|at| drop(app.user(c, &V::I(900_000 + at * 7))));
    let label = Label::Repeat("repeated-query-without-visible-parent", 40);
    set.push(labelled("cut: keys from elsewhere", app, label));

    // The loop ends early; others go on without a pause.
    let mut app = App::new();
    let c = app.connect();
    let rows = cut_orders(&mut app, c, 100_000);
    rows[..50].iter().for_each(|row| drop(app.user(c, &row[1])));
    (0..8).for_each(|at| drop(app.user(c, &V::I(900_000 + at * 7 + int(&rows[0][0])))));
    set.push(looped("cut: a loop that ends early", app, &[("from orders", "from users", 50)]));
    set
}
