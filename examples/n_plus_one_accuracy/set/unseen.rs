//! Styles that the other parts do not have, written after the detector and
//! run once before anything was changed for them.

use super::app::{App, Dice, Row, V, int};
use super::{Label, Labelled, labelled, looped};

const AUTHOR: &str = "SELECT id, name FROM authors WHERE id = $1";
const AVATAR: &str = "SELECT id, author_id, url FROM avatars WHERE author_id = $1";

pub fn set() -> Vec<Labelled> {
    let mut set = graphs();
    set.extend(sessions());
    set.extend(keys());
    set.extend(walks());
    set.extend(clean());
    set
}

fn posts(app: &mut App, connection: u64, count: i64, authors: u64, seed: u64) -> Vec<Row> {
    let mut dice = Dice(seed);
    let rows = (1..=count).map(|id| row![id, dice.roll(authors) as i64 + 1]).collect();
    app.ask(connection, "SELECT id, author_id FROM posts ORDER BY id DESC LIMIT 30")
        .columns(&["posts.id", "posts.author_id"])
        .rows(rows)
}

fn author(app: &mut App, connection: u64, id: &V) {
    app.ask(connection, AUTHOR)
        .bind(vec![id.clone()])
        .columns(&["authors.id", "authors.name"])
        .rows(vec![vec![id.clone(), V::S(format!("author {}", int(id)))]]);
}

fn different(rows: &[Row], column: usize) -> Vec<V> {
    let mut seen: Vec<V> = Vec::new();
    for row in rows {
        if !seen.contains(&row[column]) {
            seen.push(row[column].clone());
        }
    }
    seen
}

fn authors_of(app: &mut App, connection: u64, ids: Vec<V>) {
    let rows = ids.iter().map(|id| vec![id.clone(), V::S("name".into())]).collect();
    app.ask(connection, "SELECT id, name FROM authors WHERE id = ANY($1)")
        .bind(vec![V::List(ids)])
        .columns(&["authors.id", "authors.name"])
        .rows(rows);
}

/// Data loaders and serializers.
fn graphs() -> Vec<Labelled> {
    let mut set = Vec::new();

    let mut app = App::new();
    let c = app.connect();
    let rows = posts(&mut app, c, 30, 500, 1);
    let mut ids = different(&rows, 1);
    let alone = ids.split_off(20);
    authors_of(&mut app, c, ids);
    alone.iter().for_each(|id| author(&mut app, c, id));
    set.push(looped(
        "a data loader that batches the first twenty",
        app,
        &[("from posts", "from authors where id = ?", alone.len() as u64)],
    ));

    let mut app = App::new();
    let c = app.connect();
    let mut comments = 0;
    for post in posts(&mut app, c, 8, 20, 2) {
        let rows = (0..3)
            .map(|at| row![int(&post[0]) * 3 + at, int(&post[0]), (int(&post[0]) * 7 + at) % 20 + 1])
            .collect();
        for comment in app
            .ask(c, "SELECT id, post_id, author_id FROM comments WHERE post_id = $1")
            .bind(vec![post[0].clone()])
            .columns(&["comments.id", "comments.post_id", "comments.author_id"])
            .rows(rows)
        {
            author(&mut app, c, &comment[2]);
            app.ask(c, AVATAR)
                .bind(vec![comment[2].clone()])
                .columns(&["avatars.id", "avatars.author_id", "avatars.url"])
                .rows(vec![row![int(&comment[2]) + 40, int(&comment[2]), "u"]]);
            comments += 1;
        }
    }
    set.push(looped(
        "nested serializers",
        app,
        &[
            ("from posts", "from comments", 8),
            ("from comments", "from authors", comments),
            ("from", "from avatars", comments),
        ],
    ));

    let mut app = App::new();
    let c = app.connect();
    let kinds = ["posts", "photos", "events"];
    let rows: Vec<Row> = (0..18).map(|at| row![at + 1, kinds[at as usize % 3], 100 + at * 3]).collect();
    for row in app
        .ask(c, "SELECT id, subject_type, subject_id FROM activities ORDER BY id LIMIT 18")
        .columns(&["activities.id", "activities.subject_type", "activities.subject_id"])
        .rows(rows)
    {
        let V::S(kind) = &row[1] else { continue };
        let text = format!("SELECT id, title FROM {kind} WHERE id = $1");
        let (id, title) = (format!("{kind}.id"), format!("{kind}.title"));
        app.ask(c, &text)
            .bind(vec![row[2].clone()])
            .columns(&[&id, &title])
            .rows(vec![vec![row[2].clone(), V::S("t".into())]]);
    }
    set.push(looped(
        "polymorphic includes",
        app,
        &[
            ("from activities", "from posts", 6),
            ("from activities", "from photos", 6),
            ("from activities", "from events", 6),
        ],
    ));

    let mut app = App::new();
    let c = app.connect();
    for row in app
        .ask(c, "SELECT id, name FROM categories ORDER BY name")
        .columns(&["categories.id", "categories.name"])
        .rows((1..=9).map(|id| row![id * 4 % 37, "c"]).collect())
    {
        let id = int(&row[0]);
        app.ask(c, "SELECT count(*) FROM products WHERE category_id = $1")
            .bind(row![id])
            .columns(&["count"])
            .rows(vec![row![id % 5]]);
        app.ask(c, "SELECT id, title FROM products WHERE category_id = $1 LIMIT 3")
            .bind(row![id])
            .columns(&["products.id", "products.title"])
            .rows((0..3).map(|at| row![id * 3 + at, "p"]).collect());
    }
    set.push(looped(
        "a count and a list per parent",
        app,
        &[("from categories", "count(*)", 9), ("from categories", "select id, title from products", 9)],
    ));

    let mut app = App::new();
    let c = app.connect();
    for order in app.orders(c, super::app::orders(8, 30, 6)) {
        let items = app.items(c, &order[0], 3, 300);
        let ids: Vec<V> = items.iter().map(|item| item[2].clone()).collect();
        let rows = ids.iter().map(|id| vec![id.clone(), V::S("p".into())]).collect();
        app.ask(c, "SELECT id, name FROM products WHERE id = ANY($1)")
            .bind(vec![V::List(ids)])
            .columns(&["products.id", "products.name"])
            .rows(rows);
    }
    set.push(looped(
        "a list of its own for each parent",
        app,
        &[("from orders", "from order_items", 8), ("from order_items", "from products", 8)],
    ));
    set
}

/// Transactions, pools, retries.
fn sessions() -> Vec<Labelled> {
    let mut set = Vec::new();

    let mut app = App::new();
    let c = app.connect();
    let mut n = 0;
    for (at, row) in posts(&mut app, c, 12, 400, 11).iter().enumerate() {
        if at % 3 == 0 {
            app.ask(c, AUTHOR)
                .bind(vec![row[1].clone()])
                .columns(&["authors.id", "authors.name"])
                .fails(*b"40001")
                .done();
            n += 1;
        }
        author(&mut app, c, &row[1]);
        n += 1;
    }
    set.push(looped("a retry inside of the loop", app, &[("from posts", "from authors", n)]));

    let mut app = App::new();
    let c = app.connect();
    app.begin(c);
    app.ask(c, "DECLARE page CURSOR FOR SELECT id, author_id FROM posts").done();
    let mut dice = Dice(12);
    for part in 0..4 {
        let rows: Vec<Row> = (0..5).map(|at| row![part * 5 + at + 1, dice.roll(60) as i64 + 1]).collect();
        for row in app.ask(c, "FETCH 5 FROM page").columns(&["posts.id", "posts.author_id"]).rows(rows) {
            app.ask(c, "SAVEPOINT row").done();
            author(&mut app, c, &row[1]);
            app.ask(c, "RELEASE SAVEPOINT row").done();
        }
    }
    app.ask(c, "CLOSE page").done();
    app.commit(c);
    set.push(looped(
        "a streamed parent with a savepoint per row",
        app,
        &[("from posts", "from authors", 20)],
    ));

    let mut app = App::new();
    let (one, other) = (app.connect(), app.connect());
    let first = posts(&mut app, one, 9, 40, 13);
    let second = app
        .ask(other, "SELECT \"orders\".\"id\", \"orders\".\"author_id\" FROM \"orders\" LIMIT 11")
        .columns(&["orders.id", "orders.author_id"])
        .rows((1..=11).map(|at| row![at, at * 17 % 40 + 1]).collect());
    for (at, order) in second.iter().enumerate() {
        if let Some(row) = first.get(at) {
            app.ask(one, "SELECT authors.id AS authors_id, authors.name AS authors_name FROM authors WHERE authors.id = $1")
                .bind(vec![row[1].clone()])
                .columns(&["authors.authors_id", "authors.authors_name"])
                .rows(vec![vec![row[1].clone(), V::S("n".into())]]);
        }
        app.ask(other, "SELECT \"authors\".\"id\", \"authors\".\"name\" FROM \"authors\" WHERE \"authors\".\"id\" = $1 LIMIT 21")
            .bind(vec![order[1].clone()])
            .columns(&["authors.id", "authors.name"])
            .rows(vec![vec![order[1].clone(), V::S("n".into())]]);
    }
    set.push(looped(
        "two ORMs in one process",
        app,
        &[("from posts", "authors_name", 9), ("from orders", "from authors where authors.id = ? limit", 11)],
    ));

    let mut app = App::new();
    let pool: Vec<u64> = (0..4).map(|_| app.connect()).collect();
    let rows = posts(&mut app, pool[0], 24, 60, 14);
    let mut dice = Dice(15);
    let mut keys: Vec<V> = rows.iter().map(|row| row[1].clone()).collect();
    dice.shuffle(&mut keys);
    for id in &keys {
        author(&mut app, pool[dice.roll(4) as usize], id);
    }
    set.push(looped(
        "all rows at once over a pool, in any order",
        app,
        &[("from posts", "from authors", 24)],
    ));

    let mut app = App::new();
    let pool: Vec<u64> = (0..3).map(|_| app.connect()).collect();
    let mut dice = Dice(16);
    let mut lists = Vec::new();
    for seed in 0..4 {
        let c = pool[dice.roll(3) as usize];
        lists.push(posts(&mut app, c, 6 + seed, 15, 17 + seed as u64));
    }
    for at in 0..9 {
        for list in &lists {
            let c = pool[dice.roll(3) as usize];
            app.ask(c, "SELECT 1").columns(&["?column?"]).rows(vec![row![1]]);
            if let Some(row) = list.get(at) {
                author(&mut app, c, &row[1]);
            }
        }
    }
    let n = |count| ("from posts", "from authors", count);
    set.push(looped("four requests over three connections with probes", app, &[n(6), n(7), n(8), n(9)]));

    let mut app = App::new();
    let c = app.connect();
    for at in 0..3 {
        app.begin(c);
        for row in posts(&mut app, c, 7, 12, 30 + at) {
            author(&mut app, c, &row[1]);
        }
        app.commit(c);
        app.pause_ms(20);
    }
    let n = ("from posts", "from authors", 7);
    set.push(looped("three requests one after the other", app, &[n, n, n]));
    set
}

/// Keys that change their form on the way.
fn keys() -> Vec<Labelled> {
    let mut set = Vec::new();
    let codes: Vec<String> = (0..12).map(|at| format!("k{}", at * 7 % 12)).collect();
    let list = |app: &mut App, c: u64| {
        app.ask(c, "SELECT id, country_code FROM shops")
            .columns(&["shops.id", "shops.country_code"])
            .rows(codes.iter().enumerate().map(|(at, code)| row![at as i64 + 1, code.as_str()]).collect())
    };

    let mut app = App::new();
    let c = app.connect();
    for row in list(&mut app, c) {
        app.ask(c, "SELECT id, name FROM countries WHERE upper(code) = upper($1)")
            .bind(vec![row[1].clone()])
            .columns(&["countries.id", "countries.name"])
            .rows(vec![row![1, "n"]]);
    }
    set.push(looped("upper() in the statement", app, &[("from shops", "from countries", 12)]));

    let mut app = App::new();
    let c = app.connect();
    for row in list(&mut app, c) {
        let code = row[1].text().unwrap_or_default().to_uppercase();
        app.ask(c, "SELECT id, name FROM countries WHERE code = $1")
            .bind(row![code])
            .columns(&["countries.id", "countries.name"])
            .rows(vec![row![1, "n"]]);
    }
    set.push(labelled(
        "upper() in the application",
        app,
        Label::Repeat("repeated-query-without-visible-parent", 12),
    ));

    let mut app = App::new();
    let c = app.connect();
    for row in posts(&mut app, c, 13, 300, 21) {
        app.ask(c, "SELECT id, name FROM authors WHERE id::text = $1")
            .bind(row![int(&row[1]).to_string()])
            .columns(&["authors.id", "authors.name"])
            .rows(vec![vec![row[1].clone(), V::S("n".into())]]);
    }
    set.push(looped("numbers sent as text", app, &[("from posts", "from authors", 13)]));

    let mut app = App::new();
    let c = app.connect();
    for row in posts(&mut app, c, 14, 300, 22) {
        app.ask(c, "SELECT id, name FROM authors WHERE id = ANY($1)")
            .bind(vec![V::List(vec![row[1].clone()])])
            .columns(&["authors.id", "authors.name"])
            .rows(vec![vec![row[1].clone(), V::S("n".into())]]);
    }
    set.push(looped("chunks of one", app, &[("from posts", "from authors", 14)]));

    let mut app = App::new();
    let c = app.connect();
    for row in posts(&mut app, c, 10, 50, 23) {
        app.ask(c, "SELECT EXISTS (SELECT 1 FROM likes WHERE user_id = $1 AND post_id = $2)")
            .bind(vec![V::I(7), row[0].clone()])
            .columns(&["exists"])
            .rows(vec![row!["t"]]);
    }
    set.push(looped("whether the viewer likes each post", app, &[("from posts", "from likes", 10)]));

    let mut app = App::new();
    let c = app.connect();
    for row in posts(&mut app, c, 9, 50, 24) {
        app.ask(c, "SELECT reading_time($1)")
            .bind(vec![row[0].clone()])
            .columns(&["reading_time"])
            .rows(vec![row![int(&row[0]) % 4]]);
    }
    set.push(looped("a function per row", app, &[("from posts", "reading_time", 9)]));
    set
}

/// Orders in which rows are gone through.
fn walks() -> Vec<Labelled> {
    let mut set = Vec::new();
    let mut add = |name, n: u64, pick: &dyn Fn(Vec<Row>) -> Vec<Row>| {
        let mut app = App::new();
        let c = app.connect();
        let rows = posts(&mut app, c, 20, 60, 31);
        for row in pick(rows) {
            author(&mut app, c, &row[1]);
        }
        set.push(looped(name, app, &[("from posts", "from authors", n)]));
    };
    add("from the last row to the first", 20, &|rows| rows.into_iter().rev().collect());
    add("rows that the application filters", 7, &|rows| rows.into_iter().step_by(3).collect());
    add("sorted by the application", 20, &|mut rows| {
        rows.sort_by_key(|row| int(&row[1]) * 37 % 61);
        rows
    });

    let mut app = App::new();
    let c = app.connect();
    let mut dice = Dice(33);
    let rows: Vec<Row> = (1..=15).map(|id| row![id, dice.roll(15) as i64 + 1]).collect();
    for row in app
        .ask(c, "SELECT id, manager_id FROM employees ORDER BY id")
        .columns(&["employees.id", "employees.manager_id"])
        .rows(rows)
    {
        let manager = int(&row[1]);
        app.ask(c, "SELECT id, manager_id FROM employees WHERE id = $1")
            .bind(row![manager])
            .columns(&["employees.id", "employees.manager_id"])
            .rows(vec![row![manager, manager % 5 + 1]]);
    }
    set.push(looped(
        "the manager of each employee",
        app,
        &[("from employees order", "from employees where", 15)],
    ));

    let mut app = App::new();
    let c = app.connect();
    for post in posts(&mut app, c, 7, 20, 34) {
        let rows = (0..3).map(|at| row![int(&post[0]), (int(&post[0]) * 5 + at * 3) % 9 + 1]).collect();
        for tag in app
            .ask(c, "SELECT post_id, tag_id FROM post_tags WHERE post_id = $1")
            .bind(vec![post[0].clone()])
            .columns(&["post_tags.post_id", "post_tags.tag_id"])
            .rows(rows)
        {
            app.ask(c, "SELECT id, label FROM tags WHERE id = $1")
                .bind(vec![tag[1].clone()])
                .columns(&["tags.id", "tags.label"])
                .rows(vec![vec![tag[1].clone(), V::S("l".into())]]);
        }
    }
    set.push(looped(
        "many to many",
        app,
        &[("from posts", "from post_tags", 7), ("from post_tags", "from tags", 21)],
    ));
    set
}

fn clean() -> Vec<Labelled> {
    let mut set = Vec::new();

    let mut app = App::new();
    let c = app.connect();
    let rows = posts(&mut app, c, 30, 50, 41);
    authors_of(&mut app, c, different(&rows, 1));
    set.push(labelled("a data loader that batches all", app, Label::Clean));

    let mut app = App::new();
    let c = app.connect();
    let rows = posts(&mut app, c, 30, 500, 42);
    for ids in different(&rows, 1).chunks(5) {
        authors_of(&mut app, c, ids.to_vec());
    }
    set.push(labelled("chunks of five", app, Label::Clean));

    let mut app = App::new();
    let c = app.connect();
    for page in 0..12 {
        app.ask(c, "SELECT id, author_id FROM posts WHERE id > $1 ORDER BY id LIMIT 3")
            .bind(row![page * 3])
            .columns(&["posts.id", "posts.author_id"])
            .rows((1..=3).map(|at| row![page * 3 + at, at]).collect());
    }
    set.push(labelled("keyset pages", app, Label::Clean));

    let mut app = App::new();
    let c = app.connect();
    for at in 0..9 {
        app.scope(c, &format!("request {at}"));
        app.ask(c, "SELECT author_id FROM sessions WHERE token = $1")
            .bind(row![format!("t{at}")])
            .columns(&["sessions.author_id"])
            .rows(vec![row![at + 3]]);
        author(&mut app, c, &V::I(at + 3));
    }
    set.push(labelled("who is signed in, nine requests", app, Label::Clean));

    let mut app = App::new();
    let c = app.connect();
    for job in 0..8 {
        app.begin(c);
        app.ask(
            c,
            "SELECT id, payload FROM jobs WHERE state = 'ready' ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED",
        )
        .columns(&["jobs.id", "jobs.payload"])
        .rows(vec![row![job + 1, "p"]]);
        app.ask(c, "UPDATE jobs SET state = 'done' WHERE id = $1").bind(row![job + 1]).affects(1).done();
        app.commit(c);
    }
    set.push(labelled("a queue of jobs", app, Label::Clean));

    let mut app = App::new();
    let c = app.connect();
    let rows = posts(&mut app, c, 30, 40, 45);
    authors_of(&mut app, c, different(&rows, 1));
    for row in rows.iter().take(3) {
        author(&mut app, c, &row[1]);
    }
    set.push(labelled("batched, and three more by hand", app, Label::Clean));
    set
}
