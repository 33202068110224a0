//! Traces that were once misjudged on a real server: plain names of keys,
//! tests that share a fixture, people who click.

use super::app::{App, Dice, USER, V, orders};
use super::{Label, Labelled, labelled, looped};

pub fn set() -> Vec<Labelled> {
    let mut set = plain_names();
    set.extend(scopes());
    set.extend(use_of_a_list());
    set.extend(repetitions());
    set
}

/// A list of keys `1..=count`, then one query per key: `parent` and `child` are columns.
fn keys_asked(parent: &'static str, child: &'static str, count: i64) -> App {
    let (from, key) = parent.split_once('.').unwrap_or(("", parent));
    let (table, column) = child.split_once('.').unwrap_or(("", child));
    let mut app = App::new();
    let c = app.connect();
    let list = format!("SELECT {key} FROM {from} ORDER BY {key} LIMIT {count}");
    app.ask(c, &list).columns(&[parent]).rows((1..=count).map(|id| row![id]).collect());
    let own = format!("{table}.id");
    let text = format!("SELECT id FROM {table} WHERE {column} = $1");
    for id in 1..=count {
        app.ask(c, &text).bind(row![id]).columns(&[&own]).rows(vec![row![id * 7 % 40 + 100]]);
    }
    app
}

fn plain_names() -> Vec<Labelled> {
    let mut set = Vec::new();
    for child in ["created_by", "author", "assignee", "owner", "parent", "approver", "recipient"] {
        let child: &'static str = match child {
            "created_by" => "posts.created_by",
            "author" => "posts.author",
            "assignee" => "posts.assignee",
            "owner" => "posts.owner",
            "parent" => "posts.parent",
            "approver" => "posts.approver",
            _ => "posts.recipient",
        };
        set.push(looped(child, keys_asked("users.id", child, 40), &[("from users", "from posts", 40)]));
    }
    for (parent, child, texts) in [
        ("invoice.customer", "customer.nr", ("from invoice", "from customer", 40)),
        ("customer.nr", "invoice.customer", ("from customer", "from invoice", 40)),
        ("documents.author", "members.nr", ("from documents", "from members", 40)),
    ] {
        set.push(looped(parent, keys_asked(parent, child, 40), &[texts]));
    }
    // What speaks against it stays a repeated query, under any name.
    for (parent, child) in [("users.id", "shelves.position"), ("orders.quantity", "products.stock")] {
        let label = Label::Repeat("repeated-query-without-visible-parent", 40);
        set.push(labelled(parent, keys_asked(parent, child, 40), label));
    }
    let mut app = App::new();
    let c = app.connect();
    for at in 0..20 {
        let text = "SELECT id FROM posts WHERE created_by = $1";
        app.ask(c, text).bind(row![at * 97 + 1000]).columns(&["posts.id"]).rows(vec![row![at]]);
    }
    let label = Label::Repeat("repeated-query-without-visible-parent", 20);
    set.push(labelled("keys from a cache under a plain name", app, label));
    set
}

fn users(app: &mut App, connection: u64, count: i64) -> Vec<Vec<V>> {
    app.ask(connection, "SELECT id FROM users ORDER BY id")
        .columns(&["users.id"])
        .rows((1..=count).map(|id| row![id]).collect())
}

fn scopes() -> Vec<Labelled> {
    let mut set = Vec::new();

    let mut app = App::new();
    let c = app.connect();
    for (at, row) in users(&mut app, c, 10).iter().enumerate() {
        app.scope(c, &format!("t{at}"));
        app.user(c, &row[0]);
    }
    set.push(labelled("a fixture's list, one look-up per named test", app, Label::Clean));

    let mut app = App::new();
    let c = app.connect();
    for (at, row) in users(&mut app, c, 6).iter().enumerate() {
        app.scope(c, &format!("t{}", at / 3));
        app.user(c, &row[0]);
    }
    set.push(labelled("two named tests, each below the threshold", app, Label::Clean));

    let mut app = App::new();
    let c = app.connect();
    let rows = users(&mut app, c, 10);
    for (at, row) in rows.iter().chain(&rows).enumerate() {
        app.scope(c, &format!("t{}", at / 10));
        app.user(c, &row[0]);
    }
    let text = ("from users", "from users where", 10);
    set.push(looped("two named tests, each with a loop over a fixture's list", app, &[text, text]));

    let mut app = App::new();
    let c = app.connect();
    for row in users(&mut app, c, 10) {
        app.begin(c);
        app.ask(c, "SAVEPOINT test").done();
        app.user(c, &row[0]);
        app.rollback(c);
    }
    set.push(labelled("a fixture's list, one look-up per transactional test", app, Label::Clean));

    let mut app = App::new();
    let c = app.connect();
    for row in users(&mut app, c, 10) {
        app.begin(c);
        app.user(c, &row[0]);
        app.rollback(c);
    }
    set.push(labelled("a fixture's list, one look-up per rolled-back transaction", app, Label::Doubtful));
    set
}

fn use_of_a_list() -> Vec<Labelled> {
    let mut set = Vec::new();
    for seed in 0..40 {
        let mut app = App::new();
        let c = app.connect();
        let mut rows = users(&mut app, c, 50);
        let mut dice = Dice(seed);
        dice.shuffle(&mut rows);
        for row in &rows[..5] {
            app.pause_ms(1000 + dice.roll(1000));
            app.user(c, &row[0]);
        }
        set.push(labelled("a person who clicks on some rows", app, Label::Doubtful));

        let mut app = App::new();
        let c = app.connect();
        users(&mut app, c, 20);
        asked_at_random(&mut app, c, &mut Dice(seed), 5, 30);
        set.push(labelled("authorisation look-ups after a list", app, Label::Doubtful));

        let mut app = App::new();
        let c = app.connect();
        app.orders(c, orders(20, 5, seed));
        asked_at_random(&mut app, c, &mut Dice(seed + 99), 5, 30);
        set.push(labelled("authorisation look-ups after a list of their users", app, Label::Doubtful));
    }

    let mut app = App::new();
    let c = app.connect();
    for row in app.orders(c, orders(20, 50, 4)) {
        app.pause_ms(300);
        app.user(c, &row[1]);
    }
    set.push(looped("a loop with slow work for each row", app, &[("from orders", "from users", 20)]));
    set
}

fn asked_at_random(app: &mut App, connection: u64, dice: &mut Dice, users: u64, count: usize) {
    for _ in 0..count {
        app.pause_ms(100);
        let text = "SELECT id FROM carts WHERE token = $1";
        app.ask(connection, text).bind(row![format!("t{}", dice.roll(9))]).columns(&["carts.id"]).done();
        let id = V::I(dice.roll(users) as i64 + 1);
        app.user(connection, &id);
    }
}

fn repetitions() -> Vec<Labelled> {
    let mut set = Vec::new();

    let mut app = App::new();
    let c = app.connect();
    app.ask(c, "SELECT user_id FROM orders WHERE id = $1")
        .bind(row![77])
        .columns(&["orders.user_id"])
        .rows(vec![row![7]]);
    for _ in 0..50 {
        app.ask(c, USER).bind(row![7]).columns(&["users.id", "users.email"]).rows(vec![row![7, "a"]]);
    }
    set.push(labelled("the user of one order again and again", app, Label::Repeat("redundant-query", 50)));

    let text = "SELECT id FROM users WHERE id = $1 AND EXISTS (SELECT 1 FROM pg_class)";
    let mut app = App::new();
    let c = app.connect();
    for row in users(&mut app, c, 12) {
        app.ask(c, text).bind(row.clone()).columns(&["users.id"]).rows(vec![row]);
    }
    set.push(looped("a child that mentions the catalogue", app, &[("order by id", "pg_class", 12)]));

    let mut app = App::new();
    let c = app.connect();
    for at in 0..12 {
        app.ask(c, "SELECT id FROM files WHERE path LIKE $1")
            .bind(row![format!("/home/{at}/%")])
            .columns(&["files.id"])
            .rows(vec![row![at]]);
    }
    let label = Label::Repeat("repeated-query-without-visible-parent", 12);
    set.push(labelled("a pattern for each of something", app, label));
    set
}
