//! What programs from outside showed to be misjudged, made again in small.

use super::app::{App, Dice, Row, USER, V, int, orders};
use super::{Label, Labelled, labelled, looped};

pub fn set() -> Vec<Labelled> {
    let mut set = Vec::new();
    set.extend((0..10).map(two_lists_through_one_pool));
    set.extend((0..10).map(who_is_signed_in));
    set.extend((0..5).map(pairs_asked_at_once));
    set.extend((0..10).map(levels_asked_at_once));
    set.extend((0..10).map(resolvers_answered_in_any_order));
    set.extend([codes_of_short_lists(), tests_by_savepoints(), loop_in_a_test_by_savepoint()]);
    set.extend([validated_one_by_one(), all_but_the_same()]);
    set.extend([two_tests_asking_twice(), hours_of_a_day(), two_keys_in_turns(), tree_over_a_pool()]);
    set
}

/// One statement of many sent at once.
struct Sent {
    text: &'static str,
    key: V,
    columns: [&'static str; 2],
    row: Row,
}

fn sent_user(key: &V) -> Sent {
    let row = vec![key.clone(), V::S(format!("user{}@example.com", int(key)))];
    Sent { text: USER, key: key.clone(), columns: ["users.id", "users.email"], row }
}

/// The users of orders for so many workers, dealt like cards.
fn dealt(rows: &[Row], workers: usize) -> Vec<Vec<Sent>> {
    let of_worker = |worker| rows.iter().skip(worker).step_by(workers).map(|row| sent_user(&row[1]));
    (0..workers).map(|worker| of_worker(worker).collect()).collect()
}

fn pool(app: &mut App) -> Vec<u64> {
    (0..4).map(|_| app.connect()).collect()
}

/// Sends what the workers have, in turns by the dice, on whatever connection is free.
fn send_in_turns(app: &mut App, pool: &[u64], dice: &mut Dice, queues: Vec<Vec<Sent>>) {
    let mut queues: Vec<_> = queues.into_iter().map(Vec::into_iter).collect();
    while !queues.is_empty() {
        let at = dice.roll(queues.len() as u64) as usize;
        let Some(sent) = queues[at].next() else {
            queues.remove(at);
            continue;
        };
        let connection = pool[dice.roll(pool.len() as u64) as usize];
        app.ask(connection, sent.text)
            .bind(vec![sent.key])
            .columns(&sent.columns)
            .streamed()
            .rows(vec![sent.row]);
    }
}

fn reviews(app: &mut App, connection: u64, count: i64, dice: &mut Dice) -> Vec<Row> {
    let rows = (1..=count).map(|id| row![id + 500, dice.roll(60) as i64 + 1]).collect();
    app.ask(connection, "SELECT id, user_id FROM reviews ORDER BY id LIMIT 40")
        .columns(&["reviews.id", "reviews.user_id"])
        .rows(rows)
}

fn two_lists_through_one_pool(seed: u64) -> Labelled {
    let (mut app, mut dice) = (App::new(), Dice(seed));
    let pool = pool(&mut app);
    let orders = app.orders(pool[0], orders(40, 60, seed + 90));
    let reviews = reviews(&mut app, pool[1], 40, &mut dice);
    let queues = [dealt(&orders, 4), dealt(&reviews, 4)].into_iter().flatten().collect();
    send_in_turns(&mut app, &pool, &mut dice, queues);
    looped(
        "outside: two lists through one pool",
        app,
        &[("from orders", "from users", 40), ("from reviews", "from users", 40)],
    )
}

/// Each page of a job looks up who is signed in, by the statement of the loop.
fn who_is_signed_in(seed: u64) -> Labelled {
    let (mut app, mut dice) = (App::new(), Dice(seed));
    let connection = app.connect();
    let signed_in = V::I(dice.roll(30) as i64 + 1);
    let rows = app.orders(connection, orders(40, 30, seed + 7));
    for (at, row) in rows.iter().enumerate() {
        if at % 8 == 3 {
            app.user(connection, &signed_in);
            app.ask(connection, "SELECT id, mark FROM marks WHERE note = $1")
                .bind(row![at as i64 + 4000])
                .rows(vec![]);
        }
        app.user(connection, &row[1]);
    }
    looped("outside: who is signed in", app, &[("from orders", "from users", 40)])
}

/// Rows of equal keys stand next to each other, and all are asked for at once.
fn pairs_asked_at_once(seed: u64) -> Labelled {
    let (mut app, mut dice) = (App::new(), Dice(seed));
    let pool = pool(&mut app);
    let rows: Vec<Row> = (0..40).map(|at| row![at + 1, at / 2 * 3 + 5]).collect();
    let rows = app.orders(pool[0], rows);
    send_in_turns(&mut app, &pool, &mut dice, dealt(&rows, 8));
    looped("outside: pairs asked at once", app, &[("from orders", "from users", 40)])
}

const DOCTORS: &str = "SELECT id, name, ward_id FROM doctors WHERE ward_id = $1";
const PATIENTS: &str = "SELECT count(*) FROM patients WHERE doctor_id = $1";

/// Wards, the doctors of each, the patients of each doctor: a level at once, all keys small.
fn levels_asked_at_once(seed: u64) -> Labelled {
    let (mut app, mut dice) = (App::new(), Dice(seed));
    let pool = pool(&mut app);
    let mut wards: Vec<Row> = app
        .ask(pool[0], "SELECT id, name FROM wards ORDER BY name")
        .columns(&["wards.id", "wards.name"])
        .rows((1..=12).map(|at| row![at * 5 % 13, format!("ward {at}")]).collect());
    dice.shuffle(&mut wards);
    let mut doctors = Vec::new();
    for ward in &wards {
        let key = int(&ward[0]);
        let rows = (1..=4).filter(|at| (key + at) % 4 > 0).map(|at| row![key * 3 - 3 + at, "d", key]);
        let connection = pool[dice.roll(4) as usize];
        doctors.extend(
            app.ask(connection, DOCTORS)
                .bind(row![key])
                .columns(&["doctors.id", "doctors.name", "doctors.ward_id"])
                .first_row_us(dice.roll(200))
                .streamed()
                .rows(rows.collect()),
        );
    }
    app.pause_ms(1);
    dice.shuffle(&mut doctors);
    for doctor in &doctors {
        let connection = pool[dice.roll(4) as usize];
        app.ask(connection, PATIENTS)
            .bind(vec![doctor[0].clone()])
            .columns(&["count"])
            .streamed()
            .rows(vec![row![dice.roll(12) as i64]]);
    }
    looped(
        "outside: levels asked at once",
        app,
        &[("from wards", "from doctors", 12), ("from doctors", "from patients", doctors.len() as u64)],
    )
}

/// Reporters of tickets all at once, and the team of each as soon as it is there. The tickets' milestones
/// have the numbers of teams.
fn resolvers_answered_in_any_order(seed: u64) -> Labelled {
    let (mut app, mut dice) = (App::new(), Dice(seed));
    let pool = pool(&mut app);
    let rows = (1..=20).map(|id| row![id, id * 7 % 40 + 1, dice.roll(12) as i64 + 1]).collect();
    let tickets = app
        .ask(pool[0], "SELECT id, reporter_id, milestone_id FROM tickets ORDER BY id LIMIT 20")
        .columns(&["tickets.id", "tickets.reporter_id", "tickets.milestone_id"])
        .rows(rows);
    let mut teams: Vec<(u64, V)> = Vec::new();
    for (at, ticket) in (0..).zip(&tickets) {
        let answered_us = dice.roll(300);
        let reporter = app
            .ask(pool[dice.roll(4) as usize], "SELECT id, team_id FROM members WHERE id = $1 LIMIT 1")
            .bind(vec![ticket[1].clone()])
            .columns(&["members.id", "members.team_id"])
            .first_row_us(answered_us)
            .streamed()
            .rows(vec![vec![ticket[1].clone(), V::I(dice.roll(12) as i64 + 1)]]);
        teams.push((at * 20 + answered_us, reporter[0][1].clone()));
    }
    app.pause_ms(1);
    teams.sort_by_key(|(answered_us, _)| *answered_us);
    for (_, team) in teams {
        app.ask(pool[dice.roll(4) as usize], "SELECT id, name FROM teams WHERE id = $1 LIMIT 1")
            .bind(vec![team.clone()])
            .columns(&["teams.id", "teams.name"])
            .first_row_us(dice.roll(300))
            .streamed()
            .rows(vec![vec![team, V::S("team".into())]]);
    }
    looped(
        "outside: resolvers answered in any order",
        app,
        &[("from tickets", "from members", 20), ("from members", "from teams", 20)],
    )
}

/// Three prescriptions for each patient; a drug that was loaded is not asked for again.
fn codes_of_short_lists() -> Labelled {
    let (mut app, mut dice) = (App::new(), Dice(3));
    let connection = app.connect();
    let patients = app
        .ask(connection, "SELECT id FROM patients ORDER BY id LIMIT 15")
        .columns(&["patients.id"])
        .rows((1..=15).map(|id| row![id + 300]).collect());
    let mut loaded: Vec<V> = Vec::new();
    for patient in &patients {
        let rows = (0..3).map(|at| row![int(&patient[0]) * 3 + at, format!("D{:03}", dice.roll(20))]);
        let prescriptions = app
            .ask(connection, "SELECT id, drug_code FROM prescriptions WHERE patient_id = $1")
            .bind(vec![patient[0].clone()])
            .columns(&["prescriptions.id", "prescriptions.drug_code"])
            .rows(rows.collect());
        for prescription in &prescriptions {
            if loaded.contains(&prescription[1]) {
                continue;
            }
            loaded.push(prescription[1].clone());
            app.ask(connection, "SELECT code, name FROM drugs WHERE code = $1")
                .bind(vec![prescription[1].clone()])
                .columns(&["drugs.code", "drugs.name"])
                .rows(vec![vec![prescription[1].clone(), V::S("drug".into())]]);
        }
    }
    looped(
        "outside: codes of short lists",
        app,
        &[
            ("from patients", "from prescriptions", 15),
            ("from prescriptions", "from drugs", loaded.len() as u64),
        ],
    )
}

fn savepoint(app: &mut App, connection: u64, inside: impl FnOnce(&mut App)) {
    app.ask(connection, "SAVEPOINT \"s1\"").done();
    inside(app);
    app.ask(connection, "ROLLBACK TO SAVEPOINT \"s1\"").done();
    app.ask(connection, "RELEASE SAVEPOINT \"s1\"").done();
}

/// A fixture is read once; each test asks for the user of one of its orders.
fn tests_by_savepoints() -> Labelled {
    let mut app = App::new();
    let connection = app.connect();
    app.begin(connection);
    let rows = app.orders(connection, orders(12, 400, 2));
    for row in &rows {
        savepoint(&mut app, connection, |app| {
            app.ask(connection, "INSERT INTO visits (order_id) VALUES ($1)")
                .bind(vec![row[0].clone()])
                .affects(1)
                .done();
            app.user(connection, &row[1]);
        });
    }
    app.rollback(connection);
    labelled("outside: tests by savepoints", app, Label::Doubtful)
}

/// The same, where each test asks twice.
fn two_tests_asking_twice() -> Labelled {
    let mut app = App::new();
    let connection = app.connect();
    app.begin(connection);
    let rows = app.orders(connection, orders(12, 400, 2));
    for pair in rows.chunks(2) {
        savepoint(&mut app, connection, |app| {
            for row in pair {
                app.user(connection, &row[1]);
            }
        });
    }
    app.rollback(connection);
    labelled("outside: tests by savepoints, asking twice", app, Label::Doubtful)
}

fn loop_in_a_test_by_savepoint() -> Labelled {
    let mut app = App::new();
    let connection = app.connect();
    app.begin(connection);
    for seed in 1..3 {
        savepoint(&mut app, connection, |app| {
            for row in app.orders(connection, orders(12, 400, seed)) {
                app.user(connection, &row[1]);
            }
        });
    }
    app.rollback(connection);
    looped(
        "outside: a loop in each test by savepoint",
        app,
        &[("from orders", "from users", 12), ("from orders", "from users", 12)],
    )
}

/// Hours are counted from 0 to 23; the beds on the page have the keys 1 to 20.
fn hours_of_a_day() -> Labelled {
    let mut app = App::new();
    let connection = app.connect();
    app.ask(connection, "SELECT id, label FROM beds ORDER BY id")
        .columns(&["beds.id", "beds.label"])
        .rows((1..=20).map(|id| row![id, "bed"]).collect());
    for hour in 0..24 {
        app.ask(connection, "SELECT nurse FROM shifts WHERE slot_no = $1")
            .bind(row![hour])
            .columns(&["shifts.nurse"])
            .rows(vec![row!["nurse"]]);
    }
    labelled("outside: hours of a day", app, Label::Doubtful)
}

/// New handles are reckoned; each is looked for among all others before its row is saved.
fn validated_one_by_one() -> Labelled {
    let mut app = App::new();
    let connection = app.connect();
    let members = app
        .ask(connection, "SELECT id, handle FROM members ORDER BY id LIMIT 12")
        .columns(&["members.id", "members.handle"])
        .rows((1..=12).map(|id| row![id + 40, format!("handle {id}")]).collect());
    for member in &members {
        app.ask(connection, "SELECT 1 AS one FROM members WHERE handle = $1 AND id != $2 LIMIT 1")
            .bind(vec![V::S(format!("new {}", int(&member[0]))), member[0].clone()])
            .columns(&["one"])
            .rows(vec![]);
    }
    looped("outside: validated one by one", app, &[("from members order by", "as one from members", 12)])
}

/// Searches that leave out who asks.
fn all_but_the_same() -> Labelled {
    let mut app = App::new();
    let connection = app.connect();
    app.user(connection, &V::I(7));
    for at in 0..12 {
        app.ask(connection, "SELECT id, email FROM users WHERE city = $1 AND id <> $2")
            .bind(row![format!("city {at}"), 7])
            .columns(&["users.id", "users.email"])
            .rows(vec![]);
    }
    labelled("outside: all but the same", app, Label::Repeat("repeated-query-without-visible-parent", 12))
}

/// Two rows of settings, looked up again and again.
fn two_keys_in_turns() -> Labelled {
    let mut app = App::new();
    let connection = app.connect();
    app.ask(connection, "SELECT id, name FROM plans ORDER BY id")
        .columns(&["plans.id", "plans.name"])
        .rows(vec![row![1, "free"], row![2, "paid"]]);
    for at in 0..24 {
        app.ask(connection, "SELECT price FROM plan_prices WHERE plan_id = $1")
            .bind(row![1 + i64::from(at % 6 == 0)])
            .columns(&["plan_prices.price"])
            .rows(vec![row![i64::from(at % 6 == 0) * 30]]);
    }
    labelled("outside: two keys in turns", app, Label::Repeat("redundant-query", 20))
}

/// A tree by one statement, each level at once over a pool.
fn tree_over_a_pool() -> Labelled {
    let (mut app, mut dice) = (App::new(), Dice(11));
    let pool = pool(&mut app);
    let mut level = app
        .ask(pool[0], "SELECT id, name FROM sections WHERE parent_id IS NULL")
        .columns(&["sections.id", "sections.name"])
        .rows((1..=5).map(|id| row![id, "s"]).collect());
    let (mut next, mut asked) = (6, 0);
    for width in [2, 1, 0] {
        let mut below = Vec::new();
        for row in &level {
            let rows = (0..width).map(|at| row![next + at, "s"]).collect();
            next += width;
            let connection = pool[dice.roll(4) as usize];
            below.extend(
                app.ask(connection, "SELECT id, name FROM sections WHERE parent_id = $1")
                    .bind(vec![row[0].clone()])
                    .columns(&["sections.id", "sections.name"])
                    .streamed()
                    .rows(rows),
            );
            asked += 1;
        }
        level = below;
    }
    looped("outside: a tree over a pool", app, &[("where parent_id is null", "from sections", asked)])
}
