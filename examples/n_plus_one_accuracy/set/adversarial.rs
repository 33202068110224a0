//! Attempts to mislead the detector, made after it stood.

use super::app::{App, Dice, V, int, orders};
use super::{Label, Labelled, labelled, looped};

pub fn set() -> Vec<Labelled> {
    let mut set = Vec::new();

    // A loop over ids 1..=20 next to a status report by code: both in one page.
    let mut app = App::new();
    let c = app.connect();
    let rows = app.orders(c, orders(20, 20, 90));
    for row in &rows {
        app.user(c, &row[1]);
        for kind in ["card", "cash"] {
            app.ask(c, "SELECT count(*) FROM payments WHERE order_id = $1 AND kind = $2")
                .bind(row![int(&row[0]), kind])
                .columns(&["count"])
                .rows(vec![row![1]]);
        }
    }
    set.push(looped(
        "two fixed kinds per row",
        app,
        &[("from orders", "from users", 20), ("from orders", "from payments", 40)],
    ));

    // Children answer with keys that look like the parent's.
    let mut app = App::new();
    let c = app.connect();
    for row in app.orders(c, orders(15, 15, 91)) {
        let id = int(&row[1]);
        app.ask(c, "SELECT id, referrer_id, plan_id FROM users WHERE id = $1")
            .bind(row![id])
            .columns(&["users.id", "users.referrer_id", "users.plan_id"])
            .rows(vec![row![id, id % 15 + 1, (id + 3) % 15 + 1]]);
    }
    set.push(looped("children return keys of their own kind", app, &[("from orders", "from users", 15)]));

    // Requests one after the other, each listing three and asking for three.
    let mut app = App::new();
    let c = app.connect();
    for at in 0..10 {
        for row in app.orders(c, orders(3, 30, 92 + at)) {
            app.user(c, &row[1]);
        }
        app.pause_ms(30);
    }
    set.push(labelled("ten pages of three rows without scopes", app, Label::Clean));

    // A cache is warmed in random order over a pool, far fewer than the rows.
    let mut app = App::new();
    let pool: Vec<u64> = (0..5).map(|_| app.connect()).collect();
    let mut rows = app.orders(pool[0], orders(200, 5000, 110));
    Dice(3).shuffle(&mut rows);
    for (at, row) in rows.iter().take(30).enumerate() {
        app.user(pool[at % 5], &row[1]);
    }
    set.push(looped("a random part over a pool", app, &[("from orders", "from users", 30)]));

    // Detail pages opened by hand long after the list.
    let mut app = App::new();
    let c = app.connect();
    app.orders(c, orders(20, 50, 111));
    for id in [3, 17, 8] {
        app.pause_ms(4000);
        app.ask(c, "SELECT * FROM orders WHERE id = $1")
            .bind(row![id])
            .columns(&["orders.id"])
            .rows(vec![row![id]]);
    }
    set.push(labelled("three details opened by hand", app, Label::Clean));

    // Bulk insert returning ids, each then written to a log: writes only.
    let mut app = App::new();
    let c = app.connect();
    app.begin(c);
    let ids = app
        .ask(c, "INSERT INTO orders (user_id) SELECT g FROM generate_series(1, 8) g RETURNING id")
        .columns(&["orders.id"])
        .rows((900..908).map(|id| row![id]).collect());
    for id in &ids {
        app.ask(c, "INSERT INTO log (order_id) VALUES ($1)").bind(id.clone()).affects(1).done();
    }
    app.commit(c);
    set.push(labelled("a log line per inserted row", app, Label::Repeat("row-by-row-writes", 8)));

    // The same loop in twelve tests with rolled-back transactions.
    let mut app = App::new();
    let c = app.connect();
    let mut labels = Vec::new();
    for at in 0..12 {
        app.begin(c);
        for row in app.orders(c, orders(6, 40, 120 + at)) {
            app.user(c, &row[1]);
        }
        app.rollback(c);
        labels.push(("from orders", "from users", 6));
    }
    set.push(looped("the same loop in twelve tests", app, &labels));

    // A value list from a lookup table feeds a loop over another table by name.
    let mut app = App::new();
    let c = app.connect();
    let names: Vec<Vec<V>> = (1..=9).map(|id| row![id, format!("region-{}", id * 7)]).collect();
    for row in app.ask(c, "SELECT id, name FROM regions").columns(&["regions.id", "regions.name"]).rows(names)
    {
        app.ask(c, "SELECT sum(total) FROM sales WHERE region = $1")
            .bind(vec![row[1].clone()])
            .columns(&["sum"])
            .rows(vec![row![4]]);
    }
    set.push(looped("a report per name of a lookup table", app, &[("from regions", "from sales", 9)]));

    // Two independent pools of settings reads and a loop whose child is asked by two columns in turn.
    let mut app = App::new();
    let c = app.connect();
    let rows: Vec<Vec<V>> = (1..=10).map(|id| row![id, id * 3 % 30 + 1, id * 5 % 30 + 1]).collect();
    for row in app
        .ask(c, "SELECT id, sender_id, recipient_id FROM messages")
        .columns(&["messages.id", "messages.sender_id", "messages.recipient_id"])
        .rows(rows)
    {
        app.user(c, &row[1]);
        app.user(c, &row[2]);
    }
    set.push(looped("two columns feed one child", app, &[("from messages", "from users", 20)]));

    // A count that is a key by chance, before a real loop.
    let mut app = App::new();
    let c = app.connect();
    app.ask(c, "SELECT user_id, count(*) AS total FROM orders GROUP BY user_id")
        .columns(&["orders.user_id", "total"])
        .rows((1..=12).map(|id| row![id * 9, id]).collect());
    for row in app.orders(c, orders(12, 12, 130)) {
        app.items(c, &row[0], 1, 12);
    }
    set.push(looped("counts that look like keys", app, &[("order by id", "from order_items", 12)]));

    // Health checks of a pool in between, on every checkout.
    let mut app = App::new();
    let pool: Vec<u64> = (0..3).map(|_| app.connect()).collect();
    for (at, row) in app.orders(pool[0], orders(12, 300, 131)).iter().enumerate() {
        let c = pool[at % 3];
        app.ask(c, "SELECT 1").simple().columns(&["?column?"]).rows(vec![row![1]]);
        app.begin(c);
        app.user(c, &row[1]);
        app.commit(c);
    }
    set.push(looped("checkouts with probes and transactions", app, &[("from orders", "from users", 12)]));

    // An import: per line a lookup by a natural key from a file, then an insert.
    let mut app = App::new();
    let c = app.connect();
    app.begin(c);
    for at in 0..25_i64 {
        app.ask(c, "SELECT id FROM customers WHERE code = $1")
            .bind(row![format!("C{}", at * 31)])
            .columns(&["customers.id"])
            .rows(vec![row![at + 500]]);
        app.ask(c, "INSERT INTO invoices (customer_id, total) VALUES ($1, $2)")
            .bind(row![at + 500, at])
            .affects(1)
            .done();
    }
    app.commit(c);
    set.push(labelled(
        "an import line by line",
        app,
        Label::Repeat("repeated-query-without-visible-parent", 25),
    ));
    set
}
