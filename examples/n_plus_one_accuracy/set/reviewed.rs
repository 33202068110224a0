//! What a review found misjudged on a real server, made again in small.

use super::app::{App, Dice, Row, V, int, orders};
use super::{Label, Labelled, labelled, looped};

pub fn set() -> Vec<Labelled> {
    let mut set: Vec<Labelled> =
        ["month", "hour", "priority", "week_no"].into_iter().map(counted_up).collect();
    set.extend([signed_in_before(), beside_every_row(), in_every_request(), three_times_a_row()]);
    set.extend([
        each_month_of_each_row(),
        log_ins(),
        rooms_of_floors(),
        departments_in_turn(),
        tabs_by_status(),
    ]);
    set.extend([the_row_before(), sessions_inside_a_session(), a_graph()]);
    set
}

const PROJECTS: &str = "SELECT id, owner FROM projects ORDER BY id LIMIT 30";

fn projects(app: &mut App, connection: u64, count: i64, seed: u64) -> Vec<Row> {
    let mut dice = Dice(seed);
    let rows = (1..=count).map(|id| row![id + 70, dice.roll(400) as i64 + 200]).collect();
    app.ask(connection, PROJECTS).columns(&["projects.id", "projects.owner"]).rows(rows)
}

/// Counted from 1, or from 0, by the code; the list on the page has the same numbers.
fn counted_up(column: &'static str) -> Labelled {
    let mut app = App::new();
    let connection = app.connect();
    app.ask(connection, "SELECT id, subject FROM tickets ORDER BY id LIMIT 12")
        .columns(&["tickets.id", "tickets.subject"])
        .rows((1..=12).map(|id| row![id, "subject"]).collect());
    let text = format!("SELECT count(*) FROM tickets WHERE {column} = $1");
    for at in 1..=12 {
        app.ask(connection, &text).bind(row![at]).columns(&["count"]).rows(vec![row![at * 7 % 5]]);
    }
    labelled("reviewed: counted up over a list of the same table", app, Label::Doubtful)
}

fn signed_in_before() -> Labelled {
    let mut app = App::new();
    let connection = app.connect();
    app.user(connection, &V::I(9));
    let rows = projects(&mut app, connection, 6, 1);
    rows.iter().for_each(|row| drop(app.user(connection, &row[1])));
    looped("reviewed: signed in, then a short list", app, &[("from projects", "from users", 6)])
}

/// The user who is signed in has the number of one of the projects.
fn beside_every_row() -> Labelled {
    let mut app = App::new();
    let connection = app.connect();
    for row in projects(&mut app, connection, 30, 2) {
        app.user(connection, &V::I(75));
        app.user(connection, &row[1]);
    }
    looped("reviewed: who is signed in, beside every row", app, &[("from projects", "from users", 30)])
}

/// The same user in each of six requests; the first one's list has that user.
fn in_every_request() -> Labelled {
    let mut app = App::new();
    let connection = app.connect();
    for page in 0..6 {
        app.user(connection, &V::I(3));
        let rows = (1..=6).map(|at| row![page * 6 + at, page * 6 + at]).collect();
        for row in app.orders(connection, rows) {
            app.user(connection, &row[1]);
        }
    }
    looped("reviewed: who is signed in, in every request", app, &[("from orders", "from users", 6); 6])
}

fn three_times_a_row() -> Labelled {
    let mut app = App::new();
    let connection = app.connect();
    let rows = app.orders(connection, (1..=40).map(|id| row![id, id % 4 + 100]).collect());
    for row in &rows {
        (0..3).for_each(|_| drop(app.user(connection, &row[1])));
    }
    looped("reviewed: three times a row, few users", app, &[("from orders", "from users", 120)])
}

fn each_month_of_each_row() -> Labelled {
    let mut app = App::new();
    let connection = app.connect();
    let rows = projects(&mut app, connection, 6, 3);
    for month in 1..=12 {
        for row in &rows {
            app.ask(connection, "SELECT count(*) FROM tickets WHERE project_id = $1 AND month = $2")
                .bind(row![int(&row[0]), month])
                .columns(&["count"])
                .rows(vec![row![month % 3]]);
        }
    }
    looped("reviewed: each month of each row", app, &[("from projects", "from tickets", 72)])
}

/// Tests sign in with whatever of six users of a fixture.
fn log_ins() -> Labelled {
    let (mut app, mut dice) = (App::new(), Dice(8));
    let connection = app.connect();
    let rows = app
        .ask(connection, "SELECT email FROM users ORDER BY id")
        .columns(&["users.email"])
        .rows((0..6).map(|at| row![format!("u{at}@example.com")]).collect());
    for at in 0..18 {
        app.ask(connection, "SELECT id, role FROM users WHERE email = $1")
            .bind(vec![rows[dice.roll(6) as usize][0].clone()])
            .columns(&["users.id", "users.role"])
            .rows(vec![row![at % 6, "r"]]);
    }
    labelled("reviewed: log-ins in any order", app, Label::Doubtful)
}

/// Floors 1 to 10 are known to the code; rooms were numbered floor by floor.
fn rooms_of_floors() -> Labelled {
    own_rows("reviewed: rooms of floors", "SELECT id, name FROM rooms WHERE floor = $1", "rooms")
}

fn departments_in_turn() -> Labelled {
    own_rows("reviewed: departments", "SELECT id, name FROM staff WHERE department_id = $1", "staff")
}

fn own_rows(name: &'static str, text: &'static str, table: &str) -> Labelled {
    let mut app = App::new();
    let connection = app.connect();
    let (id, title) = (format!("{table}.id"), format!("{table}.name"));
    for key in 1..=10 {
        app.ask(connection, text)
            .bind(row![key])
            .columns(&[&id, &title])
            .rows((1..=3).map(|at| row![key * 3 - 3 + at, "n"]).collect());
    }
    labelled(name, app, Label::Doubtful)
}

fn tabs_by_status() -> Labelled {
    let mut app = App::new();
    let connection = app.connect();
    let states = ["new", "open", "held", "sent", "done"];
    app.ask(connection, "SELECT id, status FROM jobs ORDER BY id LIMIT 5")
        .columns(&["jobs.id", "jobs.status"])
        .rows(states.iter().zip(1_i64..).map(|(status, id)| row![id, *status]).collect());
    for status in states {
        app.ask(connection, "SELECT count(*) FROM jobs WHERE status = $1")
            .bind(row![status])
            .columns(&["count"])
            .rows(vec![row![4]]);
    }
    labelled("reviewed: tabs by status", app, Label::Doubtful)
}

/// Every fifth row is compared with the user of the row before.
fn the_row_before() -> Labelled {
    let mut app = App::new();
    let connection = app.connect();
    let rows = app.orders(connection, orders(30, 4000, 4));
    for (at, row) in rows.iter().enumerate() {
        app.user(connection, &row[1]);
        if at % 5 == 4 {
            app.user(connection, &rows[at - 1][1]);
        }
    }
    looped("reviewed: the row before once more", app, &[("from orders", "from users", 36)])
}

/// A helper opens a session of its own for each row, and rolls it back, while the list's is open.
fn sessions_inside_a_session() -> Labelled {
    let mut app = App::new();
    let (outer, inner) = (app.connect(), app.connect());
    app.begin(outer);
    let rows = app.orders(outer, orders(40, 4000, 5));
    for row in &rows {
        app.begin(inner);
        app.user(inner, &row[1]);
        app.rollback(inner);
    }
    app.commit(outer);
    looped("reviewed: sessions inside a session", app, &[("from orders", "from users", 40)])
}

/// A graph is walked from node 1; some nodes lead to themselves.
fn a_graph() -> Labelled {
    let mut app = App::new();
    let connection = app.connect();
    let (mut seen, mut next) = (vec![1], 0);
    while next < seen.len() && next < 30 {
        let node: i64 = seen[next];
        next += 1;
        let rows: Vec<Row> = [node * 2, node * 2 + 1, node].map(|to| row![to]).to_vec();
        let rows = app
            .ask(connection, "SELECT to_node FROM edges WHERE from_node = $1")
            .bind(row![node])
            .columns(&["edges.to_node"])
            .rows(rows);
        seen.extend(rows.iter().map(|row| int(&row[0])).filter(|to| *to != node));
    }
    // The first node is asked for by the code.
    looped("reviewed: a graph", app, &[("from edges", "from edges", 29)])
}
