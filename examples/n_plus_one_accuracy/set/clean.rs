//! What looks like a loop and is none, and repetitions of other kinds.

use super::app::{App, ORDERS, USER, V, int, orders};
use super::{Label, Labelled, labelled};

pub fn set() -> Vec<Labelled> {
    let mut set = reads();
    set.extend(traffic());
    set.extend(others());
    set
}

fn clean(name: &'static str, app: App) -> Labelled {
    labelled(name, app, Label::Clean)
}

fn reads() -> Vec<Labelled> {
    let mut set = Vec::new();

    let mut app = App::new();
    let c = app.connect();
    app.ask(c, "SELECT o.id, u.email FROM orders o JOIN users u ON u.id = o.user_id LIMIT 20")
        .columns(&["orders.id", "users.email"])
        .rows((1..=20).map(|id| row![id, "a"]).collect());
    set.push(clean("one join", app));

    let mut app = App::new();
    let c = app.connect();
    let rows = app.orders(c, orders(400, 300, 1));
    for chunk in rows.chunks(50) {
        app.ask(c, "SELECT id, email FROM users WHERE id = ANY($1)")
            .bind(vec![V::List(chunk.iter().map(|row| row[1].clone()).collect())])
            .columns(&["users.id"])
            .rows(chunk.iter().map(|row| vec![row[1].clone()]).collect());
    }
    set.push(clean("ANY in chunks", app));

    let mut app = App::new();
    let c = app.connect();
    let rows = app.orders(c, orders(95, 300, 2));
    for chunk in rows.chunks(10) {
        let list: Vec<String> = chunk.iter().map(|row| int(&row[1]).to_string()).collect();
        let text = format!("SELECT id, email FROM users WHERE id IN ({})", list.join(", "));
        app.ask(c, &text)
            .simple()
            .columns(&["users.id"])
            .rows(chunk.iter().map(|row| vec![row[1].clone()]).collect());
    }
    set.push(clean("IN in chunks", app));

    let mut app = App::new();
    let c = app.connect();
    for row in app.orders(c, orders(4, 300, 3)) {
        app.user(c, &row[1]);
    }
    set.push(clean("fewer than the threshold", app));

    let mut app = App::new();
    let c = app.connect();
    app.user(c, &V::I(7));
    for table in ["carts", "wishes", "reviews", "addresses", "coupons", "messages", "sessions"] {
        let text = format!("SELECT * FROM {table} WHERE user_id = $1");
        app.ask(c, &text).bind(row![7]).columns(&["x"]).rows(vec![row![1]]);
    }
    set.push(clean("fixed fan-out over different statements", app));

    let mut app = App::new();
    let c = app.connect();
    let states = ["shipped", "paid", "pending", "cancelled", "returned", "lost"];
    app.ask(c, "SELECT id, status FROM orders LIMIT 60")
        .columns(&["orders.id", "orders.status"])
        .rows((0..60_i64).map(|id| row![id, states[(id * 7 % 6) as usize]]).collect());
    for state in ["cancelled", "lost", "paid", "pending", "returned", "shipped"] {
        app.ask(c, "SELECT count(*) FROM orders WHERE status = $1")
            .bind(row![state])
            .columns(&["count"])
            .rows(vec![row![10]]);
    }
    set.push(clean("fixed fan-out over states that a list shows as well", app));

    let mut app = App::new();
    let c = app.connect();
    for month in 1..=12 {
        app.ask(c, "SELECT sum(total) FROM orders WHERE created_at >= $1 AND created_at < $2")
            .bind(row![format!("2024-{month:02}-01"), format!("2024-{:02}-01", month % 12 + 1)])
            .columns(&["sum"])
            .rows(vec![row![month * 100]]);
    }
    set.push(clean("a range per month of a fixed year", app));

    let mut app = App::new();
    let c = app.connect();
    let mut last = 0;
    for page in 0..10 {
        let rows: Vec<Vec<V>> = (1..=20).map(|at| row![page * 20 + at, "n"]).collect();
        app.ask(c, "SELECT id, name FROM products WHERE id > $1 ORDER BY id LIMIT 20")
            .bind(row![last])
            .columns(&["products.id", "products.name"])
            .rows(rows);
        last = (page + 1) * 20;
    }
    set.push(clean("keyset pagination", app));

    let mut app = App::new();
    let c = app.connect();
    for page in 0..10 {
        let rows: Vec<Vec<V>> = (1..=20).map(|at| row![page * 20 + at, "n"]).collect();
        let text = format!("SELECT id, name FROM products ORDER BY id LIMIT 20 OFFSET {}", page * 20);
        app.ask(c, &text).simple().columns(&["products.id", "products.name"]).rows(rows);
    }
    set.push(clean("offset pagination", app));

    let mut app = App::new();
    let c = app.connect();
    let mut last = V::from("2024-01-01 00:00:00");
    for page in 0..10_i64 {
        let rows: Vec<Vec<V>> = (1..=20)
            .map(|at| row![page * 20 + at, format!("2024-01-{:02} 00:{at:02}:00", page + 2)])
            .collect();
        let next = rows[19][1].clone();
        app.ask(c, "SELECT id, created_at FROM events WHERE (created_at, id) > ($1, $2) ORDER BY created_at, id LIMIT 20").bind(vec![last, V::I(page * 20)]).columns(&["events.id", "events.created_at"]).rows(rows);
        last = next;
    }
    set.push(clean("keyset pagination over two columns", app));

    let mut app = App::new();
    let c = app.connect();
    app.begin(c);
    app.ask(c, "DECLARE c CURSOR FOR SELECT id FROM orders").done();
    for part in 0..10 {
        app.ask(c, "FETCH 100 FROM c")
            .columns(&["orders.id"])
            .rows((0..100).map(|at| row![part * 100 + at]).collect());
    }
    app.commit(c);
    set.push(clean("a cursor", app));

    let mut app = App::new();
    let c = app.connect();
    let mut id = 1;
    for _ in 0..12 {
        app.ask(c, "SELECT id, next_id FROM nodes WHERE id = $1")
            .bind(row![id])
            .columns(&["nodes.id", "nodes.next_id"])
            .rows(vec![row![id, id * 3 + 1]]);
        id = id * 3 + 1;
    }
    set.push(labelled("a linked list followed", app, Label::Clean));

    let mut app = App::new();
    let c = app.connect();
    for at in 0..8 {
        app.ask(c, "SELECT t.oid, t.typname FROM pg_catalog.pg_type t WHERE t.oid = $1")
            .bind(row![16000 + at])
            .columns(&["pg.oid", "pg.typname"])
            .rows(vec![row![16000 + at, "x"]]);
    }
    set.push(clean("a driver reads the catalogue", app));
    set
}

fn traffic() -> Vec<Labelled> {
    let mut set = Vec::new();

    let mut app = App::new();
    let c = app.connect();
    for _ in 0..20 {
        app.ask(c, "SELECT id FROM jobs WHERE state = 'ready' LIMIT 1").columns(&["jobs.id"]).done();
        app.pause_ms(500);
    }
    set.push(clean("polling", app));

    let mut app = App::new();
    let c = app.connect();
    for at in 0..20 {
        app.ask(c, "SELECT 1").simple().columns(&["?column?"]).rows(vec![row![1]]);
        if at % 3 == 0 {
            app.ask(c, "SELECT version()").columns(&["version"]).rows(vec![row!["15"]]);
        }
    }
    set.push(clean("health checks", app));

    let mut app = App::new();
    let c = app.connect();
    for attempt in 0..6 {
        app.begin(c);
        app.ask(c, "SELECT balance FROM accounts WHERE id = $1")
            .bind(row![5])
            .columns(&["accounts.balance"])
            .rows(vec![row![100]]);
        let ask = app.ask(c, "UPDATE accounts SET balance = $1 WHERE id = $2").bind(row![90, 5]).affects(1);
        if attempt < 5 {
            ask.fails(*b"40001").done();
            app.rollback(c);
        } else {
            ask.done();
            app.commit(c);
        }
    }
    set.push(clean("retries of a transaction", app));

    let mut app = App::new();
    let c = app.connect();
    for _ in 0..8 {
        app.ask(c, "SELECT * FROM accounts WHERE id = $1")
            .bind(row![5])
            .columns(&["accounts.id"])
            .fails(*b"57P01")
            .done();
    }
    set.push(clean("retries of a statement", app));

    let mut app = App::new();
    let c = app.connect();
    for at in 0..30 {
        app.scope(c, &format!("request {at}"));
        let user = at * 13 % 29 + 1;
        app.ask(c, "SELECT user_id FROM sessions WHERE token = $1")
            .bind(row![format!("t{at}")])
            .columns(&["sessions.user_id"])
            .rows(vec![row![user]]);
        app.user(c, &V::I(user));
        app.ask(c, "SELECT id FROM carts WHERE user_id = $1")
            .bind(row![user])
            .columns(&["carts.id"])
            .rows(vec![row![user + 100]]);
    }
    set.push(clean("thirty requests with a scope each", app));

    let mut app = App::new();
    let c = app.connect();
    for at in 0..30 {
        let user = at * 13 % 29 + 1;
        app.ask(c, "SELECT user_id FROM sessions WHERE token = $1")
            .bind(row![format!("t{at}")])
            .columns(&["sessions.user_id"])
            .rows(vec![row![user]]);
        app.user(c, &V::I(user));
        app.ask(c, "SELECT id FROM carts WHERE user_id = $1")
            .bind(row![user])
            .columns(&["carts.id"])
            .rows(vec![row![user + 100]]);
        app.pause_ms(80);
    }
    set.push(clean("thirty requests without scopes", app));

    let mut app = App::new();
    let c = app.connect();
    for at in 0..6 {
        app.begin(c);
        let rows = orders(3, 50, at);
        app.orders(c, rows.clone());
        for row in &rows {
            app.user(c, &row[1]);
        }
        app.rollback(c);
    }
    set.push(clean("many small tests, three rows each", app));

    let mut app = App::new();
    let c = app.connect();
    app.begin(c);
    app.ask(c, ORDERS).columns(&["orders.id", "orders.user_id"]).rows(orders(20, 20, 9));
    app.rollback(c);
    for at in 1..=6 {
        app.begin(c);
        app.user(c, &V::I(at));
        app.rollback(c);
    }
    set.push(clean("other tests ask for the same numbers", app));
    set
}

fn others() -> Vec<Labelled> {
    let mut set = Vec::new();

    let mut app = App::new();
    let c = app.connect();
    app.begin(c);
    for at in 0..20 {
        app.ask(c, "SAVEPOINT s").done();
        if at % 5 == 0 {
            app.ask(c, "ROLLBACK TO SAVEPOINT s").done();
        }
        app.ask(c, "RELEASE SAVEPOINT s").done();
    }
    app.commit(c);
    set.push(clean("savepoints", app));

    let mut app = App::new();
    let c = app.connect();
    for at in 0..20 {
        app.ask(c, "SELECT nextval('orders_id_seq')").columns(&["nextval"]).rows(vec![row![at]]);
    }
    set.push(clean("a sequence", app));

    let mut app = App::new();
    let c = app.connect();
    for _ in 0..6 {
        app.ask(c, "COPY orders FROM STDIN").copy().affects(1000).done();
    }
    set.push(clean("COPY", app));

    let mut app = App::new();
    let c = app.connect();
    app.begin(c);
    for at in 1..=20 {
        app.ask(c, "INSERT INTO orders (user_id, total) VALUES ($1, $2)")
            .bind(row![at, at * 3])
            .affects(1)
            .done();
    }
    app.commit(c);
    set.push(labelled("rows inserted one by one", app, Label::Repeat("row-by-row-writes", 20)));

    let mut app = App::new();
    let c = app.connect();
    for row in app.orders(c, orders(20, 100, 3)) {
        app.ask(c, "UPDATE orders SET seen = true WHERE id = $1")
            .bind(vec![row[0].clone()])
            .affects(1)
            .done();
    }
    set.push(labelled("rows updated one by one", app, Label::Repeat("row-by-row-writes", 20)));

    let mut app = App::new();
    let c = app.connect();
    for part in 0..8 {
        let rows: Vec<String> = (0..50).map(|at| format!("({}, 'x')", part * 50 + at)).collect();
        let text = format!("INSERT INTO tags (id, name) VALUES {}", rows.join(", "));
        app.ask(c, &text).simple().affects(50).done();
    }
    set.push(clean("rows inserted in chunks", app));

    let mut app = App::new();
    let c = app.connect();
    for at in 0..20 {
        app.user(c, &V::I(at * 97 + 1000));
    }
    set.push(labelled("keys from a cache", app, Label::Repeat("repeated-query-without-visible-parent", 20)));

    let mut app = App::new();
    let c = app.connect();
    let rows: Vec<Vec<V>> = (1..=20).map(|id| row![id, "c"]).collect();
    app.ask(c, "SELECT id, name FROM countries").columns(&["countries.id", "countries.name"]).rows(rows);
    for at in 1..=20 {
        app.ask(c, "SELECT id, price FROM products WHERE id = $1")
            .bind(row![at])
            .columns(&["products.id", "products.price"])
            .rows(vec![row![at, "1"]]);
    }
    set.push(labelled(
        "keys that a foreign list holds by chance",
        app,
        Label::Repeat("repeated-query-without-visible-parent", 20),
    ));

    let mut app = App::new();
    let c = app.connect();
    app.begin(c);
    for _ in 0..12 {
        app.ask(c, USER).bind(row![7]).columns(&["users.id", "users.email"]).rows(vec![row![7, "a"]]);
    }
    app.commit(c);
    set.push(labelled("the same user again and again", app, Label::Repeat("redundant-query", 12)));
    set
}
