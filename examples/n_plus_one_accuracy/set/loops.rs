//! Loops, in the ways that applications write them.

use super::app::{App, Dice, USER, V, int, orders};
use super::{Labelled, looped};

pub fn set() -> Vec<Labelled> {
    let mut set = plain();
    set.extend(spread());
    set.extend(nested());
    set.extend(keys());
    set.extend(questions());
    set
}

fn distinct(rows: &[Vec<V>], column: usize) -> Vec<V> {
    let mut seen = Vec::new();
    for row in rows {
        if !seen.contains(&row[column]) {
            seen.push(row[column].clone());
        }
    }
    seen
}

fn plain() -> Vec<Labelled> {
    let mut set = Vec::new();

    let mut app = App::new();
    let c = app.connect();
    for row in app.orders(c, orders(20, 1000, 1)) {
        app.user(c, &row[1]);
    }
    set.push(looped("one child per row", app, &[("from orders", "from users", 20)]));

    let mut app = App::new();
    let c = app.connect();
    for row in app.orders(c, orders(20, 1, 2)) {
        app.user(c, &row[1]);
    }
    set.push(looped("children carry equal values", app, &[("from orders", "from users", 20)]));

    let mut app = App::new();
    let c = app.connect();
    let rows = app.orders(c, orders(400, 34, 3));
    for user in distinct(&rows, 1) {
        app.user(c, &user);
    }
    set.push(looped("identity map, 400 rows and 34 children", app, &[("from orders", "from users", 34)]));

    let mut app = App::new();
    let c = app.connect();
    let rows = app.orders(c, orders(60, 40, 4));
    let mut users = distinct(&rows, 1);
    users.sort_by_key(int);
    let n = users.len() as u64;
    for user in users {
        app.user(c, &user);
    }
    set.push(looped("a set in its own order", app, &[("from orders", "from users", n)]));

    let mut app = App::new();
    let c = app.connect();
    for row in app.orders(c, orders(20, 1000, 5)) {
        let text = format!("select id, email from users where id = {}", int(&row[1]));
        app.ask(c, &text)
            .simple()
            .columns(&["users.id", "users.email"])
            .rows(vec![vec![row[1].clone(), "a".into()]]);
    }
    set.push(looped("literals inlined", app, &[("from orders", "from users", 20)]));

    let mut app = App::new();
    let c = app.connect();
    for (at, row) in app.orders(c, orders(20, 1000, 6)).into_iter().enumerate() {
        let text = if at % 2 == 0 {
            USER.to_owned()
        } else {
            format!("SELECT id,\n  email FROM users /* {at} */ WHERE id = '{}'", int(&row[1]))
        };
        let bound = if at % 2 == 0 { vec![row[1].clone()] } else { vec![] };
        app.ask(c, &text)
            .bind(bound)
            .columns(&["users.id", "users.email"])
            .rows(vec![vec![row[1].clone(), "a".into()]]);
    }
    set.push(looped("bound and inlined in turns", app, &[("from orders", "from users", 20)]));

    let mut app = App::new();
    let c = app.connect();
    for row in app.orders(c, orders(20, 1000, 7)) {
        app.ask(c, "SELECT id, email FROM users WHERE id IN ($1)")
            .bind(vec![row[1].clone()])
            .columns(&["users.id", "users.email"])
            .rows(vec![vec![row[1].clone(), "a".into()]]);
    }
    set.push(looped("lists of one", app, &[("from orders", "from users", 20)]));

    let mut app = App::new();
    let c = app.connect();
    for row in app.orders(c, orders(20, 1000, 8)) {
        app.ask(c, "SELECT id, email FROM users WHERE id = ANY($1)")
            .bind(vec![V::List(vec![row[1].clone()])])
            .columns(&["users.id", "users.email"])
            .rows(vec![vec![row[1].clone(), "a".into()]]);
    }
    set.push(looped("arrays of one", app, &[("from orders", "from users", 20)]));

    let mut app = App::new();
    let c = app.connect();
    for row in app.orders(c, orders(20, 1000, 9)) {
        app.ask(c, USER).bind(vec![row[1].clone()]).columns(&["users.id", "users.email"]).done();
    }
    set.push(looped("empty children", app, &[("from orders", "from users", 20)]));

    let mut app = App::new();
    let c = app.connect();
    for row in app.orders(c, orders(20, 1000, 10)) {
        app.ask(c, USER).bind(vec![row[1].clone()]).fails(*b"57014").done();
    }
    set.push(looped("failing children", app, &[("from orders", "from users", 20)]));

    let mut app = App::new();
    let c = app.connect();
    for row in app.orders(c, orders(20, 1000, 11)) {
        app.ask(c, "SELECT 1").columns(&["?column?"]).rows(vec![row![1]]);
        app.user(c, &row[1]);
        app.ask(c, "SELECT value FROM settings WHERE key = 'currency'")
            .columns(&["settings.value"])
            .rows(vec![row!["EUR"]]);
    }
    set.push(looped("between probes and settings", app, &[("from orders", "from users", 20)]));

    let mut app = App::new();
    let c = app.connect();
    let mut rows = orders(20, 1000, 12);
    for (at, row) in rows.iter_mut().enumerate() {
        if at % 3 == 0 {
            row[1] = V::Null;
        }
    }
    let rows = app.orders(c, rows);
    for row in rows.iter().filter(|row| row[1] != V::Null) {
        app.user(c, &row[1]);
    }
    set.push(looped("rows without a value", app, &[("from orders", "from users", 13)]));

    let mut app = App::new();
    let c = app.connect();
    for row in app.orders(c, orders(20, 1000, 13)) {
        app.user(c, &row[1]);
        app.user(c, &row[1]);
    }
    set.push(looped("twice per row", app, &[("from orders", "from users", 40)]));

    let mut app = App::new();
    let c = app.connect();
    let mut rows = app.orders(c, orders(30, 1000, 14));
    rows.reverse();
    for row in rows {
        app.user(c, &row[1]);
    }
    set.push(looped("rows from the last to the first", app, &[("from orders", "from users", 30)]));

    let mut app = App::new();
    let c = app.connect();
    for row in app.orders(c, orders(12, 1000, 15)) {
        app.begin(c);
        app.user(c, &row[1]);
        app.commit(c);
    }
    set.push(looped("a transaction per child", app, &[("from orders", "from users", 12)]));

    let mut app = App::new();
    let c = app.connect();
    app.begin(c);
    for row in app.orders(c, orders(12, 1000, 16)) {
        app.user(c, &row[1]);
    }
    app.rollback(c);
    set.push(looped("inside a transactional test", app, &[("from orders", "from users", 12)]));

    let mut app = App::new();
    let c = app.connect();
    for row in app.orders(c, orders(5, 1000, 17)) {
        app.user(c, &row[1]);
    }
    set.push(looped("exactly the threshold", app, &[("from orders", "from users", 5)]));
    set
}

fn spread() -> Vec<Labelled> {
    let mut set = Vec::new();

    let mut app = App::new();
    let (a, b) = (app.connect(), app.connect());
    for row in app.orders(a, orders(20, 1000, 20)) {
        app.user(b, &row[1]);
    }
    set.push(looped("parent and children on two connections", app, &[("from orders", "from users", 20)]));

    let mut app = App::new();
    let pool: Vec<u64> = (0..4).map(|_| app.connect()).collect();
    let mut rows = app.orders(pool[0], orders(20, 1000, 21));
    Dice(5).shuffle(&mut rows);
    for (at, row) in rows.iter().enumerate() {
        app.user(pool[at % 4], &row[1]);
    }
    set.push(looped("in parallel over a pool", app, &[("from orders", "from users", 20)]));

    let mut app = App::new();
    let (a, b) = (app.connect(), app.connect());
    let rows = orders(20, 1000, 22);
    app.orders(a, rows.clone());
    app.orders(b, rows.clone());
    for row in &rows {
        app.user(a, &row[1]);
        app.user(b, &row[1]);
    }
    set.push(looped(
        "two workers, a connection each",
        app,
        &[("from orders", "from users", 20), ("from orders", "from users", 20)],
    ));

    let mut app = App::new();
    let pool: Vec<u64> = (0..3).map(|_| app.connect()).collect();
    let rows = orders(20, 1000, 23);
    app.orders(pool[0], rows.clone());
    app.orders(pool[1], rows.clone());
    let mut dice = Dice(9);
    for at in 0..40 {
        let connection = pool[dice.roll(3) as usize];
        // The second worker is three rows behind the first.
        let row = if at % 2 == 0 { rows.get(at / 2) } else { rows.get((at / 2).wrapping_sub(3)).or(None) };
        if let Some(row) = row {
            app.user(connection, &row[1]);
        }
    }
    for row in &rows[17..] {
        app.user(pool[2], &row[1]);
    }
    set.push(looped(
        "two workers, a shared pool",
        app,
        &[("from orders", "from users", 20), ("from orders", "from users", 20)],
    ));

    let mut app = App::new();
    let (a, b) = (app.connect(), app.connect());
    let (left, right) = (orders(15, 500, 24), orders(15, 500, 25));
    app.orders(a, left.clone());
    app.orders(b, right.clone());
    for (one, other) in left.iter().zip(&right) {
        app.user(a, &one[1]);
        app.user(b, &other[1]);
    }
    set.push(looped(
        "two workers, different rows",
        app,
        &[("from orders", "from users", 15), ("from orders", "from users", 15)],
    ));

    let mut app = App::new();
    let (a, b) = (app.connect(), app.connect());
    app.scope(a, "test_a");
    app.scope(b, "test_b");
    let rows = orders(10, 1000, 26);
    app.orders(a, rows.clone());
    app.orders(b, rows.clone());
    for row in &rows {
        app.user(b, &row[1]);
        app.user(a, &row[1]);
    }
    set.push(looped(
        "two scopes at once",
        app,
        &[("from orders", "from users", 10), ("from orders", "from users", 10)],
    ));

    let mut app = App::new();
    let c = app.connect();
    app.begin(c);
    app.ask(c, "DECLARE c1 CURSOR FOR SELECT id, user_id FROM orders").done();
    let rows = orders(20, 1000, 27);
    for part in rows.chunks(5) {
        app.ask(c, "FETCH FORWARD 5 FROM c1").columns(&["orders.id", "orders.user_id"]).rows(part.to_vec());
        for row in part {
            app.user(c, &row[1]);
        }
    }
    app.ask(c, "CLOSE c1").done();
    app.commit(c);
    set.push(looped("from a cursor in parts", app, &[("from orders", "from users", 20)]));

    let mut app = App::new();
    let c = app.connect();
    app.begin(c);
    let rows = orders(21, 1000, 28);
    let first = app.ask(c, super::app::ORDERS).columns(&["orders.id", "orders.user_id"]);
    let mut portal = None;
    first.rows(rows[..7].to_vec());
    let opened = app.trace.statements.len() as u64;
    for part in rows.chunks(7) {
        if portal.is_some() {
            app.ask(c, super::app::ORDERS)
                .continues(opened)
                .columns(&["orders.id", "orders.user_id"])
                .rows(part.to_vec());
        }
        portal = Some(());
        for row in part {
            app.user(c, &row[1]);
        }
    }
    app.commit(c);
    set.push(looped("from a portal in parts", app, &[("from orders", "from users", 21)]));

    let mut app = App::new();
    let (a, b) = (app.connect(), app.connect());
    let rows = orders(20, 1000, 29);
    app.ask(a, super::app::ORDERS)
        .columns(&["orders.id", "orders.user_id"])
        .takes_us(50_000)
        .streamed()
        .rows(rows.clone());
    for row in &rows {
        app.user(b, &row[1]);
    }
    set.push(looped("while the parent still streams", app, &[("from orders", "from users", 20)]));

    let mut app = App::new();
    let c = app.connect();
    for row in app.orders(c, orders(20, 1000, 30)) {
        let email = V::S("x".into());
        app.ask(c, USER)
            .bind(vec![row[1].clone()])
            .columns(&["users.id", "users.email"])
            .streamed()
            .rows(vec![vec![row[1].clone(), email]]);
    }
    set.push(looped("pipelined", app, &[("from orders", "from users", 20)]));

    let mut app = App::new();
    let c = app.connect();
    for _ in 0..2 {
        for row in app.orders(c, orders(10, 1000, 31)) {
            app.user(c, &row[1]);
        }
        app.pause_ms(200);
    }
    set.push(looped(
        "the same page twice",
        app,
        &[("from orders", "from users", 10), ("from orders", "from users", 10)],
    ));

    let mut app = App::new();
    let c = app.connect();
    app.application_name(c, "shop");
    for row in app.orders(c, orders(8, 1000, 32)) {
        app.ask(c, USER)
            .bind(vec![row[1].clone()])
            .tags(&[("controller", "orders"), ("action", "index")])
            .columns(&["users.id", "users.email"])
            .rows(vec![vec![row[1].clone(), "a".into()]]);
    }
    set.push(looped("with tags and an application name", app, &[("from orders", "from users", 8)]));
    set
}

fn nested() -> Vec<Labelled> {
    let mut set = Vec::new();

    let mut app = App::new();
    let c = app.connect();
    for order in app.orders(c, orders(10, 1000, 40)) {
        for item in app.items(c, &order[0], 3, 500) {
            app.product(c, &item[2]);
        }
    }
    set.push(looped(
        "items per order, product per item",
        app,
        &[("from orders", "from order_items", 10), ("from order_items", "from products", 30)],
    ));

    let mut app = App::new();
    let c = app.connect();
    for order in app.orders(c, orders(10, 12, 41)) {
        for item in app.items(c, &order[0], 3, 12) {
            app.product(c, &item[2]);
        }
        app.user(c, &order[1]);
    }
    set.push(looped(
        "nested and chained, small numbers everywhere",
        app,
        &[
            ("from orders", "from order_items", 10),
            ("from order_items", "from products", 30),
            ("from orders", "from users", 10),
        ],
    ));

    let mut app = App::new();
    let c = app.connect();
    for order in app.orders(c, orders(10, 30, 42)) {
        app.user(c, &order[1]);
        app.items(c, &order[0], 2, 30);
        app.ask(c, "SELECT id, state FROM shipments WHERE order_id = $1")
            .bind(vec![order[0].clone()])
            .columns(&["shipments.id", "shipments.state"])
            .rows(vec![row![int(&order[0]) + 100, "sent"]]);
    }
    set.push(looped(
        "a chain of three per row",
        app,
        &[
            ("from orders", "from users", 10),
            ("from orders", "from order_items", 10),
            ("from orders", "from shipments", 10),
        ],
    ));

    // Owners 31 to 46; the tickets' own column holds 33 and 34 in rows next to each other.
    let mut app = App::new();
    let pool: Vec<u64> = (0..5).map(|_| app.connect()).collect();
    let tickets = (0..16).map(|n| row![n + 200, n + 600, if (3..5).contains(&n) { n + 30 } else { n + 900 }]);
    let tickets = app
        .ask(pool[0], "SELECT id, project_id, assignee_id FROM tickets ORDER BY id")
        .columns(&["tickets.id", "tickets.project_id", "tickets.assignee_id"])
        .rows(tickets.collect());
    for (at, ticket) in tickets.iter().enumerate() {
        app.ask(pool[at % 5], "SELECT id, owner_id FROM projects WHERE id = $1")
            .bind(vec![ticket[1].clone()])
            .columns(&["projects.id", "projects.owner_id"])
            .rows(vec![vec![ticket[1].clone(), V::I(int(&ticket[1]) - 570)]]);
    }
    for owner in [33, 34, 30, 31, 36, 32, 35, 37, 39, 38, 40, 42, 41, 43, 45, 44] {
        app.ask(pool[owner % 5], "SELECT id, handle FROM members WHERE id = $1")
            .bind(row![owner as i64])
            .columns(&["members.id", "members.handle"])
            .rows(vec![row![owner as i64, "a handle"]]);
    }
    set.push(looped(
        "all of a level at once, beside a column with two of its numbers",
        app,
        &[("from tickets", "from projects", 16), ("from projects", "from members", 16)],
    ));

    // Each row in a transaction of its own, by workers of which one comes fifteen rows late.
    let mut app = App::new();
    let pool: Vec<u64> = (0..5).map(|_| app.connect()).collect();
    let rows = app.orders(pool[0], orders(24, 1000, 45));
    for at in (0..3).chain(4..19).chain([3]).chain(19..24) {
        let c = pool[at % 5];
        app.begin(c);
        app.ask(c, "SELECT id, email FROM users WHERE id = $1")
            .bind(vec![rows[at][1].clone()])
            .columns(&["users.id", "users.email"])
            .takes_us(2000)
            .streamed()
            .rows(vec![vec![rows[at][1].clone(), V::S("somebody".into())]]);
        app.commit(c);
    }
    set.push(looped("a worker that comes late", app, &[("from orders", "from users", 24)]));

    let mut app = App::new();
    let c = app.connect();
    for order in app.orders(c, orders(12, 1000, 44)) {
        let team = int(&order[1]) % 3 + 1;
        app.ask(c, "SELECT id, team_id FROM members WHERE id = $1 LIMIT 1")
            .bind(vec![order[1].clone()])
            .columns(&["members.id", "members.team_id"])
            .rows(vec![vec![order[1].clone(), V::I(team)]]);
        app.ask(c, "SELECT id, name FROM teams WHERE id = $1 LIMIT 1")
            .bind(row![team])
            .columns(&["teams.id", "teams.name"])
            .rows(vec![row![team, "a name"]]);
    }
    set.push(looped(
        "a row that holds the number in its own LIMIT",
        app,
        &[("from orders", "from members", 12), ("from members", "from teams", 12)],
    ));

    let mut app = App::new();
    let c = app.connect();
    for order in app.orders(c, orders(8, 1000, 43)) {
        let address = int(&order[1]) + 5000;
        app.ask(c, "SELECT id, address_id FROM users WHERE id = $1")
            .bind(vec![order[1].clone()])
            .columns(&["users.id", "users.address_id"])
            .rows(vec![vec![order[1].clone(), V::I(address)]]);
        app.ask(c, "SELECT id, city FROM addresses WHERE id = $1")
            .bind(row![address])
            .columns(&["addresses.id", "addresses.city"])
            .rows(vec![row![address, "Hull"]]);
    }
    set.push(looped(
        "a user per order, an address per user",
        app,
        &[("from orders", "from users", 8), ("from users", "from addresses", 8)],
    ));

    let mut app = App::new();
    let c = app.connect();
    let kinds = ["posts", "photos", "videos"];
    let rows: Vec<Vec<V>> = (1..=18).map(|id| row![id, kinds[(id % 3) as usize], id * 11 + 3]).collect();
    let comments = app
        .ask(c, "SELECT id, commentable_type, commentable_id FROM comments LIMIT 18")
        .columns(&["comments.id", "comments.commentable_type", "comments.commentable_id"])
        .rows(rows);
    for row in comments {
        let V::S(kind) = &row[1] else { continue };
        let text = format!("SELECT id, title FROM {kind} WHERE id = $1");
        app.ask(c, &text)
            .bind(vec![row[2].clone()])
            .columns(&["id", "title"])
            .rows(vec![vec![row[2].clone(), "t".into()]]);
    }
    set.push(looped(
        "polymorphic over three tables",
        app,
        &[
            ("from comments", "from posts", 6),
            ("from comments", "from photos", 6),
            ("from comments", "from videos", 6),
        ],
    ));

    let mut app = App::new();
    let c = app.connect();
    let top: Vec<Vec<V>> = (1..=4).map(|id| row![id, "top"]).collect();
    let mut queue: Vec<i64> = app
        .ask(c, "SELECT id, name FROM categories WHERE parent_id IS NULL")
        .columns(&["categories.id", "categories.name"])
        .rows(top)
        .iter()
        .map(|row| int(&row[0]))
        .collect();
    let mut asked = 0;
    while let Some(id) = queue.pop() {
        asked += 1;
        let rows = if id < 10 { (0..3).map(|at| row![id * 10 + at, "sub"]).collect() } else { vec![] };
        let rows = app
            .ask(c, "SELECT id, name FROM categories WHERE parent_id = $1")
            .bind(row![id])
            .columns(&["categories.id", "categories.name"])
            .rows(rows);
        queue.extend(rows.iter().map(|row| int(&row[0])));
    }
    set.push(looped("a tree walked from its roots", app, &[("from categories", "parent_id = ?", asked)]));

    let mut app = App::new();
    let c = app.connect();
    for row in app.orders(c, orders(10, 50, 44)) {
        app.user(c, &row[1]);
    }
    let notes: Vec<Vec<V>> = (1..=10).map(|id| row![id, (id * 7) % 50 + 1]).collect();
    for row in app
        .ask(c, "SELECT id, author_id FROM notes LIMIT 10")
        .columns(&["notes.id", "notes.author_id"])
        .rows(notes)
    {
        app.user(c, &row[1]);
    }
    set.push(looped(
        "one child below two lists in turn",
        app,
        &[("from orders", "from users", 10), ("from notes", "from users", 10)],
    ));

    let mut app = App::new();
    let c = app.connect();
    let users: Vec<Vec<V>> = (1..=20).map(|id| row![id, "u"]).collect();
    app.ask(c, "SELECT id, name FROM users LIMIT 20").columns(&["users.id", "users.name"]).rows(users);
    for order in app.orders(c, orders(20, 20, 45)) {
        app.items(c, &order[0], 1, 20);
    }
    set.push(looped("two lists with the same numbers", app, &[("from orders", "from order_items", 20)]));

    let mut app = App::new();
    let c = app.connect();
    let orders_read = app.orders(c, orders(20, 20, 46));
    let users: Vec<Vec<V>> = (1..=20).map(|id| row![id, "u"]).collect();
    app.ask(c, "SELECT id, name FROM users LIMIT 20").columns(&["users.id", "users.name"]).rows(users);
    for order in orders_read {
        app.items(c, &order[0], 1, 20);
    }
    set.push(looped("the nearer list is not the parent", app, &[("from orders", "from order_items", 20)]));
    set
}

fn keys() -> Vec<Labelled> {
    let mut set = Vec::new();

    let mut app = App::new();
    let c = app.connect();
    let rows: Vec<Vec<V>> = (1..=12).map(|at| row![1, at]).chain((1..=3).map(|at| row![2, at])).collect();
    for row in app
        .ask(c, "SELECT order_id, line FROM order_lines")
        .columns(&["order_lines.order_id", "order_lines.line"])
        .rows(rows)
    {
        app.ask(c, "SELECT note FROM line_notes WHERE order_id = $1 AND line = $2")
            .bind(row.clone())
            .columns(&["line_notes.note"])
            .rows(vec![row!["n"]]);
    }
    set.push(looped("a composite key", app, &[("from order_lines", "from line_notes", 15)]));

    let mut app = App::new();
    let c = app.connect();
    let rows: Vec<Vec<V>> = (1..=15).map(|at| row![at, format!("SKU-{:03}", at * 37 % 101)]).collect();
    for row in
        app.ask(c, "SELECT id, sku FROM cart_items").columns(&["cart_items.id", "cart_items.sku"]).rows(rows)
    {
        app.ask(c, "SELECT amount FROM prices WHERE sku = $1")
            .bind(vec![row[1].clone()])
            .untyped()
            .columns(&["prices.amount"])
            .rows(vec![row!["9.50"]]);
    }
    set.push(looped("a text key", app, &[("from cart_items", "from prices", 15)]));

    let mut app = App::new();
    let c = app.connect();
    let uuid = |at: i64| format!("6f9619ff-8b86-d011-b42d-{:012x}", at * 7919);
    let rows: Vec<Vec<V>> = (1..=15).map(|at| row![uuid(at), uuid(at + 100)]).collect();
    for row in app
        .ask(c, "SELECT id, owner_id FROM documents")
        .columns(&["documents.id", "documents.owner_id"])
        .rows(rows)
    {
        let upper = V::S(row[1].text().unwrap_or_default().to_uppercase());
        app.ask(c, "SELECT id, name FROM accounts WHERE id = $1")
            .bind(vec![upper])
            .untyped()
            .columns(&["accounts.id", "accounts.name"])
            .rows(vec![vec![row[1].clone(), "a".into()]]);
    }
    set.push(looped("a uuid in another spelling", app, &[("from documents", "from accounts", 15)]));

    let mut app = App::new();
    let c = app.connect();
    for row in app.orders(c, orders(15, 300, 50)) {
        app.ask(c, "SELECT id, email FROM users WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL")
            .bind(vec![V::I(7), row[1].clone()])
            .columns(&["users.id", "users.email"])
            .rows(vec![vec![row[1].clone(), "a".into()]]);
    }
    set.push(looped("a tenant beside the key", app, &[("from orders", "from users", 15)]));

    let mut app = App::new();
    let c = app.connect();
    let rows: Vec<Vec<V>> = (1..=12).map(|at| row![at, at * 13 % 40 + 1]).collect();
    for row in app
        .ask(c, "SELECT id, manager_id FROM projects")
        .columns(&["projects.id", "projects.manager_id"])
        .rows(rows)
    {
        app.user(c, &row[1]);
    }
    set.push(looped("a role name instead of the table's", app, &[("from projects", "from users", 12)]));

    let mut app = App::new();
    let c = app.connect();
    let rows: Vec<Vec<V>> = (1..=12).map(|at| row![at, at * 13 % 40 + 1]).collect();
    for row in app
        .ask(c, r#"SELECT "Order"."id", "Order"."userId" FROM "Orders" AS "Order""#)
        .columns(&["Orders.id", "Orders.userId"])
        .rows(rows)
    {
        app.ask(c, r#"SELECT "User"."id" FROM "Users" AS "User" WHERE "User"."id" = 3"#.replace('3', &int(&row[1]).to_string()).as_str()).simple().columns(&["Users.id"]).rows(vec![vec![row[1].clone()]]);
    }
    set.push(looped("camel case and quotes", app, &[("\"Orders\"", "\"Users\"", 12)]));

    let mut app = App::new();
    let c = app.connect();
    let rows: Vec<Vec<V>> = (1..=10).map(|at| row![at * 3, at * 31]).collect();
    for row in app
        .ask(c, "SELECT o.id AS a, o.user_id AS b FROM orders o")
        .columns(&["orders.a", "orders.b"])
        .rows(rows)
    {
        app.user(c, &row[1]);
    }
    set.push(looped("aliases that say nothing", app, &[("from orders", "from users", 10)]));

    let mut app = App::new();
    let c = app.connect();
    let rows: Vec<Vec<V>> = (1..=10).map(|at| row![at * 31]).collect();
    for row in app.ask(c, "SELECT owner FROM a UNION SELECT owner FROM b").columns(&["owner"]).rows(rows) {
        app.user(c, &row[0]);
    }
    set.push(looped("the parent is a union", app, &[("union", "from users", 10)]));
    set
}

fn questions() -> Vec<Labelled> {
    let mut set = Vec::new();
    for (name, text, child) in [
        ("an aggregate per row", "SELECT count(*) FROM order_items WHERE order_id = $1", "count"),
        ("EXISTS per row", "SELECT EXISTS(SELECT 1 FROM payments WHERE payments.order_id = $1)", "exists"),
        ("a function per row", "SELECT order_total($1)", "order_total"),
        ("a set-returning function per row", "SELECT * FROM history_of($1)", "history_of"),
        (
            "a view per row",
            "SELECT * FROM order_summaries s WHERE s.order_id = $1 LIMIT 1",
            "order_summaries",
        ),
        ("a lock per row", "SELECT id FROM payments WHERE order_id = $1 FOR UPDATE", "for update"),
        (
            "a WITH per row",
            "WITH x AS (SELECT * FROM order_items WHERE order_id = $1) SELECT sum(price) FROM x",
            "with x",
        ),
        ("the row itself again", "SELECT * FROM orders WHERE id = $1", "where id"),
        (
            "a join per row",
            "SELECT p.* FROM products p JOIN order_items i ON i.product_id = p.id WHERE i.order_id = $1",
            "join order_items",
        ),
        ("array membership per row", "SELECT id FROM events WHERE $1 = ANY(order_ids)", "from events"),
    ] {
        let mut app = App::new();
        let c = app.connect();
        for row in app.orders(c, orders(12, 1000, 60)) {
            app.ask(c, text).bind(vec![row[0].clone()]).columns(&["x"]).rows(vec![row![3]]);
        }
        set.push(looped(name, app, &[("from orders", child, 12)]));
    }

    let mut app = App::new();
    let c = app.connect();
    let rows: Vec<Vec<V>> =
        (1..=8).map(|at| row![at, format!("2024-0{at}-01"), format!("2024-0{}-01", at + 1)]).collect();
    for row in app
        .ask(c, "SELECT id, starts, ends FROM periods")
        .columns(&["periods.id", "periods.starts", "periods.ends"])
        .rows(rows)
    {
        app.ask(c, "SELECT sum(total) FROM orders WHERE created_at >= $1 AND created_at < $2")
            .bind(vec![row[1].clone(), row[2].clone()])
            .columns(&["sum"])
            .rows(vec![row![5]]);
    }
    set.push(looped("a range per row", app, &[("from periods", "from orders", 8)]));

    let mut app = App::new();
    let c = app.connect();
    let rows: Vec<Vec<V>> = (1..=10).map(|at| row![at + 400]).collect();
    for row in app
        .ask(c, "INSERT INTO orders (user_id) SELECT id FROM users RETURNING id")
        .columns(&["orders.id"])
        .rows(rows)
    {
        app.ask(c, "SELECT * FROM orders WHERE id = $1")
            .bind(row.clone())
            .columns(&["orders.id"])
            .rows(vec![row]);
    }
    set.push(looped("rows of INSERT RETURNING read again", app, &[("insert into orders", "where id", 10)]));
    set
}
