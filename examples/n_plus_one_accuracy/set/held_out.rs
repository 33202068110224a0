//! Held out: written before the detector first ran.

use super::app::{App, Dice, ORDERS, V, int, orders};
use super::{Label, Labelled, labelled, looped};

pub fn set() -> Vec<Labelled> {
    let mut set = loops();
    set.extend(clean());
    set
}

fn loops() -> Vec<Labelled> {
    let mut set = Vec::new();

    // A page as frameworks make it: session, user, count, list, two loops, layout.
    let mut app = App::new();
    let c = app.connect();
    app.ask(c, "SELECT user_id FROM sessions WHERE token = $1")
        .bind(row!["abc"])
        .columns(&["sessions.user_id"])
        .rows(vec![row![3]]);
    app.user(c, &V::I(3));
    app.ask(c, "SELECT count(*) FROM orders").columns(&["count"]).rows(vec![row![25]]);
    let rows = app.orders(c, orders(25, 9, 70));
    for row in &rows {
        app.user(c, &row[1]);
        app.ask(c, "SELECT count(*) FROM order_items WHERE order_id = $1")
            .bind(vec![row[0].clone()])
            .columns(&["count"])
            .rows(vec![row![int(&row[0]) % 4]]);
    }
    app.ask(c, "SELECT id, name FROM menus")
        .columns(&["menus.id", "menus.name"])
        .rows((1..=6).map(|id| row![id, "m"]).collect());
    set.push(looped(
        "a whole page",
        app,
        &[("from orders", "from users", 25), ("from orders", "from order_items", 25)],
    ));

    // Three workers on one pool, each a bit later, other rows.
    let mut app = App::new();
    let pool: Vec<u64> = (0..3).map(|_| app.connect()).collect();
    let lists: Vec<Vec<Vec<V>>> = (0..3).map(|at| orders(12, 2000, 71 + at)).collect();
    for (at, list) in lists.iter().enumerate() {
        app.orders(pool[at], list.clone());
    }
    let mut dice = Dice(4);
    for row in 0..12 {
        for list in &lists {
            let connection = pool[dice.roll(3) as usize];
            app.user(connection, &list[row][1]);
        }
    }
    let each = ("from orders", "from users", 12);
    set.push(looped("three workers on a pool", app, &[each, each, each]));

    // Depth three.
    let mut app = App::new();
    let c = app.connect();
    let shops: Vec<Vec<V>> = (1..=5).map(|id| row![id, "s"]).collect();
    for shop in app.ask(c, "SELECT id, name FROM shops").columns(&["shops.id", "shops.name"]).rows(shops) {
        let shop = int(&shop[0]);
        let list = (0..4).map(|at| row![shop * 10 + at, shop]).collect();
        for order in app
            .ask(c, "SELECT id, shop_id FROM orders WHERE shop_id = $1")
            .bind(row![shop])
            .columns(&["orders.id", "orders.shop_id"])
            .rows(list)
        {
            for item in app.items(c, &order[0], 2, 400) {
                app.product(c, &item[2]);
            }
        }
    }
    set.push(looped(
        "three loops deep",
        app,
        &[
            ("from shops", "from orders", 5),
            ("from orders", "from order_items", 20),
            ("from order_items", "from products", 40),
        ],
    ));

    // The loop ends early.
    let mut app = App::new();
    let c = app.connect();
    for row in app.orders(c, orders(50, 900, 75)).iter().take(7) {
        app.user(c, &row[1]);
    }
    set.push(looped("a loop that ends early", app, &[("from orders", "from users", 7)]));

    // Every other row is in a cache.
    let mut app = App::new();
    let c = app.connect();
    for row in app.orders(c, orders(40, 900, 76)).iter().step_by(2) {
        app.user(c, &row[1]);
    }
    set.push(looped("every other row is cached", app, &[("from orders", "from users", 20)]));

    // First all users, then all items: two passes over the same list.
    let mut app = App::new();
    let c = app.connect();
    let rows = app.orders(c, orders(15, 15, 77));
    for row in &rows {
        app.user(c, &row[1]);
    }
    for row in &rows {
        app.items(c, &row[0], 2, 15);
    }
    set.push(looped(
        "two passes over a list",
        app,
        &[("from orders", "from users", 15), ("from orders", "from order_items", 15)],
    ));

    // Timestamps as the key.
    let mut app = App::new();
    let c = app.connect();
    let rows: Vec<Vec<V>> = (1..=9).map(|at| row![at, format!("2024-03-0{at} 10:00:00+00")]).collect();
    for row in app
        .ask(c, "SELECT id, measured_at FROM probes")
        .columns(&["probes.id", "probes.measured_at"])
        .rows(rows)
    {
        let iso = row[1].text().unwrap_or_default().replace(' ', "T").replace("+00", ".000Z");
        app.ask(c, "SELECT value FROM samples WHERE measured_at = $1")
            .bind(row![iso])
            .untyped()
            .columns(&["samples.value"])
            .rows(vec![row![1]]);
    }
    set.push(looped("a timestamp as key", app, &[("from probes", "from samples", 9)]));

    // A parent that is a join, its column from the second table.
    let mut app = App::new();
    let c = app.connect();
    let rows: Vec<Vec<V>> = (1..=14).map(|at| row![at, at * 5 % 23 + 1, "x"]).collect();
    for row in app
        .ask(c, "SELECT o.id, u.country_id, u.email FROM orders o JOIN users u ON u.id = o.user_id")
        .columns(&["orders.id", "users.country_id", "users.email"])
        .rows(rows)
    {
        app.ask(c, "SELECT name FROM countries WHERE id = $1")
            .bind(vec![row[1].clone()])
            .columns(&["countries.name"])
            .rows(vec![row!["FR"]]);
    }
    set.push(looped("the parent is a join", app, &[("from orders", "from countries", 14)]));

    // Joined-table inheritance.
    let mut app = App::new();
    let c = app.connect();
    let rows: Vec<Vec<V>> =
        (1..=12).map(|at| row![at, if at % 2 == 0 { "manager" } else { "engineer" }]).collect();
    for row in
        app.ask(c, "SELECT id, type FROM employees").columns(&["employees.id", "employees.type"]).rows(rows)
    {
        let V::S(kind) = &row[1] else { continue };
        let text = format!(
            "SELECT {kind}s.id FROM employees JOIN {kind}s ON employees.id = {kind}s.id WHERE employees.id = $1"
        );
        app.ask(c, &text).bind(vec![row[0].clone()]).columns(&["id"]).rows(vec![vec![row[0].clone()]]);
    }
    set.push(looped(
        "joined-table inheritance",
        app,
        &[("type from employees", "managers", 6), ("type from employees", "engineers", 6)],
    ));

    // A users list, then their orders by user: children of several rows.
    let mut app = App::new();
    let c = app.connect();
    let users: Vec<Vec<V>> = (1..=10).map(|id| row![id, "u"]).collect();
    for user in app
        .ask(c, "SELECT id, name FROM users ORDER BY name")
        .columns(&["users.id", "users.name"])
        .rows(users)
    {
        let user = int(&user[0]);
        let rows = (0..3).map(|at| row![user * 100 + at, user]).collect();
        app.ask(c, "SELECT id, user_id FROM orders WHERE user_id = $1 ORDER BY created_at DESC LIMIT 3")
            .bind(row![user])
            .columns(&["orders.id", "orders.user_id"])
            .rows(rows);
    }
    set.push(looped("the other direction of a key", app, &[("from users", "from orders", 10)]));

    // Two loops of two lists woven into one another on two connections.
    let mut app = App::new();
    let (a, b) = (app.connect(), app.connect());
    let left = orders(12, 40, 78);
    let right: Vec<Vec<V>> = (1..=12).map(|id| row![id, id * 3 % 40 + 1]).collect();
    app.orders(a, left.clone());
    app.ask(b, "SELECT id, author_id FROM notes")
        .columns(&["notes.id", "notes.author_id"])
        .rows(right.clone());
    for (one, other) in left.iter().zip(&right) {
        app.user(a, &one[1]);
        app.user(b, &other[1]);
    }
    set.push(looped(
        "two woven loops over one child",
        app,
        &[("from orders", "from users", 12), ("from notes", "from users", 12)],
    ));

    // Long pauses inside the loop: an outside call per row.
    let mut app = App::new();
    let c = app.connect();
    for row in app.orders(c, orders(8, 900, 79)) {
        app.user(c, &row[1]);
        app.pause_ms(400);
    }
    set.push(looped("a pause per row", app, &[("from orders", "from users", 8)]));
    set
}

fn clean() -> Vec<Labelled> {
    let mut set = Vec::new();
    let quiet = |name: &'static str, app: App| labelled(name, app, Label::Clean);

    // Two-step loading as eager loaders do it.
    let mut app = App::new();
    let c = app.connect();
    let rows = app.orders(c, orders(20, 15, 80));
    let list = V::List(rows.iter().map(|row| row[1].clone()).collect());
    app.ask(c, "SELECT id, email FROM users WHERE id = ANY($1)")
        .bind(vec![list])
        .columns(&["users.id"])
        .rows(vec![row![1]]);
    let list = V::List(rows.iter().map(|row| row[0].clone()).collect());
    app.ask(c, "SELECT id, order_id FROM order_items WHERE order_id = ANY($1)")
        .bind(vec![list])
        .columns(&["order_items.id", "order_items.order_id"])
        .rows((1..=40).map(|id| row![id, id % 20 + 1]).collect());
    set.push(quiet("eager loading", app));

    // A wizard: one row after the other, few statements.
    let mut app = App::new();
    let c = app.connect();
    app.ask(c, ORDERS).columns(&["orders.id", "orders.user_id"]).rows(orders(3, 20, 81));
    for id in 1..=3 {
        app.items(c, &V::I(id), 2, 50);
    }
    set.push(quiet("a page of three", app));

    // Pool of workers polling a queue with SKIP LOCKED.
    let mut app = App::new();
    let pool: Vec<u64> = (0..4).map(|_| app.connect()).collect();
    for at in 0..24_i64 {
        let c = pool[(at % 4) as usize];
        app.begin(c);
        app.ask(
            c,
            "SELECT id, payload FROM jobs WHERE state = 'ready' ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED",
        )
        .columns(&["jobs.id", "jobs.payload"])
        .rows(vec![row![at, "p"]]);
        app.ask(c, "UPDATE jobs SET state = 'done' WHERE id = $1").bind(row![at]).affects(1).done();
        app.commit(c);
        app.pause_ms(60);
    }
    set.push(quiet("workers take jobs", app));

    // Start of a framework: settings, migrations table, types.
    let mut app = App::new();
    for _ in 0..6 {
        let c = app.connect();
        app.ask(c, "SET client_encoding TO 'UTF8'").done();
        app.ask(c, "SELECT set_config('TimeZone', 'UTC', false)")
            .columns(&["set_config"])
            .rows(vec![row!["UTC"]]);
        app.ask(c, "SELECT version FROM schema_migrations ORDER BY version")
            .columns(&["schema_migrations.version"])
            .rows((1..=30).map(|at| row![at]).collect());
        app.ask(c, "SELECT n.nspname FROM pg_catalog.pg_namespace n WHERE n.oid = $1")
            .bind(row![2200])
            .columns(&["pg.nspname"])
            .rows(vec![row!["public"]]);
    }
    set.push(quiet("connections being set up", app));

    // The same report for each weekday, by code.
    let mut app = App::new();
    let c = app.connect();
    for day in 0..7 {
        app.ask(c, "SELECT count(*) FROM visits WHERE weekday = $1")
            .bind(row![day])
            .columns(&["count"])
            .rows(vec![row![day * 10]]);
    }
    set.push(quiet("a report per weekday", app));

    // Search as you type.
    let mut app = App::new();
    let c = app.connect();
    for end in 1..=10 {
        let pattern = format!("{}%", &"wilderness"[..end]);
        app.ask(c, "SELECT id, name FROM products WHERE name LIKE $1 LIMIT 10")
            .bind(row![pattern])
            .columns(&["products.id", "products.name"])
            .rows((1..=10).map(|id| row![id, "w"]).collect());
        app.pause_ms(150);
    }
    set.push(quiet("search as you type", app));

    // Batch job: ids read, updated in chunks.
    let mut app = App::new();
    let c = app.connect();
    let rows = app.orders(c, orders(100, 50, 82));
    for chunk in rows.chunks(10) {
        let list = V::List(chunk.iter().map(|row| row[0].clone()).collect());
        app.ask(c, "UPDATE orders SET archived = true WHERE id = ANY($1)")
            .bind(vec![list])
            .affects(10)
            .done();
    }
    set.push(quiet("updates in chunks", app));

    // Counters that coincide with keys.
    let mut app = App::new();
    let c = app.connect();
    app.ask(c, "SELECT status, count(*) FROM orders GROUP BY status")
        .columns(&["orders.status", "count"])
        .rows((1..=6).map(|at| row![format!("s{at}"), at]).collect());
    for id in [4, 2, 6, 1] {
        app.product(c, &V::I(id));
    }
    set.push(quiet("counters that coincide with keys", app));
    set
}
