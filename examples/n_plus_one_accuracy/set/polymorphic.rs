//! Loops whose child alternates with the kind of the row, and what looks like them.

use super::app::{App, Dice, Row, V, int};
use super::{Label, Labelled, labelled, looped};

const KINDS: [&str; 3] = ["posts", "photos", "articles"];
const COMMENTS: &str = "SELECT id, body, commentable_type, commentable_id FROM comments ORDER BY id LIMIT 12";

pub fn set() -> Vec<Labelled> {
    let mut set = loops();
    set.extend(none());
    set
}

/// Comments on kinds and keys.
fn comments(app: &mut App, connection: u64, of: &[(&str, i64)]) -> Vec<Row> {
    let rows = (1_i64..).zip(of).map(|(id, (kind, key))| row![id, format!("b{id}"), *kind, *key]).collect();
    app.ask(connection, COMMENTS)
        .columns(&["comments.id", "comments.body", "comments.commentable_type", "comments.commentable_id"])
        .rows(rows)
}

fn subject(app: &mut App, connection: u64, kind: &V, key: &V) {
    let V::S(kind) = kind else { return };
    let text = format!("SELECT id, title FROM {kind} WHERE id = $1");
    let (id, title) = (format!("{kind}.id"), format!("{kind}.title"));
    app.ask(connection, &text)
        .bind(vec![key.clone()])
        .columns(&[&id, &title])
        .rows(vec![vec![key.clone(), V::S(format!("title {}", int(key)))]]);
}

fn loops() -> Vec<Labelled> {
    let mut set = Vec::new();
    let turns = |at: i64| (KINDS[at as usize % 3], at);
    for (name, of, n) in [
        (
            "polymorphic: kinds in turns",
            (0..12).map(|at| (turns(at).0, 700 + at * 13)).collect::<Vec<_>>(),
            12,
        ),
        (
            "polymorphic: one kind after the other",
            (0..12).map(|at| (KINDS[at as usize / 4], 700 + at * 13)).collect(),
            12,
        ),
        (
            "polymorphic: keys of all kinds coincide",
            (0..12).map(|at| (turns(at).0, at / 3 + 40)).collect(),
            12,
        ),
        (
            "polymorphic: two kinds",
            [0, 1, 1, 0, 0, 1].iter().zip(0..).map(|(kind, at)| (KINDS[*kind], 90 - at * 7)).collect(),
            6,
        ),
        (
            "polymorphic: the smallest that counts",
            [0, 0, 1, 2, 1].iter().zip(0..).map(|(kind, at)| (KINDS[*kind], 90 - at * 7)).collect(),
            5,
        ),
    ] {
        let mut app = App::new();
        let c = app.connect();
        comments(&mut app, c, &of).iter().for_each(|row| subject(&mut app, c, &row[2], &row[3]));
        set.push(looped(name, app, &[("from comments", "where id = ?", n)]));
    }

    let mut app = App::new();
    let c = app.connect();
    let of: Vec<(&str, i64)> = (0..12).map(|at| (KINDS[at as usize % 3], 50 + at % 6)).collect();
    let mut seen: Vec<Row> = Vec::new();
    for row in comments(&mut app, c, &of) {
        let key = vec![row[2].clone(), row[3].clone()];
        if !seen.contains(&key) {
            subject(&mut app, c, &row[2], &row[3]);
            seen.push(key);
        }
    }
    set.push(looped("polymorphic: an identity map", app, &[("from comments", "where id = ?", 6)]));

    // One kind is above the threshold by itself, the others together are.
    let mut app = App::new();
    let c = app.connect();
    let kinds = [0, 1, 0, 2, 0, 1, 0, 2, 0, 1, 0, 0];
    let of: Vec<(&str, i64)> =
        kinds.iter().zip(0..).map(|(kind, at)| (KINDS[*kind], 300 + at * 11)).collect();
    comments(&mut app, c, &of).iter().for_each(|row| subject(&mut app, c, &row[2], &row[3]));
    set.push(looped(
        "polymorphic: one kind above the threshold",
        app,
        &[("from comments", "from posts", 7), ("from comments", "where id = ?", 5)],
    ));
    set
}

fn none() -> Vec<Labelled> {
    let mut set = Vec::new();

    let mut app = App::new();
    let c = app.connect();
    let rows = comments(&mut app, c, &[("posts", 70)]);
    for table in ["posts", "photos", "articles", "videos", "events", "shops"] {
        subject(&mut app, c, &V::S(table.into()), &rows[0][3]);
    }
    set.push(labelled("polymorphic: a fixed fan-out of one row", app, Label::Clean));

    let mut app = App::new();
    let c = app.connect();
    for row in comments(&mut app, c, &[("posts", 70), ("posts", 83), ("photos", 91), ("photos", 20)]) {
        for table in KINDS {
            subject(&mut app, c, &V::S(table.into()), &row[3]);
        }
    }
    set.push(labelled("polymorphic: three children of each of four rows", app, Label::Clean));

    let mut app = App::new();
    let c = app.connect();
    let of = ["posts", "photos", "articles", "videos", "events", "shops"];
    let of: Vec<(&str, i64)> = of.iter().zip(0..).map(|(kind, at)| (*kind, 70 + at * 3)).collect();
    for row in comments(&mut app, c, &of) {
        subject(&mut app, c, &row[2], &row[3]);
    }
    set.push(labelled("polymorphic: a panel of six kinds, each once", app, Label::Clean));

    // Small numbers of a list come up in the keys of what the page asks besides.
    for seed in 0..20 {
        let mut dice = Dice(seed);
        let mut app = App::new();
        let c = app.connect();
        let kinds = ["a", "b"];
        let rows =
            (1..=8).map(|id| row![id, kinds[dice.roll(2) as usize], dice.roll(8) as i64 + 1]).collect();
        app.ask(c, "SELECT id, state, owner_id FROM orders LIMIT 8")
            .columns(&["orders.id", "orders.state", "orders.owner_id"])
            .rows(rows);
        for table in ["menus", "banners", "shops", "regions", "taxes", "coupons"] {
            let key = dice.roll(8) as i64 + 1;
            subject(&mut app, c, &V::S(table.into()), &V::I(key));
        }
        set.push(labelled("polymorphic: a page that asks for many things", app, Label::Clean));
    }
    set
}
